/* SPDX-License-Identifier: MIT */
/*
 * Proves that the profile's sample is the blocks that it says, from the calls
 * that it says, for as long as they live, whoever frees them; that it stands
 * for what was allocated; and that a heap without memory for it goes on.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"

#include <qr/heap_profile.h>

#define BLOCKS 3000u

/* Calls that are told apart by their addresses: each has CALL_BYTES of its own,
 * and something to do after the call. */
#define CALL_BYTES 512u
#define TEST_CALL  __attribute__((noinline, aligned(CALL_BYTES)))

typedef void *alloc_call(size_t size);

TEST_CALL static void *
alloc_first(size_t size)
{
	unsigned char *block = qr_heap_malloc(size);
	block[0] = 1;
	return block;
}

TEST_CALL static void *
alloc_second(size_t size)
{
	unsigned char *block = qr_heap_malloc(size);
	block[0] = 2;
	return block;
}

/* Not to be cloned for a size. */
static alloc_call *volatile first_call = alloc_first;
static alloc_call *volatile second_call = alloc_second;

static const struct qr_heap_profile_table *
table_now(void)
{
	return (const void *)(uintptr_t)qr_heap_profile_root.table;
}

struct sums {
	uint64_t live_blocks;
	uint64_t live_bytes;
	uint64_t total_blocks;
	uint64_t total_bytes;
};

static bool
stack_is_of(const struct qr_heap_profile_stack *stack, alloc_call *function)
{
	uintptr_t start = (uintptr_t)function;
	for (uint32_t i = 0; i < stack->depth; i++) {
		if (qr_heap_profile_frames(stack)[i] - start < CALL_BYTES)
			return true;
	}
	return false;
}

/* The sums of stacks that a function is in; NULL: of all. */
static struct sums
sums_of(alloc_call *function)
{
	const struct qr_heap_profile_table *table = table_now();
	struct sums sums = { 0 };
	uint64_t at = 8;
	while (table != NULL && at < table->stacks_bytes) {
		const struct qr_heap_profile_stack *stack =
		    (const void *)(uintptr_t)(table->stacks + at);
		if (function == NULL || stack_is_of(stack, function)) {
			sums.live_blocks += stack->live_blocks;
			sums.live_bytes += stack->live_bytes;
			sums.total_blocks += stack->total_blocks;
			sums.total_bytes += stack->total_bytes;
		}
		at += sizeof(*stack) + stack->depth * sizeof(uint64_t);
	}
	return sums;
}

/* Every block is taken from here on, once lists that were filled before are
 * used up. */
static void
sample_all(size_t size)
{
	qr_heap_profile_set_interval(1);
	qr_heap_trim(0);
	for (unsigned i = 0; i < 3; i++)
		qr_heap_free(first_call(size));
}

static void
test_every_block(void **state)
{
	(void)state;
	static void *block[BLOCKS];
	sample_all(48);
	struct sums before = sums_of(alloc_second);
	struct sums before_first = sums_of(alloc_first);
	for (unsigned i = 0; i < BLOCKS; i++)
		block[i] = i % 3 == 0 ? first_call(48) : second_call(48);
	struct sums after = sums_of(alloc_second);
	assert_int_equal(after.live_blocks - before.live_blocks,
	    BLOCKS / 3 * 2);
	assert_int_equal(after.live_bytes - before.live_bytes,
	    BLOCKS / 3 * 2 * 48);
	assert_int_equal(sums_of(alloc_first).live_blocks -
			     before_first.live_blocks,
	    BLOCKS / 3);
	qr_check_heap(true);
	for (unsigned i = 0; i < BLOCKS; i += 2)
		qr_heap_free(block[i]);
	qr_check_heap(true);
	struct sums half = sums_of(NULL);
	assert_int_equal(half.live_blocks, BLOCKS / 2);
	for (unsigned i = 1; i < BLOCKS; i += 2)
		qr_heap_free(block[i]);
	assert_int_equal(sums_of(NULL).live_blocks, 0);
	assert_int_equal(sums_of(NULL).live_bytes, 0);
	qr_heap_profile_set_interval(0);
	qr_heap_trim(0);
	qr_check_heap(true);
	uint64_t total = sums_of(NULL).total_blocks;
	for (unsigned i = 0; i < 64; i++)
		qr_heap_free(first_call(48));
	uint64_t late = sums_of(NULL).total_blocks - total;
	/* A countdown that ran ends with its block. */
	assert_true(late <= 1);
}

