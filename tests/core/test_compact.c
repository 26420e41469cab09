/* SPDX-License-Identifier: MIT */
/*
 * test_compact.c: mapped pages are moved from frame to frame, so that large
 * blocks come about, without a byte of them changing, whatever the port
 * refuses; pages that are pinned or locked stay; and what was begun in vain is
 * given back to the last frame. What several map: test_migrate.c.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "core/frame/frame_impl.h"
#include "core/machine/machine_impl.h"
#include "machine_bed.h"
#include "random.h"

#define MIB   ((uint64_t)1 << 20)
#define RAM   (32 * MIB)
#define PAGES 6000u

/* A machine with one space, whose pages each hold their own number. */
struct field {
	struct bed bed;
	struct qr_frames *frames;
	struct qr_space *space;
	qr_vaddr_t base;
	uint64_t pages;
	bool *is_there;
};

static const struct qr_machine_config field_config = { .codec = &bed_codec };

static struct field
field_make(const struct sim_config *sim_config)
{
	struct field field = { .pages = PAGES };
	bed_make(&field.bed, sim_config, &field_config);
	field.frames = field.bed.machine->frames;
	field.space = bed_space(&field.bed);
	field.base = bed_map(field.space, PAGES);
	field.is_there = calloc(PAGES, sizeof(bool));
	assert_non_null(field.is_there);
	for (uint64_t i = 0; i < PAGES; i++) {
		uint64_t value = i * 0x9e3779b97f4a7c15u + 1;
		assert_int_equal(sim_write(field.bed.sim, field.space,
				     field.base + i * QR_PAGE_SIZE + i % 4000,
				     &value, sizeof(value)),
		    0);
		field.is_there[i] = true;
	}
	return field;
}

static void
field_check(struct field *field)
{
	for (uint64_t i = 0; i < PAGES; i++) {
		uint64_t value = 0;
		if (!field->is_there[i])
			continue;
		assert_int_equal(sim_read(field->bed.sim, field->space,
				     field->base + i * QR_PAGE_SIZE + i % 4000,
				     &value, sizeof(value)),
		    0);
		assert_int_equal(value, i * 0x9e3779b97f4a7c15u + 1);
	}
	qr_check_machine(field->bed.machine);
}

static void
field_unmap(struct field *field, uint64_t page)
{
	qr_space_lock(field->space);
	assert_int_equal(qr_space_unmap(field->space,
			     field->base + page * QR_PAGE_SIZE, QR_PAGE_SIZE,
			     0),
	    0);
	qr_space_unlock(field->space);
	field->is_there[page] = false;
}

/* Leaves one page in so many. */
static void
field_thin(struct field *field, uint64_t keep_each)
{
	for (uint64_t i = 0; i < PAGES; i++)
		if (i % keep_each != 0)
			field_unmap(field, i);
	qr_frame_drain(field->frames);
}

static void
field_end(struct field *field)
{
	qr_space_destroy(field->space);
	bed_end(&field->bed);
	free(field->is_there);
}

static const struct sim_config small_sim = { .ram_bytes = RAM };

static unsigned
unusable(const struct field *field, unsigned order)
{
	struct qr_zone_types types;
	qr_frame_zone_types(field->frames, 0, &types);
	return qr_zone_unusable_index(&types, order);
}

/* --- what it is for --- */

/* The score before and after: what share of free memory is no good for a
 * block of 2 MiB. */
static void
test_background(void **state)
{
	struct field field = field_make(&small_sim);
	struct qr_compact_stat stat;
	(void)state;
	field_thin(&field, 4);
	unsigned before = unusable(&field, 9);
	size_t made = qr_frame_compact(field.frames, 9, 100);
	unsigned after = unusable(&field, 9);
	qr_frame_compact_stat(field.frames, &stat);
	printf("unusable for order 9: %u before, %u after; %zu blocks for %llu "
	       "pages moved\n",
	    before, after, made, (unsigned long long)stat.moved);
	assert_true(before > 700);
	assert_true(after < 300);
	assert_true(made >= 5);
	assert_int_equal(stat.made, made);
	assert_int_equal(stat.pinned + stat.busy, 0);
	/* A quarter of the frames is mapped: less is what a block costs. */
	assert_in_range(stat.moved, made, made * 192);
	field_check(&field);
	/* There is nothing more to do. */
	assert_int_equal(qr_frame_compact(field.frames, 9, 100), 0);
	field_end(&field);
}

