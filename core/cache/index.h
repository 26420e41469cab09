/* SPDX-License-Identifier: MIT */
/*
 * cache/index.h: from the number of an object's page to a word that says
 * where the page is.
 *
 * A radix tree of nodes with 64 words each, as high as the highest number
 * needs: 0 levels for an empty one, 6 for 2^32 pages. A node is freed with its
 * last word. Each level keeps a bit a word for "something below is dirty", so
 * that dirty pages are found without looking at clean ones.
 *
 * Nothing here allocates or locks: who inserts brings spare nodes.
 */
#ifndef QR_CACHE_INDEX_H
#define QR_CACHE_INDEX_H

#include "../slab/slab.h"

#define QR_INDEX_BITS  6u
#define QR_INDEX_SLOTS (1u << QR_INDEX_BITS)

/* Numbers are below this. */
#define QR_INDEX_END ((uint64_t)1 << 32)

/* Levels at most: nodes that one insertion needs at most. */
#define QR_INDEX_LEVELS 6u

struct qr_index_node {
	struct qr_index_node *parent; /* NULL: the root */
	uint8_t level;                /* 0: its words are pages' */
	uint8_t place;                /* its own in parent */
	uint16_t used;                /* words that are not 0 */
	uint64_t dirty;               /* bit n: word n or what is below it is */
	uint64_t word[QR_INDEX_SLOTS]; /* 0: none; above level 0 a node */
};

struct qr_index {
	struct qr_index_node *root; /* NULL: empty */
	struct qr_slab_cache *nodes;
};

/* Nodes for an insertion, linked by parent. */
struct qr_index_spares {
	struct qr_index_node *first;
};

void qr_index_init(struct qr_index *index, struct qr_slab_cache *nodes);

/* The word of a number, 0: none. At most 6 steps. */
uint64_t qr_index_find(const struct qr_index *index, uint64_t number);

/* Sets the number's word, which is not 0. False: a node is missing and there
 * is no spare one; what was built stays until the insertion is tried again or
 * qr_index_erase is called. Keeps a dirty mark. */
QR_MUST_CHECK bool qr_index_set(struct qr_index *index, uint64_t number,
    uint64_t word, struct qr_index_spares *spares);

/* Forgets the word and its mark, and frees the nodes that this empties, or
 * that a failed qr_index_set left. */
void qr_index_erase(struct qr_index *index, uint64_t number);

/* Marks a word that is there, or takes the mark away. */
void qr_index_set_dirty(struct qr_index *index, uint64_t number, bool dirty);
bool qr_index_is_dirty(const struct qr_index *index, uint64_t number);

/* The lowest number from *number on that has a word, or a dirty one; stores
 * it and returns the word. 0: there is none. */
uint64_t qr_index_next(const struct qr_index *index, uint64_t *number,
    bool dirty);

/* One spare node more. -QR_ENOMEM. */
QR_MUST_CHECK int qr_index_spare(const struct qr_index *index,
    struct qr_index_spares *spares, qr_gfp_t gfp);
void qr_index_spares_drop(const struct qr_index *index,
    struct qr_index_spares *spares);

/* Counts, marks and links agree; returns the number of nodes. */
uint64_t qr_check_index(const struct qr_index *index);

#endif
