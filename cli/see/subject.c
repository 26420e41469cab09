/* SPDX-License-Identifier: MIT */
/* see/subject.c: finds processes by number or name. */
#include "subject.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *
subject_name(struct session *session, struct arena *arena, int pid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "proc/%d/stat", pid);
	char *text = session_read(session, path);
	char *open = strchr(text, '('), *close = strrchr(text, ')');
	if (open == NULL || close == NULL || close < open)
		return "";
	return arena_copy(arena, open + 1, (size_t)(close - open) - 1);
}

static bool
is_there(struct session *session, int pid)
{
	struct arena arena = { 0 };
	bool there = subject_name(session, &arena, pid)[0] != '\0';
	arena_fini(&arena);
	return there;
}

/* By name: the only one that has it. */
static bool
find_name(struct session *session, const char *name, int *pid)
{
	struct arena arena = { 0 };
	struct buffer found = { 0 };
	const int *pids;
	size_t matches = 0;
	size_t count = source_pids(session->source, &pids);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(subject_name(session, &arena, pids[i]), name) != 0)
			continue;
		*pid = pids[i];
		if (matches++ < 8)
			buffer_printf(&found, " %d", pids[i]);
	}
	if (matches == 0) {
		problem_what(&session->problem, EXIT_FAILED,
		    "no process is called '%s'", name);
		problem_advise(&session->problem, "quire ps -P '%s'", name);
	} else if (matches > 1) {
		problem_what(&session->problem, EXIT_USAGE,
		    "%zu processes are called '%s'", matches, name);
		problem_advise(&session->problem, "one of%s%s", found.text,
		    matches > 8 ? " ..." : "");
	}
	buffer_fini(&found);
	arena_fini(&arena);
	return matches == 1;
}

bool
subject_find(struct session *session, int *pid)
{
	char **operands = session->options->operands;

	if (operands[0] != NULL && operands[1] == NULL)
		return subject_find_word(session, operands[0], pid);
	problem_what(&session->problem, EXIT_USAGE, "%s: one process is wanted",
	    session->view->command);
	problem_advise(&session->problem, "quire %s PID|NAME",
	    session->view->command);
	return false;
}

bool
subject_find_word(struct session *session, const char *word, int *pid)
{
	char *end;
	long number = strtol(word, &end, 10);
	if (*end != '\0')
		return find_name(session, word, pid);
	*pid = (int)number;
	if (number > 0 && number < INT_MAX && is_there(session, *pid))
		return true;
	problem_what(&session->problem, EXIT_FAILED, "there is no process %s",
	    word);
	problem_advise(&session->problem, "quire ps");
	return false;
}

bool
subject_unreadable(struct session *session, int pid, int error)
{
	problem_what(&session->problem, EXIT_FAILED,
	    "process %d cannot be looked into", pid);
	if (error == -ENOENT && !source_is_live(session->source))
		problem_why(&session->problem,
		    "it could not be read where this was captured");
	else
		problem_why(&session->problem, "%s", strerror(-error));
	if (error == -EACCES || error == -EPERM)
		problem_advise(&session->problem,
		    "as its user, as root, or with CAP_SYS_PTRACE");
	return false;
}
