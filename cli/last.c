/* SPDX-License-Identifier: MIT */
/*
 * last.c: `quire last`: the summary of the latest run, from the state
 * directory. A run that was killed by SIGKILL leaves none; then the note of
 * its start is newer than any summary, and that is what is said.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "file.h"

static bool
is_older(const struct stat *a, const struct stat *b)
{
	if (a->st_mtim.tv_sec != b->st_mtim.tv_sec)
		return a->st_mtim.tv_sec < b->st_mtim.tv_sec;
	return a->st_mtim.tv_nsec < b->st_mtim.tv_nsec;
}

static int
no_summary(const char *started)
{
	struct problem problem;
	char line[512];
	char *words;
	long pid;

	if (file_read(started, line, sizeof(line)) <= 0) {
		problem_what(&problem, EXIT_FAILED, "no run to show");
		problem_advise(&problem, "quire run -m 256M -- python3 job.py");
		return problem_report(&problem);
	}
	line[strcspn(line, "\n")] = '\0';
	pid = strtol(line, &words, 10);
	words += *words == ' ';
	problem_what(&problem, EXIT_FAILED, "no summary of '%s'", words);
	if (pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM))
		problem_why(&problem,
		    "it seems to be running still, as "
		    "process %ld",
		    pid);
	else
		problem_why(&problem, "it was killed by SIGKILL, or its state "
				      "could not be written");
	return problem_report(&problem);
}

static int
show(const char *path)
{
	struct problem problem;
	char block[4096];
	size_t length;
	FILE *file = fopen(path, "re");

	if (file == NULL) {
		problem_what(&problem, EXIT_FAILED, "cannot read %s", path);
		problem_why(&problem, "%s", strerror(errno));
		return problem_report(&problem);
	}
	while ((length = fread(block, 1, sizeof(block), file)) > 0)
		(void)fwrite(block, 1, length, stdout);
	(void)fclose(file);
	return EXIT_OK;
}

int
last_main(const struct options *options)
{
	char directory[PATH_MAX], started[PATH_MAX], last[PATH_MAX];
	struct stat started_status, last_status;
	struct problem problem;

	if (options->operands[0] != NULL)
		return command_misused(command_find("last"),
		    "it takes no operands");
	if (!state_directory(directory) ||
	    !path_join(started, directory, "/" QR_LINUX_STATE_STARTED, NULL) ||
	    !path_join(last, directory, "/" QR_LINUX_STATE_LAST, NULL)) {
		problem_what(&problem, EXIT_FAILED, "no state directory");
		problem_why(&problem, "neither HOME nor XDG_STATE_HOME is set");
		return problem_report(&problem);
	}
	if (stat(last, &last_status) != 0)
		return no_summary(started);
	if (stat(started, &started_status) == 0 &&
	    is_older(&last_status, &started_status))
		return no_summary(started);
	return show(last);
}
