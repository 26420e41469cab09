/* SPDX-License-Identifier: MIT */
/*
 * gate/process.c: how threads and processes begin and end.
 *
 * Dispatch does not survive clone, so whoever is born arms itself before it
 * runs a line of the program. Two kinds:
 *
 * - A copy of the address space (fork) is made in the handler: the child
 *   finds itself on its own copy of this very stack and goes on from there.
 *
 * - Who shares the address space (a thread, or a guest: vfork, posix_spawn)
 *   is born on the stack of a record of its own, on which its parent has laid
 *   a copy of the trapped context, edited to be the child's. It arms itself
 *   and enters that context. So no register of the program's is needed to
 *   hand anything over, and a guest disturbs nothing of its parent's, which
 *   sleeps in the handler meanwhile.
 *
 * A thread ends on its record's stack, so somebody else has to free that: at
 * the next birth or end of a thread, once the kernel no longer knows the
 * tid. Until then what the kernel writes at a thread's end stays kept.
 */
#include <linux/sched.h>
#include <string.h>
#include <sys/prctl.h>

#include "../../../core/base/check.h"
#include "plan.h"

/* Set in a pointer of a robust list: the entry's lock has an owner in the
 * kernel's sense (FUTEX_LOCK_PI). */
#define ROBUST_OWNED ((uintptr_t)1)

/* The kernel's ROBUST_LIST_LIMIT. */
#define ROBUST_ENTRIES_MAX 2048u

/* The longest clone3 argument that is passed on, bytes. */
#define CLONE_ARGS_SIZE_MAX ((size_t)256)

/* clone3's argument; the kernel's later fields are passed on unseen. */
union clone_arguments {
	struct clone_args known;
	unsigned char bytes[CLONE_ARGS_SIZE_MAX];
};

/* Any of clone, clone3, vfork. */
struct birth {
	uint64_t flags;
	uintptr_t sp; /* the child's, as the program wants it */
	uintptr_t child_tid;
	uintptr_t parent_tid;
	uintptr_t tls;                 /* with CLONE_SETTLS */
	long number;                   /* the call that makes it */
	long args[5];                  /* clone's; clone3's first two */
	union clone_arguments *clone3; /* NULL: it is a clone */
};

static enum gate_verdict
done(struct gate_context *context, long result)
{
	gate_result(context, result);
	return GATE_DONE;
}

int
process_arm(struct qr_thread *thread)
{
	stack_t stack = { .ss_sp = (void *)qr_thread_stack_start(thread),
		.ss_size = qr_thread_stack_end(thread) -
			   qr_thread_stack_start(thread) };
	/* EPERM: it is this stack already, and in use. */
	long result = qr_sys2(SYS_sigaltstack, &stack, NULL);
	if (qr_sys_failed(result) && result != -EPERM)
		return (int)result;
	return (int)qr_sys5(SYS_prctl, (long)PR_SET_SYSCALL_USER_DISPATCH,
	    (long)PR_SYS_DISPATCH_ON, qr_pass_start,
	    qr_pass_end - qr_pass_start, NULL);
}

/* --- records of those that have ended --- */

static bool
is_gone(const struct qr_thread *thread)
{
	if (thread->gate->parent_frees)
		return false;
	/* A guest may end, or exec, without telling. */
	if (thread->guest)
		return qr_sys2(SYS_tkill, (long)thread->self, 0L) == -ESRCH;
	return atomic_load(&thread->gate->ended) &&
	       qr_sys3(SYS_tgkill, qr_sys0(SYS_getpid), (long)thread->self,
		   0L) == -ESRCH;
}

static void
record_free(struct qr_thread *thread)
{
	pager_thread_end(thread);
	if (thread->gate->sighand != NULL)
		sighand_put(thread->gate->sighand);
	exec_image_free(thread);
	qr_thread_free(thread);
}

static void
records_free(struct qr_thread *thread)
{
	while (thread != NULL) {
		struct qr_thread *next = thread->next;
		record_free(thread);
		thread = next;
	}
}

/* --- sharing the address space --- */

