/* SPDX-License-Identifier: MIT */
/*
 * test_frame_sparse.c: RAM in islands, anywhere in 16 TiB of addresses, is
 * described and given out to the last frame, and the gaps between cost no
 * descriptors. The model is a list of islands.
 */
#include "frame_rig.h"
#include "random.h"

#define MIB     ((uint64_t)1 << 20)
#define GIB     ((uint64_t)1 << 30)
#define TIB     ((uint64_t)1 << 40)
#define ISLANDS 12u
#define MAPS    12u

/* Usable regions that don't touch, in rising order. */
struct islands {
	struct qr_ram_region region[ISLANDS];
	size_t count;
};

static uint64_t
islands_pages(const struct islands *islands)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < islands->count; i++)
		bytes += islands->region[i].size_bytes;
	return bytes / QR_PAGE_SIZE;
}

static bool
islands_have(const struct islands *islands, qr_pfn_t pfn)
{
	for (size_t i = 0; i < islands->count; i++)
		if ((pfn << QR_PAGE_SHIFT) - islands->region[i].start <
		    islands->region[i].size_bytes)
			return true;
	return false;
}

/* Whether the section of the frame has memory. */
static bool
islands_touch(const struct islands *islands, qr_pfn_t pfn)
{
	qr_paddr_t start = (pfn & ~SECTION_MASK) << QR_PAGE_SHIFT;
	qr_paddr_t end = start + (SECTION_PAGES << QR_PAGE_SHIFT);
	for (size_t i = 0; i < islands->count; i++)
		if (islands->region[i].start < end &&
		    islands->region[i].start + islands->region[i].size_bytes >
			start)
			return true;
	return false;
}

/* A rig on the islands, their order stirred; NULL: the host has not so many
 * addresses. */
static struct rig *
islands_rig(const struct islands *islands, struct test_random *random)
{
	static struct qr_ram_region regions[ISLANDS];
	size_t count = islands->count;
	memcpy(regions, islands->region, sizeof(regions));
	for (size_t i = count; i > 1; i--) {
		size_t j = (size_t)test_random_below(random, i);
		struct qr_ram_region other = regions[j];
		regions[j] = regions[i - 1];
		regions[i - 1] = other;
	}
	const struct sim_config config = {
		.regions = regions,
		.region_count = count,
		.cpus = 2,
	};
	struct sim *sim = sim_create(&config);
	if (sim == NULL)
		return NULL;
	sim_destroy(sim);
	struct rig *rig = rig_prepare(&config);
	rig_start(rig, 0);
	return rig;
}

static struct islands
islands_random(struct test_random *random)
{
	static const uint64_t spans[] = { GIB, 64 * GIB, TIB };
	struct islands islands = { 0 };
	qr_paddr_t at = 0;
	size_t count = 2 + (size_t)test_random_below(random, ISLANDS - 1);
	uint64_t span = spans[test_random_below(random, 3)];
	for (size_t i = 0; i < count; i++) {
		struct qr_ram_region *region = &islands.region[i];
		at += QR_PAGE_SIZE *
		      (1 + test_random_below(random, span / QR_PAGE_SIZE));
		region->start = at;
		region->size_bytes =
		    QR_PAGE_SIZE *
		    (1 + test_random_below(random, i == 0 ? 8192 : 2048));
		if (i == 0)
			region->size_bytes += 24 * MIB; /* for the tables */
		region->node = (uint32_t)test_random_below(random, 2);
		at += region->size_bytes;
	}
	islands.count = count;
	return islands;
}

/* --- the map against the model --- */

struct wild {
	struct rig *rig;
	qr_pfn_t pfn;
	struct qr_page *page;
};

static void
look_up(void *ctx)
{
	struct wild *wild = ctx;
	wild->page = qr_frame_page(wild->rig->frames, wild->pfn);
}

/* Every frame of an island has a descriptor of its own; what is in no section
 * with memory has none. */
static void
compare_lookup(struct rig *rig, const struct islands *islands,
    struct test_random *random)
{
	struct qr_frames *frames = rig->frames;
	for (size_t i = 0; i < islands->count; i++) {
		const struct qr_ram_region *region = &islands->region[i];
		qr_pfn_t first = region->start >> QR_PAGE_SHIFT;
		for (uint64_t j = 0; j < region->size_bytes / QR_PAGE_SIZE;
		     j += 1 + j % 7) {
			struct qr_page *page = qr_frame_page(frames, first + j);
			assert_int_equal(qr_frame_pfn(frames, page), first + j);
		}
	}
	for (unsigned i = 0; i < 50; i++) {
		struct wild wild = { rig, 0, NULL };
		wild.pfn = test_random_below(random, 16 * TIB >> QR_PAGE_SHIFT);
		const char *message = sim_expect_panic(look_up, &wild);
		if (islands_touch(islands, wild.pfn) && message == NULL) {
			assert_int_equal(qr_frame_pfn(frames, wild.page),
			    wild.pfn);
			continue;
		}
		assert_non_null(message);
		assert_false(islands_have(islands, wild.pfn));
	}
}

/* Takes all there is: each frame is an island's and comes once; what is left
 * out is what boot took. */
