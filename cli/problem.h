/* SPDX-License-Identifier: MIT */
/*
 * problem.h: what went wrong, why, and what to do: the one shape of every
 * message that Quire's command line gives when it cannot do what was asked.
 */
#ifndef CLI_PROBLEM_H
#define CLI_PROBLEM_H

#include <qr/types.h>

/* Exit codes. `run` has the three that env and timeout have; all else that
 * the program itself returns is passed on. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,      /* could not do it, or could not write it */
	EXIT_USAGE = 2,       /* the words make no sense */
	EXIT_OURS = 125,      /* run: usage, or Quire itself cannot */
	EXIT_CANNOT = 126,    /* run: found, but cannot be run this way */
	EXIT_NOT_FOUND = 127, /* run: no such program */
};

#define PROBLEM_TEXT_MAX 1024u /* bytes of one part; the rest is cut */

struct problem {
	enum exit_code code;
	char what[PROBLEM_TEXT_MAX];
	char why[PROBLEM_TEXT_MAX];    /* "": what says it all */
	char advice[PROBLEM_TEXT_MAX]; /* "": there is nothing to do */
};

/* Each sets one part; problem_what also clears the others. */
void problem_what(struct problem *problem, enum exit_code code,
    const char *format, ...) QR_PRINTF(3, 4);
void problem_why(struct problem *problem, const char *format, ...)
    QR_PRINTF(2, 3);
void problem_advise(struct problem *problem, const char *format, ...)
    QR_PRINTF(2, 3);

/* Prints it on stderr and returns its code. */
int problem_report(const struct problem *problem);

/* "quire: " and a line on stderr. */
void say(const char *format, ...) QR_PRINTF(1, 2);

#endif
