/* SPDX-License-Identifier: MIT */
/*
 * gate/fd.c: the program's descriptors beside Quire's.
 *
 * To the program Quire's own descriptors are not open: closing one is EBADF,
 * closing a range goes round them, and a number that it wants for itself is
 * made free by moving the one that has it.
 */
#include <fcntl.h>
#include <linux/close_range.h>

#include "plan.h"

/* Quire's own have numbers below this. */
#define OWN_FD_MAX 65536u

enum gate_verdict
bad_descriptor(struct gate_context *context)
{
	if (context == NULL)
		return GATE_WATCH;
	gate_result(context, -EBADF);
	return GATE_DONE;
}

enum gate_verdict
plan_close(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	int fd = (int)call->args[0];
	if (pager_owns_fd(fd))
		return bad_descriptor(context);
	pager_closing(thread, fd);
	census_closing(fd);
	async_closing(thread, fd, fd);
	return GATE_ISSUE;
}

enum gate_verdict
plan_dup(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)thread;
	if (pager_owns_fd((int)call->args[0]))
		return bad_descriptor(context);
	return GATE_ISSUE;
}

enum gate_verdict
plan_dup2(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	if (pager_owns_fd((int)call->args[0]))
		return bad_descriptor(context);
	if (call->args[0] != call->args[1])
		async_closing(thread, (int)call->args[1], (int)call->args[1]);
	if (!pager_owns_fd((int)call->args[1]))
		return GATE_ISSUE;
	/* A guest has numbers of its own, which nobody could move. */
	int error =
	    thread->guest ? -EBUSY : pager_move_fd(thread, (int)call->args[1]);
	if (error == 0)
		return GATE_ISSUE;
	gate_result(context, error);
	return GATE_DONE;
}

enum gate_verdict
plan_fcntl(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	if (pager_owns_fd((int)call->args[0]))
		return bad_descriptor(context);
	switch ((int)call->args[1]) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
	case F_GETFD:
	case F_SETFD:
	case F_GETFL:
	case F_SETFL:
		return GATE_ISSUE;
	default:
		return plan_fcntl_pointer(thread, context, call);
	}
}

/* The first of Quire's own in [first, last], or last + 1. */
static uint64_t
own_next(uint64_t first, uint64_t last)
{
	for (uint64_t fd = first; fd <= last && fd < OWN_FD_MAX; fd++) {
		if (pager_owns_fd((int)fd))
			return fd;
	}
	return last + 1;
}

/* In parts between Quire's own. It never waits, so it is made here. */
enum gate_verdict
plan_close_range(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	uint64_t first = (uint32_t)call->args[0];
	uint64_t last = (uint32_t)call->args[1];
	long result = 0;
	if (first > last)
		return GATE_ISSUE;
	if ((call->args[2] & CLOSE_RANGE_CLOEXEC) == 0)
		async_closing(thread, (int)first,
		    last > INT32_MAX ? INT32_MAX : (int)last);
	while (first <= last && result == 0) {
		uint64_t own = own_next(first, last);
		if (own > first)
			result = qr_sys3(SYS_close_range, first, own - 1,
			    call->args[2]);
		first = own + 1;
	}
	gate_result(context, result);
	return GATE_DONE;
}
