/* SPDX-License-Identifier: MIT */
/* codec/find.c: the table of codecs. */
#include "codec.h"

#include <string.h>

const struct qr_codec *const qr_codecs[] = {
	&qr_codec_lz4,
	&qr_codec_zstd,
	&qr_codec_auto,
	&qr_codec_words,
	NULL,
};

const struct qr_codec *
qr_codec_find(const char *name)
{
	for (size_t i = 0; qr_codecs[i] != NULL; i++)
		if (strcmp(qr_codecs[i]->name, name) == 0)
			return qr_codecs[i];
	return NULL;
}
