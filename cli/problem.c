/* SPDX-License-Identifier: MIT */
/* problem.c: sets the parts of a problem and prints it. Keeps [cli.3]. */
#include <stdarg.h>
#include <stdio.h>

#include "problem.h"

#define FORMAT_INTO(text, format)                                              \
	do {                                                                   \
		va_list arguments;                                             \
		va_start(arguments, format);                                   \
		vsnprintf(text, sizeof(text), format, arguments);              \
		va_end(arguments);                                             \
	} while (0)

void
problem_what(struct problem *problem, enum exit_code code, const char *format,
    ...)
{
	problem->code = code;
	problem->why[0] = '\0';
	problem->advice[0] = '\0';
	FORMAT_INTO(problem->what, format);
}

void
problem_why(struct problem *problem, const char *format, ...)
{
	FORMAT_INTO(problem->why, format);
}

void
problem_advise(struct problem *problem, const char *format, ...)
{
	FORMAT_INTO(problem->advice, format);
}

int
problem_report(const struct problem *problem)
{
	fprintf(stderr, "quire: %s\n", problem->what);
	if (problem->why[0] != '\0')
		fprintf(stderr, "  why: %s\n", problem->why);
	if (problem->advice[0] != '\0')
		fprintf(stderr, "  try: %s\n", problem->advice);
	return (int)problem->code;
}

void
say(const char *format, ...)
{
	char text[PROBLEM_TEXT_MAX];

	FORMAT_INTO(text, format);
	fprintf(stderr, "quire: %s\n", text);
}
