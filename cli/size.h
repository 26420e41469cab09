/* SPDX-License-Identifier: MIT */
/*
 * size.h: sizes as people write them. K, M, G and T are powers of 1024,
 * here and everywhere in Quire.
 */
#ifndef CLI_SIZE_H
#define CLI_SIZE_H

#include <qr/types.h>

/* Bytes of the longest text of size_format, with its NUL. */
#define SIZE_TEXT_MAX 16u

enum size_error {
	SIZE_OK,
	SIZE_NOT_A_NUMBER, /* does not begin with a digit */
	SIZE_UNKNOWN_UNIT, /* what follows the number is not a unit */
	SIZE_TOO_LARGE,    /* 2^63 bytes and more */
};

/* Reads "4096", "256M", "1.5G", "64KiB"; case does not matter. Fractions of
 * a byte are dropped. *bytes is written on success only. */
QR_MUST_CHECK enum size_error size_parse(const char *text, uint64_t *bytes);

/* Reads "50%" or "12.5%" as thousandths of one percent: 50000. False: it has
 * no % at its end, or is no number. */
QR_MUST_CHECK bool size_parse_percent(const char *text,
    uint64_t *milli_percent);

/* part thousandths of a percent of whole, without overflow. */
uint64_t size_percent_of(uint64_t whole, uint64_t milli_percent);

/* Writes "0", "812 B", "9.8 M", "118 M", "1.5 G" into text, which has
 * SIZE_TEXT_MAX bytes; returns text. Neither allocates nor uses stdio. */
const char *size_format(uint64_t bytes, char *text);
/* The same in powers of 1000: "812 B", "9.8 MB". */
const char *size_format_si(uint64_t bytes, char *text);

#endif
