/* SPDX-License-Identifier: MIT */
/* advise.c: madvise, the mlock family and mincore on managed memory. */
#include <errno.h>
#include <sys/mman.h>

#include "../../core/base/check.h"
#include "files.h"
#include "mapping_impl.h"

/* Bytes of mincore's answer computed at a time. */
#define MINCORE_STEP 256u

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
	while (mapping_next(&start, end, &piece)) {
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
	while (mapping_next(&start, stop, &piece)) {
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
	bool managed = mapping_touches(start, start + size);
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
		/* The kernel's word for rights that are missing. */
		if (failed != 0)
			return failed == -QR_EFAULT ? -EINVAL : failed;
	}
	return 0;
}

long
mapping_madvise(const long a[6])
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
		bool found = mapping_next(&at, end, &piece);
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

long
mapping_mlock(long number, const long a[6])
{
	uintptr_t start = (uintptr_t)a[0] & ~(QR_PAGE_SIZE - 1);
	uintptr_t end = page_up((uintptr_t)a[0] + (size_t)a[1]);
	long flags = number == SYS_mlock2 ? a[2] : 0;
	if (end < start || (flags & ~(long)MLOCK_ONFAULT) != 0)
		return -EINVAL;
	long result = lock_range(start, end, number, flags);
	if (result == 0 && number != SYS_munlock && flags == 0)
		mapping_populate(start, end - start);
	return result;
}

long
mapping_mlockall(bool lock, int flags)
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
	while (current && mapping_next(&at, UINTPTR_MAX, &area)) {
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
	while (result == 0 && mapping_next(&at, end, &piece))
		result = qr_space_mincore(qr_linux.space, piece.start,
		    piece.end - piece.start,
		    vec + (piece.start - start) / QR_PAGE_SIZE);
	qr_space_unlock(qr_linux.space);
	return result;
}

long
mapping_mincore(struct qr_thread *thread, const long a[6])
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
