/* SPDX-License-Identifier: MIT */
/*
 * cases_thread.c: threads, cancellation, futexes, signals between threads.
 */
#define _GNU_SOURCE
#include "case.h"

#include <linux/futex.h>
#include <linux/sched.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static volatile sig_atomic_t hits;
static int pipes[2];
static _Thread_local int local = 5;

static void
count(int signal)
{
	(void)signal;
	hits++;
}

static void *
add_one(void *arg)
{
	local++;
	return (char *)arg + local - 5;
}

static int
create_join(void)
{
	long sum = 0;
	for (long i = 0; i < 1000; i++) {
		pthread_t thread;
		void *result;
		if (pthread_create(&thread, NULL, add_one, (void *)i) != 0)
			return 1;
		pthread_join(thread, &result);
		sum += (long)result;
	}
	printf("%ld\n", sum);
	return 0;
}

static int
create_many(void)
{
	pthread_t threads[100];
	pthread_attr_t attr;
	long sum = 0;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (int round = 0; round < 5; round++) {
		for (long i = 0; i < 100; i++)
			pthread_create(&threads[i], &attr, add_one, (void *)i);
		for (long i = 0; i < 100; i++) {
			void *result;
			pthread_join(threads[i], &result);
			sum += (long)result;
		}
	}
	printf("%ld\n", sum);
	return 0;
}

static void
cleaned(void *arg)
{
	printf("cleaned %s\n", (const char *)arg);
}

static void *
blocked_reader(void *arg)
{
	char c;
	pthread_cleanup_push(cleaned, arg);
	if (strcmp(arg, "asynchronous") == 0) {
		int old;
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
		for (;;)
			__asm__ volatile("pause");
	}
	if (read(pipes[0], &c, 1) != 1)
		perror("read");
	pthread_cleanup_pop(0);
	return NULL;
}

static void
cancel_one(const char *how, long wait_ms)
{
	pthread_t thread;
	void *result;
	pthread_create(&thread, NULL, blocked_reader, (void *)(uintptr_t)how);
	sleep_ms(wait_ms);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	printf("%s: canceled %d\n", how, result == PTHREAD_CANCELED);
}

static int
cancel(void)
{
	show("pipe", pipe(pipes));
	cancel_one("deferred", 20);
	cancel_one("asynchronous", 20);
	for (int i = 0; i < 20; i++) {
		cancel_one("deferred", 0);
		cancel_one("asynchronous", 0);
	}
	return 0;
}

/* A thread dies with robust mutexes in memory that may be cold. */
static pthread_mutex_t *robust[40];

static void *
lock_and_die(void *arg)
{
	for (int i = 0; i < 40; i++)
		pthread_mutex_lock(robust[i]);
	/* Time for the pages to go. */
	for (int i = 0; i < 500 && getppid() != 0; i++)
		;
	return arg;
}

static int
robust_list(void)
{
	pthread_mutexattr_t attr;
	pthread_t thread;
	int dead = 0;
	char *memory = mmap(NULL, 40 * 8192, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	for (int i = 0; i < 40; i++) {
		robust[i] = (void *)(memory + i * 8192);
		pthread_mutex_init(robust[i], &attr);
	}
	pthread_create(&thread, NULL, lock_and_die, NULL);
	pthread_join(thread, NULL);
	for (int i = 0; i < 40; i++)
		dead += pthread_mutex_lock(robust[i]) == EOWNERDEAD;
	printf("%d\n", dead);
	return 0;
}

static int futex_word;
static _Atomic(int) futex_tid;

static void *
futex_waiter(void *arg)
{
	(void)arg;
	futex_tid = (int)syscall(SYS_gettid);
	long result =
	    syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, NULL);
	printf("%ld %d\n", result, errno == EINTR);
	return NULL;
}

/* Returns when the waiter sleeps on the word. */
static void
futex_settle(void)
{
	char path[64], wanted[64], text[64] = "";
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", futex_tid);
	snprintf(wanted, sizeof(wanted), "%d %p ", SYS_futex,
	    (void *)&futex_word);
	while (strncmp(text, wanted, strlen(wanted)) != 0) {
		FILE *file = fopen(path, "r");
		if (file == NULL || fgets(text, sizeof(text), file) == NULL)
			exit(1);
		fclose(file);
	}
}

static pthread_t
futex_start(void)
{
	pthread_t thread;
	futex_tid = 0;
	pthread_create(&thread, NULL, futex_waiter, NULL);
	while (futex_tid == 0)
		sched_yield();
	futex_settle();
	return thread;
}

static int
futex_signal(void)
{
	handle(SIGUSR1, count, 0, 0);
	pthread_t thread = futex_start();
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	handle(SIGUSR1, count, SA_RESTART, 0);
	thread = futex_start();
	pthread_kill(thread, SIGUSR1);
	while (hits < 2)
		sched_yield();
	printf("hits %d\n", (int)hits);
	/* It may be in the handler still, and look at the word behind it. */
	futex_settle();
	futex_word = 1;
	syscall(SYS_futex, &futex_word, FUTEX_WAKE_PRIVATE, 1);
	pthread_join(thread, NULL);
	return 0;
}

static volatile bool stop;

static void *
signalled(void *arg)
{
	unsigned long *sum = arg;
	while (!stop) {
		if (getppid() == 0)
			break;
		(*sum)++;
	}
	return NULL;
}

/* Threads that make calls under a rain of signals. */
static int
storm(void)
{
	pthread_t threads[3];
	unsigned long sums[3] = { 0 };
	handle(SIGUSR1, count, SA_RESTART, 0);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, signalled, &sums[i]);
	for (int i = 0; i < 3000; i++)
		pthread_kill(threads[i % 3], SIGUSR1);
	stop = true;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	printf("hits %d\n", hits > 0);
	return 0;
}

