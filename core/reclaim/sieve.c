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

/* Moves the hand on from a page; from the newest it leaves the list, and
 * starts again at the oldest. */
static void
sieve_pass(struct qr_lru *lru, const struct qr_page *page)
{
	lru->hand = page->prev;
}

static struct qr_page *
sieve_at_hand(const struct qr_lru *lru)
{
	if (lru->hand == QR_PFN_NIL)
		return qr_page_list_oldest(lru, QUEUE);
	return qr_frame_page(lru->frames, lru->hand);
}

static void
sieve_remove(struct qr_lru *lru, struct qr_page *page)
{
	if (lru->hand == qr_frame_pfn(lru->frames, page))
		sieve_pass(lru, page);
	qr_page_list_remove(lru, page);
}

static struct qr_page *
sieve_pick(struct qr_lru *lru)
{
	struct qr_page *page = sieve_at_hand(lru);
	for (uint32_t looks = lru->looks_max; page != NULL && looks > 0;
	     looks--) {
		if (!qr_lru_test_touched(lru, page))
			break;
		sieve_pass(lru, page);
		page = sieve_at_hand(lru);
	}
	if (page == NULL)
		return NULL;
	sieve_pass(lru, page);
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
	.remove = sieve_remove,
	.put_back = sieve_put_back,
};
