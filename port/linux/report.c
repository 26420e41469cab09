/* SPDX-License-Identifier: MIT */
/*
 * report.c: what Quire says: why a process had to end, and the summary.
 *
 * All is composed in a buffer and written by one raw call, so that lines of
 * several processes don't mix. The root process of the tree speaks for all:
 * the others add their counters to the ledger when they end. Its summary goes
 * to stderr only while descriptor 2 is the file that it was at the start, so
 * that nothing ever lands in a file that the program has opened since; and
 * to the state directory, for `quire last`. Many programs close descriptor 2
 * as the last thing they do, to learn whether all was written: the helper, who
 * has descriptors of its own, keeps a copy for as long as that takes, and no
 * longer, since somebody may wait for its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "files.h"
#include "helper.h"
#include "ledger.h"
#include "linux.h"
#include "print.h"
#include "report.h"
#include "stat_page.h"
#include "sys.h"

/* How long descriptor 2 lives on after the program has closed it, and how long
 * somebody waits for the helper, ns. */
#define CLOSING_NS 100000000u
#define ERRAND_NS  50000000u

/* What the helper is asked for. */
enum { ERRAND_NONE, ERRAND_KEEP, ERRAND_SAY };

/* Room for any text composed here. */
#define REPORT_TEXT_MAX 4096u

/* Cells of the RAM bar, and columns of the headline. */
#define BAR_CELLS    20u
#define HEAD_COLUMNS 74u

static struct {
	dev_t device; /* of descriptor 2 at the start */
	ino_t inode;
	bool known;
	bool utf8;                /* the environment's character set */
	_Atomic(uint32_t) done;   /* the summary has been written */
	_Atomic(uint32_t) errand; /* ERRAND_*; waited on */
	struct print *text;       /* of ERRAND_SAY */
	bool was_kept;            /* an ERRAND_KEEP was done */
	int kept;                 /* (helper) a copy of descriptor 2, + 1 */
	uint64_t kept_ns;         /* (helper) since when */
} report;

/* The value of name (with its '=') in the environment, NULL: not there. */
static const char *
variable(char **environment, const char *name)
{
	for (; *environment != NULL; environment++) {
		size_t i = 0;
		while (name[i] != '\0' && (*environment)[i] == name[i])
			i++;
		if (name[i] == '\0' && (*environment)[i] != '\0')
			return *environment + i;
	}
	return NULL;
}

/* "UTF-8" and "utf8" are both in use. */
static bool
names_utf8(const char *locale)
{
	for (; *locale != '\0'; locale++) {
		if ((locale[0] | 32) == 'u' && (locale[1] | 32) == 't' &&
		    (locale[2] | 32) == 'f')
			return true;
	}
	return false;
}

static bool
environment_is_utf8(char **environment)
{
	static const char *const names[] = { "LC_ALL=", "LC_CTYPE=", "LANG=" };
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = variable(environment, names[i]);
		if (value != NULL)
			return names_utf8(value);
	}
	return false;
}

void
report_start(char **environment)
{
	struct stat status;
	report.utf8 = environment_is_utf8(environment);
	report.known = qr_sys2(SYS_fstat, 2L, &status) == 0;
	report.device = status.st_dev;
	report.inode = status.st_ino;
}

void
report_open(void)
{
	const struct qr_linux_config *config = &qr_linux.config;
	if ((uint64_t)qr_sys0(SYS_getpid) != config->root_pid)
		return;
	/* Either may fail: the command has made sure that they can be had, and
	 * it is not worth the program's life. */
	if (config->state_dir[0] != '\0')
		(void)own_fd_set(OWN_STATE_DIR,
		    (int)qr_sys4(SYS_openat, (long)AT_FDCWD, config->state_dir,
			(long)(O_PATH | O_DIRECTORY | O_CLOEXEC), 0L));
	if (config->json_path[0] != '\0')
		(void)own_fd_set(OWN_JSON,
		    (int)qr_sys4(SYS_openat, (long)AT_FDCWD, config->json_path,
			(long)(O_WRONLY | O_CREAT | O_CLOEXEC), 0666L));
}

static bool
stderr_is_ours(int fd)
{
	struct stat status;
	return report.known && qr_sys2(SYS_fstat, fd, &status) == 0 &&
	       status.st_dev == report.device && status.st_ino == report.inode;
}

