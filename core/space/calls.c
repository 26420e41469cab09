/* SPDX-License-Identifier: MIT */
/*
 * space/calls.c: mmap, munmap, mprotect, brk, and the limits, errno for errno.
 *
 * The order of the checks is Linux's, since it decides which of two errors a
 * call gets; tests/linux/test_replay.c makes the same calls of the host. What
 * the calls do is map.c's and pages.c's. remap.c and lock.c have the others.
 *
 * Known differences: areas that Linux can't join, since their pages were
 * touched apart from each other, are joined here; and where QR_LIMIT_DATA
 * stops an mprotect of several areas, nothing of it is done.
 */
#include "space_impl.h"

#include "../base/bits.h"

#define PROT_ALL (QR_PROT_READ | QR_PROT_WRITE | QR_PROT_EXEC)

/* --- limits --- */

void
qr_calls_init(struct qr_space *space)
{
	for (unsigned i = 0; i < QR_LIMITS; i++)
		space->limit[i] = QR_NO_LIMIT;
	space->quota_pages = QR_NO_LIMIT;
}

/* Locks are not inherited. */
void
qr_calls_inherit(struct qr_space *child, const struct qr_space *parent)
{
	child->brk_start = parent->brk_start;
	child->brk = parent->brk;
	child->may_lock = parent->may_lock;
	/* Relaxed: as in oom.c. */
	atomic_store_explicit(&child->oom_adjust,
	    atomic_load_explicit(&parent->oom_adjust, memory_order_relaxed),
	    memory_order_relaxed);
	for (unsigned i = 0; i < QR_LIMITS; i++)
		child->limit[i] = parent->limit[i];
	child->quota_pages = parent->quota_pages;
	child->reserve_pages = parent->reserve_pages;
	child->reserve_open = parent->reserve_open;
}

void
qr_call_setrlimit(struct qr_space *space, enum qr_limit which, uint64_t limit)
{
	qr_space_lock(space);
	space->limit[which] = limit;
	qr_space_unlock(space);
}

void
qr_call_may_lock(struct qr_space *space, bool may)
{
	qr_space_lock(space);
	space->may_lock = may;
	qr_space_unlock(space);
}

/* Whether pages like these count as data. */
static bool
limit_counts_data(unsigned prot, unsigned flags)
{
	return (prot & QR_PROT_WRITE) != 0 &&
	       (flags & (QR_MAP_GROWSDOWN | QR_MAP_SHARED)) == 0;
}

static uint64_t
limit_data_pages(const struct qr_space *space)
{
	uint64_t pages = 0;
	for (const struct qr_area *area = qr_area_first(space); area != NULL;
	     area = qr_area_next(area)) {
		if (!qr_area_is_foreign(area) &&
		    limit_counts_data(area->prot, area->flags))
			pages += qr_area_pages(area);
	}
	return pages;
}

static bool
limit_allows_data(const struct qr_space *space, uint64_t pages)
{
	uint64_t limit = space->limit[QR_LIMIT_DATA];
	/* Only who set a limit pays for the sum. */
	if (limit == QR_NO_LIMIT)
		return true;
	return limit_data_pages(space) + pages <= limit >> QR_PAGE_SHIFT;
}

static bool
limit_allows_areas(const struct qr_space *space, uint64_t pages)
{
	uint64_t limit = space->limit[QR_LIMIT_AS];
	return limit == QR_NO_LIMIT ||
	       space->virtual_pages + pages <= limit >> QR_PAGE_SHIFT;
}

bool
qr_calls_may_grow(struct qr_space *space, uint64_t pages, unsigned prot,
    unsigned flags)
{
	if (!limit_allows_areas(space, pages))
		return false;
	return !limit_counts_data(prot, flags) ||
	       limit_allows_data(space, pages);
}

bool
qr_calls_may_lock(const struct qr_space *space, uint64_t size_bytes)
{
	uint64_t limit = space->limit[QR_LIMIT_MEMLOCK];
	if (space->may_lock || limit == QR_NO_LIMIT)
		return true;
	return space->locked_pages + (size_bytes >> QR_PAGE_SHIFT) <= limit >>
	       QR_PAGE_SHIFT;
}

/* --- mmap --- */

static uint64_t
page_align(uint64_t bytes)
{
	return qr_round_up(bytes, QR_PAGE_SIZE);
}

/* Flags that mlockall has every new area have. */
static unsigned
future_flags(const struct qr_space *space)
{
	if (space->lock_future == 0)
		return 0;
	bool late = (space->lock_future & QR_MCL_ONFAULT) != 0;
	return QR_MAP_LOCKED | (late ? QR_MAP_ONFAULT : 0);
}

