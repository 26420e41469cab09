/* SPDX-License-Identifier: MIT */
/*
 * test_kmalloc.c: objects of any size keep their bytes, and are aligned and as
 * large as is said; caches that may be one are; what is reclaimable is counted
 * and kept apart; the figures of slabinfo add up; what isn't needed is reaped.
 * Each allocation fails once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "core/base/size_class.h"
#include "core/frame/frame_impl.h"
#include "core/slab/slab_impl.h"
#include "random.h"
#include "rig.h"

#define RAM   ((uint64_t)64 << 20)
#define SLOTS 600u
#define STEPS 30000u

struct bed {
	struct rig rig;
	struct qr_slabs *slabs;
	struct qr_kmalloc *kmalloc;
	uint64_t free_at_first;
};

static void
bed_start(struct bed *bed)
{
	rig_start(&bed->rig, RAM, 2, 0);
	qr_frame_drain(bed->rig.frames);
	bed->free_at_first = rig_free_pages(&bed->rig);
	bed->slabs = qr_slab_start(bed->rig.frames);
	assert_non_null(bed->slabs);
	bed->kmalloc = qr_kmalloc_create(bed->slabs);
	assert_non_null(bed->kmalloc);
}

/* Nothing is left. */
static void
bed_stop(struct bed *bed)
{
	qr_check_slabs(bed->slabs, QR_CHECK_CHILDREN);
	qr_kmalloc_destroy(bed->kmalloc);
	qr_slab_stop(bed->slabs);
	qr_frame_drain(bed->rig.frames);
	qr_check_frames(bed->rig.frames, QR_CHECK_CHILDREN);
	assert_int_equal(rig_free_pages(&bed->rig), bed->free_at_first);
	rig_stop(&bed->rig);
}

/* --- against a model --- */

struct slot {
	unsigned char *object;
	size_t size;
	unsigned char mark;
};

static size_t
random_size(struct test_random *random)
{
	static const size_t limits[] = { 64, 1024, 20000, 200000 };
	return (size_t)test_random_below(random,
	    limits[test_random_below(random, 4)]);
}

static void
slot_check(const struct slot *slot, size_t size)
{
	for (size_t i = 0; i < size; i++)
		assert_int_equal(slot->object[i], slot->mark);
}

static void
slot_fill(struct bed *bed, struct slot *slot, size_t size)
{
	size_t usable = qr_ksize(bed->kmalloc, slot->object);
	assert_true(usable >= size);
	assert_int_equal((uintptr_t)slot->object % 8, 0);
	if (size > 8)
		assert_int_equal((uintptr_t)slot->object % 16, 0);
	slot->size = usable;
	memset(slot->object, slot->mark, usable);
}

static void
slot_step(struct bed *bed, struct slot *slot, struct test_random *random)
{
	qr_gfp_t gfp = test_random_below(random, 3) == 0 ? QR_GFP_RECLAIMABLE
							 : QR_GFP_ZERO;
	size_t size = random_size(random);
	if (slot->object == NULL) {
		slot->object = qr_kmalloc(bed->kmalloc, size, gfp);
		assert_non_null(slot->object);
		slot->mark = 0;
		if ((gfp & QR_GFP_ZERO) != 0)
			slot_check(slot, size);
		if (qr_is_pow2(size) && size >= 16 && size <= QR_PAGE_SIZE)
			assert_int_equal((uintptr_t)slot->object % size, 0);
		slot->mark = (unsigned char)test_random_next(random);
		slot_fill(bed, slot, size);
		return;
	}
	slot_check(slot, slot->size);
	if (test_random_below(random, 4) == 0) {
		size_t kept = slot->size < size ? slot->size : size;
		slot->object =
		    qr_krealloc(bed->kmalloc, slot->object, size, gfp);
		assert_non_null(slot->object);
		slot_check(slot, kept);
		slot_fill(bed, slot, size);
		return;
	}
	qr_kfree(bed->kmalloc, slot->object);
	slot->object = NULL;
}

