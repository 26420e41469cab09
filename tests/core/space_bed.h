/* SPDX-License-Identifier: MIT */
/*
 * space_bed.h: address spaces on the simulated machine with a first-in,
 * first-out policy, and without the folders above: reclaim evicts the oldest
 * pages. Includes alloc_fail.h, so its tests are linked as that says.
 */
#ifndef TEST_CORE_SPACE_BED_H
#define TEST_CORE_SPACE_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "core/space/space_impl.h"
#include "random.h"
#include "rig.h"
#include "sparse_codec.h"

#define BED_BASE ((qr_vaddr_t)0x10000000)

/* --- the bed --- */

struct bed {
	struct rig rig;
	struct qr_slabs *slabs;
	struct qr_swap *swap;
	struct qr_spaces spaces;
	uint32_t oldest; /* the policy's list, by pfn */
	uint32_t newest;
	size_t listed;
	bool threads;           /* several run */
	size_t touched;         /* page_touched calls */
	size_t stayed;          /* page_stays calls */
	uint64_t distance_last; /* that page_in was told */
	struct test_random random;
};

struct bed_config {
	uint64_t ram_bytes;
	uint64_t swap_pages;
	unsigned sim_flags;
	unsigned cpus;
	struct qr_machine_config machine;
};

static inline struct qr_page *
bed_page(const struct bed *bed, uint32_t pfn)
{
	return qr_frame_page(bed->rig.frames, pfn);
}

/* Adds the page as the newest. */
static inline void
bed_list_push(struct bed *bed, struct qr_page *page)
{
	uint32_t pfn = (uint32_t)qr_frame_pfn(bed->rig.frames, page);
	assert_int_equal(page->flags & QR_PAGE_LRU_MASK, 0);
	page->flags |= 1;
	page->next = QR_PFN_NIL;
	page->prev = bed->newest;
	if (bed->newest == QR_PFN_NIL)
		bed->oldest = pfn;
	else
		bed_page(bed, bed->newest)->next = pfn;
	bed->newest = pfn;
	bed->listed++;
}

static inline void
bed_list_remove(struct bed *bed, struct qr_page *page)
{
	assert_int_equal(page->flags & QR_PAGE_LRU_MASK, 1);
	page->flags &= (uint8_t)~QR_PAGE_LRU_MASK;
	if (page->prev == QR_PFN_NIL)
		bed->oldest = page->next;
	else
		bed_page(bed, page->prev)->next = page->next;
	if (page->next == QR_PFN_NIL)
		bed->newest = page->prev;
	else
		bed_page(bed, page->next)->prev = page->prev;
	page->next = QR_PFN_NIL;
	page->prev = QR_PFN_NIL;
	bed->listed--;
}

static inline void
bed_page_in(void *ctx, struct qr_page *page, uint64_t distance)
{
	struct bed *bed = ctx;
	bed->distance_last = distance;
	bed_list_push(bed, page);
}

static inline void
bed_page_touched(void *ctx, struct qr_page *page)
{
	struct bed *bed = ctx;
	(void)page;
	bed->touched++;
}

static inline void
bed_page_gone(void *ctx, struct qr_page *page)
{
	bed_list_remove(ctx, page);
}

static inline void
bed_page_stays(void *ctx, struct qr_page *page)
{
	struct bed *bed = ctx;
	struct qr_rmap_cursor cursor = { 0 };
	struct qr_rmap_place place;
	/* Alone, the only claims are this eviction's own: they must last
	 * until the page is on a list again. */
	while (!bed->threads && !qr_page_is_cached(page) &&
	       qr_rmap_step(page, &cursor, &place))
		assert_true(qr_pte_is_busy(qr_pte_read(
		    qr_table_find(&place.space->table, place.address))));
	bed->stayed++;
	bed_list_push(bed, page);
}

