/* SPDX-License-Identifier: MIT */
/*
 * test_config.c: what `quire run` writes into QUIRE_RUN is what the library
 * reads from it, whatever bytes paths hold; and damaged text is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "port/linux/config.h"

static char text[QR_LINUX_CONFIG_TEXT_MAX];
static struct qr_linux_config parsed;

static void
test_defaults_are_left_out(void **state)
{
	struct qr_linux_config config = { 0 };

	(void)state;
	assert_int_equal(2,
	    qr_linux_config_format(&config, text, sizeof(text)));
	assert_string_equal("1:", text);
	assert_int_equal(0, qr_linux_config_parse(text, &parsed));
	assert_memory_equal(&config, &parsed, sizeof(config));
}

static void
test_round_trip(void **state)
{
	static const struct qr_linux_config config = {
		.budget_bytes = UINT64_MAX,
		.swap_bytes_max = 1,
		.start_ns = 123456789012345,
		.root_pid = 4121,
		.ledger_fd = 8,
		.pool = QR_LINUX_POOL_OUTSIDE,
		.codec = QR_LINUX_CODEC_ZSTD,
		.delivery = QR_LINUX_DELIVERY_HANDLER,
		.mover = QR_LINUX_MOVER_MOVE,
		.overcommit = QR_OVERCOMMIT_NEVER,
		.swap_off = 1,
		.quiet = 1,
		.verbose = 1,
		.policy = "s3fifo",
		.swap_dir = "/a b,c=d:e%f\n\x01\xff/\xc3\xa9",
		.json_path = "x.json",
		.state_dir = "/var/lib/user/.local/state/quire",
	};

	(void)state;
	assert_true(qr_linux_config_format(&config, text, sizeof(text)) > 0);
	assert_null(strchr(text, ' '));
	assert_int_equal(0, qr_linux_config_parse(text, &parsed));
	assert_memory_equal(&config, &parsed, sizeof(config));
}

/* The longest paths of the dearest bytes fit into the promised room, and one
 * byte less than needed is noticed. */
static void
test_capacity(void **state)
{
	static struct qr_linux_config config;
	int length;

	(void)state;
	memset(config.swap_dir, '\n', QR_LINUX_PATH_MAX - 1);
	memset(config.json_path, '\n', QR_LINUX_PATH_MAX - 1);
	memset(config.state_dir, '\n', QR_LINUX_PATH_MAX - 1);
	length = qr_linux_config_format(&config, text, sizeof(text));
	assert_true(length > 0);
	assert_int_equal(0, qr_linux_config_parse(text, &parsed));
	assert_memory_equal(&config, &parsed, sizeof(config));
	assert_int_equal(-QR_ENOSPC,
	    qr_linux_config_format(&config, text, (size_t)length));
	assert_int_equal(length,
	    qr_linux_config_format(&config, text, (size_t)length + 1));
	assert_int_equal(-QR_ENOSPC, qr_linux_config_format(&config, text, 0));
}

static void
test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"1",
		"2:",
		":",
		"1x:",
		"1:budget",
		"1:budget=",
		"1:budget=1x",
		"1:budget=18446744073709551616",
		"1:what=1",
		"1:codec=lz",
		"1:codec=lz44",
		"1:codec=",
		"1:pool=inside|",
		"1:swapdir=%",
		"1:swapdir=%2",
		"1:swapdir=%2g",
		"1:swapdir=%00",
		"1:policy=0123456789abcdef",
		"1:=1",
		"1:budget=1,,",
		"1:budget=1;codec=lz4",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (qr_linux_config_parse(bad[i], &parsed) != -QR_EINVAL)
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(0,
	    qr_linux_config_parse("1:policy=0123456789abcde", &parsed));
}

static void
test_choice(void **state)
{
	(void)state;
	assert_int_equal(0, qr_linux_config_choice("a|bc|d", "a", 1));
	assert_int_equal(1, qr_linux_config_choice("a|bc|d", "bc", 2));
	assert_int_equal(2, qr_linux_config_choice("a|bc|d", "d", 1));
	assert_int_equal(-QR_ENOENT, qr_linux_config_choice("a|bc", "b", 1));
	assert_int_equal(-QR_ENOENT, qr_linux_config_choice("a|bc", "bcd", 3));
	assert_int_equal(-QR_ENOENT, qr_linux_config_choice("a|bc", "", 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_left_out),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
