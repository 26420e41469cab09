/* SPDX-License-Identifier: MIT */
/*
 * cli/main.c: the command `quire`: finds the subcommand and hands over.
 *
 * 1. Purpose
 *
 * The command line is the face of the whole project: most people meet Quire
 * as `quire run -m 256M -- program` and never read more than what it prints.
 * So this folder has no mechanism of its own. It looks, explains, decides
 * whether a thing can be done at all, and gives the work to others: to the
 * preloaded library for `run`, to the kernel's files for what it shows.
 *
 * 2. Parts
 *
 *     main.c ──> commands.c ──> run doctor demo last help version ...
 *                     │       └─> see/: ps free map top ...
 *                     │
 *     option_table.h ─┴─> option.c     parser, help screens
 *                         completion.c bash, zsh, fish
 *                         help.c       `quire help options`, tests of man/
 *
 *     run.c ──> target.c      may the library come in?
 *        ├────> probe.c                    does the kernel let us?
 *        ├────> limit.c, size.c            how much is 50%?
 *        └────> launch.c ──> execve        from here on it is the program
 *
 *     demo.c ──> tree.c   RAM of a process tree over time
 *        └─────> chart.c  draws it
 *
 *     everywhere: problem.c, term.c, json_stdio.c, file.c, nearest.c
 *
 * 3. Rules that hold everywhere
 *
 * [cli.1] An option is known from the option table alone. Nothing else in the
 *         folder compares its text with an option's name.
 * [cli.2] Data goes to stdout, talk to stderr. An escape is written only if
 *         term_style gave it, other characters than ASCII only if the
 *         locale is UTF-8; colour never is the only signal.
 * [cli.3] Who is refused is told what was refused, why, and what to do, in
 *         this order, on lines that begin with "quire:", "why:" and "try:".
 * [cli.4] `run` becomes the program in its own process: job control, exit
 *         code and process id are the program's own.
 * [cli.5] Output that could not be written is a failure (exit 1), but a
 *         reader that has gone away (EPIPE) is none: then quire ends as
 *         quietly as SIGPIPE ends others.
 *
 * 4. Exit codes
 *
 * 0 done, 1 could not, 2 misused. For `run`, which must leave the program's
 * own codes alone, they are those that env and timeout have: 125 Quire itself
 * (misuse, no userfaultfd, no library), 126 the program was found but cannot
 * be run in this way (no permission, static, privileged, foreign), 127 it was
 * not found.
 *
 * 5. Checking first
 *
 * `run` checks the program before it starts it, although the exec would show
 * most faults by itself, because two of them would not show: a static and a
 * setuid program run happily without the library, and thus without the
 * budget that was asked for. What becomes of the program's children is known
 * only when they start; the library charges and names those that it cannot
 * enter.
 *
 * 6. Rejected
 *
 * getopt_long: it knows neither which command an option belongs to nor which
 * name was meant, and argp is glibc's alone. A parent that stays and waits:
 * it would own the terminal, have to forward every signal, and change the
 * process id that shells and supervisors see. One process environment
 * variable for each setting: programs print and copy their environment;
 * one name is one thing to hide.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

static int dispatch(const struct command *command, char **arguments);

/* A command that is another in other words. */
static int
dispatch_alias(const struct command *command, char **arguments)
{
	static struct alias alias;
	const struct options none = { .operands = arguments };
	struct problem problem;
	struct term term;

	if (arguments[0] != NULL && (strcmp(arguments[0], "--help") == 0 ||
					strcmp(arguments[0], "-h") == 0)) {
		term_init(&term, stdout, &none);
		command_help(&term, command);
		return EXIT_OK;
	}
	if (!command->translate(arguments, &alias, &problem))
		return problem_report(&problem);
	if (alias.command == NULL)
		return EXIT_OK;
	const struct command *other = command_find(alias.command);
	if (other == NULL || other->translate != NULL)
		return command_unknown(alias.command, EXIT_USAGE);
	return dispatch(other, alias.words);
}

static int
dispatch(const struct command *command, char **arguments)
{
	struct options options;
	struct problem problem;
	struct term term;
	enum exit_code usage_code =
	    command->main == run_main ? EXIT_OURS : EXIT_USAGE;

	if (command->translate != NULL)
		return dispatch_alias(command, arguments);
	if (!options_parse(command->name, arguments, usage_code, &options,
		&problem))
		return problem_report(&problem);
	if (options.text[OPTION_HELP] == NULL)
		return command->main(&options);
	term_init(&term, stdout, &options);
	command_help(&term, command);
	return EXIT_OK;
}

/* Without a command: --version, and all options of `quire help`. */
static int
dispatch_first(char **arguments)
{
	static char *none[] = { NULL };
	const struct command *command;

	if (arguments[0] == NULL || strcmp(arguments[0], "--help") == 0 ||
	    strcmp(arguments[0], "-h") == 0)
		return dispatch(command_find("help"), none);
	if (strcmp(arguments[0], "--version") == 0)
		return dispatch(command_find("version"), none);
	if (arguments[0][0] == '-')
		return dispatch(command_find("help"), arguments);
	command = command_find(arguments[0]);
	if (command == NULL)
		return command_unknown(arguments[0], EXIT_USAGE);
	return dispatch(command, arguments + 1);
}

/* [cli.5] */
static int
finish_output(int code)
{
	bool failed = ferror(stdout) != 0;

	if (fflush(stdout) != 0)
		failed = true;
	if (!failed || code != EXIT_OK)
		return code;
	if (errno == EPIPE)
		return EXIT_FAILED;
	say("cannot write the output: %s", strerror(errno));
	return EXIT_FAILED;
}

int
main(int argc, char **argv)
{
	/* More than any command writes, so that the one write at the end,
	 * whose error finish_output sees, is the only one. */
	static char buffer[1 << 16];

	if (argc < 1)
		return EXIT_USAGE;
	(void)setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	return finish_output(dispatch_first(argv + 1));
}
