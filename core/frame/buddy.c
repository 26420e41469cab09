/* SPDX-License-Identifier: MIT */
/*
 * frame/buddy.c: the buddy system on bitmaps; the book is frame.c, part 2.
 *
 * One order's free blocks are a set of numbers with these operations: put,
 * drop, "the lowest", "is n in it", "is any of these". A pyramid of words does
 * each in as many steps as it has levels, or fewer (4 for 2^24 units):
 *
 *     level 2                  [x]                 bit: the word below
 *     level 1        [x]       [x]  ...  [x]       has a bit set
 *     level 0   [x] [x] ... [x] [x] ... [x] [x]    bit i: block i is free
 *
 * Invariants, verified by qr_check_buddy:
 *
 * [buddy.1] No unit lies in two free blocks.
 * [buddy.2] Two buddies below the highest order are never both free: they
 *           would have been joined.
 * [buddy.3] A summary bit is set iff the word it stands for is not zero.
 * [buddy.4] free_blocks, free_units and nonempty agree with the bits.
 *
 * Why the lowest block and not, as usual, the one freed last: use stays
 * dense at the low end, so memory that is never needed at once is never
 * touched at all, neither the units nor this state, and large blocks survive
 * at the high end. A list through the free units would touch them; a list
 * through their descriptors costs two more cache misses a join and eight
 * bytes a unit, to save the two or three loads of a descent.
 */
#include "buddy.h"

#include "../base/bits.h"
#include "../base/check.h"

/* log2 of the bits of a word. */
#define WORD_SHIFT 6u
#define WORD_MASK  63u

/* Words of one order's level 0, which exists even where no block fits. */
static uint64_t
order_words(uint64_t units, unsigned order)
{
	uint64_t words = qr_div_round_up(units >> order, WORD_MASK + 1);
	return words != 0 ? words : 1;
}

size_t
qr_buddy_state_bytes(uint64_t units, unsigned orders)
{
	uint64_t words = 0;
	for (unsigned order = 0; order < orders; order++) {
		uint64_t level = order_words(units, order);
		words += level;
		while (level > 1) {
			level = qr_div_round_up(level, WORD_MASK + 1);
			words += level;
		}
	}
	return (size_t)(words * sizeof(uint64_t));
}

/* Lays the order's levels out from state on; returns the first word after. */
static uint64_t *
order_init(struct qr_buddy_order *set, uint64_t units, unsigned order,
    uint64_t *state)
{
	uint64_t words = order_words(units, order);
	set->blocks = units >> order;
	set->free_blocks = 0;
	set->level[0] = state;
	set->levels = 1;
	state += words;
	while (words > 1) {
		QR_ASSERT(set->levels < QR_BUDDY_LEVELS_MAX,
		    "%llu units are too many", (unsigned long long)units);
		words = qr_div_round_up(words, WORD_MASK + 1);
		set->level[set->levels++] = state;
		state += words;
	}
	return state;
}

void
qr_buddy_init(struct qr_buddy *buddy, uint64_t units, unsigned orders,
    void *state)
{
	QR_ASSERT(orders >= 1 && orders <= QR_BUDDY_ORDERS_MAX, "%u orders",
	    orders);
	buddy->units = units;
	buddy->orders = orders;
	buddy->free_units = 0;
	buddy->nonempty = 0;
	uint64_t *next = state;
	for (unsigned order = 0; order < orders; order++)
		next = order_init(&buddy->order[order], units, order, next);
}

/* --- the set of one order's free blocks --- */

static bool
set_has(const struct qr_buddy_order *set, uint64_t block)
{
	return (set->level[0][block >> WORD_SHIFT] >> (block & WORD_MASK) &
		   1) != 0;
}

/* Lowest member of a set that is not empty. */
static uint64_t
set_lowest(const struct qr_buddy_order *set)
{
	uint64_t bit = 0;
	for (unsigned level = set->levels; level-- > 0;)
		bit = bit << WORD_SHIFT | qr_bit_lowest(set->level[level][bit]);
	return bit;
}

/* Whether any of the 1 << shift blocks from an aligned one on is a member: a
 * look at the one word, of whatever level, in which they are some bits. */
static bool
set_has_any(const struct qr_buddy_order *set, uint64_t block, unsigned shift)
{
	unsigned level = shift / WORD_SHIFT;
	if (level >= set->levels)
		level = set->levels - 1;
	uint64_t bit = block >> (level * WORD_SHIFT);
	uint64_t bits = (uint64_t)1 << (shift - level * WORD_SHIFT);
	uint64_t mask =
	    bits > WORD_MASK ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
	return (set->level[level][bit >> WORD_SHIFT] >> (bit & WORD_MASK) &
		   mask) != 0;
}

