/* SPDX-License-Identifier: MIT */
/*
 * settings.c: `quire settings`: what the kernel's memory management can be
 * told, as it is now: sysctls, huge pages, merging, zswap, reclaim. Every file
 * of their folders is shown, known or not. Keeps [see.4].
 */
#include <string.h>

#include "cli/proc/pairs.h"
#include "field_words.h"
#include "settings.h"
#include "views.h"

const struct settings_folder settings_folders[] = {
	{ "proc/sys/vm", "vm" },
	{ "sys/kernel/mm/transparent_hugepage", "thp" },
	{ "sys/kernel/mm/transparent_hugepage/khugepaged", "khugepaged" },
	{ "sys/kernel/mm/ksm", "ksm" },
	{ "sys/kernel/mm/lru_gen", "lru_gen" },
	{ "sys/kernel/mm/swap", "swap" },
	{ "sys/kernel/mm/numa", "numa" },
	{ "sys/module/zswap/parameters", "zswap" },
	{ "sys/kernel/mm/damon/admin/kdamonds", "damon" },
	{ "sys/module/damon_reclaim/parameters", "damon_reclaim" },
	{ "sys/module/damon_lru_sort/parameters", "damon_lru_sort" },
	{ "sys/module/damon_stat/parameters", "damon_stat" },
	{ NULL, NULL },
};

