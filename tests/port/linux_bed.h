/* SPDX-License-Identifier: MIT */
/*
 * tests/port/linux_bed.h: makes the test's own process a machine of
 * port/linux, without the preloaded library: no gate, and faults come to the
 * test's handlers.
 */
#ifndef PORT_LINUX_BED_H
#define PORT_LINUX_BED_H

#include <stddef.h>

#include "port/linux/linux.h"

/* What ctest takes for "skipped". */
#define BED_SKIPPED 77

/*
 * Frames for a budget of that size, the ledger, the descriptors and, where
 * one can be had, a swap file of swap_bytes; no machine yet. NULL: this
 * kernel refuses, which has been said on stdout.
 */
struct qr_thread *bed_open(uint64_t budget_bytes, uint64_t swap_bytes);

/* Runs call(arg) on the thread's Quire stack. */
void bed_call(struct qr_thread *thread, void (*call)(void *arg), void *arg);

#endif
