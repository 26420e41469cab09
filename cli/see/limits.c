/* SPDX-License-Identifier: MIT */
/*
 * limits.c: `quire limits [PID]`: what keeps a process, or the machine, from
 * having more memory: overcommit, resource limits, the control group; and who
 * is killed first where memory is out.
 */
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "cli/proc/pairs.h"
#include "cli/size.h"
#include "meminfo.h"
#include "subject.h"
#include "views.h"

struct limit {
	const char *name;
	int64_t used, soft, hard; /* below 0: not told, or no limit */
	const char *meaning;
};

static void
add(struct table *table, const struct limit *limit)
{
	size_t row = table_add_row(table);

	table_set_text(table, row, COL_LIMIT, limit->name);
	table_point_text(table, row, COL_H_MEANING, limit->meaning);
	if (limit->used >= 0)
		table_set(table, row, COL_LIMIT_USED, limit->used);
	if (limit->soft >= 0)
		table_set(table, row, COL_SOFT, limit->soft);
	if (limit->hard >= 0)
		table_set(table, row, COL_HARD, limit->hard);
	if (limit->used >= 0 && limit->soft > 0)
		table_set(table, row, COL_SHARE,
		    (int64_t)((double)limit->used * 10000.0 /
			      (double)limit->soft));
}

static void
add_overcommit(struct session *session, struct table *table)
{
	static const char *const modes[] = {
		"Mode 0: promises far beyond RAM and swap are refused.",
		"Mode 1: no promise is refused.",
		"Mode 2: promises beyond this are refused.",
	};
	struct meminfo meminfo;
	uint64_t mode;

	if (!meminfo_read(session, &meminfo))
		return;
	if (!source_number(session->source, "proc/sys/vm/overcommit_memory",
		&mode) ||
	    mode > 2)
		mode = 0;
	add(table, &(struct limit){ "commit", meminfo.committed,
		       mode == 2 ? meminfo.commit_limit : -1,
		       meminfo.commit_limit, modes[mode] });
	add(table, &(struct limit){ "ram", meminfo.total - meminfo.available,
		       meminfo.total, meminfo.total,
		       "RAM of the machine; beyond it pages must go." });
	add(table,
	    &(struct limit){ "swap", meminfo.swap_total - meminfo.swap_free,
		meminfo.swap_total, meminfo.swap_total,
		"Where anonymous pages can go." });
}

static void
add_group(struct session *session, struct table *table)
{
	struct cgroup group;

	if (cgroup_read(session, &group))
		add(table,
		    &(struct limit){ "cgroup", group.usage, group.limit,
			group.limit,
			"The control group's; beyond it pages must go, or a "
			"process is killed." });
}

/* --- resource limits --- */

static const struct {
	const char *line; /* of PID/limits */
	const char *name;
	const char *key; /* of PID/status that counts against it */
	const char *meaning;
} resources[] = {
	{ "Max address space", "address space", "VmSize",
	    "mmap and brk fail beyond it (ulimit -v)." },
	{ "Max data size", "data", "VmData",
	    "brk and private mmap fail beyond it (ulimit -d)." },
	{ "Max stack size", "stack", "VmStk",
	    "The main thread dies beyond it (ulimit -s)." },
	{ "Max locked memory", "locked", "VmLck",
	    "mlock fails beyond it (ulimit -l)." },
	{ "Max resident set", "resident", "VmRSS",
	    "Linux ignores it (ulimit -m)." },
};

#define RESOURCES (sizeof(resources) / sizeof(resources[0]))

static int64_t
limit_number(const char *word)
{
	if (word == NULL || *word < '0' || *word > '9')
		return -1; /* unlimited */
	const char *at = word;
	return number_next(&at);
}

static int64_t
status_number(struct session *session, int pid, const char *key)
{
	struct pair pair;
	char path[64];

	(void)snprintf(path, sizeof(path), "proc/%d/status", pid);
	char *text = session_read(session, path);
	while (pair_next(&text, &pair))
		if (strcmp(pair.key, key) == 0)
			return pair.number;
	return -1;
}

static bool
add_resources(struct session *session, struct table *table, int pid)
{
	char path[64];
	char *line;

	(void)snprintf(path, sizeof(path), "proc/%d/limits", pid);
	char *text = arena_string(&table->arena, session_read(session, path));
	if (*text == '\0')
		return false;
	while ((line = line_next(&text)) != NULL)
		for (size_t i = 0; i < RESOURCES; i++) {
			size_t length = strlen(resources[i].line);
			if (strncmp(line, resources[i].line, length) != 0)
				continue;
			char *rest = line + length;
			const char *soft = word_next(&rest);
			const char *hard = word_next(&rest);
			add(table,
			    &(struct limit){ resources[i].name,
				status_number(session, pid, resources[i].key),
				limit_number(soft), limit_number(hard),
				resources[i].meaning });
		}
	return true;
}

/* --- who dies next --- */

struct victim {
	int pid;
	int64_t score;
};

static int64_t
score_of(struct session *session, int pid)
{
	char path[64];
	uint64_t score;

	(void)snprintf(path, sizeof(path), "proc/%d/oom_score", pid);
	return source_number(session->source, path, &score) ? (int64_t)score
							    : -1;
}

/* Names the three with the highest scores, and where pid stands. */
static void
note_victims(struct session *session, struct table *table, int pid)
{
	struct victim first[3] = { { 0, -1 }, { 0, -1 }, { 0, -1 } };
	const int *pids;
	int64_t own = pid > 0 ? score_of(session, pid) : -1;
	size_t before = 0;
	size_t count = source_pids(session->source, &pids);

	for (size_t i = 0; i < count; i++) {
		struct victim victim = { pids[i], score_of(session, pids[i]) };
		before += victim.score > own;
		for (size_t j = 0; j < 3; j++)
			if (victim.score > first[j].score) {
				struct victim other = first[j];
				first[j] = victim;
				victim = other;
			}
	}
	for (size_t j = 0; j < 3 && first[j].score >= 0; j++)
		table_note(table, "%s: %d %s (score %lld)",
		    j == 0 ? "where memory is out, who dies first"
			   : "                                then",
		    first[j].pid,
		    subject_name(session, &table->arena, first[j].pid),
		    (long long)first[j].score);
	if (own >= 0)
		table_note(table, "process %d has score %lld: %zu go before it",
		    pid, (long long)own, before);
}

static bool
fill_limits(struct session *session, struct table *table)
{
	int pid = 0;

	if (session->options->operands[0] != NULL) {
		if (!subject_find(session, &pid))
			return false;
		if (!add_resources(session, table, pid))
			return subject_unreadable(session, pid, -13);
	}
	add_group(session, table);
	add_overcommit(session, table);
	note_victims(session, table, pid);
	return true;
}

static const enum column_id limits_columns[] = { COL_LIMIT, COL_LIMIT_USED,
	COL_SOFT, COL_HARD, COL_SHARE, COL_H_MEANING, COLUMN_NONE };

const struct view limits_view = {
	.name = "limits",
	.command = "limits",
	.columns = limits_columns,
	.preset = "limit,used,soft,hard,share,meaning",
	.narrow = "hard,share",
	.sort = "",
	.fill = fill_limits,
	.next = "quire ps -o +oom_score -s oom_score -n 10   quire free",
};

int
limits_main(const struct options *options)
{
	return view_main(options, &limits_view);
}
