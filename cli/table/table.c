/* SPDX-License-Identifier: MIT */
/* table.c: cells lie by column, in arrays that grow when a row sets one, so
 * that a column which appears late, or seldom, costs what it holds. */
#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct cell no_cell = { .kind = CELL_NONE };

static size_t
column_append(struct table *table, const struct column *column)
{
	size_t index = table->column_count++;
	table->columns =
	    grow(table->columns, table->column_count * sizeof(*table->columns));
	table->columns[index] = (struct table_column){ .column = column };
	return index;
}

void
table_init(struct table *table, const enum column_id *ids)
{
	*table = (struct table){ 0 };
	for (; *ids != COLUMN_NONE; ids++)
		table->by_id[*ids] =
		    (uint32_t)column_append(table, &columns[*ids]) + 1;
}

void
table_at_end(struct table *table, void (*run)(void *of), void *of)
{
	struct table_end *end = arena_alloc(&table->arena, sizeof(*end));
	end->run = run;
	end->of = of;
	end->next = table->ends;
	table->ends = end;
}

void
table_fini(struct table *table)
{
	for (struct table_end *end = table->ends; end != NULL; end = end->next)
		end->run(end->of);
	for (size_t i = 0; i < table->column_count; i++)
		free(table->columns[i].cells);
	free(table->columns);
	free(table->shown);
	free(table->order);
	arena_fini(&table->arena);
}

int
table_find(const struct table *table, enum column_id id)
{
	return (int)table->by_id[id] - 1;
}

int
table_find_name(const struct table *table, const char *name, size_t length)
{
	for (size_t i = 0; i < table->column_count; i++) {
		const char *own = table->columns[i].column->name;
		if (strlen(own) == length &&
		    strncasecmp(own, name, length) == 0)
			return (int)i;
	}
	return -1;
}

bool
table_wants(const struct table *table, enum column_id id)
{
	uint32_t index = table->by_id[id];
	return index != 0 && table->columns[index - 1].wanted;
}

bool
table_wants_source(const struct table *table, const char *source)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (table->columns[i].wanted &&
		    strcmp(table->columns[i].column->source, source) == 0)
			return true;
	return false;
}

size_t
table_add_row(struct table *table)
{
	return table->row_count++;
}

static struct cell *
cell_slot(struct table *table, size_t row, struct table_column *column)
{
	if (row >= column->capacity) {
		size_t capacity = column->capacity * 2 + 16;
		if (capacity <= row)
			capacity = table->row_count + 16;
		column->cells =
		    grow(column->cells, capacity * sizeof(*column->cells));
		memset(column->cells + column->capacity, 0,
		    (capacity - column->capacity) * sizeof(*column->cells));
		column->capacity = capacity;
	}
	return &column->cells[row];
}

static struct cell *
wanted_slot(struct table *table, size_t row, enum column_id id)
{
	if (!table_wants(table, id))
		return NULL;
	return cell_slot(table, row, &table->columns[table->by_id[id] - 1]);
}

void
table_set(struct table *table, size_t row, enum column_id id, int64_t number)
{
	struct cell *cell = wanted_slot(table, row, id);
	if (cell == NULL)
		return;
	cell->kind = CELL_NUMBER;
	cell->number = number;
}

void
table_add(struct table *table, size_t row, enum column_id id, int64_t number)
{
	struct cell *cell = wanted_slot(table, row, id);
	if (cell == NULL)
		return;
	cell->number =
	    cell->kind == CELL_NUMBER ? cell->number + number : number;
	cell->kind = CELL_NUMBER;
}

void
table_point_text(struct table *table, size_t row, enum column_id id,
    const char *text)
{
	struct cell *cell = wanted_slot(table, row, id);
	if (cell == NULL)
		return;
	cell->kind = CELL_TEXT;
	cell->text = text;
}

void
table_set_text(struct table *table, size_t row, enum column_id id,
    const char *text)
{
	if (table_wants(table, id))
		table_point_text(table, row, id,
		    arena_string(&table->arena, text));
}

/* Of "Active(anon)": "active_anon". */
static char *
key_name(struct table *table, const char *key)
{
	char *name = arena_string(&table->arena, key);
	size_t length = 0;
	for (const char *from = key; *from != '\0'; from++) {
		char c = *from;
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			name[length++] = c;
		else if (length > 0 && name[length - 1] != '_')
			name[length++] = '_';
	}
	while (length > 0 && name[length - 1] == '_')
		length--;
	name[length] = '\0';
	return name;
}

void
table_add_unknown(struct table *table, size_t row, const char *key,
    int64_t number, bool bytes)
{
	if (!table->keeps_unknown)
		return;
	char *name = key_name(table, key);
	int index = table_find_name(table, name, strlen(name));
	if (index < 0) {
		struct column *column =
		    arena_alloc(&table->arena, sizeof(*column));
		column->name = name;
		column->type = bytes ? COLUMN_BYTES : COLUMN_COUNT;
		column->sum = bytes ? SUM_ADD : SUM_NONE;
		column->source = "the kernel";
		column->meaning = "A key of the kernel that this version of "
				  "Quire does not know.";
		index = (int)column_append(table, column);
		table->columns[index].unregistered = true;
		table->columns[index].wanted = true;
	}
	if (!table->columns[index].unregistered)
		return;
	struct cell *cell = cell_slot(table, row, &table->columns[index]);
	cell->number =
	    cell->kind == CELL_NUMBER ? cell->number + number : number;
	cell->kind = CELL_NUMBER;
}

const struct cell *
table_cell(const struct table *table, size_t row, size_t column)
{
	const struct table_column *of = &table->columns[column];
	return row < of->capacity ? &of->cells[row] : &no_cell;
}

const struct cell *
table_get(const struct table *table, size_t row, enum column_id id)
{
	uint32_t index = table->by_id[id];
	return index == 0 ? &no_cell : table_cell(table, row, index - 1);
}

void
table_note(struct table *table, const char *format, ...)
{
	char text[512];
	struct table_note **link = &table->notes;
	va_list list;

	va_start(list, format);
	(void)vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	while (*link != NULL)
		link = &(*link)->next;
	*link = arena_alloc(&table->arena, sizeof(**link));
	(*link)->text = arena_string(&table->arena, text);
}

void
table_fact(struct table *table, const char *key, int64_t number)
{
	struct table_fact **link = &table->facts;

	while (*link != NULL)
		link = &(*link)->next;
	*link = arena_alloc(&table->arena, sizeof(**link));
	(*link)->key = arena_string(&table->arena, key);
	(*link)->number = number;
}

void
table_show_first(struct table *table, enum column_id id)
{
	size_t index = (size_t)table_find(table, id);

	table->columns[index].wanted = true;
	table->shown = grow(table->shown,
	    (table->shown_count + 1) * sizeof(*table->shown));
	memmove(table->shown + 1, table->shown,
	    table->shown_count * sizeof(*table->shown));
	table->shown[0] = index;
	table->shown_count++;
}

void
table_order_all(struct table *table)
{
	table->order =
	    grow(table->order, table->row_count * sizeof(*table->order));
	for (size_t i = 0; i < table->row_count; i++)
		table->order[i] = i;
	table->order_count = table->row_count;
}
