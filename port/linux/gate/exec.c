/* SPDX-License-Identifier: MIT */
/*
 * gate/exec.c: becoming another program.
 *
 * Names, arguments and environment are copied to memory of Quire's own, the
 * *image*: there may be more of them than there are pins, and the environment
 * gets back what was hidden from this program, so that the next one is
 * managed too. A target that can't be just finds two more variables, and one
 * that they would disturb does not.
 *
 * The new image inherits mask and ignored signals, so for the length of the
 * call the kernel's are made what the program believes them to be. If a held
 * signal is blocked then the call is made in the handler, else watched: a
 * thread that blocks SIGSYS can't trap.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "../config.h"
#include "plan.h"

/* The kernel's limits; what is longer is cut one byte beyond, and refused by
 * the kernel. */
#define STRING_SIZE_MAX ((size_t)128 << 10)
#define IMAGE_SIZE_MAX  ((size_t)8 << 20)
#define PATH_SIZE_MAX   ((size_t)4096)
#define POINTERS_MAX    (IMAGE_SIZE_MAX / sizeof(uintptr_t))

#define PRELOAD "LD_PRELOAD="

/* Of QR_LINUX_IMAGE_VARIABLE with its value, bytes. */
#define VARIABLE_SIZE_MAX (PATH_SIZE_MAX + 64)

/* Memory being filled: pointers from below, strings behind them. */
struct image {
	uintptr_t base;
	size_t size_bytes;
	uintptr_t *pointer; /* next free */
	char *text;         /* next free */
	char *text_end;
};

/* What an exec names, as the program has it. */
struct request {
	long directory; /* that the path starts at */
	long flags;     /* AT_* */
	uintptr_t path;
	uintptr_t argv;
	uintptr_t envp;
	size_t argc;
	size_t envc;
	size_t text_bytes;
	enum pager_exec way;
	const char *name; /* the path again, in the image */
	int image;        /* the program, if it is to be carried */
};

/* --- sizes --- */

/* Adds up a list of strings. 0, -EFAULT or -E2BIG. */
static int
list_measure(uintptr_t list, size_t *count, size_t *text_bytes)
{
	*count = 0;
	if (list == 0)
		return 0;
	for (;;) {
		uintptr_t text;
		if (*count == POINTERS_MAX || *text_bytes > IMAGE_SIZE_MAX)
			return -E2BIG;
		if (user_read(&text, list + *count * sizeof(text),
			sizeof(text)) != 0)
			return -EFAULT;
		if (text == 0)
			return 0;
		long size = user_string_size(text, STRING_SIZE_MAX + 1);
		if (size < 0)
			return -EFAULT;
		*text_bytes += (size_t)size + 1;
		(*count)++;
	}
}

static int
request_measure(struct request *request)
{
	/* The path, and a preload of the program's that is written twice. */
	size_t text_bytes = 2 * PATH_SIZE_MAX + 4;
	const char *const *hidden = pager_environment();
	size_t hidden_count = 0;
	int error = list_measure(request->argv, &request->argc, &text_bytes);
	if (error == 0)
		error =
		    list_measure(request->envp, &request->envc, &text_bytes);
	if (error != 0)
		return error;
	for (; hidden != NULL && hidden[hidden_count] != NULL; hidden_count++)
		text_bytes += strlen(hidden[hidden_count]) + 2;
	/* And the carrier's own. */
	request->envc += hidden_count + 1;
	request->text_bytes = text_bytes + VARIABLE_SIZE_MAX;
	return 0;
}

/* --- filling --- */

static int
image_map(struct image *image, const struct request *request)
{
	size_t pointers = request->argc + request->envc + 2;
	size_t size = pointers * sizeof(uintptr_t) + request->text_bytes;
	size = (size + QR_PAGE_SIZE - 1) & ~(QR_PAGE_SIZE - 1);
	long at = qr_sys6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (qr_sys_failed(at))
		return -ENOMEM;
	image->base = (uintptr_t)at;
	image->size_bytes = size;
	image->pointer = (uintptr_t *)at;
	image->text = (char *)at + pointers * sizeof(uintptr_t);
	image->text_end = (char *)at + size;
	return 0;
}

/* Copies a string of the program's. The list may have changed since it was
 * measured: then -E2BIG. */
static int
image_text(struct image *image, uintptr_t text, size_t size_max)
{
	size_t room = (size_t)(image->text_end - image->text);
	long size = user_string_size(text, size_max);
	if (size < 0)
		return -EFAULT;
	if ((size_t)size + 1 > room)
		return -E2BIG;
	if (user_read(image->text, text, (size_t)size) != 0)
		return -EFAULT;
	image->text += size;
	*image->text++ = 0; /* the second one, if it was not cut */
	return 0;
}

