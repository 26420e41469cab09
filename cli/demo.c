/* SPDX-License-Identifier: MIT */
/*
 * demo.c: `quire demo`: a real program, once plain and once with half the
 * memory it took, side by side.
 *
 * Both runs are children. The second is `quire run` itself, nothing special:
 * whatever the demo shows is what the reader's own program will meet. RAM is
 * what the kernel says: RssAnon and RssShmem of the whole tree, read every
 * 5 ms from /proc, not anything that Quire counts.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chart.h"
#include "command.h"
#include "file.h"
#include "probe.h"
#include "size.h"
#include "target.h"

#define SAMPLE_NS    5000000u    /* as the budget's own test */
#define PROGRESS_NS  1000000000u /* silence until then */
#define CHART_HEIGHT 7u

/* Builds records, reads one part of them often and the rest once. */
static char python_text[] =
    "import json\n"
    "n = 500000\n"
    "rows = [json.dumps({'id': i, 'name': 'user%d' % i, 'city': i % 977,\n"
    "    'tags': ['t%d' % (i % k) for k in (7, 11, 13)]})\n"
    "    for i in range(n)]\n"
    "index = {'user%d' % i: i for i in range(n)}\n"
    "total, at = 0, 1\n"
    "for _ in range(300000):\n"
    "    at = (at * 1103515245 + 12345) % 2147483648\n"
    "    total += json.loads(rows[at % (n // 5)])['city']\n"
    "for row in rows:\n"
    "    total += json.loads(row)['id']\n"
    "print(len(index), total)\n";

/* The same in perl, which every Debian has. */
static char perl_text[] =
    "my ($n, $total, $at) = (500000, 0, 1);\n"
    "my @row;\n"
    "push @row, sprintf('{\"id\":%d,\"name\":\"user%d\",\"city\":%d}',\n"
    "    $_, $_, $_ % 977) for 0 .. $n - 1;\n"
    "for (1 .. 1000000) {\n"
    "    $at = ($at * 1103515245 + 12345) % 2147483648;\n"
    "    $total += $1 if $row[$at % int($n / 5)] =~ /\"city\":(\\d+)/;\n"
    "}\n"
    "for my $row (@row) {\n"
    "    $total += $1 if $row =~ /\"id\":(\\d+)/;\n"
    "}\n"
    "print scalar(@row), \" $total\\n\";\n";

/* A program that can be demonstrated. */
struct workload {
	const char *shown; /* what the reader would have typed */
	char *words[4];    /* the command, NULL at its end */
};

static struct workload workloads[] = {
	{ "python3: JSON records in a list and a dict",
	    { (char[]){ "python3" }, (char[]){ "-c" }, python_text, NULL } },
	{ "perl: JSON records in an array",
	    { (char[]){ "perl" }, (char[]){ "-e" }, perl_text, NULL } },
};

/* One run and what it left. */
struct trial {
	const char *title;
	struct samples samples;
	int output;   /* memfd of its stdout */
	int messages; /* memfd of its stderr */
	int status;   /* of waitpid */
};

static uint64_t
now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Writes over one line of a terminal; nothing elsewhere. */
static void
show_progress(const struct trial *trial, uint64_t time_ns, uint64_t bytes)
{
	char size[SIZE_TEXT_MAX];

	if (time_ns < PROGRESS_NS || isatty(STDERR_FILENO) != 1)
		return;
	fprintf(stderr, "\r  %s: %llu.%llu s, %s      ", trial->title,
	    (unsigned long long)(time_ns / 1000000000u),
	    (unsigned long long)(time_ns / 100000000u % 10),
	    size_format(bytes, size));
}

static void
end_progress(uint64_t time_ns)
{
	if (time_ns >= PROGRESS_NS && isatty(STDERR_FILENO) == 1)
		fprintf(stderr, "\r%60s\r", "");
}

static pid_t
start(struct trial *trial, char *const *words)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (dup2(trial->output, STDOUT_FILENO) < 0 ||
	    dup2(trial->messages, STDERR_FILENO) < 0)
		_exit(EXIT_OURS);
	(void)execvp(words[0], words);
	_exit(EXIT_NOT_FOUND);
}

