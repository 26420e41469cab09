/* SPDX-License-Identifier: MIT */
/*
 * heap/thread.c: a thread's cache from its first allocation to the thread's
 * end, and the start of the heap.
 *
 *               first allocation            the thread ends
 *     (none) ----------------------> ACTIVE ----------------> PARKED
 *                                       ^                       |
 *                                       +-- the next new thread -+
 *
 * A cache is never given back: its address and number may be in the hands of
 * a thread that is about to send to it. Parked, it holds no block and no span
 * [heap.8].
 *
 * The end is noticed by the destructor of a pthread key. Other keys'
 * destructors may run later and allocate: then the thread gets a cache again
 * and with it another destructor call, as long as pthreads makes rounds.
 * After the last round, and if there is no memory or number for a cache, a
 * thread allocates from one cache that all such threads share, under a lock.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include "pagemap_impl.h"

/* Destructor calls of one thread after which it gets no further cache: the
 * last round that is sure to come. */
#define THREAD_ROUNDS (_POSIX_THREAD_DESTRUCTOR_ITERATIONS - 1)

/* All zero and never written: its window is empty, so every free takes the
 * slow way, and so are its lists. */
struct qr_heap_thread qr_heap_thread_none;

_Thread_local struct qr_heap_thread *qr_heap_self
    __attribute__((tls_model("initial-exec"))) = &qr_heap_thread_none;

/* Destructor calls that this thread has seen. */
static _Thread_local unsigned thread_rounds
    __attribute__((tls_model("initial-exec")));

/* A page that is the heap's own; zeroed. NULL: no memory. */
static void *
own_page_alloc(struct qr_heap *heap)
{
	struct qr_heap_run run;
	qr_heap_lock(heap, QR_HEAP_LOCK_RUNS);
	int err = qr_heap_run_alloc(heap, 1, 0, false, &run);
	if (err == 0)
		qr_heap_set_word(&run.region->window->map[run.page],
		    QR_HEAP_KIND_OWN, 1);
	qr_heap_unlock(heap, QR_HEAP_LOCK_RUNS);
	if (err != 0)
		return NULL;
	void *page = qr_heap_page_address(run.region, run.page);
	if (!run.fresh)
		memset(page, 0, QR_PAGE_SIZE);
	return page;
}

struct qr_heap_thread *
qr_heap_thread_of(struct qr_heap *heap, uint32_t number)
{
	uint32_t index = number - QR_HEAP_ID_FIRST;
	QR_ASSERT(index < QR_HEAP_THREADS_MAX, "thread number %u", number);
	/* A number that stands in a tag has its pointer for good, and who
	 * reads the tag got a block from that thread. */
	return atomic_load_explicit(&heap->leaf[index / QR_HEAP_LEAF_THREADS]
					       [index % QR_HEAP_LEAF_THREADS],
	    memory_order_relaxed);
}

void
qr_heap_thread_see_window(struct qr_heap_thread *thread)
{
	const struct qr_heap_window *window = &thread->heap->window[0];
	/* Relaxed: constant, as the heap has started. */
	thread->window_base =
	    atomic_load_explicit(&window->base, memory_order_relaxed);
	thread->window_map = window->map;
	/* Acquire pairs with the release in map_commit. */
	thread->window_bytes =
	    atomic_load_explicit(&window->bytes, memory_order_acquire);
}

/* A cache that nobody had before. NULL: no memory or no number is left. */
static struct qr_heap_thread *
thread_create(struct qr_heap *heap)
{
	qr_heap_assert_locked(heap, QR_HEAP_LOCK_THREADS);
	uint32_t index = heap->threads;
	if (index == QR_HEAP_THREADS_MAX)
		return NULL;
	struct qr_heap_thread *_Atomic **leaf =
	    &heap->leaf[index / QR_HEAP_LEAF_THREADS];
	if (*leaf == NULL)
		*leaf = index < QR_HEAP_LEAF_THREADS ? heap->leaf_first
						     : own_page_alloc(heap);
	if (*leaf == NULL)
		return NULL;
	struct qr_heap_thread *thread = own_page_alloc(heap);
	if (thread == NULL)
		return NULL;

	thread->number = index + QR_HEAP_ID_FIRST;
	thread->key = thread->number << QR_HEAP_TAG_OWNER;
	thread->heap = heap;
	/* Relaxed: see qr_heap_thread_of. */
	atomic_store_explicit(&(*leaf)[index % QR_HEAP_LEAF_THREADS], thread,
	    memory_order_relaxed);
	heap->threads = index + 1;
	return thread;
}

