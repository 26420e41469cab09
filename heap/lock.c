/* SPDX-License-Identifier: MIT */
/*
 * heap/lock.c: a mutex of one word that is 0 or its holder, and a bit that
 * says that somebody sleeps on it.
 *
 * base/lock.h's locks wait through a port, which the heap has none of. A
 * thread's name here is a number that it keeps in a forked child, where its
 * thread id is another: so fork from a signal handler that interrupted a
 * holder sees on both sides that the lock is its own thread's. That is told
 * by the same store that takes the lock, so there is no moment between.
 */
#define _GNU_SOURCE
#include "lock_impl.h"

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calls_impl.h"

#define LOCK_FREE   0u
#define LOCK_WAITED ((uint32_t)1 << 31)

/* Turns of a spin before sleeping: about as long as a short hold takes. */
#define LOCK_SPINS 100u

/* Number of this thread, 0 before its first lock. */
static _Thread_local uint32_t lock_self
    __attribute__((tls_model("initial-exec")));

static _Atomic(uint32_t) lock_numbers;

static uint32_t
lock_number(void)
{
	if (QR_UNLIKELY(lock_self == 0)) {
		/* Relaxed: numbers need only differ. */
		uint32_t number = atomic_fetch_add_explicit(&lock_numbers, 1,
		    memory_order_relaxed);
		lock_self = number % (LOCK_WAITED - 1) + 1;
	}
	return lock_self;
}

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
	syscall(SYS_futex, &lock->word, op, value, NULL);
	errno = saved;
}

static bool
lock_try(struct qr_heap_lock *lock, uint32_t taken)
{
	uint32_t expect = LOCK_FREE;
	/* Acquire pairs with the release in qr_heap_lock_release. */
	return atomic_compare_exchange_strong_explicit(&lock->word, &expect,
	    taken, memory_order_acquire, memory_order_relaxed);
}

static QR_NOINLINE void
lock_wait(struct qr_heap_lock *lock, uint32_t self)
{
	for (unsigned turn = 0; turn < LOCK_SPINS; turn++) {
		if (lock_try(lock, self))
			return;
		lock_pause();
	}
	/* Who has slept takes the lock as waited for: others may sleep. */
	while (!lock_try(lock, self | LOCK_WAITED)) {
		uint32_t seen =
		    atomic_load_explicit(&lock->word, memory_order_relaxed);
		if (seen == LOCK_FREE)
			continue;
		/* Relaxed: the kernel looks at the word again. */
		if ((seen & LOCK_WAITED) == 0 &&
		    !atomic_compare_exchange_strong_explicit(&lock->word, &seen,
			seen | LOCK_WAITED, memory_order_relaxed,
			memory_order_relaxed))
			continue;
		lock_futex(lock, QR_HEAP_FUTEX_WAIT, seen | LOCK_WAITED);
	}
}

void
qr_heap_lock_acquire(struct qr_heap_lock *lock)
{
	int cancel_type = qr_heap_cancel_defer();
	uint32_t self = lock_number();
	if (QR_UNLIKELY(!lock_try(lock, self)))
		lock_wait(lock, self);
	lock->cancel_type = cancel_type;
}

bool
qr_heap_lock_try_acquire(struct qr_heap_lock *lock)
{
	int cancel_type = qr_heap_cancel_defer();
	if (!lock_try(lock, lock_number())) {
		qr_heap_cancel_restore(cancel_type);
		return false;
	}
	lock->cancel_type = cancel_type;
	return true;
}

void
qr_heap_lock_release(struct qr_heap_lock *lock)
{
	int cancel_type = lock->cancel_type;
	/* Release pairs with the acquire in lock_try. */
	uint32_t was = atomic_exchange_explicit(&lock->word, LOCK_FREE,
	    memory_order_release);
	QR_ASSERT(was != LOCK_FREE, "a free lock of the heap was released");
	if (QR_UNLIKELY((was & LOCK_WAITED) != 0))
		lock_futex(lock, QR_HEAP_FUTEX_WAKE, 1);
	qr_heap_cancel_restore(cancel_type);
}

bool
qr_heap_lock_is_mine(const struct qr_heap_lock *lock)
{
	/* Relaxed: another thread's number never equals our own. */
	uint32_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);
	return (word & ~LOCK_WAITED) == lock_number();
}
