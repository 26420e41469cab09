/* SPDX-License-Identifier: MIT */
/*
 * cache/page.c: one page of an object: holding it, finding it, taking it out.
 *
 * The word of its descriptor that has the busy bit is waited on. A page that
 * was found by number is asked for under the object's lock, where it can't
 * leave; a sleeper whose page has left wakes and looks again. Keeps [cache.2]
 * to [cache.4].
 */
#include "../base/bits.h"
#include "../base/pause.h"
#include "cache_impl.h"
#include "port_inline.h"

/* Turns of a spin before sleeping, as for an entry (table/pte.c). */
#define HOLD_SPINS 100u

/* How long an entry that is in somebody's hands may take: less than a transfer,
 * so that little is lost, and often enough. */
#define PAUSE_NS ((uint64_t)50 * 1000)

/* A sleep on a page that was found by number: its frame may have another use
 * by now, and by chance the very bits that are waited on. */
#define WAIT_NS ((uint64_t)10 * 1000 * 1000)

/* --- holding --- */

static _Atomic(uint32_t) *
page_state(struct qr_page *page)
{
	return &page->u.cached.state;
}

bool
qr_cached_try_hold(struct qr_page *page)
{
	/* Acquire pairs with the release in qr_cached_release. */
	uint32_t was = atomic_fetch_or_explicit(page_state(page),
	    QR_CACHED_BUSY, memory_order_acquire);
	return (was & QR_CACHED_BUSY) == 0;
}

/* Says that somebody will sleep on the page, which can't leave meanwhile, as
 * long as it is held. What its word is then; 0: it is free. */
static uint32_t
page_ask(struct qr_page *page)
{
	uint32_t state = qr_cached_state(page);
	/* Each turn means that the word has changed. Relaxed: the bit carries
	 * no data. */
	while ((state & QR_CACHED_BUSY) != 0 &&
	       (state & QR_CACHED_WAITERS) == 0 &&
	       !atomic_compare_exchange_weak_explicit(page_state(page), &state,
		   state | QR_CACHED_WAITERS, memory_order_relaxed,
		   memory_order_relaxed))
		continue;
	return (state & QR_CACHED_BUSY) != 0 ? state | QR_CACHED_WAITERS : 0;
}

void
qr_cached_wait(const struct qr_port *port, const struct qr_cached_busy *busy)
{
	port->ops->wait(port->ctx, page_state(busy->page), busy->state,
	    WAIT_NS);
}

void
qr_cached_hold(const struct qr_port *port, struct qr_page *page)
{
	/* Unbounded: as long as others hold it, who wait for nobody but the
	 * device. */
	for (unsigned turn = 0; !qr_cached_try_hold(page); turn++) {
		if (turn < HOLD_SPINS) {
			qr_pause();
			continue;
		}
		const struct qr_cached_busy busy = { page, page_ask(page) };
		if (busy.state != 0)
			qr_cached_wait(port, &busy);
	}
}

void
qr_cached_release(const struct qr_port *port, struct qr_page *page)
{
	/* Release pairs with the acquire of who holds it next. */
	uint32_t was = atomic_fetch_and_explicit(page_state(page),
	    ~(QR_CACHED_BUSY | QR_CACHED_WAITERS), memory_order_release);
	QR_ASSERT((was & QR_CACHED_BUSY) != 0,
	    "cache.2: page %p was released and not held", (void *)page);
	if (QR_UNLIKELY((was & QR_CACHED_WAITERS) != 0))
		port->ops->wake(port->ctx, page_state(page), UINT32_MAX);
}

void
qr_cached_pause(const struct qr_cache *cache)
{
	const uint32_t word = 0;
	cache->port->ops->wait(cache->port->ctx, &word, 0, PAUSE_NS);
}

/* --- what is known of it --- */

void *
qr_cached_data(const struct qr_page *page)
{
	struct qr_frames *frames = qr_cached_object(page)->cache->frames;
	return qr_frame_data(frames,
	    qr_frame_page(frames, qr_frame_pfn(frames, page)));
}

void
qr_cached_mark(struct qr_object *object, const struct qr_page *page, bool dirty)
{
	uint64_t number = page->u.cached.index;
	if (qr_index_is_dirty(&object->index, number) == dirty)
		return;
	qr_index_set_dirty(&object->index, number, dirty);
	uint64_t change = dirty ? 1 : UINT64_MAX;
	count_add(&object->dirty, change);
	if (object->file != NULL)
		count_add(&object->cache->dirty, change);
}

void
qr_cache_dirty(struct qr_page *page)
{
	struct qr_object *object = qr_cached_object(page);
	const struct qr_port *port = object->cache->port;
	if (qr_cached_is_dirty(page))
		return;
	qr_lock_acquire(port, &object->lock);
	qr_cached_mark(object, page, true);
	/* Relaxed: who looks holds the page, too, or will claim an entry that
	 * is ours. */
	atomic_fetch_or_explicit(page_state(page), QR_CACHED_DIRTY,
	    memory_order_relaxed);
	qr_lock_release(port, &object->lock);
	if (object->file != NULL && count_load(&object->cache->dirty) ==
					object->cache->dirty_background + 1)
		port->ops->wake_reclaim(port->ctx);
}

/* --- finding --- */

