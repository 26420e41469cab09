/* SPDX-License-Identifier: MIT */
/*
 * slab/carve.c: frames carved into objects: layout, free lists, and the three
 * lists of a cache's slabs.
 *
 * A slab is a block of 1 << order frames. Its head's descriptor has all that
 * is known of it: the cache, the colour, how many objects are taken [slab.2],
 * and the index of the first free one. A free object holds the index of the
 * next one, at cache->link_offset. Slabs are linked by frame number through
 * their heads' descriptors.
 *
 * Which slab an object is of: a block is aligned to its size, so the object's
 * frame number, rounded down to the cache's order, is the head's [slab.4].
 */
#include "../base/bits.h"
#include "../base/check.h"
#include "slab_impl.h"

/* Waste of a slab that is not worth a larger block: an eighth. */
#define WASTE_SHIFT 3u

/* Colours are a cache line apart, or they would not change sets. */
#define COLOUR_STEP_MIN 64u

/* Empty slabs that stay: one, so that a cache that is hardly used does not
 * go to frame/ each time, and a sixteenth of all. */
#define EMPTY_SHARE_SHIFT 4u

/* --- layout --- */

static size_t
slab_bytes(uint32_t order)
{
	return QR_PAGE_SIZE << order;
}

/* The smallest order that wastes little, else the one that wastes least. */
static uint32_t
carve_order(uint32_t stride)
{
	uint32_t best = SLAB_ORDER_MAX;
	size_t least = SIZE_MAX;
	for (uint32_t order = 0; order <= SLAB_ORDER_MAX; order++) {
		size_t bytes = slab_bytes(order);
		if (bytes < stride)
			continue;
		size_t waste = bytes % stride;
		if (waste <= bytes >> WASTE_SHIFT)
			return order;
		/* At the scale of the largest slab, to compare shares. */
		waste <<= SLAB_ORDER_MAX - order;
		if (waste < least) {
			least = waste;
			best = order;
		}
	}
	return best;
}

/* Where link and guard are, and from object to object how far it is. */
static void
carve_stride(struct qr_slab_cache *cache, uint32_t align)
{
	uint32_t link_bytes = sizeof(uint16_t);
	uint32_t size = cache->size_bytes;
	if (QR_CONFIG_HARD) {
		size = qr_guard_extend(size, &cache->guard_offset);
		cache->link_offset = size - link_bytes;
		align = (uint32_t)qr_max(align, sizeof(uint64_t));
	} else if (cache->construct != NULL) {
		/* A free object is as constructed, so nothing may lie in it. */
		cache->link_offset = (uint32_t)qr_round_up(size, link_bytes);
		size = cache->link_offset + link_bytes;
	} else {
		cache->link_offset = 0;
	}
	/* So that a link is aligned, and fits the smallest object. */
	align = (uint32_t)qr_max(align, link_bytes);
	cache->stride = (uint32_t)qr_round_up(size, align);
}

void
qr_carve_init(struct qr_slab_cache *cache, struct qr_slabs *slabs,
    const struct qr_slab_config *config)
{
	uint32_t align = config->align == 0 ? 8 : (uint32_t)config->align;
	cache->slabs = slabs;
	cache->port = slabs->port;
	cache->name = config->name;
	cache->construct = config->construct;
	cache->reclaimable = config->reclaimable;
	cache->may_merge =
	    config->may_merge && config->construct == NULL && !QR_CONFIG_HARD;
	cache->users = 1;
	cache->align = align;
	cache->size_bytes = (uint32_t)config->size_bytes;
	carve_stride(cache, align);
	/* Exact inside a slab: an index is off by less than offset / 2^32,
	 * which is below 2^-17 and thus below 1 / stride. */
	cache->stride_inverse =
	    (uint32_t)qr_div_round_up((uint64_t)1 << 32, cache->stride);
	cache->order = carve_order(cache->stride);
	size_t bytes = slab_bytes(cache->order);
	cache->capacity = (uint32_t)(bytes / cache->stride);
	size_t slack = bytes - (size_t)cache->capacity * cache->stride;
	cache->colour_step = (uint32_t)qr_max(align, COLOUR_STEP_MIN);
	cache->colours = (uint32_t)(slack / cache->colour_step) + 1;
	qr_lock_init(&cache->lock, QR_RANK_SLAB);
	for (unsigned list = 0; list < SLAB_LISTS; list++)
		cache->first[list] = QR_PFN_NIL;
}

/* --- lists of slabs --- */

