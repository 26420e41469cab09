/* SPDX-License-Identifier: MIT */
/*
 * frame/frame.h: physical memory: page descriptors, nodes, zones, buddy
 * orders, per-CPU lists, watermarks, and who may have how much.
 */
#ifndef QR_FRAME_H
#define QR_FRAME_H

#include <stdatomic.h>

#include <qr/port.h>

#include "../base/check.h"
#include "../base/lock.h"
#include "../base/trace.h"
#include "../boot/boot.h"
#include "buddy.h"
#include "gfp.h"

#define QR_FRAME_ORDERS 11u        /* orders 0 to 10, up to 4 MiB */
#define QR_PFN_NIL      UINT32_MAX /* end of a list of pages */

/*
 * What a frame is used for; page->kind. A zeroed descriptor is a valid one, of
 * a frame that nobody uses: the frame is free, in the balloon, a hole, or was
 * given out at boot; which of these is known to the zone alone. So making the
 * frame layer writes no descriptors.
 */
enum qr_page_kind {
	QR_PAGE_FREE,   /* not allocated, or not the first of its block */
	QR_PAGE_USER,   /* holds a page of a space: u.user */
	QR_PAGE_SLAB,   /* objects of a slab cache: u.slab */
	QR_PAGE_TABLE,  /* a page-table node: u.table */
	QR_PAGE_POOL,   /* compressed pages: u.pool */
	QR_PAGE_META,   /* tables of the core itself */
	QR_PAGE_KERNEL, /* any other use by the core */
	QR_PAGE_CACHED, /* holds a page of an object: u.cached */
	QR_PAGE_KINDS,  /* how many there are */
};

/* page->flags */
#define QR_PAGE_LRU_MASK   0x07u /* which list of the policy, 0: none */
#define QR_PAGE_SEEN       0x08u /* touched when the policy looked before */
#define QR_PAGE_REFERENCED 0x10u /* touched since the policy last looked */
#define QR_PAGE_SHARED     0x20u /* u.user.mapping is a chain of mappings */
#define QR_PAGE_ASLEEP     0x40u /* put to sleep, no touch seen since */
#define QR_PAGE_HOME       0x80u /* bytes in the direct map may be live */

/*
 * A frame's descriptor, 32 bytes: 0.8 % of what it describes.
 *
 *   0        4        8    9     10    11    12       16              32
 *   | next   | prev   |kind|order|flags|zone | refs   | u              |
 *
 * next and prev link pages by pfn: the policy's lists, a cache's slabs. A new
 * block's first descriptor has next and prev QR_PFN_NIL, refs 1, u zero and no
 * flags but perhaps QR_PAGE_HOME. The others of a block stay QR_PAGE_FREE.
 */
struct qr_page {
	uint32_t next; /* pfn or QR_PFN_NIL; lock of the list */
	uint32_t prev;
	union {
		struct {
			_Atomic(uint8_t) kind;  /* enum qr_page_kind; its
						   owner. Others read it as a
						   hint */
			uint8_t order;          /* of the block, in its first
						   page */
			_Atomic(uint8_t) flags; /* QR_PAGE_* */
			uint8_t zone;           /* index of its zone, while in
						   use */
			_Atomic(uint32_t) refs; /* users of the block: mappings
						   and holders */
		};
		_Atomic(uint64_t) use; /* all five, for who begins or ends the
					  use: nobody else has the page */
	};
	union {
		struct {
			/* (QR_RANK_LRU) the space, or with QR_PAGE_SHARED
			 * a chain of mappings; see space/rmap.c */
			void *mapping;
			qr_vaddr_t address; /* where, if not shared */
		} user;
		struct {
			void *object;            /* struct qr_object */
			uint32_t index;          /* number of the page in it */
			_Atomic(uint32_t) state; /* QR_CACHED_* */
		} cached;
		struct {
			void *cache;         /* struct qr_slab_cache */
			uint16_t free_first; /* index of first free object */
			uint16_t used;       /* objects taken */
			uint32_t colour;     /* offset of the first, bytes */
		} slab;
		struct {
			void *table;    /* struct qr_table */
			uint32_t level; /* of its entries; 0: leaf */
		} table;
		struct {
			uint32_t run_next; /* pfn of the run's next frame */
			uint16_t class_index;
			uint16_t used;     /* objects taken in the run */
			uint64_t free_map; /* of the run's objects, 1 free */
		} pool;
		struct {
			uint32_t index;      /* of the frame in the table */
			uint16_t used;       /* slots taken */
			uint16_t free_first; /* index of first free slot */
		} slots;
		struct {
			uint32_t used;     /* device pages taken */
			uint32_t clusters; /* words of the map wholly free */
		} map;
	} u;
};
_Static_assert(sizeof(struct qr_page) == 32, "a page descriptor is 32 bytes");

