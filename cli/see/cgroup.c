/* SPDX-License-Identifier: MIT */
/* cgroup.c: the group with the tightest limit, and what is in it; versions 1
 * and 2 name the same things differently. */
#include "cgroup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/limit.h"
#include "cli/proc/pairs.h"

static int
read_text(void *ctx, const char *path, char *text, size_t capacity)
{
	struct session *session = ctx;
	const char *whole = session_read(session, path + 1);
	size_t length = strlen(whole);

	if (length == 0)
		return -ENOENT;
	if (length >= capacity)
		length = capacity - 1;
	memcpy(text, whole, length);
	text[length] = '\0';
	return (int)length;
}

static int64_t
read_number(struct session *session, const char *directory, const char *name)
{
	char path[PATH_MAX];
	uint64_t number;

	(void)snprintf(path, sizeof(path), "%s/%s", directory + 1, name);
	return source_number(session->source, path, &number) ? (int64_t)number
							     : 0;
}

/* memory.stat: version 1 has sums over all groups below as total_*. */
static void
read_stat(struct session *session, struct cgroup *group)
{
	struct pair pair;
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/memory.stat", group->path + 1);
	char *text = session_read(session, path);
	while (pair_next(&text, &pair)) {
		const char *key = pair.key;
		if (group->version == 1 && strncmp(key, "total_", 6) == 0)
			key += 6;
		else if (group->version == 1)
			continue;
		if (strcmp(key, "anon") == 0 || strcmp(key, "rss") == 0)
			group->anon = pair.number;
		else if (strcmp(key, "file") == 0 || strcmp(key, "cache") == 0)
			group->file = pair.number;
		else if (strcmp(key, "shmem") == 0)
			group->shmem = pair.number;
		else if (strcmp(key, "kernel") == 0)
			group->kernel = pair.number;
	}
}

bool
cgroup_read(struct session *session, struct cgroup *group)
{
	struct limits *limits = grow(NULL, sizeof(*limits));
	bool found = limits_read_with(read_text, session, limits) &&
		     limits->cgroup_version != 0;

	*group = (struct cgroup){ 0 };
	if (found) {
		memcpy(group->path, limits->group, sizeof(group->path));
		group->version = limits->cgroup_version;
		group->limit = (int64_t)limits->cgroup_bytes;
		bool first = group->version == 1;
		group->usage = read_number(session, group->path,
		    first ? "memory.usage_in_bytes" : "memory.current");
		read_stat(session, group);
		if (first)
			group->kernel = read_number(session, group->path,
			    "memory.kmem.usage_in_bytes");
	}
	free(limits);
	return found;
}
