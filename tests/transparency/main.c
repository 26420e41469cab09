/* SPDX-License-Identifier: MIT */
/*
 * main.c: proves that operations on memory that has been pushed out give
 * under `quire run` what they give without.
 *
 *   transparency QUIRE GROUP [CASE]          compares
 *   transparency --plain GROUP [WAY [FIRST]] runs the cases of a group
 *   transparency --managed GROUP ...         likewise, under Quire
 *   transparency --list                      all cases
 */
#include <sys/stat.h>

#include "run.h"

extern const struct test_group files_group, pipes_group, sockets_group,
    events_group, ipc_group, futexes_group, process_group, signals_group,
    terminals_group, memory_group, code_group, odd_group, async_group,
    trees_group, libc_group;

const struct test_group *const groups[] = {
	&files_group,
	&pipes_group,
	&sockets_group,
	&events_group,
	&ipc_group,
	&futexes_group,
	&process_group,
	&signals_group,
	&terminals_group,
	&memory_group,
	&code_group,
	&odd_group,
	&async_group,
	&trees_group,
	&libc_group,
	NULL,
};

static const struct test_group *
group_find(const char *name)
{
	for (unsigned i = 0; groups[i] != NULL; i++) {
		if (strcmp(groups[i]->name, name) == 0)
			return groups[i];
	}
	fprintf(stderr, "no group %s\n", name);
	exit(2);
}

static int
list(void)
{
	unsigned count = 0;
	for (unsigned i = 0; groups[i] != NULL; i++) {
		const struct test_case *c = groups[i]->cases;
		for (; c->name != NULL; c++, count++)
			printf("%s.%s\n", groups[i]->name, c->name);
	}
	printf("%u cases\n", count);
	return 0;
}

static enum way
way_find(const char *name)
{
	static const char *const names[] = { "warm", "cold", "edge", "fresh",
		"storm" };
	for (enum way way = WAY_WARM; way < WAYS; way++) {
		if (strcmp(names[way], name) == 0)
			return way;
	}
	fprintf(stderr, "no way %s\n", name);
	exit(2);
}

/* A folder of its own that anybody may write to. */
static int
compare(const char *quire, const char *name, const char *only)
{
	char self[4096];
	char folder[] = "/tmp/transparency.XXXXXX";
	const struct test_group *group = group_find(name);
	ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (size < 0 || mkdtemp(folder) == NULL || chdir(folder) != 0 ||
	    chmod(folder, 0777) != 0) {
		perror(folder);
		return 3;
	}
	self[size] = '\0';
	setenv("HOME", folder, 1);
	setenv("XDG_STATE_HOME", folder, 1);
	setenv("LC_ALL", "C", 1);
	int bad = compare_group(self, quire, group, only);
	/* Whatever is left in it was left by the cases. */
	if (chdir("/") != 0 ||
	    execlp("sh", "sh", "-c", "rm -rf \"$1\"; exit \"$2\"", "sh", folder,
		bad == 0 ? "0" : "1", (char *)NULL) != 0)
		perror("sh");
	return 3;
}

int
main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list();
	if (argc < 3) {
		fprintf(stderr, "usage: see the head of main.c\n");
		return 2;
	}
	run_managed = strcmp(argv[1], "--managed") == 0;
	if (run_managed || strcmp(argv[1], "--plain") == 0) {
		run_way = argc > 3 ? way_find(argv[3]) : WAY_COLD;
		run_cases(group_find(argv[2]),
		    argc > 4 ? strtoul(argv[4], NULL, 10) : 0);
		return 0;
	}
	return compare(argv[1], argv[2], argc > 3 ? argv[3] : NULL);
}
