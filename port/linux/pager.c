/* SPDX-License-Identifier: MIT */
/*
 * pager.c: a Linux process as a machine for the core.
 *
 * 1. Purpose. The unmodified program has its memory where it always had it.
 * What of that memory is private and anonymous is *managed*: its pages are
 * frames of the core's machine, whose number is the budget. A page that has
 * no frame is not there as far as the host knows either, so touching it is a
 * fault, which comes here.
 *
 *      program            gate              pager              core
 *      ───────            ────              ─────              ────
 *      load, store  ──SIGBUS──────────► pager_fault ──► qr_space_fault
 *      read(fd, p)  ──SIGSYS──► plan ──► pager_pin   ──► qr_space_pin
 *      mmap(…)      ──SIGSYS──────────► mapping.c    ──► qr_space_map …
 *                                            ▲               │ port.h
 *                                    mmu.c, swapfile.c ◄─────┘
 *
 * 2. Terms. *Managed*: in an area of qr_linux.space. *Foreign*: any other
 * memory of the process: code, files, shared memory, thread stacks, what was
 * there before Quire. *Unmanaged*: the part of foreign memory that is
 * anonymous and resident, which the budget pays for (credit.c). *Home*: see
 * port.c.
 *
 * 3. Where Quire runs. On its own stacks (thread.h), with signals blocked,
 * never on the program's stack or TLS. A thread is *inside* from pager_enter
 * to pager_leave. Inside, no memory of the program is touched but by copies
 * that may fail (mmu.c): any other SIGBUS or SIGSEGV of a thread that is
 * inside is a bug of Quire's and ends the process with a report [linux.1].
 *
 * 4. Who waits for whom. Entering takes no lock: a thread sets its own
 * `inside` and then looks whether somebody wants to fork (enter_slow); the
 * one that forks sets fork_wanted and then waits for every `inside` to be 0.
 * Both put a full fence between, so at least one sees the other [linux.2].
 * The same holds for the helper. After that nothing of the core is in motion
 * in parent or child.
 *
 * 5. Faults. The kernel says where and whether it was a write. The core says
 * 0 (go on), -QR_EFAULT (the program's own fault, the gate delivers it),
 * -QR_ENOMEM (nothing could be freed; oom() has reported), -QR_EIO (the swap
 * file lost the page: nothing true can be given, the process ends with a
 * report). A thread that faults a thousand times at one address without
 * there being anything to do shows that core and host disagree [linux.3].
 *
 * 6. Pins. The kernel's own touches of a missing page are errors, not
 * faults, so what a system call names is brought in before it and kept in
 * while it runs. A thread's pins are dropped at its next call or handler,
 * since the return from a call can't be seen.
 *
 * 7. Failure. linux_die() reports on stderr and ends the process, without
 * coming back. It is for what Quire can't go on from: a broken invariant,
 * lost contents, no memory at all.
 *
 * 8. Delivery by a thread. With --delivery=handler a thread reads the faults
 * (handler.c), the kernel's own among them, and pins are not needed but for
 * what the kernel touches where it waits for nobody: in a fork, and at a
 * thread's end.
 *
 * 9. Rejected. Such a thread as the default (45 µs when it must be woken on
 * another CPU, SIGBUS in place takes 3; and a privilege). One wrapper a libc
 * function instead of the gate (libc's own internal calls go round it). A
 * shared counter of threads inside (a line that every fault of every thread
 * writes).
 *
 * Reading: userfaultfd(2) and the kernel's admin-guide/mm/userfaultfd.
 */
#include "pager.h"

#include <errno.h>
#include <sys/mman.h>

#include "../../core/base/check.h"
#include "carry.h"
#include "helper.h"
#include "ledger.h"
#include "linux.h"
#include "sys.h"

struct qr_linux qr_linux;

/* Touches of one address in a row that needed nothing, before it is taken as
 * proof of a disagreement. Honest ones come from races with another thread
 * that serves the same page, which does not happen often in a row. */
#define PAGER_REPEATS_MAX 1000u

/* The most that a thread pins at once: an eighth of the frames. */
#define PAGER_PIN_SHARE 8u

/* The most that all threads pin together, before they are told to make do
 * with little: half of the frames. Else many that wait in long reads would
 * leave nothing to run with. */
#define PAGER_PINNED_SHARE 2u

/* Little: as much as most datagrams have, which can't be cut, bytes. */
#define PAGER_PIN_LITTLE ((size_t)256 << 10)

#define MORE_SIZE (QR_THREAD_MORE * sizeof(struct qr_pin))

static QR_NOINLINE void
enter_slow(struct qr_thread *thread, uint32_t wanted)
{
	while (wanted != 0 && wanted != thread->self) {
		atomic_store(&thread->inside, 0);
		qr_sys3(SYS_futex, &thread->inside, 129L /* WAKE_PRIVATE */,
		    1L);
		linux_port_ops.wait(NULL, &qr_linux.fork_wanted, wanted,
		    UINT64_MAX);
		atomic_store(&thread->inside, 1);
		wanted = atomic_load(&qr_linux.fork_wanted);
	}
}

