/* SPDX-License-Identifier: MIT */
/*
 * inline/port_inline.h: the per-access primitives of a Linux process. The
 * core runs on Quire's own stacks only, at whose base the thread's record
 * lies, so who runs is known from the stack pointer.
 */
#ifndef QR_PORT_INLINE_H
#define QR_PORT_INLINE_H

#include <qr/port.h>

#include <port/linux/thread.h>

/* 1: RAM has no gaps that are worth leaving undescribed, so that a frame's
 * descriptor is found by an addition. */
#define QR_PORT_FLAT_RAM 1

static inline unsigned
qr_port_cpu(const struct qr_port *port)
{
	return qr_thread_self()->cpu_hint % port->cpu_count;
}

static inline uint32_t
qr_port_self(const struct qr_port *port)
{
	(void)port;
	return qr_thread_self()->self;
}

static inline uint32_t *
qr_port_held_ranks(const struct qr_port *port)
{
	(void)port;
	return &qr_thread_self()->held_ranks;
}

#endif
