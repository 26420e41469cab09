/* SPDX-License-Identifier: MIT */
/*
 * arrange.h: which columns and rows of a table are shown, in which order: -o,
 * -f, -s, -n and -t. A column that a filter or an order needs becomes wanted,
 * so all of these are read before the table is filled.
 */
#ifndef CLI_TABLE_ARRANGE_H
#define CLI_TABLE_ARRANGE_H

#include "cli/problem.h"
#include "table.h"

/*
 * Shows the columns of a list: "pid,pss", or "+pte,-rss" for the preset with
 * changes, or "all". Blanks part names, too. NULL: the preset. False: problem
 * names the column that is not there, and the nearest.
 */
QR_MUST_CHECK bool select_columns(struct table *table, const char *list,
    const char *preset, struct problem *problem);

/* Looks a column up by name for an option; -1: problem says that it is not
 * there, and which is near. */
int column_of_name(const struct table *table, const char *name, size_t length,
    struct problem *problem);

/* --- filters: pss>100M and (user=www or comm~'^py') --- */

struct filter;

/* Lives in the table's arena. NULL: problem says where it is wrong. */
struct filter *filter_parse(struct table *table, const char *text,
    struct problem *problem);

/* cells: a row of its own by column, as the total is; NULL: row counts. */
bool filter_match(const struct filter *filter, const struct table *table,
    size_t row, const struct cell *cells);

/* Keeps the rows of table->order that match. */
void filter_rows(struct table *table, const struct filter *filter);

/* --- order --- */

/* Up to 8 columns; numbers largest first, texts in their order, and the other
 * way round after a "-". */
struct sort_key {
	size_t columns[8];
	bool reversed[8];
	size_t count;
};

QR_MUST_CHECK bool sort_parse(struct table *table, const char *list,
    struct sort_key *key, struct problem *problem);
void sort_rows(struct table *table, const struct sort_key *key);

/* --- totals --- */

/* Sums table->order into table->total, and what lies beyond limit rows (0:
 * none) into table->rest, which the order then loses. */
void total_rows(struct table *table, uint64_t limit);

/*
 * Adds the rows of `from` that are in its order to rows of `to`, one for each
 * text that they have in the column `key`: what adds up is added up, and
 * COL_N counts them.
 */
void group_rows(const struct table *from, enum column_id key, struct table *to);

/* For who finds rows by a text in another way. */
uint64_t text_hash(const char *text);

#endif
