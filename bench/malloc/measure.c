/* SPDX-License-Identifier: MIT */
/*
 * bench/malloc/measure.c: runs a command on an allocator and says what it
 * took.
 *
 *     measure [-n] LIBRARY|- COMMAND [ARGUMENT ...]
 *     measure -w MIB
 *
 * Prints its CPU seconds, its wall seconds and the peak RSS of its largest
 * process in KiB; its output goes nowhere. LIBRARY is preloaded, - is libc's
 * own malloc. -n: no huge pages. -w touches so much memory and gives it back:
 * a virtual machine pays for memory that its host has to bring first, and
 * that is not to fall to whoever is measured first. Exits as the command did.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double
clock_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int
warm(size_t mib)
{
	size_t bytes = mib << 20;
	char *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED)
		return 1;
	memset(start, 1, bytes);
	return 0;
}

static void
child(const char *library, bool no_huge, char **command)
{
	int nowhere = open("/dev/null", O_RDWR);
	if (nowhere < 0 || dup2(nowhere, STDIN_FILENO) < 0 ||
	    dup2(nowhere, STDOUT_FILENO) < 0)
		_exit(127);
	if (no_huge)
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	if (strcmp(library, "-") != 0)
		setenv("LD_PRELOAD", library, 1);
	execvp(command[0], command);
	perror(command[0]);
	_exit(127);
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "-w") == 0)
		return warm((size_t)atol(argv[2]));
	bool no_huge = argc > 1 && strcmp(argv[1], "-n") == 0;
	char **rest = argv + 1 + no_huge;
	if (argc - no_huge < 3)
		return 2;
	double start = clock_now();
	pid_t pid = fork();
	if (pid < 0)
		return 1;
	if (pid == 0)
		child(rest[0], no_huge, rest + 1);
	int status;
	if (waitpid(pid, &status, 0) != pid)
		return 1;
	double wall = clock_now() - start;
	struct rusage usage;
	getrusage(RUSAGE_CHILDREN, &usage);
	printf("%.3f %.3f %ld\n",
	    seconds(usage.ru_utime) + seconds(usage.ru_stime), wall,
	    usage.ru_maxrss);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
