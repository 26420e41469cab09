/* SPDX-License-Identifier: MIT */
/*
 * cache/cache.c: pages that have a name beside the places where they are
 * mapped: those of files, and of memory that several spaces share.
 *
 * 1. Purpose
 *
 * A page of private memory belongs to the entry that maps it. A page of a file
 * belongs to the file: it is in RAM once, whoever maps, reads or writes it,
 * and may stay when nobody does. Shared memory is the same with swap in the
 * file's place. This folder finds such a page by (object, number), brings it
 * in, notes that it was written to, writes it back and takes it out. Who maps
 * it where is for space/ to know, which page is to go for reclaim/.
 *
 * 2. Terms
 *
 * An object is a file or a piece of memory; its pages are numbered from 0. A
 * page that is in RAM is cached. Its index says for each number what there is:
 *
 *	object -- index -- 0        nothing: the file's, or zeroes
 *	                |- page     cached, see part 3
 *	                |- slot     memory that is in swap
 *	                '- shadow   evicted at that time, else as 0
 *
 * A view is an area that maps a row of pages of an object (space/view.c). To
 * hold a page is to have set its busy bit. A dirty page differs from what the
 * file has; a dirty page of memory is one that is not all zero for sure.
 *
 * 3. States of a cached page
 *
 *	            insert, held         contents are there
 *	    0, slot ------------> filling ------------------> clean <----+
 *	                             | error                  | ^        | write-
 *	    0, slot <----------------+              write,    | |        | back
 *	                                            write     v | clean  |
 *	    0, slot, shadow <--- unmapped, held <---fault --- dirty -----+
 *	                 remove              evict, cut off
 *
 * Holding is exclusive, and needed for every step: to map a page, to change
 * its contents by call, to write it back, to take it out. So a held page is
 * where it is until its holder lets go. Who finds it held waits, by number: it
 * may be another page afterwards.
 *
 * 4. Invariants
 *
 * [cache.1] An index has a node for exactly those numbers that need one, with
 *	right counts; a dirty mark goes up to the root.
 * [cache.2] A page that is in an index is of kind QR_PAGE_CACHED and names
 *	that object and number; its state's busy bit is seen in pages that
 *	somebody works on only. What is not ready is held.
 * [cache.3] refs of a cached page is 1 and the number of entries that map it.
 *	None is mapped anew while it is held by somebody else.
 * [cache.4] No index has anything at or beyond the object's end but while the
 *	object is being cut.
 * [cache.5] An entry that lets a program write to a cached page means that the
 *	page is dirty. (Devices write by pins; a pinned page stays dirty.)
 * [cache.6] A page's contents go to the file only while no entry lets anybody
 *	write to it, and never twice at a time.
 * [cache.7] What follows the object's end in its last page was zeroed when the
 *	end came there.
 * [cache.8] Counters are sums: cached, dirty, stored and shadows over an
 *	index, pages and dirty of the cache over all objects, and as many
 *	frames are of kind QR_PAGE_CACHED.
 *
 * 5. Locks
 *
 * list_lock has the list of objects and the last step of their references. An
 * object's lock has its index, size and counts; it is held for a few steps of
 * the tree, never over anything that waits. The page's busy bit is held over
 * transfers. Order: entries' claims, then pages' busy bits, one at a time but
 * for rows that are tried and never waited for, then list_lock, the object's
 * lock, the page lock.
 *
 *	who               holds                    may wait for
 *	fault             space shared, a claim    a page, frames, file_io
 *	read, write       nothing                  a page, frames, file_io
 *	write-back        pages                    file_io
 *	eviction          pages, by trying         file_io, the swap device
 *	resize            nothing                  a page
 *
 * Who holds a page and needs its entries (to clean, to unmap) only tries them.
 * If one is in other hands, it lets go of the page or sleeps a moment without
 * any lock; the fault that has the entry may be waiting for this very page,
 * but then its entry does not map it. So nobody waits in a circle.
 *
 * 6. Failure
 *
 * A page that can't be read leaves the index and is an error of that touch or
 * call alone; the next one tries again. One that can't be written stays dirty
 * and in RAM, so a device that fails for good costs memory, never data; the
 * object counts the error for every caller of qr_object_sync. Memory without
 * room in swap stays in RAM. A frame or a node that can't be had is
 * -QR_ENOMEM with nothing changed.
 *
 * 7. Rejected
 *
 * A chain of mappings for each page, as private pages have (space/rmap.c): a
 * page of the C library would have a link in each process, and a process that
 * ends would look for its own in each of them. Views are fewer, and found by
 * number. A hash of all pages: neighbours, which come and go together, would
 * be scattered. Marking the page clean although its write failed, as Linux
 * does, so that memory can be had: the data is gone then before anybody asked.
 *
 * 8. Reading
 *
 * index.h, index.c; cache.h; page.c for one page, read.c and write.c for
 * transfers, resize.c for ends and holes, purge.c for what may be lost; here,
 * objects as a whole.
 */
