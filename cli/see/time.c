/* SPDX-License-Identifier: MIT */
/*
 * time.c: `quire time -- COMMAND`: what a command took of memory. The kernel
 * tells of faults and of the largest process when children have been waited
 * for; how much the whole tree had at once is sampled meanwhile. The result
 * goes to stderr, as time's does; the exit code is the command's.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/tree.h"
#include "views.h"

#define SAMPLE_NS 10000000 /* between looks at the tree */

struct measured {
	struct rusage usage;
	int64_t tree_peak; /* bytes */
	double seconds;
	int status; /* of wait */
};

/* For the view, which has no other way to it. */
static struct measured measured;

static double
seconds_of(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static bool
fill_time(struct session *session, struct table *table)
{
	const struct rusage *usage = &measured.usage;
	size_t row = table_add_row(table);

	(void)session;
	table_set(table, row, COL_WALL_MS, (int64_t)(measured.seconds * 1e5));
	table_set(table, row, COL_USER_MS,
	    (int64_t)(seconds_of(&usage->ru_utime) * 1e5));
	table_set(table, row, COL_SYSTEM_MS,
	    (int64_t)(seconds_of(&usage->ru_stime) * 1e5));
	table_set(table, row, COL_MAX_RSS, (int64_t)usage->ru_maxrss * 1024);
	table_set(table, row, COL_TREE_PEAK, measured.tree_peak);
	table_set(table, row, COL_MINFLT, (int64_t)usage->ru_minflt);
	table_set(table, row, COL_MAJFLT, (int64_t)usage->ru_majflt);
	table_set(table, row, COL_READ_IN, (int64_t)usage->ru_inblock * 512);
	table_set(table, row, COL_WRITTEN, (int64_t)usage->ru_oublock * 512);
	return true;
}

static double
now_seconds(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Waits for the child, and looks at its tree between. */
static void
watch_child(pid_t child, const sigset_t *blocked)
{
	const struct timespec pause = { 0, SAMPLE_NS };

	while (wait4(child, &measured.status, WNOHANG, &measured.usage) == 0) {
		int64_t now = (int64_t)tree_resident(child);
		if (now > measured.tree_peak)
			measured.tree_peak = now;
		(void)sigtimedwait(blocked, NULL, &pause);
	}
}

static int
cannot_run(const char *name, int error)
{
	struct problem problem;

	problem_what(&problem, error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT,
	    "cannot run '%s'", name);
	problem_why(&problem, "%s", strerror(error));
	return problem_report(&problem);
}

/* Starts the command. Its errno comes through a pipe that its exec closes. */
static pid_t
start(char **command, const sigset_t *old, int *error)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0) {
		*error = errno;
		return -1;
	}
	pid_t child = fork();
	if (child == 0) {
		(void)sigprocmask(SIG_SETMASK, old, NULL);
		(void)execvp(command[0], command);
		*error = errno;
		(void)!write(ends[1], error, sizeof(*error));
		_exit(EXIT_CANNOT);
	}
	*error = child < 0 ? errno : 0;
	(void)close(ends[1]);
	if (child > 0)
		(void)!read(ends[0], error, sizeof(*error));
	(void)close(ends[0]);
	return child;
}

static const enum column_id time_columns[] = { COL_WALL_MS, COL_USER_MS,
	COL_SYSTEM_MS, COL_MAX_RSS, COL_TREE_PEAK, COL_MINFLT, COL_MAJFLT,
	COL_READ_IN, COL_WRITTEN, COLUMN_NONE };

const struct view time_view = {
	.name = "time",
	.command = "time",
	.columns = time_columns,
	.preset = "wall,user,system,max_rss,tree_peak,minflt,majflt,read,"
		  "written",
	.narrow = "system,written",
	.sort = "",
	.fill = fill_time,
};

int
time_main(const struct options *options)
{
	sigset_t blocked, old;
	int error = 0;
	char **command = options->operands;

	if (command[0] == NULL)
		return command_misused(command_find("time"),
		    "a command is wanted");
	(void)fflush(stdout);
	(void)sigemptyset(&blocked);
	(void)sigaddset(&blocked, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &blocked, &old);
	double begun = now_seconds();
	pid_t child = start(command, &old, &error);
	if (child > 0)
		watch_child(child, &blocked);
	if (error != 0)
		return cannot_run(command[0], error);
	measured.seconds = now_seconds() - begun;
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	(void)dup2(STDERR_FILENO, STDOUT_FILENO);
	int code = view_main(options, &time_view);
	if (code != EXIT_OK)
		return code;
	return WIFSIGNALED(measured.status) ? 128 + WTERMSIG(measured.status)
					    : WEXITSTATUS(measured.status);
}