static void
block_put(struct qr_buddy *buddy, unsigned order, uint64_t block)
{
	struct qr_buddy_order *set = &buddy->order[order];
	uint64_t bit = block;
	for (unsigned level = 0; level < set->levels; level++) {
		uint64_t *word = &set->level[level][bit >> WORD_SHIFT];
		uint64_t was = *word;
		uint64_t mask = (uint64_t)1 << (bit & WORD_MASK);
		QR_ASSERT((was & mask) == 0,
		    "block %llu of order %u freed twice: it is free",
		    (unsigned long long)(block << order), order);
		*word = was | mask;
		if (was != 0)
			break;
		bit >>= WORD_SHIFT;
	}
	set->free_blocks++;
	buddy->nonempty |= (uint32_t)1 << order;
	buddy->free_units += (uint64_t)1 << order;
}

/* A word of level 0 has become empty. */
static void
summary_clear(struct qr_buddy_order *set, uint64_t bit)
{
	for (unsigned level = 1; level < set->levels; level++) {
		uint64_t *word = &set->level[level][bit >> WORD_SHIFT];
		*word &= ~((uint64_t)1 << (bit & WORD_MASK));
		if (*word != 0)
			break;
		bit >>= WORD_SHIFT;
	}
}

static void
block_drop(struct qr_buddy *buddy, unsigned order, uint64_t block)
{
	struct qr_buddy_order *set = &buddy->order[order];
	uint64_t *word = &set->level[0][block >> WORD_SHIFT];
	*word &= ~((uint64_t)1 << (block & WORD_MASK));
	if (*word == 0)
		summary_clear(set, block >> WORD_SHIFT);
	if (--set->free_blocks == 0)
		buddy->nonempty &= ~((uint32_t)1 << order);
	buddy->free_units -= (uint64_t)1 << order;
}

/* --- asking --- */

bool
qr_buddy_is_free(const struct qr_buddy *buddy, uint64_t unit, unsigned *order)
{
	for (uint32_t left = buddy->nonempty; left != 0; left &= left - 1) {
		unsigned at = qr_bit_lowest(left);
		const struct qr_buddy_order *set = &buddy->order[at];
		uint64_t block = unit >> at;
		if (block >= set->blocks)
			return false; /* nor do larger blocks reach it */
		if (!set_has(set, block))
			continue;
		if (order != NULL)
			*order = at;
		return true;
	}
	return false;
}

/* Panics unless there is such a block. */
static inline void
assert_block(const struct qr_buddy *buddy, uint64_t first, unsigned order)
{
	uint64_t count = (uint64_t)1 << order;
	QR_ASSERT(order < buddy->orders && (first & (count - 1)) == 0 &&
		      first >> order < buddy->order[order].blocks,
	    "unit %llu is no block of order %u", (unsigned long long)first,
	    order);
}

/* Hard builds: panics unless the block is wholly taken: no free block contains
 * it, and none lies inside. */
static void
assert_taken(const struct qr_buddy *buddy, uint64_t first, unsigned order)
{
	if (!QR_CONFIG_HARD)
		return;
	uint32_t inside = buddy->nonempty & (((uint32_t)1 << order) - 1);
	for (; inside != 0; inside &= inside - 1) {
		unsigned at = qr_bit_lowest(inside);
		QR_ASSERT(!set_has_any(&buddy->order[at], first >> at,
			      order - at),
		    "block %llu of order %u freed twice: order %u is free",
		    (unsigned long long)first, order, at);
	}
	uint32_t above = buddy->nonempty >> order << order;
	for (; above != 0; above &= above - 1) {
		unsigned at = qr_bit_lowest(above);
		uint64_t block = first >> at;
		QR_ASSERT(block >= buddy->order[at].blocks ||
			      !set_has(&buddy->order[at], block),
		    "block %llu of order %u freed twice: order %u is free",
		    (unsigned long long)first, order, at);
	}
}

/* --- taking and giving --- */

int
qr_buddy_alloc(struct qr_buddy *buddy, unsigned order, uint64_t *first)
{
	if (order >= buddy->orders)
		return -QR_ENOMEM;
	uint32_t fit = buddy->nonempty >> order << order;
	if (fit == 0)
		return -QR_ENOMEM;

	unsigned from = qr_bit_lowest(fit);
	uint64_t block = set_lowest(&buddy->order[from]);
	block_drop(buddy, from, block);
	while (from > order) {
		from--;
		block <<= 1;
		block_put(buddy, from, block + 1);
	}
	*first = block << order;
	return 0;
}

