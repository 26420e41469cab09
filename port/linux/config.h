/* SPDX-License-Identifier: MIT */
/*
 * config.h: what `quire run` tells the library that it preloads.
 *
 * It travels in one environment variable, as
 *
 *     QUIRE_RUN=1:budget=268435456,codec=lz4,swapdir=/var/tmp,root=4121
 *
 * The number before the colon is the version of this format; another one is
 * refused, so that a library and a command of different releases never
 * misunderstand each other. Values are decimal numbers, names out of the
 * lists below, or text in which every byte but letters, digits and /._- is
 * written as %XX. A key that is absent has its default.
 *
 * Neither function allocates, calls libc, or keeps state: both sides of an
 * exec use them, one of them before libc is there.
 */
#ifndef QR_LINUX_CONFIG_H
#define QR_LINUX_CONFIG_H

#include <qr/machine.h>

#define QR_LINUX_CONFIG_VARIABLE "QUIRE_RUN"
#define QR_LINUX_CONFIG_VERSION  1u

/* What starts in the place of a statically linked program, beside the library;
 * and the variable that tells it at which descriptor the program is open, in
 * decimal, and after a colon as what it was started. See carry.c. */
#define QR_LINUX_CARRIER        "quire-static"
#define QR_LINUX_IMAGE_VARIABLE "QUIRE_STATIC"

/* Smallest budget that is accepted at all, bytes; what the program needs
 * beside its managed memory is known only once it runs. */
#define QR_LINUX_BUDGET_MIN ((uint64_t)16 << 20)

#define QR_LINUX_PATH_MAX   4096u /* bytes of a path with its NUL */
#define QR_LINUX_POLICY_MAX 16u   /* bytes of a policy's name with its NUL */

/* Room that any config fits in: three paths, every byte escaped, and 1 KiB
 * for the rest. */
#define QR_LINUX_CONFIG_TEXT_MAX (3u * 3u * QR_LINUX_PATH_MAX + 1024u)

/* Files of the state directory. The command writes `started` (one line:
 * process id, blank, the command's words) and then becomes the program; the
 * library writes `last`, the summary without any escapes, when the root
 * process ends. A `last` that is older than `started` means that the latest
 * run goes on, or was killed. */
#define QR_LINUX_STATE_STARTED "started"
#define QR_LINUX_STATE_LAST    "last"

/* The names of each choice; a value is the index of its name. */
#define QR_LINUX_POOL_NAMES       "inside|outside"
#define QR_LINUX_CODEC_NAMES      "auto|lz4|zstd"
#define QR_LINUX_DELIVERY_NAMES   "signal|handler"
#define QR_LINUX_MOVER_NAMES      "auto|copy|move"
#define QR_LINUX_OVERCOMMIT_NAMES "guess|always|never"

enum qr_linux_pool { QR_LINUX_POOL_INSIDE, QR_LINUX_POOL_OUTSIDE };
enum qr_linux_codec {
	QR_LINUX_CODEC_AUTO,
	QR_LINUX_CODEC_LZ4,
	QR_LINUX_CODEC_ZSTD
};
enum qr_linux_delivery { QR_LINUX_DELIVERY_SIGNAL, QR_LINUX_DELIVERY_HANDLER };
enum qr_linux_mover {
	QR_LINUX_MOVER_AUTO,
	QR_LINUX_MOVER_COPY,
	QR_LINUX_MOVER_MOVE
};

struct qr_linux_config {
	uint64_t budget_bytes;   /* of the whole tree; 0: none was given */
	uint64_t swap_bytes_max; /* 0: the default of the port */
	uint64_t start_ns;       /* CLOCK_MONOTONIC at which quire started */
	uint64_t root_pid;       /* the process that writes the summary */
	uint64_t ledger_fd;      /* number of its descriptor + 1; 0: none */
	uint64_t pool;           /* enum qr_linux_pool */
	uint64_t codec;          /* enum qr_linux_codec */
	uint64_t delivery;       /* enum qr_linux_delivery */
	uint64_t mover;          /* enum qr_linux_mover */
	uint64_t overcommit;     /* enum qr_overcommit */
	uint64_t swap_off;       /* 1: compressed pool alone */
	uint64_t quiet;          /* 1: no summary on stderr */
	uint64_t verbose;        /* 1: more of it */
	char policy[QR_LINUX_POLICY_MAX];  /* "": the default */
	char swap_dir[QR_LINUX_PATH_MAX];  /* "": the default */
	char json_path[QR_LINUX_PATH_MAX]; /* "": no JSON summary */
	char state_dir[QR_LINUX_PATH_MAX]; /* "": no summary is kept */
};

/* Writes the variable's value with its NUL. Defaults are left out. Returns
 * its length, or -QR_ENOSPC. */
QR_MUST_CHECK int qr_linux_config_format(const struct qr_linux_config *config,
    char *text, size_t capacity);

/* Reads it back. -QR_EINVAL: another version, an unknown key or name, a
 * value that does not fit; *config is then undefined. */
QR_MUST_CHECK int qr_linux_config_parse(const char *text,
    struct qr_linux_config *config);

/* The index of the name [name, name + length) in a list of names with '|'
 * between them, or -QR_ENOENT. */
QR_MUST_CHECK int qr_linux_config_choice(const char *names, const char *name,
    size_t length);

#endif
