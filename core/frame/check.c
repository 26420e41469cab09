/* SPDX-License-Identifier: MIT */
/*
 * frame/check.c: verifies the invariants of frame.c, part 3.
 */
#include "frame_impl.h"

/* What a walk over the frames finds. */
struct census {
	uint64_t kind[QR_PAGE_KINDS];
	uint64_t lists; /* frames on the CPUs' lists */
	uint64_t home;  /* frames with QR_PAGE_HOME */
};

static bool
zone_has(const struct qr_zone *zone, uint64_t index)
{
	return index >= zone->first && index < zone->end;
}

/* Whether a zone knows the frame as free, or as given away. */
static bool
is_in_buddy(const struct qr_frames *frames, uint64_t index)
{
	for (unsigned i = 0; i < frames->zone_count; i++) {
		const struct qr_zone *zone = &frames->zone[i];
		uint64_t unit = index - zone->base;
		if (!zone_has(zone, index))
			continue;
		unsigned type = zone->block_type[unit >> BLOCK_ORDER];
		bool is_free = qr_buddy_is_free(&zone->buddy[type], unit, NULL);
		bool is_lent = qr_buddy_is_free(&zone->balloon, unit, NULL);
		QR_ASSERT(!is_free || !is_lent,
		    "[frame.1] frame 0x%llx is free and in the balloon",
		    (unsigned long long)frames_pfn_at(frames, index));
		if (is_free || is_lent)
			return true;
	}
	return false;
}

/* The i-th frame of a list, those without home bytes first. */
static uint32_t
list_frame(const struct qr_pcp *pcp, uint32_t count, uint32_t i)
{
	return pcp->frames[i < pcp_load(&pcp->bare) ? i : PCP_MAX - count + i];
}

static void
check_list(const struct qr_frames *frames, const struct qr_zone *zone,
    const struct qr_pcp *pcp, struct census *census)
{
	uint32_t bare = pcp_load(&pcp->bare);
	uint32_t count = pcp_count(pcp);
	QR_ASSERT(count <= PCP_MAX && bare <= PCP_MAX,
	    "[frame.1] a list of %u frames, %u of them bare", count, bare);
	QR_ASSERT(atomic_load(&pcp->busy.word) == 0,
	    "[frame.1] somebody is inside a list of %u frames", count);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t index = list_frame(pcp, count, i);
		QR_ASSERT(zone_has(zone, index),
		    "[frame.1] index 0x%x on a list of zone %u", index,
		    zone->index);
		const struct qr_page *page = &frames->pages[index];
		QR_ASSERT(page->kind == QR_PAGE_FREE &&
			      !is_in_buddy(frames, index),
		    "[frame.1] index 0x%x is on a list, and of kind %u or free",
		    index, page->kind);
		QR_ASSERT(!page_is_home(page) || i >= bare,
		    "[frame.6] index 0x%x is on the wrong stack", index);
		for (uint32_t j = 0; j < i; j++)
			QR_ASSERT(list_frame(pcp, count, j) != index,
			    "[frame.1] index 0x%x is twice on a list", index);
	}
	census->lists += count;
}

/* [frame.8]: a type's buddy has no block of another type's pageblock. */
static void
check_types(const struct qr_zone *zone, enum qr_migrate_type type)
{
	const struct qr_buddy *buddy = &zone->buddy[type];
	uint64_t units = 0;
	for (uint64_t block = 0; block < zone_end_block(zone); block++) {
		QR_ASSERT(zone->block_type[block] < QR_MIGRATE_TYPES,
		    "[frame.8] pageblock %llu is of type %u",
		    (unsigned long long)block, zone->block_type[block]);
		if (zone->block_type[block] == type)
			units += qr_block_free_units(zone, block);
	}
	QR_ASSERT(units == buddy->free_units,
	    "[frame.8] pageblocks of type %u have %llu free, the buddy %llu",
	    (unsigned)type, (unsigned long long)units,
	    (unsigned long long)buddy->free_units);
}

static void
check_zone(const struct qr_frames *frames, const struct qr_zone *zone,
    struct census *census)
{
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
		qr_check_buddy(&zone->buddy[type]);
		check_types(zone, (enum qr_migrate_type)type);
	}
	qr_check_buddy(&zone->balloon);
	uint64_t free_pages = atomic_load(&zone->free_pages);
	QR_ASSERT(free_pages == zone_free_units(zone),
	    "[frame.4] zone %u: %llu free, the buddies have %llu", zone->index,
	    (unsigned long long)free_pages,
	    (unsigned long long)zone_free_units(zone));
	for (unsigned cpu = 0; cpu < frames->port->cpu_count; cpu++)
		check_list(frames, zone, &zone->pcp[cpu], census);
}

/* [frame.5] for one frame. */
static void
check_home(const struct qr_frames *frames, uint64_t index,
    struct census *census)
{
	const struct qr_page *page = &frames->pages[index];
	if ((atomic_load(&page->flags) & QR_PAGE_HOME) == 0)
		return;
	QR_ASSERT(index < atomic_load(&frames->home_end),
	    "[frame.5] frame 0x%llx has home bytes",
	    (unsigned long long)frames_pfn_at(frames, index));
	census->home++;
}

