/* SPDX-License-Identifier: MIT */
/* report.h: what Quire says; see report.c. */
#ifndef QR_LINUX_REPORT_H
#define QR_LINUX_REPORT_H

#include <qr/types.h>

/* Remembers what descriptor 2 is, and what characters can be shown. */
void report_start(char **environment);

/* Opens where the summary goes to; the program may be elsewhere at the end. */
void report_open(void);

/* The program is about to close descriptor 2. And what the helper, who keeps a
 * copy of it then, is to do in each of its rounds. */
void report_closing(void);
void report_errand(void);

/* "NAME (process N)". */
struct print;
void report_print_process(struct print *print);

/* Writes to stderr, if descriptor 2 is still what it was at the start. */
void report_say(struct print *print);

/* Adds this process's counters to the tree's (1), or takes them off (-1). */
void report_add(int sign);

/* Once, as the process ends: its counters, and if it is the tree's root the
 * summary. signal_number: what kills it; 0: it exits with the code. */
void report_summary(int exit_code, int signal_number);

/* The same, as the process goes on without Quire. */
void report_retreat(void);

/* report_json.c: the summary to the file that was asked for, if any. 0 or
 * -errno. */
struct qr_machine_stat;
int report_json(int status, const struct qr_machine_stat *stat);

/* In a fork's child: its own end is still to come. */
void report_forked(void);

#endif
