/* SPDX-License-Identifier: MIT */
/* write_json.c: one object for the table, with a key a column. */
#include <stdio.h>

#include "cli/json_stdio.h"
#include "write.h"

static void
put_cell(struct json *json, const struct column *column,
    const struct cell *cell)
{
	char text[TEXT_OF_CELL];

	if (cell->kind == CELL_NONE)
		json_null(json);
	else if (cell->kind == CELL_TEXT)
		json_string(json, cell->text);
	else if (column->type == COLUMN_ADDRESS)
		json_string(json, cell_plain(column, cell, text));
	else if (column_digits(column) > 0)
		json_fixed(json, cell->number, column_digits(column));
	else
		json_signed(json, cell->number);
}

static void
put_row(struct json *json, const struct table *table, size_t row)
{
	json_begin_object(json);
	for (size_t i = 0; i < table->shown_count; i++) {
		const struct column *column =
		    table->columns[table->shown[i]].column;
		json_key(json, column->name);
		put_cell(json, column, table_cell(table, row, table->shown[i]));
	}
	/* Keys of the kernel that nobody knew stand last. */
	for (size_t i = 0; i < table->column_count; i++) {
		if (!table->columns[i].unregistered)
			continue;
		json_key(json, table->columns[i].column->name);
		put_cell(json, table->columns[i].column,
		    table_cell(table, row, i));
	}
	json_end_object(json);
}

static void
put_sums(struct json *json, const struct table *table, const struct cell *sums)
{
	json_begin_object(json);
	for (size_t i = 0; i < table->column_count; i++) {
		if (sums[i].kind != CELL_NUMBER)
			continue;
		json_key(json, table->columns[i].column->name);
		put_cell(json, table->columns[i].column, &sums[i]);
	}
	json_end_object(json);
}

static void
put_meta(struct json *json, const struct table *table,
    const struct style_of_table *style)
{
	const char *const told[][2] = { { "host", style->host },
		{ "kernel", style->kernel }, { "time", style->time } };

	json_begin_object(json);
	for (size_t i = 0; i < 3; i++)
		if (told[i][1][0] != '\0') {
			json_key(json, told[i][0]);
			json_string(json, told[i][1]);
		}
	json_key(json, "source");
	json_string(json, style->source);
	for (struct table_fact *fact = table->facts; fact != NULL;
	     fact = fact->next) {
		json_key(json, fact->key);
		json_signed(json, fact->number);
	}
	json_key(json, "notes");
	json_begin_array(json);
	for (struct table_note *note = table->notes; note != NULL;
	     note = note->next)
		json_string(json, note->text);
	json_end_array(json);
	json_end_object(json);
}

void
write_json(FILE *stream, const struct table *table,
    const struct style_of_table *style)
{
	struct json json;

	json_init(&json, json_write_stdio, stream);
	json_begin_object(&json);
	json_key(&json, "schema");
	json_string(&json, style->schema);
	json_key(&json, "meta");
	put_meta(&json, table, style);
	json_key(&json, "rows");
	json_begin_array(&json);
	for (size_t i = 0; i < table->order_count; i++)
		put_row(&json, table, table->order[i]);
	json_end_array(&json);
	if (style->totals) {
		if (table->rest != NULL) {
			json_key(&json, "rest");
			put_sums(&json, table, table->rest);
		}
		json_key(&json, "total");
		put_sums(&json, table, table->total);
	}
	json_end_object(&json);
}

/* JSONL: the rows alone, an object a line. */
static void
write_jsonl(FILE *stream, const struct table *table)
{
	struct json json;
	for (size_t i = 0; i < table->order_count; i++) {
		json_init(&json, json_write_stdio, stream);
		put_row(&json, table, table->order[i]);
	}
}

/* --- lines --- */

const char *
cell_plain(const struct column *column, const struct cell *cell, char *text)
{
	unsigned digits = column_digits(column);
	int64_t number = cell->number;
	uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	if (cell->kind == CELL_NONE)
		return "";
	if (cell->kind == CELL_TEXT)
		return cell->text;
	if (column->type == COLUMN_ADDRESS)
		(void)snprintf(text, TEXT_OF_CELL, "0x%llx",
		    (unsigned long long)number);
	else if (digits == 0)
		(void)snprintf(text, TEXT_OF_CELL, "%lld", (long long)number);
	else
		(void)snprintf(text, TEXT_OF_CELL, "%s%llu.%02llu",
		    number < 0 ? "-" : "", (unsigned long long)size / 100,
		    (unsigned long long)size % 100);
	return text;
}

/* RFC 4180: quoted where it must be, quotes doubled. */
static void
put_csv(FILE *stream, const char *text)
{
	bool quoted = false;
	for (const char *c = text; *c != '\0'; c++)
		if (*c == ',' || *c == '"' || *c == '\n' || *c == '\r')
			quoted = true;
	if (quoted)
		fputc('"', stream);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			fputc('"', stream);
		fputc(*text, stream);
	}
	if (quoted)
		fputc('"', stream);
}

/* Blanks, backslashes and what is no printable ASCII as \xNN, so that a line
 * is a row and a blank parts fields. Nothing at all is "-". */
static void
put_raw(FILE *stream, const char *text)
{
	if (*text == '\0')
		fputc('-', stream);
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;
		if (byte > ' ' && byte < 0x7f && byte != '\\')
			fputc(byte, stream);
		else
			fprintf(stream, "\\x%02x", byte);
	}
}

/* In single quotes, as a shell reads it. */
static void
put_shell(FILE *stream, const char *name, const char *text)
{
	for (; *name != '\0'; name++)
		fputc(*name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name,
		    stream);
	fputs("='", stream);
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			fputs("'\\'", stream);
		fputc(*text, stream);
	}
	fputc('\'', stream);
}

static void
put_line_field(FILE *stream, enum format format, const char *name,
    const char *text)
{
	if (format == FORMAT_CSV)
		put_csv(stream, text);
	else if (format == FORMAT_RAW)
		put_raw(stream, text);
	else
		put_shell(stream, name, text);
}

void
write_lines(FILE *stream, const struct table *table, enum format format,
    const struct style_of_table *style)
{
	char text[TEXT_OF_CELL];

	if (format == FORMAT_JSONL) {
		write_jsonl(stream, table);
		return;
	}
	const char *end = format == FORMAT_CSV ? "\r\n" : "\n";
	char separator = format == FORMAT_CSV ? ',' : ' ';
	bool header = style->header && format != FORMAT_SHELL;
	for (size_t row = header ? 0 : 1; row <= table->order_count; row++) {
		for (size_t i = 0; i < table->shown_count; i++) {
			size_t index = table->shown[i];
			const struct column *column =
			    table->columns[index].column;
			if (i > 0)
				fputc(separator, stream);
			put_line_field(stream, format, column->name,
			    row == 0 ? column->name
				     : cell_plain(column,
					   table_cell(table,
					       table->order[row - 1], index),
					   text));
		}
		fputs(end, stream);
	}
}
