/* SPDX-License-Identifier: MIT */
/*
 * base/busy.c: entering what is another CPU's; see busy.h.
 */
#include "busy.h"

#include "pause.h"

/* Looks at the word of a CPU that is inside, before it is passed over: as long
 * as a stay there takes, several times. */
#define BUSY_SPINS 1000u

static bool
try_exchange(struct qr_busy *busy)
{
	for (unsigned turn = 0; turn < BUSY_SPINS; turn++) {
		if (qr_busy_try_enter(busy))
			return true;
		qr_pause();
	}
	return false;
}

bool
qr_busy_try_enter_other(const struct qr_port *port, struct qr_busy *busy)
{
	if (!busy->is_owned)
		return try_exchange(busy);
	/* Acquire pairs with the release in qr_busy_leave_other. */
	if (atomic_exchange_explicit(&busy->claim, 1, memory_order_acquire) !=
	    0)
		return false;
	port->ops->barrier(port->ctx);
	for (unsigned turn = 0; turn < BUSY_SPINS; turn++) {
		/* Acquire pairs with the release in qr_busy_leave. */
		if (atomic_load_explicit(&busy->word, memory_order_acquire) ==
		    0)
			return true;
		qr_pause();
	}
	qr_busy_leave_other(busy);
	return false;
}

void
qr_busy_leave_other(struct qr_busy *busy)
{
	/* Release pairs with the acquire in both ways of entering. */
	if (busy->is_owned)
		atomic_store_explicit(&busy->claim, 0, memory_order_release);
	else
		qr_busy_leave(busy);
}
