/* SPDX-License-Identifier: MIT */
/* cases_memory.c: calls that make, move, drop and ask about mappings. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "case.h"

/* Pages that tell which they are, warm or not. */
static unsigned char *
numbered(size_t pages)
{
	unsigned char *start = cell_pages(pages * PAGE);
	for (size_t i = 0; i < pages; i++)
		memset(start + i * PAGE, (int)(i + 1), PAGE);
	return start;
}

static void
say_pages(const unsigned char *start, size_t pages)
{
	for (size_t i = 0; i < pages; i++) {
		bool whole = true;
		const unsigned char *page = start + i * PAGE;
		for (size_t k = 1; k < PAGE; k++)
			whole &= page[k] == page[0];
		say("%d%s ", page[0], whole ? "" : "!");
	}
	say("\n");
}

static sigjmp_buf back;

static void
leave(int signal)
{
	siglongjmp(back, signal);
}

/* 0, or the signal that touching it raises. */
static int
touched(volatile unsigned char *at, bool write)
{
	signal(SIGSEGV, leave);
	signal(SIGBUS, leave);
	int caught = sigsetjmp(back, 1);
	if (caught == 0) {
		unsigned char byte = *at;
		if (write)
			*at = byte;
	}
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	return caught;
}

static void
moved(void)
{
	unsigned char *from = numbered(12);
	void *grown;
	CALL(mremap(from, 12 * PAGE, 4 * PAGE, 0) == from);
	CALL(touched(from + 4 * PAGE, false));
	CALL((grown = mremap(from, 4 * PAGE, 3000 * PAGE, MREMAP_MAYMOVE)) !=
	     MAP_FAILED);
	chill_also(grown, 3000 * PAGE);
	chill();
	say_pages(grown, 6);
	CALL(munmap(grown, 3000 * PAGE));
}

static void
moved_there(void)
{
	unsigned char *from = numbered(8);
	unsigned char *to = numbered(20);
	CALL(mremap(from + PAGE, 4 * PAGE, 4 * PAGE,
		 MREMAP_MAYMOVE | MREMAP_FIXED,
		 to + 10 * PAGE) == to + 10 * PAGE);
	chill();
	say_pages(to, 20);
	say_pages(from, 1);
	CALL(touched(from + PAGE, false));
	say_pages(from + 5 * PAGE, 3);
	CALL(mremap(to, 10 * PAGE, 10 * PAGE,
		 MREMAP_MAYMOVE | MREMAP_DONTUNMAP) != to);
	say_pages(to, 2);
	CALL(mremap(to + 1, PAGE, PAGE, MREMAP_MAYMOVE) == MAP_FAILED);
	CALL(mremap(to, 5 * PAGE, 5 * PAGE, MREMAP_FIXED, from) == MAP_FAILED);
}

static void
unmapped(void)
{
	unsigned char *start = numbered(10);
	CALL(munmap(start + 3 * PAGE, 4 * PAGE));
	CALL(touched(start + 4 * PAGE, false));
	say_pages(start, 3);
	say_pages(start + 7 * PAGE, 3);
	CALL(munmap(start + 3 * PAGE, 4 * PAGE));
	CALL(munmap(start + 1, PAGE));
	CALL(munmap(start, 0));
}

static void
rights(void)
{
	unsigned char *start = numbered(9);
	CALL(mprotect(start, 3 * PAGE, PROT_READ));
	CALL(mprotect(start + 3 * PAGE, 3 * PAGE, PROT_NONE));
	for (size_t i = 0; i < 9; i += 2)
		say("%d %d\n", touched(start + i * PAGE, false),
		    touched(start + i * PAGE, true));
	chill();
	CALL(mprotect(start, 9 * PAGE, PROT_READ | PROT_WRITE));
	say_pages(start, 9);
	CALL(mprotect(start + 1, PAGE, PROT_READ));
}

