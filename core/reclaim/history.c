/* SPDX-License-Identifier: MIT */
/*
 * reclaim/history.c: nodes for pages that are remembered, found by hash.
 *
 * The tables are taken once, from whole blocks of frames, as many as are
 * needed: 32 bytes a node and 4 to 8 a hash. Only policies that ask for a
 * history pay for one. Keeps [reclaim.4]: each node in use is found by its
 * key, all others are on the free list, and the ghosts are linked by age.
 */
#include "history.h"

#include "../base/bits.h"
#include "../base/check.h"

/* Set in the keys of pages that are in, clear in those of ghosts. */
#define KEY_PAGE ((uint64_t)1 << 63)

/* Set in the key of each node in use, so that none is 0. */
#define KEY_USED ((uint64_t)1 << 62)

#define NODE_SHIFT 5u /* log2 of a node's bytes */
#define HEAD_SHIFT 2u /* of a hash's */

/* --- arrays --- */

static void *
array_at(const struct qr_array *array, uint64_t offset)
{
	uint64_t piece = offset >> array->piece_shift;
	uint64_t mask = ((uint64_t)1 << array->piece_shift) - 1;
	return array->piece[piece] + (offset & mask);
}

static void
array_fini(struct qr_array *array, struct qr_frames *frames)
{
	for (size_t i = 0; i < QR_ARRAY_PIECES; i++) {
		if (array->page[i] != NULL)
			qr_frame_free(frames, array->page[i]);
		array->page[i] = NULL;
	}
}

/* At least size_bytes, in equal pieces. */
static int
array_init(struct qr_array *array, struct qr_frames *frames,
    uint64_t size_bytes)
{
	unsigned order = 0;
	while (order < QR_FRAME_ORDERS - 1 &&
	       ((uint64_t)QR_PAGE_SIZE << order) < size_bytes)
		order++;
	array->piece_shift = QR_PAGE_SHIFT + order;
	uint64_t pieces = ((size_bytes - 1) >> array->piece_shift) + 1;
	if (pieces > QR_ARRAY_PIECES)
		return -QR_ENOMEM;
	for (uint64_t i = 0; i < pieces; i++) {
		struct qr_page *page =
		    qr_frame_alloc(frames, QR_GFP_ATOMIC, order, QR_PAGE_META);
		if (page == NULL) {
			array_fini(array, frames);
			return -QR_ENOMEM;
		}
		array->page[i] = page;
		array->piece[i] = qr_frame_data(frames, page);
	}
	return 0;
}

/* --- nodes --- */

struct qr_history_node *
qr_history_node(const struct qr_history *history, uint32_t index)
{
	QR_ASSERT(index < history->node_count, "node %u of %u", index,
	    history->node_count);
	return array_at(&history->nodes, (uint64_t)index << NODE_SHIFT);
}

struct qr_page *
qr_history_page(const struct qr_history *history, uint32_t index)
{
	uint64_t key = qr_history_node(history, index)->key;
	QR_ASSERT((key & KEY_PAGE) != 0, "node %u is a ghost's", index);
	return qr_frame_page(history->frames, key & ~(KEY_PAGE | KEY_USED));
}

/* The fractional part of the key times the golden ratio. */
static uint32_t *
history_head(const struct qr_history *history, uint64_t key)
{
	uint64_t hash = key * 0x9e3779b97f4a7c15u >> 32;
	return array_at(&history->heads, (hash & history->bucket_mask)
					     << HEAD_SHIFT);
}

static uint32_t
history_find(const struct qr_history *history, uint64_t key)
{
	if (history->node_count == 0)
		return QR_NODE_NIL;
	uint32_t index = *history_head(history, key);
	while (index != QR_NODE_NIL) {
		const struct qr_history_node *node =
		    qr_history_node(history, index);
		if (node->key == key)
			break;
		index = node->bucket;
	}
	return index;
}

static uint64_t
key_of_ghost(uint64_t id)
{
	return (id & ~KEY_PAGE) | KEY_USED;
}

static uint64_t
key_of_page(const struct qr_history *history, const struct qr_page *page)
{
	return qr_frame_pfn(history->frames, page) | KEY_PAGE | KEY_USED;
}

