/* SPDX-License-Identifier: MIT */
/*
 * map.c: `quire map PID`: the mappings of a process, summed up by what they
 * are for, by name, or each at its address; with the columns of pmap's modes
 * and of smem as presets. What the sums differ by from what the kernel says
 * of the whole process is said below. Keeps [see.2].
 */
#include <stdlib.h>
#include <string.h>

#include "cli/proc/pairs.h"
#include "cli/size.h"
#include "map.h"
#include "process.h"
#include "quire_page.h"
#include "subject.h"
#include "views.h"

/* Kinds in the order in which ties are shown. */
enum kind {
	KIND_HEAP,
	KIND_ANONYMOUS,
	KIND_STACK,
	KIND_DATA,
	KIND_CODE,
	KIND_FILE,
	KIND_SHARED,
	KIND_RESERVED,
	KIND_KERNEL,
	KIND_COUNT,
};

static const char *const kind_names[KIND_COUNT] = { "heap", "anonymous",
	"stack", "data", "code", "file", "shared", "reserved", "kernel" };

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Whether VmFlags has a code of two letters. */
static bool
has_flag(const struct smaps_area *area, const char *code)
{
	for (const char *at = area->flags; *at != '\0'; at++) {
		if (at[0] == code[0] && at[1] == code[1])
			return true;
		at += strcspn(at, " ");
		if (*at == '\0')
			return false;
	}
	return false;
}

static bool
is_shared_object(const struct smaps_area *area)
{
	return begins(area->name, "/dev/shm/") || begins(area->name, "/SYSV") ||
	       begins(area->name, "/memfd:") ||
	       begins(area->name, "/dev/zero") ||
	       begins(area->name, "[anon_shmem:") || area->perms[3] == 's';
}

static enum kind
kind_of(const struct smaps_area *area)
{
	const char *name = area->name;
	bool writable = area->perms[1] == 'w';

	if (begins(name, "[heap]"))
		return KIND_HEAP;
	if (begins(name, "[stack") || has_flag(area, "gd"))
		return KIND_STACK;
	if (begins(name, "[v") || begins(name, "[uprobes]"))
		return KIND_KERNEL;
	if (is_shared_object(area))
		return KIND_SHARED;
	if (name[0] == '/')
		return area->perms[2] == 'x' ? KIND_CODE
		       : writable            ? KIND_DATA
					     : KIND_FILE;
	if (begins(area->perms, "---") && area->value[SMAPS_RSS] == 0 &&
	    area->value[SMAPS_SWAP] == 0)
		return KIND_RESERVED;
	return area->inode != 0 ? KIND_FILE : KIND_ANONYMOUS;
}

const char *
map_kind(const struct smaps_area *area)
{
	return kind_names[kind_of(area)];
}

/* --- reading --- */

struct maps {
	struct session *session;
	struct table *table; /* of the rows */
	struct table *notes; /* where the talk goes */
	int pid;
	const char *whose; /* "4121: " before a note, where there are several */
	struct area_sums kinds[KIND_COUNT]; /* of all processes */
	/* Of the current one: */
	size_t first_row;
	struct area_sums all;
	int64_t charged_gap; /* listed, and not charged to the process */
	int64_t writable_private, shared; /* addresses, as pmap -d sums them */
};

/* The vsyscall page is listed in every process, and belongs to none. */
static void
count_area(struct maps *maps, const struct smaps_area *area)
{
	int64_t size = (int64_t)(area->end - area->start);

	area_sums_add(&maps->all, area);
	if (begins(area->name, "[vsyscall]"))
		maps->charged_gap += size;
	if (area->perms[3] == 's')
		maps->shared += size;
	else if (area->perms[1] == 'w')
		maps->writable_private += size;
}

static bool
read_process(struct maps *maps, const char *word,
    void (*visit)(void *ctx, const struct smaps_area *area))
{
	char path[64];

	if (!subject_find_word(maps->session, word, &maps->pid))
		return false;
	maps->first_row = maps->table->row_count;
	maps->all = (struct area_sums){ .count = 0 };
	maps->charged_gap = maps->writable_private = maps->shared = 0;
	(void)snprintf(path, sizeof(path), "proc/%d/smaps", maps->pid);
	int error = smaps_read(maps->session->source, path, visit, maps);
	if (error != 0)
		return subject_unreadable(maps->session, maps->pid, error);
	return true;
}

