/* SPDX-License-Identifier: MIT */
/* tar_write.h: writes a tar file in the ustar format, plain or through zstd. */
#ifndef CLI_PROC_TAR_WRITE_H
#define CLI_PROC_TAR_WRITE_H

#include <stdio.h>

#include <qr/types.h>

struct tar_writer;

/* level: of zstd; 0 writes it plain. NULL: no memory. */
struct tar_writer *tar_open(FILE *stream, int level);

/* Names longer than 99 bytes are left out. Errors stay in the stream. */
void tar_add(struct tar_writer *tar, const char *name, const char *data,
    size_t size, uint32_t uid);
void tar_add_directory(struct tar_writer *tar, const char *name, uint32_t uid);

/* Ends and frees it. False: zstd failed. */
bool tar_close(struct tar_writer *tar);

#endif
