/* SPDX-License-Identifier: MIT */
/* see/subject.h: the process that an operand names. */
#ifndef CLI_SEE_SUBJECT_H
#define CLI_SEE_SUBJECT_H

#include "view.h"

/* The process of the first operand, a number or a name. False:
 * session->problem says that there is none, or which there are. */
QR_MUST_CHECK bool subject_find(struct session *session, int *pid);
/* The same of any word. */
QR_MUST_CHECK bool subject_find_word(struct session *session, const char *word,
    int *pid);

/* Says that a file of a process can't be read, and what would help. Always
 * false. */
bool subject_unreadable(struct session *session, int pid, int error);

/* The name of a process; "": it is gone. */
const char *subject_name(struct session *session, struct arena *arena, int pid);

#endif
