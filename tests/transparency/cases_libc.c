/* SPDX-License-Identifier: MIT */
/* cases_libc.c: what libc makes of the calls, its own threads and memory. */
#include <aio.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <iconv.h>
#include <mqueue.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <regex.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <wordexp.h>

#include "case.h"

static void
asynchronous(void)
{
	struct aiocb *out = cell(sizeof(*out));
	struct aiocb *in = cell(sizeof(*in));
	const struct aiocb **list = cell(sizeof(*list));
	out->aio_buf = cell_fill(50000, 1);
	in->aio_buf = cell(50000);
	out->aio_fildes = in->aio_fildes = file_new();
	out->aio_nbytes = in->aio_nbytes = 50000;
	CALL(aio_write(out));
	list[0] = out;
	CALL(aio_suspend(list, 1, NULL));
	CALL(aio_error(out));
	CALL(aio_return(out));
	CALL(aio_read(in));
	list[0] = in;
	while (aio_error(in) == EINPROGRESS) {
		chill();
		aio_suspend(list, 1, NULL);
	}
	CALL(aio_return(in));
	say("%d\n", memcmp((const void *)in->aio_buf,
			(const void *)out->aio_buf, 50000));
	struct aiocb *both[2] = { out, in };
	out->aio_lio_opcode = LIO_WRITE;
	out->aio_offset = 50000;
	in->aio_lio_opcode = LIO_READ;
	CALL(lio_listio(LIO_WAIT, both, 2, NULL));
	CALL(aio_return(out));
	CALL(aio_return(in));
	close(out->aio_fildes);
}

static sem_t *told;
static int told_value;

static void
tell(union sigval value)
{
	unsigned char room[3000];
	memset(room, value.sival_int, sizeof(room));
	told_value = room[2000];
	chill();
	sem_post(told);
}

/* A thread for each notice, made by libc. */
static void
notices(void)
{
	struct sigevent *event = cell(sizeof(*event));
	struct itimerspec *when = cell(sizeof(*when));
	timer_t *timer = cell(sizeof(*timer));
	told = cell(sizeof(*told));
	sem_init(told, 0, 0);
	event->sigev_notify = SIGEV_THREAD;
	event->sigev_notify_function = tell;
	event->sigev_value.sival_int = 66;
	CALL(timer_create(CLOCK_MONOTONIC, event, timer));
	when->it_value.tv_nsec = 1000000;
	CALL(timer_settime(*timer, 0, when, NULL));
	CALL(sem_wait(told));
	say("%d\n", told_value);
	CALL(timer_delete(*timer));
}

static sigjmp_buf back;

static void
leave(int signal)
{
	siglongjmp(back, signal);
}

static unsigned
endless(unsigned depth)
{
	volatile unsigned char room[4000];
	room[depth % 4000] = 1;
	if (depth == 1u << 30)
		return 0;
	return endless(depth + 1) + room[depth % 4000];
}

static void *
overflow_run(void *arg)
{
	stack_t stack = { .ss_sp = arg, .ss_size = 64 * KIB };
	struct sigaction action = { .sa_handler = leave,
		.sa_flags = SA_ONSTACK };
	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	volatile uintptr_t count = 0;
	for (volatile int i = 0; i < 3; i++) {
		chill();
		if (sigsetjmp(back, 1) == 0)
			endless(0);
		else
			count++;
	}
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	signal(SIGSEGV, SIG_DFL);
	return (void *)count;
}

/* The end of a stack is found by its guard, and left. */
static void
overflows(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	void *count = NULL;
	unsigned char *other = cell_pages(64 * KIB);
	say("%lu\n", (unsigned long)(uintptr_t)overflow_run(other));
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * KIB);
	pthread_create(&thread, &attr, overflow_run, other);
	pthread_join(thread, &count);
	say("%lu\n", (unsigned long)count);
}

static void
names(void)
{
	struct addrinfo *hints = cell(sizeof(*hints));
	struct addrinfo *found = NULL;
	char *host = cell_text("127.0.0.1");
	char *port = cell_text("80");
	char *text = cell(100);
	hints->ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	hints->ai_socktype = SOCK_STREAM;
	CALL(getaddrinfo(host, port, hints, &found));
	CALL(getnameinfo(found->ai_addr, found->ai_addrlen, text, 50, text + 50,
	    50, NI_NUMERICHOST | NI_NUMERICSERV));
	say("%s %s\n", text, text + 50);
	freeaddrinfo(found);
	struct passwd *result = NULL;
	struct passwd *entry = cell(sizeof(*entry));
	char *buffer = cell(2000);
	CALL(getpwuid_r(0, entry, buffer, 2000, &result));
	say("%s\n", result == NULL ? "-" : result->pw_name);
	say("%d\n", getservbyname(cell_text("none"), "tcp") == NULL);
}

static unsigned walked;

static int
walk(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)path;
	(void)status;
	walked += kind == FTW_F;
	if (where->level == 2)
		chill();
	return 0;
}

static void
trees(void)
{
	char name[40];
	mkdir("walked", 0700);
	mkdir("walked/below", 0700);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "walked/below/f%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	walked = 0;
	CALL(nftw(cell_text("walked"), walk, 5, FTW_PHYS));
	say("%u\n", walked);
	glob_t *found = cell(sizeof(*found));
	CALL(glob(cell_text("walked/below/f1*"), 0, NULL, found));
	for (size_t i = 0; i < found->gl_pathc; i++)
		say("%s ", found->gl_pathv[i]);
	say("\n");
	globfree(found);
	wordexp_t *words = cell(sizeof(*words));
	CALL(wordexp(cell_text("a $((2 + 3)) 'b c'"), words, 0));
	for (size_t i = 0; i < words->we_wordc; i++)
		say("%s,", words->we_wordv[i]);
	say("\n");
	wordfree(words);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "walked/below/f%d", i);
		unlink(name);
	}
	rmdir("walked/below");
	CALL(rmdir("walked"));
}

