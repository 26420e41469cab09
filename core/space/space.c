/* SPDX-License-Identifier: MIT */
/*
 * space/space.c: address spaces: what may be at an address, what is there,
 * and how the one becomes the other.
 *
 * 1. Purpose
 *
 * A space promises memory to a program by address and keeps the promise at
 * the first touch, with fewer frames than it has promised. This folder decides
 * what a touch finds; when frames are to be had back is for reclaim/ to say.
 *
 * 2. Terms
 *
 * An area is a range with the same rights: what may be. An entry of the page
 * table says for one page what is: see table/pte.h. A page has a frame, or a
 * swap slot, or is known to be zero, or nobody has touched it. A mapping is
 * an entry that holds a frame, seen from the frame. A run is a row of
 * neighbours that go through the port in one call.
 *
 *	space -- areas (tree) -- rights and flags
 *	   |
 *	   +---- table -- entry --> frame --> page -- mapping(s) --> entry
 *	                       \--> slot --> swap/
 *
 * 3. States of an entry
 *
 *	             first touch               protect, sleep
 *	     none ----------------> present <------------------> resident
 *	      ^                      |   ^      wake, protect     |
 *	      |                evict |   | load                   | evict
 *	      |                      v   |                        |
 *	      +------------------- swapped, zero <----------------+
 *	        drop (from anywhere)
 *
 * Between any two of them the entry is busy, and who made it busy alone may
 * change it. A busy entry still shows its old value until its holder knows
 * the new one; the holder keeps no copy where a failure could need it.
 *
 * 4. Invariants
 *
 * [space.1] Areas are of whole pages, not empty, and do not overlap.
 * [space.2] Areas that touch differ in rights or flags.
 * [space.3] An entry that is not none lies in an area that is not foreign.
 * [space.4] An entry with a frame has a mapping of that frame's page, and the
 *	reverse, unless the entry is busy; refs of the page is the number of
 *	its mappings, and QR_PAGE_SHARED says that there are several. Cached
 *	pages: [cache.3].
 * [space.11] A view is in its object's tree as its area is in its space's; an
 *	entry that maps a cached page lies in a view of the page's object, at
 *	the page's number.
 * [space.5] A present entry grants nothing that its area does not.
 * [space.6] A page that a fork has shared is writable nowhere, and a cached
 *	one in no private area.
 * [space.7] A saved write bit is seen in busy entries only.
 * [space.8] A page that a pin covers is not evicted or put to sleep from the
 *	moment that qr_space_pin returns.
 * [space.9] An entry with a frame is marked locked if and only if its area is.
 *	The policy has on its lists the pages of which no mapping is locked,
 *	less those that an eviction holds.
 * [space.10] Counters are sums: commit_pages over areas that are charged, and
 *	a space's charged_pages over its own; user_pages over frames with a
 *	mapping, resident and swapped over the entries of a space.
 *
 * 5. Locks
 *
 * A space's lock is shared by touches and held exclusively by whoever changes
 * areas. Under it, an entry's busy bit is the entry's lock. So a touch holds
 * the lock shared and a claim or more; a mapping change holds the lock
 * exclusively, and then only evictions and ageing can be in its way, at
 * entries, and it waits for them.
 *
 * Evictions come from any thread: one that needs a frame, in the middle of
 * its own touch, or a background one. They find entries through the pages'
 * mappings under the page lock, never wait for one, and hold no space's lock
 * but perhaps, by accident, one that they shared before. Hence nobody who
 * waits for an entry waits in a circle:
 *
 *	who              holds                may wait for
 *	touch            space shared         an entry, before any claim
 *	                 and claims           frames, evicting others' pages
 *	mapping change   space exclusively    an entry
 *	eviction         claims, by trying    the device
 *
 * What an eviction may rely on without a space's lock: while it holds the
 * page lock, the mapping's entry exists, so its table node and its space do;
 * while it holds the claim, likewise. The mapping change that would free
 * them waits at the entry. After its last publish in a space the eviction
 * does not touch that space again.
 *
 * A page is put on the policy's lists after its mapping is made, while its
 * entry is still busy: picked at once, it is handed back. It leaves the lists
 * under the page lock before its entry dies. A page that an eviction could
 * not store goes back on the lists before its entry is published, for after
 * that it might be freed.
 *
 * 6. Order towards the machine
 *
 * Rights shrink first in the entry, then in the machine (mmu_freeze, mmu_drop,
 * mmu_protect), and only then is the frame put to other use or its contents
 * read. Rights grow first in what holds the contents, then in the entry.
 *
 *	map       frame, stage, mmu_map, mapping, lists, publish
 *	evict     claim, pins?, clear W, mmu_freeze, store, clear P, mmu_drop,
 *		  publish, free
 *	drop      claim, clear P, mmu_drop, unlink, publish, free
 *	copy      claim, stage, clear P, mmu_drop, mmu_map, exchange, publish
 *
 * 7. Failure
 *
 * A touch that finds no memory, even by evicting, returns -QR_ENOMEM with all
 * entries as they were; the public calls then drop their locks and ask the
 * port's oom(). Mapping changes take area structs, table nodes and the commit
 * charge first and cannot fail afterwards, but for a port that refuses
 * mmu_protect. Swapped contents that can't be read are -QR_EIO at the touch
 * of that page, and are never passed over as zeros.
 *
 * 8. Rejected
 *
 * Taking the space's lock in evictions: the thread that evicts may be in the
 * middle of a touch of the same space, and one lock would order all spaces.
 * The busy bit costs a compare-and-swap a page and needs no order.
 *
 * Handing pages that stay back to the caller, who puts them on the lists:
 * between publish and put-back they can be unmapped.
 *
 * A read-ahead that judges by density (are the pages before this one in?): in
 * a half-full area random touches look sequential half of the time. A few
 * words that remember where each stream will come next can't be fooled so.
 *
 * Keeping the slot of a loaded page, so that an unchanged page need not be
 * stored again: it doubles the memory of what is loaded. It can pay where
 * the slot lies on the device.
 *
 * 9. Reading
 *
 * space_impl.h, area.c, map.c and pages.c for what holds the lock exclusively;
 * fault.c, run.c and cow.c for touches; evict.c, age.c and pin.c for what
 * holds no space's lock; fork.c and rmap.c for shared pages; view.c and
 * view_fault.c for files and shared memory, shm.c and sysv.c for its names and
 * keys.
 */
