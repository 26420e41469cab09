/* SPDX-License-Identifier: MIT */
/* sort.c: puts rows in order, sums them, and gathers them into groups. */
#include <stdlib.h>
#include <string.h>

#include "arrange.h"

bool
sort_parse(struct table *table, const char *list, struct sort_key *key,
    struct problem *problem)
{
	key->count = 0;
	while (*list != '\0' && key->count < 8) {
		bool reversed = *list == '-';
		list += *list == '-' || *list == '+';
		size_t length = strcspn(list, ", ");
		int index = column_of_name(table, list, length, problem);
		if (index < 0)
			return false;
		table->columns[index].wanted = true;
		key->columns[key->count] = (size_t)index;
		key->reversed[key->count++] = reversed;
		list += length;
		list += strspn(list, ", ");
	}
	return true;
}

struct sort_context {
	const struct table *table;
	const struct sort_key *key;
};

/* What is not known comes last, whichever the direction. */
static int
compare_cells(const struct cell *a, const struct cell *b,
    const struct column *column, bool reversed)
{
	int order;

	if (a->kind == CELL_NONE || b->kind == CELL_NONE)
		return (a->kind == CELL_NONE) - (b->kind == CELL_NONE);
	if (a->kind == CELL_TEXT && b->kind == CELL_TEXT)
		order = strcmp(a->text, b->text);
	else if (column->type == COLUMN_ADDRESS)
		order = ((uint64_t)a->number > (uint64_t)b->number) -
			((uint64_t)a->number < (uint64_t)b->number);
	else
		order = (a->number < b->number) - (a->number > b->number);
	return reversed ? -order : order;
}

static int
compare_rows(const void *a, const void *b, void *context)
{
	const struct sort_context *sort = context;
	size_t left = *(const size_t *)a, right = *(const size_t *)b;

	for (size_t i = 0; i < sort->key->count; i++) {
		size_t column = sort->key->columns[i];
		int order = compare_cells(table_cell(sort->table, left, column),
		    table_cell(sort->table, right, column),
		    sort->table->columns[column].column,
		    sort->key->reversed[i]);
		if (order != 0)
			return order;
	}
	return (left > right) - (left < right);
}

void
sort_rows(struct table *table, const struct sort_key *key)
{
	struct sort_context context = { table, key };
	if (key->count > 0 && table->order_count > 1)
		qsort_r(table->order, table->order_count, sizeof(*table->order),
		    compare_rows, &context);
}

/* Sums a part of the order, by column. */
static struct cell *
sum_rows(struct table *table, size_t from, size_t to)
{
	struct cell *sums = arena_alloc(&table->arena,
	    (table->column_count + 1) * sizeof(*sums));
	for (size_t i = 0; i < table->column_count; i++) {
		if (table->columns[i].column->sum != SUM_ADD)
			continue;
		for (size_t j = from; j < to; j++) {
			const struct cell *cell =
			    table_cell(table, table->order[j], i);
			if (cell->kind != CELL_NUMBER)
				continue;
			sums[i].kind = CELL_NUMBER;
			sums[i].number += cell->number;
		}
	}
	return sums;
}

void
total_rows(struct table *table, uint64_t limit)
{
	size_t count = table->order_count;

	table->total = sum_rows(table, 0, count);
	if (limit == 0 || limit >= count)
		return;
	table->rest = sum_rows(table, (size_t)limit, count);
	table->rest_count = count - (size_t)limit;
	table->order_count = (size_t)limit;
}

/* --- groups --- */

uint64_t
text_hash(const char *text)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211u;
	return hash;
}

/* The row of `to` whose key is the text; it is made if there is none. slots
 * holds 1 + rows, by hash. */
static size_t
group_row(struct table *to, enum column_id key, size_t *slots, size_t mask,
    const char *text)
{
	size_t slot = (size_t)text_hash(text) & mask;

	for (; slots[slot] != 0; slot = (slot + 1) & mask)
		if (strcmp(table_get(to, slots[slot] - 1, key)->text, text) ==
		    0)
			return slots[slot] - 1;
	size_t row = table_add_row(to);
	table_set_text(to, row, key, text);
	slots[slot] = row + 1;
	return row;
}

static void
group_add(const struct table *from, size_t row, struct table *to, size_t target)
{
	for (size_t i = 0; i < from->column_count; i++) {
		const struct column *column = from->columns[i].column;
		const struct cell *cell = table_cell(from, row, i);
		if (cell->kind != CELL_NUMBER || column->sum != SUM_ADD)
			continue;
		if (from->columns[i].unregistered)
			table_add_unknown(to, target, column->name,
			    cell->number, column->type == COLUMN_BYTES);
		else
			table_add(to, target,
			    (enum column_id)(column - columns), cell->number);
	}
}

void
group_rows(const struct table *from, enum column_id key, struct table *to)
{
	size_t size = 64;
	while (size < from->order_count * 2)
		size *= 2;
	size_t *slots = grow(NULL, size * sizeof(*slots));
	memset(slots, 0, size * sizeof(*slots));
	to->columns[table_find(to, key)].wanted = true;
	for (size_t i = 0; i < from->order_count; i++) {
		size_t row = from->order[i];
		const struct cell *cell = table_get(from, row, key);
		const char *text = cell->kind == CELL_TEXT ? cell->text : "-";
		size_t target = group_row(to, key, slots, size - 1, text);
		group_add(from, row, to, target);
		table_add(to, target, COL_N, 1);
	}
	free(slots);
}
