/* SPDX-License-Identifier: MIT */
/*
 * free.c: `quire free`: where RAM is, in parts that add up; the limit of the
 * control group first, where there is one, then RAM, then swap. And what
 * other tools mean by "used", with --formula.
 */
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "cli/size.h"
#include "meminfo.h"
#include "quire_page.h"
#include "views.h"

static void
add_ram(struct table *table, const struct meminfo *m)
{
	size_t row = table_add_row(table);

	table_point_text(table, row, COL_OF, "ram");
	table_set(table, row, COL_SIZE, m->total);
	table_set(table, row, COL_USED, m->total - m->free - m->files);
	if (m->available > 0) {
		table_set(table, row, COL_USED, m->total - m->available);
		table_set(table, row, COL_AVAILABLE, m->available);
	}
	table_set(table, row, COL_PROGRAMS, m->anon);
	table_set(table, row, COL_SHARED, m->shmem);
	table_set(table, row, COL_FILES, m->files);
	table_set(table, row, COL_HUGE, m->hugetlb);
	table_set(table, row, COL_KERNEL, m->kernel);
	table_set(table, row, COL_UNACCOUNTED, m->unaccounted);
	table_set(table, row, COL_FREE, m->free);
	table_set(table, row, COL_BUFFERS, m->buffers);
	table_set(table, row, COL_CACHE, m->cached + m->sreclaimable);
	table_set(table, row, COL_BUFF_CACHE,
	    m->buffers + m->cached + m->sreclaimable);
}

static void
add_swap(struct table *table, const struct meminfo *m)
{
	size_t row = table_add_row(table);

	table_point_text(table, row, COL_OF, "swap");
	table_set(table, row, COL_SIZE, m->swap_total);
	table_set(table, row, COL_USED, m->swap_total - m->swap_free);
	table_set(table, row, COL_FREE, m->swap_free);
}

static void
add_limit(struct session *session, struct table *table)
{
	struct cgroup group;

	if (!cgroup_read(session, &group) || group.limit == 0)
		return;
	size_t row = table_add_row(table);
	table_point_text(table, row, COL_OF, "limit");
	table_set(table, row, COL_SIZE, group.limit);
	table_set(table, row, COL_USED, group.usage);
	table_set(table, row, COL_PROGRAMS, group.anon);
	table_set(table, row, COL_SHARED, group.shmem);
	table_set(table, row, COL_FILES, group.file - group.shmem);
	table_set(table, row, COL_KERNEL, group.kernel);
	table_set(table, row, COL_UNACCOUNTED,
	    group.usage - group.anon - group.file - group.kernel);
	table_set(table, row, COL_FREE, group.limit - group.usage);
	table_note(table, "limit is that of the control group %s, version %d",
	    group.path, group.version);
}

/* Budgets of quire run: one for each tree of processes. */
struct budgets {
	struct table *table;
	uint64_t trees[64]; /* that have a row */
	size_t count;
};

static void
add_budget(void *ctx, int pid, const struct quire_page *quire)
{
	struct budgets *budgets = ctx;
	struct table *table = budgets->table;
	int64_t budget = (int64_t)(quire->page.budget_pages * QR_PAGE_SIZE);
	int64_t used = (int64_t)(quire->page.used_pages * QR_PAGE_SIZE);

	for (size_t i = 0; i < budgets->count; i++)
		if (budgets->trees[i] == quire->tree)
			return;
	if (budgets->count == 64 || budget <= 0)
		return;
	budgets->trees[budgets->count++] = quire->tree;
	size_t row = table_add_row(table);
	table_point_text(table, row, COL_OF,
	    arena_format(&table->arena, "quire %d", pid));
	table_set(table, row, COL_SIZE, budget);
	table_set(table, row, COL_USED, used);
	table_set(table, row, COL_PROGRAMS, used);
	table_set(table, row, COL_FREE, budget - used);
}

/* free -t: RAM and swap together. */
static void
add_total(struct table *table, const struct meminfo *m)
{
	size_t row = table_add_row(table);
	int64_t ram_used = m->total - m->available;

	table_point_text(table, row, COL_OF, "total");
	table_set(table, row, COL_SIZE, m->total + m->swap_total);
	table_set(table, row, COL_USED,
	    ram_used + m->swap_total - m->swap_free);
	table_set(table, row, COL_FREE, m->free + m->swap_free);
}

