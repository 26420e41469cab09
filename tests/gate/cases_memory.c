/* SPDX-License-Identifier: MIT */
/*
 * cases_memory.c: arguments of every kind in memory that may be cold; bad
 * addresses.
 */
#define _GNU_SOURCE
#include "case.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#define MIB ((size_t)1 << 20)

static unsigned char *
area_new(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static uint64_t
hash(const unsigned char *data, size_t size)
{
	uint64_t h = 14695981039346656037u;
	for (size_t i = 0; i < size; i++)
		h = (h ^ data[i]) * 1099511628211u;
	return h;
}

static void
fill(unsigned char *data, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i++) {
		seed = seed * 1103515245 + 12345;
		data[i] = (unsigned char)(seed >> 16);
	}
}

static int
temporary(void)
{
	char name[] = "/tmp/gate-case-XXXXXX";
	int fd = mkstemp(name);
	unlink(name);
	return fd;
}

static int
file_transfer(void)
{
	unsigned char *from = area_new(4 * MIB);
	unsigned char *to = area_new(4 * MIB);
	int fd = temporary();
	fill(from, 4 * MIB, 1);
	show("write", write(fd, from, 4 * MIB));
	show("pread", pread(fd, to, 4 * MIB, 0));
	printf("%d\n", memcmp(from, to, 4 * MIB));
	memset(to, 0, 4 * MIB);
	lseek(fd, 0, SEEK_SET);
	show("read", read(fd, to, 3 * MIB));
	show("read, to the end", read(fd, to + 3 * MIB, 8 * MIB));
	printf("%d\n", memcmp(from, to, 4 * MIB));
	show("pwrite", pwrite(fd, from + 100, 2 * MIB, 777));
	show("pread", pread(fd, to, 4 * MIB, 0));
	printf("%lx\n", (long)hash(to, 4 * MIB));
	show("huge", read(fd, to, SIZE_MAX / 4));
	return 0;
}

static int
vectors(void)
{
	enum { COUNT = 600 };
	static struct iovec in[COUNT];
	static struct iovec out[COUNT];
	unsigned char *from = area_new(8 * MIB);
	unsigned char *to = area_new(8 * MIB);
	int fd = temporary();
	fill(from, 8 * MIB, 2);
	for (size_t i = 0; i < COUNT; i++) {
		out[i] = (struct iovec){ from + i * 13001, i * 17 % 9000 };
		in[i] = (struct iovec){ to + i * 13001, i * 23 % 9100 };
	}
	show("writev", writev(fd, out, COUNT));
	lseek(fd, 0, SEEK_SET);
	show("readv", readv(fd, in, COUNT));
	printf("%lx\n", (long)hash(to, 8 * MIB));
	show("preadv", preadv(fd, in, COUNT, 4321));
	show("pwritev", pwritev(fd, out + 5, 7, 99));
	show("preadv2", preadv2(fd, in, 300, -1, 0));
	printf("%lx\n", (long)hash(to, 8 * MIB));
	show("too many", syscall(SYS_readv, fd, in, 5000));
	show("bad vectors", readv(fd, nowhere, 2));
	in[3].iov_base = nowhere;
	lseek(fd, 0, SEEK_SET);
	show("bad vector", readv(fd, in, 10));
	show("bad vector first", readv(fd, in + 3, 1));
	return 0;
}

static int
pipes(void)
{
	int fds[2];
	unsigned char *from = area_new(2 * MIB);
	unsigned char *to = area_new(2 * MIB);
	fill(from, 2 * MIB, 3);
	show("pipe", pipe(fds));
	pid_t pid = fork();
	if (pid == 0) {
		close(fds[0]);
		long n = write(fds[1], from, 2 * MIB);
		_exit(n == (long)(2 * MIB) ? 0 : 1);
	}
	close(fds[1]);
	size_t got = 0;
	long n;
	while ((n = read(fds[0], to + got, 2 * MIB - got)) > 0)
		got += (size_t)n;
	int status;
	waitpid(pid, &status, 0);
	printf("%zu %d %d\n", got, memcmp(from, to, 2 * MIB), status);
	return 0;
}

static volatile sig_atomic_t ticks;

static void
tick(int signal)
{
	(void)signal;
	ticks++;
}

