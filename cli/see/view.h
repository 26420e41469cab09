/* SPDX-License-Identifier: MIT */
/*
 * view.h: what a view is, and the one way in which all views run: read the
 * options, make a table, have the view fill it, arrange it, write it.
 */
#ifndef CLI_SEE_VIEW_H
#define CLI_SEE_VIEW_H

#include "cli/command.h"
#include "cli/proc/source.h"
#include "cli/table/arrange.h"
#include "cli/table/write.h"

struct session;

struct view {
	const char *name;              /* of its schema: quire.NAME/1 */
	const char *command;           /* which shows it */
	const enum column_id *columns; /* all it has; COLUMN_NONE ends */
	const char *preset;            /* shown unless -o says else */
	const char *machine;           /* likewise for machines; NULL: preset */
	const char *narrow;            /* leave a narrow screen, first ones
					  first; may be NULL */
	const char *sort;              /* "": as they come */
	bool totals;                   /* -t or not */
	bool streams;                  /* --watch adds lines to one table */
	/* Adds the rows. False: session->problem says why. */
	bool (*fill)(struct session *session, struct table *table);
	/* Prints instead of the table on a screen; NULL: the table. */
	void (*screen)(struct session *session, struct table *table);
	/* Frees the session's state; NULL: there is none. */
	void (*end)(struct session *session);
	const char *next; /* what to do next, commands */
};

struct session {
	const struct options *options;
	const struct view *view;
	struct source *source;
	struct term term;
	enum format format;
	struct problem problem;
	uint64_t ram_bytes; /* of the source's machine; 0: not known */
	unsigned round;     /* of --watch, from 0 */
	double seconds;     /* since the round before; 0: there is none */
	bool is_partial;    /* something could not be read */
	bool may_be_empty;  /* no row is a result like any other */
	void *state;        /* the view's own, from round to round */
	struct table table; /* of this round, as the filters see it */
};

/* Runs a view from the options to the exit code. */
int view_main(const struct options *options, const struct view *view);

/* Its parts, for who draws the result otherwise: fills and arranges a table,
 * which the caller ends (false: session->problem); writes it to the session's
 * terminal, cut to its width. */
QR_MUST_CHECK bool view_fill(struct session *session, struct table *table);
void view_write(struct session *session, struct table *table);
/* How the options want tables and cells to look. */
struct style_of_table view_style(const struct session *session);

/* Every view, ended by NULL. */
extern const struct view *const views[];

/* Whether an option was given. */
static inline bool
session_has(const struct session *session, enum option_id id)
{
	return session->options->text[id] != NULL;
}

/* A file below /proc or another of the source, as text that lives until the
 * next call; "": it can't be read. */
char *session_read(struct session *session, const char *path);

#endif
