/* SPDX-License-Identifier: MIT */
/*
 * frame/stat.c: how many frames are used for what.
 *
 * A count is in two parts, what all can see and what each CPU has not told
 * yet, so that counting touches no line that other CPUs write. A CPU tells when
 * its list is refilled or full. So a peak is seen to within the frames that it
 * has used since.
 */
#include "frame_impl.h"

void
qr_count_kind(struct qr_frames *frames, enum qr_page_kind kind, int64_t pages)
{
	/* Relaxed: nothing else is learnt from a count. */
	int64_t now =
	    pages + atomic_fetch_add_explicit(&frames->kind_pages[kind], pages,
			memory_order_relaxed);
	_Atomic(int64_t) *peak = &frames->kind_peak[kind];
	int64_t seen = atomic_load_explicit(peak, memory_order_relaxed);
	while (
	    seen < now && !atomic_compare_exchange_weak_explicit(peak, &seen,
			      now, memory_order_relaxed, memory_order_relaxed))
		continue;
}

void
qr_count_flush(struct qr_frames *frames, struct qr_pcp *pcp)
{
	for (unsigned kind = 0; kind < QR_PAGE_KINDS; kind++) {
		/* Relaxed: the caller's, while it is inside. */
		int64_t delta = atomic_load_explicit(&pcp->delta[kind],
		    memory_order_relaxed);
		if (delta == 0)
			continue;
		atomic_store_explicit(&pcp->delta[kind], 0,
		    memory_order_relaxed);
		qr_count_kind(frames, (enum qr_page_kind)kind, delta);
	}
}

/* Not below zero, as a racy sum may be for a moment. */
static uint64_t
kind_sum(const struct qr_frames *frames, enum qr_page_kind kind)
{
	int64_t sum = atomic_load_explicit(&frames->kind_pages[kind],
	    memory_order_relaxed);
	for (unsigned i = 0; i < frames->zone_count; i++)
		for (unsigned cpu = 0; cpu < frames->port->cpu_count; cpu++)
			sum += atomic_load_explicit(
			    &frames->zone[i].pcp[cpu].delta[kind],
			    memory_order_relaxed);
	return sum > 0 ? (uint64_t)sum : 0;
}

static uint64_t
free_sum(const struct qr_frames *frames)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < frames->zone_count; i++) {
		const struct qr_zone *zone = &frames->zone[i];
		sum += atomic_load_explicit(&zone->free_pages,
		    memory_order_relaxed);
		for (unsigned cpu = 0; cpu < frames->port->cpu_count; cpu++)
			sum += pcp_count(&zone->pcp[cpu]);
	}
	return sum;
}

static uint64_t
kind_peak(const struct qr_frames *frames, enum qr_page_kind kind, uint64_t now)
{
	int64_t peak = atomic_load_explicit(&frames->kind_peak[kind],
	    memory_order_relaxed);
	return qr_max((uint64_t)peak, now);
}

void
qr_frame_stat(const struct qr_frames *frames, struct qr_frame_stat *stat)
{
	uint64_t user = kind_sum(frames, QR_PAGE_USER);
	uint64_t pool = kind_sum(frames, QR_PAGE_POOL);
	*stat = (struct qr_frame_stat){
		.total = frames->total_pages,
		.free = free_sum(frames),
		.user = user,
		.slab = kind_sum(frames, QR_PAGE_SLAB),
		.table = kind_sum(frames, QR_PAGE_TABLE),
		.pool = pool,
		.meta = frames->boot_pages + kind_sum(frames, QR_PAGE_META),
		.balloon = atomic_load_explicit(&frames->balloon_pages,
		    memory_order_relaxed),
		.kernel = kind_sum(frames, QR_PAGE_KERNEL),
		.cached = kind_sum(frames, QR_PAGE_CACHED),
		.home = atomic_load_explicit(&frames->home_pages,
		    memory_order_relaxed),
		.boot = frames->boot_pages,
		.user_peak = kind_peak(frames, QR_PAGE_USER, user),
		.pool_peak = kind_peak(frames, QR_PAGE_POOL, pool),
	};
}

/* --- zones --- */

unsigned
qr_frame_zone_count(const struct qr_frames *frames)
{
	return frames->zone_count;
}

/* From the first frame of the zone to the last, plugged or not. */
static void
zone_span(const struct qr_frames *frames, const struct qr_zone *zone,
    struct qr_zone_stat *stat)
{
	uint64_t slot = zone->first >> SECTION_SHIFT;
	qr_pfn_t end = 0;
	if (frames->slot_state == NULL || slot < frames->slot_plugged) {
		stat->pfn_start = frames_pfn_at(frames, zone->first);
		stat->spanned =
		    frames_pfn_at(frames, zone->end - 1) + 1 - stat->pfn_start;
		return;
	}
	stat->pfn_start = UINT64_MAX;
	for (; slot < frames->slot_count; slot++) {
		if (frames->section[slot] == SLOT_NONE)
			continue;
		qr_pfn_t first = frames_pfn_at(frames, slot << SECTION_SHIFT);
		stat->pfn_start = qr_min(stat->pfn_start, first);
		end = qr_max(end, first + SECTION_PAGES);
	}
	if (end == 0)
		stat->pfn_start = 0;
	stat->spanned = end - stat->pfn_start;
}

void
qr_frame_zone_stat(const struct qr_frames *frames, unsigned index,
    struct qr_zone_stat *stat)
{
	QR_ASSERT(index < frames->zone_count, "zone %u of %u", index,
	    frames->zone_count);
	const struct qr_zone *zone = &frames->zone[index];
	/* Relaxed, all of it: a racy look. */
	*stat = (struct qr_zone_stat){
		.name = qr_zone_name(zone->class),
		.node = zone->node,
		.present = zone->pages,
		.free = atomic_load_explicit(&zone->free_pages,
		    memory_order_relaxed),
		.balloon = zone->balloon.free_units,
		.marks = {
			.min_pages = atomic_load_explicit(&zone->min_pages,
			    memory_order_relaxed),
			.low_pages = atomic_load_explicit(&zone->low_pages,
			    memory_order_relaxed),
			.high_pages = atomic_load_explicit(&zone->high_pages,
			    memory_order_relaxed),
		},
		.boost = atomic_load_explicit(&zone->boost_pages,
		    memory_order_relaxed),
		.missed = atomic_load_explicit(&zone->missed,
		    memory_order_relaxed),
	};
	zone_span(frames, zone, stat);
	for (unsigned cpu = 0; cpu < frames->port->cpu_count; cpu++)
		stat->listed += pcp_count(&zone->pcp[cpu]);
	for (unsigned class = 0; class < QR_ZONE_CLASSES; class ++)
		stat->reserve[class] = zone->reserve[class];
}