static void
test_against_model(void **state)
{
	struct test_random random = test_random_start("kmalloc");
	static struct slot slots[SLOTS];
	struct bed bed;
	(void)state;
	bed_start(&bed);
	for (unsigned step = 0; step < STEPS; step++) {
		sim_set_cpu((unsigned)test_random_below(&random, 2));
		slot_step(&bed, &slots[test_random_below(&random, SLOTS)],
		    &random);
		if (step % 3000 == 0)
			qr_check_slabs(bed.slabs, QR_CHECK_CHILDREN);
	}
	for (size_t i = 0; i < SLOTS; i++) {
		if (slots[i].object != NULL)
			slot_check(&slots[i], slots[i].size);
		qr_kfree(bed.kmalloc, slots[i].object);
	}
	bed_stop(&bed);
}

/* All classes, and the border to whole frames. */
static void
test_sizes(void **state)
{
	struct bed bed;
	(void)state;
	bed_start(&bed);
	for (size_t size = 0; size < 40000; size += size < 2000 ? 1 : 61) {
		void *object = qr_kmalloc(bed.kmalloc, size, 0);
		assert_non_null(object);
		size_t usable = qr_ksize(bed.kmalloc, object);
		if (size <= QR_KMALLOC_SLAB_MAX)
			assert_int_equal(usable,
			    qr_size_of_class(qr_size_class_of(size)));
		else
			assert_int_equal(usable,
			    QR_PAGE_SIZE << qr_order_of(
				(size + QR_PAGE_SIZE - 1) / QR_PAGE_SIZE));
		qr_kfree(bed.kmalloc, object);
	}
	void *largest = qr_kmalloc(bed.kmalloc, (size_t)4 << 20, 0);
	assert_non_null(largest);
	assert_null(qr_kmalloc(bed.kmalloc, ((size_t)4 << 20) + 1, 0));
	assert_null(qr_kmalloc(bed.kmalloc, SIZE_MAX, 0));
	qr_kfree(bed.kmalloc, largest);
	bed_stop(&bed);
}

/* --- failure --- */

static void
test_each_allocation_fails_once(void **state)
{
	struct bed bed;
	(void)state;
	rig_start(&bed.rig, RAM, 2, 0);
	bed.slabs = qr_slab_start(bed.rig.frames);
	alloc_fail_in = 1;
	assert_null(qr_kmalloc_create(bed.slabs));
	bed.kmalloc = qr_kmalloc_create(bed.slabs);
	assert_non_null(bed.kmalloc);
	static const size_t sizes[] = { 24, 600, 9000, 60000 };
	for (size_t i = 0; i < 4; i++) {
		unsigned failures = 0;
		for (long n = 1;; n++) {
			alloc_failed = false;
			alloc_fail_in = n;
			void *object = qr_kmalloc(bed.kmalloc, sizes[i], 0);
			alloc_fail_in = 0;
			failures += object == NULL;
			qr_check_slabs(bed.slabs, QR_CHECK_CHILDREN);
			if (object == NULL)
				continue;
			unsigned char *kept = object;
			memset(kept, 7, sizes[i]);
			alloc_fail_in = 1;
			assert_null(
			    qr_krealloc(bed.kmalloc, object, sizes[i] * 3, 0));
			alloc_fail_in = 0;
			assert_int_equal(kept[sizes[i] - 1], 7);
			qr_kfree(bed.kmalloc, object);
			break;
		}
		assert_true(failures >= 1);
	}
	qr_kmalloc_destroy(bed.kmalloc);
	qr_slab_stop(bed.slabs);
	qr_check_frames(bed.rig.frames, QR_CHECK_CHILDREN);
	rig_stop(&bed.rig);
}

/* --- merging --- */

static void
construct_nothing(void *object)
{
	(void)object;
}

