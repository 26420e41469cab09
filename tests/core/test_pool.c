/* SPDX-License-Identifier: MIT */
/*
 * test_pool.c: the compressed pool gives back what it took whatever its
 * length, wastes under 12 % of its frames however it came to be as it is,
 * keeps to its limit, and stores with what it has when frames run out.
 */
#include "swap_bed.h"

#define WASTE_PERCENT_MAX 12.0

/* Longest contents that are stored smaller than a page. */
#define LENGTH_MAX 3068u

/* A page that is out. */
struct out {
	uint64_t slot;
	size_t length;
	uint64_t seed;
};

static const struct qr_codec *codecs[] = { &toy_codec, &toy_codec_at_work };

static struct bed bed;
static struct out out[20000];

/* Lengths as lz4 makes them of heap and text: 200 to 3000, mean 1500. */
static size_t
length_like_lz4(void)
{
	size_t length = 200;
	for (unsigned i = 0; i < 4; i++)
		length += test_random_below(&bed.random, 700);
	/* One page of eight has hardly anything in it. */
	return test_random_below(&bed.random, 8) == 0 ? 30 + length / 8
						      : length;
}

static void
out_store(struct out *page)
{
	page->length = length_like_lz4();
	page->seed = test_random_next(&bed.random);
	page->slot = bed_store(&bed, page->length, page->seed);
}

static void
out_put(struct out *page)
{
	bed_expect(&bed, page->slot, page->length, page->seed);
	qr_swap_put(bed.swap, page->slot);
}

static double
waste_percent(void)
{
	struct qr_swap_stat stat = bed_stat(&bed);
	double held = (double)stat.pool_frames * (double)PAGE;
	return 100.0 * (held - (double)stat.pooled_bytes) / held;
}

static void
test_waste(void **state)
{
	(void)state;
	static const size_t sizes[] = { 1000, 4000, 16000 };
	for (size_t n = 0; n < 3; n++) {
		size_t count = sizes[n];
		const struct bed_config config = { .ram_bytes = (uint64_t)64
								<< 20,
			.swap = { .codec = &toy_codec } };
		bed.random = test_random_start("waste");
		bed_start(&bed, &config);
		for (size_t i = 0; i < count; i++)
			out_store(&out[i]);
		double filled = waste_percent();
		for (size_t i = 0; i < 2 * count; i++) {
			struct out *page =
			    &out[test_random_below(&bed.random, count)];
			out_put(page);
			out_store(page);
		}
		double churned = waste_percent();
		bed_check(&bed);
		/* Half of them come back, at random. */
		size_t left = count;
		while (left > count / 2) {
			size_t i = test_random_below(&bed.random, left);
			out_put(&out[i]);
			out[i] = out[--left];
		}
		double halved = waste_percent();
		printf("%zu pages: %.1f %% waste filled, %.1f %% churned, "
		       "%.1f %% halved\n",
		    count, filled, churned, halved);
		if (count >= 4000) {
			assert_true(filled < WASTE_PERCENT_MAX);
			assert_true(churned < WASTE_PERCENT_MAX);
		}
		if (count >= 16000)
			assert_true(halved < WASTE_PERCENT_MAX);
		while (left > 0)
			out_put(&out[--left]);
		assert_int_equal(0, bed_stat(&bed).pool_frames);
		bed_stop(&bed);
	}
}

/* Every length that a codec can come to, at every place in its run. */
static void
test_lengths(void **state)
{
	const struct qr_codec **codec = *state;
	const struct bed_config config = { .ram_bytes = (uint64_t)32 << 20,
		.swap = { .codec = *codec } };
	bed_start(&bed, &config);
	size_t count = 0;
	for (size_t length = 16; length <= LENGTH_MAX; length++)
		out[count++] = (struct out){ bed_store(&bed, length, length),
			length, length };
	assert_int_equal(count, bed_stat(&bed).pooled);
	bed_check(&bed);
	uint64_t bytes = 0;
	for (size_t i = 0; i < count; i++) {
		bed_expect(&bed, out[i].slot, out[i].length, out[i].seed);
		bytes += out[i].length;
	}
	assert_int_equal(bytes, bed_stat(&bed).pooled_bytes);
	for (size_t i = 0; i < count; i++)
		out_put(&out[i]);
	bed_stop(&bed);
}

/* A page too long for the pool is refused without a device, and kept raw
 * where that was asked for. */
static void
test_incompressible(void **state)
{
	(void)state;
	uint64_t slot;
	struct bed_config config = { .swap = { .codec = &toy_codec } };
	bed_start(&bed, &config);
	toy_fill(bed.page, LENGTH_MAX + 1, 1);
	assert_int_equal(-QR_ENOSPC, qr_swap_store(bed.swap, bed.page, &slot));
	assert_int_equal(1, bed_stat(&bed).refused);
	bed_stop(&bed);

	config.swap.keep_raw = true;
	bed_start(&bed, &config);
	slot = bed_store(&bed, LENGTH_MAX + 1, 1);
	assert_int_equal(1, bed_stat(&bed).pool_frames);
	assert_int_equal(PAGE, bed_stat(&bed).pooled_bytes);
	bed_expect(&bed, slot, LENGTH_MAX + 1, 1);
	qr_swap_put(bed.swap, slot);
	bed_stop(&bed);

	/* Without a codec every page is such a one. */
	config.swap.codec = NULL;
	bed_start(&bed, &config);
	slot = bed_store(&bed, 100, 1);
	bed_expect(&bed, slot, 100, 1);
	qr_swap_put(bed.swap, slot);
	bed_stop(&bed);
}

