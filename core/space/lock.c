/* SPDX-License-Identifier: MIT */
/*
 * space/lock.c: the mlock family, mincore, msync and madvise, errno for errno.
 *
 * A range is gone through area by area. As on Linux, what lies before an error
 * has been done, and whether a hole is an error at once or told of at the end
 * is each call's own.
 */
#include "space_impl.h"

#include "../base/bits.h"

/* --- populate --- */

/* A piece of an area, as it was when the lock was held. */
struct piece {
	struct qr_range range;
	unsigned prot;
	unsigned flags;
};

/* The first piece in [at, end). False: there is none. */
static bool
populate_next(struct qr_space *space, qr_vaddr_t at, qr_vaddr_t end,
    struct piece *piece)
{
	const struct qr_port *port = space->spaces->port;
	qr_rwlock_share(port, &space->lock);
	const struct qr_area *area = qr_area_find(space, at);
	bool found = area != NULL && area->start < end;
	if (found) {
		piece->range.start = qr_max(area->start, at);
		piece->range.end = qr_min(area->end, end);
		piece->prot = area->prot;
		piece->flags = area->flags;
	}
	qr_rwlock_unshare(port, &space->lock);
	return found;
}

static int
populate_piece(struct qr_space *space, const struct piece *piece)
{
	/* Shared pages are not dirtied for nothing. */
	bool written = (piece->prot & QR_PROT_WRITE) != 0 &&
		       (piece->flags & QR_MAP_SHARED) == 0;
	struct qr_populate populate = {
		.space = space,
		.at = piece->range.start,
		.end = piece->range.end,
		.access = written ? QR_ACCESS_WRITE : QR_ACCESS_READ,
	};
	if ((piece->flags & QR_MAP_ONFAULT) != 0)
		return 0;
	return piece->prot == QR_PROT_NONE ? -QR_EFAULT
					   : qr_populate(&populate);
}

int
qr_calls_populate(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    bool strict)
{
	qr_vaddr_t at = start;
	struct piece piece;
	while (at < end) {
		bool found = populate_next(space, at, end, &piece);
		if (strict && (!found || piece.range.start > at))
			return -QR_ENOMEM;
		if (!found)
			break;
		int error = populate_piece(space, &piece);
		if (error != 0 && strict)
			return error;
		at = piece.range.end;
	}
	return 0;
}

/* --- mlock --- */

#define LOCK_FLAGS (QR_MAP_LOCKED | QR_MAP_ONFAULT)

/* Gives the areas of the range these of LOCK_FLAGS. */
static int
lock_range(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    unsigned flags)
{
	struct qr_area_change change = {
		.flags_set = flags,
		.flags_clear = LOCK_FLAGS & ~flags,
	};
	if (end < start)
		return -QR_EINVAL;
	if (end == start)
		return 0;
	/* What lies past the end of the space is a hole. */
	if (start >= space->end)
		return -QR_ENOMEM;
	qr_vaddr_t stop = end < space->end ? end : space->end;
	int error = qr_map_change(space, start, stop - start, &change);
	return error == 0 && stop < end ? -QR_ENOMEM : error;
}

/* Pages of the range that are locked already. */
static uint64_t
lock_counted(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end)
{
	uint64_t bytes = 0;
	const struct qr_area *area = qr_area_find(space, start);
	for (; area != NULL && area->start < end; area = qr_area_next(area)) {
		qr_vaddr_t from = area->start > start ? area->start : start;
		qr_vaddr_t to = area->end < end ? area->end : end;
		if ((area->flags & QR_MAP_LOCKED) != 0)
			bytes += to - from;
	}
	return bytes;
}

static unsigned
lock_flags(bool late)
{
	return late ? LOCK_FLAGS : QR_MAP_LOCKED;
}

static int
mlock_locked(struct qr_space *space, qr_vaddr_t start, uint64_t size_bytes,
    bool late)
{
	qr_vaddr_t end = start + size_bytes;
	if (!space->may_lock && space->limit[QR_LIMIT_MEMLOCK] == 0)
		return -QR_EPERM;
	if (!qr_calls_may_lock(space, size_bytes) &&
	    (end < start || !qr_calls_may_lock(space,
				size_bytes - lock_counted(space, start, end))))
		return -QR_ENOMEM;
	return lock_range(space, start, end, lock_flags(late));
}

