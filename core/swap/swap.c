/* SPDX-License-Identifier: MIT */
/*
 * swap/swap.c: pages that are out: storing, references, counts.
 *
 * 1. Purpose
 *
 * Reclaim takes a page's frame away and keeps the contents here until the
 * page is touched again. RAM is still the best place for most of them: heap
 * pages compress to a third or less. What can't be compressed, and what has
 * been out for long, goes to the swap device, if there is one.
 *
 * 2. Terms
 *
 *   slot     a page that is out; its number stands in page-table entries
 *   store    page -> slot;   load   slot -> page, and the slot stays
 *   pool     frames that hold compressed pages; a run is 1 to 4 of them cut
 *            into objects of one size, a class is all runs of a size
 *   device   the port's swap device: pages numbered from 0
 *   cluster  64 neighbouring pages of it
 *   transit  a slot's way from the pool to the device
 *   raw      a page's contents as they were
 *
 * 3. Picture
 *
 *   page table          slot, 32 bytes             contents
 *   +--------+       +-------------------+
 *   | slot 7 |------>| SAME    0x0101...  |        (in the slot)
 *   +--------+       +-------------------+
 *   | slot 8 |------>| POOL    run, index |------> object in 1 or 2 frames
 *   +--------+   +-->|                    |<-----  its first word: slot 8
 *   | slot 8 |---+   +-------------------+
 *   +--------+       | DEVICE  page       |------> page of the device
 *                    +-------------------+
 *
 * A slot's number says nothing about where the contents are: they move inside
 * the pool (pack.c) and from the pool to the device (writeback.c) without any
 * page table knowing.
 *
 * 4. States of a slot, in the low bits of its word
 *
 *   FREE ---> SAME ------------------------------------------> FREE
 *     +-----> POOL ---> POOL+MOVING ---> POOL                  (pack.c)
 *     |         +-----> POOL+TRANSIT --> DEVICE, or back       (writeback.c)
 *     +-----> DEVICE ----------------------------------------> FREE
 *
 * All steps are taken under the slot lock. A reader takes no lock: it adds a
 * pin to the word of a slot in the pool, and no step from a word that holds a
 * pin succeeds, as both MOVING and DEVICE are entered by exchanging a word
 * without pins. A reader that meets MOVING waits for the slot lock, which the
 * mover holds. TRANSIT does not stop readers: the pool's copy stays until
 * DEVICE is reached, and is freed after. SAME and DEVICE never change while
 * there is a reference.
 *
 * 5. References
 *
 * Each page-table entry that names the slot holds one. Any but the last goes
 * by one exchange; the last goes under the slot lock and frees the slot,
 * unless it is in transit: then whoever carries it frees it on arrival.
 *
 * 6. Costs
 *
 * 32 bytes a slot, 4 bytes an object, the rounding of sizes and partial runs:
 * together under 12 % of the pool from some 4000 pages on (see pool.c and
 * pack.c; tests/core/test_pool.c prints it).
 * Storing: one compression, two or three locks held for some 50 ns each.
 * Loading: two atomic operations and one expansion.
 * Work memory: see work.c; lz4 24 KiB a CPU, zstd 184 KiB.
 *
 * 7. Invariants
 *
 *   [swap.1] A slot is in use iff it has a reference or is in transit; counts
 *            by state are those of the walk.
 *   [swap.2] Contents don't move or go while the word has a pin.
 *   [swap.3] A run's map, count and list agree; no run is empty; a taken
 *            object belongs to one slot in the pool, which names it.
 *   [swap.4] The pool's frames are those of its runs.
 *   [swap.5] The list by age holds exactly the slots in the pool that are not
 *            in transit, oldest store first.
 *   [swap.6] A device page is taken iff a slot is on it, it has failed, or a
 *            write to it is under way.
 *   [swap.7] What is loaded is what was stored, or an error.
 *
 * 8. Locks
 *
 * In rank order: work areas and the write-back lock (WORK; never two), the
 * slot lock (SLOT), a class or the device map (POOL; never two). Compression
 * runs under the lock of an area that loads never take; device I/O under no
 * lock, or the write-back lock, which only write-backs take. Frames come from
 * the reserve, since whoever stores is freeing memory.
 *
 * 9. Failure
 *
 * A device that is full, absent or failing means less room, never wrong data.
 * Each page on it has a 32-bit sum in its slot, in all builds: 0.2 us beside
 * a transfer of 10 or more catches torn writes, stale blocks and a file that
 * was cut short. A sum that does not match is -QR_EIO. Device pages that fail
 * are never used again. In hard builds the pool's pages have sums too, and a
 * mismatch there is a broken invariant.
 *
 * 10. Rejected
 *
 *   - Slot = device page, the pool as a cache in front: no slot without a
 *     device, and pages that never leave the pool take space there.
 *   - A sum of the compressed bytes: would not tell a faulty codec.
 *   - Contiguous runs: order-2 blocks are what a machine that is out of
 *     memory lacks first.
 *   - Moving a slot to the new end at each load: most loads are followed by a
 *     put, and it would cost the readers the slot lock.
 *   - Raw pages in the pool where there is no device: each takes a frame to
 *     free a frame, and who counts evictions takes that for progress. Only
 *     where mapped pages alone are limited does it help; config.keep_raw.
 *
 * Reading: swap_impl.h, table.c, slot.c, pool.c, pack.c, area.c, work.c, this
 * file, load.c, writeback.c.
 */
