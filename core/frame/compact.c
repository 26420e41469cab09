/* SPDX-License-Identifier: MIT */
/*
 * frame/compact.c: larger blocks out of memory that is in pieces, by moving
 * mapped and cached pages out of the way; see frame.c, part 5.
 *
 * 1. One way for all. A range of frames is taken: what is free of it comes off
 * its buddy, and what mapped pages have is moved elsewhere, until the taker has
 * all of it or meets a page that can't be moved; then all goes back. A large
 * allocation takes the range that costs least and keeps it; the background
 * takes it and frees it, whole; a contiguous run of any length and memory that
 * is to be removed are ranges too.
 *
 *	range:   free  user  free  user  user
 *	          |     |     |     |     |
 *	          v     v     v     v     v       user pages: to frames outside
 *	        [held][held][held][held][held]
 *
 * A piece that is taken can't be where a page is moved to, nor be allocated by
 * others, so each pass makes progress or ends. Frames that their owners free
 * meanwhile come by the buddy or the CPUs' lists, and are taken by the next
 * pass; there are PASSES of them.
 *
 * 2. Which range. None, unless the zone's smaller free blocks together would
 * make one: the pages go into those. Ranges with a frame that is neither free
 * nor mapped or cached are left out; of the others, the first that has few
 * pages to move (an eighth), else the one that has fewest, but less than half.
 * The search goes on from where the last one ended, so that a page which can't
 * be moved is not tried each time.
 *
 * 3. Giving up. A zone in which it failed is left alone for the next 1, 2, 4 ...
 * 64 attempts. Pages on no list of the policy (locked, about to come or go) and
 * pinned ones say -QR_EPERM: the range is hopeless. Busy ones say -QR_EBUSY.
 *
 * Locks: the zone's is held for one pageblock at a time; none while a page is
 * moved.
 */
#include "frame_impl.h"

#include "port_inline.h"

/* Passes over a range before it is given up. */
#define PASSES 4u

/* Failures after which the pause does not grow any more. */
#define COMPACT_DEFER_MAX 6u

/* Ranges that one call begins at most. */
#define TRIES 3u

/* A part of a range within one pageblock. */
struct chunk {
	struct qr_zone *zone;
	uint64_t first;                      /* unit */
	uint64_t count;                      /* at most BLOCK_PAGES */
	uint64_t held[BLOCK_PAGES / 64 + 1]; /* bit i: unit first + i is ours */
	uint64_t held_count;
};

/* --- what is ours --- */

static bool
chunk_has(const struct chunk *chunk, uint64_t unit)
{
	uint64_t at = unit - chunk->first;
	return (chunk->held[at / 64] >> (at % 64) & 1) != 0;
}

static void
chunk_hold(struct chunk *chunk, uint64_t unit)
{
	uint64_t at = unit - chunk->first;
	QR_ASSERT(!chunk_has(chunk, unit), "unit %llu is held already",
	    (unsigned long long)unit);
	chunk->held[at / 64] |= (uint64_t)1 << (at % 64);
	chunk->held_count++;
}

static bool
chunk_covers(const struct chunk *chunk, uint64_t unit)
{
	return unit - chunk->first < chunk->count;
}

/* Counts units that can be allocated no more, or again. Zone's lock held. */
static void
chunk_count(const struct chunk *chunk, uint64_t unit, int64_t units)
{
	struct qr_zone *zone = chunk->zone;
	if (zone->block_type[unit >> BLOCK_ORDER] == QR_MIGRATE_ISOLATE)
		return;
	/* Relaxed: as in zone.c. */
	uint64_t now = (uint64_t)units + atomic_load_explicit(&zone->free_pages,
					     memory_order_relaxed);
	atomic_store_explicit(&zone->free_pages, now, memory_order_relaxed);
}

/* Takes all that is free of the chunk off its buddy. */
static void
chunk_take_free(struct qr_frames *frames, struct chunk *chunk)
{
	uint64_t end = chunk->first + chunk->count;
	unsigned order;
	qr_lock_acquire(frames->port, &chunk->zone->lock);
	for (uint64_t at = chunk->first; at < end;) {
		struct qr_buddy *buddy = zone_buddy(chunk->zone, at);
		if (chunk_has(chunk, at) ||
		    !qr_buddy_is_free(buddy, at, &order)) {
			at++;
			continue;
		}
		uint64_t past =
		    qr_min(end, qr_round_down(at, (uint64_t)1 << order) +
				    ((uint64_t)1 << order));
		int error = qr_buddy_take_range(buddy, at, past - at);
		QR_ASSERT(error == 0, "[buddy.4] unit %llu: error %d",
		    (unsigned long long)at, error);
		chunk_count(chunk, at, -(int64_t)(past - at));
		for (; at < past; at++)
			chunk_hold(chunk, at);
	}
	qr_lock_release(frames->port, &chunk->zone->lock);
}

