/* SPDX-License-Identifier: MIT */
/*
 * test_boot.c: whatever the RAM map and the calls, the boot allocator gives
 * out memory that exists, is free and reads zero, the lowest there is, and
 * hands over exactly the rest. The model is a few flags for each byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/boot/boot.h"
#include "port/sim/sim.h"
#include "random.h"

#define PAGES   48u
#define BYTES   (PAGES * QR_PAGE_SIZE)
#define NO_NODE 0xffu
#define MAPS    30u
#define CALLS   80u

/* What the port reports, and its memory. */
struct ram {
	const struct qr_ram_region *regions;
	size_t count;
	unsigned char *bytes;
};

struct bench {
	struct qr_boot boot;
	struct qr_port port;
	struct ram ram;
	struct test_random random;
	/* The model. */
	unsigned char node[BYTES]; /* NO_NODE: not usable */
	bool reserved[BYTES];
	bool given[BYTES]; /* inside a request of the test's */
};

static bool
ram_region(void *ctx, size_t index, struct qr_ram_region *region)
{
	const struct ram *ram = ctx;
	if (index >= ram->count)
		return false;
	*region = ram->regions[index];
	return true;
}

static void *
direct_map(void *ctx)
{
	const struct ram *ram = ctx;
	return ram->bytes;
}

static const struct qr_port_ops ops = {
	.ram_region = ram_region,
	.direct_map = direct_map,
};

static struct bench *
bench_create(const struct qr_ram_region *regions, size_t count, uint32_t flags)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	assert_non_null(bench);
	bench->ram.regions = regions;
	bench->ram.count = count;
	bench->ram.bytes = calloc(1, BYTES);
	assert_non_null(bench->ram.bytes);
	if ((flags & QR_PORT_ZEROED_RAM) == 0)
		memset(bench->ram.bytes, 0xa5, BYTES);
	bench->port.ops = &ops;
	bench->port.ctx = &bench->ram;
	bench->port.cpu_count = 1;
	bench->port.flags = flags;
	return bench;
}

static void
bench_destroy(struct bench *bench)
{
	free(bench->ram.bytes);
	free(bench);
}

/* --- the model --- */

static void
model_apply(struct bench *bench, enum qr_ram_kind kind)
{
	for (size_t i = 0; i < bench->ram.count; i++) {
		const struct qr_ram_region *region = &bench->ram.regions[i];
		if (region->kind != kind || region->start >= BYTES)
			continue;
		memset(&bench->node[region->start],
		    kind == QR_RAM_USABLE ? (int)region->node : (int)NO_NODE,
		    region->size_bytes);
	}
}

static void
model_init(struct bench *bench)
{
	memset(bench->node, NO_NODE, BYTES);
	model_apply(bench, QR_RAM_USABLE);
	model_apply(bench, QR_RAM_RESERVED);
	for (size_t page = 0; page < PAGES; page++) {
		unsigned char *node = &bench->node[page * QR_PAGE_SIZE];
		if (memcmp(node, node + 1, QR_PAGE_SIZE - 1) != 0)
			memset(node, NO_NODE, QR_PAGE_SIZE);
	}
}

static bool
model_is_free(const struct bench *bench, size_t start, size_t size)
{
	if (start + size > BYTES || bench->node[start] == NO_NODE)
		return false;
	for (size_t i = start; i < start + size; i++)
		if (bench->reserved[i] || bench->node[i] != bench->node[start])
			return false;
	return true;
}

/* First fit, naively; BYTES: nowhere. */
static size_t
model_place(const struct bench *bench, size_t size, size_t align, size_t low,
    size_t high)
{
	size_t at = (low + align - 1) / align * align;
	for (; at + size <= BYTES && (high == 0 || at + size <= high);
	     at += align)
		if (model_is_free(bench, at, size))
			return at;
	return BYTES;
}

static uint64_t
model_free_bytes(const struct bench *bench)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < BYTES; i++)
		bytes += bench->node[i] != NO_NODE && !bench->reserved[i];
	return bytes;
}

/* --- random calls --- */

static void
assert_reads_zero(const struct bench *bench, size_t start, size_t size)
{
	for (size_t i = start; i < start + size; i++)
		assert_int_equal(bench->ram.bytes[i], 0);
}

