/* SPDX-License-Identifier: MIT */
/*
 * port/sim/thread.c: threads, waiting, time, chance, and how a machine ends.
 *
 * One thread at a time (the default): a wait for a word that nobody is left
 * to change would never end, so it is a deadlock and panics at once; time is
 * a counter. With SIM_THREADS a wait sleeps on one of a few condition
 * variables, picked by the word's address, and time is the host's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sim_impl.h"

#define NS_PER_S      ((uint64_t)1000 * 1000 * 1000)
#define THREADS_MAX   1024u
#define BUCKETS       64u
#define WAIT_NS_MAX   (NS_PER_S / 10) /* of one sleep; waits may end early */
/* Bounded waits for the same in a row that are one too many: nobody sleeps so
 * often, but a loop that waits for a condition gets there within a second. */
#define WAIT_REPEATS  1000000u
#define MESSAGE_BYTES 1024u
#define CLOCK_STEP_NS 1u /* so that two readings differ */

struct bucket {
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

/* The process's threads, whichever machine they call. */
static struct {
	pthread_once_t once;
	pthread_mutex_t lock;    /* (l) */
	pthread_key_t key;       /* (c) its destructor notes the end */
	bool alive[THREADS_MAX]; /* (l) by id */
	struct bucket buckets[BUCKETS];
} threads = { .once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER };

/* Where a panic goes that somebody expects. */
struct catcher {
	jmp_buf where;
	struct catcher *outer;
	uint32_t held_ranks;
};

_Thread_local struct sim_thread sim_thread;
static _Thread_local struct catcher *catcher;
static _Thread_local pthread_mutex_t *held_lock;
static _Thread_local char message[MESSAGE_BYTES];

static void
threads_ended(void *id)
{
	pthread_mutex_lock(&threads.lock);
	threads.alive[(uintptr_t)id] = false;
	pthread_mutex_unlock(&threads.lock);
}

static void
threads_init(void)
{
	if (pthread_key_create(&threads.key, threads_ended) != 0)
		abort();
	for (unsigned i = 0; i < BUCKETS; i++) {
		pthread_mutex_init(&threads.buckets[i].lock, NULL);
		pthread_cond_init(&threads.buckets[i].changed, NULL);
	}
}

/* Ids are from 1, the lowest free one first. */
uint32_t
sim_thread_enlist(void)
{
	pthread_once(&threads.once, threads_init);
	pthread_mutex_lock(&threads.lock);
	uint32_t id = 1;
	while (id < THREADS_MAX && threads.alive[id])
		id++;
	if (id == THREADS_MAX)
		abort();
	threads.alive[id] = true;
	pthread_mutex_unlock(&threads.lock);
	if (pthread_setspecific(threads.key, (void *)(uintptr_t)id) != 0)
		abort();
	sim_thread.id = id;
	sim_thread.cpu = id - 1;
	return id;
}

uint32_t
sim_thread_self(void *ctx)
{
	(void)ctx;
	return sim_thread.id != 0 ? sim_thread.id : sim_thread_enlist();
}

unsigned
sim_thread_cpu(void *ctx)
{
	const struct sim *sim = ctx;
	return sim_thread.cpu % sim->port.cpu_count;
}

void
sim_set_cpu(unsigned cpu)
{
	(void)sim_thread_self(NULL);
	sim_thread.cpu = cpu;
}

bool
sim_thread_alive(void *ctx, uint32_t self)
{
	(void)ctx;
	if (self == 0 || self >= THREADS_MAX)
		return false;
	pthread_mutex_lock(&threads.lock);
	bool alive = threads.alive[self];
	pthread_mutex_unlock(&threads.lock);
	return alive;
}

bool
sim_thread_has_barrier(void)
{
	/* Registering again changes nothing. */
	return syscall(SYS_membarrier,
		   MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

/* On all threads of the process that run now; those that don't have passed
 * one when they stopped. */
void
sim_thread_barrier(void *ctx)
{
	const struct sim *sim = ctx;
	if ((sim->config.flags & SIM_THREADS) == 0)
		return;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) !=
	    0)
		SIM_PANIC("no barrier on CPU %u", sim_thread.cpu);
}

static uint64_t
host_clock(clockid_t which)
{
	struct timespec now;
	clock_gettime(which, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t
sim_thread_clock(void *ctx)
{
	struct sim *sim = ctx;
	if ((sim->config.flags & SIM_THREADS) != 0)
		return host_clock(CLOCK_MONOTONIC);
	sim_spend(sim, CLOCK_STEP_NS);
	return atomic_load(&sim->clock_ns);
}

/* A counter sent through a mixing function: threads draw without a lock, and
 * one thread draws the same numbers again from the same seed. */
uint64_t
sim_thread_random(void *ctx)
{
	struct sim *sim = ctx;
	const uint64_t step = 0x9e3779b97f4a7c15u;
	uint64_t x = atomic_fetch_add(&sim->random_state, step) + step;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint32_t
word_load(const void *word)
{
	return atomic_load((const _Atomic(uint32_t) *)word);
}

/* Nobody else runs, so the word can't change while this thread waits. Sleeps
 * of a bounded time are allowed, but not the same one for ever. */
static void
wait_alone(struct sim *sim, const void *word, uint32_t expect,
    uint64_t timeout_ns)
{
	bool again = sim->wait_word == word && sim->wait_expect == expect;
	sim->wait_repeats = again ? sim->wait_repeats + 1 : 0;
	sim->wait_word = word;
	sim->wait_expect = expect;
	if (timeout_ns == UINT64_MAX || sim->wait_repeats == WAIT_REPEATS)
		SIM_PANIC("deadlock: word %p stays 0x%x and nobody else runs",
		    word, expect);
	sim_spend(sim, timeout_ns);
}

static struct bucket *
bucket_of(const void *word)
{
	pthread_once(&threads.once, threads_init);
	return &threads.buckets[((uintptr_t)word >> 2) % BUCKETS];
}

void
sim_thread_wait(void *ctx, const void *word, uint32_t expect,
    uint64_t timeout_ns)
{
	struct sim *sim = ctx;
	if (word_load(word) != expect)
		return;
	if ((sim->config.flags & SIM_THREADS) == 0) {
		wait_alone(sim, word, expect, timeout_ns);
		return;
	}
	uint64_t end = host_clock(CLOCK_REALTIME) +
		       (timeout_ns < WAIT_NS_MAX ? timeout_ns : WAIT_NS_MAX);
	struct timespec until = { .tv_sec = (time_t)(end / NS_PER_S),
		.tv_nsec = (long)(end % NS_PER_S) };
	struct bucket *bucket = bucket_of(word);
	pthread_mutex_lock(&bucket->lock);
	/* Who changes the word wakes under the lock afterwards, so a change
	 * is either seen here or wakes. */
	if (word_load(word) == expect)
		pthread_cond_timedwait(&bucket->changed, &bucket->lock, &until);
	pthread_mutex_unlock(&bucket->lock);
}

/* Words share buckets, so all sleepers are woken: waits may end early. */
void
sim_thread_wake(void *ctx, const void *word, unsigned count)
{
	struct sim *sim = ctx;
	(void)count;
	if ((sim->config.flags & SIM_THREADS) == 0)
		return;
	struct bucket *bucket = bucket_of(word);
	pthread_mutex_lock(&bucket->lock);
	pthread_cond_broadcast(&bucket->changed);
	pthread_mutex_unlock(&bucket->lock);
}

void
sim_lock(pthread_mutex_t *lock)
{
	pthread_mutex_lock(lock);
	held_lock = lock;
}

void
sim_unlock(pthread_mutex_t *lock)
{
	held_lock = NULL;
	pthread_mutex_unlock(lock);
}

const char *
sim_expect_panic(void (*body)(void *ctx), void *ctx)
{
	struct catcher here = { .outer = catcher,
		.held_ranks = sim_thread.held_ranks };
	const char *volatile result = NULL;
	if (setjmp(here.where) == 0) {
		catcher = &here;
		body(ctx);
	} else {
		result = message;
		sim_thread.held_ranks = here.held_ranks;
	}
	catcher = here.outer;
	return result;
}

void
qr_port_panic(const char *file, int line, const char *condition,
    const char *format, ...)
{
	int n = snprintf(message, sizeof(message), "%s:%d: %s: ", file, line,
	    condition);
	size_t used = n < 0 ? 0 : (size_t)n;
	if (used < sizeof(message)) {
		va_list args;
		va_start(args, format);
		(void)vsnprintf(message + used, sizeof(message) - used, format,
		    args);
		va_end(args);
	}
	if (held_lock != NULL)
		sim_unlock(held_lock);
	if (catcher != NULL)
		longjmp(catcher->where, 1);
	fprintf(stderr, "panic: %s\n", message);
	abort();
}
