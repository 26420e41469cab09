/* SPDX-License-Identifier: MIT */
/*
 * reclaim/nru.c: not recently used: a page of the lowest class goes, where
 * touched counts 2 and written counts 1.
 *
 * The textbook clears all touch marks at each tick. Here each page that comes
 * in clears one other's, so that each mark is cleared once in as many
 * arrivals as there are pages, and no call takes long. The page whose mark was
 * cleared becomes the newest: so the oldest ones, which are looked at first,
 * had the longest time to be touched again, and no frame is always the first.
 */
#include "policy.h"

#define RING 0u

#define CLASS_WRITTEN 1u
#define CLASS_TOUCHED 2u
#define CLASS_NONE    4u

static void
nru_insert(struct qr_lru *lru, struct qr_page *page, uint64_t refault_distance)
{
	(void)refault_distance;
	struct qr_page *oldest = qr_page_list_oldest(lru, RING);
	if (oldest != NULL) {
		(void)qr_lru_test_touched(lru, oldest);
		qr_page_list_move(lru, RING, oldest);
	}
	qr_page_list_push(lru, RING, page);
}

static unsigned
nru_class(struct qr_lru *lru, struct qr_page *page)
{
	unsigned class = qr_lru_is_touched(lru, page) ? CLASS_TOUCHED : 0;
	if (lru->test_dirty != NULL && lru->test_dirty(lru->ctx, page))
		class += CLASS_WRITTEN;
	return class;
}

static struct qr_page *
nru_pick(struct qr_lru *lru)
{
	struct qr_page *best = NULL;
	unsigned best_class = CLASS_NONE;
	struct qr_page *page = qr_page_list_oldest(lru, RING);
	for (uint32_t looks = 0;
	     page != NULL && looks <= lru->looks_max && best_class != 0;
	     looks++) {
		unsigned class = nru_class(lru, page);
		if (class < best_class) {
			best = page;
			best_class = class;
		}
		page = qr_page_list_newer(lru, page);
	}
	if (best != NULL)
		qr_page_list_remove(lru, best);
	return best;
}

static void
nru_put_back(struct qr_lru *lru, struct qr_page *page)
{
	qr_page_list_push(lru, RING, page);
}

const struct qr_policy qr_policy_nru = {
	.name = "nru",
	.summary = "Not recently used: untouched before touched, unwritten "
		   "before written.",
	.spared = QR_POLICY_LISTS,
	.insert = nru_insert,
	.accessed = qr_lru_note_touch,
	.pick = nru_pick,
	.remove = qr_page_list_remove,
	.put_back = nru_put_back,
};
