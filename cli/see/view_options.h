/* SPDX-License-Identifier: MIT */
/*
 * view_options.h: the options that all views have, as rows of the option
 * table, and the options of some of them.
 */
#ifndef CLI_SEE_VIEW_OPTIONS_H
#define CLI_SEE_VIEW_OPTIONS_H

/* The commands that are views, as the owner of options. */
#define VIEW_NAMES                                                             \
	"ps|map|status|limits|shm|time|free|meminfo|vmstat|swap|cache|"        \
	"buddy|zones|slab|vmalloc|numa|pages|huge|cgroups|settings|top|diff"

#define MAP_GROUPS "kind|address|name"
#define FREE_LIKES "free|smem"
#define PLOTS      "bars|svg"
#define MAP_LIKES  "pmap|pmap-x|pmap-d|pmap-X|pmap-XX|smem"
#define DIFF_OF    "comm|process|user|map|meminfo|slab|vmalloc|shm"
#define PS_GROUPS  "process|user|map|comm|exe|cgroup|tree"

/* clang-format off */
#define VIEW_OPTION_TABLE(X)                                                  \
X(COLUMNS, VIEW_NAMES, "columns", 'o', COLUMNS, "LIST|help", "",              \
  "Show these columns; +NAME adds one to the usual, -NAME takes one away.")   \
X(ALL_COLUMNS, VIEW_NAMES, "all-columns", 'O', FLAG, "", "",                  \
  "Show all columns that the view has.")                                      \
X(SORT, VIEW_NAMES, "sort", 's', COLUMNS, "LIST", "",                         \
  "Sort by these columns, the largest number or the first name on top; "      \
  "-NAME turns that round.")                                                  \
X(LIMIT, VIEW_NAMES, "limit", 'n', NUMBER, "N", "",                           \
  "Show the first N rows; with totals one row sums up the others.")           \
X(FILTER, VIEW_NAMES, "filter", 'f', TEXT, "CONDITION", "",                   \
  "Show the rows for which it holds: 'pss>100M and (user=www or comm~^py)'.") \
X(TOTALS, VIEW_NAMES, "totals", 't', FLAG, "", "",                            \
  "Add a row of totals.")                                                     \
X(NO_HEADER, VIEW_NAMES, "no-header", 'H', FLAG, "", "",                      \
  "Leave the line of column names out.")                                      \
X(BYTES, VIEW_NAMES, "bytes", 'b', FLAG, "", "",                              \
  "Show sizes as numbers of bytes.")                                          \
X(PERCENT, VIEW_NAMES, "percent", 'p', FLAG, "", "",                          \
  "Show sizes as percentages of RAM.")                                        \
X(SI, VIEW_NAMES, "si", 0, FLAG, "", "",                                      \
  "Show sizes in powers of 1000.")                                            \
X(PLOT, VIEW_NAMES, "plot", 0, CHOICE, PLOTS, "",                             \
  "Draw the column that is sorted by: as bars here, or as an SVG picture.")   \
X(RAM, VIEW_NAMES, "ram", 0, SIZE, "SIZE", "",                                \
  "Take this as the size of RAM, for percentages.")                              \
X(WATCH, VIEW_NAMES, "watch", 'w', PERIOD, "SECONDS", "1",                   \
  "Show it again every so many seconds, until it is interrupted.")            \
X(TIMES, VIEW_NAMES, "count", 'c', NUMBER, "N", "",                           \
  "With --watch: show it N times.")                                           \
X(SOURCE, VIEW_NAMES, "source", 'S', FILE, "FILE|DIR|-", "",                  \
  "Read a capture, a directory with proc/ in it, or a capture from stdin.")   \
X(JSON, VIEW_NAMES, "json", 0, FLAG, "", "",                                  \
  "Print one JSON object; sizes are in bytes.")                               \
X(JSONL, VIEW_NAMES, "jsonl", 0, FLAG, "", "",                                \
  "Print a JSON object a line for each row.")                                 \
X(CSV, VIEW_NAMES, "csv", 0, FLAG, "", "",                                    \
  "Print comma-separated values, as RFC 4180 has them.")                      \
X(RAW, VIEW_NAMES, "raw", 0, FLAG, "", "",                                    \
  "Print a line for each row, fields parted by one blank, odd bytes "         \
  "escaped.")                                                                 \
X(SHELL, VIEW_NAMES, "shell", 0, FLAG, "", "",                                \
  "Print a line of NAME='value' words for each row.")                         \
X(STRICT, VIEW_NAMES, "strict", 0, FLAG, "", "",                              \
  "Exit with 4 if something could not be read.")                              \
X(FAIL_IF, VIEW_NAMES, "fail-if", 0, TEXT, "CONDITION", "",                   \
  "Exit with 10 if the condition holds for a row or for the total.")          \
X(VIEW_QUIET, VIEW_NAMES, "quiet", 'q', FLAG, "", "",                         \
  "Leave out what is said below the table.")                                  \
