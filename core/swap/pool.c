/* SPDX-License-Identifier: MIT */
/*
 * swap/pool.c: compressed pages as objects of 35 sizes and whole pages.
 *
 * A run of 1 to 4 frames, chained by pfn and wherever they are, is cut into
 * as many objects as fit. A size is therefore a fraction of frames over
 * objects, rounded down to 8 bytes: the tail of a run is never larger than
 * that. Sizes rise by 9 % (by 15 to 25 % below 256 bytes, where pages are
 * few). Measured on lz4's lengths for pages of a Python heap and of text:
 *
 *      frames a run   waste filling 1000, 4000, 16000 pages
 *          1           27 %   26 %   26 %   no size between 1/2 and 1 page
 *          2           12 %   10 %   10 %
 *          3           10 %    7 %    6 %
 *          4           11 %    6 %    5 %   here
 *          8           14 %    8 %    6 %   more partial runs than it saves
 *
 * Finer steps lose as much to partial runs as they save, and so does taking
 * a free object of the next class before a new run (10 % at 16000). Longer
 * runs also take more of the reserve to store one page. What random frees do
 * to this is pack.c's to mend.
 *
 * The first four bytes of an object name the slot that it belongs to, for
 * pack.c; a raw page, alone in its run, has no need of them. An object lies
 * in two frames at most, as none is larger than one. Keeps [swap.3].
 */
#include "swap_impl.h"

#define OWNER_BYTES ((uint32_t)sizeof(uint32_t))

/* size = frames * 4096 / objects, rounded down to 8. */
static const struct {
	uint16_t size; /* bytes */
	uint8_t frames;
	uint8_t objects; /* at most 64: bits of a word */
} class_table[POOL_CLASSES] = {
	{ 64, 1, 64 },
	{ 80, 1, 51 },
	{ 104, 1, 39 },
	{ 128, 1, 32 },
	{ 152, 1, 26 },
	{ 184, 1, 22 },
	{ 216, 2, 37 },
	{ 256, 1, 16 },
	{ 280, 2, 29 },
	{ 304, 3, 40 },
	{ 328, 3, 37 },
	{ 360, 3, 34 },
	{ 392, 3, 31 },
	{ 424, 2, 19 },
	{ 464, 4, 35 },
	{ 512, 1, 8 },
	{ 552, 3, 22 },
	{ 600, 4, 27 },
	{ 680, 1, 6 },
	{ 712, 4, 23 },
	{ 776, 4, 21 },
	{ 856, 4, 19 },
	{ 944, 3, 13 },
	{ 1024, 1, 4 },
	{ 1112, 3, 11 },
	{ 1224, 3, 10 },
	{ 1360, 1, 3 },
	{ 1488, 4, 11 },
	{ 1632, 2, 5 },
	{ 1752, 3, 7 },
	{ 2048, 1, 2 },
	{ 2336, 4, 7 },
	{ 2456, 3, 5 },
	{ 2728, 2, 3 },
	{ 3072, 3, 4 },
	{ 4096, 1, 1 },
};

#define RAW_CLASS (POOL_CLASSES - 1)

static uint32_t
owner_bytes(unsigned class_index)
{
	return class_index == RAW_CLASS ? 0 : OWNER_BYTES;
}

/* --- where an object is --- */

/* A byte of a run: in its frame, and how many follow in that frame. */
struct place {
	unsigned char *at;
	size_t room;
};

static struct place
run_place(const struct qr_swap *swap, uint32_t run, size_t offset)
{
	/* POOL_RUN_FRAMES - 1 steps at most. */
	while (offset >= QR_PAGE_SIZE) {
		run = swap_page(swap, run)->u.pool.run_next;
		offset -= QR_PAGE_SIZE;
	}
	unsigned char *bytes = swap_bytes(swap, run);
	return (struct place){ bytes + offset, QR_PAGE_SIZE - offset };
}

