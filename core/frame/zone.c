/* SPDX-License-Identifier: MIT */
/*
 * frame/zone.c: what happens under a zone's lock: frames move between its
 * buddy, its balloon, the CPUs' lists and their users.
 */
#include "frame_impl.h"

/* All can see the sum. */
void
qr_zone_count(const struct qr_frames *frames, struct qr_zone *zone,
    int64_t units)
{
	if (QR_CONFIG_DEBUG)
		qr_lock_assert_held(frames->port, &zone->lock);
	/* Relaxed: readers decide nothing by it that must be exact, and who
	 * writes has the lock. */
	uint64_t now = (uint64_t)units + atomic_load_explicit(&zone->free_pages,
					     memory_order_relaxed);
	atomic_store_explicit(&zone->free_pages, now, memory_order_relaxed);
}

bool
qr_zone_knows(const struct qr_zone *zone, uint64_t unit)
{
	unsigned type = zone->block_type[unit >> BLOCK_ORDER];
	return qr_buddy_is_free(&zone->buddy[type], unit, NULL) ||
	       qr_buddy_is_free(&zone->balloon, unit, NULL);
}

/*
 * Whose pageblocks the request is served from. A zone that has fewer of them
 * than there are types is not parted, unless some are set aside: nearly each
 * request would have to take another type's.
 */
static enum qr_migrate_type
zone_type_of(const struct qr_zone *zone, qr_gfp_t gfp)
{
	return zone->end - zone->base < QR_MIGRATE_TYPES * BLOCK_PAGES &&
		       !zone->has_contig
		   ? QR_MIGRATE_MOVABLE
		   : qr_gfp_migrate_type(gfp);
}

/* Free units that may become pages of the type. Zone's lock held. */
static uint64_t
zone_free_for(const struct qr_zone *zone, enum qr_migrate_type type)
{
	uint64_t units = atomic_load_explicit(&zone->free_pages,
	    memory_order_relaxed); /* as in qr_zone_count */
	if (type != QR_MIGRATE_MOVABLE)
		units -= zone->buddy[QR_MIGRATE_CONTIG].free_units;
	return units;
}

/* Gives a block back; returns how many units can be allocated by it. Zone's
 * lock held. */
static int64_t
zone_give(struct qr_zone *zone, uint64_t index, unsigned order)
{
	uint64_t unit = index - zone->base;
	unsigned type = zone->block_type[unit >> BLOCK_ORDER];
	(void)qr_buddy_free(&zone->buddy[type], unit, order);
	return type == QR_MIGRATE_ISOLATE ? 0 : (int64_t)1 << order;
}

bool
qr_zone_take(struct qr_frames *frames, struct qr_zone *zone, qr_gfp_t gfp,
    unsigned order, uint64_t *first)
{
	uint64_t unit;
	enum qr_migrate_type type = zone_type_of(zone, gfp);
	uint64_t left = qr_watermark_floor(zone, gfp) + ((uint64_t)1 << order);
	qr_lock_acquire(frames->port, &zone->lock);
	bool is_taken = zone_free_for(zone, type) >= left &&
			qr_block_take(frames, zone, type, order, &unit);
	if (is_taken) {
		*first = zone->base + unit;
		qr_zone_count(frames, zone, -((int64_t)1 << order));
	}
	qr_lock_release(frames->port, &zone->lock);
	return is_taken;
}

void
qr_zone_put(struct qr_frames *frames, struct qr_zone *zone, uint64_t first,
    unsigned order)
{
	qr_lock_acquire(frames->port, &zone->lock);
	qr_zone_count(frames, zone, zone_give(zone, first, order));
	qr_lock_release(frames->port, &zone->lock);
}

/* How many frames a list may get at once: what the reserve allows goes to
 * the one who asks and is not left on a list for everybody. */
static uint32_t
refill_count(const struct qr_zone *zone, qr_gfp_t gfp)
{
	uint64_t free_pages = zone_free_for(zone, zone_type_of(zone, gfp));
	uint64_t plain =
	    qr_watermark_floor(zone, gfp & ~(QR_GFP_ATOMIC | QR_GFP_RESERVE));
	if (free_pages > plain) {
		uint32_t batch = atomic_load_explicit(&zone->pcp_batch,
		    memory_order_relaxed); /* any recent value will do */
		return (uint32_t)qr_min(batch, free_pages - plain);
	}
	return free_pages > qr_watermark_floor(zone, gfp) ? 1 : 0;
}

uint32_t
qr_zone_take_singles(struct qr_frames *frames, struct qr_zone *zone,
    qr_gfp_t gfp, uint32_t *indexes, uint32_t count)
{
	qr_lock_acquire(frames->port, &zone->lock);
	count = (uint32_t)qr_min(count, refill_count(zone, gfp));
	uint32_t got = qr_block_take_singles(frames, zone,
	    zone_type_of(zone, gfp), indexes, count);
	QR_ASSERT(got == count, "%u frames of %u and %llu free pages", got,
	    count, (unsigned long long)atomic_load(&zone->free_pages));
	qr_zone_count(frames, zone, -(int64_t)count);
	qr_lock_release(frames->port, &zone->lock);
	/* The lowest came first. */
	for (uint32_t i = 0; i < count / 2; i++) {
		uint32_t low = indexes[i];
		indexes[i] = indexes[count - 1 - i];
		indexes[count - 1 - i] = low;
	}
	return count;
}

void
qr_zone_put_singles(struct qr_frames *frames, struct qr_zone *zone,
    const uint32_t *indexes, uint32_t count)
{
	int64_t units = 0;
	qr_lock_acquire(frames->port, &zone->lock);
	for (uint32_t i = 0; i < count; i++)
		units += zone_give(zone, indexes[i], 0);
	qr_zone_count(frames, zone, units);
	qr_lock_release(frames->port, &zone->lock);
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
