/* SPDX-License-Identifier: MIT */
/*
 * tests/port/test_sim.c: proves that the simulated machine is a port, in each
 * of its flavours, and that it catches a core that forgets a flush, breaks
 * the mmu calls' contracts or waits for nobody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "conformance.h"
#include "port/sim/sim.h"

#define LEVELS     4u
#define BASE       ((qr_vaddr_t)0x7f3456600000u)
#define FRAMES_MAX 2048u
#define TABLE_BITS (QR_PTE_PRESENT | QR_PTE_WRITE | QR_PTE_USER)

/* A machine whose frames and page tables are the test's. */
struct bench {
	struct sim *sim;
	uint32_t tag_next;
	bool taken[FRAMES_MAX];
	struct {
		void *mm;
		qr_pfn_t root;
	} spaces[4];
};

static qr_pfn_t
bench_frame_take(void *ctx)
{
	struct bench *bench = ctx;
	/* From above, so that frame 0 comes last. */
	for (qr_pfn_t frame = FRAMES_MAX - 1; frame > 0; frame--) {
		if (!bench->taken[frame]) {
			bench->taken[frame] = true;
			return frame;
		}
	}
	fail_msg("out of frames");
	return 0;
}

static void
bench_frame_give(void *ctx, qr_pfn_t frame)
{
	struct bench *bench = ctx;
	assert_true(bench->taken[frame]);
	bench->taken[frame] = false;
}

static qr_pfn_t
bench_node(struct bench *bench)
{
	qr_pfn_t frame = bench_frame_take(bench);
	memset(sim_frame(bench->sim, frame), 0, QR_PAGE_SIZE);
	return frame;
}

static void *
bench_space_open(void *ctx)
{
	struct bench *bench = ctx;
	const struct qr_port *port = sim_port(bench->sim);
	for (size_t i = 0; i < 4; i++) {
		if (bench->spaces[i].mm != NULL)
			continue;
		bench->spaces[i].root = bench_node(bench);
		assert_int_equal(port->ops->mm_create(port->ctx,
				     bench->spaces[i].root, ++bench->tag_next,
				     &bench->spaces[i].mm),
		    0);
		return bench->spaces[i].mm;
	}
	return NULL;
}

/* The nodes below the root are left to the end of the machine. */
static void
bench_space_close(void *ctx, void *mm)
{
	struct bench *bench = ctx;
	const struct qr_port *port = sim_port(bench->sim);
	for (size_t i = 0; i < 4; i++) {
		if (bench->spaces[i].mm == mm)
			bench->spaces[i].mm = NULL;
	}
	port->ops->mm_destroy(port->ctx, mm);
}

static uint64_t *
bench_entry(void *ctx, void *mm, qr_vaddr_t address)
{
	struct bench *bench = ctx;
	qr_pfn_t frame = 0;
	for (size_t i = 0; i < 4; i++) {
		if (bench->spaces[i].mm == mm)
			frame = bench->spaces[i].root;
	}
	for (unsigned level = LEVELS - 1;; level--) {
		uint64_t *node = sim_frame(bench->sim, frame);
		uint64_t *entry = &node[address >> (12 + 9 * level) & 511];
		if (level == 0)
			return entry;
		if (*entry == 0)
			*entry = bench_node(bench) << 12 | TABLE_BITS;
		frame = (*entry & QR_PTE_FRAME) >> 12;
	}
}

static bool
bench_read(void *ctx, void *mm, qr_vaddr_t address, unsigned char *byte)
{
	struct bench *bench = ctx;
	return sim_try(bench->sim, mm, address, QR_ACCESS_READ, byte) == 0;
}

static bool
bench_write(void *ctx, void *mm, qr_vaddr_t address, unsigned char byte)
{
	struct bench *bench = ctx;
	return sim_try(bench->sim, mm, address, QR_ACCESS_WRITE, &byte) == 0;
}

