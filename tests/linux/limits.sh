#!/bin/sh
# SPDX-License-Identifier: MIT
# Proves what `quire run -m` does where memory ends:
#
#   limits.sh QUIRE PRESS CASE
#
# PRESS is programs/press.c. CASE is
#   oom      out of memory: killed, exit 137, and both of the numbers that the
#            report names are enough
#   never    --overcommit=never: refused with ENOMEM, nothing half done
#   floor    memory that can't be managed outgrows the budget: reported with a
#            number that does
#   disk     no room for the swap file, at the start, in the middle, for a
#            while
#   signals  what ends or stops a program does so, and leaves nothing behind
#   tree     forks, kills and many short children under pressure
set -u
quire=$1
press=$2
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
export HOME="$dir" XDG_STATE_HOME="$dir/state" LC_ALL=C
bad=0

fail() {
	bad=1
	echo "not so: $*"
	cat "$dir/out" "$dir/err" 2>/dev/null
}

# budget STATUS FLAGS... -- CMD...: runs it, and STATUS must come out.
budget() {
	expect=$1
	shift
	timeout -s KILL 30 "$quire" run -q "$@" \
		>"$dir/out" 2>"$dir/err" </dev/null
	status=$?
	[ "$status" = "$expect" ] || fail "exit $expect, but $status: $*"
}

# said TEXT: the last run's standard error has it.
said() {
	grep -q -e "$1" "$dir/err" || fail "it says '$1'"
}

# A number that the last run's report names behind the option.
named() {
	sed -n "s/.* $1 \([0-9]*M\).*/\1/p" "$dir/err"
}

oom() {
	budget 137 -m 32M --swap off -- "$press" random 48
	said 'is out of memory at'
	said 'enough would have been'
	swap=$(named --swap-max)
	memory=$(named -m)
	budget 0 -m "$memory" --swap off -- "$press" random 48
	budget 0 -m 32M --swap-max "$swap" -- "$press" random 48
	budget 137 -m 32M --swap-max 8M -- "$press" random 48
	said 'no room in the swap file'
	budget 137 -m 32M --swap-max 8M --overcommit always -- \
		"$press" random 4000
}

never() {
	budget 3 -m 32M --overcommit never -- "$press" random 400
	grep -q 'malloc: Cannot allocate' "$dir/out" || fail "malloc refused"
	budget 0 -m 32M --overcommit never -- "$press" grow 400
	[ "$(grep -c 'Cannot allocate memory' "$dir/out")" = 4 ] ||
		fail "all four refused"
	budget 0 -m 32M --overcommit always -- "$press" grow 400
	[ "$(grep -c grew "$dir/out")" = 4 ] || fail "all four grew"
	budget 3 -m 32M --swap-max 32M -- "$press" random 4000
}

floor() {
	budget 0 -m 32M -- "$press" threads 40
	said 'is too small: .* managed'
	memory=$(named -m)
	budget 0 -m "$memory" -- "$press" threads 40
	if grep -q 'too small' "$dir/err"; then fail "-m $memory does"; fi
	timeout -s KILL 30 "$quire" run -q -m 32M -- "$press" shared 64 \
		>"$dir/out" 2>"$dir/err"
	said 'is too small: .* managed'
	budget 0 -m 90M -- "$press" shared 64
	budget 0 -m 32M -- "$press" stack 7
	budget 0 -m 24M --codec zstd -- "$press" gone 64
}

disk() {
	budget 125 -m 32M --swap /dev/shm -- "$press" random 8
	budget 125 -m 32M --swap "$dir/none" -- "$press" random 8
	(
		ulimit -f 8192
		budget 0 -m 32M -- "$press" random 32
		budget 137 -m 32M -- "$press" random 48
		exit $bad
	) || bad=1
	budget 0 -m 32M -- "$press" limited 36
	[ "$(id -u)" = 0 ] || return
	truncate -s 16M "$dir/image"
	mkdir "$dir/small"
	mkfs.ext4 -q "$dir/image" 2>/dev/null &&
		mount -o loop "$dir/image" "$dir/small" 2>/dev/null || return
	budget 0 -m 32M --swap "$dir/small" --swap-max 99M -- "$press" random 36
	budget 137 -m 32M --swap "$dir/small" --swap-max 99M -- \
		"$press" random 64
	said 'swap DIR where'
	umount "$dir/small"
}

# ended SIGNAL STATUS: a run that it is sent to.
ended() {
	timeout --preserve-status -s "$1" 0.3 "$quire" run -q -m 24M -- \
		sh -c "'$press' random 48; sleep 9" >"$dir/out" 2>&1
	status=$?
	[ "$status" = "$2" ] || fail "SIG$1 exits $2, but $status"
}

# gone NAME: no process of that name is left, at the latest after 10 s.
gone() {
	tries=0
	while pgrep -x "$1" >/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || { fail "no process is left"; return; }
		sleep 0.1
	done
}

# Processes of this test's own name, and a swap folder that nobody else uses:
# other tests run beside it.
signals() {
	name=press$$
	cp "$press" "$dir/$name"
	press=$dir/$name
	QUIRE_SWAP_DIR=$(mktemp -d /var/tmp/quire-test.XXXXXX) || exit 1
	export QUIRE_SWAP_DIR
	ended INT 130
	ended TERM 143
	ended HUP 129
	for wait in 0.01 0.03 0.06 0.1 0.2; do
		timeout -s KILL $wait "$quire" run -q -m 24M -- \
			"$press" random 64 >"$dir/out" 2>&1
	done
	"$quire" run -q -m 24M -- "$press" random 40 >"$dir/out" 2>&1 &
	sleep 0.05
	kill -STOP $!
	sleep 0.1
	kill -CONT $!
	wait $! || fail "it goes on after SIGSTOP"
	gone "$name"
	[ -z "$(ls -A "$QUIRE_SWAP_DIR")" ] || fail "nothing is left"
	rm -rf "$QUIRE_SWAP_DIR"
}

tree() {
	# Each leaves three quarters of the budget to its killer's heirs.
	cat >"$dir/kills.sh" <<-'END'
		for i in 1 2 3 4 5 6; do
			"$1" random 30 >/dev/null &
			sleep 0.05
			kill -KILL $!
			wait $!
		done 2>/dev/null
		"$1" random 30
	END
	budget 0 -m 48M --swap off -- sh "$dir/kills.sh" "$press"
	# One holds all of the budget, another needs some to start and fork.
	cat >"$dir/full.sh" <<-'END'
		"$1" random 96 >/dev/null &
		i=0
		while [ $i -lt 100 ]; do
			/bin/true || exit 1
			echo $i | cat >/dev/null || exit 1
			i=$((i + 1))
		done
		wait
	END
	budget 0 -m 32M -- sh "$dir/full.sh" "$press"
	# Killed at any moment of a fork: the slots come back.
	cat >"$dir/slots.sh" <<-'END'
		i=0
		while [ $i -lt 40 ]; do
			sh -c 'while :; do /bin/true; done' &
			sleep 0.01
			kill -KILL $!
			wait $!
			i=$((i + 1))
		done 2>/dev/null
		"$1" random 24
	END
	budget 0 -m 48M --swap off -- sh "$dir/slots.sh" "$press"
}

case $3 in
oom) oom ;;
never) never ;;
floor) floor ;;
disk) disk ;;
signals) signals ;;
tree) tree ;;
*) exit 2 ;;
esac
[ $bad = 0 ] && echo "$3: as promised"
exit $bad
