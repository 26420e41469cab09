/* SPDX-License-Identifier: MIT */
/*
 * ps.c: `quire ps`: processes by what they take of RAM, and what they are
 * summed up by. Users, names, files, control groups and trees are groups of
 * rows of processes; mappings are read one by one.
 */
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "quire_page.h"
#include "subject.h"
#include "views.h"

#define GROUP_SUMS                                                             \
	COL_N, COL_THREADS, COL_MAPS, COL_USS, COL_PSS, COL_RSS, COL_VSS,      \
	    COL_SWAP, COL_SWAPPSS, COL_EPSS, COL_PSS_DIRTY, COL_PSS_ANON,      \
	    COL_PSS_FILE, COL_PSS_SHMEM, COL_SHARED_CLEAN, COL_SHARED_DIRTY,   \
	    COL_PRIVATE_CLEAN, COL_PRIVATE_DIRTY, COL_REFERENCED,              \
	    COL_ANONYMOUS, COL_KSM, COL_LAZYFREE, COL_ANON_HUGE,               \
	    COL_SHMEM_PMD, COL_FILE_PMD, COL_SHARED_HUGETLB,                   \
	    COL_PRIVATE_HUGETLB, COL_LOCKED, COL_RSS_ANON, COL_RSS_FILE,       \
	    COL_RSS_SHMEM, COL_DATA, COL_STACK, COL_TEXT, COL_LIB, COL_PTE,    \
	    COL_PINNED, COL_HUGETLB, COL_MINFLT, COL_MAJFLT, COL_CMINFLT,      \
	    COL_CMAJFLT, COL_PROCESS_SHARED, COL_READ_BYTES, COL_WRITE_BYTES,  \
	    COL_KSM_MERGING, COL_KSM_ZERO, COL_KSM_PROFIT, COLUMN_NONE

/* What rss counts more than once, if that is worth a word. */
static void
note_sharing(struct table *table)
{
	int64_t rss = 0, pss = 0;

	for (size_t row = 0; row < table->row_count; row++) {
		const struct cell *cell = table_get(table, row, COL_PSS);
		if (cell->kind != CELL_NUMBER ||
		    table_get(table, row, COL_RSS)->kind != CELL_NUMBER)
			continue;
		pss += cell->number;
		rss += table_get(table, row, COL_RSS)->number;
	}
	if (pss > 0 && rss / 11 > pss / 10)
		table_note(table, "rss counts shared pages %lld.%lld times",
		    (long long)(rss / pss), (long long)(rss % pss * 10 / pss));
}

static bool
fill_processes(struct session *session, struct table *table)
{
	struct process_query query;

	if (!process_query_init(session, &query))
		return false;
	processes_fill(session, &query, table);
	process_query_fini(&query);
	note_sharing(table);
	return true;
}

/* --- groups --- */

/* The first column of a view of groups is its key. */
static bool
fill_groups(struct session *session, struct table *table)
{
	enum column_id key = session->view->columns[0];
	struct process_query query;
	struct table processes;

	if (!process_query_init(session, &query))
		return false;
	table_init(&processes, process_columns);
	processes.keeps_unknown = table->keeps_unknown;
	for (size_t i = 0; i < processes.column_count; i++) {
		enum column_id id =
		    (enum column_id)(processes.columns[i].column - columns);
		processes.columns[i].wanted =
		    id == key || table_wants(table, id);
	}
	processes_fill(session, &query, &processes);
	process_query_fini(&query);
	table_order_all(&processes);
	group_rows(&processes, key, table);
	for (struct table_note *note = processes.notes; note != NULL;
	     note = note->next)
		table_note(table, "%s", note->text);
	for (struct table_fact *fact = processes.facts; fact != NULL;
	     fact = fact->next)
		table_fact(table, fact->key, fact->number);
	table_fini(&processes);
	note_sharing(table);
	return true;
}

/* --- mappings --- */

/* One name's sums. */
struct mapping {
	const char *name;
	struct area_sums sums;
	int last_pid;
	int64_t pids;
	size_t row;
};

struct mappings {
	struct table *table;
	const regex_t *wanted;
	struct mapping *list;
	size_t count;
	size_t *slots; /* 1 + index, by hash */
	size_t slot_count;
	struct mapping *newest;
};