void
pager_enter(struct qr_thread *thread)
{
	QR_ASSERT(atomic_load_explicit(&thread->inside, memory_order_relaxed) ==
		      0,
	    "thread %u is inside already [linux.1]", thread->self);
	/* Sequentially consistent, against fork.c's store and loads. */
	atomic_store(&thread->inside, 1);
	uint32_t wanted = atomic_load(&qr_linux.fork_wanted);
	if (QR_UNLIKELY(wanted != 0))
		enter_slow(thread, wanted);
	if (QR_UNLIKELY(qr_linux.carried) && !thread->is_own)
		carry_enter_core(thread);
}

void
pager_leave(struct qr_thread *thread)
{
	QR_DEBUG(thread->held_ranks == 0, "locks 0x%x held on leaving",
	    thread->held_ranks);
	if (QR_UNLIKELY(qr_linux.carried) && !thread->is_own)
		carry_leave_core(thread);
	atomic_store(&thread->inside, 0);
	if (QR_UNLIKELY(atomic_load(&qr_linux.fork_wanted) != 0))
		linux_port_ops.wake(NULL, &thread->inside, 1);
}

/* What the touch wanted, from the CPU's page-fault error code. */
static unsigned
fault_access(const ucontext_t *context)
{
#if defined(__x86_64__)
	unsigned long code = (unsigned long)context->uc_mcontext.gregs[REG_ERR];
	if ((code & 0x2) != 0)
		return QR_ACCESS_WRITE;
	if ((code & 0x10) != 0)
		return QR_ACCESS_EXEC;
	return QR_ACCESS_READ;
#else
#error "fault_access: what does this architecture's context say?"
#endif
}

/* [linux.3] */
static void
fault_count_repeats(struct qr_thread *thread, uintptr_t address)
{
	if (thread->last_touch != address) {
		thread->last_touch = address;
		thread->repeats = 0;
		return;
	}
	thread->repeats++;
	QR_ASSERT(thread->repeats < PAGER_REPEATS_MAX,
	    "0x%lx faults for ever, core and host disagree [linux.3]",
	    (unsigned long)address);
}

int
pager_touch(struct qr_thread *thread, uintptr_t address, unsigned access)
{
	uint32_t abandoned = atomic_load(&qr_linux.abandoned);
	pager_enter(thread);
	int failed = qr_space_fault(qr_linux.space, address, access);
	pager_leave(thread);
	/* It is the host's now, who answers. */
	if (failed == -QR_EFAULT &&
	    atomic_load(&qr_linux.abandoned) != abandoned)
		return 0;
	credit_tick();
	if (failed == 0)
		fault_count_repeats(thread, address);
	else if (failed == -QR_EIO)
		linux_die("the swap file could not be read back", 135);
	return failed;
}

bool
pager_fault(struct qr_thread *thread, int signal_number, const siginfo_t *info,
    const ucontext_t *context)
{
	uintptr_t address = (uintptr_t)info->si_addr;
	(void)signal_number;
	if (info->si_code <= 0 || qr_linux.space == NULL)
		return false; /* sent by somebody, not raised by a touch */
	/* Relaxed: the thread's own. */
	if (atomic_load_explicit(&thread->inside, memory_order_relaxed) != 0)
		return false; /* a copy that may fail, or [linux.1] */
	return pager_touch(thread, address, fault_access(context)) == 0;
}

size_t
pager_pin_limit(void)
{
	return qr_linux.frames / PAGER_PIN_SHARE * QR_PAGE_SIZE;
}

/* Bytes that all threads have pinned in ranges that are more than little.
 * Changed by threads that are inside, so that a fork's child finds it right. */
static _Atomic(size_t) pinned;

static bool
pin_is_allowed(size_t size_bytes)
{
	size_t all = qr_linux.frames / PAGER_PINNED_SHARE * QR_PAGE_SIZE;
	if (size_bytes > pager_pin_limit())
		return false;
	/* Relaxed: a bound that may be passed by a few at once. */
	return size_bytes <= PAGER_PIN_LITTLE ||
	       atomic_load_explicit(&pinned, memory_order_relaxed) +
		       size_bytes <=
		   all;
}

