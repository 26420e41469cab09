/* SPDX-License-Identifier: MIT */
/*
 * swapfile.c: the swap device is a file without a name.
 *
 * It is made with O_TMPFILE (else under a name that is removed at once), so
 * whatever ends the process leaves nothing behind. It is sparse: slots take
 * disk space when they are written and give it back when they are trimmed. A
 * file system in RAM is refused, since swapping to it frees nothing.
 *
 * A write that is refused for want of space is an ordinary "no more swap": the
 * core tries again when it has freed some, or when the file is larger than it
 * was then. So that it tries again, too, when others have freed some, or
 * RLIMIT_FSIZE was raised, the file is a page smaller for a while after each
 * refusal. The size stays below RLIMIT_FSIZE; the signal that comes with a
 * refusal of that kind is taken away again.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "../../core/base/bits.h"
#include "files.h"
#include "linux.h"
#include "print.h"
#include "sys.h"

#ifndef RAMFS_MAGIC
#define RAMFS_MAGIC 0x858458f6
#endif

#define SWAP_DIR_DEFAULT "/var/tmp"

/* Without --swap-max: as many times the budget, but half of what is free. */
#define SWAP_BUDGETS 4u

/* After a refusal the next write is tried so much later. */
#define REFUSED_NS UINT64_C(200000000)

/* When the file has its size again; 0: no write was refused since. */
static _Atomic(uint64_t) refused_until_ns;

/* A file of no name in the swap folder: its descriptor, or -errno. */
static int
file_create(void)
{
	const int how = O_RDWR | O_EXCL | O_CLOEXEC | O_LARGEFILE;
	long dir = own_fd(OWN_SWAP_DIR);
	long fd = qr_sys4(SYS_openat, dir, ".", (long)(how | O_TMPFILE), 0600L);
	if (fd != -EOPNOTSUPP && fd != -EISDIR && fd != -EINVAL)
		return (int)fd;
	char name[64];
	struct print print;
	print_init(&print, name, sizeof(name));
	print_format(&print, ".quire-swap.%lx",
	    (unsigned long)linux_port_ops.random(NULL));
	fd = qr_sys4(SYS_openat, dir, name, (long)(how | O_CREAT), 0600L);
	if (fd >= 0)
		qr_sys3(SYS_unlinkat, dir, name, 0L);
	return (int)fd;
}

static uint64_t
pages_allowed(const struct qr_linux_config *config, const struct statfs *fs)
{
	uint64_t most = (uint64_t)fs->f_bavail * (uint64_t)fs->f_bsize / 2;
	uint64_t size = config->swap_bytes_max != 0
			    ? config->swap_bytes_max
			    : config->budget_bytes * SWAP_BUDGETS;
	if (config->swap_bytes_max == 0 && size > most)
		size = most;
	return size / QR_PAGE_SIZE;
}

/* So many pages, but no more than a file may have. */
static uint64_t
pages_limited(uint64_t pages)
{
	struct rlimit limit;
	if (qr_sys4(SYS_prlimit64, 0L, RLIMIT_FSIZE, NULL, &limit) != 0)
		return pages;
	return qr_min(pages, (uint64_t)limit.rlim_cur / QR_PAGE_SIZE);
}

