/* SPDX-License-Identifier: MIT */
/*
 * test_frame_zones.c: from any RAM map come the right zones; an allocation
 * gets frames that its devices reach, the widest class first, and leaves
 * narrow ones their reserve; maps that can't be served are refused.
 */
#include "frame_rig.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

static struct rig *
create(const struct qr_ram_region *regions, size_t count, uint32_t flags)
{
	const struct sim_config config = {
		.regions = regions,
		.region_count = count,
	};
	struct rig *rig = rig_prepare(&config);
	rig->port.flags |= flags;
	rig_start(rig, 0);
	return rig;
}

static const struct qr_ram_region three_classes[] = {
	{ 4 * GIB, 64 * MIB, QR_RAM_USABLE, 0 },
	{ 640 * 1024, 384 * 1024, QR_RAM_RESERVED, 0 },
	{ 0, 20 * MIB, QR_RAM_USABLE, 0 },
};

static void
test_classes(void **state)
{
	(void)state;
	struct rig *rig = create(three_classes, 3, QR_PORT_DMA_ZONES);
	const struct qr_zone *zone = rig->frames->zone;
	assert_int_equal(rig->frames->zone_count, 3);
	assert_int_equal(zone[0].class, QR_ZONE_NORMAL);
	assert_int_equal(zone[0].pages, 64 * MIB / QR_PAGE_SIZE);
	assert_int_equal(zone[1].class, QR_ZONE_DMA32);
	assert_int_equal(zone[1].pages, 4 * MIB / QR_PAGE_SIZE);
	assert_int_equal(zone[2].class, QR_ZONE_DMA);
	assert_int_equal(zone[2].pages, 16 * MIB / QR_PAGE_SIZE - 96);
	/* The tables came from the widest class. */
	assert_true(zone[0].free_pages < zone[0].pages);
	assert_int_equal(zone[2].free_pages, zone[2].pages);

	static const struct {
		qr_gfp_t gfp;
		qr_paddr_t below;
	} cases[] = {
		{ QR_GFP_DMA, 16 * MIB },
		{ QR_GFP_DMA | QR_GFP_DMA32, 16 * MIB },
		{ QR_GFP_DMA32, 4 * GIB },
		{ 0, 8 * GIB },
	};
	for (size_t i = 0; i < 4; i++) {
		for (unsigned order = 0; order < 3; order++) {
			struct qr_page *page = qr_frame_alloc(rig->frames,
			    cases[i].gfp, order, QR_PAGE_KERNEL);
			assert_non_null(page);
			qr_paddr_t at = qr_frame_pfn(rig->frames, page)
					<< QR_PAGE_SHIFT;
			assert_true(
			    at < cases[i].below && at >= cases[i].below / 300);
			qr_frame_free(rig->frames, page);
		}
	}
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

/* Where there is no wide class, tables come from a narrower one. */
static void
test_low_memory_only(void **state)
{
	static const struct qr_ram_region regions[] = {
		{ 0, 20 * MIB, QR_RAM_USABLE, 0 },
	};
	(void)state;
	struct rig *rig = create(regions, 1, QR_PORT_DMA_ZONES);
	const struct qr_zone *zone = rig->frames->zone;
	assert_int_equal(rig->frames->zone_count, 2);
	assert_int_equal(zone[0].class, QR_ZONE_DMA32);
	assert_true(zone[0].free_pages < zone[0].pages);
	assert_int_equal(zone[1].free_pages, zone[1].pages);
	rig_destroy(rig);
}

/* What could have gone elsewhere leaves narrow zones their reserve; and the
 * watermarks do not count that as free. */
static void
test_narrow_zones_keep_a_reserve(void **state)
{
	(void)state;
	struct rig *rig = create(three_classes, 3, QR_PORT_DMA_ZONES);
	const struct qr_zone *zone = rig->frames->zone;
	uint64_t normal = 64 * MIB / QR_PAGE_SIZE;
	assert_int_equal(zone[2].reserve[QR_ZONE_NORMAL],
	    (normal + 1024) / 256);
	assert_int_equal(zone[2].reserve[QR_ZONE_DMA32], 1024 / 256);
	assert_int_equal(zone[2].reserve[QR_ZONE_DMA], 0);
	assert_int_equal(zone[1].reserve[QR_ZONE_NORMAL], normal / 256);

	(void)rig_exhaust(rig, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(zone[i].free_pages,
		    zone[i].min_pages + zone[i].reserve[QR_ZONE_NORMAL]);
	assert_true(qr_frame_below_low(rig->frames));
	assert_false(qr_frame_below_min(rig->frames));

	assert_int_equal(rig_exhaust(rig, QR_GFP_DMA32),
	    zone[1].reserve[QR_ZONE_NORMAL] + zone[2].reserve[QR_ZONE_NORMAL] -
		zone[2].reserve[QR_ZONE_DMA32]);
	assert_int_equal(rig_exhaust(rig, QR_GFP_DMA), 4);
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

/* Without such devices all is one zone, and the flags mean nothing. */
static void
test_one_zone(void **state)
{
	(void)state;
	struct rig *rig = create(three_classes, 3, 0);
	assert_int_equal(rig->frames->zone_count, 1);
	struct qr_page *page =
	    qr_frame_alloc(rig->frames, QR_GFP_DMA, 0, QR_PAGE_KERNEL);
	assert_non_null(page);
	/* All 84 MiB, but for the tables (the hole costs none) and the
	 * reserve. */
	assert_in_range(rig_exhaust(rig, 0), 80 * MIB / QR_PAGE_SIZE,
	    82 * MIB / QR_PAGE_SIZE);
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

/* Nodes whose memory is interleaved and does not begin at a large block. */
static void
test_nodes(void **state)
{
	static const struct qr_ram_region regions[] = {
		{ 3 * QR_PAGE_SIZE, 8 * MIB, QR_RAM_USABLE, 1 },
		{ 9 * MIB, MIB, QR_RAM_USABLE, 0 },
		{ 10 * MIB, MIB + 4096, QR_RAM_USABLE, 1 },
		{ 40 * MIB, 2 * MIB, QR_RAM_USABLE, 3 },
	};
	(void)state;
	struct rig *rig = create(regions, 4, 0);
	struct qr_frames *frames = rig->frames;
	assert_int_equal(frames->zone_count, 3);
	assert_int_equal(frames->total_pages, 12 * MIB / QR_PAGE_SIZE + 1);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t first;
		assert_true(
		    qr_zone_take(frames, &frames->zone[i], 0, 3, &first));
		assert_int_equal(frames_pfn_at(frames, first) % 8, 0);
		qr_zone_put(frames, &frames->zone[i], first, 3);
	}
	(void)rig_exhaust(rig, QR_GFP_RESERVE);
	uint64_t pages[QR_NODES_MAX] = { 0 };
	for (size_t i = 0; i < rig->hoard_count; i++) {
		qr_pfn_t pfn = qr_frame_pfn(frames, rig->hoard[i]);
		const struct qr_zone *zone = &frames->zone[rig->hoard[i]->zone];
		qr_paddr_t at = pfn << QR_PAGE_SHIFT;
		uint32_t node = at >= 40 * MIB                   ? 3
				: at >= 9 * MIB && at < 10 * MIB ? 0
								 : 1;
		assert_int_equal(zone->node, node);
		pages[node]++;
	}
	assert_int_equal(pages[0], 256);
	assert_int_equal(pages[3], 512);
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	for (size_t i = 0; i < rig->hoard_count; i++)
		qr_frame_free(frames, rig->hoard[i]);
	qr_frame_drain(frames);
	qr_check_frames(frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

/* --- refusals --- */

static void
assert_refused(struct rig *rig, int error)
{
	struct qr_frames *frames = NULL;
	uint64_t free_bytes = qr_boot_free_bytes(&rig->boot);
	assert_int_equal(qr_frame_create(&rig->port, &rig->boot, NULL, &frames),
	    error);
	assert_null(frames);
	assert_int_equal(qr_boot_free_bytes(&rig->boot), free_bytes);
}

static void
test_refusals(void **state)
{
	static const struct sim_config config = { .ram_bytes = MIB };
	(void)state;
	struct rig *rig = rig_prepare(&config);
	struct qr_boot_range *range = rig->boot.usable.range;
	qr_paddr_t end = range->end;

	unsigned char *direct_map = rig->boot.direct_map;
	rig->boot.direct_map = NULL;
	assert_refused(rig, -QR_EINVAL);
	rig->boot.direct_map = direct_map;

	range->node = QR_NODES_MAX;
	assert_refused(rig, -QR_EINVAL);
	range->node = 0;

	range->end = ((uint64_t)QR_PFN_NIL + 2) << QR_PAGE_SHIFT;
	assert_refused(rig, -QR_E2BIG);
	range->end = end;

	/* Memory enough, but not in one piece. */
	for (qr_paddr_t at = 0; at < MIB; at += 4 * QR_PAGE_SIZE)
		assert_int_equal(qr_boot_reserve(&rig->boot, at, 1), 0);
	assert_refused(rig, -QR_ENOMEM);
	for (qr_paddr_t at = 0; at < MIB; at += 4 * QR_PAGE_SIZE)
		assert_int_equal(qr_boot_reserve(&rig->boot, at + 8192, 1), 0);
	assert_refused(rig, -QR_ENOMEM);
	rig_destroy(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_low_memory_only),
		cmocka_unit_test(test_narrow_zones_keep_a_reserve),
		cmocka_unit_test(test_one_zone),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