static enum slab_list
slab_list_of(const struct qr_slab_cache *cache, const struct qr_page *slab)
{
	if (slab->u.slab.used == 0)
		return SLAB_EMPTY;
	if (slab->u.slab.used < cache->capacity)
		return SLAB_PARTIAL;
	return SLAB_FULL;
}

static struct qr_page *
slab_at(const struct qr_slab_cache *cache, uint32_t pfn)
{
	if (pfn == QR_PFN_NIL)
		return NULL;
	return qr_frame_page(cache->slabs->frames, pfn);
}

static void
slab_insert(struct qr_slab_cache *cache, struct qr_page *slab)
{
	enum slab_list list = slab_list_of(cache, slab);
	uint32_t pfn = (uint32_t)qr_frame_pfn(cache->slabs->frames, slab);
	struct qr_page *next = slab_at(cache, cache->first[list]);
	slab->prev = QR_PFN_NIL;
	slab->next = cache->first[list];
	if (next != NULL)
		next->prev = pfn;
	cache->first[list] = pfn;
	cache->empty_count += list == SLAB_EMPTY;
}

/* Takes the slab off the list that its count says it is on. */
static void
slab_remove(struct qr_slab_cache *cache, struct qr_page *slab)
{
	enum slab_list list = slab_list_of(cache, slab);
	struct qr_page *prev = slab_at(cache, slab->prev);
	struct qr_page *next = slab_at(cache, slab->next);
	if (prev != NULL)
		prev->next = slab->next;
	else
		cache->first[list] = slab->next;
	if (next != NULL)
		next->prev = slab->prev;
	cache->empty_count -= list == SLAB_EMPTY;
}

/* --- objects of a slab --- */

/* The slab's first object. */
static unsigned char *
slab_base(const struct qr_slab_cache *cache, const struct qr_page *slab)
{
	const struct qr_slabs *slabs = cache->slabs;
	return slabs->direct_map +
	       qr_frame_pfn(slabs->frames, slab) * QR_PAGE_SIZE +
	       slab->u.slab.colour;
}

static uint16_t *
object_link(const struct qr_slab_cache *cache, void *object)
{
	return (
	    uint16_t *)(void *)((unsigned char *)object + cache->link_offset);
}

/* Index of the object in its slab; panics if there is none at the place. */
static uint16_t
object_index(const struct qr_slab_cache *cache, const struct qr_page *slab,
    const void *object)
{
	uint64_t offset =
	    (uint64_t)((const unsigned char *)object - slab_base(cache, slab));
	uint64_t index = offset * cache->stride_inverse >> 32;
	QR_ASSERT(index < cache->capacity,
	    "slab.4: cache %s: %p is not in a slab's objects", cache->name,
	    object);
	QR_ASSERT(index * cache->stride == offset,
	    "slab.4: cache %s: %p is not the start of an object", cache->name,
	    object);
	return (uint16_t)index;
}

/* The slab that the object is of; panics if it is of none of the cache. */
static struct qr_page *
slab_of(const struct qr_slab_cache *cache, const void *object)
{
	const struct qr_slabs *slabs = cache->slabs;
	uint64_t offset =
	    (uint64_t)((const unsigned char *)object - slabs->direct_map);
	qr_pfn_t pfn =
	    qr_round_down(offset >> QR_PAGE_SHIFT, (uint64_t)1 << cache->order);
	struct qr_page *slab = qr_frame_page(slabs->frames, pfn);
	QR_ASSERT(slab->kind == QR_PAGE_SLAB,
	    "slab.4: cache %s: %p is in a frame of kind %u", cache->name,
	    object, slab->kind);
	QR_ASSERT(slab->u.slab.cache == (const void *)cache,
	    "slab.4: cache %s: %p is not of this cache", cache->name, object);
	return slab;
}

void
qr_carve_check_object(const struct qr_slab_cache *cache, const void *object)
{
	(void)object_index(cache, slab_of(cache, object), object);
}

/* Takes the slab's first free object; there is one. */
static void *
slab_pop(const struct qr_slab_cache *cache, struct qr_page *slab)
{
	uint16_t index = slab->u.slab.free_first;
	QR_ASSERT(index < cache->capacity,
	    "slab.2: cache %s: link %u of a slab of %u objects: a free object "
	    "was written to",
	    cache->name, index, cache->capacity);
	unsigned char *object =
	    slab_base(cache, slab) + (size_t)index * cache->stride;
	slab->u.slab.free_first = *object_link(cache, object);
	slab->u.slab.used++;
	return object;
}

