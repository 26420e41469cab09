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
X(SLABS, "slabs", COUNT, ADD, "slabinfo",                                     \
  "Slabs of the cache.")                                                      \
X(SLAB_RAM, "ram", BYTES, ADD, "slabinfo",                                    \
  "RAM of all its slabs.")                                                    \
X(SLAB_WASTE, "waste", BYTES, ADD, "slabinfo",                                \
  "RAM in which no object lives.")                                            \
X(PER_MIN, "per_min", CHANGE, ADD, "slabinfo",                                \
  "Growth of its RAM a minute, since the round before (--watch) or over the " \
  "time of --over.")                                                          \
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
