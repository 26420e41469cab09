/* SPDX-License-Identifier: MIT */
/*
 * heap/purge.c: gives memory of free pages back to the source.
 *
 * How many dirty pages may stay is a budget of bytes: what the program gave
 * back since its highest point within the last two ticks, as it may want that
 * again; what it took again of purged pages, which proves that it was purged in
 * vain, fading from tick to tick while the program works; and the larger of
 * PURGE_KEEP_MIN and an eighth of what is held, since dirty pages need not lie
 * where the next request wants them. More than the budget goes at once; the
 * rest decays by half a tick, on whatever thread frees pages then, or on the
 * helper (idle.c).
 *
 * Highest addresses go first: the buddy hands out the lowest, so they are the
 * ones that are needed last. A piece is taken from the buddy, given back with
 * no lock that malloc needs, and returned clean.
 */
#include "calls_impl.h"

#define PURGE_KEEP_MIN ((size_t)(4 << 20) >> QR_PAGE_SHIFT) /* pages */
#define PURGE_TICK_NS  ((uint64_t)500 * 1000 * 1000)

/* Of the pages that are dirty when a tick is over this part may stay: while
 * the program frees, and while it may be asleep. */
#define PURGE_KEEP_PART      2u
#define PURGE_KEEP_PART_IDLE 4u

/* The part by which what was purged in vain counts less in each tick. */
#define AGAIN_FADE_PART 4u

/* Pages of one piece, at most; and dirty pages that are worth a call when
 * the budget is exceeded: 64 KiB. */
#define PURGE_PIECE_PAGES 1024u
#define PURGE_WORTH_PAGES 16u

/* Pages above the budget before it is looked at again. */
#define PURGE_SLACK ((size_t)(1 << 20) >> QR_PAGE_SHIFT)

struct purge_piece {
	struct qr_heap_region *region;
	uint64_t page;
	uint64_t pages;
	uint64_t dirty;
};

/*
 * Takes the last piece below *cursor with so many dirty pages out of the
 * buddy. Runs lock held. False: there is none.
 */
static bool
piece_take(struct qr_heap_region *region, uint64_t *cursor, uint64_t least,
    struct purge_piece *piece)
{
	uint64_t page;
	while (qr_heap_dirty_last(region, *cursor, &page)) {
		unsigned order;
		*cursor = page;
		/* Taken, and calloc has yet to clear its bits. */
		if (!qr_buddy_is_free(&region->buddy, page, &order))
			continue;
		uint64_t pages =
		    qr_min((uint64_t)1 << order, PURGE_PIECE_PAGES);
		uint64_t start = qr_round_down(page, pages);
		uint64_t dirty = qr_heap_dirty_count(region, start, pages);
		*cursor = start;
		if (dirty < least)
			continue;
		int err = qr_buddy_take_range(&region->buddy, start, pages);
		QR_ASSERT(err == 0, "page %llu is not free",
		    (unsigned long long)start);
		*piece = (struct purge_piece){ region, start, pages, dirty };
		return true;
	}
	return false;
}

/* Gives the piece's memory back, as whole pages of the source. Returns how
 * many dirty pages are clean now. No lock held but the purger's. */
static uint64_t
piece_decommit(struct qr_heap *heap, struct purge_piece *piece)
{
	const struct qr_page_source *source = heap->source;
	uint64_t grain = source->grain_bytes >> QR_PAGE_SHIFT;
	uint64_t first = qr_round_up(piece->page, grain);
	uint64_t end = qr_round_down(piece->page + piece->pages, grain);
	if (first >= end)
		return 0;
	int err = source->ops->decommit(source->ctx,
	    qr_heap_page_address(piece->region, first),
	    (size_t)(end - first) << QR_PAGE_SHIFT);
	if (err != 0)
		return 0;
	piece->page = first;
	piece->pages = end - first;
	return qr_heap_dirty_count(piece->region, first, end - first);
}

/* Purges one piece. The runs lock is held, and dropped for the call. */
static void
piece_purge(struct qr_heap *heap, const struct purge_piece *piece)
{
	struct purge_piece part = *piece;
	qr_heap_hint_dropped(heap, part.region, part.page, part.pages);
	qr_heap_unlock(heap, QR_HEAP_LOCK_RUNS);
	uint64_t clean = piece_decommit(heap, &part);
	qr_heap_lock(heap, QR_HEAP_LOCK_RUNS);
	if (clean != 0)
		qr_heap_dirty_set(part.region, part.page, part.pages, false);
	/* Relaxed: changed under the lock, read bare as hints. */
	atomic_fetch_sub_explicit(&heap->dirty, clean, memory_order_relaxed);
	atomic_fetch_add_explicit(&heap->purged, clean, memory_order_relaxed);
	qr_buddy_return_range(&piece->region->buddy, piece->page, piece->pages);
}

static size_t
dirty_pages(struct qr_heap *heap)
{
	return atomic_load_explicit(&heap->dirty, memory_order_relaxed);
}

