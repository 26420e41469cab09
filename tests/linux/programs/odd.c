/* SPDX-License-Identifier: MIT */
/*
 * odd: proves that what programs seldom do with memory comes out as it does
 * plain: populating, every advice, locking, mincore, many threads, closing
 * all descriptors. It prints what it sees; compare.sh compares.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE    ((size_t)4096)
#define MIB     ((size_t)1 << 20)
#define THREADS 64

static unsigned char *
map(size_t size, int prot, int flags)
{
	void *memory =
	    mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return memory;
}

static unsigned
resident(void *memory, size_t size)
{
	unsigned char vec[4096];
	unsigned count = 0;
	if (mincore(memory, size, vec) != 0)
		return 0;
	for (size_t i = 0; i < size / PAGE; i++)
		count += vec[i] & 1;
	return count;
}

static void
say(const char *what, int result)
{
	printf("%s: %s\n", what, result == 0 ? "done" : strerror(errno));
}

static void
advices(void)
{
	static const int all[] = { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL,
		MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_HUGEPAGE,
		MADV_NOHUGEPAGE, MADV_DONTFORK, MADV_DOFORK, MADV_DONTDUMP,
		MADV_DODUMP, 12345 };
	unsigned char *memory = map(2 * MIB, PROT_READ | PROT_WRITE, 0);
	memset(memory, 5, 2 * MIB);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		printf("%d ", all[i]);
		say("advice", madvise(memory, 2 * MIB, all[i]));
		for (size_t at = 0; at < 2 * MIB; at += PAGE) {
			if (memory[at] != 5)
				printf("lost %zu\n", at / PAGE);
		}
	}
	say("dontneed", madvise(memory, MIB, MADV_DONTNEED));
	printf("%u, %d %d\n", resident(memory, MIB), memory[0], memory[MIB]);
	say("free", madvise(memory, MIB, MADV_FREE));
	memory[PAGE] = 9;
	printf("%d\n", memory[PAGE]);
	say("at an odd place", madvise(memory + 1, MIB, MADV_COLD));
	say("in a hole", madvise((void *)PAGE, MIB, MADV_DONTNEED));
	munmap(memory, 2 * MIB);
}

static void
populating(void)
{
	unsigned char *memory =
	    map(4 * MIB, PROT_READ | PROT_WRITE, MAP_POPULATE);
	printf("populated %u\n", resident(memory, 4 * MIB));
	madvise(memory, 4 * MIB, MADV_DONTNEED);
	printf("dropped %u\n", resident(memory, 4 * MIB));
	say("populate", madvise(memory, MIB, 23 /* MADV_POPULATE_WRITE */));
	printf("populated %u\n", resident(memory, 4 * MIB));
	say("lock", mlock(memory + 2 * MIB, 16 * PAGE));
	printf("locked %u\n", resident(memory + 2 * MIB, 16 * PAGE));
	say("drop locked", madvise(memory + 2 * MIB, PAGE, MADV_DONTNEED));
	say("unlock", munlock(memory + 2 * MIB, 16 * PAGE));
	munmap(memory, 4 * MIB);
	memory = map(MIB, PROT_NONE, MAP_POPULATE);
	printf("populated %u without rights\n", resident(memory, MIB));
	munmap(memory, MIB);
}

static void *
churn(void *arg)
{
	const unsigned char *tag = arg;
	unsigned char *memory = malloc(MIB);
	if (memory == NULL)
		return arg;
	for (unsigned turn = 0; turn < 3; turn++) {
		memset(memory, *tag + turn, MIB);
		for (size_t at = 0; at < MIB; at += PAGE) {
			if (memory[at] != (unsigned char)(*tag + turn))
				return arg;
		}
	}
	free(memory);
	return NULL;
}

static void
threads(void)
{
	static unsigned char tags[THREADS];
	pthread_t all[THREADS];
	unsigned bad = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		tags[i] = (unsigned char)(i * 3);
		if (pthread_create(&all[i], NULL, churn, &tags[i]) != 0)
			exit(1);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		void *result;
		pthread_join(all[i], &result);
		bad += result != NULL;
	}
	printf("threads: %u wrong\n", bad);
}

static void
descriptors(void)
{
	for (int fd = 3; fd < 1100; fd++)
		close(fd);
	for (int fd = 900; fd < 1024; fd++)
		dup2(1, fd);
	uint32_t *memory = malloc(48 * MIB);
	if (memory == NULL)
		exit(1);
	uint64_t sum = 0;
	for (size_t i = 0; i < 48 * MIB / 4; i++)
		memory[i] = (uint32_t)(i / 5);
	close_range(3, ~0U, 0);
	for (size_t i = 0; i < 48 * MIB / 4; i++)
		sum += memory[i];
	printf("sum %llu\n", (unsigned long long)sum);
}

int
main(void)
{
	advices();
	populating();
	threads();
	descriptors();
	return 0;
}
