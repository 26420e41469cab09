/* SPDX-License-Identifier: MIT */
/*
 * process.c: rows of processes. What a column comes from is read only if the
 * column is wanted: status always (3 system calls), smaps_rollup for pss and
 * its kin (3), cmdline (3), and so on. Processes come and go while they are
 * read: what vanishes meanwhile has no row. Keeps [see.3], [see.4].
 */
#include "process.h"
#include "sums_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/proc/pairs.h"

const enum column_id process_columns[] = { COL_PID, COL_PPID, COL_UID, COL_USER,
	COL_COMM, COL_COMMAND, COL_EXE, COL_CGROUP, COL_TREE, COL_STATE,
	COL_THREADS, COL_MAPS, COL_USS, COL_PSS, COL_RSS, COL_VSS, COL_SWAP,
	COL_SWAPPSS, COL_EPSS, COL_PSS_DIRTY, COL_PSS_ANON, COL_PSS_FILE,
	COL_PSS_SHMEM, COL_SHARED_CLEAN, COL_SHARED_DIRTY, COL_PRIVATE_CLEAN,
	COL_PRIVATE_DIRTY, COL_REFERENCED, COL_ANONYMOUS, COL_KSM, COL_LAZYFREE,
	COL_ANON_HUGE, COL_SHMEM_PMD, COL_FILE_PMD, COL_SHARED_HUGETLB,
	COL_PRIVATE_HUGETLB, COL_LOCKED, COL_RSS_ANON, COL_RSS_FILE,
	COL_RSS_SHMEM, COL_RSS_PEAK, COL_VSS_PEAK, COL_DATA, COL_STACK,
	COL_TEXT, COL_LIB, COL_PTE, COL_PINNED, COL_HUGETLB, COL_MINFLT,
	COL_MAJFLT, COL_CMINFLT, COL_CMAJFLT, COL_PROCESS_SHARED, COL_RSS_LIMIT,
	COL_START_BRK, COL_START_STACK, COL_READ_BYTES, COL_WRITE_BYTES,
	COL_KSM_MERGING, COL_KSM_ZERO, COL_KSM_PROFIT, COL_OOM_SCORE,
	COL_OOM_ADJ, COLUMN_NONE };

#define STATUS_KEYS 20u
#define STAT_FIELDS 47

/* What is read of each process, by the columns that are wanted. */
struct needs {
	bool stat;
	bool rollup;
	bool maps;
	bool cmdline;
	bool cgroup;
	bool exe;
	bool oom;
	bool io;
	bool ksm;
};

/* One process while its row is made. */
struct process {
	int pid;
	int ppid;
	uint32_t uid;
	char comm[64];
	char state;
	bool has_memory;
	bool has_status; /* else all is from stat */
	uint32_t has;    /* bit i: status[i] was told */
	int64_t status[STATUS_KEYS];
};

struct reading {
	struct session *session;
	const struct process_query *query;
	struct table *table;
	struct needs needs;
	struct process process;
	size_t unreadable; /* pss of other users' processes */
	size_t skipped;    /* processes that could not be read at all */
	struct buffer text;
	struct area_sums sums;
	size_t row;
};

/* --- the query --- */

static bool
take_regex(struct session *session, enum option_id id, regex_t *space,
    regex_t **regex)
{
	const char *text = session->options->text[id];
	char why[128];

	*regex = NULL;
	if (text == NULL)
		return true;
	int error = regcomp(space, text, REG_EXTENDED | REG_NOSUB);
	if (error == 0) {
		*regex = space;
		return true;
	}
	(void)regerror(error, space, why, sizeof(why));
	problem_what(&session->problem, EXIT_USAGE,
	    "bad regular expression '%s'", text);
	problem_why(&session->problem, "%s", why);
	return false;
}

bool
process_query_init(struct session *session, struct process_query *query)
{
	*query = (struct process_query){
		.all = session_has(session, OPTION_ALL),
		.no_pss = session_has(session, OPTION_NO_PSS),
		.numeric = session_has(session, OPTION_NUMERIC),
	};
	if (session->options->operands[0] != NULL)
		query->targets = session->options->operands;
	if (take_regex(session, OPTION_PROCESS, &query->regexes[0],
		&query->process) &&
	    take_regex(session, OPTION_MAPPING, &query->regexes[1],
		&query->mapping) &&
	    take_regex(session, OPTION_USERS, &query->regexes[2], &query->user))
		return true;
	process_query_fini(query);
	return false;
}

