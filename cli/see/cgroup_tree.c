/* SPDX-License-Identifier: MIT */
/*
 * cgroup_tree.c: where control groups are mounted, and which there are. A
 * group is a directory; what else a directory has are the kernel's files,
 * whose names are not tried as groups.
 */
#include "cgroup_tree.h"

#include <stdlib.h>
#include <string.h>

#include "cli/proc/pairs.h"

#define GROUPS_MAX 65536u

/* "36 25 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory" */
static bool
take_mount(struct cgroup_tree *tree, char *line)
{
	char *rest = strstr(line, " - cgroup");
	const char *words[5] = { NULL };

	if (rest == NULL)
		return false;
	bool second = strncmp(rest, " - cgroup2 ", 11) == 0;
	bool memory = strstr(rest, ",memory") != NULL;
	if (!second && !memory)
		return false;
	for (size_t i = 0; i < 5; i++)
		words[i] = word_next(&line);
	if (words[4] == NULL || words[4][0] != '/')
		return false;
	tree->root = arena_string(&tree->arena, words[4] + 1);
	tree->version = second ? 2 : 1;
	return !second;
}

bool
cgroup_tree_open(struct session *session, struct cgroup_tree *tree)
{
	char *line;
	char *text = session_read(session, "proc/self/mountinfo");

	*tree = (struct cgroup_tree){ .version = 0 };
	while ((line = line_next(&text)) != NULL)
		if (take_mount(tree, line))
			break;
	if (tree->version != 0)
		return true;
	cgroup_tree_close(tree);
	return false;
}

char *
cgroup_tree_path(struct cgroup_tree *tree, const char *group, const char *name)
{
	return arena_format(&tree->arena, "%s%s%s%s", tree->root,
	    strcmp(group, "/") == 0 ? "" : group, *name != '\0' ? "/" : "",
	    name);
}

static bool
may_be_group(const char *name)
{
	static const char *const files[] = { "cgroup.", "memory.", "cpu.",
		"cpuset.", "cpuacct.", "io.", "pids.", "hugetlb.", "rdma.",
		"misc.", "irq.", "tasks", "notify_on_release",
		"release_agent" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (strncmp(name, files[i], strlen(files[i])) == 0)
			return false;
	return true;
}

static void
add_group(struct cgroup_tree *tree, char *group)
{
	if (tree->count % 64 == 0)
		tree->groups = grow(tree->groups,
		    (tree->count + 64) * sizeof(*tree->groups));
	tree->groups[tree->count++] = group;
}

/* The list is its own queue: each group's children go to its end. */
void
cgroup_tree_list(struct session *session, struct cgroup_tree *tree)
{
	char **names;

	add_group(tree, arena_string(&tree->arena, "/"));
	for (size_t i = 0; i < tree->count && tree->count < GROUPS_MAX; i++) {
		const char *group = tree->groups[i];
		int count = source_list(session->source,
		    cgroup_tree_path(tree, group, ""), &tree->arena, &names);
		if (count < 0 && i > 0) {
			/* A file after all. */
			tree->count--;
			memmove(&tree->groups[i], &tree->groups[i + 1],
			    (tree->count - i) * sizeof(*tree->groups));
			i--;
		}
		for (int j = 0; j < count; j++)
			if (may_be_group(names[j]))
				add_group(tree,
				    arena_format(&tree->arena, "%s/%s",
					i == 0 ? "" : group, names[j]));
	}
}

void
cgroup_tree_close(struct cgroup_tree *tree)
{
	free(tree->groups);
	arena_fini(&tree->arena);
	*tree = (struct cgroup_tree){ .version = 0 };
}

static char *
group_in(struct session *session, struct cgroup_tree *tree, const char *path)
{
	char *line;
	char *text = session_read(session, path);
	while ((line = line_next(&text)) != NULL) {
		char *controllers = strchr(line, ':');
		char *group =
		    controllers != NULL ? strchr(controllers + 1, ':') : NULL;
		if (group == NULL)
			continue;
		*group++ = '\0';
		if (tree->version == 2 ? controllers[1] == '\0'
				       : strstr(controllers, "memory") != NULL)
			return arena_string(&tree->arena, group);
	}
	return NULL;
}

char *
cgroup_tree_of(struct session *session, struct cgroup_tree *tree, int pid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "proc/%d/cgroup", pid);
	return group_in(session, tree, path);
}

char *
cgroup_tree_of_self(struct session *session, struct cgroup_tree *tree)
{
	return group_in(session, tree, "proc/self/cgroup");
}
