/* SPDX-License-Identifier: MIT */
/*
 * test_slab.c: objects of any size are aligned, disjoint and keep what is
 * written to them, on one CPU and on several; a refused frame loses nothing;
 * frames come back; and each misuse is named.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/slab/slab.h"
#include "random.h"
#include "rig.h"

#define RAM_BYTES ((uint64_t)32 << 20)
#define STEPS     6000u
#define HELD_MAX  700u
#define CACHES    5u

struct held {
	unsigned char *object;
	unsigned cache;
	unsigned char fill;
};

struct bench {
	struct rig rig;
	struct qr_slabs *slabs;
	uint64_t free_pages; /* before there were slabs */
	struct test_random random;
	struct qr_slab_cache *cache[CACHES];
	struct qr_slab_config config[CACHES];
	size_t used[CACHES];
	struct held held[HELD_MAX];
	size_t held_count;
};

static struct bench *
bench_create(unsigned cpus, unsigned flags)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	assert_non_null(bench);
	rig_start(&bench->rig, RAM_BYTES, cpus, flags);
	bench->free_pages = rig_free_pages(&bench->rig);
	bench->slabs = qr_slab_start(bench->rig.frames);
	assert_non_null(bench->slabs);
	bench->random = test_random_start("slab");
	return bench;
}

static void
bench_destroy(struct bench *bench)
{
	qr_check_slabs(bench->slabs, QR_CHECK_CHILDREN);
	qr_slab_stop(bench->slabs);
	assert_int_equal(rig_free_pages(&bench->rig), bench->free_pages);
	rig_stop(&bench->rig);
	free(bench);
}

static struct qr_slab_cache *
cache_of(struct bench *bench, const char *name, size_t size_bytes)
{
	const struct qr_slab_config config = { .name = name,
		.size_bytes = size_bytes };
	struct qr_slab_cache *cache = qr_slab_create(bench->slabs, &config);
	assert_non_null(cache);
	return cache;
}

static struct qr_slab_stat
stat_of(const struct bench *bench, const char *name)
{
	struct qr_slab_stat stats[CACHES + 8];
	size_t count = qr_slab_stat(bench->slabs, stats, CACHES + 8);
	assert_in_range(count, 1, CACHES + 8);
	for (size_t i = 0; i < count; i++)
		if (strcmp(stats[i].name, name) == 0)
			return stats[i];
	fail_msg("no cache %s", name);
	return stats[0];
}

static bool
is_filled(const unsigned char *bytes, size_t n, unsigned char fill)
{
	return n == 0 ||
	       (bytes[0] == fill && memcmp(bytes, bytes + 1, n - 1) == 0);
}

/* --- sizes --- */

static void
construct_seven(void *object)
{
	unsigned char *byte = object;
	*byte = 7;
}

static int
pointer_compare(const void *a, const void *b)
{
	const uintptr_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void
check_disjoint(void **objects, size_t count, size_t size_bytes)
{
	uintptr_t starts[64];
	for (size_t i = 0; i < count; i++)
		starts[i] = (uintptr_t)objects[i];
	qsort(starts, count, sizeof(uintptr_t), pointer_compare);
	for (size_t i = 1; i < count; i++)
		assert_true(starts[i] >= starts[i - 1] + size_bytes);
}

static void
try_size(struct bench *bench, const struct qr_slab_config *config)
{
	void *objects[64];
	struct qr_slab_cache *cache = qr_slab_create(bench->slabs, config);
	assert_non_null(cache);
	size_t align = config->align == 0 ? 8 : config->align;
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(qr_slab_alloc_bulk(cache, QR_GFP_KERNEL, 64,
				     objects),
		    0);
		check_disjoint(objects, 64, config->size_bytes);
		for (size_t i = 0; i < 64; i++) {
			assert_int_equal((uintptr_t)objects[i] % align, 0);
			if (config->construct != NULL)
				assert_int_equal(*(char *)objects[i], 7);
			memset(objects[i], (int)i, config->size_bytes);
		}
		for (size_t i = 0; i < 64; i++) {
			assert_true(is_filled(objects[i], config->size_bytes,
			    (unsigned char)i));
			construct_seven(objects[i]);
			qr_slab_free(cache, objects[i]);
		}
		qr_check_slabs(bench->slabs, QR_CHECK_CHILDREN);
	}
	qr_slab_destroy(cache);
}