static void
test_limit(void **state)
{
	(void)state;
	const struct bed_config config = { .swap = { .codec = &toy_codec,
					       .pool_pages_max = 10,
					       .pool_pages_writeback = 8 } };
	size_t count = 0;
	bed_start(&bed, &config);
	for (;; count++) {
		toy_fill(bed.page, 1300, count);
		if (qr_swap_store(bed.swap, bed.page, &out[count].slot) != 0)
			break;
		assert_true(bed_stat(&bed).pool_frames <= 10);
		assert_int_equal(bed_stat(&bed).pool_frames > 8,
		    qr_swap_pool_is_full(bed.swap));
	}
	/* Three to a frame. */
	assert_int_equal(30, count);
	assert_true(qr_swap_pool_is_full(bed.swap));
	while (count-- > 0)
		qr_swap_put(bed.swap, out[count].slot);
	bed_stop(&bed);
}

/* Where no frame is to be had, a longer object's free place will do. */
static void
test_borrow(void **state)
{
	(void)state;
	const struct bed_config config = { .swap = { .codec = &toy_codec } };
	bed_start(&bed, &config);
	uint64_t first = bed_store(&bed, 2000, 1);
	bed_famine = true;
	uint64_t second = bed_store(&bed, 100, 2);
	uint64_t third;
	toy_fill(bed.page, 100, 3);
	assert_int_equal(-QR_ENOMEM, qr_swap_store(bed.swap, bed.page, &third));
	bed_famine = false;
	bed_check(&bed);
	bed_expect(&bed, first, 2000, 1);
	bed_expect(&bed, second, 100, 2);
	qr_swap_put(bed.swap, first);
	qr_swap_put(bed.swap, second);
	bed_stop(&bed);
}

/* Packing moves objects, and their slots follow. */
static void
test_pack(void **state)
{
	(void)state;
	enum { COUNT = 440, KEPT = COUNT / 11 };
	const struct bed_config config = { .swap = { .codec = &toy_codec } };
	bed_start(&bed, &config);
	/* 11 to a run of 4 frames. */
	for (size_t i = 0; i < COUNT; i++)
		out[i] = (struct out){ bed_store(&bed, 1480, i), 1480, i };
	assert_int_equal(4 * COUNT / 11, bed_stat(&bed).pool_frames);
	/* One of each run stays: without packing no frame would be freed. */
	for (size_t i = 0; i < COUNT; i++)
		if (i % 11 != 0)
			out_put(&out[i]);
	bed_check(&bed);
	/* A run and a half may be free, one be on its way. */
	assert_true(bed_stat(&bed).pool_frames <= 4 * (KEPT / 11 + 3));
	for (size_t i = 0; i < COUNT; i += 11)
		out_put(&out[i]);
	assert_int_equal(0, bed_stat(&bed).pool_frames);
	bed_stop(&bed);
}

static void
free_twice(void *ctx)
{
	qr_swap_put(bed.swap, *(uint64_t *)ctx);
	qr_swap_put(bed.swap, *(uint64_t *)ctx);
}

static void
load_wild(void *ctx)
{
	(void)ctx;
	assert_int_equal(0, qr_swap_load(bed.swap, 1000000, bed.back));
}

static void
damage(void *ctx)
{
	assert_int_equal(0, qr_swap_load(bed.swap, *(uint64_t *)ctx, bed.back));
}

static void
test_misuse_is_named(void **state)
{
	(void)state;
	const struct bed_config config = { .swap = { .codec = &toy_codec } };
	bed_start(&bed, &config);
	uint64_t slot = bed_store(&bed, 100, 1);
	const char *message = sim_expect_panic(free_twice, &slot);
	assert_non_null(strstr(message, "is free"));
	rig_stop(&bed.rig);

	bed_start(&bed, &config);
	message = sim_expect_panic(load_wild, NULL);
	assert_non_null(strstr(message, "wild slot 1000000"));
	rig_stop(&bed.rig);

	if (!QR_CONFIG_HARD)
		return;
	bed_start(&bed, &config);
	slot = bed_store(&bed, 100, 1);
	/* Its frame is the only one of the pool: overwrite it. */
	for (qr_pfn_t pfn = 0; pfn < 4096; pfn++)
		if (qr_frame_page(bed.rig.frames, pfn)->kind == QR_PAGE_POOL)
			memset((char *)sim_frame(bed.rig.sim, pfn) + 40, 7, 8);
	message = sim_expect_panic(damage, &slot);
	assert_non_null(strstr(message, "swap.7"));
	rig_stop(&bed.rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waste),
		cmocka_unit_test_prestate(test_lengths, &codecs[0]),
		cmocka_unit_test_prestate(test_lengths, &codecs[1]),
		cmocka_unit_test(test_incompressible),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_borrow),
		cmocka_unit_test(test_pack),
		cmocka_unit_test(test_misuse_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
