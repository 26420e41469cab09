/* SPDX-License-Identifier: MIT */
/*
 * write_screen.c: the table for eyes. Numbers stand right, texts left. Where
 * lines must fit, columns of the narrow list go first, and then the widest
 * text is cut.
 */
#include <string.h>
#include <wchar.h>

#include "cli/size.h"
#include "port/linux/json.h"
#include "write.h"

#define GAP          2u
#define TEXT_LEAST   8u /* columns that a text keeps */
#define STEADY_LEAST 7u

struct layout {
	const struct term *term;
	struct table *table;
	const struct style_of_table *style;
	unsigned widths[256]; /* of table->shown */
};

static unsigned
code_width(unsigned code, unsigned length)
{
	int width = wcwidth((wchar_t)code);
	return width < 0 ? 2 * length + 2 : (unsigned)width;
}

/* One character's code, or an escape of one byte. */
static unsigned
take_character(const char **text, bool utf8, char *escape)
{
	unsigned char byte = (unsigned char)**text;
	unsigned length = json_utf8_length(*text);
	unsigned code;

	if (byte == '\n' || byte == '\t') {
		(void)snprintf(escape, 8, "\\%c", byte == '\n' ? 'n' : 't');
	} else if (length == 1 && byte >= ' ' && byte != 0x7f) {
		(void)snprintf(escape, 8, "%c", byte);
	} else if (length > 1 && utf8) {
		code = byte & (0x7fu >> length);
		for (unsigned i = 1; i < length; i++)
			code = code << 6 | ((unsigned char)(*text)[i] & 0x3fu);
		if (code >= 0xa0 && wcwidth((wchar_t)code) >= 0) {
			(void)snprintf(escape, 8, "%.*s", (int)length, *text);
			*text += length;
			return code_width(code, length);
		}
		(void)snprintf(escape, 8, "\\x%02x", byte);
	} else {
		(void)snprintf(escape, 8, "\\x%02x", byte);
	}
	(*text)++;
	return (unsigned)strlen(escape);
}

/* How many bytes from here on are printable ASCII: nearly all there are. */
static size_t
plain_length(const char *text)
{
	size_t length = 0;
	while (text[length] >= ' ' && text[length] < 0x7f)
		length++;
	return length;
}

unsigned
text_width(const char *text, bool utf8)
{
	unsigned width = 0;
	char escape[8];

	for (;;) {
		size_t plain = plain_length(text);
		width += (unsigned)plain;
		text += plain;
		if (*text == '\0')
			return width;
		width += take_character(&text, utf8, escape);
	}
}

/* Writes what fits into room columns. */
static void
write_part(FILE *stream, const char *text, unsigned room, bool utf8)
{
	char escape[8];

	while (*text != '\0') {
		size_t plain = plain_length(text);
		if (plain > room)
			plain = room;
		(void)fwrite(text, 1, plain, stream);
		text += plain;
		room -= (unsigned)plain;
		if (*text == '\0' || room == 0)
			return;
		unsigned taken = take_character(&text, utf8, escape);
		if (taken > room)
			return;
		room -= taken;
		fputs(escape, stream);
	}
}

void
text_write(FILE *stream, const char *text, unsigned width, bool utf8)
{
	bool cut = text_width(text, utf8) > width;

	write_part(stream, text, cut && width > 0 ? width - 1 : width, utf8);
	if (cut)
		fputs(utf8 ? "…" : "~", stream);
}

static const char *
fixed_text(int64_t number, unsigned digits, char *text)
{
	uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
	(void)snprintf(text, TEXT_OF_CELL, "%s%llu.%0*llu",
	    number < 0 ? "-" : "", (unsigned long long)size / 100, (int)digits,
	    (unsigned long long)(digits == 1 ? size % 100 / 10 : size % 100));
	return text;
}

static const char *
bytes_text(int64_t bytes, const struct style_of_table *style, bool sign,
    char *text)
{
	uint64_t size = bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes;
	char digits[SIZE_TEXT_MAX];
	const char *mark = bytes < 0 ? "-" : sign && bytes > 0 ? "+" : "";

	if (style->percent_of != 0) {
		uint64_t share = (uint64_t)((double)size * 10000.0 /
						(double)style->percent_of +
					    0.5);
		(void)snprintf(text, TEXT_OF_CELL, "%s%llu.%02llu%%", mark,
		    (unsigned long long)share / 100,
		    (unsigned long long)share % 100);
	} else if (style->exact) {
		(void)snprintf(text, TEXT_OF_CELL, "%s%llu", mark,
		    (unsigned long long)size);
	} else {
		(void)snprintf(text, TEXT_OF_CELL, "%s%s", mark,
		    style->si ? size_format_si(size, digits)
			      : size_format(size, digits));
	}
	return text;
}

