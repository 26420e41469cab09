/* SPDX-License-Identifier: MIT */
/*
 * mmu.c: userfaultfd as the core's MMU.
 *
 * Every managed area is registered for missing pages and for write
 * protection. A page comes in by UFFDIO_COPY from the CPU's staging window;
 * it goes by write protection, where somebody could write, a look at its
 * contents, and MADV_DONTNEED.
 * Faults arrive as SIGBUS in the thread that touched (UFFD_FEATURE_SIGBUS),
 * so nobody reads the descriptor. It is opened for user mode only, which
 * needs no privilege since Linux 5.11. With --delivery=handler it is opened
 * for the kernel's touches too, and handler.c reads it.
 *
 * I keep no state but the descriptor: what is mapped is the core's to know.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "../../core/base/check.h"
#include "files.h"
#include "gate/gate.h"
#include "linux.h"
#include "sys.h"
#include "uapi.h"

static int
mmu_error(long result)
{
	switch (-result) {
	case EAGAIN:
		return -QR_EAGAIN;
	case ENOMEM:
		return -QR_ENOMEM;
	case EBUSY:
		return -QR_EBUSY;
	default:
		return -QR_EFAULT;
	}
}

/* With the kernel's touches: by the call or, since Linux 6.1, for whoever may
 * open the device. */
static long
uffd_open_full(void)
{
	const long flags = O_CLOEXEC | O_NONBLOCK;
	long fd = qr_sys1(SYS_userfaultfd, flags);
	if (fd != -EPERM)
		return fd;
	long device = qr_sys4(SYS_openat, (long)AT_FDCWD, "/dev/userfaultfd",
	    (long)(O_RDWR | O_CLOEXEC), 0L);
	if (device < 0)
		return fd;
	fd = qr_sys3(SYS_ioctl, device, USERFAULTFD_IOC_NEW, flags);
	qr_sys1(SYS_close, device);
	return fd;
}

