/* SPDX-License-Identifier: MIT */
/*
 * exec.c: what passes from one image of a process to the next, and the end.
 *
 * LD_PRELOAD and QUIRE_RUN are hidden from the program, which finds in its
 * environment what it would find without Quire, and are put back by the gate
 * at every exec of an image that can take them. The ledger's descriptor alone
 * survives the exec; its number is in QUIRE_RUN. A vfork child runs in its
 * parent's memory: it changes its own descriptors here and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_image.h"
#include "files.h"
#include "helper.h"
#include "ledger.h"
#include "linux.h"
#include "pager.h"
#include "print.h"
#include "report.h"
#include "sys.h"

#define LIBRARY_NAME "libquire-run.so"

/* As the kernel has it: bytes of a script's first line, scripts that are each
 * other's interpreters. */
#define TARGET_LINE_MAX    256u
#define TARGET_SCRIPTS_MAX 5u

static struct {
	char preload[QR_LINUX_PATH_MAX]; /* "LD_PRELOAD=" and our path */
	char run[QR_LINUX_CONFIG_TEXT_MAX + sizeof("QUIRE_RUN=")];
	const char *strings[3];
	char carrier[QR_LINUX_PATH_MAX]; /* beside our library */
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

/* The carrier lies where the library does. */
static void
compose_carrier(void)
{
	const char *library = environment.preload + sizeof("LD_PRELOAD");
	size_t directory = text_length(library);
	struct print print;
	while (directory != 0 && library[directory - 1] != '/')
		directory--;
	print_init(&print, environment.carrier, sizeof(environment.carrier));
	for (size_t i = 0; i < directory; i++)
		print_char(&print, library[i]);
	print_text(&print, QR_LINUX_CARRIER);
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
	compose_carrier();
}

/* --- who is given it --- */

static bool
copy_from_target(void *ctx, uint64_t offset, void *to, size_t size_bytes)
{
	const int *fd = ctx;
	return qr_sys4(SYS_pread64, *fd, to, size_bytes, (long)offset) ==
	       (long)size_bytes;
}

static int
target_open(long directory, const char *path, long flags)
{
	const long how = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	if ((flags & AT_EMPTY_PATH) != 0 && path[0] == '\0')
		return (int)qr_sys3(SYS_fcntl, directory, (long)F_DUPFD_CLOEXEC,
		    3L);
	return (int)qr_sys4(SYS_openat, directory, path, how, 0L);
}

/* Reads the interpreter's path out of a script's first line. False: it is no
 * script. */
static bool
target_interpreter(int fd, char *path)
{
	char line[TARGET_LINE_MAX];
	size_t used = 0;
	long n = qr_sys4(SYS_pread64, fd, line, sizeof(line) - 1, 0L);
	line[n > 0 ? n : 0] = '\0';
	if (line[0] != '#' || line[1] != '!')
		return false;
	const char *at = line + 2;
	while (*at == ' ' || *at == '\t')
		at++;
	while (*at != '\0' && *at != ' ' && *at != '\t' && *at != '\n')
		path[used++] = *at++;
	path[used] = '\0';
	return used != 0;
}

/* Whether the kernel would start the file with no more rights than ours, and
 * the carrier can be had. */
static bool
target_can_be_carried(int fd)
{
	struct stat status;
	char capabilities[64];
	return qr_sys2(SYS_fstat, fd, &status) == 0 &&
	       S_ISREG(status.st_mode) &&
	       (status.st_mode & (S_ISUID | S_ISGID)) == 0 &&
	       qr_sys4(SYS_fgetxattr, fd, "security.capability", capabilities,
		   sizeof(capabilities)) <= 0 &&
	       qr_sys4(SYS_faccessat2, fd, "", (long)X_OK,
		   (long)(AT_EMPTY_PATH | AT_EACCESS)) == 0 &&
	       qr_sys3(SYS_faccessat, (long)AT_FDCWD, environment.carrier,
		   (long)X_OK) == 0;
}

/* How to start that image. The library would do harm where musl's loader
 * stops at it, another machine's complains of it, or a sanitizer wants to be
 * first. In a static one that can't be carried it does nothing, and its
 * children get it. */
static enum pager_exec
target_way(int fd, bool by_script)
{
	const struct elf_source source = { copy_from_target, &fd };
	struct elf_image image;
	elf_image_read(&source, &image);
	switch (image.kind) {
	case ELF_FOREIGN:
		return PAGER_EXEC_BARE;
	case ELF_DYNAMIC:
		return image.sanitizer == NULL && elf_image_is_glibc(&image)
			   ? PAGER_EXEC_PRELOAD
			   : PAGER_EXEC_BARE;
	case ELF_STATIC:
		/* A script's words are the kernel's to make. */
		return !by_script && target_can_be_carried(fd)
			   ? PAGER_EXEC_CARRIED
			   : PAGER_EXEC_PRELOAD;
	case ELF_NOT:
	case ELF_BROKEN:
	default:
		return PAGER_EXEC_PRELOAD;
	}
}

enum pager_exec
pager_exec_way(long directory, const char *path, long flags, int *image)
{
	bool by_script = false;
	char interpreter[TARGET_LINE_MAX];
	const char *library = environment.preload + sizeof("LD_PRELOAD");
	if (qr_linux.space == NULL)
		return PAGER_EXEC_PRELOAD;
	/* After a change of the root it may be out of reach. */
	if (qr_sys3(SYS_faccessat, (long)AT_FDCWD, library, (long)R_OK) != 0)
		return PAGER_EXEC_BARE;
	int fd = target_open(directory, path, flags);
	for (unsigned i = 0; i < TARGET_SCRIPTS_MAX && fd >= 0 &&
			     target_interpreter(fd, interpreter);
	     i++) {
		qr_sys1(SYS_close, fd);
		fd = target_open((long)AT_FDCWD, interpreter, 0);
		by_script = true;
	}
	/* What can't be read or is no script the kernel will refuse, or may
	 * well run. */
	if (fd < 0)
		return PAGER_EXEC_PRELOAD;
	enum pager_exec way = target_way(fd, by_script);
	if (way == PAGER_EXEC_CARRIED)
		*image = fd;
	else
		qr_sys1(SYS_close, fd);
	return way;
}

const char *
pager_carrier(void)
{
	return environment.carrier;
}

const char *const *
pager_environment(void)
{
	return environment.strings;
}

/* --- exec, exit --- */

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

/* Whether the kernel will write a core: what it does not find in memory it
 * takes for zeros. */
static void
dump_prepare(struct qr_thread *thread, int signal_number)
{
	const uint64_t dumped = (uint64_t)1 << SIGQUIT | (uint64_t)1 << SIGILL |
				(uint64_t)1 << SIGTRAP |
				(uint64_t)1 << SIGABRT | (uint64_t)1 << SIGFPE |
				(uint64_t)1 << SIGSEGV | (uint64_t)1 << SIGBUS |
				(uint64_t)1 << SIGSYS | (uint64_t)1 << SIGXCPU |
				(uint64_t)1 << SIGXFSZ;
	struct rlimit limit = { 0, 0 };
	qr_sys4(SYS_prlimit64, 0L, (long)RLIMIT_CORE, NULL, &limit);
	if ((dumped >> signal_number & 1) == 0 || limit.rlim_cur == 0 ||
	    qr_sys1(SYS_prctl, (long)PR_GET_DUMPABLE) == 0)
		return;
	mapping_bring_home(thread);
}

void
pager_killed(struct qr_thread *thread, int signal_number)
{
	if (qr_linux.space == NULL || thread->guest)
		return;
	dump_prepare(thread, signal_number);
	report_summary(0, signal_number);
}
