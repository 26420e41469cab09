/* SPDX-License-Identifier: MIT */
/* views.h: the views, for those who go through all of them. */
#ifndef CLI_SEE_VIEWS_H
#define CLI_SEE_VIEWS_H

#include "view.h"

extern const struct view ps_view, ps_user_view, ps_comm_view, ps_exe_view,
    ps_cgroup_view, ps_tree_view, ps_map_view, free_view, formula_view,
    free_free_view, areas_view, classic_view, meminfo_view, vmstat_view,
    paging_view, counters_view, swap_view, cache_view, map_view, map_name_view,
    map_address_view, map_pages_view, map_pmap_view, map_pmap_x_view,
    map_pmap_d_view, map_pmap_X_view, map_pmap_XX_view, status_view,
    limits_view, shm_view, time_view, buddy_view, buddy_types_view, zones_view,
    slab_view, vmalloc_view, cgroups_view, cgroup_fields_view, huge_view,
    settings_view, numa_maps_view, pages_cgroup_view, vmalloc_range_view,
    pressure_view, numa_view, pages_view, ps_quire_view, top_view, diff_view,
    map_symbols_view;

#endif
