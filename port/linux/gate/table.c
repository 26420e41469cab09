/* SPDX-License-Identifier: MIT */
/*
 * gate/table.c: every system call of x86-64 up to Linux 6.18, and how its
 * arguments point.
 *
 * A row is one of: NONE, no argument points to memory that the kernel reads
 * or writes; ARGS(...), up to five arguments that do, each with a direction
 * and a size; OWN(name), planned by plan_name(). Sizes are in bytes, those
 * of structures are the kernel's. Where a call writes less than it might,
 * the row says the most.
 *
 * A call that has no row is newer than the table, or made up. Whatever
 * looks like a pointer in it is pinned for a page.
 */
#include "plan.h"

enum table_how {
	HOW_NONE,
	HOW_IN,   /* the kernel reads bytes */
	HOW_OUT,  /* writes, or reads and writes */
	HOW_TEXT, /* reads a string */
	HOW_MOST, /* writes as much as is asked for, up to a limit */
};

#define BY_NONE 7u /* the size does not depend on an argument */

struct table_pointer {
	uint8_t argument;
	uint8_t how;    /* enum table_how */
	uint8_t by;     /* argument that counts units, or BY_NONE */
	uint16_t bytes; /* of one unit; of HOW_MOST all that is written */
};

#define TABLE_POINTERS 5u

struct table_row {
	gate_plan plan; /* NULL: as pointer[] says */
	struct table_pointer pointer[TABLE_POINTERS];
	bool known;
};

#define NONE                                                                   \
	{                                                                      \
		.known = true                                                  \
	}
#define OWN(name)                                                              \
	{                                                                      \
		.known = true, .plan = plan_##name                             \
	}
#define ARGS(...)                                                              \
	{                                                                      \
		.known = true, .pointer = { __VA_ARGS__ }                      \
	}
#define IN(arg, size)                                                          \
	{                                                                      \
		arg, HOW_IN, BY_NONE, size                                     \
	}
#define OUT(arg, size)                                                         \
	{                                                                      \
		arg, HOW_OUT, BY_NONE, size                                    \
	}
#define IN_N(arg, size, n)                                                     \
	{                                                                      \
		arg, HOW_IN, n, size                                           \
	}
#define OUT_N(arg, size, n)                                                    \
	{                                                                      \
		arg, HOW_OUT, n, size                                          \
	}
#define OUT_MOST(arg, size, n)                                                 \
	{                                                                      \
		arg, HOW_MOST, n, size                                         \
	}
#define TEXT(arg)                                                              \
	{                                                                      \
		arg, HOW_TEXT, BY_NONE, 4096                                   \
	}

/* Structures of the kernel, bytes. */
#define TIMESPEC 16
#define ITIMER   32
#define STATFS   120
#define RUSAGE   144
#define SIGINFO  128
#define ADDRESS  128 /* the longest socket address */
#define GUESS    256 /* more than any structure that the call takes */
#define PAGE     4096

/* Calls that the headers of Debian 12 do not know yet. */
enum table_new {
	NR_uretprobe = 335,
	NR_uprobe,
	NR_cachestat = 451,
	NR_fchmodat2,
	NR_map_shadow_stack,
	NR_futex_wake,
	NR_futex_wait,
	NR_futex_requeue,
	NR_statmount,
	NR_listmount,
	NR_lsm_get_self_attr,
	NR_lsm_set_self_attr,
	NR_lsm_list_modules,
	NR_mseal,
	NR_setxattrat,
	NR_getxattrat,
	NR_listxattrat,
	NR_removexattrat,
	NR_open_tree_attr,
	NR_file_getattr,
	NR_file_setattr,
};