int
qr_call_mlock2(struct qr_space *space, uint64_t address, uint64_t length,
    unsigned flags)
{
	if ((flags & ~QR_MLOCK_ONFAULT) != 0)
		return -QR_EINVAL;
	qr_vaddr_t start = qr_round_down(address, QR_PAGE_SIZE);
	uint64_t size_bytes =
	    qr_round_up(length + address % QR_PAGE_SIZE, QR_PAGE_SIZE);
	qr_space_lock(space);
	int error = mlock_locked(space, start, size_bytes,
	    (flags & QR_MLOCK_ONFAULT) != 0);
	qr_space_unlock(space);
	if (error != 0 || (flags & QR_MLOCK_ONFAULT) != 0)
		return error;
	error = qr_calls_populate(space, start, start + size_bytes, true);
	/* As POSIX names them. */
	if (error == -QR_ENOMEM)
		return -QR_EAGAIN;
	return error == -QR_EFAULT || error == -QR_ENXIO ? -QR_ENOMEM : error;
}

int
qr_call_munlock(struct qr_space *space, uint64_t address, uint64_t length)
{
	qr_vaddr_t start = qr_round_down(address, QR_PAGE_SIZE);
	uint64_t size_bytes =
	    qr_round_up(length + address % QR_PAGE_SIZE, QR_PAGE_SIZE);
	qr_space_lock(space);
	int error = lock_range(space, start, start + size_bytes, 0);
	qr_space_unlock(space);
	return error;
}

/* All areas; holes between them are no error here. */
static int
lock_all(struct qr_space *space, unsigned flags)
{
	const struct qr_area *area = qr_area_first(space);
	while (area != NULL) {
		qr_vaddr_t end = area->end;
		int error = lock_range(space, area->start, end, flags);
		if (error != 0)
			return error;
		/* It may have been joined. */
		area = qr_area_find(space, end);
	}
	return 0;
}

int
qr_call_mlockall(struct qr_space *space, unsigned flags)
{
	if (flags == 0 || flags == QR_MCL_ONFAULT ||
	    (flags & ~(QR_MCL_CURRENT | QR_MCL_FUTURE | QR_MCL_ONFAULT)) != 0)
		return -QR_EINVAL;
	bool current = (flags & QR_MCL_CURRENT) != 0;
	int error = 0;
	qr_space_lock(space);
	uint64_t all = space->virtual_pages - space->locked_pages;
	if (!space->may_lock && space->limit[QR_LIMIT_MEMLOCK] == 0)
		error = -QR_EPERM;
	else if (current && !qr_calls_may_lock(space, all << QR_PAGE_SHIFT))
		error = -QR_ENOMEM;
	if (error == 0) {
		space->lock_future =
		    (flags & QR_MCL_FUTURE) != 0 ? flags & ~QR_MCL_CURRENT : 0;
		if (current)
			error = lock_all(space,
			    lock_flags((flags & QR_MCL_ONFAULT) != 0));
	}
	qr_space_unlock(space);
	if (error == 0 && current && (flags & QR_MCL_ONFAULT) == 0)
		(void)qr_calls_populate(space, 0, space->end, false);
	return error;
}

int
qr_call_munlockall(struct qr_space *space)
{
	qr_space_lock(space);
	space->lock_future = 0;
	int error = lock_all(space, 0);
	qr_space_unlock(space);
	return error;
}

/* --- mincore, msync --- */

int
qr_call_mincore(struct qr_space *space, uint64_t address, uint64_t length,
    unsigned char *vec)
{
	if (address % QR_PAGE_SIZE != 0)
		return -QR_EINVAL;
	if (address > space->end || length > space->end - address)
		return -QR_ENOMEM;
	if (length == 0)
		return 0;
	qr_space_lock(space);
	int error = qr_space_mincore(space, address,
	    qr_round_up(length, QR_PAGE_SIZE), vec);
	qr_space_unlock(space);
	return error;
}

/* What is left of a call. */
struct msync {
	qr_vaddr_t at;
	qr_vaddr_t end;
	unsigned flags;
	struct qr_object *object; /* to be written, with a reference */
	struct qr_object_copy range;
	bool hole;
};

/* Goes on to the end, or to a shared file that is to be written. Lock held. */
static int
msync_some(struct qr_space *space, struct msync *sync)
{
	while (sync->at < sync->end) {
		const struct qr_area *area = qr_area_find(space, sync->at);
		if (area == NULL || area->start >= sync->end)
			return -QR_ENOMEM;
		if (area->start > sync->at) {
			sync->hole = true;
			sync->at = area->start;
		}
		if ((sync->flags & QR_MS_INVALIDATE) != 0 &&
		    (area->flags & QR_MAP_LOCKED) != 0)
			return -QR_EBUSY;
		qr_vaddr_t from = sync->at;
		sync->at = area->end;
		if ((sync->flags & QR_MS_SYNC) == 0 || !qr_area_is_view(area) ||
		    !qr_area_is_shared(area))
			continue;
		const struct qr_view *view = qr_area_view(area);
		uint64_t to = area->end < sync->end ? area->end : sync->end;
		qr_object_get(view->object);
		sync->object = view->object;
		sync->range.offset = qr_view_number(view, from) * QR_PAGE_SIZE;
		sync->range.size_bytes = to - from;
		break;
	}
	return 0;
}

