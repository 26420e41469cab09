/* SPDX-License-Identifier: MIT */
/*
 * space/remap.c: mremap in all its forms, errno for errno.
 *
 *	same size          nothing, or moved with FIXED or DONTUNMAP; with
 *			   FIXED of several areas too, as Linux does since 6.17
 *	smaller            the end is unmapped; then as above
 *	larger, in place   the area's end moves into the hole above it
 *	larger, moved      the pages go to where all fits, the rest is new
 *
 * What may fail is done first: the charge, the place, the pages' table nodes;
 * the move itself can't, and after it only area edges change.
 */
#include "space_impl.h"

#include "../base/bits.h"

#define FLAGS_ALL (QR_MREMAP_MAYMOVE | QR_MREMAP_FIXED | QR_MREMAP_DONTUNMAP)

/* A call with its lengths rounded. */
struct remap {
	struct qr_space *space;
	qr_vaddr_t from;
	uint64_t old_bytes;
	uint64_t new_bytes;
	qr_vaddr_t to; /* with FIXED, or a hint */
	unsigned flags;
};

static int
remap_check_flags(const struct remap *remap, const struct qr_mremap *call)
{
	unsigned flags = call->flags;
	if ((flags & ~FLAGS_ALL) != 0)
		return -QR_EINVAL;
	if ((flags & (QR_MREMAP_FIXED | QR_MREMAP_MAYMOVE)) == QR_MREMAP_FIXED)
		return -QR_EINVAL;
	if ((flags & QR_MREMAP_DONTUNMAP) != 0 &&
	    ((flags & QR_MREMAP_MAYMOVE) == 0 ||
		remap->old_bytes != remap->new_bytes))
		return -QR_EINVAL;
	if (call->address % QR_PAGE_SIZE != 0 || remap->new_bytes == 0)
		return -QR_EINVAL;
	return remap->new_bytes > remap->space->end ? -QR_EINVAL : 0;
}

static int
remap_check_target(const struct remap *remap)
{
	if ((remap->flags & (QR_MREMAP_FIXED | QR_MREMAP_DONTUNMAP)) == 0)
		return 0;
	if (remap->to % QR_PAGE_SIZE != 0 ||
	    remap->to > remap->space->end - remap->new_bytes)
		return -QR_EINVAL;
	bool apart = remap->from + remap->old_bytes <= remap->to ||
		     remap->to + remap->new_bytes <= remap->from;
	return apart ? 0 : -QR_EINVAL;
}

/* What is to be resized or moved must be there, whole, and allowed to grow. */
static int
remap_check_area(const struct remap *remap, const struct qr_area *area)
{
	struct qr_space *space = remap->space;
	if (area == NULL || area->start > remap->from ||
	    qr_area_is_foreign(area))
		return -QR_EFAULT;
	/* Only shared memory can be mapped a second time. */
	if (remap->old_bytes == 0 && !qr_area_is_shared(area))
		return -QR_EINVAL;
	if (qr_area_is_view(area) &&
	    remap->new_bytes >> QR_PAGE_SHIFT >
		QR_INDEX_END - qr_view_number(qr_area_view(area), remap->from))
		return -QR_EINVAL;
	bool keeps = (remap->flags & QR_MREMAP_DONTUNMAP) != 0;
	bool moves = keeps || (remap->flags & QR_MREMAP_FIXED) != 0;
	bool grows = remap->new_bytes > remap->old_bytes;
	if (!moves && !grows)
		return 0;
	if (qr_min(remap->old_bytes, remap->new_bytes) >
	    area->end - remap->from)
		return -QR_EFAULT;
	uint64_t more = grows ? remap->new_bytes - remap->old_bytes : 0;
	if (keeps)
		more = remap->new_bytes;
	if (more == 0)
		return 0;
	if (!keeps && (area->flags & QR_MAP_LOCKED) != 0 &&
	    !qr_calls_may_lock(space, more))
		return -QR_EAGAIN;
	if (!qr_calls_may_grow(space, more >> QR_PAGE_SHIFT, area->prot,
		area->flags))
		return -QR_ENOMEM;
	return 0;
}

/* The area's end moves up; the place is free and the pages are charged. */
static void
remap_extend(struct qr_space *space, qr_vaddr_t within, qr_vaddr_t end)
{
	struct qr_area *area = qr_area_find(space, within);
	qr_vaddr_t start = area->start;
	qr_area_resize(space, area, start, end);
	qr_area_join(space, start, end);
}

static bool
remap_fits_in_place(const struct remap *remap, const struct qr_area *area)
{
	qr_vaddr_t end = remap->from + remap->new_bytes;
	if (area->end != remap->from + remap->old_bytes ||
	    end > remap->space->end || end < remap->from)
		return false;
	const struct qr_area *next = qr_area_next(area);
	return next == NULL || next->start >= end;
}

/* Where it goes if it is moved. With FIXED that is free by now. */
static int
remap_place(struct remap *remap)
{
	struct qr_space *space = remap->space;
	if ((remap->flags & QR_MREMAP_FIXED) != 0)
		return 0;
	qr_vaddr_t end = remap->to + remap->new_bytes;
	if ((remap->flags & QR_MREMAP_DONTUNMAP) != 0 &&
	    remap->to >= QR_SPACE_BOTTOM &&
	    qr_area_is_free(space, remap->to, end))
		return 0;
	return qr_area_find_gap(space, remap->new_bytes, &remap->to);
}

/* A second mapping of what the area shows from there on. */
static int
remap_double(struct remap *remap)
{
	const struct qr_area *area = qr_area_find(remap->space, remap->from);
	const struct qr_view *view = qr_area_view(area);
	const struct qr_map_request request = {
		.address = remap->to,
		.size_bytes = remap->new_bytes,
		.prot = area->prot,
		.flags = (area->flags & QR_AREA_KEPT) | QR_MAP_FIXED,
		.object = view->object,
		.object_page = qr_view_number(view, remap->from),
	};
	return qr_space_map(remap->space, &request, &remap->to);
}

