/* SPDX-License-Identifier: MIT */
/*
 * test_swap.c: what is loaded is what was stored, or an error: against a map
 * of page contents, through write-back, with a device that is full, shrinks,
 * fails or lies, with frames that run out, and from several threads. The
 * oldest pages leave first, and counts are exact.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "codec/codec.h"
#include "core/swap/swap_impl.h"
#include "swap_bed.h"

#define SAME_KIND 7u /* of fill_page: one repeated word */
#define SLOTS_MAX 3000u

static struct bed bed;

/* A page that is out, and how often it is referred to. */
struct out {
	uint64_t slot;
	uint64_t seed;
	uint32_t refs;
	uint32_t shadow;
};

static struct out out[SLOTS_MAX];
static size_t out_count;

/* A page of one of eight kinds, by its seed: heap-like, text, random, … */
static void
fill_page(unsigned char *page, uint64_t seed)
{
	struct test_random random = { seed };
	unsigned kind = (unsigned)(seed % 8);
	memset(page, 0, PAGE);
	if (kind == SAME_KIND) {
		memset(page, (int)(seed >> 3 & 0xff), PAGE);
		return;
	}
	for (size_t i = 0; i < PAGE; i += 8) {
		uint64_t word = test_random_next(&random);
		if (kind < 4)
			word = word % (kind + 2) == 0
				   ? 0x7f0000000000 + (word & 0xffff0)
				   : word % 3;
		else if (kind < 6)
			word &= 0x0f0f0f0f0f0f0f0f;
		memcpy(page + i, &word, 8);
	}
}

static void
expect_page(uint64_t slot, uint64_t seed)
{
	fill_page(bed.page, seed);
	memset(bed.back, 0xee, PAGE);
	assert_int_equal(0, qr_swap_load(bed.swap, slot, bed.back));
	assert_memory_equal(bed.page, bed.back, PAGE);
}

static int
store_page(uint64_t seed, uint64_t *slot)
{
	fill_page(bed.page, seed);
	return qr_swap_store(bed.swap, bed.page, slot);
}

static void
out_add(uint64_t slot, uint64_t seed)
{
	assert_int_equal(0, qr_swap_shadow(bed.swap, slot));
	out[out_count++] = (struct out){ slot, seed, 1, (uint32_t)seed };
	qr_swap_set_shadow(bed.swap, slot, (uint32_t)seed);
}

static void
out_drop(size_t i)
{
	qr_swap_put(bed.swap, out[i].slot);
	if (--out[i].refs == 0)
		out[i] = out[--out_count];
}

static void
out_drop_all(void)
{
	while (out_count > 0)
		out_drop(out_count - 1);
}

/* --- against a model --- */

static void
model_step(void)
{
	uint64_t turn = test_random_below(&bed.random, 100);
	size_t i = out_count == 0
		       ? 0
		       : (size_t)test_random_below(&bed.random, out_count);
	if (turn < 35 && out_count < SLOTS_MAX) {
		uint64_t seed = test_random_next(&bed.random), slot;
		int error = store_page(seed, &slot);
		if (error == 0)
			out_add(slot, seed);
		else
			assert_int_equal(-QR_ENOSPC, error);
	} else if (out_count == 0) {
		return;
	} else if (turn < 60) {
		expect_page(out[i].slot, out[i].seed);
		assert_int_equal(out[i].shadow,
		    qr_swap_shadow(bed.swap, out[i].slot));
	} else if (turn < 68) {
		qr_swap_get(bed.swap, out[i].slot);
		out[i].refs++;
	} else if (turn < 98) {
		out_drop(i);
	} else {
		(void)qr_swap_write_back(bed.swap,
		    test_random_below(&bed.random, 40));
	}
}

static void
test_model(void **state)
{
	struct qr_codec *const *codec = *state;
	const struct bed_config config = { .swap_pages = 500,
		.swap = { .codec = *codec } };
	bed.random = test_random_start((*codec)->name);
	bed_start(&bed, &config);
	for (unsigned step = 0; step < 14000; step++) {
		/* Grows, then shrinks, and again. */
		model_step();
		if (step / 2000 % 2 == 1 && out_count > 0)
			out_drop(test_random_below(&bed.random, out_count));
		if (step % 500 == 0) {
			bed_check(&bed);
			assert_int_equal(out_count, bed_stat(&bed).slots);
		}
	}
	struct qr_swap_stat stat = bed_stat(&bed);
	assert_true(stat.same_filled > 0);
	assert_true(stat.written_back > 0);
	assert_true(stat.incompressible > 0);
	assert_int_equal(stat.slots,
	    stat.same_filled + stat.pooled + stat.on_device);
	for (size_t i = 0; i < out_count; i++)
		expect_page(out[i].slot, out[i].seed);
	out_drop_all();
	bed_stop(&bed);
}

