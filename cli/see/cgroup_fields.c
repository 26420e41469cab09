/* SPDX-License-Identifier: MIT */
/*
 * cgroup_fields.c: `quire cgroups GROUP`: all that the kernel tells of the
 * memory of one group, file by file and key by key, known or not. Keeps
 * [see.4].
 */
#include <stdlib.h>
#include <string.h>

#include "cgroup_tree.h"
#include "cli/proc/pairs.h"
#include "field_words.h"
#include "subject.h"
#include "views.h"

/* By file, then key; "" where the file is the figure. A key may also begin
 * with total_, of all groups below. */
static const struct {
	const char *file;
	const char *key;
	const char *meaning;
} meanings[] = {
	{ "current", "", "RAM that it has now." },
	{ "usage_in_bytes", "", "RAM that it has now." },
	{ "peak", "", "The most it ever had." },
	{ "max_usage_in_bytes", "", "The most it ever had." },
	{ "min", "", "RAM that is never taken from it." },
	{ "low", "", "RAM that others must give up first." },
	{ "soft_limit_in_bytes", "", "What it is cut to when RAM is short." },
	{ "high", "", "Beyond it tasks are slowed down and reclaim." },
	{ "max", "", "Its limit." },
	{ "limit_in_bytes", "", "Its limit." },
	{ "failcnt", "", "How often it ran into the limit." },
	{ "memsw.usage_in_bytes", "", "RAM and swap that it has." },
	{ "memsw.max_usage_in_bytes", "",
	    "The most RAM and swap it ever had." },
	{ "memsw.limit_in_bytes", "", "Its limit of RAM and swap together." },
	{ "memsw.failcnt", "", "How often it ran into that limit." },
	{ "kmem.usage_in_bytes", "", "What the kernel keeps for it." },
	{ "kmem.max_usage_in_bytes", "", "The most of that." },
	{ "kmem.limit_in_bytes", "", "The limit of that; no longer kept to." },
	{ "kmem.failcnt", "", "How often it ran into that limit." },
	{ "kmem.tcp.usage_in_bytes", "", "Buffers of TCP sockets." },
	{ "kmem.tcp.max_usage_in_bytes", "", "The most of that." },
	{ "kmem.tcp.limit_in_bytes", "", "The limit of that." },
	{ "kmem.tcp.failcnt", "", "How often it ran into that limit." },
	{ "swap.current", "", "Its pages in swap." },
	{ "swap.max", "", "The most swap it may have." },
	{ "swap.high", "", "Swap beyond which it is slowed down." },
	{ "swap.peak", "", "The most swap it ever had." },
	{ "zswap.current", "", "RAM of its compressed pages in zswap." },
	{ "zswap.max", "", "The limit of that." },
	{ "zswap.writeback", "", "1 if pages may go from zswap to disk." },
	{ "swappiness", "", "How readily anonymous pages are reclaimed." },
	{ "oom.group", "", "1 if all its processes are killed together." },
	{ "use_hierarchy", "", "1 if groups below count for it, as always." },
	{ "move_charge_at_immigrate", "", "Whether pages move with a task." },
	{ "events", "low", "How often it was reclaimed though below low." },
	{ "events", "high", "How often it was slowed down at high." },
	{ "events", "max", "How often it ran into max." },
	{ "events", "oom", "How often memory was out for it." },
	{ "events", "oom_kill", "Processes that were killed for memory." },
	{ "events", "oom_group_kill", "Times that all of it was killed." },
	{ "swap.events", "high", "How often swap was beyond its high." },
	{ "swap.events", "max", "How often it ran into swap.max." },
	{ "swap.events", "fail", "How often no swap could be had." },
	{ "oom_control", "oom_kill_disable", "1 if tasks wait, unkilled." },
	{ "oom_control", "under_oom", "1 while memory is out for it." },
	{ "oom_control", "oom_kill", "Processes that were killed for memory." },
	{ "stat", "anon", "Anonymous memory of programs." },
	{ "stat", "rss", "Anonymous memory of programs." },
	{ "stat", "rss_huge", "Of it, in transparent huge pages." },
	{ "stat", "file", "Pages of files, shared memory included." },
	{ "stat", "cache", "Pages of files, shared memory included." },
	{ "stat", "kernel", "What the kernel keeps for it." },
	{ "stat", "kernel_stack", "Stacks of its threads in the kernel." },
	{ "stat", "pagetables", "Page tables." },
	{ "stat", "sec_pagetables", "Page tables of virtual machines." },
	{ "stat", "percpu", "The kernel's data for each CPU." },
	{ "stat", "sock", "Buffers of sockets." },
	{ "stat", "vmalloc", "What the kernel maps by vmalloc." },
	{ "stat", "shmem", "Shared memory and tmpfs." },
	{ "stat", "zswap", "RAM of compressed pages in zswap." },
	{ "stat", "zswapped", "Those pages before they were compressed." },
	{ "stat", "file_mapped", "Pages of files that programs map." },
	{ "stat", "mapped_file", "Pages of files that programs map." },
	{ "stat", "file_dirty", "Pages of files that must be written." },
	{ "stat", "dirty", "Pages of files that must be written." },
	{ "stat", "file_writeback", "Pages that are being written." },
	{ "stat", "writeback", "Pages that are being written." },
	{ "stat", "swapcached", "Pages in RAM and in swap alike." },
	{ "stat", "swap", "Pages in swap." },
	{ "stat", "anon_thp", "Anonymous memory in huge pages." },
	{ "stat", "file_thp", "Pages of files in huge pages." },
	{ "stat", "shmem_thp", "Shared memory in huge pages." },
	{ "stat", "inactive_anon", "Anonymous pages that go first." },
	{ "stat", "active_anon", "Anonymous pages used lately." },
	{ "stat", "inactive_file", "Pages of files that go first." },
	{ "stat", "active_file", "Pages of files used lately." },
	{ "stat", "unevictable", "Pages that cannot go, locked ones mostly." },
	{ "stat", "slab_reclaimable", "The kernel's objects that can go." },
	{ "stat", "slab_unreclaimable", "The kernel's objects that cannot." },
	{ "stat", "slab", "The kernel's objects." },
	{ "stat", "hierarchical_memory_limit", "The tightest limit above." },
	{ "stat", "hierarchical_memsw_limit", "The same with swap." },
	{ "stat", "workingset_refault_anon",
	    "Anonymous pages that came back soon after they went." },
	{ "stat", "workingset_refault_file",
	    "Pages of files that came back soon after they went." },
	{ "stat", "workingset_activate_anon", "Of those, used at once." },
	{ "stat", "workingset_activate_file", "Of those, used at once." },
	{ "stat", "workingset_restore_anon", "Of those, used lately before." },
	{ "stat", "workingset_restore_file", "Of those, used lately before." },
	{ "stat", "workingset_nodereclaim",
	    "Records of them that were dropped." },
	{ "stat", "pgfault", "Page faults." },
	{ "stat", "pgmajfault", "Page faults that waited for a device." },
	{ "stat", "pgscan", "Pages looked at for reclaim." },
	{ "stat", "pgsteal", "Pages reclaimed." },
	{ "stat", "pgactivate", "Pages moved to those used lately." },
	{ "stat", "pgdeactivate", "Pages moved back from there." },
	{ "stat", "pglazyfree", "Pages given up by MADV_FREE." },
	{ "stat", "pgrefill", "Pages looked at among those used lately." },
	{ "stat", "pgpgin", "Pages charged to it." },
	{ "stat", "pgpgout", "Pages no longer charged to it." },
	{ "stat", "pswpin", "Pages swapped in." },
	{ "stat", "pswpout", "Pages swapped out." },
	{ "stat", "zswpin", "Pages read out of zswap." },
	{ "stat", "zswpout", "Pages put into zswap." },
	{ "stat", "zswpwb", "Pages written from zswap to disk." },
	{ "stat", "thp_fault_alloc", "Huge pages given at a fault." },
	{ "stat", "thp_collapse_alloc", "Huge pages made out of small ones." },
	{ "pressure", "some", "Time in which some task waited for memory." },
	{ "pressure", "full", "Time in which all tasks waited for memory." },
	{ "numa_stat", "", "By NUMA node." },
};

