/* SPDX-License-Identifier: MIT */
/*
 * gate/signal.c: signals on their way to the program.
 *
 * The kernel delivers every signal that anybody handles to on_signal, on the
 * thread's Quire stack, with all signals blocked but the held ones; a SIGBUS
 * with none more blocked than before, since faults end without a call that
 * could put a mask back (leave.c). A handler of the program is then entered by
 * returning from the signal: its frame is copied to where the kernel would
 * have put it, the original is edited to continue in the handler. Terms and
 * invariants: gate.c, part 5.
 */
#include <linux/audit.h>

#include "../../../core/base/check.h"
#include "signal_impl.h"

/* si_code of a call that dispatch has trapped. */
#define SIGSYS_DISPATCH 2

#define SYSCALL_SIZE 2u /* bytes of the instruction */

/* Bytes below the stack pointer that the ABI lets functions use. */
#define RED_ZONE 128u

/* What a handler must not inherit: direction, resume and trap flags. */
#define FLAGS_CLEARED ((uint64_t)(0x400 | 0x10000 | 0x100))

#define SS_AUTODISARM_FLAG ((int)(1u << 31))

/* The words that the kernel leaves in an xsave area. */
#define XSAVE_LEGACY_SIZE  512u
#define XSAVE_MAGIC_OFFSET 464u
#define XSAVE_MAGIC        0x46505853u

struct xsave_words {
	uint32_t magic;
	uint32_t size_bytes; /* with the word that ends it */
};

/* Signals whose default action does not end the process. */
#define DEFAULT_IGNORE                                                         \
	(GATE_BIT(SIGCHLD) | GATE_BIT(SIGURG) | GATE_BIT(SIGWINCH))
#define DEFAULT_STOP                                                           \
	(GATE_BIT(SIGSTOP) | GATE_BIT(SIGTSTP) | GATE_BIT(SIGTTIN) |           \
	    GATE_BIT(SIGTTOU) | GATE_BIT(SIGCONT))

bool
signal_is_fatal(int signal)
{
	return ((DEFAULT_IGNORE | DEFAULT_STOP) & GATE_BIT(signal)) == 0;
}

/* --- masks --- */

uint64_t
mask_get(const struct qr_thread *thread, const struct gate_context *context)
{
	return context->mask | thread->gate->held_mask;
}

void
mask_set(struct qr_thread *thread, struct gate_context *context, uint64_t mask)
{
	mask &= ~GATE_UNBLOCKABLE;
	context->mask = mask & ~GATE_HELD;
	thread->gate->held_mask = mask & GATE_HELD;
}

/* --- the program's alternate stack --- */

bool
stack_is_used(const stack_t *stack, uintptr_t sp)
{
	uintptr_t start = (uintptr_t)stack->ss_sp;
	if ((stack->ss_flags & SS_AUTODISARM_FLAG) != 0)
		return false;
	return sp > start && sp - start <= stack->ss_size;
}

/* Where the frame of a handler begins; 0: there is no room. */
static uintptr_t
stack_choose(const struct qr_gate_thread *gate_thread, uint64_t flags,
    uintptr_t sp)
{
	const stack_t *stack = &gate_thread->stack;
	if ((flags & SA_ONSTACK) != 0 && stack->ss_size != 0 &&
	    !stack_is_used(stack, sp))
		return (uintptr_t)stack->ss_sp + stack->ss_size;
	return sp - RED_ZONE;
}

/* --- entering a handler, leaving it --- */

size_t
xsave_size(const struct gate_context *context)
{
	struct xsave_words words;
	if (context->xsave == 0)
		return 0;
	const void *from = (const void *)(context->xsave + XSAVE_MAGIC_OFFSET);
	if (user_copy(&words, from, sizeof(words)) != 0 ||
	    words.magic != XSAVE_MAGIC)
		return XSAVE_LEGACY_SIZE;
	return words.size_bytes;
}

/* The kernel's "nested too deep": leaving the stack at its lower end. */
static bool
stack_overflows(const stack_t *stack, uintptr_t from, uintptr_t to)
{
	return stack_is_used(stack, from) && !stack_is_used(stack, to);
}

/*
 * Lays the frame for the handler and makes context continue there. base is
 * the mask, as the program sees it, that the handler's is added to. -EFAULT:
 * the frame can't be written, nothing has changed.
 */
