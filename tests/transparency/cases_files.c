/* SPDX-License-Identifier: MIT */
/* cases_files.c: files: their bytes, names and attributes. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include "case.h"

static void
read_write(void)
{
	const size_t size = 200001;
	unsigned char *from = cell_fill(size, 1);
	unsigned char *to = cell(size);
	int fd = file_new();
	CALL(write(fd, from, size));
	CALL(lseek(fd, 0, SEEK_SET));
	CALL(read(fd, to, size));
	say("%d\n", memcmp(from, to, size));
	CALL(read(fd, to, size));
	CALL(pwrite(fd, from, 5000, 777));
	CALL(pread(fd, to, size, 770));
	say_bytes("to", to, size);
	close(fd);
}

/* A program that takes a short read for the end of the file. */
static void
whole_counts(void)
{
	const size_t size = 5 * MIB + 77;
	unsigned char *from = cell_fill(size, 2);
	unsigned char *to = cell(size);
	int fd = file_new();
	CALL(write(fd, from, size));
	CALL(pread(fd, to, size, 0));
	say("%d\n", memcmp(from, to, size));
	CALL(pread(fd, to, size, 4 * (off_t)MIB));
	CALL(pread(fd, to, size, 20 * (off_t)MIB));
	say_bytes("to", to, size);
	close(fd);
}

static void
vectors(void)
{
	enum { COUNT = 40 };
	struct iovec *out = cell(COUNT * sizeof(*out));
	struct iovec *in = cell(COUNT * sizeof(*in));
	unsigned char *from = cell_fill(COUNT * 9000, 3);
	unsigned char *to = cell(COUNT * 9000);
	int fd = file_new();
	for (size_t i = 0; i < COUNT; i++) {
		out[i] = (struct iovec){ from + i * 9000, i * 211 % 8000 };
		in[i] = (struct iovec){ to + i * 9000, i * 307 % 9000 };
	}
	CALL(writev(fd, out, COUNT));
	CALL(preadv(fd, in, COUNT, 0));
	say_bytes("to", to, COUNT * 9000);
	CALL(pwritev(fd, out + 3, 5, 100));
	CALL(preadv2(fd, in + 1, 20, 50, 0));
	CALL(lseek(fd, 10, SEEK_SET));
	CALL(readv(fd, in, COUNT));
	say_bytes("to", to, COUNT * 9000);
	in[2].iov_base = place(0);
	CALL(preadv(fd, in, 4, 0));
	CALL(preadv(fd, in + 2, 1, 0));
	close(fd);
}

static void
many_vectors(void)
{
	enum { COUNT = 1024 };
	struct iovec *out = cell((COUNT + 1) * sizeof(*out));
	unsigned char *from = cell_fill(COUNT * 1000, 4);
	unsigned char *to = cell(COUNT * 1000);
	int fd = file_new();
	for (size_t i = 0; i < COUNT; i++)
		out[i] = (struct iovec){ from + i * 1000, 1000 };
	CALL(writev(fd, out, COUNT));
	CALL(writev(fd, out, COUNT + 1));
	for (size_t i = 0; i < COUNT; i++)
		out[i].iov_base = to + i * 1000;
	CALL(preadv(fd, out, COUNT, 0));
	say("%d\n", memcmp(from, to, COUNT * 1000));
	close(fd);
}

static void
appending(void)
{
	unsigned char *from = cell_fill(70000, 5);
	unsigned char *to = cell(150000);
	int fd = file_new();
	CALL(fcntl(fd, F_SETFL, O_APPEND));
	CALL(write(fd, from, 70000));
	CALL(lseek(fd, 0, SEEK_SET));
	CALL(write(fd, from, 70000));
	CALL(pread(fd, to, 150000, 0));
	say_bytes("to", to, 150000);
	close(fd);
}

