/* SPDX-License-Identifier: MIT */
/*
 * qr/machine.h: the core as its embedder sees it: one machine with its
 * memory, swap and reclaim, and the address spaces that live in it.
 *
 * Threads. Every call may be made from any thread, concurrently, unless its
 * entry says otherwise. A thread that is inside the core must not be
 * interrupted by code that calls the core.
 */
#ifndef QR_MACHINE_H
#define QR_MACHINE_H

#include <qr/port.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qr_machine;
struct qr_space;
struct qr_object; /* <qr/object.h> */
struct qr_codec;

/* How commit charges are answered; the numbers are Linux's. */
enum qr_overcommit {
	QR_OVERCOMMIT_GUESS = 0,  /* refuse what could never be had */
	QR_OVERCOMMIT_ALWAYS = 1, /* refuse nothing */
	QR_OVERCOMMIT_NEVER = 2,  /* refuse what passes commit_pages_max */
};

struct qr_machine_config {
	const struct qr_codec *codec; /* NULL: pages are not compressed */
	const char *policy;           /* replacement policy; NULL: default */
	unsigned levels;              /* page-table levels, 3 to 5; 0: 4 */
	uint64_t min_free_pages;      /* 0: derived */
	uint64_t pool_pages_max;      /* 0: no limit but memory */
	uint64_t user_pages_max;      /* frames that mapped pages may have;
					 0: no limit but memory */
	enum qr_overcommit overcommit;
	uint64_t commit_pages_max; /* for QR_OVERCOMMIT_NEVER */
	unsigned fault_around;     /* pages brought in by one first touch,
					 1 to QR_STAGE_PAGES; 0: default */
	bool age_softly;           /* learn touches by soft unmapping where
					 the MMU has no young bit */
	bool deflate_on_oom;       /* the balloon gives frames back rather than
				      that an allocation fails */
	uint32_t plug_slots;       /* blocks of memory that can be plugged, see
				      <qr/memory.h>; 0: none */
	qr_paddr_t plug_end;       /* below which address */
	bool evict_by_touchers;    /* only who needs a frame evicts: the
					 background's business is the pool
					 alone */
};

/* Counters since the start and levels now; pages of QR_PAGE_SIZE. */
struct qr_machine_stat {
	/* levels */
	uint64_t frames_total;
	uint64_t frames_free;
	uint64_t frames_user;
	uint64_t frames_pool;
	uint64_t frames_meta;   /* slab, tables, descriptors, own use */
	uint64_t frames_cached; /* pages of files and shared memory */
	uint64_t frames_balloon;
	uint64_t frames_home; /* with live bytes in the direct map, but for
				 frames_boot */
	uint64_t frames_boot; /* of frames_meta, taken at boot for good */
	uint64_t frames_user_peak;
	uint64_t frames_pool_peak;
	uint64_t swap_slots; /* pages that are out */
	uint64_t swap_same_filled;
	uint64_t swap_pooled;
	uint64_t swap_pooled_bytes;
	uint64_t swap_on_device;
	uint64_t swap_device_pages;
	uint64_t commit_pages;
	/* events */
	uint64_t faults_first_touch; /* pages zero-filled */
	uint64_t faults_pool;        /* faults served from RAM */
	uint64_t faults_device;      /* faults that waited for the device */
	uint64_t faults_cow;
	uint64_t faults_soft;     /* touches of aged pages */
	uint64_t faults_cached;   /* served with pages of objects */
	uint64_t faults_spurious; /* nothing was to do */
	uint64_t faults_bad;      /* no right to touch that */
	uint64_t pages_in;        /* with neighbours brought along */
	uint64_t pages_out;
	uint64_t pages_out_zero;  /* of these, all zero */
	uint64_t pages_refaulted; /* in again soon after going out */
	uint64_t reclaim_direct;  /* times a fault had to reclaim */
	uint64_t reclaim_background;
	uint64_t pages_written_back; /* pool to device */
	uint64_t swap_io_errors;
	uint64_t oom;
};

