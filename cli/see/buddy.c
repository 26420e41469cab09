/* SPDX-License-Identifier: MIT */
/*
 * buddy.c: `quire buddy`: free memory by the size of its blocks, for each
 * zone, or with --types for each migrate type; and how much of it is in pieces
 * too small for a huge page.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/proc/pairs.h"
#include "views.h"

#define ORDERS     11u
#define HUGE_ORDER 9u /* 2 MiB, of 4 KiB pages */

/* In hundredths of a percent. */
static int64_t
share(int64_t part, int64_t whole)
{
	return (int64_t)((double)part * 10000.0 / (double)whole);
}

static void
set_orders(struct table *table, size_t row, char *rest)
{
	int64_t free_pages = 0, usable = 0, below[ORDERS] = { 0 };
	char *word;

	for (unsigned order = 0; (word = word_next(&rest)) != NULL; order++) {
		const char *at = word;
		int64_t blocks = number_next(&at);
		if (order >= 32 || blocks > INT64_MAX >> (order + 12))
			continue;
		if (order < ORDERS)
			table_set(table, row,
			    (enum column_id)(COL_O0 + (int)order), blocks);
		if (order < ORDERS)
			below[order] = free_pages;
		free_pages += blocks << order;
		usable += order >= HUGE_ORDER ? blocks << order : 0;
	}
	table_set(table, row, COL_BUDDY_FREE,
	    free_pages * (int64_t)QR_PAGE_SIZE);
	if (free_pages == 0)
		return;
	table_set(table, row, COL_UNUSABLE,
	    share(free_pages - usable, free_pages));
	for (unsigned order = 1; order < ORDERS; order++)
		table_set(table, row, (enum column_id)(COL_U1 + (int)order - 1),
		    share(below[order], free_pages));
}

/* "Node 0, zone   Normal, type    Movable    1 2 3": the row of it. False: it
 * is another kind of line. */
static bool
take_head(char **line, struct table *table, size_t *row)
{
	int node, used = 0;
	char zone[32], type[32] = "";

	if (sscanf(*line, "Node %d, zone %31[^, ]%n", &node, zone, &used) < 2)
		return false;
	char *rest = *line + used;
	if (sscanf(rest, ", type %31s%n", type, &used) == 1)
		rest += used;
	*line = rest;
	*row = table_add_row(table);
	table_set(table, *row, COL_NODE, node);
	table_set_text(table, *row, COL_ZONE, zone);
	table_set_text(table, *row, COL_MIGRATE,
	    type[0] != '\0' ? type : "all");
	return true;
}

static bool
nothing(struct session *session, const char *file)
{
	problem_what(&session->problem, EXIT_FAILED, "cannot read %s", file);
	if (source_is_live(session->source))
		problem_why(&session->problem,
		    "it takes root, or the kernel has none");
	else
		problem_why(&session->problem, "%s does not hold it",
		    source_name(session->source));
	return false;
}

static bool
fill_zones(struct session *session, struct table *table)
{
	char *line;
	size_t row;
	char *text = session_read(session, "proc/buddyinfo");

	while ((line = line_next(&text)) != NULL)
		if (take_head(&line, table, &row))
			set_orders(table, row, line);
	return table->row_count > 0 || nothing(session, "buddyinfo");
}

/* "Node 0, zone Normal 233 1277 154": blocks of each type, in the order of
 * the types above. */
static void
set_blocks(struct table *table, char *line)
{
	int node, used = 0;
	char zone[32];
	char *word;
	size_t row = 0;

	if (sscanf(line, "Node %d, zone %31s%n", &node, zone, &used) < 2)
		return;
	line += used;
	while (row < table->row_count &&
	       (table_get(table, row, COL_NODE)->number != node ||
		   strcmp(table_get(table, row, COL_ZONE)->text, zone) != 0))
		row++;
	while (row < table->row_count && (word = word_next(&line)) != NULL)
		table_set(table, row++, COL_BLOCKS, strtoll(word, NULL, 10));
}

static void
want(struct table *table, enum column_id id)
{
	table->columns[table_find(table, id)].wanted = true;
}

static bool
fill_types(struct session *session, struct table *table)
{
	char *line;
	size_t row;
	bool counts_blocks = false;
	char *text = session_read(session, "proc/pagetypeinfo");

	want(table, COL_NODE);
	want(table, COL_ZONE);
	while ((line = line_next(&text)) != NULL) {
		if (strncmp(line, "Number of blocks", 16) == 0)
			counts_blocks = true;
		else if (counts_blocks)
			set_blocks(table, line);
		else if (take_head(&line, table, &row))
			set_orders(table, row, line);
	}
	return table->row_count > 0 || nothing(session, "pagetypeinfo");
}

static const enum column_id buddy_columns[] = { COL_NODE, COL_ZONE, COL_MIGRATE,
	COL_O0, COL_O1, COL_O2, COL_O3, COL_O4, COL_O5, COL_O6, COL_O7, COL_O8,
	COL_O9, COL_O10, COL_BUDDY_FREE, COL_UNUSABLE, COL_U1, COL_U2, COL_U3,
	COL_U4, COL_U5, COL_U6, COL_U7, COL_U8, COL_U9, COL_U10, COL_BLOCKS,
	COLUMN_NONE };

#define ORDER_NAMES "o0,o1,o2,o3,o4,o5,o6,o7,o8,o9,o10"

const struct view buddy_view = {
	.name = "buddy",
	.command = "buddy",
	.columns = buddy_columns,
	.preset = "node,zone," ORDER_NAMES ",free,unusable",
	.narrow = "node,o1,o2,o3,o5,o6,o7",
	.sort = "",
	.totals = true,
	.fill = fill_zones,
	.next = "quire buddy --types   quire zones   quire help unusable",
};

const struct view buddy_types_view = {
	.name = "buddy-types",
	.command = "buddy",
	.columns = buddy_columns,
	.preset = "node,zone,type," ORDER_NAMES ",free,unusable,blocks",
	.narrow = "node,o1,o2,o3,o5,o6,o7,blocks",
	.sort = "",
	.totals = true,
	.fill = fill_types,
	.next = "quire buddy   quire vmstat --counters -f 'area=compaction'",
};

int
buddy_main(const struct options *options)
{
	return view_main(options, options->text[OPTION_TYPES] != NULL
				      ? &buddy_types_view
				      : &buddy_view);
}
