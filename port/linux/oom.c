/* SPDX-License-Identifier: MIT */
/*
 * oom.c: a process that the budget can't hold, and what would have held it.
 *
 * Two things end a process. Memory that is not managed grows without asking;
 * once the budget leaves it less than the floor beside that, this is said,
 * once in a tree, and the number with it. And a touch may need a page where
 * nothing can be freed: pool and swap are full, or the unmanaged memory has
 * taken all. The process is then killed as the kernel would have done.
 *
 * What would have been enough follows from what the process has been
 * promised (its commit charge) and from what it has touched, the larger of
 * the two: with so much it can't come here again by what it has asked for so
 * far. What it would have asked for later nobody knows.
 */
#include <signal.h>

#include "../../core/base/bits.h"
#include "ledger.h"
#include "linux.h"
#include "print.h"
#include "report.h"
#include "sys.h"

#define OOM_TEXT_MAX 2048u

/* Pages that the core keeps free or needs for its own records beside a 32nd
 * of what it manages: watermarks, table pages, caches. 4 MiB. */
#define ENOUGH_PAGES ((uint64_t)1024)

/* Unmanaged memory has settled if it has not grown by more than this part for
 * so long; the same part is added to what would do. */
#define MARGIN_SHARE 32u
#define SETTLED_NS   50000000u

#define PAGES_PER_MIB (((uint64_t)1 << 20) / QR_PAGE_SIZE)

/* The tree's unmanaged memory as the helper, who alone comes here, saw it. */
static struct {
	uint64_t pages;
	uint64_t since_ns;
} settled;

static void
print_pages(struct print *print, uint64_t pages)
{
	print_size(print, pages * QR_PAGE_SIZE);
}

/* A number to be typed: never rounded down. */
static void
print_option(struct print *print, const char *option, uint64_t pages)
{
	print_format(print, "%s %luM", option,
	    (unsigned long)((pages + PAGES_PER_MIB - 1) / PAGES_PER_MIB));
}

static uint64_t
budget_pages(void)
{
	return qr_linux.config.budget_bytes / QR_PAGE_SIZE;
}

bool
oom_floor(struct print *print, uint64_t unmanaged)
{
	uint64_t floor = unmanaged + LINUX_FLOOR_PAGES;
	if (budget_pages() >= floor)
		return false;
	print_text(print, "-m ");
	print_pages(print, budget_pages());
	print_text(print, " is too small: ");
	print_pages(print, unmanaged);
	print_text(print, " of the program can't be managed (stacks, data, "
			  "shared memory); ");
	print_option(print, "-m", floor + unmanaged / MARGIN_SHARE);
	print_text(print, " would do");
	return true;
}

void
oom_watch_floor(void)
{
	struct ledger_totals *totals = &ledger_get()->totals;
	/* Relaxed: the exchange decides. */
	if (atomic_load_explicit(&totals->floor_told, memory_order_relaxed) !=
	    0)
		return;
	/* While it grows the number would be too small. */
	uint64_t unmanaged = ledger_unmanaged_pages();
	uint64_t now = linux_clock(NULL);
	if (unmanaged > settled.pages + settled.pages / MARGIN_SHARE) {
		settled.pages = unmanaged;
		settled.since_ns = now;
	}
	if (now - settled.since_ns < SETTLED_NS)
		return;
	char text[OOM_TEXT_MAX];
	struct print print;
	print_init(&print, text, sizeof(text));
	print_text(&print, "quire: ");
	report_print_process(&print);
	print_text(&print, ": ");
	if (!oom_floor(&print, unmanaged) ||
	    atomic_exchange(&totals->floor_told, unmanaged) != 0)
		return;
	print_text(&print, "\n");
	report_say(&print);
}

/* --- out of memory --- */

static const char *
refusal_name(int error)
{
	switch (error) {
	case -QR_ENOSPC:
		return "no room in the swap file";
	case -QR_EIO:
		return "the swap file can't be written";
	default:
		return "no page can leave RAM";
	}
}

/* Where memory is. */
static void
print_holders(struct print *print, const struct qr_machine_stat *stat,
    const struct qr_oom_report *oom)
{
	uint64_t own = atomic_load(&ledger_own()->credits);
	print_text(print, "  budget ");
	print_pages(print, budget_pages());
	print_text(print, ": ");
	print_pages(print, stat->frames_user);
	print_text(print, " pages of the program, ");
	print_pages(print, oom->pool_frames);
	print_text(print, " compressed, ");
	print_pages(print, atomic_load(&qr_linux.unmanaged_pages));
	print_text(print, " not managed, ");
	print_pages(print, stat->frames_meta - stat->frames_boot);
	print_text(print, " Quire, ");
	print_pages(print,
	    budget_pages() - qr_min(budget_pages(), own + ledger_free_pages()));
	print_text(print, " other processes\n  out: ");
	print_pages(print, oom->stored_pages);
	print_text(print, "; swap file ");
	print_pages(print, oom->swap_pages);
	print_text(print, ", free ");
	print_pages(print, oom->swap_free);
	print_format(print, "; last refusal: %s\n", refusal_name(oom->error));
}

/* What would have been enough. */
static void
print_enough(struct print *print, const struct qr_machine_stat *stat,
    const struct qr_oom_report *oom)
{
	uint64_t own = atomic_load(&ledger_own()->credits);
	uint64_t others =
	    budget_pages() - qr_min(budget_pages(), own + ledger_free_pages());
	uint64_t unmanaged = atomic_load(&qr_linux.unmanaged_pages);
	uint64_t pages =
	    qr_max(stat->frames_user + oom->stored_pages, stat->commit_pages);
	uint64_t most = pages + pages / 32 + ENOUGH_PAGES;
	bool floor_kept =
	    others + unmanaged + LINUX_FLOOR_PAGES <= budget_pages();
	bool disk = oom->error == -QR_EIO ||
		    (oom->error == -QR_ENOSPC && oom->swap_free != 0);

	print_text(print, "  enough would have been: ");
	if (floor_kept && disk) {
		print_text(print, "--swap DIR where ");
		print_pages(print, most);
		print_text(print, " are free, or ");
	} else if (floor_kept) {
		print_option(print, "--swap-max", most);
		print_text(print, " or ");
	}
	if (!floor_kept && oom->swap_free != 0)
		most = LINUX_FLOOR_PAGES; /* the rest can go out */
	print_option(print, "-m",
	    others + unmanaged + qr_max(most, (uint64_t)LINUX_FLOOR_PAGES));
	print_text(print, "\n");
}

bool
linux_oom(void *ctx, void *mm, const struct qr_oom_report *oom)
{
	(void)ctx;
	(void)mm;
	if (credit_beg())
		return true;
	char text[OOM_TEXT_MAX];
	struct print print;
	struct qr_machine_stat stat;
	atomic_store(&qr_linux.dead, 1);
	qr_machine_stat(qr_linux.machine, &stat);
	print_init(&print, text, sizeof(text));
	print_text(&print, "quire: ");
	report_print_process(&print);
	print_format(&print, " is out of memory at %p\n",
	    (void *)(uintptr_t)oom->address);
	print_holders(&print, &stat, oom);
	print_enough(&print, &stat, oom);
	report_say(&print);
	report_summary(0, SIGKILL);
	for (;;)
		qr_sys2(SYS_kill, qr_sys0(SYS_getpid), (long)SIGKILL);
}
