/* SPDX-License-Identifier: MIT */
/*
 * test_hotplug.c: blocks of memory come and go in four states; pages are moved
 * out of one that goes without a byte of them changing, and what can't be moved,
 * or has no place to go to, keeps it as it was. And memory is as much as was
 * asked for: maximum, current, and what was plugged on top.
 */
#include "frame_rig.h"

#include "alloc_fail.h"
#include "core/frame/hotplug.h"
#include "core/machine/machine_impl.h"
#include "machine_bed.h"
#include "random.h"

#define MIB        ((uint64_t)1 << 20)
#define RAM        (64 * MIB)
#define PLUG_END   (320 * MIB)
#define SLOTS      3u
#define BOOT_SLOTS 2u /* of RAM */

static const struct sim_config plug_sim = {
	.ram_bytes = RAM,
	.plug_bytes = PLUG_END,
};

static const struct qr_machine_config plug_config = {
	.codec = &bed_codec,
	.plug_slots = SLOTS,
	.plug_end = PLUG_END,
};

/* A machine with one space, whose pages each hold their own number. */
struct field {
	struct bed bed;
	struct qr_frames *frames;
	struct qr_space *space;
	qr_vaddr_t base;
	uint64_t pages;
};

static struct field
field_make(uint64_t pages)
{
	struct field field = { .pages = pages };
	bed_make(&field.bed, &plug_sim, &plug_config);
	field.frames = field.bed.machine->frames;
	field.space = bed_space(&field.bed);
	field.base = bed_map(field.space, pages);
	return field;
}

static void
field_fill(struct field *field)
{
	for (uint64_t i = 0; i < field->pages; i++) {
		uint64_t value = i * 0x9e3779b97f4a7c15u + 1;
		assert_int_equal(sim_write(field->bed.sim, field->space,
				     field->base + i * QR_PAGE_SIZE, &value,
				     sizeof(value)),
		    0);
	}
}

static void
field_check(struct field *field)
{
	for (uint64_t i = 0; i < field->pages; i++) {
		uint64_t value = 0;
		assert_int_equal(sim_read(field->bed.sim, field->space,
				     field->base + i * QR_PAGE_SIZE, &value,
				     sizeof(value)),
		    0);
		assert_int_equal(value, i * 0x9e3779b97f4a7c15u + 1);
	}
	qr_check_machine(field->bed.machine);
}

static void
field_end(struct field *field)
{
	qr_space_destroy(field->space);
	bed_end(&field->bed);
}

/* Plugs a block and puts it in use; its slot. */
static uint32_t
field_plug(struct field *field, qr_paddr_t start)
{
	uint32_t slot = UINT32_MAX;
	sim_plug(field->bed.sim, start, QR_MEMORY_BLOCK_BYTES);
	assert_int_equal(qr_machine_block_add(field->bed.machine, start, &slot),
	    0);
	assert_int_equal(qr_machine_block_online(field->bed.machine, slot), 0);
	return slot;
}

static uint64_t
total_of(const struct field *field)
{
	struct qr_frame_stat stat;
	qr_frame_stat(field->frames, &stat);
	return stat.total;
}

static uint64_t
used_in(const struct field *field, uint32_t slot)
{
	uint64_t used = 0;
	for (uint64_t i = 0; i < SECTION_PAGES; i++)
		used +=
		    field->frames->pages[((uint64_t)slot << SECTION_SHIFT) + i]
			.kind != QR_PAGE_FREE;
	return used;
}

/* --- states --- */

