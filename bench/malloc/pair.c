/* SPDX-License-Identifier: MIT */
/*
 * bench/malloc/pair.c: a loop of mallocs and frees to count instructions of.
 *
 *     malloc_pair hot|batch|calloc SIZE ROUNDS
 *
 * hot: one block, freed at once; a round is 1000 of them. batch: 1000 blocks,
 * freed in the order of their allocation. calloc: as hot. All loops run the
 * same code whatever ROUNDS is, so that two runs differ by the rounds alone.
 */
#include <stdlib.h>
#include <string.h>

#define BATCH 1000

static void *block[BATCH];

static void
hot(size_t size)
{
	for (int i = 0; i < BATCH; i++) {
		block[0] = malloc(size);
		free(block[0]);
	}
}

static void
batch(size_t size)
{
	for (int i = 0; i < BATCH; i++)
		block[i] = malloc(size);
	for (int i = 0; i < BATCH; i++)
		free(block[i]);
}

static void
zeroed(size_t size)
{
	for (int i = 0; i < BATCH; i++) {
		block[0] = calloc(1, size);
		free(block[0]);
	}
}

int
main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	size_t size = (size_t)atol(argv[2]);
	for (long round = atol(argv[3]); round > 0; round--) {
		if (strcmp(argv[1], "hot") == 0)
			hot(size);
		else if (strcmp(argv[1], "batch") == 0)
			batch(size);
		else
			zeroed(size);
	}
	return 0;
}
