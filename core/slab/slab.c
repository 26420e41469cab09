/* SPDX-License-Identifier: MIT */
/*
 * slab/slab.c: object caches: slabs, a depot of magazines, a layer per CPU.
 *
 * 1. Purpose
 *
 * The core allocates few kinds of things, each many times: areas, spaces,
 * mappings, slots. A cache hands out objects of one kind from frames of the
 * direct map. It costs a few nanoseconds where the same CPU frees and
 * allocates again, little memory beside the objects, and gives frames back
 * when the objects are gone. The scheme is Bonwick's, of 1994 for the slabs
 * and of 2001 for the magazines; what differs stands in part 8.
 *
 * 2. Terms and picture
 *
 * A slab is a block of 1 to 8 frames, carved into objects of one cache. A
 * magazine is an array of free objects, its rounds. The depot is a cache's
 * stock of full and of empty magazines.
 *
 *	            CPU 0               CPU 1         (busy word each)
 *	      loaded  previous    loaded  previous
 *	      [oooo..] [      ]   [o.....] [oooooo]       magazine.c
 *	         ^  |                |  ^
 *	         |  v                v  |
 *	      ---------------- depot ----------------  (cache's lock, like
 *	       full: [oooooo] [oooooo]    empty: [      ]    the slabs below)
 *	         ^  |                                     magazine.c
 *	         |  v
 *	       empty  -> |........|                       carve.c
 *	       partial-> |ooo..o.o|  |o.......|
 *	       full   -> |oooooooo|
 *	         ^  |
 *	         |  v
 *	       frame/
 *
 * 3. States of an object, and what each promises
 *
 *	             carve_grow        reload             alloc
 *	frame/  ---------------> free ---------> round ----------> used
 *	        <---------------      <---------       <----------
 *	             trim           unload, flush          free
 *
 *	free    on its slab's list. As constructed, but for the link, which
 *	        lies in the object only if there is no constructor.
 *	round   in a magazine. As constructed; nobody reads or writes it.
 *	used    the caller's. It comes back as constructed.
 *
 * A constructor runs when the slab is made, without any lock, once for each
 * object. There is no destructor: what a constructor sets up is fields.
 *
 * 4. Invariants
 *
 * [slab.1] An object is in one place: used, in one magazine, or on its slab's
 *	list. cache->taken is the sum of u.slab.used, and that of the first
 *	two.
 * [slab.2] u.slab.used plus the length of the list that begins at
 *	u.slab.free_first is the cache's capacity.
 * [slab.3] A slab is on the cache's empty, partial or full list as its used
 *	count says; next and prev agree.
 * [slab.4] A slab is a block that is aligned to its size; the head's
 *	descriptor has kind QR_PAGE_SLAB and names the cache. Its objects begin
 *	at u.slab.colour and then every stride bytes.
 * [slab.5] A magazine in the depot, and a CPU's previous, is full or empty.
 *	At most depot_full_max full ones are kept.
 * [slab.6] Hard builds: bytes between an object and the next are as they were
 *	made, its guard says free or used and is right, and what it contains
 *	while free does not change.
 *
 * 5. Concurrency
 *
 * A CPU's magazines are guarded by a busy word (base/busy.h): who finds it
 * set goes to the slabs and takes the cache's lock. A thread that is killed
 * inside thus costs its CPU the magazines, and nobody stands still. The
 * number of the CPU is a hint; two threads of one number collide at worst.
 *
 * The cache's lock guards depot and slabs. It is not held, nor is any CPU
 * busy, while a slab is asked of frame/: that may reclaim, and reclaim frees
 * objects and shrinks caches, this one too. Magazines are asked for with gfp
 * 0, inside the CPU, and frame/ then only takes locks of higher rank.
 *
 * Order: list of caches, a cache, frame/'s. A cache of magazines has a lock
 * of the same rank, so it is not used while another cache's is held.
 *
 * 6. Memory
 *
 * Per object: stride minus size. Two bytes of it are the link if there is a
 * constructor (the alignment often has them to spare), 32 to 39 are the
 * guard's in hard builds. Per slab: 32 bytes a frame that frame/ pays anyway,
 * and at most an eighth that does not divide, or the least there is; it is
 * spent on colours, so that equal objects of different slabs do not fall into
 * the same sets of the hardware's caches. Per cache and CPU: 64 bytes, and
 * two magazines of 32 to 512 bytes from its first use on. Empty slabs beyond
 * one and a sixteenth of all go back to frame/ at once; shrink gives all of
 * them, after emptying every magazine.
 *
 * The first frame of all holds struct qr_slabs, with the caches from which
 * caches and magazines come. These four have no CPU layer, so that no
 * allocation needs another one of its own kind.
 *
 * Caches that allow it and whose objects are laid out the same are one cache
 * (may_merge): fewer slabs that are partly full. Objects of any size come from
 * such caches, one for each size class of base/size_class.h (kmalloc.c). What
 * the depot was never short of from one reap to the next is not needed, and
 * reap gives it back.
 *
 * 7. Failure
 *
 * Only a new slab, and in qr_slab_create the cache itself, can be refused. No
 * magazine: slower, not refused. A broken invariant panics with the cache's
 * name and the object. Every build finds an object freed twice in a row, one
 * that is of another cache or starts elsewhere, when it reaches its slab; a
 * hard build finds each of these at once, and any double free, overrun by a
 * byte, and write after free when the object is next looked at.
 *
 * 8. Rejected
 *
 * A bitmap of free objects in the slab: keeps links out of objects, but lies
 * at the same place of each frame, where colouring can't reach, and is one
 * more line to touch. A hash from object to slab (1994): blocks are aligned.
 * A qr_lock for each CPU: 9 ns an operation instead of 6, and sleepers behind
 * a preempted thread. A compare-and-swap of two words, as in SLUB: hypervisors
 * exist that cannot emulate it. Depots that change their magazines' size
 * under contention (2001): with a bound on what is kept there is nothing to
 * tune yet. Destructors and moving objects: nobody needs them.
 *
 * 9. Reading
 *
 * slab.h, slab_impl.h (struct qr_slab_cache is the picture again), this file,
 * magazine.c, carve.c, guard.c. Bonwick, "The Slab Allocator", USENIX 1994;
 * Bonwick and Adams, "Magazines and Vmem", USENIX 2001.
 */
