/* SPDX-License-Identifier: MIT */
/*
 * Proves that a limit holds: the program is told once, allocations fail with
 * ENOMEM and not otherwise, a reserve is left in which to clean up, and all is
 * as before when it has. Each case in a process of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>

#include "bed.h"
#include "heap/calls_impl.h"

#define MIB ((size_t)1 << 20)

static struct {
	unsigned soft;
	unsigned hard;
	size_t held_bytes;
	void *release; /* freed by the call-back */
} told;

static void
pressure(void *ctx, enum qr_heap_pressure level, size_t held_bytes)
{
	(void)ctx;
	told.soft += level == QR_HEAP_PRESSURE_SOFT;
	told.hard += level == QR_HEAP_PRESSURE_HARD;
	told.held_bytes = held_bytes;
	/* It may do what it likes. */
	qr_heap_free(qr_heap_malloc(1000));
	qr_heap_free(told.release);
	told.release = NULL;
}

static void
must(bool condition, int code)
{
	if (!condition)
		_exit(code);
}

static size_t
held_bytes(void)
{
	struct qr_heap_stats stats;
	qr_heap_stats(&stats);
	return stats.held_bytes;
}

static void
limit_to(size_t soft, size_t hard)
{
	const struct qr_heap_limits limits = { .soft_bytes = soft,
		.hard_bytes = hard,
		.reserve_bytes = 2 * MIB,
		.call = pressure };
	must(qr_heap_set_limits(&limits) == 0, 90);
}

/* A chain of blocks, each of which holds the address of the one before. */
static size_t
fill(void ***last, size_t size)
{
	size_t count = 0;
	for (;;) {
		void **block = qr_heap_malloc(size);
		if (block == NULL)
			return count;
		*block = *last;
		*last = (void **)block;
		count++;
		must(count < 4000000, 91);
	}
}

static void
empty(void **last)
{
	while (last != NULL) {
		void **next = *last;
		qr_heap_free(last);
		last = next;
	}
}

static void
case_hard(void *ctx)
{
	size_t size = *(const size_t *)ctx;
	void **last = NULL;
	limit_to(0, 32 * MIB);
	errno = 0;
	size_t count = fill(&last, size);
	must(errno == ENOMEM, 1);
	must(count * size > 24 * MIB, 2);
	/* But for what the call-back took of the reserve. */
	must(held_bytes() <= 30 * MIB + 65536, 3);
	must(told.hard == 1, 4);
	must(qr_heap_is_low(), 5);
	/* The reserve is there, and it has an end as well. */
	size_t more = fill(&last, size);
	must(more * size >= MIB, 6);
	must(held_bytes() <= 32 * MIB, 7);
	must(told.hard == 1, 8);
	qr_check_heap(true);
	empty(last);
	qr_heap_trim(0);
	must(!qr_heap_is_low(), 9);
	last = NULL;
	must(fill(&last, size) + count / 50 + 1 >= count, 10);
	must(told.hard == 2, 11);
	empty(last);
}

static void
test_hard(void **state)
{
	(void)state;
	size_t size[] = { 16, 100, 3000, 40000, MIB };
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(bed_in_child(case_hard, &size[i]), 0);
}

/* What the call-back frees is found by the call that called it. */
static void
case_saved(void *ctx)
{
	(void)ctx;
	limit_to(0, 32 * MIB);
	told.release = qr_heap_malloc(20 * MIB);
	void *block = qr_heap_malloc(20 * MIB);
	must(block != NULL, 1);
	must(told.hard == 1, 2);
	must(!qr_heap_is_low(), 3);
	errno = 0;
	must(qr_heap_calloc(20, MIB) == NULL, 4);
	must(errno == ENOMEM, 5);
	must(qr_heap_realloc(block, 40 * MIB) == NULL, 6);
	must(qr_heap_aligned_alloc(64, 40 * MIB) == NULL, 7);
	qr_heap_free(block);
}

static void
test_saved_by_call(void **state)
{
	(void)state;
	assert_int_equal(bed_in_child(case_saved, NULL), 0);
}

static void
case_soft(void *ctx)
{
	(void)ctx;
	limit_to(16 * MIB, 0);
	for (unsigned round = 1; round <= 3; round++) {
		void *block[40];
		for (unsigned i = 0; i < 40; i++)
			block[i] = qr_heap_malloc(MIB);
		must(told.soft == round, 1);
		must(told.held_bytes > 16 * MIB, 2);
		must(told.hard == 0, 3);
		for (unsigned i = 0; i < 40; i++)
			qr_heap_free(block[i]);
		struct qr_heap_stats stats;
		qr_heap_stats(&stats);
		must(stats.dirty_bytes <= 17 * MIB, 4);
	}
}

static void
test_soft(void **state)
{
	(void)state;
	assert_int_equal(bed_in_child(case_soft, NULL), 0);
}

static void
case_text(void *ctx)
{
	struct qr_heap_limits limits;
	(void)ctx;
	qr_heap_limit_from_text("512M,400M");
	qr_heap_get_limits(&limits);
	must(limits.hard_bytes == 512 * MIB, 1);
	must(limits.soft_bytes == 400 * MIB, 2);
	must(limits.reserve_bytes == MIB, 3);
	qr_heap_limit_from_text("2G");
	qr_heap_get_limits(&limits);
	must(limits.hard_bytes == 2048 * MIB, 4);
	must(limits.soft_bytes == 0, 5);
	/* Each of these is said to be ignored, and is. */
	fclose(stderr);
	const char *bad[] = { "", "x", "-1", "1M,", "1M,2x", "12Q", "0",
		"99999999999T" };
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		qr_heap_limit_from_text(bad[i]);
	qr_heap_get_limits(&limits);
	must(limits.hard_bytes == 2048 * MIB, 6);
	const struct qr_heap_limits wrong = { .hard_bytes = MIB,
		.reserve_bytes = MIB };
	must(qr_heap_set_limits(&wrong) == -QR_EINVAL, 7);
}

static void
test_text(void **state)
{
	(void)state;
	assert_int_equal(bed_in_child(case_text, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hard),
		cmocka_unit_test(test_saved_by_call),
		cmocka_unit_test(test_soft),
		cmocka_unit_test(test_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