static void
dropped(void)
{
	unsigned char *start = numbered(10);
	CALL(madvise(start + 2 * PAGE, 3 * PAGE, MADV_DONTNEED));
	say_pages(start, 10);
	CALL(madvise(start + 9 * PAGE, PAGE, MADV_FREE));
	start[9 * PAGE] = 77;
	say("%d\n", start[9 * PAGE]);
	CALL(madvise(start + 5 * PAGE, PAGE, MADV_WILLNEED));
	CALL(madvise(start, 10 * PAGE, MADV_COLD));
	CALL(madvise(start, 10 * PAGE, MADV_SEQUENTIAL));
	CALL(madvise(start, 9 * PAGE, MADV_HUGEPAGE));
	CALL(madvise(start + 3, PAGE, MADV_DONTNEED));
	CALL(madvise(start, PAGE, 999));
	say_pages(start, 9);
}

static void
populated(void)
{
	unsigned char *start = numbered(10);
	CALL(madvise(start, 10 * PAGE, MADV_POPULATE_READ));
	CALL(madvise(start, 10 * PAGE, MADV_POPULATE_WRITE));
	say_pages(start, 10);
	mprotect(start, PAGE, PROT_READ);
	CALL(madvise(start, 2 * PAGE, MADV_POPULATE_WRITE));
	unsigned char *more = mmap(NULL, 5 * PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	say_pages(more, 5);
	munmap(more, 5 * PAGE);
}

/* What a child gets and does not get. */
static void
inherited(void)
{
	unsigned char *wiped = numbered(3);
	unsigned char *kept = numbered(3);
	unsigned char *absent = numbered(3);
	CALL(madvise(wiped, 3 * PAGE, MADV_WIPEONFORK));
	CALL(madvise(absent, 3 * PAGE, MADV_DONTFORK));
	chill();
	pid_t pid = case_fork();
	if (pid == 0) {
		say_pages(wiped, 3);
		say_pages(kept, 3);
		say("%d\n", touched(absent, false));
		_exit(0);
	}
	say_child("child", pid);
	say_pages(wiped, 3);
	say_pages(absent, 3);
}

static void
replaced(void)
{
	unsigned char *start = numbered(10);
	int fd = file_new();
	write(fd, cell_fill(PAGE, 1), PAGE);
	CALL(mmap(start + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) == start + 2 * PAGE);
	CALL(mmap(start + 5 * PAGE, PAGE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, fd, 0) == start + 5 * PAGE);
	say_bytes("file", start + 5 * PAGE, PAGE);
	say_pages(start, 5);
	say_pages(start + 6 * PAGE, 4);
	start[5 * PAGE] = 99;
	CALL(pread(fd, start, 1, 0));
	say("%d\n", start[0]);
	CALL(mmap(start, PAGE, PROT_READ,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) == MAP_FAILED);
	close(fd);
}

static void
file_mapped(void)
{
	unsigned char *bytes = cell_fill(3 * PAGE, 2);
	int fd = file_new();
	CALL(write(fd, bytes, 3 * PAGE));
	unsigned char *own =
	    mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	unsigned char *shared =
	    mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	own[0] = 1;
	shared[PAGE] = 2;
	CALL(msync(shared, 3 * PAGE, MS_SYNC));
	CALL(pwrite(fd, own, PAGE, 2 * (off_t)PAGE));
	say("%d %d %d\n", shared[0] == bytes[0], own[PAGE], shared[2 * PAGE]);
	CALL(touched(shared + 3 * PAGE, false) == SIGBUS);
	CALL(write(fd, shared + 3 * PAGE, 10));
	CALL(ftruncate(fd, PAGE));
	CALL(touched(shared + PAGE, false) == SIGBUS);
	munmap(own, 3 * PAGE);
	munmap(shared, 4 * PAGE);
	close(fd);
}

static void
locked(void)
{
	unsigned char *start = numbered(6);
	unsigned char *vec = cell(6);
	CALL(mlock(start + PAGE, 2 * PAGE));
	CALL(mincore(start + PAGE, 2 * PAGE, vec));
	say("%d %d\n", vec[0] & 1, vec[1] & 1);
	say_pages(start, 6);
	CALL(madvise(start + PAGE, PAGE, MADV_DONTNEED));
	CALL(munlock(start + PAGE, 2 * PAGE));
	CALL(syscall(SYS_mlock2, start, PAGE, 1));
	CALL(munlock(start, PAGE));
	CALL(mincore(start, 6 * PAGE, place(8)));
	CALL(mincore(start + 1, PAGE, vec));
	CALL(mlockall(MCL_CURRENT | MCL_ONFAULT) == 0 || errno == EPERM ||
	     errno == ENOMEM);
	CALL(munlockall());
	say_pages(start, 6);
}

static void
heap_end(void)
{
	unsigned char *start = sbrk(0);
	CALL(sbrk(50 * (intptr_t)PAGE) == start);
	chill_also(start, 40 * PAGE);
	memset(start, 8, 50 * PAGE);
	CALL(brk(start + 20 * PAGE));
	chill();
	say_pages(start, 3);
	CALL(brk(start + 30 * PAGE));
	say_pages(start + 19 * PAGE, 3);
	CALL(brk(start) == 0 && sbrk(0) == start);
}

/* A range of the program's own to serve faults in. */
static void
own_faults(void)
{
	unsigned char *start = numbered(4);
	struct uffdio_api *api = cell(sizeof(*api));
	struct uffdio_register *range = cell(sizeof(*range));
	struct uffdio_copy *copy = cell(sizeof(*copy));
	unsigned char *source = numbered(1);
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1);
	api->api = UFFD_API;
	if (fd < 0 || CALL(ioctl(fd, UFFDIO_API, api)) != 0) {
		say_skipped("no userfaultfd here");
		return;
	}
	madvise(start, 4 * PAGE, MADV_DONTNEED);
	range->range.start = (uintptr_t)start;
	range->range.len = 4 * PAGE;
	range->mode = UFFDIO_REGISTER_MODE_MISSING;
	CALL(ioctl(fd, UFFDIO_REGISTER, range));
	copy->dst = (uintptr_t)start;
	copy->src = (uintptr_t)source;
	copy->len = PAGE;
	CALL(ioctl(fd, UFFDIO_COPY, copy));
	say("%d %lld\n", start[10], (long long)copy->copy);
	close(fd);
	say_pages(start, 4);
}