/* The first thing that runs in a new thread or guest. */
static void
born(void *arg)
{
	struct qr_thread *thread = arg;
	qr_thread_claim(thread);
	if (thread->gate->clear_handlers)
		action_clear(thread);
	int error = process_arm(thread);
	QR_ASSERT(error == 0, "thread %u can't be armed, error %d",
	    thread->self, error);
	qr_sys_return((const struct gate_context *)thread->gate->birth);
}

/* Lays the context that the child will enter on its stack; returns where the
 * stack is free below it. */
static uintptr_t
birth_context(struct qr_thread *child, const struct gate_context *context,
    uintptr_t sp)
{
	size_t save_size = xsave_size(context);
	uintptr_t save_at =
	    (qr_thread_stack_end(child) - save_size) & ~(uintptr_t)63;
	uintptr_t at = (save_at - sizeof(struct gate_context)) & ~(uintptr_t)15;
	struct gate_context *copy = (struct gate_context *)at;

	memcpy((void *)save_at, (const void *)context->xsave, save_size);
	*copy = *context;
	copy->xsave = save_size == 0 ? 0 : save_at;
	copy->reg[GATE_RSP] = sp;
	copy->reg[GATE_RAX] = 0;
	copy->stack.ss_sp = (void *)qr_thread_stack_start(child);
	copy->stack.ss_size =
	    qr_thread_stack_end(child) - qr_thread_stack_start(child);
	copy->stack.ss_flags = 0;
	child->gate->birth = at;
	return at;
}

/* A record for the child; NULL: no memory. */
static struct qr_thread *
birth_record(struct qr_thread *parent, const struct birth *birth)
{
	struct qr_thread *child = qr_thread_alloc();
	if (child == NULL)
		return NULL;
	struct qr_gate_thread *gate_thread = child->gate;
	child->guest = (birth->flags & CLONE_THREAD) == 0;
	gate_thread->clear_handlers = (birth->flags & CLONE_CLEAR_SIGHAND) != 0;
	gate_thread->sighand = (birth->flags & CLONE_SIGHAND) != 0
				   ? sighand_share(parent->gate->sighand)
				   : sighand_copy(parent->gate->sighand);
	if (gate_thread->sighand == NULL) {
		qr_thread_free(child);
		return NULL;
	}
	gate_thread->parent_frees = (birth->flags & CLONE_VFORK) != 0;
	gate_thread->held_mask = parent->gate->held_mask;
	/* As the kernel has it: only who borrows the stack keeps it. */
	if ((birth->flags & CLONE_VFORK) != 0)
		gate_thread->stack = parent->gate->stack;
	else
		gate_thread->stack.ss_flags = SS_DISABLE;
	patch_allow(child, !child->guest && (birth->flags & CLONE_SETTLS) != 0);
	/* In this order: another thread's fork may come in between, and its
	 * child undoes what the register holds. */
	pager_thread_start(child);
	qr_thread_begin(child);
	return child;
}

static void
birth_keep(struct qr_thread *parent, struct qr_thread *child,
    const struct birth *birth)
{
	pin(parent, birth->parent_tid, 4, QR_ACCESS_WRITE);
	pin(parent, birth->child_tid, 4, QR_ACCESS_WRITE);
	if (birth->child_tid != 0 && (birth->flags & CLONE_CHILD_CLEARTID) != 0)
		pager_keep(child, QR_KEEP_TID, birth->child_tid, 4);
	if ((birth->flags & CLONE_SETTLS) != 0)
		pager_keep(child, QR_KEEP_TLS, birth->tls, QR_THREAD_TCB_BYTES);
}

static long
birth_share(struct qr_thread *parent, const struct gate_context *context,
    struct birth *birth)
{
	records_free(qr_thread_take(is_gone));
	struct qr_thread *child = birth_record(parent, birth);
	if (child == NULL)
		return -EAGAIN;
	/* [patch.2] */
	if ((birth->flags & CLONE_SETTLS) == 0)
		patch_forget(parent, (birth->flags & CLONE_VFORK) == 0);
	uintptr_t free_below = birth_context(child, context, birth->sp);
	birth_keep(parent, child, birth);

