/* SPDX-License-Identifier: MIT */
/*
 * vmap/arena.c: ranges of numbers, with fits as policy.
 *
 * One tree has what is taken, by place; a free gap has no struct of its own but
 * belongs to the segment above it, and one of size 0 at the end has the last
 * gap:
 *
 *	start                                                        end
 *	|  gap  [ segment ][ segment ]   gap   [ segment ]    gap     | last
 *
 * So taking inserts one node and shortens one gap, and giving back removes one
 * and lengthens one; nothing is split or joined. For first, next and worst fit
 * each subtree knows its largest gap, which leads down in one step a level. Best
 * fit keeps a second tree, by size; instant fit lists of gaps by power of two
 * with a word that says which are not empty, as vmem has them. Only the index
 * that the policy wants is kept: what is known of subtrees costs a way to the
 * root for each change, 15 lines that are in no cache where 32 Ki segments live,
 * and that is most of what a change costs.
 *
 * Invariants, verified by qr_check_arena:
 *
 * [arena.1] Segments rise and don't overlap; each one's gap is what lies
 *          between it and the one before, or the arena's start.
 * [arena.2] With first, next and worst fit, gap_max is the largest gap of the
 *          subtree.
 * [arena.3] used and segments are the sums; all gaps and used make the arena.
 * [arena.4] With best fit every gap that is not 0 is in the tree by size, in
 *          order; with instant fit in the list of its power of two.
 *
 * A request with an alignment looks for a gap that holds it wherever that gap
 * begins, so a gap that would just do is passed over; what is skipped to align
 * stays free below the segment.
 *
 * Reading: Knuth 1973, 2.5, on fits; Bonwick and Adams 2001 on vmem.
 */
#include "arena.h"

#include "../base/bits.h"
#include "../base/check.h"

#define ARENA_SIGNATURE QR_SIGNATURE('A', 'r', 'e', 'n')

static const char *const fit_names[QR_FITS] = {
	[QR_FIT_FIRST] = "first",
	[QR_FIT_NEXT] = "next",
	[QR_FIT_BEST] = "best",
	[QR_FIT_WORST] = "worst",
	[QR_FIT_INSTANT] = "instant",
};

const char *
qr_fit_name(enum qr_fit fit)
{
	return fit < QR_FITS ? fit_names[fit] : "none";
}

static struct qr_segment *
segment_of(struct qr_tree_node *node)
{
	return node == NULL ? NULL
			    : QR_CONTAINER(node, struct qr_segment, node);
}

static struct qr_segment *
size_of(struct qr_tree_node *node)
{
	return node == NULL ? NULL
			    : QR_CONTAINER(node, struct qr_segment, by_size);
}

static uint64_t
child_max(const struct qr_segment *segment, enum qr_tree_side side)
{
	struct qr_tree_node *child = segment->node.child[side];
	return child == NULL ? 0 : segment_of(child)->gap_max;
}

static bool
segment_summarize(struct qr_tree_node *node)
{
	struct qr_segment *segment = segment_of(node);
	uint64_t before = segment->gap_max;
	segment->gap_max =
	    qr_max(segment->gap, qr_max(child_max(segment, QR_TREE_LEFT),
				     child_max(segment, QR_TREE_RIGHT)));
	return segment->gap_max != before;
}

/* Whether subtrees know their largest gap. */
static bool
fit_sums_up(enum qr_fit fit)
{
	return fit != QR_FIT_BEST && fit != QR_FIT_INSTANT;
}

/* --- the policy's index of gaps --- */

static bool
size_is_before(const struct qr_segment *a, const struct qr_segment *b)
{
	return a->gap != b->gap ? a->gap < b->gap : a->start < b->start;
}

static void
sizes_insert(struct qr_arena *arena, struct qr_segment *segment)
{
	struct qr_tree_node *parent = NULL;
	struct qr_tree_node *at = arena->sizes.root;
	enum qr_tree_side side = QR_TREE_LEFT;
	while (at != NULL) {
		parent = at;
		side = size_is_before(segment, size_of(at)) ? QR_TREE_LEFT
							    : QR_TREE_RIGHT;
		at = at->child[side];
	}
	qr_tree_insert(&arena->sizes, &segment->by_size, parent, side);
}

