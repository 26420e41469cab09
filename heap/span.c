/* SPDX-License-Identifier: MIT */
/*
 * heap/span.c: spans: their headers, their free maps, their place on lists.
 *
 * A block that was never cut has no bit set and its page may never have been
 * touched: cutting goes on piece by piece, from the start. Keeps [heap.1],
 * [heap.2], [heap.3].
 */
#include <string.h>

#include "span_impl.h"

/* Cut at once, unless one block is larger: to the end of a page, in larger
 * spans to the end of this part of them. Spans grow with demand, so little is
 * touched too early where there is little. */
#define CUT_PART 4u

/* In a heap that has grown as many pages at least: one call makes them. */
#define CUT_PAGES_GROWN 16u

/* The waste at the end of a span's pages is at most this part of them, before
 * those without a block are left out. */
#define SPAN_WASTE_PART 8u

#define MAP_SHIFT 6u
#define MAP_MASK  63u

/* --- geometry --- */

unsigned
qr_span_order_max(unsigned size_class)
{
	size_t size = qr_size_of_class(size_class);
	if (size <= 512)
		return 2; /* 16 KiB */
	return size <= 4096 ? 4 : 6;
}

unsigned
qr_span_order_min(unsigned size_class)
{
	size_t size = qr_size_of_class(size_class);
	unsigned order = 0;
	/* At most 6 turns: 256 KiB waste less of any class. */
	while (order < qr_span_order_max(size_class)) {
		size_t bytes = QR_PAGE_SIZE << order;
		if (size <= bytes && bytes % size <= bytes / SPAN_WASTE_PART)
			break;
		order++;
	}
	return order;
}

unsigned
qr_span_pages(unsigned size_class, unsigned order)
{
	size_t size = qr_size_of_class(size_class);
	size_t blocks = (QR_PAGE_SIZE << order) / size;
	return (unsigned)qr_div_round_up(blocks * size, QR_PAGE_SIZE);
}

struct qr_span *
qr_span_of_ref(const struct qr_heap *heap, qr_span_ref_t ref)
{
	const struct qr_heap_region *region =
	    heap->region[ref >> QR_SPAN_REF_UNIT_BITS];
	size_t unit = ref & (((uint32_t)1 << QR_SPAN_REF_UNIT_BITS) - 1);
	return (void *)(region->units + unit * QR_SPAN_UNIT_BYTES);
}

qr_span_ref_t
qr_span_ref_of(const struct qr_heap *heap, const struct qr_span *span)
{
	const struct qr_heap_region *region = heap->region[span->region];
	size_t bytes = (size_t)((const char *)span - region->units);
	return (uint32_t)span->region << QR_SPAN_REF_UNIT_BITS |
	       (uint32_t)(bytes / QR_SPAN_UNIT_BYTES);
}

/* The span that a page's word belongs to. */
struct qr_span *
qr_span_of_word(const struct qr_heap_place *place)
{
	size_t unit = place->word->value;
	return (void *)(place->region->units + unit * QR_SPAN_UNIT_BYTES);
}

char *
qr_span_start(const struct qr_heap *heap, const struct qr_span *span)
{
	return qr_heap_page_address(heap->region[span->region], span->page);
}

/* --- headers, runs lock held --- */

/* Takes so many units; 0: no memory. */
static uint32_t
units_alloc(struct qr_heap *heap, struct qr_heap_region *region, unsigned units)
{
	uint32_t unit = region->units_free[units];
	if (unit != 0) {
		/* A free header's first field links to the next. */
		const uint32_t *header =
		    (void *)(region->units + (size_t)unit * QR_SPAN_UNIT_BYTES);
		region->units_free[units] = *header;
		return unit;
	}
	if (units > region->units_max - region->units_used)
		return 0;
	size_t end = (size_t)(region->units_used + units) * QR_SPAN_UNIT_BYTES;
	if (end > region->units_bytes) {
		int err = heap->source->ops->commit(heap->source->ctx,
		    region->units + region->units_bytes, QR_HEAP_TABLE_STEP);
		if (err != 0)
			return 0;
		region->units_bytes += QR_HEAP_TABLE_STEP;
		heap->metadata_bytes += QR_HEAP_TABLE_STEP;
	}
	unit = region->units_used;
	region->units_used += units;
	return unit;
}

static void
units_free(struct qr_heap_region *region, struct qr_span *span)
{
	unsigned units = span->units;
	size_t bytes = (size_t)((char *)span - region->units);
	span->next = region->units_free[units];
	region->units_free[units] = (uint32_t)(bytes / QR_SPAN_UNIT_BYTES);
}

