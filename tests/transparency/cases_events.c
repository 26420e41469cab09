/* SPDX-License-Identifier: MIT */
/* cases_events.c: waiting for descriptors, timers and changes. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#include "case.h"

static void
polled(void)
{
	int a[2], b[2];
	struct pollfd *fds = cell(3 * sizeof(*fds));
	struct timespec *timeout = cell(sizeof(*timeout));
	sigset_t *mask = cell(sizeof(*mask));
	pipe(a);
	pipe(b);
	write(a[1], "x", 1);
	close(b[1]);
	fds[0] = (struct pollfd){ .fd = a[0], .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = b[0], .events = POLLIN };
	fds[2] = (struct pollfd){ .fd = a[1], .events = POLLOUT };
	CALL(poll(fds, 3, -1));
	say("%x %x %x\n", fds[0].revents, fds[1].revents, fds[2].revents);
	read(a[0], mask, 1);
	fds[1].fd = -1;
	fds[2].events = 0;
	CALL(poll(fds, 3, 1));
	timeout->tv_nsec = 1000000;
	sigemptyset(mask);
	sigaddset(mask, SIGUSR1);
	CALL(ppoll(fds, 3, timeout, mask));
	fds[0].fd = 12345;
	CALL(ppoll(fds, 1, timeout, NULL));
	say("%x\n", fds[0].revents);
	CALL(ppoll(NULL, 0, timeout, NULL));
	close(a[0]);
	close(a[1]);
	close(b[0]);
}

static void
many_polled(void)
{
	enum { COUNT = 1000 };
	struct pollfd *fds = cell(COUNT * sizeof(*fds));
	int event = eventfd(1, 0);
	for (unsigned i = 0; i < COUNT; i++)
		fds[i] = (struct pollfd){ i % 3 == 0 ? event : -1, POLLIN, 0 };
	CALL(poll(fds, COUNT, 0));
	say_bytes("fds", fds, COUNT * sizeof(*fds));
	close(event);
}

static void
selected(void)
{
	int ends[2];
	fd_set *in = cell(sizeof(*in));
	fd_set *out = cell(sizeof(*out));
	struct timeval *timeout = cell(sizeof(*timeout));
	struct timespec *exact = cell(sizeof(*exact));
	sigset_t *mask = cell(sizeof(*mask));
	pipe(ends);
	FD_SET(ends[0], in);
	FD_SET(ends[1], out);
	CALL(select(ends[1] + 1, in, out, NULL, NULL));
	say("%d %d\n", FD_ISSET(ends[0], in), FD_ISSET(ends[1], out));
	FD_SET(ends[0], in);
	timeout->tv_usec = 1000;
	CALL(select(ends[0] + 1, in, NULL, NULL, timeout));
	say("%ld\n", (long)timeout->tv_usec);
	write(ends[1], "x", 1);
	FD_SET(ends[0], in);
	exact->tv_sec = 10;
	sigfillset(mask);
	CALL(pselect(ends[0] + 1, in, NULL, NULL, exact, mask));
	say("%d %ld\n", FD_ISSET(ends[0], in), (long)exact->tv_sec);
	close(ends[0]);
	close(ends[1]);
}

/* One event of the mode, and whether it comes again. */
static void
epoll_mode(uint32_t mode)
{
	int ends[2];
	struct epoll_event *event = cell(sizeof(*event));
	struct epoll_event *events = cell(10 * sizeof(*events));
	int epoll = epoll_create1(0);
	pipe(ends);
	event->events = EPOLLIN | mode;
	event->data.u64 = 0x123456789abcdef;
	CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], event));
	CALL(epoll_wait(epoll, events, 10, 0));
	write(ends[1], "xy", 2);
	for (int i = 0; i < 2; i++) {
		memset(events, 0, 10 * sizeof(*events));
		CALL(epoll_wait(epoll, events, 10, 1));
		say("%x %d\n", events->events,
		    events->data.u64 == 0x123456789abcdef);
	}
	write(ends[1], "z", 1);
	CALL(epoll_wait(epoll, events, 10, 1));
	if (mode == EPOLLONESHOT) {
		CALL(epoll_ctl(epoll, EPOLL_CTL_MOD, ends[0], event));
		CALL(epoll_wait(epoll, events, 10, 1));
	}
	CALL(epoll_ctl(epoll, EPOLL_CTL_DEL, ends[0], NULL));
	close(ends[0]);
	close(ends[1]);
	close(epoll);
}

