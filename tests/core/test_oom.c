/* SPDX-License-Identifier: MIT */
/*
 * tests/core/test_oom.c: proves which space is named when memory is out, by
 * size, adjustment and age; and that a kernel which ends it and tries again
 * always gets on: for each size of RAM and swap device, with programs that want
 * more than there is, a touch is served or somebody goes, and the last one runs
 * to its end.
 */
#include "core/machine/machine_impl.h"
#include "machine_bed.h"

#define PAGE  QR_PAGE_SIZE
#define COUNT 4u

static void
touch_pages(const struct bed *bed, struct qr_space *space, unsigned pages)
{
	qr_vaddr_t at = bed_map(space, pages);
	for (unsigned i = 0; i < pages; i++)
		assert_int_equal(sim_touch(bed->sim, space, at + i * PAGE,
				     QR_ACCESS_WRITE),
		    0);
}

static void
count_scores(void *ctx, const struct qr_oom_score *score)
{
	unsigned *count = ctx;
	assert_int_equal(score->badness >= 0 || score->adjust < 0, true);
	(*count)++;
}

static void
test_choice(void **state)
{
	static const struct {
		unsigned pages[3];
		int adjust[3];
		int chosen;     /* index; -1: none */
		unsigned asked; /* how many could be */
	} cases[] = {
		{ { 10, 300, 20 }, { 0, 0, 0 }, 1, 3 },
		{ { 10, 300, 20 }, { 0, QR_OOM_NEVER, 0 }, 2, 2 },
		{ { 10, 300, 20 }, { QR_OOM_FIRST, 0, 0 }, 0, 3 },
		/* 2048 frames: a thousandth is 2 pages. */
		{ { 10, 300, 20 }, { 0, -144, 0 }, 2, 3 },
		{ { 10, 300, 20 }, { 0, -100, 0 }, 1, 3 },
		{ { 50, 50, 50 }, { 0, 0, 0 }, 0, 3 },
		{ { 50, 50, 51 }, { 0, 0, 0 }, 2, 3 },
		{ { 9, 9, 9 }, { QR_OOM_NEVER, QR_OOM_NEVER, QR_OOM_NEVER }, -1,
		    0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bed bed;
		struct sim_config sim_config = { .ram_bytes = 8 << 20 };
		struct qr_machine_config config = { .fault_around = 1 };
		struct qr_space *spaces[3];
		struct qr_oom_score worst = { .space = NULL };
		unsigned asked = 0;
		bed_make(&bed, &sim_config, &config);
		for (unsigned k = 0; k < 3; k++) {
			spaces[k] = bed_space(&bed);
			touch_pages(&bed, spaces[k], cases[i].pages[k]);
			assert_int_equal(qr_space_oom_adjust(spaces[k],
					     cases[i].adjust[k]),
			    0);
		}
		int error = qr_machine_oom_choose(bed.machine, count_scores,
		    &asked, &worst);
		assert_int_equal(error, cases[i].chosen < 0 ? -QR_ENOENT : 0);
		assert_int_equal(asked, cases[i].asked);
		if (cases[i].chosen >= 0)
			assert_ptr_equal(worst.space, spaces[cases[i].chosen]);
		for (unsigned k = 0; k < 3; k++)
			qr_space_destroy(spaces[k]);
		bed_end(&bed);
	}
}

static void
test_adjust(void **state)
{
	struct bed bed;
	struct sim_config sim_config = { .ram_bytes = 1 << 20 };
	struct qr_oom_score worst;
	struct qr_space *child;
	(void)state;
	bed_make(&bed, &sim_config, NULL);
	struct qr_space *space = bed_space(&bed);
	assert_int_equal(qr_space_oom_adjust(space, 1001), -QR_EINVAL);
	assert_int_equal(qr_space_oom_adjust(space, -1001), -QR_EINVAL);
	assert_int_equal(qr_space_oom_adjust(space, QR_OOM_NEVER), 0);
	assert_int_equal(qr_space_fork(space, &child), 0);
	assert_int_equal(qr_machine_oom_choose(bed.machine, NULL, NULL, &worst),
	    -QR_ENOENT);
	assert_int_equal(qr_space_oom_adjust(child, 0), 0);
	assert_int_equal(qr_machine_oom_choose(bed.machine, NULL, NULL, &worst),
	    0);
	assert_ptr_equal(worst.space, child);
	qr_space_destroy(child);
	qr_space_destroy(space);
	bed_end(&bed);
}

/* --- a kernel that kills --- */

struct program {
	struct qr_space *space; /* NULL: it was ended */
	qr_vaddr_t at;
	unsigned next;
};

static void
program_end(struct program programs[COUNT], const struct qr_space *space)
{
	for (unsigned i = 0; i < COUNT; i++) {
		if (programs[i].space == space)
			programs[i].space = NULL;
	}
}

/* Touches the next page of a program, ending whom it takes. */
static unsigned
program_step(const struct bed *bed, struct program programs[COUNT],
    struct program *program)
{
	unsigned killed = 0;
	qr_vaddr_t page = program->at + program->next * PAGE;
	unsigned char data[2] = { (unsigned char)program->next, 1 };
	while (program->space != NULL) {
		int error = sim_write(bed->sim, program->space,
		    page + program->next % 4000, data, sizeof(data));
		if (error == 0)
			break;
		struct qr_oom_score worst;
		assert_int_equal(error, -QR_ENOMEM);
		assert_int_equal(qr_machine_oom_choose(bed->machine, NULL, NULL,
				     &worst),
		    0);
		program_end(programs, worst.space);
		qr_space_destroy(worst.space);
		killed++;
		/* There are no more than that. */
		assert_true(killed <= COUNT);
	}
	program->next++;
	return killed;
}

static unsigned
sweep_run(uint64_t ram_bytes, uint64_t swap_pages, unsigned pages)
{
	struct bed bed;
	struct sim_config sim_config = { .ram_bytes = ram_bytes,
		.swap_pages = swap_pages };
	struct program programs[COUNT];
	unsigned killed = 0;
	bed_make(&bed, &sim_config, NULL);
	sim_set_background(bed.sim, bed.machine);
	for (unsigned i = 0; i < COUNT; i++) {
		programs[i].space = bed_space(&bed);
		programs[i].at = bed_map(programs[i].space, pages);
		programs[i].next = 0;
	}
	for (unsigned step = 0; step < pages * COUNT; step++)
		killed += program_step(&bed, programs, &programs[step % COUNT]);
	for (unsigned i = 0; i < COUNT; i++) {
		if (programs[i].space != NULL)
			qr_space_destroy(programs[i].space);
	}
	bed_end(&bed);
	return killed;
}

static void
test_sweep(void **state)
{
	(void)state;
	for (uint64_t ram = 1; ram <= 4; ram *= 2) {
		unsigned before = COUNT + 1;
		for (uint64_t swap = 0; swap <= 1024; swap += 512) {
			/* Each wants two thirds of the RAM. */
			unsigned pages = (unsigned)(ram * 256 * 2 / 3);
			unsigned killed = sweep_run(ram << 20, swap, pages);
			/* More room never costs more lives. */
			assert_true(killed <= before);
			before = killed;
		}
		/* Without a device three of the four can't stay. */
		assert_true(sweep_run(ram << 20, 0,
				(unsigned)(ram * 256 * 2 / 3)) >= 2);
	}
	assert_int_equal(sweep_run(1 << 20, 2048, 170), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_adjust),
		cmocka_unit_test(test_sweep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
