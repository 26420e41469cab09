/* SPDX-License-Identifier: MIT */
/*
 * run.c: `quire run`: checks everything that can be checked beforehand, in
 * the order in which a person would fix it (the words typed, the program,
 * the machine), and then becomes the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "file.h"
#include "launch.h"
#include "limit.h"
#include "probe.h"
#include "size.h"

static bool
refuse_budget(struct problem *problem, const char *typed, const char *why,
    const char *advice)
{
	problem_what(problem, EXIT_OURS, "--memory: bad value '%s'", typed);
	problem_why(problem, "%s", why);
	problem_advise(problem, "%s", advice);
	return false;
}

/* N% of what we may have; otherwise the size as it stands. */
static bool
take_budget(const struct options *options, struct qr_linux_config *config,
    struct problem *problem)
{
	const char *typed = options->text[OPTION_MEMORY];
	uint64_t number = options->number[OPTION_MEMORY];
	char least[SIZE_TEXT_MAX], why[128];
	struct limits limits;

	if (strchr(typed, '%') != NULL) {
		if (number > 100000)
			return refuse_budget(problem, typed,
			    "that is more than the machine has",
			    "100% or less, or a size: -m 256M");
		if (!limits_read("", &limits))
			return refuse_budget(problem, typed,
			    "/proc/meminfo does not tell how much RAM there is",
			    "a size: -m 256M");
		number = size_percent_of(limits_usable(&limits), number);
	}
	config->budget_bytes = number & ~(uint64_t)(QR_PAGE_SIZE - 1);
	if (config->budget_bytes >= QR_LINUX_BUDGET_MIN)
		return true;
	snprintf(why, sizeof(why),
	    "a budget below %s leaves no room for a program",
	    size_format(QR_LINUX_BUDGET_MIN, least));
	return refuse_budget(problem, typed,
	    number == 0 ? "a budget of nothing holds nothing" : why,
	    "-m 64M, or more");
}

static bool
take_swap(const struct options *options, struct qr_linux_config *config,
    struct problem *problem)
{
	const char *directory = options->text[OPTION_SWAP];
	struct probe_swap swap;

	config->swap_bytes_max = options->number[OPTION_SWAP_MAX];
	if (directory != NULL && strcmp(directory, "off") == 0) {
		config->swap_off = 1;
		return true;
	}
	if (directory == NULL)
		directory = probe_swap_default();
	return probe_swap(directory, &swap, problem) &&
	       path_join(config->swap_dir, swap.path, NULL);
}

/* Makes the path absolute, since the program may change its directory, and
 * tries now whether it can be written. An older run's summary does not stay
 * there: this one may be killed before it writes its own. */
static bool
take_json(const char *typed, struct qr_linux_config *config,
    struct problem *problem)
{
	char current[PATH_MAX] = "";
	int fd;

	if (typed == NULL)
		return true;
	if (typed[0] != '/' && getcwd(current, sizeof(current)) == NULL)
		current[0] = '\0';
	errno = ENAMETOOLONG;
	if (path_join(config->json_path, current, current[0] != '\0' ? "/" : "",
		typed, NULL)) {
		fd = open(config->json_path,
		    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (fd >= 0)
			return close(fd) == 0;
	}
	problem_what(problem, EXIT_OURS, "--json: cannot write %s", typed);
	problem_why(problem, "%s", strerror(errno));
	return false;
}

/* Options that say how to keep a budget make no sense without one. */
static bool
check_without_budget(const struct options *options, struct problem *problem)
{
	for (int id = 0; id < OPTION_COUNT; id++) {
		const struct option_info *info = &option_infos[id];
		if (options->text[id] == NULL ||
		    info->kind == OPTION_KIND_FLAG || info->command[0] == '\0')
			continue;
		problem_what(problem, EXIT_OURS, "--%s without --memory",
		    info->name);
		problem_why(problem, "without a budget there is nothing that "
				     "it could change");
		problem_advise(problem, "quire run -m 256M --%s=%s ...",
		    info->name, options->text[id]);
		return false;
	}
	return true;
}

static bool
take_options(const struct options *options, struct qr_linux_config *config,
    struct problem *problem)
{
	const uint64_t *number = options->number;

