/* SPDX-License-Identifier: MIT */
/*
 * Proves what the heap tells its page source: nothing while it is small; of a
 * heap that has grown, chunks that will be full, but none for large blocks or
 * calloc; no longer so once a part of them was given back; and pages that are
 * written at once, each of them once.
 */
#define _GNU_SOURCE
#include "bed.h"

#define MIB    ((size_t)1 << 20)
#define CHUNK  (2 * MIB)
#define BLOCKS 280000u /* below 64 MiB: no helper purges meanwhile */
#define SIZE   200u

static struct {
	size_t count[3]; /* by enum qr_page_hint */
	size_t bytes[3];
	size_t bad; /* not what a hint of this kind may cover */
} told;

static void
told_hint(void *ctx, void *start, size_t bytes, enum qr_page_hint hint)
{
	(void)ctx;
	size_t grain = hint == QR_PAGE_HINT_WRITTEN ? QR_PAGE_SIZE : CHUNK;
	told.count[hint]++;
	told.bytes[hint] += bytes;
	told.bad += ((uintptr_t)start | bytes) % grain != 0 || bytes == 0;
}

static void
must(bool condition, int code)
{
	if (!condition)
		_exit(code);
}

static void
install(void)
{
	static struct qr_page_source_ops ops;
	static struct qr_page_source source;
	source = *qr_page_source_os();
	ops = *source.ops;
	ops.hint = told_hint;
	source.ops = &ops;
	must(qr_heap_set_page_source(&source) == 0, 3);
}

static void *block[BLOCKS];

static void
take(size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		must((block[i] = qr_heap_malloc(SIZE)) != NULL, 4);
}

static void
grows_and_shrinks(void *ctx)
{
	(void)ctx;
	install();
	take(0, 10 * MIB / SIZE);
	must(told.count[QR_PAGE_HINT_DENSE] == 0, 5);
	must(told.count[QR_PAGE_HINT_WRITTEN] == 0, 6);
	take(10 * MIB / SIZE, BLOCKS);
	/* 56 MiB in all, of which nothing is said of the first 16. */
	must(told.bytes[QR_PAGE_HINT_DENSE] >= 36 * MIB, 7);
	must(told.bytes[QR_PAGE_HINT_DENSE] <= 46 * MIB, 8);
	must(told.count[QR_PAGE_HINT_SPARSE] == 0, 9);
	qr_check_heap(true);
	/* One block of 4000 stays: so do pages of every chunk. */
	for (size_t i = 0; i < BLOCKS; i++)
		if (i % 4000 != 0)
			qr_heap_free(block[i]);
	qr_heap_trim(0);
	must(told.bytes[QR_PAGE_HINT_SPARSE] == told.bytes[QR_PAGE_HINT_DENSE],
	    10);
	must(told.bad == 0, 11);
	qr_check_heap(true);
	/* All of it, and again: chunks that were empty are opened anew. */
	for (size_t i = 0; i < BLOCKS; i += 4000)
		qr_heap_free(block[i]);
	qr_heap_trim(0);
	size_t before = told.bytes[QR_PAGE_HINT_DENSE];
	take(0, BLOCKS);
	must(told.bytes[QR_PAGE_HINT_DENSE] >= before + 36 * MIB, 12);
	qr_check_heap(true);
}

static void
large_are_not_dense(void *ctx)
{
	(void)ctx;
	install();
	for (unsigned i = 0; i < 100; i++)
		must((block[i] = qr_heap_malloc(MIB)) != NULL, 4);
	for (unsigned i = 100; i < 2000; i++)
		must((block[i] = qr_heap_calloc(1, 100000)) != NULL, 4);
	must(told.count[QR_PAGE_HINT_DENSE] == 0, 5);
	qr_check_heap(true);
}

/* In a heap of one large block no chunk is opened, so pages are written. */
static void
written_at_once(void *ctx)
{
	(void)ctx;
	install();
	void *large = qr_heap_malloc(17 * MIB);
	must(large != NULL, 4);
	take(0, 2000);
	/* The rest of the large block's last chunk. */
	must(told.count[QR_PAGE_HINT_WRITTEN] > 5, 5);
	must(told.bytes[QR_PAGE_HINT_WRITTEN] <= 2000 * SIZE * 2, 6);
	must(told.bytes[QR_PAGE_HINT_WRITTEN] >= 2000 * SIZE / 2, 7);
	must(told.bad == 0, 8);
}

static void
passes(void (*body)(void *ctx))
{
	int status = bed_in_child(body, NULL);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
test_grows_and_shrinks(void **state)
{
	(void)state;
	passes(grows_and_shrinks);
}

static void
test_large(void **state)
{
	(void)state;
	passes(large_are_not_dense);
}

static void
test_written(void **state)
{
	(void)state;
	passes(written_at_once);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows_and_shrinks),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
