/* SPDX-License-Identifier: MIT */
/*
 * heap/run.c: regions of address space, and the runs of pages cut from them
 * by the buddy system.
 *
 * A region's tables lie in a reservation beside it:
 *
 *   | struct, bits of buddy, pages, chunks       | page map | span headers |
 *     committed when the region is made            grow by QR_HEAP_TABLE_STEP
 *
 * The region itself is committed in chunks of 2 MiB when a run reaches into
 * them. Keeps [heap.5], [heap.6], [heap.7].
 *
 * Regions are never released, so the page map can be read without a lock.
 * Address space is what they cost; their memory goes back when it is purged.
 */
#include <string.h>

#include "sample_impl.h"

/* Size of the first try, and of the least that is tried unless less is
 * needed: at 64 GiB nearly every program has one region. Bytes. */
#define REGION_BYTES_MAX ((size_t)64 << 30)
#define REGION_BYTES_MIN ((size_t)64 << 20)

/* A region's alignment, and so that of the blocks in it, where address space
 * is not scarce: 1 GiB. */
#define REGION_ALIGN ((size_t)1 << 30)

#define CHUNK_BYTES ((size_t)1 << QR_HEAP_CHUNK_SHIFT)
#define CHUNK_PAGES (CHUNK_BYTES >> QR_PAGE_SHIFT)

/* The first pages of a region are handed out one after the other, without the
 * buddy: its bits lie in a dozen pages, and in three quarters of all programs
 * the heap never gets further than this. 256 KiB. */
#define BOOT_PAGES ((uint64_t)64)

/* The least run that is looked for among dirty pages first, unless it is a
 * power of two as most spans are: above 64 KiB what it costs to touch is more
 * than the search. And ranges that are looked at. */
#define DIRTY_FIRST_PAGES ((uint64_t)17)
#define DIRTY_RANGES      32u

/* Units of span headers to a page: a bit more than 16-byte blocks in spans of
 * 4 pages need (3 units). */
#define UNITS_PER_PAGE 1u

/* Offsets of a region's tables in their reservation, and its length; bytes. */
struct region_layout {
	size_t buddy;
	size_t dirty;
	size_t chunks;
	size_t map;
	size_t units;
	size_t total;
	unsigned orders;
	uint32_t units_max;
};

static void
layout_compute(struct region_layout *layout, uint64_t pages)
{
	layout->orders = qr_bit_highest(pages) + 1;
	layout->buddy = qr_round_up(sizeof(struct qr_heap_region), 64);
	layout->dirty =
	    layout->buddy +
	    qr_round_up(qr_buddy_state_bytes(pages, layout->orders), 64);
	layout->chunks =
	    layout->dirty + qr_round_up(qr_div_round_up(pages, 8), 64);
	size_t chunks = qr_div_round_up(pages, CHUNK_PAGES * 64);
	layout->map =
	    qr_round_up(layout->chunks + chunks * sizeof(struct qr_heap_chunks),
		QR_HEAP_TABLE_STEP);
	layout->units =
	    layout->map + qr_round_up(pages * sizeof(struct qr_heap_word),
			      QR_HEAP_TABLE_STEP);
	layout->units_max = (uint32_t)qr_min(pages * UNITS_PER_PAGE,
	    ((size_t)1 << QR_SPAN_REF_UNIT_BITS) - 1);
	layout->total = layout->units + qr_round_up((size_t)layout->units_max *
							QR_SPAN_UNIT_BYTES,
					    QR_HEAP_TABLE_STEP);
}

static int
source_commit(struct qr_heap *heap, void *start, size_t bytes)
{
	return heap->source->ops->commit(heap->source->ctx, start, bytes);
}

static void
region_setup(struct qr_heap_region *region, const struct region_layout *layout,
    uint64_t pages)
{
	char *tables = (char *)region;
	region->pages = pages;
	region->dirty = (void *)(tables + layout->dirty);
	region->chunks = (void *)(tables + layout->chunks);
	region->units = tables + layout->units;
	region->units_max = layout->units_max;
	region->units_used = 1;
	qr_buddy_init(&region->buddy, pages, layout->orders,
	    tables + layout->buddy);
	region->boot_pages = qr_min(BOOT_PAGES, pages);
}

