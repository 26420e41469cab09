# SPDX-License-Identifier: MIT
"""map, status, limits, shm, time: one process, from the kernel's own words;
sums that differ are named; pmap's and smem's columns are all there."""
import json
import subprocess
import sys
import tempfile

from bed import (Area, KIB, Machine, MIB, SEED, has, quire, random,
                 random_machine, same)

# Columns of pmap's modes and of smem's mappings, and ours.
PMAP = {
    "pmap": "address vss perm map",
    "pmap-x": "address vss rss dirty perm map",
    "pmap-d": "address vss perm offset device map",
    "pmap-X": "perm offset device inode vss rss pss pss_dirty referenced "
              "anonymous ksm lazyfree shmem_pmd file_pmd shared_hugetlb "
              "private_hugetlb swap swappss locked thpeligible map",
    "pmap-XX": "kernelpagesize mmupagesize shared_clean shared_dirty "
               "private_clean private_dirty anon_huge vmflags protectionkey",
    "smem": "map maps swap uss pss rss vss",
}


def box():
    machine = Machine()
    machine.process(5, "five", areas=[
        Area(0x10000, 64, "r-xp", "/bin/five", 3, Rss=60, Pss=60,
             Private_Clean=60),
        Area(0x20000, 64, "rw-p", "/bin/five", 3, Rss=20, Pss=20,
             Private_Dirty=20, Swap=4, SwapPss=4),
        Area(0x40000, 128, "rw-p", "[heap]", Rss=100, Pss=100,
             Private_Dirty=100, Swap=28, SwapPss=28, NewKey=9),
        Area(0x80000, 64, "---p", ""),
        Area(0x90000, 64, "rw-s", "/dev/shm/x", 9, Rss=8, Pss=2,
             Shared_Dirty=8),
        Area(0xa0000, 64, "rw-p", "[stack]", Rss=4, Pss=4, Private_Dirty=4),
        Area(0xb0000, 64, "rw-p", "", Rss=4, Pss=3, Private_Dirty=2),
    ])
    return machine


