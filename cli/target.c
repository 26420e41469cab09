/* SPDX-License-Identifier: MIT */
/*
 * target.c: finds a program the way execvp finds it, follows its chain of
 * interpreters the way the kernel follows it, and refuses what a preloaded
 * library cannot enter. Each refusal has its own words.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "port/linux/elf_image.h"

#include "file.h"
#include "target.h"

#define INTERPRETERS_MAX 5   /* links of a #! chain, as in Linux */
#define HEAD_BYTES       256 /* of a script's first line that count, too */

/* Both have PATH_MAX bytes. */
static void
path_copy(char *to, const char *from)
{
	memcpy(to, from, strlen(from) + 1);
}

/* 0: an executable file is there; else the errno that execve would give. */
static int
probe_executable(const char *path)
{
	struct stat status;
	if (stat(path, &status) != 0)
		return errno;
	if (S_ISDIR(status.st_mode))
		return EISDIR;
	if (!S_ISREG(status.st_mode))
		return EACCES;
	return access(path, X_OK) == 0 ? 0 : errno;
}

/* Tries the directories of PATH; the error of the best candidate. */
static int
search_path(const char *name, char *path)
{
	const char *list = getenv("PATH");
	int error = ENOENT;

	if (list == NULL)
		list = "/bin:/usr/bin";
	while (true) {
		size_t span = strcspn(list, ":");
		char directory[PATH_MAX] = ".";
		if (span > 0 && span < PATH_MAX) {
			memcpy(directory, list, span);
			directory[span] = '\0';
		}
		if (path_join(path, directory, "/", name, NULL)) {
			int tried = probe_executable(path);
			if (tried == 0)
				return 0;
			if (tried == EACCES || tried == EISDIR)
				error = tried;
		}
		if (list[span] == '\0')
			return error;
		list += span + 1;
	}
}

static int
locate(const char *name, char *path)
{
	if (strchr(name, '/') == NULL)
		return search_path(name, path);
	if (!path_join(path, name, NULL))
		return ENAMETOOLONG;
	return probe_executable(path);
}

bool
target_find(const char *name, struct target *target, struct problem *problem)
{
	int error = name[0] == '\0' ? ENOENT : locate(name, target->path);

	target->by_shell = false;
	target->is_static = false;
	target->by_env = false;
	if (error == 0) {
		path_copy(target->image, target->path);
		return true;
	}
	if (error != ENOENT && error != ENOTDIR) {
		problem_what(problem, EXIT_CANNOT, "cannot execute %s", name);
		problem_why(problem, "%s", strerror(error));
		return false;
	}
	problem_what(problem, EXIT_NOT_FOUND, "%s: no such command", name);
	if (strchr(name, '/') == NULL)
		problem_why(problem, "no directory of PATH has it");
	if (name[0] == '-')
		problem_advise(problem,
		    "options of quire go before the command: quire run -m "
		    "256M -- command");
	return false;
}

/* The interpreter of `#!/usr/bin/env NAME` is NAME. */
static bool
is_env(const char *interpreter)
{
	const char *slash = strrchr(interpreter, '/');
	return slash != NULL && strcmp(slash, "/env") == 0;
}

/*
 * Reads the first line of image. False: it is no script. Else interpreter is
 * what the line names; for env, what env would run, and *by_env is set.
 */
static bool
read_interpreter(const char *image, char *interpreter, bool *by_env)
{
	char head[HEAD_BYTES];
	if (file_read(image, head, sizeof(head)) < 2 || head[0] != '#' ||
	    head[1] != '!')
		return false;
	char *line = head + 2;
	line[strcspn(line, "\n")] = '\0';
	line += strspn(line, " \t");
	char *rest = line;
	line = strsep(&rest, " \t");
	if (!path_join(interpreter, line, NULL))
		return false;
	if (!is_env(interpreter) || rest == NULL)
		return true;
	rest += strspn(rest, " \t");
	if (strncmp(rest, "-S", 2) == 0)
		rest += 2 + strspn(rest + 2, " \t");
	line = strsep(&rest, " \t");
	char found[PATH_MAX];
	if (line[0] != '\0' && line[0] != '-' && strchr(line, '=') == NULL &&
	    locate(line, found) == 0) {
		path_copy(interpreter, found);
		*by_env = true;
	}
	return true;
}

/* Goes on to the interpreter of a script, as often as need be. */
static bool
follow_scripts(struct target *target, struct problem *problem)
{
	char interpreter[PATH_MAX];

	for (int links = 0;
	     read_interpreter(target->image, interpreter, &target->by_env);
	     links++) {
		if (links == INTERPRETERS_MAX) {
			problem_what(problem, EXIT_CANNOT, "cannot execute %s",
			    target->path);
			problem_why(problem, "its interpreters are scripts "
					     "that call each other");
			return false;
		}
		int error = probe_executable(interpreter);
		if (error != 0) {
			problem_what(problem,
			    error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT,
			    "cannot execute %s", target->path);
			problem_why(problem,
			    "its first line asks for the interpreter '%s': %s",
			    interpreter, strerror(error));
			return false;
		}
		path_copy(target->image, interpreter);
	}
	return true;
}

static bool
copy_from_file(void *ctx, uint64_t offset, void *to, size_t size)
{
	const int *fd = ctx;
	return offset <= INT64_MAX &&
	       pread(*fd, to, size, (off_t)offset) == (ssize_t)size;
}

