/* SPDX-License-Identifier: MIT */
/*
 * chaos.c: a pager that takes pages away at random.
 *
 * Private anonymous memory that is readable and writable, and the break, are
 * *tracked*. At every system call some of its pages that nobody has pinned
 * lose all rights: to the kernel that is what a cold page is, an EFAULT, and
 * to the program a fault, which is answered by giving the rights back. So
 * whatever the gate forgets to pin fails at once, without a machine under
 * it. What changes a mapping ends the tracking of the areas it touches.
 *
 * The seed is GATE_SEED's, else that of the clock, and is printed by
 * GATE_SEED=print.
 */
#include "chaos.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "port/linux/futex_lock.h"
#include "port/linux/sys.h"

#define PAGE          ((uintptr_t)4096)
#define AREAS_MAX     512u
#define GONE_MAX      1024u /* pages without rights; each splits an area */
#define PINS_MAX      4096u
#define GONE_PER_CALL 6u

struct range {
	uintptr_t start; /* page aligned, [start, end); 0: unused */
	uintptr_t end;
	const void *owner; /* of a pin */
};

static struct {
	struct futex_lock lock;
	bool on;
	uint64_t random;
	uintptr_t brk_start;
	uintptr_t brk_end;
	struct range areas[AREAS_MAX]; /* the first is the break */
	struct range pins[PINS_MAX];   /* owner NULL: for good */
	unsigned pin_end;              /* those behind are unused */
	uintptr_t gone[GONE_MAX];
} chaos;

static uint64_t
random_next(void)
{
	chaos.random ^= chaos.random << 13;
	chaos.random ^= chaos.random >> 7;
	chaos.random ^= chaos.random << 17;
	return chaos.random;
}

static bool
overlaps(const struct range *range, uintptr_t start, uintptr_t end)
{
	return range->start < end && start < range->end;
}

static bool
is_pinned(uintptr_t page)
{
	for (unsigned i = 0; i < chaos.pin_end; i++) {
		if (overlaps(&chaos.pins[i], page, page + PAGE))
			return true;
	}
	return false;
}

static void
give_back(unsigned slot)
{
	if (chaos.gone[slot] != 0)
		qr_sys3(SYS_mprotect, chaos.gone[slot], PAGE,
		    (long)(PROT_READ | PROT_WRITE));
	chaos.gone[slot] = 0;
}

static void
give_back_range(uintptr_t start, uintptr_t end)
{
	for (unsigned i = 0; i < GONE_MAX; i++) {
		if (chaos.gone[i] >= start && chaos.gone[i] < end)
			give_back(i);
	}
}

static void
take_some(void)
{
	for (unsigned i = 0; i < GONE_PER_CALL; i++) {
		const struct range *area =
		    &chaos.areas[random_next() % AREAS_MAX];
		if (area->start == area->end)
			area = &chaos.areas[random_next() % 4];
		if (area->start == area->end)
			continue;
		uintptr_t pages = (area->end - area->start) / PAGE;
		uintptr_t page = area->start + random_next() % pages * PAGE;
		unsigned slot = random_next() % GONE_MAX;
		give_back_range(page, page + PAGE);
		give_back(slot);
		if (is_pinned(page))
			continue;
		if (qr_sys3(SYS_mprotect, page, PAGE, (long)PROT_NONE) == 0)
			chaos.gone[slot] = page;
	}
}

bool
chaos_init(void)
{
	struct timespec now;
	const char *seed = getenv("GATE_SEED");
	clock_gettime(CLOCK_MONOTONIC, &now);
	chaos.random = (uint64_t)now.tv_nsec | 1;
	if (seed != NULL && *seed >= '0' && *seed <= '9')
		chaos.random = strtoull(seed, NULL, 10) | 1;
	else if (seed != NULL) {
		char text[24] = "seed ";
		unsigned at = 5;
		uint64_t unit = 1000000000;
		for (; unit != 0; unit /= 10)
			text[at++] = (char)('0' + chaos.random / unit % 10);
		text[at++] = '\n';
		qr_sys3(SYS_write, 2L, text, (long)at);
	}
	chaos.brk_start =
	    ((uintptr_t)qr_sys1(SYS_brk, 0L) + PAGE - 1) & ~(PAGE - 1);
	chaos.brk_end = chaos.brk_start;
	chaos.on = true;
	return true;
}

bool
chaos_fault(uintptr_t address)
{
	bool ours = false;
	futex_lock_acquire(&chaos.lock);
	uintptr_t page = address & ~(PAGE - 1);
	for (unsigned i = 0; i < AREAS_MAX && chaos.on; i++)
		ours |= overlaps(&chaos.areas[i], page, page + PAGE);
	if (ours)
		give_back_range(page, page + PAGE);
	futex_lock_release(&chaos.lock);
	return ours;
}