static void
rehash(struct mappings *mappings)
{
	mappings->slot_count = mappings->slot_count * 2 + 256;
	mappings->slots = grow(mappings->slots,
	    mappings->slot_count * sizeof(*mappings->slots));
	memset(mappings->slots, 0,
	    mappings->slot_count * sizeof(*mappings->slots));
	mappings->list = grow(mappings->list,
	    mappings->slot_count / 2 * sizeof(*mappings->list));
	for (size_t i = 0; i < mappings->count; i++) {
		size_t slot =
		    text_hash(mappings->list[i].name) % mappings->slot_count;
		while (mappings->slots[slot] != 0)
			slot = (slot + 1) % mappings->slot_count;
		mappings->slots[slot] = i + 1;
	}
}

static struct mapping *
find_mapping(struct mappings *mappings, const char *name)
{
	if (mappings->count * 2 >= mappings->slot_count)
		rehash(mappings);
	size_t slot = text_hash(name) % mappings->slot_count;
	for (; mappings->slots[slot] != 0;
	     slot = (slot + 1) % mappings->slot_count) {
		struct mapping *mapping =
		    &mappings->list[mappings->slots[slot] - 1];
		if (strcmp(mapping->name, name) == 0)
			return mapping;
	}
	mappings->slots[slot] = mappings->count + 1;
	struct mapping *mapping = &mappings->list[mappings->count++];
	*mapping = (struct mapping){
		.name = arena_string(&mappings->table->arena, name),
		.row = table_add_row(mappings->table),
	};
	return mapping;
}

static void
add_mapping(void *ctx, int pid, const struct smaps_area *area)
{
	struct mappings *mappings = ctx;
	const char *name = area_name(area);

	if (mappings->wanted != NULL &&
	    regexec(mappings->wanted, name, 0, NULL, 0) != 0)
		return;
	struct mapping *mapping = find_mapping(mappings, name);
	area_sums_add(&mapping->sums, area);
	area_unknown_set(area, mappings->table, mapping->row);
	mapping->pids += mapping->last_pid != pid;
	mapping->last_pid = pid;
}

static void
set_mapping(struct table *table, const struct mapping *mapping)
{
	const struct area_sums *sums = &mapping->sums;
	size_t row = mapping->row;
	struct area_sums many = *sums;

	/* Page sizes and the like are of one mapping alone. */
	many.count = 2;
	area_sums_set(&many, table, row);
	table_point_text(table, row, COL_MAP, mapping->name);
	table_set(table, row, COL_N, sums->count);
	table_set(table, row, COL_PIDS, mapping->pids);
	table_set(table, row, COL_VSS, sums->virtual_bytes);
	table_set(table, row, COL_AVGPSS,
	    sums->value[SMAPS_PSS] / mapping->pids);
	table_set(table, row, COL_AVGRSS,
	    sums->value[SMAPS_RSS] / mapping->pids);
	table_set(table, row, COL_AVGUSS,
	    (sums->value[SMAPS_PRIVATE_CLEAN] +
		sums->value[SMAPS_PRIVATE_DIRTY]) /
		mapping->pids);
}

static bool
fill_mappings(struct session *session, struct table *table)
{
	struct process_query query;
	struct mappings mappings = { .table = table };

	if (!process_query_init(session, &query))
		return false;
	mappings.wanted = query.mapping;
	processes_each_area(session, &query, table, add_mapping, &mappings);
	for (size_t i = 0; i < mappings.count; i++)
		set_mapping(table, &mappings.list[i]);
	free(mappings.list);
	free(mappings.slots);
	process_query_fini(&query);
	return true;
}

/* --- the views --- */

const struct view ps_view = {
	.name = "ps",
	.command = "ps",
	.columns = process_columns,
	.preset = "pid,user,swap,uss,pss,rss,vss,command",
	.machine = "pid,user,comm,swap,uss,pss,rss,vss,epss,command",
	.narrow = "vss,swap,user",
	.sort = "pss,rss,pid",
	.fill = fill_processes,
	.next = "quire map PID   quire ps -t --by comm   quire free",
};

