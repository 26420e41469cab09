/* SPDX-License-Identifier: MIT */
/*
 * port/sim/disk.c: the swap device, which fails as told.
 *
 * A transfer that fails with -QR_EIO has moved the first half of its bytes:
 * what a torn write leaves behind, and what a short read leaves in the
 * buffer. A page that was never written or that was trimmed reads as a
 * pattern, so that a core which reads it by mistake gets wrong data, not
 * lucky zeros.
 */
#include <stdlib.h>
#include <string.h>

#include "sim_impl.h"

/* An SSD of the middle class: time to answer, and bytes moved. */
#define DISK_ACCESS_NS 80000u
#define DISK_PAGE_NS   8000u

#define EMPTY_BYTE 0xdb

int
sim_disk_init(struct sim_disk *disk, uint64_t pages)
{
	*disk = (struct sim_disk){ .pages_max = pages,
		.pages = pages,
		.room = UINT64_MAX };
	pthread_mutex_init(&disk->lock, NULL);
	if (pages == 0)
		return 0;
	disk->bytes = calloc(pages, QR_PAGE_SIZE);
	disk->filled = calloc(pages, 1);
	if (disk->bytes == NULL || disk->filled == NULL)
		return -QR_ENOMEM;
	return 0;
}

void
sim_disk_fini(struct sim_disk *disk)
{
	free(disk->bytes);
	free(disk->filled);
	pthread_mutex_destroy(&disk->lock);
}

static unsigned char *
disk_page(const struct sim_disk *disk, uint64_t slot)
{
	return disk->bytes + slot * QR_PAGE_SIZE;
}

static void
disk_check_range(const struct sim_disk *disk, uint64_t slot, size_t count)
{
	SIM_CHECK(count != 0, "transfer of no pages at slot %llu",
	    (unsigned long long)slot);
	SIM_CHECK(slot <= disk->pages_max && count <= disk->pages_max - slot,
	    "slots %llu + %zu are past the device's %llu",
	    (unsigned long long)slot, count,
	    (unsigned long long)disk->pages_max);
}

uint64_t
sim_disk_size(void *ctx)
{
	struct sim_disk *disk = &((struct sim *)ctx)->disk;
	sim_lock(&disk->lock);
	uint64_t pages = disk->pages;
	sim_unlock(&disk->lock);
	return pages;
}

int
sim_disk_read(void *ctx, uint64_t slot, void *data, size_t count)
{
	struct sim *sim = ctx;
	struct sim_disk *disk = &sim->disk;
	int error = sim_enter(sim, SIM_SWAP_READ);
	disk_check_range(disk, slot, count);
	sim_spend(sim, DISK_ACCESS_NS + DISK_PAGE_NS * count);
	size_t bytes = count * QR_PAGE_SIZE;
	if (error != 0)
		bytes = error == -QR_EIO ? bytes / 2 : 0;
	sim_lock(&disk->lock);
	for (size_t i = 0; i < count; i++) {
		if (disk->filled[slot + i] == 0)
			memset(disk_page(disk, slot + i), EMPTY_BYTE,
			    QR_PAGE_SIZE);
	}
	memcpy(data, disk_page(disk, slot), bytes);
	disk->reads += count;
	sim_unlock(&disk->lock);
	return error;
}

static int
disk_fill(struct sim_disk *disk, uint64_t slot, size_t count)
{
	uint64_t fresh = 0;
	for (size_t i = 0; i < count; i++)
		fresh += disk->filled[slot + i] == 0;
	if (slot + count > disk->pages ||
	    disk->pages_filled + fresh > disk->room)
		return -QR_ENOSPC;
	memset(disk->filled + slot, 1, count);
	disk->pages_filled += fresh;
	return 0;
}

int
sim_disk_write(void *ctx, uint64_t slot, const void *data, size_t count)
{
	struct sim *sim = ctx;
	struct sim_disk *disk = &sim->disk;
	int error = sim_enter(sim, SIM_SWAP_WRITE);
	disk_check_range(disk, slot, count);
	sim_spend(sim, DISK_ACCESS_NS + DISK_PAGE_NS * count);
	size_t bytes = count * QR_PAGE_SIZE;
	if (error == -QR_EIO)
		bytes /= 2;
	sim_lock(&disk->lock);
	if (error == 0 || error == -QR_EIO) {
		int full = disk_fill(disk, slot, count);
		if (full == 0)
			memcpy(disk_page(disk, slot), data, bytes);
		if (error == 0)
			error = full;
	}
	disk->writes += count;
	sim_unlock(&disk->lock);
	return error;
}

void
sim_disk_trim(void *ctx, uint64_t slot, size_t count)
{
	struct sim_disk *disk = &((struct sim *)ctx)->disk;
	disk_check_range(disk, slot, count);
	sim_lock(&disk->lock);
	for (size_t i = 0; i < count; i++) {
		disk->pages_filled -= disk->filled[slot + i];
		disk->filled[slot + i] = 0;
	}
	disk->trims += count;
	sim_unlock(&disk->lock);
}

void
sim_disk_resize(struct sim *sim, uint64_t pages)
{
	struct sim_disk *disk = &sim->disk;
	sim_lock(&disk->lock);
	disk->pages = pages < disk->pages_max ? pages : disk->pages_max;
	sim_unlock(&disk->lock);
}

void
sim_disk_set_room(struct sim *sim, uint64_t pages)
{
	sim_lock(&sim->disk.lock);
	sim->disk.room = pages;
	sim_unlock(&sim->disk.lock);
}

void
sim_disk_corrupt(struct sim *sim, uint64_t slot)
{
	disk_check_range(&sim->disk, slot, 1);
	sim_lock(&sim->disk.lock);
	disk_page(&sim->disk, slot)[QR_PAGE_SIZE / 3] ^= 0xff;
	sim_unlock(&sim->disk.lock);
}