static void *
free_all(void *argument)
{
	void **block = argument;
	for (unsigned i = 0; i < BLOCKS; i++)
		qr_heap_free(block[i]);
	return NULL;
}

/* Blocks of a sample, small and large, that others free, that grow in place,
 * and that move. */
static void
test_freed_elsewhere(void **state)
{
	(void)state;
	static void *block[BLOCKS];
	pthread_t thread;
	sample_all(200);
	for (unsigned i = 0; i < BLOCKS; i++)
		block[i] = second_call(i % 50 == 0 ? 50000 : 200);
	assert_true(sums_of(NULL).live_blocks >= BLOCKS - 1);
	assert_int_equal(pthread_create(&thread, NULL, free_all, block), 0);
	pthread_join(thread, NULL);
	assert_int_equal(sums_of(NULL).live_blocks, 0);

	void *large = first_call(100000);
	large = qr_heap_realloc(large, 50000);
	assert_int_equal(sums_of(NULL).live_bytes, 53248);
	large = qr_heap_realloc(large, 20000000);
	assert_true(sums_of(NULL).live_bytes >= 20000000);
	qr_heap_free(large);
	assert_int_equal(sums_of(NULL).live_bytes, 0);
	qr_heap_profile_set_interval(0);
	qr_heap_trim(0);
	qr_check_heap(true);
}

/* Against any pattern: a pair that finds its block on the list each time, a
 * batch, and large blocks. 6 standard deviations of a Poisson distribution. */
static void
test_estimate(void **state)
{
	(void)state;
	static void *block[BLOCKS];
	const size_t interval = 4096;
	qr_heap_profile_set_interval(interval);
	struct sums before = sums_of(NULL);
	uint64_t bytes = 0;
	for (unsigned i = 0; i < 200000; i++) {
		qr_heap_free(first_call(32));
		bytes += 32;
	}
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < BLOCKS; i++) {
			block[i] = second_call(96);
			bytes += 96;
		}
		free_all(block);
	}
	qr_heap_profile_set_interval(0);
	struct sums after = sums_of(NULL);
	/* Blocks of 32 and 96 bytes: the chance is nearly bytes / interval. */
	double expected = (double)bytes / (double)interval;
	double found = (double)(after.total_blocks - before.total_blocks);
	printf("expected %.0f samples, found %.0f\n", expected, found);
	double slack = 300;
	assert_true(found > expected - slack && found < expected + slack);
	qr_heap_trim(0);
	qr_check_heap(true);
}

/* A child has the sample of its copy of the blocks. */
static void
test_fork(void **state)
{
	(void)state;
	sample_all(64);
	void *block = first_call(64);
	uint64_t live = sums_of(NULL).live_blocks;
	pid_t child = fork();
	if (child == 0) {
		bool same = sums_of(NULL).live_blocks == live;
		qr_heap_free(block);
		_exit(same && sums_of(NULL).live_blocks == live - 1 ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(sums_of(NULL).live_blocks, live);
	qr_heap_free(block);
	qr_heap_profile_set_interval(0);
}

/* The text has each stack, the sums and the mappings. */
static void
test_text(void **state)
{
	(void)state;
	static char text[1 << 16];
	sample_all(128);
	void *block = second_call(128);
	FILE *file = tmpfile();
	assert_non_null(file);
	assert_int_equal(qr_heap_profile_write(fileno(file)), 0);
	rewind(file);
	size_t bytes = fread(text, 1, sizeof(text) - 1, file);
	text[bytes] = '\0';
	fclose(file);
	unsigned long long blocks = 0;
	assert_int_equal(sscanf(text, "heap profile: %llu:", &blocks), 1);
	assert_int_equal(blocks, sums_of(NULL).live_blocks);
	assert_non_null(strstr(text, "] @ heap_v2/1\n"));
	assert_non_null(strstr(text, "\n1: 128 ["));
	assert_non_null(strstr(text, "\nMAPPED_LIBRARIES:\n"));
	assert_non_null(strstr(text, "[stack]"));
	assert_int_equal(qr_heap_profile_write(-1), -QR_EBADF);
	qr_heap_free(block);
	qr_heap_profile_set_interval(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_block),
		cmocka_unit_test(test_freed_elsewhere),
		cmocka_unit_test(test_estimate),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
