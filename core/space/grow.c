/* SPDX-License-Identifier: MIT */
/*
 * space/grow.c: areas that grow down at a touch, as stacks do.
 *
 * A touch below such an area makes it reach the touched page, if all of this
 * holds, as on Linux: nothing is between them; the nearest area below that may
 * be touched, unless it grows down itself, ends the guard gap lower or more;
 * and the limits for the stack, for all areas and for locked memory allow it.
 */
#include "space_impl.h"

#include "../base/check.h"

/* Whether what lies below leaves room. */
static bool
grow_has_gap(const struct qr_area *area, qr_vaddr_t start)
{
	if (start < QR_SPACE_BOTTOM)
		return false;
	struct qr_tree_node *node = qr_tree_prev(&area->node);
	if (node == NULL)
		return true;
	const struct qr_area *below = QR_CONTAINER(node, struct qr_area, node);
	if ((below->flags & QR_MAP_GROWSDOWN) != 0 ||
	    below->prot == QR_PROT_NONE)
		return true;
	return start - below->end >= QR_AREA_GUARD;
}

static bool
grow_is_allowed(struct qr_space *space, const struct qr_area *area,
    qr_vaddr_t start)
{
	uint64_t more = area->start - start;
	if (area->end - start > space->limit[QR_LIMIT_STACK])
		return false;
	if ((area->flags & QR_MAP_LOCKED) != 0 &&
	    !qr_calls_may_lock(space, more))
		return false;
	return qr_calls_may_grow(space, more >> QR_PAGE_SHIFT, area->prot,
	    area->flags);
}

/* Lock held exclusively. */
static int
grow_to(struct qr_space *space, struct qr_area *area, qr_vaddr_t start)
{
	if (!grow_has_gap(area, start) || !grow_is_allowed(space, area, start))
		return -QR_EFAULT;
	uint64_t pages = (area->start - start) >> QR_PAGE_SHIFT;
	if ((area->flags & QR_AREA_CHARGED) != 0 &&
	    qr_space_charge(space, pages) != 0)
		return -QR_EFAULT;
	qr_vaddr_t end = area->end;
	qr_area_resize(space, area, start, end);
	qr_area_join(space, start, end);
	return 0;
}

/* Whether the area above address grows, or may have grown to it meanwhile. */
static bool
grow_applies(const struct qr_area *area)
{
	return area != NULL && (area->flags & QR_MAP_GROWSDOWN) != 0;
}

int
qr_area_grow_down(struct qr_space *space, qr_vaddr_t address)
{
	const struct qr_port *port = space->spaces->port;
	qr_rwlock_share(port, &space->lock);
	bool applies = grow_applies(qr_area_find(space, address));
	qr_rwlock_unshare(port, &space->lock);
	if (!applies)
		return -QR_EFAULT;
	qr_space_lock(space);
	struct qr_area *area = qr_area_find(space, address);
	int error = -QR_EFAULT;
	if (grow_applies(area))
		error =
		    area->start <= address ? 0 : grow_to(space, area, address);
	qr_space_unlock(space);
	return error;
}
