/* SPDX-License-Identifier: MIT */
/*
 * calls: proves that system calls on memory that has been pushed out give
 * what they give on warm memory. Each case fills buffers, squeezes them out,
 * makes the call once, and compares.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SIZE ((size_t)256 << 10) /* of a cold buffer */

static unsigned char *bulk;
static const size_t bulk_size = (size_t)40 << 20;
static unsigned failures;

/* Uses more memory than there is, so that all else has to go. */
static void
squeeze(void)
{
	for (unsigned turn = 0; turn < 2; turn++) {
		for (size_t i = 0; i < bulk_size; i += 4096)
			bulk[i]++;
	}
}

static unsigned char *
cold(unsigned seed)
{
	unsigned char *buffer = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer == MAP_FAILED)
		exit(1);
	for (size_t i = 0; i < SIZE; i++)
		buffer[i] = (unsigned char)(i * 31 + seed + i / 4096);
	return buffer;
}

static int
holds(const unsigned char *buffer, unsigned seed, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (buffer[i] != (unsigned char)(i * 31 + seed + i / 4096))
			return 0;
	}
	return 1;
}

static void
expect(const char *what, int good)
{
	printf("%s: %s\n", what, good ? "ok" : "WRONG");
	if (!good) {
		fprintf(stderr, "%s: errno %s\n", what, strerror(errno));
		failures++;
	}
}

static int
temporary(void)
{
	FILE *file = tmpfile();
	return file == NULL ? -1 : dup(fileno(file));
}

static void
case_files(void)
{
	unsigned char *out = cold(1);
	unsigned char *in = cold(2);
	int fd = temporary();
	squeeze();
	expect("write", write(fd, out, SIZE) == (ssize_t)SIZE);
	squeeze();
	expect("pread", pread(fd, in, SIZE, 0) == (ssize_t)SIZE);
	expect("contents", holds(in, 1, SIZE));
	struct iovec *vector = (struct iovec *)cold(3);
	for (size_t i = 0; i < 16; i++)
		vector[i] = (struct iovec){ in + i * 16384, 16384 };
	memset(in, 0, SIZE);
	squeeze();
	expect("preadv",
	    preadv(fd, vector, 16, 0) == (ssize_t)SIZE && holds(in, 1, SIZE));
	close(fd);
}

static void
case_datagram(void)
{
	int pair[2];
	unsigned char *out = cold(4);
	unsigned char *in = cold(5);
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0)
		exit(1);
	squeeze();
	expect("send datagram", send(pair[0], out, 60000, 0) == 60000);
	squeeze();
	expect("recv datagram",
	    recv(pair[1], in, SIZE, 0) == 60000 && holds(in, 4, 60000));
	expect("nothing is left",
	    recv(pair[1], in, SIZE, MSG_DONTWAIT) < 0 && errno == EAGAIN);
	close(pair[0]);
	close(pair[1]);
}

static void
case_descriptors(void)
{
	int pair[2];
	unsigned char *page = cold(6);
	struct msghdr *message = (struct msghdr *)page;
	struct iovec *vector = (struct iovec *)(page + 8192);
	unsigned char *control = page + 16384;
	int fd = temporary();
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	memset(page, 0, 65536);
	*vector = (struct iovec){ page + 40960, 1 };
	*message = (struct msghdr){ .msg_iov = vector,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(sizeof(int)) };
	struct cmsghdr *head = CMSG_FIRSTHDR(message);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	squeeze();
	expect("send descriptor", sendmsg(pair[0], message, 0) == 1);
	memset(control, 0, 4096);
	squeeze();
	int got = -1;
	expect("receive descriptor",
	    recvmsg(pair[1], message, 0) == 1 &&
		(message->msg_flags & MSG_CTRUNC) == 0);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(message)), sizeof(got));
	expect("it is open", fcntl(got, F_GETFD) >= 0);
	close(got);
	close(fd);
	close(pair[0]);
	close(pair[1]);
}

