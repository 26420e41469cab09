/* SPDX-License-Identifier: MIT */
/*
 * slab/magazine.c: the CPU layer's slow ways, and the depot.
 *
 * A CPU has two magazines, loaded and previous; previous is full or empty, so
 * that after a swap there is a whole magazine of operations before the depot
 * or the slabs are needed again: a run of allocations and frees that swings
 * about the edge of a magazine stays in the CPU.
 *
 *	        loaded   previous            depot             slabs
 *	alloc   empty    full      swap
 *	        empty    empty               has a full one: exchange
 *	        empty    empty                                 fill loaded
 *	free    full     empty     swap
 *	        full     full                has room: exchange
 *	        full     full                                  flush previous
 *
 * A CPU gets its magazines at its first free, both or none: an allocation
 * never brings any, so that the last frame goes to an object. Their memory
 * comes from three slab caches of the same kind, which have no magazines
 * themselves, and only as gfp 0 gives it: a magazine is never worth a reclaim
 * nor the reserve. Without magazines each operation goes to the slabs.
 */
#include "../base/bits.h"
#include "../base/check.h"
#include "slab_impl.h"

/* Bytes of objects that a magazine holds at most, but for the smallest. */
#define MAGAZINE_LOAD_BYTES 16384u

/* Full magazines that a depot holds at most, for each CPU. */
#define DEPOT_FULL_PER_CPU 2u

/* With its link a magazine is 512, 128 or 32 bytes. */
static const uint32_t rounds_of_size[MAGAZINE_SIZES] = { 63, 15, 3 };

size_t
qr_magazine_bytes(unsigned size_index)
{
	return sizeof(struct qr_magazine) +
	       rounds_of_size[size_index] * sizeof(void *);
}

void
qr_magazine_init(struct qr_slab_cache *cache, struct qr_slab_cpu *cpu)
{
	unsigned i = 0;
	while (i + 1 < MAGAZINE_SIZES &&
	       rounds_of_size[i] * cache->stride > MAGAZINE_LOAD_BYTES)
		i++;
	cache->rounds = rounds_of_size[i];
	cache->magazines = &cache->slabs->magazines[i];
	cache->depot_full_max = cache->port->cpu_count * DEPOT_FULL_PER_CPU;
	cache->cpu = cpu;
	for (unsigned at = 0; at < cache->port->cpu_count; at++)
		qr_busy_init(&cpu[at].busy, cache->port);
}

/* --- memory of magazines --- */

/* No lock of the slab layer held. NULL: no memory. */
static struct qr_magazine *
magazine_alloc(struct qr_slab_cache *cache)
{
	void *magazine = qr_carve_take_one(cache->magazines);
	if (magazine == NULL)
		magazine = qr_carve_grow(cache->magazines, 0);
	if (QR_CONFIG_HARD && magazine != NULL)
		qr_guard_on_alloc(cache->magazines, magazine, NULL);
	return magazine;
}

/* Returns how many frames became free by it. */
static size_t
magazine_free(struct qr_slab_cache *cache, struct qr_magazine *magazine)
{
	if (QR_CONFIG_HARD)
		qr_guard_on_free(cache->magazines, magazine, NULL);
	return qr_carve_give_one(cache->magazines, magazine);
}

/* --- depot; cache's lock held --- */

static void
depot_push(struct qr_magazine **stack, struct qr_magazine *magazine)
{
	magazine->next = *stack;
	*stack = magazine;
}

static struct qr_magazine *
depot_pop(struct qr_magazine **stack)
{
	struct qr_magazine *magazine = *stack;
	*stack = magazine->next;
	return magazine;
}

/* --- one CPU, entered by the caller --- */

static void
cpu_swap(struct qr_slab_cpu *cpu)
{
	struct qr_magazine *magazine = cpu->loaded;
	uint32_t count = cpu->count;
	cpu->loaded = cpu->previous;
	cpu->count = cpu->previous_count;
	cpu->previous = magazine;
	cpu->previous_count = count;
}

/* Gives the CPU its two magazines, if it has none. */
static bool
cpu_equip(struct qr_slab_cache *cache, struct qr_slab_cpu *cpu)
{
	if (cpu->room != 0)
		return true;
	struct qr_magazine *loaded = magazine_alloc(cache);
	if (loaded == NULL)
		return false;
	struct qr_magazine *previous = magazine_alloc(cache);
	if (previous == NULL) {
		(void)magazine_free(cache, loaded);
		return false;
	}
	cpu->loaded = loaded;
	cpu->previous = previous;
	cpu->room = cache->rounds;
	return true;
}