#include "swap_impl.h"

/* Pages are made smaller at the price of time from this part of the pool on
 * at which the oldest are written back. */
#define DENSE_NUMERATOR   7u
#define DENSE_DENOMINATOR 8u

#define SWAP_SIGNATURE QR_SIGNATURE('s', 'w', 'a', 'p')

/* --- what pages hold --- */

/*
 * Four lanes of multiply and rotate: each step maps a lane one to one, so any
 * change of a single word changes the lane's end. The factors are odd, with
 * about half of their bits set.
 */
uint32_t
qr_swap_checksum(const void *data)
{
	static const uint64_t odd[4] = { 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93,
		0xa0761d6478bd642f, 0xe7037ed1a0b428db };
	const uint64_t *word = data;
	uint64_t lane[4] = { 1, 2, 3, 4 };
	for (size_t i = 0; i < QR_PAGE_SIZE / sizeof(*word); i += 4) {
		for (size_t j = 0; j < 4; j++) {
			uint64_t mixed = (lane[j] ^ word[i + j]) * odd[j];
			lane[j] = mixed << 29 | mixed >> 35;
		}
	}
	uint64_t sum = 0;
	for (size_t j = 0; j < 4; j++) {
		sum = (sum ^ lane[j]) * odd[0];
		sum ^= sum >> 32;
	}
	return (uint32_t)sum;
}

static bool
page_is_same(const uint64_t *data)
{
	for (size_t i = 1; i < QR_PAGE_SIZE / sizeof(*data); i++)
		if (data[i] != data[0])
			return false;
	return true;
}

/* --- storing --- */

/* Where contents have been put, before there is a slot. */
struct stored {
	enum slot_state state;
	uint64_t fill;
	struct pool_object object;
	uint64_t device;
	uint32_t checksum;
};

/*
 * The length of the page compressed into the work area, 0: it does not fit.
 * Where mapped pages are limited by themselves, what a page takes in the pool
 * hardly matters, and how soon it is stored and back does. Else each frame
 * that the pool saves is one more for mapped pages. A pool that is nearly full
 * is to take what it can: the next step is the device.
 */
static size_t
store_compress(struct qr_swap *swap, struct swap_work *work, const void *data)
{
	const struct qr_codec *codec = swap->codec;
	size_t capacity = qr_swap_pool_length_max();
	uint64_t full =
	    swap->writeback_frames / DENSE_DENOMINATOR * DENSE_NUMERATOR;
	if (swap->keep_raw && codec->compress_quick != NULL)
		return codec->compress_quick(work->codec, data, work->page,
		    capacity);
	if (codec->compress_dense != NULL &&
	    swap_counted(&swap->pool.frames) >= full)
		return codec->compress_dense(work->codec, data, work->page,
		    capacity);
	return codec->compress(work->codec, data, work->page, capacity);
}

