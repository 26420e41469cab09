/* SPDX-License-Identifier: MIT */
/*
 * heap/check.c: walks over the heap: its statistics, its dump, its checker.
 *
 * A walk goes along the page map. Spans are made and destroyed under the runs
 * lock, so with it every header that the map names is there; the counts in a
 * header may change meanwhile.
 */
#include <stdio.h>
#include <string.h>

#include "pagemap_impl.h"
#include "sample_impl.h"

/* Whether the run that begins at this word is nobody's. */
static bool
run_is_kept(const struct qr_heap_word *word)
{
	uint32_t tag = qr_heap_tag(word);
	return !qr_tag_is_span(tag) &&
	       (tag & QR_HEAP_TAG_KIND) == QR_HEAP_KIND_KEPT;
}

/* Pages of the run that begins at a page with this word; 0: none does. */
static uint64_t
run_pages(const struct qr_heap_place *place)
{
	uint32_t tag = qr_heap_tag(place->word);
	if (tag == 0)
		return 0;
	if (run_is_kept(place->word))
		return qr_tag_class(tag);
	return qr_tag_is_span(tag) ? qr_span_of_word(place)->pages
				   : place->word->value;
}

/* Pages to the end of the free block that page lies in, or 1. */
static uint64_t
free_pages(const struct qr_heap_region *region, uint64_t page)
{
	unsigned order;
	if (!qr_buddy_is_free(&region->buddy, page, &order))
		return 1;
	uint64_t size = (uint64_t)1 << order;
	return size - (page & (size - 1));
}

void
qr_heap_walk(struct qr_heap *heap,
    void (*visit)(void *ctx, const struct qr_heap_place *place, uint64_t pages),
    void *ctx)
{
	qr_heap_assert_locked(heap, QR_HEAP_LOCK_RUNS);
	unsigned regions =
	    atomic_load_explicit(&heap->regions, memory_order_relaxed);
	for (unsigned i = 0; i < regions; i++) {
		struct qr_heap_region *region = heap->region[i];
		uint64_t page = 0;
		while (page < region->used_pages) {
			struct qr_heap_place place = { region, page,
				&region->window->map[page] };
			uint64_t pages = run_pages(&place);
			if (pages == 0)
				pages = free_pages(region, page);
			else if (!run_is_kept(place.word))
				visit(ctx, &place, pages);
			page += pages;
		}
	}
}

/* --- statistics --- */

/* What one size class has. */
struct class_stats {
	size_t spans;
	size_t pages;
	size_t blocks_cut;
	size_t blocks_free;
};

struct walk_stats {
	struct qr_heap_stats *sum;
	struct class_stats per_class[QR_SIZE_CLASSES];
};

static void
stats_span(struct walk_stats *stats, const struct qr_span *span, uint64_t pages)
{
	/* Relaxed: true of no single instant. */
	size_t cut = atomic_load_explicit(&span->cut, memory_order_relaxed);
	size_t free = atomic_load_explicit(&span->free, memory_order_relaxed);
	struct class_stats *one = &stats->per_class[span->size_class];
	one->spans++;
	one->pages += pages;
	one->blocks_cut += cut;
	one->blocks_free += qr_min(free, cut);

	struct qr_heap_stats *sum = stats->sum;
	sum->spans++;
	sum->small_bytes += pages << QR_PAGE_SHIFT;
	sum->small_used_bytes +=
	    (cut - qr_min(free, cut)) * qr_size_of_class(span->size_class);
}

static void
stats_visit(void *ctx, const struct qr_heap_place *place, uint64_t pages)
{
	struct walk_stats *stats = ctx;
	uint32_t tag = qr_heap_tag(place->word);
	if (qr_tag_is_span(tag)) {
		stats_span(stats, qr_span_of_word(place), pages);
		if (qr_tag_owner(tag) == QR_HEAP_ID_DETACHED)
			stats->sum->spans_detached++;
	} else if (tag == QR_HEAP_KIND_LARGE) {
		stats->sum->large_blocks++;
		stats->sum->large_bytes += pages << QR_PAGE_SHIFT;
	}
}

