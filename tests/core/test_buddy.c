/* SPDX-License-Identifier: MIT */
/*
 * test_buddy.c: after any stream of calls the buddy holds what its contract
 * says. The model is one flag a unit, taken or free: since free buddies are
 * always joined, that alone decides which blocks there are and which one an
 * allocation must return.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/frame/buddy.h"
#include "port/sim/sim.h"
#include "random.h"

#define UNITS_MAX 20000u
#define STEPS     4000u

/* A block or range that the test holds. */
struct held {
	uint64_t first;
	uint64_t count;
};

struct bench {
	struct qr_buddy buddy;
	void *state;
	uint64_t units;
	unsigned orders;
	struct test_random random;
	struct held held[UNITS_MAX];
	size_t held_count;
	bool is_free[UNITS_MAX];
};

static struct bench *
bench_create(uint64_t units, unsigned orders)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	assert_non_null(bench);
	size_t bytes = qr_buddy_state_bytes(units, orders);
	bench->state = calloc(1, bytes);
	assert_non_null(bench->state);
	qr_buddy_init(&bench->buddy, units, orders, bench->state);
	bench->units = units;
	bench->orders = orders;
	return bench;
}

static void
bench_destroy(struct bench *bench)
{
	free(bench->state);
	free(bench);
}

/* --- the model --- */

static bool
model_all_free(const struct bench *bench, uint64_t first, uint64_t count)
{
	if (first > bench->units || count > bench->units - first)
		return false;
	return memchr(&bench->is_free[first], false, count) == NULL;
}

/* Order of the free block that holds a free unit: the largest aligned one
 * that is free throughout. */
static unsigned
model_order(const struct bench *bench, uint64_t unit)
{
	for (unsigned order = bench->orders - 1; order > 0; order--) {
		uint64_t count = (uint64_t)1 << order;
		if (model_all_free(bench, unit & ~(count - 1), count))
			return order;
	}
	return 0;
}

/* Where an allocation of the order must come from; false: nowhere. */
static bool
model_find(const struct bench *bench, unsigned order, uint64_t *first)
{
	unsigned best = bench->orders;
	for (uint64_t unit = 0; unit < bench->units;) {
		if (!bench->is_free[unit]) {
			unit++;
			continue;
		}
		unsigned found = model_order(bench, unit);
		if (found >= order && found < best) {
			best = found;
			*first = unit;
		}
		unit += (uint64_t)1 << found;
	}
	return best < bench->orders;
}

static void
model_set(struct bench *bench, uint64_t first, uint64_t count, bool is_free)
{
	memset(&bench->is_free[first], is_free, count);
}

static void
compare(const struct bench *bench)
{
	uint64_t free_units = 0;
	qr_check_buddy(&bench->buddy);
	for (uint64_t unit = 0; unit < bench->units; unit++) {
		unsigned order = UINT32_MAX;
		bool is_free = qr_buddy_is_free(&bench->buddy, unit, &order);
		assert_int_equal(is_free, bench->is_free[unit]);
		if (is_free)
			assert_int_equal(order, model_order(bench, unit));
		free_units += is_free;
	}
	assert_int_equal(free_units, bench->buddy.free_units);
}

/* --- random calls --- */

static void
hold(struct bench *bench, uint64_t first, uint64_t count)
{
	model_set(bench, first, count, false);
	bench->held[bench->held_count++] = (struct held){ first, count };
}

static void
step_alloc(struct bench *bench)
{
	unsigned order =
	    (unsigned)test_random_below(&bench->random, bench->orders + 1);
	uint64_t first = 0;
	uint64_t expect = 0;
	int error = qr_buddy_alloc(&bench->buddy, order, &first);
	if (!model_find(bench, order, &expect)) {
		assert_int_equal(error, -QR_ENOMEM);
		return;
	}
	assert_int_equal(error, 0);
	assert_int_equal(first, expect);
	hold(bench, first, (uint64_t)1 << order);
}

static void
step_alloc_run(struct bench *bench)
{
	uint64_t count = 1 + test_random_below(&bench->random, 100);
	unsigned align = (unsigned)test_random_below(&bench->random, 8);
	uint64_t first = 0;
	if (qr_buddy_alloc_run(&bench->buddy, count, align, &first) != 0)
		return;
	assert_int_equal(first & (((uint64_t)1 << align) - 1), 0);
	assert_true(model_all_free(bench, first, count));
	hold(bench, first, count);
}

/* As many allocations of order 0, one after the other. */
static void
step_alloc_singles(struct bench *bench)
{
	uint32_t units[100];
	uint32_t count = 1 + (uint32_t)test_random_below(&bench->random, 100);
	uint64_t base = test_random_below(&bench->random, 1000);
	uint32_t got =
	    qr_buddy_alloc_singles(&bench->buddy, base, units, count);
	uint64_t expect = 0;
	for (uint32_t i = 0; i < got; i++) {
		assert_true(model_find(bench, 0, &expect));
		assert_int_equal(units[i], base + expect);
		hold(bench, expect, 1);
	}
	assert_true(got == count || !model_find(bench, 0, &expect));
}

static void
step_take_range(struct bench *bench)
{
	uint64_t first = test_random_below(&bench->random, bench->units);
	uint64_t count = test_random_below(&bench->random, 200) + 1;
	if (count > bench->units - first)
		count = bench->units - first;
	int error = qr_buddy_take_range(&bench->buddy, first, count);
	if (!model_all_free(bench, first, count)) {
		assert_int_equal(error, -QR_EBUSY);
		return;
	}
	assert_int_equal(error, 0);
	hold(bench, first, count);
}

