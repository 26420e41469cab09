/* SPDX-License-Identifier: MIT */
/* see/map.h: mappings of one process, between the files that show them. */
#ifndef CLI_SEE_MAP_H
#define CLI_SEE_MAP_H

#include "cli/proc/smaps.h"
#include "view.h"

/* heap, anonymous, stack and so on. */
const char *map_kind(const struct smaps_area *area);

/* Of the rows from first on, mappings of a process at their addresses: what
 * its pagemap tells, as far as columns of it are wanted, the picture of
 * COL_PAGES among them; and which build the files are of. */
void map_look_at_pages(struct session *session, struct table *table, int pid,
    size_t first);

/* Wants what map_look_at_pages goes by, if a column of its is wanted; to be
 * called before there are rows. */
void map_want_pages(struct table *table);

#endif
