/* SPDX-License-Identifier: MIT */
/*
 * test_vmap.c: contiguous addresses on scattered frames keep their bytes, end
 * in a page that can't be touched, and go with one flush for many; windows
 * show frames that the core can't reach; each allocation and each call of the
 * port fails once; and misuse and broken invariants are named.
 */
#define _POSIX_C_SOURCE 200809L /* sigsetjmp */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "core/base/bits.h"
#include "core/vmap/vmap_impl.h"
#include "random.h"
#include "rig.h"

#define MIB   ((uint64_t)1 << 20)
#define HELD  40u
#define STEPS 3000u

struct bed {
	struct rig rig;
	struct qr_slabs *slabs;
	struct qr_vmap *vmap;
	uint64_t free_at_first;
};

/* Three quarters of RAM are beyond the direct map. */
static const struct sim_config bed_sim = {
	.ram_bytes = 16 * MIB,
	.direct_bytes = 4 * MIB,
	.kernel_bytes = 8 * MIB,
	.cpus = 2,
};

static void
bed_start(struct bed *bed, const struct sim_config *config, enum qr_fit fit)
{
	rig_start_sim(&bed->rig, config);
	qr_frame_drain(bed->rig.frames);
	bed->free_at_first = rig_free_pages(&bed->rig);
	bed->slabs = qr_slab_start(bed->rig.frames);
	assert_non_null(bed->slabs);
	assert_int_equal(qr_vmap_create(bed->rig.frames, bed->slabs, fit,
			     &bed->vmap),
	    0);
}

static void
bed_stop(struct bed *bed)
{
	qr_check_vmap(bed->vmap);
	qr_vmap_destroy(bed->vmap);
	qr_slab_stop(bed->slabs);
	qr_frame_drain(bed->rig.frames);
	qr_check_frames(bed->rig.frames, QR_CHECK_CHILDREN);
	assert_int_equal(rig_free_pages(&bed->rig), bed->free_at_first);
	rig_stop(&bed->rig);
}

static sigjmp_buf touch_back;

static void
on_fault(int number)
{
	siglongjmp(touch_back, number);
}

/* Whether the byte can be read. */
static bool
is_reachable(const void *byte)
{
	struct sigaction action = { .sa_handler = on_fault };
	struct sigaction segv, bus;
	volatile bool is_read = false;
	sigemptyset(&action.sa_mask);
	sigaction(SIGSEGV, &action, &segv);
	sigaction(SIGBUS, &action, &bus);
	if (sigsetjmp(touch_back, 1) == 0) {
		(void)*(const volatile unsigned char *)byte;
		is_read = true;
	}
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	return is_read;
}

static uint64_t
flushes(const struct bed *bed)
{
	struct sim_stat stat;
	sim_stat(bed->rig.sim, &stat);
	return stat.tlb_flushes;
}

static struct qr_vmap_stat
stat_of(const struct bed *bed)
{
	struct qr_vmap_stat stat;
	qr_vmap_stat(bed->vmap, &stat);
	return stat;
}

/* --- vmalloc against a model --- */

struct held {
	unsigned char *address;
	size_t size;
	unsigned char mark;
};

static void
step(struct bed *bed, struct held *held, struct test_random *random)
{
	if (held->address != NULL) {
		for (size_t i = 0; i < held->size; i += 61)
			assert_int_equal(held->address[i], held->mark);
		qr_vfree(bed->vmap, held->address);
		held->address = NULL;
		return;
	}
	bool zeroed = test_random_below(random, 2) == 0;
	held->size = 1 + (size_t)test_random_below(random, 30 * QR_PAGE_SIZE);
	held->mark = (unsigned char)test_random_next(random);
	held->address =
	    qr_vmalloc(bed->vmap, held->size, zeroed ? QR_GFP_ZERO : 0);
	assert_non_null(held->address);
	assert_int_equal((uintptr_t)held->address % QR_PAGE_SIZE, 0);
	for (size_t i = 0; zeroed && i < held->size; i += 61)
		assert_int_equal(held->address[i], 0);
	memset(held->address, held->mark, held->size);
	if (test_random_below(random, 16) == 0)
		assert_false(is_reachable(
		    &held->address[qr_round_up(held->size, QR_PAGE_SIZE)]));
}

