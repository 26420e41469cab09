/* SPDX-License-Identifier: MIT */
/*
 * heap/hint.c: what the heap tells the page source of what it will do.
 *
 * The first touch of a page costs more than many allocations. So a heap that
 * has grown says beforehand
 *
 *   WRITTEN  that the pages of a new piece of a span are about to be linked:
 *            one call instead of a fault a page, and no page more;
 *   DENSE    that a chunk will be nearly full: it may be one huge page.
 *
 * A chunk is dense if, when it is first used, the heap has grown and the run
 * that reaches into it is short and not for calloc: large blocks may be
 * sparse, as only the program knows. The buddy hands out the lowest pages, so
 * chunks are opened one after the other, as they fill. The pages of a dense
 * chunk are all resident with the first touch; so those that are free count as
 * dirty, are taken first by long runs, and are purged as others are.
 *
 * When a part of a dense chunk is given back, the chunk is SPARSE from then
 * on, so that the system does not fill it up again. One that is given back as
 * a whole is opened anew when it is next used.
 */
#include "calls_impl.h"

/* Pages in use from which on hints are given: eight chunks, 16 MiB. What is
 * resident too early is a chunk, and less than a span a class. */
#define HELD_GROWN ((size_t)(16 << 20) >> QR_PAGE_SHIFT)

#define CHUNK_PAGES ((uint64_t)1 << (QR_HEAP_CHUNK_SHIFT - QR_PAGE_SHIFT))

/* The longest run that makes a chunk dense: the longest span. */
#define DENSE_RUN_PAGES ((uint64_t)QR_SPAN_PAGES_MAX)

static void
hint(struct qr_heap *heap, const struct qr_heap_region *region, uint64_t page,
    uint64_t pages, enum qr_page_hint what)
{
	heap->source->ops->hint(heap->source->ctx,
	    qr_heap_page_address(region, page), (size_t)pages << QR_PAGE_SHIFT,
	    what);
}

static bool
chunk_is_dense(const struct qr_heap_region *region, uint64_t chunk)
{
	/* Relaxed: a hint about a hint where the lock is not held. */
	uint64_t word = atomic_load_explicit(&region->chunks[chunk / 64].dense,
	    memory_order_relaxed);
	return (word >> (chunk % 64) & 1) != 0;
}

static void
chunk_flip(struct qr_heap_region *region, uint64_t chunk)
{
	atomic_fetch_xor_explicit(&region->chunks[chunk / 64].dense,
	    (uint64_t)1 << (chunk % 64), memory_order_relaxed);
}

static bool
heap_has_grown(const struct qr_heap *heap)
{
	return heap->source->ops->hint != NULL &&
	       atomic_load_explicit(&heap->held, memory_order_relaxed) >=
		   HELD_GROWN;
}

bool
qr_heap_hint_may_open(uint64_t pages, bool zero)
{
	return pages <= DENSE_RUN_PAGES && !zero;
}

void
qr_heap_hint_opened(struct qr_heap *heap, struct qr_heap_region *region,
    uint64_t chunk, bool may_be_dense)
{
	qr_heap_assert_locked(heap, QR_HEAP_LOCK_RUNS);
	uint64_t page = chunk * CHUNK_PAGES;
	bool dense = may_be_dense && heap_has_grown(heap);
	if (dense != chunk_is_dense(region, chunk)) {
		chunk_flip(region, chunk);
		hint(heap, region, page, CHUNK_PAGES,
		    dense ? QR_PAGE_HINT_DENSE : QR_PAGE_HINT_SPARSE);
	}
	if (!dense)
		return;
	/* Its pages are resident with the first touch, so they count as if
	 * they had been used. */
	uint64_t pages = qr_min(CHUNK_PAGES, region->pages - page);
	uint64_t was = qr_heap_dirty_count(region, page, pages);
	qr_heap_dirty_set(region, page, pages, true);
	region->used_pages = qr_max(region->used_pages, page + pages);
	/* Relaxed: changed under the lock, read bare as hints. */
	atomic_fetch_add_explicit(&heap->dirty, pages - was,
	    memory_order_relaxed);
}

void
qr_heap_hint_dropped(struct qr_heap *heap, struct qr_heap_region *region,
    uint64_t page, uint64_t pages)
{
	qr_heap_assert_locked(heap, QR_HEAP_LOCK_RUNS);
	uint64_t end = page + pages;
	while (page < end) {
		uint64_t chunk = page / CHUNK_PAGES;
		uint64_t start = chunk * CHUNK_PAGES;
		uint64_t next = start + CHUNK_PAGES;
		if (page == start && end >= next) {
			region->chunks[chunk / 64].opened &=
			    ~((uint64_t)1 << (chunk % 64));
		} else if (chunk_is_dense(region, chunk)) {
			chunk_flip(region, chunk);
			hint(heap, region, start, CHUNK_PAGES,
			    QR_PAGE_HINT_SPARSE);
		}
		page = next;
	}
}

bool
qr_heap_hint_span(const struct qr_heap *heap)
{
	return heap_has_grown(heap);
}

void
qr_heap_hint_written(struct qr_heap *heap, const struct qr_heap_region *region,
    uint64_t page, uint64_t pages)
{
	/* A huge page comes with the first touch. */
	if (!chunk_is_dense(region, page / CHUNK_PAGES))
		hint(heap, region, page, pages, QR_PAGE_HINT_WRITTEN);
}
