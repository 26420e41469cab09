/* SPDX-License-Identifier: MIT */
/*
 * manual.c: `quire help manual NAME`: a manual page in mdoc, from the table of
 * commands, the table of options and the registry of columns. The pages in
 * man/ that are made in this way are compared with it by a test.
 */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "see/view.h"

#define LINE_MAX_COLUMNS 76u

static void
lower(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
}

static void
upper(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'a' && *text <= 'z')
			*text = (char)(*text - 'a' + 'A');
}

/* Text in lines, none of which begins with a sign that mdoc would obey. */
static void
put_text(const char *text)
{
	unsigned column = 0;

	while (*text != '\0') {
		size_t length = strcspn(text, " \n");
		bool bound = *text == '.' || *text == '\'';
		if (column > 0 && !bound &&
		    column + 1 + length > LINE_MAX_COLUMNS) {
			putchar('\n');
			column = 0;
		} else if (column > 0) {
			putchar(' ');
			column++;
		} else if (bound) {
			fputs("\\&", stdout);
		}
		for (size_t i = 0; i < length; i++)
			if (text[i] == '\\')
				fputs("\\e", stdout);
			else
				putchar(text[i]);
		column += (unsigned)length;
		text += length;
		/* A sentence ends its line. */
		if (length > 0 && text[-1] == '.' && *text == ' ' &&
		    text[1] != '\'' && text[1] != '.') {
			putchar('\n');
			column = 0;
		}
		text += strspn(text, " \n");
	}
	putchar('\n');
}

/* A word of a usage without its brackets and dots, in lower case, with blanks
 * round its bars. */
static void
plain_word(const char *usage, size_t length, char *word, size_t capacity)
{
	size_t kept = 0;

	for (size_t i = 0; i < length && kept + 4 < capacity; i++) {
		char c = usage[i];
		if (c == '|') {
			memcpy(word + kept, " | ", 3);
			kept += 3;
		} else if (c != '[' && c != ']' && c != '.') {
			word[kept++] = c;
		}
	}
	word[kept] = '\0';
	lower(word);
}

/* "[OPTION]... [PID|NAME]...": a macro each. */
static void
put_usage(const char *usage)
{
	while (*usage != '\0') {
		size_t length = strcspn(usage, " ");
		char word[64];
		bool many =
		    length > 3 && strncmp(usage + length - 3, "...", 3) == 0;
		plain_word(usage, length, word, sizeof(word));
		if (strcmp(word, "--") == 0)
			printf(".Fl Fl\n");
		else
			printf(".%sAr %s%s\n", usage[0] == '[' ? "Op " : "",
			    word, many ? " ..." : "");
		usage += length;
		usage += strspn(usage, " ");
	}
}

static void
put_option(const struct option_info *info)
{
	printf(".It ");
	if (info->letter != 0)
		printf("Fl %c , ", info->letter);
	printf("Fl Fl %s", info->name);
	if (info->kind == OPTION_KIND_PERIOD)
		printf(" Ns Op = Ns Ar seconds");
	else if (info->kind == OPTION_KIND_CHOICE)
		printf(" Ns = Ns Ar word");
	else if (info->kind != OPTION_KIND_FLAG)
		printf(" Ns = Ns Ar %s", info->operand);
	putchar('\n');
	put_text(info->help);
	if (info->kind == OPTION_KIND_CHOICE) {
		printf("The words are: ");
		for (const char *c = info->operand; *c != '\0'; c++)
			if (*c == '|')
				fputs(", ", stdout);
			else
				putchar(*c);
		printf(".\n");
	}
	if (info->preset[0] != '\0')
		printf("Without a value: %s.\n", info->preset);
}

/* Whether the table has any option of the command's own. */
static bool
has_options(const char *name)
{
	for (int i = 0; i < OPTION_COUNT; i++)
		if (option_infos[i].command[0] != '\0' &&
		    option_applies((enum option_id)i, name))
			return true;
	return false;
}

