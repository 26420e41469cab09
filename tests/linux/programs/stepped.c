/* SPDX-License-Identifier: MIT */
/*
 * stepped: a signal at each of the last moments of a fault.
 *
 * A debugger steps a child through the touch of a page that has been pushed
 * out, and keeps the addresses of the last instructions before the touch is
 * made again. Then it stops one more such fault at each of them, sends a
 * signal, and lets go. The handler must run though the child makes no system
 * call, and what was interrupted must find its registers, vectors and flags.
 */
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE    ((size_t)4096)
#define MOMENTS 40
#define QUIET   4    /* rounds before; the last is the one stepped through */
#define SECONDS 100u /* for what takes one, on a machine that is busy */

extern const unsigned char stepped_loaded[]; /* behind the load's stop */

static volatile int arrived;

static void
on_signal(int number)
{
	volatile double values[8];
	for (int i = 0; i < 8; i++)
		values[i] = number * 1.5 + i;
	arrived += values[1] > 1;
}

/* Loads from there between two stops, with full registers; whether one of
 * them is not the same after it. */
static int
load_damages(const unsigned char *at)
{
	unsigned long odd;
	__asm__ volatile(
	    "movl $11, %%ebx\n\tmovl $12, %%ecx\n\tmovl $13, %%edx\n\t"
	    "movl $14, %%esi\n\tmovl $18, %%r8d\n\tmovl $19, %%r9d\n\t"
	    "movl $20, %%r10d\n\tmovl $21, %%r11d\n\tmovl $22, %%r12d\n\t"
	    "movl $23, %%r13d\n\tmovl $24, %%r14d\n\tmovl $25, %%r15d\n\t"
	    "movq %%r8, %%xmm0\n\tmovq %%r15, %%xmm15\n\t"
	    "movq %%rdi, %%xmm7\n\t"
	    "int3\n\t"
	    "stc\n\t"
	    "movb (%%rdi), %%al\n\t"
	    "int3\n"
	    "stepped_loaded:\n\t"
	    "setnc %%al\n\tmovzbl %%al, %%eax\n\t"
	    "subl $11, %%ebx\n\torq %%rbx, %%rax\n\t"
	    "subl $12, %%ecx\n\torq %%rcx, %%rax\n\t"
	    "subl $13, %%edx\n\torq %%rdx, %%rax\n\t"
	    "subl $14, %%esi\n\torq %%rsi, %%rax\n\t"
	    "movq %%xmm0, %%rcx\n\tsubl $18, %%ecx\n\torq %%rcx, %%rax\n\t"
	    "movq %%xmm15, %%rcx\n\tsubl $25, %%ecx\n\torq %%rcx, %%rax\n\t"
	    "movq %%xmm7, %%rcx\n\tsubq %%rdi, %%rcx\n\torq %%rcx, %%rax\n\t"
	    "subl $18, %%r8d\n\torq %%r8, %%rax\n\t"
	    "subl $19, %%r9d\n\torq %%r9, %%rax\n\t"
	    "subl $20, %%r10d\n\torq %%r10, %%rax\n\t"
	    "subl $21, %%r11d\n\torq %%r11, %%rax\n\t"
	    "subl $22, %%r12d\n\torq %%r12, %%rax\n\t"
	    "subl $23, %%r13d\n\torq %%r13, %%rax\n\t"
	    "subl $24, %%r14d\n\torq %%r14, %%rax\n\t"
	    "subl $25, %%r15d\n\torq %%r15, %%rax\n\t"
	    : "=a"(odd)
	    : "D"(at)
	    : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12",
	    "r13", "r14", "r15", "xmm0", "xmm7", "xmm15", "cc", "memory");
	return odd != 0;
}

/* Rounds without a signal, then one for each moment. */
_Noreturn static void
child_run(unsigned char *page)
{
	int odd = 0;
	signal(SIGUSR1, on_signal);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	for (int round = 1 - QUIET; round <= MOMENTS; round++) {
		page[0] = (unsigned char)round;
		madvise(page, PAGE, MADV_PAGEOUT);
		odd += load_damages(page);
		while (arrived < round)
			continue;
	}
	_exit(odd);
}

static void
give_up(const char *what)
{
	fprintf(stderr, "stepped: %s\n", what);
	exit(1);
}

