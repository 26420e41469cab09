/* SPDX-License-Identifier: MIT */
/*
 * cases_signal.c: handlers, masks, alternate stacks, interrupted calls.
 */
#define _GNU_SOURCE
#include "case.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

static volatile sig_atomic_t hits;
static volatile uint64_t mask_seen;
static sigjmp_buf back;

static void
count(int signal)
{
	(void)signal;
	hits++;
	mask_seen = mask_now();
}

/* One expiry after some ms. */
static void
alarm_ms(long ms)
{
	struct itimerval timer = { .it_value = { 0, ms * 1000 } };
	setitimer(ITIMER_REAL, &timer, NULL);
}

static int
eintr(void)
{
	int fds[2];
	char c;
	show("pipe", pipe(fds));
	handle(SIGALRM, count, 0, 0);
	alarm_ms(30);
	show("read", read(fds[0], &c, 1));
	printf("hits %d, mask in handler %lx, after %lx\n", (int)hits,
	    (long)mask_seen, (long)mask_now());
	return 0;
}

static void
count_and_write(int signal)
{
	count(signal);
	if (write(3, "x", 1) != 1)
		hits = -1;
}

static int
restart(void)
{
	int fds[2];
	char c = 0;
	show("pipe", pipe(fds));
	dup2(fds[1], 3);
	if (fds[0] == 3)
		fds[0] = dup(fds[0]);
	show("pipe", pipe(fds));
	dup2(fds[1], 3);
	handle(SIGALRM, count_and_write, SA_RESTART, SIGUSR1);
	alarm_ms(30);
	show("read", read(fds[0], &c, 1));
	printf("%c, hits %d, mask in handler %lx\n", c, (int)hits,
	    (long)mask_seen);
	return 0;
}

static void
jump(int signal)
{
	siglongjmp(back, signal);
}

static int
longjump(void)
{
	int fds[2];
	char c;
	show("pipe", pipe(fds));
	handle(SIGALRM, jump, 0, 0);
	for (volatile int i = 0; i < 50; i++) {
		int from = sigsetjmp(back, 1);
		if (from == 0) {
			alarm_ms(1);
			show("read", read(fds[0], &c, 1));
		} else if (i == 49) {
			printf("from %d, mask %lx\n", from, (long)mask_now());
		}
	}
	return 0;
}

static unsigned char stack_memory[65536];

static void
where(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	unsigned char here;
	stack_t stack;
	sigaltstack(NULL, &stack);
	printf("signal %d code %d, on alternate stack %d, flags %d\n", signal,
	    info->si_code,
	    &here > stack_memory && &here < stack_memory + sizeof(stack_memory),
	    stack.ss_flags);
	printf("uc_stack %d %zu\n", uc->uc_stack.ss_sp == stack_memory,
	    uc->uc_stack.ss_size);
	stack.ss_flags = 0;
	show("sigaltstack in handler", sigaltstack(&stack, NULL));
}

static int
altstack(void)
{
	stack_t stack = { .ss_sp = stack_memory,
		.ss_size = sizeof(stack_memory) };
	stack_t old;
	struct sigaction action = { .sa_sigaction = where,
		.sa_flags = SA_SIGINFO | SA_ONSTACK };
	show("sigaltstack", sigaltstack(&stack, &old));
	printf("old %d\n", old.ss_flags);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	action.sa_flags = SA_SIGINFO;
	sigaction(SIGUSR2, &action, NULL);
	raise(SIGUSR2);
	stack.ss_size = 100;
	show("too small", sigaltstack(&stack, NULL));
	stack.ss_flags = 77;
	show("bad flags", sigaltstack(&stack, NULL));
	show("bad address", sigaltstack(nowhere, NULL));
	return 0;
}

/* SS_AUTODISARM: the stack is not set while its handler runs. */
static int
autodisarm(void)
{
	stack_t stack = { .ss_sp = stack_memory,
		.ss_size = sizeof(stack_memory),
		.ss_flags = (int)(1u << 31) };
	stack_t old;
	struct sigaction action = { .sa_sigaction = where,
		.sa_flags = SA_SIGINFO | SA_ONSTACK };
	show("sigaltstack", sigaltstack(&stack, NULL));
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	sigaltstack(NULL, &old);
	printf("after %x %d\n", (unsigned)old.ss_flags,
	    old.ss_sp == stack_memory);
	return 0;
}

