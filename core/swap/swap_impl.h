/* SPDX-License-Identifier: MIT */
/*
 * swap/swap_impl.h: what the files of swap/ share. Read swap.c first.
 *
 * Keys: (c) constant once made, (s) slot lock, (l) the class's lock, (d) the
 * device map's lock, (w) the write-back lock, (a) atomic.
 */
#ifndef QR_SWAP_IMPL_H
#define QR_SWAP_IMPL_H

#include <stdatomic.h>

#include "../base/bits.h"
#include "port_inline.h"
#include "swap.h"

/* --- a table of frames, table.c --- */

#define SWAP_TABLE_FANOUT 1024u             /* 4-byte entries of a frame */
#define SWAP_TABLE_MAX    ((size_t)1 << 20) /* its square */
_Static_assert(SWAP_TABLE_MAX == SWAP_TABLE_FANOUT * SWAP_TABLE_FANOUT,
    "two levels");

/* Frames by index, in two levels. An entry is the frame's pfn + 1, 0: none.
 * Whoever changes it has the lock of the table's user. */
struct swap_table {
	_Atomic(uint32_t) *root; /* (c) of frames of entries */
	uint32_t end;            /* past the highest index ever in use */
};

/* --- slots, slot.c --- */

#define SLOTS_PER_LEAF 128u /* 4096 / 32 */
#define SLOT_NIL       UINT32_MAX

/* Low bits of a slot's word, with the flags and the pins above. */
enum slot_state {
	SLOT_FREE = 0,
	SLOT_SAME = 1,   /* one word, repeated: where.fill */
	SLOT_POOL = 2,   /* compressed, or raw, in RAM: where.object */
	SLOT_DEVICE = 3, /* raw on the device: link.device */
};
#define SLOT_STATE   0x03u
#define SLOT_TRANSIT 0x04u  /* on its way to the device, off the LRU list */
#define SLOT_MOVING  0x08u  /* its object is being copied: don't touch */
#define SLOT_BAD     0x10u  /* its device page can't be read */
#define SLOT_PIN     0x100u /* times the number of readers */

/* An object of the pool. */
struct pool_object {
	uint32_t run;    /* pfn of the run's first frame */
	uint16_t index;  /* in the run */
	uint16_t length; /* of the contents, bytes; a page: they are raw */
};

/*
 * A page that is out; 32 bytes, 0.8 % of it.
 *
 *   0      4      8              16             24       28       32
 *   | word | refs | where        | link         | shadow | checksum|
 */
struct swap_slot {
	_Atomic(uint32_t) word; /* (a) state, flags, pins */
	_Atomic(uint32_t) refs; /* (a) 0: free, or dying in transit */
	union {
		uint64_t fill;             /* (c) */
		struct pool_object object; /* (s) with MOVING to write; a
					      pin or (s) to read */
	} where;
	union {
		struct {
			uint32_t newer; /* (s) SLOT_NIL: the newest */
			uint32_t older;
		} lru;              /* in the pool, not in transit */
		uint64_t device;    /* (c) once the state says DEVICE */
		uint32_t free_next; /* (s) index in the leaf */
	} link;
	_Atomic(uint32_t) shadow; /* (a) the reclaimer's */
	uint32_t checksum;        /* (c) of the page; on the device, and
				     everywhere in hard builds */
};
_Static_assert(sizeof(struct swap_slot) == 32, "a slot is 32 bytes");
_Static_assert(SLOTS_PER_LEAF * sizeof(struct swap_slot) == QR_PAGE_SIZE,
    "a leaf is a frame");

struct swap_slots {
	struct qr_lock lock;     /* rank QR_RANK_SLOT */
	struct swap_table table; /* leaves; (s) to write */
	uint32_t leaf_low;       /* (s) no leaf index below is unused */
	uint32_t partial;        /* (s) pfn of first leaf with a free slot */
	uint64_t free;           /* (s) slots that can be had with no frame */
	uint32_t newest;         /* (s) ends of the LRU list */
	uint32_t oldest;
};

/* --- the compressed pool, pool.c --- */

#define POOL_CLASSES    36u
#define POOL_RUN_FRAMES 4u
#define POOL_LISTS      5u /* by quarters in use; the last: full */
#define POOL_LIST_FULL  (POOL_LISTS - 1)

/* One size of objects. */
struct pool_class {
	struct qr_lock lock;        /* rank QR_RANK_POOL */
	uint32_t lists[POOL_LISTS]; /* (l) pfn of first run, QR_PFN_NIL */
	uint32_t runs;              /* (l) */
	uint32_t objects;           /* (l) taken in all of them */
	uint32_t isolated;          /* (l) run on no list: pack.c empties it;
				       QR_PFN_NIL */
};

struct swap_pool {
	struct pool_class classes[POOL_CLASSES];
	uint64_t frames_max;      /* (c) */
	_Atomic(uint64_t) frames; /* (a) held by runs */
	_Atomic(uint64_t) bytes;  /* (a) lengths of the objects */
};

/* --- the device, area.c --- */

