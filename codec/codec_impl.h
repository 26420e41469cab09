/* SPDX-License-Identifier: MIT */
/* codec/codec_impl.h: sizes of work memory, which one codec puts together
 * from those of others. */
#ifndef QR_CODEC_IMPL_H
#define QR_CODEC_IMPL_H

#include "codec.h"

/* lz4 1.9 takes 16,416 bytes, zstd 1.5 for a page 73,624 to compress and
 * 95,992 to expand. Tests compare with what the libraries ask for. */
#define CODEC_LZ4_COMPRESS_BYTES  ((size_t)16448)
#define CODEC_ZSTD_COMPRESS_BYTES ((size_t)80 * 1024)
#define CODEC_ZSTD_EXPAND_BYTES   ((size_t)96 * 1024)

/* First bytes of results. Others, up to CODEC_ROW_MAX, are words.c's rows. */
#define CODEC_ROW_MAX  8u
#define CODEC_TAG_ZSTD 0xfeu
#define CODEC_TAG_LZ4  0xffu

_Static_assert(CODEC_LZ4_COMPRESS_BYTES % 64 == 0, "codecs align to 64");
_Static_assert(CODEC_ZSTD_COMPRESS_BYTES % 64 == 0, "codecs align to 64");

#endif
