/* SPDX-License-Identifier: MIT */
/* tar_write.c: headers of 512 bytes, files padded to as much, two empty
 * blocks at the end; pressed through zstd if that is wanted. */
#include "tar_write.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#include "cli/table/arena.h"

#define TAR_BLOCK 512u

struct tar_writer {
	FILE *stream;
	ZSTD_CCtx *zstd; /* NULL: plain */
	bool failed;
	char out[1 << 16];
};

struct tar_writer *
tar_open(FILE *stream, int level)
{
	struct tar_writer *tar = grow(NULL, sizeof(*tar));

	memset(tar, 0, sizeof(*tar));
	tar->stream = stream;
	if (level == 0)
		return tar;
	tar->zstd = ZSTD_createCCtx();
	if (tar->zstd == NULL) {
		free(tar);
		return NULL;
	}
	(void)ZSTD_CCtx_setParameter(tar->zstd, ZSTD_c_compressionLevel, level);
	(void)ZSTD_CCtx_setParameter(tar->zstd, ZSTD_c_checksumFlag, 1);
	return tar;
}

static void
press(struct tar_writer *tar, const char *bytes, size_t length,
    ZSTD_EndDirective directive)
{
	ZSTD_inBuffer in = { bytes, length, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { tar->out, sizeof(tar->out), 0 };
		left = ZSTD_compressStream2(tar->zstd, &out, &in, directive);
		if (ZSTD_isError(left)) {
			tar->failed = true;
			return;
		}
		(void)fwrite(tar->out, 1, out.pos, tar->stream);
	} while (in.pos < in.size || (directive == ZSTD_e_end && left != 0));
}

static void
put(struct tar_writer *tar, const char *bytes, size_t length)
{
	if (tar->zstd == NULL)
		(void)fwrite(bytes, 1, length, tar->stream);
	else
		press(tar, bytes, length, ZSTD_e_continue);
}

static void
put_header(struct tar_writer *tar, const char *name, size_t size, uint32_t uid,
    char type)
{
	char block[TAR_BLOCK] = { 0 };
	unsigned sum = 0;

	(void)snprintf(block, 100, "%s", name);
	(void)snprintf(block + 100, 8, "%07o", type == '5' ? 0755u : 0644u);
	(void)snprintf(block + 108, 8, "%07o", uid & 07777777u);
	(void)snprintf(block + 116, 8, "%07o", 0u);
	(void)snprintf(block + 124, 12, "%011llo",
	    (unsigned long long)size & 0777777777u);
	(void)snprintf(block + 136, 12, "%011llo",
	    (unsigned long long)time(NULL) & 077777777777u);
	memset(block + 148, ' ', 8);
	block[156] = type;
	(void)snprintf(block + 257, 6, "ustar");
	block[263] = block[264] = '0'; /* the version */
	for (size_t i = 0; i < sizeof(block); i++)
		sum += (unsigned char)block[i];
	(void)snprintf(block + 148, 8, "%06o", sum & 0777777u);
	put(tar, block, sizeof(block));
}

void
tar_add(struct tar_writer *tar, const char *name, const char *data, size_t size,
    uint32_t uid)
{
	static const char zeros[TAR_BLOCK];

	if (strlen(name) > 99 || size > 0777777777u)
		return;
	put_header(tar, name, size, uid, '0');
	put(tar, data, size);
	put(tar, zeros, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

void
tar_add_directory(struct tar_writer *tar, const char *name, uint32_t uid)
{
	put_header(tar, name, 0, uid, '5');
}

bool
tar_close(struct tar_writer *tar)
{
	static const char zeros[2 * TAR_BLOCK];
	bool good;

	put(tar, zeros, sizeof(zeros));
	if (tar->zstd != NULL) {
		press(tar, NULL, 0, ZSTD_e_end);
		(void)ZSTD_freeCCtx(tar->zstd);
	}
	good = !tar->failed;
	free(tar);
	return good;
}
