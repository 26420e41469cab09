/* SPDX-License-Identifier: MIT */
/*
 * base/list.h: circular doubly linked lists with a sentinel, so that no
 * operation has an edge case. A node that is on no list points to itself.
 */
#ifndef QR_BASE_LIST_H
#define QR_BASE_LIST_H

#include <stdbool.h>

#include "bits.h"

struct qr_list {
	struct qr_list *next;
	struct qr_list *prev;
};

static inline void
qr_list_init(struct qr_list *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool
qr_list_empty(const struct qr_list *list)
{
	return list->next == list;
}

static inline void
qr_list_insert_between(struct qr_list *node, struct qr_list *prev,
    struct qr_list *next)
{
	node->prev = prev;
	node->next = next;
	prev->next = node;
	next->prev = node;
}

static inline void
qr_list_push_front(struct qr_list *list, struct qr_list *node)
{
	qr_list_insert_between(node, list, list->next);
}

static inline void
qr_list_push_back(struct qr_list *list, struct qr_list *node)
{
	qr_list_insert_between(node, list->prev, list);
}

static inline void
qr_list_remove(struct qr_list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	qr_list_init(node);
}

/* First node, or NULL. */
static inline struct qr_list *
qr_list_first(const struct qr_list *list)
{
	return qr_list_empty(list) ? NULL : list->next;
}

/* Takes the first node off, or NULL. */
static inline struct qr_list *
qr_list_pop_front(struct qr_list *list)
{
	struct qr_list *node = qr_list_first(list);
	if (node != NULL)
		qr_list_remove(node);
	return node;
}

#define qr_list_for_each(node, list)                                           \
	for ((node) = (list)->next; (node) != (list); (node) = (node)->next)

/* As above; the node may be removed inside the loop. */
#define qr_list_for_each_safe(node, after, list)                               \
	for ((node) = (list)->next, (after) = (node)->next; (node) != (list);  \
	     (node) = (after), (after) = (node)->next)

#endif
