/* SPDX-License-Identifier: MIT */
/* area.c: mappings summed up, and what they are called. */
#include "process.h"

static const enum column_id smaps_columns[SMAPS_KEYS] = {
	[SMAPS_SIZE] = COL_VSS,
	[SMAPS_KERNEL_PAGE] = COL_KERNEL_PAGE,
	[SMAPS_MMU_PAGE] = COL_MMU_PAGE,
	[SMAPS_RSS] = COL_RSS,
	[SMAPS_PSS] = COL_PSS,
	[SMAPS_PSS_DIRTY] = COL_PSS_DIRTY,
	[SMAPS_PSS_ANON] = COL_PSS_ANON,
	[SMAPS_PSS_FILE] = COL_PSS_FILE,
	[SMAPS_PSS_SHMEM] = COL_PSS_SHMEM,
	[SMAPS_SHARED_CLEAN] = COL_SHARED_CLEAN,
	[SMAPS_SHARED_DIRTY] = COL_SHARED_DIRTY,
	[SMAPS_PRIVATE_CLEAN] = COL_PRIVATE_CLEAN,
	[SMAPS_PRIVATE_DIRTY] = COL_PRIVATE_DIRTY,
	[SMAPS_REFERENCED] = COL_REFERENCED,
	[SMAPS_ANONYMOUS] = COL_ANONYMOUS,
	[SMAPS_KSM] = COL_KSM,
	[SMAPS_LAZYFREE] = COL_LAZYFREE,
	[SMAPS_ANON_HUGE] = COL_ANON_HUGE,
	[SMAPS_SHMEM_PMD] = COL_SHMEM_PMD,
	[SMAPS_FILE_PMD] = COL_FILE_PMD,
	[SMAPS_SHARED_HUGETLB] = COL_SHARED_HUGETLB,
	[SMAPS_PRIVATE_HUGETLB] = COL_PRIVATE_HUGETLB,
	[SMAPS_SWAP] = COL_SWAP,
	[SMAPS_SWAPPSS] = COL_SWAPPSS,
	[SMAPS_LOCKED] = COL_LOCKED,
	[SMAPS_THP_ELIGIBLE] = COL_THP_ELIGIBLE,
	[SMAPS_PROTECTION_KEY] = COL_PROTECTION_KEY,
};

/* Those that do not add up. */
static bool
is_of_one_area(enum smaps_key key)
{
	return key == SMAPS_KERNEL_PAGE || key == SMAPS_MMU_PAGE ||
	       key == SMAPS_THP_ELIGIBLE || key == SMAPS_PROTECTION_KEY;
}

void
area_sums_add(struct area_sums *sums, const struct smaps_area *area)
{
	for (int key = 0; key < SMAPS_KEYS; key++)
		sums->value[key] += area->value[key];
	sums->has |= area->has;
	sums->count++;
	sums->virtual_bytes += (int64_t)(area->end - area->start);
}

void
area_sums_set(const struct area_sums *sums, struct table *table, size_t row)
{
	for (int k = 0; k < SMAPS_KEYS; k++) {
		enum smaps_key key = (enum smaps_key)k;
		if ((sums->has >> k & 1u) != 0 &&
		    (sums->count == 1 || !is_of_one_area(key)))
			table_set(table, row, smaps_columns[k], sums->value[k]);
	}
	if ((sums->has >> SMAPS_PSS & 1u) == 0)
		return;
	table_set(table, row, COL_USS,
	    sums->value[SMAPS_PRIVATE_CLEAN] +
		sums->value[SMAPS_PRIVATE_DIRTY]);
	table_set(table, row, COL_EPSS,
	    sums->value[SMAPS_PSS] + sums->value[SMAPS_SWAPPSS]);
	table_set(table, row, COL_DIRTY,
	    sums->value[SMAPS_SHARED_DIRTY] + sums->value[SMAPS_PRIVATE_DIRTY]);
}

void
area_unknown_set(const struct smaps_area *area, struct table *table, size_t row)
{
	for (unsigned i = 0; i < area->unknown_count; i++)
		table_add_unknown(table, row, area->unknown[i].key,
		    area->unknown[i].number, area->unknown[i].is_bytes);
}

const char *
area_name(const struct smaps_area *area)
{
	return area->name[0] != '\0' ? area->name : "[anonymous]";
}
