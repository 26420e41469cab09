/* SPDX-License-Identifier: MIT */
/*
 * frame/buddy.h: power-of-two blocks of anything that comes in numbered
 * units: page frames in a zone, pages of virtual space in a heap.
 *
 * The state is one bitmap an order, each under a pyramid of summary words,
 * all in memory that the caller gives: a free unit itself is never touched.
 * Bit i of order k says that the block of units [i << k, (i + 1) << k) is
 * free as a whole. No locks: the caller has one.
 */
#ifndef QR_FRAME_BUDDY_H
#define QR_FRAME_BUDDY_H

#include <qr/types.h>

#define QR_BUDDY_ORDERS_MAX 32u /* orders 0 to 31 */
#define QR_BUDDY_LEVELS_MAX 6u  /* 64^6 units */

struct qr_buddy_order {
	uint64_t *level[QR_BUDDY_LEVELS_MAX]; /* [0] the blocks' bits */
	uint64_t blocks; /* whole blocks that the units make up (c) */
	uint64_t free_blocks;
	unsigned levels; /* the highest is a single word (c) */
};

struct qr_buddy {
	uint64_t units;      /* units numbered 0 to units - 1 (c) */
	unsigned orders;     /* orders 0 to orders - 1 (c) */
	uint64_t free_units; /* sum over all orders */
	uint32_t nonempty;   /* bit k: order k has a free block */
	struct qr_buddy_order order[QR_BUDDY_ORDERS_MAX];
};

/* Bytes of state that so many units and orders need; about 2.1 bits a unit. */
size_t qr_buddy_state_bytes(uint64_t units, unsigned orders);

/*
 * state: zeroed memory of qr_buddy_state_bytes(), 8-byte aligned, kept as
 * long as the buddy. Every unit is taken at first. Memory of the state is
 * written only where blocks are free, so a large empty buddy costs nothing
 * on a host that gives memory at the first touch.
 */
void qr_buddy_init(struct qr_buddy *buddy, uint64_t units, unsigned orders,
    void *state);

/* Lowest-numbered block of the order, splitting the smallest larger one.
 * -QR_ENOMEM: there is none. */
QR_MUST_CHECK int qr_buddy_alloc(struct qr_buddy *buddy, unsigned order,
    uint64_t *first);

/* Single units, the lowest first, as numbers from base on; how many there were
 * up to count. One of the smallest blocks after the other is used up, so each
 * unit costs a few instructions. */
uint32_t qr_buddy_alloc_singles(struct qr_buddy *buddy, uint64_t base,
    uint32_t *units, uint32_t count);

/*
 * Gives back a block that is wholly taken, joining it with free buddies.
 * Returns the order of the block it ended up in. Panics if it is no block of
 * this order or if that very block is free already; hard builds, if any part of
 * it is. That it is taken is the caller's to know, who has a descriptor of what
 * it gives back: a page's kind, a run's record. To look for it here, order by
 * order, was five times what the rest of the call costs.
 */
unsigned qr_buddy_free(struct qr_buddy *buddy, uint64_t first, unsigned order);

/* Gives back any range of taken units, as the fewest blocks. */
void qr_buddy_free_range(struct qr_buddy *buddy, uint64_t first,
    uint64_t count);

/* The same for units that the caller knows to be taken, as it took them a
 * moment ago or has a record of them: without the look at all orders. */
void qr_buddy_return_range(struct qr_buddy *buddy, uint64_t first,
    uint64_t count);

/* Takes exactly [first, first + count), which must be wholly free, else
 * -QR_EBUSY and nothing is taken. */
QR_MUST_CHECK int qr_buddy_take_range(struct qr_buddy *buddy, uint64_t first,
    uint64_t count);

/* count consecutive units, aligned to 1 << align_order: a block whose tail is
 * given back at once. -QR_ENOMEM: no free block is large enough. */
QR_MUST_CHECK int qr_buddy_alloc_run(struct qr_buddy *buddy, uint64_t count,
    unsigned align_order, uint64_t *first);

/* Whether unit lies in a free block; *order (may be NULL) is that block's. */
bool qr_buddy_is_free(const struct qr_buddy *buddy, uint64_t unit,
    unsigned *order);

void qr_check_buddy(const struct qr_buddy *buddy);

#endif