static const struct table_row table[] = {
	/* Transfers. */
	[SYS_read] = OWN(transfer),
	[SYS_write] = OWN(transfer),
	[SYS_pread64] = OWN(transfer),
	[SYS_pwrite64] = OWN(transfer),
	[SYS_recvfrom] = OWN(transfer),
	[SYS_sendto] = OWN(transfer),
	[SYS_readv] = OWN(transfer_vectors),
	[SYS_writev] = OWN(transfer_vectors),
	[SYS_preadv] = OWN(transfer_vectors),
	[SYS_pwritev] = OWN(transfer_vectors),
	[SYS_preadv2] = OWN(transfer_vectors),
	[SYS_pwritev2] = OWN(transfer_vectors),
	[SYS_recvmsg] = OWN(message),
	[SYS_sendmsg] = OWN(message),
	[SYS_recvmmsg] = OWN(messages),
	[SYS_sendmmsg] = OWN(messages),
	[SYS_vmsplice] = OWN(vmsplice),
	[SYS_process_vm_readv] = OWN(process_vm),
	[SYS_process_vm_writev] = OWN(process_vm),
	[SYS_sendfile] = ARGS(OUT(2, 8)),
	[SYS_splice] = ARGS(OUT(1, 8), OUT(3, 8)),
	[SYS_tee] = NONE,
	[SYS_copy_file_range] = ARGS(OUT(1, 8), OUT(3, 8)),
	[SYS_readahead] = NONE,

	/* Descriptors. */
	[SYS_open] = OWN(open),
	[SYS_openat] = OWN(open),
	[SYS_openat2] = OWN(open),
	[SYS_creat] = ARGS(TEXT(0)),
	[SYS_close] = OWN(close),
	[SYS_close_range] = OWN(close_range),
	[SYS_dup] = OWN(dup),
	[SYS_dup2] = OWN(dup2),
	[SYS_dup3] = OWN(dup2),
	[SYS_fcntl] = OWN(fcntl),
	[SYS_flock] = NONE,
	[SYS_ioctl] = OWN(ioctl),
	[SYS_lseek] = NONE,
	[SYS_fsync] = NONE,
	[SYS_fdatasync] = NONE,
	[SYS_sync] = NONE,
	[SYS_syncfs] = NONE,
	[SYS_sync_file_range] = NONE,
	[SYS_fallocate] = NONE,
	[SYS_fadvise64] = NONE,
	[SYS_ftruncate] = NONE,
	[SYS_truncate] = ARGS(TEXT(0)),
	[SYS_pipe] = ARGS(OUT(0, 8)),
	[SYS_pipe2] = ARGS(OUT(0, 8)),
	[SYS_memfd_create] = ARGS(TEXT(0)),
	[SYS_memfd_secret] = NONE,
	[SYS_userfaultfd] = NONE,
	[SYS_pidfd_open] = NONE,
	[SYS_pidfd_getfd] = NONE,
	[SYS_pidfd_send_signal] = ARGS(IN(2, SIGINFO)),
	[SYS_kcmp] = NONE,

	/* Waiting for descriptors. */
	[SYS_poll] = ARGS(OUT_N(0, 8, 1)),
	[SYS_ppoll] = OWN(ppoll),
	[SYS_select] = OWN(select),
	[SYS_pselect6] = OWN(pselect),
	[SYS_epoll_create] = NONE,
	[SYS_epoll_create1] = NONE,
	[SYS_epoll_ctl] = ARGS(IN(3, 12)),
	[SYS_epoll_wait] = ARGS(OUT_N(1, 12, 2)),
	[SYS_epoll_pwait] = OWN(epoll_pwait),
	[SYS_epoll_pwait2] = OWN(epoll_pwait),
	[SYS_epoll_ctl_old] = NONE,
	[SYS_epoll_wait_old] = NONE,
	[SYS_eventfd] = NONE,
	[SYS_eventfd2] = NONE,
	[SYS_signalfd] = ARGS(IN(1, 8)),
	[SYS_signalfd4] = ARGS(IN(1, 8)),
	[SYS_timerfd_create] = NONE,
	[SYS_timerfd_settime] = ARGS(IN(2, ITIMER), OUT(3, ITIMER)),
	[SYS_timerfd_gettime] = ARGS(OUT(1, ITIMER)),
	[SYS_inotify_init] = NONE,
	[SYS_inotify_init1] = NONE,
	[SYS_inotify_add_watch] = ARGS(TEXT(1)),
	[SYS_inotify_rm_watch] = NONE,
	[SYS_fanotify_init] = NONE,
	[SYS_fanotify_mark] = ARGS(TEXT(4)),

	/* Files by name. */
	[SYS_stat] = OWN(stat),
	[SYS_lstat] = OWN(stat),
	[SYS_fstat] = OWN(look),
	[SYS_newfstatat] = OWN(stat),
	[SYS_statx] = OWN(stat),
	[SYS_statfs] = ARGS(TEXT(0), OUT(1, STATFS)),
	[SYS_fstatfs] = ARGS(OUT(1, STATFS)),
	[SYS_ustat] = ARGS(OUT(1, 32)),
	[SYS_access] = ARGS(TEXT(0)),
	[SYS_faccessat] = ARGS(TEXT(1)),
	[SYS_faccessat2] = ARGS(TEXT(1)),
	[SYS_getdents] = ARGS(OUT_N(1, 1, 2)),
	[SYS_getdents64] = OWN(look),
	[SYS_getcwd] = ARGS(OUT_MOST(0, PAGE, 1)),
	[SYS_chdir] = ARGS(TEXT(0)),
	[SYS_fchdir] = NONE,
	[SYS_rename] = ARGS(TEXT(0), TEXT(1)),
	[SYS_renameat] = ARGS(TEXT(1), TEXT(3)),
	[SYS_renameat2] = ARGS(TEXT(1), TEXT(3)),
	[SYS_mkdir] = ARGS(TEXT(0)),
	[SYS_mkdirat] = ARGS(TEXT(1)),
	[SYS_rmdir] = ARGS(TEXT(0)),
	[SYS_link] = ARGS(TEXT(0), TEXT(1)),
	[SYS_linkat] = ARGS(TEXT(1), TEXT(3)),
	[SYS_unlink] = ARGS(TEXT(0)),
	[SYS_unlinkat] = ARGS(TEXT(1)),
	[SYS_symlink] = ARGS(TEXT(0), TEXT(1)),
	[SYS_symlinkat] = ARGS(TEXT(0), TEXT(2)),
	[SYS_readlink] = ARGS(TEXT(0), OUT_MOST(1, PAGE, 2)),
	[SYS_readlinkat] = ARGS(TEXT(1), OUT_MOST(2, PAGE, 3)),
	[SYS_chmod] = ARGS(TEXT(0)),
	[SYS_fchmod] = NONE,
	[SYS_fchmodat] = ARGS(TEXT(1)),
	[NR_fchmodat2] = ARGS(TEXT(1)),
	[SYS_chown] = ARGS(TEXT(0)),
	[SYS_fchown] = NONE,
	[SYS_lchown] = ARGS(TEXT(0)),
	[SYS_fchownat] = ARGS(TEXT(1)),
	[SYS_umask] = NONE,
	[SYS_utime] = ARGS(TEXT(0), IN(1, 16)),
	[SYS_utimes] = ARGS(TEXT(0), IN(1, 2 * TIMESPEC)),
	[SYS_futimesat] = ARGS(TEXT(1), IN(2, 2 * TIMESPEC)),
	[SYS_utimensat] = ARGS(TEXT(1), IN(2, 2 * TIMESPEC)),
	[SYS_mknod] = ARGS(TEXT(0)),
	[SYS_mknodat] = ARGS(TEXT(1)),
	[SYS_setxattr] = ARGS(TEXT(0), TEXT(1), IN_N(2, 1, 3)),
	[SYS_lsetxattr] = ARGS(TEXT(0), TEXT(1), IN_N(2, 1, 3)),
	[SYS_fsetxattr] = ARGS(TEXT(1), IN_N(2, 1, 3)),
	[SYS_getxattr] = ARGS(TEXT(0), TEXT(1), OUT_N(2, 1, 3)),
	[SYS_lgetxattr] = ARGS(TEXT(0), TEXT(1), OUT_N(2, 1, 3)),
	[SYS_fgetxattr] = ARGS(TEXT(1), OUT_N(2, 1, 3)),
	[SYS_listxattr] = ARGS(TEXT(0), OUT_N(1, 1, 2)),
	[SYS_llistxattr] = ARGS(TEXT(0), OUT_N(1, 1, 2)),
	[SYS_flistxattr] = ARGS(OUT_N(1, 1, 2)),
	[SYS_removexattr] = ARGS(TEXT(0), TEXT(1)),
	[SYS_lremovexattr] = ARGS(TEXT(0), TEXT(1)),
	[SYS_fremovexattr] = ARGS(TEXT(1)),
	[NR_setxattrat] = OWN(xattrat),
	[NR_getxattrat] = OWN(xattrat),
	[NR_listxattrat] = ARGS(TEXT(1), OUT_N(3, 1, 4)),
	[NR_removexattrat] = ARGS(TEXT(1), TEXT(3)),
	[NR_file_getattr] = ARGS(TEXT(1), OUT_N(2, 1, 3)),
	[NR_file_setattr] = ARGS(TEXT(1), IN_N(2, 1, 3)),
	[SYS_name_to_handle_at] = ARGS(TEXT(1), OUT(2, 136), OUT(3, 8)),
	[SYS_open_by_handle_at] = ARGS(IN(1, 136)),
	[NR_cachestat] = ARGS(IN(1, 16), OUT(2, 40)),

	/* Mounts. */
	[SYS_mount] = ARGS(TEXT(0), TEXT(1), TEXT(2), IN(4, PAGE)),
	[SYS_umount2] = ARGS(TEXT(0)),
	[SYS_pivot_root] = ARGS(TEXT(0), TEXT(1)),
	[SYS_chroot] = ARGS(TEXT(0)),
	[SYS_swapon] = ARGS(TEXT(0)),
	[SYS_swapoff] = ARGS(TEXT(0)),
	[SYS_sysfs] = ARGS(TEXT(1), OUT(2, PAGE)),
	[SYS_quotactl] = ARGS(TEXT(1), OUT(3, GUESS)),
	[SYS_quotactl_fd] = ARGS(OUT(3, GUESS)),
	[SYS_acct] = ARGS(TEXT(0)),
	[SYS_open_tree] = ARGS(TEXT(1)),
	[NR_open_tree_attr] = ARGS(TEXT(1), IN_N(3, 1, 4)),
	[SYS_move_mount] = ARGS(TEXT(1), TEXT(3)),
	[SYS_fsopen] = ARGS(TEXT(0)),
	[SYS_fsconfig] = ARGS(TEXT(2), IN(3, PAGE)),
	[SYS_fsmount] = NONE,
	[SYS_fspick] = ARGS(TEXT(1)),
	[SYS_mount_setattr] = ARGS(TEXT(1), IN_N(3, 1, 4)),
	[NR_statmount] = ARGS(IN(0, 64), OUT_N(1, 1, 2)),
	[NR_listmount] = ARGS(IN(0, 64), OUT_N(1, 8, 2)),

	/* Sockets. */
	[SYS_socket] = NONE,
	[SYS_socketpair] = ARGS(OUT(3, 8)),
	[SYS_bind] = ARGS(IN_N(1, 1, 2)),
	[SYS_connect] = ARGS(IN_N(1, 1, 2)),
	[SYS_listen] = NONE,
	[SYS_accept] = ARGS(OUT(1, ADDRESS), OUT(2, 4)),
	[SYS_accept4] = ARGS(OUT(1, ADDRESS), OUT(2, 4)),
	[SYS_getsockname] = ARGS(OUT(1, ADDRESS), OUT(2, 4)),
	[SYS_getpeername] = ARGS(OUT(1, ADDRESS), OUT(2, 4)),
	[SYS_setsockopt] = OWN(setsockopt),
	[SYS_getsockopt] = OWN(getsockopt),
	[SYS_shutdown] = NONE,

	/* Mappings; the pager's own are carried out there. */
	[SYS_mmap] = OWN(mapping),
	[SYS_munmap] = OWN(mapping),
	[SYS_mprotect] = OWN(mapping),
	[SYS_pkey_mprotect] = OWN(mapping),
	[SYS_mremap] = OWN(mapping),
	[SYS_brk] = OWN(mapping),
	[SYS_madvise] = OWN(mapping),
	[SYS_mlock] = OWN(mapping),
	[SYS_mlock2] = OWN(mapping),
	[SYS_munlock] = OWN(mapping),
	[SYS_mlockall] = OWN(mapping),
	[SYS_munlockall] = OWN(mapping),
	[SYS_mincore] = OWN(mapping),
	[SYS_shmat] = OWN(mapping),
	[SYS_shmdt] = OWN(mapping),
	[SYS_remap_file_pages] = OWN(mapping),
	[SYS_msync] = NONE,
	[NR_mseal] = OWN(unsupported),
	[NR_map_shadow_stack] = NONE,
	[SYS_pkey_alloc] = NONE,
	[SYS_pkey_free] = NONE,
	[SYS_process_madvise] = OWN(process_madvise),
	[SYS_process_mrelease] = NONE,
	[SYS_membarrier] = NONE,
	[SYS_mbind] = ARGS(IN(3, 128)),
	[SYS_set_mempolicy] = ARGS(IN(1, 128)),
	[SYS_get_mempolicy] = ARGS(OUT(0, 4), OUT(1, 128)),
	[SYS_set_mempolicy_home_node] = NONE,
	[SYS_migrate_pages] = ARGS(IN(2, 128), IN(3, 128)),
	[SYS_move_pages] = ARGS(IN_N(2, 8, 1), IN_N(3, 4, 1), OUT_N(4, 4, 1)),

	/* Signals. */
	[SYS_rt_sigaction] = OWN(sigaction),
	[SYS_rt_sigprocmask] = OWN(sigprocmask),
	[SYS_rt_sigpending] = OWN(sigpending),
	[SYS_rt_sigsuspend] = OWN(sigsuspend),
	[SYS_rt_sigtimedwait] = OWN(sigtimedwait),
	[SYS_rt_sigreturn] = OWN(sigreturn),
	[SYS_sigaltstack] = OWN(sigaltstack),
	[SYS_rt_sigqueueinfo] = ARGS(IN(2, SIGINFO)),
	[SYS_rt_tgsigqueueinfo] = ARGS(IN(3, SIGINFO)),
	[SYS_kill] = NONE,
	[SYS_tkill] = NONE,
	[SYS_tgkill] = NONE,
	[SYS_pause] = NONE,
	[SYS_restart_syscall] = NONE,

	/* Processes and threads. */
	[SYS_clone] = OWN(clone),
	[SYS_clone3] = OWN(clone3),
	[SYS_fork] = OWN(fork),
	[SYS_vfork] = OWN(vfork),
	[SYS_execve] = OWN(execve),
	[SYS_execveat] = OWN(execveat),
	[SYS_exit] = OWN(exit),
	[SYS_exit_group] = OWN(exit_group),
	[SYS_wait4] = ARGS(OUT(1, 4), OUT(3, RUSAGE)),
	[SYS_waitid] = ARGS(OUT(2, SIGINFO), OUT(4, RUSAGE)),
	[SYS_set_tid_address] = OWN(keep_tid),
	[SYS_set_robust_list] = OWN(keep_robust),
	[SYS_get_robust_list] = ARGS(OUT(1, 8), OUT(2, 8)),
	[SYS_rseq] = OWN(keep_rseq),
	[SYS_futex] = OWN(futex),
	[SYS_futex_waitv] = OWN(futex_waitv),
	[NR_futex_wake] = NONE,
	[NR_futex_wait] = ARGS(IN(0, 8), IN(4, TIMESPEC)),
	[NR_futex_requeue] = OWN(futex_requeue),
	[SYS_getpid] = NONE,
	[SYS_getppid] = NONE,
	[SYS_gettid] = NONE,
	[SYS_getpgid] = NONE,
	[SYS_setpgid] = NONE,
	[SYS_getpgrp] = NONE,
	[SYS_getsid] = NONE,
	[SYS_setsid] = NONE,
	[SYS_prctl] = OWN(prctl),
	[SYS_arch_prctl] = ARGS(OUT(1, 8)),
	[SYS_seccomp] = OWN(seccomp),
	[SYS_ptrace] = OWN(ptrace),
	[SYS_personality] = NONE,
	[SYS_unshare] = OWN(unshare),
	[SYS_setns] = OWN(unshare),
	[SYS_vhangup] = NONE,

	/* Users. */
	[SYS_getuid] = NONE,
	[SYS_getgid] = NONE,
	[SYS_geteuid] = NONE,
	[SYS_getegid] = NONE,
	[SYS_setuid] = NONE,
	[SYS_setgid] = NONE,
	[SYS_setreuid] = NONE,
	[SYS_setregid] = NONE,
	[SYS_setresuid] = NONE,
	[SYS_setresgid] = NONE,
	[SYS_getresuid] = ARGS(OUT(0, 4), OUT(1, 4), OUT(2, 4)),
	[SYS_getresgid] = ARGS(OUT(0, 4), OUT(1, 4), OUT(2, 4)),
	[SYS_setfsuid] = NONE,
	[SYS_setfsgid] = NONE,
	[SYS_getgroups] = ARGS(OUT_N(1, 4, 0)),
	[SYS_setgroups] = ARGS(IN_N(1, 4, 0)),
	[SYS_capget] = ARGS(OUT(0, 8), OUT(1, 24)),
	[SYS_capset] = ARGS(OUT(0, 8), IN(1, 24)),

	/* Time. */
	[SYS_time] = ARGS(OUT(0, 8)),
	[SYS_gettimeofday] = ARGS(OUT(0, 16), OUT(1, 8)),
	[SYS_settimeofday] = ARGS(IN(0, 16), IN(1, 8)),
	[SYS_times] = ARGS(OUT(0, 32)),
	[SYS_nanosleep] = ARGS(IN(0, TIMESPEC), OUT(1, TIMESPEC)),
	[SYS_clock_nanosleep] = ARGS(IN(2, TIMESPEC), OUT(3, TIMESPEC)),
	[SYS_clock_gettime] = ARGS(OUT(1, TIMESPEC)),
	[SYS_clock_settime] = ARGS(IN(1, TIMESPEC)),
	[SYS_clock_getres] = ARGS(OUT(1, TIMESPEC)),
	[SYS_clock_adjtime] = ARGS(OUT(1, 208)),
	[SYS_adjtimex] = ARGS(OUT(0, 208)),
	[SYS_getitimer] = ARGS(OUT(1, ITIMER)),
	[SYS_setitimer] = ARGS(IN(1, ITIMER), OUT(2, ITIMER)),
	[SYS_alarm] = NONE,
	[SYS_timer_create] = OWN(timer_create),
	[SYS_timer_settime] = ARGS(IN(2, ITIMER), OUT(3, ITIMER)),
	[SYS_timer_gettime] = ARGS(OUT(1, ITIMER)),
	[SYS_timer_getoverrun] = NONE,
	[SYS_timer_delete] = NONE,

	/* Scheduling and limits. */
	[SYS_sched_yield] = NONE,
	[SYS_sched_setparam] = ARGS(IN(1, 4)),
	[SYS_sched_getparam] = ARGS(OUT(1, 4)),
	[SYS_sched_setscheduler] = ARGS(IN(2, 4)),
	[SYS_sched_getscheduler] = NONE,
	[SYS_sched_get_priority_max] = NONE,
	[SYS_sched_get_priority_min] = NONE,
	[SYS_sched_rr_get_interval] = ARGS(OUT(1, TIMESPEC)),
	[SYS_sched_setaffinity] = ARGS(IN_N(2, 1, 1)),
	[SYS_sched_getaffinity] = ARGS(OUT_N(2, 1, 1)),
	[SYS_sched_setattr] = ARGS(OUT(1, GUESS)),
	[SYS_sched_getattr] = ARGS(OUT_N(1, 1, 2)),
	[SYS_getpriority] = NONE,
	[SYS_setpriority] = NONE,
	[SYS_ioprio_set] = NONE,
	[SYS_ioprio_get] = NONE,
	[SYS_getrlimit] = ARGS(OUT(1, 16)),
	[SYS_setrlimit] = ARGS(IN(1, 16)),
	[SYS_prlimit64] = ARGS(IN(2, 16), OUT(3, 16)),
	[SYS_getrusage] = ARGS(OUT(1, RUSAGE)),
	[SYS_getcpu] = ARGS(OUT(0, 4), OUT(1, 4)),

	/* The machine. */
	[SYS_uname] = ARGS(OUT(0, 390)),
	[SYS_sysinfo] = ARGS(OUT(0, 112)),
	[SYS_syslog] = ARGS(OUT_N(1, 1, 2)),
	[SYS_sethostname] = ARGS(IN_N(0, 1, 1)),
	[SYS_setdomainname] = ARGS(IN_N(0, 1, 1)),
	[SYS_getrandom] = OWN(random),
	[SYS_reboot] = ARGS(TEXT(3)),
	[SYS_iopl] = NONE,
	[SYS_ioperm] = NONE,
	[SYS_modify_ldt] = ARGS(OUT_N(1, 1, 2)),
	[SYS_set_thread_area] = ARGS(OUT(0, 16)),
	[SYS_get_thread_area] = ARGS(OUT(0, 16)),
	[SYS_init_module] = ARGS(IN_N(0, 1, 1), TEXT(2)),
	[SYS_finit_module] = ARGS(TEXT(1)),
	[SYS_delete_module] = ARGS(TEXT(0)),
	[SYS_kexec_load] = ARGS(IN_N(2, 32, 1)),
	[SYS_kexec_file_load] = ARGS(IN_N(3, 1, 2)),
	[SYS_bpf] = OWN(bpf),
	[NR_uretprobe] = NONE,
	[NR_uprobe] = NONE,
	[SYS_perf_event_open] = ARGS(OUT(0, GUESS)),
	[SYS_lookup_dcookie] = ARGS(OUT_N(1, 1, 2)),

	/* System V and POSIX messages, semaphores, shared memory. */
	[SYS_shmget] = NONE,
	[SYS_shmctl] = ARGS(OUT(2, GUESS)),
	[SYS_semget] = NONE,
	[SYS_semop] = ARGS(IN_N(1, 6, 2)),
	[SYS_semtimedop] = ARGS(IN_N(1, 6, 2), IN(3, TIMESPEC)),
	[SYS_semctl] = OWN(semctl),
	[SYS_msgget] = NONE,
	[SYS_msgsnd] = OWN(queue),
	[SYS_msgrcv] = OWN(queue),
	[SYS_msgctl] = ARGS(OUT(2, GUESS)),
	[SYS_mq_open] = ARGS(TEXT(0), IN(3, 64)),
	[SYS_mq_unlink] = ARGS(TEXT(0)),
	[SYS_mq_timedsend] = ARGS(IN_N(1, 1, 2), IN(4, TIMESPEC)),
	[SYS_mq_timedreceive] =
	    ARGS(OUT_N(1, 1, 2), OUT(3, 4), IN(4, TIMESPEC)),
	[SYS_mq_notify] = ARGS(IN(1, 64)),
	[SYS_mq_getsetattr] = ARGS(IN(1, 64), OUT(2, 64)),

	/* Keys, security modules. */
	[SYS_add_key] = ARGS(TEXT(0), TEXT(1), IN_N(2, 1, 3)),
	[SYS_request_key] = ARGS(TEXT(0), TEXT(1), TEXT(2)),
	[SYS_keyctl] = OWN(keyctl),
	[SYS_landlock_create_ruleset] = ARGS(IN_N(0, 1, 1)),
	[SYS_landlock_add_rule] = ARGS(IN(2, 64)),
	[SYS_landlock_restrict_self] = NONE,
	[NR_lsm_get_self_attr] = ARGS(OUT(1, PAGE), OUT(2, 4)),
	[NR_lsm_set_self_attr] = ARGS(IN_N(1, 1, 2)),
	[NR_lsm_list_modules] = ARGS(OUT(0, GUESS), OUT(1, 4)),

	/* Asynchronous transfers. */
	[SYS_io_setup] = OWN(aio_setup),
	[SYS_io_destroy] = OWN(aio_destroy),
	[SYS_io_getevents] = OWN(aio_events),
	[SYS_io_pgetevents] = OWN(aio_events),
	[SYS_io_submit] = OWN(aio_submit),
	[SYS_io_cancel] = ARGS(IN(1, 64), OUT(2, 32)),
	[SYS_io_uring_setup] = OWN(uring_setup),
	[SYS_io_uring_enter] = OWN(uring_enter),
	[SYS_io_uring_register] = OWN(uring_register),

	/* Never implemented, or no more. */
	[SYS_uselib] = NONE,
	[SYS__sysctl] = NONE,
	[SYS_create_module] = NONE,
	[SYS_get_kernel_syms] = NONE,
	[SYS_query_module] = NONE,
	[SYS_nfsservctl] = NONE,
	[SYS_getpmsg] = NONE,
	[SYS_putpmsg] = NONE,
	[SYS_afs_syscall] = NONE,
	[SYS_tuxcall] = NONE,
	[SYS_security] = NONE,
	[SYS_vserver] = NONE,
};

