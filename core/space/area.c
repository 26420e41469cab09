/* SPDX-License-Identifier: MIT */
/*
 * space/area.c: the tree of a space's areas: lookup, holes, split and join.
 *
 * Keeps [space.1] areas never overlap, [space.2] alike neighbours are one
 * area, and the sums in struct qr_space. Each area knows the hole below it
 * (the lowest one's begins at QR_SPACE_BOTTOM; of one that grows down the guard
 * gap is not counted), and its node the largest hole
 * of its subtree, so the highest hole of a size is found in one descent: it is
 * in the right subtree, or below the node's own area, or in the left subtree.
 * Whatever changes where an area ends changes the next area's hole.
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

static bool
area_summarize(struct qr_tree_node *node)
{
	struct qr_area *area = area_of(node);
	uint32_t before = area->gap_max;
	area->gap_max = area->gap;
	for (unsigned side = 0; side < 2; side++) {
		const struct qr_area *child =
		    area_child(area, (enum qr_tree_side)side);
		if (child != NULL && child->gap_max > area->gap_max)
			area->gap_max = child->gap_max;
	}
	return area->gap_max != before;
}

/* Measures the hole between prev (NULL: none) and area. */
static void
area_measure(struct qr_area *area, const struct qr_area *prev)
{
	qr_vaddr_t below = prev == NULL ? QR_SPACE_BOTTOM : prev->end;
	below += qr_area_guard(area);
	uint64_t pages = 0;
	if (area->start > below)
		pages = (area->start - below) >> QR_PAGE_SHIFT;
	area->gap = pages < UINT32_MAX ? (uint32_t)pages : UINT32_MAX;
}