/* The limit cuts a write, and refuses the next. */
static void
limited(void)
{
	struct rlimit *limit = cell(sizeof(*limit));
	struct rlimit *old = cell(sizeof(*old));
	unsigned char *from = cell_fill(100000, 6);
	int fd = file_new();
	signal(SIGXFSZ, SIG_IGN);
	CALL(getrlimit(RLIMIT_FSIZE, old));
	limit->rlim_cur = 60000;
	limit->rlim_max = old->rlim_max;
	CALL(setrlimit(RLIMIT_FSIZE, limit));
	CALL(write(fd, from, 100000));
	CALL(write(fd, from, 100000));
	CALL(setrlimit(RLIMIT_FSIZE, old));
	CALL(write(fd, from, 100000));
	signal(SIGXFSZ, SIG_DFL);
	close(fd);
}

static void
devices(void)
{
	unsigned char *bytes = cell_fill(300000, 7);
	unsigned char *large = cell(5 * MIB);
	int full = open("/dev/full", O_RDWR);
	int zero = open("/dev/zero", O_RDWR);
	int null = open("/dev/null", O_RDWR);
	CALL(write(full, bytes, 300000));
	CALL(write(null, bytes, 300000));
	CALL(read(null, bytes, 300000));
	CALL(read(zero, bytes, 150000));
	say_bytes("bytes", bytes, 300000);
	CALL(read(zero, large, 5 * MIB));
	CALL(syscall(SYS_getrandom, bytes, 200000, 0));
	int random = open("/dev/urandom", O_RDONLY);
	CALL(read(random, bytes, 100000));
	close(random);
	close(null);
	close(zero);
	close(full);
}

static void
direct(void)
{
	unsigned char *from = cell_pages(16 * PAGE);
	unsigned char *to = cell_pages(16 * PAGE);
	char *path = cell_text("direct");
	memset(from, 0x5a, 16 * PAGE);
	chill();
	int fd = open(path, O_CREAT | O_RDWR | O_DIRECT, 0600);
	if (fd < 0) {
		say_skipped("no O_DIRECT here");
		return;
	}
	CALL(write(fd, from, 16 * PAGE));
	CALL(pread(fd, to, 16 * PAGE, 0));
	say("%d\n", memcmp(from, to, 16 * PAGE));
	CALL(pread(fd, to, 16 * PAGE, 8 * (off_t)PAGE));
	CALL(ftruncate(fd, 3 * (off_t)PAGE + 5));
	memset(to, 0, 16 * PAGE);
	CALL(pread(fd, to, 16 * PAGE, 0));
	say_bytes("to", to, 16 * PAGE);
	CALL(unlink(path));
	close(fd);
}

static void
status(void)
{
	struct stat *st = cell(sizeof(*st));
	struct statx *stx = cell(sizeof(*stx));
	struct statfs *fs = cell(sizeof(*fs));
	char *name = cell_text("./status");
	int fd = open(name, O_CREAT | O_RDWR, 0640);
	CALL(ftruncate(fd, 12345));
	CALL(stat(name, st));
	say("%lo %ld\n", (long)st->st_mode, (long)st->st_size);
	memset(st, 0, sizeof(*st));
	CALL(lstat(name, st));
	say("%ld %ld\n", (long)st->st_nlink, (long)st->st_size);
	memset(st, 0, sizeof(*st));
	CALL(fstat(fd, st));
	say("%ld\n", (long)st->st_size);
	CALL(fstatat(AT_FDCWD, name, st, 0));
	CALL(statx(AT_FDCWD, name, 0, STATX_BASIC_STATS, stx));
	say("%o %lu\n", stx->stx_mode, (unsigned long)stx->stx_size);
	CALL(statfs(name, fs));
	say("%ld\n", (long)fs->f_bsize);
	CALL(fstatfs(fd, fs));
	CALL(access(name, R_OK | W_OK));
	CALL(faccessat(AT_FDCWD, name, X_OK, AT_EACCESS));
	CALL(unlink(name));
	CALL(stat(name, st));
	close(fd);
}