/* A long write that handlers keep interrupting loses and doubles nothing. */
static int
interrupted_transfer(void)
{
	int fds[2];
	unsigned char *from = area_new(4 * MIB);
	unsigned char *to = area_new(4 * MIB);
	fill(from, 4 * MIB, 7);
	show("pipe", pipe(fds));
	pid_t pid = fork();
	if (pid == 0) {
		struct itimerval timer = { { 0, 700 }, { 0, 700 } };
		size_t sent = 0;
		close(fds[0]);
		handle(SIGALRM, tick, 0, 0);
		setitimer(ITIMER_REAL, &timer, NULL);
		while (sent < 4 * MIB) {
			long n = write(fds[1], from + sent, 4 * MIB - sent);
			if (n < 0 && errno != EINTR)
				_exit(1);
			sent += n > 0 ? (size_t)n : 0;
		}
		_exit(0);
	}
	close(fds[1]);
	size_t got = 0;
	long n;
	while ((n = read(fds[0], to + got, 4096)) > 0) {
		got += (size_t)n;
		if (got % (64 * 4096) == 0)
			sleep_ms(1);
	}
	int status;
	waitpid(pid, &status, 0);
	printf("%zu %d %d\n", got, memcmp(from, to, 4 * MIB), status);
	return 0;
}

static int
datagrams(void)
{
	int fds[2];
	unsigned char *memory = area_new(MIB);
	struct iovec vector[20];
	struct iovec back[20];
	char *control = (char *)area_new(4096);
	struct msghdr *message = (struct msghdr *)(void *)area_new(4096);
	fill(memory, MIB, 4);
	show("socketpair", socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
	show("send", send(fds[0], memory, 60000, 0));
	show("recv", recv(fds[1], memory + 65536, 65536, 0));
	printf("%d\n", memcmp(memory, memory + 65536, 60000));
	for (int i = 0; i < 20; i++) {
		vector[i] = (struct iovec){ memory + i * 5000, 200 };
		back[i] = (struct iovec){ memory + 300000 + i * 7000, 210 };
	}
	*message = (struct msghdr){ .msg_iov = vector, .msg_iovlen = 5 };
	message->msg_control = control;
	message->msg_controllen = CMSG_SPACE(sizeof(int));
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fds[0], sizeof(int));
	show("sendmsg", sendmsg(fds[0], message, 0));
	memset(control, 0, 64);
	message->msg_iov = back;
	show("recvmsg", recvmsg(fds[1], message, 0));
	int passed;
	memcpy(&passed, CMSG_DATA(header), sizeof(passed));
	printf("passed %d, control %zu\n", passed > 2,
	    (size_t)message->msg_controllen);
	printf("%lx\n", (long)hash(memory, MIB));
	show("sendmsg, bad", sendmsg(fds[0], nowhere, 0));
	message->msg_iov = nowhere;
	show("recvmsg, bad", recvmsg(fds[1], message, MSG_DONTWAIT));
	return 0;
}

static int
messages(void)
{
	enum { COUNT = 30 };
	int fds[2];
	unsigned char *memory = area_new(MIB);
	static struct mmsghdr out[COUNT];
	static struct mmsghdr in[COUNT];
	static struct iovec vectors_out[COUNT];
	static struct iovec vectors_in[COUNT];
	int sent = 0;
	int got = 0;
	fill(memory, MIB, 5);
	show("socketpair", socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds));
	for (size_t i = 0; i < COUNT; i++) {
		vectors_out[i] = (struct iovec){ memory + i * 6000, i + 10 };
		vectors_in[i] =
		    (struct iovec){ memory + 400000 + i * 9000, 100 };
		out[i].msg_hdr.msg_iov = &vectors_out[i];
		out[i].msg_hdr.msg_iovlen = 1;
		in[i].msg_hdr.msg_iov = &vectors_in[i];
		in[i].msg_hdr.msg_iovlen = 1;
	}
	while (sent < COUNT) {
		int n =
		    sendmmsg(fds[0], out + sent, (unsigned)(COUNT - sent), 0);
		if (n <= 0)
			break;
		sent += n;
	}
	while (got < sent) {
		int n = recvmmsg(fds[1], in + got, (unsigned)(COUNT - got),
		    MSG_WAITFORONE, NULL);
		if (n <= 0)
			break;
		got += n;
	}
	printf("%d %d %u %lx\n", sent, got, in[29].msg_len,
	    (long)hash(memory, MIB));
	return 0;
}

