/* SPDX-License-Identifier: MIT */
/* cases_signals.c: signals, their frames and stacks. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#include "case.h"

static volatile sig_atomic_t count;
static volatile sig_atomic_t last;

static void
on_signal(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	unsigned char room[12000];
	memset(room, 1, sizeof(room));
	count += room[count];
	last = info->si_value.sival_int;
}

static void
handle(int signal, int flags)
{
	struct sigaction *action = cell(sizeof(*action));
	action->sa_sigaction = on_signal;
	action->sa_flags = SA_SIGINFO | flags;
	CALL(sigaction(signal, action, NULL));
}

static void
actions(void)
{
	struct sigaction *action = cell(sizeof(*action));
	struct sigaction *old = cell(sizeof(*old));
	action->sa_sigaction = on_signal;
	action->sa_flags = SA_SIGINFO | SA_RESTART;
	sigaddset(&action->sa_mask, SIGUSR2);
	CALL(sigaction(SIGUSR1, action, NULL));
	CALL(sigaction(SIGUSR1, NULL, old));
	say("%d %d %d\n", old->sa_sigaction == on_signal,
	    sigismember(&old->sa_mask, SIGUSR2),
	    (old->sa_flags & SA_RESTART) != 0);
	action->sa_handler = SIG_DFL;
	CALL(sigaction(SIGUSR1, action, old));
	say("%d\n", old->sa_sigaction == on_signal);
	CALL(sigaction(SIGKILL, action, NULL));
	CALL(sigaction(SIGSEGV, NULL, old));
	say("%d\n", old->sa_handler == SIG_DFL);
	CALL(syscall(SYS_rt_sigaction, SIGUSR1, place(8), NULL, 8));
	CALL(syscall(SYS_rt_sigaction, SIGUSR1, NULL, place(8), 8));
}

static void
masks(void)
{
	sigset_t *set = cell(sizeof(*set));
	sigset_t *old = cell(sizeof(*old));
	sigaddset(set, SIGUSR1);
	sigaddset(set, SIGBUS);
	CALL(sigprocmask(SIG_BLOCK, set, old));
	CALL(sigprocmask(SIG_BLOCK, NULL, old));
	say("%d %d %d\n", sigismember(old, SIGUSR1), sigismember(old, SIGBUS),
	    sigismember(old, SIGUSR2));
	raise(SIGUSR1);
	CALL(sigpending(old));
	say("%d %d\n", sigismember(old, SIGUSR1), sigismember(old, SIGBUS));
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR1, SIG_DFL);
	CALL(sigprocmask(SIG_UNBLOCK, set, old));
	say("%d\n", sigismember(old, SIGUSR1));
}

static void
alternate_stack(void)
{
	stack_t *stack = cell(sizeof(*stack));
	stack_t *old = cell(sizeof(*old));
	unsigned char *room = cell_pages(64 * KIB);
	stack->ss_sp = room;
	stack->ss_size = 64 * KIB;
	CALL(sigaltstack(stack, old));
	say("%d\n", old->ss_flags == SS_DISABLE);
	handle(SIGUSR1, SA_ONSTACK);
	count = 0;
	for (int i = 0; i < 3; i++)
		CALL(sigqueue(getpid(), SIGUSR1,
		    (union sigval){ .sival_int = i }));
	say("%d %d\n", (int)count, (int)last);
	CALL(sigaltstack(NULL, old));
	say("%d\n", old->ss_sp == room && old->ss_size == 64 * KIB);
	stack->ss_flags = SS_DISABLE;
	CALL(sigaltstack(stack, NULL));
	signal(SIGUSR1, SIG_DFL);
}

static void
waited_for(void)
{
	sigset_t *set = cell(sizeof(*set));
	siginfo_t *info = cell(sizeof(*info));
	struct timespec *timeout = cell(sizeof(*timeout));
	int *number = cell(sizeof(*number));
	sigaddset(set, SIGUSR2);
	sigaddset(set, SIGRTMIN);
	CALL(sigprocmask(SIG_BLOCK, set, NULL));
	sigqueue(getpid(), SIGUSR2, (union sigval){ .sival_int = 43 });
	sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 1 });
	sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 2 });
	CALL(sigwaitinfo(set, info) == SIGUSR2);
	say("%d %d\n", info->si_value.sival_int, info->si_code == SI_QUEUE);
	CALL(sigtimedwait(set, info, timeout) == SIGRTMIN);
	say("%d\n", info->si_value.sival_int);
	CALL(sigwait(set, number));
	say("%d\n", *number == SIGRTMIN);
	timeout->tv_nsec = 1000000;
	CALL(sigtimedwait(set, info, timeout));
	CALL(sigprocmask(SIG_UNBLOCK, set, NULL));
}

static void
suspended(void)
{
	sigset_t *set = cell(sizeof(*set));
	sigset_t *none = cell(sizeof(*none));
	handle(SIGUSR1, 0);
	sigaddset(set, SIGUSR1);
	CALL(sigprocmask(SIG_BLOCK, set, NULL));
	for (int i = 0; i < 3; i++) {
		count = 0;
		raise(SIGUSR1);
		CALL(sigsuspend(none));
		say("%d\n", (int)count);
	}
	CALL(sigprocmask(SIG_UNBLOCK, set, NULL));
	signal(SIGUSR1, SIG_DFL);
}

static sigjmp_buf *back;

static void
leave(int signal, siginfo_t *info, void *context)
{
	(void)context;
	(void)info;
	siglongjmp(*back, signal);
}

/* Out of the handler of a real fault, again and again. */
static void
jumped(void)
{
	struct sigaction action = { .sa_sigaction = leave,
		.sa_flags = SA_SIGINFO };
	unsigned char *guarded = cell_pages(2 * PAGE);
	volatile unsigned faults = 0;
	back = cell(sizeof(*back));
	mprotect(guarded + PAGE, PAGE, PROT_READ);
	sigaction(SIGSEGV, &action, NULL);
	for (volatile int i = 0; i < 5; i++) {
		chill();
		if (sigsetjmp(*back, 1) == 0)
			((volatile unsigned char *)guarded)[PAGE + i] = 1;
		else
			faults++;
	}
	say("%u %d\n", faults, guarded[PAGE]);
	signal(SIGSEGV, SIG_DFL);
}

