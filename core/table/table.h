/* SPDX-License-Identifier: MIT */
/*
 * table/table.h: page tables of 2 to 5 levels, described by a geometry.
 *
 * Reading and writing. An entry is one 64-bit word, read and written whole.
 * Its busy bit is its lock (qr_pte_claim, qr_pte_publish). Nodes appear while
 * others walk, without a lock; they are freed only by qr_table_prune and
 * qr_table_fini; see there whom their callers keep out.
 */
#ifndef QR_TABLE_H
#define QR_TABLE_H

#include <stdatomic.h>

#include "../frame/frame.h"
#include "pte.h"

#define QR_TABLE_LEVELS_MAX 5u

/*
 * Levels are counted from the leaf: level 0 holds the pages' entries. An
 * address is cut into an offset in the page and an index for each level:
 *
 *	index at level k = address >> shift[k], its lowest index_bits[k] bits
 */
struct qr_geometry {
	unsigned levels;                          /* 2 to 5 */
	unsigned index_bits[QR_TABLE_LEVELS_MAX]; /* 1 to 9 each */
	unsigned shift[QR_TABLE_LEVELS_MAX];      /* shift[0]: a page's */
};

/* x86-64's four and five levels; a 32-bit two-level layout (10 + 10 bits as
 * nodes of 1024 entries do not fit one frame here, so 9 + 9 + 2). */
extern const struct qr_geometry qr_geometry_4level;
extern const struct qr_geometry qr_geometry_5level;
extern const struct qr_geometry qr_geometry_3level;

typedef _Atomic(uint64_t) qr_pte_word; /* an entry in its table */

struct qr_table {
	uint32_t signature;
	struct qr_frames *frames;           /* (c) nodes come from here */
	const struct qr_geometry *geometry; /* (c) */
	unsigned char *direct_map;          /* (c) where frame 0's bytes are */
	struct qr_page *root;               /* (c) node of the top level */
	qr_pte_word *root_entries;          /* (c) its bytes */
	_Atomic(uint64_t) nodes;            /* (a) frames held */
};

/* -QR_ENOMEM: no frame for the root. May reclaim. */
QR_MUST_CHECK int qr_table_init(struct qr_table *table,
    struct qr_frames *frames, const struct qr_geometry *geometry);

/* Frees all nodes; panics if a leaf entry still holds something. */
void qr_table_fini(struct qr_table *table);

/* First address past what the geometry can describe. */
qr_vaddr_t qr_geometry_end(const struct qr_geometry *geometry);

/* The address's entry, NULL where no node holds it yet. */
qr_pte_word *qr_table_find(const struct qr_table *table, qr_vaddr_t address);

/* As above, making nodes; NULL: no memory under gfp. */
QR_MUST_CHECK qr_pte_word *qr_table_ensure(struct qr_table *table,
    qr_vaddr_t address, qr_gfp_t gfp);

/*
 * Steps over [*address, end): the next run of entries that lie in one leaf
 * node. Returns its first entry and stores its address and length; NULL when
 * there is no further node. Costs a walk a node, not an entry; absent
 * subtrees are skipped whole. Go on at *address + *count pages.
 */
qr_pte_word *qr_table_next(const struct qr_table *table, qr_vaddr_t *address,
    qr_vaddr_t end, size_t *count);

/*
 * Frees the nodes that lie at least partly in [start, end) and hold nothing.
 * The caller keeps out all who grow the table and all who look at an entry
 * that is none; who has claimed an entry may go on with it.
 */
void qr_table_prune(struct qr_table *table, qr_vaddr_t start, qr_vaddr_t end);

/* Calls visit for every entry of the table that is not none. */
void qr_table_for_each(const struct qr_table *table,
    void (*visit)(void *ctx, qr_vaddr_t address, struct qr_pte pte), void *ctx);

void qr_check_table(const struct qr_table *table, enum qr_check_depth depth);

/* --- one entry --- */

static inline struct qr_pte
qr_pte_read(const qr_pte_word *word)
{
	/* Acquire pairs with the release in qr_pte_publish. */
	return (
	    struct qr_pte){ atomic_load_explicit(word, memory_order_acquire) };
}

/*
 * Sets busy if the entry still is expect (which is not busy). True: the
 * entry is the caller's until qr_pte_publish.
 */
static inline bool
qr_pte_try_claim(qr_pte_word *word, struct qr_pte expect)
{
	uint64_t bits = expect.bits;
	return atomic_compare_exchange_strong_explicit(word, &bits,
	    bits | QR_PTE_BUSY, memory_order_acq_rel, memory_order_relaxed);
}

/* Waits until the entry is not busy, claims it, returns what it was. */
struct qr_pte qr_pte_claim(const struct qr_port *port, qr_pte_word *word);

/* Waits until the entry is not busy; returns what it then was. */
struct qr_pte qr_pte_settle(const struct qr_port *port, qr_pte_word *word);

/* Ends a claim with the new value (neither busy nor waiters) and wakes who
 * waits. Hardware may have set young or dirty meanwhile: returns those bits
 * of the old value. */
uint64_t qr_pte_publish(const struct qr_port *port, qr_pte_word *word,
    struct qr_pte pte);

/* Changes a claimed entry without ending the claim (clear the write bit, set
 * it back, clear young); returns the value it had, without busy. */
struct qr_pte qr_pte_update(qr_pte_word *word, uint64_t clear, uint64_t set);

#endif