void
process_query_fini(struct process_query *query)
{
	regex_t *all[] = { query->process, query->mapping, query->user };
	for (size_t i = 0; i < 3; i++)
		if (all[i] != NULL)
			regfree(all[i]);
}

bool
process_is_wanted(const struct process_query *query, int pid, const char *comm)
{
	if (query->targets == NULL)
		return true;
	for (char **target = query->targets; *target != NULL; target++) {
		char *end;
		long number = strtol(*target, &end, 10);
		if (*end == '\0' ? number == pid : strcmp(*target, comm) == 0)
			return true;
	}
	return false;
}

/* Whether the number alone rules a process out, so that nothing of it needs to
 * be read: the targets are numbers, and it is none of them. */
static bool
is_ruled_out(const struct process_query *query, int pid)
{
	if (query->targets == NULL)
		return false;
	for (char **target = query->targets; *target != NULL; target++) {
		char *end;
		if (strtol(*target, &end, 10) == pid || *end != '\0')
			return false;
	}
	return true;
}

/* --- the files of one process --- */

static int
read_file(struct reading *reading, const char *name)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "proc/%d/%s", reading->process.pid,
	    name);
	return source_read_piece(reading->session->source, path,
	    &reading->text);
}

/* The name of status has \n and \\ for line ends and backslashes. */
static void
take_name(struct process *process, const char *text)
{
	size_t length = 0;
	for (; *text != '\0' && length + 1 < sizeof(process->comm); text++) {
		if (*text == '\\' && text[1] == 'n') {
			process->comm[length++] = '\n';
			text++;
		} else {
			if (*text == '\\' && text[1] == '\\')
				text++;
			process->comm[length++] = *text;
		}
	}
	process->comm[length] = '\0';
}

/* Keys of status in the kernel's order; the first are about who it is. */
static const struct {
	const char *key;
	enum column_id id;
} status_keys[STATUS_KEYS] = {
	{ "Name", COLUMN_NONE },
	{ "State", COLUMN_NONE },
	{ "PPid", COLUMN_NONE },
	{ "Uid", COLUMN_NONE },
	{ "VmPeak", COL_VSS_PEAK },
	{ "VmSize", COL_VSS },
	{ "VmPin", COL_PINNED },
	{ "VmHWM", COL_RSS_PEAK },
	{ "VmRSS", COL_RSS },
	{ "RssAnon", COL_RSS_ANON },
	{ "RssFile", COL_RSS_FILE },
	{ "RssShmem", COL_RSS_SHMEM },
	{ "VmData", COL_DATA },
	{ "VmStk", COL_STACK },
	{ "VmExe", COL_TEXT },
	{ "VmLib", COL_LIB },
	{ "VmPTE", COL_PTE },
	{ "VmSwap", COL_SWAP },
	{ "HugetlbPages", COL_HUGETLB },
	{ "Threads", COL_THREADS },
};

/* Takes a known key; index is its place in the table. */
static void
take_status(struct process *process, size_t index, const struct pair *pair)
{
	switch (index) {
	case 0:
		take_name(process, pair->text);
		break;
	case 1:
		process->state = pair->text[0];
		break;
	case 2:
		process->ppid = (int)pair->number;
		break;
	case 3:
		process->uid = (uint32_t)pair->number;
		break;
	default:
		process->status[index] = pair->number;
		process->has |= 1u << index;
		break;
	}
	if (status_keys[index].id == COL_VSS)
		process->has_memory = true;
}

/* Lines come in the table's order, with others between: the search for one
 * goes on where the last was found. */
static void
parse_status(struct process *process, char *text)
{
	struct pair pair;
	size_t next = 0;

	while (next < STATUS_KEYS && pair_next(&text, &pair))
		for (size_t i = next; i < STATUS_KEYS; i++)
			if (strcmp(status_keys[i].key, pair.key) == 0) {
				take_status(process, i, &pair);
				next = i + 1;
				break;
			}
}

