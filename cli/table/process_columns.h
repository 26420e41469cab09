/* SPDX-License-Identifier: MIT */
/* process_columns.h: columns of processes and of their mappings. */
#ifndef CLI_TABLE_PROCESS_COLUMNS_H
#define CLI_TABLE_PROCESS_COLUMNS_H

/* clang-format off */
#define PROCESS_COLUMNS(X)                                                    \
X(PID, "pid", COUNT, NONE, "PID",                                             \
  "The number of the process.")                                               \
X(PPID, "ppid", COUNT, NONE, "PID/status",                                    \
  "The number of its parent.")                                                \
X(UID, "uid", COUNT, NONE, "PID/status",                                      \
  "The number of the user it belongs to.")                                    \
X(USER, "user", TEXT, NONE, "PID/status",                                     \
  "The user it belongs to.")                                                  \
X(COMM, "comm", TEXT, NONE, "PID/status",                                     \
  "The name of the process, 15 bytes at most.")                               \
X(COMMAND, "command", TEXT, NONE, "PID/cmdline",                              \
  "Its command line, or its name in brackets where it has none.")             \
X(EXE, "exe", TEXT, NONE, "PID/exe",                                          \
  "The file that it runs.")                                                   \
X(CGROUP, "cgroup", TEXT, NONE, "PID/cgroup",                                 \
  "Its control group, of the hierarchy that has the memory controller.")      \
X(TREE, "tree", TEXT, NONE, "PID/status",                                     \
  "The process right below process 1 that it descends from.")                 \
X(STATE, "state", TEXT, NONE, "PID/status",                                   \
  "R running, S asleep, D waiting for a device, T stopped, Z dead, I idle.")  \
X(THREADS, "threads", COUNT, ADD, "PID/status",                               \
  "How many threads it has.")                                                 \
X(N, "n", COUNT, ADD, "",                                                     \
  "How many there are in the group.")                                         \
X(PIDS, "pids", COUNT, NONE, "PID/smaps",                                     \
  "How many processes map it.")                                               \
X(MAPS, "maps", COUNT, ADD, "PID/maps",                                       \
  "How many mappings there are.")                                             \
X(USS, "uss", BYTES, ADD, "PID/smaps_rollup",                                 \
  "Unique set size: pages that it shares with nobody, which would be free "   \
  "if it ended.")                                                             \
X(PSS, "pss", BYTES, ADD, "PID/smaps_rollup",                                 \
  "Proportional set size: its pages in RAM, each divided by how many map it; "\
  "adds up over processes.")                                                  \
X(RSS, "rss", BYTES, ADD, "PID/status",                                       \
  "Resident set size: its pages in RAM, shared ones counted whole.")          \
X(VSS, "vss", BYTES, ADD, "PID/status",                                       \
  "Virtual set size: all addresses it has mapped, in RAM or not.")            \
X(SWAP, "swap", BYTES, ADD, "PID/status",                                     \
  "Its pages that are out in swap.")                                          \
X(SWAPPSS, "swappss", BYTES, ADD, "PID/smaps_rollup",                         \
  "Its share of pages in swap, each divided by how many map it.")             \
X(EPSS, "epss", BYTES, ADD, "PID/smaps_rollup",                               \
  "Effective PSS: pss and swappss, what it takes of RAM and swap together.")  \
X(PSS_DIRTY, "pss_dirty", BYTES, ADD, "PID/smaps_rollup",                     \
  "The part of pss that has been written to.")                                \
X(PSS_ANON, "pss_anon", BYTES, ADD, "PID/smaps_rollup",                       \
  "The part of pss that is anonymous: heap, stacks, private data.")           \
X(PSS_FILE, "pss_file", BYTES, ADD, "PID/smaps_rollup",                       \
  "The part of pss that is pages of files.")                                  \
X(PSS_SHMEM, "pss_shmem", BYTES, ADD, "PID/smaps_rollup",                     \
  "The part of pss that is shared memory and tmpfs.")                         \
X(SHARED_CLEAN, "shared_clean", BYTES, ADD, "PID/smaps_rollup",               \
  "Pages that others map too, unchanged since they were read.")               \
X(SHARED_DIRTY, "shared_dirty", BYTES, ADD, "PID/smaps_rollup",               \
  "Pages that others map too, changed.")                                      \