static void
test_sizes(void **state)
{
	(void)state;
	static const size_t sizes[] = { 1, 2, 3, 7, 8, 9, 24, 63, 64, 65, 192,
		250, 513, 1000, 1365, 2047, 2049, 4095, 4096, 4097, 5000, 8191,
		8192, 8193, 12289, 16383, 16384 };
	static const size_t aligns[] = { 0, 1, 2, 16, 64, 4096 };
	struct bench *bench = bench_create(2, 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (size_t a = 0; a < sizeof(aligns) / sizeof(aligns[0]);
		     a++) {
			struct qr_slab_config config = { .name = "size",
				.size_bytes = sizes[i],
				.align = aligns[a] };
			try_size(bench, &config);
			config.construct = construct_seven;
			try_size(bench, &config);
		}
	}
	bench_destroy(bench);
}

/* What the best of the four slab sizes wastes of a slab, in 1/1000, or an
 * eighth. */
static size_t
least_waste(size_t stride)
{
	size_t least = 1000;
	for (size_t bytes = QR_PAGE_SIZE; bytes <= 8 * QR_PAGE_SIZE; bytes *= 2)
		if (bytes >= stride && bytes % stride * 1000 / bytes < least)
			least = bytes % stride * 1000 / bytes;
	return least > 125 ? least : 125;
}

static void
test_waste(void **state)
{
	(void)state;
	struct bench *bench = bench_create(1, 0);
	for (size_t size = 8; size <= 16384 && !QR_CONFIG_HARD; size += 8) {
		struct qr_slab_cache *cache = cache_of(bench, "size", size);
		void *object = qr_slab_alloc(cache, QR_GFP_KERNEL);
		assert_non_null(object);
		struct qr_slab_stat stat = stat_of(bench, "size");
		size_t bytes = stat.pages * QR_PAGE_SIZE;
		size_t waste = (bytes - stat.objects_total * size) * 1000;
		assert_in_range(waste / bytes, 0, least_waste(size));
		qr_slab_free(cache, object);
		qr_slab_destroy(cache);
	}
	bench_destroy(bench);
}

/* --- a stream of calls, and what is held beside it --- */

static void
take(struct bench *bench, unsigned cache, void *object)
{
	const struct qr_slab_config *config = &bench->config[cache];
	unsigned char fill = (unsigned char)test_random_next(&bench->random);
	if (config->construct != NULL)
		assert_int_equal(*(unsigned char *)object, 7);
	memset(object, fill, config->size_bytes);
	bench->held[bench->held_count++] = (struct held){ object, cache, fill };
	bench->used[cache]++;
}

static void
step_alloc(struct bench *bench)
{
	void *objects[40];
	unsigned cache = (unsigned)test_random_below(&bench->random, CACHES);
	size_t count = test_random_below(&bench->random, 4) != 0
			   ? 1
			   : test_random_below(&bench->random, 40);
	if (count > HELD_MAX - bench->held_count)
		return;
	assert_int_equal(qr_slab_alloc_bulk(bench->cache[cache], QR_GFP_KERNEL,
			     count, objects),
	    0);
	for (size_t i = 0; i < count; i++)
		take(bench, cache, objects[i]);
}

static void
step_free(struct bench *bench)
{
	if (bench->held_count == 0)
		return;
	size_t i = test_random_below(&bench->random, bench->held_count);
	struct held held = bench->held[i];
	assert_true(is_filled(held.object, bench->config[held.cache].size_bytes,
	    held.fill));
	construct_seven(held.object);
	qr_slab_free(bench->cache[held.cache], held.object);
	bench->held[i] = bench->held[--bench->held_count];
	bench->used[held.cache]--;
}

