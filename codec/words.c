/* SPDX-License-Identifier: MIT */
/*
 * codec/words.c: pages of pointers and small numbers, at a third of lz4's
 * time: the quick one.
 *
 * A heap page is rows of like objects: a word often differs from the one a
 * row before it in few bytes, and many words are small. So each word is
 * xor-ed with the one `row` words before it, and of the result only the bytes
 * that are not zero are kept:
 *
 *	tag | 512 masks, bit i: byte i of the word is kept | the bytes kept
 *
 * The row is the one of a few that leaves the fewest bytes on a sample. The
 * sample also says which pages are not of this kind (text, code, what is
 * compressed already): they go to lz4, as do those that turn out larger than
 * QUICK_MAX.
 *
 * In, out and ratio beside lz4's, on pages of live processes: perl 1.3 us, 0.9
 * us, 2.28 (4.3, 1.4, 3.00); cc1plus 1.4, 0.9, 2.39 (5.2, 1.6, 3.80); java 3.1,
 * 1.1, 2.17 (5.4, 1.6, 2.33); node, half of whose pages go to lz4, 4.4, 1.1,
 * 1.74 (5.0, 1.3, 1.68).
 *
 * The work is done a word at a time, the bytes gathered and spread by pext
 * and pdep where the CPU has them.
 */
#include "codec_impl.h"

#include <string.h>

#define WORDS (QR_PAGE_SIZE / sizeof(uint64_t))

/* One tag, then the masks. */
#define HEAD_BYTES (1 + WORDS)

/* Larger results are lz4's to better: half of the page and the masks. */
#define QUICK_MAX (QR_PAGE_SIZE / 2 + HEAD_BYTES)

/* In words; 0: no xor. Objects of 16 bytes and more, as allocators round
 * their sizes up to these. */
static const unsigned char rows[] = { 0, 2, 4, 6, 8 };

/* Words of a sample: some in a row, some such rows, from all over the page.
 * They start where there are words enough before them. */
#define SAMPLE_FIRST 24u
#define SAMPLE_STEP  61u
#define SAMPLE_RUN   4u

#define BYTE_LOW UINT64_C(0x0101010101010101)

/* 1 in each byte that is not zero in x. */
static inline uint64_t
bytes_set(uint64_t x)
{
	x |= x >> 4;
	x |= x >> 2;
	x |= x >> 1;
	return x & BYTE_LOW;
}

static inline unsigned
bytes_count(uint64_t ones)
{
	return (unsigned)(ones * BYTE_LOW >> 56);
}

/* Bit i: byte i of ones is 1. */
static inline unsigned char
mask_of(uint64_t ones)
{
	return (unsigned char)(ones * UINT64_C(0x0102040810204080) >> 56);
}

static inline uint64_t
word_at(const unsigned char *data, size_t index)
{
	uint64_t word;
	memcpy(&word, data + index * sizeof(word), sizeof(word));
	return word;
}

/* The other way round: eight copies of the mask, one bit of each looked at,
 * moved to its lowest place. */
static inline uint64_t
ones_of(unsigned char mask)
{
	uint64_t bits = mask * BYTE_LOW & UINT64_C(0x8040201008040201);
	return bytes_set(bits);
}

/* Bytes of the sample that are kept with that row. */
static unsigned
sample_bytes(const unsigned char *data, size_t row)
{
	unsigned bytes = 0;
	for (size_t at = SAMPLE_FIRST; at + SAMPLE_RUN <= WORDS;
	     at += SAMPLE_STEP) {
		for (size_t i = at; i < at + SAMPLE_RUN; i++) {
			uint64_t before = row == 0 ? 0 : word_at(data, i - row);
			bytes +=
			    bytes_count(bytes_set(word_at(data, i) ^ before));
		}
	}
	return bytes;
}

/* The best row; false: the page is not of this kind. */
static bool
choose_row(const unsigned char *data, unsigned char *row)
{
	const unsigned runs =
	    (WORDS - SAMPLE_RUN - SAMPLE_FIRST) / SAMPLE_STEP + 1;
	const unsigned all = runs * SAMPLE_RUN * sizeof(uint64_t);
	unsigned best = all;
	for (size_t i = 0; i < sizeof(rows); i++) {
		unsigned bytes = sample_bytes(data, rows[i]);
		if (bytes < best) {
			best = bytes;
			*row = rows[i];
		}
	}
	return best < all * 9 / 16;
}

/* Whether pext and pdep are there and quick: before Zen 3 AMD's took a
 * microprogram for each. Before the compiler's own constructor has looked,
 * they are not. */
static inline bool
has_bmi2(void)
{
#if defined(__x86_64__)
	return __builtin_cpu_supports("bmi2") && !__builtin_cpu_is("amdfam17h");
#else
	return false;
#endif
}

