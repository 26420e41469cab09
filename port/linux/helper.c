/* SPDX-License-Identifier: MIT */
/* helper.c: the one thread of Quire's own in a process; see helper.h. */
#include "helper.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#include "../../core/base/bits.h"
#include "ledger.h"
#include "files.h"
#include "linux.h"
#include "outsiders.h"
#include "pager.h"
#include "report.h"
#include "stat_page.h"
#include "sys.h"

/* Set in the slot's `asked` to wake the helper for work at home. */
#define HELPER_POKE ((uint32_t)1 << 31)

/* Between two looks at what is not managed: short while memory is short. */
#define PERIOD_SHORT_NS UINT64_C(5000000)
#define PERIOD_LONG_NS  UINT64_C(50000000)

/* Processes that nobody can ask have together at most one part of the budget of
 * so many: each may be idle for ever. */
#define DEAF_PART 8u

/* Turns of the long period between giving back what lies idle. */
#define IDLE_TURNS 4u

/*
 *	NONE --wanted--> STARTS --> RUNS --stop--> STOPS --> NONE
 *	                   +--no memory--> NONE
 *
 * Whoever makes it STARTS or STOPS is alone in that state.
 */
enum { HELPER_NONE, HELPER_STARTS, HELPER_RUNS, HELPER_STOPS };

static struct {
	_Atomic(uint32_t) state; /* HELPER_*; waited on */
	_Atomic(uint32_t) tid;   /* 0 when it is gone: the kernel clears it */
	/* The core asks once and then waits for a balance, so this stays set
	 * where no helper runs, for the next one or a fork's child's. */
	_Atomic(uint32_t) balance_due;
	struct qr_thread *thread; /* set before it runs */
} helper;

static void
helper_enter(uint32_t state)
{
	atomic_store(&helper.state, state);
	linux_port_ops.wake(NULL, &helper.state, UINT32_MAX);
}

bool
helper_runs(void)
{
	return atomic_load_explicit(&helper.state, memory_order_relaxed) !=
	       HELPER_NONE;
}

void
helper_poke(void)
{
	struct ledger_slot *own = ledger_own();
	atomic_fetch_or(&own->asked, HELPER_POKE);
	qr_sys3(SYS_futex, &own->asked, (long)FUTEX_WAKE, 1L);
}

void
linux_wake_reclaim(void *ctx)
{
	(void)ctx;
	if (atomic_exchange(&helper.balance_due, 1) == 0 && helper_runs())
		helper_poke();
}

static void
helper_sleep(uint64_t period_ns)
{
	struct ledger_slot *own = ledger_own();
	struct timespec timeout = { 0, (long)period_ns };
	qr_sys4(SYS_futex, &own->asked, (long)FUTEX_WAIT, 0L, &timeout);
}

/* One round; returns how long to sleep after it. */
static uint64_t
helper_round(unsigned turn)
{
	struct ledger_slot *own = ledger_own();
	uint32_t asked = atomic_exchange(&own->asked, 0) & ~HELPER_POKE;
	pager_enter(helper.thread);
	if (asked != 0)
		credit_return(asked);
	credit_measure();
	oom_watch_floor();
	if (atomic_exchange(&helper.balance_due, 0) != 0)
		qr_machine_balance(qr_linux.machine);
	if (turn % IDLE_TURNS == 0)
		credit_idle();
	struct qr_machine_stat stat;
	qr_machine_stat(qr_linux.machine, &stat);
	pager_leave(helper.thread);
	stat_page_update(false);
	outsiders_look();
	report_errand();
	bool plenty = ledger_free_pages() + stat.frames_free >
		      ledger_get()->budget_pages / 4;
	/* In a tree of many each looks less often. */
	uint64_t period = PERIOD_SHORT_NS * ledger_processes() / 2;
	return plenty ? PERIOD_LONG_NS
		      : qr_min(qr_max(period, PERIOD_SHORT_NS), PERIOD_LONG_NS);
}

