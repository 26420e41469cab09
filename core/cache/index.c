/* SPDX-License-Identifier: MIT */
/*
 * cache/index.c: the radix tree of an object's pages.
 *
 * Chosen over a hash because neighbours are asked for together (read-ahead,
 * write-back, truncation) and over the balanced tree of base/ because a page
 * needs no node of its own: a full node costs 9 bytes a page. Keeps [cache.1].
 */
#include "index.h"

#include "../base/bits.h"

void
qr_index_init(struct qr_index *index, struct qr_slab_cache *nodes)
{
	index->root = NULL;
	index->nodes = nodes;
}

/* Numbers that a node of that level and all below it have. */
static uint64_t
level_span(unsigned level)
{
	return (uint64_t)1 << (QR_INDEX_BITS * (level + 1));
}

/* The level of a root that has a place for the number. */
static unsigned
level_of(uint64_t number)
{
	unsigned level = 0;
	while (number >= level_span(level))
		level++;
	return level;
}

static unsigned
level_place(unsigned level, uint64_t number)
{
	return (unsigned)(number >> (QR_INDEX_BITS * level)) &
	       (QR_INDEX_SLOTS - 1);
}

static struct qr_index_node *
node_child(const struct qr_index_node *node, unsigned place)
{
	return (struct qr_index_node *)(uintptr_t)node->word[place];
}

/* The node of level 0 that has the number's place, or NULL. */
static struct qr_index_node *
index_leaf(const struct qr_index *index, uint64_t number)
{
	struct qr_index_node *node = index->root;
	if (node == NULL || number >= level_span(node->level))
		return NULL;
	while (node != NULL && node->level > 0)
		node = node_child(node, level_place(node->level, number));
	return node;
}

uint64_t
qr_index_find(const struct qr_index *index, uint64_t number)
{
	const struct qr_index_node *leaf = index_leaf(index, number);
	return leaf == NULL ? 0 : leaf->word[level_place(0, number)];
}

/* --- growing --- */

static struct qr_index_node *
spare_take(struct qr_index_spares *spares, unsigned level)
{
	struct qr_index_node *node = spares->first;
	if (node == NULL)
		return NULL;
	spares->first = node->parent;
	__builtin_memset(node, 0, sizeof(*node));
	node->level = (uint8_t)level;
	return node;
}

static void
node_attach(struct qr_index_node *parent, unsigned place,
    struct qr_index_node *child)
{
	child->parent = parent;
	child->place = (uint8_t)place;
	parent->word[place] = (uintptr_t)child;
	parent->used++;
	if (child->dirty != 0)
		parent->dirty |= (uint64_t)1 << place;
}

/* Puts roots on top until the number has a place. */
static bool
index_raise(struct qr_index *index, uint64_t number,
    struct qr_index_spares *spares)
{
	if (index->root == NULL)
		index->root = spare_take(spares, level_of(number));
	while (
	    index->root != NULL && number >= level_span(index->root->level)) {
		struct qr_index_node *root =
		    spare_take(spares, index->root->level + 1u);
		if (root == NULL)
			return false;
		node_attach(root, 0, index->root);
		index->root = root;
	}
	return index->root != NULL;
}

bool
qr_index_set(struct qr_index *index, uint64_t number, uint64_t word,
    struct qr_index_spares *spares)
{
	QR_ASSERT(number < QR_INDEX_END, "page %llu of an object",
	    (unsigned long long)number);
	if (!index_raise(index, number, spares))
		return false;
	struct qr_index_node *node = index->root;
	while (node->level > 0) {
		unsigned place = level_place(node->level, number);
		struct qr_index_node *child = node_child(node, place);
		if (child == NULL) {
			child = spare_take(spares, node->level - 1u);
			if (child == NULL)
				return false;
			node_attach(node, place, child);
		}
		node = child;
	}
	unsigned place = level_place(0, number);
	if (node->word[place] == 0)
		node->used++;
	node->word[place] = word;
	return true;
}

/* --- shrinking --- */

/* A mark below node has changed: sets or clears those above. */
static void
mark_spread(struct qr_index_node *node)
{
	for (; node->parent != NULL; node = node->parent) {
		uint64_t bit = (uint64_t)1 << node->place;
		uint64_t was = node->parent->dirty;
		if (node->dirty != 0)
			node->parent->dirty |= bit;
		else
			node->parent->dirty &= ~bit;
		if (node->parent->dirty == was)
			return;
	}
}

/* Frees empty nodes from this one up. */
static void
index_prune(struct qr_index *index, struct qr_index_node *node)
{
	while (node != NULL && node->used == 0) {
		struct qr_index_node *parent = node->parent;
		if (parent == NULL) {
			index->root = NULL;
		} else {
			parent->word[node->place] = 0;
			parent->used--;
		}
		qr_slab_free(index->nodes, node);
		node = parent;
	}
}

/* The lowest node on the number's way. */
static struct qr_index_node *
index_deepest(const struct qr_index *index, uint64_t number)
{
	struct qr_index_node *node = index->root;
	if (node == NULL || number >= level_span(node->level))
		return node;
	while (node->level > 0) {
		struct qr_index_node *child =
		    node_child(node, level_place(node->level, number));
		if (child == NULL)
			break;
		node = child;
	}
	return node;
}

