/* SPDX-License-Identifier: MIT */
/*
 * swap/swap.h: pages that are out: compressed in RAM, or on the device.
 *
 * A page that is out has a slot: a number that stands in the page table and
 * says nothing about where the contents are, so that they can move from the
 * compressed pool to the device without any page table knowing.
 */
#ifndef QR_SWAP_H
#define QR_SWAP_H

#include <qr/codec.h>

#include "../slab/slab.h"

struct qr_swap_config {
	const struct qr_codec *codec;  /* NULL: nothing is compressed */
	uint64_t pool_pages_max;       /* frames the pool may have; 0: no limit
					 but memory */
	uint64_t pool_pages_writeback; /* above: oldest pages go to the device
					  where there is one; 0: never */
	bool keep_raw; /* a page that can't be compressed may take a whole
			  frame of the pool: right where mapped pages are
			  what is scarce, not frames as such */
};

struct qr_swap_stat {
	uint64_t slots;        /* slots in use: pages that are out */
	uint64_t same_filled;  /* of these, one repeated word */
	uint64_t pooled;       /* of these, compressed in RAM */
	uint64_t pooled_bytes; /* their compressed length */
	uint64_t pool_frames;  /* frames the pool holds for them */
	uint64_t on_device;    /* of these, on the device */
	uint64_t device_pages; /* its size */
	uint64_t stores;       /* events since the start */
	uint64_t loads_pool;   /* incl. same-filled */
	uint64_t loads_device;
	uint64_t incompressible; /* stores that went to the device raw */
	uint64_t written_back;   /* pages moved from pool to device */
	uint64_t io_errors;
	uint64_t refused; /* stores that found no room anywhere */
};

struct qr_swap; /* swap_impl.h */

QR_MUST_CHECK int qr_swap_create(struct qr_frames *frames,
    struct qr_slabs *slabs, const struct qr_swap_config *config,
    struct qr_swap **swap);

/* All slots must have been put. */
void qr_swap_destroy(struct qr_swap *swap);

/*
 * Stores a page's contents: one repeated word as such, else compressed, else
 * (incompressible, or no room in the pool) on the device. Takes memory only
 * from the reserve. Returns the new slot, one reference. -QR_ENOSPC: no room
 * anywhere; -QR_EIO: the device failed and there is no other room;
 * -QR_ENOMEM. May sleep. No lock above QR_RANK_PEEK held.
 */
QR_MUST_CHECK int qr_swap_store(struct qr_swap *swap, const void *data,
    uint64_t *slot);

/* Fills data with the slot's page. The slot stays. -QR_EIO: it can't be had;
 * data is then undefined. May sleep. */
QR_MUST_CHECK int qr_swap_load(struct qr_swap *swap, uint64_t number,
    void *data);

/* The same for slots whose pages lie one behind the other on the device, by
 * one read: data is count pages. Returns how many of the first are filled;
 * the one after them is to be loaded by itself, if only to learn why. May
 * sleep. */
QR_MUST_CHECK size_t qr_swap_load_row(struct qr_swap *swap,
    const uint64_t *numbers, void *data, size_t count);

/* Whether a load would not wait for the device. */
bool qr_swap_is_near(struct qr_swap *swap, uint64_t number);

/* Whether number's page lies on the device right behind that of before. */
bool qr_swap_follows(struct qr_swap *swap, uint64_t before, uint64_t number);

/* References: one more entry points to the slot; one less, the last frees. */
void qr_swap_get(struct qr_swap *swap, uint64_t number);
void qr_swap_put(struct qr_swap *swap, uint64_t number);

/* A number the reclaimer keeps with the slot: when it was evicted. */
void qr_swap_set_shadow(struct qr_swap *swap, uint64_t number, uint32_t shadow);
uint32_t qr_swap_shadow(struct qr_swap *swap, uint64_t number);

/* Moves up to count of the oldest compressed pages to the device; returns
 * the frames that became free. May sleep. */
size_t qr_swap_write_back(struct qr_swap *swap, size_t count);

/* Whether the pool is above the share at which pages should move on. */
bool qr_swap_pool_is_full(const struct qr_swap *swap);

void qr_swap_stat(struct qr_swap *swap, struct qr_swap_stat *stat);
void qr_check_swap(struct qr_swap *swap, enum qr_check_depth depth);

#endif
