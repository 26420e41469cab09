/* SPDX-License-Identifier: MIT */
/*
 * mapping.c: the program's calls that change or ask about mappings.
 *
 * Each is made of the host first and then told to the core, with the space
 * held exclusively over both, so that no fault and no eviction sees the one
 * without the other. The host judges the arguments; what it refuses has not
 * happened. The core's part can then fail only for want of memory for its own
 * records, which ends the process if it can't be undone.
 *
 * Only private anonymous mappings are managed. Whatever else is mapped is the
 * host's alone; it matters here only when it replaces something managed.
 *
 *   [linux.4] every area of the space is registered with the userfaultfd and
 *             is a private anonymous mapping of the host.
 */
#include <errno.h>
#include <sys/mman.h>

#include "../../core/base/bits.h"
#include "../../core/base/check.h"
#include "files.h"
#include "helper.h"
#include "linux.h"
#include "pager.h"
#include "sys.h"
#include "uapi.h"

/* Less than this of unmanaged memory at once needs nobody to measure it. */
#define CHARGED_BYTES_MIN ((size_t)1 << 20)

/* Bytes of mincore's answer computed at a time. */
#define MINCORE_STEP 256u

static long
host_call(long number, const long a[6])
{
	return qr_sys6(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static uintptr_t
page_up(uintptr_t n)
{
	return (n + QR_PAGE_SIZE - 1) & ~(QR_PAGE_SIZE - 1);
}

/* What the core takes of mmap's rights. */
static unsigned
core_prot(long prot)
{
	return (unsigned)prot & (QR_PROT_READ | QR_PROT_WRITE | QR_PROT_EXEC);
}

/* Whether [start, start + size) can be a range of pages at all. */
static bool
range_is_sane(uintptr_t start, size_t size)
{
	return (start & (QR_PAGE_SIZE - 1)) == 0 && size != 0 &&
	       start + page_up(size) > start;
}

/*
 * What is managed in [start, end), one piece after the other: stores the
 * next piece at or after *at and returns true. Space locked.
 */
static bool
managed_next(uintptr_t *at, uintptr_t end, struct qr_area_info *piece)
{
	if (*at >= end || qr_space_query(qr_linux.space, *at, piece) != 0 ||
	    piece->start >= end)
		return false;
	if (piece->start < *at)
		piece->start = *at;
	if (piece->end > end)
		piece->end = end;
	*at = piece->end;
	return true;
}

static bool
managed_touches(uintptr_t start, uintptr_t end)
{
	struct qr_area_info piece;
	return managed_next(&start, end, &piece);
}

/* The host has replaced or removed the range: nothing of it is managed any
 * more. Space locked. */
static void
forget(uintptr_t start, size_t size)
{
	if (!managed_touches(start, start + size))
		return;
	int failed = qr_space_unmap(qr_linux.space, start, size, QR_HOST_DONE);
	if (failed != 0)
		linux_die("no memory left to record an unmapping", 137);
}

/* A fresh private anonymous mapping of the host becomes managed. Space
 * locked. 0 or -errno; then it is not. */
static int
manage(uintptr_t start, size_t size, int prot, unsigned flags)
{
	struct qr_map_request request = {
		.address = start,
		.size_bytes = size,
		.prot = core_prot(prot),
		.flags = flags | QR_MAP_NOREPLACE,
	};
	qr_vaddr_t address;
	int failed = qr_space_map(qr_linux.space, &request, &address);
	if (failed != 0)
		return failed;
	failed = mmu_register(start, size);
	if (failed != 0)
		forget(start, size);
	return failed;
}

int
mapping_manage(uintptr_t start, size_t size, int prot)
{
	qr_space_lock(qr_linux.space);
	int failed = manage(start, size, prot, 0);
	qr_space_unlock(qr_linux.space);
	return failed;
}

/* Touches the managed part of a range, a write where that is allowed, until a
 * touch fails. What lies behind half the budget is left to its faults: more
 * would push out what has just come in. */
static void
populate(uintptr_t start, size_t size)
{
	size_t most = qr_linux.frames / 2 * QR_PAGE_SIZE;
	uintptr_t end = start + qr_min(size, most);
	struct qr_area_info piece;
	for (uintptr_t page = start; page < end; page += QR_PAGE_SIZE) {
		uintptr_t at = page;
		qr_space_lock(qr_linux.space);
		bool more = managed_next(&at, end, &piece);
		qr_space_unlock(qr_linux.space);
		if (!more)
			return;
		page = piece.start;
		unsigned access = (piece.prot & QR_PROT_WRITE) != 0
				      ? QR_ACCESS_WRITE
				      : QR_ACCESS_READ;
		if (qr_space_fault(qr_linux.space, page, access) != 0)
			return;
	}
}

/* --- mmap, munmap --- */

static bool
mmap_is_managed(int flags)
{
	return (flags & MAP_TYPE) == MAP_PRIVATE &&
	       (flags & MAP_ANONYMOUS) != 0 &&
	       (flags & (MAP_HUGETLB | MAP_GROWSDOWN | MAP_STACK)) == 0;
}

/* An mmap of much that the budget pays for though it is not managed: thread
 * stacks, shared memory. */
static bool
is_charged(const long a[6])
{
	int flags = (int)a[3];
	return (size_t)a[1] >= CHARGED_BYTES_MIN && !mmap_is_managed(flags) &&
	       (flags & (MAP_ANONYMOUS | MAP_SHARED)) != 0;
}

static unsigned
mmap_core_flags(int flags)
{
	unsigned core = 0;
	if ((flags & MAP_NORESERVE) != 0)
		core |= QR_MAP_NORESERVE;
	if ((flags & MAP_LOCKED) != 0 || qr_linux.lock_future)
		core |= QR_MAP_LOCKED;
	return core;
}

/*
 * Before the host unmaps or moves a range itself: no page of it may be on its
 * way out, whose write protection and MADV_DONTNEED would hit what comes in
 * its place. Space locked; ends with let_go().
 */
static void
hold(unsigned index, uintptr_t start, size_t size)
{
	if (range_is_sane(start, size))
		qr_space_hold(qr_linux.space, &qr_linux.hold[index], start,
		    page_up(size));
}

static void
let_go(void)
{
	qr_space_unpin(&qr_linux.hold[0]);
	qr_space_unpin(&qr_linux.hold[1]);
}

static long
call_mmap(const long a[6])
{
	int prot = (int)a[2];
	int flags = (int)a[3];
	size_t size = page_up((size_t)a[1]);
	bool managed = mmap_is_managed(flags);
	bool fixed = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) == MAP_FIXED;
	if (!managed && !fixed)
		return host_call(SYS_mmap, a);
	long host_flags = flags;
	if (managed)
		host_flags &= ~(long)(MAP_POPULATE | MAP_LOCKED);

	qr_space_lock(qr_linux.space);
	long result = 0;
	if (fixed)
		hold(0, (uintptr_t)a[0], size);
	if (managed)
		result = qr_space_may_map(qr_linux.space, size, core_prot(prot),
		    mmap_core_flags(flags));
	if (result == 0)
		result =
		    qr_sys6(SYS_mmap, a[0], a[1], a[2], host_flags, a[4], a[5]);
	if (qr_sys_failed(result))
		goto out;
	if (fixed)
		forget((uintptr_t)result, size);
	if (managed && manage((uintptr_t)result, size, prot,
			   mmap_core_flags(flags)) == -ENOMEM) {
		qr_sys2(SYS_munmap, result, size);
		result = -ENOMEM;
	}
out:
	let_go();
	qr_space_unlock(qr_linux.space);
	if (managed && !qr_sys_failed(result) &&
	    ((flags & (MAP_POPULATE | MAP_LOCKED)) != 0 ||
		qr_linux.lock_future))
		populate((uintptr_t)result, size);
	return result;
}

static long
call_munmap(const long a[6])
{
	qr_space_lock(qr_linux.space);
	hold(0, (uintptr_t)a[0], (size_t)a[1]);
	long result = host_call(SYS_munmap, a);
	if (result == 0)
		forget((uintptr_t)a[0], page_up((size_t)a[1]));
	let_go();
	qr_space_unlock(qr_linux.space);
	return result;
}

/* --- mprotect --- */

/* The host has given the managed pieces rights that the core refuses to
 * promise memory for: they get back those that they had. */
static void
protect_undo(uintptr_t start, uintptr_t end)
{
	struct qr_area_info piece;
	while (managed_next(&start, end, &piece)) {
		if (qr_sys3(SYS_mprotect, piece.start, piece.end - piece.start,
			piece.prot) != 0)
			linux_die("a mapping's rights can't be restored", 137);
	}
}

/* 0, or -ENOMEM: the core could not follow from some piece on. */
static int
protect_managed(uintptr_t start, uintptr_t end, unsigned prot, bool host_done)
{
	struct qr_area_info piece;
	while (managed_next(&start, end, &piece)) {
		size_t size = piece.end - piece.start;
		if (!host_done &&
		    qr_sys3(SYS_mprotect, piece.start, size, prot) != 0)
			continue;
		if (qr_space_protect(qr_linux.space, piece.start, size, prot,
			QR_HOST_DONE) == 0)
			continue;
		protect_undo(piece.start, host_done ? end : piece.end);
		return -ENOMEM;
	}
	return 0;
}

/*
 * Where the host finds a hole it has changed what lies before it and says
 * ENOMEM. How far it came is not known, so then each managed piece is changed
 * by itself, those behind the hole too.
 */
static long
call_mprotect(long number, const long a[6])
{
	uintptr_t start = (uintptr_t)a[0];
	size_t size = page_up((size_t)a[1]);
	unsigned prot = core_prot(a[2]);
	qr_space_lock(qr_linux.space);
	long result = host_call(number, a);
	bool hole = result == -ENOMEM && range_is_sane(start, size);
	if ((result == 0 || hole) &&
	    protect_managed(start, start + size, prot, !hole) != 0)
		result = -ENOMEM;
	qr_space_unlock(qr_linux.space);
	return result;
}

/* --- mremap --- */

/* What the host has done. */
struct remap {
	uintptr_t from;
	size_t from_size; /* bytes, whole pages */
	uintptr_t to;
	size_t to_size; /* bytes, whole pages */
	int flags;      /* MREMAP_* */
};

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* Advice for what is managed of a range; see remap_host. */
static void
remap_mark(uintptr_t start, size_t size, int advice)
{
	uintptr_t end = start + size;
	struct qr_area_info piece;
	while (managed_next(&start, end, &piece))
		qr_sys3(SYS_madvise, piece.start, piece.end - piece.start,
		    (long)advice);
}

/*
 * The host's part. From a registered mapping that moves the host takes the
 * registration, and with it from the neighbours that it joins it with at the
 * new place; those have pages that are out, which would then read as zeros.
 * It does not join unlike neighbours: so while it moves it is advised to be
 * read at random, which means nothing for anonymous memory, and is kept from
 * all other managed memory. Nothing is lost if the host refuses.
 */
static long
remap_host(const struct remap *remap, const long a[6])
{
	if ((remap->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) == 0) {
		long result = qr_sys6(SYS_mremap, a[0], a[1], a[2],
		    a[3] & ~(long)MREMAP_MAYMOVE, 0, 0);
		if (result != -ENOMEM || (remap->flags & MREMAP_MAYMOVE) == 0)
			return result;
	}
	remap_mark(remap->from, remap->from_size, MADV_RANDOM);
	long result = host_call(SYS_mremap, a);
	if (qr_sys_failed(result))
		remap_mark(remap->from, remap->from_size, MADV_NORMAL);
	return result;
}

/* The pages that the core knows move along: from Linux 6.17 on those of
 * several areas at once. */
static int
remap_move(const struct remap *remap, size_t kept)
{
	uintptr_t at = remap->from;
	struct qr_area_info piece;
	forget(remap->to, remap->to_size);
	while (managed_next(&at, remap->from + kept, &piece)) {
		size_t size = piece.end - piece.start;
		uintptr_t to = remap->to + (piece.start - remap->from);
		int failed = qr_space_move(qr_linux.space, piece.start, size,
		    to, QR_HOST_DONE);
		if (failed == 0)
			failed = mmu_register(to, size);
		if (failed != 0)
			return failed;
	}
	return 0;
}

/*
 * After the host has moved or resized a managed mapping: what it holds moves
 * along, and what is new is managed like area, its first part.
 */
static void
remap_follow(const struct remap *remap, const struct qr_area_info *area)
{
	bool moved = remap->to != remap->from;
	size_t kept = qr_min(remap->from_size, remap->to_size);
	unsigned keep_flags =
	    area->flags & (QR_MAP_NORESERVE | QR_MAP_LOCKED | QR_MAP_DONTFORK |
			      QR_MAP_WIPEONFORK);
	int failed = moved ? remap_move(remap, kept) : 0;
	if (failed == 0 && remap->from_size > kept)
		forget(remap->from + kept, remap->from_size - kept);
	if (failed == 0 && remap->to_size > kept)
		failed = manage(remap->to + kept, remap->to_size - kept,
		    (int)area->prot, keep_flags);
	if (failed == 0 && moved && (remap->flags & MREMAP_DONTUNMAP) != 0)
		failed = manage(remap->from, remap->from_size, (int)area->prot,
		    keep_flags);
	if (failed != 0)
		linux_die("no memory left to record a remapping", 137);
	if (!moved)
		return;
	remap_mark(remap->to, remap->to_size, MADV_NORMAL);
	remap_mark(remap->from, remap->from_size, MADV_NORMAL);
}

/* A refused move may have made room already: then what was there is gone. */
static void
remap_forget_room(uintptr_t start, size_t size)
{
	uintptr_t end = start + size;
	struct qr_area_info piece;
	while (managed_next(&start, end, &piece)) {
		size_t piece_size = piece.end - piece.start;
		/* It does nothing but look for holes. */
		if (qr_sys3(SYS_msync, piece.start, piece_size, MS_ASYNC) ==
		    -ENOMEM)
			forget(piece.start, piece_size);
	}
}

static long
call_mremap(const long a[6])
{
	struct remap remap = {
		.from = (uintptr_t)a[0],
		.from_size = page_up((size_t)a[1]),
		.to_size = page_up((size_t)a[2]),
		.flags = (int)a[3],
	};
	bool fixed = (remap.flags & MREMAP_FIXED) != 0;
	uintptr_t at = remap.from;
	struct qr_area_info area;

	qr_space_lock(qr_linux.space);
	hold(0, remap.from, remap.from_size);
	if (fixed)
		hold(1, (uintptr_t)a[4], remap.to_size);
	bool managed = range_is_sane(remap.from, remap.from_size) &&
		       managed_next(&at, remap.from + remap.from_size, &area);
	long result = 0;
	if (managed && remap.to_size > remap.from_size)
		result = qr_space_may_map(qr_linux.space,
		    remap.to_size - remap.from_size, area.prot, area.flags);
	if (result == 0)
		result =
		    managed ? remap_host(&remap, a) : host_call(SYS_mremap, a);
	remap.to = qr_sys_failed(result) ? (uintptr_t)a[4] : (uintptr_t)result;
	if (qr_sys_failed(result) && fixed &&
	    range_is_sane(remap.to, remap.to_size))
		remap_forget_room(remap.to, remap.to_size);
	else if (!qr_sys_failed(result) && managed)
		remap_follow(&remap, &area);
	else if (!qr_sys_failed(result) && fixed)
		forget(remap.to, remap.to_size);
	let_go();
	qr_space_unlock(qr_linux.space);
	return result;
}

/* --- brk --- */

static long
call_brk(const long a[6])
{
	uintptr_t want = (uintptr_t)a[0];
	if (want < qr_linux.brk_start)
		return qr_sys1(SYS_brk, 0L);
	qr_space_lock(qr_linux.space);
	uintptr_t from = page_up(qr_linux.brk_end);
	if (page_up(want) < from)
		hold(0, page_up(want), from - page_up(want));
	long result = qr_sys1(SYS_brk, want);
	uintptr_t to = page_up((uintptr_t)result);
	if (to > from &&
	    manage(from, to - from, PROT_READ | PROT_WRITE, 0) == -ENOMEM)
		result = qr_sys1(SYS_brk, qr_linux.brk_end);
	else if (to < from)
		forget(to, from - to);
	qr_linux.brk_end = (uintptr_t)result;
	let_go();
	qr_space_unlock(qr_linux.space);
	return result;
}

/* --- madvise --- */

static int
advice_of(int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
		return QR_ADVICE_DONTNEED;
	case MADV_FREE:
		return QR_ADVICE_FREE;
	case MADV_DONTFORK:
		return QR_ADVICE_DONTFORK;
	case MADV_DOFORK:
		return QR_ADVICE_DOFORK;
	case MADV_WIPEONFORK:
		return QR_ADVICE_WIPEONFORK;
	case MADV_KEEPONFORK:
		return QR_ADVICE_KEEPONFORK;
	default:
		return -1;
	}
}

