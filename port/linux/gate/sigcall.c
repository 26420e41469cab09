/* SPDX-License-Identifier: MIT */
/*
 * gate/sigcall.c: the calls by which a program sees and changes its signals.
 *
 * Dispositions, mask and alternate stack are virtual, so these calls are
 * answered here without the kernel. Those that wait under a mask of their
 * own are made with a copy of it that does not block the held signals.
 */
#include "plan.h"
#include "signal_impl.h"

/* The flags that the kernel keeps; it clears all others. */
#define FLAGS_KNOWN                                                            \
	((uint64_t)(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK |    \
		    SA_RESTART | SA_NODEFER) |                                 \
	    (uint64_t)0x80000000 /* SA_RESETHAND */ | QR_SA_RESTORER |         \
	    (uint64_t)0x800 /* SA_EXPOSE_TAGBITS */)

#define STACK_SIZE_MIN   2048u /* the kernel's MINSIGSTKSZ, bytes */
#define STACK_AUTODISARM ((int)(1u << 31))

/* Every mask argument comes with its size. */
static bool
is_mask_size(long size_bytes)
{
	return size_bytes == (long)sizeof(uint64_t);
}

static enum gate_verdict
done(struct gate_context *context, long result)
{
	gate_result(context, result);
	return GATE_DONE;
}

/* --- dispositions --- */

static long
sigaction_call(struct qr_thread *thread, const struct gate_call *call)
{
	struct gate_action action;
	struct gate_action old;
	int signal = (int)call->args[0];
	uintptr_t new_at = (uintptr_t)call->args[1];
	uintptr_t old_at = (uintptr_t)call->args[2];

	if (!is_mask_size(call->args[3]))
		return -EINVAL;
	if (new_at != 0 && user_read(&action, new_at, sizeof(action)) != 0)
		return -EFAULT;
	if (signal < 1 || signal > GATE_SIGNALS)
		return -EINVAL;
	if (new_at != 0 && (GATE_BIT(signal) & GATE_UNBLOCKABLE) != 0)
		return -EINVAL;
	action_get(thread, signal, &old);
	if (new_at != 0) {
		action.flags &= FLAGS_KNOWN;
		action.mask &= ~GATE_UNBLOCKABLE;
		action_set(thread, signal, &action);
	}
	if (old_at != 0 && user_write(old_at, &old, sizeof(old)) != 0)
		return -EFAULT;
	return 0;
}

enum gate_verdict
plan_sigaction(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	return done(context, sigaction_call(thread, call));
}

/* --- the mask --- */

static long
sigprocmask_call(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	uint64_t old = mask_get(thread, context);
	uint64_t set = 0;
	uintptr_t set_at = (uintptr_t)call->args[1];
	uintptr_t old_at = (uintptr_t)call->args[2];

	if (!is_mask_size(call->args[3]))
		return -EINVAL;
	if (set_at != 0) {
		if (user_read(&set, set_at, sizeof(set)) != 0)
			return -EFAULT;
		if (call->args[0] == SIG_BLOCK)
			mask_set(thread, context, old | set);
		else if (call->args[0] == SIG_UNBLOCK)
			mask_set(thread, context, old & ~set);
		else if (call->args[0] == SIG_SETMASK)
			mask_set(thread, context, set);
		else
			return -EINVAL;
	}
	if (old_at != 0 && user_write(old_at, &old, sizeof(old)) != 0)
		return -EFAULT;
	return 0;
}

enum gate_verdict
plan_sigprocmask(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	return done(context, sigprocmask_call(thread, context, call));
}

enum gate_verdict
plan_sigpending(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	uint64_t pending = 0;
	size_t size = (size_t)call->args[1];
	if (size > sizeof(pending))
		return done(context, -EINVAL);
	qr_sys2(SYS_rt_sigpending, &pending, sizeof(pending));
	pending |= thread->gate->held_pending;
	pending &= mask_get(thread, context);
	return done(context,
	    user_write((uintptr_t)call->args[0], &pending, size));
}

/* --- calls with a mask of their own --- */

int
mask_record(struct qr_thread *thread, uintptr_t at)
{
	struct qr_gate_thread *gate_thread = thread->gate;
	uint64_t mask;
	if (user_read(&mask, at, sizeof(mask)) != 0)
		return -EFAULT;
	gate_thread->call_mask = mask & ~GATE_UNBLOCKABLE;
	gate_thread->kernel_mask = mask & ~GATE_HELD;
	return 0;
}

/* Makes the call with the recorded mask in the argument. */
static enum gate_verdict
mask_watch(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call, unsigned argument, const void *value)
{
	if (context == NULL)
		return GATE_WATCH;
	if (held_interrupt(thread, context, thread->gate->call_mask))
		return GATE_DONE;
	struct gate_call issue = *call;
	issue.args[argument] = QR_SYS_ARG(value);
	thread->gate->call_mask_set = true;
	watch(thread, &issue, finish_plainly);
	return GATE_WATCH;
}

