/* SPDX-License-Identifier: MIT */
/*
 * test_json.c: commas, quotes, escapes and numbers come out as RFC 8259 wants
 * them, whatever bytes a string holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "port/linux/json.h"

static char text[4096];
static size_t length;

static void
keep(void *ctx, const char *bytes, size_t count)
{
	(void)ctx;
	assert_true(length + count < sizeof(text));
	memcpy(text + length, bytes, count);
	length += count;
	text[length] = '\0';
}

static void
begin(struct json *json)
{
	length = 0;
	text[0] = '\0';
	json_init(json, keep, NULL);
}

static void
test_structure(void **state)
{
	struct json json;

	(void)state;
	begin(&json);
	json_begin_object(&json);
	json_key(&json, "a");
	json_unsigned(&json, UINT64_MAX);
	json_key(&json, "b");
	json_begin_array(&json);
	json_signed(&json, INT64_MIN);
	json_begin_array(&json);
	json_end_array(&json);
	json_begin_object(&json);
	json_end_object(&json);
	json_bool(&json, true);
	json_bool(&json, false);
	json_null(&json);
	json_unsigned(&json, 0);
	json_end_array(&json);
	json_key(&json, "c");
	json_string(&json, "");
	json_end_object(&json);
	assert_string_equal("{\"a\":18446744073709551615,"
			    "\"b\":[-9223372036854775808,[],{},true,false,"
			    "null,0],\"c\":\"\"}\n",
	    text);
}

static void
test_strings(void **state)
{
	static const struct {
		const char *string;
		const char *json;
	} cases[] = {
		{ "plain", "\"plain\"" },
		{ "\"\\/", "\"\\\"\\\\/\"" },
		{ "\n\t\r\x01\x1f\x7f", "\"\\n\\t\\u000d\\u0001\\u001f\x7f\"" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
		    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		/* not UTF-8: alone, cut, overlong, surrogate, too large */
		{ "\x80", "\"\xef\xbf\xbd\"" },
		{ "\xc3", "\"\xef\xbf\xbd\"" },
		{ "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xe0\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xf4\x90\x80\x80x",
		    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\"" },
	};
	struct json json;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(&json);
		json_string(&json, cases[i].string);
		assert_string_equal(cases[i].json, text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