/* Gives back what is held. */
static void
chunk_release(struct qr_frames *frames, struct chunk *chunk)
{
	qr_lock_acquire(frames->port, &chunk->zone->lock);
	for (uint64_t i = 0; i < chunk->count; i++) {
		uint64_t unit = chunk->first + i;
		if (!chunk_has(chunk, unit))
			continue;
		(void)qr_buddy_free(zone_buddy(chunk->zone, unit), unit, 0);
		chunk_count(chunk, unit, 1);
	}
	qr_lock_release(frames->port, &chunk->zone->lock);
	__builtin_memset(chunk->held, 0, sizeof(chunk->held));
	chunk->held_count = 0;
}

/* --- moving pages --- */

/* A frame in use as a page's, of the chunk, becomes ours. */
static void
chunk_hold_page(struct qr_frames *frames, struct chunk *chunk,
    struct qr_page *page)
{
	enum qr_page_kind kind = qr_page_end(frames, page);
	qr_count_kind(frames, kind, -1);
	chunk_hold(chunk, page_index(frames, page) - chunk->zone->base);
}

/* A frame outside of the chunk to move a page to; those inside become ours.
 * What objects have is in the direct map. */
static struct qr_page *
target_alloc(struct qr_frames *frames, struct chunk *chunk,
    enum qr_page_kind kind)
{
	qr_gfp_t gfp = kind == QR_PAGE_USER ? QR_GFP_USER : QR_GFP_RECLAIMABLE;
	for (;;) {
		struct qr_page *to = qr_frame_alloc(frames, gfp, 0, kind);
		if (to == NULL || !chunk_covers(chunk, page_index(frames, to) -
							   chunk->zone->base))
			return to;
		/* At most once for each unit of the chunk. */
		chunk_hold_page(frames, chunk, to);
	}
}