static int
bench_conforms(const char *name, unsigned cpus, unsigned flags)
{
	static struct bench bench;
	struct sim_config config = { .ram_bytes = FRAMES_MAX * QR_PAGE_SIZE,
		.swap_pages = 64,
		.seed = 1,
		.cpus = cpus,
		.flags = flags };
	bench = (struct bench){ .sim = sim_create(&config) };
	if (bench.sim == NULL)
		return 1;
	struct port_fixture fixture = { .name = name,
		.port = sim_port(bench.sim),
		.ctx = &bench,
		.space_open = bench_space_open,
		.space_close = bench_space_close,
		.base = BASE,
		.frame_take = bench_frame_take,
		.frame_give = bench_frame_give,
		.entry = bench_entry,
		.touch_read = bench_read,
		.touch_write = bench_write };
	int failed = port_conformance_run(&fixture);
	sim_destroy(bench.sim);
	return failed;
}

/* --- what the machine must catch --- */

/* One page at BASE, present, writable, and remembered by the TLB. */
struct page {
	struct bench bench;
	void *mm;
	uint64_t *entry;
	qr_pfn_t frame;
	int result; /* of the last access */
};

static int
page_setup(void **state)
{
	static struct page page;
	struct sim_config config = { .ram_bytes = FRAMES_MAX * QR_PAGE_SIZE,
		.cpus = 2,
		.swap_pages = 8 };
	unsigned char byte = 1;
	memset(&page, 0, sizeof(page));
	page.bench.sim = sim_create(&config);
	if (page.bench.sim == NULL)
		return 1;
	page.mm = bench_space_open(&page.bench);
	page.frame = bench_frame_take(&page.bench);
	page.entry = bench_entry(&page.bench, page.mm, BASE);
	*page.entry = qr_pte_map(page.frame, QR_PROT_READ | QR_PROT_WRITE).bits;
	sim_set_cpu(1);
	int failed =
	    sim_try(page.bench.sim, page.mm, BASE, QR_ACCESS_WRITE, &byte);
	*state = &page;
	return failed;
}

static const struct qr_range page_range = { BASE, BASE + QR_PAGE_SIZE };

static int
page_teardown(void **state)
{
	struct page *page = *state;
	const struct qr_port *port = sim_port(page->bench.sim);
	*page->entry = 0;
	int failed =
	    port->ops->mmu_drop(port->ctx, page->mm, &page_range, 1) != 1;
	bench_space_close(&page->bench, page->mm);
	sim_destroy(page->bench.sim);
	sim_set_cpu(0);
	return failed;
}

static void
use_read(void *ctx)
{
	struct page *page = ctx;
	unsigned char byte;
	page->result =
	    sim_try(page->bench.sim, page->mm, BASE, QR_ACCESS_READ, &byte);
}

static void
use_write(void *ctx)
{
	struct page *page = ctx;
	unsigned char byte = 2;
	page->result =
	    sim_try(page->bench.sim, page->mm, BASE, QR_ACCESS_WRITE, &byte);
}

static void
use_release(void *ctx)
{
	struct page *page = ctx;
	const struct qr_port *port = sim_port(page->bench.sim);
	const struct qr_frame_run run = { page->frame, 1 };
	port->ops->frame_release(port->ctx, &run, 1);
}

static void
use_end(void *ctx)
{
	struct page *page = ctx;
	const struct qr_port *port = sim_port(page->bench.sim);
	port->ops->mm_destroy(port->ctx, page->mm);
}

static void
use_drop(void *ctx)
{
	struct page *page = ctx;
	const struct qr_port *port = sim_port(page->bench.sim);
	(void)port->ops->mmu_drop(port->ctx, page->mm, &page_range, 1);
}

static void
use_peek(void *ctx)
{
	struct page *page = ctx;
	const struct qr_port *port = sim_port(page->bench.sim);
	struct qr_peek at = { .address = BASE, .frame = page->frame };
	(void)port->ops->mmu_peek(port->ctx, page->mm, &at);
}