static void
watch(struct trial *trial, pid_t pid)
{
	const struct timespec pause = { .tv_nsec = SAMPLE_NS };
	uint64_t begin = now_ns();
	uint64_t passed = 0;

	samples_init(&trial->samples, SAMPLE_NS);
	while (waitpid(pid, &trial->status, WNOHANG) == 0) {
		uint64_t bytes = tree_resident(pid);
		passed = now_ns() - begin;
		samples_add(&trial->samples, passed, bytes);
		show_progress(trial, passed, bytes);
		(void)nanosleep(&pause, NULL);
	}
	end_progress(passed);
}

static bool
run_trial(struct trial *trial, const char *title, char *const *words,
    struct problem *problem)
{
	trial->title = title;
	trial->output = memfd_create("output", MFD_CLOEXEC);
	trial->messages = memfd_create("messages", MFD_CLOEXEC);
	pid_t pid =
	    trial->output < 0 || trial->messages < 0 ? -1 : start(trial, words);
	if (pid < 0) {
		problem_what(problem, EXIT_FAILED, "cannot start %s", words[0]);
		problem_why(problem, "%s", strerror(errno));
		return false;
	}
	watch(trial, pid);
	return true;
}

static bool
succeeded(const struct trial *trial)
{
	return WIFEXITED(trial->status) && WEXITSTATUS(trial->status) == 0;
}

static void
copy_out(int fd, FILE *stream)
{
	char block[4096];
	off_t at = 0;
	ssize_t got;

	while ((got = pread(fd, block, sizeof(block), at)) > 0) {
		(void)fwrite(block, 1, (size_t)got, stream);
		at += got;
	}
}

static bool
same_output(const struct trial *a, const struct trial *b)
{
	char left[4096], right[4096];
	off_t at = 0;

	while (true) {
		ssize_t got = pread(a->output, left, sizeof(left), at);
		if (got < 0 ||
		    pread(b->output, right, sizeof(right), at) != got ||
		    memcmp(left, right, (size_t)got) != 0)
			return false;
		if (got == 0)
			return true;
		at += got;
	}
}

static void
failed_trial(const struct trial *trial, struct problem *problem)
{
	(void)fflush(stdout);
	copy_out(trial->messages, stderr);
	problem_what(problem, EXIT_FAILED, "the %s run failed", trial->title);
	if (WIFSIGNALED(trial->status))
		problem_why(problem, "it was killed by signal %d (%s)",
		    WTERMSIG(trial->status),
		    strsignal(WTERMSIG(trial->status)));
	else
		problem_why(problem, "its exit code was %d",
		    WEXITSTATUS(trial->status));
	problem_advise(problem, "quire doctor");
}

static struct workload *
find_workload(struct problem *problem)
{
	struct target target;

	for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++)
		if (target_find(workloads[i].words[0], &target, problem) &&
		    target_check(&target, problem))
			return &workloads[i];
	return NULL;
}

static bool
run_budgeted(struct trial *trial, const struct workload *workload,
    uint64_t budget, struct problem *problem)
{
	static char own[PATH_MAX], amount[24];
	static char run[] = "run", memory[] = "-m", end[] = "--";
	char *words[5 + 4] = { own, run, memory, amount, end };
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);

	if (length <= 0) {
		problem_what(problem, EXIT_FAILED, "cannot find quire itself");
		return false;
	}
	own[length] = '\0';
	snprintf(amount, sizeof(amount), "%llu", (unsigned long long)budget);
	for (unsigned i = 0; i < 4; i++)
		words[5 + i] = workload->words[i];
	return run_trial(trial, "budgeted", words, problem);
}

