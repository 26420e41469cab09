/* SPDX-License-Identifier: MIT */
/*
 * port/sim/sim_impl.h: what the files of the simulated machine share.
 */
#ifndef SIM_IMPL_H
#define SIM_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "port_inline.h"
#include "sim.h"

#define SIM_PANIC(...)                                                         \
	qr_port_panic(__FILE__, __LINE__, "simulated machine", __VA_ARGS__)

#define SIM_CHECK(cond, ...)                                                   \
	do {                                                                   \
		if (!(cond))                                                   \
			qr_port_panic(__FILE__, __LINE__, #cond, __VA_ARGS__); \
	} while (0)

/* A translation that a CPU remembers; valid if mm is not NULL. */
struct sim_translation {
	struct sim_mm *mm;
	uint64_t page; /* virtual address >> QR_PAGE_SHIFT */
	qr_pfn_t frame;
	bool write;
	bool execute;
	bool dirty; /* the entry's dirty bit was set already */
};

#define SIM_TLB_LEVELS 2u

struct sim_tlb_level {
	struct sim_translation *entries; /* (l) [sets][ways]; NULL: no level */
	unsigned sets;                   /* (c) a power of two */
	unsigned ways;                   /* (c) */
};

/* (l) lock, which an access holds while it runs; so a flush, which takes it
 * too, ends after every access that used the old translation. */
struct sim_cpu {
	pthread_mutex_t lock;
	struct sim_tlb_level tlb[SIM_TLB_LEVELS];
	const struct sim_mm **owners; /* (l) [tlb_ids] whose the id is */
	unsigned char *window;        /* (c) [QR_STAGE_PAGES] pages, or NULL */
	qr_pfn_t staged[QR_STAGE_PAGES]; /* (o: holder of the core's stage
					    lock) what stage() was given */
	_Atomic(uint64_t) hits;
	_Atomic(uint64_t) hits2; /* of these, in level 1 */
	_Atomic(uint64_t) misses;
};

struct sim_mm {
	struct sim *sim;                /* (c) */
	qr_pfn_t root;                  /* (c) frame of the top table */
	uint32_t tag;                   /* (c) */
	_Atomic(uint64_t) translations; /* that CPUs remember */
};

/* When calls of one kind fail. */
struct sim_fault {
	uint64_t after; /* calls until the one that fails; 0: none */
	int after_error;
	uint64_t every; /* 0: none */
	uint64_t since; /* calls since the last one of these */
	int every_error;
};

struct sim_disk {
	pthread_mutex_t lock;  /* (d) */
	unsigned char *bytes;  /* (d) [pages_max] pages */
	unsigned char *filled; /* (d) [pages_max] 1: the page holds data */
	uint64_t pages_max;    /* (c) */
	uint64_t pages;        /* (d) its size as the core sees it */
	uint64_t pages_filled; /* (d) sum over filled[] */
	uint64_t room;         /* (d) pages_filled stays at or below */
	uint64_t reads, writes, trims; /* (d) pages moved since the start */
};

/* (f) the sim's file_lock. */
struct sim_file {
	struct sim_file *next;   /* (f) */
	uint64_t capacity_bytes; /* (c) */
	unsigned char *bytes;    /* (f) as the device answers */
	unsigned char *lasting;  /* (f) as of the last sync */
};

struct sim {
	struct qr_port port;         /* (c) */
	struct sim_config config;    /* (c) */
	struct qr_ram_region region; /* (c) the map, if none was given */
	unsigned char *ram;          /* (c) frame 0's first byte */
	unsigned char *direct;       /* (c) the same where the core sees it */
	unsigned char *kernel;       /* (c) kernel_bytes of addresses */
	int ram_file;                /* (c) -1: ram and direct are one */
	uint64_t frames;             /* (c) frames of the address range */
	_Atomic(uint32_t) *translations; /* [frames] that CPUs remember */
	struct sim_cpu *cpus;            /* (c) [cpu_count] */
	struct sim_disk disk;
	pthread_mutex_t file_lock; /* (f) */
	struct sim_file *files;    /* (f) */
	_Atomic(uint64_t) file_reads, file_writes, file_calls;

	pthread_mutex_t fault_lock;         /* (f) */
	struct sim_fault faults[SIM_CALLS]; /* (f) */
	_Atomic(uint64_t) calls[SIM_CALLS];
	void (*hook)(void *ctx, enum sim_call call); /* (c) while others run */
	void *hook_ctx;

	bool (*oom)(void *ctx, struct sim_mm *mm,
	    const struct qr_oom_report *report); /* (c) while others run */
	void *oom_ctx;
	_Atomic(uint64_t) grant_pages; /* that grant() may still give */
	struct qr_machine *background; /* (c) while others run */
	_Atomic(bool) reclaim_wanted;

	_Atomic(uint64_t) clock_ns;
	_Atomic(uint64_t) random_state;
	_Atomic(uint64_t) flushes, dropped, stale_uses, refused, oom_calls;
	const void *wait_word; /* one thread: last wait of a bounded time */
	uint32_t wait_expect;
	unsigned wait_repeats;
};

/* sim.c: counts the call, runs the hook; 0 or the error it is to fail with. */
int sim_enter(struct sim *sim, enum sim_call call);
void sim_spend(struct sim *sim, uint64_t ns);

/* thread.c. A thread holds one of the sim's locks at most, so that a panic
 * that is expected can drop it. */
void sim_lock(pthread_mutex_t *lock);
void sim_unlock(pthread_mutex_t *lock);
unsigned sim_thread_cpu(void *ctx);
uint32_t sim_thread_self(void *ctx);
void sim_thread_wait(void *ctx, const void *word, uint32_t expect,
    uint64_t timeout_ns);
void sim_thread_wake(void *ctx, const void *word, unsigned count);
/* Whether the host can do what sim_thread_barrier needs. */
bool sim_thread_has_barrier(void);
void sim_thread_barrier(void *ctx);
bool sim_thread_alive(void *ctx, uint32_t self);
uint64_t sim_thread_clock(void *ctx);
uint64_t sim_thread_random(void *ctx);

/* disk.c */
int sim_disk_init(struct sim_disk *disk, uint64_t pages);
void sim_disk_fini(struct sim_disk *disk);
uint64_t sim_disk_size(void *ctx);
int sim_disk_read(void *ctx, uint64_t slot, void *data, size_t count);
int sim_disk_write(void *ctx, uint64_t slot, const void *data, size_t count);
void sim_disk_trim(void *ctx, uint64_t slot, size_t count);

/* file.c */
void sim_files_init(struct sim *sim);
void sim_files_fini(struct sim *sim);
int sim_file_io(void *ctx, const struct qr_file_io *io);

/* tlb.c; but for the flush with the CPU's lock held. The space that runs: */
bool sim_tlb_init(const struct sim_config *config, struct sim_cpu *cpu);
void sim_tlb_fini(struct sim_cpu *cpu);
void sim_tlb_switch(struct sim_cpu *cpu, const struct sim_mm *mm);
/* The page's translation, or NULL; find makes it the last used one. */
struct sim_translation *sim_tlb_find(struct sim_cpu *cpu,
    const struct sim_mm *mm, uint64_t page);
struct sim_translation *sim_tlb_peek(const struct sim_cpu *cpu,
    const struct sim_mm *mm, uint64_t page);
struct sim_translation *sim_tlb_insert(struct sim_cpu *cpu,
    const struct sim_translation *fresh);
void sim_tlb_forget(struct sim_translation *slot);

/* What a flush takes away from the translations of its range, on all CPUs. */
enum sim_flush { SIM_FLUSH_WRITE, SIM_FLUSH_ALL };
struct sim_pages {
	uint64_t first;
	uint64_t end;
};
void sim_tlb_flush(const struct sim_mm *mm, const struct sim_pages *pages,
    enum sim_flush flush);

/* mmu.c */
int sim_mmu_init(struct sim *sim);
void sim_mmu_fini(struct sim *sim);
void sim_frame_release(void *ctx, const struct qr_frame_run *runs,
    size_t count);
void *sim_stage(void *ctx, unsigned cpu, qr_pfn_t frame, size_t index);
int sim_mm_create(void *ctx, qr_pfn_t root, uint32_t tag, void **mm);
void sim_mm_destroy(void *ctx, void *mm);
int sim_mmu_map(void *ctx, void *mm, unsigned cpu,
    const struct qr_map_run *run);
int sim_mmu_freeze(void *ctx, void *mm, const struct qr_range *ranges,
    size_t count, bool lasting);
void sim_mmu_thaw(void *ctx, void *mm, const struct qr_range *ranges,
    size_t count);
size_t sim_mmu_drop(void *ctx, void *mm, const struct qr_range *ranges,
    size_t count);
int sim_mmu_protect(void *ctx, void *mm, qr_vaddr_t start, qr_vaddr_t end,
    unsigned prot);
const void *sim_mmu_peek(void *ctx, void *mm, const struct qr_peek *at);

/* An access within one page. One of to and from, or neither. */
struct sim_access {
	qr_vaddr_t address;
	unsigned access; /* one QR_ACCESS_* */
	size_t size_bytes;
	unsigned char *to;
	const unsigned char *from;
};

/* 0, or -QR_EFAULT: the MMU refuses. */
int sim_mmu_access(struct sim_mm *mm, const struct sim_access *access);

#endif
