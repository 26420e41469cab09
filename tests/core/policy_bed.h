/* SPDX-License-Identifier: MIT */
/*
 * tests/core/policy_bed.h: a cache of pages with a replacement policy of the
 * core's in charge of it, evicting one page at a time, and the traces that
 * tests and benchmarks drive it with.
 *
 * Touches reach the policy as on a machine: a hit sets the page's young mark,
 * which the policy finds when it looks, and so does the touch that brings a
 * page in. Or, for comparison, each hit is told and nothing is marked; or hits
 * leave no trace.
 */
#ifndef POLICY_BED_H
#define POLICY_BED_H

#include <stdlib.h>
#include <string.h>

#include "core/reclaim/policy.h"
#include "tests/random.h"

#define POLICY_IDS_MAX 65536u

enum policy_touches {
	POLICY_TOLD,   /* accessed() for each hit */
	POLICY_MARKED, /* young marks */
	POLICY_UNSEEN, /* none, where the MMU keeps no marks */
};

struct policy_bed {
	struct qr_lru lru;
	struct qr_frames *frames;
	enum policy_touches touches;
	size_t capacity;        /* pages */
	size_t count;           /* pages in */
	struct qr_page **spare; /* [capacity] frames not in use, a stack */
	uint64_t first_pfn;     /* lowest of them */
	struct qr_page *page_of[POLICY_IDS_MAX]; /* by id; NULL: out */
	uint64_t evicted_at[POLICY_IDS_MAX];     /* UINT64_MAX: never was */
	uint32_t id_of[POLICY_IDS_MAX];          /* by pfn - first_pfn */
	bool young[POLICY_IDS_MAX];              /* likewise */
	uint64_t evictions;
	uint64_t misses;
};

static inline size_t
policy_bed_index(const struct policy_bed *bed, const struct qr_page *page)
{
	return (size_t)(qr_frame_pfn(bed->frames, page) - bed->first_pfn);
}

static inline bool
policy_bed_test_young(void *ctx, struct qr_page *page)
{
	struct policy_bed *bed = ctx;
	size_t index = policy_bed_index(bed, page);
	bool young = bed->young[index];
	bed->young[index] = false;
	return young;
}

/* Every third id is written to. */
static inline bool
policy_id_is_dirty(uint32_t id)
{
	return id % 3 == 0;
}

static inline bool
policy_bed_test_dirty(void *ctx, struct qr_page *page)
{
	struct policy_bed *bed = ctx;
	return policy_id_is_dirty(bed->id_of[policy_bed_index(bed, page)]);
}

/* Two of five are pages of files. */
static inline bool
policy_id_is_file(uint32_t id)
{
	return id % 5 < 2;
}

static inline bool
policy_bed_is_file(void *ctx, struct qr_page *page)
{
	struct policy_bed *bed = ctx;
	return policy_id_is_file(bed->id_of[policy_bed_index(bed, page)]);
}

static inline uint64_t
policy_bed_identity(void *ctx, struct qr_page *page)
{
	struct policy_bed *bed = ctx;
	return bed->id_of[policy_bed_index(bed, page)];
}

/* NULL: no memory, of the host or of frames. */
static inline struct policy_bed *
policy_bed_new(struct qr_frames *frames, const char *policy, size_t capacity,
    enum policy_touches touches)
{
	struct policy_bed *bed = calloc(1, sizeof(*bed));
	if (bed == NULL)
		return NULL;
	bed->frames = frames;
	bed->touches = touches;
	bed->capacity = capacity;
	bed->spare = calloc(capacity, sizeof(struct qr_page *));
	bed->first_pfn = UINT64_MAX;
	for (size_t i = 0; i < capacity; i++) {
		struct qr_page *page =
		    qr_frame_alloc(frames, QR_GFP_RESERVE, 0, QR_PAGE_USER);
		if (page == NULL)
			abort();
		bed->spare[i] = page;
		uint64_t pfn = qr_frame_pfn(frames, page);
		if (pfn < bed->first_pfn)
			bed->first_pfn = pfn;
	}
	for (size_t i = 0; i < POLICY_IDS_MAX; i++)
		bed->evicted_at[i] = UINT64_MAX;
	if (qr_lru_init(&bed->lru, qr_policy_find(policy), frames) != 0)
		abort();
	bed->lru.test_young = policy_bed_test_young;
	bed->lru.test_dirty = policy_bed_test_dirty;
	bed->lru.is_file = policy_bed_is_file;
	bed->lru.identity = policy_bed_identity;
	bed->lru.ctx = bed;
	return bed;
}

/* Makes the page's frame a spare one. */
static inline void
policy_bed_forget(struct policy_bed *bed, struct qr_page *page)
{
	bed->page_of[bed->id_of[policy_bed_index(bed, page)]] = NULL;
	atomic_store(&page->flags, 0);
	bed->spare[bed->capacity - bed->count] = page;
	bed->count--;
}

