/* SPDX-License-Identifier: MIT */
/* cost.c: cost N COMMAND...: medians of N runs: milliseconds of wall and of
 * CPU time (user and system). The command's output is thrown away. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUNS_MAX 1000

static int
compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return (left > right) - (left < right);
}

static double
milliseconds(const struct timeval *time)
{
	return (double)time->tv_sec * 1e3 + (double)time->tv_usec / 1e3;
}

static void
run(char **command, double *wall, double *cpu)
{
	struct timespec begin, end;
	struct rusage usage;
	int status;

	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	pid_t child = fork();
	if (child == 0) {
		int fd = open("/dev/null", O_WRONLY);
		(void)dup2(fd, STDOUT_FILENO);
		(void)dup2(fd, STDERR_FILENO);
		(void)execvp(command[0], command);
		_exit(127);
	}
	if (child < 0 || wait4(child, &status, 0, &usage) != child ||
	    !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "cost: %s failed\n", command[0]);
		exit(1);
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	*wall = (double)(end.tv_sec - begin.tv_sec) * 1e3 +
		(double)(end.tv_nsec - begin.tv_nsec) / 1e6;
	*cpu = milliseconds(&usage.ru_utime) + milliseconds(&usage.ru_stime);
}

int
main(int argc, char **argv)
{
	static double walls[RUNS_MAX], cpus[RUNS_MAX];
	int count = argc > 2 ? atoi(argv[1]) : 0;

	if (count < 1 || count > RUNS_MAX) {
		fprintf(stderr, "usage: cost N COMMAND...\n");
		return 2;
	}
	for (int i = 0; i < count; i++)
		run(argv + 2, &walls[i], &cpus[i]);
	qsort(walls, (size_t)count, sizeof(walls[0]), compare);
	qsort(cpus, (size_t)count, sizeof(cpus[0]), compare);
	printf("%.1f %.1f\n", walls[count / 2], cpus[count / 2]);
	return 0;
}