static void
put_options(const char *name)
{
	if (!has_options(name))
		return;
	printf(".Pp\nThe options are:\n.Bl -tag -width Ds\n");
	for (int i = 0; i < OPTION_COUNT; i++) {
		enum option_id id = (enum option_id)i;
		if (option_infos[i].command[0] != '\0' &&
		    option_applies(id, name))
			put_option(&option_infos[i]);
	}
	printf(".El\n.Pp\nThe options\n.Fl Fl color ,\n.Fl Fl width\n"
	       "and\n.Fl Fl help\nare those of\n.Xr quire 1 .\n");
}

/* Whether a view before this one of the command has the column. */
static bool
was_shown(const struct view *const *until, const char *command,
    enum column_id id)
{
	for (const struct view *const *view = views; view < until; view++) {
		if (strcmp((*view)->command, command) != 0)
			continue;
		for (const enum column_id *own = (*view)->columns;
		     *own != COLUMN_NONE; own++)
			if (*own == id)
				return true;
	}
	return false;
}

static void
put_columns(const char *name)
{
	bool any = false;

	for (const struct view *const *view = views; *view != NULL; view++) {
		if (strcmp((*view)->command, name) != 0)
			continue;
		if (!any)
			printf(".Sh COLUMNS\n.Bl -tag -width Ds\n");
		any = true;
		for (const enum column_id *id = (*view)->columns;
		     *id != COLUMN_NONE; id++) {
			const struct column *column = &columns[*id];
			if (was_shown(view, name, *id))
				continue;
			printf(".It Cm %s Pq %s%s%s\n", column->name,
			    column_unit(column),
			    column->source[0] != '\0' ? ", " : "",
			    column->source);
			put_text(column->meaning);
		}
	}
	if (any)
		printf(".El\n");
}

static void
put_exit_status(bool is_view)
{
	printf(".Sh EXIT STATUS\n.Bl -tag -width \"10\"\n"
	       ".It 0\nDone.\n"
	       ".It 1\nIt could not be done, or the output not be written.\n"
	       ".It 2\nThe command line makes no sense.\n");
	if (is_view)
		printf(".It 3\nNothing matched.\n"
		       ".It 4\nSomething could not be read, with\n"
		       ".Fl Fl strict .\n"
		       ".It 10\nThe condition of\n.Fl Fl fail-if\nheld.\n");
	printf(".El\n");
}

static void
put_examples(const char *examples)
{
	printf(".Sh EXAMPLES\n");
	while (*examples != '\0') {
		size_t length = strcspn(examples, "\n");
		printf(".Dl $");
		for (size_t i = 1; i < length; i++)
			if (examples[i] == '\\')
				fputs("\\e", stdout);
			else
				putchar(examples[i]);
		putchar('\n');
		examples += length;
		examples += *examples == '\n';
	}
}

bool
manual_print(const char *name)
{
	const struct command *command = command_find(name);
	char title[COMMAND_NAME_MAX];
	char sentence[160];
	bool is_view = false;

	if (command == NULL || command->details == NULL)
		return false;
	snprintf(title, sizeof(title), "%s", name);
	upper(title);
	/* Without its first capital and its full stop. */
	snprintf(sentence, sizeof(sentence), "%c%.*s",
	    command->summary[0] - 'A' + 'a', (int)strlen(command->summary) - 2,
	    command->summary + 1);
	for (const struct view *const *view = views; *view != NULL; view++)
		is_view = is_view || strcmp((*view)->command, name) == 0;
	printf(".\\\" SPDX-License-Identifier: MIT\n"
	       ".\\\" Made by: quire help manual %s\n"
	       ".Dd November 30, 2026\n.Dt QUIRE-%s 1\n.Os\n.Sh NAME\n"
	       ".Nm quire-%s\n.Nd %s\n.Sh SYNOPSIS\n.Nm quire %s\n",
	    name, title, name, sentence, name);
	put_usage(command->usage);
	printf(".Sh DESCRIPTION\n");
	for (const char *text = command->details; *text != '\0';) {
		char paragraph[2048];
		size_t length = strcspn(text, "\n");
		snprintf(paragraph, sizeof(paragraph), "%.*s", (int)length,
		    text);
		if (text != command->details)
			printf(".Pp\n");
		put_text(paragraph);
		text += length;
		text += *text == '\n';
	}
	put_options(name);
	put_columns(name);
	put_exit_status(is_view);
	put_examples(command->examples);
	printf(".Sh SEE ALSO\n.Xr quire 1\n");
	return true;
}
