/* SPDX-License-Identifier: MIT */
/*
 * bench/budget/watch.c: runs a command and samples the memory of its tree.
 *
 *     watch [-i MS] [-b BYTES] [-o FILE] -- CMD [ARG ...]
 *
 * Every MS (5) it sums RssAnon + RssShmem over the command and all of its
 * descendants, and prints one line of JSON to FILE (stderr): the wall time,
 * the CPU time, the peak of that sum, the peak of the largest process, and
 * with -b how many samples lay above BYTES + 2 MiB, and by how much at most.
 * Exits as the command did.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 4096
#define SLACK_BYTES   ((uint64_t)2 << 20)

struct process {
	int pid;
	int parent;
};

struct sample {
	uint64_t sum;     /* bytes, over the tree */
	uint64_t largest; /* bytes, of one process */
	unsigned count;   /* processes */
};

static uint64_t
now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int
parent_of(int pid)
{
	char path[64];
	char text[512];
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return -1;
	size_t n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	const char *after = strrchr(text, ')');
	int parent = -1;
	if (after != NULL && sscanf(after + 1, " %*c %d", &parent) != 1)
		return -1;
	return parent;
}

static size_t
list_processes(struct process *all)
{
	size_t count = 0;
	DIR *dir = opendir("/proc");
	if (dir == NULL)
		return 0;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    count == PROCESSES_MAX)
			continue;
		int pid = atoi(entry->d_name);
		all[count++] = (struct process){ pid, parent_of(pid) };
	}
	closedir(dir);
	return count;
}

/* RssAnon + RssShmem, bytes. */
static uint64_t
resident(int pid)
{
	char path[64];
	char line[256];
	uint64_t sum = 0;
	unsigned long kib;
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return 0;
	while (fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "RssAnon: %lu", &kib) == 1 ||
		    sscanf(line, "RssShmem: %lu", &kib) == 1)
			sum += (uint64_t)kib * 1024;
	}
	fclose(file);
	return sum;
}

static void
sample_add(struct sample *sample, int pid)
{
	uint64_t bytes = resident(pid);
	sample->sum += bytes;
	sample->count++;
	if (bytes > sample->largest)
		sample->largest = bytes;
}

/* The tree below self: everything that descends from the command, since
 * orphans come to this process, which is their subreaper. */
static struct sample
take_sample(int self)
{
	static struct process all[PROCESSES_MAX];
	static bool inside[PROCESSES_MAX];
	struct sample sample = { 0 };
	size_t count = list_processes(all);
	memset(inside, 0, sizeof(inside));
	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < count; i++) {
			bool in = all[i].parent == self;
			for (size_t j = 0; !in && j < count; j++)
				in = inside[j] && all[j].pid == all[i].parent;
			if (in && !inside[i]) {
				inside[i] = true;
				more = true;
				sample_add(&sample, all[i].pid);
			}
		}
	}
	return sample;
}

static void
usage(void)
{
	fprintf(stderr,
	    "usage: watch [-i MS] [-b BYTES] [-o FILE] -- CMD [ARG ...]\n");
	exit(2);
}

static pid_t
start(char **command)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid_t pid = fork();
	if (pid == 0) {
		execvp(command[0], command);
		perror(command[0]);
		_exit(127);
	}
	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	return pid;
}

int
main(int argc, char **argv)
{
	unsigned interval_ms = 5;
	uint64_t budget = 0;
	FILE *out = stderr;
	for (int option; (option = getopt(argc, argv, "+i:b:o:")) != -1;) {
		if (option == 'i')
			interval_ms = (unsigned)atoi(optarg);
		else if (option == 'b')
			budget = strtoull(optarg, NULL, 10);
		else if (option == 'o')
			out = fopen(optarg, "w");
		else
			usage();
	}
	if (optind == argc || out == NULL || interval_ms == 0)
		usage();

	uint64_t began = now_ns();
	uint64_t ended = 0;
	pid_t child = start(argv + optind);
	struct sample peak = { 0 };
	unsigned samples = 0;
	unsigned above = 0;
	uint64_t excess = 0;
	int status = 0;
	for (;;) {
		pid_t gone = waitpid(-1, &status, WNOHANG);
		if (gone == child) {
			ended = now_ns();
			break;
		}
		if (gone > 0)
			continue;
		struct sample sample = take_sample(getpid());
		samples++;
		if (sample.sum > peak.sum)
			peak.sum = sample.sum;
		if (sample.largest > peak.largest)
			peak.largest = sample.largest;
		if (sample.count > peak.count)
			peak.count = sample.count;
		if (budget != 0 && sample.sum > budget + SLACK_BYTES) {
			above++;
			if (sample.sum - budget > excess)
				excess = sample.sum - budget;
		}
		usleep(interval_ms * 1000);
	}
	struct rusage used;
	getrusage(RUSAGE_CHILDREN, &used);
	int code =
	    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	fprintf(out,
	    "{\"exit\":%d,\"wall_s\":%.3f,\"user_s\":%.3f,\"sys_s\":%.3f,"
	    "\"peak_bytes\":%llu,\"peak_one_bytes\":%llu,\"processes\":%u,"
	    "\"samples\":%u,\"above\":%u,\"excess_bytes\":%llu}\n",
	    code, (double)(ended - began) / 1e9,
	    (double)used.ru_utime.tv_sec + (double)used.ru_utime.tv_usec / 1e6,
	    (double)used.ru_stime.tv_sec + (double)used.ru_stime.tv_usec / 1e6,
	    (unsigned long long)peak.sum, (unsigned long long)peak.largest,
	    peak.count, samples, above, (unsigned long long)excess);
	fclose(out);
	return code;
}
