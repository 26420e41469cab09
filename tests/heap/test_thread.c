/* SPDX-License-Identifier: MIT */
/*
 * Proves that blocks find home whoever frees them and whenever: the owner
 * alive, idle or ended; that short threads leave nothing behind; and that a
 * thread may allocate and free until its very end.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>

#include "bed.h"

#define THREAD_SHORT  2000u
#define THREAD_BLOCKS 3000u

static void
run_thread(void *(*body)(void *), void *argument)
{
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, body, argument), 0);
	pthread_join(thread, NULL);
}

static size_t
used_bytes(void)
{
	struct qr_heap_stats stats;
	qr_heap_trim(0);
	qr_heap_stats(&stats);
	return stats.small_used_bytes + stats.large_bytes;
}

static void *
free_all(void *argument)
{
	void **block = argument;
	for (unsigned i = 0; i < THREAD_BLOCKS; i++)
		qr_heap_free(block[i]);
	return NULL;
}

static void *
alloc_all(void *argument)
{
	void **block = argument;
	for (unsigned i = 0; i < THREAD_BLOCKS; i++) {
		block[i] = qr_heap_malloc(i % 2000 + 1);
		memset(block[i], 1, i % 2000 + 1);
	}
	return NULL;
}

/* The freeing thread never allocates: it has a cache for its parcels alone. */
static void
test_freed_elsewhere(void **state)
{
	(void)state;
	static void *block[THREAD_BLOCKS];
	size_t before = used_bytes();
	for (unsigned round = 0; round < 3; round++) {
		alloc_all(block);
		run_thread(free_all, block);
		assert_int_equal(used_bytes(), before);
		qr_check_heap(true);
	}
}

/* The owner has ended; the blocks are freed by one that has a cache. */
static void
test_owner_ended(void **state)
{
	(void)state;
	static void *block[THREAD_BLOCKS];
	size_t before = used_bytes();
	for (unsigned round = 0; round < 3; round++) {
		run_thread(alloc_all, block);
		qr_check_heap(true);
		free_all(block);
		assert_int_equal(used_bytes(), before);
	}
	struct qr_heap_stats stats;
	qr_heap_stats(&stats);
	assert_int_equal(stats.spans_detached, 0);
}

struct meeting {
	pthread_barrier_t barrier;
	void *block[THREAD_BLOCKS];
};

/* Allocates, and ends when the other has freed. */
static void *
owner_body(void *argument)
{
	struct meeting *meeting = argument;
	alloc_all(meeting->block);
	pthread_barrier_wait(&meeting->barrier);
	pthread_barrier_wait(&meeting->barrier);
	return NULL;
}

/* What is freed now is sent, but for the last parcel, which is sent to an
 * owner that is gone. */
static void
test_owner_ends_first(void **state)
{
	(void)state;
	static struct meeting meeting;
	size_t before = used_bytes();
	pthread_barrier_init(&meeting.barrier, NULL, 2);
	for (unsigned round = 0; round < 20; round++) {
		pthread_t thread;
		pthread_create(&thread, NULL, owner_body, &meeting);
		pthread_barrier_wait(&meeting.barrier);
		for (unsigned i = 0; i < THREAD_BLOCKS; i++)
			qr_heap_free(
			    meeting.block[(i * 7 + round) % THREAD_BLOCKS]);
		pthread_barrier_wait(&meeting.barrier);
		pthread_join(thread, NULL);
		assert_int_equal(used_bytes(), before);
		qr_check_heap(true);
	}
	pthread_barrier_destroy(&meeting.barrier);
}

static pthread_barrier_t idle_barrier;

/* Allocates, then sleeps without another call. */
static void *
asleep_body(void *argument)
{
	alloc_all(argument);
	pthread_barrier_wait(&idle_barrier);
	pthread_barrier_wait(&idle_barrier);
	return NULL;
}

/* What others free of a thread that is asleep can be had back from outside:
 * all but what the thread has cached itself. */
static void
test_owner_asleep(void **state)
{
	(void)state;
	static void *block[THREAD_BLOCKS];
	pthread_t thread;
	struct qr_heap_stats stats;
	size_t before = used_bytes();
	pthread_barrier_init(&idle_barrier, NULL, 2);
	pthread_create(&thread, NULL, asleep_body, block);
	pthread_barrier_wait(&idle_barrier);
	free_all(block);
	qr_heap_trim(0);
	qr_heap_stats(&stats);
	/* THREAD_BLOCKS of 1000 bytes on average were allocated. */
	assert_true(stats.small_used_bytes < before + 500 * 1000);
	qr_check_heap(true);
	pthread_barrier_wait(&idle_barrier);
	pthread_join(thread, NULL);
	assert_int_equal(used_bytes(), before);
	pthread_barrier_destroy(&idle_barrier);
}

struct ring {
	_Atomic(void *) slot[256];
};

