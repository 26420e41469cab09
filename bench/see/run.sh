#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh BUILD [RUNS]: medians of looking at 400 processes, at one of 40 000
# mappings, and at slabs, beside the tools that people use; system calls a
# process; the share of a CPU that top takes; and the size of a capture. As
# root, or numbers of other users' processes are missing. Wants smem, procps,
# strace and zstd; what is not there is left out.
set -eu
build=$(cd "${1:?usage: run.sh BUILD [RUNS]}" && pwd)
runs=${2:-15}
here=$(cd "$(dirname "$0")" && pwd)
quire=$build/quire
folder=$(mktemp -d)
pids=
cleanup() {
	# One word a process.
	# shellcheck disable=SC2086
	kill $pids 2>/dev/null || true
	rm -rf "$folder"
}
trap cleanup EXIT

cc -O2 -D_GNU_SOURCE "$here/cost.c" -o "$folder/cost"
cc -O2 -D_GNU_SOURCE "$here/mappings.c" -o "$folder/mappings"

# measure NAME COMMAND...
measure() {
	name=$1
	shift
	command -v "$1" >/dev/null || return 0
	read -r wall cpu <<<"$("$folder/cost" "$runs" "$@")"
	printf '%-34s %8s ms wall %8s ms CPU\n' "$name" "$wall" "$cpu"
}

for _ in $(seq 400); do
	sleep 1000 &
	pids="$pids $!"
done
count=$(find /proc -maxdepth 1 -name '[0-9]*' | wc -l)
echo "== $count processes, load $(cut -d ' ' -f 1 /proc/loadavg)"
measure 'quire ps' "$quire" ps -q
measure 'quire ps --by comm -t' "$quire" ps -q --by comm -t
measure 'quire ps --no-pss' "$quire" ps -q --no-pss
measure 'ps -eo pid,user,pss,uss,rss,args' ps -eo pid,user,pss,uss,rss,args
measure 'smem' smem
measure 'quire ps --by map' "$quire" ps -q --by map
measure 'smem -m' smem -m
if command -v strace >/dev/null; then
	strace -o "$folder/calls" "$quire" ps -q >/dev/null 2>&1
	echo "system calls a process: quire ps" \
		"$(($(wc -l <"$folder/calls") * 10 / count))e-1"
	if command -v smem >/dev/null; then
		strace -o "$folder/calls" smem >/dev/null 2>&1
		echo "system calls a process: smem" \
			"$(($(wc -l <"$folder/calls") * 10 / count))e-1"
	fi
fi
"$quire" capture "$folder/c.tar.zst" 2>/dev/null
"$quire" capture "$folder/c.tar" 2>/dev/null
echo "capture: $(stat -c %s "$folder/c.tar.zst") bytes," \
	"$(stat -c %s "$folder/c.tar") before zstd"
if command -v tmux >/dev/null; then
	socket=quire-bench-$$
	tmux -L "$socket" -f /dev/null new-session -d -x 120 -y 40 "$quire top"
	top=$(tmux -L "$socket" list-panes -F '#{pane_pid}')
	sleep 3
	before=$(awk '{ print $14 + $15 }' "/proc/$top/stat")
	sleep 20
	after=$(awk '{ print $14 + $15 }' "/proc/$top/stat")
	echo "quire top, every second: $(((after - before) * 100 / 20 /
		$(getconf CLK_TCK))) % of a CPU ($((after - before)) ticks in 20 s)"
	tmux -L "$socket" kill-server
fi
# One word a process.
# shellcheck disable=SC2086
kill $pids
pids=

mkfifo "$folder/stay"
"$folder/mappings" 40000 <"$folder/stay" >"$folder/ready" &
big=$!
pids=$big
exec 9>"$folder/stay"
until grep -q ready "$folder/ready"; do sleep 0.1; done
echo "== a process of $(wc -l <"/proc/$big/maps") mappings"
measure 'quire ps PID' "$quire" ps -q "$big"
measure 'quire map PID' "$quire" map -q "$big"
measure 'quire map PID --by address' "$quire" map -q "$big" --by address
measure 'pmap -x PID' pmap -x "$big"
measure 'smem -P mappings' smem -P mappings
exec 9>&-
echo "== slabs"
measure 'quire slab' "$quire" slab -q
measure 'slabtop -o' slabtop -o
