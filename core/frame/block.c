/* SPDX-License-Identifier: MIT */
/*
 * frame/block.c: what a zone's pageblocks are for; see frame.c, part 3.
 *
 * A pageblock is as long as the largest block of the buddies, so each free
 * block lies in one pageblock, and belongs to the buddy of its type. An
 * allocation takes from its own type; if that has nothing, from another one,
 * and then a decision is due:
 *
 *	it gets a whole pageblock        the pageblock changes its type
 *	most of the pageblock is free    likewise, with all that is free of it
 *	or used like this
 *	else                             only the piece is taken, and what the
 *	                                 pageblock is used for is mixed
 *
 * The core's own pages take the largest piece there is, so that they spoil few
 * pageblocks and those altogether; mapped pages, which can be moved away, take
 * the smallest, unless half a pageblock or so is to be had.
 */
#include "frame_impl.h"

/* Pieces of this order and larger are worth a look at their pageblock. */
#define PIECE_ORDER (BLOCK_ORDER / 2)

/* Where an allocation of a type looks when its own has nothing. */
#define FALLBACKS 2u
static const uint8_t fallback_types[][FALLBACKS] = {
	[QR_MIGRATE_UNMOVABLE] = { QR_MIGRATE_RECLAIMABLE, QR_MIGRATE_MOVABLE },
	[QR_MIGRATE_MOVABLE] = { QR_MIGRATE_RECLAIMABLE, QR_MIGRATE_UNMOVABLE },
	[QR_MIGRATE_RECLAIMABLE] = { QR_MIGRATE_UNMOVABLE, QR_MIGRATE_MOVABLE },
};

static const char *const type_names[QR_MIGRATE_TYPES] = {
	[QR_MIGRATE_UNMOVABLE] = "Unmovable",
	[QR_MIGRATE_MOVABLE] = "Movable",
	[QR_MIGRATE_RECLAIMABLE] = "Reclaimable",
	[QR_MIGRATE_CONTIG] = "Contig",
	[QR_MIGRATE_ISOLATE] = "Isolate",
};

const char *
qr_migrate_name(enum qr_migrate_type type)
{
	return type < QR_MIGRATE_TYPES ? type_names[type] : "none";
}

/* Units [*start, *end) of a pageblock that are the zone's. */
static void
block_units(const struct qr_zone *zone, uint64_t block, uint64_t *start,
    uint64_t *end)
{
	*start = block << BLOCK_ORDER;
	*end = qr_min(*start + BLOCK_PAGES, zone->end - zone->base);
}

uint64_t
qr_block_free_units(const struct qr_zone *zone, uint64_t block)
{
	const struct qr_buddy *buddy = &zone->buddy[zone->block_type[block]];
	uint64_t units = 0;
	uint64_t at;
	uint64_t end;
	unsigned order;
	for (block_units(zone, block, &at, &end); at < end;) {
		if (!qr_buddy_is_free(buddy, at, &order)) {
			at++;
			continue;
		}
		units += (uint64_t)1 << order;
		at += (uint64_t)1 << order;
	}
	return units;
}

/* Frames of a pageblock that hold mapped pages, which can be moved. Others may
 * allocate and free meanwhile: it is a guess that was right a moment ago. */
static uint64_t
block_user_units(const struct qr_frames *frames, const struct qr_zone *zone,
    uint64_t block)
{
	uint64_t units = 0;
	uint64_t at;
	uint64_t end;
	for (block_units(zone, block, &at, &end); at < end; at++) {
		const struct qr_page *page = &frames->pages[zone->base + at];
		units += atomic_load_explicit(&page->kind,
			     memory_order_relaxed) == QR_PAGE_USER;
	}
	return units;
}

