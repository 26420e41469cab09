/* SPDX-License-Identifier: MIT */
/*
 * vmalloc.c: `quire vmalloc`: what the kernel maps for itself, summed up by
 * who asked for it, or range by range.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/proc/pairs.h"
#include "cli/table/arrange.h"
#include "views.h"

static const enum column_id vmalloc_columns[] = { COL_CALLER, COL_VMALLOC_KIND,
	COL_N, COL_VIRTUAL, COL_VMALLOC_RAM, COLUMN_NONE };
static const enum column_id range_columns[] = { COL_RANGE, COL_CALLER,
	COL_VMALLOC_KIND, COL_VIRTUAL, COL_VMALLOC_RAM, COL_RANGE_NODES,
	COLUMN_NONE };

/* "start-end size caller [pages=N] kind [N0=n] ...": a row. The key is who
 * and which kind, where rows are to be summed up. */
static void
add_range(struct table *table, char *line, bool is_key)
{
	static const char *const kinds[] = { "vmalloc", "ioremap", "vmap",
		"user", "dma-coherent", "vpages" };
	char *range = word_next(&line);
	char *size = range != NULL ? word_next(&line) : NULL;
	const char *caller = "-", *kind = "other";
	int64_t pages = 0;
	bool is_first = true;
	struct buffer nodes = { 0 };
	char *word;

	if (size == NULL || *size < '0' || *size > '9')
		return;
	for (; (word = word_next(&line)) != NULL; is_first = false) {
		if (strncmp(word, "pages=", 6) == 0) {
			pages = strtoll(word + 6, NULL, 10);
			continue;
		}
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			if (strcmp(word, kinds[i]) == 0)
				kind = kinds[i];
		if (word[0] == 'N' && word[1] >= '0' && word[1] <= '9')
			buffer_printf(&nodes, "%s%s",
			    nodes.length > 0 ? " " : "", word);
		if (is_first && strchr(word, '+') != NULL) {
			word[strcspn(word, "+")] = '\0';
			caller = word;
		}
	}
	size_t row = table_add_row(table);
	if (is_key)
		caller = arena_format(&table->arena, "%s %s", caller, kind);
	table_set_text(table, row, COL_CALLER, caller);
	table_set_text(table, row, COL_RANGE, range);
	table_set_text(table, row, COL_VMALLOC_KIND, kind);
	if (nodes.length > 0)
		table_set_text(table, row, COL_RANGE_NODES, nodes.text);
	buffer_fini(&nodes);
	table_set(table, row, COL_VIRTUAL, strtoll(size, NULL, 10));
	if (pages >= 0 && pages <= INT64_MAX >> 12)
		table_set(table, row, COL_VMALLOC_RAM,
		    pages * (int64_t)QR_PAGE_SIZE);
}

static bool
has_rows(struct session *session, const struct table *table)
{
	if (table->row_count > 0)
		return true;
	problem_what(&session->problem, EXIT_FAILED, "cannot read vmallocinfo");
	problem_why(&session->problem, "it takes root, or %s has none",
	    source_is_live(session->source) ? "the kernel"
					    : source_name(session->source));
	return false;
}

static bool
fill_ranges(struct session *session, struct table *table)
{
	char *line;
	char *text = session_read(session, "proc/vmallocinfo");

	while ((line = line_next(&text)) != NULL)
		add_range(table, line, false);
	return has_rows(session, table);
}

static bool
fill_vmalloc(struct session *session, struct table *table)
{
	struct table ranges;
	char *line;
	char *text = session_read(session, "proc/vmallocinfo");

	table_init(&ranges, vmalloc_columns);
	for (size_t i = 0; i < ranges.column_count; i++)
		ranges.columns[i].wanted = true;
	while ((line = line_next(&text)) != NULL)
		add_range(&ranges, line, true);
	table_order_all(&ranges);
	group_rows(&ranges, COL_CALLER, table);
	table_fini(&ranges);
	/* The key was both: who and which kind. */
	for (size_t row = 0; row < table->row_count; row++) {
		char *both = arena_string(&table->arena,
		    table_get(table, row, COL_CALLER)->text);
		char *blank = strrchr(both, ' ');
		*blank = '\0';
		table_point_text(table, row, COL_CALLER, both);
		table_point_text(table, row, COL_VMALLOC_KIND, blank + 1);
	}
	return has_rows(session, table);
}

const struct view vmalloc_view = {
	.name = "vmalloc",
	.command = "vmalloc",
	.columns = vmalloc_columns,
	.preset = "caller,kind,n,virtual,ram",
	.sort = "ram,virtual,caller",
	.totals = true,
	.fill = fill_vmalloc,
	.next = "quire slab   quire meminfo -f 'field~Vmalloc'",
};

const struct view vmalloc_range_view = {
	.name = "vmalloc-range",
	.command = "vmalloc",
	.columns = range_columns,
	.preset = "caller,kind,virtual,ram,nodes,range",
	.narrow = "nodes,kind",
	.sort = "ram,virtual,caller",
	.totals = true,
	.fill = fill_ranges,
	.next = "quire vmalloc   quire slab",
};

int
vmalloc_main(const struct options *options)
{
	return view_main(options, options->number[OPTION_VMALLOC_BY] == 0
				      ? &vmalloc_view
				      : &vmalloc_range_view);
}