/* Relaxed counters: statistics. */
static void
count_one(_Atomic(uint64_t) *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static int
chunk_move_one(struct qr_frames *frames, struct chunk *chunk,
    struct qr_page *page, enum qr_page_kind kind)
{
	struct qr_page *to = target_alloc(frames, chunk, kind);
	if (to == NULL)
		return -QR_ENOMEM;
	int error = frames->ops->migrate(frames->ops_ctx, page, to);
	FRAME_TRACE(frames, PAGE_MOVE, frames_pfn(frames, page),
	    frames_pfn(frames, to), -error);
	if (error != 0) {
		count_one(error == -QR_EPERM ? &frames->compact.pinned
					     : &frames->compact.busy);
		qr_frame_free(frames, to);
		return error;
	}
	count_one(&frames->compact.moved);
	chunk_hold_page(frames, chunk, page);
	return 0;
}

/* Moves what mapped pages are left in the chunk. -QR_EPERM: there is one that
 * can't be, or a page of another use. */
static int
chunk_move_all(struct qr_frames *frames, struct chunk *chunk)
{
	int worst = 0;
	for (uint64_t i = 0; i < chunk->count; i++) {
		uint64_t unit = chunk->first + i;
		if (chunk_has(chunk, unit))
			continue;
		struct qr_page *page = &frames->pages[chunk->zone->base + unit];
		/* Relaxed: a hint. */
		uint8_t kind =
		    atomic_load_explicit(&page->kind, memory_order_relaxed);
		if (kind == QR_PAGE_FREE)
			continue; /* about to be used, or on a list */
		if (!page_kind_moves(kind))
			return -QR_EPERM;
		int error = chunk_move_one(frames, chunk, page,
		    (enum qr_page_kind)kind);
		if (error == -QR_ENOMEM || error == -QR_EPERM)
			return error;
		if (error != 0)
			worst = error;
	}
	return worst;
}

/* Takes the whole chunk, or nothing. */
static int
chunk_take(struct qr_frames *frames, struct chunk *chunk)
{
	int error = 0;
	for (unsigned pass = 0; pass < PASSES; pass++) {
		chunk_take_free(frames, chunk);
		if (chunk->held_count == chunk->count)
			return 0;
		error = chunk_move_all(frames, chunk);
		if (chunk->held_count == chunk->count)
			return 0;
		if (error == -QR_EPERM || error == -QR_ENOMEM)
			break;
		qr_frame_drain(frames);
	}
	chunk_release(frames, chunk);
	return error != 0 ? error : -QR_EBUSY;
}

/* --- ranges --- */

/* Gives back units that have been taken. */
static void
range_release(struct qr_frames *frames, struct qr_zone *zone, uint64_t first,
    uint64_t end)
{
	struct chunk chunk = { .zone = zone };
	while (first < end) {
		chunk.first = first;
		chunk.count =
		    qr_min(end, (first | (BLOCK_PAGES - 1)) + 1) - first;
		for (uint64_t i = 0; i < chunk.count; i++)
			chunk_hold(&chunk, first + i);
		first += chunk.count;
		chunk_release(frames, &chunk);
	}
}

int
qr_contig_take(struct qr_frames *frames, struct qr_zone *zone, uint64_t first,
    uint64_t count)
{
	uint64_t at = first - zone->base;
	uint64_t end = at + count;
	int error = 0;
	while (at < end && error == 0) {
		uint64_t past = qr_min(end, (at | (BLOCK_PAGES - 1)) + 1);
		struct chunk chunk = {
			.zone = zone,
			.first = at,
			.count = past - at,
		};
		error = chunk_take(frames, &chunk);
		if (error == 0)
			at = past;
	}
	if (error != 0)
		range_release(frames, zone, first - zone->base, at);
	count_one(error == 0 ? &frames->compact.made : &frames->compact.failed);
	FRAME_TRACE(frames, RUN_TAKE, frames_pfn_at(frames, first), count,
	    -error);
	return error;
}

/* --- which range --- */

/* Pages to move out of a range, which lies in one pageblock; UINT64_MAX: it
 * has others than free and mapped ones. Zone's lock held; a guess for what is
 * not free. */
static uint64_t
range_cost(const struct qr_frames *frames, struct qr_zone *zone, uint64_t first,
    uint64_t count)
{
	uint64_t end = first + count;
	uint64_t cost = 0;
	unsigned order;
	for (uint64_t at = first; at < end;) {
		if (qr_buddy_is_free(zone_buddy(zone, at), at, &order)) {
			at = qr_round_down(at, (uint64_t)1 << order) +
			     ((uint64_t)1 << order);
			continue;
		}
		const struct qr_page *page = &frames->pages[zone->base + at];
		if (!page_kind_moves(atomic_load_explicit(&page->kind,
			memory_order_relaxed)))
			return UINT64_MAX;
		cost++;
		at++;
	}
	return cost;
}

/* A search for the range of 1 << order frames that costs least. */
struct search {
	unsigned order;
	uint64_t best; /* unit */
	uint64_t cost; /* of it, pages */
};

/* True: the best is good enough. */
static bool
search_block(struct qr_frames *frames, struct qr_zone *zone, uint64_t block,
    struct search *search)
{
	uint64_t size = (uint64_t)1 << search->order;
	uint64_t start = block << BLOCK_ORDER;
	uint64_t end = qr_min(start + BLOCK_PAGES, zone->end - zone->base);
	if (zone->block_type[block] == QR_MIGRATE_ISOLATE)
		return false;
	for (uint64_t at = start; at + size <= end; at += size) {
		uint64_t cost = range_cost(frames, zone, at, size);
		/* A free block needs no compaction. */
		if (cost == 0 || cost >= search->cost)
			continue;
		search->best = at;
		search->cost = cost;
		if (cost <= size / 8)
			return true;
	}
	return false;
}

/* False: there is none that is worth it. */
static bool
search_range(struct qr_frames *frames, struct qr_zone *zone,
    struct search *search)
{
	uint64_t low = zone_first_block(zone);
	uint64_t blocks = zone_end_block(zone) - low;
	uint64_t limit = ((uint64_t)1 << search->order) / 2 + 1;
	search->cost = limit;
	for (uint64_t i = 0; i < blocks; i++) {
		qr_lock_acquire(frames->port, &zone->lock);
		uint64_t block = low + (zone->compact_hand - low) % blocks;
		zone->compact_hand = block + 1;
		bool is_found = search_block(frames, zone, block, search);
		qr_lock_release(frames->port, &zone->lock);
		if (is_found)
			break;
	}
	return search->cost < limit;
}

/* Whether the smaller free blocks that mapped pages are moved to make up one
 * of the order: else those pages would only break another one. */
static bool
has_fragments(struct qr_frames *frames, struct qr_zone *zone, unsigned order)
{
	uint64_t pages = 0;
	qr_lock_acquire(frames->port, &zone->lock);
	const struct qr_buddy *buddy = &zone->buddy[QR_MIGRATE_MOVABLE];
	for (unsigned at = 0; at < order; at++)
		pages += buddy->order[at].free_blocks << at;
	qr_lock_release(frames->port, &zone->lock);
	return pages >= (uint64_t)1 << order;
}

/* Takes a range of 1 << order frames; its first index. */
static bool
compact_take(struct qr_frames *frames, struct qr_zone *zone, unsigned order,
    uint64_t *first)
{
	struct search search = { .order = order };
	qr_frame_drain(frames);
	for (unsigned try = 0; try < TRIES; try++) {
		if (!has_fragments(frames, zone, order) ||
		    !search_range(frames, zone, &search))
			return false;
		*first = zone->base + search.best;
		if (qr_contig_take(frames, zone, *first,
			(uint64_t)1 << order) == 0)
			return true;
	}
	return false;
}

/* Whether the zone is to be left alone this time. */
static bool
compact_is_deferred(struct qr_frames *frames, struct qr_zone *zone)
{
	qr_lock_acquire(frames->port, &zone->lock);
	bool is_deferred = zone->compact_skip != 0;
	zone->compact_skip -= is_deferred;
	qr_lock_release(frames->port, &zone->lock);
	if (is_deferred)
		count_one(&frames->compact.skipped);
	return is_deferred;
}

static void
compact_note(struct qr_frames *frames, struct qr_zone *zone, bool made)
{
	qr_lock_acquire(frames->port, &zone->lock);
	if (made) {
		zone->compact_failed = 0;
	} else {
		zone->compact_skip = (uint32_t)1 << zone->compact_failed;
		if (zone->compact_failed < COMPACT_DEFER_MAX)
			zone->compact_failed++;
	}
	qr_lock_release(frames->port, &zone->lock);
}

struct qr_page *
qr_compact_alloc(struct qr_frames *frames, struct qr_zone *zone, unsigned order,
    enum qr_page_kind kind)
{
	uint64_t first;
	uint64_t free_pages =
	    atomic_load_explicit(&zone->free_pages, memory_order_relaxed);
	if (order >= QR_FRAME_ORDERS ||
	    free_pages < qr_watermark_floor(zone, 0) + ((uint64_t)2 << order))
		return NULL;
	if (compact_is_deferred(frames, zone)) {
		atomic_store(&frames->compact_wanted, order);
		return NULL;
	}
	bool made = compact_take(frames, zone, order, &first);
	compact_note(frames, zone, made);
	if (!made) {
		atomic_store(&frames->compact_wanted, order);
		return NULL;
	}
	struct qr_page *page = &frames->pages[first];
	qr_count_kind(frames, kind, (int64_t)1 << order);
	qr_page_begin(frames, zone, page, order, kind);
	return page;
}

/* --- for others --- */

size_t
qr_frame_compact(struct qr_frames *frames, unsigned order, size_t blocks)
{
	size_t made = 0;
	QR_ASSERT(order < QR_FRAME_ORDERS, "order %u", order);
	if (frames->ops == NULL || frames->ops->migrate == NULL)
		return 0;
	for (unsigned i = 0; i < frames->zone_count; i++) {
		struct qr_zone *zone = &frames->zone[i];
		uint64_t first;
		while (made < blocks &&
		       compact_take(frames, zone, order, &first)) {
			range_release(frames, zone, first - zone->base,
			    first - zone->base + ((uint64_t)1 << order));
			compact_note(frames, zone, true);
			made++;
		}
	}
	return made;
}

unsigned
qr_frame_compact_wanted(struct qr_frames *frames)
{
	return atomic_exchange(&frames->compact_wanted, 0);
}

/* What run is wanted. */
struct run_request {
	uint64_t count; /* frames */
	uint64_t step;  /* from one place to try to the next */
	bool set_aside; /* in pageblocks that are */
};

/* Whether a run might do: it begins in such a pageblock, and there is nothing
 * in it but free and mapped frames. */
static bool
run_is_possible(struct qr_frames *frames, struct qr_zone *zone, uint64_t first,
    const struct run_request *run)
{
	uint64_t end = first + run->count;
	bool is_possible = true;
	for (uint64_t at = first; is_possible && at < end;) {
		uint64_t past = qr_min(end, (at | (BLOCK_PAGES - 1)) + 1);
		qr_lock_acquire(frames->port, &zone->lock);
		uint8_t type = zone->block_type[at >> BLOCK_ORDER];
		is_possible =
		    type != QR_MIGRATE_ISOLATE &&
		    (at != first ||
			(type == QR_MIGRATE_CONTIG) == run->set_aside) &&
		    range_cost(frames, zone, at, past - at) != UINT64_MAX;
		qr_lock_release(frames->port, &zone->lock);
		at = past;
	}
	return is_possible;
}

/* A run in the zone, in pageblocks that are set aside for it or in others.
 * Index of its first frame. */
static bool
run_take(struct qr_frames *frames, struct qr_zone *zone,
    const struct run_request *run, uint64_t *first)
{
	uint64_t step = run->step;
	uint64_t count = run->count;
	uint64_t start = qr_round_up(zone->first, step) - zone->base;
	uint64_t end = zone->end - zone->base;
	for (uint64_t at = start; at + count <= end; at += step) {
		*first = zone->base + at;
		/* Neighbours here may be far apart where memory has gaps. */
		if (frames_pfn_at(frames, *first + count - 1) -
			frames_pfn_at(frames, *first) !=
		    count - 1)
			continue;
		if (run_is_possible(frames, zone, at, run) &&
		    qr_contig_take(frames, zone, *first, count) == 0)
			return true;
	}
	return false;
}

struct qr_page *
qr_frame_alloc_contig(struct qr_frames *frames, qr_gfp_t gfp, uint64_t count,
    unsigned align_order, enum qr_page_kind kind)
{
	uint32_t node = qr_node_of_cpu(frames, qr_port_cpu(frames->port));
	const struct zonelist *list = &frames->list[node][qr_gfp_zone(gfp)];
	struct qr_zone *zone = NULL;
	uint64_t first = 0;
	bool is_taken = false;
	QR_ASSERT(count != 0 && align_order <= BLOCK_ORDER,
	    "%llu frames, aligned to order %u", (unsigned long long)count,
	    align_order);
	if (frames->ops == NULL || frames->ops->migrate == NULL)
		return NULL;
	/* Every place would do, but each costs a look. */
	unsigned apart = qr_order_of(count);
	apart = (unsigned)qr_min(qr_max(apart, align_order), BLOCK_ORDER);
	qr_frame_drain(frames);
	for (unsigned i = 0; i < 2u * list->count && !is_taken; i++) {
		zone = &frames->zone[list->zone[i / 2]];
		const struct run_request run = {
			.count = count,
			.step = (uint64_t)1 << apart,
			.set_aside = i % 2 == 0,
		};
		is_taken = run_take(frames, zone, &run, &first);
	}
	if (!is_taken)
		return NULL;
	qr_count_kind(frames, kind, (int64_t)count);
	for (uint64_t i = 0; i < count; i++)
		qr_page_begin(frames, zone, &frames->pages[first + i], 0, kind);
	return &frames->pages[first];
}

void
qr_frame_free_contig(struct qr_frames *frames, struct qr_page *page,
    uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		qr_frame_free(frames, &page[i]);
}

void
qr_frame_compact_stat(const struct qr_frames *frames,
    struct qr_compact_stat *stat)
{
	/* Relaxed: statistics. */
	*stat = (struct qr_compact_stat){
		.moved = atomic_load_explicit(&frames->compact.moved,
		    memory_order_relaxed),
		.pinned = atomic_load_explicit(&frames->compact.pinned,
		    memory_order_relaxed),
		.busy = atomic_load_explicit(&frames->compact.busy,
		    memory_order_relaxed),
		.made = atomic_load_explicit(&frames->compact.made,
		    memory_order_relaxed),
		.failed = atomic_load_explicit(&frames->compact.failed,
		    memory_order_relaxed),
		.skipped = atomic_load_explicit(&frames->compact.skipped,
		    memory_order_relaxed),
	};
}