static unsigned
run_class(const struct qr_swap *swap, uint32_t run)
{
	struct qr_page *page = swap_page(swap, run);
	QR_ASSERT(page->kind == QR_PAGE_POOL, "frame %u is of kind %u", run,
	    page->kind);
	return page->u.pool.class_index;
}

static size_t
object_offset(unsigned class_index, uint32_t index)
{
	return (size_t)index * class_table[class_index].size;
}

/* An owner's four bytes lie in one frame: sizes are multiples of 8. */
static _Atomic(uint32_t) *
object_owner(const struct qr_swap *swap, struct pool_object object)
{
	unsigned class_index = run_class(swap, object.run);
	struct place place = run_place(swap, object.run,
	    object_offset(class_index, object.index));
	return (_Atomic(uint32_t) *)(void *)place.at;
}

/* The byte at offset of an object's contents. */
static struct place
object_place(const struct qr_swap *swap, struct pool_object object,
    size_t offset)
{
	unsigned class_index = run_class(swap, object.run);
	return run_place(swap, object.run,
	    object_offset(class_index, object.index) +
		owner_bytes(class_index) + offset);
}

static void
object_write(const struct qr_swap *swap, struct pool_object object,
    const unsigned char *data)
{
	size_t done = 0;
	/* Two turns at most: contents lie in two frames at most. */
	while (done < object.length) {
		struct place to = object_place(swap, object, done);
		size_t piece = qr_min(to.room, object.length - done);
		__builtin_memcpy(to.at, data + done, piece);
		done += piece;
	}
}

/* --- runs and their lists; class lock held --- */

static unsigned
run_list(const struct qr_page *page, unsigned class_index)
{
	return page->u.pool.used * POOL_LIST_FULL /
	       class_table[class_index].objects;
}

static void
list_push(struct qr_swap *swap, struct pool_class *class, uint32_t run)
{
	struct qr_page *page = swap_page(swap, run);
	uint32_t *head =
	    &class->lists[run_list(page, page->u.pool.class_index)];
	page->prev = QR_PFN_NIL;
	page->next = *head;
	if (*head != QR_PFN_NIL)
		swap_page(swap, *head)->prev = run;
	*head = run;
}

static void
list_remove(struct qr_swap *swap, struct pool_class *class, uint32_t run)
{
	struct qr_page *page = swap_page(swap, run);
	if (page->next != QR_PFN_NIL)
		swap_page(swap, page->next)->prev = page->prev;
	if (page->prev != QR_PFN_NIL)
		swap_page(swap, page->prev)->next = page->next;
	else
		class->lists[run_list(page, page->u.pool.class_index)] =
		    page->next;
}

/* Fullest partial run, QR_PFN_NIL: none. */
static uint32_t
class_fullest(const struct pool_class *class)
{
	for (unsigned list = POOL_LIST_FULL; list-- > 0;)
		if (class->lists[list] != QR_PFN_NIL)
			return class->lists[list];
	return QR_PFN_NIL;
}

static uint32_t
class_emptiest(const struct pool_class *class)
{
	for (unsigned list = 0; list < POOL_LIST_FULL; list++)
		if (class->lists[list] != QR_PFN_NIL)
			return class->lists[list];
	return QR_PFN_NIL;
}

/* Takes a free object of a run that has one. */
static struct pool_object
run_take(struct qr_swap *swap, struct pool_class *class, uint32_t run)
{
	struct qr_page *page = swap_page(swap, run);
	unsigned index = qr_bit_lowest(page->u.pool.free_map);
	list_remove(swap, class, run);
	page->u.pool.free_map &= page->u.pool.free_map - 1;
	page->u.pool.used++;
	list_push(swap, class, run);
	class->objects++;
	return (struct pool_object){ run, (uint16_t)index, 0 };
}

