/* SPDX-License-Identifier: MIT */
/*
 * handler.c: the thread that serves faults; see handler.h.
 *
 * A thread that touches a missing page sleeps in the kernel until somebody
 * says UFFDIO_WAKE for that page, whoever brings the page in. So each event
 * is answered by one wake, also where nothing was to do, and where the space
 * does not allow the touch: the touch is then made again, and the kernel says
 * what it has to say.
 *
 * A fork waits until this thread is outside the core, and serves no fault
 * until it is over: who forks brings in beforehand what the fork itself
 * touches. The descriptor is read inside, so that it never changes its number
 * between the look at the number and the read.
 */
#include "handler.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "../../core/base/check.h"
#include "files.h"
#include "linux.h"
#include "pager.h"
#include "sys.h"
#include "uapi.h"

/* Events taken at a time: as many threads are rarely asleep at once. */
#define HANDLER_EVENTS 16u

static struct qr_thread *handler;

struct qr_thread *
handler_thread(void)
{
	return handler;
}

static size_t
events_read(struct uffd_msg events[HANDLER_EVENTS])
{
	const size_t size = HANDLER_EVENTS * sizeof(events[0]);
	pager_enter(handler);
	long n = qr_sys3(SYS_read, own_fd(OWN_UFFD), events, size);
	pager_leave(handler);
	return n < 0 ? 0 : (size_t)n / sizeof(events[0]);
}

static void
event_serve(const struct uffd_msg *event)
{
	if (event->event != UFFD_EVENT_PAGEFAULT)
		return;
	uintptr_t address = event->arg.pagefault.address & ~(QR_PAGE_SIZE - 1);
	bool write =
	    (event->arg.pagefault.flags &
		(UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP)) != 0;
	int failed = pager_touch(handler, address,
	    write ? QR_ACCESS_WRITE : QR_ACCESS_READ);
	if (failed == -QR_ENOMEM)
		linux_die("there is no memory for a page", 137);
	struct uffdio_range range = { address, QR_PAGE_SIZE };
	qr_sys3(SYS_ioctl, own_fd(OWN_UFFD), UFFDIO_WAKE, &range);
}

static void
handler_main(void *arg)
{
	(void)arg;
	qr_thread_claim(handler);
	for (;;) {
		struct uffd_msg events[HANDLER_EVENTS];
		struct pollfd wait = { .fd = own_fd(OWN_UFFD),
			.events = POLLIN };
		qr_sys5(SYS_ppoll, &wait, 1L, NULL, NULL, 0L);
		size_t count = events_read(events);
		for (size_t i = 0; i < count; i++)
			event_serve(&events[i]);
	}
}

int
handler_start(void)
{
	uint64_t all = UINT64_MAX;
	uint64_t old;
	if (qr_linux.config.delivery != QR_LINUX_DELIVERY_HANDLER)
		return 0;
	/* A fork's child has its parent's record, with nobody on its stack. */
	if (handler == NULL)
		handler = qr_thread_alloc();
	if (handler == NULL)
		return -ENOMEM;
	handler->is_own = true;
	const long args[5] = {
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
		    CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS,
		(long)qr_thread_stack_end(handler),
		0,
		0,
		QR_SYS_ARG(handler->tcb),
	};
	qr_sys4(SYS_rt_sigprocmask, (long)SIG_SETMASK, &all, &old, 8L);
	long tid = qr_sys_clone(SYS_clone, args, handler_main, NULL);
	qr_sys4(SYS_rt_sigprocmask, (long)SIG_SETMASK, &old, NULL, 8L);
	return tid < 0 ? (int)tid : 0;
}
