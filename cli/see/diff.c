/* SPDX-License-Identifier: MIT */
/*
 * diff.c: `quire diff A B`: what changed between two captures, or a capture
 * and now. The same view is filled from both; rows are matched by their keys,
 * and one number of each is compared.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/size.h"
#include "views.h"

/* What can be compared: a view, up to two columns that name a row, and the
 * number that counts. In the order of DIFF_OF. */
static const struct comparison {
	const struct view *view;
	enum column_id keys[2];
	enum column_id number;
} comparisons[] = {
	{ &ps_comm_view, { COL_COMM, COLUMN_NONE }, COL_PSS },
	{ &ps_view, { COL_COMM, COL_PID }, COL_PSS },
	{ &ps_user_view, { COL_USER, COLUMN_NONE }, COL_PSS },
	{ &ps_map_view, { COL_MAP, COLUMN_NONE }, COL_PSS },
	{ &meminfo_view, { COL_FIELD, COLUMN_NONE }, COL_BYTES },
	{ &slab_view, { COL_SLAB, COLUMN_NONE }, COL_SLAB_RAM },
	{ &vmalloc_view, { COL_CALLER, COL_VMALLOC_KIND }, COL_VMALLOC_RAM },
	{ &shm_view, { COL_SHM_NAME, COL_SHM_ID }, COL_SHM_RSS },
};

struct side {
	struct session session;
	struct table table;
	char **keys; /* by row */
};

static bool
side_fill(struct side *side, const struct session *session, const char *name,
    const struct comparison *comparison)
{
	struct options none = *session->options;
	static char *no_operands[] = { NULL };
	bool live = strcmp(name, "live") == 0;

	side->session = *session;
	side->session.state = NULL;
	side->session.view = comparison->view;
	none.operands = no_operands;
	side->session.options = &none;
	side->session.source =
	    source_open(live ? NULL : name, &side->session.problem);
	if (side->session.source == NULL)
		return false;
	table_init(&side->table, comparison->view->columns);
	for (size_t i = 0; i < side->table.column_count; i++) {
		const struct column *column = side->table.columns[i].column;
		side->table.columns[i].wanted =
		    column == &columns[comparison->keys[0]] ||
		    column == &columns[comparison->keys[1]] ||
		    column == &columns[comparison->number];
	}
	bool good = comparison->view->fill(&side->session, &side->table);
	if (comparison->view->end != NULL)
		comparison->view->end(&side->session);
	source_close(side->session.source);
	if (!good)
		table_fini(&side->table);
	return good;
}

static void
side_keys(struct side *side, const struct comparison *comparison)
{
	struct table *table = &side->table;
	char text[TEXT_OF_CELL];

	side->keys = arena_alloc(&table->arena,
	    (table->row_count + 1) * sizeof(*side->keys));
	for (size_t row = 0; row < table->row_count; row++) {
		const struct cell *first =
		    table_get(table, row, comparison->keys[0]);
		const char *key = first->kind == CELL_TEXT ? first->text : "-";
		enum column_id second = comparison->keys[1];
		if (second == COLUMN_NONE)
			side->keys[row] = arena_string(&table->arena, key);
		else
			side->keys[row] =
			    arena_format(&table->arena, "%s (%s)", key,
				cell_plain(&columns[second],
				    table_get(table, row, second), text));
	}
}

/* Rows in the order of their keys, to be merged. */
static int
compare_rows(const void *a, const void *b, void *context)
{
	char *const *keys = context;
	return strcmp(keys[*(const size_t *)a], keys[*(const size_t *)b]);
}

static void
side_sort(struct side *side, const struct comparison *comparison)
{
	side_keys(side, comparison);
	table_order_all(&side->table);
	qsort_r(side->table.order, side->table.order_count,
	    sizeof(*side->table.order), compare_rows, side->keys);
}

static const char *
key_at(const struct side *side, size_t at)
{
	return at < side->table.order_count ? side->keys[side->table.order[at]]
					    : NULL;
}

static int64_t
number_at(const struct side *side, size_t at,
    const struct comparison *comparison)
{
	return table_get(&side->table, side->table.order[at],
	    comparison->number)
	    ->number;
}

static void
add_row(struct table *table, const char *key, int64_t before, int64_t after)
{
	if (before == after)
		return;
	size_t row = table_add_row(table);
	int64_t change = after - before;
	table_set_text(table, row, COL_DIFF_KEY, key);
	table_set(table, row, COL_BEFORE, before);
	table_set(table, row, COL_AFTER, after);
	table_set(table, row, COL_CHANGE, change);
	table_set(table, row, COL_CHANGED, change < 0 ? -change : change);
}

/* Walks both orders; equal keys that repeat are matched in turn. */
static void
merge(struct table *table, const struct side *a, const struct side *b,
    const struct comparison *comparison)
{
	size_t i = 0, j = 0;

	for (;;) {
		const char *left = key_at(a, i), *right = key_at(b, j);
		if (left == NULL && right == NULL)
			return;
		int order = left == NULL    ? 1
			    : right == NULL ? -1
					    : strcmp(left, right);
		int64_t before = order <= 0 ? number_at(a, i, comparison) : 0;
		int64_t after = order >= 0 ? number_at(b, j, comparison) : 0;
		add_row(table, order <= 0 ? left : right, before, after);
		i += order <= 0;
		j += order >= 0;
	}
}

static bool
fill_diff(struct session *session, struct table *table)
{
	char **names = session->options->operands;
	const struct comparison *comparison =
	    &comparisons[session->options->number[OPTION_DIFF_OF]];
	struct side a, b;

	if (names[0] == NULL || names[1] == NULL || names[2] != NULL) {
		problem_what(&session->problem, EXIT_USAGE,
		    "diff: two captures are wanted");
		problem_advise(&session->problem,
		    "quire diff monday.tar.zst live");
		return false;
	}
	table->columns[table_find(table, COL_CHANGED)].wanted = true;
	if (!side_fill(&a, session, names[0], comparison)) {
		session->problem = a.session.problem;
		return false;
	}
	if (!side_fill(&b, session, names[1], comparison)) {
		session->problem = b.session.problem;
		table_fini(&a.table);
		return false;
	}
	side_sort(&a, comparison);
	side_sort(&b, comparison);
	merge(table, &a, &b, comparison);
	table_note(table,
	    "%s of each row of quire %s; rows that are equal "
	    "are left out",
	    columns[comparison->number].name, comparison->view->command);
	table_fini(&a.table);
	table_fini(&b.table);
	session->may_be_empty = true;
	return true;
}

static const enum column_id diff_columns[] = { COL_DIFF_KEY, COL_BEFORE,
	COL_AFTER, COL_CHANGE, COL_CHANGED, COLUMN_NONE };

const struct view diff_view = {
	.name = "diff",
	.command = "diff",
	.columns = diff_columns,
	.preset = "before,after,change,of",
	.sort = "changed,of",
	.totals = true,
	.fill = fill_diff,
	.next = "quire diff A B --of meminfo   quire ps -S A",
};

int
diff_main(const struct options *options)
{
	return view_main(options, &diff_view);
}