void
qr_block_set_type(struct qr_zone *zone, uint64_t block,
    enum qr_migrate_type type)
{
	enum qr_migrate_type was = zone->block_type[block];
	struct qr_buddy *from = &zone->buddy[was];
	struct qr_buddy *to = &zone->buddy[type];
	uint64_t at;
	uint64_t end;
	unsigned order;
	if (was == type)
		return;
	for (block_units(zone, block, &at, &end); at < end;) {
		if (!qr_buddy_is_free(from, at, &order)) {
			at++;
			continue;
		}
		int error = qr_buddy_take_range(from, at, (uint64_t)1 << order);
		QR_ASSERT(error == 0, "[frame.8] unit %llu: error %d",
		    (unsigned long long)at, error);
		(void)qr_buddy_free(to, at, order);
		at += (uint64_t)1 << order;
	}
	zone->block_type[block] = (uint8_t)type;
}

/* --- taking --- */

/* Whether most of the pageblock is free or used as type would. piece units of
 * it have just been taken off the buddy. */
static bool
block_suits(const struct qr_frames *frames, const struct qr_zone *zone,
    uint64_t block, enum qr_migrate_type type, uint64_t piece)
{
	uint64_t free_units = qr_block_free_units(zone, block) + piece;
	uint64_t user = block_user_units(frames, zone, block);
	uint64_t alike = user;
	if (type != QR_MIGRATE_MOVABLE)
		alike =
		    zone->block_type[block] == QR_MIGRATE_MOVABLE
			? BLOCK_PAGES - qr_min(BLOCK_PAGES, free_units + user)
			: 0;
	return free_units + alike >= BLOCK_PAGES / 2;
}

/* The type and the order of the piece to take. False: none is large enough.
 * Two words are looked at, whatever the zone's size. */
static bool
fallback_find(const struct qr_zone *zone, enum qr_migrate_type type,
    unsigned order, enum qr_migrate_type *from, unsigned *piece)
{
	uint32_t mask[FALLBACKS];
	uint32_t all = 0;
	for (unsigned i = 0; i < FALLBACKS; i++) {
		mask[i] = zone->buddy[fallback_types[type][i]].nonempty >>
			  order << order;
		all |= mask[i];
	}
	if (all == 0)
		return false;
	*piece = qr_bit_highest(all);
	if (type == QR_MIGRATE_MOVABLE && *piece < PIECE_ORDER)
		*piece = qr_bit_lowest(all);
	unsigned which = (mask[0] >> *piece & 1) != 0 ? 0 : 1;
	*from = (enum qr_migrate_type)fallback_types[type][which];
	return true;
}

/* A block from another type's buddy. */
static bool
fallback_take(struct qr_frames *frames, struct qr_zone *zone,
    enum qr_migrate_type type, unsigned order, uint64_t *unit)
{
	enum qr_migrate_type from;
	unsigned piece;
	if (!fallback_find(zone, type, order, &from, &piece))
		return false;
	uint64_t units = (uint64_t)1 << piece;
	/* The lowest one of exactly that order. */
	int error = qr_buddy_alloc(&zone->buddy[from], piece, unit);
	QR_ASSERT(error == 0, "[buddy.4] order %u: error %d", piece, error);
	uint64_t block = *unit >> BLOCK_ORDER;
	bool is_claimed = piece == BLOCK_ORDER;
	if (!is_claimed && (type != QR_MIGRATE_MOVABLE || piece >= PIECE_ORDER))
		is_claimed = block_suits(frames, zone, block, type, units);
	if (piece < BLOCK_ORDER)
		qr_watermark_boost(frames, zone);
	if (is_claimed)
		FRAME_TRACE(frames, BLOCK_CLAIM, zone->index, block, type);
	else
		FRAME_TRACE(frames, BLOCK_MIX, zone->index, block, type);
	if (is_claimed) {
		qr_block_set_type(zone, block, type);
		from = type;
		zone->claimed[type]++;
	} else {
		zone->mixed[type]++;
	}
	uint64_t taken = (uint64_t)1 << order;
	qr_buddy_free_range(&zone->buddy[from], *unit + taken, units - taken);
	return true;
}

