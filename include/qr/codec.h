/* SPDX-License-Identifier: MIT */
/*
 * qr/codec.h: what compresses a page. The embedder gives the machine one;
 * those that come with Quire are in the folder codec/.
 */
#ifndef QR_CODEC_H
#define QR_CODEC_H

#include <qr/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * No state but work memory of work_bytes (aligned to 64), used by one thread
 * at a time. Thread-safe otherwise.
 */
struct qr_codec {
	const char *name;
	size_t work_bytes;
	/* Compresses a page from data into out[0..capacity). Returns the
	 * length, or 0 if it does not fit. */
	size_t (*compress)(void *work, const void *data, void *out,
	    size_t capacity);
	/* Expands length bytes into a whole page. 0, or -QR_EIO: malformed;
	 * never writes past data's page. */
	int (*expand)(void *work, const void *in, size_t length, void *data);
};

#ifdef __cplusplus
}
#endif

#endif
