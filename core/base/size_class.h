/* SPDX-License-Identifier: MIT */
/*
 * base/size_class.h: the size classes of everything that cuts runs of pages
 * into equal blocks.
 *
 *   class   0        8 bytes
 *   class   1 ..  64 16, 32, 48 ... 1024: steps of 16
 *   class  65 ..  96 1152, 1280 ... 16384: eight steps a doubling
 *   class  97 .. 112 17408, 18432 ... 32768: sixteen steps
 *
 * A block is at most 15 bytes larger than what was asked for up to 1 KiB, then
 * less than an eighth, then less than a sixteenth; over all sizes of 24 bytes
 * to 32 KiB 2.6 % on average. Class k of the 16-byte steps is of k * 16 bytes:
 * their index needs no table.
 */
#ifndef QR_BASE_SIZE_CLASS_H
#define QR_BASE_SIZE_CLASS_H

#include "bits.h"

#define QR_SIZE_TINY_BYTES 8u     /* class 0 */
#define QR_SIZE_STEP       16u    /* bytes, up to QR_SIZE_STEP_MAX */
#define QR_SIZE_STEP_MAX   1024u  /* last size of the even steps */
#define QR_SIZE_FINE_ABOVE 16384u /* last size before the finest steps */
#define QR_SIZE_MAX        32768u /* last size of all */

#define QR_SIZE_STEP_CLASSES (QR_SIZE_STEP_MAX / QR_SIZE_STEP) /* 64 */
#define QR_SIZE_FINE_FIRST   (1u + QR_SIZE_STEP_CLASSES + 4u * 8u)
#define QR_SIZE_CLASSES      (QR_SIZE_FINE_FIRST + 16u)

_Static_assert(QR_SIZE_STEP_MAX << 4 == QR_SIZE_FINE_ABOVE, "four doublings");
_Static_assert(QR_SIZE_FINE_ABOVE << 1 == QR_SIZE_MAX, "one doubling");

/* Class of the smallest blocks that hold size bytes, at most QR_SIZE_MAX. */
static inline unsigned
qr_size_class_of(size_t size)
{
	if (size <= QR_SIZE_TINY_BYTES)
		return 0;
	if (size <= QR_SIZE_STEP_MAX)
		return (unsigned)((size + QR_SIZE_STEP - 1) / QR_SIZE_STEP);
	/* size - 1 is 1xxx... in binary: three bits after the first, or four,
	 * are the step within the doubling. */
	unsigned top = qr_bit_highest(size - 1);
	if (size > QR_SIZE_FINE_ABOVE)
		return QR_SIZE_FINE_FIRST +
		       ((unsigned)((size - 1) >> (top - 4)) & 15u);
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
	if (size_class >= QR_SIZE_FINE_FIRST)
		return (size_t)(17 + size_class - QR_SIZE_FINE_FIRST) << 10;
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
	/* At most 31 steps: the next power of two but one is a class. */
	while (size_class < QR_SIZE_CLASSES &&
	       (qr_size_of_class(size_class) & (align - 1)) != 0)
		size_class++;
	return size_class;
}

#endif