static void
test_vmalloc(void **state)
{
	(void)state;
	for (unsigned fit = 0; fit < QR_FITS; fit++) {
		struct test_random random =
		    test_random_start(qr_fit_name((enum qr_fit)fit));
		struct held held[HELD] = { { NULL, 0, 0 } };
		struct bed bed;
		bed_start(&bed, &bed_sim, (enum qr_fit)fit);
		for (unsigned i = 0; i < STEPS / QR_FITS; i++) {
			sim_set_cpu((unsigned)test_random_below(&random, 2));
			step(&bed, &held[test_random_below(&random, HELD)],
			    &random);
			if (i % 50 == 0)
				qr_check_vmap(bed.vmap);
		}
		for (size_t i = 0; i < HELD; i++)
			qr_vfree(bed.vmap, held[i].address);
		bed_stop(&bed);
	}
}

/* Nothing of these frames need be in a row, nor in the direct map. */
static void
test_scattered_frames(void **state)
{
	struct bed bed;
	(void)state;
	bed_start(&bed, &bed_sim, QR_FIT_FIRST);
	rig_starve(&bed.rig, 0);
	struct qr_page *high = NULL;
	size_t count = 0;
	static struct qr_page *all[4096];
	while ((high = qr_frame_alloc(bed.rig.frames, QR_GFP_HIGHMEM, 0,
		    QR_PAGE_KERNEL)) != NULL)
		all[count++] = high;
	for (size_t i = 0; i < count; i += 2)
		qr_frame_free(bed.rig.frames, all[i]);
	/* The area's own struct needs a frame of the direct map. */
	qr_frame_free(bed.rig.frames, bed.rig.hoard[--bed.rig.hoarded]);
	assert_null(
	    qr_frame_alloc(bed.rig.frames, QR_GFP_HIGHMEM, 3, QR_PAGE_KERNEL));
	unsigned char *address = qr_vmalloc(bed.vmap, 200 * QR_PAGE_SIZE, 0);
	assert_non_null(address);
	for (size_t i = 0; i < 200; i++)
		memset(&address[i * QR_PAGE_SIZE], (int)i, QR_PAGE_SIZE);
	for (size_t i = 0; i < 200; i++)
		assert_int_equal(address[i * QR_PAGE_SIZE + 4095], i & 0xff);
	qr_vfree(bed.vmap, address);
	(void)qr_vmap_purge(bed.vmap);
	for (size_t i = 1; i < count; i += 2)
		qr_frame_free(bed.rig.frames, all[i]);
	rig_feed(&bed.rig);
	bed_stop(&bed);
}

static void
test_lazy_purge(void **state)
{
	unsigned char *addresses[20];
	struct bed bed;
	(void)state;
	bed_start(&bed, &bed_sim, QR_FIT_FIRST);
	for (size_t i = 0; i < 20; i++) {
		addresses[i] = qr_vmalloc(bed.vmap, 3 * QR_PAGE_SIZE, 0);
		memset(addresses[i], 0x33, 3 * QR_PAGE_SIZE);
	}
	uint64_t before = flushes(&bed);
	for (size_t i = 0; i < 20; i++)
		qr_vfree(bed.vmap, addresses[i]);
	assert_int_equal(flushes(&bed), before);
	assert_int_equal(stat_of(&bed).lazy_pages, 60);
	assert_int_equal(stat_of(&bed).mapped_pages, 0);
	/* Neither addresses nor frames are anybody else's yet. */
	unsigned char *other = qr_vmalloc(bed.vmap, QR_PAGE_SIZE, QR_GFP_ZERO);
	for (size_t i = 0; i < 20; i++) {
		assert_ptr_not_equal(other, addresses[i]);
		assert_int_equal(addresses[i][5000], 0x33);
	}
	assert_int_equal(qr_vmap_purge(bed.vmap), 60);
	assert_int_equal(flushes(&bed), before + 1);
	for (size_t i = 0; i < 20; i++)
		assert_false(is_reachable(addresses[i]));
	assert_int_equal(qr_vmap_purge(bed.vmap), 0);

	/* So much waits, and no more. */
	for (size_t i = 0; i < QR_VMAP_LAZY_MAX / 16; i++) {
		assert_int_equal(stat_of(&bed).lazy_pages, 16 * i);
		qr_vfree(bed.vmap, qr_vmalloc(bed.vmap, 16 * QR_PAGE_SIZE, 0));
	}
	assert_int_equal(stat_of(&bed).lazy_pages, 0);
	qr_vfree(bed.vmap, other);
	bed_stop(&bed);
}