#include "../base/bits.h"
#include "cache_impl.h"
#include "port_inline.h"

/* Dirty pages of files in thousandths of all frames: above the first the
 * background writes, above the second who dirties does; Linux's 10 and 20 %. */
#define DIRTY_BACKGROUND 100u
#define DIRTY_MAX        200u

/* --- all objects --- */

static void
cache_free_slabs(struct qr_cache *cache)
{
	if (cache->object_slab != NULL)
		qr_slab_destroy(cache->object_slab);
	if (cache->node_slab != NULL)
		qr_slab_destroy(cache->node_slab);
	if (cache->loose_slab != NULL)
		qr_slab_destroy(cache->loose_slab);
}

int
qr_cache_init(struct qr_cache *cache, struct qr_frames *frames,
    struct qr_slabs *slabs, struct qr_swap *swap)
{
	const struct qr_slab_config object_config = {
		.name = "object",
		.size_bytes = sizeof(struct qr_object),
	};
	const struct qr_slab_config node_config = {
		.name = "object index",
		.size_bytes = sizeof(struct qr_index_node),
	};
	const struct qr_slab_config loose_config = {
		.name = "unpinned range",
		.size_bytes = sizeof(struct qr_loose),
	};
	struct qr_frame_stat stat;
	__builtin_memset(cache, 0, sizeof(*cache));
	cache->port = qr_frame_port(frames);
	cache->frames = frames;
	cache->swap = swap;
	qr_lock_init(&cache->list_lock, QR_RANK_OBJECTS);
	qr_list_init(&cache->objects);
	qr_list_init(&cache->loose);
	qr_frame_stat(frames, &stat);
	cache->dirty_max = stat.total * DIRTY_MAX / 1000 + 1;
	cache->dirty_background = stat.total * DIRTY_BACKGROUND / 1000 + 1;
	cache->object_slab = qr_slab_create(slabs, &object_config);
	cache->node_slab = qr_slab_create(slabs, &node_config);
	cache->loose_slab = qr_slab_create(slabs, &loose_config);
	if (cache->object_slab == NULL || cache->node_slab == NULL ||
	    cache->loose_slab == NULL) {
		cache_free_slabs(cache);
		return -QR_ENOMEM;
	}
	cache->signature = QR_CACHE_SIGNATURE;
	return 0;
}

void
qr_cache_set_ops(struct qr_cache *cache, const struct qr_cache_ops *ops,
    void *ctx)
{
	cache->ops = ops;
	cache->ops_ctx = ctx;
}

void
qr_cache_fini(struct qr_cache *cache)
{
	QR_ASSERT(cache->signature == QR_CACHE_SIGNATURE,
	    "cache %p has signature 0x%x", (void *)cache, cache->signature);
	QR_ASSERT(qr_list_empty(&cache->objects), "an object is still there");
	cache->signature = 0;
	cache_free_slabs(cache);
}

/* --- one object --- */

static int
object_check(const struct qr_cache *cache,
    const struct qr_object_request *request)
{
	const struct qr_port *port = cache->port;
	if ((port->flags & QR_PORT_PAGES_MOVE) == 0)
		return -QR_EOPNOTSUPP;
	if (request->file != NULL && port->ops->file_io == NULL)
		return -QR_EOPNOTSUPP;
	return request->size_bytes > QR_OBJECT_BYTES_MAX ? -QR_EINVAL : 0;
}