#include "../base/bits.h"
#include "../base/check.h"
#include "slab_impl.h"

/* --- objects --- */

/* Two atomics, five branches, three cache lines where the CPU has a round. */
void *
qr_slab_alloc(struct qr_slab_cache *cache, qr_gfp_t gfp)
{
	void *object;
	struct qr_slab_cpu *cpu = &cache->cpu[qr_port_cpu(cache->port)];
	if (QR_LIKELY(qr_busy_try_enter(&cpu->busy))) {
		if (QR_LIKELY(cpu->count > 0))
			object = cpu->loaded->rounds[--cpu->count];
		else
			object = qr_magazine_reload(cache, cpu);
		qr_busy_leave(&cpu->busy);
	} else {
		object = qr_carve_take_one(cache);
	}
	if (QR_UNLIKELY(object == NULL))
		object = qr_carve_grow(cache, gfp);
	if (QR_CONFIG_HARD && object != NULL)
		qr_guard_on_alloc(cache, object, __builtin_return_address(0));
	return object;
}

/* As above. */
void
qr_slab_free(struct qr_slab_cache *cache, void *object)
{
	if (QR_CONFIG_HARD)
		qr_guard_on_free(cache, object, __builtin_return_address(0));
	struct qr_slab_cpu *cpu = &cache->cpu[qr_port_cpu(cache->port)];
	if (QR_UNLIKELY(!qr_busy_try_enter(&cpu->busy))) {
		(void)qr_carve_give_one(cache, object);
		return;
	}
	bool room = QR_LIKELY(cpu->count < cpu->room) ||
		    qr_magazine_make_room(cache, cpu);
	if (QR_LIKELY(room)) {
		void **top = &cpu->loaded->rounds[cpu->count++];
		QR_ASSERT(cpu->count == 1 || top[-1] != object,
		    "slab.1: cache %s: object %p freed twice", cache->name,
		    object);
		*top = object;
	}
	qr_busy_leave(&cpu->busy);
	if (QR_UNLIKELY(!room))
		(void)qr_carve_give_one(cache, object);
}

int
qr_slab_alloc_bulk(struct qr_slab_cache *cache, qr_gfp_t gfp, size_t count,
    void **objects)
{
	for (size_t i = 0; i < count; i++) {
		objects[i] = qr_slab_alloc(cache, gfp);
		if (objects[i] != NULL)
			continue;
		while (i-- > 0)
			qr_slab_free(cache, objects[i]);
		return -QR_ENOMEM;
	}
	return 0;
}