static inline void
policy_bed_end(struct policy_bed *bed)
{
	for (size_t id = 0; id < POLICY_IDS_MAX; id++) {
		struct qr_page *page = bed->page_of[id];
		if (page == NULL)
			continue;
		bed->lru.policy->remove(&bed->lru, page);
		policy_bed_forget(bed, page);
	}
	qr_lru_fini(&bed->lru);
	qr_frame_free_bulk(bed->frames, bed->spare, bed->capacity);
	free(bed->spare);
	free(bed);
}

static inline void
policy_bed_evict(struct policy_bed *bed)
{
	struct qr_page *page = bed->lru.policy->pick(&bed->lru);
	if (page == NULL)
		abort();
	uint32_t id = bed->id_of[policy_bed_index(bed, page)];
	bed->evicted_at[id] = bed->evictions++;
	policy_bed_forget(bed, page);
}

/* One access. */
static inline void
policy_bed_access(struct policy_bed *bed, uint32_t id)
{
	struct qr_page *page = bed->page_of[id];
	if (page != NULL) {
		if (bed->touches == POLICY_MARKED)
			bed->young[policy_bed_index(bed, page)] = true;
		else if (bed->touches == POLICY_TOLD)
			bed->lru.policy->accessed(&bed->lru, page);
		return;
	}
	bed->misses++;
	if (bed->count == bed->capacity)
		policy_bed_evict(bed);
	bed->count++;
	page = bed->spare[bed->capacity - bed->count];
	size_t index = policy_bed_index(bed, page);
	bed->page_of[id] = page;
	bed->id_of[index] = id;
	uint64_t was = bed->evicted_at[id];
	bed->lru.policy->insert(&bed->lru, page,
	    was == UINT64_MAX ? UINT64_MAX : bed->evictions - was);
	bed->young[index] = bed->touches != POLICY_TOLD;
}

/* --- traces --- */

struct policy_trace {
	const char *name;
	uint32_t *ids;
	size_t length;
	uint32_t span; /* ids are below */
};

/* Skewed: half of the accesses go to an eighth of the ids. */
static inline uint32_t
policy_draw_skewed(struct test_random *random, uint32_t span)
{
	uint64_t x = test_random_below(random, 1u << 20);
	return (uint32_t)((x * x >> 20) * x * span >> 40);
}

/* Not in the order of the ids, so that a scan meets hot and cold mixed. */
static inline uint32_t
policy_scatter(uint32_t id, uint32_t span)
{
	return (uint32_t)((uint64_t)id * 40503u % span);
}

static inline struct policy_trace
policy_trace_new(const char *name, size_t length, uint32_t span)
{
	struct policy_trace trace = { .name = name,
		.ids = calloc(length, sizeof(uint32_t)),
		.length = length,
		.span = span };
	if (trace.ids == NULL || span > POLICY_IDS_MAX)
		abort();
	return trace;
}

static inline struct policy_trace
policy_trace_random(struct test_random *random, size_t length, uint32_t span)
{
	struct policy_trace trace = policy_trace_new("random", length, span);
	for (size_t i = 0; i < length; i++)
		trace.ids[i] = (uint32_t)test_random_below(random, span);
	return trace;
}

static inline struct policy_trace
policy_trace_skewed(struct test_random *random, size_t length, uint32_t span)
{
	struct policy_trace trace = policy_trace_new("skewed", length, span);
	for (size_t i = 0; i < length; i++)
		trace.ids[i] =
		    policy_scatter(policy_draw_skewed(random, span), span);
	return trace;
}

static inline struct policy_trace
policy_trace_loop(size_t length, uint32_t span)
{
	struct policy_trace trace = policy_trace_new("loop", length, span);
	for (size_t i = 0; i < length; i++)
		trace.ids[i] = (uint32_t)(i % span);
	return trace;
}

/* Skewed on the lower half of the ids, and now and then a scan through the
 * upper half, four touches a page. */
static inline struct policy_trace
policy_trace_scan(struct test_random *random, size_t length, uint32_t span)
{
	struct policy_trace trace = policy_trace_new("scan", length, span);
	uint32_t half = span / 2;
	uint32_t at = 0;
	size_t scanning = 0;
	for (size_t i = 0; i < length; i++) {
		if (scanning == 0 && test_random_below(random, half) == 0)
			scanning = (size_t)half * 2;
		if (scanning != 0 && i % 2 == 0) {
			scanning--;
			trace.ids[i] = half + at / 4 % half;
			at++;
			continue;
		}
		trace.ids[i] =
		    policy_scatter(policy_draw_skewed(random, half), half);
	}
	return trace;
}

/* A working set that moves: skewed round a slowly growing centre. */
static inline struct policy_trace
policy_trace_drift(struct test_random *random, size_t length, uint32_t span)
{
	struct policy_trace trace = policy_trace_new("drift", length, span);
	for (size_t i = 0; i < length; i++) {
		uint64_t centre = (uint64_t)i * span / length;
		trace.ids[i] =
		    (uint32_t)((centre + policy_draw_skewed(random, span / 2)) %
			       span);
	}
	return trace;
}

#endif
