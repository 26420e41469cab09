#!/bin/sh
# SPDX-License-Identifier: MIT
# Instructions of a malloc and its free, from their entry to their return, by
# callgrind: exact, the same on a busy machine.
#
#   bench/malloc/count.sh LIBRARY|- [WAY SIZE]
#
# WAY and SIZE as in pair.c; without them a table. All but the loop's own object
# is counted, so neither the loop nor the call through the PLT is.
# Exits with 77 where there is no valgrind.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
library=${1:?usage: count.sh LIBRARY|- [WAY SIZE]}
shift
command -v valgrind >/dev/null || { echo "skipped: no valgrind here"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
${CC:-cc} -O2 -fno-builtin -o "$tmp/pair" "$here/pair.c"

# total WAY SIZE ROUNDS: instructions outside of the loop's object.
total() {
	preload=
	[ "$library" = - ] || preload=$library
	LD_PRELOAD=$preload valgrind --tool=callgrind -q \
		--callgrind-out-file="$tmp/out" "$tmp/pair" "$1" "$2" "$3" 2>/dev/null
	# ob= names the object of the functions that follow; lines after calls=
	# are costs of callees, which are counted where they are.
	awk -v loop="$tmp/pair" '
	/^ob=/ {
		id = $0
		sub(/^ob=/, "", id)
		text = id
		sub(/^\([0-9]+\) */, "", text)
		sub(/\).*/, ")", id)
		if (text != "")
			name[id] = text
		mine = name[id] != loop
	}
	/^cob=/ {
		id = $0
		sub(/^cob=/, "", id)
		text = id
		sub(/^\([0-9]+\) */, "", text)
		sub(/\).*/, ")", id)
		if (text != "")
			name[id] = text
	}
	/^calls=/ { skip = 1; next }
	/^[0-9+*-]/ {
		if (skip)
			skip = 0
		else if (mine)
			sum += $2
	}
	END { print sum + 0 }' "$tmp/out"
}

# pair WAY SIZE: the difference of 30 and 10 rounds of 1000.
pair() {
	few=$(total "$1" "$2" 10)
	many=$(total "$1" "$2" 30)
	echo "$few $many" | awk '{ printf "%.2f\n", ($2 - $1) / 20000 }'
}

if [ $# -eq 2 ]; then
	pair "$1" "$2"
	exit 0
fi
for line in "hot 32" "hot 500" "hot 2000" "batch 32" "batch 1000" "batch 8000" \
	"batch 40000" "calloc 100"; do
	# shellcheck disable=SC2086
	printf '%-12s %8s\n' "$line" "$(pair $line)"
done
