/* SPDX-License-Identifier: MIT */
/* cases_futexes.c: futexes, and what threads make of them. */
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "case.h"

#define futex(...) syscall(SYS_futex, __VA_ARGS__)

static void
refused(void)
{
	uint32_t *word = cell(sizeof(*word));
	struct timespec *timeout = cell(sizeof(*timeout));
	*word = 7;
	CALL(futex(word, FUTEX_WAIT, 8, NULL, NULL, 0));
	CALL(futex(word, FUTEX_WAIT_PRIVATE, 8, NULL, NULL, 0));
	timeout->tv_nsec = 1000000;
	CALL(futex(word, FUTEX_WAIT_PRIVATE, 7, timeout, NULL, 0));
	CALL(futex(word, FUTEX_WAIT_BITSET, 7, timeout, NULL, 1));
	CALL(futex(word, FUTEX_WAKE, 1, NULL, NULL, 0));
	CALL(futex(word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	CALL(futex(word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 3));
	timeout->tv_nsec = -1;
	CALL(futex(word, FUTEX_WAIT_PRIVATE, 7, timeout, NULL, 0));
	CALL(futex(place(16), FUTEX_WAIT_PRIVATE, 7, NULL, NULL, 0));
}

static void
two_words(void)
{
	uint32_t *one = cell(sizeof(*one));
	uint32_t *two = cell(sizeof(*two));
	*one = 5;
	*two = 9;
	CALL(futex(one, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, two, 5));
	CALL(futex(one, FUTEX_CMP_REQUEUE, 1, (void *)1, two, 6));
	CALL(futex(one, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, two,
	    FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 9)));
	say("%u\n", *two);
	CALL(futex(one, FUTEX_WAKE_OP, 1, (void *)1, two,
	    FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_GT, 9)));
	say("%u\n", *two);
}

