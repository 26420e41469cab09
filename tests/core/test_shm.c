/* SPDX-License-Identifier: MIT */
/*
 * test_shm.c: proves of shared memory by name and by key what a run beside the
 * host (tests/port/test_sysv.c) can't: who may do what, the limits, forks and
 * exits, that a removed segment lasts as long as its last attachment, and that
 * a call without memory changes nothing; and of memory that may be purged, that
 * it goes before anything else, oldest first, and is told of when it is pinned.
 */
#include <qr/shm.h>

#include "space_bed.h"

#define PAGE ((uint64_t)QR_PAGE_SIZE)
#define RW   (QR_PROT_READ | QR_PROT_WRITE)

static const struct qr_asker root = { .privileged = true };
static const struct qr_asker alice = { .uid = 100, .gid = 10, .pid = 7 };
static const struct qr_asker bob = { .uid = 200, .gid = 10 };
static const struct qr_asker carol = { .uid = 300, .gid = 30 };

static struct bed *
shm_bed(void)
{
	const struct bed_config config = { .ram_bytes = 4 << 20,
		.swap_pages = 400 };
	return bed_create(&config);
}

/* --- names --- */

static int
open_name(struct qr_space *space, const char *name, unsigned flags,
    const struct qr_asker *asker)
{
	struct qr_object *object = NULL;
	const struct qr_shm_open call = { .name = name,
		.flags = flags,
		.mode = 0640,
		.asker = *asker };
	int error = qr_shm_open(space, &call, &object);
	if (error == 0)
		qr_object_put(object);
	return error;
}

static void
test_names(void **state)
{
	static const struct {
		const char *name;
		unsigned flags;
		const struct qr_asker *asker;
		int error;
	} cases[] = {
		{ "/a", QR_SHM_O_RDWR, &alice, -QR_ENOENT },
		{ "/a", QR_SHM_O_RDWR | QR_SHM_O_CREAT, &alice, 0 },
		{ "a", QR_SHM_O_RDWR | QR_SHM_O_CREAT, &alice, 0 },
		{ "/a", QR_SHM_O_CREAT | QR_SHM_O_EXCL, &alice, -QR_EEXIST },
		{ "/a", QR_SHM_O_RDONLY, &bob, 0 },
		{ "/a", QR_SHM_O_RDWR, &bob, -QR_EACCES },
		{ "/a", QR_SHM_O_RDONLY | QR_SHM_O_TRUNC, &bob, -QR_EACCES },
		{ "/a", QR_SHM_O_RDONLY, &carol, -QR_EACCES },
		{ "/a", QR_SHM_O_RDWR, &root, 0 },
		{ "/ab", QR_SHM_O_RDONLY, &alice, -QR_ENOENT },
		{ "/", QR_SHM_O_CREAT, &alice, -QR_EINVAL },
		{ "/a/b", QR_SHM_O_CREAT, &alice, -QR_EINVAL },
	};
	struct bed *bed = shm_bed();
	struct qr_space *space = bed_space(bed);
	char longest[QR_SHM_NAME_MAX + 2];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(open_name(space, cases[i].name, cases[i].flags,
				     cases[i].asker),
		    cases[i].error);
	memset(longest, 'x', sizeof(longest));
	longest[QR_SHM_NAME_MAX + 1] = '\0';
	assert_int_equal(open_name(space, longest, QR_SHM_O_CREAT, &alice),
	    -QR_ENAMETOOLONG);
	longest[QR_SHM_NAME_MAX] = '\0';
	assert_int_equal(open_name(space, longest, QR_SHM_O_CREAT, &alice), 0);
	assert_int_equal(qr_shm_unlink(space, longest, &alice), 0);
	assert_int_equal(qr_shm_unlink(space, "/a", &bob), -QR_EACCES);
	assert_int_equal(qr_shm_unlink(space, "/a", &alice), 0);
	assert_int_equal(qr_shm_unlink(space, "/a", &alice), -QR_ENOENT);
	/* The name is gone, what was opened is not. */
	struct qr_object *object;
	const struct qr_shm_open call = { .name = "/b",
		.flags = QR_SHM_O_RDWR | QR_SHM_O_CREAT,
		.mode = 0600,
		.asker = alice };
	assert_int_equal(qr_shm_open(space, &call, &object), 0);
	assert_int_equal(qr_object_resize(object, 2 * PAGE), 0);
	struct qr_object_copy copy = { 5, 3 };
	assert_int_equal(qr_object_write(object, "abc", &copy), 0);
	assert_int_equal(qr_shm_unlink(space, "/b", &alice), 0);
	char text[4] = "";
	assert_int_equal(qr_object_read(object, text, &copy), 0);
	assert_string_equal(text, "abc");
	bed_check(bed);
	qr_object_put(object);
	qr_space_destroy(space);
	bed_destroy(bed);
}

