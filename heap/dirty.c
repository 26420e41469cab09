/* SPDX-License-Identifier: MIT */
/*
 * heap/dirty.c: one bit a page of a region: free, and not known to be zero.
 *
 * The bits are changed under the runs lock. They are read without it by the
 * owner of the pages in question, whose bits nobody else changes though they
 * share words with others': hence relaxed atomics, and no more than that.
 */
#include "calls_impl.h"

#define DIRTY_SHIFT 6u
#define DIRTY_MASK  63u

static uint64_t
dirty_word(const struct qr_heap_region *region, uint64_t index)
{
	return atomic_load_explicit(&region->dirty[index],
	    memory_order_relaxed);
}

/* Bits of the word that lie in [page, end); page is in the word. */
static uint64_t
dirty_mask(uint64_t page, uint64_t end)
{
	uint64_t mask = UINT64_MAX << (page & DIRTY_MASK);
	uint64_t word_end = (page | DIRTY_MASK) + 1;
	if (end < word_end)
		mask &= UINT64_MAX >> (word_end - end);
	return mask;
}

uint64_t
qr_heap_dirty_count(const struct qr_heap_region *region, uint64_t page,
    uint64_t pages)
{
	uint64_t count = 0;
	uint64_t end = page + pages;
	while (page < end) {
		uint64_t word = dirty_word(region, page >> DIRTY_SHIFT);
		word &= dirty_mask(page, end);
		count += (uint64_t)__builtin_popcountll(word);
		page = (page | DIRTY_MASK) + 1;
	}
	return count;
}

void
qr_heap_dirty_set(struct qr_heap_region *region, uint64_t page, uint64_t pages,
    bool dirty)
{
	uint64_t end = page + pages;
	while (page < end) {
		uint64_t index = page >> DIRTY_SHIFT;
		uint64_t mask = dirty_mask(page, end);
		uint64_t word = dirty_word(region, index);
		uint64_t want = dirty ? word | mask : word & ~mask;
		/* A clean bit is not written: its memory need not exist. */
		if (want != word)
			atomic_store_explicit(&region->dirty[index], want,
			    memory_order_relaxed);
		page = (page | DIRTY_MASK) + 1;
	}
}

/* First page of [page, end) whose bit is as wanted, or end. */
static uint64_t
dirty_find(const struct qr_heap_region *region, uint64_t page, uint64_t end,
    bool dirty)
{
	while (page < end) {
		uint64_t word = dirty_word(region, page >> DIRTY_SHIFT);
		if (!dirty)
			word = ~word;
		word &= dirty_mask(page, end);
		if (word != 0)
			return (page & ~(uint64_t)DIRTY_MASK) |
			       qr_bit_lowest(word);
		page = (page | DIRTY_MASK) + 1;
	}
	return end;
}

bool
qr_heap_dirty_next(const struct qr_heap_region *region, uint64_t page,
    uint64_t end, uint64_t *first, uint64_t *count)
{
	uint64_t start = dirty_find(region, page, end, true);
	if (start == end)
		return false;
	*first = start;
	*count = dirty_find(region, start, end, false) - start;
	return true;
}

bool
qr_heap_dirty_last(const struct qr_heap_region *region, uint64_t end,
    uint64_t *page)
{
	while (end > 0) {
		uint64_t start = (end - 1) & ~(uint64_t)DIRTY_MASK;
		uint64_t word = dirty_word(region, start >> DIRTY_SHIFT);
		word &= dirty_mask(start, end);
		if (word != 0) {
			*page = start | qr_bit_highest(word);
			return true;
		}
		end = start;
	}
	return false;
}
