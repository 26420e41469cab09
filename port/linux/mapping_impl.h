/* SPDX-License-Identifier: MIT */
/*
 * mapping_impl.h: what the files share that carry out the program's calls on
 * mappings. The essay is in mapping.c.
 */
#ifndef QR_LINUX_MAPPING_IMPL_H
#define QR_LINUX_MAPPING_IMPL_H

#include "linux.h"
#include "pager.h"
#include "sys.h"
#include "uapi.h"

static inline long
host_call(long number, const long a[6])
{
	return qr_sys6(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static inline uintptr_t
page_up(uintptr_t n)
{
	return (n + QR_PAGE_SIZE - 1) & ~(QR_PAGE_SIZE - 1);
}

/* What the core takes of mmap's rights. */
static inline unsigned
core_prot(long prot)
{
	return (unsigned)prot & (QR_PROT_READ | QR_PROT_WRITE | QR_PROT_EXEC);
}

/* Whether [start, start + size) can be a range of pages at all. */
static inline bool
range_is_sane(uintptr_t start, size_t size)
{
	return (start & (QR_PAGE_SIZE - 1)) == 0 && size != 0 &&
	       start + page_up(size) > start;
}

/* --- managed.c; space locked but for the last --- */

/* What is managed in [start, end), one piece after the other: stores the next
 * piece at or after *at and returns true. */
bool mapping_next(uintptr_t *at, uintptr_t end, struct qr_area_info *piece);
bool mapping_touches(uintptr_t start, uintptr_t end);

/* The host has replaced or removed the range: nothing of it is managed any
 * more. */
void mapping_forget(uintptr_t start, size_t size);

/* A fresh private anonymous mapping of the host becomes managed. 0 or -errno;
 * then it is not. */
QR_MUST_CHECK int mapping_add(uintptr_t start, size_t size, int prot,
    unsigned flags);

/* Before the host unmaps or moves a range itself: no page of it may be on its
 * way out, whose write protection and MADV_DONTNEED would hit what comes in
 * its place. Two at a time, ended by mapping_let_go(). */
void mapping_hold(unsigned index, uintptr_t start, size_t size);
void mapping_let_go(void);

/* Touches the managed part of a range, a write where that is allowed, until a
 * touch fails. Space not locked. */
void mapping_populate(uintptr_t start, size_t size);

/* --- the calls, inside the core --- */

/* remap.c */
long mapping_mremap(const long a[6]);

/* advise.c */
long mapping_madvise(const long a[6]);
long mapping_mlock(long number, const long a[6]);
long mapping_mlockall(bool lock, int flags);
/* This one outside. */
long mapping_mincore(struct qr_thread *thread, const long a[6]);

#endif
