/* SPDX-License-Identifier: MIT */
/*
 * gate/uring.c: io_uring. What it takes stands in async.c.
 *
 * An entry is read when it is about to be submitted: from then on the kernel
 * has it. What its fields mean follows from its operation; of operations that
 * are not known here, words that may be addresses are taken for such. Entries
 * that would change Quire's picture are changed: advice on memory is carried
 * out by the pager and becomes an entry that does nothing, one of Quire's
 * descriptors becomes none.
 */
#include <linux/io_uring.h>
#include <sys/mman.h>

#include "async_impl.h"
#include "signal_impl.h"

#define PATH_SIZE    4096u /* bytes */
#define ADDRESS_SIZE 128u  /* struct sockaddr_storage, bytes */
#define STATX_SIZE   256u  /* bytes */
#define TIME_SIZE    16u   /* struct timespec, bytes */
#define EVENT_SIZE   12u   /* struct epoll_event, bytes */
#define GUESS_SIZE   ((size_t)16 << 10)

/* What later kernels have and Debian 12's header lacks. */
#define SETUP_NO_MMAP    (1u << 14)
#define SETUP_CQE_MIXED  (1u << 18)
#define SETUP_SQE_MIXED  (1u << 19)
#define SETUP_NO_SQARRAY (1u << 16)
#define ENTER_ABS_TIMER  (1u << 5)
#define ENTER_NO_IOWAIT  (1u << 7)
#define FEAT_REG_REG     (1u << 13) /* rings by registered numbers */

enum {
	OP_SENDMSG_ZC = 48,
	OP_READ_MULTISHOT = 49,
	OP_FUTEX_WAIT = 51,
	OP_FUTEX_WAKE = 52,
	OP_FUTEX_WAITV = 53,
	OP_FTRUNCATE = 55,
	OP_BIND = 56,
	OP_EPOLL_WAIT = 59,
	OP_READV_FIXED = 60,
	OP_WRITEV_FIXED = 61,
	OP_PIPE = 62,
	OP_NONE = 255, /* the kernel answers EINVAL */
};

static enum gate_verdict
done(struct gate_context *context, long result)
{
	gate_result(context, result);
	return GATE_DONE;
}

/* --- setup --- */

static void *
view_map(struct async_view *view, unsigned n, int fd, size_t size_bytes,
    uint64_t offset)
{
	long result =
	    qr_sys6(SYS_mmap, 0, (long)size_bytes, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_POPULATE, fd, (long)offset);
	if (qr_sys_failed(result))
		return NULL;
	view->mapped[n] = (void *)result;
	view->mapped_size[n] = size_bytes;
	qr_sys3(SYS_madvise, result, size_bytes, (long)MADV_DONTFORK);
	return (void *)result;
}

static void *
view_at(void *base, uint32_t offset)
{
	return (unsigned char *)base + offset;
}

/* 0 or -ENOMEM */
static int
view_open(struct async_view *view, int fd, const struct io_uring_params *params)
{
	bool large = (params->flags & IORING_SETUP_SQE128) != 0;
	bool wide = (params->flags & IORING_SETUP_CQE32) != 0;
	view->entry_size = large ? 128 : 64;
	view->done_size = wide ? 32 : 16;
	view->done_count = params->cq_entries;
	view->submit_mask = params->sq_entries - 1;
	size_t size =
	    params->cq_off.cqes + (size_t)params->cq_entries * view->done_size;
	size_t array = params->sq_off.array + params->sq_entries * 4u;
	if ((params->flags & SETUP_NO_SQARRAY) == 0 && array > size)
		size = array;
	void *ring = view_map(view, 0, fd, size, IORING_OFF_SQ_RING);
	view->entries = view_map(view, 1, fd,
	    (size_t)params->sq_entries * view->entry_size, IORING_OFF_SQES);
	if (ring == NULL || view->entries == NULL)
		return -ENOMEM;
	view->submit_head = view_at(ring, params->sq_off.head);
	view->submit_tail = view_at(ring, params->sq_off.tail);
	if ((params->flags & SETUP_NO_SQARRAY) == 0)
		view->submit_array = view_at(ring, params->sq_off.array);
	view->done_tail = view_at(ring, params->cq_off.tail);
	view->done = view_at(ring, params->cq_off.cqes);
	return 0;
}

