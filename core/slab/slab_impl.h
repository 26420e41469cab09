/* SPDX-License-Identifier: MIT */
/*
 * slab/slab_impl.h: what the files of slab/ share: a cache, layer by layer.
 *
 * Keys: (c) constant once made, (s) the cache's lock, (b) who is in the
 * CPU's busy word, (l) the list lock of the machine's caches, (a) atomic.
 */
#ifndef QR_SLAB_IMPL_H
#define QR_SLAB_IMPL_H

#include <stdatomic.h>

#include "../base/busy.h"
#include "../base/list.h"
#include "port_inline.h"
#include "slab.h"

#define SLAB_ORDER_MAX                                                         \
	3u /* slabs of up to 8 frames: two of the largest
			      objects, so that not half is waste */
#define SLAB_SIZE_MAX  16384u
#define SLAB_ALIGN_MAX 4096u
#define SLAB_NAME_MAX  31u
#define SLAB_INDEX_NIL UINT16_MAX /* end of a slab's free list */
#define MAGAZINE_SIZES 3u         /* see magazine.c */

/* Rounds are objects that are free, of one cache. A magazine in a depot is
 * full or empty; in a CPU its count stands beside it. */
struct qr_magazine {
	struct qr_magazine *next; /* (s) in the depot */
	void *rounds[];
};

/* What one CPU keeps of one cache: 64 bytes, so that no two share a line. */
struct qr_slab_cpu {
	struct qr_busy busy;          /* who is in here */
	uint32_t count;               /* (b) rounds in loaded */
	uint32_t room;                /* (b) rounds that loaded can hold; 0:
					 there are no magazines yet */
	uint32_t previous_count;      /* (b) 0 or room */
	struct qr_magazine *loaded;   /* (b) */
	struct qr_magazine *previous; /* (b) */
	uint64_t unused[3];
};
_Static_assert(sizeof(struct qr_slab_cpu) == 64, "a cache line a CPU");

/* Where a slab is: by how many of its objects are taken. */
enum slab_list {
	SLAB_EMPTY,   /* none */
	SLAB_PARTIAL, /* some */
	SLAB_FULL,    /* all */
	SLAB_LISTS,
};

struct qr_slab_cache {
	/* --- CPU layer --- */
	const struct qr_port *port; /* (c) */
	struct qr_slab_cpu *cpu;    /* (c) [port->cpu_count] or NULL */
	uint32_t rounds;            /* (c) of its magazines; 0: none */
	uint32_t signature;

	/* --- properties --- */
	struct qr_slabs *slabs;          /* (c) */
	const char *name;                /* (c) */
	void (*construct)(void *object); /* (c) NULL: none */
	uint32_t size_bytes;             /* (c) as asked for */
	uint32_t stride;                 /* (c) from object to object, bytes */
	uint32_t stride_inverse;         /* (c) 2^32 / stride, rounded up */
	uint32_t link_offset;            /* (c) of a free object's link */
	uint32_t guard_offset;           /* (c) of struct guard; hard builds */
	uint32_t capacity;               /* (c) objects in a slab */
	uint32_t order;                  /* (c) a slab is 1 << order frames */
	uint32_t colours;                /* (c) offsets that are tried */
	uint32_t colour_step;            /* (c) bytes between them */
	bool reclaimable;                /* (c) */
	bool may_merge;                  /* (c) */
	uint32_t align;                  /* (c) as carved */
	uint32_t users;                  /* (l) by merging */
	struct qr_list node;             /* (l) in slabs->list */

	/* --- depot --- */
	struct qr_lock lock;             /* rank QR_RANK_SLAB */
	struct qr_slab_cache *magazines; /* (c) where magazines come from */
	struct qr_magazine *depot_full;  /* (s) each with all its rounds */
	struct qr_magazine *depot_empty; /* (s) each with none */
	uint32_t depot_full_count;       /* (s) */
	uint32_t depot_full_max;         /* (c) */
	uint32_t depot_full_low;         /* (s) least of it since the last
					    reap */

	/* --- slab layer --- */
	uint32_t first[SLAB_LISTS];    /* (s) pfn or QR_PFN_NIL */
	_Atomic(uint32_t) colour_turn; /* (a) slabs made so far */
	uint64_t slab_count;           /* (s) */
	uint64_t empty_count;          /* (s) of these on SLAB_EMPTY */
	uint64_t taken;                /* (s) objects off the slabs' free
					     lists: used or in magazines */
};