static bool
class_take(struct qr_swap *swap, unsigned class_index,
    struct pool_object *object)
{
	struct pool_class *class = &swap->pool.classes[class_index];
	qr_lock_acquire(swap->port, &class->lock);
	uint32_t run = class_fullest(class);
	if (run != QR_PFN_NIL)
		*object = run_take(swap, class, run);
	qr_lock_release(swap->port, &class->lock);
	return run != QR_PFN_NIL;
}

/* --- frames --- */

static int
frames_charge(struct swap_pool *pool, unsigned count)
{
	/* Relaxed: a count. */
	uint64_t was = atomic_fetch_add_explicit(&pool->frames, count,
	    memory_order_relaxed);
	if (was + count <= pool->frames_max)
		return 0;
	swap_count(&pool->frames, -(int64_t)count);
	return -QR_ENOSPC;
}

/* Frees a run's frames; nobody knows of it any more. */
static size_t
run_free(struct qr_swap *swap, uint32_t run)
{
	struct qr_page *pages[POOL_RUN_FRAMES];
	size_t count = class_table[run_class(swap, run)].frames;
	for (size_t i = 0; i < count; i++) {
		pages[i] = swap_page(swap, run);
		run = pages[i]->u.pool.run_next;
	}
	qr_frame_free_bulk(swap->frames, pages, count);
	swap_count(&swap->pool.frames, -(int64_t)count);
	return count;
}

static void
run_init(struct qr_swap *swap, unsigned class_index, struct qr_page **pages)
{
	unsigned objects = class_table[class_index].objects;
	uint32_t next = QR_PFN_NIL;
	for (unsigned i = class_table[class_index].frames; i-- > 0;) {
		(void)qr_frame_data(swap->frames, pages[i]);
		pages[i]->u.pool.run_next = next;
		pages[i]->u.pool.class_index = (uint16_t)class_index;
		pages[i]->u.pool.used = 0;
		pages[i]->u.pool.free_map = 0;
		next = (uint32_t)qr_frame_pfn(swap->frames, pages[i]);
	}
	pages[0]->u.pool.free_map = ~(uint64_t)0 >> (64 - objects);
}

/* A new run, with an object of it taken. */
static int
class_grow(struct qr_swap *swap, unsigned class_index,
    struct pool_object *object)
{
	struct pool_class *class = &swap->pool.classes[class_index];
	struct qr_page *pages[POOL_RUN_FRAMES];
	unsigned count = class_table[class_index].frames;
	int error = frames_charge(&swap->pool, count);
	if (error != 0)
		return error;
	size_t got = qr_frame_alloc_bulk(swap->frames, QR_GFP_RESERVE, count,
	    QR_PAGE_POOL, pages);
	if (got < count) {
		qr_frame_free_bulk(swap->frames, pages, got);
		swap_count(&swap->pool.frames, -(int64_t)count);
		return -QR_ENOMEM;
	}

	/* From here nothing can fail. */
	run_init(swap, class_index, pages);
	uint32_t run = (uint32_t)qr_frame_pfn(swap->frames, pages[0]);
	qr_lock_acquire(swap->port, &class->lock);
	list_push(swap, class, run);
	class->runs++;
	*object = run_take(swap, class, run);
	qr_lock_release(swap->port, &class->lock);
	return 0;
}

/* --- for swap.c --- */

void
qr_swap_pool_init(struct qr_swap *swap)
{
	for (unsigned i = 0; i < POOL_CLASSES; i++) {
		struct pool_class *class = &swap->pool.classes[i];
		qr_lock_init(&class->lock, QR_RANK_POOL);
		for (unsigned list = 0; list < POOL_LISTS; list++)
			class->lists[list] = QR_PFN_NIL;
		class->isolated = QR_PFN_NIL;
	}
}

size_t
qr_swap_pool_length_max(void)
{
	return class_table[RAW_CLASS - 1].size - OWNER_BYTES;
}

static unsigned
class_of_length(size_t length)
{
	unsigned class_index = 0;
	while (
	    class_table[class_index].size < length + owner_bytes(class_index))
		class_index++;
	return class_index;
}

