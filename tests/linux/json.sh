#!/bin/sh
# SPDX-License-Identifier: MIT
# json.sh QUIRE PROGRAM [ARG ...]: proves that --json leaves one object with
# the numbers of this run, wherever the program goes, and nothing of an older
# run if there is no summary.
set -u
quire=$1
shift
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
export HOME="$dir" XDG_STATE_HOME="$dir/state"
cd "$dir" || exit 1
bad=0

# wants PATTERN: the object says that.
wants() {
	grep -q -e "$1" run.json || {
		echo "no $1 in: $(cat run.json)"
		bad=1
	}
}

"$quire" run -q -m 24M --json run.json -- sh -c 'cd / && exec "$@"' sh "$@" \
	>/dev/null || bad=1
if command -v python3 >/dev/null 2>&1; then
	python3 -m json.tool run.json >/dev/null || bad=1
fi
wants '^{"schema":"quire.run/1",.*}$'
wants '"status":0,'
wants '"budget_bytes":25165824,'
wants '"faults":{"first_touch":[1-9][0-9]*,"pool":[0-9]*,"disk":[0-9]*}'
wants '"out":{"pages":[1-9]'
wants '"disk_errors":0,"processes":1,"outsiders":{"peak_bytes":0,"names":\[\]}'
"$quire" run -q -m 64M --json run.json -- sh -c 'exit 3'
wants '"status":3,'
# Killed by somebody else, it could not write.
"$quire" run -q -m 64M --json run.json -- sh -c 'kill -9 $$' 2>/dev/null
[ -s run.json ] && {
	echo "an older summary stands: $(cat run.json)"
	bad=1
}
exit $bad