/* Addresses run out: what waits is purged before that is said. */
static void
test_addresses_run_out(void **state)
{
	static const struct sim_config config = {
		.ram_bytes = 16 * MIB,
		.kernel_bytes = 1 * MIB,
	};
	struct bed bed;
	(void)state;
	bed_start(&bed, &config, QR_FIT_BEST);
	uint64_t room = stat_of(&bed).largest_pages - 1;
	for (unsigned i = 0; i < 5; i++) {
		void *address = qr_vmalloc(bed.vmap, room * QR_PAGE_SIZE, 0);
		assert_non_null(address);
		assert_null(qr_vmalloc(bed.vmap, 1, 0));
		qr_vfree(bed.vmap, address);
	}
	assert_null(qr_vmalloc(bed.vmap, room * QR_PAGE_SIZE + 1, 0));
	assert_null(qr_vmalloc(bed.vmap, 0, 0));
	assert_null(qr_vmalloc(bed.vmap, SIZE_MAX, 0));
	bed_stop(&bed);

	static const struct sim_config none = { .ram_bytes = MIB };
	struct qr_vmap *vmap;
	rig_start_sim(&bed.rig, &none);
	bed.slabs = qr_slab_start(bed.rig.frames);
	assert_int_equal(qr_vmap_create(bed.rig.frames, bed.slabs, QR_FIT_FIRST,
			     &vmap),
	    -QR_EOPNOTSUPP);
	rig_stop(&bed.rig);
}

/* --- failure --- */

static void
test_each_allocation_fails_once(void **state)
{
	struct bed bed;
	(void)state;
	bed_start(&bed, &bed_sim, QR_FIT_FIRST);
	for (unsigned how = 0; how < 2; how++) {
		unsigned failures = 0;
		for (long n = 1;; n++) {
			if (how == 0)
				alloc_fail_in = n;
			else
				sim_fail_after(bed.rig.sim, SIM_KERNEL_MAP,
				    (uint64_t)n, -QR_ENOMEM);
			void *address =
			    qr_vmalloc(bed.vmap, 70 * QR_PAGE_SIZE, 0);
			alloc_fail_in = 0;
			sim_fail_never(bed.rig.sim);
			qr_check_vmap(bed.vmap);
			if (address != NULL) {
				qr_vfree(bed.vmap, address);
				(void)qr_vmap_purge(bed.vmap);
				break;
			}
			failures++;
			assert_int_equal(stat_of(&bed).ranges, 0);
		}
		/* The area and each frame; or each 32 pages. */
		assert_in_range(failures, how == 0 ? 71 : 3, how == 0 ? 72 : 3);
	}
	for (long n = 1; n <= 2; n++) {
		struct qr_vmap *vmap;
		alloc_fail_in = n;
		int error = qr_vmap_create(bed.rig.frames, bed.slabs,
		    QR_FIT_FIRST, &vmap);
		alloc_fail_in = 0;
		if (n == 1)
			assert_int_equal(error, -QR_ENOMEM);
		if (error == 0)
			qr_vmap_destroy(vmap);
	}
	bed_stop(&bed);
}

/* --- vmallocinfo --- */

struct seen {
	qr_vaddr_t last;
	uint64_t pages;
	unsigned ranges;
	unsigned freed;
};

static void
see(void *ctx, const struct qr_vmap_info *info)
{
	struct seen *seen = ctx;
	printf("0x%llx %6llu pages, by %p%s\n", (unsigned long long)info->start,
	    (unsigned long long)info->pages, info->caller,
	    info->is_freed ? ", freed" : "");
	assert_true(info->start > seen->last);
	assert_non_null(info->caller);
	seen->last = info->start;
	seen->pages += info->pages;
	seen->freed += info->is_freed;
	seen->ranges++;
}

