/* SPDX-License-Identifier: MIT */
/*
 * cache/cache.h: pages by (object, number): files, and memory that several
 * spaces share. What the embedder calls is in <qr/object.h>; here is what the
 * folders above see.
 */
#ifndef QR_CACHE_H
#define QR_CACHE_H

#include <qr/object.h>

#include "../base/list.h"
#include "../base/tree.h"
#include "../swap/swap.h"
#include "index.h"

struct qr_cache;

/* What became of the write rights to a page. */
enum qr_clean {
	QR_CLEAN_DONE,   /* nobody can write to it, and it is not dirty */
	QR_CLEAN_BUSY,   /* an entry is in somebody's hands */
	QR_CLEAN_PINNED, /* a device may be writing: it stays dirty */
};

/* Upcalls of cache/, registered by space/. Pages are held by the caller. */
struct qr_cache_ops {
	/* The page came in; the policy may choose it from now on. shadow: what
	 * qr_cache_evict was given when it went; NULL: it did not, or that was
	 * forgotten. */
	void (
	    *page_in)(void *ctx, struct qr_page *page, const uint32_t *shadow);
	/* It leaves; nothing maps it. */
	void (*page_gone)(void *ctx, struct qr_page *page);
	/* Takes the page from all entries that map it; false: not all could be
	 * had now. */
	bool (*unmap)(void *ctx, struct qr_page *page);
	/* Takes all write rights to the page, and then QR_CACHED_DIRTY. */
	enum qr_clean (*clean)(void *ctx, struct qr_page *page);
	/* Empties the entries of private mappings of the object's pages from
	 * first on, up to end. False: not all could be had now. */
	bool (*zap_private)(void *ctx, struct qr_object *object, uint64_t first,
	    uint64_t end);
	/* Memory is promised, or no longer. */
	int (*charge)(void *ctx, uint64_t pages);
	void (*uncharge)(void *ctx, uint64_t pages);
};

#define QR_OBJECT_SIGNATURE QR_SIGNATURE('O', 'B', 'J', 'E')
#define QR_CACHE_SIGNATURE  QR_SIGNATURE('C', 'A', 'C', 'H')

/* In page->u.cached.state. BUSY is the page's lock: see cache.c, part 3. */
#define QR_CACHED_BUSY    0x1u
#define QR_CACHED_WAITERS 0x2u /* somebody sleeps on the word */
#define QR_CACHED_DIRTY   0x4u /* (held, or all entries that map it claimed) */
#define QR_CACHED_VICTIM  0x8u /* (page lock) an eviction has it, off lists */

/* Keys: (c) constant after creation, (l) lock, (a) atomic, (p) the page lock
 * of space/, (o) the cache's list_lock. */
struct qr_object {
	uint32_t signature;
	uint32_t flags;         /* (c) QR_OBJECT_* of <qr/object.h> */
	struct qr_cache *cache; /* (c) */
	void *file;             /* (c) the port's; NULL: memory */
	struct qr_list link;    /* (o) */
	_Atomic(uint32_t) refs; /* (a) 0 to 1 never; 1 to 0 under list_lock */

	struct qr_lock lock;          /* rank QR_RANK_OBJECT */
	struct qr_index index;        /* (l) page or slot by number */
	_Atomic(uint64_t) size_bytes; /* (l,a) */
	uint64_t cached;              /* (l) pages in the index */
	_Atomic(uint64_t) dirty;      /* (l,a) of these, dirty */
	uint64_t stored;              /* (l) slots in the index */
	uint64_t shadows;             /* (l) shadows in the index */
	_Atomic(uint64_t) charged;    /* (a) pages promised */
	uint32_t errors;              /* (l) write errors so far */
	int error;                    /* (l) the last of them */
	uint64_t ahead_next;  /* (l) where a sequential reader is next */
	uint32_t ahead_pages; /* (l) the window that it got last */

	void (*gone)(void *ctx); /* (c) called at the end; NULL: nobody asks */
	void *gone_ctx;          /* (c) */
	struct qr_list loose;    /* (o) ranges that may be purged, or were */

	struct qr_tree views; /* (p) areas that map it; see space/view.c */
	_Atomic(uint64_t) view_count; /* (p,a) */
};

struct qr_cache {
	uint32_t signature;
	const struct qr_port *port;        /* (c) */
	struct qr_frames *frames;          /* (c) */
	struct qr_swap *swap;              /* (c) */
	const struct qr_cache_ops *ops;    /* (c) after boot */
	void *ops_ctx;                     /* (c) after boot */
	struct qr_slab_cache *object_slab; /* (c) */
	struct qr_slab_cache *node_slab;   /* (c) */
	struct qr_lock list_lock;          /* rank QR_RANK_OBJECTS */
	struct qr_list objects;            /* (list_lock) */
	struct qr_slab_cache *loose_slab;  /* (c) */
	struct qr_list loose;              /* (list_lock) ranges that may be
					      purged, the oldest first */
	_Atomic(uint64_t) loose_pages;     /* (list_lock, a) sum over them */
	_Atomic(uint64_t) pages;           /* cached, of all objects */
	_Atomic(uint64_t) dirty;           /* of these, dirty pages of files */
	uint64_t dirty_max;                /* (c) above, who dirties writes */
	uint64_t dirty_background;         /* (c) above, the background does */
	struct {
		_Atomic(uint64_t) hits, misses, read_pages, ahead_pages,
		    read_calls, written_pages, write_calls, io_errors,
		    throttled;
	} count;
};

