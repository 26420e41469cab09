/* SPDX-License-Identifier: MIT */
/*
 * tests/core/test_view_threads.c: proves that threads which write to a file and
 * to shared memory through mappings and calls, while others write back, drop,
 * cut, punch, fork and remap them, in little memory and with a background
 * thread, never lose or mix up a byte: each works on pages of its own, in
 * spaces that they share, and cuts pages that nobody keeps anything in.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <threads.h>

#include <qr/object.h>

#include "machine_bed.h"
#include "tests/random.h"

#define WORKERS 3u
#define PAGES   60u /* of each worker, in each object */
#define STEPS   4000u
#define PAGE    QR_PAGE_SIZE

/* Workers' pages, and behind them those that come and go. */
#define KEPT ((uint64_t)WORKERS * PAGES)
#define ALL  (KEPT + 40)

enum { FILE_OBJECT, MEMORY_OBJECT, OBJECTS };

struct shared {
	struct bed bed;
	struct sim_file *file;
	struct qr_object *object[OBJECTS];
	struct qr_space *spaces[2];
	qr_vaddr_t base[OBJECTS]; /* in both spaces */
	_Atomic(bool) stop;
};

/* (o) all of it. */
struct worker {
	struct shared *shared;
	struct qr_space *space;
	struct test_random random;
	uint64_t first; /* page of each object */
	uint64_t value[OBJECTS][PAGES];
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

static void
do_write(struct worker *worker, unsigned o, uint64_t page)
{
	struct shared *shared = worker->shared;
	uint64_t value = test_random_next(&worker->random);
	uint64_t at = (worker->first + page) * PAGE + 8 * page;
	int error;
	if (draw(worker, 3) == 0) {
		struct qr_object_copy copy = { at, sizeof(value) };
		error = qr_object_write(shared->object[o], &value, &copy);
	} else {
		error = sim_write(shared->bed.sim, worker->space,
		    shared->base[o] + at, &value, sizeof(value));
	}
	expect(worker, error == 0);
	worker->value[o][page] = value;
}

static void
do_read(struct worker *worker, unsigned o, uint64_t page)
{
	struct shared *shared = worker->shared;
	uint64_t value = 1;
	uint64_t at = (worker->first + page) * PAGE + 8 * page;
	int error;
	if (draw(worker, 3) == 0) {
		struct qr_object_copy copy = { at, sizeof(value) };
		error = qr_object_read(shared->object[o], &value, &copy);
	} else {
		/* Of either space: they see the same. */
		error =
		    sim_read(shared->bed.sim, shared->spaces[draw(worker, 2)],
			shared->base[o] + at, &value, sizeof(value));
	}
	expect(worker, error == 0 && value == worker->value[o][page]);
}

/* Touches of what others cut away end in a page or in an error, never else. */
static void
do_touch_tail(struct worker *worker)
{
	struct shared *shared = worker->shared;
	unsigned o = (unsigned)draw(worker, OBJECTS);
	uint64_t page = KEPT + draw(worker, ALL - KEPT);
	int error = sim_touch(shared->bed.sim, worker->space,
	    shared->base[o] + page * PAGE,
	    draw(worker, 2) == 0 ? QR_ACCESS_READ : QR_ACCESS_WRITE);
	expect(worker, error == 0 || error == -QR_ENXIO);
}

static void
do_cut(struct worker *worker)
{
	struct qr_object *object =
	    worker->shared->object[draw(worker, OBJECTS)];
	uint64_t pages = KEPT + draw(worker, ALL - KEPT + 1);
	expect(worker, qr_object_resize(object, pages * PAGE) == 0);
}

/* A private mapping of its own pages: sees them, and keeps what it writes. */
static void
do_private(struct worker *worker)
{
	struct shared *shared = worker->shared;
	unsigned o = (unsigned)draw(worker, OBJECTS);
	uint64_t page = draw(worker, PAGES);
	struct qr_map_request request = { .size_bytes = PAGE,
		.prot = QR_PROT_READ | QR_PROT_WRITE,
		.object = shared->object[o],
		.object_page = worker->first + page };
	qr_vaddr_t at = 0;
	uint64_t value = 1;
	qr_space_lock(worker->space);
	expect(worker, qr_space_map(worker->space, &request, &at) == 0);
	qr_space_unlock(worker->space);
	expect(worker, sim_read(shared->bed.sim, worker->space, at + 8 * page,
			   &value, sizeof(value)) == 0 &&
			   value == worker->value[o][page]);
	value ^= 5;
	expect(worker, sim_write(shared->bed.sim, worker->space, at + 8 * page,
			   &value, sizeof(value)) == 0);
	do_read(worker, o, page);
	qr_space_lock(worker->space);
	expect(worker, qr_space_unmap(worker->space, at, PAGE, 0) == 0);
	qr_space_unlock(worker->space);
}

static void
do_fork(struct worker *worker)
{
	struct shared *shared = worker->shared;
	struct qr_space *child;
	unsigned o = (unsigned)draw(worker, OBJECTS);
	uint64_t page = draw(worker, PAGES);
	uint64_t value = 1;
	expect(worker, qr_space_fork(worker->space, &child) == 0);
	expect(worker,
	    sim_read(shared->bed.sim, child,
		shared->base[o] + (worker->first + page) * PAGE + 8 * page,
		&value, sizeof(value)) == 0 &&
		value == worker->value[o][page]);
	qr_space_destroy(child);
}

static void
do_sync(struct worker *worker)
{
	struct qr_object *object = worker->shared->object[FILE_OBJECT];
	expect(worker, qr_object_sync(object, worker->first * PAGE,
			   PAGES * PAGE, NULL) == 0);
}

/* Rights go and come back. */
static void
do_protect(struct worker *worker)
{
	struct shared *shared = worker->shared;
	unsigned o = (unsigned)draw(worker, OBJECTS);
	uint64_t page = draw(worker, PAGES);
	qr_vaddr_t at = shared->base[o] + (worker->first + page) * PAGE;
	static const unsigned prots[] = { QR_PROT_READ,
		QR_PROT_READ | QR_PROT_WRITE };
	for (size_t i = 0; i < 2; i++) {
		qr_space_lock(worker->space);
		expect(worker, qr_space_protect(worker->space, at, PAGE,
				   prots[i], 0) == 0);
		qr_space_unlock(worker->space);
		do_read(worker, o, page);
	}
}

static void
do_step(struct worker *worker)
{
	unsigned o = (unsigned)draw(worker, OBJECTS);
	uint64_t page = draw(worker, PAGES);
	switch (draw(worker, 30)) {
	case 0:
		do_cut(worker);
		break;
	case 1:
		do_fork(worker);
		break;
	case 2:
		do_sync(worker);
		break;
	case 3:
		(void)qr_object_drop(worker->shared->object[o]);
		break;
	case 4:
		do_private(worker);
		break;
	case 5:
		do_protect(worker);
		break;
	case 6:
		(void)qr_machine_write_back(worker->shared->bed.machine, 20);
		break;
	case 7:
	case 8:
	case 9:
		do_touch_tail(worker);
		break;
	case 10:
	case 11:
	case 12:
	case 13:
	case 14:
	case 15:
	case 16:
	case 17:
	case 18:
		do_write(worker, o, page);
		break;
	default:
		do_read(worker, o, page);
		break;
	}
}

static void *
worker_main(void *ctx)
{
	struct worker *worker = ctx;
	sim_set_cpu((unsigned)(worker->first / PAGES));
	for (unsigned i = 0; i < STEPS && worker->failed == 0; i++)
		do_step(worker);
	for (unsigned o = 0; o < OBJECTS; o++) {
		for (uint64_t page = 0; page < PAGES; page++)
			do_read(worker, o, page);
	}
	return NULL;
}

static void *
background_main(void *ctx)
{
	struct shared *shared = ctx;
	sim_set_cpu(WORKERS);
	while (!atomic_load(&shared->stop)) {
		if (sim_reclaim_wanted(shared->bed.sim))
			(void)qr_machine_balance(shared->bed.machine);
		thrd_yield();
	}
	return NULL;
}

static void
map_all(struct shared *shared, struct qr_space *space)
{
	for (unsigned o = 0; o < OBJECTS; o++) {
		struct qr_map_request request = { .size_bytes = ALL * PAGE,
			.prot = QR_PROT_READ | QR_PROT_WRITE,
			.flags = QR_MAP_SHARED,
			.object = shared->object[o] };
		qr_space_lock(space);
		assert_int_equal(qr_space_map(space, &request,
				     &shared->base[o]),
		    0);
		qr_space_unlock(space);
	}
}

static void
shared_start(struct shared *shared)
{
	const struct sim_config sim_config = { .ram_bytes = 300 * PAGE,
		.swap_pages = 2000,
		.cpus = WORKERS + 1,
		.flags = SIM_THREADS | SIM_JITTER };
	const struct qr_machine_config config = { .codec = &bed_codec };
	bed_make(&shared->bed, &sim_config, &config);
	shared->file = sim_file_create(shared->bed.sim, ALL * PAGE);
	assert_non_null(shared->file);
	assert_int_equal(qr_file_open(shared->bed.machine, shared->file,
			     ALL * PAGE, &shared->object[FILE_OBJECT]),
	    0);
	assert_int_equal(qr_memory_create(shared->bed.machine, ALL * PAGE, 0,
			     &shared->object[MEMORY_OBJECT]),
	    0);
	for (unsigned i = 0; i < 2; i++) {
		shared->spaces[i] = bed_space(&shared->bed);
		map_all(shared, shared->spaces[i]);
	}
}

static void
test_threads(void **state)
{
	static struct shared shared;
	static struct worker workers[WORKERS];
	pthread_t threads[WORKERS];
	pthread_t background;
	struct test_random random = test_random_start("view_threads");
	(void)state;
	shared_start(&shared);
	assert_int_equal(pthread_create(&background, NULL, background_main,
			     &shared),
	    0);
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i].shared = &shared;
		workers[i].space = shared.spaces[i % 2];
		workers[i].random.state = test_random_next(&random);
		workers[i].first = (uint64_t)i * PAGES;
		assert_int_equal(pthread_create(&threads[i], NULL, worker_main,
				     &workers[i]),
		    0);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&shared.stop, true);
	pthread_join(background, NULL);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(workers[i].failed, 0);
	qr_check_machine(shared.bed.machine);
	for (unsigned o = 0; o < OBJECTS; o++)
		qr_object_put(shared.object[o]);
	for (unsigned i = 0; i < 2; i++)
		qr_space_destroy(shared.spaces[i]);
	/* The last reference has written everything. */
	for (unsigned i = 0; i < WORKERS; i++) {
		for (uint64_t page = 0; page < PAGES; page++) {
			uint64_t at = ((uint64_t)i * PAGES + page) * PAGE;
			assert_memory_equal(sim_file_bytes(shared.file) + at +
						8 * page,
			    &workers[i].value[FILE_OBJECT][page],
			    sizeof(uint64_t));
		}
	}
	bed_end(&shared.bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