/* Descriptor 2 of the program, for threads of Quire's own, which have other
 * descriptors: a copy to be closed, or -errno. */
static int
stderr_borrow(void)
{
	long process = qr_sys2(SYS_pidfd_open, qr_sys0(SYS_getpid), 0L);
	if (process < 0)
		return (int)process;
	long fd = qr_sys3(SYS_pidfd_getfd, process, 2L, 0L);
	qr_sys1(SYS_close, process);
	return (int)fd;
}

/* Has the helper do something. False: it did not come to it in time. */
static bool
errand_run(uint32_t what)
{
	uint64_t end = linux_clock(NULL) + ERRAND_NS;
	uint32_t now = what;
	atomic_store(&report.errand, what);
	helper_wanted();
	helper_poke();
	while (now == what && linux_clock(NULL) < end) {
		linux_port_ops.wait(NULL, &report.errand, what, ERRAND_NS);
		now = atomic_load(&report.errand);
	}
	now = what;
	return !atomic_compare_exchange_strong(&report.errand, &now,
	    ERRAND_NONE);
}

void
report_closing(void)
{
	if ((uint64_t)qr_sys0(SYS_getpid) == qr_linux.config.root_pid &&
	    !qr_linux.config.quiet && stderr_is_ours(2))
		report.was_kept = errand_run(ERRAND_KEEP);
}

void
report_errand(void)
{
	uint32_t what = atomic_load(&report.errand);
	if (what == ERRAND_KEEP && report.kept == 0) {
		report.kept = stderr_borrow() + 1;
		report.kept_ns = linux_clock(NULL);
	} else if (what == ERRAND_SAY && report.kept > 0) {
		print_flush(report.text, report.kept - 1);
	}
	if (report.kept > 0 &&
	    linux_clock(NULL) - report.kept_ns > CLOSING_NS) {
		qr_sys1(SYS_close, report.kept - 1);
		report.kept = 0;
	}
	if (what == ERRAND_NONE)
		return;
	atomic_store(&report.errand, ERRAND_NONE);
	linux_port_ops.wake(NULL, &report.errand, UINT32_MAX);
}

/* The program's name as the kernel has it. */
static void
print_name(struct print *print)
{
	char name[17] = { 0 };
	qr_sys2(SYS_prctl, 16L /* PR_GET_NAME */, name);
	print_text(print, name[0] != '\0' ? name : "?");
}

void
report_print_process(struct print *print)
{
	print_name(print);
	print_format(print, " (process %d)", (int)qr_sys0(SYS_getpid));
}

void
report_say(struct print *print)
{
	bool borrow = qr_thread_self()->is_own;
	int fd = borrow ? stderr_borrow() : 2;
	if (stderr_is_ours(fd)) {
		print_flush(print, fd);
	} else if (!borrow && report.was_kept && helper_runs()) {
		report.text = print;
		(void)errand_run(ERRAND_SAY);
	}
	if (borrow && fd >= 0)
		qr_sys1(SYS_close, fd);
}

void
linux_die(const char *what, int status)
{
	char text[REPORT_TEXT_MAX];
	struct print print;
	atomic_store(&qr_linux.dead, 1);
	print_init(&print, text, sizeof(text));
	print_text(&print, "quire: ");
	report_print_process(&print);
	print_format(&print, " can't go on: %s\n", what);
	report_say(&print);
	for (;;)
		qr_sys1(SYS_exit_group, (long)status);
}

static void
print_pages(struct print *print, uint64_t pages)
{
	print_size(print, pages * QR_PAGE_SIZE);
}

/* --- the summary --- */

/* How the process ends, or what else it does. */
struct ending {
	int exit_code;
	int signal_number; /* 0: by exit */
	bool goes_on;      /* without Quire */
};

static void
add_peak(_Atomic(uint64_t) *total, uint64_t value)
{
	uint64_t seen = atomic_load(total);
	while (
	    value > seen && !atomic_compare_exchange_weak(total, &seen, value))
		;
}

/* sign is 1, or -1 to take the same back. */
static void
add(_Atomic(uint64_t) *total, uint64_t value, int sign)
{
	atomic_fetch_add(total, sign < 0 ? 0 - value : value);
}

