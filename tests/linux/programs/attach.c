/* SPDX-License-Identifier: MIT */
/*
 * attach CMD [ARG ...]: proves that another process can follow one that runs
 * in a budget by its statistics page, and can't change it. Runs CMD, whose
 * process is to be managed, reads its page until it has ended, and checks
 * each copy against the ones before.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <qr/stat_page.h>

#define TRIES 5000 /* of a millisecond each, until the page is there */

static int bad;

static void
check(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "attach: not so: %s\n", what);
	bad = 1;
}

static void
pause_ms(void)
{
	const struct timespec time = { 0, 1000000 };
	nanosleep(&time, NULL);
}

/* The path of the process's page under /proc; 0: it has none (yet). */
static int
find_page(pid_t pid, char *path, size_t size)
{
	char folder[64], link[512], text[512];
	int found = 0;
	snprintf(folder, sizeof(folder), "/proc/%d/fd", (int)pid);
	DIR *list = opendir(folder);
	struct dirent *entry;
	while (list != NULL && !found && (entry = readdir(list)) != NULL) {
		snprintf(link, sizeof(link), "%s/%s", folder, entry->d_name);
		ssize_t n = readlink(link, text, sizeof(text) - 1);
		text[n < 0 ? 0 : n] = '\0';
		found = strncmp(text, "/memfd:" QR_STAT_PAGE_NAME " ",
			    sizeof("/memfd:" QR_STAT_PAGE_NAME)) == 0;
		if (found)
			snprintf(path, size, "%s", link);
	}
	if (list != NULL)
		closedir(list);
	return found;
}

static const struct qr_stat_page *
attach(pid_t pid)
{
	char path[512];
	for (int i = 0; i < TRIES; i++) {
		int fd = find_page(pid, path, sizeof(path))
			     ? open(path, O_RDONLY | O_CLOEXEC)
			     : -1;
		struct qr_stat_page *page =
		    fd < 0 ? MAP_FAILED
			   : mmap(NULL, QR_PAGE_SIZE, PROT_READ, MAP_SHARED, fd,
				 0);
		if (fd >= 0)
			close(fd);
		if (page != MAP_FAILED &&
		    __atomic_load_n(&page->magic, __ATOMIC_ACQUIRE) ==
			QR_STAT_PAGE_MAGIC) {
			int writable = open(path, O_RDWR | O_CLOEXEC);
			check(writable < 0 ||
				  (write(writable, "x", 1) < 0 &&
				      mmap(NULL, QR_PAGE_SIZE, PROT_WRITE,
					  MAP_SHARED, writable,
					  0) == MAP_FAILED),
			    "nobody else can write to the page");
			return page;
		}
		if (page != MAP_FAILED)
			munmap(page, QR_PAGE_SIZE);
		pause_ms();
	}
	return NULL;
}

/* A copy with an even sequence; 0: the writer died on it. While it is odd the
 * writer wants the CPU. */
static int
copy_page(const struct qr_stat_page *page, struct qr_stat_page *copy)
{
	for (int i = 0; i < TRIES; i++) {
		if (i > 0)
			pause_ms();
		uint64_t before =
		    __atomic_load_n(&page->sequence, __ATOMIC_ACQUIRE);
		memcpy(copy, page, sizeof(*copy));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (before % 2 == 0 && __atomic_load_n(&page->sequence,
					   __ATOMIC_RELAXED) == before)
			return 1;
	}
	return 0;
}

static void
check_copy(const struct qr_stat_page *now, const struct qr_stat_page *last,
    pid_t pid)
{
	check(now->version == QR_STAT_PAGE_VERSION, "version");
	check(now->size_bytes == sizeof(*now), "size");
	check(now->process == (uint32_t)pid, "it is that process's page");
	check(now->updated_ns >= now->start_ns, "updated after the start");
	check(now->budget_pages != 0 && now->used_pages <= now->budget_pages,
	    "the budget is kept");
	check(now->frames_user + now->frames_pool <= now->frames_total,
	    "frames");
	check(now->updated_ns >= last->updated_ns, "time runs forward");
	check(now->faults_first_touch >= last->faults_first_touch &&
		  now->pages_out >= last->pages_out,
	    "counters only rise");
}

int
main(int argc, char **argv)
{
	struct qr_stat_page now;
	struct qr_stat_page last = { .magic = 0 };
	unsigned long changes = 0;
	int status = 0;
	if (argc < 2)
		return 2;
	pid_t pid = fork();
	if (pid == 0) {
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	const struct qr_stat_page *page = attach(pid);
	if (page == NULL) {
		fprintf(stderr, "attach: process %d has no page\n", (int)pid);
		return 1;
	}
	do {
		check(copy_page(page, &now), "the page comes to rest");
		check_copy(&now, &last, pid);
		changes += now.sequence != last.sequence;
		last = now;
		pause_ms();
	} while (waitpid(pid, &status, WNOHANG) == 0);
	check(status == 0, "the program has ended well");
	check(copy_page(page, &now), "the page comes to rest");
	check_copy(&now, &last, pid);
	check(now.state == QR_STAT_PAGE_ENDED, "it has ended in order");
	check(now.pages_out != 0, "pages went out");
	check(changes >= 3, "the numbers were renewed as it ran");
	printf("%lu looks, %lu pages out, peak %lu of %lu pages\n", changes,
	    (unsigned long)now.pages_out, (unsigned long)now.used_pages_peak,
	    (unsigned long)now.budget_pages);
	return bad;
}
