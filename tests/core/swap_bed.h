/* SPDX-License-Identifier: MIT */
/*
 * swap_bed.h: swap on the simulated machine with nothing above it, a codec
 * whose lengths a test sets, and frames that fail on demand: the tests that
 * include this are linked with --wrap for the three functions below.
 */
#ifndef TEST_CORE_SWAP_BED_H
#define TEST_CORE_SWAP_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/swap/swap.h"
#include "random.h"
#include "rig.h"

#define PAGE QR_PAGE_SIZE

/* --- allocations that fail --- */

static long bed_fail_in; /* the n-th allocation from now fails; 0: none */
static bool bed_famine;  /* all of them do */
static bool bed_failed;  /* one has */

static inline bool
bed_fails(void)
{
	bool fails = bed_famine;
	if (bed_fail_in != 0 && --bed_fail_in == 0)
		fails = true;
	if (fails)
		bed_failed = true;
	return fails;
}

struct qr_page *__real_qr_frame_alloc(struct qr_frames *frames, qr_gfp_t gfp,
    unsigned order, enum qr_page_kind kind);
struct qr_page *__wrap_qr_frame_alloc(struct qr_frames *frames, qr_gfp_t gfp,
    unsigned order, enum qr_page_kind kind);
size_t __real_qr_frame_alloc_bulk(struct qr_frames *frames, qr_gfp_t gfp,
    size_t count, enum qr_page_kind kind, struct qr_page **out);
size_t __wrap_qr_frame_alloc_bulk(struct qr_frames *frames, qr_gfp_t gfp,
    size_t count, enum qr_page_kind kind, struct qr_page **out);
void *__real_qr_slab_alloc(struct qr_slab_cache *cache, qr_gfp_t gfp);
void *__wrap_qr_slab_alloc(struct qr_slab_cache *cache, qr_gfp_t gfp);

struct qr_page *
__wrap_qr_frame_alloc(struct qr_frames *frames, qr_gfp_t gfp, unsigned order,
    enum qr_page_kind kind)
{
	return bed_fails() ? NULL
			   : __real_qr_frame_alloc(frames, gfp, order, kind);
}

/* The one that fails of a bulk is the last. */
size_t
__wrap_qr_frame_alloc_bulk(struct qr_frames *frames, qr_gfp_t gfp, size_t count,
    enum qr_page_kind kind, struct qr_page **out)
{
	return __real_qr_frame_alloc_bulk(frames, gfp,
	    bed_fails() ? count - 1 : count, kind, out);
}

void *
__wrap_qr_slab_alloc(struct qr_slab_cache *cache, qr_gfp_t gfp)
{
	return bed_fails() ? NULL : __real_qr_slab_alloc(cache, gfp);
}

/* --- pages that compress to a length --- */

/*
 * A page begins with the length that it compresses to and a seed that the
 * rest is made from; 0: to nothing. Its compressed form is its own beginning.
 */
struct toy_head {
	uint32_t length;
	uint32_t pad;
	uint64_t seed;
};

static inline void
toy_fill(void *page, size_t length, uint64_t seed)
{
	struct toy_head head = { (uint32_t)length, 0, seed | 1 };
	struct test_random random = { head.seed };
	unsigned char *bytes = page;
	memcpy(bytes, &head, sizeof(head));
	for (size_t i = sizeof(head); i < PAGE; i += 8) {
		uint64_t word = test_random_next(&random);
		memcpy(bytes + i, &word, 8);
	}
}

static inline size_t
toy_compress(void *work, const void *data, void *out, size_t capacity)
{
	struct toy_head head;
	memset(work, 0xc0, 64);
	memcpy(&head, data, sizeof(head));
	if (head.length > capacity)
		return 0;
	memcpy(out, data, head.length);
	return head.length;
}

/* Called once, when a page begins to come in. */
static void (*_Atomic toy_hook)(void);

static inline int
toy_expand(void *work, const void *in, size_t length, void *data)
{
	struct toy_head head;
	void (*const none)(void) = NULL;
	void (*hook)(void) = atomic_exchange(&toy_hook, none);
	(void)work;
	if (hook != NULL)
		hook();
	memcpy(&head, in, sizeof(head));
	if (head.length != length || length > PAGE)
		return -QR_EIO;
	toy_fill(data, length, head.seed);
	return memcmp(data, in, length) == 0 ? 0 : -QR_EIO;
}

static const struct qr_codec toy_codec = {
	.name = "toy",
	.compress_bytes = 64,
	.compress = toy_compress,
	.expand = toy_expand,
};

