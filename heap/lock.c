/* SPDX-License-Identifier: MIT */
/*
 * heap/lock.c: a futex mutex of three states.
 *
 * base/lock.h's locks wait through a port, which the heap has none of; and
 * this one knows its owner by an address of the owner's TLS, which stays the
 * same in a forked child. So fork from a signal handler that interrupted a
 * holder sees that the lock is its own thread's, see fork.c.
 */
#define _GNU_SOURCE
#include "lock_impl.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "heap_impl.h"

#define LOCK_FREE   0u
#define LOCK_HELD   1u
#define LOCK_WAITED 2u

/* Turns of a spin before sleeping: about as long as a short hold takes. */
#define LOCK_SPINS 100u

static void
lock_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Calls the kernel without changing errno. */
static void
lock_futex(struct qr_heap_lock *lock, int op, uint32_t value)
{
	int saved = errno;
	syscall(SYS_futex, &lock->word, op | FUTEX_PRIVATE_FLAG, value, NULL);
	errno = saved;
}

static bool
lock_try(struct qr_heap_lock *lock)
{
	uint32_t expect = LOCK_FREE;
	/* Acquire pairs with the release in qr_heap_lock_release. */
	return atomic_compare_exchange_strong_explicit(&lock->word, &expect,
	    LOCK_HELD, memory_order_acquire, memory_order_relaxed);
}

static QR_NOINLINE void
lock_wait(struct qr_heap_lock *lock)
{
	for (unsigned turn = 0; turn < LOCK_SPINS; turn++) {
		if (lock_try(lock))
			return;
		lock_pause();
	}
	/* Who has slept takes the lock as waited for, since others may sleep
	 * still. Acquire pairs with the release in qr_heap_lock_release. */
	while (atomic_exchange_explicit(&lock->word, LOCK_WAITED,
		   memory_order_acquire) != LOCK_FREE)
		lock_futex(lock, FUTEX_WAIT, LOCK_WAITED);
}

static void
lock_taken(struct qr_heap_lock *lock, int cancel_state)
{
	lock->cancel_state = cancel_state;
	atomic_store_explicit(&lock->owner, (const void *)&qr_heap_self,
	    memory_order_relaxed);
}

void
qr_heap_lock_acquire(struct qr_heap_lock *lock)
{
	int cancel_state = qr_heap_cancel_off();
	if (QR_UNLIKELY(!lock_try(lock)))
		lock_wait(lock);
	lock_taken(lock, cancel_state);
}

bool
qr_heap_lock_try_acquire(struct qr_heap_lock *lock)
{
	int cancel_state = qr_heap_cancel_off();
	if (!lock_try(lock)) {
		qr_heap_cancel_restore(cancel_state);
		return false;
	}
	lock_taken(lock, cancel_state);
	return true;
}

void
qr_heap_lock_release(struct qr_heap_lock *lock)
{
	int cancel_state = lock->cancel_state;
	/* Relaxed: only the holder compares it with itself. */
	atomic_store_explicit(&lock->owner, NULL, memory_order_relaxed);
	/* Release pairs with the acquires in lock_try and lock_wait. */
	uint32_t was = atomic_exchange_explicit(&lock->word, LOCK_FREE,
	    memory_order_release);
	QR_ASSERT(was != LOCK_FREE, "a free lock of the heap was released");
	if (QR_UNLIKELY(was == LOCK_WAITED))
		lock_futex(lock, FUTEX_WAKE, 1);
	qr_heap_cancel_restore(cancel_state);
}

bool
qr_heap_lock_is_mine(const struct qr_heap_lock *lock)
{
	/* Relaxed: another thread's value never equals our own address. */
	return atomic_load_explicit(&lock->owner, memory_order_relaxed) ==
	       (const void *)&qr_heap_self;
}