const char *
cell_text(const struct column *column, const struct cell *cell,
    const struct style_of_table *style, char *text)
{
	if (cell->kind == CELL_NONE)
		return "-";
	if (cell->kind == CELL_TEXT)
		return cell->text;
	switch (column->type) {
	case COLUMN_BYTES:
		return bytes_text(cell->number, style, false, text);
	case COLUMN_CHANGE:
		return bytes_text(cell->number, style, true, text);
	case COLUMN_PERCENT:
		fixed_text(cell->number, 1, text);
		strcat(text, "%");
		return text;
	case COLUMN_RATIO:
		fixed_text(cell->number, 1, text);
		strcat(text, "x");
		return text;
	case COLUMN_RATE:
	case COLUMN_MS:
		return fixed_text(cell->number, 1, text);
	case COLUMN_TEXT:
	case COLUMN_COUNT:
	case COLUMN_ADDRESS:
		break;
	}
	return cell_plain(column, cell, text);
}

static bool
is_left(const struct table_column *column)
{
	return column->column->type == COLUMN_TEXT;
}

/* Where the label of a line of sums stands: in the first column if it has no
 * sum, else in the first text, else in the first without a sum. */
static size_t
label_place(const struct table *table)
{
	size_t place = 0;
	for (size_t i = table->shown_count; i-- > 0;) {
		size_t index = table->shown[i];
		bool sums = table->total[index].kind != CELL_NONE;
		if (!sums &&
		    (i == 0 || is_left(&table->columns[index]) ||
			!is_left(&table->columns[table->shown[place]])))
			place = i;
	}
	return place;
}

static size_t
label_length(const struct layout *layout)
{
	char label[32];
	if (!layout->style->totals)
		return 0;
	if (layout->table->rest == NULL)
		return strlen("TOTAL");
	return (size_t)snprintf(label, sizeof(label), "%zu more",
	    layout->table->rest_count);
}

/* Columns of the header; and of a table that goes on, of any number. */
static unsigned
least_of(const struct layout *layout, const struct column *column)
{
	unsigned length = (unsigned)strlen(column->name);
	if (!layout->style->steady)
		return layout->style->header ? length : 0;
	return length > STEADY_LEAST ? length : STEADY_LEAST;
}

/* Lays the columns out, without regard to the terminal's width. */
static void
measure(struct layout *layout)
{
	const struct table *table = layout->table;
	char text[TEXT_OF_CELL];

	for (size_t i = 0; i < table->shown_count && i < 256; i++) {
		const struct table_column *column =
		    &table->columns[table->shown[i]];
		unsigned widest = least_of(layout, column->column);
		for (size_t row = 0; row < table->order_count + 2; row++) {
			const struct cell *cell;
			if (row < table->order_count)
				cell = table_cell(table, table->order[row],
				    table->shown[i]);
			else if (layout->style->totals &&
				 row == table->order_count)
				cell = &table->total[table->shown[i]];
			else if (table->rest != NULL &&
				 row > table->order_count)
				cell = &table->rest[table->shown[i]];
			else
				continue;
			unsigned width =
			    text_width(cell_text(column->column, cell,
					   layout->style, text),
				layout->term->utf8);
			if (width > widest)
				widest = width;
		}
		layout->widths[i] = widest;
	}
	size_t label = label_length(layout);
	size_t at = label_place(table);
	if (table->shown_count > 0 && layout->widths[at] < label)
		layout->widths[at] = (unsigned)label;
}

static unsigned
line_width(const struct layout *layout)
{
	unsigned width = 0;
	for (size_t i = 0; i < layout->table->shown_count; i++)
		width += layout->widths[i] + (i > 0 ? GAP : 0);
	return width;
}

/* Takes a column off the screen; false: it is not on it. */
static bool
drop(struct layout *layout, const char *name, size_t length)
{
	struct table *table = layout->table;
	int index = table_find_name(table, name, length);

	for (size_t i = 0; i < table->shown_count; i++) {
		if ((int)table->shown[i] != index)
			continue;
		size_t after = table->shown_count - i - 1;
		memmove(&table->shown[i], &table->shown[i + 1],
		    after * sizeof(*table->shown));
		memmove(&layout->widths[i], &layout->widths[i + 1],
		    after * sizeof(*layout->widths));
		table->shown_count--;
		return true;
	}
	return false;
}

static void
cut_widest(struct layout *layout, unsigned over)
{
	while (over > 0) {
		size_t widest = SIZE_MAX;
		for (size_t i = 0; i < layout->table->shown_count; i++)
			if (is_left(&layout->table
					 ->columns[layout->table->shown[i]]) &&
			    layout->widths[i] > TEXT_LEAST &&
			    (widest == SIZE_MAX ||
				layout->widths[i] >= layout->widths[widest]))
				widest = i;
		if (widest == SIZE_MAX)
			return;
		layout->widths[widest]--;
		over--;
	}
}

