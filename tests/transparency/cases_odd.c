/* SPDX-License-Identifier: MIT */
/* cases_odd.c: calls that few programs make, and structures that point on. */
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/if_packet.h>
#include <linux/landlock.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "case.h"

/* A map of the kernel's: the argument points to key and value. */
static void
bpf_map(void)
{
	union bpf_attr *attr = cell(sizeof(*attr));
	uint32_t *key = cell(sizeof(*key));
	unsigned char *value = cell_fill(3000, 1);
	unsigned char *back = cell(3000);
	attr->map_type = BPF_MAP_TYPE_ARRAY;
	attr->key_size = 4;
	attr->value_size = 3000;
	attr->max_entries = 4;
	chill();
	int map = (int)syscall(SYS_bpf, BPF_MAP_CREATE, attr, sizeof(*attr));
	if (map < 0) {
		say_skipped("no right to bpf maps");
		return;
	}
	memset(attr, 0, sizeof(*attr));
	attr->map_fd = (uint32_t)map;
	attr->key = (uintptr_t)key;
	attr->value = (uintptr_t)value;
	*key = 2;
	CALL(syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, attr, sizeof(*attr)));
	attr->value = (uintptr_t)back;
	CALL(syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, attr, sizeof(*attr)));
	say("%d\n", memcmp(value, back, 3000));
	attr->next_key = (uintptr_t)back;
	CALL(syscall(SYS_bpf, BPF_MAP_GET_NEXT_KEY, attr, sizeof(*attr)));
	say("%u\n", *(uint32_t *)(void *)back);
	close(map);
}

/* A program for the kernel: instructions, licence and log by pointers. */
static void
bpf_program(void)
{
	union bpf_attr *attr = cell(sizeof(*attr));
	struct bpf_insn *code = cell(2 * sizeof(*code));
	char *licence = cell_text("GPL");
	char *log = cell(20000);
	code[0] = (struct bpf_insn){ .code = 0xb7, .imm = 5 }; /* r0 = 5 */
	code[1] = (struct bpf_insn){ .code = 0x95 };           /* exit */
	attr->prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr->insns = (uintptr_t)code;
	attr->insn_cnt = 2;
	attr->license = (uintptr_t)licence;
	attr->log_buf = (uintptr_t)log;
	attr->log_size = 20000;
	attr->log_level = 1;
	chill();
	long fd = syscall(SYS_bpf, BPF_PROG_LOAD, attr, sizeof(*attr));
	if (fd < 0 && errno == EPERM) {
		say_skipped("no right to bpf programs");
		return;
	}
	say("%d %d\n", fd >= 0, log[0] != 0);
	close((int)fd);
}

static void
counters(void)
{
	struct perf_event_attr *attr = cell(sizeof(*attr));
	uint64_t *value = cell(sizeof(*value));
	attr->type = PERF_TYPE_SOFTWARE;
	attr->size = sizeof(*attr);
	attr->config = PERF_COUNT_SW_PAGE_FAULTS;
	attr->exclude_kernel = 1;
	chill();
	int fd = (int)syscall(SYS_perf_event_open, attr, 0, -1, -1, 0);
	if (fd < 0) {
		say_skipped("no right to perf events");
		return;
	}
	CALL(read(fd, value, 8));
	CALL(ioctl(fd, PERF_EVENT_IOC_ID, value));
	close(fd);
}

/* Extents: as many as the head says behind it. */
static void
extents(void)
{
	const size_t count = 40;
	struct fiemap *map =
	    cell(sizeof(*map) + count * sizeof(struct fiemap_extent));
	int fd = file_new();
	pwrite(fd, "x", 1, 0);
	map->fm_length = ~0ULL;
	map->fm_extent_count = (uint32_t)count;
	CALL(ioctl(fd, FS_IOC_FIEMAP, map));
	say("%u\n", map->fm_mapped_extents);
	close(fd);
}

static void
shared_blocks(void)
{
	struct file_dedupe_range *range =
	    cell(sizeof(*range) + sizeof(struct file_dedupe_range_info));
	unsigned char *bytes = cell_fill(8192, 2);
	int a = file_new();
	int b = file_new();
	write(a, bytes, 8192);
	write(b, bytes, 8192);
	range->src_length = 4096;
	range->dest_count = 1;
	range->info[0].dest_fd = b;
	CALL(ioctl(a, FIDEDUPERANGE, range));
	CALL(ioctl(b, FICLONE, a));
	close(a);
	close(b);
}

