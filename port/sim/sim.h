/* SPDX-License-Identifier: MIT */
/*
 * port/sim/sim.h: a simulated machine for the core: RAM, CPUs with TLBs, a
 * swap device, a clock, and faults on demand. See sim.c for what it models.
 *
 * Use: sim_create(), qr_machine_create(sim_port(sim), ...), qr_space_create()
 * and so on; then sim_read() and sim_write() are the program's own loads and
 * stores. Everything is repeatable from config.seed as long as one thread
 * runs.
 */
#ifndef SIM_H
#define SIM_H

#include <qr/machine.h>

struct sim;    /* a machine without its core */
struct sim_mm; /* an address space as its MMU sees it: qr_space_mm() */

/* sim_config.flags */
#define SIM_THREADS      0x1u /* several real threads call in; time is real */
#define SIM_NO_YOUNG_BIT 0x2u /* the MMU sets neither young nor dirty bits */
#define SIM_STAGE_WINDOW 0x4u /* stage() gives a window, mmu_map() copies */
#define SIM_JITTER       0x8u /* with SIM_THREADS: port calls yield at random */
#define SIM_DEAR_MMU     0x10u /* pages are best evicted by windows */
#define SIM_CPU_OWNED                                                          \
	0x20u /* QR_PORT_CPU_OWNED; with SIM_THREADS there are
				  no more threads than CPUs */

/* Zeroed fields take the defaults. */
struct sim_config {
	uint64_t ram_bytes; /* 0: 16 MiB; unused if there are regions */
	const struct qr_ram_region *regions; /* RAM map; NULL: one region */
	size_t region_count;
	uint64_t swap_pages;     /* 0: no swap device */
	uint64_t seed;           /* of random() and of SIM_JITTER */
	unsigned cpus;           /* 0: 1 */
	unsigned levels;         /* of the page tables, as the core's; 0: 4 */
	unsigned tlb_entries;    /* of each CPU; 0: 64 */
	unsigned tlb_ways;       /* of a set; 0: 1. Sets are a power of two */
	unsigned tlb2_entries;   /* of a second level; 0: there is none */
	unsigned tlb2_ways;      /* likewise */
	unsigned tlb_ids;        /* address-space ids; 0: one for each space */
	unsigned flags;          /* SIM_* */
	uint64_t direct_bytes;   /* of RAM from address 0 are in the direct map;
				  what the core reaches beyond that way is an
				  error; 0: all */
	uint64_t plug_bytes;     /* RAM may be plugged up to this address;
				  0: what there is at first */
	uint64_t kernel_bytes;   /* of addresses for the core's own mappings;
				  0: none */
	const uint8_t *cpu_node; /* as in struct qr_port */
	const uint8_t *node_distance; /* likewise */
};

/* NULL: the host has no memory, or the config makes no sense. */
QR_MUST_CHECK struct sim *sim_create(const struct sim_config *config);

/* The core's machine must be gone, or have panicked. */
void sim_destroy(struct sim *sim);

const struct qr_port *sim_port(const struct sim *sim);

/* The CPU that this thread runs on from now on, modulo their number. */
void sim_set_cpu(unsigned cpu);

/* --- loads and stores of the simulated program --- */

/*
 * Copies n bytes out of or into the space, page by page in rising order. A
 * translation that fails is answered by qr_space_fault() and tried again.
 * Its error is returned: the bytes before that page were copied.
 */
QR_MUST_CHECK int sim_read(struct sim *sim, struct qr_space *space,
    qr_vaddr_t address, void *to, size_t n);
QR_MUST_CHECK int sim_write(struct sim *sim, struct qr_space *space,
    qr_vaddr_t address, const void *from, size_t n);

/* Touches the byte at address, for reading, writing (it keeps its value) or
 * execution, like sim_read. */
QR_MUST_CHECK int sim_touch(struct sim *sim, struct qr_space *space,
    qr_vaddr_t address, unsigned access);

/*
 * One access that is not answered by anybody: 0, or -QR_EFAULT where the MMU
 * refuses it. *byte is read into or written from; NULL: a mere touch.
 */
QR_MUST_CHECK int sim_try(struct sim *sim, struct sim_mm *mm,
    qr_vaddr_t address, unsigned access, unsigned char *byte);

/* From now on sim_read() and the like run qr_machine_balance() first when
 * the core has called wake_reclaim(), like a background thread. NULL: no
 * more. */
void sim_set_background(struct sim *sim, struct qr_machine *machine);

/* Whether wake_reclaim() was called since this was asked last. */
bool sim_reclaim_wanted(struct sim *sim);

