/* SPDX-License-Identifier: MIT */
/*
 * port/sim/inline/port_inline.h: the per-access primitives of the simulated
 * machine, which live in one thread-local struct of the sim's own code.
 */
#ifndef QR_PORT_INLINE_H
#define QR_PORT_INLINE_H

#include <qr/port.h>

/* (o) all of it. */
struct sim_thread {
	uint32_t id;         /* 0: not given yet */
	uint32_t cpu;        /* modulo the machine's number of CPUs */
	uint32_t held_ranks; /* mask of enum qr_rank */
};

/* Found by an addition: the sim is part of the program, not loaded later. */
extern _Thread_local struct sim_thread sim_thread
    __attribute__((tls_model("initial-exec")));

/* Gives this thread its id and returns it. */
uint32_t sim_thread_enlist(void);

/* 1: RAM has no gaps that are worth leaving undescribed, so that a frame's
 * descriptor is found by an addition. */
#define QR_PORT_FLAT_RAM 0

static inline unsigned
qr_port_cpu(const struct qr_port *port)
{
	/* Without a division, whose registers the callers need. */
	uint32_t cpu = sim_thread.cpu;
	while (__builtin_expect(cpu >= port->cpu_count, 0))
		cpu -= port->cpu_count;
	return cpu;
}

static inline uint32_t
qr_port_self(const struct qr_port *port)
{
	(void)port;
	return sim_thread.id != 0 ? sim_thread.id : sim_thread_enlist();
}

static inline uint32_t *
qr_port_held_ranks(const struct qr_port *port)
{
	(void)port;
	return &sim_thread.held_ranks;
}

#endif
