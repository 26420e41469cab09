/* SPDX-License-Identifier: MIT */
/*
 * tests/port/test_linux_machine.c: proves that a program of one thread can
 * hold twice its budget in a machine on port/linux and find all of it again,
 * with no gate: it makes its mapping calls through the pager and has its
 * faults solved by the pager.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "linux_bed.h"
#include "port/linux/helper.h"
#include "port/linux/pager.h"

#define BUDGET_BYTES ((uint64_t)24 << 20)
#define AREA_PAGES   (2 * BUDGET_BYTES / QR_PAGE_SIZE)
#define PAGE_WORDS   (QR_PAGE_SIZE / sizeof(uint64_t))

static struct {
	struct qr_thread *thread;
	uint64_t seed;
	int error;
} bed;

static sigjmp_buf bed_refused;

/* --- what the gate would do --- */

static void
on_fault(int signal_number, siginfo_t *info, void *context)
{
	if (!pager_fault(qr_thread_self(), signal_number, info, context))
		siglongjmp(bed_refused, 1);
}

/* First in each test, since cmocka puts handlers of its own there. */
static void
catch_faults(void)
{
	stack_t stack = { .ss_sp = (void *)qr_thread_stack_start(bed.thread),
		.ss_size = qr_thread_stack_end(bed.thread) -
			   qr_thread_stack_start(bed.thread) };
	struct sigaction action = { .sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_ONSTACK };
	sigfillset(&action.sa_mask);
	assert_int_equal(sigaltstack(&stack, NULL), 0);
	assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
	assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
}

struct call {
	long number;
	long args[6];
	long result;
};

static void
call_run(void *arg)
{
	struct call *call = arg;
	call->result = pager_mapping_call(bed.thread, call->number, call->args);
}

static long
mapping(long number, const void *at, size_t size, long third)
{
	struct call call = { .number = number,
		.args = { (long)(intptr_t)at, (long)size, third,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 } };
	bed_call(bed.thread, call_run, &call);
	return call.result;
}

static uint64_t *
map(size_t pages)
{
	long at = mapping(SYS_mmap, NULL, pages * QR_PAGE_SIZE,
	    PROT_READ | PROT_WRITE);
	assert_true(at > 0);
	return (uint64_t *)at;
}

static void
check_run(void *arg)
{
	(void)arg;
	helper_stop();
	qr_check_machine(qr_linux.machine);
}

/* --- contents --- */

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Of four pages one is filled with one word, one compresses well, and two
 * can't be compressed, which must go to the swap file or stay. */
static uint64_t
word_of(uint64_t page, uint64_t word, uint64_t salt)
{
	uint64_t random = mix(bed.seed + salt + page * PAGE_WORDS);
	if (page % 4 == 0)
		return random;
	if (page % 4 == 1)
		return random + word % 16;
	return mix(random + word);
}

static void
page_write(uint64_t *area, uint64_t page, uint64_t salt)
{
	for (uint64_t word = 0; word < PAGE_WORDS; word++)
		area[page * PAGE_WORDS + word] = word_of(page, word, salt);
}

static void
page_expect(const uint64_t *area, uint64_t page, uint64_t salt)
{
	for (uint64_t word = 0; word < PAGE_WORDS; word++) {
		if (area[page * PAGE_WORDS + word] != word_of(page, word, salt))
			fail_msg("page %lu word %lu is wrong",
			    (unsigned long)page, (unsigned long)word);
	}
}

/* RssAnon now, bytes. */
static uint64_t
resident_bytes(void)
{
	char line[256];
	unsigned long kib = 0;
	FILE *file = fopen("/proc/self/status", "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL &&
	       sscanf(line, "RssAnon: %lu", &kib) != 1)
		;
	fclose(file);
	return (uint64_t)kib * 1024;
}

/* --- tests --- */