/* A filter of the program's own that answers a call with a signal. */
static void
trapped(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	printf("signal %d code %d call %d, behind it %d\n", signal,
	    info->si_code, info->si_syscall,
	    (uintptr_t)info->si_call_addr ==
		(uintptr_t)uc->uc_mcontext.gregs[REG_RIP]);
	uc->uc_mcontext.gregs[REG_RAX] = 4711;
}

static int
filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, code };
	struct sigaction action = { .sa_sigaction = trapped,
		.sa_flags = SA_SIGINFO };
	sigaction(SIGSYS, &action, NULL);
	show("no new rights", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	show("filter",
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
	show("getppid", getppid());
	show("getppid", getppid());
	return 0;
}

static int
suspend(void)
{
	sigset_t set;
	sigset_t none;
	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	handle(SIGALRM, count, 0, 0);
	handle(SIGUSR1, count, 0, 0);
	alarm_ms(20);
	show("sigsuspend", sigsuspend(&none));
	printf("mask in handler %lx, now %lx\n", (long)mask_seen,
	    (long)mask_now());
	raise(SIGUSR1);
	sigpending(&none);
	printf("pending %d %d\n", sigismember(&none, SIGUSR1),
	    sigismember(&none, SIGALRM));
	sigfillset(&set);
	sigdelset(&set, SIGUSR1);
	show("sigsuspend", sigsuspend(&set));
	printf("hits %d mask in handler %lx now %lx\n", (int)hits,
	    (long)mask_seen, (long)mask_now());
	return 0;
}

static int
masked_waits(void)
{
	sigset_t set;
	sigset_t none;
	fd_set fds;
	struct epoll_event event;
	struct timespec second = { 1, 0 };
	int epoll = epoll_create1(0);
	int pipes[2];
	show("pipe", pipe(pipes));
	struct pollfd one = { .fd = pipes[0], .events = POLLIN };
	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	handle(SIGALRM, count, SA_RESTART, 0);

	alarm_ms(10);
	show("ppoll", ppoll(&one, 1, &second, &none));
	printf("in handler %lx\n", (long)mask_seen);
	alarm_ms(10);
	FD_ZERO(&fds);
	FD_SET(pipes[0], &fds);
	show("pselect",
	    pselect(pipes[0] + 1, &fds, NULL, NULL, &second, &none));
	alarm_ms(10);
	show("epoll_pwait", epoll_pwait(epoll, &event, 1, 1000, &none));
	raise(SIGALRM);
	second.tv_sec = 0;
	second.tv_nsec = 1000000;
	show("ppoll, blocked", ppoll(&one, 1, &second, &set));
	show("write", write(pipes[1], "x", 1));
	show("ppoll, ready and pending", ppoll(&one, 1, NULL, &none));
	printf("hits %d, now %lx\n", (int)hits, (long)mask_now());
	show("ppoll, bad mask", syscall(SYS_ppoll, &one, 1, NULL, nowhere, 8));
	return 0;
}

static int
waits(void)
{
	sigset_t set;
	siginfo_t info;
	struct timespec soon = { 0, 1000000 };
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	show("timeout", sigtimedwait(&set, &info, &soon));
	union sigval value = { .sival_int = 1234 };
	sigqueue(getpid(), SIGRTMIN, value);
	int got = sigwaitinfo(&set, &info);
	printf("got %d, value %d\n", got - SIGRTMIN, info.si_value.sival_int);
	int fd = signalfd(-1, &set, 0);
	struct signalfd_siginfo from;
	raise(SIGUSR1);
	show("signalfd", read(fd, &from, sizeof(from)));
	printf("%u\n", from.ssi_signo);
	return 0;
}

static void *volatile fault_at;

static void
open_page(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	char *page = (char *)((uintptr_t)info->si_addr & ~(uintptr_t)4095);
	printf("signal %d code %d at %d, write %d\n", signal, info->si_code,
	    info->si_addr == fault_at,
	    (int)(uc->uc_mcontext.gregs[REG_ERR] >> 1 & 1));
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static int
segv(void)
{
	struct sigaction action = { .sa_sigaction = open_page,
		.sa_flags = SA_SIGINFO };
	char *area =
	    mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigaction(SIGSEGV, &action, NULL);
	fault_at = area + 100;
	area[100] = 7;
	fault_at = area + 5000;
	printf("%d %d\n", area[100], area[5000]);
	return 0;
}

/* A context that the handler changes is the one that goes on. */
static void
skip(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	(void)signal;
	(void)info;
	uc->uc_mcontext.gregs[REG_RIP] += 3; /* mov (%rax),%rax */
	uc->uc_mcontext.gregs[REG_RAX] = 4711;
	sigaddset(&uc->uc_sigmask, SIGUSR2);
	sigaddset(&uc->uc_sigmask, SIGBUS);
}

static int
context_edit(void)
{
	struct sigaction action = { .sa_sigaction = skip,
		.sa_flags = SA_SIGINFO };
	long value = 8;
	sigaction(SIGSEGV, &action, NULL);
	__asm__ volatile("mov (%%rax), %%rax" : "+a"(value) : : "memory");
	printf("%ld, mask %lx\n", value, (long)mask_now());
	return 0;
}

static void
jump_out(int signal)
{
	siglongjmp(back, signal);
}

static int
sigbus(void)
{
	char name[] = "/tmp/gate-case-XXXXXX";
	int fd = mkstemp(name);
	unlink(name);
	show("ftruncate", ftruncate(fd, 8192));
	char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	handle(SIGBUS, jump_out, 0, 0);
	map[5000] = 1;
	show("ftruncate", ftruncate(fd, 4096));
	int from = sigsetjmp(back, 1);
	if (from == 0)
		printf("not reached %d\n", ((volatile char *)map)[5000]);
	else
		printf("from %d\n", from);
	/* The kernel's own touch is an error. */
	int null = open("/dev/zero", O_RDONLY);
	show("read into the hole", read(null, map + 4096, 10));
	return 0;
}

/* The signals that Quire holds, blocked, sent and waited for. */
static int
held(void)
{
	static const int held_signals[] = { SIGSEGV, SIGBUS, SIGSYS };
	sigset_t set;
	siginfo_t info;
	sigset_t none;
	sigemptyset(&none);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	printf("mask %lx\n", (long)mask_now());
	for (int i = 0; i < 3; i++) {
		int signal = held_signals[i];
		hits = 0;
		handle(signal, count, 0, 0);
		raise(signal);
		sigpending(&set);
		printf("%d: hits %d, pending %d\n", signal, (int)hits,
		    sigismember(&set, signal));
		sigemptyset(&set);
		sigaddset(&set, signal);
		show("sigwaitinfo", sigwaitinfo(&set, &info));
		raise(signal);
		show("sigsuspend", sigsuspend(&none));
		raise(signal);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		printf("%d: hits %d, mask in handler %lx\n", signal, (int)hits,
		    (long)mask_seen);
		handle(signal, SIG_IGN, 0, 0);
		raise(signal);
		printf("ignored\n");
	}
	return 0;
}

static int
flags(void)
{
	struct sigaction old;
	handle(SIGUSR1, count, (int)SA_RESETHAND, 0);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &old);
	printf("after RESETHAND: default %d\n", old.sa_handler == SIG_DFL);
	handle(SIGUSR2, count, SA_NODEFER | SA_RESTART, SIGUSR1);
	raise(SIGUSR2);
	sigaction(SIGUSR2, NULL, &old);
	printf("NODEFER: mask %lx flags %x handler %d\n", (long)mask_seen,
	    (unsigned)old.sa_flags, old.sa_handler == count);
	show("SIGKILL", sigaction(SIGKILL, &old, NULL));
	show("signal 65", syscall(SYS_rt_sigaction, 65, NULL, NULL, 8));
	show("bad size", syscall(SYS_rt_sigaction, 1, NULL, NULL, 4));
	show("bad address", syscall(SYS_rt_sigaction, 1, nowhere, NULL, 8));
	show("bad old", syscall(SYS_rt_sigaction, 1, NULL, nowhere, 8));
	show("bad how", syscall(SYS_rt_sigprocmask, 9, &old, NULL, 8));
	return 0;
}

/* Registers of the interrupted code survive a handler, SSE's too. */
static void
clobber(int signal)
{
	(void)signal;
	volatile double x = 1.0;
	for (int i = 0; i < 100; i++)
		x = x * 1.5 + i;
	hits++;
}

static int
registers(void)
{
	struct itimerval timer = { { 0, 500 }, { 0, 500 } };
	unsigned long sum = 0;
	double total = 0;
	handle(SIGALRM, clobber, SA_RESTART, 0);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (unsigned long i = 0; i < 30000000; i++) {
		sum = sum * 3 + i;
		total += (double)(sum & 7);
	}
	timer = (struct itimerval){ 0 };
	setitimer(ITIMER_REAL, &timer, NULL);
	printf("%lu %.1f %d\n", sum, total, hits > 3);
	return 0;
}

/* Handlers that nest, and a signal during each. */
static void
nest(int signal)
{
	if (signal < SIGRTMIN + 20)
		raise(signal + 1);
	hits++;
}

static int
nested(void)
{
	for (int i = SIGRTMIN; i <= SIGRTMIN + 20; i++)
		handle(i, nest, 0, 0);
	raise(SIGRTMIN);
	printf("hits %d mask %lx\n", (int)hits, (long)mask_now());
	return 0;
}

static int
stack_overflow_depth(volatile int n)
{
	volatile char page[4096];
	page[0] = (char)n;
	if (n < 0)
		return 0;
	return stack_overflow_depth(n + 1) + page[0];
}

static int
stack_overflow(void)
{
	stack_t stack = { .ss_sp = stack_memory,
		.ss_size = sizeof(stack_memory) };
	sigaltstack(&stack, NULL);
	handle(SIGSEGV, jump_out, SA_ONSTACK, 0);
	for (volatile int i = 0; i < 2; i++) {
		int from = sigsetjmp(back, 1);
		if (from == 0)
			stack_overflow_depth(0);
		printf("from %d\n", from);
	}
	return 0;
}

static ucontext_t main_context;
static ucontext_t other_context;

static void
other(void)
{
	for (int i = 0; i < 3; i++) {
		printf("other %d\n", i);
		swapcontext(&other_context, &main_context);
	}
}

/* Contexts switched by hand, one of them on heap memory. */
static int
contexts(void)
{
	getcontext(&other_context);
	other_context.uc_stack.ss_sp = malloc(65536);
	other_context.uc_stack.ss_size = 65536;
	other_context.uc_link = &main_context;
	makecontext(&other_context, other, 0);
	for (int i = 0; i < 4; i++) {
		handle(SIGUSR1, count, 0, 0);
		swapcontext(&main_context, &other_context);
		raise(SIGUSR1);
	}
	printf("hits %d\n", (int)hits);
	return 0;
}

static int
dies_segv(void)
{
	*(volatile int *)8 = 1;
	return 0;
}

static int
dies_blocked(void)
{
	sigset_t set;
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	handle(SIGSEGV, count, 0, 0);
	*(volatile int *)8 = 1;
	return 0;
}

static int
dies_ignored(void)
{
	handle(SIGSEGV, SIG_IGN, 0, 0);
	*(volatile int *)8 = 1;
	return 0;
}

static int
dies_term(void)
{
	kill(getpid(), SIGTERM);
	return 0;
}

static int
dies_kill(void)
{
	kill(getpid(), SIGKILL);
	return 0;
}

static int
dies_abort(void)
{
	abort();
}

static int
dies_sys(void)
{
	raise(SIGSYS);
	return 0;
}

static int
stops(void)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		raise(SIGSTOP);
		raise(SIGTSTP);
		_exit(9);
	}
	for (int i = 0; i < 3; i++) {
		waitpid(pid, &status, WUNTRACED);
		printf("stopped %d exited %d\n", WIFSTOPPED(status),
		    WIFEXITED(status));
		if (i < 2)
			kill(pid, SIGCONT);
	}
	/* A sleep that is stopped goes on, without a handler. */
	struct timespec time = { 0, 200000000 };
	pid = fork();
	if (pid == 0)
		_exit(nanosleep(&time, NULL) == 0 ? 5 : 6);
	sleep_ms(50);
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	printf("exit %d\n", WEXITSTATUS(status));
	return 0;
}

const struct test_case signal_cases[] = {
	{ "eintr", eintr },
	{ "restart", restart },
	{ "longjump", longjump },
	{ "altstack", altstack },
	{ "autodisarm", autodisarm },
	{ "filter", filter },
	{ "suspend", suspend },
	{ "masked_waits", masked_waits },
	{ "waits", waits },
	{ "segv", segv },
	{ "context_edit", context_edit },
	{ "sigbus", sigbus },
	{ "held", held },
	{ "flags", flags },
	{ "registers", registers },
	{ "nested", nested },
	{ "stack_overflow", stack_overflow },
	{ "contexts", contexts },
	{ "dies_segv", dies_segv },
	{ "dies_blocked", dies_blocked },
	{ "dies_ignored", dies_ignored },
	{ "dies_term", dies_term },
	{ "dies_kill", dies_kill },
	{ "dies_abort", dies_abort },
	{ "dies_sys", dies_sys },
	{ "stops", stops },
	{ 0 },
};
