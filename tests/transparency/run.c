/* SPDX-License-Identifier: MIT */
/*
 * run.c: one case after another; what they say, in a form that is compared.
 *
 * For each case a line "== NAME", what it says, and "--". What a child of a
 * case says goes the same way, at once.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "run.h"

enum way run_way;
bool run_managed;

/* stdout itself may be a case's to close or to turn around. */
static int out_fd = 1;

static void
put(const char *text, size_t size)
{
	while (size != 0) {
		ssize_t n = write(out_fd, text, size);
		if (n <= 0)
			_exit(3);
		text += n;
		size -= (size_t)n;
	}
}

void
say(const char *format, ...)
{
	char text[1024];
	int saved = errno;
	va_list args;
	va_start(args, format);
	int size = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (size >= (int)sizeof(text))
		size = (int)sizeof(text) - 1;
	put(text, (size_t)size);
	errno = saved;
}

static const char *
error_name(void)
{
	const char *name = strerrorname_np(errno);
	return name == NULL ? "?" : name;
}

long
say_result(const char *text, long result)
{
	if (result == -1)
		say("%s: -1 %s\n", text, error_name());
	else
		say("%s: %ld\n", text, result);
	return result;
}

long
say_some(const char *text, long result)
{
	if (result == -1)
		say("%s: -1 %s\n", text, error_name());
	else
		say("%s: fine\n", text);
	return result;
}

void
say_bytes(const char *text, const void *start, size_t size)
{
	uint64_t h = UINT64_C(14695981039346656037);
	const unsigned char *bytes = start;
	for (size_t i = 0; i < size; i++)
		h = (h ^ bytes[i]) * UINT64_C(1099511628211);
	say("%s: %016llx\n", text, (unsigned long long)h);
}

void
say_skipped(const char *why)
{
	say("skipped: %s\n", why);
}

int
file_new(void)
{
	char name[] = "./file.XXXXXX";
	int fd = mkstemp(name);
	if (fd < 0) {
		perror("mkstemp");
		exit(3);
	}
	unlink(name);
	return fd;
}

pid_t
case_fork(void)
{
	pid_t pid = fork();
	if (pid < 0) {
		say("fork: -1 %s\n", error_name());
		_exit(3);
	}
	return pid;
}

int
case_kill(pid_t pid, int number)
{
	if (pid == -1 || pid == 0 || pid == 1) {
		say("a signal to process %d\n", (int)pid);
		_exit(3);
	}
	return kill(pid, number);
}

void
say_child(const char *text, pid_t pid)
{
	int status = 0;
	pid_t got;
	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got != pid)
		say("%s: no child\n", text);
	else if (WIFSIGNALED(status))
		say("%s: signal %d\n", text, WTERMSIG(status));
	else
		say("%s: exit %d\n", text, WEXITSTATUS(status));
}

void
run_cases(const struct test_group *group, size_t n)
{
	out_fd = fcntl(1, F_DUPFD_CLOEXEC, 200);
	if (out_fd < 0)
		exit(3);
	for (const struct test_case *c = &group->cases[n]; c->name != NULL;
	     c++) {
		bool storm =
		    run_way == WAY_STORM && (c->flags & CASE_ALONE) == 0;
		say("== %s\n", c->name);
		if (storm)
			storm_start();
		c->run();
		if (storm)
			storm_stop();
		memory_free((c->flags & CASE_MAPS) == 0);
		size_t left = memory_left_in();
		if (left != 0 && (c->flags & CASE_HELD) == 0)
			say("%zu pages can't be pushed out\n", left);
		say("--\n");
	}
}
