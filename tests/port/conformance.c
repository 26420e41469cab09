/* SPDX-License-Identifier: MIT */
/*
 * tests/port/conformance.c: proves, callback by callback, that a port does
 * what <qr/port.h> says.
 */
#include "conformance.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#define RUN_MAX QR_STAGE_PAGES

/* A run of neighbouring pages as the core would know it. */
struct pages {
	const struct port_fixture *fixture;
	void *mm;
	qr_vaddr_t start;
	size_t count;
	unsigned prot;
	qr_pfn_t frames[RUN_MAX];
};

static const struct port_fixture *
fixture_of(void **state)
{
	return *state;
}

static const struct qr_port_ops *
ops_of(const struct port_fixture *fixture)
{
	return fixture->port->ops;
}

static qr_vaddr_t
page_at(const struct pages *pages, size_t index)
{
	return pages->start + index * QR_PAGE_SIZE;
}

static qr_vaddr_t
pages_end(const struct pages *pages)
{
	return page_at(pages, pages->count);
}

static struct qr_range
pages_range(const struct pages *pages)
{
	return (struct qr_range){ pages->start, pages_end(pages) };
}

static void
frame_release(const struct port_fixture *fixture, qr_pfn_t frame)
{
	const struct qr_frame_run run = { frame, 1 };
	ops_of(fixture)->frame_release(fixture->port->ctx, &run, 1);
}

/* Writes all entries of the run, as the core does before or after a call. */
static void
entries_write(const struct pages *pages, unsigned prot, uint64_t extra)
{
	const struct port_fixture *fixture = pages->fixture;
	for (size_t i = 0; i < pages->count; i++) {
		uint64_t *entry =
		    fixture->entry(fixture->ctx, pages->mm, page_at(pages, i));
		if (entry != NULL)
			*entry =
			    qr_pte_map(pages->frames[i], prot).bits | extra;
	}
}

static void
entries_clear(const struct pages *pages, uint64_t bits)
{
	const struct port_fixture *fixture = pages->fixture;
	for (size_t i = 0; i < pages->count; i++) {
		uint64_t *entry =
		    fixture->entry(fixture->ctx, pages->mm, page_at(pages, i));
		if (entry != NULL)
			*entry = bits;
	}
}

static unsigned char
pattern(size_t page, unsigned salt)
{
	return (unsigned char)(page * 7 + salt * 31 + 1);
}

/* Contents of page i are pattern(i, salt) all over, or zero. */
static void
pages_map(struct pages *pages, unsigned salt, bool zero)
{
	const struct port_fixture *fixture = pages->fixture;
	const struct qr_port_ops *ops = ops_of(fixture);
	void *ctx = fixture->port->ctx;
	unsigned cpu = ops->cpu(ctx);
	for (size_t i = 0; i < pages->count; i++) {
		pages->frames[i] = fixture->frame_take(fixture->ctx);
		frame_release(fixture, pages->frames[i]);
	}
	entries_clear(pages, QR_PTE_BUSY);
	/* From the last to the first: the order of staging is free. */
	for (size_t i = pages->count; !zero && i-- > 0;) {
		void *to = ops->stage(ctx, cpu, pages->frames[i], i);
		memset(to, pattern(i, salt), QR_PAGE_SIZE);
	}
	struct qr_map_run run = { .start = pages->start,
		.frames = pages->frames,
		.count = pages->count,
		.prot = pages->prot,
		.zero = zero };
	assert_int_equal(ops->mmu_map(ctx, pages->mm, cpu, &run), 0);
	entries_write(pages, pages->prot, 0);
}

static void
pages_drop(struct pages *pages)
{
	const struct port_fixture *fixture = pages->fixture;
	entries_clear(pages, 0);
	const struct qr_range range = pages_range(pages);
	assert_int_equal(ops_of(fixture)->mmu_drop(fixture->port->ctx,
			     pages->mm, &range, 1),
	    1);
	for (size_t i = 0; i < pages->count; i++)
		fixture->frame_give(fixture->ctx, pages->frames[i]);
}

