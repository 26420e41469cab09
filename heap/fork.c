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

/* The locks that the fork in progress took; set and used by who has them. */
static bool fork_took[QR_HEAP_LOCKS];

static void
fork_prepare(void)
{
	for (unsigned rank = 0; rank < QR_HEAP_LOCKS; rank++) {
		struct qr_heap_lock *lock = &qr_heap_process.lock[rank];
		bool mine = qr_heap_lock_is_mine(lock);
		if (!mine)
			qr_heap_lock_acquire(lock);
		fork_took[rank] = !mine;
	}
}

static void
fork_parent(void)
{
	for (unsigned rank = QR_HEAP_LOCKS; rank-- > 0;) {
		if (fork_took[rank])
			qr_heap_lock_release(&qr_heap_process.lock[rank]);
	}
}

/* Parks the caches of all threads but this one. True: there were some. */
static bool
fork_park_others(struct qr_heap *heap)
{
	bool any = false;
	for (uint32_t i = 0; i < heap->threads; i++) {
		struct qr_heap_thread *thread =
		    qr_heap_thread_of(heap, i + QR_HEAP_ID_FIRST);
		if (thread == qr_heap_self || thread == heap->shared ||
		    atomic_load(&thread->state) == QR_HEAP_THREAD_PARKED)
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
	bool inside = false;
	for (unsigned rank = 0; rank < QR_HEAP_LOCKS; rank++)
		inside = inside || !fork_took[rank];
	if (!inside && fork_park_others(heap))
		qr_heap_recover(heap);
	fork_parent();
}

void
qr_heap_fork_init(void)
{
	/* Fails only for memory: then forks go unprotected, as without it. */
	(void)pthread_atfork(fork_prepare, fork_parent, fork_child);
}
