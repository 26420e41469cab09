/* SPDX-License-Identifier: MIT */
/*
 * report_json.c: the summary as JSON, for --json FILE.
 *
 * One object, schema "quire.run/1". Sizes are bytes, times nanoseconds.
 * "peaks" and "end" are of the process that was started, the rest is of its
 * whole tree. Keys are only ever added within a version of the schema.
 */
#include <errno.h>

#include "files.h"
#include "json.h"
#include "ledger.h"
#include "linux.h"
#include "print.h"
#include "report.h"
#include "sys.h"

/* Room for the object: some forty numbers with their keys, and names of which
 * each byte may become an escape of six. */
#define JSON_TEXT_MAX 4096u

static void
text_add(void *ctx, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		print_char(ctx, bytes[i]);
}

static void
number(struct json *json, const char *key, uint64_t value)
{
	json_key(json, key);
	json_unsigned(json, value);
}

static void
pages(struct json *json, const char *key, uint64_t count)
{
	number(json, key, count * QR_PAGE_SIZE);
}

static void
word(struct json *json, const char *key, const char *value)
{
	json_key(json, key);
	json_string(json, value);
}

static void
object(struct json *json, const char *key)
{
	json_key(json, key);
	json_begin_object(json);
}

static void
write_run(struct json *json, int status)
{
	char name[17] = { 0 };
	qr_sys2(SYS_prctl, 16L /* PR_GET_NAME */, name);
	bool handler = qr_linux.config.delivery == QR_LINUX_DELIVERY_HANDLER;
	word(json, "schema", "quire.run/1");
	word(json, "program", name);
	number(json, "process", (uint64_t)qr_sys0(SYS_getpid));
	json_key(json, "status");
	json_signed(json, status);
	number(json, "elapsed_ns", linux_clock(NULL) - qr_linux.start_ns);
	word(json, "delivery", handler ? "handler" : "signal");
}

static void
write_memory(struct json *json, const struct qr_machine_stat *stat)
{
	const struct ledger *ledger = ledger_get();
	pages(json, "budget_bytes", ledger->budget_pages);
	pages(json, "peak_bytes", atomic_load(&ledger->totals.used_peak));
	object(json, "peaks");
	pages(json, "program_bytes", stat->frames_user_peak);
	pages(json, "compressed_bytes", stat->frames_pool_peak);
	pages(json, "unmanaged_bytes",
	    atomic_load(&qr_linux.unmanaged_pages_peak));
	pages(json, "quire_bytes", stat->frames_meta - stat->frames_boot);
	json_end_object(json);
	object(json, "end");
	pages(json, "stored_bytes", stat->swap_pooled);
	number(json, "compressed_bytes", stat->swap_pooled_bytes);
	pages(json, "same_filled_bytes", stat->swap_same_filled);
	pages(json, "disk_bytes", stat->swap_on_device);
	json_end_object(json);
}

static void
write_events(struct json *json)
{
	const struct ledger_totals *totals = &ledger_get()->totals;
	object(json, "faults");
	number(json, "first_touch", atomic_load(&totals->first_touch));
	number(json, "pool", atomic_load(&totals->from_pool));
	number(json, "disk", atomic_load(&totals->from_device));
	json_end_object(json);
	object(json, "out");
	number(json, "pages", atomic_load(&totals->pages_out));
	number(json, "zero_pages", atomic_load(&totals->pages_out_zero));
	number(json, "written_back_pages", atomic_load(&totals->written_back));
	json_end_object(json);
	number(json, "disk_errors", atomic_load(&totals->io_errors));
}

static void
write_tree(struct json *json)
{
	const struct ledger *ledger = ledger_get();
	number(json, "processes", atomic_load(&ledger->totals.processes));
	object(json, "outsiders");
	pages(json, "peak_bytes", atomic_load(&ledger->outsiders_peak));
	json_key(json, "names");
	json_begin_array(json);
	for (unsigned i = 0; i < LEDGER_NAMES; i++) {
		if (ledger->outsider_names[i][0] != '\0')
			json_string(json, ledger->outsider_names[i]);
	}
	json_end_array(json);
	json_end_object(json);
}

int
report_json(int status, const struct qr_machine_stat *stat)
{
	char text[JSON_TEXT_MAX];
	struct print print;
	struct json json;
	if (qr_linux.config.json_path[0] == '\0')
		return 0;
	print_init(&print, text, sizeof(text));
	json_init(&json, text_add, &print);
	json_begin_object(&json);
	write_run(&json, status);
	write_memory(&json, stat);
	write_events(&json);
	write_tree(&json);
	json_end_object(&json);
	int fd = own_fd(OWN_JSON);
	if (fd < 0)
		return -ENOENT;
	/* A pipe can't be cut, and need not be. */
	qr_sys2(SYS_ftruncate, fd, 0L);
	return print_flush(&print, fd);
}
