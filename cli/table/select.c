/* SPDX-License-Identifier: MIT */
/* select.c: reads lists of columns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrange.h"
#include "cli/nearest.h"

int
column_of_name(const struct table *table, const char *name, size_t length,
    struct problem *problem)
{
	char typed[64];
	struct nearest nearest;
	int index = table_find_name(table, name, length);

	if (index >= 0)
		return index;
	(void)snprintf(typed, sizeof(typed), "%.*s", (int)length, name);
	for (char *c = typed; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	nearest_init(&nearest, typed);
	for (size_t i = 0; i < table->column_count; i++)
		nearest_offer(&nearest, table->columns[i].column->name);
	problem_what(problem, EXIT_USAGE, "unknown column '%s'", typed);
	if (nearest.best != NULL)
		problem_advise(problem, "%s", nearest.best);
	else
		problem_advise(problem, "-o help");
	return -1;
}

static void
show(struct table *table, size_t index)
{
	table->columns[index].wanted = true;
	table->shown = grow(table->shown,
	    (table->shown_count + 1) * sizeof(*table->shown));
	table->shown[table->shown_count++] = index;
}

static void
hide(struct table *table, size_t index)
{
	size_t kept = 0;
	for (size_t i = 0; i < table->shown_count; i++)
		if (table->shown[i] != index)
			table->shown[kept++] = table->shown[i];
	table->shown_count = kept;
}

/* One name of the list, which may have a sign. */
static bool
take(struct table *table, const char *name, size_t length,
    struct problem *problem)
{
	char sign = '\0';
	if (*name == '+' || *name == '-') {
		sign = *name++;
		length--;
	}
	int index = column_of_name(table, name, length, problem);
	if (index < 0)
		return false;
	hide(table, (size_t)index);
	if (sign != '-')
		show(table, (size_t)index);
	return true;
}

static bool
take_list(struct table *table, const char *list, struct problem *problem)
{
	while (*list != '\0') {
		size_t length = strcspn(list, ", ");
		if (length > 0 && !take(table, list, length, problem))
			return false;
		list += length;
		list += strspn(list, ", ");
	}
	return true;
}

bool
select_columns(struct table *table, const char *list, const char *preset,
    struct problem *problem)
{
	table->shown_count = 0;
	if (strcmp(list != NULL ? list : preset, "all") == 0) {
		for (size_t i = 0; i < table->column_count; i++)
			show(table, i);
		return true;
	}
	if (list == NULL || *list == '+' || *list == '-') {
		if (!take_list(table, preset, problem))
			return false;
	}
	if (list != NULL && !take_list(table, list, problem))
		return false;
	for (size_t i = 0; i < table->column_count; i++)
		table->columns[i].wanted = false;
	for (size_t i = 0; i < table->shown_count; i++)
		table->columns[table->shown[i]].wanted = true;
	if (table->shown_count > 0)
		return true;
	problem_what(problem, EXIT_USAGE, "no columns are left to show");
	problem_advise(problem, "-o help");
	return false;
}
