/* SPDX-License-Identifier: MIT */
/*
 * qr/port.h: what the core asks of the world it runs in.
 *
 * A port is a table of callbacks and a context. It is given to
 * qr_machine_create() and must outlive the machine. Every callback takes the
 * context first. Unless its entry says otherwise:
 *
 *   - it may be called from any thread that is inside the core, concurrently;
 *   - it must not call back into the core;
 *   - it must not sleep; entries marked "may sleep" are called with no lock
 *     held that another thread's progress inside the port could need;
 *   - it returns 0 or a negative QR_E* number, and has changed nothing when
 *     it fails.
 *
 * Who does what to a mapping. The core keeps the page table, whose entries
 * say what should be. On hardware that walks this very table (and on the
 * simulated machine, which does the same) an entry takes effect when it is
 * written, and the mmu_* calls below have only stale translations to flush.
 * On a host that has its own tables the mmu_* calls change those. So each is
 * worded as "make the machine agree", and says whether it comes before or
 * after the entry is written.
 */
#ifndef QR_PORT_H
#define QR_PORT_H

#include <qr/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a region of the RAM map is. */
enum qr_ram_kind {
	QR_RAM_USABLE,   /* free for the core to use */
	QR_RAM_RESERVED, /* exists, is not the core's */
};

/* One region of physical memory. Regions may overlap and have any order;
 * where they overlap, reserved wins. */
struct qr_ram_region {
	qr_paddr_t start;    /* bytes, any alignment */
	uint64_t size_bytes; /* 0: the region is ignored */
	enum qr_ram_kind kind;
	uint32_t node; /* memory bank, 0 where there is only one */
};

/* Pages that one stage() window holds, and so the longest run that one
 * mmu_map call is given: a window of fault-around or swap-in. */
#define QR_STAGE_PAGES 64u

/* Pages of one space: [start, end), page aligned, not empty. */
struct qr_range {
	qr_vaddr_t start;
	qr_vaddr_t end;
};

/* Neighbouring frames. */
struct qr_frame_run {
	qr_pfn_t first;
	uint64_t pages; /* not 0 */
};

/*
 * Entries of page tables, for ports whose hardware walks the core's: a node is
 * a frame of 512 64-bit entries, in x86-64's format. The other bits of an
 * entry that is present are the core's or 0, and so are all of one that is
 * not. A walker sets YOUNG and DIRTY by an atomic or; it changes nothing else.
 */
#define QR_ENTRY_PRESENT ((uint64_t)1 << 0)
#define QR_ENTRY_WRITE   ((uint64_t)1 << 1)
#define QR_ENTRY_USER    ((uint64_t)1 << 2)
#define QR_ENTRY_YOUNG   ((uint64_t)1 << 5)
#define QR_ENTRY_DIRTY   ((uint64_t)1 << 6)
#define QR_ENTRY_NX      ((uint64_t)1 << 63)
#define QR_ENTRY_FRAME   ((((uint64_t)1 << 40) - 1) << 12)

/* Most ranges or runs that one call is given. */
#define QR_RANGES_MAX 32u

/* A run of neighbouring pages of one space that are to be mapped. */
struct qr_map_run {
	qr_vaddr_t start;       /* page aligned */
	const qr_pfn_t *frames; /* [count] the frames, in order */
	size_t count;           /* 1 to QR_STAGE_PAGES */
	unsigned prot;          /* QR_PROT_* of the area */
	bool zero; /* contents are all zero; stage() was not used */
	bool held; /* the frames have their contents already, and other entries
		      may map them; stage() was not used. Only for ports with
		      QR_PORT_PAGES_MOVE */
};

/* A frozen page of a space that is to be looked at. */
struct qr_peek {
	qr_vaddr_t address; /* page aligned */
	qr_pfn_t frame;     /* its frame */
	unsigned cpu;       /* the caller's cpu() */
	bool present;       /* its entry is: the program may read it */
};

