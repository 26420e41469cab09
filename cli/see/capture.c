/* SPDX-License-Identifier: MIT */
/*
 * capture.c: `quire capture`: all that the views read, as a tar that every
 * view reads with -S. It begins as smemcap's does (meminfo, version, then for
 * each process its folder, smaps, cmdline, stat), so that tools of that time
 * can read it; what is ours follows, and what lies outside of /proc stands
 * below quire/.
 *
 * Made anonymous, users become numbers, command lines lose their arguments,
 * and paths outside of the system's folders become hashes, salted anew each
 * time, so that equal paths stay equal within one capture.
 */
#include "capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/json_stdio.h"
#include "cli/proc/origin.h"
#include "cli/proc/pairs.h"
#include "cli/proc/tar_write.h"
#include "cli/size.h"
#include "cgroup_tree.h"
#include "settings.h"
#include "view.h"

/* zstd's levels: of a file, where size counts; of record, which must not
 * disturb. */
#define LEVEL_SMALL 19

/* Work on one capture. */
struct writing {
	struct capture *capture;
	struct tar_writer *tar;
	struct buffer text, line, out;
	struct arena arena;
	uint32_t *uids;
	size_t uid_count;
	uint64_t salt;
};

/* Adds a file under a name; false: it can't be read. */
static bool
add_as(struct writing *writing, const char *path, const char *name,
    uint32_t uid)
{
	int error = source_read(writing->capture->source, path, &writing->text);
	if (error != 0)
		return false;
	if (writing->text.text == NULL)
		buffer_puts(&writing->text, "");
	tar_add(writing->tar, name, writing->text.text, writing->text.length,
	    uid);
	return true;
}

static void
add_proc(struct writing *writing, const char *name)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "proc/%s", name);
	(void)add_as(writing, path, name, 0);
}

static void
add_other(struct writing *writing, const char *path)
{
	char name[PATH_MAX + 16];
	(void)snprintf(name, sizeof(name), "quire/%s", path);
	(void)add_as(writing, path, name, 0);
}

/* --- anonymity --- */

static uint64_t
hash(uint64_t seed, const char *text, size_t length)
{
	uint64_t value = seed ^ 14695981039346656037u;
	for (size_t i = 0; i < length; i++)
		value = (value ^ (unsigned char)text[i]) * 1099511628211u;
	return value ^ value >> 29;
}

static bool
is_of_system(const char *path)
{
	static const char *const folders[] = { "/usr/", "/lib", "/bin/",
		"/sbin/", "/dev/zero", "/SYSV", "/memfd:", "/opt/" };
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (strncmp(path, folders[i], strlen(folders[i])) == 0)
			return true;
	return false;
}

/* Hides the paths at the ends of a text's lines. */
static void
hide_paths(struct writing *writing)
{
	char *text = writing->text.text;
	char *line;

	writing->out.length = 0;
	buffer_puts(&writing->out, "");
	while ((line = line_next(&text)) != NULL) {
		char *path = strchr(line, '/');
		if (path == NULL || is_of_system(path)) {
			buffer_printf(&writing->out, "%s\n", line);
			continue;
		}
		size_t length = strlen(path);
		const char *gone = "";
		if (length > 10 &&
		    strcmp(path + length - 10, " (deleted)") == 0) {
			gone = " (deleted)";
			length -= 10;
		}
		buffer_printf(&writing->out, "%.*s/hidden/%012llx%s\n",
		    (int)(path - line), line,
		    (unsigned long long)(hash(writing->salt, path, length) &
					 0xffffffffffffu),
		    gone);
	}
}

/* The first argument alone, hidden if it is a path of nobody's business. */
static void
hide_arguments(struct writing *writing)
{
	struct buffer *text = &writing->text;

	text->length = text->text != NULL ? strlen(text->text) : 0;
	buffer_puts(text, "");
	hide_paths(writing);
	writing->out.length = writing->out.length > 0 ? writing->out.length - 1
						      : 0; /* the line's end */
}

/* --- processes --- */

enum hiding { HIDE_NOTHING, HIDE_PATHS, HIDE_ARGUMENTS, HIDE_ALL };

/* smemcap's files come first. smaps has all that maps has, whose addresses
 * would be a sixth of a compressed capture. */
static const struct {
	const char *name;
	enum hiding hiding;
} process_files[] = {
	{ "smaps", HIDE_PATHS },
	{ "cmdline", HIDE_ARGUMENTS },
	{ "stat", HIDE_NOTHING },
	{ "smaps_rollup", HIDE_NOTHING },
	{ "status", HIDE_NOTHING },
	{ "cgroup", HIDE_ALL },
	{ "limits", HIDE_NOTHING },
	{ "oom_score", HIDE_NOTHING },
	{ "oom_score_adj", HIDE_NOTHING },
	{ "io", HIDE_NOTHING },
	{ "ksm_stat", HIDE_NOTHING },
};

