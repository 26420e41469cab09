/* SPDX-License-Identifier: MIT */
/* words.h: `quire help WORD`: what columns and words mean. */
#ifndef CLI_SEE_WORDS_H
#define CLI_SEE_WORDS_H

#include "cli/nearest.h"
#include "cli/term.h"

/* Explains a column, a field of the kernel or a word. False: it is none. */
bool words_explain(const struct term *term, const char *word);

/* Offers all of them to a search. */
void words_offer(struct nearest *nearest);

#endif
