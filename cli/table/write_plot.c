/* SPDX-License-Identifier: MIT */
/*
 * write_plot.c: one column as a picture: bars on a screen, or the same as an
 * SVG document that stands for itself, light or dark as its reader is.
 */
#include <string.h>

#include "port/linux/json.h"
#include "write.h"

#define GAP        2u
#define LABEL_WIDE 32u /* columns that a label takes at most */
#define BAR_LEAST  10u
#define EIGHTHS    8

/* Of the SVG, in its units. */
#define ROW_HEIGHT  22
#define LABEL_WIDTH 260
#define BAR_WIDTH   440
#define PAGE_WIDTH  800
#define HEAD_HEIGHT 40
#define LABEL_BYTES 38 /* characters that fit into LABEL_WIDTH */

static bool
is_text(const struct table *table, size_t index)
{
	return table->columns[index].column->type == COLUMN_TEXT;
}

/* What names a row: the first column shown if it is a text, else the last
 * text, else the first column. */
static size_t
label_column(const struct table *table)
{
	size_t label = table->shown[0];

	for (size_t i = 1; i < table->shown_count && !is_text(table, label);
	     i++)
		for (size_t j = table->shown_count; j-- > 0;)
			if (is_text(table, table->shown[j]))
				return table->shown[j];
	return label;
}

static int64_t
magnitude(const struct table *table, size_t row, size_t column)
{
	const struct cell *cell = table_cell(table, row, column);

	if (cell->kind != CELL_NUMBER)
		return 0;
	return cell->number < 0 ? -cell->number : cell->number;
}

static int64_t
largest_of(const struct table *table, size_t column)
{
	int64_t largest = 1;

	for (size_t i = 0; i < table->order_count; i++) {
		int64_t number = magnitude(table, table->order[i], column);
		largest = number > largest ? number : largest;
	}
	return largest;
}

/* size parts of the length that the largest has. */
static int64_t
scale(int64_t number, int64_t largest, int64_t size)
{
	return (int64_t)((double)number / (double)largest * (double)size + 0.5);
}

/* --- a screen --- */

static void
put_bar(const struct term *term, int64_t eighths)
{
	static const char *const parts[EIGHTHS] = { "", "▏", "▎", "▍", "▌", "▋",
		"▊", "▉" };

	for (int64_t i = 0; i < eighths / EIGHTHS; i++)
		fputs(term->utf8 ? "█" : "#", term->stream);
	if (term->utf8)
		fputs(parts[eighths % EIGHTHS], term->stream);
}

static unsigned
widest_of(const struct term *term, const struct table *table, size_t index,
    const struct style_of_table *style)
{
	const struct column *column = table->columns[index].column;
	char text[TEXT_OF_CELL];
	unsigned widest = 0;

	for (size_t i = 0; i < table->order_count; i++) {
		const struct cell *cell =
		    table_cell(table, table->order[i], index);
		unsigned width =
		    text_width(cell_text(column, cell, style, text),
			term->utf8);
		widest = width > widest ? width : widest;
	}
	return widest;
}

void
write_bars(const struct term *term, const struct table *table, size_t value,
    const struct style_of_table *style)
{
	size_t label = label_column(table);
	unsigned labels = widest_of(term, table, label, style);
	unsigned values = widest_of(term, table, value, style);
	int64_t largest = largest_of(table, value);
	char text[TEXT_OF_CELL];

	labels = labels < LABEL_WIDE ? labels : LABEL_WIDE;
	unsigned taken = labels + values + 2 * GAP;
	unsigned room =
	    term->width > taken + BAR_LEAST ? term->width - taken : BAR_LEAST;
	for (size_t i = 0; i < table->order_count; i++) {
		size_t row = table->order[i];
		const char *name = cell_text(table->columns[label].column,
		    table_cell(table, row, label), style, text);
		unsigned width = text_width(name, term->utf8);
		text_write(term->stream, name, labels, term->utf8);
		fprintf(term->stream, "%*s",
		    (int)(width < labels ? labels - width + GAP : GAP), "");
		fprintf(term->stream, "%*s  ", (int)values,
		    cell_text(table->columns[value].column,
			table_cell(table, row, value), style, text));
		put_bar(term, scale(magnitude(table, row, value), largest,
				  (int64_t)room * EIGHTHS));
		fputc('\n', term->stream);
	}
}

/* --- SVG --- */

struct plot {
	FILE *stream;
	const struct table *table;
	const struct style_of_table *style;
	size_t label; /* the column that names the rows */
};

/* Text of a document; what is no character of one becomes a question mark. */
static void
put_xml(FILE *stream, const char *text, size_t limit)
{
	for (size_t count = 0; *text != '\0'; count++) {
		unsigned length = json_utf8_length(text);
		unsigned char byte = (unsigned char)*text;
		if (count == limit) {
			fputs("…", stream);
			return;
		}
		if (byte == '<' || byte == '>' || byte == '&' || byte == '"')
			fprintf(stream, "&#%u;", byte);
		else if (length > 1 || (byte >= ' ' && byte < 0x7f))
			(void)fwrite(text, 1, length, stream);
		else
			fputc('?', stream);
		text += length > 0 ? length : 1;
	}
}

static void
put_svg_text(const struct plot *plot, int x, int y, size_t column, size_t row)
{
	FILE *stream = plot->stream;
	const struct table *table = plot->table;
	char text[TEXT_OF_CELL];

	fprintf(stream, "<text x=\"%d\" y=\"%d\"%s>", x, y,
	    column == plot->label ? " text-anchor=\"end\"" : "");
	put_xml(stream,
	    cell_text(table->columns[column].column,
		table_cell(table, row, column), plot->style, text),
	    LABEL_BYTES);
	fputs("</text>\n", stream);
}

void
write_svg(FILE *stream, const struct table *table, size_t value,
    const struct style_of_table *style)
{
	const struct plot plot = { stream, table, style, label_column(table) };
	const struct column *column = table->columns[value].column;
	int64_t largest = largest_of(table, value);
	int height = HEAD_HEIGHT + (int)table->order_count * ROW_HEIGHT + 8;

	fprintf(stream,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
	    "height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n"
	    "<style>svg{background:#fff}text{font:13px sans-serif;fill:#222}"
	    "rect{fill:#2f6fab}@media(prefers-color-scheme:dark)"
	    "{svg{background:#16181c}text{fill:#ddd}rect{fill:#6aa7df}}"
	    "</style>\n<text x=\"8\" y=\"22\" font-weight=\"bold\">%s: ",
	    PAGE_WIDTH, height, PAGE_WIDTH, height, column->name);
	put_xml(stream, column->meaning, SIZE_MAX);
	fputs("</text>\n", stream);
	for (size_t i = 0; i < table->order_count; i++) {
		size_t row = table->order[i];
		int y = HEAD_HEIGHT + (int)i * ROW_HEIGHT;
		int width = (int)scale(magnitude(table, row, value), largest,
		    BAR_WIDTH);
		put_svg_text(&plot, LABEL_WIDTH - 8, y + 15, plot.label, row);
		fprintf(stream,
		    "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n",
		    LABEL_WIDTH, y + 3, width, ROW_HEIGHT - 6);
		put_svg_text(&plot, LABEL_WIDTH + width + 6, y + 15, value,
		    row);
	}
	fputs("</svg>\n", stream);
}
