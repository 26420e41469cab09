/* SPDX-License-Identifier: MIT */
/* cases_ipc.c: message queues, semaphores, shared memory, keys. */
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "case.h"

static void
mq_name(char *name, size_t size)
{
	snprintf(name, size, "/transparency-%d", getpid());
}

static void
mq_messages(void)
{
	char *name = cell(64);
	struct mq_attr *attr = cell(sizeof(*attr));
	struct mq_attr *old = cell(sizeof(*old));
	char *from = (char *)cell_fill(3000, 1);
	char *to = cell(3000);
	unsigned *priority = cell(sizeof(*priority));
	struct timespec *when = cell(sizeof(*when));
	mq_name(name, 64);
	attr->mq_maxmsg = 4;
	attr->mq_msgsize = 3000;
	chill();
	mqd_t mq = mq_open(name, O_CREAT | O_RDWR | O_NONBLOCK, 0600, attr);
	if (mq < 0) {
		say_skipped("no POSIX message queues here");
		return;
	}
	CALL(mq_getattr(mq, old));
	say("%ld %ld\n", old->mq_maxmsg, old->mq_msgsize);
	CALL(mq_send(mq, from, 3000, 5));
	CALL(mq_send(mq, from + 7, 0, 1));
	CALL(mq_timedsend(mq, from + 9, 2000, 9, when));
	CALL(mq_getattr(mq, old));
	say("%ld\n", old->mq_curmsgs);
	for (int i = 0; i < 4; i++) {
		CALL(mq_receive(mq, to, 3000, priority));
		say("%u\n", *priority);
		say_bytes("to", to, 3000);
	}
	attr->mq_flags = 0;
	CALL(mq_setattr(mq, attr, old));
	say("%d\n", old->mq_flags == O_NONBLOCK);
	CALL(mq_timedreceive(mq, to, 3000, priority, when));
	CALL(mq_receive(mq, to, 10, priority));
	CALL(mq_unlink(name));
	mq_close(mq);
}

static volatile sig_atomic_t told;

static void
tell(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	told = info->si_value.sival_int;
}

static void
mq_told(void)
{
	char *name = cell(64);
	struct sigevent *event = cell(sizeof(*event));
	struct sigaction action = { .sa_sigaction = tell,
		.sa_flags = SA_SIGINFO };
	mq_name(name, 64);
	chill();
	mqd_t mq = mq_open(name, O_CREAT | O_RDWR, 0600, NULL);
	if (mq < 0) {
		say_skipped("no POSIX message queues here");
		return;
	}
	sigaction(SIGUSR2, &action, NULL);
	event->sigev_notify = SIGEV_SIGNAL;
	event->sigev_signo = SIGUSR2;
	event->sigev_value.sival_int = 123;
	CALL(mq_notify(mq, event));
	CALL(mq_send(mq, name, 5, 0));
	say("%d\n", (int)told);
	CALL(mq_notify(mq, NULL));
	mq_unlink(name);
	mq_close(mq);
	signal(SIGUSR2, SIG_DFL);
}

struct message {
	long type;
	char text[2000];
};

static void
sysv_messages(void)
{
	struct message *out = cell(sizeof(*out));
	struct message *in = cell(sizeof(*in));
	struct msqid_ds *about = cell(sizeof(*about));
	int queue = msgget(IPC_PRIVATE, 0600);
	memset(out->text, 'm', sizeof(out->text));
	for (int i = 1; i < 4; i++) {
		out->type = i;
		CALL(msgsnd(queue, out, (size_t)i * 600, 0));
	}
	CALL(msgctl(queue, IPC_STAT, about));
	say("%lu\n", (unsigned long)about->msg_qnum);
	CALL(msgrcv(queue, in, 100, 2, 0));
	CALL(msgrcv(queue, in, sizeof(in->text), 2, 0));
	say("%ld %d\n", in->type, memcmp(in->text, out->text, 1200));
	CALL(msgrcv(queue, in, 100, 0, MSG_NOERROR));
	say("%ld\n", in->type);
	CALL(msgrcv(queue, in, sizeof(in->text), -5, IPC_NOWAIT));
	CALL(msgrcv(queue, in, sizeof(in->text), 0, IPC_NOWAIT));
	about->msg_perm.mode = 0400;
	CALL(msgctl(queue, IPC_SET, about));
	out->type = 0;
	CALL(msgsnd(queue, out, 1, 0));
	CALL(msgctl(queue, IPC_RMID, NULL));
}

