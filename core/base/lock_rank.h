/* SPDX-License-Identifier: MIT */
/*
 * base/lock_rank.h: the lock order of the core, lowest first. A thread that
 * holds a lock of rank r takes only locks of ranks above r. Debug builds
 * check it on every acquire.
 *
 * The busy bit of a page-table entry is no lock of this list, but has a
 * place in it: it may be waited for while holding QR_RANK_SPACE, shared or
 * not, and nothing above; who has set it may take every lock above. So has
 * that of a cached page (cache/cache.c), right after it: who holds entries may
 * wait for a page, who holds a page never waits for an entry.
 */
#ifndef QR_BASE_LOCK_RANK_H
#define QR_BASE_LOCK_RANK_H

enum qr_rank {
	QR_RANK_NONE,
	QR_RANK_MACHINE, /* list of spaces; background reclaim's state */
	QR_RANK_SPACE,   /* a space's areas; shared by faults */
	QR_RANK_SHM,     /* names and keys of shared memory */
	QR_RANK_OBJECTS, /* list of what can be mapped */
	QR_RANK_OBJECT,  /* an object's pages by number */
	QR_RANK_STAGE,   /* a CPU's staging window */
	QR_RANK_PEEK,    /* a CPU's place for mmu_peek */
	QR_RANK_LRU,     /* pages' places on the policy's lists, and rmap */
	QR_RANK_PIN,     /* a space's list of pins */
	QR_RANK_WORK,    /* a codec work area */
	QR_RANK_SLOT,    /* swap slots: states, counts, growth */
	QR_RANK_POOL,    /* compressed pool: classes and their runs;
			     the map of the swap device */
	QR_RANK_VMAP,    /* the core's own virtual ranges and windows */
	QR_RANK_SLABS,   /* list of a machine's slab caches */
	QR_RANK_SLAB,    /* a slab cache's slabs and depot */
	QR_RANK_ZONE,    /* a zone's buddy */
	QR_RANK_PORT,    /* leaf locks inside a port */
	QR_RANK_COUNT,
};

#endif
