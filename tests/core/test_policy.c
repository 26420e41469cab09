/* SPDX-License-Identifier: MIT */
/*
 * tests/core/test_policy.c: proves that each replacement policy misses exactly
 * as often as a plain simulation of it does, on random, skewed, looping,
 * scanning and drifting traces, with touches told and with touches marked;
 * and that no page is lost or listed twice when pages leave out of turn.
 *
 * The simulations share nothing with the policies: they keep arrays, oldest
 * page first, and search them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/machine/machine_impl.h"
#include "policy_bed.h"
#include "port/sim/sim.h"

#define SPAN   600u
#define LENGTH 20000u

/* Parameters of s3fifo, as its head states them. */
#define TRIAL_SHARE 10u
#define NURSERY_MAX 128u

/* --- plain simulations --- */

#define QUEUES 3u
enum { NURSERY, TRIAL, MAIN };

struct queue {
	uint32_t ids[SPAN]; /* oldest first */
	size_t count;
};

struct plain {
	enum policy_touches touches;
	size_t capacity;
	uint32_t looks_max;
	struct queue queue[QUEUES];
	bool in[SPAN];
	bool touched[SPAN];
	uint64_t evicted_at[SPAN];
	uint64_t evictions;
	uint64_t misses;
	int hand; /* index in queue[0]; -1: at the oldest */
};

static void
queue_add(struct queue *queue, uint32_t id)
{
	queue->ids[queue->count++] = id;
}

static uint32_t
queue_take(struct queue *queue, size_t index)
{
	uint32_t id = queue->ids[index];
	queue->count--;
	memmove(&queue->ids[index], &queue->ids[index + 1],
	    (queue->count - index) * sizeof(queue->ids[0]));
	return id;
}

static bool
plain_test_touched(struct plain *plain, uint32_t id)
{
	bool touched = plain->touched[id];
	plain->touched[id] = false;
	return touched;
}

static void
plain_insert(struct plain *plain, uint32_t id, uint64_t distance)
{
	(void)distance;
	queue_add(&plain->queue[0], id);
}

static void
plain_hit(struct plain *plain, uint32_t id)
{
	plain->touched[id] = true;
}

static uint32_t
fifo_pick(struct plain *plain)
{
	return queue_take(&plain->queue[0], 0);
}

static uint32_t
clock_pick(struct plain *plain)
{
	struct queue *ring = &plain->queue[0];
	for (uint32_t look = 0; look < plain->looks_max; look++) {
		if (!plain_test_touched(plain, ring->ids[0]))
			break;
		queue_add(ring, queue_take(ring, 0));
	}
	return queue_take(ring, 0);
}

/* Told of a hit, a page is the newest at once. */
static void
lru_hit(struct plain *plain, uint32_t id)
{
	struct queue *order = &plain->queue[0];
	if (plain->touches == POLICY_MARKED) {
		plain->touched[id] = true;
		return;
	}
	for (size_t i = 0; i < order->count; i++) {
		if (order->ids[i] == id) {
			queue_add(order, queue_take(order, i));
			return;
		}
	}
}

static uint32_t
sieve_pick(struct plain *plain)
{
	struct queue *queue = &plain->queue[0];
	size_t at = plain->hand < 0 ? 0 : (size_t)plain->hand;
	for (uint32_t look = 0; look < plain->looks_max; look++) {
		if (!plain_test_touched(plain, queue->ids[at]))
			break;
		at = (at + 1) % queue->count;
	}
	uint32_t id = queue_take(queue, at);
	plain->hand = at == queue->count ? -1 : (int)at;
	return id;
}

static size_t
plain_count(const struct plain *plain)
{
	size_t count = 0;
	for (unsigned i = 0; i < QUEUES; i++)
		count += plain->queue[i].count;
	return count;
}

static void
s3fifo_insert(struct plain *plain, uint32_t id, uint64_t distance)
{
	size_t count = plain_count(plain);
	size_t room = count / TRIAL_SHARE;
	if (distance <= count) {
		queue_add(&plain->queue[MAIN], id);
		return;
	}
	queue_add(&plain->queue[NURSERY], id);
	if (room > NURSERY_MAX)
		room = NURSERY_MAX;
	if (plain->queue[NURSERY].count > room) {
		uint32_t grown = queue_take(&plain->queue[NURSERY], 0);
		plain->touched[grown] = false;
		queue_add(&plain->queue[TRIAL], grown);
	}
}

