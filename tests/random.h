/* SPDX-License-Identifier: MIT */
/*
 * random.h: repeatable random numbers for tests. The seed is printed; a run
 * is repeated with QUIRE_SEED=<seed>.
 */
#ifndef TEST_RANDOM_H
#define TEST_RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct test_random {
	uint64_t state;
};

static inline struct test_random
test_random_start(const char *name)
{
	const char *text = getenv("QUIRE_SEED");
	uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 1;
	printf("%s: QUIRE_SEED=%llu\n", name, (unsigned long long)seed);
	return (struct test_random){ seed };
}

/* splitmix64 */
static inline uint64_t
test_random_next(struct test_random *random)
{
	random->state += 0x9e3779b97f4a7c15u;
	uint64_t z = random->state;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Below limit, which is not 0. */
static inline uint64_t
test_random_below(struct test_random *random, uint64_t limit)
{
	return test_random_next(random) % limit;
}

#endif
