/* SPDX-License-Identifier: MIT */
/*
 * toykernel/port.c: all that a kernel owes the core: the functions of
 * struct qr_port_ops, in the order of <qr/port.h>, and qr_port_panic.
 * docs/PORTING.md says the same in words.
 *
 * The machine has one processor without a TLB that walks the core's page
 * table itself. So the calls that make the machine agree with changed entries
 * have nothing to do; with a TLB each would end in a flush of its ranges.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "toy.h"

/* --- physical memory --- */

static bool
toy_ram_region(void *ctx, size_t index, struct qr_ram_region *region)
{
	(void)ctx;
	*region = (struct qr_ram_region){
		.start = 0,
		.size_bytes = TOY_RAM_PAGES * QR_PAGE_SIZE,
		.kind = QR_RAM_USABLE,
	};
	return index == 0;
}

static void *
toy_direct_map(void *ctx)
{
	return ((struct toy *)ctx)->ram;
}

static unsigned char *
frame_bytes(const struct toy *toy, qr_pfn_t frame)
{
	return toy->ram + frame * QR_PAGE_SIZE;
}

/* RAM stays where it is: there is nothing to give back. */
static void
toy_frame_release(void *ctx, const struct qr_frame_run *runs, size_t count)
{
	(void)ctx;
	(void)runs;
	(void)count;
}

/* The frame itself is where its contents are written. */
static void *
toy_stage(void *ctx, unsigned cpu, qr_pfn_t frame, size_t index)
{
	(void)cpu;
	(void)index;
	return frame_bytes(ctx, frame);
}

/* --- address spaces --- */

static int
toy_mm_create(void *ctx, qr_pfn_t root, uint32_t tag, void **mm)
{
	struct toy *toy = ctx;
	for (size_t i = 0; i < TOY_PROCESSES_MAX; i++) {
		struct toy_process *process = &toy->processes[i];
		if (process->used)
			continue;
		*process = (struct toy_process){ root, tag, true };
		*mm = process;
		return 0;
	}
	return -QR_ENOMEM;
}

static void
toy_mm_destroy(void *ctx, void *mm)
{
	(void)ctx;
	((struct toy_process *)mm)->used = false;
}

static int
toy_mmu_map(void *ctx, void *mm, unsigned cpu, const struct qr_map_run *run)
{
	(void)mm;
	(void)cpu;
	for (size_t i = 0; run->zero && i < run->count; i++)
		memset(frame_bytes(ctx, run->frames[i]), 0, QR_PAGE_SIZE);
	return 0;
}

static int
toy_mmu_freeze(void *ctx, void *mm, const struct qr_range *ranges, size_t count,
    bool lasting)
{
	(void)ctx;
	(void)mm;
	(void)ranges;
	(void)count;
	(void)lasting;
	return 0;
}

static void
toy_mmu_thaw(void *ctx, void *mm, const struct qr_range *ranges, size_t count)
{
	(void)ctx;
	(void)mm;
	(void)ranges;
	(void)count;
}

static size_t
toy_mmu_drop(void *ctx, void *mm, const struct qr_range *ranges, size_t count)
{
	(void)ctx;
	(void)mm;
	(void)ranges;
	return count;
}

static int
toy_mmu_protect(void *ctx, void *mm, qr_vaddr_t start, qr_vaddr_t end,
    unsigned prot)
{
	(void)ctx;
	(void)mm;
	(void)start;
	(void)end;
	(void)prot;
	return 0;
}

static const void *
toy_mmu_peek(void *ctx, void *mm, const struct qr_peek *at)
{
	(void)mm;
	return frame_bytes(ctx, at->frame);
}

/* --- processors, threads, time --- */

static unsigned
toy_cpu(void *ctx)
{
	(void)ctx;
	return 0;
}

static uint32_t
toy_self(void *ctx)
{
	(void)ctx;
	return 1;
}

/* With one thread nobody could change the word. */
static void
toy_wait(void *ctx, const void *word, uint32_t expect, uint64_t timeout_ns)
{
	(void)ctx;
	(void)word;
	(void)expect;
	(void)timeout_ns;
}

