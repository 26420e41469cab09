/* SPDX-License-Identifier: MIT */
/*
 * port/sim/file.c: files on a device that fails as told.
 *
 * A file is two buffers: what the device answers, and what is left of it after
 * a loss of power, which QR_FILE_SYNC alone brings up to date. So a core that
 * says "synced" too early is found out. A transfer that fails with -QR_EIO has
 * moved the first half of its bytes, as on the swap device.
 */
#include <stdlib.h>
#include <string.h>

#include "sim_impl.h"

/* As the swap device's. */
#define FILE_ACCESS_NS 80000u
#define FILE_PAGE_NS   8000u

void
sim_files_init(struct sim *sim)
{
	pthread_mutex_init(&sim->file_lock, NULL);
}

void
sim_files_fini(struct sim *sim)
{
	while (sim->files != NULL) {
		struct sim_file *file = sim->files;
		sim->files = file->next;
		free(file->bytes);
		free(file->lasting);
		free(file);
	}
	pthread_mutex_destroy(&sim->file_lock);
}

struct sim_file *
sim_file_create(struct sim *sim, uint64_t capacity_bytes)
{
	struct sim_file *file = calloc(1, sizeof(*file));
	if (file == NULL)
		return NULL;
	file->capacity_bytes = capacity_bytes;
	file->bytes = calloc(1, capacity_bytes);
	file->lasting = calloc(1, capacity_bytes);
	if (file->bytes == NULL || file->lasting == NULL) {
		free(file->bytes);
		free(file->lasting);
		free(file);
		return NULL;
	}
	sim_lock(&sim->file_lock);
	file->next = sim->files;
	sim->files = file;
	sim_unlock(&sim->file_lock);
	return file;
}

unsigned char *
sim_file_bytes(struct sim_file *file)
{
	return file->bytes;
}

void
sim_file_lose_power(struct sim_file *file)
{
	memcpy(file->bytes, file->lasting, file->capacity_bytes);
}

/* One page's part of a transfer of bytes. */
static void
file_move(const struct sim *sim, const struct qr_file_io *io, size_t page,
    uint64_t bytes)
{
	const struct sim_file *file = io->file;
	unsigned char *frame = sim_frame(sim, io->frames[page]);
	unsigned char *at = file->bytes + (io->index + page) * QR_PAGE_SIZE;
	uint64_t first = page * QR_PAGE_SIZE;
	uint64_t n = bytes > first ? bytes - first : 0;
	if (n > QR_PAGE_SIZE)
		n = QR_PAGE_SIZE;
	if (io->op == QR_FILE_WRITE) {
		memcpy(at, frame, n);
		return;
	}
	memcpy(frame, at, n);
	if (bytes == io->size_bytes)
		memset(frame + n, 0, QR_PAGE_SIZE - n);
}

static void
file_check(const struct qr_file_io *io)
{
	const struct sim_file *file = io->file;
	uint64_t start = io->index * QR_PAGE_SIZE;
	SIM_CHECK(io->count >= 1 && io->count <= QR_STAGE_PAGES,
	    "transfer of %zu pages", io->count);
	SIM_CHECK(io->size_bytes > (io->count - 1) * QR_PAGE_SIZE &&
		      io->size_bytes <= io->count * QR_PAGE_SIZE,
	    "%llu bytes in %zu pages", (unsigned long long)io->size_bytes,
	    io->count);
	SIM_CHECK(start + io->size_bytes <= file->capacity_bytes,
	    "%llu bytes at %llu are past the file's %llu",
	    (unsigned long long)io->size_bytes, (unsigned long long)start,
	    (unsigned long long)file->capacity_bytes);
}

static int
file_transfer(struct sim *sim, const struct qr_file_io *io)
{
	bool write = io->op == QR_FILE_WRITE;
	file_check(io);
	int error = sim_enter(sim, write ? SIM_FILE_WRITE : SIM_FILE_READ);
	sim_spend(sim, FILE_ACCESS_NS + FILE_PAGE_NS * io->count);
	uint64_t bytes = io->size_bytes;
	if (error != 0)
		bytes = error == -QR_EIO ? bytes / 2 : 0;
	sim_lock(&sim->file_lock);
	for (size_t i = 0; i < io->count; i++)
		file_move(sim, io, i, bytes);
	sim_unlock(&sim->file_lock);
	atomic_fetch_add(write ? &sim->file_writes : &sim->file_reads,
	    io->count);
	atomic_fetch_add(&sim->file_calls, 1);
	return error;
}

int
sim_file_io(void *ctx, const struct qr_file_io *io)
{
	struct sim *sim = ctx;
	if (io->op != QR_FILE_SYNC)
		return file_transfer(sim, io);
	struct sim_file *file = io->file;
	int error = sim_enter(sim, SIM_FILE_SYNC);
	sim_spend(sim, FILE_ACCESS_NS);
	if (error != 0)
		return error;
	sim_lock(&sim->file_lock);
	memcpy(file->lasting, file->bytes, file->capacity_bytes);
	sim_unlock(&sim->file_lock);
	return 0;
}