static void
epoll_levels(void)
{
	epoll_mode(0);
}

static void
epoll_edges(void)
{
	epoll_mode(EPOLLET);
}

static void
epoll_once(void)
{
	epoll_mode(EPOLLONESHOT);
}

static void
epoll_shared(void)
{
	epoll_mode(EPOLLEXCLUSIVE);
}

static void
epoll_masked(void)
{
	struct epoll_event *event = cell(sizeof(*event));
	struct epoll_event *events = cell(4 * sizeof(*events));
	struct timespec *timeout = cell(sizeof(*timeout));
	sigset_t *mask = cell(sizeof(*mask));
	int inner = epoll_create1(0);
	int outer = epoll_create1(0);
	int fd = eventfd(1, 0);
	event->events = EPOLLIN;
	event->data.u32 = 7;
	CALL(epoll_ctl(inner, EPOLL_CTL_ADD, fd, event));
	CALL(epoll_ctl(outer, EPOLL_CTL_ADD, inner, event));
	sigemptyset(mask);
	sigaddset(mask, SIGSEGV);
	CALL(epoll_pwait(outer, events, 4, 10, mask));
	say("%u\n", events->data.u32);
	timeout->tv_nsec = 1000000;
	memset(events, 0, sizeof(*events));
	CALL(syscall(SYS_epoll_pwait2, outer, events, 4, timeout, mask, 8));
	say("%u\n", events->data.u32);
	CALL(epoll_wait(outer, events, 0, 10));
	CALL(epoll_wait(outer, place(8), 4, 10));
	close(fd);
	close(inner);
	close(outer);
}

static void
eventfds(void)
{
	uint64_t *value = cell(sizeof(*value));
	int fd = eventfd(5, EFD_NONBLOCK);
	CALL(read(fd, value, 8));
	say("%lu\n", (unsigned long)*value);
	CALL(read(fd, value, 8));
	*value = 3;
	CALL(write(fd, value, 8));
	CALL(write(fd, value, 8));
	*value = UINT64_MAX;
	CALL(write(fd, value, 8));
	CALL(read(fd, value, 8));
	say("%lu\n", (unsigned long)*value);
	CALL(read(fd, value, 4));
	close(fd);
	fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	for (int i = 0; i < 3; i++) {
		CALL(read(fd, value, 8));
		say("%lu\n", (unsigned long)*value);
	}
	close(fd);
}

static void
timerfds(void)
{
	struct itimerspec *when = cell(sizeof(*when));
	struct itimerspec *old = cell(sizeof(*old));
	uint64_t *count = cell(sizeof(*count));
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	when->it_value.tv_nsec = 1000000;
	CALL(timerfd_settime(fd, 0, when, NULL));
	CALL(read(fd, count, 8));
	say("%lu\n", (unsigned long)*count);
	when->it_value.tv_sec = 1000;
	when->it_interval.tv_sec = 77;
	CALL(timerfd_settime(fd, 0, when, old));
	CALL(timerfd_gettime(fd, old));
	say("%ld %d\n", (long)old->it_interval.tv_sec,
	    old->it_value.tv_sec > 900);
	memset(old, 0, sizeof(*old));
	when->it_value.tv_sec = 0;
	when->it_value.tv_nsec = 0;
	CALL(timerfd_settime(fd, TFD_TIMER_ABSTIME, when, old));
	say("%ld\n", (long)old->it_interval.tv_sec);
	close(fd);
}