/*
 * Boots a machine on the port's RAM. All memory comes from there. NULL config
 * fields take defaults. -QR_ENOMEM: too little; -QR_EINVAL: the config.
 */
QR_MUST_CHECK int qr_machine_create(const struct qr_port *port,
    const struct qr_machine_config *config, struct qr_machine **machine);

/* All spaces must have been destroyed, no thread may be inside. */
void qr_machine_destroy(struct qr_machine *machine);

/*
 * Background reclaim, to be called by a thread of the port after
 * wake_reclaim(): frees memory up to the high watermark, writes the pool's
 * oldest pages back, ages. Returns pages freed. May sleep.
 */
size_t qr_machine_balance(struct qr_machine *machine);

/* Frees want pages for somebody outside (another machine of the same
 * budget), as far as it can; returns how many are free now beyond the low
 * watermark. May sleep. */
size_t qr_machine_give(struct qr_machine *machine, size_t want);

/* Sets the number of frames that are not the machine's to use, reclaiming to
 * make room; returns the number reached. May sleep. */
uint64_t qr_machine_balloon(struct qr_machine *machine, uint64_t target_pages);

/* One step of ageing; see qr_machine_config.age_softly. To be called from
 * time to time by a thread of the port. */
void qr_machine_age(struct qr_machine *machine);

void qr_machine_stat(struct qr_machine *machine, struct qr_machine_stat *stat);

/* Verifies every structure of a machine in which nothing runs; panics with
 * the name of the broken invariant. */
void qr_check_machine(struct qr_machine *machine);

/* --- address spaces --- */

QR_MUST_CHECK int qr_space_create(struct qr_machine *machine,
    struct qr_space **space);

/* Unmaps all and frees; no thread may be inside. */
void qr_space_destroy(struct qr_space *space);

/* The port's own handle of the space, from mm_create. */
void *qr_space_mm(const struct qr_space *space);

/*
 * The areas of a space are changed between qr_space_lock and
 * qr_space_unlock: no fault runs meanwhile, pages in flight have landed
 * wherever the calls below look. A port whose host has mappings of its own
 * makes its host calls in between. The calls marked (locked) want that; the
 * others must be made without.
 */
void qr_space_lock(struct qr_space *space);
void qr_space_unlock(struct qr_space *space);

#define QR_MAP_FIXED     0x01u /* at address; unmaps what is there */
#define QR_MAP_NOREPLACE 0x02u /* at address; -QR_EEXIST if taken */
#define QR_MAP_NORESERVE 0x04u /* not charged to the commit limit */
#define QR_MAP_LOCKED    0x08u /* pages never leave once they are in */
#define QR_MAP_FOREIGN                                                         \
	0x10u /* the port's host keeps these pages; faults
				  in it are -QR_EFAULT, nothing is managed */
#define QR_MAP_DONTFORK   0x20u
#define QR_MAP_WIPEONFORK 0x40u
#define QR_MAP_GROWSDOWN                                                       \
	0x80u /* a touch below grows it down, but for a guard gap of 256
		 pages above what is there */
#define QR_MAP_ONFAULT 0x100u /* with LOCKED: not brought in ahead of that */
#define QR_MAP_SHARED                                                          \
	0x200u /* of an object: what is written is the object's, for all to
		  see; else the writer gets a copy of its own */
#define QR_MAP_NOWRITE                                                         \
	0x400u /* the right to write is not to be had later: kept for the
		  embedder, who refuses it (qr_call_mprotect does) */

struct qr_map_request {
	qr_vaddr_t address;       /* hint or place, page aligned; 0: anywhere */
	uint64_t size_bytes;      /* a multiple of the page size, not 0 */
	unsigned prot;            /* QR_PROT_* */
	unsigned flags;           /* QR_MAP_* */
	struct qr_object *object; /* NULL: private anonymous memory */
	uint64_t object_page;     /* of the object at address */
};

