/* SPDX-License-Identifier: MIT */
/*
 * limit.c: the limits of control groups, both versions.
 *
 * /proc/self/cgroup says in which group we are, /proc/self/mountinfo where
 * that hierarchy is mounted and which of its groups is the mount's root. A
 * limit binds all groups below it, so every directory from ours up to the
 * mount is read and the smallest number counts. A machine may have both
 * versions at once, with the memory controller in one of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "limit.h"

#define TEXT_MAX 65536u /* bytes of mountinfo and the like */

/* Who reads the files. */
struct reader {
	int (*read)(void *ctx, const char *path, char *text, size_t capacity);
	void *ctx;
};

/* Where one hierarchy is. */
struct hierarchy {
	int version;
	char mount[PATH_MAX]; /* its mount point */
	char group[PATH_MAX]; /* our group, relative to the mount */
};

static bool
list_has(const char *list, const char *word)
{
	size_t length = strlen(word);
	while (*list != '\0') {
		size_t span = strcspn(list, ",");
		if (span == length && strncmp(list, word, length) == 0)
			return true;
		list += span;
		list += *list == ',';
	}
	return false;
}

/* Finds our group's path in /proc/self/cgroup; lines "id:controllers:path". */
static bool
find_group(char *text, int version, char *group)
{
	char *next = text;
	char *line;
	while ((line = strsep(&next, "\n")) != NULL) {
		(void)strsep(&line, ":");
		char *controllers = strsep(&line, ":");
		if (line == NULL)
			continue;
		bool found = version == 2 ? controllers[0] == '\0'
					  : list_has(controllers, "memory");
		if (found)
			return path_join(group, line, NULL);
	}
	return false;
}

/* One line of mountinfo; true: it mounts the hierarchy. */
static bool
parse_mount(char *line, int version, char **mount_root, char **mount_point)
{
	char *type = strstr(line, " - ");
	if (type == NULL)
		return false;
	*type = '\0';
	type += 3;
	char *options = type;
	type = strsep(&options, " ");
	(void)strsep(&options, " "); /* the source */
	if (options == NULL)
		return false;
	if (strcmp(type, version == 2 ? "cgroup2" : "cgroup") != 0 ||
	    (version == 1 && !list_has(options, "memory")))
		return false;
	for (int skip = 0; skip < 3; skip++)
		(void)strsep(&line, " ");
	*mount_root = strsep(&line, " ");
	*mount_point = strsep(&line, " ");
	return *mount_point != NULL;
}

static bool
find_mount(char *text, struct hierarchy *hierarchy)
{
	char *next = text;
	char *line, *mount_root, *mount_point;
	while ((line = strsep(&next, "\n")) != NULL) {
		if (!parse_mount(line, hierarchy->version, &mount_root,
			&mount_point))
			continue;
		/* Our path counts from the root of the hierarchy; what is
		 * above the mount's root cannot be seen here. */
		size_t length = strlen(mount_root);
		char *group = hierarchy->group;
		if (strcmp(mount_root, "/") == 0)
			length = 0;
		if (strncmp(group, mount_root, length) != 0 ||
		    strstr(group, "/..") != NULL)
			group[0] = '\0';
		else
			memmove(group, group + length,
			    strlen(group + length) + 1);
		return path_join(hierarchy->mount, mount_point, NULL);
	}
	return false;
}

/* The smallest limit in one directory; UINT64_MAX: none. */
static uint64_t
directory_limit(const struct reader *reader, const struct hierarchy *hierarchy)
{
	static const char *const names[3][2] = {
		{ NULL, NULL },
		{ "/memory.limit_in_bytes", NULL },
		{ "/memory.max", "/memory.high" },
	};
	uint64_t least = UINT64_MAX;
	for (int i = 0; i < 2; i++) {
		char path[PATH_MAX];
		char text[64];
		char *end;
		const char *name = names[hierarchy->version][i];
		if (name == NULL ||
		    !path_join(path, hierarchy->mount, hierarchy->group, name,
			NULL) ||
		    reader->read(reader->ctx, path, text, sizeof(text)) <= 0)
			continue;
		errno = 0;
		unsigned long long number = strtoull(text, &end, 10);
		if (end != text && errno == 0 && number < least)
			least = number;
	}
	return least;
}

/* The smallest limit on the way up; group: the directory that has it. */
static uint64_t
hierarchy_limit(const struct reader *reader, int version, char *text,
    char *group)
{
	struct hierarchy hierarchy = { .version = version };
	uint64_t least = UINT64_MAX;

	if (reader->read(reader->ctx, "/proc/self/cgroup", text, TEXT_MAX) <
		0 ||
	    !find_group(text, version, hierarchy.group))
		return least;
	if (reader->read(reader->ctx, "/proc/self/mountinfo", text, TEXT_MAX) <
		0 ||
	    !find_mount(text, &hierarchy))
		return least;
	for (;;) {
		uint64_t limit = directory_limit(reader, &hierarchy);
		if (limit < least &&
		    path_join(group, hierarchy.mount, hierarchy.group, NULL))
			least = limit;
		char *slash = strrchr(hierarchy.group, '/');
		if (slash == NULL)
			return least;
		*slash = '\0';
	}
}

static bool
read_ram(const struct reader *reader, char *text, uint64_t *ram_bytes)
{
	if (reader->read(reader->ctx, "/proc/meminfo", text, TEXT_MAX) < 0)
		return false;
	const char *total = strstr(text, "MemTotal:");
	if (total == NULL)
		return false;
	*ram_bytes = strtoull(total + strlen("MemTotal:"), NULL, 10) * 1024;
	return *ram_bytes != 0;
}

bool
limits_read_with(int (*read)(void *ctx, const char *path, char *text,
		     size_t capacity),
    void *ctx, struct limits *limits)
{
	struct reader reader = { read, ctx };
	char *text = malloc(TEXT_MAX);
	char group[PATH_MAX];
	bool known =
	    text != NULL && read_ram(&reader, text, &limits->ram_bytes);

	limits->cgroup_bytes = 0;
	limits->cgroup_version = 0;
	limits->group[0] = '\0';
	for (int version = 1; known && version <= 2; version++) {
		uint64_t limit = hierarchy_limit(&reader, version, text, group);
		/* Version 1 says "no limit" with a number above all RAM. */
		if (limit >= limits->ram_bytes ||
		    (limits->cgroup_version != 0 &&
			limit >= limits->cgroup_bytes))
			continue;
		limits->cgroup_bytes = limit;
		limits->cgroup_version = version;
		memcpy(limits->group, group, sizeof(group));
	}
	free(text);
	return known;
}

static int
read_below(void *ctx, const char *path, char *text, size_t capacity)
{
	char whole[PATH_MAX];
	const char *root = ctx;

	if (!path_join(whole, root, path, NULL))
		return -ENAMETOOLONG;
	return file_read(whole, text, capacity);
}

bool
limits_read(const char *root, struct limits *limits)
{
	return limits_read_with(read_below, (void *)(uintptr_t)root, limits);
}

uint64_t
limits_usable(const struct limits *limits)
{
	return limits->cgroup_version != 0 ? limits->cgroup_bytes
					   : limits->ram_bytes;
}