/* The same, but a page needs work memory to come in. */
static inline int
toy_expand_at_work(void *work, const void *in, size_t length, void *data)
{
	int error = toy_expand(NULL, in, length, work);
	memcpy(data, work, PAGE);
	return error;
}

static const struct qr_codec toy_codec_at_work = {
	.name = "toy at work",
	.compress_bytes = 64,
	.expand_bytes = PAGE,
	.compress = toy_compress,
	.expand = toy_expand_at_work,
};

/* --- the bed --- */

struct bed {
	struct rig rig;
	struct qr_slabs *slabs;
	struct qr_swap *swap;
	uint64_t free_pages; /* before there was swap */
	struct test_random random;
	unsigned char page[PAGE];
	unsigned char back[PAGE];
};

struct bed_config {
	uint64_t ram_bytes;  /* 0: 16 MiB */
	uint64_t swap_pages; /* of the device */
	unsigned cpus;
	unsigned flags; /* SIM_* */
	struct qr_swap_config swap;
};

static inline void
bed_start(struct bed *bed, const struct bed_config *config)
{
	const struct sim_config sim = { .ram_bytes = config->ram_bytes,
		.swap_pages = config->swap_pages,
		.cpus = config->cpus,
		.flags = config->flags };
	bed_fail_in = 0;
	bed_famine = false;
	rig_start_sim(&bed->rig, &sim);
	bed->slabs = qr_slab_start(bed->rig.frames);
	assert_non_null(bed->slabs);
	bed->free_pages = rig_free_pages(&bed->rig);
	assert_int_equal(0, qr_swap_create(bed->rig.frames, bed->slabs,
				&config->swap, &bed->swap));
}

static inline void
bed_check(struct bed *bed)
{
	qr_check_swap(bed->swap, QR_CHECK_CHILDREN);
}

static inline struct qr_swap_stat
bed_stat(struct bed *bed)
{
	struct qr_swap_stat stat;
	qr_swap_stat(bed->swap, &stat);
	return stat;
}

static inline void
bed_stop(struct bed *bed)
{
	bed_check(bed);
	qr_swap_destroy(bed->swap);
	(void)qr_slab_shrink_all(bed->slabs);
	assert_int_equal(bed->free_pages, rig_free_pages(&bed->rig));
	qr_slab_stop(bed->slabs);
	rig_stop(&bed->rig);
}

/* Stores a page of that length and seed, which must work. */
static inline uint64_t
bed_store(struct bed *bed, size_t length, uint64_t seed)
{
	uint64_t slot = UINT64_MAX;
	toy_fill(bed->page, length, seed);
	assert_int_equal(0, qr_swap_store(bed->swap, bed->page, &slot));
	return slot;
}

/* Loads the slot, which must hold that page. */
static inline void
bed_expect(struct bed *bed, uint64_t slot, size_t length, uint64_t seed)
{
	toy_fill(bed->page, length, seed);
	memset(bed->back, 0xee, PAGE);
	assert_int_equal(0, qr_swap_load(bed->swap, slot, bed->back));
	assert_memory_equal(bed->page, bed->back, PAGE);
}

/* --- pages as programs have them --- */

#define SAME_KIND 7u /* of fill_page: one repeated word */

/* A page of one of eight kinds, by its seed: heap-like, text, random, … */
static inline void
fill_page(unsigned char *page, uint64_t seed)
{
	struct test_random random = { seed };
	unsigned kind = (unsigned)(seed % 8);
	memset(page, 0, PAGE);
	if (kind == SAME_KIND) {
		memset(page, (int)(seed >> 3 & 0xff), PAGE);
		return;
	}
	for (size_t i = 0; i < PAGE; i += 8) {
		uint64_t word = test_random_next(&random);
		if (kind < 4)
			word = word % (kind + 2) == 0
				   ? 0x7f0000000000 + (word & 0xffff0)
				   : word % 3;
		else if (kind < 6)
			word &= 0x0f0f0f0f0f0f0f0f;
		memcpy(page + i, &word, 8);
	}
}

static inline void
bed_expect_page(struct bed *bed, uint64_t slot, uint64_t seed)
{
	fill_page(bed->page, seed);
	memset(bed->back, 0xee, PAGE);
	assert_int_equal(0, qr_swap_load(bed->swap, slot, bed->back));
	assert_memory_equal(bed->page, bed->back, PAGE);
}

static inline int
bed_store_page(struct bed *bed, uint64_t seed, uint64_t *slot)
{
	fill_page(bed->page, seed);
	return qr_swap_store(bed->swap, bed->page, slot);
}

#endif
