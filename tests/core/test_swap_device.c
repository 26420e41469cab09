/* SPDX-License-Identifier: MIT */
/*
 * test_swap_device.c: the oldest pages leave first and lie side by side; a
 * device that is full, shrinks, fails or lies means less room or an error,
 * never wrong data. Every transfer fails once.
 */
#include "core/swap/swap_impl.h"
#include "swap_bed.h"

static struct bed bed;

static void
test_oldest_first(void **state)
{
	(void)state;
	const struct bed_config config = { .swap_pages = 64,
		.swap = { .codec = &toy_codec } };
	uint64_t slot[40];
	bed_start(&bed, &config);
	for (size_t i = 0; i < 40; i++)
		slot[i] = bed_store(&bed, 1000, i);
	/* The 10th is gone before its time comes. */
	qr_swap_put(bed.swap, slot[10]);
	size_t freed = qr_swap_write_back(bed.swap, 20);
	struct qr_swap_stat stat = bed_stat(&bed);
	assert_int_equal(20, stat.written_back);
	assert_int_equal(20, stat.on_device);
	assert_int_equal(19, stat.pooled);
	/* 39 objects lay 4 to a frame. */
	assert_int_equal(10 - stat.pool_frames, freed);
	for (size_t i = 0; i < 40; i++)
		if (i != 10)
			assert_int_equal(i > 20,
			    qr_swap_is_near(bed.swap, slot[i]));
	/* Two batches, each in one call. */
	assert_int_equal(2, sim_calls(bed.rig.sim, SIM_SWAP_WRITE));
	bed_check(&bed);
	for (size_t i = 0; i < 40; i++) {
		if (i == 10)
			continue;
		bed_expect(&bed, slot[i], 1000, i);
		qr_swap_put(bed.swap, slot[i]);
	}
	assert_int_equal(20, bed_stat(&bed).loads_device);
	assert_int_equal(19, bed_stat(&bed).loads_pool);
	bed_stop(&bed);
}

/* Pages that don't compress go straight to the device, side by side, and a
 * cluster that is free again is trimmed. */
static void
test_straight_to_device(void **state)
{
	(void)state;
	const struct bed_config config = { .swap_pages = 100,
		.swap = { .codec = &toy_codec } };
	struct sim_stat sim;
	uint64_t slot[100], more;
	bed_start(&bed, &config);
	for (size_t i = 0; i < 100; i++)
		slot[i] = bed_store(&bed, PAGE, i);
	struct qr_swap_stat stat = bed_stat(&bed);
	assert_int_equal(100, stat.incompressible);
	assert_int_equal(0, stat.pool_frames);
	toy_fill(bed.page, PAGE, 1000);
	assert_int_equal(-QR_ENOSPC, qr_swap_store(bed.swap, bed.page, &more));
	assert_int_equal(1, bed_stat(&bed).refused);
	for (size_t i = 0; i < 100; i++)
		bed_expect(&bed, slot[i], PAGE, i);
	/* The pages of the first cluster but one. */
	for (size_t i = 0; i < 63; i++)
		qr_swap_put(bed.swap, slot[i]);
	sim_stat(bed.rig.sim, &sim);
	assert_int_equal(0, sim.disk_trims);
	qr_swap_put(bed.swap, slot[63]);
	sim_stat(bed.rig.sim, &sim);
	assert_int_equal(64, sim.disk_trims);
	bed_check(&bed);
	for (size_t i = 64; i < 100; i++)
		qr_swap_put(bed.swap, slot[i]);
	sim_stat(bed.rig.sim, &sim);
	assert_int_equal(100, sim.disk_trims);
	bed_stop(&bed);
}

/* Pages that leave one after another lie side by side. */
static void
test_clusters(void **state)
{
	(void)state;
	const struct bed_config config = { .swap_pages = 1000,
		.swap = { .codec = &toy_codec } };
	struct sim_stat sim;
	uint64_t slot[128];
	bed_start(&bed, &config);
	for (size_t i = 0; i < 128; i++)
		slot[i] = bed_store(&bed, PAGE, i);
	for (size_t i = 0; i < 128; i++)
		qr_swap_put(bed.swap, slot[i]);
	sim_stat(bed.rig.sim, &sim);
	assert_int_equal(128, sim.disk_trims);
	bed_stop(&bed);
}

