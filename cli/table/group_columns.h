/* SPDX-License-Identifier: MIT */
/* group_columns.h: columns of control groups, NUMA, huge pages and settings. */
#ifndef CLI_TABLE_GROUP_COLUMNS_H
#define CLI_TABLE_GROUP_COLUMNS_H

/* clang-format off */
#define GROUP_COLUMNS(X)                                                      \
X(NUMA_POLICY, "policy", TEXT, NONE, "PID/numa_maps",                         \
  "Where new pages are to come from: default, bind:N, prefer:N, "             \
  "interleave:N, ...")                                                        \
X(NUMA_SIZE, "size", BYTES, ADD, "PID/numa_maps",                             \
  "Its pages in RAM, on all nodes.")                                          \
X(NUMA_NODES, "nodes", TEXT, NONE, "PID/numa_maps",                           \
  "How many of its pages are on each NUMA node.")                             \
X(NUMA_ANON, "anon", BYTES, ADD, "PID/numa_maps",                             \
  "Anonymous pages.")                                                         \
X(NUMA_DIRTY, "dirty", BYTES, ADD, "PID/numa_maps",                           \
  "Pages that were written to.")                                              \
X(NUMA_MAPPED, "mapped", BYTES, ADD, "PID/numa_maps",                         \
  "Pages of files; told where they are not those of anon.")                   \
X(NUMA_ACTIVE, "active", BYTES, ADD, "PID/numa_maps",                         \
  "Pages used lately; told where not all are.")                               \
X(NUMA_SWAPCACHE, "swapcache", BYTES, ADD, "PID/numa_maps",                   \
  "Pages that are in swap, too.")                                             \
X(NUMA_WRITEBACK, "writeback", BYTES, ADD, "PID/numa_maps",                   \
  "Pages that are being written.")                                            \
X(NUMA_MAPMAX, "mapmax", COUNT, NONE, "PID/numa_maps",                        \
  "How many processes map the page that most do.")                            \
X(FRAME_MAPPED, "mapped", BYTES, ADD, "kpagecount",                           \
  "Frames that a process maps.")                                              \
X(FRAME_SHARED, "shared", BYTES, ADD, "kpagecount",                           \
  "Frames that are mapped more than once.")                                   \
X(GROUP_FILE_NAME, "file", TEXT, NONE, "memory.*",                            \
  "The file that tells it, without memory. before.")                          \
X(HUGE_KIND, "kind", TEXT, NONE, "/sys/kernel/mm/*hugepage*",                 \
  "hugetlb: set aside; thp: given where the kernel may.")                     \
X(HUGE_SIZE, "size", BYTES, NONE, "/sys/kernel/mm/*hugepage*",                \
  "Of one page.")                                                             \
X(HUGE_MODE, "mode", TEXT, NONE, "/sys/kernel/mm/*hugepage*",                 \
  "Where they are given: always, madvise, never, or as thp.enabled says.")    \
X(HUGE_TOTAL, "total", BYTES, NONE, "/sys/kernel/mm/*hugepage*",              \
  "All there are; of thp, anonymous ones.")                                   \
X(HUGE_FREE, "free", BYTES, NONE, "/sys/kernel/mm/*hugepage*",                \
  "Those of the pool that nobody uses.")                                      \
X(HUGE_RESERVED, "reserved", BYTES, NONE, "/sys/kernel/mm/*hugepage*",        \
  "Those of the pool that are promised and not yet used.")                    \
X(HUGE_SURPLUS, "surplus", BYTES, NONE, "/sys/kernel/mm/*hugepage*",          \
  "Those beyond the size of the pool.")                                       \
X(HUGE_OVERCOMMIT, "overcommit", BYTES, NONE, "/sys/kernel/mm/*hugepage*",    \
  "How many may come beyond the size of the pool.")                           \
X(HUGE_FAULTS, "faults", COUNT, NONE, "/sys/kernel/mm/*hugepage*",            \
  "Page faults that were given one.")                                         \
X(HUGE_FALLBACK, "fallback", COUNT, NONE, "/sys/kernel/mm/*hugepage*",        \
  "Page faults that had to do with smaller pages.")                           \
X(HUGE_SWPOUT, "swpout", COUNT, NONE, "/sys/kernel/mm/*hugepage*",            \
  "Those swapped out whole.")                                                 \
