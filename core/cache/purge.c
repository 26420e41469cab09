/* SPDX-License-Identifier: MIT */
/*
 * cache/purge.c: memory whose contents may be taken when frames are short, as
 * ashmem has it.
 *
 * A program that can make its data again (decoded pictures, a cache) unpins
 * them: they cost no swap, and go before anything else is evicted, the range
 * first that was unpinned first. When it wants them again it pins them and is
 * told whether any of them went.
 *
 *	pinned --unpin--> loose --short of frames--> purged
 *	   ^                |                           |
 *	   '---- pin: kept -'------------ pin: gone ----'
 *
 * Ranges of an object never touch each other's pages: unpinning takes in what
 * it overlaps, and a range that is pinned in part is cut, both parts keeping
 * what is known of it. All ranges are in one list, oldest first, of those that
 * may still be purged. (list_lock) throughout.
 *
 * Purging happens in the middle of other calls, whose pages and entries may be
 * held by this very thread: so it only tries, page by page. A range of which
 * something went counts as purged, whatever stayed.
 */
#include "../base/bits.h"
#include "cache_impl.h"
#include "port_inline.h"

static struct qr_loose *
loose_of(struct qr_list *link)
{
	return QR_CONTAINER(link, struct qr_loose, link);
}

static bool
loose_overlaps(const struct qr_loose *loose, uint64_t first, uint64_t end)
{
	return loose->first < end && loose->end > first;
}

/* The object's first range, in no order, that overlaps; NULL: none. */
static struct qr_loose *
loose_find(struct qr_object *object, uint64_t first, uint64_t end)
{
	struct qr_list *link;
	qr_list_for_each (link, &object->loose) {
		if (loose_overlaps(loose_of(link), first, end))
			return loose_of(link);
	}
	return NULL;
}

/* Counts the range among those that may be purged, or no longer. */
static void
loose_count(struct qr_loose *loose, bool in)
{
	struct qr_cache *cache = loose->object->cache;
	uint64_t pages = loose->end - loose->first;
	if (loose->purged)
		return;
	count_add(&cache->loose_pages, in ? pages : 0 - pages);
}

static void
loose_insert(struct qr_loose *loose)
{
	struct qr_cache *cache = loose->object->cache;
	qr_list_push_back(&loose->object->loose, &loose->link);
	qr_list_init(&loose->age);
	if (!loose->purged)
		qr_list_push_back(&cache->loose, &loose->age);
	loose_count(loose, true);
}

/* Takes a range out of its lists; it is the caller's to free or insert. */
static void
loose_take(struct qr_loose *loose)
{
	loose_count(loose, false);
	qr_list_remove(&loose->link);
	qr_list_remove(&loose->age);
}

static int
loose_check(const struct qr_object *object, uint64_t offset,
    uint64_t size_bytes)
{
	object_assert(object);
	if (object->file != NULL)
		return -QR_EOPNOTSUPP;
	if (size_bytes == 0 || (offset | size_bytes) % QR_PAGE_SIZE != 0 ||
	    offset > QR_OBJECT_BYTES_MAX ||
	    size_bytes > QR_OBJECT_BYTES_MAX - offset)
		return -QR_EINVAL;
	return 0;
}

int
qr_object_unpin(struct qr_object *object, uint64_t offset, uint64_t size_bytes)
{
	int error = loose_check(object, offset, size_bytes);
	if (error != 0)
		return error;
	struct qr_cache *cache = object->cache;
	struct qr_loose *loose =
	    qr_slab_alloc(cache->loose_slab, QR_GFP_KERNEL);
	if (loose == NULL)
		return -QR_ENOMEM;
	*loose = (struct qr_loose){
		.object = object,
		.first = offset >> QR_PAGE_SHIFT,
		.end = (offset + size_bytes) >> QR_PAGE_SHIFT,
	};
	struct qr_loose *other;
	qr_lock_acquire(cache->port, &cache->list_lock);
	while ((other = loose_find(object, loose->first, loose->end)) != NULL) {
		loose_take(other);
		if (other->first < loose->first)
			loose->first = other->first;
		if (other->end > loose->end)
			loose->end = other->end;
		loose->purged |= other->purged;
		qr_slab_free(cache->loose_slab, other);
	}
	loose_insert(loose);
	qr_lock_release(cache->port, &cache->list_lock);
	return 0;
}

/* Takes [first, end) out of the range; what is left above it needs *spare. */
static void
loose_cut(struct qr_loose *loose, uint64_t first, uint64_t end,
    struct qr_loose **spare)
{
	struct qr_cache *cache = loose->object->cache;
	uint64_t last = loose->end;
	bool keeps = loose->first < first;
	loose_take(loose);
	if (last > end) {
		struct qr_loose *above = keeps ? *spare : loose;
		if (keeps) {
			*above = *loose;
			*spare = NULL;
		}
		above->first = end;
		above->end = last;
		loose_insert(above);
	}
	if (keeps) {
		loose->end = first;
		loose_insert(loose);
	} else if (last <= end) {
		qr_slab_free(cache->loose_slab, loose);
	}
}

