/* SPDX-License-Identifier: MIT */
/*
 * heap/libc.c: the malloc family under the names that programs call, with
 * glibc's habits where the standards leave a choice: realloc(p, 0) frees and
 * returns NULL, memalign rounds its alignment up, mallopt says yes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "front_impl.h"

/* The parameters of libc's headers have reserved names.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

/* What the headers of this libc do not declare. */
void cfree(void *block);
void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t align, size_t size);

QR_PUBLIC void *
malloc(size_t size)
{
	return front_alloc(size, QR_ORIGIN_MALLOC, "malloc");
}

QR_PUBLIC void
free(void *block)
{
	front_free(block, "free");
}

QR_PUBLIC void
cfree(void *block)
{
	front_free(block, "cfree");
}

QR_PUBLIC void
free_sized(void *block, size_t size)
{
	front_free_told(block, size, 0, QR_ORIGIN_MALLOC, "free_sized");
}

QR_PUBLIC void
free_aligned_sized(void *block, size_t align, size_t size)
{
	front_free_told(block, size, align, QR_ORIGIN_MALLOC,
	    "free_aligned_sized");
}

QR_PUBLIC void *
calloc(size_t count, size_t size)
{
	return front_calloc(count, size);
}

QR_PUBLIC void *
realloc(void *block, size_t size)
{
	return front_realloc(block, size);
}

QR_PUBLIC void *
reallocarray(void *block, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return front_realloc(block, bytes);
}

/* --- aligned --- */

QR_PUBLIC void *
aligned_alloc(size_t align, size_t size)
{
	return front_aligned(align, size, QR_ORIGIN_MALLOC, "aligned_alloc");
}

QR_PUBLIC int
posix_memalign(void **block, size_t align, size_t size)
{
	if (align < sizeof(void *) || !qr_is_pow2(align))
		return EINVAL;
	int saved = errno;
	void *found =
	    front_aligned(align, size, QR_ORIGIN_MALLOC, "posix_memalign");
	errno = saved;
	if (found == NULL)
		return ENOMEM;
	*block = found;
	return 0;
}

QR_PUBLIC void *
memalign(size_t align, size_t size)
{
	if (align > SIZE_MAX / 2 + 1) {
		errno = EINVAL;
		return NULL;
	}
	size_t rounded = (size_t)1 << qr_order_of(align);
	return front_aligned(qr_max(rounded, QR_SIZE_STEP), size,
	    QR_ORIGIN_MALLOC, "memalign");
}

static size_t
page_bytes(void)
{
	long bytes = sysconf(_SC_PAGESIZE);
	return bytes > 0 ? (size_t)bytes : QR_PAGE_SIZE;
}

QR_PUBLIC void *
valloc(size_t size)
{
	return front_aligned(page_bytes(), size, QR_ORIGIN_MALLOC, "valloc");
}

QR_PUBLIC void *
pvalloc(size_t size)
{
	size_t page = page_bytes();
	if (size > PTRDIFF_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	return front_aligned(page, qr_round_up(qr_max(size, 1), page),
	    QR_ORIGIN_MALLOC, "pvalloc");
}

/* --- questions and wishes --- */

QR_PUBLIC size_t
malloc_usable_size(void *block)
{
	return front_usable_size(block);
}

QR_PUBLIC int
malloc_trim(size_t keep_bytes)
{
	return qr_heap_trim(keep_bytes) != 0;
}

/* Every option of glibc's speaks of parts that this heap does not have. */
QR_PUBLIC int
mallopt(int option, int value)
{
	(void)option;
	(void)value;
	return 1;
}

/* Other libcs have neither the types nor callers. */
#ifdef __GLIBC__
QR_PUBLIC struct mallinfo2
mallinfo2(void)
{
	struct qr_heap_stats stats;
	qr_heap_stats(&stats);
	struct mallinfo2 info = {
		.arena = stats.small_bytes + stats.dirty_bytes,
		.hblks = stats.large_blocks,
		.hblkhd = stats.large_bytes,
		.uordblks = stats.small_used_bytes,
		.fordblks = stats.small_bytes - stats.small_used_bytes +
			    stats.dirty_bytes,
		.keepcost = stats.dirty_bytes,
	};
	return info;
}

/* Its fields are ints: what does not fit is cut to the largest. */
static int
saturate(size_t value)
{
	return value > INT32_MAX ? INT32_MAX : (int)value;
}

QR_PUBLIC struct mallinfo
mallinfo(void)
{
	struct mallinfo2 wide = mallinfo2();
	struct mallinfo info = {
		.arena = saturate(wide.arena),
		.hblks = saturate(wide.hblks),
		.hblkhd = saturate(wide.hblkhd),
		.uordblks = saturate(wide.uordblks),
		.fordblks = saturate(wide.fordblks),
		.keepcost = saturate(wide.keepcost),
	};
	return info;
}
#endif

QR_PUBLIC int
malloc_info(int options, FILE *stream)
{
	if (options != 0)
		return EINVAL;
	struct qr_heap_stats stats;
	qr_heap_stats(&stats);
	fprintf(stream,
	    "<malloc version=\"quire-1\">\n"
	    "<system type=\"current\" size=\"%zu\"/>\n"
	    "<system type=\"max\" size=\"%zu\"/>\n"
	    "<total type=\"small\" count=\"%zu\" size=\"%zu\" used=\"%zu\"/>\n"
	    "<total type=\"large\" count=\"%zu\" size=\"%zu\"/>\n"
	    "<total type=\"dirty\" size=\"%zu\"/>\n"
	    "<total type=\"metadata\" size=\"%zu\"/>\n"
	    "<aspace type=\"total\" size=\"%zu\"/>\n"
	    "</malloc>\n",
	    stats.held_bytes, stats.held_bytes_max, stats.spans,
	    stats.small_bytes, stats.small_used_bytes, stats.large_blocks,
	    stats.large_bytes, stats.dirty_bytes, stats.metadata_bytes,
	    stats.reserved_bytes);
	return 0;
}

static void
print_line(void *ctx, const char *line)
{
	dprintf(*(const int *)ctx, "%s\n", line);
}

QR_PUBLIC void
malloc_stats(void)
{
	int fd = STDERR_FILENO;
	qr_heap_dump(print_line, &fd);
}

/* --- calls that a helper thread would be in the way of --- */

QR_PUBLIC int
unshare(int flags)
{
	return qr_heap_call_alone(SYS_unshare, flags, 0);
}

QR_PUBLIC int
setns(int fd, int type)
{
	return qr_heap_call_alone(SYS_setns, fd, type);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
