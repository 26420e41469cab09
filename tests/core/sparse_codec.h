/* SPDX-License-Identifier: MIT */
/*
 * sparse_codec.h: a codec for pages with few words that are not zero, such as
 * tests write: it keeps these words and where they were.
 */
#ifndef TEST_CORE_SPARSE_CODEC_H
#define TEST_CORE_SPARSE_CODEC_H

#include <string.h>

#include <qr/codec.h>

#define SPARSE_WORDS 32u

struct sparse_page {
	uint64_t count;
	struct {
		uint64_t index;
		uint64_t word;
	} item[SPARSE_WORDS];
};

static inline size_t
sparse_compress(void *work, const void *data, void *out, size_t capacity)
{
	struct sparse_page packed = { 0 };
	const uint64_t *words = data;
	(void)work;
	for (uint64_t i = 0; i < QR_PAGE_SIZE / 8; i++) {
		if (words[i] == 0)
			continue;
		if (packed.count == SPARSE_WORDS)
			return 0;
		packed.item[packed.count].index = i;
		packed.item[packed.count].word = words[i];
		packed.count++;
	}
	size_t length = 8 + packed.count * sizeof(packed.item[0]);
	if (length > capacity)
		return 0;
	memcpy(out, &packed, length);
	return length;
}

static inline int
sparse_expand(void *work, const void *in, size_t length, void *data)
{
	struct sparse_page packed;
	(void)work;
	if (length < 8 || length > sizeof(packed))
		return -QR_EIO;
	memcpy(&packed, in, length);
	memset(data, 0, QR_PAGE_SIZE);
	for (uint64_t i = 0; i < packed.count; i++)
		((uint64_t *)data)[packed.item[i].index] = packed.item[i].word;
	return 0;
}

static const struct qr_codec sparse_codec = {
	.name = "sparse",
	.compress = sparse_compress,
	.expand = sparse_expand,
};

#endif