enum qr_file_op {
	QR_FILE_READ,
	QR_FILE_WRITE,
	QR_FILE_SYNC, /* what was written outlives a loss of power */
};

/* Pages of a file that are to be moved; see file_io(). */
struct qr_file_io {
	void *file; /* the port's own, from qr_file_open */
	enum qr_file_op op;
	uint64_t index;         /* number of the first page */
	const qr_pfn_t *frames; /* [count] whose bytes are moved, in order */
	size_t count;           /* 1 to QR_STAGE_PAGES; for QR_FILE_SYNC 0 */
	uint64_t size_bytes;    /* of the file in these pages, not 0: what is
				   beyond is zeroed by a read, not written */
};

/* Why the core gives up on a space; see oom(). */
struct qr_oom_report {
	qr_vaddr_t address;    /* the touch that could not be served */
	uint64_t frames_total; /* frames the machine has */
	uint64_t frames_free;  /* of these free now */
	uint64_t pool_frames;  /* of these held by compressed pages */
	uint64_t stored_pages; /* pages now compressed or on the device */
	uint64_t swap_pages;   /* size of the swap device */
	uint64_t swap_free;    /* pages of it still free */
	int error;             /* the last refusal: -QR_ENOMEM, -QR_EIO, … */
};

struct qr_port_ops {
	/* --- physical memory --- */

	/* Stores the index-th region of the RAM map, which is the same each
	 * time. False: it has no so many. Called at boot only. */
	bool (
	    *ram_region)(void *ctx, size_t index, struct qr_ram_region *region);

	/* Start of the direct map: frame n's bytes are at base + n * page
	 * size for frames that the core uses itself, all of them below
	 * direct_map_end. NULL: there is none. */
	void *(*direct_map)(void *ctx);

	/* The frames, in 1 to QR_RANGES_MAX runs, are about to hold mapped
	 * pages instead of the core's own data, or to be lent: bytes at their
	 * place in the direct map are dead and may be given back. Never
	 * fails. */
	void (*frame_release)(void *ctx, const struct qr_frame_run *runs,
	    size_t count);

	/* Where the contents of the index-th page (below QR_STAGE_PAGES) of
	 * the run that this CPU maps next are to be written: the frame's own
	 * bytes, or a window that mmu_map copies from. Valid until mmu_map
	 * or until the CPU's lock is released. */
	void *(*stage)(void *ctx, unsigned cpu, qr_pfn_t frame, size_t index);

	/* --- the core's own addresses; NULL without kernel_start --- */

	/* Makes count frames (1 to QR_RANGES_MAX) readable and writable for
	 * the core at pages from start on, which are in [kernel_start,
	 * kernel_end) and not mapped. -QR_ENOMEM: nothing was mapped. */
	int (*kernel_map)(void *ctx, qr_vaddr_t start, const qr_pfn_t *frames,
	    size_t count);

	/* When this returns every touch of the ranges, 1 to QR_RANGES_MAX, is
	 * an error on all CPUs: one flush for all. Never fails. */
	void (*kernel_unmap)(void *ctx, const struct qr_range *ranges,
	    size_t count);

	/* --- address spaces --- */

	/* A new address space; root is the frame of its top table, tag a
	 * number unique among the living spaces of the machine. */
	int (*mm_create)(void *ctx, qr_pfn_t root, uint32_t tag, void **mm);

	/* The space is gone; all its pages have been dropped before. */
	void (*mm_destroy)(void *ctx, void *mm);

	/* Maps the run, whose contents the CPU has staged. Before the entries
	 * are written, which are marked busy. -QR_EAGAIN: nothing was mapped,
	 * try again. -QR_EFAULT: the host has no such area any more. */
	int (*mmu_map)(void *ctx, void *mm, unsigned cpu,
	    const struct qr_map_run *run);

