/* SPDX-License-Identifier: MIT */
/* sums_cache.c: a sorted array of processes. */
#include "sums_cache.h"

#include <stdlib.h>
#include <string.h>

void
sums_cache_fini(struct sums_cache *cache)
{
	free(cache->entries);
	*cache = (struct sums_cache){ 0 };
}

/* Where the process is, or would be. */
static size_t
place_of(const struct sums_cache *cache, int pid)
{
	size_t low = 0, high = cache->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (cache->entries[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct sums_entry *
sums_cache_find(const struct sums_cache *cache, int pid)
{
	size_t place = place_of(cache, pid);
	if (place == cache->count || cache->entries[place].pid != pid)
		return NULL;
	return &cache->entries[place];
}

struct sums_entry *
sums_cache_get(struct sums_cache *cache, int pid)
{
	size_t place = place_of(cache, pid);
	if (place < cache->count && cache->entries[place].pid == pid)
		return &cache->entries[place];
	cache->entries =
	    grow(cache->entries, (cache->count + 1) * sizeof(*cache->entries));
	memmove(&cache->entries[place + 1], &cache->entries[place],
	    (cache->count - place) * sizeof(*cache->entries));
	cache->count++;
	cache->entries[place] = (struct sums_entry){ .pid = pid, .rss = -1 };
	return &cache->entries[place];
}

bool
sums_cache_holds(const struct sums_cache *cache, const struct sums_entry *entry,
    int64_t rss, int64_t vss, int64_t swap)
{
	/* Spread, so that not all grow old in one round. */
	double age_max = cache->age_max + entry->pid % 8;
	return entry->rss == rss && entry->vss == vss && entry->swap == swap &&
	       cache->now - entry->read_at < age_max;
}

void
sums_entry_note(struct sums_entry *entry, double now)
{
	if (entry->history_count == HISTORY) {
		memmove(entry->history, entry->history + 1,
		    (HISTORY - 1) * sizeof(entry->history[0]));
		memmove(entry->times, entry->times + 1,
		    (HISTORY - 1) * sizeof(entry->times[0]));
		entry->history_count--;
	}
	entry->history[entry->history_count] = entry->sums.value[SMAPS_PSS];
	entry->times[entry->history_count++] = now;
}

void
sums_cache_sweep(struct sums_cache *cache)
{
	size_t kept = 0;
	for (size_t i = 0; i < cache->count; i++)
		if (cache->entries[i].seen_at >= cache->now)
			cache->entries[kept++] = cache->entries[i];
	cache->count = kept;
}
