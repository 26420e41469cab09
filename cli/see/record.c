/* SPDX-License-Identifier: MIT */
/*
 * record.c: `quire record DIR`: a capture every so often, in a folder that
 * never grows beyond a size: the oldest captures go. Each is a file of its
 * own, so that every view reads it with -S, and a machine that goes down loses
 * none but the last.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "cli/file.h"
#include "cli/size.h"
#include "view.h"

#define LEVEL_FAST   3 /* of zstd: the machine has other things to do */
#define SUFFIX       ".tar.zst"
#define SIZE_DEFAULT ((uint64_t)64 << 20)

static volatile sig_atomic_t is_ended;

static void
end(int signal)
{
	(void)signal;
	is_ended = 1;
}

static bool
is_capture(const char *name)
{
	size_t length = strlen(name);
	return length > strlen(SUFFIX) &&
	       strcmp(name + length - strlen(SUFFIX), SUFFIX) == 0 &&
	       name[0] >= '0' && name[0] <= '9';
}

/* Their sizes, and the first by name, which is the oldest. */
static uint64_t
sum_captures(const char *folder, char *oldest)
{
	struct dirent *entry;
	DIR *directory = opendir(folder);
	uint64_t sum = 0;

	oldest[0] = '\0';
	if (directory == NULL)
		return 0;
	while ((entry = readdir(directory)) != NULL) {
		struct stat status;
		char path[PATH_MAX];
		if (!is_capture(entry->d_name) ||
		    !path_join(path, folder, "/", entry->d_name, NULL) ||
		    stat(path, &status) != 0)
			continue;
		sum += (uint64_t)status.st_size;
		if (oldest[0] == '\0' || strcmp(path, oldest) < 0)
			strcpy(oldest, path);
	}
	(void)closedir(directory);
	return sum;
}

/* Drops the oldest ones but the newest until they fit. */
static void
make_room(const char *folder, uint64_t size_max, const char *newest)
{
	char oldest[PATH_MAX];

	while (sum_captures(folder, oldest) > size_max &&
	       strcmp(oldest, newest) != 0 && oldest[0] != '\0')
		if (unlink(oldest) != 0)
			return;
}

/* One capture; under a name that no view takes for whole until it is. */
static bool
record_one(struct source *source, const char *folder, char *path)
{
	struct capture capture = { .source = source, .level = LEVEL_FAST };
	char name[64], partial[PATH_MAX];
	struct timespec now;
	struct tm utc;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (gmtime_r(&now.tv_sec, &utc) == NULL)
		return false;
	size_t length = strftime(name, sizeof(name), "%Y%m%dT%H%M%S", &utc);
	(void)snprintf(name + length, sizeof(name) - length, ".%03ldZ",
	    now.tv_nsec / 1000000);
	if (!path_join(path, folder, "/", name, SUFFIX, NULL) ||
	    !path_join(partial, folder, "/", name, ".part", NULL))
		return false;
	capture.stream = fopen(partial, "we");
	if (capture.stream == NULL)
		return false;
	bool good = capture_write(&capture);
	if (ferror(capture.stream) != 0)
		good = false;
	if (fclose(capture.stream) != 0)
		good = false;
	if (good && rename(partial, path) == 0)
		return true;
	int error = errno;
	(void)unlink(partial);
	errno = error;
	return false;
}

static int
fail(const char *folder)
{
	struct problem problem;

	problem_what(&problem, EXIT_FAILED, "cannot record into %s", folder);
	problem_why(&problem, "%s", strerror(errno));
	return problem_report(&problem);
}

static int
record(const struct options *options, const char *folder, struct source *source)
{
	uint64_t interval = options->number[OPTION_EVERY] != 0
				? options->number[OPTION_EVERY]
				: 10000;
	uint64_t size_max = options->number[OPTION_SIZE_MAX] != 0
				? options->number[OPTION_SIZE_MAX]
				: SIZE_DEFAULT;
	uint64_t count = options->number[OPTION_RECORD_TIMES];
	const struct timespec pause = { (time_t)(interval / 1000),
		(long)(interval % 1000) * 1000000 };
	char path[PATH_MAX];

	for (uint64_t done = 1; !is_ended; done++) {
		if (!record_one(source, folder, path))
			return fail(folder);
		make_room(folder, size_max, path);
		if (count != 0 && done >= count)
			break;
		(void)nanosleep(&pause, NULL);
	}
	return EXIT_OK;
}

int
record_main(const struct options *options)
{
	const char *folder = options->operands[0];
	const struct sigaction action = { .sa_handler = end };
	struct problem problem;

	if (folder == NULL || options->operands[1] != NULL)
		return command_misused(command_find("record"),
		    "one folder is wanted");
	int error = directory_make(folder);
	if (error != 0) {
		errno = -error;
		return fail(folder);
	}
	struct source *source =
	    source_open(options->text[OPTION_CAPTURE_SOURCE], &problem);
	if (source == NULL)
		return problem_report(&problem);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	int code = record(options, folder, source);
	source_close(source);
	return code;
}