/* Each call in each state, by what it answers. */
static void
test_states(void **state)
{
	enum { ONLINE, OFFLINE, REMOVE, CALLS };
	static int (*const calls[CALLS])(struct qr_machine * machine,
	    uint32_t slot) = {
		[ONLINE] = qr_machine_block_online,
		[OFFLINE] = qr_machine_block_offline,
		[REMOVE] = qr_machine_block_remove,
	};
	static const struct {
		int call;
		int error;
		enum qr_block_state then;
	} cases[] = {
		{ OFFLINE, -QR_EBUSY, QR_BLOCK_OFFLINE },
		{ ONLINE, 0, QR_BLOCK_ONLINE },
		{ ONLINE, -QR_EBUSY, QR_BLOCK_ONLINE },
		{ REMOVE, -QR_EBUSY, QR_BLOCK_ONLINE },
		{ OFFLINE, 0, QR_BLOCK_OFFLINE },
		{ REMOVE, 0, QR_BLOCK_ABSENT },
		{ REMOVE, -QR_EBUSY, QR_BLOCK_ABSENT },
		{ OFFLINE, -QR_EBUSY, QR_BLOCK_ABSENT },
		{ ONLINE, -QR_EBUSY, QR_BLOCK_ABSENT },
	};
	struct field field = field_make(10);
	struct qr_machine *machine = field.bed.machine;
	struct qr_memory_block block;
	uint32_t slot;
	(void)state;
	assert_int_equal(qr_machine_block_count(machine), BOOT_SLOTS + SLOTS);
	sim_plug(field.bed.sim, 128 * MIB, QR_MEMORY_BLOCK_BYTES);
	assert_int_equal(qr_machine_block_add(machine, 128 * MIB, &slot), 0);
	assert_int_equal(slot, BOOT_SLOTS);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(calls[cases[i].call](machine, slot),
		    cases[i].error);
		qr_machine_block_get(machine, slot, &block);
		assert_int_equal(block.state, cases[i].then);
		assert_true(block.is_removable);
		assert_int_equal(block.start,
		    cases[i].then == QR_BLOCK_ABSENT ? 0 : 128 * MIB);
		qr_check_machine(machine);
	}
	/* What was there at boot. */
	assert_int_equal(qr_machine_block_remove(machine, 0), -QR_EPERM);
	assert_int_equal(qr_machine_block_offline(machine, 0), -QR_EBUSY);
	qr_machine_block_get(machine, 1, &block);
	assert_int_equal(block.state, QR_BLOCK_ONLINE);
	assert_false(block.is_removable);
	assert_string_equal(qr_block_state_name(block.state), "online");
	field_end(&field);
}

static void
test_places(void **state)
{
	static const struct {
		qr_paddr_t start;
		int error;
	} cases[] = {
		{ 0, -QR_EEXIST },
		{ 32 * MIB, -QR_EEXIST },
		{ 96 * MIB + QR_PAGE_SIZE, -QR_EINVAL },
		{ PLUG_END, -QR_EINVAL },
		{ UINT64_MAX - QR_MEMORY_BLOCK_BYTES + 1, -QR_EINVAL },
		{ 96 * MIB, 0 },
		{ 96 * MIB, -QR_EEXIST },
		{ PLUG_END - QR_MEMORY_BLOCK_BYTES, 0 },
		{ 64 * MIB, 0 },
		{ 192 * MIB, -QR_ENOSPC },
	};
	struct field field = field_make(10);
	uint32_t slot;
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(qr_machine_block_add(field.bed.machine,
				     cases[i].start, &slot),
		    cases[i].error);
	field_end(&field);

	struct bed plain;
	struct qr_machine_config none = { .codec = &bed_codec };
	bed_make(&plain, &plug_sim, &none);
	assert_int_equal(qr_machine_block_count(plain.machine), 0);
	assert_int_equal(qr_machine_block_add(plain.machine, 96 * MIB, &slot),
	    -QR_EOPNOTSUPP);
	bed_end(&plain);
}

/* --- pages --- */

/* A block is used, emptied, taken out, and another one put in; touching RAM that
 * is not there would end the test. */
static void
test_pages_move_away(void **state)
{
	struct field field = field_make(3000);
	struct qr_compact_stat stat;
	(void)state;
	uint64_t before = total_of(&field);
	for (unsigned round = 0; round < 3; round++) {
		qr_paddr_t start = (96 + 64 * round) * MIB;
		uint32_t slot = field_plug(&field, start);
		assert_int_equal(total_of(&field), before + SECTION_PAGES);
		/* Movable memory is used first. */
		if (round == 0)
			field_fill(&field);
		assert_true(round != 0 || used_in(&field, slot) >= 3000);
		assert_int_equal(qr_machine_block_offline(field.bed.machine,
				     slot),
		    0);
		assert_int_equal(used_in(&field, slot), 0);
		assert_int_equal(total_of(&field), before);
		assert_int_equal(qr_machine_block_remove(field.bed.machine,
				     slot),
		    0);
		sim_unplug(field.bed.sim, start, QR_MEMORY_BLOCK_BYTES);
		field_check(&field);
	}
	qr_frame_compact_stat(field.frames, &stat);
	assert_true(stat.moved >= 3000);
	field_end(&field);
}

/* Back in the same machine after it was away, the block is as good as new. */
static void
test_online_again(void **state)
{
	struct field field = field_make(6000);
	(void)state;
	uint32_t slot = field_plug(&field, 96 * MIB);
	field_fill(&field);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(qr_machine_block_offline(field.bed.machine,
				     slot),
		    0);
		field_check(&field);
		assert_int_equal(qr_machine_block_online(field.bed.machine,
				     slot),
		    0);
		field_check(&field);
	}
	field_end(&field);
}