X(PRIVATE_CLEAN, "private_clean", BYTES, ADD, "PID/smaps_rollup",             \
  "Pages of its own, unchanged since they were read.")                        \
X(PRIVATE_DIRTY, "private_dirty", BYTES, ADD, "PID/smaps_rollup",             \
  "Pages of its own, changed.")                                               \
X(REFERENCED, "referenced", BYTES, ADD, "PID/smaps_rollup",                   \
  "Pages that were touched since their marks were last cleared.")             \
X(ANONYMOUS, "anonymous", BYTES, ADD, "PID/smaps_rollup",                     \
  "Pages that belong to no file, changed copies of file pages included.")     \
X(KSM, "ksm", BYTES, ADD, "PID/smaps_rollup",                                 \
  "Pages that were merged with equal ones.")                                  \
X(LAZYFREE, "lazyfree", BYTES, ADD, "PID/smaps_rollup",                       \
  "Pages given back by MADV_FREE, which the kernel takes when it needs them.")\
X(ANON_HUGE, "anon_huge", BYTES, ADD, "PID/smaps_rollup",                     \
  "Anonymous memory in transparent huge pages.")                              \
X(SHMEM_PMD, "shmem_pmd", BYTES, ADD, "PID/smaps_rollup",                     \
  "Shared memory mapped by huge pages.")                                      \
X(FILE_PMD, "file_pmd", BYTES, ADD, "PID/smaps_rollup",                       \
  "Files mapped by huge pages.")                                              \
X(SHARED_HUGETLB, "shared_hugetlb", BYTES, ADD, "PID/smaps_rollup",           \
  "Pages of hugetlbfs that others map too; not part of rss.")                 \
X(PRIVATE_HUGETLB, "private_hugetlb", BYTES, ADD, "PID/smaps_rollup",         \
  "Pages of hugetlbfs of its own; not part of rss.")                          \
X(LOCKED, "locked", BYTES, ADD, "PID/smaps_rollup",                           \
  "Pages that mlock keeps in RAM, each divided by how many map it.")          \
X(RSS_ANON, "rss_anon", BYTES, ADD, "PID/status",                             \
  "The part of rss that is anonymous.")                                       \
X(RSS_FILE, "rss_file", BYTES, ADD, "PID/status",                             \
  "The part of rss that is pages of files.")                                  \
X(RSS_SHMEM, "rss_shmem", BYTES, ADD, "PID/status",                           \
  "The part of rss that is shared memory and tmpfs.")                         \
X(RSS_PEAK, "rss_peak", BYTES, NONE, "PID/status",                            \
  "The largest rss it ever had.")                                             \
X(VSS_PEAK, "vss_peak", BYTES, NONE, "PID/status",                            \
  "The largest vss it ever had.")                                             \
X(DATA, "data", BYTES, ADD, "PID/status",                                     \
  "Addresses of private writable memory but for the stack.")                  \
X(STACK, "stack", BYTES, ADD, "PID/status",                                   \
  "Addresses of the main thread's stack.")                                    \
X(TEXT, "text", BYTES, ADD, "PID/status",                                     \
  "Addresses of the program's own code.")                                     \
X(LIB, "lib", BYTES, ADD, "PID/status",                                       \
  "Addresses of the code of libraries.")                                      \
X(PTE, "pte", BYTES, ADD, "PID/status",                                       \
  "RAM of its page tables.")                                                  \
X(PINNED, "pinned", BYTES, ADD, "PID/status",                                 \
  "Memory that devices have pinned.")                                         \
X(HUGETLB, "hugetlb", BYTES, ADD, "PID/status",                               \
  "Pages of hugetlbfs, which rss leaves out.")                                \
X(MINFLT, "minflt", COUNT, ADD, "PID/stat",                                   \
  "Page faults so far that needed no device.")                                \
X(MAJFLT, "majflt", COUNT, ADD, "PID/stat",                                   \
  "Page faults so far that waited for a device.")                             \
X(CMINFLT, "cminflt", COUNT, ADD, "PID/stat",                                 \
  "Minor faults of its children that have ended and been waited for.")        \
X(CMAJFLT, "cmajflt", COUNT, ADD, "PID/stat",                                 \
  "Major faults of its children that have ended and been waited for.")        \
