/* SPDX-License-Identifier: MIT */
/*
 * space/space_impl.h: the structs of an address space, and what the files of
 * this folder call in each other. The essay is in space.c.
 */
#ifndef QR_SPACE_IMPL_H
#define QR_SPACE_IMPL_H

#include <qr/calls.h>

#include "../base/tree.h"
#include "commit_impl.h"
#include "space.h"

#define QR_SPACE_SIGNATURE  QR_SIGNATURE('S', 'P', 'A', 'C')
#define QR_SPACES_SIGNATURE QR_SIGNATURE('S', 'p', 'c', 's')

/* Lowest address that is given out when none is asked for: null pointers
 * with an offset below this fault. 64 KiB, as on most systems. */
#define QR_SPACE_BOTTOM ((qr_vaddr_t)0x10000)

/* Flags of a request that an area keeps; the rest says how to place it. */
#define QR_AREA_KEPT                                                           \
	(QR_MAP_NORESERVE | QR_MAP_LOCKED | QR_MAP_FOREIGN | QR_MAP_DONTFORK | \
	    QR_MAP_WIPEONFORK | QR_MAP_GROWSDOWN | QR_MAP_ONFAULT |            \
	    QR_MAP_SHARED | QR_MAP_NOWRITE)

/* What stays free below an area that grows down, as on Linux. */
#define QR_AREA_GUARD ((uint64_t)256 * QR_PAGE_SIZE)

/* In qr_area.flags beside QR_MAP_*: its pages are in commit_pages; it is the
 * first part of a struct qr_view. */
#define QR_AREA_CHARGED 0x8000u
#define QR_AREA_VIEW    0x4000u

/*
 * A range of addresses with the same rights; one cache line. Key: (s) the
 * space's lock, exclusive to write. Holes are counted in pages, those of 16 TiB
 * and more as a page less than that.
 */
struct qr_area {
	struct qr_tree_node node; /* (s) */
	qr_vaddr_t start;         /* (s) */
	qr_vaddr_t end;           /* (s) */
	uint32_t gap;             /* (s) hole below it, pages */
	uint32_t gap_max;         /* (s) largest in the subtree of node */
	uint32_t prot;            /* (s) QR_PROT_* */
	uint32_t flags;           /* (s) QR_AREA_KEPT, QR_AREA_CHARGED */
};
_Static_assert(sizeof(struct qr_area) <= 64, "an area is a cache line");

/* One of the mappings of a page that several entries map; see rmap.c. */
struct qr_mapping {
	struct qr_space *space;
	qr_vaddr_t address;
	struct qr_mapping *next;
};

/* Sequential runs of faults that a space remembers; see qr_stream_window. */
#define QR_STREAMS 64u

/* Keys: (c) constant after creation, (s) lock, shared to read and exclusive
 * to write, (p) pin_lock, (l) spaces->list_lock, (a) atomic. */
struct qr_space {
	uint32_t signature;
	uint32_t tag;             /* (c) unique among the living */
	struct qr_spaces *spaces; /* (c) */
	void *mm;                 /* (c) the port's handle */
	struct qr_list link;      /* (l) */

	struct qr_rwlock lock;          /* rank QR_RANK_SPACE */
	struct qr_tree areas;           /* (s) */
	_Atomic(struct qr_area *) last; /* (a) found last; NULL: none. Set
					   under any hold of lock, so it never
					   outlives its area */
	uint64_t area_count;            /* (s) */
	uint64_t view_count;            /* (s) of these, views */
	uint64_t virtual_pages;         /* (s) in areas that are managed */
	uint64_t locked_pages;          /* (s) of these, QR_MAP_LOCKED */
	qr_vaddr_t end;                 /* (c) areas end here at most */

	struct qr_table table;
	_Atomic(uint64_t) resident; /* (a) entries with a frame */
	_Atomic(uint64_t) swapped;  /* (a) entries swapped or zero */

	struct qr_lock pin_lock; /* rank QR_RANK_PIN */
	struct qr_pin *pins;     /* (p) */