static void
test_alike_caches_are_one(void **state)
{
	static const struct {
		struct qr_slab_config config;
		bool is_first; /* the same as the first */
	} cases[] = {
		{ { .name = "first", .size_bytes = 60, .may_merge = true },
		    true },
		{ { .name = "stride", .size_bytes = 64, .may_merge = true },
		    true },
		{ { .name = "larger", .size_bytes = 65, .may_merge = true },
		    false },
		{ { .name = "alone", .size_bytes = 64 }, false },
		{ { .name = "align",
		      .size_bytes = 64,
		      .align = 64,
		      .may_merge = true },
		    false },
		{ { .name = "asked back",
		      .size_bytes = 64,
		      .reclaimable = true,
		      .may_merge = true },
		    false },
		{ { .name = "made",
		      .size_bytes = 64,
		      .construct = construct_nothing,
		      .may_merge = true },
		    false },
	};
	struct qr_slab_cache *caches[7];
	struct bed bed;
	(void)state;
	bed_start(&bed);
	for (size_t i = 0; i < 7; i++) {
		caches[i] = qr_slab_create(bed.slabs, &cases[i].config);
		assert_non_null(caches[i]);
		bool is_first = cases[i].is_first && !QR_CONFIG_HARD;
		assert_int_equal(i != 0 && caches[i] == caches[0],
		    i != 0 && is_first);
	}
	/* The first user goes; the others' objects stay. */
	void *object = qr_slab_alloc(caches[1], 0);
	assert_non_null(object);
	qr_slab_destroy(caches[0]);
	memset(object, 1, 64);
	qr_check_slabs(bed.slabs, QR_CHECK_CHILDREN);
	qr_slab_free(caches[1], object);
	for (size_t i = 1; i < 7; i++)
		qr_slab_destroy(caches[i]);
	bed_stop(&bed);
}

/* --- figures --- */

static void
test_slabinfo_adds_up(void **state)
{
	struct qr_slab_stat stats[40];
	struct qr_slab_sums sums, expect = { 0 };
	void *objects[300];
	struct bed bed;
	(void)state;
	bed_start(&bed);
	for (size_t i = 0; i < 300; i++)
		objects[i] = qr_kmalloc(bed.kmalloc, i < 200 ? 100 : 3000,
		    i % 2 == 0 ? 0 : QR_GFP_RECLAIMABLE);
	for (size_t i = 0; i < 300; i += 3)
		qr_kfree(bed.kmalloc, objects[i]);
	size_t count = qr_slab_stat(bed.slabs, stats, 40);
	printf("%-18s %6s %6s %6s %5s %5s %6s %6s\n", "name", "used", "total",
	    "cached", "size", "/slab", "slabs", "active");
	for (size_t i = 0; i < count; i++) {
		const struct qr_slab_stat *stat = &stats[i];
		printf("%-18s %6llu %6llu %6llu %5u %5u %6llu %6llu\n",
		    stat->name, (unsigned long long)stat->objects_used,
		    (unsigned long long)stat->objects_total,
		    (unsigned long long)stat->objects_cached,
		    stat->object_bytes, stat->objects_per_slab,
		    (unsigned long long)stat->slabs,
		    (unsigned long long)stat->slabs_active);
		assert_int_equal(stat->objects_total,
		    stat->slabs * stat->objects_per_slab);
		assert_int_equal(stat->pages,
		    stat->slabs * stat->pages_per_slab);
		assert_true(stat->objects_used + stat->objects_cached <=
			    stat->objects_total);
		assert_true(stat->slabs_active <= stat->slabs &&
			    stat->slabs <= stat->slabs_made);
		assert_true(stat->used_bytes <= stat->held_bytes);
		expect.objects_used += stat->objects_used;
		expect.objects_total += stat->objects_total;
		expect.used_bytes += stat->used_bytes;
		if (stat->reclaimable)
			expect.pages_reclaimable += stat->pages;
		else
			expect.pages_unreclaimable += stat->pages;
	}
	qr_slab_sum(bed.slabs, &sums);
	assert_memory_equal(&sums, &expect, sizeof(sums));
	struct qr_frame_stat frames;
	qr_frame_stat(bed.rig.frames, &frames);
	assert_int_equal(sums.pages_reclaimable + sums.pages_unreclaimable,
	    frames.slab);
	/* 100 of the 300 are free again. */
	uint64_t used = 0;
	for (size_t i = 0; i < count; i++)
		if (strncmp(stats[i].name, "kmalloc", 7) == 0)
			used += stats[i].objects_used;
	assert_int_equal(used, 200);
	for (size_t i = 0; i < 300; i++)
		if (i % 3 != 0)
			qr_kfree(bed.kmalloc, objects[i]);
	bed_stop(&bed);
}