/* --- faults on demand --- */

/* The port calls that can be made to fail. */
enum sim_call {
	SIM_MM_CREATE,
	SIM_MMU_MAP,
	SIM_MMU_FREEZE,
	SIM_MMU_DROP,
	SIM_MMU_PROTECT,
	SIM_SWAP_READ,
	SIM_SWAP_WRITE,
	SIM_KERNEL_MAP,
	SIM_FILE_READ,
	SIM_FILE_WRITE,
	SIM_FILE_SYNC,
	SIM_CALLS, /* how many there are */
};

/* The n-th such call from now on (n from 1) returns error, once; n 0: none.
 * A transfer that fails with -QR_EIO has moved half of its bytes. */
void sim_fail_after(struct sim *sim, enum sim_call call, uint64_t n, int error);

/* Every n-th such call returns error; n 0: none. */
void sim_fail_every(struct sim *sim, enum sim_call call, uint64_t n, int error);

/* No more faults of any kind. */
void sim_fail_never(struct sim *sim);

/* Such calls made so far, those that failed included. */
uint64_t sim_calls(const struct sim *sim, enum sim_call call);

/* Called at the start of each call of enum sim_call. It may not call into
 * the core. */
void sim_set_hook(struct sim *sim, void (*hook)(void *ctx, enum sim_call call),
    void *ctx);

/* --- the swap device --- */

/* Changes its size, up to the size it was made with. */
void sim_disk_resize(struct sim *sim, uint64_t pages);

/* The device takes so many different pages and then answers -QR_ENOSPC, as a
 * thin volume does. UINT64_MAX: as many as its size. */
void sim_disk_set_room(struct sim *sim, uint64_t pages);

/* Inverts a byte of the page at slot. */
void sim_disk_corrupt(struct sim *sim, uint64_t slot);

/* --- plugging memory --- */

/* Puts RAM there, or takes it out; page aligned, below plug_bytes. Touching
 * what is not there is an error; what is plugged reads as zeroes. */
void sim_plug(struct sim *sim, qr_paddr_t start, uint64_t size_bytes);
void sim_unplug(struct sim *sim, qr_paddr_t start, uint64_t size_bytes);

/* --- files --- */

struct sim_file; /* what file_io() is given; freed with the sim */

/* A file of zeroes that can hold so many bytes. NULL: no memory. */
QR_MUST_CHECK struct sim_file *sim_file_create(struct sim *sim,
    uint64_t capacity_bytes);

/* Its bytes as the device has them now; for a test to look at and to fill. */
unsigned char *sim_file_bytes(struct sim_file *file);

/* Loss of power: the bytes are those of the last QR_FILE_SYNC again. */
void sim_file_lose_power(struct sim_file *file);

/* --- the rest --- */

/* Answers oom(); the default says false. */
void sim_set_oom(struct sim *sim,
    bool (
	*oom)(void *ctx, struct sim_mm *mm, const struct qr_oom_report *report),
    void *ctx);

/* grant() gives so many pages more, in all. */
void sim_set_grant(struct sim *sim, uint64_t pages);

/* Moves the virtual clock on. */
void sim_advance(struct sim *sim, uint64_t ns);

/* Counts since the start. */
struct sim_stat {
	uint64_t tlb_hits;
	uint64_t tlb2_hits;   /* of these, in the second level */
	uint64_t tlb_misses;  /* walks of the page table */
	uint64_t tlb_flushes; /* mmu_* calls that had to flush */
	uint64_t tlb_dropped; /* translations that these threw away */
	uint64_t stale_uses;  /* with SIM_THREADS; see sim.c */
	uint64_t faults;      /* accesses that the MMU refused */
	uint64_t oom_calls;
	uint64_t disk_reads; /* pages */
	uint64_t disk_writes;
	uint64_t disk_trims;
	uint64_t disk_pages; /* that the device holds now */
	uint64_t file_reads; /* pages */
	uint64_t file_writes;
	uint64_t file_calls; /* transfers of any number of pages */
	uint64_t clock_ns;
};

void sim_stat(const struct sim *sim, struct sim_stat *stat);

/* The bytes of a frame. */
void *sim_frame(const struct sim *sim, qr_pfn_t frame);

/*
 * Runs body(ctx). If that panics, the message is returned (valid until this
 * thread's next panic) and the core's machine must not be used any more,
 * neither destroyed; NULL: no panic. Outside of this a panic prints and
 * aborts.
 */
const char *sim_expect_panic(void (*body)(void *ctx), void *ctx);

#endif
