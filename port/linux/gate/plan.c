/* SPDX-License-Identifier: MIT */
/*
 * gate/plan.c: pins, and plans for calls whose pointers a row of the table
 * can't describe: structures that point on, arguments that are pointers for
 * some operations only, areas that the kernel writes to later.
 */
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/sem.h>
#include <sys/socket.h>

#include "plan.h"

#define PATH_SIZE_MAX   4096u /* the kernel's PATH_MAX, bytes */
#define ADDRESS_SIZE    128u  /* struct sockaddr_storage, bytes */
#define OPTION_SIZE_MAX 65536u

#define SYSCALL_SIZE 2u /* bytes of the instruction */

/* What old callers set in commands of System V. */
#define IPC_64_FLAG 0x100

/* The kernel's tables of the same name. */
#define FD_SETSIZE_MAX   (1L << 20)
#define ROBUST_HEAD_SIZE 24u
#define WAITV_COUNT_MAX  128u
#define MESSAGES_MAX     1024u

int
pin_always(struct qr_thread *thread, uintptr_t start, size_t size_bytes,
    unsigned access)
{
	if (start == 0 || size_bytes == 0)
		return 0;
	/* The size may be more than the call will touch: what may not be
	 * touched does not decide about what lies before it. */
	int error = pager_pin(thread, start, size_bytes, access);
	/* Arguments that are only sometimes written may lie where they can't
	 * be. */
	if (error == -EFAULT && access == QR_ACCESS_WRITE)
		error = pager_pin(thread, start, size_bytes, QR_ACCESS_READ);
	if (error == -ENOMEM)
		atomic_fetch_add_explicit(&gate.unpinned, 1,
		    memory_order_relaxed); /* a statistic */
	return error == -EFAULT ? 0 : error;
}

int
pin(struct qr_thread *thread, uintptr_t start, size_t size_bytes,
    unsigned access)
{
	return gate.config.pins ? pin_always(thread, start, size_bytes, access)
				: 0;
}

int
pin_counted(struct qr_thread *thread, long at, long count, size_t unit_bytes,
    unsigned access)
{
	if (count < 0 || count > 1L << 40)
		return 0; /* negative or absurd: the kernel refuses it */
	size_t size = (size_t)count * unit_bytes;
	int error = pin(thread, (uintptr_t)at, size, access);
	/* What the kernel writes begins at the beginning, and is less. */
	for (size = pager_pin_limit(); error == -ENOMEM && size >= QR_PAGE_SIZE;
	     size /= 2) {
		if (pin(thread, (uintptr_t)at, size, access) == 0)
			break;
	}
	return error;
}

int
pin_text(struct qr_thread *thread, uintptr_t text, size_t size_max)
{
	if (!gate.config.pins || text == 0)
		return 0;
	long size = user_string_size(text, size_max);
	if (size <= 0)
		return 0;
	return pin(thread, text, (size_t)size, QR_ACCESS_READ);
}

void
pin_select(struct qr_thread *thread, const struct gate_call *call)
{
	long count = call->args[0];
	if (count < 0 || count > FD_SETSIZE_MAX)
		count = FD_SETSIZE_MAX;
	size_t size = ((size_t)count + 63) / 64 * 8;
	for (unsigned i = 1; i <= 3; i++)
		pin(thread, (uintptr_t)call->args[i], size, QR_ACCESS_WRITE);
	pin(thread, (uintptr_t)call->args[4], 16, QR_ACCESS_WRITE);
}

int
pin_vectors(struct qr_thread *thread, uintptr_t at, size_t count,
    unsigned access)
{
	return gate.config.pins ? pin_vectors_always(thread, at, count, access)
				: 0;
}

int
pin_vectors_always(struct qr_thread *thread, uintptr_t at, size_t count,
    unsigned access)
{
	if (count > PLAN_VECTORS_MAX)
		return 0;
	int error = pin_always(thread, at, count * sizeof(struct gate_vector),
	    QR_ACCESS_READ);
	for (size_t i = 0; i < count && error == 0; i++) {
		struct gate_vector vector;
		if (user_read(&vector, at + i * sizeof(vector),
			sizeof(vector)) != 0)
			return 0;
		error =
		    pin_always(thread, vector.base, vector.size_bytes, access);
	}
	return error;
}

