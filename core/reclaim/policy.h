/* SPDX-License-Identifier: MIT */
/*
 * reclaim/policy.h: which page goes next. One interface for all replacement
 * policies; a policy keeps pages on lists of its own, linked through the
 * page descriptors, and never touches anything else.
 */
#ifndef QR_RECLAIM_POLICY_H
#define QR_RECLAIM_POLICY_H

#include "history.h"

/* Pages linked by pfn: next leads to the next older page, prev to the next
 * newer; (QR_RANK_LRU). */
struct qr_page_list {
	uint32_t head; /* newest; QR_PFN_NIL: the list is empty */
	uint32_t tail; /* oldest */
	uint64_t count;
};

#define QR_POLICY_LISTS 4u /* fewer than QR_PAGE_LRU_MASK has values */

/* Orders of remembered pages beside the lists. */
#define QR_POLICY_CHAINS 2u

/* Pages that one pick passes over because they were touched. Then it takes
 * the next one as it is: a pick holds the page lock, and where so many pages
 * in a row are in use there is little to choose from. */
#define QR_LRU_LOOKS_MAX 256u

struct qr_policy;

/* What the policies share; (QR_RANK_LRU), held by every caller below. */
struct qr_lru {
	const struct qr_policy *policy; /* (c) */
	struct qr_frames *frames;       /* (c) */
	struct qr_page_list lists[QR_POLICY_LISTS];
	uint32_t hand;      /* a page that the policy wants to go on from */
	uint32_t looks_max; /* (c) QR_LRU_LOOKS_MAX */
	/* Tests and clears the page's young mark, however the port keeps it. */
	bool (*test_young)(void *ctx, struct qr_page *page); /* (c) */
	/* Whether the page was written since it came in; NULL: not known. */
	bool (*test_dirty)(void *ctx, struct qr_page *page); /* (c) */
	/* Whether it is a page of a file, to which it can go back. */
	bool (*is_file)(void *ctx, struct qr_page *page); /* (c) */
	/* What a listed page has in common with itself when it comes in
	 * again; a hint. Needed by policies with a history. */
	uint64_t (*identity)(void *ctx, struct qr_page *page); /* (c) */
	void *ctx;                                             /* (c) */

	/* For policies that remember more than lists; see there. */
	uint32_t clock;   /* pages that came in */
	uint32_t turn;    /* whose it is to give a page, where there are two */
	uint64_t target;  /* a size that the policy tunes, pages */
	uint64_t cost[2]; /* of taking pages from either */
	struct qr_chain chains[QR_POLICY_CHAINS];
	struct qr_history history;
};

struct qr_policy {
	const char *name;    /* as in --policy */
	const char *summary; /* one sentence */
	unsigned spared;     /* list whose pages have just come in and don't
				go along with a neighbour; or
				QR_POLICY_LISTS */
	unsigned history;    /* nodes it needs for each frame of RAM */

	/* The page came in. refault_distance: evictions since it was itself
	 * evicted; UINT64_MAX: it was not. */
	void (*insert)(struct qr_lru *lru, struct qr_page *page,
	    uint64_t refault_distance);

	/* A touch was seen (a fault on a page that is in). */
	void (*accessed)(struct qr_lru *lru, struct qr_page *page);

	/* Takes the next victim off the lists; NULL: they are empty. Passes
	 * over looks_max pages at most. */
	struct qr_page *(*pick)(struct qr_lru *lru);

	/* The page leaves for another reason. */
	void (*remove)(struct qr_lru *lru, struct qr_page *page);

	/* The page was picked and must stay. */
	void (*put_back)(struct qr_lru *lru, struct qr_page *page);
};

/* All policies, the default first, ended by NULL; and one by name, NULL for
 * the default. NULL: there is none of that name. */
extern const struct qr_policy *const qr_policies[];
const struct qr_policy *qr_policy_find(const char *name);

