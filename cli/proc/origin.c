/* SPDX-License-Identifier: MIT */
/* origin.c: of this machine, from the kernel; of a capture, from its manifest,
 * or from version, which captures of others have. */
#include "origin.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

static void
find_live(struct origin *origin)
{
	struct utsname host;
	time_t now = time(NULL);
	struct tm utc;

	if (uname(&host) == 0) {
		(void)snprintf(origin->host, sizeof(origin->host), "%s",
		    host.nodename);
		(void)snprintf(origin->kernel, sizeof(origin->kernel), "%s",
		    host.release);
		(void)snprintf(origin->machine, sizeof(origin->machine), "%s",
		    host.machine);
	}
	if (gmtime_r(&now, &utc) != NULL)
		(void)strftime(origin->time, sizeof(origin->time),
		    "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* A plain string of our own manifest; no escapes are in those. */
static void
take_string(const char *text, const char *key, char *value, size_t capacity)
{
	char quoted[32];

	(void)snprintf(quoted, sizeof(quoted), "\"%s\":\"", key);
	const char *start = strstr(text, quoted);
	if (start == NULL)
		return;
	start += strlen(quoted);
	(void)snprintf(value, capacity, "%.*s", (int)strcspn(start, "\"\\"),
	    start);
}

void
origin_find(struct source *source, struct origin *origin)
{
	struct buffer text = { 0 };

	*origin = (struct origin){ "", "", "", "" };
	if (source_is_live(source)) {
		find_live(origin);
		return;
	}
	if (source_read(source, "manifest.json", &text) == 0 &&
	    text.text != NULL) {
		take_string(text.text, "host", origin->host,
		    sizeof(origin->host));
		take_string(text.text, "kernel", origin->kernel,
		    sizeof(origin->kernel));
		take_string(text.text, "machine", origin->machine,
		    sizeof(origin->machine));
		take_string(text.text, "time", origin->time,
		    sizeof(origin->time));
	} else if (source_read(source, "proc/version", &text) == 0 &&
		   text.text != NULL) {
		(void)sscanf(text.text, "Linux version %71s", origin->kernel);
	}
	buffer_fini(&text);
}