/* Only QR_MS_SYNC has anything to do: what is dirty is known already, and
 * nobody sees old contents. Holes are told of at the end. */
int
qr_call_msync(struct qr_space *space, uint64_t address, uint64_t length,
    unsigned flags)
{
	const unsigned all = QR_MS_ASYNC | QR_MS_INVALIDATE | QR_MS_SYNC;
	const unsigned both = QR_MS_ASYNC | QR_MS_SYNC;
	if ((flags & ~all) != 0 || address % QR_PAGE_SIZE != 0 ||
	    (flags & both) == both)
		return -QR_EINVAL;
	struct msync sync = { .at = address, .flags = flags };
	sync.end = address + qr_round_up(length, QR_PAGE_SIZE);
	if (sync.end < address)
		return -QR_ENOMEM;
	int error = 0;
	while (error == 0 && sync.at < sync.end) {
		sync.object = NULL;
		qr_space_lock(space);
		error = msync_some(space, &sync);
		qr_space_unlock(space);
		if (sync.object == NULL)
			continue;
		error = qr_object_sync(sync.object, sync.range.offset,
		    sync.range.size_bytes, NULL);
		qr_object_put(sync.object);
	}
	return error == 0 && sync.hole ? -QR_ENOMEM : error;
}

/* --- madvise --- */

enum {
	ADV_NORMAL = 0,
	ADV_RANDOM = 1,
	ADV_SEQUENTIAL = 2,
	ADV_WILLNEED = 3,
	ADV_DONTNEED = 4,
	ADV_FREE = 8,
	ADV_REMOVE = 9,
	ADV_DONTFORK = 10,
	ADV_DOFORK = 11,
	ADV_DONTDUMP = 16,
	ADV_DODUMP = 17,
	ADV_WIPEONFORK = 18,
	ADV_KEEPONFORK = 19,
	ADV_COLD = 20,
	ADV_PAGEOUT = 21,
	ADV_POPULATE_READ = 22,
	ADV_POPULATE_WRITE = 23,
	ADV_DONTNEED_LOCKED = 24,
};

/* What each is to the core, and what it can't be done to. */
struct advice {
	bool known;
	bool acts;       /* else it is noted by nobody */
	bool shared;     /* the work is done under the shared lock */
	bool not_locked; /* -QR_EINVAL for locked areas */
	bool anonymous;  /* -QR_EINVAL for areas that show an object */
	bool removes;    /* only for objects that may be written to */
	enum qr_advice as;
};

static const struct advice advices[] = {
	[ADV_NORMAL] = { .known = true },
	[ADV_RANDOM] = { .known = true },
	[ADV_SEQUENTIAL] = { .known = true },
	[ADV_WILLNEED] = { .known = true,
	    .acts = true,
	    .shared = true,
	    .as = QR_ADVICE_WILLNEED },
	[ADV_DONTNEED] = { .known = true,
	    .acts = true,
	    .not_locked = true,
	    .as = QR_ADVICE_DONTNEED },
	[ADV_FREE] = { .known = true,
	    .acts = true,
	    .not_locked = true,
	    .anonymous = true,
	    .as = QR_ADVICE_FREE },
	[ADV_REMOVE] = { .known = true, .not_locked = true, .removes = true },
	[ADV_DONTFORK] = { .known = true,
	    .acts = true,
	    .as = QR_ADVICE_DONTFORK },
	[ADV_DOFORK] = { .known = true, .acts = true, .as = QR_ADVICE_DOFORK },
	[ADV_DONTDUMP] = { .known = true },
	[ADV_DODUMP] = { .known = true },
	[ADV_WIPEONFORK] = { .known = true,
	    .acts = true,
	    .anonymous = true,
	    .as = QR_ADVICE_WIPEONFORK },
	[ADV_KEEPONFORK] = { .known = true,
	    .acts = true,
	    .as = QR_ADVICE_KEEPONFORK },
	[ADV_COLD] = { .known = true,
	    .acts = true,
	    .shared = true,
	    .not_locked = true,
	    .as = QR_ADVICE_COLD },
	[ADV_PAGEOUT] = { .known = true,
	    .acts = true,
	    .shared = true,
	    .not_locked = true,
	    .as = QR_ADVICE_PAGEOUT },
	[ADV_DONTNEED_LOCKED] = { .known = true,
	    .acts = true,
	    .as = QR_ADVICE_DONTNEED },
};