/* In one frame, which is taken first and given back last. */
struct qr_slabs {
	uint32_t signature;
	struct qr_frames *frames;    /* (c) */
	const struct qr_port *port;  /* (c) */
	unsigned char *direct_map;   /* (c) where frame 0's bytes are */
	struct qr_page *page;        /* (c) holds this struct */
	struct qr_lock lock;         /* rank QR_RANK_SLABS */
	struct qr_list list;         /* (l) all caches, these four last */
	struct qr_slab_cache caches; /* of struct qr_slab_cache */
	struct qr_slab_cache magazines[MAGAZINE_SIZES];
};
_Static_assert(sizeof(struct qr_slabs) <= 4096, "it fits one frame");

/* One event of this folder; the cache is named by its address. */
#define SLAB_TRACE(cache, event, a, b, c)                                      \
	QR_TRACE(qr_frame_trace((cache)->slabs->frames), (cache)->port, event, \
	    (uintptr_t)(a), b, c)

#define SLAB_SIGNATURE  QR_SIGNATURE('S', 'l', 'a', 'b')
#define SLABS_SIGNATURE QR_SIGNATURE('S', 'l', 'b', 's')

/* As qr_slab_create, for a caller that may not reclaim. */
QR_MUST_CHECK struct qr_slab_cache *qr_slab_create_gfp(struct qr_slabs *slabs,
    const struct qr_slab_config *config, qr_gfp_t gfp);

/* --- carve.c: slabs and their free lists --- */

void qr_carve_init(struct qr_slab_cache *cache, struct qr_slabs *slabs,
    const struct qr_slab_config *config);

/* A new slab, of which one object is returned as taken. No lock held; may do
 * what gfp allows. NULL: no memory. */
void *qr_carve_grow(struct qr_slab_cache *cache, qr_gfp_t gfp);

/* Up to count objects out of the slabs there are; returns how many. Cache's
 * lock held. */
size_t qr_carve_take_locked(struct qr_slab_cache *cache, size_t count,
    void **objects);

/* Gives objects back to their slabs; returns how many frames became free by
 * it. Cache's lock held. */
size_t qr_carve_give_locked(struct qr_slab_cache *cache, size_t count,
    void **objects);

/* The two above for one object, with the lock taken here. */
void *qr_carve_take_one(struct qr_slab_cache *cache);
size_t qr_carve_give_one(struct qr_slab_cache *cache, void *object);

/* Frees empty slabs but keep; returns how many frames. Cache's lock held. */
size_t qr_carve_trim_locked(struct qr_slab_cache *cache, uint64_t keep);

/* Panics if there is no object of the cache at that place. */
void qr_carve_check_object(const struct qr_slab_cache *cache,
    const void *object);

/* Checks slabs and free lists. Cache's lock held. */
void qr_check_carve_locked(const struct qr_slab_cache *cache);

/* --- magazine.c: CPU layer and depot --- */

/* Gives the cache, which is carved, a CPU layer: cpu[port->cpu_count]. */
void qr_magazine_init(struct qr_slab_cache *cache, struct qr_slab_cpu *cpu);

/* Bytes of a magazine of slabs->magazines[size_index]. */
size_t qr_magazine_bytes(unsigned size_index);

/* The CPU, entered by the caller, has nothing loaded: loads and returns an
 * object, or NULL if neither magazines nor slabs have one. Asks for no
 * memory. */
void *qr_magazine_reload(struct qr_slab_cache *cache, struct qr_slab_cpu *cpu);

/* The CPU, entered by the caller, has no room: makes some. False: there is
 * no memory for magazines. */
bool qr_magazine_make_room(struct qr_slab_cache *cache,
    struct qr_slab_cpu *cpu);

/* Empties all magazines that nobody is using into the slabs and frees them;
 * returns how many frames became free by it. */
size_t qr_magazine_flush(struct qr_slab_cache *cache);

/* Objects in all magazines that nobody is using. */
uint64_t qr_magazine_stock(struct qr_slab_cache *cache);

/* Empties the full magazines that were not needed since the last time. */
size_t qr_magazine_reap(struct qr_slab_cache *cache);

void qr_check_magazines(struct qr_slab_cache *cache);

/* --- guard.c: what hard builds keep behind each object --- */

/* Bytes of an object with its guard; *offset is the guard's. */
uint32_t qr_guard_extend(uint32_t size_bytes, uint32_t *offset);

/* An object of a new slab, constructed. */
void qr_guard_init(const struct qr_slab_cache *cache, void *object);

/* site: where the call came from, for messages. */
void qr_guard_on_alloc(const struct qr_slab_cache *cache, void *object,
    void *site);
void qr_guard_on_free(const struct qr_slab_cache *cache, void *object,
    void *site);

/* Panics if the object, which lies on a free list, is not intact. */
void qr_guard_check_free(const struct qr_slab_cache *cache, const void *object);

#endif
