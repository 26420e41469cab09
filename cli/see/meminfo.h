/* SPDX-License-Identifier: MIT */
/* meminfo.h: /proc/meminfo as numbers, for those who work with some. */
#ifndef CLI_SEE_MEMINFO_H
#define CLI_SEE_MEMINFO_H

#include "view.h"

/* X(name, key); in bytes, 0 where the kernel does not tell. */
/* clang-format off */
#define MEMINFO_TABLE(X)                                                      \
	X(total, "MemTotal") X(free, "MemFree") X(available, "MemAvailable")  \
	X(buffers, "Buffers") X(cached, "Cached") X(shmem, "Shmem")           \
	X(swap_cached, "SwapCached") X(swap_total, "SwapTotal")               \
	X(swap_free, "SwapFree") X(zswap, "Zswap") X(zswapped, "Zswapped")    \
	X(anon, "AnonPages") X(slab, "Slab")                                  \
	X(sreclaimable, "SReclaimable") X(kreclaimable, "KReclaimable")       \
	X(kernel_stack, "KernelStack") X(page_tables, "PageTables")           \
	X(sec_page_tables, "SecPageTables") X(percpu, "Percpu")               \
	X(hugetlb, "Hugetlb") X(huge_total, "HugePages_Total")                \
	X(huge_size, "Hugepagesize") X(commit_limit, "CommitLimit")           \
	X(committed, "Committed_AS") X(mapped, "Mapped")                      \
	X(unaccepted, "Unaccepted") X(balloon, "Balloon")                      \
	X(active, "Active") X(inactive, "Inactive")
/* clang-format on */

struct meminfo {
#define MEMINFO_FIELD(name, key) int64_t name;
	MEMINFO_TABLE(MEMINFO_FIELD)
#undef MEMINFO_FIELD
	/* Parts of total, which they add up to. */
	int64_t files;
	int64_t kernel;
	int64_t unaccounted; /* below 0 where the kernel counts twice */
};

/* False: session->problem says that there is none. */
QR_MUST_CHECK bool meminfo_read(struct session *session,
    struct meminfo *meminfo);

#endif