/* Keeps only Quire's descriptors in the helper's own table. */
static void
helper_descriptors(void)
{
	if (qr_sys1(SYS_unshare, (long)CLONE_FILES) != 0)
		return;
	int from = 0;
	for (;;) {
		int next = own_fd_after(from);
		long last = next < 0 ? -1 : (long)next - 1;
		if (next != from)
			qr_sys3(SYS_close_range, (long)from,
			    last < 0 ? (long)UINT32_MAX : last, 0L);
		if (next < 0)
			return;
		from = next + 1;
	}
}

static void
helper_main(void *arg)
{
	(void)arg;
	qr_thread_claim(helper.thread);
	helper_descriptors();
	ledger_listen(true);
	for (unsigned turn = 0; atomic_load(&helper.state) != HELPER_STOPS;
	     turn++)
		helper_sleep(helper_round(turn));
	ledger_listen(false);
	qr_sys1(SYS_exit, 0L);
}

/* The kernel clears and wakes helper.tid when the thread is gone. */
static long
helper_spawn(void)
{
	const long args[5] = {
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
		    CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
		    CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
		(long)qr_thread_stack_end(helper.thread),
		QR_SYS_ARG(&helper.tid),
		QR_SYS_ARG(&helper.tid),
		QR_SYS_ARG(helper.thread->tcb),
	};
	return qr_sys_clone(SYS_clone, args, helper_main, NULL);
}

static void
helper_discard(void)
{
	qr_thread_free(helper.thread);
	helper.thread = NULL;
}

/* True: it runs. */
static bool
helper_start(void)
{
	uint64_t all = UINT64_MAX;
	uint64_t old;
	helper.thread = qr_thread_alloc();
	if (helper.thread == NULL)
		return false;
	helper.thread->is_own = true;
	qr_sys4(SYS_rt_sigprocmask, (long)SIG_SETMASK, &all, &old, 8L);
	long tid = helper_spawn();
	qr_sys4(SYS_rt_sigprocmask, (long)SIG_SETMASK, &old, NULL, 8L);
	if (tid < 0)
		helper_discard();
	return tid > 0;
}

void
helper_wanted(void)
{
	uint32_t expect = HELPER_NONE;
	/* A guest's threads would be another process's. */
	if (qr_linux.space == NULL || qr_thread_self()->guest ||
	    !atomic_compare_exchange_strong(&helper.state, &expect,
		HELPER_STARTS))
		return;
	helper_enter(helper_start() ? HELPER_RUNS : HELPER_NONE);
}

void
helper_if_deaf(void)
{
	if (ledger_deaf_pages() > ledger_get()->budget_pages / DEAF_PART)
		helper_wanted();
}

bool
helper_stop(void)
{
	uint32_t state = HELPER_RUNS;
	while (!atomic_compare_exchange_strong(&helper.state, &state,
	    HELPER_STOPS)) {
		if (state == HELPER_NONE)
			return false;
		linux_port_ops.wait(NULL, &helper.state, state, UINT64_MAX);
		state = HELPER_RUNS;
	}
	uint32_t tid = atomic_load(&helper.tid);
	helper_poke();
	while (atomic_load(&helper.tid) != 0)
		qr_sys4(SYS_futex, &helper.tid, (long)FUTEX_WAIT, tid, NULL);
	/* The kernel counts it for a moment longer. */
	while (qr_sys3(SYS_tgkill, qr_sys0(SYS_getpid), tid, 0L) == 0)
		qr_sys0(SYS_sched_yield);
	helper_discard();
	helper_enter(HELPER_NONE);
	return true;
}

void
helper_wait_outside(void)
{
	if (!helper_runs() || helper.thread == NULL)
		return;
	/* Sequentially consistent, against pager_enter. */
	while (atomic_load(&helper.thread->inside) != 0)
		linux_port_ops.wait(NULL, &helper.thread->inside, 1,
		    PERIOD_SHORT_NS);
}

void
helper_forked(void)
{
	if (helper.thread != NULL)
		helper_discard();
	atomic_store(&helper.tid, 0);
	atomic_store(&helper.state, HELPER_NONE);
}
