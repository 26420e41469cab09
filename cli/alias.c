/* SPDX-License-Identifier: MIT */
/*
 * alias.c: `quire smem`, `pmap`, `procrank` and `watch`: the letters and words
 * that people's fingers know, put into the words of the views. Words that
 * these tools do not have, --json and the like, are passed on.
 */
#include "alias.h"

#include <stdio.h>
#include <string.h>

#include "pmaprc.h"

/* A letter of a tool; or a control character, for words without one. */
struct letter {
	char letter;
	const char *name; /* the long one; NULL: there is none */
	bool has_value;
	const char *word; /* with %s for the value; NULL: it changes nothing */
};

/* What is special about each tool is done by its take, before the table. */
struct tool {
	const char *name;
	const struct letter *letters; /* ends with letter 0 */
	/* True: the letter has been dealt with. */
	bool (*take)(struct alias *alias, char letter, const char *value,
	    void *ctx);
	void *ctx;
};

#define ONLY_BAR '\1'
#define ONLY_PIE '\2'

static void
add(struct alias *alias, const char *format, const char *value)
{
	char *start = alias->text + alias->text_length;
	size_t room = sizeof(alias->text) - alias->text_length;
	const char *hole = strstr(format, "%s");
	int length;

	if (hole != NULL)
		length = snprintf(start, room, "%.*s%s%s", (int)(hole - format),
		    format, value, hole + 2);
	else
		length = snprintf(start, room, "%s", format);
	if (length < 0 || (size_t)length >= room ||
	    alias->count == ALIAS_WORDS_MAX)
		return;
	alias->text_length += (unsigned)length + 1;
	alias->words[alias->count++] = start;
	alias->words[alias->count] = NULL;
}

static void
pass(struct alias *alias, char *word)
{
	if (alias->count == ALIAS_WORDS_MAX)
		return;
	alias->words[alias->count++] = word;
	alias->words[alias->count] = NULL;
}

static const struct letter *
find_letter(const struct letter *letters, char letter)
{
	for (; letters->letter != '\0'; letters++)
		if (letters->letter == letter)
			return letters;
	return NULL;
}

static void
take_letter(const struct tool *tool, const struct letter *letter,
    const char *value, struct alias *alias)
{
	if (tool->take != NULL &&
	    tool->take(alias, letter->letter, value, tool->ctx))
		return;
	if (letter->word != NULL)
		add(alias, letter->word, value);
}

static bool
value_missing(const struct tool *tool, const char *option,
    struct problem *problem)
{
	problem_what(problem, EXIT_USAGE, "%s: %s: value missing", tool->name,
	    option);
	problem_advise(problem, "quire %s --help", tool->name);
	return false;
}

/* "-xk", "-s pss", "-spss". *next is the argument after it. False: problem. */
static bool
take_letters(const struct tool *tool, const char *argument, char ***next,
    struct alias *alias, struct problem *problem)
{
	for (const char *at = argument + 1; *at != '\0'; at++) {
		const struct letter *letter = find_letter(tool->letters, *at);
		const char option[] = { '-', *at, '\0' };
		if (letter == NULL) {
			problem_what(problem, EXIT_USAGE,
			    "%s: %s has no meaning here", tool->name, option);
			problem_advise(problem, "quire %s --help", tool->name);
			return false;
		}
		if (!letter->has_value) {
			take_letter(tool, letter, "", alias);
			continue;
		}
		const char *value = at[1] != '\0' ? at + 1 : *(*next)++;
		if (value == NULL)
			return value_missing(tool, option, problem);
		take_letter(tool, letter, value, alias);
		return true;
	}
	return true;
}

/* "--sort=pss", "--sort pss", "--totals"; what the tool does not have is
 * passed on. False: problem. */
static bool
take_word(const struct tool *tool, char *argument, char ***next,
    struct alias *alias, struct problem *problem)
{
	size_t length = strcspn(argument, "=");
	const struct letter *letter = tool->letters;

	while (letter->letter != '\0' &&
	       (letter->name == NULL || strlen(letter->name) != length - 2 ||
		   strncmp(letter->name, argument + 2, length - 2) != 0))
		letter++;
	if (letter->letter == '\0' ||
	    (!letter->has_value && argument[length] == '=')) {
		pass(alias, argument);
		return true;
	}
	const char *value = "";
	if (letter->has_value)
		value = argument[length] == '=' ? argument + length + 1
						: *(*next)++;
	if (value == NULL)
		return value_missing(tool, argument, problem);
	take_letter(tool, letter, value, alias);
	return true;
}

static bool
translate(const struct tool *tool, char **arguments, struct alias *alias,
    struct problem *problem)
{
	while (*arguments != NULL) {
		char *argument = *arguments++;
		bool good = true;
		if (argument[0] != '-' || argument[1] == '\0')
			pass(alias, argument);
		else if (argument[1] == '-')
			good = take_word(tool, argument, &arguments, alias,
			    problem);
		else
			good = take_letters(tool, argument, &arguments, alias,
			    problem);
		if (!good)
			return false;
	}
	return true;
}