int
qr_object_new(struct qr_cache *cache, const struct qr_object_request *request,
    struct qr_object **out)
{
	int error = object_check(cache, request);
	if (error != 0)
		return error;
	struct qr_object *object =
	    qr_slab_alloc(cache->object_slab, QR_GFP_KERNEL);
	if (object == NULL)
		return -QR_ENOMEM;
	uint64_t promise = 0;
	if ((request->flags & QR_OBJECT_RESERVED) != 0)
		promise = qr_div_round_up(request->size_bytes, QR_PAGE_SIZE);
	if (promise != 0)
		error = cache->ops->charge(cache->ops_ctx, promise);
	if (error != 0) {
		qr_slab_free(cache->object_slab, object);
		return error;
	}
	__builtin_memset(object, 0, sizeof(*object));
	object->flags = request->flags;
	object->cache = cache;
	object->file = request->file;
	atomic_init(&object->refs, 1);
	atomic_init(&object->size_bytes, request->size_bytes);
	atomic_init(&object->charged, promise);
	qr_list_init(&object->link);
	qr_list_init(&object->loose);
	qr_lock_init(&object->lock, QR_RANK_OBJECT);
	qr_index_init(&object->index, cache->node_slab);
	object->signature = QR_OBJECT_SIGNATURE;
	qr_lock_acquire(cache->port, &cache->list_lock);
	qr_list_push_back(&cache->objects, &object->link);
	qr_lock_release(cache->port, &cache->list_lock);
	*out = object;
	return 0;
}

void
qr_object_get(struct qr_object *object)
{
	object_assert(object);
	/* Relaxed: the caller has a reference already, or list_lock. */
	atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
}

bool
qr_object_try_get(struct qr_object *object)
{
	uint32_t refs =
	    atomic_load_explicit(&object->refs, memory_order_relaxed);
	/* Relaxed: as in qr_object_get, where it succeeds. */
	while (refs != 0) {
		if (atomic_compare_exchange_weak_explicit(&object->refs, &refs,
			refs + 1, memory_order_relaxed, memory_order_relaxed))
			return true;
	}
	return false;
}

/* Drops a reference; true: it was the last one, and the object is the
 * caller's alone. */
static bool
object_unref(struct qr_object *object)
{
	struct qr_cache *cache = object->cache;
	uint32_t refs =
	    atomic_load_explicit(&object->refs, memory_order_relaxed);
	/* Release pairs with the acquire of the last one. */
	while (refs > 1) {
		if (atomic_compare_exchange_weak_explicit(&object->refs, &refs,
			refs - 1, memory_order_release, memory_order_relaxed))
			return false;
	}
	qr_lock_acquire(cache->port, &cache->list_lock);
	bool last = atomic_fetch_sub_explicit(&object->refs, 1,
			memory_order_acq_rel) == 1;
	if (last)
		qr_list_remove(&object->link);
	qr_lock_release(cache->port, &cache->list_lock);
	return last;
}

void
qr_object_put(struct qr_object *object)
{
	object_assert(object);
	struct qr_cache *cache = object->cache;
	if (!object_unref(object))
		return;
	QR_ASSERT(object->view_count == 0, "object %p is mapped",
	    (void *)object);
	if (object->file != NULL && count_load(&object->dirty) != 0) {
		struct qr_write_back work = {
			.end = QR_INDEX_END,
			.pages = UINT64_MAX,
			.wait = true,
		};
		int error = qr_cache_write_range(object, &work);
		(void)error; /* There is nobody left to tell. */
	}
	qr_cache_forget_loose(object);
	qr_cache_remove_range(object, 0, QR_INDEX_END);
	uint64_t promise = count_load(&object->charged);
	if (promise != 0)
		cache->ops->uncharge(cache->ops_ctx, promise);
	if (object->gone != NULL)
		object->gone(object->gone_ctx);
	object->signature = 0;
	qr_slab_free(cache->object_slab, object);
}

uint64_t
qr_object_size(const struct qr_object *object)
{
	/* Relaxed: it may change as soon as it is read. */
	return atomic_load_explicit(&object->size_bytes, memory_order_relaxed);
}

void
qr_object_prefetch(struct qr_object *object, uint64_t offset,
    uint64_t size_bytes)
{
	object_assert(object);
	struct qr_cache *cache = object->cache;
	uint64_t end;
	if (__builtin_add_overflow(offset, size_bytes, &end))
		end = QR_OBJECT_BYTES_MAX;
	uint64_t stop = qr_div_round_up(end, QR_PAGE_SIZE);
	for (uint64_t at = offset >> QR_PAGE_SHIFT; at < stop; at++) {
		struct qr_page *page;
		if (qr_frame_below_high(cache->frames) ||
		    qr_cache_get(object, at, &page) != 0)
			return;
		qr_cached_release(cache->port, page);
	}
}

/* --- leaving RAM --- */

