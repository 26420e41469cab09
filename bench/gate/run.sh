#!/bin/sh
# SPDX-License-Identifier: MIT
# What the gate costs: programs that make many system calls, plain, on Quire's
# malloc alone, and in a budget that they never reach, in turn within each
# round.
#
#   bench/gate/run.sh [-b BUILD] [-n ROUNDS] [-m] [NAME ...]
#
# -m: the table in Markdown. NAME: dd pipe find grep tar stat sqlite cc exec
# thread redis (all that are installed).
#
# A row: CPU seconds (user and system, all processes) of the plain run, median;
# then the medians over the rounds of the ratio to the plain run of the same
# round, on the malloc alone and in the budget; and likewise of wall time. For
# redis it is requests that are counted, so its ratios are plain over ours.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../build
rounds=5
markdown=no
while getopts b:n:m option; do
	case $option in
	b) build=$OPTARG ;;
	n) rounds=$OPTARG ;;
	m) markdown=yes ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
build=$(cd "$build" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
export XDG_STATE_HOME="$tmp" LC_ALL=C
cd "$tmp"
${CC:-cc} -O2 -D_GNU_SOURCE -o measure "$here/../malloc/measure.c"
echo 'int main(void) { return 0; }' >small.c
i=0
while [ $i -lt 20000 ]; do
	echo "insert into t values($i, 'a text of some length');"
	i=$((i + 1))
done >rows
{
	echo 'pragma journal_mode=off; pragma synchronous=off;'
	echo 'create table t(a integer primary key, b text);'
	cat rows
} >sqlite.sql

# Words of the shell that runs them.
# shellcheck disable=SC2016
command_of() {
	case $1 in
	dd) echo 'dd if=/dev/zero of=/dev/null bs=512 count=400000 2>/dev/null' ;;
	pipe) echo 'head -c 300000000 /dev/zero | cat | cat >/dev/null' ;;
	find) echo 'find /usr -type f -size +1k >/dev/null' ;;
	grep) echo 'grep -r printf /usr/include >/dev/null' ;;
	tar) echo 'tar cf - /usr/include /usr/share/doc 2>/dev/null | cat >/dev/null' ;;
	stat) echo 'python3 -c "
import os
for i in range(200000): os.stat(\"/usr/bin/env\")"' ;;
	sqlite) echo 'rm -f db; sqlite3 db <sqlite.sql >/dev/null' ;;
	cc) echo 'for i in 1 2 3 4 5 6 7 8; do cc -O1 -c small.c; done' ;;
	exec) echo 'i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done' ;;
	thread) echo 'python3 -c "
import threading
for i in range(3000):
    t = threading.Thread(target=int); t.start(); t.join()"' ;;
	redis) echo redis ;;
	esac
}

needs() {
	case $1 in
	stat | thread) command -v python3 ;;
	sqlite) command -v sqlite3 ;;
	redis) command -v redis-benchmark ;;
	*) command -v "$1" || echo built in ;;
	esac >/dev/null
}

# The way's words before a command.
prefix() {
	case $1 in
	plain) echo "./measure - " ;;
	malloc) echo "./measure $build/libquire.so" ;;
	budget) echo "./measure - $build/quire run -q -m 2048M --" ;;
	esac
}

# Seconds for a fixed number of requests, twice, as CPU and as wall time.
redis_once() {
	run=
	[ "$1" = malloc ] && run="env LD_PRELOAD=$build/libquire.so"
	[ "$1" = budget ] && run="$build/quire run -q -m 2048M --"
	$run redis-server --port 0 --unixsocket "$tmp/sock" --save '' \
		>/dev/null 2>&1 &
	server=$!
	while ! redis-cli -s "$tmp/sock" ping >/dev/null 2>&1; do :; done
	redis-benchmark -s "$tmp/sock" -n 60000 -t get,set --csv 2>/dev/null |
		awk -F '[",]+' 'NR > 1 { s += 60000 / $3 } END { print s, s, 0 }'
	redis-cli -s "$tmp/sock" shutdown nosave >/dev/null 2>&1 || true
	wait "$server" || true
}

once() {
	if [ "$2" = redis ]; then
		redis_once "$1"
	else
		$(prefix "$1") sh -c "$(command_of "$2")" || true
	fi
}

[ $# -gt 0 ] || set -- dd pipe find grep tar stat sqlite cc exec thread redis
for name; do
	needs "$name" || continue
	once plain "$name" >/dev/null
	round=0
	while [ $round -lt "$rounds" ]; do
		# Nobody is always the first.
		if [ $((round % 2)) = 0 ]; then
			order='plain malloc budget'
		else
			order='budget malloc plain'
		fi
		for way in $order; do
			echo "$name $round $way $(once "$way" "$name")"
		done
		round=$((round + 1))
	done
done | awk -v markdown=$markdown '
function median(list, count, i, j, t) {
	for (i = 1; i < count; i++)
		for (j = i; j > 0 && list[j - 1] > list[j]; j--) {
			t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
		}
	return list[int(count / 2)]
}
function ratio(name, way, what, list, n, r) {
	n = 0
	for (r = 0; (name, r, "plain", what) in value; r++)
		if (value[name, r, "plain", what] > 0)
			list[n++] = value[name, r, way, what] / \
			    value[name, r, "plain", what]
	return n == 0 ? 0 : median(list, n)
}
{
	if (!($1 in seen)) { order[count++] = $1; seen[$1] = 1 }
	value[$1, $2, $3, "cpu"] = $4
	value[$1, $2, $3, "wall"] = $5
}
END {
	bar = markdown == "yes" ? "|" : ""
	if (bar != "") {
		print "| program | plain, CPU s | malloc | budget | malloc, wall | budget, wall |"
		print "|---|---|---|---|---|---|"
	} else
		print "program   plain_cpu malloc budget  wall: malloc budget"
	for (i = 0; i < count; i++) {
		name = order[i]
		n = 0
		for (r = 0; (name, r, "plain", "cpu") in value; r++)
			list[n++] = value[name, r, "plain", "cpu"]
		f = bar != "" ? "| %s | %.2f | %.2f | %.2f | %.2f | %.2f |\n" \
		    : "%-10s %8.2f %6.2f %6.2f %12.2f %6.2f\n"
		printf f, name, median(list, n), ratio(name, "malloc", "cpu"),
		    ratio(name, "budget", "cpu"), ratio(name, "malloc", "wall"),
		    ratio(name, "budget", "wall")
	}
}'
