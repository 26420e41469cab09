/* SPDX-License-Identifier: MIT */
/* machine_columns.h: columns of the machine as a whole. */
#ifndef CLI_TABLE_MACHINE_COLUMNS_H
#define CLI_TABLE_MACHINE_COLUMNS_H

/* clang-format off */
#define MACHINE_COLUMNS(X)                                                    \
X(OF, "of", TEXT, NONE, "",                                                   \
  "What is parted: the limit of the control group, RAM, or swap.")            \
X(SIZE, "total", BYTES, NONE, "meminfo",                                      \
  "All there is, the sum of its parts.")                                      \
X(USED, "used", BYTES, NONE, "meminfo",                                       \
  "total less available: what programs and kernel could not give up at "      \
  "once.")                                                                    \
X(PROGRAMS, "programs", BYTES, NONE, "meminfo",                               \
  "Anonymous memory of programs: heaps, stacks, private data.")               \
X(SHARED, "shared", BYTES, NONE, "meminfo",                                   \
  "Shared memory and tmpfs, which only swap can take.")                       \
X(FILES, "files", BYTES, NONE, "meminfo",                                     \
  "Pages of files kept in RAM, which can be read again.")                     \
X(HUGE, "huge", BYTES, NONE, "meminfo",                                       \
  "Set aside for hugetlbfs, used or not.")                                    \
X(KERNEL, "kernel", BYTES, NONE, "meminfo",                                   \
  "The kernel's own: slabs, page tables, stacks, per-CPU data.")              \
X(UNACCOUNTED, "unaccounted", BYTES, NONE, "meminfo",                         \
  "What no field of the kernel tells of: drivers' pages, mostly.")            \
X(FREE, "free", BYTES, NONE, "meminfo",                                       \
  "Used for nothing.")                                                        \
X(AVAILABLE, "available", BYTES, NONE, "meminfo",                             \
  "What programs can still have without swapping: free, and files and slabs " \
  "that can go.")                                                             \
X(BUFFERS, "buffers", BYTES, NONE, "meminfo",                                 \
  "Pages of block devices, as free(1) and vmstat count them.")                \
X(CACHE, "cache", BYTES, NONE, "meminfo",                                     \
  "Cached and SReclaimable together, as free(1) and vmstat count them.")      \
X(BUFF_CACHE, "buff_cache", BYTES, NONE, "meminfo",                           \
  "buffers and cache.")                                                       \
X(AREA_ORDER, "order", COUNT, NONE, "",                                       \
  "The place of the row.")                                                    \
X(RAM_AREA, "area", TEXT, NONE, "",                                           \
  "What the RAM is for, as smem parts it.")                                   \
X(AREA_USED, "used", BYTES, ADD, "meminfo, iomem",                            \
  "How much RAM that is.")                                                    \
X(AREA_CACHE, "cache", BYTES, ADD, "meminfo",                                 \
  "The part of it that can be given up.")                                     \
X(AREA_NONCACHE, "noncache", BYTES, ADD, "meminfo",                           \
  "The part of it that cannot.")                                              \
X(RUNNING, "running", COUNT, NONE, "stat",                                    \
  "Threads that run or wait for a processor.")                                \
X(BLOCKED, "blocked", COUNT, NONE, "stat",                                    \
  "Threads that wait for a device.")                                          \
X(ACTIVE_PAGES, "active", BYTES, NONE, "meminfo",                             \
  "Pages that were used lately.")                                             \
X(INACTIVE_PAGES, "inactive", BYTES, NONE, "meminfo",                         \
  "Pages that were not, and go first.")                                       \
X(INTERRUPTS, "irq_s", RATE, NONE, "stat",                                    \
  "Interrupts a second.")                                                     \
X(SWITCHES, "switch_s", RATE, NONE, "stat",                                   \
  "Context switches a second.")                                               \
X(CPU_USER, "user", PERCENT, NONE, "stat",                                    \
  "Time of all processors in programs, nice ones included.")                  \
X(CPU_SYSTEM, "system", PERCENT, NONE, "stat",                                \
  "Time of all processors in the kernel, interrupts included.")               \
X(CPU_IDLE, "idle", PERCENT, NONE, "stat",                                    \
  "Time of all processors with nothing to do.")                               \
X(CPU_WAIT, "wait", PERCENT, NONE, "stat",                                    \
  "Time of all processors idle while a thread waited for a device.")          \
X(CPU_STEAL, "steal", PERCENT, NONE, "stat",                                  \
  "Time of all processors that the hypervisor gave to others.")               \
X(TOOL, "tool", TEXT, NONE, "",                                               \
  "Whose formula it is.")                                                     \
X(FORMULA, "formula", TEXT, NONE, "",                                         \
  "How it is worked out from the fields of meminfo.")                         \
X(FIELD, "field", TEXT, NONE, "meminfo",                                      \
  "The kernel's name for it.")                                                \
X(BYTES, "size", BYTES, NONE, "meminfo",                                      \
  "How much it is.")                                                          \
X(NUMBER, "number", COUNT, NONE, "meminfo",                                   \
  "How many there are, of fields that are no sizes.")                         \
X(SHARE, "share", PERCENT, NONE, "",                                          \
  "Its part of the whole.")                                                   \
X(TEXT_VALUE, "value", TEXT, NONE, "PID/status",                              \
  "What the kernel writes.")                                                  \
X(COUNTER, "counter", TEXT, NONE, "vmstat",                                   \
  "The kernel's name of a counter or a level.")                               \
X(PER_S, "per_s", RATE, NONE, "vmstat",                                       \
  "How fast it grows; the first time since boot, then since the round "       \
  "before.")                                                                  \
