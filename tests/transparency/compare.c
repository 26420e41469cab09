/* SPDX-License-Identifier: MIT */
/*
 * compare.c: runs a group of cases plain and under `quire run`, as root and
 * as nobody, with faults served by signals and by a thread, in every way;
 * what a case says must be the same each time.
 *
 * A run is a process of its own, `transparency --run GROUP WAY FIRST`. If it
 * dies in a case, how it died is what the case has said, and another begins
 * with the next one.
 */
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "run.h"

#define BUDGET     "32M"
#define TEXT_MAX   ((size_t)256 << 10) /* of a run, bytes */
#define CASES_MAX  64u
#define TIMEOUT_MS 20000
#define NOBODY     65534u

enum delivery { PLAIN, SIGNAL, HANDLER, DELIVERIES };
enum user { SELF, USER, USERS };

static const char *const delivery_names[] = { "plain", "signal", "handler" };
static const char *const user_names[] = { "oneself", "nobody" };
static const char *const way_names[] = { "warm", "cold", "edge", "fresh",
	"storm" };

struct setup {
	const char *self;
	const char *quire;
	const struct test_group *group;
	const char *only; /* a case, or NULL */
};

struct kind {
	enum delivery delivery;
	enum user user;
	enum way way;
};

/* What the cases of one run have said. */
struct answers {
	char *text[CASES_MAX]; /* malloc; NULL: not run */
	size_t count;
};

/* --- one run --- */

static void
become(enum user user)
{
	if (user == USER && (setgroups(0, NULL) != 0 ||
				setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
				setresuid(NOBODY, NOBODY, NOBODY) != 0))
		_exit(3);
}

static void
run_exec(const struct setup *setup, const struct kind *kind, size_t first)
{
	char number[24], delivery[40];
	const char *args[16];
	unsigned n = 0;
	snprintf(number, sizeof(number), "%zu", first);
	snprintf(delivery, sizeof(delivery), "--delivery=%s",
	    delivery_names[kind->delivery]);
	if (kind->delivery != PLAIN) {
		args[n++] = setup->quire;
		args[n++] = "run";
		args[n++] = "-q";
		args[n++] = "-m";
		args[n++] = setup->group->budget != NULL ? setup->group->budget
							 : BUDGET;
		args[n++] = delivery;
		args[n++] = "--";
	}
	args[n++] = setup->self;
	args[n++] = kind->delivery == PLAIN ? "--plain" : "--managed";
	args[n++] = setup->group->name;
	args[n++] = way_names[kind->way];
	args[n++] = number;
	args[n] = NULL;
	become(kind->user);
	execv(args[0], (char *const *)args);
	perror(args[0]);
	_exit(3);
}

/* Kills what takes too long. */
static int
run_wait(pid_t pid)
{
	int status = 0;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd wait = { .fd = pidfd, .events = POLLIN };
	if (pidfd >= 0 && poll(&wait, 1, TIMEOUT_MS) == 0) {
		fprintf(stderr, "killed after %d ms\n", TIMEOUT_MS);
		kill(pid, SIGKILL);
	}
	waitpid(pid, &status, 0);
	close(pidfd);
	return status;
}

static int
run_once(const struct setup *setup, const struct kind *kind, size_t first,
    char *text)
{
	int out = memfd_create("out", MFD_CLOEXEC);
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(out, 1);
		run_exec(setup, kind, first);
	}
	int status = run_wait(pid);
	ssize_t size = pread(out, text, TEXT_MAX - 1, 0);
	text[size < 0 ? 0 : size] = '\0';
	close(out);
	return status;
}

static bool
answer_take(struct answers *answers, size_t index, const char *text,
    const char *end, int status)
{
	bool whole = end != NULL;
	size_t size = whole ? (size_t)(end - text) : strlen(text);
	char *copy = malloc(size + 64);
	if (copy == NULL)
		exit(3);
	memcpy(copy, text, size);
	copy[size] = '\0';
	if (!whole)
		snprintf(copy + size, 64, "died: status 0x%x\n", status);
	answers->text[index] = copy;
	return whole;
}