static struct queue *
s3fifo_source(struct plain *plain)
{
	struct queue *trial = &plain->queue[TRIAL];
	struct queue *main_queue = &plain->queue[MAIN];
	if (trial->count > plain_count(plain) / TRIAL_SHARE ||
	    (main_queue->count == 0 && trial->count != 0))
		return trial;
	return main_queue->count != 0 ? main_queue : &plain->queue[NURSERY];
}

static uint32_t
s3fifo_pick(struct plain *plain)
{
	for (uint32_t look = 0; look < plain->looks_max; look++) {
		struct queue *from = s3fifo_source(plain);
		if (!plain_test_touched(plain, from->ids[0]))
			break;
		queue_add(&plain->queue[MAIN], queue_take(from, 0));
	}
	return queue_take(s3fifo_source(plain), 0);
}

struct plain_policy {
	const char *name;
	void (*insert)(struct plain *plain, uint32_t id, uint64_t distance);
	void (*hit)(struct plain *plain, uint32_t id);
	uint32_t (*pick)(struct plain *plain);
};

static const struct plain_policy plain_policies[] = {
	{ "fifo", plain_insert, plain_hit, fifo_pick },
	{ "clock", plain_insert, plain_hit, clock_pick },
	{ "lru", plain_insert, lru_hit, clock_pick },
	{ "sieve", plain_insert, plain_hit, sieve_pick },
	{ "s3fifo", s3fifo_insert, plain_hit, s3fifo_pick },
};

static void
plain_access(struct plain *plain, const struct plain_policy *policy,
    uint32_t id)
{
	if (plain->in[id]) {
		policy->hit(plain, id);
		return;
	}
	plain->misses++;
	if (plain_count(plain) == plain->capacity) {
		uint32_t gone = policy->pick(plain);
		plain->in[gone] = false;
		plain->evicted_at[gone] = plain->evictions++;
	}
	uint64_t was = plain->evicted_at[id];
	plain->in[id] = true;
	policy->insert(plain, id,
	    was == UINT64_MAX ? UINT64_MAX : plain->evictions - was);
	plain->touched[id] = plain->touches == POLICY_MARKED;
}

/* --- equality --- */

struct arena {
	struct sim *sim;
	struct qr_machine *machine;
};

static int
arena_setup(void **state)
{
	static struct arena arena;
	struct sim_config config = { .ram_bytes = 8 << 20 };
	arena.sim = sim_create(&config);
	*state = &arena;
	return arena.sim == NULL || qr_machine_create(sim_port(arena.sim), NULL,
					&arena.machine) != 0;
}

static int
arena_teardown(void **state)
{
	struct arena *arena = *state;
	qr_machine_destroy(arena->machine);
	sim_destroy(arena->sim);
	return 0;
}

struct trial_case {
	const struct plain_policy *policy;
	size_t capacity;
	enum policy_touches touches;
	uint32_t looks_max;
};

static void
expect_equal(const struct arena *arena, const struct policy_trace *trace,
    const struct trial_case *trial)
{
	static struct plain plain;
	memset(&plain, 0, sizeof(plain));
	plain.touches = trial->touches;
	plain.capacity = trial->capacity;
	plain.looks_max = trial->looks_max;
	plain.hand = -1;
	for (size_t i = 0; i < SPAN; i++)
		plain.evicted_at[i] = UINT64_MAX;
	struct policy_bed *bed = policy_bed_new(arena->machine->frames,
	    trial->policy->name, trial->capacity, trial->touches);
	assert_non_null(bed);
	bed->lru.looks_max = trial->looks_max;
	for (size_t i = 0; i < trace->length; i++) {
		uint32_t id = trace->ids[i];
		plain_access(&plain, trial->policy, id);
		policy_bed_access(bed, id);
		if (plain.misses != bed->misses)
			fail_msg("%s, %s, %zu pages: %llu misses, not %llu, "
				 "at access %zu",
			    trial->policy->name, trace->name, trial->capacity,
			    (unsigned long long)bed->misses,
			    (unsigned long long)plain.misses, i);
		if (i % 1000 == 0)
			qr_check_lru(&bed->lru);
	}
	policy_bed_end(bed);
}

