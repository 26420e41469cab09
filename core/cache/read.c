/* SPDX-License-Identifier: MIT */
/*
 * cache/read.c: pages that come in: from the file, from swap, or as zeroes;
 * and the pages of a file that a sequential reader will want next.
 *
 * A page is put into the index before its contents are there, held, so that
 * it is read once however many want it. If it can't be read it leaves again,
 * and each of those that waited tries for itself. Read-ahead doubles its
 * window as long as the next miss comes where the last window ended, up to
 * AHEAD_MAX; it takes only frames that can be had without reclaim, and what
 * fails ahead of need is no error.
 *
 *	miss at 0: 4 pages; at 4: 8; at 12: 16; ...   elsewhere: 1
 *
 * A window ends where the index would need another node.
 */
#include "../base/bits.h"
#include "cache_impl.h"
#include "port_inline.h"

/* First and largest window, pages: 16 KiB, as the field has it, and what one
 * transfer takes. */
#define AHEAD_FIRST 4u
#define AHEAD_MAX   32u

/* A page that is on its way in, and those that follow it. */
struct fill {
	struct qr_object *object;
	uint64_t number;
	uint64_t word; /* what the index had for the first page */
	bool blank;    /* contents are of no use */
	struct qr_page *pages[AHEAD_MAX];
	size_t count;
};

/* How many pages from this one on to bring in at once. (object lock) */
static size_t
ahead_window(const struct qr_object *object, uint64_t number)
{
	uint32_t window = 1;
	if (number == object->ahead_next) {
		window = object->ahead_pages * 2;
		if (window < AHEAD_FIRST)
			window = AHEAD_FIRST;
		if (window > AHEAD_MAX)
			window = AHEAD_MAX;
	}
	uint64_t left = qr_object_pages(object) - number;
	return left < window ? (size_t)left : window;
}

uint64_t
qr_cache_io_bytes(const struct qr_object *object, uint64_t number, size_t count)
{
	/* Relaxed: a file that shrinks meanwhile loses the pages anyhow. */
	uint64_t size =
	    atomic_load_explicit(&object->size_bytes, memory_order_relaxed);
	uint64_t start = number * QR_PAGE_SIZE;
	uint64_t most = count * QR_PAGE_SIZE;
	if (size <= start)
		return 0;
	return size - start < most ? size - start : most;
}

/* --- contents --- */

static int
read_pages(struct qr_object *object, struct qr_page **pages, size_t count)
{
	struct qr_cache *cache = object->cache;
	qr_pfn_t frames[AHEAD_MAX];
	uint64_t number = pages[0]->u.cached.index;
	for (size_t i = 0; i < count; i++) {
		frames[i] = qr_frame_pfn(cache->frames, pages[i]);
		(void)qr_frame_data(cache->frames, pages[i]);
	}
	const struct qr_file_io io = {
		.file = object->file,
		.op = QR_FILE_READ,
		.index = number,
		.frames = frames,
		.count = count,
		.size_bytes = qr_cache_io_bytes(object, number, count),
	};
	/* It shrank: whoever waits for the page finds it past the end. */
	if (io.size_bytes <= (count - 1) * QR_PAGE_SIZE)
		return -QR_ENXIO;
	count_add(&cache->count.read_calls, 1);
	int error = cache->port->ops->file_io(cache->port->ctx, &io);
	if (error == 0)
		count_add(&cache->count.read_pages, count);
	else
		count_add(&cache->count.io_errors, 1);
	return error;
}

/* Fills held pages of a file, neighbours from the first on; how many are good
 * goes to *filled: none where an error is returned. */
static int
read_some(struct qr_object *object, struct qr_page **pages, size_t count,
    size_t *filled)
{
	int error = read_pages(object, pages, count);
	*filled = error == 0 ? count : 0;
	if (error == 0 || count == 1)
		return error;
	/* The one that is needed may be good. */
	error = read_pages(object, pages, 1);
	*filled = error == 0 ? 1 : 0;
	return error;
}

static int
fill_memory(struct fill *fill)
{
	struct qr_cache *cache = fill->object->cache;
	void *data = qr_frame_data(cache->frames, fill->pages[0]);
	if (!word_is_slot(fill->word)) {
		__builtin_memset(data, 0, QR_PAGE_SIZE);
		return 0;
	}
	return qr_swap_load(cache->swap, word_value(fill->word), data);
}

/* --- into the index --- */