	if (birth->clone3 != NULL) {
		struct clone_args *known = &birth->clone3->known;
		known->stack = qr_thread_stack_start(child);
		known->stack_size = free_below - known->stack;
	} else {
		birth->args[1] = (long)free_below;
	}
	bool counted = !child->guest;
	if (counted)
		atomic_fetch_add(&gate.live_threads, 1);
	else if ((birth->flags & CLONE_VFORK) == 0)
		atomic_fetch_add(&gate.loose_guests, 1);
	long tid = qr_sys_clone(birth->number, birth->args, born, child);
	if (qr_sys_failed(tid) && counted)
		atomic_fetch_sub(&gate.live_threads, 1);
	/* The child never was, or has gone on to memory of its own. */
	if (qr_sys_failed(tid) || (birth->flags & CLONE_VFORK) != 0) {
		qr_thread_end(child);
		record_free(child);
	}
	return tid;
}

/* --- copying the address space --- */

static bool
is_other(const struct qr_thread *thread)
{
	return thread != qr_thread_self();
}

static void
fork_child(struct qr_thread *thread, struct gate_context *context,
    uint64_t flags, uintptr_t sp)
{
	qr_thread_fork_child(thread);
	action_fork_done(thread);
	atomic_store(&gate.live_threads, 1);
	atomic_store(&gate.loose_guests, 0);
	thread->guest = false;
	thread->gate->held_pending = 0;
	if ((flags & CLONE_CLEAR_SIGHAND) != 0)
		action_clear(thread);
	pager_fork_child(thread);
	records_free(qr_thread_take(is_other));
	async_forked();
	int error = process_arm(thread);
	QR_ASSERT(error == 0, "the child can't be armed, error %d", error);
	context->reg[GATE_RSP] = sp;
}

static long
birth_copy(struct qr_thread *thread, struct gate_context *context,
    struct birth *birth)
{
	/* The child closes the descriptors of ours that are its parent's. */
	if ((birth->flags & CLONE_FILES) != 0)
		return -EINVAL;
	pin_always(thread, birth->parent_tid, 4, QR_ACCESS_WRITE);
	pin_always(thread, birth->child_tid, 4, QR_ACCESS_WRITE);
	int error = pager_fork_prepare(thread);
	if (error != 0)
		return error;
	action_fork_prepare(thread);
	qr_thread_fork_prepare();
	/* The child goes on on this stack; its own comes with its context.
	 * Waiting for its exec would be under the locks; without shared
	 * memory it has no purpose but order. */
	if (birth->clone3 != NULL) {
		birth->clone3->known.stack = 0;
		birth->clone3->known.stack_size = 0;
		birth->clone3->known.flags &= ~(uint64_t)CLONE_VFORK;
	} else {
		birth->args[0] &= ~(long)CLONE_VFORK;
		birth->args[1] = 0;
	}
	long pid = qr_sys6(birth->number, birth->args[0], birth->args[1],
	    birth->args[2], birth->args[3], birth->args[4], 0);
	if (pid == 0) {
		fork_child(thread, context, birth->flags, birth->sp);
		return 0;
	}
	qr_thread_fork_parent();
	action_fork_done(thread);
	pager_fork_parent(thread, pid);
	return pid;
}

/* --- the calls --- */

static enum gate_verdict
birth_run(struct qr_thread *thread, struct gate_context *context,
    struct birth *birth)
{
	long result = (birth->flags & CLONE_VM) != 0
			  ? birth_share(thread, context, birth)
			  : birth_copy(thread, context, birth);
	return done(context, result);
}

enum gate_verdict
plan_clone(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	struct birth birth = { .flags = (uint64_t)(uint32_t)call->args[0],
		.sp = (uintptr_t)call->args[1],
		.parent_tid = (uintptr_t)call->args[2],
		.child_tid = (uintptr_t)call->args[3],
		.tls = (uintptr_t)call->args[4],
		.number = SYS_clone };
	for (unsigned i = 0; i < 5; i++)
		birth.args[i] = call->args[i];
	if (birth.sp == 0)
		birth.sp = context->reg[GATE_RSP];
	return birth_run(thread, context, &birth);
}

