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
	NULL,
};
