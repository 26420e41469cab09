/* SPDX-License-Identifier: MIT */
/*
 * frame/parts_impl.h: what each file of frame/ does for the others. Included by
 * frame_impl.h, whose structs it needs.
 */
#ifndef QR_FRAME_PARTS_IMPL_H
#define QR_FRAME_PARTS_IMPL_H

#include "frame_impl.h"

/* --- sparse.c: which sections have descriptors --- */

struct sparse_plan {
	qr_pfn_t pfn_start;     /* where section 0 begins */
	uint64_t page_count;    /* descriptors */
	uint32_t section_count; /* sections of the address range */
	uint32_t slot_count;    /* of these with descriptors, and for plugged
				   memory */
	uint32_t plug_slots;    /* the last so many, for that */
	bool is_flat;           /* all have: no tables */
};

/* What boot's memory needs. -QR_E2BIG: frame numbers that 32 bits don't
 * hold; -QR_EINVAL: gaps, and a port that says it has none. */
QR_MUST_CHECK int qr_sparse_plan(const struct qr_boot *boot,
    const struct qr_frame_config *config, struct sparse_plan *plan);

/* Index of a frame in usable memory, before there are tables. */
uint64_t qr_sparse_plan_index(const struct qr_boot *boot,
    const struct sparse_plan *plan, qr_pfn_t pfn);

/* Bytes of the tables, and their making in zeroed memory of that size, 8-byte
 * aligned. */
size_t qr_sparse_bytes(const struct sparse_plan *plan);
void qr_sparse_init(struct qr_frames *frames, const struct qr_boot *boot,
    const struct sparse_plan *plan, void *tables);

void qr_check_sparse(const struct qr_frames *frames);

/* --- zone.c: between lists and buddies; frames are named by index --- */

/* Counts units that came or went. Zone's lock held. */
void qr_zone_count(const struct qr_frames *frames, struct qr_zone *zone,
    int64_t units);

/* Whether a unit is free, or in the balloon. */
bool qr_zone_knows(const struct qr_zone *zone, uint64_t unit);

/* One block of a zone, if gfp lets it go as low as that. */
QR_MUST_CHECK bool qr_zone_take(struct qr_frames *frames, struct qr_zone *zone,
    qr_gfp_t gfp, unsigned order, uint64_t *first);
void qr_zone_put(struct qr_frames *frames, struct qr_zone *zone, uint64_t first,
    unsigned order);

/* Single frames, as gfp allows, up to count, into indexes[], the last one the
 * lowest; returns how many. */
uint32_t qr_zone_take_singles(struct qr_frames *frames, struct qr_zone *zone,
    qr_gfp_t gfp, uint32_t *indexes, uint32_t count);

/* Gives single frames back. */
void qr_zone_put_singles(struct qr_frames *frames, struct qr_zone *zone,
    const uint32_t *indexes, uint32_t count);

/* Puts a block that was taken into the zone's balloon, and takes one out of
 * there; false: there is none. */
void qr_zone_lend(struct qr_frames *frames, struct qr_zone *zone,
    uint64_t first, unsigned order);
QR_MUST_CHECK bool qr_zone_recall(struct qr_frames *frames,
    struct qr_zone *zone, unsigned order, uint64_t *first);

/* --- block.c: pageblocks; the zone's lock held --- */

/* One block of the type's, or of another's. */
QR_MUST_CHECK bool qr_block_take(struct qr_frames *frames, struct qr_zone *zone,
    enum qr_migrate_type type, unsigned order, uint64_t *unit);

/* Single ones, as qr_buddy_alloc_singles, of the type's and then of others';
 * how many. */
uint32_t qr_block_take_singles(struct qr_frames *frames, struct qr_zone *zone,
    enum qr_migrate_type type, uint32_t *indexes, uint32_t count);

/* Changes a pageblock's type, with all that is free of it. */
void qr_block_set_type(struct qr_zone *zone, uint64_t block,
    enum qr_migrate_type type);

/* Free units of a pageblock. */
uint64_t qr_block_free_units(const struct qr_zone *zone, uint64_t block);

/* Pageblocks that the zone has frames of. */
static inline uint64_t
zone_first_block(const struct qr_zone *zone)
{
	return (zone->first - zone->base) >> BLOCK_ORDER;
}

static inline uint64_t
zone_end_block(const struct qr_zone *zone)
{
	return ((zone->end - zone->base - 1) >> BLOCK_ORDER) + 1;
}

/* The buddy that has a unit while it is free. */
static inline struct qr_buddy *
zone_buddy(struct qr_zone *zone, uint64_t unit)
{
	return &zone->buddy[zone->block_type[unit >> BLOCK_ORDER]];
}

/* Free units that can be allocated at all. */
static inline uint64_t
zone_free_units(const struct qr_zone *zone)
{
	uint64_t units = 0;
	for (unsigned type = 0; type < QR_MIGRATE_ISOLATE; type++)
		units += zone->buddy[type].free_units;
	return units;
}

/* --- frame.c: a block's descriptor --- */

/* The fields of page->use, to make values and masks of it. */
struct page_use {
	uint8_t kind;
	uint8_t order;
	uint8_t flags;
	uint8_t zone;
	uint32_t refs;
};
_Static_assert(sizeof(struct page_use) == sizeof(uint64_t), "as in qr_page");

static inline uint64_t
page_use(struct page_use fields)
{
	union {
		struct page_use fields;
		uint64_t bits;
	} use = { fields };
	return use.bits;
}

