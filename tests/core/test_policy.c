/* SPDX-License-Identifier: MIT */
/*
 * tests/core/test_policy.c: proves that each replacement policy misses exactly
 * as often as a plain simulation of it does, on random, skewed, looping,
 * scanning and drifting traces, with touches told and with touches marked;
 * and that no page is lost or listed twice when pages leave out of turn.
 *
 * The simulations are in policy_plain.h, policy_plain_history.h and
 * policy_plain_lists.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/machine/machine_impl.h"
#include "policy_plain.h"
#include "policy_plain_history.h"
#include "policy_plain_lists.h"
#include "port/sim/sim.h"

#define LENGTH 8000u

struct plain_policy {
	const char *name;
	void (*insert)(struct plain *plain, uint32_t id, uint64_t distance);
	void (*hit)(struct plain *plain, uint32_t id);
	uint32_t (*pick)(struct plain *plain);
	unsigned queues; /* that pages are in */
};

static const struct plain_policy plain_policies[] = {
	{ "fifo", plain_insert, plain_hit, fifo_pick, QUEUES },
	{ "clock", plain_insert, plain_hit, clock_pick, QUEUES },
	{ "lru", plain_insert, lru_hit, clock_pick, QUEUES },
	{ "sieve", plain_insert, plain_hit, sieve_pick, QUEUES },
	{ "s3fifo", s3fifo_insert, plain_hit, s3fifo_pick, QUEUES },
	{ "nru", nru_insert, plain_hit, nru_pick, QUEUES },
	{ "ageing", ageing_insert, plain_hit, ageing_pick, QUEUES },
	{ "wsclock", wsclock_insert, plain_hit, wsclock_pick, QUEUES },
	{ "2q", twoq_insert, twoq_hit, twoq_pick, QUEUES },
	{ "arc", arc_insert, arc_hit, arc_pick, QUEUES },
	{ "lirs", lirs_insert, lirs_hit, lirs_pick, QUEUES },
	{ "two-lists", twolists_insert, twolists_hit, twolists_pick, 4 },
	{ "generations", generations_insert, generations_hit, generations_pick,
	    4 },
};
#define PLAIN_POLICIES QR_COUNT_OF(plain_policies)

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
	plain.fresh = -1;
	plain.queues = trial->policy->queues;
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
		if (i % 4000 == 0)
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
		for (size_t i = 0; i < PLAIN_POLICIES * 5 * 2 * 2; i++) {
			size_t kind = i / PLAIN_POLICIES;
			struct trial_case trial = {
				.policy = &plain_policies[i % PLAIN_POLICIES],
				.capacity = capacities[kind % 5],
				.looks_max = looks[kind / 5 % 2],
				.touches = kind / 10 == 0 ? POLICY_TOLD
							  : POLICY_MARKED,
			};
			expect_equal(arena, &traces[t], &trial);
		}
		free(traces[t].ids);
	}
}

/* --- what the literature says of them --- */

static uint64_t
count_misses(const struct arena *arena, const char *policy, size_t capacity,
    const struct policy_trace *trace)
{
	struct policy_bed *bed = policy_bed_new(arena->machine->frames, policy,
	    capacity, POLICY_TOLD);
	assert_non_null(bed);
	for (size_t i = 0; i < trace->length; i++)
		policy_bed_access(bed, trace->ids[i]);
	uint64_t misses = bed->misses;
	policy_bed_end(bed);
	return misses;
}

/* Belady's anomaly: with first in, first out, four frames miss ten times
 * where three miss nine times; least recently used never has it. */
static void
test_belady(void **state)
{
	static uint32_t ids[] = { 1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5 };
	const struct arena *arena = *state;
	struct policy_trace trace = { "belady", ids, QR_COUNT_OF(ids), 6 };
	assert_int_equal(count_misses(arena, "fifo", 3, &trace), 9);
	assert_int_equal(count_misses(arena, "fifo", 4, &trace), 10);
	assert_int_equal(count_misses(arena, "lru", 3, &trace), 10);
	assert_int_equal(count_misses(arena, "lru", 4, &trace), 8);
	struct test_random random = test_random_start("belady");
	for (unsigned round = 0; round < 20; round++) {
		struct policy_trace drawn =
		    policy_trace_random(&random, 400, 20);
		uint64_t before = UINT64_MAX;
		for (size_t capacity = 1; capacity <= 20; capacity++) {
			uint64_t misses =
			    count_misses(arena, "lru", capacity, &drawn);
			assert_true(misses <= before);
			before = misses;
		}
		assert_int_equal(before, 20);
		free(drawn.ids);
	}
}

/* When the id at index is used next; the length: never. */
static size_t
next_use(const struct policy_trace *trace, uint32_t id, size_t index)
{
	while (index < trace->length && trace->ids[index] != id)
		index++;
	return index;
}

