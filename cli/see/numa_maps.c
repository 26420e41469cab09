/* SPDX-License-Identifier: MIT */
/*
 * numa_maps.c: `quire numa PID`: the mappings of a process, their memory
 * policies, and on which nodes their pages are, out of PID/numa_maps; with
 * sums by node, parted as numastat -p parts them.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/proc/pairs.h"
#include "cli/size.h"
#include "subject.h"
#include "views.h"

#define NODES_MAX 64u

/* What numastat -p tells apart. */
enum part {
	PART_HUGE,
	PART_HEAP,
	PART_STACK,
	PART_PRIVATE,
	PART_COUNT,
};

static const char *const part_names[PART_COUNT] = { "huge", "heap", "stack",
	"private" };

struct placing {
	struct table *table;
	int64_t nodes[NODES_MAX][PART_COUNT]; /* bytes */
	unsigned node_count;                  /* one past the highest */
};

/* A line while it is read: pages by node are in units of its page size, which
 * stands at its end. */
struct mapping_line {
	size_t row;
	enum part part;
	int64_t page_bytes;
	int64_t pages[NODES_MAX];
	struct buffer nodes;
};

/* Keys that count pages. */
static const struct {
	const char *key;
	enum column_id id;
} page_keys[] = {
	{ "anon", COL_NUMA_ANON },
	{ "dirty", COL_NUMA_DIRTY },
	{ "mapped", COL_NUMA_MAPPED },
	{ "active", COL_NUMA_ACTIVE },
	{ "swapcache", COL_NUMA_SWAPCACHE },
	{ "writeback", COL_NUMA_WRITEBACK },
};

#define PAGE_KEYS (sizeof(page_keys) / sizeof(page_keys[0]))

static void
take_node(struct mapping_line *line, const char *key, int64_t pages)
{
	long node = strtol(key + 1, NULL, 10);

	if (node < 0 || node >= (long)NODES_MAX)
		return;
	line->pages[node] = pages;
	buffer_printf(&line->nodes, "%sN%ld=%lld",
	    line->nodes.length > 0 ? " " : "", node, (long long)pages);
}

/* "file=/usr/bin/cat", "mapped=2", "heap". */
static void
take_word(struct placing *placing, struct mapping_line *line, char *word)
{
	struct table *table = placing->table;
	char *value = strchr(word, '=');

	if (value == NULL) {
		line->part = strcmp(word, "heap") == 0    ? PART_HEAP
			     : strcmp(word, "stack") == 0 ? PART_STACK
			     : strcmp(word, "huge") == 0  ? PART_HUGE
							  : line->part;
		if (line->part == PART_HEAP || line->part == PART_STACK)
			table_set_text(table, line->row, COL_MAP,
			    line->part == PART_HEAP ? "[heap]" : "[stack]");
		return;
	}
	*value++ = '\0';
	if (strcmp(word, "file") == 0) {
		table_set_text(table, line->row, COL_MAP, value);
		return;
	}
	int64_t number = strtoll(value, NULL, 10) & INT32_MAX;
	if (word[0] == 'N' && word[1] >= '0' && word[1] <= '9')
		take_node(line, word, number);
	else if (strcmp(word, "kernelpagesize_kB") == 0)
		line->page_bytes = number * 1024;
	else if (strcmp(word, "mapmax") == 0)
		table_set(table, line->row, COL_NUMA_MAPMAX, number);
	for (size_t i = 0; i < PAGE_KEYS; i++)
		if (strcmp(page_keys[i].key, word) == 0)
			table_set(table, line->row, page_keys[i].id, number);
}