/* (locked) An area, with a reference of its own to the object. -QR_ENOMEM: no
 * room, no memory, or the commit limit; -QR_EINVAL; -QR_EEXIST; -QR_EOVERFLOW:
 * numbers past the last that an object can have. */
QR_MUST_CHECK int qr_space_map(struct qr_space *space,
    const struct qr_map_request *request, qr_vaddr_t *address);

/* (locked) -QR_ENOMEM: an area of that size would pass the commit limit, so
 * the host need not be asked. */
QR_MUST_CHECK int qr_space_may_map(const struct qr_space *space,
    uint64_t size_bytes, unsigned prot, unsigned flags);

/* For the four below: what the port's host has done with the pages already.
 * Without it the core calls the port's mmu_drop and mmu_protect. */
#define QR_HOST_DONE 0x1u

/* (locked) Removes all areas in [start, start + size_bytes), splitting those
 * at the edges. Can fail only for memory (-QR_ENOMEM), with nothing done. */
QR_MUST_CHECK int qr_space_unmap(struct qr_space *space, qr_vaddr_t start,
    uint64_t size_bytes, unsigned host);

/* (locked) -QR_ENOMEM: there is a hole in the range, what lies before it has
 * been changed, as POSIX has it. */
QR_MUST_CHECK int qr_space_protect(struct qr_space *space, qr_vaddr_t start,
    uint64_t size_bytes, unsigned prot, unsigned host);

/* (locked) Moves the area's part [from, from + size_bytes) with its pages to
 * to, which must be free and of the same size. */
QR_MUST_CHECK int qr_space_move(struct qr_space *space, qr_vaddr_t from,
    uint64_t size_bytes, qr_vaddr_t to, unsigned host);

enum qr_advice {
	QR_ADVICE_NORMAL,
	QR_ADVICE_DONTNEED, /* contents become zero */
	QR_ADVICE_FREE,     /* as DONTNEED, now */
	QR_ADVICE_COLD,     /* next to be evicted */
	QR_ADVICE_PAGEOUT,  /* evicted now */
	QR_ADVICE_WILLNEED, /* brought in now */
	QR_ADVICE_LOCK,     /* may not be evicted from now on */
	QR_ADVICE_UNLOCK,
	QR_ADVICE_DONTFORK,
	QR_ADVICE_DOFORK,
	QR_ADVICE_WIPEONFORK,
	QR_ADVICE_KEEPONFORK,
};

/* (locked, but for COLD, PAGEOUT and WILLNEED, which are not) */
QR_MUST_CHECK int qr_space_advise(struct qr_space *space, qr_vaddr_t start,
    uint64_t size_bytes, enum qr_advice advice, unsigned host);

/* One area, as a query shows it. */
struct qr_area_info {
	qr_vaddr_t start;
	qr_vaddr_t end;
	unsigned prot;
	unsigned flags;
};

/* (locked) The area that holds address, else the next above it.
 * -QR_ENOENT: there is none. */
QR_MUST_CHECK int qr_space_query(struct qr_space *space, qr_vaddr_t address,
    struct qr_area_info *info);

/* Residency, a byte a page: 1 in RAM, and mapped or cached, 0 not. (locked) */
QR_MUST_CHECK int qr_space_mincore(struct qr_space *space, qr_vaddr_t start,
    uint64_t size_bytes, unsigned char *vec);

/*
 * (locked) Finds the next page at or above *address and below end that is out,
 * and copies its contents to data, a page; where it is goes to *address. The
 * page stays out. -QR_ENOENT: there is none; -QR_EIO: it can't be read back.
 * The range is held (qr_space_hold). For a port that puts memory back into
 * its host's hands.
 */
QR_MUST_CHECK int qr_space_read_out(struct qr_space *space, qr_vaddr_t *address,
    qr_vaddr_t end, void *data);

/* How a touch wants to use a page. */
#define QR_ACCESS_READ  1u
#define QR_ACCESS_WRITE 2u
#define QR_ACCESS_EXEC  4u

