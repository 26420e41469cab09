/* SPDX-License-Identifier: MIT */
/*
 * gate/patch_entry.S: from a patched site to the plan and on to its stub, on
 * the thread's Quire stack. What a signal finds, and where it sends such a
 * thread, stands in patch.c; the labels are its.
 */
#include "../sys_config.h"

	.macro	label name
	.globl	\name
	.hidden	\name
\name:
	.endm

/* struct patch_frame */
	.set	FRAME_SIZE, 336
	.set	FRAME_AT, QR_THREAD_SIZE_BYTES - 64 - FRAME_SIZE
	.set	SITE_SHIFT, 5	/* of sizeof(struct patch_site) */

	.macro	vectors move
	.set	index, 0
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	\move	\n, (80+\n*16)
	.endr
	.endm

	.macro	vector_save n, at
	movaps	%xmm\n, \at(%rsp)
	.endm

	.macro	vector_load n, at
	movaps	\at(%rsp), %xmm\n
	.endm

	.text
	.balign	16
	label	qr_patch_first
	.set	index, 0
	.rept	QR_PATCH_COUNT
	.balign	16
	movl	$index, %eax
	jmp	qr_patch_enter
	.set	index, index + 1
	.endr

/* eax: the site's index; rcx and r11 are free, as a system call leaves them. */
	.balign	16
	label	qr_patch_enter
	movq	qr_patch_words@gottpoff(%rip), %r11
	label	qr_patch_load
	movq	%fs:(%r11), %rcx
	movq	%fs:8(%r11), %r11
	label	qr_patch_loaded
	notq	%r11
	cmpq	%rcx, %r11
	jne	qr_patch_refuse
	orl	$QR_PATCH_INSIDE, QR_THREAD_PATCH_AT(%rcx)
	movq	%rsp, %r11
	leaq	FRAME_AT(%rcx), %rsp
	/* From here on a handler of the program has to wait. */
	movq	%rax, (%rsp)
	movq	%rdi, 8(%rsp)
	movq	%rsi, 16(%rsp)
	movq	%rdx, 24(%rsp)
	movq	%r10, 32(%rsp)
	movq	%r8, 40(%rsp)
	movq	%r9, 48(%rsp)
	movq	%r11, 56(%rsp)
	vectors	vector_save
	movq	%rcx, %rdi
	movq	%rsp, %rsi
	call	patch_plan
	vectors	vector_load
	movq	8(%rsp), %rdi
	movq	16(%rsp), %rsi
	movq	24(%rsp), %rdx
	movq	32(%rsp), %r10
	movq	40(%rsp), %r8
	movq	48(%rsp), %r9
	/* Whoever waits from here on finds us sent back to here. */
	label	qr_patch_check
	leaq	-FRAME_AT(%rsp), %rcx
	movq	72(%rsp), %r11
	testl	$QR_PATCH_PUT_OFF, QR_THREAD_PATCH_AT(%rcx)
	jz	1f
	movq	(%rsp), %r11
	shlq	$SITE_SHIFT, %r11
	leaq	qr_patch_sites(%rip), %rax
	movq	(%rax, %r11), %r11
1:	movq	64(%rsp), %rax
	movq	56(%rsp), %rsp
	label	qr_patch_outside
	andl	$~QR_PATCH_INSIDE, QR_THREAD_PATCH_AT(%rcx)
	jmp	*%r11

/* No record to be had this way: the site's own system call traps. */
	label	qr_patch_refuse
	movl	%eax, %ecx
	shlq	$SITE_SHIFT, %rcx
	leaq	qr_patch_sites(%rip), %r11
	addq	%r11, %rcx
	movq	(%rcx), %r11
	movl	16(%rcx), %eax
	label	qr_patch_refused
	jmp	*%r11
	label	qr_patch_end

/* long qr_patch_offset(void): of qr_patch_words from the thread pointer. */
	.globl	qr_patch_offset
	.hidden	qr_patch_offset
	.type	qr_patch_offset, @function
qr_patch_offset:
	.cfi_startproc
	movq	qr_patch_words@gottpoff(%rip), %rax
	ret
	.cfi_endproc
	.size	qr_patch_offset, . - qr_patch_offset

/* The thread's record and its complement, in each thread of libc's. */
	.section .tbss, "awT", @nobits
	.balign	16
	.globl	qr_patch_words
	.hidden	qr_patch_words
	.type	qr_patch_words, @object
	.size	qr_patch_words, 16
qr_patch_words:
	.skip	16

	.section .note.GNU-stack, "", @progbits