static void
slab_push(const struct qr_slab_cache *cache, struct qr_page *slab, void *object)
{
	uint16_t index = object_index(cache, slab, object);
	QR_ASSERT(slab->u.slab.used > 0,
	    "slab.2: cache %s: %p freed twice: nothing of its slab is taken",
	    cache->name, object);
	QR_ASSERT(slab->u.slab.free_first != index,
	    "slab.2: cache %s: %p freed twice", cache->name, object);
	*object_link(cache, object) = slab->u.slab.free_first;
	slab->u.slab.free_first = index;
	slab->u.slab.used--;
}

/* --- making and freeing slabs --- */

/* Constructs the objects of a new slab and links them in rising order. */
static void
slab_make(struct qr_slab_cache *cache, struct qr_page *slab)
{
	/* Relaxed: any colour will do. */
	uint32_t turn = atomic_fetch_add_explicit(&cache->colour_turn, 1,
	    memory_order_relaxed);
	slab->u.slab.cache = cache;
	slab->u.slab.colour = turn % cache->colours * cache->colour_step;
	slab->u.slab.used = 0;
	slab->u.slab.free_first = 0;
	unsigned char *object = slab_base(cache, slab);
	for (uint32_t i = 0; i < cache->capacity; i++) {
		if (cache->construct != NULL)
			cache->construct(object);
		if (QR_CONFIG_HARD)
			qr_guard_init(cache, object);
		bool last = i + 1 == cache->capacity;
		*object_link(cache, object) =
		    last ? SLAB_INDEX_NIL : (uint16_t)(i + 1);
		object += cache->stride;
	}
}

void *
qr_carve_grow(struct qr_slab_cache *cache, qr_gfp_t gfp)
{
	struct qr_frames *frames = cache->slabs->frames;
	gfp &= ~(QR_GFP_ZERO | QR_GFP_USER | QR_GFP_RECLAIMABLE |
		 QR_GFP_HIGHMEM | QR_GFP_MOVABLE);
	if (cache->reclaimable)
		gfp |= QR_GFP_RECLAIMABLE;
	struct qr_page *slab =
	    qr_frame_alloc(frames, gfp, cache->order, QR_PAGE_SLAB);
	if (slab == NULL)
		return NULL;
	QR_ASSERT(qr_frame_pfn(frames, slab) % ((uint64_t)1 << cache->order) ==
		      0,
	    "block of order %u at pfn %llu", cache->order,
	    (unsigned long long)qr_frame_pfn(frames, slab));
	/* The direct map's place for the block is in use from here on. */
	(void)qr_frame_data(frames, slab);
	slab_make(cache, slab);
	void *object = slab_pop(cache, slab);

	qr_lock_acquire(cache->port, &cache->lock);
	cache->slab_count++;
	cache->taken++;
	slab_insert(cache, slab);
	SLAB_TRACE(cache, SLAB_GROW, cache, 1u << cache->order,
	    cache->slab_count);
	qr_lock_release(cache->port, &cache->lock);
	return object;
}

/* Takes an empty slab out of the cache and gives its frames back. */
static void
slab_free(struct qr_slab_cache *cache, struct qr_page *slab)
{
	slab_remove(cache, slab);
	cache->slab_count--;
	slab->u.slab.cache = NULL;
	SLAB_TRACE(cache, SLAB_FREE, cache, 1u << cache->order,
	    cache->slab_count);
	qr_frame_free(cache->slabs->frames, slab);
}

size_t
qr_carve_trim_locked(struct qr_slab_cache *cache, uint64_t keep)
{
	qr_lock_assert_held(cache->port, &cache->lock);
	size_t frames = 0;
	while (cache->empty_count > keep) {
		slab_free(cache, slab_at(cache, cache->first[SLAB_EMPTY]));
		frames += (size_t)1 << cache->order;
	}
	return frames;
}

/* --- taking and giving --- */

/* Takes up to count objects of one slab; returns how many. */
static size_t
slab_take(struct qr_slab_cache *cache, struct qr_page *slab, size_t count,
    void **objects)
{
	size_t want = qr_min(count, cache->capacity - slab->u.slab.used);
	slab_remove(cache, slab);
	for (size_t i = 0; i < want; i++)
		objects[i] = slab_pop(cache, slab);
	slab_insert(cache, slab);
	return want;
}

size_t
qr_carve_take_locked(struct qr_slab_cache *cache, size_t count, void **objects)
{
	qr_lock_assert_held(cache->port, &cache->lock);
	size_t got = 0;
	while (got < count) {
		struct qr_page *slab =
		    slab_at(cache, cache->first[SLAB_PARTIAL]);
		if (slab == NULL)
			slab = slab_at(cache, cache->first[SLAB_EMPTY]);
		if (slab == NULL)
			break;
		got += slab_take(cache, slab, count - got, objects + got);
	}
	cache->taken += got;
	return got;
}

