/* SPDX-License-Identifier: MIT */
/*
 * chart.c: a filled curve with a line across. Each column is the largest
 * sample of its time; heights count in eighths of a row. What lies under the
 * line and is not filled stays blank, so the line shows where the curve has
 * room, and vanishes behind it where it has none.
 */
#include "chart.h"
#include "size.h"

#define LABEL_WIDTH 9u
#define COLUMNS_MAX 91u
#define EIGHTHS     8u

static const char *
cell(const struct term *term, unsigned eighths, bool on_line)
{
	static const char *const blocks[] = { " ", "\u2581", "\u2582", "\u2583",
		"\u2584", "\u2585", "\u2586", "\u2587", "\u2588" };

	if (eighths == 0 && on_line)
		return term->utf8 ? "\u254c" : "-";
	if (term->utf8)
		return blocks[eighths];
	return eighths >= EIGHTHS / 2 ? "#" : " ";
}

/* The largest sample of one column, or 0 after the end. */
static uint64_t
column_value(const struct chart *chart, unsigned column, unsigned columns)
{
	const struct samples *samples = chart->samples;
	uint64_t start = chart->span_ns * column / columns;
	uint64_t end = chart->span_ns * (column + 1) / columns;
	uint64_t first = start / samples->interval_ns;
	uint64_t last = end / samples->interval_ns;
	uint64_t value = 0;

	if (start > samples->end_ns)
		return 0;
	for (uint64_t i = first; i <= last && i < samples->count; i++)
		if (samples->bytes[i] > value && (i < last || i == first))
			value = samples->bytes[i];
	return value;
}

static unsigned
to_eighths(const struct chart *chart, uint64_t bytes)
{
	uint64_t full = (uint64_t)chart->height * EIGHTHS;
	uint64_t eighths =
	    (bytes * full + chart->top_bytes / 2) / chart->top_bytes;

	return eighths > full ? (unsigned)full : (unsigned)eighths;
}

/* The row, counted from below, that the line lies in; none: the height. */
static unsigned
line_row(const struct chart *chart)
{
	if (chart->line_bytes == 0 || chart->line_bytes >= chart->top_bytes)
		return chart->height;
	return to_eighths(chart, chart->line_bytes) / EIGHTHS;
}

static void
draw_label(const struct term *term, const struct chart *chart, unsigned row)
{
	char size[SIZE_TEXT_MAX] = "";
	const char *edge = term->utf8 ? "\u2502" : "|";

	if (row == line_row(chart))
		size_format(chart->line_bytes, size);
	else if (row + 1 == chart->height)
		size_format(chart->top_bytes, size);
	fprintf(term->stream, "%*s %s", (int)LABEL_WIDTH - 2, size, edge);
}

static void
draw_row(const struct term *term, const struct chart *chart, unsigned row,
    unsigned columns)
{
	bool on_line = row == line_row(chart);
	bool was_line = false;

	draw_label(term, chart, row);
	fputs(term_style(term, chart->style), term->stream);
	for (unsigned column = 0; column < columns; column++) {
		unsigned level =
		    to_eighths(chart, column_value(chart, column, columns));
		unsigned below = row * EIGHTHS;
		unsigned eighths = level <= below ? 0 : level - below;
		bool line = on_line && eighths == 0;
		if (line != was_line)
			fputs(term_style(term,
				  line ? STYLE_PLAIN : chart->style),
			    term->stream);
		was_line = line;
		fputs(cell(term, eighths > EIGHTHS ? EIGHTHS : eighths,
			  on_line),
		    term->stream);
	}
	fprintf(term->stream, "%s\n", term_style(term, STYLE_PLAIN));
}

static void
draw_axis(const struct term *term, const struct chart *chart, unsigned columns)
{
	uint64_t tenths = chart->span_ns / 100000000u;

	fprintf(term->stream, "%*s%s", (int)LABEL_WIDTH - 1, "",
	    term->utf8 ? "\u2514" : "+");
	for (unsigned column = 0; column < columns; column++)
		fputs(term->utf8 ? "\u2500" : "-", term->stream);
	fprintf(term->stream, "\n%*s0%*llu.%llu s\n", (int)LABEL_WIDTH, "",
	    (int)columns - 5, (unsigned long long)tenths / 10,
	    (unsigned long long)tenths % 10);
}

void
chart_draw(const struct term *term, const struct chart *chart)
{
	unsigned columns = term->width - LABEL_WIDTH;

	if (columns > COLUMNS_MAX)
		columns = COLUMNS_MAX;
	for (unsigned row = chart->height; row > 0; row--)
		draw_row(term, chart, row - 1, columns);
	draw_axis(term, chart, columns);
}