/* Fills previous from the depot, else loaded from the slabs, if it can. */
static void
cpu_load(struct qr_slab_cache *cache, struct qr_slab_cpu *cpu)
{
	qr_lock_acquire(cache->port, &cache->lock);
	if (cache->depot_full != NULL) {
		depot_push(&cache->depot_empty, cpu->previous);
		cpu->previous = depot_pop(&cache->depot_full);
		cpu->previous_count = cache->rounds;
		cache->depot_full_count--;
		cache->depot_full_low = (uint32_t)qr_min(cache->depot_full_low,
		    cache->depot_full_count);
	} else {
		cpu->count = (uint32_t)qr_carve_take_locked(cache,
		    cache->rounds, cpu->loaded->rounds);
	}
	qr_lock_release(cache->port, &cache->lock);
}

/* Empties previous into the depot if that has room, else into the slabs. */
static void
cpu_unload(struct qr_slab_cache *cache, struct qr_slab_cpu *cpu)
{
	qr_lock_acquire(cache->port, &cache->lock);
	bool room = cache->depot_full_count < cache->depot_full_max;
	if (room && cache->depot_empty == NULL) {
		qr_lock_release(cache->port, &cache->lock);
		struct qr_magazine *spare = magazine_alloc(cache);
		qr_lock_acquire(cache->port, &cache->lock);
		if (spare != NULL)
			depot_push(&cache->depot_empty, spare);
		room = cache->depot_full_count < cache->depot_full_max;
	}
	if (room && cache->depot_empty != NULL) {
		depot_push(&cache->depot_full, cpu->previous);
		cache->depot_full_count++;
		cpu->previous = depot_pop(&cache->depot_empty);
	} else {
		(void)qr_carve_give_locked(cache, cpu->previous_count,
		    cpu->previous->rounds);
	}
	cpu->previous_count = 0;
	qr_lock_release(cache->port, &cache->lock);
}

QR_NOINLINE void *
qr_magazine_reload(struct qr_slab_cache *cache, struct qr_slab_cpu *cpu)
{
	if (cpu->room == 0)
		return qr_carve_take_one(cache);
	if (cpu->previous_count == 0)
		cpu_load(cache, cpu);
	if (cpu->count == 0)
		cpu_swap(cpu);
	if (cpu->count == 0)
		return NULL;
	return cpu->loaded->rounds[--cpu->count];
}

QR_NOINLINE bool
qr_magazine_make_room(struct qr_slab_cache *cache, struct qr_slab_cpu *cpu)
{
	if (!cpu_equip(cache, cpu))
		return false;
	if (cpu->count < cpu->room)
		return true;
	if (cpu->previous_count != 0)
		cpu_unload(cache, cpu);
	cpu_swap(cpu);
	return true;
}

/* --- all of a cache --- */

/* Takes the CPU's magazines away, emptied into the slabs, onto the stack. */
static size_t
cpu_strip(struct qr_slab_cache *cache, struct qr_slab_cpu *cpu,
    struct qr_magazine **stack)
{
	if (cpu->room == 0)
		return 0;
	qr_lock_acquire(cache->port, &cache->lock);
	size_t frames =
	    qr_carve_give_locked(cache, cpu->count, cpu->loaded->rounds);
	frames += qr_carve_give_locked(cache, cpu->previous_count,
	    cpu->previous->rounds);
	qr_lock_release(cache->port, &cache->lock);
	depot_push(stack, cpu->loaded);
	depot_push(stack, cpu->previous);
	cpu->loaded = NULL;
	cpu->previous = NULL;
	cpu->count = 0;
	cpu->previous_count = 0;
	cpu->room = 0;
	return frames;
}

static size_t
depot_strip(struct qr_slab_cache *cache, struct qr_magazine **stack)
{
	size_t frames = 0;
	qr_lock_acquire(cache->port, &cache->lock);
	while (cache->depot_full != NULL) {
		struct qr_magazine *magazine = depot_pop(&cache->depot_full);
		frames += qr_carve_give_locked(cache, cache->rounds,
		    magazine->rounds);
		depot_push(stack, magazine);
	}
	while (cache->depot_empty != NULL)
		depot_push(stack, depot_pop(&cache->depot_empty));
	cache->depot_full_count = 0;
	cache->depot_full_low = 0;
	qr_lock_release(cache->port, &cache->lock);
	return frames;
}

