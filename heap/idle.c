/* SPDX-License-Identifier: MIT */
/*
 * heap/idle.c: memory goes back although the program sleeps.
 *
 * Purging is done by threads that free. A program that frees much and then
 * waits would keep it all, and so would a thread that sleeps while others
 * free its blocks. So a large heap has a helper thread, which does nothing
 * until there is something to give back.
 *
 *             the heap is large          dirty pages
 *     NONE ----------------------> WAITING ------> TICKING
 *       ^                             |  ^            |
 *       |     the heap is small       |  +------------+
 *       +-----------------------------+    few are left
 *
 * It begins where a thread of the program holds no lock of the heap and is in
 * malloc, not in free: libc frees with locks of its own that pthread_create
 * takes. It ends before fork, unshare and setns, which treat a process of
 * several threads differently; exec ends it by itself. Only libquire.so has
 * it: in libquire-run.so the port has a helper of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "pagemap_impl.h"

/* Pages in use and dirty from which on there is a helper, and below which
 * there is none: 64 and 32 MiB. */
#define IDLE_START ((size_t)(64 << 20) >> QR_PAGE_SHIFT)
#define IDLE_STOP  ((size_t)(32 << 20) >> QR_PAGE_SHIFT)

/* Dirty pages that are worth waking it, and that it leaves: 1 MiB. */
#define IDLE_DIRTY ((size_t)(1 << 20) >> QR_PAGE_SHIFT)

#define IDLE_TICK_NS ((long)500 * 1000 * 1000)

/* Its stack; it calls nothing deep, but thread-local variables lie in it. */
#define IDLE_STACK_BYTES ((size_t)128 * 1024)

enum idle_state {
	IDLE_NONE,    /* no thread */
	IDLE_WAITING, /* it sleeps until it is woken */
	IDLE_TICKING, /* it purges every half second */
	IDLE_ENDING,  /* it is to end */
	IDLE_DONE,    /* it has ended by itself, and is to be joined */
};

static struct {
	_Atomic(uint32_t) state;
	struct qr_heap_lock lock; /* to start and end it; before all others */
	pthread_t thread;         /* (l) */
	_Atomic(int) tid;         /* the kernel's number of it */
} idle;

/* Calls the kernel without changing errno. */
static void
idle_futex(int op, uint32_t value, const struct timespec *timeout)
{
	int saved = errno;
	syscall(SYS_futex, &idle.state, op, value, timeout);
	errno = saved;
}

/* Pages, true of no single instant. */
static size_t
idle_pages(const _Atomic(size_t) *pages)
{
	return atomic_load_explicit(pages, memory_order_relaxed);
}

static void
idle_tick(struct qr_heap *heap)
{
	uint32_t state = IDLE_TICKING;
	const struct timespec tick = { .tv_nsec = IDLE_TICK_NS };
	idle_futex(QR_HEAP_FUTEX_WAIT, IDLE_TICKING, &tick);
	if (atomic_load(&idle.state) != IDLE_TICKING)
		return;
	qr_heap_drain_all(heap, false);
	qr_heap_purge_tick(heap);
	if (idle_pages(&heap->dirty) > IDLE_DIRTY)
		return;
	bool small = idle_pages(&heap->held) < IDLE_STOP;
	atomic_compare_exchange_strong(&idle.state, &state,
	    small ? IDLE_DONE : IDLE_WAITING);
}

static void *
idle_body(void *argument)
{
	struct qr_heap *heap = argument;
	atomic_store(&idle.tid, (int)syscall(SYS_gettid));
	prctl(PR_SET_NAME, "quire-heap", 0, 0, 0);
	for (;;) {
		switch ((enum idle_state)atomic_load(&idle.state)) {
		case IDLE_WAITING:
			idle_futex(QR_HEAP_FUTEX_WAIT, IDLE_WAITING, NULL);
			break;
		case IDLE_TICKING:
			idle_tick(heap);
			break;
		case IDLE_NONE:
		case IDLE_ENDING:
		case IDLE_DONE:
			return NULL;
		}
	}
}