static void
index_insert(struct qr_arena *arena, struct qr_segment *segment)
{
	if (segment->gap == 0)
		return;
	if (arena->fit == QR_FIT_BEST) {
		sizes_insert(arena, segment);
	} else if (arena->fit == QR_FIT_INSTANT) {
		unsigned class = qr_bit_highest(segment->gap);
		qr_list_push_front(&arena->gaps[class], &segment->link);
		arena->nonempty |= (uint64_t)1 << class;
	}
}

static void
index_remove(struct qr_arena *arena, struct qr_segment *segment)
{
	if (segment->gap == 0)
		return;
	if (arena->fit == QR_FIT_BEST) {
		qr_tree_remove(&arena->sizes, &segment->by_size);
	} else if (arena->fit == QR_FIT_INSTANT) {
		unsigned class = qr_bit_highest(segment->gap);
		qr_list_remove(&segment->link);
		if (qr_list_empty(&arena->gaps[class]))
			arena->nonempty &= ~((uint64_t)1 << class);
	}
}

/* Gives the segment another gap; what the tree knows is brought up to date. */
static void
gap_set(struct qr_arena *arena, struct qr_segment *segment, uint64_t gap)
{
	index_remove(arena, segment);
	segment->gap = gap;
	index_insert(arena, segment);
	if (fit_sums_up(arena->fit))
		qr_tree_update(&arena->tree, &segment->node);
}

/* --- finding a gap: the segment above it, or NULL --- */

/* The lowest gap of need numbers in a subtree that has one. */
static struct qr_segment *
gap_lowest(struct qr_segment *at, uint64_t need)
{
	for (;;) {
		if (child_max(at, QR_TREE_LEFT) >= need)
			at = segment_of(at->node.child[QR_TREE_LEFT]);
		else if (at->gap >= need)
			return at;
		else
			at = segment_of(at->node.child[QR_TREE_RIGHT]);
	}
}

static struct qr_segment *
gap_first(const struct qr_arena *arena, uint64_t need)
{
	struct qr_segment *root = segment_of(arena->tree.root);
	return root->gap_max < need ? NULL : gap_lowest(root, need);
}

/* The node above whose left subtree node is in; NULL: there is none. */
static struct qr_tree_node *
right_parent(const struct qr_tree_node *node)
{
	while (
	    node->parent != NULL && node->parent->child[QR_TREE_RIGHT] == node)
		node = node->parent;
	return node->parent;
}

/* The lowest gap of need numbers whose segment starts above from: what follows
 * that place is some nodes and their right subtrees, going up. */
static struct qr_segment *
gap_after(const struct qr_arena *arena, uint64_t from, uint64_t need)
{
	struct qr_segment *at = NULL;
	struct qr_segment *next = segment_of(arena->tree.root);
	while (next != NULL) {
		bool is_after = next->start > from;
		if (is_after)
			at = next;
		next = segment_of(
		    next->node.child[is_after ? QR_TREE_LEFT : QR_TREE_RIGHT]);
	}
	while (at != NULL) {
		if (at->gap >= need)
			return at;
		if (child_max(at, QR_TREE_RIGHT) >= need)
			return gap_lowest(segment_of(
					      at->node.child[QR_TREE_RIGHT]),
			    need);
		at = segment_of(right_parent(&at->node));
	}
	return NULL;
}

static struct qr_segment *
gap_next(const struct qr_arena *arena, uint64_t need)
{
	struct qr_segment *found = gap_after(arena, arena->hand, need);
	return found != NULL ? found : gap_first(arena, need);
}

static struct qr_segment *
gap_best(const struct qr_arena *arena, uint64_t need)
{
	struct qr_segment *found = NULL;
	struct qr_segment *at = size_of(arena->sizes.root);
	while (at != NULL) {
		bool fits = at->gap >= need;
		if (fits)
			found = at;
		at = size_of(
		    at->by_size.child[fits ? QR_TREE_LEFT : QR_TREE_RIGHT]);
	}
	return found;
}

