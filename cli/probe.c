/* SPDX-License-Identifier: MIT */
/* probe.c: tries userfaultfd, system call dispatch, swap directories and
 * looks for the libraries. Leaves nothing behind. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "file.h"
#include "port/linux/uapi.h"
#include "probe.h"

/* A new userfaultfd; for faults of system calls from the device, if the call
 * is forbidden, as the preloaded library does. -1 with errno. */
static long
uffd_open(unsigned flags)
{
	long fd = syscall(SYS_userfaultfd, O_CLOEXEC | (long)flags);

	if (fd >= 0 || errno != EPERM || flags != 0)
		return fd;
	int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	if (device < 0)
		return -1;
	fd = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC);
	(void)close(device);
	return fd;
}

/* Opens a userfaultfd and asks for its features. 0 or errno. */
static int
uffd_features(unsigned flags, uint64_t *features)
{
	struct uffdio_api api = { .api = UFFD_API };
	int error = 0;
	long fd = uffd_open(flags);

	if (fd < 0)
		return errno;
	if (ioctl((int)fd, UFFDIO_API, &api) != 0)
		error = errno;
	(void)close((int)fd);
	*features = api.features;
	return error;
}

void
probe_uffd(struct probe_uffd *uffd)
{
	uint64_t features = 0, ignored = 0;

	*uffd = (struct probe_uffd){ 0 };
	uffd->error = uffd_features(UFFD_USER_MODE_ONLY, &features);
	uffd->kernel = uffd_features(0, &ignored) == 0;
	uffd->sigbus = (features & UFFD_FEATURE_SIGBUS) != 0;
	uffd->protect = (features & UFFD_FEATURE_PAGEFAULT_FLAG_WP) != 0;
	uffd->move = (features & UFFD_FEATURE_MOVE) != 0;
}

int
probe_dispatch(void)
{
	return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0L, 0L,
		   0L) == 0
		   ? 0
		   : errno;
}

static void
explain_uffd(int error, struct problem *problem)
{
	if (error == ENOSYS) {
		problem_why(problem, "it is not built into this kernel");
		problem_advise(problem, "a kernel with CONFIG_USERFAULTFD, "
					"5.11 or newer");
	} else if (error == EINVAL) {
		problem_why(problem, "this kernel is older than 5.11");
		problem_advise(problem, "Linux 5.11 or newer");
	} else if (error == EPERM) {
		problem_why(problem, "it is forbidden here, most likely by a "
				     "container's seccomp profile");
		problem_advise(problem, "allow the call userfaultfd in the "
					"profile");
	} else {
		problem_why(problem, "%s", strerror(error));
	}
}

bool
probe_can_budget(struct problem *problem)
{
	struct probe_uffd uffd;
	int dispatch;

	probe_uffd(&uffd);
	if (uffd.error != 0) {
		problem_what(problem, EXIT_OURS,
		    "no budget: userfaultfd cannot be used");
		explain_uffd(uffd.error, problem);
		return false;
	}
	if (!uffd.sigbus || !uffd.protect) {
		problem_what(problem, EXIT_OURS,
		    "no budget: userfaultfd cannot %s",
		    uffd.sigbus ? "write-protect" : "deliver by signal");
		problem_why(problem, "this kernel or machine lacks that");
		problem_advise(problem, "Linux 5.11 or newer");
		return false;
	}
	dispatch = probe_dispatch();
	if (dispatch == 0)
		return true;
	problem_what(problem, EXIT_OURS,
	    "no budget: system calls cannot be dispatched");
	problem_why(problem, "%s",
	    dispatch == EINVAL ? "this kernel is older than 5.11, or of "
				 "another architecture"
			       : strerror(dispatch));
	problem_advise(problem, "Linux 5.11 or newer on x86-64");
	return false;
}

bool
probe_can_handle(struct problem *problem)
{
	struct probe_uffd uffd;

	probe_uffd(&uffd);
	if (uffd.kernel)
		return true;
	problem_what(problem, EXIT_OURS, "--delivery=handler cannot be used");
	problem_why(problem,
	    "it wants the faults of system calls, which takes CAP_SYS_PTRACE, "
	    "the right to open /dev/userfaultfd, or "
	    "vm.unprivileged_userfaultfd=1");
	problem_advise(problem,
	    "leave --delivery out: the default, signal, needs no right");
	return false;
}

static const char *
file_system_name(unsigned long magic)
{
	static const struct {
		unsigned long magic;
		const char *name;
	} names[] = {
		{ 0x01021994, "tmpfs" },
		{ 0x858458f6, "ramfs" },
		{ 0xef53, "ext4" },
		{ 0x58465342, "xfs" },
		{ 0x9123683e, "btrfs" },
		{ 0x794c7630, "overlay" },
		{ 0xf2f52010, "f2fs" },
		{ 0x2fc12fc1, "zfs" },
		{ 0x6969, "nfs" },
		{ 0x65735546, "fuse" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].magic == magic)
			return names[i].name;
	return "other";
}

const char *
probe_swap_default(void)
{
	const char *directory = getenv("QUIRE_SWAP_DIR");
	return directory != NULL && directory[0] != '\0' ? directory
							 : "/var/tmp";
}

static bool
refuse_swap(struct problem *problem, const char *directory, const char *why)
{
	problem_what(problem, EXIT_OURS, "%s cannot hold the swap file",
	    directory);
	problem_why(problem, "%s", why);
	problem_advise(problem, "--swap DIR with a directory on a disk, or "
				"--swap off");
	return false;
}

bool
probe_swap(const char *directory, struct probe_swap *swap,
    struct problem *problem)
{
	struct statfs kind;
	struct statvfs room;
	struct stat status;

	if (realpath(directory, swap->path) == NULL ||
	    stat(swap->path, &status) != 0 || statfs(swap->path, &kind) != 0 ||
	    statvfs(swap->path, &room) != 0)
		return refuse_swap(problem, directory, strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return refuse_swap(problem, directory, strerror(ENOTDIR));
	if (access(swap->path, W_OK | X_OK) != 0)
		return refuse_swap(problem, directory, strerror(errno));
	swap->type = file_system_name((unsigned long)kind.f_type & 0xffffffff);
	if (strcmp(swap->type, "tmpfs") == 0 ||
	    strcmp(swap->type, "ramfs") == 0)
		return refuse_swap(problem, directory,
		    "it is a tmpfs, which is RAM itself");
	swap->free_bytes = (uint64_t)room.f_bavail * room.f_frsize;
	return true;
}

bool
probe_library(const char *name, char *path, struct problem *problem)
{
	static const char *const places[] = { "/",
		"/../" QUIRE_LIBDIR "/quire/", "/../" QUIRE_LIBDIR "/",
		"/../lib/quire/", "/../lib/" };
	char own[PATH_MAX];

	if (!own_directory(own)) {
		problem_what(problem, EXIT_OURS, "cannot find %s", name);
		problem_why(problem, "/proc is not mounted");
		return false;
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (path_join(path, own, places[i], name, NULL) &&
		    access(path, R_OK) == 0)
			return true;
	problem_what(problem, EXIT_OURS, "cannot find %s", name);
	problem_why(problem, "it is neither beside %s/quire nor in ../%s/quire",
	    own, QUIRE_LIBDIR);
	problem_advise(problem, "build or install all of Quire: make");
	return false;
}
