/* SPDX-License-Identifier: MIT */
/*
 * heap/report_impl.h: lines about a misuse, to stderr. May allocate, so with no
 * lock of the heap held; the program is about to end.
 */
#ifndef QR_HEAP_REPORT_IMPL_H
#define QR_HEAP_REPORT_IMPL_H

#include <qr/types.h>

QR_PRINTF(1, 2) void qr_report_line(const char *format, ...);

/* what, and the function and file that an address lies in. */
void qr_report_address(const char *what, const void *address);

#endif