static size_t
pages_bytes(const _Atomic(size_t) *pages)
{
	/* Relaxed: a statistic. */
	return atomic_load_explicit(pages, memory_order_relaxed)
	       << QR_PAGE_SHIFT;
}

static void
stats_take(struct qr_heap *heap, struct walk_stats *stats)
{
	struct qr_heap_stats *sum = stats->sum;
	memset(stats->per_class, 0, sizeof(stats->per_class));
	memset(sum, 0, sizeof(*sum));
	qr_heap_lock(heap, QR_HEAP_LOCK_THREADS);
	sum->threads = heap->threads;
	sum->threads_parked = heap->parked_count;
	qr_heap_unlock(heap, QR_HEAP_LOCK_THREADS);

	qr_heap_lock(heap, QR_HEAP_LOCK_RUNS);
	sum->reserved_bytes = heap->reserved_bytes;
	sum->metadata_bytes = heap->metadata_bytes;
	sum->held_bytes = pages_bytes(&heap->held);
	sum->held_bytes_max = heap->held_max << QR_PAGE_SHIFT;
	sum->dirty_bytes = pages_bytes(&heap->dirty);
	sum->purged_bytes = pages_bytes(&heap->purged);
	qr_heap_walk(heap, stats_visit, stats);
	qr_heap_unlock(heap, QR_HEAP_LOCK_RUNS);
}

void
qr_heap_stats(struct qr_heap_stats *stats)
{
	struct walk_stats walk = { .sum = stats };
	stats_take(&qr_heap_process, &walk);
}

/* Longest line of a dump. */
#define DUMP_BYTES 128

void
qr_heap_dump(void (*print)(void *ctx, const char *line), void *ctx)
{
	struct qr_heap_stats sum;
	struct walk_stats walk = { .sum = &sum };
	char line[DUMP_BYTES];
	stats_take(&qr_heap_process, &walk);
	print(ctx, "   bytes    spans      KiB   blocks     used");
	for (unsigned k = 0; k < QR_SIZE_CLASSES; k++) {
		const struct class_stats *one = &walk.per_class[k];
		if (one->spans == 0)
			continue;
		snprintf(line, sizeof(line), "%8zu %8zu %8zu %8zu %8zu",
		    qr_size_of_class(k), one->spans, one->pages * 4,
		    one->blocks_cut, one->blocks_cut - one->blocks_free);
		print(ctx, line);
	}
	snprintf(line, sizeof(line),
	    "held %zu KiB: small %zu (used %zu), large %zu in %zu blocks",
	    sum.held_bytes >> 10, sum.small_bytes >> 10,
	    sum.small_used_bytes >> 10, sum.large_bytes >> 10,
	    sum.large_blocks);
	print(ctx, line);
	snprintf(line, sizeof(line),
	    "free and dirty %zu KiB, purged %zu, tables %zu, %zu threads",
	    sum.dirty_bytes >> 10, sum.purged_bytes >> 10,
	    sum.metadata_bytes >> 10, sum.threads);
	print(ctx, line);
}

/* --- the checker --- */

struct check {
	struct qr_heap *heap;
	bool quiet;
	size_t held;                     /* pages of all runs */
	size_t sampled;                  /* pages with the mark */
	uint64_t pages[QR_HEAP_REGIONS]; /* the same by region, and free ones */
};

