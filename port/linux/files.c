/* SPDX-License-Identifier: MIT */
/*
 * files.c: Quire's own descriptors, and bytes to and from the program.
 *
 * They have high numbers, below the soft limit, so that the program gets the
 * numbers that it would get without Quire; they close on exec. Losing the
 * userfaultfd would make missing pages read as zeros, and losing the swap
 * file loses data, so the gate keeps the program from closing them: it asks
 * here whose a number is.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "files.h"
#include "helper.h"
#include "ledger.h"
#include "linux.h"
#include "pager.h"
#include "sys.h"

/* Numbers below the soft limit that Quire's own start at. */
#define FD_ROOM 32u

int
fd_hide(int fd)
{
	struct rlimit limit = { 1024, 1024 };
	qr_sys4(SYS_prlimit64, 0L, (long)RLIMIT_NOFILE, NULL, &limit);
	uint64_t top = limit.rlim_cur > 1024 ? 1024 : limit.rlim_cur;
	long from = top > FD_ROOM ? (long)(top - FD_ROOM) : 0;
	long high = qr_sys3(SYS_fcntl, fd, (long)F_DUPFD_CLOEXEC, from);
	if (high < 0)
		return fd;
	qr_sys1(SYS_close, fd);
	return (int)high;
}

static int
open_hidden(const char *path)
{
	long fd = qr_sys4(SYS_openat, (long)AT_FDCWD, path,
	    (long)(O_RDONLY | O_CLOEXEC), 0L);
	return fd < 0 ? (int)fd : fd_hide((int)fd);
}

static void
renew(int *fd, const char *path)
{
	if (*fd >= 0)
		qr_sys1(SYS_close, *fd);
	*fd = open_hidden(path);
}

int
open_own_files(void)
{
	renew(&qr_linux.mem_fd, "/proc/self/mem");
	renew(&qr_linux.status_fd, "/proc/self/status");
	return qr_linux.status_fd < 0 ? qr_linux.status_fd : 0;
}

/* Stores Quire's numbers, and returns how many. */
#define OWN_FDS 6u

static void
own_fds(int fds[OWN_FDS])
{
	fds[0] = qr_linux.uffd;
	fds[1] = qr_linux.mem_fd;
	fds[2] = qr_linux.status_fd;
	fds[3] = atomic_load(&qr_linux.swap_fd);
	fds[4] = ledger_fd();
	fds[5] = qr_linux.stat_fd;
}

int
own_fd_after(int from)
{
	int fds[OWN_FDS];
	int next = -1;
	own_fds(fds);
	for (unsigned i = 0; i < OWN_FDS; i++) {
		if (fds[i] >= from && (next < 0 || fds[i] < next))
			next = fds[i];
	}
	return next;
}

bool
pager_owns_fd(int fd)
{
	return fd >= 0 && qr_linux.space != NULL && own_fd_after(fd) == fd;
}

static int
fd_moved(int fd)
{
	long to = qr_sys3(SYS_fcntl, fd, (long)F_DUPFD_CLOEXEC, (long)fd + 1);
	return (int)to;
}

/* Makes the descriptor that is fd be to. */
static void
fd_rename(int fd, int to)
{
	if (fd == qr_linux.uffd)
		qr_linux.uffd = to;
	else if (fd == qr_linux.mem_fd)
		qr_linux.mem_fd = to;
	else if (fd == qr_linux.status_fd)
		qr_linux.status_fd = to;
	else if (fd == qr_linux.stat_fd)
		qr_linux.stat_fd = to;
	else if (fd != ledger_fd())
		atomic_store(&qr_linux.swap_fd, to);
	if (fd != ledger_fd()) {
		qr_sys1(SYS_close, fd);
		return;
	}
	ledger_close_old(to);
	exec_compose_environment();
}

int
pager_move_fd(int fd)
{
	int to = fd_moved(fd);
	if (to < 0)
		return to;
	/* It knows the descriptor by its old number only. */
	bool had_helper = helper_runs();
	helper_stop();
	fd_rename(fd, to);
	if (had_helper)
		helper_wanted();
	return 0;
}

int
copy_to_program(struct qr_thread *thread, void *to, const void *from,
    size_t size_bytes)
{
	struct iovec local = { (void *)(uintptr_t)from, size_bytes };
	struct iovec remote = { to, size_bytes };
	int failed =
	    pager_pin(thread, (uintptr_t)to, size_bytes, QR_ACCESS_WRITE);
	if (failed != 0)
		return -EFAULT;
	long n = qr_sys6(SYS_process_vm_writev, qr_sys0(SYS_getpid),
	    QR_SYS_ARG(&local), 1, QR_SYS_ARG(&remote), 1, 0);
	return n == (long)size_bytes ? 0 : -EFAULT;
}
