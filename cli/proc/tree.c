/* SPDX-License-Identifier: MIT */
/* tree.c: a source that is files below a directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source_impl.h"

int
tree_source_open(struct tree_source *tree, const char *directory)
{
	struct stat status;

	*tree = (struct tree_source){ .fd = -1 };
	tree->fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree->fd < 0)
		return -errno;
	tree->is_live = strcmp(directory, "/") == 0;
	tree->bare = !tree->is_live &&
		     fstatat(tree->fd, "proc", &status, 0) != 0 &&
		     fstatat(tree->fd, "meminfo", &status, 0) == 0;
	return 0;
}

void
tree_source_close(struct tree_source *tree)
{
	(void)close(tree->fd);
}

const char *
tree_source_path(const struct tree_source *tree, const char *path)
{
	return tree->bare && strncmp(path, "proc/", 5) == 0 ? path + 5 : path;
}

int
tree_source_file(const struct tree_source *tree, const char *path)
{
	int fd = openat(tree->fd, tree_source_path(tree, path),
	    O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int
tree_source_list(struct tree_source *tree, const char *path,
    void (*visit)(void *ctx, const char *name), void *ctx)
{
	const char *below = tree_source_path(tree, path);
	if (tree->bare && strcmp(path, "proc") == 0)
		below = ".";
	int fd = openat(tree->fd, below, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	DIR *directory = fdopendir(fd);
	if (directory == NULL) {
		(void)close(fd);
		return -ENOMEM;
	}
	struct dirent *entry;
	while ((entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.')
			visit(ctx, entry->d_name);
	(void)closedir(directory);
	return 0;
}