#define GROUP_VIEW(symbol, word, id)                                           \
	static const enum column_id symbol##_columns[] = { id, GROUP_SUMS };   \
	const struct view ps_##symbol##_view = {                               \
		.name = "ps-" word,                                            \
		.command = "ps",                                               \
		.columns = symbol##_columns,                                   \
		.preset = word ",n,swap,uss,pss,rss,vss",                      \
		.machine = word ",n,swap,uss,pss,rss,vss,epss",                \
		.narrow = "vss,swap,n",                                        \
		.sort = "pss,rss",                                             \
		.fill = fill_groups,                                           \
		.next = "quire ps -P NAME   quire map PID",                    \
	}

GROUP_VIEW(user, "user", COL_USER);
GROUP_VIEW(comm, "comm", COL_COMM);
GROUP_VIEW(exe, "exe", COL_EXE);
GROUP_VIEW(cgroup, "cgroup", COL_CGROUP);
GROUP_VIEW(tree, "tree", COL_TREE);

static const enum column_id map_columns[] = { COL_MAP, COL_N, COL_PIDS, COL_USS,
	COL_PSS, COL_RSS, COL_VSS, COL_SWAP, COL_SWAPPSS, COL_EPSS, COL_AVGPSS,
	COL_AVGUSS, COL_AVGRSS, COL_PSS_DIRTY, COL_SHARED_CLEAN,
	COL_SHARED_DIRTY, COL_PRIVATE_CLEAN, COL_PRIVATE_DIRTY, COL_REFERENCED,
	COL_ANONYMOUS, COL_KSM, COL_LAZYFREE, COL_ANON_HUGE, COL_SHMEM_PMD,
	COL_FILE_PMD, COL_SHARED_HUGETLB, COL_PRIVATE_HUGETLB, COL_LOCKED,
	COLUMN_NONE };

const struct view ps_map_view = {
	.name = "ps-map",
	.command = "ps",
	.columns = map_columns,
	.preset = "map,n,pids,swap,uss,pss,rss,vss",
	.machine = "map,n,pids,swap,uss,pss,rss,vss,epss,avgpss",
	.narrow = "vss,swap,n",
	.sort = "pss,rss,map",
	.fill = fill_mappings,
	.next = "quire ps -M NAME   quire map PID",
};

/* --- programs on Quire --- */

struct budgeted {
	struct session *session;
	struct table *table;
};

static void
add_budgeted(void *ctx, int pid, const struct quire_page *quire)
{
	struct budgeted *budgeted = ctx;
	struct table *table = budgeted->table;
	size_t row = table_add_row(table);

	table_set(table, row, COL_PID, pid);
	table_point_text(table, row, COL_COMM,
	    subject_name(budgeted->session, &table->arena, pid));
	quire_page_set(quire, table, row);
}

static bool
fill_budgeted(struct session *session, struct table *table)
{
	struct budgeted budgeted = { session, table };

	session->may_be_empty = true;
	quire_pages_each(session, add_budgeted, &budgeted);
	if (table->row_count == 0)
		table_note(table, "no program that may be looked at runs in a "
				  "budget: quire run -m 256M -- COMMAND");
	return true;
}

static const enum column_id budgeted_columns[] = { COL_PID, COL_COMM,
	COL_BUDGET, COL_BUDGET_USED, COL_CREDIT, COL_MANAGED_RAM, COL_UNMANAGED,
	COL_POOL, COL_HELD, COL_Q_STORED, COL_Q_COMPRESSED, COL_Q_RATIO,
	COL_ON_DISK, COL_FIRST_TOUCH, COL_FROM_POOL, COL_FROM_DISK,
	COLUMN_NONE };

const struct view ps_quire_view = {
	.name = "ps-quire",
	.command = "ps",
	.columns = budgeted_columns,
	.preset = "pid,budget,budget_used,held,resident,pool,stored,ratio,"
		  "on_disk,comm",
	.machine = "all",
	.narrow = "budget_used,pool,on_disk",
	.sort = "held,pid",
	.fill = fill_budgeted,
	.next = "quire map PID   quire free   quire last",
};

int
ps_main(const struct options *options)
{
	/* In the order of PS_GROUPS. */
	static const struct view *const by[] = { &ps_view, &ps_user_view,
		&ps_map_view, &ps_comm_view, &ps_exe_view, &ps_cgroup_view,
		&ps_tree_view };

	if (options->text[OPTION_ON_QUIRE] != NULL)
		return view_main(options, &ps_quire_view);
	return view_main(options, by[options->number[OPTION_BY]]);
}
