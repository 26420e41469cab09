/* SPDX-License-Identifier: MIT */
/*
 * tests/core/test_calls.c: proves of the memory system calls what a run beside
 * the host (tests/port/test_replay.c) can't: the limits for areas, data, stack,
 * locked memory and the number of areas, errno by errno as Linux has them;
 * brk; stacks that grow and the gap below them; mlockall; the three ways to
 * overcommit; a space's quota, balance and reserve; files by how they were opened, msync, and what shared memory
 * promises; and that a call for which there is no memory leaves the areas as
 * they were.
 */
#include <qr/object.h>

#include "core/machine/machine_impl.h"
#include "machine_bed.h"

#include "alloc_fail.h"
#include "core/space/space_impl.h"

#define PAGE QR_PAGE_SIZE
#define RW   (QR_PROT_READ | QR_PROT_WRITE)
#define AT   ((uint64_t)0x10000000)

static void
calls_make(struct bed *bed, struct qr_space **space)
{
	struct sim_config sim_config = { .ram_bytes = 8 << 20 };
	struct qr_machine_config config = { .fault_around = 1 };
	bed_make(bed, &sim_config, &config);
	*space = bed_space(bed);
}

static void
calls_end(struct bed *bed, struct qr_space *space)
{
	qr_space_destroy(space);
	bed_end(bed);
}

/* The error of a private mapping; fixed at address unless that is 0. */
static int
call_map(struct qr_space *space, uint64_t address, uint64_t pages,
    unsigned prot, unsigned flags)
{
	struct qr_mmap call = {
		.address = address,
		.length = pages * PAGE,
		.prot = prot,
		.flags = flags | QR_MAP_CALL_PRIVATE | QR_MAP_CALL_ANONYMOUS |
			 (address != 0 ? QR_MAP_CALL_FIXED : 0),
	};
	uint64_t at;
	return qr_call_mmap(space, &call, &at);
}

static int
call_remap(struct qr_space *space, uint64_t old_pages, uint64_t new_pages,
    unsigned flags)
{
	struct qr_mremap call = {
		.address = AT,
		.old_length = old_pages * PAGE,
		.new_length = new_pages * PAGE,
		.flags = flags,
	};
	uint64_t at;
	return qr_call_mremap(space, &call, &at);
}

static uint64_t
resident(struct qr_space *space)
{
	struct qr_space_stat stat;
	qr_space_stat(space, &stat);
	return stat.resident_pages;
}

static uint64_t
locked(struct qr_space *space)
{
	struct qr_space_stat stat;
	qr_space_stat(space, &stat);
	return stat.locked_pages;
}

/* --- limits --- */

static void
test_limit_as(void **state)
{
	struct bed bed;
	struct qr_space *space;
	(void)state;
	calls_make(&bed, &space);
	qr_call_setrlimit(space, QR_LIMIT_AS, 10 * PAGE + 100);
	assert_int_equal(call_map(space, AT, 8, RW, 0), 0);
	assert_int_equal(call_map(space, 0, 3, QR_PROT_NONE, 0), -QR_ENOMEM);
	/* What a fixed mapping replaces does not count twice. */
	assert_int_equal(call_map(space, AT, 10, QR_PROT_READ, 0), 0);
	assert_int_equal(call_remap(space, 10, 11, QR_MREMAP_MAYMOVE),
	    -QR_ENOMEM);
	assert_int_equal(call_remap(space, 10, 9, 0), 0);
	assert_int_equal(call_remap(space, 9, 10, 0), 0);
	assert_int_equal(call_remap(space, 10, 10,
			     QR_MREMAP_MAYMOVE | QR_MREMAP_DONTUNMAP),
	    -QR_ENOMEM);
	qr_call_setrlimit(space, QR_LIMIT_AS, QR_NO_LIMIT);
	assert_int_equal(call_remap(space, 10, 11, 0), 0);
	calls_end(&bed, space);
}