static void
slab_give(struct qr_slab_cache *cache, void *object)
{
	struct qr_page *slab = slab_of(cache, object);
	enum slab_list before = slab_list_of(cache, slab);
	bool moves = before == SLAB_FULL || slab->u.slab.used == 1;
	if (!moves) {
		slab_push(cache, slab, object);
		return;
	}
	slab_remove(cache, slab);
	slab_push(cache, slab, object);
	slab_insert(cache, slab);
}

size_t
qr_carve_give_locked(struct qr_slab_cache *cache, size_t count, void **objects)
{
	qr_lock_assert_held(cache->port, &cache->lock);
	for (size_t i = 0; i < count; i++)
		slab_give(cache, objects[i]);
	cache->taken -= count;
	return qr_carve_trim_locked(cache,
	    1 + (cache->slab_count >> EMPTY_SHARE_SHIFT));
}

void *
qr_carve_take_one(struct qr_slab_cache *cache)
{
	void *object = NULL;
	qr_lock_acquire(cache->port, &cache->lock);
	(void)qr_carve_take_locked(cache, 1, &object);
	qr_lock_release(cache->port, &cache->lock);
	return object;
}

size_t
qr_carve_give_one(struct qr_slab_cache *cache, void *object)
{
	qr_lock_acquire(cache->port, &cache->lock);
	size_t frames = qr_carve_give_locked(cache, 1, &object);
	qr_lock_release(cache->port, &cache->lock);
	return frames;
}

/* --- checking --- */

/* [slab.2] for one slab: as many free objects are linked as are not taken. */
static void
check_slab(const struct qr_slab_cache *cache, const struct qr_page *slab)
{
	uint32_t free = 0;
	uint16_t index = slab->u.slab.free_first;
	while (index != SLAB_INDEX_NIL && free <= cache->capacity) {
		QR_ASSERT(index < cache->capacity,
		    "slab.2: cache %s: link %u of a slab of %u objects",
		    cache->name, index, cache->capacity);
		unsigned char *object =
		    slab_base(cache, slab) + (size_t)index * cache->stride;
		if (QR_CONFIG_HARD)
			qr_guard_check_free(cache, object);
		index = *object_link(cache, object);
		free++;
	}
	QR_ASSERT(free + slab->u.slab.used == cache->capacity,
	    "slab.2: cache %s: %u free and %u taken of %u", cache->name, free,
	    slab->u.slab.used, cache->capacity);
}

/* What the lists hold together. */
struct check_sums {
	uint64_t slabs;
	uint64_t empty;
	uint64_t taken; /* objects */
};

static void
check_list(const struct qr_slab_cache *cache, enum slab_list list,
    struct check_sums *sums)
{
	uint32_t before = QR_PFN_NIL;
	uint32_t pfn = cache->first[list];
	while (pfn != QR_PFN_NIL) {
		const struct qr_page *slab = slab_at(cache, pfn);
		QR_ASSERT(slab->u.slab.cache == (const void *)cache,
		    "slab.4: cache %s: slab at pfn %u of another", cache->name,
		    pfn);
		QR_ASSERT(slab->prev == before,
		    "slab.3: cache %s: slab at pfn %u after %u, not %u",
		    cache->name, pfn, slab->prev, before);
		QR_ASSERT(slab_list_of(cache, slab) == list,
		    "slab.3: cache %s: slab at pfn %u with %u taken on list %u",
		    cache->name, pfn, slab->u.slab.used, (unsigned)list);
		check_slab(cache, slab);
		sums->slabs++;
		sums->empty += list == SLAB_EMPTY;
		sums->taken += slab->u.slab.used;
		before = pfn;
		pfn = slab->next;
	}
}

void
qr_check_carve_locked(const struct qr_slab_cache *cache)
{
	qr_lock_assert_held(cache->port, &cache->lock);
	struct check_sums sums = { 0 };
	for (unsigned list = 0; list < SLAB_LISTS; list++)
		check_list(cache, (enum slab_list)list, &sums);
	QR_ASSERT(sums.slabs == cache->slab_count,
	    "slab.3: cache %s: %llu slabs", cache->name,
	    (unsigned long long)sums.slabs);
	QR_ASSERT(sums.empty == cache->empty_count,
	    "slab.3: cache %s: %llu empty", cache->name,
	    (unsigned long long)sums.empty);
	QR_ASSERT(sums.taken == cache->taken, "slab.1: cache %s: %llu taken",
	    cache->name, (unsigned long long)sums.taken);
}
