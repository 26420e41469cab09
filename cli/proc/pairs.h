/* SPDX-License-Identifier: MIT */
/*
 * pairs.h: the kernel's favourite form, lines "Key: number unit" or
 * "key number". Whoever reads gets every key, known or not.
 */
#ifndef CLI_PROC_PAIRS_H
#define CLI_PROC_PAIRS_H

#include <stddef.h>

#include <qr/types.h>

struct pair {
	const char *key;  /* NUL-ended */
	const char *text; /* what follows, NUL-ended, without blanks round it */
	int64_t number;   /* bytes if is_bytes */
	bool is_number;   /* the text begins with one */
	bool is_bytes;    /* it was followed by "kB" */
};

/* Takes the next line off *text and cuts it apart in place. False: there is
 * none. Lines without a key are passed over. */
bool pair_next(char **text, struct pair *pair);

/* Takes the next line off *text; NULL: there is none. The line's end becomes
 * a NUL. */
char *line_next(char **text);

/* Takes the next word, parted by blanks; NULL: there is none. */
char *word_next(char **line);

/* The number at *at, which is moved behind it; what is too large is
 * INT64_MAX. */
int64_t number_next(const char **at);

#endif
