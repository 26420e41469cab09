/* SPDX-License-Identifier: MIT */
/*
 * heap/span_impl.h: putting a block back into its span: inline, as bursts of
 * frees end here. Keeps [heap.1], [heap.2].
 */
#ifndef QR_HEAP_SPAN_IMPL_H
#define QR_HEAP_SPAN_IMPL_H

#include "pagemap_impl.h"

/* A block's reciprocal is of 2^34: the most that 8 bytes leave in 32 bits. */
#define QR_SPAN_RECIPROCAL_SHIFT 34u

_Static_assert((QR_SPAN_PAGES_MAX << QR_PAGE_SHIFT) <
		   ((uint64_t)1 << QR_SPAN_RECIPROCAL_SHIFT) / QR_SIZE_MAX,
    "a span is shorter than the least reciprocal");

/* A field of two writers in turn: its owner, or who holds the detached lock;
 * the atomic is for statistics, which read it at any time. */
static inline unsigned
qr_span_count(const _Atomic(uint16_t) *count)
{
	return atomic_load_explicit(count, memory_order_relaxed);
}

static inline void
qr_span_count_set(_Atomic(uint16_t) *count, unsigned value)
{
	atomic_store_explicit(count, (uint16_t)value, memory_order_relaxed);
}

/*
 * Puts back the block that is offset bytes behind the span's start. Reports
 * one that is free already. True: the span may have to change its list, or to
 * go.
 *
 * The product is the block's number above the shift, exactly, for the start of
 * each block. What is below is the number times the reciprocal's error, for
 * these alone less than the reciprocal: the error is less than the block, and
 * a span less than the reciprocal (2^19 at least).
 */
static inline bool
qr_span_put_at(struct qr_span *span, const void *block, size_t offset)
{
	uint64_t product = (uint64_t)offset * span->reciprocal;
	uint64_t below =
	    product & (((uint64_t)1 << QR_SPAN_RECIPROCAL_SHIFT) - 1);
	unsigned number = (unsigned)(product >> QR_SPAN_RECIPROCAL_SHIFT);
	unsigned cut = qr_span_count(&span->cut);
	QR_ASSERT(below < span->reciprocal,
	    "free(%p): inside of a block of class %u, not its start", block,
	    span->size_class);
	QR_ASSERT(number < cut,
	    "free(%p): a block of class %u that was never allocated", block,
	    span->size_class);
	uint64_t bit = (uint64_t)1 << (number & 63u);
	uint64_t *word = &span->free_map[number >> 6];
	QR_ASSERT((*word & bit) == 0,
	    "free(%p): a block of class %u was freed twice", block,
	    span->size_class);
	*word |= bit;
	unsigned free = qr_span_count(&span->free) + 1;
	qr_span_count_set(&span->free, free);
	return span->full || free == cut;
}

/* The same, found by its address. */
static inline bool
qr_span_put(struct qr_heap *heap, struct qr_span *span, const void *block)
{
	const char *start =
	    qr_heap_page_address(heap->region[span->region], span->page);
	return qr_span_put_at(span, block,
	    (size_t)((const char *)block - start));
}

#endif