static uint32_t
owner_of(struct writing *writing)
{
	struct pair pair;
	char *text = writing->text.text;
	while (pair_next(&text, &pair))
		if (strcmp(pair.key, "Uid") == 0)
			return (uint32_t)pair.number;
	return 0;
}

static void
keep_uid(struct writing *writing, uint32_t uid)
{
	for (size_t i = 0; i < writing->uid_count; i++)
		if (writing->uids[i] == uid)
			return;
	writing->uids = grow(writing->uids,
	    (writing->uid_count + 1) * sizeof(*writing->uids));
	writing->uids[writing->uid_count++] = uid;
}

static void
add_process_file(struct writing *writing, int pid, size_t index, uint32_t uid)
{
	char path[64];
	enum hiding hiding = writing->capture->anonymous
				 ? process_files[index].hiding
				 : HIDE_NOTHING;

	(void)snprintf(path, sizeof(path), "proc/%d/%s", pid,
	    process_files[index].name);
	if (hiding == HIDE_NOTHING) {
		(void)add_as(writing, path, path + 5, uid);
		return;
	}
	if (hiding == HIDE_ALL ||
	    source_read(writing->capture->source, path, &writing->text) != 0)
		return;
	if (hiding == HIDE_PATHS)
		hide_paths(writing);
	else
		hide_arguments(writing);
	tar_add(writing->tar, path + 5, writing->out.text, writing->out.length,
	    uid);
}

static void
add_process(struct writing *writing, int pid)
{
	struct capture *capture = writing->capture;
	char path[64], target[PATH_MAX];
	uint32_t uid;

	(void)snprintf(path, sizeof(path), "proc/%d/status", pid);
	if (source_read(capture->source, path, &writing->text) != 0)
		return; /* gone */
	if (writing->text.text == NULL)
		return;
	bool has_memory = strstr(writing->text.text, "VmSize:") != NULL;
	uid = owner_of(writing);
	keep_uid(writing, uid);
	(void)snprintf(path, sizeof(path), "%d", pid);
	tar_add_directory(writing->tar, path, uid);
	capture->processes++;
	(void)snprintf(path, sizeof(path), "proc/%d/smaps_rollup", pid);
	int error = source_read(capture->source, path, &writing->text);
	if (has_memory && (error == -EACCES || error == -EPERM))
		capture->unreadable++;
	size_t count = sizeof(process_files) / sizeof(process_files[0]);
	for (size_t i = 0; i < count; i++)
		add_process_file(writing, pid, i, uid);
	if (capture->anonymous)
		return;
	(void)snprintf(path, sizeof(path), "proc/%d/exe", pid);
	if (source_link(capture->source, path, target)[0] != '\0')
		tar_add(writing->tar, path + 5, target, strlen(target), uid);
}

/* --- the machine --- */

static const char *const machine_files[] = {
	"vmstat",
	"stat",
	"uptime",
	"buddyinfo",
	"pagetypeinfo",
	"slabinfo",
	"zoneinfo",
	"vmallocinfo",
	"swaps",
	"pressure/memory",
	"sysvipc/shm",
	"iomem",
	"cmdline",
	"loadavg",
};

/* Files of all folders below one that begin with a prefix. */
static void
add_folders(struct writing *writing, const char *folder, const char *prefix,
    const char *const *files)
{
	char **names;
	char path[PATH_MAX];
	int count = source_list(writing->capture->source, folder,
	    &writing->arena, &names);

	for (int i = 0; i < count; i++) {
		if (strncmp(names[i], prefix, strlen(prefix)) != 0)
			continue;
		for (size_t j = 0; files[j] != NULL; j++) {
			(void)snprintf(path, sizeof(path), "%s/%s/%s", folder,
			    names[i], files[j]);
			add_other(writing, path);
		}
	}
}

/* All files of a folder; what is a folder in it cannot be read. */
static void
add_folder(struct writing *writing, const char *folder)
{
	char path[PATH_MAX];
	char **names;
	int count = source_list(writing->capture->source, folder,
	    &writing->arena, &names);

	for (int i = 0; i < count; i++) {
		if (settings_must_skip(names[i]))
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		if (strncmp(path, "proc/", 5) == 0)
			add_proc(writing, path + 5);
		else
			add_other(writing, path);
	}
}

