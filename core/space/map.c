/* SPDX-License-Identifier: MIT */
/*
 * space/map.c: mapping, unmapping, changing rights, moving, asking.
 *
 * Each call first takes all that can fail (area structs, table nodes, the
 * commit charge), then changes areas and entries in code that cannot. The
 * space's lock is held exclusively by the caller. Keeps [space.1] to
 * [space.3].
 */
#include "pages_impl.h"

#include "../base/check.h"

static void
map_assert_locked(struct qr_space *space)
{
	QR_ASSERT(space->signature == QR_SPACE_SIGNATURE,
	    "space %p has signature 0x%x", (void *)space, space->signature);
	qr_rwlock_assert_exclusive(space->spaces->port, &space->lock);
}

bool
qr_range_is_valid(const struct qr_space *space, qr_vaddr_t start,
    uint64_t size_bytes)
{
	return size_bytes != 0 && (start | size_bytes) % QR_PAGE_SIZE == 0 &&
	       size_bytes <= space->end && start <= space->end - size_bytes;
}

/* --- map, unmap --- */

/* Finds where the area goes. */
static int
map_place(struct qr_space *space, const struct qr_map_request *request,
    qr_vaddr_t *start)
{
	uint64_t size_bytes = request->size_bytes;
	if (size_bytes == 0 ||
	    (request->address | size_bytes) % QR_PAGE_SIZE != 0)
		return -QR_EINVAL;
	bool valid = qr_range_is_valid(space, request->address, size_bytes);
	bool placed = (request->flags & (QR_MAP_FIXED | QR_MAP_NOREPLACE)) != 0;
	if (!placed && (request->address < QR_SPACE_BOTTOM || !valid))
		return qr_area_find_gap(space, size_bytes, start);
	if (!valid)
		return -QR_ENOMEM;
	bool is_free = qr_area_is_free(space, request->address,
	    request->address + size_bytes);
	if (!is_free && !placed)
		return qr_area_find_gap(space, size_bytes, start);
	if (!is_free && (request->flags & QR_MAP_NOREPLACE) != 0)
		return -QR_EEXIST;
	*start = request->address;
	return 0;
}

void
qr_map_prune(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end)
{
	struct qr_spaces *spaces = space->spaces;
	bool reachable = space->view_count != 0;
	if (reachable)
		qr_lock_acquire(spaces->port, &spaces->page_lock);
	qr_table_prune(&space->table, start, end);
	if (reachable)
		qr_lock_release(spaces->port, &spaces->page_lock);
}

void
qr_map_clear(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    struct qr_area_spares *spares, unsigned host)
{
	qr_area_isolate(space, start, end, spares);
	struct qr_area *area = qr_area_find(space, start);
	if (area == NULL || area->start >= end)
		return;
	/* What was never touched has no nodes to prune. */
	qr_vaddr_t at = start;
	size_t count;
	bool has_nodes = qr_table_next(&space->table, &at, end, &count) != NULL;
	while (area != NULL && area->start < end) {
		struct qr_area *next = qr_area_next(area);
		if (has_nodes && !qr_area_is_foreign(area))
			qr_pages_drop(space, area->start, area->end, host);
		if ((area->flags & QR_AREA_CHARGED) != 0)
			qr_space_uncharge(space, qr_area_pages(area));
		qr_area_remove(space, area);
		area = next;
	}
	if (has_nodes)
		qr_map_prune(space, start, end);
}

/* Shared memory is an object's, whose numbers go up to an end. */
static int
map_check_object(const struct qr_map_request *request)
{
	uint64_t pages = request->size_bytes >> QR_PAGE_SHIFT;
	if (request->object == NULL)
		return (request->flags & QR_MAP_SHARED) != 0 ? -QR_EINVAL : 0;
	if ((request->flags & (QR_MAP_FOREIGN | QR_MAP_GROWSDOWN)) != 0)
		return -QR_EINVAL;
	return request->object_page > QR_INDEX_END ||
		       pages > QR_INDEX_END - request->object_page
		   ? -QR_EOVERFLOW
		   : 0;
}

