/* SPDX-License-Identifier: MIT */
/*
 * cgroups.c: `quire cgroups`: every control group and what it has of memory,
 * with its limits and how often it ran into them. A group's numbers hold those
 * of the groups below it, so they do not add up to a total. Versions 1 and 2
 * name the same things differently; the table below knows both.
 */
#include <stdlib.h>
#include <string.h>

#include "cgroup_tree.h"
#include "cli/proc/pairs.h"
#include "pressure.h"
#include "views.h"

/* Where a column comes from: a file with one number, or a key in a file. */
struct origin_of {
	const char *file;
	const char *key; /* NULL: the file is the number */
};

static const struct figure {
	enum column_id id;
	struct origin_of by_version[2]; /* 1, 2; no file: it has none */
} figures[] = {
	{ COL_GROUP_USED,
	    { { "memory.usage_in_bytes", NULL }, { "memory.current", NULL } } },
	{ COL_GROUP_PEAK, { { "memory.max_usage_in_bytes", NULL },
			      { "memory.peak", NULL } } },
	{ COL_GROUP_MIN, { { NULL, NULL }, { "memory.min", NULL } } },
	{ COL_GROUP_LOW, { { "memory.soft_limit_in_bytes", NULL },
			     { "memory.low", NULL } } },
	{ COL_GROUP_HIGH, { { NULL, NULL }, { "memory.high", NULL } } },
	{ COL_GROUP_MAX,
	    { { "memory.limit_in_bytes", NULL }, { "memory.max", NULL } } },
	{ COL_GROUP_KERNEL, { { "memory.kmem.usage_in_bytes", NULL },
				{ "memory.stat", "kernel" } } },
	{ COL_GROUP_SWAP, { { "memory.stat", "total_swap" },
			      { "memory.swap.current", NULL } } },
	{ COL_GROUP_SWAP_MAX, { { "memory.memsw.limit_in_bytes", NULL },
				  { "memory.swap.max", NULL } } },
	{ COL_GROUP_ZSWAP,
	    { { NULL, NULL }, { "memory.zswap.current", NULL } } },
	{ COL_GROUP_ZSWAPPED,
	    { { NULL, NULL }, { "memory.stat", "zswapped" } } },
	{ COL_GROUP_ANON,
	    { { "memory.stat", "total_rss" }, { "memory.stat", "anon" } } },
	{ COL_GROUP_FILE,
	    { { "memory.stat", "total_cache" }, { "memory.stat", "file" } } },
	{ COL_GROUP_SHMEM,
	    { { "memory.stat", "total_shmem" }, { "memory.stat", "shmem" } } },
	{ COL_GROUP_MAPPED, { { "memory.stat", "total_mapped_file" },
				{ "memory.stat", "file_mapped" } } },
	{ COL_GROUP_DIRTY, { { "memory.stat", "total_dirty" },
			       { "memory.stat", "file_dirty" } } },
	{ COL_GROUP_SLAB, { { NULL, NULL }, { "memory.stat", "slab" } } },
	{ COL_GROUP_SOCK, { { "memory.kmem.tcp.usage_in_bytes", NULL },
			      { "memory.stat", "sock" } } },
	{ COL_GROUP_MAJFLT, { { "memory.stat", "total_pgmajfault" },
				{ "memory.stat", "pgmajfault" } } },
	{ COL_GROUP_REFAULTS,
	    { { "memory.stat", "total_workingset_refault_file" },
		{ "memory.stat", "workingset_refault_file" } } },
	{ COL_GROUP_AT_HIGH, { { NULL, NULL }, { "memory.events", "high" } } },
	{ COL_GROUP_AT_MAX,
	    { { "memory.failcnt", NULL }, { "memory.events", "max" } } },
	{ COL_GROUP_OOM_KILLS, { { "memory.oom_control", "oom_kill" },
				   { "memory.events", "oom_kill" } } },
};

#define FIGURE_COUNT (sizeof(figures) / sizeof(figures[0]))

const char *const *
cgroups_files(int version)
{
	static const char *files[FIGURE_COUNT + 3];
	size_t count = 0;

	for (size_t i = 0; i < FIGURE_COUNT; i++) {
		const char *file = figures[i].by_version[version - 1].file;
		size_t at = 0;
		while (
		    file != NULL && at < count && strcmp(files[at], file) != 0)
			at++;
		if (file != NULL && at == count)
			files[count++] = file;
	}
	files[count++] = "memory.pressure";
	files[count++] = "cgroup.procs";
	files[count] = NULL;
	return files;
}

struct groups {
	struct session *session;
	struct cgroup_tree tree;
	struct table *table;
	size_t row;
	const char
	    *file; /* whose text was read last; NULL: none of the group */
	const char *text;
};

/* The number that stands in a text, or behind a key at the start of a line;
 * false: there is none, or it says max. */
static bool
number_in(const char *text, const char *key, int64_t *number)
{
	size_t length = key != NULL ? strlen(key) : 0;

	while (key != NULL &&
	       (strncmp(text, key, length) != 0 || text[length] != ' ')) {
		text += strcspn(text, "\n");
		if (*text++ == '\0')
			return false;
	}
	text += key != NULL ? length + 1 : 0;
	if (*text < '0' || *text > '9')
		return false;
	*number = number_next(&text);
	return true;
}