/* --- smem --- */

static const struct letter smem_letters[] = {
	{ 'm', "mappings", false, "--by=map" },
	{ 'u', "users", false, "--by=user" },
	{ 'w', "system", false, NULL },
	{ 'P', "processfilter", true, "--process=%s" },
	{ 'M', "mapfilter", true, "--mapping=%s" },
	{ 'U', "userfilter", true, "--user=%s" },
	{ 'c', "columns", true, NULL },
	{ 's', "sort", true, NULL },
	{ 'r', "reverse", false, NULL },
	{ 't', "totals", false, "--totals" },
	{ 'H', "no-header", false, "--no-header" },
	{ 'n', "numeric", false, NULL },
	{ 'a', "autosize", false, NULL },
	{ 'k', "abbreviate", false, NULL },
	{ 'p', "percent", false, "--percent" },
	{ 'R', "realmem", true, "--ram=%s" },
	{ 'K', "kernel", true, NULL },
	{ 'S', "source", true, "--source=%s" },
	{ 'b', NULL, false, "--bytes" },
	{ ONLY_BAR, "bar", true, NULL },
	{ ONLY_PIE, "pie", true, NULL },
	{ '\0', NULL, false, NULL },
};

struct smem {
	const char *sort;
	const char *kernel;
	const char *columns;
	bool reversed;
	bool is_system;
	bool is_numeric;
};

/* smem's names of columns in ours, commas between. */
static void
add_columns(struct alias *alias, const char *list)
{
	static const char *const names[][2] = { { "name", "comm" },
		{ "count", "n" } };
	char ours[256] = "";

	while (*list != '\0') {
		char name[32];
		size_t length = strcspn(list, " ,");
		(void)snprintf(name, sizeof(name), "%.*s", (int)length, list);
		for (size_t i = 0; i < 2; i++)
			if (strcmp(name, names[i][0]) == 0)
				strcpy(name, names[i][1]);
		size_t end = strlen(ours);
		if (name[0] != '\0')
			(void)snprintf(ours + end, sizeof(ours) - end, "%s%s",
			    end > 0 ? "," : "", name);
		list += length;
		list += strspn(list, " ,");
	}
	add(alias, "--columns=%s", ours);
}

static bool
take_smem(struct alias *alias, char letter, const char *value, void *ctx)
{
	struct smem *smem = ctx;

	switch (letter) {
	case 'c':
		smem->columns = value;
		return true;
	case 's':
		smem->sort = value;
		return true;
	case 'r':
		smem->reversed = true;
		return true;
	case 'w':
		smem->is_system = true;
		return true;
	case 'n':
		smem->is_numeric = true;
		return true;
	case 'K':
		smem->kernel = value;
		return true;
	case ONLY_BAR:
	case ONLY_PIE:
		add(alias, "--plot=bars", "");
		smem->sort = value;
		smem->reversed = true;
		return true;
	default:
		return false;
	}
}

bool
alias_smem(char **arguments, struct alias *alias, struct problem *problem)
{
	struct smem smem = { .sort = NULL };
	const struct tool tool = { "smem", smem_letters, take_smem, &smem };

	if (!translate(&tool, arguments, alias, problem))
		return false;
	alias->command = smem.is_system ? "free" : "ps";
	if (smem.is_system)
		add(alias, "--like=smem", "");
	if (smem.is_system && smem.kernel != NULL)
		add(alias, "--kernel=%s", smem.kernel);
	if (!smem.is_system && smem.is_numeric)
		add(alias, "--numeric", "");
	if (smem.columns != NULL)
		add_columns(alias, smem.columns);
	/* smem's -s has the largest last, and -r turns that round; without
	 * either the largest is first, as in ps. */
	if (smem.sort != NULL && smem.reversed)
		add(alias, "--sort=%s", smem.sort);
	else if (smem.sort != NULL)
		add(alias, "--sort=-%s", smem.sort);
	return true;
}

/* --- pmap --- */

static const struct letter pmap_letters[] = {
	{ 'x', "extended", false, NULL },
	{ 'd', "device", false, NULL },
	{ 'X', NULL, false, NULL },
	{ 'p', "show-path", false, NULL },
	{ 'q', "quiet", false, "--quiet" },
	{ 'A', "range", true, NULL },
	{ 'c', "read-rc", false, NULL },
	{ 'C', "read-rc-from", true, NULL },
	{ 'n', "create-rc", false, NULL },
	{ 'N', "create-rc-to", true, NULL },
	{ 'S', "source", true, "--source=%s" },
	{ 'b', NULL, false, "--bytes" },
	{ '\0', NULL, false, NULL },
};

struct pmap {
	unsigned extended; /* how many X */
	char mode;         /* x, d, or 0 */
	bool reads;        /* an rc file */
	bool writes;
	const char *file; /* NULL: the default */
};