static void
compare(struct bench *bench)
{
	qr_check_slabs(bench->slabs, QR_CHECK_CHILDREN);
	for (unsigned i = 0; i < CACHES; i++) {
		struct qr_slab_stat stat =
		    stat_of(bench, bench->config[i].name);
		assert_int_equal(stat.objects_used, bench->used[i]);
		assert_true(stat.objects_used <= stat.objects_total);
		assert_int_equal(stat.size_bytes, bench->config[i].size_bytes);
		assert_int_equal(stat.reclaimable,
		    bench->config[i].reclaimable);
		assert_true(stat.pages * QR_PAGE_SIZE >=
			    stat.objects_total * stat.size_bytes);
	}
}

static void
step(struct bench *bench, bool growing)
{
	uint64_t choice = test_random_below(&bench->random, 400);
	sim_set_cpu((unsigned)test_random_below(&bench->random, 3));
	if (choice == 0)
		(void)qr_slab_shrink_all(bench->slabs);
	else if (choice == 1)
		(void)qr_slab_shrink(bench->cache[bench->held_count % CACHES]);
	else if ((choice % 8 < 5) == growing)
		step_alloc(bench);
	else
		step_free(bench);
}

static void
test_model(void **state)
{
	(void)state;
	static const struct qr_slab_config configs[CACHES] = {
		{ .name = "tiny", .size_bytes = 5, .align = 1 },
		{ .name = "area", .size_bytes = 104, .reclaimable = true },
		{ .name = "made",
		    .size_bytes = 192,
		    .construct = construct_seven },
		{ .name = "line", .size_bytes = 320, .align = 64 },
		{ .name = "huge", .size_bytes = 9000 },
	};
	struct bench *bench = bench_create(3, 0);
	memcpy(bench->config, configs, sizeof(configs));
	for (unsigned i = 0; i < CACHES; i++) {
		bench->cache[i] = qr_slab_create(bench->slabs, &configs[i]);
		assert_non_null(bench->cache[i]);
	}
	for (unsigned turn = 0; turn < STEPS; turn++) {
		step(bench, turn / 1000 % 2 == 0);
		if (turn % 100 == 0)
			compare(bench);
	}
	while (bench->held_count > 0)
		step_free(bench);
	compare(bench);
	for (unsigned i = 0; i < CACHES; i++)
		qr_slab_destroy(bench->cache[i]);
	sim_set_cpu(0);
	bench_destroy(bench);
}

/* --- memory --- */

static unsigned constructed;

static void
construct_count(void *object)
{
	constructed++;
	memset(object, 0x33, 100);
}

/* Once an object, however often it is used. */
static void
test_constructor(void **state)
{
	(void)state;
	struct bench *bench = bench_create(1, 0);
	const struct qr_slab_config config = { .name = "made",
		.size_bytes = 100,
		.construct = construct_count };
	struct qr_slab_cache *cache = qr_slab_create(bench->slabs, &config);
	assert_non_null(cache);
	constructed = 0;
	for (unsigned turn = 0; turn < 1000; turn++) {
		void *objects[90];
		assert_int_equal(qr_slab_alloc_bulk(cache, QR_GFP_KERNEL, 90,
				     objects),
		    0);
		for (size_t i = 0; i < 90; i++) {
			assert_true(is_filled(objects[i], 100, 0x33));
			qr_slab_free(cache, objects[i]);
		}
		assert_int_equal(constructed,
		    stat_of(bench, "made").objects_total);
	}
	qr_slab_destroy(cache);
	bench_destroy(bench);
}

/* What is freed does not stay: at most a few magazines and a sixteenth of
 * the slabs do, and a shrink takes those too. */
static void
test_shrink(void **state)
{
	(void)state;
	enum { COUNT = 20000 };
	struct bench *bench = bench_create(4, 0);
	struct qr_slab_cache *cache = cache_of(bench, "area", 192);
	void **objects = calloc(COUNT, sizeof(void *));
	assert_non_null(objects);
	assert_int_equal(qr_slab_alloc_bulk(cache, QR_GFP_KERNEL, COUNT,
			     objects),
	    0);
	uint64_t most = stat_of(bench, "area").pages;
	assert_in_range(most, COUNT * 192 / QR_PAGE_SIZE,
	    COUNT * (QR_CONFIG_HARD ? 240 : 200) / QR_PAGE_SIZE);
	for (size_t i = 0; i < COUNT; i++)
		qr_slab_free(cache, objects[i]);
	assert_int_equal(stat_of(bench, "area").objects_used, 0);
	uint64_t left = stat_of(bench, "area").pages;
	assert_in_range(left, 1, most / 16);
	assert_in_range(qr_slab_shrink(cache), left, left + 2);
	assert_int_equal(stat_of(bench, "area").pages, 0);
	(void)qr_slab_shrink_all(bench->slabs);
	/* The cache itself and the set of caches are all that is left. */
	assert_true(bench->free_pages - rig_free_pages(&bench->rig) <= 2);
	free(objects);
	qr_slab_destroy(cache);
	bench_destroy(bench);
}