/*
 * A touch failed: make the page present with that right. 0: try again.
 * -QR_EFAULT: the space does not allow it. -QR_ENOMEM: no memory and the
 * port's oom() did not help. -QR_EIO: the contents can't be read back.
 * -QR_ENXIO: the object that is mapped there ends before it.
 * May sleep.
 */
QR_MUST_CHECK int qr_space_fault(struct qr_space *space, qr_vaddr_t address,
    unsigned access);

/*
 * A pin: pages of [start, end) stay in, with the right to be read or
 * written, until it is dropped; but a fork takes the right to write away. The embedder owns the memory, zeroed at
 * first; one thread uses it.
 */
struct qr_pin {
	uint64_t start; /* atomic, the core's; 0 and 0: nothing is pinned */
	uint64_t end;   /* atomic, the core's */
	struct qr_pin *next; /* (space's pin lock) */
	struct qr_space *space;
};

/* Makes the space look at the pin when it evicts; and no more. */
void qr_space_pin_register(struct qr_space *space, struct qr_pin *pin);
void qr_space_pin_unregister(struct qr_space *space, struct qr_pin *pin);

/*
 * Brings the managed pages of the range in and pins them, replacing what the
 * pin held. Pages outside the space's areas and in QR_MAP_FOREIGN ones are
 * passed over. Errors as qr_space_fault; then nothing is pinned, but with
 * -QR_EFAULT what lies before the first page that may not be touched so.
 */
QR_MUST_CHECK int qr_space_pin(struct qr_space *space, struct qr_pin *pin,
    qr_vaddr_t start, uint64_t size_bytes, unsigned access);
void qr_space_unpin(struct qr_pin *pin);

/*
 * (locked) Waits until no page of the range is on its way out, and keeps it
 * so until qr_space_unpin: for a port whose host is about to unmap, replace
 * or move the range itself. Brings nothing in. The pin is registered.
 */
void qr_space_hold(struct qr_space *space, struct qr_pin *pin, qr_vaddr_t start,
    uint64_t size_bytes);

/*
 * A copy of the space in the same machine: pages are shared copy-on-write,
 * swap slots by reference.
 */
QR_MUST_CHECK int qr_space_fork(struct qr_space *space,
    struct qr_space **child);

/* --- when memory is out --- */

/* How much a space is to be spared, as oom_score_adj: -1000: it is never
 * chosen; 1000: first of all. 0 at first; a fork inherits it. -QR_EINVAL: out
 * of that range. */
#define QR_OOM_NEVER (-1000)
#define QR_OOM_FIRST 1000
QR_MUST_CHECK int qr_space_oom_adjust(struct qr_space *space, int adjust);

/* What speaks for killing a space's owner. */
struct qr_oom_score {
	struct qr_space *space;
	uint64_t resident_pages;
	uint64_t swapped_pages;
	uint64_t table_pages;
	int adjust;
	int64_t badness; /* the three sums, and adjust thousandths of RAM and
			    swap device; the highest is chosen */
};

/*
 * Names the space to end when qr_space_fault says -QR_ENOMEM. visit, which may
 * be NULL, is called for each space that could be, so that a report can say
 * why; it must not call the core. -QR_ENOENT: none may be chosen. The caller
 * sees to it that no space ends meanwhile.
 */
QR_MUST_CHECK int qr_machine_oom_choose(struct qr_machine *machine,
    void (*visit)(void *ctx, const struct qr_oom_score *score), void *ctx,
    struct qr_oom_score *worst);

struct qr_space_stat {
	uint64_t areas;
	uint64_t virtual_pages; /* in areas that are managed */
	uint64_t resident_pages;
	uint64_t swapped_pages;
	uint64_t locked_pages;
};

void qr_space_stat(struct qr_space *space, struct qr_space_stat *stat);

/* Calls visit for each area, rising. (locked) */
void qr_space_for_each_area(struct qr_space *space,
    void (*visit)(void *ctx, const struct qr_area_info *info), void *ctx);

#ifdef __cplusplus
}
#endif

#endif