/* --- messages --- */

int
pin_message(struct qr_thread *thread, const struct gate_message *message,
    unsigned access)
{
	int error =
	    pin(thread, message->name, (uint32_t)message->name_size, access);
	if (error == 0 && message->control_size < OPTION_SIZE_MAX)
		error = pin(thread, message->control, message->control_size,
		    access);
	if (error == 0)
		error = pin_vectors(thread, message->vectors,
		    message->vector_count, access);
	return error;
}

static int
pin_message_at(struct qr_thread *thread, uintptr_t at, unsigned access)
{
	struct gate_message message;
	if (user_read(&message, at, sizeof(message)) != 0)
		return 0;
	return pin_message(thread, &message, access);
}

/* As many messages as can be pinned, at least one: both calls say how many
 * they have dealt with, and programs go on from there. */
enum gate_verdict
plan_messages(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	const size_t stride = sizeof(struct gate_message) + 8;
	unsigned access =
	    call->number == SYS_sendmmsg ? QR_ACCESS_READ : QR_ACCESS_WRITE;
	uintptr_t at = (uintptr_t)call->args[1];
	size_t count = (uint32_t)call->args[2];
	size_t pinned = 0;
	if (!gate.config.pins)
		return GATE_ISSUE;
	if (count > MESSAGES_MAX)
		count = MESSAGES_MAX;
	pin(thread, at, count * stride, QR_ACCESS_WRITE);
	if (call->number == SYS_recvmmsg)
		pin(thread, (uintptr_t)call->args[4], 16, QR_ACCESS_WRITE);
	while (pinned < count &&
	       pin_message_at(thread, at + pinned * stride, access) == 0)
		pinned++;
	if (pinned == count)
		return GATE_ISSUE;
	struct gate_call issue = *call;
	issue.args[2] = pinned == 0 ? 1 : (long)pinned;
	watch(thread, &issue, finish_plainly);
	return GATE_WATCH;
}

/* msgsnd, msgrcv: the type stands before the text. */
enum gate_verdict
plan_queue(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	size_t size = (size_t)call->args[2];
	if (size < SIZE_MAX / 2)
		pin(thread, (uintptr_t)call->args[1], size + sizeof(long),
		    call->number == SYS_msgsnd ? QR_ACCESS_READ
					       : QR_ACCESS_WRITE);
	return GATE_ISSUE;
}

/* semctl: an array of a set's values is as long as the set. */
enum gate_verdict
plan_semctl(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	struct semid_ds about;
	size_t size = sizeof(about);
	int command = (int)call->args[2] & ~IPC_64_FLAG;
	if (!gate.config.pins)
		return GATE_ISSUE;
	if ((command == GETALL || command == SETALL) &&
	    qr_sys4(SYS_semctl, call->args[0], 0L, (long)IPC_STAT, &about) == 0)
		size = about.sem_nsems * sizeof(uint16_t);
	if (command == SETVAL)
		size = 0; /* a number */
	pin(thread, (uintptr_t)call->args[3], size, QR_ACCESS_WRITE);
	return GATE_ISSUE;
}

/* --- other vectors --- */

enum gate_verdict
plan_vmsplice(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	pin_vectors(thread, (uintptr_t)call->args[1], (size_t)call->args[2],
	    QR_ACCESS_WRITE);
	return GATE_ISSUE;
}

/* The far side matters if it is this process. */
enum gate_verdict
plan_process_vm(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	bool read = call->number == SYS_process_vm_readv;
	bool own = call->args[0] == qr_sys0(SYS_getpid);
	pin_vectors(thread, (uintptr_t)call->args[1], (size_t)call->args[2],
	    read ? QR_ACCESS_WRITE : QR_ACCESS_READ);
	/* The kernel copies to and from the frames there, with the page
	 * perhaps gone meanwhile, even if a handler thread serves faults. */
	if (own)
		pin_vectors_always(thread, (uintptr_t)call->args[3],
		    (size_t)call->args[4],
		    read ? QR_ACCESS_READ : QR_ACCESS_WRITE);
	else
		pin_counted(thread, call->args[3], call->args[4],
		    sizeof(struct gate_vector), QR_ACCESS_READ);
	return GATE_ISSUE;
}

