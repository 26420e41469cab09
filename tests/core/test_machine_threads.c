/* SPDX-License-Identifier: MIT */
/*
 * tests/core/test_machine_threads.c: proves that threads which touch, map,
 * protect, fork and evict at once, in little memory and with a background
 * thread, never lose or mix up a byte: each works on pages of its own, in
 * spaces that they share.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <threads.h>

#include "machine_bed.h"
#include "tests/random.h"

#define WORKERS 3u
#define PAGES   80u
#define STEPS   1500u
#define PAGE    QR_PAGE_SIZE

struct shared {
	struct bed bed;
	struct qr_space *spaces[2];
	_Atomic(bool) stop;
};

/* (o) all of it. */
struct worker {
	struct shared *shared;
	struct qr_space *space;
	struct test_random random;
	qr_vaddr_t base;
	uint64_t value[PAGES]; /* at the start and the end of each page */
	unsigned failed;
};

static uint64_t
draw(struct worker *worker, uint64_t below)
{
	return test_random_below(&worker->random, below);
}

static void
expect(struct worker *worker, bool right)
{
	if (!right)
		worker->failed++;
}

static qr_vaddr_t
last_word(const struct worker *worker, size_t page)
{
	return worker->base + (page + 1) * PAGE - sizeof(uint64_t);
}

static void
do_write(struct worker *worker)
{
	struct sim *sim = worker->shared->bed.sim;
	size_t page = (size_t)draw(worker, PAGES);
	uint64_t value = test_random_next(&worker->random);
	int error = sim_write(sim, worker->space, worker->base + page * PAGE,
	    &value, sizeof(value));
	expect(worker, error == 0);
	error = sim_write(sim, worker->space, last_word(worker, page), &value,
	    sizeof(value));
	expect(worker, error == 0);
	worker->value[page] = value;
}

static void
check_page(struct worker *worker, struct qr_space *space, size_t page)
{
	struct sim *sim = worker->shared->bed.sim;
	uint64_t first = 1;
	uint64_t last = 2;
	int error = sim_read(sim, space, worker->base + page * PAGE, &first,
	    sizeof(first));
	expect(worker, error == 0 && first == worker->value[page]);
	error =
	    sim_read(sim, space, last_word(worker, page), &last, sizeof(last));
	expect(worker, error == 0 && last == worker->value[page]);
}

static void
do_read(struct worker *worker)
{
	check_page(worker, worker->space, (size_t)draw(worker, PAGES));
}

static void
do_advise(struct worker *worker)
{
	size_t first = (size_t)draw(worker, PAGES / 2);
	size_t count = 1 + (size_t)draw(worker, PAGES / 2);
	bool drop = draw(worker, 2) == 0;
	if (drop)
		qr_space_lock(worker->space);
	int error = qr_space_advise(worker->space, worker->base + first * PAGE,
	    count * PAGE, drop ? QR_ADVICE_DONTNEED : QR_ADVICE_PAGEOUT, 0);
	if (drop) {
		qr_space_unlock(worker->space);
		memset(&worker->value[first], 0, count * sizeof(uint64_t));
	}
	expect(worker, error == 0);
}

static void
do_protect(struct worker *worker)
{
	size_t page = (size_t)draw(worker, PAGES);
	qr_vaddr_t at = worker->base + page * PAGE;
	const unsigned prots[] = { QR_PROT_READ, QR_PROT_READ | QR_PROT_WRITE };
	for (size_t i = 0; i < 2; i++) {
		qr_space_lock(worker->space);
		int error =
		    qr_space_protect(worker->space, at, PAGE, prots[i], 0);
		qr_space_unlock(worker->space);
		expect(worker, error == 0);
		check_page(worker, worker->space, page);
	}
}

static void
do_remap(struct worker *worker)
{
	struct qr_map_request request = { .address = worker->base,
		.size_bytes = PAGES * PAGE,
		.prot = QR_PROT_READ | QR_PROT_WRITE,
		.flags = QR_MAP_FIXED };
	qr_vaddr_t at = 0;
	qr_space_lock(worker->space);
	int error = qr_space_map(worker->space, &request, &at);
	qr_space_unlock(worker->space);
	expect(worker, error == 0 && at == worker->base);
	memset(worker->value, 0, sizeof(worker->value));
}