/* Lock held. 0 or an error number. */
static int
idle_create(struct qr_heap *heap)
{
	pthread_attr_t attr;
	int err = pthread_attr_init(&attr);
	if (err != 0)
		return err;
	pthread_attr_setstacksize(&attr, IDLE_STACK_BYTES);
	err = pthread_create(&idle.thread, &attr, idle_body, heap);
	/* Thread-local variables may be larger than that stack. */
	if (err == EINVAL)
		err = pthread_create(&idle.thread, NULL, idle_body, heap);
	pthread_attr_destroy(&attr);
	return err;
}

/* Waits for a helper that has ended or is to. Lock held. */
static void
idle_join(void)
{
	pthread_join(idle.thread, NULL);
	/* A joined thread is still one for the kernel, for a moment. */
	int tid = atomic_load(&idle.tid);
	while (tid != 0 && syscall(SYS_tgkill, getpid(), tid, 0) == 0)
		sched_yield();
	atomic_store(&idle.state, IDLE_NONE);
}

void
qr_heap_idle_start(struct qr_heap *heap)
{
	if (qr_heap_stands_alone == NULL ||
	    !qr_heap_lock_try_acquire(&idle.lock))
		return;
	int saved = errno;
	if (atomic_load(&idle.state) == IDLE_DONE)
		idle_join();
	if (atomic_load(&idle.state) == IDLE_NONE) {
		/* Signals are for the program's own threads. */
		sigset_t all;
		sigset_t before;
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		atomic_store(&idle.state, IDLE_TICKING);
		if (idle_create(heap) != 0)
			atomic_store(&idle.state, IDLE_NONE);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	errno = saved;
	qr_heap_lock_release(&idle.lock);
}

bool
qr_heap_idle_end(void)
{
	/* Relaxed: what starts now is as if it started later. */
	if (atomic_load_explicit(&idle.state, memory_order_relaxed) ==
	    IDLE_NONE)
		return false;
	int saved = errno;
	qr_heap_lock_acquire(&idle.lock);
	uint32_t state = atomic_load(&idle.state);
	bool runs = state != IDLE_NONE;
	if (runs) {
		atomic_store(&idle.state, IDLE_ENDING);
		idle_futex(QR_HEAP_FUTEX_WAKE, 1, NULL);
		idle_join();
	}
	qr_heap_lock_release(&idle.lock);
	errno = saved;
	return runs;
}

void
qr_heap_idle_forget(void)
{
	idle.lock = (struct qr_heap_lock){ 0 };
	atomic_store(&idle.state, IDLE_NONE);
}

void
qr_heap_idle_notice(struct qr_heap *heap)
{
	/* Separate heaps are their users' to trim. */
	if (heap != &qr_heap_process)
		return;
	/* Relaxed: hints, and the state is looked at again. */
	uint32_t state =
	    atomic_load_explicit(&idle.state, memory_order_relaxed);
	size_t dirty = idle_pages(&heap->dirty);
	if (state == IDLE_WAITING && dirty > IDLE_DIRTY &&
	    atomic_compare_exchange_strong(&idle.state, &state, IDLE_TICKING))
		idle_futex(QR_HEAP_FUTEX_WAKE, 1, NULL);
	if ((state == IDLE_NONE || state == IDLE_DONE) &&
	    idle_pages(&heap->held) + dirty > IDLE_START)
		atomic_fetch_or_explicit(&heap->attention, QR_HEAP_ATTEND_IDLE,
		    memory_order_relaxed);
}

/* --- calls that want a process of one thread --- */

int
qr_heap_call_alone(long number, long first, long second)
{
	/* It comes back when there is more to give back than there was: such
	 * calls rarely come alone. */
	(void)qr_heap_idle_end();
	return (int)syscall(number, first, second);
}