/* --- caches --- */

static size_t
name_length(const char *name)
{
	size_t length = 0;
	while (name[length] != '\0')
		length++;
	return length;
}

static void
config_check(const struct qr_slab_config *config)
{
	size_t length = name_length(config->name);
	QR_ASSERT(length <= SLAB_NAME_MAX, "cache %s: name of %zu characters",
	    config->name, length);
	QR_ASSERT(config->size_bytes >= 1, "cache %s: objects of no size",
	    config->name);
	QR_ASSERT(config->size_bytes <= SLAB_SIZE_MAX,
	    "cache %s: objects of %zu bytes", config->name, config->size_bytes);
	QR_ASSERT(config->align == 0 || qr_is_pow2(config->align),
	    "cache %s: alignment %zu", config->name, config->align);
	QR_ASSERT(config->align <= SLAB_ALIGN_MAX, "cache %s: alignment %zu",
	    config->name, config->align);
}

/* Bytes of a cache with the CPU layer behind it. */
static size_t
cache_bytes(const struct qr_port *port)
{
	return qr_round_up(sizeof(struct qr_slab_cache), 64) +
	       port->cpu_count * sizeof(struct qr_slab_cpu);
}

/* A cache that this one may be the same as, with one user more; or NULL. */
static struct qr_slab_cache *
cache_merge(struct qr_slabs *slabs, const struct qr_slab_config *config)
{
	struct qr_slab_cache want = { 0 };
	struct qr_list *node;
	if (!config->may_merge)
		return NULL;
	qr_carve_init(&want, slabs, config);
	if (!want.may_merge)
		return NULL;
	qr_lock_acquire(slabs->port, &slabs->lock);
	qr_list_for_each (node, &slabs->list) {
		struct qr_slab_cache *cache =
		    QR_CONTAINER(node, struct qr_slab_cache, node);
		if (cache->may_merge && cache->stride == want.stride &&
		    cache->align == want.align &&
		    cache->reclaimable == want.reclaimable) {
			cache->users++;
			qr_lock_release(slabs->port, &slabs->lock);
			return cache;
		}
	}
	qr_lock_release(slabs->port, &slabs->lock);
	return NULL;
}

struct qr_slab_cache *
qr_slab_create_gfp(struct qr_slabs *slabs, const struct qr_slab_config *config,
    qr_gfp_t gfp)
{
	config_check(config);
	struct qr_slab_cache *merged = cache_merge(slabs, config);
	if (merged != NULL)
		return merged;
	unsigned char *bytes = qr_carve_take_one(&slabs->caches);
	if (bytes == NULL)
		bytes = qr_carve_grow(&slabs->caches, gfp);
	if (bytes == NULL)
		return NULL;
	if (QR_CONFIG_HARD)
		qr_guard_on_alloc(&slabs->caches, bytes, NULL);
	__builtin_memset(bytes, 0, cache_bytes(slabs->port));

	struct qr_slab_cache *cache = (struct qr_slab_cache *)(void *)bytes;
	size_t offset = qr_round_up(sizeof(struct qr_slab_cache), 64);
	qr_carve_init(cache, slabs, config);
	qr_magazine_init(cache, (struct qr_slab_cpu *)(void *)(bytes + offset));
	cache->signature = SLAB_SIGNATURE;
	qr_lock_acquire(slabs->port, &slabs->lock);
	qr_list_push_front(&slabs->list, &cache->node);
	qr_lock_release(slabs->port, &slabs->lock);
	return cache;
}

struct qr_slab_cache *
qr_slab_create(struct qr_slabs *slabs, const struct qr_slab_config *config)
{
	return qr_slab_create_gfp(slabs, config, QR_GFP_KERNEL);
}

/* Empties a cache of which nobody has an object, and nobody uses it. */
static void
cache_drain(struct qr_slab_cache *cache)
{
	(void)qr_magazine_flush(cache);
	QR_ASSERT(cache->taken == 0,
	    "slab.1: cache %s has %llu objects at its end", cache->name,
	    (unsigned long long)cache->taken);
	qr_lock_acquire(cache->port, &cache->lock);
	(void)qr_carve_trim_locked(cache, 0);
	qr_lock_release(cache->port, &cache->lock);
	cache->signature = 0;
}