enum gate_verdict
plan_clone3(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	union clone_arguments arguments = { 0 };
	size_t size = (size_t)call->args[1];
	if (size < CLONE_ARGS_SIZE_VER0)
		return done(context, -EINVAL);
	if (size > sizeof(arguments))
		return done(context, -E2BIG);
	if (user_read(&arguments, (uintptr_t)call->args[0], size) != 0)
		return done(context, -EFAULT);

	const struct clone_args *known = &arguments.known;
	struct birth birth = { .flags = known->flags,
		.sp = known->stack + known->stack_size,
		.parent_tid = known->parent_tid,
		.child_tid = known->child_tid,
		.tls = known->tls,
		.number = SYS_clone3,
		.args = { QR_SYS_ARG(&arguments), (long)size },
		.clone3 = &arguments };
	if ((known->stack == 0) != (known->stack_size == 0))
		return done(context, -EINVAL);
	if (birth.sp == 0)
		birth.sp = context->reg[GATE_RSP];
	pin_always(thread, known->set_tid, known->set_tid_size * sizeof(pid_t),
	    QR_ACCESS_READ);
	if ((known->flags & CLONE_PIDFD) != 0)
		pin_always(thread, known->pidfd, 4, QR_ACCESS_WRITE);
	return birth_run(thread, context, &birth);
}

enum gate_verdict
plan_fork(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)call;
	struct birth birth = { .sp = context->reg[GATE_RSP],
		.number = SYS_clone,
		.args = { SIGCHLD } };
	return birth_run(thread, context, &birth);
}

enum gate_verdict
plan_vfork(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)call;
	struct birth birth = { .flags = CLONE_VFORK | CLONE_VM,
		.sp = context->reg[GATE_RSP],
		.number = SYS_clone,
		.args = { CLONE_VFORK | CLONE_VM | SIGCHLD } };
	return birth_run(thread, context, &birth);
}

enum gate_verdict
plan_exit_group(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	if (thread->guest)
		atomic_store(&thread->gate->ended, true);
	else
		pager_exit(thread, (int)call->args[0]);
	qr_sys1(SYS_exit_group, call->args[0]);
	__builtin_unreachable();
}

static void
robust_pin_entry(struct qr_thread *thread, uintptr_t entry, long offset)
{
	if (entry == 0)
		return;
	pin_always(thread, entry, sizeof(entry), QR_ACCESS_READ);
	pin_always(thread, entry + (uintptr_t)offset, sizeof(uint32_t),
	    QR_ACCESS_WRITE);
}

/*
 * What the kernel will look at when the thread has ended: it passes over
 * what is missing without a word. Entries beyond the pins are at least
 * brought in.
 */
static void
robust_pin(struct qr_thread *thread)
{
	struct {
		uintptr_t next;
		long offset; /* of the futex word from an entry */
		uintptr_t pending;
	} head;
	uintptr_t entry;
	uint32_t word;
	uintptr_t at = thread->gate->robust;
	if (at == 0 || user_read(&head, at, sizeof(head)) != 0)
		return;
	entry = head.next & ~ROBUST_OWNED;
	robust_pin_entry(thread, head.pending & ~ROBUST_OWNED, head.offset);
	for (unsigned i = 0; i < ROBUST_ENTRIES_MAX && entry != at; i++) {
		uintptr_t futex = entry + (uintptr_t)head.offset;
		robust_pin_entry(thread, entry, head.offset);
		if (user_read(&word, futex, sizeof(word)) != 0 ||
		    user_read(&entry, entry, sizeof(entry)) != 0)
			return;
		entry &= ~ROBUST_OWNED;
	}
}

enum gate_verdict
plan_exit(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	records_free(qr_thread_take(is_gone));
	patch_forget(thread, true);
	robust_pin(thread);
	/* Who is counted out writes to no memory any more; see
	 * gate_is_alone. */
	if (!thread->guest && atomic_fetch_sub(&gate.live_threads, 1) == 1)
		return plan_exit_group(thread, context, call);
	atomic_store(&thread->gate->ended, true);
	qr_sys1(SYS_exit, call->args[0]);
	__builtin_unreachable();
}