X(PROCESS_SHARED, "shared", BYTES, ADD, "PID/status",                          \
  "rss_file and rss_shmem: the part of rss that could be shared; top's SHR.") \
X(RSS_LIMIT, "rss_limit", BYTES, NONE, "PID/stat",                            \
  "What ulimit -m says; Linux ignores it.")                                   \
X(START_BRK, "start_brk", ADDRESS, NONE, "PID/stat",                          \
  "Where its heap begins.")                                                   \
X(START_STACK, "start_stack", ADDRESS, NONE, "PID/stat",                      \
  "Where the main thread's stack begins, which grows down.")                  \
X(READ_BYTES, "read_bytes", BYTES, ADD, "PID/io",                             \
  "Bytes that it has had read from devices.")                                 \
X(WRITE_BYTES, "write_bytes", BYTES, ADD, "PID/io",                           \
  "Bytes that it has had written to devices.")                                \
X(KSM_MERGING, "ksm_merging", BYTES, ADD, "PID/ksm_stat",                     \
  "Its pages that are merged with equal ones.")                               \
X(KSM_ZERO, "ksm_zero", BYTES, ADD, "PID/ksm_stat",                           \
  "Its pages that were merged into the one page of zeros.")                   \
X(KSM_PROFIT, "ksm_profit", CHANGE, ADD, "PID/ksm_stat",                      \
  "What merging spares it, less what it costs.")                              \
X(OOM_SCORE, "oom_score", COUNT, NONE, "PID/oom_score",                       \
  "How likely the kernel is to kill it where memory is out; 1000 and more "   \
  "is likely.")                                                               \
X(OOM_ADJ, "oom_adj", COUNT, NONE, "PID/oom_score_adj",                       \
  "What was added to its oom_score, -1000 (never) to 1000.")

#define MAPPING_COLUMNS(X)                                                    \
X(MAP, "map", TEXT, NONE, "PID/smaps",                                        \
  "What is mapped: a file, or the kernel's name for the mapping.")            \
X(AVGPSS, "avgpss", BYTES, NONE, "PID/smaps",                                 \
  "pss of the mapping for each process that has it.")                         \
X(AVGUSS, "avguss", BYTES, NONE, "PID/smaps",                                 \
  "uss of the mapping for each process that has it.")                         \
X(AVGRSS, "avgrss", BYTES, NONE, "PID/smaps",                                 \
  "rss of the mapping for each process that has it.")                         \
X(KIND, "kind", TEXT, NONE, "PID/smaps",                                      \
  "heap, stack, code, data, file, anonymous, shared, reserved or kernel.")    \
X(START, "address", ADDRESS, NONE, "PID/smaps",                               \
  "Where the mapping begins.")                                                \
X(END, "end", ADDRESS, NONE, "PID/smaps",                                     \
  "Where the mapping ends.")                                                  \
X(PERMS, "perm", TEXT, NONE, "PID/smaps",                                     \
  "r read, w write, x execute, and p private or s shared.")                   \
X(OFFSET, "offset", ADDRESS, NONE, "PID/smaps",                               \
  "Where in the file the mapping begins.")                                    \
X(DEVICE, "device", TEXT, NONE, "PID/smaps",                                  \
  "The device that the file is on.")                                          \
X(INODE, "inode", COUNT, NONE, "PID/smaps",                                   \
  "The number of the file on its device.")                                    \
X(DIRTY, "dirty", BYTES, ADD, "PID/smaps",                                    \
  "Pages that were changed, shared and private.")                             \
X(THP_ELIGIBLE, "thpeligible", COUNT, NONE, "PID/smaps",                      \
  "1 if the mapping may get transparent huge pages.")                         \
X(PROTECTION_KEY, "protectionkey", COUNT, NONE, "PID/smaps",                  \
  "The memory protection key of the mapping.")                                \
X(KERNEL_PAGE, "kernelpagesize", BYTES, NONE, "PID/smaps",                    \
  "The page size that the kernel uses for it.")                               \
X(MMU_PAGE, "mmupagesize", BYTES, NONE, "PID/smaps",                          \
  "The page size that the processor uses for it.")                            \
X(VMFLAGS, "vmflags", TEXT, NONE, "PID/smaps",                                \
  "The kernel's flags of the mapping, two letters each.")                     \
