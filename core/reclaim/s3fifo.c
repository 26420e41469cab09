/* SPDX-License-Identifier: MIT */
/*
 * reclaim/s3fifo.c: three queues: pages on trial, pages that passed it, and
 * the memory of those that went.
 *
 *	insert --> nursery --> trial --touched--> main <--touched--+
 *	   |                     |                  |              |
 *	   |                     +--not touched--+  +--looked at---+
 *	   |                                     v  v not touched
 *	   +--came back soon--> main             gone
 *
 * A page that is touched in one burst only, as by a scan, goes after a trial
 * as long as a tenth of all pages, and leaves the others alone. The third
 * queue is not kept: the distance of a refault says what it would. A page
 * that comes back within as many evictions as there are pages was let go too
 * early and skips the trial.
 *
 * The touch that brings a page in is seen as a young mark like any other. So
 * that it does not count as proof, a page spends its first moments in the
 * nursery and loses its mark when it leaves it.
 */
#include "policy.h"

#define NURSERY 0u
#define TRIAL   1u
#define MAIN    2u

/* As long as one burst on a new page, and two windows of faults around. */
#define NURSERY_PAGES 128u

/* On trial is one page of so many: more wastes room on pages used once, less
 * lets pages go before their second touch. */
#define TRIAL_DIVISOR 10u

/* Short of pages, the nursery is no longer than the trial. */
static uint64_t
s3_nursery_max(uint64_t count)
{
	uint64_t share = count / TRIAL_DIVISOR;
	return share < NURSERY_PAGES ? share : NURSERY_PAGES;
}

static void
s3_insert(struct qr_lru *lru, struct qr_page *page, uint64_t refault_distance)
{
	uint64_t count = qr_lru_count(lru);
	if (refault_distance <= count) {
		qr_page_list_push(lru, MAIN, page);
		return;
	}
	qr_page_list_push(lru, NURSERY, page);
	if (lru->lists[NURSERY].count <= s3_nursery_max(count))
		return;
	struct qr_page *grown = qr_page_list_oldest(lru, NURSERY);
	(void)qr_lru_test_touched(lru, grown);
	qr_page_list_move(lru, TRIAL, grown);
}

/* The list that the next victim should come from. */
static unsigned
s3_source(const struct qr_lru *lru)
{
	uint64_t trial = lru->lists[TRIAL].count;
	bool many = trial > qr_lru_count(lru) / TRIAL_DIVISOR;
	if (trial != 0 && (many || lru->lists[MAIN].count == 0))
		return TRIAL;
	if (lru->lists[MAIN].count != 0)
		return MAIN;
	return NURSERY;
}

static struct qr_page *
s3_pick(struct qr_lru *lru)
{
	struct qr_page *page = qr_page_list_oldest(lru, s3_source(lru));
	for (uint32_t looks = lru->looks_max; page != NULL && looks > 0;
	     looks--) {
		if (!qr_lru_test_touched(lru, page))
			break;
		qr_page_list_move(lru, MAIN, page);
		page = qr_page_list_oldest(lru, s3_source(lru));
	}
	if (page != NULL)
		qr_page_list_remove(lru, page);
	return page;
}

static void
s3_put_back(struct qr_lru *lru, struct qr_page *page)
{
	qr_page_list_push(lru, MAIN, page);
}

const struct qr_policy qr_policy_s3fifo = {
	.name = "s3fifo",
	.summary = "New pages pass a trial; those that come back skip it.",
	.spared = NURSERY,
	.insert = s3_insert,
	.accessed = qr_lru_note_touch,
	.pick = s3_pick,
	.remove = qr_page_list_remove,
	.put_back = s3_put_back,
};
