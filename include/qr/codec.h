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
 * A codec has no state but work memory of its caller: 64-byte aligned,
 * prepared once by the matching init, used by one thread at a time. It takes
 * no memory and no locks, so it may run in a signal handler.
 *
 * What expands and what compresses have work memory each, so that a page can
 * come in while others go out.
 */
struct qr_codec {
	const char *name;
	size_t compress_bytes; /* work memory of compress */
	size_t expand_bytes;   /* of expand; 0: it is given NULL */
	/* Prepare work memory; NULL: there is nothing to prepare. */
	void (*compress_init)(void *work);
	void (*expand_init)(void *work);
	/* Compresses a page from data into out[0..capacity), capacity at most
	 * a page. Returns the length, or 0 if it does not fit. */
	size_t (*compress)(void *work, const void *data, void *out,
	    size_t capacity);
	/* The same for where room costs nothing: quicker, and larger; and for
	 * when it has run out: smaller, and slower. NULL: there is no other
	 * way. */
	size_t (*compress_quick)(void *work, const void *data, void *out,
	    size_t capacity);
	size_t (*compress_dense)(void *work, const void *data, void *out,
	    size_t capacity);
	/* Expands length bytes into a whole page. 0, or -QR_EIO: malformed;
	 * reads nothing beyond in[length) and never writes past data's
	 * page. */
	int (*expand)(void *work, const void *in, size_t length, void *data);
};

#ifdef __cplusplus
}
#endif

#endif
