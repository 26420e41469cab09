/* SPDX-License-Identifier: MIT */
/*
 * carried: a statically linked program that says what it finds at its start,
 * which must be what it finds without Quire, and then becomes itself by all
 * the names that it has, and another by all the calls that start programs.
 */
#include <asm/prctl.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));
extern void _start(void);

#define MEMORY ((size_t)24 << 20) /* more than the budget leaves */

static char zeros[1 << 20]; /* memory that the file has nothing of */
static int data[4] = { 1, 2, 3, 4 };
static _Thread_local int per_thread = 5;
static int constructed;

__attribute__((constructor)) static void
construct(void)
{
	constructed = 6;
}

static long
raw_prctl(long what, uintptr_t value)
{
	long result;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(SYS_arch_prctl), "D"(what), "S"(value)
			 : "rcx", "r11", "memory");
	return result;
}

static void
say_memory(void)
{
	size_t dirty = 0;
	for (size_t i = 0; i < sizeof(zeros); i++)
		dirty += zeros[i] != 0;
	memset(zeros, 7, sizeof(zeros));
	printf("zeros that are none: %zu; data %d %d; %d %d\n", dirty, data[0],
	    data[3], per_thread, constructed);
}

static void
say_start(int argc, char **argv)
{
	const char *name = (const char *)getauxval(AT_EXECFN);
	const char *last = name != NULL ? strrchr(name, '/') : NULL;
	char comm[17] = "";
	unsigned ours = 0;
	for (char **at = environ; *at != NULL; at++)
		ours += strstr(*at, "quire") != NULL ||
			strstr(*at, "QUIRE") != NULL;
	prctl(PR_GET_NAME, comm);
	printf("%d words, the last %s; started as %s, named %s\n", argc,
	    argv[argc - 1], last != NULL ? last + 1 : "?", comm);
	printf("variables of others: %u; entry %d, headers %d, loader %d, "
	       "stack %d\n",
	    ours, getauxval(AT_ENTRY) == (uintptr_t)_start,
	    getauxval(AT_PHDR) ==
		(uintptr_t)&__ehdr_start + __ehdr_start.e_phoff,
	    getauxval(AT_BASE) != 0, ((uintptr_t)&argv[-1] & 15) == 0);
	printf("descriptors:");
	for (int fd = 0; fd < 64; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			printf(" %d", fd);
	}
	printf("\n");
}

/* Whether what is open there is this program's file. */
static bool
is_self(int fd)
{
	struct stat there, here;
	return fd >= 0 && fstat(fd, &there) == 0 &&
	       stat((const char *)getauxval(AT_EXECFN), &here) == 0 &&
	       there.st_ino == here.st_ino && there.st_dev == here.st_dev;
}

static void
say_file(void)
{
	char path[PATH_MAX] = "", real[PATH_MAX] = "", own[64];
	struct stat by_name, by_file;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	printf("a short link: %zd bytes\n", readlink("/proc/self/exe", own, 4));
	snprintf(own, sizeof(own), "/proc/%d/exe", getpid());
	int fd = open(own, O_RDONLY);
	int at = openat(AT_FDCWD, "/proc/thread-self/exe", O_RDONLY);
	printf("its link is its path: %d; opened: %d %d\n",
	    n > 0 &&
		realpath((const char *)getauxval(AT_EXECFN), real) != NULL &&
		strcmp(path, real) == 0,
	    is_self(fd), is_self(at));
	printf("looked at: %d %d, may be run: %d, of another: %d\n",
	    stat("/proc/self/exe", &by_name) == 0 && fstat(fd, &by_file) == 0 &&
		by_name.st_ino == by_file.st_ino,
	    lstat("/proc/self/exe", &by_name) == 0 && S_ISLNK(by_name.st_mode),
	    access("/proc/self/exe", X_OK),
	    readlink("/proc/self/exe/x", path, sizeof(path)) < 0 ? errno : 0);
	close(fd);
	close(at);
}

/* Pages that leave and come back while FS points nowhere. */
__attribute__((optimize("no-stack-protector"))) static size_t
count_without_tls(uint64_t *memory)
{
	const size_t words = MEMORY / sizeof(*memory);
	size_t wrong = 0;
	uintptr_t fs = 0;
	raw_prctl(ARCH_GET_FS, (uintptr_t)&fs);
	raw_prctl(ARCH_SET_FS, 16);
	for (size_t i = 0; i < words; i++)
		memory[i] = i % 512 < 384 ? i / 8 : i * UINT64_C(2654435761);
	for (size_t i = 0; i < words; i++)
		wrong += memory[i] !=
			 (i % 512 < 384 ? i / 8 : i * UINT64_C(2654435761));
	raw_prctl(ARCH_SET_FS, fs);
	return wrong;
}

static void
await(const char *what, pid_t child)
{
	int status = -1;
	waitpid(child, &status, 0);
	printf("%s: exit %d, signal %d\n", what, WEXITSTATUS(status),
	    WTERMSIG(status));
	fflush(stdout);
}

/* In a child, by fork or vfork. */
#define IN_CHILD(what, birth, call)                                            \
	do {                                                                   \
		pid_t child = birth();                                         \
		if (child == 0) {                                              \
			call;                                                  \
			_exit(errno);                                          \
		}                                                              \
		await(what, child);                                            \
	} while (0)

static void
start_others(char **argv)
{
	char *again[] = { argv[0], "end", "again", NULL };
	char *none[] = { "PATH=/bin:/usr/bin", NULL };
	char folder[] = "/tmp/quire-carried-XXXXXX";
	char plain[64] = "";
	pid_t child = -1;
	fflush(stdout);
	IN_CHILD("fork", fork, execv(argv[0], again));
	IN_CHILD("vfork", vfork, execv(argv[0], again));
	IN_CHILD("own link", fork, execv("/proc/self/exe", again));
	IN_CHILD("no variables", fork, execve(argv[0], again, none));
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC);
	IN_CHILD("descriptor", fork,
	    syscall(SYS_execveat, fd, "", again, environ, AT_EMPTY_PATH));
	if (posix_spawn(&child, argv[0], NULL, NULL, again, environ) == 0)
		await("spawn", child);
	/* The last one without the right, which is an error before it. */
	if (mkdtemp(folder) != NULL)
		snprintf(plain, sizeof(plain), "%s/copy", folder);
	int to = open(plain, O_WRONLY | O_CREAT, 0600);
	char bytes[4096];
	for (ssize_t n; (n = read(fd, bytes, sizeof(bytes))) > 0;) {
		if (write(to, bytes, (size_t)n) != n)
			break;
	}
	close(to);
	IN_CHILD("not executable", fork, execv(plain, again));
	chmod(plain, 0700);
	IN_CHILD("a copy", fork, execv(plain, again));
	unlink(plain);
	rmdir(folder);
	close(fd);
	IN_CHILD("dynamic", fork,
	    execl("/bin/sh", "sh", "-c", "\"$0\" end by a shell; exit 9",
		argv[0], (char *)NULL));
}

int
main(int argc, char **argv)
{
	say_start(argc, argv);
	if (argc > 1 && strcmp(argv[1], "end") == 0)
		return 41;
	say_memory();
	say_file();
	void *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory != MAP_FAILED)
		printf("wrong without TLS: %zu\n", count_without_tls(memory));
	start_others(argv);
	return 42;
}