	_Atomic(uint64_t) streams[QR_STREAMS]; /* (a) hints */

	/* For <qr/calls.h>; see calls.c. */
	qr_vaddr_t brk_start;      /* (s) */
	qr_vaddr_t brk;            /* (s) bytes */
	uint64_t limit[QR_LIMITS]; /* (s) */
	unsigned lock_future;      /* (s) QR_MCL_FUTURE, QR_MCL_ONFAULT */
	bool may_lock;             /* (s) */
	_Atomic(int) oom_adjust;   /* (a) */
	uint64_t charged_pages;    /* (s) in areas that are charged */
	uint64_t quota_pages;      /* (s) charged_pages is to stay below */
	uint64_t reserve_pages;    /* (s) beyond these, if open */
	bool reserve_open;         /* (s) */
};

/* --- area.c: the tree of areas; lock held, exclusively for changes --- */

void qr_areas_init(struct qr_space *space);

/* The area that holds address, else the next above it, else NULL. */
struct qr_area *qr_area_find(struct qr_space *space, qr_vaddr_t address);
struct qr_area *qr_area_first(const struct qr_space *space);
struct qr_area *qr_area_next(const struct qr_area *area);

/* Whether no area has a page in [start, end). */
bool qr_area_is_free(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end);

/* The highest hole of size_bytes. -QR_ENOMEM: there is none. */
QR_MUST_CHECK int qr_area_find_gap(const struct qr_space *space,
    uint64_t size_bytes, qr_vaddr_t *address);

/* Area structs taken before a change, so that it can't fail halfway. */
#define QR_AREA_SPARES 3u
struct qr_area_spares {
	void *area[QR_AREA_SPARES];
	void *view[QR_AREA_SPARES];
	size_t count;
	size_t view_count;
};

/* Views are taken, too, if the space has any, or if views. */
QR_MUST_CHECK int qr_area_spares_take(struct qr_space *space, size_t count,
    bool views, struct qr_area_spares *spares);
struct qr_area *qr_area_spares_use(struct qr_area_spares *spares, bool view);
void qr_area_spares_drop(struct qr_space *space, struct qr_area_spares *spares);

void qr_area_insert(struct qr_space *space, struct qr_area *area);
void qr_area_remove(struct qr_space *space, struct qr_area *area);

/* Splits the areas that start and end lie inside of: two spares at most. */
void qr_area_isolate(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    struct qr_area_spares *spares);

/* Changes rights and flags of an area, keeping the space's sums. */
void qr_area_set(struct qr_space *space, struct qr_area *area, unsigned prot,
    unsigned flags);

/* Moves the edges of an area, no further than its neighbours'. */
void qr_area_resize(struct qr_space *space, struct qr_area *area,
    qr_vaddr_t start, qr_vaddr_t end);

/* Joins alike neighbours among the areas that touch [start, end]. */
void qr_area_join(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end);

/* What the tree knows of holes is right. */
void qr_check_area_gaps(const struct qr_space *space);

static inline uint64_t
qr_area_pages(const struct qr_area *area)
{
	return (area->end - area->start) >> QR_PAGE_SHIFT;
}

static inline bool
qr_area_is_foreign(const struct qr_area *area)
{
	return (area->flags & QR_MAP_FOREIGN) != 0;
}

/* What an entry of the area says that maps frame with these rights. */
static inline struct qr_pte
qr_area_pte(const struct qr_area *area, qr_pfn_t frame, unsigned prot)
{
	struct qr_pte pte = qr_pte_map(frame, prot);
	if ((area->flags & QR_MAP_LOCKED) != 0)
		pte.bits |= QR_PTE_LOCKED;
	return pte;
}

/* How much lower than its start the area's claim reaches. */
static inline uint64_t
qr_area_guard(const struct qr_area *area)
{
	return (area->flags & QR_MAP_GROWSDOWN) != 0 ? QR_AREA_GUARD : 0;
}

/* --- rmap.c: from a page to the entries that map it; page lock held --- */

/* The page's only mapping, made when it comes in. */
void qr_rmap_set(struct qr_page *page, struct qr_space *space,
    qr_vaddr_t address);

