/* SPDX-License-Identifier: MIT */
/*
 * heap/fast_impl.h: malloc and free of a small block whose list is at hand.
 * Inline, because malloc and qr_heap_malloc are both entries to it.
 *
 * Cost: malloc reads the thread's pointer, its list and the block, with two
 * branches; free the thread's pointer, its view of the window, the page's tag
 * and the list, with three. No atomic read-modify-write, no lock, no call.
 */
#ifndef QR_HEAP_FAST_IMPL_H
#define QR_HEAP_FAST_IMPL_H

#include "pagemap_impl.h"

/* Sizes whose class is their number of 16-byte steps. */
#define QR_HEAP_FAST_FIRST (QR_SIZE_TINY_BYTES + 1)
#define QR_HEAP_FAST_COUNT (QR_SIZE_STEP_MAX - QR_SIZE_TINY_BYTES)

static inline void *
qr_heap_malloc_fast(size_t size)
{
	if (QR_UNLIKELY(size - QR_HEAP_FAST_FIRST >= QR_HEAP_FAST_COUNT))
		return qr_heap_malloc_slow(size);
	struct qr_heap_list *list =
	    &qr_heap_self->list[(size + QR_SIZE_STEP - 1) / QR_SIZE_STEP];
	void *block = list->head;
	if (QR_UNLIKELY(block == NULL))
		return qr_heap_malloc_slow(size);
	list->head = *(void **)block;
	list->room++;
	return block;
}

static inline void
qr_heap_free_fast(void *block)
{
	struct qr_heap_thread *thread = qr_heap_self;
	uintptr_t offset = (uintptr_t)block - thread->window_base;
	if (QR_UNLIKELY(offset >= thread->window_bytes)) {
		qr_heap_free_slow(block);
		return;
	}
	uint32_t tag =
	    qr_heap_tag(&thread->window_map[offset >> QR_PAGE_SHIFT]);
	/* Of my own tags the class is left, which is the list's offset. */
	uint32_t list_offset = tag ^ thread->key;
	if (QR_UNLIKELY(list_offset >= QR_SIZE_CLASSES << QR_HEAP_TAG_CLASS)) {
		qr_heap_free_slow(block);
		return;
	}
	struct qr_heap_list *list = (void *)((char *)thread + list_offset);
	*(void **)block = list->head;
	list->head = block;
	if (QR_UNLIKELY(--list->room < 0))
		qr_heap_overflow(thread, list_offset >> QR_HEAP_TAG_CLASS);
}

_Static_assert(sizeof(struct qr_heap_list) == 1u << QR_HEAP_TAG_CLASS,
    "a tag's class is the offset of its list");

#endif
