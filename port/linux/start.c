/* SPDX-License-Identifier: MIT */
/*
 * start.c: a program comes under management, before its own first line.
 *
 * The constructor of the preloaded library runs before every other but
 * libc's. What is mapped by then stays as it is, unmanaged, with three
 * exceptions that hold most of what a program may later fill: the break from
 * here on, zero-initialised data of 64 KiB and more, and anonymous mappings
 * that the heap has made already. Their resident pages are taken over where
 * they lie: the core faults on each, and the port finds it in place.
 *
 * Without QUIRE_RUN in the environment nothing is done: the library is then
 * a malloc. Whatever fails here ends the process with what, why and what to
 * do, since going on without the budget is not what was asked for.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "../../core/base/check.h"
#include "carry.h"
#include "files.h"
#include "gate/gate.h"
#include "handler.h"
#include "ledger.h"
#include "linux.h"
#include "pager.h"
#include "print.h"
#include "report.h"
#include "stat_page.h"
#include "sys.h"

/* Anonymous mappings smaller than this, made before the start, stay
 * unmanaged: libc's and ld.so's own, with what the kernel writes to. */
#define ADOPT_BYTES_MIN ((size_t)64 << 10)
#define ADOPT_MAX       128u

struct mapping {
	uintptr_t start;
	uintptr_t end;
	int prot;
};

static struct {
	struct mapping found[ADOPT_MAX];
	unsigned count;
} start;

static void
start_fail(const char *what, int error)
{
	char text[512];
	struct print print;
	print_init(&print, text, sizeof(text));
	print_format(&print, "quire: the program was not started: %s", what);
	if (error != 0)
		print_format(&print, " (error %d)", error < 0 ? -error : error);
	print_text(&print,
	    "\n  `quire doctor -- CMD` says what works here and why not\n");
	print_flush(&print, 2);
	for (;;)
		qr_sys1(SYS_exit_group, 125L);
}

/* --- what is mapped already --- */