uint32_t
qr_history_find_ghost(const struct qr_history *history, uint64_t id)
{
	return history_find(history, key_of_ghost(id));
}

uint32_t
qr_history_find_page(const struct qr_history *history,
    const struct qr_page *page)
{
	return history_find(history, key_of_page(history, page));
}

static void
history_hash(struct qr_history *history, uint32_t index, uint64_t key)
{
	struct qr_history_node *node = qr_history_node(history, index);
	uint32_t *head = history_head(history, key);
	node->key = key;
	node->bucket = *head;
	*head = index;
}

static void
history_unhash(struct qr_history *history, uint32_t index)
{
	const struct qr_history_node *node = qr_history_node(history, index);
	uint32_t *at = history_head(history, node->key);
	while (*at != index) {
		QR_ASSERT(*at != QR_NODE_NIL,
		    "reclaim.4: node %u is not at its hash", index);
		at = &qr_history_node(history, *at)->bucket;
	}
	*at = node->bucket;
}

/* Makes a ghost the newest of all. */
static void
ghost_link(struct qr_history *history, uint32_t index)
{
	struct qr_history_node *node = qr_history_node(history, index);
	node->newer = QR_NODE_NIL;
	node->older = history->newest_ghost;
	if (node->older == QR_NODE_NIL)
		history->oldest_ghost = index;
	else
		qr_history_node(history, node->older)->newer = index;
	history->newest_ghost = index;
	history->ghosts++;
}

static void
ghost_unlink(struct qr_history *history, uint32_t index)
{
	const struct qr_history_node *node = qr_history_node(history, index);
	if (node->older == QR_NODE_NIL)
		history->oldest_ghost = node->newer;
	else
		qr_history_node(history, node->older)->newer = node->newer;
	if (node->newer == QR_NODE_NIL)
		history->newest_ghost = node->older;
	else
		qr_history_node(history, node->newer)->older = node->older;
	history->ghosts--;
}

static uint32_t
history_new(struct qr_history *history, uint64_t key)
{
	uint32_t index = history->free;
	if (index == QR_NODE_NIL)
		return index;
	struct qr_history_node *node = qr_history_node(history, index);
	history->free = node->bucket;
	history->used++;
	node->above = QR_NODE_NIL;
	node->below = QR_NODE_NIL;
	node->value = 0;
	history_hash(history, index, key);
	return index;
}

uint32_t
qr_history_new_ghost(struct qr_history *history, uint64_t id)
{
	uint32_t index = history_new(history, key_of_ghost(id));
	if (index != QR_NODE_NIL)
		ghost_link(history, index);
	return index;
}

uint32_t
qr_history_new_page(struct qr_history *history, const struct qr_page *page)
{
	return history_new(history, key_of_page(history, page));
}

void
qr_history_bury(struct qr_history *history, uint32_t index, uint64_t id)
{
	history_unhash(history, index);
	history_hash(history, index, key_of_ghost(id));
	ghost_link(history, index);
}

void
qr_history_free(struct qr_history *history, uint32_t index)
{
	struct qr_history_node *node = qr_history_node(history, index);
	if ((node->key & KEY_PAGE) == 0)
		ghost_unlink(history, index);
	history_unhash(history, index);
	node->key = 0;
	node->bucket = history->free;
	history->free = index;
	history->used--;
}

/* --- chains --- */

void
qr_chain_init(struct qr_chain *chain)
{
	*chain = (struct qr_chain){ QR_NODE_NIL, QR_NODE_NIL, 0 };
}

void
qr_chain_push(struct qr_history *history, struct qr_chain *chain,
    uint32_t index)
{
	struct qr_history_node *node = qr_history_node(history, index);
	node->above = QR_NODE_NIL;
	node->below = chain->top;
	if (chain->top == QR_NODE_NIL)
		chain->bottom = index;
	else
		qr_history_node(history, chain->top)->above = index;
	chain->top = index;
	chain->count++;
}

