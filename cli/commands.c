/* SPDX-License-Identifier: MIT */
/* commands.c: the table of the subcommands. */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "nearest.h"

const struct command commands[] = {
	{ "run", "[OPTION]... [--] COMMAND [ARGUMENT]...",
	    "Run a program on Quire's malloc, with -m within a RAM budget.",
	    "  quire run -m 256M -- python3 job.py\n"
	    "  quire run -m 50% --swap /mnt/disk -- ./app --its-own=options\n"
	    "  quire run -- redis-server          no budget, only the malloc\n",
	    run_main, NULL },
	{ "doctor", "[OPTION]... [-- COMMAND]",
	    "Say what works on this machine, and whether a program can be run.",
	    "  quire doctor\n"
	    "  quire doctor -- ./app\n"
	    "  quire doctor --json | jq '.rows[] | select(.status != "
	    "\"ok\")'\n",
	    doctor_main, NULL },
	{ "demo", "[OPTION]...",
	    "Run a real program plain and with half its memory, and draw both.",
	    "  quire demo\n"
	    "  quire demo --width=120\n"
	    "  quire demo --color=never | tee demo.txt\n",
	    demo_main, NULL },
	{ "last", "[OPTION]...", "Show the summary of the latest run again.",
	    "  quire last\n"
	    "  quire last | head -3\n"
	    "  XDG_STATE_HOME=/srv/state quire last\n",
	    last_main, NULL },
	{ "ps", "[OPTION]... [PID|NAME]...",
	    "Show who uses the RAM: processes, or what they are summed up by.",
	    "  quire ps -t -n 10                  the ten largest, and all\n"
	    "  quire ps -t --by comm              many processes as one\n"
	    "  quire ps --json -f 'pss>100M and user=www'\n",
	    ps_main,
	    "Shows what processes take of RAM, the largest first. "
	    "uss is what would be free if the process ended, pss is its share "
	    "when shared pages are divided by how many map them, rss counts "
	    "shared pages whole, vss counts addresses. Only uss and pss say "
	    "something about RAM when processes are added up.\n"
	    "Operands are numbers or names of processes; without them all are "
	    "shown that have memory. What cannot be read is counted below the "
	    "table, with the right that is missing. Its rss, vss and swap are "
	    "shown all the same." },
	{ "help", "[COMMAND|options]",
	    "Show the commands, or the manual of one.",
	    "  quire help\n"
	    "  quire help run\n"
	    "  quire help options                 the option table, with "
	    "tabs\n",
	    help_main, NULL },
	{ "version", "[OPTION]...", "Say which Quire this is.",
	    "  quire version\n"
	    "  quire version --json\n"
	    "  quire --version\n",
	    version_main, NULL },
	{ "completion", "bash|zsh|fish",
	    "Print the completion of all this for a shell.",
	    "  source <(quire completion bash)\n"
	    "  quire completion zsh > ~/.zfunc/_quire\n"
	    "  quire completion fish > ~/.config/fish/completions/quire.fish\n",
	    completion_main, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};

const struct command *
command_find(const char *name)
{
	for (const struct command *command = commands; command->name != NULL;
	     command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

int
command_unknown(const char *name, enum exit_code code)
{
	struct problem problem;
	struct nearest nearest;

	nearest_init(&nearest, name);
	for (const struct command *command = commands; command->name != NULL;
	     command++)
		nearest_offer(&nearest, command->name);
	problem_what(&problem, code, "unknown command '%s'", name);
	if (nearest.best != NULL)
		problem_advise(&problem, "quire %s", nearest.best);
	else
		problem_advise(&problem, "quire help");
	return problem_report(&problem);
}

int
command_misused(const struct command *command, const char *what)
{
	struct problem problem;

	problem_what(&problem, EXIT_USAGE, "%s: %s", command->name, what);
	problem_advise(&problem, "quire %s %s", command->name, command->usage);
	return problem_report(&problem);
}

void
command_help(const struct term *term, const struct command *command)
{
	fprintf(term->stream, "usage: %squire %s%s %s\n\n",
	    term_style(term, STYLE_STRONG), command->name,
	    term_style(term, STYLE_PLAIN), command->usage);
	term_wrap(term, command->summary, 0, 0);
	fputc('\n', term->stream);
	options_print(term, command->name);
	options_print(term, "");
	fprintf(term->stream, "\nexamples:\n%s", command->examples);
}
