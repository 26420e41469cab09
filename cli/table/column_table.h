/* SPDX-License-Identifier: MIT */
/*
 * column_table.h: every column of every view, once:
 *
 *   X(id, name, type, total, source, sentence)
 *
 * The source is a file below /proc, or its whole path; "" for what Quire
 * works out itself.
 */
#ifndef CLI_TABLE_COLUMN_TABLE_H
#define CLI_TABLE_COLUMN_TABLE_H

#include "group_columns.h"
#include "kernel_columns.h"
#include "machine_columns.h"
#include "process_columns.h"

/* clang-format off */
#define HELP_COLUMNS(X)                                                       \
X(H_NAME, "name", TEXT, NONE, "",                                             \
  "The name of a column or of what a row is about.")                          \
X(H_TYPE, "type", TEXT, NONE, "",                                             \
  "What kind of value it is.")                                                \
X(H_UNIT, "unit", TEXT, NONE, "",                                             \
  "What a number counts.")                                                    \
X(H_SOURCE, "source", TEXT, NONE, "",                                         \
  "Where the kernel tells it.")                                               \
X(H_MEANING, "meaning", TEXT, NONE, "",                                       \
  "What it is, in a sentence.")
/* clang-format on */

#define COLUMN_TABLE(X)                                                        \
	HELP_COLUMNS(X)                                                        \
	PROCESS_COLUMNS(X)                                                     \
	MAPPING_COLUMNS(X)                                                     \
	MACHINE_COLUMNS(X)                                                     \
	QUIRE_COLUMNS(X)                                                       \
	LIMIT_COLUMNS(X)                                                       \
	KERNEL_COLUMNS(X)                                                      \
	GROUP_COLUMNS(X)

#endif
