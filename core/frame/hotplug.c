/* SPDX-License-Identifier: MIT */
/*
 * frame/hotplug.c: memory that comes and goes while the machine runs.
 *
 * 1. Terms. A memory block is a section: 32 MiB of addresses whose descriptors
 * exist together (frame.c, part 7). A slot is a place in the descriptors'
 * array for one block. The configuration says how many blocks may be plugged
 * beside what is there at boot, and up to which address, as the slots and the
 * maxmem of a virtual machine's command line do.
 *
 *	descriptors   [ slot 0 | slot 1 |   ...    | slot 2 | slot 3 | slot 4 ]
 *	               \___ boot's memory, in     / \___ one zone of class    /
 *	                    zones of any class         MOVABLE, empty at first
 *
 * 2. States of a block.
 *
 *	          add             online
 *	ABSENT ---------> OFFLINE ------> ONLINE
 *	       <---------         <------
 *	         remove           offline
 *
 * offline: nothing is allocated from its pageblocks any more (they are isolated)
 * and their frames are taken, free ones off the buddy, mapped ones after their
 * pages were moved elsewhere; what is in the balloon comes back first, since it
 * is memory that goes anyway. Taken frames are in nobody's books, and total is
 * less by them. Where one can't be taken all is as it was before. online puts
 * them into the buddy.
 *
 * 3. Invariant.
 *
 * [frame.9] A slot of a state but ABSENT is that of one section, and the
 *          other way round. Frames of a block that is not online are of kind
 *          QR_PAGE_FREE and on no list and in no buddy.
 *
 * 4. Why slots. Descriptors of memory that is yet to come must be somewhere.
 * In the new memory itself: then it can't be taken out again, or its first
 * 256 KiB are of no use. From the buddy: a piece of 256 KiB, and a table more on
 * the way from a frame to its descriptor, for all. So their place is set aside
 * at boot, 0.8 % of what can be plugged, written for the first time when a block
 * comes. Hence nothing here can fail for want of memory but moving pages.
 *
 * Plugged memory is of class MOVABLE only, for mapped pages: what the core puts
 * its own objects into it would never get back out. Boot's blocks can go
 * offline too, if nothing of the core's is in them, which is so in a MOVABLE
 * zone alone; they keep their slots.
 *
 * 5. Locks. A block's state is changed by compare and swap; who has made it
 * GOING has it. The zone's lock is held for a pageblock at a time.
 */
#include "hotplug.h"

#include "frame_impl.h"

/* Attempts to empty a block, with reclaim in between where memory was short. */
#define OFFLINE_ROUNDS 5u

/* Frames that reclaim is asked for before the next attempt. */
#define OFFLINE_WANT 256u

_Static_assert(QR_MEMORY_BLOCK_BYTES == SECTION_PAGES * QR_PAGE_SIZE,
    "a block is a section");

#define SECTION_BLOCKS (SECTION_PAGES >> BLOCK_ORDER)

const char *
qr_block_state_name(enum qr_block_state state)
{
	static const char *const names[] = { "absent", "offline", "online",
		"going" };
	return names[state];
}

uint32_t
qr_memory_block_count(const struct qr_frames *frames)
{
	return frames->slot_state != NULL ? frames->slot_count : 0;
}

static enum qr_block_state
slot_state(const struct qr_frames *frames, uint32_t slot)
{
	/* Acquire pairs with the release in slot_set. */
	return atomic_load_explicit(&frames->slot_state[slot],
	    memory_order_acquire);
}

static void
slot_set(struct qr_frames *frames, uint32_t slot, enum qr_block_state state)
{
	atomic_store_explicit(&frames->slot_state[slot], (uint8_t)state,
	    memory_order_release);
}

/* The slot is the caller's until slot_set, if it was in that state. */
static bool
slot_try_enter(struct qr_frames *frames, uint32_t slot,
    enum qr_block_state state)
{
	uint8_t expect = (uint8_t)state;
	QR_ASSERT(slot < qr_memory_block_count(frames), "slot %u of %u", slot,
	    qr_memory_block_count(frames));
	return atomic_compare_exchange_strong(&frames->slot_state[slot],
	    &expect, (uint8_t)QR_BLOCK_GOING);
}

