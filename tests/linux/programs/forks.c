/* SPDX-License-Identifier: MIT */
/*
 * forks MIB DEPTH SEED: proves that a fork's child has its parent's memory
 * from its first line, and that neither sees what the other writes. Each
 * process verifies, rewrites, forks, verifies again.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u

static uint64_t *memory;
static size_t pages;

static uint64_t
word_of(uint64_t tag, size_t page)
{
	return (tag << 32 | page) * UINT64_C(0x9e3779b97f4a7c15);
}

static void
write_all(uint64_t tag, size_t step)
{
	for (size_t page = 0; page < pages; page += step) {
		memory[page * 512] = word_of(tag, page);
		memory[page * 512 + 511] = word_of(tag, page) ^ 1;
	}
}

static int
verify_all(uint64_t tag, uint64_t odd_tag, const char *who)
{
	for (size_t page = 0; page < pages; page++) {
		uint64_t want = word_of(page % 2 ? odd_tag : tag, page);
		if (memory[page * 512] != want ||
		    memory[page * 512 + 511] != (want ^ 1)) {
			fprintf(stderr, "%s: page %zu of %zu is wrong\n", who,
			    page, pages);
			return 1;
		}
	}
	return 0;
}

/* Half of the pages have tag, the odd ones odd_tag. */
static int
level(unsigned depth, uint64_t tag, uint64_t odd_tag)
{
	if (depth == 0)
		return verify_all(tag, odd_tag, "leaf");
	int status = 0;
	pid_t pid = fork();
	if (pid < 0) {
		perror("fork");
		return 1;
	}
	if (pid == 0) {
		int bad = verify_all(tag, odd_tag, "child");
		write_all(tag + 100, 2);
		bad |= level(depth - 1, tag + 100, odd_tag);
		_exit(bad);
	}
	write_all(tag + 1, 2);
	int bad = verify_all(tag + 1, odd_tag, "parent");
	waitpid(pid, &status, 0);
	bad |= verify_all(tag + 1, odd_tag, "parent after");
	return bad | (status != 0);
}

int
main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	pages = (strtoul(argv[1], NULL, 10) << 20) / PAGE;
	uint64_t tag = strtoull(argv[3], NULL, 10);
	memory = malloc(pages * PAGE);
	if (memory == NULL)
		return 1;
	write_all(tag, 1);
	int bad = level((unsigned)strtoul(argv[2], NULL, 10), tag, tag);
	free(memory);
	printf("%s\n", bad ? "bad" : "good");
	return bad;
}
