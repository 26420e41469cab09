/* SPDX-License-Identifier: MIT */
/* option.h: the option table as data, and the parser that walks it. */
#ifndef CLI_OPTION_H
#define CLI_OPTION_H

#include "option_table.h"
#include "problem.h"

enum option_id {
#define OPTION_ENUM(id, command, name, letter, kind, operand, preset, help)    \
	OPTION_##id,
	OPTION_TABLE(OPTION_ENUM)
#undef OPTION_ENUM
	    OPTION_COUNT
};

enum option_kind {
	OPTION_KIND_FLAG,
	OPTION_KIND_SIZE,      /* size_parse */
	OPTION_KIND_BUDGET,    /* size_parse or size_parse_percent */
	OPTION_KIND_NUMBER,    /* decimal, not 0 */
	OPTION_KIND_CHOICE,    /* a name out of operand */
	OPTION_KIND_DIRECTORY, /* any text but "" */
	OPTION_KIND_FILE,      /* any text but "" */
	OPTION_KIND_TEXT,      /* any text */
	OPTION_KIND_COLUMNS,   /* names of columns */
	OPTION_KIND_SECONDS,   /* "2", "0.5" */
	OPTION_KIND_PERIOD,    /* the same, attached to the option or not
				  there: then the preset */
};

struct option_info {
	const char *command; /* "a|b": of these; "": of every command */
	const char *name;
	char letter; /* 0: has none */
	enum option_kind kind;
	const char *operand;
	const char *preset; /* the default, as it would be typed; "": none */
	const char *help;   /* one sentence */
};

extern const struct option_info option_infos[OPTION_COUNT];

/* What was typed. */
struct options {
	const char *text[OPTION_COUNT]; /* NULL: not given; "": a flag */
	uint64_t number[OPTION_COUNT];  /* a size in bytes, a choice's index,
					   milliseconds */
	char **operands;                /* what is left, NULL at its end */
};

/* Whether a command has the option. */
bool option_applies(enum option_id id, const char *command);

/* Takes the next name off a list of commands, "a|b", into name. False: there
 * is none. */
#define COMMAND_NAME_MAX 32u
bool option_next_command(const char **list, char *name);

/*
 * Reads the arguments of a command, up to "--". Options may stand behind
 * operands, but for commands that have another command as their operand: they
 * end at the first argument that is no option. The array is changed. Values point into arguments. False: problem says what is wrong, with
 * the given code.
 */
QR_MUST_CHECK bool options_parse(const char *command, char **arguments,
    enum exit_code usage_code, struct options *options,
    struct problem *problem);

/* Prints the options of a command, "" for the common ones, in columns. */
struct term;
void options_print(const struct term *term, const char *command);

#endif
