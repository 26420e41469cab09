/* SPDX-License-Identifier: MIT */
/*
 * sys.S: the code that Syscall User Dispatch lets through, and nothing else
 * between qr_pass_start and qr_pass_end: Quire's own system calls, the end
 * of a signal handler, the stubs through which the program's calls are made.
 * Behind it, outside: what must not be let through, and copies that survive
 * a bad address.
 */
#include "sys_config.h"

	.macro	function name
	.globl	\name
	.hidden	\name
	.type	\name, @function
\name:
	.cfi_startproc
	.endm

	.macro	finish name
	.cfi_endproc
	.size	\name, . - \name
	.endm

	.macro	label name
	.globl	\name
	.hidden	\name
\name:
	.endm

	.section .text.qr_pass, "ax", @progbits
	.balign	4096
	label	qr_pass_start

/* long qr_sys6(long number, long a, long b, long c, long d, long e, long f) */
	function qr_sys6
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	movq	%r9, %r8
	movq	8(%rsp), %r9
	syscall
	ret
	finish	qr_sys6

/*
 * long qr_sys_clone(long number, const long args[5], void (*child)(void *),
 *     void *arg)
 * The child must have a stack of its own; child() must not return.
 */
	function qr_sys_clone
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbx, 0
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbp, 0
	movq	%rdx, %rbx
	movq	%rcx, %rbp
	movq	%rdi, %rax
	movq	%rsi, %r9
	movq	(%r9), %rdi
	movq	8(%r9), %rsi
	movq	16(%r9), %rdx
	movq	24(%r9), %r10
	movq	32(%r9), %r8
	syscall
	testq	%rax, %rax
	jz	1f
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	ret
1:	.cfi_undefined rip
	movq	%rbp, %rdi
	xorl	%ebp, %ebp
	call	*%rbx
	ud2
	finish	qr_sys_clone

/* void qr_sys_return(void *context): enters a kernel signal context. */
	function qr_sys_return
	movq	%rdi, %rsp
	movq	$15, %rax	/* rt_sigreturn, in the form debuggers know */
	syscall
	ud2
	finish	qr_sys_return

/* Where the kernel's frames of Quire's handlers return to. */
	function qr_sys_restorer
	.cfi_signal_frame
	movq	$15, %rax
	syscall
	ud2
	finish	qr_sys_restorer

/* A call that the gate wants to see the end of: the second system call is
 * outside the range, so it traps. */
	.balign	16
	label	qr_stub_watched
	syscall
	label	qr_stub_watched_after
	jmp	qr_stub_watched_trap

/* Stub n makes the call of the site that returns to qr_stub_returns[n]. */
	.balign	16
	label	qr_stub_first
	.set	index, 0
	.rept	QR_STUB_COUNT
	syscall
	jmp	*qr_stub_returns + index * 8(%rip)
	.set	index, index + 1
	.endr
	label	qr_stub_end
	ud2
	.balign	4096
	label	qr_pass_end

	.text
	label	qr_stub_watched_trap
	syscall
	label	qr_stub_watched_done
	ud2

/* int qr_copy_try(void *to, const void *from, size_t size_bytes) */
	function qr_copy_try
	movq	%rdx, %rcx
	label	qr_copy_may_fault
	rep movsb
	xorl	%eax, %eax
	ret
	label	qr_copy_faulted
	movl	$-14, %eax	/* -EFAULT */
	ret
	finish	qr_copy_try

/* long qr_string_try(const char *text, size_t size_max): bytes with the
 * final 0, size_max if there is none, -EFAULT. */
	function qr_string_try
	xorl	%eax, %eax
	movq	%rsi, %rcx
	testq	%rcx, %rcx
	jz	1f
	label	qr_string_may_fault
	repne scasb
1:	movq	%rsi, %rax
	subq	%rcx, %rax
	ret
	label	qr_string_faulted
	movq	$-14, %rax
	ret
	finish	qr_string_try

/*
 * void qr_leave(struct qr_thread *thread, const struct gate_context *context)
 * Enters the context; comes back if a signal waits. See gate/leave.c.
 */
	.macro	enter_load register, index
	movq	(QR_CONTEXT_REG_AT + \index * 8)(%rdi), %\register
	.endm
	.macro	enter_push index
	pushq	(QR_CONTEXT_REG_AT + \index * 8)(%rsi)
	.endm

	function qr_leave
	movq	%rsi, QR_THREAD_LEAVING_AT(%rdi)
	movq	QR_CONTEXT_XSAVE_AT(%rsi), %rcx
	movl	$-1, %eax
	movl	$-1, %edx
	xrstor64 (%rcx)
	movzwl	(QR_CONTEXT_REG_AT + 18 * 8)(%rsi), %eax /* cs */
	movzwl	(QR_CONTEXT_REG_AT + 18 * 8 + 6)(%rsi), %edx /* ss */
	label	qr_leave_check
	testl	$QR_PATCH_PUT_OFF, QR_THREAD_PATCH_AT(%rdi)
	jnz	1f
	.cfi_remember_state
	.cfi_undefined rip
	pushq	%rdx
	enter_push 15	/* rsp */
	enter_push 17	/* flags */
	pushq	%rax
	enter_push 16	/* rip */
	movq	%rsi, %rdi
	enter_load r8, 0
	enter_load r9, 1
	enter_load r10, 2
	enter_load r11, 3
	enter_load r12, 4
	enter_load r13, 5
	enter_load r14, 6
	enter_load r15, 7
	enter_load rsi, 9
	enter_load rbp, 10
	enter_load rbx, 11
	enter_load rdx, 12
	enter_load rax, 13
	enter_load rcx, 14
	enter_load rdi, 8
	iretq
	label	qr_leave_end
	.cfi_restore_state
1:	ret
	finish	qr_leave

/* void qr_thread_call_on_stack(struct qr_thread *thread,
 *     void (*call)(void *), void *arg) */
	function qr_thread_call_on_stack
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbp, 0
	movq	%rsp, %rbp
	.cfi_def_cfa_register rbp
	leaq	QR_THREAD_SIZE_BYTES(%rdi), %rsp
	movq	%rdx, %rdi
	call	*%rsi
	leave
	.cfi_def_cfa rsp, 8
	ret
	finish	qr_thread_call_on_stack

	.bss
	.balign	64
	label	qr_stub_returns
	.skip	QR_STUB_COUNT * 8

	.section .note.GNU-stack, "", @progbits
