/* SPDX-License-Identifier: MIT */
/*
 * frame/frame_impl.h: what the files of frame/ share: the machine's frames, a
 * zone, a CPU's list. frame.c explains them.
 *
 * Keys: (c) constant once made, (z) the zone's lock, (z,a) written under the
 * zone's lock and read by anybody as a hint, (b) who is inside the list, (b,a)
 * likewise, (a) atomic.
 */
#ifndef QR_FRAME_IMPL_H
#define QR_FRAME_IMPL_H

#include "../base/bits.h"
#include "frame.h"
#include "pcp_impl.h"
#include "port_inline.h"

#define ZONES_MAX (QR_NODES_MAX * (unsigned)QR_ZONE_CLASSES)

/* A pageblock is as long as the largest block. */
#define BLOCK_ORDER (QR_FRAME_ORDERS - 1)
#define BLOCK_PAGES ((uint64_t)1 << BLOCK_ORDER)

/* Where an allocation is tried, the best place first. */
struct zonelist {
	uint8_t count;
	uint8_t zone[ZONES_MAX]; /* indexes */
};

/* Frames whose descriptors exist together or not at all: 32 MiB, described
 * by 256 KiB, which is the most that an island of memory can waste. */
#define SECTION_SHIFT 13u
#define SECTION_PAGES ((uint64_t)1 << SECTION_SHIFT)
#define SECTION_MASK  (SECTION_PAGES - 1)
#define SLOT_NONE     UINT32_MAX
_Static_assert(QR_FRAME_ORDERS - 1 <= SECTION_SHIFT,
    "a block lies in one section");

/* The frames of one class and one node. */
struct qr_zone {
	/* --- lists of the CPUs --- */
	struct qr_pcp *pcp;          /* (c) [port->cpu_count] */
	_Atomic(uint32_t) pcp_high;  /* (a) frames that a list may ever hold */
	_Atomic(uint32_t) pcp_batch; /* (a) frames moved at once; what an idle
					list may hold */

	/* --- what it is --- */
	uint64_t base;  /* (c) index, a multiple of the largest block */
	uint64_t first; /* (c) index of its first frame */
	uint64_t end;   /* (c) one past its last */
	uint64_t pages; /* (c) usable ones of these */
	uint32_t node;  /* (c) */
	enum qr_zone_class class; /* (c) */
	uint8_t index;            /* (c) in frames->zone */
	_Atomic(uint64_t) missed; /* (a) frames for want of nearer ones */

	/* --- watermarks --- */
	_Atomic(uint64_t) free_pages; /* (z,a) that can be allocated */
	_Atomic(uint64_t) min_pages;  /* (a) */
	_Atomic(uint64_t) low_pages;  /* (a) */
	_Atomic(uint64_t) high_pages; /* (a) */
	/* (c) kept from allocations that could have used a wider class */
	uint64_t reserve[QR_ZONE_CLASSES];

	/* --- frames; unit 0 has index base --- */
	struct qr_lock lock;                     /* rank QR_RANK_ZONE */
	struct qr_buddy buddy[QR_MIGRATE_TYPES]; /* (z) free, by the type of
						    the pageblock */
	struct qr_buddy balloon;                 /* (z) given away */
	uint8_t *block_type;     /* (z) [zone_end_block] enum qr_migrate_type */
	uint64_t compact_hand;   /* (z) pageblock where compaction goes on */
	uint32_t compact_failed; /* (z) in a row, at most COMPACT_DEFER_MAX */
	uint32_t compact_skip;   /* (z) attempts still to be left out */
	uint64_t claimed[QR_MIGRATE_TYPES]; /* (z) see struct qr_zone_types */
	uint64_t mixed[QR_MIGRATE_TYPES];   /* (z) */
};

struct qr_frames {
	uint32_t signature;
	const struct qr_port *port; /* (c) */

	/* --- descriptors; frame.c, part 7 --- */
	struct qr_page *pages;      /* (c) [page_count], by index */
	uint64_t page_count;        /* (c) */
	qr_pfn_t pfn_start;         /* (c) where section 0 begins */
	const uint32_t *slot;       /* (c) [section_count] of a section, or
				       SLOT_NONE; NULL: index = pfn -
				       pfn_start */
	const uint32_t *section;    /* (c) [slot_count] in a slot */
	uint32_t section_count;     /* (c) */
	uint32_t slot_count;        /* (c) */
	unsigned char *direct_map;  /* (c) */
	_Atomic(uint64_t) home_end; /* (a) past the highest index that ever
				       had QR_PAGE_HOME */

