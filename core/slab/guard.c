/* SPDX-License-Identifier: MIT */
/*
 * slab/guard.c: hard builds: what is kept behind each object to catch
 * overruns, double frees and writes to freed objects [slab.6].
 *
 *	| object, size_bytes | red zone, 0 to 7 bytes | struct guard | pad |
 *
 * The state word is one of two numbers, mixed with the object's address, so
 * that a copied or shifted guard is no guard. What a free object contains is
 * summed up when it is freed and compared when it is given out (the guard
 * remembers who did either last, and messages say it): poison where
 * there is no constructor, else the state that the owner promised to restore.
 */
#include "../base/bits.h"
#include "../base/check.h"
#include "slab_impl.h"

#define STATE_USED ((uint64_t)0x51ab05ed0b1ec701)
#define STATE_FREE ((uint64_t)0x51abf4eed0b1ec70)

#define POISON_RED  0xbb /* between object and guard */
#define POISON_FREE 0x6b /* contents of a freed object */
#define POISON_NEW  0xa5 /* contents of an object just given out */

struct guard {
	_Atomic(uint64_t) state; /* (a) STATE_* mixed with the address */
	void *taken_by;          /* where it was given out last */
	void *freed_by;          /* where it came back last; NULL: never */
	uint32_t sum;            /* of the contents, while free */
	uint16_t unused;
	uint16_t link; /* carve.c's, the last two bytes */
};
_Static_assert(sizeof(struct guard) == 32, "a guard is 32 bytes");

static struct guard *
guard_of(const struct qr_slab_cache *cache, const void *object)
{
	return (struct guard *)((uintptr_t)object + cache->guard_offset);
}

static uint64_t
guard_state(uint64_t state, const void *object)
{
	return state ^ (uint64_t)(uintptr_t)object;
}

/* Sum of n bytes, in the manner of Fowler, Noll and Vo. */
static uint32_t
guard_sum(const unsigned char *bytes, size_t n)
{
	uint32_t sum = 2166136261u;
	for (size_t i = 0; i < n; i++)
		sum = (sum ^ bytes[i]) * 16777619u;
	return sum;
}

static void
guard_check_red(const struct qr_slab_cache *cache, const void *object)
{
	const unsigned char *bytes = object;
	for (uint32_t i = cache->size_bytes; i < cache->guard_offset; i++)
		QR_ASSERT(bytes[i] == POISON_RED,
		    "slab.6: cache %s: object %p of %u bytes was written past "
		    "its end, at byte %u",
		    cache->name, object, cache->size_bytes, i);
}

/* Moves the guard from one state to the other, at once for all threads. */
static void
guard_move(const struct qr_slab_cache *cache, const void *object, uint64_t from,
    uint64_t to)
{
	struct guard *guard = guard_of(cache, object);
	/* Acquire and release: the two ends of a double free are in order. */
	uint64_t was = atomic_exchange_explicit(&guard->state,
	    guard_state(to, object), memory_order_acq_rel);
	QR_ASSERT(was != guard_state(to, object),
	    "slab.6: cache %s: object %p %s twice; taken by %p, freed by %p",
	    cache->name, object, to == STATE_FREE ? "freed" : "given out",
	    guard->taken_by, guard->freed_by);
	QR_ASSERT(was == guard_state(from, object),
	    "slab.6: cache %s: guard of object %p overwritten with 0x%llx",
	    cache->name, object, (unsigned long long)was);
}

uint32_t
qr_guard_extend(uint32_t size_bytes, uint32_t *offset)
{
	*offset = (uint32_t)qr_round_up(size_bytes, _Alignof(struct guard));
	return *offset + (uint32_t)sizeof(struct guard);
}

/* What a free object of the cache contains. */
static void
guard_seal(const struct qr_slab_cache *cache, void *object)
{
	if (cache->construct == NULL)
		__builtin_memset(object, POISON_FREE, cache->size_bytes);
	guard_of(cache, object)->sum = guard_sum(object, cache->size_bytes);
}

void
qr_guard_init(const struct qr_slab_cache *cache, void *object)
{
	unsigned char *bytes = object;
	__builtin_memset(bytes + cache->size_bytes, POISON_RED,
	    cache->guard_offset - cache->size_bytes);
	guard_of(cache, object)->taken_by = NULL;
	guard_of(cache, object)->freed_by = NULL;
	guard_seal(cache, object);
	atomic_init(&guard_of(cache, object)->state,
	    guard_state(STATE_FREE, object));
}

static void
guard_check_sum(const struct qr_slab_cache *cache, const void *object)
{
	uint32_t sum = guard_sum(object, cache->size_bytes);
	const struct guard *guard = guard_of(cache, object);
	QR_ASSERT(sum == guard->sum,
	    "slab.6: cache %s: object %p was written to after its free; taken "
	    "by %p, freed by %p",
	    cache->name, object, guard->taken_by, guard->freed_by);
}

void
qr_guard_on_alloc(const struct qr_slab_cache *cache, void *object, void *site)
{
	guard_move(cache, object, STATE_FREE, STATE_USED);
	guard_check_red(cache, object);
	guard_check_sum(cache, object);
	guard_of(cache, object)->taken_by = site;
	if (cache->construct == NULL)
		__builtin_memset(object, POISON_NEW, cache->size_bytes);
}

void
qr_guard_on_free(const struct qr_slab_cache *cache, void *object, void *site)
{
	qr_carve_check_object(cache, object);
	guard_move(cache, object, STATE_USED, STATE_FREE);
	guard_of(cache, object)->freed_by = site;
	guard_check_red(cache, object);
	guard_seal(cache, object);
}

void
qr_guard_check_free(const struct qr_slab_cache *cache, const void *object)
{
	uint64_t state = atomic_load_explicit(&guard_of(cache, object)->state,
	    memory_order_relaxed);
	QR_ASSERT(state == guard_state(STATE_FREE, object),
	    "slab.6: cache %s: free object %p has state 0x%llx", cache->name,
	    object, (unsigned long long)state);
	guard_check_red(cache, object);
	guard_check_sum(cache, object);
}
