/* SPDX-License-Identifier: MIT */
/*
 * gate/gate.c: the one place that all system calls and signals pass.
 *
 * 1. Purpose. A page that has been taken out is brought back when the program
 * touches it. When the *kernel* touches it for the program, in the middle of
 * a system call, it gets an error instead: EFAULT, a datagram lost, a child
 * reaped without a status. So before every call the pages that it names must
 * be made present, and kept so while it runs. Interposing libc's functions
 * does not reach its own internal calls, nor other runtimes; so each system
 * call instruction of the process is made to trap, wherever it is.
 *
 * 2. Terms.
 *   dispatch     Syscall User Dispatch: the kernel turns every system call
 *                made outside one range of code into a SIGSYS
 *   pass range   that range: sys.S
 *   site         the place of a system call instruction in the program
 *   stub         two instructions in the pass range that make a site's calls
 *   plan         what is done to a call before it is made
 *   watched      of a call: the gate also sees its end
 *   context      the registers and mask that a signal frame holds; what is
 *                written there is what goes on when the handler returns
 *   virtual      the program's view of a signal, kept here
 *   held         SIGSEGV, SIGBUS, SIGSYS: Quire's own
 *   guest        a process that runs in its parent's memory (vfork)
 *   Quire stack  see ../thread.h
 *
 * 3. Picture.
 *
 *      program                 Quire stack, signals blocked       kernel
 *      ───────                 ────────────────────────────       ──────
 *      site: syscall ──SIGSYS──► signal_arrive
 *                                  dispatch_call
 *                                    plan_call: table, pins
 *                                  rip := stub
 *      stub: syscall ◄──sigreturn──┘
 *              │ ─────────────────────────────────────────────► the call
 *              │ ◄─────────────────────────────────────────────
 *            jmp *site + 2
 *
 * 4. Calls. A call that waits must not wait in the handler: signals are
 * blocked there, so nothing could interrupt it. So the handler only plans,
 * and the call is made from the stub, on the program's stack, under the
 * program's mask [gate.1]. A plan ends in one of:
 *   GATE_DONE   answered here: what never waits and is not the kernel's to
 *               answer (masks, dispositions, mappings, births)
 *   GATE_ISSUE  made from the site's stub with the registers as they are.
 *               Its end is not seen, so its pins are dropped by the thread's
 *               next call or handler
 *   GATE_WATCH  made with other arguments than the program gave. Behind it
 *               lies a system call instruction outside the pass range, so it
 *               traps again; the program's registers are put back, and the
 *               plan's finish() sees the result
 * The program finds all registers as the kernel would leave them [gate.2].
 * Memory of the program is read by copies that can fail (user.c), never
 * under a lock and never from inside the pager.
 *
 * 5. Signals. The kernel's dispositions follow the program's, with one
 * handler, signal_arrive, for all that the program handles, and for the held
 * ones always. It runs on the Quire stack with everything blocked but the
 * held ones, for SIGBUS with nothing blocked (leave.c); a signal that finds
 * its thread on the Quire stack waits. So no handler of the program ever
 * starts while its thread is in Quire [gate.3]. To enter one, its frame is
 * copied to the program's stack and the context is edited to continue in it;
 * to leave, rt_sigreturn traps like any call and the frame is copied back into
 * the context.
 *
 * What a signal interrupts is put in order first (dispatch_settle), by where
 * the instruction pointer is:
 *   at a stub's syscall      not made: back to the site, made anew later
 *   behind it                made: forward to site + 2, rax is its result
 *   likewise, watched        finish() is told which, before the handler runs
 * So no handler, debugger or unwinder sees an address in a stub [gate.4],
 * restarting is the kernel's choice as ever (it moves rip back by two), and
 * no call is in progress when a handler runs, from which it may well never
 * return (siglongjmp).
 *
 * Held signals are never really blocked, ignored or reset [gate.5]: touching
 * a cold page raises one at any instruction. What the program wants of them
 * is virtual: blocked ones wait in the record, temporary masks (sigsuspend,
 * ppoll) go to the kernel as copies without them. A fault that the pager
 * answers for is nobody else's business; any other is the program's, with
 * the kernel's rules: if it is blocked or ignored, it kills.
 *
 * 6. Births (process.c). Whoever shares memory is born on a Quire stack of
 * its own and enters the program's context by sigreturn, armed; a fork's
 * child goes on in the handler. Until then everything is blocked, so no line
 * of the program runs unarmed [gate.6].
 *
 * 7. Locks. futex_locks only, leaves: nothing is called under them. Around a
 * fork the forking thread holds them, in the order pager, sighand, register
 * of threads. The stubs' table has no lock; an entry is one word, written
 * once.
 *
 * 8. Failure. Too many sites: calls of the new ones are watched, which is
 * slower. Too many or too large ranges to pin: transfers are made in pieces;
 * what can't be cut is made as it is, and counted. No memory for a record:
 * clone says EAGAIN. A system call or a fault of Quire's own code where none
 * may be: the process ends with a report.
 *
 * 9. What differs from the kernel. /proc shows the real masks and handlers.
 * A held signal that is sent to the process while it is blocked waits in the
 * thread that got it, out of reach of signalfd. Asking for dispatch is
 * EINVAL; int $0x80 and mseal are ENOSYS: the kernel would change mappings out
 * of sight. Of io_uring not all is there (async.c). A process of one thread that installs a filter (seccomp) goes on without the gate; in one
 * of several threads a filter that refuses what Quire needs breaks it.
 *
 * 10. Rejected. One trampoline for all sites: the return address has to be
 * kept somewhere, and a guest and its parent share every such place. Stubs
 * written as sites appear: code that is writable, or a mapping more; constant
 * code with a table of targets is as fast. Making blocking calls in the
 * handler with its mask opened: the program's handlers would run on top of
 * Quire's frames. A selector byte to switch dispatch off: the program's own
 * calls are the only ones outside the range. Handing a record to a new
 * thread in a register: none is free at all sites.
 *
 * Reading: Documentation/admin-guide/syscall-user-dispatch.rst in Linux;
 * arch/x86/kernel/signal_64.c for the frame; signal(7), "Interruption of
 * system calls". Order: gate_impl.h, dispatch.c, stub.c, table.c, plan.c,
 * nested.c, transfer.c, signal.c, leave.c, action.c, sigcall.c, process.c,
 * exec.c, fd.c, census.c, async.c, uring.c, aio.c.
 */
