/* SPDX-License-Identifier: MIT */
/*
 * port.c: the port's table of callbacks, and those of them that are a line
 * or two: memory, threads, time.
 *
 * Frame n is a credit of one page out of the budget. If the core uses it
 * itself its bytes are page n of the home reserve; if it holds a page of the
 * program, the bytes are at the program's address and the home page is
 * given back. So what is resident is never more than the frames in use.
 */
#include <errno.h>
#include <linux/futex.h>
#include <time.h>

#include "helper.h"
#include "linux.h"
#include "pager.h"
#include "print.h"
#include "sys.h"

static bool
linux_ram_region(void *ctx, size_t index, struct qr_ram_region *region)
{
	const struct qr_linux *state = ctx;
	if (index > 0)
		return false;
	*region = (struct qr_ram_region){
		.start = 0,
		.size_bytes = state->frames * QR_PAGE_SIZE,
		.kind = QR_RAM_USABLE,
	};
	return true;
}

static void *
linux_direct_map(void *ctx)
{
	const struct qr_linux *state = ctx;
	return state->home;
}

static void *
linux_stage(void *ctx, unsigned cpu, qr_pfn_t frame, size_t index)
{
	const struct qr_linux *state = ctx;
	(void)frame;
	return state->stages +
	       ((size_t)cpu * QR_STAGE_PAGES + index) * QR_PAGE_SIZE;
}

static unsigned
linux_cpu(void *ctx)
{
	const struct qr_linux *state = ctx;
	return qr_thread_self()->cpu_hint % state->port.cpu_count;
}

static uint32_t
linux_self(void *ctx)
{
	(void)ctx;
	return qr_thread_self()->self;
}

static void
linux_wait(void *ctx, const void *word, uint32_t expect, uint64_t timeout_ns)
{
	(void)ctx;
	const uint64_t second = 1000000000u;
	struct timespec timeout = {
		.tv_sec = (time_t)(timeout_ns / second),
		.tv_nsec = (long)(timeout_ns % second),
	};
	qr_sys4(SYS_futex, word, FUTEX_WAIT_PRIVATE, expect,
	    timeout_ns == UINT64_MAX ? NULL : &timeout);
}

static void
linux_wake(void *ctx, const void *word, unsigned count)
{
	(void)ctx;
	long limit = count > INT32_MAX ? INT32_MAX : (long)count;
	qr_sys3(SYS_futex, word, FUTEX_WAKE_PRIVATE, limit);
}

static bool
linux_alive(void *ctx, uint32_t self)
{
	(void)ctx;
	long pid = qr_sys0(SYS_getpid);
	return qr_sys3(SYS_tgkill, pid, (long)self, 0L) != -ESRCH;
}

uint64_t
linux_clock(void *ctx)
{
	(void)ctx;
	struct timespec now;
	qr_sys2(SYS_clock_gettime, (long)CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t
linux_random(void *ctx)
{
	/* The clock through a mixing function (splitmix64): differs from call
	 * to call, which is all that is asked. */
	uint64_t x = linux_clock(ctx) + UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

void
qr_port_panic(const char *file, int line, const char *condition,
    const char *format, ...)
{
	char text[512];
	struct print print;
	print_init(&print, text, sizeof(text));
	print_format(&print, "%s:%d: %s: ", file, line, condition);
	va_list args;
	va_start(args, format);
	print_vformat(&print, format, args);
	va_end(args);
	linux_die(text, 134);
}

const struct qr_port_ops linux_port_ops = {
	.ram_region = linux_ram_region,
	.direct_map = linux_direct_map,
	.frame_release = linux_frame_release,
	.stage = linux_stage,
	.mm_create = linux_mm_create,
	.mm_destroy = linux_mm_destroy,
	.mmu_map = linux_mmu_map,
	.mmu_freeze = linux_mmu_freeze,
	.mmu_thaw = linux_mmu_thaw,
	.mmu_drop = linux_mmu_drop,
	.mmu_protect = linux_mmu_protect,
	.mmu_peek = linux_mmu_peek,
	.cpu = linux_cpu,
	.self = linux_self,
	.wait = linux_wait,
	.wake = linux_wake,
	.alive = linux_alive,
	.clock = linux_clock,
	.random = linux_random,
	.swap_size = linux_swap_size,
	.swap_read = linux_swap_read,
	.swap_write = linux_swap_write,
	.swap_trim = linux_swap_trim,
	.grant = linux_grant,
	.wake_reclaim = linux_wake_reclaim,
	.oom = linux_oom,
};
