/* SPDX-License-Identifier: MIT */
/*
 * Proves that separate heaps keep to themselves: their blocks lie where they
 * were told to, hold what is written to them whoever frees them, end with the
 * heap however many are left, and leave malloc's own heap alone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bed.h"

#define MIB    ((size_t)1 << 20)
#define BLOCKS 2000u
#define STEPS  60000u

struct work {
	struct qr_heap *heap;
	struct test_random random;
	struct bed_block *block; /* BLOCKS of them, under lock */
	pthread_mutex_t *lock;
};

static size_t
size_any(struct test_random *random)
{
	return test_random_below(random, 60) == 0
		   ? test_random_below(random, 200000)
		   : test_random_below(random, 2000);
}

static void
step(struct work *work)
{
	struct bed_block *block =
	    &work->block[test_random_below(&work->random, BLOCKS)];
	if (block->start != NULL) {
		assert_true(bed_intact(block, block->size));
		qr_heap_give_back(work->heap, block->start);
		block->start = NULL;
		return;
	}
	size_t align = (size_t)1 << test_random_below(&work->random, 14);
	block->size = size_any(&work->random);
	block->seed = test_random_next(&work->random);
	block->start =
	    align < 16 ? qr_heap_alloc(work->heap, block->size)
		       : qr_heap_alloc_aligned(work->heap, align, block->size);
	/* Named memory may be full. */
	if (block->start == NULL)
		return;
	assert_int_equal((uintptr_t)block->start % align, 0);
	bed_fill(block);
}

static void *
work_body(void *argument)
{
	struct work *work = argument;
	for (unsigned i = 0; i < STEPS; i++) {
		pthread_mutex_lock(work->lock);
		step(work);
		pthread_mutex_unlock(work->lock);
	}
	return NULL;
}

/* Two threads on one heap, with blocks of both. */
static void
work_run(struct qr_heap *heap, struct bed_block *block)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct test_random random = test_random_start("separate");
	struct work work[2];
	pthread_t thread[2];
	for (unsigned i = 0; i < 2; i++) {
		work[i] = (struct work){ heap, { test_random_next(&random) },
			block, &lock };
		pthread_create(&thread[i], NULL, work_body, &work[i]);
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	qr_check_separate_heap(heap);
}

static bool
is_mapped(const void *address)
{
	unsigned char in;
	uintptr_t page = (uintptr_t)address & ~(uintptr_t)4095;
	return mincore((char *)NULL + page, 1, &in) == 0;
}

static void
test_on_pages(void **state)
{
	(void)state;
	static struct bed_block block[BLOCKS];
	struct qr_heap_stats before;
	struct qr_heap_stats after;
	qr_heap_trim(0);
	qr_heap_stats(&before);
	struct qr_heap *heap = qr_heap_create(NULL);
	assert_non_null(heap);
	work_run(heap, block);
	const void *left = NULL;
	for (unsigned i = 0; i < BLOCKS && left == NULL; i++)
		left = block[i].start;
	assert_true(is_mapped(left));
	qr_heap_destroy(heap);
	assert_false(is_mapped(left));
	qr_heap_trim(0);
	qr_heap_stats(&after);
	assert_int_equal(after.small_used_bytes, before.small_used_bytes);
	assert_int_equal(after.large_blocks, before.large_blocks);
	qr_check_heap(true);
}

static void
test_many(void **state)
{
	(void)state;
	struct qr_heap *heap[50];
	void *block[50];
	for (unsigned i = 0; i < 50; i++) {
		heap[i] = qr_heap_create(NULL);
		block[i] = qr_heap_alloc(heap[i], 100);
		memset(block[i], (int)i, 100);
	}
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(((unsigned char *)block[i])[99], i);
		qr_heap_destroy(heap[i]);
	}
}

/* Memory that is not zero, with a wall on either side. */
static void
test_in_memory(void **state)
{
	(void)state;
	const size_t bytes = 14 * MIB + 12345;
	unsigned char *all = malloc(bytes + 200);
	memset(all, 0xee, bytes + 200);
	unsigned char *memory = all + 100;
	for (unsigned round = 0; round < 2; round++) {
		static struct bed_block block[BLOCKS];
		memset(block, 0, sizeof(block));
		struct qr_heap *heap = qr_heap_create_in(memory, bytes);
		assert_non_null(heap);
		work_run(heap, block);
		for (unsigned i = 0; i < BLOCKS; i++) {
			if (block[i].start == NULL)
				continue;
			assert_true(block[i].start >= memory);
			assert_true(
			    block[i].start + block[i].size <= memory + bytes);
		}
		qr_heap_destroy(heap);
	}
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(all[i], 0xee);
		assert_int_equal(memory[bytes + i], 0xee);
	}
	free(all);
}

/* As much as there is, and the same again when it was given back. */
static void
test_memory_full(void **state)
{
	(void)state;
	static void *block[100000];
	const size_t bytes = 16 * MIB;
	void *memory = malloc(bytes);
	assert_null(qr_heap_create_in(memory, 10000));
	assert_int_equal(errno, ENOMEM);
	struct qr_heap *heap = qr_heap_create_in(memory, bytes);
	size_t counts[2];
	for (unsigned round = 0; round < 2; round++) {
		size_t count = 0;
		errno = 0;
		while ((block[count] = qr_heap_alloc(heap, 300)) != NULL)
			count++;
		assert_int_equal(errno, ENOMEM);
		assert_null(qr_heap_alloc(heap, MIB));
		qr_check_separate_heap(heap);
		counts[round] = count;
		while (count > 0)
			qr_heap_give_back(heap, block[--count]);
		qr_check_separate_heap(heap);
	}
	/* At least half of it. */
	assert_true(counts[0] * 300 > bytes / 2);
	assert_true(counts[1] + counts[1] / 20 >= counts[0]);
	qr_heap_destroy(heap);
	free(memory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_on_pages),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_in_memory),
		cmocka_unit_test(test_memory_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
