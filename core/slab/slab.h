/* SPDX-License-Identifier: MIT */
/*
 * slab/slab.h: caches of equal objects, cut from frames of the direct map.
 * Every object of the core itself comes from here.
 */
#ifndef QR_SLAB_H
#define QR_SLAB_H

#include "../frame/frame.h"

struct qr_slab_cache; /* slab_impl.h */
struct qr_slabs;      /* all caches of a machine; slab_impl.h */

struct qr_slab_config {
	const char *name;  /* kept, not copied; at most 31 characters */
	size_t size_bytes; /* 1 to 16384 */
	size_t align;      /* power of two up to 4096; 0: 8 */
	void (*construct)(void *object); /* once, when its slab is made and
					    with no lock held; an object is
					    freed in that state. NULL: none */
	bool reclaimable;                /* its owner can shrink it; for the
					    statistics */
};

struct qr_slab_stat {
	char name[32];
	size_t size_bytes;
	uint64_t objects_used;
	uint64_t objects_total;
	uint64_t slabs;
	uint64_t pages;
	bool reclaimable;
};

/* The set of caches; made from a bootstrap frame. NULL: no memory. */
QR_MUST_CHECK struct qr_slabs *qr_slab_start(struct qr_frames *frames);

/* All caches must have been destroyed. */
void qr_slab_stop(struct qr_slabs *slabs);

QR_MUST_CHECK struct qr_slab_cache *qr_slab_create(struct qr_slabs *slabs,
    const struct qr_slab_config *config);

/* Every object must have been freed; panics with the count if not. */
void qr_slab_destroy(struct qr_slab_cache *cache);

/* NULL: no memory. Contents are as constructed, else undefined. */
QR_MUST_CHECK void *qr_slab_alloc(struct qr_slab_cache *cache, qr_gfp_t gfp);

/* As many as count objects, so that what follows can't fail: 0 or
 * -QR_ENOMEM with none taken. */
QR_MUST_CHECK int qr_slab_alloc_bulk(struct qr_slab_cache *cache, qr_gfp_t gfp,
    size_t count, void **objects);

void qr_slab_free(struct qr_slab_cache *cache, void *object);

/* Empties the magazines and gives empty slabs back; returns the frames
 * freed. */
size_t qr_slab_shrink(struct qr_slab_cache *cache);
size_t qr_slab_shrink_all(struct qr_slabs *slabs);

/* Fills stats[0..max); returns how many caches there are, those that slab/
 * needs itself included. */
size_t qr_slab_stat(struct qr_slabs *slabs, struct qr_slab_stat *stats,
    size_t max);

void qr_check_slabs(struct qr_slabs *slabs, enum qr_check_depth depth);

#endif
