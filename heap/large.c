/* SPDX-License-Identifier: MIT */
/*
 * heap/large.c: blocks that are runs of pages. The word of the first page
 * holds the length, so a large block has no header.
 */
#include "pagemap_impl.h"

static uint64_t
large_pages(size_t size)
{
	return qr_div_round_up(size, QR_PAGE_SIZE);
}

void *
qr_heap_large_alloc(struct qr_heap *heap, size_t size, unsigned align_order,
    bool zero)
{
	uint64_t pages = qr_max(large_pages(size), 1);
	if (pages > UINT32_MAX)
		return NULL;
	struct qr_heap_run run;
	qr_heap_lock(heap, QR_HEAP_LOCK_RUNS);
	int err = qr_heap_run_alloc(heap, pages, align_order, zero, &run);
	if (err == 0)
		qr_heap_set_word(&run.region->window->map[run.page],
		    QR_HEAP_KIND_LARGE, (uint32_t)pages);
	qr_heap_unlock(heap, QR_HEAP_LOCK_RUNS);
	if (err != 0)
		return NULL;
	if (zero)
		qr_heap_run_zero(heap, &run);
	return qr_heap_page_address(run.region, run.page);
}

void
qr_heap_large_free(struct qr_heap *heap, const struct qr_heap_place *place)
{
	qr_heap_lock(heap, QR_HEAP_LOCK_RUNS);
	struct qr_heap_run run = { place->region, place->page,
		place->word->value, false };
	bool still_there = qr_heap_tag(place->word) == QR_HEAP_KIND_LARGE;
	if (still_there) {
		qr_heap_set_word(place->word, 0, 0);
		qr_heap_run_free(heap, &run, run.pages);
	}
	qr_heap_unlock(heap, QR_HEAP_LOCK_RUNS);
	if (!still_there)
		qr_heap_report_foreign("free",
		    qr_heap_page_address(run.region, run.page));
	qr_heap_purge_due(heap);
}

/* Gives the pages behind the first keep back. */
static void
large_shrink(struct qr_heap *heap, const struct qr_heap_place *place,
    uint64_t keep)
{
	qr_heap_lock(heap, QR_HEAP_LOCK_RUNS);
	struct qr_heap_run tail = { place->region, place->page + keep,
		place->word->value - keep, false };
	place->word->value = (uint32_t)keep;
	qr_heap_run_free(heap, &tail, tail.pages);
	qr_heap_unlock(heap, QR_HEAP_LOCK_RUNS);
	qr_heap_purge_due(heap);
}

static bool
large_grow(struct qr_heap *heap, const struct qr_heap_place *place,
    uint64_t pages)
{
	qr_heap_lock(heap, QR_HEAP_LOCK_RUNS);
	struct qr_heap_run run = { place->region, place->page,
		place->word->value, false };
	int err = qr_heap_run_extend(heap, &run, pages - run.pages);
	if (err == 0)
		place->word->value = (uint32_t)pages;
	qr_heap_unlock(heap, QR_HEAP_LOCK_RUNS);
	return err == 0;
}

bool
qr_heap_large_resize(struct qr_heap *heap, const struct qr_heap_place *place,
    size_t size)
{
	uint64_t pages = large_pages(size);
	uint64_t have = place->word->value;
	if (pages < have)
		large_shrink(heap, place, pages);
	return pages <= have ||
	       (pages <= UINT32_MAX && large_grow(heap, place, pages));
}
