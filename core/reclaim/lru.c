/* SPDX-License-Identifier: MIT */
/*
 * reclaim/lru.c: the page whose last known touch is the longest ago goes.
 *
 * Exact as far as touches are told. A touch that is only found by its young
 * mark when the page's turn has come counts as one of that moment.
 */
#include "policy.h"

#define ORDER 0u

static void
lru_insert(struct qr_lru *lru, struct qr_page *page, uint64_t refault_distance)
{
	(void)refault_distance;
	qr_page_list_push(lru, ORDER, page);
}

static void
lru_accessed(struct qr_lru *lru, struct qr_page *page)
{
	qr_page_list_move(lru, ORDER, page);
}

static struct qr_page *
lru_pick(struct qr_lru *lru)
{
	struct qr_page *page = qr_page_list_oldest(lru, ORDER);
	for (uint32_t looks = lru->looks_max; page != NULL && looks > 0;
	     looks--) {
		if (!qr_lru_test_touched(lru, page))
			break;
		qr_page_list_move(lru, ORDER, page);
		page = qr_page_list_oldest(lru, ORDER);
	}
	if (page != NULL)
		qr_page_list_remove(lru, page);
	return page;
}

static void
lru_put_back(struct qr_lru *lru, struct qr_page *page)
{
	qr_page_list_push(lru, ORDER, page);
}

const struct qr_policy qr_policy_lru = {
	.name = "lru",
	.summary = "Least recently used, by the touches that are known.",
	.spared = QR_POLICY_LISTS,
	.insert = lru_insert,
	.accessed = lru_accessed,
	.pick = lru_pick,
	.remove = qr_page_list_remove,
	.put_back = lru_put_back,
};