int
qr_space_map(struct qr_space *space, const struct qr_map_request *request,
    qr_vaddr_t *address)
{
	map_assert_locked(space);
	qr_vaddr_t start;
	int error = map_check_object(request);
	if (error == 0)
		error = map_place(space, request, &start);
	if (error != 0)
		return error;
	qr_vaddr_t end = start + request->size_bytes;
	unsigned flags = request->flags & QR_AREA_KEPT;
	if (qr_commit_counts(space->spaces, request->prot, flags))
		flags |= QR_AREA_CHARGED;

	bool is_view = request->object != NULL;
	struct qr_area_spares spares;
	error = qr_area_spares_take(space, QR_AREA_SPARES, is_view, &spares);
	if (error != 0)
		return error;
	if ((flags & QR_AREA_CHARGED) != 0)
		error = qr_space_charge(space,
		    request->size_bytes >> QR_PAGE_SHIFT);
	if (error != 0)
		goto undo_spares;

	qr_map_clear(space, start, end, &spares, 0);
	struct qr_area *area = qr_area_spares_use(&spares, is_view);
	area->start = start;
	area->end = end;
	area->prot = request->prot;
	area->flags = flags | (is_view ? QR_AREA_VIEW : 0);
	qr_area_insert(space, area);
	if (is_view)
		qr_view_attach(qr_area_view(area), space, request->object,
		    request->object_page);
	qr_area_join(space, start, end);
	*address = start;

undo_spares:
	qr_area_spares_drop(space, &spares);
	return error;
}

int
qr_space_unmap(struct qr_space *space, qr_vaddr_t start, uint64_t size_bytes,
    unsigned host)
{
	map_assert_locked(space);
	if (!qr_range_is_valid(space, start, size_bytes))
		return -QR_EINVAL;
	struct qr_area_spares spares;
	int error = qr_area_spares_take(space, 2, false, &spares);
	if (error != 0)
		return error;
	qr_map_clear(space, start, start + size_bytes, &spares, host);
	qr_area_spares_drop(space, &spares);
	return 0;
}

/* --- rights and flags --- */

/* Charges an area that becomes writable and gives its pages their rights. */
static int
change_prot(struct qr_space *space, struct qr_area *area, unsigned prot,
    unsigned host)
{
	struct qr_spaces *spaces = space->spaces;
	bool charge = (area->flags & QR_AREA_CHARGED) == 0 &&
		      qr_commit_counts(spaces, prot, area->flags);
	int error = 0;
	if (charge)
		error = qr_space_charge(space, qr_area_pages(area));
	if (error != 0)
		return error;
	if (!qr_area_is_foreign(area))
		error =
		    qr_pages_protect(space, area->start, area->end, prot, host);
	if (error != 0)
		goto undo_pages;
	qr_area_set(space, area, prot,
	    area->flags | (charge ? QR_AREA_CHARGED : 0));
	return 0;

undo_pages:
	qr_pages_unprotect(space, area->start, area->end, area->prot, host);
	if (charge)
		qr_space_uncharge(space, qr_area_pages(area));
	return error;
}

static int
change_area(struct qr_space *space, struct qr_area *area,
    const struct qr_area_change *change)
{
	if (change->prot_too && change->prot != area->prot) {
		int error =
		    change_prot(space, area, change->prot, change->host);
		if (error != 0)
			return error;
	}
	unsigned flags =
	    (area->flags & ~change->flags_clear) | change->flags_set;
	if (((flags ^ area->flags) & QR_MAP_LOCKED) != 0 &&
	    !qr_area_is_foreign(area))
		qr_pages_set_locked(space, area->start, area->end,
		    (flags & QR_MAP_LOCKED) != 0);
	qr_area_set(space, area, area->prot, flags);
	return 0;
}

