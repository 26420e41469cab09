/* SPDX-License-Identifier: MIT */
/*
 * base/tree.h: a balanced binary tree of nodes that live inside their
 * owner's structs, with a summary of each subtree kept by the owner.
 *
 * The owner compares, so it also descends: it walks child[] itself, finds
 * the link where a new node belongs and hands it to qr_tree_insert. The two
 * subtrees of a node differ in height by one at most (AVL), so a tree of a
 * million nodes is at most 28 high. No function here is recursive.
 *
 * summarize(node) recomputes what the owner keeps about the subtree of node
 * from the node itself and its two children, whose summaries are right, and
 * says whether that changed it; nothing above need be looked at if not. It may
 * be NULL. After changing a field that a summary depends on the owner calls
 * qr_tree_update.
 */
#ifndef QR_BASE_TREE_H
#define QR_BASE_TREE_H

#include <stdbool.h>
#include <stddef.h>

enum qr_tree_side {
	QR_TREE_LEFT,
	QR_TREE_RIGHT,
};

struct qr_tree_node {
	struct qr_tree_node *parent;   /* NULL: the root */
	struct qr_tree_node *child[2]; /* by enum qr_tree_side */
	unsigned height;               /* of its subtree; a leaf's is 1 */
};

struct qr_tree {
	struct qr_tree_node *root;
	bool (*summarize)(struct qr_tree_node *node); /* (c) */
};

void qr_tree_init(struct qr_tree *tree,
    bool (*summarize)(struct qr_tree_node *node));

/* Makes node the child of parent on that side, which is empty; parent NULL:
 * the tree is empty. */
void qr_tree_insert(struct qr_tree *tree, struct qr_tree_node *node,
    struct qr_tree_node *parent, enum qr_tree_side side);

void qr_tree_remove(struct qr_tree *tree, struct qr_tree_node *node);

/* A field of node that summaries depend on has changed. */
void qr_tree_update(struct qr_tree *tree, struct qr_tree_node *node);

/* The nodes in order; NULL at the end. */
struct qr_tree_node *qr_tree_first(const struct qr_tree *tree);
struct qr_tree_node *qr_tree_next(const struct qr_tree_node *node);
struct qr_tree_node *qr_tree_prev(const struct qr_tree_node *node);

/* Links, heights and balance; not the order, which is the owner's. */
void qr_check_tree(const struct qr_tree *tree);

#endif