static const struct {
	const char *setting;
	const char *meaning;
} meanings[] = {
	{ "vm.swappiness",
	    "How readily anonymous pages go rather than files." },
	{ "vm.overcommit_memory", "0 guesses, 1 always, 2 keeps to a limit." },
	{ "vm.overcommit_ratio", "Mode 2: percent of RAM promised." },
	{ "vm.overcommit_kbytes", "Mode 2: KiB promised, instead of a ratio." },
	{ "vm.min_free_kbytes", "KiB kept free: what watermarks rest on." },
	{ "vm.watermark_scale_factor", "How far watermarks are apart." },
	{ "vm.watermark_boost_factor", "How far fragmentation lifts them." },
	{ "vm.vfs_cache_pressure", "How readily dentries and inodes go." },
	{ "vm.vfs_cache_pressure_denom", "What vfs_cache_pressure is out of." },
	{ "vm.dirty_ratio", "Percent of RAM dirty at which writers wait." },
	{ "vm.dirty_bytes", "The same in bytes; 0: the ratio holds." },
	{ "vm.dirty_background_ratio",
	    "Percent dirty at which writing begins." },
	{ "vm.dirty_background_bytes", "The same in bytes." },
	{ "vm.dirty_expire_centisecs",
	    "Age at which dirty pages are written." },
	{ "vm.dirty_writeback_centisecs",
	    "How often old ones are looked for." },
	{ "vm.dirtytime_expire_seconds",
	    "Age at which lazy times are written." },
	{ "vm.laptop_mode", "Gathers writing to spare a disk." },
	{ "vm.page-cluster", "Pages read ahead from swap, a power of 2." },
	{ "vm.max_map_count", "Mappings that a process may have." },
	{ "vm.mmap_min_addr", "The lowest address that may be mapped." },
	{ "vm.mmap_rnd_bits", "Bits of chance in addresses of mappings." },
	{ "vm.mmap_rnd_compat_bits", "The same for 32-bit programs." },
	{ "vm.legacy_va_layout", "1: mappings grow upwards, as of old." },
	{ "vm.nr_hugepages", "Huge pages set aside for hugetlbfs." },
	{ "vm.nr_hugepages_mempolicy", "The same by the caller's policy." },
	{ "vm.nr_overcommit_hugepages", "How many more may come on demand." },
	{ "vm.hugetlb_shm_group", "The group that may use them for shm." },
	{ "vm.hugetlb_optimize_vmemmap", "1 frees descriptors of huge pages." },
	{ "vm.compaction_proactiveness", "How hard RAM is compacted unasked." },
	{ "vm.compact_unevictable_allowed", "1: locked pages may be moved." },
	{ "vm.compact_memory", "Writing to it compacts all of RAM." },
	{ "vm.defrag_mode", "1 reclaims rather than fragments blocks." },
	{ "vm.extfrag_threshold", "Fragmentation above which to compact." },
	{ "vm.drop_caches", "Writing to it drops caches; counts how often." },
	{ "vm.lowmem_reserve_ratio", "How far low zones are protected." },
	{ "vm.zone_reclaim_mode", "Reclaim here before another node helps." },
	{ "vm.min_unmapped_ratio", "Percent of files below which it stops." },
	{ "vm.min_slab_ratio", "Percent of slabs below which it stops." },
	{ "vm.numa_stat", "1 counts NUMA hits and misses." },
	{ "vm.numa_zonelist_order", "The order of zones; always by node now." },
	{ "vm.panic_on_oom", "1: out of memory stops the machine." },
	{ "vm.oom_kill_allocating_task",
	    "1 kills who asked, not the largest." },
	{ "vm.oom_dump_tasks", "1 lists tasks in the log before killing." },
	{ "vm.admin_reserve_kbytes", "KiB kept for root under mode 2." },
	{ "vm.user_reserve_kbytes", "KiB kept for the user under mode 2." },
	{ "vm.percpu_pagelist_high_fraction", "The size of CPUs' lists." },
	{ "vm.stat_interval", "Seconds between sums of CPUs' counters." },
	{ "vm.page_lock_unfairness", "How often a page's lock may be stolen." },
	{ "vm.unprivileged_userfaultfd",
	    "1: anyone may handle kernel faults." },
	{ "vm.memfd_noexec", "Whether memfds may be executed." },
	{ "vm.shrink_inodes_with_pagecache", "1: inodes go with their pages." },
	{ "thp.enabled", "Where transparent huge pages are given." },
	{ "thp.defrag", "How hard one is tried for at a fault." },
	{ "thp.shmem_enabled", "The same for shared memory and tmpfs." },
	{ "thp.hpage_pmd_size", "The size of a huge page." },
	{ "thp.use_zero_page", "1: reads of nothing get a huge zero page." },
	{ "thp.shrink_underused", "1 splits those that are mostly zeros." },
	{ "khugepaged.defrag", "1: khugepaged may compact." },
	{ "khugepaged.pages_to_scan", "Pages that it looks at each time." },
	{ "khugepaged.scan_sleep_millisecs", "How long it sleeps between." },
	{ "khugepaged.alloc_sleep_millisecs", "How long after a failure." },
	{ "khugepaged.max_ptes_none", "Pages not there that it may fill in." },
	{ "khugepaged.max_ptes_swap", "Pages that it may bring from swap." },
	{ "khugepaged.max_ptes_shared", "Shared pages that it may copy." },
	{ "khugepaged.pages_collapsed", "Huge pages that it made." },
	{ "khugepaged.full_scans", "How often it has been round." },
	{ "ksm.run", "1 merges equal pages, 2 parts them again." },
	{ "ksm.pages_to_scan", "Pages looked at each time." },
	{ "ksm.sleep_millisecs", "How long it sleeps between." },
	{ "ksm.pages_shared", "Pages kept, each for several." },
	{ "ksm.pages_sharing", "Pages spared by them." },
	{ "ksm.pages_unshared", "Pages looked at that have no equal." },
	{ "ksm.pages_volatile", "Pages that change too fast to merge." },
	{ "ksm.pages_scanned", "Pages looked at in all." },
	{ "ksm.pages_skipped", "Pages passed over by smart_scan." },
	{ "ksm.full_scans", "How often it has been round." },
	{ "ksm.general_profit", "Bytes spared, less what it costs." },
	{ "ksm.ksm_zero_pages", "Pages merged into the page of zeros." },
	{ "ksm.use_zero_pages", "1 merges zeros into the page of zeros." },
	{ "ksm.merge_across_nodes", "1 merges pages of all nodes." },
	{ "ksm.max_page_sharing", "How many may share one page." },
	{ "ksm.smart_scan", "1 looks less often at what did not merge." },
	{ "ksm.advisor_mode", "Who sets pages_to_scan." },
	{ "ksm.advisor_max_cpu", "Percent of a CPU that it may take." },
	{ "ksm.advisor_min_pages_to_scan", "The least it may set." },
	{ "ksm.advisor_max_pages_to_scan", "The most it may set." },
	{ "ksm.advisor_target_scan_time", "Seconds that a round may take." },
	{ "ksm.stable_node_chains", "Pages that more share than may." },
	{ "ksm.stable_node_dups", "Copies kept because of that." },
	{ "ksm.stable_node_chains_prune_millisecs", "How often they go." },
	{ "lru_gen.enabled", "Whether pages are aged by generations." },
	{ "lru_gen.min_ttl_ms", "Time for which a working set is kept." },
	{ "swap.vma_ra_enabled", "Reads ahead by addresses, not by slots." },
	{ "numa.demotion_enabled", "Pages go to slower nodes before swap." },
	{ "damon.nr_kdamonds", "Threads that watch which pages are used." },
	{ "zswap.enabled", "Y compresses pages before they are swapped." },
	{ "zswap.compressor", "By which codec." },
	{ "zswap.zpool", "In which kind of pool." },
	{ "zswap.max_pool_percent", "Percent of RAM that it may take." },
	{ "zswap.accept_threshold_percent", "Fill below which it goes on." },
	{ "zswap.shrinker_enabled", "Y writes cold ones to disk early." },
};

