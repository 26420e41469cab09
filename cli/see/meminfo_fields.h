/* SPDX-License-Identifier: MIT */
/* meminfo_fields.h: the fields of /proc/meminfo, and what they mean. */
#ifndef CLI_SEE_MEMINFO_FIELDS_H
#define CLI_SEE_MEMINFO_FIELDS_H

/* clang-format off */
#define MEMINFO_FIELDS(X)                                                     \
X("MemTotal", "RAM, less what the kernel took at boot.")                      \
X("MemFree", "Used for nothing.")                                             \
X("MemAvailable", "What programs can still have without swapping; an "        \
  "estimate of the kernel's.")                                                \
X("Buffers", "Pages of block devices kept in RAM: file system metadata.")     \
X("Cached", "Pages of files kept in RAM, tmpfs and shared memory included.")  \
X("SwapCached", "Pages that are in RAM and still in swap, too.")              \
X("Active", "Pages used of late; Active(anon) and Active(file).")             \
X("Inactive", "Pages not used of late, the next to go.")                      \
X("Active(anon)", "Of Active, anonymous memory and tmpfs.")                   \
X("Inactive(anon)", "Of Inactive, anonymous memory and tmpfs.")               \
X("Active(file)", "Of Active, pages of files.")                               \
X("Inactive(file)", "Of Inactive, pages of files.")                           \
X("Unevictable", "Pages that may not leave RAM.")                             \
X("Mlocked", "Of Unevictable, those that mlock holds.")                       \
X("HighTotal", "RAM beyond the kernel's own addresses (32 bits).")            \
X("HighFree", "Of HighTotal, used for nothing.")                              \
X("LowTotal", "RAM within the kernel's own addresses (32 bits).")             \
X("LowFree", "Of LowTotal, used for nothing.")                                \
X("MmapCopy", "RAM of copied mappings (no MMU).")                             \
X("SwapTotal", "All swap.")                                                   \
X("SwapFree", "Swap that is not used.")                                       \
X("Zswap", "RAM of zswap's compressed pages.")                                \
X("Zswapped", "Pages in zswap, before they were compressed.")                 \
X("Dirty", "Pages that must be written to their files.")                      \
X("Writeback", "Pages that are being written.")                               \
X("AnonPages", "Anonymous memory that programs map.")                         \
X("Mapped", "Pages of files and shared memory that programs map.")            \
X("Shmem", "Shared memory and tmpfs; part of Cached.")                        \
X("KReclaimable", "The kernel's memory that can go: SReclaimable and others.")\
X("Slab", "The kernel's objects: SReclaimable and SUnreclaim.")               \
X("SReclaimable", "Slabs that can go: inodes, directory entries.")            \
X("SUnreclaim", "Slabs that cannot go; growth without end is a leak.")        \
X("KernelStack", "Stacks of threads inside the kernel.")                      \
X("ShadowCallStack", "Shadow stacks of the kernel.")                          \
X("PageTables", "Page tables of programs.")                                   \
X("SecPageTables", "Page tables of virtual machines and IOMMUs.")             \
X("NFS_Unstable", "Written to an NFS server, not confirmed; now part of "     \
  "Writeback, and 0.")                                                        \
X("Bounce", "Copies for devices that cannot reach all RAM; now 0.")           \
X("WritebackTmp", "Copies that FUSE writes from.")                            \
X("CommitLimit", "What may be promised in overcommit mode 2.")                \
X("Committed_AS", "What has been promised to programs, touched or not.")      \
X("VmallocTotal", "Addresses for vmalloc.")                                   \
X("VmallocUsed", "Addresses that vmalloc has given out and filled.")          \
X("VmallocChunk", "The largest free piece of them; now 0.")                   \
X("Percpu", "The kernel's data that each CPU has a copy of.")                 \
X("HardwareCorrupted", "RAM found bad, and taken out of use.")                \
X("AnonHugePages", "Of AnonPages, in transparent huge pages.")                \
X("ShmemHugePages", "Of Shmem, in huge pages.")                               \
X("ShmemPmdMapped", "Of ShmemHugePages, mapped as huge pages.")               \
X("FileHugePages", "Of Cached, in huge pages.")                               \
X("FilePmdMapped", "Of FileHugePages, mapped as huge pages.")                 \
X("CmaTotal", "RAM set aside for large contiguous pieces.")                   \
X("CmaFree", "Of CmaTotal, free.")                                            \
X("Unaccepted", "RAM that the hypervisor gave and nobody has taken yet.")     \
X("Balloon", "RAM given back to the hypervisor.")                             \
X("GPUActive", "RAM that graphics drivers use.")                              \
X("GPUReclaim", "RAM that graphics drivers keep and could give up.")          \
X("HugePages_Total", "Pages of hugetlbfs's pool.")                            \
X("HugePages_Free", "Of these, not yet used.")                                \
X("HugePages_Rsvd", "Of the free ones, promised.")                            \
X("HugePages_Surp", "Pages beyond the pool's set size.")                      \
X("Hugepagesize", "The size of a page of that pool.")                         \
X("Hugetlb", "RAM of all pools of hugetlbfs, of all sizes.")                  \
X("DirectMap4k", "The kernel's map of RAM: the part by 4 KiB pages.")         \
X("DirectMap2M", "The part by 2 MiB pages.")                                  \
X("DirectMap4M", "The part by 4 MiB pages.")                                  \
X("DirectMap1G", "The part by 1 GiB pages.")
/* clang-format on */

#endif
