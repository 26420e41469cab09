/* SPDX-License-Identifier: MIT */
/*
 * fork.c: a process becomes two, each with its own machine.
 *
 * The kernel copies Quire's state along with everything else, so the child's
 * machine is the parent's as it was at the fork. For that to be a consistent
 * picture nobody may be inside the core at that moment [linux.2]. What the
 * kernel does not copy is made anew before the child runs a line of its own:
 * the userfaultfd (the inherited one would act on the parent's memory) and
 * its registrations, without which a page that is out would read as zeros;
 * the descriptors that name the process itself; the swap file, of which the
 * child gets a copy; the ledger slot; the helper.
 *
 * Frames. After the fork both processes have every resident page, and both
 * may come to need it for themselves, so the child's frames are credits too.
 * They are taken before the fork. Where the budget has not so many left the
 * parent makes room first, by sending its own pages out, since what is out
 * costs the child little.
 *
 * Rejected: paying once for what both still have, with the pages
 * write-protected in both and a page paid for twice when one of them writes
 * to it (share groups). A page that one process sends out frees nothing while
 * another still has it, yet its compressed copy needs a place, in each of
 * them. So where it is needed, with the budget full, the way back to pages of
 * one's own costs memory that is not there; to keep it in reserve (the shared
 * pages, halved, over the ratio of compression) takes most of what was saved.
 * It would pay for a child that execs soon, which vfork serves already.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "../../core/base/check.h"
#include "files.h"
#include "handler.h"
#include "helper.h"
#include "ledger.h"
#include "linux.h"
#include "pager.h"
#include "report.h"
#include "stat_page.h"
#include "sys.h"

/* What prepare leaves for parent and child; one thread forks at a time. */
static struct {
	int swap_copy;            /* the child's swap file, -1: none */
	struct ledger_slot *slot; /* the child's, with its credits */
	uint64_t credits;         /* as many, pages */
	struct rlimit limit;      /* RLIMIT_NOFILE, as the program has it */
} fork_state;

/* Between two looks at a thread that is inside: it may have been about to
 * leave when it was told to wake us, ns. */
#define OUTSIDE_LOOK_NS 1000000u

static void
wait_outside(void *self, struct qr_thread *thread)
{
	/* Sequentially consistent, against pager_enter. */
	while (thread != self && atomic_load(&thread->inside) != 0)
		linux_port_ops.wait(NULL, &thread->inside, 1, OUTSIDE_LOOK_NS);
}

void
pager_let_others(void)
{
	atomic_store(&qr_linux.fork_wanted, 0);
	linux_port_ops.wake(NULL, &qr_linux.fork_wanted, UINT32_MAX);
}

/* [linux.2]; one thread after the other. */
void
pager_stop_others(struct qr_thread *thread)
{
	uint32_t expect = 0;
	while (!atomic_compare_exchange_strong(&qr_linux.fork_wanted, &expect,
	    thread->self)) {
		linux_port_ops.wait(NULL, &qr_linux.fork_wanted, expect,
		    UINT64_MAX);
		expect = 0;
	}
	qr_thread_for_each(wait_outside, thread);
	if (handler_thread() != NULL)
		wait_outside(thread, handler_thread());
	helper_wait_outside();
}

/* The program may have used up all descriptors that its soft limit allows; what
 * a child needs is had beyond that. */
static void
limit_lift(void)
{
	struct rlimit *limit = &fork_state.limit;
	struct rlimit lifted;
	if (qr_sys4(SYS_prlimit64, 0L, (long)RLIMIT_NOFILE, NULL, limit) != 0)
		limit->rlim_cur = limit->rlim_max = 0;
	lifted = *limit;
	lifted.rlim_cur = lifted.rlim_max;
	if (limit->rlim_cur < limit->rlim_max)
		qr_sys4(SYS_prlimit64, 0L, (long)RLIMIT_NOFILE, &lifted, NULL);
}

static void
limit_put_back(void)
{
	const struct rlimit *limit = &fork_state.limit;
	if (limit->rlim_cur < limit->rlim_max)
		qr_sys4(SYS_prlimit64, 0L, (long)RLIMIT_NOFILE, limit, NULL);
}