enum gate_verdict
plan_uring_setup(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	struct io_uring_params params;
	uintptr_t at = (uintptr_t)call->args[1];
	if (user_read(&params, at, sizeof(params)) != 0)
		return done(context, -EFAULT);
	if ((params.flags & IORING_SETUP_SQPOLL) != 0)
		return done(context, -EPERM);
	if ((params.flags &
		(SETUP_NO_MMAP | SETUP_CQE_MIXED | SETUP_SQE_MIXED)) != 0)
		return done(context, -EINVAL);
	long fd = qr_sys2(SYS_io_uring_setup, call->args[0], &params);
	if (qr_sys_failed(fd))
		return done(context, fd);
	params.features &= ~FEAT_REG_REG;
	struct async_ring *ring = async_ring_new((uint64_t)fd, false);
	if (ring == NULL || view_open(&ring->view, (int)fd, &params) != 0 ||
	    user_write(at, &params, sizeof(params)) != 0) {
		if (ring != NULL)
			async_ring_free(thread, ring);
		qr_sys1(SYS_close, fd);
		return done(context, ring == NULL ? -ENOMEM : -EFAULT);
	}
	return done(context, fd);
}

/* --- entries --- */

static struct io_uring_sqe *
entry_at(const struct async_view *view, uint32_t n)
{
	uint32_t index = n & view->submit_mask;
	if (view->submit_array != NULL)
		index = view->submit_array[index];
	if (index > view->submit_mask)
		return NULL; /* the kernel drops it */
	return (void *)(view->entries + (size_t)index * view->entry_size);
}

/* A transfer's buffer; if it is too much, as much of it as can be had. */
static int
use_buffer(struct qr_thread *thread, struct async_use **uses,
    struct io_uring_sqe *entry, unsigned access)
{
	size_t size = entry->len;
	while (async_use(thread, uses, entry->addr, size, access) != 0) {
		size /= 2;
		if (size < QR_PAGE_SIZE)
			return -ENOMEM;
	}
	entry->len = (uint32_t)size;
	return 0;
}

static int
use_message(struct qr_thread *thread, struct async_use **uses, uintptr_t at,
    unsigned access)
{
	struct gate_message message;
	int error =
	    async_use(thread, uses, at, sizeof(message), QR_ACCESS_WRITE);
	if (user_read(&message, at, sizeof(message)) != 0)
		return 0;
	error |= async_use(thread, uses, message.name,
	    (uint32_t)message.name_size, access);
	error |= async_use(thread, uses, message.control, message.control_size,
	    access);
	error |= async_use_vectors(thread, uses, message.vectors,
	    message.vector_count, access);
	return error;
}

static int
use_text(struct qr_thread *thread, struct async_use **uses, uintptr_t text)
{
	long size = user_string_size(text, PATH_SIZE);
	return size <= 0 ? 0
			 : async_use(thread, uses, text, (size_t)size,
			       QR_ACCESS_READ);
}

/* What an operation that is not known may point to. */
static int
use_words(struct qr_thread *thread, struct async_use **uses,
    const struct io_uring_sqe *entry)
{
	const uint64_t words[] = { entry->off, entry->addr, entry->addr3 };
	int error = 0;
	for (unsigned i = 0; i < 3; i++) {
		size_t size = GUESS_SIZE;
		if (words[i] < QR_PAGE_SIZE || words[i] >> 47 != 0)
			continue;
		error =
		    async_use(thread, uses, words[i], size, QR_ACCESS_WRITE);
	}
	return error;
}

