/* SPDX-License-Identifier: MIT */
/*
 * gate/async_impl.h: what async.c offers to uring.c and aio.c. The essay is
 * in async.c.
 */
#ifndef QR_GATE_ASYNC_IMPL_H
#define QR_GATE_ASYNC_IMPL_H

#include "plan.h"

#define ASYNC_BUCKETS 64u

/* A range that stays in. (async lock) while it is free */
struct async_use {
	struct async_use *next; /* of the same request, or free */
	struct qr_pin pin;
	size_t size_bytes;
};

/* What the kernel has been asked for and has not answered. (async lock) */
struct async_request {
	struct async_request *next;  /* of the bucket, or free */
	struct async_request *batch; /* (o) next that the same call submits */
	struct async_use *uses;
	uint64_t key;  /* by which its completion is known */
	uint32_t done; /* in the first of its key: how many of them are */
};

/* What a submission queue and its completion queue look like from here. */
struct async_view {
	_Atomic(uint32_t) *submit_head;
	_Atomic(uint32_t) *submit_tail;
	uint32_t *submit_array; /* NULL: entries are taken in order */
	unsigned char *entries;
	_Atomic(uint32_t) *done_tail;
	unsigned char *done;
	uint32_t submit_mask;
	uint32_t entry_size; /* bytes */
	uint32_t done_count; /* entries of done[] */
	uint32_t done_size;  /* bytes of one */
	void *mapped[2];
	size_t mapped_size[2]; /* bytes */
};

/* An io_uring or an aio context. */
struct async_ring {
	struct async_ring *next;
	uint64_t id; /* (c) its descriptor; the address of the context */
	bool is_aio; /* (c) */
	struct async_view view; /* (c) */
	uint32_t seen; /* (async lock) completions that have been looked at */
	struct async_request *bucket[ASYNC_BUCKETS]; /* (async lock) */
	struct async_use *registered; /* (async lock) until unregistered */
	struct async_use *provided;   /* (async lock) until the ring goes */
};

/* NULL: no memory; there is none. */
struct async_ring *async_ring_new(uint64_t id, bool is_aio);
struct async_ring *async_ring_find(uint64_t id, bool is_aio);
/* Nothing of it is in use any more, or it can't be known when. */
void async_ring_free(struct qr_thread *thread, struct async_ring *ring);

/* A request that is about to be submitted. NULL: no memory. */
struct async_request *async_begin(struct async_ring *ring, uint64_t key);
/* It has not been. */
void async_undo(struct async_ring *ring, struct async_request *request);
/* A request of that key has been answered for good. */
void async_complete(struct async_ring *ring, uint64_t key);

/* Keeps a range in, on the list. -ENOMEM: that would be too much; what can't
 * be touched is left to the kernel to refuse. */
int async_use(struct qr_thread *thread, struct async_use **list,
    uintptr_t start, size_t size_bytes, unsigned access);
void async_release(struct async_use **list);
/* Whether one range of the list has all of that one. */
bool async_uses(const struct async_use *list, uintptr_t start,
    size_t size_bytes);

/* The vectors at the address and what they name. */
int async_use_vectors(struct qr_thread *thread, struct async_use **list,
    uintptr_t at, size_t count, unsigned access);

#endif