static struct pages
pages_of(const struct port_fixture *fixture, void *mm, size_t first,
    size_t count)
{
	return (struct pages){ .fixture = fixture,
		.mm = mm,
		.start = fixture->base + first * QR_PAGE_SIZE,
		.count = count,
		.prot = QR_PROT_READ | QR_PROT_WRITE };
}

/* Reads the first, some middle and the last byte of each page. */
static void
pages_expect(const struct pages *pages, unsigned salt, bool zero)
{
	const struct port_fixture *fixture = pages->fixture;
	const size_t places[] = { 0, 1234, QR_PAGE_SIZE - 1 };
	for (size_t i = 0; i < pages->count * 3; i++) {
		unsigned char byte = 0xee;
		qr_vaddr_t address = page_at(pages, i / 3) + places[i % 3];
		assert_true(fixture->touch_read(fixture->ctx, pages->mm,
		    address, &byte));
		assert_int_equal(byte, zero ? 0 : pattern(i / 3, salt));
	}
}

/* Whether every page can be read (written); a mix fails the test. */
static bool
pages_can(const struct pages *pages, unsigned access)
{
	const struct port_fixture *fixture = pages->fixture;
	size_t can = 0;
	for (size_t i = 0; i < pages->count; i++) {
		unsigned char byte = 0x5a;
		qr_vaddr_t at = page_at(pages, i) + 99;
		if (access == QR_PROT_READ)
			can += fixture->touch_read(fixture->ctx, pages->mm, at,
			    &byte);
		else
			can += fixture->touch_write(fixture->ctx, pages->mm, at,
			    0x5a);
	}
	assert_true(can == 0 || can == pages->count);
	return can != 0;
}

/* --- physical memory --- */

static void
test_ram_region(void **state)
{
	const struct port_fixture *fixture = fixture_of(state);
	const struct qr_port_ops *ops = ops_of(fixture);
	struct qr_ram_region region;
	struct qr_ram_region again;
	uint64_t usable_bytes = 0;
	size_t count = 0;
	while (ops->ram_region(fixture->port->ctx, count, &region)) {
		assert_true(ops->ram_region(fixture->port->ctx, count, &again));
		assert_int_equal(again.start, region.start);
		assert_int_equal(again.size_bytes, region.size_bytes);
		assert_int_equal(again.kind, region.kind);
		if (region.kind == QR_RAM_USABLE)
			usable_bytes += region.size_bytes;
		count++;
		assert_in_range(count, 1, 64);
	}
	assert_false(ops->ram_region(fixture->port->ctx, count + 1, &region));
	assert_false(ops->ram_region(fixture->port->ctx, SIZE_MAX, &region));
	assert_true(usable_bytes >= 64 * QR_PAGE_SIZE);
}

static void
test_direct_map(void **state)
{
	const struct port_fixture *fixture = fixture_of(state);
	const struct qr_port_ops *ops = ops_of(fixture);
	unsigned char *base = ops->direct_map(fixture->port->ctx);
	qr_pfn_t frames[8];
	if (base == NULL)
		return;
	for (size_t i = 0; i < 8; i++) {
		frames[i] = fixture->frame_take(fixture->ctx);
		memset(base + frames[i] * QR_PAGE_SIZE, pattern(i, 0),
		    QR_PAGE_SIZE);
	}
	for (size_t i = 0; i < 8; i++) {
		const unsigned char *bytes = base + frames[i] * QR_PAGE_SIZE;
		assert_int_equal(bytes[0], pattern(i, 0));
		assert_int_equal(bytes[QR_PAGE_SIZE - 1], pattern(i, 0));
		/* Released and taken again it is as good as before. */
		frame_release(fixture, frames[i]);
		base[frames[i] * QR_PAGE_SIZE + 17] = 3;
		assert_int_equal(bytes[17], 3);
		fixture->frame_give(fixture->ctx, frames[i]);
	}
}

