/* SPDX-License-Identifier: MIT */
/*
 * swap.c: `quire swap`: where pages go that leave RAM. Devices of /proc/swaps,
 * with what zram tells of its own, and zswap, which stands before them: its
 * pages are part of what the devices count as used.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/proc/pairs.h"
#include "cli/size.h"
#include "meminfo.h"
#include "views.h"

static void
set_ratio(struct table *table, size_t row, int64_t stored, int64_t compressed)
{
	table_set(table, row, COL_STORED, stored);
	table_set(table, row, COL_COMPRESSED, compressed);
	if (compressed > 0)
		table_set(table, row, COL_RATIO,
		    (int64_t)((double)stored * 100.0 / (double)compressed +
			      0.5));
}

/* mm_stat: stored, compressed, RAM, its limit and peak, same-filled pages,
 * compacted pages, incompressible pages. */
static void
set_zram(struct session *session, struct table *table, size_t row,
    const char *name)
{
	char path[256];
	int64_t numbers[8] = { 0 };

	(void)snprintf(path, sizeof(path), "sys/block/%.64s/mm_stat", name);
	char *text = session_read(session, path);
	char *word;
	size_t count = 0;
	while (count < 8 && (word = word_next(&text)) != NULL)
		numbers[count++] = strtoll(word, NULL, 10);
	if (count < 3)
		return;
	table_point_text(table, row, COL_SWAP_TYPE, "zram");
	set_ratio(table, row, numbers[0], numbers[1]);
	table_set(table, row, COL_POOL_RAM, numbers[2]);
	if (count > 4) {
		table_set(table, row, COL_POOL_LIMIT, numbers[3]);
		table_set(table, row, COL_POOL_PEAK, numbers[4]);
	}
	if (count > 5)
		table_set(table, row, COL_SAME, numbers[5]);
	if (count > 7)
		table_set(table, row, COL_INCOMPRESSIBLE, numbers[7]);
}

/* The kernel writes blanks of a name as \040. */
static void
unescape(char *text)
{
	char *to = text;
	for (; *text != '\0'; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' &&
		    text[2] >= '0' && text[2] <= '7' && text[3] >= '0' &&
		    text[3] <= '7') {
			*to++ = (char)((text[1] - '0') * 64 +
				       (text[2] - '0') * 8 + (text[3] - '0'));
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* A line of swaps: file, type, size, used, priority. */
static void
add_device(struct session *session, struct table *table, char *line)
{
	char *name = word_next(&line);
	char *type = name != NULL ? word_next(&line) : NULL;
	int64_t numbers[3] = { 0 };

	if (type == NULL)
		return;
	for (size_t i = 0; i < 3; i++) {
		char *word = word_next(&line);
		if (word == NULL)
			return;
		numbers[i] = strtoll(word, NULL, 10);
	}
	size_t row = table_add_row(table);
	unescape(name);
	table_set_text(table, row, COL_DEVICE_FILE, name);
	table_set_text(table, row, COL_SWAP_TYPE, type);
	table_set(table, row, COL_SWAP_SIZE, numbers[0] * 1024);
	table_set(table, row, COL_SWAP_IN_USE, numbers[1] * 1024);
	table_set(table, row, COL_PRIORITY, numbers[2]);
	if (strncmp(name, "/dev/zram", 9) == 0)
		set_zram(session, table, row, name + 5);
}

/* zram devices that are set up and are no swap: a file system, perhaps. */
static void
add_other_zrams(struct session *session, struct table *table)
{
	char **names;
	struct arena arena = { 0 };
	int count = source_list(session->source, "sys/block", &arena, &names);

	for (int i = 0; i < count; i++) {
		char path[256];
		uint64_t size;
		bool known = false;
		if (strncmp(names[i], "zram", 4) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "/dev/%.64s", names[i]);
		for (size_t row = 0; row < table->row_count; row++) {
			const struct cell *cell =
			    table_get(table, row, COL_DEVICE_FILE);
			known = known || (cell->kind == CELL_TEXT &&
					     strcmp(cell->text, path) == 0);
		}
		char disk[256];
		(void)snprintf(disk, sizeof(disk), "sys/block/%.64s/disksize",
		    names[i]);
		if (known || !source_number(session->source, disk, &size) ||
		    size == 0)
			continue;
		size_t row = table_add_row(table);
		table_set_text(table, row, COL_DEVICE_FILE, path);
		set_zram(session, table, row, names[i]);
	}
	arena_fini(&arena);
}

static bool
fill_swap(struct session *session, struct table *table)
{
	struct meminfo meminfo;
	char *line;

	if (!meminfo_read(session, &meminfo))
		return false;
	table->columns[table_find(table, COL_DEVICE_FILE)].wanted = true;
	char *swaps =
	    arena_string(&table->arena, session_read(session, "proc/swaps"));
	(void)line_next(&swaps); /* the header */
	while ((line = line_next(&swaps)) != NULL)
		add_device(session, table, line);
	add_other_zrams(session, table);
	if (meminfo.zswap > 0 || meminfo.zswapped > 0) {
		size_t row = table_add_row(table);
		table_point_text(table, row, COL_DEVICE_FILE, "zswap");
		table_point_text(table, row, COL_SWAP_TYPE, "zswap");
		set_ratio(table, row, meminfo.zswapped, meminfo.zswap);
		table_set(table, row, COL_POOL_RAM, meminfo.zswap);
		table_note(table, "pages in zswap are part of what the "
				  "devices count as used");
	}
	session->may_be_empty = true;
	if (table->row_count == 0)
		table_note(table, "there is no swap: what programs write to "
				  "stays in RAM (quire run -m brings its own)");
	return true;
}

static const enum column_id swap_columns[] = { COL_DEVICE_FILE, COL_SWAP_TYPE,
	COL_SWAP_SIZE, COL_SWAP_IN_USE, COL_PRIORITY, COL_STORED,
	COL_COMPRESSED, COL_RATIO, COL_POOL_RAM, COL_POOL_LIMIT, COL_POOL_PEAK,
	COL_SAME, COL_INCOMPRESSIBLE, COLUMN_NONE };

const struct view swap_view = {
	.name = "swap",
	.command = "swap",
	.columns = swap_columns,
	.preset = "device,type,size,used,priority,stored,compressed,ratio,ram",
	.machine = "all",
	.narrow = "priority,type",
	.sort = "",
	.fill = fill_swap,
	.next = "quire ps -s swap -n 10   quire vmstat -w",
};

int
swap_main(const struct options *options)
{
	return view_main(options, &swap_view);
}