static struct qr_segment *
gap_worst(const struct qr_arena *arena, uint64_t need)
{
	struct qr_segment *root = segment_of(arena->tree.root);
	return root->gap_max < need ? NULL : gap_first(arena, root->gap_max);
}

/* The first of a list that will do; NULL. At most as many steps as there are
 * gaps of one power of two. */
static struct qr_segment *
gap_listed(const struct qr_list *list, uint64_t need)
{
	for (struct qr_list *node = list->next; node != list;
	     node = node->next) {
		struct qr_segment *segment =
		    QR_CONTAINER(node, struct qr_segment, link);
		if (segment->gap >= need)
			return segment;
	}
	return NULL;
}

static struct qr_segment *
gap_instant(const struct qr_arena *arena, uint64_t need)
{
	unsigned class = qr_order_of(need);
	uint64_t mask =
	    class < QR_ARENA_CLASSES ? arena->nonempty >> class << class : 0;
	if (mask == 0)
		return gap_listed(&arena->gaps[qr_bit_highest(need)], need);
	const struct qr_list *list = &arena->gaps[qr_bit_lowest(mask)];
	return QR_CONTAINER(qr_list_first(list), struct qr_segment, link);
}

static struct qr_segment *
gap_find(const struct qr_arena *arena, uint64_t need)
{
	switch (arena->fit) {
	case QR_FIT_NEXT:
		return gap_next(arena, need);
	case QR_FIT_BEST:
		return gap_best(arena, need);
	case QR_FIT_WORST:
		return gap_worst(arena, need);
	case QR_FIT_INSTANT:
		return gap_instant(arena, need);
	case QR_FIT_FIRST:
	case QR_FITS:
		break;
	}
	return gap_first(arena, need);
}

/* --- taking and giving --- */

static void
assert_arena(const struct qr_arena *arena)
{
	QR_ASSERT(arena->signature == ARENA_SIGNATURE, "signature 0x%x",
	    arena->signature);
}

/* Puts the segment into the gap below above, skip numbers from its start. */
static void
segment_insert(struct qr_arena *arena, struct qr_segment *segment,
    struct qr_segment *above, uint64_t start)
{
	uint64_t gap_start = above->start - above->gap;
	uint64_t rest = above->start - start - segment->size;
	segment->start = start;
	segment->gap = start - gap_start;
	if (fit_sums_up(arena->fit))
		segment->gap_max = segment->gap;
	gap_set(arena, above, rest);
	/* Right before above, in the order of places. */
	struct qr_tree_node *left = above->node.child[QR_TREE_LEFT];
	if (left == NULL) {
		qr_tree_insert(&arena->tree, &segment->node, &above->node,
		    QR_TREE_LEFT);
	} else {
		while (left->child[QR_TREE_RIGHT] != NULL)
			left = left->child[QR_TREE_RIGHT];
		qr_tree_insert(&arena->tree, &segment->node, left,
		    QR_TREE_RIGHT);
	}
	index_insert(arena, segment);
	arena->used += segment->size;
	arena->segments++;
}

void
qr_arena_init(struct qr_arena *arena, uint64_t start, uint64_t end,
    enum qr_fit fit)
{
	QR_ASSERT(start < end && fit < QR_FITS, "0x%llx to 0x%llx, fit %u",
	    (unsigned long long)start, (unsigned long long)end, (unsigned)fit);
	__builtin_memset(arena, 0, sizeof(*arena));
	arena->fit = fit;
	arena->start = start;
	arena->end = end;
	arena->hand = start;
	for (unsigned i = 0; i < QR_ARENA_CLASSES; i++)
		qr_list_init(&arena->gaps[i]);
	qr_tree_init(&arena->tree, fit_sums_up(fit) ? segment_summarize : NULL);
	qr_tree_init(&arena->sizes, NULL);
	arena->last.start = end;
	arena->last.gap = end - start;
	qr_tree_insert(&arena->tree, &arena->last.node, NULL, QR_TREE_LEFT);
	index_insert(arena, &arena->last);
	arena->signature = ARENA_SIGNATURE;
}