#define AREA_PAGES_PER_LEAF 32768u /* bits of a frame */
#define AREA_CLUSTER        64u    /* bits of a word */
#define AREA_NIL            UINT64_MAX

struct swap_area {
	struct qr_lock lock;     /* rank QR_RANK_POOL */
	struct swap_table table; /* (d) maps, a bit a page, 1: taken */
	uint64_t used;           /* (d) bits set, incl. retired */
	uint64_t retired;        /* (d) of these, pages that failed */
	uint64_t cursor;         /* (d) page after the last one taken */
	uint64_t full_size;      /* (d) the device refused more when it had
				    this size; 0: it did not */
};

/* --- work memory, work.c --- */

#define WORK_MAX (QR_CPUS_MAX + 1)

/* Memory for one compression or one expansion. */
struct swap_work {
	struct qr_lock lock; /* rank QR_RANK_WORK */
	void *codec;         /* (c) the codec's; NULL: it needs none */
	void *page;          /* (c) a page to work in */
};

/* Pages of one write: with the page to work in, 64 KiB. */
#define WRITE_PAGES 15u

struct swap_writer {
	struct swap_work work; /* its lock is the write-back lock */
	unsigned char *pages;  /* (w) [WRITE_PAGES]; NULL: none yet */
	struct qr_page *block; /* (w) that holds all of this */
};

/* --- all of it --- */

struct swap_counts {
	_Atomic(uint64_t) slots, same_filled, pooled, on_device, stores,
	    loads_pool, loads_device, incompressible, written_back, io_errors,
	    refused;
};

struct qr_swap {
	uint32_t signature;
	const struct qr_port *port;       /* (c) */
	struct qr_frames *frames;         /* (c) */
	struct qr_slab_cache *self_cache; /* (c) this came from it */
	const struct qr_codec *codec;     /* (c) may be NULL */
	uint64_t writeback_frames;        /* (c) UINT64_MAX: never */
	bool keep_raw;                    /* (c) */
	uintptr_t direct;                 /* (c) where frame 0's bytes are */

	struct swap_slots slots;
	struct swap_pool pool;
	struct swap_area area;

	unsigned works;        /* (c) of each kind */
	struct qr_page *block; /* (c) their memory */
	struct swap_work store[WORK_MAX];
	struct swap_work load[WORK_MAX];
	struct swap_writer writer;

	struct swap_counts count;
};

/* Relaxed: counters order nothing, and sums of them are hints while others
 * run. */
static inline void
swap_count(_Atomic(uint64_t) *counter, int64_t n)
{
	atomic_fetch_add_explicit(counter, (uint64_t)n, memory_order_relaxed);
}

