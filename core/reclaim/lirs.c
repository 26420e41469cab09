/* SPDX-License-Identifier: MIT */
/*
 * reclaim/lirs.c: low inter-reference recency: kept are the pages between
 * whose last two touches the fewest others were touched, not those whose last
 * touch is the most recent.
 *
 * Nearly all frames belong to the hot pages (LIR); a hundredth are a queue of
 * cold ones (resident HIR), from which victims come. The stack holds in order
 * of last touch the hot pages and whatever was touched since the oldest of
 * them: cold pages, in or gone. A cold page that is touched while on the stack
 * has had fewer others between its touches than the hot page at the bottom
 * has had since its last; the two change places.
 *
 *	queue --touched, on the stack--> hot
 *	  ^ |                             |
 *	  | +--oldest--> ghost            | the bottom of the stack
 *	  +-------------------------------+
 *
 * The bottom is always hot: cold pages that get there leave the stack, with
 * all memory of them if they are gone. When there is no node left the oldest
 * ghost is forgotten.
 *
 * Touches found as marks: a cold page's when its turn to go has come, a hot
 * one's when its turn to be cold has.
 */
#include "policy.h"

#define HOT   0u
#define QUEUE 1u

#define STACK 0u /* the chain */

/* One page of so many is cold, as the authors have it; one at least. */
#define COLD_DIVISOR 100u

/* node->value */
#define NODE_COLD 0u
#define NODE_HOT  1u

static uint64_t
lirs_hot_max(uint64_t pages)
{
	uint64_t cold = pages / COLD_DIVISOR;
	return pages - (cold == 0 ? 1 : cold);
}

/* --- the stack --- */

/* Each turn takes a node off. */
static void
stack_prune(struct qr_lru *lru)
{
	struct qr_chain *stack = &lru->chains[STACK];
	while (stack->count != 0 &&
	       qr_history_node(&lru->history, stack->bottom)->value != NODE_HOT)
		qr_chain_drop(&lru->history, stack, stack->bottom);
}

/* Keeps a node free by forgetting the oldest ghost. */
static void
stack_make_room(struct qr_lru *lru)
{
	struct qr_history *history = &lru->history;
	if (history->free == QR_NODE_NIL &&
	    history->oldest_ghost != QR_NODE_NIL)
		qr_chain_drop(history, &lru->chains[STACK],
		    history->oldest_ghost);
}

/* Puts the page on top, where it may have been already; false: there is no
 * node for it. */
static bool
stack_raise(struct qr_lru *lru, struct qr_page *page, uint32_t value)
{
	struct qr_chain *stack = &lru->chains[STACK];
	uint32_t index = qr_history_find_page(&lru->history, page);
	if (index != QR_NODE_NIL) {
		qr_chain_remove(&lru->history, stack, index);
	} else {
		stack_make_room(lru);
		index = qr_history_new_page(&lru->history, page);
	}
	if (index == QR_NODE_NIL)
		return false;
	qr_history_node(&lru->history, index)->value = value;
	qr_chain_push(&lru->history, stack, index);
	return true;
}

static void
stack_forget(struct qr_lru *lru, const struct qr_page *page)
{
	uint32_t index = qr_history_find_page(&lru->history, page);
	if (index != QR_NODE_NIL)
		qr_chain_drop(&lru->history, &lru->chains[STACK], index);
}

/* The hot page at the bottom. */
static struct qr_page *
stack_bottom(const struct qr_lru *lru)
{
	return qr_history_page(&lru->history, lru->chains[STACK].bottom);
}

/* --- hot and cold --- */

/* Makes hot pages cold until there are hot_max; those touched since they were
 * looked at last get another chance, looks_max of them at most. */
static void
lirs_cool(struct qr_lru *lru, uint64_t hot_max)
{
	uint32_t looks = lru->looks_max;
	while (lru->lists[HOT].count > hot_max) {
		struct qr_page *page = stack_bottom(lru);
		if (looks > 0 && qr_lru_test_touched(lru, page)) {
			looks--;
			(void)stack_raise(lru, page, NODE_HOT);
		} else {
			stack_forget(lru, page);
			qr_page_list_move(lru, QUEUE, page);
		}
		stack_prune(lru);
	}
}

