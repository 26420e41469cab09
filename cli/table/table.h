/* SPDX-License-Identifier: MIT */
/*
 * table.h: rows of a view. Cells of columns that nobody wants are dropped as
 * they are set, so a view may set all it knows, and asks table_wants before it
 * does what costs.
 */
#ifndef CLI_TABLE_TABLE_H
#define CLI_TABLE_TABLE_H

#include "arena.h"
#include "column.h"

enum cell_kind {
	CELL_NONE, /* not known, or there is none */
	CELL_NUMBER,
	CELL_TEXT,
};

struct cell {
	union {
		int64_t number; /* as the column's type has it */
		const char *text;
	};
	enum cell_kind kind;
};

/* A column in a table. */
struct table_column {
	const struct column *column;
	bool wanted;        /* filled */
	bool unregistered;  /* a key of the kernel that we do not know */
	struct cell *cells; /* by row; NULL: none is set */
	size_t capacity;    /* cells */
};

/* What else there is to say; of a table, in this order. */
struct table_note {
	const char *text;
	struct table_note *next;
};

struct table_fact {
	const char *key;
	int64_t number;
	struct table_fact *next;
};

/* What is to be done when the table goes. */
struct table_end {
	void (*run)(void *of);
	void *of;
	struct table_end *next;
};

struct table {
	struct table_column *columns;
	size_t column_count;
	size_t row_count;
	uint32_t by_id[COLUMN_IDS]; /* 1 + index in columns; 0: not in it */
	/* What is shown, in which order. */
	size_t *shown; /* indices of columns */
	size_t shown_count;
	size_t *order; /* indices of rows */
	size_t order_count;
	struct cell *total; /* by column, or NULL */
	struct cell *rest;  /* the rows that -n leaves out, likewise */
	size_t rest_count;
	struct table_note *notes;
	struct table_fact *facts; /* numbers of the whole, for JSON's meta */
	bool keeps_unknown;       /* keys that are not in the registry */
	struct table_end *ends;
	struct arena arena; /* texts live here */
};

/* A table with the columns of a list that COLUMN_NONE ends; none wanted. */
void table_init(struct table *table, const enum column_id *ids);
void table_fini(struct table *table);
/* Has run(of) called by table_fini, while the arena is still there. */
void table_at_end(struct table *table, void (*run)(void *of), void *of);

/* The index of a column, or -1. By name: case does not matter. */
int table_find(const struct table *table, enum column_id id);
int table_find_name(const struct table *table, const char *name, size_t length);

bool table_wants(const struct table *table, enum column_id id);
/* Whether a wanted column comes from that file. */
bool table_wants_source(const struct table *table, const char *source);

/* Adds an empty row; returns its index. */
size_t table_add_row(struct table *table);

void table_set(struct table *table, size_t row, enum column_id id,
    int64_t number);
/* Adds to what is there; sets it where there is nothing. */
void table_add(struct table *table, size_t row, enum column_id id,
    int64_t number);
/* The text is copied. */
void table_set_text(struct table *table, size_t row, enum column_id id,
    const char *text);
/* The text stays where it is, as long as the table lives. */
void table_point_text(struct table *table, size_t row, enum column_id id,
    const char *text);
/* A key of the kernel's that has no column: gets one of its own, named as the
 * key in lower case. bytes: its numbers are. */
void table_add_unknown(struct table *table, size_t row, const char *key,
    int64_t number, bool bytes);

/* The cell, CELL_NONE for what is not set. */
const struct cell *table_cell(const struct table *table, size_t row,
    size_t column);
const struct cell *table_get(const struct table *table, size_t row,
    enum column_id id);

/* Adds a line of talk below the table, or a number about all of it. */
void table_note(struct table *table, const char *format, ...) QR_PRINTF(2, 3);
void table_fact(struct table *table, const char *key, int64_t number);

/* Shows a column before all others. */
void table_show_first(struct table *table, enum column_id id);

/* Shows all rows in the order in which they came. */
void table_order_all(struct table *table);

#endif
