/* SPDX-License-Identifier: MIT */
/*
 * base/trace.h: writing events; see <qr/trace.h>.
 */
#ifndef QR_BASE_TRACE_H
#define QR_BASE_TRACE_H

#include <stdatomic.h>

#include <qr/trace.h>

#include "check.h"

/* Who has the ring, if there is one. */
typedef _Atomic(struct qr_trace *) qr_trace_switch;

void qr_trace_put(struct qr_trace *trace, const struct qr_port *port,
    const struct qr_trace_event *event);

/* Off, it is a load and a branch. */
#define QR_TRACE(at, port, event, a_, b_, c_)                                  \
	do {                                                                   \
		/* Acquire pairs with the release of who made the ring. */     \
		struct qr_trace *to_ =                                         \
		    atomic_load_explicit(at, memory_order_acquire);            \
		if (QR_UNLIKELY(to_ != NULL))                                  \
			qr_trace_put(to_, port,                                \
			    &(struct qr_trace_event){ .type =                  \
							  QR_TRACE_##event,    \
				.a = (uint64_t)(a_),                           \
				.b = (uint64_t)(b_),                           \
				.c = (uint32_t)(c_) });                        \
	} while (0)

#endif