/* A number of status; -1: it was not told. */
static int64_t
number_of(const struct reading *reading, enum column_id id)
{
	for (size_t i = 0; i < STATUS_KEYS; i++)
		if (status_keys[i].id == id)
			return (reading->process.has >> i & 1u) != 0
				   ? reading->process.status[i]
				   : -1;
	return -1;
}

static void
set_status(struct reading *reading)
{
	for (size_t i = 0; i < STATUS_KEYS; i++)
		if ((reading->process.has >> i & 1u) != 0)
			table_set(reading->table, reading->row,
			    status_keys[i].id, reading->process.status[i]);
	int64_t file = number_of(reading, COL_RSS_FILE);
	int64_t shmem = number_of(reading, COL_RSS_SHMEM);
	if (file >= 0 && shmem >= 0)
		table_set(reading->table, reading->row, COL_PROCESS_SHARED,
		    file + shmem);
}

/* "pid (comm) state ppid ... minflt cminflt majflt cmajflt ... vsize rss":
 * comm may have anything in it, so it ends at the last bracket. */
static void
parse_stat(struct reading *reading, bool sets, bool identifies)
{
	struct process *process = &reading->process;
	int64_t fields[STAT_FIELDS] = { 0 };
	char *open = strchr(reading->text.text, '(');
	char *close = strrchr(reading->text.text, ')');

	if (open == NULL || close == NULL || close < open || close[1] != ' ')
		return;
	const char *at = close + 2;
	char state = *at != '\0' ? *at++ : '?';
	for (int i = 3; i < STAT_FIELDS && *at == ' '; i++) {
		at++;
		fields[i] = number_next(&at);
	}
	if (identifies) {
		size_t length = (size_t)(close - open) - 1;
		if (length >= sizeof(process->comm))
			length = sizeof(process->comm) - 1;
		memcpy(process->comm, open + 1, length);
		process->comm[length] = '\0';
		process->state = state;
		process->ppid = (int)fields[3];
		process->has_memory = fields[22] > 0;
	}
	if (!sets)
		return;
	table_set(reading->table, reading->row, COL_MINFLT, fields[9]);
	table_set(reading->table, reading->row, COL_CMINFLT, fields[10]);
	table_set(reading->table, reading->row, COL_MAJFLT, fields[11]);
	table_set(reading->table, reading->row, COL_CMAJFLT, fields[12]);
	if (fields[24] < INT64_MAX)
		table_set(reading->table, reading->row, COL_RSS_LIMIT,
		    fields[24]);
	/* 0 for those who may not know. */
	if (fields[27] > 0)
		table_set(reading->table, reading->row, COL_START_STACK,
		    fields[27]);
	if (fields[46] > 0)
		table_set(reading->table, reading->row, COL_START_BRK,
		    fields[46]);
	if (table_get(reading->table, reading->row, COL_VSS)->kind == CELL_NONE)
		table_set(reading->table, reading->row, COL_VSS, fields[22]);
	if (table_get(reading->table, reading->row, COL_RSS)->kind == CELL_NONE)
		table_set(reading->table, reading->row, COL_RSS,
		    fields[23] * (int64_t)QR_PAGE_SIZE);
}

/* The command line of an earlier look, while the name is the same; NULL. */
static const char *
kept_command(struct reading *reading)
{
	const struct sums_cache *cache = reading->query->cache;
	const struct sums_entry *entry =
	    cache != NULL ? sums_cache_find(cache, reading->process.pid) : NULL;

	if (entry == NULL || entry->command[0] == '\0' ||
	    strcmp(entry->comm, reading->process.comm) != 0)
		return NULL;
	return entry->command;
}

static void
keep_command(struct reading *reading, const char *command)
{
	const struct sums_cache *cache = reading->query->cache;
	struct sums_entry *entry =
	    cache != NULL ? sums_cache_find(cache, reading->process.pid) : NULL;

	if (entry == NULL)
		return;
	(void)snprintf(entry->command, sizeof(entry->command), "%s", command);
	memcpy(entry->comm, reading->process.comm, sizeof(entry->comm));
}

