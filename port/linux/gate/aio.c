/* SPDX-License-Identifier: MIT */
/*
 * gate/aio.c: the kernel's older asynchronous transfers (io_setup and so on).
 * What it takes stands in async.c. A context is known by its address, which
 * is that of its queue of completions; a request by its iocb's.
 */
#include <linux/aio_abi.h>

#include "async_impl.h"

#define AIO_REQUESTS_MAX 65536

/* The head of a context's queue as the kernel has it. */
struct aio_queue {
	uint32_t id;
	uint32_t count;
	_Atomic(uint32_t) head;
	_Atomic(uint32_t) tail;
	uint32_t magic;
	uint32_t compatible;
	uint32_t incompatible;
	uint32_t head_size;
	struct io_event events[];
};

#define AIO_MAGIC 0xa10a10a1u

static enum gate_verdict
done(struct gate_context *context, long result)
{
	gate_result(context, result);
	return GATE_DONE;
}

static void
reap(struct async_ring *ring)
{
	const struct aio_queue *queue = (const void *)ring->view.done;
	uint32_t tail = atomic_load(&queue->tail);
	for (; ring->seen != tail && tail < queue->count;
	     ring->seen = (ring->seen + 1) % queue->count)
		async_complete(ring, queue->events[ring->seen].obj);
}

/* It never waits. */
enum gate_verdict
plan_aio_setup(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	uintptr_t at = (uintptr_t)call->args[1];
	aio_context_t id;
	pin(thread, at, sizeof(id), QR_ACCESS_WRITE);
	long result = qr_sys2(SYS_io_setup, call->args[0], call->args[1]);
	if (result != 0 || user_read(&id, at, sizeof(id)) != 0)
		return done(context, result);
	const struct aio_queue *queue = (const void *)(uintptr_t)id;
	struct async_ring *ring =
	    queue->magic == AIO_MAGIC ? async_ring_new(id, true) : NULL;
	if (ring == NULL) {
		qr_sys1(SYS_io_destroy, id);
		return done(context, -EAGAIN);
	}
	ring->view.done = (unsigned char *)(uintptr_t)id;
	ring->seen = atomic_load(&queue->tail);
	return done(context, 0);
}

/* --- submitting --- */

static void
block_take(struct qr_thread *thread, struct async_request *request,
    uintptr_t at)
{
	struct iocb block;
	int error = 0;
	/* The kernel writes to it while it is submitted. */
	pin(thread, at, sizeof(block), QR_ACCESS_WRITE);
	if (user_read(&block, at, sizeof(block)) != 0)
		return;
	unsigned access = block.aio_lio_opcode == IOCB_CMD_PREAD ||
				  block.aio_lio_opcode == IOCB_CMD_PREADV
			      ? QR_ACCESS_WRITE
			      : QR_ACCESS_READ;
	switch (block.aio_lio_opcode) {
	case IOCB_CMD_PREAD:
	case IOCB_CMD_PWRITE:
		error = async_use(thread, &request->uses, block.aio_buf,
		    block.aio_nbytes, access);
		break;
	case IOCB_CMD_PREADV:
	case IOCB_CMD_PWRITEV:
		error = async_use_vectors(thread, &request->uses, block.aio_buf,
		    block.aio_nbytes, access);
		break;
	default:
		break;
	}
	if (error != 0)
		atomic_fetch_add_explicit(&gate.unpinned, 1,
		    memory_order_relaxed); /* a statistic */
}

static enum gate_verdict
submit_finish(struct qr_thread *thread, struct gate_context *context,
    enum gate_end end)
{
	struct qr_gate_thread *gate_thread = thread->gate;
	long result = (long)context->reg[GATE_RAX];
	long consumed = end != GATE_PREVENTED && result > 0 ? result : 0;
	struct async_ring *ring =
	    async_ring_find((uint64_t)gate_thread->call.args[0], true);
	struct async_request *request = gate_thread->batch;
	for (; request != NULL && consumed != 0; consumed--)
		request = request->batch;
	while (request != NULL && ring != NULL) {
		struct async_request *next = request->batch;
		async_undo(ring, request);
		request = next;
	}
	gate_thread->batch = NULL;
	return end == GATE_PREVENTED ? GATE_AGAIN : GATE_DONE;
}

enum gate_verdict
plan_aio_submit(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	uint64_t id = (uint64_t)call->args[0];
	long count = call->args[1];
	uintptr_t list = (uintptr_t)call->args[2];
	struct async_ring *ring = async_ring_find(id, true);
	struct async_request **last = &thread->gate->batch;
	*last = NULL;
	if (ring == NULL || count <= 0 || count > AIO_REQUESTS_MAX)
		return GATE_ISSUE;
	reap(ring);
	pin(thread, list, (size_t)count * sizeof(uintptr_t), QR_ACCESS_READ);
	for (long i = 0; i < count; i++) {
		uintptr_t at;
		if (user_read(&at, list + (size_t)i * sizeof(at), sizeof(at)) !=
		    0)
			break;
		struct async_request *request = async_begin(ring, at);
		if (request == NULL)
			break;
		*last = request;
		last = &request->batch;
		block_take(thread, request, at);
	}
	watch(thread, call, submit_finish);
	return GATE_WATCH;
}

/* --- the end --- */

static enum gate_verdict
destroy_finish(struct qr_thread *thread, struct gate_context *context,
    enum gate_end end)
{
	struct async_ring *ring =
	    async_ring_find((uint64_t)thread->gate->call.args[0], true);
	if (end == GATE_PREVENTED)
		return GATE_AGAIN;
	/* It has waited for all requests. */
	if (context->reg[GATE_RAX] == 0 && ring != NULL)
		async_ring_free(thread, ring);
	return GATE_DONE;
}

enum gate_verdict
plan_aio_destroy(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	watch(thread, call, destroy_finish);
	return GATE_WATCH;
}

/* io_getevents, io_pgetevents */
enum gate_verdict
plan_aio_events(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	struct async_ring *ring =
	    async_ring_find((uint64_t)call->args[0], true);
	if (ring != NULL)
		reap(ring);
	pin_counted(thread, call->args[3], call->args[2],
	    sizeof(struct io_event), QR_ACCESS_WRITE);
	pin(thread, (uintptr_t)call->args[4], 16, QR_ACCESS_READ);
	return call->number == SYS_io_pgetevents
		   ? plan_mask_pair(thread, context, call)
		   : GATE_ISSUE;
}
