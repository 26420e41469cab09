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
	{ "free", "[OPTION]...",
	    "Show where RAM and swap are, in parts that add up.",
	    "  quire free                         with bars and meanings\n"
	    "  quire free --formula               what tools mean by used\n"
	    "  quire free --json --fail-if 'of=ram and available<500M'\n",
	    free_main,
	    "Shows the limit of the control group first, where there is one, "
	    "then RAM, then swap. The parts of RAM are programs, shared "
	    "memory, files, huge pages, the kernel and what is free; what no "
	    "field of the kernel tells of is shown as unaccounted, so that "
	    "they add up to the total.\n"
	    "used is total less available: what could not be given up at "
	    "once. Other tools mean other things by that word; --formula "
	    "shows them side by side. What is not a screen is a table with a "
	    "row for each of limit, ram and swap." },
	{ "meminfo", "[OPTION]...",
	    "Show every field of the kernel's meminfo with its meaning.",
	    "  quire meminfo\n"
	    "  quire meminfo -f 'field~Huge'\n"
	    "  quire meminfo -s size -n 10 -S yesterday.tar.zst\n",
	    meminfo_main,
	    "Shows all fields, those too that this version does not know. "
	    "What of RAM no field tells of is said below." },
	{ "vmstat", "[OPTION]...",
	    "Show what memory management does, a second.",
	    "  quire vmstat -w                    a line a second\n"
	    "  quire vmstat --paging -w5 -c12     sar -B's columns\n"
	    "  quire vmstat --counters -w -s per_s -n 20\n",
	    vmstat_main,
	    "The first line is the average since boot, the others are since "
	    "the line before. thrash_s is the time in which all tasks waited "
	    "for memory, in milliseconds a second; refault_s are pages that "
	    "came back soon after they were reclaimed.\n"
	    "--counters shows every counter that the kernel has, --paging "
	    "the columns of sar -B." },
	{ "swap", "[OPTION]...",
	    "Show where pages go that leave RAM, and how they compress.",
	    "  quire swap\n"
	    "  quire swap --json\n"
	    "  quire ps -s swap -n 10             whose pages they are\n",
	    swap_main,
	    "Shows swap devices, zram and zswap: how many bytes of pages were "
	    "stored, what they take compressed, the ratio, and the RAM that "
	    "the device needs for it all." },
	{ "cache", "[OPTION]... [FILE|DIR]...",
	    "Show which files hold the page cache.",
	    "  quire cache -n 20\n"
	    "  quire cache -t /var/lib/postgresql\n"
	    "  quire cache -f 'mapped=0 and resident>100M'\n",
	    cache_main,
	    "Shows the files that processes map or have open, the one with "
	    "most in RAM first; or those that are named, and all below a "
	    "folder. Nothing is read into RAM by looking. Files that nobody "
	    "has open stay in the cache and cannot be found; how much that "
	    "is, is said below." },
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