static struct qr_heap_thread *
thread_unpark(struct qr_heap *heap)
{
	qr_heap_assert_locked(heap, QR_HEAP_LOCK_THREADS);
	struct qr_heap_thread *thread = heap->parked;
	if (thread == NULL)
		return NULL;
	heap->parked = thread->parked_next;
	heap->parked_count--;
	atomic_store(&thread->state, QR_HEAP_THREAD_ACTIVE);
	return thread;
}

/* --- the end of a thread --- */

void
qr_heap_thread_flush(struct qr_heap_thread *thread)
{
	for (unsigned k = 0; k < QR_SIZE_CLASSES; k++)
		qr_heap_list_flush(thread, k);
	qr_heap_send_all(thread);
	qr_heap_receive(thread, UINT_MAX, false);
	qr_heap_give_empty(thread);
}

static void
thread_detach_list(struct qr_heap_thread *thread, qr_span_ref_t *lists,
    enum qr_span_list list)
{
	while (lists[list] != 0) {
		struct qr_span *span =
		    qr_span_of_ref(thread->heap, lists[list]);
		qr_span_list_remove(thread->heap, lists, span);
		qr_heap_detach(thread->heap, span);
	}
}

/* Forgets all that the owner alone may touch. */
static void
thread_clear(struct qr_heap_thread *thread)
{
	memset(thread->list, 0, sizeof(thread->list));
	memset(thread->spans, 0, sizeof(thread->spans));
	memset(thread->order, 0, sizeof(thread->order));
	memset(thread->adopted, 0, sizeof(thread->adopted));
	memset(thread->parcel, 0, sizeof(thread->parcel));
	memset(thread->sample, 0, sizeof(thread->sample));
	thread->sample_large = 0;
	thread->aside_class = 0;
	thread->aside = NULL;
	thread->sampled = NULL;
	thread->inbox = NULL;
	thread->cap_bytes = 0;
}

static void
thread_park_locked(struct qr_heap *heap, struct qr_heap_thread *thread)
{
	qr_heap_assert_locked(heap, QR_HEAP_LOCK_THREADS);
	thread->parked_next = heap->parked;
	heap->parked = thread;
	heap->parked_count++;
}

static void
thread_park(struct qr_heap_thread *thread)
{
	struct qr_heap *heap = thread->heap;
	qr_heap_lock_acquire(&thread->lock);
	qr_heap_thread_flush(thread);
	for (unsigned k = 0; k < QR_SIZE_CLASSES; k++) {
		thread_detach_list(thread, thread->spans[k], QR_SPAN_PARTIAL);
		thread_detach_list(thread, thread->spans[k], QR_SPAN_FULL);
	}
	thread_clear(thread);
	qr_heap_lock_release(&thread->lock);
	/* seq_cst, then the queue once more: pairs with queue_push. */
	atomic_store(&thread->state, QR_HEAP_THREAD_PARKED);
	qr_heap_settle(heap, atomic_exchange(&thread->queue, NULL));

	qr_heap_lock(heap, QR_HEAP_LOCK_THREADS);
	thread_park_locked(heap, thread);
	qr_heap_unlock(heap, QR_HEAP_LOCK_THREADS);
}

void
qr_heap_drain_all(struct qr_heap *heap, bool flush)
{
	qr_heap_lock(heap, QR_HEAP_LOCK_THREADS);
	uint32_t threads = heap->threads;
	qr_heap_unlock(heap, QR_HEAP_LOCK_THREADS);
	for (uint32_t i = 0; i < threads; i++) {
		struct qr_heap_thread *thread =
		    qr_heap_thread_of(heap, i + QR_HEAP_ID_FIRST);
		qr_heap_drain(thread);
		/* Relaxed: see flush_if_wanted. */
		if (flush && thread != qr_heap_self &&
		    atomic_load(&thread->state) == QR_HEAP_THREAD_ACTIVE)
			atomic_store_explicit(&thread->flush_wanted, true,
			    memory_order_relaxed);
	}
}

