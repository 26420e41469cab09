/* SPDX-License-Identifier: MIT */
/* cases_async.c: memory that the kernel touches after a call is over. */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <linux/stat.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "case.h"

/* An io_uring as the kernel gives it. */
struct ring {
	int fd;
	_Atomic(uint32_t) *submit_tail;
	uint32_t *submit_array;
	uint32_t submit_mask;
	struct io_uring_sqe *entries;
	_Atomic(uint32_t) *done_head;
	_Atomic(uint32_t) *done_tail;
	uint32_t done_mask;
	struct io_uring_cqe *done;
};

static bool
ring_open(struct ring *ring)
{
	struct io_uring_params *params = cell(sizeof(*params));
	chill();
	ring->fd = (int)syscall(SYS_io_uring_setup, 16, params);
	if (ring->fd < 0) {
		say_skipped("no io_uring here");
		return false;
	}
	size_t size = params->cq_off.cqes + params->cq_entries * 16u;
	if (size < params->sq_off.array + params->sq_entries * 4u)
		size = params->sq_off.array + params->sq_entries * 4u;
	unsigned char *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQ_RING);
	ring->entries =
	    mmap(NULL, params->sq_entries * 64u, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
	ring->submit_tail = (void *)(at + params->sq_off.tail);
	ring->submit_array = (void *)(at + params->sq_off.array);
	ring->submit_mask = params->sq_entries - 1;
	ring->done_head = (void *)(at + params->cq_off.head);
	ring->done_tail = (void *)(at + params->cq_off.tail);
	ring->done_mask = params->cq_entries - 1;
	ring->done = (void *)(at + params->cq_off.cqes);
	return true;
}

static struct io_uring_sqe *
entry_new(struct ring *ring, int operation, int fd, const void *at, size_t size)
{
	uint32_t tail = atomic_load(ring->submit_tail);
	uint32_t n = tail & ring->submit_mask;
	struct io_uring_sqe *entry = &ring->entries[n];
	memset(entry, 0, sizeof(*entry));
	entry->opcode = (uint8_t)operation;
	entry->fd = fd;
	entry->addr = (uintptr_t)at;
	entry->len = (uint32_t)size;
	entry->user_data = (uint64_t)operation;
	ring->submit_array[n] = n;
	atomic_store(ring->submit_tail, tail + 1);
	return entry;
}

static long
ring_enter(const struct ring *ring, unsigned submit, unsigned wait)
{
	return syscall(SYS_io_uring_enter, ring->fd, submit, wait,
	    IORING_ENTER_GETEVENTS, NULL, 0);
}

/* Completions in the order of their data. */
static void
say_done(struct ring *ring, unsigned count)
{
	for (uint64_t data = 0; data < 256; data++) {
		for (unsigned i = 0; i < count; i++) {
			uint32_t n = (atomic_load(ring->done_head) + i) &
				     ring->done_mask;
			if (ring->done[n].user_data == data)
				say("%lu: %d\n", (unsigned long)data,
				    ring->done[n].res);
		}
	}
	atomic_fetch_add(ring->done_head, count);
}

static void
ring_run(struct ring *ring, unsigned count)
{
	CALL(ring_enter(ring, count, count));
	say_done(ring, count);
}

static void
uring_files(void)
{
	struct ring ring;
	unsigned char *from = cell_fill(100000, 1);
	unsigned char *to = cell(100000);
	struct iovec *vectors = cell(3 * sizeof(*vectors));
	int fd = file_new();
	if (!ring_open(&ring))
		return;
	entry_new(&ring, IORING_OP_WRITE, fd, from, 100000);
	ring_run(&ring, 1);
	entry_new(&ring, IORING_OP_READ, fd, to, 100000);
	ring_run(&ring, 1);
	say("%d\n", memcmp(from, to, 100000));
	for (size_t i = 0; i < 3; i++)
		vectors[i] = (struct iovec){ to + i * 30000, 10000 };
	entry_new(&ring, IORING_OP_READV, fd, vectors, 3)->off = 5;
	entry_new(&ring, IORING_OP_FSYNC, fd, NULL, 0);
	ring_run(&ring, 2);
	say_bytes("to", to, 100000);
	entry_new(&ring, IORING_OP_WRITEV, fd, vectors, 3)->off = 50000;
	ring_run(&ring, 1);
	CALL(pread(fd, to, 100000, 0));
	say_bytes("to", to, 100000);
	entry_new(&ring, IORING_OP_READ, fd, place(16), 10);
	ring_run(&ring, 1);
	close(ring.fd);
	close(fd);
}

