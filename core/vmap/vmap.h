/* SPDX-License-Identifier: MIT */
/*
 * vmap/vmap.h: virtual ranges of the core itself: scattered frames made
 * contiguous, and windows for frames beyond the direct map.
 */
#ifndef QR_VMAP_H
#define QR_VMAP_H

#include "../slab/slab.h"
#include "arena.h"

struct qr_vmap; /* vmap_impl.h */

/* The port's kernel_start to kernel_end, by that policy. -QR_EOPNOTSUPP: the
 * port has no such range; -QR_ENOMEM. */
QR_MUST_CHECK int qr_vmap_create(struct qr_frames *frames,
    struct qr_slabs *slabs, enum qr_fit fit, struct qr_vmap **vmap);

/* All that came from it must have been given back. */
void qr_vmap_destroy(struct qr_vmap *vmap);

/*
 * size_bytes, rounded up to pages, of contiguous addresses on single frames
 * from anywhere that gfp allows (the direct map is not needed), with a page
 * behind that every touch of is an error. With QR_GFP_ZERO zeroed. NULL: no
 * memory, or no room. May reclaim if gfp says so; no lock held.
 */
QR_MUST_CHECK void *qr_vmalloc(struct qr_vmap *vmap, size_t size_bytes,
    qr_gfp_t gfp);

/* Address and frames are free for others at the next purge at the latest.
 * NULL is nothing. Panics if there is no such range. */
void qr_vfree(struct qr_vmap *vmap, void *address);

/* Unmaps all that was freed, with as few flushes as can be, and gives the
 * frames back. Returns their number. It also happens when QR_VMAP_LAZY_MAX
 * pages wait, and before an allocation fails. */
size_t qr_vmap_purge(struct qr_vmap *vmap);

/* Pages of freed ranges that may wait to be unmapped together: 2 MiB. */
#define QR_VMAP_LAZY_MAX 512u

/* One range, as vmallocinfo shows it. */
struct qr_vmap_info {
	qr_vaddr_t start;
	uint64_t pages;     /* without the guard page */
	const void *caller; /* where it was asked for */
	bool is_freed;      /* waits to be unmapped */
};

/* Calls visit for each range, rising, with no lock held that visit could
 * need, but what it is told may be over by then. */
void qr_vmap_for_each(struct qr_vmap *vmap,
    void (*visit)(void *ctx, const struct qr_vmap_info *info), void *ctx);

struct qr_vmap_stat {
	uint64_t total_pages;   /* of addresses */
	uint64_t used_pages;    /* of these taken, guard pages included */
	uint64_t largest_pages; /* free in one piece */
	uint64_t ranges;
	uint64_t mapped_pages; /* frames of ranges in use */
	uint64_t lazy_pages;   /* frames that wait */
	uint64_t purges;
	uint64_t windows; /* kmap windows in use */
	uint64_t window_flushes;
};

void qr_vmap_stat(struct qr_vmap *vmap, struct qr_vmap_stat *stat);

/* --- windows; kmap.c --- */

/*
 * Where the page's bytes are for the core: in the direct map, if they are
 * there, else in a window that stays until as many qr_kunmap. Several users
 * share one. NULL: all windows are in use.
 */
QR_MUST_CHECK void *qr_kmap(struct qr_vmap *vmap, struct qr_page *page);
void qr_kunmap(struct qr_vmap *vmap, struct qr_page *page);

/*
 * A window of this CPU for a short time: taken and given back without a lock,
 * in any place where nothing else is possible. One that is not in use is
 * caught when it is given back. NULL: QR_KMAP_LOCAL_DEPTH are in use on each
 * CPU.
 */
QR_MUST_CHECK void *qr_kmap_local(struct qr_vmap *vmap, struct qr_page *page);
void qr_kunmap_local(struct qr_vmap *vmap, void *address);

#define QR_KMAP_WINDOWS     64u /* that qr_kmap has */
#define QR_KMAP_LOCAL_DEPTH 8u  /* windows of each CPU */

void qr_check_vmap(struct qr_vmap *vmap);

#endif