/* The test now owns these bytes, and writes to them. */
static void
own(struct bench *bench, size_t start, size_t size)
{
	assert_null(memchr(&bench->given[start], true, size));
	assert_reads_zero(bench, start, size);
	memset(&bench->given[start], true, size);
	memset(&bench->ram.bytes[start], 0x5a, size);
}

static size_t
random_limit(struct bench *bench)
{
	if (test_random_below(&bench->random, 3) != 0)
		return 0;
	return (size_t)test_random_below(&bench->random, BYTES);
}

static void
step_alloc_pages(struct bench *bench)
{
	size_t size = 1 + test_random_below(&bench->random, 5 * QR_PAGE_SIZE);
	size_t align = (size_t)1 << test_random_below(&bench->random, 15);
	size_t low = random_limit(bench);
	size_t high = random_limit(bench);
	size_t whole = (size + QR_PAGE_SIZE - 1) & ~(QR_PAGE_SIZE - 1);
	if (size < QR_PAGE_SIZE && align < QR_PAGE_SIZE)
		align = QR_PAGE_SIZE;
	size_t expect = model_place(bench, whole,
	    align < QR_PAGE_SIZE ? QR_PAGE_SIZE : align, low, high);
	qr_paddr_t start = BYTES;
	const struct qr_boot_request request = { size, align, low, high };
	int error = qr_boot_alloc(&bench->boot, &request, &start);
	if (error == -QR_E2BIG)
		return;
	assert_int_equal(error, expect == BYTES ? -QR_ENOMEM : 0);
	assert_int_equal(start, expect);
	if (error != 0)
		return;
	memset(&bench->reserved[start], true, whole);
	own(bench, start, whole);
}

static void
step_alloc_small(struct bench *bench)
{
	size_t size = 1 + test_random_below(&bench->random, QR_PAGE_SIZE / 4);
	size_t align = (size_t)1 << test_random_below(&bench->random, 9);
	size_t low = random_limit(bench);
	size_t high = random_limit(bench);
	size_t page = model_place(bench, QR_PAGE_SIZE, QR_PAGE_SIZE, low, high);
	qr_paddr_t start;
	const struct qr_boot_request request = { size, align, low, high };
	int error = qr_boot_alloc(&bench->boot, &request, &start);
	if (error != 0) {
		assert_true(error == -QR_E2BIG || page == BYTES);
		return;
	}
	assert_int_equal(start % align, 0);
	assert_true(start >= low && (high == 0 || start + size <= high));
	/* Either from a page that was taken before, or from the first. */
	if (!bench->reserved[start]) {
		assert_int_equal(start, page);
		memset(&bench->reserved[page], true, QR_PAGE_SIZE);
	}
	own(bench, start, size);
}

static void
step_reserve(struct bench *bench)
{
	size_t start = (size_t)test_random_below(&bench->random, BYTES);
	size_t size =
	    (size_t)test_random_below(&bench->random, 3 * QR_PAGE_SIZE);
	if (size > BYTES - start)
		size = BYTES - start;
	int error = qr_boot_reserve(&bench->boot, start, size);
	if (error == 0)
		memset(&bench->reserved[start], true, size);
	else
		assert_int_equal(error, -QR_E2BIG);
}

static void
step_free(struct bench *bench)
{
	size_t start = (size_t)test_random_below(&bench->random, BYTES);
	size_t size =
	    (size_t)test_random_below(&bench->random, 4 * QR_PAGE_SIZE);
	size_t first = (start + QR_PAGE_SIZE - 1) & ~(QR_PAGE_SIZE - 1);
	size_t end = (start + size) & ~(QR_PAGE_SIZE - 1);
	int error = qr_boot_free(&bench->boot, start, size);
	if (first >= end) {
		assert_int_equal(error, 0);
		return;
	}
	bool taken = end <= BYTES && memchr(&bench->reserved[first], false,
					 end - first) == NULL;
	if (!taken) {
		assert_int_equal(error, -QR_EINVAL);
		return;
	}
	if (error == -QR_E2BIG)
		return;
	assert_int_equal(error, 0);
	memset(&bench->reserved[first], false, end - first);
	memset(&bench->given[first], false, end - first);
}