static int
image_list(struct image *image, uintptr_t list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uintptr_t text;
		if (user_read(&text, list + i * sizeof(text), sizeof(text)) !=
		    0)
			return -EFAULT;
		if (text == 0)
			break;
		*image->pointer++ = (uintptr_t)image->text;
		int error = image_text(image, text, STRING_SIZE_MAX + 1);
		if (error != 0)
			return error;
	}
	*image->pointer++ = 0;
	return 0;
}

/* --- what was hidden --- */

static size_t
name_size(const char *variable)
{
	size_t size = 0;
	while (variable[size] != 0 && variable[size] != '=')
		size++;
	return size + 1;
}

/* The variable of that name in the list; the list's end if there is none. */
static uintptr_t *
variable_find(uintptr_t *list, const char *variable)
{
	size_t size = name_size(variable);
	while (*list != 0 && strncmp((const char *)*list, variable, size) != 0)
		list++;
	return list;
}

static int
image_append(struct image *image, const char *text)
{
	size_t size = strlen(text);
	if (size >= (size_t)(image->text_end - image->text))
		return -E2BIG;
	memcpy(image->text, text, size + 1);
	image->text += size;
	return 0;
}

/* Puts a hidden variable into the list; a preload of the program's own comes
 * behind Quire's. */
static int
image_unhide(struct image *image, uintptr_t *list, const char *variable)
{
	uintptr_t *at = variable_find(list, variable);
	const char *old = (const char *)*at;
	char *text = image->text;
	int error = image_append(image, variable);
	if (error == 0 && old != NULL &&
	    strncmp(variable, PRELOAD, strlen(PRELOAD)) == 0 &&
	    old[strlen(PRELOAD)] != 0) {
		error = image_append(image, ":");
		if (error == 0)
			error = image_append(image, old + strlen(PRELOAD));
	}
	if (error != 0)
		return error;
	image->text++;
	if (old == NULL)
		at[1] = 0;
	*at = (uintptr_t)text;
	return 0;
}

/* The program's path, in the image. */
static int
image_path(struct image *image, struct request *request)
{
	char self[PAGER_IMAGE_SIZE];
	const char *path = image->text;
	request->name = path;
	int error = image_text(image, request->path, PATH_SIZE_MAX + 1);
	if (error == 0 && gate.config.carried && image_is_named(path) &&
	    pager_image(self)) {
		path = image->text;
		error = image_append(image, self);
		image->text++;
	}
	request->path = (uintptr_t)path;
	return error;
}