static bool
mmap_is_shared(const struct qr_mmap *call)
{
	unsigned type = call->flags & QR_MAP_CALL_TYPE;
	return type == QR_MAP_CALL_SHARED || type == QR_MAP_CALL_VALIDATE;
}

/* Flags of the area that the call asks for. */
static unsigned
mmap_area_flags(const struct qr_space *space, const struct qr_mmap *call)
{
	unsigned flags = 0;
	if ((call->flags & QR_MAP_CALL_NORESERVE) != 0)
		flags |= QR_MAP_NORESERVE;
	if ((call->flags & QR_MAP_CALL_GROWSDOWN) != 0)
		flags |= QR_MAP_GROWSDOWN;
	if ((call->flags & QR_MAP_CALL_LOCKED) != 0)
		flags |= QR_MAP_LOCKED;
	if (mmap_is_shared(call))
		flags |= QR_MAP_SHARED;
	/* Linux, too, makes it private then, but for one that may write. */
	if (mmap_is_shared(call) && call->object != NULL &&
	    (call->access & QR_ACCESS_WRITE) == 0)
		flags |= QR_MAP_NOWRITE;
	return flags | future_flags(space);
}

static bool
mmap_is_fixed(const struct qr_mmap *call)
{
	return (call->flags & (QR_MAP_CALL_FIXED | QR_MAP_CALL_NOREPLACE)) != 0;
}

/* Address and length, in the order in which they are found wrong. */
static int
mmap_check_place(struct qr_space *space, const struct qr_mmap *call,
    uint64_t size_bytes)
{
	if (size_bytes == 0)
		return -QR_ENOMEM;
	if (space->area_count >= space->limit[QR_LIMIT_AREAS])
		return -QR_ENOMEM;
	if (size_bytes > space->end)
		return -QR_ENOMEM;
	if (!mmap_is_fixed(call))
		return 0;
	if (call->address > space->end - size_bytes)
		return -QR_ENOMEM;
	if (call->address % QR_PAGE_SIZE != 0)
		return -QR_EINVAL;
	if ((call->flags & QR_MAP_CALL_NOREPLACE) != 0 &&
	    !qr_area_is_free(space, call->address, call->address + size_bytes))
		return -QR_EEXIST;
	return 0;
}

/* A file: how the descriptor was opened, and how long files can be. */
static int
mmap_check_file(const struct qr_mmap *call, uint64_t size_bytes)
{
	unsigned type = call->flags & QR_MAP_CALL_TYPE;
	if (size_bytes > QR_OBJECT_BYTES_MAX ||
	    call->offset > QR_OBJECT_BYTES_MAX - size_bytes)
		return -QR_EOVERFLOW;
	if (type == QR_MAP_CALL_VALIDATE &&
	    (call->flags & ~QR_MAP_CALL_KNOWN) != 0)
		return -QR_EOPNOTSUPP;
	if (mmap_is_shared(call) && (call->prot & QR_PROT_WRITE) != 0 &&
	    (call->access & QR_ACCESS_WRITE) == 0)
		return -QR_EACCES;
	if (type != QR_MAP_CALL_PRIVATE && !mmap_is_shared(call))
		return -QR_EINVAL;
	if ((call->access & QR_ACCESS_READ) == 0)
		return -QR_EACCES;
	return (call->flags & QR_MAP_CALL_GROWSDOWN) != 0 ? -QR_EINVAL : 0;
}

static int
mmap_check_kind(const struct qr_space *space, const struct qr_mmap *call,
    uint64_t size_bytes)
{
	bool locked = (call->flags & QR_MAP_CALL_LOCKED) != 0;
	if (locked && !space->may_lock && space->limit[QR_LIMIT_MEMLOCK] == 0)
		return -QR_EPERM;
	if ((locked || space->lock_future != 0) &&
	    !qr_calls_may_lock(space, size_bytes))
		return -QR_EAGAIN;
	if (call->object != NULL)
		return mmap_check_file(call, size_bytes);
	switch (call->flags & QR_MAP_CALL_TYPE) {
	case QR_MAP_CALL_PRIVATE:
		return 0;
	case QR_MAP_CALL_SHARED:
		return (call->flags & QR_MAP_CALL_GROWSDOWN) != 0 ? -QR_EINVAL
								  : 0;
	default:
		return -QR_EINVAL;
	}
}

