/* SPDX-License-Identifier: MIT */
/* cases_pipes.c: pipes, and what moves bytes without a copy. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "case.h"

static void
made(void)
{
	int *ends = cell(2 * sizeof(*ends));
	CALL(pipe(ends));
	CALL(write(ends[1], "x", 1));
	close(ends[0]);
	close(ends[1]);
	CALL(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
	CALL(fcntl(ends[0], F_GETFD));
	close(ends[0]);
	close(ends[1]);
}

static void
transfers(void)
{
	int ends[2];
	unsigned char *from = cell_fill(60000, 1);
	unsigned char *to = cell(60000);
	CALL(pipe(ends));
	CALL(write(ends[1], from, 60000));
	CALL(read(ends[0], to, 1));
	CALL(read(ends[0], to + 1, 20000));
	CALL(read(ends[0], to + 20001, 60000));
	say("%d\n", memcmp(from, to, 60000));
	close(ends[1]);
	CALL(read(ends[0], to, 60000));
	close(ends[0]);
}

/* As much as goes in, no more. */
static void
not_waiting(void)
{
	int ends[2];
	int *waiting = cell(sizeof(*waiting));
	unsigned char *from = cell_fill(300000, 2);
	unsigned char *to = cell(300000);
	CALL(pipe2(ends, O_NONBLOCK));
	CALL(read(ends[0], to, 300000));
	CALL(fcntl(ends[1], F_SETPIPE_SZ, 65536));
	CALL(write(ends[1], from, 300000));
	CALL(write(ends[1], from, 300000));
	CALL(ioctl(ends[0], FIONREAD, waiting));
	say("%d\n", *waiting);
	CALL(read(ends[0], to, 300000));
	say_bytes("to", to, 300000);
	close(ends[0]);
	close(ends[1]);
}

static void
packets(void)
{
	int ends[2];
	unsigned char *from = cell_fill(9000, 3);
	unsigned char *to = cell(9000);
	CALL(pipe2(ends, O_DIRECT));
	CALL(write(ends[1], from, 3000));
	CALL(write(ends[1], from + 3000, 100));
	CALL(write(ends[1], from + 3100, 4000));
	CALL(read(ends[0], to, 500));
	CALL(read(ends[0], to + 500, 9000));
	CALL(read(ends[0], to + 600, 4096));
	say_bytes("to", to, 9000);
	close(ends[0]);
	close(ends[1]);
}

static volatile sig_atomic_t caught;

static void catch (int signal)
{
	caught = signal;
}

static void
broken(void)
{
	int ends[2];
	unsigned char *from = cell_fill(9000, 4);
	signal(SIGPIPE, catch);
	CALL(pipe(ends));
	close(ends[0]);
	caught = 0;
	CALL(write(ends[1], from, 9000));
	say("%d\n", caught == SIGPIPE);
	signal(SIGPIPE, SIG_DFL);
	pid_t pid = case_fork();
	if (pid == 0) {
		chill();
		write(ends[1], from, 9000);
		_exit(1);
	}
	say_child("writer", pid);
	close(ends[1]);
}

struct writer {
	int fd;
	const unsigned char *from;
	size_t size;
};

static void *
writer_run(void *arg)
{
	const struct writer *writer = arg;
	for (size_t at = 0; at < writer->size; at += 30000) {
		size_t size = writer->size - at;
		ssize_t n = write(writer->fd, writer->from + at,
		    size < 30000 ? size : 30000);
		if (n != (ssize_t)(size < 30000 ? size : 30000))
			return (void *)1;
	}
	close(writer->fd);
	return NULL;
}

/* Both ends wait for each other, in memory that goes away meanwhile. */
static void
between_threads(void)
{
	const size_t size = 600000;
	int ends[2];
	unsigned char *to = cell(size);
	struct writer *writer = cell(sizeof(*writer));
	pthread_t thread;
	size_t got = 0;
	ssize_t n;
	void *failed;
	CALL(pipe(ends));
	*writer = (struct writer){ ends[1], cell_fill(size, 5), size };
	chill();
	pthread_create(&thread, NULL, writer_run, writer);
	while ((n = read(ends[0], to + got, size - got)) > 0) {
		got += (size_t)n;
		chill();
	}
	pthread_join(thread, &failed);
	say("%zu %d %d\n", got, failed == NULL, memcmp(writer->from, to, size));
	close(ends[0]);
}

