/* SPDX-License-Identifier: MIT */
/*
 * Proves that the heap survives a page source that refuses any one of its
 * calls, or all from some call on: what it returns is then NULL or a good
 * block, what was there stays, and it goes on when the source does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>

#include "bed.h"

#define SOURCE_BLOCKS 300u

/* The operating system's source, with a say in each call. */
static struct {
	_Atomic(uint64_t) calls;
	uint64_t fail_first; /* number of the first call that fails; 0: none */
	uint64_t fail_last;
	_Atomic(uint64_t) failed;
} source;

static bool
source_fails(void)
{
	uint64_t call = atomic_fetch_add(&source.calls, 1) + 1;
	if (call < source.fail_first || call > source.fail_last)
		return false;
	atomic_fetch_add(&source.failed, 1);
	return true;
}

static int
source_reserve(void *ctx, size_t bytes, size_t align, void **start)
{
	const struct qr_page_source *os = ctx;
	return source_fails() ? -QR_ENOMEM
			      : os->ops->reserve(os->ctx, bytes, align, start);
}

static int
source_commit(void *ctx, void *start, size_t bytes)
{
	const struct qr_page_source *os = ctx;
	return source_fails() ? -QR_ENOMEM
			      : os->ops->commit(os->ctx, start, bytes);
}

static int
source_decommit(void *ctx, void *start, size_t bytes)
{
	const struct qr_page_source *os = ctx;
	return source_fails() ? -QR_EAGAIN
			      : os->ops->decommit(os->ctx, start, bytes);
}

static void
source_release(void *ctx, void *start, size_t bytes)
{
	const struct qr_page_source *os = ctx;
	os->ops->release(os->ctx, start, bytes);
}

static const struct qr_page_source_ops source_ops = {
	.reserve = source_reserve,
	.commit = source_commit,
	.decommit = source_decommit,
	.release = source_release,
};

/* A small address space makes the heap need several regions. */
static void
source_install(size_t reserve_bytes_max)
{
	static struct qr_page_source wrapped;
	union {
		const void *from;
		void *to;
	} os = { .from = qr_page_source_os() };
	wrapped = *qr_page_source_os();
	wrapped.ops = &source_ops;
	wrapped.ctx = os.to;
	wrapped.reserve_bytes_max = reserve_bytes_max;
	if (qr_heap_set_page_source(&wrapped) != 0)
		_exit(3);
}

/* What must hold after every refusal; a child has no cmocka to tell. */
static void
must(bool condition, int code)
{
	if (!condition)
		_exit(code);
}

static void
script_step(struct test_random *random, struct bed_block *block, unsigned i)
{
	if (block->start != NULL && i % 3 == 0) {
		size_t size = bed_size(random) * 2 + 1;
		unsigned char *moved = qr_heap_realloc(block->start, size);
		must(bed_intact(block, moved == NULL ? block->size : 0), 4);
		if (moved == NULL)
			return;
		block->start = moved;
		must(bed_intact(block, size), 5);
		block->size = size;
		bed_fill(block);
		return;
	}
	if (block->start != NULL) {
		must(bed_intact(block, block->size), 6);
		errno = 77;
		qr_heap_free(block->start);
		must(errno == 77, 7);
		block->start = NULL;
		return;
	}
	errno = 0;
	block->size = i % 50 == 0 ? (size_t)3 << 20 : bed_size(random);
	block->seed = i;
	block->start = i % 5 == 0 ? qr_heap_aligned_alloc(8192, block->size)
				  : qr_heap_malloc(block->size);
	must(block->start != NULL || errno == ENOMEM, 8);
	if (block->start != NULL)
		bed_fill(block);
}

static void
script(void *ctx)
{
	static struct bed_block block[SOURCE_BLOCKS];
	const uint64_t *fail = ctx;
	struct test_random random = { 7 };
	source.fail_first = fail[0];
	source.fail_last = fail[1];
	source_install((size_t)8 << 20);
	for (unsigned i = 0; i < 2 * SOURCE_BLOCKS; i++) {
		size_t index = test_random_below(&random, SOURCE_BLOCKS);
		script_step(&random, &block[index], i);
		if (i % 200 == 199)
			qr_heap_trim(0);
	}
	source.fail_first = source.fail_last = 0;
	qr_check_heap(true);
	void *again = qr_heap_malloc((size_t)20 << 20);
	must(again != NULL, 9);
	for (unsigned i = 0; i < SOURCE_BLOCKS; i++) {
		must(block[i].start == NULL ||
			 bed_intact(&block[i], block[i].size),
		    10);
		qr_heap_free(block[i].start);
	}
	qr_heap_free(again);
	qr_check_heap(true);
	_exit(atomic_load(&source.failed) != 0 ? 0 : 2);
}

/* Each call fails once, one after the other, until none is left to fail. */
static void
test_each_call(void **state)
{
	(void)state;
	uint64_t call = 0;
	int code = 0;
	while (code == 0) {
		call++;
		uint64_t fail[2] = { call, call };
		int status = bed_in_child(script, fail);
		assert_true(WIFEXITED(status));
		code = WEXITSTATUS(status);
	}
	assert_int_equal(code, 2);
	print_message("%llu calls of the source\n", (unsigned long long)call);
	assert_true(call > 50);
}

/* From some call on all fail. */
static void
test_all_from(void **state)
{
	(void)state;
	for (uint64_t call = 1; call < 60; call += 3) {
		uint64_t fail[2] = { call, UINT64_MAX };
		int status = bed_in_child(script, fail);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

/* With no memory to be had, what the thread itself has cached is found. */
static void
last_resort(void *ctx)
{
	(void)ctx;
	enum { COUNT = 600 };
	static void *recent[COUNT];
	void *block;
	size_t count = 0;
	source_install((size_t)4 << 20);
	must(qr_heap_malloc(64) != NULL, 4);
	source.fail_first = 1;
	source.fail_last = UINT64_MAX;
	while ((block = qr_heap_malloc(64)) != NULL)
		recent[count++ % COUNT] = block;
	must(count > 10 * COUNT, 5);
	must(qr_heap_malloc(100) == NULL, 6);
	/* Fewer than a list may hold, and all of one span's. */
	for (size_t i = 0; i < COUNT; i++)
		qr_heap_free(recent[i]);
	must(qr_heap_malloc(100) != NULL, 7);
	qr_check_heap(true);
}

static void
test_last_resort(void **state)
{
	(void)state;
	assert_int_equal(bed_in_child(last_resort, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_call),
		cmocka_unit_test(test_all_from),
		cmocka_unit_test(test_last_resort),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
