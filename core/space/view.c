/* SPDX-License-Identifier: MIT */
/*
 * space/view.c: areas that map objects: from an object's page to the entries
 * that map it.
 *
 * A view is an area with a number: it shows so many pages of its object from
 * that number on. The object has its views in a tree by first number, each
 * node with the highest end below it, so that those which show a page are found
 * in steps that grow with the logarithm of all views and with their own number.
 *
 *	object -- views -- [0, 8) space A     page 5 --> A's entry, B's entry
 *	                '- [4, 6) space B
 *
 * Whether an entry of a view maps the page is in the entry: a view need not
 * have been touched, and one of a private area may have a copy by now. So a
 * page has no list of its mappings, only their number in refs.
 *
 * The tree belongs to the page lock. While a view is in it, the table nodes of
 * its space stay: they are pruned under that lock too (qr_map_prune). In the
 * middle of a split or a move an entry may for a moment be shown by no view;
 * then fewer are found than refs says, and whoever needs all of them tries
 * again. Keeps [space.11], [cache.3], [cache.5].
 */
#include "pages_impl.h"

#include "../base/check.h"
#include "port_inline.h"

/* --- the tree --- */

static struct qr_view *
view_of(struct qr_tree_node *node)
{
	return node == NULL ? NULL : QR_CONTAINER(node, struct qr_view, node);
}

static struct qr_view *
view_child(const struct qr_view *view, enum qr_tree_side side)
{
	return view_of(view->node.child[side]);
}

static uint64_t
view_end(const struct qr_view *view)
{
	return view->first + qr_area_pages(&view->area);
}

static bool
view_summarize(struct qr_tree_node *node)
{
	struct qr_view *view = view_of(node);
	uint64_t before = view->end_max;
	view->end_max = view_end(view);
	for (unsigned side = 0; side < 2; side++) {
		const struct qr_view *child =
		    view_child(view, (enum qr_tree_side)side);
		if (child != NULL && child->end_max > view->end_max)
			view->end_max = child->end_max;
	}
	return view->end_max != before;
}

/* (page lock) */
static void
view_insert(struct qr_object *object, struct qr_view *view)
{
	struct qr_tree *tree = &object->views;
	struct qr_view *parent = NULL;
	enum qr_tree_side side = QR_TREE_LEFT;
	tree->summarize = view_summarize;
	for (struct qr_view *at = view_of(tree->root); at != NULL;
	     at = view_child(at, side)) {
		parent = at;
		side = view->first < at->first ? QR_TREE_LEFT : QR_TREE_RIGHT;
	}
	view->end_max = view_end(view);
	qr_tree_insert(tree, &view->node, parent == NULL ? NULL : &parent->node,
	    side);
}

void
qr_view_attach(struct qr_view *view, struct qr_space *space,
    struct qr_object *object, uint64_t first)
{
	struct qr_spaces *spaces = space->spaces;
	qr_object_get(object);
	view->object = object;
	view->space = space;
	view->first = first;
	space->view_count++;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	view_insert(object, view);
	atomic_fetch_add_explicit(&object->view_count, 1,
	    memory_order_relaxed); /* Relaxed: changed under the lock only. */
	qr_lock_release(spaces->port, &spaces->page_lock);
}

void
qr_view_detach(struct qr_view *view)
{
	struct qr_spaces *spaces = view->space->spaces;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	qr_tree_remove(&view->object->views, &view->node);
	atomic_fetch_sub_explicit(&view->object->view_count, 1,
	    memory_order_relaxed); /* Relaxed: as above. */
	qr_lock_release(spaces->port, &spaces->page_lock);
	view->space->view_count--;
	qr_object_put(view->object);
}

void
qr_view_resize(struct qr_view *view, qr_vaddr_t start, qr_vaddr_t end)
{
	struct qr_spaces *spaces = view->space->spaces;
	QR_ASSERT(start == view->area.start, "a view's start moved to 0x%llx",
	    (unsigned long long)start);
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	view->area.end = end;
	qr_tree_update(&view->object->views, &view->node);
	qr_lock_release(spaces->port, &spaces->page_lock);
}

bool
qr_view_follows(const struct qr_area *a, const struct qr_area *b)
{
	const struct qr_view *below = qr_area_view(a);
	const struct qr_view *above = qr_area_view(b);
	return below->object == above->object &&
	       view_end(below) == above->first;
}

/* The view of the lowest first number in the subtree that ends behind first;
 * there is one. */
static struct qr_view *
view_lowest(struct qr_view *view, uint64_t first)
{
	for (;;) {
		struct qr_view *left = view_child(view, QR_TREE_LEFT);
		if (left != NULL && left->end_max > first) {
			view = left;
			continue;
		}
		if (view_end(view) > first)
			return view;
		view = view_child(view, QR_TREE_RIGHT);
		QR_ASSERT(view != NULL, "no view ends behind page %llu",
		    (unsigned long long)first);
	}
}

