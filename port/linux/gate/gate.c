/* SPDX-License-Identifier: MIT */
/*
 * gate/gate.c: init and arming; the essay of the gate.
 */
#include "gate_impl.h"

struct gate gate;

int
gate_init(const struct gate_config *config)
{
	gate.config = *config;
	atomic_store(&gate.live_threads, 1);
	return action_init();
}

int
gate_arm(struct qr_thread *thread)
{
	struct qr_gate_thread *gate_thread = thread->gate;
	uint64_t held = GATE_HELD;
	gate_thread->sighand = &gate.sighand;
	gate_thread->held_mask = gate.config.mask & GATE_HELD;
	gate_thread->stack.ss_flags = SS_DISABLE;
	long result = qr_sys2(SYS_sigaltstack, NULL, &gate_thread->stack);
	if (qr_sys_failed(result))
		return (int)result;
	action_arm(thread);
	qr_sys4(SYS_rt_sigprocmask, (long)SIG_UNBLOCK, &held, NULL,
	    sizeof(held));
	return process_arm(thread);
}

void
gate_disarm(struct qr_thread *thread)
{
	(void)thread;
	qr_sys5(SYS_prctl, 59L, 0L, 0L, 0L, 0L);
}

void
gate_stat(struct gate_stat *stat)
{
	stat->calls = atomic_load(&gate.calls);
	stat->signals = atomic_load(&gate.signals);
	stat->unknown = atomic_load(&gate.unknown);
	stat->unpinned = atomic_load(&gate.unpinned);
}