/* --- ways of a page --- */

static void
test_same_filled(void **state)
{
	(void)state;
	const struct bed_config config = { .swap = { .codec = &toy_codec } };
	uint64_t slot;
	bed_start(&bed, &config);
	memset(bed.page, 0xab, PAGE);
	assert_int_equal(0, qr_swap_store(bed.swap, bed.page, &slot));
	struct qr_swap_stat stat = bed_stat(&bed);
	assert_int_equal(1, stat.same_filled);
	assert_int_equal(0, stat.pool_frames);
	assert_true(qr_swap_is_near(bed.swap, slot));
	assert_int_equal(0, qr_swap_load(bed.swap, slot, bed.back));
	assert_memory_equal(bed.page, bed.back, PAGE);
	qr_swap_put(bed.swap, slot);
	/* A byte off is another page, which the toy can't compress. */
	bed.page[PAGE - 1] = 0;
	assert_int_equal(-QR_ENOSPC, qr_swap_store(bed.swap, bed.page, &slot));
	bed_stop(&bed);
}

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
	bed_start(&bed, &config);
	for (size_t i = 0; i < 100; i++)
		out_add(bed_store(&bed, PAGE, i), i);
	struct qr_swap_stat stat = bed_stat(&bed);
	assert_int_equal(100, stat.incompressible);
	assert_int_equal(0, stat.pool_frames);
	toy_fill(bed.page, PAGE, 1000);
	uint64_t slot;
	assert_int_equal(-QR_ENOSPC, qr_swap_store(bed.swap, bed.page, &slot));
	assert_int_equal(1, bed_stat(&bed).refused);
	for (size_t i = 0; i < 100; i++)
		bed_expect(&bed, out[i].slot, PAGE, i);
	/* The pages of the first cluster but one. */
	for (size_t i = 0; i < 63; i++)
		qr_swap_put(bed.swap, out[i].slot);
	sim_stat(bed.rig.sim, &sim);
	assert_int_equal(0, sim.disk_trims);
	qr_swap_put(bed.swap, out[63].slot);
	sim_stat(bed.rig.sim, &sim);
	assert_int_equal(64, sim.disk_trims);
	bed_check(&bed);
	for (size_t i = 64; i < 100; i++)
		qr_swap_put(bed.swap, out[i].slot);
	sim_stat(bed.rig.sim, &sim);
	assert_int_equal(100, sim.disk_trims);
	out_count = 0;
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
	bed_start(&bed, &config);
	for (size_t i = 0; i < 128; i++)
		out_add(bed_store(&bed, PAGE, i), i);
	out_drop_all();
	sim_stat(bed.rig.sim, &sim);
	assert_int_equal(128, sim.disk_trims);
	bed_stop(&bed);
}

/* Frames of slots come back when the slots do. */
static void
test_slots_come_and_go(void **state)
{
	(void)state;
	const struct bed_config config = { .swap = { .codec = &toy_codec } };
	bed_start(&bed, &config);
	uint64_t before = rig_free_pages(&bed.rig);
	for (size_t i = 0; i < 2000; i++) {
		uint64_t slot;
		memset(bed.page, (int)i, PAGE);
		assert_int_equal(0, qr_swap_store(bed.swap, bed.page, &slot));
		out_add(slot, i);
	}
	/* 128 to a frame, and one of the table. */
	assert_int_equal(before - 2000 / 128 - 2, rig_free_pages(&bed.rig));
	out_drop_all();
	bed_check(&bed);
	assert_true(rig_free_pages(&bed.rig) >= before - 3);
	bed_stop(&bed);
}

/* --- contents stay where they are while they are read --- */

static uint64_t pinned;

static void
pinned_write_back(void)
{
	(void)qr_swap_write_back(bed.swap, 3);
}

