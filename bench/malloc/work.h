/* SPDX-License-Identifier: MIT */
/*
 * bench/malloc/work.h: what the workloads share: repeatable random numbers,
 * an allocation that must succeed, and the table of them all.
 */
#ifndef BENCH_MALLOC_WORK_H
#define BENCH_MALLOC_WORK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct work {
	const char *name;
	void (*run)(void);
	const char *what;
};

/* Each ends with an entry without a name. */
extern const struct work work_single[];
extern const struct work work_threads[];

/* splitmix64 */
static inline uint64_t
work_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Below limit, which is not 0. */
static inline uint64_t
work_below(uint64_t *state, uint64_t limit)
{
	return work_random(state) % limit;
}

/* Mostly small: each doubling above least half as likely as the one before. */
static inline size_t
work_skewed(uint64_t *state, size_t least, unsigned doublings)
{
	uint64_t bits = work_random(state);
	unsigned up = (unsigned)__builtin_ctzll(bits | (uint64_t)1 << 63);
	size_t base = least << (up < doublings ? up : doublings);
	return base + (size_t)(bits >> 40) % base;
}

static inline void *
work_need(void *block)
{
	if (block == NULL) {
		fputs("work: out of memory\n", stderr);
		exit(1);
	}
	return block;
}

/* A block whose first and last bytes are written, as a program would. */
static inline void *
work_alloc(size_t size)
{
	unsigned char *block = work_need(malloc(size));
	block[0] = 1;
	block[size - 1] = 1;
	return block;
}

#endif