/* Pages of areas in the range, which a fixed mapping will take away. */
static uint64_t
mmap_overlap(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end)
{
	uint64_t pages = 0;
	const struct qr_area *area = qr_area_find(space, start);
	for (; area != NULL && area->start < end; area = qr_area_next(area)) {
		qr_vaddr_t from = area->start > start ? area->start : start;
		qr_vaddr_t to = area->end < end ? area->end : end;
		if (!qr_area_is_foreign(area))
			pages += (to - from) >> QR_PAGE_SHIFT;
	}
	return pages;
}

/* The place that is asked for, or 0 where the core is to choose: a hint that
 * is taken, or in the guard gap of what lies above, counts as none. */
static qr_vaddr_t
mmap_hint(struct qr_space *space, const struct qr_mmap *call,
    uint64_t size_bytes)
{
	if (mmap_is_fixed(call))
		return call->address;
	qr_vaddr_t hint = qr_round_down(call->address, QR_PAGE_SIZE);
	if (hint != 0 && hint < QR_SPACE_BOTTOM)
		hint = QR_SPACE_BOTTOM;
	if (hint == 0 || hint > space->end - size_bytes)
		return 0;
	const struct qr_area *area = qr_area_find(space, hint);
	if (area == NULL)
		return hint;
	uint64_t claim = qr_area_guard(area);
	if (area->start < claim || hint + size_bytes > area->start - claim)
		return 0;
	return hint;
}

/* Whether what the call leaves within the limits for areas and data. */
static bool
mmap_fits_limits(struct qr_space *space, const struct qr_map_request *request)
{
	uint64_t pages = request->size_bytes >> QR_PAGE_SHIFT;
	uint64_t gone = 0;
	if ((request->flags & QR_MAP_FIXED) != 0)
		gone = mmap_overlap(space, request->address,
		    request->address + request->size_bytes);
	if (!limit_allows_areas(space, pages - qr_min(gone, pages)))
		return false;
	return !limit_counts_data(request->prot, request->flags) ||
	       limit_allows_data(space, pages);
}

/* Memory that only this area, and those that fork makes of it, will show. */
static int
mmap_shared_memory(struct qr_space *space, struct qr_map_request *request,
    qr_vaddr_t *address)
{
	bool free_ride = (request->flags & QR_MAP_NORESERVE) != 0 &&
			 space->spaces->overcommit != QR_OVERCOMMIT_NEVER;
	const struct qr_object_request memory = {
		.size_bytes = request->size_bytes,
		.flags = free_ride ? QR_OBJECT_NORESERVE : QR_OBJECT_RESERVED,
	};
	int error =
	    qr_object_new(&space->spaces->cache, &memory, &request->object);
	if (error != 0)
		return error;
	error = qr_space_map(space, request, address);
	/* The area has a reference of its own. */
	qr_object_put(request->object);
	return error;
}

static int
mmap_locked(struct qr_space *space, const struct qr_mmap *call,
    uint64_t size_bytes, qr_vaddr_t *address)
{
	int error = mmap_check_place(space, call, size_bytes);
	if (error == 0)
		error = mmap_check_kind(space, call, size_bytes);
	if (error != 0)
		return error;
	struct qr_map_request request = {
		.address = mmap_hint(space, call, size_bytes),
		.size_bytes = size_bytes,
		.prot = call->prot & PROT_ALL,
		.flags = mmap_area_flags(space, call),
	};
	if (mmap_is_fixed(call))
		request.flags |= QR_MAP_FIXED;
	if (!mmap_fits_limits(space, &request))
		return -QR_ENOMEM;
	if (call->object != NULL) {
		request.object = call->object;
		request.object_page = call->offset >> QR_PAGE_SHIFT;
	} else if (mmap_is_shared(call)) {
		return mmap_shared_memory(space, &request, address);
	}
	return qr_space_map(space, &request, address);
}

/* Whether new pages are to be brought in at once. */
static bool
mmap_populates(const struct qr_space *space, const struct qr_mmap *call)
{
	unsigned both = QR_MAP_CALL_POPULATE | QR_MAP_CALL_NONBLOCK;
	if ((call->flags & both) == QR_MAP_CALL_POPULATE)
		return true;
	return (call->flags & QR_MAP_CALL_LOCKED) != 0 ||
	       space->lock_future != 0;
}