int
mmu_open(void)
{
	bool full = qr_linux.config.delivery == QR_LINUX_DELIVERY_HANDLER;
	long fd =
	    full ? uffd_open_full()
		 : qr_sys1(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (qr_sys_failed(fd))
		return (int)fd;
	struct uffdio_api api = { .api = UFFD_API,
		.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP |
			    (full ? 0 : UFFD_FEATURE_SIGBUS) };
	long failed = qr_sys3(SYS_ioctl, fd, UFFDIO_API, &api);
	if (failed < 0) {
		qr_sys1(SYS_close, fd);
		return (int)failed;
	}
	return own_fd_set(OWN_UFFD, (int)fd);
}

int
mmu_register(uintptr_t start, size_t size_bytes)
{
	struct uffdio_register reg = {
		.range = { start, size_bytes },
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};
	long failed =
	    qr_sys3(SYS_ioctl, own_fd(OWN_UFFD), UFFDIO_REGISTER, &reg);
	return failed < 0 ? (int)failed : 0;
}

int
mmu_unregister(uintptr_t start, size_t size_bytes)
{
	struct uffdio_range range = { start, size_bytes };
	long failed =
	    qr_sys3(SYS_ioctl, own_fd(OWN_UFFD), UFFDIO_UNREGISTER, &range);
	return failed < 0 ? (int)failed : 0;
}

int
mmu_put(uintptr_t address, const void *data)
{
	struct uffdio_copy copy = {
		.dst = address,
		.src = (uintptr_t)data,
		.len = QR_PAGE_SIZE,
		.mode = UFFDIO_COPY_MODE_DONTWAKE,
	};
	long failed;
	do {
		failed =
		    qr_sys3(SYS_ioctl, own_fd(OWN_UFFD), UFFDIO_COPY, &copy);
	} while (failed == -EAGAIN);
	return failed == -EEXIST ? 0 : (int)failed;
}

int
linux_mm_create(void *ctx, qr_pfn_t root, uint32_t tag, void **mm)
{
	(void)root;
	(void)tag;
	*mm = ctx;
	return 0;
}

void
linux_mm_destroy(void *ctx, void *mm)
{
	(void)ctx;
	(void)mm;
}

/*
 * Copies until the run is in. A page that is already there (-EEXIST) was in
 * place before the area came under management; its contents stand, and are
 * older than any page of zeros.
 */
int
linux_mmu_map(void *ctx, void *mm, unsigned cpu, const struct qr_map_run *run)
{
	(void)ctx;
	(void)mm;
	const unsigned char *from =
	    run->zero ? qr_linux.zeros
		      : qr_linux.stages + QR_PAGE_SIZE * QR_STAGE_PAGES * cpu;
	size_t size = run->count * QR_PAGE_SIZE;
	size_t done = 0;
	while (done < size) {
		struct uffdio_copy copy = {
			.dst = run->start + done,
			.src = (uintptr_t)from + done,
			.len = size - done,
			.mode = UFFDIO_COPY_MODE_DONTWAKE,
		};
		long failed =
		    qr_sys3(SYS_ioctl, own_fd(OWN_UFFD), UFFDIO_COPY, &copy);
		if (copy.copy > 0)
			done += (size_t)copy.copy;
		if (failed == 0 || copy.copy > 0)
			continue;
		if (failed == -EEXIST && run->zero) {
			done += QR_PAGE_SIZE;
			continue;
		}
		QR_ASSERT(failed != -EEXIST, "page 0x%lx is there already",
		    (unsigned long)(run->start + done));
		if (failed == -EAGAIN)
			continue;
		const struct qr_range range = { run->start, run->start + done };
		if (done != 0)
			(void)linux_mmu_drop(ctx, mm, &range, 1);
		return mmu_error(failed);
	}
	return 0;
}

static long
mmu_write_protect(uintptr_t start, uintptr_t end, bool on)
{
	struct uffdio_writeprotect protect = {
		.range = { start, end - start },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};
	long failed;
	do {
		failed = qr_sys3(SYS_ioctl, own_fd(OWN_UFFD),
		    UFFDIO_WRITEPROTECT, &protect);
	} while (failed == -EAGAIN || failed == -EINTR);
	return failed;
}

/* A range that crosses the host's areas is refused whole by older kernels;
 * then page by page. */
static int
mmu_write_protect_all(uintptr_t start, uintptr_t end, bool on)
{
	long failed = mmu_write_protect(start, end, on);
	if (failed != -ENOENT || end - start == QR_PAGE_SIZE)
		return failed < 0 ? mmu_error(failed) : 0;
	for (uintptr_t page = start; page < end; page += QR_PAGE_SIZE) {
		failed = mmu_write_protect(page, page + QR_PAGE_SIZE, on);
		if (failed < 0)
			return mmu_error(failed);
	}
	return 0;
}

/* A thread that is alone needs no protection: nobody else writes, it does not
 * itself while it is in here, and what the kernel may write to is pinned. */
int
linux_mmu_freeze(void *ctx, void *mm, const struct qr_range *ranges,
    size_t count, bool lasting)
{
	if (!lasting && gate_is_alone(qr_thread_self()))
		return QR_MMU_STILL;
	for (size_t i = 0; i < count; i++) {
		int failed =
		    mmu_write_protect_all(ranges[i].start, ranges[i].end, true);
		if (failed == 0)
			continue;
		if (i > 0)
			linux_mmu_thaw(ctx, mm, ranges, i);
		return failed;
	}
	return 0;
}

void
linux_mmu_thaw(void *ctx, void *mm, const struct qr_range *ranges, size_t count)
{
	(void)ctx;
	(void)mm;
	for (size_t i = 0; i < count; i++) {
		int failed = mmu_write_protect_all(ranges[i].start,
		    ranges[i].end, false);
		QR_ASSERT(failed == 0, "write protection of 0x%lx stays: %d",
		    (unsigned long)ranges[i].start, failed);
	}
}

/* Whether many ranges can be dropped by one call, as Linux 6.15 and later have
 * it, which flushes once. Found out by the first call. */
static _Atomic(bool) drops_at_once = true;

/* False: not all is done; it does no harm to do it again. */
static bool
drop_at_once(const struct iovec *pieces, size_t count)
{
	size_t size = 0;
	for (size_t i = 0; i < count; i++)
		size += pieces[i].iov_len;
	long done = qr_sys5(SYS_process_madvise, (long)PIDFD_SELF_THREAD_GROUP,
	    pieces, count, (long)MADV_DONTNEED, 0L);
	if (done < 0)
		atomic_store(&drops_at_once, false);
	return done == (long)size;
}

/* Returns how many are done. */
static size_t
drop_one_by_one(const struct iovec *pieces, size_t count)
{
	size_t done = 0;
	while (
	    done < count && qr_sys3(SYS_madvise, pieces[done].iov_base,
				pieces[done].iov_len, (long)MADV_DONTNEED) == 0)
		done++;
	return done;
}

static size_t
drop_pieces(const struct iovec *pieces, size_t count)
{
	/* Relaxed: who does not know yet finds out. */
	if (count > 1 &&
	    atomic_load_explicit(&drops_at_once, memory_order_relaxed) &&
	    drop_at_once(pieces, count))
		return count;
	return drop_one_by_one(pieces, count);
}

size_t
linux_mmu_drop(void *ctx, void *mm, const struct qr_range *ranges, size_t count)
{
	struct iovec pieces[QR_RANGES_MAX];
	(void)ctx;
	(void)mm;
	for (size_t i = 0; i < count; i++)
		pieces[i] = (struct iovec){ (void *)(uintptr_t)ranges[i].start,
			ranges[i].end - ranges[i].start };
	return drop_pieces(pieces, count);
}

void
linux_frame_release(void *ctx, const struct qr_frame_run *runs, size_t count)
{
	const struct qr_linux *state = ctx;
	struct iovec pieces[QR_RANGES_MAX];
	for (size_t i = 0; i < count; i++)
		pieces[i] =
		    (struct iovec){ state->home + runs[i].first * QR_PAGE_SIZE,
			    runs[i].pages * QR_PAGE_SIZE };
	(void)drop_pieces(pieces, count);
}

int
linux_mmu_protect(void *ctx, void *mm, qr_vaddr_t start, qr_vaddr_t end,
    unsigned prot)
{
	(void)ctx;
	(void)mm;
	long failed = qr_sys3(SYS_mprotect, start, end - start, prot);
	return failed < 0 ? mmu_error(failed) : 0;
}

/*
 * Copies the page from where it is, which takes a tenth of the time of a
 * read from outside the page table. That is left for pages that the program
 * may not read itself: by their rights, by a protection key, or because
 * another thread is just changing or unmapping them. Quire's own threads
 * have all signals blocked and can't survive a bad address.
 */
const void *
linux_mmu_peek(void *ctx, void *mm, const struct qr_peek *at)
{
	(void)ctx;
	(void)mm;
	struct qr_thread *thread = qr_thread_self();
	unsigned char *page = thread->peek;
	if (at->present && !thread->is_own &&
	    qr_copy_try(page, (const void *)(uintptr_t)at->address,
		QR_PAGE_SIZE) == 0)
		return page;
	long n = qr_sys4(SYS_pread64, own_fd(OWN_MEM), page, QR_PAGE_SIZE,
	    at->address);
	return n == (long)QR_PAGE_SIZE ? page : NULL;
}
