/* SPDX-License-Identifier: MIT */
/*
 * test_interleave_space.c: two to four CPUs run programs that fork, write, map
 * files, pin, unmap and end, while others compact memory, take contiguous runs
 * out of it and evict: whatever the order in which they come to their turns,
 * each program reads what it wrote, or what its parent had at the fork, and all
 * memory comes back. The order is a function of a seed (turns.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/machine/machine_impl.h"
#include "core/machine_bed.h"
#include "turns.h"

#include <qr/object.h>

#define STEPS    50u
#define PROGRAMS 6u
#define PAGES    24u
#define SHOWN    12u /* pages of the file that each program maps */
#define RAM      ((uint64_t)3 << 20)
#define RW       (QR_PROT_READ | QR_PROT_WRITE)

/* A space and what it must hold. Who has taken it is the only one to run it. */
struct program {
	bool is_taken;
	struct qr_space *space; /* NULL: it is not there */
	uint64_t value[PAGES];
};

static struct world {
	struct sim *sim;
	struct qr_port_ops ops;
	struct qr_port port;
	struct qr_machine *machine;
	struct qr_object *object;
	qr_vaddr_t base;  /* of each program's own pages */
	qr_vaddr_t shown; /* of the file */
	struct program program[PROGRAMS];
	uint64_t file[TURN_CPUS_MAX]
		     [SHOWN]; /* a word of each page is a CPU's */
	struct test_random random[TURN_CPUS_MAX];
	uint64_t next_value;
	uint64_t moved; /* pages, in all worlds */
	uint64_t busy;
} world;

static uint64_t
random_below(unsigned cpu, uint64_t limit)
{
	return test_random_below(&world.random[cpu], limit);
}

/* Some program that is there, or not, and that nobody runs. */
static struct program *
program_take(unsigned cpu, bool is_there)
{
	uint64_t at = random_below(cpu, PROGRAMS);
	for (unsigned i = 0; i < PROGRAMS; i++) {
		struct program *program = &world.program[(at + i) % PROGRAMS];
		if (program->is_taken || (program->space != NULL) != is_there)
			continue;
		program->is_taken = true;
		return program;
	}
	return NULL;
}

/* --- what a program does --- */

static void
touch(const struct program *program, qr_vaddr_t address, uint64_t *value,
    bool is_write)
{
	int error = is_write ? sim_write(world.sim, program->space, address,
				   value, sizeof(*value))
			     : sim_read(world.sim, program->space, address,
				   value, sizeof(*value));
	need(error == 0);
}

static void
do_read(unsigned cpu, struct program *program)
{
	uint64_t page = random_below(cpu, PAGES);
	uint64_t value = 0;
	touch(program, world.base + page * QR_PAGE_SIZE, &value, false);
	need(value == program->value[page]);
}

static void
do_write(unsigned cpu, struct program *program)
{
	uint64_t page = random_below(cpu, PAGES);
	program->value[page] = ++world.next_value;
	touch(program, world.base + page * QR_PAGE_SIZE, &program->value[page],
	    true);
}

/* Its CPU's word in a page of the file that all map. */
static void
do_file(unsigned cpu, struct program *program)
{
	uint64_t page = random_below(cpu, SHOWN);
	qr_vaddr_t at = world.shown + page * QR_PAGE_SIZE + cpu * 8;
	uint64_t value = 0;
	touch(program, at, &value, false);
	need(value == world.file[cpu][page]);
	if (random_below(cpu, 2) == 0)
		return;
	world.file[cpu][page] = ++world.next_value;
	touch(program, at, &world.file[cpu][page], true);
}

static void
do_fork(unsigned cpu, struct program *program)
{
	struct program *child = program_take(cpu, false);
	struct qr_space *space = NULL;
	if (child == NULL)
		return;
	int error = qr_space_fork(program->space, &space);
	need(error == 0 || error == -QR_ENOMEM);
	if (error == 0) {
		memcpy(child->value, program->value, sizeof(child->value));
		child->space = space;
	}
	child->is_taken = false;
}

static void
do_discard(unsigned cpu, struct program *program)
{
	uint64_t page = random_below(cpu, PAGES);
	qr_space_lock(program->space);
	need(qr_space_advise(program->space, world.base + page * QR_PAGE_SIZE,
		 QR_PAGE_SIZE, QR_ADVICE_DONTNEED, 0) == 0);
	qr_space_unlock(program->space);
	program->value[page] = 0;
}

static void
do_page_out(unsigned cpu, struct program *program)
{
	uint64_t page = random_below(cpu, PAGES - 4);
	need(qr_space_advise(program->space, world.base + page * QR_PAGE_SIZE,
		 4 * QR_PAGE_SIZE, QR_ADVICE_PAGEOUT, 0) == 0);
}

static void
do_pin(unsigned cpu, struct program *program)
{
	struct qr_pin pin = { 0 };
	uint64_t page = random_below(cpu, PAGES);
	qr_space_pin_register(program->space, &pin);
	need(
	    qr_space_pin(program->space, &pin, world.base + page * QR_PAGE_SIZE,
		QR_PAGE_SIZE, QR_ACCESS_READ) == 0);
	/* It stays where it is as long as this lasts. */
	void *mm = qr_space_mm(program->space);
	unsigned char byte = 0;
	for (unsigned i = 0; i < 3; i++) {
		turn();
		need(sim_try(world.sim, mm, world.base + page * QR_PAGE_SIZE,
			 QR_ACCESS_READ, &byte) == 0);
		need(byte == (unsigned char)program->value[page]);
	}
	qr_space_unpin(&pin);
	qr_space_pin_unregister(program->space, &pin);
}

