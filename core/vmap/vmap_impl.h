/* SPDX-License-Identifier: MIT */
/*
 * vmap/vmap_impl.h: what the files of vmap/ share.
 *
 * Keys: (c) constant once made, (v) the map's lock, (a) atomic.
 */
#ifndef QR_VMAP_IMPL_H
#define QR_VMAP_IMPL_H

#include "vmap.h"

#include "port_inline.h"

#define VMAP_SIGNATURE QR_SIGNATURE('V', 'm', 'a', 'p')

/* One range. */
struct vmap_area {
	struct qr_segment segment; /* (v) pages, with the guard page */
	struct qr_list lazy;       /* (v) freed ones that wait */
	const void *caller;        /* (c) */
	uint64_t pages;            /* (c) */
	uint32_t first;            /* (c) pfn, linked by next */
	bool is_freed;             /* (v) */
};

/* A window of qr_kmap. */
struct kmap_window {
	qr_pfn_t pfn;   /* (v) what is mapped there; with users 0 perhaps */
	uint32_t users; /* (v) */
	bool is_mapped; /* (v) also after the last user, until a flush */
};

struct qr_vmap {
	uint32_t signature;
	struct qr_frames *frames;    /* (c) */
	const struct qr_port *port;  /* (c) */
	struct qr_page *block;       /* (c) holds this struct */
	struct qr_slab_cache *areas; /* (c) */
	struct qr_lock lock;         /* rank QR_RANK_VMAP */
	struct qr_arena arena;       /* (v) page numbers */
	struct qr_list lazy;         /* (v) freed areas */
	uint64_t lazy_pages;         /* (v) */
	uint64_t mapped_pages;       /* (v) */
	uint64_t purges;             /* (v) */

	/* --- windows --- */
	struct qr_segment window_segment;           /* (c) of all of them */
	struct kmap_window window[QR_KMAP_WINDOWS]; /* (v) */
	uint64_t window_flushes;                    /* (v) */
	_Atomic(uint32_t) local_used[QR_CPUS_MAX];  /* (a) bit i: window i of
						       the CPU is in use */
};

static inline qr_vaddr_t
page_address(uint64_t page)
{
	return page << QR_PAGE_SHIFT;
}

/* --- kmap.c --- */

/* Pages that all windows take. */
uint64_t qr_kmap_pages(const struct qr_port *port);
void qr_kmap_fini(struct qr_vmap *vmap);
uint64_t qr_kmap_in_use_locked(const struct qr_vmap *vmap);
void qr_check_kmap_locked(const struct qr_vmap *vmap);

/* One event of this folder. */
#define VMAP_TRACE(vmap, event, a, b, c)                                       \
	QR_TRACE(qr_frame_trace((vmap)->frames), (vmap)->port, event, a, b, c)

#endif