/* The rows of free(1). */
static bool
fill_like_free(struct session *session, struct table *table)
{
	struct meminfo meminfo;

	if (!meminfo_read(session, &meminfo))
		return false;
	add_ram(table, &meminfo);
	add_swap(table, &meminfo);
	if (session_has(session, OPTION_TOTALS))
		add_total(table, &meminfo);
	return true;
}

static bool
fill_free(struct session *session, struct table *table)
{
	struct meminfo meminfo;

	if (!meminfo_read(session, &meminfo))
		return false;
	add_limit(session, table);
	add_ram(table, &meminfo);
	add_swap(table, &meminfo);
	struct budgets budgets = { .table = table };
	quire_pages_each(session, add_budget, &budgets);
	if (budgets.count > 0)
		table_note(table, "budgets of quire run are part of ram; "
				  "quire ps --quire shows their processes");
	if (meminfo.unaccounted < 0)
		table_note(table, "unaccounted is below zero: the kernel "
				  "counts some pages twice");
	return true;
}

/* --- the screen: a bar and the parts of each --- */

static const struct {
	enum column_id id;
	char ascii;
} parts[] = {
	{ COL_PROGRAMS, '#' },
	{ COL_SHARED, 's' },
	{ COL_FILES, '=' },
	{ COL_HUGE, 'h' },
	{ COL_KERNEL, 'k' },
	{ COL_UNACCOUNTED, '?' },
	{ COL_FREE, '.' },
};

#define PART_COUNT (sizeof(parts) / sizeof(parts[0]))

static int64_t
number_of(const struct table *table, size_t row, enum column_id id)
{
	return table_get(table, row, id)->number;
}

static void
put_bar(const struct session *session, const struct table *table, size_t row)
{
	static const char *const blocks[] = { "█", "▓", "▒", "▞", "▚", "?",
		"░" };
	const struct term *term = &session->term;
	int64_t total = number_of(table, row, COL_SIZE);
	int64_t width = term->width < 70 ? 20 : term->width < 100 ? 40 : 60;
	int64_t sum = 0, drawn = 0;

	for (size_t i = 0; i < PART_COUNT && total > 0; i++) {
		int64_t part = number_of(table, row, parts[i].id);
		sum += part > 0 ? part : 0;
		int64_t until =
		    (int64_t)((double)sum / (double)total * (double)width +
			      0.5);
		for (; drawn < until && drawn < width; drawn++)
			if (term->utf8)
				fputs(blocks[i], stdout);
			else
				fputc(parts[i].ascii, stdout);
	}
}

static void
put_parts(const struct session *session, const struct table *table, size_t row)
{
	static const char *const blocks[] = { "█", "▓", "▒", "▞", "▚", "?",
		"░" };
	const struct term *term = &session->term;
	const struct style_of_table style = view_style(session);
	double total = (double)number_of(table, row, COL_SIZE);
	char text[TEXT_OF_CELL];

	for (size_t i = 0; i < PART_COUNT; i++) {
		const struct cell *cell = table_get(table, row, parts[i].id);
		const struct column *column = &columns[parts[i].id];
		char mark[] = { parts[i].ascii, '\0' };
		if (cell->kind == CELL_NONE || cell->number == 0)
			continue;
		printf("  %s %-11s %8s %5.1f%%  ",
		    term->utf8 ? blocks[i] : mark, column->name,
		    cell_text(column, cell, &style, text),
		    100.0 * (double)cell->number / total);
		term_wrap(term, column->meaning, 33, 33);
	}
}