/* -QR_E2BIG: does not compress; else as qr_swap_pool_store. */
static int
store_compressed(struct qr_swap *swap, const void *data, struct stored *stored)
{
	if (swap->codec == NULL)
		return -QR_E2BIG;
	struct swap_work *work = qr_swap_work_acquire(swap, swap->store);
	size_t length = store_compress(swap, work, data);
	int error = -QR_E2BIG;
	if (length != 0)
		error = qr_swap_pool_store(swap, work->page, length,
		    &stored->object);
	qr_swap_work_release(swap, work);
	return error;
}

static int
store_raw(struct qr_swap *swap, const void *data, struct stored *stored)
{
	return qr_swap_pool_store(swap, data, QR_PAGE_SIZE, &stored->object);
}

/* Puts the contents where there is room for them. */
static int
store_contents(struct qr_swap *swap, const void *data, struct stored *stored)
{
	const uint64_t *words = data;
	if (page_is_same(words)) {
		stored->state = SLOT_SAME;
		stored->fill = words[0];
		return 0;
	}
	stored->state = SLOT_POOL;
	stored->checksum = QR_CONFIG_HARD ? qr_swap_checksum(data) : 0;
	int error = store_compressed(swap, data, stored);
	if (error == -QR_E2BIG && swap->keep_raw)
		error = store_raw(swap, data, stored);
	if (error == 0)
		return 0;
	int device_error = qr_swap_write_page(swap, data, &stored->device);
	if (device_error == 0) {
		stored->state = SLOT_DEVICE;
		stored->checksum = qr_swap_checksum(data);
		return 0;
	}
	if (error == -QR_E2BIG)
		error = -QR_ENOSPC;
	return error == 0 || device_error == -QR_ENOSPC ? error : device_error;
}

static void
count_state(struct qr_swap *swap, enum slot_state state, int64_t n)
{
	struct swap_counts *count = &swap->count;
	swap_count(&count->slots, n);
	if (state == SLOT_SAME)
		swap_count(&count->same_filled, n);
	else if (state == SLOT_POOL)
		swap_count(&count->pooled, n);
	else
		swap_count(&count->on_device, n);
}

/* Slot lock held; nobody else knows the slot. */
static void
slot_fill(struct qr_swap *swap, uint32_t number, const struct stored *stored)
{
	struct swap_slot *slot = qr_swap_slot_try(swap, number);
	slot->checksum = stored->checksum;
	if (stored->state == SLOT_SAME) {
		slot->where.fill = stored->fill;
	} else if (stored->state == SLOT_DEVICE) {
		slot->link.device = stored->device;
	} else {
		slot->where.object = stored->object;
		qr_swap_pool_set_owner(swap, stored->object, number);
		qr_swap_lru_push(swap, number);
	}
	count_state(swap, stored->state, 1);
	/* Relaxed: others come to the slot by its number, which the caller
	 * hands on, or by the lock. */
	atomic_store_explicit(&slot->word, stored->state, memory_order_relaxed);
}

int
qr_swap_store(struct qr_swap *swap, const void *data, uint64_t *slot)
{
	struct stored stored = { .state = SLOT_FREE };
	uint32_t number = SLOT_NIL;
	int error = store_contents(swap, data, &stored);
	if (error != 0)
		goto refused;
	qr_lock_acquire(swap->port, &swap->slots.lock);
	error = qr_swap_slot_take(swap, &number);
	if (error == 0)
		slot_fill(swap, number, &stored);
	qr_lock_release(swap->port, &swap->slots.lock);
	if (error != 0)
		goto undo_contents;

	swap_count(&swap->count.stores, 1);
	if (stored.state == SLOT_DEVICE)
		swap_count(&swap->count.incompressible, 1);
	*slot = number;
	return 0;

undo_contents:;
	struct swap_remains remains = { stored.state, stored.object,
		stored.device };
	(void)qr_swap_clear(swap, &remains);
refused:
	swap_count(&swap->count.refused, 1);
	return error;
}

/* --- references --- */