/* The next one after view that ends behind first, wherever it begins. */
static struct qr_view *
view_above(const struct qr_view *view, uint64_t first)
{
	struct qr_view *right = view_child(view, QR_TREE_RIGHT);
	if (right != NULL && right->end_max > first)
		return view_lowest(right, first);
	const struct qr_tree_node *node = &view->node;
	for (struct qr_tree_node *up = node->parent; up != NULL;
	     node = up, up = up->parent) {
		if (up->child[QR_TREE_LEFT] != node)
			continue;
		struct qr_view *at = view_of(up);
		if (view_end(at) > first)
			return at;
		right = view_child(at, QR_TREE_RIGHT);
		if (right != NULL && right->end_max > first)
			return view_lowest(right, first);
	}
	return NULL;
}

struct qr_view *
qr_view_next(struct qr_object *object, uint64_t first, uint64_t end,
    const struct qr_view *before)
{
	struct qr_view *view = view_of(object->views.root);
	if (before != NULL)
		view = view_above(before, first);
	else if (view != NULL)
		view = view->end_max > first ? view_lowest(view, first) : NULL;
	return view != NULL && view->first < end ? view : NULL;
}

/* --- from a page to its entries --- */

/* The view's entry of the page; NULL: there is no node, or it does not map
 * it. */
static qr_pte_word *
view_entry(const struct qr_view *view, const struct qr_page *page)
{
	qr_vaddr_t address = qr_view_address(view, page->u.cached.index);
	qr_pte_word *word = qr_table_find(&view->space->table, address);
	if (word == NULL)
		return NULL;
	struct qr_pte pte = qr_pte_read(word);
	if (!qr_pte_has_frame(pte) || qr_frame_page(view->space->spaces->frames,
					  qr_pte_frame(pte)) != page)
		return NULL;
	return word;
}

bool
qr_view_step(const struct qr_page *page, struct qr_rmap_cursor *cursor,
    struct qr_rmap_place *place)
{
	struct qr_object *object = qr_cached_object(page);
	uint64_t number = page->u.cached.index;
	/* Relaxed: changed under the page lock only. */
	if (!cursor->started &&
	    atomic_load_explicit(&page->refs, memory_order_relaxed) == 1)
		return false;
	cursor->started = true;
	for (;;) {
		cursor->view =
		    qr_view_next(object, number, number + 1, cursor->view);
		if (cursor->view == NULL)
			return false;
		if (view_entry(cursor->view, page) == NULL)
			continue;
		place->space = cursor->view->space;
		place->address = qr_view_address(cursor->view, number);
		return true;
	}
}

/* Claims an entry at once, unless it is in other hands or, *pinned, a pin
 * covers it. */
static bool
entry_take(const struct qr_rmap_place *place, qr_pte_word *word, bool *pinned)
{
	const struct qr_port *port = place->space->spaces->port;
	struct qr_pte pte = qr_pte_read(word);
	if (qr_pte_is_busy(pte) || !qr_pte_try_claim(word, pte))
		return false;
	/* Pairs with the fence in qr_space_pin. */
	atomic_thread_fence(memory_order_seq_cst);
	*pinned = qr_space_is_pinned(place->space, place->address);
	if (*pinned)
		qr_entry_release(port, word);
	return !*pinned;
}

static struct qr_range
place_range(const struct qr_rmap_place *place)
{
	return (
	    struct qr_range){ place->address, place->address + QR_PAGE_SIZE };
}

/* Empties a claimed entry, and the machine's translation of it. */
static void
entry_empty(const struct qr_rmap_place *place, qr_pte_word *word)
{
	struct qr_space *space = place->space;
	const struct qr_port *port = space->spaces->port;
	struct qr_pte was = qr_pte_read(word);
	struct qr_pte away = qr_pte_of_kind(QR_PTE_RESIDENT);
	(void)qr_pte_update(word,
	    ~(QR_PTE_FRAME | QR_PTE_BUSY | QR_PTE_WAITERS), away.bits);
	const struct qr_range range = place_range(place);
	size_t dropped = port->ops->mmu_drop(port->ctx, space->mm, &range, 1);
	QR_ASSERT(dropped == 1, "mmu_drop refused entry 0x%llx at 0x%llx",
	    (unsigned long long)was.bits, (unsigned long long)range.start);
	/* Relaxed: a count that orders nothing. */
	atomic_fetch_sub_explicit(&space->resident, 1, memory_order_relaxed);
	(void)qr_pte_publish(port, word, qr_pte_of_kind(QR_PTE_NONE));
}

