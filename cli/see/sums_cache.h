/* SPDX-License-Identifier: MIT */
/*
 * sums_cache.h: what was last read of the pages of each process, for who
 * looks again and again. Reading them holds the process's mapping lock, so a
 * process whose size, rss and swap have not moved is read only every so often.
 */
#ifndef CLI_SEE_SUMS_CACHE_H
#define CLI_SEE_SUMS_CACHE_H

#include "process.h"

#define HISTORY 8u /* rounds of pss that are kept */

struct sums_entry {
	int pid;
	int64_t rss, vss, swap; /* of status, when it was read */
	double read_at;         /* seconds */
	double seen_at;
	struct area_sums sums;
	int64_t history[HISTORY]; /* of pss, newest last */
	double times[HISTORY];
	unsigned history_count;
	char command[256]; /* its command line, cut; "": not known */
	char comm[64];     /* its name when that was read: exec changes it */
};

struct sums_cache {
	struct sums_entry *entries; /* by pid */
	size_t count;
	double now;        /* seconds, set by the user of the cache */
	double age_max;    /* of what has not moved, seconds */
	size_t read, kept; /* of the round */
};

void sums_cache_fini(struct sums_cache *cache);

/* The entry of a process; it is made if there is none. It moves when others
 * are made. */
struct sums_entry *sums_cache_get(struct sums_cache *cache, int pid);
/* NULL: there is none. */
struct sums_entry *sums_cache_find(const struct sums_cache *cache, int pid);

/* Whether the entry still holds for a process of these numbers. */
bool sums_cache_holds(const struct sums_cache *cache,
    const struct sums_entry *entry, int64_t rss, int64_t vss, int64_t swap);

/* Notes the pss of the round. */
void sums_entry_note(struct sums_entry *entry, double now);

/* Drops who has not been seen since the round began. */
void sums_cache_sweep(struct sums_cache *cache);

#endif
