/* SPDX-License-Identifier: MIT */
/*
 * futex_lock.h: a lock for what must work without the core: the register of
 * threads and the gate's tables. Taken on a Quire stack with signals blocked;
 * nothing that can fault on the program's memory runs under it.
 */
#ifndef QR_LINUX_FUTEX_LOCK_H
#define QR_LINUX_FUTEX_LOCK_H

#include <stdatomic.h>
#include <stdint.h>

#include "sys.h"

struct futex_lock {
	_Atomic(uint32_t) word; /* 0 free, 1 held, 2 held and waited for */
};

static inline void
futex_lock_acquire(struct futex_lock *lock)
{
	uint32_t word = 0;
	/* Acquire pairs with the release in futex_lock_release. */
	if (atomic_compare_exchange_strong_explicit(&lock->word, &word, 1,
		memory_order_acquire, memory_order_relaxed))
		return;
	while (
	    atomic_exchange_explicit(&lock->word, 2, memory_order_acquire) != 0)
		qr_sys4(SYS_futex, &lock->word, 128L /* WAIT_PRIVATE */, 2L,
		    0L);
}

static inline void
futex_lock_release(struct futex_lock *lock)
{
	uint32_t before =
	    atomic_exchange_explicit(&lock->word, 0, memory_order_release);
	if (before == 2)
		qr_sys3(SYS_futex, &lock->word, 129L /* WAKE_PRIVATE */, 1L);
}

#endif
