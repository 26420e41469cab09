/* SPDX-License-Identifier: MIT */
/*
 * top.c: `quire top`: the machine and its processes, live. The screens are
 * those of the other views, written into memory by the one writer and put on
 * the terminal by curses; enter goes from the processes to the mappings of
 * one, and on to its pages. What a look costs is shown: processes whose
 * numbers have not moved are not looked into again at once (sums_cache.c), and
 * the share of a CPU that top itself takes stands in its first line.
 */
#include <curses.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "cgroup.h"
#include "cli/size.h"
#include "meminfo.h"
#include "pressure.h"
#include "quire_page.h"
#include "subject.h"
#include "sums_cache.h"
#include "views.h"

#define AGE_MAX 6.0 /* seconds that unmoved processes are believed */

enum top_screen {
	SCREEN_PROCESSES,
	SCREEN_MAP,
	SCREEN_ADDRESSES,
	SCREEN_PAGES
};

struct top {
	struct session session; /* of the processes */
	struct options options; /* with what was typed */
	enum top_screen screen;
	size_t group; /* of groups[] */
	int pid;      /* that the other screens are about */
	char command[64];
	size_t row;   /* under the cursor, from 0 */
	size_t first; /* row on the top line */
	size_t rows;
	int *row_pids; /* by row; 0: it is no process */
	struct sums_cache cache;
	struct sums_cache mark; /* what d compares with */
	bool marked;
	char filter[128];
	char sort[64];
	char message[160];
	double seconds; /* between rounds */
	double cpu_before, time_before, own_percent;
	bool ends;
};

/* top is one a process; the view's fill has no other way to it. */
static struct top *top_now;

