/* SPDX-License-Identifier: MIT */
/*
 * qr/object.h: what can be mapped beside private anonymous memory: files of
 * the embedder's, and memory that several spaces share. An object is pages by
 * number; those in RAM are the page cache, and every space that maps the
 * object, qr_object_read and qr_object_write see the same ones.
 *
 * Threads as in <qr/machine.h>. Calls that may wait for the port's file_io()
 * or swap device say "may sleep".
 */
#ifndef QR_OBJECT_H
#define QR_OBJECT_H

#include <qr/machine.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qr_object;

/* Objects hold up to 2^32 pages. */
#define QR_OBJECT_BYTES_MAX ((uint64_t)1 << 44)

/*
 * An object for a file that the port knows as file, size_bytes long; the
 * caller has one reference. There is to be one object a file. -QR_ENOMEM;
 * -QR_EOPNOTSUPP: the port lacks file_io or QR_PORT_PAGES_MOVE; -QR_EINVAL:
 * too long.
 */
QR_MUST_CHECK int qr_file_open(struct qr_machine *machine, void *file,
    uint64_t size_bytes, struct qr_object **object);

/* All of its memory is promised at once, as that of MAP_SHARED|MAP_ANONYMOUS
 * is; else page by page, at the first touch. */
#define QR_OBJECT_RESERVED  0x1u
/* Nothing of it is charged to the commit limit. */
#define QR_OBJECT_NORESERVE 0x2u

/* An object of memory: zeroes at first, to swap when frames are short, gone
 * with its last reference. As memfd_create. Errors as above. */
QR_MUST_CHECK int qr_memory_create(struct qr_machine *machine,
    uint64_t size_bytes, unsigned flags, struct qr_object **object);

/*
 * References: each mapping has one of its own. The last one writes back what
 * is dirty and frees all; whoever wants to know that it was written calls
 * qr_object_sync before. May sleep.
 */
void qr_object_get(struct qr_object *object);
void qr_object_put(struct qr_object *object);

uint64_t qr_object_size(const struct qr_object *object);

/*
 * Sets the size. What is cut off is unmapped everywhere, private copies
 * included, and lost; what comes back later is zero. May sleep. -QR_EINVAL: too
 * long; -QR_ENOMEM: the commit limit, or no memory for the last page.
 */
QR_MUST_CHECK int qr_object_resize(struct qr_object *object,
    uint64_t size_bytes);

/* Makes [offset, offset + size_bytes) of a memory object zeroes, giving whole
 * pages back; private copies stay. May sleep. -QR_EOPNOTSUPP: it is a file. */
QR_MUST_CHECK int qr_object_punch(struct qr_object *object, uint64_t offset,
    uint64_t size_bytes);

/* Bytes that are copied; *size_bytes is how many, then how many were. */
struct qr_object_copy {
	uint64_t offset;
	uint64_t size_bytes; /* wanted; then done */
};

/* As read(): short at the object's end. As write(): makes it longer. An error
 * with bytes done before it is told by the next call. May sleep. -QR_EIO,
 * -QR_ENOMEM; -QR_ENOSPC: longer than an object can be. */
QR_MUST_CHECK int qr_object_read(struct qr_object *object, void *to,
    struct qr_object_copy *copy);
QR_MUST_CHECK int qr_object_write(struct qr_object *object, const void *from,
    struct qr_object_copy *copy);

/*
 * As fsync: when this returns 0 all that was written to [offset, offset +
 * size_bytes) before is on the device, and has been made to last. Else the
 * first error; pages that could not be written stay dirty. *seen, 0 at first,
 * is the caller's place in the object's sequence of write errors: one that the
 * background met since is returned once to each such place, even if the data
 * was written meanwhile. NULL: only errors of this call. May sleep.
 */
QR_MUST_CHECK int qr_object_sync(struct qr_object *object, uint64_t offset,
    uint64_t size_bytes, uint32_t *seen);

/* Reads up to size_bytes ahead, as far as there is memory. May sleep. */
void qr_object_prefetch(struct qr_object *object, uint64_t offset,
    uint64_t size_bytes);

/*
 * Memory whose contents may be taken when frames are short, as ashmem has it;
 * all of an object is pinned at first. Unpinned pages cost no swap: the range
 * that was unpinned first goes first, before anything else is evicted. Pinning
 * says whether any of the range's pages went; what did is zero. Ranges are of
 * whole pages. -QR_EINVAL; -QR_ENOMEM; -QR_EOPNOTSUPP: it is a file.
 */
QR_MUST_CHECK int qr_object_unpin(struct qr_object *object, uint64_t offset,
    uint64_t size_bytes);
QR_MUST_CHECK int qr_object_pin(struct qr_object *object, uint64_t offset,
    uint64_t size_bytes, bool *purged);
bool qr_object_is_pinned(struct qr_object *object, uint64_t offset,
    uint64_t size_bytes);

/* Drops the clean pages that nobody maps; returns how many. As drop_caches,
 * and POSIX_FADV_DONTNEED. */
uint64_t qr_object_drop(struct qr_object *object);
uint64_t qr_machine_drop_cache(struct qr_machine *machine);

/* Writes dirty pages of all files back, up to pages of them (UINT64_MAX:
 * all); returns how many were written. May sleep. */
uint64_t qr_machine_write_back(struct qr_machine *machine, uint64_t pages);

struct qr_object_stat {
	uint64_t size_bytes;
	uint64_t cached_pages; /* in RAM */
	uint64_t dirty_pages;  /* of these, not on the device as they are */
	uint64_t stored_pages; /* in swap */
	uint64_t views;        /* areas that map it */
	uint32_t references;
};

void qr_object_stat(struct qr_object *object, struct qr_object_stat *stat);

/* Of all objects; events since the start. */
struct qr_cache_stat {
	uint64_t objects;
	uint64_t cached_pages;
	uint64_t dirty_pages;
	uint64_t dirty_limit; /* above, who dirties writes back */
	uint64_t hits;
	uint64_t misses;
	uint64_t read_pages;
	uint64_t ahead_pages; /* of these, ahead of need */
	uint64_t read_calls;
	uint64_t written_pages;
	uint64_t write_calls;
	uint64_t io_errors;
	uint64_t throttled; /* times that who dirtied had to write */
};

void qr_machine_cache_stat(struct qr_machine *machine,
    struct qr_cache_stat *stat);

#ifdef __cplusplus
}
#endif

#endif