/* Allocates, and frees what the other thread left in the slot. */
static void *
ring_body(void *argument)
{
	struct ring *ring = argument;
	for (unsigned i = 0; i < 100000; i++) {
		unsigned char *block = qr_heap_malloc(64 + i % 256);
		memset(block, (int)(i & 255), 64);
		unsigned char *other =
		    atomic_exchange(&ring->slot[i % 256], block);
		if (other != NULL) {
			assert_int_equal(other[0], other[63]);
			qr_heap_free(other);
		}
	}
	return NULL;
}

static void
test_both_ways(void **state)
{
	(void)state;
	static struct ring ring;
	pthread_t thread[2];
	size_t before = used_bytes();
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, ring_body, &ring);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < 256; i++)
		qr_heap_free(atomic_load(&ring.slot[i]));
	assert_int_equal(used_bytes(), before);
	qr_check_heap(true);
}

static _Atomic(void *) left_over[64];

/* A few blocks, one of which outlives the thread. */
static void *
short_body(void *argument)
{
	unsigned number = *(const unsigned *)argument;
	void *block[16];
	for (unsigned i = 0; i < 16; i++)
		block[i] = qr_heap_malloc(i * 40 + number % 50);
	for (unsigned i = 1; i < 16; i++)
		qr_heap_free(block[i]);
	qr_heap_free(atomic_exchange(&left_over[number % 64], block[0]));
	return NULL;
}

static void
test_short_threads(void **state)
{
	(void)state;
	size_t before = used_bytes();
	struct qr_heap_stats stats;
	pthread_t thread[4];
	unsigned number[4];
	for (unsigned i = 0; i < THREAD_SHORT; i += 4) {
		for (unsigned k = 0; k < 4; k++) {
			number[k] = i + k;
			pthread_create(&thread[k], NULL, short_body,
			    &number[k]);
		}
		for (unsigned k = 0; k < 4; k++)
			pthread_join(thread[k], NULL);
	}
	for (unsigned i = 0; i < 64; i++)
		qr_heap_free(atomic_load(&left_over[i]));
	assert_int_equal(used_bytes(), before);
	qr_check_heap(true);
	qr_heap_stats(&stats);
	/* As many caches as threads at a time, the others' and this one's. */
	assert_true(stats.threads <= 8);
	assert_true(stats.held_bytes <= (size_t)64 * 1024);
}

static pthread_key_t late_key[8];

/* Allocates and frees in each round that pthreads makes. */
static void
late_destructor(void *argument)
{
	qr_heap_free(argument);
	void *block = qr_heap_malloc(100);
	assert_non_null(block);
	for (unsigned i = 0; i < 8; i++) {
		if (pthread_getspecific(late_key[i]) == NULL) {
			pthread_setspecific(late_key[i], block);
			return;
		}
	}
	qr_heap_free(block);
}

static void *
late_body(void *argument)
{
	(void)argument;
	for (unsigned i = 0; i < 4; i++)
		pthread_setspecific(late_key[i], qr_heap_malloc(50));
	return NULL;
}

/* Values that pthreads gives up on after its last round are leaked by the
 * test, not by the heap: they stay bounded, and the heap whole. */
static void
test_late_destructors(void **state)
{
	(void)state;
	if (TEST_SANITIZED)
		skip(); /* its own end of a thread comes before the last round */
	for (unsigned i = 0; i < 8; i++)
		pthread_key_create(&late_key[i], late_destructor);
	for (unsigned i = 0; i < 50; i++)
		run_thread(late_body, NULL);
	qr_check_heap(true);
	struct qr_heap_stats stats;
	qr_heap_stats(&stats);
	assert_true(stats.threads <= 10);
}

static void *
endless_body(void *argument)
{
	struct test_random random = { (uint64_t)(uintptr_t)argument };
	void *block[300] = { 0 };
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;) {
		size_t index = test_random_below(&random, 300);
		qr_heap_free(block[index]);
		block[index] = qr_heap_malloc(bed_size(&random));
	}
	return NULL;
}

/* Cancelled between any two instructions: what the thread had is lost, but
 * the heap stays whole and no lock stays held. */
static void
test_cancelled_anywhere(void **state)
{
	(void)state;
	if (TEST_SANITIZED)
		skip(); /* its own locks are not made for this */
	struct test_random random = test_random_start("cancel");
	for (unsigned i = 0; i < 300; i++) {
		pthread_t thread;
		pthread_create(&thread, NULL, endless_body,
		    (void *)(uintptr_t)test_random_next(&random));
		usleep((useconds_t)test_random_below(&random, 1500));
		pthread_cancel(thread);
		pthread_join(thread, NULL);
		if (i % 16 == 0)
			qr_check_heap(true);
		free(malloc(100));
		qr_heap_free(qr_heap_malloc(100));
	}
	qr_check_heap(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_freed_elsewhere),
		cmocka_unit_test(test_owner_ended),
		cmocka_unit_test(test_owner_ends_first),
		cmocka_unit_test(test_owner_asleep),
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_short_threads),
		cmocka_unit_test(test_late_destructors),
		cmocka_unit_test(test_cancelled_anywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
