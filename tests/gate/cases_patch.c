/* SPDX-License-Identifier: MIT */
/*
 * cases_patch.c: reads and writes that meet signals, guests and odd threads:
 * what a patched site could get wrong.
 */
#define _GNU_SOURCE
#include "case.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static volatile sig_atomic_t hits;
static int fds[2];

/* Queued signals, none of which may get lost, on a thread that transfers. */
static volatile bool storm_over;

static void *
storm_transfers(void *arg)
{
	long *wrong = arg;
	char out[64];
	char in[64];
	for (unsigned i = 0; !storm_over; i++) {
		memset(out, (int)i, sizeof(out));
		if (write(fds[1], out, sizeof(out)) != sizeof(out) ||
		    read(fds[0], in, sizeof(in)) != sizeof(in) ||
		    memcmp(in, out, sizeof(in)) != 0)
			++*wrong;
	}
	return NULL;
}

static void
count_only(int signal)
{
	(void)signal;
	hits++;
}

static int
storm(void)
{
	pthread_t thread;
	long wrong = 0;
	int sent = 0;
	show("pipe", pipe(fds));
	handle(SIGRTMIN, count_only, SA_RESTART, 0);
	pthread_create(&thread, NULL, storm_transfers, &wrong);
	while (sent < 5000) {
		union sigval value = { 0 };
		if (pthread_sigqueue(thread, SIGRTMIN, value) == 0)
			sent++;
		while (hits < sent - 20)
			sched_yield();
	}
	while (hits < sent)
		sched_yield();
	storm_over = true;
	pthread_join(thread, NULL);
	printf("hits %d of %d, wrong %ld\n", (int)hits, sent, wrong);
	return 0;
}

/* A guest that makes calls on its parent's TLS. */
static int
guest_writes(void)
{
	long right = 0;
	show("pipe", pipe(fds));
	for (volatile int i = 0; i < 50; i++) {
		char text[4] = { 0 };
		int status;
		if (write(fds[1], "p", 1) != 1)
			return 1;
		pid_t pid = vfork();
		if (pid == 0) {
			for (int j = 0; j < 2; j++)
				(void)!write(fds[1], "g", 1);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		right += write(fds[1], "p", 1) == 1 &&
			 read(fds[0], text, 4) == 4 &&
			 memcmp(text, "pggp", 4) == 0;
	}
	show("right", right);
	return 0;
}

/* Threads whose thread pointer is not libc's: to memory, and to none. */
static int
odd_child(void *arg)
{
	(void)!write(fds[1], "o", 1);
	(void)arg;
	syscall(SYS_exit, 0);
	return 0;
}

static int
odd_tls(void)
{
	const size_t size = 64 << 10;
	char text[3] = { 0 };
	show("pipe", pipe(fds));
	for (int i = 0; i < 3; i++) {
		char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		/* Full of what is no record, and with nothing below it. */
		char *tls = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(tls, 0x5a, size);
		if (i == 1)
			munmap(tls, size / 2);
		clone(odd_child, stack + size,
		    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			CLONE_THREAD | (i < 2 ? CLONE_SETTLS : 0),
		    NULL, NULL, tls + size / 2, NULL);
		show("read", read(fds[0], text + i, 1));
	}
	printf("%.3s\n", text);
	sleep_ms(20);
	return 0;
}

/* Steps through calls, each instruction a signal: what the calls do and what
 * the handler sees of registers and mask is as without the gate. */
static volatile long steps;
static volatile long blocked;

static void
count_step(int signal)
{
	(void)signal;
	steps++;
	blocked += mask_now() != (uint64_t)1 << (SIGTRAP - 1);
}

static void
trap_flag(bool on)
{
	const uint64_t flag = 0x100;
	uint64_t flags;
	__asm__ volatile("pushfq; popq %0" : "=r"(flags));
	flags = on ? flags | flag : flags & ~flag;
	__asm__ volatile("pushq %0; popfq" : : "r"(flags) : "memory", "cc");
}

static int
stepped(void)
{
	char text[8] = { 0 };
	long wrote = 0, got = 0, bad = 0;
	show("pipe", pipe(fds));
	handle(SIGTRAP, count_step, 0, 0);
	for (int i = 0; i < 20; i++) {
		trap_flag(true);
		wrote += write(fds[1], "abcd", 4);
		got += read(fds[0], text, 4);
		bad += read(-1, text, 4) == -1 && errno == EBADF;
		trap_flag(false);
	}
	printf("%ld %ld %ld %s, %s, %ld times another mask\n", wrote, got, bad,
	    text, steps > 20 * 30 ? "many steps" : "few steps", blocked);
	return 0;
}

/* A debugger steps through a child's calls. */
static int
debugged(void)
{
	char text[8] = { 0 };
	int status;
	long stops = 0;
	show("pipe", pipe(fds));
	pid_t pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		for (int i = 0; i < 3; i++)
			(void)!write(fds[1], "xy", 2);
		_exit(read(-1, text, 1) == -1 ? 7 : 8);
	}
	waitpid(pid, &status, 0);
	/* SIGSYS is the gate's, and passed on. */
	while (stops < 1000000 && WIFSTOPPED(status)) {
		int signal = WSTOPSIG(status);
		if (signal == SIGTRAP || signal == SIGSTOP)
			signal = 0;
		ptrace(PTRACE_SINGLESTEP, pid, NULL, (void *)(long)signal);
		waitpid(pid, &status, 0);
		stops++;
	}
	show("exited", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	show("read", read(fds[0], text, 6));
	printf("%s %s\n", text, stops > 100 ? "many stops" : "few stops");
	return 0;
}

const struct test_case patch_cases[] = {
	{ "stepped", stepped },
	{ "debugged", debugged },
	{ "storm", storm },
	{ "guest_writes", guest_writes },
	{ "odd_tls", odd_tls },
	{ 0 },
};
