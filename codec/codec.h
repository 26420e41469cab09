/* SPDX-License-Identifier: MIT */
/*
 * codec/codec.h: the codecs that come with Quire, by name.
 *
 * Hosted code outside the core, over the libraries lz4 and zstd as the host
 * has them. All of it runs in work memory of the caller and calls nothing
 * that takes memory.
 */
#ifndef QR_CODEC_CODEC_H
#define QR_CODEC_CODEC_H

#include <qr/codec.h>

extern const struct qr_codec qr_codec_lz4;
extern const struct qr_codec qr_codec_zstd;
extern const struct qr_codec qr_codec_auto;
extern const struct qr_codec qr_codec_words;

/* All codecs, ended by NULL. */
extern const struct qr_codec *const qr_codecs[];

/* The codec of that name; NULL: there is none. */
const struct qr_codec *qr_codec_find(const char *name);

#endif
