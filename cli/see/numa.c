/* SPDX-License-Identifier: MIT */
/*
 * numa.c: `quire numa`: RAM by node. The nodes need not add up to meminfo,
 * where memory came later or the hypervisor tells tales: the difference is
 * said.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/proc/pairs.h"
#include "cli/size.h"
#include "meminfo.h"
#include "views.h"

#define NODES "sys/devices/system/node"

static const struct {
	const char *key;
	enum column_id id;
} node_keys[] = {
	{ "MemTotal", COL_NODE_TOTAL },
	{ "MemFree", COL_NODE_FREE },
	{ "AnonPages", COL_NODE_ANON },
	{ "FilePages", COL_NODE_FILES },
	{ "Slab", COL_NODE_SLAB },
};

/* "Node 0 MemTotal:  6514892 kB" */
static void
set_meminfo(struct session *session, struct table *table, size_t row,
    const char *name)
{
	struct pair pair;
	char path[128];
	char *line;

	(void)snprintf(path, sizeof(path), NODES "/%.32s/meminfo", name);
	char *text = session_read(session, path);
	while ((line = line_next(&text)) != NULL) {
		if (word_next(&line) == NULL || word_next(&line) == NULL ||
		    !pair_next(&line, &pair))
			continue;
		for (size_t i = 0; i < sizeof(node_keys) / sizeof(node_keys[0]);
		     i++)
			if (strcmp(node_keys[i].key, pair.key) == 0)
				table_set(table, row, node_keys[i].id,
				    pair.number);
	}
}

static void
set_statistics(struct session *session, struct table *table, size_t row,
    const char *name)
{
	static const struct {
		const char *key;
		enum column_id id;
	} keys[] = {
		{ "numa_hit", COL_NUMA_HIT },
		{ "numa_miss", COL_NUMA_MISS },
		{ "numa_foreign", COL_NUMA_FOREIGN },
	};
	struct pair pair;
	char path[128];

	(void)snprintf(path, sizeof(path), NODES "/%.32s/numastat", name);
	char *text = session_read(session, path);
	while (pair_next(&text, &pair))
		for (size_t i = 0; i < 3; i++)
			if (strcmp(keys[i].key, pair.key) == 0)
				table_set(table, row, keys[i].id, pair.number);
	(void)snprintf(path, sizeof(path), NODES "/%.32s/distance", name);
	text = session_read(session, path);
	char *line = line_next(&text);
	if (line != NULL)
		table_set_text(table, row, COL_DISTANCE, line);
}

/* Pools of all sizes: hugepages-2048kB/nr_hugepages. */
static void
set_huge(struct session *session, struct table *table, size_t row,
    const char *name)
{
	char path[256];
	char **sizes;
	struct arena arena = { 0 };
	int64_t sum = 0;

	(void)snprintf(path, sizeof(path), NODES "/%.32s/hugepages", name);
	int count = source_list(session->source, path, &arena, &sizes);
	for (int i = 0; i < count; i++) {
		uint64_t pages;
		(void)snprintf(path, sizeof(path),
		    NODES "/%.32s/hugepages/%.64s/nr_hugepages", name,
		    sizes[i]);
		if (strncmp(sizes[i], "hugepages-", 10) == 0 &&
		    source_number(session->source, path, &pages) &&
		    pages < UINT32_MAX)
			sum += (int64_t)pages *
			       (strtoll(sizes[i] + 10, NULL, 10) & INT32_MAX) *
			       1024;
	}
	arena_fini(&arena);
	table_set(table, row, COL_NODE_HUGE, sum);
}

static bool
fill_numa(struct session *session, struct table *table)
{
	struct meminfo meminfo;
	struct arena arena = { 0 };
	char **names;
	char text[SIZE_TEXT_MAX];
	int64_t sum = 0;

	table->columns[table_find(table, COL_NODE_TOTAL)].wanted = true;
	int count = source_list(session->source, NODES, &arena, &names);
	for (int i = 0; i < count; i++) {
		if (strncmp(names[i], "node", 4) != 0 || names[i][4] < '0' ||
		    names[i][4] > '9')
			continue;
		size_t row = table_add_row(table);
		table_set(table, row, COL_NODE, strtol(names[i] + 4, NULL, 10));
		set_meminfo(session, table, row, names[i]);
		set_statistics(session, table, row, names[i]);
		set_huge(session, table, row, names[i]);
		sum += table_get(table, row, COL_NODE_TOTAL)->number;
	}
	arena_fini(&arena);
	if (table->row_count == 0) {
		problem_what(&session->problem, EXIT_FAILED,
		    "there are no NUMA nodes in %s",
		    source_name(session->source));
		return false;
	}
	if (!meminfo_read(session, &meminfo))
		return false;
	int64_t more = meminfo.total - sum;
	if (more != 0)
		table_note(table, "meminfo's MemTotal is %s %s than the nodes",
		    size_format((uint64_t)llabs(more), text),
		    more > 0 ? "more" : "less");
	return true;
}

static const enum column_id numa_columns[] = { COL_NODE, COL_NODE_TOTAL,
	COL_NODE_FREE, COL_NODE_ANON, COL_NODE_FILES, COL_NODE_SLAB,
	COL_NODE_HUGE, COL_NUMA_HIT, COL_NUMA_MISS, COL_NUMA_FOREIGN,
	COL_DISTANCE, COLUMN_NONE };

const struct view numa_view = {
	.name = "numa",
	.command = "numa",
	.columns = numa_columns,
	.preset = "node,total,free,programs,files,slab,huge,hit,miss,foreign,"
		  "distance",
	.narrow = "hit,distance",
	.sort = "-node",
	.totals = true,
	.fill = fill_numa,
	.next = "quire zones   quire buddy",
};

int
numa_main(const struct options *options)
{
	return view_main(options,
	    options->operands[0] != NULL ? &numa_maps_view : &numa_view);
}