/* --- handing over --- */

struct handed {
	struct bench *bench;
	qr_pfn_t end;
	uint32_t node;
	bool page[PAGES];
};

static void
take_over(void *ctx, qr_pfn_t first, uint64_t count, uint32_t node)
{
	struct handed *handed = ctx;
	assert_true(count != 0 && first >= handed->end);
	/* Maximal: two runs that touch are of different nodes. */
	assert_true(first > handed->end || node != handed->node || first == 0);
	for (qr_pfn_t page = first; page < first + count; page++) {
		assert_int_equal(node,
		    handed->bench->node[page * QR_PAGE_SIZE]);
		handed->page[page] = true;
	}
	handed->end = first + count;
	handed->node = node;
}

static void
compare(struct bench *bench)
{
	qr_check_boot(&bench->boot);
	assert_int_equal(qr_boot_free_bytes(&bench->boot),
	    model_free_bytes(bench));
	size_t end = BYTES;
	while (bench->node[end - 1] == NO_NODE)
		end--;
	assert_int_equal(qr_boot_end(&bench->boot), end);
}

static void
hand_over(struct bench *bench)
{
	struct handed handed = { .bench = bench };
	qr_boot_hand_over(&bench->boot, take_over, &handed);
	for (size_t page = 0; page < PAGES; page++)
		assert_int_equal(handed.page[page],
		    model_is_free(bench, page * QR_PAGE_SIZE, QR_PAGE_SIZE));
	qr_check_boot(&bench->boot);
}

static size_t
random_regions(struct test_random *random, struct qr_ram_region *regions)
{
	size_t count = 1 + test_random_below(random, 12);
	for (size_t i = 0; i < count; i++) {
		struct qr_ram_region *region = &regions[i];
		region->start = test_random_below(random, BYTES);
		region->size_bytes =
		    test_random_below(random, BYTES - region->start + 1);
		if (test_random_below(random, 2) == 0)
			region->size_bytes %= 4 * QR_PAGE_SIZE;
		if (test_random_below(random, 2) == 0)
			region->start &= ~(QR_PAGE_SIZE - 1);
		region->kind = test_random_below(random, 3) == 0
				   ? QR_RAM_RESERVED
				   : QR_RAM_USABLE;
		region->node = (uint32_t)test_random_below(random, 2);
	}
	return count;
}

static void
run_map(struct test_random *random, uint32_t flags)
{
	struct qr_ram_region regions[12];
	size_t count = random_regions(random, regions);
	struct bench *bench = bench_create(regions, count, flags);
	model_init(bench);
	int error = qr_boot_init(&bench->boot, &bench->port);
	if (error != 0) {
		assert_int_equal(error, -QR_ENOMEM);
		assert_int_equal(model_free_bytes(bench), 0);
		bench_destroy(bench);
		return;
	}
	bench->random = *random;
	compare(bench);
	for (unsigned call = 0; call < CALLS; call++) {
		static void (*const steps[])(struct bench *) = {
			step_alloc_pages,
			step_alloc_small,
			step_alloc_small,
			step_reserve,
			step_free,
			step_free,
		};
		steps[test_random_below(&bench->random, 6)](bench);
		compare(bench);
	}
	hand_over(bench);
	bench_destroy(bench);
}

static void
test_against_model(void **state)
{
	struct test_random random = test_random_start("boot");
	(void)state;
	for (unsigned map = 0; map < MAPS; map++)
		run_map(&random, map % 2 == 0 ? 0 : QR_PORT_ZEROED_RAM);
}

/* --- RAM maps by name --- */

#define KIB ((uint64_t)1024)
#define GIB ((uint64_t)1 << 30)

struct map_case {
	const char *name;
	struct qr_ram_region regions[8]; /* up to the first of no size */
	struct qr_boot_range usable[6];  /* up to the first that is empty */
	int error;
};

#define RAM(start, size)                                                       \
	{                                                                      \
		start, size, QR_RAM_USABLE, 0                                  \
	}
#define RAM_OF(start, size, n)                                                 \
	{                                                                      \
		start, size, QR_RAM_USABLE, n                                  \
	}