const char *
setting_meaning(const char *setting)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (strcmp(meanings[i].setting, setting) == 0)
			return meanings[i].meaning;
	return NULL;
}

/* Line ends and tabs within a value become blanks. */
static const char *
one_line(char *text)
{
	size_t length = strlen(text);

	while (
	    length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
		text[--length] = '\0';
	for (char *c = text; *c != '\0'; c++)
		if (*c == '\n' || *c == '\t')
			*c = ' ';
	return text;
}

bool
settings_must_skip(const char *file)
{
	return strcmp(file, "stat_refresh") == 0;
}

static void
add_folder(struct session *session, struct table *table, const char *folder,
    const char *name)
{
	struct arena arena = { 0 };
	char **files;
	int count = source_list(session->source, folder, &arena, &files);

	for (int i = 0; i < count; i++) {
		if (settings_must_skip(files[i]))
			continue;
		char *setting = arena_format(&arena, "%s.%s", name, files[i]);
		char *text = session_read(session,
		    arena_format(&arena, "%s/%s", folder, files[i]));
		if (*text == '\0')
			continue; /* a folder, or only to be written to */
		size_t row = table_add_row(table);
		table_set_text(table, row, COL_SETTING, setting);
		table_set_text(table, row, COL_SETTING_VALUE, one_line(text));
		const char *meaning = setting_meaning(setting);
		table_point_text(table, row, COL_H_MEANING,
		    meaning != NULL ? meaning : FIELD_UNKNOWN);
	}
	arena_fini(&arena);
}

static bool
fill_settings(struct session *session, struct table *table)
{
	for (const struct settings_folder *folder = settings_folders;
	     folder->path != NULL; folder++)
		add_folder(session, table, folder->path, folder->name);
	if (table->row_count > 0)
		return true;
	problem_what(&session->problem, EXIT_FAILED, "no settings are told");
	problem_why(&session->problem, "%s has none",
	    source_name(session->source));
	return false;
}

static const enum column_id settings_columns[] = { COL_SETTING,
	COL_SETTING_VALUE, COL_H_MEANING, COLUMN_NONE };

const struct view settings_view = {
	.name = "settings",
	.command = "settings",
	.columns = settings_columns,
	.preset = "setting,value,meaning",
	.sort = "",
	.fill = fill_settings,
	.next = "quire settings -f 'setting~swap'   quire huge   quire limits",
};

int
settings_main(const struct options *options)
{
	return view_main(options, &settings_view);
}
