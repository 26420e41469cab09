/* SPDX-License-Identifier: MIT */
/*
 * base/size_class.h: the size classes of everything that cuts runs of pages
 * into equal blocks.
 *
 *   class   0        8 bytes
 *   class   1 ..  64 16, 32, 48 ... 1024: steps of 16
 *   class  65 .. 104 1152, 1280 ... 32768: eight steps a doubling
 *
 * A block is less than an eighth larger than what was asked for above 1 KiB,
 * and at most 15 bytes below. Class k of the 16-byte steps is of
 * k * 16 bytes: their index needs no table.
 */
#ifndef QR_BASE_SIZE_CLASS_H
#define QR_BASE_SIZE_CLASS_H

#include "bits.h"

#define QR_SIZE_TINY_BYTES 8u     /* class 0 */
#define QR_SIZE_STEP       16u    /* bytes, up to QR_SIZE_STEP_MAX */
#define QR_SIZE_STEP_MAX   1024u  /* last size of the even steps */
#define QR_SIZE_MAX        32768u /* last size of all */

#define QR_SIZE_STEP_CLASSES (QR_SIZE_STEP_MAX / QR_SIZE_STEP) /* 64 */
#define QR_SIZE_CLASSES      (1u + QR_SIZE_STEP_CLASSES + 5u * 8u)

_Static_assert(QR_SIZE_STEP_MAX << 5 == QR_SIZE_MAX, "five doublings");

/* Class of the smallest blocks that hold size bytes, at most QR_SIZE_MAX. */
static inline unsigned
qr_size_class_of(size_t size)
{
	if (size <= QR_SIZE_TINY_BYTES)
		return 0;
	if (size <= QR_SIZE_STEP_MAX)
		return (unsigned)((size + QR_SIZE_STEP - 1) / QR_SIZE_STEP);
	/* size - 1 is 1xxx... in binary: three bits after the first are the
	 * step within the doubling. */
	unsigned top = qr_bit_highest(size - 1);
	unsigned step = (unsigned)((size - 1) >> (top - 3)) & 7u;
	return 1 + QR_SIZE_STEP_CLASSES + (top - 10) * 8 + step;
}

/* Bytes of a block of the class. */
static inline size_t
qr_size_of_class(unsigned size_class)
{
	if (size_class == 0)
		return QR_SIZE_TINY_BYTES;
	if (size_class <= QR_SIZE_STEP_CLASSES)
		return (size_t)size_class * QR_SIZE_STEP;
	unsigned above = size_class - 1 - QR_SIZE_STEP_CLASSES;
	return (size_t)(9 + above % 8) << (7 + above / 8);
}

/*
 * Class of the smallest blocks that hold size bytes and are a multiple of
 * align, a power of two; QR_SIZE_CLASSES if there is none. Blocks cut from a
 * page on are then aligned to the smaller of align and the page.
 */
static inline unsigned
qr_size_class_aligned(size_t size, size_t align)
{
	if (size > QR_SIZE_MAX || align > QR_SIZE_MAX)
		return QR_SIZE_CLASSES;
	size_t rounded = qr_round_up(qr_max(size, 1), align);
	if (rounded > QR_SIZE_MAX)
		return QR_SIZE_CLASSES;
	unsigned size_class = qr_size_class_of(rounded);
	/* At most 15 steps: the next power of two but one is a class. */
	while (size_class < QR_SIZE_CLASSES &&
	       (qr_size_of_class(size_class) & (align - 1)) != 0)
		size_class++;
	return size_class;
}

#endif