static void
test_pin_stops_write_back(void **state)
{
	(void)state;
	const struct bed_config config = { .swap_pages = 64,
		.swap = { .codec = &toy_codec } };
	uint64_t slot[3];
	bed_start(&bed, &config);
	for (size_t i = 0; i < 3; i++)
		slot[i] = bed_store(&bed, 200, i);
	toy_hook = pinned_write_back;
	bed_expect(&bed, slot[1], 200, 1);
	assert_false(qr_swap_is_near(bed.swap, slot[0]));
	assert_true(qr_swap_is_near(bed.swap, slot[1]));
	assert_false(qr_swap_is_near(bed.swap, slot[2]));
	bed_check(&bed);
	for (size_t i = 0; i < 3; i++) {
		bed_expect(&bed, slot[i], 200, i);
		qr_swap_put(bed.swap, slot[i]);
	}
	bed_stop(&bed);
}

/* Frees so many that packing wants the pinned one's run, then writes over
 * what has become free. */
static void
pinned_pack(void)
{
	while (out_count > 0) {
		if (out[out_count - 1].slot == pinned)
			out_count--;
		else
			out_drop(out_count - 1);
		if (out_count == 22)
			break;
	}
	for (size_t i = 0; i < 60; i++) {
		uint64_t seed = 1000 + i;
		unsigned char page[PAGE];
		toy_fill(page, 1480, seed);
		uint64_t slot;
		assert_int_equal(0, qr_swap_store(bed.swap, page, &slot));
		out_add(slot, seed);
	}
}

static void
test_pin_stops_packing(void **state)
{
	(void)state;
	const struct bed_config config = { .swap = { .codec = &toy_codec } };
	bed_start(&bed, &config);
	/* 11 to a run of 4 frames; the last alone in its run at first. */
	for (size_t i = 0; i < 111; i++)
		out_add(bed_store(&bed, 1480, i), i);
	pinned = out[110].slot;
	toy_hook = pinned_pack;
	bed_expect(&bed, pinned, 1480, 110);
	bed_check(&bed);
	for (size_t i = 0; i < out_count; i++)
		bed_expect(&bed, out[i].slot, 1480, out[i].seed);
	qr_swap_put(bed.swap, pinned);
	out_drop_all();
	bed_stop(&bed);
}

/* --- a device that changes --- */

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

/* --- a device that fails --- */

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

/* --- frames that run out --- */

/* Each allocation of a short life fails once; all is as if the call had not
 * been made. */
static void
test_each_allocation_fails(void **state)
{
	(void)state;
	const struct bed_config config = { .swap_pages = 100,
		.swap = { .codec = &toy_codec } };
	for (long n = 1;; n++) {
		uint64_t slot[300];
		size_t stored = 0;
		bed_start(&bed, &config);
		bed_failed = false;
		bed_fail_in = n;
		for (size_t i = 0; i < 300; i++) {
			toy_fill(bed.page, i % 3 == 0 ? PAGE : 100 + i * 9, i);
			int error =
			    qr_swap_store(bed.swap, bed.page, &slot[stored]);
			if (error == 0)
				qr_swap_set_shadow(bed.swap, slot[stored++],
				    (uint32_t)i);
			else
				assert_true(bed_failed);
			bed_failed = bed_failed && error == 0;
		}
		bed_check(&bed);
		assert_in_range(stored, 298, 300);
		for (size_t k = 0; k < stored; k++) {
			uint32_t i = qr_swap_shadow(bed.swap, slot[k]);
			bed_expect(&bed, slot[k],
			    i % 3 == 0 ? PAGE : 100 + i * 9, i);
			qr_swap_put(bed.swap, slot[k]);
		}
		bool done = bed_fail_in != 0;
		bed_fail_in = 0;
		bed_stop(&bed);
		if (done)
			break;
	}
}