extern const struct qr_policy qr_policy_fifo;
extern const struct qr_policy qr_policy_clock;
extern const struct qr_policy qr_policy_lru;
extern const struct qr_policy qr_policy_sieve;
extern const struct qr_policy qr_policy_s3fifo;
extern const struct qr_policy qr_policy_nru;
extern const struct qr_policy qr_policy_ageing;
extern const struct qr_policy qr_policy_wsclock;
extern const struct qr_policy qr_policy_2q;
extern const struct qr_policy qr_policy_arc;
extern const struct qr_policy qr_policy_lirs;
extern const struct qr_policy qr_policy_twolists;
extern const struct qr_policy qr_policy_generations;

/* The callbacks and ctx are the caller's to set. -QR_ENOMEM: no room for the
 * policy's history. */
QR_MUST_CHECK int qr_lru_init(struct qr_lru *lru,
    const struct qr_policy *policy, struct qr_frames *frames);
void qr_lru_fini(struct qr_lru *lru);

/* Pages on all lists. */
uint64_t qr_lru_count(const struct qr_lru *lru);

/* The list that a page is on, or QR_POLICY_LISTS. */
unsigned qr_lru_list_of(const struct qr_page *page);

void qr_check_lru(const struct qr_lru *lru);

/* --- for policies --- */

/* Makes a page that is on no list the newest of one. */
void qr_page_list_push(struct qr_lru *lru, unsigned list, struct qr_page *page);

/* Takes the page off the list that it is on. */
void qr_page_list_remove(struct qr_lru *lru, struct qr_page *page);

/* Makes a page of any list the newest of this one. */
void qr_page_list_move(struct qr_lru *lru, unsigned list, struct qr_page *page);

/* The oldest page of a list, or NULL. */
struct qr_page *qr_page_list_oldest(const struct qr_lru *lru, unsigned list);

/* The next newer page of the same list, or NULL. */
struct qr_page *qr_page_list_newer(const struct qr_lru *lru,
    const struct qr_page *page);

/* Whether the page was touched since this was asked last. */
bool qr_lru_test_touched(struct qr_lru *lru, struct qr_page *page);

/* Notes a touch for that; a policy's accessed(). */
void qr_lru_note_touch(struct qr_lru *lru, struct qr_page *page);

/* A bit of a listed page for the policy, gone when the page leaves or changes
 * its list: it was found touched before. */
bool qr_lru_is_seen(const struct qr_page *page);
void qr_lru_see(struct qr_page *page);

/* Whether it was touched, and is still to be found so. */
bool qr_lru_is_touched(struct qr_lru *lru, struct qr_page *page);

/*
 * A list as a ring: the hand goes from the oldest page to the newest and
 * starts again. The page at the hand, or NULL; passing it; taking a page out
 * of the ring, from under the hand too.
 */
struct qr_page *qr_ring_at_hand(const struct qr_lru *lru, unsigned list);
void qr_ring_pass(struct qr_lru *lru, const struct qr_page *page);
void qr_ring_remove(struct qr_lru *lru, struct qr_page *page);

/*
 * The touch that brings a page in is seen as a young mark like any other. A
 * policy that takes a mark for a second touch calls qr_fresh_set when a page
 * comes in, which clears the mark of the one before, and qr_fresh_gone when a
 * page leaves. Uses the hand.
 */
void qr_fresh_set(struct qr_lru *lru, const struct qr_page *page);
void qr_fresh_gone(struct qr_lru *lru, const struct qr_page *page);

/* Remembers a page that goes as the newest ghost of a chain, which keeps limit
 * of them. */
void qr_ghost_add(struct qr_lru *lru, unsigned chain, struct qr_page *page,
    uint64_t limit);

/* Forgets the page's ghost; the chain that it was on, or QR_POLICY_CHAINS. */
unsigned qr_ghost_take(struct qr_lru *lru, struct qr_page *page);

/* The page's node, made if need be; NULL: all are taken. */
struct qr_history_node *qr_node_of(struct qr_lru *lru,
    const struct qr_page *page);
void qr_node_drop(struct qr_lru *lru, const struct qr_page *page);

#endif
