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
	bool reclaimable;                /* its owner can shrink it: kept
					    together with its like, and counted
					    apart */
	bool may_merge; /* may be one with another such cache whose objects
			   are laid out the same; not in hard builds, nor with
			   a constructor */
};

struct qr_slab_stat {
	char name[32];
	size_t size_bytes;
	uint64_t objects_used;
	uint64_t objects_total;
	uint64_t slabs;
	uint64_t pages;
	bool reclaimable;
	/* what slabinfo and slabtop show beside these */
	uint32_t object_bytes; /* from one to the next, all included */
	uint32_t objects_per_slab;
	uint32_t pages_per_slab;
	uint32_t magazine_rounds; /* objects that a magazine holds; 0: none */
	uint64_t slabs_active;    /* with an object that is taken */
	uint64_t objects_cached;  /* free, in magazines */
	uint64_t slabs_made;      /* since the start */
	uint32_t users;           /* caches that are this one by merging */
	uint64_t used_bytes;      /* objects used, as large as asked for */
	uint64_t held_bytes;      /* all pages */
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

/* Gives back what has not been needed since this was done last: full magazines
 * that the depot never ran short of meanwhile, and empty slabs. To be called
 * now and then; returns the frames freed. */
size_t qr_slab_reap(struct qr_slab_cache *cache);
size_t qr_slab_reap_all(struct qr_slabs *slabs);

/* Frames of all caches whose owners can shrink them, and of the others: what
 * meminfo calls SReclaimable and SUnreclaim. */
struct qr_slab_sums {
	uint64_t pages_reclaimable;
	uint64_t pages_unreclaimable;
	uint64_t objects_used;
	uint64_t objects_total;
	uint64_t used_bytes;
};

void qr_slab_sum(struct qr_slabs *slabs, struct qr_slab_sums *sums);

/* --- objects of any size: kmalloc.c --- */

/* Largest size that is cut from slabs; above it, whole frames. */
#define QR_KMALLOC_SLAB_MAX 16384u

struct qr_kmalloc;

/* NULL: no memory. */
QR_MUST_CHECK struct qr_kmalloc *qr_kmalloc_create(struct qr_slabs *slabs);

/* All that came from it must have been freed. */
void qr_kmalloc_destroy(struct qr_kmalloc *kmalloc);

/* size_bytes, aligned to 8, to 16 from 16 bytes on, and to the size where that
 * is a power of two up to a page. With QR_GFP_RECLAIMABLE from caches that are
 * counted as such; with QR_GFP_ZERO zeroed. NULL: no memory, or larger than
 * the largest block. Size 0 is as 1. */
QR_MUST_CHECK void *qr_kmalloc(struct qr_kmalloc *kmalloc, size_t size_bytes,
    qr_gfp_t gfp);

/* NULL is nothing. Panics if there is no such object. */
void qr_kfree(struct qr_kmalloc *kmalloc, void *object);

/* Bytes that may be used of an object. */
size_t qr_ksize(struct qr_kmalloc *kmalloc, const void *object);

/* Contents up to the smaller size are kept; the object is as it was if NULL:
 * no memory. NULL as object: qr_kmalloc. */
QR_MUST_CHECK void *qr_krealloc(struct qr_kmalloc *kmalloc, void *object,
    size_t size_bytes, qr_gfp_t gfp);

/* Fills stats[0..max); returns how many caches there are, those that slab/
 * needs itself included. */
size_t qr_slab_stat(struct qr_slabs *slabs, struct qr_slab_stat *stats,
    size_t max);

void qr_check_slabs(struct qr_slabs *slabs, enum qr_check_depth depth);

#endif