/* The only mapping moves; a shared page's link of (space, from) moves. */
void qr_rmap_move(struct qr_page *page, struct qr_space *space, qr_vaddr_t from,
    qr_vaddr_t to);

/* Adds a mapping. spare[0] and, if it was the only mapping so far, spare[1]
 * are used up and set to NULL. */
void qr_rmap_share(struct qr_page *page, struct qr_space *space,
    qr_vaddr_t address, struct qr_mapping *spare[2]);

/* Takes the mapping away; tells the policy and returns true if it was the
 * last: the frame is the caller's to free. */
bool qr_rmap_unlink(struct qr_spaces *spaces, struct qr_page *page,
    struct qr_space *space, qr_vaddr_t address);

/* Frees all links of a shared page that nothing maps any more. */
void qr_rmap_forget(struct qr_spaces *spaces, struct qr_page *page);

/*
 * Steps through a page's mappings: *cursor is NULL at first. False: there is
 * no further one. They can't change while the page lock is held or all their
 * entries are claimed.
 */
struct qr_rmap_place {
	struct qr_space *space;
	qr_vaddr_t address;
};
struct qr_rmap_cursor {
	const struct qr_mapping *next;
	const struct qr_view *view; /* of a cached page: the last one */
	bool started;
};
bool qr_rmap_step(const struct qr_page *page, struct qr_rmap_cursor *cursor,
    struct qr_rmap_place *place);

/* The entry of a place. */
qr_pte_word *qr_rmap_word(const struct qr_rmap_place *place);

/* Claims all entries that map a listed page of spaces' own, or none: some are
 * in other hands, or there are none. */
QR_MUST_CHECK bool qr_rmap_claim(struct qr_spaces *spaces,
    const struct qr_page *page);

/* Whether a pin covers one of the page's mappings. After they were claimed and
 * a sequentially consistent fence; before, a hint. */
bool qr_rmap_is_pinned(const struct qr_page *page);

/* All mappings of a page, whose entries are claimed, become those of another,
 * which has none. */
void qr_rmap_transfer(struct qr_page *page, struct qr_page *to);

/* Whether one of the page's mappings is marked locked. */
bool qr_rmap_is_locked(const struct qr_page *page);

/* Whether a page that is on no list belongs on one: none of its mappings is
 * locked, and no eviction has it. */
bool qr_rmap_may_list(const struct qr_page *page);

static inline bool
qr_page_is_shared(const struct qr_page *page)
{
	/* Relaxed: whoever acts on it holds the page lock, or an entry that
	 * maps the page, or all of them. */
	return (atomic_load_explicit(&page->flags, memory_order_relaxed) &
		   QR_PAGE_SHARED) != 0;
}

/* Whether the policy has the page on a list. (page lock) */
static inline bool
qr_page_is_listed(const struct qr_page *page)
{
	/* Relaxed: changed under the page lock only. */
	return (atomic_load_explicit(&page->flags, memory_order_relaxed) &
		   QR_PAGE_LRU_MASK) != 0;
}

/* Whether only the page's own entry maps it: neither shared nor cached. */
static inline bool
qr_page_is_own(const struct qr_page *page)
{
	return !qr_page_is_shared(page) && !qr_page_is_cached(page);
}

/* --- fault.c --- */

/* One touch under the shared lock; ahead: pages from address on that are
 * known to be wanted, 1: only this. Errors as qr_space_fault, no oom(). */
struct qr_touch {
	struct qr_space *space;
	const struct qr_area *area;
	qr_vaddr_t address;
	unsigned access;
	size_t ahead;
	qr_pte_word *word; /* its entry */
	struct qr_pte pte; /* what the entry was when it was claimed */
};
QR_MUST_CHECK int qr_touch_entry(struct qr_touch *touch);

/* Whether the entry allows that access and nobody is about to change it. */
bool qr_touch_is_met(struct qr_pte pte, unsigned access);

/* Brings in what [at, end) needs for access, in areas that the core manages;
 * moves at on. Asks oom(). No lock held. Errors as qr_space_fault. */