static void
test_equals_plain(void **state)
{
	static const size_t capacities[] = { 1, 2, 9, 60, 300 };
	static const uint32_t looks[] = { UINT32_MAX, 3 };
	const struct arena *arena = *state;
	struct test_random random = test_random_start("policy");
	struct policy_trace traces[] = {
		policy_trace_random(&random, LENGTH, SPAN),
		policy_trace_skewed(&random, LENGTH, SPAN),
		policy_trace_loop(LENGTH, SPAN / 8),
		policy_trace_scan(&random, LENGTH, SPAN),
		policy_trace_drift(&random, LENGTH, SPAN),
	};
	for (size_t t = 0; t < QR_COUNT_OF(traces); t++) {
		for (size_t i = 0; i < 5 * 5 * 2 * 2; i++) {
			struct trial_case trial = {
				.policy = &plain_policies[i % 5],
				.capacity = capacities[i / 5 % 5],
				.looks_max = looks[i / 25 % 2],
				.touches =
				    i / 50 == 0 ? POLICY_TOLD : POLICY_MARKED,
			};
			expect_equal(arena, &traces[t], &trial);
		}
		free(traces[t].ids);
	}
}

/* --- out of turn --- */

static void
churn(struct policy_bed *bed, struct test_random *random)
{
	uint32_t id = (uint32_t)test_random_below(random, SPAN);
	struct qr_page *page = bed->page_of[id];
	const struct qr_policy *policy = bed->lru.policy;
	switch (test_random_below(random, 4)) {
	case 0:
		if (page == NULL)
			break;
		policy->remove(&bed->lru, page);
		policy_bed_forget(bed, page);
		break;
	case 1:
		page = policy->pick(&bed->lru);
		if (page != NULL)
			policy->put_back(&bed->lru, page);
		break;
	default:
		policy_bed_access(bed, id);
		break;
	}
	assert_int_equal(qr_lru_count(&bed->lru), bed->count);
}

static void
test_leaving_out_of_turn(void **state)
{
	const struct arena *arena = *state;
	struct test_random random = test_random_start("out of turn");
	for (size_t i = 0; qr_policies[i] != NULL; i++) {
		struct policy_bed *bed =
		    policy_bed_new(arena->machine->frames, qr_policies[i]->name,
			100, i % 2 == 0 ? POLICY_MARKED : POLICY_TOLD);
		for (unsigned step = 0; step < 20000; step++) {
			churn(bed, &random);
			if (step % 100 == 0)
				qr_check_lru(&bed->lru);
		}
		policy_bed_end(bed);
	}
}

static void
test_empty(void **state)
{
	const struct arena *arena = *state;
	for (size_t i = 0; qr_policies[i] != NULL; i++) {
		struct policy_bed *bed = policy_bed_new(arena->machine->frames,
		    qr_policies[i]->name, 1, POLICY_TOLD);
		assert_null(bed->lru.policy->pick(&bed->lru));
		policy_bed_access(bed, 5);
		assert_non_null(bed->lru.policy->pick(&bed->lru));
		assert_null(bed->lru.policy->pick(&bed->lru));
		bed->page_of[5] = NULL;
		policy_bed_end(bed);
	}
}

static void
test_find(void **state)
{
	(void)state;
	assert_ptr_equal(qr_policy_find(NULL), qr_policies[0]);
	assert_ptr_equal(qr_policy_find("clock"), &qr_policy_clock);
	assert_null(qr_policy_find("clocks"));
	assert_null(qr_policy_find("cloc"));
	assert_null(qr_policy_find(""));
}

/* A list that is not what it says is found. */
static void
check_lru(void *lru)
{
	qr_check_lru(lru);
}

static void
test_check_finds(void **state)
{
	const struct arena *arena = *state;
	struct policy_bed *bed =
	    policy_bed_new(arena->machine->frames, "clock", 3, POLICY_TOLD);
	for (uint32_t id = 0; id < 3; id++)
		policy_bed_access(bed, id);
	struct qr_page *page = bed->page_of[1];
	uint32_t prev = page->prev;
	page->prev = page->next;
	assert_non_null(sim_expect_panic(check_lru, &bed->lru));
	page->prev = prev;
	bed->lru.lists[0].count++;
	assert_non_null(sim_expect_panic(check_lru, &bed->lru));
	bed->lru.lists[0].count--;
	page->kind = QR_PAGE_SLAB;
	assert_non_null(sim_expect_panic(check_lru, &bed->lru));
	page->kind = QR_PAGE_USER;
	assert_null(sim_expect_panic(check_lru, &bed->lru));
	policy_bed_end(bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equals_plain),
		cmocka_unit_test(test_leaving_out_of_turn),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_check_finds),
	};
	return cmocka_run_group_tests(tests, arena_setup, arena_teardown);
}
