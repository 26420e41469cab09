/* SPDX-License-Identifier: MIT */
/*
 * gate/gate_impl.h: what the gate's files share.
 */
#ifndef QR_GATE_IMPL_H
#define QR_GATE_IMPL_H

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>

#include "../futex_lock.h"
#include "../pager.h"
#include "../sys.h"
#include "../thread.h"
#include "gate.h"

/* --- the kernel's view of a signal frame --- */

enum gate_register {
	GATE_R8,
	GATE_R9,
	GATE_R10,
	GATE_R11,
	GATE_R12,
	GATE_R13,
	GATE_R14,
	GATE_R15,
	GATE_RDI,
	GATE_RSI,
	GATE_RBP,
	GATE_RBX,
	GATE_RDX,
	GATE_RAX,
	GATE_RCX,
	GATE_RSP,
	GATE_RIP,
	GATE_FLAGS,
	GATE_SEGMENTS,
	GATE_ERROR,
	GATE_TRAP,
	GATE_OLD_MASK,
	GATE_CR2,
	GATE_REGISTERS,
};

/* Less than libc's ucontext_t, of which only this much exists. */
struct gate_context {
	uint64_t flags;
	uint64_t link;
	stack_t stack;
	uint64_t reg[GATE_REGISTERS]; /* by enum gate_register */
	uintptr_t xsave;              /* 0: initial state */
	uint64_t reserved[8];
	uint64_t mask;
};

/* As it lies on a stack, the xsave area somewhere above it. */
struct gate_frame {
	uintptr_t return_address;
	struct gate_context context;
	siginfo_t info;
};

_Static_assert(sizeof(struct gate_context) == 304, "not the kernel's layout");
_Static_assert(sizeof(struct gate_frame) == 440, "not the kernel's layout");

/* --- signals --- */

#define GATE_SIGNALS 64

/* Signal numbers as bits of a mask. */
#define GATE_BIT(signal) ((uint64_t)1 << ((signal)-1))

/* Held: Quire's own, never really blocked, ignored or reset. */
#define GATE_HELD (GATE_BIT(SIGBUS) | GATE_BIT(SIGSYS) | GATE_BIT(SIGSEGV))

/* What no mask can block. */
#define GATE_UNBLOCKABLE (GATE_BIT(SIGKILL) | GATE_BIT(SIGSTOP))

/* struct sigaction as the kernel has it. */
struct gate_action {
	uintptr_t handler; /* SIG_DFL 0, SIG_IGN 1 */
	uint64_t flags;
	uintptr_t restorer;
	uint64_t mask;
};

/* Dispositions as the program set them; shared by the threads. */
struct gate_sighand {
	struct futex_lock lock;
	_Atomic(uint32_t) users;                 /* threads */
	struct gate_action action[GATE_SIGNALS]; /* (lock) */
};

/* --- calls --- */

struct gate_call {
	long number;
	long args[6];
};

/* What is to become of a call. */
enum gate_verdict {
	GATE_DONE,  /* its result is in rax */
	GATE_ISSUE, /* make it, with the registers as they are */
	GATE_WATCH, /* make it with thread->gate->issue, then call finish */
	GATE_AGAIN, /* (from finish) it was not made: the program is to make
		       it anew when the signal's handler has run */
};

/* How the watched call came to an end. */
enum gate_end {
	GATE_RETURNED,    /* the result is in rax */
	GATE_INTERRUPTED, /* likewise, and a handler is to run now */
	GATE_PREVENTED,   /* a handler is to run before it */
};

struct qr_gate_thread;

/* Ends a watched call; GATE_WATCH only after GATE_RETURNED. */
typedef enum gate_verdict (*gate_finish)(struct qr_thread *thread,
    struct gate_context *context, enum gate_end end);

/* context NULL: the call comes by patch.c's way, where anything but GATE_ISSUE
 * has it planned anew from a trap; so nothing may have been done by then. */
typedef enum gate_verdict (*gate_plan)(struct qr_thread *thread,
    struct gate_context *context, const struct gate_call *call);

/* A transfer served in pieces; see transfer.c. */
#define GATE_PIECE_VECTORS 8u

struct gate_vector {
	uintptr_t base;
	size_t size_bytes;
};

