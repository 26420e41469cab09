/* SPDX-License-Identifier: MIT */
/*
 * huge.c: `quire huge`: huge pages by their size: pools of hugetlbfs, which
 * are set aside, and transparent ones, which the kernel gives where it may,
 * with how often it could and how often not.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/proc/pairs.h"
#include "meminfo.h"
#include "views.h"

/* Files of a directory that are columns. */
struct known_file {
	const char *name;
	enum column_id id;
	bool is_pages; /* of the row's size */
};

static const struct known_file pool_files[] = {
	{ "nr_hugepages", COL_HUGE_TOTAL, true },
	{ "free_hugepages", COL_HUGE_FREE, true },
	{ "resv_hugepages", COL_HUGE_RESERVED, true },
	{ "surplus_hugepages", COL_HUGE_SURPLUS, true },
	{ "nr_overcommit_hugepages", COL_HUGE_OVERCOMMIT, true },
	{ NULL, COLUMN_NONE, false },
};

static const struct known_file thp_files[] = {
	{ "nr_anon", COL_HUGE_TOTAL, true },
	{ "anon_fault_alloc", COL_HUGE_FAULTS, false },
	{ "anon_fault_fallback", COL_HUGE_FALLBACK, false },
	{ "swpout", COL_HUGE_SWPOUT, false },
	{ "split", COL_HUGE_SPLIT, false },
	{ NULL, COLUMN_NONE, false },
};

/* Where the kernel keeps what it knows of huge pages: a folder for each size
 * of each kind, "hugepages-2048kB". */
static const struct huge_kind {
	const char *name;
	const char *folder;
	const char *files; /* where they stand below that of a size */
	const struct known_file *known;
} kinds[] = {
	{ "hugetlb", "sys/kernel/mm/hugepages", "", pool_files },
	{ "thp", "sys/kernel/mm/transparent_hugepage", "/stats", thp_files },
};

/* A row while it is made. */
struct huge_row {
	struct session *session;
	struct table *table;
	size_t row;
	int64_t size; /* of a page */
};

/* Sets what a file says; a number that has no column is kept under its
 * name. */
static void
set_file(const struct huge_row *of, const struct known_file *known,
    const char *name, int64_t number)
{
	while (known->name != NULL && strcmp(known->name, name) != 0)
		known++;
	if (known->name == NULL)
		table_add_unknown(of->table, of->row, name, number, false);
	else
		table_set(of->table, of->row, known->id,
		    number * (known->is_pages ? of->size : 1));
}

static void
set_files(const struct huge_row *of, const char *folder,
    const struct known_file *known)
{
	struct source *source = of->session->source;
	struct arena arena = { 0 };
	char **names;
	uint64_t number;
	int count = source_list(source, folder, &arena, &names);

	for (int i = 0; i < count; i++)
		if (source_number(source,
			arena_format(&arena, "%s/%s", folder, names[i]),
			&number) &&
		    number <= INT32_MAX)
			set_file(of, known, names[i], (int64_t)number);
	arena_fini(&arena);
}

/* "always inherit [madvise] never": the word in brackets. */
static void
set_mode(const struct huge_row *of, const char *path)
{
	char *text = session_read(of->session, path);
	char *open = strchr(text, '[');
	char *close = open != NULL ? strchr(open, ']') : NULL;

	if (close == NULL)
		return;
	*close = '\0';
	table_set_text(of->table, of->row, COL_HUGE_MODE, open + 1);
}

static void
add_sizes(struct session *session, struct table *table,
    const struct huge_kind *kind)
{
	struct arena arena = { 0 };
	char **names;
	int count = source_list(session->source, kind->folder, &arena, &names);

	for (int i = 0; i < count; i++) {
		if (strncmp(names[i], "hugepages-", 10) != 0)
			continue;
		struct huge_row of = { session, table, table_add_row(table),
			(strtoll(names[i] + 10, NULL, 10) & INT32_MAX) * 1024 };
		table_point_text(table, of.row, COL_HUGE_KIND, kind->name);
		table_set(table, of.row, COL_HUGE_SIZE, of.size);
		set_mode(&of, arena_format(&arena, "%s/%s/enabled",
				  kind->folder, names[i]));
		set_files(&of,
		    arena_format(&arena, "%s/%s%s", kind->folder, names[i],
			kind->files),
		    kind->known);
	}
	arena_fini(&arena);
}

static bool
fill_huge(struct session *session, struct table *table)
{
	struct meminfo meminfo;

	if (!meminfo_read(session, &meminfo))
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		add_sizes(session, table, &kinds[i]);
	session->may_be_empty = true;
	if (table->row_count == 0)
		table_note(table, "%s has no huge pages",
		    source_name(session->source));
	else
		table_note(table,
		    "pages of hugetlb are set aside, used or not, and no part "
		    "of rss; thp are part of it");
	return true;
}

static const enum column_id huge_columns[] = { COL_HUGE_KIND, COL_HUGE_SIZE,
	COL_HUGE_MODE, COL_HUGE_TOTAL, COL_HUGE_FREE, COL_HUGE_RESERVED,
	COL_HUGE_SURPLUS, COL_HUGE_OVERCOMMIT, COL_HUGE_FAULTS,
	COL_HUGE_FALLBACK, COL_HUGE_SWPOUT, COL_HUGE_SPLIT, COLUMN_NONE };

const struct view huge_view = {
	.name = "huge",
	.command = "huge",
	.columns = huge_columns,
	.preset = "kind,size,mode,total,free,reserved,surplus,faults,fallback,"
		  "split",
	.machine = "all",
	.narrow = "surplus,reserved,split",
	.sort = "kind,size",
	.fill = fill_huge,
	.next = "quire map PID --by address -o +anon_huge,thpeligible   "
		"quire settings -f 'setting~thp'",
};

int
huge_main(const struct options *options)
{
	return view_main(options, &huge_view);
}
