/* SPDX-License-Identifier: MIT */
/* see/map.h: mappings of one process, between the files that show them. */
#ifndef CLI_SEE_MAP_H
#define CLI_SEE_MAP_H

#include "cli/proc/smaps.h"
#include "view.h"

/* heap, anonymous, stack and so on. */
const char *map_kind(const struct smaps_area *area);

/* Sets COL_PAGES of each row, by its address and end, to a picture of which
 * pages are in RAM and which in swap. */
void map_draw_pages(struct session *session, struct table *table, int pid);

#endif
