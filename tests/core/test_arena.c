/* SPDX-License-Identifier: MIT */
/*
 * test_arena.c: a range of numbers is given out by every policy as the policy
 * says, beside a map of single numbers that is searched naively; what is given
 * back is free again; and the checker names each invariant that is broken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/vmap/arena.h"
#include "port/sim/sim.h"
#include "random.h"

#define BASE  1000u
#define SPAN  4000u
#define HELD  200u
#define STEPS 4000u

struct model {
	struct qr_arena arena;
	struct test_random random;
	bool taken[SPAN];
	struct qr_segment segments[HELD];
	bool is_held[HELD];
	uint64_t hand; /* where the last one was put */
};

/* A gap of the model: [start, end). */
struct gap {
	size_t start;
	size_t end;
};

static bool
next_gap(const struct model *model, size_t from, struct gap *gap)
{
	while (from < SPAN && model->taken[from])
		from++;
	gap->start = from;
	while (from < SPAN && !model->taken[from])
		from++;
	gap->end = from;
	return gap->start < SPAN;
}

static size_t
gap_size(const struct gap *gap)
{
	return gap->end - gap->start;
}

/* The gap that the policy should use, naively; false: none is large enough. */
static bool
naive_find(const struct model *model, size_t need, struct gap *found)
{
	struct gap gap;
	bool any = false;
	bool is_after = false; /* found one behind the hand */
	for (size_t at = 0; next_gap(model, at, &gap); at = gap.end) {
		size_t size = gap_size(&gap);
		if (size < need)
			continue;
		bool better = !any;
		if (any && model->arena.fit == QR_FIT_BEST)
			better = size < gap_size(found);
		if (any && model->arena.fit == QR_FIT_WORST)
			better = size > gap_size(found);
		if (model->arena.fit == QR_FIT_NEXT && !is_after &&
		    BASE + gap.end > model->hand)
			better = is_after = true;
		if (better)
			*found = gap;
		any = true;
	}
	return any;
}

static void
step_alloc(struct model *model)
{
	size_t i = (size_t)test_random_below(&model->random, HELD);
	if (model->is_held[i])
		return;
	size_t limit = test_random_below(&model->random, 8) == 0 ? 400 : 24;
	size_t size = 1 + (size_t)test_random_below(&model->random, limit);
	size_t align = (size_t)1 << test_random_below(&model->random, 4);
	struct gap gap = { 0, 0 };
	bool there = naive_find(model, size + align - 1, &gap);
	int error =
	    qr_arena_alloc(&model->arena, &model->segments[i], size, align);
	assert_int_equal(error, there ? 0 : -QR_ENOMEM);
	if (error != 0)
		return;
	size_t start = (size_t)model->segments[i].start - BASE;
	assert_int_equal((BASE + start) % align, 0);
	/* Instant fit may take any that is large enough. */
	if (model->arena.fit != QR_FIT_INSTANT)
		assert_in_range(start, gap.start, gap.start + align - 1);
	assert_true(start + size <= SPAN);
	assert_null(memchr(&model->taken[start], true, size));
	memset(&model->taken[start], true, size);
	model->is_held[i] = true;
	model->hand = BASE + start;
}

static void
step_take(struct model *model)
{
	size_t i = (size_t)test_random_below(&model->random, HELD);
	size_t start = (size_t)test_random_below(&model->random, SPAN + 10);
	size_t size = 1 + (size_t)test_random_below(&model->random, 40);
	if (model->is_held[i])
		return;
	bool is_free = start + size <= SPAN &&
		       memchr(&model->taken[start], true, size) == NULL;
	int error = qr_arena_take(&model->arena, &model->segments[i],
	    BASE + start, size);
	assert_int_equal(error, is_free ? 0 : -QR_EBUSY);
	if (error != 0)
		return;
	memset(&model->taken[start], true, size);
	model->is_held[i] = true;
}