static void
uring_names(void)
{
	struct ring ring;
	char *path = cell_text("by ring");
	char *other = cell_text("by ring, renamed");
	struct statx *status = cell(sizeof(*status));
	if (!ring_open(&ring))
		return;
	struct io_uring_sqe *entry =
	    entry_new(&ring, IORING_OP_OPENAT, AT_FDCWD, path, 0600);
	entry->open_flags = O_CREAT | O_RDWR;
	CALL(ring_enter(&ring, 1, 1));
	uint32_t n = atomic_load(ring.done_head) & ring.done_mask;
	int fd = ring.done[n].res;
	say("%d\n", fd >= 0);
	atomic_fetch_add(ring.done_head, 1);
	entry = entry_new(&ring, IORING_OP_RENAMEAT, AT_FDCWD, path,
	    (unsigned)AT_FDCWD);
	entry->addr2 = (uintptr_t)other;
	ring_run(&ring, 1);
	entry = entry_new(&ring, IORING_OP_STATX, AT_FDCWD, other,
	    STATX_BASIC_STATS);
	entry->off = (uintptr_t)status;
	ring_run(&ring, 1);
	say("%o\n", status->stx_mode);
	entry_new(&ring, IORING_OP_UNLINKAT, AT_FDCWD, other, 0);
	entry_new(&ring, IORING_OP_CLOSE, fd, NULL, 0);
	ring_run(&ring, 2);
	entry_new(&ring, IORING_OP_CLOSE, fd, NULL, 0);
	ring_run(&ring, 1);
	close(ring.fd);
}

/* Asked for long before it comes; the buffer goes out meanwhile. */
static void
uring_sockets(void)
{
	struct ring ring;
	int pair[2];
	unsigned char *from = cell_fill(30000, 2);
	unsigned char *to = cell(30000);
	struct iovec *vector = cell(sizeof(*vector));
	struct msghdr *message = cell(sizeof(*message));
	char *control = cell(CMSG_SPACE(4));
	if (!ring_open(&ring))
		return;
	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	for (int i = 0; i < 5; i++) {
		entry_new(&ring, IORING_OP_RECV, pair[1], to, 30000);
		CALL(ring_enter(&ring, 1, 0));
		for (int k = 0; k < 3; k++)
			chill();
		CALL(send(pair[0], from + i, 20000, 0));
		CALL(ring_enter(&ring, 0, 1));
		say_done(&ring, 1);
		say("%d\n", memcmp(from + i, to, 20000));
	}
	*vector = (struct iovec){ to, 30000 };
	*message = (struct msghdr){ .msg_iov = vector,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(4) };
	entry_new(&ring, IORING_OP_RECVMSG, pair[1], message, 1);
	CALL(ring_enter(&ring, 1, 0));
	chill();
	entry_new(&ring, IORING_OP_SEND, pair[0], from, 25000);
	ring_run(&ring, 2);
	say("%d\n", memcmp(from, to, 25000));
	close(ring.fd);
	close(pair[0]);
	close(pair[1]);
}

static void
uring_waits(void)
{
	struct ring ring;
	int event = eventfd(0, 0);
	struct timespec *time = cell(sizeof(*time));
	uint64_t *value = cell(sizeof(*value));
	if (!ring_open(&ring))
		return;
	time->tv_nsec = 1000000;
	entry_new(&ring, IORING_OP_TIMEOUT, -1, time, 1);
	ring_run(&ring, 1);
	entry_new(&ring, IORING_OP_POLL_ADD, event, NULL, 0)->poll_events =
	    POLLIN;
	entry_new(&ring, IORING_OP_READ, event, value, 8);
	CALL(ring_enter(&ring, 2, 0));
	chill();
	CALL(eventfd_write(event, 7));
	CALL(ring_enter(&ring, 0, 2));
	say_done(&ring, 2);
	say("%lu\n", (unsigned long)*value);
	entry_new(&ring, IORING_OP_READ, event, value, 8)->flags =
	    IOSQE_IO_LINK;
	entry_new(&ring, IORING_OP_LINK_TIMEOUT, -1, time, 1);
	ring_run(&ring, 2);
	entry_new(&ring, IORING_OP_NOP, -1, NULL, 0);
	ring_run(&ring, 1);
	close(ring.fd);
	close(event);
}

