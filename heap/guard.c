/* SPDX-License-Identifier: MIT */
/*
 * heap/guard.c: some blocks stand alone, between pages that nobody may touch.
 *
 * Bugs that only users' data brings out never meet libquire-hard.so. So one in
 * GUARD_PERIOD blocks of the profile's sample, one in 8 MiB, is put on a page
 * of its own:
 *
 *     | no access | filling ... block | no access | block ... filling | no ...
 *
 * at its end, or in every second slot at its start, so that the first byte
 * beyond it that is touched, or the last one before it, is a fault. The rest
 * of the page is filled, and looked at in the free. A page that was freed may
 * not be touched until all other slots were used since. Each of these ends
 * the program with a report of what it was, whose block, and who allocated and
 * freed it:
 *
 *   overflow, underflow, use after free   at the access, by SIGSEGV
 *   overflow within the filling           at the free
 *   double free, free inside of a block   at the free
 *
 * The handler of SIGSEGV is there only when a block is, and only in a program
 * that has none of its own; it ends with the default action, so that the
 * program dies of the signal that it would die of, at the same place.
 *
 * QUIRE_HEAP_GUARD=N puts one of N blocks of the sample there, 0 none.
 * QUIRE_HARD=1 takes all blocks of at most a page while there are slots, of
 * which there are SLOTS_HARD then: the whole of what libquire-hard.so finds
 * beyond that needs libquire-hard.so. Not in a budget, where the pager has the
 * signal.
 *
 * Costs two system calls a guarded block. All under the profile's lock. A
 * guarded block is in no region, so every free of one comes by the slow way.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "front_impl.h"
#include "report_impl.h"
#include "sample_impl.h"

#define GUARD_PERIOD 16u

#define SLOTS_NORMAL 64u
#define SLOTS_HARD   4096u

#define GUARD_FRAMES 12u
#define GUARD_FILL   0xc7

enum slot_state {
	SLOT_NEW,
	SLOT_LIVE,
	SLOT_FREED,
};

struct slot {
	char *block;
	uint32_t size; /* as asked for */
	uint8_t state;
	uint8_t alloc_depth;
	uint8_t free_depth;
	uint64_t alloc_frame[GUARD_FRAMES];
	uint64_t free_frame[GUARD_FRAMES];
};

/* The profile's lock, but for (c), constant once pages is set. */
static struct {
	_Atomic(char *) pages; /* (c) slot i has page 2 * i + 1 */
	struct slot *slot;     /* (c) */
	unsigned slots;        /* (c) */
	unsigned used;         /* of these, how many ever were */
	unsigned freed;        /* and how many of these are free */
	unsigned next;         /* where to look for one that was freed */
	unsigned period;       /* 0: none is guarded */
	unsigned turn;         /* samples since the last */
	bool failed;           /* there is no memory for them */
} guard;

static char *
slot_page(unsigned index)
{
	return atomic_load_explicit(&guard.pages, memory_order_acquire) +
	       (2 * (size_t)index + 1) * QR_PAGE_SIZE;
}

/* The slot whose page, or which side of whose page, an address is. False: it
 * is none of these pages. */
static bool
slot_of(const void *address, unsigned *index)
{
	/* Acquire pairs with the release in pool_get. */
	char *pages = atomic_load_explicit(&guard.pages, memory_order_acquire);
	size_t offset = (size_t)((uintptr_t)address - (uintptr_t)pages);
	if (pages == NULL ||
	    offset >= (2 * (size_t)guard.slots + 1) * QR_PAGE_SIZE)
		return false;
	/* Of a page between two the nearer one. */
	size_t half = offset / (QR_PAGE_SIZE / 2);
	*index =
	    (unsigned)qr_min(half < 1 ? 0 : (half - 1) / 4, guard.slots - 1);
	return true;
}