struct qr_populate {
	struct qr_space *space;
	qr_vaddr_t at;
	qr_vaddr_t end;
	unsigned access;
	bool swapped_only; /* a hint: no first touches, no errors, no oom() */
};
QR_MUST_CHECK int qr_populate(struct qr_populate *populate);

/* Whether rights allow an access. */
bool qr_prot_allows(unsigned prot, unsigned access);

/* Asks the port's oom(); true: try again. No lock held. */
bool qr_touch_oom(struct qr_space *space, qr_vaddr_t address);

/* --- map.c; lock held exclusively --- */

/* qr_table_prune, with those kept out who come from a page to its entries. */
void qr_map_prune(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end);

/* Unmaps [start, end) with the spares that qr_area_isolate needs. */
void qr_map_clear(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    struct qr_area_spares *spares, unsigned host);

/* Aligned, not empty, within what the table describes. */
bool qr_range_is_valid(const struct qr_space *space, qr_vaddr_t start,
    uint64_t size_bytes);

/* Moves pages and area from one free place to another; keep: an area without
 * pages stays, not locked. Both are valid and the range lies in one area. */
struct qr_map_move {
	qr_vaddr_t from;
	qr_vaddr_t to;
	uint64_t size_bytes;
	unsigned host;
	bool keep;
};
QR_MUST_CHECK int qr_map_move(struct qr_space *space,
    const struct qr_map_move *move);

/* How the areas of a range change. */
struct qr_area_change {
	unsigned prot;
	bool prot_too;        /* else prot stays as it is */
	unsigned flags_set;   /* QR_MAP_* */
	unsigned flags_clear; /* QR_MAP_* */
	unsigned host;
};
QR_MUST_CHECK int qr_map_change(struct qr_space *space, qr_vaddr_t start,
    uint64_t size_bytes, const struct qr_area_change *change);

/* --- calls.c: limits; lock held exclusively --- */

/* Whether so many pages more with these rights and flags stay within the
 * limits for areas and data. */
bool qr_calls_may_grow(struct qr_space *space, uint64_t pages, unsigned prot,
    unsigned flags);

/* Whether so many bytes more may be locked. */
bool qr_calls_may_lock(const struct qr_space *space, uint64_t size_bytes);

/* Brings in what can be, a piece of an area at a time; no lock held. strict:
 * -QR_EFAULT where nothing may be touched, -QR_ENOMEM at a hole. */
int qr_calls_populate(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    bool strict);

/* What a fork inherits. */
void qr_calls_inherit(struct qr_space *child, const struct qr_space *parent);
void qr_calls_init(struct qr_space *space);

/* --- grow.c --- */

/* Grows the area above address down to it, if there is one that does. -QR_EFAULT:
 * there is none, or a limit or a neighbour is in its way. No lock held. */
QR_MUST_CHECK int qr_area_grow_down(struct qr_space *space, qr_vaddr_t address);

/* --- cow.c --- */

/* A write to a page that others map too; the entry is claimed. */
QR_MUST_CHECK int qr_touch_copy(struct qr_touch *touch);

/* --- window.c --- */

/* Whether nothing can come in between two pages of a space whose entries the
 * caller has claimed: they are of one window and all between them is out, and
 * claimed from now on until qr_window_part. */
QR_MUST_CHECK bool qr_window_join(struct qr_space *space, qr_vaddr_t below,
    qr_vaddr_t above);
void qr_window_part(struct qr_space *space, qr_vaddr_t below, qr_vaddr_t above);

/* --- pin.c --- */

/* Whether a pin covers address. After the entry was claimed and a
 * sequentially consistent fence. */
bool qr_space_is_pinned(struct qr_space *space, qr_vaddr_t address);

/* The same for those of pages[] whose bit in mask is set, all of which only
 * this space maps: the bits of those that are pinned. */
uint64_t qr_space_find_pinned(struct qr_space *space, struct qr_page **pages,
    uint64_t mask);

#include "run_impl.h"
#include "view_impl.h"

#endif
