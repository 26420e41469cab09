/* SPDX-License-Identifier: MIT */
/* counter_words.h: what the kernel's counters mean. */
#ifndef CLI_SEE_COUNTER_WORDS_H
#define CLI_SEE_COUNTER_WORDS_H

#include <qr/types.h>

struct counter_words {
	const char *pattern;
	const char *area;    /* "reclaim", "swap"; "other" if it is not known */
	const char *meaning; /* a sentence; NULL if it is not known */
};

const struct counter_words *counter_words_find(const char *name);

#endif