/* Buffers that are given to be used at any time; most are given again. */
static int
use_provided(struct qr_thread *thread, struct async_ring *ring,
    const struct io_uring_sqe *entry)
{
	size_t size = (size_t)entry->len * (unsigned)entry->fd;
	if (async_uses(ring->provided, entry->addr, size))
		return 0;
	return async_use(thread, &ring->provided, entry->addr, size,
	    QR_ACCESS_WRITE);
}

/* The pager carries it out; what is left of the entry does nothing. */
static void
entry_advise(struct qr_thread *thread, struct io_uring_sqe *entry)
{
	uint64_t size = entry->off != 0 ? entry->off : entry->len;
	const long args[6] = { (long)entry->addr, (long)size,
		entry->fadvise_advice };
	long result = pager_mapping_call(thread, SYS_madvise, args);
	entry->opcode = result == 0 ? IORING_OP_NOP : OP_NONE;
	entry->rw_flags = 0;
	entry->fd = -1;
	entry->addr = 0;
	entry->off = 0;
	entry->len = 0;
}

static int
use_sent(struct qr_thread *thread, struct async_use **uses,
    struct io_uring_sqe *entry)
{
	int error = use_buffer(thread, uses, entry, QR_ACCESS_READ);
	if (entry->opcode != IORING_OP_WRITE && entry->addr_len != 0)
		error |= async_use(thread, uses, entry->addr2, entry->addr_len,
		    QR_ACCESS_READ);
	return error;
}

/* The operations that move bytes. true: it is one of them. */
static bool
use_transfer(struct qr_thread *thread, struct async_use **uses,
    struct io_uring_sqe *entry, int *error)
{
	switch ((int)entry->opcode) {
	case IORING_OP_READ:
	case IORING_OP_RECV:
		*error = use_buffer(thread, uses, entry, QR_ACCESS_WRITE);
		return true;
	case IORING_OP_SEND_ZC:
		if ((entry->ioprio & IORING_RECVSEND_FIXED_BUF) == 0)
			*error = use_sent(thread, uses, entry);
		return true;
	case IORING_OP_WRITE:
	case IORING_OP_SEND:
		*error = use_sent(thread, uses, entry);
		return true;
	case IORING_OP_READV:
		*error = async_use_vectors(thread, uses, entry->addr,
		    entry->len, QR_ACCESS_WRITE);
		return true;
	case IORING_OP_WRITEV:
		*error = async_use_vectors(thread, uses, entry->addr,
		    entry->len, QR_ACCESS_READ);
		return true;
	case OP_READV_FIXED:
	case OP_WRITEV_FIXED:
		*error = async_use(thread, uses, entry->addr,
		    entry->len * sizeof(struct gate_vector), QR_ACCESS_READ);
		return true;
	case IORING_OP_RECVMSG:
		*error =
		    use_message(thread, uses, entry->addr, QR_ACCESS_WRITE);
		return true;
	case IORING_OP_SENDMSG:
	case OP_SENDMSG_ZC:
		*error = use_message(thread, uses, entry->addr, QR_ACCESS_READ);
		return true;
	default:
		return false;
	}
}

/* The operations on names. */
static bool
use_names(struct qr_thread *thread, struct async_use **uses,
    const struct io_uring_sqe *entry, int *error)
{
	switch ((int)entry->opcode) {
	case IORING_OP_OPENAT2:
		*error = async_use(thread, uses, entry->off, entry->len,
		    QR_ACCESS_READ);
		break;
	case IORING_OP_STATX:
		*error = async_use(thread, uses, entry->off, STATX_SIZE,
		    QR_ACCESS_WRITE);
		break;
	case IORING_OP_RENAMEAT:
	case IORING_OP_SYMLINKAT:
	case IORING_OP_LINKAT:
		*error = use_text(thread, uses, entry->addr2);
		break;
	case IORING_OP_FSETXATTR:
	case IORING_OP_SETXATTR:
	case IORING_OP_FGETXATTR:
	case IORING_OP_GETXATTR:
		*error = async_use(thread, uses, entry->addr2, entry->len,
		    QR_ACCESS_WRITE);
		*error |= use_text(thread, uses, entry->addr3);
		break;
	case IORING_OP_OPENAT:
	case IORING_OP_UNLINKAT:
	case IORING_OP_MKDIRAT:
		break;
	default:
		return false;
	}
	*error |= use_text(thread, uses, entry->addr);
	return true;
}