static unsigned
span_units(unsigned blocks)
{
	size_t words = qr_div_round_up(blocks, MAP_MASK + 1);
	size_t bytes = sizeof(struct qr_span) + words * sizeof(uint64_t);
	return (unsigned)qr_div_round_up(bytes, QR_SPAN_UNIT_BYTES);
}

static void
span_init(struct qr_span *span, const struct qr_heap_run *run,
    unsigned size_class, uint32_t owner)
{
	size_t size = qr_size_of_class(size_class);
	size_t blocks = ((size_t)run->pages << QR_PAGE_SHIFT) / size;
	unsigned units = span_units((unsigned)blocks);
	memset(span, 0, (size_t)units * QR_SPAN_UNIT_BYTES);
	span->page = (uint32_t)run->page;
	span->owner = owner;
	span->blocks = (uint16_t)blocks;
	span->reciprocal =
	    (uint32_t)qr_div_round_up((uint64_t)1 << QR_SPAN_RECIPROCAL_SHIFT,
		size);
	span->size_class = (uint8_t)size_class;
	span->pages = (uint8_t)run->pages;
	span->region = run->region->index;
	span->fresh = run->fresh;
	span->units = (uint8_t)units;
}

struct qr_span *
qr_span_create(struct qr_heap *heap, unsigned size_class, unsigned order,
    uint32_t owner)
{
	struct qr_span *span = NULL;
	struct qr_heap_run run;
	size_t size = qr_size_of_class(size_class);
	size_t blocks = (QR_PAGE_SIZE << order) / size;
	uint64_t pages = qr_span_pages(size_class, order);

	qr_heap_lock(heap, QR_HEAP_LOCK_RUNS);
	if (qr_heap_run_alloc(heap, pages, 0, false, &run) != 0)
		goto out;
	uint32_t unit =
	    units_alloc(heap, run.region, span_units((unsigned)blocks));
	if (unit == 0) {
		qr_heap_run_free(heap, &run, 0);
		goto out;
	}
	span = (void *)(run.region->units + (size_t)unit * QR_SPAN_UNIT_BYTES);
	span_init(span, &run, size_class, owner);
	for (uint64_t i = 0; i < pages; i++)
		qr_heap_set_word(&run.region->window->map[run.page + i],
		    qr_tag_span(owner, size_class), unit);
out:
	qr_heap_unlock(heap, QR_HEAP_LOCK_RUNS);
	return span;
}

void
qr_span_destroy(struct qr_heap *heap, struct qr_span *span)
{
	QR_ASSERT(qr_span_is_empty(span), "%u of %u blocks are free",
	    qr_span_count(&span->free), qr_span_count(&span->cut));
	struct qr_heap_region *region = heap->region[span->region];
	struct qr_heap_run run = { region, span->page, span->pages,
		span->fresh };
	size_t cut_bytes =
	    qr_span_count(&span->cut) * qr_size_of_class(span->size_class);

	qr_heap_lock(heap, QR_HEAP_LOCK_RUNS);
	for (uint64_t i = 0; i < run.pages; i++)
		qr_heap_set_word(&region->window->map[run.page + i], 0, 0);
	units_free(region, span);
	qr_heap_run_free(heap, &run, qr_div_round_up(cut_bytes, QR_PAGE_SIZE));
	qr_heap_unlock(heap, QR_HEAP_LOCK_RUNS);
	qr_heap_purge_due(heap);
}

void
qr_span_set_owner(struct qr_heap *heap, struct qr_span *span, uint32_t owner)
{
	struct qr_heap_word *word =
	    &heap->region[span->region]->window->map[span->page];
	uint32_t tag = qr_tag_span(owner, span->size_class);
	span->owner = owner;
	for (unsigned i = 0; i < span->pages; i++) {
		/* Relaxed: see qr_heap_tag. Another thread may mark the page
		 * as sampled meanwhile, or take the mark away. */
		uint32_t old =
		    atomic_load_explicit(&word[i].tag, memory_order_relaxed);
		while (!atomic_compare_exchange_weak_explicit(&word[i].tag,
		    &old, tag | (old & QR_HEAP_TAG_SAMPLED),
		    memory_order_relaxed, memory_order_relaxed))
			;
	}
}

/* --- blocks --- */

bool
qr_span_is_full(const struct qr_span *span)
{
	return qr_span_count(&span->free) == 0 &&
	       qr_span_count(&span->cut) == span->blocks;
}

bool
qr_span_is_empty(const struct qr_span *span)
{
	return qr_span_count(&span->free) == qr_span_count(&span->cut);
}

