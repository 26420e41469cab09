/* SPDX-License-Identifier: MIT */
/*
 * corners: proves that memory keeps its contents where several things happen
 * at once: a move that is refused while others read, numbers of descriptors
 * that are taken while others fault, guests that fault, stacks that come and
 * go, a changed root, a limit on files that is set later. It prints what it
 * sees; compare.sh compares.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  ((size_t)4096)
#define MIB   ((size_t)1 << 20)
#define BULK  (40 * MIB) /* with what else there is more than the budget */
#define TURNS 60u

/* Pages of which each word tells where it is; some of each page hardly
 * compresses. */
struct region {
	uint64_t *words;
	size_t size;
};

static uint64_t
word_at(size_t i)
{
	uint64_t x = i * UINT64_C(0x9e3779b97f4a7c15);
	return i % 512 < 96 ? x ^ x >> 29 : i / 512;
}

static struct region
region_make(size_t size)
{
	struct region region = { mmap(NULL, size, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		size };
	if (region.words == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	for (size_t i = 0; i < size / 8; i++)
		region.words[i] = word_at(i);
	return region;
}

/* Pages that are not as they were made; every eighth word is looked at. */
static unsigned
region_wrong(const struct region *region)
{
	unsigned wrong = 0;
	for (size_t page = 0; page < region->size / PAGE; page++) {
		size_t first = page * (PAGE / 8);
		for (size_t i = first; i < first + PAGE / 8; i += 8) {
			if (region->words[i] == word_at(i))
				continue;
			wrong++;
			break;
		}
	}
	return wrong;
}

static struct region bulk;
static volatile int over;

/* Reads all of it again and again; returns the pages that were wrong. */
static void *
reader(void *arg)
{
	const struct region *region = arg;
	uintptr_t wrong = 0;
	while (!over)
		wrong += region_wrong(region);
	return (void *)wrong;
}

/* Runs `beside` while two threads read cold pages. */
static void
beside_readers(const char *what, void (*beside)(void))
{
	pthread_t threads[2];
	uintptr_t wrong = 0;
	over = 0;
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, reader, &bulk);
	beside();
	over = 1;
	for (unsigned i = 0; i < 2; i++) {
		void *result;
		pthread_join(threads[i], &result);
		wrong += (uintptr_t)result;
	}
	printf("%s: %lu pages wrong\n", what, (unsigned long)wrong);
}

/* Refused for want of address space, each at another point of the move. */
static void
refused_moves(void)
{
	struct rlimit before, low;
	unsigned refused = 0;
	getrlimit(RLIMIT_AS, &before);
	low = before;
	low.rlim_cur = (rlim_t)1 << 36;
	setrlimit(RLIMIT_AS, &low);
	for (unsigned i = 0; i < 40 * TURNS; i++) {
		void *moved = mremap(bulk.words, bulk.size, (size_t)1 << 37,
		    MREMAP_MAYMOVE);
		refused += moved == MAP_FAILED && errno == ENOMEM;
	}
	setrlimit(RLIMIT_AS, &before);
	printf("%u refused\n", refused);
}

/* Takes each number in turn that somebody may have. */
static void
taken_numbers(void)
{
	for (unsigned turn = 0; turn < 3; turn++) {
		for (int fd = 970; fd < 1024; fd++)
			dup2(1, fd);
		for (int fd = 970; fd < 1024; fd++)
			close(fd);
	}
}

/* Guests that touch what is out. */
static void
guests(void)
{
	volatile unsigned long sum = 0;
	for (unsigned i = 0; i < TURNS; i++) {
		int status;
		pid_t pid = vfork();
		if (pid == 0) {
			for (size_t at = 0; at < 64; at++)
				sum += bulk.words[(i * 64 + at) * 512];
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			printf("guest %u: %d\n", i, status);
	}
}

static void *
short_life(void *arg)
{
	char room[8192];
	memset(room, *(char *)arg, sizeof(room));
	return (void *)(uintptr_t)room[100];
}

/* Threads whose stacks are managed, and cold when the kernel writes there. */
static void
short_threads(void)
{
	const size_t size = 256 << 10;
	unsigned wrong = 0;
	for (unsigned i = 0; i < 4 * TURNS; i++) {
		char tag = (char)(i % 100 + 1);
		void *stack, *result = NULL;
		pthread_attr_t attr;
		pthread_t thread;
		if (posix_memalign(&stack, PAGE, size) != 0)
			exit(1);
		pthread_attr_init(&attr);
		pthread_attr_setstack(&attr, stack, size);
		if (pthread_create(&thread, &attr, short_life, &tag) != 0)
			exit(1);
		pthread_join(thread, &result);
		wrong += result != (void *)(uintptr_t)tag;
		pthread_attr_destroy(&attr);
		free(stack);
	}
	printf("%u of the threads wrong\n", wrong);
}

/* In a child without /proc, and without the folder of the swap file. */
static void
changed_root(void)
{
	char folder[] = "/tmp/corners.XXXXXX";
	int status = -1;
	int rooted = mkdtemp(folder) != NULL;
	pid_t pid = fork();
	if (pid == 0) {
		if (rooted && chroot(folder) == 0 && chdir("/") != 0)
			_exit(3);
		pid = fork();
		if (pid == 0) {
			struct region more = region_make(BULK);
			unsigned wrong = region_wrong(&more);
			_exit(wrong + region_wrong(&bulk) != 0);
		}
		if (waitpid(pid, &status, 0) != pid)
			_exit(4);
		_exit(status != 0 || region_wrong(&bulk) != 0);
	}
	waitpid(pid, &status, 0);
	if (rooted)
		rmdir(folder);
	printf("changed root: %d\n", status);
}

/* Writes that would pass it must not be seen by this process. */
static void
short_files(void)
{
	struct rlimit before, low;
	getrlimit(RLIMIT_FSIZE, &before);
	low = before;
	low.rlim_cur = 4 * PAGE;
	setrlimit(RLIMIT_FSIZE, &low);
	struct region more = region_make(8 * MIB);
	printf("short files: %u %u wrong\n", region_wrong(&more),
	    region_wrong(&bulk));
	munmap(more.words, more.size);
	setrlimit(RLIMIT_FSIZE, &before);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	bulk = region_make(BULK);
	beside_readers("refused moves", refused_moves);
	beside_readers("taken numbers", taken_numbers);
	beside_readers("guests", guests);
	beside_readers("short threads", short_threads);
	changed_root();
	short_files();
	return 0;
}