X(VIEW_VERBOSE, VIEW_NAMES, "verbose", 'v', FLAG, "", "",                     \
  "Say how long reading took, on stderr.")                                    \
X(BY, "ps", "by", 0, CHOICE, PS_GROUPS, "process",                            \
  "Sum the processes up by this.")                                            \
X(PROCESS, "ps|top", "process", 'P', TEXT, "REGEX", "",                           \
  "Take the processes whose name or command line matches.")                   \
X(MAPPING, "ps", "mapping", 'M', TEXT, "REGEX", "",                           \
  "Count only the mappings whose name matches.")                              \
X(USERS, "ps|top", "user", 'U', TEXT, "REGEX", "",                                \
  "Take the processes of the users whose name matches.")                      \
X(ALL, "ps|status|top", "all", 'a', FLAG, "", "",                                 \
  "Leave nothing out: kernel threads and dead processes; all fields.")                             \
X(NUMERIC, "ps|top", "numeric", 0, FLAG, "", "",                                  \
  "Show users as numbers.")                                                   \
X(NO_PSS, "ps|top", "no-pss", 0, FLAG, "", "",                                    \
  "Spare the processes the walk through their pages that pss costs.")         \
X(FREE_LIKE, "free", "like", 0, CHOICE, FREE_LIKES, "",                       \
  "Show the columns that this tool has.")                                     \
X(KERNEL_IMAGE, "free", "kernel", 0, FILE, "FILE", "",                        \
  "With --like=smem: the size of the kernel is that of this image.")          \
X(FORMULA, "free", "formula", 0, FLAG, "", "",                                \
  "Show what several tools mean by used, and how they work it out.")          \
X(CLASSIC, "vmstat", "classic", 0, FLAG, "", "",                              \
  "Show the columns of procps's vmstat, processor and all.")                  \
X(PAGING, "vmstat", "paging", 0, FLAG, "", "",                                \
  "Show paging, with the columns of sar -B.")                                 \
X(COUNTERS, "vmstat", "counters", 0, FLAG, "", "",                            \
  "Show every counter of the kernel, and how fast it grows.")                   \
X(MAP_BY, "map", "by", 0, CHOICE, MAP_GROUPS, "kind",                         \
  "Sum the mappings up by this.")                                             \
X(LIKE, "map", "like", 0, CHOICE, MAP_LIKES, "",                              \
  "Show the columns that this tool has.")                                     \
X(PAGES, "map", "pages", 0, FLAG, "", "",                                     \
  "Draw which pages of each mapping are in RAM, and which in swap.")          \
X(SYMBOLS, "map", "symbols", 0, FLAG, "", "",                                 \
  "Show the static objects of the program and its libraries.")                \
X(TYPES, "buddy", "types", 0, FLAG, "", "",                                   \
  "Show the blocks of each migrate type.")                                    \
X(OVER, "slab", "over", 0, SECONDS, "SECONDS", "10",                          \
  "Look twice, so many seconds apart, and show how the caches grew.")                   \
X(PAGES_BY, "pages", "by", 0, CHOICE, "kind|cgroup", "kind",                  \
  "Sum page frames up by what they are used for, or by who is charged.")      \
X(VMALLOC_BY, "vmalloc", "by", 0, CHOICE, "caller|range", "caller",           \
  "Sum the ranges up by this, or show each.")                                 \
X(PRESSURE, "vmstat", "pressure", 0, FLAG, "", "",                            \
  "Show how long tasks waited for memory: of the machine and our group.")     \
X(ON_QUIRE, "ps", "quire", 0, FLAG, "", "",                                   \
  "Show the programs in a budget of quire run: what they hold and store.")    \
X(DIFF_OF, "diff", "of", 0, CHOICE, DIFF_OF, "comm",                          \
  "Compare this: programs, processes, users, mappings, or the kernel's.")     \
X(OUTPUT, "capture", "output", 'o', FILE, "FILE|-", "",                       \
  "Write there; what ends in .zst is compressed.")                            \
X(ZSTD, "capture", "zstd", 0, FLAG, "", "",                                   \
  "Compress it, whatever the name.")                                          \
X(ANONYMISE, "capture", "anonymise", 0, FLAG, "", "",                         \
  "Hide names of users, arguments, and paths outside of the system's.")       \
X(CAPTURE_SOURCE, "capture|record", "source", 'S', FILE, "FILE|DIR|-", "",    \
  "Capture this capture or directory instead of the machine.")                \
X(EVERY, "record", "every", 0, SECONDS, "SECONDS", "10",                      \
  "Take a capture every so many seconds.")                                    \
X(SIZE_MAX, "record", "size-max", 0, SIZE, "SIZE", "64M",                     \
  "Drop the oldest captures when all together pass this.")                    \
X(RECORD_TIMES, "record", "count", 'c', NUMBER, "N", "",                      \
  "Take N captures, then end.")
/* clang-format on */

#endif