#define HELD(start, size)                                                      \
	{                                                                      \
		start, size, QR_RAM_RESERVED, 0                                \
	}

static const struct map_case map_cases[] = {
	{ "a PC's firmware",
	    { RAM(0, 639 * KIB), HELD(639 * KIB, KIB),
		HELD(960 * KIB, 64 * KIB), RAM(1024 * KIB, 3 * GIB),
		HELD(3 * GIB + 1024 * KIB, 1023 * 1024 * KIB),
		RAM(4 * GIB, GIB) },
	    { { 0, 636 * KIB, 0 }, { 1024 * KIB, 3 * GIB + 1024 * KIB, 0 },
		{ 4 * GIB, 5 * GIB, 0 } },
	    0 },
	{ "from top to bottom",
	    { RAM(2 * GIB, GIB), RAM(GIB, KIB * 64), RAM(0, KIB * 64) },
	    { { 0, 64 * KIB, 0 }, { GIB, GIB + 64 * KIB, 0 },
		{ 2 * GIB, 3 * GIB, 0 } },
	    0 },
	{ "said twice, and overlapping",
	    { RAM(0, 64 * KIB), RAM(0, 64 * KIB), RAM(32 * KIB, 64 * KIB) },
	    { { 0, 96 * KIB, 0 } }, 0 },
	{ "two halves of a page make one",
	    { RAM(0, 6 * KIB), RAM(6 * KIB, 2 * KIB) }, { { 0, 8 * KIB, 0 } },
	    0 },
	{ "reserved wins, whatever the order",
	    { HELD(16 * KIB, KIB), RAM(0, 64 * KIB), HELD(60 * KIB, GIB) },
	    { { 0, 16 * KIB, 0 }, { 20 * KIB, 60 * KIB, 0 } }, 0 },
	{ "a hole in a hole",
	    { RAM(0, 64 * KIB), HELD(8 * KIB, 32 * KIB),
		HELD(16 * KIB, 4 * KIB) },
	    { { 0, 8 * KIB, 0 }, { 40 * KIB, 64 * KIB, 0 } }, 0 },
	{ "the later node has what two claim",
	    { RAM_OF(0, 64 * KIB, 0), RAM_OF(32 * KIB, 64 * KIB, 1) },
	    { { 0, 32 * KIB, 0 }, { 32 * KIB, 96 * KIB, 1 } }, 0 },
	{ "a node inside another",
	    { RAM_OF(0, 96 * KIB, 2), RAM_OF(32 * KIB, 32 * KIB, 1) },
	    { { 0, 32 * KIB, 2 }, { 32 * KIB, 64 * KIB, 1 },
		{ 64 * KIB, 96 * KIB, 2 } },
	    0 },
	{ "less than a page", { RAM(KIB, 6 * KIB) }, { { 0 } }, -QR_ENOMEM },
	{ "all reserved", { RAM(0, 64 * KIB), HELD(0, GIB) }, { { 0 } },
	    -QR_ENOMEM },
	{ "up to the last address", { RAM(UINT64_MAX - 10 * KIB, UINT64_MAX) },
	    { { UINT64_MAX - 8 * KIB + 1, UINT64_MAX - 4 * KIB + 1, 0 } }, 0 },
};

static size_t
case_regions(const struct map_case *map)
{
	size_t count = 0;
	while (count < 8 && map->regions[count].size_bytes != 0)
		count++;
	return count;
}

static void
test_maps_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(map_cases) / sizeof(map_cases[0]); i++) {
		const struct map_case *map = &map_cases[i];
		struct bench *bench = bench_create(map->regions,
		    case_regions(map), QR_PORT_ZEROED_RAM);
		struct qr_boot *boot = &bench->boot;
		printf("map: %s\n", map->name);
		assert_int_equal(qr_boot_init(boot, &bench->port), map->error);
		size_t count = 0;
		for (; map->usable[count].end != 0; count++) {
			assert_int_equal(boot->usable.range[count].start,
			    map->usable[count].start);
			assert_int_equal(boot->usable.range[count].end,
			    map->usable[count].end);
			assert_int_equal(boot->usable.range[count].node,
			    map->usable[count].node);
		}
		if (map->error == 0) {
			assert_int_equal(boot->usable.count, count);
			qr_check_boot(boot);
		}
		bench_destroy(bench);
	}
}

