/* SPDX-License-Identifier: MIT */
/*
 * test_evict.c: pages that were evicted come back as they were; pinned and
 * locked ones do not go; what swap or the port refuses stays where it was;
 * and several threads that touch, map, fork and evict at once lose nothing.
 */
#include <pthread.h>

#include "space_bed.h"

#define PROT_RW ((unsigned)(QR_PROT_READ | QR_PROT_WRITE))

static const struct bed_config small = { .ram_bytes = 16u << 20 };

struct scene {
	struct bed *bed;
	struct qr_space *space;
};

static struct scene
scene_open(const struct bed_config *config, size_t pages)
{
	struct scene s = { .bed = bed_create(config) };
	s.space = bed_space(s.bed);
	bed_map(s.space, 0, pages, PROT_RW);
	for (size_t i = 0; i < pages; i++)
		bed_put(s.bed, s.space, i, i + 1);
	return s;
}

static void
scene_verify(struct scene *s, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		assert_int_equal(bed_get(s->bed, s->space, i), i + 1);
}

static void
scene_close(struct scene *s)
{
	bed_check(s->bed);
	qr_space_destroy(s->space);
	bed_destroy(s->bed);
}

static size_t
evict_all(struct bed *bed)
{
	size_t gone = 0;
	size_t some;
	int error;
	while ((some = bed_evict(bed, QR_EVICT_MAX, &error)) > 0)
		gone += some;
	return gone;
}

static void
test_out_and_in(void **state)
{
	(void)state;
	struct scene s = scene_open(&small, 300);
	uint64_t drops = sim_calls(s.bed->rig.sim, SIM_MMU_DROP);
	assert_int_equal(evict_all(s.bed), 300);
	bed_check(s.bed);
	/* Neighbours went together. */
	drops = sim_calls(s.bed->rig.sim, SIM_MMU_DROP) - drops;
	assert_in_range(drops, 1, 300 / QR_EVICT_MAX + 1);
	assert_int_equal(bed_stat(s.space).swapped_pages, 300);
	assert_int_equal(bed_stat(s.space).resident_pages, 0);
	/* Sequential touches bring neighbours along here too. */
	struct sim_stat stat;
	sim_stat(s.bed->rig.sim, &stat);
	uint64_t faults = stat.faults;
	scene_verify(&s, 300);
	sim_stat(s.bed->rig.sim, &stat);
	assert_in_range(stat.faults - faults, 1, 300 / 8);
	assert_int_equal(s.bed->spaces.count.pages_in, 300);
	assert_in_range(s.bed->spaces.count.refaulted, 1, 300);
	scene_close(&s);
}

/* Where calls of the port are dear, pages of a window are one range although
 * there are holes between them: what is there is out. */
static void
test_windows(void **state)
{
	(void)state;
	struct bed_config config = small;
	config.sim_flags = SIM_DEAR_MMU;
	struct scene s = scene_open(&config, 2 * QR_MMU_WINDOW_MAX);
	struct sim *sim = s.bed->rig.sim;
	for (size_t i = 1; i < 2 * QR_MMU_WINDOW_MAX; i += 2)
		assert_int_equal(bed_advise(s.space, i, 1, QR_ADVICE_PAGEOUT),
		    0);
	uint64_t freezes = sim_calls(sim, SIM_MMU_FREEZE);
	uint64_t drops = sim_calls(sim, SIM_MMU_DROP);
	assert_int_equal(evict_all(s.bed), QR_MMU_WINDOW_MAX);
	assert_int_equal(sim_calls(sim, SIM_MMU_FREEZE) - freezes, 1);
	assert_int_equal(sim_calls(sim, SIM_MMU_DROP) - drops, 1);
	bed_check(s.bed);
	scene_verify(&s, 2 * QR_MMU_WINDOW_MAX);

	/* A pinned page, and one that is not there at all, part a range; of
	 * two ranges the port keeps the second. */
	struct qr_pin pin = { 0 };
	qr_space_pin_register(s.space, &pin);
	assert_int_equal(bed_advise(s.space, 20, 1, QR_ADVICE_DONTNEED), 0);
	assert_int_equal(qr_space_pin(s.space, &pin,
			     BED_BASE + 40 * QR_PAGE_SIZE, QR_PAGE_SIZE,
			     QR_ACCESS_READ),
	    0);
	sim_fail_after(sim, SIM_MMU_DROP, 1, -QR_EBUSY);
	int error;
	assert_int_equal(bed_evict(s.bed, 39, &error), 20);
	bed_check(s.bed);
	qr_space_pin_unregister(s.space, &pin);
	bed_put(s.bed, s.space, 20, 21);
	scene_verify(&s, 2 * QR_MMU_WINDOW_MAX);
	assert_int_equal(evict_all(s.bed), 2 * QR_MMU_WINDOW_MAX);
	scene_verify(&s, 2 * QR_MMU_WINDOW_MAX);
	scene_close(&s);
}