static void
on_alarm(int number)
{
	static const char text[] = "stepped: a signal was lost\n";
	(void)number;
	_exit(write(2, text, sizeof(text) - 1) < 0 ? 2 : 1);
}

#define REGISTER(name) ((void *)offsetof(struct user_regs_struct, name))
#define LOADED_BYTES   64u /* of load_damages there, at least */
#define TRAP_FLAG      0x100L

static uintptr_t
child_at(pid_t child)
{
	return (uintptr_t)ptrace(PTRACE_PEEKUSER, child, REGISTER(rip), NULL);
}

/* Until the child stops for its tracer, or ends; other signals are passed
 * on. How it came to that. */
static int
wait_for(pid_t child, enum __ptrace_request how)
{
	for (;;) {
		int status = 0;
		if (waitpid(child, &status, 0) != child)
			give_up("no child to wait for");
		if (!WIFSTOPPED(status) || WSTOPSIG(status) == SIGTRAP)
			return status;
		ptrace(how, child, NULL, (void *)(uintptr_t)WSTOPSIG(status));
	}
}

static int
resume(pid_t child, enum __ptrace_request how)
{
	ptrace(how, child, NULL, NULL);
	return wait_for(child, how);
}

static void
run(pid_t child, enum __ptrace_request how)
{
	if (!WIFSTOPPED(resume(child, how)))
		give_up("the child has ended");
}

/* Goes on to an instruction that is there to stop it. */
static void
run_to_stop(pid_t child)
{
	siginfo_t info;
	do {
		run(child, PTRACE_CONT);
		if (ptrace(PTRACE_GETSIGINFO, child, NULL, &info) != 0)
			give_up("no signal to look at");
	} while (info.si_code != SI_KERNEL);
}

/* Steps on behind the load; what is stepped through, the last at the end. */
static size_t
step_through(pid_t child, uintptr_t last[MOMENTS])
{
	size_t steps = 0;
	uintptr_t at = child_at(child);
	/* Some kernels take a step more at an instruction that stops. */
	while (at - (uintptr_t)stepped_loaded >= LOADED_BYTES) {
		last[steps++ % MOMENTS] = at;
		run(child, PTRACE_SINGLESTEP);
		at = child_at(child);
	}
	long flags = ptrace(PTRACE_PEEKUSER, child, REGISTER(eflags), NULL);
	ptrace(PTRACE_POKEUSER, child, REGISTER(eflags),
	    (void *)(flags & ~TRAP_FLAG));
	return steps;
}

/* Goes on to the place in the child's code. */
static void
run_to(pid_t child, uintptr_t place)
{
	long code = ptrace(PTRACE_PEEKTEXT, child, (void *)place, NULL);
	long stop = (code & ~0xffL) | 0xcc;
	ptrace(PTRACE_POKETEXT, child, (void *)place, (void *)stop);
	run_to_stop(child);
	if (child_at(child) != place + 1)
		give_up("the fault went another way");
	ptrace(PTRACE_POKETEXT, child, (void *)place, (void *)code);
	ptrace(PTRACE_POKEUSER, child, REGISTER(rip), (void *)place);
}

int
main(void)
{
	static uintptr_t last[MOMENTS];
	unsigned char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		give_up("no memory");
	pid_t child = fork();
	if (child == 0)
		child_run(page);
	signal(SIGALRM, on_alarm);
	alarm(SECONDS);

	/* To the load, and behind it. */
	wait_for(child, PTRACE_CONT);
	ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)PTRACE_O_EXITKILL);
	for (int i = 0; i < 2 * QUIET - 2; i++)
		run_to_stop(child);
	size_t steps = step_through(child, last);
	size_t moments = steps < MOMENTS ? steps : MOMENTS;
	for (size_t i = 0; i < MOMENTS; i++) {
		run_to_stop(child);
		run_to(child, last[(steps + i) % moments]);
		kill(child, SIGUSR1);
		run_to_stop(child);
	}
	int status = resume(child, PTRACE_CONT);
	if (!WIFEXITED(status))
		give_up("the child did not end by itself");
	printf("%d signals, %d loads with damage\n", MOMENTS,
	    WEXITSTATUS(status));
	if (getenv("STEPPED_SAY") != NULL)
		fprintf(stderr, "%zu instructions\n", steps);
	return 0;
}