void
report_add(int sign)
{
	struct ledger_totals *totals = &ledger_get()->totals;
	struct qr_machine_stat stat;
	qr_machine_stat(qr_linux.machine, &stat);
	add(&totals->first_touch, stat.faults_first_touch, sign);
	add(&totals->from_pool, stat.faults_pool, sign);
	add(&totals->from_device, stat.faults_device, sign);
	add(&totals->pages_out, stat.pages_out, sign);
	add(&totals->pages_out_zero, stat.pages_out_zero, sign);
	add(&totals->written_back, stat.pages_written_back, sign);
	add(&totals->io_errors, stat.swap_io_errors, sign);
	add_peak(&totals->stored_peak, stat.swap_slots);
}

static void
print_count(struct print *print, uint64_t n)
{
	if (n < 10000)
		print_format(print, "%lu", (unsigned long)n);
	else if (n < 1000000)
		print_format(print, "%lu.%lu k", (unsigned long)(n / 1000),
		    (unsigned long)(n / 100 % 10));
	else
		print_format(print, "%lu.%02lu M", (unsigned long)(n / 1000000),
		    (unsigned long)(n / 10000 % 100));
}

/* One of two texts, as the environment can show it. */
static const char *
either(const char *utf8, const char *ascii)
{
	return report.utf8 ? utf8 : ascii;
}

static void
print_bar(struct print *print, uint64_t part, uint64_t whole)
{
	unsigned cells =
	    whole == 0 ? 0 : (unsigned)((part * BAR_CELLS + whole / 2) / whole);
	for (unsigned i = 0; i < BAR_CELLS; i++)
		print_text(print, i < cells ? either("\u2588", "#") : ".");
}

/* Characters, not bytes, from offset on. */
static unsigned
columns_from(const struct print *print, size_t offset)
{
	unsigned columns = 0;
	for (size_t i = offset; i < print->used; i++)
		columns += ((unsigned char)print->text[i] & 0xc0) != 0x80;
	return columns;
}

static void
print_head(struct print *print, const struct ending *ending)
{
	uint64_t ms = (linux_clock(NULL) - qr_linux.start_ns) / 1000000;
	const char *rule = either("\u2500", "-");
	const char *dot = either("\u00b7", "-");
	size_t start = print->used;
	print_format(print, "%s%s ", rule, rule);
	print_name(print);
	print_format(print, " %s %lu.%02lu s %s ", dot,
	    (unsigned long)(ms / 1000), (unsigned long)(ms / 10 % 100), dot);
	if (ending->goes_on)
		print_text(print, "goes on ");
	else if (ending->signal_number != 0)
		print_format(print, "signal %d ", ending->signal_number);
	else
		print_format(print, "exit %d ", ending->exit_code);
	while (columns_from(print, start) < HEAD_COLUMNS)
		print_text(print, rule);
	print_char(print, '\n');
}

static void
print_part(struct print *print, uint64_t pages, const char *what)
{
	print_pages(print, pages);
	print_text(print, what);
}

static void
print_ram(struct print *print, const struct qr_machine_stat *stat)
{
	const struct ledger *ledger = ledger_get();
	uint64_t peak = atomic_load(&ledger->totals.used_peak);
	print_text(print, " RAM    ");
	print_part(print, peak, " ");
	print_bar(print, peak, ledger->budget_pages);
	print_format(print, " %lu %% of the ",
	    (unsigned long)(peak * 100 / ledger->budget_pages));
	print_part(print, ledger->budget_pages, " budget, at the peak\n");
	print_text(print, "        peaks: ");
	print_part(print, stat->frames_user_peak, " program + ");
	print_part(print, stat->frames_pool_peak, " compressed + ");
	print_part(print, atomic_load(&qr_linux.unmanaged_pages_peak),
	    " unmanaged + ");
	print_part(print, stat->frames_meta - stat->frames_boot, " Quire\n");
}

static void
print_faults(struct print *print)
{
	const struct ledger_totals *totals = &ledger_get()->totals;
	const char *dot = either(" \u00b7 ", ", ");
	print_text(print, " faults ");
	print_count(print, atomic_load(&totals->first_touch));
	print_format(print, " first touch%s", dot);
	print_count(print, atomic_load(&totals->from_pool));
	print_format(print, " from pool%s", dot);
	print_count(print, atomic_load(&totals->from_device));
	print_text(print, " from disk\n");
}