void
qr_guard_init(void)
{
	size_t period = GUARD_PERIOD;
	const char *text = getenv("QUIRE_HEAP_GUARD");
	const char *hard = getenv("QUIRE_HARD");
	if (QR_HEAP_HARD || qr_heap_stands_alone == NULL)
		return;
	if (text != NULL && !qr_heap_bytes_from_text(&text, &period)) {
		qr_heap_say("QUIRE_HEAP_GUARD is ignored: it is a number");
		period = GUARD_PERIOD;
	}
	guard.slots = SLOTS_NORMAL;
	guard.period = (unsigned)qr_min(period, (size_t)UINT32_MAX);
	if (hard != NULL && strcmp(hard, "1") == 0) {
		guard.slots = SLOTS_HARD;
		guard.period = 1;
		qr_heap_profile_set_interval(1);
	}
}

/* --- reports --- */

static void
report_calls(const char *what, const uint64_t *frame, unsigned depth)
{
	if (depth == 0)
		return;
	qr_report_line("  %s by\n", what);
	for (unsigned i = 0; i < depth; i++)
		qr_report_address("   ", (const void *)(uintptr_t)frame[i]);
}

static void
report_slot(const char *what, const void *address, unsigned index)
{
	const struct slot *slot = &guard.slot[index];
	qr_report_line("quire: %s at %p\n", what, address);
	if (slot->state == SLOT_NEW)
		return;
	qr_report_line("  the block: %u bytes at %p\n", slot->size,
	    (void *)slot->block);
	report_calls("allocated", slot->alloc_frame, slot->alloc_depth);
	report_calls("freed", slot->free_frame, slot->free_depth);
}

/* Lock held; drops it, as a report may allocate. */
static QR_NORETURN void
report_end(const char *what, const void *address, unsigned index)
{
	qr_heap_unlock(&qr_heap_process, QR_HEAP_LOCK_PROFILE);
	report_slot(what, address, index);
	abort();
}

static const char *
fault_name(const char *address, unsigned index)
{
	const struct slot *slot = &guard.slot[index];
	if (slot->state == SLOT_FREED && address >= slot_page(index) &&
	    address < slot_page(index) + QR_PAGE_SIZE)
		return "use after free";
	return address < slot_page(index) ? "underflow" : "overflow";
}

static void
guard_signal(int number, siginfo_t *info, void *context)
{
	(void)context;
	unsigned index;
	signal(number, SIG_DFL);
	/* From the process itself or another: it does not come again. */
	if (info->si_code <= 0)
		raise(number);
	else if (slot_of(info->si_addr, &index))
		report_slot(fault_name(info->si_addr, index), info->si_addr,
		    index);
}

/* --- slots --- */

static void
signal_take(void)
{
	struct sigaction action;
	if (sigaction(SIGSEGV, NULL, &action) != 0 ||
	    (action.sa_flags & SA_SIGINFO) != 0 || action.sa_handler != SIG_DFL)
		return;
	memset(&action, 0, sizeof(action));
	action.sa_sigaction = guard_signal;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
	sigaction(SIGSEGV, &action, NULL);
}

