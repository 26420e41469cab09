#!/bin/sh
# SPDX-License-Identifier: MIT
# Proves that a program in a budget gives the output that it gives without:
#
#   compare.sh QUIRE BUDGET CMD [ARG ...]
#
# Runs CMD plain and under `quire run -m BUDGET`, as who it is called by and,
# if that is root, as nobody too; standard output and exit status must be
# equal. DELIVERY=handler in the environment has faults served by a thread.
# Exits 77 (skipped) if CMD is not there, or that is not allowed.
set -u
quire=$1
budget=$2
delivery=${DELIVERY:-signal}
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

# allowed WHO...: whether who it is may have faults delivered that way.
allowed() {
	"$@" "$quire" run -q -m 64M --delivery="$delivery" -- true \
		>"$dir/allowed" 2>&1 </dev/null
	[ $? != 125 ]
}

allowed env || {
	echo "skipped: $(head -n 1 "$dir/allowed")"
	exit 77
}
cd "$dir" || exit 1
run plain "$@"
if [ "$(tail -n 1 "$dir/plain")" = "exit 77" ]; then
	echo "skipped: the machine does not allow it"
	exit 77
fi
run budget "$quire" run -q -m "$budget" --delivery="$delivery" -- "$@"
check budget
nobody='setpriv --reuid=65534 --regid=65534 --clear-groups'
# Words of a command.
# shellcheck disable=SC2086
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null 2>&1 &&
	allowed $nobody; then
	run nobody $nobody \
		"$quire" run -q -m "$budget" --delivery="$delivery" -- "$@"
	check nobody
fi
[ $bad = 0 ] && echo "same output: $(wc -c <"$dir/plain") bytes"
exit $bad
