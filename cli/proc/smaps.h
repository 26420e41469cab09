/* SPDX-License-Identifier: MIT */
/*
 * smaps.h: areas of a process, from PID/smaps, smaps_rollup or maps. The
 * reader learns the order of the keys from the first area, so that the others
 * cost a comparison a line.
 */
#ifndef CLI_PROC_SMAPS_H
#define CLI_PROC_SMAPS_H

#include "source.h"

/* X(name, key of the kernel); all in bytes but the flag at the end. */
/* clang-format off */
#define SMAPS_TABLE(X)                                                        \
	X(SIZE, "Size") X(KERNEL_PAGE, "KernelPageSize")                      \
	X(MMU_PAGE, "MMUPageSize") X(RSS, "Rss") X(PSS, "Pss")                \
	X(PSS_DIRTY, "Pss_Dirty") X(PSS_ANON, "Pss_Anon")                     \
	X(PSS_FILE, "Pss_File") X(PSS_SHMEM, "Pss_Shmem")                     \
	X(SHARED_CLEAN, "Shared_Clean") X(SHARED_DIRTY, "Shared_Dirty")       \
	X(PRIVATE_CLEAN, "Private_Clean") X(PRIVATE_DIRTY, "Private_Dirty")   \
	X(REFERENCED, "Referenced") X(ANONYMOUS, "Anonymous")                 \
	X(KSM, "KSM") X(LAZYFREE, "LazyFree")                                 \
	X(ANON_HUGE, "AnonHugePages") X(SHMEM_PMD, "ShmemPmdMapped")          \
	X(FILE_PMD, "FilePmdMapped") X(SHARED_HUGETLB, "Shared_Hugetlb")      \
	X(PRIVATE_HUGETLB, "Private_Hugetlb") X(SWAP, "Swap")                 \
	X(SWAPPSS, "SwapPss") X(LOCKED, "Locked")                             \
	X(THP_ELIGIBLE, "THPeligible") X(PROTECTION_KEY, "ProtectionKey")
/* clang-format on */

enum smaps_key {
#define SMAPS_ENUM(name, key) SMAPS_##name,
	SMAPS_TABLE(SMAPS_ENUM)
#undef SMAPS_ENUM
	    SMAPS_KEYS
};

#define SMAPS_UNKNOWN_MAX 16u /* keys of one area that we do not know */

struct smaps_unknown {
	char key[48];
	int64_t number;
	bool is_bytes;
};

struct smaps_area {
	uint64_t start, end;
	uint64_t offset, inode;
	unsigned device_major, device_minor;
	char perms[5];
	const char *name;  /* as the kernel writes it; "": anonymous */
	const char *flags; /* of VmFlags; "": not told */
	int64_t value[SMAPS_KEYS];
	uint32_t has; /* bit k: value[k] was told */
	struct smaps_unknown unknown[SMAPS_UNKNOWN_MAX];
	unsigned unknown_count;
};

static inline bool
smaps_has(const struct smaps_area *area, enum smaps_key key)
{
	return (area->has >> key & 1u) != 0;
}

/* Private pages: what would be free if the process went. */
static inline int64_t
smaps_uss(const struct smaps_area *area)
{
	return area->value[SMAPS_PRIVATE_CLEAN] +
	       area->value[SMAPS_PRIVATE_DIRTY];
}

/* Calls visit for each area of a file; visit may keep nothing of it. 0 or
 * -errno. */
QR_MUST_CHECK int smaps_read(struct source *source, const char *path,
    void (*visit)(void *ctx, const struct smaps_area *area), void *ctx);

#endif
