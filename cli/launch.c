/* SPDX-License-Identifier: MIT */
/*
 * launch.c: environment, state directory, exec. Keeps [cli.4]: no process of
 * Quire's own is left between the caller and the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "launch.h"

/* Puts the library before those the user preloads already. */
static bool
set_preload(const char *library, struct problem *problem)
{
	const char *others = getenv("LD_PRELOAD");
	bool has_others = others != NULL && others[0] != '\0';
	size_t size = strlen(library) + (has_others ? strlen(others) : 0) + 2;
	char *value = malloc(size);

	if (strpbrk(library, ": ") != NULL) {
		problem_what(problem, EXIT_OURS, "cannot preload %s", library);
		problem_why(problem, "the loader takes blanks and colons in "
				     "LD_PRELOAD for separators");
		problem_advise(problem, "install Quire under another path");
		free(value);
		return false;
	}
	if (value != NULL)
		snprintf(value, size, "%s%s%s", library, has_others ? ":" : "",
		    has_others ? others : "");
	if (value == NULL || setenv("LD_PRELOAD", value, 1) != 0) {
		problem_what(problem, EXIT_OURS, "cannot set LD_PRELOAD");
		problem_why(problem, "%s", strerror(errno));
		free(value);
		return false;
	}
	free(value);
	return true;
}

static bool
set_config(const struct qr_linux_config *config, struct problem *problem)
{
	static char text[QR_LINUX_CONFIG_TEXT_MAX];

	if (qr_linux_config_format(config, text, sizeof(text)) > 0 &&
	    setenv(QR_LINUX_CONFIG_VARIABLE, text, 1) == 0)
		return true;
	problem_what(problem, EXIT_OURS, "cannot set %s",
	    QR_LINUX_CONFIG_VARIABLE);
	problem_why(problem, "%s", strerror(errno));
	return false;
}

/*
 * Notes that a run has started, so that `quire last` can tell one that was
 * killed from one that never was. A state directory that cannot be had is no
 * reason not to run: there will be no `last`, and that is all.
 */
static void
note_start(struct launch *launch)
{
	char *directory = launch->config.state_dir;
	char path[PATH_MAX];

	if (!state_directory(directory) || directory_make(directory) != 0 ||
	    !path_join(path, directory, "/" QR_LINUX_STATE_STARTED, NULL)) {
		directory[0] = '\0';
		return;
	}
	FILE *file = fopen(path, "we");
	if (file == NULL) {
		directory[0] = '\0';
		return;
	}
	fprintf(file, "%ld", (long)getpid());
	for (char **word = launch->words; *word != NULL; word++)
		fprintf(file, " %s", *word);
	fputc('\n', file);
	(void)fclose(file);
}

bool
launch_prepare(struct launch *launch, struct problem *problem)
{
	struct qr_linux_config *config = &launch->config;
	struct timespec now;

	if (!set_preload(launch->library, problem))
		return false;
	if (config->budget_bytes == 0) {
		(void)unsetenv(QR_LINUX_CONFIG_VARIABLE);
		return true;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	config->start_ns =
	    (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	config->root_pid = (uint64_t)getpid();
	note_start(launch);
	return set_config(config, problem);
}

/* The words with the shell before them, to be freed. */
static char **
words_for_shell(const struct launch *launch)
{
	static char shell[] = "/bin/sh";
	static char path[PATH_MAX];
	size_t count = 0;
	while (launch->words[count] != NULL)
		count++;
	if (!path_join(path, launch->target.path, NULL))
		return NULL;
	char **words = calloc(count + 2, sizeof(*words));
	if (words == NULL)
		return NULL;
	words[0] = shell;
	words[1] = path;
	for (size_t i = 1; i < count; i++)
		words[i + 1] = launch->words[i];
	return words;
}

/* The carrier finds the program at a descriptor, which it takes over. */
static void
exec_carried(const struct launch *launch)
{
	char value[PATH_MAX + 16];
	int fd = open(launch->target.path, O_RDONLY);
	if (fd < 0)
		return;
	snprintf(value, sizeof(value), "%d:%s", fd, launch->target.path);
	if (setenv(QR_LINUX_IMAGE_VARIABLE, value, 1) == 0)
		(void)execv(launch->carrier, launch->words);
	int error = errno;
	(void)close(fd);
	errno = error;
}

void
launch_exec(const struct launch *launch, struct problem *problem)
{
	if (launch->target.by_shell) {
		char **words = words_for_shell(launch);
		if (words != NULL)
			(void)execv(launch->target.image, words);
		free(words);
	} else if (launch->target.is_static) {
		exec_carried(launch);
	} else {
		(void)execv(launch->target.path, launch->words);
	}
	problem_what(problem, errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT,
	    "cannot execute %s", launch->target.path);
	problem_why(problem, "%s", strerror(errno));
}
