/* SPDX-License-Identifier: MIT */
/* ledger.c: one budget for a tree of processes; see ledger.h. */
#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>

#include "../../core/base/bits.h"
#include "files.h"
#include "linux.h"
#include "sys.h"

static struct {
	struct ledger *map;
	struct ledger_slot *own;
	uint32_t away;              /* pid, while the lock is away */
	uint64_t left_credits;      /* what ledger_leave gave up */
	struct ledger_slot nowhere; /* own, while there is none */
} ledger = { .own = &ledger.nowhere };

/*
 * Values of a slot's pid that are no process's:
 *
 *	31 30 29              10 9          0
 *	C  G  owners, 20 bits    slot number
 *
 * C: the slot is made for a child by that owner of that slot. G: it is being
 * cleared by that one.
 */
#define SLOT_COMING ((uint32_t)1 << 31)
#define SLOT_GOING  ((uint32_t)1 << 30)
#define SLOT_MARKS  (SLOT_COMING | SLOT_GOING)
#define MARK_SHIFT  10u
#define MARK_OWNERS (((uint32_t)1 << 20) - 1)
#define MARK_NUMBER (((uint32_t)1 << MARK_SHIFT) - 1)
#define MARK_NOBODY MARK_NUMBER /* a slot number that never dies */

_Static_assert(LEDGER_SLOTS < MARK_NOBODY, "a slot's number fits a mark");

static uint32_t
slot_index(const struct ledger_slot *slot)
{
	return (uint32_t)(slot - ledger.map->slots);
}

static uint32_t
slot_owners(const struct ledger_slot *slot)
{
	return atomic_load(&slot->owners) & MARK_OWNERS;
}

/* This process's mark. */
static uint32_t
own_mark(void)
{
	if (ledger.own == &ledger.nowhere)
		return MARK_NOBODY;
	return slot_owners(ledger.own) << MARK_SHIFT | slot_index(ledger.own);
}

static long
slot_lock(const struct ledger_slot *slot, int command, short type,
    struct flock *lock)
{
	*lock = (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = slot_index(slot),
		.l_len = 1,
	};
	return qr_sys3(SYS_fcntl, own_fd(OWN_LEDGER), command, lock);
}

/* Locks the slot and makes it this process's if its pid is as expected. */
static bool
slot_claim(struct ledger_slot *slot, uint32_t expect)
{
	struct flock lock;
	if (slot_lock(slot, F_SETLK, F_WRLCK, &lock) != 0)
		return false;
	/* Before it is ours: marks of earlier owners are void from here. */
	atomic_fetch_add(&slot->owners, 1);
	if (!atomic_compare_exchange_strong(&slot->pid, &expect,
		(uint32_t)qr_sys0(SYS_getpid))) {
		slot_lock(slot, F_SETLK, F_UNLCK, &lock);
		return false;
	}
	ledger.own = slot;
	return true;
}

static int
ledger_map(int fd)
{
	long map = qr_sys6(SYS_mmap, 0, sizeof(struct ledger),
	    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (qr_sys_failed(map))
		return (int)map;
	ledger.map = (struct ledger *)map;
	return own_fd_set(OWN_LEDGER, fd);
}

void
ledger_count(int processes)
{
	atomic_fetch_add(&ledger.map->totals.processes, (uint64_t)processes);
}

static int
ledger_make(uint64_t budget_pages)
{
	long fd = qr_sys2(SYS_memfd_create, "quire-ledger", MFD_CLOEXEC);
	if (fd < 0)
		return (int)fd;
	long failed = qr_sys2(SYS_ftruncate, fd, sizeof(struct ledger));
	if (failed == 0)
		failed = ledger_map((int)fd);
	if (failed != 0) {
		qr_sys1(SYS_close, fd);
		return (int)failed;
	}
	ledger.map->budget_pages = budget_pages;
	ledger.map->slot_bytes = sizeof(struct ledger_slot);
	ledger_count(1);
	ledger.map->magic = LEDGER_MAGIC;
	return 0;
}

/* Nobody has it but the caller. */
static void
slot_begin(struct ledger_slot *slot)
{
	atomic_store(&slot->asked, 0);
	atomic_store(&slot->listens, 0);
	atomic_store(&slot->unmanaged, 0);
}

static int
slot_take(void)
{
	ledger_reap();
	for (unsigned i = 0; i < LEDGER_SLOTS; i++) {
		struct ledger_slot *slot = &ledger.map->slots[i];
		if (atomic_load(&slot->pid) == 0 && slot_claim(slot, 0)) {
			slot_begin(slot);
			return 0;
		}
	}
	return -EAGAIN;
}

int
ledger_open(int fd, uint64_t budget_pages)
{
	int failed = fd < 0 ? ledger_make(budget_pages) : ledger_map(fd);
	if (failed != 0)
		return failed;
	if (ledger.map->magic != LEDGER_MAGIC ||
	    ledger.map->slot_bytes != sizeof(struct ledger_slot))
		return -EPROTO;
	return slot_take();
}

struct ledger *
ledger_get(void)
{
	return ledger.map;
}

struct ledger_slot *
ledger_own(void)
{
	return ledger.own;
}

static uint64_t
credits_sum(void)
{
	uint64_t sum = atomic_load(&ledger.map->outsiders);
	for (unsigned i = 0; i < LEDGER_SLOTS; i++)
		sum += atomic_load(&ledger.map->slots[i].credits);
	return sum;
}

static void
note_peak(uint64_t sum)
{
	uint64_t peak = atomic_load(&ledger.map->totals.used_peak);
	while (sum > peak &&
	       !atomic_compare_exchange_weak(&ledger.map->totals.used_peak,
		   &peak, sum))
		;
}

uint64_t
ledger_free_pages(void)
{
	uint64_t sum = credits_sum();
	uint64_t budget = ledger.map->budget_pages;
	return sum < budget ? budget - sum : 0;
}

uint64_t
ledger_unmanaged_pages(void)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < LEDGER_SLOTS; i++)
		sum += atomic_load(&ledger.map->slots[i].unmanaged);
	return sum;
}

