/* SPDX-License-Identifier: MIT */
/*
 * reclaim/history.h: what a policy remembers of pages beside their place on a
 * list: those that went (ghosts), and for those that are in a number or a
 * place in a second order.
 *
 * A node is found by its key. Ghosts have the page's identity for a key, which
 * is the same when the page comes in again; residents have their frame. Each
 * node is on one chain at most; which, its owner knows.
 */
#ifndef QR_RECLAIM_HISTORY_H
#define QR_RECLAIM_HISTORY_H

#include "../frame/frame.h"

#define QR_NODE_NIL UINT32_MAX

/* One remembered page, 32 bytes. */
struct qr_history_node {
	uint64_t key;    /* see above; or of a free node: 0 */
	uint32_t above;  /* on its chain: the next newer */
	uint32_t below;  /* the next older */
	uint32_t bucket; /* next node of the same hash; free nodes' list */
	uint32_t older;  /* among all ghosts */
	uint32_t newer;
	uint32_t value; /* the policy's own */
};
_Static_assert(sizeof(struct qr_history_node) == 32, "a node is 32 bytes");

struct qr_chain {
	uint32_t top;    /* newest; QR_NODE_NIL: it is empty */
	uint32_t bottom; /* oldest */
	uint64_t count;
};

/* A large array in pieces, each a block of frames. */
#define QR_ARRAY_PIECES 32u
struct qr_array {
	unsigned char *piece[QR_ARRAY_PIECES];
	struct qr_page *page[QR_ARRAY_PIECES];
	unsigned piece_shift; /* log2 of the bytes of a piece */
};

/* (QR_RANK_LRU) but for init and fini. */
struct qr_history {
	struct qr_frames *frames; /* (c) */
	uint32_t node_count;      /* (c) 0: nothing is remembered */
	uint32_t bucket_mask;     /* (c) */
	uint32_t free;            /* first free node */
	uint32_t oldest_ghost;
	uint32_t newest_ghost;
	uint64_t ghosts;       /* how many */
	uint64_t used;         /* nodes, ghosts included */
	struct qr_array nodes; /* struct qr_history_node */
	struct qr_array heads; /* uint32_t, first node of each hash */
};

/* Room for node_count nodes; 0: none, which can't fail. -QR_ENOMEM. */
QR_MUST_CHECK int qr_history_init(struct qr_history *history,
    struct qr_frames *frames, uint64_t node_count);
void qr_history_fini(struct qr_history *history);

struct qr_history_node *qr_history_node(const struct qr_history *history,
    uint32_t index);

/* The page whose node it is. */
struct qr_page *qr_history_page(const struct qr_history *history,
    uint32_t index);

/* The node of a ghost by its identity, of a page by its frame; or
 * QR_NODE_NIL. */
uint32_t qr_history_find_ghost(const struct qr_history *history, uint64_t id);
uint32_t qr_history_find_page(const struct qr_history *history,
    const struct qr_page *page);

/* A node on no chain, with value 0; QR_NODE_NIL: all are taken. A ghost of
 * that identity must not be there. */
uint32_t qr_history_new_ghost(struct qr_history *history, uint64_t id);
uint32_t qr_history_new_page(struct qr_history *history,
    const struct qr_page *page);

/* Makes a page's node a ghost's; it keeps its place on its chain. */
void qr_history_bury(struct qr_history *history, uint32_t index, uint64_t id);

/* Forgets a node that is on no chain. */
void qr_history_free(struct qr_history *history, uint32_t index);

void qr_chain_init(struct qr_chain *chain);
void qr_chain_push(struct qr_history *history, struct qr_chain *chain,
    uint32_t index);
void qr_chain_remove(struct qr_history *history, struct qr_chain *chain,
    uint32_t index);

/* Takes a ghost off the chain and forgets it. */
void qr_chain_drop(struct qr_history *history, struct qr_chain *chain,
    uint32_t index);

void qr_check_history(const struct qr_history *history);
void qr_check_chain(const struct qr_history *history,
    const struct qr_chain *chain);

#endif
