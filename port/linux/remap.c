/* SPDX-License-Identifier: MIT */
/* remap.c: mremap on managed memory. */
#include <errno.h>
#include <sys/mman.h>

#include "../../core/base/bits.h"
#include "mapping_impl.h"

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
	while (mapping_next(&start, end, &piece))
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
	mapping_forget(remap->to, remap->to_size);
	while (mapping_next(&at, remap->from + kept, &piece)) {
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
		mapping_forget(remap->from + kept, remap->from_size - kept);
	if (failed == 0 && remap->to_size > kept)
		failed = mapping_add(remap->to + kept, remap->to_size - kept,
		    (int)area->prot, keep_flags);
	if (failed == 0 && moved && (remap->flags & MREMAP_DONTUNMAP) != 0)
		failed = mapping_add(remap->from, remap->from_size,
		    (int)area->prot, keep_flags);
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
	while (mapping_next(&start, end, &piece)) {
		size_t piece_size = piece.end - piece.start;
		/* It does nothing but look for holes. */
		if (qr_sys3(SYS_msync, piece.start, piece_size, MS_ASYNC) ==
		    -ENOMEM)
			mapping_forget(piece.start, piece_size);
	}
}

long
mapping_mremap(const long a[6])
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
	mapping_hold(0, remap.from, remap.from_size);
	if (fixed)
		mapping_hold(1, (uintptr_t)a[4], remap.to_size);
	bool managed = range_is_sane(remap.from, remap.from_size) &&
		       mapping_next(&at, remap.from + remap.from_size, &area);
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
		mapping_forget(remap.to, remap.to_size);
	mapping_let_go();
	qr_space_unlock(qr_linux.space);
	return result;
}