/* [ledger.1] */
static uint64_t
take_once(struct ledger_slot *slot, uint64_t want)
{
	uint64_t room = ledger_free_pages();
	uint64_t take = want < room ? want : room;
	if (take == 0)
		return 0;
	atomic_fetch_add(&slot->credits, take);
	uint64_t sum = credits_sum();
	if (sum <= ledger.map->budget_pages) {
		note_peak(sum);
		return take;
	}
	atomic_fetch_sub(&slot->credits, take);
	return 0;
}

uint64_t
ledger_take(struct ledger_slot *slot, uint64_t want)
{
	uint64_t took = take_once(slot, want);
	if (took != 0)
		return took;
	ledger_reap();
	return take_once(slot, want);
}

void
ledger_give(struct ledger_slot *slot, uint64_t pages)
{
	atomic_fetch_sub(&slot->credits, pages);
}

struct ledger_slot *
ledger_slot_new(void)
{
	uint32_t mark = SLOT_COMING | own_mark();
	ledger_reap();
	for (unsigned i = 0; i < LEDGER_SLOTS; i++) {
		struct ledger_slot *slot = &ledger.map->slots[i];
		uint32_t expect = 0;
		if (atomic_compare_exchange_strong(&slot->pid, &expect, mark)) {
			slot_begin(slot);
			return slot;
		}
	}
	return NULL;
}

/* pid last: then it may be somebody else's at once. */
static void
slot_clear(struct ledger_slot *slot)
{
	atomic_store(&slot->unmanaged, 0);
	atomic_store(&slot->credits, 0);
	atomic_store(&slot->pid, 0);
}

void
ledger_slot_free(struct ledger_slot *slot)
{
	if (slot == NULL)
		return;
	slot_clear(slot);
}

int
ledger_adopt(struct ledger_slot *slot, uint64_t credits)
{
	ledger_count(1);
	/* own is the parent's here, as at the fork. */
	if (slot_claim(slot, SLOT_COMING | own_mark()))
		return 0;
	int failed = slot_take();
	/* Over the budget, if others have them by now, until the balloon has
	 * been set. */
	if (failed == 0)
		atomic_store(&ledger.own->credits, credits);
	return failed;
}

/* Asking again while the answer is under way asks for no more. */
static void
raise_asked(struct ledger_slot *slot, uint32_t pages)
{
	uint32_t was = atomic_load(&slot->asked);
	uint32_t flags;
	do {
		flags = was & ~LEDGER_ASKED_MAX;
		if ((was & LEDGER_ASKED_MAX) >= pages)
			return;
	} while (
	    !atomic_compare_exchange_weak(&slot->asked, &was, flags | pages));
}

/* Credits that a process could give by sending pages out. */
static uint64_t
slot_spare(const struct ledger_slot *slot)
{
	uint64_t credits = atomic_load(&slot->credits);
	uint64_t unmanaged = atomic_load(&slot->unmanaged);
	return credits > unmanaged ? credits - unmanaged : 0;
}

bool
ledger_ask_largest(uint64_t pages)
{
	struct ledger_slot *largest = NULL;
	uint64_t most = slot_spare(ledger.own);
	for (unsigned i = 0; i < LEDGER_SLOTS; i++) {
		struct ledger_slot *slot = &ledger.map->slots[i];
		uint64_t spare = slot_spare(slot);
		if (slot == ledger.own || spare <= most ||
		    atomic_load(&slot->listens) == 0)
			continue;
		most = spare;
		largest = slot;
	}
	if (largest == NULL)
		return false;
	raise_asked(largest, (uint32_t)qr_min(pages, LEDGER_ASKED_MAX));
	qr_sys3(SYS_futex, &largest->asked, (long)FUTEX_WAKE, 1L);
	return true;
}

