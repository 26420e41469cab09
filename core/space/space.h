/* SPDX-License-Identifier: MIT */
/*
 * space/space.h: what the folders above see of address spaces; the
 * embedder's calls are in <qr/machine.h>.
 */
#ifndef QR_SPACE_H
#define QR_SPACE_H

#include <qr/machine.h>

#include "../base/list.h"
#include "../cache/cache.h"
#include "../table/table.h"

/* Upcalls of space/, registered by reclaim/. The page lock is held but for
 * reclaim(). */
struct qr_space_ops {
	void (*page_in)(void *ctx, struct qr_page *page,
	    uint64_t refault_distance); /* UINT64_MAX: never evicted */
	void (*page_touched)(void *ctx, struct qr_page *page);
	/* The page is on a list (QR_PAGE_LRU_MASK) and must leave it. */
	void (*page_gone)(void *ctx, struct qr_page *page);
	/* The page was handed to qr_spaces_evict and can't go. */
	void (*page_stays)(void *ctx, struct qr_page *page);
	/* Mapped pages need room: makes frames free, or maps fewer pages, at
	 * least want if it can. 0: progress was made. Called without the page
	 * lock, with no lock above QR_RANK_SPACE held. */
	int (*reclaim)(void *ctx, size_t want);
};

/* What all spaces of a machine share. */
struct qr_spaces {
	uint32_t signature;
	const struct qr_port *port;          /* (c) */
	struct qr_frames *frames;            /* (c) */
	struct qr_slabs *slabs;              /* (c) */
	struct qr_swap *swap;                /* (c) */
	const struct qr_geometry *geometry;  /* (c) */
	const struct qr_space_ops *ops;      /* (c) after boot */
	void *ops_ctx;                       /* (c) after boot */
	struct qr_slab_cache *space_cache;   /* (c) */
	struct qr_slab_cache *area_cache;    /* (c) */
	struct qr_slab_cache *mapping_cache; /* (c) links of shared pages */
	struct qr_slab_cache *view_cache;    /* (c) areas that map objects */
	struct qr_cache cache;               /* objects and their pages */
	/* Names and segments of shared memory; see shm.c. (shm.lock) */
	struct {
		struct qr_lock lock; /* rank QR_RANK_SHM */
		struct qr_list names;
		struct qr_list segments;
		struct qr_slab_cache *name_cache;    /* (c) */
		struct qr_slab_cache *segment_cache; /* (c) */
		uint64_t segment_bytes_max;
		uint64_t pages_max;
		uint64_t pages; /* of all segments */
		unsigned segments_max;
		unsigned count; /* segments */
		unsigned next;  /* id that is tried next */
	} shm;
	struct qr_lock list_lock; /* rank QR_RANK_MACHINE */
	struct qr_list list;      /* (list_lock) living spaces */
	uint32_t tag_next;        /* (list_lock) */
	struct qr_lock page_lock; /* rank QR_RANK_LRU: places of pages on the
				       policy's lists, and rmap */
	struct qr_lock stage_lock[QR_CPUS_MAX]; /* rank QR_RANK_STAGE */
	struct qr_lock peek_lock[QR_CPUS_MAX];  /* rank QR_RANK_PEEK */
	uint64_t evictions; /* (page_lock) clock of refault distance */
	_Atomic(uint64_t) commit_pages;
	_Atomic(uint64_t) user_pages;  /* frames that hold mapped pages */
	_Atomic(int) last_error;       /* reclaim's last refusal by swap */
	enum qr_overcommit overcommit; /* (c) */
	uint64_t commit_pages_max;     /* (c) */
	uint64_t user_pages_max;       /* (c) 0: none */
	unsigned fault_around;         /* (c) */
	bool evict_by_touchers;        /* (c) */
	struct {
		_Atomic(uint64_t) first_touch, pool, device, cow, soft, cached,
		    spurious, bad, pages_in, pages_out, pages_out_zero,
		    refaulted, oom;
	} count;
};

QR_MUST_CHECK int qr_spaces_init(struct qr_spaces *spaces,
    struct qr_frames *frames, struct qr_slabs *slabs, struct qr_swap *swap,
    const struct qr_machine_config *config);
void qr_spaces_fini(struct qr_spaces *spaces);

/* Names and segments of shared memory go, whose pages are on the policy's
 * lists. Before reclaim ends; no space is left. */
void qr_spaces_end_shared(struct qr_spaces *spaces);
void qr_spaces_set_ops(struct qr_spaces *spaces, const struct qr_space_ops *ops,
    void *ctx);

QR_MUST_CHECK int qr_space_new(struct qr_spaces *spaces,
    struct qr_space **space);

/*
 * Evicts up to QR_EVICT_MAX pages that the policy has taken off its lists,
 * still under the same hold of the page lock, which is dropped for good:
 * claims the entries that map them, freezes, stores, drops, frees.
 * Pages of one window (the port's mmu_window) go through the port as
 * one range. Pages that are
 * pinned, busy or could not be stored stay: page_stays() is called for each
 * while nobody can unmap it yet; pages[] is scratch and names nothing that
 * the caller may still look at. Returns how many frames became free; *error
 * is the last refusal of swap, 0 if there was none.
 */
size_t qr_spaces_evict(struct qr_spaces *spaces, struct qr_page **pages,
    size_t count, int *error);

/*
 * Moves a page, whoever maps it, into the frame of to, which the caller has
 * just allocated for the same kind; page's own frame is the caller's then. 0.
 * -QR_EPERM: it is locked, pinned, or no page of a space or object at all;
 * -QR_EBUSY: it is in somebody's hands for the moment. No lock held. Only for
 * ports with QR_PORT_PAGES_MOVE.
 */
QR_MUST_CHECK int qr_spaces_migrate(struct qr_spaces *spaces,
    struct qr_page *page, struct qr_page *to);

/* Pages that one eviction takes at most: a window. */
#define QR_EVICT_MAX 64u

/* Stores up to max of the other resident pages of the window, aligned, round a
 * page that only one entry maps; returns how many. None for a shared page.
 * (page lock) */
size_t qr_spaces_window(struct qr_spaces *spaces, const struct qr_page *page,
    struct qr_page **near, size_t max);

/* Tests and clears a page's young mark in all entries that map it; with soft
 * ageing, whether it was touched since it was put to sleep. (page lock) */
bool qr_spaces_test_young(struct qr_spaces *spaces, struct qr_page *page);

/* Whether an entry that maps the page has its dirty mark, which stays. Where
 * the MMU sets none: false. (page lock) */
bool qr_spaces_is_dirty(struct qr_spaces *spaces, struct qr_page *page);

/* A number of a mapped page that it has again when it comes in at the same
 * place after it went; others may have it too. (page lock) */
uint64_t qr_spaces_identity(struct qr_spaces *spaces, struct qr_page *page);

/* Puts a window of pages round this one to sleep: the next touch of each is
 * a cheap fault that marks it young. Called with the page lock held, which is
 * dropped for good. */
void qr_spaces_put_to_sleep(struct qr_spaces *spaces, struct qr_page *page);

/* qr_machine_oom_choose; memory_pages: RAM and device. */
struct qr_oom_search {
	void (*visit)(void *ctx, const struct qr_oom_score *score);
	void *ctx;
	uint64_t memory_pages;
};
QR_MUST_CHECK int qr_spaces_oom_choose(struct qr_spaces *spaces,
    const struct qr_oom_search *search, struct qr_oom_score *worst);

void qr_check_space(struct qr_space *space, enum qr_check_depth depth);
void qr_check_spaces(struct qr_spaces *spaces, enum qr_check_depth depth);

#endif