int
qr_cache_evict(struct qr_page *page, uint32_t shadow)
{
	struct qr_object *object = qr_cached_object(page);
	struct qr_cache *cache = object->cache;
	uint64_t word = 0;
	uint64_t slot;
	int error = 0;
	if (object->file != NULL) {
		word = word_of_shadow(shadow);
		if (qr_cached_is_dirty(page))
			error = qr_cache_write_victim(page);
	} else if (qr_cached_is_dirty(page)) {
		error = qr_swap_store(cache->swap, qr_cached_data(page), &slot);
		if (error == 0) {
			qr_swap_set_shadow(cache->swap, slot, shadow);
			word = word_of_slot(slot);
		}
	}
	if (error == 0)
		qr_cached_remove(page, word);
	return error;
}

/* Drops a held page if it is clean and not mapped; lets go of it else. */
static bool
drop_page(struct qr_page *page)
{
	const struct qr_cache *cache = qr_cached_object(page)->cache;
	/* Acquire: who unmapped it last is done with it. Nobody maps it anew,
	 * for it is held. */
	uint32_t refs = atomic_load_explicit(&page->refs, memory_order_acquire);
	if (refs == 1 && !qr_cached_is_dirty(page)) {
		qr_cached_remove(page, 0);
		return true;
	}
	qr_cached_release(cache->port, page);
	return false;
}

uint64_t
qr_object_drop(struct qr_object *object)
{
	object_assert(object);
	const struct qr_port *port = object->cache->port;
	uint64_t dropped = 0;
	for (uint64_t at = 0;; at++) {
		struct qr_page *page = NULL;
		qr_lock_acquire(port, &object->lock);
		uint64_t word = qr_index_next(&object->index, &at, false);
		if (word_is_page(word) && qr_cached_try_hold(word_page(word)))
			page = word_page(word);
		qr_lock_release(port, &object->lock);
		if (word == 0)
			return dropped;
		if (page != NULL)
			dropped += drop_page(page);
	}
}

/* Does the work on each object there is now, with a reference. */
static uint64_t
cache_for_each(struct qr_cache *cache,
    uint64_t (*work)(struct qr_object *object))
{
	const struct qr_port *port = cache->port;
	struct qr_object *object = NULL;
	uint64_t sum = 0;
	for (;;) {
		struct qr_object *before = object;
		qr_lock_acquire(port, &cache->list_lock);
		/* before has a reference, so it is still in the list. */
		struct qr_list *next =
		    before == NULL ? cache->objects.next : before->link.next;
		object = next == &cache->objects
			     ? NULL
			     : QR_CONTAINER(next, struct qr_object, link);
		if (object != NULL)
			qr_object_get(object);
		qr_lock_release(port, &cache->list_lock);
		if (before != NULL)
			qr_object_put(before);
		if (object == NULL)
			return sum;
		sum += work(object);
	}
}

uint64_t
qr_cache_drop(struct qr_cache *cache)
{
	return cache_for_each(cache, qr_object_drop);
}

static uint64_t
object_shrink(struct qr_object *object)
{
	const struct qr_port *port = object->cache->port;
	uint64_t forgotten = 0;
	for (uint64_t at = 0;; at++) {
		qr_lock_acquire(port, &object->lock);
		uint64_t word = object->shadows == 0
				    ? 0
				    : qr_index_next(&object->index, &at, false);
		if (word_is_shadow(word)) {
			qr_cached_forget(object, word);
			qr_index_erase(&object->index, at);
			forgotten++;
		}
		qr_lock_release(port, &object->lock);
		if (word == 0)
			return forgotten;
	}
}

uint64_t
qr_cache_shrink(struct qr_cache *cache)
{
	return cache_for_each(cache, object_shrink);
}

/* --- figures --- */

void
qr_object_stat(struct qr_object *object, struct qr_object_stat *stat)
{
	object_assert(object);
	const struct qr_port *port = object->cache->port;
	qr_lock_acquire(port, &object->lock);
	*stat = (struct qr_object_stat){
		.size_bytes = qr_object_size(object),
		.cached_pages = object->cached,
		.dirty_pages = count_load(&object->dirty),
		.stored_pages = object->stored,
		.views = count_load(&object->view_count),
		.references =
		    atomic_load_explicit(&object->refs, memory_order_relaxed),
	};
	qr_lock_release(port, &object->lock);
}

