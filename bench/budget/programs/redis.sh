#!/bin/sh
# SPDX-License-Identifier: MIT
# A server without persistence, filled and read by its own client tools over
# a socket in a directory of its own.
dir=$(mktemp -d) || exit 1
sock=$dir/redis.sock
redis-server --port 0 --unixsocket "$sock" --save '' --dir "$dir" \
	--daemonize no >"$dir/log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$dir"' EXIT
tries=0
until redis-cli -s "$sock" ping >/dev/null 2>&1; do
	tries=$((tries + 1))
	[ $tries -lt 200 ] || { cat "$dir/log"; exit 1; }
	sleep 0.05
done
awk 'BEGIN { for (i = 0; i < 200000; i++) {
	key = "key:" i
	value = sprintf("{\"id\":%d,\"name\":\"user%d\",\"tags\":[\"a\",\"b%d\"]," \
	    "\"text\":\"%0200d\",\"score\":%d}", i, i, i % 50, i, i * 7919 % 1000)
	printf "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", length(key), key,
	    length(value), value } }' |
	redis-cli -s "$sock" --pipe >/dev/null
awk 'BEGIN { for (i = 0; i < 200000; i += 3) printf "GET key:%d\r\n", i * 17 % 200000 }' |
	redis-cli -s "$sock" | cksum
redis-cli -s "$sock" dbsize
redis-cli -s "$sock" shutdown nosave >/dev/null 2>&1
wait $server