/* Requests below a page share one, behind each other; what does not fit
 * begins another page, and the larger rest is kept. */
static void
test_small_requests_are_packed(void **state)
{
	static const struct qr_ram_region regions[] = { RAM(0, BYTES) };
	static const struct {
		uint64_t size;
		uint64_t align;
		qr_paddr_t place;
	} cases[] = {
		{ 100, 1, 0 }, { 100, 8, 104 }, { 1, 1, 204 },
		{ 3000, 256, 256 },
		{ 2000, 1, 4096 }, /* 840 are left: a new page */
		{ 2096, 1, 6096 }, /* and its rest is the larger one */
		{ 4096, 1, 8192 }, /* a page is never packed */
		{ 1, 1, 12288 }, { 5000, 1, 16384 },
		{ 4095, 1, 12289 }, /* fills it to the last byte */
		{ 4000, 64, 24576 }, { 95, 1, 28576 },
		{ 2, 1, 28672 }, /* one byte was left */
	};
	(void)state;
	struct bench *bench = bench_create(regions, 1, 0);
	assert_int_equal(qr_boot_init(&bench->boot, &bench->port), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct qr_boot_request request = {
			.size_bytes = cases[i].size,
			.align = cases[i].align,
		};
		qr_paddr_t start = BYTES;
		assert_int_equal(qr_boot_alloc(&bench->boot, &request, &start),
		    0);
		assert_int_equal(start, cases[i].place);
		assert_reads_zero(bench, start, cases[i].size);
		qr_check_boot(&bench->boot);
	}
	bench_destroy(bench);
}

/* --- edges --- */

static void
test_map_is_refused(void **state)
{
	struct qr_ram_region regions[QR_BOOT_REGIONS_MAX + 1] = { 0 };
	(void)state;
	struct bench *bench = bench_create(regions, 0, 0);
	assert_int_equal(qr_boot_init(&bench->boot, &bench->port), -QR_ENOMEM);
	bench->ram.count = QR_BOOT_REGIONS_MAX + 1;
	assert_int_equal(qr_boot_init(&bench->boot, &bench->port), -QR_E2BIG);

	/* One usable region in pieces: more of them than there is room for. */
	bench->ram.count = QR_BOOT_REGIONS_MAX;
	regions[0] = (struct qr_ram_region){ .size_bytes = UINT64_MAX };
	for (size_t i = 1; i < QR_BOOT_REGIONS_MAX; i++)
		regions[i] = (struct qr_ram_region){
			.start = i << 20,
			.size_bytes = 1,
			.kind = QR_RAM_RESERVED,
		};
	assert_int_equal(qr_boot_init(&bench->boot, &bench->port), 0);
	assert_int_equal(bench->boot.usable.count, QR_BOOT_REGIONS_MAX);
	regions[1].node = 1;
	regions[1].kind = QR_RAM_USABLE;
	assert_int_equal(qr_boot_init(&bench->boot, &bench->port), -QR_E2BIG);
	bench_destroy(bench);
}

static void
test_highest_addresses(void **state)
{
	static const struct qr_ram_region regions[] = {
		{ UINT64_MAX - 100, 50, QR_RAM_USABLE, 0 },
		{ 0, BYTES, QR_RAM_USABLE, 0 },
		{ UINT64_MAX - QR_PAGE_SIZE, UINT64_MAX, QR_RAM_RESERVED, 0 },
	};
	(void)state;
	struct bench *bench = bench_create(regions, 3, QR_PORT_ZEROED_RAM);
	struct qr_boot *boot = &bench->boot;
	assert_int_equal(qr_boot_init(boot, &bench->port), 0);
	assert_int_equal(qr_boot_end(boot), BYTES);
	assert_int_equal(qr_boot_reserve(boot, BYTES - QR_PAGE_SIZE,
			     UINT64_MAX),
	    0);
	assert_int_equal(qr_boot_free_bytes(boot), BYTES - QR_PAGE_SIZE);
	qr_paddr_t start;
	struct qr_boot_request request = { UINT64_MAX, 1, 0, 0 };
	assert_int_equal(qr_boot_alloc(boot, &request, &start), -QR_ENOMEM);
	request = (struct qr_boot_request){ 1, (uint64_t)1 << 63, 1, 0 };
	assert_int_equal(qr_boot_alloc(boot, &request, &start), -QR_ENOMEM);
	model_init(bench);
	memset(&bench->reserved[BYTES - QR_PAGE_SIZE], true, QR_PAGE_SIZE);
	hand_over(bench);
	bench_destroy(bench);
}

