/* SPDX-License-Identifier: MIT */
/*
 * nearest.c: edit distance with swaps of neighbours, in three rows. A
 * candidate is near if at most a third of its letters, and at most three,
 * are wrong, or if what was typed is its beginning.
 */
#include <string.h>

#include "nearest.h"

#define NAME_MAX_LENGTH 31u

static unsigned
smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned
nearest_distance(const char *a, const char *b)
{
	unsigned rows[3][NAME_MAX_LENGTH + 1] = { { 0 } };
	size_t a_length = strnlen(a, NAME_MAX_LENGTH);
	size_t b_length = strnlen(b, NAME_MAX_LENGTH);

	for (unsigned j = 0; j <= b_length; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a_length; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i + 2) % 3];
		const unsigned *swap = rows[(i + 1) % 3]; /* i - 2 */
		row[0] = i;
		for (unsigned j = 1; j <= b_length; j++) {
			unsigned cost = a[i - 1] != b[j - 1];
			row[j] = smaller(above[j - 1] + cost,
			    smaller(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[j] = smaller(row[j], swap[j - 2] + 1);
		}
	}
	return rows[a_length % 3][b_length];
}

void
nearest_init(struct nearest *nearest, const char *wanted)
{
	*nearest = (struct nearest){ wanted, NULL, 0 };
}

void
nearest_offer(struct nearest *nearest, const char *candidate)
{
	size_t length = strlen(candidate);
	size_t typed = strlen(nearest->wanted);
	unsigned limit = smaller(3, (unsigned)(length + 2) / 3);
	unsigned distance = nearest_distance(nearest->wanted, candidate);

	if (typed >= 2 && strncmp(candidate, nearest->wanted, typed) == 0)
		distance = 1;
	if (distance > limit)
		return;
	if (nearest->best == NULL || distance < nearest->distance) {
		nearest->best = candidate;
		nearest->distance = distance;
	}
}