/* Where the first locked piece of [start, end) begins; end: there is none. */
static uintptr_t
locked_next(uintptr_t start, uintptr_t end)
{
	struct qr_area_info piece;
	while (managed_next(&start, end, &piece)) {
		if ((piece.flags & QR_MAP_LOCKED) != 0)
			return piece.start;
	}
	return end;
}

/* Advice that changes contents or what a fork does: the host follows it for
 * all of the range (MADV_FREE as MADV_DONTNEED where it is managed, because
 * a page that the host frees later would vanish from under the core). Locked
 * pages keep their contents, which only the core can say: the host's part
 * ends before them. */
static long
advise_state(const long a[6], enum qr_advice advice)
{
	uintptr_t start = (uintptr_t)a[0];
	uintptr_t end = start + page_up((size_t)a[1]);
	bool drops = advice == QR_ADVICE_DONTNEED || advice == QR_ADVICE_FREE;
	struct qr_area_info piece;
	qr_space_lock(qr_linux.space);
	uintptr_t stop = drops ? locked_next(start, end) : end;
	long result = 0;
	if (stop > start)
		result = qr_sys3(SYS_madvise, start, stop - start, a[2]);
	if (result != 0 && result != -ENOMEM)
		stop = start; /* refused: nothing has changed */
	else if (stop < end)
		result = -EINVAL;
	while (managed_next(&start, stop, &piece)) {
		size_t size = piece.end - piece.start;
		if (advice == QR_ADVICE_FREE)
			qr_sys3(SYS_madvise, piece.start, size, MADV_DONTNEED);
		int failed = qr_space_advise(qr_linux.space, piece.start, size,
		    advice, QR_HOST_DONE);
		if (failed != 0)
			linux_die("no memory left to record an advice", 137);
	}
	qr_space_unlock(qr_linux.space);
	return result;
}