/* A full set refuses what needs one more range, and nothing has changed. */
static void
test_full_reserved_set(void **state)
{
	static const struct qr_ram_region regions[] = {
		{ 0, BYTES, QR_RAM_USABLE, 0 },
	};
	(void)state;
	struct bench *bench = bench_create(regions, 1, QR_PORT_ZEROED_RAM);
	struct qr_boot *boot = &bench->boot;
	qr_paddr_t start;
	assert_int_equal(qr_boot_init(boot, &bench->port), 0);
	assert_int_equal(qr_boot_reserve(boot, 0, 3 * QR_PAGE_SIZE), 0);
	for (size_t i = 1; i < QR_BOOT_REGIONS_MAX; i++)
		assert_int_equal(qr_boot_reserve(boot,
				     8 * QR_PAGE_SIZE + i * 64, 1),
		    0);
	uint64_t free_bytes = qr_boot_free_bytes(boot);
	assert_int_equal(qr_boot_reserve(boot, 5 * QR_PAGE_SIZE, 1), -QR_E2BIG);
	struct qr_boot_request request = { 1, 1, 4 * QR_PAGE_SIZE, 0 };
	assert_int_equal(qr_boot_alloc(boot, &request, &start), -QR_E2BIG);
	assert_int_equal(qr_boot_free(boot, QR_PAGE_SIZE, QR_PAGE_SIZE),
	    -QR_E2BIG);
	assert_int_equal(qr_boot_free_bytes(boot), free_bytes);
	/* What needs none is taken: it joins a neighbour. */
	request.limit_low = 0;
	assert_int_equal(qr_boot_alloc(boot, &request, &start), 0);
	assert_int_equal(start, 3 * QR_PAGE_SIZE);
	qr_check_boot(boot);
	bench_destroy(bench);
}

static void
reserve_one(void *ctx)
{
	struct bench *bench = ctx;
	assert_int_equal(qr_boot_reserve(&bench->boot, 0, 1), 0);
}

static void
check(void *ctx)
{
	struct bench *bench = ctx;
	qr_check_boot(&bench->boot);
}

static void
assert_panics(struct bench *bench, void (*body)(void *ctx), const char *words)
{
	const char *message = sim_expect_panic(body, bench);
	assert_non_null(message);
	assert_non_null(strstr(message, words));
}

static void
test_misuse_panics(void **state)
{
	static const struct qr_ram_region regions[] = {
		{ 0, BYTES, QR_RAM_USABLE, 0 },
	};
	(void)state;
	struct bench *bench = bench_create(regions, 1, 0);
	struct qr_boot *boot = &bench->boot;
	assert_panics(bench, reserve_one, "signature");
	assert_int_equal(qr_boot_init(boot, &bench->port), 0);

	boot->usable.range[0].end--;
	assert_panics(bench, check, "[boot.2]");
	boot->usable.range[0].end++;
	boot->tail_end = 5;
	assert_panics(bench, check, "[boot.3]");
	boot->tail_end = 0;
	boot->reserved.count = 1;
	assert_panics(bench, check, "[boot.1]");
	boot->reserved.count = 0;

	model_init(bench);
	hand_over(bench);
	assert_panics(bench, reserve_one, "handed over");
	bench_destroy(bench);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_maps_by_name),
		cmocka_unit_test(test_small_requests_are_packed),
		cmocka_unit_test(test_map_is_refused),
		cmocka_unit_test(test_highest_addresses),
		cmocka_unit_test(test_full_reserved_set),
		cmocka_unit_test(test_misuse_panics),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