static void
texts(void)
{
	regex_t *regex = cell(sizeof(*regex));
	regmatch_t *match = cell(3 * sizeof(*match));
	char *text = cell_text("some words, 1234 and a number");
	CALL(regcomp(regex, cell_text("([a-z]+), ([0-9]+)"), REG_EXTENDED));
	CALL(regexec(regex, text, 3, match, 0));
	say("%d %d\n", (int)match[1].rm_so, (int)match[2].rm_eo);
	regfree(regex);
	chill();
	iconv_t convert = iconv_open("UTF-8", "ISO-8859-1");
	char *in = cell_text("\xe4\xf6\xfc");
	char *out = cell(20);
	char *to = out;
	size_t in_size = 3;
	size_t out_size = 20;
	CALL(iconv(convert, &in, &in_size, &to, &out_size));
	say_bytes("out", out, 20);
	iconv_close(convert);
	struct tm *parts = cell(sizeof(*parts));
	time_t *when = cell(sizeof(*when));
	*when = 1000000000;
	CALL(gmtime_r(when, parts) == parts);
	CALL(strftime(out, 20, cell_text("%Y-%m-%d"), parts));
	say("%s\n", out);
	double *number = cell(sizeof(*number));
	CALL(sscanf(cell_text("12.5 word"), cell_text("%lf %s"), number, out));
	say("%g %s\n", *number, out);
}

static int
by_number(const void *a, const void *b)
{
	int x = *(const int *)a;
	int y = *(const int *)b;
	return (x > y) - (x < y);
}

static void
sorted(void)
{
	const size_t count = 50000;
	int *numbers = cell(count * sizeof(*numbers));
	unsigned seed = 5;
	unsigned wrong = 0;
	for (size_t i = 0; i < count; i++) {
		seed = seed * 1103515245u + 12345u;
		numbers[i] = (int)(seed >> 8);
	}
	chill();
	qsort(numbers, count, sizeof(*numbers), by_number);
	chill();
	for (size_t i = 1; i < count; i++)
		wrong += numbers[i - 1] > numbers[i];
	chill();
	say("%u %d\n", wrong,
	    bsearch(&numbers[777], numbers, count, sizeof(*numbers),
		by_number) != NULL);
}

/* A second libc beside the first. */
static void
another_libc(void)
{
	int (*number)(const char *) = NULL;
	chill();
	void *library = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
	if (library == NULL) {
		say_skipped("no second namespace");
		return;
	}
	void *found = dlsym(library, "atoi");
	memcpy(&number, &found, sizeof(number));
	say("%d\n", number(cell_text("1234")));
	pid_t (*process)(void) = NULL;
	found = dlsym(library, "getpid");
	memcpy(&process, &found, sizeof(process));
	say("%d\n", process() == getpid());
	dlclose(library);
}

static void
unwound(void)
{
	void **frames = cell(20 * sizeof(*frames));
	chill();
	int count = backtrace(frames, 20);
	chill();
	char **symbols = backtrace_symbols(frames, count);
	say("%d %d\n", count > 2, symbols != NULL);
	free(symbols);
}

static void
at_end(void)
{
	say("at the end\n");
}

static void
ended(void)
{
	pid_t pid = case_fork();
	if (pid == 0) {
		atexit(at_end);
		chill();
		exit(3);
	}
	say_child("exit", pid);
	pid = case_fork();
	if (pid == 0) {
		at_quick_exit(at_end);
		chill();
		quick_exit(4);
	}
	say_child("quick_exit", pid);
	pid = case_fork();
	if (pid == 0) {
		chill();
		abort();
	}
	say_child("abort", pid);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned onces;
static __thread unsigned own_count;

static void
count_once(void)
{
	onces++;
}

static void *
keyed_run(void *arg)
{
	char *text = arg;
	pthread_once(&once, count_once);
	for (int i = 0; i < 20; i++) {
		own_count++;
		text = realloc(text, 100 + (size_t)i * 300);
		memset(text, i, 100 + (size_t)i * 300);
	}
	free(text);
	return (void *)(uintptr_t)own_count;
}

static void
threads(void)
{
	enum { COUNT = 20 };
	pthread_t threads[COUNT];
	unsigned long sum = 0;
	for (unsigned i = 0; i < COUNT; i++) {
		if (i % 5 == 0)
			chill();
		pthread_create(&threads[i], NULL, keyed_run, malloc(50));
	}
	for (unsigned i = 0; i < COUNT; i++) {
		void *result;
		pthread_join(threads[i], &result);
		sum += (unsigned long)result;
	}
	say("%lu %u\n", sum, onces);
}

static const struct test_case cases[] = {
	{ "asynchronous", asynchronous, CASE_HELD },
	{ "notices", notices, CASE_HELD },
	{ "overflows", overflows, 0 },
	{ "names", names, 0 },
	{ "trees", trees, 0 },
	{ "texts", texts, 0 },
	{ "sorted", sorted, 0 },
	{ "another_libc", another_libc, 0 },
	{ "unwound", unwound, 0 },
	{ "ended", ended, 0 },
	{ "threads", threads, 0 },
	{ 0 },
};

const struct test_group libc_group = { "libc", cases, NULL };