static void
test_limit_data(void **state)
{
	struct bed bed;
	struct qr_space *space;
	(void)state;
	calls_make(&bed, &space);
	qr_call_setrlimit(space, QR_LIMIT_DATA, 10 * PAGE);
	assert_int_equal(call_map(space, 0, 50, QR_PROT_READ, 0), 0);
	assert_int_equal(call_map(space, 0, 50, RW, QR_MAP_CALL_GROWSDOWN), 0);
	assert_int_equal(call_map(space, 0, 11, RW, 0), -QR_ENOMEM);
	assert_int_equal(call_map(space, AT, 6, RW, 0), 0);
	assert_int_equal(call_map(space, AT + 6 * PAGE, 6, QR_PROT_READ, 0), 0);
	assert_int_equal(qr_call_mprotect(space, AT, 12 * PAGE, RW),
	    -QR_ENOMEM);
	assert_int_equal(qr_call_mprotect(space, AT, 10 * PAGE, RW), 0);
	assert_int_equal(qr_call_mprotect(space, AT, 10 * PAGE, QR_PROT_READ),
	    0);
	assert_int_equal(call_map(space, 0, 10, RW, 0), 0);
	calls_end(&bed, space);
}

static void
test_limit_areas(void **state)
{
	struct bed bed;
	struct qr_space *space;
	(void)state;
	calls_make(&bed, &space);
	qr_call_setrlimit(space, QR_LIMIT_AREAS, 2);
	assert_int_equal(call_map(space, AT, 1, RW, 0), 0);
	assert_int_equal(call_map(space, AT + 2 * PAGE, 1, RW, 0), 0);
	assert_int_equal(call_map(space, AT + 4 * PAGE, 1, RW, 0), -QR_ENOMEM);
	calls_end(&bed, space);
}

static void
test_limit_memlock(void **state)
{
	struct bed bed;
	struct qr_space *space;
	(void)state;
	calls_make(&bed, &space);
	assert_int_equal(call_map(space, AT, 20, RW, 0), 0);
	qr_call_setrlimit(space, QR_LIMIT_MEMLOCK, 0);
	assert_int_equal(qr_call_mlock2(space, AT, PAGE, 0), -QR_EPERM);
	assert_int_equal(qr_call_mlockall(space, QR_MCL_FUTURE), -QR_EPERM);
	assert_int_equal(call_map(space, 0, 1, RW, QR_MAP_CALL_LOCKED),
	    -QR_EPERM);
	qr_call_setrlimit(space, QR_LIMIT_MEMLOCK, 8 * PAGE);
	assert_int_equal(qr_call_mlock2(space, AT, 9 * PAGE, 0), -QR_ENOMEM);
	assert_int_equal(qr_call_mlockall(space, QR_MCL_CURRENT), -QR_ENOMEM);
	assert_int_equal(call_map(space, 0, 9, RW, QR_MAP_CALL_LOCKED),
	    -QR_EAGAIN);
	assert_int_equal(qr_call_mlock2(space, AT + 10, 4 * PAGE - 10, 0), 0);
	assert_int_equal(locked(space), 4);
	assert_int_equal(resident(space), 4);
	/* What is locked already is not counted again. */
	assert_int_equal(qr_call_mlock2(space, AT, 8 * PAGE, 0), 0);
	assert_int_equal(call_remap(space, 20, 21, QR_MREMAP_MAYMOVE),
	    -QR_EFAULT);
	assert_int_equal(call_remap(space, 8, 9, QR_MREMAP_MAYMOVE),
	    -QR_EAGAIN);
	assert_int_equal(qr_call_munlock(space, AT, 20 * PAGE), 0);
	assert_int_equal(locked(space), 0);
	qr_call_may_lock(space, true);
	assert_int_equal(qr_call_mlock2(space, AT, 20 * PAGE, QR_MLOCK_ONFAULT),
	    0);
	assert_int_equal(resident(space), 8);
	/* What may not be touched can be locked, but not brought in. */
	assert_int_equal(call_map(space, AT + 30 * PAGE, 1, QR_PROT_NONE, 0),
	    0);
	assert_int_equal(qr_call_mlock2(space, AT + 30 * PAGE, PAGE, 0),
	    -QR_ENOMEM);
	assert_int_equal(locked(space), 21);
	calls_end(&bed, space);
}