static void
test_device_shrinks_and_grows(void **state)
{
	(void)state;
	const struct bed_config config = { .swap_pages = 400,
		.swap = { .codec = &toy_codec } };
	uint64_t slot[20], more;
	bed_start(&bed, &config);
	sim_disk_resize(bed.rig.sim, 0);
	toy_fill(bed.page, PAGE, 1);
	assert_int_equal(-QR_ENOSPC, qr_swap_store(bed.swap, bed.page, &more));
	assert_int_equal(0, qr_swap_write_back(bed.swap, 10));
	sim_disk_resize(bed.rig.sim, 20);
	for (size_t i = 0; i < 20; i++)
		slot[i] = bed_store(&bed, PAGE, i);
	assert_int_equal(-QR_ENOSPC, qr_swap_store(bed.swap, bed.page, &more));
	/* Smaller than what is on it: no room, though one is given back. */
	sim_disk_resize(bed.rig.sim, 10);
	qr_swap_put(bed.swap, slot[15]);
	toy_fill(bed.page, PAGE, 2);
	assert_int_equal(-QR_ENOSPC, qr_swap_store(bed.swap, bed.page, &more));
	/* What lies beyond the end can be had, as long as the device has it. */
	bed_expect(&bed, slot[19], PAGE, 19);
	sim_disk_resize(bed.rig.sim, 400);
	assert_int_equal(400, bed_stat(&bed).device_pages);
	more = bed_store(&bed, PAGE, 3);
	bed_check(&bed);
	for (size_t i = 0; i < 20; i++)
		if (i != 15)
			qr_swap_put(bed.swap, slot[i]);
	qr_swap_put(bed.swap, more);
	bed_stop(&bed);
}

/* A device that takes 30 pages and says so: the rest stays in the pool. */
static void
test_device_says_full(void **state)
{
	(void)state;
	const struct bed_config config = { .swap_pages = 200,
		.swap = { .codec = &toy_codec } };
	uint64_t slot[60];
	bed_start(&bed, &config);
	sim_disk_set_room(bed.rig.sim, 30);
	for (size_t i = 0; i < 60; i++)
		slot[i] = bed_store(&bed, 1000, i);
	(void)qr_swap_write_back(bed.swap, 60);
	struct qr_swap_stat stat = bed_stat(&bed);
	assert_int_equal(60, stat.on_device + stat.pooled);
	assert_in_range(stat.on_device, 15, 30);
	assert_int_equal(0, stat.io_errors);
	/* It is not asked again until something is given back. */
	uint64_t calls = sim_calls(bed.rig.sim, SIM_SWAP_WRITE);
	assert_int_equal(0, qr_swap_write_back(bed.swap, 60));
	assert_int_equal(calls, sim_calls(bed.rig.sim, SIM_SWAP_WRITE));
	bed_check(&bed);
	sim_disk_set_room(bed.rig.sim, UINT64_MAX);
	for (size_t i = 0; i < 60; i++) {
		bed_expect(&bed, slot[i], 1000, i);
		qr_swap_put(bed.swap, slot[i]);
	}
	uint64_t again = bed_store(&bed, PAGE, 1);
	assert_true(!qr_swap_is_near(bed.swap, again));
	qr_swap_put(bed.swap, again);
	bed_stop(&bed);
}