static void
program_step(unsigned cpu)
{
	static void (*const steps[])(unsigned cpu,
	    struct program *program) = { do_read, do_read, do_write, do_write,
		do_write, do_file, do_file, do_fork, do_fork, do_discard,
		do_page_out, do_pin };
	struct program *program = program_take(cpu, true);
	if (program == NULL)
		return;
	steps[random_below(cpu, sizeof(steps) / sizeof(steps[0]))](cpu,
	    program);
	program->is_taken = false;
}

/* One ends, unless it is the last that is free. */
static void
program_end(unsigned cpu)
{
	struct program *program = program_take(cpu, true);
	struct program *other = program_take(cpu, true);
	if (other != NULL) {
		qr_space_destroy(program->space);
		program->space = NULL;
		other->is_taken = false;
	}
	if (program != NULL)
		program->is_taken = false;
}

/* --- what the machine does --- */

static void
contig_step(unsigned cpu)
{
	struct qr_frames *frames = world.machine->frames;
	uint64_t count = 16 + random_below(cpu, 200);
	struct qr_page *run =
	    qr_frame_alloc_contig(frames, 0, count, 0, QR_PAGE_KERNEL);
	if (run == NULL)
		return;
	for (uint64_t i = 0; i < count; i++)
		memset(qr_frame_data(frames, &run[i]), 0x5a, QR_PAGE_SIZE);
	qr_frame_free_contig(frames, run, count);
}

static void
step(unsigned cpu)
{
	struct qr_frames *frames = world.machine->frames;
	switch (random_below(cpu, 8)) {
	case 0:
		contig_step(cpu);
		break;
	case 1:
		(void)qr_frame_compact(frames,
		    1 + (unsigned)random_below(cpu, 6), 1);
		break;
	case 2:
		program_end(cpu);
		break;
	case 3:
		(void)qr_machine_balance(world.machine);
		break;
	default:
		program_step(cpu);
		break;
	}
}

static void
work(unsigned cpu)
{
	for (unsigned i = 0; i < STEPS; i++)
		step(cpu);
}

/* --- one run --- */

static void
world_make(uint64_t seed)
{
	static const struct qr_machine_config config = { .codec = &bed_codec };
	const struct sim_config sim_config = {
		.ram_bytes = RAM,
		.cpus = 2 + (unsigned)(seed % 3),
		.swap_pages = 100,
		/* Pages that were brought in may be gone when they are touched
		 * again, as among threads. */
		.flags = SIM_THREADS | (seed % 2 == 0 ? SIM_CPU_OWNED : 0) |
			 (seed % 5 == 0 ? SIM_STAGE_WINDOW : 0),
	};
	memset(&world.program, 0, sizeof(world.program));
	memset(&world.file, 0, sizeof(world.file));
	turns_prepare(seed, sim_config.cpus);
	for (unsigned i = 0; i < sim_config.cpus; i++)
		world.random[i] =
		    (struct test_random){ seed * TURN_CPUS_MAX + i };
	world.sim = sim_create(&sim_config);
	assert_non_null(world.sim);
	world.port = *sim_port(world.sim);
	world.ops = *world.port.ops;
	world.ops.cpu = turns_cpu;
	world.ops.self = turns_self;
	world.ops.wait = turns_wait;
	world.port.ops = &world.ops;
	assert_int_equal(qr_machine_create(&world.port, &config,
			     &world.machine),
	    0);
}

/* The first program. */
static void
world_start(void)
{
	struct program *program = &world.program[0];
	struct sim_file *file = sim_file_create(world.sim, SHOWN * 4096);
	assert_int_equal(qr_file_open(world.machine, file, SHOWN * 4096,
			     &world.object),
	    0);
	struct qr_map_request request = {
		.size_bytes = SHOWN * QR_PAGE_SIZE,
		.prot = RW,
		.flags = QR_MAP_SHARED,
		.object = world.object,
	};
	assert_int_equal(qr_space_create(world.machine, &program->space), 0);
	world.base = bed_map(program->space, PAGES);
	qr_space_lock(program->space);
	assert_int_equal(qr_space_map(program->space, &request, &world.shown),
	    0);
	qr_space_unlock(program->space);
}

static void
world_end(void)
{
	struct qr_compact_stat stat;
	qr_check_machine(world.machine);
	qr_frame_compact_stat(world.machine->frames, &stat);
	world.moved += stat.moved;
	world.busy += stat.busy;
	for (unsigned i = 0; i < PROGRAMS; i++) {
		struct program *program = &world.program[i];
		for (uint64_t page = 0; page < PAGES; page++) {
			uint64_t value = 0;
			if (program->space == NULL)
				break;
			touch(program, world.base + page * QR_PAGE_SIZE, &value,
			    false);
			need(value == program->value[page]);
		}
	}
	for (unsigned i = 0; i < PROGRAMS; i++) {
		if (world.program[i].space != NULL)
			qr_space_destroy(world.program[i].space);
	}
	qr_object_put(world.object);
	qr_check_machine(world.machine);
	qr_machine_destroy(world.machine);
	sim_destroy(world.sim);
}

static void
run_seed(uint64_t seed)
{
	world_make(seed);
	world_start();
	turns_run(work);
	world_end();
}

static void
test_seeded_turns(void **state)
{
	(void)state;
	if (!HAS_COROUTINES)
		skip();
	turns_run_seeds(run_seed, QR_CONFIG_DEBUG ? 100 : 600);
	printf("%llu pages were moved, %llu in vain\n",
	    (unsigned long long)world.moved, (unsigned long long)world.busy);
	assert_true(world.moved > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seeded_turns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
