/* SPDX-License-Identifier: MIT */
/*
 * cli/see/view.c: how views run.
 *
 * 1. Purpose
 *
 * People ask a machine about its memory with a dozen tools, each with its own
 * words, units and options, which do not add up to each other. Here every
 * answer is a table of registered columns, so that all options, formats and
 * explanations hold for all of them, and a new view is a function that adds
 * rows.
 *
 * 2. Parts
 *
 *     view.c ──> struct view ──> ps.c free.c map.c ...   add rows
 *        │                          │
 *        │                          └──> cli/proc        reads live or captured
 *        ├──> cli/table/arrange.h   columns, filters, order, totals
 *        └──> cli/table/write.h     screen, JSON, JSONL, CSV, raw, shell
 *
 * 3. Rules
 *
 * [see.1] Every figure is a column of the registry (cli/table/column.h).
 * [see.2] Rows add up to their total, and what is left out of a table or does
 *         not add up is said below it, with its size.
 * [see.3] What cannot be read is counted and named, with the right that is
 *         missing; it fails the command with --strict only.
 * [see.4] A key of the kernel that nobody has heard of is kept: as a row, or
 *         as a column in JSON.
 * [see.5] Nothing above cli/proc knows whether it reads a machine or a
 *         capture; so a live view and its own capture agree.
 *
 * 4. Streams
 *
 * The table goes to stdout. What is said below it goes there too on a
 * terminal, else to stderr, so that a pipe gets rows alone.
 */
#include "view.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/proc/origin.h"
#include "cli/proc/pairs.h"

#define EXIT_NOTHING 3  /* no row matched */
#define EXIT_PARTIAL 4  /* --strict, and something could not be read */
#define EXIT_CROSSED 10 /* --fail-if */

#define HEADER_ROUNDS 20u /* of a view that streams, between headers */

/* What the options ask for, parsed against the table. */
struct request {
	struct filter *filter;
	struct filter *fail_if;
	struct sort_key sort;
};

static struct buffer session_text;

char *
session_read(struct session *session, const char *path)
{
	if (source_read(session->source, path, &session_text) != 0 ||
	    session_text.text == NULL) {
		session_text.length = 0;
		buffer_puts(&session_text, "");
	}
	return session_text.text;
}

static enum format
find_format(const struct options *options)
{
	static const struct {
		enum option_id id;
		enum format format;
	} formats[] = {
		{ OPTION_JSON, FORMAT_JSON },
		{ OPTION_JSONL, FORMAT_JSONL },
		{ OPTION_CSV, FORMAT_CSV },
		{ OPTION_RAW, FORMAT_RAW },
		{ OPTION_SHELL, FORMAT_SHELL },
	};
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (options->text[formats[i].id] != NULL)
			return formats[i].format;
	return FORMAT_SCREEN;
}

static uint64_t
find_ram(struct session *session)
{
	struct pair pair;

	if (session_has(session, OPTION_RAM))
		return session->options->number[OPTION_RAM];
	char *text = session_read(session, "proc/meminfo");
	while (pair_next(&text, &pair))
		if (strcmp(pair.key, "MemTotal") == 0)
			return (uint64_t)pair.number;
	return 0;
}

/* --- -o help --- */

static const enum column_id help_columns[] = { COL_H_NAME, COL_H_TYPE,
	COL_H_UNIT, COL_H_SOURCE, COL_H_MEANING, COLUMN_NONE };

static bool
fill_help(struct session *session, struct table *table)
{
	static const char *const types[] = {
		[COLUMN_TEXT] = "text",
		[COLUMN_COUNT] = "integer",
		[COLUMN_BYTES] = "integer",
		[COLUMN_CHANGE] = "integer",
		[COLUMN_PERCENT] = "decimal",
		[COLUMN_RATIO] = "decimal",
		[COLUMN_RATE] = "decimal",
		[COLUMN_MS] = "decimal",
		[COLUMN_ADDRESS] = "address",
	};
	const struct view *view = session->state;

	for (const enum column_id *id = view->columns; *id != COLUMN_NONE;
	     id++) {
		const struct column *column = &columns[*id];
		size_t row = table_add_row(table);
		table_point_text(table, row, COL_H_NAME, column->name);
		table_point_text(table, row, COL_H_TYPE, types[column->type]);
		table_point_text(table, row, COL_H_UNIT, column_unit(column));
		table_point_text(table, row, COL_H_SOURCE, column->source);
		table_point_text(table, row, COL_H_MEANING, column->meaning);
	}
	return true;
}

static const struct view help_view = {
	.name = "columns",
	.columns = help_columns,
	.preset = "name,type,unit,source,meaning",
	.narrow = "type,unit,source",
	.sort = "",
	.fill = fill_help,
};

/* --- one round --- */

static bool
parse_request(struct session *session, struct table *table,
    struct request *request)
{
	const struct view *view = session->view;
	const struct options *options = session->options;
	const char *list = options->text[OPTION_COLUMNS];
	const char *preset =
	    session->format != FORMAT_SCREEN && view->machine != NULL
		? view->machine
		: view->preset;
	const char *sort = options->text[OPTION_SORT];

