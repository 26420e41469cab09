/* SPDX-License-Identifier: MIT */
/*
 * reclaim/arc.c: adaptive replacement: pages seen once and pages seen again,
 * each in order of recency, and the ghosts of both say which of the two should
 * be longer.
 *
 *	insert --> once --touched--> again <--touched--+
 *	            |                  |  +------------+
 *	            v                  v
 *	       ghosts of once     ghosts of again
 *
 * A page that comes back out of the ghosts of `once' makes the share of once
 * (lru->target) larger, one of the other's smaller; either then is in again.
 * Once and its ghosts are as many as there are pages at most, all four twice
 * as many.
 *
 * Two things differ from the paper, because here a victim is chosen before it
 * is known for whom: the share moves after that choice, not before; and the
 * paper's special case for a share that is met exactly can't be asked for.
 * Touches that are found as marks, when a page's turn has come, make the same
 * lists clocks (CAR).
 */
#include "policy.h"

#define ONCE  0u /* a list, and the chain of its ghosts */
#define AGAIN 1u

static uint64_t
arc_step(const struct qr_lru *lru, unsigned hit)
{
	uint64_t same = lru->chains[hit].count + 1;
	uint64_t other = lru->chains[1 - hit].count;
	return other > same ? other / same : 1;
}

/* A ghost of the list came back; pages: how many there are with it. */
static void
arc_adapt(struct qr_lru *lru, unsigned hit, uint64_t pages)
{
	uint64_t step = arc_step(lru, hit);
	if (hit == ONCE) {
		lru->target += step;
		if (lru->target > pages)
			lru->target = pages;
		return;
	}
	lru->target = lru->target > step ? lru->target - step : 0;
}

static void
arc_drop_oldest(struct qr_lru *lru, unsigned chain)
{
	qr_chain_drop(&lru->history, &lru->chains[chain],
	    lru->chains[chain].bottom);
}

/* Ends with each loop at its condition: each turn takes one ghost away. */
static void
arc_trim(struct qr_lru *lru, uint64_t pages)
{
	const struct qr_chain *ghosts = lru->chains;
	while (ghosts[ONCE].count != 0 &&
	       lru->lists[ONCE].count + ghosts[ONCE].count > pages)
		arc_drop_oldest(lru, ONCE);
	while (ghosts[AGAIN].count != 0 &&
	       ghosts[ONCE].count + ghosts[AGAIN].count > pages)
		arc_drop_oldest(lru, AGAIN);
}

static void
arc_insert(struct qr_lru *lru, struct qr_page *page, uint64_t refault_distance)
{
	uint64_t pages = qr_lru_count(lru) + 1;
	unsigned hit = qr_ghost_take(lru, page);
	qr_fresh_set(lru, page);
	/* A page that was never evicted is another one at the same place. */
	if (hit == QR_POLICY_CHAINS || refault_distance == UINT64_MAX) {
		qr_page_list_push(lru, ONCE, page);
	} else {
		arc_adapt(lru, hit, pages);
		qr_page_list_push(lru, AGAIN, page);
	}
	arc_trim(lru, pages);
}

static void
arc_accessed(struct qr_lru *lru, struct qr_page *page)
{
	qr_page_list_move(lru, AGAIN, page);
}

static unsigned
arc_source(const struct qr_lru *lru)
{
	uint64_t once = lru->lists[ONCE].count;
	if (once != 0 && (once > lru->target || lru->lists[AGAIN].count == 0))
		return ONCE;
	return AGAIN;
}

static struct qr_page *
arc_pick(struct qr_lru *lru)
{
	uint64_t pages = qr_lru_count(lru);
	struct qr_page *page = qr_page_list_oldest(lru, arc_source(lru));
	for (uint32_t looks = lru->looks_max; page != NULL && looks > 0;
	     looks--) {
		if (!qr_lru_test_touched(lru, page))
			break;
		qr_page_list_move(lru, AGAIN, page);
		page = qr_page_list_oldest(lru, arc_source(lru));
	}
	if (page == NULL)
		return NULL;
	qr_ghost_add(lru, qr_lru_list_of(page), page, pages + 1);
	qr_fresh_gone(lru, page);
	qr_page_list_remove(lru, page);
	return page;
}

static void
arc_remove(struct qr_lru *lru, struct qr_page *page)
{
	qr_fresh_gone(lru, page);
	qr_page_list_remove(lru, page);
}

static void
arc_put_back(struct qr_lru *lru, struct qr_page *page)
{
	(void)qr_ghost_take(lru, page);
	qr_page_list_push(lru, AGAIN, page);
}

const struct qr_policy qr_policy_arc = {
	.name = "arc",
	.summary = "Seen once and seen again, with shares that refaults "
		   "adapt.",
	.spared = QR_POLICY_LISTS,
	.history = 1,
	.insert = arc_insert,
	.accessed = arc_accessed,
	.pick = arc_pick,
	.remove = arc_remove,
	.put_back = arc_put_back,
};
