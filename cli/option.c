/* SPDX-License-Identifier: MIT */
/*
 * option.c: reads a command's options by the table. Keeps [cli.1] and
 * [cli.3]: an option that is not there is answered with the nearest one that
 * is, a bad value with the values that are good.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nearest.h"
#include "option.h"
#include "size.h"
#include "term.h"

const struct option_info option_infos[OPTION_COUNT] = {
#define OPTION_ROW(id, command, name, letter, kind, operand, preset, help)     \
	{ command, name, letter, OPTION_KIND_##kind, operand, preset, help },
	OPTION_TABLE(OPTION_ROW)
#undef OPTION_ROW
};

/* A parse that goes on. */
struct parse {
	const char *command;
	enum exit_code usage_code;
	char **next; /* the argument after the current one */
	struct options *options;
	struct problem *problem;
};

bool
option_applies(enum option_id id, const char *command)
{
	const char *list = option_infos[id].command;
	char owner[COMMAND_NAME_MAX];

	if (list[0] == '\0')
		return true;
	while (option_next_command(&list, owner))
		if (strcmp(owner, command) == 0)
			return true;
	return false;
}

bool
option_next_command(const char **list, char *name)
{
	size_t length = strcspn(*list, "|");

	if (length == 0)
		return false;
	snprintf(name, COMMAND_NAME_MAX, "%.*s", (int)length, *list);
	*list += length;
	*list += **list == '|';
	return true;
}

/* Whether the operands are another command's words. */
static bool
stops_early(const char *command)
{
	static const char *const commands_with_commands[] = { "run", "doctor",
		"time", "watch" };
	size_t count =
	    sizeof(commands_with_commands) / sizeof(commands_with_commands[0]);

	for (size_t i = 0; i < count; i++)
		if (strcmp(command, commands_with_commands[i]) == 0)
			return true;
	return false;
}

static const char *
size_error_text(enum size_error error)
{
	switch (error) {
	case SIZE_UNKNOWN_UNIT:
		return "what follows the number is not a unit";
	case SIZE_TOO_LARGE:
		return "that is more than any machine has";
	case SIZE_NOT_A_NUMBER:
	case SIZE_OK:
		break;
	}
	return "it does not begin with a number";
}

static bool
bad_value(struct parse *parse, enum option_id id, const char *value,
    const char *why)
{
	problem_what(parse->problem, parse->usage_code, "--%s: bad value '%s'",
	    option_infos[id].name, value);
	problem_why(parse->problem, "%s", why);
	return false;
}

static bool
take_size(struct parse *parse, enum option_id id, const char *value)
{
	bool may_be_percent = option_infos[id].kind == OPTION_KIND_BUDGET;
	uint64_t number;
	enum size_error error;

	if (may_be_percent && size_parse_percent(value, &number)) {
		parse->options->number[id] = number;
		return true;
	}
	error = size_parse(value, &number);
	if (error == SIZE_OK) {
		parse->options->number[id] = number;
		return true;
	}
	(void)bad_value(parse, id, value, size_error_text(error));
	problem_advise(parse->problem,
	    "a number and K, M, G or T, which are powers of 1024%s",
	    may_be_percent ? ": 256M, 1.5G; or a percentage: 50%" : ": 1.5G");
	return false;
}

static bool
take_choice(struct parse *parse, enum option_id id, const char *value)
{
	const char *names = option_infos[id].operand;
	int index = qr_linux_config_choice(names, value, strlen(value));

	if (index >= 0) {
		parse->options->number[id] = (uint64_t)index;
		return true;
	}
	(void)bad_value(parse, id, value, "that is not one of its values");
	problem_advise(parse->problem, "--%s=%s", option_infos[id].name, names);
	return false;
}

static bool
take_number(struct parse *parse, enum option_id id, const char *value)
{
	char *end;
	unsigned long number = strtoul(value, &end, 10);

	if (value[0] < '1' || value[0] > '9' || *end != '\0')
		return bad_value(parse, id, value,
		    "a whole number above 0 is wanted");
	parse->options->number[id] = number;
	return true;
}

static bool
take_seconds(struct parse *parse, enum option_id id, const char *value)
{
	char *end;
	double seconds = strtod(value, &end);

	if (end == value || *end != '\0' || !(seconds >= 0.01) ||
	    !(seconds <= 1e6))
		return bad_value(parse, id, value,
		    "seconds are wanted, 0.01 or more");
	parse->options->number[id] = (uint64_t)(seconds * 1000.0 + 0.5);
	return true;
}

static bool
take_value(struct parse *parse, enum option_id id, const char *value)
{
	parse->options->text[id] = value;
	switch (option_infos[id].kind) {
	case OPTION_KIND_FLAG:
		return true;
	case OPTION_KIND_SIZE:
	case OPTION_KIND_BUDGET:
		return take_size(parse, id, value);
	case OPTION_KIND_CHOICE:
		return take_choice(parse, id, value);
	case OPTION_KIND_NUMBER:
		return take_number(parse, id, value);
	case OPTION_KIND_SECONDS:
	case OPTION_KIND_PERIOD:
		return take_seconds(parse, id, value);
	case OPTION_KIND_TEXT:
		return true;
	case OPTION_KIND_DIRECTORY:
	case OPTION_KIND_FILE:
	case OPTION_KIND_COLUMNS:
		break;
	}
	return value[0] != '\0' || bad_value(parse, id, value, "it is empty");
}

/* Takes an option whose value may be attached (else NULL) or may be the next
 * argument. */