int
qr_arena_alloc(struct qr_arena *arena, struct qr_segment *segment,
    uint64_t size, uint64_t align)
{
	assert_arena(arena);
	QR_ASSERT(size != 0 && qr_is_pow2(align), "size %llu, align %llu",
	    (unsigned long long)size, (unsigned long long)align);
	if (size > UINT64_MAX - align)
		return -QR_ENOMEM;
	struct qr_segment *above = gap_find(arena, size + align - 1);
	if (above == NULL)
		return -QR_ENOMEM;
	segment->size = size;
	segment_insert(arena, segment, above,
	    qr_round_up(above->start - above->gap, align));
	arena->hand = segment->start;
	return 0;
}

/* The lowest segment that ends above at. */
static struct qr_segment *
segment_above(const struct qr_arena *arena, uint64_t at)
{
	struct qr_segment *found = NULL;
	struct qr_segment *segment = segment_of(arena->tree.root);
	while (segment != NULL) {
		bool is_above = segment->start + segment->size > at ||
				segment == &arena->last;
		if (is_above)
			found = segment;
		segment = segment_of(
		    segment->node
			.child[is_above ? QR_TREE_LEFT : QR_TREE_RIGHT]);
	}
	return found;
}

int
qr_arena_take(struct qr_arena *arena, struct qr_segment *segment,
    uint64_t start, uint64_t size)
{
	assert_arena(arena);
	QR_ASSERT(size != 0, "an empty segment at 0x%llx",
	    (unsigned long long)start);
	if (start < arena->start || start >= arena->end ||
	    size > arena->end - start)
		return -QR_EBUSY;
	struct qr_segment *above = segment_above(arena, start);
	if (above->start - above->gap > start || above->start < start + size)
		return -QR_EBUSY;
	segment->size = size;
	segment_insert(arena, segment, above, start);
	return 0;
}

void
qr_arena_free(struct qr_arena *arena, struct qr_segment *segment)
{
	assert_arena(arena);
	struct qr_segment *above = segment_of(qr_tree_next(&segment->node));
	QR_ASSERT(segment->size != 0 && above != NULL,
	    "segment at 0x%llx is not taken",
	    (unsigned long long)segment->start);
	index_remove(arena, segment);
	qr_tree_remove(&arena->tree, &segment->node);
	gap_set(arena, above, above->gap + segment->gap + segment->size);
	arena->used -= segment->size;
	arena->segments--;
	segment->size = 0;
}

/* --- asking --- */

struct qr_segment *
qr_arena_find(const struct qr_arena *arena, uint64_t at)
{
	struct qr_segment *segment = segment_above(arena, at);
	return segment != &arena->last && segment->start <= at ? segment : NULL;
}

struct qr_segment *
qr_arena_next(const struct qr_arena *arena, uint64_t at)
{
	struct qr_segment *segment = segment_above(arena, at);
	if (segment != &arena->last && segment->start < at)
		segment = segment_of(qr_tree_next(&segment->node));
	return segment == &arena->last ? NULL : segment;
}

/* The last node of the tree by size. */
static uint64_t
sizes_largest(const struct qr_arena *arena)
{
	struct qr_tree_node *node = arena->sizes.root;
	while (node != NULL && node->child[QR_TREE_RIGHT] != NULL)
		node = node->child[QR_TREE_RIGHT];
	return node == NULL ? 0 : size_of(node)->gap;
}

static uint64_t
lists_largest(const struct qr_arena *arena)
{
	uint64_t largest = 0;
	if (arena->nonempty == 0)
		return 0;
	const struct qr_list *list =
	    &arena->gaps[qr_bit_highest(arena->nonempty)];
	for (struct qr_list *node = list->next; node != list; node = node->next)
		largest = qr_max(largest,
		    QR_CONTAINER(node, struct qr_segment, link)->gap);
	return largest;
}

uint64_t
qr_arena_largest(const struct qr_arena *arena)
{
	if (arena->fit == QR_FIT_BEST)
		return sizes_largest(arena);
	if (arena->fit == QR_FIT_INSTANT)
		return lists_largest(arena);
	return segment_of(arena->tree.root)->gap_max;
}