/*
 * What the plans do: made into docs/SYSCALLS.md by tools/syscalls.sh, which
 * wants a line for each: memory | what else. Lines that go on are indented.
 *
 * aio_destroy: - | what its requests name is let go
 * aio_events: the events, timeout | a mask goes as a copy that blocks none
 *   of Quire's signals
 * aio_setup: the id | the context is looked after
 * aio_submit: the list and its blocks | what they name stays in until it is
 *   answered
 * bpf: the structure, code, licence, log and type data; words of it that may
 *   be addresses
 * clone: thread ids pinned; the child's cleared id and TLS stay in for its
 *   life | made by Quire: who is born passes the gate before its first line, a
 *   copy is paid for
 * clone3: as clone, and set_tid, pidfd | as clone
 * close: - | Quire's own descriptors are not open
 * close_range: - | goes round Quire's own descriptors
 * dup: - | Quire's own descriptors are not open
 * dup2: - | a number that Quire's own has is made free by moving that
 * epoll_pwait: events, timeout | the mask goes as a copy that blocks none of
 *   Quire's signals
 * execve: path, arguments and environment copied to Quire's memory | the
 *   next program gets the environment that manages it, if it can be
 * execveat: as execve | as execve
 * exit: the robust list and its words | the last thread's is exit_group
 * exit_group: - | the summary is written, credits go back
 * fcntl: 32 bytes, for operations with a pointer | Quire's own descriptors
 *   are not open
 * fork: - | as clone
 * futex: the words by operation, written ones with a handler thread too;
 *   timeout
 * futex_requeue: both waiters and their words
 * futex_waitv: the waiters, their words, timeout
 * getsockopt: value, by its length; length; words of it that may be addresses
 * ioctl: as many bytes as the number says, 256 at least; known structures by
 *   number, of others words that may be addresses | UFFDIO_REGISTER and MOVE
 *   make their range unmanaged
 * keep_robust: - | the head stays in for the thread's life
 * keep_rseq: - | the area stays in for the thread's life
 * keep_tid: - | the word stays in for the thread's life
 * keyctl: the payload by its length, else a page an argument
 * look: the buffer | without the helper thread if the file tells of threads
 * mapping: - | carried out by the pager; memory that is managed follows
 * message: name, control data, vectors and buffers; on streams in pieces if
 *   they are too much
 * messages: as message, as many messages as can be pinned
 * open: the path, open_how | files of the process's own threads and memory
 *   are marked
 * ppoll: descriptors, timeout | the mask goes as a copy that blocks none of
 *   Quire's signals
 * prctl: 256 bytes; names as text | a filter takes Quire away first; asking
 *   for dispatch is EINVAL
 * process_madvise: the ranges | on oneself made as madvise, range by range
 * process_vm: the local vectors and buffers; the far ones too on oneself,
 *   with a handler thread too
 * pselect: the sets, timeout | the mask goes as a copy that blocks none of
 *   Quire's signals
 * ptrace: a page; register sets by their vector
 * queue: type and text
 * random: the buffer, in pieces if it is too much
 * seccomp: the program, 64 bytes else | a filter takes Quire away first, if
 *   the process has one thread
 * select: the sets, timeout
 * semctl: as many values as the set has, a structure else
 * setsockopt: the value; words of it that may be addresses
 * sigaction: copied | virtual: dispositions are kept here, the kernel's
 *   follow
 * sigaltstack: copied | virtual
 * sigpending: copied | Quire's signals that wait are added
 * sigprocmask: copied | virtual: Quire's signals are never really blocked
 * sigreturn: the frame copied | enters the frame's context
 * sigsuspend: the mask copied | as a copy that blocks none of Quire's
 *   signals
 * sigtimedwait: set, information, timeout | Quire's signals that wait are
 *   taken here
 * stat: the path, the structure | without the helper thread if the file
 *   tells of threads
 * timer_create: the event, the id
 * transfer: the buffer, whole or in pieces with the same total; direct
 *   transfers and one's own /proc/self/mem with a handler thread too
 * transfer_vectors: all vectors, whole or in pieces with the same total
 * unshare: - | made without the helper thread, which would be one too many
 * unsupported: - | ENOSYS, as on a kernel without it
 * uring_enter: the wait's argument | what the entries name stays in until
 *   they are answered; a mask goes as a copy; advice on memory is made by the
 *   pager
 * uring_register: the argument | registered buffers stay in; what names
 *   memory without a call is EINVAL
 * uring_setup: copied | mapped by Quire too; a kernel thread that submits is
 *   EPERM
 * vfork: - | the child has a record of its own and borrows all else
 * vmsplice: vectors and buffers
 * xattrat: path, name, the structure and the value that it names
 */