void
qr_cache_stat(struct qr_cache *cache, struct qr_cache_stat *stat)
{
	struct qr_list *link;
	*stat = (struct qr_cache_stat){
		.cached_pages = count_load(&cache->pages),
		.dirty_pages = count_load(&cache->dirty),
		.dirty_limit = cache->dirty_max,
		.hits = count_load(&cache->count.hits),
		.misses = count_load(&cache->count.misses),
		.read_pages = count_load(&cache->count.read_pages),
		.ahead_pages = count_load(&cache->count.ahead_pages),
		.read_calls = count_load(&cache->count.read_calls),
		.written_pages = count_load(&cache->count.written_pages),
		.write_calls = count_load(&cache->count.write_calls),
		.io_errors = count_load(&cache->count.io_errors),
		.throttled = count_load(&cache->count.throttled),
	};
	qr_lock_acquire(cache->port, &cache->list_lock);
	qr_list_for_each (link, &cache->objects)
		stat->objects++;
	qr_lock_release(cache->port, &cache->list_lock);
}

/* --- checking --- */

struct check_sums {
	uint64_t pages;
	uint64_t dirty;
	uint64_t stored;
	uint64_t shadows;
};

static void
check_page(const struct qr_object *object, uint64_t number,
    const struct qr_page *page, struct check_sums *sums)
{
	unsigned long long at = number;
	bool dirty = qr_cached_is_dirty(page);
	QR_ASSERT(qr_page_is_cached(page),
	    "cache.2: page %llu of an object is of kind %u", at, page->kind);
	QR_ASSERT(page->u.cached.object == object &&
		      page->u.cached.index == number,
	    "cache.2: page %llu of an object is known as %u of %p", at,
	    page->u.cached.index, page->u.cached.object);
	QR_ASSERT((qr_cached_state(page) &
		      (QR_CACHED_BUSY | QR_CACHED_VICTIM)) == 0,
	    "cache.2: page %llu is held: 0x%x", at, qr_cached_state(page));
	QR_ASSERT(dirty == qr_index_is_dirty(&object->index, number),
	    "cache.8: page %llu is dirty: %d, its index says otherwise", at,
	    dirty);
	sums->pages++;
	sums->dirty += dirty;
}

static void
check_object(struct qr_object *object, struct check_sums *sums)
{
	uint64_t word;
	object_assert(object);
	(void)qr_check_index(&object->index);
	for (uint64_t at = 0;
	     (word = qr_index_next(&object->index, &at, false)) != 0; at++) {
		QR_ASSERT(at < qr_object_pages(object) || word_is_shadow(word),
		    "cache.4: page %llu is beyond the end",
		    (unsigned long long)at);
		if (word_is_page(word))
			check_page(object, at, word_page(word), sums);
		sums->stored += word_is_slot(word);
		sums->shadows += word_is_shadow(word);
	}
	QR_ASSERT(sums->pages == object->cached &&
		      sums->dirty == count_load(&object->dirty) &&
		      sums->stored == object->stored &&
		      sums->shadows == object->shadows,
	    "cache.8: %llu cached, %llu dirty, %llu stored, %llu shadows",
	    (unsigned long long)sums->pages, (unsigned long long)sums->dirty,
	    (unsigned long long)sums->stored,
	    (unsigned long long)sums->shadows);
}

void
qr_check_cache(struct qr_cache *cache, enum qr_check_depth depth,
    uint64_t *charged)
{
	struct qr_list *link;
	struct qr_frame_stat stat;
	uint64_t pages = 0;
	uint64_t dirty = 0;
	*charged = 0;
	QR_ASSERT(cache->signature == QR_CACHE_SIGNATURE,
	    "cache %p has signature 0x%x", (void *)cache, cache->signature);
	qr_list_for_each (link, &cache->objects) {
		struct qr_object *object =
		    QR_CONTAINER(link, struct qr_object, link);
		struct check_sums sums = { 0 };
		*charged += count_load(&object->charged);
		if (depth < QR_CHECK_CHILDREN)
			continue;
		check_object(object, &sums);
		pages += sums.pages;
		dirty += object->file != NULL ? sums.dirty : 0;
	}
	if (depth < QR_CHECK_CHILDREN)
		return;
	qr_frame_stat(cache->frames, &stat);
	QR_ASSERT(pages == count_load(&cache->pages) && pages == stat.cached &&
		      dirty == count_load(&cache->dirty),
	    "cache.8: %llu pages, %llu dirty; %llu frames",
	    (unsigned long long)pages, (unsigned long long)dirty,
	    (unsigned long long)stat.cached);
}
