/* SPDX-License-Identifier: MIT */
/*
 * alloc_fail.h: allocations of the core that fail on demand. The tests that
 * include this are linked with --wrap for the four functions below, so each
 * call from another file of the core comes through here.
 */
#ifndef TEST_CORE_ALLOC_FAIL_H
#define TEST_CORE_ALLOC_FAIL_H

#include "core/slab/slab.h"

static long alloc_fail_in; /* the n-th allocation from now fails; 0: none */
static bool alloc_failed;  /* it has */
static size_t alloc_bulk_max = SIZE_MAX; /* frames that one bulk call gives */

static inline bool
alloc_fails(void)
{
	if (alloc_fail_in == 0 || --alloc_fail_in != 0)
		return false;
	alloc_failed = true;
	return true;
}

struct qr_page *__real_qr_frame_alloc(struct qr_frames *frames, qr_gfp_t gfp,
    unsigned order, enum qr_page_kind kind);
struct qr_page *__wrap_qr_frame_alloc(struct qr_frames *frames, qr_gfp_t gfp,
    unsigned order, enum qr_page_kind kind);
void *__real_qr_slab_alloc(struct qr_slab_cache *cache, qr_gfp_t gfp);
void *__wrap_qr_slab_alloc(struct qr_slab_cache *cache, qr_gfp_t gfp);
int __real_qr_slab_alloc_bulk(struct qr_slab_cache *cache, qr_gfp_t gfp,
    size_t count, void **objects);
int __wrap_qr_slab_alloc_bulk(struct qr_slab_cache *cache, qr_gfp_t gfp,
    size_t count, void **objects);

size_t __real_qr_frame_alloc_bulk(struct qr_frames *frames, qr_gfp_t gfp,
    size_t count, enum qr_page_kind kind, struct qr_page **out);
size_t __wrap_qr_frame_alloc_bulk(struct qr_frames *frames, qr_gfp_t gfp,
    size_t count, enum qr_page_kind kind, struct qr_page **out);

struct qr_page *
__wrap_qr_frame_alloc(struct qr_frames *frames, qr_gfp_t gfp, unsigned order,
    enum qr_page_kind kind)
{
	return alloc_fails() ? NULL
			     : __real_qr_frame_alloc(frames, gfp, order, kind);
}

void *
__wrap_qr_slab_alloc(struct qr_slab_cache *cache, qr_gfp_t gfp)
{
	return alloc_fails() ? NULL : __real_qr_slab_alloc(cache, gfp);
}

int
__wrap_qr_slab_alloc_bulk(struct qr_slab_cache *cache, qr_gfp_t gfp,
    size_t count, void **objects)
{
	return alloc_fails()
		   ? -QR_ENOMEM
		   : __real_qr_slab_alloc_bulk(cache, gfp, count, objects);
}

size_t
__wrap_qr_frame_alloc_bulk(struct qr_frames *frames, qr_gfp_t gfp, size_t count,
    enum qr_page_kind kind, struct qr_page **out)
{
	count = count < alloc_bulk_max ? count : alloc_bulk_max;
	return __real_qr_frame_alloc_bulk(frames, gfp, count, kind, out);
}

#endif