/* --- segments --- */

static int
get_segment(struct qr_space *space, int32_t key, uint64_t pages, unsigned flags)
{
	const struct qr_shmget call = { .key = key,
		.size_bytes = pages * PAGE,
		.flags = flags,
		.asker = alice };
	int id;
	int error = qr_call_shmget(space, &call, &id);
	return error == 0 ? id : error;
}

static int
attach(struct qr_space *space, int id, unsigned flags,
    const struct qr_asker *asker, uint64_t *at)
{
	const struct qr_shmat call = { .id = id,
		.flags = flags,
		.asker = *asker };
	return qr_call_shmat(space, &call, at);
}

static uint64_t
attached(struct qr_space *space, int id)
{
	struct qr_shm_segment segment;
	assert_int_equal(qr_call_shm_stat(space, id, &root, &segment), 0);
	return segment.attached;
}

static void
test_removed_while_attached(void **state)
{
	struct bed *bed = shm_bed();
	struct qr_space *a = bed_space(bed);
	struct qr_space *b;
	struct qr_shm_segment segment;
	uint64_t at;
	char byte = 0;
	(void)state;
	int id = get_segment(a, 5, 3, QR_IPC_CREAT | 0600);
	assert_true(id >= 0);
	assert_int_equal(attach(a, id, 0, &alice, &at), 0);
	assert_int_equal(sim_write(bed->rig.sim, a, at + PAGE, "x", 1), 0);
	assert_int_equal(qr_space_fork(a, &b), 0);
	assert_int_equal(attached(a, id), 2);
	assert_int_equal(qr_call_shm_remove(a, id, &bob), -QR_EPERM);
	assert_int_equal(qr_call_shm_remove(a, id, &alice), 0);
	/* The key is free, the id is not. */
	assert_int_equal(get_segment(a, 5, 1, 0), -QR_ENOENT);
	assert_int_equal(qr_call_shm_stat(a, id, &alice, &segment), 0);
	assert_int_equal(segment.mode, 0600 | QR_SHM_DEST);
	assert_int_equal(segment.key, QR_IPC_PRIVATE);
	int other = get_segment(a, 5, 1, QR_IPC_CREAT | 0600);
	assert_true(other >= 0 && other != id);
	bed_check(bed);
	/* The first exits, the fork still has it. */
	qr_space_destroy(a);
	assert_int_equal(sim_read(bed->rig.sim, b, at + PAGE, &byte, 1), 0);
	assert_int_equal(byte, 'x');
	assert_int_equal(attached(b, id), 1);
	assert_int_equal(qr_call_shmdt(b, at, &alice), 0);
	assert_int_equal(qr_call_shm_stat(b, id, &alice, &segment), -QR_EINVAL);
	assert_int_equal(sim_read(bed->rig.sim, b, at + PAGE, &byte, 1),
	    -QR_EFAULT);
	assert_int_equal(qr_call_shm_remove(b, other, &alice), 0);
	bed_check(bed);
	qr_space_destroy(b);
	bed_destroy(bed);
}

static void
test_who_may(void **state)
{
	struct bed *bed = shm_bed();
	struct qr_space *space = bed_space(bed);
	struct qr_shm_segment segment;
	uint64_t at;
	(void)state;
	int id = get_segment(space, 9, 2, QR_IPC_CREAT | 0640);
	assert_int_equal(attach(space, id, 0, &bob, &at), -QR_EACCES);
	assert_int_equal(attach(space, id, QR_SHM_RDONLY, &bob, &at), 0);
	assert_int_equal(sim_write(bed->rig.sim, space, at, "x", 1),
	    -QR_EFAULT);
	assert_int_equal(qr_call_mprotect(space, at, PAGE, RW), -QR_EACCES);
	assert_int_equal(attach(space, id, QR_SHM_RDONLY, &carol, &at),
	    -QR_EACCES);
	assert_int_equal(qr_call_shm_stat(space, id, &carol, &segment),
	    -QR_EACCES);
	assert_int_equal(qr_call_shm_stat(space, id, &bob, &segment), 0);
	assert_int_equal(segment.creator_pid, 7);
	assert_int_equal(qr_call_shm_set(space, id, &bob, &segment), -QR_EPERM);
	segment.uid = carol.uid;
	segment.mode = 0600;
	assert_int_equal(qr_call_shm_set(space, id, &alice, &segment), 0);
	assert_int_equal(attach(space, id, 0, &carol, &at), 0);
	assert_int_equal(attach(space, id, QR_SHM_RDONLY, &bob, &at),
	    -QR_EACCES);
	/* Who made it may still end it. */
	assert_int_equal(qr_call_shm_remove(space, id, &alice), 0);
	assert_int_equal(attached(space, id), 2);
	qr_space_destroy(space);
	bed_check(bed);
	bed_destroy(bed);
}

