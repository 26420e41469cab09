/* SPDX-License-Identifier: MIT */
/*
 * frame/watermark.c: how much stays free, for whom; see frame.c, part 5.
 */
#include "frame_impl.h"

/* Where min_free is derived: 4 * sqrt(usable KiB) in KiB, between these. The
 * square root, because what must stay free is bursts and other threads'
 * allocations in flight, which grow more slowly than memory does. */
#define MIN_FREE_KIB_LOW  128u
#define MIN_FREE_KIB_HIGH 262144u
#define PAGE_KIB          (QR_PAGE_SIZE / 1024)

/* Steps from min to low and from low to high: a quarter of min, but not less
 * than this share of memory, or background reclaim would start too late for
 * a large machine's bursts. In 1/10000; the default is the field's. */
#define SCALE_DEFAULT 10u
#define SCALE_WHOLE   10000u

/* How far mixed pageblocks raise the goal of background reclaim at most, in
 * SCALE_WHOLE of the high watermark; the field's. */
#define BOOST_DEFAULT 15000u

/* A reserve of more than this share would leave too little to work with. */
#define MIN_FREE_DIVISOR 4u

/* All CPUs' lists together hold no more than this share of a zone; a refill
 * moves a quarter of a list, at most PCP_BATCH_MAX. */
#define PCP_DIVISOR UINT64_C(64)

/* Relaxed reads throughout: the numbers are hints that were right a moment
 * ago, whoever must be exact looks again under the zone's lock. */
static uint64_t
hint(const _Atomic(uint64_t) *pages)
{
	return atomic_load_explicit(pages, memory_order_relaxed);
}

uint64_t
qr_watermark_floor(const struct qr_zone *zone, qr_gfp_t gfp)
{
	if ((gfp & QR_GFP_RESERVE) != 0)
		return 0;
	uint64_t min_pages = hint(&zone->min_pages);
	if ((gfp & QR_GFP_ATOMIC) != 0)
		min_pages /= 2;
	return min_pages + zone->reserve[qr_gfp_zone(gfp)];
}

uint64_t
qr_watermark_missing(const struct qr_zone *zone)
{
	uint64_t free_pages = hint(&zone->free_pages);
	uint64_t min_pages = hint(&zone->min_pages);
	return free_pages < min_pages ? min_pages - free_pages : 0;
}

bool
qr_watermark_is_low(const struct qr_zone *zone)
{
	return hint(&zone->free_pages) < hint(&zone->low_pages);
}

static uint64_t
square_root(uint64_t n)
{
	uint64_t root = 0;
	for (uint64_t bit = (uint64_t)1 << 31; bit != 0; bit >>= 1)
		if ((root | bit) * (root | bit) <= n)
			root |= bit;
	return root;
}

static uint64_t
derive_min(const struct qr_frames *frames, uint64_t usable)
{
	uint64_t pages = frames->min_free_pages;
	if (pages == 0) {
		uint64_t kib = 4 * square_root(usable * PAGE_KIB);
		if (kib < MIN_FREE_KIB_LOW)
			kib = MIN_FREE_KIB_LOW;
		if (kib > MIN_FREE_KIB_HIGH)
			kib = MIN_FREE_KIB_HIGH;
		pages = kib / PAGE_KIB;
	}
	return qr_min(pages, usable / MIN_FREE_DIVISOR);
}

/* The zone's part of pages, by its part of the memory. */
static uint64_t
zone_share(const struct qr_frames *frames, const struct qr_zone *zone,
    uint64_t pages)
{
	return pages * zone->pages / frames->total_pages;
}

static void
zone_update(struct qr_frames *frames, struct qr_zone *zone, uint64_t usable)
{
	uint64_t min_pages = derive_min(frames, usable);
	uint64_t scale = frames->watermark_scale != 0 ? frames->watermark_scale
						      : SCALE_DEFAULT;
	uint64_t step = qr_max(min_pages / 4, usable * scale / SCALE_WHOLE);
	uint64_t high = zone_share(frames, zone, usable) /
			(PCP_DIVISOR * frames->port->cpu_count);
	uint32_t pcp_high = (uint32_t)qr_min(qr_max(high, 1), PCP_MAX);
	uint32_t pcp_batch =
	    (uint32_t)qr_min(qr_max(pcp_high / 4, 1), PCP_BATCH_MAX);

	/* Relaxed: each number is sensible beside older ones of the others. */
	atomic_store_explicit(&zone->min_pages,
	    zone_share(frames, zone, min_pages), memory_order_relaxed);
	atomic_store_explicit(&zone->low_pages,
	    zone_share(frames, zone, min_pages + step), memory_order_relaxed);
	atomic_store_explicit(&zone->high_pages,
	    zone_share(frames, zone, min_pages + 2 * step),
	    memory_order_relaxed);
	atomic_store_explicit(&zone->pcp_high, pcp_high, memory_order_relaxed);
	atomic_store_explicit(&zone->pcp_batch, pcp_batch,
	    memory_order_relaxed);
	for (unsigned cpu = 0; cpu < frames->port->cpu_count; cpu++)
		if (pcp_load(&zone->pcp[cpu].high) > pcp_high)
			pcp_store(&zone->pcp[cpu].high, pcp_high);
}

