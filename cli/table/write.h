/* SPDX-License-Identifier: MIT */
/* write.h: the formats. Sizes are integers in bytes in all but the screen's. */
#ifndef CLI_TABLE_WRITE_H
#define CLI_TABLE_WRITE_H

#include "cli/term.h"
#include "table.h"

enum format {
	FORMAT_SCREEN,
	FORMAT_JSON,
	FORMAT_JSONL,
	FORMAT_CSV,
	FORMAT_RAW,
	FORMAT_SHELL,
};

struct style_of_table {
	const char *schema; /* of JSON: "quire.ps/1" */
	const char *narrow; /* columns that go first where it is narrow */
	const char *host;   /* likewise of JSON's meta; "": not told */
	const char *kernel;
	const char *time;
	const char *source; /* of JSON's meta: "live", or which capture */
	bool header;
	bool totals;
	bool exact;          /* bytes as numbers */
	bool si;             /* bytes in powers of 1000 */
	bool may_drop;       /* columns of the narrow list may go */
	bool steady;         /* widths that do not hang on the rows */
	bool fits;           /* lines are cut to the width */
	uint64_t percent_of; /* bytes as percent of this; 0: not */
};

void write_screen(const struct term *term, struct table *table,
    const struct style_of_table *style);
/* One column of numbers, value, as a picture; a text of each row names it. */
void write_bars(const struct term *term, const struct table *table,
    size_t value, const struct style_of_table *style);
void write_svg(FILE *stream, const struct table *table, size_t value,
    const struct style_of_table *style);
void write_json(FILE *stream, const struct table *table,
    const struct style_of_table *style);
void write_lines(FILE *stream, const struct table *table, enum format format,
    const struct style_of_table *style);

/* A cell as a screen shows it, in text of TEXT_OF_CELL bytes; or the text of
 * the cell itself. */
#define TEXT_OF_CELL 64u
const char *cell_text(const struct column *column, const struct cell *cell,
    const struct style_of_table *style, char *text);

/* A cell as machines read it: integers, decimals with a point. */
const char *cell_plain(const struct column *column, const struct cell *cell,
    char *text);

/* Columns that a text takes; bytes that can't be shown count as their
 * escapes. Writes at most so many, with a mark where it was cut. */
unsigned text_width(const char *text, bool utf8);
void text_write(FILE *stream, const char *text, unsigned width, bool utf8);

#endif