/* "low,high", hexadecimal, either of which may be missing. */
static void
add_range(struct alias *alias, const char *range)
{
	char condition[160];
	const char *comma = strchr(range, ',');
	const char *high = comma != NULL ? comma + 1 : range;
	size_t length = comma != NULL ? (size_t)(comma - range) : strlen(range);
	const char *prefix = strncmp(range, "0x", 2) == 0 ? "" : "0x";

	(void)snprintf(condition, sizeof(condition), "address>=%s%.*s",
	    length > 0 ? prefix : "0x0", (int)(length < 40 ? length : 40),
	    range);
	if (comma == NULL)
		(void)snprintf(condition, sizeof(condition), "address=%s%.40s",
		    prefix, range);
	else if (*high != '\0')
		(void)snprintf(condition + strlen(condition),
		    sizeof(condition) - strlen(condition),
		    " and address<=%s%.40s",
		    strncmp(high, "0x", 2) == 0 ? "" : "0x", high);
	add(alias, "--filter=%s", condition);
}

static bool
take_pmap(struct alias *alias, char letter, const char *value, void *ctx)
{
	struct pmap *pmap = ctx;

	switch (letter) {
	case 'X':
		pmap->extended++;
		return true;
	case 'x':
	case 'd':
		pmap->mode = letter;
		return true;
	case 'A':
		add_range(alias, value);
		return true;
	case 'q':
		add(alias, "--no-header", "");
		return false;
	case 'c':
	case 'C':
	case 'n':
	case 'N':
		pmap->reads = pmap->reads || letter == 'c' || letter == 'C';
		pmap->writes = pmap->writes || letter == 'n' || letter == 'N';
		if (*value != '\0')
			pmap->file = value;
		return true;
	default:
		return false;
	}
}

bool
alias_pmap(char **arguments, struct alias *alias, struct problem *problem)
{
	struct pmap pmap = { .mode = '\0' };
	const struct tool tool = { "pmap", pmap_letters, take_pmap, &pmap };
	char list[PMAPRC_LIST_MAX];

	alias->command = "map";
	if (!translate(&tool, arguments, alias, problem))
		return false;
	if (pmap.writes) {
		alias->command = NULL;
		return pmaprc_write(pmap.file, problem);
	}
	add(alias, "--like=%s",
	    pmap.extended > 1   ? "pmap-XX"
	    : pmap.extended > 0 ? "pmap-X"
	    : pmap.mode == 'x'  ? "pmap-x"
	    : pmap.mode == 'd'  ? "pmap-d"
				: "pmap");
	if (!pmap.reads)
		return true;
	if (!pmaprc_read(pmap.file, list, problem))
		return false;
	add(alias, "--columns=%s", list);
	return true;
}

/* --- procrank --- */

static const struct letter procrank_letters[] = {
	{ 'v', NULL, false, NULL },
	{ 'r', NULL, false, NULL },
	{ 'p', NULL, false, NULL },
	{ 'u', NULL, false, NULL },
	{ 's', NULL, false, NULL },
	{ 'R', NULL, false, NULL },
	{ 'S', NULL, true, "--source=%s" },
	{ 'b', NULL, false, "--bytes" },
	{ '\0', NULL, false, NULL },
};

struct procrank {
	const char *sort;
	bool reversed;
};

static bool
take_procrank(struct alias *alias, char letter, const char *value, void *ctx)
{
	struct procrank *procrank = ctx;

	(void)alias;
	(void)value;
	if (letter == 'S')
		return false;
	if (letter == 'R')
		procrank->reversed = true;
	else
		procrank->sort = letter == 'v'   ? "vss"
				 : letter == 'r' ? "rss"
				 : letter == 'u' ? "uss"
				 : letter == 's' ? "swap"
						 : "pss";
	return true;
}

bool
alias_procrank(char **arguments, struct alias *alias, struct problem *problem)
{
	struct procrank procrank = { .sort = "pss" };
	const struct tool tool = { "procrank", procrank_letters, take_procrank,
		&procrank };

	alias->command = "ps";
	add(alias, "--totals", "");
	add(alias, "--columns=pid,vss,rss,pss,uss,swap,command", "");
	if (!translate(&tool, arguments, alias, problem))
		return false;
	add(alias, procrank.reversed ? "--sort=-%s" : "--sort=%s",
	    procrank.sort);
	return true;
}

/* --- watch --- */

bool
alias_watch(char **arguments, struct alias *alias, struct problem *problem)
{
	const char *seconds = "2";

	if (arguments[0] != NULL && strncmp(arguments[0], "-n", 2) == 0) {
		bool attached = arguments[0][2] != '\0';
		seconds = attached ? arguments[0] + 2 : arguments[1];
		arguments += attached || seconds == NULL ? 1 : 2;
	}
	if (arguments[0] == NULL || arguments[0][0] == '-' || seconds == NULL) {
		problem_what(problem, EXIT_USAGE, "watch: a view is wanted");
		problem_advise(problem, "quire watch -n 5 ps -t");
		return false;
	}
	alias->command = arguments[0];
	add(alias, "--watch=%s", seconds);
	for (arguments++; *arguments != NULL; arguments++)
		pass(alias, *arguments);
	return true;
}
