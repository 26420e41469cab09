/* SPDX-License-Identifier: MIT */
/*
 * cache/write.c: dirty pages of files on their way to the device.
 *
 * A page is written while it is held and nobody can write to it: its entries
 * lose their write right first, so that the next write is a fault, which
 * dirties it anew. A row of neighbours goes by one transfer. A page that could
 * not be written is dirty again, and the object notes the error for all who
 * will ask (qr_object_sync). Keeps [cache.5], [cache.6].
 *
 * Who dirties pages faster than they are written pays for it: above dirty_max
 * it writes THROTTLE_PAGES itself before it goes on.
 */
#include "../base/bits.h"
#include "cache_impl.h"
#include "port_inline.h"

/* Pages of one transfer at most. */
#define ROW_MAX 32u

/* What one who dirties writes when there is too much that is dirty. */
#define THROTTLE_PAGES 64u

/* What the background writes in one round at most. */
#define BALANCE_PAGES 1024u

/* Held pages in a row that nobody can write to, about to be written. They are
 * counted as clean already, but for those that a pin covers. */
struct row {
	struct qr_object *object;
	struct qr_page *pages[ROW_MAX];
	size_t count;
};

static uint64_t
row_next(const struct row *row, uint64_t first)
{
	return row->count == 0 ? first
			       : row->pages[row->count - 1]->u.cached.index + 1;
}

/* The dirty page of the lowest number in [*at, end), held; NULL: there is
 * none, or it is busy. */
static struct qr_page *
row_find(struct qr_object *object, uint64_t *at, uint64_t end,
    struct qr_cached_busy *busy)
{
	struct qr_page *page = NULL;
	*busy = (struct qr_cached_busy){ NULL, 0 };
	qr_lock_acquire(object->cache->port, &object->lock);
	uint64_t word = qr_index_next(&object->index, at, true);
	if (word != 0 && *at < end)
		page = qr_cached_find(word, busy);
	qr_lock_release(object->cache->port, &object->lock);
	return page;
}

/* Takes the write rights from a held page; false: not now, it was released. */
static bool
row_clean(struct row *row, struct qr_page *page)
{
	struct qr_object *object = row->object;
	struct qr_cache *cache = object->cache;
	enum qr_clean clean = cache->ops->clean(cache->ops_ctx, page);
	if (clean == QR_CLEAN_BUSY) {
		qr_cached_release(cache->port, page);
		return false;
	}
	if (clean == QR_CLEAN_DONE) {
		qr_lock_acquire(cache->port, &object->lock);
		qr_cached_mark(object, page, false);
		qr_lock_release(cache->port, &object->lock);
	}
	row->pages[row->count++] = page;
	return true;
}

/* Adds what follows the first page as long as it is dirty and free. */
static void
row_grow(struct row *row, uint64_t end, size_t limit)
{
	while (row->count < limit) {
		uint64_t want = row_next(row, 0);
		uint64_t at = want;
		struct qr_cached_busy busy;
		struct qr_page *page = row_find(row->object, &at, end, &busy);
		if (page == NULL)
			return;
		if (at != want) {
			qr_cached_release(row->object->cache->port, page);
			return;
		}
		if (!row_clean(row, page))
			return;
	}
}

static int
row_write(const struct row *row)
{
	struct qr_cache *cache = row->object->cache;
	qr_pfn_t frames[ROW_MAX];
	uint64_t number = row->pages[0]->u.cached.index;
	size_t count = row->count;
	for (size_t i = 0; i < count; i++)
		frames[i] = qr_frame_pfn(cache->frames, row->pages[i]);
	struct qr_file_io io = {
		.file = row->object->file,
		.op = QR_FILE_WRITE,
		.index = number,
		.frames = frames,
		.size_bytes = qr_cache_io_bytes(row->object, number, count),
	};
	/* It shrank: the pages are about to go. */
	if (io.size_bytes == 0)
		return 0;
	io.count = qr_div_round_up(io.size_bytes, QR_PAGE_SIZE);
	count_add(&cache->count.write_calls, 1);
	int error = cache->port->ops->file_io(cache->port->ctx, &io);
	if (error == 0)
		count_add(&cache->count.written_pages, io.count);
	else
		count_add(&cache->count.io_errors, 1);
	return error;
}

/* Lets go of the row's pages from keep on. */
static void
row_end(const struct row *row, size_t keep, int error)
{
	struct qr_object *object = row->object;
	const struct qr_port *port = object->cache->port;
	for (size_t i = 0; i < row->count; i++) {
		if (error != 0)
			qr_cache_dirty(row->pages[i]);
		if (i >= keep)
			qr_cached_release(port, row->pages[i]);
	}
	if (error == 0)
		return;
	qr_lock_acquire(port, &object->lock);
	object->errors++;
	object->error = error;
	qr_lock_release(port, &object->lock);
}