static void
names(void)
{
	char *one = cell_text("name one");
	char *two = cell_text("a name two that is somewhat longer");
	char *folder = cell_text("folder");
	char *text = cell(300);
	close(open(one, O_CREAT | O_RDWR, 0600));
	CALL(link(one, two));
	CALL(rename(one, two));
	CALL(renameat2(AT_FDCWD, two, AT_FDCWD, one, RENAME_NOREPLACE));
	CALL(unlink(two));
	CALL(symlink(one, two));
	CALL(readlink(two, text, 300));
	say("%s\n", text);
	CALL(readlink(two, text, 4));
	CALL(mkdir(folder, 0700));
	CALL(chmod(folder, 0711));
	CALL(chdir(folder));
	CALL(getcwd(text, 300) == text);
	say("%s\n", strrchr(text, '/'));
	CALL(syscall(SYS_getcwd, text, 3));
	CALL(chdir(cell_text("..")));
	CALL(rmdir(folder));
	CALL(unlink(one));
	CALL(unlink(two));
	CALL(chmod(one, 0600));
}

/* A path of the greatest length, and one that is too long. */
static void
long_names(void)
{
	char *path = cell(4096);
	char *longer = cell(5000);
	memset(path, '/', 4095);
	memcpy(path + 4091, "/tmp", 4);
	memset(longer, '/', 4999);
	CALL(access(path, F_OK));
	CALL(access(longer, F_OK));
	memset(path, 'n', 4095);
	CALL(open(path, O_RDONLY));
	CALL(access(place(0), F_OK));
	CALL(open(place(8), O_RDONLY));
}

static void
attributes(void)
{
	char *path = cell_text("attributes");
	char *name = cell_text("user.quire.test");
	unsigned char *value = cell_fill(3000, 8);
	char *list = cell(500);
	unsigned char *back = cell(3000);
	int fd = open(path, O_CREAT | O_RDWR, 0600);
	if (CALL(setxattr(path, name, value, 1500, 0)) == 0) {
		CALL(getxattr(path, name, back, 3000));
		CALL(fgetxattr(fd, name, back, 10));
		say_bytes("back", back, 3000);
		CALL(listxattr(path, list, 500));
		say("%s\n", list);
		CALL(flistxattr(fd, NULL, 0));
		CALL(removexattr(path, name));
	}
	CALL(getxattr(path, name, back, 3000));
	CALL(unlink(path));
	close(fd);
}

/* The newer calls, with the value by a structure. */
static void
attributes_at(void)
{
	struct {
		uint64_t value;
		uint32_t size;
		uint32_t flags;
	} *argument = cell(sizeof(*argument));
	char *path = cell_text("attributes");
	char *name = cell_text("user.quire.test");
	unsigned char *value = cell_fill(2000, 11);
	unsigned char *back = cell(2000);
	int fd = open(path, O_CREAT | O_RDWR, 0600);
	argument->value = (uintptr_t)value;
	argument->size = 2000;
	CALL(syscall(463 /* setxattrat */, AT_FDCWD, path, 0, name, argument,
	    sizeof(*argument)));
	argument->value = (uintptr_t)back;
	CALL(syscall(464 /* getxattrat */, AT_FDCWD, path, 0, name, argument,
	    sizeof(*argument)));
	say_bytes("back", back, 2000);
	CALL(syscall(465 /* listxattrat */, AT_FDCWD, path, 0, back, 2000));
	CALL(syscall(466 /* removexattrat */, AT_FDCWD, path, 0, name));
	CALL(unlink(path));
	close(fd);
}

