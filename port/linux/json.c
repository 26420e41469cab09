/* SPDX-License-Identifier: MIT */
/*
 * json.c: a streaming writer. A comma goes before every value but the first
 * of its object or array, so nothing ever has to be taken back.
 */
#include "json.h"

static void
put(struct json *json, const char *text)
{
	size_t length = 0;
	while (text[length] != '\0')
		length++;
	json->write(json->ctx, text, length);
}

void
json_init(struct json *json,
    void (*write)(void *ctx, const char *bytes, size_t length), void *ctx)
{
	*json = (struct json){ .write = write, .ctx = ctx };
}

/* What comes before a value or a key. */
static void
separate(struct json *json)
{
	if (json->after_key) {
		json->after_key = false;
		return;
	}
	if (json->depth == 0)
		return;
	if (json->has_values[json->depth - 1])
		put(json, ",");
	json->has_values[json->depth - 1] = true;
}

static void
begin(struct json *json, const char *bracket)
{
	separate(json);
	put(json, bracket);
	if (json->depth == JSON_DEPTH_MAX)
		__builtin_trap(); /* a bug: no caller nests that deep */
	json->has_values[json->depth++] = false;
}

static void
end(struct json *json, const char *bracket)
{
	json->depth--;
	put(json, bracket);
	if (json->depth == 0)
		put(json, "\n");
}

void
json_begin_object(struct json *json)
{
	begin(json, "{");
}

void
json_end_object(struct json *json)
{
	end(json, "}");
}

void
json_begin_array(struct json *json)
{
	begin(json, "[");
}

void
json_end_array(struct json *json)
{
	end(json, "]");
}

/*
 * The length of the UTF-8 sequence at text, or 0 if there is none: a byte
 * that cannot begin one, a wrong continuation, an overlong form, a
 * surrogate, or more than U+10FFFF. A NUL ends text, and is no continuation.
 */
unsigned
json_utf8_length(const char *bytes)
{
	const unsigned char *text = (const unsigned char *)bytes;
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned length, code;

	if (text[0] < 0x80)
		return 1;
	if (text[0] >= 0xc2 && text[0] < 0xe0)
		length = 2;
	else if (text[0] >= 0xe0 && text[0] < 0xf0)
		length = 3;
	else if (text[0] >= 0xf0 && text[0] < 0xf5)
		length = 4;
	else
		return 0;
	code = text[0] & (0x7fu >> length);
	for (unsigned i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3fu);
	}
	if (code < least[length] || code > 0x10ffff ||
	    (code >= 0xd800 && code < 0xe000))
		return 0;
	return length;
}

/* A byte that must be escaped: below a blank, a quote, or a backslash. */
static void
put_escaped(struct json *json, unsigned char byte)
{
	static const char hex[] = "0123456789abcdef";
	char escape[] = "\\u0000";

	switch (byte) {
	case '"':
		put(json, "\\\"");
		return;
	case '\\':
		put(json, "\\\\");
		return;
	case '\n':
		put(json, "\\n");
		return;
	case '\t':
		put(json, "\\t");
		return;
	default:
		escape[4] = hex[byte >> 4];
		escape[5] = hex[byte & 15];
		put(json, escape);
		return;
	}
}

static void
put_string(struct json *json, const char *string)
{
	const unsigned char *text = (const unsigned char *)string;

	put(json, "\"");
	while (*text != '\0') {
		unsigned length = json_utf8_length((const char *)text);
		if (length == 0) {
			put(json, "\xef\xbf\xbd");
			length = 1;
		} else if (*text < ' ' || *text == '"' || *text == '\\') {
			put_escaped(json, *text);
		} else {
			json->write(json->ctx, (const char *)text, length);
		}
		text += length;
	}
	put(json, "\"");
}

void
json_key(struct json *json, const char *key)
{
	separate(json);
	put_string(json, key);
	put(json, ":");
	json->after_key = true;
}

void
json_string(struct json *json, const char *string)
{
	separate(json);
	put_string(json, string);
}

static void
put_number(struct json *json, uint64_t number)
{
	char digits[21];
	size_t start = sizeof(digits);

	do {
		digits[--start] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	json->write(json->ctx, digits + start, sizeof(digits) - start);
}

void
json_unsigned(struct json *json, uint64_t number)
{
	separate(json);
	put_number(json, number);
}

void
json_signed(struct json *json, int64_t number)
{
	separate(json);
	if (number < 0)
		put(json, "-");
	put_number(json, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void
json_fixed(struct json *json, int64_t number, unsigned digits)
{
	uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
	uint64_t one = 1;

	separate(json);
	if (number < 0)
		put(json, "-");
	for (unsigned i = 0; i < digits; i++)
		one *= 10;
	put_number(json, size / one);
	if (digits == 0)
		return;
	put(json, ".");
	char text[] = { '\0', '\0' };
	for (uint64_t rest = size % one; one > 1; one /= 10) {
		text[0] = (char)('0' + rest / (one / 10));
		rest %= one / 10;
		put(json, text);
	}
}

void
json_bool(struct json *json, bool value)
{
	separate(json);
	put(json, value ? "true" : "false");
}

void
json_null(struct json *json)
{
	separate(json);
	put(json, "null");
}