static void
test_direct(void **state)
{
	struct field field = field_make(&small_sim);
	struct qr_compact_stat stat;
	(void)state;
	field_thin(&field, 4);
	/* All of the untouched memory is gone, so that nothing larger than
	 * order 1 is left. */
	struct qr_page *taken[200];
	size_t count = 0;
	for (unsigned order = 10; order >= 3; order--)
		while (count < 200) {
			taken[count] = qr_frame_alloc(field.frames, 0, order,
			    QR_PAGE_KERNEL);
			if (taken[count] == NULL)
				break;
			count++;
		}
	assert_true(count < 200);
	assert_null(
	    qr_frame_alloc(field.frames, QR_GFP_ATOMIC, 6, QR_PAGE_KERNEL));
	struct qr_page *page =
	    qr_frame_alloc(field.frames, QR_GFP_KERNEL, 6, QR_PAGE_KERNEL);
	assert_non_null(page);
	assert_int_equal(qr_frame_pfn(field.frames, page) % 64, 0);
	memset(qr_frame_data(field.frames, page), 0x5a, 64 * QR_PAGE_SIZE);
	qr_frame_compact_stat(field.frames, &stat);
	assert_true(stat.moved > 0 && stat.made > 0);
	field_check(&field);
	qr_frame_free(field.frames, page);
	while (count > 0)
		qr_frame_free(field.frames, taken[--count]);
	field_end(&field);
}

/* A block that was wanted in vain is made when background reclaim runs. */
static void
test_balance_makes_what_was_wanted(void **state)
{
	struct field field = field_make(&small_sim);
	(void)state;
	field_thin(&field, 4);
	assert_int_equal(qr_frame_compact_wanted(field.frames), 0);
	atomic_store(&field.frames->compact_wanted, 9);
	unsigned before = unusable(&field, 9);
	(void)qr_machine_balance(field.bed.machine);
	assert_true(unusable(&field, 9) < before);
	assert_int_equal(qr_frame_compact_wanted(field.frames), 0);
	field_check(&field);
	field_end(&field);
}

static void
test_contiguous_runs(void **state)
{
	static const struct {
		uint64_t count;
		unsigned align;
	} runs[] = { { 1, 0 }, { 7, 3 }, { 100, 0 }, { 1024, 10 }, { 1500, 9 },
		{ 2100, 0 } };
	struct field field = field_make(&small_sim);
	(void)state;
	field_thin(&field, 4);
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		struct qr_page *page = qr_frame_alloc_contig(field.frames, 0,
		    runs[i].count, runs[i].align, QR_PAGE_KERNEL);
		assert_non_null(page);
		qr_pfn_t pfn = qr_frame_pfn(field.frames, page);
		assert_int_equal(pfn & (((uint64_t)1 << runs[i].align) - 1), 0);
		for (uint64_t j = 0; j < runs[i].count; j++) {
			struct qr_page *one =
			    qr_frame_page(field.frames, pfn + j);
			assert_int_equal(one->kind, QR_PAGE_KERNEL);
			memset(qr_frame_data(field.frames, one), 0x5a,
			    QR_PAGE_SIZE);
		}
		field_check(&field);
		qr_frame_free_contig(field.frames, page, runs[i].count);
		qr_check_machine(field.bed.machine);
	}
	assert_null(qr_frame_alloc_contig(field.frames, 0, RAM / QR_PAGE_SIZE,
	    0, QR_PAGE_KERNEL));
	field_check(&field);
	field_end(&field);
}

/* --- what stays --- */

/* A pin in each 64th page: no block of 2 MiB comes about, and that is said. */
static void
test_pinned_pages_stay(void **state)
{
	struct field field = field_make(&small_sim);
	struct qr_pin pins[PAGES / 64 + 1];
	struct qr_compact_stat stat;
	size_t count = 0;
	(void)state;
	memset(pins, 0, sizeof(pins));
	for (uint64_t i = 0; i < PAGES; i += 64) {
		qr_space_pin_register(field.space, &pins[count]);
		assert_int_equal(qr_space_pin(field.space, &pins[count],
				     field.base + i * QR_PAGE_SIZE, 1,
				     QR_ACCESS_READ),
		    0);
		count++;
	}
	field_thin(&field, 4);
	unsigned before = unusable(&field, 10);
	assert_int_equal(qr_frame_compact(field.frames, 10, 100), 0);
	qr_frame_compact_stat(field.frames, &stat);
	assert_true(stat.pinned > 0 && stat.failed > 0);
	/* Pages that were moved before the pin was met may lie closer now. */
	assert_true(unusable(&field, 10) <= before);
	field_check(&field);
	while (count > 0) {
		qr_space_unpin(&pins[--count]);
		qr_space_pin_unregister(field.space, &pins[count]);
	}
	assert_true(qr_frame_compact(field.frames, 10, 100) > 0);
	field_check(&field);
	field_end(&field);
}

