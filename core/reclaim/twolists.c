/* SPDX-License-Identifier: MIT */
/*
 * reclaim/twolists.c: active and inactive lists, one pair for anonymous pages
 * and one for pages of files, and a balance between the pairs.
 *
 *	insert --> inactive --not touched--> gone
 *	   |        |  ^  ^
 *	   |        |  |  +--found touched once: another round
 *	   |  twice |  |
 *	   |        v  | when there are too many
 *	   +------> active
 *	     came back soon
 *
 * A touch that is told is a second one, for the one that brings a page in is
 * not. A mark may be the first one's, so a page that is found touched goes
 * round once more, and only if it is found so again it becomes active. Active pages are not
 * looked at as long as the inactive list is long enough, and then they go in
 * the order in which they came.
 *
 * A page that comes back within as many evictions as there are pages elsewhere
 * than on its own inactive list would have stayed, had that list been longer at
 * the others' cost: it is active at once. Shared memory goes to swap and so
 * counts as anonymous.
 *
 * Which pair. A page that came back has cost a transfer, one that was found in
 * use has cost a look. Both are charged to the pair, old charges fade, and the
 * next victim is sought in each pair in proportion to its pages, and the more
 * the less it costs: between half as much and twice as much as its pages alone
 * would say. While no page of a file has come back soon lately (target counts
 * those, and fades with the charges) and there are many on trial, what is read
 * once pays for all, and programs keep their pages.
 */
#include "policy.h"

#include "../base/bits.h"

enum { ANON, FILE_BACKED, PAIRS };

/* List of a pair; the other one is active. */
#define INACTIVE(pair) ((pair)*2u)
#define ACTIVE(pair)   ((pair)*2u + 1u)

_Static_assert(PAIRS * 2 <= QR_POLICY_LISTS, "a pair has two lists");

/* Looks that a transfer is worth. */
#define TRANSFER_COST 32u

/* Charges fade when they pass the share of the pages that this gives. */
#define COST_DIVISOR 4u

/* Active pages that one pick makes inactive at most: a window's worth. */
#define DEACTIVATE_MAX 32u

/* The turns of the two pairs are counted in these parts. */
#define TURN_WHOLE 1024u

/* Pages of a GiB: the larger the memory, the smaller the share on trial. */
#define GIB_PAGES ((uint64_t)1 << 18)

static unsigned
two_pair(const struct qr_lru *lru, struct qr_page *page)
{
	return lru->is_file(lru->ctx, page) ? FILE_BACKED : ANON;
}

static uint64_t
two_pages(const struct qr_lru *lru, unsigned pair)
{
	return lru->lists[INACTIVE(pair)].count +
	       lru->lists[ACTIVE(pair)].count;
}

/* How many times longer than the inactive list the active one may be: about
 * the root of ten times the GiB, 1 below one. */
static uint64_t
two_ratio(uint64_t pages)
{
	uint64_t tenths = pages / GIB_PAGES * 10;
	uint64_t root = 1;
	/* Ends at 640 for all that a pfn of 32 bits can name. */
	while ((root + 1) * (root + 1) <= tenths)
		root++;
	return root;
}

static bool
two_is_low(const struct qr_lru *lru, unsigned pair)
{
	return lru->lists[INACTIVE(pair)].count *
		   two_ratio(two_pages(lru, pair)) <
	       lru->lists[ACTIVE(pair)].count;
}

static void
two_charge(struct qr_lru *lru, unsigned pair, uint64_t cost)
{
	lru->cost[pair] += cost;
	if (lru->cost[ANON] + lru->cost[FILE_BACKED] <=
	    qr_lru_count(lru) / COST_DIVISOR)
		return;
	lru->cost[ANON] /= 2;
	lru->cost[FILE_BACKED] /= 2;
	lru->target /= 2;
}

