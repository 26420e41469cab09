/* SPDX-License-Identifier: MIT */
/* carry.h: a statically linked program in a dynamic one's process. */
#ifndef QR_LINUX_CARRY_H
#define QR_LINUX_CARRY_H

#include <qr/types.h>

/* Takes note of the program that the value of the variable names; NULL: none.
 * Before the environment, whose end is looked at, is changed. */
void carry_note(const char *value, char **environment);

/* Maps that program, if there is one. 0 or -errno. */
int carry_load(void);

/* Gives FS a meaning inside the core, and the program's again. Only where there
 * is such a program. */
struct qr_thread;
void carry_enter_core(struct qr_thread *thread);
void carry_leave_core(struct qr_thread *thread);

/* Whether there is one. */
bool carry_is_on(void);

/* Becomes that program, with these words and variables; comes back only where
 * there is none. */
void carry_enter(char **words, char **environment);

#endif