/* Advice that is only about speed, or asks for huge or merged pages, which
 * managed memory does not have: true where the host need not hear it. */
static bool
advise_hint(uintptr_t start, size_t size, int advice)
{
	qr_space_lock(qr_linux.space);
	bool managed = managed_touches(start, start + size);
	qr_space_unlock(qr_linux.space);
	if (!managed)
		return false;
	int core = -1;
	if (advice == MADV_COLD)
		core = QR_ADVICE_COLD;
	else if (advice == MADV_PAGEOUT)
		core = QR_ADVICE_PAGEOUT;
	else if (advice == MADV_WILLNEED)
		core = QR_ADVICE_WILLNEED;
	if (core >= 0 && qr_space_advise(qr_linux.space, start, size,
			     (enum qr_advice)core, 0) != 0)
		return true; /* a hint that could not be followed */
	return true;
}

static long
advise_populate(uintptr_t start, size_t size, unsigned access)
{
	uintptr_t end = start + size;
	for (uintptr_t page = start; page < end; page += QR_PAGE_SIZE) {
		struct qr_area_info area;
		qr_space_lock(qr_linux.space);
		bool managed =
		    qr_space_query(qr_linux.space, page, &area) == 0 &&
		    area.start <= page;
		qr_space_unlock(qr_linux.space);
		long failed =
		    managed
			? qr_space_fault(qr_linux.space, page, access)
			: qr_sys3(SYS_madvise, page, QR_PAGE_SIZE,
			      access == QR_ACCESS_WRITE ? MADV_POPULATE_WRITE
							: MADV_POPULATE_READ);
		if (failed != 0)
			return failed;
	}
	return 0;
}