/* Gives the buddy all pages that were not handed out before. */
static void
region_open(struct qr_heap_region *region)
{
	if (region->boot_pages == 0)
		return;
	region->boot_pages = 0;
	qr_buddy_return_range(&region->buddy, region->boot_next,
	    region->pages - region->boot_next);
}

/* Pages from the start of a region whose buddy has none yet. */
static bool
region_boot_take(struct qr_heap_region *region, uint64_t pages, uint64_t *page)
{
	if (pages >
	    region->boot_pages - qr_min(region->boot_next, region->boot_pages))
		return false;
	*page = region->boot_next;
	region->boot_next += pages;
	return true;
}

/* Makes the region known; from here on it can be found by address. */
static void
region_publish(struct qr_heap *heap, struct qr_heap_region *region, void *base,
    void *map)
{
	unsigned index =
	    atomic_load_explicit(&heap->regions, memory_order_relaxed);
	region->index = (uint8_t)index;
	region->window = &heap->window[index];
	region->window->map = map;
	atomic_store_explicit(&region->window->base, (uintptr_t)base,
	    memory_order_relaxed);
	heap->region[index] = region;
	/* Release pairs with the acquire in qr_heap_place_of. */
	atomic_store_explicit(&heap->regions, index + 1, memory_order_release);
}

/* A region of exactly so many bytes, or -QR_ENOMEM. */
static int
region_create(struct qr_heap *heap, size_t bytes, size_t align)
{
	const struct qr_page_source *source = heap->source;
	uint64_t pages = bytes >> QR_PAGE_SHIFT;
	struct region_layout layout;
	layout_compute(&layout, pages);

	void *base;
	int err = source->ops->reserve(source->ctx, bytes, align, &base);
	if (err != 0)
		return err;
	void *tables;
	err = source->ops->reserve(source->ctx, layout.total, 0, &tables);
	if (err != 0)
		goto undo_base;
	err = source_commit(heap, tables, layout.map);
	if (err != 0)
		goto undo_tables;

	struct qr_heap_region *region = tables;
	region_setup(region, &layout, pages);
	region_publish(heap, region, base, (char *)tables + layout.map);
	heap->reserved_bytes += bytes + layout.total;
	heap->metadata_bytes += layout.map;
	return 0;

undo_tables:
	source->ops->release(source->ctx, tables, layout.total);
undo_base:
	source->ops->release(source->ctx, base, bytes);
	return err;
}

/*
 * Adds a region that a run of so many pages fits in: the largest that is to
 * be had, at most 64 GiB if the run is not larger. -QR_ENOMEM.
 */
static int
region_add(struct qr_heap *heap, uint64_t pages, size_t align)
{
	size_t most = REGION_BYTES_MAX;
	size_t base_align = REGION_ALIGN;
	if (heap->source->reserve_bytes_max != 0) {
		most = qr_min(most, heap->source->reserve_bytes_max);
		base_align = CHUNK_BYTES;
	}
	if (atomic_load_explicit(&heap->regions, memory_order_relaxed) ==
	    QR_HEAP_REGIONS)
		return -QR_ENOMEM;
	size_t need = qr_round_up(pages << QR_PAGE_SHIFT, CHUNK_BYTES);
	size_t bytes = (size_t)1 << qr_bit_highest(qr_max(most, CHUNK_BYTES));
	/* Where there is little in all, any part of it will do. */
	size_t least =
	    bytes < REGION_BYTES_MIN ? CHUNK_BYTES : REGION_BYTES_MIN;
	for (; bytes > need; bytes /= 2) {
		size_t want = qr_max(align, qr_min(base_align, bytes));
		if (bytes >= least && region_create(heap, bytes, want) == 0)
			return 0;
	}
	return region_create(heap, need, qr_max(align, CHUNK_BYTES));
}

int
qr_heap_run_init(struct qr_heap *heap)
{
	QR_ASSERT(heap->source->grain_bytes <= QR_HEAP_TABLE_STEP,
	    "pages of %zu bytes", heap->source->grain_bytes);
	return region_add(heap, 1, 0);
}

