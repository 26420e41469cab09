/* SPDX-License-Identifier: MIT */
/*
 * gate/nested.c: calls whose argument is a structure that points on, of a
 * kind that another argument tells: ioctl, bpf, setsockopt, ptrace, keyctl.
 *
 * Nobody can list all of these structures. What is often used is known by its
 * number. Of the others every word that may be an address is taken for one,
 * and what lies there is pinned for POINTEE_SIZE, or as far as it can be
 * touched. A word that is none costs little: what is not managed is passed
 * over.
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/fiemap.h>
#include <linux/keyctl.h>
#include <linux/ptrace.h>
#include <string.h>
#include <sys/ioctl.h>

#include "plan.h"

/* Pinned behind a word that may be an address, bytes; tried in steps. */
#define POINTEE_SIZE ((size_t)64 << 10)
#define POINTEE_STEP 4u
#define POINTEE_MIN  ((size_t)1 << 10)

/* Where addresses of programs lie. */
#define ADDRESS_MIN ((uint64_t)1 << 16)
#define ADDRESS_END ((uint64_t)1 << 47)

/* The longest structure that is looked through, words. */
#define WORDS_MAX 32u

/* An ioctl's argument if its number does not tell the size, bytes; and how
 * much of it is looked through. */
#define IOCTL_GUESS ((size_t)256)
#define IOCTL_WORDS ((size_t)128)

/* Requests, on x86-64. */
#define IOCTL_SIOCGIFCONF     0x8912u
#define IOCTL_UFFDIO_REGISTER 0xc020aa00u
#define IOCTL_UFFDIO_COPY     0xc028aa03u
#define IOCTL_UFFDIO_MOVE     0xc028aa05u
#define IOCTL_FIEMAP          0xc020660bu
#define IOCTL_FIDEDUPERANGE   0xc0189436u

#define EXTENT_SIZE 56u /* struct fiemap_extent, bytes */
#define DEDUPE_HEAD 24u /* struct file_dedupe_range, bytes */
#define DEDUPE_SIZE 32u /* struct file_dedupe_range_info, bytes */

#define LICENCE_SIZE    128u    /* the kernel's limit, bytes */
#define INSN_SIZE       8u      /* struct bpf_insn, bytes */
#define KEY_SIZE_MAX    1048576 /* the kernel's limit, bytes */
#define OPTION_WORDS    64      /* longer options hold no addresses, bytes */
#define OPTION_SIZE_MAX 65536u  /* bytes */
#define PTRACE_ARGS     32u     /* struct ptrace_peeksiginfo_args, bytes */

/* --- words --- */

static void
pin_pointee(struct qr_thread *thread, uintptr_t at)
{
	for (size_t size = POINTEE_SIZE; size >= POINTEE_MIN;
	     size /= POINTEE_STEP) {
		if (pager_pin(thread, at, size, QR_ACCESS_WRITE) == 0 ||
		    pager_pin(thread, at, size, QR_ACCESS_READ) == 0)
			return;
	}
}

/* What the words of a structure may point to. */
static void
pin_words(struct qr_thread *thread, uintptr_t at, size_t size_bytes)
{
	uint64_t words[WORDS_MAX];
	size_t count = size_bytes / sizeof(words[0]);
	if (count > WORDS_MAX)
		count = WORDS_MAX;
	if (!gate.config.pins)
		return;
	/* A size that was guessed may reach over the end of what is there. */
	if (user_read(words, at, count * sizeof(words[0])) != 0)
		count = (QR_PAGE_SIZE - at % QR_PAGE_SIZE) / sizeof(words[0]);
	if (count > WORDS_MAX ||
	    user_read(words, at, count * sizeof(words[0])) != 0)
		return;
	for (size_t i = 0; i < count; i++) {
		if (words[i] >= ADDRESS_MIN && words[i] < ADDRESS_END)
			pin_pointee(thread, words[i]);
	}
}

/* --- ioctl --- */

struct uffdio_transfer {
	uint64_t to;
	uint64_t from;
	uint64_t size_bytes;
};

/* Requests on a userfaultfd of the program's own. */
static void
ioctl_faults(struct qr_thread *thread, uint32_t request, uintptr_t at)
{
	struct uffdio_transfer transfer;
	if (user_read(&transfer, at, sizeof(transfer)) != 0)
		return;
	if (request == IOCTL_UFFDIO_REGISTER)
		/* to and from are start and size: a range can't have two. */
		(void)pager_unmanage(thread, transfer.to, transfer.from);
	else if (request == IOCTL_UFFDIO_MOVE)
		/* The kernel takes the pages away. */
		(void)pager_unmanage(thread, transfer.from,
		    transfer.size_bytes);
	else
		pin(thread, transfer.from, transfer.size_bytes, QR_ACCESS_READ);
}

