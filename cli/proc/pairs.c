/* SPDX-License-Identifier: MIT */
/* pairs.c: cuts lines, words and pairs. */
#include "pairs.h"

#include <string.h>

char *
line_next(char **text)
{
	char *line = *text;
	if (line == NULL || *line == '\0')
		return NULL;
	char *end = strchr(line, '\n');
	if (end != NULL)
		*end = '\0';
	*text = end != NULL ? end + 1 : line + strlen(line);
	return line;
}

char *
word_next(char **line)
{
	char *word = *line + strspn(*line, " \t");
	if (*word == '\0')
		return NULL;
	char *end = word + strcspn(word, " \t");
	if (*end != '\0')
		*end++ = '\0';
	*line = end;
	return word;
}

int64_t
number_next(const char **at)
{
	const char *text = *at;
	uint64_t number = 0;
	bool negative = *text == '-';
	bool too_large = false;

	text += negative;
	for (; *text >= '0' && *text <= '9'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');
		if (number > ((uint64_t)INT64_MAX - digit) / 10)
			too_large = true;
		else
			number = number * 10 + digit;
	}
	*at = text;
	if (too_large)
		number = INT64_MAX;
	return negative ? -(int64_t)number : (int64_t)number;
}

/* Splits a line at the first colon or blank. */
static bool
split(char *line, struct pair *pair)
{
	char *end = line + strcspn(line, ": \t");
	char *rest = end;
	size_t length;

	if (end == line)
		return false;
	if (*rest != '\0')
		rest++;
	*end = '\0';
	rest += strspn(rest, ": \t");
	length = strlen(rest);
	while (
	    length > 0 && (rest[length - 1] == ' ' || rest[length - 1] == '\t'))
		rest[--length] = '\0';
	pair->key = line;
	pair->text = rest;
	return true;
}

bool
pair_next(char **text, struct pair *pair)
{
	char *line;

	do {
		line = line_next(text);
		if (line == NULL)
			return false;
	} while (!split(line, pair));
	const char *at = pair->text;
	pair->is_number = (*at >= '0' && *at <= '9') ||
			  (*at == '-' && at[1] >= '0' && at[1] <= '9');
	pair->number = pair->is_number ? number_next(&at) : 0;
	pair->is_bytes = pair->is_number && strcmp(at, " kB") == 0;
	if (pair->is_bytes)
		pair->number = pair->number > INT64_MAX / 1024
				   ? INT64_MAX
				   : pair->number * 1024;
	return true;
}