/* What can be asked back lies in pageblocks of its own. */
static void
test_reclaimable_is_kept_apart(void **state)
{
	struct bed bed;
	(void)state;
	bed_start(&bed);
	void *plain = qr_kmalloc(bed.kmalloc, 5000, 0);
	void *back = qr_kmalloc(bed.kmalloc, 5000, QR_GFP_RECLAIMABLE);
	const struct qr_zone *zone = bed.rig.frames->zone;
	unsigned char *direct = bed.slabs->direct_map;
	uint64_t plain_pfn =
	    (uint64_t)((unsigned char *)plain - direct) / QR_PAGE_SIZE;
	uint64_t back_pfn =
	    (uint64_t)((unsigned char *)back - direct) / QR_PAGE_SIZE;
	assert_int_equal(zone->block_type[plain_pfn >> BLOCK_ORDER],
	    QR_MIGRATE_UNMOVABLE);
	assert_int_equal(zone->block_type[back_pfn >> BLOCK_ORDER],
	    QR_MIGRATE_RECLAIMABLE);
	qr_kfree(bed.kmalloc, plain);
	qr_kfree(bed.kmalloc, back);
	bed_stop(&bed);
}

static void
test_reap(void **state)
{
	static void *objects[4000];
	struct bed bed;
	(void)state;
	bed_start(&bed);
	for (size_t i = 0; i < 4000; i++)
		objects[i] = qr_kmalloc(bed.kmalloc, 128, 0);
	for (size_t i = 0; i < 4000; i++)
		qr_kfree(bed.kmalloc, objects[i]);
	/* The depot has full magazines, which were in use a moment ago. */
	(void)qr_slab_reap_all(bed.slabs);
	uint64_t before = rig_free_pages(&bed.rig);
	/* A pair does not touch the depot: those are not needed. */
	qr_kfree(bed.kmalloc, qr_kmalloc(bed.kmalloc, 128, 0));
	size_t frames = qr_slab_reap_all(bed.slabs);
	assert_true(frames > 0);
	assert_int_equal(rig_free_pages(&bed.rig), before + frames);
	assert_int_equal(qr_slab_reap_all(bed.slabs), 0);
	bed_stop(&bed);
}

/* --- misuse --- */

struct misuse {
	struct bed *bed;
	void *object;
};

static void
do_free(void *ctx)
{
	struct misuse *misuse = ctx;
	qr_kfree(misuse->bed->kmalloc, misuse->object);
}

static void
assert_panics(struct misuse *misuse, const char *words)
{
	const char *message = sim_expect_panic(do_free, misuse);
	assert_non_null(message);
	if (strstr(message, words) == NULL)
		fail_msg("no \"%s\" in: %s", words, message);
}

static void
test_misuse(void **state)
{
	static const struct qr_slab_config config = { .name = "other",
		.size_bytes = 100 };
	struct bed bed;
	struct misuse misuse = { &bed, NULL };
	int local;
	(void)state;
	bed_start(&bed);
	misuse.object = &local;
	assert_panics(&misuse, "frame 0x");
	misuse.object = (unsigned char *)qr_kmalloc(bed.kmalloc, 60000, 0) + 16;
	assert_panics(&misuse, "was not allocated here");
	misuse.object = (unsigned char *)misuse.object - 16;
	do_free(&misuse);
	assert_panics(&misuse, "is free");
	struct qr_slab_cache *other = qr_slab_create(bed.slabs, &config);
	misuse.object = qr_slab_alloc(other, 0);
	assert_panics(&misuse, "is not of these");
	misuse.object = qr_kmalloc(bed.kmalloc, 200, 0);
	do_free(&misuse);
	assert_panics(&misuse, "freed twice");
	/* Hard builds say who had it. */
	if (QR_CONFIG_HARD)
		assert_panics(&misuse, "taken by 0x");
	rig_stop(&bed.rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_each_allocation_fails_once),
		cmocka_unit_test(test_alike_caches_are_one),
		cmocka_unit_test(test_slabinfo_adds_up),
		cmocka_unit_test(test_reclaimable_is_kept_apart),
		cmocka_unit_test(test_reap),
		cmocka_unit_test(test_misuse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