void
qr_chain_remove(struct qr_history *history, struct qr_chain *chain,
    uint32_t index)
{
	struct qr_history_node *node = qr_history_node(history, index);
	if (node->above == QR_NODE_NIL)
		chain->top = node->below;
	else
		qr_history_node(history, node->above)->below = node->below;
	if (node->below == QR_NODE_NIL)
		chain->bottom = node->above;
	else
		qr_history_node(history, node->below)->above = node->above;
	node->above = QR_NODE_NIL;
	node->below = QR_NODE_NIL;
	chain->count--;
}

void
qr_chain_drop(struct qr_history *history, struct qr_chain *chain,
    uint32_t index)
{
	qr_chain_remove(history, chain, index);
	qr_history_free(history, index);
}

/* --- init, fini, check --- */

int
qr_history_init(struct qr_history *history, struct qr_frames *frames,
    uint64_t node_count)
{
	*history = (struct qr_history){
		.frames = frames,
		.free = QR_NODE_NIL,
		.oldest_ghost = QR_NODE_NIL,
		.newest_ghost = QR_NODE_NIL,
	};
	if (node_count == 0)
		return 0;
	uint64_t buckets = 1;
	while (buckets < node_count)
		buckets *= 2;
	if (buckets > (uint64_t)1 << 31)
		return -QR_ENOMEM;
	int error =
	    array_init(&history->nodes, frames, node_count << NODE_SHIFT);
	if (error != 0)
		return error;
	error = array_init(&history->heads, frames, buckets << HEAD_SHIFT);
	if (error != 0) {
		array_fini(&history->nodes, frames);
		return error;
	}
	history->node_count = (uint32_t)node_count;
	history->bucket_mask = (uint32_t)(buckets - 1);
	for (uint64_t i = 0; i < buckets; i++)
		*(uint32_t *)array_at(&history->heads, i << HEAD_SHIFT) =
		    QR_NODE_NIL;
	for (uint32_t i = history->node_count; i-- > 0;) {
		struct qr_history_node *node = qr_history_node(history, i);
		node->key = 0;
		node->bucket = history->free;
		history->free = i;
	}
	return 0;
}

void
qr_history_fini(struct qr_history *history)
{
	array_fini(&history->nodes, history->frames);
	array_fini(&history->heads, history->frames);
	history->node_count = 0;
}

void
qr_check_chain(const struct qr_history *history, const struct qr_chain *chain)
{
	uint32_t above = QR_NODE_NIL;
	uint64_t count = 0;
	for (uint32_t at = chain->top; at != QR_NODE_NIL;) {
		const struct qr_history_node *node =
		    qr_history_node(history, at);
		QR_ASSERT(count < chain->count,
		    "reclaim.4: a chain is longer than %llu nodes",
		    (unsigned long long)chain->count);
		QR_ASSERT(node->above == above,
		    "reclaim.4: above node %u is %u, not %u", at, node->above,
		    above);
		QR_ASSERT(node->key != 0, "reclaim.4: node %u is free", at);
		count++;
		above = at;
		at = node->below;
	}
	QR_ASSERT(count == chain->count,
	    "reclaim.4: a chain has %llu nodes, says %llu",
	    (unsigned long long)count, (unsigned long long)chain->count);
	QR_ASSERT(chain->bottom == above, "reclaim.4: the bottom is %u, not %u",
	    above, chain->bottom);
}

void
qr_check_history(const struct qr_history *history)
{
	uint64_t used = 0;
	uint64_t ghosts = 0;
	for (uint32_t i = 0; i < history->node_count; i++) {
		const struct qr_history_node *node =
		    qr_history_node(history, i);
		if (node->key == 0)
			continue;
		used++;
		ghosts += (node->key & KEY_PAGE) == 0;
		QR_ASSERT(history_find(history, node->key) == i,
		    "reclaim.4: node %u with key 0x%llx is not found", i,
		    (unsigned long long)node->key);
	}
	QR_ASSERT(used == history->used,
	    "reclaim.4: %llu nodes are in use, "
	    "not %llu",
	    (unsigned long long)used, (unsigned long long)history->used);
	for (uint32_t at = history->oldest_ghost;
	     at != QR_NODE_NIL && ghosts > 0;
	     at = qr_history_node(history, at)->newer)
		ghosts--;
	QR_ASSERT(ghosts == 0, "reclaim.4: %llu ghosts are not linked",
	    (unsigned long long)ghosts);
}