QR_MUST_CHECK int qr_cache_init(struct qr_cache *cache,
    struct qr_frames *frames, struct qr_slabs *slabs, struct qr_swap *swap);
void qr_cache_set_ops(struct qr_cache *cache, const struct qr_cache_ops *ops,
    void *ctx);

/* All objects must be gone. */
void qr_cache_fini(struct qr_cache *cache);

/* As qr_file_open and qr_memory_create; file NULL: memory. */
struct qr_object_request {
	void *file;
	uint64_t size_bytes;
	unsigned flags;
};
QR_MUST_CHECK int qr_object_new(struct qr_cache *cache,
    const struct qr_object_request *request, struct qr_object **object);

static inline uint64_t
qr_object_pages(const struct qr_object *object)
{
	/* Relaxed: read again under the lock where it decides. */
	uint64_t bytes =
	    atomic_load_explicit(&object->size_bytes, memory_order_relaxed);
	return (bytes >> QR_PAGE_SHIFT) + (bytes % QR_PAGE_SIZE != 0);
}

/* A reference, if the object is not on its way out. Its struct must be known to
 * be there: until gone() has returned, it is. */
QR_MUST_CHECK bool qr_object_try_get(struct qr_object *object);

/* A range of an object that may be purged, or was; see purge.c. (list_lock) */
struct qr_loose {
	struct qr_list link; /* object->loose */
	struct qr_list age;  /* cache->loose, unless it was purged */
	struct qr_object *object;
	uint64_t first;
	uint64_t end;
	bool purged; /* something of it went */
};

/* Takes pages of ranges that may be purged, the oldest ranges first, until want
 * frames are free; returns how many became so. */
uint64_t qr_cache_purge(struct qr_cache *cache, uint64_t want);

/* --- pages --- */

static inline bool
qr_page_is_cached(const struct qr_page *page)
{
	/* Relaxed: who acts on it holds the page, or an entry that maps it, or
	 * the page lock while it is listed. */
	return atomic_load_explicit(&page->kind, memory_order_relaxed) ==
	       QR_PAGE_CACHED;
}

static inline struct qr_object *
qr_cached_object(const struct qr_page *page)
{
	return page->u.cached.object;
}

static inline uint32_t
qr_cached_state(const struct qr_page *page)
{
	/* Acquire pairs with the release in qr_cached_release. */
	return atomic_load_explicit(&page->u.cached.state,
	    memory_order_acquire);
}

static inline bool
qr_cached_is_dirty(const struct qr_page *page)
{
	return (qr_cached_state(page) & QR_CACHED_DIRTY) != 0;
}

/* Holds a page that cannot leave meanwhile, or is known to be the object's. */
bool qr_cached_try_hold(struct qr_page *page);
void qr_cached_hold(const struct qr_port *port, struct qr_page *page);
void qr_cached_release(const struct qr_port *port, struct qr_page *page);

/*
 * The object's page of that number, held, with its contents: found, or brought
 * in. -QR_ENXIO: the object ends before it; -QR_ENOMEM; -QR_EIO. May sleep.
 * No lock above QR_RANK_SPACE held.
 */
QR_MUST_CHECK int qr_cache_get(struct qr_object *object, uint64_t number,
    struct qr_page **page);

/* The same if it is there and nobody holds it; NULL: it is not. */
struct qr_page *qr_cache_try_get(struct qr_object *object, uint64_t number);

/* Whether it is in RAM; a hint. */
bool qr_cache_has(struct qr_object *object, uint64_t number);

/* A held page is about to be written to. */
void qr_cache_dirty(struct qr_page *page);

/* Whether who has dirtied pages is to write some back; then does so. May sleep;
 * no lock held. */
static inline bool
qr_cache_is_over_limit(struct qr_cache *cache)
{
	/* Relaxed: a hint. */
	return atomic_load_explicit(&cache->dirty, memory_order_relaxed) >
	       cache->dirty_max;
}
void qr_cache_throttle(struct qr_cache *cache);

/* Writes dirty pages of files back, up to pages; returns how many. May sleep. */
uint64_t qr_cache_write_back(struct qr_cache *cache, uint64_t pages);

/* A background round. */
uint64_t qr_cache_balance(struct qr_cache *cache);

/*
 * A held victim that nothing maps leaves RAM, stored if it is dirty; its frame
 * is free then. shadow is kept in its place. Else the error, and it is held as
 * before. May sleep.
 */
QR_MUST_CHECK int qr_cache_evict(struct qr_page *page, uint32_t shadow);

/* A held victim that nothing maps goes on in the frame of to, which was just
 * allocated for QR_PAGE_CACHED, where the policy has it and nobody holds it;
 * its own frame is the caller's. */
void qr_cache_move(struct qr_page *page, struct qr_page *to);

uint64_t qr_cache_drop(struct qr_cache *cache);

/* Forgets the shadows of all objects; returns how many those were. */
uint64_t qr_cache_shrink(struct qr_cache *cache);
void qr_cache_stat(struct qr_cache *cache, struct qr_cache_stat *stat);

/* charged: pages that objects have promised, in all. */
void qr_check_cache(struct qr_cache *cache, enum qr_check_depth depth,
    uint64_t *charged);

#endif
