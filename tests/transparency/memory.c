/* SPDX-License-Identifier: MIT */
/*
 * memory.c: cells, and how they are pushed out.
 *
 * Each is a mapping of its own with a page without rights behind it:
 *
 *      ├─ page ─┼─ page ─┤ no rights ┤
 *           ├ cell ┤                      over a border
 *                   ├ cell ┤              up to the end
 *
 * MADV_PAGEOUT pushes pages out at once, under Quire and without; there
 * mincore tells afterwards whether they are. Nothing here is locked: a cell
 * is entered before it is counted, and a forked child may go on.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#include "run.h"

#define CELLS_MAX  512u
#define TRIES_MAX  50u /* then a page that stays in is told of */
#define STORM_NS   30000L
#define STEP_PAGES 256u

struct range {
	unsigned char *start;
	size_t size;
	size_t mapped; /* bytes to unmap; 0: not ours */
};

static struct {
	struct range ranges[CELLS_MAX];
	_Atomic(size_t) count;
	size_t left_in; /* pages, over all calls of chill */
	_Atomic(bool) storm_over;
	pthread_t storm;
} memory;

static size_t
alignment(size_t size)
{
	size_t lowest = size & -size;
	return lowest == 0 || lowest > 16 ? 16 : lowest;
}

static void
range_add(void *start, size_t size, size_t mapped)
{
	size_t n = atomic_load(&memory.count);
	if (n == CELLS_MAX) {
		fprintf(stderr, "more cells than %u\n", CELLS_MAX);
		exit(3);
	}
	memory.ranges[n] = (struct range){ start, size, mapped };
	atomic_store(&memory.count, n + 1);
}

static unsigned char *
pages_new(size_t size)
{
	size_t room = (size + PAGE - 1) / PAGE * PAGE;
	unsigned char *start = mmap(NULL, room + PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED ||
	    mprotect(start + room, PAGE, PROT_NONE) != 0) {
		perror("mmap");
		exit(3);
	}
	/* Else the page is out since it has never been in. */
	for (size_t i = 0; i < room && run_way != WAY_FRESH; i += PAGE) {
		((volatile unsigned char *)start)[i] = 1;
		((volatile unsigned char *)start)[i] = 0;
	}
	range_add(start, room, room + PAGE);
	return start;
}

void *
cell(size_t size)
{
	size_t align = alignment(size);
	size_t before = size / 2 / align * align;
	if (before > PAGE / 2)
		before = PAGE / 2;
	if (run_way == WAY_EDGE) {
		size_t room = (size + PAGE - 1) / PAGE * PAGE;
		return pages_new(size) + room - size;
	}
	if (before == 0)
		before = align;
	return pages_new(size + 2 * PAGE) + PAGE - before;
}

void *
cell_pages(size_t size)
{
	return pages_new(size);
}

char *
cell_text(const char *text)
{
	size_t size = strlen(text) + 1;
	return memcpy(cell(size), text, size);
}

unsigned char *
cell_fill(size_t size, unsigned seed)
{
	unsigned char *start = cell(size);
	for (size_t i = 0; i < size; i++) {
		seed = seed * 1103515245u + 12345u;
		start[i] = (unsigned char)(seed >> 16);
	}
	return start;
}

void *
place(uintptr_t address)
{
	volatile uintptr_t kept = address;
	return (void *)kept;
}

void
chill_also(void *start, size_t size)
{
	uintptr_t first = (uintptr_t)start / PAGE * PAGE;
	uintptr_t end = ((uintptr_t)start + size + PAGE - 1) / PAGE * PAGE;
	range_add((void *)first, end - first, 0);
}

static size_t
pages_in(const struct range *range)
{
	unsigned char vec[STEP_PAGES];
	size_t count = 0;
	for (size_t at = 0; at < range->size; at += STEP_PAGES * PAGE) {
		size_t size = range->size - at;
		if (size > STEP_PAGES * PAGE)
			size = STEP_PAGES * PAGE;
		if (mincore(range->start + at, size, vec) != 0)
			continue; /* the case has unmapped it */
		for (size_t i = 0; i < size / PAGE; i++)
			count += vec[i] & 1;
	}
	return count;
}

static size_t
pass(bool look)
{
	size_t count = atomic_load(&memory.count);
	size_t in = 0;
	for (size_t i = 0; i < count; i++) {
		const struct range *range = &memory.ranges[i];
		madvise(range->start, range->size, MADV_PAGEOUT);
		if (look)
			in += pages_in(range);
	}
	return in;
}

void
chill(void)
{
	size_t in = 0;
	if (run_way == WAY_WARM)
		return;
	for (unsigned i = 0; i < TRIES_MAX; i++) {
		in = pass(run_managed && run_way != WAY_STORM);
		if (in == 0)
			return;
	}
	memory.left_in += in;
}

size_t
memory_left_in(void)
{
	size_t left = memory.left_in;
	memory.left_in = 0;
	return left;
}

void
memory_free(bool unmap)
{
	size_t count = atomic_load(&memory.count);
	atomic_store(&memory.count, 0);
	for (size_t i = 0; i < count; i++) {
		const struct range *range = &memory.ranges[i];
		if (range->mapped != 0 && unmap)
			munmap(range->start, range->mapped);
	}
}

/* --- taking pages away at any time --- */

static void *
storm_run(void *arg)
{
	(void)arg;
	while (!atomic_load(&memory.storm_over)) {
		struct timespec pause = { 0, STORM_NS };
		pass(false);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

void
storm_start(void)
{
	sigset_t all, old;
	atomic_store(&memory.storm_over, false);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&memory.storm, NULL, storm_run, NULL) != 0)
		exit(3);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void
storm_stop(void)
{
	atomic_store(&memory.storm_over, true);
	pthread_join(memory.storm, NULL);
}
