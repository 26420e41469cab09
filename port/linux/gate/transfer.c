/* SPDX-License-Identifier: MIT */
/*
 * gate/transfer.c: reads, writes and messages, whole or in pieces.
 *
 * What can be pinned at once is made as the program asked for it. What is
 * larger is made in pieces, each pinned while it is transferred, so that the
 * program sees one call with the total it would have seen. Only the kinds of
 * files for which that holds are cut: a datagram is one. Of a pipe, a stream
 * or a terminal one piece is read, since the next could wait for what never
 * comes, unless the program said that it will (MSG_WAITALL). A datagram is
 * read into as much of a larger buffer as can be pinned, which is more than
 * any datagram has.
 *
 * A message's control data go with its first piece.
 *
 * Where faults are served by a thread nothing need be pinned but for direct
 * transfers: the device goes on with the frame though the page has left it.
 *
 * The state is gate->transfer: so far `total` bytes, all that lies before
 * (vector_next, offset). The last piece's result moves it on.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "plan.h"

/* The kernel transfers no more at once (its MAX_RW_COUNT), bytes. */
#define TOTAL_SIZE_MAX ((size_t)0x7ffff000)

/* Ranges as long as this can't lie in the address space, bytes. */
#define SIZE_ABSURD ((size_t)1 << 46)

/* Below this a piece does not get smaller for want of memory. */
#define PIECE_SIZE_MIN QR_PAGE_SIZE

static bool
is_write(long number)
{
	return number == SYS_write || number == SYS_pwrite64 ||
	       number == SYS_sendto || number == SYS_writev ||
	       number == SYS_pwritev || number == SYS_pwritev2 ||
	       number == SYS_sendmsg;
}

static bool
is_of_sockets(long number)
{
	return number == SYS_recvfrom || number == SYS_sendto ||
	       number == SYS_recvmsg || number == SYS_sendmsg;
}

/* Argument 3 is a place in the file. */
static bool
has_place(const struct gate_call *call)
{
	switch (call->number) {
	case SYS_pread64:
	case SYS_pwrite64:
	case SYS_preadv:
	case SYS_pwritev:
		return true;
	case SYS_preadv2:
	case SYS_pwritev2:
		return call->args[3] != -1;
	default:
		return false;
	}
}

static unsigned
transfer_access(const struct gate_call *call)
{
	return is_write(call->number) ? QR_ACCESS_READ : QR_ACCESS_WRITE;
}

static bool
is_pinned(const struct gate_call *call)
{
	if (gate.config.pins || is_of_sockets(call->number))
		return gate.config.pins;
	if (census_is_memory((int)call->args[0]))
		return true;
	long flags = qr_sys2(SYS_fcntl, call->args[0], (long)F_GETFL);
	return !qr_sys_failed(flags) && (flags & O_DIRECT) != 0;
}

/* How what a descriptor stands for may be served. */
enum file_kind {
	FILE_WHOLE,  /* in one call only */
	FILE_STREAM, /* in pieces; reading on may wait */
	FILE_ENDED,  /* in pieces; reading on never waits */
};

/* The devices of memory: zero, full, random and the like. */
#define MEMORY_DEVICES 1u

static enum file_kind
file_kind(int fd)
{
	struct stat status;
	int type = 0;
	uint32_t size = sizeof(type);
	if (qr_sys2(SYS_fstat, (long)fd, &status) != 0)
		return FILE_WHOLE;
	if (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode))
		return FILE_ENDED;
	if (S_ISCHR(status.st_mode) && major(status.st_rdev) == MEMORY_DEVICES)
		return FILE_ENDED;
	if (!S_ISSOCK(status.st_mode))
		return FILE_STREAM;
	if (qr_sys5(SYS_getsockopt, (long)fd, (long)SOL_SOCKET, (long)SO_TYPE,
		&type, &size) == 0 &&
	    type == SOCK_STREAM)
		return FILE_STREAM;
	return FILE_WHOLE;
}

/* The program's flags of a call on sockets. */
static long
message_flags(const struct gate_call *call)
{
	switch (call->number) {
	case SYS_recvfrom:
	case SYS_sendto:
		return call->args[3];
	case SYS_recvmsg:
	case SYS_sendmsg:
		return call->args[2];
	default:
		return 0;
	}
}

/* Whether the first piece is all that may be asked for. */
static bool
is_once(const struct gate_call *call, enum file_kind kind)
{
	long flags = message_flags(call);
	if (is_write(call->number) || kind == FILE_ENDED)
		return false;
	return kind == FILE_WHOLE || (flags & MSG_WAITALL) == 0 ||
	       (flags & (MSG_PEEK | MSG_DONTWAIT)) != 0;
}

/* --- pieces --- */

static size_t
size_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The program's vector n; an empty one where it can't be read. */
static struct gate_vector
vector_get(const struct qr_gate_thread *gate_thread, size_t n)
{
	const struct gate_transfer *transfer = &gate_thread->transfer;
	const struct gate_call *call = &gate_thread->call;
	struct gate_vector vector = { 0 };
	if (transfer->vectors == 0)
		return (struct gate_vector){ (uintptr_t)call->args[1],
			(size_t)call->args[2] };
	if (user_read(&vector, transfer->vectors + n * sizeof(vector),
		sizeof(vector)) != 0)
		return (struct gate_vector){ 0 };
	return vector;
}