static void
check_span(const struct qr_span *span)
{
	/* Relaxed: nobody changes them, or the span would not be checked. */
	unsigned cut = atomic_load_explicit(&span->cut, memory_order_relaxed);
	unsigned free = atomic_load_explicit(&span->free, memory_order_relaxed);
	QR_ASSERT(free <= cut, "heap.2: %u free of %u cut", free, cut);
	QR_ASSERT(cut <= span->blocks, "heap.2: %u cut of %u blocks", cut,
	    span->blocks);
	unsigned bits = 0;
	for (unsigned block = 0; block < span->blocks; block++) {
		bool set = (span->free_map[block / 64] >> (block % 64) & 1);
		QR_ASSERT(!set || block < cut, "heap.1: block %u of %u cut",
		    block, cut);
		bits += set;
	}
	QR_ASSERT(bits == free, "heap.2: %u bits, %u free", bits, free);
	QR_ASSERT(span->full == qr_span_is_full(span),
	    "heap.3: span of class %u, full %d", span->size_class, span->full);
}

static void
check_words(const struct qr_heap_place *place, const struct qr_span *span)
{
	QR_ASSERT(place->page == span->page, "heap.4: page %llu, span at %u",
	    (unsigned long long)place->page, span->page);
	uint32_t want = qr_tag_span(span->owner, span->size_class);
	for (unsigned i = 0; i < span->pages; i++) {
		uint32_t tag = qr_heap_tag(&place->word[i]);
		QR_ASSERT(tag == want, "heap.4: tag 0x%x, span 0x%x", tag,
		    want);
		QR_ASSERT(place->word[i].value == place->word->value,
		    "heap.4: unit %u, first %u", place->word[i].value,
		    place->word->value);
	}
}

static void
check_visit(void *ctx, const struct qr_heap_place *place, uint64_t pages)
{
	struct check *check = ctx;
	const struct qr_heap_region *region = place->region;
	check->held += pages;
	check->pages[region->index] += pages;
	for (uint64_t i = 0; i < pages; i++)
		QR_ASSERT(!qr_buddy_is_free(&region->buddy, place->page + i,
			      NULL),
		    "heap.5: page %llu is free and in a run",
		    (unsigned long long)(place->page + i));
	for (uint64_t i = 0; i < pages; i++)
		check->sampled += (qr_heap_raw_tag(&place->word[i]) &
				      QR_HEAP_TAG_SAMPLED) != 0;
	uint32_t tag = qr_heap_tag(place->word);
	if (!qr_tag_is_span(tag))
		return;
	uint32_t owner = qr_tag_owner(tag);
	if (!check->quiet && owner != QR_HEAP_ID_DETACHED &&
	    owner != qr_heap_self->number)
		return;
	check_words(place, qr_span_of_word(place));
	check_span(qr_span_of_word(place));
}

static void
check_region(struct check *check, const struct qr_heap_region *region,
    size_t *dirty)
{
	qr_check_buddy(&region->buddy);
	check->pages[region->index] = region->buddy.free_units;
	if (region->boot_pages != 0)
		check->pages[region->index] +=
		    region->pages - region->boot_next;
	uint64_t page = 0;
	uint64_t count;
	while (qr_heap_dirty_next(region, page, region->used_pages, &page,
	    &count)) {
		for (uint64_t i = 0; i < count && check->quiet; i++)
			QR_ASSERT(qr_buddy_is_free(&region->buddy, page + i,
				      NULL),
			    "heap.6: page %llu is dirty and in use",
			    (unsigned long long)(page + i));
		*dirty += count;
		page += count;
	}
}

