/* SPDX-License-Identifier: MIT */
/* tree.h: RAM of a process and its descendants, sampled. */
#ifndef CLI_TREE_H
#define CLI_TREE_H

#include <sys/types.h>

#include <qr/types.h>

/* Sum of RssAnon and RssShmem of the process and all below it, in bytes; 0
 * once it is gone. Those whose parents have died are not found. */
uint64_t tree_resident(pid_t root);

/* Samples over time. Bounded: when full, every other one is dropped, keeping
 * the larger of each two, and from then on they are twice as far apart. */
#define SAMPLES_MAX 4096u

struct samples {
	uint64_t bytes[SAMPLES_MAX]; /* the largest of each interval */
	unsigned count;
	uint64_t interval_ns;
	uint64_t peak;   /* of all */
	uint64_t end_ns; /* length of the run */
};

void samples_init(struct samples *samples, uint64_t interval_ns);

/* Adds what was measured time_ns after the start; times rise. */
void samples_add(struct samples *samples, uint64_t time_ns, uint64_t bytes);

#endif
