/* SPDX-License-Identifier: MIT */
/*
 * reclaim/policy.h: which page goes next. One interface for all replacement
 * policies; a policy keeps pages on lists of its own, linked through the
 * page descriptors, and never touches anything else.
 */
#ifndef QR_RECLAIM_POLICY_H
#define QR_RECLAIM_POLICY_H

#include "../frame/frame.h"

/* A list of pages linked by pfn, newest first; (QR_RANK_LRU). */
struct qr_page_list {
	uint32_t head; /* newest, QR_PFN_NIL: empty */
	uint32_t tail; /* oldest */
	uint64_t count;
};

#define QR_POLICY_LISTS 4u

struct qr_policy;

/* What the policies share; (QR_RANK_LRU), held by every caller below. */
struct qr_lru {
	const struct qr_policy *policy; /* (c) */
	struct qr_frames *frames;       /* (c) */
	struct qr_page_list lists[QR_POLICY_LISTS];
	uint64_t clock; /* evictions so far: the unit of refault distance */
	uint32_t hand;  /* a page a policy wants to go on from */
	/* Tests and clears the page's young mark, however the port keeps it. */
	bool (*test_young)(void *ctx, struct qr_page *page);
	void *ctx;
};

struct qr_policy {
	const char *name;    /* as in --policy */
	const char *summary; /* one sentence */

	/* The page came in. refault_distance: evictions since it was itself
	 * evicted; UINT64_MAX: it was not. */
	void (*insert)(struct qr_lru *lru, struct qr_page *page,
	    uint64_t refault_distance);

	/* A touch was seen (a fault on a page that is in). */
	void (*accessed)(struct qr_lru *lru, struct qr_page *page);

	/* Takes the next victim off the lists; NULL: there is none. Looks at
	 * a bounded number of pages: every one of them twice at most. */
	struct qr_page *(*pick)(struct qr_lru *lru);

	/* The page leaves for another reason, or was picked and must stay. */
	void (*remove)(struct qr_lru *lru, struct qr_page *page);
	void (*put_back)(struct qr_lru *lru, struct qr_page *page);
};

/* All policies, ended by NULL; and one by name, or NULL. */
extern const struct qr_policy *const qr_policies[];
const struct qr_policy *qr_policy_find(const char *name);

void qr_page_list_push(struct qr_lru *lru, unsigned list, struct qr_page *page);
void qr_page_list_remove(struct qr_lru *lru, struct qr_page *page);

void qr_lru_init(struct qr_lru *lru, const struct qr_policy *policy,
    struct qr_frames *frames);
void qr_check_lru(const struct qr_lru *lru);

#endif
