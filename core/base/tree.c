/* SPDX-License-Identifier: MIT */
/*
 * base/tree.c: insertion, removal and rotation of the balanced tree.
 *
 * Every change happens at one node and can make only that node's ancestors
 * stale: their heights, their balance, their summaries. So there is a single
 * repair, tree_repair, which climbs from the lowest stale node to where nothing
 * changes any more, mostly a few levels up. Rotations change at most three
 * nodes, all on that way.
 *
 *        node                 pivot
 *       /    \               /     \
 *      a    pivot    ->    node     c      left rotation at node; the right
 *           /   \         /    \           one is its mirror image
 *          b     c       a      b
 */
#include "tree.h"

#include "check.h"

/* A tree this high would have more nodes than memory has bytes. */
#define TREE_HEIGHT_MAX 64u

static unsigned
tree_height(const struct qr_tree_node *node)
{
	return node == NULL ? 0 : node->height;
}

/* Recomputes what node keeps of its subtree; whether anything changed. */
static bool
tree_refresh(struct qr_tree *tree, struct qr_tree_node *node)
{
	unsigned left = tree_height(node->child[QR_TREE_LEFT]);
	unsigned right = tree_height(node->child[QR_TREE_RIGHT]);
	unsigned height = 1 + (left > right ? left : right);
	bool changed = height != node->height;
	node->height = height;
	if (tree->summarize != NULL && tree->summarize(node))
		changed = true;
	return changed;
}

/* Puts node (may be NULL) where old is among its parent's children. */
static void
tree_replace(struct qr_tree *tree, const struct qr_tree_node *old,
    struct qr_tree_node *node)
{
	struct qr_tree_node *parent = old->parent;
	if (parent == NULL)
		tree->root = node;
	else
		parent->child[parent->child[QR_TREE_RIGHT] == old] = node;
	if (node != NULL)
		node->parent = parent;
}

/* Lifts node's child of the other side above node, which goes down to side.
 * Returns the child, the subtree's new root. */
static struct qr_tree_node *
tree_rotate(struct qr_tree *tree, struct qr_tree_node *node,
    enum qr_tree_side side)
{
	struct qr_tree_node *pivot = node->child[!side];
	struct qr_tree_node *middle = pivot->child[side];
	tree_replace(tree, node, pivot);
	pivot->child[side] = node;
	node->parent = pivot;
	node->child[!side] = middle;
	if (middle != NULL)
		middle->parent = node;
	(void)tree_refresh(tree, node);
	(void)tree_refresh(tree, pivot);
	return pivot;
}

/* Whether the subtrees of node differ in height by more than one. */
static bool
tree_is_tilted(const struct qr_tree_node *node)
{
	unsigned left = tree_height(node->child[QR_TREE_LEFT]);
	unsigned right = tree_height(node->child[QR_TREE_RIGHT]);
	return left > right + 1 || right > left + 1;
}

/* Restores the balance at node, whose subtrees are balanced and differ in
 * height by two. Returns the root of what was node's subtree. */
static struct qr_tree_node *
tree_balance(struct qr_tree *tree, struct qr_tree_node *node)
{
	unsigned left = tree_height(node->child[QR_TREE_LEFT]);
	unsigned right = tree_height(node->child[QR_TREE_RIGHT]);
	enum qr_tree_side low = left < right ? QR_TREE_LEFT : QR_TREE_RIGHT;
	struct qr_tree_node *high = node->child[!low];
	if (tree_height(high->child[low]) > tree_height(high->child[!low]))
		(void)tree_rotate(tree, high, (enum qr_tree_side) !low);
	return tree_rotate(tree, node, low);
}

/* Climbs from node, whose subtrees are in order, until nothing changes, and at
 * least past fresh (NULL: none), which is new in its place: what it has kept so
 * far is not what its parent knows. */
static void
tree_repair(struct qr_tree *tree, struct qr_tree_node *node,
    const struct qr_tree_node *fresh)
{
	for (; node != NULL; node = node->parent) {
		bool changed = true;
		bool past = fresh == NULL;
		if (node == fresh)
			fresh = NULL;
		if (tree_is_tilted(node))
			node = tree_balance(tree, node);
		else
			changed = tree_refresh(tree, node);
		if (!changed && past)
			return;
	}
}

