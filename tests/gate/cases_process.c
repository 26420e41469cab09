/* SPDX-License-Identifier: MIT */
/*
 * cases_process.c: fork, vfork, spawn, exec, descriptors, odd call sites.
 */
#define _GNU_SOURCE
#include "case.h"

#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;

static void
ignore(int signal)
{
	(void)signal;
}

static int
exit_of(pid_t pid)
{
	int status = -1;
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

static int
fork_simple(void)
{
	for (int i = 0; i < 50; i++) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(i);
		if (exit_of(pid) != i)
			return 1;
	}
	pid_t pid = fork();
	if (pid == 0) {
		pid_t inner = fork();
		if (inner == 0)
			_exit(3);
		_exit(exit_of(inner) + 1);
	}
	printf("nested %d\n", exit_of(pid));
	pid = (pid_t)syscall(SYS_fork);
	if (pid == 0)
		_exit(4);
	printf("raw %d\n", exit_of(pid));
	return 0;
}

static int
vfork_exec(void)
{
	for (volatile int i = 0; i < 20; i++) {
		pid_t pid = vfork();
		if (pid == 0) {
			execl("/bin/sh", "sh", "-c", "exit 6", (char *)NULL);
			_exit(99);
		}
		if (exit_of(pid) != 6)
			return 1;
	}
	pid_t pid = vfork();
	if (pid == 0) {
		execl("/no/such/file", "x", (char *)NULL);
		_exit(errno);
	}
	printf("missing: %d\n", exit_of(pid));
	pid = vfork();
	if (pid == 0)
		_exit(8);
	printf("exit: %d\n", exit_of(pid));
	pid = vfork();
	if (pid == 0) {
		kill(getpid(), SIGKILL);
		_exit(8);
	}
	printf("killed: %d\n", exit_of(pid));
	return 0;
}

/* What a new image finds; run by the two cases below. */
static int
inherited(void)
{
	printf("mask %lx, ignored", (long)mask_now());
	for (int i = 1; i < 65; i++) {
		struct sigaction action;
		if (sigaction(i, NULL, &action) == 0 &&
		    action.sa_handler == SIG_IGN)
			printf(" %d", i);
	}
	printf("\n");
	return 4;
}

static int
spawn(void)
{
	char *const argv[] = { "cases", "inherited", NULL };
	pid_t pid = -1;
	posix_spawnattr_t attr;
	sigset_t set;
	handle(SIGUSR2, SIG_IGN, 0, 0);
	handle(SIGUSR1, ignore, 0, 0);
	handle(SIGSEGV, SIG_IGN, 0, 0);
	posix_spawnattr_init(&attr);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGSYS);
	posix_spawnattr_setsigmask(&attr, &set);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	for (int i = 0; i < 3; i++) {
		show("spawn", posix_spawn(&pid, "/proc/self/exe", NULL, &attr,
				  argv, environ));
		printf("exit %d\n", exit_of(pid));
		fflush(stdout);
	}
	handle(SIGSEGV, SIG_DFL, 0, 0);
	show("missing",
	    posix_spawn(&pid, "/no/such", NULL, NULL, argv, environ));
	printf("%d\n", system("exit 5") >> 8);
	return 0;
}

static int
inherit(void)
{
	sigset_t set;
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	handle(SIGBUS, SIG_IGN, 0, 0);
	handle(SIGHUP, SIG_IGN, 0, 0);
	handle(SIGUSR1, ignore, 0, 0);
	show("missing", execl("/no/such/file", "x", (char *)NULL));
	fflush(stdout);
	execl("/proc/self/exe", "cases", "inherited", (char *)NULL);
	return 1;
}

static int
exec_environment(void)
{
	char *const argv[] = { "sh", "-c", "echo $FOO; echo $0; exit 3", NULL };
	char *const empty[] = { NULL };
	char *const some[] = { "FOO=bar", "LD_PRELOAD=", NULL };
	char *const *const list[] = { empty, NULL, some };
	for (int i = 0; i < 3; i++) {
		fflush(stdout);
		pid_t pid = fork();
		if (pid == 0) {
			execve("/bin/sh", argv, list[i]);
			_exit(99);
		}
		printf("%d\n", exit_of(pid));
	}
	return 0;
}

static int
exec_limits(void)
{
	char *text = malloc(200000);
	char *argv[] = { "true", text, NULL };
	memset(text, 'x', 199999);
	text[199999] = 0;
	show("long argument", execve("/bin/true", argv, environ));
	memset(text, 'x', 5000);
	text[5000] = 0;
	show("long path", execve(text, argv, environ));
	show("bad argv", execve("/bin/true", nowhere, environ));
	argv[1] = nowhere;
	show("bad string", execve("/bin/true", argv, environ));
	show("bad path", execve(nowhere, argv, environ));
	argv[1] = NULL;
	show("directory", execve("/", argv, environ));
	size_t count = 100000;
	char **many = malloc((count + 1) * sizeof(*many));
	for (size_t i = 0; i < count; i++)
		many[i] = "a";
	many[count] = NULL;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		execve("/bin/true", many, environ);
		_exit(errno);
	}
	printf("many %d\n", exit_of(pid));
	return 0;
}

