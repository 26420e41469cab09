/* SPDX-License-Identifier: MIT */
/*
 * reclaim/twoq.c: 2Q, the full version: new pages pass through a queue; those
 * that come back soon after it get into the main order.
 *
 *	insert --> in --oldest--> ghost in out --comes back--> main
 *
 * While a page is in the first queue its touches say nothing, for they belong
 * to the one burst that brought it in. The main order is least recently used,
 * as far as touches are known; see lru.c.
 */
#include "policy.h"

#define IN   0u
#define MAIN 1u

#define OUT 0u /* the chain of ghosts */

/* The sizes that the authors advise: a quarter of the pages, and ghosts for
 * half of them. */
#define IN_DIVISOR  4u
#define OUT_DIVISOR 2u

static void
twoq_insert(struct qr_lru *lru, struct qr_page *page, uint64_t refault_distance)
{
	bool known = qr_ghost_take(lru, page) == OUT;
	/* A page that was never evicted is another one at the same place. */
	if (known && refault_distance != UINT64_MAX)
		qr_page_list_push(lru, MAIN, page);
	else
		qr_page_list_push(lru, IN, page);
}

static void
twoq_accessed(struct qr_lru *lru, struct qr_page *page)
{
	if (qr_lru_list_of(page) == MAIN)
		qr_page_list_move(lru, MAIN, page);
}

static struct qr_page *
twoq_pick_in(struct qr_lru *lru, uint64_t pages)
{
	struct qr_page *page = qr_page_list_oldest(lru, IN);
	if (page == NULL)
		return NULL;
	qr_ghost_add(lru, OUT, page, pages / OUT_DIVISOR);
	qr_page_list_remove(lru, page);
	return page;
}

static struct qr_page *
twoq_pick_main(struct qr_lru *lru)
{
	struct qr_page *page = qr_page_list_oldest(lru, MAIN);
	for (uint32_t looks = lru->looks_max; page != NULL && looks > 0;
	     looks--) {
		if (!qr_lru_test_touched(lru, page))
			break;
		qr_page_list_move(lru, MAIN, page);
		page = qr_page_list_oldest(lru, MAIN);
	}
	if (page != NULL)
		qr_page_list_remove(lru, page);
	return page;
}

static struct qr_page *
twoq_pick(struct qr_lru *lru)
{
	uint64_t pages = qr_lru_count(lru);
	if (lru->lists[IN].count > pages / IN_DIVISOR ||
	    lru->lists[MAIN].count == 0)
		return twoq_pick_in(lru, pages);
	return twoq_pick_main(lru);
}

static void
twoq_put_back(struct qr_lru *lru, struct qr_page *page)
{
	(void)qr_ghost_take(lru, page);
	qr_page_list_push(lru, MAIN, page);
}

const struct qr_policy qr_policy_2q = {
	.name = "2q",
	.summary = "New pages pass a queue; those that come back are kept by "
		   "recency.",
	.spared = QR_POLICY_LISTS,
	.history = 1,
	.insert = twoq_insert,
	.accessed = twoq_accessed,
	.pick = twoq_pick,
	.remove = qr_page_list_remove,
	.put_back = twoq_put_back,
};