static void
two_insert(struct qr_lru *lru, struct qr_page *page, uint64_t refault_distance)
{
	unsigned pair = two_pair(lru, page);
	uint64_t elsewhere =
	    qr_lru_count(lru) - lru->lists[INACTIVE(pair)].count;
	bool soon = refault_distance <= elsewhere;
	qr_page_list_push(lru, soon ? ACTIVE(pair) : INACTIVE(pair), page);
	if (soon && pair == FILE_BACKED)
		lru->target++;
	if (refault_distance != UINT64_MAX)
		two_charge(lru, pair, TRANSFER_COST);
}

static void
two_accessed(struct qr_lru *lru, struct qr_page *page)
{
	unsigned list = qr_lru_list_of(page);
	if (list != QR_POLICY_LISTS && list % 2 == 0)
		qr_page_list_move(lru, list + 1, page);
	else
		qr_lru_note_touch(lru, page);
}

/* The pair that the next victim is sought in. */
static unsigned
two_source(struct qr_lru *lru)
{
	uint64_t anon = two_pages(lru, ANON);
	uint64_t files = two_pages(lru, FILE_BACKED);
	if (anon == 0 || files == 0)
		return anon == 0 ? FILE_BACKED : ANON;
	if (lru->target == 0 && !two_is_low(lru, FILE_BACKED))
		return FILE_BACKED;
	/* Costs are at most a quarter of the pages, which are below 2^32. */
	uint64_t both = lru->cost[ANON] + lru->cost[FILE_BACKED] + 1;
	anon *= both + lru->cost[FILE_BACKED];
	files *= both + lru->cost[ANON];
	lru->turn += (uint32_t)(TURN_WHOLE * anon / (anon + files));
	if (lru->turn < TURN_WHOLE)
		return FILE_BACKED;
	lru->turn -= TURN_WHOLE;
	return ANON;
}

/* Makes the oldest active pages inactive while those are few. Returns how many
 * looks are left. */
static uint32_t
two_refill(struct qr_lru *lru, unsigned pair, uint32_t looks)
{
	for (unsigned i = 0;
	     i < DEACTIVATE_MAX && looks > 0 && two_is_low(lru, pair); i++) {
		struct qr_page *page = qr_page_list_oldest(lru, ACTIVE(pair));
		(void)qr_lru_test_touched(lru, page);
		qr_page_list_move(lru, INACTIVE(pair), page);
		looks--;
	}
	return looks;
}

/* Passes over a page that was found touched. */
static void
two_spare(struct qr_lru *lru, unsigned pair, struct qr_page *page)
{
	bool again = qr_lru_is_seen(page);
	qr_page_list_move(lru, again ? ACTIVE(pair) : INACTIVE(pair), page);
	if (!again)
		qr_lru_see(page);
	two_charge(lru, pair, 1);
}

static struct qr_page *
two_pick(struct qr_lru *lru)
{
	unsigned pair = two_source(lru);
	uint32_t looks = two_refill(lru, pair, lru->looks_max);
	struct qr_page *page = qr_page_list_oldest(lru, INACTIVE(pair));
	for (; page != NULL && looks > 0; looks--) {
		if (!qr_lru_test_touched(lru, page))
			break;
		two_spare(lru, pair, page);
		page = qr_page_list_oldest(lru, INACTIVE(pair));
	}
	if (page == NULL)
		page = qr_page_list_oldest(lru, ACTIVE(pair));
	if (page != NULL)
		qr_page_list_remove(lru, page);
	return page;
}

static void
two_put_back(struct qr_lru *lru, struct qr_page *page)
{
	qr_page_list_push(lru, ACTIVE(two_pair(lru, page)), page);
}

const struct qr_policy qr_policy_twolists = {
	.name = "two-lists",
	.summary = "Active and inactive lists, of anonymous pages and of "
		   "files, balanced by what refaults cost.",
	.spared = QR_POLICY_LISTS,
	.insert = two_insert,
	.accessed = two_accessed,
	.pick = two_pick,
	.remove = qr_page_list_remove,
	.put_back = two_put_back,
};