/* Structures with an array behind them: all of their bytes. */
static size_t
ioctl_array(uint32_t request, uintptr_t at)
{
	struct fiemap map;
	if (request == IOCTL_FIEMAP && user_read(&map, at, sizeof(map)) == 0)
		return sizeof(map) + map.fm_extent_count * (size_t)EXTENT_SIZE;
	uint16_t count;
	if (request == IOCTL_FIDEDUPERANGE &&
	    user_read(&count, at + 16, sizeof(count)) == 0)
		return DEDUPE_HEAD + count * (size_t)DEDUPE_SIZE;
	return 0;
}

static void
ioctl_interfaces(struct qr_thread *thread, uintptr_t at)
{
	struct {
		int size_bytes;
		uintptr_t at;
	} list;
	if (user_read(&list, at, sizeof(list)) == 0)
		pin(thread, list.at, (uint32_t)list.size_bytes,
		    QR_ACCESS_WRITE);
}

enum gate_verdict
plan_ioctl(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	uint32_t request = (uint32_t)call->args[1];
	uintptr_t at = (uintptr_t)call->args[2];
	size_t size = _IOC_SIZE(request);
	if (at < ADDRESS_MIN)
		return GATE_ISSUE;
	pin(thread, at, size > IOCTL_GUESS ? size : IOCTL_GUESS,
	    QR_ACCESS_WRITE);
	switch (request) {
	case IOCTL_UFFDIO_REGISTER:
	case IOCTL_UFFDIO_COPY:
	case IOCTL_UFFDIO_MOVE:
		if (!pager_owns_fd((int)call->args[0]))
			ioctl_faults(thread, request, at);
		break;
	case IOCTL_FIEMAP:
	case IOCTL_FIDEDUPERANGE:
		pin(thread, at, ioctl_array(request, at), QR_ACCESS_WRITE);
		break;
	case IOCTL_SIOCGIFCONF:
		ioctl_interfaces(thread, at);
		break;
	default:
		pin_words(thread, at, size == 0 ? IOCTL_WORDS : size);
	}
	return GATE_ISSUE;
}

/* --- bpf --- */

static void
bpf_load(struct qr_thread *thread, const union bpf_attr *attr)
{
	pin(thread, attr->insns, attr->insn_cnt * (size_t)INSN_SIZE,
	    QR_ACCESS_READ);
	pin_text(thread, attr->license, LICENCE_SIZE);
	pin_counted(thread, (long)attr->log_buf, attr->log_size, 1,
	    QR_ACCESS_WRITE);
}

static void
bpf_load_types(struct qr_thread *thread, const union bpf_attr *attr)
{
	pin(thread, attr->btf, attr->btf_size, QR_ACCESS_READ);
	pin_counted(thread, (long)attr->btf_log_buf, attr->btf_log_size, 1,
	    QR_ACCESS_WRITE);
}

enum gate_verdict
plan_bpf(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	union bpf_attr attr;
	uintptr_t at = (uintptr_t)call->args[1];
	size_t size = (uint32_t)call->args[2];
	pin(thread, at, size, QR_ACCESS_WRITE);
	memset(&attr, 0, sizeof(attr));
	if (user_read(&attr, at, size < sizeof(attr) ? size : sizeof(attr)) !=
	    0)
		return GATE_ISSUE;
	if (call->args[0] == BPF_PROG_LOAD)
		bpf_load(thread, &attr);
	else if (call->args[0] == BPF_BTF_LOAD)
		bpf_load_types(thread, &attr);
	pin_words(thread, at, size);
	return GATE_ISSUE;
}

/* --- setsockopt, ptrace, keyctl --- */

enum gate_verdict
plan_setsockopt(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	long size = (int)call->args[4];
	pin_counted(thread, call->args[3], size, 1, QR_ACCESS_READ);
	if (size >= (long)sizeof(uint64_t) && size <= OPTION_WORDS)
		pin_words(thread, (uintptr_t)call->args[3], (size_t)size);
	return GATE_ISSUE;
}

/* Some tell where the answer is to go. */
enum gate_verdict
plan_getsockopt(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	uint32_t size = 0;
	uintptr_t at = (uintptr_t)call->args[3];
	uintptr_t size_at = (uintptr_t)call->args[4];
	pin(thread, size_at, sizeof(size), QR_ACCESS_WRITE);
	if (user_read(&size, size_at, sizeof(size)) != 0 ||
	    size > OPTION_SIZE_MAX)
		return GATE_ISSUE;
	pin(thread, at, size, QR_ACCESS_WRITE);
	if (size >= sizeof(uint64_t) && size <= OPTION_WORDS)
		pin_words(thread, at, size);
	return GATE_ISSUE;
}

enum gate_verdict
plan_ptrace(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	long request = call->args[0];
	uintptr_t data = (uintptr_t)call->args[3];
	if (request == PTRACE_GETREGSET || request == PTRACE_SETREGSET) {
		pin(thread, data, sizeof(struct gate_vector), QR_ACCESS_WRITE);
		pin_vectors(thread, data, 1, QR_ACCESS_WRITE);
		return GATE_ISSUE;
	}
	if (request == PTRACE_PEEKSIGINFO)
		pin(thread, (uintptr_t)call->args[2], PTRACE_ARGS,
		    QR_ACCESS_READ);
	pin(thread, data, QR_PAGE_SIZE, QR_ACCESS_WRITE);
	return GATE_ISSUE;
}