static void
draw(const struct term *term, const struct trial *trial, uint64_t budget,
    const struct trial *plain, const struct trial *budgeted)
{
	bool is_plain = trial == plain;
	struct chart chart = {
		.samples = &trial->samples,
		.top_bytes = plain->samples.peak,
		.line_bytes = budget,
		.span_ns = plain->samples.end_ns > budgeted->samples.end_ns
			       ? plain->samples.end_ns
			       : budgeted->samples.end_ns,
		.height = CHART_HEIGHT,
		.style = is_plain ? STYLE_WARN : STYLE_GOOD,
	};
	char size[SIZE_TEXT_MAX];

	printf("\n%s%s%s: %llu.%llu s, peak %s", term_style(term, STYLE_STRONG),
	    is_plain ? "plain" : "quire run", term_style(term, STYLE_PLAIN),
	    (unsigned long long)(trial->samples.end_ns / 1000000000u),
	    (unsigned long long)(trial->samples.end_ns / 100000000u % 10),
	    size_format(trial->samples.peak, size));
	if (!is_plain)
		printf(" of a budget of %s", size_format(budget, size));
	printf("\n");
	chart_draw(term, &chart);
}

/* Says how it went; true: as it should. */
static bool
judge(const struct term *term, const struct trial *plain,
    const struct trial *budgeted, uint64_t budget)
{
	/* Between two samples unmanaged memory may have grown. */
	const uint64_t tolerance = (uint64_t)2 << 20;
	bool same = same_output(plain, budgeted);
	bool kept = budgeted->samples.peak <= budget + tolerance;
	uint64_t percent =
	    budgeted->samples.end_ns * 100 /
	    (plain->samples.end_ns != 0 ? plain->samples.end_ns : 1);

	printf("\n%s%s%s output, budget %s%s%s, %llu %% of the time\n",
	    term_style(term, same ? STYLE_GOOD : STYLE_BAD),
	    same ? "same" : "DIFFERENT", term_style(term, STYLE_PLAIN),
	    term_style(term, kept ? STYLE_GOOD : STYLE_BAD),
	    kept ? "kept" : "EXCEEDED", term_style(term, STYLE_PLAIN),
	    (unsigned long long)percent);
	return same && kept;
}

static uint64_t
half_of(const struct trial *trial)
{
	uint64_t half = trial->samples.peak / 2 & ~(uint64_t)(QR_PAGE_SIZE - 1);

	return half > QR_LINUX_BUDGET_MIN ? half : QR_LINUX_BUDGET_MIN;
}

static bool
run_both(const struct workload *workload, struct trial *plain,
    struct trial *budgeted, struct problem *problem)
{
	if (!run_trial(plain, "plain", workload->words, problem))
		return false;
	if (!succeeded(plain)) {
		failed_trial(plain, problem);
		return false;
	}
	if (!run_budgeted(budgeted, workload, half_of(plain), problem))
		return false;
	if (!succeeded(budgeted)) {
		failed_trial(budgeted, problem);
		return false;
	}
	return true;
}

/* The codes of `run` are not the demo's. */
static int
failed(const struct problem *problem)
{
	(void)problem_report(problem);
	return EXIT_FAILED;
}

int
demo_main(const struct options *options)
{
	static struct trial plain, budgeted;
	struct problem problem;
	struct term term;
	char library[PATH_MAX];
	const struct workload *workload;

	if (options->operands[0] != NULL)
		return command_misused(command_find("demo"),
		    "it takes no operands");
	term_init(&term, stdout, options);
	if (!probe_library("libquire-run.so", library, &problem) ||
	    !probe_can_budget(&problem))
		return failed(&problem);
	workload = find_workload(&problem);
	if (workload == NULL)
		return failed(&problem);
	printf("%s\n"
	       "run plain, then with half of the RAM that took; RAM as the "
	       "kernel counts it\n",
	    workload->shown);
	(void)fflush(stdout);
	if (!run_both(workload, &plain, &budgeted, &problem))
		return problem_report(&problem);
	uint64_t budget = half_of(&plain);
	draw(&term, &plain, budget, &plain, &budgeted);
	draw(&term, &budgeted, budget, &plain, &budgeted);
	printf("\n");
	(void)fflush(stdout);
	copy_out(budgeted.messages, stdout);
	bool good = judge(&term, &plain, &budgeted, budget);
	printf("next, with a program of your own:\n"
	       "  quire doctor -- PROGRAM\n"
	       "  quire run -m 50%% -- PROGRAM\n");
	return good ? EXIT_OK : EXIT_FAILED;
}