/* Named levels of free memory; compared by the predicates below only. */
struct qr_watermarks {
	uint64_t min_pages;  /* below: only QR_GFP_RESERVE and ATOMIC */
	uint64_t low_pages;  /* below: background reclaim is woken */
	uint64_t high_pages; /* at or above: background reclaim rests */
};

/* Upcalls of frame/, registered at boot. */
struct qr_frame_ops {
	/* Frees some pages, at least want if it can. 0: progress was made.
	 * No lock above QR_RANK_SPACE held. */
	int (*reclaim)(void *ctx, qr_gfp_t gfp, size_t want);
	/* Free memory fell below low. Any lock may be held. */
	void (*low)(void *ctx);
	/* Moves the contents and mappings of a page of a kind that can be
	 * moved, or that was one a moment ago, to another frame, whose kind is
	 * the same: 0. -QR_EPERM: it can't be moved; -QR_EBUSY: not now.
	 * Nothing of the frame layer is held. NULL: no page can. */
	int (*migrate)(void *ctx, struct qr_page *page, struct qr_page *to);
};

struct qr_frame_config {
	uint64_t min_free_pages;  /* 0: derived from the memory's size. Never
				    more than a quarter of it */
	uint64_t movable_pages;   /* of the highest of each node, by its
				    share, are set aside for what can be
				    moved: QR_ZONE_MOVABLE */
	uint64_t watermark_scale; /* distance between the watermarks, at
				     least, in 1/10000 of memory; 0: 10 */
	uint64_t boost_scale;     /* how far a pageblock that gets mixed raises
				     the goal of background reclaim, in
				     1/10000 of the high watermark; 0: 15000;
				     UINT64_MAX: not at all */
	bool deflate_on_oom;      /* the balloon gives frames back before an
				     allocation that may reclaim fails */
	uint32_t plug_slots;      /* memory blocks that can be plugged, see
				     hotplug.h; 0: none, nor can any go
				     offline */
	uint32_t plug_node;       /* that they are of */
	qr_paddr_t plug_end;      /* and end below, at the highest */
	uint64_t contig_pages;    /* set aside for large contiguous pieces:
				     whole pageblocks, the highest of the
				     first zone in the direct map */
};

/* One zone, as zoneinfo shows it; pages. A racy look. */
struct qr_zone_stat {
	const char *name;
	uint32_t node;
	qr_pfn_t pfn_start; /* its first frame */
	uint64_t spanned;   /* from there to its last, holes included */
	uint64_t present;   /* frames that exist */
	uint64_t free;      /* in the buddy */
	uint64_t listed;    /* on the CPUs' lists */
	uint64_t balloon;
	struct qr_watermarks marks;
	uint64_t reserve[QR_ZONE_CLASSES]; /* left by who could have had a
					      wider class (lowmem reserve) */
	uint64_t boost;                    /* on top of low and high, for now */
	uint64_t missed; /* allocations that wanted another node's */
};

/* One zone's free blocks and pageblocks, as buddyinfo and pagetypeinfo show
 * them. */
struct qr_zone_types {
	uint64_t free_blocks[QR_MIGRATE_TYPES][QR_FRAME_ORDERS];
	uint64_t blocks[QR_MIGRATE_TYPES];  /* pageblocks of the type */
	uint64_t claimed[QR_MIGRATE_TYPES]; /* pageblocks that came to the type
					       when it ran out */
	uint64_t mixed[QR_MIGRATE_TYPES];   /* blocks that it then took without
					       the pageblock */
};

