/* SPDX-License-Identifier: MIT */
/* source_impl.h: the two kinds of source, as source.c calls them. */
#ifndef CLI_PROC_SOURCE_IMPL_H
#define CLI_PROC_SOURCE_IMPL_H

#include "source.h"

/* --- tree.c: files below a directory --- */

struct tree_source {
	int fd;          /* of the root */
	bool is_live;    /* the root is "/" */
	bool bare;       /* the directory is itself the /proc */
	char *directory; /* buffer of getdents */
};

QR_MUST_CHECK int tree_source_open(struct tree_source *tree,
    const char *directory);
void tree_source_close(struct tree_source *tree);
QR_MUST_CHECK int tree_source_file(const struct tree_source *tree,
    const char *path);
const char *tree_source_path(const struct tree_source *tree, const char *path);
int tree_source_list(struct tree_source *tree, const char *path,
    void (*visit)(void *ctx, const char *name), void *ctx);

/* --- archive.c: a tar file in memory --- */

struct archive_entry {
	const char *name;
	const char *data;
	size_t size;
	uint32_t uid;
};

struct archive {
	char *bytes; /* the whole file, expanded */
	size_t length;
	struct archive_entry *entries; /* by name */
	size_t count;
	struct arena arena; /* names */
};

/* Reads the file, to be closed by the caller. False: problem says why. */
QR_MUST_CHECK bool archive_open(struct archive *archive, int fd,
    const char *name, struct problem *problem);
/* Takes bytes over, which malloc gave. */
QR_MUST_CHECK bool archive_parse(struct archive *archive, const char *name,
    struct problem *problem);
void archive_close(struct archive *archive);

/* NULL: there is none. */
const struct archive_entry *archive_find(const struct archive *archive,
    const char *path);

#endif
