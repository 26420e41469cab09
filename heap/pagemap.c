/* SPDX-License-Identifier: MIT */
/*
 * heap/pagemap.c: from an address to its page's word, in any region; and what
 * is said when there is none.
 */
#include "pagemap_impl.h"

bool
qr_heap_place_of(struct qr_heap *heap, const void *address,
    struct qr_heap_place *place)
{
	/* Acquire pairs with the release in region_publish. */
	unsigned regions =
	    atomic_load_explicit(&heap->regions, memory_order_acquire);
	for (unsigned i = 0; i < regions; i++) {
		struct qr_heap_window *window = &heap->window[i];
		/* Relaxed: constant once the region is known. */
		uintptr_t offset =
		    (uintptr_t)address -
		    atomic_load_explicit(&window->base, memory_order_relaxed);
		/* Acquire pairs with the release in map_commit. */
		if (offset >=
		    atomic_load_explicit(&window->bytes, memory_order_acquire))
			continue;
		place->region = heap->region[i];
		place->page = offset >> QR_PAGE_SHIFT;
		place->word = &window->map[place->page];
		return true;
	}
	return false;
}

void
qr_heap_report_foreign(const char *call, const void *pointer)
{
	QR_PANIC("%s(%p): not the address of a block of this heap: it was "
		 "freed before, or never came from malloc",
	    call, pointer);
}