void
qr_index_erase(struct qr_index *index, uint64_t number)
{
	struct qr_index_node *node = index_deepest(index, number);
	if (node == NULL)
		return;
	if (node->level == 0 && number < level_span(index->root->level)) {
		unsigned place = level_place(0, number);
		if (node->word[place] != 0)
			node->used--;
		node->word[place] = 0;
		node->dirty &= ~((uint64_t)1 << place);
		mark_spread(node);
	}
	index_prune(index, node);
}

/* --- marks --- */

void
qr_index_set_dirty(struct qr_index *index, uint64_t number, bool dirty)
{
	struct qr_index_node *leaf = index_leaf(index, number);
	uint64_t bit = (uint64_t)1 << level_place(0, number);
	QR_ASSERT(leaf != NULL, "cache.1: page %llu is not in its index",
	    (unsigned long long)number);
	if (dirty)
		leaf->dirty |= bit;
	else
		leaf->dirty &= ~bit;
	mark_spread(leaf);
}

bool
qr_index_is_dirty(const struct qr_index *index, uint64_t number)
{
	const struct qr_index_node *leaf = index_leaf(index, number);
	return leaf != NULL && (leaf->dirty >> level_place(0, number) & 1) != 0;
}

/* --- looking on --- */

/* The places of a node that are worth looking at. */
static uint64_t
node_places(const struct qr_index_node *node, bool dirty)
{
	if (dirty)
		return node->dirty;
	uint64_t places = 0;
	for (unsigned i = 0; i < QR_INDEX_SLOTS; i++)
		places |= (uint64_t)(node->word[i] != 0) << i;
	return places;
}

uint64_t
qr_index_next(const struct qr_index *index, uint64_t *number, bool dirty)
{
	const struct qr_index_node *node = index->root;
	uint64_t at = *number;
	if (node == NULL || at >= level_span(node->level))
		return 0;
	/* Each turn goes a level down, or past a subtree without a hit. */
	for (;;) {
		unsigned place = level_place(node->level, at);
		uint64_t here =
		    node_places(node, dirty) & (UINT64_MAX << place);
		if (here == 0) {
			/* On behind this node, from its parent. */
			at = (at | (level_span(node->level) - 1)) + 1;
			node = index->root;
			if (at >= level_span(node->level))
				return 0;
			continue;
		}
		unsigned next = qr_bit_lowest(here);
		if (next != place) {
			unsigned shift = QR_INDEX_BITS * node->level;
			at = qr_round_down(at, level_span(node->level)) |
			     (uint64_t)next << shift;
		}
		if (node->level == 0) {
			*number = at;
			return node->word[next];
		}
		node = node_child(node, next);
	}
}

/* --- spares --- */

int
qr_index_spare(const struct qr_index *index, struct qr_index_spares *spares,
    qr_gfp_t gfp)
{
	struct qr_index_node *node = qr_slab_alloc(index->nodes, gfp);
	if (node == NULL)
		return -QR_ENOMEM;
	node->parent = spares->first;
	spares->first = node;
	return 0;
}

void
qr_index_spares_drop(const struct qr_index *index,
    struct qr_index_spares *spares)
{
	while (spares->first != NULL) {
		struct qr_index_node *node = spares->first;
		spares->first = node->parent;
		qr_slab_free(index->nodes, node);
	}
}

/* --- checking --- */

static void
check_node(const struct qr_index_node *node)
{
	uint64_t dirty = 0;
	unsigned used = 0;
	for (unsigned i = 0; i < QR_INDEX_SLOTS; i++) {
		if (node->word[i] == 0)
			continue;
		used++;
		if (node->level == 0)
			continue;
		const struct qr_index_node *child = node_child(node, i);
		QR_ASSERT(child->parent == node && child->place == i &&
			      child->level + 1 == node->level,
		    "cache.1: node %p is not where its parent has it",
		    (const void *)child);
		dirty |= (uint64_t)(child->dirty != 0) << i;
	}
	if (node->level == 0)
		dirty = node->dirty & node_places(node, false);
	QR_ASSERT(used == node->used && used != 0,
	    "cache.1: node %p has %u words, counts %u", (const void *)node,
	    used, node->used);
	QR_ASSERT(dirty == node->dirty,
	    "cache.1: node %p is marked 0x%llx, should be 0x%llx",
	    (const void *)node, (unsigned long long)node->dirty,
	    (unsigned long long)dirty);
}

uint64_t
qr_check_index(const struct qr_index *index)
{
	const struct qr_index_node *node = index->root;
	uint64_t count = 0;
	unsigned place = 0; /* of node to go on at */
	while (node != NULL) {
		if (place == 0) {
			check_node(node);
			count++;
		}
		while (node->level > 0 && place < QR_INDEX_SLOTS &&
		       node->word[place] == 0)
			place++;
		if (node->level == 0 || place == QR_INDEX_SLOTS) {
			place = node->place + 1u;
			node = node->parent;
			continue;
		}
		node = node_child(node, place);
		place = 0;
	}
	return count;
}