static void
toy_wake(void *ctx, const void *word, unsigned count)
{
	(void)ctx;
	(void)word;
	(void)count;
}

static bool
toy_alive(void *ctx, uint32_t self)
{
	(void)ctx;
	return self == 1;
}

static uint64_t
toy_clock(void *ctx)
{
	return ++((struct toy *)ctx)->ticks;
}

static uint64_t
toy_random(void *ctx)
{
	struct toy *toy = ctx;
	toy->seed = toy->seed * 6364136223846793005u + 1442695040888963407u;
	return toy->seed;
}

/* --- swap device --- */

static uint64_t
toy_swap_size(void *ctx)
{
	(void)ctx;
	return TOY_DISK_PAGES;
}

static int
toy_swap_read(void *ctx, uint64_t slot, void *data, size_t count)
{
	const struct toy *toy = ctx;
	memcpy(data, toy->disk + slot * QR_PAGE_SIZE, count * QR_PAGE_SIZE);
	return 0;
}

static int
toy_swap_write(void *ctx, uint64_t slot, const void *data, size_t count)
{
	struct toy *toy = ctx;
	memcpy(toy->disk + slot * QR_PAGE_SIZE, data, count * QR_PAGE_SIZE);
	return 0;
}

static void
toy_swap_trim(void *ctx, uint64_t slot, size_t count)
{
	(void)ctx;
	(void)slot;
	(void)count;
}

/* --- files --- */

/* A file is its bytes, so io->file is where they begin. */
static int
toy_file_io(void *ctx, const struct qr_file_io *io)
{
	unsigned char *at =
	    (unsigned char *)io->file + io->index * QR_PAGE_SIZE;
	for (size_t i = 0; i < io->count; i++, at += QR_PAGE_SIZE) {
		unsigned char *bytes = frame_bytes(ctx, io->frames[i]);
		uint64_t left = io->size_bytes - i * QR_PAGE_SIZE;
		size_t n = left < QR_PAGE_SIZE ? left : QR_PAGE_SIZE;
		if (io->op == QR_FILE_WRITE) {
			memcpy(at, bytes, n);
			continue;
		}
		memcpy(bytes, at, n);
		memset(bytes + n, 0, QR_PAGE_SIZE - n);
	}
	return 0;
}

/* --- policy --- */

static void
toy_wake_reclaim(void *ctx)
{
	((struct toy *)ctx)->reclaim_asked = true;
}

/* The kernel, which called qr_space_fault, decides who dies. */
static bool
toy_oom(void *ctx, void *mm, const struct qr_oom_report *report)
{
	struct toy *toy = ctx;
	(void)mm;
	toy->oom_calls++;
	toy->oom = *report;
	return false;
}

void
qr_port_panic(const char *file, int line, const char *condition,
    const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "%s:%d: %s: ", file, line, condition);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	abort();
}

struct qr_port
toy_port(struct toy *toy)
{
	static const struct qr_port_ops ops = {
		.ram_region = toy_ram_region,
		.direct_map = toy_direct_map,
		.frame_release = toy_frame_release,
		.stage = toy_stage,
		.mm_create = toy_mm_create,
		.mm_destroy = toy_mm_destroy,
		.mmu_map = toy_mmu_map,
		.mmu_freeze = toy_mmu_freeze,
		.mmu_thaw = toy_mmu_thaw,
		.mmu_drop = toy_mmu_drop,
		.mmu_protect = toy_mmu_protect,
		.mmu_peek = toy_mmu_peek,
		.cpu = toy_cpu,
		.self = toy_self,
		.wait = toy_wait,
		.wake = toy_wake,
		.alive = toy_alive,
		.clock = toy_clock,
		.random = toy_random,
		.swap_size = toy_swap_size,
		.swap_read = toy_swap_read,
		.swap_write = toy_swap_write,
		.swap_trim = toy_swap_trim,
		.file_io = toy_file_io,
		.wake_reclaim = toy_wake_reclaim,
		.oom = toy_oom,
	};
	return (struct qr_port){
		.ops = &ops,
		.ctx = toy,
		.cpu_count = 1,
		.flags = QR_PORT_HARDWARE_AD | QR_PORT_PAGES_MOVE,
	};
}
