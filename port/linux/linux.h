/* SPDX-License-Identifier: MIT */
/*
 * linux.h: the state of Quire in one process, shared by the files of this
 * folder. The essay is in pager.c.
 */
#ifndef QR_LINUX_H
#define QR_LINUX_H

#include <stdatomic.h>

#include <qr/machine.h>

#include "config.h"
#include "thread.h"

/* CPUs that the core is told of: enough that threads rarely meet. */
#define QR_LINUX_CPUS_MAX 8u

struct qr_linux {
	/* Set up once by start.c, then constant. (c) */
	struct qr_port port;
	struct qr_machine *machine;
	struct qr_space *space;
	struct qr_linux_config config;
	uint64_t frames;       /* frames described: the budget in pages, and
				   with an outside pool three times as
				   much more */
	unsigned char *home;   /* direct map: frame n at home + n pages */
	unsigned char *stages; /* a staging window for each CPU */
	unsigned char *zeros;  /* QR_STAGE_PAGES pages, never written */
	bool carried;          /* the program is static; see carry.c */
	uint64_t start_ns;     /* when this process came under Quire */

	_Atomic(uint64_t) swap_pages; /* size of the swap file now, pages */

	/* Entry into the core; see pager.c. */
	_Atomic(uint32_t) fork_wanted; /* self() of the thread that forks */
	_Atomic(uint32_t) dead;        /* the process is beyond help */

	_Atomic(uint32_t) faults;    /* since the start, inexact */
	_Atomic(uint32_t) abandoned; /* ranges given back to the host */

	/* The program's break. (space lock) */
	uintptr_t brk_start;
	uintptr_t brk_end;
	bool lock_future;      /* mlockall(MCL_FUTURE) */
	struct qr_pin hold[2]; /* what the host is about to unmap or move */

	/* Memory that Quire does not manage; see credit.c. */
	_Atomic(uint64_t) unmanaged_pages; /* at the last look */
	_Atomic(uint64_t) unmanaged_pages_peak;
};

extern struct qr_linux qr_linux;

/* The port's callbacks, by file. port.c */
extern const struct qr_port_ops linux_port_ops;

/* setup.c: once each, in this order, with the configuration set; the swap file
 * is opened in between, since its size counts. 0 or -errno. */
int setup_memory(void);
int setup_machine(void);
/* Whether some of [start, end) is Quire's own memory. */
bool setup_owns(uintptr_t start, uintptr_t end);

/* mmu.c. 0 or -errno. */
int mmu_open(void); /* a userfaultfd, in the place of an earlier one */
int mmu_register(uintptr_t start, size_t size_bytes);
int mmu_unregister(uintptr_t start, size_t size_bytes);
/* Puts a page of data there, if none is, beside the core. */
int mmu_put(uintptr_t address, const void *data);
int linux_mm_create(void *ctx, qr_pfn_t root, uint32_t tag, void **mm);
void linux_mm_destroy(void *ctx, void *mm);
int linux_mmu_map(void *ctx, void *mm, unsigned cpu,
    const struct qr_map_run *run);
int linux_mmu_freeze(void *ctx, void *mm, const struct qr_range *ranges,
    size_t count, bool lasting);
void linux_mmu_thaw(void *ctx, void *mm, const struct qr_range *ranges,
    size_t count);
size_t linux_mmu_drop(void *ctx, void *mm, const struct qr_range *ranges,
    size_t count);
void linux_frame_release(void *ctx, const struct qr_frame_run *runs,
    size_t count);
int linux_mmu_protect(void *ctx, void *mm, qr_vaddr_t start, qr_vaddr_t end,
    unsigned prot);
const void *linux_mmu_peek(void *ctx, void *mm, const struct qr_peek *at);

/* swapfile.c */
int swapfile_open(const struct qr_linux_config *config);
uint64_t linux_swap_size(void *ctx);
int linux_swap_read(void *ctx, uint64_t slot, void *data, size_t count);
int linux_swap_write(void *ctx, uint64_t slot, const void *data, size_t count);
void linux_swap_trim(void *ctx, uint64_t slot, size_t count);
int swapfile_copy(int *copy); /* for a fork's child */

/* pager.c: entering and leaving the core. */
void pager_enter(struct qr_thread *thread);
void pager_leave(struct qr_thread *thread);

/* fork.c: no thread but this one is inside the core, or comes in, until
 * pager_let_others; the helper neither. */
void pager_stop_others(struct qr_thread *thread);
void pager_let_others(void);

/* Makes a touch good: enters, and leaves again. 0: the touch may be made
 * again. -QR_EFAULT: not allowed. -QR_ENOMEM. Lost contents end the process. */
int pager_touch(struct qr_thread *thread, uintptr_t address, unsigned access);

/* credit.c: what of the budget this process may use. */
struct ledger_slot;
int credit_start(void);
void credit_forked(void);  /* first thing in a child */
void credit_measure(void); /* look at the unmanaged memory, set the balloon */
void credit_return(uint64_t pages);
bool credit_beg(void); /* true: others have made something free */
void credit_idle(void);
int credit_for_child(struct ledger_slot **child);
void credit_tick(void);
uint64_t credit_status_pages(const char *text); /* of a /proc/PID/status */
uint64_t linux_grant(void *ctx, uint64_t want);

/* A process with more pages of its own than this, 4 MiB, has a helper. */
#define HELPER_FROM_PAGES 1024u

/* mapping.c: takes a mapping that is there already under management; gives a
 * range back to the host with all its contents, whatever it costs; puts all
 * contents where they belong, for a dump. 0 or -errno. */
int mapping_manage(uintptr_t start, size_t size, int prot);
int mapping_abandon(struct qr_thread *thread, uintptr_t start, size_t size);
void mapping_bring_home(struct qr_thread *thread);

/* report.c */
QR_NORETURN void linux_die(const char *what, int status);

/* oom.c. What a budget must leave for managed pages beside those that are
 * not: 16 MiB. */
#define LINUX_FLOOR_PAGES 4096u
struct print;
/* True: the budget does not, which the text says. */
bool oom_floor(struct print *print, uint64_t unmanaged_pages);
/* Says the same of the tree, once. */
void oom_watch_floor(void);
bool linux_oom(void *ctx, void *mm, const struct qr_oom_report *report);

/* port.c: monotonic, ns. */
uint64_t linux_clock(void *ctx);

#endif
