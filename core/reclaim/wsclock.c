/* SPDX-License-Identifier: MIT */
/*
 * reclaim/wsclock.c: working-set clock: a hand takes the first page that was
 * not touched within a window of time, clean ones first.
 *
 * Time is counted in pages that came in, so that it stands while nothing
 * happens, and the window is as long as there are pages. A page that the hand
 * finds touched is of now. If a round, or looks_max pages, has none to take
 * that is clean, the first written one outside of the window goes, else the
 * one that was touched the longest ago.
 */
#include "policy.h"

#define RING 0u

static void
ws_insert(struct qr_lru *lru, struct qr_page *page, uint64_t refault_distance)
{
	(void)refault_distance;
	lru->clock++;
	qr_page_list_push(lru, RING, page);
	struct qr_history_node *node = qr_node_of(lru, page);
	if (node != NULL)
		node->value = lru->clock;
}

/* How long ago the page was last seen touched. */
static uint32_t
ws_idle(struct qr_lru *lru, struct qr_page *page)
{
	struct qr_history_node *node = qr_node_of(lru, page);
	bool touched = qr_lru_test_touched(lru, page);
	if (node == NULL)
		return touched ? 0 : UINT32_MAX;
	if (touched)
		node->value = lru->clock;
	return lru->clock - node->value;
}

static void
ws_remove(struct qr_lru *lru, struct qr_page *page)
{
	qr_node_drop(lru, page);
	qr_ring_remove(lru, page);
}

/* What a pick has seen. */
struct ws_search {
	struct qr_page *clean; /* outside of the window; ends it */
	struct qr_page *dirty; /* the first outside of the window */
	struct qr_page *idlest;
	uint32_t idle; /* of idlest */
};

static void
ws_look(struct qr_lru *lru, struct qr_page *page, struct ws_search *search)
{
	uint32_t idle = ws_idle(lru, page);
	if (search->idlest == NULL || idle > search->idle) {
		search->idlest = page;
		search->idle = idle;
	}
	if (idle <= lru->lists[RING].count)
		return;
	bool dirty = lru->test_dirty != NULL && lru->test_dirty(lru->ctx, page);
	if (!dirty)
		search->clean = page;
	else if (search->dirty == NULL)
		search->dirty = page;
}

static struct qr_page *
ws_pick(struct qr_lru *lru)
{
	struct ws_search search = { 0 };
	uint64_t looks = lru->lists[RING].count;
	if (looks > lru->looks_max)
		looks = lru->looks_max;
	for (; looks > 0 && search.clean == NULL; looks--) {
		struct qr_page *page = qr_ring_at_hand(lru, RING);
		ws_look(lru, page, &search);
		qr_ring_pass(lru, page);
	}
	struct qr_page *page = search.clean;
	if (page == NULL)
		page = search.dirty != NULL ? search.dirty : search.idlest;
	if (page != NULL)
		ws_remove(lru, page);
	return page;
}

static void
ws_put_back(struct qr_lru *lru, struct qr_page *page)
{
	ws_insert(lru, page, UINT64_MAX);
}

const struct qr_policy qr_policy_wsclock = {
	.name = "wsclock",
	.summary = "A hand takes what was not touched within the working-set "
		   "window.",
	.spared = QR_POLICY_LISTS,
	.history = 1,
	.insert = ws_insert,
	.accessed = qr_lru_note_touch,
	.pick = ws_pick,
	.remove = ws_remove,
	.put_back = ws_put_back,
};