/* The n-th write fails: pages stay in the pool, and all can be loaded. */
static void
test_each_write_fails(void **state)
{
	(void)state;
	const struct bed_config config = { .swap_pages = 200,
		.swap = { .codec = &toy_codec } };
	for (unsigned n = 1; n < 8; n++) {
		uint64_t slot[60];
		bed_start(&bed, &config);
		for (size_t i = 0; i < 60; i++)
			slot[i] = bed_store(&bed, 1000, i);
		sim_fail_after(bed.rig.sim, SIM_SWAP_WRITE, n, -QR_EIO);
		for (unsigned turn = 0; turn < 60; turn += 15)
			(void)qr_swap_write_back(bed.swap, 15);
		uint64_t direct, error_count = n <= 4;
		toy_fill(bed.page, PAGE, 100);
		int error = qr_swap_store(bed.swap, bed.page, &direct);
		assert_int_equal(n == 5 ? -QR_EIO : 0, error);
		struct qr_swap_stat stat = bed_stat(&bed);
		assert_int_equal(error_count + (n == 5), stat.io_errors);
		assert_int_equal(60,
		    stat.on_device + stat.pooled - (error == 0));
		bed_check(&bed);
		if (error == 0)
			qr_swap_put(bed.swap, direct);
		for (size_t i = 0; i < 60; i++) {
			bed_expect(&bed, slot[i], 1000, i);
			qr_swap_put(bed.swap, slot[i]);
		}
		bed_stop(&bed);
	}
}

/* All writes fail: each failing page is tried once and never again. */
static void
test_every_write_fails(void **state)
{
	(void)state;
	const struct bed_config config = { .swap_pages = 40,
		.swap = { .codec = &toy_codec } };
	uint64_t slot[30];
	bed_start(&bed, &config);
	for (size_t i = 0; i < 30; i++)
		slot[i] = bed_store(&bed, 1000, i);
	sim_fail_every(bed.rig.sim, SIM_SWAP_WRITE, 1, -QR_EIO);
	for (unsigned turn = 0; turn < 10; turn++)
		assert_int_equal(0, qr_swap_write_back(bed.swap, 30));
	/* 15 and 15 and 10 pages, each once with others and once alone. */
	assert_int_equal(40 + 3, sim_calls(bed.rig.sim, SIM_SWAP_WRITE));
	sim_fail_never(bed.rig.sim);
	assert_int_equal(0, qr_swap_write_back(bed.swap, 30));
	bed_check(&bed);
	for (size_t i = 0; i < 30; i++) {
		bed_expect(&bed, slot[i], 1000, i);
		qr_swap_put(bed.swap, slot[i]);
	}
	bed_stop(&bed);
}

/* A read that fails, or gives another page, is an error each time; the page
 * of the device is not used again. */
static void
test_reads_fail(void **state)
{
	(void)state;
	const struct bed_config config = { .swap_pages = 3,
		.swap = { .codec = &toy_codec } };
	uint64_t slot[3], more;
	bed_start(&bed, &config);
	for (size_t i = 0; i < 3; i++)
		slot[i] = bed_store(&bed, PAGE, i);
	sim_fail_after(bed.rig.sim, SIM_SWAP_READ, 1, -QR_EIO);
	assert_int_equal(-QR_EIO, qr_swap_load(bed.swap, slot[0], bed.back));
	/* It was not the page's fault: it is still there. */
	bed_expect(&bed, slot[0], PAGE, 0);
	sim_disk_corrupt(bed.rig.sim, 1);
	assert_int_equal(-QR_EIO, qr_swap_load(bed.swap, slot[1], bed.back));
	assert_int_equal(-QR_EIO, qr_swap_load(bed.swap, slot[1], bed.back));
	assert_int_equal(3, bed_stat(&bed).io_errors);
	bed_expect(&bed, slot[2], PAGE, 2);
	for (size_t i = 0; i < 3; i++)
		qr_swap_put(bed.swap, slot[i]);
	bed_check(&bed);
	more = bed_store(&bed, PAGE, 4);
	toy_fill(bed.page, PAGE, 5);
	assert_int_equal(-QR_ENOSPC,
	    qr_swap_store(bed.swap, bed.page, &slot[0]));
	qr_swap_put(bed.swap, more);
	bed_stop(&bed);
}

/* Neighbours come by one read, up to the first that is damaged; where the read
 * fails none does, and each is there by itself. */
