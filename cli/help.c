/* SPDX-License-Identifier: MIT */
/*
 * help.c: `quire help`: the commands; with the name of one, its man page if
 * that can be shown, else its screen of help; with `options`, the option
 * table, one row a line with tabs between the columns; with `manual` and a
 * command, the source of its man page; with a word, what it means.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "file.h"
#include "nearest.h"
#include "see/words.h"

static void
print_table(void)
{
	for (int id = 0; id < OPTION_COUNT; id++) {
		const struct option_info *info = &option_infos[id];
		char letter[] = { info->letter, '\0' };
		const char *list =
		    info->command[0] != '\0' ? info->command : "-";
		char owner[COMMAND_NAME_MAX];
		while (option_next_command(&list, owner))
			printf("%s\t%s\t%s\t%s\t%s\t%s\n", owner, info->name,
			    info->letter != 0 ? letter : "-",
			    info->operand[0] != '\0' ? info->operand : "-",
			    info->preset[0] != '\0' ? info->preset : "-",
			    info->help);
	}
}

static void
print_overview(const struct term *term)
{
	fprintf(term->stream,
	    "%squire%s: a program within a RAM budget, and where its memory "
	    "is\n\n"
	    "  quire run -m 256M -- python3 job.py   run it within 256 MiB\n"
	    "  quire run -m 50%% -- ./app             within half of the RAM\n"
	    "  quire doctor -- ./app                 can that work here?\n"
	    "  quire top                             who has the RAM now?\n\n",
	    term_style(term, STYLE_STRONG), term_style(term, STYLE_PLAIN));
	for (const struct command *command = commands; command->name != NULL;
	     command++) {
		fprintf(term->stream, "  %s%-12s%s",
		    term_style(term, STYLE_STRONG), command->name,
		    term_style(term, STYLE_PLAIN));
		term_wrap(term, command->summary, 14, 14);
	}
	fprintf(term->stream,
	    "\nquire COMMAND --help shows one screen, quire help COMMAND the "
	    "manual.\n");
}

/* Shows the man page, if a terminal looks and there is both page and man. */
static void
try_manual(const struct term *term, const char *name)
{
	static const char *const places[] = { "/../share/man/man1", "/man",
		"/../man" };
	char own[PATH_MAX], page[PATH_MAX];

	if (!term->is_terminal || !own_directory(own))
		return;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (!path_join(page, own, places[i], "/quire-", name, ".1",
			NULL) ||
		    access(page, R_OK) != 0)
			continue;
		(void)fflush(stdout);
		(void)execlp("man", "man", "-l", page, (char *)NULL);
		return;
	}
}

/* Neither a command nor a word that means something. */
static int
unknown(const char *name)
{
	struct problem problem;
	struct nearest nearest;

	nearest_init(&nearest, name);
	for (const struct command *command = commands; command->name != NULL;
	     command++)
		nearest_offer(&nearest, command->name);
	words_offer(&nearest);
	problem_what(&problem, EXIT_USAGE,
	    "'%s' is an unknown command, column and word", name);
	if (nearest.best != NULL)
		problem_advise(&problem, "quire help %s", nearest.best);
	else
		problem_advise(&problem, "quire help");
	return problem_report(&problem);
}

int
help_main(const struct options *options)
{
	const char *name = options->operands[0];
	const struct command *command;
	struct term term;

	term_init(&term, stdout, options);
	if (name == NULL) {
		print_overview(&term);
		return EXIT_OK;
	}
	if (strcmp(name, "manual") == 0 && options->operands[1] != NULL &&
	    manual_print(options->operands[1]))
		return EXIT_OK;
	if (options->operands[1] != NULL)
		return command_misused(command_find("help"),
		    "it takes one operand");
	if (strcmp(name, "options") == 0) {
		print_table();
		return EXIT_OK;
	}
	command = command_find(name);
	if (command == NULL)
		return words_explain(&term, name) ? EXIT_OK : unknown(name);
	try_manual(&term, name);
	command_help(&term, command);
	return EXIT_OK;
}
