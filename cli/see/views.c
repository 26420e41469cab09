/* SPDX-License-Identifier: MIT */
/* views.c: all views, for help, completions, manuals and tests. */
#include "views.h"

const struct view *const views[] = {
	&ps_view,
	&ps_user_view,
	&ps_map_view,
	&ps_comm_view,
	&ps_exe_view,
	&ps_cgroup_view,
	&ps_tree_view,
	&free_view,
	&formula_view,
	&meminfo_view,
	&vmstat_view,
	&paging_view,
	&counters_view,
	&swap_view,
	&cache_view,
	NULL,
};
