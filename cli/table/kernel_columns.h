/* SPDX-License-Identifier: MIT */
/* kernel_columns.h: columns of the kernel's own structures. */
#ifndef CLI_TABLE_KERNEL_COLUMNS_H
#define CLI_TABLE_KERNEL_COLUMNS_H

/* clang-format off */
#define KERNEL_COLUMNS(X)                                                     \
X(NODE, "node", COUNT, NONE, "buddyinfo",                                     \
  "The NUMA node: a bank of RAM.")                                            \
X(ZONE, "zone", TEXT, NONE, "buddyinfo",                                      \
  "The range of RAM: DMA, DMA32, Normal, Movable, ...")                       \
X(MIGRATE, "type", TEXT, NONE, "pagetypeinfo",                                \
  "What its blocks are for: Unmovable, Movable, Reclaimable, ...")            \
X(O0, "o0", COUNT, ADD, "buddyinfo", "Free blocks of 1 page (4 KiB).")        \
X(O1, "o1", COUNT, ADD, "buddyinfo", "Free blocks of 2 pages (8 KiB).")       \
X(O2, "o2", COUNT, ADD, "buddyinfo", "Free blocks of 4 pages (16 KiB).")      \
X(O3, "o3", COUNT, ADD, "buddyinfo", "Free blocks of 8 pages (32 KiB).")      \
X(O4, "o4", COUNT, ADD, "buddyinfo", "Free blocks of 16 pages (64 KiB).")     \
X(O5, "o5", COUNT, ADD, "buddyinfo", "Free blocks of 32 pages (128 KiB).")    \
X(O6, "o6", COUNT, ADD, "buddyinfo", "Free blocks of 64 pages (256 KiB).")    \
X(O7, "o7", COUNT, ADD, "buddyinfo", "Free blocks of 128 pages (512 KiB).")   \
X(O8, "o8", COUNT, ADD, "buddyinfo", "Free blocks of 256 pages (1 MiB).")     \
X(O9, "o9", COUNT, ADD, "buddyinfo", "Free blocks of 512 pages (2 MiB).")     \
X(O10, "o10", COUNT, ADD, "buddyinfo", "Free blocks of 1024 pages (4 MiB).")  \
X(BUDDY_FREE, "free", BYTES, ADD, "buddyinfo",                                \
  "All its free blocks together.")                                            \
X(UNUSABLE, "unusable", PERCENT, NONE, "buddyinfo",                           \
  "The part of its free memory that lies in blocks too small for a huge page "\
  "of 2 MiB.")                                                                \
X(U1, "u1", PERCENT, NONE, "buddyinfo",                                   \
  "Free memory in blocks smaller than order 1: no use for such a request.")  \
X(U2, "u2", PERCENT, NONE, "buddyinfo",                                   \
  "Free memory in blocks smaller than order 2: no use for such a request.")  \
X(U3, "u3", PERCENT, NONE, "buddyinfo",                                   \
  "Free memory in blocks smaller than order 3: no use for such a request.")  \
X(U4, "u4", PERCENT, NONE, "buddyinfo",                                   \
  "Free memory in blocks smaller than order 4: no use for such a request.")  \
X(U5, "u5", PERCENT, NONE, "buddyinfo",                                   \
  "Free memory in blocks smaller than order 5: no use for such a request.")  \
X(U6, "u6", PERCENT, NONE, "buddyinfo",                                   \
  "Free memory in blocks smaller than order 6: no use for such a request.")  \
X(U7, "u7", PERCENT, NONE, "buddyinfo",                                   \
  "Free memory in blocks smaller than order 7: no use for such a request.")  \
X(U8, "u8", PERCENT, NONE, "buddyinfo",                                   \
  "Free memory in blocks smaller than order 8: no use for such a request.")  \
X(U9, "u9", PERCENT, NONE, "buddyinfo",                                   \
  "Free memory in blocks smaller than order 9: no use for such a request.")  \
