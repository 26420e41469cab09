/* SPDX-License-Identifier: MIT */
/*
 * tests/port/test_cost.c: what the calls that a kernel makes most cost in
 * instructions of the core stays below what is written here, and hardly grows
 * with the number of areas. On the port of examples/toykernel, whose functions
 * do next to nothing, and the library that embedders link. Zeroing, copying and
 * transferring pages is not counted: it is the work of memset and memcpy, which
 * are this file's own. Counted one by one (step_count.h), so exact for a
 * compiler; the limits are what holds now, with room for a second one. What is
 * aimed at is printed beside it where it is not reached yet.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <qr/calls.h>

#include "core/base/config.h"
#include "examples/toykernel/toy.h"

#include "tests/core/step_count.h"

#define PAGE ((uint64_t)QR_PAGE_SIZE)
#define RW   (QR_PROT_READ | QR_PROT_WRITE)
#define AT   ((uint64_t)0x10000000)

/* --- bytes, not counted --- */

void *memset(void *to, int byte, size_t count);
void *memcpy(void *restrict to, const void *restrict from, size_t count);

void *
memset(void *to, int byte, size_t count)
{
	volatile unsigned char *at = to;
	if (step_running != 0)
		STEP_COUNT_END();
	for (size_t i = 0; i < count; i++)
		at[i] = (unsigned char)byte;
	if (step_running != 0)
		STEP_COUNT_BEGIN();
	return to;
}

void *
memcpy(void *restrict to, const void *restrict from, size_t count)
{
	volatile unsigned char *at = to;
	const unsigned char *bytes = from;
	if (step_running != 0)
		STEP_COUNT_END();
	for (size_t i = 0; i < count; i++)
		at[i] = bytes[i];
	if (step_running != 0)
		STEP_COUNT_BEGIN();
	return to;
}

/* --- the bed --- */

struct bed {
	struct toy toy;
	struct qr_port port;
	struct qr_machine *machine;
	struct qr_space *space;
	unsigned next; /* page that the work goes on at */
};

static void
bed_start(struct bed *bed)
{
	static const struct qr_machine_config config = { .fault_around = 1 };
	*bed = (struct bed){ .next = 0 };
	bed->toy.ram = aligned_alloc(QR_PAGE_SIZE, TOY_RAM_PAGES * PAGE);
	bed->toy.disk = calloc(TOY_DISK_PAGES, QR_PAGE_SIZE);
	assert_non_null(bed->toy.ram);
	assert_non_null(bed->toy.disk);
	bed->port = toy_port(&bed->toy);
	assert_int_equal(qr_machine_create(&bed->port, &config, &bed->machine),
	    0);
	assert_int_equal(qr_space_create(bed->machine, &bed->space), 0);
}

static void
bed_end(struct bed *bed)
{
	qr_space_destroy(bed->space);
	qr_check_machine(bed->machine);
	qr_machine_destroy(bed->machine);
	free(bed->toy.ram);
	free(bed->toy.disk);
}

static void
bed_map(struct bed *bed, uint64_t address, uint64_t pages, unsigned prot)
{
	struct qr_mmap call = { .address = address,
		.length = pages * PAGE,
		.prot = prot,
		.flags = QR_MAP_CALL_PRIVATE | QR_MAP_CALL_ANONYMOUS |
			 QR_MAP_CALL_FIXED };
	uint64_t at;
	if (qr_call_mmap(bed->space, &call, &at) != 0)
		abort();
}

static void
bed_touch(struct bed *bed, uint64_t first, uint64_t pages)
{
	for (uint64_t i = first; i < first + pages; i++) {
		if (qr_space_fault(bed->space, AT + i * PAGE,
			QR_ACCESS_WRITE) != 0)
			abort();
	}
}

/* --- the work --- */

static void
work_touch(void *ctx, unsigned n)
{
	struct bed *bed = ctx;
	bed_touch(bed, bed->next, n);
	bed->next += n;
}

static void
work_read(void *ctx, unsigned n)
{
	struct bed *bed = ctx;
	for (unsigned i = 0; i < n; i++) {
		if (qr_space_fault(bed->space, AT + bed->next++ * PAGE,
			QR_ACCESS_READ) != 0)
			abort();
	}
}

static void
work_map(void *ctx, unsigned n)
{
	struct bed *bed = ctx;
	for (unsigned i = 0; i < n; i++) {
		bed_map(bed, AT + 1000 * PAGE, 1, RW);
		if (qr_call_munmap(bed->space, AT + 1000 * PAGE, PAGE) != 0)
			abort();
	}
}

static void
work_protect(void *ctx, unsigned n)
{
	struct bed *bed = ctx;
	for (unsigned i = 0; i < n; i++) {
		uint64_t page = AT + 5 * PAGE;
		if (qr_call_mprotect(bed->space, page, PAGE, QR_PROT_READ) !=
			0 ||
		    qr_call_mprotect(bed->space, page, PAGE, RW) != 0)
			abort();
	}
}

static void
work_unmap(void *ctx, unsigned n)
{
	struct bed *bed = ctx;
	if (n != 0 && qr_call_munmap(bed->space, AT, n * PAGE) != 0)
		abort();
}

static void
work_fork(void *ctx, unsigned n)
{
	struct bed *bed = ctx;
	for (unsigned i = 0; i < n; i++) {
		struct qr_space *child;
		if (qr_space_fork(bed->space, &child) != 0)
			abort();
		qr_space_destroy(child);
	}
}