static int
handler_enter(struct qr_thread *thread, struct gate_context *context,
    const siginfo_t *info, const struct gate_action *action, uint64_t base)
{
	struct qr_gate_thread *gate_thread = thread->gate;
	uintptr_t sp =
	    stack_choose(gate_thread, action->flags, context->reg[GATE_RSP]);
	size_t save_size = xsave_size(context);
	uintptr_t save_at = (sp - save_size) & ~(uintptr_t)63;
	uintptr_t at =
	    ((save_at - sizeof(struct gate_frame)) & ~(uintptr_t)15) - 8;
	struct gate_frame frame = { .return_address = action->restorer,
		.context = *context,
		.info = *info };

	frame.context.mask = mask_get(thread, context);
	frame.context.stack = gate_thread->stack;
	if (save_size != 0)
		frame.context.xsave = save_at;
	if ((action->flags & QR_SA_RESTORER) == 0 ||
	    stack_overflows(&gate_thread->stack, sp, at) ||
	    user_copy((void *)save_at, (const void *)context->xsave,
		save_size) != 0 ||
	    user_write(at, &frame, sizeof(frame)) != 0)
		return -EFAULT;

	if ((gate_thread->stack.ss_flags & SS_AUTODISARM_FLAG) != 0)
		gate_thread->stack = (stack_t){ .ss_flags = SS_DISABLE };
	context->reg[GATE_RIP] = action->handler;
	context->reg[GATE_RSP] = at;
	context->reg[GATE_RDI] = (uint64_t)info->si_signo;
	context->reg[GATE_RSI] = at + offsetof(struct gate_frame, info);
	context->reg[GATE_RDX] = at + offsetof(struct gate_frame, context);
	context->reg[GATE_RAX] = 0;
	context->reg[GATE_FLAGS] &= ~FLAGS_CLEARED;
	context->xsave = 0;
	if ((action->flags & SA_NODEFER) == 0)
		base |= GATE_BIT(info->si_signo);
	mask_set(thread, context, base | action->mask);
	atomic_fetch_add_explicit(&gate.signals, 1,
	    memory_order_relaxed); /* a statistic */
	return 0;
}

static void
signal_send_again(const siginfo_t *info)
{
	qr_sys4(SYS_rt_tgsigqueueinfo, qr_sys0(SYS_getpid), qr_sys0(SYS_gettid),
	    (long)info->si_signo, info);
}

/*
 * Ends the process, or stops it, as the kernel would: the signal is sent
 * again and finds its default action when context is entered.
 */
static void
default_action(struct qr_thread *thread, struct gate_context *context,
    const siginfo_t *info)
{
	int signal = info->si_signo;
	uint64_t bit = GATE_BIT(signal);
	if ((bit & DEFAULT_IGNORE) != 0)
		return;
	if (signal_is_fatal(signal) && !thread->guest)
		pager_killed(thread, signal);
	action_reset(signal);
	qr_sys4(SYS_rt_sigprocmask, (long)SIG_BLOCK, &bit, NULL, sizeof(bit));
	signal_send_again(info);
	context->mask &= ~bit;
}

/* A frame that can't be written or read is a SIGSEGV of its own. */
static void
bad_frame(struct qr_thread *thread, struct gate_context *context, int signal)
{
	siginfo_t info = { .si_signo = SIGSEGV, .si_code = SI_KERNEL };
	uint64_t mask = mask_get(thread, context);
	struct gate_action action;
	action_take(thread, SIGSEGV, &action);
	if (signal == SIGSEGV || action.handler <= GATE_IGNORE ||
	    (mask & GATE_BIT(SIGSEGV)) != 0 ||
	    handler_enter(thread, context, &info, &action, mask) != 0)
		default_action(thread, context, &info);
}

static void
handler_run(struct qr_thread *thread, struct gate_context *context,
    const siginfo_t *info, uint64_t base)
{
	struct gate_action action;
	action_take(thread, info->si_signo, &action);
	if (action.handler == GATE_IGNORE)
		return;
	if (action.handler == GATE_DEFAULT)
		default_action(thread, context, info);
	else if (handler_enter(thread, context, info, &action, base) != 0)
		bad_frame(thread, context, info->si_signo);
}

