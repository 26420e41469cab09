/* SPDX-License-Identifier: MIT */
/*
 * outsiders.c: processes of the tree that run without Quire.
 *
 * A child may be static or setuid, or start with an environment that was
 * emptied behind the gate's back. It runs as it would, and what it holds is
 * taken out of the budget that the others share, so that the tree as a whole
 * stays inside. The managed process with the lowest slot looks, every 100 ms:
 * it walks the children from the root down and reads the memory of those that
 * have no slot.
 *
 * A process is charged only if the look before has seen it too: between fork
 * and its first own line a child of the managed kind has no slot either, and
 * one made by vfork shows its parent's memory as its own. An orphan that init
 * has taken over is out of sight, and so is everybody once no managed process
 * is left; the summary says what was seen.
 */
#include "outsiders.h"

#include <fcntl.h>

#include "files.h"
#include "ledger.h"
#include "linux.h"
#include "print.h"
#include "sys.h"

#define LOOK_PERIOD_NS 100000000u
#define PROCESSES_MAX  256u /* of one look; the rest is not seen */
#define TEXT_MAX       2048u

struct look {
	uint32_t pids[PROCESSES_MAX]; /* the tree, breadth first */
	unsigned count;
	uint32_t without[PROCESSES_MAX]; /* those without a slot */
	unsigned without_count;
};

/* The helper's alone; two, to compare. */
static struct {
	struct look look[2];
	unsigned now; /* index of the later one */
	uint64_t next_ns;
} outsiders;

/* Reads a small file of /proc whole; an empty text if it can't be read. */
static void
read_text(const char *path, char text[TEXT_MAX])
{
	long n = 0;
	int fd = proc_open(path, O_RDONLY);
	if (fd >= 0) {
		n = qr_sys3(SYS_read, fd, text, (size_t)(TEXT_MAX - 1));
		qr_sys1(SYS_close, fd);
	}
	text[n > 0 ? n : 0] = '\0';
}

static void
process_text(uint32_t pid, uint32_t task, const char *file, char text[TEXT_MAX])
{
	char path[64];
	struct print print;
	print_init(&print, path, sizeof(path));
	if (task != 0)
		print_format(&print, "%u/task/%u/%s", pid, task, file);
	else
		print_format(&print, "%u/%s", pid, file);
	read_text(path, text);
}

static void
look_add(struct look *look, uint32_t pid)
{
	if (look->count < PROCESSES_MAX)
		look->pids[look->count++] = pid;
}

/* Adds the pids of a text of numbers, each with a blank behind it: one without
 * was cut off where the text ends. */
static void
look_add_list(struct look *look, const char *text)
{
	while (*text != '\0') {
		uint32_t pid = 0;
		for (; *text >= '0' && *text <= '9'; text++)
			pid = pid * 10 + (uint32_t)(*text - '0');
		if (*text == '\0')
			break;
		if (pid != 0)
			look_add(look, pid);
		text++;
	}
}

/* A directory entry as getdents64 has it. */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

static uint32_t
entry_number(const struct entry *entry)
{
	uint32_t number = 0;
	for (const char *c = entry->name; *c >= '0' && *c <= '9'; c++)
		number = number * 10 + (uint32_t)(*c - '0');
	return number;
}

/* The children of each thread of a process. */
static void
look_children(struct look *look, uint32_t pid)
{
	_Alignas(8) char entries[1024];
	char text[TEXT_MAX];
	char path[64];
	struct print print;
	print_init(&print, path, sizeof(path));
	print_format(&print, "%u/task", pid);
	int fd = proc_open(path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return;
	for (;;) {
		long n = qr_sys3(SYS_getdents64, fd, entries, sizeof(entries));
		if (n <= 0)
			break;
		for (long at = 0; at < n;) {
			const struct entry *entry =
			    (const void *)(entries + at);
			uint32_t task = entry_number(entry);
			at += entry->size;
			if (task == 0)
				continue;
			process_text(pid, task, "children", text);
			look_add_list(look, text);
		}
	}
	qr_sys1(SYS_close, fd);
}

static void
look_walk(struct look *look)
{
	look->count = 0;
	look->without_count = 0;
	look_add(look, (uint32_t)qr_linux.config.root_pid);
	for (unsigned i = 0; i < look->count; i++) {
		uint32_t pid = look->pids[i];
		look_children(look, pid);
		if (!ledger_has(pid))
			look->without[look->without_count++] = pid;
	}
}

static bool
was_without(const struct look *look, uint32_t pid)
{
	for (unsigned i = 0; i < look->without_count; i++) {
		if (look->without[i] == pid)
			return true;
	}
	return false;
}

void
outsiders_look(void)
{
	uint64_t now = linux_clock(NULL);
	if (now < outsiders.next_ns || !ledger_is_first())
		return;
	outsiders.next_ns = now + LOOK_PERIOD_NS;
	const struct look *before = &outsiders.look[outsiders.now];
	outsiders.now = 1 - outsiders.now;
	struct look *look = &outsiders.look[outsiders.now];
	look_walk(look);

	char text[TEXT_MAX];
	uint64_t pages = 0;
	for (unsigned i = 0; i < look->without_count; i++) {
		uint32_t pid = look->without[i];
		if (!was_without(before, pid))
			continue;
		process_text(pid, 0, "status", text);
		pages += credit_status_pages(text);
		process_text(pid, 0, "comm", text);
		ledger_name_outsider(text);
	}
	ledger_charge_outsiders(pages);
}