static long
call_madvise(const long a[6])
{
	uintptr_t start = (uintptr_t)a[0];
	size_t size = page_up((size_t)a[1]);
	int advice = (int)a[2];
	if (!range_is_sane(start, size))
		return host_call(SYS_madvise, a);
	int state = advice_of(advice);
	if (state >= 0)
		return advise_state(a, (enum qr_advice)state);
	switch (advice) {
	case MADV_POPULATE_READ:
		return advise_populate(start, size, QR_ACCESS_READ);
	case MADV_POPULATE_WRITE:
		return advise_populate(start, size, QR_ACCESS_WRITE);
	case MADV_NORMAL: /* these three: see remap_host */
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_WILLNEED:
	case MADV_HUGEPAGE:
	case MADV_MERGEABLE:
	case MADV_COLLAPSE:
		if (advise_hint(start, size, advice))
			return 0;
		break;
	default:
		/* Newer than this list: it may take pages away, or put marks
		 * in their place, of which the core would not know. */
		if (advice > MADV_COLLAPSE && advise_hint(start, size, advice))
			return -EINVAL;
		break;
	}
	return host_call(SYS_madvise, a);
}

/* --- mlock, mincore --- */

/*
 * Locked pages are the core's to keep: a host lock would be refused for
 * pages that are out and forbid MADV_DONTNEED later. What is not managed is
 * locked by the host.
 */
