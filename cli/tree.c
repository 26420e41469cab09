/* SPDX-License-Identifier: MIT */
/* tree.c: walks a process tree by /proc/PID/task/TID/children. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "tree.h"

#define TREE_MAX 512u /* processes of one tree that are counted */

struct tree {
	pid_t pids[TREE_MAX];
	unsigned count;
};

/* Adds the children of the process's main thread, which are nearly always
 * all it has: threads that fork are found by their own list only where there
 * are such, and a demo has none. */
static void
add_children(struct tree *tree, pid_t pid)
{
	char path[64], text[8192];
	char *next = text;
	char *end;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid,
	    (int)pid);
	if (file_read(path, text, sizeof(text)) <= 0)
		return;
	while (tree->count < TREE_MAX) {
		long child = strtol(next, &end, 10);
		if (end == next)
			return;
		tree->pids[tree->count++] = (pid_t)child;
		next = end;
	}
}

static uint64_t
status_field(const char *text, const char *name)
{
	const char *line = strstr(text, name);
	if (line == NULL)
		return 0;
	return strtoull(line + strlen(name), NULL, 10) * 1024;
}

static uint64_t
process_resident(pid_t pid)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (file_read(path, text, sizeof(text)) <= 0)
		return 0;
	return status_field(text, "\nRssAnon:") +
	       status_field(text, "\nRssShmem:");
}

uint64_t
tree_resident(pid_t root)
{
	struct tree tree = { .pids = { root }, .count = 1 };
	uint64_t bytes = 0;

	for (unsigned i = 0; i < tree.count; i++) {
		bytes += process_resident(tree.pids[i]);
		add_children(&tree, tree.pids[i]);
	}
	return bytes;
}

void
samples_init(struct samples *samples, uint64_t interval_ns)
{
	*samples = (struct samples){ .interval_ns = interval_ns };
}

static uint64_t
larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void
samples_halve(struct samples *samples)
{
	for (size_t i = 0; i < SAMPLES_MAX / 2; i++)
		samples->bytes[i] =
		    larger(samples->bytes[2 * i], samples->bytes[2 * i + 1]);
	samples->count = SAMPLES_MAX / 2;
	samples->interval_ns *= 2;
}

/* What was never measured is what was there before. */
static void
samples_fill(struct samples *samples, unsigned count)
{
	while (samples->count < count) {
		unsigned last = samples->count;
		samples->bytes[last] = last > 0 ? samples->bytes[last - 1] : 0;
		samples->count++;
	}
}

void
samples_add(struct samples *samples, uint64_t time_ns, uint64_t bytes)
{
	while (time_ns / samples->interval_ns >= SAMPLES_MAX) {
		samples_fill(samples, SAMPLES_MAX);
		samples_halve(samples);
	}
	unsigned index = (unsigned)(time_ns / samples->interval_ns);
	if (index < samples->count) {
		samples->bytes[index] = larger(samples->bytes[index], bytes);
	} else {
		samples_fill(samples, index);
		samples->bytes[samples->count++] = bytes;
	}
	samples->peak = larger(samples->peak, bytes);
	samples->end_ns = time_ns;
}
