/* SPDX-License-Identifier: MIT */
/*
 * status.c: `quire status PID`: every line of PID/status that is about memory
 * with its meaning, known or not, and all the others with --all. Keeps
 * [see.4].
 */
#include <string.h>

#include "cli/proc/pairs.h"
#include "field_words.h"
#include "quire_page.h"
#include "subject.h"
#include "views.h"

static const struct {
	const char *key;
	const char *meaning;
} fields[] = {
	{ "Name", "Its name, 15 bytes at most." },
	{ "State", "What it does: R runs, S sleeps, D waits for a device." },
	{ "Pid", "Its number." },
	{ "PPid", "The number of its parent." },
	{ "Uid", "Real, effective, saved and file system user." },
	{ "Gid", "Real, effective, saved and file system group." },
	{ "NSpid", "Its number in each of its namespaces." },
	{ "Kthread", "1 if it is a thread of the kernel." },
	{ "VmPeak", "The largest VmSize it ever had." },
	{ "VmSize", "All addresses it has mapped: vss." },
	{ "VmLck", "Memory that mlock keeps in RAM." },
	{ "VmPin", "Memory that devices have pinned." },
	{ "VmHWM", "The largest VmRSS it ever had." },
	{ "VmRSS", "Its pages in RAM: RssAnon, RssFile and RssShmem." },
	{ "RssAnon", "Of VmRSS, anonymous memory." },
	{ "RssFile", "Of VmRSS, pages of files." },
	{ "RssShmem", "Of VmRSS, shared memory and tmpfs." },
	{ "VmData", "Addresses of private writable memory but the stack." },
	{ "VmStk", "Addresses of the main thread's stack." },
	{ "VmExe", "Addresses of the program's code." },
	{ "VmLib", "Addresses of the code of libraries." },
	{ "VmPTE", "RAM of its page tables." },
	{ "VmPMD", "RAM of the second level of its page tables." },
	{ "VmSwap", "Its anonymous pages that are out in swap." },
	{ "HugetlbPages", "Pages of hugetlbfs, which VmRSS leaves out." },
	{ "CoreDumping", "1 while its memory is written to a core file." },
	{ "THP_enabled", "1 if it may get transparent huge pages." },
	{ "untag_mask", "Bits of pointers that are addresses." },
	{ "Threads", "How many threads it has." },
	{ "Mems_allowed_list", "NUMA nodes it may take memory from." },
};

const char *
status_meaning(const char *key)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strcmp(fields[i].key, key) == 0)
			return fields[i].meaning;
	return NULL;
}

/* Numbers of one field are parted by tabs; blanks read better. */
static void
set_text(struct table *table, size_t row, const char *text)
{
	char *copy = arena_string(&table->arena, text);

	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\t')
			*c = ' ';
	table_point_text(table, row, COL_TEXT_VALUE, copy);
}

/* Sizes are about memory, whether or not they are known. */
static bool
is_wanted(const struct session *session, const struct pair *pair)
{
	return session_has(session, OPTION_ALL) || pair->is_bytes ||
	       status_meaning(pair->key) != NULL;
}

static bool
fill_status(struct session *session, struct table *table)
{
	struct pair pair;
	char path[64];
	int pid;

	if (!subject_find(session, &pid))
		return false;
	(void)snprintf(path, sizeof(path), "proc/%d/status", pid);
	char *text = session_read(session, path);
	if (*text == '\0')
		return subject_unreadable(session, pid, -2);
	while (pair_next(&text, &pair)) {
		if (!is_wanted(session, &pair))
			continue;
		size_t row = table_add_row(table);
		const char *meaning = status_meaning(pair.key);
		table_set_text(table, row, COL_FIELD, pair.key);
		table_point_text(table, row, COL_H_MEANING,
		    meaning != NULL ? meaning : FIELD_UNKNOWN);
		if (pair.is_bytes)
			table_set(table, row, COL_BYTES, pair.number);
		else
			set_text(table, row, pair.text);
	}
	quire_page_note(session, table, pid);
	return true;
}

static const enum column_id status_columns[] = { COL_FIELD, COL_BYTES,
	COL_TEXT_VALUE, COL_H_MEANING, COLUMN_NONE };

const struct view status_view = {
	.name = "status",
	.command = "status",
	.columns = status_columns,
	.preset = "field,size,value,meaning",
	.sort = "",
	.fill = fill_status,
	.next = "quire map PID   quire limits PID",
};

int
status_main(const struct options *options)
{
	return view_main(options, &status_view);
}
