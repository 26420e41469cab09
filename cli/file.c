/* SPDX-License-Identifier: MIT */
/* file.c: reading small files and building paths. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

int
file_read(const char *path, char *text, size_t capacity)
{
	size_t length = 0;
	ssize_t got = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	do {
		got = read(fd, text + length, capacity - 1 - length);
		if (got > 0)
			length += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	int error = got < 0 ? -errno : 0;
	(void)close(fd);
	text[length] = '\0';
	return error != 0 ? error : (int)length;
}

bool
file_read_number(const char *path, uint64_t *number)
{
	char text[64];
	char *end;

	if (file_read(path, text, sizeof(text)) <= 0)
		return false;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (end == text || errno != 0)
		return false;
	*number = value;
	return true;
}

bool
path_join(char *path, ...)
{
	size_t length = 0;
	const char *part;
	va_list parts;

	va_start(parts, path);
	while ((part = va_arg(parts, const char *)) != NULL) {
		size_t more = strlen(part);
		if (length + more >= PATH_MAX) {
			va_end(parts);
			return false;
		}
		memcpy(path + length, part, more);
		length += more;
	}
	va_end(parts);
	path[length] = '\0';
	return true;
}

int
directory_make(const char *path)
{
	char partial[PATH_MAX];

	if (!path_join(partial, path, "/", NULL))
		return -ENAMETOOLONG;
	for (char *slash = partial + 1; *slash != '\0'; slash++) {
		if (*slash != '/')
			continue;
		*slash = '\0';
		if (mkdir(partial, 0700) != 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return access(partial, W_OK | X_OK) == 0 ? 0 : -errno;
}

bool
own_directory(char *path)
{
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (length <= 0)
		return false;
	path[length] = '\0';
	char *slash = strrchr(path, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	return true;
}

bool
state_directory(char *path)
{
	const char *base = getenv("XDG_STATE_HOME");
	if (base != NULL && base[0] == '/')
		return path_join(path, base, "/quire", NULL);
	base = getenv("HOME");
	if (base != NULL && base[0] == '/')
		return path_join(path, base, "/.local/state/quire", NULL);
	return false;
}