X(BAR, "bar", TEXT, NONE, "",                                                 \
  "A bar: full for what is in RAM, shaded for what is in swap.")

#define LIMIT_COLUMNS(X)                                                      \
X(PAGES, "pages", TEXT, NONE, "PID/pagemap",                                  \
  "A picture of its pages: dots are in RAM, shaded cells in swap.")           \
X(PM_PRESENT, "present", BYTES, ADD, "PID/pagemap",                           \
  "Its pages that are in RAM, and mapped.")                                   \
X(PM_SWAPPED, "swapped", BYTES, ADD, "PID/pagemap",                           \
  "Its pages that are out in swap.")                                          \
X(PM_EXCLUSIVE, "exclusive", BYTES, ADD, "PID/pagemap",                       \
  "Its pages in RAM that nobody else maps.")                                  \
X(PM_FILE, "file_pages", BYTES, ADD, "PID/pagemap",                           \
  "Its pages in RAM of files and shared memory.")                             \
X(PM_DIRTY, "soft_dirty", BYTES, ADD, "PID/pagemap",                          \
  "Pages written to since clear_refs, where the kernel keeps count.")         \
X(PM_PROTECTED, "uffd_wp", BYTES, ADD, "PID/pagemap",                         \
  "Pages that userfaultfd protects from writing.")                            \
X(PM_WRITTEN, "written", BYTES, ADD, "PAGEMAP_SCAN",                          \
  "Pages that userfaultfd does not, or no longer, protect from writing.")                       \
X(PM_ZERO, "zero_pages", BYTES, ADD, "PAGEMAP_SCAN",                          \
  "Pages that are the one page of zeros.")                                    \
X(PM_HUGE, "huge_pages", BYTES, ADD, "PAGEMAP_SCAN",                          \
  "Pages mapped by huge entries of the page table.")                          \
X(BUILD_ID, "build_id", TEXT, NONE, "PROCMAP_QUERY",                          \
  "Which build the file is of, as its linker noted.")                         \
X(SYMBOL, "symbol", TEXT, NONE, "ELF symbols",                                \
  "The name of the object.")                                                  \
X(SECTION, "section", TEXT, NONE, "ELF symbols",                              \
  "Where it lies: .data and .bss are written to, .rodata is constant.")       \
X(SYMBOL_SIZE, "size", BYTES, ADD, "ELF symbols",                             \
  "How large it is.")                                                         \
X(IMAGE, "image", TEXT, NONE, "PID/maps",                                     \
  "The program or library that it is of.")                                    \
X(LIMIT, "limit", TEXT, NONE, "",                                             \
  "What is limited.")                                                         \
X(LIMIT_USED, "used", BYTES, NONE, "PID/status",                              \
  "How much of it is used.")                                                  \
X(SOFT, "soft", BYTES, NONE, "PID/limits",                                    \
  "The limit that holds.")                                                    \
X(HARD, "hard", BYTES, NONE, "PID/limits",                                    \
  "How far the process may raise it by itself.")                              \
X(SHM_KIND, "kind", TEXT, NONE, "",                                           \
  "sysv, posix (/dev/shm), memfd, or anonymous and shared by fork.")          \
X(SHM_ID, "id", COUNT, NONE, "sysvipc/shm",                                   \
  "The number of the segment, or the inode.")                                 \
X(SHM_NAME, "name", TEXT, NONE, "sysvipc/shm",                                \
  "Its key or file name.")                                                    \
X(SHM_SIZE, "size", BYTES, ADD, "sysvipc/shm",                                \
  "How long it is, or how far it is mapped.")                                 \
X(SHM_RSS, "resident", BYTES, ADD, "sysvipc/shm",                             \
  "The part of it that is in RAM.")                                           \
X(SHM_SWAP, "swap", BYTES, ADD, "sysvipc/shm",                                \
  "The part of it that is in swap, of System V segments.")                    \
X(ATTACHED, "attached", COUNT, NONE, "PID/smaps",                             \
  "How many processes map it.")                                               \
X(BY_PIDS, "pids", TEXT, NONE, "PID/smaps",                                   \
  "Which processes map it.")                                                  \
X(WALL_MS, "wall", MS, NONE, "clock",                                         \
  "How long it took, in milliseconds.")                                       \
X(USER_MS, "user", MS, NONE, "wait4(2)",                                      \
  "CPU time in programs, in milliseconds, children included.")                \
