/* SPDX-License-Identifier: MIT */
/* file.h: small files read whole, paths put together. */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include <limits.h>

#include <qr/types.h>

/* Reads up to capacity - 1 bytes and ends them with a NUL. The length, or
 * -errno. */
QR_MUST_CHECK int file_read(const char *path, char *text, size_t capacity);

/* Reads the decimal number that a file begins with. False: there is none. */
QR_MUST_CHECK bool file_read_number(const char *path, uint64_t *number);

/* Joins the NULL-ended parts into path, which has PATH_MAX bytes. False: it
 * does not fit. */
QR_MUST_CHECK bool path_join(char *path, ...) __attribute__((sentinel));

/* Makes the directory and those above it, with mode 0700. 0 or -errno. */
QR_MUST_CHECK int directory_make(const char *path);

/* The directory that holds this very program. False: it can't be told. */
QR_MUST_CHECK bool own_directory(char *path);

/* $XDG_STATE_HOME/quire, else ~/.local/state/quire, in path of PATH_MAX
 * bytes. False: neither variable is set to an absolute path. */
QR_MUST_CHECK bool state_directory(char *path);

#endif
