/* SPDX-License-Identifier: MIT */
/*
 * own CASE: proves that programs with ideas of their own get what they would
 * get without Quire, on memory that was pushed out:
 *
 *   filter   system calls but a few are forbidden, by seccomp
 *   strict   likewise, by its strict mode
 *   fault    a userfaultfd of the program's own on that memory
 *   unshare  calls that are for processes of one thread
 *   census   the process's own count of its threads and descriptors
 *   core     a core dump, in the current folder, has the contents
 *   over     fixed mappings over Quire's library, if there is one
 *
 * Exits 77 where the machine does not allow the case.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  ((size_t)4096)
#define PAGES ((size_t)6000) /* 24 MiB, of which a part must be out */

static uint64_t *region;

static uint64_t
tag(size_t page)
{
	return page * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static void
make(void)
{
	region = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (region == MAP_FAILED)
		exit(1);
	for (size_t page = 0; page < PAGES; page++) {
		for (size_t i = 0; i < PAGE / 8; i += 16)
			region[page * (PAGE / 8) + i] = tag(page) + i;
	}
}

static unsigned
wrong(void)
{
	unsigned count = 0;
	for (size_t page = 0; page < PAGES; page++) {
		for (size_t i = 0; i < PAGE / 8; i += 16) {
			if (region[page * (PAGE / 8) + i] == tag(page) + i)
				continue;
			count++;
			break;
		}
	}
	return count;
}

/* Without libc's buffers, which call what may be forbidden. */
static void
say(const char *what, unsigned long number)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "%s: %lu\n", what, number);
	if (write(1, text, (size_t)n) != n)
		_exit(1);
}

static volatile sig_atomic_t hits;

static void
on_signal(int number)
{
	(void)number;
	hits++;
}

static int
filter(void)
{
	static const int allowed[] = { SYS_read, SYS_write, SYS_exit_group,
		SYS_rt_sigreturn, SYS_getpid, SYS_gettid, SYS_tgkill,
		SYS_rt_sigprocmask };
	enum { COUNT = sizeof(allowed) / sizeof(allowed[0]) };
	struct sock_filter code[COUNT + 3] = { BPF_STMT(BPF_LD | BPF_W |
							    BPF_ABS,
	    offsetof(struct seccomp_data, nr)) };
	for (unsigned i = 0; i < COUNT; i++)
		code[1 + i] =
		    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			(uint32_t)allowed[i], (uint8_t)(COUNT - i), 0);
	code[COUNT + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
	    SECCOMP_RET_KILL_PROCESS);
	code[COUNT + 2] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { COUNT + 3, code };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t set, before;
	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	say("filter", (unsigned long)syscall(SYS_seccomp,
			  SECCOMP_SET_MODE_FILTER, 0, &program));
	say("wrong", wrong());
	raise(SIGUSR1);
	sigprocmask(SIG_BLOCK, NULL, &before);
	say("hits", (unsigned long)hits);
	say("blocked", (unsigned long)sigismember(&before, SIGSEGV));
	_exit(5);
}

static int
strict(void)
{
	say("strict",
	    (unsigned long)prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0));
	say("wrong", wrong());
	syscall(SYS_exit, 6);
	return 0;
}

static int
fault(void)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)region, PAGES * PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	char page[4096];
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) != 0)
		return 77;
	madvise(region, PAGE, MADV_DONTNEED);
	say("register", (unsigned long)ioctl(fd, UFFDIO_REGISTER, &reg));
	memset(page, 7, sizeof(page));
	struct uffdio_copy copy = { .dst = (uintptr_t)region,
		.src = (uintptr_t)page,
		.len = PAGE };
	say("copy", (unsigned long)ioctl(fd, UFFDIO_COPY, &copy));
	say("copied", ((unsigned char *)region)[99]);
	say("others wrong", wrong());
	say("unregister",
	    (unsigned long)ioctl(fd, UFFDIO_UNREGISTER, &reg.range));
	say("others wrong", wrong());
	return 0;
}

static int
unshared(void)
{
	int result = unshare(CLONE_NEWUSER);
	if (result != 0 && errno == EPERM)
		return 77;
	say("unshare", (unsigned long)-result);
	say("threads",
	    (unsigned long)-unshare(CLONE_THREAD | CLONE_VM | CLONE_SIGHAND));
	say("wrong", wrong());
	return 0;
}