void
qr_memory_block_get(const struct qr_frames *frames, uint32_t slot,
    struct qr_memory_block *block)
{
	QR_ASSERT(slot < qr_memory_block_count(frames), "slot %u of %u", slot,
	    qr_memory_block_count(frames));
	uint64_t index = (uint64_t)slot << SECTION_SHIFT;
	*block = (struct qr_memory_block){
		.state = slot_state(frames, slot),
		.is_removable = slot >= frames->slot_plugged,
	};
	if (block->state != QR_BLOCK_ABSENT)
		block->start = frames_pfn_at(frames, index) << QR_PAGE_SHIFT;
}

/* --- add, remove --- */

/* A free slot, which is the caller's. */
static bool
slot_claim(struct qr_frames *frames, uint32_t *slot)
{
	for (uint32_t at = frames->slot_plugged; at < frames->slot_count;
	     at++) {
		if (slot_try_enter(frames, at, QR_BLOCK_ABSENT)) {
			*slot = at;
			return true;
		}
	}
	return false;
}

int
qr_memory_block_add(struct qr_frames *frames, qr_paddr_t start, uint32_t *slot)
{
	uint64_t at =
	    ((start >> QR_PAGE_SHIFT) - frames->pfn_start) >> SECTION_SHIFT;
	uint32_t claimed;
	if (qr_memory_block_count(frames) == 0)
		return -QR_EOPNOTSUPP;
	if (start % QR_MEMORY_BLOCK_BYTES != 0 ||
	    start >> QR_PAGE_SHIFT < frames->pfn_start ||
	    at >= frames->section_count ||
	    (start >> QR_PAGE_SHIFT) + SECTION_PAGES > QR_PFN_NIL)
		return -QR_EINVAL;
	if (!slot_claim(frames, &claimed))
		return -QR_ENOSPC;
	uint32_t expect = SLOT_NONE;
	if (!atomic_compare_exchange_strong(&frames->slot[at], &expect,
		claimed)) {
		slot_set(frames, claimed, QR_BLOCK_ABSENT);
		return -QR_EEXIST;
	}
	frames->section[claimed] = (uint32_t)at;
	slot_set(frames, claimed, QR_BLOCK_OFFLINE);
	FRAME_TRACE(frames, MEMORY_BLOCK, claimed, QR_BLOCK_OFFLINE, 0);
	*slot = claimed;
	return 0;
}

int
qr_memory_block_remove(struct qr_frames *frames, uint32_t slot)
{
	if (slot < frames->slot_plugged)
		return -QR_EPERM;
	if (!slot_try_enter(frames, slot, QR_BLOCK_OFFLINE))
		return -QR_EBUSY;
	atomic_store(&frames->slot[frames->section[slot]], SLOT_NONE);
	frames->section[slot] = SLOT_NONE;
	slot_set(frames, slot, QR_BLOCK_ABSENT);
	FRAME_TRACE(frames, MEMORY_BLOCK, slot, QR_BLOCK_ABSENT, 0);
	return 0;
}

/* --- online --- */

/* The zone that all of the slot's frames are in, or NULL. */
static struct qr_zone *
slot_zone(struct qr_frames *frames, uint32_t slot)
{
	uint64_t first = (uint64_t)slot << SECTION_SHIFT;
	for (unsigned i = 0; i < frames->zone_count; i++) {
		struct qr_zone *zone = &frames->zone[i];
		if (zone->first <= first && zone->end >= first + SECTION_PAGES)
			return zone;
	}
	return NULL;
}

/* So many frames more are the zone's, or fewer; all that depends on it
 * follows. */
static void
zone_resize(struct qr_frames *frames, struct qr_zone *zone, int64_t pages)
{
	atomic_fetch_add(&zone->pages, (uint64_t)pages);
	atomic_fetch_add(&frames->total_pages, (uint64_t)pages);
	qr_zone_reserves(frames);
	qr_watermark_update(frames, 0);
	qr_zonelists_near(frames);
}