/* OPT: the page that is used the furthest ahead goes. */
static uint64_t
count_optimal(const struct policy_trace *trace, size_t capacity)
{
	struct queue in = { .count = 0 };
	uint64_t misses = 0;
	for (size_t i = 0; i < trace->length; i++) {
		size_t index;
		if (queue_find(&in, trace->ids[i], &index))
			continue;
		misses++;
		size_t furthest = 0;
		size_t victim = 0;
		for (size_t k = 0; k < in.count; k++) {
			size_t use = next_use(trace, in.ids[k], i);
			if (use >= furthest) {
				furthest = use;
				victim = k;
			}
		}
		if (in.count == capacity)
			(void)queue_take(&in, victim);
		queue_add(&in, trace->ids[i]);
	}
	return misses;
}

/* No policy misses less than one that knows the future. */
static void
test_none_beats_optimal(void **state)
{
	const struct arena *arena = *state;
	struct test_random random = test_random_start("optimal");
	for (unsigned round = 0; round < 5; round++) {
		struct policy_trace trace =
		    policy_trace_skewed(&random, 1000, 60);
		for (size_t capacity = 4; capacity <= 32; capacity *= 2) {
			uint64_t least = count_optimal(&trace, capacity);
			for (size_t i = 0; qr_policies[i] != NULL; i++)
				assert_true(
				    count_misses(arena, qr_policies[i]->name,
					capacity, &trace) >= least);
		}
		free(trace.ids);
	}
	/* A loop one page too long: all that go by recency miss always. */
	struct policy_trace loop = policy_trace_loop(2000, 21);
	assert_int_equal(count_misses(arena, "lru", 20, &loop), 2000);
	assert_int_equal(count_misses(arena, "fifo", 20, &loop), 2000);
	assert_in_range(count_misses(arena, "lirs", 20, &loop), 21, 300);
	free(loop.ids);
}

/* --- history --- */

#define NODES 50u

/* Nodes are found by key as long as they are there, and the oldest ghosts of
 * a chain go when there is no room. */
static void
test_history(void **state)
{
	const struct arena *arena = *state;
	struct test_random random = test_random_start("history");
	struct qr_history history;
	struct qr_chain chain;
	uint32_t at[200];
	size_t used = 0;
	assert_int_equal(qr_history_init(&history, arena->machine->frames,
			     NODES),
	    0);
	qr_chain_init(&chain);
	memset(at, 0xff, sizeof(at));
	for (unsigned step = 0; step < 20000; step++) {
		uint32_t id = (uint32_t)test_random_below(&random, 200);
		assert_int_equal(qr_history_find_ghost(&history, id), at[id]);
		if (at[id] != QR_NODE_NIL) {
			qr_chain_drop(&history, &chain, at[id]);
			at[id] = QR_NODE_NIL;
			used--;
			continue;
		}
		at[id] = qr_history_new_ghost(&history, id);
		assert_int_equal(at[id] == QR_NODE_NIL, used == NODES);
		if (at[id] == QR_NODE_NIL)
			continue;
		qr_chain_push(&history, &chain, at[id]);
		used++;
		if (step % 100 == 0) {
			qr_check_history(&history);
			qr_check_chain(&history, &chain);
		}
	}
	qr_history_fini(&history);
}

/* Without frames for a history there is none, and no frame is lost. */
static void
test_history_without_memory(void **state)
{
	const struct arena *arena = *state;
	struct qr_frame_stat before;
	struct qr_frame_stat after;
	struct qr_history history;
	qr_frame_stat(arena->machine->frames, &before);
	static const uint64_t counts[] = { 1 << 18, (uint64_t)1 << 40,
		(uint64_t)1 << 24 };
	for (size_t i = 0; i < QR_COUNT_OF(counts); i++)
		assert_int_equal(qr_history_init(&history,
				     arena->machine->frames, counts[i]),
		    -QR_ENOMEM);
	qr_frame_stat(arena->machine->frames, &after);
	assert_int_equal(before.free, after.free);
}

static void
check_history(void *history)
{
	qr_check_history(history);
}

static void
test_check_history_finds(void **state)
{
	const struct arena *arena = *state;
	struct policy_bed *bed =
	    policy_bed_new(arena->machine->frames, "2q", 3, POLICY_TOLD);
	for (uint32_t id = 0; id < 5; id++)
		policy_bed_access(bed, id);
	struct qr_history *history = &bed->lru.history;
	uint32_t index = history->oldest_ghost;
	struct qr_history_node *node = qr_history_node(history, index);
	uint64_t key = node->key;
	node->key++;
	assert_non_null(sim_expect_panic(check_history, history));
	node->key = key;
	history->used++;
	assert_non_null(sim_expect_panic(check_history, history));
	history->used--;
	assert_null(sim_expect_panic(check_history, history));
	policy_bed_end(bed);
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
	assert_ptr_equal(qr_policy_find("second-chance"), &qr_policy_clock);
	assert_ptr_equal(qr_policy_find("active-inactive"),
	    &qr_policy_twolists);
	assert_ptr_equal(qr_policy_find("mglru"), &qr_policy_generations);
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
		cmocka_unit_test(test_belady),
		cmocka_unit_test(test_none_beats_optimal),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_history_without_memory),
		cmocka_unit_test(test_check_history_finds),
		cmocka_unit_test(test_leaving_out_of_turn),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_check_finds),
	};
	return cmocka_run_group_tests(tests, arena_setup, arena_teardown);
}
