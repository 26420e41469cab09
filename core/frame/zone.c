/* SPDX-License-Identifier: MIT */
/*
 * frame/zone.c: what happens under a zone's lock: frames move between its
 * buddy, its balloon, the CPUs' lists and their users.
 */
#include "frame_impl.h"

/* Lets everybody see how much is free. Zone's lock held. */
static void
zone_publish(const struct qr_frames *frames, struct qr_zone *zone)
{
	if (QR_CONFIG_DEBUG)
		qr_lock_assert_held(frames->port, &zone->lock);
	/* Relaxed: readers decide nothing by it that must be exact. */
	atomic_store_explicit(&zone->free_pages, zone->buddy.free_units,
	    memory_order_relaxed);
}

bool
qr_zone_take(struct qr_frames *frames, struct qr_zone *zone, qr_gfp_t gfp,
    unsigned order, uint64_t *first)
{
	uint64_t unit;
	uint64_t left = qr_watermark_floor(zone, gfp) + ((uint64_t)1 << order);
	qr_lock_acquire(frames->port, &zone->lock);
	bool is_taken = zone->buddy.free_units >= left &&
			qr_buddy_alloc(&zone->buddy, order, &unit) == 0;
	if (is_taken) {
		*first = zone->base + unit;
		zone_publish(frames, zone);
	}
	qr_lock_release(frames->port, &zone->lock);
	return is_taken;
}

void
qr_zone_put(struct qr_frames *frames, struct qr_zone *zone, uint64_t first,
    unsigned order)
{
	qr_lock_acquire(frames->port, &zone->lock);
	(void)qr_buddy_free(&zone->buddy, first - zone->base, order);
	zone_publish(frames, zone);
	qr_lock_release(frames->port, &zone->lock);
}

/* How many frames a list may get at once: what the reserve allows goes to
 * the one who asks and is not left on a list for everybody. */
static uint32_t
refill_count(const struct qr_zone *zone, qr_gfp_t gfp)
{
	uint64_t free_pages = zone->buddy.free_units;
	uint64_t plain =
	    qr_watermark_floor(zone, gfp & ~(QR_GFP_ATOMIC | QR_GFP_RESERVE));
	if (free_pages > plain) {
		uint32_t batch = atomic_load_explicit(&zone->pcp_batch,
		    memory_order_relaxed); /* any recent value will do */
		return (uint32_t)qr_min(batch, free_pages - plain);
	}
	return free_pages > qr_watermark_floor(zone, gfp) ? 1 : 0;
}

/* Puts what has been laid down on the low stack where it belongs. */
static void
refill_sort(struct qr_frames *frames, struct qr_pcp *pcp, uint32_t count)
{
	uint32_t bare = 0;
	/* Relaxed: above the mark no descriptor is read. */
	uint64_t end =
	    atomic_load_explicit(&frames->home_end, memory_order_relaxed);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t index = pcp->frames[i];
		if (index < end && page_is_home(&frames->pages[index]))
			pcp->frames[PCP_MAX - ++pcp->home] = index;
		else
			pcp->frames[bare++] = index;
	}
}
_Static_assert(PCP_BATCH_MAX <= PCP_MAX / 2, "a refill can be sorted in place");

uint32_t
qr_zone_refill(struct qr_frames *frames, struct qr_zone *zone,
    struct qr_pcp *pcp, qr_gfp_t gfp)
{
	uint32_t had = pcp->home;
	qr_lock_acquire(frames->port, &zone->lock);
	uint32_t count = refill_count(zone, gfp);
	/* From the end, so that the lowest is used first. */
	for (uint32_t i = count; i-- > 0;) {
		uint64_t unit = 0;
		int error = qr_buddy_alloc(&zone->buddy, 0, &unit);
		QR_ASSERT(error == 0, "%u of %llu free pages: error %d", count,
		    (unsigned long long)zone->buddy.free_units, error);
		pcp->frames[i] = (uint32_t)(zone->base + unit);
	}
	if (count != 0)
		zone_publish(frames, zone);
	qr_lock_release(frames->port, &zone->lock);
	if ((gfp & QR_GFP_USER) != 0)
		qr_home_release_all(frames, pcp->frames, count);
	else
		refill_sort(frames, pcp, count);
	count += had;
	atomic_store_explicit(&pcp->count, count, memory_order_relaxed);
	return count;
}

static void
spill_some(const struct qr_zone *zone, struct qr_buddy *buddy,
    const uint32_t *indexes, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		(void)qr_buddy_free(buddy, indexes[i] - zone->base, 0);
}

void
qr_zone_spill(struct qr_frames *frames, struct qr_zone *zone,
    struct qr_pcp *pcp, uint32_t of_bare, uint32_t of_home)
{
	uint32_t had = atomic_load_explicit(&pcp->count, memory_order_relaxed);
	uint32_t bare = had - pcp->home;
	uint32_t *frame = pcp->frames;
	QR_ASSERT(of_bare <= bare && of_home <= pcp->home,
	    "%u of %u frames and %u of %u", of_bare, bare, of_home, pcp->home);
	qr_lock_acquire(frames->port, &zone->lock);
	spill_some(zone, &zone->buddy, frame, of_bare);
	spill_some(zone, &zone->buddy, &frame[PCP_MAX - of_home], of_home);
	zone_publish(frames, zone);
	qr_lock_release(frames->port, &zone->lock);
	__builtin_memmove(frame, &frame[of_bare],
	    (bare - of_bare) * sizeof(*frame));
	uint32_t top = PCP_MAX - pcp->home;
	pcp->home -= of_home;
	__builtin_memmove(&frame[top + of_home], &frame[top],
	    pcp->home * sizeof(*frame));
	atomic_store_explicit(&pcp->count, had - of_bare - of_home,
	    memory_order_relaxed);
}

void
qr_zone_lend(struct qr_frames *frames, struct qr_zone *zone, uint64_t first,
    unsigned order)
{
	qr_lock_acquire(frames->port, &zone->lock);
	(void)qr_buddy_free(&zone->balloon, first - zone->base, order);
	qr_lock_release(frames->port, &zone->lock);
	atomic_fetch_add(&frames->balloon_pages, (uint64_t)1 << order);
}

bool
qr_zone_recall(struct qr_frames *frames, struct qr_zone *zone, unsigned order,
    uint64_t *first)
{
	uint64_t unit;
	qr_lock_acquire(frames->port, &zone->lock);
	bool is_taken = qr_buddy_alloc(&zone->balloon, order, &unit) == 0;
	qr_lock_release(frames->port, &zone->lock);
	if (!is_taken)
		return false;
	atomic_fetch_sub(&frames->balloon_pages, (uint64_t)1 << order);
	*first = zone->base + unit;
	return true;
}
