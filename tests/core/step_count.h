/* SPDX-License-Identifier: MIT */
/*
 * step_count.h: how many instructions a piece of work takes, exactly and the
 * same each time: it runs with the processor's trap flag set, so that each
 * instruction raises a signal. Slow (some microseconds an instruction), but
 * needs no counter of the hardware and does not care what else the machine
 * does. Only on x86-64; elsewhere the answer is "not known".
 */
#ifndef TEST_CORE_STEP_COUNT_H
#define TEST_CORE_STEP_COUNT_H

#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

/* Does the work n times. */
typedef void step_count_fn(void *ctx, unsigned n);

static volatile uint64_t step_count;
static volatile int step_running; /* instructions are being counted */

/* A repeated string instruction traps at each turn and counts once. */
static inline void
step_count_trap(int number, siginfo_t *info, void *context)
{
	static volatile uintptr_t last;
	uintptr_t at = 0;
	(void)number;
	(void)info;
#if defined(__x86_64__)
	at = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#else
	(void)context;
#endif
	if (at != last)
		step_count++;
	last = at;
}

#if defined(__x86_64__)

#define STEP_COUNT_KNOWN 1

/* The flag is changed on the stack, so below the red zone. */
#define STEP_COUNT_BEGIN()                                                     \
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"                          \
			 "pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\t"          \
			 "lea 128(%%rsp), %%rsp"                               \
			 :                                                     \
			 :                                                     \
			 : "memory", "cc")
#define STEP_COUNT_END()                                                       \
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"                          \
			 "pushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\t"        \
			 "lea 128(%%rsp), %%rsp"                               \
			 :                                                     \
			 :                                                     \
			 : "memory", "cc")

#else

#define STEP_COUNT_KNOWN 0
#define STEP_COUNT_BEGIN()
#define STEP_COUNT_END()

#endif

static inline uint64_t
step_count_run(step_count_fn *work, void *ctx, unsigned n)
{
	step_count = 0;
	step_running = 1;
	STEP_COUNT_BEGIN();
	work(ctx, n);
	STEP_COUNT_END();
	step_running = 0;
	return step_count;
}

/* Instructions of doing the work once, times 100, on an average over n. */
static inline uint64_t
step_count_hundredths(step_count_fn *work, void *ctx, unsigned n)
{
	struct sigaction action = { .sa_sigaction = step_count_trap,
		.sa_flags = SA_SIGINFO };
	struct sigaction before;
	(void)sigaction(SIGTRAP, &action, &before);
	uint64_t none = step_count_run(work, ctx, 0);
	uint64_t some = step_count_run(work, ctx, n);
	(void)sigaction(SIGTRAP, &before, NULL);
	return (some - none) * 100 / n;
}

#endif