static void
use_map(void *ctx)
{
	struct page *page = ctx;
	const struct qr_port *port = sim_port(page->bench.sim);
	struct qr_map_run run = { .start = BASE,
		.frames = &page->frame,
		.count = 1 };
	(void)port->ops->mmu_map(port->ctx, page->mm, 0, &run);
}

static void
use_wait(void *ctx)
{
	struct page *page = ctx;
	const struct qr_port *port = sim_port(page->bench.sim);
	uint32_t word = 5;
	port->ops->wait(port->ctx, &word, 5, UINT64_MAX);
}

static void
expect(struct page *page, void (*use)(void *ctx), const char *words)
{
	const char *message = sim_expect_panic(use, page);
	if (words == NULL) {
		assert_null(message);
		return;
	}
	assert_non_null(message);
	assert_non_null(strstr(message, words));
}

static void
test_stale_after_unmap(void **state)
{
	struct page *page = *state;
	*page->entry = 0;
	expect(page, use_read, "sim.1");
	expect(page, use_drop, NULL);
	expect(page, use_read, NULL);
	assert_int_equal(page->result, -QR_EFAULT);
}

static void
test_stale_after_write_protection(void **state)
{
	struct page *page = *state;
	*page->entry &= ~QR_PTE_WRITE;
	expect(page, use_write, "sim.1");
}

static void
test_stale_after_new_frame(void **state)
{
	struct page *page = *state;
	*page->entry = qr_pte_map(page->frame - 1, QR_PROT_READ).bits;
	expect(page, use_read, "sim.1");
}

/* A CPU that knows less than the entry grants just looks again. */
static void
test_narrow_translation_is_fine(void **state)
{
	struct page *page = *state;
	const struct qr_port *port = sim_port(page->bench.sim);
	*page->entry = qr_pte_map(page->frame, QR_PROT_READ).bits;
	assert_int_equal(port->ops->mmu_freeze(port->ctx, page->mm, &page_range,
			     1, false),
	    0);
	expect(page, use_read, NULL);
	assert_int_equal(page->result, 0);
	*page->entry |= QR_PTE_WRITE;
	expect(page, use_write, NULL);
	assert_int_equal(((unsigned char *)sim_frame(page->bench.sim,
			     page->frame))[0],
	    2);
}

static void
test_use_after_reuse(void **state)
{
	struct page *page = *state;
	expect(page, use_release, "sim.2");
	expect(page, use_end, "sim.3");
	*page->entry = 0;
	expect(page, use_drop, NULL);
	expect(page, use_release, NULL);
}

static void
test_contract_of_mmu_calls(void **state)
{
	struct page *page = *state;
	expect(page, use_drop, "sim.4");
	expect(page, use_peek, "sim.4");
	*page->entry &= ~QR_PTE_WRITE;
	expect(page, use_peek, "sim.7");
	expect(page, use_map, "sim.5");
	*page->entry = QR_PTE_BUSY;
	expect(page, use_map, "sim.6");
}

static void
test_deadlock(void **state)
{
	expect(*state, use_wait, "deadlock");
}