int
qr_map_change(struct qr_space *space, qr_vaddr_t start, uint64_t size_bytes,
    const struct qr_area_change *change)
{
	map_assert_locked(space);
	if (!qr_range_is_valid(space, start, size_bytes))
		return -QR_EINVAL;
	qr_vaddr_t end = start + size_bytes;
	struct qr_area_spares spares;
	int error = qr_area_spares_take(space, 2, false, &spares);
	if (error != 0)
		return error;
	qr_area_isolate(space, start, end, &spares);
	qr_area_spares_drop(space, &spares);

	struct qr_area *area = qr_area_find(space, start);
	qr_vaddr_t at = start;
	while (error == 0 && at < end) {
		if (area == NULL || area->start > at) {
			error = -QR_ENOMEM;
			break;
		}
		error = change_area(space, area, change);
		at = area->end;
		area = qr_area_next(area);
	}
	qr_area_join(space, start, end);
	return error;
}

int
qr_space_protect(struct qr_space *space, qr_vaddr_t start, uint64_t size_bytes,
    unsigned prot, unsigned host)
{
	struct qr_area_change change = {
		.prot = prot,
		.prot_too = true,
		.host = host,
	};
	return qr_map_change(space, start, size_bytes, &change);
}

/* --- move --- */

/* Whether the move is possible at all. */
static int
move_check(struct qr_space *space, qr_vaddr_t from, uint64_t size_bytes,
    qr_vaddr_t to)
{
	if (!qr_range_is_valid(space, from, size_bytes) ||
	    !qr_range_is_valid(space, to, size_bytes))
		return -QR_EINVAL;
	const struct qr_area *area = qr_area_find(space, from);
	if (area == NULL || area->start > from || area->end < from + size_bytes)
		return -QR_EFAULT;
	if (!qr_area_is_free(space, to, to + size_bytes))
		return -QR_EEXIST;
	return 0;
}

/* Takes what can fail for the area that stays behind: its promise. */
static int
move_charge(struct qr_space *space, const struct qr_area *old,
    const struct qr_map_move *move)
{
	if (!move->keep || (old->flags & QR_AREA_CHARGED) == 0)
		return 0;
	return qr_space_charge(space, move->size_bytes >> QR_PAGE_SHIFT);
}

int
qr_map_move(struct qr_space *space, const struct qr_map_move *move)
{
	qr_vaddr_t from = move->from;
	qr_vaddr_t from_end = from + move->size_bytes;
	qr_vaddr_t to = move->to;
	qr_vaddr_t to_end = to + move->size_bytes;
	struct qr_area_spares spares;
	int error = qr_area_spares_take(space, QR_AREA_SPARES, false, &spares);
	if (error != 0)
		return error;
	error = qr_pages_move_prepare(space, from, move->size_bytes, to);
	if (error == 0)
		error = move_charge(space, qr_area_find(space, from), move);
	if (error != 0)
		goto undo_spares;

	qr_area_isolate(space, from, from_end, &spares);
	struct qr_area *old = qr_area_find(space, from);
	bool is_view = qr_area_is_view(old);
	struct qr_area *area = qr_area_spares_use(&spares, is_view);
	*area = *old;
	area->start = to;
	area->end = to_end;
	/* While pages move, the object's lookups find the new view. */
	qr_area_insert(space, area);
	if (is_view)
		qr_view_attach(qr_area_view(area), space,
		    qr_area_view(old)->object, qr_area_view(old)->first);
	if (!qr_area_is_foreign(area))
		qr_pages_move(space, from, move->size_bytes, to, move->host);
	if (move->keep)
		qr_area_set(space, old, old->prot,
		    old->flags & ~(QR_MAP_LOCKED | QR_MAP_ONFAULT));
	else
		qr_area_remove(space, old);
	qr_area_join(space, to, to_end);
	if (move->keep)
		qr_area_join(space, from, from_end);
	else
		qr_map_prune(space, from, from_end);

undo_spares:
	qr_area_spares_drop(space, &spares);
	return error;
}

int
qr_space_move(struct qr_space *space, qr_vaddr_t from, uint64_t size_bytes,
    qr_vaddr_t to, unsigned host)
{
	map_assert_locked(space);
	int error = move_check(space, from, size_bytes, to);
	if (error != 0)
		return error;
	const struct qr_map_move move = {
		.from = from,
		.to = to,
		.size_bytes = size_bytes,
		.host = host,
	};
	return qr_map_move(space, &move);
}