static void
test_create_fails(void **state)
{
	(void)state;
	const struct bed_config config = { .swap_pages = 100,
		.swap = { .codec = &toy_codec } };
	bed_start(&bed, &config);
	for (long n = 1;; n++) {
		struct qr_swap *second = NULL;
		uint64_t before = rig_free_pages(&bed.rig);
		bed_fail_in = n;
		int error = qr_swap_create(bed.rig.frames, bed.slabs,
		    &config.swap, &second);
		bool done = bed_fail_in != 0;
		bed_fail_in = 0;
		if (error == 0)
			qr_swap_destroy(second);
		else
			assert_int_equal(-QR_ENOMEM, error);
		(void)qr_slab_shrink_all(bed.slabs);
		assert_int_equal(before, rig_free_pages(&bed.rig));
		if (done)
			break;
	}
	bed_stop(&bed);
}

/* --- several threads --- */

/* While a batch is being written, another thread does what act says. */
struct meanwhile {
	pthread_barrier_t begin;
	pthread_barrier_t end;
	void (*act)(void);
	bool once;
};

static struct meanwhile meanwhile;
static uint64_t transit_slot[5];

static void
meanwhile_hook(void *ctx, enum sim_call call)
{
	(void)ctx;
	if (call != SIM_SWAP_WRITE || meanwhile.once)
		return;
	meanwhile.once = true;
	pthread_barrier_wait(&meanwhile.begin);
	pthread_barrier_wait(&meanwhile.end);
}

static void *
meanwhile_thread(void *ctx)
{
	(void)ctx;
	pthread_barrier_wait(&meanwhile.begin);
	meanwhile.act();
	pthread_barrier_wait(&meanwhile.end);
	return NULL;
}

static void
act_load_and_put(void)
{
	static unsigned char page[PAGE], back[PAGE];
	/* In transit they can be loaded from the pool, … */
	for (size_t i = 0; i < 5; i++) {
		toy_fill(page, 1000, i);
		assert_true(qr_swap_is_near(bed.swap, transit_slot[i]));
		assert_int_equal(0,
		    qr_swap_load(bed.swap, transit_slot[i], back));
		assert_memory_equal(page, back, PAGE);
	}
	/* … shared, and dropped for good or not. */
	qr_swap_put(bed.swap, transit_slot[0]);
	qr_swap_get(bed.swap, transit_slot[1]);
	qr_swap_put(bed.swap, transit_slot[2]);
}

static void
test_put_in_transit(void **state)
{
	(void)state;
	const struct bed_config config = { .swap_pages = 100,
		.cpus = 2,
		.flags = SIM_THREADS,
		.swap = { .codec = &toy_codec } };
	pthread_t thread;
	bed_start(&bed, &config);
	for (size_t i = 0; i < 5; i++)
		transit_slot[i] = bed_store(&bed, 1000, i);
	pthread_barrier_init(&meanwhile.begin, NULL, 2);
	pthread_barrier_init(&meanwhile.end, NULL, 2);
	meanwhile.act = act_load_and_put;
	meanwhile.once = false;
	sim_set_hook(bed.rig.sim, meanwhile_hook, NULL);
	pthread_create(&thread, NULL, meanwhile_thread, NULL);
	(void)qr_swap_write_back(bed.swap, 5);
	pthread_join(thread, NULL);
	sim_set_hook(bed.rig.sim, NULL, NULL);
	bed_check(&bed);

	struct qr_swap_stat stat = bed_stat(&bed);
	assert_int_equal(3, stat.slots);
	assert_int_equal(3, stat.on_device);
	assert_int_equal(0, stat.pooled);
	qr_swap_put(bed.swap, transit_slot[1]);
	static const size_t left[] = { 1, 3, 4 };
	for (size_t k = 0; k < 3; k++) {
		bed_expect(&bed, transit_slot[left[k]], 1000, left[k]);
		qr_swap_put(bed.swap, transit_slot[left[k]]);
	}
	bed_stop(&bed);
}

#define THREADS      4u
#define THREAD_SLOTS 150u
#define SHARED_SLOTS 40u

/* Slots that all threads load, held by the test. */
static uint64_t shared[SHARED_SLOTS];

static void
thread_expect(unsigned char *pages, uint64_t slot, uint64_t seed)
{
	fill_page(pages, seed);
	assert_int_equal(0, qr_swap_load(bed.swap, slot, pages + PAGE));
	assert_memory_equal(pages, pages + PAGE, PAGE);
}