static void
test_disk_fails_as_told(void **state)
{
	struct page *page = *state;
	struct sim *sim = page->bench.sim;
	const struct qr_port *port = sim_port(sim);
	static unsigned char data[4096], back[4096];
	memset(data, 1, sizeof(data));
	sim_fail_after(sim, SIM_SWAP_WRITE, 2, -QR_EIO);
	assert_int_equal(port->ops->swap_write(port->ctx, 0, data, 1), 0);
	memset(data, 2, sizeof(data));
	assert_int_equal(port->ops->swap_write(port->ctx, 0, data, 1), -QR_EIO);
	assert_int_equal(port->ops->swap_read(port->ctx, 0, back, 1), 0);
	assert_int_equal(back[0], 2); /* torn in the middle */
	assert_int_equal(back[4095], 1);
	sim_fail_every(sim, SIM_SWAP_READ, 2, -QR_EIO);
	assert_int_equal(port->ops->swap_read(port->ctx, 0, back, 1), 0);
	assert_int_equal(port->ops->swap_read(port->ctx, 0, back, 1), -QR_EIO);
	assert_int_equal(port->ops->swap_read(port->ctx, 0, back, 1), 0);
	sim_fail_never(sim);
	assert_int_equal(port->ops->swap_read(port->ctx, 0, back, 1), 0);
	sim_disk_set_room(sim, 1);
	assert_int_equal(port->ops->swap_write(port->ctx, 0, data, 1), 0);
	assert_int_equal(port->ops->swap_write(port->ctx, 1, data, 1),
	    -QR_ENOSPC);
	port->ops->swap_trim(port->ctx, 0, 1);
	assert_int_equal(port->ops->swap_write(port->ctx, 1, data, 1), 0);
	assert_int_equal(sim_calls(sim, SIM_SWAP_WRITE), 5);
}

/* One page of a file, from or to frame 20. */
static int
file_page(struct sim *sim, struct sim_file *file, enum qr_file_op op)
{
	const struct qr_port *port = sim_port(sim);
	const qr_pfn_t frame = 20;
	const struct qr_file_io io = { .file = file,
		.op = op,
		.index = 1,
		.frames = &frame,
		.count = op == QR_FILE_SYNC ? 0 : 1,
		.size_bytes = 4000 };
	return port->ops->file_io(port->ctx, &io);
}

static void
test_file_fails_as_told(void **state)
{
	struct page *page = *state;
	struct sim *sim = page->bench.sim;
	struct sim_file *file = sim_file_create(sim, 8096);
	unsigned char *frame = sim_frame(sim, 20);
	assert_non_null(file);
	memset(frame, 1, 4096);
	assert_int_equal(file_page(sim, file, QR_FILE_WRITE), 0);
	assert_int_equal(sim_file_bytes(file)[4096 + 3999], 1);
	memset(frame, 2, 4096);
	assert_int_equal(file_page(sim, file, QR_FILE_READ), 0);
	assert_int_equal(frame[3999], 1);
	assert_int_equal(frame[4000], 0); /* behind the file's end */
	assert_int_equal(file_page(sim, file, QR_FILE_SYNC), 0);
	memset(frame, 3, 4096);
	sim_fail_after(sim, SIM_FILE_WRITE, 1, -QR_EIO);
	assert_int_equal(file_page(sim, file, QR_FILE_WRITE), -QR_EIO);
	assert_int_equal(sim_file_bytes(file)[4096], 3); /* torn */
	assert_int_equal(sim_file_bytes(file)[4096 + 3999], 1);
	sim_fail_after(sim, SIM_FILE_SYNC, 1, -QR_EIO);
	assert_int_equal(file_page(sim, file, QR_FILE_SYNC), -QR_EIO);
	sim_file_lose_power(file);
	assert_int_equal(sim_file_bytes(file)[4096], 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, page_setup, page_teardown)
		TEST(test_stale_after_unmap),
		TEST(test_stale_after_write_protection),
		TEST(test_stale_after_new_frame),
		TEST(test_narrow_translation_is_fine),
		TEST(test_use_after_reuse),
		TEST(test_contract_of_mmu_calls),
		TEST(test_deadlock),
		TEST(test_disk_fails_as_told),
		TEST(test_file_fails_as_told),
	};
	int failed = cmocka_run_group_tests_name("sim", tests, NULL, NULL);
	failed += bench_conforms("sim", 1, 0);
	failed += bench_conforms("sim, window", 4, SIM_STAGE_WINDOW);
	failed += bench_conforms("sim, no young bit", 2, SIM_NO_YOUNG_BIT);
	failed += bench_conforms("sim, threads", 2, SIM_THREADS | SIM_JITTER);
	failed +=
	    bench_conforms("sim, CPU owned", 2, SIM_THREADS | SIM_CPU_OWNED);
	return failed;
}