/* Every small structure on a fresh page of its own. */
static int
structures(void)
{
	struct stat *status = (void *)area_new(4096);
	struct timespec *time = (void *)area_new(4096);
	struct utsname *name = (void *)area_new(4096);
	struct pollfd *polls = (void *)area_new(4096);
	struct itimerspec *timer = (void *)area_new(4096);
	char *path = (char *)area_new(4096) + 4090;
	int *words = (void *)area_new(4096);
	strcpy(path, "/");
	show("stat", stat(path, status));
	printf("%d\n", S_ISDIR(status->st_mode));
	show("statx", statx(AT_FDCWD, path, 0, STATX_ALL, (void *)time));
	show("clock", syscall(SYS_clock_gettime, CLOCK_REALTIME, time));
	show("uname", uname(name));
	printf("%s\n", name->sysname);
	show("pipe", pipe(words));
	polls[0] = (struct pollfd){ .fd = words[1], .events = POLLOUT };
	show("poll", poll(polls, 1, 0));
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	timer->it_value.tv_nsec = 1000;
	show("settime", timerfd_settime(fd, 0, timer, NULL));
	show("expiries", read(fd, time, 8));
	show("FIONREAD", ioctl(words[0], FIONREAD, words + 100));
	pid_t pid = fork();
	if (pid == 0)
		_exit(3);
	show("wait", waitpid(pid, words + 200, 0) == pid);
	printf("%d\n", WEXITSTATUS(words[200]));
	show("sockets", socketpair(AF_UNIX, SOCK_STREAM, 0, words + 300));
	words[400] = 4;
	show("getsockopt", getsockopt(words[300], SOL_SOCKET, SO_TYPE,
			       words + 500, (void *)(words + 400)));
	printf("%d %d\n", words[500], words[400]);
	char *directory = (char *)area_new(4096);
	show("getcwd", getcwd(directory, 4096) != NULL);
	show("readlink", readlink("/proc/self/cwd", directory, 4096) > 0);
	return 0;
}

static int
bad_addresses(void)
{
	unsigned char *readonly =
	    mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int zero = open("/dev/zero", O_RDONLY);
	int null = open("/dev/null", O_WRONLY);
	show("read, none", read(zero, nowhere, 10));
	show("read, readonly", read(zero, readonly, 10));
	show("write, readonly", write(null, readonly, 10));
	show("open", open(nowhere, O_RDONLY));
	show("stat", stat("/", nowhere));
	show("stat, readonly", stat("/", (void *)readonly));
	show("pipe", pipe(nowhere));
	show("poll", poll(nowhere, 1, 0));
	show("sigprocmask",
	    syscall(SYS_rt_sigprocmask, SIG_BLOCK, nowhere, NULL, 8));
	show("nanosleep", syscall(SYS_nanosleep, nowhere, NULL));
	show("pselect",
	    syscall(SYS_pselect6, 0, NULL, NULL, NULL, NULL, nowhere));
	show("sigsuspend", syscall(SYS_rt_sigsuspend, nowhere, 8));
	show("futex", syscall(SYS_futex, nowhere, 0, 0, NULL));
	return 0;
}

static int
stdio(void)
{
	FILE *file = tmpfile();
	char line[200];
	long sum = 0;
	for (int i = 0; i < 20000; i++)
		fprintf(file, "line %d of the file\n", i);
	rewind(file);
	while (fgets(line, sizeof(line), file) != NULL)
		sum += atol(line + 5);
	printf("%ld\n", sum);
	return 0;
}

const struct test_case memory_cases[] = {
	{ "file_transfer", file_transfer },
	{ "vectors", vectors },
	{ "pipes", pipes },
	{ "interrupted_transfer", interrupted_transfer },
	{ "datagrams", datagrams },
	{ "messages", messages },
	{ "structures", structures },
	{ "bad_addresses", bad_addresses },
	{ "stdio", stdio },
	{ 0 },
};
