/* SPDX-License-Identifier: MIT */
/*
 * soak QUIRE PROGRAMS [SECONDS [SEED]]: proves that a random mix of programs,
 * budgets, signals, stops and kills ends well every time.
 *
 * Each round runs one of the programs that know what their memory holds, or a
 * tree of real ones, in a random budget, and sends its processes random
 * signals meanwhile. A round in which nobody was killed must give the output
 * of the plain run. After every round no process and no file may be left. The
 * seed of a round is printed when it fails; with it as SEED the same choices
 * are made again, though not at the same instants.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGS_MAX    12u
#define TEXT_MAX    ((size_t)1 << 16)
#define TREE_MAX    256u
#define HUNG_NS     (INT64_C(120) * 1000000000)
#define PAUSE_NS    5000000 /* between two looks at a round */
#define BUDGET_STEP 8u      /* MiB */

/* A program; %s in an argument is the folder of the programs. */
struct kind {
	const char *args[ARGS_MAX];
	unsigned budget_min; /* MiB */
	char *plain;         /* what it prints; malloc */
	int status;          /* and how it ends */
};

static struct kind kinds[] = {
	{ .args = { "%s/linux_fill", "32", "1", "3" }, .budget_min = 24 },
	{ .args = { "%s/linux_fill", "48", "3", "5" }, .budget_min = 24 },
	{ .args = { "%s/linux_remap", "2000", "7" }, .budget_min = 24 },
	{ .args = { "%s/linux_forks", "12", "3", "9" }, .budget_min = 56 },
	{ .args = { "%s/linux_storm", "6", "20", "128" }, .budget_min = 48 },
	{ .args = { "%s/linux_calls" }, .budget_min = 24 },
	{ .args = { "sh", "-c",
	      "seq 1 200000 | sort -r | sort -n --parallel=2 | cksum" },
	    .budget_min = 40 },
	{ .args = { "sh", "-c",
	      "i=0; while [ $i -lt 150 ]; do /bin/true; i=$((i+1)); done; "
	      "{ (sleep 0.01; echo a) & (echo b) & wait; } | sort" },
	    .budget_min = 24 },
	{ .args = { "sh", "-c",
	      "{ awk 'BEGIN { for (i = 0; i < 300000; i++) a[i] = i * 7; "
	      "for (i = 0; i < 300000; i++) s += a[i]; print s }' & "
	      "%s/linux_fill 16 1 1 & wait; } | sort" },
	    .budget_min = 48 },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const char *quire;
static const char *programs;
static uint64_t state;
static char folder[] = "/tmp/soak.XXXXXX";

static uint64_t
random_next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t
random_below(uint64_t end)
{
	return random_next() % end;
}

static int64_t
now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* --- the tree --- */

static pid_t
parent_of(pid_t pid)
{
	char path[64];
	char text[512];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t size = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[size < 0 ? 0 : size] = '\0';
	const char *end = strrchr(text, ')');
	return end == NULL || strlen(end) < 4 ? 0 : atoi(end + 4);
}

/* All processes that descend from this one, which adopts orphans. */
static size_t
tree(pid_t *pids)
{
	size_t count = 0;
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	while (proc != NULL && count < TREE_MAX &&
	       (entry = readdir(proc)) != NULL) {
		pid_t pid = atoi(entry->d_name);
		pid_t at = pid;
		for (int depth = 0; at > 1 && depth < 20; depth++) {
			at = parent_of(at);
			if (at == getpid()) {
				pids[count++] = pid;
				break;
			}
		}
	}
	if (proc != NULL)
		closedir(proc);
	return count;
}

static void
tree_signal(int number)
{
	pid_t pids[TREE_MAX];
	size_t count = tree(pids);
	for (size_t i = 0; i < count; i++)
		kill(pids[i], number);
}

/* --- one program --- */

static void
program_exec(const struct kind *kind, unsigned budget)
{
	static char texts[ARGS_MAX][1024];
	const char *args[ARGS_MAX + 8];
	char size[24];
	unsigned n = 0;
	if (budget != 0) {
		snprintf(size, sizeof(size), "%uM", budget);
		args[n++] = quire;
		args[n++] = "run";
		args[n++] = "-q";
		args[n++] = "-m";
		args[n++] = size;
		args[n++] = "--swap";
		args[n++] = "swap";
		args[n++] = "--";
	}
	for (unsigned i = 0; kind->args[i] != NULL; i++) {
		const char *mark = strstr(kind->args[i], "%s");
		if (mark == NULL)
			snprintf(texts[i], sizeof(texts[i]), "%s",
			    kind->args[i]);
		else
			snprintf(texts[i], sizeof(texts[i]), "%.*s%s%s",
			    (int)(mark - kind->args[i]), kind->args[i],
			    programs, mark + 2);
		args[n++] = texts[i];
	}
	args[n] = NULL;
	execvp(args[0], (char *const *)args);
	perror(args[0]);
	_exit(3);
}

static pid_t
program_start(const struct kind *kind, unsigned budget, int out)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	int null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(out, 1);
	setpgid(0, 0);
	program_exec(kind, budget);
	return 0;
}

static char *
output_take(int out)
{
	char *text = calloc(1, TEXT_MAX);
	if (text == NULL || pread(out, text, TEXT_MAX - 1, 0) < 0)
		exit(3);
	return text;
}

