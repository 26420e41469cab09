/* SPDX-License-Identifier: MIT */
/*
 * Proves that page runs are reused, grow in place, read as zero where calloc
 * promises it without writing to fresh pages, are aligned, and that their
 * memory goes back to the system.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "bed.h"

#define MIB ((size_t)1 << 20)

static size_t
resident_pages(const void *start, size_t bytes)
{
	static unsigned char map[65536];
	size_t pages = bytes / QR_PAGE_SIZE;
	assert_true(pages <= sizeof(map));
	union {
		const void *from;
		void *to;
	} address = { .from = start };
	assert_int_equal(mincore(address.to, bytes, map), 0);
	size_t count = 0;
	for (size_t i = 0; i < pages; i++)
		count += map[i] & 1u;
	return count;
}

static void
test_calloc_fresh(void **state)
{
	(void)state;
	unsigned char *block = qr_heap_calloc(64, MIB);
	assert_non_null(block);
	assert_int_equal(resident_pages(block, 64 * MIB), 0);
	memset(block + 5 * MIB, 1, MIB);
	qr_heap_free(block);
	unsigned char *again = qr_heap_calloc(1, 64 * MIB);
	for (size_t i = 0; i < 64 * MIB; i += 97)
		assert_int_equal(again[i], 0);
	qr_heap_free(again);
	qr_check_heap(true);
}

static void
test_grow_in_place(void **state)
{
	(void)state;
	qr_heap_trim(0);
	unsigned char *block = qr_heap_malloc(MIB);
	unsigned char *first = block;
	memset(block, 7, MIB);
	unsigned moves = 0;
	for (size_t size = MIB; size <= 16 * MIB; size += MIB / 2) {
		unsigned char *grown = qr_heap_realloc(block, size);
		moves += grown != block;
		block = grown;
		assert_int_equal(block[MIB - 1], 7);
	}
	print_message("%u moves of 31\n", moves);
	assert_true(moves <= 5);
	block = qr_heap_realloc(block, 2 * MIB);
	assert_int_equal(qr_heap_usable_size(block), 2 * MIB);
	assert_int_equal(block[0], 7);
	qr_heap_free(block);
	(void)first;
	qr_check_heap(true);
}

static void
test_aligned(void **state)
{
	(void)state;
	for (size_t align = 1; align <= ((size_t)2 << 30); align *= 2) {
		unsigned char *one = qr_heap_aligned_alloc(align, 100);
		unsigned char *two = qr_heap_aligned_alloc(align, 50000);
		assert_non_null(one);
		assert_non_null(two);
		assert_int_equal((uintptr_t)one % align, 0);
		assert_int_equal((uintptr_t)two % align, 0);
		memset(one, 1, 100);
		memset(two, 2, 50000);
		qr_heap_free(one);
		qr_heap_free(two);
	}
	errno = 0;
	assert_null(qr_heap_aligned_alloc(48, 10));
	assert_int_equal(errno, EINVAL);
	assert_null(qr_heap_aligned_alloc(0, 10));
	qr_check_heap(true);
}

static void
test_too_large(void **state)
{
	(void)state;
	volatile size_t huge = SIZE_MAX;
	const size_t sizes[] = { huge, huge / 2, huge / 2 + 1, huge - 4096,
		huge >> 2, huge >> 16 };
	void *kept = qr_heap_malloc(10);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		errno = 0;
		assert_null(qr_heap_malloc(sizes[i]));
		assert_int_equal(errno, ENOMEM);
		errno = 0;
		assert_null(qr_heap_realloc(kept, sizes[i]));
		assert_int_equal(errno, ENOMEM);
		assert_null(qr_heap_calloc(sizes[i], 16));
		assert_null(qr_heap_aligned_alloc(4096, sizes[i]));
		assert_null(qr_heap_aligned_alloc(huge / 2 + 1, sizes[i]));
	}
	qr_heap_free(kept);
	qr_check_heap(true);
}

/* More than the budget goes back at once, all of it with trim. */
static void
test_given_back(void **state)
{
	(void)state;
	struct qr_heap_stats stats;
	enum { COUNT = 64 };
	void *block[COUNT];
	qr_heap_trim(0);
	for (unsigned i = 0; i < COUNT; i++) {
		block[i] = qr_heap_malloc(MIB);
		memset(block[i], 1, MIB);
	}
	for (unsigned i = 0; i < COUNT; i++)
		qr_heap_free(block[i]);
	qr_heap_stats(&stats);
	assert_true(stats.dirty_bytes <= COUNT * MIB);
	size_t dirty = stats.dirty_bytes;
	assert_true(dirty != 0);
	assert_true(qr_heap_trim(0) >= dirty);
	qr_heap_stats(&stats);
	assert_int_equal(stats.dirty_bytes, 0);
	assert_true(stats.purged_bytes >= dirty);
	qr_check_heap(true);
}