/* As above, for an area that is in the tree; it may be NULL. */
static void
area_remeasure(struct qr_space *space, struct qr_area *area,
    const struct qr_area *prev)
{
	if (area == NULL)
		return;
	area_measure(area, prev);
	qr_tree_update(&space->areas, &area->node);
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

/* Where the highest hole of so many pages in the subtree ends; there is
 * one. */
static qr_vaddr_t
area_gap_end(const struct qr_area *area, uint64_t pages)
{
	for (;;) {
		const struct qr_area *right = area_child(area, QR_TREE_RIGHT);
		if (right != NULL && right->gap_max >= pages) {
			area = right;
			continue;
		}
		if (area->gap >= pages)
			return area->start - qr_area_guard(area);
		area = area_child(area, QR_TREE_LEFT);
		QR_ASSERT(area != NULL, "no hole of %llu pages",
		    (unsigned long long)pages);
	}
}

int
qr_area_find_gap(const struct qr_space *space, uint64_t size_bytes,
    qr_vaddr_t *address)
{
	const struct qr_area *root = area_of(space->areas.root);
	const struct qr_area *last = root;
	qr_vaddr_t high = QR_SPACE_BOTTOM;
	for (const struct qr_area *area = root; area != NULL;
	     area = area_child(area, QR_TREE_RIGHT))
		last = area;
	if (last != NULL && last->end > high)
		high = last->end;

	uint64_t pages = size_bytes >> QR_PAGE_SHIFT;
	if (space->end - high >= size_bytes)
		*address = space->end - size_bytes;
	else if (root != NULL && root->gap_max >= pages)
		*address = area_gap_end(root, pages) - size_bytes;
	else
		return -QR_ENOMEM;
	return 0;
}

int
qr_area_spares_take(struct qr_space *space, size_t count, bool views,
    struct qr_area_spares *spares)
{
	QR_ASSERT(count <= QR_AREA_SPARES, "%zu spares", count);
	spares->count = 0;
	spares->view_count = 0;
	int error = qr_slab_alloc_bulk(space->spaces->area_cache, QR_GFP_KERNEL,
	    count, spares->area);
	if (error != 0)
		return error;
	spares->count = count;
	if (!views && space->view_count == 0)
		return 0;
	error = qr_slab_alloc_bulk(space->spaces->view_cache, QR_GFP_KERNEL,
	    count, spares->view);
	if (error == 0)
		spares->view_count = count;
	else
		qr_area_spares_drop(space, spares);
	return error;
}

struct qr_area *
qr_area_spares_use(struct qr_area_spares *spares, bool view)
{
	QR_ASSERT((view ? spares->view_count : spares->count) > 0,
	    "no spare area was taken");
	if (view)
		return &((struct qr_view *)spares->view[--spares->view_count])
			    ->area;
	return spares->area[--spares->count];
}

void
qr_area_spares_drop(struct qr_space *space, struct qr_area_spares *spares)
{
	while (spares->count > 0)
		qr_slab_free(space->spaces->area_cache,
		    spares->area[--spares->count]);
	while (spares->view_count > 0)
		qr_slab_free(space->spaces->view_cache,
		    spares->view[--spares->view_count]);
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
	struct qr_area *parent = NULL;
	struct qr_area *prev = NULL;
	struct qr_area *next = NULL;
	enum qr_tree_side side = QR_TREE_LEFT;
	for (struct qr_area *at = area_of(space->areas.root); at != NULL;
	     at = area_child(at, side)) {
		parent = at;
		side = area->start < at->start ? QR_TREE_LEFT : QR_TREE_RIGHT;
		if (side == QR_TREE_LEFT)
			next = at;
		else
			prev = at;
	}
	QR_ASSERT((prev == NULL || prev->end <= area->start) &&
		      (next == NULL || area->end <= next->start),
	    "space.1: area at 0x%llx overlaps another",
	    (unsigned long long)area->start);
	area_measure(area, prev);
	qr_tree_insert(&space->areas, &area->node,
	    parent == NULL ? NULL : &parent->node, side);
	area_remeasure(space, next, area);
	space->area_count++;
	area_count(space, area, true);
}

void
qr_area_remove(struct qr_space *space, struct qr_area *area)
{
	struct qr_area *prev = area_of(qr_tree_prev(&area->node));
	struct qr_area *next = qr_area_next(area);
	atomic_store_explicit(&space->last, NULL, memory_order_relaxed);
	area_count(space, area, false);
	space->area_count--;
	qr_tree_remove(&space->areas, &area->node);
	area_remeasure(space, next, prev);
	if (!qr_area_is_view(area)) {
		qr_slab_free(space->spaces->area_cache, area);
		return;
	}
	struct qr_view *view = qr_area_view(area);
	qr_view_detach(view);
	qr_slab_free(space->spaces->view_cache, view);
}

/* Moves the area's edges, in its object's tree, too. */
static void
area_move_edges(struct qr_area *area, qr_vaddr_t start, qr_vaddr_t end)
{
	if (qr_area_is_view(area)) {
		qr_view_resize(qr_area_view(area), start, end);
		return;
	}
	area->start = start;
	area->end = end;
}

/* Moves the area's end; the next area's hole is the caller's to measure. */
static void
area_set_end(struct qr_space *space, struct qr_area *area, qr_vaddr_t end)
{
	area_count(space, area, false);
	area_move_edges(area, area->start, end);
	area_count(space, area, true);
}

void
qr_area_resize(struct qr_space *space, struct qr_area *area, qr_vaddr_t start,
    qr_vaddr_t end)
{
	const struct qr_area *prev = area_of(qr_tree_prev(&area->node));
	struct qr_area *next = qr_area_next(area);
	QR_ASSERT((prev == NULL || prev->end <= start) &&
		      (next == NULL || end <= next->start),
	    "space.1: area at 0x%llx grows into another",
	    (unsigned long long)area->start);
	area_count(space, area, false);
	area_move_edges(area, start, end);
	area_count(space, area, true);
	area_remeasure(space, area, prev);
	area_remeasure(space, next, area);
}

/* Splits the area that address lies inside of, if there is one. */
static void
area_split_at(struct qr_space *space, qr_vaddr_t address,
    struct qr_area_spares *spares)
{
	struct qr_area *area = qr_area_find(space, address);
	if (area == NULL || area->start >= address)
		return;
	bool is_view = qr_area_is_view(area);
	struct qr_area *upper = qr_area_spares_use(spares, is_view);
	*upper = *area;
	upper->start = address;
	area_set_end(space, area, address);
	qr_area_insert(space, upper);
	/* Both show their parts from the next hold of the page lock on; what
	 * comes between them finds fewer entries than there are, and waits. */
	if (is_view) {
		const struct qr_view *lower = qr_area_view(area);
		qr_view_attach(qr_area_view(upper), space, lower->object,
		    qr_view_number(lower, address));
	}
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
	return a->end == b->start && a->prot == b->prot &&
	       a->flags == b->flags &&
	       (!qr_area_is_view(a) || qr_view_follows(a, b));
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
		area_set_end(space, area, joined_end);
		area_remeasure(space, qr_area_next(area), area);
	}
}

void
qr_check_area_gaps(const struct qr_space *space)
{
	const struct qr_area *prev = NULL;
	for (const struct qr_area *area = qr_area_first(space); area != NULL;
	     prev = area, area = qr_area_next(area)) {
		struct qr_area right = *area;
		area_measure(&right, prev);
		(void)area_summarize(&right.node);
		QR_ASSERT(area->gap == right.gap &&
			      area->gap_max == right.gap_max,
		    "space.1: holes of %u and %u pages at 0x%llx, not %u, %u",
		    area->gap, area->gap_max, (unsigned long long)area->start,
		    right.gap, right.gap_max);
	}
}
