#!/bin/sh
# SPDX-License-Identifier: MIT
# instructions.sh LIBRARY.so: a malloc and its free take no more instructions
# than here. They are counted, not timed, so the limits are close: what is
# above 30 of a hot pair are the looks at a list, one in hundreds of frees.
set -u
library=${1:?usage: instructions.sh LIBRARY.so}
count=$(dirname "$0")/../../bench/malloc/count.sh
command -v valgrind >/dev/null || { echo "skipped: no valgrind here"; exit 77; }
[ "$(uname -m)" = x86_64 ] || { echo "skipped: counts are x86-64's"; exit 77; }
status=0

# at_most LIMIT WAY SIZE
at_most() {
	found=$("$count" "$library" "$2" "$3")
	echo "$2 $3: $found, at most $1"
	awk "BEGIN { exit !($found > 0 && $found <= $1) }" </dev/null || status=1
}

at_most 30.5 hot 32
at_most 31.5 hot 500
at_most 31.5 batch 32
at_most 75 calloc 100
at_most 60 hot 2000
at_most 1100 hot 40000
exit $status