int
qr_call_mmap(struct qr_space *space, const struct qr_mmap *call,
    uint64_t *address)
{
	struct qr_mmap checked = *call;
	if (call->offset % QR_PAGE_SIZE != 0)
		return -QR_EINVAL;
	if ((call->flags & QR_MAP_CALL_ANONYMOUS) != 0)
		checked.object = NULL;
	else if (call->object == NULL)
		return -QR_EBADF;
	if (call->length == 0)
		return -QR_EINVAL;
	call = &checked;
	uint64_t size_bytes = page_align(call->length);
	qr_vaddr_t start;
	qr_space_lock(space);
	int error = mmap_locked(space, call, size_bytes, &start);
	bool populate = error == 0 && mmap_populates(space, call);
	qr_space_unlock(space);
	if (error != 0)
		return error;
	/* What can't be brought in now may be at its touch. */
	if (populate)
		(void)qr_calls_populate(space, start, start + size_bytes,
		    false);
	*address = start;
	return 0;
}

/* --- munmap, mprotect --- */

int
qr_call_munmap(struct qr_space *space, uint64_t address, uint64_t length)
{
	if (address % QR_PAGE_SIZE != 0 || address > space->end ||
	    length > space->end - address || length == 0)
		return -QR_EINVAL;
	qr_space_lock(space);
	int error = qr_space_unmap(space, address, page_align(length), 0);
	qr_space_unlock(space);
	return error;
}

/* Pages of the range that would become data. */
static uint64_t
protect_new_data(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end)
{
	uint64_t pages = 0;
	const struct qr_area *area = qr_area_find(space, start);
	for (; area != NULL && area->start < end; area = qr_area_next(area)) {
		qr_vaddr_t from = area->start > start ? area->start : start;
		qr_vaddr_t to = area->end < end ? area->end : end;
		if ((area->prot & QR_PROT_WRITE) == 0 &&
		    limit_counts_data(QR_PROT_WRITE, area->flags))
			pages += (to - from) >> QR_PAGE_SHIFT;
	}
	return pages;
}

/* What is left of a call: [at, end). */
struct protect {
	struct qr_space *space;
	qr_vaddr_t at;
	qr_vaddr_t end;
	unsigned prot;             /* with QR_PROT_CALL_GROWSDOWN */
	struct qr_range populated; /* not empty: to be brought in */
};

/* Locked memory that becomes writable is brought in, so that no write to it
 * has to copy: the first such piece, else nothing. */
static struct qr_range
protect_find_populated(const struct protect *protect)
{
	const struct qr_area *area = qr_area_find(protect->space, protect->at);
	if ((protect->prot & QR_PROT_WRITE) == 0)
		area = NULL;
	for (; area != NULL && area->start < protect->end;
	     area = qr_area_next(area)) {
		unsigned locked =
		    area->flags & (QR_MAP_LOCKED | QR_MAP_ONFAULT);
		if (locked != QR_MAP_LOCKED || qr_area_is_shared(area) ||
		    (area->prot & QR_PROT_WRITE) != 0)
			continue;
		return (struct qr_range){
			qr_max(area->start, protect->at),
			qr_min(area->end, protect->end),
		};
	}
	return (struct qr_range){ protect->end, protect->end };
}

/* Where the first area begins that may not be written to, or the end. */
static qr_vaddr_t
protect_find_refused(const struct protect *protect)
{
	const struct qr_area *area = qr_area_find(protect->space, protect->at);
	if ((protect->prot & QR_PROT_WRITE) == 0)
		return protect->end;
	qr_vaddr_t at = protect->at;
	/* A hole before it is met first. */
	for (; area != NULL && area->start <= at && at < protect->end;
	     area = qr_area_next(area)) {
		if ((area->flags & QR_MAP_NOWRITE) != 0)
			return at;
		at = area->end;
	}
	return protect->end;
}

static int
protect_check_area(struct protect *protect)
{
	const struct qr_area *area = qr_area_find(protect->space, protect->at);
	if (area == NULL)
		return -QR_ENOMEM;
	if ((protect->prot & QR_PROT_CALL_GROWSDOWN) != 0) {
		if (area->start >= protect->end)
			return -QR_ENOMEM;
		protect->at = area->start;
		if ((area->flags & QR_MAP_GROWSDOWN) == 0)
			return -QR_EINVAL;
		protect->prot &= ~QR_PROT_CALL_GROWSDOWN;
	}
	return area->start > protect->at ? -QR_ENOMEM : 0;
}

/* Does the call as far as the end of the first piece that is to be brought in.
 * Lock held. */
