/* SPDX-License-Identifier: MIT */
/* cases_terminals.c: terminals. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "case.h"

struct terminal {
	int master;
	int slave;
};

static struct terminal
terminal_new(void)
{
	struct terminal terminal = { posix_openpt(O_RDWR | O_NOCTTY), -1 };
	char *name = cell(64);
	CALL(grantpt(terminal.master));
	CALL(unlockpt(terminal.master));
	CALL(ptsname_r(terminal.master, name, 64));
	terminal.slave = open(name, O_RDWR | O_NOCTTY);
	say("%d\n", terminal.slave >= 0);
	return terminal;
}

static void
terminal_close(const struct terminal *terminal)
{
	close(terminal->master);
	close(terminal->slave);
}

/* What one end has written arrives at the other some time later. */
static void
wait_for(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	if (poll(&wait, 1, 10000) != 1)
		say("nothing came\n");
}

/* A line is taken once. */
static void
lines(void)
{
	struct terminal terminal = terminal_new();
	char *from = cell_text("first line\nsecond\nrest");
	char *to = cell(100);
	int *waiting = cell(sizeof(*waiting));
	CALL(write(terminal.master, from, 22));
	wait_for(terminal.slave);
	CALL(ioctl(terminal.slave, FIONREAD, waiting));
	say("%d\n", *waiting);
	CALL(read(terminal.slave, to, 4));
	CALL(read(terminal.slave, to + 4, 96));
	CALL(read(terminal.slave, to + 11, 80));
	say("%s", to);
	terminal_close(&terminal);
}

static void
attributes(void)
{
	struct terminal terminal = terminal_new();
	struct termios *attr = cell(sizeof(*attr));
	struct winsize *size = cell(sizeof(*size));
	int *number = cell(sizeof(*number));
	CALL(tcgetattr(terminal.slave, attr));
	say("%d\n", (attr->c_lflag & ICANON) != 0);
	attr->c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	attr->c_cc[VMIN] = 3;
	attr->c_cc[VTIME] = 1;
	CALL(tcsetattr(terminal.slave, TCSANOW, attr));
	memset(attr, 0, sizeof(*attr));
	CALL(tcgetattr(terminal.slave, attr));
	say("%d %d\n", attr->c_cc[VMIN], (attr->c_lflag & ECHO) != 0);
	size->ws_row = 33;
	size->ws_col = 99;
	CALL(ioctl(terminal.master, TIOCSWINSZ, size));
	memset(size, 0, sizeof(*size));
	CALL(ioctl(terminal.slave, TIOCGWINSZ, size));
	say("%d %d\n", size->ws_row, size->ws_col);
	CALL(ioctl(terminal.master, TIOCGPTN, number));
	CALL(ioctl(terminal.master, TIOCGPTLCK, number));
	say("%d\n", *number);
	CALL(ioctl(terminal.slave, TIOCMGET, number));
	terminal_close(&terminal);
}

static void
raw_bytes(void)
{
	struct terminal terminal = terminal_new();
	struct termios *attr = cell(sizeof(*attr));
	char *to = cell(3000);
	char *from = cell(3000);
	memset(from, 'r', 3000);
	tcgetattr(terminal.slave, attr);
	cfmakeraw(attr);
	CALL(tcsetattr(terminal.slave, TCSANOW, attr));
	CALL(write(terminal.master, from, 3000));
	for (size_t got = 0; got < 3000;) {
		chill();
		ssize_t n = read(terminal.slave, to + got, 3000 - got);
		got += n > 0 ? (size_t)n : 3000;
	}
	say("%d\n", memcmp(from, to, 3000));
	CALL(write(terminal.slave, from, 1000));
	wait_for(terminal.master);
	CALL(read(terminal.master, to, 1));
	terminal_close(&terminal);
}

static void
packets(void)
{
	struct terminal terminal = terminal_new();
	int *on = cell(sizeof(*on));
	char *to = cell(100);
	*on = 1;
	CALL(ioctl(terminal.master, TIOCPKT, on));
	CALL(write(terminal.slave, "out", 3));
	CALL(read(terminal.master, to, 100));
	say("%d %s\n", to[0], to + 1);
	terminal_close(&terminal);
}

/* A session of its own with the terminal; ^C reaches it. */
static void
sessions(void)
{
	struct terminal terminal = terminal_new();
	char *to = cell(100);
	pid_t *group = cell(sizeof(*group));
	pid_t pid = case_fork();
	if (pid == 0) {
		setsid();
		ioctl(terminal.slave, TIOCSCTTY, 0);
		chill();
		if (ioctl(terminal.slave, TIOCGPGRP, group) != 0 ||
		    *group != getpid())
			_exit(1);
		write(terminal.slave, "ready", 5);
		for (;;)
			pause();
	}
	CALL(read(terminal.master, to, 100));
	say("%s\n", to);
	CALL(write(terminal.master, "\003", 1));
	say_child("session", pid);
	terminal_close(&terminal);
}

static const struct test_case cases[] = {
	{ "lines", lines, 0 },
	{ "attributes", attributes, 0 },
	{ "raw_bytes", raw_bytes, 0 },
	{ "packets", packets, 0 },
	{ "sessions", sessions, 0 },
	{ 0 },
};

const struct test_group terminals_group = { "terminals", cases, NULL };
