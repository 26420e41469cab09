/* SPDX-License-Identifier: MIT */
/*
 * config.c: writes and reads the one variable that carries a run's settings.
 *
 * One table names every key, with its kind and its place in the struct; both
 * directions walk it, so that neither can know a key that the other lacks.
 */
#include "config.h"

enum field_kind { FIELD_NUMBER, FIELD_CHOICE, FIELD_TEXT };

struct field {
	const char *key;
	enum field_kind kind;
	size_t offset;
	size_t capacity;   /* of a text */
	const char *names; /* of a choice */
};

#define NUMBER(key, member)                                                    \
	{                                                                      \
		key, FIELD_NUMBER, offsetof(struct qr_linux_config, member),   \
		    0, NULL                                                    \
	}
#define CHOICE(key, member, names)                                             \
	{                                                                      \
		key, FIELD_CHOICE, offsetof(struct qr_linux_config, member),   \
		    0, names                                                   \
	}
#define TEXT(key, member, capacity)                                            \
	{                                                                      \
		key, FIELD_TEXT, offsetof(struct qr_linux_config, member),     \
		    capacity, NULL                                             \
	}

static const struct field fields[] = {
	NUMBER("budget", budget_bytes),
	NUMBER("swapmax", swap_bytes_max),
	NUMBER("start", start_ns),
	NUMBER("root", root_pid),
	NUMBER("ledger", ledger_fd),
	CHOICE("pool", pool, QR_LINUX_POOL_NAMES),
	CHOICE("codec", codec, QR_LINUX_CODEC_NAMES),
	CHOICE("delivery", delivery, QR_LINUX_DELIVERY_NAMES),
	CHOICE("mover", mover, QR_LINUX_MOVER_NAMES),
	CHOICE("overcommit", overcommit, QR_LINUX_OVERCOMMIT_NAMES),
	CHOICE("swapoff", swap_off, "no|yes"),
	CHOICE("quiet", quiet, "no|yes"),
	CHOICE("verbose", verbose, "no|yes"),
	TEXT("policy", policy, QR_LINUX_POLICY_MAX),
	TEXT("swapdir", swap_dir, QR_LINUX_PATH_MAX),
	TEXT("json", json_path, QR_LINUX_PATH_MAX),
	TEXT("state", state_dir, QR_LINUX_PATH_MAX),
};

#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static void *
field_place(struct qr_linux_config *config, const struct field *field)
{
	return (unsigned char *)config + field->offset;
}

static const void *
field_value(const struct qr_linux_config *config, const struct field *field)
{
	return (const unsigned char *)config + field->offset;
}

/* --- writing --- */

/* Text that grows until it is full; then full stays true. */
struct writer {
	char *text;
	size_t capacity;
	size_t length;
	bool full;
};

static void
write_byte(struct writer *writer, char byte)
{
	if (writer->length + 1 >= writer->capacity) {
		writer->full = true;
		return;
	}
	writer->text[writer->length++] = byte;
}

static void
write_bytes(struct writer *writer, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		write_byte(writer, bytes[i]);
}

static size_t
text_length(const char *text)
{
	size_t length = 0;
	while (text[length] != '\0')
		length++;
	return length;
}

static void
write_number(struct writer *writer, uint64_t number)
{
	char digits[20];
	size_t count = 0;
	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	while (count > 0)
		write_byte(writer, digits[--count]);
}

static bool
is_plain(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '/' || byte == '.' ||
	       byte == '_' || byte == '-';
}

static void
write_escaped(struct writer *writer, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";
	for (; *text != '\0'; text++) {
		if (is_plain(*text)) {
			write_byte(writer, *text);
			continue;
		}
		unsigned byte = (unsigned char)*text;
		write_byte(writer, '%');
		write_byte(writer, hex[byte >> 4]);
		write_byte(writer, hex[byte & 15]);
	}
}

/* The index'th name of a list; its length by out-parameter. */
static const char *
choice_name(const char *names, uint64_t index, size_t *length)
{
	for (; index > 0 && *names != '\0'; names++)
		if (*names == '|')
			index--;
	size_t end = 0;
	while (names[end] != '\0' && names[end] != '|')
		end++;
	*length = end;
	return names;
}

static bool
is_default(const struct field *field, const void *value)
{
	if (field->kind == FIELD_TEXT)
		return *(const char *)value == '\0';
	return *(const uint64_t *)value == 0;
}

static void
write_value(struct writer *writer, const struct field *field, const void *value)
{
	const char *name;
	size_t length = 0;
	switch (field->kind) {
	case FIELD_NUMBER:
		write_number(writer, *(const uint64_t *)value);
		break;
	case FIELD_CHOICE:
		name = choice_name(field->names, *(const uint64_t *)value,
		    &length);
		write_bytes(writer, name, length);
		break;
	case FIELD_TEXT:
		write_escaped(writer, value);
		break;
	}
}

