/* SPDX-License-Identifier: MIT */
/*
 * gate/leave.c: back from a served fault without a system call.
 *
 * 1. Purpose. A fault from memory costs what the kernel's signal costs, and
 * a third of that is rt_sigreturn, which puts back registers and the mask.
 * The mask need not change: the kernel delivers SIGBUS with nothing more
 * blocked than before. Registers, vectors and flags a program can load by
 * itself: xrstor, moves, and iret, which is as good a jump in user mode.
 *
 * 2. Signals. So a signal may come while a fault is served. Its handler has
 * to wait [gate.3], and where the instruction pointer is says how:
 *   before qr_leave_check   kept in the record as on a patched call's way
 *                           (patch_put_off): all are blocked, and the check
 *                           sends the fault the slow way, by rt_sigreturn,
 *                           whose mask is the program's, after the frame of
 *                           the handler has been laid
 *   behind it               the registers are the program's in part: the
 *                           signal is taken to have found the context that is
 *                           being entered (leave_settle)
 * A fault on the Quire stack (a copy of the gate's, of a plan's) goes back to
 * there likewise; if a signal waits by then, what it goes back to goes on with
 * all blocked, so that no second one comes.
 *
 * 3. Where not. A frame without an xsave area, code that is not of 64 bits,
 * and a process with shadow stacks, whose kernel wants its token back, are
 * left by rt_sigreturn, as everything else is.
 *
 * 4. Rejected. The same for trapped calls: their plans count on blocked
 * signals, so a call would have to put the mask back, and hot sites do not trap
 * (patch.c).
 */
#include <cpuid.h>

#include "../../../core/base/check.h"
#include "gate_impl.h"

#define XSAVE_MAGIC_OFFSET 464u /* of the word that the kernel leaves there */
#define XSAVE_MAGIC        0x46505853u

#define CODE_64 0x33u /* the selector of code of 64 bits */

#define ARCH_SHSTK_STATUS 0x5005L

extern unsigned char qr_leave_check[];
extern unsigned char qr_leave_end[];

/* Comes back if a signal waits, with nothing but vectors changed. */
void qr_leave(struct qr_thread *thread, const struct gate_context *context);

_Static_assert(offsetof(struct qr_thread, leaving) == QR_THREAD_LEAVING_AT,
    "see sys_config.h");
_Static_assert(offsetof(struct gate_context, reg) == QR_CONTEXT_REG_AT,
    "see sys_config.h");
_Static_assert(offsetof(struct gate_context, xsave) == QR_CONTEXT_XSAVE_AT,
    "see sys_config.h");

static bool leave_possible; /* (c) after leave_init */

void
leave_init(void)
{
	unsigned a;
	unsigned b;
	unsigned c = 0;
	unsigned d;
	uint64_t shadow = 0;
	bool shadowed =
	    qr_sys2(SYS_arch_prctl, ARCH_SHSTK_STATUS, &shadow) == 0 &&
	    shadow != 0;
	leave_possible = __get_cpuid(1, &a, &b, &c, &d) != 0 &&
			 (c & bit_OSXSAVE) != 0 && !shadowed;
}

static bool
is_plain(const struct gate_context *context)
{
	if (!leave_possible || context->xsave == 0 ||
	    (uint16_t)context->reg[GATE_SEGMENTS] != CODE_64)
		return false;
	return *(const uint32_t *)(context->xsave + XSAVE_MAGIC_OFFSET) ==
	       XSAVE_MAGIC;
}

void
leave_fault(struct qr_thread *thread, struct gate_context *context)
{
	if (QR_LIKELY(is_plain(context)))
		qr_leave(thread, context);
}

bool
leave_settle(const struct qr_thread *thread, struct gate_context *context)
{
	uintptr_t rip = context->reg[GATE_RIP];
	if (rip <= (uintptr_t)qr_leave_check || rip >= (uintptr_t)qr_leave_end)
		return false;
	const struct gate_context *to =
	    (const struct gate_context *)thread->leaving;
	for (unsigned i = 0; i < GATE_REGISTERS; i++)
		context->reg[i] = to->reg[i];
	context->mask = to->mask;
	return true;
}
