/* SPDX-License-Identifier: MIT */
/*
 * cache/resize.c: an object becomes shorter or longer, or loses pages in its
 * middle.
 *
 * The size changes first: from then on nobody finds or makes a page beyond it,
 * for both look at the size under the object's lock. Then the pages go one by
 * one, each held, so that a fault, a write-back or an eviction that had it
 * before is over. Private copies go last, when there is no page any more that
 * one could be made of. Keeps [cache.4], [cache.7].
 *
 * What can fail comes before all that: the page that the new end lies in is
 * brought in and held, since what follows the end in it must be zeroed.
 */
#include "../base/bits.h"
#include "cache_impl.h"
#include "port_inline.h"

void
qr_cache_remove_range(struct qr_object *object, uint64_t first, uint64_t end)
{
	const struct qr_port *port = object->cache->port;
	uint64_t at = first;
	/* Ends: each turn removes a word, or waits for one who has it. */
	for (;;) {
		struct qr_cached_busy busy = { NULL, 0 };
		struct qr_page *page = NULL;
		qr_lock_acquire(port, &object->lock);
		uint64_t word = qr_index_next(&object->index, &at, false);
		bool found = word != 0 && at < end;
		if (found && word_is_page(word)) {
			page = qr_cached_find(word, &busy);
		} else if (found) {
			qr_cached_forget(object, word);
			qr_index_erase(&object->index, at);
		}
		qr_lock_release(port, &object->lock);
		if (!found)
			return;
		if (busy.state != 0)
			qr_cached_wait(port, &busy);
		if (page == NULL)
			continue;
		qr_cached_unmap(page);
		qr_cached_remove(page, 0);
	}
}

/* The page of that number, held, unless it is known to be zeroes: then NULL. */
static int
hold_contents(struct qr_object *object, uint64_t number, struct qr_page **page)
{
	const struct qr_port *port = object->cache->port;
	*page = NULL;
	qr_lock_acquire(port, &object->lock);
	uint64_t word = qr_index_find(&object->index, number);
	bool inside = number < qr_object_pages(object);
	qr_lock_release(port, &object->lock);
	if (!inside || (object->file == NULL && word == 0))
		return 0;
	int error = qr_cache_get(object, number, page);
	if (error != 0)
		*page = NULL;
	return error == -QR_ENXIO ? 0 : error;
}

/* Zeroes [from, to) of a page that may be NULL, and lets go of it. */
static void
zero_contents(struct qr_object *object, struct qr_page *page, size_t from,
    size_t to)
{
	if (page == NULL)
		return;
	qr_cache_dirty(page);
	__builtin_memset((unsigned char *)qr_cached_data(page) + from, 0,
	    to - from);
	qr_cached_release(object->cache->port, page);
}

/* The promise of an object that is promised as a whole. */
static int
recharge(struct qr_object *object, uint64_t was_pages, uint64_t pages)
{
	struct qr_cache *cache = object->cache;
	if ((object->flags & QR_OBJECT_RESERVED) == 0 || pages <= was_pages)
		return 0;
	int error = cache->ops->charge(cache->ops_ctx, pages - was_pages);
	if (error == 0)
		count_add(&object->charged, pages - was_pages);
	return error;
}

static void
uncharge_rest(struct qr_object *object, uint64_t was_pages, uint64_t pages)
{
	struct qr_cache *cache = object->cache;
	if ((object->flags & QR_OBJECT_RESERVED) == 0 || pages >= was_pages)
		return;
	count_sub(&object->charged, was_pages - pages);
	cache->ops->uncharge(cache->ops_ctx, was_pages - pages);
}

/* The size; relaxed, for its own readers take the lock where it matters. */
static void
set_size(struct qr_object *object, uint64_t size_bytes)
{
	const struct qr_port *port = object->cache->port;
	qr_lock_acquire(port, &object->lock);
	atomic_store_explicit(&object->size_bytes, size_bytes,
	    memory_order_relaxed);
	qr_lock_release(port, &object->lock);
}

int
qr_object_resize(struct qr_object *object, uint64_t size_bytes)
{
	object_assert(object);
	struct qr_cache *cache = object->cache;
	if (size_bytes > QR_OBJECT_BYTES_MAX)
		return -QR_EINVAL;
	uint64_t was = qr_object_size(object);
	uint64_t was_pages = qr_object_pages(object);
	uint64_t pages = qr_div_round_up(size_bytes, QR_PAGE_SIZE);
	uint64_t end = size_bytes < was ? size_bytes : was;
	struct qr_page *tail = NULL;
	int error = recharge(object, was_pages, pages);
	if (error != 0)
		return error;
	if (end % QR_PAGE_SIZE != 0 && size_bytes != was)
		error = hold_contents(object, end >> QR_PAGE_SHIFT, &tail);
	if (error != 0) {
		uncharge_rest(object, pages, was_pages);
		return error;
	}
	set_size(object, size_bytes);
	zero_contents(object, tail, end % QR_PAGE_SIZE, QR_PAGE_SIZE);
	if (pages >= was_pages)
		return 0;
	qr_cache_remove_range(object, pages, QR_INDEX_END);
	while (!cache->ops->zap_private(cache->ops_ctx, object, pages,
	    QR_INDEX_END))
		qr_cached_pause(cache);
	uncharge_rest(object, was_pages, pages);
	return 0;
}