X(U10, "u10", PERCENT, NONE, "buddyinfo",                                 \
  "Free memory in blocks smaller than order 10: no use for such a request.") \
X(BLOCKS, "blocks", COUNT, ADD, "pagetypeinfo",                               \
  "Pageblocks (of 2 MiB, mostly) set aside for the type.")                    \
X(ZONE_FREE, "free", BYTES, ADD, "zoneinfo",                                  \
  "Free memory of the zone.")                                                 \
X(ZONE_MIN, "min", BYTES, ADD, "zoneinfo",                                    \
  "The watermark below which programs must reclaim themselves.")              \
X(ZONE_LOW, "low", BYTES, ADD, "zoneinfo",                                    \
  "The watermark at which kswapd wakes up.")                                  \
X(ZONE_HIGH, "high", BYTES, ADD, "zoneinfo",                                  \
  "The watermark at which kswapd goes to sleep again.")                       \
X(ZONE_BOOST, "boost", BYTES, NONE, "zoneinfo",                                \
  "What the watermarks are raised by for now, against fragmentation.")        \
X(ZONE_PROMO, "promo", BYTES, ADD, "zoneinfo",                                \
  "The watermark above which pages are promoted from slower memory.")         \
X(PROTECTION, "protection", TEXT, NONE, "zoneinfo",                           \
  "Pages kept from requests that could be met in higher zones, by zone.")     \
X(MANAGED, "managed", BYTES, ADD, "zoneinfo",                                 \
  "Memory that the zone can give out.")                                       \
X(PRESENT, "present", BYTES, ADD, "zoneinfo",                                 \
  "RAM that is there, with what the kernel took at boot.")                    \
X(SPANNED, "spanned", BYTES, ADD, "zoneinfo",                                 \
  "The addresses from its first to its last page, holes included.")           \
X(CMA, "cma", BYTES, ADD, "zoneinfo",                                         \
  "Set aside for large contiguous pieces.")                                   \
X(PER_CPU, "per_cpu", BYTES, ADD, "zoneinfo",                                 \
  "Free pages kept on the lists of CPUs.")                                    \
X(PCP_HIGH, "cpu_high", BYTES, ADD, "zoneinfo",                               \
  "What the lists of CPUs may grow to.")                                      \
X(PCP_BATCH, "cpu_batch", BYTES, NONE, "zoneinfo",                            \
  "What a CPU's list takes or gives back at a time.")                         \
X(STANDING, "standing", TEXT, NONE, "zoneinfo",                               \
  "Where free stands among the watermarks: ok, below high, low or min.")      \
X(WATERMARKS, "watermarks", TEXT, NONE, "zoneinfo",                           \
  "A picture: free memory, with marks at min, low and high.")                 \
X(SLAB, "cache", TEXT, NONE, "slabinfo",                                      \
  "The name of the slab cache.")                                              \
X(ACTIVE, "active", COUNT, ADD, "slabinfo",                                   \
  "Objects in use.")                                                          \
X(OBJECTS, "objects", COUNT, ADD, "slabinfo",                                 \
  "Objects there is room for.")                                               \
X(USE, "use", PERCENT, NONE, "slabinfo",                                      \
  "Objects in use of those there is room for.")                               \
X(OBJECT_SIZE, "objsize", BYTES, NONE, "slabinfo",                            \
  "Size of an object.")                                                       \
X(PER_SLAB, "perslab", COUNT, NONE, "slabinfo",                               \
  "Objects in a slab.")                                                       \
X(SLAB_PAGES, "pages", COUNT, NONE, "slabinfo",                               \
  "Pages of a slab.")                                                         \
X(ACTIVE_SLABS, "active_slabs", COUNT, ADD, "slabinfo",                       \
  "Slabs with an object in use.")                                             \
X(SLABS, "slabs", COUNT, ADD, "slabinfo",                                     \
  "Slabs of the cache.")                                                      \
X(SLAB_RAM, "ram", BYTES, ADD, "slabinfo",                                    \
  "RAM of all its slabs.")                                                    \
