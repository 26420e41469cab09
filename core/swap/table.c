/* SPDX-License-Identifier: MIT */
/*
 * swap/table.c: a growable table of frames, in two levels.
 *
 * A frame never moves while it is in the table, so a reader needs no lock for
 * one that it knows to be in use: entries are single words. 2^20 frames: 512
 * GiB of pages that are out, or a device of 128 TiB. Frames of entries stay
 * once made, at 4 bytes for each frame that the table ever held.
 */
#include "swap_impl.h"

struct qr_page *
qr_swap_frame(struct qr_swap *swap, enum qr_page_kind kind)
{
	struct qr_page *page =
	    qr_frame_alloc(swap->frames, QR_GFP_RESERVE | QR_GFP_ZERO, 0, kind);
	if (page != NULL)
		(void)qr_frame_data(swap->frames, page);
	return page;
}

static void
table_frame_free(struct qr_swap *swap, uint32_t entry)
{
	qr_frame_free(swap->frames, swap_page(swap, entry - 1));
}

/* Acquire pairs with the release in qr_swap_table_add: who finds a frame
 * finds it zeroed. */
static uint32_t
entry_load(const _Atomic(uint32_t) *entry)
{
	return atomic_load_explicit(entry, memory_order_acquire);
}

/* The frame of entries that index lies in; NULL: there is none. */
static _Atomic(uint32_t) *
table_node(const struct qr_swap *swap, const struct swap_table *table,
    uint32_t index)
{
	if (index >= SWAP_TABLE_MAX)
		return NULL;
	uint32_t entry = entry_load(&table->root[index / SWAP_TABLE_FANOUT]);
	return entry == 0 ? NULL : swap_bytes(swap, entry - 1);
}

static uint32_t
table_entry(const struct qr_swap *swap, const struct swap_table *table,
    uint32_t index)
{
	_Atomic(uint32_t) *node = table_node(swap, table, index);
	return node == NULL ? 0 : entry_load(&node[index % SWAP_TABLE_FANOUT]);
}

int
qr_swap_table_init(struct qr_swap *swap, struct swap_table *table)
{
	struct qr_page *page = qr_swap_frame(swap, QR_PAGE_KERNEL);
	if (page == NULL)
		return -QR_ENOMEM;
	table->root = qr_frame_data(swap->frames, page);
	table->end = 0;
	return 0;
}

void
qr_swap_table_fini(struct qr_swap *swap, struct swap_table *table)
{
	for (uint32_t index = 0; index < table->end; index++)
		qr_swap_table_remove(swap, table, index);
	for (uint32_t i = 0; i < SWAP_TABLE_FANOUT; i++) {
		uint32_t entry = entry_load(&table->root[i]);
		if (entry != 0)
			table_frame_free(swap, entry);
	}
	uintptr_t offset = (uintptr_t)table->root - swap->direct;
	table_frame_free(swap, (uint32_t)(offset / QR_PAGE_SIZE) + 1);
	table->root = NULL;
}

void *
qr_swap_table_at(const struct qr_swap *swap, const struct swap_table *table,
    uint32_t index)
{
	uint32_t entry = table_entry(swap, table, index);
	return entry == 0 ? NULL : swap_bytes(swap, entry - 1);
}

struct qr_page *
qr_swap_table_page(const struct qr_swap *swap, const struct swap_table *table,
    uint32_t index)
{
	uint32_t entry = table_entry(swap, table, index);
	return entry == 0 ? NULL : swap_page(swap, entry - 1);
}

/* Puts a new frame behind an entry that is empty. */
static int
entry_fill(struct qr_swap *swap, _Atomic(uint32_t) *entry)
{
	struct qr_page *page = qr_swap_frame(swap, QR_PAGE_KERNEL);
	if (page == NULL)
		return -QR_ENOMEM;
	uint32_t pfn = (uint32_t)qr_frame_pfn(swap->frames, page);
	/* Release pairs with entry_load. */
	atomic_store_explicit(entry, pfn + 1, memory_order_release);
	return 0;
}

int
qr_swap_table_add(struct qr_swap *swap, struct swap_table *table,
    uint32_t index)
{
	if (index >= SWAP_TABLE_MAX)
		return -QR_ENOSPC;
	_Atomic(uint32_t) *node = table_node(swap, table, index);
	if (node == NULL) {
		int error =
		    entry_fill(swap, &table->root[index / SWAP_TABLE_FANOUT]);
		if (error != 0)
			return error;
		node = table_node(swap, table, index);
	}
	int error = entry_fill(swap, &node[index % SWAP_TABLE_FANOUT]);
	if (error == 0 && index >= table->end)
		table->end = index + 1;
	return error;
}

void
qr_swap_table_remove(struct qr_swap *swap, struct swap_table *table,
    uint32_t index)
{
	_Atomic(uint32_t) *node = table_node(swap, table, index);
	if (node == NULL)
		return;
	/* Relaxed: nobody reads a frame that holds nothing in use. */
	uint32_t entry =
	    atomic_exchange_explicit(&node[index % SWAP_TABLE_FANOUT], 0,
		memory_order_relaxed);
	if (entry != 0)
		table_frame_free(swap, entry);
}