/* The request holds the address of what it is about. */
static void
drivers(void)
{
	struct ifreq *request = cell(sizeof(*request));
	struct ethtool_drvinfo *info = cell(sizeof(*info));
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	strcpy(request->ifr_name, "lo");
	request->ifr_data = (char *)info;
	info->cmd = ETHTOOL_GDRVINFO;
	CALL(ioctl(fd, SIOCETHTOOL, request));
	info->cmd = ETHTOOL_GLINK;
	CALL(ioctl(fd, SIOCETHTOOL, request));
	close(fd);
}

static void
rules(void)
{
	struct landlock_ruleset_attr *attr = cell(sizeof(*attr));
	struct landlock_path_beneath_attr *rule = cell(sizeof(*rule));
	attr->handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE;
	chill();
	int fd =
	    (int)syscall(SYS_landlock_create_ruleset, attr, sizeof(*attr), 0);
	if (fd < 0) {
		say_skipped("no landlock here");
		return;
	}
	rule->allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE;
	rule->parent_fd = open(".", O_PATH);
	CALL(syscall(SYS_landlock_add_rule, fd, 1, rule, 0));
	pid_t pid = case_fork();
	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		long failed = syscall(SYS_landlock_restrict_self, fd, 0);
		int other = open("/dev/null", O_WRONLY);
		int here = open("allowed", O_CREAT | O_WRONLY, 0600);
		/* Memory comes and goes as before. */
		unsigned char *bytes = cell_fill(MIB, 3);
		unsigned char *copy = cell(MIB);
		memcpy(copy, bytes, MIB);
		chill();
		_exit(failed != 0 || other >= 0 || here < 0 ||
		      memcmp(copy, bytes, MIB) != 0);
	}
	say_child("restricted", pid);
	unlink("allowed");
	close(rule->parent_fd);
	close(fd);
}

static void
filters(void)
{
	uint32_t *action = cell(sizeof(*action));
	unsigned short *sizes = cell(8);
	*action = SECCOMP_RET_TRAP;
	CALL(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, action));
	CALL(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, sizes));
	say("%d\n", sizes[0] != 0);
	CALL(prctl(PR_GET_SECCOMP));
}

/* What newer kernels tell of mounts and files. */
static void
newer(void)
{
	struct {
		uint32_t size;
		uint32_t spare;
		uint64_t id;
		uint64_t param;
	} *request = cell(sizeof(*request));
	uint64_t *list = cell(64 * sizeof(*list));
	char *path = cell_text(".");
	uint64_t *range = cell(2 * sizeof(*range));
	uint64_t *stat = cell(5 * sizeof(*stat));
	unsigned char *attr = cell(24);
	request->size = 24;
	request->id = 0xffffffffffffffffULL; /* LSMT_ROOT */
	CALL(syscall(458 /* listmount */, request, list, 64, 0) > 0 ||
	     errno == ENOSYS || errno == EPERM);
	request->id = list[0];
	request->param = 1;
	CALL_SOME(syscall(457 /* statmount */, request, list, 512, 0));
	int fd = file_new();
	range[1] = 4096;
	CALL(syscall(451 /* cachestat */, fd, range, stat, 0));
	CALL(syscall(468 /* file_getattr */, AT_FDCWD, path, attr, 24, 0));
	CALL(syscall(459 /* lsm_get_self_attr */, 100, attr, list, 0));
	*(uint32_t *)(void *)list = 24;
	CALL_SOME(syscall(461 /* lsm_list_modules */, attr, list, 0));
	CALL(syscall(452 /* fchmodat2 */, AT_FDCWD, path, 0777, 0));
	close(fd);
}

/* Numbers that no table has. */
static void
unknown(void)
{
	unsigned char *bytes = cell_fill(5000, 4);
	unsigned char *copy = cell(5000);
	memcpy(copy, bytes, 5000);
	CALL(syscall(1000, bytes, copy, 5, 6));
	CALL(syscall(-5, bytes));
	CALL(syscall(0x40000000, bytes));
	CALL(syscall(400, bytes, copy));
	CALL(syscall(999999999, bytes));
	say("%d\n", memcmp(copy, bytes, 5000));
}