static void
signalfds(void)
{
	sigset_t *set = cell(sizeof(*set));
	struct signalfd_siginfo *info = cell(4 * sizeof(*info));
	sigemptyset(set);
	sigaddset(set, SIGUSR1);
	sigaddset(set, SIGRTMIN + 2);
	CALL(sigprocmask(SIG_BLOCK, set, NULL));
	chill();
	int fd = signalfd(-1, set, SFD_NONBLOCK);
	CALL(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 5 }));
	CALL(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){ 0 }));
	CALL(
	    sigqueue(getpid(), SIGRTMIN + 2, (union sigval){ .sival_int = 6 }));
	CALL(read(fd, info, sizeof(*info)));
	say("%u %d %d\n", info->ssi_signo, info->ssi_int, info->ssi_code);
	CALL(read(fd, info, 4 * sizeof(*info)) / (long)sizeof(*info));
	say("%u %d\n", info[1].ssi_signo, info[1].ssi_int);
	CALL(read(fd, info, sizeof(*info)));
	sigdelset(set, SIGUSR1);
	CALL(signalfd(fd, set, 0) == fd);
	close(fd);
	sigprocmask(SIG_UNBLOCK, set, NULL);
}

static void
inotified(void)
{
	char *path = cell_text("watched");
	char *buffer = cell(4000);
	int fd = inotify_init1(IN_NONBLOCK);
	mkdir("watched", 0700);
	chill();
	int watch =
	    inotify_add_watch(fd, path, IN_CREATE | IN_DELETE | IN_MOVE);
	close(open("watched/one", O_CREAT | O_WRONLY, 0600));
	rename("watched/one", "watched/two");
	unlink("watched/two");
	CALL(read(fd, buffer, 20));
	chill();
	long size = read(fd, buffer, 4000);
	say("%ld\n", size);
	for (long at = 0; at < size;) {
		struct inotify_event *event = (void *)(buffer + at);
		say("%d %x %s\n", event->wd == watch, event->mask, event->name);
		at += (long)(sizeof(*event) + event->len);
	}
	CALL(read(fd, buffer, 4000));
	CALL(inotify_rm_watch(fd, watch));
	rmdir("watched");
	close(fd);
}

/* One's own descriptors come with the events. */
static void
fanotified(void)
{
	char *path = cell_text(".");
	struct fanotify_event_metadata *events = cell(40 * sizeof(*events));
	int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY);
	if (fd < 0) {
		say_skipped("no right to fanotify");
		return;
	}
	CALL(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN | FAN_EVENT_ON_CHILD,
	    AT_FDCWD, path));
	close(open("fan", O_CREAT | O_WRONLY, 0600));
	chill();
	long size = read(fd, events, 40 * sizeof(*events));
	struct fanotify_event_metadata *event = events;
	for (; FAN_EVENT_OK(event, size); event = FAN_EVENT_NEXT(event, size)) {
		say("%d\n", event->fd >= 0 && event->pid == getpid());
		close(event->fd);
	}
	unlink("fan");
	close(fd);
}

static volatile sig_atomic_t ticks;
static volatile sig_atomic_t value;

static void
tick(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	ticks++;
	value = info->si_value.sival_int;
}

static void
timers(void)
{
	struct sigevent *event = cell(sizeof(*event));
	struct itimerspec *when = cell(sizeof(*when));
	timer_t *timer = cell(sizeof(*timer));
	struct sigaction action = { .sa_sigaction = tick,
		.sa_flags = SA_SIGINFO | SA_RESTART };
	sigaction(SIGRTMIN + 3, &action, NULL);
	event->sigev_notify = SIGEV_SIGNAL;
	event->sigev_signo = SIGRTMIN + 3;
	event->sigev_value.sival_int = 99;
	CALL(timer_create(CLOCK_MONOTONIC, event, timer));
	when->it_value.tv_nsec = 1000000;
	ticks = 0;
	CALL(timer_settime(*timer, 0, when, NULL));
	while (ticks == 0)
		usleep(1000);
	say("%d\n", (int)value);
	when->it_value.tv_sec = 500;
	CALL(timer_settime(*timer, 0, when, NULL));
	memset(when, 0, sizeof(*when));
	CALL(timer_gettime(*timer, when));
	say("%d\n", when->it_value.tv_sec > 400);
	CALL(timer_delete(*timer));
	signal(SIGRTMIN + 3, SIG_DFL);
}

static void
interval_timers(void)
{
	struct itimerval *when = cell(sizeof(*when));
	struct itimerval *old = cell(sizeof(*old));
	when->it_value.tv_sec = 100;
	when->it_interval.tv_sec = 50;
	CALL(setitimer(ITIMER_VIRTUAL, when, NULL));
	when->it_value.tv_sec = 0;
	CALL(setitimer(ITIMER_VIRTUAL, when, old));
	say("%d %ld\n", old->it_value.tv_sec >= 99,
	    (long)old->it_interval.tv_sec);
	CALL(getitimer(ITIMER_VIRTUAL, old));
	say("%ld\n", (long)old->it_value.tv_sec);
}