static void *fault_address;
static int fault_code;
static unsigned char *fault_page;

static void
repair(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	fault_address = info->si_addr;
	fault_code = info->si_code;
	mprotect(fault_page, PAGE, PROT_READ | PROT_WRITE);
}

/* A write barrier as collectors make it. */
static void
repaired(void)
{
	struct sigaction action = { .sa_sigaction = repair,
		.sa_flags = SA_SIGINFO };
	unsigned char *pages = cell_pages(4 * PAGE);
	sigaction(SIGSEGV, &action, NULL);
	memset(pages, 5, 4 * PAGE);
	for (size_t i = 0; i < 4; i++) {
		static const int rights[] = { PROT_READ, PROT_NONE };
		fault_page = pages + i * PAGE;
		mprotect(fault_page, PAGE, rights[i % 2]);
		chill();
		((volatile unsigned char *)fault_page)[i * 10] += 2;
		say("%d %d %d %d\n", fault_address == fault_page + i * 10,
		    fault_code == SEGV_ACCERR, fault_page[i * 10],
		    fault_page[i * 10 + 1]);
	}
	signal(SIGSEGV, SIG_DFL);
}

static void
flags(void)
{
	struct sigaction *old = cell(sizeof(*old));
	handle(SIGUSR1, (int)(SA_RESETHAND | SA_NODEFER));
	count = 0;
	CALL(raise(SIGUSR1));
	CALL(sigaction(SIGUSR1, NULL, old));
	say("%d %d\n", (int)count, old->sa_handler == SIG_DFL);
}

static char order[16];
static unsigned orders;

static void
record(int signal)
{
	if (orders < sizeof(order) - 1)
		order[orders++] = (char)('a' + signal - SIGRTMIN);
}

static void
ordered(void)
{
	sigset_t *set = cell(sizeof(*set));
	orders = 0;
	for (int i = 0; i < 5; i++) {
		signal(SIGRTMIN + i, record);
		sigaddset(set, SIGRTMIN + i);
	}
	CALL(sigprocmask(SIG_BLOCK, set, NULL));
	for (int i = 4; i >= 0; i--)
		raise(SIGRTMIN + i);
	CALL(sigprocmask(SIG_UNBLOCK, set, NULL));
	order[orders] = '\0';
	say("%s\n", order);
	for (int i = 0; i < 5; i++)
		signal(SIGRTMIN + i, SIG_DFL);
}

static void
divided(void)
{
	struct sigaction action = { .sa_sigaction = leave,
		.sa_flags = SA_SIGINFO };
	volatile int zero = 0;
	volatile int result = 0;
	back = cell(sizeof(*back));
	sigaction(SIGFPE, &action, NULL);
	chill();
	int got = sigsetjmp(*back, 1);
	if (got == 0)
		result = 5 / zero;
	say("%d %d\n", got == SIGFPE, result);
	signal(SIGFPE, SIG_DFL);
}

/* A handler that changes what it interrupted. */
static void
skip(int signal, siginfo_t *info, void *context)
{
	ucontext_t *where = context;
	(void)signal;
	(void)info;
	where->uc_mcontext.gregs[REG_RIP] += 2;
	where->uc_mcontext.gregs[REG_RAX] = 4711;
}