/* Pages of the region that a core has as they were. */
static unsigned
dumped(const char *path)
{
	Elf64_Ehdr header;
	Elf64_Phdr part;
	unsigned found = 0;
	int fd = open(path, O_RDONLY);
	if (fd < 0 || pread(fd, &header, sizeof(header), 0) != sizeof(header))
		return 0;
	for (unsigned i = 0; i < header.e_phnum; i++) {
		if (pread(fd, &part, sizeof(part),
			(off_t)(header.e_phoff + i * sizeof(part))) !=
			sizeof(part) ||
		    part.p_type != PT_LOAD)
			continue;
		for (size_t page = 0; page < PAGES; page++) {
			uint64_t at = (uintptr_t)region + page * PAGE;
			uint64_t word;
			if (at < part.p_vaddr ||
			    at >= part.p_vaddr + part.p_filesz)
				continue;
			found +=
			    pread(fd, &word, sizeof(word),
				(off_t)(part.p_offset + at - part.p_vaddr)) ==
				sizeof(word) &&
			    word == tag(page);
		}
	}
	close(fd);
	return found;
}

static int
core(void)
{
	char pattern[64] = { 0 };
	char path[96];
	int status;
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY);
	if (fd < 0 || read(fd, pattern, sizeof(pattern)) < 0 ||
	    strcmp(pattern, "core\n") != 0 || setrlimit(RLIMIT_CORE, &all) != 0)
		return 77;
	pid_t pid = fork();
	if (pid == 0) {
		/* Pushes out once more what the fork has brought in. */
		memset(malloc(PAGES * PAGE / 2), 1, PAGES * PAGE / 2);
		abort();
	}
	waitpid(pid, &status, 0);
	snprintf(path, sizeof(path), "core.%d", (int)pid);
	if (access(path, F_OK) != 0)
		snprintf(path, sizeof(path), "core");
	say("signal", (unsigned long)WTERMSIG(status));
	say("dumped", WCOREDUMP(status) != 0);
	say("pages", dumped(path));
	unlink(path);
	return 0;
}

static int
over(void)
{
	char line[512];
	unsigned long start, end;
	FILE *maps = fopen("/proc/self/maps", "r");
	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
		if (strstr(line, "libquire") == NULL ||
		    sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		void *got = mmap((void *)start, PAGE, PROT_READ,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		if (got != MAP_FAILED || errno != EEXIST ||
		    munmap((void *)start, PAGE) == 0 ||
		    mprotect((void *)start, end - start, PROT_NONE) == 0)
			printf("not refused: %s", line);
	}
	fclose(maps);
	say("wrong", wrong());
	return 0;
}

/* The links of a task directory less its own two. */
static void
links(int directory, const char *path)
{
	struct stat status;
	if (fstatat(directory, path, &status, 0) != 0)
		exit(1);
	printf("%s: %d\n", path, (int)status.st_nlink - 2);
}

static void
entries(const char *path)
{
	DIR *directory = opendir(path);
	struct stat status;
	int count = 0;
	if (directory == NULL || fstat(dirfd(directory), &status) != 0)
		exit(1);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(directory);
	printf("%d entries, %d\n", count, (int)status.st_nlink - 2);
}

/* What follows the key in a text of words. */
static void
field(const char *path, const char *key, int skip)
{
	char text[4096];
	int fd = open(path, O_RDONLY);
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (size < 0)
		exit(1);
	close(fd);
	text[size] = 0;
	char *at = strstr(text, key);
	at = at == NULL ? NULL : at + strlen(key);
	for (; at != NULL && skip != 0; skip--)
		at = strchr(at + 1, ' ');
	printf("%s %d\n", key, at == NULL ? -1 : atoi(at));
}

static int
census(void)
{
	char path[64];
	int proc = open("/proc", O_PATH | O_DIRECTORY);
	int count = 0;
	for (int fd = 0; fd < 1024; fd++) {
		struct stat status;
		count += fstat(fd, &status) == 0;
	}
	printf("%d descriptors\n", count);
	for (int round = 0; round < 20; round++) {
		links(AT_FDCWD, "/proc/self/task");
		links(proc, "self/task/");
		snprintf(path, sizeof(path), "/proc/%d/task", (int)getpid());
		entries(path);
		entries("/proc/self/fd");
		field("/proc/thread-self/status", "Threads:", 0);
		field("/proc/self/stat", ") ", 17);
	}
	printf("wrong pages: %u\n", wrong());
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} cases[] = {
		{ "filter", filter },
		{ "strict", strict },
		{ "fault", fault },
		{ "unshare", unshared },
		{ "census", census },
		{ "core", core },
		{ "over", over },
	};
	make();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (argc == 2 && strcmp(argv[1], cases[i].name) == 0)
			return cases[i].run();
	}
	return 2;
}