/* The width with texts cut as far as they may be. */
static unsigned
least_width(const struct layout *layout)
{
	unsigned width = line_width(layout);
	for (size_t i = 0; i < layout->table->shown_count; i++) {
		const struct table_column *column =
		    &layout->table->columns[layout->table->shown[i]];
		if (is_left(column) && layout->widths[i] > 2 * TEXT_LEAST)
			width -= layout->widths[i] - 2 * TEXT_LEAST;
	}
	return width;
}

static void
fit(struct layout *layout)
{
	const char *narrow = layout->style->narrow;
	unsigned room = layout->term->width;

	while (layout->style->may_drop && narrow != NULL && *narrow != '\0' &&
	       least_width(layout) > room) {
		size_t length = strcspn(narrow, ",");
		(void)drop(layout, narrow, length);
		narrow += length;
		narrow += *narrow == ',';
	}
	if (line_width(layout) > room)
		cut_widest(layout, line_width(layout) - room);
}

static void
put_blanks(const struct layout *layout, unsigned count)
{
	static const char blanks[] = "                                ";
	for (; count > 32; count -= 32)
		(void)fwrite(blanks, 1, 32, layout->term->stream);
	(void)fwrite(blanks, 1, count, layout->term->stream);
}

static void
put_field(const struct layout *layout, size_t index, const char *text)
{
	const struct table *table = layout->table;
	bool utf8 = layout->term->utf8;
	bool left = is_left(&table->columns[table->shown[index]]);
	unsigned width = layout->widths[index];
	unsigned taken = text_width(text, utf8);
	unsigned blanks = taken < width ? width - taken : 0;
	bool last = index + 1 == table->shown_count;

	if (!left)
		put_blanks(layout, blanks);
	text_write(layout->term->stream, text, width, utf8);
	if (left && !last)
		put_blanks(layout, blanks);
	if (!last)
		put_blanks(layout, GAP);
}

static void
put_header(const struct layout *layout)
{
	const struct table *table = layout->table;

	fputs(term_style(layout->term, STYLE_STRONG), layout->term->stream);
	for (size_t i = 0; i < table->shown_count; i++) {
		char name[64];
		size_t length = 0;
		const char *from = table->columns[table->shown[i]].column->name;
		for (; from[length] != '\0' && length < 63; length++)
			name[length] =
			    from[length] >= 'a' && from[length] <= 'z'
				? (char)(from[length] - 'a' + 'A')
				: from[length];
		name[length] = '\0';
		put_field(layout, i, name);
	}
	fputs(term_style(layout->term, STYLE_PLAIN), layout->term->stream);
	fputc('\n', layout->term->stream);
}

/* Whether any column shown has a total. */
static bool
adds_up(const struct table *table)
{
	for (size_t i = 0; i < table->shown_count; i++)
		if (table->total[table->shown[i]].kind != CELL_NONE)
			return true;
	return false;
}

/* The total, or what is left out. */
static void
put_sums(const struct layout *layout, const struct cell *sums,
    const char *label)
{
	const struct table *table = layout->table;
	size_t at = label_place(table);
	char text[TEXT_OF_CELL];

	fputs(term_style(layout->term, STYLE_STRONG), layout->term->stream);
	for (size_t i = 0; i < table->shown_count; i++) {
		const struct cell *cell = &sums[table->shown[i]];
		const char *field =
		    cell->kind == CELL_NONE
			? ""
			: cell_text(table->columns[table->shown[i]].column,
			      cell, layout->style, text);
		put_field(layout, i, i == at ? label : field);
	}
	fputs(term_style(layout->term, STYLE_PLAIN), layout->term->stream);
	fputc('\n', layout->term->stream);
}

void
write_screen(const struct term *term, struct table *table,
    const struct style_of_table *style)
{
	struct layout layout = { .term = term, .table = table, .style = style };
	char text[TEXT_OF_CELL];

	if (table->shown_count > 256)
		table->shown_count = 256;
	measure(&layout);
	if (style->fits)
		fit(&layout);
	if (style->header)
		put_header(&layout);
	for (size_t row = 0; row < table->order_count; row++) {
		for (size_t i = 0; i < table->shown_count; i++)
			put_field(&layout, i,
			    cell_text(table->columns[table->shown[i]].column,
				table_cell(table, table->order[row],
				    table->shown[i]),
				style, text));
		fputc('\n', term->stream);
	}
	if (table->rest != NULL && style->totals) {
		char label[32];
		(void)snprintf(label, sizeof(label), "%zu more",
		    table->rest_count);
		put_sums(&layout, table->rest, label);
	}
	if (style->totals && adds_up(table))
		put_sums(&layout, table->total, "TOTAL");
}
