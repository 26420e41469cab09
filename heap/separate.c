/* SPDX-License-Identifier: MIT */
/*
 * heap/separate.c: heaps beside the one behind malloc: on any page source, or
 * inside a piece of memory that the program names, with nothing outside of it.
 *
 * It is the same heap with one cache, the one that threads without a cache of
 * their own share, so each call takes its lock. What is gained is not speed
 * but the end: destroying one gives all its regions back, whatever is in them.
 *
 * In named memory the struct and the source stand first, the regions after
 * them. Memory is handed out from the start and never comes back: only
 * regions are reserved, and they stay.
 */
#include <errno.h>
#include <string.h>

#include "fast_impl.h"

/* A source whose pages are a piece of memory. */
struct memory_source {
	struct qr_page_source source;
	char
	    *next; /* QR_HEAP_LOCK_RUNS of its heap: what is not reserved yet */
	char *end; /* (c) */
};

static int
memory_reserve(void *ctx, size_t bytes, size_t align, void **start)
{
	struct memory_source *memory = ctx;
	uintptr_t from = (uintptr_t)memory->next;
	uintptr_t at = qr_round_up(from, qr_max(align, QR_PAGE_SIZE));
	if (at < from || at > (uintptr_t)memory->end ||
	    bytes > (uintptr_t)memory->end - at)
		return -QR_ENOMEM;
	*start = memory->next + (at - from);
	memory->next = (char *)*start + bytes;
	return 0;
}

/* Nobody knows what was in it. */
static int
memory_commit(void *ctx, void *start, size_t bytes)
{
	(void)ctx;
	memset(start, 0, bytes);
	return 0;
}

/* What was reserved last can be taken back: a region that got no tables. */
static void
memory_release(void *ctx, void *start, size_t bytes)
{
	struct memory_source *memory = ctx;
	if ((char *)start + bytes == memory->next)
		memory->next = start;
}

static const struct qr_page_source_ops memory_ops = {
	.reserve = memory_reserve,
	.commit = memory_commit,
	.release = memory_release,
};

/* --- beginning and end --- */

static int
heap_init(struct qr_heap *heap, const struct qr_page_source *source)
{
	heap->source = source;
	qr_heap_lock(heap, QR_HEAP_LOCK_RUNS);
	int err = qr_heap_run_init(heap);
	qr_heap_unlock(heap, QR_HEAP_LOCK_RUNS);
	return err;
}

struct qr_heap *
qr_heap_create(const struct qr_page_source *source)
{
	struct qr_heap *heap = qr_heap_calloc(1, sizeof(*heap));
	if (heap == NULL)
		return NULL;
	if (heap_init(heap, source != NULL ? source : qr_page_source_os()) == 0)
		return heap;
	qr_heap_free(heap);
	errno = ENOMEM;
	return NULL;
}

struct qr_heap *
qr_heap_create_in(void *memory, size_t bytes)
{
	uintptr_t from = (uintptr_t)memory;
	uintptr_t at = qr_round_up(from, QR_PAGE_SIZE);
	struct {
		struct qr_heap heap;
		struct memory_source memory;
	} *head = (void *)((char *)memory + (at - from));
	if (bytes < at - from || bytes - (at - from) < sizeof(*head)) {
		errno = ENOMEM;
		return NULL;
	}
	memset(head, 0, sizeof(*head));
	head->memory = (struct memory_source){
		.source = { .ops = &memory_ops,
		    .ctx = &head->memory,
		    .grain_bytes = QR_PAGE_SIZE,
		    .reserve_bytes_max = bytes },
		.next = (char *)(head + 1),
		.end = (char *)memory + bytes,
	};
	if (heap_init(&head->heap, &head->memory.source) == 0)
		return &head->heap;
	errno = ENOMEM;
	return NULL;
}

void
qr_heap_destroy(struct qr_heap *heap)
{
	bool in_memory = heap->source->ops == &memory_ops;
	qr_heap_run_fini(heap);
	if (!in_memory)
		qr_heap_free(heap);
}

/* --- blocks --- */

void *
qr_heap_alloc_aligned(struct qr_heap *heap, size_t align, size_t size)
{
	if (!qr_is_pow2(align)) {
		errno = EINVAL;
		return NULL;
	}
	unsigned size_class = qr_heap_class_of(size, align);
	void *block = NULL;
	if (size_class < QR_SIZE_CLASSES)
		block = qr_heap_shared_alloc(heap, size_class);
	else if (size <= PTRDIFF_MAX)
		block = qr_heap_large_alloc(heap, size,
		    qr_heap_align_order(align), false);
	if (block == NULL)
		errno = ENOMEM;
	return block;
}

void *
qr_heap_alloc(struct qr_heap *heap, size_t size)
{
	return qr_heap_alloc_aligned(heap, 1, size);
}

/* A block of a span, all of which are the shared cache's. */
static void
shared_free(struct qr_heap *heap, void *block, uint32_t tag)
{
	qr_heap_lock(heap, QR_HEAP_LOCK_SHARED);
	struct qr_heap_thread *shared = heap->shared;
	QR_ASSERT(qr_tag_owner(tag) == shared->number,
	    "a block of thread %u in a separate heap", qr_tag_owner(tag));
	size_t offset = tag ^ shared->key;
	*(void **)block = fast_list(shared, offset)->head;
	fast_list(shared, offset)->head = block;
	if (fast_count(fast_list(shared, offset)))
		qr_heap_overflow(shared, offset);
	qr_heap_unlock(heap, QR_HEAP_LOCK_SHARED);
}

void
qr_heap_give_back(struct qr_heap *heap, void *block)
{
	struct qr_heap_place place;
	if (block == NULL)
		return;
	if (!qr_heap_place_of(heap, block, &place))
		qr_heap_report_foreign("qr_heap_give_back", block);
	uint32_t tag = qr_heap_tag(place.word);
	if (qr_tag_is_span(tag))
		shared_free(heap, block, tag);
	else if (tag == QR_HEAP_KIND_LARGE &&
		 ((uintptr_t)block & (QR_PAGE_SIZE - 1)) == 0)
		qr_heap_large_free(heap, &place);
	else
		qr_heap_report_foreign("qr_heap_give_back", block);
}