static int
pin_add(const void *owner, uintptr_t start, size_t size_bytes)
{
	unsigned slot = PINS_MAX;
	unsigned own = 0;
	for (unsigned i = 0; i < chaos.pin_end; i++) {
		own += owner != NULL && chaos.pins[i].owner == owner;
		if (chaos.pins[i].start == 0)
			slot = i;
	}
	if (own >= QR_THREAD_PINS)
		return -ENOMEM;
	if (slot == PINS_MAX && chaos.pin_end < PINS_MAX)
		slot = chaos.pin_end++;
	if (slot == PINS_MAX)
		return -ENOMEM;
	uintptr_t end = (start + size_bytes + PAGE - 1) & ~(PAGE - 1);
	start &= ~(PAGE - 1);
	chaos.pins[slot] = (struct range){ start, end, owner };
	give_back_range(start, end);
	return 0;
}

int
chaos_pin(struct qr_thread *thread, uintptr_t start, size_t size_bytes,
    unsigned access)
{
	(void)access;
	if (size_bytes > CHAOS_PIN_LIMIT)
		return -ENOMEM;
	futex_lock_acquire(&chaos.lock);
	int result = pin_add(thread, start, size_bytes);
	futex_lock_release(&chaos.lock);
	return result;
}

void
chaos_keep(uintptr_t start, size_t size_bytes)
{
	futex_lock_acquire(&chaos.lock);
	pin_add(NULL, start, size_bytes);
	futex_lock_release(&chaos.lock);
}

void
chaos_unpin(struct qr_thread *thread)
{
	if (!chaos.on)
		return;
	futex_lock_acquire(&chaos.lock);
	for (unsigned i = 0; i < chaos.pin_end; i++) {
		if (chaos.pins[i].owner == thread)
			chaos.pins[i] = (struct range){ 0 };
	}
	while (chaos.pin_end > 0 && chaos.pins[chaos.pin_end - 1].start == 0)
		chaos.pin_end--;
	take_some();
	futex_lock_release(&chaos.lock);
}

/* --- mappings --- */

static void
untrack(uintptr_t start, uintptr_t end)
{
	for (unsigned i = 1; i < AREAS_MAX; i++) {
		struct range *area = &chaos.areas[i];
		if (!overlaps(area, start, end))
			continue;
		give_back_range(area->start, area->end);
		*area = (struct range){ 0 };
	}
	give_back_range(start, end);
}

static void
track(uintptr_t start, uintptr_t end)
{
	for (unsigned i = 1; i < AREAS_MAX; i++) {
		if (chaos.areas[i].start != 0)
			continue;
		chaos.areas[i] = (struct range){ start, end, NULL };
		return;
	}
}

static void
track_break(uintptr_t top)
{
	uintptr_t end = top & ~(PAGE - 1);
	struct range *area = &chaos.areas[0];
	if (end > chaos.brk_start)
		*area = (struct range){ chaos.brk_start, end, NULL };
	else
		*area = (struct range){ 0 };
}

long
chaos_mapping_call(long number, const long args[6])
{
	if (!chaos.on)
		return qr_sys6(number, args[0], args[1], args[2], args[3],
		    args[4], args[5]);
	uintptr_t start = (uintptr_t)args[0] & ~(PAGE - 1);
	uintptr_t end =
	    ((uintptr_t)args[0] + (size_t)args[1] + PAGE - 1) & ~(PAGE - 1);
	futex_lock_acquire(&chaos.lock);
	if (number == SYS_brk)
		give_back_range(chaos.brk_start, UINTPTR_MAX);
	else if (number != SYS_madvise && end > start)
		untrack(start, end);
	if (number == SYS_shmat || number == SYS_mlockall)
		untrack(PAGE, UINTPTR_MAX);
	long result = qr_sys6(number, args[0], args[1], args[2], args[3],
	    args[4], args[5]);
	if (number == SYS_brk)
		track_break((uintptr_t)result);
	if (number == SYS_mmap && !qr_sys_failed(result) &&
	    args[2] == (PROT_READ | PROT_WRITE) &&
	    (args[3] & ~MAP_NORESERVE) == (MAP_PRIVATE | MAP_ANONYMOUS))
		track((uintptr_t)result,
		    ((uintptr_t)result + (size_t)args[1] + PAGE - 1) &
			~(PAGE - 1));
	futex_lock_release(&chaos.lock);
	return result;
}

void
chaos_stop(void)
{
	futex_lock_acquire(&chaos.lock);
	chaos.on = false;
	give_back_range(0, UINTPTR_MAX);
	futex_lock_release(&chaos.lock);
}

void
chaos_fork_prepare(void)
{
	futex_lock_acquire(&chaos.lock);
}

void
chaos_fork_done(void)
{
	futex_lock_release(&chaos.lock);
}
