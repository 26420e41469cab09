/* SPDX-License-Identifier: MIT */
/*
 * Proves that under random streams of all calls, by one thread and by several
 * that free each other's blocks, every block keeps its contents and its
 * alignment, calloc's are zero, and the walker finds nothing.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include "bed.h"

#define MODEL_BLOCKS  600u
#define MODEL_STEPS   60000u
#define MODEL_THREADS 4u

struct model {
	struct test_random random;
	struct bed_block block[MODEL_BLOCKS];
	bool shared; /* blocks are swapped with the others' */
};

static void
model_check_zero(const struct bed_block *block)
{
	for (size_t i = 0; i < block->size; i++) {
		if (block->start[i] != 0)
			fail_msg("calloc(%zu): byte %zu is not 0", block->size,
			    i);
	}
}

static void
model_alloc(struct model *model, struct bed_block *block)
{
	size_t size = bed_size(&model->random);
	size_t align = 1;
	uint64_t way = test_random_below(&model->random, 4);
	block->size = size;
	block->seed = test_random_next(&model->random);
	if (way == 0) {
		block->start = qr_heap_calloc(size / 8 + 1, 8);
		model_check_zero(block);
	} else if (way == 1) {
		align = (size_t)1 << test_random_below(&model->random, 16);
		block->start = qr_heap_aligned_alloc(align, size);
	} else {
		align = size > 8 ? 16 : 8;
		block->start = qr_heap_malloc(size);
	}
	assert_non_null(block->start);
	assert_int_equal((uintptr_t)block->start % align, 0);
	assert_true(qr_heap_usable_size(block->start) >= size);
	bed_fill(block);
}

static void
model_realloc(struct model *model, struct bed_block *block)
{
	size_t size = bed_size(&model->random) + 1;
	if (test_random_below(&model->random, 2) == 0)
		size = block->size + test_random_below(&model->random, 9000);
	if (size == 0)
		return;
	unsigned char *moved = qr_heap_realloc(block->start, size);
	assert_non_null(moved);
	block->start = moved;
	/* The old size's pattern, as far as both reach. */
	assert_true(bed_intact(block, size));
	block->size = size;
	bed_fill(block);
}

static void
model_free(struct bed_block *block)
{
	assert_true(bed_intact(block, block->size));
	qr_heap_free(block->start);
	block->start = NULL;
}

/* Blocks on their way from any thread to any other. */
static struct bed_block exchange[64];
static pthread_mutex_t exchange_lock = PTHREAD_MUTEX_INITIALIZER;

static void
model_swap(struct model *model, struct bed_block *block)
{
	size_t slot = test_random_below(&model->random, 64);
	pthread_mutex_lock(&exchange_lock);
	struct bed_block other = exchange[slot];
	exchange[slot] = *block;
	*block = other;
	pthread_mutex_unlock(&exchange_lock);
}

static void
model_step(struct model *model)
{
	size_t index = test_random_below(&model->random, MODEL_BLOCKS);
	struct bed_block *block = &model->block[index];
	uint64_t way = test_random_below(&model->random, 10);
	if (model->shared && test_random_below(&model->random, 4000) == 0)
		qr_heap_trim(test_random_below(&model->random, 1 << 22));
	if (model->shared && way < 3)
		model_swap(model, block);
	else if (block->start == NULL)
		model_alloc(model, block);
	else if (way < 4)
		model_realloc(model, block);
	else
		model_free(block);
}

static void *
model_run(void *argument)
{
	struct model *model = argument;
	for (unsigned i = 0; i < MODEL_STEPS; i++)
		model_step(model);
	for (unsigned i = 0; i < MODEL_BLOCKS; i++) {
		if (model->block[i].start != NULL)
			model_free(&model->block[i]);
	}
	return NULL;
}

static void
test_one_thread(void **state)
{
	(void)state;
	static struct model model;
	model.random = test_random_start("one thread");
	for (unsigned i = 0; i < MODEL_STEPS; i++) {
		model_step(&model);
		if (i % 4096 == 0)
			qr_check_heap(true);
	}
	model_run(&model);
	qr_check_heap(true);
}

/* All blocks of several spans of each class, to their spans and back. */
static void
test_every_class(void **state)
{
	(void)state;
	static void *block[9000];
	for (size_t size = 1; size <= 32768; size += 1 + size / 20) {
		size_t count = (size_t)1200000 / (size + 100);
		count = count < 9000 ? count : 9000;
		for (size_t i = 0; i < count; i++) {
			block[i] = qr_heap_malloc(size);
			memset(block[i], 0xa5, size);
		}
		for (size_t i = 0; i < count; i += 2)
			qr_heap_free(block[i]);
		qr_heap_trim(0);
		qr_check_heap(true);
		for (size_t i = 0; i < count; i += 2)
			block[i] = qr_heap_malloc(size);
		for (size_t i = count; i-- > 0;)
			qr_heap_free(block[i]);
		qr_heap_trim(0);
	}
}

/* The headers of spans that are gone serve the next ones. */
static void
test_headers_reused(void **state)
{
	(void)state;
	struct qr_heap_stats before;
	struct qr_heap_stats after;
	static void *block[1000];
	for (unsigned round = 0; round < 300; round++) {
		if (round == 10)
			qr_heap_stats(&before);
		for (unsigned i = 0; i < 1000; i++)
			block[i] = qr_heap_malloc(4000);
		for (unsigned i = 0; i < 1000; i++)
			qr_heap_free(block[i]);
		qr_heap_trim(0);
	}
	qr_heap_stats(&after);
	assert_int_equal(after.metadata_bytes, before.metadata_bytes);
	assert_int_equal(after.reserved_bytes, before.reserved_bytes);
}

static void
threads_round(struct test_random *random)
{
	static struct model model[MODEL_THREADS];
	pthread_t thread[MODEL_THREADS];
	for (unsigned i = 0; i < MODEL_THREADS; i++) {
		model[i].random.state = test_random_next(random);
		model[i].shared = true;
		assert_int_equal(pthread_create(&thread[i], NULL, model_run,
				     &model[i]),
		    0);
	}
	for (unsigned i = 0; i < 20; i++) {
		usleep(1000);
		qr_check_heap(false);
	}
	for (unsigned i = 0; i < MODEL_THREADS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < 64; i++) {
		if (exchange[i].start != NULL)
			model_free(&exchange[i]);
	}
	qr_check_heap(true);
}

/* Each round has other threads. QUIRE_ROUNDS: how many, for a long run. */
static void
test_threads(void **state)
{
	(void)state;
	const char *text = getenv("QUIRE_ROUNDS");
	unsigned long rounds = text != NULL ? strtoul(text, NULL, 10) : 1;
	struct test_random random = test_random_start("threads");
	while (rounds-- > 0)
		threads_round(&random);
}

/* After all is freed and trimmed nothing is left but the threads' caches. */
static void
test_nothing_left(void **state)
{
	(void)state;
	struct qr_heap_stats stats;
	qr_heap_trim(0);
	qr_heap_stats(&stats);
	assert_int_equal(stats.small_used_bytes, 0);
	assert_int_equal(stats.large_blocks, 0);
	assert_int_equal(stats.dirty_bytes, 0);
	assert_int_equal(stats.spans, 0);
	assert_true(stats.held_bytes <= (stats.threads + 2) * QR_PAGE_SIZE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_thread),
		cmocka_unit_test(test_every_class),
		cmocka_unit_test(test_headers_reused),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_nothing_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