static void
test_stage_windows_differ(void **state)
{
	const struct port_fixture *fixture = fixture_of(state);
	const struct qr_port_ops *ops = ops_of(fixture);
	unsigned cpu = ops->cpu(fixture->port->ctx);
	unsigned char *at[RUN_MAX];
	qr_pfn_t frames[RUN_MAX];
	for (size_t i = 0; i < RUN_MAX; i++) {
		frames[i] = fixture->frame_take(fixture->ctx);
		frame_release(fixture, frames[i]);
		at[i] = ops->stage(fixture->port->ctx, cpu, frames[i], i);
		memset(at[i], pattern(i, 1), QR_PAGE_SIZE);
	}
	for (size_t i = 0; i < RUN_MAX; i++) {
		assert_int_equal(at[i][0], pattern(i, 1));
		assert_int_equal(at[i][QR_PAGE_SIZE - 1], pattern(i, 1));
		fixture->frame_give(fixture->ctx, frames[i]);
	}
}

/* --- mappings --- */

static void
test_map_staged(void **state)
{
	const struct port_fixture *fixture = fixture_of(state);
	const size_t counts[] = { 1, 2, 5, 63, RUN_MAX };
	void *mm = fixture->space_open(fixture->ctx);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct pages pages = pages_of(fixture, mm, i, counts[i]);
		assert_false(pages_can(&pages, QR_PROT_READ));
		pages_map(&pages, (unsigned)i, false);
		pages_expect(&pages, (unsigned)i, false);
		assert_true(pages_can(&pages, QR_PROT_WRITE));
		pages_drop(&pages);
		assert_false(pages_can(&pages, QR_PROT_READ));
	}
	fixture->space_close(fixture->ctx, mm);
}

static void
test_map_zero(void **state)
{
	const struct port_fixture *fixture = fixture_of(state);
	void *mm = fixture->space_open(fixture->ctx);
	struct pages pages = pages_of(fixture, mm, 3, 20);
	/* Twice: the second time the frames hold what the first left. */
	for (unsigned turn = 0; turn < 2; turn++) {
		pages_map(&pages, 0, true);
		pages_expect(&pages, 0, true);
		assert_true(pages_can(&pages, QR_PROT_WRITE));
		pages_drop(&pages);
	}
	fixture->space_close(fixture->ctx, mm);
}

static void
test_map_obeys_prot(void **state)
{
	const struct port_fixture *fixture = fixture_of(state);
	void *mm = fixture->space_open(fixture->ctx);
	struct pages pages = pages_of(fixture, mm, 0, 4);
	pages.prot = QR_PROT_READ;
	if (fixture->area_protect != NULL)
		fixture->area_protect(fixture->ctx, mm, pages.start,
		    pages_end(&pages), pages.prot);
	pages_map(&pages, 2, false);
	assert_false(pages_can(&pages, QR_PROT_WRITE));
	pages_expect(&pages, 2, false);
	pages_drop(&pages);
	fixture->space_close(fixture->ctx, mm);
}

static void
test_spaces_are_apart(void **state)
{
	const struct port_fixture *fixture = fixture_of(state);
	void *mm[2] = { fixture->space_open(fixture->ctx),
		fixture->space_open(fixture->ctx) };
	if (mm[1] == NULL) { /* a port of one space a process */
		fixture->space_close(fixture->ctx, mm[0]);
		return;
	}
	struct pages pages[2] = { pages_of(fixture, mm[0], 0, 6),
		pages_of(fixture, mm[1], 0, 6) };
	pages_map(&pages[0], 3, false);
	assert_false(pages_can(&pages[1], QR_PROT_READ));
	pages_map(&pages[1], 4, false);
	pages_expect(&pages[0], 3, false);
	pages_expect(&pages[1], 4, false);
	pages_drop(&pages[0]);
	assert_false(pages_can(&pages[0], QR_PROT_READ));
	pages_expect(&pages[1], 4, false);
	pages_drop(&pages[1]);
	fixture->space_close(fixture->ctx, mm[0]);
	fixture->space_close(fixture->ctx, mm[1]);
}

static void
pages_freeze(const struct pages *pages)
{
	const struct port_fixture *fixture = pages->fixture;
	entries_write(pages, QR_PROT_READ, QR_PTE_BUSY);
	const struct qr_range range = pages_range(pages);
	assert_int_equal(ops_of(fixture)->mmu_freeze(fixture->port->ctx,
			     pages->mm, &range, 1, true),
	    0);
}

