/* SPDX-License-Identifier: MIT */
/* cases_trees.c: servers that fork, daemons, many children, lost parents. */
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "case.h"

extern char **environ;

static bool
is_whole(const unsigned char *bytes, const unsigned char *copy, size_t size)
{
	return memcmp(bytes, copy, size) == 0;
}

/* A parent with much in memory, of which each child looks at all and changes
 * some. */
static void
fork_server(void)
{
	const size_t size = 2 * MIB;
	unsigned char *bytes = cell_fill(size, 1);
	unsigned char *copy = cell(size);
	unsigned good = 0;
	memcpy(copy, bytes, size);
	for (unsigned i = 0; i < 15; i++) {
		int status = -1;
		chill();
		pid_t pid = case_fork();
		if (pid == 0) {
			memset(copy + i * PAGE, 1, PAGE);
			copy[i * PAGE] = bytes[i * PAGE];
			chill();
			_exit(!is_whole(bytes + size / 2, copy + size / 2,
				  size / 2) ||
			      copy[i * PAGE + 5] != 1);
		}
		bytes[size - 1 - i]++;
		copy[size - 1 - i]++;
		waitpid(pid, &status, 0);
		good += status == 0;
	}
	say("%u %d\n", good, is_whole(bytes, copy, size));
}

/* Forks of a process that has no descriptor left. */
static int
without_descriptors(const unsigned char *bytes, const unsigned char *copy)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 200;
	setrlimit(RLIMIT_NOFILE, &limit);
	while (dup(1) >= 0)
		;
	for (int i = 0; i < 3; i++) {
		int status = -1;
		chill();
		pid_t pid = case_fork();
		if (pid == 0) {
			chill();
			_exit(!is_whole(bytes, copy, MIB) || dup(1) >= 0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			return 2 + i;
	}
	return is_whole(bytes, copy, MIB) ? 0 : 5;
}

static void
no_descriptors(void)
{
	unsigned char *bytes = cell_fill(MIB, 4);
	unsigned char *copy = cell(MIB);
	memcpy(copy, bytes, MIB);
	pid_t pid = case_fork();
	if (pid == 0)
		_exit(without_descriptors(bytes, copy));
	say_child("forks", pid);
}

/* Workers that wait on one socket. */
static void
preforked(void)
{
	enum { WORKERS = 5, REQUESTS = 40 };
	int pair[2], back[2];
	pid_t workers[WORKERS];
	unsigned char *bytes = cell_fill(REQUESTS * 500, 2);
	unsigned sum = 0;
	unsigned want = 0;
	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, back);
	for (unsigned w = 0; w < WORKERS; w++) {
		chill();
		workers[w] = case_fork();
		unsigned n = 0;
		while (workers[w] == 0) {
			if (recv(pair[1], &n, sizeof(n), 0) < 0 ||
			    n >= REQUESTS)
				_exit(n == REQUESTS ? 0 : 1);
			unsigned s = 0;
			for (unsigned i = 0; i < 500; i++)
				s += bytes[n * 500 + i];
			send(back[0], &s, sizeof(s), 0);
			chill();
		}
	}
	for (unsigned n = 0; n < REQUESTS; n++) {
		unsigned s = 0;
		send(pair[0], &n, sizeof(n), 0);
		recv(back[1], &s, sizeof(s), 0);
		sum += s;
		for (unsigned i = 0; i < 500; i++)
			want += bytes[n * 500 + i];
	}
	unsigned end = REQUESTS;
	for (unsigned w = 0; w < WORKERS; w++)
		send(pair[0], &end, sizeof(end), 0);
	for (unsigned w = 0; w < WORKERS; w++)
		say_child("worker", workers[w]);
	say("%d\n", sum == want);
	for (int i = 0; i < 2; i++) {
		close(pair[i]);
		close(back[i]);
	}
}

/* Two forks, a session, no descriptors, no rights; then it works. */
static void
daemons(void)
{
	int ends[2];
	char byte = 0;
	unsigned char *bytes = cell_fill(300000, 3);
	unsigned char *copy = cell(300000);
	memcpy(copy, bytes, 300000);
	pipe(ends);
	chill();
	pid_t pid = case_fork();
	if (pid == 0) {
		setsid();
		if (case_fork() != 0)
			_exit(0);
		int out = fcntl(ends[1], F_DUPFD, 300);
		close_range(0, 299, 0);
		close_range(301, ~0U, 0);
		umask(0);
		if (geteuid() == 0 && (setgroups(0, NULL) != 0 ||
					  setresgid(65534, 65534, 65534) != 0 ||
					  setresuid(65534, 65534, 65534) != 0))
			_exit(1);
		for (int i = 0; i < 5; i++)
			chill();
		byte = is_whole(bytes, copy, 300000) ? 'y' : 'n';
		write(out, &byte, 1);
		_exit(0);
	}
	say_child("first", pid);
	close(ends[1]);
	CALL(read(ends[0], &byte, 1));
	say("%c\n", byte);
	CALL(read(ends[0], &byte, 1));
	close(ends[0]);
}