bool
qr_view_unmap(struct qr_spaces *spaces, struct qr_page *page)
{
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	qr_lock_assert_held(spaces->port, &spaces->page_lock);
	while (qr_view_step(page, &cursor, &place)) {
		bool pinned;
		qr_pte_word *word = qr_rmap_word(&place);
		if (!entry_take(&place, word, &pinned))
			return false;
		entry_empty(&place, word);
		/* Relaxed: changed under the page lock only. */
		atomic_fetch_sub_explicit(&page->refs, 1, memory_order_relaxed);
	}
	return atomic_load_explicit(&page->refs, memory_order_relaxed) == 1;
}

void
qr_view_keep(struct qr_spaces *spaces, struct qr_page *page)
{
	qr_lock_assert_held(spaces->port, &spaces->page_lock);
	/* Relaxed: changed under the page lock only. */
	atomic_fetch_and_explicit(&page->u.cached.state, ~QR_CACHED_VICTIM,
	    memory_order_relaxed);
	if (!qr_rmap_is_locked(page))
		spaces->ops->page_stays(spaces->ops_ctx, page);
}

bool
qr_view_take(struct qr_spaces *spaces, struct qr_page *page)
{
	if (!qr_cached_try_hold(page)) {
		spaces->ops->page_stays(spaces->ops_ctx, page);
		return false;
	}
	/* Relaxed: changed under the page lock only. */
	atomic_fetch_or_explicit(&page->u.cached.state, QR_CACHED_VICTIM,
	    memory_order_relaxed);
	if (qr_view_unmap(spaces, page))
		return true;
	qr_view_keep(spaces, page);
	qr_cached_release(spaces->port, page);
	return false;
}

/* --- what the cache asks for --- */

static void
cache_page_in(void *ctx, struct qr_page *page, const uint32_t *shadow)
{
	struct qr_spaces *spaces = ctx;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	/* As in run.c: the clock's low 32 bits. */
	uint64_t distance = UINT64_MAX;
	if (shadow != NULL)
		distance = (uint32_t)spaces->evictions - *shadow;
	spaces->ops->page_in(spaces->ops_ctx, page, distance);
	qr_lock_release(spaces->port, &spaces->page_lock);
}

static void
cache_page_gone(void *ctx, struct qr_page *page)
{
	struct qr_spaces *spaces = ctx;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	if (qr_page_is_listed(page))
		spaces->ops->page_gone(spaces->ops_ctx, page);
	/* Relaxed: as in qr_view_keep. */
	atomic_fetch_and_explicit(&page->u.cached.state, ~QR_CACHED_VICTIM,
	    memory_order_relaxed);
	qr_lock_release(spaces->port, &spaces->page_lock);
}

static bool
cache_unmap(void *ctx, struct qr_page *page)
{
	struct qr_spaces *spaces = ctx;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	bool done = qr_view_unmap(spaces, page);
	qr_lock_release(spaces->port, &spaces->page_lock);
	return done;
}

/* Takes the write right from one entry. */
static enum qr_clean
entry_clean(const struct qr_rmap_place *place)
{
	const struct qr_port *port = place->space->spaces->port;
	qr_pte_word *word = qr_rmap_word(place);
	struct qr_pte pte = qr_pte_read(word);
	bool pinned = false;
	if (qr_pte_is_busy(pte))
		return QR_CLEAN_BUSY;
	if ((pte.bits & QR_PTE_WRITE) == 0)
		return QR_CLEAN_DONE;
	if (!entry_take(place, word, &pinned))
		return pinned ? QR_CLEAN_PINNED : QR_CLEAN_BUSY;
	qr_entry_freeze(word);
	const struct qr_range range = place_range(place);
	int error =
	    port->ops->mmu_freeze(port->ctx, place->space->mm, &range, 1, true);
	if (error < 0)
		qr_entry_thaw(word);
	else
		(void)qr_pte_update(word, QR_PTE_SAVED_W, 0);
	qr_entry_release(port, word);
	return error < 0 ? QR_CLEAN_BUSY : QR_CLEAN_DONE;
}

/* Keeps [cache.5]: unless all entries were found and frozen, the page stays
 * dirty. */
static enum qr_clean
cache_clean(void *ctx, struct qr_page *page)
{
	struct qr_spaces *spaces = ctx;
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	enum qr_clean clean = QR_CLEAN_DONE;
	uint32_t found = 1;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	while (clean != QR_CLEAN_BUSY && qr_view_step(page, &cursor, &place)) {
		enum qr_clean one = entry_clean(&place);
		found++;
		if (one != QR_CLEAN_DONE)
			clean = one;
	}
	/* Relaxed: both are changed under the page lock or by the holder. */
	if (found != atomic_load_explicit(&page->refs, memory_order_relaxed))
		clean = QR_CLEAN_BUSY;
	if (clean == QR_CLEAN_DONE)
		atomic_fetch_and_explicit(&page->u.cached.state,
		    ~QR_CACHED_DIRTY, memory_order_relaxed);
	qr_lock_release(spaces->port, &spaces->page_lock);
	return clean;
}

