/* SPDX-License-Identifier: MIT */
/*
 * test_cost.c: what the core's frequent calls cost, in instructions, stays
 * below what is written here; and it hardly depends on how much memory or how
 * many CPUs the machine has. Instructions are counted one by one
 * (step_count.h), so the numbers are exact for a compiler; the limits have
 * room for two of them.
 */
#define _GNU_SOURCE
#include "frame_rig.h"
#include "random.h"

#include "core/slab/slab.h"
#include "core/vmap/arena.h"
#include "step_count.h"

#define MIB ((uint64_t)1 << 20)
#define TIB ((uint64_t)1 << 40)

#define HELD 4096u

/* Ranges in use where many are: as many again are free to be toggled. */
#define RANGES 32768u

struct bed {
	struct rig *rig;
	struct qr_slabs *slabs;
	struct qr_slab_cache *cache;
	struct qr_page *held[HELD];
	void *objects[HELD];
	struct qr_arena arena; /* with nothing in it */
	struct qr_arena full;  /* with RANGES in it */
	struct qr_segment range[2 * RANGES];
	bool has_range[2 * RANGES];
	uint64_t random;
};

static uint64_t
bed_random(struct bed *bed)
{
	bed->random ^= bed->random << 13;
	bed->random ^= bed->random >> 7;
	bed->random ^= bed->random << 17;
	return bed->random;
}

/* Takes or frees the range, of 1 to 256 pages. */
static void
range_toggle(struct bed *bed, size_t at, uint64_t pages)
{
	if (bed->has_range[at])
		qr_arena_free(&bed->full, &bed->range[at]);
	else if (qr_arena_alloc(&bed->full, &bed->range[at], pages, 1) != 0)
		abort();
	bed->has_range[at] = !bed->has_range[at];
}

/* Every second one is in use, and they are in disorder. */
static void
bed_start_ranges(struct bed *bed)
{
	qr_arena_init(&bed->arena, 1, (uint64_t)1 << 35, QR_FIT_INSTANT);
	qr_arena_init(&bed->full, 1, (uint64_t)1 << 35, QR_FIT_INSTANT);
	for (size_t i = 0; i < 2 * RANGES; i++)
		range_toggle(bed, i, 1 + bed_random(bed) % 256);
	for (size_t i = 0; i < 2 * RANGES; i += 2)
		range_toggle(bed, i, 0);
}

static void
bed_start(struct bed *bed, uint64_t ram_bytes, unsigned cpus)
{
	static const struct qr_slab_config config = {
		.name = "cost",
		.size_bytes = 192,
	};
	const struct sim_config sim_config = {
		.ram_bytes = ram_bytes,
		.cpus = cpus,
	};
	memset(bed, 0, sizeof(*bed));
	bed->rig = rig_prepare(&sim_config);
	/* Not rig_start: to check all of 16 TiB takes long. */
	assert_int_equal(qr_frame_create(&bed->rig->port, &bed->rig->boot, NULL,
			     &bed->rig->frames),
	    0);
	bed->slabs = qr_slab_start(bed->rig->frames);
	assert_non_null(bed->slabs);
	bed->cache = qr_slab_create(bed->slabs, &config);
	assert_non_null(bed->cache);
	bed->random = 88172645463325252u;
	bed_start_ranges(bed);
	bed->random = 88172645463325252u;
}

/* --- the work --- */

static void
frame_pair(void *ctx, unsigned n)
{
	struct bed *bed = ctx;
	for (unsigned i = 0; i < n; i++) {
		struct qr_page *page = qr_frame_alloc(bed->rig->frames,
		    QR_GFP_PAGE, 0, QR_PAGE_USER);
		qr_frame_free(bed->rig->frames, page);
	}
}

/* One of the frames held is freed, or one is taken in its place. */
static void
frame_toggle(struct bed *bed, unsigned orders)
{
	uint64_t number = bed_random(bed);
	struct qr_page **held = &bed->held[(number >> 32) % 512];
	unsigned order =
	    (unsigned)__builtin_ctzll(number | (uint64_t)1 << (orders - 1));
	if (*held != NULL) {
		qr_frame_free(bed->rig->frames, *held);
		*held = NULL;
	} else {
		*held = qr_frame_alloc(bed->rig->frames,
		    QR_GFP_ATOMIC | QR_GFP_USER, order, QR_PAGE_USER);
	}
}

static void
frame_random(void *ctx, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		frame_toggle(ctx, 1);
}

static void
frame_mixed(void *ctx, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		frame_toggle(ctx, 5);
}

static void
frame_block(void *ctx, unsigned n)
{
	struct bed *bed = ctx;
	for (unsigned i = 0; i < n; i++) {
		struct qr_page *page = qr_frame_alloc(bed->rig->frames,
		    QR_GFP_ATOMIC, 3, QR_PAGE_SLAB);
		qr_frame_free(bed->rig->frames, page);
	}
}

static void
frame_bulk(void *ctx, unsigned n)
{
	struct bed *bed = ctx;
	for (unsigned i = 0; i < n; i++) {
		size_t got = qr_frame_alloc_bulk(bed->rig->frames, QR_GFP_PAGE,
		    64, QR_PAGE_USER, bed->held);
		qr_frame_free_bulk(bed->rig->frames, bed->held, got);
	}
}