/* Reads each process that an operand names; finish is called after each. */
static bool
read_processes(struct maps *maps,
    void (*visit)(void *ctx, const struct smaps_area *area),
    void (*finish)(struct maps *maps))
{
	char **words = maps->session->options->operands;
	bool several = words[0] != NULL && words[1] != NULL;

	if (words[0] == NULL)
		return subject_find(maps->session, &maps->pid);
	for (; *words != NULL; words++) {
		const struct problem *problem = &maps->session->problem;
		if (!read_process(maps, *words, visit)) {
			if (!several)
				return false;
			maps->session->is_partial = true;
			table_note(maps->notes, "%s: %s", problem->what,
			    problem->why);
			continue;
		}
		maps->whose = several ? arena_format(&maps->notes->arena,
					    "%d: ", maps->pid)
				      : "";
		finish(maps);
	}
	maps->session->may_be_empty = true;
	return true;
}

static void
note_difference(const struct maps *maps, const char *what, int64_t sum,
    int64_t whole)
{
	char text[SIZE_TEXT_MAX];
	int64_t more = whole - sum;

	if (more != 0)
		table_note(maps->notes, "%s%s of the whole process is %s %s",
		    maps->whose, what,
		    size_format((uint64_t)(more < 0 ? -more : more), text),
		    more < 0 ? "less" : "more");
}

static void
take_whole(void *ctx, const struct smaps_area *area)
{
	area_sums_add(ctx, area);
}

static void
compare_size(const struct maps *maps)
{
	struct pair pair;
	char path[64];
	int64_t size = -1;

	(void)snprintf(path, sizeof(path), "proc/%d/status", maps->pid);
	char *text = session_read(maps->session, path);
	while (pair_next(&text, &pair))
		if (strcmp(pair.key, "VmSize") == 0)
			size = pair.number;
	if (size >= 0 && size + maps->charged_gap == maps->all.virtual_bytes &&
	    maps->charged_gap > 0)
		table_note(maps->notes,
		    "%sVmSize is %lld K less: the vsyscall page is listed, "
		    "not charged",
		    maps->whose, (long long)maps->charged_gap / 1024);
	else if (size >= 0)
		note_difference(maps, "VmSize", maps->all.virtual_bytes, size);
}

/* Compares the sums with what the kernel says of the whole. */
static void
reconcile(struct maps *maps)
{
	struct area_sums whole = { .count = 0 };
	char path[64];

	compare_size(maps);
	(void)snprintf(path, sizeof(path), "proc/%d/smaps_rollup", maps->pid);
	if (smaps_read(maps->session->source, path, take_whole, &whole) != 0 ||
	    whole.count == 0)
		return;
	note_difference(maps, "rss", maps->all.value[SMAPS_RSS],
	    whole.value[SMAPS_RSS]);
	/* The kernel rounds the share of each mapping down to a KiB. */
	int64_t pss = whole.value[SMAPS_PSS] - maps->all.value[SMAPS_PSS];
	if (pss > 0 && pss <= maps->all.count * 1024)
		table_note(maps->notes,
		    "%spss of the whole process is %lld K more: each "
		    "mapping's is rounded down",
		    maps->whose, (long long)pss / 1024);
	else
		note_difference(maps, "pss", maps->all.value[SMAPS_PSS],
		    whole.value[SMAPS_PSS]);
}

/* --- by kind --- */

static void
visit_kind(void *ctx, const struct smaps_area *area)
{
	struct maps *maps = ctx;
	count_area(maps, area);
	area_sums_add(&maps->kinds[kind_of(area)], area);
}

/* Eighths of cells, full for what is in RAM, then shades for what is out. */
static void
set_bar(struct maps *maps, size_t row, const struct area_sums *sums,
    int64_t largest)
{
	static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊",
		"▉" };
	struct table *table = maps->table;
	bool utf8 = maps->session->term.utf8;
	struct buffer bar = { 0 };
	int64_t width = maps->session->term.width >= 100 ? 40 : 20;

	if (largest <= 0 || !table_wants(table, COL_BAR))
		return;
	int64_t in = sums->value[SMAPS_RSS] * width * 8 / largest;
	int64_t out = sums->value[SMAPS_SWAP] * width / largest;
	for (int64_t i = 0; i < in / 8; i++)
		buffer_puts(&bar, utf8 ? "█" : "#");
	if (utf8)
		buffer_puts(&bar, eighths[in % 8]);
	for (int64_t i = 0; i < out; i++)
		buffer_puts(&bar, utf8 ? "▒" : "=");
	buffer_puts(&bar, "");
	table_set_text(table, row, COL_BAR, bar.text != NULL ? bar.text : "");
	buffer_fini(&bar);
}

static void
finish_kinds(struct maps *maps)
{
	reconcile(maps);
	quire_page_note(maps->session, maps->notes, maps->pid);
}