static void
test_pinned_stays(void **state)
{
	struct field field = field_make(100);
	struct qr_pin pin = { 0 };
	(void)state;
	uint32_t slot = field_plug(&field, 96 * MIB);
	field_fill(&field);
	qr_space_pin_register(field.space, &pin);
	assert_int_equal(qr_space_pin(field.space, &pin, field.base,
			     QR_PAGE_SIZE, QR_ACCESS_WRITE),
	    0);
	assert_int_equal(qr_machine_block_offline(field.bed.machine, slot),
	    -QR_EPERM);
	field_check(&field);
	qr_space_unpin(&pin);
	qr_space_pin_unregister(field.space, &pin);
	assert_int_equal(qr_machine_block_offline(field.bed.machine, slot), 0);
	field_check(&field);
	field_end(&field);
}

/* Two blocks' worth of pages don't fit what would be left. */
static void
test_no_room(void **state)
{
	struct field field = field_make(2 * SECTION_PAGES + 4000);
	struct qr_memory_block block;
	(void)state;
	uint32_t slot = field_plug(&field, 96 * MIB);
	field_fill(&field);
	int error = qr_machine_block_offline(field.bed.machine, slot);
	assert_true(error == -QR_ENOMEM || error == -QR_EBUSY);
	qr_machine_block_get(field.bed.machine, slot, &block);
	assert_int_equal(block.state, QR_BLOCK_ONLINE);
	field_check(&field);
	/* With one more block they do. */
	(void)field_plug(&field, 192 * MIB);
	assert_int_equal(qr_machine_block_offline(field.bed.machine, slot), 0);
	field_check(&field);
	field_end(&field);
}

/* Each allocation fails once: the block is online or offline, nothing else. */
static void
test_every_allocation_fails(void **state)
{
	(void)state;
	struct field field = field_make(300);
	uint32_t slot = field_plug(&field, 96 * MIB);
	unsigned failures = 0;
	field_fill(&field);
	for (long n = 1;; n += 53) {
		alloc_failed = false;
		alloc_fail_in = n;
		int error = qr_machine_block_offline(field.bed.machine, slot);
		alloc_fail_in = 0;
		field_check(&field);
		if (error == 0 && !alloc_failed)
			break;
		failures += alloc_failed;
		if (error == 0)
			assert_int_equal(
			    qr_machine_block_online(field.bed.machine, slot),
			    0);
		/* So that there is something to move. */
		for (uint64_t i = 0; i < 300; i++) {
			struct qr_page *page = qr_frame_alloc(field.frames,
			    QR_GFP_USER, 0, QR_PAGE_USER);
			if (page != NULL)
				qr_frame_free(field.frames, page);
		}
	}
	assert_true(failures != 0);
	field_end(&field);
}

static int
migrate_never(void *ctx, struct qr_page *page, struct qr_page *to)
{
	(void)ctx;
	(void)page;
	(void)to;
	fail_msg("all is free");
	return -QR_EPERM;
}

/* Boot's own memory goes offline where nothing of the core's is in it. */
static void
test_boot_memory(void **state)
{
	static const struct qr_frame_config config = {
		.movable_pages = 2 * SECTION_PAGES,
		.plug_slots = 1,
		.plug_end = PLUG_END,
	};
	const struct sim_config sim_config = { .ram_bytes = 2 * RAM };
	struct rig *rig = rig_prepare(&sim_config);
	struct qr_frame_ops ops = rig_frame_ops;
	struct qr_frame_stat stat;
	(void)state;
	assert_int_equal(qr_frame_create(&rig->port, &rig->boot, &config,
			     &rig->frames),
	    0);
	assert_int_equal(qr_memory_block_offline(rig->frames, 3), -QR_EPERM);
	ops.migrate = migrate_never;
	qr_frame_set_ops(rig->frames, &ops, rig);
	assert_int_equal(qr_memory_block_offline(rig->frames, 0), -QR_EBUSY);
	assert_int_equal(qr_memory_block_offline(rig->frames, 3), 0);
	assert_int_equal(qr_memory_block_remove(rig->frames, 3), -QR_EPERM);
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	qr_frame_stat(rig->frames, &stat);
	assert_int_equal(stat.total, 3 * SECTION_PAGES);
	assert_int_equal(qr_memory_block_online(rig->frames, 3), 0);
	qr_check_frames(rig->frames, QR_CHECK_CHILDREN);
	rig_destroy(rig);
}

/* --- memory as it is asked for --- */