#include <sys/prctl.h>

#include "signal_impl.h"

struct gate gate;

int
gate_init(const struct gate_config *config)
{
	gate.config = *config;
	atomic_store(&gate.live_threads, 1);
	leave_init();
	return action_init();
}

int
gate_arm(struct qr_thread *thread)
{
	struct qr_gate_thread *gate_thread = thread->gate;
	uint64_t held = GATE_HELD;
	uint64_t mask;
	gate_thread->sighand = &gate.sighand;
	gate_thread->stack.ss_flags = SS_DISABLE;
	long result = qr_sys2(SYS_sigaltstack, NULL, &gate_thread->stack);
	if (qr_sys_failed(result))
		return (int)result;
	gate_thread->bare = true;
	action_arm(thread);
	qr_sys4(SYS_rt_sigprocmask, (long)SIG_UNBLOCK, &held, &mask,
	    sizeof(mask));
	gate_thread->held_mask = mask & held;
	if (gate.config.patch)
		patch_install();
	patch_allow(thread, true);
	return process_arm(thread);
}

void
gate_armed(struct qr_thread *thread)
{
	thread->gate->bare = false;
}

void
gate_disarm(struct qr_thread *thread)
{
	(void)thread;
	qr_sys5(SYS_prctl, (long)PR_SET_SYSCALL_USER_DISPATCH,
	    (long)PR_SYS_DISPATCH_OFF, 0L, 0L, 0L);
}

void
gate_retreat(struct qr_thread *thread, struct gate_context *context)
{
	siginfo_t info;
	patch_forget(thread, true);
	/* The kernel takes mask and stack from the frame. */
	context->mask = mask_get(thread, context);
	context->stack = thread->gate->stack;
	action_retreat(thread);
	while (held_take(thread->gate, ~(uint64_t)0, &info))
		qr_sys4(SYS_rt_tgsigqueueinfo, qr_sys0(SYS_getpid),
		    qr_sys0(SYS_gettid), (long)info.si_signo, &info);
	gate_disarm(thread);
}

bool
gate_is_alone(const struct qr_thread *thread)
{
	/* Who ends does nothing to memory after it was counted out, who is
	 * born is counted in by a thread of the program, and a vfork's parent
	 * sleeps. */
	return !thread->is_own && atomic_load(&gate.live_threads) == 1 &&
	       atomic_load(&gate.loose_guests) == 0;
}

void
gate_stat(struct gate_stat *stat)
{
	stat->calls = atomic_load(&gate.calls);
	stat->signals = atomic_load(&gate.signals);
	stat->unknown = atomic_load(&gate.unknown);
	stat->unpinned = atomic_load(&gate.unpinned);
}