static const char *
meaning_of(const char *file, const char *key)
{
	if (strncmp(key, "total_", 6) == 0)
		key += 6;
	if (strcmp(file, "events.local") == 0)
		file = "events";
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (strcmp(meanings[i].file, file) == 0 &&
		    (strcmp(meanings[i].key, key) == 0 ||
			strcmp(file, "numa_stat") == 0))
			return meanings[i].meaning;
	return FIELD_UNKNOWN;
}

/* Whether a number counts bytes: those of stat do that are no events. */
static bool
is_size(const char *file, const char *key)
{
	static const char *const events[] = { "pg", "workingset_", "thp_",
		"numa_", "pswp", "swpin", "swpout", "zswp", "hugetlb_" };
	static const char *const sizes[] = { "current", "peak", "min", "low",
		"high", "max" };
	const char *last = strrchr(file, '.');

	last = last != NULL ? last + 1 : file;
	if (strncmp(key, "total_", 6) == 0)
		key += 6;
	if (strcmp(file, "stat") != 0) {
		bool sized = strstr(file, "_in_bytes") != NULL;
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			sized = sized || strcmp(last, sizes[i]) == 0;
		return sized && *key == '\0';
	}
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (strncmp(key, events[i], strlen(events[i])) == 0)
			return false;
	return true;
}

