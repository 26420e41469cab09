/* SPDX-License-Identifier: MIT */
/*
 * filter.c: conditions on rows. A descent through
 *
 *     any  = all { ("or" | "||") all }
 *     all  = one { ("and" | "&&") one }
 *     one  = ("not" | "!") one | "(" any ")" | NAME OP VALUE
 *     OP   = = == != < <= > >= ~ !~
 *
 * to a tree in the table's arena. A cell that is not known matches nothing.
 */
/* A descent that DEPTH_MAX and the length of an argument bound.
 * NOLINTBEGIN(misc-no-recursion) */
#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "arrange.h"
#include "cli/size.h"

/* Brackets and nots within each other; the descent is as deep. */
#define DEPTH_MAX 64u

enum operation {
	OP_OR,
	OP_AND,
	OP_NOT,
	OP_EQUAL,
	OP_UNEQUAL,
	OP_LESS,
	OP_AT_MOST,
	OP_MORE,
	OP_AT_LEAST,
	OP_LIKE,
	OP_UNLIKE,
};

struct filter {
	enum operation operation;
	struct filter *left; /* of OP_OR, OP_AND, OP_NOT */
	struct filter *right;
	size_t column;
	int64_t number;
	const char *text;
	regex_t regex;
};

struct parser {
	struct table *table;
	const char *at;
	const char *all;
	unsigned depth;
	struct problem *problem;
};

static struct filter *parse_any(struct parser *parser);

static void
skip_blanks(struct parser *parser)
{
	while (isspace((unsigned char)*parser->at))
		parser->at++;
}

static struct filter *
complain(struct parser *parser, const char *why)
{
	problem_what(parser->problem, EXIT_USAGE, "bad condition '%s'",
	    parser->all);
	if (*parser->at == '\0')
		problem_why(parser->problem, "%s, where it ends", why);
	else
		problem_why(parser->problem, "%s, at '%s'", why, parser->at);
	problem_advise(parser->problem, "pss>100M and user=www");
	return NULL;
}

/* Takes a word or a sign if it stands here. */
static bool
take(struct parser *parser, const char *word)
{
	size_t length = strlen(word);

	skip_blanks(parser);
	if (strncasecmp(parser->at, word, length) != 0)
		return false;
	if (isalpha((unsigned char)word[0]) &&
	    (isalnum((unsigned char)parser->at[length]) ||
		parser->at[length] == '_'))
		return false;
	parser->at += length;
	return true;
}

static bool
take_operation(struct parser *parser, enum operation *operation)
{
	static const struct {
		const char *sign;
		enum operation operation;
	} signs[] = {
		{ "==", OP_EQUAL },
		{ "=", OP_EQUAL },
		{ "!=", OP_UNEQUAL },
		{ "!~", OP_UNLIKE },
		{ "<=", OP_AT_MOST },
		{ "<", OP_LESS },
		{ ">=", OP_AT_LEAST },
		{ ">", OP_MORE },
		{ "~", OP_LIKE },
	};

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (take(parser, signs[i].sign)) {
			*operation = signs[i].operation;
			return true;
		}
	return false;
}

/* A value in quotes, or up to a blank or a bracket. */
static const char *
take_value(struct parser *parser)
{
	skip_blanks(parser);
	char quote = *parser->at;
	const char *start = parser->at;
	size_t length;
	if (quote == '\'' || quote == '"') {
		start++;
		const char *end = strchr(start, quote);
		if (end == NULL)
			return NULL;
		length = (size_t)(end - start);
		parser->at = end + 1;
	} else {
		length = strcspn(start, " \t\n)");
		if (length == 0)
			return NULL;
		parser->at = start + length;
	}
	return arena_copy(&parser->table->arena, start, length);
}

static bool
number_parse(const struct column *column, const char *text, int64_t *number)
{
	bool negative = *text == '-';
	uint64_t bytes;

	if (negative)
		text++;
	if (column->type == COLUMN_BYTES || column->type == COLUMN_CHANGE) {
		if (size_parse(text, &bytes) != SIZE_OK)
			return false;
		*number = negative ? -(int64_t)bytes : (int64_t)bytes;
		return true;
	}
	if (column->type == COLUMN_ADDRESS) {
		char *end;
		*number = (int64_t)strtoull(text, &end, 0);
		return *end == '\0' && end != text;
	}
	char *end;
	double value = strtod(text, &end);
	if (end == text || (*end != '\0' && strcmp(end, "%") != 0) ||
	    !(value < 9e15))
		return false;
	for (unsigned i = 0; i < column_digits(column); i++)
		value *= 10;
	*number = (int64_t)(negative ? -value - 0.5 : value + 0.5);
	return true;
}

static void
free_regex(void *regex)
{
	regfree(regex);
}

