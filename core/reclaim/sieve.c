/* SPDX-License-Identifier: MIT */
/*
 * reclaim/sieve.c: a hand goes from the oldest page to the newest and takes
 * the first that was not touched; the others stay where they are.
 *
 * So touched pages gather at the old end, where the hand passes only once a
 * round, and new ones have to prove themselves before it comes by.
 */
#include "policy.h"

#define QUEUE 0u

static void
sieve_insert(struct qr_lru *lru, struct qr_page *page,
    uint64_t refault_distance)
{
	(void)refault_distance;
	qr_page_list_push(lru, QUEUE, page);
}

static struct qr_page *
sieve_pick(struct qr_lru *lru)
{
	struct qr_page *page = qr_ring_at_hand(lru, QUEUE);
	for (uint32_t looks = lru->looks_max; page != NULL && looks > 0;
	     looks--) {
		if (!qr_lru_test_touched(lru, page))
			break;
		qr_ring_pass(lru, page);
		page = qr_ring_at_hand(lru, QUEUE);
	}
	if (page == NULL)
		return NULL;
	qr_ring_pass(lru, page);
	qr_page_list_remove(lru, page);
	return page;
}

static void
sieve_put_back(struct qr_lru *lru, struct qr_page *page)
{
	qr_page_list_push(lru, QUEUE, page);
}

const struct qr_policy qr_policy_sieve = {
	.name = "sieve",
	.summary = "A hand passes over touched pages and leaves them in place.",
	.spared = QR_POLICY_LISTS,
	.insert = sieve_insert,
	.accessed = qr_lru_note_touch,
	.pick = sieve_pick,
	.remove = qr_ring_remove,
	.put_back = sieve_put_back,
};
