#!/bin/bash
# SPDX-License-Identifier: MIT
# programs.sh NAME: a real program doing something that prints the same each
# time; 77 if it is not installed. Without NAME: the names.
need() {
	command -v "$1" >/dev/null || {
		echo "skipped: $1 is not installed"
		exit 77
	}
}

program_python() {
	need python3
	python3 - <<-'END'
	import multiprocessing, os, signal, subprocess, threading, time
	def square(x): return x * x
	threads = [threading.Thread(target=time.sleep, args=(0.01,))
	           for _ in range(20)]
	for t in threads: t.start()
	for t in threads: t.join()
	print(subprocess.run(['echo', 'sub'], capture_output=True).stdout)
	print(subprocess.check_output('echo x | wc -c', shell=True))
	hits = []
	signal.signal(signal.SIGALRM, lambda s, f: hits.append(s))
	signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
	while len(hits) < 10: time.sleep(0.05)
	signal.setitimer(signal.ITIMER_REAL, 0, 0)
	with multiprocessing.get_context('fork').Pool(3) as pool:
	    print(pool.map(square, range(10)))
	pid = os.fork()
	if pid == 0: os._exit(7)
	print(os.waitpid(pid, 0)[1] >> 8)
	data = {i: str(i) * 10 for i in range(50000)}
	print(sum(len(v) for v in data.values()))
	END
}

program_sort() {
	need sort
	seq 60000 | sort -R --random-source=/bin/sh |
		sort -n --parallel=2 -S 4M | md5sum
}

program_sqlite() {
	need sqlite3
	sqlite3 test.db "create table t(a, b);
		with recursive c(x) as (select 1 union all
			select x + 1 from c where x < 20000)
		insert into t select x, x * x from c;
		create index i on t(b); select sum(b), count(*) from t;
		pragma integrity_check;"
}

program_perl() {
	need perl
	{ perl -e '$SIG{ALRM} = sub { print "alarm\n" }; alarm 1;
		select(undef, undef, undef, 3); print `echo sub`;
		my %h; $h{$_ % 1000} += $_ for 1 .. 100000; print $h{7}, "\n";
		if (!fork) { exit 3 } wait; print $? >> 8, "\n";
		kill "KILL", $$;'
	echo $?; } 2>/dev/null
}

program_compiler() {
	need g++
	cat >hello.cpp <<-'END'
	#include <map>
	#include <cstdio>
	int main() { std::map<int, int> m; m[3] = 4; printf("%d\n", m[3]); }
	END
	g++ -O1 hello.cpp -o hello && ./hello
}

program_node() {
	need node
	node -e 'const { Worker } = require("worker_threads");
		const { execSync, spawn } = require("child_process");
		console.log(execSync("echo x").toString());
		const w = new Worker("require(\"worker_threads\")" +
			".parentPort.postMessage(42)", { eval: true });
		w.on("message", m => { console.log(m);
			spawn("echo", ["child"]).stdout.on("data",
				d => console.log(d.length)); });
		let s = 0; for (let i = 0; i < 3e5; i++) s += ({ i }).i;
		console.log(s);'
}

program_java() {
	need java
	java -Xint -version 2>&1 | head -1
}

program_make() {
	need make
	printf 'all: a b c d e f\n' >Makefile
	printf 'a b c d e f:\n\t@echo $@ >$@.o; cat $@.o\n' >>Makefile
	make -j3 -s | sort
}

program_shell() {
	for i in 1 2 3 4 5; do
		(seq $i | tac | while read -r x; do echo "$x"; done) | cat
	done
	sleep 0.1 & wait
	trap 'echo trapped' USR1
	kill -USR1 $$
	tar cf - /etc/passwd 2>/dev/null | gzip | gunzip | tar tf -
	find /etc -maxdepth 1 -name 'pass*' -print0 | xargs -0 wc -c
	exec 5<>file; echo text >&5; cat file
}

program_redis() {
	need redis-server
	port=$((20000 + $$ % 20000))
	redis-server --port $port --save '' --dir . >/dev/null &
	until redis-cli -p $port ping 2>/dev/null | grep -q PONG; do
		sleep 0.05
	done
	redis-cli -p $port eval 'for i = 1, 5000 do
		redis.call("set", "k" .. i, string.rep("v", i % 100)) end
		return redis.call("dbsize")' 0
	redis-cli -p $port get k77
	redis-cli -p $port bgsave
	sleep 0.3
	redis-cli -p $port shutdown nosave
	wait
	[ -s dump.rdb ] && echo saved
}

if [ $# = 0 ]; then
	declare -F | sed -n 's/^declare -f program_//p'
else
	"program_$1"
fi