struct swap_remains
qr_swap_bury(struct qr_swap *swap, uint32_t number)
{
	struct swap_slot *slot = qr_swap_slot_try(swap, number);
	/* Relaxed: the last user is here, under the slot lock. */
	uint32_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
	enum slot_state state = (enum slot_state)(word & SLOT_STATE);
	struct swap_remains remains = { word, { 0, 0, 0 }, 0 };
	QR_ASSERT((word & ~(SLOT_STATE | SLOT_BAD)) == 0,
	    "[swap.2] slot %u freed with word 0x%x", number, word);
	if (state == SLOT_POOL) {
		remains.object = slot->where.object;
		qr_swap_lru_remove(swap, number);
	} else if (state == SLOT_DEVICE) {
		remains.device = slot->link.device;
	}
	count_state(swap, state, -1);
	qr_swap_slot_give(swap, number);
	return remains;
}

size_t
qr_swap_clear(struct qr_swap *swap, const struct swap_remains *remains)
{
	uint32_t state = remains->word & SLOT_STATE;
	if (state == SLOT_POOL) {
		unsigned class_index =
		    qr_swap_pool_class(swap, remains->object);
		size_t freed = qr_swap_pool_free(swap, remains->object);
		return freed + qr_swap_pack(swap, class_index);
	}
	if (state == SLOT_DEVICE && (remains->word & SLOT_BAD) != 0)
		qr_swap_area_retire(swap);
	else if (state == SLOT_DEVICE)
		qr_swap_area_give(swap, remains->device);
	return 0;
}

void
qr_swap_get(struct qr_swap *swap, uint64_t number)
{
	struct swap_slot *slot = qr_swap_slot(swap, number);
	/* Relaxed: the caller's own reference keeps the slot. */
	uint32_t was =
	    atomic_fetch_add_explicit(&slot->refs, 1, memory_order_relaxed);
	QR_ASSERT(was != UINT32_MAX, "slot %llu has too many references",
	    (unsigned long long)number);
}

/* The reference seems to be the last. */
static QR_NOINLINE void
put_slow(struct qr_swap *swap, uint32_t number, struct swap_slot *slot)
{
	struct swap_remains remains = { SLOT_FREE, { 0, 0, 0 }, 0 };
	qr_lock_acquire(swap->port, &swap->slots.lock);
	/* Acquire pairs with the release in qr_swap_put: what other holders
	 * did comes before the slot is free. */
	uint32_t refs =
	    atomic_fetch_sub_explicit(&slot->refs, 1, memory_order_acq_rel);
	uint32_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
	if (refs == 1 && (word & SLOT_TRANSIT) == 0)
		remains = qr_swap_bury(swap, number);
	qr_lock_release(swap->port, &swap->slots.lock);
	(void)qr_swap_clear(swap, &remains);
}

void
qr_swap_put(struct qr_swap *swap, uint64_t number)
{
	struct swap_slot *slot = qr_swap_slot(swap, number);
	/* Relaxed: only a value to exchange. */
	uint32_t refs = atomic_load_explicit(&slot->refs, memory_order_relaxed);
	/* The last one goes under the slot lock, so that whoever holds that
	 * sees either a reference or a slot that is being freed. Each turn
	 * that fails is another thread's success. */
	while (refs > 1) {
		/* Release pairs with the acquire in put_slow. */
		if (atomic_compare_exchange_weak_explicit(&slot->refs, &refs,
			refs - 1, memory_order_release, memory_order_relaxed))
			return;
	}
	put_slow(swap, (uint32_t)number, slot);
}

/* Relaxed, both: a number that the caller's own locks order. */
void
qr_swap_set_shadow(struct qr_swap *swap, uint64_t number, uint32_t shadow)
{
	atomic_store_explicit(&qr_swap_slot(swap, number)->shadow, shadow,
	    memory_order_relaxed);
}

uint32_t
qr_swap_shadow(struct qr_swap *swap, uint64_t number)
{
	return atomic_load_explicit(&qr_swap_slot(swap, number)->shadow,
	    memory_order_relaxed);
}

/* --- the whole --- */

static void
swap_configure(struct qr_swap *swap, struct qr_frames *frames,
    const struct qr_swap_config *config)
{
	swap->port = qr_frame_port(frames);
	swap->frames = frames;
	swap->codec = config->codec;
	swap->keep_raw = config->keep_raw;
	swap->pool.frames_max =
	    config->pool_pages_max == 0 ? UINT64_MAX : config->pool_pages_max;
	swap->writeback_frames = config->pool_pages_writeback == 0
				     ? UINT64_MAX
				     : config->pool_pages_writeback;
	qr_lock_init(&swap->writer.work.lock, QR_RANK_WORK);
}

