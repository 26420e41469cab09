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

/* And one for plugged memory. */
#define ZONES_MAX (QR_NODES_MAX * (unsigned)QR_ZONE_CLASSES + 1)

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
	_Atomic(uint64_t) pages;  /* (a) usable ones of these */
	uint32_t node;            /* (c) */
	enum qr_zone_class class; /* (c) */
	uint8_t index;            /* (c) in frames->zone */
	_Atomic(uint64_t) missed; /* (a) frames for want of nearer ones */

	/* --- watermarks --- */
	_Atomic(uint64_t) free_pages;  /* (z,a) that can be allocated */
	_Atomic(uint64_t) min_pages;   /* (a) */
	_Atomic(uint64_t) low_pages;   /* (a) */
	_Atomic(uint64_t) high_pages;  /* (a) */
	_Atomic(uint64_t) boost_pages; /* (a) on top of low and high */
	/* (a) kept from allocations that could have used a wider class */
	_Atomic(uint64_t) reserve[QR_ZONE_CLASSES];

	/* --- frames; unit 0 has index base --- */
	struct qr_lock lock;                     /* rank QR_RANK_ZONE */
	struct qr_buddy buddy[QR_MIGRATE_TYPES]; /* (z) free, by the type of
						    the pageblock */
	struct qr_buddy balloon;                 /* (z) given away */
	uint8_t *block_type;     /* (z) [zone_end_block] enum qr_migrate_type */
	bool has_contig;         /* (c) some are set aside */
	uint64_t compact_hand;   /* (z) pageblock where compaction goes on */
	uint32_t compact_failed; /* (z) in a row, at most COMPACT_DEFER_MAX */
	uint32_t compact_skip;   /* (z) attempts still to be left out */
	uint64_t claimed[QR_MIGRATE_TYPES]; /* (z) see struct qr_zone_types */
	uint64_t mixed[QR_MIGRATE_TYPES];   /* (z) */
};

struct qr_frames {
	uint32_t signature;
	const struct qr_port *port; /* (c) */
	qr_trace_switch trace;      /* (a) where changes are written */

	/* --- descriptors; frame.c, part 7 --- */
	struct qr_page *pages;      /* (c) [page_count], by index */
	uint64_t page_count;        /* (c) */
	qr_pfn_t pfn_start;         /* (c) where section 0 begins */
	_Atomic(uint32_t) *slot;    /* (a) [section_count] of a section, or
				       SLOT_NONE; NULL: index = pfn -
				       pfn_start */
	_Atomic(uint32_t) *section; /* (a) [slot_count] in a slot, or SLOT_NONE;
				       who has the slot */
	_Atomic(uint8_t) *slot_state; /* (a) [slot_count] enum
				       qr_block_state; NULL: none comes or
				       goes */
	uint32_t slot_plugged;        /* (c) first slot that is for plugged
				       memory */
	uint32_t section_count;       /* (c) */
	uint32_t slot_count;          /* (c) */
	unsigned char *direct_map;    /* (c) */
	_Atomic(uint64_t) home_end;   /* (a) past the highest index that ever
				       had QR_PAGE_HOME */

	/* --- zones, the widest class first, by node within a class --- */
	struct qr_zone *zone; /* (c) [zone_count] */
	unsigned zone_count;  /* (c) */
	/* (a) a CPU's list of the first zone that it tries, for the core's own
	 * and for mapped pages */
	_Atomic(struct qr_pcp *) near[QR_CPUS_MAX][2];
	struct qr_pcp *lists[ZONES_MAX]; /* (c) zone[].pcp */
	struct zonelist list[QR_NODES_MAX][QR_ZONE_CLASSES]; /* (c) */
	uint64_t min_free_pages;  /* (c) as configured; 0: derived */
	uint64_t watermark_scale; /* (c) 1/10000 */
	uint64_t boost_scale;     /* (c) 1/10000 */
	qr_pfn_t direct_end;      /* (c) frames from here on have no place in
				     the direct map */

	/* --- upcalls --- */
	const struct qr_frame_ops *ops; /* (c) after boot; NULL: none */
	void *ops_ctx;                  /* (c) after boot */
	_Atomic(uint32_t) pause;        /* 0, to wait at */

	/* --- counts --- */
	_Atomic(uint64_t) total_pages;              /* (a) */
	uint64_t boot_pages;                        /* (c) of these not
						       handed over */
	_Atomic(uint64_t) balloon_pages;            /* (a) */
	bool deflate_on_oom;                        /* (c) */
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
		/* Relaxed: the frame exists, so its slot stays. */
		at = (uint64_t)atomic_load_explicit(
			 &frames->slot[at >> SECTION_SHIFT],
			 memory_order_relaxed)
			 << SECTION_SHIFT |
		     (at & SECTION_MASK);
	return at;
}

/* The frame that has the index. */
static inline qr_pfn_t
frames_pfn_at(const struct qr_frames *frames, uint64_t index)
{
	if (frames_sparse(frames))
		/* Relaxed, as above. */
		index = (uint64_t)atomic_load_explicit(
			    &frames->section[index >> SECTION_SHIFT],
			    memory_order_relaxed)
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

/* One event of this folder. */
#define FRAME_TRACE(frames, event, a, b, c)                                    \
	QR_TRACE(&(frames)->trace, (frames)->port, event, a, b, c)

#include "parts_impl.h"

#endif
