/* SPDX-License-Identifier: MIT */
/* tests/port/linux_bed.c: see linux_bed.h. */
#include "linux_bed.h"

#include <stdio.h>
#include <string.h>

#include "port/linux/files.h"
#include "port/linux/ledger.h"

struct opening {
	struct qr_thread *thread;
	const char *what; /* that failed */
	int error;        /* 0 or -errno */
};

static void
opening_step(struct opening *opening, const char *what, int result)
{
	if (opening->error != 0 || result >= 0)
		return;
	opening->what = what;
	opening->error = result;
}

static void
opening_run(void *arg)
{
	struct opening *opening = arg;
	qr_thread_begin(opening->thread);
	qr_thread_claim(opening->thread);
	opening_step(opening, "frames", setup_memory());
	opening_step(opening, "the ledger", ledger_open(-1, qr_linux.frames));
	opening_step(opening, "/proc/self", open_own_files());
	if (swapfile_open(&qr_linux.config) != 0)
		printf("no swap file can be made: goes on without\n");
	opening_step(opening, "userfaultfd", mmu_open());
}

struct qr_thread *
bed_open(uint64_t budget_bytes, uint64_t swap_bytes)
{
	struct opening opening = { .thread = qr_thread_alloc() };
	if (opening.thread == NULL)
		return NULL;
	qr_linux.config.budget_bytes = budget_bytes;
	qr_linux.config.swap_bytes_max = swap_bytes;
	qr_linux.port.ops = &linux_port_ops;
	qr_linux.port.ctx = &qr_linux;
	bed_call(opening.thread, opening_run, &opening);
	if (opening.error == 0)
		return opening.thread;
	printf("skipped: %s: %s\n", opening.what, strerror(-opening.error));
	return NULL;
}

void
bed_call(struct qr_thread *thread, void (*call)(void *arg), void *arg)
{
	qr_thread_call_on_stack(thread, call, arg);
}