/* A pin beyond those of the record; NULL: there is none. (inside) */
static struct qr_pin *
pin_more(struct qr_thread *thread)
{
	uint32_t n = thread->pin_count - QR_THREAD_PINS;
	if (n == QR_THREAD_MORE)
		return NULL;
	if (thread->more_pins == NULL) {
		long result = qr_sys6(SYS_mmap, 0, (long)MORE_SIZE,
		    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (qr_sys_failed(result))
			return NULL;
		thread->more_pins = (struct qr_pin *)result;
	}
	if (n == thread->more_count) {
		qr_space_pin_register(qr_linux.space, &thread->more_pins[n]);
		thread->more_count++;
	}
	return &thread->more_pins[n];
}

/* All that is changed is changed inside: another thread may fork. */
static int
pin_range(struct qr_thread *thread, uintptr_t start, size_t size_bytes,
    unsigned access)
{
	struct qr_pin *pin = thread->pin_count < QR_THREAD_PINS
				 ? &thread->pins[thread->pin_count]
				 : pin_more(thread);
	if (pin == NULL)
		return -ENOMEM;
	int failed =
	    qr_space_pin(qr_linux.space, pin, start, size_bytes, access);
	if (failed != 0 && failed != -QR_EFAULT)
		return failed;
	thread->pin_count++;
	if (size_bytes <= PAGER_PIN_LITTLE)
		return failed;
	thread->pinned += size_bytes;
	atomic_fetch_add_explicit(&pinned, size_bytes,
	    memory_order_relaxed); /* see pin_is_allowed */
	return failed;
}

int
pager_pin(struct qr_thread *thread, uintptr_t start, size_t size_bytes,
    unsigned access)
{
	if (size_bytes == 0 || qr_linux.space == NULL)
		return 0;
	if (start + size_bytes < start)
		return -EFAULT;
	if (!pin_is_allowed(size_bytes))
		return -ENOMEM;
	pager_enter(thread);
	int failed = pin_range(thread, start, size_bytes, access);
	pager_leave(thread);
	return failed;
}

static void
unpin_more(struct qr_thread *thread)
{
	while (thread->more_count != 0)
		qr_space_pin_unregister(qr_linux.space,
		    &thread->more_pins[--thread->more_count]);
	qr_sys2(SYS_munmap, thread->more_pins, MORE_SIZE);
	thread->more_pins = NULL;
}

/* The record may be another thread's that has ended. */
static QR_NOINLINE void
unpin_slow(struct qr_thread *thread)
{
	struct qr_thread *self = qr_thread_self();
	pager_enter(self);
	if (thread->more_pins != NULL)
		unpin_more(thread);
	atomic_fetch_sub_explicit(&pinned, thread->pinned,
	    memory_order_relaxed); /* see pin_is_allowed */
	thread->pinned = 0;
	if (thread->pin_count > QR_THREAD_PINS)
		thread->pin_count = QR_THREAD_PINS;
	pager_leave(self);
}

void
pager_unpin(struct qr_thread *thread)
{
	if (QR_UNLIKELY(thread->more_pins != NULL || thread->pinned != 0))
		unpin_slow(thread);
	while (thread->pin_count != 0)
		qr_space_unpin(&thread->pins[--thread->pin_count]);
}

int
pager_pin_long(struct qr_thread *thread, struct qr_pin *pin, uintptr_t start,
    size_t size_bytes, unsigned access)
{
	if (size_bytes == 0 || qr_linux.space == NULL)
		return 0;
	if (start + size_bytes < start)
		return -EFAULT;
	pager_enter(thread);
	if (pin->space == NULL)
		qr_space_pin_register(qr_linux.space, pin);
	int failed =
	    qr_space_pin(qr_linux.space, pin, start, size_bytes, access);
	if (failed != 0)
		qr_space_unpin(pin);
	pager_leave(thread);
	return failed;
}

void
pager_unpin_long(struct qr_pin *pin)
{
	qr_space_unpin(pin);
}

void
pager_keep(struct qr_thread *thread, enum qr_thread_keep what, uintptr_t start,
    size_t size_bytes)
{
	struct qr_pin *pin = &thread->kept[what];
	struct qr_thread *self = qr_thread_self();
	if (qr_linux.space == NULL)
		return;
	pager_enter(self);
	qr_space_unpin(pin);
	int failed = 0;
	if (size_bytes != 0 && start + size_bytes >= start)
		failed = qr_space_pin(qr_linux.space, pin, start, size_bytes,
		    QR_ACCESS_WRITE);
	pager_leave(self);
	/* What can't be touched the kernel will not touch either. */
	(void)failed;
}

/* Makes the space look at all pins of a record, or not any more. */
static void
thread_pins(struct qr_thread *thread,
    void (*call)(struct qr_space *space, struct qr_pin *pin))
{
	for (unsigned i = 0; i < QR_THREAD_PINS; i++)
		call(qr_linux.space, &thread->pins[i]);
	for (unsigned i = 0; i < QR_KEEPS; i++)
		call(qr_linux.space, &thread->kept[i]);
}

void
pager_thread_start(struct qr_thread *thread)
{
	if (qr_linux.space == NULL)
		return;
	struct qr_thread *self = qr_thread_self();
	/* A child that is to be may turn out not to be managed. */
	if (thread->guest && ledger_is_first())
		helper_wanted();
	pager_enter(self);
	thread_pins(thread, qr_space_pin_register);
	pager_leave(self);
}

void
pager_thread_end(struct qr_thread *thread)
{
	if (qr_linux.space == NULL)
		return;
	struct qr_thread *self = qr_thread_self();
	pager_unpin(thread);
	pager_enter(self);
	thread_pins(thread, qr_space_pin_unregister);
	pager_leave(self);
}

void
pager_alone_begin(struct qr_thread *thread)
{
	thread->had_helper =
	    qr_linux.space != NULL && !thread->guest && helper_stop();
}

void
pager_alone_end(struct qr_thread *thread)
{
	if (thread->had_helper)
		helper_wanted();
}
