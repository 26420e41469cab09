/* SPDX-License-Identifier: MIT */
/*
 * gate/signal_impl.h: between the files that keep the virtual signals:
 * action.c dispositions, signal.c delivery, sigcall.c the calls.
 */
#ifndef QR_GATE_SIGNAL_IMPL_H
#define QR_GATE_SIGNAL_IMPL_H

#include "gate_impl.h"

#define GATE_DEFAULT ((uintptr_t)0)
#define GATE_IGNORE  ((uintptr_t)1)

#define QR_SA_RESTORER ((uint64_t)0x04000000)

/* action.c: dispositions, the program's and the kernel's. */
/* What a signal that has arrived is to do; consumes SA_RESETHAND. */
void action_take(struct qr_thread *thread, int signal,
    struct gate_action *action);
/* The kernel's default from now on, for the process. */
void action_reset(int signal);
/* A fault finds the signal blocked or ignored. */
bool action_is_unfit(struct qr_thread *thread, int signal, uint64_t mask);
/* What the program sets and sees. */
void action_get(struct qr_thread *thread, int signal,
    struct gate_action *action);
void action_set(struct qr_thread *thread, int signal,
    const struct gate_action *action);

/* signal.c */
bool signal_is_fatal(int signal);
uint64_t mask_get(const struct qr_thread *thread,
    const struct gate_context *context);
void mask_set(struct qr_thread *thread, struct gate_context *context,
    uint64_t mask);
bool stack_is_used(const stack_t *stack, uintptr_t sp);
bool held_take(struct qr_gate_thread *gate_thread, uint64_t mask,
    siginfo_t *info);
/* A held signal waits that mask does not block: the call that would set the
 * mask is interrupted by it at once. */
bool held_interrupt(struct qr_thread *thread, struct gate_context *context,
    uint64_t mask);

/* sigcall.c */
int stack_change(struct qr_thread *thread, const stack_t *stack, uintptr_t sp);

#endif