#include "shm_impl.h"

#include "../base/check.h"

/* Pages that a first touch in a sequential stream brings in, if the config
 * does not say: at 16 the fault itself is a tenth of what a page costs. */
#define FAULT_AROUND_DEFAULT 16u

/* Layouts larger than this give their upper half to the kernel. */
#define SPACE_WHOLE_MAX ((qr_vaddr_t)1 << 32)

/* --- all spaces of a machine --- */

static const struct qr_geometry *
spaces_geometry(unsigned levels)
{
	switch (levels) {
	case 0:
	case 4:
		return &qr_geometry_4level;
	case 3:
		return &qr_geometry_3level;
	case 5:
		return &qr_geometry_5level;
	default:
		return NULL;
	}
}

static int
spaces_make_caches(struct qr_spaces *spaces)
{
	const struct {
		struct qr_slab_cache **cache;
		struct qr_slab_config config;
	} wanted[] = {
		{ &spaces->space_cache,
		    { .name = "space",
			.size_bytes = sizeof(struct qr_space) } },
		{ &spaces->area_cache, { .name = "area",
					   .size_bytes = sizeof(struct qr_area),
					   .align = 64 } },
		{ &spaces->mapping_cache,
		    { .name = "mapping",
			.size_bytes = sizeof(struct qr_mapping) } },
		{ &spaces->view_cache, { .name = "view",
					   .size_bytes = sizeof(struct qr_view),
					   .align = 64 } },
		{ &spaces->shm.name_cache,
		    { .name = "shared name",
			.size_bytes = sizeof(struct qr_shm_name) } },
		{ &spaces->shm.segment_cache,
		    { .name = "shared segment",
			.size_bytes = sizeof(struct qr_segment) } },
	};
	for (size_t i = 0; i < QR_COUNT_OF(wanted); i++) {
		*wanted[i].cache =
		    qr_slab_create(spaces->slabs, &wanted[i].config);
		if (*wanted[i].cache == NULL)
			return -QR_ENOMEM;
	}
	return 0;
}