/* 0, or -errno when the file can't be opened. */
static int
read_image(const char *path, struct elf_image *image)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const struct elf_source source = { copy_from_file, &fd };
	if (fd < 0)
		return -errno;
	elf_image_read(&source, image);
	(void)close(fd);
	return 0;
}

/* "x86-64", "AArch64"; a number where the name is not known. */
static const char *
machine_name(unsigned machine, char *text, size_t capacity)
{
	switch (machine) {
	case EM_X86_64:
		return "x86-64";
	case EM_386:
		return "i386";
	case EM_AARCH64:
		return "AArch64";
	case EM_ARM:
		return "ARM";
	case EM_RISCV:
		return "RISC-V";
	case EM_PPC64:
		return "PowerPC 64";
	case EM_S390:
		return "S/390";
	default:
		snprintf(text, capacity, "ELF machine %u", machine);
		return text;
	}
}

static bool
refuse_privileged(const struct target *target, struct problem *problem)
{
	struct stat status;
	char capabilities[64];
	const char *kind = NULL;

	if (stat(target->image, &status) != 0)
		return true;
	if ((status.st_mode & S_ISUID) != 0)
		kind = "setuid";
	else if ((status.st_mode & S_ISGID) != 0 &&
		 (status.st_mode & S_IXGRP) != 0)
		kind = "setgid";
	else if (getxattr(target->image, "security.capability", capabilities,
		     sizeof(capabilities)) > 0)
		kind = "file-capability";
	if (kind == NULL)
		return true;
	problem_what(problem, EXIT_CANNOT, "%s is a %s program", target->image,
	    kind);
	problem_why(problem,
	    "it runs with rights of its own, so the loader must not let "
	    "anybody's library into it, whoever starts it");
	problem_advise(problem, "run it without Quire");
	return false;
}

static void
refuse_foreign(const struct target *target, const struct elf_image *image,
    struct problem *problem)
{
	char theirs[32], ours[32];
	unsigned bits = (unsigned)sizeof(void *) * 8;

	problem_what(problem, EXIT_CANNOT,
	    "%s is for another machine: %u-bit %s", target->image, image->bits,
	    machine_name(image->machine, theirs, sizeof(theirs)));
	problem_why(problem, "Quire here is for %u-bit %s", bits,
	    machine_name(elf_own_machine(), ours, sizeof(ours)));
	problem_advise(problem, "a build of the program for this machine");
}

static bool
check_loader(const struct target *target, const struct elf_image *image,
    struct problem *problem)
{
	if (strstr(image->loader, "/ld-musl-") != NULL) {
		problem_what(problem, EXIT_CANNOT, "%s is linked to musl",
		    target->image);
		problem_why(problem, "Quire's library needs glibc, and one "
				     "process cannot have both");
		problem_advise(problem, "a build of the program for glibc");
		return false;
	}
	if (access(image->loader, X_OK) == 0)
		return true;
	int error = errno;
	problem_what(problem, error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT,
	    "cannot execute %s", target->image);
	problem_why(problem, "its loader %s: %s", image->loader,
	    strerror(error));
	return false;
}

static bool
check_dynamic(const struct target *target, const struct elf_image *image,
    struct problem *problem)
{
	if (image->sanitizer == NULL)
		return check_loader(target, image, problem);
	problem_what(problem, EXIT_CANNOT, "%s is built with %s", target->image,
	    image->sanitizer);
	problem_why(problem, "a sanitizer replaces malloc and lays out the "
			     "address space itself");
	problem_advise(problem, "a build without -fsanitize");
	return false;
}

/* The carrier has the program's own words, and those of a script the kernel
 * makes. */
static bool
check_static(struct target *target, struct problem *problem)
{
	target->is_static = strcmp(target->path, target->image) == 0;
	if (target->is_static || target->by_env)
		return true;
	problem_what(problem, EXIT_CANNOT, "cannot run the script %s",
	    target->path);
	problem_why(problem, "its interpreter %s is statically linked",
	    target->image);
	problem_advise(problem, "quire run -m SIZE -- %s %s", target->image,
	    target->path);
	return false;
}

static bool
check_image(struct target *target, const struct elf_image *image,
    struct problem *problem)
{
	switch (image->kind) {
	case ELF_DYNAMIC:
		return check_dynamic(target, image, problem);
	case ELF_FOREIGN:
		refuse_foreign(target, image, problem);
		return false;
	case ELF_STATIC:
		return check_static(target, problem);
	case ELF_BROKEN:
	case ELF_NOT:
		break;
	}
	problem_what(problem, EXIT_CANNOT, "cannot execute %s", target->image);
	problem_why(problem, "it is %s",
	    image->kind == ELF_NOT ? "neither a program nor a script"
				   : "a damaged ELF file");
	return false;
}

bool
target_check(struct target *target, struct problem *problem)
{
	struct elf_image image;
	int error;

	if (!follow_scripts(target, problem))
		return false;
	error = read_image(target->image, &image);
	if (error == 0 && image.kind == ELF_NOT &&
	    strcmp(target->image, target->path) == 0) {
		/* As execvp does with ENOEXEC. */
		target->by_shell = true;
		path_copy(target->image, "/bin/sh");
		error = read_image(target->image, &image);
	}
	if (error != 0) {
		problem_what(problem, EXIT_CANNOT, "cannot look into %s",
		    target->image);
		problem_why(problem, "%s", strerror(-error));
		return false;
	}
	return refuse_privileged(target, problem) &&
	       check_image(target, &image, problem);
}