static int
close_all(void)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	fflush(stdout);
	for (int fd = 3; fd < 2000; fd++)
		close(fd);
	show("close_range", close_range(3, UINT_MAX, 0));
	show("close_range, bad", close_range(9, 3, 0));
	closefrom(3);
	show("open", open("/dev/null", O_RDONLY));
	show("dup2", dup2(3, 1000));
	show("dup", dup(3));
	show("dupfd", fcntl(3, F_DUPFD, 100));
	show("close", close(1000));
	show("close again", close(1000));
	pid_t pid = fork();
	if (pid == 0)
		_exit(7);
	printf("%d\n", exit_of(pid));
	return 0;
}

/* A system call instruction in code of the program's own making. */
static int
own_code(void)
{
	static const unsigned char code[] = { 0x89, 0xf8, /* mov %edi,%eax */
		0x0f, 0x05, 0xc3 };                       /* syscall; ret */
	for (int i = 0; i < 3; i++) {
		unsigned char *page =
		    mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		long (*call)(int);
		memcpy(page, code, sizeof(code));
		memcpy(&call, &page, sizeof(call));
		printf("%d\n", call(SYS_getpid) == getpid());
		munmap(page, 4096);
	}
	return 0;
}

/* More places that make calls than there are stubs. */
static int
many_sites(void)
{
	static const unsigned char code[] = { 0x89, 0xf8, 0x0f, 0x05, 0xc3 };
	const size_t count = 6000;
	unsigned char *page =
	    mmap(NULL, count * 16, PROT_READ | PROT_WRITE | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long right = 0;
	for (size_t i = 0; i < count; i++) {
		long (*call)(int);
		unsigned char *at = page + i * 16;
		memcpy(at, code, sizeof(code));
		memcpy(&call, &at, sizeof(call));
		right += call(SYS_getpid) == getpid();
	}
	printf("%ld\n", right);
	return 0;
}

/*
 * Makes a call with known values in all registers, and stores what they hold
 * behind it: rdi, rsi, rdx, r10, r8, r9, rbx, r12 to r15.
 */
long call_and_record(long number, const void *fourth, uint64_t out[11]);

__asm__("call_and_record:\n\t"
	"push %rbx\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\t"
	"push %r15\n\tpush %rdx\n\t"
	"mov %rdi, %rax\n\tmov %rsi, %r10\n\t"
	"xor %edi, %edi\n\txor %esi, %esi\n\tmov $1, %edx\n\t"
	"mov $8, %r8\n\tmov $9, %r9\n\tmov $10, %rbx\n\t"
	"mov $12, %r12\n\tmov $13, %r13\n\tmov $14, %r14\n\t"
	"mov $15, %r15\n\tstc\n\t"
	"syscall\n\t"
	"pop %rcx\n\t"
	"mov %rdi, 0(%rcx)\n\tmov %rsi, 8(%rcx)\n\t"
	"mov %rdx, 16(%rcx)\n\tmov %r10, 24(%rcx)\n\t"
	"mov %r8, 32(%rcx)\n\tmov %r9, 40(%rcx)\n\t"
	"mov %rbx, 48(%rcx)\n\tmov %r12, 56(%rcx)\n\t"
	"mov %r13, 64(%rcx)\n\tmov %r14, 72(%rcx)\n\t"
	"mov %r15, 80(%rcx)\n\t"
	"pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbx\n\t"
	"ret\n");

/* All registers but rax, rcx and r11 survive a call. */
static int
registers_kept(void)
{
	static const long numbers[] = { SYS_getpid, SYS_sched_yield,
		SYS_rt_sigprocmask, SYS_ppoll, SYS_epoll_pwait, 9999, -5 };
	static const uint64_t mask = 0;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint64_t out[11];
		const void *fourth =
		    numbers[i] == SYS_ppoll ? &mask : (const void *)8;
		long result = call_and_record(numbers[i], fourth, out);
		printf("%ld: %d %d", numbers[i],
		    numbers[i] == SYS_getpid ? 0 : (int)result,
		    out[3] == (uintptr_t)fourth);
		out[3] = 0;
		for (int j = 0; j < 11; j++)
			printf(" %lx", (long)out[j]);
		printf("\n");
	}
	return 0;
}

static int
refused(void)
{
	show("own dispatch",
	    prctl(59 /* PR_SET_SYSCALL_USER_DISPATCH */, 7, 0, 0, 8));
	show("no such call", syscall(700));
	show("no such call", syscall(-1));
	return 0;
}

/* The parent is asleep in vfork while the child is signalled. */
static int
vfork_signal(void)
{
	handle(SIGALRM, ignore, 0, 0);
	for (int i = 0; i < 5; i++) {
		alarm(1);
		pid_t pid = vfork();
		if (pid == 0) {
			signal(SIGUSR1, SIG_IGN);
			raise(SIGUSR1);
			_exit(2);
		}
		alarm(0);
		printf("%d\n", exit_of(pid));
	}
	struct sigaction old;
	sigaction(SIGUSR1, NULL, &old);
	printf("the parent's own: %d\n", old.sa_handler == SIG_DFL);
	return 0;
}

const struct test_case process_cases[] = {
	{ "fork_simple", fork_simple },
	{ "vfork_exec", vfork_exec },
	{ "spawn", spawn },
	{ "inherited", inherited },
	{ "inherit", inherit },
	{ "exec_environment", exec_environment },
	{ "exec_limits", exec_limits },
	{ "close_all", close_all },
	{ "own_code", own_code },
	{ "many_sites", many_sites },
	{ "registers_kept", registers_kept },
	{ "refused", refused },
	{ "vfork_signal", vfork_signal },
	{ 0 },
};