static void
spaces_free_caches(struct qr_spaces *spaces)
{
	struct qr_slab_cache *caches[] = { spaces->space_cache,
		spaces->area_cache, spaces->mapping_cache, spaces->view_cache,
		spaces->shm.name_cache, spaces->shm.segment_cache };
	for (size_t i = 0; i < QR_COUNT_OF(caches); i++) {
		if (caches[i] != NULL)
			qr_slab_destroy(caches[i]);
	}
}

/* A power of two, so that windows can be aligned. */
static unsigned
spaces_fault_around(unsigned wanted)
{
	if (wanted == 0)
		return FAULT_AROUND_DEFAULT;
	return 1u << qr_bit_highest(qr_min(wanted, QR_STAGE_PAGES));
}

int
qr_spaces_init(struct qr_spaces *spaces, struct qr_frames *frames,
    struct qr_slabs *slabs, struct qr_swap *swap,
    const struct qr_machine_config *config)
{
	const struct qr_geometry *geometry = spaces_geometry(config->levels);
	if (geometry == NULL)
		return -QR_EINVAL;
	__builtin_memset(spaces, 0, sizeof(*spaces));
	spaces->port = qr_frame_port(frames);
	spaces->frames = frames;
	spaces->slabs = slabs;
	spaces->swap = swap;
	spaces->geometry = geometry;
	spaces->overcommit = config->overcommit;
	spaces->commit_pages_max = config->commit_pages_max;
	spaces->user_pages_max = config->user_pages_max;
	spaces->fault_around = spaces_fault_around(config->fault_around);
	spaces->evict_by_touchers = config->evict_by_touchers;
	qr_lock_init(&spaces->list_lock, QR_RANK_MACHINE);
	qr_list_init(&spaces->list);
	qr_lock_init(&spaces->page_lock, QR_RANK_LRU);
	for (unsigned i = 0; i < QR_CPUS_MAX; i++) {
		qr_lock_init(&spaces->stage_lock[i], QR_RANK_STAGE);
		qr_lock_init(&spaces->peek_lock[i], QR_RANK_PEEK);
	}
	int error = spaces_make_caches(spaces);
	if (error == 0)
		error = qr_cache_init(&spaces->cache, frames, slabs, swap);
	if (error != 0) {
		spaces_free_caches(spaces);
		return error;
	}
	qr_cache_set_ops(&spaces->cache, &qr_view_cache_ops, spaces);
	qr_shm_init(spaces);
	spaces->signature = QR_SPACES_SIGNATURE;
	return 0;
}

void
qr_spaces_fini(struct qr_spaces *spaces)
{
	QR_ASSERT(spaces->signature == QR_SPACES_SIGNATURE,
	    "spaces have signature 0x%x", spaces->signature);
	QR_ASSERT(qr_list_empty(&spaces->list), "a space is still alive");
	spaces->signature = 0;
	qr_spaces_end_shared(spaces);
	qr_cache_fini(&spaces->cache);
	spaces_free_caches(spaces);
}

void
qr_spaces_set_ops(struct qr_spaces *spaces, const struct qr_space_ops *ops,
    void *ctx)
{
	spaces->ops = ops;
	spaces->ops_ctx = ctx;
}