/* Pins the start of the range, as much as can be had; bytes. */
static size_t
piece_pin(struct qr_thread *thread, uintptr_t start, size_t size_bytes,
    unsigned access)
{
	while (pin_always(thread, start, size_bytes, access) == -ENOMEM) {
		if (size_bytes <= PIECE_SIZE_MIN)
			return 0;
		/* Whole pages, as files opened with O_DIRECT want. */
		size_bytes =
		    (size_bytes / 2 + QR_PAGE_SIZE - 1) & ~(QR_PAGE_SIZE - 1);
	}
	return size_bytes;
}

/* Fills piece_vector from where the transfer is; the count of them. */
static size_t
piece_gather(struct qr_thread *thread)
{
	struct gate_transfer *transfer = &thread->gate->transfer;
	unsigned access = transfer_access(&thread->gate->call);
	size_t left =
	    size_min(pager_pin_limit(), TOTAL_SIZE_MAX - transfer->total);
	size_t offset = transfer->offset;
	size_t count = 0;

	transfer->piece = 0;
	for (size_t n = transfer->vector_next;
	     n < transfer->vector_count && count < GATE_PIECE_VECTORS &&
	     left != 0;
	     n++, offset = 0) {
		struct gate_vector from = vector_get(thread->gate, n);
		uintptr_t base = from.base + offset;
		size_t want = from.size_bytes - offset;
		size_t some = size_min(want, left);
		size_t got = piece_pin(thread, base, some, access);
		if (got == 0 && some != 0 && count != 0)
			break;
		if (got == 0)
			got = size_min(some, PIECE_SIZE_MIN);
		transfer->piece_vector[count++] =
		    (struct gate_vector){ base, got };
		transfer->piece += got;
		left -= got;
		if (got != want)
			break;
	}
	return count;
}

static enum gate_verdict transfer_finish(struct qr_thread *thread,
    struct gate_context *context, enum gate_end end);

/* The address arguments of recvfrom and sendto. */
static void
address_pin(struct qr_thread *thread, const struct gate_call *call)
{
	if (call->number == SYS_sendto)
		pin_counted(thread, call->args[4], call->args[5], 1,
		    QR_ACCESS_READ);
	if (call->number != SYS_recvfrom)
		return;
	pin(thread, (uintptr_t)call->args[4], 128, QR_ACCESS_WRITE);
	pin(thread, (uintptr_t)call->args[5], 4, QR_ACCESS_WRITE);
}

/* The message of a piece, with the program's name and, at first, control
 * data. */
static void
piece_message(struct qr_thread *thread, size_t count)
{
	struct gate_transfer *transfer = &thread->gate->transfer;
	struct gate_message *message = &transfer->message;
	if (user_read(message, transfer->message_at, sizeof(*message)) != 0)
		*message = (struct gate_message){ 0 };
	message->vectors = (uintptr_t)transfer->piece_vector;
	message->vector_count = count;
	if (transfer->total != 0) {
		message->control = 0;
		message->control_size = 0;
	}
	pin_message(thread, message, transfer_access(&thread->gate->call));
}

/* What a transfer of the process's own memory as a file reads or writes
 * there. */
static int
memory_pin(struct qr_thread *thread, const struct gate_call *call, size_t size)
{
	if (!census_is_memory((int)call->args[0]))
		return 0;
	long place = has_place(call) ? call->args[3]
				     : qr_sys3(SYS_lseek, call->args[0], 0L,
					   (long)SEEK_CUR);
	return pin_always(thread, (uintptr_t)place, size,
	    is_write(call->number) ? QR_ACCESS_WRITE : QR_ACCESS_READ);
}

static enum gate_verdict
piece_watch(struct qr_thread *thread)
{
	struct gate_transfer *transfer = &thread->gate->transfer;
	struct gate_call issue = thread->gate->call;
	address_pin(thread, &issue);
	size_t count = piece_gather(thread);
	if (transfer->message_at != 0) {
		piece_message(thread, count);
		issue.args[1] = QR_SYS_ARG(&transfer->message);
	} else if (transfer->vectors == 0) {
		issue.args[1] = (long)transfer->piece_vector[0].base;
		issue.args[2] = (long)transfer->piece_vector[0].size_bytes;
	} else {
		issue.args[1] = QR_SYS_ARG(transfer->piece_vector);
		issue.args[2] = (long)count;
	}
	if (has_place(&issue))
		issue.args[3] += (long)transfer->total;
	memory_pin(thread, &issue, transfer->piece);
	watch(thread, &issue, transfer_finish);
	return GATE_WATCH;
}