enum gate_verdict
signal_return(struct qr_thread *thread, struct gate_context *context)
{
	struct gate_context from;
	uintptr_t at = context->reg[GATE_RSP];
	size_t room = xsave_size(context);
	if (user_read(&from, at, sizeof(from)) != 0)
		goto bad;
	size_t size = xsave_size(&from);
	if (size > room ||
	    user_read((void *)context->xsave, from.xsave, size) != 0)
		goto bad;

	if (from.xsave == 0)
		context->xsave = 0;
	for (unsigned i = 0; i < GATE_REGISTERS; i++)
		context->reg[i] = from.reg[i];
	context->flags = from.flags;
	mask_set(thread, context, from.mask);
	stack_change(thread, &from.stack, from.reg[GATE_RSP]);
	return GATE_DONE;
bad:
	bad_frame(thread, context, SIGSEGV);
	return GATE_DONE;
}

/* --- held signals that wait --- */

static unsigned
held_index(int signal)
{
	return signal == SIGBUS ? 0 : signal == SIGSYS ? 1 : 2;
}

static void
held_keep(struct qr_gate_thread *gate_thread, const siginfo_t *info)
{
	uint64_t bit = GATE_BIT(info->si_signo);
	if ((gate_thread->held_pending & bit) != 0)
		return;
	gate_thread->held_info[held_index(info->si_signo)] = *info;
	gate_thread->held_pending |= bit;
}

bool
held_take(struct qr_gate_thread *gate_thread, uint64_t mask, siginfo_t *info)
{
	static const int held[] = { SIGBUS, SIGSYS, SIGSEGV };
	for (unsigned i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
		uint64_t bit = GATE_BIT(held[i]);
		if ((gate_thread->held_pending & mask & bit) == 0)
			continue;
		gate_thread->held_pending &= ~bit;
		*info = gate_thread->held_info[held_index(held[i])];
		return true;
	}
	return false;
}

static void
held_deliver(struct qr_thread *thread, struct gate_context *context)
{
	siginfo_t info;
	for (;;) {
		uint64_t mask = mask_get(thread, context);
		if (!held_take(thread->gate, ~mask, &info))
			return;
		dispatch_settle(thread, context, &mask);
		handler_run(thread, context, &info, mask);
	}
}

bool
held_interrupt(struct qr_thread *thread, struct gate_context *context,
    uint64_t mask)
{
	siginfo_t info;
	if (!held_take(thread->gate, ~mask, &info))
		return false;
	gate_result(context, -EINTR);
	handler_run(thread, context, &info, mask);
	return true;
}

/* --- where the kernel brings them --- */

/* A signal that is not held finds its thread on Quire's stack: at the start,
 * when the program has no handler yet, or in an exec under the program's own
 * mask (exec.c), when it must wait. */
static void
signal_on_own_stack(struct qr_thread *thread, struct gate_context *context,
    const siginfo_t *info)
{
	struct gate_action action;
	action_get(thread, info->si_signo, &action);
	if (action.handler == GATE_DEFAULT) {
		default_action(thread, context, info);
		return;
	}
	context->mask |= GATE_BIT(info->si_signo);
	signal_send_again(info);
}

/* The record's base is no part of it: a stack of the program's may end there,
 * and be empty. */
static bool
is_own_stack(const struct qr_thread *thread, uintptr_t sp)
{
	return sp > qr_thread_stack_start(thread) &&
	       sp < qr_thread_stack_end(thread);
}

/* A signal that Quire has no part in. It was sent, or is the program's own
 * fault, which must not be put off. */
static void
signal_deliver(struct qr_thread *thread, struct gate_context *context,
    siginfo_t *info, bool fault)
{
	uint64_t bit = GATE_BIT(info->si_signo);
	uint64_t mask = mask_get(thread, context);
	uintptr_t site = context->reg[GATE_RIP];

	if ((bit & GATE_HELD & mask) != 0 && !fault) {
		held_keep(thread->gate, info);
		if (dispatch_settle(thread, context, &mask))
			dispatch_restart(thread, context);
		return;
	}
	if (dispatch_settle(thread, context, &mask) &&
	    info->si_signo == SIGSYS && fault &&
	    (uintptr_t)info->si_call_addr == site)
		info->si_call_addr = (void *)context->reg[GATE_RIP];
	/* What the kernel does with a fault that is blocked or ignored. */
	if (fault && action_is_unfit(thread, info->si_signo, mask))
		default_action(thread, context, info);
	else
		handler_run(thread, context, info, mask);
}

/* A signal that had to wait comes first: the trap, if it is one, is that of
 * the call that it waited for. False: none has. */