static void
test_mlockall(void **state)
{
	static const unsigned bad[] = { 0, QR_MCL_ONFAULT, 8,
		8 | QR_MCL_CURRENT };
	struct bed bed;
	struct qr_space *space;
	(void)state;
	calls_make(&bed, &space);
	for (size_t i = 0; i < QR_COUNT_OF(bad); i++)
		assert_int_equal(qr_call_mlockall(space, bad[i]), -QR_EINVAL);
	assert_int_equal(call_map(space, AT, 4, RW, 0), 0);
	assert_int_equal(call_map(space, AT + 8 * PAGE, 4, QR_PROT_READ, 0), 0);
	assert_int_equal(qr_call_mlockall(space, QR_MCL_CURRENT), 0);
	assert_int_equal(locked(space), 8);
	assert_int_equal(resident(space), 8);
	assert_int_equal(call_map(space, 0, 4, RW, 0), 0);
	assert_int_equal(locked(space), 8);
	assert_int_equal(qr_call_mlockall(space, QR_MCL_FUTURE), 0);
	assert_int_equal(call_map(space, 0, 4, RW, 0), 0);
	assert_int_equal(locked(space), 12);
	assert_int_equal(resident(space), 12);
	assert_int_equal(qr_call_mlockall(space,
			     QR_MCL_FUTURE | QR_MCL_ONFAULT),
	    0);
	assert_int_equal(call_map(space, 0, 4, RW, 0), 0);
	assert_int_equal(locked(space), 16);
	assert_int_equal(resident(space), 12);
	struct qr_space *child;
	assert_int_equal(qr_space_fork(space, &child), 0);
	assert_int_equal(locked(child), 0);
	assert_int_equal(call_map(child, 0, 4, RW, 0), 0);
	assert_int_equal(locked(child), 0);
	qr_space_destroy(child);
	assert_int_equal(qr_call_munlockall(space), 0);
	assert_int_equal(locked(space), 0);
	assert_int_equal(call_map(space, 0, 4, RW, 0), 0);
	assert_int_equal(locked(space), 0);
	calls_end(&bed, space);
}

/* --- brk --- */

static void
test_brk(void **state)
{
	struct bed bed;
	struct qr_space *space;
	unsigned char byte = 9;
	(void)state;
	calls_make(&bed, &space);
	assert_int_equal(qr_call_brk_start(space, AT + 1), -QR_EINVAL);
	assert_int_equal(qr_call_brk_start(space, AT), 0);
	assert_int_equal(qr_call_brk(space, 0), AT);
	assert_int_equal(qr_call_brk(space, AT - 1), AT);
	assert_int_equal(qr_call_brk(space, AT + 5000), AT + 5000);
	assert_int_equal(sim_write(bed.sim, space, AT + 8191, &byte, 1), 0);
	assert_int_equal(sim_write(bed.sim, space, AT + 8192, &byte, 1),
	    -QR_EFAULT);
	assert_int_equal(qr_call_brk(space, AT + 4096), AT + 4096);
	assert_int_equal(sim_write(bed.sim, space, AT + 4096, &byte, 1),
	    -QR_EFAULT);
	/* A page stays free between the heap and what lies above. */
	assert_int_equal(call_map(space, AT + 4 * PAGE, 1, RW, 0), 0);
	assert_int_equal(qr_call_brk(space, AT + 3 * PAGE), AT + 3 * PAGE);
	assert_int_equal(qr_call_brk(space, AT + 3 * PAGE + 1), AT + 3 * PAGE);
	assert_int_equal(qr_call_munmap(space, AT + 4 * PAGE, PAGE), 0);
	qr_call_setrlimit(space, QR_LIMIT_DATA, 5 * PAGE);
	assert_int_equal(qr_call_brk(space, AT + 6 * PAGE), AT + 3 * PAGE);
	assert_int_equal(qr_call_brk(space, AT + 5 * PAGE), AT + 5 * PAGE);
	/* The heap is one area, and gone when it has no size. */
	assert_int_equal(qr_call_brk(space, AT), AT);
	struct qr_space_stat stat;
	qr_space_stat(space, &stat);
	assert_int_equal(stat.areas, 0);
	calls_end(&bed, space);
}

/* --- stacks --- */

static uint64_t
area_start(struct qr_space *space, uint64_t address)
{
	struct qr_area_info info = { .start = 0 };
	qr_space_lock(space);
	int error = qr_space_query(space, address, &info);
	qr_space_unlock(space);
	assert_int_equal(error, 0);
	return info.start;
}