static unsigned char *shared_bytes;
static _Atomic(bool) over;

static void *
toucher(void *arg)
{
	uintptr_t wrong = 0;
	(void)arg;
	while (!atomic_load(&over)) {
		for (size_t i = 0; i < 60; i++) {
			unsigned char *at = shared_bytes + i * PAGE;
			unsigned char got =
			    __atomic_fetch_add(at, 1, __ATOMIC_RELAXED);
			wrong += at[100] != (unsigned char)(i + 1);
			(void)got;
		}
		chill();
	}
	return (void *)wrong;
}

/* Forks while others touch memory that comes and goes. */
static void
forks_beside_threads(void)
{
	enum { THREADS = 3 };
	pthread_t threads[THREADS];
	unsigned good = 0;
	uintptr_t wrong = 0;
	shared_bytes = cell_pages(60 * PAGE);
	for (size_t i = 0; i < 60; i++)
		memset(shared_bytes + i * PAGE, (int)(i + 1), PAGE);
	atomic_store(&over, false);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, toucher, NULL);
	for (unsigned i = 0; i < 20; i++) {
		int status = -1;
		pid_t pid = case_fork();
		if (pid == 0) {
			unsigned bad = 0;
			for (size_t k = 0; k < 60; k++)
				bad += shared_bytes[k * PAGE + 100] != k + 1;
			chill();
			for (size_t k = 0; k < 60; k++)
				bad += shared_bytes[k * PAGE + 4000] != k + 1;
			_exit(bad != 0);
		}
		waitpid(pid, &status, 0);
		good += status == 0;
	}
	atomic_store(&over, true);
	for (unsigned i = 0; i < THREADS; i++) {
		void *result;
		pthread_join(threads[i], &result);
		wrong += (uintptr_t)result;
	}
	say("%u %lu\n", good, (unsigned long)wrong);
}

static void
many_children(void)
{
	char *path = cell_text("/bin/true");
	char **argv = cell(2 * sizeof(*argv));
	unsigned good = 0;
	argv[0] = path;
	for (unsigned i = 0; i < 60; i++) {
		pid_t pid = -1;
		int status = -1;
		if (i % 10 == 0)
			chill();
		if (i % 3 == 0)
			posix_spawn(&pid, path, NULL, NULL, argv, environ);
		else
			pid = i % 3 == 1 ? case_fork() : vfork();
		if (pid == 0) {
			execv(path, argv);
			_exit(1);
		}
		waitpid(pid, &status, 0);
		good += status == 0;
	}
	say("%u\n", good);
}

/* Each generation adds its own to what it has from the one before. */
static int
generation(unsigned char *pages, unsigned depth)
{
	memset(pages + depth * PAGE, (int)(depth + 1), PAGE);
	chill();
	if (depth == 7) {
		for (unsigned i = 0; i < 8; i++) {
			if (pages[i * PAGE + 77] != i + 1)
				return 1;
		}
		return 42;
	}
	pid_t pid = case_fork();
	if (pid == 0)
		_exit(generation(pages, depth + 1));
	int status;
	waitpid(pid, &status, 0);
	/* What the child has changed is its own. */
	if (pages[(depth + 1) * PAGE + 77] != 0)
		return 2;
	return WEXITSTATUS(status);
}

static void
generations(void)
{
	unsigned char *pages = cell_pages(8 * PAGE);
	say("%d\n", generation(pages, 0));
}

/* Whose parent is gone goes on. */
static void
orphans(void)
{
	int ends[2];
	char byte = 0;
	unsigned char *bytes = cell_fill(100000, 4);
	unsigned char *copy = cell(100000);
	memcpy(copy, bytes, 100000);
	pipe(ends);
	chill();
	pid_t pid = case_fork();
	if (pid == 0) {
		pid_t parent = getpid();
		if (case_fork() != 0)
			_exit(0);
		while (getppid() == parent)
			sched_yield();
		chill();
		byte = is_whole(bytes, copy, 100000) ? 'y' : 'n';
		write(ends[1], &byte, 1);
		_exit(0);
	}
	say_child("parent", pid);
	close(ends[1]);
	CALL(read(ends[0], &byte, 1));
	say("%c\n", byte);
	close(ends[0]);
}

/* Killed at any instant; what the others have stays whole. */
static void
killed(void)
{
	unsigned char *bytes = cell_fill(500000, 5);
	unsigned char *copy = cell(500000);
	memcpy(copy, bytes, 500000);
	for (unsigned i = 0; i < 20; i++) {
		pid_t pid = case_fork();
		if (pid == 0) {
			for (;;) {
				memset(copy, (int)i, 500000);
				chill();
			}
		}
		usleep(200 * i);
		case_kill(pid, SIGKILL);
		int status = 0;
		waitpid(pid, &status, 0);
		if (WTERMSIG(status) != SIGKILL)
			say("ended by %x\n", (unsigned)status);
	}
	chill();
	say("%d\n", is_whole(bytes, copy, 500000));
}

