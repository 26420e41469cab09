/* SPDX-License-Identifier: MIT */
/*
 * bench/malloc/threads.c: workloads of several threads: two at a time, as
 * allocators are compared on small machines, and many short ones.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "work.h"

#define THREADS 2u

/* Starts THREADS threads, each with its number, and waits for them. */
static void
threads_run(void *(*body)(void *))
{
	pthread_t thread[THREADS];
	static size_t number[THREADS];
	for (size_t i = 0; i < THREADS; i++) {
		number[i] = i;
		if (pthread_create(&thread[i], NULL, body, &number[i]) != 0)
			exit(1);
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

/* --- server: slots of requests, handed on to a successor thread --- */

#define SERVER_SLOTS 1000u
#define SERVER_LIVES 100u
#define SERVER_STEPS 100000u

static void *server_slot[THREADS][SERVER_SLOTS];

static void *
server_life(void *argument)
{
	size_t number = *(const size_t *)argument;
	uint64_t random = number + 10;
	for (unsigned i = 0; i < SERVER_STEPS; i++) {
		void **slot =
		    &server_slot[number][work_below(&random, SERVER_SLOTS)];
		free(*slot);
		*slot = work_alloc(10 + work_below(&random, 490));
	}
	return NULL;
}

static void
server(void)
{
	for (unsigned i = 0; i < SERVER_LIVES; i++)
		threads_run(server_life);
	for (unsigned i = 0; i < THREADS * SERVER_SLOTS; i++)
		free(server_slot[i / SERVER_SLOTS][i % SERVER_SLOTS]);
}

/* --- boxes between threads --- */

#define BOX_BLOCKS 128u
#define BOXES      64u

struct box {
	void *block[BOX_BLOCKS];
};

/* A ring of boxes from one thread to another. Who must wait sleeps: spinning
 * would count as the allocator's time. */
struct belt {
	struct box *box[BOXES];
	sem_t filled;
	sem_t empty;
	size_t put; /* of the putting thread alone */
	_Alignas(64) size_t got;
};

static void
belt_init(struct belt *belt)
{
	sem_init(&belt->filled, 0, 0);
	sem_init(&belt->empty, 0, BOXES);
}

static void
belt_put(struct belt *belt, struct box *box)
{
	sem_wait(&belt->empty);
	belt->box[belt->put++ % BOXES] = box;
	sem_post(&belt->filled);
}

static struct box *
belt_get(struct belt *belt)
{
	sem_wait(&belt->filled);
	struct box *box = belt->box[belt->got++ % BOXES];
	sem_post(&belt->empty);
	return box;
}

static struct belt belt[THREADS];

static struct box *
box_fill(uint64_t *random)
{
	struct box *box = work_need(malloc(sizeof(*box)));
	for (unsigned i = 0; i < BOX_BLOCKS; i++)
		box->block[i] = work_alloc(16 + work_below(random, 300));
	return box;
}

static void
box_empty(struct box *box)
{
	for (unsigned i = 0; i < BOX_BLOCKS; i++)
		free(box->block[i]);
	free(box);
}

/* --- oneway: one thread allocates, the other frees --- */

#define ONEWAY_BOXES 100000u

static void *
oneway_side(void *argument)
{
	uint64_t random = 11;
	for (unsigned i = 0; i < ONEWAY_BOXES; i++) {
		if (*(const size_t *)argument == 0)
			belt_put(&belt[0], box_fill(&random));
		else
			box_empty(belt_get(&belt[0]));
	}
	return NULL;
}

static void
oneway(void)
{
	belt_init(&belt[0]);
	threads_run(oneway_side);
}

/* --- ring: each thread frees what its neighbour allocated --- */

#define RING_BOXES 60000u

static void *
ring_side(void *argument)
{
	size_t number = *(const size_t *)argument;
	uint64_t random = 12 + number;
	for (unsigned i = 0; i < RING_BOXES; i++) {
		belt_put(&belt[number], box_fill(&random));
		box_empty(belt_get(&belt[(number + 1) % THREADS]));
	}
	return NULL;
}

static void
ring(void)
{
	for (unsigned i = 0; i < THREADS; i++)
		belt_init(&belt[i]);
	threads_run(ring_side);
}

/* --- stress: objects of many sizes, some handed over, lives end --- */

#define STRESS_EXCHANGE 1000u
#define STRESS_RETAIN   2000u

static _Atomic(void *) stress_exchange[STRESS_EXCHANGE];

static void *
stress_life(void *argument)
{
	uint64_t random = 13 + *(const size_t *)argument;
	static _Thread_local void *retain[STRESS_RETAIN];
	for (unsigned i = 0; i < 150000; i++) {
		void *block = work_alloc(work_skewed(&random, 8, 9));
		uint64_t pick = work_random(&random);
		if (pick % 4 == 0) {
			free(block);
			continue;
		}
		if (pick % 4 == 1) {
			size_t at = (pick >> 8) % STRESS_EXCHANGE;
			free(atomic_exchange(&stress_exchange[at], block));
			continue;
		}
		size_t at = (pick >> 8) % STRESS_RETAIN;
		free(retain[at]);
		retain[at] = block;
	}
	for (unsigned i = 0; i < STRESS_RETAIN; i++) {
		free(retain[i]);
		retain[i] = NULL;
	}
	return NULL;
}

static void
stress(void)
{
	for (unsigned i = 0; i < 60; i++)
		threads_run(stress_life);
	for (unsigned i = 0; i < STRESS_EXCHANGE; i++)
		free(stress_exchange[i]);
}

/* --- wide: sizes to 16000, a window of blocks, frees by either thread --- */

#define WIDE_WINDOW 6000u

static _Atomic(void *) wide_window[WIDE_WINDOW];

static void *
wide_side(void *argument)
{
	uint64_t random = 14 + *(const size_t *)argument;
	for (unsigned i = 0; i < 1200000; i++) {
		size_t size = 16 + work_below(&random, 16000);
		size = i % 8 == 0 ? size : size / 16 + 1;
		size_t at = work_below(&random, WIDE_WINDOW);
		free(atomic_exchange(&wide_window[at], work_alloc(size)));
	}
	return NULL;
}

static void
wide(void)
{
	threads_run(wide_side);
	for (unsigned i = 0; i < WIDE_WINDOW; i++)
		free(wide_window[i]);
}

/* --- slots: each thread for itself, sizes by a power law --- */

#define SLOTS 32768u

static void *
slots_side(void *argument)
{
	uint64_t random = 15 + *(const size_t *)argument;
	void **slot = work_need(calloc(SLOTS, sizeof(void *)));
	for (unsigned i = 0; i < 12000000; i++) {
		size_t at = work_below(&random, SLOTS);
		if (slot[at] != NULL) {
			free(slot[at]);
			slot[at] = NULL;
			continue;
		}
		slot[at] = work_alloc(work_skewed(&random, 16, 6));
	}
	for (unsigned i = 0; i < SLOTS; i++)
		free(slot[i]);
	free(slot);
	return NULL;
}

static void
slots(void)
{
	threads_run(slots_side);
}

/* --- short: two thousand threads with little to do each --- */

static void *
short_life(void *argument)
{
	uint64_t random = 16 + *(const size_t *)argument;
	void *block[200];
	for (unsigned i = 0; i < 200; i++)
		block[i] = work_alloc(work_skewed(&random, 16, 5));
	for (unsigned i = 0; i < 200; i++)
		free(block[i]);
	return NULL;
}

static void
brief(void)
{
	for (unsigned i = 0; i < 3000; i++)
		threads_run(short_life);
}

const struct work work_threads[] = {
	{ "server", server, "threads that end and leave their blocks on" },
	{ "oneway", oneway, "one thread allocates, the other frees" },
	{ "ring", ring, "each thread frees its neighbour's blocks" },
	{ "stress", stress, "many sizes, hand-over, threads come and go" },
	{ "wide", wide, "to 16000 bytes, freed by either thread" },
	{ "slots", slots, "two threads, each for itself" },
	{ "short", brief, "six thousand short threads" },
	{ NULL, NULL, NULL },
};
