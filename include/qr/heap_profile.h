/* SPDX-License-Identifier: MIT */
/*
 * qr/heap_profile.h: which calls the memory of malloc's heap is from: a sample
 * of its blocks, each with the calls that led to it.
 *
 * A block is in the sample with a probability of 1 - exp(-bytes / interval),
 * by its rounded size: so one in interval bytes is, on average, and a block
 * of the sample stands for 1 / that probability blocks. It is on from the
 * moment that the heap holds 4 MiB, one in 512 KiB. QUIRE_HEAP_SAMPLE=BYTES
 * sets another interval and begins at once; 0 turns it off.
 * QUIRE_HEAP_PROFILE=FILE also writes the profile when the program ends; %p in
 * the name becomes the number of the process.
 *
 * From outside. The symbol qr_heap_profile_root of libquire.so, or of a program
 * that libquire.a is linked into, says where the table lies. Who may trace
 * the process reads it from /proc/PID/mem, without any help of the process and
 * at any time. Records never move, those of stacks only ever become more, and
 * a link always leads to a record that is whole; counts may be a moment apart.
 */
#ifndef QR_HEAP_PROFILE_H
#define QR_HEAP_PROFILE_H

#include <qr/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QR_HEAP_PROFILE_MAGIC   UINT64_C(0x666f727065726951)
#define QR_HEAP_PROFILE_VERSION 1u

#define QR_HEAP_PROFILE_STACK_BUCKETS  1024u
#define QR_HEAP_PROFILE_SAMPLE_BUCKETS 4096u
#define QR_HEAP_PROFILE_FRAMES         64u /* most of a stack */

/* Stacks are found in bucket hash % QR_HEAP_PROFILE_STACK_BUCKETS; offsets are
 * from stacks on, in bytes, and 0 is none. */
struct qr_heap_profile_stack {
	uint32_t next;         /* offset of the next in its bucket */
	uint32_t depth;        /* frames that follow the record */
	uint64_t hash;         /* of the frames */
	uint64_t live_blocks;  /* in the sample and not yet freed */
	uint64_t live_bytes;   /* of these */
	uint64_t total_blocks; /* ever in the sample */
	uint64_t total_bytes;
};

/* The depth return addresses of a stack, the innermost first. */
static inline const uint64_t *
qr_heap_profile_frames(const struct qr_heap_profile_stack *stack)
{
	return (const uint64_t *)(const void *)(stack + 1);
}

/* Samples are found in bucket (block >> 12) % QR_HEAP_PROFILE_SAMPLE_BUCKETS;
 * numbers are of the array at samples, and 0 is none. */
struct qr_heap_profile_sample {
	uint64_t block; /* its address; 0: not in use */
	uint64_t bytes; /* rounded */
	uint32_t stack; /* offset */
	uint32_t next;  /* number of the next in its bucket */
};

struct qr_heap_profile_table {
	uint64_t interval;      /* bytes, of the sample's last block */
	uint64_t before_bytes;  /* that the heap held when it began */
	uint64_t lost;          /* samples that there was no room for */
	uint64_t stacks;        /* address of the area of stacks */
	uint64_t stacks_bytes;  /* used of it */
	uint64_t samples;       /* address of the array of samples */
	uint64_t samples_count; /* used of it, from 1 on */
	uint32_t sample_free;   /* first of those not in use; 0: none */
	uint32_t reserved;
	uint32_t stack_bucket[QR_HEAP_PROFILE_STACK_BUCKETS];
	uint32_t sample_bucket[QR_HEAP_PROFILE_SAMPLE_BUCKETS];
};

struct qr_heap_profile_root {
	uint64_t magic;
	uint32_t version;
	uint32_t root_bytes; /* of this struct, as its writer knows it */
	uint64_t table;      /* address of the table; 0: not begun */
};

QR_PUBLIC extern struct qr_heap_profile_root qr_heap_profile_root;

/* Takes a block in so many bytes from now on; 0: none any more. Those that
 * are in the sample stay until they are freed. */
QR_PUBLIC void qr_heap_profile_set_interval(size_t bytes);

/* The interval; 0: off, or the heap is small yet. */
QR_PUBLIC size_t qr_heap_profile_interval(void);

/*
 * Writes the live blocks of the sample to fd in the text form that pprof
 * reads ("heap_v2"), with the mappings behind it: `pprof PROGRAM FILE`.
 * Allocates nothing. 0, -QR_ENOENT if there is no sample, or another negative
 * number of error.
 */
QR_PUBLIC QR_MUST_CHECK int qr_heap_profile_write(int fd);

#ifdef __cplusplus
}
#endif

#endif