/* Stopped and continued where it stands. */
static void
stopped(void)
{
	unsigned char *bytes = cell_fill(200000, 6);
	unsigned char *copy = cell(200000);
	pid_t pid = case_fork();
	if (pid == 0) {
		for (int i = 0; i < 60; i++) {
			memcpy(copy, bytes, 200000);
			chill();
			if (!is_whole(bytes, copy, 200000))
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 10; i++) {
		int status = 0;
		case_kill(pid, SIGSTOP);
		if (waitpid(pid, &status, WUNTRACED) != pid ||
		    !WIFSTOPPED(status)) {
			say("child: exit %d\n", WEXITSTATUS(status));
			return;
		}
		usleep(300);
		case_kill(pid, SIGCONT);
		usleep(300);
	}
	say_child("child", pid);
}

static void
groups_of_processes(void)
{
	siginfo_t *info = cell(sizeof(*info));
	pid_t pids[3];
	for (int i = 0; i < 3; i++) {
		pids[i] = case_fork();
		if (pids[i] == 0) {
			for (;;)
				pause();
		}
		setpgid(pids[i], pids[0]);
	}
	CALL(case_kill(-pids[0], SIGTERM));
	for (int i = 0; i < 3; i++) {
		memset(info, 0, sizeof(*info));
		CALL(waitid(P_PGID, (id_t)pids[0], info, WEXITED));
		say("%d %d\n", info->si_status, info->si_code);
	}
	CALL(waitid(P_PGID, (id_t)pids[0], info, WEXITED));
}

/* Programs that start programs, with and without their environment. */
static void
chains(void)
{
	CALL(system(cell_text("exec sh -c 'exec sh -c \"exit 5\"'")) >> 8);
	CALL(system(cell_text("env -i /bin/sh -c '/bin/sh -c \"exit 6\"'")) >>
	     8);
	CALL(system(cell_text("test -z \"$LD_PRELOAD$QUIRE_RUN\"")) >> 8);
	CALL(system(cell_text("LD_PRELOAD= sh -c 'exit 7'")) >> 8);
	CALL(system(cell_text("(sh -c 'exit 8') & wait $!")) >> 8);
}

/* As many descriptors as the limit says. */
static void
few_descriptors(void)
{
	struct rlimit old;
	struct rlimit low;
	int fds[64];
	unsigned count = 0;
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = 40;
	for (int fd = 20; fd < 60; fd++)
		close(fd);
	CALL(setrlimit(RLIMIT_NOFILE, &low));
	while (count < 64) {
		fds[count] = open("/dev/null", O_RDONLY);
		if (fds[count] < 0)
			break;
		count++;
	}
	say("%d %d\n", errno == EMFILE, count > 20 && count < 40);
	while (count != 0)
		close(fds[--count]);
	CALL(setrlimit(RLIMIT_NOFILE, &old));
}

static int
cloned_run(void *arg)
{
	unsigned char *bytes = arg;
	chill();
	return bytes[100] == 9 ? 11 : 1;
}

/* clone by hand, with a stack that is out. */
static void
raw_clones(void)
{
	unsigned char *stack = cell_pages(64 * KIB);
	unsigned char *bytes = cell_pages(PAGE);
	memset(bytes, 9, PAGE);
	static const int flags[] = { SIGCHLD, CLONE_FS | SIGCHLD,
		CLONE_VM | CLONE_VFORK | SIGCHLD,
		CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD,
		CLONE_PARENT_SETTID | SIGCHLD };
	for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		pid_t *tid = cell(sizeof(*tid));
		chill();
		pid_t pid =
		    clone(cloned_run, stack + 64 * KIB, flags[i], bytes, tid);
		say_child("clone", pid);
	}
}

static void
vfork_from_threads_stack(void)
{
	char *path = cell_text("/bin/sh");
	char **argv = cell(4 * sizeof(*argv));
	argv[0] = path;
	argv[1] = cell_text("-c");
	argv[2] = cell_text("exit 13");
	for (int i = 0; i < 5; i++) {
		chill();
		pid_t pid = vfork();
		if (pid == 0) {
			execv(path, argv);
			_exit(1);
		}
		say_child("vfork", pid);
	}
}

static const struct test_case cases[] = {
	{ "fork_server", fork_server, 0 },
	{ "no_descriptors", no_descriptors, 0 },
	{ "preforked", preforked, 0 },
	{ "daemons", daemons, CASE_ALONE },
	{ "forks_beside_threads", forks_beside_threads, CASE_HELD },
	{ "many_children", many_children, 0 },
	{ "generations", generations, 0 },
	{ "orphans", orphans, 0 },
	{ "killed", killed, 0 },
	{ "stopped", stopped, 0 },
	{ "groups_of_processes", groups_of_processes, 0 },
	{ "chains", chains, 0 },
	{ "few_descriptors", few_descriptors, 0 },
	{ "raw_clones", raw_clones, CASE_HELD },
	{ "vfork_from_threads_stack", vfork_from_threads_stack, 0 },
	{ 0 },
};

const struct test_group trees_group = { "trees", cases, "128M" };