bool
qr_block_take(struct qr_frames *frames, struct qr_zone *zone,
    enum qr_migrate_type type, unsigned order, uint64_t *unit)
{
	if (QR_LIKELY(qr_buddy_alloc(&zone->buddy[type], order, unit) == 0))
		return true;
	if (type == QR_MIGRATE_MOVABLE &&
	    qr_buddy_alloc(&zone->buddy[QR_MIGRATE_CONTIG], order, unit) == 0)
		return true;
	return order <= BLOCK_ORDER &&
	       fallback_take(frames, zone, type, order, unit);
}

uint32_t
qr_block_take_singles(struct qr_frames *frames, struct qr_zone *zone,
    enum qr_migrate_type type, uint32_t *indexes, uint32_t count)
{
	uint32_t got = qr_buddy_alloc_singles(&zone->buddy[type], zone->base,
	    indexes, count);
	uint64_t unit;
	for (; got < count && qr_block_take(frames, zone, type, 0, &unit);
	     got++)
		indexes[got] = (uint32_t)(zone->base + unit);
	return got;
}

/* --- figures --- */

void
qr_frame_zone_types(const struct qr_frames *frames, unsigned index,
    struct qr_zone_types *types)
{
	QR_ASSERT(index < frames->zone_count, "zone %u of %u", index,
	    frames->zone_count);
	struct qr_zone *zone = &frames->zone[index];
	__builtin_memset(types, 0, sizeof(*types));
	qr_lock_acquire(frames->port, &zone->lock);
	for (unsigned type = 0; type < QR_MIGRATE_TYPES; type++) {
		const struct qr_buddy *buddy = &zone->buddy[type];
		for (unsigned order = 0; order < QR_FRAME_ORDERS; order++)
			types->free_blocks[type][order] =
			    buddy->order[order].free_blocks;
		types->claimed[type] = zone->claimed[type];
		types->mixed[type] = zone->mixed[type];
	}
	for (uint64_t block = zone_first_block(zone);
	     block < zone_end_block(zone); block++)
		types->blocks[zone->block_type[block]]++;
	qr_lock_release(frames->port, &zone->lock);
}

/* Free blocks of an order, whatever their type, that can be allocated. */
static uint64_t
usable_blocks(const struct qr_zone_types *types, unsigned order)
{
	uint64_t blocks = 0;
	for (unsigned type = 0; type < QR_MIGRATE_ISOLATE; type++)
		blocks += types->free_blocks[type][order];
	return blocks;
}

/* What a zone's free memory is made of. */
struct free_sums {
	uint64_t pages;
	uint64_t blocks;
	uint64_t suitable; /* pages in blocks of the order and larger */
};

static struct free_sums
sum_free(const struct qr_zone_types *types, unsigned order)
{
	struct free_sums sums = { 0 };
	for (unsigned at = 0; at < QR_FRAME_ORDERS; at++) {
		uint64_t blocks = usable_blocks(types, at);
		sums.blocks += blocks;
		sums.pages += blocks << at;
		if (at >= order)
			sums.suitable += blocks << at;
	}
	return sums;
}

unsigned
qr_zone_unusable_index(const struct qr_zone_types *types, unsigned order)
{
	struct free_sums sums = sum_free(types, order);
	if (sums.pages == 0)
		return 1000;
	return (unsigned)((sums.pages - sums.suitable) * 1000 / sums.pages);
}

int
qr_zone_fragmentation_index(const struct qr_zone_types *types, unsigned order)
{
	struct free_sums sums = sum_free(types, order);
	if (sums.suitable != 0)
		return -1000;
	if (sums.blocks == 0)
		return 0;
	uint64_t wanted = (uint64_t)1 << order;
	return 1000 - (int)((1000 + sums.pages * 1000 / wanted) / sums.blocks);
}