void
qr_tree_init(struct qr_tree *tree, bool (*summarize)(struct qr_tree_node *node))
{
	tree->root = NULL;
	tree->summarize = summarize;
}

void
qr_tree_insert(struct qr_tree *tree, struct qr_tree_node *node,
    struct qr_tree_node *parent, enum qr_tree_side side)
{
	node->parent = parent;
	node->child[QR_TREE_LEFT] = NULL;
	node->child[QR_TREE_RIGHT] = NULL;
	if (parent == NULL) {
		QR_ASSERT(tree->root == NULL, "a second root");
		tree->root = node;
	} else {
		QR_ASSERT(parent->child[side] == NULL, "side %u is taken",
		    (unsigned)side);
		parent->child[side] = node;
	}
	tree_repair(tree, node, node);
}

void
qr_tree_remove(struct qr_tree *tree, struct qr_tree_node *node)
{
	struct qr_tree_node *left = node->child[QR_TREE_LEFT];
	struct qr_tree_node *right = node->child[QR_TREE_RIGHT];
	if (left == NULL || right == NULL) {
		struct qr_tree_node *parent = node->parent;
		tree_replace(tree, node, left == NULL ? right : left);
		tree_repair(tree, parent, NULL);
		return;
	}
	/* The next node in order has no left child: it takes the place. */
	struct qr_tree_node *heir = qr_tree_next(node);
	struct qr_tree_node *stale = heir->parent;
	if (stale == node) {
		stale = heir;
	} else {
		tree_replace(tree, heir, heir->child[QR_TREE_RIGHT]);
		heir->child[QR_TREE_RIGHT] = right;
		right->parent = heir;
	}
	heir->child[QR_TREE_LEFT] = left;
	left->parent = heir;
	tree_replace(tree, node, heir);
	tree_repair(tree, stale, heir);
}

void
qr_tree_update(struct qr_tree *tree, struct qr_tree_node *node)
{
	while (node != NULL && tree_refresh(tree, node))
		node = node->parent;
}

static struct qr_tree_node *
tree_outermost(struct qr_tree_node *node, enum qr_tree_side side)
{
	while (node->child[side] != NULL)
		node = node->child[side];
	return node;
}

static struct qr_tree_node *
tree_neighbour(const struct qr_tree_node *node, enum qr_tree_side side)
{
	if (node->child[side] != NULL)
		return tree_outermost(node->child[side],
		    (enum qr_tree_side) !side);
	while (node->parent != NULL && node->parent->child[side] == node)
		node = node->parent;
	return node->parent;
}

struct qr_tree_node *
qr_tree_first(const struct qr_tree *tree)
{
	return tree->root == NULL ? NULL
				  : tree_outermost(tree->root, QR_TREE_LEFT);
}

struct qr_tree_node *
qr_tree_next(const struct qr_tree_node *node)
{
	return tree_neighbour(node, QR_TREE_RIGHT);
}

struct qr_tree_node *
qr_tree_prev(const struct qr_tree_node *node)
{
	return tree_neighbour(node, QR_TREE_LEFT);
}

void
qr_check_tree(const struct qr_tree *tree)
{
	if (tree->root == NULL)
		return;
	QR_ASSERT(tree->root->parent == NULL, "the root has a parent");
	QR_ASSERT(tree->root->height < TREE_HEIGHT_MAX, "height %u",
	    tree->root->height);
	for (const struct qr_tree_node *node = qr_tree_first(tree);
	     node != NULL; node = qr_tree_next(node)) {
		unsigned left = tree_height(node->child[QR_TREE_LEFT]);
		unsigned right = tree_height(node->child[QR_TREE_RIGHT]);
		QR_ASSERT(node->height == 1 + (left > right ? left : right),
		    "height %u above %u and %u", node->height, left, right);
		QR_ASSERT(left <= right + 1 && right <= left + 1,
		    "unbalanced: %u and %u", left, right);
		for (unsigned side = 0; side < 2; side++)
			QR_ASSERT(node->child[side] == NULL ||
				      node->child[side]->parent == node,
			    "a child on side %u has another parent", side);
	}
}