static void *
forker(void *arg)
{
	int status;
	(void)arg;
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			pthread_t thread;
			void *result;
			pthread_create(&thread, NULL, add_one, (void *)1);
			pthread_join(thread, &result);
			_exit((int)(long)result);
		}
		waitpid(pid, &status, 0);
		hits += WEXITSTATUS(status);
	}
	return NULL;
}

static int
fork_from_thread(void)
{
	pthread_t threads[2];
	unsigned long sum = 0;
	pthread_create(&threads[0], NULL, signalled, &sum);
	pthread_create(&threads[1], NULL, forker, NULL);
	pthread_join(threads[1], NULL);
	stop = true;
	pthread_join(threads[0], NULL);
	printf("hits %d\n", (int)hits);
	return 0;
}

static void *
leave_later(void *arg)
{
	sleep_ms(30);
	printf("last one\n");
	fflush(stdout);
	(void)arg;
	return NULL;
}

static int
main_exits_first(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, leave_later, NULL);
	pthread_exit(NULL);
}

/* clone and clone3 without libc's help: a process that shares memory. */
static int shared_value;

static int
clone_child(void *arg)
{
	shared_value += *(int *)arg;
	return 21;
}

static int
raw_clone(void)
{
	int add = 4;
	int status;
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid = clone(clone_child, stack + 65536, CLONE_VM | SIGCHLD, &add);
	waitpid(pid, &status, 0);
	printf("vm: %d, exit %d\n", shared_value, WEXITSTATUS(status));
	pid = clone(clone_child, stack + 65536, SIGCHLD, &add);
	waitpid(pid, &status, 0);
	printf("no vm: %d, exit %d\n", shared_value, WEXITSTATUS(status));
	struct clone_args args = { .exit_signal = SIGCHLD };
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		_exit(22);
	waitpid(pid, &status, 0);
	printf("clone3: exit %d\n", WEXITSTATUS(status));
	show("clone3, bad size", syscall(SYS_clone3, &args, 8));
	show("clone3, bad address", syscall(SYS_clone3, nowhere, 64));
	args.flags = CLONE_THREAD;
	show("clone3, bad flags", syscall(SYS_clone3, &args, sizeof(args)));
	show("clone, bad flags",
	    syscall(SYS_clone, CLONE_SIGHAND | CLONE_THREAD, stack + 4096));
	show("clone, vm, bad flags",
	    syscall(SYS_clone, CLONE_VM | CLONE_THREAD, stack + 4096));
	return 0;
}

/* Spawns from several threads at once: each guest has a record of its own. */
static void *
spawner(void *arg)
{
	char *const argv[] = { "sh", "-c", "exit 3", NULL };
	long sum = 0;
	(void)arg;
	for (int i = 0; i < 15; i++) {
		pid_t pid;
		int status = 0;
		if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) ==
		    0)
			waitpid(pid, &status, 0);
		sum += WEXITSTATUS(status);
	}
	return (void *)sum;
}

static int
spawn_threads(void)
{
	pthread_t threads[4];
	long sum = 0;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, spawner, NULL);
	for (int i = 0; i < 4; i++) {
		void *result;
		pthread_join(threads[i], &result);
		sum += (long)result;
	}
	printf("%ld\n", sum);
	return 0;
}

static void *
execer(void *arg)
{
	(void)arg;
	execl("/bin/sh", "sh", "-c", "echo from a thread; exit 4",
	    (char *)NULL);
	return NULL;
}

static int
exec_from_thread(void)
{
	pthread_t threads[3];
	unsigned long sums[2] = { 0 };
	pthread_create(&threads[0], NULL, signalled, &sums[0]);
	pthread_create(&threads[1], NULL, signalled, &sums[1]);
	pthread_create(&threads[2], NULL, execer, NULL);
	pthread_join(threads[2], NULL);
	return 1;
}

static void
on_timer(union sigval value)
{
	__atomic_fetch_add((int *)value.sival_ptr, 1, __ATOMIC_SEQ_CST);
}

/* libc's own signals: a timer's thread, a change of user in all threads. */
static int
libc_signals(void)
{
	int fired = 0;
	timer_t timer;
	pthread_t thread;
	unsigned long sum = 0;
	struct sigevent event = { .sigev_notify = SIGEV_THREAD,
		.sigev_notify_function = on_timer,
		.sigev_value = { .sival_ptr = &fired } };
	struct itimerspec when = { { 0, 5000000 }, { 0, 5000000 } };
	show("timer_create", timer_create(CLOCK_MONOTONIC, &event, &timer));
	show("timer_settime", timer_settime(timer, 0, &when, NULL));
	while (__atomic_load_n(&fired, __ATOMIC_SEQ_CST) < 3)
		sleep_ms(2);
	show("timer_delete", timer_delete(timer));
	pthread_create(&thread, NULL, signalled, &sum);
	for (int i = 0; i < 20; i++) {
		if (setresuid(getuid(), getuid(), getuid()) != 0)
			perror("setresuid");
	}
	stop = true;
	pthread_join(thread, NULL);
	return 0;
}

const struct test_case thread_cases[] = {
	{ "create_join", create_join },
	{ "create_many", create_many },
	{ "cancel", cancel },
	{ "robust_list", robust_list },
	{ "futex_signal", futex_signal },
	{ "storm", storm },
	{ "fork_from_thread", fork_from_thread },
	{ "main_exits_first", main_exits_first },
	{ "raw_clone", raw_clone },
	{ "spawn_threads", spawn_threads },
	{ "exec_from_thread", exec_from_thread },
	{ "libc_signals", libc_signals },
	{ 0 },
};