/* The child has this worker's pages as they are now. */
static void
do_fork(struct worker *worker)
{
	struct qr_space *child;
	int error = qr_space_fork(worker->space, &child);
	expect(worker, error == 0);
	if (error != 0)
		return;
	for (size_t i = 0; i < PAGES; i += 3)
		check_page(worker, child, i);
	do_write(worker);
	qr_space_destroy(child);
}

static void *
work(void *ctx)
{
	struct worker *worker = ctx;
	do_remap(worker);
	for (unsigned i = 0; i < STEPS; i++) {
		uint64_t which = draw(worker, 400);
		if (which < 180)
			do_write(worker);
		else if (which < 370)
			do_read(worker);
		else if (which < 385)
			do_advise(worker);
		else if (which < 396)
			do_protect(worker);
		else if (which < 398)
			do_remap(worker);
		else
			do_fork(worker);
	}
	for (size_t i = 0; i < PAGES; i++)
		check_page(worker, worker->space, i);
	return NULL;
}

static void *
background(void *ctx)
{
	struct shared *shared = ctx;
	while (!atomic_load(&shared->stop)) {
		if (sim_reclaim_wanted(shared->bed.sim))
			(void)qr_machine_balance(shared->bed.machine);
		qr_machine_age(shared->bed.machine);
		(void)qr_machine_balloon(shared->bed.machine,
		    sim_calls(shared->bed.sim, SIM_MMU_MAP) % 16);
		struct timespec pause = { .tv_nsec = 100 * 1000 };
		thrd_sleep(&pause, NULL);
	}
	return NULL;
}

static void
run_threads(const struct sim_config *sim_config,
    const struct qr_machine_config *config)
{
	struct shared shared = { .stop = false };
	static struct worker workers[WORKERS];
	pthread_t threads[WORKERS + 1];
	struct test_random random = test_random_start("threads");
	bed_make(&shared.bed, sim_config, config);
	shared.spaces[0] = bed_space(&shared.bed);
	shared.spaces[1] = bed_space(&shared.bed);
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){ .shared = &shared,
			.space = shared.spaces[i % 2],
			.random = { test_random_next(&random) },
			.base = 0x40000000u + (qr_vaddr_t)i * PAGES * PAGE };
		assert_int_equal(pthread_create(&threads[i], NULL, work,
				     &workers[i]),
		    0);
	}
	assert_int_equal(pthread_create(&threads[WORKERS], NULL, background,
			     &shared),
	    0);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&shared.stop, true);
	pthread_join(threads[WORKERS], NULL);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(workers[i].failed, 0);
	qr_check_machine(shared.bed.machine);
	struct qr_machine_stat stat;
	qr_machine_stat(shared.bed.machine, &stat);
	assert_true(stat.pages_out > 100);
	assert_int_equal(stat.oom, 0);
	qr_space_destroy(shared.spaces[0]);
	qr_space_destroy(shared.spaces[1]);
	bed_end(&shared.bed);
}

static void
test_threads(void **state)
{
	static const struct {
		unsigned flags;
		const char *policy;
		bool touchers; /* only they evict */
	} cases[] = {
		{ SIM_THREADS, NULL, false },
		{ SIM_THREADS | SIM_JITTER, "clock", false },
		{ SIM_THREADS | SIM_JITTER | SIM_STAGE_WINDOW |
			SIM_NO_YOUNG_BIT,
		    NULL, false },
		{ SIM_THREADS | SIM_JITTER | SIM_STAGE_WINDOW |
			SIM_NO_YOUNG_BIT | SIM_DEAR_MMU,
		    NULL, true },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sim_config sim_config = { .ram_bytes = 1 << 20,
			.swap_pages = 4096,
			.cpus = 2,
			.flags = cases[i].flags };
		struct qr_machine_config config = { .codec = &bed_codec,
			.policy = cases[i].policy,
			.age_softly = true,
			.evict_by_touchers = cases[i].touchers };
		run_threads(&sim_config, &config);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