void
qr_slab_destroy(struct qr_slab_cache *cache)
{
	struct qr_slabs *slabs = cache->slabs;
	qr_lock_acquire(slabs->port, &slabs->lock);
	bool is_last = --cache->users == 0;
	if (is_last)
		qr_list_remove(&cache->node);
	qr_lock_release(slabs->port, &slabs->lock);
	if (!is_last)
		return;
	cache_drain(cache);
	if (QR_CONFIG_HARD)
		qr_guard_on_free(&slabs->caches, cache, NULL);
	(void)qr_carve_give_one(&slabs->caches, cache);
}

/* --- all caches --- */

/* One of the caches that are part of struct qr_slabs. */
static void
slabs_add(struct qr_slabs *slabs, struct qr_slab_cache *cache, const char *name,
    size_t size_bytes, size_t align)
{
	const struct qr_slab_config config = {
		.name = name,
		.size_bytes = size_bytes,
		.align = align,
	};
	config_check(&config);
	qr_carve_init(cache, slabs, &config);
	cache->signature = SLAB_SIGNATURE;
	qr_list_push_back(&slabs->list, &cache->node);
}

struct qr_slabs *
qr_slab_start(struct qr_frames *frames)
{
	struct qr_page *page =
	    qr_frame_alloc(frames, QR_GFP_ZERO, 0, QR_PAGE_KERNEL);
	if (page == NULL)
		return NULL;
	struct qr_slabs *slabs = qr_frame_data(frames, page);
	slabs->frames = frames;
	slabs->port = qr_frame_port(frames);
	slabs->direct_map =
	    (unsigned char *)slabs - qr_frame_pfn(frames, page) * QR_PAGE_SIZE;
	slabs->page = page;
	qr_lock_init(&slabs->lock, QR_RANK_SLABS);
	qr_list_init(&slabs->list);
	slabs_add(slabs, &slabs->caches, "slab cache", cache_bytes(slabs->port),
	    64);
	slabs_add(slabs, &slabs->magazines[0], "magazine, large",
	    qr_magazine_bytes(0), 64);
	slabs_add(slabs, &slabs->magazines[1], "magazine, middle",
	    qr_magazine_bytes(1), 64);
	slabs_add(slabs, &slabs->magazines[2], "magazine, small",
	    qr_magazine_bytes(2), 32);
	slabs->signature = SLABS_SIGNATURE;
	return slabs;
}

void
qr_slab_stop(struct qr_slabs *slabs)
{
	qr_check_slabs(slabs, QR_CHECK_SIGNATURE);
	struct qr_slab_cache *first = QR_CONTAINER(qr_list_first(&slabs->list),
	    struct qr_slab_cache, node);
	QR_ASSERT(first == &slabs->caches, "cache %s was not destroyed",
	    first->name);
	for (unsigned i = 0; i < MAGAZINE_SIZES; i++)
		cache_drain(&slabs->magazines[i]);
	cache_drain(&slabs->caches);
	slabs->signature = 0;
	qr_frame_free(slabs->frames, slabs->page);
}

size_t
qr_slab_shrink(struct qr_slab_cache *cache)
{
	size_t frames = qr_magazine_flush(cache);
	qr_lock_acquire(cache->port, &cache->lock);
	frames += qr_carve_trim_locked(cache, 0);
	qr_lock_release(cache->port, &cache->lock);
	return frames;
}

size_t
qr_slab_shrink_all(struct qr_slabs *slabs)
{
	size_t frames = 0;
	struct qr_list *node;
	qr_lock_acquire(slabs->port, &slabs->lock);
	/* The caches of magazines come last, when the others have given theirs
	 * back. */
	qr_list_for_each (node, &slabs->list)
		frames += qr_slab_shrink(
		    QR_CONTAINER(node, struct qr_slab_cache, node));
	qr_lock_release(slabs->port, &slabs->lock);
	return frames;
}

size_t
qr_slab_reap(struct qr_slab_cache *cache)
{
	size_t frames = qr_magazine_reap(cache);
	qr_lock_acquire(cache->port, &cache->lock);
	frames += qr_carve_trim_locked(cache, 0);
	qr_lock_release(cache->port, &cache->lock);
	return frames;
}