static int
protect_some(struct protect *protect)
{
	struct qr_space *space = protect->space;
	int error = protect_check_area(protect);
	if (error != 0)
		return error;
	protect->populated = protect_find_populated(protect);
	qr_vaddr_t start = protect->at;
	qr_vaddr_t refused = protect_find_refused(protect);
	qr_vaddr_t end = qr_min(protect->populated.end, refused);
	if (start == refused)
		return -QR_EACCES;
	if ((protect->prot & QR_PROT_WRITE) != 0 &&
	    space->limit[QR_LIMIT_DATA] != QR_NO_LIMIT &&
	    !limit_allows_data(space, protect_new_data(space, start, end)))
		return -QR_ENOMEM;
	/* What lies past the end of the space is a hole. */
	qr_vaddr_t stop = qr_min(end, space->end);
	error = qr_space_protect(space, start, stop - start,
	    protect->prot & PROT_ALL, 0);
	protect->at = end;
	return error == 0 && stop < end ? -QR_ENOMEM : error;
}

int
qr_call_mprotect(struct qr_space *space, uint64_t address, uint64_t length,
    unsigned prot)
{
	unsigned grows = prot & (QR_PROT_CALL_GROWSDOWN | QR_PROT_CALL_GROWSUP);
	if (grows == (QR_PROT_CALL_GROWSDOWN | QR_PROT_CALL_GROWSUP) ||
	    address % QR_PAGE_SIZE != 0)
		return -QR_EINVAL;
	if (length == 0)
		return 0;
	uint64_t end = address + page_align(length);
	if (end <= address)
		return -QR_ENOMEM;
	/* No area grows up here. */
	if ((prot & ~(PROT_ALL | QR_PROT_CALL_GROWSDOWN)) != 0)
		return -QR_EINVAL;
	struct protect protect = { space, address, end, prot, { 0, 0 } };
	int error = 0;
	while (error == 0 && protect.at < end) {
		qr_space_lock(space);
		error = protect_some(&protect);
		qr_space_unlock(space);
		if (error == 0 &&
		    protect.populated.start < protect.populated.end)
			(void)qr_calls_populate(space, protect.populated.start,
			    protect.populated.end, false);
	}
	return error;
}

/* --- brk --- */

int
qr_call_brk_start(struct qr_space *space, uint64_t start)
{
	if (start % QR_PAGE_SIZE != 0 || start >= space->end)
		return -QR_EINVAL;
	qr_space_lock(space);
	space->brk_start = start;
	space->brk = start;
	qr_space_unlock(space);
	return 0;
}

/* Whether a page stays free between the heap and what lies above it. */
static bool
brk_has_room(struct qr_space *space, qr_vaddr_t from, qr_vaddr_t to)
{
	const struct qr_area *area = qr_area_find(space, from);
	if (to > space->end || to < from)
		return false;
	if (area == NULL)
		return true;
	uint64_t claim = qr_area_guard(area) + QR_PAGE_SIZE;
	return area->start >= claim && to <= area->start - claim;
}

static int
brk_grow(struct qr_space *space, qr_vaddr_t from, qr_vaddr_t to)
{
	const unsigned prot = QR_PROT_READ | QR_PROT_WRITE;
	if (!brk_has_room(space, from, to))
		return -QR_ENOMEM;
	if (space->area_count >= space->limit[QR_LIMIT_AREAS])
		return -QR_ENOMEM;
	if (space->lock_future != 0 && !qr_calls_may_lock(space, to - from))
		return -QR_EAGAIN;
	if (!qr_calls_may_grow(space, (to - from) >> QR_PAGE_SHIFT, prot, 0))
		return -QR_ENOMEM;
	struct qr_map_request request = {
		.address = from,
		.size_bytes = to - from,
		.prot = prot,
		.flags = QR_MAP_FIXED | future_flags(space),
	};
	return qr_space_map(space, &request, &from);
}

/* 0: the heap ends at end. */
static int
brk_move(struct qr_space *space, uint64_t end)
{
	if (end < space->brk_start || end > space->end ||
	    end - space->brk_start > space->limit[QR_LIMIT_DATA])
		return -QR_ENOMEM;
	qr_vaddr_t from = page_align(space->brk);
	qr_vaddr_t to = page_align(end);
	if (to < from)
		return qr_space_unmap(space, to, from - to, 0);
	return to == from ? 0 : brk_grow(space, from, to);
}

uint64_t
qr_call_brk(struct qr_space *space, uint64_t end)
{
	qr_space_lock(space);
	qr_vaddr_t from = page_align(space->brk);
	bool populate = false;
	if (brk_move(space, end) == 0) {
		populate = space->lock_future != 0;
		space->brk = end;
	}
	uint64_t brk = space->brk;
	qr_space_unlock(space);
	if (populate && page_align(brk) > from)
		(void)qr_calls_populate(space, from, page_align(brk), false);
	return brk;
}