/* A read that waits is ended by a handler, or goes on behind it. */
static void
interrupted(void)
{
	int ends[2];
	unsigned char *to = cell(10000);
	struct sigaction action = { .sa_handler = catch };
	pid_t parent = getpid();
	CALL(pipe(ends));
	for (int restart = 0; restart < 2; restart++) {
		action.sa_flags = restart ? SA_RESTART : 0;
		sigaction(SIGUSR1, &action, NULL);
		caught = 0;
		pid_t pid = case_fork();
		if (pid == 0) {
			/* One of them meets the read, all but surely. */
			for (int i = 0; i < 20 || !restart; i++) {
				usleep(1000);
				if (case_kill(parent, SIGUSR1) != 0)
					_exit(1);
			}
			write(ends[1], "data", 4);
			_exit(0);
		}
		CALL(read(ends[0], to, 10000));
		say("%d\n", caught == SIGUSR1);
		if (!restart)
			case_kill(pid, SIGKILL);
		say_child("sender", pid);
	}
	close(ends[0]);
	close(ends[1]);
	signal(SIGUSR1, SIG_DFL);
}

static void
spliced(void)
{
	int ends[2];
	unsigned char *from = cell_fill(40000, 6);
	unsigned char *to = cell(40000);
	loff_t *place = cell(sizeof(*place));
	int in = file_new();
	int out = file_new();
	CALL(pipe(ends));
	CALL(write(in, from, 40000));
	*place = 1000;
	CALL(splice(in, place, ends[1], NULL, 30000, 0));
	say("%ld\n", (long)*place);
	*place = 5;
	CALL(splice(ends[0], NULL, out, place, 30000, 0));
	say("%ld\n", (long)*place);
	CALL(pread(out, to, 40000, 0));
	say_bytes("to", to, 40000);
	close(in);
	close(out);
	close(ends[0]);
	close(ends[1]);
}

static void
teed(void)
{
	int a[2], b[2];
	unsigned char *from = cell_fill(5000, 7);
	unsigned char *to = cell(5000);
	CALL(pipe(a));
	CALL(pipe(b));
	CALL(write(a[1], from, 5000));
	CALL(tee(a[0], b[1], 5000, 0));
	CALL(read(b[0], to, 5000));
	say("%d\n", memcmp(from, to, 5000));
	memset(to, 0, 5000);
	CALL(read(a[0], to, 5000));
	say("%d\n", memcmp(from, to, 5000));
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

/* The pages stay what they were, in the pipe and for the program. */
static void
vmspliced(void)
{
	int ends[2];
	struct iovec *vector = cell(2 * sizeof(*vector));
	unsigned char *from = cell_fill(20000, 8);
	unsigned char *to = cell(20000);
	CALL(pipe(ends));
	vector[0] = (struct iovec){ from, 7000 };
	vector[1] = (struct iovec){ from + 9000, 11000 };
	CALL(vmsplice(ends[1], vector, 2, 0));
	CALL(read(ends[0], to, 20000));
	say("%d %d\n", memcmp(from, to, 7000),
	    memcmp(from + 9000, to + 7000, 11000));
	CALL(write(ends[1], from, 20000));
	vector[0] = (struct iovec){ to, 12000 };
	vector[1] = (struct iovec){ to + 12000, 8000 };
	memset(to, 0, 20000);
	CALL(vmsplice(ends[0], vector, 2, 0));
	say("%d\n", memcmp(from, to, 20000));
	close(ends[0]);
	close(ends[1]);
}

static void
sent_file(void)
{
	int pair[2];
	unsigned char *from = cell_fill(30000, 9);
	unsigned char *to = cell(30000);
	off_t *place = cell(sizeof(*place));
	int in = file_new();
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CALL(write(in, from, 30000));
	*place = 3;
	CALL(sendfile(pair[0], in, place, 20000));
	say("%ld\n", (long)*place);
	CALL(recv(pair[1], to, 20000, MSG_WAITALL));
	say("%d\n", memcmp(from + 3, to, 20000));
	close(in);
	close(pair[0]);
	close(pair[1]);
}

static const struct test_case cases[] = {
	{ "made", made, 0 },
	{ "transfers", transfers, 0 },
	{ "not_waiting", not_waiting, 0 },
	{ "packets", packets, 0 },
	{ "broken", broken, 0 },
	{ "between_threads", between_threads, CASE_HELD },
	{ "interrupted", interrupted, 0 },
	{ "spliced", spliced, 0 },
	{ "teed", teed, 0 },
	{ "vmspliced", vmspliced, 0 },
	{ "sent_file", sent_file, 0 },
	{ 0 },
};

const struct test_group pipes_group = { "pipes", cases, NULL };