#define TABLE_ROWS ((long)(sizeof(table) / sizeof(table[0])))

static size_t
most(long wanted, uint16_t limit)
{
	return (unsigned long)wanted < limit ? (size_t)wanted : limit;
}

static void
pointer_pin(struct qr_thread *thread, const struct gate_call *call,
    const struct table_pointer *pointer)
{
	uintptr_t at = (uintptr_t)call->args[pointer->argument];
	unsigned access =
	    pointer->how == HOW_OUT ? QR_ACCESS_WRITE : QR_ACCESS_READ;
	if (pointer->how == HOW_TEXT)
		pin_text(thread, at, pointer->bytes);
	else if (pointer->by == BY_NONE)
		pin(thread, at, pointer->bytes, access);
	else if (pointer->how == HOW_MOST)
		pin(thread, at, most(call->args[pointer->by], pointer->bytes),
		    QR_ACCESS_WRITE);
	else
		pin_counted(thread, (long)at, call->args[pointer->by],
		    pointer->bytes, access);
}

static void
unknown_pin(struct qr_thread *thread, const struct gate_call *call)
{
	atomic_fetch_add_explicit(&gate.unknown, 1,
	    memory_order_relaxed); /* a statistic */
	for (unsigned i = 0; i < 6; i++)
		pin(thread, (uintptr_t)call->args[i], PAGE, QR_ACCESS_WRITE);
}

