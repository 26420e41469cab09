#!/bin/sh
# SPDX-License-Identifier: MIT
# Proves that a program in a budget gives the output that it gives without:
#
#   compare.sh QUIRE BUDGET CMD [ARG ...]
#
# Runs CMD plain and under `quire run -m BUDGET`, as who it is called by and,
# if that is root, as nobody too; standard output and exit status must be
# equal. Exits 77 (skipped) if CMD is not there.
set -u
quire=$1
budget=$2
shift 2
command -v "$1" >/dev/null 2>&1 || {
	echo "skipped: $1 is not installed"
	exit 77
}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
export HOME="$dir" XDG_STATE_HOME="$dir/state" LC_ALL=C
chmod 0777 "$dir"
bad=0

# run WAY CMD...: its output in $dir/WAY, its status after it.
run() {
	way=$1
	shift
	"$@" >"$dir/$way" 2>"$dir/$way.err" </dev/null
	echo "exit $?" >>"$dir/$way"
}

check() {
	if ! cmp -s "$dir/plain" "$dir/$1"; then
		bad=1
		echo "$1: differs from plain:"
		diff "$dir/plain" "$dir/$1" | head -n 10
		tail -n 20 "$dir/$1.err"
	fi
}

run plain "$@"
run budget "$quire" run -q -m "$budget" -- "$@"
check budget
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null 2>&1; then
	run nobody setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$quire" run -q -m "$budget" -- "$@"
	check nobody
fi
[ $bad = 0 ] && echo "same output: $(wc -c <"$dir/plain") bytes"
exit $bad