static void
test_stack_grows(void **state)
{
	const uint64_t top = AT + 4096 * PAGE;
	struct bed bed;
	struct qr_space *space;
	(void)state;
	calls_make(&bed, &space);
	assert_int_equal(call_map(space, top - 2 * PAGE, 2, RW,
			     QR_MAP_CALL_GROWSDOWN),
	    0);
	assert_int_equal(sim_touch(bed.sim, space, top - 9 * PAGE,
			     QR_ACCESS_WRITE),
	    0);
	assert_int_equal(area_start(space, top - PAGE), top - 9 * PAGE);
	assert_int_equal(resident(space), 1);
	/* The gap below: 256 pages above what may be touched. */
	assert_int_equal(call_map(space, top - 400 * PAGE, 1, RW, 0), 0);
	assert_int_equal(sim_touch(bed.sim, space, top - 144 * PAGE,
			     QR_ACCESS_READ),
	    -QR_EFAULT);
	assert_int_equal(sim_touch(bed.sim, space, top - 143 * PAGE,
			     QR_ACCESS_READ),
	    0);
	assert_int_equal(area_start(space, top - PAGE), top - 143 * PAGE);
	/* It need not be kept from what may not be touched. */
	assert_int_equal(qr_call_mprotect(space, top - 400 * PAGE, PAGE,
			     QR_PROT_NONE),
	    0);
	assert_int_equal(sim_touch(bed.sim, space, top - 399 * PAGE,
			     QR_ACCESS_READ),
	    0);
	qr_call_setrlimit(space, QR_LIMIT_STACK, 450 * PAGE);
	assert_int_equal(qr_call_munmap(space, top - 400 * PAGE, PAGE), 0);
	assert_int_equal(sim_touch(bed.sim, space, top - 451 * PAGE,
			     QR_ACCESS_READ),
	    -QR_EFAULT);
	assert_int_equal(sim_touch(bed.sim, space, top - 450 * PAGE,
			     QR_ACCESS_READ),
	    0);
	qr_call_setrlimit(space, QR_LIMIT_STACK, QR_NO_LIMIT);
	qr_call_setrlimit(space, QR_LIMIT_AS, 460 * PAGE);
	assert_int_equal(sim_touch(bed.sim, space, top - 461 * PAGE,
			     QR_ACCESS_READ),
	    -QR_EFAULT);
	calls_end(&bed, space);
}

/* What the core places itself keeps away from a stack, a fixed one need not;
 * and the end of the space stops it. */
static void
test_stack_gap(void **state)
{
	struct bed bed;
	struct qr_space *space;
	(void)state;
	calls_make(&bed, &space);
	const uint64_t top = space->end;
	struct qr_mmap call = { .length = PAGE,
		.prot = RW,
		.flags = QR_MAP_CALL_PRIVATE | QR_MAP_CALL_ANONYMOUS };
	uint64_t at;
	assert_int_equal(call_map(space, top - PAGE, 1, RW,
			     QR_MAP_CALL_GROWSDOWN),
	    0);
	assert_int_equal(qr_call_mmap(space, &call, &at), 0);
	assert_int_equal(at, top - 258 * PAGE);
	call.address = top - 100 * PAGE;
	assert_int_equal(qr_call_mmap(space, &call, &at), 0);
	assert_int_equal(at, top - 259 * PAGE);
	call.flags |= QR_MAP_CALL_NOREPLACE;
	assert_int_equal(qr_call_mmap(space, &call, &at), 0);
	assert_int_equal(at, top - 100 * PAGE);
	assert_int_equal(qr_call_munmap(space, 0, top), 0);
	/* Near the bottom. */
	assert_int_equal(call_map(space, 0x20000, 1, RW, QR_MAP_CALL_GROWSDOWN),
	    0);
	assert_int_equal(sim_touch(bed.sim, space, 0x10000, QR_ACCESS_READ), 0);
	assert_int_equal(sim_touch(bed.sim, space, 0xf000, QR_ACCESS_READ),
	    -QR_EFAULT);
	calls_end(&bed, space);
}

/* --- overcommit --- */