static void
test_memory_target(void **state)
{
	struct field field = field_make(100);
	struct qr_machine *machine = field.bed.machine;
	struct qr_memory memory;
	uint64_t all = RAM / QR_PAGE_SIZE;
	uint64_t reached = 0;
	(void)state;
	qr_machine_memory(machine, &memory);
	assert_int_equal(memory.maximum_pages, all);
	assert_int_equal(memory.current_pages, all);
	assert_int_equal(memory.target_pages, all);
	assert_int_equal(qr_machine_memory_set(machine, all + 1, NULL),
	    -QR_EINVAL);
	assert_int_equal(qr_machine_memory_set(machine, all - 5000, &reached),
	    0);
	assert_int_equal(reached, all - 5000);
	/* On top. */
	uint32_t slot = field_plug(&field, 96 * MIB);
	qr_machine_memory(machine, &memory);
	assert_int_equal(memory.maximum_pages, all);
	assert_int_equal(memory.plugged_pages, SECTION_PAGES);
	assert_int_equal(memory.current_pages, all - 5000 + SECTION_PAGES);
	assert_int_equal(memory.target_pages, memory.current_pages);
	assert_int_equal(qr_machine_memory_set(machine, all, &reached), 0);
	assert_int_equal(reached, all);
	/* The balloon is in the block that goes: the block goes with it. */
	assert_int_equal(qr_machine_block_offline(machine, slot), 0);
	qr_machine_memory(machine, &memory);
	assert_int_equal(memory.plugged_pages, 0);
	assert_int_equal(memory.target_pages, all - SECTION_PAGES);
	(void)qr_machine_balance(machine);
	qr_machine_memory(machine, &memory);
	assert_int_equal(memory.current_pages, all - SECTION_PAGES);
	qr_check_machine(machine);
	field_end(&field);
}

/* The balloon shrinks rather than that memory is out, if it was told to; later
 * it is what it was to be. */
static void
test_deflate_on_oom(void **state)
{
	(void)state;
	for (unsigned deflates = 0; deflates < 2; deflates++) {
		struct qr_machine_config config = { .codec = &bed_codec,
			.deflate_on_oom = deflates != 0 };
		struct sim_config sim_config = { .ram_bytes = 16 * MIB };
		struct bed bed;
		struct qr_memory memory;
		bed_make(&bed, &sim_config, &config);
		assert_int_equal(qr_machine_memory_set(bed.machine, 1500, NULL),
		    0);
		struct qr_space *space = bed_space(&bed);
		struct test_random random = { 1 };
		qr_vaddr_t base = bed_map(space, 2500);
		int error = 0;
		/* What can't be compressed, and nowhere else to go. */
		for (uint64_t i = 0; i < 2500 * 512 && error == 0; i++) {
			uint64_t value = test_random_next(&random);
			error = sim_write(bed.sim, space, base + 8 * i, &value,
			    sizeof(value));
		}
		qr_machine_memory(bed.machine, &memory);
		assert_int_equal(memory.target_pages, 1500);
		if (deflates != 0) {
			assert_int_equal(error, 0);
			assert_true(memory.current_pages > 2500);
		} else {
			assert_int_equal(error, -QR_ENOMEM);
			assert_int_equal(memory.current_pages, 1500);
		}
		qr_check_machine(bed.machine);
		qr_space_destroy(space);
		for (unsigned i = 0; i < 3; i++)
			(void)qr_machine_balance(bed.machine);
		qr_machine_memory(bed.machine, &memory);
		assert_int_equal(memory.current_pages, 1500);
		bed_end(&bed);
	}
}

/* --- beside a model --- */

/* What should be, by slot. */
struct model {
	struct field field;
	enum qr_block_state is[SLOTS];
	qr_paddr_t start[SLOTS];
	uint64_t boot_pages;
	struct test_random random;
};

