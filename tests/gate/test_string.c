/* SPDX-License-Identifier: MIT */
/*
 * test_string.c: the gate's memcpy, memmove, memset and memcmp do what loops
 * over bytes do, for random sizes, places and overlaps.
 *
 * Built with these names defined to others, so that libc's stay untouched.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 2000u

static unsigned char model[SIZE];
static unsigned char real[SIZE];
static unsigned char from[SIZE];
static unsigned char before[SIZE];

static unsigned
random_below(unsigned bound)
{
	return (unsigned)rand() % bound;
}

static int
compare(const char *what, size_t size, size_t to, size_t at)
{
	for (size_t i = 0; i < SIZE; i++) {
		if (model[i] == real[i])
			continue;
		printf("%s of %zu bytes, %zu to %zu: byte %zu differs\n", what,
		    size, at, to, i);
		return 1;
	}
	if (memcmp(model, real, SIZE) != 0) {
		printf("memcmp: equal bytes differ\n");
		return 1;
	}
	size_t place = random_below(SIZE);
	real[place] ^= 1u;
	int order = memcmp(model, real, SIZE);
	int want = model[place] < real[place] ? -1 : 1;
	real[place] ^= 1u;
	return order == want ? 0 : 1;
}

static int
round_one(void)
{
	size_t size = random_below(random_below(10) == 0 ? 600 : 40);
	size_t to = random_below(700);
	size_t at = random_below(700);
	int value = rand() - rand();
	for (size_t i = 0; i < SIZE; i++)
		before[i] = model[i];
	switch (random_below(3)) {
	case 0:
		for (size_t i = 0; i < size; i++)
			model[to + i] = from[at + i];
		memcpy(real + to, from + at, size);
		return compare("memcpy", size, to, at);
	case 1:
		for (size_t i = 0; i < size; i++)
			model[to + i] = before[at + i];
		memmove(real + to, real + at, size);
		return compare("memmove", size, to, at);
	default:
		for (size_t i = 0; i < size; i++)
			model[to + i] = (unsigned char)value;
		memset(real + to, value, size);
		return compare("memset", size, to, at);
	}
}

int
main(void)
{
	const char *text = getenv("QUIRE_SEED");
	unsigned seed = text == NULL ? 1 : (unsigned)strtoul(text, NULL, 10);
	printf("seed %u\n", seed);
	srand(seed);
	for (size_t i = 0; i < SIZE; i++)
		from[i] = (unsigned char)rand();
	for (unsigned i = 0; i < 20000; i++) {
		if (round_one() != 0)
			return 1;
	}
	return 0;
}
