/* SPDX-License-Identifier: MIT */
/* term.h: what the terminal behind a stream can show. */
#ifndef CLI_TERM_H
#define CLI_TERM_H

#include <stdbool.h>
#include <stdio.h>

#include "option.h"

enum style {
	STYLE_PLAIN,
	STYLE_STRONG,
	STYLE_FAINT,
	STYLE_GOOD,
	STYLE_WARN,
	STYLE_BAD,
	STYLE_ACCENT,
};

struct term {
	FILE *stream;
	bool is_terminal;
	bool colour;    /* escapes may be written */
	bool utf8;      /* other than ASCII may be written */
	unsigned width; /* columns, 40 to 1000 */
};

/* Looks at the stream, NO_COLOR, TERM, COLUMNS, the locale and the options
 * --color and --width, the later ones winning. */
void term_init(struct term *term, FILE *stream, const struct options *options);

/* The escape that begins a style, or "" where escapes are not wanted. */
const char *term_style(const struct term *term, enum style style);

/* Writes the text wrapped at the width: the first line goes on at column
 * `column`, the others are indented by `indent`. Ends the last line. */
void term_wrap(const struct term *term, const char *text, unsigned column,
    unsigned indent);

#endif
