#!/bin/sh
# SPDX-License-Identifier: MIT
# Time of programs inside a RAM budget: quire beside plain and, where root
# allows, beside a memory cgroup with zram (lz4) as its swap. Runs of the three
# alternate; medians and ratios are printed.
#
#   bench/budget/run.sh [-b BUILD] [-n RUNS] [-s MIB] [-t like|equal]
#       [-p "PERCENT ..."] [-x SECONDS] [NAME ...]
#
# -t like:  the compressed pool outside the budget, as the cgroup has it.
# -t equal: everything inside; the cgroup's limit is lowered by what zram held
#           at its peak in a first run.
# -x: a run that takes longer than that (300 s) is given up: "late". "killed":
#     for want of memory; "wrong": other output than the plain run's.
# NAME: seq random zipf python sort sqlite redis gxx perl node java (all).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../build
runs=3
mib=256
table=like
percents="100 75 50 25"
seconds=300
while getopts b:n:p:s:t:x: option; do
	case $option in
	b) build=$OPTARG ;;
	n) runs=$OPTARG ;;
	p) percents=$OPTARG ;;
	s) mib=$OPTARG ;;
	t) table=$OPTARG ;;
	x) seconds=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- seq random zipf python sort sqlite redis gxx perl node java

tmp=$(mktemp -d)
group=/sys/fs/cgroup/memory/quire-bench
zram=
kernel=no

cleanup() {
	if [ -n "$zram" ]; then
		echo "$cluster" >/proc/sys/vm/page-cluster
		swapoff "$zram" 2>/dev/null || true
		echo "${zram#/dev/zram}" >/sys/class/zram-control/hot_remove 2>/dev/null || true
	fi
	rmdir "$group" 2>/dev/null || true
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

${CC:-cc} -O2 -D_GNU_SOURCE -o "$tmp/watch" "$here/watch.c"
${CC:-cc} -O2 -D_GNU_SOURCE -o "$tmp/access" "$here/access.c" -lm -lpthread

# A zram device of 4 GiB as swap, and a cgroup: only root has either.
kernel_setup() {
	[ "$(id -u)" = 0 ] && [ -d /sys/fs/cgroup/memory ] &&
		[ -e /sys/class/zram-control/hot_add ] || return 0
	mkdir -p "$group" || return 0
	number=$(cat /sys/class/zram-control/hot_add) || return 0
	zram=/dev/zram$number
	[ -e "$zram" ] || mknod "$zram" b "$(cut -d: -f1 "/sys/block/zram$number/dev")" \
		"$(cut -d: -f2 "/sys/block/zram$number/dev")"
	echo lz4 >"/sys/block/zram$number/comp_algorithm"
	echo 4G >"/sys/block/zram$number/disksize"
	mkswap "$zram" >/dev/null
	swapon -p 100 "$zram"
	# What suits zram best: no read-ahead, no preference for file pages.
	cluster=$(cat /proc/sys/vm/page-cluster)
	echo 0 >/proc/sys/vm/page-cluster
	echo 100 >"$group/memory.swappiness"
	kernel=yes
}

command_of() {
	case $1 in
	seq | random | zipf) echo "$tmp/access $1 $mib" ;;
	*) echo "$here/programs/$1.sh" ;;
	esac
}

# field FILE KEY: a number out of a line of watch's JSON.
field() {
	sed -n "s/.*\"$2\":\([0-9.]*\).*/\1/p" "$1"
}

# median COLUMN: of lines of numbers; a word in the place of one wins.
median() {
	awk -v column="$1" '{ print $column }' | sort -n | awk '
	/[a-z]/ { word = $1 } { v[NR] = $1 } END {
		if (word != "") { print word; exit }
		print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# The figures of a run: ns an access for the patterns, else wall seconds; and
# seconds of CPU.
figure() {
	case $1 in
	seq | random | zipf) printf '%s ' "$(tail -n 1 "$tmp/err")" ;;
	*) printf '%s ' "$(field "$tmp/json" wall_s)" ;;
	esac
	awk "BEGIN { print $(field "$tmp/json" user_s) + $(field "$tmp/json" sys_s) }"
}

# verdict STATUS: what is said of a run that failed.
verdict() {
	case $1 in
	0) echo wrong wrong ;;
	124) echo late late ;;
	137) echo killed killed ;;
	*) echo fail fail ;;
	esac
}