void
ledger_listen(bool listens)
{
	atomic_store(&ledger.own->listens, listens);
}

uint64_t
ledger_deaf_pages(void)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < LEDGER_SLOTS; i++) {
		const struct ledger_slot *slot = &ledger.map->slots[i];
		if (atomic_load(&slot->listens) == 0)
			sum += atomic_load(&slot->credits);
	}
	return sum;
}

/* Whether nobody holds the lock of a slot that is not this process's. */
static bool
slot_is_deserted(const struct ledger_slot *slot)
{
	struct flock lock;
	return slot != ledger.own &&
	       slot_lock(slot, F_GETLK, F_WRLCK, &lock) == 0 &&
	       lock.l_type == F_UNLCK;
}

/* Whether who made the mark is gone. */
static bool
mark_is_void(uint32_t mark)
{
	uint32_t number = mark & MARK_NUMBER;
	if (number >= LEDGER_SLOTS)
		return false;
	const struct ledger_slot *slot = &ledger.map->slots[number];
	return slot_owners(slot) != (mark >> MARK_SHIFT & MARK_OWNERS) ||
	       slot_is_deserted(slot);
}

/* [ledger.2] */
void
ledger_reap(void)
{
	uint32_t going = SLOT_GOING | own_mark();
	for (unsigned i = 0; i < LEDGER_SLOTS; i++) {
		struct ledger_slot *slot = &ledger.map->slots[i];
		uint32_t pid = atomic_load(&slot->pid);
		if (pid == 0)
			continue;
		bool dead = (pid & SLOT_MARKS) != 0 ? mark_is_void(pid)
						    : slot_is_deserted(slot);
		if (dead &&
		    atomic_compare_exchange_strong(&slot->pid, &pid, going))
			slot_clear(slot);
	}
}

void
ledger_lock_away(void)
{
	ledger.away =
	    atomic_exchange(&ledger.own->pid, SLOT_GOING | MARK_NOBODY);
}

void
ledger_lock_back(void)
{
	struct flock lock;
	slot_lock(ledger.own, F_SETLK, F_WRLCK, &lock);
	atomic_store(&ledger.own->pid, ledger.away);
}

bool
ledger_others_have(unsigned times)
{
	uint64_t own = slot_spare(ledger.own);
	for (unsigned i = 0; i < LEDGER_SLOTS; i++) {
		if (slot_spare(&ledger.map->slots[i]) / times > own)
			return true;
	}
	return false;
}

uint64_t
ledger_processes(void)
{
	uint64_t count = 0;
	for (unsigned i = 0; i < LEDGER_SLOTS; i++)
		count += atomic_load(&ledger.map->slots[i].pid) != 0;
	return count != 0 ? count : 1;
}

bool
ledger_has(uint32_t pid)
{
	for (unsigned i = 0; i < LEDGER_SLOTS; i++) {
		if (atomic_load(&ledger.map->slots[i].pid) == pid)
			return true;
	}
	return false;
}

void
ledger_leave(void)
{
	struct flock lock;
	struct ledger_slot *own = ledger.own;
	ledger.left_credits = atomic_load(&own->credits);
	/* Threads that still run may take and give; it goes nowhere. */
	ledger.own = &ledger.nowhere;
	/* With the lock until it is free, so nobody else clears it; who wants
	 * it before the lock is gone finds another. */
	slot_clear(own);
	slot_lock(own, F_SETLK, F_UNLCK, &lock);
}

int
ledger_return(void)
{
	int failed = slot_take();
	/* They were this process's a moment ago: what others took meanwhile
	 * is over the budget until credit_measure() has seen it. */
	if (failed == 0)
		atomic_store(&ledger.own->credits, ledger.left_credits);
	return failed;
}

bool
ledger_is_first(void)
{
	if (ledger.own == &ledger.nowhere)
		return false;
	for (struct ledger_slot *slot = ledger.map->slots; slot != ledger.own;
	     slot++) {
		if (atomic_load(&slot->pid) != 0)
			return false;
	}
	return true;
}

void
ledger_charge_outsiders(uint64_t pages)
{
	struct ledger *map = ledger.map;
	atomic_store(&map->outsiders, pages);
	if (pages > atomic_load(&map->outsiders_peak))
		atomic_store(&map->outsiders_peak, pages);
	note_peak(credits_sum());
}

void
ledger_name_outsider(const char *name)
{
	for (unsigned i = 0; i < LEDGER_NAMES; i++) {
		char *kept = ledger.map->outsider_names[i];
		size_t at = 0;
		while (name[at] != '\0' && name[at] != '\n' &&
		       kept[at] == name[at])
			at++;
		if (kept[at] == '\0' && (name[at] == '\0' || name[at] == '\n'))
			return; /* known, or no name */
		if (kept[0] != '\0')
			continue;
		for (at = 0; at + 1 < LEDGER_NAME_MAX && name[at] != '\0' &&
			     name[at] != '\n';
		     at++)
			kept[at] = name[at];
		return;
	}
}