/* struct msghdr as the kernel has it. */
struct gate_message {
	uintptr_t name;
	uint64_t name_size; /* the lower half */
	uintptr_t vectors;
	uint64_t vector_count;
	uintptr_t control;
	uint64_t control_size;
	uint64_t flags; /* the lower half */
};

struct gate_transfer {
	uintptr_t vectors; /* the program's array, 0: one buffer */
	size_t vector_count;
	uintptr_t message_at; /* the program's, 0: it is no message */
	size_t vector_next;   /* first that is not transferred whole */
	size_t offset;        /* in it, bytes transferred */
	size_t total;         /* bytes transferred in all */
	size_t piece;         /* bytes asked for in this piece */
	bool once;            /* a piece is enough */
	struct gate_vector piece_vector[GATE_PIECE_VECTORS];
	struct gate_message message; /* of this piece */
};

struct async_request;

/* What a wait of io_uring is given. */
struct gate_uring_argument {
	uint64_t mask;
	uint32_t mask_size;
	uint32_t wait_min;
	uint64_t time;
};

struct gate_mask_argument {
	uintptr_t mask;
	uint64_t size_bytes;
};

/* The gate's part of a thread's record. (o) unless said otherwise */
struct qr_gate_thread {
	struct gate_sighand *sighand;

	/* The virtual side of the thread's signals. */
	uint64_t held_mask;    /* of GATE_HELD, what the program blocks */
	uint64_t held_pending; /* of GATE_HELD, what waits for that */
	siginfo_t held_info[3];
	stack_t stack; /* the program's alternate stack */

	/* The watched call, from plan to finish. */
	gate_finish finish;     /* NULL: none */
	struct gate_call call;  /* as the program made it */
	uintptr_t call_return;  /* behind its system call instruction */
	struct gate_call issue; /* as it is made */
	bool call_mask_set;     /* it has a temporary mask: */
	uint64_t call_mask;     /* all of it */
	uint64_t kernel_mask;   /* what the kernel gets */
	struct gate_mask_argument mask_argument;
	struct gate_transfer transfer;
	struct async_request *batch; /* async.c: what the call submits */
	struct gate_uring_argument uring_argument;

	/* On the Quire stack, under the program's mask, in no call or fault
	 * of the program's: at the start, and in an exec. */
	bool bare;

	/* patch.c */
	bool patch_allowed;    /* patch_words may be set: the TLS is its own */
	uintptr_t patch_words; /* where this record is written; 0: nowhere */
	siginfo_t put_off;     /* a signal that waits; si_signo 0: none */
	uint64_t put_off_mask; /* the mask that it found */

	/* exec.c: memory to give back when the exec fails, or the guest that
	 * made it is gone. 0: none */
	uintptr_t exec_image;
	size_t exec_size; /* bytes */
	int exec_program; /* descriptor + 1 of one that is to be carried */

	/* Birth and death. */
	uintptr_t birth;     /* context that the new thread starts with */
	bool clear_handlers; /* born with CLONE_CLEAR_SIGHAND */
	bool parent_frees;   /* (c) who made it waits for its end */
	uintptr_t robust;    /* head of its robust list */
	_Atomic(bool) ended; /* the record is free when the tid is */
};

_Static_assert(sizeof(struct qr_gate_thread) <= QR_GATE_THREAD_SIZE,
    "enlarge QR_GATE_THREAD_SIZE");

/* sys.S */
_Noreturn void qr_sys_return(const struct gate_context *context);
extern unsigned char qr_sys_restorer[];

/* user.c: the program's memory, which may be missing or not be at all. */
QR_MUST_CHECK int user_copy(void *to, const void *from, size_t size_bytes);
QR_MUST_CHECK int user_read(void *to, uintptr_t from, size_t size_bytes);
QR_MUST_CHECK int user_write(uintptr_t to, const void *from, size_t size_bytes);
long user_string_size(uintptr_t text, size_t size_max);
bool user_fixup(struct gate_context *context);

/* stub.c: where in the program calls come from. */
uintptr_t stub_for(uintptr_t return_address);
bool stub_settle(uintptr_t *rip);