/* Objects of slabs that follow one another lie at different offsets. */
static void
test_colours(void **state)
{
	(void)state;
	struct bench *bench = bench_create(1, 0);
	struct qr_slab_cache *cache = cache_of(bench, "area", 1200);
	uint64_t offsets = 0; /* bit n: 64 * n bytes into a frame */
	void *objects[64];
	assert_int_equal(qr_slab_alloc_bulk(cache, QR_GFP_KERNEL, 64, objects),
	    0);
	for (size_t i = 0; i < 64; i++)
		offsets |= (uint64_t)1
			   << (uintptr_t)objects[i] % QR_PAGE_SIZE / 64;
	assert_true(__builtin_popcountll(offsets) > 6);
	for (size_t i = 0; i < 64; i++)
		qr_slab_free(cache, objects[i]);
	qr_slab_destroy(cache);
	bench_destroy(bench);
}

/* --- refusals --- */

/* Whichever frame is refused: all or nothing, and nothing is lost. */
static void
test_no_memory(void **state)
{
	(void)state;
	struct bench *bench = bench_create(1, 0);
	struct qr_slab_cache *cache = cache_of(bench, "area", 1024);
	void *objects[100];
	bool done = false;
	for (size_t allowed = 0; !done; allowed++) {
		(void)qr_slab_shrink_all(bench->slabs);
		rig_starve(&bench->rig, allowed);
		int error = qr_slab_alloc_bulk(cache, 0, 100, objects);
		done = error == 0;
		assert_true(done || error == -QR_ENOMEM);
		assert_int_equal(stat_of(bench, "area").objects_used,
		    done ? 100 : 0);
		qr_check_slabs(bench->slabs, QR_CHECK_CHILDREN);
		rig_feed(&bench->rig);
		assert_in_range(allowed, 0, 60);
	}
	for (size_t i = 0; i < 100; i++)
		qr_slab_free(cache, objects[i]);
	qr_slab_destroy(cache);
	bench_destroy(bench);
}

/* However much memory there is for magazines, none included, all works. */
static void
test_no_magazines(void **state)
{
	(void)state;
	enum { CPUS = 8, EACH = 3 };
	struct bench *bench = bench_create(CPUS, 0);
	struct qr_slab_cache *cache = cache_of(bench, "area", 100);
	for (size_t allowed = 1; allowed < 6; allowed++) {
		void *objects[CPUS * EACH];
		rig_starve(&bench->rig, allowed);
		assert_int_equal(qr_slab_alloc_bulk(cache, 0, CPUS * EACH,
				     objects),
		    0);
		for (unsigned i = 0; i < CPUS * EACH; i++) {
			sim_set_cpu(i % CPUS);
			qr_slab_free(cache, objects[i]);
			qr_check_slabs(bench->slabs, QR_CHECK_CHILDREN);
		}
		assert_int_equal(stat_of(bench, "area").objects_used, 0);
		(void)qr_slab_shrink_all(bench->slabs);
		rig_feed(&bench->rig);
	}
	sim_set_cpu(0);
	qr_slab_destroy(cache);
	bench_destroy(bench);
}

static void
test_no_start(void **state)
{
	(void)state;
	struct bench *bench = bench_create(1, 0);
	const struct qr_slab_config config = { .name = "area",
		.size_bytes = 64 };
	rig_starve(&bench->rig, 0);
	assert_null(qr_slab_start(bench->rig.frames));
	assert_null(qr_slab_create(bench->slabs, &config));
	rig_feed(&bench->rig);
	bench_destroy(bench);
}