enum gate_verdict
plan_keyctl(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	switch ((int)call->args[0]) {
	case KEYCTL_READ:
	case KEYCTL_UPDATE:
	case KEYCTL_INSTANTIATE:
	case KEYCTL_DESCRIBE:
	case KEYCTL_GET_SECURITY:
		if (call->args[3] <= KEY_SIZE_MAX)
			pin_counted(thread, call->args[2], call->args[3], 1,
			    QR_ACCESS_WRITE);
		break;
	default:
		for (unsigned i = 1; i <= 4; i++)
			pin(thread, (uintptr_t)call->args[i], QR_PAGE_SIZE,
			    QR_ACCESS_WRITE);
	}
	return GATE_ISSUE;
}

/* setxattrat, getxattrat: the value by a structure. */
enum gate_verdict
plan_xattrat(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	(void)context;
	struct {
		uint64_t value;
		uint32_t size_bytes;
		uint32_t flags;
	} argument;
	uintptr_t at = (uintptr_t)call->args[4];
	pin_text(thread, (uintptr_t)call->args[1], QR_PAGE_SIZE);
	pin_text(thread, (uintptr_t)call->args[3], QR_PAGE_SIZE);
	pin_counted(thread, call->args[4], call->args[5], 1, QR_ACCESS_READ);
	if (user_read(&argument, at, sizeof(argument)) == 0)
		pin(thread, argument.value, argument.size_bytes,
		    QR_ACCESS_WRITE);
	return GATE_ISSUE;
}

/* --- process_madvise --- */

/* Descriptors that always stand for the caller. */
#define PIDFD_SELF_THREAD (-10000)
#define PIDFD_SELF_GROUP  (-10001)

#define FDINFO_SIZE 512u

/* The number behind "Pid:" in the text; 0: there is none. */
static long
pid_find(const char *text, size_t size)
{
	static const char label[] = "\nPid:\t";
	for (size_t i = 0; i + sizeof(label) < size; i++) {
		long pid = 0;
		if (memcmp(text + i, label, sizeof(label) - 1) != 0)
			continue;
		for (i += sizeof(label) - 1;
		     i < size && text[i] >= '0' && text[i] <= '9'; i++)
			pid = pid * 10 + text[i] - '0';
		return pid;
	}
	return 0;
}

/* Whether the descriptor is this very process's. */
static bool
pidfd_is_own(int fd)
{
	char text[FDINFO_SIZE];
	char path[40] = "/proc/self/fdinfo/";
	char *end = path + strlen(path);
	if (fd == PIDFD_SELF_THREAD || fd == PIDFD_SELF_GROUP)
		return true;
	if (fd < 0)
		return false;
	char *digit = end;
	for (int rest = fd; rest != 0 || digit == end; rest /= 10)
		digit++;
	*digit = '\0';
	for (int rest = fd; digit != end; rest /= 10)
		*--digit = (char)('0' + rest % 10);
	long file = qr_sys4(SYS_openat, (long)AT_FDCWD, path,
	    (long)(O_RDONLY | O_CLOEXEC), 0L);
	if (qr_sys_failed(file))
		return false;
	long size = qr_sys3(SYS_read, file, text, sizeof(text));
	qr_sys1(SYS_close, file);
	return size > 0 && pid_find(text, (size_t)size) == qr_sys0(SYS_getpid);
}

/* On oneself it is madvise, range by range. */
static long
advise_own(struct qr_thread *thread, const struct gate_call *call)
{
	size_t total = 0;
	for (size_t i = 0; i < (size_t)call->args[2]; i++) {
		struct gate_vector vector;
		if (user_read(&vector,
			(uintptr_t)call->args[1] + i * sizeof(vector),
			sizeof(vector)) != 0)
			return -EFAULT;
		const long args[6] = { (long)vector.base,
			(long)vector.size_bytes, call->args[3] };
		long result = pager_mapping_call(thread, SYS_madvise, args);
		if (qr_sys_failed(result))
			return total != 0 ? (long)total : result;
		total += vector.size_bytes;
	}
	return (long)total;
}

enum gate_verdict
plan_process_madvise(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	size_t count = (size_t)call->args[2];
	if (count <= PLAN_VECTORS_MAX && pidfd_is_own((int)call->args[0])) {
		/* Without ranges the kernel judges all else. */
		long result = qr_sys5(SYS_process_madvise, call->args[0],
		    call->args[1], 0L, call->args[3], call->args[4]);
		gate_result(context,
		    result == 0 ? advise_own(thread, call) : result);
		return GATE_DONE;
	}
	pin_counted(thread, call->args[1], call->args[2],
	    sizeof(struct gate_vector), QR_ACCESS_READ);
	return GATE_ISSUE;
}
