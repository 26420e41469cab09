/* SPDX-License-Identifier: MIT */
/*
 * bench_slab.c: an object cache on one thread, 192-byte objects: the same one
 * taken and freed; many taken, then all freed; a random one of many slots
 * taken or freed. An operation is a pair of the two.
 */
#include "bench.h"
#include "core/slab/slab.h"

#define OBJECT_BYTES 192u
#define OBJECTS      100000u
#define PAIRS        2000000u

struct bench {
	struct qr_slab_cache *cache;
	void *slots[OBJECTS];
};

static double
run_pairs(void *ctx)
{
	struct qr_slab_cache *cache = ((struct bench *)ctx)->cache;
	double start = bench_now_ns();
	for (unsigned i = 0; i < PAIRS; i++)
		qr_slab_free(cache,
		    bench_need(qr_slab_alloc(cache, QR_GFP_KERNEL)));
	return bench_now_ns() - start;
}

static double
run_bulk(void *ctx)
{
	struct bench *bench = ctx;
	double start = bench_now_ns();
	for (unsigned i = 0; i < OBJECTS; i++)
		bench->slots[i] =
		    bench_need(qr_slab_alloc(bench->cache, QR_GFP_KERNEL));
	for (unsigned i = 0; i < OBJECTS; i++)
		qr_slab_free(bench->cache, bench->slots[i]);
	return bench_now_ns() - start;
}

static void
toggle(struct bench *bench, size_t i)
{
	if (bench->slots[i] != NULL) {
		qr_slab_free(bench->cache, bench->slots[i]);
		bench->slots[i] = NULL;
	} else {
		bench->slots[i] =
		    bench_need(qr_slab_alloc(bench->cache, QR_GFP_KERNEL));
	}
}

/* Begins and ends with no slot in use; about half of them are meanwhile. */
static double
run_random(void *ctx)
{
	struct bench *bench = ctx;
	uint64_t random = 88172645463325252u;
	for (size_t i = 0; i < OBJECTS; i++)
		bench->slots[i] = NULL;
	for (size_t i = 0; i < OBJECTS; i += 2)
		toggle(bench, i);
	double start = bench_now_ns();
	for (unsigned i = 0; i < 2 * PAIRS; i++)
		toggle(bench, (bench_random(&random) >> 32) * OBJECTS >> 32);
	double took = bench_now_ns() - start;
	for (size_t i = 0; i < OBJECTS; i++)
		if (bench->slots[i] != NULL)
			toggle(bench, i);
	return took;
}

int
main(void)
{
	static struct bench bench;
	struct sim *sim;
	struct qr_slabs *slabs =
	    bench_need(qr_slab_start(bench_frames(&sim, (uint64_t)64 << 20)));
	const struct qr_slab_config config = { .name = "bench",
		.size_bytes = OBJECT_BYTES };
	bench.cache = bench_need(qr_slab_create(slabs, &config));
	bench_report("slab: LIFO pair", run_pairs, &bench, PAIRS);
	bench_report("slab: bulk", run_bulk, &bench, OBJECTS);
	bench_report("slab: random pair", run_random, &bench, PAIRS);
	qr_slab_destroy(bench.cache);
	qr_slab_stop(slabs);
	sim_destroy(sim);
	return 0;
}