static void
test_twice_the_budget(void **state)
{
	(void)state;
	catch_faults();
	uint64_t *area = map(AREA_PAGES);
	uint64_t most = 0;
	for (uint64_t page = 0; page < AREA_PAGES; page++) {
		page_write(area, page, 0);
		uint64_t now = page % 64 == 0 ? resident_bytes() : 0;
		if (now > most)
			most = now;
	}
	/* In an order that has nothing to do with the first; the step has no
	 * divisor in common with the number of pages. */
	for (uint64_t i = 0; i < AREA_PAGES; i++) {
		uint64_t page = i * 5003 % AREA_PAGES;
		page_expect(area, page, 0);
		if (i % 3 == 0)
			page_write(area, page, 1);
	}
	for (uint64_t i = 0; i < AREA_PAGES; i++)
		page_expect(area, i * 5003 % AREA_PAGES, i % 3 == 0);
	struct qr_machine_stat stat;
	qr_machine_stat(qr_linux.machine, &stat);
	printf("held %lu KiB of %lu, %lu pages out, %lu from pool, %lu from "
	       "disk\n",
	    (unsigned long)(most >> 10), (unsigned long)(BUDGET_BYTES >> 10),
	    (unsigned long)stat.pages_out, (unsigned long)stat.faults_pool,
	    (unsigned long)stat.faults_device);
	assert_true(most <= BUDGET_BYTES + ((uint64_t)2 << 20));
	assert_true(stat.pages_out >= AREA_PAGES / 2);
	assert_int_equal(mapping(SYS_munmap, area, AREA_PAGES * QR_PAGE_SIZE,
			     0),
	    0);
}

static void
test_dropped_pages_are_zero(void **state)
{
	(void)state;
	const uint64_t pages = AREA_PAGES;
	catch_faults();
	uint64_t *area = map(pages);
	for (uint64_t page = 0; page < pages; page++)
		page_write(area, page, 2);
	/* The first ones are out by now, the last ones in. */
	for (uint64_t from = 0; from < pages; from += pages / 2)
		assert_int_equal(mapping(SYS_madvise, area + from * PAGE_WORDS,
				     pages / 4 * QR_PAGE_SIZE, MADV_DONTNEED),
		    0);
	for (uint64_t page = 0; page < pages; page++) {
		if (page % (pages / 2) < pages / 4)
			assert_int_equal(area[page * PAGE_WORDS + 7], 0);
		else
			page_expect(area, page, 2);
	}
	assert_int_equal(mapping(SYS_munmap, area, pages * QR_PAGE_SIZE, 0), 0);
}

static void
test_rights_are_the_programs(void **state)
{
	(void)state;
	catch_faults();
	uint64_t *area = map(4);
	volatile uint64_t *word = area;
	page_write(area, 1, 3);
	assert_int_equal(mapping(SYS_mprotect, area, 4 * QR_PAGE_SIZE,
			     PROT_READ),
	    0);
	page_expect(area, 1, 3);
	if (sigsetjmp(bed_refused, 1) == 0) {
		*word = 1;
		fail_msg("a page without the right was written");
	}
	assert_int_equal(mapping(SYS_mprotect, area, 4 * QR_PAGE_SIZE,
			     PROT_READ | PROT_WRITE),
	    0);
	*word = 1;
	page_expect(area, 1, 3);
	assert_int_equal(mapping(SYS_munmap, area, 4 * QR_PAGE_SIZE, 0), 0);
}

static void
test_nothing_is_left(void **state)
{
	(void)state;
	catch_faults();
	bed_call(bed.thread, check_run, NULL);
	struct qr_machine_stat stat;
	qr_machine_stat(qr_linux.machine, &stat);
	assert_int_equal(stat.frames_user, 0);
	assert_int_equal(stat.swap_slots, 0);
}

static void
start_machine(void *arg)
{
	(void)arg;
	bed.error = setup_machine();
	if (bed.error == 0)
		bed.error = credit_start();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_twice_the_budget),
		cmocka_unit_test(test_dropped_pages_are_zero),
		cmocka_unit_test(test_rights_are_the_programs),
		cmocka_unit_test(test_nothing_is_left),
	};
	const char *seed = getenv("QUIRE_SEED");
	bed.seed = seed != NULL ? strtoull(seed, NULL, 0) : 1;
	printf("QUIRE_SEED=%lu\n", (unsigned long)bed.seed);
	bed.thread = bed_open(BUDGET_BYTES, BUDGET_BYTES * 4);
	if (bed.thread == NULL)
		return BED_SKIPPED;
	bed_call(bed.thread, start_machine, NULL);
	if (bed.error != 0) {
		printf("no machine: %s\n", strerror(-bed.error));
		return 1;
	}
	return cmocka_run_group_tests_name("linux machine", tests, NULL, NULL);
}
