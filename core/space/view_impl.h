/* SPDX-License-Identifier: MIT */
/*
 * space/view_impl.h: areas that map objects, for the files of this folder. The
 * essay is in view.c.
 */
#ifndef QR_SPACE_VIEW_IMPL_H
#define QR_SPACE_VIEW_IMPL_H

#include "space_impl.h"

/*
 * An area that maps pages of an object: number first at its start, and so on.
 * (p) the page lock; those of area are as there, but start and end are changed
 * under the page lock, too.
 */
struct qr_view {
	struct qr_area area;
	struct qr_tree_node node; /* (p) in object->views */
	struct qr_object *object; /* (c) */
	struct qr_space *space;   /* (c) */
	uint64_t first;           /* (s,p) */
	uint64_t end_max;         /* (p) highest end, as a number, in the
				     subtree of node */
};

static inline bool
qr_area_is_view(const struct qr_area *area)
{
	return (area->flags & QR_AREA_VIEW) != 0;
}

static inline bool
qr_area_is_shared(const struct qr_area *area)
{
	return (area->flags & QR_MAP_SHARED) != 0;
}

static inline struct qr_view *
qr_area_view(const struct qr_area *area)
{
	return QR_CONTAINER((uintptr_t)area, struct qr_view, area);
}

/* The number of the object's page at an address of the view. */
static inline uint64_t
qr_view_number(const struct qr_view *view, qr_vaddr_t address)
{
	return view->first + ((address - view->area.start) >> QR_PAGE_SHIFT);
}

static inline qr_vaddr_t
qr_view_address(const struct qr_view *view, uint64_t number)
{
	return view->area.start + (number - view->first) * QR_PAGE_SIZE;
}

struct qr_touch;

/* --- view.c --- */

/* The area becomes one of the object's views, or is so no longer: with a
 * reference of its own. Lock held exclusively. */
void qr_view_attach(struct qr_view *view, struct qr_space *space,
    struct qr_object *object, uint64_t first);
void qr_view_detach(struct qr_view *view);

/* The area's edges move. */
void qr_view_resize(struct qr_view *view, qr_vaddr_t start, qr_vaddr_t end);

/* Whether b goes on where a ends. */
bool qr_view_follows(const struct qr_area *a, const struct qr_area *b);

/* Steps through the views that show a page of [first, end), in the order of
 * their first pages: before is NULL at first. (page lock) */
struct qr_view *qr_view_next(struct qr_object *object, uint64_t first,
    uint64_t end, const struct qr_view *before);

/* As qr_rmap_step, for a cached page. (page lock) */
bool qr_view_step(const struct qr_page *page, struct qr_rmap_cursor *cursor,
    struct qr_rmap_place *place);

/* Takes a held page from all entries that map it; false: not all could be
 * had. (page lock) */
bool qr_view_unmap(struct qr_spaces *spaces, struct qr_page *page);

/* Holds a cached page that the policy has just taken off its list, and takes it
 * from all entries that map it; then it is a victim. False: it stays, and the
 * policy has it again. (page lock) */
QR_MUST_CHECK bool qr_view_take(struct qr_spaces *spaces, struct qr_page *page);

/* A held victim stays, listed again unless it is locked. (page lock) */
void qr_view_keep(struct qr_spaces *spaces, struct qr_page *page);

/* What spaces have to do for the cache. */
extern const struct qr_cache_ops qr_view_cache_ops;

void qr_check_views(struct qr_spaces *spaces);

/* --- view_fault.c --- */

/* A touch of an entry that is none, in a view; it is claimed. */
QR_MUST_CHECK int qr_touch_object(struct qr_touch *touch);

/* The rights that an entry of the area may have to the cached page. The entry
 * is claimed, or the page held. */
unsigned qr_view_prot(const struct qr_area *area, const struct qr_page *page,
    unsigned prot);

#endif
