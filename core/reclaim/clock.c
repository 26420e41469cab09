/* SPDX-License-Identifier: MIT */
/*
 * reclaim/clock.c: second chance: the oldest page goes, unless it was touched
 * since it was looked at last; then it becomes the newest.
 *
 * A list whose touched pages are moved to the other end is the same as a
 * ring with a hand, and pages can leave from its middle.
 */
#include "policy.h"

#define RING 0u

static void
clock_insert(struct qr_lru *lru, struct qr_page *page,
    uint64_t refault_distance)
{
	(void)refault_distance;
	qr_page_list_push(lru, RING, page);
}

static struct qr_page *
clock_pick(struct qr_lru *lru)
{
	struct qr_page *page = qr_page_list_oldest(lru, RING);
	for (uint32_t looks = lru->looks_max; page != NULL && looks > 0;
	     looks--) {
		if (!qr_lru_test_touched(lru, page))
			break;
		qr_page_list_move(lru, RING, page);
		page = qr_page_list_oldest(lru, RING);
	}
	if (page != NULL)
		qr_page_list_remove(lru, page);
	return page;
}

static void
clock_put_back(struct qr_lru *lru, struct qr_page *page)
{
	qr_page_list_push(lru, RING, page);
}

const struct qr_policy qr_policy_clock = {
	.name = "clock",
	.summary =
	    "Second chance: first in, first out, touched pages excepted.",
	.insert = clock_insert,
	.accessed = qr_lru_note_touch,
	.pick = clock_pick,
	.remove = qr_page_list_remove,
	.put_back = clock_put_back,
};
