/* SPDX-License-Identifier: MIT */
/* cases_process.c: processes, what is asked of them and of the machine. */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "case.h"

extern char **environ;

static pid_t
ending(int status)
{
	pid_t pid = case_fork();
	if (pid == 0)
		_exit(status);
	return pid;
}

static void
waited(void)
{
	int *status = cell(sizeof(*status));
	struct rusage *usage = cell(sizeof(*usage));
	pid_t pid = ending(37);
	CALL(wait4(pid, status, 0, usage) == pid);
	say("%d %d\n", WEXITSTATUS(*status), usage->ru_maxrss > 0);
	CALL(wait4(pid, status, 0, usage));
	pid = case_fork();
	if (pid == 0) {
		raise(SIGKILL);
		_exit(1);
	}
	CALL(waitpid(pid, status, 0) == pid);
	say("%d\n", WTERMSIG(*status));
	CALL(waitpid(-1, status, WNOHANG));
}

static void
waited_by_id(void)
{
	siginfo_t *info = cell(sizeof(*info));
	struct rusage *usage = cell(sizeof(*usage));
	pid_t pid = ending(5);
	CALL(waitid(P_PID, (id_t)pid, info, WEXITED | WNOWAIT));
	say("%d %d %d\n", info->si_pid == pid, info->si_status, info->si_code);
	memset(info, 0, sizeof(*info));
	CALL(syscall(SYS_waitid, P_ALL, 0, info, WEXITED, usage));
	say("%d %d %d\n", info->si_pid == pid, info->si_status,
	    usage->ru_maxrss > 0);
	CALL(waitid(P_ALL, 0, info, WEXITED));
}

static void
stopped(void)
{
	int *status = cell(sizeof(*status));
	pid_t pid = case_fork();
	if (pid == 0) {
		for (;;)
			pause();
	}
	case_kill(pid, SIGSTOP);
	CALL(waitpid(pid, status, WUNTRACED) == pid);
	say("%d %d\n", WIFSTOPPED(*status), WSTOPSIG(*status));
	case_kill(pid, SIGCONT);
	CALL(waitpid(pid, status, WCONTINUED) == pid);
	say("%d\n", WIFCONTINUED(*status));
	case_kill(pid, SIGTERM);
	CALL(waitpid(pid, status, 0) == pid);
	say("%d\n", WTERMSIG(*status));
}

static void
limits(void)
{
	struct rlimit *limit = cell(sizeof(*limit));
	struct rlimit *old = cell(sizeof(*old));
	CALL(getrlimit(RLIMIT_CORE, old));
	limit->rlim_cur = 0;
	limit->rlim_max = old->rlim_max;
	CALL(prlimit(0, RLIMIT_CORE, limit, old));
	limit->rlim_cur = old->rlim_cur;
	CALL(syscall(SYS_prlimit64, 0, RLIMIT_CORE, limit, old));
	say("%ld\n", (long)old->rlim_cur);
	CALL(setrlimit(RLIMIT_CORE, limit));
	CALL(getrlimit(12345, old));
}

static void
usages(void)
{
	struct rusage *usage = cell(sizeof(*usage));
	struct tms *ticks = cell(sizeof(*ticks));
	struct sysinfo *info = cell(sizeof(*info));
	struct utsname *name = cell(sizeof(*name));
	unsigned *cpu = cell(sizeof(*cpu));
	unsigned *node = cell(sizeof(*node));
	CALL(getrusage(RUSAGE_SELF, usage));
	say("%d\n", usage->ru_maxrss > 0);
	CALL(getrusage(RUSAGE_CHILDREN, usage));
	CALL(getrusage(RUSAGE_THREAD, usage));
	CALL_SOME(times(ticks));
	CALL(sysinfo(info));
	say("%d\n", info->totalram > 0);
	CALL(uname(name));
	say("%s %s\n", name->sysname, name->machine);
	CALL(syscall(SYS_getcpu, cpu, node, NULL));
	say("%d %u\n", *cpu < 4096, *node);
}

static void
users(void)
{
	uid_t *ids = cell(3 * sizeof(*ids));
	gid_t *groups = cell(1000 * sizeof(*groups));
	struct __user_cap_header_struct *head = cell(sizeof(*head));
	struct __user_cap_data_struct *data = cell(2 * sizeof(*data));
	CALL(getresuid(&ids[0], &ids[1], &ids[2]));
	say("%d\n", ids[0] == getuid() && ids[2] == geteuid());
	CALL(getresgid(&ids[0], &ids[1], &ids[2]));
	CALL(getgroups(1000, groups));
	CALL(getgroups(0, NULL));
	head->version = _LINUX_CAPABILITY_VERSION_3;
	CALL(syscall(SYS_capget, head, data));
	say_bytes("data", data, 2 * sizeof(*data));
	CALL(syscall(SYS_capset, head, data));
	head->version = 1;
	CALL(syscall(SYS_capget, head, NULL));
	say("%x\n", head->version);
}