void
qr_heap_run_fini(struct qr_heap *heap)
{
	const struct qr_page_source *source = heap->source;
	unsigned regions =
	    atomic_load_explicit(&heap->regions, memory_order_relaxed);
	/* The last one first, for sources that can only shrink. */
	while (regions-- > 0) {
		struct qr_heap_region *region = heap->region[regions];
		char *base = qr_heap_page_address(region, 0);
		size_t bytes = (size_t)region->pages << QR_PAGE_SHIFT;
		struct region_layout layout;
		layout_compute(&layout, region->pages);
		source->ops->release(source->ctx, region, layout.total);
		source->ops->release(source->ctx, base, bytes);
	}
}

/* --- commits --- */

static bool
chunk_is_committed(const struct qr_heap_region *region, uint64_t chunk)
{
	return (region->chunks[chunk / 64].committed >> (chunk % 64) & 1) != 0;
}

static bool
chunk_is_opened(const struct qr_heap_region *region, uint64_t chunk)
{
	return (region->chunks[chunk / 64].opened >> (chunk % 64) & 1) != 0;
}

/* Commits the chunks from first on that are not yet, up to the first one that
 * is, or to end. Returns where it stopped, in *next. */
static int
chunks_commit_some(struct qr_heap *heap, struct qr_heap_region *region,
    uint64_t first, uint64_t end, uint64_t *next)
{
	uint64_t stop = first;
	while (stop < end && !chunk_is_committed(region, stop))
		stop++;
	char *start = qr_heap_page_address(region, first * CHUNK_PAGES);
	int err =
	    source_commit(heap, start, (stop - first) << QR_HEAP_CHUNK_SHIFT);
	if (err != 0)
		return err;
	for (uint64_t chunk = first; chunk < stop; chunk++)
		region->chunks[chunk / 64].committed |= (uint64_t)1
							<< (chunk % 64);
	*next = stop;
	return 0;
}

/* Makes the pages before end_page have words in the map. */
static int
map_commit(struct qr_heap *heap, struct qr_heap_region *region,
    uint64_t end_page)
{
	struct qr_heap_window *window = region->window;
	size_t have =
	    atomic_load_explicit(&window->bytes, memory_order_relaxed);
	if (end_page << QR_PAGE_SHIFT <= have)
		return 0;
	size_t from = (have >> QR_PAGE_SHIFT) * sizeof(struct qr_heap_word);
	size_t to = qr_round_up(end_page * sizeof(struct qr_heap_word),
	    QR_HEAP_TABLE_STEP);
	/* The last step may cover more words than the region has pages. */
	from = qr_round_up(from, QR_HEAP_TABLE_STEP);
	int err = source_commit(heap, (char *)window->map + from, to - from);
	if (err != 0)
		return err;
	heap->metadata_bytes += to - from;
	size_t bytes = (to / sizeof(struct qr_heap_word)) << QR_PAGE_SHIFT;
	bytes = qr_min(bytes, region->pages << QR_PAGE_SHIFT);
	/* Release pairs with the acquire in qr_heap_place_of. */
	atomic_store_explicit(&window->bytes, bytes, memory_order_release);
	return 0;
}

/* Makes a run's pages and their words usable. */
static int
run_commit(struct qr_heap *heap, struct qr_heap_region *region, uint64_t page,
    uint64_t pages)
{
	int err = map_commit(heap, region, page + pages);
	if (err != 0)
		return err;
	uint64_t chunk = page / CHUNK_PAGES;
	uint64_t end = qr_div_round_up(page + pages, CHUNK_PAGES);
	while (chunk < end) {
		if (chunk_is_committed(region, chunk)) {
			chunk++;
			continue;
		}
		err = chunks_commit_some(heap, region, chunk, end, &chunk);
		if (err != 0)
			return err;
	}
	return 0;
}

/* Makes a run that was taken from the buddy usable. zero: it is for calloc. */
static int
run_open(struct qr_heap *heap, struct qr_heap_region *region, uint64_t page,
    uint64_t pages, bool zero)
{
	uint64_t end = qr_div_round_up(page + pages, CHUNK_PAGES);
	uint64_t chunk = page / CHUNK_PAGES;
	if (QR_LIKELY(end == chunk + 1 && chunk_is_opened(region, chunk)))
		return 0;
	int err = run_commit(heap, region, page, pages);
	if (err != 0)
		return err;
	for (; chunk < end; chunk++) {
		if (chunk_is_opened(region, chunk))
			continue;
		region->chunks[chunk / 64].opened |= (uint64_t)1
						     << (chunk % 64);
		qr_heap_hint_opened(heap, region, chunk,
		    qr_heap_hint_may_open(pages, zero));
	}
	return 0;
}

