/* SPDX-License-Identifier: MIT */
/*
 * files.c: Quire's own descriptors, and bytes to and from the program.
 *
 * Losing the userfaultfd would make missing pages read as zeros, and losing the
 * swap file loses data, so the gate keeps the program from closing any of
 * them: it asks here whose a number is. What a fork's child or the end of the
 * process may still have to open is named by directories that are opened at
 * the start, since the program may change its root and its folder.
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
#include "report.h"
#include "sys.h"

/* Numbers below the soft limit that Quire's own start at. */
#define FD_ROOM 32u

/* The numbers + 1; 0: none. They change at the start, in a fork's child, and
 * when the program wants the number, with all threads outside the core. */
static _Atomic(int) own[OWN_FDS];

int
own_fd(enum own_fd which)
{
	/* Relaxed: who changes it keeps others away. */
	return atomic_load_explicit(&own[which], memory_order_relaxed) - 1;
}

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

int
own_fd_set(enum own_fd which, int fd)
{
	int hidden = fd < 0 ? -1 : fd_hide(fd);
	int old = atomic_exchange(&own[which], hidden + 1) - 1;
	if (old >= 0)
		qr_sys1(SYS_close, old);
	return fd < 0 ? fd : 0;
}

bool
own_fd_release(enum own_fd which)
{
	bool open = own_fd(which) >= 0;
	(void)own_fd_set(which, -1);
	return open;
}

void
open_reserve(void)
{
	int proc = own_fd(OWN_PROC);
	if (own_fd(OWN_RESERVE) >= 0 || proc < 0)
		return;
	/* Beside it: that is a high number already. */
	long fd = qr_sys3(SYS_fcntl, proc, (long)F_DUPFD_CLOEXEC, proc + 1L);
	if (fd >= 0)
		atomic_store(&own[OWN_RESERVE], (int)fd + 1);
}

int
proc_open(const char *path, int flags)
{
	return (int)qr_sys4(SYS_openat, own_fd(OWN_PROC), path,
	    (long)(flags | O_CLOEXEC), 0L);
}

int
open_own_files(void)
{
	if (own_fd(OWN_PROC) < 0)
		(void)own_fd_set(OWN_PROC,
		    (int)qr_sys4(SYS_openat, (long)AT_FDCWD, "/proc",
			(long)(O_PATH | O_DIRECTORY | O_CLOEXEC), 0L));
	open_reserve();
	/* Those of a fork's parent first, should there be no more. */
	(void)own_fd_release(OWN_MEM);
	(void)own_fd_release(OWN_STATUS);
	/* Without it pages that the program may not read stay in. */
	(void)own_fd_set(OWN_MEM, proc_open("self/mem", O_RDONLY));
	return own_fd_set(OWN_STATUS, proc_open("self/status", O_RDONLY));
}

int
own_fd_after(int from)
{
	int next = -1;
	for (unsigned i = 0; i < OWN_FDS; i++) {
		int fd = own_fd(i);
		if (fd >= from && (next < 0 || fd < next))
			next = fd;
	}
	return next;
}

bool
pager_owns_fd(int fd)
{
	return fd >= 0 && qr_linux.space != NULL && own_fd_after(fd) == fd;
}

void
pager_closing(struct qr_thread *thread, int fd)
{
	if (fd == 2 && qr_linux.space != NULL && !thread->guest)
		report_closing();
}

/*
 * A thread of the core may be using the number at this moment, and the helper
 * knows it in a table of its own: so nobody may be inside, and the helper is
 * started anew.
 */
int
pager_move_fd(struct qr_thread *thread, int fd)
{
	long to = qr_sys3(SYS_fcntl, fd, (long)F_DUPFD_CLOEXEC, (long)fd + 1);
	if (to < 0)
		return (int)to;
	bool had_helper = helper_stop();
	pager_stop_others(thread);
	unsigned which = 0;
	while (which < OWN_FDS && own_fd(which) != fd)
		which++;
	if (which == OWN_LEDGER)
		ledger_lock_away();
	if (which < OWN_FDS)
		atomic_store(&own[which], (int)to + 1);
	qr_sys1(SYS_close, which < OWN_FDS ? fd : (int)to);
	if (which == OWN_LEDGER) {
		ledger_lock_back();
		exec_compose_environment();
	}
	pager_let_others();
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