static void
clock_settings(void)
{
	struct timex *state = cell(sizeof(*state));
	CALL_SOME(adjtimex(state));
	say("%d\n", state->tick > 0);
	CALL_SOME(syscall(SYS_clock_adjtime, CLOCK_REALTIME, state));
}

static void
descriptors_table(void)
{
	unsigned char *bytes = cell_fill(9000, 5);
	int ends[2];
	pipe(ends);
	CALL(write(ends[1], bytes, 9000));
	CALL(close_range(900, 1000, 0));
	CALL(dup2(ends[0], 950));
	CALL(read(950, bytes, 9000));
	CALL(close_range(950, 950, CLOSE_RANGE_CLOEXEC));
	CALL(fcntl(950, F_GETFD));
	CALL(close_range(950, 1000, 0));
	CALL(close_range(5, 4, 0));
	close(ends[0]);
	close(ends[1]);
}

/* Frames by a ring that the kernel maps and fills. */
static void
packet_ring(void)
{
	struct tpacket_req *request = cell(sizeof(*request));
	int *number = cell(sizeof(*number));
	socklen_t *size = cell(sizeof(*size));
	int fd = socket(AF_PACKET, SOCK_DGRAM, 0);
	if (fd < 0) {
		say_skipped("no right to packets");
		return;
	}
	*request = (struct tpacket_req){ .tp_block_size = 4096,
		.tp_block_nr = 4,
		.tp_frame_size = 2048,
		.tp_frame_nr = 8 };
	CALL(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, request,
	    sizeof(*request)));
	void *ring =
	    mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	say("%d\n", ring != MAP_FAILED);
	*size = sizeof(*number);
	CALL(getsockopt(fd, SOL_PACKET, PACKET_VERSION, number, size));
	close(fd);
}

static void
segments(void)
{
	unsigned char *table = cell(200);
	CALL(syscall(SYS_modify_ldt, 0, table, 200));
	CALL(syscall(SYS_modify_ldt, 2, table, 200) >= 0);
	CALL(syscall(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, table));
	CALL(syscall(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, table));
	say("%d\n", *table);
	CALL(syscall(SYS_arch_prctl, 0x1001, 0));
}

static void
mounts(void)
{
	char *type = cell_text("tmpfs");
	char *where = cell_text("mounted");
	char *options = cell_text("size=64k");
	char *key = cell_text("size");
	char *value = cell_text("128k");
	mkdir("mounted", 0700);
	pid_t pid = case_fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) != 0)
			_exit(77);
		CALL(syscall(SYS_mount, type, where, type, 0, options));
		CALL(syscall(SYS_umount2, where, 0));
		chill();
		int fs = (int)syscall(SYS_fsopen, type, 1);
		CALL(syscall(SYS_fsconfig, fs, 1, key, value, 0));
		CALL(syscall(SYS_fsconfig, fs, 6, NULL, NULL, 0));
		chill();
		int mount = (int)syscall(SYS_fsmount, fs, 1, 0);
		CALL(syscall(SYS_move_mount, mount, "", AT_FDCWD, where, 4));
		CALL(syscall(SYS_umount2, where, 0));
		_exit(0);
	}
	say_child("in a namespace", pid);
	rmdir("mounted");
}

static const struct test_case cases[] = {
	{ "bpf_map", bpf_map, 0 },
	{ "bpf_program", bpf_program, 0 },
	{ "counters", counters, 0 },
	{ "extents", extents, 0 },
	{ "shared_blocks", shared_blocks, 0 },
	{ "drivers", drivers, 0 },
	{ "rules", rules, 0 },
	{ "filters", filters, 0 },
	{ "newer", newer, 0 },
	{ "unknown", unknown, 0 },
	{ "clock_settings", clock_settings, 0 },
	{ "descriptors_table", descriptors_table, 0 },
	{ "packet_ring", packet_ring, 0 },
	{ "segments", segments, 0 },
	{ "mounts", mounts, CASE_ALONE },
	{ 0 },
};

const struct test_group odd_group = { "odd", cases, NULL };