static void
test_zero_pages(void **state)
{
	(void)state;
	struct scene s = scene_open(&small, 8);
	for (size_t i = 0; i < 8; i++)
		bed_put(s.bed, s.space, i, 0);
	assert_int_equal(evict_all(s.bed), 8);
	assert_int_equal(s.bed->spaces.count.pages_out_zero, 8);
	struct qr_swap_stat stat;
	qr_swap_stat(s.bed->swap, &stat);
	assert_int_equal(stat.slots, 0);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(bed_get(s.bed, s.space, i), 0);
	assert_in_range(s.bed->distance_last, 1, 8);
	scene_close(&s);
}

static void
test_locked(void **state)
{
	(void)state;
	struct scene s = scene_open(&small, 16);
	assert_int_equal(bed_advise(s.space, 4, 4, QR_ADVICE_LOCK), 0);
	assert_int_equal(evict_all(s.bed), 12);
	assert_int_equal(bed_stat(s.space).locked_pages, 4);
	assert_int_equal(bed_stat(s.space).resident_pages, 4);
	assert_int_equal(bed_advise(s.space, 4, 2, QR_ADVICE_UNLOCK), 0);
	bed_check(s.bed);
	assert_int_equal(evict_all(s.bed), 2);
	scene_verify(&s, 16);
	scene_close(&s);
}

static void
test_pinned(void **state)
{
	(void)state;
	struct scene s = scene_open(&small, 64);
	struct qr_pin pin = { 0 };
	struct qr_pin other = { 0 };
	qr_space_pin_register(s.space, &pin);
	qr_space_pin_register(s.space, &other);
	assert_int_equal(evict_all(s.bed), 64);
	/* Brings in what it pins, and nothing else; parts of pages count. */
	assert_int_equal(qr_space_pin(s.space, &pin,
			     BED_BASE + 10 * QR_PAGE_SIZE + 100,
			     4 * QR_PAGE_SIZE, QR_ACCESS_WRITE),
	    0);
	assert_int_equal(qr_space_pin(s.space, &other, BED_BASE, 1,
			     QR_ACCESS_READ),
	    0);
	assert_int_equal(bed_stat(s.space).resident_pages, 6);
	assert_int_equal(evict_all(s.bed), 0);
	for (size_t i = 10; i < 15; i++)
		assert_int_equal(sim_try(s.bed->rig.sim, qr_space_mm(s.space),
				     bed_word_at(i), QR_ACCESS_WRITE, NULL),
		    0);
	qr_space_unpin(&pin);
	assert_int_equal(evict_all(s.bed), 5);
	/* What it may not have is not pinned, what lies before is. */
	assert_int_equal(bed_protect(s.space, 20, 1, QR_PROT_READ), 0);
	assert_int_equal(qr_space_pin(s.space, &pin,
			     BED_BASE + 19 * QR_PAGE_SIZE, 2 * QR_PAGE_SIZE,
			     QR_ACCESS_WRITE),
	    -QR_EFAULT);
	assert_int_equal(evict_all(s.bed), 0);
	qr_space_unpin(&pin);
	assert_int_equal(evict_all(s.bed), 1);
	/* Holes and ranges past the end are passed over. */
	assert_int_equal(qr_space_pin(s.space, &pin,
			     BED_BASE + 60 * QR_PAGE_SIZE, (uint64_t)1 << 60,
			     QR_ACCESS_READ),
	    0);
	assert_int_equal(evict_all(s.bed), 0);
	qr_space_pin_unregister(s.space, &pin);
	qr_space_pin_unregister(s.space, &other);
	scene_verify(&s, 20);
	scene_close(&s);
}

/* The port refuses each of its calls in turn. */
static void
test_port_refuses(void **state)
{
	(void)state;
	static const struct {
		enum sim_call call;
		int error;
	} cases[] = {
		{ SIM_MMU_FREEZE, -QR_ENOMEM },
		{ SIM_MMU_DROP, -QR_EBUSY },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene s = scene_open(&small, 40);
		sim_fail_after(s.bed->rig.sim, cases[i].call, 1,
		    cases[i].error);
		int error;
		assert_int_equal(bed_evict(s.bed, 40, &error), 0);
		assert_int_equal(s.bed->stayed, 40);
		bed_check(s.bed);
		struct qr_swap_stat stat;
		qr_swap_stat(s.bed->swap, &stat);
		assert_int_equal(stat.slots, 0);
		scene_verify(&s, 40);
		for (size_t page = 0; page < 40; page++)
			bed_put(s.bed, s.space, page, page + 1);
		assert_int_equal(evict_all(s.bed), 40);
		scene_verify(&s, 40);
		scene_close(&s);
	}
}

