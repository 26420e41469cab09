/* SPDX-License-Identifier: MIT */
/*
 * exec.c: what passes from one image of a process to the next, and the end.
 *
 * LD_PRELOAD and QUIRE_RUN are hidden from the program, which finds in its
 * environment what it would find without Quire, and are put back by the gate
 * at every exec. The ledger's descriptor alone survives the exec; its number
 * is in QUIRE_RUN. A vfork child runs in its parent's memory: it changes its
 * own descriptors here and nothing else.
 */
#include <errno.h>
#include <fcntl.h>

#include "files.h"
#include "helper.h"
#include "ledger.h"
#include "linux.h"
#include "pager.h"
#include "print.h"
#include "report.h"
#include "sys.h"

#define LIBRARY_NAME "libquire-run.so"

static struct {
	char preload[QR_LINUX_PATH_MAX]; /* "LD_PRELOAD=" and our path */
	char run[QR_LINUX_CONFIG_TEXT_MAX + sizeof("QUIRE_RUN=")];
	const char *strings[3];
} environment;

static bool exec_had_helper;

static size_t
text_length(const char *text)
{
	size_t n = 0;
	while (text[n] != '\0')
		n++;
	return n;
}

/* Whether the path [path, path + length) ends in our library's name. */
static bool
names_library(const char *path, size_t length)
{
	const size_t own = sizeof(LIBRARY_NAME) - 1;
	if (length < own)
		return false;
	for (size_t i = 0; i < own; i++) {
		if (path[length - own + i] != LIBRARY_NAME[i])
			return false;
	}
	return true;
}

static size_t
element_length(const char *list)
{
	size_t n = 0;
	while (list[n] != '\0' && list[n] != ':' && list[n] != ' ')
		n++;
	return n;
}

/* Cuts our library out of the list; remembers it. True: nothing is left, the
 * variable as a whole is to go. */
bool
exec_take_preload(char *variable)
{
	char *list = variable + sizeof("LD_PRELOAD");
	for (char *at = list; *at != '\0';) {
		size_t length = element_length(at);
		bool ours = names_library(at, length);
		size_t step = length + (at[length] != '\0');
		if (!ours) {
			at += step;
			continue;
		}
		struct print print;
		print_init(&print, environment.preload,
		    sizeof(environment.preload));
		print_text(&print, "LD_PRELOAD=");
		for (size_t i = 0; i < length; i++)
			print_char(&print, at[i]);
		size_t rest = text_length(at + step);
		for (size_t i = 0; i <= rest; i++)
			at[i] = at[step + i];
	}
	return *list == '\0';
}

void
exec_compose_environment(void)
{
	static const char prefix[] = QR_LINUX_CONFIG_VARIABLE "=";
	struct qr_linux_config config = qr_linux.config;
	config.ledger_fd = (uint64_t)own_fd(OWN_LEDGER) + 1;
	for (size_t i = 0; i < sizeof(prefix); i++)
		environment.run[i] = prefix[i];
	int length = qr_linux_config_format(&config,
	    environment.run + sizeof(prefix) - 1, QR_LINUX_CONFIG_TEXT_MAX);
	if (length < 0)
		linux_die("the settings of the run don't fit", 125);
	environment.strings[0] = environment.preload;
	environment.strings[1] = environment.run;
	environment.strings[2] = NULL;
}

const char *const *
pager_environment(void)
{
	return environment.strings;
}

void
pager_exec_prepare(struct qr_thread *thread)
{
	if (qr_linux.space == NULL)
		return;
	qr_sys3(SYS_fcntl, own_fd(OWN_LEDGER), (long)F_SETFD, 0L);
	if (thread->guest) {
		ledger_count(1);
		return;
	}
	exec_had_helper = helper_stop();
	report_add(1);
	ledger_leave();
}

void
pager_exec_failed(struct qr_thread *thread)
{
	if (qr_linux.space == NULL)
		return;
	qr_sys3(SYS_fcntl, own_fd(OWN_LEDGER), (long)F_SETFD, (long)FD_CLOEXEC);
	if (thread->guest) {
		ledger_count(-1);
		return;
	}
	report_add(-1);
	if (ledger_return() != 0)
		linux_die("the tree's ledger has no room left", 125);
	if (exec_had_helper)
		helper_wanted();
}

void
pager_exit(struct qr_thread *thread, int status)
{
	if (qr_linux.space != NULL && !thread->guest)
		report_summary(status & 0xff, 0);
}

void
pager_killed(struct qr_thread *thread, int signal_number)
{
	if (qr_linux.space != NULL && !thread->guest)
		report_summary(0, signal_number);
}