/* patch.c: calls without a trap. */
void patch_install(void);
void patch_allow(struct qr_thread *thread, bool own_tls);
/* A trap that patching should have spared: from now on it will. */
void patch_remember(struct qr_thread *thread, uintptr_t call_return);
/* The thread's TLS will be used by somebody else, or by nobody. */
void patch_forget(struct qr_thread *thread, bool for_good);
/* As stub_settle. */
bool patch_settle(struct qr_thread *thread, struct gate_context *context);
/* The record was looked for where no memory is. */
bool patch_fixup(struct qr_thread *thread, struct gate_context *context);
/* A signal has to wait for the end of the way; info NULL: it is kept already.
 * patch_take: there it is, if any. */
void patch_put_off(struct qr_thread *thread, struct gate_context *context,
    const siginfo_t *info);
bool patch_take(struct qr_thread *thread, struct gate_context *context,
    siginfo_t *info);

/* leave.c: the end of a served fault. */
void leave_init(void);
/* Enters the context. Comes back if it has to be by rt_sigreturn. */
void leave_fault(struct qr_thread *thread, struct gate_context *context);
/* If context is on the way that leave_fault goes, makes it the one that is
 * entered there. */
bool leave_settle(const struct qr_thread *thread, struct gate_context *context);

/* dispatch.c */
void gate_result(struct gate_context *context, long result);
void dispatch_call(struct qr_thread *thread, struct gate_context *context);
/* If context is in a stub, moves it to the place in the program that the
 * stub serves, so that a handler may be entered; a watched call is ended.
 * mask: set if the call has one of its own that still holds. */
bool dispatch_settle(struct qr_thread *thread, struct gate_context *context,
    uint64_t *mask);
/* Has a call made again that ended early for a signal of no effect. */
void dispatch_restart(struct qr_thread *thread, struct gate_context *context);
/* For GATE_WATCH: how the call is to be made and what ends it. */
void watch(struct qr_thread *thread, const struct gate_call *call,
    gate_finish finish);
enum gate_verdict finish_plainly(struct qr_thread *thread,
    struct gate_context *context, enum gate_end end);

/* table.c: how to make every call. */
enum gate_verdict plan_call(struct qr_thread *thread,
    struct gate_context *context, const struct gate_call *call);

/* Whether planning such a call does nothing that can't be done again. */
bool plan_is_repeatable(uint32_t number);

/* signal.c */
void signal_arrive(int signal, siginfo_t *info, void *frame_context);
enum gate_verdict signal_return(struct qr_thread *thread,
    struct gate_context *context);
size_t xsave_size(const struct gate_context *context);

/* action.c */
QR_MUST_CHECK int action_init(void);
void action_arm(struct qr_thread *thread);
/* The kernel, too, ignores the held signals that the program ignores: a new
 * image inherits it. */
void action_ignore_held(struct qr_thread *thread, bool ignore);
/* Around a fork, so that the child finds the table whole. */
void action_fork_prepare(struct qr_thread *thread);
void action_fork_done(struct qr_thread *thread);
/* What CLONE_CLEAR_SIGHAND does: no handler of the program's is left. */
void action_clear(struct qr_thread *thread);
struct gate_sighand *sighand_share(struct gate_sighand *sighand);
/* NULL: no memory. */
struct gate_sighand *sighand_copy(struct gate_sighand *sighand);
void sighand_put(struct gate_sighand *sighand);

/* What the program set is the kernel's from now on. */
void action_retreat(struct qr_thread *thread);

/* gate.c: the gate takes itself away: context goes on as if it had never been
 * there. The process has one thread. */
void gate_retreat(struct qr_thread *thread, struct gate_context *context);

/* process.c, exec.c */
QR_MUST_CHECK int process_arm(struct qr_thread *thread);
void exec_image_free(struct qr_thread *thread);

extern struct gate {
	struct gate_config config;   /* (c) */
	struct gate_sighand sighand; /* the process's first */
	_Atomic(uint32_t) live_threads;
	_Atomic(uint32_t) loose_guests; /* ever: guests beside whom their
					   parent runs on */
	_Atomic(uint64_t) calls;        /* (a) the four of struct gate_stat */
	_Atomic(uint64_t) signals;
	_Atomic(uint64_t) unknown;
	_Atomic(uint64_t) unpinned;
} gate;

#endif