enum gate_verdict
plan_sigsuspend(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	if (!is_mask_size(call->args[1]))
		return done(context, -EINVAL);
	if (mask_record(thread, (uintptr_t)call->args[0]) != 0)
		return done(context, -EFAULT);
	return mask_watch(thread, context, call, 0, &thread->gate->kernel_mask);
}

/* The mask is argument n, its size the next one. */
static enum gate_verdict
plan_masked(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call, unsigned n)
{
	if (call->args[n] == 0)
		return GATE_ISSUE;
	if (!is_mask_size(call->args[n + 1]))
		return done(context, -EINVAL);
	if (mask_record(thread, (uintptr_t)call->args[n]) != 0)
		return done(context, -EFAULT);
	return mask_watch(thread, context, call, n, &thread->gate->kernel_mask);
}

enum gate_verdict
plan_ppoll(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	pin_counted(thread, call->args[0], call->args[1], 8, QR_ACCESS_WRITE);
	pin(thread, (uintptr_t)call->args[2], 16, QR_ACCESS_WRITE);
	return plan_masked(thread, context, call, 3);
}

enum gate_verdict
plan_epoll_pwait(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	pin_counted(thread, call->args[1], call->args[2], 12, QR_ACCESS_WRITE);
	if (call->number != SYS_epoll_pwait)
		pin(thread, (uintptr_t)call->args[3], 16, QR_ACCESS_READ);
	return plan_masked(thread, context, call, 4);
}

enum gate_verdict
plan_pselect(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	pin_select(thread, call);
	return plan_mask_pair(thread, context, call);
}

enum gate_verdict
plan_mask_pair(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	struct qr_gate_thread *gate_thread = thread->gate;
	struct gate_mask_argument *argument = &gate_thread->mask_argument;
	if (call->args[5] == 0)
		return GATE_ISSUE;
	if (user_read(argument, (uintptr_t)call->args[5], sizeof(*argument)) !=
	    0)
		return done(context, -EFAULT);
	if (argument->mask == 0)
		return GATE_ISSUE;
	if (!is_mask_size((long)argument->size_bytes))
		return done(context, -EINVAL);
	if (mask_record(thread, argument->mask) != 0)
		return done(context, -EFAULT);
	argument->mask = (uintptr_t)&gate_thread->kernel_mask;
	return mask_watch(thread, context, call, 5, argument);
}

/* --- taking signals without a handler --- */

/* A held signal of the set that waits: its number; 0: there is none. */
static long
sigtimedwait_held(struct qr_thread *thread, const struct gate_call *call)
{
	uint64_t set;
	siginfo_t info;
	uintptr_t info_at = (uintptr_t)call->args[1];
	if (thread->gate->held_pending == 0)
		return 0;
	if (!is_mask_size(call->args[3]))
		return -EINVAL;
	if (user_read(&set, (uintptr_t)call->args[0], sizeof(set)) != 0)
		return -EFAULT;
	if (!held_take(thread->gate, set, &info))
		return 0;
	if (info_at != 0 && user_write(info_at, &info, sizeof(info)) != 0)
		return -EFAULT;
	return info.si_signo;
}

enum gate_verdict
plan_sigtimedwait(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	long result = sigtimedwait_held(thread, call);
	if (result != 0)
		return done(context, result);
	pin(thread, (uintptr_t)call->args[0], 8, QR_ACCESS_READ);
	pin(thread, (uintptr_t)call->args[1], sizeof(siginfo_t),
	    QR_ACCESS_WRITE);
	pin(thread, (uintptr_t)call->args[2], 16, QR_ACCESS_READ);
	return GATE_ISSUE;
}

enum gate_verdict
plan_sigreturn(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)call;
	return signal_return(thread, context);
}

/* --- the alternate stack --- */

int
stack_change(struct qr_thread *thread, const stack_t *stack, uintptr_t sp)
{
	stack_t *kept = &thread->gate->stack;
	int mode = stack->ss_flags & ~STACK_AUTODISARM;
	if (stack_is_used(kept, sp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		*kept = (stack_t){ .ss_flags = stack->ss_flags };
		return 0;
	}
	if (stack->ss_size < STACK_SIZE_MIN)
		return -ENOMEM;
	*kept = *stack;
	return 0;
}

static long
sigaltstack_call(struct qr_thread *thread, uintptr_t sp,
    const struct gate_call *call)
{
	uintptr_t new_at = (uintptr_t)call->args[0];
	uintptr_t old_at = (uintptr_t)call->args[1];
	stack_t stack;
	stack_t old = thread->gate->stack;

	old.ss_flags &= STACK_AUTODISARM;
	if (old.ss_size == 0)
		old.ss_flags |= SS_DISABLE;
	else if (stack_is_used(&thread->gate->stack, sp))
		old.ss_flags |= SS_ONSTACK;
	if (new_at != 0) {
		if (user_read(&stack, new_at, sizeof(stack)) != 0)
			return -EFAULT;
		int error = stack_change(thread, &stack, sp);
		if (error != 0)
			return error;
	}
	if (old_at != 0)
		return user_write(old_at, &old, sizeof(old));
	return 0;
}

enum gate_verdict
plan_sigaltstack(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	return done(context,
	    sigaltstack_call(thread, context->reg[GATE_RSP], call));
}