static void
finish_line(struct placing *placing, struct mapping_line *line)
{
	struct table *table = placing->table;
	int64_t sum = 0;

	for (unsigned node = 0; node < NODES_MAX; node++) {
		int64_t bytes = line->pages[node] * line->page_bytes;
		placing->nodes[node][line->part] += bytes;
		sum += bytes;
		if (bytes > 0 && node >= placing->node_count)
			placing->node_count = node + 1;
	}
	/* Pages so far; bytes from here on. */
	for (size_t i = 0; i < PAGE_KEYS; i++) {
		const struct cell *cell =
		    table_get(table, line->row, page_keys[i].id);
		if (cell->kind == CELL_NUMBER)
			table_set(table, line->row, page_keys[i].id,
			    cell->number * line->page_bytes);
	}
	table_set(table, line->row, COL_NUMA_SIZE, sum);
	table_set(table, line->row, COL_KERNEL_PAGE, line->page_bytes);
	if (line->nodes.length > 0)
		table_set_text(table, line->row, COL_NUMA_NODES,
		    line->nodes.text);
	buffer_fini(&line->nodes);
}

/* "7f0000000000 default file=/usr/lib/x anon=3 dirty=3 N0=5 ..." */
static void
add_line(struct placing *placing, char *text)
{
	struct mapping_line line = { .part = PART_PRIVATE,
		.page_bytes = (int64_t)QR_PAGE_SIZE };
	char *address = word_next(&text);
	char *policy = address != NULL ? word_next(&text) : NULL;
	char *word;

	if (policy == NULL)
		return;
	line.row = table_add_row(placing->table);
	table_set(placing->table, line.row, COL_START,
	    (int64_t)strtoull(address, NULL, 16));
	table_set_text(placing->table, line.row, COL_NUMA_POLICY, policy);
	table_set_text(placing->table, line.row, COL_MAP, "[anonymous]");
	while ((word = word_next(&text)) != NULL)
		take_word(placing, &line, word);
	finish_line(placing, &line);
}

static void
note_nodes(struct placing *placing)
{
	char text[SIZE_TEXT_MAX];

	for (unsigned node = 0; node < placing->node_count; node++) {
		struct buffer note = { 0 };
		int64_t sum = 0;
		for (int part = 0; part < PART_COUNT; part++) {
			int64_t bytes = placing->nodes[node][part];
			sum += bytes;
			if (bytes > 0)
				buffer_printf(&note, "%s%s %s",
				    note.length > 0 ? ", " : "",
				    part_names[part],
				    size_format((uint64_t)bytes, text));
		}
		if (sum > 0)
			table_note(placing->table, "node %u: %s (%s)", node,
			    size_format((uint64_t)sum, text), note.text);
		buffer_fini(&note);
	}
}

static bool
fill_numa_maps(struct session *session, struct table *table)
{
	struct placing placing = { .table = table };
	char path[64];
	char *line;
	int pid;

	if (!subject_find(session, &pid))
		return false;
	(void)snprintf(path, sizeof(path), "proc/%d/numa_maps", pid);
	struct buffer text = { 0 };
	int error = source_read(session->source, path, &text);
	if (error != 0) {
		buffer_fini(&text);
		return subject_unreadable(session, pid, error);
	}
	/* Units of pages are turned into bytes at each line's end. */
	for (size_t i = 0; i < PAGE_KEYS; i++)
		table->columns[table_find(table, page_keys[i].id)].wanted =
		    true;
	char *rest = text.text;
	while (rest != NULL && (line = line_next(&rest)) != NULL)
		add_line(&placing, line);
	buffer_fini(&text);
	note_nodes(&placing);
	session->may_be_empty = true;
	return true;
}

static const enum column_id numa_maps_columns[] = { COL_START, COL_NUMA_POLICY,
	COL_NUMA_SIZE, COL_NUMA_NODES, COL_NUMA_ANON, COL_NUMA_DIRTY,
	COL_NUMA_MAPPED, COL_NUMA_ACTIVE, COL_NUMA_SWAPCACHE,
	COL_NUMA_WRITEBACK, COL_NUMA_MAPMAX, COL_KERNEL_PAGE, COL_MAP,
	COLUMN_NONE };

const struct view numa_maps_view = {
	.name = "numa-maps",
	.command = "numa",
	.columns = numa_maps_columns,
	.preset = "address,policy,size,nodes,anon,dirty,map",
	.machine = "all",
	.narrow = "dirty,anon",
	.sort = "size,-address",
	.totals = true,
	.fill = fill_numa_maps,
	.next = "quire map PID   quire numa",
};