/* Puts a taken block back, joined with what is free beside it. */
static unsigned
block_join(struct qr_buddy *buddy, uint64_t first, unsigned order)
{
	uint64_t block = first >> order;
	/* A block at the end of the units may have no buddy: set_has() would
	 * then read a bit that is never set, but perhaps past the last word. */
	while (order + 1 < buddy->orders) {
		const struct qr_buddy_order *set = &buddy->order[order];
		if ((block ^ 1) >= set->blocks || !set_has(set, block ^ 1))
			break;
		block_drop(buddy, order, block ^ 1);
		block >>= 1;
		order++;
	}
	block_put(buddy, order, block);
	return order;
}

unsigned
qr_buddy_free(struct qr_buddy *buddy, uint64_t first, unsigned order)
{
	assert_block(buddy, first, order);
	assert_taken(buddy, first, order);
	return block_join(buddy, first, order);
}

/* Order of the largest block that starts at first and is inside count. */
static unsigned
order_at(const struct qr_buddy *buddy, uint64_t first, uint64_t count)
{
	unsigned order = qr_bit_highest(count);
	if (first != 0 && qr_bit_lowest(first) < order)
		order = qr_bit_lowest(first);
	return order < buddy->orders ? order : buddy->orders - 1;
}

void
qr_buddy_free_range(struct qr_buddy *buddy, uint64_t first, uint64_t count)
{
	while (count != 0) {
		unsigned order = order_at(buddy, first, count);
		(void)qr_buddy_free(buddy, first, order);
		first += (uint64_t)1 << order;
		count -= (uint64_t)1 << order;
	}
}

void
qr_buddy_return_range(struct qr_buddy *buddy, uint64_t first, uint64_t count)
{
	while (count != 0) {
		unsigned order = order_at(buddy, first, count);
		if (QR_CONFIG_HARD)
			assert_taken(buddy, first, order);
		(void)block_join(buddy, first, order);
		first += (uint64_t)1 << order;
		count -= (uint64_t)1 << order;
	}
}

/* Takes up to count units of order 0, all of one word, there being some. */
static uint32_t
word_take(struct qr_buddy *buddy, uint64_t base, uint32_t *units,
    uint32_t count)
{
	struct qr_buddy_order *set = &buddy->order[0];
	uint64_t at = set_lowest(set) >> WORD_SHIFT;
	uint64_t left = set->level[0][at];
	uint32_t got = 0;
	base += at << WORD_SHIFT;
	for (; left != 0 && got < count; left &= left - 1)
		units[got++] = (uint32_t)(base + qr_bit_lowest(left));
	set->level[0][at] = left;
	if (left == 0)
		summary_clear(set, at);
	set->free_blocks -= got;
	if (set->free_blocks == 0)
		buddy->nonempty &= ~(uint32_t)1;
	buddy->free_units -= got;
	return got;
}

/* Takes up to count units of the smallest block that there is. */
static uint32_t
block_use_up(struct qr_buddy *buddy, uint64_t base, uint32_t *units,
    uint32_t count)
{
	unsigned order = qr_bit_lowest(buddy->nonempty);
	uint64_t block = set_lowest(&buddy->order[order]);
	uint64_t first = block << order;
	uint64_t size = (uint64_t)1 << order;
	uint32_t got = (uint32_t)qr_min(size, count);
	block_drop(buddy, order, block);
	for (uint32_t i = 0; i < got; i++)
		units[i] = (uint32_t)(base + first + i);
	qr_buddy_return_range(buddy, first + got, size - got);
	return got;
}

uint32_t
qr_buddy_alloc_singles(struct qr_buddy *buddy, uint64_t base, uint32_t *units,
    uint32_t count)
{
	uint32_t got = 0;
	while (got < count && buddy->nonempty != 0) {
		bool has_single = (buddy->nonempty & 1) != 0;
		got +=
		    has_single
			? word_take(buddy, base, &units[got], count - got)
			: block_use_up(buddy, base, &units[got], count - got);
	}
	return got;
}

static bool
range_is_free(const struct qr_buddy *buddy, uint64_t first, uint64_t end)
{
	unsigned order;
	while (first < end) {
		if (!qr_buddy_is_free(buddy, first, &order))
			return false;
		first = qr_round_down(first, (uint64_t)1 << order) +
			((uint64_t)1 << order);
	}
	return true;
}