	config->quiet = options->text[OPTION_QUIET] != NULL;
	config->verbose = options->text[OPTION_VERBOSE] != NULL;
	if (options->text[OPTION_MEMORY] == NULL)
		return check_without_budget(options, problem);
	config->pool = number[OPTION_POOL];
	config->codec = number[OPTION_CODEC];
	config->delivery = number[OPTION_DELIVERY];
	config->mover = number[OPTION_MOVER];
	config->overcommit = number[OPTION_OVERCOMMIT];
	if (number[OPTION_POLICY] != 0)
		snprintf(config->policy, sizeof(config->policy), "%s",
		    options->text[OPTION_POLICY]);
	return take_budget(options, config, problem);
}

/* The choices that not every kernel or user may make. */
static bool
check_modes(const struct qr_linux_config *config, struct problem *problem)
{
	if (config->delivery == QR_LINUX_DELIVERY_HANDLER &&
	    !probe_can_handle(problem))
		return false;
	if (config->mover != QR_LINUX_MOVER_MOVE)
		return true;
	problem_what(problem, EXIT_OURS, "--mover=move cannot be used");
	problem_why(problem, "this version of Quire can only copy pages");
	problem_advise(problem, "--mover=auto, which copies now and will move "
				"where that pays");
	return false;
}

static void
tell_plan(const struct launch *launch)
{
	const struct qr_linux_config *config = &launch->config;
	char size[SIZE_TEXT_MAX];

	if (config->budget_bytes != 0)
		say("budget %s, swap %s",
		    size_format(config->budget_bytes, size),
		    config->swap_off != 0 ? "off" : config->swap_dir);
	say("%s with %s", launch->target.path, launch->library);
}

static bool
refuse_malloc(const struct target *target, struct problem *problem)
{
	problem_what(problem, EXIT_CANNOT, "%s is statically linked",
	    target->path);
	problem_why(problem, "it has a malloc inside, which none that is "
			     "preloaded can replace");
	problem_advise(problem, "quire run -m SIZE -- %s, for a budget",
	    target->path);
	return false;
}

static bool
plan(const struct options *options, struct launch *launch,
    struct problem *problem)
{
	struct qr_linux_config *config = &launch->config;
	bool budget = options->text[OPTION_MEMORY] != NULL;

	launch->words = options->operands;
	if (!take_options(options, config, problem))
		return false;
	if (launch->words[0] == NULL) {
		problem_what(problem, EXIT_OURS, "run: no command");
		problem_advise(problem, "quire run -m 256M -- python3 job.py");
		return false;
	}
	if (!target_find(launch->words[0], &launch->target, problem) ||
	    !target_check(&launch->target, problem))
		return false;
	if (budget &&
	    (!probe_can_budget(problem) || !check_modes(config, problem) ||
		!take_swap(options, config, problem) ||
		!take_json(options->text[OPTION_JSON_FILE], config, problem)))
		return false;
	if (launch->target.is_static &&
	    !(budget ? probe_library(QR_LINUX_CARRIER, launch->carrier, problem)
		     : refuse_malloc(&launch->target, problem)))
		return false;
	return probe_library(budget ? "libquire-run.so" : "libquire.so",
	    launch->library, problem);
}

int
run_main(const struct options *options)
{
	static struct launch launch;
	struct problem problem;

	if (!plan(options, &launch, &problem) ||
	    !launch_prepare(&launch, &problem))
		return problem_report(&problem);
	if (launch.config.verbose != 0)
		tell_plan(&launch);
	launch_exec(&launch, &problem);
	return problem_report(&problem);
}