static bool
lirs_is_on_stack(const struct qr_lru *lru, const struct qr_page *page)
{
	return qr_history_find_page(&lru->history, page) != QR_NODE_NIL;
}

static void
lirs_touch(struct qr_lru *lru, struct qr_page *page)
{
	uint64_t pages = qr_lru_count(lru);
	if (qr_lru_list_of(page) == HOT) {
		(void)stack_raise(lru, page, NODE_HOT);
		stack_prune(lru);
	} else if (lirs_is_on_stack(lru, page)) {
		(void)stack_raise(lru, page, NODE_HOT);
		qr_page_list_move(lru, HOT, page);
		lirs_cool(lru, lirs_hot_max(pages));
		stack_prune(lru);
	} else {
		(void)stack_raise(lru, page, NODE_COLD);
		stack_prune(lru);
		qr_page_list_move(lru, QUEUE, page);
	}
}

static void
lirs_insert(struct qr_lru *lru, struct qr_page *page, uint64_t refault_distance)
{
	uint64_t hot_max = lirs_hot_max(qr_lru_count(lru) + 1);
	bool known =
	    qr_ghost_take(lru, page) == STACK && refault_distance != UINT64_MAX;
	qr_fresh_set(lru, page);
	if ((known || lru->lists[HOT].count < hot_max) &&
	    stack_raise(lru, page, NODE_HOT)) {
		qr_page_list_push(lru, HOT, page);
		lirs_cool(lru, hot_max);
	} else {
		(void)stack_raise(lru, page, NODE_COLD);
		qr_page_list_push(lru, QUEUE, page);
	}
	stack_prune(lru);
}

/* The oldest page of the queue, else the hot page at the bottom. */
static struct qr_page *
lirs_candidate(const struct qr_lru *lru)
{
	if (lru->lists[QUEUE].count != 0)
		return qr_page_list_oldest(lru, QUEUE);
	return lru->lists[HOT].count != 0 ? stack_bottom(lru) : NULL;
}

static void
lirs_remove(struct qr_lru *lru, struct qr_page *page)
{
	stack_forget(lru, page);
	qr_fresh_gone(lru, page);
	qr_page_list_remove(lru, page);
	stack_prune(lru);
}

/* A page that goes while on the stack leaves its ghost in its place. */
static void
lirs_take(struct qr_lru *lru, struct qr_page *page)
{
	uint32_t index = qr_history_find_page(&lru->history, page);
	if (index != QR_NODE_NIL) {
		(void)qr_ghost_take(lru, page);
		qr_history_node(&lru->history, index)->value = NODE_COLD;
		qr_history_bury(&lru->history, index,
		    lru->identity(lru->ctx, page));
	}
	qr_fresh_gone(lru, page);
	qr_page_list_remove(lru, page);
	stack_prune(lru);
}

static struct qr_page *
lirs_pick(struct qr_lru *lru)
{
	struct qr_page *page = lirs_candidate(lru);
	for (uint32_t looks = lru->looks_max; page != NULL && looks > 0;
	     looks--) {
		if (!qr_lru_test_touched(lru, page))
			break;
		lirs_touch(lru, page);
		page = lirs_candidate(lru);
	}
	if (page != NULL)
		lirs_take(lru, page);
	return page;
}

/* It is in use: a cold page, touched just now. */
static void
lirs_put_back(struct qr_lru *lru, struct qr_page *page)
{
	(void)qr_ghost_take(lru, page);
	(void)stack_raise(lru, page, NODE_COLD);
	qr_page_list_push(lru, QUEUE, page);
	stack_prune(lru);
}

const struct qr_policy qr_policy_lirs = {
	.name = "lirs",
	.summary = "Keeps the pages with the fewest others between their "
		   "touches.",
	.spared = QR_POLICY_LISTS,
	.history = 2,
	.insert = lirs_insert,
	.accessed = lirs_touch,
	.pick = lirs_pick,
	.remove = lirs_remove,
	.put_back = lirs_put_back,
};
