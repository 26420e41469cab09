/* SPDX-License-Identifier: MIT */
/*
 * source.c: one face for this machine, directories and captures; and names of
 * users, which come from etc/passwd, and live also from where libc looks.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source_impl.h"

#define PIECE_BYTES ((size_t)64 << 10) /* asked for by one read */

struct user {
	uint32_t uid;
	const char *name;
	struct user *next;
};

struct source {
	bool is_archive;
	struct tree_source tree;
	struct archive archive;
	char name[PATH_MAX];
	int *pids;
	size_t pid_count;
	size_t pid_capacity;
	struct user *users;
	bool has_users; /* passwd was read */
	struct buffer text;
	struct arena arena;
};

static struct source *
fail(struct source *source, struct problem *problem, int error)
{
	problem_what(problem, EXIT_FAILED, "cannot read %s", source->name);
	problem_why(problem, "%s", strerror(error));
	free(source);
	return NULL;
}

static struct source *
open_archive(struct source *source, int fd, struct problem *problem)
{
	source->is_archive = true;
	bool good = archive_open(&source->archive, fd, source->name, problem);
	if (fd != STDIN_FILENO)
		(void)close(fd);
	if (good)
		return source;
	archive_close(&source->archive);
	free(source);
	return NULL;
}

struct source *
source_open(const char *name, struct problem *problem)
{
	struct source *source = grow(NULL, sizeof(*source));
	struct stat status;

	memset(source, 0, sizeof(*source));
	(void)snprintf(source->name, sizeof(source->name), "%s",
	    name == NULL ? "live" : name);
	if (name != NULL && strcmp(name, "-") == 0)
		return open_archive(source, STDIN_FILENO, problem);
	if (name != NULL && stat(name, &status) != 0)
		return fail(source, problem, errno);
	if (name != NULL && !S_ISDIR(status.st_mode)) {
		int fd = open(name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return fail(source, problem, errno);
		return open_archive(source, fd, problem);
	}
	int error = tree_source_open(&source->tree, name == NULL ? "/" : name);
	return error == 0 ? source : fail(source, problem, -error);
}

void
source_close(struct source *source)
{
	if (source->is_archive)
		archive_close(&source->archive);
	else
		tree_source_close(&source->tree);
	free(source->pids);
	buffer_fini(&source->text);
	arena_fini(&source->arena);
	free(source);
}

bool
source_is_live(const struct source *source)
{
	return !source->is_archive && source->tree.is_live;
}

const char *
source_name(const struct source *source)
{
	return source->name;
}

/* The entry of a path in the archive. */
static const struct archive_entry *
find_entry(const struct source *source, const char *path)
{
	char name[PATH_MAX];

	if (strncmp(path, "proc/", 5) == 0)
		return archive_find(&source->archive, path + 5);
	(void)snprintf(name, sizeof(name), "quire/%s", path);
	return archive_find(&source->archive, name);
}

/* Reads on into the buffer; the bytes got, 0 at the end, -errno. */
static ssize_t
read_more(int fd, struct buffer *buffer)
{
	ssize_t got;

	buffer_reserve(buffer, PIECE_BYTES);
	do
		got = read(fd, buffer->text + buffer->length,
		    buffer->capacity - buffer->length - 1);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	buffer->length += (size_t)got;
	buffer->text[buffer->length] = '\0';
	return got;
}

static int
read_file(struct source *source, const char *path, struct buffer *buffer,
    bool in_a_piece)
{
	buffer->length = 0;
	if (source->is_archive) {
		const struct archive_entry *entry = find_entry(source, path);
		if (entry == NULL)
			return -ENOENT;
		buffer_put(buffer, entry->data, entry->size);
		return 0;
	}
	int fd = tree_source_file(&source->tree, path);
	if (fd < 0)
		return fd;
	ssize_t got;
	size_t room;
	in_a_piece = in_a_piece && source->tree.is_live;
	do {
		got = read_more(fd, buffer);
		room = buffer->capacity - buffer->length - 1;
	} while (got > 0 && !(in_a_piece && room > 0));
	(void)close(fd);
	if (got < 0)
		buffer->length = 0;
	return got < 0 ? (int)got : 0;
}

int
source_read(struct source *source, const char *path, struct buffer *buffer)
{
	return read_file(source, path, buffer, false);
}

int
source_read_piece(struct source *source, const char *path,
    struct buffer *buffer)
{
	return read_file(source, path, buffer, true);
}

/* Hands out what ends in a line end, and moves the rest to the front. */
static void
hand_out(struct buffer *buffer, bool all,
    void (*visit)(void *ctx, char *text, size_t length), void *ctx)
{
	size_t whole = buffer->length;
	while (!all && whole > 0 && buffer->text[whole - 1] != '\n')
		whole--;
	if (whole == 0)
		return;
	char kept = buffer->text[whole];
	buffer->text[whole] = '\0';
	visit(ctx, buffer->text, whole);
	buffer->text[whole] = kept;
	buffer->length -= whole;
	memmove(buffer->text, buffer->text + whole, buffer->length + 1);
}

int
source_read_lines(struct source *source, const char *path,
    void (*visit)(void *ctx, char *text, size_t length), void *ctx)
{
	struct buffer *text = &source->text;
	if (source->is_archive) {
		int error = read_file(source, path, text, false);
		if (error == 0)
			hand_out(text, true, visit, ctx);
		return error;
	}
	int fd = tree_source_file(&source->tree, path);
	if (fd < 0)
		return fd;
	ssize_t got;
	text->length = 0;
	while ((got = read_more(fd, text)) > 0)
		if (text->length >= PIECE_BYTES)
			hand_out(text, false, visit, ctx);
	(void)close(fd);
	hand_out(text, true, visit, ctx);
	return (int)got;
}

bool
source_number(struct source *source, const char *path, uint64_t *number)
{
	struct buffer *text = &source->text;
	char *end;

	if (source_read_piece(source, path, text) != 0 || text->length == 0)
		return false;
	errno = 0;
	unsigned long long value = strtoull(text->text, &end, 10);
	if (end == text->text || errno != 0)
		return false;
	*number = value;
	return true;
}

/* --- directories --- */

struct name_list {
	struct arena *arena;
	char **names;
	size_t count;
};

static void
keep_name(void *ctx, const char *name)
{
	struct name_list *list = ctx;
	list->names =
	    grow(list->names, (list->count + 1) * sizeof(*list->names));
	list->names[list->count++] = arena_string(list->arena, name);
}

/* The first part of each entry's name that lies below the path. */
static void
list_archive(const struct source *source, const char *path,
    struct name_list *list)
{
	char prefix[PATH_MAX];
	const char *last = "";
	if (strncmp(path, "proc/", 5) == 0)
		(void)snprintf(prefix, sizeof(prefix), "%s/", path + 5);
	else
		(void)snprintf(prefix, sizeof(prefix), "quire/%s/", path);
	size_t length = strlen(prefix);
	for (size_t i = 0; i < source->archive.count; i++) {
		const char *name = source->archive.entries[i].name;
		char part[NAME_MAX + 1];
		if (strncmp(name, prefix, length) != 0)
			continue;
		(void)snprintf(part, sizeof(part), "%.*s",
		    (int)strcspn(name + length, "/"), name + length);
		if (part[0] == '\0' || strcmp(part, last) == 0)
			continue;
		keep_name(list, part);
		last = list->names[list->count - 1];
	}
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
source_list(struct source *source, const char *path, struct arena *arena,
    char ***names)
{
	struct name_list list = { arena, NULL, 0 };
	int error = 0;

	if (source->is_archive)
		list_archive(source, path, &list);
	else
		error = tree_source_list(&source->tree, path, keep_name, &list);
	*names = NULL;
	if (error == 0 && list.count > 0) {
		qsort(list.names, list.count, sizeof(*list.names),
		    compare_names);
		/* The entries of one folder need not stand together. */
		size_t kept = 1;
		for (size_t i = 1; i < list.count; i++)
			if (strcmp(list.names[kept - 1], list.names[i]) != 0)
				list.names[kept++] = list.names[i];
		list.count = kept;
		*names = arena_alloc(arena, list.count * sizeof(**names));
		memcpy(*names, list.names, list.count * sizeof(**names));
	}
	free(list.names);
	return error != 0 ? error : (int)list.count;
}

static void
keep_pid(void *ctx, const char *name)
{
	struct source *source = ctx;
	size_t length = strspn(name, "0123456789");

	if (length == 0 || length > 9 || name[0] == '0' ||
	    (name[length] != '\0' && name[length] != '/'))
		return;
	int pid = atoi(name);
	if (source->pid_count > 0 && source->pids[source->pid_count - 1] == pid)
		return;
	if (source->pid_count == source->pid_capacity) {
		source->pid_capacity = source->pid_capacity * 2 + 64;
		source->pids = grow(source->pids,
		    source->pid_capacity * sizeof(*source->pids));
	}
	source->pids[source->pid_count++] = pid;
}

static int
compare_pids(const void *a, const void *b)
{
	int left = *(const int *)a, right = *(const int *)b;
	return (left > right) - (left < right);
}

size_t
source_pids(struct source *source, const int **pids)
{
	source->pid_count = 0;
	if (source->is_archive)
		for (size_t i = 0; i < source->archive.count; i++)
			keep_pid(source, source->archive.entries[i].name);
	else
		(void)tree_source_list(&source->tree, "proc", keep_pid, source);
	/* Without any there is no array either. */
	if (source->pid_count > 1)
		qsort(source->pids, source->pid_count, sizeof(*source->pids),
		    compare_pids);
	size_t kept = 0;
	for (size_t i = 0; i < source->pid_count; i++)
		if (kept == 0 || source->pids[kept - 1] != source->pids[i])
			source->pids[kept++] = source->pids[i];
	source->pid_count = kept;
	*pids = source->pids;
	return kept;
}

const char *
source_link(struct source *source, const char *path, char target[PATH_MAX])
{
	ssize_t length = -1;

	target[0] = '\0';
	if (source->is_archive) {
		if (read_file(source, path, &source->text, false) == 0)
			(void)snprintf(target, PATH_MAX, "%s",
			    source->text.text);
		return target;
	}
	length = readlinkat(source->tree.fd,
	    tree_source_path(&source->tree, path), target, PATH_MAX - 1);
	target[length > 0 ? length : 0] = '\0';
	return target;
}

/* --- users --- */

static const char *
add_user(struct source *source, uint32_t uid, const char *name)
{
	struct user *user = arena_alloc(&source->arena, sizeof(*user));
	user->uid = uid;
	user->name = arena_string(&source->arena, name);
	user->next = source->users;
	source->users = user;
	return user->name;
}

/* Lines "name:x:uid:..."; the first of a number counts. */
static void
read_users(struct source *source)
{
	source->has_users = true;
	if (source_read(source, "etc/passwd", &source->text) != 0)
		return;
	char *next = source->text.text, *line;
	while (next != NULL && (line = strsep(&next, "\n")) != NULL) {
		char *name = strsep(&line, ":");
		(void)strsep(&line, ":");
		char *number = strsep(&line, ":");
		if (number == NULL || *number < '0' || *number > '9')
			continue;
		uint32_t uid = (uint32_t)strtoul(number, NULL, 10);
		bool known = false;
		for (struct user *user = source->users; user != NULL;
		     user = user->next)
			known = known || user->uid == uid;
		if (!known)
			(void)add_user(source, uid, name);
	}
}

const char *
source_user(struct source *source, uint32_t uid)
{
	char number[16];

	if (!source->has_users)
		read_users(source);
	for (struct user *user = source->users; user != NULL; user = user->next)
		if (user->uid == uid)
			return user->name;
	struct passwd *entry =
	    source_is_live(source) ? getpwuid((uid_t)uid) : NULL;
	(void)snprintf(number, sizeof(number), "%u", uid);
	return add_user(source, uid, entry != NULL ? entry->pw_name : number);
}

bool
source_owner(struct source *source, int pid, uint32_t *uid)
{
	char name[32];

	if (!source->is_archive)
		return false;
	(void)snprintf(name, sizeof(name), "%d", pid);
	const struct archive_entry *entry =
	    archive_find(&source->archive, name);
	if (entry == NULL)
		return false;
	*uid = entry->uid;
	return true;
}