/* --- several threads --- */

#define THREADS   4u
#define TURNS     20000u
#define EXCHANGES 64u

struct crowd {
	struct qr_slab_cache *cache;
	struct qr_slabs *slabs;
	_Atomic(uint64_t *) exchange[EXCHANGES];
	_Atomic(unsigned) running;
};

struct member {
	struct crowd *crowd;
	struct test_random random;
};

/* Puts an object of its own in a random place, frees the one it finds: most
 * objects are freed by another thread than took them. */
static void *
trade(void *ctx)
{
	struct member *member = ctx;
	struct crowd *crowd = member->crowd;
	for (unsigned turn = 0; turn < TURNS; turn++) {
		uint64_t *object = qr_slab_alloc(crowd->cache, QR_GFP_KERNEL);
		if (object == NULL)
			abort();
		object[0] = (uintptr_t)object;
		object[5] = ~object[0];
		size_t i = test_random_below(&member->random, EXCHANGES);
		uint64_t *found = atomic_exchange(&crowd->exchange[i], object);
		if (found == NULL)
			continue;
		if (found[0] != (uintptr_t)found || found[5] != ~found[0])
			abort();
		qr_slab_free(crowd->cache, found);
	}
	atomic_fetch_sub(&crowd->running, 1);
	return NULL;
}

static void *
shrink(void *ctx)
{
	struct crowd *crowd = ctx;
	struct qr_slab_stat stats[8];
	while (atomic_load(&crowd->running) > 0) {
		(void)qr_slab_shrink_all(crowd->slabs);
		(void)qr_slab_stat(crowd->slabs, stats, 8);
		sched_yield();
	}
	return NULL;
}

/* More threads than CPUs, so that some meet in one. */
static void
test_crowd(void **state)
{
	(void)state;
	struct bench *bench = bench_create(2, SIM_THREADS);
	struct crowd crowd = { .slabs = bench->slabs, .running = THREADS };
	crowd.cache = cache_of(bench, "area", 48);
	pthread_t threads[THREADS + 1];
	struct member members[THREADS];
	assert_int_equal(pthread_create(&threads[THREADS], NULL, shrink,
			     &crowd),
	    0);
	for (size_t i = 0; i < THREADS; i++) {
		uint64_t seed = test_random_next(&bench->random);
		members[i] = (struct member){ &crowd, { seed } };
		assert_int_equal(pthread_create(&threads[i], NULL, trade,
				     &members[i]),
		    0);
	}
	for (size_t i = 0; i <= THREADS; i++)
		pthread_join(threads[i], NULL);
	size_t left = 0;
	for (size_t i = 0; i < EXCHANGES; i++)
		left += crowd.exchange[i] != NULL;
	assert_int_equal(stat_of(bench, "area").objects_used, left);
	for (size_t i = 0; i < EXCHANGES; i++)
		if (crowd.exchange[i] != NULL)
			qr_slab_free(crowd.cache, crowd.exchange[i]);
	qr_slab_destroy(crowd.cache);
	qr_check_slabs(bench->slabs, QR_CHECK_CHILDREN);
	qr_slab_stop(bench->slabs);
	qr_frame_drain(bench->rig.frames);
	assert_int_equal(rig_free_pages(&bench->rig), bench->free_pages);
	rig_stop(&bench->rig);
	free(bench);
}

/* --- misuse --- */

struct misuse {
	struct bench *bench;
	struct qr_slab_cache *cache;
	struct qr_slab_cache *other;
	unsigned char *object[3];
};

static void
free_twice(void *ctx)
{
	struct misuse *misuse = ctx;
	qr_slab_free(misuse->cache, misuse->object[0]);
	qr_slab_free(misuse->cache, misuse->object[0]);
}

static void
free_twice_later(void *ctx)
{
	struct misuse *misuse = ctx;
	qr_slab_free(misuse->cache, misuse->object[0]);
	qr_slab_free(misuse->cache, misuse->object[1]);
	qr_slab_free(misuse->cache, misuse->object[0]);
}

static void
free_inside(void *ctx)
{
	struct misuse *misuse = ctx;
	qr_slab_free(misuse->cache, misuse->object[0] + 8);
	(void)qr_slab_shrink(misuse->cache);
}