/* Reserves the pages. False: there is no memory for them, now and later. */
static bool
pool_get(void)
{
	if (guard.slot != NULL || guard.failed)
		return !guard.failed;
	size_t pages = (2 * (size_t)guard.slots + 1) * QR_PAGE_SIZE;
	size_t table =
	    qr_round_up(guard.slots * sizeof(struct slot), QR_PAGE_SIZE);
	char *start = mmap(NULL, pages + table, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	guard.failed = start == MAP_FAILED;
	if (guard.failed)
		return false;
	if (mprotect(start + pages, table, PROT_READ | PROT_WRITE) != 0) {
		munmap(start, pages + table);
		guard.failed = true;
		return false;
	}
	guard.slot = (void *)(start + pages);
	/* Release pairs with the acquire in slot_of. */
	atomic_store_explicit(&guard.pages, start, memory_order_release);
	signal_take();
	return true;
}

/* A slot that was never used, or else the one that was freed longest ago. */
static bool
slot_get(unsigned *index)
{
	if (guard.used < guard.slots) {
		*index = guard.used++;
		return true;
	}
	for (unsigned turn = 0; guard.freed > 0 && turn < guard.slots; turn++) {
		unsigned at = guard.next;
		guard.next = (at + 1) % guard.slots;
		if (guard.slot[at].state == SLOT_FREED) {
			*index = at;
			return true;
		}
	}
	return false;
}

/* Blocks end at the end of the page, aligned as malloc's are, or begin at its
 * start. */
static void
slot_fill(unsigned index, size_t size)
{
	struct slot *slot = &guard.slot[index];
	char *page = slot_page(index);
	size_t room = qr_round_up(size, QR_SIZE_STEP);
	guard.freed -= slot->state == SLOT_FREED;
	slot->block = index % 2 == 0 ? page + QR_PAGE_SIZE - room : page;
	slot->size = (uint32_t)size;
	slot->state = SLOT_LIVE;
	slot->free_depth = 0;
	slot->alloc_depth =
	    (uint8_t)qr_heap_unwind(slot->alloc_frame, GUARD_FRAMES);
	memset(page, GUARD_FILL, QR_PAGE_SIZE);
}

void *
qr_guard_alloc(size_t size)
{
	unsigned index;
	int saved = errno;
	if (guard.period == 0 || size == 0 || size > QR_PAGE_SIZE ||
	    ++guard.turn < guard.period)
		return NULL;
	guard.turn = 0;
	if (!pool_get() || !slot_get(&index))
		return NULL;
	if (mprotect(slot_page(index), QR_PAGE_SIZE, PROT_READ | PROT_WRITE) !=
	    0) {
		errno = saved;
		return NULL;
	}
	slot_fill(index, size);
	return guard.slot[index].block;
}

/* The first byte of the filling that is not, or NULL. */
static const char *
filling_broken(unsigned index)
{
	const struct slot *slot = &guard.slot[index];
	const char *page = slot_page(index);
	for (const char *at = page; at < page + QR_PAGE_SIZE; at++) {
		if (at == slot->block)
			at += slot->size;
		if (at < page + QR_PAGE_SIZE &&
		    *(const unsigned char *)at != GUARD_FILL)
			return at;
	}
	return NULL;
}

bool
qr_guard_free(void *block)
{
	struct qr_heap *heap = &qr_heap_process;
	unsigned index;
	if (!slot_of(block, &index))
		return false;
	int saved = errno;
	qr_heap_lock(heap, QR_HEAP_LOCK_PROFILE);
	struct slot *slot = &guard.slot[index];
	if (slot->block != block || slot->state == SLOT_NEW)
		report_end("wild free", block, index);
	if (slot->state == SLOT_FREED)
		report_end("double free", block, index);
	const char *broken = filling_broken(index);
	if (broken != NULL)
		report_end(broken < slot->block ? "underflow" : "overflow",
		    broken, index);
	slot->state = SLOT_FREED;
	guard.freed++;
	slot->free_depth =
	    (uint8_t)qr_heap_unwind(slot->free_frame, GUARD_FRAMES);
	qr_sample_forget(heap, block);
	/* Where the system refuses, it is only not noticed. */
	(void)madvise(slot_page(index), QR_PAGE_SIZE, MADV_DONTNEED);
	(void)mprotect(slot_page(index), QR_PAGE_SIZE, PROT_NONE);
	qr_heap_unlock(heap, QR_HEAP_LOCK_PROFILE);
	errno = saved;
	return true;
}

size_t
qr_guard_size(const void *block)
{
	unsigned index;
	if (!slot_of(block, &index))
		return 0;
	/* Without the lock: who asks has the block. */
	const struct slot *slot = &guard.slot[index];
	return slot->block == block && slot->state == SLOT_LIVE ? slot->size
								: 0;
}
