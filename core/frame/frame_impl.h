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
#include "../base/busy.h"
#include "frame.h"

/* What devices can reach a zone's frames; a wider class may use a narrower
 * one's frames, but for their reserve. */
enum zone_class {
	ZONE_DMA,   /* below 16 MiB */
	ZONE_DMA32, /* below 4 GiB */
	ZONE_NORMAL,
	ZONE_CLASSES,
};

#define ZONES_MAX (QR_NODES_MAX * (unsigned)ZONE_CLASSES)

/* Frames that a CPU's list of one zone can hold: half a MiB. */
#define PCP_MAX 128u

/* Frames moved at once between a list and its zone, at most: what a hold of
 * the zone's lock should cost. */
#define PCP_BATCH_MAX 32u

/* By how much a CPU's count of a kind may differ from what all can see. */
#define KIND_SLACK 32

/* What one CPU keeps of one zone. */
struct qr_pcp {
	_Alignas(64) struct qr_busy busy;
	_Atomic(uint32_t) count;               /* (b,a) of frames[] */
	uint32_t home;                         /* (b) of these, with home
						  bytes */
	_Atomic(int32_t) delta[QR_PAGE_KINDS]; /* (b,a) not yet in
						   frames->kind_pages */
	uint32_t frames[PCP_MAX]; /* (b) two stacks: from the low end those
				     without home bytes, from the high end
				     those with */
};

/* The frames of one class and one node. */
struct qr_zone {
	/* --- lists of the CPUs --- */
	struct qr_pcp *pcp;          /* (c) [port->cpu_count] */
	_Atomic(uint32_t) pcp_high;  /* (a) frames that a list may hold */
	_Atomic(uint32_t) pcp_batch; /* (a) frames moved at once */

	/* --- what it is --- */
	qr_pfn_t pfn_start;    /* (c) a multiple of the largest block */
	qr_pfn_t pfn_end;      /* (c) */
	uint64_t pages;        /* (c) usable ones of these */
	uint32_t node;         /* (c) */
	enum zone_class class; /* (c) */
	uint8_t index;         /* (c) in frames->zone */

	/* --- watermarks --- */
	_Atomic(uint64_t) free_pages; /* (z,a) buddy.free_units */
	_Atomic(uint64_t) min_pages;  /* (a) */
	_Atomic(uint64_t) low_pages;  /* (a) */
	_Atomic(uint64_t) high_pages; /* (a) */
	/* (c) kept from allocations that could have used a wider class */
	uint64_t reserve[ZONE_CLASSES];

	/* --- frames; unit 0 is frame pfn_start --- */
	struct qr_lock lock;     /* rank QR_RANK_ZONE */
	struct qr_buddy buddy;   /* (z) free */
	struct qr_buddy balloon; /* (z) given away */
};

struct qr_frames {
	uint32_t signature;
	const struct qr_port *port; /* (c) */

	/* --- descriptors --- */
	struct qr_page *pages;      /* (c) [pfn_count] */
	qr_pfn_t pfn_start;         /* (c) what pages[0] describes */
	uint64_t pfn_count;         /* (c) */
	unsigned char *direct_map;  /* (c) */
	_Atomic(uint64_t) home_end; /* (a) past the highest frame that ever
				       had QR_PAGE_HOME */

	/* --- zones, the widest class first, by node within a class --- */
	struct qr_zone *zone; /* (c) [zone_count] */
	unsigned zone_count;  /* (c) */
	/* (c) where the zonelist of a class begins; it goes on to the end */
	unsigned first_zone[ZONE_CLASSES];
	uint64_t min_free_pages; /* (c) as configured; 0: derived */

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
};

#define FRAMES_SIGNATURE QR_SIGNATURE('F', 'r', 'a', 'm')

/* The descriptor of a frame that is known to exist. */
static inline struct qr_page *
frames_page(const struct qr_frames *frames, qr_pfn_t pfn)
{
	return &frames->pages[pfn - frames->pfn_start];
}