/* The bytes of x that ones names, moved together. */
static inline uint64_t
gather_bytes(uint64_t x, uint64_t ones, bool bmi2)
{
#if defined(__x86_64__)
	if (bmi2) {
		uint64_t packed;
		__asm__("pext %2, %1, %0"
			: "=r"(packed)
			: "r"(x), "r"(ones * 0xff));
		return packed;
	}
#endif
	(void)bmi2;
	uint64_t packed = 0;
	unsigned shift = 0;
	for (unsigned i = 0; i < 64; i += 8) {
		packed |= (x >> i & 0xff) << (shift & 63);
		shift += (unsigned)(ones >> i & 1) * 8;
	}
	return packed;
}

/* The other way round. */
static inline uint64_t
spread_bytes(uint64_t packed, uint64_t ones, bool bmi2)
{
#if defined(__x86_64__)
	if (bmi2) {
		uint64_t x;
		__asm__("pdep %2, %1, %0"
			: "=r"(x)
			: "r"(packed), "r"(ones * 0xff));
		return x;
	}
#endif
	(void)bmi2;
	uint64_t x = 0;
	for (unsigned i = 0; i < 64; i += 8) {
		uint64_t one = ones >> i & 1;
		x |= (packed & (0 - one) & 0xff) << i;
		packed >>= one * 8;
	}
	return x;
}

/* Each step writes a word and keeps some of its bytes. 0: larger than limit.
 * Inlined for each value of bmi2. */
static inline __attribute__((always_inline)) size_t
words_pack(const unsigned char *data, size_t row, unsigned char *out,
    size_t limit, bool bmi2)
{
	unsigned char *masks = out + 1;
	size_t at = HEAD_BYTES;
	for (size_t i = 0; i < WORDS; i++) {
		uint64_t x = word_at(data, i);
		if (row != 0 && i >= row)
			x ^= word_at(data, i - row);
		uint64_t ones = bytes_set(x);
		uint64_t packed = gather_bytes(x, ones, bmi2);
		if (at + sizeof(packed) > limit)
			return 0;
		memcpy(out + at, &packed, sizeof(packed));
		masks[i] = mask_of(ones);
		at += bytes_count(ones);
	}
	out[0] = (unsigned char)row;
	return at;
}

/* The word whose kept bytes begin at in + at. */
static inline uint64_t
packed_at(const unsigned char *in, size_t length, size_t at)
{
	uint64_t packed = 0;
	if (at + sizeof(packed) <= length)
		memcpy(&packed, in + at, sizeof(packed));
	else if (at < length)
		memcpy(&packed, in + at, length - at);
	return packed;
}

/* Any input is safe; whether it was a page's shows at the end. */
static inline __attribute__((always_inline)) int
words_unpack(const unsigned char *in, size_t length, uint64_t *data, bool bmi2)
{
	const unsigned char *masks = in + 1;
	size_t row = in[0];
	size_t at = HEAD_BYTES;
	for (size_t i = 0; i < WORDS; i++) {
		uint64_t ones = ones_of(masks[i]);
		uint64_t packed = packed_at(in, length, at);
		at += bytes_count(ones);
		uint64_t before = row != 0 && i >= row ? data[i - row] : 0;
		data[i] = spread_bytes(packed, ones, bmi2) ^ before;
	}
	return at == length ? 0 : -QR_EIO;
}

static size_t
words_compress(void *work, const void *data, void *out, size_t capacity)
{
	unsigned char row = 0;
	unsigned char *tag = out;
	size_t limit = capacity < QUICK_MAX ? capacity : QUICK_MAX;
	size_t length = 0;
	if (limit > HEAD_BYTES && choose_row(data, &row))
		length = has_bmi2() ? words_pack(data, row, out, limit, true)
				    : words_pack(data, row, out, limit, false);
	if (length != 0 || capacity == 0)
		return length;
	length = qr_codec_lz4.compress(work, data, tag + 1, capacity - 1);
	if (length == 0)
		return 0;
	*tag = CODEC_TAG_LZ4;
	return length + 1;
}

static int
words_expand(void *work, const void *in, size_t length, void *data)
{
	const unsigned char *tag = in;
	if (length == 0)
		return -QR_EIO;
	if (*tag == CODEC_TAG_LZ4)
		return qr_codec_lz4.expand(work, tag + 1, length - 1, data);
	if (length < HEAD_BYTES || *tag > CODEC_ROW_MAX)
		return -QR_EIO;
	return has_bmi2() ? words_unpack(in, length, data, true)
			  : words_unpack(in, length, data, false);
}

const struct qr_codec qr_codec_words = {
	.name = "words",
	.compress_bytes = CODEC_LZ4_COMPRESS_BYTES,
	.compress = words_compress,
	.expand = words_expand,
};