static void
run_all(const struct setup *setup, const struct kind *kind,
    struct answers *answers)
{
	static char text[TEXT_MAX];
	size_t next = 0;
	*answers = (struct answers){ .count = 0 };
	while (setup->group->cases[answers->count].name != NULL)
		answers->count++;
	while (next < answers->count) {
		size_t before = next;
		int status = run_once(setup, kind, next, text);
		char *at = strstr(text, "== ");
		bool whole = true;
		while (at != NULL && whole && next < answers->count) {
			char *body = strchr(at + 1, '\n');
			char *end = strstr(body, "\n--\n");
			whole = answer_take(answers, next++, body, end, status);
			at = end == NULL ? NULL : strstr(end, "\n== ");
		}
		if (next == before) {
			fprintf(stderr, "%s: nothing said, status 0x%x\n",
			    setup->group->name, status);
			return;
		}
	}
}

static void
answers_free(struct answers *answers)
{
	for (size_t i = 0; i < answers->count; i++)
		free(answers->text[i]);
}

/* --- comparing --- */

static unsigned
differences(const struct setup *setup, const struct kind *kind,
    const struct answers *plain, const struct answers *other)
{
	unsigned bad = 0;
	for (size_t i = 0; i < plain->count; i++) {
		const char *name = setup->group->cases[i].name;
		const char *want = plain->text[i];
		const char *is = other->text[i];
		if (setup->only != NULL && strcmp(setup->only, name) != 0)
			continue;
		if (want != NULL && is != NULL && strcmp(want, is) == 0 &&
		    strstr(want, "died: ") == NULL)
			continue;
		bad++;
		printf("%s, %s, %s as %s\nplain:%s%s:%s", name,
		    way_names[kind->way], delivery_names[kind->delivery],
		    user_names[kind->user], want == NULL ? " none\n" : want,
		    delivery_names[kind->delivery],
		    is == NULL ? " none\n" : is);
	}
	return bad;
}

/* Which combinations are run: every way by signals as root, else the two
 * that tell most. */
static bool
kind_is_run(const struct kind *kind)
{
	return (kind->delivery != HANDLER && kind->user == SELF) ||
	       kind->way == WAY_COLD || kind->way == WAY_STORM;
}

static bool
kind_is_allowed(const struct setup *setup, const struct kind *kind)
{
	char delivery[40];
	snprintf(delivery, sizeof(delivery), "--delivery=%s",
	    delivery_names[kind->delivery]);
	if (kind->user == USER && geteuid() != 0)
		return false;
	if (kind->delivery == PLAIN)
		return true;
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);
		dup2(null, 1);
		dup2(null, 2);
		become(kind->user);
		execl(setup->quire, setup->quire, "run", "-q", "-m", BUDGET,
		    delivery, "--", "true", (char *)NULL);
		_exit(3);
	}
	return run_wait(pid) == 0;
}

struct tally {
	unsigned equal;
	unsigned skipped;
	unsigned bad;
};

static void
compare_way(const struct setup *setup, enum user user, enum way way,
    const bool allowed[DELIVERIES], struct tally *tally)
{
	struct answers plain, other;
	struct kind kind = { PLAIN, user, way };
	if (!kind_is_run(&kind))
		return;
	run_all(setup, &kind, &plain);
	for (kind.delivery = SIGNAL; kind.delivery < DELIVERIES;
	     kind.delivery++) {
		if (!kind_is_run(&kind))
			continue;
		if (!allowed[kind.delivery]) {
			tally->skipped += (unsigned)plain.count;
			continue;
		}
		run_all(setup, &kind, &other);
		unsigned bad = differences(setup, &kind, &plain, &other);
		tally->bad += bad;
		tally->equal += (unsigned)plain.count - bad;
		answers_free(&other);
	}
	answers_free(&plain);
}

int
compare_group(const char *self, const char *quire,
    const struct test_group *group, const char *only)
{
	struct setup setup = { self, quire, group, only };
	struct tally tally = { 0 };
	for (enum user user = SELF; user < USERS; user++) {
		bool allowed[DELIVERIES];
		for (enum delivery d = PLAIN; d < DELIVERIES; d++) {
			struct kind kind = { d, user, WAY_COLD };
			allowed[d] = kind_is_allowed(&setup, &kind);
			if (!allowed[d])
				printf("skipped: %s as %s\n", delivery_names[d],
				    user_names[user]);
		}
		for (enum way way = WAY_WARM; way < WAYS && allowed[PLAIN];
		     way++)
			compare_way(&setup, user, way, allowed, &tally);
	}
	printf("%s: %u equal, %u skipped, %u different\n", group->name,
	    tally.equal, tally.skipped, tally.bad);
	return tally.bad != 0;
}
