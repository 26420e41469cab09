/* SPDX-License-Identifier: MIT */
/*
 * gate/gate.h: the one place that every system call and every signal of the
 * program passes. The essay is in gate.c; what the gate asks of the rest of
 * the port stands in ../pager.h.
 *
 * All are called on a Quire stack.
 */
#ifndef QR_GATE_H
#define QR_GATE_H

#include <qr/types.h>

struct qr_thread;

/* Bytes behind a thread's record that are the gate's. */
#define QR_GATE_THREAD_SIZE ((size_t)1536)

struct gate_config {
	/* The kernel's touches of missing memory are errors: pin what calls
	 * name. False where they fault like everybody's; then only forks,
	 * ends and what devices touch is pinned. */
	bool pins;
	/* Call pager_killed before a signal's default action ends the
	 * process; signals that nobody handles then get a handler. */
	bool watch_fatal;
	/* Write to libc's text, so that its most frequent calls don't trap;
	 * see patch.c. */
	bool patch;
	/* The program runs in the carrier: /proc/self/exe is not its own. */
	bool carried;
};

/* Once per process, before it has threads. Takes over the dispositions that
 * the process was started with. 0 or -errno. */
QR_MUST_CHECK int gate_init(const struct gate_config *config);

/* From here on the calling thread's system calls and signals pass the gate.
 * The record must be registered and claimed. 0; -errno: the kernel has no
 * Syscall User Dispatch. */
QR_MUST_CHECK int gate_arm(struct qr_thread *thread);

/* The start is over, and the thread on the program's stack: from here on a
 * signal that finds it on the Quire stack waits. */
void gate_armed(struct qr_thread *thread);

/* The calling thread's system calls go round the gate again. */
void gate_disarm(struct qr_thread *thread);

/* Whether the calling thread is the only one that can run lines of the
 * program in this memory until it returns to them. */
bool gate_is_alone(const struct qr_thread *thread);

/* Counters since the start, inexact while threads run. */
struct gate_stat {
	uint64_t calls;    /* trapped */
	uint64_t signals;  /* handed to handlers of the program */
	uint64_t unknown;  /* calls that the table does not know */
	uint64_t unpinned; /* calls made though a pin was refused */
};

void gate_stat(struct gate_stat *stat);

#endif