int
qr_cache_write_range(struct qr_object *object, struct qr_write_back *work)
{
	struct qr_cache *cache = object->cache;
	uint64_t at = work->first;
	int first_error = 0;
	/* Ends: at rises with each page that was dealt with, and one that is
	 * waited for is in other hands for a bounded time. */
	while (work->written < work->pages) {
		struct row row;
		struct qr_cached_busy busy;
		row.object = object;
		row.count = 0;
		struct qr_page *page = row_find(object, &at, work->end, &busy);
		if (page == NULL && busy.page == NULL)
			break;
		if (page == NULL && work->wait && busy.state != 0)
			qr_cached_wait(cache->port, &busy);
		bool cleaned = page != NULL && row_clean(&row, page);
		if (page != NULL && !cleaned && work->wait)
			qr_cached_pause(cache);
		if (!cleaned) {
			at += work->wait ? 0 : 1;
			continue;
		}
		uint64_t room = work->pages - work->written;
		row_grow(&row, work->end, qr_min(ROW_MAX, (size_t)room));
		at = row_next(&row, at);
		work->written += row.count;
		int error = row_write(&row);
		row_end(&row, 0, error);
		if (first_error == 0)
			first_error = error;
	}
	return first_error;
}

int
qr_cache_write_victim(struct qr_page *page)
{
	struct row row;
	row.object = qr_cached_object(page);
	row.count = 0;
	/* Nothing maps it: nobody can write to it. */
	if (!row_clean(&row, page))
		return -QR_EBUSY;
	row_grow(&row, QR_INDEX_END, ROW_MAX);
	int error = row_write(&row);
	row_end(&row, 1, error);
	return error;
}

/* --- sync --- */

static int
sync_device(struct qr_object *object)
{
	const struct qr_port *port = object->cache->port;
	const struct qr_file_io io = {
		.file = object->file,
		.op = QR_FILE_SYNC,
	};
	int error = port->ops->file_io(port->ctx, &io);
	if (error != 0)
		count_add(&object->cache->count.io_errors, 1);
	return error;
}

/* The error that the caller's place has not seen, if there is one. */
static int
sync_seen(struct qr_object *object, uint32_t *seen)
{
	const struct qr_port *port = object->cache->port;
	qr_lock_acquire(port, &object->lock);
	int error = object->errors != *seen ? object->error : 0;
	*seen = object->errors;
	qr_lock_release(port, &object->lock);
	return error;
}

int
qr_object_sync(struct qr_object *object, uint64_t offset, uint64_t size_bytes,
    uint32_t *seen)
{
	object_assert(object);
	if (object->file == NULL || size_bytes == 0)
		return 0;
	uint64_t end;
	if (__builtin_add_overflow(offset, size_bytes, &end))
		end = UINT64_MAX;
	struct qr_write_back work = {
		.first = offset >> QR_PAGE_SHIFT,
		.end = (end >> QR_PAGE_SHIFT) + (end % QR_PAGE_SIZE != 0),
		.pages = UINT64_MAX,
		.wait = true,
	};
	int error = qr_cache_write_range(object, &work);
	if (error == 0)
		error = sync_device(object);
	int before = seen == NULL ? 0 : sync_seen(object, seen);
	return error != 0 ? error : before;
}

/* --- all files --- */

/* The first object from the list's head on that has dirty pages and is a file,
 * with a reference; it moves to the end. */
static struct qr_object *
dirty_object(struct qr_cache *cache)
{
	struct qr_object *found = NULL;
	struct qr_list *link;
	qr_lock_acquire(cache->port, &cache->list_lock);
	qr_list_for_each (link, &cache->objects) {
		struct qr_object *object =
		    QR_CONTAINER(link, struct qr_object, link);
		/* Racy reads: hints. */
		if (object->file == NULL || count_load(&object->dirty) == 0)
			continue;
		qr_object_get(object);
		qr_list_remove(link);
		qr_list_push_back(&cache->objects, link);
		found = object;
		break;
	}
	qr_lock_release(cache->port, &cache->list_lock);
	return found;
}

uint64_t
qr_cache_write_back(struct qr_cache *cache, uint64_t pages)
{
	uint64_t written = 0;
	while (written < pages) {
		struct qr_object *object = dirty_object(cache);
		if (object == NULL)
			break;
		struct qr_write_back work = {
			.end = QR_INDEX_END,
			.pages = pages - written,
		};
		/* Noted with the object for who asks. */
		int error = qr_cache_write_range(object, &work);
		qr_object_put(object);
		written += work.written;
		if (work.written == 0 || error != 0)
			break;
	}
	return written;
}

void
qr_cache_throttle(struct qr_cache *cache)
{
	count_add(&cache->count.throttled, 1);
	(void)qr_cache_write_back(cache, THROTTLE_PAGES);
}

uint64_t
qr_cache_balance(struct qr_cache *cache)
{
	uint64_t dirty = count_load(&cache->dirty);
	if (dirty <= cache->dirty_background)
		return 0;
	return qr_cache_write_back(cache,
	    qr_min((size_t)(dirty - cache->dirty_background), BALANCE_PAGES));
}