/* Time is asked for by the kernel here, not by the vdso. */
static void
clocks(void)
{
	struct timespec *time = cell(sizeof(*time));
	struct timeval *now = cell(sizeof(*now));
	time_t *seconds = cell(sizeof(*seconds));
	CALL(syscall(SYS_clock_gettime, CLOCK_REALTIME, time));
	say("%d\n", time->tv_sec > 1000000);
	CALL(syscall(SYS_clock_getres, CLOCK_MONOTONIC, time));
	say("%ld\n", (long)time->tv_nsec);
	CALL(syscall(SYS_gettimeofday, now, NULL));
	say("%d\n", now->tv_sec > 1000000);
	CALL_SOME(syscall(SYS_time, seconds));
	say("%d\n", *seconds > 1000000);
	time->tv_sec = 0;
	time->tv_nsec = 100000;
	CALL(syscall(SYS_nanosleep, time, NULL));
	CALL(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, time, NULL));
	time->tv_nsec = -1;
	CALL(syscall(SYS_nanosleep, time, NULL));
	CALL(clock_gettime(12345, time));
}

/* What was left of a sleep that a handler ended. */
static void
sleep_ended(void)
{
	struct timespec *time = cell(sizeof(*time));
	struct timespec *left = cell(sizeof(*left));
	struct sigaction action = { .sa_sigaction = tick,
		.sa_flags = SA_SIGINFO };
	struct itimerval soon = { .it_value.tv_usec = 3000,
		.it_interval.tv_usec = 3000 };
	struct itimerval never = { 0 };
	sigaction(SIGALRM, &action, NULL);
	time->tv_sec = 100;
	chill();
	setitimer(ITIMER_REAL, &soon, NULL);
	int result = nanosleep(time, left);
	int error = errno;
	setitimer(ITIMER_REAL, &never, NULL);
	say("%d %d %ld\n", result, error == EINTR, (long)left->tv_sec);
	signal(SIGALRM, SIG_DFL);
}

static void
pidfds(void)
{
	siginfo_t *info = cell(sizeof(*info));
	struct pollfd *wait = cell(sizeof(*wait));
	pid_t pid = case_fork();
	if (pid == 0)
		_exit(9);
	wait->fd = (int)syscall(SYS_pidfd_open, pid, 0);
	wait->events = POLLIN;
	CALL(poll(wait, 1, -1));
	CALL(waitid(P_PIDFD, (id_t)wait->fd, info, WEXITED | WNOWAIT));
	say("%d %d %d\n", info->si_pid == pid, info->si_status, info->si_code);
	memset(info, 0, sizeof(*info));
	info->si_code = SI_QUEUE;
	CALL(syscall(SYS_pidfd_send_signal, wait->fd, 0, info, 0));
	CALL(waitid(P_PIDFD, (id_t)wait->fd, info, WEXITED));
	CALL(waitid(P_PIDFD, (id_t)wait->fd, info, WEXITED));
	close(wait->fd);
}

static const struct test_case cases[] = {
	{ "polled", polled, 0 },
	{ "many_polled", many_polled, 0 },
	{ "selected", selected, 0 },
	{ "epoll_levels", epoll_levels, 0 },
	{ "epoll_edges", epoll_edges, 0 },
	{ "epoll_once", epoll_once, 0 },
	{ "epoll_shared", epoll_shared, 0 },
	{ "epoll_masked", epoll_masked, 0 },
	{ "eventfds", eventfds, 0 },
	{ "timerfds", timerfds, 0 },
	{ "signalfds", signalfds, 0 },
	{ "inotified", inotified, 0 },
	{ "fanotified", fanotified, 0 },
	{ "timers", timers, 0 },
	{ "interval_timers", interval_timers, 0 },
	{ "clocks", clocks, 0 },
	{ "sleep_ended", sleep_ended, 0 },
	{ "pidfds", pidfds, 0 },
	{ 0 },
};

const struct test_group events_group = { "events", cases, NULL };