/* Buffers that the kernel has by their number. */
static void
uring_registered(void)
{
	struct ring ring;
	unsigned char *from = cell_fill(40000, 3);
	unsigned char *to = cell(40000);
	struct iovec *vectors = cell(2 * sizeof(*vectors));
	int *fds = cell(2 * sizeof(*fds));
	int fd = file_new();
	if (!ring_open(&ring))
		return;
	vectors[0] = (struct iovec){ from, 40000 };
	vectors[1] = (struct iovec){ to, 40000 };
	fds[0] = fd;
	fds[1] = -1;
	CALL(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, fds,
	    2));
	/* They can't go out from here on. */
	if (CALL(syscall(SYS_io_uring_register, ring.fd,
		IORING_REGISTER_BUFFERS, vectors, 2)) == 0) {
		struct io_uring_sqe *entry = entry_new(&ring,
		    IORING_OP_WRITE_FIXED, 0, from + 100, 30000);
		entry->flags = IOSQE_FIXED_FILE;
		ring_run(&ring, 1);
		entry =
		    entry_new(&ring, IORING_OP_READ_FIXED, fd, to + 5, 30000);
		entry->buf_index = 1;
		ring_run(&ring, 1);
		say("%d\n", memcmp(from + 100, to + 5, 30000));
		CALL(syscall(SYS_io_uring_register, ring.fd,
		    IORING_UNREGISTER_BUFFERS, NULL, 0));
	}
	close(ring.fd);
	close(fd);
}

static void
uring_direct(void)
{
	struct ring ring;
	unsigned char *from = cell_pages(16 * PAGE);
	unsigned char *to = cell_pages(16 * PAGE);
	int fd = open("direct", O_CREAT | O_RDWR | O_DIRECT, 0600);
	unlink("direct");
	memset(from, 0x77, 16 * PAGE);
	if (fd < 0 || !ring_open(&ring))
		return;
	entry_new(&ring, IORING_OP_WRITE, fd, from, 16 * PAGE);
	ring_run(&ring, 1);
	for (int i = 0; i < 10; i++) {
		memset(to, 0, 16 * PAGE);
		entry_new(&ring, IORING_OP_READ, fd, to, 16 * PAGE);
		ring_run(&ring, 1);
		say("%d\n", memcmp(from, to, 16 * PAGE));
	}
	close(ring.fd);
	close(fd);
}

/* Buffers given beforehand; the kernel picks one when something comes. */
static void
uring_provided(void)
{
	struct ring ring;
	int pair[2];
	unsigned char *from = cell_fill(5000, 4);
	unsigned char *buffers = cell(4 * 3000);
	if (!ring_open(&ring))
		return;
	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	struct io_uring_sqe *entry =
	    entry_new(&ring, IORING_OP_PROVIDE_BUFFERS, 4, buffers, 3000);
	entry->buf_group = 9;
	ring_run(&ring, 1);
	for (int i = 0; i < 4; i++) {
		entry = entry_new(&ring, IORING_OP_RECV, pair[1], NULL, 3000);
		entry->flags = IOSQE_BUFFER_SELECT;
		entry->buf_group = 9;
		CALL(ring_enter(&ring, 1, 0));
		chill();
		CALL(send(pair[0], from + i, 2000, 0));
		CALL(ring_enter(&ring, 0, 1));
		uint32_t n = atomic_load(ring.done_head) & ring.done_mask;
		uint32_t id = ring.done[n].flags >> 16;
		say("%u %d\n", id, memcmp(buffers + id * 3000, from + i, 2000));
		say_done(&ring, 1);
	}
	close(ring.fd);
	close(pair[0]);
	close(pair[1]);
}

/* Advice by a ring is followed, and the rest stays as it was. */
static void
uring_advice(void)
{
	struct ring ring;
	unsigned char *pages = cell_pages(6 * PAGE);
	memset(pages, 5, 6 * PAGE);
	if (!ring_open(&ring))
		return;
	entry_new(&ring, IORING_OP_MADVISE, -1, pages + PAGE, 2 * PAGE)
	    ->fadvise_advice = MADV_DONTNEED;
	CALL(ring_enter(&ring, 1, 1));
	atomic_fetch_add(ring.done_head, 1);
	for (size_t i = 0; i < 6; i++)
		say("%d ", pages[i * PAGE]);
	say("\n");
	close(ring.fd);
}

/* --- the older interface --- */

static struct iocb *
block_new(int operation, int fd, const void *at, size_t size)
{
	struct iocb *block = cell(sizeof(*block));
	block->aio_lio_opcode = (uint16_t)operation;
	block->aio_fildes = (uint32_t)fd;
	block->aio_buf = (uintptr_t)at;
	block->aio_nbytes = size;
	block->aio_data = 100 + (uint64_t)operation;
	return block;
}