static inline struct page_use
page_use_fields(uint64_t bits)
{
	union {
		uint64_t bits;
		struct page_use fields;
	} use = { bits };
	return use.fields;
}

/* Whether pages of a kind can be moved to another frame, if who owns them
 * agrees (ops->migrate). */
static inline bool
page_kind_moves(uint8_t kind)
{
	return kind == QR_PAGE_USER || kind == QR_PAGE_CACHED;
}

/* Of a block in use that has one reference and no flags. */
static inline uint64_t
page_use_by(enum qr_page_kind kind, unsigned order, unsigned zone)
{
	return page_use((struct page_use){ .kind = (uint8_t)kind,
	    .order = (uint8_t)order,
	    .zone = (uint8_t)zone,
	    .refs = 1 });
}

/* Begins the use of a block that has just been taken from zone. */
void qr_page_begin(const struct qr_frames *frames, const struct qr_zone *zone,
    struct qr_page *page, unsigned order, enum qr_page_kind kind);

/* Ends it; returns what it was used for. Panics if it was not in use. */
enum qr_page_kind qr_page_end(const struct qr_frames *frames,
    struct qr_page *page);

/* --- pcp.c: the CPUs' lists. In all of these the caller is inside, but for
 * qr_pcp_init, _drain and _restore --- */

void qr_pcp_init(struct qr_frames *frames, struct qr_zone *zone,
    struct qr_pcp *pcp);

/* A frame that gfp may have, after a refill if there is none. False: the zone
 * has none for it either. */
QR_MUST_CHECK bool qr_pcp_take(struct qr_frames *frames, struct qr_zone *zone,
    struct qr_pcp *pcp, qr_gfp_t gfp, uint32_t *index);

/* Puts a frame on a full list, from which others go to the zone. */
void qr_pcp_give(struct qr_frames *frames, struct qr_zone *zone,
    struct qr_pcp *pcp, uint64_t index, bool is_bare);

/* Gives the frames of any CPU's list back. */
void qr_pcp_drain(struct qr_frames *frames, struct qr_zone *zone,
    struct qr_pcp *pcp);

/* Refills a zone's reserve, on which reclaim has drawn, from what reclaim has
 * put on this CPU's list. */
void qr_pcp_restore(struct qr_frames *frames, struct qr_zone *zone);

/* --- compact.c --- */

/* A block of more than one frame, made by moving pages; NULL: not now. No
 * lock held. */
QR_MUST_CHECK struct qr_page *qr_compact_alloc(struct qr_frames *frames,
    struct qr_zone *zone, unsigned order, enum qr_page_kind kind);

/* Takes frames [first, first + count), by index, all of the zone, moving
 * mapped pages out. 0: they are the caller's, in nobody's books. Else they are
 * as before: -QR_EPERM: one can't be moved; -QR_EBUSY: not now; -QR_ENOMEM. */
QR_MUST_CHECK int qr_contig_take(struct qr_frames *frames, struct qr_zone *zone,
    uint64_t first, uint64_t count);

/* --- hotplug.c --- */

void qr_check_hotplug(const struct qr_frames *frames);

/* --- watermark.c --- */

/* Free pages that an allocation under gfp must leave in the zone. */
uint64_t qr_watermark_floor(const struct qr_zone *zone, qr_gfp_t gfp);

/* Free pages that the zone lacks of its reserve. */
uint64_t qr_watermark_missing(const struct qr_zone *zone);

/* A pageblock of the zone is about to be mixed: background reclaim is to free
 * more than usual, so that compaction finds room. Zone's lock held. */
void qr_watermark_boost(struct qr_frames *frames, struct qr_zone *zone);

/* Whether the zone's own free pages are below its low watermark. */
bool qr_watermark_is_low(const struct qr_zone *zone);

/* Derives all that depends on how much memory is usable, the balloon being
 * larger than it is by so much: watermarks, and the length of the lists. */
void qr_watermark_update(struct qr_frames *frames, uint64_t more_balloon);

/* Wakes background reclaim if memory is low. */
void qr_watermark_signal(struct qr_frames *frames);

/* --- zonelist.c --- */

/* Once all zones are known. */
void qr_zonelists_init(struct qr_frames *frames);

/* Once their sizes are, and whenever these change: which list is nearest, and
 * what each zone keeps from those who could use a wider class. */
void qr_zonelists_near(struct qr_frames *frames);
void qr_zone_reserves(struct qr_frames *frames);

/* Node that a CPU is near to. */
uint32_t qr_node_of_cpu(const struct qr_frames *frames, unsigned cpu);

/* --- stat.c --- */

void qr_count_kind(struct qr_frames *frames, enum qr_page_kind kind,
    int64_t pages);

/* Tells all what the CPU has counted. The caller is inside. */
void qr_count_flush(struct qr_frames *frames, struct qr_pcp *pcp);

/* --- home.c --- */

/* The block will not use its bytes in the direct map: gives them back to the
 * port if it ever did. Frames are named by index. */
void qr_home_release(struct qr_frames *frames, uint64_t first, unsigned order);

/* The same for single frames. */
void qr_home_release_all(struct qr_frames *frames, const uint32_t *indexes,
    size_t count);

/* Whether a frame may have bytes there. */
static inline bool
page_is_home(const struct qr_page *page)
{
	/* Relaxed: whoever asks has the frame to itself. */
	return (atomic_load_explicit(&page->flags, memory_order_relaxed) &
		   QR_PAGE_HOME) != 0;
}

#endif
