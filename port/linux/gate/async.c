/* SPDX-License-Identifier: MIT */
/*
 * gate/async.c: memory that the kernel uses after a call is over.
 *
 * 1. Purpose. io_uring and aio are told of buffers by one call and touch them
 * at some later time, with no call of that thread's in sight, until they
 * post a completion in memory that the program reads without a call. So what
 * a request names has to stay in from before it is submitted until it has
 * been answered.
 *
 * 2. How. The gate maps the queues of an io_uring a second time (those of aio
 * lie at the context's address), so that it can read what is about to be
 * submitted, and what has been completed since it last looked. It looks at
 * every call that submits: the pins of what is answered are dropped, those
 * of what is new are taken. Between two looks no more can be completed than
 * was outstanding, so nothing is overlooked, but for requests with many
 * answers, whose last one may be.
 *
 * 3. Requests are known by what their completion bears: user_data, or the
 * address of the iocb. Programs may give the same user_data to several; then
 * what they name is let go when all of them are answered.
 *
 * 4. Failure. All of this holds at most half of the frames. A transfer that
 * would need more is made shorter, as the kernel may make it too; what can't
 * be made shorter is submitted as it is, and counted. Registering more
 * buffers than that is ENOMEM.
 *
 * A ring that is closed is taken down by the kernel in its own time: what it
 * was still at stays in for ORPHAN_SECONDS more. A second descriptor of a ring,
 * or an inherited one, submits nothing (EOPNOTSUPP).
 *
 * 5. What is refused, so that programs take another way, as on kernels that
 * are older: a thread of the kernel's that submits (SQPOLL: EPERM), queues in
 * the program's own memory and mixed sizes of entries (EINVAL), rings of
 * buffers and registered rings (EINVAL): in all of these memory is named
 * without a call.
 *
 * 6. Locks. One futex_lock for the lists; nothing is called under it. A
 * fork's child has no requests: it lets go of all, without the lists.
 */
#include <sys/mman.h>
#include <time.h>

#include "../../../core/base/check.h"
#include "async_impl.h"

#define CHUNK_SIZE ((size_t)64 << 10) /* memory for records, bytes */

/* The most that is held, of the frames. */
#define ASYNC_SHARE 2u

/* A ring that is closed is done with what it was at after this long. */
#define ORPHAN_SECONDS 30

struct async_chunk {
	struct async_chunk *next;
	struct async_use uses[];
};

#define CHUNK_USES                                                             \
	((CHUNK_SIZE - sizeof(struct async_chunk)) / sizeof(struct async_use))
#define CHUNK_REQUESTS (CHUNK_SIZE / sizeof(struct async_request))

static struct {
	struct futex_lock lock;
	struct async_ring *rings;             /* (lock) */
	struct async_use *free_uses;          /* (lock) */
	struct async_request *free_requests;  /* (lock) */
	_Atomic(struct async_chunk *) chunks; /* of uses; only grows */
	_Atomic(size_t) held;                 /* bytes */
	struct async_use *orphans;            /* (lock) */
	time_t orphaned;                      /* (lock) the last, seconds */
} async;