static void
test_overcommit(void **state)
{
	static const struct {
		enum qr_overcommit mode;
		unsigned flags;
		unsigned prot;
		uint64_t pages;
		int error;
	} cases[] = {
		/* 2048 frames, no device, a limit of 100 pages. */
		{ QR_OVERCOMMIT_GUESS, 0, RW, 4000, 0 },
		{ QR_OVERCOMMIT_GUESS, 0, RW, 1 << 20, -QR_ENOMEM },
		{ QR_OVERCOMMIT_GUESS, QR_MAP_CALL_NORESERVE, RW, 1 << 20, 0 },
		{ QR_OVERCOMMIT_GUESS, 0, QR_PROT_READ, 1 << 20, 0 },
		{ QR_OVERCOMMIT_ALWAYS, 0, RW, 1 << 20, 0 },
		{ QR_OVERCOMMIT_NEVER, 0, RW, 100, 0 },
		{ QR_OVERCOMMIT_NEVER, 0, RW, 101, -QR_ENOMEM },
		{ QR_OVERCOMMIT_NEVER, QR_MAP_CALL_NORESERVE, RW, 101,
		    -QR_ENOMEM },
		{ QR_OVERCOMMIT_NEVER, 0, QR_PROT_READ, 101, 0 },
	};
	(void)state;
	for (size_t i = 0; i < QR_COUNT_OF(cases); i++) {
		struct bed bed;
		struct sim_config sim_config = { .ram_bytes = 8 << 20 };
		struct qr_machine_config config = {
			.overcommit = cases[i].mode,
			.commit_pages_max = 100,
		};
		bed_make(&bed, &sim_config, &config);
		struct qr_space *space = bed_space(&bed);
		assert_int_equal(call_map(space, AT, cases[i].pages,
				     cases[i].prot, cases[i].flags),
		    cases[i].error);
		/* A promise can be broken neither by rights nor by size. */
		if (cases[i].error == 0 &&
		    cases[i].mode == QR_OVERCOMMIT_NEVER) {
			assert_int_equal(call_remap(space, cases[i].pages,
					     cases[i].pages + 1, 0),
			    cases[i].prot == RW ? -QR_ENOMEM : 0);
			assert_int_equal(qr_call_mprotect(space, AT,
					     cases[i].pages * PAGE, RW),
			    cases[i].prot == RW ? 0 : -QR_ENOMEM);
		}
		qr_space_destroy(space);
		struct qr_machine_stat stat;
		qr_machine_stat(bed.machine, &stat);
		assert_int_equal(stat.commit_pages, 0);
		bed_end(&bed);
	}
}

/* --- no memory --- */

/* Contents of an address space, as text. */
struct picture {
	char text[2000];
	size_t used;
};

static void
picture_area(void *ctx, const struct qr_area_info *info)
{
	struct picture *picture = ctx;
	int n = snprintf(picture->text + picture->used,
	    sizeof(picture->text) - picture->used, "%llx-%llx %u %x\n",
	    (unsigned long long)info->start, (unsigned long long)info->end,
	    info->prot, info->flags);
	picture->used += (size_t)n;
}

static void
picture_of(struct qr_space *space, struct picture *picture)
{
	memset(picture, 0, sizeof(*picture));
	qr_space_lock(space);
	qr_space_for_each_area(space, picture_area, picture);
	qr_space_unlock(space);
}

/* The calls that are made to fail; the space has 20 touched pages at AT. */
static int
failing_call(struct qr_space *space, unsigned which)
{
	struct qr_mremap far = {
		.address = AT + 4 * PAGE,
		.old_length = 8 * PAGE,
		.new_length = 8 * PAGE,
		.flags = QR_MREMAP_MAYMOVE | QR_MREMAP_FIXED,
		.new_address = (uint64_t)1 << 40,
	};
	uint64_t at;
	switch (which) {
	case 0:
		return call_map(space, AT + 40 * PAGE, 4, RW, 0);
	case 1:
		return call_map(space, AT + 5 * PAGE, 4, QR_PROT_READ, 0);
	case 2:
		return qr_call_munmap(space, AT + 5 * PAGE, PAGE);
	case 3:
		return qr_call_mprotect(space, AT + 5 * PAGE, PAGE,
		    QR_PROT_READ);
	case 4:
		return call_remap(space, 20, 30, QR_MREMAP_MAYMOVE);
	case 5:
		return qr_call_mremap(space, &far, &at);
	case 6:
		far.flags |= QR_MREMAP_DONTUNMAP;
		return qr_call_mremap(space, &far, &at);
	case 7:
		return qr_call_mlock2(space, AT + 2 * PAGE, 5 * PAGE,
		    QR_MLOCK_ONFAULT);
	default:
		return 1;
	}
}

static void
test_no_memory(void **state)
{
	unsigned failures = 0;
	(void)state;
	for (unsigned which = 0;; which++) {
		int error = -QR_ENOMEM;
		for (long nth = 1; error < 0; nth++) {
			struct bed bed;
			struct qr_space *space;
			static struct picture before;
			static struct picture after;
			calls_make(&bed, &space);
			assert_int_equal(call_map(space, AT, 20, RW, 0), 0);
			for (unsigned i = 0; i < 20; i++)
				assert_int_equal(sim_write(bed.sim, space,
						     AT + i * PAGE, &"x"[0], 1),
				    0);
			picture_of(space, &before);
			alloc_fail_in = nth;
			alloc_failed = false;
			error = failing_call(space, which);
			alloc_fail_in = 0;
			if (error < 0) {
				assert_int_equal(error, -QR_ENOMEM);
				picture_of(space, &after);
				assert_string_equal(before.text, after.text);
				failures++;
			}
			calls_end(&bed, space);
		}
		if (error == 1)
			break;
		assert_int_equal(error, 0);
	}
	/* One at least for each kind. */
	assert_true(failures >= 8);
}