static void *
thread_run(void *ctx)
{
	struct test_random random = { (uint64_t)(uintptr_t)ctx };
	uint64_t slot[THREAD_SLOTS], seed[THREAD_SLOTS];
	unsigned char *pages = malloc(2 * PAGE);
	size_t count = 0;
	sim_set_cpu((unsigned)(uintptr_t)ctx);
	for (unsigned step = 0; step < 3000; step++) {
		uint64_t turn = test_random_below(&random, 100);
		uint64_t pick = test_random_next(&random);
		size_t i = count == 0 ? 0 : pick % count;
		if (turn < 40 && count < THREAD_SLOTS) {
			seed[count] = pick;
			fill_page(pages, pick);
			if (qr_swap_store(bed.swap, pages, &slot[count]) == 0)
				count++;
		} else if (turn < 60) {
			size_t k = pick % SHARED_SLOTS;
			qr_swap_get(bed.swap, shared[k]);
			thread_expect(pages, shared[k], k * 8 + k % 4);
			qr_swap_put(bed.swap, shared[k]);
		} else if (turn < 95 && count > 0) {
			thread_expect(pages, slot[i], seed[i]);
			qr_swap_put(bed.swap, slot[i]);
			slot[i] = slot[--count];
			seed[i] = seed[count];
		} else {
			(void)qr_swap_write_back(bed.swap, 5);
		}
	}
	while (count-- > 0) {
		thread_expect(pages, slot[count], seed[count]);
		qr_swap_put(bed.swap, slot[count]);
	}
	free(pages);
	return NULL;
}

static void
test_threads(void **state)
{
	struct qr_codec *const *codec = *state;
	const struct bed_config config = { .ram_bytes = (uint64_t)32 << 20,
		.swap_pages = 2000,
		.cpus = 2,
		.flags = SIM_THREADS | SIM_JITTER,
		.swap = { .codec = *codec } };
	pthread_t thread[THREADS];
	bed_start(&bed, &config);
	for (size_t i = 0; i < SHARED_SLOTS; i++)
		assert_int_equal(0, store_page(i * 8 + i % 4, &shared[i]));
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, thread_run, (void *)(i + 1));
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	bed_check(&bed);
	assert_int_equal(SHARED_SLOTS, bed_stat(&bed).slots);
	for (size_t i = 0; i < SHARED_SLOTS; i++)
		qr_swap_put(bed.swap, shared[i]);
	bed_stop(&bed);
}

/*
 * A reader comes while its object is being moved, and is slow: it must have
 * waited for the move, or it would read a place that has been written over.
 */
static struct {
	pthread_t thread;
	uint64_t seed;
	uint64_t slot;       /* the reader's */
	_Atomic(bool) armed; /* the next move of it starts the reader */
	_Atomic(bool) inside;
	_Atomic(bool) written_over;
} late;

static void
late_linger(void)
{
	late.inside = true;
	while (!late.written_over)
		sched_yield();
}

static void *
late_read(void *ctx)
{
	static unsigned char page[PAGE], back[PAGE];
	(void)ctx;
	toy_fill(page, 1000, late.seed);
	toy_hook = late_linger;
	assert_int_equal(0, qr_swap_load(bed.swap, late.slot, back));
	assert_memory_equal(page, back, PAGE);
	return NULL;
}

bool __real_qr_swap_pool_move(struct qr_swap *swap, struct pool_object from,
    struct pool_object *to);
bool __wrap_qr_swap_pool_move(struct qr_swap *swap, struct pool_object from,
    struct pool_object *to);

bool
__wrap_qr_swap_pool_move(struct qr_swap *swap, struct pool_object from,
    struct pool_object *to)
{
	struct timespec ms = { 0, 1000000 };
	if (late.armed) {
		late.armed = false;
		pthread_create(&late.thread, NULL, late_read, NULL);
		for (unsigned i = 0; i < 30 && !late.inside; i++)
			nanosleep(&ms, NULL);
	}
	return __real_qr_swap_pool_move(swap, from, to);
}