/* The arguments with blanks between; [name] for who has none. */
static void
set_command(struct reading *reading)
{
	struct buffer *text = &reading->text;
	const char *kept = kept_command(reading);

	if (kept != NULL) {
		table_set_text(reading->table, reading->row, COL_COMMAND, kept);
		return;
	}
	if (read_file(reading, "cmdline") != 0 || text->length == 0 ||
	    text->text[0] == '\0') {
		table_point_text(reading->table, reading->row, COL_COMMAND,
		    arena_format(&reading->table->arena, "[%s]",
			reading->process.comm));
		return;
	}
	while (text->length > 0 && (text->text[text->length - 1] == '\0' ||
				       text->text[text->length - 1] == ' '))
		text->length--;
	for (size_t i = 0; i < text->length; i++)
		if (text->text[i] == '\0')
			text->text[i] = ' ';
	text->text[text->length] = '\0';
	keep_command(reading, text->text);
	table_point_text(reading->table, reading->row, COL_COMMAND,
	    arena_copy(&reading->table->arena, text->text, text->length));
}

/* The group of the hierarchy with the memory controller: of version 1 if it
 * is there, else of version 2. */
static void
set_cgroup(struct reading *reading)
{
	const char *group = NULL;
	char *line;

	if (read_file(reading, "cgroup") != 0)
		return;
	char *text = reading->text.text;
	while ((line = line_next(&text)) != NULL) {
		char *controllers = strchr(line, ':');
		char *path =
		    controllers != NULL ? strchr(controllers + 1, ':') : NULL;
		if (path == NULL)
			continue;
		*path = '\0';
		if (strstr(controllers, "memory") != NULL ||
		    (controllers[1] == '\0' && group == NULL))
			group = path + 1;
	}
	if (group != NULL)
		table_set_text(reading->table, reading->row, COL_CGROUP, group);
}

static void
set_exe(struct reading *reading)
{
	char path[64], target[PATH_MAX];
	(void)snprintf(path, sizeof(path), "proc/%d/exe", reading->process.pid);
	if (source_link(reading->session->source, path, target)[0] != '\0')
		table_set_text(reading->table, reading->row, COL_EXE, target);
}

static void
set_oom(struct reading *reading)
{
	static const struct {
		const char *name;
		enum column_id id;
	} files[] = {
		{ "oom_score", COL_OOM_SCORE },
		{ "oom_score_adj", COL_OOM_ADJ },
	};
	for (size_t i = 0; i < 2; i++) {
		if (read_file(reading, files[i].name) != 0)
			continue;
		const char *at = reading->text.text;
		table_set(reading->table, reading->row, files[i].id,
		    number_next(&at));
	}
}

/* Files of keys and numbers, each times a unit. */
static void
set_pairs(struct reading *reading, const char *file)
{
	static const struct {
		const char *key;
		enum column_id id;
		int64_t unit;
	} keys[] = {
		{ "read_bytes", COL_READ_BYTES, 1 },
		{ "write_bytes", COL_WRITE_BYTES, 1 },
		{ "ksm_merging_pages", COL_KSM_MERGING, QR_PAGE_SIZE },
		{ "ksm_zero_pages", COL_KSM_ZERO, QR_PAGE_SIZE },
		{ "ksm_process_profit", COL_KSM_PROFIT, 1 },
	};
	struct pair pair;

	if (read_file(reading, file) != 0)
		return;
	char *text = reading->text.text;
	while (pair_next(&text, &pair))
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (strcmp(keys[i].key, pair.key) == 0 &&
			    pair.number < INT64_MAX >> 12)
				table_set(reading->table, reading->row,
				    keys[i].id, pair.number * keys[i].unit);
}

static void
add_area(void *ctx, const struct smaps_area *area)
{
	struct reading *reading = ctx;
	const regex_t *mapping = reading->query->mapping;

	if (mapping != NULL &&
	    regexec(mapping, area_name(area), 0, NULL, 0) != 0)
		return;
	area_sums_add(&reading->sums, area);
	area_unknown_set(area, reading->table, reading->row);
}