/* Demand that has passed is given back as time goes by, at the next free. */
static void
test_given_back_later(void **state)
{
	(void)state;
	struct qr_heap_stats stats;
	void *block = qr_heap_malloc(32 * MIB);
	memset(block, 1, 32 * MIB);
	qr_heap_free(block);
	for (unsigned i = 0; i < 4; i++) {
		usleep(510 * 1000);
		qr_heap_free(qr_heap_malloc(MIB));
	}
	qr_heap_stats(&stats);
	assert_true(stats.dirty_bytes <= 6 * MIB);
}

static void
limited(void *ctx)
{
	size_t bytes = *(const size_t *)ctx;
	struct rlimit limit = { bytes, bytes };
	if (setrlimit(RLIMIT_AS, &limit) != 0)
		_exit(3);
	size_t got = 0;
	void **last = NULL;
	for (;;) {
		size_t size = got % 3 == 0 ? 100000 : 1000;
		void **block = qr_heap_malloc(size);
		if (block == NULL)
			break;
		*block = last;
		last = block;
		got += size;
	}
	qr_check_heap(true);
	/* At least a fifth of what was allowed, and all of it comes back. */
	if (errno != ENOMEM || got < bytes / 5)
		_exit(4);
	while (last != NULL) {
		void **next = *last;
		qr_heap_free(last);
		last = next;
	}
	_exit(qr_heap_malloc(10000) != NULL ? 0 : 5);
}

static void
test_address_space_limit(void **state)
{
	(void)state;
	if (TEST_SANITIZED)
		skip(); /* it has more address space than the limit */
	size_t limits[] = { 100 * MIB, 300 * MIB, 1000 * MIB };
	for (unsigned i = 0; i < 3; i++) {
		int status = bed_in_child(limited, &limits[i]);
		assert_int_equal(status, 0);
	}
}

/* Runs of a length are kept whole, but joined before others take new pages. */
static void
kept(void *ctx)
{
	enum { COUNT = 40, BYTES = 40960 };
	static char *block[COUNT];
	(void)ctx;
	qr_heap_free(qr_heap_malloc(3 * MIB)); /* the buddy has its pages */
	for (unsigned i = 0; i < COUNT; i++) {
		block[i] = qr_heap_malloc(BYTES);
		memset(block[i], 1, BYTES);
	}
	for (unsigned i = 0; i < COUNT; i++)
		qr_heap_free(block[i]);
	for (unsigned i = COUNT; i-- > 0;)
		if (qr_heap_malloc(BYTES) != block[i])
			_exit(3);
	qr_check_heap(true);
	for (unsigned i = 0; i < COUNT; i++)
		qr_heap_free(block[i]);
	struct qr_heap_stats before;
	struct qr_heap_stats after;
	qr_heap_stats(&before);
	if (before.dirty_bytes < COUNT * BYTES || before.large_blocks != 0)
		_exit(4);
	/* All of it is dirty again, so no page of it is new. */
	void *all = qr_heap_malloc(COUNT * BYTES - 17 * QR_PAGE_SIZE);
	qr_heap_stats(&after);
	if (after.dirty_bytes >
	    20 * QR_PAGE_SIZE + before.dirty_bytes - COUNT * BYTES)
		_exit(5);
	qr_heap_free(all);
	qr_heap_free(qr_heap_malloc(BYTES));
	(void)qr_heap_trim(0);
	qr_heap_stats(&after);
	qr_check_heap(true);
	if (after.dirty_bytes != 0)
		_exit(6);
}

static void
test_kept(void **state)
{
	(void)state;
	assert_int_equal(bed_in_child(kept, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: before this process has a heap. */
		cmocka_unit_test(test_address_space_limit),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_calloc_fresh),
		cmocka_unit_test(test_grow_in_place),
		cmocka_unit_test(test_aligned),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_given_back),
		cmocka_unit_test(test_given_back_later),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