static struct filter *
parse_comparison(struct parser *parser)
{
	struct filter *filter =
	    arena_alloc(&parser->table->arena, sizeof(*filter));
	skip_blanks(parser);
	size_t length = strcspn(parser->at, " \t\n=!<>~()");
	if (length == 0)
		return complain(parser, "a column's name is wanted");
	int index =
	    column_of_name(parser->table, parser->at, length, parser->problem);
	if (index < 0)
		return NULL;
	filter->column = (size_t)index;
	parser->table->columns[index].wanted = true;
	parser->at += length;
	if (!take_operation(parser, &filter->operation))
		return complain(parser, "one of = != < <= > >= ~ is wanted");
	filter->text = take_value(parser);
	if (filter->text == NULL)
		return complain(parser, "a value is wanted");
	const struct column *column = parser->table->columns[index].column;
	if (filter->operation == OP_LIKE || filter->operation == OP_UNLIKE) {
		if (column->type != COLUMN_TEXT)
			return complain(parser, "~ is for texts");
		if (regcomp(&filter->regex, filter->text,
			REG_EXTENDED | REG_NOSUB) != 0)
			return complain(parser, "no regular expression");
		table_at_end(parser->table, free_regex, &filter->regex);
	} else if (column->type != COLUMN_TEXT &&
		   !number_parse(column, filter->text, &filter->number))
		return complain(parser, "a number is wanted");
	return filter;
}

static struct filter *
parse_one(struct parser *parser)
{
	struct filter *filter;

	if (parser->depth == DEPTH_MAX)
		return complain(parser, "that is nested too deeply");
	parser->depth++;
	if (take(parser, "not") || take(parser, "!")) {
		filter = arena_alloc(&parser->table->arena, sizeof(*filter));
		filter->operation = OP_NOT;
		filter->left = parse_one(parser);
		filter = filter->left == NULL ? NULL : filter;
	} else if (take(parser, "(")) {
		filter = parse_any(parser);
		if (filter != NULL && !take(parser, ")"))
			filter = complain(parser, ") is wanted");
	} else {
		filter = parse_comparison(parser);
	}
	parser->depth--;
	return filter;
}

static struct filter *
join(struct parser *parser, enum operation operation, struct filter *left,
    struct filter *right)
{
	if (left == NULL || right == NULL)
		return NULL;
	struct filter *filter =
	    arena_alloc(&parser->table->arena, sizeof(*filter));
	filter->operation = operation;
	filter->left = left;
	filter->right = right;
	return filter;
}

static struct filter *
parse_all(struct parser *parser)
{
	struct filter *filter = parse_one(parser);
	while (filter != NULL && (take(parser, "and") || take(parser, "&&")))
		filter = join(parser, OP_AND, filter, parse_one(parser));
	return filter;
}

static struct filter *
parse_any(struct parser *parser)
{
	struct filter *filter = parse_all(parser);
	while (filter != NULL && (take(parser, "or") || take(parser, "||")))
		filter = join(parser, OP_OR, filter, parse_all(parser));
	return filter;
}

struct filter *
filter_parse(struct table *table, const char *text, struct problem *problem)
{
	struct parser parser = { table, text, text, 0, problem };
	struct filter *filter = parse_any(&parser);

	if (filter == NULL)
		return NULL;
	skip_blanks(&parser);
	if (*parser.at != '\0')
		return complain(&parser, "'and' or 'or' is wanted");
	return filter;
}

static bool
compare(enum operation operation, int order)
{
	switch (operation) {
	case OP_EQUAL:
		return order == 0;
	case OP_UNEQUAL:
		return order != 0;
	case OP_LESS:
		return order < 0;
	case OP_AT_MOST:
		return order <= 0;
	case OP_MORE:
		return order > 0;
	case OP_AT_LEAST:
		return order >= 0;
	case OP_OR:
	case OP_AND:
	case OP_NOT:
	case OP_LIKE:
	case OP_UNLIKE:
		break;
	}
	return false;
}

static bool
match_cell(const struct filter *filter, const struct cell *cell)
{
	switch (cell->kind) {
	case CELL_NONE:
		return false;
	case CELL_NUMBER:
		return compare(filter->operation,
		    (cell->number > filter->number) -
			(cell->number < filter->number));
	case CELL_TEXT:
		break;
	}
	if (filter->operation == OP_LIKE || filter->operation == OP_UNLIKE)
		return (regexec(&filter->regex, cell->text, 0, NULL, 0) == 0) ==
		       (filter->operation == OP_LIKE);
	return compare(filter->operation, strcmp(cell->text, filter->text));
}

bool
filter_match(const struct filter *filter, const struct table *table, size_t row,
    const struct cell *cells)
{
	switch (filter->operation) {
	case OP_OR:
		return filter_match(filter->left, table, row, cells) ||
		       filter_match(filter->right, table, row, cells);
	case OP_AND:
		return filter_match(filter->left, table, row, cells) &&
		       filter_match(filter->right, table, row, cells);
	case OP_NOT:
		return !filter_match(filter->left, table, row, cells);
	case OP_EQUAL:
	case OP_UNEQUAL:
	case OP_LESS:
	case OP_AT_MOST:
	case OP_MORE:
	case OP_AT_LEAST:
	case OP_LIKE:
	case OP_UNLIKE:
		break;
	}
	return match_cell(filter, cells != NULL
				      ? &cells[filter->column]
				      : table_cell(table, row, filter->column));
}

void
filter_rows(struct table *table, const struct filter *filter)
{
	size_t kept = 0;
	for (size_t i = 0; i < table->order_count; i++)
		if (filter_match(filter, table, table->order[i], NULL))
			table->order[kept++] = table->order[i];
	table->order_count = kept;
}
/* NOLINTEND(misc-no-recursion) */