static double
clock_seconds(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- the rows of processes --- */

/* Eight steps from the least to the most of what is kept. */
static const char *
trend_of(struct table *table, const struct sums_entry *entry)
{
	static const char *const steps[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇",
		"█" };
	static const char ascii[] = "_.-=+*#@";
	int64_t least = INT64_MAX, most = 0;
	char text[HISTORY * 3 + 1] = "";
	size_t length = 0;

	for (unsigned i = 0; i < entry->history_count; i++) {
		least = entry->history[i] < least ? entry->history[i] : least;
		most = entry->history[i] > most ? entry->history[i] : most;
	}
	for (unsigned i = 0; i < entry->history_count; i++) {
		int64_t step = most > least ? (entry->history[i] - least) * 7 /
						  (most - least)
					    : 0;
		if (top_now->session.term.utf8)
			length += (size_t)snprintf(text + length,
			    sizeof(text) - length, "%s", steps[step]);
		else
			text[length++] = ascii[step];
	}
	text[length] = '\0';
	return arena_string(&table->arena, text);
}

static void
set_entry(struct table *table, size_t row, const struct sums_entry *entry)
{
	unsigned last = entry->history_count - 1;
	double seconds = entry->times[last] - entry->times[0];
	const struct sums_entry *mark =
	    top_now->marked ? sums_cache_find(&top_now->mark, entry->pid)
			    : NULL;

	if (seconds > 0)
		table_set(table, row, COL_TOP_PER_MIN,
		    (int64_t)((double)(entry->history[last] -
				       entry->history[0]) *
			      60.0 / seconds));
	table_point_text(table, row, COL_TREND, trend_of(table, entry));
	table_set(table, row, COL_AGE,
	    (int64_t)((top_now->cache.now - entry->read_at) * 1e5));
	if (top_now->marked)
		table_set(table, row, COL_SINCE_MARK,
		    entry->sums.value[SMAPS_PSS] -
			(mark != NULL ? mark->sums.value[SMAPS_PSS] : 0));
}

static bool
fill_top(struct session *session, struct table *table)
{
	struct process_query query;
	struct sums_cache *cache = &top_now->cache;

	if (!process_query_init(session, &query))
		return false;
	table->columns[table_find(table, COL_PID)].wanted = true;
	table->columns[table_find(table, COL_COMM)].wanted = true;
	cache->now = clock_seconds();
	cache->read = cache->kept = 0;
	query.cache = cache;
	processes_fill(session, &query, table);
	process_query_fini(&query);
	for (size_t row = 0; row < table->row_count; row++) {
		int pid = (int)table_get(table, row, COL_PID)->number;
		const struct sums_entry *entry = sums_cache_find(cache, pid);
		struct quire_page quire;
		if (entry != NULL && entry->history_count > 0)
			set_entry(table, row, entry);
		if (table_wants(table, COL_TOP_RATIO) &&
		    source_is_live(session->source) &&
		    quire_page_read(pid, &quire) &&
		    quire.page.swap_pooled_bytes > 0)
			table_set(table, row, COL_TOP_RATIO,
			    (int64_t)((double)quire.page.swap_pooled *
				      (double)QR_PAGE_SIZE * 100.0 /
				      (double)quire.page.swap_pooled_bytes));
	}
	sums_cache_sweep(cache);
	session->may_be_empty = true;
	return true;
}

static const enum column_id top_columns[] = { COL_PID, COL_PPID, COL_UID,
	COL_USER, COL_COMM, COL_COMMAND, COL_STATE, COL_THREADS, COL_USS,
	COL_PSS, COL_RSS, COL_VSS, COL_SWAP, COL_SWAPPSS, COL_EPSS,
	COL_PSS_DIRTY, COL_PSS_ANON, COL_PSS_FILE, COL_PSS_SHMEM, COL_RSS_ANON,
	COL_RSS_FILE, COL_RSS_SHMEM, COL_MINFLT, COL_MAJFLT, COL_OOM_SCORE,
	COL_CGROUP, COL_TOP_PER_MIN, COL_TREND, COL_AGE, COL_SINCE_MARK,
	COL_TOP_RATIO, COLUMN_NONE };

const struct view top_view = {
	.name = "top",
	.command = "top",
	.columns = top_columns,
	.preset = "pid,user,pss,uss,swap,per_min,trend,command",
	.narrow = "trend,user,per_min,swap",
	.sort = "pss,rss,pid",
	.fill = fill_top,
	.next = "quire ps -t",
};

static const struct view *const groups[] = { &top_view, &ps_comm_view,
	&ps_user_view, &ps_cgroup_view, &ps_tree_view };

static const struct view *
screen_view(const struct top *top)
{
	switch (top->screen) {
	case SCREEN_PROCESSES:
		return groups[top->group];
	case SCREEN_MAP:
		return &map_view;
	case SCREEN_ADDRESSES:
		return &map_address_view;
	case SCREEN_PAGES:
		break;
	}
	return &map_pages_view;
}

/* --- the lines above --- */

static void
put_bar(int width, double part)
{
	int full = (int)(part * width + 0.5);

	for (int i = 0; i < width; i++)
		addstr(!top_now->session.term.utf8 ? (i < full ? "#" : ".")
		       : i < full                  ? "█"
						   : "░");
}

/* Writes a part of a line, if all of it fits. */
static void
put_part(const char *text)
{
	if (getcurx(stdscr) + (int)strlen(text) < COLS)
		addstr(text);
}

static void
put_size(int64_t bytes, const char *of)
{
	char size[SIZE_TEXT_MAX], text[64];

	(void)snprintf(text, sizeof(text), "  %s %s",
	    size_format((uint64_t)bytes, size), of);
	put_part(text);
}

/* How long tasks waited for memory in the last ten seconds. */
static void
put_pressure(struct top *top)
{
	const char *pressure =
	    session_read(&top->session, "proc/pressure/memory");
	int64_t some, full;
	char text[64];

	if (!pressure_share(pressure, "some", "avg10", &some) ||
	    !pressure_share(pressure, "full", "avg10", &full))
		return;
	(void)snprintf(text, sizeof(text), "  waits some %.1f%% all %.1f%%",
	    (double)some / 100.0, (double)full / 100.0);
	put_part(text);
}

/* RAM, what matters most first: a narrow screen shows less of it. */
static void
put_machine(struct top *top)
{
	struct meminfo m;
	struct cgroup group;
	char size[SIZE_TEXT_MAX];
	int width = COLS >= 140 ? 30 : COLS >= 80 ? 12 : 6;

	if (!meminfo_read(&top->session, &m))
		return;
	int64_t available = m.available > 0 ? m.available : m.free + m.files;
	move(1, 0);
	printw("RAM   %7s ", size_format((uint64_t)m.total, size));
	put_bar(width, (double)(m.total - available) / (double)m.total);
	put_size(m.anon + m.shmem, "programs");
	put_size(m.files, "files");
	put_size(m.free, "free");
	put_size(m.kernel, "kernel");
	if (m.swap_total > 0)
		put_size(m.swap_total - m.swap_free, "swap");
	put_pressure(top);
	if (!cgroup_read(&top->session, &group) || group.limit == 0)
		return;
	move(2, 0);
	printw("LIMIT %7s ", size_format((uint64_t)group.limit, size));
	put_bar(width, (double)group.usage / (double)group.limit);
	put_size(group.usage, "used");
	put_part(group.version == 1 ? "  (control group, version 1)"
				    : "  (control group, version 2)");
}

static void
put_title(struct top *top)
{
	static const char *const titles[] = { "", "by name", "by user",
		"by control group", "by tree" };

	move(0, 0);
	attron(A_BOLD);
	if (top->screen == SCREEN_PROCESSES)
		printw("quire top %s", titles[top->group]);
	else
		printw("quire map %d %s", top->pid, top->command);
	attroff(A_BOLD);
	printw("  every %.1f s, self %.1f%% CPU", top->seconds,
	    top->own_percent);
	char looked[64];
	(void)snprintf(looked, sizeof(looked), ", %zu looked into, %zu unmoved",
	    top->cache.read, top->cache.kept);
	if (top->screen == SCREEN_PROCESSES && top->group == 0)
		put_part(looked);
	if (top->filter[0] != '\0')
		printw(", filter %s", top->filter);
}

static void
put_keys(const struct top *top)
{
	move(LINES - 1, 0);
	if (top->message[0] != '\0')
		addnstr(top->message, COLS - 1);
	else if (top->screen == SCREEN_PROCESSES)
		addnstr("enter map  g group  s sort  f filter  m mark  d since "
			"mark  space now  ? help  q quit",
		    COLS - 1);
	else
		addnstr("enter next screen  left back  space now  q quit",
		    COLS - 1);
}

/* --- a round --- */

static void
note_cost(struct top *top)
{
	struct rusage usage;
	double now = clock_seconds();

	(void)getrusage(RUSAGE_SELF, &usage);
	double cpu =
	    (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	if (top->time_before > 0 && now > top->time_before)
		top->own_percent =
		    (cpu - top->cpu_before) * 100.0 / (now - top->time_before);
	top->cpu_before = cpu;
	top->time_before = now;
}

/* Which process each row is, for enter. */
static void
keep_pids(struct top *top, const struct table *table)
{
	top->rows = table->order_count;
	top->row_pids =
	    grow(top->row_pids, (top->rows + 1) * sizeof(*top->row_pids));
	for (size_t i = 0; i < top->rows; i++)
		top->row_pids[i] =
		    screen_view(top) == &top_view
			? (int)table_get(table, table->order[i], COL_PID)
			      ->number
			: 0;
}

/* The table as text; to be freed. Its first line is the header. NULL: the
 * view has failed, and top->message says how. */
static char *
write_rows(struct top *top)
{
	char *text = NULL;
	size_t length = 0;
	char pid[16];
	char *pid_words[] = { pid, NULL };
	FILE *stream = open_memstream(&text, &length);

	if (stream == NULL)
		return NULL;
	(void)snprintf(pid, sizeof(pid), "%d", top->pid);
	top->session.view = screen_view(top);
	top->session.options = &top->options;
	if (top->screen != SCREEN_PROCESSES)
		top->options.operands = pid_words;
	top->session.term.stream = stream;
	top->session.term.width = (unsigned)COLS;
	struct table table;
	bool good = view_fill(&top->session, &table);
	if (good) {
		keep_pids(top, &table);
		view_write(&top->session, &table);
		table_fini(&table);
	} else {
		(void)snprintf(top->message, sizeof(top->message), "%.100s",
		    top->session.problem.what);
	}
	(void)fclose(stream);
	if (good)
		return text;
	free(text);
	return NULL;
}

static void
put_rows(struct top *top, char *text)
{
	int line = 3;
	size_t row = 0;
	char *next = text;
	char *header = strsep(&next, "\n");
	size_t room = LINES > 6 ? (size_t)(LINES - 6) : 1;

	if (top->row >= top->rows)
		top->row = top->rows > 0 ? top->rows - 1 : 0;
	if (top->row < top->first)
		top->first = top->row;
	if (top->row >= top->first + room)
		top->first = top->row - room + 1;
	attron(A_REVERSE);
	mvaddnstr(line++, 0, header, -1);
	attroff(A_REVERSE);
	while (next != NULL && *next != '\0' && line < LINES - 1) {
		char *content = strsep(&next, "\n");
		if (row++ < top->first)
			continue;
		if (row - 1 == top->row)
			attron(A_BOLD | A_UNDERLINE);
		mvaddnstr(line++, 0, content, -1);
		attroff(A_BOLD | A_UNDERLINE);
	}
}

static void
draw(struct top *top)
{
	char **kept = top->options.operands;
	char *text = write_rows(top);

	top->options.operands = kept;
	note_cost(top);
	erase();
	put_title(top);
	put_machine(top);
	if (text != NULL)
		put_rows(top, text);
	else
		top->screen = SCREEN_PROCESSES;
	free(text);
	put_keys(top);
	top->message[0] = '\0';
	refresh();
}

/* --- keys --- */

/* Asks for a line of text; what is left empty is none. */
static void
ask(struct top *top, const char *what, char *answer, size_t capacity)
{
	char text[128] = "";

	(void)top;
	move(LINES - 1, 0);
	clrtoeol();
	printw("%s: ", what);
	echo();
	curs_set(1);
	timeout(-1);
	(void)getnstr(text, sizeof(text) - 1);
	curs_set(0);
	noecho();
	(void)snprintf(answer, capacity, "%s", text);
}

/* Takes a typed filter or order only if the view understands it. */
static void
try_words(struct top *top)
{
	struct table table;

	top->options.text[OPTION_FILTER] =
	    top->filter[0] != '\0' ? top->filter : NULL;
	top->options.text[OPTION_SORT] =
	    top->sort[0] != '\0' ? top->sort : NULL;
	top->session.view = screen_view(top);
	top->session.options = &top->options;
	if (view_fill(&top->session, &table)) {
		table_fini(&table);
		return;
	}
	(void)snprintf(top->message, sizeof(top->message), "%.100s",
	    top->session.problem.what);
	top->filter[0] = top->sort[0] = '\0';
	top->options.text[OPTION_FILTER] = NULL;
	top->options.text[OPTION_SORT] = NULL;
}

static void
set_mark(struct top *top)
{
	struct sums_cache *mark = &top->mark;

	sums_cache_fini(mark);
	mark->count = top->cache.count;
	mark->entries = grow(NULL, mark->count * sizeof(*mark->entries));
	memcpy(mark->entries, top->cache.entries,
	    mark->count * sizeof(*mark->entries));
	top->marked = true;
	(void)snprintf(top->message, sizeof(top->message),
	    "marked: d shows what has changed since");
}

static void
go_in(struct top *top)
{
	if (top->screen == SCREEN_MAP || top->screen == SCREEN_ADDRESSES) {
		top->screen = (enum top_screen)((int)top->screen + 1);
	} else if (top->screen == SCREEN_PROCESSES && top->row < top->rows &&
		   top->row_pids[top->row] > 0) {
		top->pid = top->row_pids[top->row];
		struct arena arena = { 0 };
		(void)snprintf(top->command, sizeof(top->command), "%s",
		    subject_name(&top->session, &arena, top->pid));
		arena_fini(&arena);
		top->screen = SCREEN_MAP;
	} else {
		(void)snprintf(top->message, sizeof(top->message),
		    "a group has no mappings of its own: g shows processes");
	}
	top->row = top->first = 0;
}

static void
go_out(struct top *top)
{
	top->screen = top->screen == SCREEN_PROCESSES
			  ? SCREEN_PROCESSES
			  : (enum top_screen)((int)top->screen - 1);
	top->row = top->first = 0;
}

static void
show_help(void)
{
	static const char *const lines[] = {
		"quire top: keys",
		"",
		"up down page-up page-down home   choose a row",
		"enter, right    its mappings, then each, then their pages",
		"left, escape    back",
		"g               processes, by name, user, control group, tree",
		"s               sort by a column: pss, swap, uss, per_min ...",
		"f               filter: pss>100M and user=www",
		"m, d            mark now; show what changed since the mark",
		"+ -             look less often, more often",
		"space           look now",
		"q               quit",
		"",
		"pss is a process's share of RAM; per_min is its growth.",
		"Processes that have not moved are looked into every 6 to 13",
		"seconds only, which spares them and the CPU.",
		"",
		"any key goes back",
	};

	erase();
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		mvaddnstr((int)i, 0, lines[i], COLS);
	refresh();
	timeout(-1);
	(void)getch();
}

static void
move_row(struct top *top, int key)
{
	size_t page = LINES > 7 ? (size_t)(LINES - 7) : 1;

	if (key == KEY_UP && top->row > 0)
		top->row--;
	else if (key == KEY_DOWN)
		top->row++;
	else if (key == KEY_NPAGE)
		top->row += page;
	else if (key == KEY_PPAGE)
		top->row = top->row > page ? top->row - page : 0;
	else if (key == KEY_HOME)
		top->row = 0;
}

static void
toggle_since(struct top *top)
{
	const char *list = top->options.text[OPTION_COLUMNS];

	if (!top->marked)
		set_mark(top);
	top->options.text[OPTION_COLUMNS] =
	    list == NULL ? "pid,user,pss,since_mark,uss,swap,command" : NULL;
	(void)snprintf(top->sort, sizeof(top->sort), "%s",
	    list == NULL ? "since_mark" : "");
	top->group = 0;
	try_words(top);
}

static void
take_key(struct top *top, int key)
{
	switch (key) {
	case 'q':
		top->ends = true;
		break;
	case '\n':
	case KEY_ENTER:
	case KEY_RIGHT:
		go_in(top);
		break;
	case KEY_LEFT:
	case KEY_BACKSPACE:
	case 27:
		go_out(top);
		break;
	case 'g':
		top->group =
		    (top->group + 1) % (sizeof(groups) / sizeof(groups[0]));
		top->filter[0] = top->sort[0] = '\0';
		top->options.text[OPTION_COLUMNS] = NULL;
		try_words(top);
		break;
	case 'f':
	case 'F':
	case '/':
		ask(top, "filter", top->filter, sizeof(top->filter));
		try_words(top);
		break;
	case 's':
		ask(top, "sort by", top->sort, sizeof(top->sort));
		try_words(top);
		break;
	case 'm':
		set_mark(top);
		break;
	case 'd':
		toggle_since(top);
		break;
	case '+':
		top->seconds *= 2;
		break;
	case '-':
		top->seconds = top->seconds > 0.2 ? top->seconds / 2 : 0.1;
		break;
	case '?':
	case 'h':
		show_help();
		break;
	default:
		move_row(top, key);
		break;
	}
}

static void
run(struct top *top)
{
	uint64_t rounds = top->options.number[OPTION_TIMES];

	for (uint64_t round = 1; !top->ends; round++) {
		draw(top);
		if (rounds != 0 && round >= rounds)
			return;
		double until = clock_seconds() + top->seconds;
		for (;;) {
			double left = until - clock_seconds();
			timeout(left > 0 ? (int)(left * 1000) + 1 : 0);
			int key = getch();
			if (key == ERR || key == ' ' || key == KEY_RESIZE)
				break;
			take_key(top, key);
			if (top->ends)
				return;
			draw(top);
		}
	}
}

/* Colours, escapes and width are curses' business, not the writers'. */
static int
run_on_terminal(struct top *top)
{
	struct problem problem;

	if (newterm(NULL, stdout, stdin) == NULL) {
		problem_what(&problem, EXIT_FAILED,
		    "this terminal cannot be drawn on");
		problem_advise(&problem, "quire ps -w");
		return problem_report(&problem);
	}
	(void)cbreak();
	(void)noecho();
	(void)keypad(stdscr, TRUE);
	set_escdelay(50);
	(void)curs_set(0);
	run(top);
	(void)endwin();
	return EXIT_OK;
}

/* Into a pipe: as ps does, with the columns of top. */
static int
run_once(struct top *top)
{
	int code = view_main(&top->options, &top_view);
	sums_cache_fini(&top->cache);
	return code;
}

int
top_main(const struct options *options)
{
	struct top top = { .options = *options, .seconds = 1.0 };
	struct term term;

	term_init(&term, stdout, options);
	top.cache.age_max = AGE_MAX;
	top_now = &top;
	top.session.term = term;
	if (!term.is_terminal || getenv("TERM") == NULL ||
	    options->operands[0] != NULL)
		return run_once(&top);
	/* The characters of the user's locale, if it has any beyond ASCII. */
	(void)setlocale(LC_CTYPE, term.utf8 ? "C.UTF-8" : "C");
	top.session.options = &top.options;
	top.session.view = &top_view;
	top.session.term = term;
	top.session.term.colour = false;
	top.session.source =
	    source_open(options->text[OPTION_SOURCE], &top.session.problem);
	if (top.session.source == NULL)
		return problem_report(&top.session.problem);
	if (options->number[OPTION_WATCH] != 0)
		top.seconds = (double)options->number[OPTION_WATCH] / 1000.0;
	int code = run_on_terminal(&top);
	source_close(top.session.source);
	sums_cache_fini(&top.cache);
	sums_cache_fini(&top.mark);
	free(top.row_pids);
	return code;
}