/* Moves on by what a piece has transferred; true: that was all. */
static bool
transfer_advance(struct qr_gate_thread *gate_thread, size_t bytes)
{
	struct gate_transfer *transfer = &gate_thread->transfer;
	transfer->total += bytes;
	transfer->offset += bytes;
	if (transfer->total == TOTAL_SIZE_MAX)
		return true;
	while (transfer->vector_next < transfer->vector_count) {
		struct gate_vector vector =
		    vector_get(gate_thread, transfer->vector_next);
		if (transfer->offset < vector.size_bytes)
			return false;
		transfer->offset -= vector.size_bytes;
		transfer->vector_next++;
	}
	return true;
}

static enum gate_verdict
transfer_end(struct gate_context *context, const struct gate_transfer *transfer,
    long result)
{
	/* An error after the first byte is for the next call to find. */
	gate_result(context,
	    transfer->total != 0 ? (long)transfer->total : result);
	return GATE_DONE;
}

/* What recvmsg writes into the message itself. */
static void
message_return(const struct gate_transfer *transfer)
{
	const struct gate_message *message = &transfer->message;
	uintptr_t to = transfer->message_at;
	uint32_t name_size = (uint32_t)message->name_size;
	uint32_t flags = (uint32_t)message->flags;
	int failed = 0;
	if (message->name != 0)
		failed |=
		    user_write(to + offsetof(struct gate_message, name_size),
			&name_size, sizeof(name_size));
	failed |= user_write(to + offsetof(struct gate_message, flags), &flags,
	    sizeof(flags));
	if (transfer->total == 0)
		failed |=
		    user_write(to + offsetof(struct gate_message, control_size),
			&message->control_size, sizeof(message->control_size));
	/* It was read from there; who unmaps it meanwhile gets nothing. */
	(void)failed;
}

static enum gate_verdict
transfer_finish(struct qr_thread *thread, struct gate_context *context,
    enum gate_end end)
{
	struct gate_transfer *transfer = &thread->gate->transfer;
	long result = (long)context->reg[GATE_RAX];
	if (end == GATE_PREVENTED) {
		if (transfer->total == 0)
			return GATE_AGAIN;
		return transfer_end(context, transfer, 0);
	}
	if (qr_sys_failed(result))
		return transfer_end(context, transfer, result);
	if (thread->gate->call.number == SYS_recvmsg)
		message_return(transfer);
	bool all = transfer_advance(thread->gate, (size_t)result);
	if (all || (size_t)result < transfer->piece || transfer->once ||
	    end == GATE_INTERRUPTED)
		return transfer_end(context, transfer, 0);
	return piece_watch(thread);
}

/* Begins to serve gate->call in pieces: the vectors, which may be a
 * message's, or one buffer. */
static enum gate_verdict
transfer_cut(struct qr_thread *thread, uintptr_t vectors, size_t count,
    uintptr_t message_at)
{
	struct gate_call *call = &thread->gate->call;
	enum file_kind kind = file_kind((int)call->args[0]);
	if (kind == FILE_WHOLE && is_write(call->number))
		return GATE_ISSUE;
	pager_unpin(thread);
	thread->gate->transfer = (struct gate_transfer){ .vectors = vectors,
		.vector_count = count,
		.message_at = message_at,
		.once = is_once(call, kind) };
	return piece_watch(thread);
}

/* --- the calls --- */

/* Whether all of it could be pinned. */
static bool
transfer_pin(struct qr_thread *thread, const struct gate_call *call,
    size_t size)
{
	return size <= pager_pin_limit() &&
	       pin_always(thread, (uintptr_t)call->args[1], size,
		   transfer_access(call)) == 0 &&
	       memory_pin(thread, call, size) == 0;
}

enum gate_verdict
plan_transfer(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	size_t size = (size_t)call->args[2];
	if (pager_owns_fd((int)call->args[0]))
		return bad_descriptor(context);
	if (size > SIZE_ABSURD)
		return GATE_ISSUE;
	if (is_pinned(call) && !transfer_pin(thread, call, size))
		return transfer_cut(thread, 0, 1, 0);
	address_pin(thread, call);
	return census_marked((int)call->args[0])
		   ? census_take(thread, context, call)
		   : GATE_ISSUE;
}

enum gate_verdict
plan_transfer_vectors(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	uintptr_t at = (uintptr_t)call->args[1];
	size_t count = (size_t)call->args[2];
	if (pager_owns_fd((int)call->args[0]))
		return bad_descriptor(context);
	if (count > PLAN_VECTORS_MAX || !is_pinned(call))
		return GATE_ISSUE;
	if (pin_vectors_always(thread, at, count, transfer_access(call)) != 0 ||
	    census_is_memory((int)call->args[0]))
		return transfer_cut(thread, at, count, 0);
	return GATE_ISSUE;
}

enum gate_verdict
plan_message(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	struct gate_message message;
	uintptr_t at = (uintptr_t)call->args[1];
	if (!gate.config.pins)
		return GATE_ISSUE;
	pin(thread, at, sizeof(message), QR_ACCESS_WRITE);
	if (user_read(&message, at, sizeof(message)) != 0 ||
	    message.vector_count > PLAN_VECTORS_MAX)
		return GATE_ISSUE;
	if (pin_message(thread, &message, transfer_access(call)) != 0)
		return transfer_cut(thread, message.vectors,
		    message.vector_count, at);
	return GATE_ISSUE;
}