static inline uint64_t
swap_counted(_Atomic(uint64_t) *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* A frame's bytes; the frame is one of ours. */
static inline void *
swap_bytes(const struct qr_swap *swap, qr_pfn_t pfn)
{
	return (void *)(swap->direct + (uintptr_t)pfn * QR_PAGE_SIZE);
}

static inline struct qr_page *
swap_page(const struct qr_swap *swap, uint32_t pfn)
{
	return qr_frame_page(swap->frames, pfn);
}

/* --- swap.c --- */

/* What tells a page from a damaged one. */
uint32_t qr_swap_checksum(const void *data);
/* What a slot that is free now held, to be given back with no lock held;
 * returns the frames that became free. */
struct swap_remains {
	uint32_t word;
	struct pool_object object;
	uint64_t device;
};
/* Frees a slot whose last reference is gone. Slot lock held. */
struct swap_remains qr_swap_bury(struct qr_swap *swap, uint32_t number);
size_t qr_swap_clear(struct qr_swap *swap, const struct swap_remains *remains);

/* A zeroed frame from the reserve; NULL: none. */
QR_MUST_CHECK struct qr_page *qr_swap_frame(struct qr_swap *swap,
    enum qr_page_kind kind);

/* table.c */
QR_MUST_CHECK int qr_swap_table_init(struct qr_swap *swap,
    struct swap_table *table);
void qr_swap_table_fini(struct qr_swap *swap, struct swap_table *table);
/* Bytes of the frame at index; NULL: there is none. No lock needed while the
 * frame is in use. */
void *qr_swap_table_at(const struct qr_swap *swap,
    const struct swap_table *table, uint32_t index);
struct qr_page *qr_swap_table_page(const struct qr_swap *swap,
    const struct swap_table *table, uint32_t index);
QR_MUST_CHECK int qr_swap_table_add(struct qr_swap *swap,
    struct swap_table *table, uint32_t index);
void qr_swap_table_remove(struct qr_swap *swap, struct swap_table *table,
    uint32_t index);

/* slot.c */
QR_MUST_CHECK int qr_swap_slots_init(struct qr_swap *swap);
void qr_swap_slots_fini(struct qr_swap *swap);
/* A slot that is in use; panics if it is not. */
struct swap_slot *qr_swap_slot(const struct qr_swap *swap, uint64_t number);
/* The same, but NULL if it is not. Slot lock held. */
struct swap_slot *qr_swap_slot_try(const struct qr_swap *swap, uint32_t number);
/* A free slot, with one reference and no state. Slot lock held. */
QR_MUST_CHECK int qr_swap_slot_take(struct qr_swap *swap, uint32_t *number);
void qr_swap_slot_give(struct qr_swap *swap, uint32_t number);
/* Onto the list of what may be written back, as the newest; off it; the
 * oldest, off it, or SLOT_NIL. Slot lock held. */
void qr_swap_lru_push(struct qr_swap *swap, uint32_t number);
void qr_swap_lru_remove(struct qr_swap *swap, uint32_t number);
uint32_t qr_swap_lru_pop(struct qr_swap *swap);
/* Pins the contents of a slot in the pool; false: they are on the device
 * by now, and nothing is pinned. */
QR_MUST_CHECK bool qr_swap_slot_pin(struct qr_swap *swap,
    struct swap_slot *slot);
void qr_swap_slot_unpin(struct swap_slot *slot);
void qr_check_swap_slots(struct qr_swap *swap);

/* pool.c */
void qr_swap_pool_init(struct qr_swap *swap);
void qr_swap_pool_fini(struct qr_swap *swap);
/* Longest contents that are worth a place as an object smaller than a
 * page. */
size_t qr_swap_pool_length_max(void);
/* Copies contents in. -QR_ENOSPC: the pool may have no more frames;
 * -QR_ENOMEM: there are none. */
QR_MUST_CHECK int qr_swap_pool_store(struct qr_swap *swap, const void *data,
    size_t length, struct pool_object *object);
/* Says whose an object is, so that it can be moved. */
void qr_swap_pool_set_owner(struct qr_swap *swap, struct pool_object object,
    uint32_t slot);
/* The contents: in place, or copied to bounce if they lie in two frames. */
const void *qr_swap_pool_view(const struct qr_swap *swap,
    struct pool_object object, void *bounce);
bool qr_swap_pool_straddles(const struct qr_swap *swap,
    struct pool_object object);
/* Returns the frames that became free. */
size_t qr_swap_pool_free(struct qr_swap *swap, struct pool_object object);
void qr_check_swap_pool(struct qr_swap *swap);

/* What pack.c moves at once: bounds what a put may have to do. */
#define PACK_MOVES 8u

unsigned qr_swap_pool_class(const struct qr_swap *swap,
    struct pool_object object);
/* Takes a run out of use that the others have room for, if there is one:
 * fills owners[PACK_MOVES] with the slots of its objects, SLOT_NIL where there
 * is none yet, and returns how many; 0: there is no such run. */
size_t qr_swap_pool_isolate(struct qr_swap *swap, unsigned class_index,
    uint32_t *owners);
/* Copies an object into another run of its class; false: none has room. */
QR_MUST_CHECK bool qr_swap_pool_move(struct qr_swap *swap,
    struct pool_object from, struct pool_object *to);
/* Ends what isolate began; returns the frames that became free. */
size_t qr_swap_pool_restore(struct qr_swap *swap, unsigned class_index);

/* pack.c */
/* Frees a run of the class, or comes nearer to it, if much of it is empty;
 * returns the frames that became free. No lock above QR_RANK_WORK held. */
size_t qr_swap_pack(struct qr_swap *swap, unsigned class_index);

/* area.c */
QR_MUST_CHECK int qr_swap_area_init(struct qr_swap *swap);
void qr_swap_area_fini(struct qr_swap *swap);
/* Takes up to want neighbouring pages; returns how many, 0: none. */
QR_MUST_CHECK size_t qr_swap_area_take(struct qr_swap *swap, size_t want,
    uint64_t *first);
/* A page is free again; a page is free, since it was never written. */
void qr_swap_area_give(struct qr_swap *swap, uint64_t page);
void qr_swap_area_untake(struct qr_swap *swap, uint64_t page);
/* A page that is taken has failed: it stays taken for ever. */
void qr_swap_area_retire(struct qr_swap *swap);
/* The device takes no more, until a page is given back or it grows. */
void qr_swap_area_set_full(struct qr_swap *swap);
void qr_check_swap_area(struct qr_swap *swap);

/* work.c */
QR_MUST_CHECK int qr_swap_works_init(struct qr_swap *swap);
void qr_swap_works_fini(struct qr_swap *swap);
struct swap_work *qr_swap_work_acquire(struct qr_swap *swap,
    struct swap_work *works);
void qr_swap_work_release(struct qr_swap *swap, struct swap_work *work);
QR_MUST_CHECK int qr_swap_writer_init(struct qr_swap *swap);

/* load.c */
/* Reads a slot's page out of the pool; the slot is pinned or in transit. The
 * work area may be NULL if neither the codec nor the place ask for one. */
QR_MUST_CHECK int qr_swap_expand(struct qr_swap *swap,
    const struct swap_slot *slot, const struct swap_work *work, void *data);

/* writeback.c */
/* Writes a page to the device, at a place of its own. -QR_ENOSPC,
 * -QR_EIO. */
QR_MUST_CHECK int qr_swap_write_page(struct qr_swap *swap, const void *data,
    uint64_t *device);

#endif
