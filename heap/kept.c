/* SPDX-License-Identifier: MIT */
/*
 * heap/kept.c: runs that were just freed, kept whole by their length.
 *
 * To split and join blocks of the buddy system takes hundreds of instructions
 * a run; a program that frees runs of a length mostly wants that length again.
 * So a short run whose pages are all dirty goes on a stack of runs of its
 * length, linked through the page map, and the next run of that length comes
 * from there.
 *
 *     word of its first page: tag KEPT and the pages, value the next run + 1
 *
 * Kept pages are free and dirty for all accounts, so what may be kept is what
 * may be dirty (purge.c), and it goes back to the buddy when a purge begins.
 * Nor do they cost memory elsewhere: before a run is cut from pages that were
 * never used, or from none, all that is kept is joined again. Of the first
 * region alone, where nearly all runs lie. Keeps [heap.5]. Runs lock held.
 */
#include "pagemap_impl.h"

static uint64_t
kept_bit(uint64_t pages)
{
	return (uint64_t)1 << (pages - 1);
}

/* Takes the first run of a stack that is not empty. */
static uint64_t
kept_pop(struct qr_heap *heap, uint64_t pages)
{
	uint64_t page = heap->kept[pages - 1] - 1;
	struct qr_heap_word *word = &heap->window[0].map[page];
	QR_ASSERT(qr_heap_tag(word) ==
		      (QR_HEAP_KIND_KEPT | pages << QR_HEAP_TAG_CLASS),
	    "page %llu is kept with tag 0x%x", (unsigned long long)page,
	    qr_heap_tag(word));
	heap->kept[pages - 1] = word->value;
	if (word->value == 0)
		heap->kept_lengths &= ~kept_bit(pages);
	heap->kept_pages -= pages;
	qr_heap_set_word(word, 0, 0);
	return page;
}

bool
qr_heap_kept_take(struct qr_heap *heap, uint64_t pages, uint64_t *page)
{
	qr_heap_assert_locked(heap, QR_HEAP_LOCK_RUNS);
	if (pages > QR_HEAP_KEPT_PAGES ||
	    (heap->kept_lengths & kept_bit(pages)) == 0)
		return false;
	*page = kept_pop(heap, pages);
	return true;
}

bool
qr_heap_kept_add(struct qr_heap *heap, const struct qr_heap_run *run)
{
	qr_heap_assert_locked(heap, QR_HEAP_LOCK_RUNS);
	if (run->pages > QR_HEAP_KEPT_PAGES || run->region->index != 0)
		return false;
	uint32_t tag = QR_HEAP_KIND_KEPT | (uint32_t)run->pages
					       << QR_HEAP_TAG_CLASS;
	qr_heap_set_word(&run->region->window->map[run->page], tag,
	    heap->kept[run->pages - 1]);
	heap->kept[run->pages - 1] = (uint32_t)run->page + 1;
	heap->kept_lengths |= kept_bit(run->pages);
	heap->kept_pages += run->pages;
	return true;
}

bool
qr_heap_kept_join(struct qr_heap *heap)
{
	qr_heap_assert_locked(heap, QR_HEAP_LOCK_RUNS);
	if (heap->kept_lengths == 0)
		return false;
	while (heap->kept_lengths != 0) {
		uint64_t pages = qr_bit_lowest(heap->kept_lengths) + 1;
		uint64_t page = kept_pop(heap, pages);
		qr_buddy_return_range(&heap->region[0]->buddy, page, pages);
	}
	QR_ASSERT(heap->kept_pages == 0, "%zu pages are kept in no run",
	    heap->kept_pages);
	return true;
}