static int
reap(pid_t pid, bool *ended)
{
	int status = 0;
	pid_t got;
	while ((got = waitpid(-1, &status, WNOHANG)) > 0) {
		if (got != pid)
			continue;
		*ended = true;
		return status;
	}
	return 0;
}

/* --- one round --- */

struct round {
	uint64_t seed;
	const struct kind *kind;
	unsigned budget;   /* MiB */
	unsigned mischief; /* in 100 looks, one of the signals */
	bool killed;       /* somebody was: its output is its own affair */
};

static void
mischief(struct round *round)
{
	pid_t pids[TREE_MAX];
	size_t count = tree(pids);
	if (count == 0 || random_below(100) >= round->mischief)
		return;
	pid_t pid = pids[random_below(count)];
	switch (random_below(8)) {
	case 0:
	case 1:
		round->killed = true;
		kill(pid, SIGKILL);
		break;
	case 2:
		round->killed = true;
		kill(pid, random_below(2) == 0 ? SIGTERM : SIGINT);
		break;
	case 3:
		kill(pid, SIGWINCH);
		break;
	default:
		kill(pid, SIGSTOP);
		poll(NULL, 0, (int)random_below(20));
		kill(pid, SIGCONT);
		break;
	}
}

static bool
fail(const struct round *round, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	printf("seed %llu: %s in %u MiB: ", (unsigned long long)round->seed,
	    round->kind->args[0], round->budget);
	vprintf(format, args);
	printf("\n");
	va_end(args);
	return false;
}

/* Nobody and nothing may be left. */
static bool
clean(const struct round *round)
{
	pid_t pids[TREE_MAX];
	int status;
	/* Who was killed may have left children, as without Quire. */
	for (int i = 0; i < 1000 && tree(pids) != 0; i++) {
		tree_signal(SIGKILL);
		while (waitpid(-1, &status, WNOHANG) > 0)
			;
		poll(NULL, 0, 2);
	}
	if (tree(pids) != 0)
		return fail(round, "process %d is left", (int)pids[0]);
	DIR *swap = opendir("swap");
	const struct dirent *entry;
	bool good = swap != NULL;
	while (swap != NULL && (entry = readdir(swap)) != NULL) {
		if (entry->d_name[0] != '.')
			good = fail(round, "%s is left", entry->d_name);
	}
	if (swap != NULL)
		closedir(swap);
	return good;
}

static bool
round_run(struct round *round)
{
	int out = memfd_create("out", MFD_CLOEXEC);
	pid_t pid = program_start(round->kind, round->budget, out);
	int64_t hung = now_ns() + HUNG_NS;
	bool ended = false;
	int status = 0;
	while (!ended && now_ns() < hung) {
		struct timespec pause = { 0, PAUSE_NS };
		nanosleep(&pause, NULL);
		mischief(round);
		status = reap(pid, &ended);
	}
	char *text = output_take(out);
	close(out);
	bool good = true;
	if (!ended)
		good = fail(round, "hangs");
	else if (!round->killed && status != round->kind->status)
		good = fail(round, "ended with 0x%x", (unsigned)status);
	else if (!round->killed && strcmp(text, round->kind->plain) != 0)
		good = fail(round, "printed: %s", text);
	free(text);
	return clean(round) && good;
}

static void
plain_run(struct kind *kind)
{
	int out = memfd_create("out", MFD_CLOEXEC);
	pid_t pid = program_start(kind, 0, out);
	waitpid(pid, &kind->status, 0);
	kind->plain = output_take(out);
	close(out);
}

static struct round
round_new(uint64_t seed)
{
	struct round round = { .seed = seed };
	state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	for (int i = 0; i < 10; i++)
		random_next();
	round.kind = &kinds[random_below(KINDS)];
	round.budget =
	    round.kind->budget_min + BUDGET_STEP * (unsigned)random_below(5);
	round.mischief = random_below(3) == 0 ? 0 : (unsigned)random_below(60);
	return round;
}

int
main(int argc, char **argv)
{
	if (argc < 3 || argc > 5) {
		fprintf(stderr, "usage: see the head of soak.c\n");
		return 2;
	}
	quire = argv[1];
	programs = argv[2];
	int64_t seconds = argc > 3 ? atoll(argv[3]) : 60;
	uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 10)
				 : (uint64_t)time(NULL) * 1000;
	int64_t end = now_ns() + seconds * INT64_C(1000000000);
	unsigned rounds = 0;
	unsigned killed = 0;
	unsigned bad = 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (mkdtemp(folder) == NULL || chdir(folder) != 0 ||
	    mkdir("swap", 0700) != 0 || setenv("HOME", folder, 1) != 0 ||
	    setenv("LC_ALL", "C", 1) != 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
		perror(folder);
		return 3;
	}
	printf("seed %llu, %lld s\n", (unsigned long long)seed,
	    (long long)seconds);
	for (size_t i = 0; i < KINDS; i++)
		plain_run(&kinds[i]);
	for (; now_ns() < end; rounds++) {
		struct round round = round_new(seed + rounds);
		bad += !round_run(&round);
		killed += round.killed;
	}
	printf("%u rounds, %u with somebody killed, %u bad\n", rounds, killed,
	    bad);
	pid_t pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", folder, (char *)NULL);
		_exit(3);
	}
	waitpid(pid, NULL, 0);
	return bad != 0;
}