static void
free_elsewhere(void *ctx)
{
	struct misuse *misuse = ctx;
	qr_slab_free(misuse->other, misuse->object[0]);
	(void)qr_slab_shrink(misuse->other);
}

static void
free_host_memory(void *ctx)
{
	struct misuse *misuse = ctx;
	unsigned char byte;
	qr_slab_free(misuse->cache, &byte);
	(void)qr_slab_shrink(misuse->cache);
}

static void
destroy_in_use(void *ctx)
{
	struct misuse *misuse = ctx;
	qr_slab_destroy(misuse->cache);
}

static void
stop_in_use(void *ctx)
{
	struct misuse *misuse = ctx;
	qr_slab_stop(misuse->bench->slabs);
}

static void
create_too_large(void *ctx)
{
	struct misuse *misuse = ctx;
	const struct qr_slab_config config = { .name = "whale",
		.size_bytes = 16385 };
	(void)!qr_slab_create(misuse->bench->slabs, &config);
}

static void
overrun(void *ctx)
{
	struct misuse *misuse = ctx;
	misuse->object[1][50]++;
	qr_slab_free(misuse->cache, misuse->object[1]);
}

static void
overrun_far(void *ctx)
{
	struct misuse *misuse = ctx;
	memset(misuse->object[1], 0, 50 + 16);
	qr_slab_free(misuse->cache, misuse->object[1]);
}

static void
write_after_free(void *ctx)
{
	struct misuse *misuse = ctx;
	qr_slab_free(misuse->cache, misuse->object[2]);
	misuse->object[2][20] ^= 1;
	(void)!qr_slab_alloc(misuse->cache, 0);
}

static void
check_after_free(void *ctx)
{
	struct misuse *misuse = ctx;
	qr_slab_free(misuse->cache, misuse->object[2]);
	(void)qr_slab_shrink(misuse->cache);
	misuse->object[2][20] ^= 1;
	qr_check_slabs(misuse->bench->slabs, QR_CHECK_CHILDREN);
}

struct misuse_case {
	void (*body)(void *ctx);
	const char *words[2];
	bool hard; /* found by hard builds only */
};

static void
try_misuse(const struct misuse_case *one)
{
	struct bench *bench = bench_create(1, 0);
	struct misuse misuse = { .bench = bench };
	misuse.cache = cache_of(bench, "victim", 50);
	misuse.other = cache_of(bench, "other", 50);
	assert_int_equal(qr_slab_alloc_bulk(misuse.cache, QR_GFP_KERNEL, 3,
			     (void **)misuse.object),
	    0);
	const char *message = sim_expect_panic(one->body, &misuse);
	if (message == NULL)
		fail_msg("nothing found, wanted %s", one->words[0]);
	for (size_t i = 0; i < 2; i++)
		if (strstr(message, one->words[i]) == NULL)
			fail_msg("%s: not %s", message, one->words[i]);
	rig_stop(&bench->rig);
	free(bench);
}

static void
test_misuse(void **state)
{
	(void)state;
	static const struct misuse_case cases[] = {
		{ free_twice, { "cache victim", "twice" }, false },
		{ free_twice_later, { "cache victim", "twice" }, true },
		{ free_inside, { "cache victim", "slab.4" }, false },
		{ free_elsewhere, { "cache other", "slab.4" }, false },
		{ free_host_memory, { "", "" }, false },
		{ destroy_in_use, { "cache victim", "3 objects" }, false },
		{ stop_in_use, { "cache other", "not destroyed" }, false },
		{ create_too_large, { "cache whale", "16385" }, false },
		{ overrun, { "cache victim", "slab.6" }, true },
		{ overrun_far, { "cache victim", "guard" }, true },
		{ write_after_free, { "cache victim", "after its free" },
		    true },
		{ check_after_free, { "cache victim", "after its free" },
		    true },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (QR_CONFIG_HARD || !cases[i].hard)
			try_misuse(&cases[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_waste),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_constructor),
		cmocka_unit_test(test_shrink),
		cmocka_unit_test(test_colours),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_no_magazines),
		cmocka_unit_test(test_no_start),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_misuse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