X(AREA, "area", TEXT, NONE, "",                                               \
  "What the counter is about.")                                               \
X(SWAP_USED, "swap_used", BYTES, NONE, "meminfo",                             \
  "Swap that is in use.")                                                     \
X(SWAP_IN, "in_s", RATE, NONE, "vmstat",                                      \
  "Pages swapped in a second.")                                               \
X(SWAP_OUT, "out_s", RATE, NONE, "vmstat",                                    \
  "Pages swapped out a second.")                                              \
X(PGPGIN, "pgpgin_s", RATE, NONE, "vmstat",                                   \
  "KiB read from devices a second.")                                          \
X(PGPGOUT, "pgpgout_s", RATE, NONE, "vmstat",                                 \
  "KiB written to devices a second.")                                         \
X(FAULT_S, "fault_s", RATE, NONE, "vmstat",                                   \
  "Page faults a second.")                                                    \
X(MAJFLT_S, "majflt_s", RATE, NONE, "vmstat",                                 \
  "Page faults a second that waited for a device.")                           \
X(PGFREE_S, "pgfree_s", RATE, NONE, "vmstat",                                 \
  "Pages freed a second.")                                                    \
X(PGSCANK_S, "pgscank_s", RATE, NONE, "vmstat",                               \
  "Pages looked at by kswapd a second.")                                      \
X(PGSCAND_S, "pgscand_s", RATE, NONE, "vmstat",                               \
  "Pages looked at by programs that had to reclaim themselves, a second.")    \
X(PGSTEAL_S, "pgsteal_s", RATE, NONE, "vmstat",                               \
  "Pages reclaimed a second.")                                                \
X(VMEFF, "vmeff", PERCENT, NONE, "vmstat",                                    \
  "Pages reclaimed out of those looked at.")                                  \
X(REFAULT_S, "refault_s", RATE, NONE, "vmstat",                               \
  "Pages a second that came back soon after they were reclaimed.")            \
X(STALL, "stall_s", MS, NONE, "pressure/memory",                              \
  "Milliseconds a second in which some task waited for memory.")              \
X(THRASH, "thrash_s", MS, NONE, "pressure/memory",                            \
  "Milliseconds a second in which all tasks waited for memory: time lost.")   \
X(PRESSURE_KIND, "kind", TEXT, NONE, "pressure/memory",                        \
  "some: time in which some task waited for memory; full: in which all did.") \
X(AVG10, "avg10", PERCENT, NONE, "pressure/memory",                           \
  "The share of the last 10 seconds.")                                        \
X(AVG60, "avg60", PERCENT, NONE, "pressure/memory",                           \
  "The share of the last minute.")                                            \
X(AVG300, "avg300", PERCENT, NONE, "pressure/memory",                         \
  "The share of the last five minutes.")                                      \
X(STALLED, "stalled", MS, NONE, "pressure/memory",                            \
  "All of it since boot, in milliseconds.")                                   \
X(DEVICE_FILE, "device", TEXT, NONE, "swaps",                                 \
  "The file or device that is swapped to.")                                   \
X(SWAP_TYPE, "type", TEXT, NONE, "swaps",                                     \
  "partition, file, zram or zswap.")                                          \
X(SWAP_SIZE, "size", BYTES, ADD, "swaps",                                     \
  "How much it can hold.")                                                    \
X(SWAP_IN_USE, "used", BYTES, ADD, "swaps",                                   \
  "How much of it is in use.")                                                \
X(PRIORITY, "priority", COUNT, NONE, "swaps",                                 \
  "The highest is filled first.")                                             \
X(STORED, "stored", BYTES, ADD, "/sys/block/*/mm_stat",                       \
  "Bytes of pages given to it, before they were compressed.")                 \
X(COMPRESSED, "compressed", BYTES, ADD, "/sys/block/*/mm_stat",               \
  "Bytes that they take, compressed.")                                        \
X(RATIO, "ratio", RATIO, NONE, "",                                            \
  "stored by compressed.")                                                    \
X(POOL_RAM, "ram", BYTES, ADD, "/sys/block/*/mm_stat",                        \
  "RAM that it takes, with what it needs for itself.")                        \
X(POOL_LIMIT, "limit", BYTES, NONE, "/sys/block/*/mm_stat",                   \
  "RAM that it may take; 0: there is no limit.")                              \
X(POOL_PEAK, "peak", BYTES, NONE, "/sys/block/*/mm_stat",                     \
  "The most RAM that it ever took.")                                          \
X(SAME, "same", COUNT, ADD, "/sys/block/*/mm_stat",                           \
  "Pages of one repeated word, which take no room.")                          \
X(INCOMPRESSIBLE, "incompressible", COUNT, ADD, "/sys/block/*/mm_stat",       \
  "Pages that would not compress.")                                           \
X(FILE, "file", TEXT, NONE, "PID/maps, PID/fd",                               \
  "The file.")                                                                \
X(FILE_SIZE, "size", BYTES, ADD, "stat(2)",                                   \
  "How long it is.")                                                          \
X(RESIDENT, "resident", BYTES, ADD, "cachestat(2)",                           \
  "The part of it that is in RAM.")                                           \
X(FILE_DIRTY, "dirty", BYTES, ADD, "cachestat(2)",                            \
  "The part of it that must still be written.")                               \
X(MAPPED, "mapped", COUNT, NONE, "PID/maps",                                  \
  "How many processes map it.")                                               \
X(OPENED, "opened", COUNT, NONE, "PID/fd",                                    \
  "How many descriptors of processes it is open at.")
/* clang-format on */

#endif