int
qr_memory_block_online(struct qr_frames *frames, uint32_t slot)
{
	if (!slot_try_enter(frames, slot, QR_BLOCK_OFFLINE))
		return -QR_EBUSY;
	struct qr_zone *zone = slot_zone(frames, slot);
	QR_ASSERT(zone != NULL, "[frame.9] slot %u is in no zone", slot);
	uint64_t first = (uint64_t)slot << SECTION_SHIFT;
	/* First the size, or there would be more free than there is. */
	zone_resize(frames, zone, (int64_t)SECTION_PAGES);
	for (uint64_t i = 0; i < SECTION_PAGES; i += BLOCK_PAGES)
		qr_zone_put(frames, zone, first + i, BLOCK_ORDER);
	slot_set(frames, slot, QR_BLOCK_ONLINE);
	FRAME_TRACE(frames, MEMORY_BLOCK, slot, QR_BLOCK_ONLINE, 0);
	return 0;
}

/* --- offline --- */

/* What a block's pageblocks were before they were isolated. */
struct going {
	struct qr_zone *zone;
	uint64_t first; /* index */
	uint8_t types[SECTION_BLOCKS];
};

/* Gives a pageblock of the zone a type, counting what can be allocated. */
static uint8_t
block_retype(struct qr_frames *frames, struct qr_zone *zone, uint64_t block,
    uint8_t type)
{
	qr_lock_acquire(frames->port, &zone->lock);
	uint8_t was = zone->block_type[block];
	int64_t units = (int64_t)qr_block_free_units(zone, block);
	qr_block_set_type(zone, block, (enum qr_migrate_type)type);
	if (type == QR_MIGRATE_ISOLATE && was != QR_MIGRATE_ISOLATE)
		qr_zone_count(frames, zone, -units);
	else if (type != QR_MIGRATE_ISOLATE && was == QR_MIGRATE_ISOLATE)
		qr_zone_count(frames, zone, units);
	qr_lock_release(frames->port, &zone->lock);
	return was;
}

static void
going_isolate(struct qr_frames *frames, struct going *going)
{
	uint64_t block = (going->first - going->zone->base) >> BLOCK_ORDER;
	for (unsigned i = 0; i < SECTION_BLOCKS; i++)
		going->types[i] = block_retype(frames, going->zone, block + i,
		    QR_MIGRATE_ISOLATE);
}

static void
going_restore(struct qr_frames *frames, const struct going *going)
{
	uint64_t block = (going->first - going->zone->base) >> BLOCK_ORDER;
	for (unsigned i = 0; i < SECTION_BLOCKS; i++)
		(void)block_retype(frames, going->zone, block + i,
		    going->types[i]);
}

/* Takes what is lent of [unit, end) from unit on out of the balloon; one past
 * that, or past what is not lent. */
static uint64_t
recall_from(struct qr_frames *frames, struct qr_zone *zone, uint64_t unit,
    uint64_t end)
{
	unsigned order = 0;
	uint64_t past = unit + 1;
	qr_lock_acquire(frames->port, &zone->lock);
	bool is_lent = qr_buddy_is_free(&zone->balloon, unit, &order);
	if (is_lent) {
		/* The block may begin below, if it has grown meanwhile. */
		past = (unit | (((uint64_t)1 << order) - 1)) + 1;
		past = qr_min(past, end);
		int error =
		    qr_buddy_take_range(&zone->balloon, unit, past - unit);
		QR_ASSERT(error == 0, "[buddy.4] unit %llu: error %d",
		    (unsigned long long)unit, error);
	}
	qr_lock_release(frames->port, &zone->lock);
	if (!is_lent)
		return past;
	atomic_fetch_sub(&frames->balloon_pages, past - unit);
	for (; unit < past; unit++)
		qr_zone_put(frames, zone, zone->base + unit, 0);
	return past;
}

/* Takes the block's frames out of the balloon: they are the block's, and the
 * block goes. */
