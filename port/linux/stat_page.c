/* SPDX-License-Identifier: MIT */
/*
 * stat_page.c: the page of numbers that others may read; see
 * <qr/stat_page.h> for its contract.
 *
 * A seal keeps everybody but our own mapping, made before it, from writing.
 * Who writes makes the sequence odd by a compare and exchange; the helper
 * and a thread that ends the process may meet there, then the one leaves it
 * to the other.
 */
#include "stat_page.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <qr/stat_page.h>

#include "files.h"
#include "ledger.h"
#include "linux.h"
#include "sys.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* Linux 5.1 */
#endif

_Static_assert(sizeof(struct qr_stat_page) <= QR_PAGE_SIZE,
    "the statistics page has outgrown a page");
_Static_assert(offsetof(struct qr_stat_page, frames_total) == 96,
    "the layout of the statistics page has changed");

/* Tries of a thread that ends the process, while the helper writes. */
#define STAT_PAGE_TRIES 1000u

static struct qr_stat_page *stat_page;

/* Relaxed: readers check the sequence round their copy. */
#define PUT(field, value)                                                      \
	__atomic_store_n(&stat_page->field, (value), __ATOMIC_RELAXED)

static void
stat_page_close(void)
{
	if (stat_page != NULL)
		qr_sys2(SYS_munmap, stat_page, QR_PAGE_SIZE);
	stat_page = NULL;
	(void)own_fd_set(OWN_STAT_PAGE, -1);
}

static struct qr_stat_page *
stat_page_map(int fd)
{
	if (qr_sys2(SYS_ftruncate, fd, QR_PAGE_SIZE) != 0)
		return NULL;
	long map = qr_sys6(SYS_mmap, 0, QR_PAGE_SIZE, PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	if (qr_sys_failed(map))
		return NULL;
	qr_sys3(SYS_fcntl, fd, (long)F_ADD_SEALS,
	    (long)(F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW));
	return (struct qr_stat_page *)map;
}

void
stat_page_open(void)
{
	stat_page_close();
	long fd = qr_sys2(SYS_memfd_create, QR_STAT_PAGE_NAME,
	    MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return;
	stat_page = stat_page_map((int)fd);
	if (stat_page == NULL) {
		qr_sys1(SYS_close, fd);
		return;
	}
	(void)own_fd_set(OWN_STAT_PAGE, (int)fd);
	stat_page->version = QR_STAT_PAGE_VERSION;
	stat_page->size_bytes = sizeof(*stat_page);
	stat_page->start_ns = qr_linux.start_ns;
	stat_page->process = (uint32_t)qr_sys0(SYS_getpid);
	stat_page_update(false);
	/* Release: who sees the magic sees a whole page. */
	__atomic_store_n(&stat_page->magic, QR_STAT_PAGE_MAGIC,
	    __ATOMIC_RELEASE);
}

/* Makes the sequence odd. False: another thread has. Acquire and release pair
 * with stat_page_end; the fence keeps the numbers behind the odd sequence for
 * readers. */
static bool
stat_page_begin(void)
{
	uint64_t even =
	    __atomic_load_n(&stat_page->sequence, __ATOMIC_RELAXED) &
	    ~(uint64_t)1;
	bool ours = __atomic_compare_exchange_n(&stat_page->sequence, &even,
	    even + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	return ours;
}

static void
stat_page_end(void)
{
	__atomic_fetch_add(&stat_page->sequence, 1, __ATOMIC_RELEASE);
}

static void
stat_page_write(const struct qr_machine_stat *stat)
{
	const struct ledger *ledger = ledger_get();
	uint64_t budget = ledger->budget_pages;
	PUT(updated_ns, linux_clock(NULL));
	PUT(budget_pages, budget);
	PUT(used_pages, budget - ledger_free_pages());
	PUT(used_pages_peak, atomic_load(&ledger->totals.used_peak));
	PUT(credit_pages, atomic_load(&ledger_own()->credits));
	PUT(unmanaged_pages, atomic_load(&qr_linux.unmanaged_pages));
	PUT(unmanaged_pages_peak, atomic_load(&qr_linux.unmanaged_pages_peak));
#define PUT_COUNTER(name) PUT(name, stat->name);
	QR_STAT_PAGE_MACHINE(PUT_COUNTER)
#undef PUT_COUNTER
}

void
stat_page_update(bool ended)
{
	struct qr_machine_stat stat;
	if (stat_page == NULL)
		return;
	qr_machine_stat(qr_linux.machine, &stat);
	bool ours = stat_page_begin();
	for (unsigned i = 0; ended && !ours && i < STAT_PAGE_TRIES; i++) {
		qr_sys0(SYS_sched_yield);
		ours = stat_page_begin();
	}
	if (!ours || stat_page->state == QR_STAT_PAGE_ENDED) {
		if (ours)
			stat_page_end();
		return;
	}
	stat_page_write(&stat);
	if (ended)
		PUT(state, QR_STAT_PAGE_ENDED);
	stat_page_end();
}
