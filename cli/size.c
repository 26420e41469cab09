/* SPDX-License-Identifier: MIT */
/*
 * size.c: reads and writes sizes with integers alone, so that 0.1G means the
 * same bytes everywhere.
 */
#include "size.h"

#define FRACTION_DIGITS 9u /* more digits than that are read and dropped */

struct decimal {
	uint64_t whole;
	uint64_t fraction; /* of 10^FRACTION_DIGITS */
};

static const uint64_t fraction_one = 1000000000u;

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads digits with at most one point; returns where they end, or NULL if
 * there is no number. *overflow is set if the whole part passes 2^63. */
static const char *
decimal_read(const char *text, struct decimal *decimal, bool *overflow)
{
	uint64_t weight = fraction_one / 10;

	*decimal = (struct decimal){ 0, 0 };
	*overflow = false;
	if (!is_digit(text[0]))
		return NULL;
	for (; is_digit(*text); text++) {
		uint64_t digit = (uint64_t)(*text - '0');
		if (decimal->whole > ((uint64_t)INT64_MAX - digit) / 10)
			*overflow = true;
		else
			decimal->whole = decimal->whole * 10 + digit;
	}
	if (*text != '.' || !is_digit(text[1]))
		return text;
	for (text++; is_digit(*text); text++) {
		decimal->fraction += weight * (uint64_t)(*text - '0');
		weight /= 10;
	}
	return text;
}

static char
upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* The shift of a unit: "", "B", "K", "KiB" and so on; -1: it is none. */
static int
unit_shift(const char *unit)
{
	static const char units[] = "KMGT";
	if (unit[0] == '\0' || (upper(unit[0]) == 'B' && unit[1] == '\0'))
		return 0;
	for (int i = 0; units[i] != '\0'; i++) {
		if (upper(unit[0]) != units[i])
			continue;
		bool bare = unit[1] == '\0';
		bool full = upper(unit[1]) == 'I' && upper(unit[2]) == 'B' &&
			    unit[3] == '\0';
		return bare || full ? 10 * (i + 1) : -1;
	}
	return -1;
}

enum size_error
size_parse(const char *text, uint64_t *bytes)
{
	struct decimal number;
	bool overflow;
	const char *unit = decimal_read(text, &number, &overflow);
	if (unit == NULL)
		return SIZE_NOT_A_NUMBER;
	int shift = unit_shift(unit);
	if (shift < 0)
		return SIZE_UNKNOWN_UNIT;
	if (overflow || number.whole > (uint64_t)INT64_MAX >> shift)
		return SIZE_TOO_LARGE;
	/* The fraction is below 2^30: in one step T would overflow. */
	int step = shift > 30 ? 30 : shift;
	uint64_t part = ((number.fraction << step) / fraction_one)
			<< (shift - step);
	*bytes = (number.whole << shift) + part;
	return SIZE_OK;
}

bool
size_parse_percent(const char *text, uint64_t *milli_percent)
{
	struct decimal number;
	bool overflow;
	const char *end = decimal_read(text, &number, &overflow);
	if (end == NULL || end[0] != '%' || end[1] != '\0' || overflow ||
	    number.whole > UINT32_MAX)
		return false;
	*milli_percent =
	    number.whole * 1000 + number.fraction / (fraction_one / 1000);
	return true;
}

uint64_t
size_percent_of(uint64_t whole, uint64_t milli_percent)
{
	const uint64_t all = 100000;
	return whole / all * milli_percent + whole % all * milli_percent / all;
}

/* Appends a number's digits; returns where the text now ends. */
static char *
put_number(char *text, uint64_t number)
{
	char digits[20];
	int count = 0;
	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	while (count > 0)
		*text++ = digits[--count];
	return text;
}

/* "9.8 M" or "118 M" from tenths; the unit is left out of nothing at all. */
static void
put_size(char *end, uint64_t tenths, uint64_t rounded, unsigned unit,
    const char *suffix)
{
	static const char units[] = "BKMGT";

	if (unit > 0 && tenths < 1000) {
		end = put_number(end, tenths / 10);
		*end++ = '.';
		end = put_number(end, tenths % 10);
	} else {
		end = put_number(end, rounded);
	}
	if (tenths != 0) {
		*end++ = ' ';
		*end++ = units[unit];
		while (unit > 0 && *suffix != '\0')
			*end++ = *suffix++;
	}
	*end = '\0';
}

const char *
size_format(uint64_t bytes, char *text)
{
	unsigned unit = 0;

	while (unit < 4 && bytes >> (10 * unit) >= 1000)
		unit++;
	unsigned shift = 10 * unit;
	uint64_t half = shift == 0 ? 0 : (uint64_t)1 << (shift - 1);
	uint64_t below = bytes & (((uint64_t)1 << shift) - 1);
	uint64_t whole = bytes >> shift;
	put_size(text, whole * 10 + ((below * 10 + half) >> shift),
	    whole + ((below + half) >> shift), unit, "");
	return text;
}

const char *
size_format_si(uint64_t bytes, char *text)
{
	uint64_t one = 1;
	unsigned unit = 0;

	while (unit < 4 && bytes / one >= 1000) {
		one *= 1000;
		unit++;
	}
	uint64_t whole = bytes / one, below = bytes % one;
	put_size(text, whole * 10 + (below * 10 + one / 2) / one,
	    whole + (below + one / 2) / one, unit, "B");
	return text;
}