static void
step_free(struct model *model)
{
	size_t i = (size_t)test_random_below(&model->random, HELD);
	struct qr_segment *segment = &model->segments[i];
	if (!model->is_held[i])
		return;
	uint64_t at =
	    segment->start + test_random_below(&model->random, segment->size);
	assert_ptr_equal(qr_arena_find(&model->arena, at), segment);
	assert_ptr_equal(qr_arena_next(&model->arena, segment->start), segment);
	memset(&model->taken[segment->start - BASE], false,
	    (size_t)segment->size);
	qr_arena_free(&model->arena, segment);
	assert_null(qr_arena_find(&model->arena, at));
	model->is_held[i] = false;
}

static void
compare(const struct model *model)
{
	struct gap gap;
	size_t largest = 0;
	size_t used = 0;
	qr_check_arena(&model->arena);
	for (size_t at = 0; next_gap(model, at, &gap); at = gap.end)
		if (gap_size(&gap) > largest)
			largest = gap_size(&gap);
	for (size_t at = 0; at < SPAN; at++)
		used += model->taken[at];
	assert_int_equal(qr_arena_largest(&model->arena), largest);
	assert_int_equal(model->arena.used, used);
}

static void
run_policy(enum qr_fit fit)
{
	struct model *model = calloc(1, sizeof(*model));
	assert_non_null(model);
	model->random = test_random_start(qr_fit_name(fit));
	model->hand = BASE;
	qr_arena_init(&model->arena, BASE, BASE + SPAN, fit);
	for (unsigned step = 0; step < STEPS; step++) {
		uint64_t pick = test_random_below(&model->random, 16);
		if (pick == 0)
			step_take(model);
		else if (pick < 10)
			step_alloc(model);
		else
			step_free(model);
		if (step % 16 == 0)
			compare(model);
		/* The policy may change at any time. */
		if (step % 500 == 499)
			qr_arena_set_fit(&model->arena,
			    step % 1000 == 999
				? fit
				: (enum qr_fit)(step / 500 % QR_FITS));
	}
	for (size_t i = 0; i < HELD; i++)
		if (model->is_held[i])
			qr_arena_free(&model->arena, &model->segments[i]);
	memset(model->taken, false, sizeof(model->taken));
	compare(model);
	assert_int_equal(model->arena.segments, 0);
	free(model);
}

static void
test_policies_beside_a_model(void **state)
{
	(void)state;
	for (unsigned fit = 0; fit < QR_FITS; fit++)
		run_policy((enum qr_fit)fit);
	assert_string_equal(qr_fit_name(QR_FITS), "none");
}

/* The textbook's example: gaps of 100, 500, 200, 300 and 600, requests of 212,
 * 417, 112 and 426. */
static void
test_textbook(void **state)
{
	static const uint64_t gaps[] = { 100, 500, 200, 300, 600 };
	static const uint64_t requests[] = { 212, 417, 112, 426 };
	/* Places of the four; 0: refused. */
	static const struct {
		enum qr_fit fit;
		uint64_t place[4];
	} cases[] = {
		{ QR_FIT_FIRST, { 121, 1151, 333, 0 } },
		{ QR_FIT_BEST, { 841, 121, 631, 1151 } },
		{ QR_FIT_WORST, { 1151, 121, 1363, 0 } },
		{ QR_FIT_NEXT, { 121, 1151, 1568, 0 } },
	};
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct qr_arena arena;
		struct qr_segment walls[6], got[4];
		uint64_t at = 1;
		/* Walls of 10 about the gaps. */
		qr_arena_init(&arena, 1, 1751 + 10, cases[c].fit);
		for (size_t i = 0; i < 6; i++) {
			assert_int_equal(qr_arena_take(&arena, &walls[i], at,
					     10),
			    0);
			at += 10 + (i < 5 ? gaps[i] : 0);
		}
		for (size_t i = 0; i < 4; i++) {
			int error =
			    qr_arena_alloc(&arena, &got[i], requests[i], 1);
			assert_int_equal(error == 0 ? got[i].start : 0,
			    cases[c].place[i]);
		}
		qr_check_arena(&arena);
	}
}