static long
lock_range(uintptr_t start, uintptr_t end, long number, long flags)
{
	bool lock = number != SYS_munlock;
	uintptr_t at = start;
	long result = 0;
	struct qr_area_info piece;
	qr_space_lock(qr_linux.space);
	while (result == 0 && at < end) {
		uintptr_t gap = at;
		bool found = managed_next(&at, end, &piece);
		uintptr_t gap_end = found ? piece.start : end;
		if (gap < gap_end)
			result = qr_sys3(number, gap, gap_end - gap, flags);
		if (found && result == 0)
			result = qr_space_advise(qr_linux.space, piece.start,
			    piece.end - piece.start,
			    lock ? QR_ADVICE_LOCK : QR_ADVICE_UNLOCK, 0);
		if (!found)
			break;
	}
	qr_space_unlock(qr_linux.space);
	return result;
}

static long
call_mlock(long number, const long a[6])
{
	uintptr_t start = (uintptr_t)a[0] & ~(QR_PAGE_SIZE - 1);
	uintptr_t end = page_up((uintptr_t)a[0] + (size_t)a[1]);
	long flags = number == SYS_mlock2 ? a[2] : 0;
	if (end < start || (flags & ~(long)MLOCK_ONFAULT) != 0)
		return -EINVAL;
	long result = lock_range(start, end, number, flags);
	if (result == 0 && number != SYS_munlock && flags == 0)
		populate(start, end - start);
	return result;
}