/* [frame.1] and [frame.2] for the block in use that begins at the frame, if
 * there is one. Returns the frames looked at. */
static uint64_t
check_block(const struct qr_frames *frames, uint64_t index,
    struct census *census)
{
	const struct qr_page *page = &frames->pages[index];
	if (page->kind == QR_PAGE_FREE)
		return 1;
	qr_pfn_t pfn = frames_pfn_at(frames, index);
	uint64_t count = (uint64_t)1 << page->order;
	QR_ASSERT(page->kind < QR_PAGE_KINDS && page->order < QR_FRAME_ORDERS &&
		      page->zone < frames->zone_count &&
		      (pfn & (count - 1)) == 0 &&
		      zone_has(&frames->zone[page->zone], index + count - 1),
	    "[frame.2] frame 0x%llx: kind %u, order %u, zone %u",
	    (unsigned long long)pfn, page->kind, page->order, page->zone);
	for (uint64_t i = 0; i < count; i++) {
		QR_ASSERT(i == 0 || page[i].kind == QR_PAGE_FREE,
		    "[frame.2] frame 0x%llx + %llu is of kind %u",
		    (unsigned long long)pfn, (unsigned long long)i,
		    page[i].kind);
		QR_ASSERT(!is_in_buddy(frames, index + i),
		    "[frame.1] frame 0x%llx + %llu is in use and free",
		    (unsigned long long)pfn, (unsigned long long)i);
	}
	census->kind[page->kind] += count;
	return count;
}

static void
check_kind(enum qr_page_kind kind, uint64_t found, uint64_t counted)
{
	QR_ASSERT(found == counted,
	    "[frame.3] kind %u: %llu found, %llu counted", (unsigned)kind,
	    (unsigned long long)found, (unsigned long long)counted);
}

/* [frame.3], and the rest of [frame.5]. */
static void
check_sums(const struct qr_frames *frames, const struct census *census)
{
	struct qr_frame_stat stat;
	qr_frame_stat(frames, &stat);
	check_kind(QR_PAGE_USER, census->kind[QR_PAGE_USER], stat.user);
	check_kind(QR_PAGE_SLAB, census->kind[QR_PAGE_SLAB], stat.slab);
	check_kind(QR_PAGE_TABLE, census->kind[QR_PAGE_TABLE], stat.table);
	check_kind(QR_PAGE_POOL, census->kind[QR_PAGE_POOL], stat.pool);
	check_kind(QR_PAGE_META,
	    census->kind[QR_PAGE_META] + frames->boot_pages, stat.meta);
	check_kind(QR_PAGE_KERNEL, census->kind[QR_PAGE_KERNEL], stat.kernel);
	check_kind(QR_PAGE_CACHED, census->kind[QR_PAGE_CACHED], stat.cached);

	uint64_t lent = 0;
	uint64_t free_pages = census->lists;
	for (unsigned i = 0; i < frames->zone_count; i++) {
		lent += frames->zone[i].balloon.free_units;
		free_pages += zone_free_units(&frames->zone[i]);
		free_pages +=
		    frames->zone[i].buddy[QR_MIGRATE_ISOLATE].free_units;
	}
	QR_ASSERT(lent == stat.balloon,
	    "[frame.3] balloon: %llu found, %llu counted",
	    (unsigned long long)lent, (unsigned long long)stat.balloon);
	uint64_t sum = free_pages + lent + stat.user + stat.slab + stat.table +
		       stat.pool + stat.meta + stat.kernel + stat.cached;
	QR_ASSERT(census->home == stat.home,
	    "[frame.5] home bytes: %llu found, %llu counted",
	    (unsigned long long)census->home, (unsigned long long)stat.home);
	QR_ASSERT(sum == stat.total, "[frame.3] %llu in all, of %llu",
	    (unsigned long long)sum, (unsigned long long)stat.total);
}

void
qr_check_frames(struct qr_frames *frames, enum qr_check_depth depth)
{
	QR_ASSERT(frames->signature == FRAMES_SIGNATURE, "signature 0x%x",
	    frames->signature);
	if (depth == QR_CHECK_SIGNATURE)
		return;
	QR_ASSERT(frames->zone_count >= 1 && frames->zone_count <= ZONES_MAX,
	    "%u zones", frames->zone_count);
	qr_check_sparse(frames);
	if (depth != QR_CHECK_SELF)
		qr_check_hotplug(frames);
	if (depth == QR_CHECK_SELF)
		return;

	struct census census = { 0 };
	for (unsigned i = 0; i < frames->zone_count; i++)
		check_zone(frames, &frames->zone[i], &census);
	for (uint64_t i = 0; i < frames->page_count;)
		i += check_block(frames, i, &census);
	for (uint64_t i = 0; i < frames->page_count; i++)
		check_home(frames, i, &census);
	check_sums(frames, &census);
}