/* Evicts the oldest pages, up to count; returns how many went. */
static inline size_t
bed_evict(struct bed *bed, size_t count, int *error)
{
	struct qr_page *pages[QR_EVICT_MAX];
	size_t picked = 0;
	qr_lock_acquire(bed->rig.port, &bed->spaces.page_lock);
	while (picked < count && picked < QR_EVICT_MAX &&
	       bed->oldest != QR_PFN_NIL) {
		pages[picked] = bed_page(bed, bed->oldest);
		bed_list_remove(bed, pages[picked]);
		picked++;
	}
	return qr_spaces_evict(&bed->spaces, pages, picked, error);
}

static inline int
bed_space_reclaim(void *ctx, size_t want)
{
	int error;
	return bed_evict(ctx, want, &error) > 0 ? 0 : -QR_ENOMEM;
}

static inline int
bed_frame_reclaim(void *ctx, qr_gfp_t gfp, size_t want)
{
	(void)gfp;
	return bed_space_reclaim(ctx, want < 16 ? 16 : want);
}

static inline void
bed_frame_low(void *ctx)
{
	(void)ctx;
}

static const struct qr_space_ops bed_space_ops = {
	.page_in = bed_page_in,
	.page_touched = bed_page_touched,
	.page_gone = bed_page_gone,
	.page_stays = bed_page_stays,
	.reclaim = bed_space_reclaim,
};

static const struct qr_frame_ops bed_frame_ops = {
	.reclaim = bed_frame_reclaim,
	.low = bed_frame_low,
};

static inline struct bed *
bed_create(const struct bed_config *config)
{
	struct bed *bed = calloc(1, sizeof(*bed));
	assert_non_null(bed);
	const struct sim_config sim = {
		.ram_bytes = config->ram_bytes,
		.swap_pages = config->swap_pages,
		.flags = config->sim_flags,
		.cpus = config->cpus,
		.levels = config->machine.levels,
	};
	const struct qr_frame_config frame = { .min_free_pages = 8 };
	const struct qr_swap_config swap = { .codec = &sparse_codec };
	bed->rig.sim = sim_create(&sim);
	assert_non_null(bed->rig.sim);
	bed->rig.port = sim_port(bed->rig.sim);
	assert_int_equal(qr_boot_init(&bed->rig.boot, bed->rig.port), 0);
	assert_int_equal(qr_frame_create(bed->rig.port, &bed->rig.boot, &frame,
			     &bed->rig.frames),
	    0);
	bed->slabs = qr_slab_start(bed->rig.frames);
	assert_non_null(bed->slabs);
	assert_int_equal(qr_swap_create(bed->rig.frames, bed->slabs, &swap,
			     &bed->swap),
	    0);
	assert_int_equal(qr_spaces_init(&bed->spaces, bed->rig.frames,
			     bed->slabs, bed->swap, &config->machine),
	    0);
	bed->threads = (config->sim_flags & SIM_THREADS) != 0;
	bed->oldest = QR_PFN_NIL;
	bed->newest = QR_PFN_NIL;
	qr_spaces_set_ops(&bed->spaces, &bed_space_ops, bed);
	qr_frame_set_ops(bed->rig.frames, &bed_frame_ops, bed);
	bed->random = test_random_start("space");
	return bed;
}

static inline void
bed_check(struct bed *bed)
{
	qr_check_spaces(&bed->spaces, QR_CHECK_CHILDREN);
	qr_check_swap(bed->swap, QR_CHECK_CHILDREN);
}

static inline void
bed_destroy(struct bed *bed)
{
	alloc_fail_in = 0;
	alloc_bulk_max = SIZE_MAX;
	assert_int_equal(bed->listed, 0);
	assert_int_equal(bed->spaces.user_pages, 0);
	assert_int_equal(bed->spaces.commit_pages, 0);
	struct qr_swap_stat stat;
	qr_swap_stat(bed->swap, &stat);
	assert_int_equal(stat.slots, 0);
	qr_spaces_fini(&bed->spaces);
	qr_swap_destroy(bed->swap);
	qr_slab_stop(bed->slabs);
	rig_stop(&bed->rig);
	free(bed);
}