struct listing {
	uint64_t pages;
	int id[8];
	size_t count;
};

static void
list_segment(void *ctx, const struct qr_shm_segment *segment)
{
	struct listing *listing = ctx;
	listing->pages += segment->size_bytes / PAGE;
	listing->id[listing->count++] = segment->id;
}

static void
test_limits(void **state)
{
	static const struct qr_shm_limits limits = { .segment_bytes = 4 * PAGE,
		.all_pages = 10,
		.segments = 4 };
	struct bed *bed = shm_bed();
	struct qr_space *space = bed_space(bed);
	struct listing listing = { .count = 0 };
	(void)state;
	qr_shm_set_limits(space, &limits);
	assert_int_equal(get_segment(space, 0, 0, 0600), -QR_EINVAL);
	assert_int_equal(get_segment(space, 0, 5, 0600), -QR_EINVAL);
	int id = get_segment(space, 0, 4, 0600);
	assert_true(id >= 0);
	assert_true(get_segment(space, 1, 4, QR_IPC_CREAT) >= 0);
	assert_int_equal(get_segment(space, 2, 3, QR_IPC_CREAT), -QR_ENOSPC);
	assert_true(get_segment(space, 2, 1, QR_IPC_CREAT) >= 0);
	assert_true(get_segment(space, 3, 1, QR_IPC_CREAT) >= 0);
	qr_shm_for_each(space, list_segment, &listing);
	assert_int_equal(listing.pages, 10);
	assert_int_equal(qr_call_shm_remove(space, id, &alice), 0);
	assert_true(get_segment(space, 0, 1, 0600) >= 0);
	assert_int_equal(get_segment(space, 0, 1, 0600), -QR_ENOSPC);
	/* Promised as a whole. */
	bed_check(bed);
	assert_int_equal(bed->spaces.commit_pages, 4 + 1 + 1 + 1);
	listing.count = 0;
	qr_shm_for_each(space, list_segment, &listing);
	assert_int_equal(listing.count, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(qr_call_shm_remove(space, listing.id[i],
				     &root),
		    0);
	qr_space_destroy(space);
	bed_destroy(bed);
}

/* The n-th allocation fails: an error, and all as before. */
static void
test_no_memory(void **state)
{
	struct bed *bed = shm_bed();
	struct qr_space *space = bed_space(bed);
	unsigned failures = 0;
	uint64_t at;
	(void)state;
	for (long n = 1; n < 12; n++) {
		alloc_fail_in = n;
		int id = get_segment(space, 77, 2, QR_IPC_CREAT | 0600);
		if (id >= 0 && attach(space, id, 0, &alice, &at) == 0 &&
		    sim_write(bed->rig.sim, space, at, "x", 1) == 0 &&
		    open_name(space, "/n", QR_SHM_O_CREAT, &alice) == 0)
			failures--;
		failures++;
		alloc_fail_in = 0;
		bed_check(bed);
		id = get_segment(space, 77, 2, QR_IPC_CREAT | 0600);
		assert_true(id >= 0);
		int unlinked = qr_shm_unlink(space, "/n", &alice);
		assert_true(unlinked == 0 || unlinked == -QR_ENOENT);
		assert_int_equal(qr_call_shm_remove(space, id, &alice), 0);
		assert_int_equal(bed_unmap(space, 0, 1), 0);
		qr_space_destroy(space);
		space = bed_space(bed);
	}
	assert_true(failures >= 4);
	qr_space_destroy(space);
	bed_destroy(bed);
}

/* --- what may be purged --- */

static struct qr_object *
loose_memory(struct bed *bed, struct qr_space *space, uint64_t pages)
{
	const struct qr_object_request request = { .size_bytes = pages * PAGE };
	struct qr_object *object;
	assert_int_equal(qr_object_new(&bed->spaces.cache, &request, &object),
	    0);
	const struct qr_map_request map = { .address = BED_BASE,
		.size_bytes = pages * PAGE,
		.prot = RW,
		.flags = QR_MAP_FIXED | QR_MAP_SHARED,
		.object = object };
	qr_vaddr_t at;
	qr_space_lock(space);
	assert_int_equal(qr_space_map(space, &map, &at), 0);
	qr_space_unlock(space);
	for (size_t i = 0; i < pages; i++)
		bed_put(bed, space, i, i + 1);
	return object;
}

static void
test_purge(void **state)
{
	struct bed *bed = shm_bed();
	struct qr_space *space = bed_space(bed);
	struct qr_object *object = loose_memory(bed, space, 20);
	bool purged;
	(void)state;
	assert_true(qr_object_is_pinned(object, 0, 20 * PAGE));
	assert_int_equal(qr_object_unpin(object, 10 * PAGE, 5 * PAGE), 0);
	assert_int_equal(qr_object_unpin(object, 2 * PAGE, 4 * PAGE), 0);
	assert_false(qr_object_is_pinned(object, 5 * PAGE, PAGE));
	assert_true(qr_object_is_pinned(object, 6 * PAGE, 4 * PAGE));
	assert_int_equal(bed->spaces.cache.loose_pages, 9);
	/* The one that was unpinned first goes first. */
	assert_int_equal(qr_cache_purge(&bed->spaces.cache, 1), 5);
	bed_check(bed);
	assert_int_equal(bed->spaces.cache.loose_pages, 4);
	assert_int_equal(bed_get(bed, space, 3), 4);
	assert_int_equal(bed_get(bed, space, 12), 0);
	assert_int_equal(bed_get(bed, space, 15), 16);
	/* Half of what is kept, all of what went, and none of the rest. */
	assert_int_equal(qr_object_pin(object, 3 * PAGE, PAGE, &purged), 0);
	assert_false(purged);
	assert_int_equal(bed->spaces.cache.loose_pages, 3);
	assert_int_equal(qr_object_pin(object, 12 * PAGE, PAGE, &purged), 0);
	assert_true(purged);
	assert_int_equal(qr_object_pin(object, 10 * PAGE, 5 * PAGE, &purged),
	    0);
	assert_true(purged);
	assert_int_equal(qr_object_pin(object, 10 * PAGE, 5 * PAGE, &purged),
	    0);
	assert_false(purged);
	/* Only what is loose goes. */
	assert_int_equal(qr_cache_purge(&bed->spaces.cache, 100), 3);
	assert_int_equal(bed_get(bed, space, 3), 4);
	assert_int_equal(bed_get(bed, space, 2), 0);
	assert_int_equal(qr_cache_purge(&bed->spaces.cache, 100), 0);
	assert_int_equal(qr_object_unpin(object, PAGE, 100), -QR_EINVAL);
	qr_object_put(object);
	qr_space_destroy(space);
	bed_check(bed);
	bed_destroy(bed);
}

/* A page is as it was written or zero; that it is zero is told when it is
 * pinned. */
static void
pin_and_look(struct bed *bed, struct qr_space *space, struct qr_object *object,
    struct qr_object_copy pages)
{
	bool purged = false;
	bool lost = false;
	assert_int_equal(qr_object_pin(object, pages.offset * PAGE,
			     pages.size_bytes * PAGE, &purged),
	    0);
	for (size_t i = pages.offset; i < pages.offset + pages.size_bytes;
	     i++) {
		uint64_t word = bed_get(bed, space, i);
		assert_true(word == i + 1 || word == 0);
		lost |= word == 0;
		bed_put(bed, space, i, i + 1);
	}
	assert_true(purged || !lost);
}

/* Beside a row of marks: unpinning takes in, pinning cuts. */
static void
test_purge_beside_marks(void **state)
{
	enum { PAGES = 40 };
	bool loose[PAGES] = { false };
	struct bed *bed = shm_bed();
	struct qr_space *space = bed_space(bed);
	struct qr_object *object = loose_memory(bed, space, PAGES);
	uint64_t freed = 0;
	(void)state;
	for (unsigned turn = 0; turn < 4000; turn++) {
		size_t first = test_random_below(&bed->random, PAGES);
		size_t n = 1 + test_random_below(&bed->random, PAGES - first);
		unsigned what = (unsigned)test_random_below(&bed->random, 10);
		n = n > 6 ? 6 : n;
		if (what == 0)
			freed += qr_cache_purge(&bed->spaces.cache, 3);
		else if (what < 6)
			assert_int_equal(qr_object_unpin(object, first * PAGE,
					     n * PAGE),
			    0);
		else
			pin_and_look(bed, space, object,
			    (struct qr_object_copy){ first, n });
		for (size_t i = first; i < first + n && what != 0; i++)
			loose[i] = what < 6;
		for (size_t i = 0; i < PAGES; i++)
			assert_int_equal(qr_object_is_pinned(object, i * PAGE,
					     PAGE),
			    !loose[i]);
		if (turn % 50 == 0)
			bed_check(bed);
	}
	assert_true(freed > 100);
	qr_object_put(object);
	qr_space_destroy(space);
	bed_destroy(bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_removed_while_attached),
		cmocka_unit_test(test_who_may),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_purge),
		cmocka_unit_test(test_purge_beside_marks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
