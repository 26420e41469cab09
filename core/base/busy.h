/* SPDX-License-Identifier: MIT */
/*
 * base/busy.h: a word that says "somebody is in here", for what can be gone
 * round: a CPU's own stock of something. It is only ever tried; who finds it
 * set takes the longer way. So it has no rank, nobody waits for a thread that
 * was stopped inside, and leaving is a plain store.
 *
 * Where a CPU's number is a hint, entering is an atomic exchange, which costs
 * as much as all the rest of such a way. Where it is a fact
 * (QR_PORT_CPU_OWNED) entering is plain too, for the CPU itself, and dear for
 * the others, who seldom come:
 *
 *	the CPU                        another one
 *	word = 1                       claim = 1
 *	claim is 0: inside             barrier on all CPUs
 *	word = 0                       word is 0: inside
 *	                               claim = 0
 *
 * The barrier falls before the CPU's word = 1, then it sees the claim; or
 * after, then the other one sees the word. Rejected: the same with a fence of
 * the CPU's own, which costs what the exchange does.
 */
#ifndef QR_BASE_BUSY_H
#define QR_BASE_BUSY_H

#include <stdatomic.h>

#include <qr/port.h>

#include "check.h"

struct qr_busy {
	_Atomic(uint32_t) word;  /* 1: somebody is inside; zeroed: nobody */
	_Atomic(uint32_t) claim; /* 1: not the CPU, but another one is */
	uint32_t is_owned;       /* (c) zeroed: entered by exchange */
};

static inline void
qr_busy_init(struct qr_busy *busy, const struct qr_port *port)
{
	busy->is_owned = (port->flags & QR_PORT_CPU_OWNED) != 0;
}

/* True: the caller, who is on the CPU, is inside until qr_busy_leave. */
static inline bool
qr_busy_try_enter(struct qr_busy *busy)
{
	if (!busy->is_owned)
		/* Acquire pairs with the release in qr_busy_leave. */
		return atomic_exchange_explicit(&busy->word, 1,
			   memory_order_acquire) == 0;
	/* Relaxed: only this CPU writes the word. */
	if (QR_UNLIKELY(
		atomic_load_explicit(&busy->word, memory_order_relaxed) != 0))
		return false;
	atomic_store_explicit(&busy->word, 1, memory_order_relaxed);
	/* The compiler's order is enough, the barrier in
	 * qr_busy_try_enter_other makes it the processor's. */
	atomic_signal_fence(memory_order_seq_cst);
	/* Acquire pairs with the release in qr_busy_leave_other. */
	if (QR_LIKELY(
		atomic_load_explicit(&busy->claim, memory_order_acquire) == 0))
		return true;
	atomic_store_explicit(&busy->word, 0, memory_order_release);
	return false;
}

static inline void
qr_busy_leave(struct qr_busy *busy)
{
	/* Release pairs with the acquire in both ways of entering. */
	atomic_store_explicit(&busy->word, 0, memory_order_release);
}

/* Enters what may be another CPU's, if that is possible soon; until
 * qr_busy_leave_other. */
QR_MUST_CHECK bool qr_busy_try_enter_other(const struct qr_port *port,
    struct qr_busy *busy);
void qr_busy_leave_other(struct qr_busy *busy);

#endif
