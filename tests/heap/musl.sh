#!/bin/sh
# SPDX-License-Identifier: MIT
# musl.sh: the heap builds with musl, and a static program of several threads
# that is linked with it allocates from it. Skips where there is no musl-gcc.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
command -v musl-gcc >/dev/null || { echo "skipped: no musl-gcc here"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cat >"$tmp/smoke.c" <<'END'
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
body(void *argument)
{
	char *block[500];
	for (int i = 0; i < 500; i++) {
		block[i] = malloc(1 + i * 37);
		memset(block[i], i, 1 + i * 37);
	}
	for (int i = 0; i < 500; i++) {
		if (block[i][i * 37] != (char)i)
			exit(2);
		free(block[i]);
	}
	return argument;
}

int
main(void)
{
	/* musl's own would not be on a page. */
	char *large = malloc(100000);
	if (((uintptr_t)large & 4095) != 0 ||
	    malloc_usable_size(large) != 102400)
		return 3;
	large = realloc(large, 300000);
	for (int round = 0; round < 50; round++) {
		pthread_t thread[2];
		for (int i = 0; i < 2; i++)
			if (pthread_create(&thread[i], NULL, body, NULL) != 0)
				return 4;
		for (int i = 0; i < 2; i++)
			pthread_join(thread[i], NULL);
	}
	free(large);
	printf("musl: passed\n");
	return 0;
}
END
# All that libquire.a is made of: heap/CMakeLists.txt names what is not.
sources=$(find "$top/heap" -name '*.c' ! -name hard.c)
# One word a file.
# shellcheck disable=SC2086
musl-gcc -static -std=c11 -O2 -I"$top/include" -I"$top" -DQR_BUILDING=1 \
	-fno-builtin -fno-strict-aliasing -fvisibility=hidden -w \
	-o "$tmp/smoke" "$tmp/smoke.c" $sources "$top/core/frame/buddy.c" -lpthread
"$tmp/smoke"
