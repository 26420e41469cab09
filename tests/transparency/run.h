/* SPDX-License-Identifier: MIT */
/*
 * run.h: what the runner of the cases, their memory and the comparison share.
 */
#ifndef TRANSPARENCY_RUN_H
#define TRANSPARENCY_RUN_H

#include "case.h"

/* In what state a case finds its memory. */
enum way {
	WAY_WARM,
	WAY_COLD,  /* out before every call, over page borders */
	WAY_EDGE,  /* out, and nothing may be touched behind it */
	WAY_FRESH, /* what the case has not written was never in */
	WAY_STORM, /* taken away again and again while the call runs */
	WAYS,
};

extern enum way run_way;
extern bool run_managed; /* under `quire run` */

/* Runs the group's cases from the n-th on and prints what they say. */
void run_cases(const struct test_group *group, size_t n);

/* memory.c */
void memory_free(bool unmap);
/* Pages that could not be pushed out since the last call of this. */
size_t memory_left_in(void);
void storm_start(void);
void storm_stop(void);

/* compare.c: runs the group plain and under `quire`; 0: all is equal. */
int compare_group(const char *self, const char *quire,
    const struct test_group *group, const char *only);

#endif