/* Where pages went, and what is out as the root process ends. */
static void
print_out(struct print *print, const struct qr_machine_stat *stat)
{
	const struct ledger_totals *totals = &ledger_get()->totals;
	const char *dot = either(" \u00b7 ", ", ");
	uint64_t pages = atomic_load(&totals->pages_out);
	if (pages == 0)
		return;
	print_text(print, " out    ");
	print_count(print, pages);
	print_format(print, " pages%s", dot);
	print_count(print, atomic_load(&totals->pages_out_zero));
	print_format(print, " of them zero%s", dot);
	print_count(print, atomic_load(&totals->written_back));
	print_text(print, " moved on to disk\n");
	if (stat->swap_pooled == 0)
		return;
	uint64_t stored = stat->swap_pooled * QR_PAGE_SIZE;
	uint64_t tenths = stored * 10 / (stat->swap_pooled_bytes + 1);
	print_text(print, "        at the end: ");
	print_size(print, stored);
	print_format(print, " %s ", either("\u2192", "->"));
	print_size(print, stat->swap_pooled_bytes);
	print_format(print, " compressed, %lu.%lux\n",
	    (unsigned long)(tenths / 10), (unsigned long)(tenths % 10));
}

static void
print_outsiders(struct print *print)
{
	const struct ledger *ledger = ledger_get();
	if (ledger->outsider_names[0][0] == '\0')
		return;
	print_text(print, "        without Quire, but charged: ");
	print_pages(print, atomic_load(&ledger->outsiders_peak));
	print_text(print, " at the peak:");
	for (unsigned i = 0; i < LEDGER_NAMES; i++) {
		if (ledger->outsider_names[i][0] == '\0')
			break;
		print_format(print, " %s", ledger->outsider_names[i]);
	}
	print_char(print, '\n');
}

static void
print_rest(struct print *print)
{
	const struct ledger_totals *totals = &ledger_get()->totals;
	uint64_t processes = atomic_load(&totals->processes);
	uint64_t errors = atomic_load(&totals->io_errors);
	if (processes > 1)
		print_format(print,
		    " tree   %lu processes; peaks are of "
		    "process %d\n",
		    (unsigned long)processes, (int)qr_sys0(SYS_getpid));
	print_outsiders(print);
	if (errors != 0)
		print_format(print, " disk   %lu errors; no data was lost\n",
		    (unsigned long)errors);
	print_text(print, either(" next: quire last \u00b7 man quire-run\n",
			      " next: quire last, man quire-run\n"));
}

/* Keeps the text as the last summary; a failure costs `quire last` only. */
static void
keep_summary(struct print *text)
{
	int dir = own_fd(OWN_STATE_DIR);
	if (dir < 0)
		return;
	long fd = qr_sys4(SYS_openat, dir, QR_LINUX_STATE_LAST,
	    (long)(O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC), 0600L);
	if (fd < 0)
		return;
	size_t used = text->used;
	print_flush(text, (int)fd);
	text->used = used;
	qr_sys1(SYS_close, fd);
}

static void
summarise(const struct ending *ending)
{
	if (atomic_exchange(&report.done, 1) != 0)
		return;
	report_add(1);
	stat_page_update(true);
	if ((uint64_t)qr_sys0(SYS_getpid) != qr_linux.config.root_pid)
		return;
	char text[REPORT_TEXT_MAX];
	struct print print;
	struct qr_machine_stat stat;
	qr_machine_stat(qr_linux.machine, &stat);
	print_init(&print, text, sizeof(text));
	print_head(&print, ending);
	print_ram(&print, &stat);
	print_faults(&print);
	print_out(&print, &stat);
	if (ending->goes_on)
		print_text(&print,
		    " from here on without Quire: the program restricts its "
		    "system calls\n");
	int failed =
	    report_json(ending->signal_number != 0 ? 128 + ending->signal_number
						   : ending->exit_code,
		&stat);
	if (failed != 0)
		print_format(&print, " json   not written, error %d\n",
		    -failed);
	print_rest(&print);
	keep_summary(&print);
	if (!qr_linux.config.quiet)
		report_say(&print);
}

void
report_summary(int exit_code, int signal_number)
{
	summarise(&(struct ending){ exit_code, signal_number, false });
}

void
report_retreat(void)
{
	summarise(&(struct ending){ 0, 0, true });
}

void
report_forked(void)
{
	atomic_store(&report.done, 0);
}
