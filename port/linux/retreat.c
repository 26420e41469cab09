/* SPDX-License-Identifier: MIT */
/*
 * retreat.c: a process goes on without Quire.
 *
 * A program that restricts its own system calls (seccomp) does not know of
 * those that Quire makes in its name: a page that is out could not be brought
 * back. So before the filter is there everything is put in place, the ranges
 * are the kernel's again, and the gate takes itself away. What the process
 * holds from then on is charged as any child's that runs without Quire
 * (outsiders.c), as long as another process of the tree is there to look.
 *
 * That is possible for a process of one thread: nobody else has masks and
 * stacks that only the gate knows. With more threads the filter is installed
 * as it is, and a call of Quire's that it refuses ends the process.
 */
#include <errno.h>
#include <sys/mman.h>

#include "../../core/base/bits.h"
#include "files.h"
#include "helper.h"
#include "ledger.h"
#include "linux.h"
#include "pager.h"
#include "print.h"
#include "report.h"
#include "sys.h"

/* Ends the process if all of its memory at once is more than the tree may
 * have. */
static void
check_room(void)
{
	char text[256];
	struct print print;
	struct qr_machine_stat stat;
	qr_machine_stat(qr_linux.machine, &stat);
	uint64_t budget = ledger_get()->budget_pages;
	uint64_t need = stat.frames_user + stat.swap_slots +
			atomic_load(&qr_linux.unmanaged_pages);
	uint64_t room =
	    atomic_load(&ledger_own()->credits) + ledger_free_pages();
	if (need <= room)
		return;
	uint64_t enough = budget - qr_min(budget, room) + need;
	print_init(&print, text, sizeof(text));
	print_text(&print, "it restricts its own system calls, which Quire "
			   "can't follow, and all of its memory is more than "
			   "there is; -m ");
	print_format(&print, "%luM would do",
	    (unsigned long)(enough / 256 + enough / 256 / 32 + 1));
	linux_die(text, 137);
}

int
pager_retreat(struct qr_thread *thread)
{
	struct qr_linux *state = &qr_linux;
	if (state->space == NULL)
		return 0;
	/* Its thread would be left. */
	if (state->config.delivery == QR_LINUX_DELIVERY_HANDLER)
		return -EBUSY;
	check_room();
	(void)helper_stop();
	int failed =
	    mapping_abandon(thread, 0, UINTPTR_MAX & ~(QR_PAGE_SIZE - 1));
	if (failed != 0)
		linux_die("memory can't be put back in place", 137);
	pager_unpin(thread);
	report_retreat();
	ledger_leave();
	state->space = NULL;
	for (unsigned i = 0; i < OWN_FDS; i++)
		(void)own_fd_set(i, -1);
	qr_sys3(SYS_madvise, state->home, state->frames * QR_PAGE_SIZE,
	    (long)MADV_DONTNEED);
	return 0;
}

int
pager_unmanage(struct qr_thread *thread, uintptr_t start, size_t size_bytes)
{
	if (qr_linux.space == NULL || start + size_bytes < start)
		return 0;
	int failed = mapping_abandon(thread, start, size_bytes);
	pager_enter(thread);
	credit_measure();
	pager_leave(thread);
	return failed == -QR_ENOMEM ? -ENOMEM : failed;
}
