/* SPDX-License-Identifier: MIT */
/*
 * column.h: the registry of columns. A figure has one name everywhere: it
 * heads the column of a table in capitals, is the key in JSON, the word of -o,
 * -s and -f, and what `quire help NAME` explains.
 */
#ifndef CLI_TABLE_COLUMN_H
#define CLI_TABLE_COLUMN_H

#include <qr/types.h>

#include "column_table.h"

enum column_type {
	COLUMN_TEXT,
	COLUMN_COUNT,
	COLUMN_BYTES,
	COLUMN_CHANGE,  /* bytes more or less */
	COLUMN_PERCENT, /* in hundredths of a percent */
	COLUMN_RATIO,   /* in hundredths */
	COLUMN_RATE,    /* a second, in hundredths */
	COLUMN_MS,      /* milliseconds, in hundredths */
	COLUMN_ADDRESS, /* unsigned, for all that the cell is not */
};

/* What the total of a column is. */
enum column_sum {
	SUM_NONE, /* it has no total */
	SUM_ADD,  /* the rows add up to it */
};

struct column {
	const char *name; /* lower case */
	enum column_type type;
	enum column_sum sum;
	const char *source;  /* which file it comes from, below /proc mostly */
	const char *meaning; /* one sentence */
};

enum column_id {
	COLUMN_NONE, /* ends a list */
#define COLUMN_ENUM(id, name, type, sum, source, meaning) COL_##id,
	COLUMN_TABLE(COLUMN_ENUM)
#undef COLUMN_ENUM
	    COLUMN_IDS
};

extern const struct column columns[COLUMN_IDS];

/* "bytes", "count" and so on; how many digits follow the point. */
const char *column_unit(const struct column *column);
unsigned column_digits(const struct column *column);

#endif