int
qr_buddy_take_range(struct qr_buddy *buddy, uint64_t first, uint64_t count)
{
	uint64_t end = first + count;
	QR_ASSERT(first <= buddy->units && count <= buddy->units - first,
	    "range %llu + %llu of %llu units", (unsigned long long)first,
	    (unsigned long long)count, (unsigned long long)buddy->units);
	if (!range_is_free(buddy, first, end))
		return -QR_EBUSY;

	uint64_t at = first;
	while (at < end) {
		unsigned order = 0;
		bool is_free = qr_buddy_is_free(buddy, at, &order);
		QR_ASSERT(is_free, "unit %llu", (unsigned long long)at);
		uint64_t block = at >> order;
		uint64_t block_end = (block + 1) << order;
		block_drop(buddy, order, block);
		/* What sticks out of the range goes back; it can't join, its
		 * buddies being taken. */
		qr_buddy_return_range(buddy, block << order,
		    at - (block << order));
		if (block_end > end)
			qr_buddy_return_range(buddy, end, block_end - end);
		at = block_end;
	}
	return 0;
}

int
qr_buddy_alloc_run(struct qr_buddy *buddy, uint64_t count, unsigned align_order,
    uint64_t *first)
{
	QR_ASSERT(count != 0, "an empty run");
	unsigned order = qr_order_of(count);
	if (order < align_order)
		order = align_order;
	int error = qr_buddy_alloc(buddy, order, first);
	if (error != 0)
		return error;
	qr_buddy_return_range(buddy, *first + count,
	    ((uint64_t)1 << order) - count);
	return 0;
}

/* --- checking --- */

/* [buddy.3], and no bit at or past bits is set. Returns the bits set. */
static uint64_t
check_level(const struct qr_buddy_order *set, unsigned level, uint64_t bits)
{
	uint64_t set_bits = 0;
	for (uint64_t word = 0; word << WORD_SHIFT < bits; word++) {
		uint64_t value = set->level[level][word];
		uint64_t left = bits - (word << WORD_SHIFT);
		QR_ASSERT(left > WORD_MASK || value >> left == 0,
		    "[buddy.3] level %u has bits past %llu", level,
		    (unsigned long long)bits);
		set_bits += qr_bit_count(value);
		if (level + 1 == set->levels)
			continue;
		uint64_t summary = set->level[level + 1][word >> WORD_SHIFT];
		QR_ASSERT((summary >> (word & WORD_MASK) & 1) == (value != 0),
		    "[buddy.3] level %u word %llu: 0x%llx", level,
		    (unsigned long long)word, (unsigned long long)value);
	}
	return set_bits;
}

/* [buddy.1] and [buddy.2] for one free block: no ancestor, no buddy. */
static void
check_block(const struct qr_buddy *buddy, unsigned order, uint64_t block)
{
	const struct qr_buddy_order *set = &buddy->order[order];
	QR_ASSERT(order + 1 == buddy->orders || (block ^ 1) >= set->blocks ||
		      !set_has(set, block ^ 1),
	    "[buddy.2] block %llu of order %u and its buddy",
	    (unsigned long long)block, order);
	for (unsigned at = order + 1; at < buddy->orders; at++) {
		uint64_t above = block >> (at - order);
		QR_ASSERT(above >= buddy->order[at].blocks ||
			      !set_has(&buddy->order[at], above),
		    "[buddy.1] block %llu of order %u lies in order %u",
		    (unsigned long long)block, order, at);
	}
}

static void
check_blocks(const struct qr_buddy *buddy, unsigned order)
{
	const struct qr_buddy_order *set = &buddy->order[order];
	uint64_t words = order_words(buddy->units, order);
	for (uint64_t i = 0; i < words; i++)
		for (uint64_t word = set->level[0][i]; word != 0;
		     word &= word - 1)
			check_block(buddy, order,
			    i << WORD_SHIFT | qr_bit_lowest(word));
}

void
qr_check_buddy(const struct qr_buddy *buddy)
{
	uint64_t free_units = 0;
	uint32_t nonempty = 0;
	for (unsigned order = 0; order < buddy->orders; order++) {
		const struct qr_buddy_order *set = &buddy->order[order];
		uint64_t free_blocks = check_level(set, 0, set->blocks);
		uint64_t bits = set->blocks;
		for (unsigned level = 1; level < set->levels; level++) {
			bits = qr_div_round_up(bits, WORD_MASK + 1);
			(void)check_level(set, level, bits);
		}
		QR_ASSERT(free_blocks == set->free_blocks,
		    "[buddy.4] order %u: %llu bits, %llu counted", order,
		    (unsigned long long)free_blocks,
		    (unsigned long long)set->free_blocks);
		free_units += free_blocks << order;
		nonempty |= (uint32_t)(free_blocks != 0) << order;
		check_blocks(buddy, order);
	}
	QR_ASSERT(free_units == buddy->free_units,
	    "[buddy.4] %llu units free, %llu counted",
	    (unsigned long long)free_units,
	    (unsigned long long)buddy->free_units);
	QR_ASSERT(nonempty == buddy->nonempty,
	    "[buddy.4] orders 0x%x, 0x%x noted", nonempty, buddy->nonempty);
}
