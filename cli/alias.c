/* SPDX-License-Identifier: MIT */
/*
 * alias.c: `quire smem`, `pmap`, `procrank` and `watch`: the letters that
 * people's fingers know, put into the words of the views. Words that these
 * tools do not have, --json and the like, are passed on.
 */
#include "alias.h"

#include <stdio.h>
#include <string.h>

/* A letter of a tool. */
struct letter {
	char letter;
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

/* One letter at at[0]; its value, if it has one, is what follows it or the next
 * argument. False: problem. */
static bool
take_letter(const struct tool *tool, const struct letter *letter,
    const char *at, char ***next, struct alias *alias)
{
	const char *value = "";

	if (letter->has_value && at[1] != '\0')
		value = at + 1;
	else if (letter->has_value)
		value = **next;
	if (value == NULL)
		return false;
	*next += letter->has_value && at[1] == '\0';
	if (tool->take != NULL && tool->take(alias, *at, value, tool->ctx))
		return true;
	if (letter->word != NULL)
		add(alias, letter->word, value);
	return true;
}

/* "-xk", "-s pss", "-spss". *next is the argument after it. False: problem. */
static bool
take_letters(const struct tool *tool, const char *argument, char ***next,
    struct alias *alias, struct problem *problem)
{
	for (const char *at = argument + 1; *at != '\0'; at++) {
		const struct letter *letter = find_letter(tool->letters, *at);
		if (letter == NULL) {
			problem_what(problem, EXIT_USAGE,
			    "%s: -%c has no meaning here", tool->name, *at);
			problem_advise(problem, "quire %s --help", tool->name);
			return false;
		}
		if (!take_letter(tool, letter, at, next, alias)) {
			problem_what(problem, EXIT_USAGE,
			    "%s: -%c: value missing", tool->name, *at);
			return false;
		}
		if (letter->has_value)
			return true;
	}
	return true;
}

static bool
translate(const struct tool *tool, char **arguments, struct alias *alias,
    struct problem *problem)
{
	while (*arguments != NULL) {
		char *argument = *arguments++;
		if (argument[0] != '-' || argument[1] == '\0' ||
		    argument[1] == '-')
			pass(alias, argument);
		else if (!take_letters(tool, argument, &arguments, alias,
			     problem))
			return false;
	}
	return true;
}

/* --- smem --- */

static const struct letter smem_letters[] = {
	{ 'm', false, "--by=map" },
	{ 'u', false, "--by=user" },
	{ 'w', false, NULL },
	{ 'P', true, "--process=%s" },
	{ 'M', true, "--mapping=%s" },
	{ 'U', true, "--user=%s" },
	{ 'c', true, NULL },
	{ 's', true, NULL },
	{ 'r', false, NULL },
	{ 't', false, "--totals" },
	{ 'H', false, "--no-header" },
	{ 'n', false, "--numeric" },
	{ 'a', false, NULL },
	{ 'k', false, NULL },
	{ 'p', false, "--percent" },
	{ 'R', true, "--ram=%s" },
	{ 'K', true, NULL },
	{ 'S', true, "--source=%s" },
	{ '\0', false, NULL },
};

struct smem {
	const char *sort;
	bool reversed;
	bool is_system;
	bool has_columns;
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

	if (letter == 'c') {
		add_columns(alias, value);
		smem->has_columns = true;
	} else if (letter == 's') {
		smem->sort = value;
	} else if (letter == 'r') {
		smem->reversed = true;
	} else if (letter == 'w') {
		smem->is_system = true;
	} else {
		return false;
	}
	return true;
}

bool
alias_smem(char **arguments, struct alias *alias, struct problem *problem)
{
	struct smem smem = { .sort = NULL };
	const struct tool tool = { "smem", smem_letters, take_smem, &smem };

	for (char **word = arguments; *word != NULL; word++)
		if (strncmp(*word, "--pie", 5) == 0 ||
		    strncmp(*word, "--bar", 5) == 0) {
			problem_what(problem, EXIT_USAGE,
			    "smem: %s: no windows are opened here", *word);
			problem_advise(problem, "quire free, quire map PID");
			return false;
		}
	if (!translate(&tool, arguments, alias, problem))
		return false;
	alias->command = smem.is_system ? "free" : "ps";
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
	{ 'x', false, NULL },
	{ 'd', false, NULL },
	{ 'X', false, NULL },
	{ 'p', false, NULL },
	{ 'q', false, "--no-header" },
	{ 'A', true, NULL },
	{ 'S', true, "--source=%s" },
	{ '\0', false, NULL },
};

struct pmap {
	unsigned extended; /* how many X */
	char mode;         /* x, d, or 0 */
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

	if (letter == 'X')
		pmap->extended++;
	else if (letter == 'x' || letter == 'd')
		pmap->mode = letter;
	else if (letter == 'A')
		add_range(alias, value);
	else
		return false;
	return true;
}

bool
alias_pmap(char **arguments, struct alias *alias, struct problem *problem)
{
	struct pmap pmap = { .mode = '\0' };
	const struct tool tool = { "pmap", pmap_letters, take_pmap, &pmap };

	alias->command = "map";
	if (!translate(&tool, arguments, alias, problem))
		return false;
	add(alias, "--like=%s",
	    pmap.extended > 1   ? "pmap-XX"
	    : pmap.extended > 0 ? "pmap-X"
	    : pmap.mode == 'x'  ? "pmap-x"
	    : pmap.mode == 'd'  ? "pmap-d"
				: "pmap");
	return true;
}

/* --- procrank --- */

static const struct letter procrank_letters[] = {
	{ 'v', false, NULL },
	{ 'r', false, NULL },
	{ 'p', false, NULL },
	{ 'u', false, NULL },
	{ 's', false, NULL },
	{ 'R', false, NULL },
	{ 'S', true, "--source=%s" },
	{ '\0', false, NULL },
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