static void *
memory_new(size_t size_bytes)
{
	long result = qr_sys6(SYS_mmap, 0, (long)size_bytes,
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return qr_sys_failed(result) ? NULL : (void *)result;
}

/* --- records --- */

static struct async_use *
use_new(void)
{
	futex_lock_acquire(&async.lock);
	if (async.free_uses == NULL) {
		struct async_chunk *chunk = memory_new(CHUNK_SIZE);
		for (size_t i = 0; chunk != NULL && i < CHUNK_USES; i++) {
			chunk->uses[i].next = async.free_uses;
			async.free_uses = &chunk->uses[i];
		}
		if (chunk != NULL) {
			chunk->next = atomic_load(&async.chunks);
			atomic_store(&async.chunks, chunk);
		}
	}
	struct async_use *use = async.free_uses;
	if (use != NULL)
		async.free_uses = use->next;
	futex_lock_release(&async.lock);
	return use;
}

static struct async_request *
request_new_locked(void)
{
	if (async.free_requests == NULL) {
		struct async_request *more = memory_new(CHUNK_SIZE);
		for (size_t i = 0; more != NULL && i < CHUNK_REQUESTS; i++) {
			more[i].next = async.free_requests;
			async.free_requests = &more[i];
		}
	}
	struct async_request *request = async.free_requests;
	if (request != NULL)
		async.free_requests = request->next;
	return request;
}

static void
release_locked(struct async_use **list)
{
	while (*list != NULL) {
		struct async_use *use = *list;
		*list = use->next;
		pager_unpin_long(&use->pin);
		atomic_fetch_sub(&async.held, use->size_bytes);
		use->next = async.free_uses;
		async.free_uses = use;
	}
}

/* What a ring that is closed was still at; those of long ago are let go. */
static void
orphan_locked(struct async_use **list)
{
	struct timespec now;
	qr_sys2(SYS_clock_gettime, (long)CLOCK_MONOTONIC, &now);
	if (now.tv_sec > async.orphaned + ORPHAN_SECONDS)
		release_locked(&async.orphans);
	async.orphaned = now.tv_sec;
	while (*list != NULL) {
		struct async_use *use = *list;
		*list = use->next;
		use->next = async.orphans;
		async.orphans = use;
	}
}

void
async_release(struct async_use **list)
{
	futex_lock_acquire(&async.lock);
	release_locked(list);
	futex_lock_release(&async.lock);
}

bool
async_uses(const struct async_use *list, uintptr_t start, size_t size_bytes)
{
	for (; list != NULL; list = list->next) {
		if (list->pin.start <= start &&
		    list->pin.end >= start + size_bytes)
			return true;
	}
	return false;
}

int
async_use(struct qr_thread *thread, struct async_use **list, uintptr_t start,
    size_t size_bytes, unsigned access)
{
	size_t most = pager_pin_limit() * (8 / ASYNC_SHARE);
	if (start == 0 || size_bytes == 0)
		return 0;
	if (size_bytes > most ||
	    atomic_fetch_add(&async.held, size_bytes) + size_bytes > most) {
		if (size_bytes <= most)
			atomic_fetch_sub(&async.held, size_bytes);
		return -ENOMEM;
	}
	struct async_use *use = use_new();
	int error = use == NULL ? -ENOMEM
				: pager_pin_long(thread, &use->pin, start,
				      size_bytes, access);
	if (error == -EFAULT && access == QR_ACCESS_WRITE)
		error = pager_pin_long(thread, &use->pin, start, size_bytes,
		    QR_ACCESS_READ);
	if (use == NULL) {
		atomic_fetch_sub(&async.held, size_bytes);
		return -ENOMEM;
	}
	use->size_bytes = size_bytes;
	futex_lock_acquire(&async.lock);
	use->next = *list;
	*list = use;
	futex_lock_release(&async.lock);
	return error == -EFAULT ? 0 : error;
}

int
async_use_vectors(struct qr_thread *thread, struct async_use **list,
    uintptr_t at, size_t count, unsigned access)
{
	if (count > PLAN_VECTORS_MAX)
		return 0;
	int error = async_use(thread, list, at,
	    count * sizeof(struct gate_vector), QR_ACCESS_READ);
	for (size_t i = 0; i < count && error == 0; i++) {
		struct gate_vector vector;
		if (user_read(&vector, at + i * sizeof(vector),
			sizeof(vector)) != 0)
			return 0;
		error = async_use(thread, list, vector.base, vector.size_bytes,
		    access);
	}
	return error;
}

/* --- requests --- */

static struct async_request **
bucket_of(struct async_ring *ring, uint64_t key)
{
	/* Fibonacci hashing. */
	uint64_t hash = key * UINT64_C(0x9e3779b97f4a7c15) >> 32;
	return &ring->bucket[hash % ASYNC_BUCKETS];
}

struct async_request *
async_begin(struct async_ring *ring, uint64_t key)
{
	futex_lock_acquire(&async.lock);
	struct async_request *request = request_new_locked();
	if (request != NULL) {
		struct async_request **at = bucket_of(ring, key);
		*request = (struct async_request){ .next = *at, .key = key };
		/* The newest of a key is the first: it keeps the count. */
		for (struct async_request *other = *at; other != NULL;
		     other = other->next) {
			if (other->key == key) {
				request->done = other->done;
				break;
			}
		}
		*at = request;
	}
	futex_lock_release(&async.lock);
	return request;
}

/* Lets go of all requests of the key if they are all done. */
static void
settle_locked(struct async_ring *ring, uint64_t key)
{
	struct async_request **bucket = bucket_of(ring, key);
	uint32_t count = 0;
	uint32_t done = 0;
	for (struct async_request *r = *bucket; r != NULL; r = r->next) {
		if (r->key == key && count++ == 0)
			done = r->done;
	}
	if (count == 0 || done < count)
		return;
	for (struct async_request **at = bucket; *at != NULL;) {
		struct async_request *r = *at;
		if (r->key != key) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		release_locked(&r->uses);
		r->next = async.free_requests;
		async.free_requests = r;
	}
}

void
async_complete(struct async_ring *ring, uint64_t key)
{
	futex_lock_acquire(&async.lock);
	struct async_request *r = *bucket_of(ring, key);
	while (r != NULL && r->key != key)
		r = r->next;
	if (r != NULL) {
		r->done++;
		settle_locked(ring, key);
	}
	futex_lock_release(&async.lock);
}

void
async_undo(struct async_ring *ring, struct async_request *request)
{
	futex_lock_acquire(&async.lock);
	struct async_request **at = bucket_of(ring, request->key);
	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	release_locked(&request->uses);
	/* If it was the first of its key another one is now. */
	for (struct async_request *r = request->next; r != NULL; r = r->next) {
		if (r->key == request->key) {
			r->done =
			    request->done > r->done ? request->done : r->done;
			break;
		}
	}
	settle_locked(ring, request->key);
	request->next = async.free_requests;
	async.free_requests = request;
	futex_lock_release(&async.lock);
}

/* --- rings --- */

struct async_ring *
async_ring_new(uint64_t id, bool is_aio)
{
	struct async_ring *ring = memory_new(sizeof(*ring));
	if (ring == NULL)
		return NULL;
	ring->id = id;
	ring->is_aio = is_aio;
	futex_lock_acquire(&async.lock);
	ring->next = async.rings;
	async.rings = ring;
	futex_lock_release(&async.lock);
	return ring;
}

struct async_ring *
async_ring_find(uint64_t id, bool is_aio)
{
	futex_lock_acquire(&async.lock);
	struct async_ring *ring = async.rings;
	while (ring != NULL && (ring->id != id || ring->is_aio != is_aio))
		ring = ring->next;
	futex_lock_release(&async.lock);
	return ring;
}

void
async_ring_free(struct qr_thread *thread, struct async_ring *ring)
{
	(void)thread;
	futex_lock_acquire(&async.lock);
	struct async_ring **at = &async.rings;
	while (*at != NULL && *at != ring)
		at = &(*at)->next;
	if (*at == ring)
		*at = ring->next;
	release_locked(&ring->registered);
	release_locked(&ring->provided);
	for (unsigned i = 0; i < ASYNC_BUCKETS; i++) {
		while (ring->bucket[i] != NULL) {
			struct async_request *r = ring->bucket[i];
			ring->bucket[i] = r->next;
			/* An io_uring that is closed may still be at it. */
			if (ring->is_aio)
				release_locked(&r->uses);
			else
				orphan_locked(&r->uses);
			r->next = async.free_requests;
			async.free_requests = r;
		}
	}
	futex_lock_release(&async.lock);
	for (unsigned i = 0; i < 2; i++) {
		if (ring->view.mapped[i] != NULL)
			qr_sys2(SYS_munmap, ring->view.mapped[i],
			    ring->view.mapped_size[i]);
	}
	qr_sys2(SYS_munmap, ring, sizeof(*ring));
}

/* The io_uring with the least descriptor in [first, last]. */
static struct async_ring *
ring_in_range(int first, int last)
{
	struct async_ring *found = NULL;
	futex_lock_acquire(&async.lock);
	for (struct async_ring *ring = async.rings; ring != NULL;
	     ring = ring->next) {
		if (!ring->is_aio && ring->id >= (uint64_t)first &&
		    ring->id <= (uint64_t)last)
			found = ring;
	}
	futex_lock_release(&async.lock);
	return found;
}

void
async_closing(struct qr_thread *thread, int first, int last)
{
	/* A guest's are a copy. Racy read: who closes a descriptor has made
	 * it before. */
	if (QR_LIKELY(async.rings == NULL) || thread->guest || first < 0)
		return;
	struct async_ring *ring;
	while ((ring = ring_in_range(first, last)) != NULL)
		async_ring_free(thread, ring);
}

void
async_forked(void)
{
	struct async_chunk *chunk = atomic_load(&async.chunks);
	for (; chunk != NULL; chunk = chunk->next) {
		for (size_t i = 0; i < CHUNK_USES; i++)
			pager_unpin_long(&chunk->uses[i].pin);
	}
	atomic_store(&async.lock.word, 0);
	async.rings = NULL;
	async.free_uses = NULL;
	async.free_requests = NULL;
	async.orphans = NULL;
	atomic_store(&async.held, 0);
}
