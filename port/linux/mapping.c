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
#include <sys/shm.h>

#include "helper.h"
#include "mapping_impl.h"
#include "print.h"
#include "report.h"

/* Less than this of unmanaged memory at once needs nobody to measure it. */
#define CHARGED_BYTES_MIN ((size_t)1 << 20)

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
		mapping_hold(0, (uintptr_t)a[0], size);
	if (managed)
		result = qr_space_may_map(qr_linux.space, size, core_prot(prot),
		    mmap_core_flags(flags));
	if (result == 0)
		result =
		    qr_sys6(SYS_mmap, a[0], a[1], a[2], host_flags, a[4], a[5]);
	if (qr_sys_failed(result))
		goto out;
	if (fixed)
		mapping_forget((uintptr_t)result, size);
	if (managed && mapping_add((uintptr_t)result, size, prot,
			   mmap_core_flags(flags)) == -ENOMEM) {
		qr_sys2(SYS_munmap, result, size);
		result = -ENOMEM;
	}
out:
	mapping_let_go();
	qr_space_unlock(qr_linux.space);
	if (managed && !qr_sys_failed(result) &&
	    ((flags & (MAP_POPULATE | MAP_LOCKED)) != 0 ||
		qr_linux.lock_future))
		mapping_populate((uintptr_t)result, size);
	return result;
}

static long
call_munmap(const long a[6])
{
	qr_space_lock(qr_linux.space);
	mapping_hold(0, (uintptr_t)a[0], (size_t)a[1]);
	long result = host_call(SYS_munmap, a);
	if (result == 0)
		mapping_forget((uintptr_t)a[0], page_up((size_t)a[1]));
	mapping_let_go();
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
	while (mapping_next(&start, end, &piece)) {
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
	while (mapping_next(&start, end, &piece)) {
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
		mapping_hold(0, page_up(want), from - page_up(want));
	long result = qr_sys1(SYS_brk, want);
	uintptr_t to = page_up((uintptr_t)result);
	if (to > from &&
	    mapping_add(from, to - from, PROT_READ | PROT_WRITE, 0) == -ENOMEM)
		result = qr_sys1(SYS_brk, qr_linux.brk_end);
	else if (to < from)
		mapping_forget(to, from - to);
	qr_linux.brk_end = (uintptr_t)result;
	mapping_let_go();
	qr_space_unlock(qr_linux.space);
	return result;
}

/* --- shared memory of System V --- */

/* Attached at a place of the program's choice it may replace what is there. */
static long
call_shmat(const long a[6])
{
	struct shmid_ds about;
	if (a[1] == 0 || ((int)a[2] & SHM_REMAP) == 0 ||
	    qr_sys3(SYS_shmctl, a[0], (long)IPC_STAT, &about) != 0)
		return host_call(SYS_shmat, a);
	uintptr_t start = (uintptr_t)a[1];
	if (((int)a[2] & SHM_RND) != 0)
		start &= ~(QR_PAGE_SIZE - 1);
	size_t size = page_up(about.shm_segsz);
	qr_space_lock(qr_linux.space);
	mapping_hold(0, start, size);
	long result = host_call(SYS_shmat, a);
	if (!qr_sys_failed(result))
		mapping_forget((uintptr_t)result, size);
	mapping_let_go();
	qr_space_unlock(qr_linux.space);
	return result;
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
		return mapping_mremap(a);
	case SYS_brk:
		return call_brk(a);
	case SYS_shmat:
		return call_shmat(a);
	case SYS_madvise:
		return mapping_madvise(a);
	case SYS_mlock:
	case SYS_mlock2:
	case SYS_munlock:
		return mapping_mlock(number, a);
	case SYS_mlockall:
		return mapping_mlockall(true, (int)a[0]);
	case SYS_munlockall:
		return mapping_mlockall(false, 0);
	default:
		return host_call(number, a);
	}
}

/* Whether a call would change Quire's own memory, which the program can't know
 * of: said once. */
static bool
hits_own(long number, const long a[6])
{
	static _Atomic(bool) told;
	uintptr_t start = (uintptr_t)a[0];
	size_t size = (size_t)a[1];
	switch (number) {
	case SYS_mmap:
		if (((int)a[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE)) !=
		    MAP_FIXED)
			return false;
		break;
	case SYS_mremap:
		if (((int)a[3] & MREMAP_FIXED) == 0)
			return false;
		start = (uintptr_t)a[4];
		size = (size_t)a[2];
		break;
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		break;
	default:
		return false;
	}
	if (!range_is_sane(start, size) ||
	    !setup_owns(start, start + page_up(size)))
		return false;
	if (!atomic_exchange(&told, true)) {
		char text[256];
		struct print print;
		print_init(&print, text, sizeof(text));
		print_text(&print, "quire: ");
		report_print_process(&print);
		print_format(&print,
		    " was refused call %ld on Quire's own memory at %p\n",
		    number, (void *)start);
		report_say(&print);
	}
	return true;
}

long
pager_mapping_call(struct qr_thread *thread, long number, const long args[6])
{
	if (qr_linux.space == NULL)
		return host_call(number, args);
	if (number == SYS_mincore)
		return mapping_mincore(thread, args);
	if (hits_own(number, args))
		return number == SYS_mmap || number == SYS_mremap ? -EEXIST
								  : -EINVAL;
	/* It measures. Not from inside: it takes a record. */
	if (number == SYS_mmap && is_charged(args))
		helper_wanted();
	pager_enter(thread);
	long result = mapping_call(number, args);
	pager_leave(thread);
	return result;
}