static bool
fill_kinds(struct session *session, struct table *table)
{
	struct maps maps = { .session = session,
		.table = table,
		.notes = table };
	int64_t largest = 0;

	if (!read_processes(&maps, visit_kind, finish_kinds))
		return false;
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		int64_t size = maps.kinds[kind].value[SMAPS_RSS] +
			       maps.kinds[kind].value[SMAPS_SWAP];
		largest = size > largest ? size : largest;
	}
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		struct area_sums *sums = &maps.kinds[kind];
		if (sums->count == 0)
			continue;
		size_t row = table_add_row(table);
		table_point_text(table, row, COL_KIND, kind_names[kind]);
		table_set(table, row, COL_MAPS, sums->count);
		set_bar(&maps, row, sums, largest);
		int64_t count = sums->count;
		sums->count = 2; /* page sizes are of one mapping alone */
		area_sums_set(sums, table, row);
		sums->count = count;
		table_set(table, row, COL_VSS, sums->virtual_bytes);
	}
	return true;
}

/* --- each at its address --- */

static void
set_place(struct table *table, size_t row, const struct smaps_area *area)
{
	table_set(table, row, COL_START, (int64_t)area->start);
	table_set(table, row, COL_END, (int64_t)area->end);
	table_set(table, row, COL_OFFSET, (int64_t)area->offset);
	table_set(table, row, COL_INODE, (int64_t)area->inode);
	table_set_text(table, row, COL_PERMS, area->perms);
	if (table_wants(table, COL_DEVICE))
		table_point_text(table, row, COL_DEVICE,
		    arena_format(&table->arena, "%02x:%02x", area->device_major,
			area->device_minor));
	table_set_text(table, row, COL_MAP, area_name(area));
	table_point_text(table, row, COL_KIND, map_kind(area));
	table_set_text(table, row, COL_VMFLAGS, area->flags);
}

static void
visit_address(void *ctx, const struct smaps_area *area)
{
	struct maps *maps = ctx;
	struct area_sums sums = { .count = 0 };
	size_t row = table_add_row(maps->table);

	count_area(maps, area);
	area_sums_add(&sums, area);
	table_set(maps->table, row, COL_PID, maps->pid);
	set_place(maps->table, row, area);
	area_sums_set(&sums, maps->table, row);
	table_set(maps->table, row, COL_VSS, sums.virtual_bytes);
	table_set(maps->table, row, COL_MAPS, 1);
	area_unknown_set(area, maps->table, row);
}

/* pmap -d's last line: what is written to by this process alone. */
static void
note_addresses(const struct maps *maps)
{
	char mapped[SIZE_TEXT_MAX], own[SIZE_TEXT_MAX], shared[SIZE_TEXT_MAX];

	table_note(maps->notes,
	    "%s%s mapped: %s writable and private, %s shared", maps->whose,
	    size_format((uint64_t)maps->all.virtual_bytes, mapped),
	    size_format((uint64_t)maps->writable_private, own),
	    size_format((uint64_t)maps->shared, shared));
}

static void
finish_addresses(struct maps *maps)
{
	map_look_at_pages(maps->session, maps->table, maps->pid,
	    maps->first_row);
	if (maps->session->view == &map_pmap_d_view)
		note_addresses(maps);
	reconcile(maps);
}

static bool
fill_addresses(struct session *session, struct table *table)
{
	struct maps maps = { .session = session,
		.table = table,
		.notes = table };
	char **words = session->options->operands;

	map_want_pages(table);
	if (words[0] != NULL && words[1] != NULL &&
	    !session_has(session, OPTION_COLUMNS))
		table_show_first(table, COL_PID);
	return read_processes(&maps, visit_address, finish_addresses);
}

/* --- by name --- */

static bool
fill_names(struct session *session, struct table *table)
{
	struct table areas;
	struct maps maps = { .session = session,
		.table = &areas,
		.notes = table };

	table_init(&areas, map_address_view.columns);
	areas.keeps_unknown = table->keeps_unknown;
	for (size_t i = 0; i < areas.column_count; i++)
		areas.columns[i].wanted = true;
	bool good = read_processes(&maps, visit_address, reconcile);
	if (good) {
		table_order_all(&areas);
		group_rows(&areas, COL_MAP, table);
	}
	table_fini(&areas);
	return good;
}

/* --- the views --- */

#define MAP_SUMS                                                               \
	COL_USS, COL_PSS, COL_RSS, COL_VSS, COL_SWAP, COL_SWAPPSS, COL_EPSS,   \
	    COL_DIRTY, COL_PSS_DIRTY, COL_SHARED_CLEAN, COL_SHARED_DIRTY,      \
	    COL_PRIVATE_CLEAN, COL_PRIVATE_DIRTY, COL_REFERENCED,              \
	    COL_ANONYMOUS, COL_KSM, COL_LAZYFREE, COL_ANON_HUGE,               \
	    COL_SHMEM_PMD, COL_FILE_PMD, COL_SHARED_HUGETLB,                   \
	    COL_PRIVATE_HUGETLB, COL_LOCKED, COL_MAPS

