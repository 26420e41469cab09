/* SPDX-License-Identifier: MIT */
/*
 * heap/heap.h: what the heap offers to the rest of Quire beside qr/heap.h.
 */
#ifndef QR_HEAP_HEAP_H
#define QR_HEAP_HEAP_H

#include <stdbool.h>

#include <qr/heap.h>

/*
 * Walks the whole heap and panics at the first broken invariant, by its tag.
 * quiet: no other thread is inside the heap or changes it meanwhile, so the
 * spans of all threads are checked, else only this thread's and the detached.
 */
void qr_check_heap(bool quiet);

/* The same for a separate heap, which nobody uses meanwhile. */
void qr_check_separate_heap(struct qr_heap *heap);

/*
 * One line a size class that is in use, and a total, through print, which is
 * called with no lock held and may allocate.
 */
void qr_heap_dump(void (*print)(void *ctx, const char *line), void *ctx);

#endif
