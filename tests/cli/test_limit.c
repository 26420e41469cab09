/* SPDX-License-Identifier: MIT */
/*
 * test_limit.c: of all control groups above us, of both versions, in mounts
 * of whole hierarchies and of parts, the tightest limit is found; and where
 * there is none, the machine's RAM counts.
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

#include "cli/limit.h"

static char root[64];

/* Writes a file below root, making its directories. */
static void
put(const char *path, const char *content)
{
	char full[512];

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *slash = full + strlen(root) + 1; *slash != '\0'; slash++) {
		if (*slash != '/')
			continue;
		*slash = '\0';
		(void)mkdir(full, 0700);
		*slash = '/';
	}
	FILE *file = fopen(full, "w");
	assert_non_null(file);
	fputs(content, file);
	assert_int_equal(0, fclose(file));
}

static int
make_root(void **state)
{
	(void)state;
	strcpy(root, "/tmp/test_limit.XXXXXX");
	if (mkdtemp(root) == NULL)
		return -1;
	put("/proc/meminfo", "MemTotal:        1048576 kB\nMemFree: 1 kB\n");
	return 0;
}

static int
remove_root(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static void
expect(uint64_t bytes, int version)
{
	struct limits limits;

	assert_true(limits_read(root, &limits));
	assert_int_equal((uint64_t)1 << 30, limits.ram_bytes);
	assert_int_equal(version, limits.cgroup_version);
	assert_int_equal(bytes, limits_usable(&limits));
}

#define MOUNT2 "30 1 0:9 / /cg rw,x shared:1 - cgroup2 cgroup2 rw\n"

static void
test_none(void **state)
{
	(void)state;
	expect((uint64_t)1 << 30, 0);
	put("/proc/self/cgroup", "0::/a\n");
	put("/proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/a rw\n");
	expect((uint64_t)1 << 30, 0);
}

static void
test_version_2(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "0::/a/b/c\n");
	put("/proc/self/mountinfo", MOUNT2);
	put("/cg/a/b/c/memory.max", "max\n");
	put("/cg/a/b/memory.max", "500000000\n");
	put("/cg/a/memory.max", "400000000\n");
	expect(400000000, 2);
	put("/cg/a/b/memory.high", "300000000\n");
	expect(300000000, 2);
	put("/cg/a/b/c/memory.max", "200000000\n");
	expect(200000000, 2);
	put("/cg/a/b/c/memory.max", "max\n");
	put("/cg/a/b/memory.high", "max\n");
	put("/cg/a/memory.max", "99999999999\n");
	put("/cg/a/b/memory.max", "max\n");
	expect((uint64_t)1 << 30, 0);
}

static void
test_version_1(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/g\n0::/\n");
	put("/proc/self/mountinfo",
	    "31 1 0:28 / /cg rw - tmpfs tmpfs rw\n"
	    "33 31 0:8 / /cg/cpu rw - cgroup cgroup rw,cpuset\n"
	    "32 31 0:9 / /cg/memory rw - cgroup cgroup rw,cpu,memory\n");
	put("/cg/memory/memory.limit_in_bytes", "9223372036854771712\n");
	put("/cg/memory/g/memory.limit_in_bytes", "600000000\n");
	expect(600000000, 1);
	put("/cg/memory/memory.limit_in_bytes", "500000000\n");
	expect(500000000, 1);
}

/* Inside a container only our part of the hierarchy is mounted. */
static void
test_partial_mount(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "0::/docker/x/inner\n");
	put("/proc/self/mountinfo",
	    "30 1 0:9 /docker/x /cg rw - cgroup2 cgroup2 rw\n");
	put("/cg/memory.max", "450000000\n");
	expect(450000000, 2);
	put("/cg/inner/memory.max", "350000000\n");
	expect(350000000, 2);
	put("/proc/self/cgroup", "0::/../elsewhere\n");
	expect(450000000, 2);
}

static void
test_both_versions(void **state)
{
	(void)state;
	put("/proc/self/cgroup", "4:memory:/\n0::/\n");
	put("/proc/self/mountinfo",
	    MOUNT2 "32 1 0:8 / /one rw - cgroup cgroup rw,memory\n");
	put("/one/memory.limit_in_bytes", "300000000\n");
	put("/cg/memory.max", "400000000\n");
	expect(300000000, 1);
	put("/cg/memory.max", "200000000\n");
	expect(200000000, 2);
}

static void
test_no_meminfo(void **state)
{
	struct limits limits;

	(void)state;
	put("/proc/meminfo", "nothing here\n");
	assert_false(limits_read(root, &limits));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_none),
		TEST(test_version_2),
		TEST(test_version_1),
		TEST(test_partial_mount),
		TEST(test_both_versions),
		TEST(test_no_meminfo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