static int
image_append_number(struct image *image, long number)
{
	char text[24];
	size_t at = sizeof(text) - 1;
	text[at] = '\0';
	do {
		text[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	return image_append(image, text + at);
}

/* The program's name as the kernel tells it to the program. */
static int
image_append_name(struct image *image, const struct request *request)
{
	int error = 0;
	if (request->directory != AT_FDCWD && request->name[0] != '/') {
		error = image_append(image, "/dev/fd/");
		if (error == 0)
			error = image_append_number(image, request->directory);
		if (error == 0 && request->name[0] != '\0')
			error = image_append(image, "/");
	}
	return error == 0 ? image_append(image, request->name) : error;
}

/* Tells the carrier which descriptor the program is, and its name. */
static int
image_carry(struct image *image, uintptr_t *list, const struct request *request)
{
	const char *variable = image->text;
	int error = image_append(image, QR_LINUX_IMAGE_VARIABLE "=");
	if (error == 0)
		error = image_append_number(image, request->image);
	if (error == 0)
		error = image_append(image, ":");
	if (error == 0)
		error = image_append_name(image, request);
	if (error != 0)
		return error;
	image->text++;
	uintptr_t *at = variable_find(list, variable);
	if (*at == 0)
		at[1] = 0;
	*at = (uintptr_t)variable;
	return 0;
}

/* Its arguments and its environment, there too. */
static int
image_fill(struct image *image, struct request *request)
{
	int error = 0;
	const char *const *hidden = pager_environment();
	uintptr_t argv = (uintptr_t)image->pointer;
	if (request->way == PAGER_EXEC_BARE)
		hidden = NULL;
	if (request->argv != 0)
		error = image_list(image, request->argv, request->argc);
	if (error != 0)
		return error;
	uintptr_t *envp = image->pointer;
	*image->pointer = 0;
	if (request->envp != 0)
		error = image_list(image, request->envp, request->envc);
	for (; error == 0 && hidden != NULL && *hidden != NULL; hidden++)
		error = image_unhide(image, envp, *hidden);
	if (error == 0 && request->way == PAGER_EXEC_CARRIED)
		error = image_carry(image, envp, request);
	if (request->argv != 0)
		request->argv = argv;
	request->envp = (uintptr_t)envp;
	return error;
}

/* --- the call --- */

void
exec_image_free(struct qr_thread *thread)
{
	struct qr_gate_thread *gate_thread = thread->gate;
	if (gate_thread->exec_image != 0)
		qr_sys2(SYS_munmap, gate_thread->exec_image,
		    gate_thread->exec_size);
	gate_thread->exec_image = 0;
}

static void
exec_program_close(struct qr_thread *thread)
{
	if (thread->gate->exec_program != 0)
		qr_sys1(SYS_close, thread->gate->exec_program - 1);
	thread->gate->exec_program = 0;
}

static void
exec_undo(struct qr_thread *thread)
{
	action_ignore_held(thread, false);
	pager_exec_failed(thread);
	exec_program_close(thread);
	exec_image_free(thread);
}

static enum gate_verdict
exec_finish(struct qr_thread *thread, struct gate_context *context,
    enum gate_end end)
{
	exec_undo(thread);
	return finish_plainly(thread, context, end);
}

static long
exec_under_mask(struct qr_thread *thread, const struct gate_context *context,
    const struct gate_call *issue)
{
	uint64_t before;
	uint64_t mask = context->mask | thread->gate->held_mask;
	thread->gate->bare = true;
	qr_sys4(SYS_rt_sigprocmask, (long)SIG_SETMASK, &mask, &before,
	    sizeof(mask));
	long result = qr_sys6(issue->number, issue->args[0], issue->args[1],
	    issue->args[2], issue->args[3], issue->args[4], 0);
	qr_sys4(SYS_rt_sigprocmask, (long)SIG_SETMASK, &before, NULL,
	    sizeof(before));
	thread->gate->bare = false;
	return result;
}

static void
exec_choose(struct qr_thread *thread, struct request *request)
{
	request->way = pager_exec_way(request->directory,
	    (const char *)request->path, request->flags, &request->image);
	if (request->way == PAGER_EXEC_CARRIED)
		thread->gate->exec_program = request->image + 1;
}

/* `first` is the argument that holds the path. */
static enum gate_verdict
plan_exec(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call, unsigned first)
{
	struct gate_call issue = *call;
	struct image image;
	struct request request = { .directory = AT_FDCWD,
		.path = (uintptr_t)call->args[first],
		.argv = (uintptr_t)call->args[first + 1],
		.envp = (uintptr_t)call->args[first + 2] };
	if (first == 1) {
		request.directory = (int)call->args[0];
		request.flags = call->args[4];
	}
	int error = request_measure(&request);
	if (error == 0)
		error = image_map(&image, &request);
	if (error != 0)
		goto undo_nothing;
	thread->gate->exec_image = image.base;
	thread->gate->exec_size = image.size_bytes;
	error = image_path(&image, &request);
	if (error == 0) {
		exec_choose(thread, &request);
		error = image_fill(&image, &request);
	}
	if (error != 0)
		goto undo_image;

	issue.args[first] = (long)request.path;
	issue.args[first + 1] = (long)request.argv;
	issue.args[first + 2] = (long)request.envp;
	if (request.way == PAGER_EXEC_CARRIED) {
		issue.number = SYS_execve;
		issue.args[0] = QR_SYS_ARG(pager_carrier());
		issue.args[1] = (long)request.argv;
		issue.args[2] = (long)request.envp;
		qr_sys3(SYS_fcntl, request.image, (long)F_SETFD, 0L);
	}
	pager_exec_prepare(thread);
	action_ignore_held(thread, true);
	if (thread->gate->held_mask == 0) {
		watch(thread, &issue, exec_finish);
		return GATE_WATCH;
	}
	gate_result(context, exec_under_mask(thread, context, &issue));
	exec_undo(thread);
	return GATE_DONE;

undo_image:
	exec_program_close(thread);
	exec_image_free(thread);
undo_nothing:
	gate_result(context, error);
	return GATE_DONE;
}

enum gate_verdict
plan_execve(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	return plan_exec(thread, context, call, 0);
}

enum gate_verdict
plan_execveat(struct qr_thread *thread, struct gate_context *context,
    const struct gate_call *call)
{
	return plan_exec(thread, context, call, 1);
}
