#!/bin/sh
# SPDX-License-Identifier: MIT
# programs.sh LIBRARY.so: real programs give the same output and the same exit
# code with the library preloaded as without. What is not installed is skipped
# and said so.
set -u
library=${1:?usage: programs.sh LIBRARY.so}
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
status=0

# same PROGRAM COMMAND...: runs the command twice and compares.
same() {
	program=$1
	shift
	if ! command -v "$program" >/dev/null; then
		echo "skipped: no $program here"
		return
	fi
	"$@" >plain.out 2>plain.err </dev/null
	plain=$?
	LD_PRELOAD=$library "$@" >quire.out 2>quire.err </dev/null
	quire=$?
	if [ $plain -eq $quire ] && cmp -s plain.out quire.out; then
		echo "same: $program"
		return
	fi
	echo "DIFFERENT: $program: exit $plain, with the library $quire"
	head -5 quire.err
	status=1
}

seq 200000 -1 1 >numbers
cat >classes.cc <<'END'
#include <iostream>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

struct alignas(128) wide { char bytes[200]; };

static void
fill(std::size_t *sum)
{
	std::map<std::string, std::vector<int>> map;
	for (int i = 0; i < 20000; i++)
		map["key " + std::to_string(i * 7919 % 5003)].push_back(i);
	for (const auto &entry : map)
		*sum += entry.first.size() * entry.second.size();
}

int
main()
{
	std::size_t sum[4] = {};
	std::vector<std::thread> threads;
	for (auto &each : sum)
		threads.emplace_back(fill, &each);
	for (auto &thread : threads)
		thread.join();
	std::cout << sum[0] + sum[1] + sum[2] + sum[3] << '\n';
	auto one = std::make_unique<wide>();
	std::cout << reinterpret_cast<unsigned long>(one.get()) % 128 << '\n';
	volatile std::size_t huge = std::size_t(1) << 50;
	try {
		delete[] new char[huge];
	} catch (const std::bad_alloc &) {
		std::cout << "bad_alloc\n";
	}
	std::cout << (new (std::nothrow) char[huge] == nullptr) << '\n';
	return 0;
}
END
cat >script.py <<'END'
import json, os, subprocess, threading
data = {str(i): list(range(i % 50)) for i in range(20000)}
text = json.dumps(data)
assert json.loads(text) == data
def work(out, k):
    out[k] = sum(len(str(i) * 3) for i in range(50000))
out = [0] * 4
threads = [threading.Thread(target=work, args=(out, k)) for k in range(4)]
[t.start() for t in threads]
pids = []
for k in range(5):
    pid = os.fork()
    if pid == 0:
        os._exit(len(json.dumps(list(range(1000)))) % 7)
    pids.append(pid)
print([os.waitpid(pid, 0)[1] >> 8 for pid in pids])
[t.join() for t in threads]
print(out, len(text), subprocess.run(["echo", "child"], capture_output=True))
END
cat >Threads.java <<'END'
import java.util.ArrayList;
public class Threads {
    public static void main(String[] args) throws Exception {
        ArrayList<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            Thread thread = new Thread(() -> {
                StringBuilder text = new StringBuilder();
                for (int k = 0; k < 10000; k++) text.append(k);
            });
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) thread.join();
        System.out.println("done");
    }
}
END
cat >table.sql <<'END'
create table t(a, b, c);
with recursive n(x) as (select 1 union all select x + 1 from n where x < 50000)
insert into t select x, x * 7919 % 50021, hex(x) from n;
create index i on t(b);
select count(*), sum(b), max(c) from t where b between 1000 and 30000;
END

same true true
same sort sort -n --parallel=4 numbers
# The programs' own.
# shellcheck disable=SC2016
same perl perl -e 'my %h; $h{$_} = [1 .. $_ % 9] for 1 .. 50000;
	my $n = 0; $n += @{$h{$_}} for sort keys %h; print "$n\n";'
same python3 python3 script.py
same sqlite3 sqlite3 -init table.sql :memory: .quit
same g++ g++ -O1 -o classes classes.cc -pthread
[ -x classes ] && same ./classes ./classes
same node node -e 'const a = []; for (let i = 0; i < 2e5; i++) a.push({ i });
	console.log(a.length, Buffer.alloc(1e6).length)'
same java java Threads.java
# shellcheck disable=SC2016
same bash bash -c 'for i in 1 2 3; do (echo $i | cat) & wait; done'
same gzip gzip -c numbers
exit $status