static void
times(void)
{
	struct timespec *when = cell(2 * sizeof(*when));
	struct timeval *micro = cell(2 * sizeof(*micro));
	struct stat *st = cell(sizeof(*st));
	char *path = cell_text("times");
	int fd = open(path, O_CREAT | O_RDWR, 0600);
	when[0] = (struct timespec){ 1000, 1 };
	when[1] = (struct timespec){ 2000, 2 };
	CALL(utimensat(AT_FDCWD, path, when, 0));
	CALL(stat(path, st));
	say("%ld %ld\n", (long)st->st_atime, (long)st->st_mtime);
	when[1].tv_nsec = UTIME_OMIT;
	when[0].tv_sec = 3000;
	CALL(futimens(fd, when));
	micro[0].tv_sec = 77;
	micro[1].tv_sec = 78;
	CALL(fstat(fd, st));
	say("%ld %ld\n", (long)st->st_atime, (long)st->st_mtime);
	CALL(syscall(SYS_utimes, path, micro));
	CALL(fstat(fd, st));
	say("%ld %ld\n", (long)st->st_atime, (long)st->st_mtime);
	CALL(unlink(path));
	close(fd);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All entries, though a buffer holds few of them. */
static void
folders(void)
{
	enum { COUNT = 120 };
	static char seen[COUNT][16];
	static char *order[COUNT];
	char *buffer = cell(600);
	unsigned count = 0;
	mkdir("many", 0700);
	int folder = open("many", O_RDONLY | O_DIRECTORY);
	for (unsigned i = 0; i < COUNT; i++) {
		char name[16];
		snprintf(name, sizeof(name), "f%u", i * 7919);
		close(openat(folder, name, O_CREAT | O_WRONLY, 0600));
	}
	for (;;) {
		chill();
		long size = syscall(SYS_getdents64, folder, buffer, 600);
		if (size <= 0)
			break;
		for (long at = 0; at < size;) {
			struct dirent64 *entry = (void *)(buffer + at);
			if (entry->d_name[0] == 'f' && count < COUNT)
				strcpy(seen[count++], entry->d_name);
			at += entry->d_reclen;
		}
	}
	for (unsigned i = 0; i < count; i++)
		order[i] = seen[i];
	qsort(order, count, sizeof(order[0]), by_text);
	for (unsigned i = 0; i < count; i += 10)
		say("%s ", order[i]);
	say("%u\n", count);
	CALL(syscall(SYS_getdents64, folder, buffer, 1));
	for (unsigned i = 0; i < count; i++)
		unlinkat(folder, seen[i], 0);
	close(folder);
	CALL(rmdir("many"));
}

/* Through libc, whose stream lies in cold memory too. */
static void
streams(void)
{
	char *buffer = cell(3000);
	char *line = cell(200);
	long sum = 0;
	FILE *file = tmpfile();
	setvbuf(file, buffer, _IOFBF, 3000);
	for (int i = 0; i < 400; i++) {
		fprintf(file, "line %d of the file\n", i);
		if (i % 100 == 0)
			chill();
	}
	rewind(file);
	for (int i = 0; fgets(line, 200, file) != NULL; i++) {
		sum += atol(line + 5);
		if (i % 100 == 0)
			chill();
	}
	say("%ld\n", sum);
	CALL(fclose(file));
}

static void
copies(void)
{
	const size_t size = 50000;
	unsigned char *from = cell_fill(size, 9);
	unsigned char *to = cell(size);
	loff_t *in_at = cell(sizeof(*in_at));
	loff_t *out_at = cell(sizeof(*out_at));
	int in = file_new();
	int out = file_new();
	CALL(write(in, from, size));
	*in_at = 100;
	CALL(copy_file_range(in, in_at, out, out_at, size, 0));
	say("%ld %ld\n", (long)*in_at, (long)*out_at);
	*in_at = 7;
	CALL(sendfile(out, in, in_at, 1000));
	say("%ld\n", (long)*in_at);
	CALL(pread(out, to, size, 0));
	say_bytes("to", to, size);
	close(in);
	close(out);
}

static void
locks(void)
{
	struct flock *lock = cell(sizeof(*lock));
	int fd = file_new();
	*lock = (struct flock){ .l_type = F_WRLCK, .l_start = 10, .l_len = 5 };
	CALL(fcntl(fd, F_SETLK, lock));
	pid_t pid = case_fork();
	if (pid == 0) {
		chill();
		int failed = fcntl(fd, F_GETLK, lock);
		_exit(failed != 0 || lock->l_type != F_WRLCK ||
		      lock->l_start != 10 || lock->l_pid != getppid());
	}
	say_child("the child sees the lock", pid);
	CALL(fcntl(fd, F_OFD_SETLK, lock));
	lock->l_type = F_UNLCK;
	lock->l_pid = 0;
	CALL(fcntl(fd, F_SETLK, lock));
	lock->l_type = F_RDLCK;
	CALL(fcntl(fd, F_OFD_GETLK, lock));
	say("%d\n", lock->l_type);
	CALL(flock(fd, LOCK_EX | LOCK_NB));
	close(fd);
}

static void
handles(void)
{
	struct file_handle *handle = cell(sizeof(*handle) + 128);
	int *mount = cell(sizeof(*mount));
	char *path = cell_text("/");
	handle->handle_bytes = 128;
	CALL(name_to_handle_at(AT_FDCWD, path, handle, mount, 0));
	say("%u\n", handle->handle_bytes);
	handle->handle_bytes = 1;
	CALL(name_to_handle_at(AT_FDCWD, path, handle, mount, 0));
	say("%u\n", handle->handle_bytes);
}

static void
sealed(void)
{
	char *name = cell_text("a memory file");
	unsigned char *from = cell_fill(20000, 10);
	unsigned char *to = cell(20000);
	chill();
	int fd = memfd_create(name, MFD_ALLOW_SEALING);
	CALL(write(fd, from, 20000));
	CALL(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CALL(write(fd, from, 20000));
	CALL(pread(fd, to, 20000, 10000));
	say_bytes("to", to, 20000);
	close(fd);
}

/* As new programs open files. */
static void
opening(void)
{
	struct {
		uint64_t flags;
		uint64_t mode;
		uint64_t resolve;
	} *how = cell(sizeof(*how));
	char *path = cell_text("opened");
	how->flags = O_CREAT | O_RDWR;
	how->mode = 0600;
	chill();
	long fd = syscall(SYS_openat2, AT_FDCWD, path, how, sizeof(*how));
	say("%d\n", fd >= 0);
	how->resolve = 8; /* below the folder */
	memcpy(path, "/pened", 6);
	CALL(syscall(SYS_openat2, AT_FDCWD, path, how, sizeof(*how)));
	CALL(syscall(SYS_openat2, AT_FDCWD, path, how, 3));
	memcpy(path, "opened", 6);
	CALL(truncate(path, 4000));
	CALL(syscall(SYS_creat, path, 0600) > 0);
	CALL(unlink(path));
	close((int)fd);
}

/* Addresses that no program may touch are refused as ever. */
static void
refused(void)
{
	unsigned char *readonly = cell_pages(2 * PAGE);
	unsigned char *edge = cell_pages(PAGE);
	struct stat *st = (struct stat *)readonly;
	int fd = file_new();
	mprotect(readonly, 2 * PAGE, PROT_READ);
	CALL(write(fd, readonly, 2 * PAGE));
	CALL(pread(fd, readonly, 10, 0));
	CALL(pread(fd, readonly + PAGE - 5, 10, 0));
	CALL(pread(fd, edge + PAGE - 100, 200, 0));
	CALL(pwrite(fd, edge + PAGE - 100, 200, 0));
	CALL(pwrite(fd, edge + PAGE, 200, 0));
	CALL(pread(fd, place(16), 200, 0));
	CALL(pread(fd, place((uintptr_t)-100), 200, 0));
	CALL(fstat(fd, st));
	CALL(syscall(SYS_write, fd, edge, -1L));
	CALL(lseek(fd, 0, SEEK_END));
	close(fd);
}

static const struct test_case cases[] = {
	{ "read_write", read_write, 0 },
	{ "whole_counts", whole_counts, 0 },
	{ "vectors", vectors, 0 },
	{ "many_vectors", many_vectors, 0 },
	{ "appending", appending, 0 },
	{ "devices", devices, 0 },
	{ "direct", direct, 0 },
	{ "status", status, 0 },
	{ "names", names, 0 },
	{ "long_names", long_names, 0 },
	{ "attributes", attributes, 0 },
	{ "attributes_at", attributes_at, 0 },
	{ "times", times, 0 },
	{ "folders", folders, 0 },
	{ "streams", streams, 0 },
	{ "copies", copies, 0 },
	{ "locks", locks, 0 },
	{ "handles", handles, 0 },
	{ "sealed", sealed, 0 },
	{ "opening", opening, 0 },
	{ "refused", refused, 0 },
	/* No page can go to the swap file then. */
	{ "limited", limited, CASE_HELD },
	{ 0 },
};

const struct test_group files_group = { "files", cases, NULL };
