/* SPDX-License-Identifier: MIT */
/*
 * codec/auto.c: lz4 or zstd, page by page, whichever gives more for its time.
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
 * The first byte of the result says which codec made it.
 */
#include "codec_impl.h"

#include <lz4.h>

#define SAMPLE_BYTES  1024
#define SAMPLE_OFFSET ((int)(QR_PAGE_SIZE - SAMPLE_BYTES) / 2)
#define SAMPLE_GOOD   600 /* bytes that it must shrink to */

/* The first byte of a result. */
enum auto_tag {
	TAG_LZ4 = 1,
	TAG_ZSTD = 2,
};

static void
auto_compress_init(void *work)
{
	qr_codec_zstd.compress_init(work);
}

static size_t
auto_compress(void *work, const void *data, void *out, size_t capacity)
{
	void *lz4_work = (char *)work + CODEC_ZSTD_COMPRESS_BYTES;
	unsigned char *tag = out;
	if (capacity == 0)
		return 0;

	/* Not into out, which may be smaller. */
	char shrunk[SAMPLE_GOOD];
	bool good = LZ4_compress_fast_extState(lz4_work,
			(const char *)data + SAMPLE_OFFSET, shrunk,
			SAMPLE_BYTES, SAMPLE_GOOD, 1) > 0;
	size_t length;
	if (good)
		length =
		    qr_codec_zstd.compress(work, data, tag + 1, capacity - 1);
	else
		length = qr_codec_lz4.compress(lz4_work, data, tag + 1,
		    capacity - 1);
	if (length == 0)
		return 0;
	*tag = good ? TAG_ZSTD : TAG_LZ4;
	return length + 1;
}

static int
auto_expand(void *work, const void *in, size_t length, void *data)
{
	const unsigned char *tag = in;
	if (length == 0)
		return -QR_EIO;
	if (*tag == TAG_LZ4)
		return qr_codec_lz4.expand(NULL, tag + 1, length - 1, data);
	if (*tag == TAG_ZSTD)
		return qr_codec_zstd.expand(work, tag + 1, length - 1, data);
	return -QR_EIO;
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
	.expand = auto_expand,
};
