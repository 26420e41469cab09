/* SPDX-License-Identifier: MIT */
/*
 * test_archive.c: a capture is read as a tree is; one that is cut at any byte,
 * has any byte changed, or is noise, is refused or read, never believed beyond
 * its end. The seed of what is random is printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "cli/proc/smaps.h"
#include "random.h"

static char path[64];

static void
put_header(struct buffer *tar, const char *name, size_t size, char type)
{
	char block[512] = { 0 };
	unsigned sum = 0;

	strcpy(block, name);
	strcpy(block + 100, "0000644");
	strcpy(block + 108, "0000041");
	snprintf(block + 124, 13, "%011llo",
	    (unsigned long long)size & 077777777777);
	memset(block + 148, ' ', 8);
	block[156] = type;
	memcpy(block + 257, "ustar", 6);
	for (size_t i = 0; i < sizeof(block); i++)
		sum += (unsigned char)block[i];
	snprintf(block + 148, 8, "%06o", sum);
	buffer_put(tar, block, sizeof(block));
}

static void
put_file(struct buffer *tar, const char *name, const char *content)
{
	char zeros[512] = { 0 };
	size_t size = strlen(content);

	put_header(tar, name, size, '0');
	buffer_put(tar, content, size);
	buffer_put(tar, zeros, (512 - size % 512) % 512);
}

static void
put_end(struct buffer *tar)
{
	char zeros[1024] = { 0 };
	buffer_put(tar, zeros, sizeof(zeros));
}

static void
make(struct buffer *tar)
{
	tar->length = 0;
	put_file(tar, "meminfo", "MemTotal: 4 kB\n");
	put_header(tar, "12", 0, '5');
	put_file(tar, "12/smaps",
	    "1000-3000 rw-p 00000000 00:00 0    [heap]\n"
	    "Rss:   8 kB\nNew:   3 kB\nVmFlags: rd wr\n"
	    "4000-5000 rw-p 00000000 08:01 7    /a b\nRss:   4 kB\n");
	put_file(tar, "./proc/12/stat", "12 (x) y) S 1\n");
	put_file(tar, "quire/etc/passwd", "www:x:33:\n");
	put_end(tar);
}

static void
count_areas(void *ctx, const struct smaps_area *area)
{
	int64_t *sum = ctx;
	*sum += area->value[SMAPS_RSS];
}

/* Reads all that can be read; the sum of Rss, or -1 where it is refused. */
static int64_t
read_capture(const char *bytes, size_t length)
{
	struct problem problem;
	struct buffer text = { 0 };
	const int *pids;
	int64_t sum = 0;
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(length, fwrite(bytes, 1, length, file));
	assert_int_equal(0, fclose(file));
	struct source *source = source_open(path, &problem);
	if (source == NULL) {
		assert_true(problem.what[0] != '\0');
		return -1;
	}
	size_t count = source_pids(source, &pids);
	for (size_t i = 0; i < count; i++) {
		char name[64];
		snprintf(name, sizeof(name), "proc/%d/smaps", pids[i]);
		if (smaps_read(source, name, count_areas, &sum) != 0)
			continue;
		(void)source_user(source, 33);
	}
	if (source_read(source, "proc/meminfo", &text) != 0)
		sum += 1;
	buffer_fini(&text);
	source_close(source);
	return sum;
}

static void
test_whole(void **state)
{
	struct buffer tar = { 0 };
	struct problem problem;
	struct buffer text = { 0 };
	uint32_t uid = 0;

	(void)state;
	make(&tar);
	assert_int_equal(12288, read_capture(tar.text, tar.length));
	struct source *source = source_open(path, &problem);
	assert_non_null(source);
	assert_false(source_is_live(source));
	assert_int_equal(0, source_read(source, "proc/12/stat", &text));
	assert_string_equal("12 (x) y) S 1\n", text.text);
	assert_true(source_owner(source, 12, &uid));
	assert_int_equal(33, uid);
	assert_string_equal("www", source_user(source, 33));
	assert_string_equal("7", source_user(source, 7));
	assert_int_not_equal(0, source_read(source, "proc/13/stat", &text));
	buffer_fini(&text);
	source_close(source);
	buffer_fini(&tar);
}

static void
test_cut(void **state)
{
	struct buffer tar = { 0 };

	(void)state;
	make(&tar);
	/* A tar may lack its last empty block, and no more. */
	for (size_t length = 0; length < tar.length; length += 7)
		if (length < tar.length - 1024)
			assert_int_equal(-1, read_capture(tar.text, length));
	buffer_fini(&tar);
}

static void
test_changed(void **state)
{
	struct test_random rng = test_random_start("archive");
	struct buffer tar = { 0 };

	(void)state;
	for (int i = 0; i < 300; i++) {
		make(&tar);
		size_t at = test_random_below(&rng, tar.length);
		tar.text[at] = (char)test_random_below(&rng, 256);
		(void)read_capture(tar.text, tar.length);
	}
	for (int i = 0; i < 100; i++) {
		tar.length = 0;
		for (int j = 0; j < 700; j++) {
			char byte = (char)test_random_below(&rng, 256);
			buffer_put(&tar, &byte, 1);
		}
		assert_int_equal(-1, read_capture(tar.text, tar.length));
		memcpy(tar.text, "\x28\xb5\x2f\xfd", 4);
		assert_int_equal(-1, read_capture(tar.text, tar.length));
	}
	buffer_fini(&tar);
}

/* Sizes and names that lie. */
static void
test_lies(void **state)
{
	struct buffer tar = { 0 };
	char names[700];

	(void)state;
	put_header(&tar, "1/smaps", (size_t)1 << 32, '0');
	put_end(&tar);
	assert_int_equal(-1, read_capture(tar.text, tar.length));
	tar.length = 0;
	put_file(&tar, "../../etc/passwd", "x");
	put_file(&tar, "99999999999/smaps", "x");
	put_file(&tar, "0/smaps", "x");
	put_end(&tar);
	assert_int_equal(1, read_capture(tar.text, tar.length));
	/* A pax record that says it is longer than it is. */
	tar.length = 0;
	put_header(&tar, "pax", 12, 'x');
	memset(names, 'a', sizeof(names));
	memcpy(names, "999 path=1/x", 12);
	buffer_put(&tar, names, 512);
	put_file(&tar, "1/smaps", "1000-2000 rw-p 0 0:0 0\nRss: 4 kB\n");
	put_end(&tar);
	assert_int_equal(4097, read_capture(tar.text, tar.length));
	buffer_fini(&tar);
}

static int
make_path(void **state)
{
	(void)state;
	strcpy(path, "/tmp/test_archive.XXXXXX");
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int
remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_lies),
	};
	return cmocka_run_group_tests(tests, make_path, remove_path);
}