static void
test_row(void **state)
{
	(void)state;
	const struct bed_config config = { .swap_pages = 20,
		.swap = { .codec = &toy_codec } };
	static unsigned char row[8][PAGE];
	uint64_t slot[8];
	bed_start(&bed, &config);
	for (size_t i = 0; i < 8; i++)
		slot[i] = bed_store(&bed, i == 6 ? 1000 : PAGE, i);
	assert_true(qr_swap_follows(bed.swap, slot[0], slot[1]));
	assert_false(qr_swap_follows(bed.swap, slot[1], slot[0]));
	assert_false(qr_swap_follows(bed.swap, slot[0], slot[2]));
	assert_false(qr_swap_follows(bed.swap, slot[5], slot[6]));

	uint64_t calls = sim_calls(bed.rig.sim, SIM_SWAP_READ);
	assert_int_equal(6, qr_swap_load_row(bed.swap, slot, row, 8));
	assert_int_equal(calls + 1, sim_calls(bed.rig.sim, SIM_SWAP_READ));
	assert_int_equal(6, bed_stat(&bed).loads_device);
	for (size_t i = 0; i < 6; i++) {
		toy_fill(bed.page, PAGE, i);
		assert_memory_equal(bed.page, row[i], PAGE);
	}
	/* One page is no row, nor is what is in the pool. */
	assert_int_equal(0, qr_swap_load_row(bed.swap, slot + 5, row, 2));
	assert_int_equal(0, qr_swap_load_row(bed.swap, slot + 6, row, 2));

	sim_fail_after(bed.rig.sim, SIM_SWAP_READ, 1, -QR_EIO);
	assert_int_equal(0, qr_swap_load_row(bed.swap, slot, row, 6));
	sim_disk_corrupt(bed.rig.sim, 3);
	assert_int_equal(3, qr_swap_load_row(bed.swap, slot, row, 6));
	assert_int_equal(0, bed_stat(&bed).io_errors);
	assert_int_equal(-QR_EIO, qr_swap_load(bed.swap, slot[3], bed.back));
	for (size_t i = 0; i < 8; i++) {
		if (i != 3)
			bed_expect(&bed, slot[i], i == 6 ? 1000 : PAGE, i);
		qr_swap_put(bed.swap, slot[i]);
	}
	bed_stop(&bed);
}

/* --- the map of the device --- */

#define DEVICE_PAGES 70000u /* more than two frames of the map */

static unsigned char taken[DEVICE_PAGES];

/* Takes until there is no more; returns how many pages that were. */
static size_t
take_all(void)
{
	size_t total = 0, count;
	uint64_t first;
	while ((count = qr_swap_area_take(bed.swap,
		    1 + test_random_below(&bed.random, 70), &first)) != 0) {
		assert_true(first + count <= DEVICE_PAGES);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(0, taken[first + i]++);
		total += count;
	}
	return total;
}

/* All pages of a large device are had, each by one, whatever is free. */
static void
test_area_model(void **state)
{
	(void)state;
	const struct bed_config config = { .swap_pages = DEVICE_PAGES,
		.swap = { .codec = &toy_codec } };
	bed.random = test_random_start("area");
	bed_start(&bed, &config);
	assert_int_equal(DEVICE_PAGES, take_all());
	for (unsigned round = 0; round < 4; round++) {
		size_t given = 0;
		for (unsigned i = 0; i < 20000; i++) {
			uint64_t page =
			    test_random_below(&bed.random, DEVICE_PAGES);
			if (taken[page] == 0)
				continue;
			taken[page] = 0;
			given++;
			if (round % 2 == 0)
				qr_swap_area_give(bed.swap, page);
			else
				qr_swap_area_untake(bed.swap, page);
		}
		assert_int_equal(given, take_all());
	}
	for (uint64_t page = 0; page < DEVICE_PAGES; page++)
		qr_swap_area_give(bed.swap, page);
	bed_stop(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oldest_first),
		cmocka_unit_test(test_straight_to_device),
		cmocka_unit_test(test_clusters),
		cmocka_unit_test(test_device_shrinks_and_grows),
		cmocka_unit_test(test_device_says_full),
		cmocka_unit_test(test_each_write_fails),
		cmocka_unit_test(test_every_write_fails),
		cmocka_unit_test(test_reads_fail),
		cmocka_unit_test(test_row),
		cmocka_unit_test(test_area_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