/*
 * A place of the class, in a new run if need be; where no run can be had, of
 * a larger class that has one free.
 */
static int
pool_take(struct qr_swap *swap, unsigned class_index,
    struct pool_object *object)
{
	if (class_take(swap, class_index, object))
		return 0;
	int error = class_grow(swap, class_index, object);
	if (error == 0)
		return 0;
	for (unsigned i = class_index + 1; i < POOL_CLASSES; i++)
		if (class_take(swap, i, object))
			return 0;
	return error;
}

int
qr_swap_pool_store(struct qr_swap *swap, const void *data, size_t length,
    struct pool_object *object)
{
	struct pool_object taken;
	QR_ASSERT(length != 0, "an object of no bytes");
	QR_ASSERT(length <= QR_PAGE_SIZE, "an object of %zu bytes", length);
	int error = pool_take(swap, class_of_length(length), &taken);
	if (error != 0)
		return error;
	taken.length = (uint16_t)length;
	/* The place is ours: nobody else looks at these bytes. */
	qr_swap_pool_set_owner(swap, taken, SLOT_NIL);
	object_write(swap, taken, data);
	swap_count(&swap->pool.bytes, (int64_t)length);
	*object = taken;
	return 0;
}

/*
 * Relaxed: whoever packs may read an owner while it changes, and then asks
 * the slot under its lock.
 */
void
qr_swap_pool_set_owner(struct qr_swap *swap, struct pool_object object,
    uint32_t slot)
{
	if (run_class(swap, object.run) != RAW_CLASS)
		atomic_store_explicit(object_owner(swap, object), slot,
		    memory_order_relaxed);
}

bool
qr_swap_pool_straddles(const struct qr_swap *swap, struct pool_object object)
{
	return object_place(swap, object, 0).room < object.length;
}

const void *
qr_swap_pool_view(const struct qr_swap *swap, struct pool_object object,
    void *bounce)
{
	struct place first = object_place(swap, object, 0);
	if (first.room >= object.length)
		return first.at;
	struct place rest = object_place(swap, object, first.room);
	__builtin_memcpy(bounce, first.at, first.room);
	__builtin_memcpy((unsigned char *)bounce + first.room, rest.at,
	    object.length - first.room);
	return bounce;
}

size_t
qr_swap_pool_free(struct qr_swap *swap, struct pool_object object)
{
	unsigned class_index = run_class(swap, object.run);
	struct pool_class *class = &swap->pool.classes[class_index];
	struct qr_page *page = swap_page(swap, object.run);
	uint64_t bit = (uint64_t)1 << object.index;
	QR_ASSERT(object.index < class_table[class_index].objects,
	    "object %u of a run of %u", object.index,
	    class_table[class_index].objects);

	qr_lock_acquire(swap->port, &class->lock);
	QR_ASSERT((page->u.pool.free_map & bit) == 0,
	    "[swap.3] object %u of run %u freed twice", object.index,
	    object.run);
	bool listed = class->isolated != object.run;
	if (listed)
		list_remove(swap, class, object.run);
	page->u.pool.free_map |= bit;
	page->u.pool.used--;
	class->objects--;
	bool empty = listed && page->u.pool.used == 0;
	if (empty)
		class->runs--;
	else if (listed)
		list_push(swap, class, object.run);
	qr_lock_release(swap->port, &class->lock);

	swap_count(&swap->pool.bytes, -(int64_t)object.length);
	return empty ? run_free(swap, object.run) : 0;
}

void
qr_swap_pool_fini(struct qr_swap *swap)
{
	QR_ASSERT(swap_counted(&swap->pool.frames) == 0,
	    "pool destroyed with %llu frames",
	    (unsigned long long)swap_counted(&swap->pool.frames));
}

/* --- for pack.c --- */

