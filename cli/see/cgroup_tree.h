/* SPDX-License-Identifier: MIT */
/* cgroup_tree.h: all control groups of the hierarchy that counts memory. */
#ifndef CLI_SEE_CGROUP_TREE_H
#define CLI_SEE_CGROUP_TREE_H

#include "view.h"

/* Limits from here on are none: version 1 writes a large number. */
#define CGROUP_UNLIMITED (INT64_MAX / 2)

struct cgroup_tree {
	char *root; /* "sys/fs/cgroup/memory", as the source names it */
	int version;
	char **groups; /* "/", "/a", "/a/b" and so on */
	size_t count;
	struct arena arena; /* of all texts */
};

/* Finds the hierarchy: version 1's of memory if it is mounted, else version
 * 2's. False: there is none. */
QR_MUST_CHECK bool cgroup_tree_open(struct session *session,
    struct cgroup_tree *tree);
/* Lists its groups, parents first. */
void cgroup_tree_list(struct session *session, struct cgroup_tree *tree);
void cgroup_tree_close(struct cgroup_tree *tree);

/* The path of a group's file, or of its directory if the name is "", in the
 * tree's arena. */
char *cgroup_tree_path(struct cgroup_tree *tree, const char *group,
    const char *name);

/* The group of a process in this hierarchy, in the tree's arena; NULL. And
 * that of who looked. */
char *cgroup_tree_of(struct session *session, struct cgroup_tree *tree,
    int pid);
char *cgroup_tree_of_self(struct session *session, struct cgroup_tree *tree);

/* The files from which `quire cgroups` lists groups, NULL-ended. */
const char *const *cgroups_files(int version);

#endif