X(HUGE_SPLIT, "split", COUNT, NONE, "/sys/kernel/mm/*hugepage*",              \
  "Those that were split.")                                                   \
X(SETTING, "setting", TEXT, NONE, "/proc/sys/vm, /sys",                       \
  "The name of a setting.")                                                   \
X(SETTING_VALUE, "value", TEXT, NONE, "/proc/sys/vm, /sys",                   \
  "What it is set to; of several words, the one in brackets.")                \
X(GROUP_PROCESSES, "procs", COUNT, NONE, "cgroup.procs",                      \
  "Processes right in it, those of groups below it left out.")                \
X(GROUP_USED, "used", BYTES, NONE, "memory.current",                          \
  "RAM that it has, files and the kernel's part included.")                   \
X(GROUP_PEAK, "peak", BYTES, NONE, "memory.peak",                             \
  "The most RAM that it ever had.")                                           \
X(GROUP_MIN, "min", BYTES, NONE, "memory.min",                                \
  "RAM that is never taken from it.")                                         \
X(GROUP_LOW, "low", BYTES, NONE, "memory.low",                                \
  "RAM that is taken from it only when others have no more to give.")         \
X(GROUP_HIGH, "high", BYTES, NONE, "memory.high",                             \
  "RAM beyond which its tasks are slowed down and must reclaim.")             \
X(GROUP_MAX, "max", BYTES, NONE, "memory.max",                                \
  "Its limit, beyond which pages must go or a process is killed.")            \
X(GROUP_ANON, "anon", BYTES, NONE, "memory.stat",                             \
  "Anonymous memory of its programs.")                                        \
X(GROUP_FILE, "file", BYTES, NONE, "memory.stat",                             \
  "Pages of files that it brought in, shared memory included.")               \
X(GROUP_SHMEM, "shmem", BYTES, NONE, "memory.stat",                           \
  "Shared memory and tmpfs.")                                                 \
X(GROUP_MAPPED, "mapped", BYTES, NONE, "memory.stat",                         \
  "Pages of files that its programs map.")                                    \
X(GROUP_DIRTY, "dirty", BYTES, NONE, "memory.stat",                           \
  "Pages of files that must still be written.")                               \
X(GROUP_KERNEL, "kernel", BYTES, NONE, "memory.stat",                         \
  "What the kernel keeps for it: page tables, stacks, slabs.")                \
X(GROUP_SLAB, "slab", BYTES, NONE, "memory.stat",                             \
  "Objects of the kernel that it made.")                                      \
X(GROUP_SOCK, "sock", BYTES, NONE, "memory.stat",                             \
  "Buffers of its sockets.")                                                  \
X(GROUP_SWAP, "swap", BYTES, NONE, "memory.swap.current",                     \
  "Its pages in swap.")                                                       \
X(GROUP_SWAP_MAX, "swap_max", BYTES, NONE, "memory.swap.max",                 \
  "How much swap it may have; of version 1, RAM and swap together.")          \
X(GROUP_ZSWAP, "zswap", BYTES, NONE, "memory.zswap.current",                  \
  "RAM that its pages in zswap take, compressed.")                            \
X(GROUP_ZSWAPPED, "zswapped", BYTES, NONE, "memory.stat",                     \
  "Its pages in zswap, before they were compressed.")                         \
X(GROUP_MAJFLT, "majflt", COUNT, NONE, "memory.stat",                         \
  "Page faults that waited for a device.")                                    \
X(GROUP_REFAULTS, "refaults", COUNT, NONE, "memory.stat",                     \
  "Pages of files that came back soon after they were reclaimed.")            \
X(GROUP_AT_HIGH, "at_high", COUNT, NONE, "memory.events",                     \
  "How often it was slowed down at high.")                                    \
X(GROUP_AT_MAX, "at_max", COUNT, NONE, "memory.events",                       \
  "How often it ran into max.")                                               \
X(GROUP_OOM_KILLS, "oom_kills", COUNT, NONE, "memory.events",                 \
  "Processes of its that were killed for memory.")                            \
X(GROUP_SOME, "some", PERCENT, NONE, "memory.pressure",                       \
  "Time of the last 10 seconds in which some task of its waited for "         \
  "memory.")                                                                  \
X(GROUP_FULL, "full", PERCENT, NONE, "memory.pressure",                       \
  "Time of the last 10 seconds in which all its tasks did.")
/* clang-format on */

#endif