/* The frame of a descriptor that is known to be one. */
static inline qr_pfn_t
frames_pfn(const struct qr_frames *frames, const struct qr_page *page)
{
	return frames->pfn_start + (uint64_t)(page - frames->pages);
}

/* --- zone.c: between lists and buddies --- */

/* One block of a zone, if gfp lets it go as low as that. */
QR_MUST_CHECK bool qr_zone_take(struct qr_frames *frames, struct qr_zone *zone,
    qr_gfp_t gfp, unsigned order, qr_pfn_t *first);
void qr_zone_put(struct qr_frames *frames, struct qr_zone *zone, qr_pfn_t first,
    unsigned order);

/* Puts frames on a list whose low stack is empty, as gfp allows, without home
 * bytes if it is for mapped pages; returns how many are on it now. */
uint32_t qr_zone_refill(struct qr_frames *frames, struct qr_zone *zone,
    struct qr_pcp *pcp, qr_gfp_t gfp);

/* Gives frames back, so many of the low stack (without home bytes) and of the
 * high one, those that lay there longest. */
void qr_zone_spill(struct qr_frames *frames, struct qr_zone *zone,
    struct qr_pcp *pcp, uint32_t of_bare, uint32_t of_home);

/* Puts a block that was taken into the zone's balloon, and takes one out of
 * there; false: there is none. */
void qr_zone_lend(struct qr_frames *frames, struct qr_zone *zone,
    qr_pfn_t first, unsigned order);
QR_MUST_CHECK bool qr_zone_recall(struct qr_frames *frames,
    struct qr_zone *zone, unsigned order, qr_pfn_t *first);

/* --- watermark.c --- */

/* Class of the zones where an allocation starts. */
static inline enum zone_class
gfp_class(qr_gfp_t gfp)
{
	if ((gfp & (QR_GFP_DMA | QR_GFP_DMA32)) == 0)
		return ZONE_NORMAL;
	return (gfp & QR_GFP_DMA) != 0 ? ZONE_DMA : ZONE_DMA32;
}

/* Free pages that an allocation under gfp must leave in the zone. */
uint64_t qr_watermark_floor(const struct qr_zone *zone, qr_gfp_t gfp);

/* Free pages that the zone lacks of its reserve. */
uint64_t qr_watermark_missing(const struct qr_zone *zone);

/* Derives all that depends on how much memory is usable, the balloon being
 * larger than it is by so much: watermarks, and the length of the lists. */
void qr_watermark_update(struct qr_frames *frames, uint64_t more_balloon);

/* Wakes background reclaim if memory is low. */
void qr_watermark_signal(struct qr_frames *frames);

/* --- stat.c --- */

void qr_count_kind(struct qr_frames *frames, enum qr_page_kind kind,
    int64_t pages);

/* As above, remembered by the CPU; the caller is inside the list. */
static inline void
pcp_count_kind(struct qr_frames *frames, struct qr_pcp *pcp,
    enum qr_page_kind kind, int32_t pages)
{
	/* Relaxed: others only add these up, to a sum that is racy anyway. */
	int32_t delta = pages + atomic_load_explicit(&pcp->delta[kind],
				    memory_order_relaxed);
	if (QR_UNLIKELY(delta >= KIND_SLACK || delta <= -KIND_SLACK)) {
		qr_count_kind(frames, kind, delta);
		delta = 0;
	}
	atomic_store_explicit(&pcp->delta[kind], delta, memory_order_relaxed);
}

/* --- home.c --- */

/* The block will not use its bytes in the direct map: gives them back to the
 * port if it ever did. */
void qr_home_release(struct qr_frames *frames, qr_pfn_t first, unsigned order);

/* The same for single frames. */
void qr_home_release_all(struct qr_frames *frames, const uint32_t *pfns,
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
