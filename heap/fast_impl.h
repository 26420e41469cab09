/* SPDX-License-Identifier: MIT */
/*
 * heap/fast_impl.h: malloc and free of a small block whose list is at hand.
 * Inline, because malloc and qr_heap_malloc are both entries to it.
 *
 * Cost on x86-64: malloc 12 instructions, reads the thread's pointer, its list
 * and the block, two branches; free 18, reads the thread's pointer, its view
 * of the window, the page's tag and the list, three branches. No atomic
 * read-modify-write, no lock, no call. tests/heap/instructions.sh counts.
 */
#ifndef QR_HEAP_FAST_IMPL_H
#define QR_HEAP_FAST_IMPL_H

#include "pagemap_impl.h"

/*
 * Hides from the compiler that it has seen this offset before: it would keep
 * the sum with the thread's address, at an instruction more than to add the
 * two in each access.
 */
static inline size_t
fast_again(size_t offset)
{
	__asm__("" : "+r"(offset));
	return offset;
}

/* Has the compiler load what is returned to where it is returned. */
static inline void *
fast_result(void *block)
{
#if defined(__x86_64__)
	__asm__("" : "+a"(block));
#endif
	return block;
}

static inline struct qr_heap_list *
fast_list(struct qr_heap_thread *thread, size_t offset)
{
	return (void *)((char *)thread + offset);
}

/* Counts a block more. True: the list is to be looked at. */
static inline bool
fast_count(struct qr_heap_list *list)
{
#if defined(__x86_64__)
	bool below;
	__asm__("subl $1, %1" : "=@ccs"(below), "+m"(list->room));
	return below;
#else
	return --list->room < 0;
#endif
}

/*
 * The offset of a size's list in the thread is the size, rounded up to whole
 * steps: class k is of k steps of 16 bytes, and so is its list. What has no
 * list here comes out as 0 and finds the list of class 0, which is always
 * empty: sizes of 0, and those near SIZE_MAX, which wrap around.
 */
static inline void *
qr_heap_malloc_fast(size_t size)
{
	size_t offset = (size + QR_SIZE_STEP - 1) & ~(size_t)(QR_SIZE_STEP - 1);
	if (QR_UNLIKELY(offset > QR_SIZE_STEP_MAX))
		return qr_heap_malloc_slow(size);
	struct qr_heap_thread *thread = qr_heap_self;
	void *block = fast_result(fast_list(thread, offset)->head);
	if (QR_UNLIKELY(block == NULL))
		return qr_heap_malloc_slow(size);
	fast_list(thread, fast_again(offset))->head = *(void **)block;
	return block;
}

static inline void
qr_heap_free_fast(void *block)
{
	struct qr_heap_thread *thread = qr_heap_self;
	uintptr_t at = (uintptr_t)block - thread->window_base;
	if (QR_UNLIKELY(at >= thread->window_bytes)) {
		qr_heap_free_slow(block);
		return;
	}
	uint32_t tag =
	    qr_heap_raw_tag(&thread->window_map[at >> QR_PAGE_SHIFT]);
	/* Of my own tags the class is left, which is the list's offset. */
	size_t offset = tag ^ thread->key;
	if (QR_UNLIKELY(offset >= QR_SIZE_CLASSES << QR_HEAP_TAG_CLASS)) {
		qr_heap_free_tagged(thread, block, offset);
		return;
	}
	*(void **)block = fast_list(thread, offset)->head;
	offset = fast_again(offset);
	fast_list(thread, offset)->head = block;
	offset = fast_again(offset);
	if (QR_UNLIKELY(fast_count(fast_list(thread, offset))))
		qr_heap_overflow(thread, offset);
}

_Static_assert(sizeof(struct qr_heap_list) == 1u << QR_HEAP_TAG_CLASS,
    "a tag's class is the offset of its list");
_Static_assert(sizeof(struct qr_heap_list) == QR_SIZE_STEP,
    "and so is a size in whole steps");

#endif