/* Reads a file of areas into the sums. */
static int
sum_areas(struct reading *reading, const char *name)
{
	char path[64];
	memset(&reading->sums, 0, sizeof(reading->sums));
	(void)snprintf(path, sizeof(path), "proc/%d/%s", reading->process.pid,
	    name);
	return smaps_read(reading->session->source, path, add_area, reading);
}

static void
count_lines(void *ctx, char *text, size_t length)
{
	int64_t *count = ctx;
	for (size_t i = 0; i < length; i++)
		*count += text[i] == '\n';
}

/* How many mappings there are, from maps, which costs less than smaps. */
static void
set_map_count(struct reading *reading)
{
	char path[64];
	int64_t count = 0;

	(void)snprintf(path, sizeof(path), "proc/%d/maps",
	    reading->process.pid);
	if (source_read_lines(reading->session->source, path, count_lines,
		&count) == 0)
		table_set(reading->table, reading->row, COL_MAPS, count);
	else if (sum_areas(reading, "smaps") == 0)
		table_set(reading->table, reading->row, COL_MAPS,
		    reading->sums.count);
}

/* The sums of the whole process: of this moment, or as they were when nothing
 * that status tells of has moved since. */
static int
sum_whole(struct reading *reading)
{
	struct sums_cache *cache = reading->query->cache;
	int64_t rss = number_of(reading, COL_RSS);
	int64_t vss = number_of(reading, COL_VSS);
	int64_t swap = number_of(reading, COL_SWAP);

	if (cache == NULL)
		return sum_areas(reading, "smaps_rollup");
	struct sums_entry *entry = sums_cache_get(cache, reading->process.pid);
	entry->seen_at = cache->now;
	if (sums_cache_holds(cache, entry, rss, vss, swap)) {
		reading->sums = entry->sums;
		cache->kept++;
	} else {
		int error = sum_areas(reading, "smaps_rollup");
		if (error != 0)
			return error;
		entry->sums = reading->sums;
		entry->rss = rss;
		entry->vss = vss;
		entry->swap = swap;
		entry->read_at = cache->now;
		cache->read++;
	}
	sums_entry_note(entry, cache->now);
	return 0;
}

/* pss and its kin, from the rollup or, where there is none or mappings are to
 * be told apart, from the areas. False: not one mapping matches. */
static bool
set_areas(struct reading *reading)
{
	bool each = reading->query->mapping != NULL;
	int error = -ENOENT;

	if (reading->needs.maps && !each)
		set_map_count(reading);
	if (!reading->needs.rollup && !each)
		return true;
	if (!each)
		error = sum_whole(reading);
	if (error == -ENOENT)
		error = sum_areas(reading, "smaps");
	/* A capture lacks what could not be read. */
	bool is_live = source_is_live(reading->session->source);
	if (error == -EACCES || error == -EPERM ||
	    (error == -ENOENT && !is_live)) {
		reading->unreadable++;
		return !each;
	}
	if (error != 0)
		return !each;
	if (each) {
		table_set(reading->table, reading->row, COL_MAPS,
		    reading->sums.count);
		table_set(reading->table, reading->row, COL_VSS,
		    reading->sums.virtual_bytes);
	}
	area_sums_set(&reading->sums, reading->table, reading->row);
	return !each || reading->sums.count > 0;
}

/* --- all processes --- */

/* Who it is: of status, or of stat where a capture has no more. False: it is
 * gone, or cannot be read. */
static bool
identify(struct reading *reading, int pid)
{
	struct process *process = &reading->process;

	*process = (struct process){ .pid = pid, .state = '?' };
	int error = read_file(reading, "status");
	if (error == 0) {
		parse_status(process, reading->text.text);
		process->has_status = true;
		return true;
	}
	if (error == -EACCES || error == -EPERM)
		reading->skipped++;
	if (error != -ENOENT || read_file(reading, "stat") != 0)
		return false;
	parse_stat(reading, false, true);
	(void)source_owner(reading->session->source, pid, &process->uid);
	return true;
}

static const char *
user_name(struct reading *reading)
{
	if (reading->query->numeric)
		return arena_format(&reading->table->arena, "%u",
		    reading->process.uid);
	return source_user(reading->session->source, reading->process.uid);
}

