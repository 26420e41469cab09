/* SPDX-License-Identifier: MIT */
/* command.h: the subcommands. Each has one file and one function here. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "alias.h"
#include "option.h"
#include "term.h"

struct command {
	const char *name;
	const char *usage;    /* what comes after the name */
	const char *summary;  /* one sentence */
	const char *examples; /* lines, each with its line end */
	int (*main)(const struct options *options);
	const char *details; /* of a manual page that is made from this:
				paragraphs; NULL: it is written by hand */
	/* For a command that is another in other words; else NULL. */
	bool (*translate)(char **arguments, struct alias *alias,
	    struct problem *problem);
};

/* Prints the manual page of a command as mdoc. False: it is not made here. */
bool manual_print(const char *name);

/* Ends with a NULL name. */
extern const struct command commands[];

/* NULL: there is none of that name. */
const struct command *command_find(const char *name);

/* Says that a command does not exist, and which is near. */
int command_unknown(const char *name, enum exit_code code);

/* One screen of help for a command. */
void command_help(const struct term *term, const struct command *command);

/* Says that a command has an operand too many or too few. */
int command_misused(const struct command *command, const char *what);

int ps_main(const struct options *options);
int free_main(const struct options *options);
int meminfo_main(const struct options *options);
int vmstat_main(const struct options *options);
int swap_main(const struct options *options);
int cache_main(const struct options *options);
int map_main(const struct options *options);
int status_main(const struct options *options);
int limits_main(const struct options *options);
int shm_main(const struct options *options);
int time_main(const struct options *options);
int buddy_main(const struct options *options);
int zones_main(const struct options *options);
int slab_main(const struct options *options);
int vmalloc_main(const struct options *options);
int numa_main(const struct options *options);
int pages_main(const struct options *options);
int huge_main(const struct options *options);
int cgroups_main(const struct options *options);
int settings_main(const struct options *options);
int top_main(const struct options *options);
int diff_main(const struct options *options);
int capture_main(const struct options *options);
int record_main(const struct options *options);
int run_main(const struct options *options);
int doctor_main(const struct options *options);
int demo_main(const struct options *options);
int last_main(const struct options *options);
int help_main(const struct options *options);
int version_main(const struct options *options);
int completion_main(const struct options *options);

#endif