static long
call_mlockall(bool lock, int flags)
{
	const int known = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
	uintptr_t at = 0;
	struct qr_area_info area;
	if (lock && ((flags & ~known) != 0 ||
			(flags & (MCL_CURRENT | MCL_FUTURE)) == 0))
		return -EINVAL;
	qr_space_lock(qr_linux.space);
	qr_linux.lock_future = lock && (flags & MCL_FUTURE) != 0;
	bool current = !lock || (flags & MCL_CURRENT) != 0;
	/* By query: what is alike then is joined behind it. */
	while (current && managed_next(&at, UINTPTR_MAX, &area)) {
		int failed = qr_space_advise(qr_linux.space, area.start,
		    area.end - area.start,
		    lock ? QR_ADVICE_LOCK : QR_ADVICE_UNLOCK, 0);
		QR_ASSERT(failed == 0, "locking a whole area failed: %d",
		    failed);
	}
	qr_space_unlock(qr_linux.space);
	return 0;
}

/* The host's answer, with the core's word for managed pages: one that is
 * compressed is not in core. */
static long
mincore_step(uintptr_t start, size_t pages, unsigned char *vec)
{
	uintptr_t at = start;
	uintptr_t end = start + pages * QR_PAGE_SIZE;
	struct qr_area_info piece;
	qr_space_lock(qr_linux.space);
	long result = qr_sys3(SYS_mincore, start, end - start, vec);
	while (result == 0 && managed_next(&at, end, &piece))
		result = qr_space_mincore(qr_linux.space, piece.start,
		    piece.end - piece.start,
		    vec + (piece.start - start) / QR_PAGE_SIZE);
	qr_space_unlock(qr_linux.space);
	return result;
}