bool
plan_is_repeatable(uint32_t number)
{
	static const gate_plan repeatable[] = { plan_transfer,
		plan_transfer_vectors, plan_message, plan_messages, plan_look,
		plan_open, plan_stat, plan_close, plan_fcntl, plan_ioctl,
		plan_futex, plan_getsockopt, plan_setsockopt, plan_select,
		plan_epoll_pwait, plan_ppoll, plan_dup, plan_random };
	if (number >= TABLE_ROWS || !table[number].known)
		return false;
	const struct table_row *row = &table[number];
	for (size_t i = 0; i < sizeof(repeatable) / sizeof(repeatable[0]);
	     i++) {
		if (row->plan == repeatable[i])
			return true;
	}
	return row->plan == NULL;
}

enum gate_verdict
plan_call(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	if (call->number < 0 || call->number >= TABLE_ROWS ||
	    !table[call->number].known) {
		unknown_pin(thread, call);
		return GATE_ISSUE;
	}
	if (gate.config.carried && image_takes(thread, context, call))
		return GATE_DONE;
	const struct table_row *row = &table[call->number];
	if (row->plan != NULL)
		return row->plan(thread, context, call);
	if (!gate.config.pins)
		return GATE_ISSUE;
	for (unsigned i = 0; i < TABLE_POINTERS; i++) {
		if (row->pointer[i].how != HOW_NONE)
			pointer_pin(thread, call, &row->pointer[i]);
	}
	return GATE_ISSUE;
}
