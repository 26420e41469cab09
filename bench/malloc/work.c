/* SPDX-License-Identifier: MIT */
/*
 * bench/malloc/work.c: runs one workload, or lists them.
 *
 *     malloc_work          names and what they are
 *     malloc_work NAME     runs it once and prints nothing
 *
 * The workloads resemble what the field has measured allocators with for
 * thirty years, and what programs do that those do not; all are written for
 * this tree. Each is repeatable and long enough to time: about half a second.
 */
#include "work.h"

static const struct work *const tables[] = { work_single, work_threads };

#define TABLES (sizeof(tables) / sizeof(tables[0]))

int
main(int argc, char **argv)
{
	for (size_t t = 0; t < TABLES; t++) {
		for (const struct work *w = tables[t]; w->name != NULL; w++) {
			if (argc < 2) {
				printf("%-8s %s\n", w->name, w->what);
			} else if (strcmp(w->name, argv[1]) == 0) {
				w->run();
				return 0;
			}
		}
	}
	return argc < 2 ? 0 : 2;
}