union semaphore {
	int value;
	struct semid_ds *about;
	unsigned short *values;
	struct seminfo *info;
};

static void
sysv_semaphores(void)
{
	enum { COUNT = 300 };
	struct sembuf *operations = cell(3 * sizeof(*operations));
	unsigned short *values = cell(COUNT * sizeof(*values));
	struct semid_ds *about = cell(sizeof(*about));
	struct timespec *timeout = cell(sizeof(*timeout));
	int set = semget(IPC_PRIVATE, COUNT, 0600);
	union semaphore arg = { .values = values };
	for (unsigned i = 0; i < COUNT; i++)
		values[i] = (unsigned short)(i % 50);
	if (CALL(semctl(set, 0, SETALL, arg)) != 0)
		return;
	memset(values, 0, COUNT * sizeof(*values));
	operations[0] = (struct sembuf){ 30, -20, 0 };
	operations[1] = (struct sembuf){ 0, 0, 0 };
	operations[2] = (struct sembuf){ 299, 5, SEM_UNDO };
	CALL(semop(set, operations, 3));
	CALL(semctl(set, 0, GETALL, arg));
	say_bytes("values", values, COUNT * sizeof(*values));
	arg.about = about;
	CALL(semctl(set, 0, IPC_STAT, arg));
	say("%lu\n", (unsigned long)about->sem_nsems);
	operations[0] = (struct sembuf){ 0, -1, 0 };
	timeout->tv_nsec = 1000000;
	CALL(semtimedop(set, operations, 1, timeout));
	operations[0].sem_flg = IPC_NOWAIT;
	CALL(semop(set, operations, 1));
	CALL(semctl(set, 0, IPC_RMID, arg));
}

static void
sysv_memory(void)
{
	struct shmid_ds *about = cell(sizeof(*about));
	unsigned char *from = cell_fill(50000, 2);
	int id = shmget(IPC_PRIVATE, 100000, 0600);
	unsigned char *shared = shmat(id, NULL, 0);
	chill();
	memcpy(shared, from, 50000);
	CALL(shmctl(id, IPC_STAT, about));
	say("%zu %lu\n", about->shm_segsz, (unsigned long)about->shm_nattch);
	pid_t pid = case_fork();
	if (pid == 0) {
		shared[70000] = shared[49999];
		_exit(shmdt(shared) != 0);
	}
	say_child("child", pid);
	say("%d %d\n", shared[70000] == from[49999],
	    memcmp(shared, from, 50000));
	CALL(shmctl(id, IPC_RMID, NULL));
	CALL(shmdt(shared));
}

/* Over memory of the program's own: it gives way. */
static void
sysv_memory_over(void)
{
	unsigned char *under = cell_pages(8 * PAGE);
	int id = shmget(IPC_PRIVATE, 4 * PAGE, 0600);
	memset(under, 7, 8 * PAGE);
	CALL(shmat(id, under + 2 * PAGE, 0) == (void *)-1);
	CALL(shmat(id, under + 2 * PAGE, SHM_REMAP) == under + 2 * PAGE);
	say("%d %d %d %d\n", under[PAGE], under[2 * PAGE], under[5 * PAGE],
	    under[6 * PAGE]);
	under[3 * PAGE] = 9;
	CALL(shmdt(under + 2 * PAGE));
	CALL(shmctl(id, IPC_RMID, NULL));
	say("%d %d\n", under[PAGE], under[7 * PAGE]);
}