static void
test_edges(void **state)
{
	struct qr_arena arena;
	struct qr_segment a, b;
	(void)state;
	qr_arena_init(&arena, 0, UINT64_MAX, QR_FIT_INSTANT);
	assert_int_equal(qr_arena_alloc(&arena, &a, UINT64_MAX, 1), -QR_ENOMEM);
	assert_int_equal(qr_arena_alloc(&arena, &a, UINT64_MAX - 5, 8),
	    -QR_ENOMEM);
	assert_int_equal(qr_arena_alloc(&arena, &a, 1, (uint64_t)1 << 62), 0);
	assert_int_equal(qr_arena_take(&arena, &b, UINT64_MAX - 1, 2),
	    -QR_EBUSY);
	assert_int_equal(qr_arena_take(&arena, &b, UINT64_MAX - 1, 1), 0);
	assert_ptr_equal(qr_arena_next(&arena, 1), &b);
	assert_null(qr_arena_next(&arena, UINT64_MAX));
	qr_check_arena(&arena);
	qr_arena_free(&arena, &a);
	qr_arena_free(&arena, &b);
	assert_int_equal(qr_arena_largest(&arena), UINT64_MAX);
}

/* --- misuse and the checker --- */

static struct qr_arena broken;
static struct qr_segment broken_segment[3];

static void
do_check(void *ctx)
{
	(void)ctx;
	qr_check_arena(&broken);
}

static void
do_free_again(void *ctx)
{
	qr_arena_free(&broken, ctx);
}

static void
assert_names(void (*body)(void *ctx), void *ctx, const char *words)
{
	const char *message = sim_expect_panic(body, ctx);
	assert_non_null(message);
	if (strstr(message, words) == NULL)
		fail_msg("no \"%s\" in: %s", words, message);
}

static void
break_number(uint64_t *number, const char *words)
{
	uint64_t had = *number;
	*number = had + 1;
	assert_names(do_check, NULL, words);
	*number = had;
	do_check(NULL);
}

static void
test_checker_names_invariants(void **state)
{
	(void)state;
	qr_arena_init(&broken, BASE, BASE + SPAN, QR_FIT_FIRST);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(qr_arena_take(&broken, &broken_segment[i],
				     BASE + 100 * (i + 1), 10),
		    0);
	break_number(&broken_segment[1].start, "[arena.1]");
	break_number(&broken_segment[1].gap, "[arena.1]");
	break_number(&broken_segment[0].gap_max, "[arena.2]");
	break_number(&broken.used, "[arena.3]");
	break_number(&broken.segments, "[arena.3]");
	qr_arena_set_fit(&broken, QR_FIT_INSTANT);
	uint64_t nonempty = broken.nonempty;
	broken.nonempty = 0;
	assert_names(do_check, NULL, "[arena.4]");
	broken.nonempty = nonempty;
	do_check(NULL);
	qr_arena_set_fit(&broken, QR_FIT_BEST);
	do_check(NULL);
	struct qr_tree_node *root = broken.sizes.root;
	broken.sizes.root = NULL;
	assert_names(do_check, NULL, "[arena.4]");
	broken.sizes.root = root;
	qr_arena_set_fit(&broken, QR_FIT_NEXT);
	do_check(NULL);
	broken.signature = 0;
	assert_names(do_check, NULL, "signature");
}

static void
test_double_free(void **state)
{
	(void)state;
	qr_arena_init(&broken, BASE, BASE + SPAN, QR_FIT_FIRST);
	assert_int_equal(qr_arena_alloc(&broken, &broken_segment[0], 10, 1), 0);
	qr_arena_free(&broken, &broken_segment[0]);
	assert_names(do_free_again, &broken_segment[0], "is not taken");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies_beside_a_model),
		cmocka_unit_test(test_textbook),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_checker_names_invariants),
		cmocka_unit_test(test_double_free),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