	*request = (struct request){ 0 };
	if (session_has(session, OPTION_ALL_COLUMNS))
		list = "all";
	table->keeps_unknown =
	    session->format == FORMAT_JSON || session->format == FORMAT_JSONL;
	if (!select_columns(table, list, preset, &session->problem))
		return false;
	if (!sort_parse(table, sort != NULL ? sort : view->sort, &request->sort,
		&session->problem))
		return false;
	if (session_has(session, OPTION_FILTER)) {
		request->filter = filter_parse(table,
		    options->text[OPTION_FILTER], &session->problem);
		if (request->filter == NULL)
			return false;
	}
	if (session_has(session, OPTION_FAIL_IF)) {
		request->fail_if = filter_parse(table,
		    options->text[OPTION_FAIL_IF], &session->problem);
		if (request->fail_if == NULL)
			return false;
	}
	return true;
}

/* Whether --fail-if holds for a row or the total. */
static bool
is_crossed(const struct table *table, const struct filter *filter)
{
	if (filter == NULL)
		return false;
	for (size_t i = 0; i < table->order_count; i++)
		if (filter_match(filter, table, table->order[i], NULL))
			return true;
	return filter_match(filter, table, 0, table->total);
}

static void
write_notes(struct session *session, const struct table *table)
{
	FILE *stream = session->term.is_terminal ? stdout : stderr;
	bool is_screen = session->format == FORMAT_SCREEN;

	if (session_has(session, OPTION_VIEW_QUIET) || !is_screen)
		return;
	if (stream == stderr)
		(void)fflush(stdout);
	for (struct table_note *note = table->notes; note != NULL;
	     note = note->next)
		fprintf(stream, "%s\n", note->text);
	if (session->term.is_terminal && session->view->next != NULL &&
	    !session_has(session, OPTION_WATCH))
		fprintf(stream, "%snext: %s%s\n",
		    term_style(&session->term, STYLE_FAINT),
		    session->view->next,
		    term_style(&session->term, STYLE_PLAIN));
}

struct style_of_table
view_style(const struct session *session)
{
	bool chosen = session_has(session, OPTION_COLUMNS) ||
		      session_has(session, OPTION_ALL_COLUMNS);

	return (struct style_of_table){
		.narrow = session->view->narrow,
		.header = !session_has(session, OPTION_NO_HEADER),
		.steady = session->view->streams,
		.totals = session_has(session, OPTION_TOTALS) ||
			  (session->view->totals &&
			      !session_has(session, OPTION_VIEW_QUIET)),
		.exact = session_has(session, OPTION_BYTES),
		.si = session_has(session, OPTION_SI),
		.percent_of = session_has(session, OPTION_PERCENT)
				  ? session->ram_bytes
				  : 0,
		.may_drop = !chosen,
		.fits = session->term.is_terminal ||
			session_has(session, OPTION_WIDTH),
	};
}

/* The column that --plot draws: what rows are sorted by, else the first size,
 * else the first number. */
static size_t
plotted_column(const struct table *table, const struct sort_key *sort)
{
	size_t best = table->shown[0];

	if (sort->count > 0 &&
	    table->columns[sort->columns[0]].column->type != COLUMN_TEXT)
		return sort->columns[0];
	for (size_t i = table->shown_count; i-- > 0;) {
		const struct table_column *column =
		    &table->columns[table->shown[i]];
		enum column_type best_type = table->columns[best].column->type;
		if (column->column->type == COLUMN_BYTES ||
		    (best_type == COLUMN_TEXT &&
			column->column->type != COLUMN_TEXT))
			best = table->shown[i];
	}
	return best;
}

static void
write_plot(struct session *session, struct table *table,
    const struct sort_key *sort, const struct style_of_table *style)
{
	size_t value = plotted_column(table, sort);

	if (session->options->number[OPTION_PLOT] == 0)
		write_bars(&session->term, table, value, style);
	else
		write_svg(stdout, table, value, style);
}

static void
write_table(struct session *session, struct table *table,
    const struct request *request)
{
	const struct view *view = session->view;
	char schema[64];
	struct origin origin;
	struct style_of_table style = view_style(session);

	style.schema = schema;
	style.host = origin.host;
	style.kernel = origin.kernel;
	style.time = origin.time;
	style.source = source_name(session->source);
	if ((view->streams && session->round % HEADER_ROUNDS != 0) ||
	    (session->format != FORMAT_SCREEN && session->round > 0))
		style.header = false;
	(void)snprintf(schema, sizeof(schema), "quire.%s/1", view->name);
	switch (session->format) {
	case FORMAT_SCREEN:
		if (session_has(session, OPTION_PLOT))
			write_plot(session, table, &request->sort, &style);
		else if (view->screen != NULL && style.may_drop)
			view->screen(session, table);
		else
			write_screen(&session->term, table, &style);
		break;
	case FORMAT_JSON:
		origin_find(session->source, &origin);
		write_json(stdout, table, &style);
		break;
	case FORMAT_JSONL:
	case FORMAT_CSV:
	case FORMAT_RAW:
	case FORMAT_SHELL:
		write_lines(stdout, table, session->format, &style);
		break;
	}
	write_notes(session, table);
}