static int
use_small(struct qr_thread *thread, struct async_use **uses,
    const struct io_uring_sqe *entry)
{
	switch ((int)entry->opcode) {
	case IORING_OP_TIMEOUT:
	case IORING_OP_LINK_TIMEOUT:
		return async_use(thread, uses, entry->addr, TIME_SIZE,
		    QR_ACCESS_READ);
	case IORING_OP_TIMEOUT_REMOVE:
		return async_use(thread, uses, entry->addr2, TIME_SIZE,
		    QR_ACCESS_READ);
	case IORING_OP_ACCEPT:
		return async_use(thread, uses, entry->addr, ADDRESS_SIZE,
			   QR_ACCESS_WRITE) |
		       async_use(thread, uses, entry->addr2, 4,
			   QR_ACCESS_WRITE);
	case IORING_OP_CONNECT:
		return async_use(thread, uses, entry->addr, entry->off,
		    QR_ACCESS_READ);
	case OP_BIND:
		return async_use(thread, uses, entry->addr, entry->addr2,
		    QR_ACCESS_READ);
	case IORING_OP_EPOLL_CTL:
		return async_use(thread, uses, entry->addr, EVENT_SIZE,
		    QR_ACCESS_READ);
	case OP_EPOLL_WAIT:
		return async_use(thread, uses, entry->addr,
		    (size_t)entry->len * EVENT_SIZE, QR_ACCESS_WRITE);
	case IORING_OP_FILES_UPDATE:
		return async_use(thread, uses, entry->addr,
		    (size_t)entry->len * 4, QR_ACCESS_WRITE);
	case OP_PIPE:
		return async_use(thread, uses, entry->addr, 8, QR_ACCESS_WRITE);
	case OP_FUTEX_WAIT:
	case OP_FUTEX_WAKE:
		return async_use(thread, uses, entry->addr, 4, QR_ACCESS_READ);
	case IORING_OP_NOP:
	case IORING_OP_FSYNC:
	case IORING_OP_READ_FIXED:
	case IORING_OP_WRITE_FIXED:
	case IORING_OP_POLL_ADD:
	case IORING_OP_POLL_REMOVE:
	case IORING_OP_SYNC_FILE_RANGE:
	case IORING_OP_ASYNC_CANCEL:
	case IORING_OP_FALLOCATE:
	case IORING_OP_CLOSE:
	case IORING_OP_FADVISE:
	case IORING_OP_SPLICE:
	case IORING_OP_TEE:
	case IORING_OP_REMOVE_BUFFERS:
	case IORING_OP_SHUTDOWN:
	case IORING_OP_MSG_RING:
	case IORING_OP_SOCKET:
	case OP_FTRUNCATE:
		return 0;
	default:
		return use_words(thread, uses, entry);
	}
}

static void
entry_take(struct qr_thread *thread, struct async_ring *ring,
    struct async_request *request, struct io_uring_sqe *entry)
{
	int error = 0;
	if ((entry->flags & IOSQE_FIXED_FILE) == 0 &&
	    entry->opcode != IORING_OP_PROVIDE_BUFFERS &&
	    pager_owns_fd(entry->fd))
		entry->fd = -1;
	if (entry->opcode == IORING_OP_CLOSE && entry->file_index == 0)
		async_closing(thread, entry->fd, entry->fd);
	if (entry->opcode == IORING_OP_MADVISE)
		entry_advise(thread, entry);
	else if (entry->opcode == IORING_OP_PROVIDE_BUFFERS)
		error = use_provided(thread, ring, entry);
	else if (!use_transfer(thread, &request->uses, entry, &error) &&
		 !use_names(thread, &request->uses, entry, &error))
		error = use_small(thread, &request->uses, entry);
	if (error != 0)
		atomic_fetch_add_explicit(&gate.unpinned, 1,
		    memory_order_relaxed); /* a statistic */
}

