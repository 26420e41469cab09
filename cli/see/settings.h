/* SPDX-License-Identifier: MIT */
/* settings.h: where the kernel's memory management is set. */
#ifndef CLI_SEE_SETTINGS_H
#define CLI_SEE_SETTINGS_H

#include <qr/types.h>

struct settings_folder {
	const char *path;
	const char *name; /* before a dot and the file's name */
};

/* Ends with a NULL path. */
extern const struct settings_folder settings_folders[];

/* A file whose reading does something: this one makes all CPUs count. */
bool settings_must_skip(const char *file);

#endif
