/* SPDX-License-Identifier: MIT */
/*
 * bench_frame.c: frames of 1 GiB on one thread: the same one taken and freed
 * (the CPU's list alone); more than a list holds; a random one of many taken
 * or freed; blocks of mixed orders, half of them of order 0, a quarter of
 * order 1 and so on to 10; many taken, then freed in another order; whole
 * windows at once. An operation is a frame or block taken and freed.
 */
#include "bench.h"

#define PAIRS       2000000u
#define SPAN        256u
#define SLOTS       65536u
#define MIXED_SLOTS 16384u
#define MANY        131072u
#define WINDOW      64u
#define MANY_STEP   40503u /* odd, so that it meets each of MANY once */

struct bench {
	struct qr_frames *frames;
	struct qr_page *slots[MANY];
};

static struct qr_page *
take(struct bench *bench, unsigned order)
{
	return bench_need(
	    qr_frame_alloc(bench->frames, QR_GFP_PAGE, order, QR_PAGE_USER));
}

static double
run_pairs(void *ctx)
{
	struct bench *bench = ctx;
	double start = bench_now_ns();
	for (unsigned i = 0; i < PAIRS; i++)
		qr_frame_free(bench->frames, take(bench, 0));
	return bench_now_ns() - start;
}

static double
run_span(void *ctx)
{
	struct bench *bench = ctx;
	double start = bench_now_ns();
	for (unsigned round = 0; round < PAIRS / SPAN; round++) {
		for (unsigned i = 0; i < SPAN; i++)
			bench->slots[i] = take(bench, 0);
		for (unsigned i = 0; i < SPAN; i++)
			qr_frame_free(bench->frames, bench->slots[i]);
	}
	return bench_now_ns() - start;
}

static double
run_windows(void *ctx)
{
	struct bench *bench = ctx;
	double start = bench_now_ns();
	for (unsigned round = 0; round < PAIRS / WINDOW; round++) {
		size_t got = qr_frame_alloc_bulk(bench->frames, QR_GFP_PAGE,
		    WINDOW, QR_PAGE_USER, bench->slots);
		qr_frame_free_bulk(bench->frames, bench->slots, got);
	}
	return bench_now_ns() - start;
}

static double
run_many(void *ctx)
{
	struct bench *bench = ctx;
	double start = bench_now_ns();
	for (unsigned i = 0; i < MANY; i++)
		bench->slots[i] = take(bench, 0);
	for (unsigned i = 0; i < MANY; i++)
		qr_frame_free(bench->frames,
		    bench->slots[i * MANY_STEP % MANY]);
	return bench_now_ns() - start;
}

static void
toggle(struct bench *bench, size_t i, unsigned order)
{
	if (bench->slots[i] != NULL) {
		qr_frame_free(bench->frames, bench->slots[i]);
		bench->slots[i] = NULL;
	} else {
		bench->slots[i] = take(bench, order);
	}
}

/* Begins and ends with no slot in use; about half of them are meanwhile. */
static double
run_random(struct bench *bench, size_t slots, unsigned orders)
{
	uint64_t random = 88172645463325252u;
	for (size_t i = 0; i < slots; i++)
		bench->slots[i] = NULL;
	for (size_t i = 0; i < slots; i += 2)
		toggle(bench, i, 0);
	double start = bench_now_ns();
	for (unsigned i = 0; i < 2 * PAIRS; i++) {
		uint64_t number = bench_random(&random);
		unsigned order = (unsigned)__builtin_ctzll(
		    number | (uint64_t)1 << (orders - 1));
		toggle(bench, (number >> 32) * slots >> 32, order);
	}
	double took = bench_now_ns() - start;
	for (size_t i = 0; i < slots; i++)
		if (bench->slots[i] != NULL)
			toggle(bench, i, 0);
	return took;
}

static double
run_random_single(void *ctx)
{
	return run_random(ctx, SLOTS, 1);
}

static double
run_random_mixed(void *ctx)
{
	return run_random(ctx, MIXED_SLOTS, QR_FRAME_ORDERS);
}

int
main(void)
{
	static struct bench bench;
	struct sim *sim;
	bench.frames = bench_frames(&sim, (uint64_t)1 << 30);
	bench_report("frame: LIFO pair", run_pairs, &bench, PAIRS);
	bench_report("frame: 256 at a time", run_span, &bench, PAIRS);
	bench_report("frame: windows of 64", run_windows, &bench, PAIRS);
	bench_report("frame: 128 Ki, scattered", run_many, &bench, MANY);
	bench_report("frame: random", run_random_single, &bench, PAIRS);
	bench_report("frame: random, mixed", run_random_mixed, &bench, PAIRS);
	sim_destroy(sim);
	return 0;
}
