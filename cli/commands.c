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
	    run_main, NULL, NULL },
	{ "doctor", "[OPTION]... [-- COMMAND]",
	    "Say what works on this machine, and whether a program can be run.",
	    "  quire doctor\n"
	    "  quire doctor -- ./app\n"
	    "  quire doctor --json | jq '.rows[] | select(.status != "
	    "\"ok\")'\n",
	    doctor_main, NULL, NULL },
	{ "demo", "[OPTION]...",
	    "Run a real program plain and with half its memory, and draw both.",
	    "  quire demo\n"
	    "  quire demo --width=120\n"
	    "  quire demo --color=never | tee demo.txt\n",
	    demo_main, NULL, NULL },
	{ "last", "[OPTION]...", "Show the summary of the latest run again.",
	    "  quire last\n"
	    "  quire last | head -3\n"
	    "  XDG_STATE_HOME=/srv/state quire last\n",
	    last_main, NULL, NULL },
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
	    "shown all the same.",
	    NULL },
	{ "top", "[OPTION]...", "Show the machine and its processes live.",
	    "  quire top\n"
	    "  quire top -w5 -f 'user=www'\n"
	    "  quire top | head -20               once, into a pipe\n",
	    top_main,
	    "Shows the machine's memory, the limit of the control group, and "
	    "the processes by their pss, with its growth and trend. Enter "
	    "goes to the mappings of a process, to each of them, and to "
	    "their pages; g groups the processes, f filters, s sorts; m marks "
	    "a moment and d shows what has changed since; ? lists the keys.\n"
	    "Looking costs: a process whose rss, vss and swap have not moved "
	    "is looked into every 6 to 13 seconds only, as the column age "
	    "tells, and the first line says what share of a CPU top itself "
	    "takes. Into a pipe it writes the table once.",
	    NULL },
	{ "map", "[OPTION]... PID|NAME...",
	    "Show what a process maps, by kind, by name or by address.",
	    "  quire map 4121\n"
	    "  quire map 4121 --by address -s rss -n 20\n"
	    "  quire map postgres --pages         which pages are in RAM\n",
	    map_main,
	    "Sums the mappings of a process up by what they are for: heap, "
	    "anonymous memory, stacks, data and code of programs and "
	    "libraries, files, shared memory, addresses that are only "
	    "reserved, and what the kernel maps. --by address shows each; "
	    "--like has the columns of pmap's modes and of smem.\n"
	    "What the rows do not add up to is said below: the kernel rounds "
	    "each mapping's pss down, and lists a page in every process that "
	    "belongs to none.\n"
	    "--pages draws each mapping: a braille cell has eight dots, each "
	    "for an equal part of its pages, set where most of them are in "
	    "RAM; a shaded cell is out in swap. Columns of pagemap count them "
	    "by what the kernel knows of them. Of several processes --by "
	    "address shows each, the others the sums. --symbols lists what "
	    ".data, "
	    ".bss and .rodata are made of, the largest first.",
	    NULL },
	{ "status", "[OPTION]... PID|NAME",
	    "Show what the kernel tells of a process's memory, and explain it.",
	    "  quire status 4121\n"
	    "  quire status -a 4121               every line\n"
	    "  quire status nginx --json\n",
	    status_main,
	    "Shows the lines of the process's status that are about memory, "
	    "those too that this version does not know, with their "
	    "meanings.",
	    NULL },
	{ "limits", "[OPTION]... [PID|NAME]",
	    "Show what limits memory, and who is killed first without any.",
	    "  quire limits\n"
	    "  quire limits 4121\n"
	    "  quire limits 4121 -f 'share>80'\n",
	    limits_main,
	    "Shows overcommit, RAM, swap and the control group's limit, and "
	    "for a process its resource limits beside what it uses. Below "
	    "stand the processes that the kernel would kill first where "
	    "memory is out.",
	    NULL },
	{ "shm", "[OPTION]...",
	    "Show memory that is shared on purpose, and who maps it.",
	    "  quire shm\n"
	    "  quire shm -f 'attached=0'          left behind\n"
	    "  quire shm --json\n",
	    shm_main,
	    "Shows segments of System V, files in /dev/shm, memfds, and "
	    "anonymous memory that is shared by fork.",
	    NULL },
	{ "time", "[OPTION]... [--] COMMAND [ARGUMENT]...",
	    "Run a command, and say what it took of memory and time.",
	    "  quire time -- make\n"
	    "  quire time --json -- ./app 2>result.json\n"
	    "  quire time --fail-if 'max_rss>1G' -- ./test\n",
	    time_main,
	    "Runs the command and prints, on the standard error, how long it "
	    "took, the largest rss of one of its processes, the most "
	    "anonymous memory that all of them had at once, page faults, and "
	    "bytes read and written. The exit code is the command's, or 128 "
	    "and the number of the signal that killed it.",
	    NULL },
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
	    "shows them side by side, --like=free has free's own columns, and "
	    "--like=smem smem's areas of the whole system. What is not a "
	    "screen is a table with a row for each of limit, ram and swap.",
	    NULL },
	{ "meminfo", "[OPTION]...",
	    "Show every field of the kernel's meminfo with its meaning.",
	    "  quire meminfo\n"
	    "  quire meminfo -f 'field~Huge'\n"
	    "  quire meminfo -s size -n 10 -S yesterday.tar.zst\n",
	    meminfo_main,
	    "Shows all fields, those too that this version does not know. "
	    "What of RAM no field tells of is said below.",
	    NULL },
	{ "vmstat", "[OPTION]... [PID|NAME]",
	    "Show what memory management does, a second.",
	    "  quire vmstat 1 5                   a line a second, five\n"
	    "  quire vmstat --paging -w5 -c12     sar -B's columns\n"
	    "  quire vmstat --counters -w -s per_s -n 20\n",
	    vmstat_main,
	    "The first line is the average since boot, the others are since "
	    "the line before. thrash_s is the time in which all tasks waited "
	    "for memory, in milliseconds a second; refault_s are pages that "
	    "came back soon after they were reclaimed.\n"
	    "For a program in a budget it shows Quire's own counters. "
	    "--counters shows every counter that the kernel has and what it "
	    "means, --paging the columns of sar -B, --classic those of "
	    "procps's vmstat, --pressure how long tasks waited.",
	    NULL },
	{ "swap", "[OPTION]...",
	    "Show where pages go that leave RAM, and how they compress.",
	    "  quire swap\n"
	    "  quire swap --json\n"
	    "  quire ps -s swap -n 10             whose pages they are\n",
	    swap_main,
	    "Shows swap devices, zram and zswap: how many bytes of pages were "
	    "stored, what they take compressed, the ratio, and the RAM that "
	    "the device needs for it all.",
	    NULL },
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
	    "is, is said below.",
	    NULL },
	{ "buddy", "[OPTION]...", "Show free RAM by the size of its blocks.",
	    "  quire buddy\n"
	    "  quire buddy --types                for each migrate type\n"
	    "  quire buddy --fail-if 'zone=Normal and unusable>95'\n",
	    buddy_main,
	    "Shows how many free blocks of each order every zone has, what "
	    "they sum up to, and how much of it lies in blocks too small for "
	    "a huge page.",
	    NULL },
	{ "zones", "[OPTION]...",
	    "Show free RAM of each zone among its watermarks.",
	    "  quire zones\n"
	    "  quire zones -w\n"
	    "  quire zones --fail-if 'standing!=ok'\n",
	    zones_main,
	    "Below low kswapd reclaims until high is reached; below min "
	    "programs that want memory must reclaim themselves.",
	    NULL },
	{ "slab", "[OPTION]...",
	    "Show the kernel's object caches, and how fast they grow.",
	    "  quire slab -n 10\n"
	    "  quire slab --over=60 -s per_min -n 10\n"
	    "  quire slab -w -n 20                like slabtop\n",
	    slab_main,
	    "Shows the caches by the RAM they take. A cache that grows "
	    "without end is a leak of the kernel or of a driver. It takes "
	    "root to read it.",
	    NULL },
	{ "vmalloc", "[OPTION]...",
	    "Show what the kernel maps for itself, by who asked for it.",
	    "  quire vmalloc -n 10\n"
	    "  quire vmalloc -f 'kind=vmalloc'\n"
	    "  quire vmalloc --json\n",
	    vmalloc_main,
	    "Sums up vmallocinfo by the kernel's functions, or shows each "
	    "range. ram is pages of "
	    "RAM; addresses of devices have none. It takes root to read "
	    "it.",
	    NULL },
	{ "numa", "[OPTION]... [PID|NAME]", "Show RAM by NUMA node.",
	    "  quire numa\n"
	    "  quire numa 4121                    its mappings by node\n"
	    "  quire numa --fail-if 'free<200M'\n",
	    numa_main,
	    "Shows each node's memory, and how often pages came from "
	    "another node than was wanted. What the nodes lack of the "
	    "machine's total is said below. Of a process it shows the "
	    "mappings, their policies, and on which nodes their pages are; "
	    "sums by node are said below.",
	    NULL },
	{ "cgroups", "[OPTION]... [GROUP|PID|NAME]",
	    "Show the control groups, and what they have of memory.",
	    "  quire cgroups\n"
	    "  quire cgroups /system.slice        all that is told of it\n"
	    "  quire cgroups --fail-if 'oom_kills>0 or share>90'\n",
	    cgroups_main,
	    "Shows all groups with what they use, their limits, and how often "
	    "they ran into them; of version 1 where it counts memory, else of "
	    "version 2. A group's numbers hold those of the groups below it. "
	    "Of one group, or a process's, it shows every file and key that "
	    "the kernel has, those too that this version does not know.",
	    NULL },
	{ "huge", "[OPTION]...", "Show huge pages by their size.",
	    "  quire huge\n"
	    "  quire huge -f 'kind=thp and fallback>0'\n"
	    "  quire huge --json                  with every counter\n",
	    huge_main,
	    "Shows the pools of hugetlbfs, and for each size of transparent "
	    "huge pages where they are given, how many there are, and how "
	    "often a page fault got one or had to do with less.",
	    NULL },
	{ "settings", "[OPTION]...",
	    "Show what memory management is set to, and what that means.",
	    "  quire settings\n"
	    "  quire settings -f 'setting~swap'\n"
	    "  quire settings --csv >before.csv\n",
	    settings_main,
	    "Shows every file in the folders where the kernel's memory "
	    "management is set: sysctls, huge pages, merging of equal pages, "
	    "zswap, reclaim. Nothing is changed.",
	    NULL },
	{ "pages", "[OPTION]...", "Draw all of RAM, page frame by page frame.",
	    "  quire pages\n"
	    "  quire pages --json                 sums alone\n"
	    "  quire pages --by cgroup            whose they are\n",
	    pages_main,
	    "Draws what page frames are used for, and sums them up; or, with "
	    "--by cgroup, sums up who is charged for them. A character stands "
	    "for as many frames as it must. It takes root.",
	    NULL },
	{ "capture", "[OPTION]... [FILE]",
	    "Keep all that the views show, as a file that they read with -S.",
	    "  quire capture now.tar.zst\n"
	    "  quire ps -t -S now.tar.zst\n"
	    "  ssh host quire capture --zstd - | quire map 1 -S -\n",
	    capture_main,
	    "Writes a tar file: what smemcap keeps, in its order, so that "
	    "smem can read it, then the other files of each process and the "
	    "machine's. Captures of smemcap and of busybox, directories that "
	    "have a proc/ in them, and all of these in zstd, are read by "
	    "every view, too.\n"
	    "With --anonymise users become numbers, command lines lose "
	    "their arguments, control groups are left out, and paths but for "
	    "the system's become hashes; names of processes stay.",
	    NULL },
	{ "record", "[OPTION]... DIR",
	    "Take a capture every so often, within a size on disk.",
	    "  quire record /var/tmp/memory --every=60 --size-max=200M\n"
	    "  quire ps -S /var/tmp/memory/20261130T101500.000Z.tar.zst\n"
	    "  quire vmstat -w5 --csv >counters.csv     rates alone\n",
	    record_main,
	    "Writes captures into a folder, named by their time, and drops "
	    "the oldest when all of them pass the size. It goes on until it "
	    "is interrupted.",
	    NULL },
	{ "diff", "[OPTION]... A B",
	    "Show what changed between two captures, or a capture and now.",
	    "  quire diff monday.tar.zst live\n"
	    "  quire diff a.tar.zst b.tar.zst --of slab\n"
	    "  quire diff a.tar b.tar --fail-if 'change>100M'\n",
	    diff_main,
	    "Compares one number of each row: pss of programs, processes, "
	    "users or mappings, the fields of meminfo, RAM of slab caches or "
	    "vmalloc callers, shared memory. A capture is named as for -S; "
	    "live is this machine now. The largest change is on top.",
	    NULL },
	{ "watch", "[-n SECONDS] VIEW [OPTION]...",
	    "Show a view again and again.",
	    "  quire watch free\n"
	    "  quire watch -n 5 ps -t -n 20\n"
	    "  quire watch vmstat --paging\n",
	    NULL,
	    "Is the view with --watch: every 2 seconds, if -n does not say "
	    "else.",
	    alias_watch },
	{ "smem", "[LETTER]...", "Answer to smem's letters.",
	    "  quire smem -t -k\n"
	    "  quire smem -w -R 16G\n"
	    "  quire smem -S capture.tar -c 'pid name pss'\n",
	    NULL,
	    "Takes -m, -u, -w, -P, -M, -U, -c, -s, -r, -t, -H, -n, -a, -k, -p, "
	    "-R, -K and -S as smem has them, short or long, and is quire ps "
	    "or, "
	    "for -w, quire free --like=smem. --bar and --pie draw bars in the "
	    "terminal. Sizes have units always, unless -b says else; the "
	    "largest row is on top unless -s asks for another order. Other "
	    "long options are those of the view.",
	    alias_smem },
	{ "pmap", "[LETTER]... PID...", "Answer to pmap's letters.",
	    "  quire pmap -x 4121\n"
	    "  quire pmap -XX 4121\n"
	    "  quire pmap -A 7f00000000,7fffffffff 4121\n",
	    NULL,
	    "Takes -x, -d, -X, -XX, -p, -q, -A, -c, -C, -n and -N as pmap has "
	    "them, short or long, and any number of processes, and is quire "
	    "map with --like. Files of -c and -C may name every key that the "
	    "kernel has, and -n writes one that does. Other long options are "
	    "those of the view.",
	    alias_pmap },
	{ "procrank", "[LETTER]...", "Answer to procrank's letters.",
	    "  quire procrank\n"
	    "  quire procrank -u\n"
	    "  quire procrank -R -v\n",
	    NULL,
	    "Takes -v, -r, -p, -u, -s and -R as procrank has them, and is "
	    "quire ps with its columns. Long options are those of the "
	    "view.",
	    alias_procrank },
	{ "help", "[COMMAND|options]",
	    "Show the commands, or the manual of one.",
	    "  quire help\n"
	    "  quire help run\n"
	    "  quire help options                 the option table, with "
	    "tabs\n",
	    help_main, NULL, NULL },
	{ "version", "[OPTION]...", "Say which Quire this is.",
	    "  quire version\n"
	    "  quire version --json\n"
	    "  quire --version\n",
	    version_main, NULL, NULL },
	{ "completion", "bash|zsh|fish",
	    "Print the completion of all this for a shell.",
	    "  source <(quire completion bash)\n"
	    "  quire completion zsh > ~/.zfunc/_quire\n"
	    "  quire completion fish > ~/.config/fish/completions/quire.fish\n",
	    completion_main, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL, NULL },
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