static bool
matches(const regex_t *regex, const struct cell *cell)
{
	return cell->kind == CELL_TEXT &&
	       regexec(regex, cell->text, 0, NULL, 0) == 0;
}

static void
set_identity(struct reading *reading)
{
	struct table *table = reading->table;
	const struct process *process = &reading->process;
	size_t row = reading->row;
	char state[] = { process->state, '\0' };

	table_set(table, row, COL_PID, process->pid);
	table_set(table, row, COL_PPID, process->ppid);
	table_set(table, row, COL_UID, process->uid);
	table_set_text(table, row, COL_COMM, process->comm);
	table_set_text(table, row, COL_STATE, state);
	if (table_wants(table, COL_USER))
		table_set_text(table, row, COL_USER, user_name(reading));
}

/* Fills the row; false: it is not wanted after all, or gone. */
static bool
fill_row(struct reading *reading)
{
	const struct process_query *query = reading->query;
	const struct needs *needs = &reading->needs;

	set_identity(reading);
	if (query->user != NULL &&
	    regexec(query->user, user_name(reading), 0, NULL, 0) != 0)
		return false;
	if (needs->cmdline)
		set_command(reading);
	if (query->process != NULL &&
	    regexec(query->process, reading->process.comm, 0, NULL, 0) != 0 &&
	    !matches(query->process,
		table_get(reading->table, reading->row, COL_COMMAND)))
		return false;
	set_status(reading);
	if ((needs->stat || !reading->process.has_status) &&
	    read_file(reading, "stat") == 0)
		parse_stat(reading, true, false);
	if (reading->process.has_memory && !set_areas(reading))
		return false;
	if (needs->cgroup)
		set_cgroup(reading);
	if (needs->exe)
		set_exe(reading);
	if (needs->oom)
		set_oom(reading);
	if (needs->io)
		set_pairs(reading, "io");
	if (needs->ksm)
		set_pairs(reading, "ksm_stat");
	return true;
}

/* Takes the row that was being made back. */
static void
drop_row(struct table *table, size_t row)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (row < table->columns[i].capacity)
			table->columns[i].cells[row].kind = CELL_NONE;
	table->row_count = row;
}

/* --- trees --- */

/* The row of a process; rows are in the order of their numbers. -1: none. */
static long
row_of_pid(const struct table *table, int64_t pid)
{
	size_t low = 0, high = table->row_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (table_get(table, middle, COL_PID)->number < pid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == table->row_count ||
	    table_get(table, low, COL_PID)->number != pid)
		return -1;
	return (long)low;
}

/* Climbs from a row to the process below process 1. A capture may have
 * circles: as many steps as rows are enough. */
static size_t
root_row(const struct table *table, size_t row)
{
	for (size_t steps = 0; steps < table->row_count; steps++) {
		int64_t parent = table_get(table, row, COL_PPID)->number;
		long above = parent <= 1 ? -1 : row_of_pid(table, parent);
		if (above < 0)
			return row;
		row = (size_t)above;
	}
	return row;
}

static void
set_trees(struct table *table)
{
	for (size_t row = 0; row < table->row_count; row++) {
		size_t root = root_row(table, row);
		table_point_text(table, row, COL_TREE,
		    arena_format(&table->arena, "%s (%lld)",
			table_get(table, root, COL_COMM)->text,
			(long long)table_get(table, root, COL_PID)->number));
	}
}

static void
want(struct table *table, enum column_id id)
{
	int index = table_find(table, id);
	if (index >= 0)
		table->columns[index].wanted = true;
}

static void
find_needs(struct reading *reading)
{
	struct table *table = reading->table;

	if (table_wants(table, COL_TREE)) {
		want(table, COL_PID);
		want(table, COL_PPID);
		want(table, COL_COMM);
	}
	if (reading->query->process != NULL)
		want(table, COL_COMMAND);
	reading->needs = (struct needs){
		.stat = table_wants_source(table, "PID/stat"),
		.rollup = table_wants_source(table, "PID/smaps_rollup") &&
			  !reading->query->no_pss,
		.maps = table_wants(table, COL_MAPS),
		.cmdline = table_wants(table, COL_COMMAND),
		.cgroup = table_wants(table, COL_CGROUP),
		.exe = table_wants(table, COL_EXE),
		.io = table_wants_source(table, "PID/io"),
		.ksm = table_wants_source(table, "PID/ksm_stat"),
		.oom = table_wants(table, COL_OOM_SCORE) ||
		       table_wants(table, COL_OOM_ADJ),
	};
}