static void
test_vmallocinfo(void **state)
{
	struct seen seen = { 0, 0, 0, 0 };
	struct bed bed;
	(void)state;
	bed_start(&bed, &bed_sim, QR_FIT_FIRST);
	void *a = qr_vmalloc(bed.vmap, 5 * QR_PAGE_SIZE, 0);
	void *b = qr_vmalloc(bed.vmap, 1, 0);
	void *c = qr_vmalloc(bed.vmap, 7 * QR_PAGE_SIZE, 0);
	qr_vfree(bed.vmap, b);
	qr_vmap_for_each(bed.vmap, see, &seen);
	assert_int_equal(seen.ranges, 3);
	assert_int_equal(seen.freed, 1);
	assert_int_equal(seen.pages, 13);
	assert_int_equal(stat_of(&bed).ranges, 3);
	qr_vfree(bed.vmap, a);
	qr_vfree(bed.vmap, c);
	bed_stop(&bed);
}

/* --- windows --- */

static struct qr_page *
high_page(struct bed *bed)
{
	struct qr_page *page =
	    qr_frame_alloc(bed->rig.frames, QR_GFP_HIGHMEM, 0, QR_PAGE_KERNEL);
	assert_non_null(page);
	assert_true(
	    qr_frame_pfn(bed->rig.frames, page) >= 4 * MIB / QR_PAGE_SIZE);
	return page;
}

static void *
frame_bytes(const struct bed *bed, const struct qr_page *page)
{
	return sim_frame(bed->rig.sim, qr_frame_pfn(bed->rig.frames, page));
}

static void
test_kmap(void **state)
{
	struct qr_page *pages[QR_KMAP_WINDOWS + 1];
	struct bed bed;
	(void)state;
	bed_start(&bed, &bed_sim, QR_FIT_FIRST);
	struct qr_page *low =
	    qr_frame_alloc(bed.rig.frames, 0, 0, QR_PAGE_KERNEL);
	assert_ptr_equal(qr_kmap(bed.vmap, low),
	    qr_frame_data(bed.rig.frames, low));
	qr_kunmap(bed.vmap, low);
	assert_int_equal(stat_of(&bed).windows, 0);
	for (size_t i = 0; i <= QR_KMAP_WINDOWS; i++)
		pages[i] = high_page(&bed);
	for (size_t i = 0; i < QR_KMAP_WINDOWS; i++) {
		unsigned char *address = qr_kmap(bed.vmap, pages[i]);
		assert_non_null(address);
		memset(address, (int)i + 1, QR_PAGE_SIZE);
		assert_ptr_equal(qr_kmap(bed.vmap, pages[i]), address);
		unsigned char *bytes = frame_bytes(&bed, pages[i]);
		assert_int_equal(bytes[100], i + 1);
	}
	qr_check_vmap(bed.vmap);
	assert_null(qr_kmap(bed.vmap, pages[QR_KMAP_WINDOWS]));
	/* Half of the users of each, then the rest: windows stay until they
	 * are wanted, and then go together. */
	for (unsigned turn = 0; turn < 2; turn++) {
		assert_null(qr_kmap(bed.vmap, pages[QR_KMAP_WINDOWS]));
		for (size_t i = 0; i < QR_KMAP_WINDOWS; i++)
			qr_kunmap(bed.vmap, pages[i]);
	}
	uint64_t before = flushes(&bed);
	void *again = qr_kmap(bed.vmap, pages[3]);
	assert_int_equal(flushes(&bed), before);
	assert_non_null(qr_kmap(bed.vmap, pages[QR_KMAP_WINDOWS]));
	assert_int_equal(flushes(&bed), before + 1);
	assert_true(is_reachable(again));
	assert_int_equal(stat_of(&bed).windows, 2);
	qr_check_vmap(bed.vmap);
	qr_kunmap(bed.vmap, pages[3]);
	qr_kunmap(bed.vmap, pages[QR_KMAP_WINDOWS]);
	for (size_t i = 0; i <= QR_KMAP_WINDOWS; i++)
		qr_frame_free(bed.rig.frames, pages[i]);
	qr_frame_free(bed.rig.frames, low);
	bed_stop(&bed);
}

