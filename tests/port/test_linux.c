/* SPDX-License-Identifier: MIT */
/*
 * tests/port/test_linux.c: proves that a Linux process is a port: the suite
 * plays the core against userfaultfd, a real swap file and real faults.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "conformance.h"
#include "linux_bed.h"

#define FRAMES_MAX 4096u
#define AREA_BYTES ((size_t)PORT_FIXTURE_PAGES * QR_PAGE_SIZE)

static struct {
	unsigned char *area; /* reserved for the one space */
	bool space_is_open;
	bool taken[FRAMES_MAX];
	int failed; /* tests */
} bed;

static sigjmp_buf bed_fault;

/* --- the fixture --- */

static void *
bed_space_open(void *ctx)
{
	void *mm = NULL;
	if (bed.space_is_open)
		return NULL; /* a process has one */
	void *area = mmap(bed.area, AREA_BYTES, PROT_READ | PROT_WRITE,
	    MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_equal(area, bed.area);
	assert_int_equal(mmu_register((uintptr_t)area, AREA_BYTES), 0);
	assert_int_equal(linux_port_ops.mm_create(ctx, 0, 1, &mm), 0);
	bed.space_is_open = true;
	return mm;
}

static void
bed_space_close(void *ctx, void *mm)
{
	linux_port_ops.mm_destroy(ctx, mm);
	bed.space_is_open = false;
	void *area = mmap(bed.area, AREA_BYTES, PROT_NONE,
	    MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_equal(area, bed.area);
}

static qr_pfn_t
bed_frame_take(void *ctx)
{
	(void)ctx;
	for (qr_pfn_t frame = 1; frame < FRAMES_MAX; frame++) {
		if (!bed.taken[frame]) {
			bed.taken[frame] = true;
			return frame;
		}
	}
	fail_msg("out of frames");
	return 0;
}

static void
bed_frame_give(void *ctx, qr_pfn_t frame)
{
	(void)ctx;
	assert_true(bed.taken[frame]);
	bed.taken[frame] = false;
}

static uint64_t *
bed_entry(void *ctx, void *mm, qr_vaddr_t address)
{
	(void)ctx;
	(void)mm;
	(void)address;
	return NULL; /* the host has tables of its own */
}

static void
bed_area_protect(void *ctx, void *mm, qr_vaddr_t start, qr_vaddr_t end,
    unsigned prot)
{
	(void)ctx;
	(void)mm;
	assert_int_equal(mprotect((void *)start, end - start, (int)prot), 0);
}

static void
on_fault(int signal_number)
{
	(void)signal_number;
	siglongjmp(bed_fault, 1);
}

/* A write if to_write is not NULL. cmocka has handlers of its own, so ours
 * stand only around the touch. */
static bool
bed_touch(qr_vaddr_t address, unsigned char *byte,
    const unsigned char *to_write)
{
	struct sigaction fault = { .sa_handler = on_fault };
	struct sigaction bus, segv;
	volatile unsigned char *at = (volatile unsigned char *)address;
	volatile bool done = false;
	sigaction(SIGBUS, &fault, &bus);
	sigaction(SIGSEGV, &fault, &segv);
	if (sigsetjmp(bed_fault, 1) == 0) {
		if (to_write != NULL)
			*at = *to_write;
		else
			*byte = *at;
		done = true;
	}
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return done;
}

static bool
bed_touch_read(void *ctx, void *mm, qr_vaddr_t address, unsigned char *byte)
{
	(void)ctx;
	(void)mm;
	return bed_touch(address, byte, NULL);
}

static bool
bed_touch_write(void *ctx, void *mm, qr_vaddr_t address, unsigned char byte)
{
	(void)ctx;
	(void)mm;
	return bed_touch(address, NULL, &byte);
}

static void
conform(void *arg)
{
	const struct port_fixture fixture = { .name = "linux",
		.port = &qr_linux.port,
		.ctx = arg,
		.space_open = bed_space_open,
		.space_close = bed_space_close,
		.base = (qr_vaddr_t)bed.area,
		.frame_take = bed_frame_take,
		.frame_give = bed_frame_give,
		.entry = bed_entry,
		.area_protect = bed_area_protect,
		.touch_read = bed_touch_read,
		.touch_write = bed_touch_write };
	bed.failed = port_conformance_run(&fixture);
}

int
main(void)
{
	struct qr_thread *thread = bed_open((uint64_t)FRAMES_MAX * QR_PAGE_SIZE,
	    (uint64_t)64 * QR_PAGE_SIZE);
	if (thread == NULL)
		return BED_SKIPPED;
	bed.area = mmap(NULL, AREA_BYTES, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (bed.area == MAP_FAILED)
		return 1;
	/* The port's callbacks know their thread by its Quire stack. */
	bed_call(thread, conform, &qr_linux);
	return bed.failed;
}
