/* SPDX-License-Identifier: MIT */
/*
 * heap/fork.c: fork in the middle of anything.
 *
 * The forking thread takes every lock of the heap before the fork and drops
 * them after it, on both sides. So in the child what the locks protect is
 * whole. What other threads had for themselves is not: they may have been
 * stopped between any two stores, and their pages were copied at different
 * moments. From these the child takes over what can be verified: each span,
 * whose blocks count as free where the free map says so. Blocks on a dead
 * thread's lists, in its parcels and in its queue stay used for good: at
 * most some hundred KiB a thread beside the queue.
 *
 * A signal handler may fork while its own thread is inside malloc: then that
 * thread has some of the locks already, in both processes, and goes on with
 * them. The rest is left as it is in that case.
 */
#include <pthread.h>

#include "pagemap_impl.h"

/* The heap's locks, and those of the two caches that the child goes on with:
 * nobody may be at work in these. In the order of the ranks. */
#define FORK_LOCKS (QR_HEAP_LOCKS + 2)

/* Which of them the fork in progress took; of who has them. */
static struct {
	struct qr_heap_lock *lock;
	bool took;
} fork_lock[FORK_LOCKS];

static void
fork_take(unsigned *index, struct qr_heap_lock *lock)
{
	bool mine = qr_heap_lock_is_mine(lock);
	if (!mine)
		qr_heap_lock_acquire(lock);
	fork_lock[*index].lock = lock;
	fork_lock[*index].took = !mine;
	++*index;
}

static bool fork_had_helper;

/* Whether this thread holds any lock of the heap. */
static bool
fork_is_inside(const struct qr_heap *heap)
{
	for (unsigned rank = 0; rank < QR_HEAP_LOCKS; rank++) {
		if (qr_heap_lock_is_mine(&heap->lock[rank]))
			return true;
	}
	return qr_heap_self != &qr_heap_thread_none &&
	       qr_heap_lock_is_mine(&qr_heap_self->lock);
}

static void
fork_prepare(void)
{
	struct qr_heap *heap = &qr_heap_process;
	unsigned index = 0;
	/* A thread that is inside already must not wait for the helper, which
	 * may wait for it. */
	fork_had_helper = !fork_is_inside(heap) && qr_heap_idle_end();
	for (unsigned rank = 0; rank < QR_HEAP_LOCK_DETACHED; rank++)
		fork_take(&index, &heap->lock[rank]);
	if (heap->shared != NULL)
		fork_take(&index, &heap->shared->lock);
	if (qr_heap_self != &qr_heap_thread_none)
		fork_take(&index, &qr_heap_self->lock);
	for (unsigned rank = QR_HEAP_LOCK_DETACHED; rank < QR_HEAP_LOCKS;
	     rank++)
		fork_take(&index, &heap->lock[rank]);
	for (; index < FORK_LOCKS; index++)
		fork_lock[index].lock = NULL;
}

static bool
fork_was_inside(void)
{
	bool inside = false;
	for (unsigned i = 0; i < FORK_LOCKS; i++)
		inside =
		    inside || (fork_lock[i].lock != NULL && !fork_lock[i].took);
	return inside;
}

static void
fork_release(void)
{
	for (unsigned i = FORK_LOCKS; i-- > 0;) {
		if (fork_lock[i].lock != NULL && fork_lock[i].took)
			qr_heap_lock_release(fork_lock[i].lock);
	}
}

static void
fork_parent(void)
{
	/* Relaxed: a wish. */
	if (fork_had_helper)
		atomic_fetch_or_explicit(&qr_heap_process.attention,
		    QR_HEAP_ATTEND_IDLE, memory_order_relaxed);
	fork_release();
}

/* Parks the caches of all threads but this one. True: there were some. */
static bool
fork_park_others(struct qr_heap *heap)
{
	bool any = false;
	for (uint32_t i = 0; i < heap->threads; i++) {
		struct qr_heap_thread *thread =
		    qr_heap_thread_of(heap, i + QR_HEAP_ID_FIRST);
		if (thread == qr_heap_self || thread == heap->shared)
			continue;
		/* Its holder may be gone. */
		thread->lock = (struct qr_heap_lock){ 0 };
		if (atomic_load(&thread->state) == QR_HEAP_THREAD_PARKED)
			continue;
		qr_heap_thread_bury(thread);
		any = true;
	}
	return any;
}

static void
fork_child(void)
{
	struct qr_heap *heap = &qr_heap_process;
	if (!fork_was_inside() && fork_park_others(heap))
		qr_heap_recover(heap);
	qr_heap_idle_forget();
	fork_release();
}

void
qr_heap_fork_init(void)
{
	/* Fails only for memory: then forks go unprotected, as without it. */
	(void)pthread_atfork(fork_prepare, fork_parent, fork_child);
}
