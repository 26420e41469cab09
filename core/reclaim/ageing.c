/* SPDX-License-Identifier: MIT */
/*
 * reclaim/ageing.c: the page with the lowest age goes: a number of 8 bits that
 * is halved when a hand comes by, and gets its highest bit if the page was
 * touched since. So it approximates least frequently used, and forgets.
 *
 * A pick ages the pages that it passes, looks_max or all of them at most, and
 * takes the lowest of these; it ends at one whose age is 0, which has not been
 * touched in eight rounds.
 */
#include "policy.h"

#define RING 0u

#define AGE_TOUCHED 0x80u

static void
ageing_insert(struct qr_lru *lru, struct qr_page *page,
    uint64_t refault_distance)
{
	(void)refault_distance;
	qr_page_list_push(lru, RING, page);
	struct qr_history_node *node = qr_node_of(lru, page);
	if (node != NULL)
		node->value = 0;
}

/* A page for which there was no node is as old as can be. */
static uint32_t
ageing_step(struct qr_lru *lru, struct qr_page *page)
{
	struct qr_history_node *node = qr_node_of(lru, page);
	uint32_t touched = qr_lru_test_touched(lru, page) ? AGE_TOUCHED : 0;
	if (node == NULL)
		return touched;
	node->value = node->value / 2 + touched;
	return node->value;
}

static void
ageing_remove(struct qr_lru *lru, struct qr_page *page)
{
	qr_node_drop(lru, page);
	qr_ring_remove(lru, page);
}

static struct qr_page *
ageing_pick(struct qr_lru *lru)
{
	struct qr_page *best = NULL;
	uint32_t best_age = UINT32_MAX;
	uint64_t looks = lru->lists[RING].count;
	if (looks > lru->looks_max)
		looks = lru->looks_max;
	for (; looks > 0 && best_age != 0; looks--) {
		struct qr_page *page = qr_ring_at_hand(lru, RING);
		uint32_t age = ageing_step(lru, page);
		if (age < best_age) {
			best = page;
			best_age = age;
		}
		qr_ring_pass(lru, page);
	}
	if (best != NULL)
		ageing_remove(lru, best);
	return best;
}

static void
ageing_put_back(struct qr_lru *lru, struct qr_page *page)
{
	ageing_insert(lru, page, UINT64_MAX);
}

const struct qr_policy qr_policy_ageing = {
	.name = "ageing",
	.summary = "The lowest of 8-bit ages that touches raise and time "
		   "halves.",
	.spared = QR_POLICY_LISTS,
	.history = 1,
	.insert = ageing_insert,
	.accessed = qr_lru_note_touch,
	.pick = ageing_pick,
	.remove = ageing_remove,
	.put_back = ageing_put_back,
};
