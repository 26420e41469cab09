/* SPDX-License-Identifier: MIT */
/*
 * space/area.c: the tree of a space's areas: lookup, holes, split and join.
 *
 * Keeps [space.1] areas never overlap, [space.2] alike neighbours are one
 * area, and the sums in struct qr_space. Each node sums up its subtree's
 * first and last address and largest hole, so the highest hole of a size is
 * found in one descent: a node whose gap_max suffices has such a hole in its
 * right subtree, between that and itself, between itself and its left
 * subtree, or in the left subtree, and these are tried in this order.
 */
#include "space_impl.h"

static struct qr_area *
area_of(struct qr_tree_node *node)
{
	return node == NULL ? NULL : QR_CONTAINER(node, struct qr_area, node);
}

static struct qr_area *
area_child(const struct qr_area *area, enum qr_tree_side side)
{
	return area_of(area->node.child[side]);
}

static uint64_t
area_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void
area_summarize(struct qr_tree_node *node)
{
	struct qr_area *area = area_of(node);
	const struct qr_area *left = area_child(area, QR_TREE_LEFT);
	const struct qr_area *right = area_child(area, QR_TREE_RIGHT);
	area->low = area->start;
	area->high = area->end;
	area->gap_max = 0;
	if (left != NULL) {
		area->low = left->low;
		area->gap_max =
		    area_max(left->gap_max, area->start - left->high);
	}
	if (right != NULL) {
		area->high = right->high;
		area->gap_max = area_max(area->gap_max,
		    area_max(right->gap_max, right->low - area->end));
	}
}

void
qr_areas_init(struct qr_space *space)
{
	qr_tree_init(&space->areas, area_summarize);
	atomic_init(&space->last, NULL);
}

static bool
area_holds(const struct qr_area *area, qr_vaddr_t address)
{
	return address >= area->start && address < area->end;
}

struct qr_area *
qr_area_find(struct qr_space *space, qr_vaddr_t address)
{
	/* Relaxed: areas change only while nobody shares the lock. */
	struct qr_area *last =
	    atomic_load_explicit(&space->last, memory_order_relaxed);
	if (last != NULL && area_holds(last, address))
		return last;

	struct qr_area *found = NULL;
	struct qr_area *area = area_of(space->areas.root);
	while (area != NULL) {
		if (address >= area->end) {
			area = area_child(area, QR_TREE_RIGHT);
			continue;
		}
		found = area;
		if (address >= area->start)
			break;
		area = area_child(area, QR_TREE_LEFT);
	}
	if (found != NULL && area_holds(found, address))
		atomic_store_explicit(&space->last, found,
		    memory_order_relaxed);
	return found;
}

struct qr_area *
qr_area_first(const struct qr_space *space)
{
	return area_of(qr_tree_first(&space->areas));
}

struct qr_area *
qr_area_next(const struct qr_area *area)
{
	return area_of(qr_tree_next(&area->node));
}

bool
qr_area_is_free(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end)
{
	const struct qr_area *area = qr_area_find(space, start);
	return area == NULL || area->start >= end;
}

/* The hole below a subtree whose gap_max is at least size_bytes, that lies
 * highest. */
static qr_vaddr_t
area_gap_in(const struct qr_area *area, uint64_t size_bytes)
{
	for (;;) {
		const struct qr_area *left = area_child(area, QR_TREE_LEFT);
		const struct qr_area *right = area_child(area, QR_TREE_RIGHT);
		if (right != NULL && right->gap_max >= size_bytes) {
			area = right;
			continue;
		}
		if (right != NULL && right->low - area->end >= size_bytes)
			return right->low - size_bytes;
		QR_ASSERT(left != NULL, "gap_max of the area at 0x%llx lies",
		    (unsigned long long)area->start);
		if (area->start - left->high >= size_bytes)
			return area->start - size_bytes;
		area = left;
	}
}

int
qr_area_find_gap(const struct qr_space *space, uint64_t size_bytes,
    qr_vaddr_t *address)
{
	const struct qr_area *root = area_of(space->areas.root);
	qr_vaddr_t low = root == NULL ? space->end : root->low;
	qr_vaddr_t high = root == NULL ? QR_SPACE_BOTTOM : root->high;
	if (high < QR_SPACE_BOTTOM)
		high = QR_SPACE_BOTTOM;
	if (space->end - high >= size_bytes)
		*address = space->end - size_bytes;
	else if (root != NULL && root->gap_max >= size_bytes)
		*address = area_gap_in(root, size_bytes);
	else if (low >= QR_SPACE_BOTTOM && low - QR_SPACE_BOTTOM >= size_bytes)
		*address = low - size_bytes;
	else
		return -QR_ENOMEM;
	return *address >= QR_SPACE_BOTTOM ? 0 : -QR_ENOMEM;
}