	/* After the write bits of all ranges were cleared: when this returns,
	 * no write to these pages can succeed unseen, and their contents are
	 * stable. Entries that are not present are passed over. The ranges, 1
	 * to QR_RANGES_MAX, rise and don't touch; one call for all of them
	 * is one flush where the machine can do that. lasting: it is to hold
	 * when the caller has left the core, and the pages with it. Else the
	 * answer may be QR_MMU_STILL: nobody but the caller could write until
	 * then, so nothing was done, and mmu_thaw is not called. */
	int (*mmu_freeze)(void *ctx, void *mm, const struct qr_range *ranges,
	    size_t count, bool lasting);

	/* After the entries' write bits were put back: undoes mmu_freeze for
	 * pages that stay; ranges as there. Never fails. */
	void (*mmu_thaw)(void *ctx, void *mm, const struct qr_range *ranges,
	    size_t count);

	/* After the entries were cleared: every later touch of the ranges
	 * (as in mmu_freeze) faults, and the machine holds no copy of the
	 * pages. Returns how many ranges, from the first on, were dropped;
	 * the others are as they were, some page of the next one is in use by
	 * a device. May refuse so only what mmu_freeze was called for: other
	 * callers can't keep it. */
	size_t (*mmu_drop)(void *ctx, void *mm, const struct qr_range *ranges,
	    size_t count);

	/* After the entries were changed: pages of [start, end) that are
	 * present now obey prot. QR_PROT_NONE: every touch faults, contents
	 * are kept. A host may keep rights by range, for what is mapped there
	 * later too: before the core maps a page where it took all rights
	 * away, or forgets one, it gives them back by this call. */
	int (*mmu_protect)(void *ctx, void *mm, qr_vaddr_t start,
	    qr_vaddr_t end, unsigned prot);

	/* The contents of a frozen page, for reading; NULL where they can't
	 * be read. Valid until this CPU's next peek. */
	const void *(*mmu_peek)(void *ctx, void *mm, const struct qr_peek *at);

	/* --- processors, threads, time --- */

	/* An index below cpu_count: the CPU, or a number that spreads
	 * threads. It is a hint: what it selects has a lock of its own. */
	unsigned (*cpu)(void *ctx);

	/* A number that names this thread as long as it lives, not 0, below
	 * 2^30. */
	uint32_t (*self)(void *ctx);

	/* Sleeps while the 32-bit word (4-byte aligned, changed atomically by
	 * others) equals expect, at most timeout_ns (UINT64_MAX: no limit);
	 * may return early. May sleep. */
	void (*wait)(void *ctx, const void *word, uint32_t expect,
	    uint64_t timeout_ns);

	/* Wakes up to count threads that wait on word. */
	void (*wake)(void *ctx, const void *word, unsigned count);

	/* When this returns, every CPU that was inside the core has passed a
	 * full memory barrier since it was called. Only asked for with
	 * QR_PORT_CPU_OWNED, seldom; else it may be NULL. */
	void (*barrier)(void *ctx);

	/* Whether a thread named by self() still lives; asked by one that has
	 * waited long for its lock. */
	bool (*alive)(void *ctx, uint32_t self);

	/* Nanoseconds, never going back. */
	uint64_t (*clock)(void *ctx);

	/* 64 bits that differ from call to call; no secrecy is asked. */
	uint64_t (*random)(void *ctx);

	/* --- swap device --- */

	/* Its size in pages; 0: none. May change between calls. */
	uint64_t (*swap_size)(void *ctx);

	/* Reads or writes count pages at slot. May sleep. -QR_EIO: failed or
	 * short; a read has then left the buffer in any state.
	 * -QR_ENOSPC: the device can't take more. */
	int (*swap_read)(void *ctx, uint64_t slot, void *data, size_t count);
	int (*swap_write)(void *ctx, uint64_t slot, const void *data,
	    size_t count);