static void
test_locked_pages_stay(void **state)
{
	struct field field = field_make(&small_sim);
	struct qr_compact_stat stat;
	(void)state;
	field_thin(&field, 4);
	qr_space_lock(field.space);
	for (uint64_t i = 0; i < PAGES; i += 4)
		assert_int_equal(qr_space_advise(field.space,
				     field.base + i * QR_PAGE_SIZE,
				     QR_PAGE_SIZE, QR_ADVICE_LOCK, 0),
		    0);
	qr_space_unlock(field.space);
	assert_int_equal(qr_frame_compact(field.frames, 9, 100), 0);
	qr_frame_compact_stat(field.frames, &stat);
	assert_int_equal(stat.moved, 0);
	assert_true(stat.pinned > 0);
	field_check(&field);
	field_end(&field);
}

/* A port that doesn't say that pages can be moved. */
static void
test_without_moving(void **state)
{
	struct field field = field_make(&small_sim);
	(void)state;
	field_thin(&field, 4);
	const struct qr_frame_ops ops = { NULL, NULL, NULL };
	const struct qr_frame_ops *real = field.frames->ops;
	field.frames->ops = &ops;
	assert_int_equal(qr_frame_compact(field.frames, 9, 100), 0);
	assert_null(
	    qr_frame_alloc_contig(field.frames, 0, 1500, 0, QR_PAGE_KERNEL));
	field.frames->ops = real;
	field_check(&field);
	field_end(&field);
}

/* --- refusals of the port --- */

/* Every n-th call that a move needs is refused: nothing is lost, all pages
 * still come and go. */
static void
test_port_refuses(void **state)
{
	static const enum sim_call calls[] = { SIM_MMU_FREEZE, SIM_MMU_DROP,
		SIM_MMU_MAP };
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (uint64_t every = 1; every <= 7; every += 3) {
			static const struct sim_config window_sim = {
				.ram_bytes = RAM,
				.flags = SIM_STAGE_WINDOW,
			};
			struct field field =
			    field_make(every == 4 ? &window_sim : &small_sim);
			struct qr_compact_stat stat;
			field_thin(&field, 4);
			sim_fail_every(field.bed.sim, calls[i], every,
			    -QR_EAGAIN);
			size_t made = qr_frame_compact(field.frames, 9, 100);
			sim_fail_never(field.bed.sim);
			qr_frame_compact_stat(field.frames, &stat);
			assert_true(stat.busy > 0);
			if (every == 1)
				assert_int_equal(made + stat.moved, 0);
			field_check(&field);
			field_end(&field);
		}
	}
}

/* No frame is left to move pages to. */
static void
test_no_memory_to_move_to(void **state)
{
	struct field field = field_make(&small_sim);
	(void)state;
	field_thin(&field, 4);
	struct qr_page **hoard =
	    calloc(RAM / QR_PAGE_SIZE, sizeof(struct qr_page *));
	size_t count = 0;
	assert_non_null(hoard);
	for (;;) {
		hoard[count] = qr_frame_alloc(field.frames,
		    QR_GFP_USER | QR_GFP_RESERVE, 0, QR_PAGE_KERNEL);
		if (hoard[count] == NULL)
			break;
		count++;
	}
	assert_null(
	    qr_frame_alloc_contig(field.frames, 0, 64, 0, QR_PAGE_KERNEL));
	qr_check_machine(field.bed.machine);
	while (count > 0)
		qr_frame_free(field.frames, hoard[--count]);
	free(hoard);
	field_check(&field);
	field_end(&field);
}

/* --- giving up --- */