int
qr_linux_config_format(const struct qr_linux_config *config, char *text,
    size_t capacity)
{
	struct writer writer = { text, capacity, 0, capacity == 0 };
	bool first = true;

	write_number(&writer, QR_LINUX_CONFIG_VERSION);
	write_byte(&writer, ':');
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const void *value = field_value(config, &fields[i]);
		if (is_default(&fields[i], value))
			continue;
		if (!first)
			write_byte(&writer, ',');
		first = false;
		write_bytes(&writer, fields[i].key, text_length(fields[i].key));
		write_byte(&writer, '=');
		write_value(&writer, &fields[i], value);
	}
	if (writer.full)
		return -QR_ENOSPC;
	text[writer.length] = '\0';
	return (int)writer.length;
}

/* --- reading --- */

static bool
bytes_equal(const char *bytes, size_t length, const char *text)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] != bytes[i])
			return false;
	return text[length] == '\0';
}

/* Length of the part up to the first of two delimiters, or the end. */
static size_t
span_until(const char *text, char one, char other)
{
	size_t length = 0;
	while (text[length] != '\0' && text[length] != one &&
	       text[length] != other)
		length++;
	return length;
}

static int
read_number(const char *value, size_t length, uint64_t *number)
{
	uint64_t result = 0;
	if (length == 0)
		return -QR_EINVAL;
	for (size_t i = 0; i < length; i++) {
		unsigned digit = (unsigned)(value[i] - '0');
		if (digit > 9 || result > (UINT64_MAX - digit) / 10)
			return -QR_EINVAL;
		result = result * 10 + digit;
	}
	*number = result;
	return 0;
}

static int
hex_digit(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if (byte >= 'A' && byte <= 'F')
		return byte - 'A' + 10;
	return -1;
}

static int
read_text(const char *value, size_t length, char *text, size_t capacity)
{
	size_t used = 0;
	for (size_t i = 0; i < length; i++) {
		char byte = value[i];
		if (byte == '%') {
			if (length - i < 3)
				return -QR_EINVAL;
			int high = hex_digit(value[i + 1]);
			int low = hex_digit(value[i + 2]);
			if (high < 0 || low < 0 || high + low == 0)
				return -QR_EINVAL;
			byte = (char)(high * 16 + low);
			i += 2;
		}
		if (used + 1 >= capacity)
			return -QR_EINVAL;
		text[used++] = byte;
	}
	text[used] = '\0';
	return 0;
}

int
qr_linux_config_choice(const char *names, const char *name, size_t length)
{
	for (int index = 0; *names != '\0'; index++) {
		size_t span = span_until(names, '|', '|');
		size_t same = 0;
		while (
		    same < span && same < length && names[same] == name[same])
			same++;
		if (same == span && same == length)
			return index;
		names += span;
		if (*names == '|')
			names++;
	}
	return -QR_ENOENT;
}

static int
read_value(const struct field *field, const char *value, size_t length,
    struct qr_linux_config *config)
{
	int index = 0;
	switch (field->kind) {
	case FIELD_NUMBER:
		return read_number(value, length, field_place(config, field));
	case FIELD_CHOICE:
		index = qr_linux_config_choice(field->names, value, length);
		if (index < 0)
			return -QR_EINVAL;
		*(uint64_t *)field_place(config, field) = (uint64_t)index;
		return 0;
	case FIELD_TEXT:
		return read_text(value, length, field_place(config, field),
		    field->capacity);
	}
	return -QR_EINVAL;
}

/* Reads one "key=value" of the given length. */
static int
read_pair(const char *pair, size_t length, struct qr_linux_config *config)
{
	size_t key_length = span_until(pair, '=', ',');
	if (key_length >= length)
		return -QR_EINVAL;
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (bytes_equal(pair, key_length, fields[i].key))
			return read_value(&fields[i], pair + key_length + 1,
			    length - key_length - 1, config);
	return -QR_EINVAL;
}

int
qr_linux_config_parse(const char *text, struct qr_linux_config *config)
{
	uint64_t version = 0;
	size_t length = span_until(text, ':', ':');

	*config = (struct qr_linux_config){ 0 };
	if (read_number(text, length, &version) != 0 ||
	    version != QR_LINUX_CONFIG_VERSION || text[length] != ':')
		return -QR_EINVAL;
	text += length + 1;
	while (*text != '\0') {
		length = span_until(text, ',', ',');
		int error = read_pair(text, length, config);
		if (error != 0)
			return error;
		text += length;
		if (*text == ',')
			text++;
	}
	return 0;
}