X(SYSTEM_MS, "system", MS, NONE, "wait4(2)",                                  \
  "CPU time in the kernel, in milliseconds, children included.")              \
X(MAX_RSS, "max_rss", BYTES, NONE, "wait4(2)",                                \
  "The largest rss that one of its processes ever had.")                      \
X(TREE_PEAK, "tree_peak", BYTES, NONE, "PID/status",                          \
  "The most anonymous and shared memory that all its processes had at once, " \
  "looked at a hundred times a second.")                                      \
X(READ_IN, "read", BYTES, NONE, "wait4(2)",                                   \
  "Bytes read from devices.")                                                 \
X(WRITTEN, "written", BYTES, NONE, "wait4(2)",                                \
  "Bytes that must be written to devices.")                                         \
X(TOP_PER_MIN, "per_min", CHANGE, NONE, "PID/smaps_rollup",                   \
  "Growth of its pss a minute, over the last looks.")                         \
X(TREND, "trend", TEXT, NONE, "PID/smaps_rollup",                             \
  "Its pss of the last looks, from the least to the most.")                   \
X(AGE, "age", MS, NONE, "clock",                                              \
  "How long ago its pages were looked at, in milliseconds.")                  \
X(SINCE_MARK, "since_mark", CHANGE, ADD, "PID/smaps_rollup",                  \
  "What its pss has changed by since the mark.")                              \
X(TOP_RATIO, "ratio", RATIO, NONE, "qr/stat_page.h",                          \
  "How well its pages compress, of a program on Quire.")                      \
X(DIFF_KEY, "of", TEXT, NONE, "",                                             \
  "What is compared.")                                                        \
X(BEFORE, "before", BYTES, ADD, "",                                           \
  "Its size in the first capture.")                                           \
X(AFTER, "after", BYTES, ADD, "",                                             \
  "Its size in the second.")                                                  \
X(CHANGE, "change", CHANGE, ADD, "",                                          \
  "after less before.")                                                       \
X(CHANGED, "changed", BYTES, NONE, "",                                        \
  "The size of the change, whichever way.")

#define QUIRE_COLUMNS(X)                                                      \
X(BUDGET, "budget", BYTES, NONE, "qr/stat_page.h",                            \
  "The RAM that quire run -m lets its tree of processes have.")               \
X(BUDGET_USED, "budget_used", BYTES, NONE, "qr/stat_page.h",                  \
  "What the tree has of its budget.")                                         \
X(CREDIT, "credit", BYTES, ADD, "qr/stat_page.h",                             \
  "What of the budget this process may use.")                                 \
X(MANAGED_RAM, "resident", BYTES, ADD, "qr/stat_page.h",                      \
  "Its managed pages in RAM.")                                                \
X(UNMANAGED, "unmanaged", BYTES, ADD, "qr/stat_page.h",                       \
  "What it has in RAM that Quire does not manage: stacks, data, files.")      \
X(POOL, "pool", BYTES, ADD, "qr/stat_page.h",                                 \
  "RAM of its compressed pool.")                                              \
X(HELD, "held", BYTES, ADD, "qr/stat_page.h",                                 \
  "Its managed pages: resident, compressed and on disk.")                     \
X(Q_STORED, "stored", BYTES, ADD, "qr/stat_page.h",                           \
  "Its pages in the pool, before they were compressed.")                      \
X(Q_COMPRESSED, "compressed", BYTES, ADD, "qr/stat_page.h",                   \
  "Bytes that these take, compressed.")                                       \
X(ON_DISK, "on_disk", BYTES, ADD, "qr/stat_page.h",                           \
  "Its pages in the swap file.")                                              \
X(Q_RATIO, "ratio", RATIO, NONE, "qr/stat_page.h",                            \
  "How well the pages of the pool compress.")                                 \
X(FIRST_TOUCH, "first_touch", COUNT, ADD, "qr/stat_page.h",                   \
  "Faults of pages that were never used.")                                    \
X(FROM_POOL, "from_pool", COUNT, ADD, "qr/stat_page.h",                       \
  "Faults served from the pool.")                                             \
X(FROM_DISK, "from_disk", COUNT, ADD, "qr/stat_page.h",                       \
  "Faults that waited for the swap file.")
/* clang-format on */

#endif