static void
add_huge_pages(struct writing *writing)
{
	static const char *const folders[] = { "sys/kernel/mm/hugepages",
		"sys/kernel/mm/transparent_hugepage" };
	char path[PATH_MAX];
	char **names;

	for (size_t i = 0; i < 2; i++) {
		int count = source_list(writing->capture->source, folders[i],
		    &writing->arena, &names);
		for (int j = 0; j < count; j++) {
			if (strncmp(names[j], "hugepages-", 10) != 0)
				continue;
			(void)snprintf(path, sizeof(path), "%s/%s", folders[i],
			    names[j]);
			add_folder(writing, path);
			(void)snprintf(path, sizeof(path), "%s/%s/stats",
			    folders[i], names[j]);
			add_folder(writing, path);
		}
	}
}

/* The memory files of a group where version 2 is mounted, in case version 1
 * has the rest. */
static void
add_second_group(struct writing *writing, const char *group)
{
	static const char *const mounts[] = { "sys/fs/cgroup",
		"sys/fs/cgroup/unified", NULL };
	static const char *const files[] = { "memory.max", "memory.high",
		"memory.current", "memory.stat", NULL };
	char path[PATH_MAX];

	for (size_t i = 0; mounts[i] != NULL; i++)
		for (size_t j = 0; files[j] != NULL; j++) {
			(void)snprintf(path, sizeof(path), "%s%s/%s", mounts[i],
			    strcmp(group, "/") == 0 ? "" : group, files[j]);
			add_other(writing, path);
		}
}

/* Our control groups and all above them. */
static void
add_second_groups(struct writing *writing)
{
	char *line;

	if (source_read(writing->capture->source, "proc/self/cgroup",
		&writing->text) != 0 ||
	    writing->text.text == NULL)
		return;
	char *text = arena_string(&writing->arena, writing->text.text);
	while ((line = line_next(&text)) != NULL) {
		char *group = strrchr(line, ':');
		char *slash = group;
		while (slash != NULL) {
			add_second_group(writing, group + 1);
			slash = strrchr(group + 1, '/');
			if (slash != NULL)
				*slash = '\0';
		}
	}
}

/* Whether a group is another, or is above it. */
static bool
holds(const char *group, const char *other)
{
	size_t length = strlen(group);

	return strcmp(group, "/") == 0 ||
	       (strncmp(group, other, length) == 0 &&
		   (other[length] == '\0' || other[length] == '/'));
}

/* What `quire cgroups` lists of all groups; our own and those above it are
 * captured whole. */
static void
add_groups(struct writing *writing)
{
	struct session session = { .source = writing->capture->source };
	struct cgroup_tree tree;

	if (!cgroup_tree_open(&session, &tree))
		return;
	if (tree.version == 1)
		add_second_groups(writing);
	const char *own = cgroup_tree_of_self(&session, &tree);
	cgroup_tree_list(&session, &tree);
	for (size_t i = 0; i < tree.count; i++) {
		const char *const *files = cgroups_files(tree.version);
		const char *group = tree.groups[i];
		if (own != NULL && holds(group, own))
			add_folder(writing, cgroup_tree_path(&tree, group, ""));
		else
			for (; *files != NULL; files++)
				add_other(writing,
				    cgroup_tree_path(&tree, group, *files));
	}
	cgroup_tree_close(&tree);
}

static void
add_users(struct writing *writing)
{
	struct buffer users = { 0 };

	for (size_t i = 0; i < writing->uid_count; i++) {
		uint32_t uid = writing->uids[i];
		if (writing->capture->anonymous)
			buffer_printf(&users, "user%zu:x:%u:\n", i + 1, uid);
		else
			buffer_printf(&users, "%s:x:%u:\n",
			    source_user(writing->capture->source, uid), uid);
	}
	buffer_puts(&users, "");
	tar_add(writing->tar, "quire/etc/passwd", users.text, users.length, 0);
	buffer_fini(&users);
}

static void
put_buffer(void *ctx, const char *bytes, size_t length)
{
	buffer_put(ctx, bytes, length);
}

static void
add_manifest(struct writing *writing)
{
	const struct capture *capture = writing->capture;
	struct buffer text = { 0 };
	struct json json;
	struct origin origin;

	origin_find(capture->source, &origin);
	json_init(&json, put_buffer, &text);
	json_begin_object(&json);
	json_key(&json, "schema");
	json_string(&json, "quire.capture/1");
	json_key(&json, "time");
	json_string(&json, origin.time);
	json_key(&json, "kernel");
	json_string(&json, origin.kernel);
	json_key(&json, "machine");
	json_string(&json, origin.machine);
	json_key(&json, "host");
	json_string(&json, capture->anonymous ? "" : origin.host);
	json_key(&json, "processes");
	json_unsigned(&json, capture->processes);
	json_key(&json, "unreadable");
	json_unsigned(&json, capture->unreadable);
	json_key(&json, "anonymous");
	json_bool(&json, capture->anonymous);
	json_end_object(&json);
	tar_add(writing->tar, "quire/manifest.json", text.text, text.length, 0);
	buffer_fini(&text);
}