struct qr_page *
qr_cached_find(uint64_t word, struct qr_cached_busy *busy)
{
	*busy = (struct qr_cached_busy){ NULL, 0 };
	if (!word_is_page(word))
		return NULL;
	struct qr_page *page = word_page(word);
	if (qr_cached_try_hold(page))
		return page;
	busy->page = page;
	busy->state = page_ask(page);
	return NULL;
}

struct qr_page *
qr_cache_try_get(struct qr_object *object, uint64_t number)
{
	const struct qr_port *port = object->cache->port;
	struct qr_page *page = NULL;
	qr_lock_acquire(port, &object->lock);
	if (number < qr_object_pages(object)) {
		uint64_t word = qr_index_find(&object->index, number);
		if (word_is_page(word) && qr_cached_try_hold(word_page(word)))
			page = word_page(word);
	}
	qr_lock_release(port, &object->lock);
	return page;
}

bool
qr_cache_has(struct qr_object *object, uint64_t number)
{
	const struct qr_port *port = object->cache->port;
	qr_lock_acquire(port, &object->lock);
	bool has = word_is_page(qr_index_find(&object->index, number));
	qr_lock_release(port, &object->lock);
	return has;
}

/* --- taking out --- */

void
qr_cached_unmap(struct qr_page *page)
{
	struct qr_cache *cache = qr_cached_object(page)->cache;
	/* Ends: nobody can map the page anew while it is held, and an entry is
	 * in other hands for a bounded time. */
	while (!cache->ops->unmap(cache->ops_ctx, page))
		qr_cached_pause(cache);
}

void
qr_cached_forget(struct qr_object *object, uint64_t word)
{
	struct qr_cache *cache = object->cache;
	if (word_is_shadow(word))
		object->shadows--;
	if (!word_is_slot(word))
		return;
	object->stored--;
	qr_cached_uncharge(object);
	qr_swap_put(cache->swap, word_value(word));
}

/* Whether pages are promised one by one, when they come. */
static bool
object_charges_pages(const struct qr_object *object)
{
	return object->file == NULL &&
	       (object->flags & (QR_OBJECT_RESERVED | QR_OBJECT_NORESERVE)) ==
		   0;
}

int
qr_cached_charge(struct qr_object *object)
{
	struct qr_cache *cache = object->cache;
	if (!object_charges_pages(object))
		return 0;
	int error = cache->ops->charge(cache->ops_ctx, 1);
	if (error == 0)
		count_add(&object->charged, 1);
	return error;
}

void
qr_cached_uncharge(struct qr_object *object)
{
	struct qr_cache *cache = object->cache;
	if (!object_charges_pages(object))
		return;
	count_sub(&object->charged, 1);
	cache->ops->uncharge(cache->ops_ctx, 1);
}

void
qr_cached_remove(struct qr_page *page, uint64_t word)
{
	struct qr_object *object = qr_cached_object(page);
	struct qr_cache *cache = object->cache;
	const struct qr_port *port = cache->port;
	uint64_t number = page->u.cached.index;
	struct qr_index_spares none = { NULL };
	cache->ops->page_gone(cache->ops_ctx, page);
	qr_lock_acquire(port, &object->lock);
	qr_cached_mark(object, page, false);
	if (word != 0) {
		/* The page's own place is there. */
		bool set = qr_index_set(&object->index, number, word, &none);
		QR_ASSERT(set, "cache.1: page %llu has no place in its index",
		    (unsigned long long)number);
		object->stored += word_is_slot(word);
		object->shadows += word_is_shadow(word);
	} else {
		qr_index_erase(&object->index, number);
	}
	if (!word_is_slot(word))
		qr_cached_uncharge(object);
	object->cached--;
	qr_lock_release(port, &object->lock);
	count_sub(&cache->pages, 1);
	/* The object may be gone from here on. */
	qr_cached_release(port, page);
	qr_frame_free(cache->frames, page);
}

/* --- moving --- */

void
qr_cache_move(struct qr_page *page, struct qr_page *to)
{
	struct qr_object *object = qr_cached_object(page);
	struct qr_cache *cache = object->cache;
	const struct qr_port *port = cache->port;
	uint64_t number = page->u.cached.index;
	uint32_t dirty = qr_cached_state(page) & QR_CACHED_DIRTY;
	struct qr_index_spares none = { NULL };
	to->u.cached.object = object;
	to->u.cached.index = page->u.cached.index;
	/* Relaxed: nobody else knows it. */
	atomic_store_explicit(page_state(to), QR_CACHED_BUSY | dirty,
	    memory_order_relaxed);
	__builtin_memcpy(qr_cached_data(to), qr_cached_data(page),
	    QR_PAGE_SIZE);
	qr_lock_acquire(port, &object->lock);
	bool set =
	    qr_index_set(&object->index, number, word_of_page(to), &none);
	QR_ASSERT(set, "cache.1: page %llu has no place in its index",
	    (unsigned long long)number);
	qr_lock_release(port, &object->lock);
	cache->ops->page_in(cache->ops_ctx, to, NULL);
	/* Who sleeps on the old one wakes and looks for its number. The object
	 * may be gone from the second release on. */
	qr_cached_release(port, page);
	qr_cached_release(port, to);
}