int
swapfile_open(const struct qr_linux_config *config)
{
	const char *dir =
	    config->swap_dir[0] != '\0' ? config->swap_dir : SWAP_DIR_DEFAULT;
	struct statfs fs;
	if (config->swap_off)
		return 0;
	int failed = own_fd_set(OWN_SWAP_DIR,
	    (int)qr_sys4(SYS_openat, (long)AT_FDCWD, dir,
		(long)(O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0L));
	if (failed != 0)
		return failed;
	failed = (int)qr_sys2(SYS_fstatfs, own_fd(OWN_SWAP_DIR), &fs);
	if (failed < 0)
		return failed;
	if (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC)
		return -EMEDIUMTYPE;
	uint64_t most = pages_allowed(config, &fs);
	atomic_store(&qr_linux.swap_pages, most);
	/* The limit may be raised. */
	if (pages_limited(most) < most)
		atomic_store(&refused_until_ns, 1);
	return own_fd_set(OWN_SWAP, file_create());
}

uint64_t
linux_swap_size(void *ctx)
{
	(void)ctx;
	if (own_fd(OWN_SWAP) < 0)
		return 0;
	uint64_t most = atomic_load(&qr_linux.swap_pages);
	uint64_t until_ns = atomic_load(&refused_until_ns);
	if (until_ns == 0)
		return most;
	uint64_t size = pages_limited(most);
	if (linux_clock(NULL) < until_ns)
		return size != 0 ? size - 1 : 0;
	/* Another refusal that comes in between counts. */
	if (size == most)
		atomic_compare_exchange_strong(&refused_until_ns, &until_ns, 0);
	return size;
}

/* The program must not get the signal that a write beyond RLIMIT_FSIZE has
 * sent to this thread. One of its own that waits, too, is lost with it. */
static void
take_signal(void)
{
	const uint64_t set = (uint64_t)1 << (SIGXFSZ - 1);
	const struct timespec now = { 0, 0 };
	qr_sys4(SYS_rt_sigtimedwait, &set, NULL, &now, sizeof(set));
}

/* Moves all of the bytes, through short transfers and EINTR. */
static int
transfer(long number, uint64_t slot, unsigned char *data, size_t count)
{
	int fd = own_fd(OWN_SWAP);
	uint64_t at = slot * QR_PAGE_SIZE;
	size_t left = count * QR_PAGE_SIZE;
	if (fd < 0)
		return -QR_EIO;
	while (left > 0) {
		long n = qr_sys4(number, fd, data, left, at);
		if (n == -EINTR)
			continue;
		if (n == -EFBIG)
			take_signal();
		if (n == -ENOSPC || n == -EDQUOT || n == -EFBIG) {
			atomic_store(&refused_until_ns,
			    linux_clock(NULL) + REFUSED_NS);
			return -QR_ENOSPC;
		}
		if (n <= 0)
			return -QR_EIO;
		data += n;
		at += (uint64_t)n;
		left -= (size_t)n;
	}
	return 0;
}

int
linux_swap_read(void *ctx, uint64_t slot, void *data, size_t count)
{
	(void)ctx;
	return transfer(SYS_pread64, slot, data, count);
}

int
linux_swap_write(void *ctx, uint64_t slot, const void *data, size_t count)
{
	(void)ctx;
	return transfer(SYS_pwrite64, slot, (unsigned char *)(uintptr_t)data,
	    count);
}

void
linux_swap_trim(void *ctx, uint64_t slot, size_t count)
{
	(void)ctx;
	int fd = own_fd(OWN_SWAP);
	if (fd >= 0)
		qr_sys4(SYS_fallocate, fd,
		    (long)(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE),
		    slot * QR_PAGE_SIZE, count * QR_PAGE_SIZE);
}

/* Copies what the file holds, hole by hole; both stay as large. */
static int
copy_extents(int from, int to)
{
	long data = 0;
	for (;;) {
		data = qr_sys3(SYS_lseek, from, data, (long)SEEK_DATA);
		if (data == -ENXIO)
			return 0; /* nothing but a hole is left */
		if (data < 0)
			return (int)data;
		long hole = qr_sys3(SYS_lseek, from, data, (long)SEEK_HOLE);
		if (hole < 0)
			return (int)hole;
		while (data < hole) {
			int64_t in = data;
			int64_t out = data;
			long n =
			    qr_sys6(SYS_copy_file_range, from, QR_SYS_ARG(&in),
				to, QR_SYS_ARG(&out), hole - data, 0);
			if (n == -EINTR)
				continue;
			if (n <= 0)
				return n == 0 ? -EIO : (int)n;
			data += n;
		}
	}
}

int
swapfile_copy(int *copy)
{
	int from = own_fd(OWN_SWAP);
	*copy = -1;
	if (from < 0)
		return 0;
	int fd = file_create();
	if (fd == -EMFILE && own_fd_release(OWN_RESERVE))
		fd = file_create();
	if (fd < 0)
		return fd;
	int failed = copy_extents(from, fd);
	if (failed != 0) {
		qr_sys1(SYS_close, fd);
		return failed;
	}
	*copy = fd_hide(fd);
	return 0;
}