unsigned
qr_swap_pool_class(const struct qr_swap *swap, struct pool_object object)
{
	return run_class(swap, object.run);
}

/*
 * Whether a run could be emptied into the others: half a run more than one
 * is free, so that a class does not pack and grow in turn.
 */
static bool
class_is_loose(const struct pool_class *class, unsigned class_index)
{
	unsigned objects = class_table[class_index].objects;
	uint64_t free = (uint64_t) class->runs * objects - class->objects;
	return objects > 1 && free > objects + objects / 2;
}

/* Fills owners[PACK_MOVES] from the objects taken of a run. */
static size_t
run_owners(const struct qr_swap *swap, uint32_t run, uint32_t *owners)
{
	unsigned objects = class_table[run_class(swap, run)].objects;
	uint64_t taken = ~swap_page(swap, run)->u.pool.free_map &
			 ~(uint64_t)0 >> (64 - objects);
	size_t count = 0;
	for (; taken != 0 && count < PACK_MOVES; taken &= taken - 1) {
		struct pool_object object = { run,
			(uint16_t)qr_bit_lowest(taken), 0 };
		/* Relaxed: see qr_swap_pool_set_owner. */
		owners[count++] =
		    atomic_load_explicit(object_owner(swap, object),
			memory_order_relaxed);
	}
	return count;
}

size_t
qr_swap_pool_isolate(struct qr_swap *swap, unsigned class_index,
    uint32_t *owners)
{
	struct pool_class *class = &swap->pool.classes[class_index];
	size_t count = 0;
	qr_lock_acquire(swap->port, &class->lock);
	if (class->isolated == QR_PFN_NIL &&
	    class_is_loose(class, class_index)) {
		uint32_t run = class_emptiest(class);
		QR_ASSERT(run != QR_PFN_NIL,
		    "class %u loose without a partial run", class_index);
		list_remove(swap, class, run);
		class->isolated = run;
		count = run_owners(swap, run, owners);
	}
	qr_lock_release(swap->port, &class->lock);
	return count;
}

bool
qr_swap_pool_move(struct qr_swap *swap, struct pool_object from,
    struct pool_object *to)
{
	struct pool_object taken;
	if (!class_take(swap, run_class(swap, from.run), &taken))
		return false;
	taken.length = from.length;
	/* Relaxed, both: the caller has the slot lock, and so the owner. */
	uint32_t owner = atomic_load_explicit(object_owner(swap, from),
	    memory_order_relaxed);
	qr_swap_pool_set_owner(swap, taken, owner);
	size_t done = 0;
	while (done < from.length) {
		struct place here = object_place(swap, from, done);
		struct place there = object_place(swap, taken, done);
		size_t piece =
		    qr_min(qr_min(here.room, there.room), from.length - done);
		__builtin_memcpy(there.at, here.at, piece);
		done += piece;
	}
	swap_count(&swap->pool.bytes, taken.length);
	*to = taken;
	return true;
}

size_t
qr_swap_pool_restore(struct qr_swap *swap, unsigned class_index)
{
	struct pool_class *class = &swap->pool.classes[class_index];
	qr_lock_acquire(swap->port, &class->lock);
	uint32_t run = class->isolated;
	bool empty = swap_page(swap, run)->u.pool.used == 0;
	class->isolated = QR_PFN_NIL;
	if (empty)
		class->runs--;
	else
		list_push(swap, class, run);
	qr_lock_release(swap->port, &class->lock);
	return empty ? run_free(swap, run) : 0;
}

/* --- checks --- */

static void
check_owner(struct qr_swap *swap, struct pool_object object)
{
	uint32_t owner = atomic_load(object_owner(swap, object));
	struct swap_slot *slot = qr_swap_slot(swap, owner);
	QR_ASSERT((atomic_load(&slot->word) & SLOT_STATE) == SLOT_POOL,
	    "[swap.3] object %u of run %u is of slot %u, not in the pool",
	    object.index, object.run, owner);
	QR_ASSERT(slot->where.object.run == object.run,
	    "[swap.3] slot %u is in run %u, not %u", owner,
	    slot->where.object.run, object.run);
	QR_ASSERT(slot->where.object.index == object.index,
	    "[swap.3] slot %u is object %u, not %u", owner,
	    slot->where.object.index, object.index);
}

