/* SPDX-License-Identifier: MIT */
/*
 * generic/port_inline.h: the per-access primitives, all through the port's
 * table. A port that wants them inline has a header of this name in its own
 * folder and builds the core with that folder on the include path instead.
 */
#ifndef QR_PORT_INLINE_H
#define QR_PORT_INLINE_H

#include <qr/port.h>

/* 1: RAM has no gaps that are worth leaving undescribed, so that a frame's
 * descriptor is found by an addition. */
#define QR_PORT_FLAT_RAM 0

static inline unsigned
qr_port_cpu(const struct qr_port *port)
{
	return port->ops->cpu(port->ctx);
}

static inline uint32_t
qr_port_self(const struct qr_port *port)
{
	return port->ops->self(port->ctx);
}

/* Mask of the lock ranks that this thread holds, for debug builds; NULL: the
 * port does not keep one. */
static inline uint32_t *
qr_port_held_ranks(const struct qr_port *port)
{
	(void)port;
	return NULL;
}

#endif