void
qr_span_recount(struct qr_span *span)
{
	unsigned cut = qr_span_count(&span->cut);
	unsigned free = 0;
	for (unsigned first = 0; first < span->blocks; first += MAP_MASK + 1) {
		uint64_t *word = &span->free_map[first >> MAP_SHIFT];
		if (cut <= first)
			*word = 0;
		else if (cut - first <= MAP_MASK)
			*word &= ((uint64_t)1 << (cut - first)) - 1;
		free += (unsigned)__builtin_popcountll(*word);
	}
	qr_span_count_set(&span->free, free);
}

/* Appends a block to the chain that ends in *link; returns its new end. */
static void **
chain_append(void **link, void *block)
{
	*link = block;
	return block;
}

/* Takes blocks whose bits are set, lowest first. */
static unsigned
span_take_free(struct qr_span *span, char *start, unsigned limit, void ***link)
{
	size_t size = qr_size_of_class(span->size_class);
	unsigned have = qr_span_count(&span->free);
	unsigned count = (unsigned)qr_min(limit, have);
	unsigned left = count;
	for (unsigned index = 0; left > 0; index++) {
		uint64_t word = span->free_map[index];
		while (word != 0 && left > 0) {
			unsigned bit = qr_bit_lowest(word);
			unsigned block = (index << MAP_SHIFT) + bit;
			word &= word - 1;
			*link = chain_append(*link, start + block * size);
			left--;
		}
		span->free_map[index] = word;
	}
	qr_span_count_set(&span->free, have - count);
	return count;
}

/*
 * Where the piece ends that is cut next. What is not fresh is resident as it
 * is; fresh pages of a heap that has grown are asked for together, by the
 * first cut that reaches into them.
 */
static size_t
span_piece_end(struct qr_heap *heap, const struct qr_span *span, size_t offset)
{
	size_t bytes = (size_t)span->pages << QR_PAGE_SHIFT;
	if (!span->fresh)
		return bytes;
	bool grown = qr_heap_hint_span(heap);
	size_t pages = qr_max(span->pages / CUT_PART, 1u);
	if (grown)
		pages = qr_max(pages, CUT_PAGES_GROWN);
	size_t piece = pages << QR_PAGE_SHIFT;
	size_t end = qr_min(qr_round_up(offset + 1, piece), bytes);
	size_t page = qr_round_up(offset, QR_PAGE_SIZE);
	bool first = page == qr_round_down(offset, piece) || offset == 0;
	if (grown && first && end - page > QR_PAGE_SIZE)
		qr_heap_hint_written(heap, heap->region[span->region],
		    span->page + (page >> QR_PAGE_SHIFT),
		    (end - page) >> QR_PAGE_SHIFT);
	return end;
}

/* Cuts blocks off the uncut end, to the end of a piece. */
static unsigned
span_cut(struct qr_heap *heap, struct qr_span *span, unsigned limit,
    void ***link)
{
	char *start = qr_span_start(heap, span);
	unsigned cut = qr_span_count(&span->cut);
	if (cut == span->blocks)
		return 0;
	size_t size = qr_size_of_class(span->size_class);
	size_t offset = cut * size;
	size_t stop = span_piece_end(heap, span, offset);
	size_t room = qr_max((stop - offset) / size, 1);
	unsigned count =
	    (unsigned)qr_min(span->blocks - cut, qr_min(limit, room));
	for (unsigned i = 0; i < count; i++)
		*link = chain_append(*link, start + offset + i * size);
	qr_span_count_set(&span->cut, cut + count);
	return count;
}

unsigned
qr_span_take(struct qr_heap *heap, struct qr_span *span, unsigned limit,
    void **chain)
{
	char *start = qr_span_start(heap, span);
	void *rest = *chain;
	void **link = chain;
	unsigned count = span_take_free(span, start, limit, &link);
	if (count < limit)
		count += span_cut(heap, span, limit - count, &link);
	*link = rest;
	return count;
}

/* --- lists --- */

void
qr_span_list_insert(struct qr_heap *heap, qr_span_ref_t *lists,
    struct qr_span *span)
{
	span->full = qr_span_is_full(span);
	qr_span_ref_t *head =
	    &lists[span->full ? QR_SPAN_FULL : QR_SPAN_PARTIAL];
	qr_span_ref_t ref = qr_span_ref_of(heap, span);
	span->next = *head;
	span->prev = 0;
	if (*head != 0)
		qr_span_of_ref(heap, *head)->prev = ref;
	*head = ref;
}

void
qr_span_list_remove(struct qr_heap *heap, qr_span_ref_t *lists,
    struct qr_span *span)
{
	if (span->next != 0)
		qr_span_of_ref(heap, span->next)->prev = span->prev;
	if (span->prev != 0)
		qr_span_of_ref(heap, span->prev)->next = span->next;
	else
		lists[span->full ? QR_SPAN_FULL : QR_SPAN_PARTIAL] = span->next;
}