static void
test_pauses_after_failure(void **state)
{
	struct field field = field_make(&small_sim);
	struct qr_compact_stat stat;
	(void)state;
	field_thin(&field, 4);
	sim_fail_every(field.bed.sim, SIM_MMU_FREEZE, 1, -QR_EAGAIN);
	struct qr_zone *zone = field.frames->zone;
	unsigned tried = 0;
	for (unsigned i = 0; i < 300; i++) {
		qr_frame_compact_stat(field.frames, &stat);
		uint64_t failed = stat.failed;
		struct qr_page *page =
		    qr_compact_alloc(field.frames, zone, 9, QR_PAGE_KERNEL);
		assert_null(page);
		qr_frame_compact_stat(field.frames, &stat);
		tried += stat.failed != failed;
	}
	/* After 1, 2, 4, 8, 16, 32, 64, 64 ... left out. */
	assert_in_range(tried, 8, 10);
	assert_int_equal(stat.skipped, 300 - tried);
	assert_int_equal(qr_frame_compact_wanted(field.frames), 9);
	sim_fail_never(field.bed.sim);
	field_check(&field);
	field_end(&field);
}

/* --- while programs run --- */

struct runner {
	struct field *field;
	unsigned cpu;
	uint64_t seed;
	_Atomic(bool) *stop;
	unsigned failed;
	pthread_t thread;
};

/* Reads and rewrites pages, each thread those of its own residue. */
static void *
runner_run(void *ctx)
{
	struct runner *runner = ctx;
	struct field *field = runner->field;
	struct test_random random = { runner->seed };
	sim_set_cpu(runner->cpu);
	while (!atomic_load(runner->stop)) {
		uint64_t i =
		    test_random_below(&random, PAGES / 8) * 8 + runner->cpu * 4;
		qr_vaddr_t at = field->base + i * QR_PAGE_SIZE + i % 4000;
		uint64_t value = 0;
		if (i >= PAGES)
			continue;
		int error = sim_read(field->bed.sim, field->space, at, &value,
		    sizeof(value));
		runner->failed +=
		    error != 0 || value != i * 0x9e3779b97f4a7c15u + 1;
		error = sim_write(field->bed.sim, field->space, at, &value,
		    sizeof(value));
		runner->failed += error != 0;
	}
	return NULL;
}

static void
test_beside_running_programs(void **state)
{
	static const struct sim_config config = {
		.ram_bytes = RAM,
		.cpus = 2,
		.flags = SIM_THREADS | SIM_JITTER,
	};
	struct test_random random = test_random_start("compact");
	struct field field = field_make(&config);
	_Atomic(bool) stop = false;
	struct runner runners[2];
	(void)state;
	field_thin(&field, 4);
	for (unsigned i = 0; i < 2; i++) {
		runners[i] = (struct runner){ .field = &field,
			.cpu = i,
			.seed = test_random_next(&random),
			.stop = &stop };
		assert_int_equal(pthread_create(&runners[i].thread, NULL,
				     runner_run, &runners[i]),
		    0);
	}
	for (unsigned i = 0; i < 12; i++) {
		unsigned order = (unsigned)test_random_below(&random, 8) + 3;
		(void)qr_frame_compact(field.frames, order, 4);
		uint64_t count = 1 + test_random_below(&random, 1200);
		struct qr_page *page = qr_frame_alloc_contig(field.frames, 0,
		    count, 0, QR_PAGE_KERNEL);
		if (page != NULL)
			qr_frame_free_contig(field.frames, page, count);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 2; i++) {
		(void)pthread_join(runners[i].thread, NULL);
		assert_int_equal(runners[i].failed, 0);
	}
	struct qr_compact_stat stat;
	qr_frame_compact_stat(field.frames, &stat);
	assert_true(stat.moved > 0);
	field_check(&field);
	field_end(&field);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_background),
		cmocka_unit_test(test_direct),
		cmocka_unit_test(test_balance_makes_what_was_wanted),
		cmocka_unit_test(test_contiguous_runs),
		cmocka_unit_test(test_pinned_pages_stay),
		cmocka_unit_test(test_locked_pages_stay),
		cmocka_unit_test(test_without_moving),
		cmocka_unit_test(test_port_refuses),
		cmocka_unit_test(test_no_memory_to_move_to),
		cmocka_unit_test(test_pauses_after_failure),
		cmocka_unit_test(test_beside_running_programs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