static void
going_recall(struct qr_frames *frames, const struct going *going)
{
	uint64_t unit = going->first - going->zone->base;
	uint64_t end = unit + SECTION_PAGES;
	while (unit < end)
		unit = recall_from(frames, going->zone, unit, end);
}

/* Takes all frames of the block, after some attempts. */
static int
going_empty(struct qr_frames *frames, const struct going *going)
{
	for (unsigned round = 1;; round++) {
		/* Each time: who was about to lend some has done so by now. */
		going_recall(frames, going);
		qr_frame_drain(frames);
		int error = qr_contig_take(frames, going->zone, going->first,
		    SECTION_PAGES);
		if (error == 0 || error == -QR_EPERM || round == OFFLINE_ROUNDS)
			return error;
		if (error != -QR_ENOMEM)
			continue;
		int vain = frames->ops->reclaim(frames->ops_ctx, QR_GFP_PAGE,
		    OFFLINE_WANT);
		if (vain != 0)
			return error;
	}
}

int
qr_memory_block_offline(struct qr_frames *frames, uint32_t slot)
{
	struct going going = { .zone = slot_zone(frames, slot),
		.first = (uint64_t)slot << SECTION_SHIFT };
	if (!slot_try_enter(frames, slot, QR_BLOCK_ONLINE))
		return -QR_EBUSY;
	if (going.zone == NULL || frames->ops == NULL ||
	    frames->ops->migrate == NULL) {
		slot_set(frames, slot, QR_BLOCK_ONLINE);
		return -QR_EPERM;
	}
	going_isolate(frames, &going);
	int error = going_empty(frames, &going);
	going_restore(frames, &going);
	if (error != 0) {
		slot_set(frames, slot, QR_BLOCK_ONLINE);
		FRAME_TRACE(frames, MEMORY_BLOCK, slot, QR_BLOCK_ONLINE,
		    -error);
		return error;
	}
	for (uint64_t i = 0; i < SECTION_PAGES; i += BLOCK_PAGES)
		qr_home_release(frames, going.first + i, BLOCK_ORDER);
	zone_resize(frames, going.zone, -(int64_t)SECTION_PAGES);
	slot_set(frames, slot, QR_BLOCK_OFFLINE);
	FRAME_TRACE(frames, MEMORY_BLOCK, slot, QR_BLOCK_OFFLINE, 0);
	return 0;
}

/* --- checking --- */

static void
check_absent(const struct qr_frames *frames, uint32_t slot)
{
	uint64_t first = (uint64_t)slot << SECTION_SHIFT;
	const struct qr_zone *zone =
	    slot_zone((struct qr_frames *)(uintptr_t)frames, slot);
	for (uint64_t i = first; i < first + SECTION_PAGES; i++) {
		QR_ASSERT(frames->pages[i].kind == QR_PAGE_FREE,
		    "[frame.9] a frame of slot %u, which is %s, is of kind %u",
		    slot, qr_block_state_name(slot_state(frames, slot)),
		    frames->pages[i].kind);
		QR_ASSERT(zone == NULL || !qr_zone_knows(zone, i - zone->base),
		    "[frame.9] a frame of slot %u, which is %s, is free", slot,
		    qr_block_state_name(slot_state(frames, slot)));
	}
}

void
qr_check_hotplug(const struct qr_frames *frames)
{
	for (uint32_t slot = 0; slot < qr_memory_block_count(frames); slot++) {
		enum qr_block_state state = slot_state(frames, slot);
		uint32_t section = frames->section[slot];
		QR_ASSERT(state < QR_BLOCK_GOING, "[frame.9] slot %u is going",
		    slot);
		QR_ASSERT((state == QR_BLOCK_ABSENT) == (section == SLOT_NONE),
		    "[frame.9] slot %u is %s, and of section 0x%x", slot,
		    qr_block_state_name(state), section);
		QR_ASSERT(section == SLOT_NONE ||
			      (section < frames->section_count &&
				  frames->slot[section] == slot),
		    "[frame.9] slot %u is not that of section 0x%x", slot,
		    section);
		if (state != QR_BLOCK_ONLINE)
			check_absent(frames, slot);
	}
}