static void
changed_context(void)
{
	struct sigaction action = { .sa_sigaction = skip,
		.sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t stack = { .ss_sp = cell_pages(32 * KIB), .ss_size = 32 * KIB };
	long value = 1;
	sigaltstack(&stack, NULL);
	sigaction(SIGILL, &action, NULL);
	chill();
	__asm__ volatile("ud2" : "+a"(value));
	say("%ld\n", value);
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	signal(SIGILL, SIG_DFL);
}

/* Contexts of one's own, whose stacks are out. */
static ucontext_t *contexts;
static unsigned char seen[64];
static unsigned seen_count;

static void
coroutine(int which)
{
	unsigned char room[3000];
	for (int i = 0; i < 5; i++) {
		memset(room, which * 10 + i, sizeof(room));
		chill();
		seen[seen_count++] = room[100 * i];
		swapcontext(&contexts[which], &contexts[which == 1 ? 2 : 1]);
	}
}

static void
coroutines(void)
{
	contexts = cell(3 * sizeof(*contexts));
	seen_count = 0;
	for (int i = 1; i <= 2; i++) {
		getcontext(&contexts[i]);
		contexts[i].uc_stack.ss_sp = cell_pages(32 * KIB);
		contexts[i].uc_stack.ss_size = 32 * KIB;
		contexts[i].uc_link = &contexts[0];
		makecontext(&contexts[i], (void (*)(void))coroutine, 1, i);
	}
	chill();
	swapcontext(&contexts[0], &contexts[1]);
	for (unsigned i = 0; i < seen_count; i++)
		say("%d ", seen[i]);
	say("\n");
}

/* Many signals on a thread whose stack goes away all the time. */
static void *
pestered_run(void *arg)
{
	volatile unsigned *end = arg;
	unsigned long sum = 0;
	while (*end == 0) {
		unsigned char room[5000];
		memset(room, 2, sizeof(room));
		sum += room[sum % 5000];
	}
	return (void *)(sum % 2);
}

static void
pestered(void)
{
	unsigned *end = cell(sizeof(*end));
	pthread_attr_t attr;
	pthread_t thread;
	void *odd;
	handle(SIGUSR1, 0);
	count = 0;
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, cell_pages(64 * KIB), 64 * KIB);
	pthread_create(&thread, &attr, pestered_run, end);
	for (int i = 0; i < 100; i++) {
		int before = (int)count;
		chill();
		pthread_kill(thread, SIGUSR1);
		while (count == before)
			sched_yield();
	}
	*end = 1;
	pthread_join(thread, &odd);
	say("%d %d\n", (int)count, odd != NULL);
	signal(SIGUSR1, SIG_DFL);
}

static void
queued(void)
{
	siginfo_t *info = cell(sizeof(*info));
	handle(SIGUSR1, 0);
	count = 0;
	info->si_code = SI_QUEUE;
	info->si_signo = SIGUSR1;
	info->si_value.sival_int = 88;
	CALL(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, info));
	say("%d %d\n", (int)count, (int)last);
	info->si_value.sival_int = 89;
	CALL(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGUSR1, info));
	say("%d %d\n", (int)count, (int)last);
	CALL(tgkill(getpid(), gettid(), SIGUSR1));
	say("%d\n", (int)count);
	signal(SIGUSR1, SIG_DFL);
}

/* The registers of vectors survive a handler that uses them. */
static void
vectors_kept(void)
{
	typedef double vector __attribute__((vector_size(32)));
	vector *values = cell(sizeof(*values));
	handle(SIGUSR1, 0);
	*values = (vector){ 1.5, 2.5, 3.5, 4.5 };
	vector sum = { 0 };
	for (int i = 0; i < 20; i++) {
		chill();
		sum += *values;
		raise(SIGUSR1);
	}
	say("%g %g %g %g\n", sum[0], sum[1], sum[2], sum[3]);
	signal(SIGUSR1, SIG_DFL);
}

static const struct test_case cases[] = {
	{ "actions", actions, 0 },
	{ "masks", masks, 0 },
	{ "alternate_stack", alternate_stack, 0 },
	{ "waited_for", waited_for, 0 },
	{ "suspended", suspended, 0 },
	{ "jumped", jumped, 0 },
	{ "repaired", repaired, 0 },
	{ "flags", flags, 0 },
	{ "ordered", ordered, 0 },
	{ "divided", divided, 0 },
	{ "changed_context", changed_context, 0 },
	{ "coroutines", coroutines, CASE_HELD },
	{ "pestered", pestered, CASE_HELD },
	{ "queued", queued, 0 },
	{ "vectors_kept", vectors_kept, 0 },
	{ 0 },
};

const struct test_group signals_group = { "signals", cases, NULL };