	/* count pages from slot on hold nothing any more; a hint. */
	void (*swap_trim)(void *ctx, uint64_t slot, size_t count);

	/* --- files; NULL: there are none --- */

	/* Reads, writes or makes last; -QR_EIO: failed or short, what was to
	 * be filled is in any state; -QR_ENOSPC: there is no room for what is
	 * written. Calls for one page never overlap. May sleep. */
	int (*file_io)(void *ctx, const struct qr_file_io *io);

	/* --- policy --- */

	/* Frames are short. A port that lends frames to others (the balloon)
	 * says by how many, up to want, the balloon may shrink now. May be
	 * NULL: never. */
	uint64_t (*grant)(void *ctx, uint64_t want);

	/* Free memory is low: the background reclaimer should call
	 * qr_machine_balance() soon. */
	void (*wake_reclaim)(void *ctx);

	/* The space can't be served and nothing can be done: its owner is to
	 * die, or memory is to be found. True: the core tries again. */
	bool (*oom)(void *ctx, void *mm, const struct qr_oom_report *report);
};

/* Of mmu_freeze: see there. */
#define QR_MMU_STILL 1

#define QR_MMU_WINDOW_MAX 64u

/* Memory banks, each with a number below this. */
#define QR_NODES_MAX 4u

/* Distance of two nodes where the port says nothing: within one, and from
 * one to another. */
#define QR_DISTANCE_LOCAL  10u
#define QR_DISTANCE_REMOTE 20u

struct qr_port {
	const struct qr_port_ops *ops;
	void *ctx;
	unsigned cpu_count;      /* 1 to QR_CPUS_MAX */
	uint32_t flags;          /* QR_PORT_* */
	unsigned mmu_window;     /* pages that a change of the MMU is best made
				for, a power of two up to QR_MMU_WINDOW_MAX:
				neighbours of one that goes then go along. 0
				or 1: the number does not matter */
	qr_vaddr_t kernel_start; /* addresses that the core may map frames at
				    for itself; page aligned */
	qr_vaddr_t kernel_end;   /* 0 and 0: none */
	qr_paddr_t direct_map_end;    /* frames from here on are not in the
				      direct map; 0: all are */
	const uint8_t *cpu_node;      /* [cpu_count] the node that a CPU is
					 near to; NULL: all near node 0 */
	const uint8_t *node_distance; /* [QR_NODES_MAX * QR_NODES_MAX] row
					 from, column to; NULL: as above */
};

#define QR_CPUS_MAX 64u

/* The MMU sets young and dirty bits in the page table's entries. Without it
 * the core learns of touches by making pages fault. */
#define QR_PORT_HARDWARE_AD 0x1u

/* RAM that nobody has written yet reads as zeroes through the direct map. The
 * core then leaves its large tables alone until they are used. */
#define QR_PORT_ZEROED_RAM 0x2u

/* There are devices that reach only the lowest 16 MiB or 4 GiB: frames below
 * these limits are zones of their own, not to be used up by others. */
#define QR_PORT_DMA_ZONES 0x4u

/* A mapped page's bytes are its frame's, and outlive mmu_drop: the core may
 * move pages from frame to frame to make large blocks, or to empty memory, and
 * map one frame in many places: files and shared memory need that. */
#define QR_PORT_PAGES_MOVE 0x8u

/* cpu() is no hint but a fact: no two threads that are inside the core at
 * once get the same number, and none gets another while it is inside. So where
 * preemption is off in there. A CPU's own stock then costs no atomic
 * operation, and barrier() is there for those who look into another's. */
#define QR_PORT_CPU_OWNED 0x10u

/*
 * The one function that a port defines by name: a broken invariant was found;
 * report it and end the machine. Never returns.
 */
QR_NORETURN QR_PRINTF(4, 5) void qr_port_panic(const char *file, int line,
    const char *condition, const char *format, ...);

#ifdef __cplusplus
}
#endif

#endif