void
qr_heap_thread_bury(struct qr_heap_thread *thread)
{
	thread_clear(thread);
	thread->lock = (struct qr_heap_lock){ 0 };
	atomic_store(&thread->queue, NULL);
	atomic_store(&thread->state, QR_HEAP_THREAD_PARKED);
	thread_park_locked(thread->heap, thread);
}

/* The key's destructor. */
static void
thread_exit(void *argument)
{
	struct qr_heap_thread *thread = argument;
	thread_rounds++;
	if (qr_heap_self != thread)
		return;
	qr_heap_self = &qr_heap_thread_none;
	thread_park(thread);
}

/* --- the start --- */

static int
heap_start_locked(struct qr_heap *heap)
{
	if (heap->source == NULL)
		heap->source = qr_page_source_os();
	qr_heap_lock(heap, QR_HEAP_LOCK_RUNS);
	int err = heap->region[0] != NULL ? 0 : qr_heap_run_init(heap);
	qr_heap_unlock(heap, QR_HEAP_LOCK_RUNS);
	if (err != 0)
		return err;
	pthread_key_t key;
	heap->has_exit_key = pthread_key_create(&key, thread_exit) == 0;
	heap->exit_key = key;
	/* Release pairs with the acquire in qr_heap_start. */
	atomic_store_explicit(&heap->started, true, memory_order_release);
	return 0;
}

int
qr_heap_start(struct qr_heap *heap)
{
	/* Acquire pairs with the release in heap_start_locked. */
	if (atomic_load_explicit(&heap->started, memory_order_acquire))
		return 0;
	int err = 0;
	qr_heap_lock(heap, QR_HEAP_LOCK_THREADS);
	if (!atomic_load_explicit(&heap->started, memory_order_relaxed))
		err = heap_start_locked(heap);
	qr_heap_unlock(heap, QR_HEAP_LOCK_THREADS);
	return err;
}

struct qr_heap_thread *
qr_heap_thread_get(struct qr_heap *heap)
{
	if (qr_heap_self != &qr_heap_thread_none)
		return qr_heap_self;
	if (thread_rounds >= THREAD_ROUNDS || !heap->has_exit_key)
		return NULL;
	qr_heap_lock(heap, QR_HEAP_LOCK_THREADS);
	struct qr_heap_thread *thread = thread_unpark(heap);
	if (thread == NULL)
		thread = thread_create(heap);
	qr_heap_unlock(heap, QR_HEAP_LOCK_THREADS);
	if (thread == NULL)
		return NULL;
	qr_heap_thread_see_window(thread);
	qr_heap_self = thread;
	/* This may allocate, so the cache is in place before. Should it fail,
	 * the cache is lost with the thread, and no block of it. */
	(void)pthread_setspecific(heap->exit_key, thread);
	return thread;
}

/* Made when the first thread needs it: nearly no program has one. */
static struct qr_heap_thread *
shared_get(struct qr_heap *heap)
{
	qr_heap_lock(heap, QR_HEAP_LOCK_THREADS);
	if (heap->shared == NULL)
		heap->shared = thread_create(heap);
	struct qr_heap_thread *shared = heap->shared;
	qr_heap_unlock(heap, QR_HEAP_LOCK_THREADS);
	return shared;
}

void *
qr_heap_shared_alloc(struct qr_heap *heap, unsigned size_class)
{
	struct qr_heap_thread *shared = shared_get(heap);
	if (shared == NULL)
		return NULL;
	qr_heap_lock(heap, QR_HEAP_LOCK_SHARED);
	struct qr_heap_list *list = &shared->list[size_class];
	void *block = list->head;
	if (block != NULL) {
		list->head = *(void **)block;
	} else {
		block = qr_heap_refill(shared, size_class);
	}
	qr_heap_unlock(heap, QR_HEAP_LOCK_SHARED);
	return block;
}
