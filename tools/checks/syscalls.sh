#!/bin/sh
# SPDX-License-Identifier: MIT
# syscalls.sh: docs/SYSCALLS.md is what tools/syscalls.sh makes of the table,
# and the table has every call that this machine's headers know.
set -u
cd "$(dirname "$0")/../.." || exit 1
made=$(mktemp) || exit 1
trap 'rm -f "$made"' EXIT
tools/syscalls.sh >"$made" || exit 1
if ! diff -u docs/SYSCALLS.md "$made"; then
	echo "docs/SYSCALLS.md is old: tools/syscalls.sh >docs/SYSCALLS.md"
	exit 1
fi
printf '#include <sys/syscall.h>\n' | ${CC:-cc} -E -dM - |
	sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9]*\)$/\2 \1/p' |
	while read -r number name; do
		grep -q "^| $number | $name |" docs/SYSCALLS.md ||
			echo "no row for $name ($number)"
	done | sort >"$made"
cat "$made"
[ ! -s "$made" ]
