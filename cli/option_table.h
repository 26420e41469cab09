/* SPDX-License-Identifier: MIT */
/*
 * option_table.h: every option of every command, once. The parser, the help
 * screens, the completions and `quire help options` are made from it; a test
 * holds the man pages against it.
 *
 *   X(id, command, long name, short name or 0, kind, operand, default,
 *     sentence)
 *
 * An empty command means all of them, "a|b" these two. The operand of a choice
 * lists its names; "DIR|off" and the like are shown as they stand.
 */
#ifndef CLI_OPTION_TABLE_H
#define CLI_OPTION_TABLE_H

#include "port/linux/config.h"
#include "see/view_options.h"

#define POLICY_NAMES                                                           \
	"auto|fifo|clock|lru|s3fifo|sieve|nru|ageing|wsclock|2q|arc|lirs|"     \
	"two-lists|generations"

/* clang-format off */
#define OPTION_TABLE(X)                                                       \
X(MEMORY, "run", "memory", 'm', BUDGET, "SIZE|N%", "",                        \
  "Keep the program and its children within SIZE bytes of RAM, or N percent " \
  "of what the machine or the control group has.")                            \
X(SWAP, "run", "swap", 0, DIRECTORY, "DIR|off", "/var/tmp",                   \
  "Put cold pages that find no room in RAM into a nameless file in DIR.")     \
X(SWAP_MAX, "run", "swap-max", 0, SIZE, "SIZE", "",                           \
  "Let the swap file grow to SIZE; by default to 4 times the budget or half " \
  "of the free space, whichever is less.")                                    \
X(POOL, "run", "pool", 0, CHOICE, QR_LINUX_POOL_NAMES, "inside",              \
  "Count compressed pages inside the budget, or outside of it.")              \
X(CODEC, "run", "codec", 0, CHOICE, QR_LINUX_CODEC_NAMES, "auto",             \
  "Compress cold pages with this codec.")                                     \
X(POLICY, "run", "policy", 0, CHOICE, POLICY_NAMES, "auto",                   \
  "Choose the pages that leave RAM by this policy.")                          \
X(DELIVERY, "run", "delivery", 0, CHOICE, QR_LINUX_DELIVERY_NAMES, "signal",  \
  "Solve page faults in the thread that touches, or in a handler thread, "    \
  "which needs privilege.")                                                   \
X(MOVER, "run", "mover", 0, CHOICE, QR_LINUX_MOVER_NAMES, "auto",             \
  "Copy pages in and out; move, which will spare the copy, is not there yet "  \
  "and is refused.")                                                          \
X(OVERCOMMIT, "run", "overcommit", 0, CHOICE, QR_LINUX_OVERCOMMIT_NAMES,      \
  "guess",                                                                    \
  "Refuse only what could never be had, or nothing, or all that passes "      \
  "twice the budget and the swap file.")                                      \
X(JSON_FILE, "run", "json", 0, FILE, "FILE", "",                              \
  "Write the summary to FILE as JSON too.")                                   \
X(QUIET, "run", "quiet", 'q', FLAG, "", "",                                   \
  "Print no summary.")                                                        \
X(VERBOSE, "run", "verbose", 'v', FLAG, "", "",                               \
  "Say what is set up, and print a longer summary.")                          \
X(DOCTOR_JSON, "doctor", "json", 0, FLAG, "", "",                             \
  "Print the findings as JSON.")                                              \
X(VERSION_JSON, "version", "json", 0, FLAG, "", "",                           \
  "Print the version as JSON.")                                               \
VIEW_OPTION_TABLE(X)                                                          \
X(COLOR, "", "color", 0, CHOICE, "auto|always|never", "auto",                 \
  "Use colours never, always, or on a terminal that has them.")               \
X(WIDTH, "", "width", 0, NUMBER, "COLUMNS", "",                               \
  "Lay the output out for a terminal of this width.")                         \
X(HELP, "", "help", 'h', FLAG, "", "",                                        \
  "Show one screen of help.")
/* clang-format on */

#endif