static void
screen_free(struct session *session, struct table *table)
{
	const struct style_of_table style = view_style(session);
	const struct term *term = &session->term;
	char text[TEXT_OF_CELL], used[TEXT_OF_CELL], available[TEXT_OF_CELL];

	for (size_t i = 0; i < table->order_count; i++) {
		size_t row = table->order[i];
		const char *of = table_get(table, row, COL_OF)->text;
		printf("%s%-10s%s %8s  ", term_style(term, STYLE_STRONG), of,
		    term_style(term, STYLE_PLAIN),
		    cell_text(&columns[COL_SIZE],
			table_get(table, row, COL_SIZE), &style, text));
		if (number_of(table, row, COL_SIZE) == 0) {
			printf("none\n");
			continue;
		}
		put_bar(session, table, row);
		printf("  %s used",
		    cell_text(&columns[COL_USED],
			table_get(table, row, COL_USED), &style, used));
		if (table_get(table, row, COL_AVAILABLE)->kind != CELL_NONE)
			printf(", %s available",
			    cell_text(&columns[COL_AVAILABLE],
				table_get(table, row, COL_AVAILABLE), &style,
				available));
		putchar('\n');
		put_parts(session, table, row);
	}
}

/* --- --formula --- */

static void
add_formula(struct table *table, const char *tool, int64_t used,
    const char *formula)
{
	size_t row = table_add_row(table);
	table_point_text(table, row, COL_TOOL, tool);
	table_set(table, row, COL_USED, used);
	table_point_text(table, row, COL_FORMULA, formula);
}

static bool
fill_formula(struct session *session, struct table *table)
{
	struct meminfo m;

	if (!meminfo_read(session, &m))
		return false;
	add_formula(table, "quire, free 4", m.total - m.available,
	    "MemTotal - MemAvailable");
	add_formula(table, "free 3",
	    m.total - m.free - m.buffers - m.cached - m.sreclaimable,
	    "MemTotal - MemFree - Buffers - Cached - SReclaimable");
	add_formula(table, "free 2", m.total - m.free, "MemTotal - MemFree");
	add_formula(table, "htop",
	    m.total - m.free - m.buffers - m.cached - m.sreclaimable + m.shmem,
	    "MemTotal - MemFree - Buffers - Cached - SReclaimable + Shmem");
	add_formula(table, "smem", m.total - m.free - m.buffers - m.cached,
	    "MemTotal - MemFree - Buffers - Cached");
	add_formula(table, "parts", m.anon + m.shmem + m.hugetlb + m.kernel,
	    "AnonPages + Shmem + Hugetlb + kernel's parts");
	return true;
}

static const enum column_id free_columns[] = { COL_OF, COL_SIZE, COL_USED,
	COL_PROGRAMS, COL_SHARED, COL_FILES, COL_HUGE, COL_KERNEL,
	COL_UNACCOUNTED, COL_FREE, COL_BUFFERS, COL_CACHE, COL_BUFF_CACHE,
	COL_AVAILABLE, COLUMN_NONE };

static const enum column_id formula_columns[] = { COL_TOOL, COL_USED,
	COL_FORMULA, COLUMN_NONE };

const struct view free_view = {
	.name = "free",
	.command = "free",
	.columns = free_columns,
	.preset = "of,total,used,programs,shared,files,huge,kernel,"
		  "unaccounted,free,available",
	.sort = "",
	.fill = fill_free,
	.screen = screen_free,
	.next = "quire ps -t   quire meminfo   quire free --formula",
};

/* A table on a screen, too. */
const struct view free_free_view = {
	.name = "free-free",
	.command = "free",
	.columns = free_columns,
	.preset = "of,total,used,free,shared,buffers,cache,available",
	.narrow = "buffers",
	.sort = "",
	.fill = fill_like_free,
	.next = "quire free   quire free --formula",
};

const struct view formula_view = {
	.name = "free-formula",
	.command = "free",
	.columns = formula_columns,
	.preset = "tool,used,formula",
	.sort = "",
	.fill = fill_formula,
	.next = "quire help used   quire meminfo",
};

int
free_main(const struct options *options)
{
	/* In the order of FREE_LIKES. */
	static const struct view *const likes[] = { &free_free_view,
		&areas_view };

	if (options->text[OPTION_FREE_LIKE] != NULL)
		return view_main(options,
		    likes[options->number[OPTION_FREE_LIKE]]);
	return view_main(options,
	    options->text[OPTION_FORMULA] != NULL ? &formula_view : &free_view);
}
