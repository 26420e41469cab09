/* SPDX-License-Identifier: MIT */
/*
 * base/busy.h: a word that says "somebody is in here", for what can be gone
 * round: a CPU's own stock of something. It is only ever tried; who finds it
 * set takes the longer way. So it has no rank, nobody waits for a thread that
 * was stopped inside, and leaving is a plain store, which makes it half as
 * dear as a lock.
 */
#ifndef QR_BASE_BUSY_H
#define QR_BASE_BUSY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct qr_busy {
	_Atomic(uint32_t) word; /* 1: somebody is inside; zeroed: nobody */
};

/* True: the caller is inside until qr_busy_leave. */
static inline bool
qr_busy_try_enter(struct qr_busy *busy)
{
	/* Acquire pairs with the release in qr_busy_leave. */
	return atomic_exchange_explicit(&busy->word, 1, memory_order_acquire) ==
	       0;
}

static inline void
qr_busy_leave(struct qr_busy *busy)
{
	/* Release pairs with the acquire in qr_busy_try_enter. */
	atomic_store_explicit(&busy->word, 0, memory_order_release);
}

#endif
