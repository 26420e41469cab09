/* SPDX-License-Identifier: MIT */
/*
 * heap/os.c: what the heap asks of Linux and libc: pages, the time, and not
 * to be cancelled. Nothing here allocates or changes errno.
 *
 * Reservations are PROT_NONE, so they count against RLIMIT_AS only; a commit
 * makes a part writable and is what the kernel's overcommit accounting sees.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "calls_impl.h"

/* Since Linux 5.14; headers may be older. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Of a limited address space one reservation takes at most this part. */
#define OS_SPACE_PART 4u

static void *
os_map(size_t bytes)
{
	void *start =
	    mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return start == MAP_FAILED ? NULL : start;
}

/* Maps more than is needed and cuts both ends off. */
static void *
os_map_aligned(size_t bytes, size_t align)
{
	char *start = os_map(bytes);
	if (start == NULL || ((uintptr_t)start & (align - 1)) == 0)
		return start;
	munmap(start, bytes);
	if (bytes + align < bytes)
		return NULL;
	start = os_map(bytes + align);
	if (start == NULL)
		return NULL;
	size_t before = -(uintptr_t)start & (align - 1);
	if (before != 0)
		munmap(start, before);
	if (before != align)
		munmap(start + before + bytes, align - before);
	return start + before;
}

static int
os_reserve(void *ctx, size_t bytes, size_t align, void **start)
{
	(void)ctx;
	int saved = errno;
	void *found = os_map_aligned(bytes, align != 0 ? align : 1);
	errno = saved;
	if (found == NULL)
		return -QR_ENOMEM;
	*start = found;
	return 0;
}

static int
os_commit(void *ctx, void *start, size_t bytes)
{
	(void)ctx;
	int saved = errno;
	int err = mprotect(start, bytes, PROT_READ | PROT_WRITE);
	errno = saved;
	return err == 0 ? 0 : -QR_ENOMEM;
}

static int
os_decommit(void *ctx, void *start, size_t bytes)
{
	(void)ctx;
	int saved = errno;
	/* DONTNEED, not FREE: the resident size is to be true. */
	int err = madvise(start, bytes, MADV_DONTNEED);
	int cause = errno;
	errno = saved;
	return err == 0 ? 0 : -cause;
}

/* Whether the kernel has said that it does not know the advice. */
static _Atomic(bool) os_no_populate;

static void
os_advise(void *start, size_t bytes, int advice)
{
	int saved = errno;
	int err = madvise(start, bytes, advice);
	/* Relaxed: told again, it says so again. */
	if (err != 0 && errno == EINVAL && advice == MADV_POPULATE_WRITE)
		atomic_store_explicit(&os_no_populate, true,
		    memory_order_relaxed);
	errno = saved;
}

/* In a budget the pager decides. */
static void
os_hint(void *ctx, void *start, size_t bytes, enum qr_page_hint hint)
{
	(void)ctx;
	if (qr_heap_stands_alone == NULL)
		return;
	switch (hint) {
	case QR_PAGE_HINT_WRITTEN:
		if (!atomic_load_explicit(&os_no_populate,
			memory_order_relaxed))
			os_advise(start, bytes, MADV_POPULATE_WRITE);
		break;
	case QR_PAGE_HINT_DENSE:
		os_advise(start, bytes, MADV_HUGEPAGE);
		break;
	case QR_PAGE_HINT_SPARSE:
		os_advise(start, bytes, MADV_NOHUGEPAGE);
		break;
	}
}

static void
os_release(void *ctx, void *start, size_t bytes)
{
	(void)ctx;
	int saved = errno;
	munmap(start, bytes);
	errno = saved;
}

static const struct qr_page_source_ops os_ops = {
	.reserve = os_reserve,
	.commit = os_commit,
	.decommit = os_decommit,
	.release = os_release,
	.hint = os_hint,
};

/* Filled by each call: a limit of address space may have been set since. */
static struct qr_page_source os_source = { .ops = &os_ops };

const struct qr_page_source *
qr_page_source_os(void)
{
	int saved = errno;
	struct rlimit limit;
	size_t most = 0;
	if (getrlimit(RLIMIT_AS, &limit) == 0 &&
	    limit.rlim_cur != RLIM_INFINITY)
		most = (size_t)limit.rlim_cur / OS_SPACE_PART;
	long page = sysconf(_SC_PAGESIZE);
	errno = saved;
	os_source.grain_bytes = page > 0 ? (size_t)page : QR_PAGE_SIZE;
	os_source.reserve_bytes_max = most;
	return &os_source;
}

void
qr_heap_say(const char *text)
{
	static const char head[] = "quire: ";
	struct iovec part[] = {
		{ .iov_base = (void *)(uintptr_t)head,
		    .iov_len = sizeof(head) - 1 },
		{ .iov_base = (void *)(uintptr_t)text,
		    .iov_len = strlen(text) },
		{ .iov_base = (void *)(uintptr_t) "\n", .iov_len = 1 },
	};
	/* Where nobody listens, nothing is lost. */
	ssize_t done = writev(STDERR_FILENO, part, 3);
	(void)done;
}

uint64_t
qr_heap_clock(void)
{
	struct timespec now;
	if (clock_gettime(CLOCK_MONOTONIC_COARSE, &now) != 0)
		return 0;
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/*
 * The type, not the state: glibc's handler of the cancel signal looks at the
 * type alone, so a signal in flight would kill a thread whose state is off.
 * It is also the cheaper one, as threads are of the deferred type already.
 * Nothing in the heap is a point of deferred cancellation.
 */
int
qr_heap_cancel_defer(void)
{
	int type = PTHREAD_CANCEL_DEFERRED;
	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
	return type;
}

void
qr_heap_cancel_restore(int type)
{
	if (type != PTHREAD_CANCEL_DEFERRED)
		pthread_setcanceltype(type, NULL);
}