static void
scheduling(void)
{
	cpu_set_t *set = cell(sizeof(*set));
	struct sched_param *param = cell(sizeof(*param));
	uint32_t *attr = cell(48); /* struct sched_attr */
	struct timespec *slice = cell(sizeof(*slice));
	CALL(sched_getaffinity(0, sizeof(*set), set));
	say("%d\n", CPU_COUNT(set) > 0);
	CALL(sched_setaffinity(0, sizeof(*set), set));
	CALL(sched_getaffinity(0, 1, set));
	CALL(sched_getparam(0, param));
	CALL(sched_setscheduler(0, SCHED_OTHER, param));
	CALL(syscall(SYS_sched_getattr, 0, attr, 48, 0));
	say("%u\n", attr[0]);
	CALL(syscall(SYS_sched_setattr, 0, attr, 0));
	CALL(sched_rr_get_interval(0, slice));
}

static void
named(void)
{
	char *name = cell_text("a name");
	char *back = cell(16);
	int *number = cell(sizeof(*number));
	CALL(prctl(PR_SET_NAME, name));
	CALL(prctl(PR_GET_NAME, back));
	say("%s\n", back);
	CALL(prctl(PR_SET_PDEATHSIG, 0));
	CALL(prctl(PR_GET_PDEATHSIG, number));
	say("%d\n", *number);
	CALL(prctl(PR_GET_CHILD_SUBREAPER, number));
	CALL(prctl(PR_SET_NAME, cell_text("transparency")));
	int fd = open("/proc/self/comm", O_RDWR);
	CALL(read(fd, back, 16));
	say("%.12s\n", back);
	close(fd);
}

/* All that an exec is given lies in cold memory. */
static char **
strings(unsigned count, const char *const *texts)
{
	char **list = cell((count + 1) * sizeof(*list));
	for (unsigned i = 0; i < count; i++)
		list[i] = cell_text(texts[i]);
	return list;
}

static char **
shell_words(const char *script)
{
	const char *const words[] = { "sh", "-c", script };
	return strings(3, words);
}

static void
executed(void)
{
	static const char *const variables[] = { "PATH=/usr/bin:/bin",
		"WHAT=a value", "EMPTY=" };
	char *path = cell_text("/bin/sh");
	char **argv =
	    shell_words("test \"$WHAT\" = 'a value' && exit 21; exit 1");
	char **envp = strings(3, variables);
	pid_t pid = case_fork();
	if (pid == 0) {
		chill();
		execve(path, argv, envp);
		_exit(2);
	}
	say_child("execve", pid);
	pid = case_fork();
	if (pid == 0) {
		chill();
		syscall(SYS_execveat, open(path, O_RDONLY | O_CLOEXEC), "",
		    argv, envp, AT_EMPTY_PATH);
		_exit(2);
	}
	say_child("execveat", pid);
	pid = vfork();
	if (pid == 0) {
		execve(path, argv, envp);
		_exit(2);
	}
	say_child("vfork", pid);
	CALL(execve(cell_text("/nowhere"), argv, envp));
}

static void
executed_long(void)
{
	enum { COUNT = 2000 };
	char *path = cell_text("/bin/sh");
	char **argv = cell((COUNT + 5) * sizeof(*argv));
	char *word = cell(200);
	memset(word, 'w', 199);
	argv[0] = path;
	argv[1] = cell_text("-c");
	argv[2] = cell_text("exit $(($# == 2000 ? 7 : 1))");
	argv[3] = path;
	for (unsigned i = 0; i < COUNT; i++)
		argv[4 + i] = word;
	pid_t pid = case_fork();
	if (pid == 0) {
		chill();
		execve(path, argv, environ);
		_exit(2);
	}
	say_child("many words", pid);
}