/* --- asking --- */

static void
query_fill(const struct qr_area *area, struct qr_area_info *info)
{
	info->start = area->start;
	info->end = area->end;
	info->prot = area->prot;
	info->flags = area->flags & QR_AREA_KEPT;
}

int
qr_space_query(struct qr_space *space, qr_vaddr_t address,
    struct qr_area_info *info)
{
	map_assert_locked(space);
	const struct qr_area *area = qr_area_find(space, address);
	if (area == NULL)
		return -QR_ENOENT;
	query_fill(area, info);
	return 0;
}

void
qr_space_for_each_area(struct qr_space *space,
    void (*visit)(void *ctx, const struct qr_area_info *info), void *ctx)
{
	map_assert_locked(space);
	for (const struct qr_area *area = qr_area_first(space); area != NULL;
	     area = qr_area_next(area)) {
		struct qr_area_info info;
		query_fill(area, &info);
		visit(ctx, &info);
	}
}

/* Whether areas cover all of [start, end). */
static bool
query_is_covered(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end)
{
	const struct qr_area *area = qr_area_find(space, start);
	while (area != NULL && area->start <= start && area->end < end) {
		start = area->end;
		area = qr_area_next(area);
	}
	return area != NULL && area->start <= start;
}

/* Pages of objects that are in RAM although no entry here maps them. */
static void
mincore_views(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    unsigned char *vec)
{
	const struct qr_area *area = qr_area_find(space, start);
	for (; area != NULL && area->start < end; area = qr_area_next(area)) {
		if (!qr_area_is_view(area))
			continue;
		const struct qr_view *view = qr_area_view(area);
		qr_vaddr_t at = area->start > start ? area->start : start;
		qr_vaddr_t stop = area->end < end ? area->end : end;
		for (; at < stop; at += QR_PAGE_SIZE) {
			const qr_pte_word *word =
			    qr_table_find(&space->table, at);
			if (word != NULL && !qr_pte_is_none(qr_pte_read(word)))
				continue;
			vec[(at - start) >> QR_PAGE_SHIFT] =
			    qr_cache_has(view->object,
				qr_view_number(view, at));
		}
	}
}

int
qr_space_mincore(struct qr_space *space, qr_vaddr_t start, uint64_t size_bytes,
    unsigned char *vec)
{
	map_assert_locked(space);
	if (!qr_range_is_valid(space, start, size_bytes))
		return -QR_EINVAL;
	qr_vaddr_t end = start + size_bytes;
	if (!query_is_covered(space, start, end))
		return -QR_ENOMEM;
	__builtin_memset(vec, 0, size_bytes >> QR_PAGE_SHIFT);
	size_t count;
	for (qr_vaddr_t at = start; at < end; at += count * QR_PAGE_SIZE) {
		const qr_pte_word *words =
		    qr_table_next(&space->table, &at, end, &count);
		if (words == NULL)
			break;
		unsigned char *out = vec + ((at - start) >> QR_PAGE_SHIFT);
		for (size_t i = 0; i < count; i++)
			out[i] = qr_pte_has_frame(qr_pte_read(&words[i]));
	}
	if (space->view_count != 0)
		mincore_views(space, start, end, vec);
	return 0;
}

int
qr_space_read_out(struct qr_space *space, qr_vaddr_t *address, qr_vaddr_t end,
    void *data)
{
	map_assert_locked(space);
	size_t count;
	for (qr_vaddr_t at = *address; at < end; at += count * QR_PAGE_SIZE) {
		const qr_pte_word *words =
		    qr_table_next(&space->table, &at, end, &count);
		if (words == NULL)
			break;
		for (size_t i = 0; i < count; i++) {
			struct qr_pte pte = qr_pte_read(&words[i]);
			if (qr_pte_is_present(pte) ||
			    qr_pte_kind(pte) != QR_PTE_SWAPPED)
				continue;
			*address = at + i * QR_PAGE_SIZE;
			return qr_swap_load(space->spaces->swap,
			    qr_pte_slot(pte), data);
		}
	}
	return -QR_ENOENT;
}