void
qr_arena_set_fit(struct qr_arena *arena, enum qr_fit fit)
{
	assert_arena(arena);
	struct qr_tree_node *node = qr_tree_first(&arena->tree);
	for (; node != NULL; node = qr_tree_next(node))
		index_remove(arena, segment_of(node));
	arena->fit = fit;
	arena->tree.summarize = fit_sums_up(fit) ? segment_summarize : NULL;
	node = qr_tree_first(&arena->tree);
	for (; node != NULL; node = qr_tree_next(node)) {
		index_insert(arena, segment_of(node));
		/* What changes goes up, so all are right at the end. */
		if (fit_sums_up(fit))
			qr_tree_update(&arena->tree, node);
	}
}

/* --- checking --- */

/* [arena.4] for one gap. */
static bool
index_has(const struct qr_arena *arena, const struct qr_segment *segment)
{
	const struct qr_list *node;
	if (arena->fit == QR_FIT_BEST) {
		const struct qr_tree_node *at = &segment->by_size;
		while (at->parent != NULL)
			at = at->parent;
		return at == arena->sizes.root;
	}
	unsigned class = qr_bit_highest(segment->gap);
	if ((arena->nonempty >> class & 1) == 0)
		return false;
	qr_list_for_each (node, &arena->gaps[class])
		if (node == &segment->link)
			return true;
	return false;
}

static void
check_sizes(const struct qr_arena *arena)
{
	struct qr_tree_node *node = qr_tree_first(&arena->sizes);
	qr_check_tree(&arena->sizes);
	for (; node != NULL; node = qr_tree_next(node)) {
		struct qr_tree_node *next = qr_tree_next(node);
		QR_ASSERT(next == NULL ||
			      size_is_before(size_of(node), size_of(next)),
		    "[arena.4] a gap of %llu is out of order",
		    (unsigned long long)size_of(node)->gap);
	}
}

/* [arena.2] for one subtree. */
static void
check_sum(const struct qr_segment *segment)
{
	uint64_t most =
	    qr_max(segment->gap, qr_max(child_max(segment, QR_TREE_LEFT),
				     child_max(segment, QR_TREE_RIGHT)));
	QR_ASSERT(segment->gap_max == most,
	    "[arena.2] segment at 0x%llx: 0x%llx, not 0x%llx",
	    (unsigned long long)segment->start,
	    (unsigned long long)segment->gap_max, (unsigned long long)most);
}

void
qr_check_arena(const struct qr_arena *arena)
{
	uint64_t at = arena->start;
	uint64_t used = 0;
	uint64_t segments = 0;
	assert_arena(arena);
	qr_check_tree(&arena->tree);
	struct qr_tree_node *node = qr_tree_first(&arena->tree);
	for (; node != NULL; node = qr_tree_next(node)) {
		const struct qr_segment *segment = segment_of(node);
		QR_ASSERT(segment->start - segment->gap == at &&
			      segment->start >= at,
		    "[arena.1] segment at 0x%llx with a gap of 0x%llx follows "
		    "0x%llx",
		    (unsigned long long)segment->start,
		    (unsigned long long)segment->gap, (unsigned long long)at);
		if (fit_sums_up(arena->fit))
			check_sum(segment);
		if (segment->gap != 0 &&
		    (arena->fit == QR_FIT_BEST || arena->fit == QR_FIT_INSTANT))
			QR_ASSERT(index_has(arena, segment),
			    "[arena.4] the gap below 0x%llx is in no index",
			    (unsigned long long)segment->start);
		at = segment->start + segment->size;
		used += segment->size;
		segments += segment->size != 0;
	}
	check_sizes(arena);
	QR_ASSERT(at == arena->end && used == arena->used &&
		      segments == arena->segments,
	    "[arena.3] %llu used of %llu, %llu segments of %llu",
	    (unsigned long long)used, (unsigned long long)arena->used,
	    (unsigned long long)segments, (unsigned long long)arena->segments);
}
