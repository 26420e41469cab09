/* SPDX-License-Identifier: MIT */
/*
 * press WHAT MIB: takes memory of one kind until there is none, and says what
 * happened. WHAT is
 *
 *   random    malloc'd, filled with what can't be compressed, verified
 *   grow      the same by brk and by mremap, refusals expected
 *   shared    a shared anonymous mapping, then as much malloc'd again
 *   stack     MIB of stack in one go, then 32 MiB malloc'd
 *   threads   MIB stacks of 1 MiB at once, then 32 MiB malloc'd
 *   limited   MIB that shrink by a third while no file may grow, then as much
 *             of random when they may again
 *   gone      MIB of compressible words, first touched by a thread that is
 *             gone, with its stack, when memory becomes short
 *
 * Exits 0 if all was as it must be, 3 if memory was refused, 4 if it held
 * something else than was written.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static uint64_t
next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void
fill(uint64_t *memory, size_t size)
{
	uint64_t state = 88172645463325252u;
	for (size_t i = 0; i < size / 8; i++)
		memory[i] = next(&state);
}

static void
verify(const uint64_t *memory, size_t size)
{
	uint64_t state = 88172645463325252u;
	for (size_t i = 0; i < size / 8; i++) {
		if (memory[i] != next(&state)) {
			printf("wrong at word %zu of %zu\n", i, size / 8);
			exit(4);
		}
	}
}

static void *
refused(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(3);
}

static void
press_random(size_t size)
{
	uint64_t *memory = malloc(size);
	if (memory == NULL)
		refused("malloc");
	fill(memory, size);
	verify(memory, size);
	free(memory);
}

/* Each way must be refused at once or give memory that works. */
static void
press_grow(size_t size)
{
	char *end = sbrk(0);
	char *more = sbrk((intptr_t)size);
	printf("brk: %s\n", more == end ? "grew" : strerror(errno));
	char *memory = mmap(NULL, MIB, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(memory, 7, MIB);
	void *moved = mremap(memory, MIB, size, MREMAP_MAYMOVE);
	printf("mremap: %s\n", moved != MAP_FAILED ? "grew" : strerror(errno));
	if (moved == MAP_FAILED && (memory[5] != 7 || memory[MIB - 1] != 7))
		exit(4);
	char *room =
	    mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		refused("room");
	int failed = mprotect(room, size, PROT_READ | PROT_WRITE);
	printf("mprotect: %s\n", failed == 0 ? "grew" : strerror(errno));
	if (mprotect(room, MIB, PROT_READ | PROT_WRITE) != 0)
		refused("a little");
	memset(room, 1, MIB);
	char *fixed = mmap(memory, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	printf("mmap: %s\n", fixed != MAP_FAILED ? "grew" : strerror(errno));
}

static void
press_shared(size_t size)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		refused("mmap");
	fill((uint64_t *)(void *)memory, size);
	usleep(300000);
	press_random(size);
	verify((uint64_t *)(void *)memory, size);
}

static unsigned char
deep(size_t size)
{
	volatile unsigned char frame[4096];
	memset((void *)(uintptr_t)frame, 1, sizeof(frame));
	return size < 2 * sizeof(frame)
		   ? frame[7]
		   : (unsigned char)(deep(size - sizeof(frame) - 64) +
				     frame[9]);
}

static void *
stack_thread(void *arg)
{
	pthread_barrier_t *all = arg;
	unsigned char got = deep(900u << 10);
	usleep(200000);
	pthread_barrier_wait(all);
	return got == 0 ? arg : NULL;
}

static void
press_threads(size_t count)
{
	pthread_barrier_t all;
	pthread_t *threads = calloc(count, sizeof(*threads));
	if (threads == NULL)
		refused("calloc");
	pthread_barrier_init(&all, NULL, (unsigned)count);
	for (size_t i = 0; i < count; i++) {
		if (pthread_create(&threads[i], NULL, stack_thread, &all) != 0)
			refused("thread");
	}
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}

struct touch {
	unsigned char *memory;
	size_t size;
};

/* In an order that brings in no neighbours. */
static void *
touch_thread(void *arg)
{
	const struct touch *touch = arg;
	size_t pages = touch->size / 4096;
	for (size_t i = 0; i < pages; i++)
		touch->memory[i * 1021 % pages * 4096] = 1;
	return NULL;
}

static void
press_gone(size_t size)
{
	uint32_t *words = malloc(size);
	void *stack = mmap(NULL, MIB, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct touch touch = { (unsigned char *)words, size };
	pthread_attr_t attr;
	pthread_t thread;
	if (words == NULL || stack == MAP_FAILED)
		refused("memory");
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stack, MIB);
	if (pthread_create(&thread, &attr, touch_thread, &touch) != 0)
		refused("thread");
	pthread_join(thread, NULL);
	munmap(stack, MIB);
	/* For this, somebody else than the program makes room. */
	char *shared = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		refused("shared");
	memset(shared, 1, 4 * MIB);
	usleep(50000);
	for (uint32_t turn = 0; turn < 4; turn++) {
		for (uint32_t i = 0; i < size / 4; i++) {
			if (turn != 0 && words[i] != i / 3 + turn - 1)
				exit(4);
			words[i] = i / 3 + turn;
		}
		usleep(20000);
	}
	free(words);
}

static void
press_limited(size_t size)
{
	struct rlimit limit;
	uint64_t state = 1;
	uint64_t *words = malloc(size);
	if (words == NULL)
		refused("malloc");
	if (getrlimit(RLIMIT_FSIZE, &limit) != 0)
		refused("limit");
	rlim_t most = limit.rlim_cur;
	limit.rlim_cur = 0;
	setrlimit(RLIMIT_FSIZE, &limit);
	/* Two of three words of a page. */
	for (size_t i = 0; i < size / 8; i++)
		words[i] = i % 512 < 340 ? next(&state) : 0;
	limit.rlim_cur = most;
	setrlimit(RLIMIT_FSIZE, &limit);
	press_random(size);
	state = 1;
	for (size_t i = 0; i < size / 8; i++) {
		if (words[i] != (i % 512 < 340 ? next(&state) : 0))
			exit(4);
	}
	free(words);
}

int
main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	const char *what = argv[1];
	size_t size = strtoul(argv[2], NULL, 10) * MIB;
	if (strcmp(what, "random") == 0) {
		press_random(size);
	} else if (strcmp(what, "grow") == 0) {
		press_grow(size);
	} else if (strcmp(what, "shared") == 0) {
		press_shared(size);
	} else if (strcmp(what, "stack") == 0) {
		printf("%u\n", deep(size));
		usleep(20000);
		press_random(32 * MIB);
	} else if (strcmp(what, "threads") == 0) {
		press_threads(size / MIB);
		press_random(32 * MIB);
	} else if (strcmp(what, "limited") == 0) {
		press_limited(size);
	} else if (strcmp(what, "gone") == 0) {
		press_gone(size);
	} else {
		return 2;
	}
	puts("all right");
	return 0;
}