static void
add_machine(struct writing *writing)
{
	static const char *const node_files[] = { "meminfo", "numastat",
		"distance", "hugepages/hugepages-2048kB/nr_hugepages",
		"hugepages/hugepages-1048576kB/nr_hugepages", NULL };
	static const char *const zram_files[] = { "mm_stat", "disksize", NULL };
	size_t count = sizeof(machine_files) / sizeof(machine_files[0]);

	for (size_t i = 0; i < count; i++)
		if (!writing->capture->anonymous ||
		    strcmp(machine_files[i], "cmdline") != 0)
			add_proc(writing, machine_files[i]);
	add_folders(writing, "sys/devices/system/node", "node", node_files);
	add_folders(writing, "sys/block", "zram", zram_files);
	for (const struct settings_folder *folder = settings_folders;
	     folder->path != NULL; folder++)
		add_folder(writing, folder->path);
	add_huge_pages(writing);
	if (writing->capture->anonymous)
		return;
	add_proc(writing, "self/cgroup");
	add_proc(writing, "self/mountinfo");
	add_groups(writing);
}

bool
capture_write(struct capture *capture)
{
	struct timespec now;
	struct writing writing = { .capture = capture };
	const int *pids;

	writing.tar = tar_open(capture->stream, capture->level);
	if (writing.tar == NULL)
		return false;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	writing.salt = hash((uint64_t)now.tv_nsec * 2654435761u,
	    (const char *)&now, sizeof(now));
	add_proc(&writing, "meminfo");
	add_proc(&writing, "version");
	/* Views of the source may ask for the list anew meanwhile. */
	size_t count = source_pids(capture->source, &pids);
	int *own = grow(NULL, count * sizeof(*own));
	memcpy(own, pids, count * sizeof(*own));
	for (size_t i = 0; i < count; i++)
		add_process(&writing, own[i]);
	free(own);
	add_machine(&writing);
	add_users(&writing);
	add_manifest(&writing);
	buffer_fini(&writing.text);
	buffer_fini(&writing.out);
	arena_fini(&writing.arena);
	free(writing.uids);
	return tar_close(writing.tar);
}

static bool
ends(const char *text, const char *with)
{
	size_t length = strlen(text), end = strlen(with);
	return length >= end && strcmp(text + length - end, with) == 0;
}

static int
fail(const char *name, int error)
{
	struct problem problem;

	problem_what(&problem, EXIT_FAILED, "cannot write %s", name);
	problem_why(&problem, "%s", strerror(error));
	return problem_report(&problem);
}

/* Writes to a file, or to stdout if that is no terminal. */
static int
write_to(struct capture *capture, const char *name)
{
	bool is_stdout = name == NULL || strcmp(name, "-") == 0;
	char size[SIZE_TEXT_MAX];

	capture->stream = is_stdout ? stdout : fopen(name, "we");
	if (capture->stream == NULL)
		return fail(name, errno);
	bool good = capture_write(capture);
	long length = is_stdout ? -1 : ftell(capture->stream);
	bool failed = ferror(capture->stream) != 0 || !good;
	if (!is_stdout && fclose(capture->stream) != 0)
		failed = true;
	if (failed && !is_stdout) {
		int error = errno;
		struct stat status;
		/* Half a capture is none; but devices are not ours. */
		if (lstat(name, &status) == 0 && S_ISREG(status.st_mode))
			(void)unlink(name);
		return fail(name, error);
	}
	if (!is_stdout)
		say("%zu processes in %s, %s", capture->processes, name,
		    size_format((uint64_t)(length > 0 ? length : 0), size));
	if (capture->unreadable > 0)
		say("%zu could not be read%s", capture->unreadable,
		    geteuid() == 0 ? "" : " (other users): root can");
	return EXIT_OK;
}

int
capture_main(const struct options *options)
{
	const char *name = options->text[OPTION_OUTPUT];
	struct capture capture = {
		.anonymous = options->text[OPTION_ANONYMISE] != NULL
	};
	struct problem problem;

	if (name == NULL && options->operands[0] != NULL) {
		name = options->operands[0];
		if (options->operands[1] != NULL)
			return command_misused(command_find("capture"),
			    "one file is wanted");
	}
	if ((name == NULL || strcmp(name, "-") == 0) &&
	    isatty(STDOUT_FILENO) == 1)
		return command_misused(command_find("capture"),
		    "a terminal cannot hold it");
	if (options->text[OPTION_ZSTD] != NULL ||
	    (name != NULL && (ends(name, ".zst") || ends(name, ".tzst"))))
		capture.level = LEVEL_SMALL;
	capture.source =
	    source_open(options->text[OPTION_CAPTURE_SOURCE], &problem);
	if (capture.source == NULL)
		return problem_report(&problem);
	int code = write_to(&capture, name);
	source_close(capture.source);
	return code;
}