static void
model_step(struct model *model)
{
	struct qr_machine *machine = model->field.bed.machine;
	uint32_t i = (uint32_t)test_random_below(&model->random, SLOTS);
	uint32_t slot = BOOT_SLOTS + i;
	uint32_t got = 0;
	qr_paddr_t start =
	    RAM + test_random_below(&model->random, 8) * QR_MEMORY_BLOCK_BYTES;
	bool is_taken = false;
	int error;
	switch (test_random_below(&model->random, 4)) {
	case 0:
		for (uint32_t k = 0; k < SLOTS; k++)
			is_taken |= model->is[k] != QR_BLOCK_ABSENT &&
				    model->start[k] == start;
		if (!is_taken)
			sim_plug(model->field.bed.sim, start,
			    QR_MEMORY_BLOCK_BYTES);
		error = qr_machine_block_add(machine, start, &got);
		if (error == 0) {
			assert_false(is_taken);
			i = got - BOOT_SLOTS;
			assert_int_equal(model->is[i], QR_BLOCK_ABSENT);
			model->is[i] = QR_BLOCK_OFFLINE;
			model->start[i] = start;
		} else if (!is_taken) {
			assert_int_equal(error, -QR_ENOSPC);
			sim_unplug(model->field.bed.sim, start,
			    QR_MEMORY_BLOCK_BYTES);
		}
		break;
	case 1:
		error = qr_machine_block_online(machine, slot);
		assert_int_equal(error == 0, model->is[i] == QR_BLOCK_OFFLINE);
		if (error == 0)
			model->is[i] = QR_BLOCK_ONLINE;
		break;
	case 2:
		error = qr_machine_block_offline(machine, slot);
		if (model->is[i] != QR_BLOCK_ONLINE)
			assert_int_equal(error, -QR_EBUSY);
		else if (error == 0)
			model->is[i] = QR_BLOCK_OFFLINE;
		break;
	default:
		error = qr_machine_block_remove(machine, slot);
		assert_int_equal(error == 0, model->is[i] == QR_BLOCK_OFFLINE);
		if (error == 0) {
			model->is[i] = QR_BLOCK_ABSENT;
			sim_unplug(model->field.bed.sim, model->start[i],
			    QR_MEMORY_BLOCK_BYTES);
		}
		break;
	}
}

static void
model_compare(struct model *model)
{
	struct qr_memory_block block;
	uint64_t online = 0;
	for (uint32_t i = 0; i < SLOTS; i++) {
		qr_machine_block_get(model->field.bed.machine, BOOT_SLOTS + i,
		    &block);
		assert_int_equal(block.state, model->is[i]);
		if (block.state != QR_BLOCK_ABSENT)
			assert_int_equal(block.start, model->start[i]);
		online += block.state == QR_BLOCK_ONLINE;
	}
	assert_int_equal(total_of(&model->field),
	    model->boot_pages + online * SECTION_PAGES);
}

static void
test_against_model(void **state)
{
	struct model model = { .random = test_random_start("hotplug") };
	(void)state;
	model.field = field_make(5000);
	model.boot_pages = total_of(&model.field);
	field_fill(&model.field);
	for (unsigned step = 0; step < 160; step++) {
		model_step(&model);
		model_compare(&model);
		if (step % 40 == 0)
			field_check(&model.field);
	}
	field_check(&model.field);
	field_end(&model.field);
}

/* --- the checker --- */

static void
do_check(void *ctx)
{
	struct field *field = ctx;
	qr_check_frames(field->frames, QR_CHECK_CHILDREN);
}

static void
assert_names_9(struct field *field)
{
	const char *message = sim_expect_panic(do_check, field);
	assert_non_null(message);
	assert_non_null(strstr(message, "[frame."));
}

static void
test_checker_names_the_invariant(void **state)
{
	struct field field = field_make(10);
	uint32_t slot;
	(void)state;
	assert_int_equal(qr_machine_block_add(field.bed.machine, 96 * MIB,
			     &slot),
	    0);
	_Atomic(uint8_t) *is = &field.frames->slot_state[slot];
	struct qr_page *page =
	    &field.frames->pages[(uint64_t)slot << SECTION_SHIFT];
	do_check(&field);
	atomic_store(is, QR_BLOCK_GOING);
	assert_names_9(&field);
	atomic_store(is, QR_BLOCK_ABSENT);
	assert_names_9(&field);
	atomic_store(is, QR_BLOCK_OFFLINE);
	page->kind = QR_PAGE_KERNEL;
	assert_names_9(&field);
	page->kind = QR_PAGE_FREE;
	(void)qr_buddy_free(zone_buddy(&field.frames->zone[0], 0), 0, 0);
	assert_names_9(&field);
	assert_int_equal(qr_buddy_take_range(zone_buddy(&field.frames->zone[0],
						 0),
			     0, 1),
	    0);
	field.frames->section[slot]++;
	assert_names_9(&field);
	field.frames->section[slot]--;
	field_end(&field);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_pages_move_away),
		cmocka_unit_test(test_online_again),
		cmocka_unit_test(test_pinned_stays),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_every_allocation_fails),
		cmocka_unit_test(test_boot_memory),
		cmocka_unit_test(test_memory_target),
		cmocka_unit_test(test_deflate_on_oom),
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_checker_names_the_invariant),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