static void
spawned(void)
{
	int ends[2];
	char *back = cell(20);
	pid_t *pid = cell(sizeof(*pid));
	posix_spawn_file_actions_t *actions = cell(sizeof(*actions));
	posix_spawnattr_t *attr = cell(sizeof(*attr));
	char *path = cell_text("/bin/sh");
	char **argv = shell_words("echo spawned; exit 6");
	pipe(ends);
	posix_spawn_file_actions_init(actions);
	posix_spawn_file_actions_adddup2(actions, ends[1], 1);
	posix_spawn_file_actions_addclose(actions, ends[0]);
	posix_spawnattr_init(attr);
	posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK);
	CALL(posix_spawn(pid, path, actions, attr, argv, environ));
	close(ends[1]);
	CALL(read(ends[0], back, 20));
	say("%s", back);
	say_child("child", *pid);
	close(ends[0]);
	CALL(
	    posix_spawn(pid, cell_text("/nowhere"), NULL, NULL, argv, environ));
	CALL(system(cell_text("exit 3")) >> 8);
	chill();
	FILE *stream = popen(cell_text("echo piped"), "r");
	CALL(fgets(back, 20, stream) == back);
	say("%s%d\n", back, pclose(stream));
}

static void
cloned(void)
{
	struct clone_args *args = cell(sizeof(*args));
	int *pidfd = cell(sizeof(*pidfd));
	pid_t *tids = cell(2 * sizeof(*tids));
	int *pid_cell = cell(sizeof(*pid_cell));
	*args =
	    (struct clone_args){ .flags = CLONE_PIDFD | CLONE_PARENT_SETTID |
					  CLONE_CHILD_SETTID,
		    .pidfd = (uintptr_t)pidfd,
		    .parent_tid = (uintptr_t)&tids[0],
		    .child_tid = (uintptr_t)&tids[1],
		    .exit_signal = SIGCHLD };
	chill();
	long pid = syscall(SYS_clone3, args, sizeof(*args));
	if (pid == 0)
		_exit(tids[1] == getpid() ? 4 : 1);
	say("%d\n", tids[0] == pid && tids[1] == 0 && *pidfd >= 0);
	close(*pidfd);
	say_child("clone3", (pid_t)pid);
	chill();
	pid =
	    syscall(SYS_clone, CLONE_CHILD_SETTID | SIGCHLD, 0, 0, pid_cell, 0);
	if (pid == 0)
		_exit(*pid_cell == getpid() ? 4 : 1);
	say_child("clone", (pid_t)pid);
	CALL(syscall(SYS_clone3, args, 8));
	CALL(syscall(SYS_clone3, place(8), 88));
}

/* What a child, and a child of that, reads and writes of cold memory. */
static void
forked(void)
{
	const size_t size = 300000;
	unsigned char *bytes = cell_fill(size, 1);
	unsigned char *copy = cell(size);
	memcpy(copy, bytes, size);
	chill();
	pid_t pid = case_fork();
	if (pid == 0) {
		if (memcmp(copy, bytes, size) != 0)
			_exit(1);
		memset(copy, 1, size / 2);
		chill();
		pid = case_fork();
		if (pid == 0) {
			chill();
			_exit(memcmp(copy + size / 2, bytes + size / 2,
				  size / 2) != 0 ||
			      copy[5] != 1);
		}
		int status;
		waitpid(pid, &status, 0);
		_exit(status != 0 || copy[size / 2 - 1] != 1);
	}
	memset(copy + size / 2, 2, 1000);
	say_child("child", pid);
	say("%d %d\n", memcmp(copy, bytes, size / 2),
	    copy[size / 2 + 999] == 2);
}

/* Another process's memory, cold there and here. */
static void
neighbours(void)
{
	unsigned char *from = cell_fill(100000, 2);
	unsigned char *to = cell(100000);
	struct iovec *local = cell(2 * sizeof(*local));
	struct iovec *remote = cell(2 * sizeof(*remote));
	local[0] = (struct iovec){ to, 60000 };
	local[1] = (struct iovec){ to + 60000, 40000 };
	remote[0] = (struct iovec){ from, 30000 };
	remote[1] = (struct iovec){ from + 30000, 70000 };
	CALL(process_vm_readv(getpid(), local, 2, remote, 2, 0));
	say("%d\n", memcmp(from, to, 100000));
	memset(to, 9, 100000);
	CALL(process_vm_writev(getpid(), local, 2, remote, 2, 0));
	say("%d\n", memcmp(from, to, 100000));
	remote[1].iov_base = place(8);
	CALL(process_vm_readv(getpid(), local, 2, remote, 2, 0));
	CALL(process_vm_readv(getpid(), local, 2000, remote, 2, 0));
}

