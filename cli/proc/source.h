/* SPDX-License-Identifier: MIT */
/*
 * source.h: where a view reads from: this machine, a directory with proc/ in
 * it, or a capture. Paths are relative to the root: "proc/1/stat",
 * "sys/kernel/mm/...", "etc/passwd". A capture has the files of /proc at its
 * top, and the others below quire/.
 */
#ifndef CLI_PROC_SOURCE_H
#define CLI_PROC_SOURCE_H

#include <limits.h>

#include "cli/problem.h"
#include "cli/table/arena.h"

struct source;

/* NULL: this machine. "-": a capture from stdin. NULL is returned with
 * problem set. */
struct source *source_open(const char *name, struct problem *problem);
void source_close(struct source *source);

bool source_is_live(const struct source *source);
const char *source_name(const struct source *source); /* "live", or a path */

/* Reads a whole file, replacing what the buffer held. 0, or -errno with the
 * buffer empty. */
QR_MUST_CHECK int source_read(struct source *source, const char *path,
    struct buffer *buffer);

/* The same for the small files that the kernel gives in one piece: a read
 * that is not filled is the last. */
QR_MUST_CHECK int source_read_piece(struct source *source, const char *path,
    struct buffer *buffer);

/* Hands a file out in pieces of whole lines, each NUL-ended in writable
 * memory. 0 or -errno, maybe after some pieces. */
QR_MUST_CHECK int source_read_lines(struct source *source, const char *path,
    void (*visit)(void *ctx, char *text, size_t length), void *ctx);

/* A number that a file begins with; false: there is none. */
QR_MUST_CHECK bool source_number(struct source *source, const char *path,
    uint64_t *number);

/* Names in a directory, sorted; they live in the arena. -errno or how many.*/
int source_list(struct source *source, const char *path, struct arena *arena,
    char ***names);

/* The ids of the processes, rising, in memory that the source keeps until
 * the next call. */
size_t source_pids(struct source *source, const int **pids);

/* The target of a symbolic link, or "": there is none, or it is not kept. */
const char *source_link(struct source *source, const char *path,
    char target[PATH_MAX]);

/* The user's name, else the number as text; kept by the source. */
const char *source_user(struct source *source, uint32_t uid);

/* Who owns the process by the capture's own entry; false: not told. */
bool source_owner(struct source *source, int pid, uint32_t *uid);

#endif
