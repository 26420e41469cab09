/* SPDX-License-Identifier: MIT */
/* page_scan.h: what newer kernels tell of pages and mappings by ioctl. */
#ifndef CLI_SEE_PAGE_SCAN_H
#define CLI_SEE_PAGE_SCAN_H

#include "cli/table/table.h"

bool page_scan_wants(const struct table *table);

/* Sets the wanted columns of the rows from first on, by their addresses; none
 * where the kernel does not know how. pagemap: the process's, open. */
void page_scan(struct table *table, int pid, int pagemap, size_t first);

#endif
