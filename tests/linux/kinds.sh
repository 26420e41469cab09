#!/bin/sh
# SPDX-License-Identifier: MIT
# kinds.sh CC: for compare.sh: children of kinds that Quire's library can't
# enter: static, with a sanitizer, linked to musl. They run as ever, and what
# they start in turn is managed again. What can't be built here is left out.
set -u
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cat >"$dir/say.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
int
main(int argc, char **argv)
{
	puts(argv[argc - 1]);
	fflush(stdout);
	return system("echo a child of its own");
}
END
try() {
	name=$1
	shift
	if "$@" -o "$dir/$name" "$dir/say.c" 2>/dev/null; then
		"$dir/$name" "$name" 2>&1
		echo "exit $?"
		printf '#!%s\n' "$dir/$name" >"$dir/script"
		chmod +x "$dir/script"
		"$dir/script" "script of $name" 2>&1
	fi
}
try plain "$1"
try static "$1" -static
try asan "$1" -fsanitize=address
try ubsan "$1" -fsanitize=undefined
try tsan "$1" -fsanitize=thread
if command -v musl-gcc >/dev/null; then
	try musl musl-gcc
fi