static struct qr_page *
fill_page(struct fill *fill, qr_gfp_t gfp)
{
	struct qr_page *page = qr_frame_alloc(fill->object->cache->frames,
	    gfp | QR_GFP_RECLAIMABLE, 0, QR_PAGE_CACHED);
	if (page == NULL)
		return NULL;
	page->u.cached.object = fill->object;
	/* Relaxed: nobody else knows it. */
	atomic_store_explicit(&page->u.cached.state, QR_CACHED_BUSY,
	    memory_order_relaxed);
	return page;
}

/* Puts the page in the place of word. -QR_EAGAIN: that is not there any more;
 * -QR_ENOMEM: a node is missing, or the commit limit is reached. (object
 * lock) */
static int
fill_insert(struct fill *fill, struct qr_page *page, uint64_t word,
    struct qr_index_spares *spares)
{
	struct qr_object *object = fill->object;
	uint64_t number = fill->number + fill->count;
	if (number >= qr_object_pages(object))
		return -QR_ENXIO;
	if (qr_index_find(&object->index, number) != word)
		return -QR_EAGAIN;
	page->u.cached.index = (uint32_t)number;
	if (!qr_index_set(&object->index, number, word_of_page(page), spares))
		return -QR_ENOMEM;
	fill->pages[fill->count++] = page;
	object->cached++;
	object->stored -= word_is_slot(word);
	object->shadows -= word_is_shadow(word);
	count_add(&object->cache->pages, 1);
	return 0;
}

/* What a failed insertion may have left. (object lock) */
static void
fill_tidy(struct fill *fill)
{
	struct qr_object *object = fill->object;
	if (qr_index_find(&object->index, fill->number) == 0)
		qr_index_erase(&object->index, fill->number);
}

/* Inserts the first page, taking nodes as they are found missing. */
static int
fill_first_page(struct fill *fill, struct qr_page *page)
{
	struct qr_object *object = fill->object;
	const struct qr_port *port = object->cache->port;
	struct qr_index_spares spares = { NULL };
	int error = 0;
	/* The first turn finds whether a node is missing at all. */
	for (unsigned turn = 0; turn <= QR_INDEX_LEVELS; turn++) {
		if (turn > 0)
			error = qr_index_spare(&object->index, &spares,
			    QR_GFP_KERNEL);
		qr_lock_acquire(port, &object->lock);
		if (error == 0)
			error = fill_insert(fill, page, fill->word, &spares);
		bool again = error == -QR_ENOMEM && turn < QR_INDEX_LEVELS &&
			     (turn == 0 || spares.first == NULL);
		if (error != 0 && !again)
			fill_tidy(fill);
		qr_lock_release(port, &object->lock);
		if (!again)
			break;
		error = 0;
	}
	qr_index_spares_drop(&object->index, &spares);
	return error;
}

/* The page that is wanted: 0, or -QR_EAGAIN: things have changed. */
static int
fill_first(struct fill *fill)
{
	struct qr_object *object = fill->object;
	bool promise = !word_is_slot(fill->word);
	struct qr_page *page = fill_page(fill, QR_GFP_RECLAIM);
	if (page == NULL)
		return -QR_ENOMEM;
	int error = promise ? qr_cached_charge(object) : 0;
	if (error == 0) {
		error = fill_first_page(fill, page);
		if (error != 0 && promise)
			qr_cached_uncharge(object);
	}
	if (error != 0)
		qr_frame_free(object->cache->frames, page);
	return error;
}

/* Those that follow it in a file and can be had without effort. (object
 * lock) */
static void
fill_ahead(struct fill *fill, size_t want)
{
	struct qr_object *object = fill->object;
	struct qr_index_spares none = { NULL };
	while (fill->count < want) {
		uint64_t number = fill->number + fill->count;
		uint64_t word = qr_index_find(&object->index, number);
		if (word_is_page(word))
			return;
		struct qr_page *page = fill_page(fill, 0);
		if (page == NULL)
			return;
		if (fill_insert(fill, page, word, &none) != 0) {
			qr_frame_free(object->cache->frames, page);
			return;
		}
	}
}

static void
fill_plan(struct fill *fill)
{
	struct qr_object *object = fill->object;
	struct qr_cache *cache = object->cache;
	qr_lock_acquire(cache->port, &object->lock);
	size_t want = ahead_window(object, fill->number);
	if (want > 1 && !qr_frame_below_low(cache->frames))
		fill_ahead(fill, want);
	object->ahead_next = fill->number + fill->count;
	object->ahead_pages = (uint32_t)want;
	qr_lock_release(cache->port, &object->lock);
	count_add(&cache->count.ahead_pages, fill->count - 1);
}

