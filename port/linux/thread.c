/* SPDX-License-Identifier: MIT */
/*
 * thread.c: the records of threads and the stacks that they lie on.
 *
 *      base                                             base + QR_THREAD_SIZE
 *      ├── record, gate's part ──┼─ guard ─┼──────────── stack ───────────┤
 *
 * The guard is a page without rights: a stack that grows too deep ends the
 * process instead of overwriting the record. Records of ended threads are
 * kept, a few of them, for the next ones: programs that make threads often
 * then pay for no mapping.
 *
 * All memory comes from raw system calls, so that the program's view of its
 * address space, which the pager keeps, never holds it.
 */
#include "thread.h"

#include <sys/mman.h>

#include "futex_lock.h"
#include "gate/gate.h"
#include "sys.h"

/* Records that are kept without a thread; each has some 16 KiB resident. */
#define THREAD_SPARES_MAX 8u

#define THREAD_GATE_OFFSET                                                     \
	((sizeof(struct qr_thread) + (size_t)63) & ~(size_t)63)
#define THREAD_RECORD_SIZE                                                     \
	((THREAD_GATE_OFFSET + QR_GATE_THREAD_SIZE + QR_PAGE_SIZE - 1) &       \
	    ~(QR_PAGE_SIZE - 1))

/* The codec and the core need some 24 KiB, three nested signal frames with
 * AVX-512 another 12. */
_Static_assert(QR_THREAD_SIZE - THREAD_RECORD_SIZE - QR_PAGE_SIZE >= 44u << 10,
    "the stack has become too small");

static struct {
	struct futex_lock lock;
	struct qr_thread *first;  /* (lock) registered */
	struct qr_thread *spares; /* (lock) by next */
	uint32_t spare_count;     /* (lock) */
	uint32_t begun_count;     /* (lock) */
} registry;

uintptr_t
qr_thread_stack_start(const struct qr_thread *thread)
{
	return (uintptr_t)thread + THREAD_RECORD_SIZE + QR_PAGE_SIZE;
}

uintptr_t
qr_thread_stack_end(const struct qr_thread *thread)
{
	return (uintptr_t)thread + QR_THREAD_SIZE;
}

static void
thread_unmap(uintptr_t start, uintptr_t end)
{
	if (start != end)
		qr_sys2(SYS_munmap, start, end - start);
}

static struct qr_thread *
thread_map(void)
{
	long result = qr_sys6(SYS_mmap, 0, (long)(2 * QR_THREAD_SIZE),
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	    -1, 0);
	if (qr_sys_failed(result))
		return NULL;
	uintptr_t got = (uintptr_t)result;
	uintptr_t base = (got + QR_THREAD_SIZE - 1) & ~(QR_THREAD_SIZE - 1);
	thread_unmap(got, base);
	thread_unmap(base + QR_THREAD_SIZE, got + 2 * QR_THREAD_SIZE);
	/* Without the guard it would still work. */
	qr_sys3(SYS_mprotect, base + THREAD_RECORD_SIZE, QR_PAGE_SIZE,
	    PROT_NONE);
	return (struct qr_thread *)base;
}

static struct qr_thread *
spare_take(void)
{
	futex_lock_acquire(&registry.lock);
	struct qr_thread *thread = registry.spares;
	if (thread != NULL) {
		registry.spares = thread->next;
		registry.spare_count--;
	}
	futex_lock_release(&registry.lock);
	return thread;
}

struct qr_thread *
qr_thread_alloc(void)
{
	struct qr_thread *thread = spare_take();
	if (thread == NULL)
		thread = thread_map();
	if (thread == NULL)
		return NULL;
	uint64_t *words = (uint64_t *)thread;
	for (size_t i = 0; i < THREAD_RECORD_SIZE / sizeof(*words); i++)
		words[i] = 0;
	thread->gate =
	    (struct qr_gate_thread *)((uintptr_t)thread + THREAD_GATE_OFFSET);
	return thread;
}

void
qr_thread_free(struct qr_thread *thread)
{
	futex_lock_acquire(&registry.lock);
	bool keep = registry.spare_count < THREAD_SPARES_MAX;
	if (keep) {
		thread->next = registry.spares;
		registry.spares = thread;
		registry.spare_count++;
	}
	futex_lock_release(&registry.lock);
	if (!keep)
		thread_unmap((uintptr_t)thread,
		    (uintptr_t)thread + QR_THREAD_SIZE);
}

void
qr_thread_begin(struct qr_thread *thread)
{
	futex_lock_acquire(&registry.lock);
	thread->cpu_hint = registry.begun_count++;
	thread->next = registry.first;
	registry.first = thread;
	futex_lock_release(&registry.lock);
}

void
qr_thread_claim(struct qr_thread *thread)
{
	thread->self = (uint32_t)qr_sys0(SYS_gettid);
}

void
qr_thread_end(struct qr_thread *thread)
{
	futex_lock_acquire(&registry.lock);
	struct qr_thread **link = &registry.first;
	while (*link != thread)
		link = &(*link)->next;
	*link = thread->next;
	futex_lock_release(&registry.lock);
}

struct qr_thread *
qr_thread_take(bool (*wanted)(const struct qr_thread *thread))
{
	struct qr_thread *taken = NULL;
	futex_lock_acquire(&registry.lock);
	struct qr_thread **link = &registry.first;
	while (*link != NULL) {
		struct qr_thread *thread = *link;
		if (!wanted(thread)) {
			link = &thread->next;
			continue;
		}
		*link = thread->next;
		thread->next = taken;
		taken = thread;
	}
	futex_lock_release(&registry.lock);
	return taken;
}

void
qr_thread_for_each(void (*visit)(void *arg, struct qr_thread *thread),
    void *arg)
{
	futex_lock_acquire(&registry.lock);
	for (struct qr_thread *t = registry.first; t != NULL; t = t->next)
		visit(arg, t);
	futex_lock_release(&registry.lock);
}

bool
qr_thread_owns(uintptr_t start, uintptr_t end)
{
	bool owns = false;
	futex_lock_acquire(&registry.lock);
	for (const struct qr_thread *t = registry.first; t != NULL && !owns;
	     t = t->next)
		owns =
		    start < (uintptr_t)t + QR_THREAD_SIZE && (uintptr_t)t < end;
	futex_lock_release(&registry.lock);
	return owns;
}

void
qr_thread_fork_prepare(void)
{
	futex_lock_acquire(&registry.lock);
}

void
qr_thread_fork_parent(void)
{
	futex_lock_release(&registry.lock);
}

void
qr_thread_fork_child(struct qr_thread *thread)
{
	qr_thread_claim(thread);
	futex_lock_release(&registry.lock);
}
