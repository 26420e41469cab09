/* SPDX-License-Identifier: MIT */
/*
 * heap/lock_impl.h: the heap's mutex, which needs no port and no libc that
 * allocates, and the lock order of the heap.
 *
 * A holder can not be cancelled asynchronously until it releases, so that a
 * dead thread never holds a lock.
 */
#ifndef QR_HEAP_LOCK_IMPL_H
#define QR_HEAP_LOCK_IMPL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Lowest first: who holds one takes only later ones. fork takes all of them,
 * in this order.
 */
enum qr_heap_rank {
	QR_HEAP_LOCK_THREADS, /* ids, parked thread caches, the heap's start */
	QR_HEAP_LOCK_SHARED,  /* the thread cache of threads without one */
	QR_HEAP_LOCK_PURGE,   /* there is one purger at a time */
	/* Here are the locks of the threads, one at a time. */
	QR_HEAP_LOCK_DETACHED, /* spans without an owner */
	QR_HEAP_LOCK_RUNS,     /* page runs, span headers, the page map */
	QR_HEAP_LOCK_PROFILE,  /* the sample of blocks */
	QR_HEAP_LOCKS,
};

/* Operations of the futex call, on words of this process. By their numbers, as
 * not every libc lets the kernel's headers in. */
#define QR_HEAP_FUTEX_WAIT (0 | 128)
#define QR_HEAP_FUTEX_WAKE (1 | 128)

/* All zero: free. */
struct qr_heap_lock {
	_Atomic(uint32_t) word; /* 0, or the holder's number, and a bit */
	int cancel_type;        /* (l) the holder's, to be put back */
};

void qr_heap_lock_acquire(struct qr_heap_lock *lock);
bool qr_heap_lock_try_acquire(struct qr_heap_lock *lock);
void qr_heap_lock_release(struct qr_heap_lock *lock);

/* Whether this thread holds the lock. */
bool qr_heap_lock_is_mine(const struct qr_heap_lock *lock);

#endif