static const enum column_id kind_columns[] = { COL_KIND, MAP_SUMS, COL_BAR,
	COLUMN_NONE };
static const enum column_id name_columns[] = { COL_MAP, MAP_SUMS, COL_N,
	COLUMN_NONE };
static const enum column_id address_columns[] = { COL_PID, COL_START, COL_END,
	COL_PERMS, COL_OFFSET, COL_DEVICE, COL_INODE, COL_KIND, MAP_SUMS,
	COL_THP_ELIGIBLE, COL_PROTECTION_KEY, COL_KERNEL_PAGE, COL_MMU_PAGE,
	COL_VMFLAGS, COL_PAGES, COL_PM_PRESENT, COL_PM_SWAPPED,
	COL_PM_EXCLUSIVE, COL_PM_FILE, COL_PM_DIRTY, COL_PM_PROTECTED,
	COL_PM_WRITTEN, COL_PM_ZERO, COL_PM_HUGE, COL_BUILD_ID, COL_MAP,
	COLUMN_NONE };

const struct view map_view = {
	.name = "map",
	.command = "map",
	.columns = kind_columns,
	.preset = "kind,vss,rss,pss,uss,swap,maps,bar",
	.machine = "kind,vss,rss,pss,uss,swap,maps",
	.narrow = "bar,vss",
	.sort = "rss,vss",
	.totals = true,
	.fill = fill_kinds,
	.next = "quire map PID --by address   quire status PID",
};

const struct view map_name_view = {
	.name = "map-name",
	.command = "map",
	.columns = name_columns,
	.preset = "map,maps,swap,uss,pss,rss,vss",
	.narrow = "vss,swap",
	.sort = "pss,rss,map",
	.totals = true,
	.fill = fill_names,
	.next = "quire map PID --by address",
};

#define ADDRESS_VIEW(symbol, words, columns_shown)                             \
	const struct view symbol = {                                           \
		.name = words,                                                 \
		.command = "map",                                              \
		.columns = address_columns,                                    \
		.preset = columns_shown,                                       \
		.narrow = "vss,dirty,swap",                                    \
		.sort = "",                                                    \
		.totals = true,                                                \
		.fill = fill_addresses,                                        \
		.next = "quire map PID",                                       \
	}

ADDRESS_VIEW(map_address_view, "map-address",
    "address,perm,vss,rss,pss,dirty,swap,map");
ADDRESS_VIEW(map_pages_view, "map-pages", "address,perm,vss,rss,pages,map");
ADDRESS_VIEW(map_pmap_view, "map-pmap", "address,vss,perm,map");
ADDRESS_VIEW(map_pmap_x_view, "map-pmap-x", "address,vss,rss,dirty,perm,map");
ADDRESS_VIEW(map_pmap_d_view, "map-pmap-d",
    "address,vss,perm,offset,device,map");
ADDRESS_VIEW(map_pmap_X_view, "map-pmap-X",
    "address,perm,offset,device,inode,vss,rss,pss,pss_dirty,referenced,"
    "anonymous,ksm,lazyfree,shmem_pmd,file_pmd,shared_hugetlb,"
    "private_hugetlb,swap,swappss,locked,thpeligible,map");
ADDRESS_VIEW(map_pmap_XX_view, "map-pmap-XX",
    "address,perm,offset,device,inode,vss,kernelpagesize,mmupagesize,rss,pss,"
    "pss_dirty,shared_clean,shared_dirty,private_clean,private_dirty,"
    "referenced,anonymous,ksm,lazyfree,anon_huge,shmem_pmd,file_pmd,"
    "shared_hugetlb,private_hugetlb,swap,swappss,locked,thpeligible,"
    "protectionkey,vmflags,map");

int
map_main(const struct options *options)
{
	/* In the order of MAP_LIKES. */
	static const struct view *const likes[] = { &map_pmap_view,
		&map_pmap_x_view, &map_pmap_d_view, &map_pmap_X_view,
		&map_pmap_XX_view, &map_name_view };
	/* In the order of MAP_GROUPS. */
	static const struct view *const by[] = { &map_view, &map_address_view,
		&map_name_view };

	if (options->text[OPTION_LIKE] != NULL)
		return view_main(options, likes[options->number[OPTION_LIKE]]);
	if (options->text[OPTION_SYMBOLS] != NULL)
		return view_main(options, &map_symbols_view);
	if (options->text[OPTION_PAGES] != NULL)
		return view_main(options, &map_pages_view);
	return view_main(options, by[options->number[OPTION_MAP_BY]]);
}