/* What a machine with a device needs before memory is short. */
static int
writer_prepare(struct qr_swap *swap)
{
	if (swap->port->ops->swap_size(swap->port->ctx) == 0)
		return 0;
	return qr_swap_writer_init(swap);
}

int
qr_swap_create(struct qr_frames *frames, struct qr_slabs *slabs,
    const struct qr_swap_config *config, struct qr_swap **swap)
{
	const struct qr_slab_config self = { .name = "swap",
		.size_bytes = sizeof(struct qr_swap) };
	int error = -QR_ENOMEM;
	struct qr_slab_cache *cache = qr_slab_create(slabs, &self);
	if (cache == NULL)
		return -QR_ENOMEM;
	struct qr_swap *made = qr_slab_alloc(cache, QR_GFP_KERNEL);
	if (made == NULL)
		goto undo_cache;
	__builtin_memset(made, 0, sizeof(*made));
	made->self_cache = cache;
	swap_configure(made, frames, config);
	qr_swap_pool_init(made);
	error = qr_swap_works_init(made);
	if (error != 0)
		goto undo_self;
	error = qr_swap_slots_init(made);
	if (error != 0)
		goto undo_works;
	error = qr_swap_area_init(made);
	if (error != 0)
		goto undo_slots;
	error = writer_prepare(made);
	if (error != 0)
		goto undo_area;
	made->signature = SWAP_SIGNATURE;
	*swap = made;
	return 0;

undo_area:
	qr_swap_area_fini(made);
undo_slots:
	qr_swap_slots_fini(made);
undo_works:
	qr_swap_works_fini(made);
undo_self:
	qr_slab_free(cache, made);
undo_cache:
	qr_slab_destroy(cache);
	return error;
}

void
qr_swap_destroy(struct qr_swap *swap)
{
	struct qr_slab_cache *cache = swap->self_cache;
	QR_ASSERT(swap->signature == SWAP_SIGNATURE, "not a swap: 0x%x",
	    swap->signature);
	QR_ASSERT(swap_counted(&swap->count.slots) == 0,
	    "swap destroyed with %llu slots in use",
	    (unsigned long long)swap_counted(&swap->count.slots));
	swap->signature = 0;
	qr_swap_pool_fini(swap);
	qr_swap_area_fini(swap);
	qr_swap_slots_fini(swap);
	qr_swap_works_fini(swap);
	qr_slab_free(cache, swap);
	qr_slab_destroy(cache);
}

void
qr_swap_stat(struct qr_swap *swap, struct qr_swap_stat *stat)
{
	struct swap_counts *count = &swap->count;
	stat->slots = swap_counted(&count->slots);
	stat->same_filled = swap_counted(&count->same_filled);
	stat->pooled = swap_counted(&count->pooled);
	stat->pooled_bytes = swap_counted(&swap->pool.bytes);
	stat->pool_frames = swap_counted(&swap->pool.frames);
	stat->on_device = swap_counted(&count->on_device);
	stat->device_pages = swap->port->ops->swap_size(swap->port->ctx);
	stat->stores = swap_counted(&count->stores);
	stat->loads_pool = swap_counted(&count->loads_pool);
	stat->loads_device = swap_counted(&count->loads_device);
	stat->incompressible = swap_counted(&count->incompressible);
	stat->written_back = swap_counted(&count->written_back);
	stat->io_errors = swap_counted(&count->io_errors);
	stat->refused = swap_counted(&count->refused);
}

void
qr_check_swap(struct qr_swap *swap, enum qr_check_depth depth)
{
	QR_ASSERT(swap->signature == SWAP_SIGNATURE, "not a swap: 0x%x",
	    swap->signature);
	if (depth == QR_CHECK_SIGNATURE)
		return;
	QR_ASSERT(swap->works != 0, "no work memory");
	QR_ASSERT(swap_counted(&swap->pool.frames) <= swap->pool.frames_max,
	    "[swap.4] the pool has %llu frames",
	    (unsigned long long)swap_counted(&swap->pool.frames));
	if (depth == QR_CHECK_SELF)
		return;
	qr_check_swap_slots(swap);
	qr_check_swap_pool(swap);
	qr_check_swap_area(swap);
}