static bool
signal_deliver_put_off(struct qr_thread *thread, struct gate_context *context,
    bool trapped)
{
	siginfo_t info;
	if (!patch_take(thread, context, &info))
		return false;
	if (trapped)
		context->reg[GATE_RIP] -= SYSCALL_SIZE;
	signal_deliver(thread, context, &info, false);
	return trapped;
}

/* On the Quire stack: the program's handlers have to wait. */
static void
signal_nested(struct qr_thread *thread, struct gate_context *context,
    const siginfo_t *info)
{
	bool held = (GATE_BIT(info->si_signo) & GATE_HELD) != 0;
	if (held)
		held_keep(thread->gate, info);
	if (!thread->gate->bare)
		patch_put_off(thread, context, held ? NULL : info);
	else if (!held)
		signal_on_own_stack(thread, context, info);
}

/* SIGBUS comes with the mask as it was. */
static void
signals_block(void)
{
	uint64_t mask = ~GATE_HELD;
	qr_sys4(SYS_rt_sigprocmask, (long)SIG_SETMASK, &mask, NULL,
	    sizeof(mask));
}

/* Back on the Quire stack by rt_sigreturn: what waits there is to be the only
 * one. */
static void
signal_nested_end(struct qr_thread *thread, struct gate_context *context,
    int signal)
{
	if (signal == SIGBUS)
		signals_block();
	if (thread->gate->put_off.si_signo != 0)
		context->mask = ~GATE_HELD;
}

/* The end of a fault that has been served. */
static void
signal_fault_served(struct qr_thread *thread, struct gate_context *context,
    int signal, bool nested)
{
	if (signal == SIGBUS)
		leave_fault(thread, context);
	if (nested) {
		signal_nested_end(thread, context, signal);
		return;
	}
	signals_block();
	if ((thread->patch & QR_PATCH_PUT_OFF) == 0)
		return;
	signal_deliver_put_off(thread, context, false);
	if (thread->gate->held_pending != 0)
		held_deliver(thread, context);
}

/* What came before a SIGBUS of the program's was delivered comes again. */
static void
signal_bus_end(struct qr_thread *thread, struct gate_context *context)
{
	siginfo_t info;
	uint64_t mask = context->mask;
	if (patch_take(thread, context, &info)) {
		context->mask = mask;
		signal_send_again(&info);
	}
}

void
signal_arrive(int signal, siginfo_t *info, void *frame_context)
{
	struct qr_thread *thread = qr_thread_self();
	struct gate_context *context = frame_context;
	leave_settle(thread, context);
	bool nested = is_own_stack(thread, context->reg[GATE_RSP]);
	bool fault = info->si_code > 0 && (GATE_BIT(signal) & GATE_HELD) != 0;
	bool trapped = signal == SIGSYS && info->si_code == SIGSYS_DISPATCH;

	if (QR_UNLIKELY((thread->patch & QR_PATCH_PUT_OFF) != 0) && !nested &&
	    signal_deliver_put_off(thread, context, trapped))
		goto held;
	if (trapped && !nested && info->si_arch != AUDIT_ARCH_X86_64) {
		/* int $0x80, as on a kernel without it. */
		gate_result(context, -ENOSYS);
	} else if (trapped && !nested) {
		dispatch_call(thread, context);
	} else if (fault && !trapped && signal != SIGSYS &&
		   pager_fault(thread, signal, info,
		       (const ucontext_t *)frame_context)) {
		signal_fault_served(thread, context, signal, nested);
		return;
	} else if (nested) {
		if (fault && user_fixup(context)) {
			signal_nested_end(thread, context, signal);
			return;
		}
		QR_ASSERT(!fault,
		    "signal %d in Quire [linux.1], at 0x%lx, address or call "
		    "0x%lx",
		    signal, (unsigned long)context->reg[GATE_RIP],
		    trapped ? (unsigned long)context->reg[GATE_RAX]
			    : (unsigned long)info->si_addr);
		signal_nested(thread, context, info);
		return;
	} else if (!fault || !patch_fixup(thread, context)) {
		if (signal == SIGBUS)
			signals_block();
		signal_deliver(thread, context, info, fault);
		if (signal == SIGBUS)
			signal_bus_end(thread, context);
	}
held:
	if (QR_UNLIKELY(thread->gate->held_pending != 0))
		held_deliver(thread, context);
}