/* Gives back something that is held; often as a block, if it is one. */
static void
step_free(struct bench *bench)
{
	if (bench->held_count == 0)
		return;
	size_t i = (size_t)test_random_below(&bench->random, bench->held_count);
	struct held gone = bench->held[i];
	bench->held[i] = bench->held[--bench->held_count];
	model_set(bench, gone.first, gone.count, true);
	bool is_block = (gone.count & (gone.count - 1)) == 0 &&
			(gone.first & (gone.count - 1)) == 0 &&
			gone.count >> bench->orders == 0;
	if (!is_block || test_random_below(&bench->random, 4) == 0) {
		qr_buddy_free_range(&bench->buddy, gone.first, gone.count);
		return;
	}
	unsigned order = (unsigned)__builtin_ctzll(gone.count);
	unsigned joined = qr_buddy_free(&bench->buddy, gone.first, order);
	assert_int_equal(joined, model_order(bench, gone.first));
}

static void
run_model(uint64_t units, unsigned orders, struct test_random random)
{
	struct bench *bench = bench_create(units, orders);
	bench->random = random;
	compare(bench);
	hold(bench, 0, units);
	for (unsigned step = 0; step < STEPS; step++) {
		/* Phases of growth and of decline reach both full and empty. */
		bool growing = (step / 512) % 2 == 0;
		uint64_t pick = test_random_below(&bench->random, 9);
		if (pick < (growing ? 2u : 5u))
			step_free(bench);
		else if (pick == 8)
			step_alloc_singles(bench);
		else if (pick == 5)
			step_take_range(bench);
		else if (pick == 6)
			step_alloc_run(bench);
		else
			step_alloc(bench);
		if (step % 64 == 0)
			compare(bench);
	}
	while (bench->held_count != 0)
		step_free(bench);
	compare(bench);
	assert_int_equal(bench->buddy.free_units, units);
	bench_destroy(bench);
}

static void
test_against_model(void **state)
{
	static const struct {
		uint64_t units;
		unsigned orders;
	} cases[] = {
		{ 1, 1 },      /* a single unit */
		{ 1, 11 },     /* orders that no block fits */
		{ 63, 7 },     /* a word but one bit */
		{ 64, 7 },     /* a word */
		{ 65, 6 },     /* a block without a buddy */
		{ 1000, 11 },  /* no power of two */
		{ 1024, 1 },   /* no joining at all */
		{ 5000, 14 },  /* three levels */
		{ 20000, 32 }, /* as many orders as there can be */
	};
	struct test_random random = test_random_start("buddy");
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run_model(cases[i].units, cases[i].orders, random);
}

/* A large buddy costs its bitmaps, and those are small. */
static void
test_state_bytes(void **state)
{
	(void)state;
	uint64_t units = (uint64_t)1 << 24;
	uint64_t bits = qr_buddy_state_bytes(units, 11) * 8;
	assert_in_range(bits * 100 / units, 200, 210);
}

/* --- misuse --- */

static void
free_again(void *ctx)
{
	struct bench *bench = ctx;
	(void)qr_buddy_free(&bench->buddy, 4, 0);
}

static void
free_around(void *ctx)
{
	struct bench *bench = ctx;
	(void)qr_buddy_free(&bench->buddy, 0, 3);
}

static void
free_unaligned(void *ctx)
{
	struct bench *bench = ctx;
	(void)qr_buddy_free(&bench->buddy, 9, 1);
}

static void
free_past_end(void *ctx)
{
	struct bench *bench = ctx;
	(void)qr_buddy_free(&bench->buddy, 64, 6);
}

static void
check(void *ctx)
{
	struct bench *bench = ctx;
	qr_check_buddy(&bench->buddy);
}

static void
assert_panics(struct bench *bench, void (*body)(void *ctx), const char *words)
{
	const char *message = sim_expect_panic(body, bench);
	assert_non_null(message);
	assert_non_null(strstr(message, words));
}

static void
test_misuse_panics(void **state)
{
	struct bench *bench = bench_create(100, 7);
	(void)state;
	(void)qr_buddy_free(&bench->buddy, 4, 0);
	assert_panics(bench, free_again, "freed twice");
	if (QR_CONFIG_HARD)
		assert_panics(bench, free_around, "freed twice");
	qr_buddy_free_range(&bench->buddy, 5, 3); /* 4 to 7 are one block */
	if (QR_CONFIG_HARD)
		assert_panics(bench, free_again, "freed twice");
	assert_panics(bench, free_unaligned, "no block");
	assert_panics(bench, free_past_end, "no block");
	qr_check_buddy(&bench->buddy);
	bench_destroy(bench);
}

/* Each invariant, once broken, is named by the checker. */
static void
test_checker_names_invariants(void **state)
{
	struct bench *bench = bench_create(5000, 7);
	struct qr_buddy *buddy = &bench->buddy;
	(void)state;
	qr_buddy_free_range(buddy, 8, 8);
	check(bench);

	buddy->order[0].level[0][0] |= (uint64_t)1 << 9;
	assert_panics(bench, check, "[buddy.3]");
	buddy->order[0].level[1][0] |= 1;
	buddy->order[0].level[2][0] |= 1;
	assert_panics(bench, check, "[buddy.4]");
	buddy->order[0].free_blocks++;
	assert_panics(bench, check, "[buddy.1]");
	buddy->order[0].level[0][0] = 3;
	buddy->order[0].free_blocks = 2;
	assert_panics(bench, check, "[buddy.2]");
	bench_destroy(bench);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_state_bytes),
		cmocka_unit_test(test_misuse_panics),
		cmocka_unit_test(test_checker_names_invariants),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
