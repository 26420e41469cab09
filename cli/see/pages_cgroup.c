/* SPDX-License-Identifier: MIT */
/*
 * pages_cgroup.c: `quire pages --by cgroup`: who is charged for each page
 * frame, out of kpagecgroup, which names a control group by the inode of its
 * directory.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup_tree.h"
#include "frames.h"
#include "views.h"

#define BATCH ((size_t)65536) /* frames a read */

/* Frames of a group. Few groups have pages, and neighbours are of the same:
 * the one that was found last is tried first. */
struct owner {
	uint64_t inode; /* 0: nobody */
	uint64_t frames;
};

struct owners {
	struct owner *list;
	size_t count;
	size_t last;
};

static struct owner *
owner_of(struct owners *owners, uint64_t inode)
{
	if (owners->count > 0 && owners->list[owners->last].inode == inode)
		return &owners->list[owners->last];
	for (size_t i = 0; i < owners->count; i++)
		if (owners->list[i].inode == inode) {
			owners->last = i;
			return &owners->list[i];
		}
	if (owners->count % 64 == 0)
		owners->list = grow(owners->list,
		    (owners->count + 64) * sizeof(*owners->list));
	owners->last = owners->count++;
	owners->list[owners->last] = (struct owner){ .inode = inode };
	return &owners->list[owners->last];
}

static bool
read_owners(struct session *session, struct owners *owners)
{
	int fd = frames_open(session, "/proc/kpagecgroup");
	int flag_fd = fd >= 0 ? frames_open(session, "/proc/kpageflags") : -1;
	ssize_t got;

	if (flag_fd < 0) {
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	uint64_t *inodes = grow(NULL, 2 * BATCH * sizeof(*inodes));
	uint64_t *flags = inodes + BATCH;
	while ((got = read(fd, inodes, BATCH * sizeof(*inodes))) > 0 &&
	       read(flag_fd, flags, (size_t)got) == got)
		for (size_t i = 0; i < (size_t)got / sizeof(*inodes); i++)
			if ((flags[i] & FRAME_NOPAGE) == 0)
				owner_of(owners, inodes[i])->frames++;
	free(inodes);
	(void)close(fd);
	(void)close(flag_fd);
	return true;
}

/* The name of a group by its inode; NULL: it is gone. */
static const char *
name_of(struct cgroup_tree *tree, uint64_t inode)
{
	struct stat status;

	for (size_t i = 0; i < tree->count; i++) {
		const char *path = cgroup_tree_path(tree, tree->groups[i], "");
		if (stat(arena_format(&tree->arena, "/%s", path), &status) ==
			0 &&
		    status.st_ino == inode)
			return tree->groups[i];
	}
	return NULL;
}

static bool
fill_owners(struct session *session, struct table *table)
{
	struct owners owners = { .count = 0 };
	struct cgroup_tree tree;

	if (!read_owners(session, &owners))
		return false;
	bool named = cgroup_tree_open(session, &tree);
	if (named)
		cgroup_tree_list(session, &tree);
	for (size_t i = 0; i < owners.count; i++) {
		uint64_t inode = owners.list[i].inode;
		const char *name =
		    named && inode != 0 ? name_of(&tree, inode) : NULL;
		size_t row = table_add_row(table);
		table_set_text(table, row, COL_CGROUP,
		    inode == 0     ? "[nobody]"
		    : name != NULL ? name
				   : "[gone]");
		table_set(table, row, COL_FRAMES,
		    (int64_t)owners.list[i].frames);
		table_set(table, row, COL_FRAME_BYTES,
		    (int64_t)(owners.list[i].frames * QR_PAGE_SIZE));
	}
	if (named)
		cgroup_tree_close(&tree);
	free(owners.list);
	table_note(table, "nobody's: free frames, and the kernel's own");
	return true;
}

static const enum column_id pages_cgroup_columns[] = { COL_CGROUP, COL_FRAMES,
	COL_FRAME_BYTES, COLUMN_NONE };

const struct view pages_cgroup_view = {
	.name = "pages-cgroup",
	.command = "pages",
	.columns = pages_cgroup_columns,
	.preset = "size,frames,cgroup",
	.narrow = "frames",
	.sort = "frames,cgroup",
	.totals = true,
	.fill = fill_owners,
	.next = "quire cgroups   quire pages",
};
