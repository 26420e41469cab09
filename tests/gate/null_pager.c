/* SPDX-License-Identifier: MIT */
/*
 * null_pager.c: the gate without memory management, to be preloaded.
 *
 * Mapping calls go to the kernel as they are, so programs must behave as if
 * nothing were there. With GATE_TEST=report the signals that would end the
 * process are watched, as a run with a summary does. See chaos.c for the
 * pager that takes pages away.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "port/linux/gate/gate.h"
#include "port/linux/pager.h"
#include "port/linux/sys.h"

#include "chaos.h"

#include <qr/port.h>

static struct {
	char preload[4096];
	const char *environment[3];
} null_pager;

static void
say(const char *text)
{
	size_t size = 0;
	while (text[size] != 0)
		size++;
	qr_sys3(SYS_write, 2L, text, size);
}

static void
say_hex(unsigned long value)
{
	char text[17] = { 0 };
	for (int i = 15; i >= 0; i--, value >>= 4)
		text[i] = "0123456789abcdef"[value & 15];
	say(text);
}

void
qr_port_panic(const char *file, int line, const char *condition,
    const char *format, ...)
{
	va_list args;
	(void)line;
	say(file);
	say(": ");
	say(condition);
	say(": ");
	say(format);
	va_start(args, format);
	for (int i = 0; i < 4; i++) {
		say(" ");
		say_hex(va_arg(args, unsigned long));
	}
	va_end(args);
	say("\n");
	for (;;)
		qr_sys2(SYS_kill, qr_sys0(SYS_getpid), (long)SIGKILL);
}

bool
pager_fault(struct qr_thread *thread, int signal_number, const siginfo_t *info,
    const ucontext_t *context)
{
	(void)thread;
	(void)context;
	return signal_number == SIGSEGV &&
	       chaos_fault((uintptr_t)info->si_addr);
}

int
pager_pin(struct qr_thread *thread, uintptr_t start, size_t size_bytes,
    unsigned access)
{
	return chaos_pin(thread, start, size_bytes, access);
}

void
pager_unpin(struct qr_thread *thread)
{
	chaos_unpin(thread);
}

int
pager_pin_long(struct qr_thread *thread, struct qr_pin *pin, uintptr_t start,
    size_t size_bytes, unsigned access)
{
	(void)pin;
	(void)thread;
	(void)access;
	chaos_keep(start, size_bytes);
	return 0;
}

void
pager_unpin_long(struct qr_pin *pin)
{
	(void)pin;
}

size_t
pager_pin_limit(void)
{
	return CHAOS_PIN_LIMIT;
}

long
pager_mapping_call(struct qr_thread *thread, long number, const long args[6])
{
	(void)thread;
	return chaos_mapping_call(number, args);
}

void
pager_keep(struct qr_thread *thread, enum qr_thread_keep what, uintptr_t start,
    size_t size_bytes)
{
	(void)what;
	(void)thread;
	chaos_keep(start, size_bytes);
}

int
pager_fork_prepare(struct qr_thread *thread)
{
	(void)thread;
	chaos_fork_prepare();
	return 0;
}

void
pager_fork_parent(struct qr_thread *thread, long pid)
{
	(void)thread;
	(void)pid;
	chaos_fork_done();
}

void
pager_fork_child(struct qr_thread *thread)
{
	(void)thread;
	chaos_fork_done();
}

void
pager_exit(struct qr_thread *thread, int status)
{
	(void)thread;
	(void)status;
}

void
pager_exec_prepare(struct qr_thread *thread)
{
	(void)thread;
}

void
pager_exec_failed(struct qr_thread *thread)
{
	(void)thread;
}

void
pager_killed(struct qr_thread *thread, int signal_number)
{
	(void)thread;
	(void)signal_number;
}

void
pager_thread_start(struct qr_thread *thread)
{
	(void)thread;
}

void
pager_thread_end(struct qr_thread *thread)
{
	chaos_unpin(thread);
}

bool
pager_owns_fd(int fd)
{
	(void)fd;
	return false;
}

int
pager_move_fd(struct qr_thread *thread, int fd)
{
	(void)thread;
	(void)fd;
	return 0;
}

const char *const *
pager_environment(void)
{
	return null_pager.environment;
}

static void
start(void *arg)
{
	struct qr_thread *thread = arg;
	struct gate_config config = { .pins = false };
	const char *test = getenv("GATE_TEST");
	if (test != NULL && strcmp(test, "chaos") == 0)
		config.pins = chaos_init();
	else if (test != NULL && strcmp(test, "patch-chaos") == 0)
		config.pins = chaos_init();
	config.patch = test != NULL && strncmp(test, "patch", 5) == 0;
	config.watch_fatal = test != NULL && strcmp(test, "report") == 0;
	qr_thread_begin(thread);
	qr_thread_claim(thread);
	pager_thread_start(thread);
	if (gate_init(&config) != 0 || gate_arm(thread) != 0)
		qr_port_panic(__FILE__, __LINE__, "start",
		    "the gate can't be armed");
}

/* As Quire hides itself from the program's environment. Not by unsetenv,
 * which a program may have replaced: bash has. */
static void
hide(void)
{
	char **at = environ;
	while (*at != NULL && strncmp(*at, "LD_PRELOAD=", 11) != 0)
		at++;
	if (*at == NULL)
		return;
	char *own = *at + 11;
	size_t size = strcspn(own, ":");
	if (size + 12 > sizeof(null_pager.preload))
		return;
	strcpy(null_pager.preload, "LD_PRELOAD=");
	strncat(null_pager.preload, own, size);
	null_pager.environment[0] = null_pager.preload;
	if (own[size] == ':')
		memmove(own, own + size + 1, strlen(own + size));
	else
		for (; *at != NULL; at++)
			at[0] = at[1];
}

__attribute__((constructor)) static void
construct(void)
{
	hide();
	struct qr_thread *thread = qr_thread_alloc();
	if (thread == NULL)
		qr_port_panic(__FILE__, __LINE__, "construct", "no memory");
	qr_thread_call_on_stack(thread, start, thread);
	gate_armed(thread);
}

void
pager_closing(struct qr_thread *thread, int fd)
{
	(void)thread;
	(void)fd;
}

enum pager_exec
pager_exec_way(long directory, const char *path, long flags, int *image)
{
	(void)directory;
	(void)path;
	(void)flags;
	(void)image;
	return PAGER_EXEC_PRELOAD;
}

const char *
pager_carrier(void)
{
	return "";
}

bool
pager_image(char text[PAGER_IMAGE_SIZE])
{
	(void)text;
	return false;
}

int
pager_retreat(struct qr_thread *thread)
{
	chaos_unpin(thread);
	chaos_stop();
	return 0;
}

int
pager_unmanage(struct qr_thread *thread, uintptr_t start, size_t size_bytes)
{
	(void)thread;
	(void)start;
	(void)size_bytes;
	return 0;
}

void
pager_alone_begin(struct qr_thread *thread)
{
	(void)thread;
}

void
pager_alone_end(struct qr_thread *thread)
{
	(void)thread;
}