# one NAME WAY LIMIT_BYTES: runs it, prints the figures, or why there are none.
# A command's words are to be split.
# shellcheck disable=SC2086
one() {
	cmd=$(command_of "$1")
	status=0
	case $2 in
	plain)
		"$tmp/watch" -o "$tmp/json" $cmd >"$tmp/out" 2>"$tmp/err" || status=$? ;;
	quire)
		pool=inside
		[ "$table" = equal ] || pool=outside
		timeout "$seconds" "$tmp/watch" -o "$tmp/json" "$build/quire" run -q -m "$3" --pool $pool -- \
			$cmd >"$tmp/out" 2>"$tmp/err" || status=$? ;;
	kernel)
		echo "$3" >"$group/memory.limit_in_bytes" || status=1
		sh -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$group" \
			timeout "$seconds" "$tmp/watch" -o "$tmp/json" $cmd \
			>"$tmp/out" 2>"$tmp/err" || status=$?
		echo -1 >"$group/memory.limit_in_bytes" ;;
	esac
	if [ "$status" != 0 ] || { [ -s "$tmp/expect" ] &&
		! cmp -s "$tmp/out" "$tmp/expect"; }; then
		verdict "$status"
		return
	fi
	figure "$1"
}

# What zram held at its peak while NAME ran under LIMIT.
zram_peak() {
	echo 0 >"/sys/block/${zram#/dev/}/mem_used_max"
	one "$1" kernel "$2" >/dev/null
	awk '{ print $5 }' "/sys/block/${zram#/dev/}/mm_stat"
}

ratio() {
	case $1$2 in
	*[a-z]* | *-*) echo - ;;
	*) awk "BEGIN { printf \"%.2f\", $1 / $2 }" ;;
	esac
}

row() {
	name=$1
	percent=$2
	limit=$(awk "BEGIN { l = $peak * $percent / 100; f = $floor
		printf \"%d\", l < f ? f : l }")
	klimit=$limit
	if [ "$kernel" = yes ] && [ "$table" = equal ]; then
		klimit=$((limit - $(zram_peak "$name" "$limit")))
	fi
	: >"$tmp/q"; : >"$tmp/k"; : >"$tmp/p"
	i=0
	while [ $i -lt "$runs" ]; do
		one "$name" plain 0 >>"$tmp/p"
		one "$name" quire "$limit" >>"$tmp/q"
		[ "$kernel" = no ] || one "$name" kernel "$klimit" >>"$tmp/k"
		i=$((i + 1))
	done
	p=$(median 1 <"$tmp/p"); q=$(median 1 <"$tmp/q")
	pc=$(median 2 <"$tmp/p"); qc=$(median 2 <"$tmp/q"); k=-; kc=-
	if [ "$kernel" = yes ]; then
		k=$(median 1 <"$tmp/k"); kc=$(median 2 <"$tmp/k")
	fi
	# shellcheck disable=SC2059
	printf "$line" "$name" "$percent %" $((limit / 1048576)) \
		"$p" "$q" "$k" "$(ratio "$q" "$p")" "$(ratio "$q" "$k")" \
		"$pc" "$qc" "$kc" "$(ratio "$qc" "$pc")" "$(ratio "$qc" "$kc")"
}

line='%-7s %5s %4s %9s %9s %9s %6s %6s %7s %7s %7s %6s %6s\n'
kernel_setup
echo "table: $table; runs: $runs; patterns on $mib MiB; kernel side: $kernel"
echo "figures: ns an access (seq, random, zipf), else wall seconds;"
echo "then seconds of CPU; medians"
# The lines' format is shared.
# shellcheck disable=SC2059
printf "$line" NAME OF MIB PLAIN QUIRE KERNEL Q/P Q/K CPU QUIRE KERNEL Q/P Q/K
for name in "$@"; do
	: >"$tmp/expect"
	one "$name" plain 0 >/dev/null
	cp "$tmp/out" "$tmp/expect"
	one "$name" plain 0 >/dev/null
	peak=$(field "$tmp/json" peak_bytes)
	floor=$((24 << 20))
	for percent in $percents; do
		row "$name" "$percent"
	done
done