static void
test_freeze_stops_writes(void **state)
{
	const struct port_fixture *fixture = fixture_of(state);
	const struct qr_port_ops *ops = ops_of(fixture);
	void *ctx = fixture->port->ctx;
	void *mm = fixture->space_open(fixture->ctx);
	struct pages pages = pages_of(fixture, mm, 1, 8);
	pages_map(&pages, 5, false);
	assert_true(pages_can(&pages, QR_PROT_WRITE));
	pages_freeze(&pages);
	assert_false(pages_can(&pages, QR_PROT_WRITE));
	for (size_t i = 0; i < pages.count; i++) {
		const struct qr_peek at = { page_at(&pages, i), pages.frames[i],
			ops->cpu(ctx), true };
		const unsigned char *bytes = ops->mmu_peek(ctx, mm, &at);
		assert_non_null(bytes);
		assert_int_equal(bytes[0], pattern(i, 5));
		assert_int_equal(bytes[99], 0x5a);
		assert_int_equal(bytes[QR_PAGE_SIZE - 1], pattern(i, 5));
	}
	pages_expect(&pages, 5, false);
	entries_write(&pages, pages.prot, 0);
	const struct qr_range range = pages_range(&pages);
	ops->mmu_thaw(ctx, mm, &range, 1);
	pages_expect(&pages, 5, false);
	assert_true(pages_can(&pages, QR_PROT_WRITE));
	pages_drop(&pages);
	fixture->space_close(fixture->ctx, mm);
}

static void
test_frozen_pages_drop(void **state)
{
	const struct port_fixture *fixture = fixture_of(state);
	void *mm = fixture->space_open(fixture->ctx);
	struct pages pages = pages_of(fixture, mm, 0, RUN_MAX);
	pages_map(&pages, 6, false);
	pages_freeze(&pages);
	pages_drop(&pages);
	assert_false(pages_can(&pages, QR_PROT_READ));
	pages_map(&pages, 7, false);
	pages_expect(&pages, 7, false);
	pages_drop(&pages);
	fixture->space_close(fixture->ctx, mm);
}

static void
test_freeze_passes_holes(void **state)
{
	const struct port_fixture *fixture = fixture_of(state);
	const struct qr_port_ops *ops = ops_of(fixture);
	void *mm = fixture->space_open(fixture->ctx);
	struct pages low = pages_of(fixture, mm, 0, 2);
	struct pages high = pages_of(fixture, mm, 5, 2);
	pages_map(&low, 8, false);
	pages_map(&high, 9, false);
	entries_write(&low, QR_PROT_READ, QR_PTE_BUSY);
	entries_write(&high, QR_PROT_READ, QR_PTE_BUSY);
	const struct qr_range both = { low.start, pages_end(&high) };
	assert_int_equal(ops->mmu_freeze(fixture->port->ctx, mm, &both, 1,
			     true),
	    0);
	assert_false(pages_can(&low, QR_PROT_WRITE));
	assert_false(pages_can(&high, QR_PROT_WRITE));
	entries_clear(&low, 0);
	entries_clear(&high, 0);
	assert_int_equal(ops->mmu_drop(fixture->port->ctx, mm, &both, 1), 1);
	assert_false(pages_can(&low, QR_PROT_READ));
	assert_false(pages_can(&high, QR_PROT_READ));
	for (size_t i = 0; i < 2; i++) {
		fixture->frame_give(fixture->ctx, low.frames[i]);
		fixture->frame_give(fixture->ctx, high.frames[i]);
	}
	fixture->space_close(fixture->ctx, mm);
}