	/* --- zones, the widest class first, by node within a class --- */
	struct qr_zone *zone; /* (c) [zone_count] */
	unsigned zone_count;  /* (c) */
	/* (c) a CPU's list of the first zone that it tries, for the core's own
	 * and for mapped pages */
	struct qr_pcp *near[QR_CPUS_MAX][2];
	struct qr_pcp *lists[ZONES_MAX]; /* (c) zone[].pcp */
	struct zonelist list[QR_NODES_MAX][QR_ZONE_CLASSES]; /* (c) */
	uint64_t min_free_pages;  /* (c) as configured; 0: derived */
	uint64_t watermark_scale; /* (c) 1/10000 */
	qr_pfn_t direct_end;      /* (c) frames from here on have no place in
				     the direct map */

	/* --- upcalls --- */
	const struct qr_frame_ops *ops; /* (c) after boot; NULL: none */
	void *ops_ctx;                  /* (c) after boot */
	_Atomic(uint32_t) pause;        /* 0, to wait at */

	/* --- counts --- */
	uint64_t total_pages;                       /* (c) */
	uint64_t boot_pages;                        /* (c) of these not
						       handed over */
	_Atomic(uint64_t) balloon_pages;            /* (a) */
	_Atomic(uint64_t) home_pages;               /* (a) with QR_PAGE_HOME */
	_Atomic(int64_t) kind_pages[QR_PAGE_KINDS]; /* (a) */
	_Atomic(int64_t) kind_peak[QR_PAGE_KINDS];  /* (a) */
	struct {
		_Atomic(uint64_t) moved, pinned, busy, made, failed, skipped;
	} compact;                        /* (a) struct qr_compact_stat */
	_Atomic(uint32_t) compact_wanted; /* (a) order, 0: none */
};

#define FRAMES_SIGNATURE QR_SIGNATURE('F', 'r', 'a', 'm')

/* Whether descriptors have gaps in their numbering at all. A port whose RAM
 * never has can say so, and what follows is an addition. */
static inline bool
frames_sparse(const struct qr_frames *frames)
{
	return !QR_PORT_FLAT_RAM && QR_UNLIKELY(frames->slot != NULL);
}

/* Index of a frame that is known to exist. */
static inline uint64_t
frames_index(const struct qr_frames *frames, qr_pfn_t pfn)
{
	uint64_t at = pfn - frames->pfn_start;
	if (frames_sparse(frames))
		at = (uint64_t)frames->slot[at >> SECTION_SHIFT]
			 << SECTION_SHIFT |
		     (at & SECTION_MASK);
	return at;
}

/* The frame that has the index. */
static inline qr_pfn_t
frames_pfn_at(const struct qr_frames *frames, uint64_t index)
{
	if (frames_sparse(frames))
		index = (uint64_t)frames->section[index >> SECTION_SHIFT]
			    << SECTION_SHIFT |
			(index & SECTION_MASK);
	return frames->pfn_start + index;
}

static inline uint64_t
page_index(const struct qr_frames *frames, const struct qr_page *page)
{
	return (uint64_t)(page - frames->pages);
}

/* The frame of a descriptor that is known to be one. */
static inline qr_pfn_t
frames_pfn(const struct qr_frames *frames, const struct qr_page *page)
{
	return frames_pfn_at(frames, page_index(frames, page));
}

/* --- sparse.c: which sections have descriptors --- */

struct sparse_plan {
	qr_pfn_t pfn_start;     /* where section 0 begins */
	uint64_t page_count;    /* descriptors */
	uint32_t section_count; /* sections of the address range */
	uint32_t slot_count;    /* of these with descriptors */
	bool is_flat;           /* all have: no tables */
};

/* What boot's memory needs. -QR_E2BIG: frame numbers that 32 bits don't
 * hold; -QR_EINVAL: gaps, and a port that says it has none. */
QR_MUST_CHECK int qr_sparse_plan(const struct qr_boot *boot,
    struct sparse_plan *plan);

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

/* --- watermark.c --- */

/* Free pages that an allocation under gfp must leave in the zone. */
uint64_t qr_watermark_floor(const struct qr_zone *zone, qr_gfp_t gfp);

/* Free pages that the zone lacks of its reserve. */
uint64_t qr_watermark_missing(const struct qr_zone *zone);

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
