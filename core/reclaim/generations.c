/* SPDX-License-Identifier: MIT */
/*
 * reclaim/generations.c: pages by the time of their last known touch, in a few
 * generations; pages of the oldest one go.
 *
 *	insert --> youngest <--touched-- oldest --not touched--> gone
 *	                       ...
 *
 * A page belongs to the generation that was the youngest when it came in or
 * when a touch of it was found. A new one is opened when two are left, so the
 * pages that are looked at have always had a generation's time to be touched.
 * A page of a file joins the oldest one, unless it comes back soon: what is
 * read once goes first, and what is read twice is found touched.
 *
 * Only pages whose turn has come are looked at. Walking the tables of whole
 * spaces to find touches early pays where one walk finds many; here a mark is
 * found through the page, and looking early costs the same as looking late.
 */
#include "policy.h"

/* With fewer between oldest and youngest a new one is opened. */
#define GENERATIONS_MIN 2u

_Static_assert(GENERATIONS_MIN < QR_POLICY_LISTS, "room to open one");

/* Generations are numbered from 0 on, modulo 2^32: the youngest is clock, the
 * oldest that has a list is turn. */
static unsigned
generation_list(uint32_t number)
{
	return number % QR_POLICY_LISTS;
}

static void
generations_insert(struct qr_lru *lru, struct qr_page *page,
    uint64_t refault_distance)
{
	bool soon = refault_distance <= qr_lru_count(lru);
	bool old = !soon && lru->is_file(lru->ctx, page);
	qr_page_list_push(lru, generation_list(old ? lru->turn : lru->clock),
	    page);
}

static void
generations_accessed(struct qr_lru *lru, struct qr_page *page)
{
	if (qr_lru_list_of(page) != QR_POLICY_LISTS)
		qr_page_list_move(lru, generation_list(lru->clock), page);
}

/* The list to take from: the oldest generation that has a page, if any has. */
static unsigned
generations_source(struct qr_lru *lru)
{
	while (lru->turn != lru->clock &&
	       lru->lists[generation_list(lru->turn)].count == 0)
		lru->turn++;
	if (lru->clock - lru->turn < GENERATIONS_MIN)
		lru->clock++;
	return generation_list(lru->turn);
}

static struct qr_page *
generations_pick(struct qr_lru *lru)
{
	if (qr_lru_count(lru) == 0)
		return NULL;
	struct qr_page *page =
	    qr_page_list_oldest(lru, generations_source(lru));
	for (uint32_t looks = lru->looks_max; page != NULL && looks > 0;
	     looks--) {
		if (!qr_lru_test_touched(lru, page))
			break;
		qr_page_list_move(lru, generation_list(lru->clock), page);
		page = qr_page_list_oldest(lru, generations_source(lru));
	}
	qr_page_list_remove(lru, page);
	return page;
}

static void
generations_put_back(struct qr_lru *lru, struct qr_page *page)
{
	qr_page_list_push(lru, generation_list(lru->clock), page);
}

const struct qr_policy qr_policy_generations = {
	.name = "generations",
	.summary = "Pages by the time of their last touch, the oldest "
		   "generation goes.",
	.spared = QR_POLICY_LISTS,
	.insert = generations_insert,
	.accessed = generations_accessed,
	.pick = generations_pick,
	.remove = qr_page_list_remove,
	.put_back = generations_put_back,
};
