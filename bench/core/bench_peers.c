/* SPDX-License-Identifier: MIT */
/*
 * bench_peers.c: frames and objects beside what glibc's malloc takes for as
 * much, in turn in one run: an operation is taken and given back. The ratio is
 * that of the medians; below 1 Quire is faster.
 */
#include "bench.h"

#include "core/slab/slab.h"

#define PAIRS  1000000u
#define SLOTS  100000u
#define OBJECT 192u
#define PAGE   ((size_t)QR_PAGE_SIZE)

struct bench {
	struct qr_frames *frames;
	struct qr_slab_cache *cache;
	void *slots[SLOTS];
};

/* What is compared: taking one thing and giving it back. */
struct way {
	void *(*take)(struct bench *bench);
	void (*give)(struct bench *bench, void *thing);
};

static void *
frame_take(struct bench *bench)
{
	return bench_need(
	    qr_frame_alloc(bench->frames, QR_GFP_PAGE, 0, QR_PAGE_USER));
}

static void
frame_give(struct bench *bench, void *thing)
{
	qr_frame_free(bench->frames, thing);
}

static void *
page_take(struct bench *bench)
{
	(void)bench;
	return bench_need(aligned_alloc(PAGE, PAGE));
}

static void *
object_take(struct bench *bench)
{
	return bench_need(qr_slab_alloc(bench->cache, QR_GFP_KERNEL));
}

static void
object_give(struct bench *bench, void *thing)
{
	qr_slab_free(bench->cache, thing);
}

static void *
malloc_take(struct bench *bench)
{
	(void)bench;
	return bench_need(malloc(OBJECT));
}

static void
malloc_give(struct bench *bench, void *thing)
{
	(void)bench;
	free(thing);
}

static double
run_pairs(struct bench *bench, const struct way *way)
{
	double start = bench_now_ns();
	for (unsigned i = 0; i < PAIRS; i++)
		way->give(bench, way->take(bench));
	return (bench_now_ns() - start) / PAIRS;
}

static double
run_bulk(struct bench *bench, const struct way *way)
{
	double start = bench_now_ns();
	for (unsigned i = 0; i < SLOTS; i++)
		bench->slots[i] = way->take(bench);
	for (unsigned i = 0; i < SLOTS; i++)
		way->give(bench, bench->slots[i]);
	return (bench_now_ns() - start) / SLOTS;
}

static double
run_random(struct bench *bench, const struct way *way)
{
	uint64_t random = 88172645463325252u;
	for (unsigned i = 0; i < SLOTS; i++)
		bench->slots[i] = i % 2 == 0 ? way->take(bench) : NULL;
	double start = bench_now_ns();
	for (unsigned i = 0; i < 2 * PAIRS; i++) {
		void **slot =
		    &bench->slots[(bench_random(&random) >> 32) % SLOTS];
		if (*slot != NULL) {
			way->give(bench, *slot);
			*slot = NULL;
		} else {
			*slot = way->take(bench);
		}
	}
	double took = (bench_now_ns() - start) / PAIRS;
	for (unsigned i = 0; i < SLOTS; i++)
		if (bench->slots[i] != NULL)
			way->give(bench, bench->slots[i]);
	return took;
}

static void
compare(struct bench *bench, const char *name,
    double (*run)(struct bench *bench, const struct way *way),
    const struct way ways[2])
{
	double took[2][BENCH_RUNS];
	for (unsigned way = 0; way < 2; way++)
		(void)run(bench, &ways[way]); /* the host's first touches */
	for (unsigned i = 0; i < BENCH_RUNS; i++)
		for (unsigned way = 0; way < 2; way++)
			took[way][i] = run(bench, &ways[way]);
	for (unsigned way = 0; way < 2; way++)
		qsort(took[way], BENCH_RUNS, sizeof(double), bench_compare);
	printf("%-24s Quire %7.1f ns, glibc %7.1f ns, ratio %.2f\n", name,
	    took[0][BENCH_RUNS / 2], took[1][BENCH_RUNS / 2],
	    took[0][BENCH_RUNS / 2] / took[1][BENCH_RUNS / 2]);
}

int
main(void)
{
	static const struct way frames[2] = { { frame_take, frame_give },
		{ page_take, malloc_give } };
	static const struct way objects[2] = { { object_take, object_give },
		{ malloc_take, malloc_give } };
	static const struct qr_slab_config config = { .name = "bench",
		.size_bytes = OBJECT };
	static struct bench bench;
	struct sim *sim;
	bench.frames = bench_frames(&sim, (uint64_t)1 << 30);
	struct qr_slabs *slabs = bench_need(qr_slab_start(bench.frames));
	bench.cache = bench_need(qr_slab_create(slabs, &config));
	compare(&bench, "object: LIFO pair", run_pairs, objects);
	compare(&bench, "object: 100k in bulk", run_bulk, objects);
	compare(&bench, "object: random, 100k", run_random, objects);
	compare(&bench, "frame: LIFO pair", run_pairs, frames);
	compare(&bench, "frame: random, 100k", run_random, frames);
	qr_slab_destroy(bench.cache);
	qr_slab_stop(slabs);
	sim_destroy(sim);
	return 0;
}