size_t
qr_slab_reap_all(struct qr_slabs *slabs)
{
	size_t frames = 0;
	struct qr_list *node;
	qr_lock_acquire(slabs->port, &slabs->lock);
	qr_list_for_each (node, &slabs->list)
		frames += qr_slab_reap(
		    QR_CONTAINER(node, struct qr_slab_cache, node));
	qr_lock_release(slabs->port, &slabs->lock);
	return frames;
}

/* --- looking --- */

static void
cache_stat(struct qr_slab_cache *cache, struct qr_slab_stat *stat)
{
	uint64_t stock = qr_magazine_stock(cache);
	size_t length = name_length(cache->name);
	__builtin_memset(stat, 0, sizeof(*stat));
	__builtin_memcpy(stat->name, cache->name, length);
	stat->size_bytes = cache->size_bytes;
	stat->reclaimable = cache->reclaimable;
	stat->object_bytes = cache->stride;
	stat->objects_per_slab = cache->capacity;
	stat->pages_per_slab = (uint32_t)1 << cache->order;
	stat->magazine_rounds = cache->rounds;
	stat->objects_cached = stock;
	stat->slabs_made = atomic_load_explicit(&cache->colour_turn,
	    memory_order_relaxed); /* Relaxed: a statistic. */
	stat->users = cache->users;
	qr_lock_acquire(cache->port, &cache->lock);
	/* What moved into magazines since they were counted is no use. */
	stat->objects_used = cache->taken > stock ? cache->taken - stock : 0;
	stat->objects_total = cache->slab_count * cache->capacity;
	stat->slabs = cache->slab_count;
	stat->pages = cache->slab_count << cache->order;
	stat->slabs_active = cache->slab_count - cache->empty_count;
	qr_lock_release(cache->port, &cache->lock);
	stat->used_bytes = stat->objects_used * cache->size_bytes;
	stat->held_bytes = stat->pages * QR_PAGE_SIZE;
}

size_t
qr_slab_stat(struct qr_slabs *slabs, struct qr_slab_stat *stats, size_t max)
{
	size_t count = 0;
	struct qr_list *node;
	qr_lock_acquire(slabs->port, &slabs->lock);
	qr_list_for_each (node, &slabs->list) {
		if (count < max)
			cache_stat(QR_CONTAINER(node, struct qr_slab_cache,
				       node),
			    &stats[count]);
		count++;
	}
	qr_lock_release(slabs->port, &slabs->lock);
	return count;
}

void
qr_slab_sum(struct qr_slabs *slabs, struct qr_slab_sums *sums)
{
	struct qr_list *node;
	*sums = (struct qr_slab_sums){ 0 };
	qr_lock_acquire(slabs->port, &slabs->lock);
	qr_list_for_each (node, &slabs->list) {
		struct qr_slab_stat stat;
		cache_stat(QR_CONTAINER(node, struct qr_slab_cache, node),
		    &stat);
		if (stat.reclaimable)
			sums->pages_reclaimable += stat.pages;
		else
			sums->pages_unreclaimable += stat.pages;
		sums->objects_used += stat.objects_used;
		sums->objects_total += stat.objects_total;
		sums->used_bytes += stat.used_bytes;
	}
	qr_lock_release(slabs->port, &slabs->lock);
}

static void
cache_check(struct qr_slab_cache *cache)
{
	QR_ASSERT(cache->signature == SLAB_SIGNATURE,
	    "cache %p has signature 0x%x", (void *)cache, cache->signature);
	qr_check_magazines(cache);
	uint64_t stock = qr_magazine_stock(cache);
	qr_lock_acquire(cache->port, &cache->lock);
	qr_check_carve_locked(cache);
	QR_ASSERT(stock <= cache->taken,
	    "slab.1: cache %s: %llu objects in magazines, %llu taken",
	    cache->name, (unsigned long long)stock,
	    (unsigned long long)cache->taken);
	qr_lock_release(cache->port, &cache->lock);
}

void
qr_check_slabs(struct qr_slabs *slabs, enum qr_check_depth depth)
{
	QR_ASSERT(slabs->signature == SLABS_SIGNATURE,
	    "slabs %p have signature 0x%x", (void *)slabs, slabs->signature);
	if (depth != QR_CHECK_CHILDREN)
		return;
	struct qr_list *node;
	qr_lock_acquire(slabs->port, &slabs->lock);
	qr_list_for_each (node, &slabs->list)
		cache_check(QR_CONTAINER(node, struct qr_slab_cache, node));
	qr_lock_release(slabs->port, &slabs->lock);
}