/* --- one space --- */

/* Makes the parts of a zeroed space. */
static void
space_init(struct qr_space *space, struct qr_spaces *spaces)
{
	space->spaces = spaces;
	qr_list_init(&space->link);
	qr_rwlock_init(&space->lock, QR_RANK_SPACE);
	qr_lock_init(&space->pin_lock, QR_RANK_PIN);
	qr_areas_init(space);
	qr_vaddr_t end = qr_geometry_end(spaces->geometry);
	space->end = end > SPACE_WHOLE_MAX ? end / 2 : end;
	qr_calls_init(space);
}

static void
space_register(struct qr_space *space)
{
	struct qr_spaces *spaces = space->spaces;
	qr_lock_acquire(spaces->port, &spaces->list_lock);
	space->tag = ++spaces->tag_next;
	qr_list_push_back(&spaces->list, &space->link);
	qr_lock_release(spaces->port, &spaces->list_lock);
}

static void
space_unregister(struct qr_space *space)
{
	struct qr_spaces *spaces = space->spaces;
	qr_lock_acquire(spaces->port, &spaces->list_lock);
	qr_list_remove(&space->link);
	qr_lock_release(spaces->port, &spaces->list_lock);
}

int
qr_space_new(struct qr_spaces *spaces, struct qr_space **out)
{
	const struct qr_port *port = spaces->port;
	struct qr_space *space =
	    qr_slab_alloc(spaces->space_cache, QR_GFP_KERNEL);
	if (space == NULL)
		return -QR_ENOMEM;
	__builtin_memset(space, 0, sizeof(*space));
	space_init(space, spaces);
	int error =
	    qr_table_init(&space->table, spaces->frames, spaces->geometry);
	if (error != 0)
		goto undo_space;
	space_register(space);
	error = port->ops->mm_create(port->ctx,
	    qr_frame_pfn(spaces->frames, space->table.root), space->tag,
	    &space->mm);
	if (error != 0)
		goto undo_table;
	space->signature = QR_SPACE_SIGNATURE;
	*out = space;
	return 0;

undo_table:
	space_unregister(space);
	qr_table_fini(&space->table);
undo_space:
	qr_slab_free(spaces->space_cache, space);
	return error;
}

void
qr_space_destroy(struct qr_space *space)
{
	struct qr_spaces *spaces = space->spaces;
	const struct qr_port *port = spaces->port;
	struct qr_area_spares none = { .count = 0 };
	QR_ASSERT(space->pins == NULL, "space %p has a pin", (void *)space);
	qr_space_lock(space);
	qr_map_clear(space, 0, space->end, &none, 0);
	qr_space_unlock(space);
	space_unregister(space);
	space->signature = 0;
	port->ops->mm_destroy(port->ctx, space->mm);
	qr_table_fini(&space->table);
	qr_slab_free(spaces->space_cache, space);
}

void *
qr_space_mm(const struct qr_space *space)
{
	return space->mm;
}

void
qr_space_lock(struct qr_space *space)
{
	qr_rwlock_acquire(space->spaces->port, &space->lock);
}

void
qr_space_unlock(struct qr_space *space)
{
	qr_rwlock_release(space->spaces->port, &space->lock);
}

void
qr_space_stat(struct qr_space *space, struct qr_space_stat *stat)
{
	const struct qr_port *port = space->spaces->port;
	qr_rwlock_share(port, &space->lock);
	/* Relaxed: counts that may be moving. */
	*stat = (struct qr_space_stat){
		.areas = space->area_count,
		.virtual_pages = space->virtual_pages,
		.resident_pages = atomic_load_explicit(&space->resident,
		    memory_order_relaxed),
		.swapped_pages =
		    atomic_load_explicit(&space->swapped, memory_order_relaxed),
		.locked_pages = space->locked_pages,
	};
	qr_rwlock_unshare(port, &space->lock);
}