/* --- runs --- */

/*
 * For a long run the tightest range of dirty pages, of the first that there
 * are: those are resident, and a range need not be a block of the buddy's.
 */
static bool
run_find_dirty(struct qr_heap_region *region, uint64_t pages, uint64_t *page)
{
	uint64_t at = 0;
	uint64_t count;
	uint64_t best = UINT64_MAX;
	for (unsigned turn = 0; turn < DIRTY_RANGES && best != pages; turn++) {
		if (!qr_heap_dirty_next(region, at, region->used_pages, &at,
			&count))
			break;
		if (count >= pages && count < best) {
			best = count;
			*page = at;
		}
		at += count;
	}
	/* Busy: a purge has them. */
	return best != UINT64_MAX &&
	       qr_buddy_take_range(&region->buddy, *page, pages) == 0;
}

/* Finds free pages in the regions there are. The buddy aligns within a
 * region, so the region must be aligned as well. */
static int
run_find(struct qr_heap *heap, uint64_t pages, unsigned align_order,
    struct qr_heap_run *run)
{
	unsigned regions =
	    atomic_load_explicit(&heap->regions, memory_order_relaxed);
	uintptr_t mask = (QR_PAGE_SIZE << align_order) - 1;
	for (unsigned i = 0; i < regions; i++) {
		struct qr_heap_region *region = heap->region[i];
		uintptr_t base = (uintptr_t)qr_heap_page_address(region, 0);
		if ((base & mask) != 0)
			continue;
		if (align_order == 0 &&
		    region_boot_take(region, pages, &run->page)) {
			run->region = region;
			run->pages = pages;
			return 0;
		}
		region_open(region);
		if (pages > region->buddy.free_units)
			continue;
		if ((pages >= DIRTY_FIRST_PAGES && !qr_is_pow2(pages) &&
			align_order == 0 &&
			run_find_dirty(region, pages, &run->page)) ||
		    qr_buddy_alloc_run(&region->buddy, pages, align_order,
			&run->page) == 0) {
			run->region = region;
			run->pages = pages;
			return 0;
		}
	}
	return -QR_ENOMEM;
}

/* The same, of what is kept if that will do or if no used pages are free. */
static int
run_find_free(struct qr_heap *heap, uint64_t pages, unsigned align_order,
    struct qr_heap_run *run)
{
	if (align_order == 0 && qr_heap_kept_take(heap, pages, &run->page)) {
		run->region = heap->region[0];
		run->pages = pages;
		return 0;
	}
	int err = run_find(heap, pages, align_order, run);
	bool used = err == 0 && run->page < run->region->used_pages;
	if (used || heap->kept_pages < pages || !qr_heap_kept_join(heap))
		return err;
	if (err == 0)
		qr_buddy_return_range(&run->region->buddy, run->page, pages);
	return run_find(heap, pages, align_order, run);
}

/* The same, from the start of a new region. */
static int
run_find_new(struct qr_heap *heap, uint64_t pages, unsigned align_order,
    struct qr_heap_run *run)
{
	int err = region_add(heap, pages, QR_PAGE_SIZE << align_order);
	if (err != 0)
		return err;
	unsigned regions =
	    atomic_load_explicit(&heap->regions, memory_order_relaxed);
	struct qr_heap_region *region = heap->region[regions - 1];
	region_open(region);
	err = qr_buddy_take_range(&region->buddy, 0, pages);
	QR_ASSERT(err == 0, "a new region of %llu pages is not empty",
	    (unsigned long long)region->pages);
	*run = (struct qr_heap_run){ region, 0, pages, true };
	return 0;
}

/* Counts pages as handed out, and clean unless keep_dirty. Returns whether
 * they were. */