int
qr_area_spares_take(struct qr_space *space, size_t count,
    struct qr_area_spares *spares)
{
	QR_ASSERT(count <= QR_AREA_SPARES, "%zu spares", count);
	spares->count = 0;
	int error = qr_slab_alloc_bulk(space->spaces->area_cache, QR_GFP_KERNEL,
	    count, spares->area);
	if (error == 0)
		spares->count = count;
	return error;
}

struct qr_area *
qr_area_spares_use(struct qr_area_spares *spares)
{
	QR_ASSERT(spares->count > 0, "no spare area was taken");
	return spares->area[--spares->count];
}

void
qr_area_spares_drop(struct qr_space *space, struct qr_area_spares *spares)
{
	while (spares->count > 0)
		qr_slab_free(space->spaces->area_cache,
		    spares->area[--spares->count]);
}

/* Adds the area to the space's sums, or takes it out. */
static void
area_count(struct qr_space *space, const struct qr_area *area, bool in)
{
	uint64_t pages = qr_area_is_foreign(area) ? 0 : qr_area_pages(area);
	uint64_t locked = (area->flags & QR_MAP_LOCKED) != 0 ? pages : 0;
	space->virtual_pages += in ? pages : 0 - pages;
	space->locked_pages += in ? locked : 0 - locked;
}

void
qr_area_insert(struct qr_space *space, struct qr_area *area)
{
	QR_ASSERT(area->start < area->end, "area of no size at 0x%llx",
	    (unsigned long long)area->start);
	struct qr_tree_node *parent = NULL;
	enum qr_tree_side side = QR_TREE_LEFT;
	for (struct qr_tree_node *node = space->areas.root; node != NULL;
	     node = node->child[side]) {
		parent = node;
		const struct qr_area *at = area_of(node);
		side = area->start < at->start ? QR_TREE_LEFT : QR_TREE_RIGHT;
		QR_ASSERT(area->end <= at->start || area->start >= at->end,
		    "space.1: area at 0x%llx overlaps the one at 0x%llx",
		    (unsigned long long)area->start,
		    (unsigned long long)at->start);
	}
	qr_tree_insert(&space->areas, &area->node, parent, side);
	space->area_count++;
	area_count(space, area, true);
}

void
qr_area_remove(struct qr_space *space, struct qr_area *area)
{
	atomic_store_explicit(&space->last, NULL, memory_order_relaxed);
	area_count(space, area, false);
	space->area_count--;
	qr_tree_remove(&space->areas, &area->node);
	qr_slab_free(space->spaces->area_cache, area);
}

/* Splits the area that address lies inside of, if there is one. */
static void
area_split_at(struct qr_space *space, qr_vaddr_t address,
    struct qr_area_spares *spares)
{
	struct qr_area *area = qr_area_find(space, address);
	if (area == NULL || area->start >= address)
		return;
	struct qr_area *upper = qr_area_spares_use(spares);
	*upper = *area;
	upper->start = address;
	area_count(space, area, false);
	area->end = address;
	area_count(space, area, true);
	qr_tree_update(&space->areas, &area->node);
	qr_area_insert(space, upper);
}

void
qr_area_isolate(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    struct qr_area_spares *spares)
{
	area_split_at(space, start, spares);
	area_split_at(space, end, spares);
}

void
qr_area_set(struct qr_space *space, struct qr_area *area, unsigned prot,
    unsigned flags)
{
	area_count(space, area, false);
	area->prot = prot;
	area->flags = flags;
	area_count(space, area, true);
}

static bool
area_is_alike(const struct qr_area *a, const struct qr_area *b)
{
	return a->end == b->start && a->prot == b->prot && a->flags == b->flags;
}

void
qr_area_join(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end)
{
	struct qr_area *area = qr_area_find(space, start == 0 ? 0 : start - 1);
	while (area != NULL && area->end <= end) {
		struct qr_area *next = qr_area_next(area);
		if (next == NULL)
			return;
		if (!area_is_alike(area, next)) {
			area = next;
			continue;
		}
		qr_vaddr_t joined_end = next->end;
		qr_area_remove(space, next);
		area_count(space, area, false);
		area->end = joined_end;
		area_count(space, area, true);
		qr_tree_update(&space->areas, &area->node);
	}
}
