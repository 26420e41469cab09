/* SPDX-License-Identifier: MIT */
/*
 * bench_vmap.c: ranges of addresses by each policy: the same one taken and
 * given back, alone and among 32 Ki live ones of 1 to 256 pages; and a random
 * one of those taken or given back. An operation is a range taken and given
 * back.
 */
#include "bench.h"

#include "core/vmap/arena.h"

#define PAIRS 300000u
#define LIVE  32768u
#define SPAN  ((uint64_t)1 << 24) /* pages */

struct bench {
	struct qr_arena arena;
	uint64_t random;
	size_t live;
	struct qr_segment segment[2 * LIVE];
	bool is_taken[2 * LIVE];
};

static uint64_t
pages(struct bench *bench)
{
	return 1 + (bench_random(&bench->random) >> 32) % 256;
}

static void
toggle(struct bench *bench, size_t i)
{
	if (bench->is_taken[i])
		qr_arena_free(&bench->arena, &bench->segment[i]);
	else if (qr_arena_alloc(&bench->arena, &bench->segment[i], pages(bench),
		     1) != 0)
		bench_need(NULL);
	bench->is_taken[i] = !bench->is_taken[i];
}

static void
start(struct bench *bench, enum qr_fit fit, size_t live)
{
	qr_arena_init(&bench->arena, 16, SPAN, fit);
	bench->random = 88172645463325252u;
	for (size_t i = 0; i < 2 * LIVE; i++)
		bench->is_taken[i] = false;
	for (size_t i = 0; i < 2 * live; i += 2)
		toggle(bench, i);
	/* So that there are gaps. */
	for (size_t i = 0; i < 8 * live; i++)
		toggle(bench,
		    (bench_random(&bench->random) >> 32) % (2 * live));
}

static double
run_pairs(void *ctx)
{
	struct bench *bench = ctx;
	struct qr_segment segment;
	double from = bench_now_ns();
	for (unsigned i = 0; i < PAIRS; i++) {
		if (qr_arena_alloc(&bench->arena, &segment, 1, 1) != 0)
			bench_need(NULL);
		qr_arena_free(&bench->arena, &segment);
	}
	return bench_now_ns() - from;
}

static double
run_random(void *ctx)
{
	struct bench *bench = ctx;
	double from = bench_now_ns();
	for (unsigned i = 0; i < 2 * PAIRS; i++)
		toggle(bench,
		    (bench_random(&bench->random) >> 32) % (2 * LIVE));
	return bench_now_ns() - from;
}

int
main(void)
{
	static struct bench bench;
	for (unsigned fit = 0; fit < QR_FITS; fit++) {
		char name[40];
		const char *text = qr_fit_name((enum qr_fit)fit);
		start(&bench, (enum qr_fit)fit, 0);
		snprintf(name, sizeof(name), "%s fit: pair", text);
		bench_report(name, run_pairs, &bench, PAIRS);
		start(&bench, (enum qr_fit)fit, LIVE);
		snprintf(name, sizeof(name), "%s fit: pair, 32k", text);
		bench_report(name, run_pairs, &bench, PAIRS);
		snprintf(name, sizeof(name), "%s fit: random, 32k", text);
		bench_report(name, run_random, &bench, PAIRS);
	}
	return 0;
}
