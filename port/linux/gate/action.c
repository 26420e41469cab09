/* SPDX-License-Identifier: MIT */
/*
 * gate/action.c: what each signal does.
 *
 * The program's dispositions are a table per sighand, the kernel's word for
 * the dispositions that threads share and a vfork child has a copy of. The
 * kernel's own follow it: what the program ignores or leaves to the default
 * is so for the kernel too, and costs nothing; what it handles goes to
 * signal_arrive. The held signals always do.
 */
#include <sys/mman.h>

#include "signal_impl.h"

/* Flags that the kernel has to know of. SA_RESETHAND is kept here. */
#define FLAGS_PASSED ((uint64_t)(SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT))

static int
kernel_set(int signal, const struct gate_action *action)
{
	return (int)qr_sys4(SYS_rt_sigaction, (long)signal, action, NULL,
	    sizeof(uint64_t));
}

static bool
is_held(int signal)
{
	return (GATE_BIT(signal) & GATE_HELD) != 0;
}

static bool
is_handled(uintptr_t handler)
{
	return handler != GATE_DEFAULT && handler != GATE_IGNORE;
}

/* The kernel's side of a disposition. */
static void
kernel_follow(int signal, const struct gate_action *action)
{
	struct gate_action kernel = { .handler = action->handler,
		.flags = action->flags & FLAGS_PASSED,
		.restorer = (uintptr_t)qr_sys_restorer,
		.mask = ~GATE_HELD };
	bool watched = gate.config.watch_fatal &&
		       action->handler == GATE_DEFAULT &&
		       signal_is_fatal(signal);

	/* A call that such a signal meets must not end early for it. */
	if (!is_handled(action->handler))
		kernel.flags |= SA_RESTART;
	if (is_held(signal) || watched || is_handled(action->handler)) {
		kernel.handler = (uintptr_t)signal_arrive;
		kernel.flags |= SA_SIGINFO | SA_ONSTACK;
	}
	if (is_held(signal))
		kernel.flags |= SA_NODEFER;
	/* Faults are left without a call that could put a mask back. */
	if (signal == SIGBUS)
		kernel.mask = 0;
	kernel.flags |= QR_SA_RESTORER;
	kernel_set(signal, &kernel);
}

void
action_get(struct qr_thread *thread, int signal, struct gate_action *action)
{
	struct gate_sighand *sighand = thread->gate->sighand;
	futex_lock_acquire(&sighand->lock);
	*action = sighand->action[signal - 1];
	futex_lock_release(&sighand->lock);
}

void
action_set(struct qr_thread *thread, int signal,
    const struct gate_action *action)
{
	struct gate_sighand *sighand = thread->gate->sighand;
	futex_lock_acquire(&sighand->lock);
	sighand->action[signal - 1] = *action;
	kernel_follow(signal, action);
	futex_lock_release(&sighand->lock);
	if (action->handler == GATE_IGNORE)
		thread->gate->held_pending &= ~GATE_BIT(signal);
}

void
action_take(struct qr_thread *thread, int signal, struct gate_action *action)
{
	struct gate_sighand *sighand = thread->gate->sighand;
	futex_lock_acquire(&sighand->lock);
	struct gate_action *kept = &sighand->action[signal - 1];
	*action = *kept;
	if (is_handled(kept->handler) &&
	    (kept->flags & (uint64_t)(unsigned)SA_RESETHAND) != 0) {
		kept->handler = GATE_DEFAULT;
		kernel_follow(signal, kept);
	}
	futex_lock_release(&sighand->lock);
}

bool
action_is_unfit(struct qr_thread *thread, int signal, uint64_t mask)
{
	struct gate_action action;
	action_get(thread, signal, &action);
	return (mask & GATE_BIT(signal)) != 0 || action.handler == GATE_IGNORE;
}

void
action_reset(int signal)
{
	struct gate_action action = { .handler = GATE_DEFAULT };
	kernel_set(signal, &action);
}

void
action_ignore_held(struct qr_thread *thread, bool ignore)
{
	static const int held[] = { SIGBUS, SIGSYS, SIGSEGV };
	for (unsigned i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
		struct gate_action action;
		action_get(thread, held[i], &action);
		if (action.handler != GATE_IGNORE)
			continue;
		if (ignore)
			kernel_set(held[i], &action);
		else
			kernel_follow(held[i], &action);
	}
}

int
action_init(void)
{
	struct gate_sighand *sighand = &gate.sighand;
	atomic_init(&sighand->users, 1);
	for (int signal = 1; signal <= GATE_SIGNALS; signal++) {
		long result = qr_sys4(SYS_rt_sigaction, (long)signal, NULL,
		    &sighand->action[signal - 1], sizeof(uint64_t));
		if (qr_sys_failed(result))
			return (int)result;
	}
	return 0;
}

void
action_arm(struct qr_thread *thread)
{
	struct gate_sighand *sighand = thread->gate->sighand;
	futex_lock_acquire(&sighand->lock);
	for (int signal = 1; signal <= GATE_SIGNALS; signal++) {
		const struct gate_action *action = &sighand->action[signal - 1];
		bool watched = gate.config.watch_fatal &&
			       action->handler == GATE_DEFAULT &&
			       signal_is_fatal(signal);
		if (is_held(signal) || is_handled(action->handler) || watched)
			kernel_follow(signal, action);
	}
	futex_lock_release(&sighand->lock);
}

void
action_retreat(struct qr_thread *thread)
{
	for (int signal = 1; signal <= GATE_SIGNALS; signal++) {
		struct gate_action action;
		action_get(thread, signal, &action);
		kernel_set(signal, &action);
	}
}

struct gate_sighand *
sighand_share(struct gate_sighand *sighand)
{
	atomic_fetch_add(&sighand->users, 1);
	return sighand;
}

struct gate_sighand *
sighand_copy(struct gate_sighand *sighand)
{
	long result = qr_sys6(SYS_mmap, 0, (long)sizeof(*sighand),
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (qr_sys_failed(result))
		return NULL;
	struct gate_sighand *copy = (struct gate_sighand *)result;
	atomic_init(&copy->users, 1);
	futex_lock_acquire(&sighand->lock);
	for (unsigned i = 0; i < GATE_SIGNALS; i++)
		copy->action[i] = sighand->action[i];
	futex_lock_release(&sighand->lock);
	return copy;
}

void
sighand_put(struct gate_sighand *sighand)
{
	if (atomic_fetch_sub(&sighand->users, 1) != 1)
		return;
	if (sighand != &gate.sighand)
		qr_sys2(SYS_munmap, sighand, sizeof(*sighand));
}

void
action_fork_prepare(struct qr_thread *thread)
{
	futex_lock_acquire(&thread->gate->sighand->lock);
}

void
action_fork_done(struct qr_thread *thread)
{
	futex_lock_release(&thread->gate->sighand->lock);
}

void
action_clear(struct qr_thread *thread)
{
	struct gate_sighand *sighand = thread->gate->sighand;
	for (unsigned i = 0; i < GATE_SIGNALS; i++) {
		if (is_handled(sighand->action[i].handler))
			sighand->action[i] = (struct gate_action){ 0 };
	}
	action_arm(thread);
}
