/* SPDX-License-Identifier: MIT */
/*
 * doctor.c: `quire doctor`: everything that `quire run` would find out, told
 * beforehand. Each finding is "ok", "warn" (it works, less well) or "no"
 * (that will be refused), with the reason and the cure. Any "no" makes the
 * exit code 1.
 */
#include <errno.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "command.h"
#include "json_stdio.h"
#include "limit.h"
#include "probe.h"
#include "size.h"
#include "target.h"

enum finding_status { FINDING_OK, FINDING_WARN, FINDING_NO };

#define FINDINGS_MAX 16u

struct finding {
	enum finding_status status;
	const char *topic;   /* a word, for JSON */
	struct problem text; /* what, why, advice; the code is not used */
};

struct findings {
	struct finding list[FINDINGS_MAX];
	unsigned count;
	bool any_no;
};

/* The next finding, still empty. */
static struct problem *
find(struct findings *findings, enum finding_status status, const char *topic)
{
	struct finding *finding = &findings->list[findings->count++];
	finding->status = status;
	finding->topic = topic;
	if (status == FINDING_NO)
		findings->any_no = true;
	return &finding->text;
}

static void
look_at_kernel(struct findings *findings)
{
	struct utsname name;
	struct probe_uffd uffd;
	struct problem trouble;

	if (uname(&name) != 0)
		strcpy(name.release, "of unknown version");
	problem_what(find(findings, FINDING_OK, "kernel"), EXIT_OK,
	    "Linux %.40s on %.20s", name.release, name.machine);
	if (!probe_can_budget(&trouble)) {
		*find(findings, FINDING_NO, "budget") = trouble;
		return;
	}
	problem_what(find(findings, FINDING_OK, "budget"), EXIT_OK,
	    "userfaultfd and system call dispatch, without privilege: run -m "
	    "works");
	probe_uffd(&uffd);
	if (uffd.move) {
		problem_what(find(findings, FINDING_OK, "mover"), EXIT_OK,
		    "pages are copied in and out; this kernel could move them "
		    "too, but --mover=move is not there yet");
	} else {
		struct problem *text = find(findings, FINDING_WARN, "mover");
		problem_what(text, EXIT_OK, "pages can only be copied");
		problem_why(text, "UFFDIO_MOVE came with Linux 6.8");
	}
	if (probe_can_handle(&trouble))
		problem_what(find(findings, FINDING_OK, "delivery"), EXIT_OK,
		    "faults can be delivered by signal (the default) and to a "
		    "thread (--delivery=handler)");
	else
		*find(findings, FINDING_WARN, "delivery") = trouble;
}

static void
look_at_memory(struct findings *findings)
{
	struct limits limits;
	char ram[SIZE_TEXT_MAX], group[SIZE_TEXT_MAX];

	if (!limits_read("", &limits)) {
		problem_what(find(findings, FINDING_NO, "memory"), EXIT_OK,
		    "cannot read /proc/meminfo: -m N%% has nothing to go by");
		return;
	}
	size_format(limits.ram_bytes, ram);
	size_format(limits.cgroup_bytes, group);
	if (limits.cgroup_version == 0)
		problem_what(find(findings, FINDING_OK, "memory"), EXIT_OK,
		    "RAM %s, no control group limits it", ram);
	else
		problem_what(find(findings, FINDING_OK, "memory"), EXIT_OK,
		    "RAM %s, limited to %s by the control group (version %d)",
		    ram, group, limits.cgroup_version);
}

static void
look_at_swap(struct findings *findings)
{
	struct probe_swap swap;
	struct problem trouble;
	char free_text[SIZE_TEXT_MAX], most[SIZE_TEXT_MAX];

	if (!probe_swap(probe_swap_default(), &swap, &trouble)) {
		*find(findings, FINDING_NO, "swap") = trouble;
		return;
	}
	problem_what(find(findings, FINDING_OK, "swap"), EXIT_OK,
	    "swap file in %.512s (%s, %s free): 4 times the budget, %s at most",
	    swap.path, swap.type, size_format(swap.free_bytes, free_text),
	    size_format(swap.free_bytes / 2, most));
}

static void
look_at_libraries(struct findings *findings)
{
	static const char *const names[] = { "libquire-run.so", "libquire.so" };

	problem_what(find(findings, FINDING_OK, "libc"), EXIT_OK, "glibc %s",
	    gnu_get_libc_version());
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[PATH_MAX];
		struct problem trouble;
		if (probe_library(names[i], path, &trouble))
			problem_what(find(findings, FINDING_OK, names[i]),
			    EXIT_OK, "%.900s", path);
		else
			*find(findings, FINDING_NO, names[i]) = trouble;
	}
}