static bool
take_option(struct parse *parse, enum option_id id, const char *attached)
{
	const struct option_info *info = &option_infos[id];

	if (info->kind == OPTION_KIND_FLAG && attached != NULL)
		return bad_value(parse, id, attached, "it takes no value");
	if (info->kind == OPTION_KIND_FLAG)
		return take_value(parse, id, "");
	if (attached == NULL && info->kind == OPTION_KIND_PERIOD)
		attached = info->preset;
	if (attached != NULL)
		return take_value(parse, id, attached);
	if (*parse->next == NULL) {
		problem_what(parse->problem, parse->usage_code,
		    "--%s: value missing", info->name);
		problem_advise(parse->problem, "--%s=%s", info->name,
		    info->operand);
		return false;
	}
	return take_value(parse, id, *parse->next++);
}

static bool
unknown(struct parse *parse, const char *typed, const char *name)
{
	struct nearest nearest;

	nearest_init(&nearest, name);
	for (int id = 0; id < OPTION_COUNT; id++)
		if (option_applies((enum option_id)id, parse->command))
			nearest_offer(&nearest, option_infos[id].name);
	problem_what(parse->problem, parse->usage_code, "%s: unknown option %s",
	    parse->command, typed);
	if (nearest.best != NULL)
		problem_advise(parse->problem, "--%s", nearest.best);
	else
		problem_advise(parse->problem, "quire %s --help",
		    parse->command);
	return false;
}

static bool
take_long(struct parse *parse, char *argument)
{
	char name[64];
	char *value = strchr(argument, '=');
	size_t length =
	    value == NULL ? strlen(argument) : (size_t)(value - argument);

	if (length >= sizeof(name))
		return unknown(parse, argument, argument + 2);
	memcpy(name, argument, length);
	name[length] = '\0';
	for (int i = 0; i < OPTION_COUNT; i++) {
		enum option_id id = (enum option_id)i;
		if (option_applies(id, parse->command) &&
		    strcmp(option_infos[id].name, name + 2) == 0)
			return take_option(parse, id,
			    value == NULL ? NULL : value + 1);
	}
	return unknown(parse, name, name + 2);
}

static int
find_letter(const struct parse *parse, char letter)
{
	for (int id = 0; id < OPTION_COUNT; id++)
		if (option_infos[id].letter == letter &&
		    option_applies((enum option_id)id, parse->command))
			return id;
	return -1;
}

/* "-q", "-qv", "-m64M", "-m=64M", "-m" and the next argument. */
static bool
take_short(struct parse *parse, const char *argument)
{
	for (const char *letter = argument + 1; *letter != '\0'; letter++) {
		char typed[] = { '-', *letter, '\0' };
		int id = find_letter(parse, *letter);
		if (id < 0)
			return unknown(parse, typed, argument + 1);
		if (option_infos[id].kind == OPTION_KIND_FLAG) {
			(void)take_option(parse, (enum option_id)id, NULL);
			continue;
		}
		const char *value = letter + 1;
		if (*value == '=')
			value++;
		return take_option(parse, (enum option_id)id,
		    letter[1] == '\0' ? NULL : value);
	}
	return true;
}

bool
options_parse(const char *command, char **arguments, enum exit_code usage_code,
    struct options *options, struct problem *problem)
{
	struct parse parse = { command, usage_code, arguments, options,
		problem };

	char **operand = arguments; /* never ahead of parse.next */

	*options = (struct options){ 0 };
	while (*parse.next != NULL) {
		char *argument = *parse.next;
		bool good;
		if (argument[0] != '-' || argument[1] == '\0') {
			if (stops_early(command))
				break;
			*operand++ = argument;
			parse.next++;
			continue;
		}
		parse.next++;
		if (strcmp(argument, "--") == 0)
			break;
		good = argument[1] == '-' ? take_long(&parse, argument)
					  : take_short(&parse, argument);
		if (!good)
			return false;
	}
	/* Those that were passed over, before those that are left. */
	while (operand > arguments)
		*--parse.next = *--operand;
	options->operands = parse.next;
	return true;
}

#define HELP_COLUMN 30u

static void
option_print(const struct term *term, const struct option_info *info)
{
	char left[96];
	char text[512];
	bool has_value = info->kind != OPTION_KIND_FLAG;
	bool may_lack = info->kind == OPTION_KIND_PERIOD;
	char letter[] = { '-', info->letter, ',', ' ', '\0' };
	int length = snprintf(left, sizeof(left), "  %s--%s%s%s%s",
	    info->letter != 0 ? letter : "    ", info->name,
	    may_lack    ? "[="
	    : has_value ? "="
			: "",
	    info->kind == OPTION_KIND_CHOICE ? "WORD" : info->operand,
	    may_lack ? "]" : "");

	fprintf(term->stream, "%-*s", (int)HELP_COLUMN, left);
	if (length >= (int)HELP_COLUMN)
		fprintf(term->stream, "\n%*s", (int)HELP_COLUMN, "");
	snprintf(text, sizeof(text), "%s%s%s%s%s%s", info->help,
	    info->kind == OPTION_KIND_CHOICE ? " WORD: " : "",
	    info->kind == OPTION_KIND_CHOICE ? info->operand : "",
	    info->preset[0] != '\0' ? " [" : "", info->preset,
	    info->preset[0] != '\0' ? "]" : "");
	term_wrap(term, text, HELP_COLUMN, HELP_COLUMN);
}

void
options_print(const struct term *term, const char *command)
{
	for (int i = 0; i < OPTION_COUNT; i++) {
		enum option_id id = (enum option_id)i;
		bool common = option_infos[id].command[0] == '\0';
		if (common == (command[0] == '\0') &&
		    option_applies(id, command))
			option_print(term, &option_infos[id]);
	}
}
