/* SPDX-License-Identifier: MIT */
/*
 * home.c: memory goes back into the host's hands, with all its contents: a
 * range that the program wants to manage itself, all of it before a dump, or
 * before the process goes on without Quire (retreat.c). Pages that are out are
 * put in place beside the core, since there may be no frames for them.
 */
#include <errno.h>
#include <sys/mman.h>

#include "mapping_impl.h"

/* Puts the pages of [start, end) that are out where they belong. What is zero
 * is the host's to make. 0 or -errno. Space locked, range held. */
static int
bring_home(struct qr_thread *thread, uintptr_t start, uintptr_t end)
{
	qr_vaddr_t at = start;
	for (;; at += QR_PAGE_SIZE) {
		int failed =
		    qr_space_read_out(qr_linux.space, &at, end, thread->peek);
		if (failed == -QR_ENOENT)
			return 0;
		if (failed == 0)
			failed = mmu_put(at, thread->peek);
		if (failed != 0)
			return failed;
	}
}

/* Pages are brought home, and the range is the host's alone from then on. A
 * thread that has just found a page of it missing finds itself in no area:
 * `abandoned` tells it to try again. Space locked. */
static int
abandon(struct qr_thread *thread, uintptr_t start, uintptr_t end)
{
	struct qr_area_info piece;
	while (mapping_next(&start, end, &piece)) {
		size_t size = piece.end - piece.start;
		mapping_hold(0, piece.start, size);
		int failed = bring_home(thread, piece.start, piece.end);
		if (failed == 0)
			failed = qr_space_unmap(qr_linux.space, piece.start,
			    size, QR_HOST_DONE);
		if (failed == 0)
			failed = mmu_unregister(piece.start, size);
		mapping_let_go();
		if (failed != 0)
			return failed;
		atomic_fetch_add(&qr_linux.abandoned, 1);
	}
	return 0;
}

int
mapping_abandon(struct qr_thread *thread, uintptr_t start, size_t size)
{
	pager_enter(thread);
	qr_space_lock(qr_linux.space);
	int failed = abandon(thread, start, start + size);
	qr_space_unlock(qr_linux.space);
	pager_leave(thread);
	return failed;
}

/* The process is about to be dumped: contents only, nothing runs on. */
void
mapping_bring_home(struct qr_thread *thread)
{
	uintptr_t at = 0;
	struct qr_area_info piece;
	pager_enter(thread);
	qr_space_lock(qr_linux.space);
	while (mapping_next(&at, UINTPTR_MAX, &piece)) {
		mapping_hold(0, piece.start, piece.end - piece.start);
		/* What can't be had is missing in the dump. */
		(void)bring_home(thread, piece.start, piece.end);
	}
	qr_space_unlock(qr_linux.space);
	pager_leave(thread);
}