int
pager_fork_prepare(struct qr_thread *thread)
{
	if (qr_linux.space == NULL)
		return 0;
	struct ledger_slot *slot;
	pager_enter(thread);
	int failed = credit_for_child(&slot);
	pager_leave(thread);
	if (failed != 0)
		return failed;
	pager_stop_others(thread);
	fork_state.slot = slot;
	fork_state.credits = atomic_load(&slot->credits);
	limit_lift();
	failed = swapfile_copy(&fork_state.swap_copy);
	if (failed == 0)
		return 0;
	limit_put_back();
	pager_let_others();
	ledger_slot_free(slot);
	return -ENOMEM;
}

void
pager_fork_parent(struct qr_thread *thread, long pid)
{
	(void)thread;
	if (qr_linux.space == NULL)
		return;
	if (fork_state.swap_copy >= 0)
		qr_sys1(SYS_close, fork_state.swap_copy);
	open_reserve();
	limit_put_back();
	if (pid < 0)
		ledger_slot_free(fork_state.slot);
	pager_let_others();
	/* Somebody has to look after the children that are not managed. */
	if (pid > 0 && ledger_is_first())
		helper_wanted();
	else if (pid > 0)
		helper_if_deaf();
}

static void
register_area(void *ctx, const struct qr_area_info *info)
{
	int *failed = ctx;
	size_t size = info->end - info->start;
	if (*failed != 0)
		return;
	*failed = mmu_register(info->start, size);
}

/* The areas whose pages a child does not get, or gets empty. */
static void
drop_unforked(void)
{
	struct qr_area_info area;
	uintptr_t at = 0;
	while (qr_space_query(qr_linux.space, at, &area) == 0) {
		size_t size = area.end - area.start;
		int failed = 0;
		if ((area.flags & QR_MAP_DONTFORK) != 0)
			failed = qr_space_unmap(qr_linux.space, area.start,
			    size, QR_HOST_DONE);
		else if ((area.flags & QR_MAP_WIPEONFORK) != 0)
			failed = qr_space_advise(qr_linux.space, area.start,
			    size, QR_ADVICE_DONTNEED, QR_HOST_DONE);
		QR_ASSERT(failed == 0, "area 0x%lx not dropped: %d",
		    (unsigned long)area.start, failed);
		at = area.end;
	}
}

static void
child_descriptors(void)
{
	/* Closed first, should there be no more descriptors. */
	(void)own_fd_release(OWN_UFFD);
	if (mmu_open() != 0)
		linux_die("a fork's child could not open a userfaultfd", 125);
	if (handler_start() != 0)
		linux_die("a fork's child could not start its handler", 125);
	open_own_files();
	(void)own_fd_set(OWN_SWAP, fork_state.swap_copy);
	/* The root process speaks for all. */
	(void)own_fd_set(OWN_STATE_DIR, -1);
	(void)own_fd_set(OWN_JSON, -1);
}

void
pager_fork_child(struct qr_thread *thread)
{
	if (qr_linux.space == NULL)
		return;
	/* Nobody else is here to be let in. */
	atomic_store(&qr_linux.fork_wanted, 0);
	helper_forked();
	child_descriptors();
	pager_enter(thread);
	int failed = 0;
	qr_space_lock(qr_linux.space);
	drop_unforked();
	qr_space_for_each_area(qr_linux.space, register_area, &failed);
	qr_space_unlock(qr_linux.space);
	if (failed != 0)
		linux_die("a fork's child could not register its memory", 125);
	if (ledger_adopt(fork_state.slot, fork_state.credits) != 0)
		linux_die("a fork's child found the ledger full", 125);
	report_forked();
	struct qr_machine_stat stat;
	credit_forked();
	stat_page_open();
	limit_put_back();
	qr_machine_stat(qr_linux.machine, &stat);
	pager_leave(thread);
	if (stat.frames_user > HELPER_FROM_PAGES)
		helper_wanted();
	helper_if_deaf();
}