/* Counts of pages; a racy sum, exact when nothing runs. */
struct qr_frame_stat {
	uint64_t total; /* frames the core was given */
	uint64_t free;  /* in buddies and per-CPU lists */
	uint64_t user;
	uint64_t slab;
	uint64_t table;
	uint64_t pool;
	uint64_t meta; /* descriptors, bitmaps and boot allocations */
	uint64_t balloon;
	uint64_t kernel;
	uint64_t cached;    /* pages of files and shared memory */
	uint64_t home;      /* frames of any use with live bytes in the direct
			     map; those of boot are not among them */
	uint64_t boot;      /* of meta, taken by boot for good */
	uint64_t user_peak; /* to within a list of each CPU and zone */
	uint64_t pool_peak;
};

struct qr_frames; /* frame_impl.h */

/*
 * Makes the frame layer out of all that boot has left, with its own tables
 * taken from boot, which is sealed. config may be NULL. -QR_ENOMEM: no room
 * for the tables; -QR_E2BIG: frame numbers that 32 bits don't hold;
 * -QR_EINVAL: there is no direct map, too many nodes, or a gap in the memory
 * of a port that says it has none. Boot is then as it was, but that frame
 * QR_PFN_NIL is reserved where it exists.
 */
QR_MUST_CHECK int qr_frame_create(const struct qr_port *port,
    struct qr_boot *boot, const struct qr_frame_config *config,
    struct qr_frames **frames);

void qr_frame_set_ops(struct qr_frames *frames, const struct qr_frame_ops *ops,
    void *ctx);

const struct qr_port *qr_frame_port(const struct qr_frames *frames);

/* Where what changes here and in the layers above is written: NULL: nowhere. */
qr_trace_switch *qr_frame_trace(struct qr_frames *frames);

/*
 * One block of 1 << order frames whose first frame's number is a multiple of
 * 1 << order, refs 1; the first page's kind and order are set. NULL: the
 * zonelist has none and gfp allowed no more. Order 0 from the CPU's list:
 * one lock, no shared line.
 */
QR_MUST_CHECK struct qr_page *qr_frame_alloc(struct qr_frames *frames,
    qr_gfp_t gfp, unsigned order, enum qr_page_kind kind);

/* As qr_frame_alloc, on behalf of a CPU of that node: its zones come first,
 * then those of the nodes nearest to it. */
QR_MUST_CHECK struct qr_page *qr_frame_alloc_node(struct qr_frames *frames,
    qr_gfp_t gfp, unsigned order, enum qr_page_kind kind, uint32_t node);

/*
 * Frames promised to one who must not fail later: they are taken out now, and
 * handed out by a call that can't. All of the caller's own; zeroed, it holds
 * none.
 */
struct qr_frame_promise {
	uint32_t first; /* pfn, linked by next */
	uint32_t count;
};

/* Fills up to count single frames. -QR_ENOMEM: what was there stays. */
QR_MUST_CHECK int qr_frame_promise(struct qr_frames *frames,
    struct qr_frame_promise *promise, qr_gfp_t gfp, uint32_t count);

/* One frame of the promise, which holds one: as qr_frame_alloc gives it,
 * without home bytes if it is for QR_PAGE_USER. Takes no lock. Can't fail, for
 * the frame is the caller's already. */
struct qr_page *qr_frame_redeem_nofail(struct qr_frames *frames,
    struct qr_frame_promise *promise, enum qr_page_kind kind);

/* Gives back what is left. */
void qr_frame_forgo(struct qr_frames *frames, struct qr_frame_promise *promise);

/* Up to count single frames into out[], as many as can be had without
 * reclaim; returns how many. */
size_t qr_frame_alloc_bulk(struct qr_frames *frames, qr_gfp_t gfp, size_t count,
    enum qr_page_kind kind, struct qr_page **out);

/*
 * count frames in a row, the first a multiple of 1 << align_order, that mapped
 * pages may be in now: these are moved. Each is then a block of order 0 of its
 * own. gfp says from which zones. No lock held. NULL: there is no such run
 * without pages that can't be moved, or no memory to move them to.
 */
QR_MUST_CHECK struct qr_page *qr_frame_alloc_contig(struct qr_frames *frames,
    qr_gfp_t gfp, uint64_t count, unsigned align_order, enum qr_page_kind kind);
void qr_frame_free_contig(struct qr_frames *frames, struct qr_page *page,
    uint64_t count);

/* Makes up to blocks free blocks of the order by moving mapped pages together,
 * as long as that is cheap (less than half of a block's frames to move).
 * Returns how many it made. No lock held. */
