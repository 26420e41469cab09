/* SPDX-License-Identifier: MIT */
/*
 * pmaprc.c: pmap's files: a section [Fields Display] with the kernel's name
 * of a column a line, and [Mapping] with ShowPath, which is always so here.
 * pmap itself knows twenty of the names; here they are all that smaps has.
 */
#include "pmaprc.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

#define FILE_TEXT_MAX 16384u

static const struct {
	const char *field;
	const char *column;
} fields[] = {
	{ "Perm", "perm" },
	{ "Offset", "offset" },
	{ "Device", "device" },
	{ "Inode", "inode" },
	{ "Size", "vss" },
	{ "KernelPageSize", "kernelpagesize" },
	{ "MMUPageSize", "mmupagesize" },
	{ "Rss", "rss" },
	{ "Pss", "pss" },
	{ "Pss_Dirty", "pss_dirty" },
	{ "Shared_Clean", "shared_clean" },
	{ "Shared_Dirty", "shared_dirty" },
	{ "Private_Clean", "private_clean" },
	{ "Private_Dirty", "private_dirty" },
	{ "Referenced", "referenced" },
	{ "Anonymous", "anonymous" },
	{ "KSM", "ksm" },
	{ "LazyFree", "lazyfree" },
	{ "AnonHugePages", "anon_huge" },
	{ "ShmemPmdMapped", "shmem_pmd" },
	{ "FilePmdMapped", "file_pmd" },
	{ "Shared_Hugetlb", "shared_hugetlb" },
	{ "Private_Hugetlb", "private_hugetlb" },
	{ "Swap", "swap" },
	{ "SwapPss", "swappss" },
	{ "Locked", "locked" },
	{ "THPeligible", "thpeligible" },
	{ "ProtectionKey", "protectionkey" },
	{ "VmFlags", "vmflags" },
	{ "Mapping", "map" },
};

#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

/* The file that is meant; false: problem. */
static bool
find_path(const char *file, char path[PATH_MAX], struct problem *problem)
{
	const char *home = getenv("HOME");

	if (file != NULL
		? path_join(path, file, NULL)
		: home != NULL && path_join(path, home, "/.pmaprc", NULL))
		return true;
	problem_what(problem, EXIT_FAILED, "pmap: there is no such file: %s",
	    file != NULL ? file : "~/.pmaprc");
	return false;
}

/* Appends the column of a field; false: there is none. */
static bool
take_field(const char *field, char list[PMAPRC_LIST_MAX])
{
	size_t length = strlen(list);

	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (strcmp(fields[i].field, field) != 0)
			continue;
		(void)snprintf(list + length, PMAPRC_LIST_MAX - length, ",%s",
		    fields[i].column);
		return true;
	}
	return false;
}

bool
pmaprc_read(const char *file, char list[PMAPRC_LIST_MAX],
    struct problem *problem)
{
	char path[PATH_MAX], text[FILE_TEXT_MAX];
	bool shows = false;

	if (!find_path(file, path, problem))
		return false;
	int length = file_read(path, text, sizeof(text));
	if (length < 0) {
		problem_what(problem, EXIT_FAILED, "pmap: cannot read %s",
		    path);
		problem_why(problem, "%s", strerror(-length));
		problem_advise(problem, "quire pmap -n");
		return false;
	}
	(void)snprintf(list, PMAPRC_LIST_MAX, "address");
	char *rest = text;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		line += strspn(line, " \t");
		line[strcspn(line, " \t\r#")] = '\0';
		if (line[0] == '[')
			shows = strcmp(line, "[Fields") == 0;
		else if (line[0] != '\0' && shows && !take_field(line, list))
			say("%s: no column is called %s", path, line);
	}
	return true;
}

bool
pmaprc_write(const char *file, struct problem *problem)
{
	char path[PATH_MAX];

	if (!find_path(file, path, problem))
		return false;
	FILE *stream = fopen(path, "wxe");
	if (stream == NULL) {
		problem_what(problem, EXIT_FAILED, "pmap: cannot write %s",
		    path);
		problem_why(problem, "%s", strerror(errno));
		return false;
	}
	fputs("# Columns of pmap -c: those without a # are shown.\n\n"
	      "[Fields Display]\n",
	    stream);
	for (size_t i = 0; i < FIELD_COUNT; i++)
		fprintf(stream, "#%s\n", fields[i].field);
	fputs("\n[Mapping]\n#ShowPath\n", stream);
	bool failed = ferror(stream) != 0;
	if (fclose(stream) == 0 && !failed)
		return true;
	problem_what(problem, EXIT_FAILED, "pmap: cannot write %s", path);
	problem_why(problem, "%s", strerror(errno));
	return false;
}
