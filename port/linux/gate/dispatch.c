/* SPDX-License-Identifier: MIT */
/*
 * gate/dispatch.c: a trapped system call from its plan to its result.
 *
 * Which ways a call may go, and how one that a signal interrupts is put in
 * order, stands in gate.c, parts 4 and 5.
 */
#include "../../../core/base/check.h"
#include "gate_impl.h"

extern unsigned char qr_stub_watched[];
extern unsigned char qr_stub_watched_after[];
extern unsigned char qr_stub_watched_trap[];
extern unsigned char qr_stub_watched_done[];

#define SYSCALL_SIZE 2u /* bytes of the instruction */

/* Registers of a call's arguments. */
static const uint8_t argument_register[6] = { GATE_RDI, GATE_RSI, GATE_RDX,
	GATE_R10, GATE_R8, GATE_R9 };

void
gate_result(struct gate_context *context, long result)
{
	if (context == NULL)
		return; /* patch.c has it planned anew */
	context->reg[GATE_RAX] = (uint64_t)result;
}

static void
call_load(const struct gate_context *context, struct gate_call *call)
{
	/* The kernel looks at the lower half of rax only. */
	call->number = (int32_t)context->reg[GATE_RAX];
	for (unsigned i = 0; i < 6; i++)
		call->args[i] = (long)context->reg[argument_register[i]];
}

static void
arguments_store(struct gate_context *context, const struct gate_call *call)
{
	for (unsigned i = 0; i < 6; i++)
		context->reg[argument_register[i]] = (uint64_t)call->args[i];
}

void
watch(struct qr_thread *thread, const struct gate_call *call,
    gate_finish finish)
{
	thread->gate->issue = *call;
	thread->gate->finish = finish;
}

enum gate_verdict
finish_plainly(struct qr_thread *thread, struct gate_context *context,
    enum gate_end end)
{
	(void)thread;
	(void)context;
	return end == GATE_PREVENTED ? GATE_AGAIN : GATE_DONE;
}

static void
call_watch(struct qr_gate_thread *gate_thread, struct gate_context *context)
{
	arguments_store(context, &gate_thread->issue);
	context->reg[GATE_RAX] = (uint64_t)gate_thread->issue.number;
	context->reg[GATE_RIP] = (uintptr_t)qr_stub_watched;
}

static void
call_issue(struct qr_thread *thread, struct gate_context *context)
{
	uintptr_t stub = stub_for(context->reg[GATE_RIP]);
	if (QR_LIKELY(stub != 0)) {
		context->reg[GATE_RIP] = stub;
		return;
	}
	watch(thread, &thread->gate->call, finish_plainly);
	call_watch(thread->gate, context);
}

/* Gives the program its registers back, as they are behind its call. */
static void
call_restore(struct qr_gate_thread *gate_thread, struct gate_context *context)
{
	arguments_store(context, &gate_thread->call);
	context->reg[GATE_RIP] = gate_thread->call_return;
}

static void
call_restart(const struct qr_gate_thread *gate_thread,
    struct gate_context *context)
{
	context->reg[GATE_RIP] = gate_thread->call_return - SYSCALL_SIZE;
	context->reg[GATE_RAX] = (uint64_t)gate_thread->call.number;
}

static enum gate_verdict
call_finish(struct qr_thread *thread, struct gate_context *context,
    enum gate_end end)
{
	struct qr_gate_thread *gate_thread = thread->gate;
	gate_finish finish = gate_thread->finish;
	QR_ASSERT(finish != NULL, "thread %u watches no call", thread->self);
	call_restore(gate_thread, context);
	enum gate_verdict verdict = finish(thread, context, end);
	if (verdict != GATE_WATCH) {
		gate_thread->finish = NULL;
		gate_thread->call_mask_set = false;
	}
	return verdict;
}

void
dispatch_call(struct qr_thread *thread, struct gate_context *context)
{
	struct qr_gate_thread *gate_thread = thread->gate;
	enum gate_verdict verdict;

	pager_unpin(thread);
	if (context->reg[GATE_RIP] == (uintptr_t)qr_stub_watched_done) {
		verdict = call_finish(thread, context, GATE_RETURNED);
	} else {
		atomic_fetch_add_explicit(&gate.calls, 1,
		    memory_order_relaxed); /* a statistic */
		if (QR_UNLIKELY(gate_thread->patch_allowed))
			patch_remember(thread, context->reg[GATE_RIP]);
		gate_thread->call_return = context->reg[GATE_RIP];
		call_load(context, &gate_thread->call);
		verdict = plan_call(thread, context, &gate_thread->call);
	}
	switch (verdict) {
	case GATE_DONE:
		break;
	case GATE_ISSUE:
		call_issue(thread, context);
		break;
	case GATE_WATCH:
		call_watch(gate_thread, context);
		break;
	case GATE_AGAIN:
		QR_PANIC("call %ld not made though nothing stopped it",
		    gate_thread->call.number);
	}
}

bool
dispatch_settle(struct qr_thread *thread, struct gate_context *context,
    uint64_t *mask)
{
	bool patched = patch_settle(thread, context);
	uintptr_t rip = context->reg[GATE_RIP];
	if (stub_settle(&rip)) {
		context->reg[GATE_RIP] = rip;
		return true;
	}
	if (patched)
		return true;
	bool before = rip == (uintptr_t)qr_stub_watched;
	bool after = rip == (uintptr_t)qr_stub_watched_after ||
		     rip == (uintptr_t)qr_stub_watched_trap;
	if (!before && !after)
		return false;

	/* Whether the kernel was still using the call's temporary mask. */
	if (after && thread->gate->call_mask_set &&
	    (long)context->reg[GATE_RAX] == -EINTR)
		*mask = thread->gate->call_mask;
	if (call_finish(thread, context,
		before ? GATE_PREVENTED : GATE_INTERRUPTED) == GATE_AGAIN)
		call_restart(thread->gate, context);
	return true;
}

void
dispatch_restart(struct qr_thread *thread, struct gate_context *context)
{
	if (context->reg[GATE_RIP] == thread->gate->call_return &&
	    (long)context->reg[GATE_RAX] == -EINTR)
		call_restart(thread->gate, context);
}