/* Purges pieces of at least so many dirty pages until keep are left. */
static void
purge_pieces(struct qr_heap *heap, size_t keep, uint64_t least)
{
	unsigned regions = atomic_load_explicit(&heap->regions,
	    memory_order_acquire); /* pairs with region_publish */
	qr_heap_lock(heap, QR_HEAP_LOCK_RUNS);
	(void)qr_heap_kept_join(heap);
	for (unsigned i = regions; i-- > 0;) {
		struct qr_heap_region *region = heap->region[i];
		struct purge_piece piece;
		uint64_t cursor = region->used_pages;
		while (dirty_pages(heap) > keep &&
		       piece_take(region, &cursor, least, &piece))
			piece_purge(heap, &piece);
	}
	qr_heap_unlock(heap, QR_HEAP_LOCK_RUNS);
}

void
qr_heap_purge_to(struct qr_heap *heap, size_t keep)
{
	if (heap->source->ops->decommit == NULL)
		return;
	qr_heap_lock(heap, QR_HEAP_LOCK_PURGE);
	purge_pieces(heap, keep, 1);
	qr_heap_unlock(heap, QR_HEAP_LOCK_PURGE);
}

/* Pages that the program may want again soon: given back since the highest
 * point of this tick and the last, or purged in vain. Ends the tick if it is
 * over. */
static size_t
purge_demand(struct qr_heap *heap, bool tick_over, bool idle)
{
	qr_heap_lock(heap, QR_HEAP_LOCK_RUNS);
	size_t held = atomic_load_explicit(&heap->held, memory_order_relaxed);
	size_t peak = qr_max(heap->tick_peak, heap->tick_peak_before);
	size_t again = heap->tick_again + heap->tick_again_before;
	if (tick_over) {
		heap->tick_peak_before = heap->tick_peak;
		heap->tick_peak = held;
		/* While the program works it would only prove it again. */
		size_t fades = heap->tick_again_before -
			       heap->tick_again_before / AGAIN_FADE_PART;
		heap->tick_again_before =
		    idle ? heap->tick_again : qr_max(heap->tick_again, fades);
		heap->tick_again = 0;
	}
	qr_heap_unlock(heap, QR_HEAP_LOCK_RUNS);
	/* Pages that were never purged count as well where they lie below one
	 * that was used: no more than the peak can be wanted again. */
	return (peak > held ? peak - held : 0) + qr_min(again, peak);
}

/* keep_part: of what is dirty, the part that stays when a tick is over.
 * Purger's lock held. */
static void
purge_now(struct qr_heap *heap, bool tick_over, size_t keep_part)
{
	size_t held = atomic_load_explicit(&heap->held, memory_order_relaxed);
	size_t demand =
	    purge_demand(heap, tick_over, keep_part == PURGE_KEEP_PART_IDLE);
	size_t budget = demand + qr_max(PURGE_KEEP_MIN, held / 8);
	budget = qr_heap_limit_dirty(heap, budget);
	if (dirty_pages(heap) > budget)
		purge_pieces(heap, budget, PURGE_WORTH_PAGES);
	else if (tick_over)
		purge_pieces(heap,
		    qr_max(dirty_pages(heap) / keep_part, demand), 1);
	/* What is left above the budget lies in small pieces: not again. */
	size_t above = qr_max(dirty_pages(heap), budget) + PURGE_SLACK;
	/* Relaxed: a hint for qr_heap_purge_due. */
	atomic_store_explicit(&heap->purge_above, above, memory_order_relaxed);
}

void
qr_heap_purge_due(struct qr_heap *heap)
{
	/* Relaxed loads: whoever is late purges a little later. */
	size_t dirty = dirty_pages(heap);
	size_t above =
	    atomic_load_explicit(&heap->purge_above, memory_order_relaxed);
	uint64_t tick =
	    atomic_load_explicit(&heap->purge_tick, memory_order_relaxed);
	if (dirty == 0 || heap->source->ops->decommit == NULL)
		return;
	qr_heap_idle_notice(heap);
	uint64_t now = qr_heap_clock();
	bool tick_over = now - tick >= PURGE_TICK_NS;
	if (dirty <= above && !tick_over)
		return;
	if (!qr_heap_lock_try_acquire(&heap->lock[QR_HEAP_LOCK_PURGE]))
		return;
	if (tick_over)
		atomic_store_explicit(&heap->purge_tick, now,
		    memory_order_relaxed);
	purge_now(heap, tick_over, PURGE_KEEP_PART);
	qr_heap_unlock(heap, QR_HEAP_LOCK_PURGE);
}

void
qr_heap_purge_tick(struct qr_heap *heap)
{
	qr_heap_lock(heap, QR_HEAP_LOCK_PURGE);
	/* Relaxed: see qr_heap_purge_due. */
	atomic_store_explicit(&heap->purge_tick, qr_heap_clock(),
	    memory_order_relaxed);
	purge_now(heap, true, PURGE_KEEP_PART_IDLE);
	qr_heap_unlock(heap, QR_HEAP_LOCK_PURGE);
}