static void
compare_frames(struct rig *rig, const struct islands *islands)
{
	struct qr_frames *frames = rig->frames;
	(void)rig_exhaust(rig, QR_GFP_RESERVE);
	bool *seen = calloc(frames->page_count, sizeof(*seen));
	assert_non_null(seen);
	for (size_t i = 0; i < rig->hoard_count; i++) {
		qr_pfn_t pfn = qr_frame_pfn(frames, rig->hoard[i]);
		assert_true(islands_have(islands, pfn));
		assert_false(seen[page_index(frames, rig->hoard[i])]);
		seen[page_index(frames, rig->hoard[i])] = true;
	}
	assert_int_equal(rig->hoard_count + frames->boot_pages,
	    islands_pages(islands));
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	free(seen);
	while (rig->hoard_count != 0)
		qr_frame_free(frames, rig->hoard[--rig->hoard_count]);
	qr_frame_drain(frames);
	qr_check_frames(frames, QR_CHECK_CHILDREN);
}

/* Blocks of every order lie in one island. */
static void
compare_blocks(struct rig *rig, const struct islands *islands)
{
	struct qr_page *blocks[QR_FRAME_ORDERS];
	for (unsigned order = 0; order < QR_FRAME_ORDERS; order++) {
		blocks[order] = qr_frame_alloc(rig->frames, QR_GFP_RESERVE,
		    order, QR_PAGE_KERNEL);
		if (blocks[order] == NULL)
			continue;
		qr_pfn_t pfn = qr_frame_pfn(rig->frames, blocks[order]);
		assert_int_equal(pfn & (((uint64_t)1 << order) - 1), 0);
		for (uint64_t i = 0; i < (uint64_t)1 << order; i++) {
			assert_true(islands_have(islands, pfn + i));
			assert_ptr_equal(qr_frame_page(rig->frames, pfn + i),
			    blocks[order] + i);
		}
	}
	for (unsigned order = 0; order < QR_FRAME_ORDERS; order++)
		if (blocks[order] != NULL)
			qr_frame_free(rig->frames, blocks[order]);
}

static void
test_against_model(void **state)
{
	struct test_random random = test_random_start("frame_sparse");
	(void)state;
	for (unsigned map = 0; map < MAPS; map++) {
		struct islands islands = islands_random(&random);
		struct rig *rig = islands_rig(&islands, &random);
		if (rig == NULL)
			skip();
		uint64_t sections = 0;
		for (uint32_t i = 0; i < rig->frames->section_count; i++)
			sections += islands_touch(&islands,
			    rig->frames->pfn_start + (i * SECTION_PAGES));
		if (rig->frames->slot != NULL)
			assert_int_equal(rig->frames->slot_count, sections);
		compare_lookup(rig, &islands, &random);
		compare_blocks(rig, &islands);
		compare_frames(rig, &islands);
		rig_destroy(rig);
	}
}

/* 64 MiB here, 1 MiB at the end of 16 TiB: the tables fit easily, and the
 * frame whose number ends lists is nobody's. */
static void
test_16_tib_with_a_hole(void **state)
{
	static const struct islands islands = {
		.region = {
			{ MIB, 64 * MIB, QR_RAM_USABLE, 0 },
			{ 16 * TIB - MIB, MIB, QR_RAM_USABLE, 0 },
		},
		.count = 2,
	};
	struct test_random random = { 1 };
	(void)state;
	struct rig *rig = islands_rig(&islands, &random);
	if (rig == NULL)
		skip();
	struct qr_frames *frames = rig->frames;
	struct qr_frame_stat stat;
	qr_frame_stat(frames, &stat);
	assert_int_equal(stat.total, 65 * 256);
	assert_int_equal(frames->section_count, 16 * TIB / (32 * MIB));
	assert_int_equal(frames->slot_count, 4);
	/* 2 MiB of section tables, 1 MiB of descriptors and some buddies. */
	assert_in_range(stat.boot, 700, 850);
	(void)rig_exhaust(rig, QR_GFP_RESERVE);
	unsigned high = 0;
	for (size_t i = 0; i < rig->hoard_count; i++) {
		qr_pfn_t pfn = qr_frame_pfn(frames, rig->hoard[i]);
		assert_int_not_equal(pfn, QR_PFN_NIL);
		high += pfn > TIB / QR_PAGE_SIZE;
	}
	assert_int_equal(high, 255);
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

/* --- the checker --- */

static void
do_check(void *ctx)
{
	struct rig *rig = ctx;
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
}

static void
assert_names_7(struct rig *rig)
{
	const char *message = sim_expect_panic(do_check, rig);
	assert_non_null(message);
	assert_non_null(strstr(message, "[frame.7]"));
}

static void
test_checker_names_the_invariant(void **state)
{
	static const struct islands islands = {
		.region = {
			{ 0, 64 * MIB, QR_RAM_USABLE, 0 },
			{ GIB, 32 * MIB, QR_RAM_USABLE, 0 },
		},
		.count = 2,
	};
	struct test_random random = { 1 };
	(void)state;
	struct rig *rig = islands_rig(&islands, &random);
	if (rig == NULL)
		skip();
	struct qr_frames *frames = rig->frames;
	_Atomic(uint32_t) slots[64];
	assert_int_equal(frames->slot_count, 3);
	assert_true(frames->section_count < 64);
	for (uint32_t i = 0; i < frames->section_count; i++)
		atomic_init(&slots[i], frames->slot[i]);
	_Atomic(uint32_t) *real = frames->slot;
	frames->slot = slots;
	do_check(rig);
	slots[0] = 1;
	assert_names_7(rig);
	slots[0] = 3;
	assert_names_7(rig);
	slots[0] = SLOT_NONE;
	assert_names_7(rig);
	frames->slot = real;
	frames->page_count = SECTION_PAGES;
	assert_names_7(rig);
	rig_destroy(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_16_tib_with_a_hole),
		cmocka_unit_test(test_checker_names_the_invariant),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