static void
case_events(void)
{
	unsigned char *page = cold(7);
	uint64_t *value = (uint64_t *)(page + 4096);
	int event = eventfd(5, 0);
	squeeze();
	expect("eventfd", read(event, value, 8) == 8 && *value == 5);
	int timer = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec *when = (struct itimerspec *)(page + 8192);
	*when = (struct itimerspec){ .it_value = { 0, 1000000 } };
	squeeze();
	timerfd_settime(timer, 0, when, NULL);
	squeeze();
	expect("timerfd", read(timer, value, 8) == 8 && *value == 1);
	int epoll = epoll_create1(0);
	struct epoll_event *events = (struct epoll_event *)(page + 16384);
	events[0] = (struct epoll_event){ .events = EPOLLOUT | EPOLLET,
		.data.u64 = 77 };
	squeeze();
	epoll_ctl(epoll, EPOLL_CTL_ADD, event, events);
	squeeze();
	expect("epoll", epoll_wait(epoll, events + 300, 8, 1000) == 1 &&
			    events[300].data.u64 == 77);
	close(epoll);
	close(timer);
	close(event);
}

static void
case_wait(void)
{
	unsigned char *page = cold(8);
	int *status = (int *)(page + 4096);
	pid_t pid = fork();
	if (pid == 0)
		_exit(37);
	squeeze();
	expect("wait4", waitpid(pid, status, 0) == pid && WIFEXITED(*status) &&
			    WEXITSTATUS(*status) == 37);
	expect("reaped once", waitpid(pid, status, 0) < 0 && errno == ECHILD);
}

static volatile sig_atomic_t caught;

static void
on_signal(int signal_number, siginfo_t *info, void *context)
{
	(void)context;
	unsigned char here[20000];
	memset(here, 1, sizeof(here));
	caught = here[5] + info->si_value.sival_int + signal_number * 0;
}

static void
case_signals(void)
{
	unsigned char *page = cold(9);
	stack_t stack = { .ss_sp = page, .ss_size = SIZE };
	struct sigaction *action = (struct sigaction *)cold(10);
	sigaltstack(&stack, NULL);
	memset(action, 0, sizeof(*action));
	action->sa_sigaction = on_signal;
	action->sa_flags = SA_SIGINFO | SA_ONSTACK;
	squeeze();
	expect("sigaction", sigaction(SIGUSR1, action, NULL) == 0);
	squeeze();
	sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 41 });
	expect("handler on a cold stack", caught == 42);
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	sigset_t *set = (sigset_t *)cold(11);
	siginfo_t *info = (siginfo_t *)cold(12);
	sigemptyset(set);
	sigaddset(set, SIGUSR2);
	sigprocmask(SIG_BLOCK, set, NULL);
	sigqueue(getpid(), SIGUSR2, (union sigval){ .sival_int = 43 });
	squeeze();
	expect("sigwaitinfo", sigwaitinfo(set, info) == SIGUSR2 &&
				  info->si_value.sival_int == 43);
}

static void
case_names(void)
{
	char *path = (char *)cold(13);
	struct stat *status = (struct stat *)cold(14);
	strcpy(path, "/tmp");
	squeeze();
	expect("stat", stat(path, status) == 0 && S_ISDIR(status->st_mode));
	char *where = (char *)cold(15);
	squeeze();
	expect("getcwd", getcwd(where, SIZE) == where && where[0] == '/');
	squeeze();
	unsigned entries = 0;
	DIR *dir = opendir("/proc/self/fd");
	while (dir != NULL && readdir(dir) != NULL)
		entries++;
	expect("readdir", entries >= 3);
	closedir(dir);
}

int
main(void)
{
	bulk = malloc(bulk_size);
	if (bulk == NULL)
		return 1;
	setvbuf(stdout, NULL, _IONBF, 0);
	case_files();
	case_datagram();
	case_descriptors();
	case_events();
	case_wait();
	case_signals();
	case_names();
	free(bulk);
	printf("%u wrong\n", failures);
	return failures != 0;
}