static void
add_field(struct table *table, const char *file, const char *key,
    const char *text)
{
	size_t row = table_add_row(table);
	const char *at = text;

	table_set_text(table, row, COL_GROUP_FILE_NAME, file);
	table_set_text(table, row, COL_FIELD, key);
	table_set_text(table, row, COL_H_MEANING, meaning_of(file, key));
	if (*text < '0' || *text > '9' || strchr(text, ' ') != NULL) {
		table_set_text(table, row, COL_TEXT_VALUE, text);
		return;
	}
	int64_t number = number_next(&at);
	bool sized = is_size(file, key);
	if (sized && number >= CGROUP_UNLIMITED)
		table_point_text(table, row, COL_TEXT_VALUE, "max");
	else
		table_set(table, row, sized ? COL_BYTES : COL_NUMBER, number);
}

/* A file is a figure, or lines of keys and figures. */
static void
add_file(struct table *table, const char *file, char *text)
{
	char *line;

	while ((line = line_next(&text)) != NULL) {
		char *key = line;
		char *rest = line + strcspn(line, " ");
		if (*line == '\0')
			continue;
		if (*rest == '\0') {
			add_field(table, file, "", line);
			continue;
		}
		*rest++ = '\0';
		/* numa_stat of version 1: "total=9 N0=9". */
		char *sign = strchr(key, '=');
		if (sign != NULL) {
			rest[-1] = ' ';
			*sign = '\0';
			rest = sign + 1;
		}
		add_field(table, file, key, rest);
	}
}

/* The group that the operand names: a path, or a process's. NULL: problem. */
static const char *
find_group(struct session *session, struct cgroup_tree *tree)
{
	const char *word = session->options->operands[0];
	int pid;

	if (word[0] == '/')
		return word;
	if (!subject_find(session, &pid))
		return NULL;
	const char *group = cgroup_tree_of(session, tree, pid);
	if (group == NULL)
		problem_what(&session->problem, EXIT_FAILED,
		    "the control group of process %d is not known", pid);
	return group;
}

static bool
fill_tree(struct session *session, struct cgroup_tree *tree,
    struct table *table)
{
	const char *group = find_group(session, tree);
	char **names;

	if (group == NULL)
		return false;
	int count = source_list(session->source,
	    cgroup_tree_path(tree, group, ""), &tree->arena, &names);
	for (int i = 0; i < count; i++) {
		if (strncmp(names[i], "memory.", 7) != 0 ||
		    strcmp(names[i], "memory.kmem.slabinfo") == 0)
			continue;
		add_file(table, names[i] + 7,
		    session_read(session,
			cgroup_tree_path(tree, group, names[i])));
	}
	if (table->row_count > 0) {
		table_note(table, "control group %s, version %d", group,
		    tree->version);
		return true;
	}
	problem_what(&session->problem, EXIT_FAILED,
	    "there is no control group %s", group);
	problem_advise(&session->problem, "quire cgroups");
	return false;
}

static bool
fill_fields(struct session *session, struct table *table)
{
	struct cgroup_tree tree;

	if (!cgroup_tree_open(session, &tree)) {
		problem_what(&session->problem, EXIT_FAILED,
		    "no control groups are to be seen");
		return false;
	}
	bool good = fill_tree(session, &tree, table);
	cgroup_tree_close(&tree);
	return good;
}

static const enum column_id fields_columns[] = { COL_GROUP_FILE_NAME, COL_FIELD,
	COL_BYTES, COL_NUMBER, COL_TEXT_VALUE, COL_H_MEANING, COLUMN_NONE };

const struct view cgroup_fields_view = {
	.name = "cgroup-fields",
	.command = "cgroups",
	.columns = fields_columns,
	.preset = "file,field,size,number,value,meaning",
	.narrow = "value,number",
	.sort = "",
	.fill = fill_fields,
	.next = "quire cgroups   quire ps --by cgroup",
};