static uintptr_t
parse_hex(const char **at)
{
	uintptr_t n = 0;
	for (;; (*at)++) {
		char c = **at;
		if (c >= '0' && c <= '9')
			n = n * 16 + (uintptr_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n * 16 + (uintptr_t)(c - 'a' + 10);
		else
			return n;
	}
}

/* One line of /proc/self/maps: "start-end rwxp offset dev inode  path". */
static void
consider_line(const char *line, uintptr_t own)
{
	struct mapping map = { .prot = 0 };
	map.start = parse_hex(&line);
	line++;
	map.end = parse_hex(&line);
	map.prot |= line[1] == 'r' ? PROT_READ : 0;
	map.prot |= line[2] == 'w' ? PROT_WRITE : 0;
	map.prot |= line[3] == 'x' ? PROT_EXEC : 0;
	bool private = line[4] == 'p';
	for (unsigned blanks = 0; blanks < 4 && *line != '\0'; line++)
		blanks += *line == ' ' && line[1] != ' ';
	while (*line == ' ')
		line++;
	/* Now at the inode; anonymous has 0 and then nothing. */
	if (!private || *line != '0' || (line[1] != '\0' && line[1] != ' '))
		return;
	for (line++; *line == ' '; line++)
		;
	if (*line != '\0')
		return; /* [heap], [stack], [vvar] … */
	uintptr_t here = (uintptr_t)&start;
	if (map.end - map.start < ADOPT_BYTES_MIN ||
	    (map.start <= here && here < map.end) ||
	    (map.start <= own && own < map.end) || start.count == ADOPT_MAX)
		return;
	start.found[start.count++] = map;
}

static int
find_mappings(uintptr_t own)
{
	char text[4096];
	size_t used = 0;
	long fd = qr_sys4(SYS_openat, (long)AT_FDCWD, "/proc/self/maps",
	    (long)(O_RDONLY | O_CLOEXEC), 0L);
	if (fd < 0)
		return (int)fd;
	for (;;) {
		long n =
		    qr_sys3(SYS_read, fd, text + used, sizeof(text) - used);
		if (n <= 0)
			break;
		used += (size_t)n;
		size_t line = 0;
		for (size_t i = 0; i < used; i++) {
			if (text[i] != '\n')
				continue;
			text[i] = '\0';
			consider_line(text + line, own);
			line = i + 1;
		}
		used -= line;
		for (size_t i = 0; i < used; i++)
			text[i] = text[line + i];
	}
	qr_sys1(SYS_close, fd);
	return 0;
}

/* Takes over the pages of a mapping that are in RAM. */
static int
adopt_pages(const struct mapping *map)
{
	unsigned char vec[256];
	if ((map->prot & (PROT_READ | PROT_WRITE)) == 0)
		return 0;
	unsigned access =
	    (map->prot & PROT_WRITE) != 0 ? QR_ACCESS_WRITE : QR_ACCESS_READ;
	for (uintptr_t at = map->start; at < map->end;) {
		size_t pages = (map->end - at) / QR_PAGE_SIZE;
		if (pages > sizeof(vec))
			pages = sizeof(vec);
		long failed =
		    qr_sys3(SYS_mincore, at, pages * QR_PAGE_SIZE, vec);
		for (size_t i = 0; i < pages && failed == 0; i++) {
			if ((vec[i] & 1) != 0)
				failed = qr_space_fault(qr_linux.space,
				    at + i * QR_PAGE_SIZE, access);
		}
		if (failed != 0)
			return (int)failed;
		at += pages * QR_PAGE_SIZE;
	}
	return 0;
}

static int
adopt_mappings(void)
{
	for (unsigned i = 0; i < start.count; i++) {
		const struct mapping *map = &start.found[i];
		int failed = mapping_manage(map->start, map->end - map->start,
		    map->prot);
		if (failed == 0)
			failed = adopt_pages(map);
		if (failed != 0)
			return failed;
	}
	return 0;
}

/* A budget that the process has passed before its first line can't be kept. */
static void
check_floor(void)
{
	char text[256];
	struct print print;
	print_init(&print, text, sizeof(text));
	if (!oom_floor(&print, atomic_load(&qr_linux.unmanaged_pages)))
		return;
	start_fail(text, 0);
}

/* libc's record of the first thread, where the kernel writes too, may lie in
 * what was adopted. */
static void
keep_tcb(struct qr_thread *thread)
{
	uintptr_t tcb = 0;
	if (qr_sys2(SYS_arch_prctl, (long)ARCH_GET_FS, &tcb) == 0)
		pager_keep(thread, QR_KEEP_TLS, tcb, QR_PAGE_SIZE);
}

static void
start_run(void *arg)
{
	struct qr_thread *thread = arg;
	struct qr_linux *state = &qr_linux;
	int failed = carry_load();
	state->carried = carry_is_on();
	if (failed != 0)
		start_fail("it is statically linked, and its image can't be "
			   "mapped here",
		    failed);
	failed = find_mappings((uintptr_t)thread);
	if (failed != 0)
		start_fail("/proc/self/maps can't be read", failed);
	state->start_ns = linux_clock(NULL);
	failed = setup_memory();
	if (failed != 0)
		start_fail("address space for the budget is not to be had "
			   "(ulimit -v?)",
		    failed);
	int inherited = (int)state->config.ledger_fd - 1;
	failed = ledger_open(inherited, state->frames);
	if (failed != 0)
		start_fail("the tree's ledger can't be opened", failed);
	exec_compose_environment();
	failed = open_own_files();
	if (failed != 0)
		start_fail("/proc/self/status can't be opened", failed);
	report_open();
	failed = swapfile_open(&state->config);
	if (failed != 0)
		start_fail("no swap file can be made there; choose another "
			   "place with --swap DIR, or --swap off",
		    failed);
	failed = mmu_open();
	if (failed != 0)
		start_fail(state->config.delivery == QR_LINUX_DELIVERY_HANDLER
			       ? "--delivery=handler is not allowed here; "
				 "leave it out"
			       : "userfaultfd is not to be had",
		    failed);
	qr_thread_begin(thread);
	qr_thread_claim(thread);
	failed = setup_machine();
	if (failed != 0)
		start_fail("the budget is too small", failed);
	failed = handler_start();
	if (failed != 0)
		start_fail("no thread for --delivery=handler", failed);
	failed = credit_start();
	if (failed != 0)
		start_fail("the tree's budget is used up", failed);
	check_floor();
	stat_page_open();
	state->brk_start = (uintptr_t)qr_sys1(SYS_brk, 0L);
	state->brk_end = state->brk_start;
	failed = adopt_mappings();
	if (failed != 0)
		start_fail("memory that is there can't be taken over", failed);
	pager_thread_start(thread);
	keep_tcb(thread);
	const struct gate_config gate = {
		.pins = state->config.delivery == QR_LINUX_DELIVERY_SIGNAL,
		.watch_fatal = true,
		.patch = true,
		.carried = state->carried,
	};
	failed = gate_init(&gate);
	if (failed == 0)
		failed = gate_arm(thread);
	if (failed != 0)
		start_fail("the kernel has no Syscall User Dispatch", failed);
}

/* --- the environment --- */

static bool
text_begins(const char *text, const char *with)
{
	while (*with != '\0') {
		if (*text++ != *with++)
			return false;
	}
	return true;
}

/* The value of the variable name, which ends in '='; NULL: not there. */
static const char *
environment_find(char **environment, const char *name)
{
	for (; *environment != NULL; environment++) {
		if (text_begins(*environment, name))
			return *environment + strlen(name);
	}
	return NULL;
}

/* Takes our variables and our part of LD_PRELOAD out. */
static void
environment_hide(char **environment)
{
	char **to = environment;
	for (char **from = environment; *from != NULL; from++) {
		bool ours = text_begins(*from, QR_LINUX_CONFIG_VARIABLE "=") ||
			    text_begins(*from, QR_LINUX_IMAGE_VARIABLE "=") ||
			    (text_begins(*from, "LD_PRELOAD=") &&
				exec_take_preload(*from));
		if (!ours)
			*to++ = *from;
	}
	*to = NULL;
}

__attribute__((constructor(101))) static void
start_constructor(int argc, char **argv, char **environment)
{
	(void)argc;
	const char *text =
	    environment_find(environment, QR_LINUX_CONFIG_VARIABLE "=");
	if (text == NULL)
		return;
	carry_note(environment_find(environment, QR_LINUX_IMAGE_VARIABLE "="),
	    environment);
	report_start(environment);
	environment_hide(environment);
	int failed = qr_linux_config_parse(text, &qr_linux.config);
	if (failed != 0)
		start_fail("QUIRE_RUN is not of this version", failed);
	struct qr_thread *thread = qr_thread_alloc();
	if (thread == NULL)
		start_fail("no memory for a stack", ENOMEM);
	qr_thread_call_on_stack(thread, start_run, thread);
	gate_armed(thread);
	carry_enter(argv, environment);
}
