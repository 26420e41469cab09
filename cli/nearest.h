/* SPDX-License-Identifier: MIT */
/* nearest.h: which known name a mistyped one was meant to be. */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

#include <stddef.h>

/* One search: feed it the candidates, then look at best. */
struct nearest {
	const char *wanted;
	const char *best;  /* NULL: nothing is near */
	unsigned distance; /* of best */
};

void nearest_init(struct nearest *nearest, const char *wanted);
void nearest_offer(struct nearest *nearest, const char *candidate);

/* Insertions, deletions, changes and swaps of neighbours that turn a into b.
 * Only the first 31 bytes of each count. */
unsigned nearest_distance(const char *a, const char *b);

#endif
