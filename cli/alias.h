/* SPDX-License-Identifier: MIT */
/* alias.h: other tools' words for what the views show. */
#ifndef CLI_ALIAS_H
#define CLI_ALIAS_H

#include "problem.h"

#define ALIAS_WORDS_MAX 256u

/* A command in other words: *words is NULL-ended, without the command itself. */
struct alias {
	const char *command; /* NULL: all that was asked for is done */
	char *words[ALIAS_WORDS_MAX + 1];
	unsigned count;
	char text[8192]; /* words that were made */
	unsigned text_length;
};

/* Each translates its tool's arguments. False: problem says which has no
 * meaning here. */
QR_MUST_CHECK bool alias_smem(char **arguments, struct alias *alias,
    struct problem *problem);
QR_MUST_CHECK bool alias_pmap(char **arguments, struct alias *alias,
    struct problem *problem);
QR_MUST_CHECK bool alias_procrank(char **arguments, struct alias *alias,
    struct problem *problem);
/* watch [-n SECONDS] VIEW ... */
QR_MUST_CHECK bool alias_watch(char **arguments, struct alias *alias,
    struct problem *problem);

#endif
