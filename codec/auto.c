/* SPDX-License-Identifier: MIT */
/*
 * codec/auto.c: lz4, with the quick codec where room costs nothing, and zstd
 * for pages that it pays for where room has run out.
 *
 * Real programs in budgets of their own pool (tests/linux/real.sh, medians of
 * 3) take the least CPU time with lz4: storing by words first and by zstd later
 * took 0.97 to 1.33 of it, since each frame that the pool takes is a page the
 * less for the program, and zstd alone 0.94 to 1.23. So density is for the
 * moment when the next page would go to the disk.
 *
 * zstd pays where a page compresses well, and pays little where it does not:
 * on pages of a Python heap it comes to a ratio of 5.1 where lz4 has 3.2, for
 * 4.5 us more; on English and C text to 2.3 against 2.0 for 6 us more; on
 * machine code to 1.3 against 1.2 for 9 us more; on random bytes both come to
 * nothing, lz4 sooner. So lz4 is tried on a sample from the middle of the
 * page, which costs 0.6 to 1.5 us, and pages whose sample shrinks well go to
 * zstd, all others to lz4. That keeps 99 % of zstd's ratio on the heap, and
 * lz4's time plus the sample's on the rest.
 *
 * The sample must shrink to 600 of 1024 bytes: at 512 heap pages begin to be
 * missed (ratio 4.8), at 700 two thirds of the text go to zstd.
 *
 * The first byte of the result says which codec made it: the quick one's own
 * tag, lz4's included, or zstd's.
 */
#include "codec_impl.h"

#include <lz4.h>

#define SAMPLE_BYTES  1024
#define SAMPLE_OFFSET ((int)(QR_PAGE_SIZE - SAMPLE_BYTES) / 2)
#define SAMPLE_GOOD   600 /* bytes that it must shrink to */

static void
auto_compress_init(void *work)
{
	qr_codec_zstd.compress_init(work);
}

static void *
lz4_work(void *work)
{
	return (char *)work + CODEC_ZSTD_COMPRESS_BYTES;
}

static size_t
auto_compress_quick(void *work, const void *data, void *out, size_t capacity)
{
	return qr_codec_words.compress(lz4_work(work), data, out, capacity);
}

static size_t
auto_compress(void *work, const void *data, void *out, size_t capacity)
{
	unsigned char *tag = out;
	if (capacity == 0)
		return 0;
	size_t length =
	    qr_codec_lz4.compress(lz4_work(work), data, tag + 1, capacity - 1);
	if (length == 0)
		return 0;
	*tag = CODEC_TAG_LZ4;
	return length + 1;
}

/* Whether the page is one for zstd. */
static bool
sample_is_good(void *work, const void *data)
{
	char shrunk[SAMPLE_GOOD];
	return LZ4_compress_fast_extState(lz4_work(work),
		   (const char *)data + SAMPLE_OFFSET, shrunk, SAMPLE_BYTES,
		   SAMPLE_GOOD, 1) > 0;
}

static size_t
auto_compress_dense(void *work, const void *data, void *out, size_t capacity)
{
	unsigned char *tag = out;
	if (capacity == 0)
		return 0;
	if (!sample_is_good(work, data))
		return auto_compress(work, data, out, capacity);
	size_t length =
	    qr_codec_zstd.compress(work, data, tag + 1, capacity - 1);
	if (length == 0)
		return 0;
	*tag = CODEC_TAG_ZSTD;
	return length + 1;
}

static int
auto_expand(void *work, const void *in, size_t length, void *data)
{
	const unsigned char *tag = in;
	if (length == 0)
		return -QR_EIO;
	if (*tag == CODEC_TAG_ZSTD)
		return qr_codec_zstd.expand(work, tag + 1, length - 1, data);
	return qr_codec_words.expand(NULL, in, length, data);
}

static void
auto_expand_init(void *work)
{
	qr_codec_zstd.expand_init(work);
}

const struct qr_codec qr_codec_auto = {
	.name = "auto",
	.compress_bytes = CODEC_ZSTD_COMPRESS_BYTES + CODEC_LZ4_COMPRESS_BYTES,
	.expand_bytes = CODEC_ZSTD_EXPAND_BYTES,
	.compress_init = auto_compress_init,
	.expand_init = auto_expand_init,
	.compress = auto_compress,
	.compress_quick = auto_compress_quick,
	.compress_dense = auto_compress_dense,
	.expand = auto_expand,
};