/* --- files --- */

static int
map_file(struct qr_space *space, struct qr_object *object,
    const struct qr_mmap *how)
{
	struct qr_mmap call = *how;
	uint64_t at;
	call.address = AT;
	call.length = 4 * PAGE;
	call.object = object;
	call.flags |= QR_MAP_CALL_FIXED;
	return qr_call_mmap(space, &call, &at);
}

/* What the descriptor was opened for decides. */
static void
test_files(void **state)
{
	enum { R = QR_ACCESS_READ, W = QR_ACCESS_WRITE };
	enum {
		SHARED = QR_MAP_CALL_SHARED,
		PRIVATE = QR_MAP_CALL_PRIVATE,
		VALIDATE = QR_MAP_CALL_VALIDATE
	};
	static const struct {
		struct qr_mmap how;
		int error;
	} cases[] = {
		{ { .prot = RW, .flags = SHARED, .access = R | W }, 0 },
		{ { .prot = RW, .flags = SHARED, .access = R }, -QR_EACCES },
		{ { .prot = RW, .flags = SHARED, .access = W }, -QR_EACCES },
		{ { .prot = QR_PROT_READ, .flags = SHARED, .access = R }, 0 },
		{ { .prot = RW, .flags = PRIVATE, .access = R }, 0 },
		{ { .prot = RW, .flags = PRIVATE, .access = W }, -QR_EACCES },
		{ { .prot = RW, .flags = VALIDATE, .access = R | W }, 0 },
		{ { .prot = RW,
		      .flags = VALIDATE | 0x8000000u,
		      .access = R | W },
		    -QR_EOPNOTSUPP },
		{ { .prot = RW,
		      .flags = PRIVATE | QR_MAP_CALL_GROWSDOWN,
		      .access = R | W },
		    -QR_EINVAL },
		{ { .prot = RW, .flags = 0, .access = R | W }, -QR_EINVAL },
		{ { .prot = RW,
		      .flags = SHARED,
		      .access = R | W,
		      .offset = QR_OBJECT_BYTES_MAX - PAGE },
		    -QR_EOVERFLOW },
		{ { .prot = RW, .flags = SHARED, .access = R | W, .offset = 1 },
		    -QR_EINVAL },
	};
	struct bed bed;
	struct qr_space *space;
	struct qr_object *object;
	(void)state;
	calls_make(&bed, &space);
	assert_int_equal(qr_memory_create(bed.machine, 8 * PAGE, 0, &object),
	    0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(map_file(space, object, &cases[i].how),
		    cases[i].error);
	assert_int_equal(map_file(space, NULL, &cases[0].how), -QR_EBADF);
	/* The right to write is not to be had later either. */
	assert_int_equal(map_file(space, object, &cases[3].how), 0);
	assert_int_equal(call_map(space, AT + 4 * PAGE, 1, QR_PROT_READ, 0), 0);
	assert_int_equal(qr_call_mprotect(space, AT, 5 * PAGE, RW), -QR_EACCES);
	assert_int_equal(qr_call_mprotect(space, AT + 4 * PAGE, PAGE, RW), 0);
	assert_int_equal(qr_call_mprotect(space, AT, PAGE, QR_PROT_NONE), 0);
	qr_object_put(object);
	calls_end(&bed, space);
}

/* MS_SYNC alone writes, now, and what it could not write is an error. */
static void
test_msync(void **state)
{
	struct bed bed;
	struct qr_space *space;
	struct qr_object *object;
	(void)state;
	calls_make(&bed, &space);
	struct sim_file *file = sim_file_create(bed.sim, 4 * PAGE);
	assert_int_equal(qr_file_open(bed.machine, file, 4 * PAGE, &object), 0);
	const struct qr_mmap how = { .prot = RW,
		.flags = QR_MAP_CALL_SHARED,
		.access = QR_ACCESS_READ | QR_ACCESS_WRITE };
	assert_int_equal(map_file(space, object, &how), 0);
	qr_object_put(object);
	assert_int_equal(sim_write(bed.sim, space, AT + PAGE, "abc", 3), 0);
	assert_int_equal(qr_call_msync(space, AT, 4 * PAGE,
			     QR_MS_ASYNC | QR_MS_INVALIDATE),
	    0);
	assert_int_equal(sim_file_bytes(file)[PAGE], 0);
	assert_int_equal(qr_call_msync(space, AT, PAGE, QR_MS_SYNC), 0);
	assert_int_equal(sim_file_bytes(file)[PAGE], 0);
	sim_fail_after(bed.sim, SIM_FILE_WRITE, 1, -QR_EIO);
	assert_int_equal(qr_call_msync(space, AT, 4 * PAGE, QR_MS_SYNC),
	    -QR_EIO);
	assert_int_equal(qr_call_msync(space, AT, 5 * PAGE, QR_MS_SYNC),
	    -QR_ENOMEM);
	assert_memory_equal(sim_file_bytes(file) + PAGE, "abc", 3);
	sim_file_lose_power(file);
	assert_memory_equal(sim_file_bytes(file) + PAGE, "abc", 3);
	calls_end(&bed, space);
}

/* Shared memory is promised as a whole, once, however often it is mapped; a
 * memfd page by page; a file never. */
static void
test_shared_promises(void **state)
{
	struct bed bed;
	struct qr_space *space;
	struct qr_space *child;
	struct qr_object *object;
	struct qr_machine_stat stat;
	(void)state;
	calls_make(&bed, &space);
	struct qr_mmap call = { .length = 10 * PAGE,
		.prot = RW,
		.flags = QR_MAP_CALL_SHARED | QR_MAP_CALL_ANONYMOUS };
	uint64_t at;
	assert_int_equal(qr_call_mmap(space, &call, &at), 0);
	qr_machine_stat(bed.machine, &stat);
	assert_int_equal(stat.commit_pages, 10);
	assert_int_equal(qr_space_fork(space, &child), 0);
	qr_machine_stat(bed.machine, &stat);
	assert_int_equal(stat.commit_pages, 10);
	assert_int_equal(sim_write(bed.sim, child, at, "x", 1), 0);
	qr_space_destroy(child);
	char byte = 0;
	assert_int_equal(sim_read(bed.sim, space, at, &byte, 1), 0);
	assert_int_equal(byte, 'x');
	assert_int_equal(qr_call_munmap(space, at, 10 * PAGE), 0);
	qr_machine_stat(bed.machine, &stat);
	assert_int_equal(stat.commit_pages, 0);

	assert_int_equal(qr_memory_create(bed.machine, 10 * PAGE, 0, &object),
	    0);
	call.object = object;
	call.access = QR_ACCESS_READ | QR_ACCESS_WRITE;
	call.flags = QR_MAP_CALL_SHARED;
	assert_int_equal(qr_call_mmap(space, &call, &at), 0);
	assert_int_equal(sim_write(bed.sim, space, at + PAGE, "x", 1), 0);
	qr_machine_stat(bed.machine, &stat);
	assert_int_equal(stat.commit_pages, 1);
	call.flags = QR_MAP_CALL_PRIVATE;
	assert_int_equal(qr_call_mmap(space, &call, &at), 0);
	qr_machine_stat(bed.machine, &stat);
	assert_int_equal(stat.commit_pages, 11);
	qr_object_put(object);
	calls_end(&bed, space);
}

/* --- quota --- */

static struct qr_quota
quota_of(struct qr_space *space)
{
	struct qr_quota quota;
	qr_quota_get(space, &quota);
	return quota;
}

/* The balance is what a call can have: one page more is refused and nothing is
 * changed by it. All ways to more memory are held to it. */
static void
test_quota(void **state)
{
	struct qr_quota quota = { .pages = 20, .reserve_pages = 3 };
	struct bed bed;
	struct qr_space *space;
	(void)state;
	calls_make(&bed, &space);
	assert_int_equal(quota_of(space).balance_pages, QR_NO_LIMIT);
	assert_int_equal(call_map(space, AT, 8, RW, 0), 0);
	qr_quota_set(space, &quota);
	assert_int_equal(quota_of(space).charged_pages, 8);
	assert_int_equal(quota_of(space).balance_pages, 12);
	assert_int_equal(call_map(space, 2 * AT, 13, RW, 0), -QR_ENOMEM);
	assert_int_equal(call_remap(space, 8, 21, QR_MREMAP_MAYMOVE),
	    -QR_ENOMEM);
	assert_int_equal(quota_of(space).balance_pages, 12);
	/* What may not be written is not promised, until it may. */
	assert_int_equal(call_map(space, 2 * AT, 13, QR_PROT_READ, 0), 0);
	assert_int_equal(qr_call_mprotect(space, 2 * AT, 13 * PAGE, RW),
	    -QR_ENOMEM);
	assert_int_equal(qr_call_mprotect(space, 2 * AT, 10 * PAGE, RW), 0);
	assert_int_equal(quota_of(space).balance_pages, 2);
	assert_int_equal(call_remap(space, 8, 10, 0), 0);
	assert_int_equal(quota_of(space).balance_pages, 0);
	assert_int_equal(call_map(space, 3 * AT, 1, RW, 0), -QR_ENOMEM);
	/* All that was promised can be touched. */
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(sim_touch(bed.sim, space, AT + i * PAGE,
				     QR_ACCESS_WRITE),
		    0);
	}
	qr_check_machine(bed.machine);
	assert_int_equal(qr_call_munmap(space, AT, 4 * PAGE), 0);
	assert_int_equal(quota_of(space).balance_pages, 4);
	calls_end(&bed, space);
}