/* --- all of it --- */

/* The pages are there: the policy may know, and others may have all but the
 * first. */
static void
fill_publish(struct fill *fill, size_t filled)
{
	struct qr_cache *cache = fill->object->cache;
	for (size_t i = 0; i < filled; i++) {
		const uint32_t shadow = (uint32_t)word_value(fill->word);
		bool known = i == 0 && word_is_shadow(fill->word);
		cache->ops->page_in(cache->ops_ctx, fill->pages[i],
		    known ? &shadow : NULL);
		if (i > 0)
			qr_cached_release(cache->port, fill->pages[i]);
	}
}

/* Brings the page in, held. -QR_EAGAIN: it, or the object, has changed. */
static int
fill_all(struct fill *fill)
{
	struct qr_object *object = fill->object;
	struct qr_cache *cache = object->cache;
	int error = fill_first(fill);
	if (error != 0)
		return error;
	size_t filled = 1;
	if (object->file != NULL && !fill->blank) {
		fill_plan(fill);
		error = read_some(object, fill->pages, fill->count, &filled);
	} else {
		error = fill_memory(fill);
	}
	/* Those that did not come leave as they came. */
	for (size_t i = error == 0 ? filled : 0; i < fill->count; i++)
		qr_cached_remove(fill->pages[i],
		    i == 0 && word_is_slot(fill->word) ? fill->word : 0);
	if (error != 0)
		return error;
	if (word_is_slot(fill->word)) {
		uint32_t shadow =
		    qr_swap_shadow(cache->swap, word_value(fill->word));
		qr_swap_put(cache->swap, word_value(fill->word));
		fill->word = word_of_shadow(shadow);
		qr_cache_dirty(fill->pages[0]);
	}
	fill_publish(fill, filled);
	return 0;
}

/* The number's page if it is there, or what is; -QR_EAGAIN: it was in
 * somebody's hands. */
static int
get_once(struct fill *fill, struct qr_page **page)
{
	struct qr_object *object = fill->object;
	const struct qr_port *port = object->cache->port;
	struct qr_cached_busy busy = { NULL, 0 };
	qr_lock_acquire(port, &object->lock);
	bool inside = fill->number < qr_object_pages(object);
	fill->word = inside ? qr_index_find(&object->index, fill->number) : 0;
	*page = qr_cached_find(fill->word, &busy);
	qr_lock_release(port, &object->lock);
	if (busy.state != 0)
		qr_cached_wait(port, &busy);
	if (!inside)
		return -QR_ENXIO;
	return busy.page != NULL ? -QR_EAGAIN : 0;
}

/* The policy will find that the page was wanted; no lock, since a touch that
 * is lost among many does no harm. */
static void
page_note_touch(struct qr_page *page)
{
	/* Relaxed: a mark; others' bits of the byte are left alone. */
	uint8_t flags =
	    atomic_load_explicit(&page->flags, memory_order_relaxed);
	if ((flags & QR_PAGE_REFERENCED) == 0)
		atomic_fetch_or_explicit(&page->flags, QR_PAGE_REFERENCED,
		    memory_order_relaxed);
}

static int
get_page(struct qr_object *object, uint64_t number, bool blank,
    struct qr_page **page)
{
	struct qr_cache *cache = object->cache;
	struct fill fill;
	int error;
	fill.object = object;
	fill.number = number;
	fill.blank = blank;
	/* Each further turn means that another thread got ahead. */
	do {
		fill.count = 0;
		error = get_once(&fill, page);
		if (error == 0 && *page != NULL) {
			count_add(&cache->count.hits, 1);
			page_note_touch(*page);
			return 0;
		}
		if (error == 0) {
			count_add(&cache->count.misses, 1);
			error = fill_all(&fill);
			*page = fill.pages[0];
		}
	} while (error == -QR_EAGAIN);
	return error;
}

int
qr_cache_get(struct qr_object *object, uint64_t number, struct qr_page **page)
{
	return get_page(object, number, false, page);
}

int
qr_cache_get_blank(struct qr_object *object, uint64_t number,
    struct qr_page **page)
{
	return get_page(object, number, true, page);
}
