/* SPDX-License-Identifier: MIT */
/* bench.h: a simulated machine with frames, and the median of some runs. */
#ifndef BENCH_CORE_BENCH_H
#define BENCH_CORE_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/boot/boot.h"
#include "core/frame/frame.h"
#include "port/sim/sim.h"

#define BENCH_RUNS 15u

/* Ends the program if what it needs is not to be had. */
static inline void *
bench_need(void *thing)
{
	if (thing == NULL) {
		fprintf(stderr, "bench: out of memory\n");
		exit(1);
	}
	return thing;
}

static inline struct qr_frames *
bench_frames(struct sim **sim, uint64_t ram_bytes)
{
	static struct qr_boot boot;
	const struct sim_config config = { .ram_bytes = ram_bytes,
		.flags = SIM_CPU_OWNED };
	const struct qr_frame_config frame_config = { 0 };
	struct qr_frames *frames = NULL;
	*sim = bench_need(sim_create(&config));
	const struct qr_port *port = sim_port(*sim);
	if (qr_boot_init(&boot, port) != 0 ||
	    qr_frame_create(port, &boot, &frame_config, &frames) != 0)
		return bench_need(NULL);
	return frames;
}

static inline double
bench_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static inline int
bench_compare(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* run does count operations and returns how many ns that took. */
static inline void
bench_report(const char *name, double (*run)(void *ctx), void *ctx,
    uint64_t count)
{
	double took[BENCH_RUNS];
	(void)run(ctx); /* the host's first touches */
	for (unsigned i = 0; i < BENCH_RUNS; i++)
		took[i] = run(ctx) / (double)count;
	qsort(took, BENCH_RUNS, sizeof(double), bench_compare);
	printf("%-24s %7.1f ns, best %7.1f\n", name, took[BENCH_RUNS / 2],
	    took[0]);
}

/* xorshift: a ns a number, the same ones each time. */
static inline uint64_t
bench_random(uint64_t *state)
{
	uint64_t x = *state;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x;
}

#endif
