/* SPDX-License-Identifier: MIT */
/*
 * test_swap.c: what is loaded is what was stored: against a map of page
 * contents, with each codec, through write-back and with frames that run out.
 * Counts are exact, and what is taken comes back.
 */
#include "codec/codec.h"
#include "swap_bed.h"

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
		int error = bed_store_page(&bed, seed, &slot);
		if (error == 0)
			out_add(slot, seed);
		else
			assert_int_equal(-QR_ENOSPC, error);
	} else if (out_count == 0) {
		return;
	} else if (turn < 60) {
		bed_expect_page(&bed, out[i].slot, out[i].seed);
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
		bed_expect_page(&bed, out[i].slot, out[i].seed);
	out_drop_all();
	bed_stop(&bed);
}

/* --- slots --- */

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

/* --- which way of a codec's --- */

static size_t ways[3]; /* times that quick, even, dense were asked */

static size_t
way_quick(void *work, const void *data, void *to, size_t capacity)
{
	ways[0]++;
	return toy_compress(work, data, to, capacity);
}

static size_t
way_even(void *work, const void *data, void *to, size_t capacity)
{
	ways[1]++;
	return toy_compress(work, data, to, capacity);
}

static size_t
way_dense(void *work, const void *data, void *to, size_t capacity)
{
	ways[2]++;
	return toy_compress(work, data, to, capacity);
}

/* Stores until the pool has that many frames. */
static void
ways_fill(size_t frames)
{
	memset(ways, 0, sizeof(ways));
	for (uint64_t i = 0; bed_stat(&bed).pool_frames < frames; i++) {
		uint64_t slot;
		toy_fill(bed.page, 2000, i);
		assert_int_equal(0, qr_swap_store(bed.swap, bed.page, &slot));
		out_add(slot, i);
	}
}

/* Quick where the pool takes nothing away, dense where it is nearly full. */
static void
test_way_by_room(void **state)
{
	(void)state;
	struct qr_codec codec = toy_codec;
	codec.compress = way_even;
	codec.compress_quick = way_quick;
	codec.compress_dense = way_dense;
	struct bed_config config = { .swap = { .codec = &codec,
					 .pool_pages_writeback = 800 } };
	bed_start(&bed, &config);
	ways_fill(690);
	assert_true(ways[0] == 0 && ways[1] > 0 && ways[2] == 0);
	ways_fill(704);
	ways_fill(780);
	assert_true(ways[0] == 0 && ways[1] == 0 && ways[2] > 0);
	out_drop_all();
	bed_stop(&bed);

	config.swap.keep_raw = true;
	bed_start(&bed, &config);
	ways_fill(780);
	assert_true(ways[0] > 0 && ways[1] == 0 && ways[2] == 0);
	out_drop_all();
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
		cmocka_unit_test(test_way_by_room),
		cmocka_unit_test(test_slots_come_and_go),
		cmocka_unit_test(test_each_allocation_fails),
		cmocka_unit_test(test_create_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