/* --- by operation --- */

enum gate_verdict
plan_futex(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	int operation = (int)call->args[1] & FUTEX_CMD_MASK;
	bool shared = (call->args[1] & FUTEX_PRIVATE_FLAG) == 0;
	unsigned access = QR_ACCESS_WRITE;
	bool second = false;
	bool timeout = false;

	switch (operation) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		access = QR_ACCESS_READ;
		timeout = true;
		break;
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		if (!shared)
			return GATE_ISSUE; /* an address, no memory */
		access = QR_ACCESS_READ;
		break;
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		timeout = true;
		break;
	case FUTEX_WAIT_REQUEUE_PI:
		timeout = true;
		second = true;
		break;
	default: /* requeueing, FUTEX_WAKE_OP */
		second = true;
	}
	/* Where the kernel writes it does not wait for a handler thread. */
	if (access == QR_ACCESS_WRITE)
		pin_always(thread, (uintptr_t)call->args[0], 4, access);
	else
		pin(thread, (uintptr_t)call->args[0], 4, access);
	if (timeout)
		pin(thread, (uintptr_t)call->args[3], 16, QR_ACCESS_READ);
	if (second)
		pin_always(thread, (uintptr_t)call->args[4], 4,
		    QR_ACCESS_WRITE);
	return GATE_ISSUE;
}

/* Of futex_waitv and futex_requeue. */
struct plan_waiter {
	uint64_t value;
	uintptr_t address;
	uint64_t flags;
};

static void
pin_waiters(struct qr_thread *thread, uintptr_t at, size_t count)
{
	struct plan_waiter waiter;
	pin(thread, at, count * sizeof(waiter), QR_ACCESS_READ);
	for (size_t i = 0; i < count; i++) {
		if (user_read(&waiter, at + i * sizeof(waiter),
			sizeof(waiter)) != 0)
			break;
		pin(thread, waiter.address, 8, QR_ACCESS_READ);
	}
}

enum gate_verdict
plan_futex_requeue(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	if (gate.config.pins)
		pin_waiters(thread, (uintptr_t)call->args[0], 2);
	return GATE_ISSUE;
}

enum gate_verdict
plan_futex_waitv(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	size_t count = (size_t)call->args[1];
	if (!gate.config.pins || count > WAITV_COUNT_MAX)
		return GATE_ISSUE;
	pin(thread, (uintptr_t)call->args[3], 16, QR_ACCESS_READ);
	pin_waiters(thread, (uintptr_t)call->args[0], count);
	return GATE_ISSUE;
}

/* The operations of fcntl that take a pointer; see plan_fcntl for others. */
enum gate_verdict
plan_fcntl_pointer(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	pin(thread, (uintptr_t)call->args[2], 32, QR_ACCESS_WRITE);
	return GATE_ISSUE;
}

/* A filter is about to be installed, which may forbid what Quire does. A
 * process of one thread goes on without Quire and makes the call itself. */
static enum gate_verdict
plan_filter(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call, long program_at)
{
	struct {
		uint16_t count;
		uintptr_t code;
	} program;
	const size_t code_size = 8; /* struct sock_filter, bytes */
	if (gate_is_alone(thread) && !thread->guest &&
	    pager_retreat(thread) == 0) {
		gate_retreat(thread, context);
		context->reg[GATE_RIP] -= SYSCALL_SIZE;
		gate_result(context, call->number);
		return GATE_DONE;
	}
	pin(thread, (uintptr_t)program_at, sizeof(program), QR_ACCESS_READ);
	if (user_read(&program, (uintptr_t)program_at, sizeof(program)) == 0)
		pin(thread, program.code, program.count * code_size,
		    QR_ACCESS_READ);
	return GATE_ISSUE;
}