static void
test_reader_meets_a_move(void **state)
{
	(void)state;
	const struct bed_config config = { .cpus = 2,
		.flags = SIM_THREADS,
		.swap = { .codec = &toy_codec } };
	bed_start(&bed, &config);
	/* 4 to a frame: of the last but one run, one is left; of the others
	 * all but one. */
	for (size_t i = 0; i < 40; i++)
		out_add(bed_store(&bed, 1000, i), i);
	late.seed = out[36].seed;
	late.slot = out[36].slot;
	for (size_t i = 37; i < 40; i++)
		qr_swap_put(bed.swap, out[i].slot);
	late.armed = true;
	for (size_t i = 0; i < 36 && late.armed; i += 4) {
		qr_swap_put(bed.swap, out[i].slot);
		out[i].refs = 0;
	}
	assert_false(late.armed);
	for (size_t i = 0; i < 36; i++)
		if (out[i].refs == 0)
			out[i].slot = bed_store(&bed, 1000, out[i].seed);
	for (size_t i = 37; i < 40; i++)
		out[i].slot = bed_store(&bed, 1000, out[i].seed);
	late.written_over = true;
	pthread_join(late.thread, NULL);
	bed_check(&bed);
	for (size_t i = 0; i < 40; i++) {
		bed_expect(&bed, out[i].slot, 1000, out[i].seed);
		qr_swap_put(bed.swap, out[i].slot);
	}
	out_count = 0;
	bed_stop(&bed);
}

/* Objects of one size move while others of them are read: each thread loads
 * its own slots, and drops and stores so many that runs come to be packed. */
static void *
pack_run(void *ctx)
{
	struct test_random random = { (uint64_t)(uintptr_t)ctx };
	uint64_t slot[36], seed[36];
	unsigned char *pages = malloc(2 * PAGE);
	size_t count = 0;
	sim_set_cpu((unsigned)(uintptr_t)ctx);
	for (unsigned step = 0; step < 20000; step++) {
		uint64_t pick = test_random_next(&random);
		if (step % 8 != 0 && count > 0) {
			size_t i = pick % count;
			toy_fill(pages, 1000, seed[i]);
			assert_int_equal(0,
			    qr_swap_load(bed.swap, slot[i], pages + PAGE));
			assert_memory_equal(pages, pages + PAGE, PAGE);
		} else if (step / 128 % 2 == 0 && count < 36) {
			toy_fill(pages, 1000, pick);
			assert_int_equal(0,
			    qr_swap_store(bed.swap, pages, &slot[count]));
			seed[count++] = pick;
		} else if (count > 0) {
			size_t i = pick % count;
			qr_swap_put(bed.swap, slot[i]);
			slot[i] = slot[--count];
			seed[i] = seed[count];
		}
	}
	while (count-- > 0)
		qr_swap_put(bed.swap, slot[count]);
	free(pages);
	return NULL;
}

static void
test_readers_while_packing(void **state)
{
	(void)state;
	const struct bed_config config = { .cpus = 2,
		.flags = SIM_THREADS | SIM_JITTER,
		.swap = { .codec = &toy_codec } };
	pthread_t thread[3];
	bed_start(&bed, &config);
	for (uintptr_t i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, pack_run, (void *)(i + 1));
	for (size_t i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(0, bed_stat(&bed).pool_frames);
	bed_stop(&bed);
}

int
main(void)
{
	static const struct qr_codec *codec[] = { &qr_codec_lz4, &qr_codec_zstd,
		&qr_codec_auto };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_model, &codec[0]),
		cmocka_unit_test_prestate(test_model, &codec[1]),
		cmocka_unit_test_prestate(test_model, &codec[2]),
		cmocka_unit_test(test_same_filled),
		cmocka_unit_test(test_oldest_first),
		cmocka_unit_test(test_straight_to_device),
		cmocka_unit_test(test_clusters),
		cmocka_unit_test(test_slots_come_and_go),
		cmocka_unit_test(test_pin_stops_write_back),
		cmocka_unit_test(test_pin_stops_packing),
		cmocka_unit_test(test_device_shrinks_and_grows),
		cmocka_unit_test(test_device_says_full),
		cmocka_unit_test(test_each_write_fails),
		cmocka_unit_test(test_every_write_fails),
		cmocka_unit_test(test_reads_fail),
		cmocka_unit_test(test_each_allocation_fails),
		cmocka_unit_test(test_create_fails),
		cmocka_unit_test(test_put_in_transit),
		cmocka_unit_test_prestate(test_threads, &codec[0]),
		cmocka_unit_test_prestate(test_threads, &codec[1]),
		cmocka_unit_test(test_reader_meets_a_move),
		cmocka_unit_test(test_readers_while_packing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
