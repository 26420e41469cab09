/* SPDX-License-Identifier: MIT */
/*
 * gate/user.c: the program's memory, touched by the gate.
 *
 * A cold page is an ordinary fault here, which the pager serves. A touch
 * that it does not answer for is the program's mistake and must become
 * -EFAULT, as it does in the kernel: the copies of sys.S have one
 * instruction each that touches the program's memory, and a fault there that
 * nobody serves is continued at the failing end of the copy.
 */
#include "gate_impl.h"

extern unsigned char qr_copy_may_fault[];
extern unsigned char qr_copy_faulted[];
extern unsigned char qr_string_may_fault[];
extern unsigned char qr_string_faulted[];

long qr_string_try(const char *text, size_t size_max);

int
user_copy(void *to, const void *from, size_t size_bytes)
{
	return qr_copy_try(to, from, size_bytes);
}

int
user_read(void *to, uintptr_t from, size_t size_bytes)
{
	return qr_copy_try(to, (const void *)from, size_bytes);
}

int
user_write(uintptr_t to, const void *from, size_t size_bytes)
{
	return qr_copy_try((void *)to, from, size_bytes);
}

long
user_string_size(uintptr_t text, size_t size_max)
{
	return qr_string_try((const char *)text, size_max);
}

bool
user_fixup(struct gate_context *context)
{
	uintptr_t rip = context->reg[GATE_RIP];
	if (rip == (uintptr_t)qr_copy_may_fault)
		context->reg[GATE_RIP] = (uintptr_t)qr_copy_faulted;
	else if (rip == (uintptr_t)qr_string_may_fault)
		context->reg[GATE_RIP] = (uintptr_t)qr_string_faulted;
	else
		return false;
	return true;
}