/* Every change of rights, with contents kept through all of them. */
static void
test_protect(void **state)
{
	const struct port_fixture *fixture = fixture_of(state);
	const struct qr_port_ops *ops = ops_of(fixture);
	const unsigned prots[] = { QR_PROT_READ, QR_PROT_READ | QR_PROT_WRITE,
		QR_PROT_NONE, QR_PROT_READ, QR_PROT_NONE,
		QR_PROT_READ | QR_PROT_WRITE };
	void *mm = fixture->space_open(fixture->ctx);
	struct pages pages = pages_of(fixture, mm, 2, 9);
	pages_map(&pages, 10, false);
	for (size_t i = 0; i < sizeof(prots) / sizeof(prots[0]); i++) {
		entries_write(&pages, prots[i], 0);
		assert_int_equal(ops->mmu_protect(fixture->port->ctx, mm,
				     pages.start, pages_end(&pages), prots[i]),
		    0);
		bool none = prots[i] == QR_PROT_NONE;
		bool write = (prots[i] & QR_PROT_WRITE) != 0;
		assert_int_equal(pages_can(&pages, QR_PROT_READ), !none);
		assert_int_equal(pages_can(&pages, QR_PROT_WRITE), write);
		if (!none)
			pages_expect(&pages, 10, false);
	}
	pages_drop(&pages);
	fixture->space_close(fixture->ctx, mm);
}

static void
test_young_and_dirty(void **state)
{
	const struct port_fixture *fixture = fixture_of(state);
	if ((fixture->port->flags & QR_PORT_HARDWARE_AD) == 0)
		return;
	void *mm = fixture->space_open(fixture->ctx);
	struct pages pages = pages_of(fixture, mm, 0, 1);
	pages_map(&pages, 0, true);
	uint64_t *entry = fixture->entry(fixture->ctx, mm, pages.start);
	*entry &= ~(QR_PTE_YOUNG | QR_PTE_DIRTY);
	assert_true(pages_can(&pages, QR_PROT_READ));
	assert_int_equal(*entry & (QR_PTE_YOUNG | QR_PTE_DIRTY), QR_PTE_YOUNG);
	assert_true(pages_can(&pages, QR_PROT_WRITE));
	assert_true((*entry & QR_PTE_DIRTY) != 0);
	pages_drop(&pages);
	fixture->space_close(fixture->ctx, mm);
}

/* --- threads, time, chance --- */

static void
test_identity(void **state)
{
	const struct port_fixture *fixture = fixture_of(state);
	const struct qr_port_ops *ops = ops_of(fixture);
	void *ctx = fixture->port->ctx;
	uint32_t self = ops->self(ctx);
	assert_in_range(fixture->port->cpu_count, 1, QR_CPUS_MAX);
	assert_in_range(self, 1, ((uint32_t)1 << 30) - 1);
	assert_int_equal(ops->self(ctx), self);
	assert_true(ops->alive(ctx, self));
	assert_true(ops->cpu(ctx) < fixture->port->cpu_count);
	/* Returns, and may be called from anywhere. */
	if ((fixture->port->flags & QR_PORT_CPU_OWNED) != 0)
		ops->barrier(ctx);
}

static void
test_clock_and_random(void **state)
{
	const struct port_fixture *fixture = fixture_of(state);
	const struct qr_port_ops *ops = ops_of(fixture);
	void *ctx = fixture->port->ctx;
	uint64_t seen[64];
	uint64_t before = ops->clock(ctx);
	for (size_t i = 0; i < 64; i++) {
		uint64_t now = ops->clock(ctx);
		assert_true(now >= before);
		before = now;
		seen[i] = ops->random(ctx);
		for (size_t k = 0; k < i; k++)
			assert_true(seen[k] != seen[i]);
	}
}

static void
test_wait_ends_at_once(void **state)
{
	const struct port_fixture *fixture = fixture_of(state);
	const struct qr_port_ops *ops = ops_of(fixture);
	_Atomic(uint32_t) word = 7;
	ops->wait(fixture->port->ctx, &word, 8, UINT64_MAX);
	ops->wait(fixture->port->ctx, &word, 7, 1000 * 1000);
	ops->wake(fixture->port->ctx, &word, 1);
	ops->wake(fixture->port->ctx, &word, UINT32_MAX);
}

/* --- swap device --- */

static void
page_fill(unsigned char *page, uint64_t seed)
{
	for (size_t i = 0; i < QR_PAGE_SIZE; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		page[i] = (unsigned char)(seed >> 56);
	}
}