static void
owned(void)
{
	uint32_t *word = cell(sizeof(*word));
	struct timespec *timeout = cell(sizeof(*timeout));
	uint32_t self = (uint32_t)gettid();
	CALL(futex(word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	say("%d\n", *word == self);
	CALL(futex(word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	CALL(futex(word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	say("%u\n", *word);
	CALL(futex(word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	*word = self;
	timeout->tv_sec = 1;
	CALL(futex(word, FUTEX_LOCK_PI, 0, timeout, NULL, 0));
}

struct futex_waiter {
	uint64_t value;
	uint64_t address;
	uint32_t flags;
	uint32_t reserved;
};

static void
many_words(void)
{
	enum { COUNT = 60 };
	struct futex_waiter *waiters = cell(COUNT * sizeof(*waiters));
	struct timespec *timeout = cell(sizeof(*timeout));
	for (unsigned i = 0; i < COUNT; i++) {
		uint32_t *word = cell(sizeof(*word));
		*word = i;
		waiters[i] = (struct futex_waiter){ .value = i,
			.address = (uintptr_t)word,
			.flags = 2 | FUTEX_PRIVATE_FLAG };
	}
	CALL(syscall(SYS_futex_waitv, waiters, COUNT, 0, timeout,
	    CLOCK_MONOTONIC));
	waiters[COUNT - 1].value = 1000;
	CALL(syscall(SYS_futex_waitv, waiters, COUNT, 0, timeout,
	    CLOCK_MONOTONIC));
	timeout->tv_nsec = 1000;
	CALL(syscall(455 /* futex_wait */, (void *)waiters[5].address, 5,
	    0xffffffffUL, 2 | FUTEX_PRIVATE_FLAG, timeout, CLOCK_MONOTONIC));
	CALL(syscall(455, (void *)waiters[5].address, 6, 0xffffffffUL,
	    2 | FUTEX_PRIVATE_FLAG, NULL, 0));
	CALL(syscall(454 /* futex_wake */, (void *)waiters[5].address,
	    0xffffffffUL, 1, 2 | FUTEX_PRIVATE_FLAG));
	CALL(syscall(456 /* futex_requeue */, waiters, 0, 1, 1));
}

/* Two threads in turn; each wait is on a word that has been taken away. */
struct turns {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	unsigned turn;
	unsigned rounds;
};

static void *
turns_run(void *arg)
{
	struct turns *turns = arg;
	for (unsigned i = 0; i < turns->rounds; i++) {
		pthread_mutex_lock(&turns->mutex);
		while (turns->turn % 2 == 0)
			pthread_cond_wait(&turns->changed, &turns->mutex);
		turns->turn++;
		chill();
		pthread_cond_signal(&turns->changed);
		pthread_mutex_unlock(&turns->mutex);
	}
	return NULL;
}

static void
conditions(void)
{
	struct turns *turns = cell(sizeof(*turns));
	pthread_t thread;
	pthread_mutex_init(&turns->mutex, NULL);
	pthread_cond_init(&turns->changed, NULL);
	turns->rounds = 100;
	pthread_create(&thread, NULL, turns_run, turns);
	for (unsigned i = 0; i < turns->rounds; i++) {
		pthread_mutex_lock(&turns->mutex);
		while (turns->turn % 2 == 1)
			pthread_cond_wait(&turns->changed, &turns->mutex);
		turns->turn++;
		chill();
		pthread_cond_signal(&turns->changed);
		pthread_mutex_unlock(&turns->mutex);
	}
	pthread_join(thread, NULL);
	say("%u\n", turns->turn);
}

struct crowd {
	pthread_barrier_t barrier;
	pthread_rwlock_t lock;
	pthread_spinlock_t spin;
	unsigned counts[2];
};

static void *
crowd_run(void *arg)
{
	struct crowd *crowd = arg;
	for (unsigned i = 0; i < 20; i++) {
		pthread_barrier_wait(&crowd->barrier);
		pthread_rwlock_wrlock(&crowd->lock);
		crowd->counts[0]++;
		pthread_rwlock_unlock(&crowd->lock);
		chill();
		pthread_rwlock_rdlock(&crowd->lock);
		pthread_spin_lock(&crowd->spin);
		crowd->counts[1]++;
		pthread_spin_unlock(&crowd->spin);
		pthread_rwlock_unlock(&crowd->lock);
	}
	return NULL;
}

static void
crowds(void)
{
	enum { COUNT = 4 };
	struct crowd *crowd = cell(sizeof(*crowd));
	pthread_t threads[COUNT];
	pthread_barrier_init(&crowd->barrier, NULL, COUNT);
	pthread_rwlock_init(&crowd->lock, NULL);
	pthread_spin_init(&crowd->spin, 0);
	for (unsigned i = 0; i < COUNT; i++)
		pthread_create(&threads[i], NULL, crowd_run, crowd);
	for (unsigned i = 0; i < COUNT; i++)
		pthread_join(threads[i], NULL);
	say("%u %u\n", crowd->counts[0], crowd->counts[1]);
}

/* A thread ends with mutexes in its hands, which are cold by then. */
static void *
robust_run(void *arg)
{
	pthread_mutex_t **mutexes = arg;
	for (unsigned i = 0; mutexes[i] != NULL; i++)
		pthread_mutex_lock(mutexes[i]);
	chill();
	return NULL;
}

static void
robust(int protocol)
{
	enum { COUNT = 25 };
	pthread_mutex_t **mutexes = cell((COUNT + 1) * sizeof(*mutexes));
	pthread_mutexattr_t attr;
	pthread_t thread;
	unsigned dead = 0;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&attr, protocol);
	for (unsigned i = 0; i < COUNT; i++) {
		mutexes[i] = cell(sizeof(**mutexes));
		pthread_mutex_init(mutexes[i], &attr);
	}
	pthread_create(&thread, NULL, robust_run, mutexes);
	pthread_join(thread, NULL);
	for (unsigned i = 0; i < COUNT; i++) {
		chill();
		dead += pthread_mutex_lock(mutexes[i]) == EOWNERDEAD;
		pthread_mutex_consistent(mutexes[i]);
		pthread_mutex_unlock(mutexes[i]);
	}
	say("%u\n", dead);
}

static void
robust_plain(void)
{
	robust(PTHREAD_PRIO_NONE);
}

static void
robust_owned(void)
{
	robust(PTHREAD_PRIO_INHERIT);
}

static void *
killed_run(void *arg)
{
	pthread_mutex_t **mutexes = arg;
	robust_run(mutexes);
	raise(SIGKILL);
	return NULL;
}

/* Between processes; the one that has it is killed. */
static void
robust_killed(void)
{
	pthread_mutex_t *mutex = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutex_t *list[2] = { mutex, NULL };
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(mutex, &attr);
	pid_t pid = case_fork();
	if (pid == 0)
		killed_run(list);
	say_child("owner", pid);
	CALL(pthread_mutex_lock(mutex) == EOWNERDEAD);
	munmap(mutex, PAGE);
}

static pthread_key_t key;
static unsigned destroyed;

static void
destroy(void *value)
{
	destroyed += *(unsigned *)value;
}

static void *
own_stack_run(void *arg)
{
	unsigned *value = arg;
	unsigned char room[20000];
	memset(room, 3, sizeof(room));
	pthread_setspecific(key, value);
	chill();
	return (void *)(uintptr_t)(*value + room[*value]);
}

/* A stack that was out when the thread was born, and at its end. */
static void
own_stacks(void)
{
	const size_t size = 64 * KIB;
	pthread_key_create(&key, destroy);
	destroyed = 0;
	for (unsigned i = 0; i < 5; i++) {
		unsigned *value = cell(sizeof(*value));
		unsigned char *stack = cell_pages(size);
		pthread_attr_t attr;
		pthread_t thread;
		void *result = NULL;
		*value = 10 + i;
		pthread_attr_init(&attr);
		pthread_attr_setstack(&attr, stack, size);
		chill();
		int error =
		    pthread_create(&thread, &attr, own_stack_run, value);
		pthread_join(thread, &result);
		say("%d %lu\n", error, (unsigned long)result);
	}
	say("%u\n", destroyed);
	pthread_key_delete(key);
}

static void *
cancelled_run(void *arg)
{
	int *fd = arg;
	char byte;
	ssize_t n = read(*fd, &byte, 1);
	return (void *)n;
}

static void
cancelled(void)
{
	int *ends = cell(2 * sizeof(*ends));
	pthread_t thread;
	void *result;
	CALL(pipe(ends));
	for (int i = 0; i < 10; i++) {
		pthread_create(&thread, NULL, cancelled_run, ends);
		if (i % 2 == 0)
			usleep(500);
		chill();
		pthread_cancel(thread);
		pthread_join(thread, &result);
		say("%d\n", result == PTHREAD_CANCELED);
	}
	close(ends[0]);
	close(ends[1]);
}

static const struct test_case cases[] = {
	{ "refused", refused, 0 },
	{ "two_words", two_words, 0 },
	{ "owned", owned, 0 },
	{ "many_words", many_words, 0 },
	{ "conditions", conditions, CASE_HELD },
	{ "crowds", crowds, CASE_HELD },
	{ "robust_plain", robust_plain, CASE_HELD },
	{ "robust_owned", robust_owned, CASE_HELD },
	{ "robust_killed", robust_killed, 0 },
	{ "own_stacks", own_stacks, CASE_HELD },
	{ "cancelled", cancelled, CASE_HELD },
	{ 0 },
};

const struct test_group futexes_group = { "futexes", cases, NULL };