int
qr_object_pin(struct qr_object *object, uint64_t offset, uint64_t size_bytes,
    bool *purged)
{
	int error = loose_check(object, offset, size_bytes);
	if (error != 0)
		return error;
	struct qr_cache *cache = object->cache;
	uint64_t first = offset >> QR_PAGE_SHIFT;
	uint64_t end = (offset + size_bytes) >> QR_PAGE_SHIFT;
	struct qr_loose *spare =
	    qr_slab_alloc(cache->loose_slab, QR_GFP_KERNEL);
	if (spare == NULL)
		return -QR_ENOMEM;
	struct qr_loose *loose;
	bool gone = false;
	qr_lock_acquire(cache->port, &cache->list_lock);
	/* At most one range needs the spare: one that holds all of this. */
	while ((loose = loose_find(object, first, end)) != NULL) {
		gone |= loose->purged;
		loose_cut(loose, first, end, &spare);
	}
	qr_lock_release(cache->port, &cache->list_lock);
	if (spare != NULL)
		qr_slab_free(cache->loose_slab, spare);
	*purged = gone;
	return 0;
}

bool
qr_object_is_pinned(struct qr_object *object, uint64_t offset,
    uint64_t size_bytes)
{
	struct qr_cache *cache = object->cache;
	uint64_t first = offset >> QR_PAGE_SHIFT;
	uint64_t end = qr_div_round_up(offset + size_bytes, QR_PAGE_SIZE);
	qr_lock_acquire(cache->port, &cache->list_lock);
	bool pinned = loose_find(object, first, end) == NULL;
	qr_lock_release(cache->port, &cache->list_lock);
	return pinned;
}

void
qr_cache_forget_loose(struct qr_object *object)
{
	struct qr_cache *cache = object->cache;
	struct qr_list *link;
	qr_lock_acquire(cache->port, &cache->list_lock);
	while ((link = qr_list_first(&object->loose)) != NULL) {
		struct qr_loose *loose = loose_of(link);
		loose_take(loose);
		qr_slab_free(cache->loose_slab, loose);
	}
	qr_lock_release(cache->port, &cache->list_lock);
}

/* --- purging --- */

/* Takes the word's page out if it can be had at once; what is in swap, too. */
static bool
purge_word(struct qr_object *object, uint64_t number, uint64_t *freed)
{
	struct qr_cache *cache = object->cache;
	struct qr_page *page = NULL;
	qr_lock_acquire(cache->port, &object->lock);
	uint64_t word = qr_index_find(&object->index, number);
	if (word_is_page(word) && qr_cached_try_hold(word_page(word)))
		page = word_page(word);
	if (word != 0 && !word_is_page(word)) {
		qr_cached_forget(object, word);
		qr_index_erase(&object->index, number);
	}
	qr_lock_release(cache->port, &object->lock);
	if (page == NULL)
		return false;
	if (!cache->ops->unmap(cache->ops_ctx, page)) {
		qr_cached_release(cache->port, page);
		return false;
	}
	qr_cached_remove(page, 0);
	(*freed)++;
	return true;
}

/* The oldest range, which is taken for purged from now on, and its object with
 * a reference. */
static struct qr_object *
purge_next(struct qr_cache *cache, uint64_t *first, uint64_t *end)
{
	struct qr_object *object = NULL;
	qr_lock_acquire(cache->port, &cache->list_lock);
	struct qr_list *age = qr_list_pop_front(&cache->loose);
	if (age != NULL) {
		struct qr_loose *loose =
		    QR_CONTAINER(age, struct qr_loose, age);
		loose_count(loose, false);
		loose->purged = true;
		*first = loose->first;
		*end = loose->end;
		object = loose->object;
		qr_object_get(object);
	}
	qr_lock_release(cache->port, &cache->list_lock);
	return object;
}

uint64_t
qr_cache_purge(struct qr_cache *cache, uint64_t want)
{
	uint64_t freed = 0;
	uint64_t at;
	uint64_t end;
	struct qr_object *object;
	while (
	    freed < want && (object = purge_next(cache, &at, &end)) != NULL) {
		while (at < end) {
			qr_lock_acquire(cache->port, &object->lock);
			uint64_t word =
			    qr_index_next(&object->index, &at, false);
			qr_lock_release(cache->port, &object->lock);
			if (word == 0 || at >= end)
				break;
			(void)purge_word(object, at, &freed);
			at++;
		}
		qr_object_put(object);
	}
	return freed;
}
