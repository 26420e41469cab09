/* SPDX-License-Identifier: MIT */
/*
 * gate/plan.h: pins, and the calls that have a plan of their own.
 */
#ifndef QR_GATE_PLAN_H
#define QR_GATE_PLAN_H

#include "gate_impl.h"

/* What the kernel allows, vectors. */
#define PLAN_VECTORS_MAX 1024u

/* Pins for the call being planned. A range that may not be touched is left
 * to the kernel to refuse. -ENOMEM: there are too many, or too much. */
int pin(struct qr_thread *thread, uintptr_t start, size_t size_bytes,
    unsigned access);

/* The same, also where config.pins is off: for what the kernel touches when
 * nobody can serve its faults, in a fork and at a thread's end. */
int pin_always(struct qr_thread *thread, uintptr_t start, size_t size_bytes,
    unsigned access);

/* Pins count units, as many as an argument of the call says. */
int pin_counted(struct qr_thread *thread, long at, long count,
    size_t unit_bytes, unsigned access);

/* A string of at most size_max bytes with its end. */
int pin_text(struct qr_thread *thread, uintptr_t text, size_t size_max);

/* The sets and the timeout of select and pselect6. */
void pin_select(struct qr_thread *thread, const struct gate_call *call);

/* What count vectors at `at` name, and they themselves; always: also where
 * config.pins is off. */
int pin_vectors(struct qr_thread *thread, uintptr_t at, size_t count,
    unsigned access);
int pin_vectors_always(struct qr_thread *thread, uintptr_t at, size_t count,
    unsigned access);

/* What a message names, but for itself. */
int pin_message(struct qr_thread *thread, const struct gate_message *message,
    unsigned access);

#define PLAN(name)                                                             \
	enum gate_verdict plan_##name(struct qr_thread *thread,                \
	    struct gate_context *context, const struct gate_call *call)

/* fd.c: the program has no such descriptor, whoever else has. */
enum gate_verdict bad_descriptor(struct gate_context *context);

/* image.c: whether a path is the kernel's name for this process's program;
 * and a call that follows such a path, made with the right one: false: it is
 * another call. */
bool image_is_named(const char *path);
bool image_takes(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call);

/* census.c: calls that tell how many threads there are, made without the
 * helper. fd: marked, since it was opened to such a file. */
bool census_marked(int fd);
/* It was opened to the process's own memory. */
bool census_is_memory(int fd);
void census_closing(int fd);
enum gate_verdict census_take(struct qr_thread *thread,
    struct gate_context *context, const struct gate_call *call);

/* nested.c: structures that point on, by kinds */
PLAN(bpf);
PLAN(getsockopt);
PLAN(ioctl);
PLAN(keyctl);
PLAN(process_madvise);
PLAN(ptrace);
PLAN(setsockopt);
PLAN(xattrat);

/* plan.c: what is nested */
PLAN(fcntl_pointer);
PLAN(futex);
PLAN(futex_requeue);
PLAN(futex_waitv);
PLAN(keep_robust);
PLAN(keep_rseq);
PLAN(keep_tid);
PLAN(mapping);
PLAN(messages);
PLAN(prctl);
PLAN(process_vm);
PLAN(queue);
PLAN(random);
PLAN(seccomp);
PLAN(select);
PLAN(semctl);
PLAN(timer_create);
PLAN(unshare);
PLAN(unsupported);
PLAN(vmsplice);

/* transfer.c */
PLAN(message);
PLAN(transfer);
PLAN(transfer_vectors);

/* census.c */
PLAN(look);
PLAN(open);
PLAN(stat);

/* async.c: a descriptor is about to be closed; a range of them. In a fork's
 * child nothing is outstanding. */
void async_closing(struct qr_thread *thread, int first, int last);
void async_forked(void);

/* uring.c, aio.c */
PLAN(aio_destroy);
PLAN(aio_events);
PLAN(aio_setup);
PLAN(aio_submit);
PLAN(uring_enter);
PLAN(uring_register);
PLAN(uring_setup);

/* sigcall.c */
/* Records the mask that lies at the address; 0 or -EFAULT. */
int mask_record(struct qr_thread *thread, uintptr_t at);
/* A mask and its size in a structure that is argument 5. */
PLAN(mask_pair);
PLAN(epoll_pwait);
PLAN(ppoll);
PLAN(pselect);
PLAN(sigaction);
PLAN(sigaltstack);
PLAN(sigpending);
PLAN(sigprocmask);
PLAN(sigreturn);
PLAN(sigsuspend);
PLAN(sigtimedwait);

/* process.c */
PLAN(clone);
PLAN(clone3);
PLAN(exit);
PLAN(exit_group);
PLAN(fork);
PLAN(vfork);

/* exec.c */
PLAN(execve);
PLAN(execveat);

/* fd.c */
PLAN(close);
PLAN(close_range);
PLAN(dup);
PLAN(dup2);
PLAN(fcntl);

#undef PLAN

#endif