static void
test_kmap_local(void **state)
{
	struct qr_page *page[2 * QR_KMAP_LOCAL_DEPTH + 1];
	unsigned char *address[2 * QR_KMAP_LOCAL_DEPTH];
	struct bed bed;
	(void)state;
	bed_start(&bed, &bed_sim, QR_FIT_FIRST);
	for (size_t i = 0; i <= 2 * QR_KMAP_LOCAL_DEPTH; i++)
		page[i] = high_page(&bed);
	/* A CPU's own, then the other one's. */
	for (size_t i = 0; i < 2 * QR_KMAP_LOCAL_DEPTH; i++) {
		address[i] = qr_kmap_local(bed.vmap, page[i]);
		assert_non_null(address[i]);
		memset(address[i], (int)i, QR_PAGE_SIZE);
	}
	assert_null(qr_kmap_local(bed.vmap, page[2 * QR_KMAP_LOCAL_DEPTH]));
	for (size_t i = 2 * QR_KMAP_LOCAL_DEPTH; i-- > 0;) {
		unsigned char *bytes = frame_bytes(&bed, page[i]);
		assert_int_equal(bytes[4000], i);
		qr_kunmap_local(bed.vmap, address[i]);
		assert_false(is_reachable(address[i]));
	}
	sim_fail_after(bed.rig.sim, SIM_KERNEL_MAP, 1, -QR_ENOMEM);
	sim_set_cpu(1);
	address[0] = qr_kmap_local(bed.vmap, page[0]);
	assert_non_null(address[0]); /* by the other CPU's */
	qr_kunmap_local(bed.vmap, address[0]);
	sim_set_cpu(0);
	for (size_t i = 0; i <= 2 * QR_KMAP_LOCAL_DEPTH; i++)
		qr_frame_free(bed.rig.frames, page[i]);
	bed_stop(&bed);
}

/* --- threads --- */

struct worker {
	struct bed *bed;
	unsigned index;
	unsigned failed;
	pthread_t thread;
};

static void *
worker_run(void *ctx)
{
	struct worker *worker = ctx;
	struct qr_vmap *vmap = worker->bed->vmap;
	struct test_random random = { worker->index };
	sim_set_cpu(worker->index);
	struct qr_page *page = qr_frame_alloc(worker->bed->rig.frames,
	    QR_GFP_HIGHMEM, 0, QR_PAGE_KERNEL);
	for (unsigned i = 0; i < 300; i++) {
		size_t size = 1 + (size_t)test_random_below(&random, 50000);
		unsigned char *bytes = qr_vmalloc(vmap, size, 0);
		unsigned char *window = i % 2 == 0 ? qr_kmap(vmap, page)
						   : qr_kmap_local(vmap, page);
		if (bytes == NULL || window == NULL) {
			worker->failed++;
			break;
		}
		memset(bytes, (int)worker->index, size);
		memset(window, (int)worker->index, QR_PAGE_SIZE);
		worker->failed += bytes[size / 2] != worker->index;
		worker->failed += window[77] != worker->index;
		if (i % 2 == 0)
			qr_kunmap(vmap, page);
		else
			qr_kunmap_local(vmap, window);
		qr_vfree(vmap, bytes);
	}
	qr_frame_free(worker->bed->rig.frames, page);
	return NULL;
}

static void
test_threads(void **state)
{
	static const struct sim_config config = {
		.ram_bytes = 16 * MIB,
		.direct_bytes = 4 * MIB,
		.kernel_bytes = 8 * MIB,
		.cpus = 2,
		.flags = SIM_THREADS,
	};
	struct worker workers[3];
	struct bed bed;
	(void)state;
	bed_start(&bed, &config, QR_FIT_NEXT);
	for (unsigned i = 0; i < 3; i++) {
		workers[i] = (struct worker){ .bed = &bed, .index = i + 1 };
		assert_int_equal(pthread_create(&workers[i].thread, NULL,
				     worker_run, &workers[i]),
		    0);
	}
	for (unsigned i = 0; i < 3; i++) {
		(void)pthread_join(workers[i].thread, NULL);
		assert_int_equal(workers[i].failed, 0);
	}
	bed_stop(&bed);
}

/* --- misuse and the checker --- */

struct misuse {
	struct bed *bed;
	void *address;
	struct qr_page *page;
};

static void
do_vfree(void *ctx)
{
	struct misuse *misuse = ctx;
	qr_vfree(misuse->bed->vmap, misuse->address);
}