static void
slab_pair(void *ctx, unsigned n)
{
	struct bed *bed = ctx;
	for (unsigned i = 0; i < n; i++)
		qr_slab_free(bed->cache,
		    qr_slab_alloc(bed->cache, QR_GFP_ATOMIC));
}

static void
slab_random(void *ctx, unsigned n)
{
	struct bed *bed = ctx;
	for (unsigned i = 0; i < n; i++) {
		void **object = &bed->objects[(bed_random(bed) >> 32) % 1024];
		if (*object != NULL) {
			qr_slab_free(bed->cache, *object);
			*object = NULL;
		} else {
			*object = qr_slab_alloc(bed->cache, QR_GFP_ATOMIC);
		}
	}
}

static void
range_pair(void *ctx, unsigned n)
{
	struct bed *bed = ctx;
	struct qr_segment range;
	for (unsigned i = 0; i < n; i++) {
		if (qr_arena_alloc(&bed->arena, &range, 1, 1) != 0)
			abort();
		qr_arena_free(&bed->arena, &range);
	}
}

static void
range_random(void *ctx, unsigned n)
{
	struct bed *bed = ctx;
	for (unsigned i = 0; i < n; i++) {
		uint64_t number = bed_random(bed);
		range_toggle(bed, (number >> 32) % (2 * RANGES),
		    1 + number % 256);
	}
}

/* --- the limits --- */

/* Instructions, with the loop and the random numbers about the work. */
static const struct {
	const char *name;
	step_count_fn *work;
	unsigned warm;  /* times beforehand */
	unsigned n;     /* times counted */
	unsigned limit; /* instructions */
	bool is_flat;   /* whatever the machine: not where it depends on how
			   long lists are, or how deep a block is split */
} works[] = {
	{ "frame, order 0, pair", frame_pair, 10, 4, 145, true },
	{ "frame, order 0, random", frame_random, 5000, 80, 95, true },
	{ "frame, orders 0 to 4, random", frame_mixed, 5000, 80, 290, true },
	{ "frame, order 3, pair", frame_block, 10, 2, 1100, false },
	{ "frame, 64 in bulk, pair", frame_bulk, 10, 1, 6600, false },
	{ "slab, pair", slab_pair, 10, 4, 95, true },
	{ "slab, random", slab_random, 5000, 60, 70, true },
	{ "range, pair", range_pair, 10, 4, 500, true },
	{ "range, random among 32 Ki", range_random, 5000, 80, 380, true },
};

#define WORKS (sizeof(works) / sizeof(works[0]))

static uint64_t
cost_of(struct bed *bed, size_t i)
{
	works[i].work(bed, works[i].warm);
	return step_count_hundredths(works[i].work, bed, works[i].n);
}

static void
skip_where_it_means_nothing(void)
{
	if (QR_CONFIG_HARD || !STEP_COUNT_KNOWN)
		skip();
}

static void
test_limits(void **state)
{
	static struct bed bed;
	(void)state;
	skip_where_it_means_nothing();
	unsigned too_dear = 0;
	bed_start(&bed, 64 * MIB, 1);
	for (size_t i = 0; i < WORKS; i++) {
		uint64_t cost = cost_of(&bed, i);
		printf("%-30s %6llu.%02llu instructions, limit %u\n",
		    works[i].name, (unsigned long long)cost / 100,
		    (unsigned long long)cost % 100, works[i].limit);
		too_dear += cost > (uint64_t)works[i].limit * 100;
	}
	rig_destroy(bed.rig);
	assert_int_equal(too_dear, 0);
}

/* The same work on machines from 16 MiB with one CPU to 16 TiB with 64. */
static void
test_flat(void **state)
{
	static const struct {
		uint64_t ram_bytes;
		unsigned cpus;
	} machines[] = {
		{ 16 * MIB, 1 },
		{ 256 * MIB, 2 },
		{ 16 * 1024 * MIB, 8 },
		{ 16 * TIB, 1 },
		{ 16 * TIB, 64 },
	};
	static struct bed bed;
	uint64_t least[WORKS] = { 0 };
	uint64_t most[WORKS] = { 0 };
	(void)state;
	skip_where_it_means_nothing();
	for (size_t m = 0; m < sizeof(machines) / sizeof(machines[0]); m++) {
		bed_start(&bed, machines[m].ram_bytes, machines[m].cpus);
		for (size_t i = 0; i < WORKS; i++) {
			uint64_t cost = cost_of(&bed, i);
			printf("%8llu MiB, %2u CPUs: %-30s %6llu\n",
			    (unsigned long long)(machines[m].ram_bytes / MIB),
			    machines[m].cpus, works[i].name,
			    (unsigned long long)cost / 100);
			if (m == 0 || cost < least[i])
				least[i] = cost;
			if (cost > most[i])
				most[i] = cost;
		}
		rig_destroy(bed.rig);
	}
	for (size_t i = 0; i < WORKS; i++)
		if (works[i].is_flat && most[i] * 100 > least[i] * 125)
			fail_msg("%s: from %llu to %llu hundredths",
			    works[i].name, (unsigned long long)least[i],
			    (unsigned long long)most[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_flat),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