static bool
run_taken(struct qr_heap *heap, struct qr_heap_region *region, uint64_t page,
    uint64_t pages, bool keep_dirty)
{
	uint64_t dirty = qr_heap_dirty_count(region, page, pages);
	if (page < region->used_pages)
		heap->tick_again +=
		    qr_min(pages, region->used_pages - page) - dirty;
	region->used_pages = qr_max(region->used_pages, page + pages);
	if (dirty != 0 && !keep_dirty)
		qr_heap_dirty_set(region, page, pages, false);
	/* Relaxed: changed under the lock, read bare as hints. */
	atomic_fetch_sub_explicit(&heap->dirty, dirty, memory_order_relaxed);
	size_t held = atomic_fetch_add_explicit(&heap->held, pages,
			  memory_order_relaxed) +
		      pages;
	if (held > heap->held_max) {
		heap->held_max = held;
		qr_heap_idle_notice(heap);
		qr_sample_notice(heap, held);
	}
	heap->tick_peak = qr_max(heap->tick_peak, held);
	return dirty == 0;
}

int
qr_heap_run_alloc(struct qr_heap *heap, uint64_t pages, unsigned align_order,
    bool keep_dirty, struct qr_heap_run *run)
{
	qr_heap_assert_locked(heap, QR_HEAP_LOCK_RUNS);
	struct qr_heap_run found;
	if (!qr_heap_limit_allows(heap, pages))
		return -QR_ENOMEM;
	int err = run_find_free(heap, pages, align_order, &found);
	if (err != 0)
		err = run_find_new(heap, pages, align_order, &found);
	if (err != 0)
		return err;
	err = run_open(heap, found.region, found.page, pages, keep_dirty);
	if (err != 0) {
		qr_buddy_return_range(&found.region->buddy, found.page, pages);
		return err;
	}
	found.fresh =
	    run_taken(heap, found.region, found.page, pages, keep_dirty);
	*run = found;
	return 0;
}

void
qr_heap_run_free(struct qr_heap *heap, const struct qr_heap_run *run,
    uint64_t dirty_pages)
{
	qr_heap_assert_locked(heap, QR_HEAP_LOCK_RUNS);
	uint64_t dirty = run->fresh ? dirty_pages : run->pages;
	qr_heap_dirty_set(run->region, run->page, dirty, true);
	if (dirty != run->pages || !qr_heap_kept_add(heap, run))
		qr_buddy_return_range(&run->region->buddy, run->page,
		    run->pages);
	/* Relaxed: changed under the lock, read bare as hints. */
	atomic_fetch_add_explicit(&heap->dirty, dirty, memory_order_relaxed);
	atomic_fetch_sub_explicit(&heap->held, run->pages,
	    memory_order_relaxed);
}

int
qr_heap_run_extend(struct qr_heap *heap, struct qr_heap_run *run, uint64_t more)
{
	qr_heap_assert_locked(heap, QR_HEAP_LOCK_RUNS);
	struct qr_heap_region *region = run->region;
	uint64_t page = run->page + run->pages;
	if (more > region->pages - page || !qr_heap_limit_allows(heap, more))
		return -QR_EBUSY;
	int err = qr_buddy_take_range(&region->buddy, page, more);
	if (err != 0 && qr_heap_kept_join(heap))
		err = qr_buddy_take_range(&region->buddy, page, more);
	if (err != 0)
		return err;
	err = run_open(heap, region, page, more, false);
	if (err != 0) {
		qr_buddy_return_range(&region->buddy, page, more);
		return err;
	}
	run_taken(heap, region, page, more, false);
	run->pages += more;
	return 0;
}

void
qr_heap_run_zero(struct qr_heap *heap, const struct qr_heap_run *run)
{
	if (run->fresh)
		return;
	uint64_t end = run->page + run->pages;
	uint64_t page = run->page;
	uint64_t count;
	while (qr_heap_dirty_next(run->region, page, end, &page, &count)) {
		memset(qr_heap_page_address(run->region, page), 0,
		    (size_t)count << QR_PAGE_SHIFT);
		page += count;
	}
	qr_heap_lock(heap, QR_HEAP_LOCK_RUNS);
	qr_heap_dirty_set(run->region, run->page, run->pages, false);
	qr_heap_unlock(heap, QR_HEAP_LOCK_RUNS);
}
