/* SPDX-License-Identifier: MIT */
/*
 * managed.c: what of the address space is managed, piece by piece, and how
 * that changes.
 */
#include <errno.h>
#include <sys/mman.h>

#include "../../core/base/bits.h"
#include "mapping_impl.h"

/*
 * What is managed in [start, end), one piece after the other: stores the
 * next piece at or after *at and returns true. Space locked.
 */
bool
mapping_next(uintptr_t *at, uintptr_t end, struct qr_area_info *piece)
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

bool
mapping_touches(uintptr_t start, uintptr_t end)
{
	struct qr_area_info piece;
	return mapping_next(&start, end, &piece);
}

/* The host has replaced or removed the range: nothing of it is managed any
 * more. Space locked. */
void
mapping_forget(uintptr_t start, size_t size)
{
	if (!mapping_touches(start, start + size))
		return;
	int failed = qr_space_unmap(qr_linux.space, start, size, QR_HOST_DONE);
	if (failed != 0)
		linux_die("no memory left to record an unmapping", 137);
}

/* A fresh private anonymous mapping of the host becomes managed. Space
 * locked. 0 or -errno; then it is not. */
int
mapping_add(uintptr_t start, size_t size, int prot, unsigned flags)
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
		mapping_forget(start, size);
	return failed;
}

int
mapping_manage(uintptr_t start, size_t size, int prot)
{
	qr_space_lock(qr_linux.space);
	int failed = mapping_add(start, size, prot, 0);
	qr_space_unlock(qr_linux.space);
	return failed;
}

/*
 * Before the host unmaps or moves a range itself: no page of it may be on its
 * way out, whose write protection and MADV_DONTNEED would hit what comes in
 * its place. Space locked; ends with mapping_let_go().
 */
void
mapping_hold(unsigned index, uintptr_t start, size_t size)
{
	if (range_is_sane(start, size))
		qr_space_hold(qr_linux.space, &qr_linux.hold[index], start,
		    page_up(size));
}

void
mapping_let_go(void)
{
	qr_space_unpin(&qr_linux.hold[0]);
	qr_space_unpin(&qr_linux.hold[1]);
}

/* Touches the managed part of a range, a write where that is allowed, until a
 * touch fails. What lies behind half the budget is left to its faults: more
 * would push out what has just come in. */
void
mapping_populate(uintptr_t start, size_t size)
{
	size_t most = qr_linux.frames / 2 * QR_PAGE_SIZE;
	uintptr_t end = start + qr_min(size, most);
	struct qr_area_info piece;
	for (uintptr_t page = start; page < end; page += QR_PAGE_SIZE) {
		uintptr_t at = page;
		qr_space_lock(qr_linux.space);
		bool more = mapping_next(&at, end, &piece);
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