/* --- enter --- */

/* Looks at what has been completed since the last time. */
static void
reap(struct async_ring *ring)
{
	const struct async_view *view = &ring->view;
	uint32_t tail = atomic_load(view->done_tail);
	/* What has been written over is lost: its memory stays in. */
	if (tail - ring->seen > view->done_count)
		ring->seen = tail - view->done_count;
	for (; ring->seen != tail; ring->seen++) {
		uint32_t n = ring->seen & (view->done_count - 1);
		struct io_uring_cqe completion;
		const struct io_uring_cqe *from =
		    (const void *)(view->done + (size_t)n * view->done_size);
		completion.user_data = from->user_data;
		completion.flags = from->flags;
		if ((completion.flags & IORING_CQE_F_MORE) == 0)
			async_complete(ring, completion.user_data);
	}
}

/* Takes what is about to be submitted, in order. */
static void
take(struct qr_thread *thread, struct async_ring *ring, uint32_t count)
{
	const struct async_view *view = &ring->view;
	struct async_request **last = &thread->gate->batch;
	uint32_t head = atomic_load(view->submit_head);
	uint32_t ready = atomic_load(view->submit_tail) - head;
	*last = NULL;
	for (uint32_t i = 0; i < count && i < ready; i++) {
		struct io_uring_sqe *entry = entry_at(view, head + i);
		struct async_request *request =
		    async_begin(ring, entry == NULL ? 0 : entry->user_data);
		if (request == NULL)
			return;
		*last = request;
		last = &request->batch;
		if (entry != NULL)
			entry_take(thread, ring, request, entry);
	}
}

static enum gate_verdict
enter_finish(struct qr_thread *thread, struct gate_context *context,
    enum gate_end end)
{
	struct qr_gate_thread *gate_thread = thread->gate;
	long result = (long)context->reg[GATE_RAX];
	uint32_t consumed = 0;
	struct async_ring *ring =
	    async_ring_find((uint32_t)gate_thread->call.args[0], false);
	if (end != GATE_PREVENTED && result > 0)
		consumed = (uint32_t)result;
	struct async_request *request = gate_thread->batch;
	for (; request != NULL && ring != NULL && consumed != 0; consumed--)
		request = request->batch;
	while (request != NULL && ring != NULL) {
		struct async_request *next = request->batch;
		async_undo(ring, request);
		request = next;
	}
	gate_thread->batch = NULL;
	if (ring != NULL)
		reap(ring);
	return end == GATE_PREVENTED ? GATE_AGAIN : GATE_DONE;
}

/* The argument of a wait; it may have a mask, of which a copy goes. */
static int
enter_argument(struct qr_thread *thread, struct gate_call *issue)
{
	struct qr_gate_thread *gate_thread = thread->gate;
	struct gate_uring_argument *argument = &gate_thread->uring_argument;
	uintptr_t mask = (uintptr_t)issue->args[4];
	bool extended = (issue->args[3] & IORING_ENTER_EXT_ARG) != 0;
	if (mask == 0)
		return 0;
	if (extended) {
		if (issue->args[5] != (long)sizeof(*argument))
			return -EINVAL;
		if (user_read(argument, mask, sizeof(*argument)) != 0)
			return -EFAULT;
		pin(thread, argument->time, TIME_SIZE, QR_ACCESS_READ);
		issue->args[4] = QR_SYS_ARG(argument);
		mask = argument->mask;
		if (mask == 0)
			return 0;
	}
	if (mask_record(thread, mask) != 0)
		return -EFAULT;
	if (extended)
		argument->mask = (uintptr_t)&gate_thread->kernel_mask;
	else
		issue->args[4] = QR_SYS_ARG(&gate_thread->kernel_mask);
	gate_thread->call_mask_set = true;
	return 0;
}