/* Returns the objects taken. */
static uint32_t
check_run(struct qr_swap *swap, unsigned class_index, uint32_t run)
{
	struct qr_page *page = swap_page(swap, run);
	unsigned objects = class_table[class_index].objects;
	uint64_t all = ~(uint64_t)0 >> (64 - objects);
	uint64_t taken = ~page->u.pool.free_map & all;
	QR_ASSERT(run_class(swap, run) == class_index,
	    "[swap.3] run %u of class %u on a list of class %u", run,
	    page->u.pool.class_index, class_index);
	QR_ASSERT((page->u.pool.free_map & ~all) == 0,
	    "[swap.3] run %u has free objects beyond %u", run, objects);
	QR_ASSERT(qr_bit_count(taken) == page->u.pool.used,
	    "[swap.3] run %u counts %u objects, its map 0x%llx", run,
	    page->u.pool.used, (unsigned long long)taken);
	QR_ASSERT(page->u.pool.used != 0, "[swap.3] run %u is empty", run);
	for (; class_index != RAW_CLASS && taken != 0; taken &= taken - 1)
		check_owner(swap, (struct pool_object){ run,
				      (uint16_t)qr_bit_lowest(taken), 0 });
	return page->u.pool.used;
}

/* Walks one list, adding to the class's counts. */
static void
check_list(struct qr_swap *swap, unsigned class_index, unsigned list,
    struct pool_class *found)
{
	struct pool_class *class = &swap->pool.classes[class_index];
	uint32_t prev = QR_PFN_NIL;
	uint32_t run = class->lists[list];
	while (run != QR_PFN_NIL) {
		struct qr_page *page = swap_page(swap, run);
		found->runs++;
		found->objects += check_run(swap, class_index, run);
		QR_ASSERT(run_list(page, class_index) == list,
		    "[swap.3] run %u of %u objects on list %u", run,
		    page->u.pool.used, list);
		QR_ASSERT(page->prev == prev,
		    "[swap.3] run %u follows %u, not %u", run, page->prev,
		    prev);
		prev = run;
		run = page->next;
	}
}

static void
check_class(struct qr_swap *swap, unsigned class_index)
{
	struct pool_class *class = &swap->pool.classes[class_index];
	struct pool_class found = { .runs = 0 };
	for (unsigned list = 0; list < POOL_LISTS; list++)
		check_list(swap, class_index, list, &found);
	QR_ASSERT(found.runs == class->runs,
	    "[swap.3] class %u: %u runs, has %u", class_index, class->runs,
	    found.runs);
	QR_ASSERT(found.objects == class->objects,
	    "[swap.3] class %u: %u objects, has %u", class_index,
	    class->objects, found.objects);
}

void
qr_check_swap_pool(struct qr_swap *swap)
{
	uint64_t frames = 0, objects = 0;
	for (unsigned i = 0; i < POOL_CLASSES; i++) {
		check_class(swap, i);
		objects += swap->pool.classes[i].objects;
		frames += (uint64_t)swap->pool.classes[i].runs *
			  class_table[i].frames;
	}
	QR_ASSERT(frames == swap_counted(&swap->pool.frames),
	    "[swap.4] pool counts %llu frames, has %llu",
	    (unsigned long long)swap_counted(&swap->pool.frames),
	    (unsigned long long)frames);
	QR_ASSERT(objects == swap_counted(&swap->count.pooled),
	    "[swap.3] %llu objects for %llu slots", (unsigned long long)objects,
	    (unsigned long long)swap_counted(&swap->count.pooled));
}
