/* SPDX-License-Identifier: MIT */
/*
 * reclaim/age.c: learns of touches where the MMU sets no young marks.
 *
 * A page that sleeps faults at its next touch, cheaply, and so tells that it
 * is in use. Only the answers for pages that are about to be looked at are
 * worth that fault: a step puts the oldest pages of each list to sleep, whole
 * windows of neighbours at a time, and leaves a mark on the page that it went
 * by, so that the next step goes on behind it. A touch takes the mark away,
 * and so does the page's leaving.
 */
#include "reclaim_impl.h"

/* Windows put to sleep by one step, for each list: 64 pages each, 4 MiB. */
#define AGE_WINDOWS 16u

/* The part of a list, from its old end, that may be asleep. */
#define AGE_DIVISOR 8u

/* Pages looked at under one hold of the page lock, of a few ns each. */
#define AGE_LOOKS_MAX 4096u

void
qr_reclaim_mark_awake(struct qr_page *page)
{
	/* Relaxed: all changes of this bit are made under the page lock. */
	atomic_fetch_and_explicit(&page->flags, (uint8_t)~QR_PAGE_ASLEEP,
	    memory_order_relaxed);
}

/* Marks the page; false: it was marked already. */
static bool
age_mark(struct qr_page *page)
{
	/* Relaxed: as above. */
	unsigned was = atomic_fetch_or_explicit(&page->flags, QR_PAGE_ASLEEP,
	    memory_order_relaxed);
	return (was & QR_PAGE_ASLEEP) == 0;
}

/* The oldest page of the list's old part without a mark, now marked; NULL:
 * there is none. */
static struct qr_page *
age_next(const struct qr_lru *lru, unsigned list)
{
	uint64_t looks = lru->lists[list].count / AGE_DIVISOR;
	struct qr_page *page = qr_page_list_oldest(lru, list);
	looks = qr_min((size_t)looks, AGE_LOOKS_MAX);
	for (; page != NULL && looks > 0; looks--) {
		if (age_mark(page))
			return page;
		page = qr_page_list_newer(lru, page);
	}
	return NULL;
}

void
qr_reclaim_age(struct qr_reclaim *reclaim)
{
	struct qr_spaces *spaces = reclaim->spaces;
	for (unsigned i = 0; i < QR_POLICY_LISTS * AGE_WINDOWS; i++) {
		qr_lock_acquire(reclaim->port, &spaces->page_lock);
		struct qr_page *page = age_next(&reclaim->lru, i / AGE_WINDOWS);
		if (page != NULL)
			qr_spaces_put_to_sleep(spaces, page);
		else
			qr_lock_release(reclaim->port, &spaces->page_lock);
	}
}
