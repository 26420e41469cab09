#!/bin/sh
# SPDX-License-Identifier: MIT
# Quire's malloc beside its peers: CPU seconds and peak RSS of workloads and of
# real programs, all allocators in turn within each round, medians.
#
#   bench/malloc/run.sh [-b BUILD] [-n RUNS] [-T] [-m] [-r FILE] [NAME ...]
#
# -T: huge pages off.  -m: the table in Markdown.  -r: the raw figures go to
# FILE, one run a line: name, allocator, CPU s, wall s, KiB.
# NAME: workloads (bench/malloc/work.c lists them) and real programs: redis
# sqlite python lua gxx sort perl (all that are installed).
# Peers: mimalloc, jemalloc and tcmalloc where Debian puts them, and every
# lib*.so in the folder that QUIRE_PEERS names.
#
# A row: each allocator's time and RSS, as ratios to mimalloc's time and to the
# least RSS of the row's peers. Then geometric means, and time x RSS, both over
# mimalloc's. For several threads CPU time is counted, as for one.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../build
runs=5
huge=
markdown=no
raw=
while getopts b:n:Tmr: option; do
	case $option in
	b) build=$OPTARG ;;
	n) runs=$OPTARG ;;
	T) huge=-n ;;
	m) markdown=yes ;;
	r) raw=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM

${CC:-cc} -O2 -D_GNU_SOURCE -o "$tmp/measure" "$here/measure.c"
${CC:-cc} -O2 -D_GNU_SOURCE -fno-builtin-malloc -fno-builtin-free \
	-fno-builtin-calloc -fno-builtin-realloc -o "$tmp/work" \
	"$here/work.c" "$here/single.c" "$here/threads.c" -lpthread

# name library, one a line; quire first.
peers() {
	echo "quire $(cd "$build" && pwd)/libquire.so"
	for pair in mimalloc:libmimalloc.so.2 jemalloc:libjemalloc.so.2 \
		tcmalloc:libtcmalloc_minimal.so.4; do
		file=$(find /usr/lib /usr/local/lib -name "${pair#*:}" 2>/dev/null |
			head -n 1)
		[ -z "$file" ] || echo "${pair%%:*} $file"
	done
	echo "glibc -"
	[ -z "${QUIRE_PEERS:-}" ] || for file in "$QUIRE_PEERS"/lib*.so; do
		name=${file##*/lib}
		echo "${name%.so} $file"
	done
}

program_of() {
	case $1 in
	redis | sqlite | python | gxx | sort | perl)
		echo "$here/../budget/programs/$1.sh" ;;
	lua) echo "$here/programs/lua.sh" ;;
	*) echo "$tmp/work $1" ;;
	esac
}

installed() {
	case $1 in
	redis) command -v redis-server ;;
	sqlite) command -v sqlite3 ;;
	python) command -v /usr/bin/python3 ;;
	lua) command -v lua5.4 ;;
	gxx) command -v g++ ;;
	*) echo yes ;;
	esac >/dev/null
}

# One word a workload.
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $("$tmp/work" | cut -d' ' -f1) \
	redis sqlite python lua gxx sort perl
peers >"$tmp/peers"
for name in "$@"; do
	if ! installed "$name"; then
		echo "skipped: $name is not installed" >&2
		continue
	fi
	round=0
	while [ $round -lt "$runs" ]; do
		"$tmp/measure" -w 600
		shuf "$tmp/peers" >"$tmp/order"
		while read -r peer library; do
			# A command's words are to be split.
			# shellcheck disable=SC2046,SC2086
			figures=$("$tmp/measure" $huge "$library" \
				$(program_of "$name") 2>"$tmp/err") ||
				{ echo "$name fails on $peer:" >&2
				head -n 3 "$tmp/err" >&2; continue; }
			echo "$name $peer $figures" >>"$tmp/all"
		done <"$tmp/order"
		round=$((round + 1))
	done
done

[ -z "$raw" ] || cp "$tmp/all" "$raw"
echo "$runs runs each, huge pages $([ -z "$huge" ] && echo as set || echo off)"
awk -v peers="$(cut -d' ' -f1 "$tmp/peers" | tr '\n' ' ')" \
	-v names="$*" -v markdown=$markdown -f "$here/table.awk" "$tmp/all"
