#!/bin/sh
# SPDX-License-Identifier: MIT
# real.sh NAME: the programs of bench/budget/programs, at a fifth of the work,
# for compare.sh. Exits 77 if the program is not installed.
set -u
need() {
	command -v "$1" >/dev/null 2>&1 || exit 77
}

case $1 in
python)
	need /usr/bin/python3
	exec /usr/bin/python3 -c '
import random, threading, subprocess
random.seed(1)
d = {}
for i in range(80000):
    d["key%07d" % i] = [i, str(i * 7919 % 1000003), {"n": i % 97}]
s = sum(d[k][0] * d[k][2]["n"] for k in sorted(d, key=lambda k: d[k][1])[::3])
for k in sorted(d)[::2]:
    del d[k]
print(len(d), s, subprocess.check_output(["echo", "child"]))'
	;;
sort)
	export LC_ALL=C
	awk 'BEGIN { x = 12345; for (i = 0; i < 300000; i++) {
		x = (x * 1103515245 + 12345) % 2147483648; print x, i, "line" }
	}' | sort --parallel=2 -S 100M | cksum
	;;
sqlite)
	need sqlite3
	exec sqlite3 :memory: '
CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
  WHERE i < 400000)
INSERT INTO t SELECT i, i * 7919 % 1000003, "text " || (i * 31 % 65521) FROM n;
CREATE INDEX ta ON t(a);
SELECT count(*), sum(a) FROM t WHERE b LIKE "text 1%";
DELETE FROM t WHERE a % 3 = 0;
SELECT count(*), sum(id), max(b) FROM t;'
	;;
redis)
	need redis-server
	dir=$(mktemp -d) || exit 1
	redis-server --port 0 --unixsocket "$dir/sock" --save '' --dir "$dir" \
		>"$dir/log" 2>&1 &
	trap 'kill $! 2>/dev/null; rm -rf "$dir"' EXIT
	tries=0
	until redis-cli -s "$dir/sock" ping >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || exit 1
		sleep 0.05
	done
	awk 'BEGIN { for (i = 0; i < 40000; i++)
		printf "SET key:%d %0200d-%d\r\n", i, i, i * 7919 % 1000 }' |
		redis-cli -s "$dir/sock" --pipe >/dev/null
	awk 'BEGIN { for (i = 0; i < 40000; i += 3)
		printf "GET key:%d\r\n", i * 17 % 40000 }' |
		redis-cli -s "$dir/sock" | cksum
	redis-cli -s "$dir/sock" dbsize
	redis-cli -s "$dir/sock" shutdown nosave >/dev/null 2>&1
	wait $!
	;;
gxx)
	need g++
	printf '%s\n' '#include <map>' '#include <string>' '#include <vector>' \
		'int main() { std::map<int, std::vector<std::string>> m;' \
		'm[1].push_back("n"); return (int)m.size() - 1; }' |
		g++ -std=c++17 -O1 -S -o - -x c++ - | cksum
	;;
perl)
	need perl
	exec perl -e '
my %h; my $x = 1;
for my $i (1 .. 40000) {
	$x = ($x * 1103515245 + 12345) % 2147483648;
	$h{"k$i"} = { a => $x, b => "v$x", c => [$i, $x] };
}
my $s = 0;
for my $k (sort { $h{$a}{a} <=> $h{$b}{a} } keys %h) {
	$s = ($s * 31 + $h{$k}{c}[0]) % 1000000007;
}
print scalar(keys %h), " $s ", `echo child`;'
	;;
node)
	need node
	exec node -e '
const m = new Map(); let x = 1;
for (let i = 0; i < 80000; i++) {
	x = (Math.imul(x, 1103515245) + 12345) >>> 1;
	m.set("k" + i, { a: x, b: "v" + x, c: [i, x & 255] });
}
let s = 0;
for (const k of [...m.keys()].sort()) s = (s * 31 + m.get(k).c[0]) % 1000003;
console.log(m.size, s, JSON.stringify([...m.values()]).length);'
	;;
java)
	need java
	dir=$(mktemp -d) || exit 1
	trap 'rm -rf "$dir"' EXIT
	cat >"$dir/Work.java" <<-'EOF'
		import java.util.*;
		public class Work {
			public static void main(String[] a) {
				Map<String, long[]> m = new HashMap<>();
				long s = 0;
				for (int i = 0; i < 60000; i++)
					m.put("k" + i, new long[] { i, i % 97 });
				for (String k : new TreeSet<>(m.keySet()))
					s = (s * 31 + m.get(k)[1]) % 1000000007L;
				System.out.println(m.size() + " " + s);
			}
		}
	EOF
	java -XX:+UseSerialGC "$dir/Work.java"
	;;
*)
	exit 2
	;;
esac