static void
note_unreadable(struct session *session, struct table *table, size_t count)
{
	table_fact(table, "unreadable", (int64_t)count);
	if (count == 0)
		return;
	session->is_partial = true;
	if (!source_is_live(session->source))
		table_note(table,
		    "%zu could not be read where this was captured: totals "
		    "are lower bounds",
		    count);
	else if (geteuid() == 0)
		table_note(table,
		    "%zu could not be read, even by root (another container, "
		    "or ending): totals are lower bounds",
		    count);
	else
		table_note(table,
		    "%zu could not be read (other users): totals are lower "
		    "bounds; it takes root or CAP_SYS_PTRACE",
		    count);
}

/* Where /proc hides other users' processes, nobody can count them. */
static void
note_hidden(struct session *session, struct table *table)
{
	char *line;

	if (!source_is_live(session->source) || geteuid() == 0)
		return;
	char *text = session_read(session, "proc/self/mountinfo");
	while ((line = line_next(&text)) != NULL)
		if (strstr(line, " /proc ") != NULL &&
		    strstr(line, "hidepid=") != NULL &&
		    strstr(line, "hidepid=0") == NULL) {
			session->is_partial = true;
			table_note(table, "/proc hides the processes of other "
					  "users here (hidepid)");
			return;
		}
}

void
processes_fill(struct session *session, const struct process_query *query,
    struct table *table)
{
	struct reading reading = { .session = session,
		.query = query,
		.table = table };
	const int *pids;

	find_needs(&reading);
	size_t count = source_pids(session->source, &pids);
	for (size_t i = 0; i < count; i++) {
		if (is_ruled_out(query, pids[i]) ||
		    !identify(&reading, pids[i]))
			continue;
		if (!query->all && !reading.process.has_memory)
			continue;
		if (!process_is_wanted(query, pids[i], reading.process.comm))
			continue;
		reading.row = table_add_row(table);
		if (!fill_row(&reading))
			drop_row(table, reading.row);
	}
	if (table_wants(table, COL_TREE))
		set_trees(table);
	buffer_fini(&reading.text);
	note_unreadable(session, table, reading.unreadable + reading.skipped);
	note_hidden(session, table);
}

/* --- areas of all processes --- */

struct area_visit {
	int pid;
	void (*visit)(void *ctx, int pid, const struct smaps_area *area);
	void *ctx;
};

static void
visit_area(void *ctx, const struct smaps_area *area)
{
	const struct area_visit *visit = ctx;
	visit->visit(visit->ctx, visit->pid, area);
}

void
processes_each_area(struct session *session, const struct process_query *query,
    struct table *notes,
    void (*visit)(void *ctx, int pid, const struct smaps_area *area), void *ctx)
{
	static const enum column_id ids[] = { COL_PID, COL_COMM, COL_COMMAND,
		COL_USER, COLUMN_NONE };
	struct area_visit each = { .visit = visit, .ctx = ctx };
	struct process_query whole = *query;
	struct table processes;
	size_t unreadable = 0;
	char path[64];

	table_init(&processes, ids);
	want(&processes, COL_PID);
	whole.no_pss = true;
	whole.mapping = NULL;
	processes_fill(session, &whole, &processes);
	for (size_t row = 0; row < processes.row_count; row++) {
		each.pid = (int)table_get(&processes, row, COL_PID)->number;
		(void)snprintf(path, sizeof(path), "proc/%d/smaps", each.pid);
		int error =
		    smaps_read(session->source, path, visit_area, &each);
		if (error == -EACCES || error == -EPERM)
			unreadable++;
	}
	table_fini(&processes);
	note_unreadable(session, notes, unreadable);
}
