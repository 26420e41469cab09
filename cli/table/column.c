/* SPDX-License-Identifier: MIT */
/* column.c: the registry as data. */
#include "column.h"

const struct column columns[COLUMN_IDS] = {
	[COLUMN_NONE] = { "", COLUMN_TEXT, SUM_NONE, "", "" },
#define COLUMN_ROW(id, name, type, sum, source, meaning)                       \
	[COL_##id] = { name, COLUMN_##type, SUM_##sum, source, meaning },
	COLUMN_TABLE(COLUMN_ROW)
#undef COLUMN_ROW
};

const char *
column_unit(const struct column *column)
{
	static const char *const units[] = {
		[COLUMN_TEXT] = "text",
		[COLUMN_COUNT] = "count",
		[COLUMN_BYTES] = "bytes",
		[COLUMN_CHANGE] = "bytes more",
		[COLUMN_PERCENT] = "percent",
		[COLUMN_RATIO] = "ratio",
		[COLUMN_RATE] = "per second",
		[COLUMN_MS] = "ms",
		[COLUMN_ADDRESS] = "address",
	};
	return units[column->type];
}

unsigned
column_digits(const struct column *column)
{
	switch (column->type) {
	case COLUMN_PERCENT:
	case COLUMN_RATIO:
	case COLUMN_RATE:
	case COLUMN_MS:
		return 2;
	case COLUMN_TEXT:
	case COLUMN_COUNT:
	case COLUMN_BYTES:
	case COLUMN_CHANGE:
	case COLUMN_ADDRESS:
		break;
	}
	return 0;
}
