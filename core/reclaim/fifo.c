/* SPDX-License-Identifier: MIT */
/*
 * reclaim/fifo.c: the page that came in first goes first, touched or not.
 * The yardstick that a better policy has to beat.
 */
#include "policy.h"

#define QUEUE 0u

static void
fifo_insert(struct qr_lru *lru, struct qr_page *page, uint64_t refault_distance)
{
	(void)refault_distance;
	qr_page_list_push(lru, QUEUE, page);
}

static void
fifo_accessed(struct qr_lru *lru, struct qr_page *page)
{
	(void)lru;
	(void)page;
}

static struct qr_page *
fifo_pick(struct qr_lru *lru)
{
	struct qr_page *page = qr_page_list_oldest(lru, QUEUE);
	if (page != NULL)
		qr_page_list_remove(lru, page);
	return page;
}

static void
fifo_put_back(struct qr_lru *lru, struct qr_page *page)
{
	qr_page_list_push(lru, QUEUE, page);
}

const struct qr_policy qr_policy_fifo = {
	.name = "fifo",
	.summary = "First in, first out.",
	.spared = QR_POLICY_LISTS,
	.insert = fifo_insert,
	.accessed = fifo_accessed,
	.pick = fifo_pick,
	.remove = qr_page_list_remove,
	.put_back = fifo_put_back,
};