static void
test_mapping_refused(void **state)
{
	(void)state;
	struct scene s = scene_open(&small, 40);
	assert_int_equal(evict_all(s.bed), 40);
	uint64_t word;
	/* Once: it is tried again at once. */
	sim_fail_after(s.bed->rig.sim, SIM_MMU_MAP, 1, -QR_EAGAIN);
	assert_int_equal(bed_get(s.bed, s.space, 0), 1);
	/* For long: the touch is given up, and repeated. */
	sim_fail_every(s.bed->rig.sim, SIM_MMU_MAP, 1, -QR_EAGAIN);
	assert_int_equal(qr_space_fault(s.space, bed_word_at(9),
			     QR_ACCESS_READ),
	    0);
	sim_fail_every(s.bed->rig.sim, SIM_MMU_MAP, 1, -QR_EFAULT);
	assert_int_equal(bed_read(s.bed, s.space, 9, &word), -QR_EFAULT);
	sim_fail_never(s.bed->rig.sim);
	bed_check(s.bed);
	scene_verify(&s, 40);
	scene_close(&s);
}

/* --- the device --- */

/* A page that swap has no room for stays; so does one that no device can
 * take. */
static void
test_swap_refuses(void **state)
{
	(void)state;
	struct bed_config config = { .ram_bytes = 4u << 20, .swap_pages = 32 };
	struct scene s = scene_open(&config, 64);
	struct test_random noise = { 7 };
	for (size_t i = 0; i < 64; i++) {
		uint64_t page[512];
		for (size_t w = 0; w < 512; w++)
			page[w] = test_random_next(&noise);
		assert_int_equal(sim_write(s.bed->rig.sim, s.space,
				     BED_BASE + i * QR_PAGE_SIZE, page,
				     sizeof(page)),
		    0);
		bed_put(s.bed, s.space, i, i + 1);
	}
	int error;
	size_t gone = bed_evict(s.bed, 64, &error);
	assert_in_range(gone, 1, 63);
	assert_int_equal(error, -QR_ENOSPC);
	bed_check(s.bed);
	assert_int_equal(bed_stat(s.space).resident_pages, 64 - gone);
	scene_verify(&s, 64);
	scene_close(&s);
}

/* A page that can't be read back is an error at that page, once and for
 * good, and never another page's contents. */
static void
test_read_error(void **state)
{
	(void)state;
	struct bed_config config = { .ram_bytes = 4u << 20, .swap_pages = 512 };
	struct scene s = scene_open(&config, 40);
	struct test_random noise = { 7 };
	for (size_t i = 0; i < 40; i++) {
		uint64_t page[512];
		for (size_t w = 0; w < 512; w++)
			page[w] = test_random_next(&noise);
		assert_int_equal(sim_write(s.bed->rig.sim, s.space,
				     BED_BASE + i * QR_PAGE_SIZE, page,
				     sizeof(page)),
		    0);
		bed_put(s.bed, s.space, i, i + 1);
	}
	assert_int_equal(evict_all(s.bed), 40);
	uint64_t word;
	sim_fail_every(s.bed->rig.sim, SIM_SWAP_READ, 1, -QR_EIO);
	int error = bed_read(s.bed, s.space, 5, &word);
	sim_fail_never(s.bed->rig.sim);
	struct qr_swap_stat stat;
	qr_swap_stat(s.bed->swap, &stat);
	assert_int_equal(error, stat.io_errors > 0 ? -QR_EIO : 0);
	bed_check(s.bed);
	scene_verify(&s, 40);
	scene_close(&s);
}

/* --- threads --- */

#define CREW       4u
#define CREW_PAGES 96u
#define CREW_STEPS 3000u

struct worker {
	struct bed *bed;
	struct qr_space *space;
	size_t first; /* its pages are the space's from here on */
	unsigned cpu;
	uint64_t word[CREW_PAGES];
	struct test_random random;
	const char *wrong;
};

static bool
worker_touch(struct worker *worker, size_t index)
{
	uint64_t word;
	if (bed_read(worker->bed, worker->space, worker->first + index,
		&word) != 0 ||
	    word != worker->word[index])
		return false;
	word = test_random_next(&worker->random);
	worker->word[index] = word;
	return bed_write(worker->bed, worker->space, worker->first + index,
		   word) == 0;
}