/* One's own memory as a file. */
static void
own_memory_file(void)
{
	unsigned char *from = cell_fill(50000, 3);
	unsigned char *to = cell(50000);
	int fd = open("/proc/self/mem", O_RDWR);
	CALL(pread(fd, to, 50000, (off_t)(uintptr_t)from));
	say("%d\n", memcmp(from, to, 50000));
	from[7]++;
	CALL(pwrite(fd, from, 50000, (off_t)(uintptr_t)to));
	say("%d\n", memcmp(from, to, 50000));
	CALL(pread(fd, to, 100, 8));
	close(fd);
}

static void
own_pictures(void)
{
	char *text = cell(64 * KIB);
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t size = 0;
	ssize_t n;
	bool found = false;
	while (size < 64 * KIB &&
	       (n = read(fd, text + size, 64 * KIB - size)) > 0) {
		size += (size_t)n;
		chill();
	}
	char wanted[32];
	snprintf(wanted, sizeof(wanted), "%lx-",
	    (unsigned long)text / PAGE * PAGE);
	for (size_t i = 0; i + 20 < size; i++)
		found |= memcmp(text + i, "rw-p", 4) == 0;
	say("%d\n", found);
	close(fd);
	fd = open("/proc/self/cmdline", O_RDONLY);
	CALL_SOME(read(fd, text, 300));
	close(fd);
}

/* The next stop but for those by signals that Quire lives on, which a tracer
 * passes on like any. */
static int
stop_next(pid_t pid, int *status)
{
	for (;;) {
		chill();
		if (waitpid(pid, status, 0) != pid)
			return -1;
		if (!WIFSTOPPED(*status))
			return 0;
		if (WSTOPSIG(*status) != SIGSYS && WSTOPSIG(*status) != SIGBUS)
			return WSTOPSIG(*status);
		ptrace(PTRACE_CONT, pid, NULL, (long)WSTOPSIG(*status));
	}
}

/* Traced: stopped by signals, its memory and registers read and set. */
static void
traced(void)
{
	struct user_regs_struct *registers = cell(sizeof(*registers));
	siginfo_t *info = cell(sizeof(*info));
	int *status = cell(sizeof(*status));
	static volatile long word = 1234567;
	pid_t pid = case_fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGUSR1);
		_exit(word == 77 ? 8 : 1);
	}
	CALL(stop_next(pid, status) == SIGUSR1);
	CALL(ptrace(PTRACE_GETREGS, pid, NULL, registers));
	say("%d\n", registers->rip != 0);
	CALL(ptrace(PTRACE_GETSIGINFO, pid, NULL, info));
	say("%d\n", info->si_signo == SIGUSR1);
	CALL(ptrace(PTRACE_PEEKDATA, pid, &word, NULL));
	CALL(ptrace(PTRACE_POKEDATA, pid, &word, 77L));
	CALL(ptrace(PTRACE_CONT, pid, NULL, NULL));
	CALL(stop_next(pid, status));
	say("%d\n", WEXITSTATUS(*status));
}

static void
kernel_words(void)
{
	uintptr_t *head = cell(sizeof(*head));
	size_t *size = cell(sizeof(*size));
	uintptr_t *base = cell(sizeof(*base));
	CALL(syscall(SYS_get_robust_list, 0, head, size));
	say("%zu %d\n", *size, *head != 0);
	CALL(syscall(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, base));
	say("%d\n", *base == *(uintptr_t *)__builtin_thread_pointer());
	CALL(syscall(SYS_membarrier, 0, 0, 0) >= 0);
	CALL(syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 0));
	CALL(syscall(SYS_getrandom, head, 8, 0));
}

static const struct test_case cases[] = {
	{ "waited", waited, 0 },
	{ "waited_by_id", waited_by_id, 0 },
	{ "stopped", stopped, 0 },
	{ "limits", limits, 0 },
	{ "usages", usages, 0 },
	{ "users", users, 0 },
	{ "scheduling", scheduling, 0 },
	{ "named", named, CASE_ALONE },
	{ "executed", executed, 0 },
	{ "executed_long", executed_long, 0 },
	{ "spawned", spawned, 0 },
	{ "cloned", cloned, 0 },
	{ "forked", forked, 0 },
	{ "neighbours", neighbours, 0 },
	{ "own_memory_file", own_memory_file, 0 },
	{ "own_pictures", own_pictures, 0 },
	{ "traced", traced, 0 },
	{ "kernel_words", kernel_words, 0 },
	{ 0 },
};

const struct test_group process_group = { "process", cases, NULL };