static long
call_mincore(struct qr_thread *thread, const long a[6])
{
	uintptr_t start = (uintptr_t)a[0];
	size_t pages = page_up((size_t)a[1]) / QR_PAGE_SIZE;
	unsigned char *out = (unsigned char *)a[2];
	unsigned char vec[MINCORE_STEP];
	if (!range_is_sane(start, (size_t)a[1]))
		return host_call(SYS_mincore, a);
	for (size_t done = 0; done < pages;) {
		size_t step = pages - done;
		if (step > MINCORE_STEP)
			step = MINCORE_STEP;
		pager_enter(thread);
		long failed =
		    mincore_step(start + done * QR_PAGE_SIZE, step, vec);
		pager_leave(thread);
		if (failed == 0)
			failed = copy_to_program(thread, out + done, vec, step);
		if (failed != 0)
			return failed;
		done += step;
	}
	return 0;
}

static long
mapping_call(long number, const long a[6])
{
	switch (number) {
	case SYS_mmap:
		return call_mmap(a);
	case SYS_munmap:
		return call_munmap(a);
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		return call_mprotect(number, a);
	case SYS_mremap:
		return call_mremap(a);
	case SYS_brk:
		return call_brk(a);
	case SYS_madvise:
		return call_madvise(a);
	case SYS_mlock:
	case SYS_mlock2:
	case SYS_munlock:
		return call_mlock(number, a);
	case SYS_mlockall:
		return call_mlockall(true, (int)a[0]);
	case SYS_munlockall:
		return call_mlockall(false, 0);
	default:
		return host_call(number, a);
	}
}

long
pager_mapping_call(struct qr_thread *thread, long number, const long args[6])
{
	if (qr_linux.space == NULL)
		return host_call(number, args);
	if (number == SYS_mincore)
		return call_mincore(thread, args);
	/* It measures. Not from inside: it takes a record. */
	if (number == SYS_mmap && is_charged(args))
		helper_wanted();
	pager_enter(thread);
	long result = mapping_call(number, args);
	pager_leave(thread);
	return result;
}