static int
remap_move(struct remap *remap)
{
	struct qr_space *space = remap->space;
	int error = remap_place(remap);
	if (error != 0)
		return error;
	if (remap->old_bytes == 0)
		return remap_double(remap);
	const struct qr_area *area = qr_area_find(space, remap->from);
	uint64_t more = (remap->new_bytes - remap->old_bytes) >> QR_PAGE_SHIFT;
	bool charged = (area->flags & QR_AREA_CHARGED) != 0;
	if (charged)
		error = qr_space_charge(space, more);
	if (error != 0)
		return error;
	const struct qr_map_move move = {
		.from = remap->from,
		.to = remap->to,
		.size_bytes = remap->old_bytes,
		.keep = (remap->flags & QR_MREMAP_DONTUNMAP) != 0,
	};
	error = qr_map_move(space, &move);
	if (error != 0) {
		if (charged)
			qr_space_uncharge(space, more);
		return error;
	}
	if (more != 0)
		remap_extend(space, remap->to, remap->to + remap->new_bytes);
	return 0;
}

static int
remap_grow(struct remap *remap)
{
	struct qr_space *space = remap->space;
	const struct qr_area *area = qr_area_find(space, remap->from);
	if (!remap_fits_in_place(remap, area))
		return (remap->flags & QR_MREMAP_MAYMOVE) != 0
			   ? remap_move(remap)
			   : -QR_ENOMEM;
	uint64_t more = (remap->new_bytes - remap->old_bytes) >> QR_PAGE_SHIFT;
	int error = 0;
	if ((area->flags & QR_AREA_CHARGED) != 0)
		error = qr_space_charge(space, more);
	if (error != 0)
		return error;
	remap_extend(space, remap->from, remap->from + remap->new_bytes);
	remap->to = remap->from;
	return 0;
}

/* What is to be moved may go with it: lengths that wrap round, or none. */
static int
remap_clear_target(const struct remap *remap)
{
	int error =
	    qr_space_unmap(remap->space, remap->to, remap->new_bytes, 0);
	const struct qr_area *area = qr_area_find(remap->space, remap->from);
	if (error != 0)
		return error;
	return area == NULL || area->start > remap->from ? -QR_EFAULT : 0;
}

static int
remap_one(struct remap *remap)
{
	struct qr_space *space = remap->space;
	const struct qr_area *area = qr_area_find(space, remap->from);
	bool moves =
	    (remap->flags & (QR_MREMAP_FIXED | QR_MREMAP_DONTUNMAP)) != 0;
	int error = remap_check_area(remap, area);
	/* The target goes first, even if the rest then fails. */
	if (error == 0 && (remap->flags & QR_MREMAP_FIXED) != 0)
		error = remap_clear_target(remap);
	if (error == 0 && remap->new_bytes < remap->old_bytes) {
		error = qr_space_unmap(space, remap->from + remap->new_bytes,
		    remap->old_bytes - remap->new_bytes, 0);
		remap->old_bytes = remap->new_bytes;
	}
	if (error != 0)
		return error;
	if (moves)
		return remap_move(remap);
	if (remap->new_bytes > remap->old_bytes)
		return remap_grow(remap);
	remap->to = remap->from;
	return 0;
}

/* Moves all areas of the range, each by itself, with the holes between them;
 * what lies where a hole comes stays. A hole may not be first. */
static int
remap_all(const struct remap *whole)
{
	struct qr_space *space = whole->space;
	qr_vaddr_t end = whole->from + whole->old_bytes;
	qr_vaddr_t at = whole->from;
	int error = -QR_EFAULT;
	while (at < end) {
		const struct qr_area *area = qr_area_find(space, at);
		if (area == NULL || area->start >= end)
			break;
		if (at == whole->from && area->start > at)
			return -QR_EFAULT;
		struct remap remap = *whole;
		remap.from = qr_max(at, area->start);
		at = qr_min(area->end, end);
		remap.to += remap.from - whole->from;
		remap.old_bytes = at - remap.from;
		remap.new_bytes = remap.old_bytes;
		error = remap_one(&remap);
		if (error != 0)
			return error;
	}
	return error;
}

static int
remap_locked(struct remap *remap)
{
	bool all = (remap->flags & QR_MREMAP_FIXED) != 0 &&
		   remap->old_bytes == remap->new_bytes;
	return all ? remap_all(remap) : remap_one(remap);
}

int
qr_call_mremap(struct qr_space *space, const struct qr_mremap *call,
    uint64_t *address)
{
	struct remap remap = {
		.space = space,
		.from = call->address,
		.old_bytes = qr_round_up(call->old_length, QR_PAGE_SIZE),
		.new_bytes = qr_round_up(call->new_length, QR_PAGE_SIZE),
		.to = call->new_address,
		.flags = call->flags,
	};
	uint64_t old_bytes = remap.old_bytes;
	int error = remap_check_flags(&remap, call);
	if (error == 0)
		error = remap_check_target(&remap);
	if (error != 0)
		return error;
	qr_space_lock(space);
	error = remap_locked(&remap);
	const struct qr_area *area = qr_area_find(space, remap.to);
	bool populate = error == 0 && area != NULL &&
			(area->flags & QR_MAP_LOCKED) != 0 &&
			remap.new_bytes > old_bytes;
	qr_space_unlock(space);
	if (error != 0)
		return error;
	if (populate)
		(void)qr_calls_populate(space, remap.to + old_bytes,
		    remap.to + remap.new_bytes, false);
	*address = remap.to;
	return 0;
}