static void
posix_memory(void)
{
	char *name = cell(64);
	mq_name(name, 64);
	unsigned char *from = cell_fill(30000, 3);
	chill();
	int fd = shm_open(name, O_CREAT | O_RDWR, 0600);
	CALL(ftruncate(fd, 30000));
	unsigned char *shared =
	    mmap(NULL, 30000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CALL(write(fd, from, 30000));
	say("%d\n", memcmp(shared, from, 30000));
	shared[5] = 77;
	CALL(pread(fd, from, 30000, 0));
	say("%d\n", from[5]);
	CALL(msync(shared, 30000, MS_SYNC));
	CALL(shm_unlink(name));
	munmap(shared, 30000);
	close(fd);
}

static void
posix_semaphores(void)
{
	sem_t *semaphore = cell(sizeof(*semaphore));
	struct timespec *when = cell(sizeof(*when));
	CALL(sem_init(semaphore, 0, 2));
	CALL(sem_wait(semaphore));
	CALL(sem_trywait(semaphore));
	CALL(sem_trywait(semaphore));
	CALL(sem_timedwait(semaphore, when));
	CALL(sem_post(semaphore));
	CALL(sem_wait(semaphore));
	CALL(sem_destroy(semaphore));
}

/* Between processes, in memory that both have. */
static void
shared_semaphores(void)
{
	sem_t *semaphores = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	chill_also(semaphores, PAGE);
	sem_init(&semaphores[0], 1, 0);
	sem_init(&semaphores[1], 1, 0);
	pid_t pid = case_fork();
	if (pid == 0) {
		for (int i = 0; i < 50; i++) {
			sem_wait(&semaphores[0]);
			chill();
			sem_post(&semaphores[1]);
		}
		_exit(0);
	}
	for (int i = 0; i < 50; i++) {
		chill();
		sem_post(&semaphores[0]);
		sem_wait(&semaphores[1]);
	}
	say_child("child", pid);
	munmap(semaphores, PAGE);
}

static void
keys(void)
{
	char *type = cell_text("user");
	char *name = cell_text("transparency");
	unsigned char *value = cell_fill(1000, 4);
	unsigned char *back = cell(1000);
	chill();
	long key = syscall(SYS_add_key, type, name, value, 1000,
	    -2 /* of the process */);
	if (key < 0) {
		say_skipped("no keys here");
		return;
	}
	CALL(syscall(SYS_keyctl, 11 /* READ */, key, back, 1000));
	say("%d\n", memcmp(value, back, 1000));
	CALL(syscall(SYS_keyctl, 11, key, back, 10));
	CALL(syscall(SYS_keyctl, 2 /* UPDATE */, key, value + 3, 20));
	CALL(syscall(SYS_keyctl, 11, key, back, 1000));
	say("%d\n", memcmp(value + 3, back, 20));
	CALL(syscall(SYS_keyctl, 10 /* SEARCH */, -2, type, name, 0) == key);
	CALL(syscall(SYS_keyctl, 9 /* UNLINK */, key, -2));
}

static const struct test_case cases[] = {
	{ "mq_messages", mq_messages, 0 },
	{ "mq_told", mq_told, 0 },
	{ "sysv_messages", sysv_messages, 0 },
	{ "sysv_semaphores", sysv_semaphores, 0 },
	{ "sysv_memory", sysv_memory, 0 },
	{ "sysv_memory_over", sysv_memory_over, CASE_HELD },
	{ "posix_memory", posix_memory, 0 },
	{ "posix_semaphores", posix_semaphores, 0 },
	{ "shared_semaphores", shared_semaphores, CASE_HELD },
	{ "keys", keys, 0 },
	{ 0 },
};

const struct test_group ipc_group = { "ipc", cases, NULL };
