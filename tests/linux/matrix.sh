#!/bin/sh
# SPDX-License-Identifier: MIT
# Real programs at a full, a half and a quarter of the memory that they use
# plain: prints a row of a table for each.
#
#   tests/linux/matrix.sh [-b BUILD] [-t SECONDS] [-p PERCENTS] [NAME ...]
#
# NAME is a script of bench/budget/programs without its .sh; all by default.
# PEAK is the largest sum of RssAnon + RssShmem over the tree at samples 5 ms
# apart in a plain run. A run is `ok` if standard output and exit status are
# the plain run's and it ended within SECONDS (120); `budget` counts samples
# above the budget + 2 MiB. Each is run as the caller and, if that is root, as
# nobody too. Exits 1 if any run was not ok or any sample too high.
set -u
here=$(cd "$(dirname "$0")" && pwd)
programs=$here/../../bench/budget/programs
build=$here/../../build
seconds=120
percents="100 50 25"
while getopts b:t:p: option; do
	case $option in
	b) build=$OPTARG ;;
	t) seconds=$OPTARG ;;
	p) percents=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- python sort sqlite redis gxx perl node java

# Least budget of a tree that is tried, bytes: 16 MiB and what a shell, a pipe
# of three and their libraries hold unmanaged.
floor=$((24 << 20))

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
chmod 0777 "$dir"
export HOME="$dir" TMPDIR="$dir" XDG_STATE_HOME="$dir/state" LC_ALL=C
${CC:-cc} -O2 -D_GNU_SOURCE -o "$dir/watch" \
	"$here/../../bench/budget/watch.c" || exit 1
bad=0

# field KEY: a number out of the line that watch wrote.
field() {
	sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" "$dir/json"
}

# watched OUTPUT BUDGET CMD ...: prints the exit status behind the output.
watched() {
	out=$1
	limit=$2
	shift 2
	: >"$dir/json"
	timeout -s KILL "$seconds" \
		"$dir/watch" -b "$limit" -o "$dir/json" -- "$@" \
		>"$out" 2>"$dir/err" </dev/null
	echo "exit $?" >>"$out"
}

# row NAME WHO PERCENT CMD...: one run in a budget.
row() {
	name=$1
	who=$2
	percent=$3
	limit=$((peak * percent / 100))
	[ $limit -ge $floor ] || limit=$floor
	shift 3
	rm -rf "$dir/state"
	watched "$dir/out" $limit "$@" \
		"$build/quire" run -m $limit -- "$programs/$name.sh"
	verdict=ok
	cmp -s "$dir/plain" "$dir/out" || verdict=$(tail -n 1 "$dir/out")
	[ -s "$dir/json" ] || verdict="over ${seconds}s"
	if [ "$verdict" != ok ] || [ "$(field above)" != 0 ]; then
		bad=1
		cp "$dir/err" "/tmp/matrix-$name-$who-$percent.err" 2>/dev/null
	fi
	printf '| %-6s | %-6s | %3s %% | %4s | %-8s | %5s / %5s (%s) | %6s | %5s |\n' \
		"$name" "$who" "$percent" $((limit >> 20)) "$verdict" \
		"$(field above)" "$(field samples)" \
		$(($(field excess_bytes) + 0 >> 10)) \
		"$(field wall_s)" "$plain_s"
}

echo "| program | user | share | MiB | result | above budget, samples (KiB) | s | plain s |"
echo "|---|---|---|---|---|---|---|---|"
for name in "$@"; do
	watched "$dir/plain" 0 "$programs/$name.sh"
	case $(tail -n 1 "$dir/plain") in
	"exit 127") echo "$name: not installed" >&2; continue ;;
	esac
	plain_s=$(field wall_s)
	peak=$(field peak_bytes)
	for percent in $percents; do
		row "$name" "$(id -un)" "$percent"
		[ "$(id -u)" = 0 ] && row "$name" nobody "$percent" \
			setpriv --reuid=65534 --regid=65534 --clear-groups
	done
done
exit $bad
