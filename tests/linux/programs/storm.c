/* SPDX-License-Identifier: MIT */
/*
 * storm THREADS FORKS KIB: proves that threads may fork at once while others
 * fault. Each thread forks again and again; each child finds its parent's
 * memory as it was at that fork, rewrites it and ends.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_WORDS 512u

static size_t pages;
static unsigned forks;

struct worker {
	pthread_t thread;
	uint64_t *memory;
	uint64_t tag;
	unsigned bad;
};

static void
write_all(struct worker *worker)
{
	worker->tag++;
	for (size_t page = 0; page < pages; page++)
		worker->memory[page * PAGE_WORDS + page % PAGE_WORDS] =
		    worker->tag << 32 | page;
}

static unsigned
verify(const struct worker *worker)
{
	unsigned bad = 0;
	for (size_t page = 0; page < pages; page++)
		bad += worker->memory[page * PAGE_WORDS + page % PAGE_WORDS] !=
		       (worker->tag << 32 | page);
	return bad;
}

static void
run_child(struct worker *worker)
{
	unsigned bad = verify(worker);
	write_all(worker);
	bad += verify(worker);
	_exit(bad != 0);
}

static void *
work(void *arg)
{
	struct worker *worker = arg;
	for (unsigned i = 0; i < forks; i++) {
		int status = 1;
		write_all(worker);
		pid_t pid = fork();
		if (pid == 0)
			run_child(worker);
		if (pid > 0)
			waitpid(pid, &status, 0);
		worker->bad += (pid < 0) + (status != 0);
		worker->bad += verify(worker);
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	struct worker workers[16];
	unsigned bad = 0;
	if (argc != 4)
		return 2;
	unsigned count = (unsigned)atoi(argv[1]);
	forks = (unsigned)atoi(argv[2]);
	pages = (size_t)atoi(argv[3]) / 4;
	for (unsigned i = 0; i < count && i < 16; i++) {
		workers[i] = (struct worker){ .tag = (uint64_t)i << 16 };
		workers[i].memory = mmap(NULL, pages * PAGE_WORDS * 8,
		    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (workers[i].memory == MAP_FAILED)
			return 2;
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (unsigned i = 0; i < count && i < 16; i++) {
		pthread_join(workers[i].thread, NULL);
		bad += workers[i].bad;
	}
	printf("%u threads, %u forks each, %u bad\n", count, forks, bad);
	return bad != 0;
}
