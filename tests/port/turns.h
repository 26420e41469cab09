/* SPDX-License-Identifier: MIT */
/*
 * turns.h: a few CPUs that take turns by a seed. They are coroutines of one
 * thread, and may change whenever the core asks its port something; built
 * through the port's table, it does at each lock and each look at a CPU's list.
 * So the order in which they come to their steps is a function of the seed, and
 * a run that failed can be repeated.
 */
#ifndef TEST_PORT_TURNS_H
#define TEST_PORT_TURNS_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

#include "port/sim/sim.h"
#include "random.h"

/* The thread sanitizer does not follow coroutines. */
#if defined(__SANITIZE_THREAD__)
#define HAS_COROUTINES false
#else
#define HAS_COROUTINES true
#endif

#define TURN_CPUS_MAX    4u
#define TURN_STACK_BYTES 131072u

/* Waits in a row after which nobody else can be left. */
#define TURN_WAITS_MAX 100000u

static struct turns {
	struct {
		ucontext_t context;
		unsigned char *stack;
		bool is_over;
	} cpu[TURN_CPUS_MAX];
	unsigned cpus;
	unsigned current;
	unsigned one_in; /* questions that make a turn; UINT32_MAX: none does */
	ucontext_t back;
	struct test_random random;
	uint64_t seed;
	uint64_t count;
	void (*work)(unsigned cpu);
} turns;

static inline void
need(bool is_right)
{
	if (!is_right)
		abort();
}

static void
turn(void)
{
	unsigned from = turns.current;
	unsigned to = (unsigned)test_random_below(&turns.random, turns.cpus);
	while (turns.cpu[to].is_over)
		to = (to + 1) % turns.cpus;
	if (to == from)
		return;
	turns.count++;
	turns.current = to;
	sim_set_cpu(to);
	swapcontext(&turns.cpu[from].context, &turns.cpu[to].context);
}

static inline void
turns_question(void)
{
	if (turns.one_in != UINT32_MAX &&
	    test_random_below(&turns.random, turns.one_in) == 0)
		turn();
}

/* For the port's table. */
static unsigned
turns_cpu(void *ctx)
{
	(void)ctx;
	unsigned cpu = turns.current;
	turns_question();
	return cpu;
}

static uint32_t
turns_self(void *ctx)
{
	(void)ctx;
	unsigned cpu = turns.current;
	turns_question();
	return cpu + 1;
}

static void
turns_wait(void *ctx, const void *word, uint32_t expect, uint64_t timeout_ns)
{
	static uint64_t in_vain;
	uint64_t before = turns.count;
	(void)ctx;
	(void)timeout_ns;
	if (atomic_load((const _Atomic(uint32_t) *)word) == expect)
		turn();
	in_vain = turns.count == before ? in_vain + 1 : 0;
	need(in_vain <= TURN_WAITS_MAX);
}

static void
turns_on_abort(int number)
{
	char text[64];
	(void)number;
	int n = snprintf(text, sizeof(text), "turns: QUIRE_SEED=%llu\n",
	    (unsigned long long)turns.seed);
	(void)!write(STDERR_FILENO, text, (size_t)n);
	signal(SIGABRT, SIG_DFL);
	abort();
}

static void
turns_enter(void)
{
	unsigned cpu = turns.current;
	turns.work(cpu);
	turns.cpu[cpu].is_over = true;
	bool is_last = true;
	for (unsigned i = 0; i < turns.cpus; i++)
		is_last = is_last && turns.cpu[i].is_over;
	if (is_last)
		setcontext(&turns.back);
	turn();
}

/* No turns are taken until turns_run. */
static inline void
turns_prepare(uint64_t seed, unsigned cpus)
{
	turns.cpus = cpus;
	turns.seed = seed;
	turns.current = 0;
	turns.one_in = UINT32_MAX;
	turns.random = (struct test_random){ seed };
	sim_set_cpu(0);
}

/* The CPU is ready to take its first turn. */
static QR_NOINLINE void
turns_stand_by(unsigned cpu)
{
	ucontext_t *context = &turns.cpu[cpu].context;
	if (turns.cpu[cpu].stack == NULL)
		turns.cpu[cpu].stack = malloc(TURN_STACK_BYTES);
	need(turns.cpu[cpu].stack != NULL && getcontext(context) == 0);
	turns.cpu[cpu].is_over = false;
	context->uc_stack.ss_sp = turns.cpu[cpu].stack;
	context->uc_stack.ss_size = TURN_STACK_BYTES;
	context->uc_link = &turns.back;
	makecontext(context, turns_enter, 0);
}

/* Each CPU works until all are done. */
static inline void
turns_run(void (*work)(unsigned cpu))
{
	turns.work = work;
	turns.random = (struct test_random){ turns.seed };
	turns.one_in = 1 + (unsigned)test_random_below(&turns.random, 12);
	for (unsigned i = 0; i < turns.cpus; i++)
		turns_stand_by(i);
	need(swapcontext(&turns.back, &turns.cpu[0].context) == 0);
	turns.one_in = UINT32_MAX;
	turns.current = 0;
	sim_set_cpu(0);
}

/* Runs seeds 1 to count, or QUIRE_INTERLEAVINGS, or QUIRE_SEED alone. */
static inline void
turns_run_seeds(void (*run_seed)(uint64_t seed), uint64_t count)
{
	const char *many = getenv("QUIRE_INTERLEAVINGS");
	const char *one = getenv("QUIRE_SEED");
	uint64_t first = one != NULL ? strtoull(one, NULL, 0) : 1;
	uint64_t end = first + 1;
	if (one == NULL)
		end = (many != NULL ? strtoull(many, NULL, 0) : count) + 1;
	signal(SIGABRT, turns_on_abort);
	turns.count = 0;
	for (uint64_t seed = first; seed < end; seed++)
		run_seed(seed);
	printf("interleave: %llu seeds, %llu turns\n",
	    (unsigned long long)(end - first), (unsigned long long)turns.count);
	for (unsigned i = 0; i < TURN_CPUS_MAX; i++) {
		free(turns.cpu[i].stack);
		turns.cpu[i].stack = NULL;
	}
}

#endif