size_t
qr_magazine_flush(struct qr_slab_cache *cache)
{
	if (cache->rounds == 0)
		return 0;
	size_t frames = 0;
	struct qr_magazine *stack = NULL;
	for (unsigned i = 0; i < cache->port->cpu_count; i++) {
		struct qr_slab_cpu *cpu = &cache->cpu[i];
		if (!qr_busy_try_enter_other(cache->port, &cpu->busy))
			continue;
		frames += cpu_strip(cache, cpu, &stack);
		qr_busy_leave_other(&cpu->busy);
	}
	frames += depot_strip(cache, &stack);
	while (stack != NULL)
		frames += magazine_free(cache, depot_pop(&stack));
	return frames;
}

size_t
qr_magazine_reap(struct qr_slab_cache *cache)
{
	size_t frames = 0;
	struct qr_magazine *stack = NULL;
	if (cache->rounds == 0)
		return 0;
	qr_lock_acquire(cache->port, &cache->lock);
	for (; cache->depot_full_low != 0; cache->depot_full_low--) {
		struct qr_magazine *magazine = depot_pop(&cache->depot_full);
		cache->depot_full_count--;
		frames += qr_carve_give_locked(cache, cache->rounds,
		    magazine->rounds);
		depot_push(&stack, magazine);
	}
	cache->depot_full_low = cache->depot_full_count;
	qr_lock_release(cache->port, &cache->lock);
	while (stack != NULL)
		frames += magazine_free(cache, depot_pop(&stack));
	return frames;
}

uint64_t
qr_magazine_stock(struct qr_slab_cache *cache)
{
	if (cache->rounds == 0)
		return 0;
	uint64_t objects = 0;
	for (unsigned i = 0; i < cache->port->cpu_count; i++) {
		struct qr_slab_cpu *cpu = &cache->cpu[i];
		if (!qr_busy_try_enter_other(cache->port, &cpu->busy))
			continue;
		objects += cpu->count + cpu->previous_count;
		qr_busy_leave_other(&cpu->busy);
	}
	qr_lock_acquire(cache->port, &cache->lock);
	objects += (uint64_t)cache->depot_full_count * cache->rounds;
	qr_lock_release(cache->port, &cache->lock);
	return objects;
}

/* --- checking --- */

static void
check_rounds(const struct qr_slab_cache *cache,
    const struct qr_magazine *magazine, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		qr_carve_check_object(cache, magazine->rounds[i]);
		if (QR_CONFIG_HARD)
			qr_guard_check_free(cache, magazine->rounds[i]);
	}
}

static void
check_cpu(const struct qr_slab_cache *cache, const struct qr_slab_cpu *cpu)
{
	QR_ASSERT(cpu->room == 0 || cpu->room == cache->rounds,
	    "slab.5: cache %s: room for %u rounds of %u", cache->name,
	    cpu->room, cache->rounds);
	QR_ASSERT(cpu->count <= cpu->room,
	    "slab.5: cache %s: %u rounds loaded of %u", cache->name, cpu->count,
	    cpu->room);
	QR_ASSERT(cpu->previous_count == 0 || cpu->previous_count == cpu->room,
	    "slab.5: cache %s: previous has %u rounds of %u", cache->name,
	    cpu->previous_count, cpu->room);
	if (cpu->room == 0)
		return;
	check_rounds(cache, cpu->loaded, cpu->count);
	check_rounds(cache, cpu->previous, cpu->previous_count);
}

static void
check_depot(struct qr_slab_cache *cache)
{
	uint32_t full = 0;
	qr_lock_acquire(cache->port, &cache->lock);
	for (const struct qr_magazine *magazine = cache->depot_full;
	     magazine != NULL; magazine = magazine->next) {
		QR_ASSERT(full < cache->depot_full_count,
		    "slab.5: cache %s: more than %u full magazines",
		    cache->name, cache->depot_full_count);
		check_rounds(cache, magazine, cache->rounds);
		full++;
	}
	QR_ASSERT(full == cache->depot_full_count,
	    "slab.5: cache %s: %u full magazines, not %u", cache->name, full,
	    cache->depot_full_count);
	QR_ASSERT(full <= cache->depot_full_max,
	    "slab.5: cache %s: %u full magazines", cache->name, full);
	qr_lock_release(cache->port, &cache->lock);
}

void
qr_check_magazines(struct qr_slab_cache *cache)
{
	if (cache->rounds == 0)
		return;
	for (unsigned i = 0; i < cache->port->cpu_count; i++) {
		struct qr_slab_cpu *cpu = &cache->cpu[i];
		if (!qr_busy_try_enter_other(cache->port, &cpu->busy))
			continue;
		check_cpu(cache, cpu);
		qr_busy_leave_other(&cpu->busy);
	}
	check_depot(cache);
}