static void
named(void)
{
	unsigned char *start = numbered(3);
	char *name = cell_text("a mapping's name");
	CALL(prctl(53 /* PR_SET_VMA */, 0L, start, PAGE, name) == 0 ||
	     errno == EINVAL);
	CALL(prctl(53, 0L, start, PAGE, NULL) == 0 || errno == EINVAL);
	say_pages(start, 3);
}

static void
keys(void)
{
	unsigned char *start = numbered(4);
	chill();
	int key = pkey_alloc(0, 0);
	if (key < 0) {
		say_skipped("no protection keys here");
		return;
	}
	CALL(pkey_mprotect(start, 2 * PAGE, PROT_READ | PROT_WRITE, key));
	say_pages(start, 4);
	CALL(pkey_mprotect(start, 2 * PAGE, PROT_READ | PROT_WRITE, 0));
	CALL(pkey_free(key));
	say_pages(start, 4);
}

static void
huge_reserve(void)
{
	const size_t size = (size_t)64 << 30;
	unsigned char *start = mmap(NULL, size, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	say("%d\n", start != MAP_FAILED);
	for (size_t i = 1; i < 6; i++) {
		unsigned char *at = start + i * (size / 7) / PAGE * PAGE;
		CALL(mprotect(at, 2 * PAGE, PROT_READ | PROT_WRITE));
		chill_also(at, 2 * PAGE);
		memset(at, (int)i, 2 * PAGE);
	}
	chill();
	for (size_t i = 1; i < 6; i++)
		say_pages(start + i * (size / 7) / PAGE * PAGE, 2);
	CALL(munmap(start, size));
}

static void
kernel_asks(void)
{
	unsigned char *start = numbered(5);
	void **pages = cell(5 * sizeof(*pages));
	int *nodes = cell(5 * sizeof(*nodes));
	int *mode = cell(sizeof(*mode));
	for (size_t i = 0; i < 5; i++)
		pages[i] = start + i * PAGE;
	CALL(syscall(SYS_move_pages, 0, 5, pages, NULL, nodes, 0));
	CALL(syscall(SYS_get_mempolicy, mode, NULL, 0, NULL, 0));
	CALL(syscall(SYS_mbind, start, 5 * PAGE, 0, NULL, 0, 0));
	CALL(syscall(SYS_membarrier, 0, 0, 0) > 0);
	say_pages(start, 5);
}

/* Advice on a process by its descriptor, which may be the caller's own. */
static void
advised_by_descriptor(void)
{
	unsigned char *start = numbered(8);
	struct iovec *ranges = cell(2 * sizeof(*ranges));
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	ranges[0] = (struct iovec){ start, 2 * PAGE };
	ranges[1] = (struct iovec){ start + 4 * PAGE, PAGE };
	CALL(syscall(SYS_process_madvise, fd, ranges, 2, MADV_COLD, 0));
	CALL(syscall(SYS_process_madvise, fd, ranges, 2, MADV_PAGEOUT, 0));
	CALL(syscall(SYS_process_madvise, fd, ranges, 2, MADV_WILLNEED, 0));
	CALL(syscall(SYS_process_madvise, fd, ranges, 2, MADV_COLD, 7));
	CALL(syscall(SYS_process_madvise, -1, ranges, 2, MADV_COLD, 0));
	say_pages(start, 8);
	close(fd);
}

/* Stacks that grow, and those that the kernel takes for one. */
static unsigned
deep(unsigned depth)
{
	volatile unsigned char room[3000];
	memset((void *)room, (int)depth, sizeof(room));
	unsigned below = depth == 0 ? 0 : deep(depth - 1);
	return below + room[depth];
}

static void
grown_stack(void)
{
	unsigned char *start = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
	say("%d\n", start != MAP_FAILED);
	memset(start, 3, 4 * PAGE);
	chill();
	say_pages(start, 4);
	munmap(start, 4 * PAGE);
	say("%u\n", deep(100));
}

static const struct test_case cases[] = {
	{ "moved", moved, CASE_MAPS },
	{ "moved_there", moved_there, CASE_MAPS },
	{ "unmapped", unmapped, CASE_MAPS },
	{ "rights", rights, CASE_MAPS },
	{ "dropped", dropped, CASE_MAPS },
	{ "populated", populated, CASE_MAPS },
	{ "inherited", inherited, CASE_MAPS },
	{ "replaced", replaced, CASE_MAPS | CASE_HELD },
	{ "file_mapped", file_mapped, CASE_MAPS },
	{ "locked", locked, CASE_MAPS | CASE_HELD },
	{ "heap_end", heap_end, CASE_MAPS | CASE_ALONE },
	{ "own_faults", own_faults, CASE_MAPS | CASE_HELD | CASE_ALONE },
	{ "named", named, CASE_MAPS },
	{ "keys", keys, CASE_MAPS },
	{ "huge_reserve", huge_reserve, CASE_MAPS },
	{ "kernel_asks", kernel_asks, CASE_MAPS },
	{ "advised_by_descriptor", advised_by_descriptor, CASE_MAPS },
	{ "grown_stack", grown_stack, CASE_MAPS },
	{ 0 },
};

const struct test_group memory_group = { "memory", cases, NULL };
