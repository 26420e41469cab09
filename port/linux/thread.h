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

#include "sys_config.h"

#define QR_THREAD_SIZE ((size_t)QR_THREAD_SIZE_BYTES) /* with the record */
#define QR_THREAD_PINS 16u   /* ranges pinned at once without overflow */
#define QR_THREAD_MORE 2048u /* and with it */

/* What the kernel writes to at times of its own choosing. */
enum qr_thread_keep {
	QR_KEEP_TID,    /* cleared at the thread's end */
	QR_KEEP_ROBUST, /* the head of its robust list */
	QR_KEEP_RSEQ,
	QR_KEEP_TLS, /* its beginning, which compiled code takes for granted */
	QR_KEEPS,
};

/* Bytes at FS that compiled code takes for granted: the canary of stack
 * protection. They must not fault while Quire runs, in any thread. */
#define QR_THREAD_TCB_BYTES ((size_t)64)

struct qr_gate_thread; /* the gate's part: gate/gate.h */

struct qr_thread {
	/* Identity. */
	uint32_t self;       /* names it to the core's locks: its tid at birth,
				never 0 (c) */
	uint32_t cpu_hint;   /* spreads threads over per-CPU structures (c) */
	uint32_t held_ranks; /* (o) core locks held, debug builds */
	_Atomic(uint32_t) inside; /* (o) 1: is inside the core; read by who
				     forks */
	uint32_t repeats;         /* (o) touches of one address in a row that
				     needed nothing */
	uint32_t patch;           /* (o) gate/patch.c: QR_PATCH_... */
	uintptr_t last_touch;     /* (o) that address */
	uintptr_t leaving;        /* (o) gate/leave.c: the context that is
				     entered */
	struct qr_thread *next;   /* (registry lock) all records */

	/* The pager's: what this thread's current system call has pinned. */
	uint32_t pin_count;                 /* (o) of pins[] and more_pins[] */
	uint32_t more_count;                /* (o) registered of more_pins[] */
	struct qr_pin pins[QR_THREAD_PINS]; /* (o) */
	struct qr_pin *more_pins;           /* (o) NULL: none are needed */
	size_t pinned;                      /* (o) bytes, by all of them */
	struct qr_pin kept[QR_KEEPS];       /* (o) until the record goes */

	/* mmu.c's copy of a page that is to be stored. */
	unsigned char peek[QR_PAGE_SIZE]; /* (o) */

	/* What FS points to in threads of Quire's own, and in a carried
	 * program's that are inside: the codecs come with stack protection,
	 * which reads a word there. (c) */
	uintptr_t tcb[QR_THREAD_TCB_BYTES / sizeof(uintptr_t)];
	uintptr_t program_fs; /* (o) of a carried program's inside */

	/* The gate's, in the same pages. */
	struct qr_gate_thread *gate; /* (c) */
	bool is_own;     /* (c) Quire's own, with all signals blocked */
	bool had_helper; /* (o) see pager_alone_begin */
	bool guest;      /* (c) a vfork child: another process, in this memory
		       until it execs or ends */
};

/* The record of the running thread; only on a Quire stack. */
static inline struct qr_thread *
qr_thread_self(void)
{
	uintptr_t sp = (uintptr_t)__builtin_frame_address(0);
	return (struct qr_thread *)(sp & ~(uintptr_t)(QR_THREAD_SIZE - 1));
}

/* A record with its stack; not yet anybody's. NULL: no memory. */
QR_MUST_CHECK struct qr_thread *qr_thread_alloc(void);

/* Nobody may be on the stack any more. */
void qr_thread_free(struct qr_thread *thread);

/* Enters the record in the register of threads. */
void qr_thread_begin(struct qr_thread *thread);

/* The record is the calling thread's from now on. */
void qr_thread_claim(struct qr_thread *thread);

/* Takes the record out of the register. */
void qr_thread_end(struct qr_thread *thread);

/* Takes all records that are wanted out of the register; the chain of them,
 * by next, is the caller's. wanted() is called with the register locked. */
struct qr_thread *qr_thread_take(
    bool (*wanted)(const struct qr_thread *thread));

/* The part of the stack that the kernel and calls may use: [start, end). */
uintptr_t qr_thread_stack_start(const struct qr_thread *thread);
uintptr_t qr_thread_stack_end(const struct qr_thread *thread);

/* Whether some of [start, end) is a record or its stack. */
bool qr_thread_owns(uintptr_t start, uintptr_t end);

/* Calls visit for each registered record, with the register locked. */
void qr_thread_for_each(void (*visit)(void *arg, struct qr_thread *thread),
    void *arg);

/* Around a fork, so that the child finds the register whole. */
void qr_thread_fork_prepare(void);
void qr_thread_fork_parent(void);
void qr_thread_fork_child(struct qr_thread *thread);

/* Calls call(arg) on the thread's stack from another one. Signals that the
 * program has handlers for must be blocked. */
void qr_thread_call_on_stack(struct qr_thread *thread, void (*call)(void *arg),
    void *arg);

#endif