/* --- private copies --- */

/* Empties a claimed entry that holds a page of its space's own, or says where
 * that is. (page lock) */
static void
zap_claimed(const struct qr_rmap_place *place, qr_pte_word *word)
{
	struct qr_space *space = place->space;
	struct qr_spaces *spaces = space->spaces;
	struct qr_pte pte = qr_pte_read(word);
	if (qr_pte_has_frame(pte)) {
		struct qr_page *page =
		    qr_frame_page(spaces->frames, qr_pte_frame(pte));
		entry_empty(place, word);
		if (qr_rmap_unlink(spaces, page, space, place->address))
			qr_run_free_frames(spaces, &page, 1);
		return;
	}
	(void)qr_pte_publish(spaces->port, word, qr_pte_of_kind(QR_PTE_NONE));
	if (qr_pte_kind(pte) == QR_PTE_SWAPPED)
		qr_swap_put(spaces->swap, qr_pte_slot(pte));
	/* Relaxed: a count that orders nothing. */
	atomic_fetch_sub_explicit(&space->swapped, 1, memory_order_relaxed);
}

/* All entries of the view in [start, end). */
static bool
zap_view(const struct qr_view *view, qr_vaddr_t start, qr_vaddr_t end)
{
	struct qr_rmap_place place = { .space = view->space };
	bool all = true;
	size_t count;
	for (qr_vaddr_t at = start; at < end; at += count * QR_PAGE_SIZE) {
		qr_pte_word *words =
		    qr_table_next(&view->space->table, &at, end, &count);
		if (words == NULL)
			break;
		for (size_t i = 0; i < count; i++) {
			bool pinned;
			place.address = at + i * QR_PAGE_SIZE;
			if (qr_pte_is_none(qr_pte_read(&words[i])) &&
			    !qr_pte_is_busy(qr_pte_read(&words[i])))
				continue;
			if (entry_take(&place, &words[i], &pinned))
				zap_claimed(&place, &words[i]);
			else
				all = false;
		}
	}
	return all;
}

static bool
cache_zap_private(void *ctx, struct qr_object *object, uint64_t first,
    uint64_t end)
{
	struct qr_spaces *spaces = ctx;
	struct qr_view *view = NULL;
	bool all = true;
	qr_lock_acquire(spaces->port, &spaces->page_lock);
	while ((view = qr_view_next(object, first, end, view)) != NULL) {
		if (qr_area_is_shared(&view->area))
			continue;
		uint64_t from = view->first < first ? first : view->first;
		uint64_t to = view_end(view) < end ? view_end(view) : end;
		all &= zap_view(view, qr_view_address(view, from),
		    qr_view_address(view, to));
	}
	qr_lock_release(spaces->port, &spaces->page_lock);
	return all;
}

static int
cache_charge(void *ctx, uint64_t pages)
{
	return qr_commit_charge(ctx, pages);
}

static void
cache_uncharge(void *ctx, uint64_t pages)
{
	qr_commit_uncharge(ctx, pages);
}

const struct qr_cache_ops qr_view_cache_ops = {
	.page_in = cache_page_in,
	.page_gone = cache_page_gone,
	.unmap = cache_unmap,
	.clean = cache_clean,
	.zap_private = cache_zap_private,
	.charge = cache_charge,
	.uncharge = cache_uncharge,
};

/* --- checking --- */

static void
check_views_of(struct qr_object *object)
{
	uint64_t count = 0;
	uint64_t before = 0;
	if (object->views.root != NULL)
		qr_check_tree(&object->views);
	struct qr_tree_node *node = qr_tree_first(&object->views);
	for (; node != NULL; node = qr_tree_next(node)) {
		const struct qr_view *view = view_of(node);
		struct qr_view right = *view;
		(void)view_summarize(&right.node);
		QR_ASSERT(view->object == object && view->first >= before &&
			      view->end_max == right.end_max,
		    "space.11: view of page %llu, up to %llu",
		    (unsigned long long)view->first,
		    (unsigned long long)view->end_max);
		before = view->first;
		count++;
	}
	uint64_t counted =
	    atomic_load_explicit(&object->view_count, memory_order_relaxed);
	QR_ASSERT(count == counted, "space.11: %llu views, counted %llu",
	    (unsigned long long)count, (unsigned long long)counted);
}

void
qr_check_views(struct qr_spaces *spaces)
{
	struct qr_list *link;
	qr_list_for_each (link, &spaces->cache.objects)
		check_views_of(QR_CONTAINER(link, struct qr_object, link));
}
