/* SPDX-License-Identifier: MIT */
/*
 * Proves that a child forked while other threads are anywhere inside the heap
 * finds it whole, can use it at once, and gets the memory of the threads that
 * it does not have.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "bed.h"

#define FORK_THREADS 3u
#define FORK_COUNT   60u

static _Atomic(bool) stop;

static void *
busy_body(void *argument)
{
	struct test_random random = { (uint64_t)(uintptr_t)argument };
	void *block[200] = { 0 };
	while (!atomic_load(&stop)) {
		size_t index = test_random_below(&random, 200);
		qr_heap_free(block[index]);
		block[index] = qr_heap_malloc(bed_size(&random));
	}
	for (unsigned i = 0; i < 200; i++)
		qr_heap_free(block[i]);
	return NULL;
}

static void
child_body(void *ctx)
{
	void **kept = ctx;
	alarm(20); /* a hung child is a failed one */
	qr_check_heap(true);
	void *block[100];
	for (unsigned i = 0; i < 100; i++)
		block[i] = qr_heap_malloc(i * 37);
	for (unsigned i = 0; i < 100; i++)
		qr_heap_free(block[i]);
	if (memcmp(*kept, "kept by the parent", 18) != 0)
		_exit(1);
	qr_heap_free(*kept);
	qr_heap_trim(0);
	qr_check_heap(true);
}

static void
test_busy_threads(void **state)
{
	(void)state;
	pthread_t thread[FORK_THREADS];
	for (unsigned i = 0; i < FORK_THREADS; i++)
		pthread_create(&thread[i], NULL, busy_body,
		    (void *)(uintptr_t)(i + 1));
	void *kept = qr_heap_malloc(100);
	memcpy(kept, "kept by the parent", 18);
	for (unsigned i = 0; i < FORK_COUNT; i++)
		assert_int_equal(bed_in_child(child_body, &kept), 0);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < FORK_THREADS; i++)
		pthread_join(thread[i], NULL);
	qr_heap_free(kept);
	qr_check_heap(true);
}

static pthread_barrier_t barrier;
static void *idle_block[1000];

static void *
idle_body(void *argument)
{
	(void)argument;
	for (unsigned i = 0; i < 1000; i++)
		idle_block[i] = qr_heap_malloc(500);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

/* What an idle thread of the parent had is freed and used by the child. */
static void
inherit_body(void *ctx)
{
	(void)ctx;
	struct qr_heap_stats stats;
	for (unsigned i = 0; i < 1000; i++)
		qr_heap_free(idle_block[i]);
	qr_heap_trim(0);
	qr_heap_stats(&stats);
	qr_check_heap(true);
	/* Its blocks but for what lay on its list. */
	_exit(stats.small_used_bytes < (size_t)32 * 1024 ? 0 : 1);
}

static void
test_inherits(void **state)
{
	(void)state;
	pthread_t thread;
	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&thread, NULL, idle_body, NULL);
	pthread_barrier_wait(&barrier);
	assert_int_equal(bed_in_child(inherit_body, NULL), 0);
	for (unsigned i = 0; i < 1000; i++)
		qr_heap_free(idle_block[i]);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	qr_check_heap(true);
}

static _Atomic(int) handler_status = -1;

static void
handler_child(void *ctx)
{
	(void)ctx;
}

static void
fork_handler(int number)
{
	(void)number;
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	int status = -1;
	waitpid(child, &status, 0);
	atomic_store(&handler_status, status);
}

/* A handler forks wherever it finds its thread, also inside the heap. */
static void
test_fork_in_handler(void **state)
{
	(void)state;
	struct sigaction action = { .sa_handler = fork_handler };
	sigaction(SIGALRM, &action, NULL);
	struct test_random random = { 5 };
	for (unsigned i = 0; i < 60; i++) {
		atomic_store(&handler_status, -1);
		ualarm((useconds_t)(100 + test_random_below(&random, 900)), 0);
		while (atomic_load(&handler_status) == -1)
			qr_heap_free(qr_heap_malloc((size_t)40000 + i));
		assert_int_equal(atomic_load(&handler_status), 0);
	}
	signal(SIGALRM, SIG_DFL);
	assert_int_equal(bed_in_child(handler_child, NULL), 0);
	qr_check_heap(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inherits),
		cmocka_unit_test(test_busy_threads),
		cmocka_unit_test(test_fork_in_handler),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