static void
look_at_program(struct findings *findings, const char *name)
{
	struct target target;
	struct problem trouble;

	if (!target_find(name, &target, &trouble) ||
	    !target_check(&target, &trouble)) {
		*find(findings, FINDING_NO, "program") = trouble;
		return;
	}
	if (target.is_static)
		problem_what(find(findings, FINDING_OK, "program"), EXIT_OK,
		    "%.900s: static, for this machine; run -m only",
		    target.path);
	else if (strcmp(target.path, target.image) == 0)
		problem_what(find(findings, FINDING_OK, "program"), EXIT_OK,
		    "%.900s: dynamic, for this machine", target.path);
	else
		problem_what(find(findings, FINDING_OK, "program"), EXIT_OK,
		    "%.450s: run by %.450s, dynamic, for this machine",
		    target.path, target.image);
}

static const char *
status_name(enum finding_status status)
{
	switch (status) {
	case FINDING_OK:
		return "ok";
	case FINDING_WARN:
		return "warn";
	case FINDING_NO:
		break;
	}
	return "no";
}

static enum style
status_style(enum finding_status status)
{
	if (status == FINDING_OK)
		return STYLE_GOOD;
	return status == FINDING_WARN ? STYLE_WARN : STYLE_BAD;
}

#define TEXT_COLUMN   7u
#define DETAIL_COLUMN 12u /* of what comes after "why: " */

static void
print_detail(const struct term *term, const char *label, const char *text)
{
	if (text[0] == '\0')
		return;
	fprintf(term->stream, "%*s%s%s:%s ", (int)TEXT_COLUMN, "",
	    term_style(term, STYLE_FAINT), label,
	    term_style(term, STYLE_PLAIN));
	term_wrap(term, text, DETAIL_COLUMN, DETAIL_COLUMN);
}

static void
print_finding(const struct term *term, const struct finding *finding)
{
	fprintf(term->stream, " %s%-*s%s",
	    term_style(term, status_style(finding->status)),
	    (int)TEXT_COLUMN - 1, status_name(finding->status),
	    term_style(term, STYLE_PLAIN));
	term_wrap(term, finding->text.what, TEXT_COLUMN, TEXT_COLUMN);
	print_detail(term, "why", finding->text.why);
	print_detail(term, "try", finding->text.advice);
}

static void
print_next(const struct term *term, const struct findings *findings,
    const char *program)
{
	if (findings->any_no)
		fprintf(term->stream, "\nwhat says no must be mended first\n");
	else
		fprintf(term->stream, "\nnext: quire run -m 50%% -- %s\n",
		    program != NULL ? program : "COMMAND");
}

static void
write_json(const struct findings *findings)
{
	struct json json;

	json_init(&json, json_write_stdio, stdout);
	json_begin_object(&json);
	json_key(&json, "schema");
	json_string(&json, "quire.doctor/1");
	json_key(&json, "rows");
	json_begin_array(&json);
	for (unsigned i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];
		json_begin_object(&json);
		json_key(&json, "status");
		json_string(&json, status_name(finding->status));
		json_key(&json, "topic");
		json_string(&json, finding->topic);
		json_key(&json, "what");
		json_string(&json, finding->text.what);
		json_key(&json, "why");
		json_string(&json, finding->text.why);
		json_key(&json, "try");
		json_string(&json, finding->text.advice);
		json_end_object(&json);
	}
	json_end_array(&json);
	json_end_object(&json);
}

int
doctor_main(const struct options *options)
{
	static struct findings findings;
	const char *program = options->operands[0];
	struct term term;

	look_at_kernel(&findings);
	look_at_memory(&findings);
	look_at_swap(&findings);
	look_at_libraries(&findings);
	if (program != NULL)
		look_at_program(&findings, program);
	if (options->text[OPTION_DOCTOR_JSON] != NULL) {
		write_json(&findings);
	} else {
		term_init(&term, stdout, options);
		for (unsigned i = 0; i < findings.count; i++)
			print_finding(&term, &findings.list[i]);
		print_next(&term, &findings, program);
	}
	return findings.any_no ? EXIT_FAILED : EXIT_OK;
}