/* Zeroes a part of one page. */
static int
punch_part(struct qr_object *object, uint64_t offset, size_t size_bytes)
{
	struct qr_page *page;
	size_t from = offset % QR_PAGE_SIZE;
	int error = hold_contents(object, offset >> QR_PAGE_SHIFT, &page);
	if (error == 0)
		zero_contents(object, page, from, from + size_bytes);
	return error;
}

int
qr_object_punch(struct qr_object *object, uint64_t offset, uint64_t size_bytes)
{
	object_assert(object);
	uint64_t size = qr_object_size(object);
	if (offset >= size || size_bytes == 0)
		return 0;
	uint64_t end = size_bytes < size - offset ? offset + size_bytes : size;
	uint64_t first = qr_round_up(offset, QR_PAGE_SIZE);
	uint64_t last = qr_round_down(end, QR_PAGE_SIZE);
	/* To the end of the object: what is beyond is zero anyhow. */
	if (end == size)
		last = qr_round_up(end, QR_PAGE_SIZE);
	if (first > last)
		return punch_part(object, offset, (size_t)(end - offset));
	int error = 0;
	if (offset < first)
		error = punch_part(object, offset, (size_t)(first - offset));
	if (error == 0 && end > last)
		error = punch_part(object, last, (size_t)(end - last));
	if (error == 0)
		qr_cache_remove_range(object, first >> QR_PAGE_SHIFT,
		    last >> QR_PAGE_SHIFT);
	return error;
}

/* --- reading and writing --- */

/* What is left of a copy in its next page. */
static size_t
copy_part(const struct qr_object_copy *copy, uint64_t done)
{
	size_t room = QR_PAGE_SIZE - (copy->offset + done) % QR_PAGE_SIZE;
	return qr_min(room, (size_t)(copy->size_bytes - done));
}

/* Reads a part of one page. What is nothing in a memory object is not made
 * something by it. */
static int
read_part(struct qr_object *object, void *to, uint64_t at, size_t part)
{
	struct qr_page *page = NULL;
	uint64_t number = at >> QR_PAGE_SHIFT;
	int error = object->file == NULL ? hold_contents(object, number, &page)
					 : qr_cache_get(object, number, &page);
	if (error != 0)
		return error;
	if (page == NULL) {
		__builtin_memset(to, 0, part);
		return 0;
	}
	__builtin_memcpy(to,
	    (unsigned char *)qr_cached_data(page) + at % QR_PAGE_SIZE, part);
	qr_cached_release(object->cache->port, page);
	return 0;
}

int
qr_object_read(struct qr_object *object, void *to, struct qr_object_copy *copy)
{
	object_assert(object);
	uint64_t size = qr_object_size(object);
	uint64_t done = 0;
	int error = 0;
	if (copy->offset >= size)
		copy->size_bytes = 0;
	else if (copy->size_bytes > size - copy->offset)
		copy->size_bytes = size - copy->offset;
	while (done < copy->size_bytes) {
		uint64_t at = copy->offset + done;
		size_t part = copy_part(copy, done);
		error = read_part(object, (unsigned char *)to + done, at, part);
		if (error != 0)
			break;
		done += part;
	}
	copy->size_bytes = done;
	/* It may have become shorter meanwhile. */
	return done != 0 || error == -QR_ENXIO ? 0 : error;
}

/* Copies into one page. */
static int
write_part(struct qr_object *object, const void *from, uint64_t at, size_t part)
{
	struct qr_cache *cache = object->cache;
	uint64_t number = at >> QR_PAGE_SHIFT;
	struct qr_page *page;
	int error = 0;
	if (at + part > qr_object_size(object))
		error = qr_object_resize(object, at + part);
	if (error == 0)
		error = part == QR_PAGE_SIZE
			    ? qr_cache_get_blank(object, number, &page)
			    : qr_cache_get(object, number, &page);
	if (error != 0)
		return error;
	qr_cache_dirty(page);
	__builtin_memcpy((unsigned char *)qr_cached_data(page) +
			     at % QR_PAGE_SIZE,
	    from, part);
	qr_cached_release(cache->port, page);
	if (object->file != NULL && qr_cache_is_over_limit(cache))
		qr_cache_throttle(cache);
	return 0;
}

int
qr_object_write(struct qr_object *object, const void *from,
    struct qr_object_copy *copy)
{
	object_assert(object);
	uint64_t done = 0;
	int error = 0;
	if (copy->offset > QR_OBJECT_BYTES_MAX ||
	    copy->size_bytes > QR_OBJECT_BYTES_MAX - copy->offset)
		return -QR_ENOSPC;
	while (done < copy->size_bytes) {
		uint64_t at = copy->offset + done;
		size_t part = copy_part(copy, done);
		error = write_part(object, (const unsigned char *)from + done,
		    at, part);
		if (error != 0)
			break;
		done += part;
	}
	copy->size_bytes = done;
	return done != 0 ? 0 : error;
}