static bool
worker_remap(struct worker *worker, size_t index, size_t count)
{
	if (bed_unmap(worker->space, worker->first + index, count) != 0 ||
	    bed_try_map(worker->space, worker->first + index, count, PROT_RW,
		0) != 0)
		return false;
	memset(worker->word + index, 0, count * sizeof(worker->word[0]));
	return true;
}

static bool
worker_fork(struct worker *worker, size_t index)
{
	struct qr_space *child;
	uint64_t word = 0;
	if (qr_space_fork(worker->space, &child) != 0)
		return false;
	bool fine =
	    bed_read(worker->bed, child, worker->first + index, &word) == 0 &&
	    word == worker->word[index] &&
	    bed_write(worker->bed, child, worker->first + index, 1) == 0;
	qr_space_destroy(child);
	return fine;
}

static bool
worker_pin(struct worker *worker, size_t index)
{
	struct qr_pin pin = { 0 };
	qr_vaddr_t at = bed_word_at(worker->first + index);
	qr_space_pin_register(worker->space, &pin);
	bool fine =
	    qr_space_pin(worker->space, &pin, at, 1, QR_ACCESS_WRITE) == 0;
	/* Another thread's fork may have shared the page again: then only
	 * reading is certain. */
	fine = fine && sim_try(worker->bed->rig.sim, qr_space_mm(worker->space),
			   at, QR_ACCESS_READ, NULL) == 0;
	qr_space_pin_unregister(worker->space, &pin);
	return fine;
}

static bool
worker_sleep(struct worker *worker)
{
	struct bed *bed = worker->bed;
	qr_lock_acquire(bed->rig.port, &bed->spaces.page_lock);
	if (bed->oldest == QR_PFN_NIL)
		qr_lock_release(bed->rig.port, &bed->spaces.page_lock);
	else
		qr_spaces_put_to_sleep(&bed->spaces,
		    bed_page(bed, bed->oldest));
	return true;
}

static bool
worker_step(struct worker *worker)
{
	size_t index =
	    (size_t)test_random_below(&worker->random, CREW_PAGES - 8);
	int error;
	switch (test_random_below(&worker->random, 32)) {
	case 0:
		return worker_remap(worker, index, 8);
	case 1:
		return worker_fork(worker, index);
	case 2:
	case 3:
		(void)bed_evict(worker->bed, 16, &error);
		return true;
	case 4:
		return worker_pin(worker, index);
	case 5:
		return bed_advise(worker->space, worker->first + index, 8,
			   QR_ADVICE_PAGEOUT) == 0;
	case 6:
		return bed_protect(worker->space, worker->first + index, 4,
			   QR_PROT_READ) == 0 &&
		       bed_protect(worker->space, worker->first + index, 4,
			   PROT_RW) == 0;
	case 7:
		return worker_sleep(worker);
	default:
		return worker_touch(worker, index);
	}
}

static void *
worker_run(void *ctx)
{
	struct worker *worker = ctx;
	sim_set_cpu(worker->cpu);
	for (unsigned i = 0; i < CREW_STEPS && worker->wrong == NULL; i++) {
		if (!worker_step(worker))
			worker->wrong = "a step failed or read another word";
	}
	return NULL;
}

static void
test_threads(void **state)
{
	(void)state;
	struct bed_config config = { .ram_bytes = 16u << 20,
		.cpus = 2,
		.sim_flags = SIM_THREADS | SIM_JITTER,
		.machine = { .user_pages_max = 200 } };
	struct bed *bed = bed_create(&config);
	struct qr_space *space = bed_space(bed);
	struct worker crew[CREW] = { 0 };
	pthread_t thread[CREW];
	for (unsigned i = 0; i < CREW; i++) {
		crew[i].bed = bed;
		crew[i].space = space;
		crew[i].first = i * CREW_PAGES;
		crew[i].cpu = i;
		crew[i].random.state = test_random_next(&bed->random);
		bed_map(space, crew[i].first, CREW_PAGES, PROT_RW);
	}
	for (unsigned i = 0; i < CREW; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, worker_run,
				     &crew[i]),
		    0);
	for (unsigned i = 0; i < CREW; i++)
		pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < CREW; i++)
		assert_null(crew[i].wrong);
	bed_check(bed);
	qr_space_destroy(space);
	bed_destroy(bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out_and_in),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_zero_pages),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_port_refuses),
		cmocka_unit_test(test_mapping_refused),
		cmocka_unit_test(test_swap_refuses),
		cmocka_unit_test(test_read_error),
		cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests_name("evict", tests, NULL, NULL);
}
