/* SPDX-License-Identifier: MIT */
/* term.c: decides about colour, characters and width. Keeps [cli.2]. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "term.h"

#define WIDTH_DEFAULT 80u
#define WIDTH_MIN     40u
#define WIDTH_MAX     1000u

static bool
wants_colour(bool is_terminal, const char *option)
{
	const char *kind = getenv("TERM");
	const char *none = getenv("NO_COLOR");

	if (option != NULL && strcmp(option, "auto") != 0)
		return strcmp(option, "always") == 0;
	if (none != NULL && none[0] != '\0')
		return false;
	return is_terminal && kind != NULL && strcmp(kind, "dumb") != 0;
}

/* The first of these that is set names the character set. */
static bool
locale_is_utf8(void)
{
	static const char *const variables[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		const char *locale = getenv(variables[i]);
		if (locale == NULL || locale[0] == '\0')
			continue;
		return strcasestr(locale, "utf-8") != NULL ||
		       strcasestr(locale, "utf8") != NULL;
	}
	return false;
}

static unsigned long
number_or_zero(const char *text)
{
	return text != NULL ? strtoul(text, NULL, 10) : 0;
}

static unsigned
find_width(FILE *stream, const char *option)
{
	struct winsize size;
	unsigned long width = number_or_zero(option);

	if (width == 0)
		width = number_or_zero(getenv("COLUMNS"));
	if (width == 0 && ioctl(fileno(stream), TIOCGWINSZ, &size) == 0)
		width = size.ws_col;
	if (width == 0)
		width = WIDTH_DEFAULT;
	if (width < WIDTH_MIN)
		return WIDTH_MIN;
	return width > WIDTH_MAX ? WIDTH_MAX : (unsigned)width;
}

void
term_init(struct term *term, FILE *stream, const struct options *options)
{
	term->stream = stream;
	term->is_terminal = isatty(fileno(stream)) == 1;
	term->colour =
	    wants_colour(term->is_terminal, options->text[OPTION_COLOR]);
	term->utf8 = locale_is_utf8();
	term->width = find_width(stream, options->text[OPTION_WIDTH]);
}

const char *
term_style(const struct term *term, enum style style)
{
	static const char *const escapes[] = {
		[STYLE_PLAIN] = "\033[0m",
		[STYLE_STRONG] = "\033[1m",
		[STYLE_FAINT] = "\033[2m",
		[STYLE_GOOD] = "\033[32m",
		[STYLE_WARN] = "\033[33m",
		[STYLE_BAD] = "\033[31m",
		[STYLE_ACCENT] = "\033[36m",
	};

	return term->colour ? escapes[style] : "";
}

void
term_wrap(const struct term *term, const char *text, unsigned column,
    unsigned indent)
{
	bool first = true;

	while (*text != '\0') {
		unsigned length = (unsigned)strcspn(text, " ");
		if (!first && column + 1 + length > term->width) {
			fprintf(term->stream, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			fputc(' ', term->stream);
			column++;
		}
		fwrite(text, 1, length, term->stream);
		column += length;
		first = false;
		text += length;
		text += strspn(text, " ");
	}
	fputc('\n', term->stream);
}