static void
test_swap_keeps(void **state)
{
	const struct port_fixture *fixture = fixture_of(state);
	const struct qr_port_ops *ops = ops_of(fixture);
	void *ctx = fixture->port->ctx;
	static _Alignas(4096) unsigned char out[8 * 4096];
	static _Alignas(4096) unsigned char in[8 * 4096];
	uint64_t size = ops->swap_size(ctx);
	if (size < 16)
		return;
	const uint64_t slots[] = { 0, 8, size - 8 };
	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < 8; k++)
			page_fill(out + k * 4096, slots[i] + k);
		assert_int_equal(ops->swap_write(ctx, slots[i], out, 8), 0);
	}
	page_fill(out, 999);
	assert_int_equal(ops->swap_write(ctx, 3, out, 1), 0);
	for (uint64_t slot = 0; slot < 16; slot++) {
		page_fill(out, slot == 3 ? 999 : slot);
		assert_int_equal(ops->swap_read(ctx, slot, in, 1), 0);
		assert_memory_equal(in, out, 4096);
	}
	assert_int_equal(ops->swap_read(ctx, size - 8, in, 8), 0);
	for (size_t k = 0; k < 8; k++)
		page_fill(out + k * 4096, size - 8 + k);
	assert_memory_equal(in, out, sizeof(in));
}

static void
test_swap_trim_is_narrow(void **state)
{
	const struct port_fixture *fixture = fixture_of(state);
	const struct qr_port_ops *ops = ops_of(fixture);
	void *ctx = fixture->port->ctx;
	static _Alignas(4096) unsigned char out[4096];
	static _Alignas(4096) unsigned char in[4096];
	if (ops->swap_size(ctx) < 16)
		return;
	for (uint64_t slot = 0; slot < 6; slot++) {
		page_fill(out, slot + 50);
		assert_int_equal(ops->swap_write(ctx, slot, out, 1), 0);
	}
	ops->swap_trim(ctx, 2, 2);
	for (uint64_t slot = 0; slot < 6; slot++) {
		if (slot == 2 || slot == 3)
			continue;
		page_fill(out, slot + 50);
		assert_int_equal(ops->swap_read(ctx, slot, in, 1), 0);
		assert_memory_equal(in, out, 4096);
	}
	page_fill(out, 77);
	assert_int_equal(ops->swap_write(ctx, 2, out, 1), 0);
	assert_int_equal(ops->swap_read(ctx, 2, in, 1), 0);
	assert_memory_equal(in, out, 4096);
}

int
port_conformance_run(const struct port_fixture *fixture)
{
	const struct {
		const char *name;
		CMUnitTestFunction run;
	} all[] = {
		{ "ram_region", test_ram_region },
		{ "direct_map", test_direct_map },
		{ "stage_windows_differ", test_stage_windows_differ },
		{ "map_staged", test_map_staged },
		{ "map_zero", test_map_zero },
		{ "map_obeys_prot", test_map_obeys_prot },
		{ "spaces_are_apart", test_spaces_are_apart },
		{ "freeze_stops_writes", test_freeze_stops_writes },
		{ "frozen_pages_drop", test_frozen_pages_drop },
		{ "freeze_passes_holes", test_freeze_passes_holes },
		{ "protect", test_protect },
		{ "young_and_dirty", test_young_and_dirty },
		{ "identity", test_identity },
		{ "clock_and_random", test_clock_and_random },
		{ "wait_ends_at_once", test_wait_ends_at_once },
		{ "swap_keeps", test_swap_keeps },
		{ "swap_trim_is_narrow", test_swap_trim_is_narrow },
	};
	struct CMUnitTest tests[sizeof(all) / sizeof(all[0])];
	union {
		const void *given;
		void *taken;
	} state = { .given = fixture };
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		tests[i] = (struct CMUnitTest){ .name = all[i].name,
			.test_func = all[i].run,
			.initial_state = state.taken };
	return cmocka_run_group_tests_name(fixture->name, tests, NULL, NULL);
}
