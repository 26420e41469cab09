/* SPDX-License-Identifier: MIT */
/*
 * Proves, on libquire.so, that a process is small: one malloc dirties little;
 * and that 300 MiB go back to the system while the program makes no call at
 * all, that the helper which does it is gone in a fork and for unshare, and
 * comes back afterwards.
 *
 *     heap_idle small | asleep | threads
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB         ((size_t)1 << 20)
#define LIVE_BYTES  (300 * MIB)
#define BLOCKS      2000000u
#define KEEP_KIB    (40u * 1024)
#define SMALL_KIB   150
#define POLLS       300 /* of a tenth of a second: far more than it takes */
#define BLOCK_LEAST 100u

static void
fail(const char *what, long figure)
{
	printf("%s: %ld\n", what, figure);
	exit(1);
}

static char proc_buffer[4096];

/* A figure in KiB out of a file of /proc/self. */
static long
proc_kib(const char *file, const char *name)
{
	char line[256];
	long kib = -1;
	FILE *stream = fopen(file, "r");
	if (stream == NULL)
		return -1;
	setvbuf(stream, proc_buffer, _IOFBF, sizeof(proc_buffer));
	while (fgets(line, sizeof(line), stream) != NULL) {
		if (strncmp(line, name, strlen(name)) == 0)
			kib = atol(line + strlen(name));
	}
	fclose(stream);
	return kib;
}

static int
thread_count(void)
{
	int count = 0;
	DIR *folder = opendir("/proc/self/task");
	if (folder == NULL)
		return -1;
	for (struct dirent *entry = readdir(folder); entry != NULL;
	     entry = readdir(folder))
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

static void *block[BLOCKS];

/* Allocates and frees LIVE_BYTES in small blocks. */
static void
rise_and_fall(void)
{
	size_t sum = 0;
	unsigned count = 0;
	for (; sum < LIVE_BYTES && count < BLOCKS; count++) {
		size_t size = BLOCK_LEAST + count % 200;
		block[count] = malloc(size);
		memset(block[count], 1, size);
		sum += size;
	}
	for (unsigned i = 0; i < count; i++)
		free(block[i]);
	/* The array itself is no malloc's. */
	memset(block, 0, sizeof(block));
}

static void
test_asleep(void)
{
	rise_and_fall();
	long array = (long)(sizeof(block) / 1024);
	long rss = 0;
	for (unsigned i = 0; i < POLLS; i++) {
		rss = proc_kib("/proc/self/status", "VmRSS:") - array;
		if (rss < (long)KEEP_KIB) {
			printf("%ld KiB after %u tenths\n", rss, i);
			return;
		}
		usleep(100 * 1000);
	}
	fail("KiB resident, still", rss);
}

static void
test_threads(void)
{
	if (thread_count() != 1)
		fail("threads at the start", thread_count());
	rise_and_fall();
	free(malloc(2000));
	if (thread_count() != 2)
		fail("threads with the helper", thread_count());
	pid_t child = fork();
	if (child == 0) {
		if (thread_count() != 1)
			_exit(2);
		/* It may have one of its own. */
		rise_and_fall();
		free(malloc(2000));
		_exit(thread_count() == 2 ? 0 : 3);
	}
	int status = 0;
	if (waitpid(child, &status, 0) != child || status != 0)
		fail("the child's status", status);
	rise_and_fall();
	free(malloc(2000));
	if (thread_count() != 2)
		fail("threads after the fork", thread_count());
	if (unshare(CLONE_FS) != 0)
		fail("unshare", -1);
	if (thread_count() != 1)
		fail("threads after unshare", thread_count());
}

/* All that the process has dirtied, the loader's and libc's 100 KiB included. */
static void
test_small(void)
{
	void *volatile one = malloc(100);
	memset(one, 1, 100);
	/* Not what is dirty: pages of a library just built are, in its file. */
	long kib = proc_kib("/proc/self/smaps_rollup", "Anonymous:");
	if (kib > SMALL_KIB + (long)(sizeof(proc_buffer) / 1024) || kib < 0)
		fail("KiB dirtied", kib);
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	if (strcmp(argv[1], "asleep") == 0)
		test_asleep();
	else if (strcmp(argv[1], "threads") == 0)
		test_threads();
	else
		test_small();
	return 0;
}