enum gate_verdict
plan_uring_enter(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	const long known = IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP |
			   IORING_ENTER_SQ_WAIT | IORING_ENTER_EXT_ARG |
			   (long)(ENTER_ABS_TIMER | ENTER_NO_IOWAIT);
	struct gate_call issue = *call;
	struct async_ring *ring =
	    async_ring_find((uint32_t)call->args[0], false);
	if ((call->args[3] & ~known) != 0)
		return done(context, -EINVAL);
	if (ring == NULL && (uint32_t)call->args[1] != 0)
		return done(context, -EOPNOTSUPP);
	int error = enter_argument(thread, &issue);
	if (error != 0)
		return done(context, error);
	if (thread->gate->call_mask_set &&
	    held_interrupt(thread, context, thread->gate->call_mask)) {
		thread->gate->call_mask_set = false;
		return GATE_DONE;
	}
	thread->gate->batch = NULL;
	if (ring != NULL) {
		reap(ring);
		take(thread, ring, (uint32_t)call->args[1]);
	}
	watch(thread, &issue, enter_finish);
	return GATE_WATCH;
}

/* --- register --- */

static long
register_buffers(struct qr_thread *thread, struct async_ring *ring,
    const struct gate_call *call)
{
	size_t count = (uint32_t)call->args[3];
	if (count > PLAN_VECTORS_MAX)
		return -EINVAL;
	int error = async_use_vectors(thread, &ring->registered,
	    (uintptr_t)call->args[2], count, QR_ACCESS_WRITE);
	long result = error;
	if (error == 0)
		result = qr_sys4(SYS_io_uring_register, call->args[0],
		    call->args[1], call->args[2], call->args[3]);
	if (result != 0)
		async_release(&ring->registered);
	return result;
}

/* Whose memory is used by the call alone. */
static bool
is_plain(long operation)
{
	switch (operation) {
	case IORING_REGISTER_FILES:
	case IORING_UNREGISTER_FILES:
	case IORING_REGISTER_EVENTFD:
	case IORING_UNREGISTER_EVENTFD:
	case IORING_REGISTER_FILES_UPDATE:
	case IORING_REGISTER_EVENTFD_ASYNC:
	case IORING_REGISTER_PROBE:
	case IORING_REGISTER_PERSONALITY:
	case IORING_UNREGISTER_PERSONALITY:
	case IORING_REGISTER_RESTRICTIONS:
	case IORING_REGISTER_ENABLE_RINGS:
	case IORING_REGISTER_IOWQ_AFF:
	case IORING_UNREGISTER_IOWQ_AFF:
	case IORING_REGISTER_IOWQ_MAX_WORKERS:
	case IORING_REGISTER_SYNC_CANCEL:
	case IORING_REGISTER_FILE_ALLOC_RANGE:
		return true;
	default:
		return false;
	}
}

enum gate_verdict
plan_uring_register(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	struct async_ring *ring =
	    async_ring_find((uint32_t)call->args[0], false);
	if (ring == NULL)
		return done(context, -EOPNOTSUPP);
	if (call->args[1] == IORING_REGISTER_BUFFERS)
		return done(context, register_buffers(thread, ring, call));
	if (call->args[1] == IORING_UNREGISTER_BUFFERS) {
		long result = qr_sys4(SYS_io_uring_register, call->args[0],
		    call->args[1], call->args[2], call->args[3]);
		if (result == 0)
			async_release(&ring->registered);
		return done(context, result);
	}
	if (!is_plain(call->args[1]))
		return done(context, -EINVAL);
	pin(thread, (uintptr_t)call->args[2], GUESS_SIZE, QR_ACCESS_WRITE);
	return GATE_ISSUE;
}
