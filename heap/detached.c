/* SPDX-License-Identifier: MIT */
/*
 * heap/detached.c: spans that no thread owns: left by threads that ended or
 * were lost.
 *
 * They wait on lists by class, partial ones for the next thread that needs
 * the class. Their blocks are freed under the lock, by whoever frees. A
 * span's owner number changes from and to DETACHED under this lock only
 * [heap.4], so it is stable for who holds it.
 */
#include "span_impl.h"

/* How many spans could be adopted; relaxed: a hint outside the lock. */
static void
detached_count(struct qr_heap *heap, bool more)
{
	if (more)
		atomic_fetch_add_explicit(&heap->detached_partial, 1,
		    memory_order_relaxed);
	else
		atomic_fetch_sub_explicit(&heap->detached_partial, 1,
		    memory_order_relaxed);
}

static void
detached_insert(struct qr_heap *heap, struct qr_span *span)
{
	qr_span_list_insert(heap, heap->detached[span->size_class], span);
	if (!span->full)
		detached_count(heap, true);
}

static void
detached_remove(struct qr_heap *heap, struct qr_span *span)
{
	if (!span->full)
		detached_count(heap, false);
	qr_span_list_remove(heap, heap->detached[span->size_class], span);
}

struct qr_span *
qr_heap_adopt(struct qr_heap_thread *thread, unsigned size_class)
{
	struct qr_heap *heap = thread->heap;
	if (atomic_load_explicit(&heap->detached_partial,
		memory_order_relaxed) == 0)
		return NULL;

	struct qr_span *span = NULL;
	qr_heap_lock(heap, QR_HEAP_LOCK_DETACHED);
	qr_span_ref_t ref = heap->detached[size_class][QR_SPAN_PARTIAL];
	if (ref != 0) {
		span = qr_span_of_ref(heap, ref);
		detached_remove(heap, span);
		qr_span_set_owner(heap, span, thread->number);
	}
	qr_heap_unlock(heap, QR_HEAP_LOCK_DETACHED);
	return span;
}

void
qr_heap_detach_locked(struct qr_heap *heap, struct qr_span *span)
{
	qr_heap_assert_locked(heap, QR_HEAP_LOCK_DETACHED);
	qr_span_set_owner(heap, span, QR_HEAP_ID_DETACHED);
	detached_insert(heap, span);
}

void
qr_heap_detach(struct qr_heap *heap, struct qr_span *span)
{
	if (qr_span_is_empty(span)) {
		qr_span_destroy(heap, span);
		return;
	}
	qr_heap_lock(heap, QR_HEAP_LOCK_DETACHED);
	qr_heap_detach_locked(heap, span);
	qr_heap_unlock(heap, QR_HEAP_LOCK_DETACHED);
}

bool
qr_heap_free_detached(struct qr_heap *heap, void *block)
{
	struct qr_heap_place place;
	bool known = qr_heap_place_of(heap, block, &place);
	QR_ASSERT(known, "block %p lies in no region", block);

	qr_heap_lock(heap, QR_HEAP_LOCK_DETACHED);
	uint32_t tag = qr_heap_tag(place.word);
	bool detached = qr_tag_owner(tag) == QR_HEAP_ID_DETACHED;
	struct qr_span *empty = NULL;
	if (detached) {
		struct qr_span *span = qr_span_of_word(&place);
		detached_remove(heap, span);
		(void)qr_span_put(heap, span, block);
		if (qr_span_is_empty(span))
			empty = span;
		else
			detached_insert(heap, span);
	}
	qr_heap_unlock(heap, QR_HEAP_LOCK_DETACHED);
	if (empty != NULL)
		qr_span_destroy(heap, empty);
	else if (qr_tag_owner(tag) == QR_HEAP_ID_NONE)
		qr_heap_report_foreign("free", block);
	return detached;
}

static void
recover_visit(void *ctx, const struct qr_heap_place *place, uint64_t pages)
{
	struct qr_heap *heap = ctx;
	(void)pages;
	uint32_t tag = qr_heap_tag(place->word);
	if (!qr_tag_is_span(tag) || qr_tag_owner(tag) == QR_HEAP_ID_DETACHED)
		return;
	struct qr_heap_thread *owner =
	    qr_heap_thread_of(heap, qr_tag_owner(tag));
	if (atomic_load(&owner->state) != QR_HEAP_THREAD_PARKED)
		return;
	struct qr_span *span = qr_span_of_word(place);
	qr_span_recount(span);
	qr_heap_detach_locked(heap, span);
}

void
qr_heap_recover(struct qr_heap *heap)
{
	qr_heap_walk(heap, recover_visit, heap);
}
