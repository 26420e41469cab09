/* SPDX-License-Identifier: MIT */
/*
 * setup.c: what a process needs to be a machine: frames, staging windows, and
 * the machine with its one space, as qr_linux.config has them.
 *
 * start.c does this to a program that is run; the port's tests do it to
 * themselves. What of the address space is Quire's own is known here.
 */
#include <errno.h>
#include <sys/mman.h>

#include "../../codec/codec.h"
#include "ledger.h"
#include "linux.h"
#include "sys.h"

static void *
map_own(size_t size, int prot)
{
	long result = qr_sys6(SYS_mmap, 0, (long)size, prot,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return qr_sys_failed(result) ? NULL : (void *)result;
}

static unsigned
cpu_count(void)
{
	uint64_t mask[16] = { 0 };
	unsigned count = 0;
	long n = qr_sys3(SYS_sched_getaffinity, 0L, sizeof(mask), mask);
	for (long i = 0; i < n / 8 && i < 16; i++)
		count += (unsigned)__builtin_popcountll(mask[i]);
	if (count == 0)
		count = 1;
	return count < QR_LINUX_CPUS_MAX ? count : QR_LINUX_CPUS_MAX;
}

/* The library itself, by the linker's names. */
extern unsigned char __ehdr_start[] __attribute__((visibility("hidden")));
extern unsigned char _end[] __attribute__((visibility("hidden")));

bool
setup_owns(uintptr_t start, uintptr_t end)
{
	const struct qr_linux *state = &qr_linux;
	const struct {
		const void *start;
		size_t size;
	} own[] = {
		{ state->home, state->frames * QR_PAGE_SIZE },
		{ state->stages,
		    QR_PAGE_SIZE * QR_STAGE_PAGES * state->port.cpu_count },
		{ state->zeros, QR_STAGE_PAGES * QR_PAGE_SIZE },
		{ ledger_get(), sizeof(struct ledger) },
		{ __ehdr_start, (size_t)(_end - __ehdr_start) },
	};
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		uintptr_t at = (uintptr_t)own[i].start;
		if (start < at + own[i].size && at < end)
			return true;
	}
	return qr_thread_owns(start, end);
}

int
setup_memory(void)
{
	struct qr_linux *state = &qr_linux;
	const struct qr_linux_config *config = &state->config;
	uint64_t budget = config->budget_bytes / QR_PAGE_SIZE;
	state->frames =
	    config->pool == QR_LINUX_POOL_OUTSIDE ? budget * 4 : budget;
	state->port.cpu_count = cpu_count();
	state->home =
	    map_own(state->frames * QR_PAGE_SIZE, PROT_READ | PROT_WRITE);
	state->stages =
	    map_own(QR_PAGE_SIZE * QR_STAGE_PAGES * state->port.cpu_count,
		PROT_READ | PROT_WRITE);
	state->zeros = map_own(QR_STAGE_PAGES * QR_PAGE_SIZE, PROT_READ);
	if (state->home == NULL || state->stages == NULL ||
	    state->zeros == NULL)
		return -ENOMEM;
	/* Blocks of huge pages would be resident as a whole. */
	qr_sys3(SYS_madvise, state->home, state->frames * QR_PAGE_SIZE,
	    (long)MADV_NOHUGEPAGE);
	return 0;
}

static const struct qr_codec *
setup_codec(void)
{
	static const char *const names[] = { "auto", "lz4", "zstd" };
	return qr_codec_find(names[qr_linux.config.codec]);
}

int
setup_machine(void)
{
	struct qr_linux *state = &qr_linux;
	const struct qr_linux_config *config = &state->config;
	uint64_t budget = config->budget_bytes / QR_PAGE_SIZE;
	struct qr_machine_config machine = {
		.codec = setup_codec(),
		.policy = config->policy[0] != '\0' ? config->policy : NULL,
		.user_pages_max =
		    config->pool == QR_LINUX_POOL_OUTSIDE ? budget : 0,
		.overcommit = (enum qr_overcommit)config->overcommit,
		.evict_by_touchers = true,
		.commit_pages_max =
		    budget * 2 + atomic_load(&state->swap_pages),
	};
	state->port.ops = &linux_port_ops;
	state->port.ctx = state;
	state->port.flags = QR_PORT_ZEROED_RAM;
	/* Each range of a write protection is a flush of all CPUs. */
	state->port.mmu_window = QR_MMU_WINDOW_MAX;
	int failed = qr_machine_create(&state->port, &machine, &state->machine);
	if (failed != 0)
		return failed;
	failed = qr_space_create(state->machine, &state->space);
	for (unsigned i = 0; failed == 0 && i < 2; i++)
		qr_space_pin_register(state->space, &state->hold[i]);
	return failed;
}