static void
do_kunmap(void *ctx)
{
	struct misuse *misuse = ctx;
	qr_kunmap(misuse->bed->vmap, misuse->page);
}

static void
do_kunmap_local(void *ctx)
{
	struct misuse *misuse = ctx;
	qr_kunmap_local(misuse->bed->vmap, misuse->address);
}

static void
do_check(void *ctx)
{
	struct misuse *misuse = ctx;
	qr_check_vmap(misuse->bed->vmap);
}

static void
assert_panics(struct misuse *misuse, void (*body)(void *ctx), const char *words)
{
	const char *message = sim_expect_panic(body, misuse);
	assert_non_null(message);
	if (strstr(message, words) == NULL)
		fail_msg("no \"%s\" in: %s", words, message);
	/* The panic came with the lock held. */
	struct qr_vmap *vmap = misuse->bed->vmap;
	if (atomic_load(&vmap->lock.word) != 0)
		qr_lock_release(vmap->port, &vmap->lock);
}

static void
test_misuse(void **state)
{
	struct bed bed;
	struct misuse misuse = { &bed, NULL, NULL };
	int local;
	(void)state;
	bed_start(&bed, &bed_sim, QR_FIT_FIRST);
	unsigned char *address = qr_vmalloc(bed.vmap, 9000, 0);
	do_vfree(&misuse);
	misuse.address = &local;
	assert_panics(&misuse, do_vfree, "no range begins at");
	misuse.address = address + QR_PAGE_SIZE;
	assert_panics(&misuse, do_vfree, "no range begins at");
	misuse.address = address;
	do_vfree(&misuse);
	assert_panics(&misuse, do_vfree, "freed twice");
	misuse.page = high_page(&bed);
	assert_panics(&misuse, do_kunmap, "has no window in use");
	misuse.address = qr_kmap_local(bed.vmap, misuse.page);
	do_kunmap_local(&misuse);
	assert_panics(&misuse, do_kunmap_local, "is not in use");
	qr_frame_free(bed.rig.frames, misuse.page);
	bed_stop(&bed);
}

static void
test_checker_names_invariants(void **state)
{
	struct bed bed;
	struct misuse misuse = { &bed, NULL, NULL };
	(void)state;
	bed_start(&bed, &bed_sim, QR_FIT_FIRST);
	misuse.address = qr_vmalloc(bed.vmap, 9000, 0);
	uint64_t page = (uintptr_t)misuse.address >> QR_PAGE_SHIFT;
	struct vmap_area *area =
	    QR_CONTAINER(qr_arena_find(&bed.vmap->arena, page),
		struct vmap_area, segment);
	do_check(&misuse);
	area->pages++;
	assert_panics(&misuse, do_check, "[vmap.1]");
	area->pages--;
	qr_frame_page(bed.rig.frames, area->first)->kind = QR_PAGE_TABLE;
	assert_panics(&misuse, do_check, "[vmap.1]");
	qr_frame_page(bed.rig.frames, area->first)->kind = QR_PAGE_KERNEL;
	bed.vmap->lazy_pages++;
	assert_panics(&misuse, do_check, "[vmap.2]");
	bed.vmap->lazy_pages--;
	area->is_freed = true;
	assert_panics(&misuse, do_check, "[vmap.2]");
	area->is_freed = false;
	bed.vmap->window[4].users = 1;
	assert_panics(&misuse, do_check, "[vmap.3]");
	bed.vmap->window[4].users = 0;
	bed.vmap->window[4].is_mapped = true;
	bed.vmap->window[7].is_mapped = true;
	assert_panics(&misuse, do_check, "[vmap.3]");
	bed.vmap->window[4].is_mapped = false;
	bed.vmap->window[7].is_mapped = false;
	do_check(&misuse);
	qr_vfree(bed.vmap, misuse.address);
	bed_stop(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vmalloc),
		cmocka_unit_test(test_scattered_frames),
		cmocka_unit_test(test_lazy_purge),
		cmocka_unit_test(test_addresses_run_out),
		cmocka_unit_test(test_each_allocation_fails_once),
		cmocka_unit_test(test_vmallocinfo),
		cmocka_unit_test(test_kmap),
		cmocka_unit_test(test_kmap_local),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_checker_names_invariants),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