size_t qr_frame_compact(struct qr_frames *frames, unsigned order,
    size_t blocks);

/* An order that compaction failed to make, or was not tried for, since this
 * was asked last; 0: none. */
unsigned qr_frame_compact_wanted(struct qr_frames *frames);

/* What compaction did so far. */
struct qr_compact_stat {
	uint64_t moved;   /* pages */
	uint64_t pinned;  /* pages found that can't be moved */
	uint64_t busy;    /* pages found that couldn't be moved then */
	uint64_t made;    /* blocks and runs */
	uint64_t failed;  /* blocks and runs begun in vain */
	uint64_t skipped; /* times it was not tried, for having failed */
};

void qr_frame_compact_stat(const struct qr_frames *frames,
    struct qr_compact_stat *stat);

/* Gives back a block whose refs are 1 or 0. Panics on a double or wild
 * free. */
void qr_frame_free(struct qr_frames *frames, struct qr_page *page);

void qr_frame_free_bulk(struct qr_frames *frames, struct qr_page **pages,
    size_t count);

/* Changes the use of an allocated block, keeping the counts right. */
void qr_frame_set_kind(struct qr_frames *frames, struct qr_page *page,
    enum qr_page_kind kind);

/* Descriptor of a frame, frame of a descriptor. Wild pfn: panic. */
struct qr_page *qr_frame_page(const struct qr_frames *frames, qr_pfn_t pfn);
qr_pfn_t qr_frame_pfn(const struct qr_frames *frames,
    const struct qr_page *page);

/* The block's bytes in the direct map, marked live there. It must be in it:
 * not of QR_GFP_HIGHMEM or QR_GFP_USER. */
void *qr_frame_data(struct qr_frames *frames, struct qr_page *page);

/*
 * The balloon: frames taken out of use because somebody else has the memory.
 * Moves towards target pages, as far as it can without reclaim (inflating)
 * or as far as it holds (deflating); returns the balloon's size now.
 */
uint64_t qr_frame_balloon(struct qr_frames *frames, uint64_t target_pages);

/* Watermarks, as predicates and as amounts. */
bool qr_frame_below_min(const struct qr_frames *frames);
bool qr_frame_below_low(const struct qr_frames *frames);
bool qr_frame_below_high(const struct qr_frames *frames);
uint64_t qr_frame_want(const struct qr_frames *frames); /* pages up to high */
struct qr_watermarks qr_frame_watermarks(const struct qr_frames *frames);

/* Background reclaim has done what it could: the goal is the watermarks' again,
 * until types mix the next time. */
void qr_frame_unboost(struct qr_frames *frames);

/* Gives every per-CPU list's pages back to the buddies. */
void qr_frame_drain(struct qr_frames *frames);

/* To be called now and then: per-CPU lists that were not needed since the last
 * time become shorter. */
void qr_frame_tune(struct qr_frames *frames);

void qr_frame_stat(const struct qr_frames *frames, struct qr_frame_stat *stat);

/* Zones there are, and the index-th of them. */
unsigned qr_frame_zone_count(const struct qr_frames *frames);
void qr_frame_zone_stat(const struct qr_frames *frames, unsigned index,
    struct qr_zone_stat *stat);

void qr_frame_zone_types(const struct qr_frames *frames, unsigned index,
    struct qr_zone_types *types);

/* How much of the free memory is of no use for a block of the order, in
 * 1/1000. */
unsigned qr_zone_unusable_index(const struct qr_zone_types *types,
    unsigned order);

/* Why an allocation of the order would fail: towards 0 for want of memory,
 * towards 1000 because it is in pieces; -1000: it would not. */
int qr_zone_fragmentation_index(const struct qr_zone_types *types,
    unsigned order);

/* The zones that an allocation for the class on behalf of a node is tried in,
 * in this order, by index; returns how many. */
unsigned qr_frame_zonelist(const struct qr_frames *frames, uint32_t node,
    enum qr_zone_class zone_class, uint8_t list[]);

/* Frames that stay free whatever is asked: each zone's high watermark and
 * largest reserve. */
uint64_t qr_frame_total_reserve(const struct qr_frames *frames);

/* Frames that the core may use now: all but boot's and the balloon. */
uint64_t qr_frame_usable(const struct qr_frames *frames);

void qr_check_frames(struct qr_frames *frames, enum qr_check_depth depth);

#endif
