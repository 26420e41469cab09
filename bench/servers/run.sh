#!/bin/sh
# SPDX-License-Identifier: MIT
# Servers under load, beside themselves with half of their memory:
#
#   run.sh [-t SECONDS] QUIRE [redis|nginx|postgres ...]
#
# A server is started plain and loaded for SECONDS [60] by the load generator
# that comes with it; its memory is then the sum of Pss_Anon and Pss_Shmem of
# its processes. It is loaded the same way again with half of that as its
# budget, but 24 MiB at least. A line of the table is a run.
set -u
seconds=60
[ "${1:-}" = -t ] && { seconds=$2; shift 2; }
quire=$1
shift
[ $# -gt 0 ] || set -- redis nginx postgres
dir=$(mktemp -d /var/tmp/quire-servers.XXXXXX) || exit 1
chmod 755 "$dir"
port=$((20000 + $$ % 20000))
server=
trap 'stop; rm -rf "$dir"' EXIT
for folder in /usr/sbin /usr/lib/postgresql/*/bin; do
	PATH=$PATH:$folder
done

stop() {
	[ -z "$server" ] && return
	kill "$server" 2>/dev/null
	wait "$server" 2>/dev/null
	server=
}

# The processes below this one, and it.
tree() {
	echo "$1"
	cat /proc/"$1"/task/*/children 2>/dev/null | tr ' ' '\n' |
		while read -r child; do
			[ -z "$child" ] || tree "$child"
		done
}

# KiB of the server's processes.
memory() {
	for pid in $(tree "$server"); do
		cat "/proc/$pid/smaps_rollup" 2>/dev/null
	done | awk '/^Pss_(Anon|Shmem):/ { sum += $2 } END { print sum + 0 }'
}

# until CMD...: waits for the server to answer.
until_it() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || { echo "no answer: $*" >&2; exit 1; }
		sleep 0.1
	done
}

# line RUN ERRORS A_SECOND P50 P95 P99 MAX: of the table.
line() {
	printf '| %s | %s | %s | %s | %s | %s | %s |\n' "$@"
}

# --- redis: 130 MB of values, read and written at random ---

redis_start() {
	"$@" redis-server --port $port --save '' --dir "$dir" \
		>"$dir/redis.log" 2>&1 &
	server=$!
	until_it redis-cli -p $port ping
	redis-benchmark -p $port -t set -d 1000 -r 100000 -n 300000 -q \
		>/dev/null 2>&1
}

redis_load() {
	end=$(($(date +%s) + seconds))
	: >"$dir/csv"
	while [ "$(date +%s)" -lt $end ]; do
		redis-benchmark -p $port -t get,set -d 1000 -r 100000 \
			-n 200000 --csv >>"$dir/csv" 2>"$dir/errors"
		grep -v '^$' "$dir/errors" >>"$dir/all-errors"
	done
	errors=$(redis-cli -p $port info errorstats | grep -c '^errorstat')
	# The medians of the rounds, and their worst.
	for test in SET GET; do
		awk -F'"' -v t=$test '$2 == t { print $4, $10, $12, $14, $16 }' \
			"$dir/csv" | sort -n >"$dir/rounds"
		n=$(wc -l <"$dir/rounds")
		mid=$(((n + 1) / 2))
		sed -n "${mid}p" "$dir/rounds" >"$dir/median"
		read -r rate p50 p95 p99 _ <"$dir/median"
		worst=$(awk '$5 > m { m = $5 } END { print m }' "$dir/rounds")
		line "redis $test, $way" "$errors" "$rate" \
			"$p50" "$p95" "$p99" "$worst"
	done
}

# --- nginx: a page of 16 KiB to 32 connections ---

nginx_start() {
	mkdir -p "$dir/www"
	head -c 16384 /dev/urandom >"$dir/www/page"
	cat >"$dir/nginx.conf" <<-END
		worker_processes 2;
		daemon off;
		pid $dir/nginx.pid;
		error_log $dir/nginx.log;
		events { worker_connections 512; }
		http {
			access_log off;
			server { listen 127.0.0.1:$port; root $dir/www; }
		}
	END
	"$@" nginx -c "$dir/nginx.conf" >"$dir/nginx.out" 2>&1 &
	server=$!
	until_it ab -n 1 "http://127.0.0.1:$port/page"
}

nginx_load() {
	ab -q -t "$seconds" -n 100000000 -c 32 \
		"http://127.0.0.1:$port/page" >"$dir/ab" 2>&1
	awk -v way="$way" '
		/^Failed requests/ { failed = $3 }
		/^Non-2xx/ { failed += $3 }
		/^Requests per second/ { rate = $4 }
		/^ +(50|95|99|100)%/ { at[$1] = $2 }
		END {
			printf "| nginx, %s | %s | %s | %s | %s | %s | %s |\n",
			    way, failed, rate, at["50%"], at["95%"], at["99%"],
			    at["100%"]
		}' "$dir/ab"
}

# --- postgres: pgbench with 8 clients, as a user of its own ---

user() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
	else
		"$@"
	fi
}

postgres_start() {
	mkdir -p "$dir/pg"
	[ "$(id -u)" != 0 ] || chown 65534:65534 "$dir/pg"
	HOME=$dir/pg
	export HOME
	[ -d "$dir/pg/data" ] ||
		user initdb -U bench -D "$dir/pg/data" >"$dir/initdb" 2>&1
	user "$@" postgres -D "$dir/pg/data" -p $port -k "$dir/pg" \
		-c listen_addresses= -c shared_buffers=64MB \
		-c fsync=off >"$dir/pg.log" 2>&1 &
	server=$!
	until_it pg_isready -h "$dir/pg" -p $port -U bench
	user pgbench -h "$dir/pg" -p $port -U bench -i -s 8 -q postgres \
		>/dev/null 2>&1
}

postgres_load() {
	(cd "$dir/pg" && rm -f log.* && user pgbench -h "$dir/pg" -p $port \
		-U bench -c 8 -j 2 -T "$seconds" -l --log-prefix=log postgres \
		>out 2>errors)
	failed=$(sed -n 's/^number of failed transactions: \([0-9]*\).*/\1/p' \
		"$dir/pg/out")
	rate=$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$dir/pg/out")
	cat "$dir"/pg/log.* | awk '{ print $3 / 1000 }' | sort -n >"$dir/times"
	n=$(wc -l <"$dir/times")
	at() {
		sed -n "$((n * $1 / 100 > 0 ? n * $1 / 100 : 1))p" "$dir/times"
	}
	line "postgres, $way" "$failed" "$rate" \
		"$(at 50)" "$(at 95)" "$(at 99)" "$(tail -n 1 "$dir/times")"
}

printf '| server, run | errors | a second | p50 ms | p95 | p99 | worst |\n'
printf '|---|---|---|---|---|---|---|\n'
for name; do
	way=plain
	"${name}_start"
	"${name}_load"
	half=$(($(memory) / 2048))
	[ $half -ge 24 ] || half=24
	stop
	way="$half MiB"
	"${name}_start" "$quire" run -q -m "${half}M" --
	"${name}_load"
	stop
done