static void
check_runs(struct check *check)
{
	struct qr_heap *heap = check->heap;
	unsigned regions =
	    atomic_load_explicit(&heap->regions, memory_order_relaxed);
	size_t dirty = 0;
	/* So that each page is in a run or free in the buddy. */
	(void)qr_heap_kept_join(heap);
	for (unsigned i = 0; i < regions; i++)
		check_region(check, heap->region[i], &dirty);
	qr_heap_walk(heap, check_visit, check);
	qr_heap_lock(heap, QR_HEAP_LOCK_PROFILE);
	size_t sampled = qr_sample_check(heap);
	qr_heap_unlock(heap, QR_HEAP_LOCK_PROFILE);
	QR_ASSERT(!check->quiet || sampled == check->sampled,
	    "heap.10: %zu pages with samples, %zu with the mark", sampled,
	    check->sampled);
	/* Relaxed: changed under the lock that is held. */
	size_t held = atomic_load_explicit(&heap->held, memory_order_relaxed);
	for (unsigned i = 0; i < regions; i++)
		QR_ASSERT(check->pages[i] == heap->region[i]->pages,
		    "heap.5: %llu pages of %llu are free or in a run",
		    (unsigned long long)check->pages[i],
		    (unsigned long long)heap->region[i]->pages);
	QR_ASSERT(held == check->held, "heap.7: %zu held, runs of %zu", held,
	    check->held);
	held = atomic_load_explicit(&heap->dirty, memory_order_relaxed);
	QR_ASSERT(!check->quiet || held == dirty, "heap.7: %zu dirty, %zu bits",
	    held, dirty);
}

static void
check_list(struct qr_heap_thread *thread, unsigned size_class)
{
	const struct qr_heap_list *list = &thread->list[size_class];
	int32_t most = qr_heap_list_most(list, size_class);
	int32_t length = 0;
	for (void *block = list->head; block != NULL; block = *(void **)block) {
		struct qr_heap_place place;
		bool known = qr_heap_place_of(thread->heap, block, &place);
		QR_ASSERT(known, "heap.9: %p is on a list", block);
		uint32_t tag = qr_heap_tag(place.word);
		QR_ASSERT(qr_tag_is_span(tag) &&
			      qr_tag_class(tag) == size_class,
		    "heap.9: tag 0x%x on list %u of thread %u", tag, size_class,
		    thread->number);
		length++;
		QR_ASSERT(length <= most - list->room,
		    "heap.9: %d blocks and more, at most %d, room %d", length,
		    most, list->room);
	}
}

static void
check_parked(const struct qr_heap_thread *thread)
{
	for (unsigned k = 0; k < QR_SIZE_CLASSES; k++) {
		QR_ASSERT(thread->spans[k][QR_SPAN_PARTIAL] == 0,
		    "heap.8: parked thread %u", thread->number);
		QR_ASSERT(thread->spans[k][QR_SPAN_FULL] == 0,
		    "heap.8: parked thread %u", thread->number);
	}
}

static void
check_heap(struct qr_heap *heap, bool quiet)
{
	struct check check = { .heap = heap, .quiet = quiet };
	qr_heap_lock(heap, QR_HEAP_LOCK_THREADS);
	qr_heap_lock(heap, QR_HEAP_LOCK_PURGE);
	qr_heap_lock(heap, QR_HEAP_LOCK_DETACHED);
	qr_heap_lock(heap, QR_HEAP_LOCK_RUNS);
	check_runs(&check);
	for (const struct qr_heap_thread *thread = heap->parked; thread != NULL;
	     thread = thread->parked_next)
		check_parked(thread);
	qr_heap_unlock(heap, QR_HEAP_LOCK_RUNS);
	qr_heap_unlock(heap, QR_HEAP_LOCK_DETACHED);
	qr_heap_unlock(heap, QR_HEAP_LOCK_PURGE);
	qr_heap_unlock(heap, QR_HEAP_LOCK_THREADS);
}

static void
check_lists(struct qr_heap_thread *thread)
{
	for (unsigned k = 0; k < QR_SIZE_CLASSES; k++)
		check_list(thread, k);
}

void
qr_check_heap(bool quiet)
{
	check_heap(&qr_heap_process, quiet);
	if (qr_heap_self != &qr_heap_thread_none)
		check_lists(qr_heap_self);
}

void
qr_check_separate_heap(struct qr_heap *heap)
{
	check_heap(heap, true);
	if (heap->shared != NULL)
		check_lists(heap->shared);
}