enum gate_verdict
plan_seccomp(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	bool sets = call->args[0] == SECCOMP_SET_MODE_STRICT ||
		    call->args[0] == SECCOMP_SET_MODE_FILTER;
	if (sets)
		return plan_filter(thread, context, call, call->args[2]);
	pin(thread, (uintptr_t)call->args[2], 64, QR_ACCESS_WRITE);
	return GATE_ISSUE;
}

/* unshare, setns: some of what they do is for processes of one thread. They
 * never wait. */
enum gate_verdict
plan_unshare(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	pager_alone_begin(thread);
	gate_result(context,
	    qr_sys2(call->number, call->args[0], call->args[1]));
	pager_alone_end(thread);
	return GATE_DONE;
}

enum gate_verdict
plan_prctl(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	switch ((int)call->args[0]) {
	case PR_SET_SYSCALL_USER_DISPATCH:
		/* As on a kernel without it: there is only one a thread. */
		gate_result(context, -EINVAL);
		return GATE_DONE;
	case PR_SET_SECCOMP:
		return plan_filter(thread, context, call, call->args[2]);
	case PR_SET_VMA:
		pin_text(thread, (uintptr_t)call->args[4], 80);
		return GATE_ISSUE;
	default:
		/* Names, words, small structures, or no pointer at all. */
		pin(thread, (uintptr_t)call->args[1], 256, QR_ACCESS_WRITE);
		return GATE_ISSUE;
	}
}

enum gate_verdict
plan_select(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	pin_select(thread, call);
	return GATE_ISSUE;
}

enum gate_verdict
plan_timer_create(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	pin(thread, (uintptr_t)call->args[1], sizeof(struct sigevent),
	    QR_ACCESS_READ);
	pin(thread, (uintptr_t)call->args[2], 4, QR_ACCESS_WRITE);
	return GATE_ISSUE;
}

/* It never waits for long, so it is made here, in pieces if need be. */
enum gate_verdict
plan_random(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	uintptr_t at = (uintptr_t)call->args[0];
	size_t size = (size_t)call->args[1];
	size_t limit = pager_pin_limit();
	size_t total = 0;
	if (size <= limit || size > INT32_MAX || context == NULL) {
		pin(thread, at, size, QR_ACCESS_WRITE);
		return size <= limit || size > INT32_MAX ? GATE_ISSUE
							 : GATE_WATCH;
	}
	while (total < size) {
		size_t piece = size - total < limit ? size - total : limit;
		pager_unpin(thread);
		pin(thread, at + total, piece, QR_ACCESS_WRITE);
		long result =
		    qr_sys3(SYS_getrandom, at + total, piece, call->args[2]);
		if (qr_sys_failed(result) && total == 0)
			total = (size_t)result;
		if (result <= 0)
			break;
		total += (size_t)result;
	}
	gate_result(context, (long)total);
	return GATE_DONE;
}

/* --- what is not made at all --- */

enum gate_verdict
plan_mapping(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	gate_result(context,
	    pager_mapping_call(thread, call->number, call->args));
	return GATE_DONE;
}

/* The kernel would change managed mappings behind the pager's back. Programs
 * have a second way, since older kernels lack the call too. */
enum gate_verdict
plan_unsupported(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)thread;
	(void)call;
	gate_result(context, -ENOSYS);
	return GATE_DONE;
}

/* --- what the kernel writes to at times of its own --- */

static enum gate_verdict
keep(struct qr_thread *thread, enum qr_thread_keep what, long at,
    size_t size_bytes)
{
	pager_keep(thread, what, (uintptr_t)at, at == 0 ? 0 : size_bytes);
	return GATE_ISSUE;
}

enum gate_verdict
plan_keep_tid(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	return keep(thread, QR_KEEP_TID, call->args[0], 4);
}

enum gate_verdict
plan_keep_robust(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	thread->gate->robust = (uintptr_t)call->args[0];
	return keep(thread, QR_KEEP_ROBUST, call->args[0], ROBUST_HEAD_SIZE);
}

enum gate_verdict
plan_keep_rseq(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	return keep(thread, QR_KEEP_RSEQ, call->args[0],
	    (uint32_t)call->args[1]);
}
