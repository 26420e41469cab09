/* SPDX-License-Identifier: MIT */
/*
 * thread.h: the record of one thread of the program.
 *
 * It lies at the base of the thread's alternate signal stack, which is
 * QR_THREAD_SIZE bytes and aligned to that size, so that code that runs on
 * the stack finds it from the stack pointer alone: FS, GS and all TLS belong
 * to the program. All of Quire that serves the program runs on such a stack:
 * handlers by the kernel's doing, start-up and the helper by switching.
 */
#ifndef QR_LINUX_THREAD_H
#define QR_LINUX_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include <qr/machine.h>

#define QR_THREAD_SIZE ((size_t)64 << 10) /* bytes, with the record */
#define QR_THREAD_PINS 16u /* ranges pinned at once without overflow */

struct qr_gate_thread; /* the gate's part: gate/gate.h */

struct qr_thread {
	/* Identity. */
	uint32_t self;       /* names it to the core's locks: its tid at birth,
				never 0 (c) */
	uint32_t cpu_hint;   /* spreads threads over per-CPU structures (c) */
	uint32_t held_ranks; /* (o) core locks held, debug builds */
	uint32_t depth;      /* (o) entries into the core now open: 0 or 1 */
	struct qr_thread *next; /* (registry lock) all records */
	struct qr_thread *prev;

	/* The pager's: what this thread's current system call has pinned. */
	uint32_t pin_count;                 /* (o) of pins[] */
	struct qr_pin pins[QR_THREAD_PINS]; /* (o) */

	/* The gate's. */
	struct qr_gate_thread *gate; /* (o) */
};

/* The record of the running thread; only on a Quire stack. */
static inline struct qr_thread *
qr_thread_self(void)
{
	uintptr_t sp = (uintptr_t)__builtin_frame_address(0);
	return (struct qr_thread *)(sp & ~(uintptr_t)(QR_THREAD_SIZE - 1));
}

#endif
