/* SPDX-License-Identifier: MIT */
/*
 * crowd CASE: proves that many processes get along in one budget. CASE is
 *   idle     children that only wait keep little of what they were given, so
 *            that a parent can have many, and memory of its own afterwards
 *   atonce   many processes that fork at the same time all get their child
 *   shared   memory that all of them map counts once
 *   largest  who needs pages gets them from who has the most, not from others
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB  ((size_t)1 << 20)
#define PAGE ((size_t)4096)

static void
fill(unsigned char *memory, size_t size, unsigned tag)
{
	for (size_t at = 0; at < size; at += PAGE) {
		memory[at] = (unsigned char)(at / PAGE + tag);
		memory[at + PAGE - 1] = (unsigned char)tag;
	}
}

static int
is_filled(const unsigned char *memory, size_t size, unsigned tag)
{
	for (size_t at = 0; at < size; at += PAGE) {
		if (memory[at] != (unsigned char)(at / PAGE + tag) ||
		    memory[at + PAGE - 1] != (unsigned char)tag)
			return 0;
	}
	return 1;
}

static unsigned char *
filled(size_t size, unsigned tag)
{
	unsigned char *memory = malloc(size);
	if (memory == NULL)
		exit(1);
	fill(memory, size, tag);
	return memory;
}

static int
fork_or_say(void)
{
	pid_t pid = fork();
	if (pid < 0)
		perror("fork");
	return pid;
}

/* How many children ended well. */
static unsigned
reap(unsigned count)
{
	unsigned good = 0;
	for (unsigned i = 0; i < count; i++) {
		int status;
		good += wait(&status) > 0 && status == 0;
	}
	return good;
}

static void
idle(void)
{
	enum { CHILDREN = 24 };
	int ends[2];
	char byte;
	unsigned char *memory = filled(MIB, 1);
	unsigned forked = 0;
	if (pipe(ends) != 0)
		return;
	for (unsigned i = 0; i < CHILDREN; i++) {
		int pid = fork_or_say();
		if (pid == 0) {
			close(ends[1]);
			ssize_t n = read(ends[0], &byte, 1);
			_exit(n != 0 || !is_filled(memory, MIB, 1));
		}
		forked += pid > 0;
	}
	unsigned char *more = filled(16 * MIB, 2);
	printf("%u forked, more is %s\n", forked,
	    is_filled(more, 16 * MIB, 2) ? "good" : "bad");
	close(ends[1]);
	printf("%u good\n", reap(forked));
}

static int
fork_rounds(unsigned rounds, unsigned tag)
{
	unsigned char *memory = filled(4 * MIB, tag);
	unsigned good = 0;
	for (unsigned i = 0; i < rounds; i++) {
		int pid = fork_or_say();
		if (pid == 0) {
			int bad = !is_filled(memory, 4 * MIB, tag);
			fill(memory, 4 * MIB, tag + 1);
			_exit(bad || !is_filled(memory, 4 * MIB, tag + 1));
		}
		good += pid > 0 && reap(1) == 1;
	}
	return good != rounds;
}

static void
atonce(void)
{
	enum { PROCESSES = 12 };
	for (unsigned i = 0; i < PROCESSES; i++) {
		if (fork_or_say() == 0)
			_exit(fork_rounds(4, i));
	}
	printf("%u good\n", reap(PROCESSES));
}

static void
shared(void)
{
	enum { CHILDREN = 6 };
	const size_t size = 14 * MIB;
	unsigned char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return;
	fill(memory, size, 3);
	for (unsigned i = 0; i < CHILDREN; i++) {
		if (fork_or_say() != 0)
			continue;
		/* With what is one's own there is no end of faults. */
		unsigned char *own = filled(2 * MIB, i);
		int bad = 0;
		for (unsigned turn = 0; turn < 40; turn++)
			bad |= !is_filled(memory, size, 3) ||
			       !is_filled(own, 2 * MIB, i);
		_exit(bad);
	}
	printf("%u good\n", reap(CHILDREN));
}

/* The child's resident memory of its own, pages. */
static size_t
resident(pid_t pid)
{
	char path[64];
	char line[128];
	unsigned long kib = 0;
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		(void)sscanf(line, "RssAnon: %lu", &kib);
	if (file != NULL)
		fclose(file);
	return kib * 1024 / PAGE;
}

/* A child with memory of its own that tells when it has it, and waits. */
static pid_t
holder(size_t size, int ready)
{
	pid_t pid = fork_or_say();
	if (pid != 0)
		return pid;
	unsigned char *memory = filled(size, 4);
	if (write(ready, "r", 1) == 1)
		pause();
	_exit(memory[0]);
}

/* Waits until a child has what it wants. */
static pid_t
held(size_t size, const int ends[2])
{
	char byte;
	pid_t pid = holder(size, ends[1]);
	if (read(ends[0], &byte, 1) != 1)
		printf("nothing to read\n");
	return pid;
}

static void
largest(void)
{
	enum { ASKERS = 8 };
	int ends[2];
	pid_t pids[ASKERS + 2];
	if (pipe(ends) != 0)
		return;
	pids[0] = held(8 * MIB, ends);
	size_t before = resident(pids[0]);
	pids[1] = held(16 * MIB, ends);
	for (unsigned i = 0; i < ASKERS; i++)
		pids[2 + i] = held(MIB, ends);
	size_t after = resident(pids[0]);
	printf("the small one's memory %s\n",
	    after + MIB / PAGE / 4 >= before ? "stayed" : "went");
	for (unsigned i = 0; i < ASKERS + 2; i++)
		kill(pids[i], SIGKILL);
	reap(ASKERS + 2);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = { { "idle", idle }, { "atonce", atonce },
		{ "shared", shared }, { "largest", largest } };
	setvbuf(stdout, NULL, _IONBF, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (argc == 2 && strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			return 0;
		}
	}
	return 2;
}
