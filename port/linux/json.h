/* SPDX-License-Identifier: MIT */
/*
 * json.h: the one writer of JSON. It streams: nothing is kept but where it
 * is, and what it writes goes to a callback. It neither allocates nor calls
 * libc, so that the preloaded library can use it while a process ends; the
 * command, which may include this, uses it too.
 *
 * In an object each value comes after json_key. Sizes are integers
 * in bytes, always.
 */
#ifndef QR_LINUX_JSON_H
#define QR_LINUX_JSON_H

#include <qr/types.h>

#define JSON_DEPTH_MAX 32u

struct json {
	void (*write)(void *ctx, const char *bytes, size_t length); /* (c) */
	void *ctx;                                                  /* (c) */
	unsigned depth;                  /* objects and arrays now open */
	bool after_key;                  /* the next value belongs to a key */
	bool has_values[JSON_DEPTH_MAX]; /* of each open one: a comma is due */
};

void json_init(struct json *json,
    void (*write)(void *ctx, const char *bytes, size_t length), void *ctx);

void json_begin_object(struct json *json);
void json_end_object(struct json *json);
void json_begin_array(struct json *json);
void json_end_array(struct json *json);
void json_key(struct json *json, const char *key);

/* Bytes that are not UTF-8 are replaced by U+FFFD, one for each. */
void json_string(struct json *json, const char *string);
void json_unsigned(struct json *json, uint64_t number);
void json_signed(struct json *json, int64_t number);
/* A decimal: number divided by 10 to the digits, 0 to 9. */
void json_fixed(struct json *json, int64_t number, unsigned digits);
void json_bool(struct json *json, bool value);
void json_null(struct json *json);

/* The length of the UTF-8 sequence at text, 1 to 4; 0: there is none. */
unsigned json_utf8_length(const char *text);

#endif