static void
aio_files(int flags)
{
	aio_context_t *context = cell(sizeof(*context));
	struct iocb **list = cell(3 * sizeof(*list));
	struct io_event *events = cell(4 * sizeof(*events));
	struct timespec *timeout = cell(sizeof(*timeout));
	unsigned char *from = cell_pages(16 * PAGE);
	unsigned char *to = cell_pages(16 * PAGE);
	struct iovec *vectors = cell(2 * sizeof(*vectors));
	int fd = open("aio", O_CREAT | O_RDWR | flags, 0600);
	unlink("aio");
	memset(from, 0x33, 16 * PAGE);
	timeout->tv_sec = 10;
	if (fd < 0 || CALL(syscall(SYS_io_setup, 8, context)) != 0)
		return;
	list[0] = block_new(IOCB_CMD_PWRITE, fd, from, 16 * PAGE);
	CALL(syscall(SYS_io_submit, *context, 1, list));
	CALL(syscall(SYS_io_getevents, *context, 1, 4, events, timeout));
	say("%lu %ld\n", (unsigned long)events[0].data, (long)events[0].res);
	list[0] = block_new(IOCB_CMD_PREAD, fd, to, 8 * PAGE);
	vectors[0] = (struct iovec){ to + 8 * PAGE, 4 * PAGE };
	vectors[1] = (struct iovec){ to + 12 * PAGE, 4 * PAGE };
	list[1] = block_new(IOCB_CMD_PREADV, fd, vectors, 2);
	CALL(syscall(SYS_io_submit, *context, 2, list));
	chill();
	for (int got = 0; got < 2;) {
		long n =
		    syscall(SYS_io_getevents, *context, 1, 4, events, timeout);
		for (long i = 0; i < n; i++)
			say("%ld\n", (long)events[i].res);
		got += n > 0 ? (int)n : 2;
	}
	say("%d\n", memcmp(from, to, 16 * PAGE));
	list[0] = NULL;
	CALL(syscall(SYS_io_submit, *context, 1, list));
	CALL(syscall(SYS_io_destroy, *context));
	CALL(syscall(SYS_io_destroy, *context));
	close(fd);
}

static void
aio_buffered(void)
{
	aio_files(0);
}

static void
aio_direct(void)
{
	aio_files(O_DIRECT);
}

/* Told by a descriptor; polled for. */
static void
aio_told(void)
{
	aio_context_t *context = cell(sizeof(*context));
	struct iocb **list = cell(2 * sizeof(*list));
	struct io_event *events = cell(4 * sizeof(*events));
	unsigned char *from = cell_fill(5000, 5);
	uint64_t *value = cell(sizeof(*value));
	int fd = file_new();
	int event = eventfd(0, 0);
	int ends[2];
	pipe(ends);
	if (CALL(syscall(SYS_io_setup, 8, context)) != 0)
		return;
	list[0] = block_new(IOCB_CMD_PWRITE, fd, from, 5000);
	list[0]->aio_flags = IOCB_FLAG_RESFD;
	list[0]->aio_resfd = (uint32_t)event;
	list[1] = block_new(IOCB_CMD_POLL, ends[0], place(POLLIN), 0);
	CALL(syscall(SYS_io_submit, *context, 2, list));
	CALL(read(event, value, 8));
	say("%lu\n", (unsigned long)*value);
	CALL(write(ends[1], "x", 1));
	CALL(syscall(SYS_io_getevents, *context, 2, 4, events, NULL));
	CALL(syscall(SYS_io_destroy, *context));
	close(fd);
	close(event);
	close(ends[0]);
	close(ends[1]);
}

/* What a request names may stay in until the next is submitted. */
static const struct test_case cases[] = {
	{ "uring_files", uring_files, 0 },
	{ "uring_names", uring_names, 0 },
	{ "uring_sockets", uring_sockets, CASE_HELD },
	{ "uring_waits", uring_waits, CASE_HELD },
	{ "uring_registered", uring_registered, CASE_HELD },
	{ "uring_direct", uring_direct, 0 },
	{ "uring_provided", uring_provided, CASE_HELD },
	{ "uring_advice", uring_advice, 0 },
	{ "aio_buffered", aio_buffered, CASE_HELD },
	{ "aio_direct", aio_direct, CASE_HELD },
	{ "aio_told", aio_told, CASE_HELD },
	{ 0 },
};

const struct test_group async_group = { "async", cases, NULL };