static double
now_seconds(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int
exit_of_round(const struct session *session, const struct table *table,
    const struct filter *fail_if)
{
	if (is_crossed(table, fail_if))
		return EXIT_CROSSED;
	if (table->order_count == 0 && !session->may_be_empty)
		return EXIT_NOTHING;
	if (session->is_partial && session_has(session, OPTION_STRICT))
		return EXIT_PARTIAL;
	return EXIT_OK;
}

/* Fills and arranges the table, in which the request then lives. */
static bool
fill(struct session *session, struct table *table, struct request *request)
{
	table_init(table, session->view->columns);
	session->is_partial = false;
	if (!parse_request(session, table, request) ||
	    !session->view->fill(session, table)) {
		table_fini(table);
		return false;
	}
	table_order_all(table);
	if (request->filter != NULL)
		filter_rows(table, request->filter);
	sort_rows(table, &request->sort);
	total_rows(table, 0);
	return true;
}

bool
view_fill(struct session *session, struct table *table)
{
	struct request request;
	return fill(session, table, &request);
}

void
view_write(struct session *session, struct table *table)
{
	const struct style_of_table style = {
		.narrow = session->view->narrow,
		.header = true,
		.totals = session->view->totals,
		.may_drop = true,
		.fits = true,
	};
	write_screen(&session->term, table, &style);
}

/* Fills and writes the table once; the exit code. */
static int
run_round(struct session *session)
{
	struct table *table = &session->table;
	struct request request;
	double begun = now_seconds();

	if (!fill(session, table, &request))
		return problem_report(&session->problem);
	int code = exit_of_round(session, table, request.fail_if);
	total_rows(table, session->options->number[OPTION_LIMIT]);
	double read = now_seconds();
	write_table(session, table, &request);
	if (session_has(session, OPTION_VIEW_VERBOSE))
		say("%zu rows in %.1f ms, %.1f ms to write", table->row_count,
		    (read - begun) * 1e3, (now_seconds() - read) * 1e3);
	if (code == EXIT_NOTHING && !session_has(session, OPTION_VIEW_QUIET))
		say("nothing matched");
	table_fini(table);
	return code;
}

static void
wait_for_round(double seconds)
{
	struct timespec pause;
	pause.tv_sec = (time_t)seconds;
	pause.tv_nsec = (long)((seconds - (double)pause.tv_sec) * 1e9);
	(void)nanosleep(&pause, NULL);
}

/* --watch: round by round. */
static int
run_rounds(struct session *session)
{
	bool clears = session->term.is_terminal && !session->view->streams &&
		      session->format == FORMAT_SCREEN;
	double interval =
	    (double)session->options->number[OPTION_WATCH] / 1000.0;
	uint64_t count = session->options->number[OPTION_TIMES];
	double before = now_seconds();
	int code = EXIT_OK;

	for (;;) {
		if (clears)
			fputs("\033[H\033[2J", stdout);
		else if (session->round > 0 && !session->view->streams &&
			 session->format == FORMAT_SCREEN)
			fputc('\n', stdout);
		code = run_round(session);
		if (fflush(stdout) != 0 || ferror(stdout) != 0)
			return code;
		session->round++;
		if (code == EXIT_FAILED || code == EXIT_USAGE ||
		    code == EXIT_CROSSED ||
		    (count != 0 && session->round >= count))
			return code;
		wait_for_round(interval);
		double now = now_seconds();
		session->seconds = now - before;
		before = now;
	}
}

int
view_main(const struct options *options, const struct view *view)
{
	struct session session = { .options = options, .view = view };
	const char *list = options->text[OPTION_COLUMNS];
	struct options help_options = *options;

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	session.format = find_format(options);
	term_init(&session.term, stdout, options);
	session.source =
	    source_open(options->text[OPTION_SOURCE], &session.problem);
	if (session.source == NULL)
		return problem_report(&session.problem);
	if (list != NULL && strcmp(list, "help") == 0) {
		help_options.text[OPTION_COLUMNS] = NULL;
		help_options.text[OPTION_WATCH] = NULL;
		help_options.text[OPTION_SORT] = NULL;
		help_options.text[OPTION_FILTER] = NULL;
		help_options.text[OPTION_FAIL_IF] = NULL;
		help_options.text[OPTION_ALL_COLUMNS] = NULL;
		session.options = &help_options;
		session.view = &help_view;
		session.state = (void *)(uintptr_t)view;
	}
	if (session_has(&session, OPTION_PERCENT))
		session.ram_bytes = find_ram(&session);
	int code = session_has(&session, OPTION_WATCH) ? run_rounds(&session)
						       : run_round(&session);
	if (session.view->end != NULL)
		session.view->end(&session);
	source_close(session.source);
	return code;
}
