/* SPDX-License-Identifier: MIT */
/*
 * heap/pprof.c: the profile's table as the text that pprof reads, and where
 * QUIRE_HEAP_PROFILE says, at the end of the program.
 *
 *     heap profile:  live: bytes [ ever: bytes] @ heap_v2/524288
 *       1: 4096 [ 3: 12288] @ 0x55d0a1 0x55d1f3 0x7f00c2
 *     MAPPED_LIBRARIES:
 *     ... /proc/self/maps
 *
 * Counts are of the sample; who reads it multiplies by what a block stands for,
 * which heap_v2 and the interval say. Written line by line from the stack, as
 * it may be asked for where nothing can be allocated.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sample_impl.h"

#define PPROF_BYTES 4096u /* of the buffer; a line is at most half of it */
#define PPROF_LINE  2048u
#define PPROF_PATH  1024u

_Static_assert(128 + QR_HEAP_PROFILE_FRAMES * 19 < PPROF_LINE,
    "a stack is a line");

struct writer {
	int fd;
	int err;
	size_t used;
	char text[PPROF_BYTES];
};

static void
writer_flush(struct writer *writer)
{
	size_t done = 0;
	while (done < writer->used && writer->err == 0) {
		ssize_t part =
		    write(writer->fd, writer->text + done, writer->used - done);
		if (part > 0)
			done += (size_t)part;
		else if (part == 0 || errno != EINTR)
			writer->err = part == 0 ? -QR_EIO : -errno;
	}
	writer->used = 0;
}

__attribute__((format(printf, 2, 3))) static void
writer_print(struct writer *writer, const char *format, ...)
{
	if (writer->used > PPROF_BYTES - PPROF_LINE)
		writer_flush(writer);
	va_list arguments;
	va_start(arguments, format);
	int bytes = vsnprintf(writer->text + writer->used,
	    PPROF_BYTES - writer->used, format, arguments);
	va_end(arguments);
	if (bytes > 0)
		writer->used += (size_t)bytes;
}

/* Calls visit for each stack, the counts of which are copied under the lock,
 * as no call of libc is made with it held. */
static void
stacks_visit(void (*visit)(void *ctx, const struct qr_heap_profile_stack *copy,
		 const uint64_t *frame),
    void *ctx)
{
	struct qr_heap *heap = &qr_heap_process;
	const struct qr_heap_profile_table *table = heap->profile.table;
	uint64_t at = sizeof(uint64_t);
	for (;;) {
		struct qr_heap_profile_stack copy;
		qr_heap_lock(heap, QR_HEAP_LOCK_PROFILE);
		bool more = at < table->stacks_bytes;
		const struct qr_heap_profile_stack *stack =
		    (const void *)(uintptr_t)(table->stacks + at);
		if (more)
			copy = *stack;
		qr_heap_unlock(heap, QR_HEAP_LOCK_PROFILE);
		if (!more)
			return;
		visit(ctx, &copy, qr_heap_profile_frames(stack));
		at += sizeof(copy) + copy.depth * sizeof(uint64_t);
	}
}

static void
stack_sum(void *ctx, const struct qr_heap_profile_stack *copy,
    const uint64_t *frame)
{
	struct qr_heap_profile_stack *sum = ctx;
	(void)frame;
	sum->live_blocks += copy->live_blocks;
	sum->live_bytes += copy->live_bytes;
	sum->total_blocks += copy->total_blocks;
	sum->total_bytes += copy->total_bytes;
}

static void
counts_print(struct writer *writer, const struct qr_heap_profile_stack *counts)
{
	writer_print(writer,
	    "%" PRIu64 ": %" PRIu64 " [%" PRIu64 ": %" PRIu64 "] @",
	    counts->live_blocks, counts->live_bytes, counts->total_blocks,
	    counts->total_bytes);
}

static void
stack_print(void *ctx, const struct qr_heap_profile_stack *copy,
    const uint64_t *frame)
{
	struct writer *writer = ctx;
	counts_print(writer, copy);
	for (uint32_t i = 0; i < copy->depth; i++)
		writer_print(writer, " 0x%" PRIx64, frame[i]);
	writer_print(writer, "\n");
}

static void
maps_copy(struct writer *writer)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	ssize_t got = 1;
	while (fd >= 0 && got > 0 && writer->err == 0) {
		writer_flush(writer);
		got = read(fd, writer->text, PPROF_BYTES);
		writer->used = got > 0 ? (size_t)got : 0;
	}
	if (fd >= 0)
		close(fd);
}

int
qr_heap_profile_write(int fd)
{
	struct writer writer = { .fd = fd };
	struct qr_heap_profile_stack sum = { 0 };
	int saved = errno;
	if (qr_heap_profile_root.table == 0)
		return -QR_ENOENT;
	const struct qr_heap_profile_table *table =
	    (const void *)(uintptr_t)qr_heap_profile_root.table;
	stacks_visit(stack_sum, &sum);
	writer_print(&writer, "heap profile: ");
	counts_print(&writer, &sum);
	writer_print(&writer, " heap_v2/%" PRIu64 "\n", table->interval);
	stacks_visit(stack_print, &writer);
	writer_print(&writer, "\nMAPPED_LIBRARIES:\n");
	maps_copy(&writer);
	writer_flush(&writer);
	errno = saved;
	return writer.err;
}

/* The path, with the process's number for each %p. */
static void
path_make(const char *text, char *path, size_t room)
{
	size_t used = 0;
	while (*text != '\0' && used + 12 < room) {
		if (strncmp(text, "%p", 2) == 0) {
			used += (size_t)snprintf(path + used, room - used, "%d",
			    (int)getpid());
			text += 2;
		} else {
			path[used++] = *text++;
		}
	}
	path[used] = '\0';
}

__attribute__((destructor)) static void
pprof_at_end(void)
{
	char path[PPROF_PATH];
	const char *text = getenv("QUIRE_HEAP_PROFILE");
	if (text == NULL || *text == '\0')
		return;
	path_make(text, path, sizeof(path));
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err = fd < 0 ? -errno : qr_heap_profile_write(fd);
	if (fd >= 0)
		close(fd);
	if (err != 0 && err != -QR_ENOENT)
		qr_heap_say("the heap's profile could not be written");
}