/* At the end of the quota the program opens the reserve, cleans up with what it
 * has got, and finds the reserve shut and whole for the next time. */
static void
test_quota_reserve(void **state)
{
	struct qr_quota quota = { .pages = 10, .reserve_pages = 3 };
	struct bed bed;
	struct qr_space *space;
	(void)state;
	calls_make(&bed, &space);
	qr_quota_set(space, &quota);
	for (unsigned turn = 0; turn < 3; turn++) {
		assert_int_equal(call_map(space, AT, 10, RW, 0), 0);
		assert_int_equal(call_map(space, 2 * AT, 2, RW, 0), -QR_ENOMEM);
		qr_quota_open(space);
		assert_int_equal(quota_of(space).balance_pages, 3);
		assert_int_equal(call_map(space, 2 * AT, 2, RW, 0), 0);
		assert_int_equal(call_map(space, 3 * AT, 2, RW, 0), -QR_ENOMEM);
		assert_true(quota_of(space).open);
		assert_int_equal(qr_call_munmap(space, AT, PAGE), 0);
		assert_true(quota_of(space).open);
		assert_int_equal(qr_call_munmap(space, AT, 10 * PAGE), 0);
		assert_false(quota_of(space).open);
		assert_int_equal(quota_of(space).balance_pages, 8);
		assert_int_equal(qr_call_munmap(space, 2 * AT, 2 * PAGE), 0);
	}
	calls_end(&bed, space);
}