void
qr_watermark_update(struct qr_frames *frames, uint64_t more_balloon)
{
	uint64_t given = frames->total_pages - frames->boot_pages;
	/* One zone's lock keeps calls apart, so that the last one to read the
	 * balloon's size is the last one to write. */
	qr_lock_acquire(frames->port, &frames->zone[0].lock);
	uint64_t balloon = hint(&frames->balloon_pages) + more_balloon;
	for (unsigned i = 0; i < frames->zone_count; i++)
		zone_update(frames, &frames->zone[i],
		    given - qr_min(balloon, given));
	qr_lock_release(frames->port, &frames->zone[0].lock);
}

/* --- as others see it --- */

uint64_t
qr_frame_usable(const struct qr_frames *frames)
{
	uint64_t given = frames->total_pages - frames->boot_pages;
	return given - qr_min(hint(&frames->balloon_pages), given);
}

/* Free pages that an allocation from any class may count on. */
static uint64_t
free_pages(const struct qr_frames *frames)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < frames->zone_count; i++) {
		const struct qr_zone *zone = &frames->zone[i];
		uint64_t pages = hint(&zone->free_pages);
		sum += pages - qr_min(pages, zone->reserve[QR_ZONE_MOVABLE]);
	}
	return sum;
}

struct qr_watermarks
qr_frame_watermarks(const struct qr_frames *frames)
{
	struct qr_watermarks sum = { 0 };
	for (unsigned i = 0; i < frames->zone_count; i++) {
		const struct qr_zone *zone = &frames->zone[i];
		sum.min_pages += hint(&zone->min_pages);
		sum.low_pages += hint(&zone->low_pages);
		sum.high_pages += hint(&zone->high_pages);
	}
	return sum;
}

uint64_t
qr_frame_total_reserve(const struct qr_frames *frames)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < frames->zone_count; i++) {
		const struct qr_zone *zone = &frames->zone[i];
		uint64_t most = 0;
		for (unsigned class = 0; class < QR_ZONE_CLASSES; class ++)
			most = qr_max(most, zone->reserve[class]);
		sum += qr_min(most + hint(&zone->high_pages), zone->pages);
	}
	return sum;
}

bool
qr_frame_below_min(const struct qr_frames *frames)
{
	return free_pages(frames) < qr_frame_watermarks(frames).min_pages;
}

/* --- boost --- */

void
qr_watermark_boost(struct qr_frames *frames, struct qr_zone *zone)
{
	uint64_t scale =
	    frames->boost_scale != 0 ? frames->boost_scale : BOOST_DEFAULT;
	uint64_t high = hint(&zone->high_pages);
	/* Where pages can't be moved no room helps; and a zone of a few
	 * pageblocks would be emptied for one. */
	if (frames->ops == NULL || frames->ops->migrate == NULL ||
	    scale == UINT64_MAX || zone->pages < 4 * BLOCK_PAGES)
		return;
	uint64_t boost = qr_min(hint(&zone->boost_pages) + BLOCK_PAGES,
	    high * scale / SCALE_WHOLE);
	/* Relaxed: written under the lock, or set to 0. */
	atomic_store_explicit(&zone->boost_pages, boost, memory_order_relaxed);
	FRAME_TRACE(frames, BOOST, zone->index, boost, high);
}

void
qr_frame_unboost(struct qr_frames *frames)
{
	for (unsigned i = 0; i < frames->zone_count; i++)
		atomic_store_explicit(&frames->zone[i].boost_pages, 0,
		    memory_order_relaxed);
}

static uint64_t
boost_sum(const struct qr_frames *frames)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < frames->zone_count; i++)
		sum += hint(&frames->zone[i].boost_pages);
	return sum;
}

bool
qr_frame_below_low(const struct qr_frames *frames)
{
	return free_pages(frames) <
	       qr_frame_watermarks(frames).low_pages + boost_sum(frames);
}

bool
qr_frame_below_high(const struct qr_frames *frames)
{
	return free_pages(frames) <
	       qr_frame_watermarks(frames).high_pages + boost_sum(frames);
}

uint64_t
qr_frame_want(const struct qr_frames *frames)
{
	uint64_t high =
	    qr_frame_watermarks(frames).high_pages + boost_sum(frames);
	return high - qr_min(high, free_pages(frames));
}

void
qr_watermark_signal(struct qr_frames *frames)
{
	if (frames->ops != NULL && qr_frame_below_low(frames))
		frames->ops->low(frames->ops_ctx);
}
