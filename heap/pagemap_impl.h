/* SPDX-License-Identifier: MIT */
/*
 * heap/pagemap_impl.h: tags and how they are read: on every free, so inline.
 */
#ifndef QR_HEAP_PAGEMAP_IMPL_H
#define QR_HEAP_PAGEMAP_IMPL_H

#include "calls_impl.h"

static inline uint32_t
qr_tag_span(uint32_t owner, unsigned size_class)
{
	return owner << QR_HEAP_TAG_OWNER | (uint32_t)size_class
						<< QR_HEAP_TAG_CLASS;
}

static inline uint32_t
qr_tag_owner(uint32_t tag)
{
	return tag >> QR_HEAP_TAG_OWNER;
}

static inline unsigned
qr_tag_class(uint32_t tag)
{
	return tag >> QR_HEAP_TAG_CLASS & 0xffu;
}

static inline bool
qr_tag_is_span(uint32_t tag)
{
	return qr_tag_owner(tag) != QR_HEAP_ID_NONE;
}

_Static_assert(QR_HEAP_THREADS_MAX + QR_HEAP_ID_FIRST < QR_HEAP_TAG_SAMPLED >>
		   QR_HEAP_TAG_OWNER,
    "an owner's number leaves the mark alone");

/* With the mark that a block of the page is in the sample. Relaxed: below. */
static inline uint32_t
qr_heap_raw_tag(const struct qr_heap_word *word)
{
	return atomic_load_explicit(&word->tag, memory_order_relaxed);
}

/*
 * Relaxed: a tag that says "mine" was written by this thread and only it can
 * change that; one that says anything else is looked at again under a lock,
 * or by the thread that the block is sent to.
 */
static inline uint32_t
qr_heap_tag(const struct qr_heap_word *word)
{
	return qr_heap_raw_tag(word) & ~QR_HEAP_TAG_SAMPLED;
}

static inline void
qr_heap_set_word(struct qr_heap_word *word, uint32_t tag, uint32_t value)
{
	word->value = value;
	/* Relaxed: who frees a block got it from this thread somehow. */
	atomic_store_explicit(&word->tag, tag, memory_order_relaxed);
}

/*
 * The word of a cached block, which is in the heap for sure; and its region.
 * Most lie in the first one, which the thread knows.
 */
static inline const struct qr_heap_word *
qr_heap_word_of(const struct qr_heap_thread *thread, const void *block,
    const struct qr_heap_region **region)
{
	uintptr_t at = (uintptr_t)block - thread->window_base;
	if (QR_LIKELY(at < thread->window_bytes)) {
		*region = thread->heap->region[0];
		return &thread->window_map[at >> QR_PAGE_SHIFT];
	}
	struct qr_heap_place place;
	bool known = qr_heap_place_of(thread->heap, block, &place);
	QR_ASSERT(known, "cached block %p lies in no region", block);
	*region = place.region;
	return place.word;
}

/* The span that a word of the region belongs to. */
static inline struct qr_span *
qr_heap_span_at(const struct qr_heap_region *region,
    const struct qr_heap_word *word)
{
	size_t unit = word->value;
	return (void *)(region->units + unit * QR_SPAN_UNIT_BYTES);
}

#endif
