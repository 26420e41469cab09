/* SPDX-License-Identifier: MIT */
/* version.c: `quire version`: which Quire this is and how it was built. */
#include <stdio.h>

#include <qr/version.h>

#include "command.h"
#include "json_stdio.h"

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

int
version_main(const struct options *options)
{
	struct json json;

	if (options->operands[0] != NULL)
		return command_misused(command_find("version"),
		    "it takes no operands");
	if (options->text[OPTION_VERSION_JSON] == NULL) {
		printf("quire %s (%s, %s)\n", QR_VERSION_STRING, QUIRE_BUILD,
		    COMPILER);
		return EXIT_OK;
	}
	json_init(&json, json_write_stdio, stdout);
	json_begin_object(&json);
	json_key(&json, "schema");
	json_string(&json, "quire.version/1");
	json_key(&json, "version");
	json_string(&json, QR_VERSION_STRING);
	json_key(&json, "build");
	json_string(&json, QUIRE_BUILD);
	json_key(&json, "compiler");
	json_string(&json, COMPILER);
	json_end_object(&json);
	return EXIT_OK;
}