/* A child counts for itself; a quota that is lowered below what is promised
 * stops what comes, and what ends a space gives all back. */
static void
test_quota_forks(void **state)
{
	struct qr_quota quota = { .pages = 10 };
	struct qr_quota lower = { .pages = 4, .reserve_pages = QR_NO_LIMIT };
	struct bed bed;
	struct qr_space *space;
	struct qr_space *child;
	(void)state;
	calls_make(&bed, &space);
	qr_quota_set(space, &quota);
	assert_int_equal(call_map(space, AT, 6, RW, 0), 0);
	assert_int_equal(qr_space_fork(space, &child), 0);
	assert_int_equal(quota_of(child).balance_pages, 4);
	assert_int_equal(call_map(child, 2 * AT, 4, RW, 0), 0);
	assert_int_equal(quota_of(space).balance_pages, 4);
	qr_quota_set(space, &lower);
	assert_int_equal(quota_of(space).balance_pages, 0);
	assert_int_equal(call_map(space, 2 * AT, 1, RW, 0), -QR_ENOMEM);
	qr_quota_open(space);
	assert_int_equal(quota_of(space).balance_pages, QR_NO_LIMIT - 6);
	/* More promised than the child may have: no child. */
	qr_quota_set(space, &lower);
	qr_space_destroy(child);
	assert_int_equal(qr_space_fork(space, &child), -QR_ENOMEM);
	qr_check_machine(bed.machine);
	calls_end(&bed, space);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit_as),
		cmocka_unit_test(test_limit_data),
		cmocka_unit_test(test_limit_areas),
		cmocka_unit_test(test_limit_memlock),
		cmocka_unit_test(test_mlockall),
		cmocka_unit_test(test_brk),
		cmocka_unit_test(test_stack_grows),
		cmocka_unit_test(test_stack_gap),
		cmocka_unit_test(test_overcommit),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_msync),
		cmocka_unit_test(test_shared_promises),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_quota_reserve),
		cmocka_unit_test(test_quota_forks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
