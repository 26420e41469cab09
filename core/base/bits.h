/* SPDX-License-Identifier: MIT */
/* base/bits.h: powers of two, rounding, and finding bits. */
#ifndef QR_BASE_BITS_H
#define QR_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool
qr_is_pow2(uint64_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/* Rounds to a multiple of align, a power of two. */
static inline uint64_t
qr_round_up(uint64_t n, uint64_t align)
{
	return (n + align - 1) & ~(align - 1);
}

static inline uint64_t
qr_round_down(uint64_t n, uint64_t align)
{
	return n & ~(align - 1);
}

static inline uint64_t
qr_div_round_up(uint64_t n, uint64_t d)
{
	return n / d + (n % d != 0);
}

/* Index of the lowest, of the highest set bit; n is not 0. */
static inline unsigned
qr_bit_lowest(uint64_t n)
{
	return (unsigned)__builtin_ctzll(n);
}

static inline unsigned
qr_bit_highest(uint64_t n)
{
	return 63u - (unsigned)__builtin_clzll(n);
}

/* Bits that are set. The builtin would call libgcc where the processor may
 * lack the instruction. */
static inline unsigned
qr_bit_count(uint64_t n)
{
	n -= n >> 1 & 0x5555555555555555;
	n = (n & 0x3333333333333333) + (n >> 2 & 0x3333333333333333);
	n = (n + (n >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (unsigned)(n * 0x0101010101010101 >> 56);
}

/* Smallest order with (1 << order) >= n; n is not 0. */
static inline unsigned
qr_order_of(uint64_t n)
{
	return n <= 1 ? 0 : qr_bit_highest(n - 1) + 1;
}

static inline size_t
qr_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t
qr_max(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* The struct that holds the member that ptr points to. */
#define QR_CONTAINER(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define QR_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