static void
work_page_out(void *ctx, unsigned n)
{
	struct bed *bed = ctx;
	const int pageout = 21;
	if (n != 0 && qr_call_madvise(bed->space, AT, n * PAGE, pageout) != 0)
		abort();
}

/* --- the limits --- */

static unsigned too_dear;

/* One line of the table. */
struct gate {
	const char *name;
	step_count_fn *work;
	unsigned n;     /* times counted */
	unsigned limit; /* instructions */
	unsigned aim;   /* likewise */
};

static uint64_t
measure(struct bed *bed, const struct gate *gate)
{
	uint64_t cost = step_count_hundredths(gate->work, bed, gate->n) / 100;
	printf("%-34s %6llu instructions, limit %u", gate->name,
	    (unsigned long long)cost, gate->limit);
	if (cost > gate->aim)
		printf(", aim %u", gate->aim);
	printf("\n");
	too_dear += cost > gate->limit;
	return cost;
}

static void
skip_where_it_means_nothing(void)
{
	if (QR_CONFIG_HARD || !STEP_COUNT_KNOWN)
		skip();
}

static void
test_faults(void **state)
{
	struct bed bed;
	(void)state;
	skip_where_it_means_nothing();
	bed_start(&bed);
	bed_map(&bed, AT, 200, RW);
	bed_touch(&bed, 0, 20);
	bed.next = 20;
	measure(&bed, &(struct gate){ "anonymous fault, write", work_touch, 16,
			  2400, 900 });
	measure(&bed, &(struct gate){ "anonymous fault, read", work_read, 16,
			  2400, 900 });
	struct qr_space *parent = bed.space;
	assert_int_equal(qr_space_fork(parent, &bed.space), 0);
	bed.next = 0;
	measure(&bed, &(struct gate){ "copy-on-write fault, copy", work_touch,
			  16, 2600, 900 });
	qr_space_destroy(bed.space);
	bed.space = parent;
	bed.next = 40;
	measure(&bed, &(struct gate){ "copy-on-write fault, reuse", work_touch,
			  16, 720, 450 });
	measure(&bed, &(struct gate){ "munmap of a touched page, each",
			  work_unmap, 32, 1000, 450 });
	bed_end(&bed);
}

static void
test_mappings(void **state)
{
	struct bed bed;
	(void)state;
	skip_where_it_means_nothing();
	bed_start(&bed);
	bed_map(&bed, AT, 20, RW);
	bed_touch(&bed, 0, 20);
	work_map(&bed, 4);
	work_protect(&bed, 4);
	measure(&bed, &(struct gate){ "mmap and munmap, untouched", work_map, 2,
			  2500, 2500 });
	measure(&bed, &(struct gate){ "mprotect, split and merge", work_protect,
			  4, 4300, 4000 });
	bed_end(&bed);
}

static void
test_forks(void **state)
{
	struct bed bed;
	(void)state;
	skip_where_it_means_nothing();
	bed_start(&bed);
	bed_map(&bed, AT, 300, RW);
	bed_touch(&bed, 0, 10);
	work_fork(&bed, 1);
	uint64_t few = measure(&bed, &(struct gate){ "fork and exit, 10 pages",
					 work_fork, 1, 80000, 31200 });
	bed_touch(&bed, 10, 50);
	work_fork(&bed, 1);
	uint64_t many = measure(&bed, &(struct gate){ "fork and exit, 60 pages",
					  work_fork, 1, 115000, 37200 });
	printf("%-36s %6llu instructions\n", "of these for each page",
	    (unsigned long long)((many - few) / 50));
	bed_end(&bed);
}

static void
test_swap(void **state)
{
	struct bed bed;
	(void)state;
	skip_where_it_means_nothing();
	bed_start(&bed);
	bed_map(&bed, AT, 200, RW);
	bed_touch(&bed, 0, 200);
	/* Pages of one byte each would be stored as a word. */
	for (uint64_t i = 0; i < 200; i++) {
		unsigned char *byte = toy_translate(&bed.toy,
		    qr_space_mm(bed.space), AT + i * PAGE + i, QR_ACCESS_WRITE);
		assert_non_null(byte);
		*byte = 1;
	}
	measure(&bed, &(struct gate){ "page out, each of 32", work_page_out, 32,
			  5900, 2500 });
	bed.next = 0;
	measure(&bed, &(struct gate){ "page in", work_read, 8, 4600, 2000 });
	bed_end(&bed);
}

/* Areas that can't be joined, a page apart. */
static void
test_flat(void **state)
{
	static const unsigned counts[] = { 1000, 3000, 10000 };
	uint64_t least = UINT64_MAX;
	uint64_t most = 0;
	(void)state;
	skip_where_it_means_nothing();
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct bed bed;
		char name[64];
		bed_start(&bed);
		for (uint64_t k = 0; k < counts[i]; k++)
			bed_map(&bed, AT + (2000 + 2 * k) * PAGE, 1, RW);
		work_map(&bed, 4);
		snprintf(name, sizeof(name), "mmap and munmap, %u areas",
		    counts[i]);
		uint64_t cost = measure(&bed,
		    &(struct gate){ name, work_map, 2, 6500, 2500 });
		least = cost < least ? cost : least;
		most = cost > most ? cost : most;
		bed_end(&bed);
	}
	/* A level of the tree for each factor of two. */
	assert_true(most * 2 <= least * 3);
}

static void
test_all_below(void **state)
{
	(void)state;
	assert_int_equal(too_dear, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_mappings),
		cmocka_unit_test(test_forks),
		cmocka_unit_test(test_swap),
		cmocka_unit_test(test_flat),
		cmocka_unit_test(test_all_below),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
