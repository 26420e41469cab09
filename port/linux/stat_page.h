/* SPDX-License-Identifier: MIT */
/* stat_page.h: keeps this process's <qr/stat_page.h> up to date. */
#ifndef QR_LINUX_STAT_PAGE_H
#define QR_LINUX_STAT_PAGE_H

#include <stdbool.h>

/* Makes the page, in a fork's child in place of its parent's. Where that
 * fails there is none, and all else works. */
void stat_page_open(void);

/* Writes the numbers of now; not from two threads at once but at the end,
 * when `ended` is set and nothing is written after it. */
void stat_page_update(bool ended);

#endif