static void
set_figure(struct groups *groups, const struct figure *figure,
    const char *group)
{
	const struct origin_of *from =
	    &figure->by_version[groups->tree.version - 1];
	int64_t number;

	if (from->file == NULL || !table_wants(groups->table, figure->id))
		return;
	if (groups->file == NULL || strcmp(groups->file, from->file) != 0)
		groups->text = session_read(groups->session,
		    cgroup_tree_path(&groups->tree, group, from->file));
	groups->file = from->file;
	if (number_in(groups->text, from->key, &number) &&
	    number < CGROUP_UNLIMITED)
		table_set(groups->table, groups->row, figure->id, number);
}

static void
set_pressure(struct groups *groups, const char *group)
{
	static const struct {
		const char *kind;
		enum column_id id;
	} kinds[] = {
		{ "some", COL_GROUP_SOME },
		{ "full", COL_GROUP_FULL },
	};
	int64_t share;

	if (!table_wants_source(groups->table, "memory.pressure"))
		return;
	const char *text = session_read(groups->session,
	    cgroup_tree_path(&groups->tree, group, "memory.pressure"));
	for (size_t i = 0; i < 2; i++)
		if (pressure_share(text, kinds[i].kind, "avg10", &share))
			table_set(groups->table, groups->row, kinds[i].id,
			    share);
}

static void
count_processes(struct groups *groups, const char *group)
{
	int64_t count = 0;

	if (!table_wants(groups->table, COL_GROUP_PROCESSES))
		return;
	char *text = session_read(groups->session,
	    cgroup_tree_path(&groups->tree, group, "cgroup.procs"));
	while (line_next(&text) != NULL)
		count++;
	table_set(groups->table, groups->row, COL_GROUP_PROCESSES, count);
}

static void
set_share(struct table *table, size_t row)
{
	const struct cell *used = table_get(table, row, COL_GROUP_USED);
	const struct cell *max = table_get(table, row, COL_GROUP_MAX);

	if (used->kind == CELL_NUMBER && max->kind == CELL_NUMBER &&
	    max->number > 0)
		table_set(table, row, COL_SHARE,
		    (int64_t)((double)used->number * 10000.0 /
			      (double)max->number));
}

static bool
fill_groups(struct session *session, struct table *table)
{
	struct groups groups = { .session = session, .table = table };

	if (!cgroup_tree_open(session, &groups.tree)) {
		problem_what(&session->problem, EXIT_FAILED,
		    "no control groups are to be seen");
		problem_why(&session->problem, "%s has none of memory mounted",
		    source_name(session->source));
		return false;
	}
	if (table_wants(table, COL_SHARE)) {
		table->columns[table_find(table, COL_GROUP_USED)].wanted = true;
		table->columns[table_find(table, COL_GROUP_MAX)].wanted = true;
	}
	cgroup_tree_list(session, &groups.tree);
	for (size_t i = 0; i < groups.tree.count; i++) {
		const char *group = groups.tree.groups[i];
		groups.row = table_add_row(table);
		groups.file = NULL;
		table_set_text(table, groups.row, COL_CGROUP, group);
		for (size_t j = 0; j < FIGURE_COUNT; j++)
			set_figure(&groups, &figures[j], group);
		count_processes(&groups, group);
		set_pressure(&groups, group);
		set_share(table, groups.row);
	}
	table_note(table,
	    "version %d; a group's numbers hold those of the groups below it",
	    groups.tree.version);
	cgroup_tree_close(&groups.tree);
	return true;
}

static const enum column_id groups_columns[] = { COL_CGROUP,
	COL_GROUP_PROCESSES, COL_GROUP_USED, COL_SHARE, COL_GROUP_PEAK,
	COL_GROUP_MIN, COL_GROUP_LOW, COL_GROUP_HIGH, COL_GROUP_MAX,
	COL_GROUP_ANON, COL_GROUP_FILE, COL_GROUP_SHMEM, COL_GROUP_MAPPED,
	COL_GROUP_DIRTY, COL_GROUP_KERNEL, COL_GROUP_SLAB, COL_GROUP_SOCK,
	COL_GROUP_SWAP, COL_GROUP_SWAP_MAX, COL_GROUP_ZSWAP, COL_GROUP_ZSWAPPED,
	COL_GROUP_MAJFLT, COL_GROUP_REFAULTS, COL_GROUP_AT_HIGH,
	COL_GROUP_AT_MAX, COL_GROUP_OOM_KILLS, COL_GROUP_SOME, COL_GROUP_FULL,
	COLUMN_NONE };

const struct view cgroups_view = {
	.name = "cgroups",
	.command = "cgroups",
	.columns = groups_columns,
	.preset = "used,max,share,anon,file,kernel,swap,at_max,procs,cgroup",
	.machine = "all",
	.narrow = "kernel,swap,at_max,share,procs",
	.sort = "used,-cgroup",
	.fill = fill_groups,
	.next = "quire cgroups GROUP|PID   quire ps --by cgroup   quire limits",
};

int
cgroups_main(const struct options *options)
{
	return view_main(options,
	    options->operands[0] != NULL ? &cgroup_fields_view : &cgroups_view);
}