/* Makes a hole in the object that the area shows. The lock is let go of
 * meanwhile. */
static int
advise_remove(struct qr_space *space, struct qr_range piece)
{
	const struct qr_area *area = qr_area_find(space, piece.start);
	if (!qr_area_is_view(area))
		return -QR_EINVAL;
	if (!qr_area_is_shared(area) || (area->flags & QR_MAP_NOWRITE) != 0)
		return -QR_EACCES;
	const struct qr_view *view = qr_area_view(area);
	struct qr_object *object = view->object;
	uint64_t offset = qr_view_number(view, piece.start) * QR_PAGE_SIZE;
	qr_object_get(object);
	qr_space_unlock(space);
	int error = qr_object_punch(object, offset, piece.end - piece.start);
	qr_object_put(object);
	qr_space_lock(space);
	return error;
}

/* A piece of one area; the lock is held and is held again at the end. */
static int
advise_piece(struct qr_space *space, struct qr_range piece, unsigned flags,
    const struct advice *advice)
{
	uint64_t size_bytes = piece.end - piece.start;
	bool locked = (flags & QR_MAP_LOCKED) != 0;
	if (advice->not_locked && locked)
		return -QR_EINVAL;
	if (advice->anonymous && (flags & QR_AREA_VIEW) != 0)
		return -QR_EINVAL;
	if (advice->removes)
		return advise_remove(space, piece);
	if (!advice->acts)
		return 0;
	if (advice->shared) {
		qr_space_unlock(space);
		int error = qr_space_advise(space, piece.start, size_bytes,
		    advice->as, 0);
		qr_space_lock(space);
		return error;
	}
	/* Contents of locked memory go, but not its lock. */
	if (locked && advice->as == QR_ADVICE_DONTNEED) {
		int error = lock_range(space, piece.start, piece.end, 0);
		if (error == 0)
			error = qr_space_advise(space, piece.start, size_bytes,
			    advice->as, 0);
		if (error == 0)
			error = lock_range(space, piece.start, piece.end,
			    flags & LOCK_FLAGS);
		return error;
	}
	return qr_space_advise(space, piece.start, size_bytes, advice->as, 0);
}

/* Holes are passed over and told of at the end. */
static int
advise_range(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    const struct advice *advice)
{
	int hole = 0;
	qr_vaddr_t at = start;
	while (at < end) {
		const struct qr_area *area = qr_area_find(space, at);
		if (area == NULL || area->start >= end)
			return -QR_ENOMEM;
		if (area->start > at)
			hole = -QR_ENOMEM;
		struct qr_range piece = {
			area->start > at ? area->start : at,
			area->end < end ? area->end : end,
		};
		at = piece.end;
		int error =
		    qr_area_is_foreign(area)
			? 0
			: advise_piece(space, piece, area->flags, advice);
		if (error != 0)
			return error;
	}
	return hole;
}

/* Each page as if it was touched. */
static int
advise_populate(struct qr_space *space, qr_vaddr_t start, qr_vaddr_t end,
    unsigned access)
{
	qr_vaddr_t at = start;
	struct piece piece;
	while (at < end) {
		if (!populate_next(space, at, end, &piece) ||
		    piece.range.start > at)
			return -QR_ENOMEM;
		if (!qr_prot_allows(piece.prot, access))
			return -QR_EINVAL;
		struct qr_populate populate = {
			.space = space,
			.at = at,
			.end = piece.range.end,
			.access = access,
		};
		int error = qr_populate(&populate);
		if (error != 0)
			return error == -QR_ENXIO ? -QR_EFAULT : error;
		at = piece.range.end;
	}
	return 0;
}

int
qr_call_madvise(struct qr_space *space, uint64_t address, uint64_t length,
    int advice)
{
	bool populates =
	    advice == ADV_POPULATE_READ || advice == ADV_POPULATE_WRITE;
	bool known = advice >= 0 && (size_t)advice < QR_COUNT_OF(advices) &&
		     advices[advice].known;
	if ((!known && !populates) || address % QR_PAGE_SIZE != 0)
		return -QR_EINVAL;
	uint64_t size_bytes = qr_round_up(length, QR_PAGE_SIZE);
	uint64_t end = address + size_bytes;
	if ((length != 0 && size_bytes == 0) || end < address)
		return -QR_EINVAL;
	if (end == address)
		return 0;
	if (populates)
		return advise_populate(space, address, end,
		    advice == ADV_POPULATE_READ ? QR_ACCESS_READ
						: QR_ACCESS_WRITE);
	qr_space_lock(space);
	int error = advise_range(space, address, end, &advices[advice]);
	qr_space_unlock(space);
	return error;
}