X(SLAB_WASTE, "waste", BYTES, ADD, "slabinfo",                                \
  "RAM in which no object lives.")                                            \
X(PER_MIN, "per_min", CHANGE, ADD, "slabinfo",                                \
  "Growth of its RAM a minute, since the round before (--watch) or over the " \
  "time of --over.")                                                          \
X(SLAB_ORDER, "order", COUNT, NONE, "/sys/kernel/slab",                       \
  "A slab is 2 to this power pages.")                                         \
X(SLAB_PARTIAL, "partial", COUNT, ADD, "/sys/kernel/slab",                    \
  "Slabs that are neither full nor in use by a processor.")                   \
X(SLAB_CPU, "cpu_slabs", COUNT, ADD, "/sys/kernel/slab",                      \
  "Slabs that processors hold to themselves.")                                \
X(SLAB_ALIASES, "aliases", COUNT, ADD, "/sys/kernel/slab",                    \
  "Other caches that were merged into it.")                                   \
X(SLAB_TOTAL, "total_objects", COUNT, ADD, "/sys/kernel/slab",                \
  "Objects there is room for, as SLUB counts them.")                          \
X(RANGE, "range", TEXT, NONE, "vmallocinfo",                                  \
  "Its addresses, which the kernel scrambles for who may not know them.")     \
X(RANGE_NODES, "nodes", TEXT, NONE, "vmallocinfo",                            \
  "How many of its pages are on each NUMA node.")                             \
X(CALLER, "caller", TEXT, NONE, "vmallocinfo",                                \
  "The kernel's function that asked for it.")                                 \
X(VMALLOC_KIND, "kind", TEXT, NONE, "vmallocinfo",                            \
  "vmalloc (RAM), ioremap (devices), vmap (RAM of others), ...")              \
X(VIRTUAL, "virtual", BYTES, ADD, "vmallocinfo",                              \
  "Addresses, guard pages included.")                                         \
X(VMALLOC_RAM, "ram", BYTES, ADD, "vmallocinfo",                              \
  "Pages of RAM behind them.")                                                \
X(NODE_TOTAL, "total", BYTES, ADD, "/sys/devices/system/node",                \
  "RAM of the node.")                                                         \
X(NODE_FREE, "free", BYTES, ADD, "/sys/devices/system/node",                  \
  "Used for nothing.")                                                        \
X(NODE_ANON, "programs", BYTES, ADD, "/sys/devices/system/node",              \
  "Anonymous memory of programs.")                                            \
X(NODE_FILES, "files", BYTES, ADD, "/sys/devices/system/node",                \
  "Pages of files, shared memory included.")                                  \
X(NODE_SLAB, "slab", BYTES, ADD, "/sys/devices/system/node",                  \
  "The kernel's objects.")                                                    \
X(NODE_HUGE, "huge", BYTES, ADD, "/sys/devices/system/node",                  \
  "Pages of hugetlbfs's pool.")                                               \
X(NUMA_HIT, "hit", COUNT, ADD, "/sys/devices/system/node",                    \
  "Pages given from the node that was wanted.")                               \
X(NUMA_MISS, "miss", COUNT, ADD, "/sys/devices/system/node",                  \
  "Pages given from here though another node was wanted.")                    \
X(NUMA_FOREIGN, "foreign", COUNT, ADD, "/sys/devices/system/node",            \
  "Pages wanted from here and given from elsewhere.")                         \
X(DISTANCE, "distance", TEXT, NONE, "/sys/devices/system/node",               \
  "How far each node is, 10 being here.")                                     \
X(PAGE_KIND, "kind", TEXT, NONE, "kpageflags",                                \
  "What the page frames are used for.")                                       \
X(FRAMES, "frames", COUNT, ADD, "kpageflags",                                 \
  "How many there are.")                                                      \
X(FRAME_BYTES, "size", BYTES, ADD, "kpageflags",                              \
  "Their size.")
/* clang-format on */

#endif