def maps():
    with box() as machine:
        rows = machine.quire("map", "5", "--json").rows()
        kinds = {row["kind"]: row["rss"] // KIB for row in rows}
        same({"heap": 100, "code": 60, "data": 20, "shared": 8, "stack": 4,
              "anonymous": 4, "reserved": 0}, kinds, "kinds")
        for by in ("kind", "address", "name"):
            data = machine.quire("map", "five", "--by", by, "--json",
                                 "-O").json
            same((196 * KIB, 512 * KIB), (data["total"]["rss"],
                                          data["total"]["vss"]), by)
            for key, total in data["total"].items():
                same(total, sum(row.get(key) or 0 for row in data["rows"]),
                     key)
        rows = machine.quire("map", "5", "--by", "address", "--json").rows()
        same(9 * KIB, rows[2]["newkey"], "unknown")
        same("0x10000", rows[0]["address"], "address")
        for like, wanted in PMAP.items():
            header = machine.quire("map", "5", "--like", like, "--raw").text
            for name in wanted.split():
                has(header.splitlines()[0].split(), name)
        # Differences are named.
        smaps = open(machine.root + "/proc/5/smaps").read()
        smaps += ("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 "
                  "[vsyscall]\nRss: 0 kB\nPss: 0 kB\n")
        machine.put("proc/5/smaps", smaps)
        has(machine.quire("map", "5"), "vsyscall page")
        rollup = open(machine.root + "/proc/5/smaps_rollup").read()
        machine.put("proc/5/smaps_rollup", rollup.replace(" 189 kB", " 191 kB", 1))
        has(machine.quire("map", "5"), "2 K more")
        has(machine.quire("map", "6", code=1), "no process 6")
        has(machine.quire("map", "six", code=1), "is called 'six'")
        machine.quire("map", code=2)
        machine.process(6, "five", areas=[Area(0x1000, 4)])
        has(machine.quire("map", "five", code=2), "5 6")


def properties(rng):
    with random_machine(rng, count=6) as machine:
        for pid in machine.processes:
            for by in ("kind", "address", "name"):
                data = machine.quire("map", str(pid), "--by", by, "--json",
                                     "-O").json
                for key, total in data["total"].items():
                    same(total, sum(row.get(key) or 0
                                    for row in data["rows"]), key)


def status_and_limits():
    with Machine() as machine:
        machine.process(5, "five", areas=[Area(0x1000, 64, Rss=8, Pss=8)],
                        extra="VmOdd:\t 7 kB\nOther:\tx y\n")
        rows = {row["field"]: row for row in machine.quire(
            "status", "5", "--json").rows()}
        same((7 * KIB, 64 * KIB), (rows["VmOdd"]["size"],
                                   rows["VmSize"]["size"]), "status")
        same(False, "Other" in rows, "only what is about memory")
        has(machine.quire("status", "-a", "5"), "x y")
        machine.put("proc/5/limits", "Limit  Soft  Hard  Units\n"
                    "Max address space  131072  unlimited  bytes\n"
                    "Max open files 1 2 files\n")
        machine.put("proc/5/oom_score", "77\n")
        rows = {row["limit"]: row for row in machine.quire(
            "limits", "5", "--json").rows()}
        same((64 * KIB, 128 * KIB, None, 50.0), tuple(
            rows["address space"][key] for key in (
                "used", "soft", "hard", "share")), "limits")
        has(machine.quire("limits"), "dies first: 5 five (score 77)")


def shm():
    with Machine() as machine:
        machine.put("proc/sysvipc/shm", "key shmid perms size cpid lpid "
                    "nattch uid gid cuid cgid atime dtime ctime rss swap\n"
                    "4660 9 600 8192 5 6 1 33 33 33 33 0 0 0 4096 0\n")
        for pid in (5, 6):
            machine.process(pid, "p", areas=[
                Area(0x1000, 8, "rw-s", "/SYSV00001234 (deleted)", 9,
                     Rss=4, Pss=2),
                Area(0x9000, 16, "rw-s", "/memfd:a b (deleted)", 77, Rss=16,
                     Pss=8)])
        rows = {row["kind"]: row for row in machine.quire(
            "shm", "--json").rows()}
        same((9, "www", 8192, 2, "5,6", "key 0x00001234"), tuple(
            rows["sysv"][key] for key in (
                "id", "user", "size", "attached", "pids", "name")), "sysv")
        same((16 * KIB, 16 * KIB, "/memfd:a b (deleted)"), tuple(
            rows["memfd"][key] for key in ("size", "resident", "name")),
            "memfd")


PLANTED = """
import ctypes, mmap, os, sys, time
shared = mmap.mmap(-1, 4 << 20)
shared.write(b"s" * (4 << 20))
pid = os.fork()
private = mmap.mmap(-1, 8 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
private.write(b"p" * (8 << 20))
if pid == 0:
    shared.seek(0)
    shared.read()
os.write(1, b"%d\\n" % os.getpid())
sys.stdin.readline()
"""


def rollup(pid):
    kernel = {}
    for line in open("/proc/%d/smaps_rollup" % pid):
        words = line.split()
        if words[0].endswith(":") and len(words) == 3:
            kernel[words[0][:-1]] = int(words[1]) * KIB
    return (kernel["Rss"], kernel["Pss"], kernel["Private_Clean"] +
            kernel["Private_Dirty"], kernel["Swap"])


# What quire itself shares with a Python while it looks: libc's pages, mostly.
OWN_SHARE = 256 * KIB


def compare_with_kernel(pid):
    """Other processes share its libraries as they come and go, so the two
    looks may differ: one of many must agree, but for a PSS that is smaller by
    what quire shares in turn."""
    for _ in range(100):
        rss, pss, uss, swap = rollup(pid)
        row = quire("ps", str(pid), "--json").rows()[0]
        got = tuple(row[key] for key in ("rss", "pss", "uss", "swap"))
        if (got[0], got[2], got[3]) == (rss, uss, swap) and \
                pss - OWN_SHARE <= got[1] <= pss:
            return row
    same((rss, pss, uss, swap), got, "the kernel's own sums")
    return row


def planted():
    """Truth: 4 MiB shared by two, 8 MiB of each one's own."""
    child = subprocess.Popen([sys.executable, "-c", PLANTED],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        pids = [int(child.stdout.readline()) for _ in range(2)]
        for pid in pids:
            rows = {row["map"]: row for row in quire(
                "map", str(pid), "--by", "name", "--json").rows()}
            row = rows["/dev/zero (deleted)"]
            same((4 * MIB, 2 * MIB, 0), (row["rss"], row["pss"],
                                         row["uss"]), "shared")
            row = compare_with_kernel(pid)
            same(True, row["uss"] >= 8 * MIB, "private")
            text = quire("map", str(pid), "--pages", env={
                "LC_ALL": "C.UTF-8"}).text
            has(text, "\u28ff" * 8)
    finally:
        child.stdin.close()
        child.wait()


def symbols():
    with tempfile.TemporaryDirectory() as folder:
        source, program = folder + "/x.c", folder + "/x"
        with open(source, "w") as file:
            file.write("#include <unistd.h>\nchar planted_bss[123456];\n"
                       "int planted_data[1000] = {1};\n"
                       "const int planted_constant[500] = {2};\n"
                       "int main(void) { char c; write(1, \"r\\n\", 2); "
                       "return read(0, &c, 1) + planted_bss[0] + "
                       "planted_data[0] + planted_constant[0]; }\n")
        if subprocess.run(["cc", source, "-o", program], check=False,
                          stderr=subprocess.DEVNULL).returncode != 0:
            print("no compiler: symbols left out")
            return
        child = subprocess.Popen([program], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)
        try:
            child.stdout.readline()
            rows = {row["symbol"]: row for row in quire(
                "map", str(child.pid), "--symbols", "--json").rows()}
            same([(123456, ".bss"), (4000, ".data"), (2000, ".rodata")],
                 [(rows[name]["size"], rows[name]["section"]) for name in (
                     "planted_bss", "planted_data", "planted_constant")],
                 "symbols")
            same(program, rows["planted_bss"]["image"], "image")
        finally:
            child.stdin.close()
            child.wait()


def time():
    result = quire("time", "--json", "--", sys.executable, "-c",
                   "import sys; x = bytearray(64 << 20); sys.exit(7)",
                   code=7)
    data = json.loads(result.err)
    same(True, data["rows"][0]["max_rss"] > 64 * MIB, "max_rss")
    same(b"", result.out, "stdout is the command's")
    same(b"out\n", quire("time", "--", "echo", "out").out, "stdout")
    quire("time", "--", "/no/such", code=127)
    quire("time", "--", "/etc/passwd", code=126)
    quire("time", "--", "sh", "-c", "kill -9 $$", code=137)
    quire("time", code=2)


def main():
    maps()
    properties(random.Random(SEED))
    status_and_limits()
    shm()
    planted()
    symbols()
    time()


main()
