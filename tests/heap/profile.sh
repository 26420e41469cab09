#!/bin/sh
# SPDX-License-Identifier: MIT
# profile.sh LIBRARY.so PROGRAM: the profile of a preloaded program is in the
# file that QUIRE_HEAP_PROFILE names, in pprof's form, with the program's own
# mapping; a setting that is none is said and ignored; 0 turns it off.
set -u
library=${1:?usage: profile.sh LIBRARY.so PROGRAM}
program=$2
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

fail() {
	echo "profile: $1"
	exit 1
}

QUIRE_HEAP_PROFILE="$folder/%p.heap" QUIRE_HEAP_SAMPLE=64 \
	LD_PRELOAD="$library" "$program" >"$folder/out" 2>&1 ||
	{ cat "$folder/out"; fail "the program fails"; }
# One for each process that it was.
file=$(find "$folder" -name '*.heap' | head -n 1)
[ -n "$file" ] || fail "there is no file"
head -n 1 "$file" |
	grep -q '^heap profile: [0-9]*: [0-9]* \[[1-9][0-9]*: [0-9]*\] @ heap_v2/64$' ||
	fail "its first line is $(head -n 1 "$file")"
grep -q '^[0-9]*: [0-9]* \[[0-9]*: [0-9]*\] @ 0x' "$file" || fail "no stack"
grep -q "r-xp.*$(basename "$program")" "$file" || fail "no mapping"

QUIRE_HEAP_SAMPLE=many LD_PRELOAD="$library" /bin/true 2>"$folder/said"
grep -q 'QUIRE_HEAP_SAMPLE is ignored' "$folder/said" || fail "not said"
QUIRE_HEAP_PROFILE="$folder/off" QUIRE_HEAP_SAMPLE=0 LD_PRELOAD="$library" \
	"$program" >"$folder/out" 2>&1 || fail "the program fails without"
[ ! -s "$folder/off" ] || fail "a sample is taken with 0"