/* --- short forms --- */

static inline struct qr_space *
bed_space(struct bed *bed)
{
	struct qr_space *space;
	assert_int_equal(qr_space_new(&bed->spaces, &space), 0);
	return space;
}

/* Maps pages at BED_BASE + index pages. */
static inline int
bed_try_map(struct qr_space *space, size_t index, size_t pages, unsigned prot,
    unsigned flags)
{
	const struct qr_map_request request = {
		.address = BED_BASE + index * QR_PAGE_SIZE,
		.size_bytes = pages * QR_PAGE_SIZE,
		.prot = prot,
		.flags = flags | QR_MAP_FIXED,
	};
	qr_vaddr_t address;
	qr_space_lock(space);
	int error = qr_space_map(space, &request, &address);
	qr_space_unlock(space);
	return error;
}

static inline void
bed_map(struct qr_space *space, size_t index, size_t pages, unsigned prot)
{
	assert_int_equal(bed_try_map(space, index, pages, prot, 0), 0);
}

static inline int
bed_unmap(struct qr_space *space, size_t index, size_t pages)
{
	qr_space_lock(space);
	int error = qr_space_unmap(space, BED_BASE + index * QR_PAGE_SIZE,
	    pages * QR_PAGE_SIZE, 0);
	qr_space_unlock(space);
	return error;
}

static inline int
bed_protect(struct qr_space *space, size_t index, size_t pages, unsigned prot)
{
	qr_space_lock(space);
	int error = qr_space_protect(space, BED_BASE + index * QR_PAGE_SIZE,
	    pages * QR_PAGE_SIZE, prot, 0);
	qr_space_unlock(space);
	return error;
}

static inline int
bed_move(struct qr_space *space, size_t from, size_t pages, size_t to)
{
	qr_space_lock(space);
	int error = qr_space_move(space, BED_BASE + from * QR_PAGE_SIZE,
	    pages * QR_PAGE_SIZE, BED_BASE + to * QR_PAGE_SIZE, 0);
	qr_space_unlock(space);
	return error;
}

static inline int
bed_advise(struct qr_space *space, size_t index, size_t pages,
    enum qr_advice advice)
{
	bool shared = advice == QR_ADVICE_COLD || advice == QR_ADVICE_PAGEOUT ||
		      advice == QR_ADVICE_WILLNEED;
	if (!shared)
		qr_space_lock(space);
	int error = qr_space_advise(space, BED_BASE + index * QR_PAGE_SIZE,
	    pages * QR_PAGE_SIZE, advice, 0);
	if (!shared)
		qr_space_unlock(space);
	return error;
}

/* Each page holds one word, at a place of its own; 0: as never written. */
static inline qr_vaddr_t
bed_word_at(size_t index)
{
	return BED_BASE + index * QR_PAGE_SIZE + index * 8 % QR_PAGE_SIZE;
}

static inline int
bed_write(struct bed *bed, struct qr_space *space, size_t index, uint64_t word)
{
	return sim_write(bed->rig.sim, space, bed_word_at(index), &word,
	    sizeof(word));
}

static inline int
bed_read(struct bed *bed, struct qr_space *space, size_t index, uint64_t *word)
{
	return sim_read(bed->rig.sim, space, bed_word_at(index), word,
	    sizeof(*word));
}

static inline void
bed_put(struct bed *bed, struct qr_space *space, size_t index, uint64_t word)
{
	assert_int_equal(bed_write(bed, space, index, word), 0);
}

static inline uint64_t
bed_get(struct bed *bed, struct qr_space *space, size_t index)
{
	uint64_t word;
	assert_int_equal(bed_read(bed, space, index, &word), 0);
	return word;
}

static inline struct qr_space_stat
bed_stat(struct qr_space *space)
{
	struct qr_space_stat stat;
	qr_space_stat(space, &stat);
	return stat;
}

#endif
