# SPDX-License-Identifier: MIT
"""quire ps: what is read equals what the kernel wrote, rows add up, names
survive every format, and what is missing is said."""
import csv
import io
import os

from bed import (Area, KIB, Machine, MIB, ODD_NAMES, QUIRE, SEED, has,
                 quire, random, random_machine, same)


def truth():
    with Machine() as box:
        box.process(7, "one", uid=33, areas=[
            Area(0x1000, 64, Rss=40, Pss=22, Private_Clean=4, Private_Dirty=8,
                 Shared_Clean=28, Swap=12, SwapPss=6, NewKey=44),
            Area(0x90000, 32, name="/lib/a b.so", Rss=8, Pss=4,
                 Shared_Clean=8)])
        box.process(8, "kthread", ppid=2)
        box.process(9, "ghost", state="Z (zombie)")
        row = box.quire("ps", "--json").rows()
        same(1, len(row), "processes with memory")
        wanted = {"pid": 7, "user": "www", "comm": "one", "rss": 48 * KIB,
                  "pss": 26 * KIB, "uss": 12 * KIB, "swap": 12 * KIB,
                  "vss": 96 * KIB, "epss": 32 * KIB,
                  "command": "one --arg", "newkey": 44 * KIB}
        for key, value in wanted.items():
            same(value, row[0].get(key), key)
        same(3, len(box.quire("ps", "-a", "--json").rows()), "all")
        row = box.quire("ps", "-o", "minflt,maps,exe,cgroup,tree,ppid,state",
                        "--json").rows()[0]
        same({"minflt": 21, "maps": 2, "exe": None, "cgroup": "/box",
              "tree": "one (7)", "ppid": 1, "state": "S", "newkey": None},
             dict(row, newkey=None), "others")
        # A group by mapping, with blanks in names.
        rows = box.quire("ps", "--by", "map", "--json").rows()
        same({"[anonymous]": 22 * KIB, "/lib/a b.so": 4 * KIB},
             {row["map"]: row["pss"] for row in rows}, "mappings")
        # Only the mappings that match.
        row = box.quire("ps", "-M", "lib", "--json").rows()[0]
        same((8 * KIB, 4 * KIB, 32 * KIB), (row["rss"], row["pss"],
                                            row["vss"]), "-M")
        # The rollup is not needed; nor is status.
        os.remove(box.root + "/proc/7/smaps_rollup")
        same(26 * KIB, box.quire("ps", "--json").rows()[0]["pss"], "smaps")
        os.remove(box.root + "/proc/7/status")
        row = box.quire("ps", "--json").rows()[0]
        same(("one", 48 * KIB), (row["comm"], row["rss"]), "stat")


def add_up(rng):
    with random_machine(rng) as box:
        for by in ("process", "user", "map", "comm", "exe", "cgroup", "tree"):
            limit = str(rng.randrange(1, 9))
            result = box.quire("ps", "--by", by, "-t", "-n", limit, "--json",
                               "-O", code=None)
            if result.code == 3:
                continue
            data = result.json
            for key, total in data["total"].items():
                rows = sum(row.get(key) or 0 for row in data["rows"])
                rest = data.get("rest", {}).get(key, 0)
                same(total, rows + rest, "%s by %s" % (key, by))
        # Groups hold what processes hold.
        totals = [box.quire("ps", "--by", by, "-t", "--json", code=None)
                  for by in ("process", "user", "comm", "tree", "map")]
        if totals[0].code == 0:
            same(1, len({t.json["total"]["pss"] for t in totals}), "pss")
            same(1, len({t.json["total"]["swap"] for t in totals}), "swap")


def names():
    with Machine() as box:
        for pid, name in enumerate(ODD_NAMES, 10):
            box.process(pid, name, cmdline=name + "\0", areas=[
                Area(0x1000, 8, name="/x/" + name + " (deleted)", Rss=8,
                     Pss=8, Private_Dirty=8)])
        data = {row["pid"]: row for row in box.quire("ps", "--json").rows()}
        for pid, name in enumerate(ODD_NAMES, 10):
            plain = name.encode("utf-8", "surrogateescape").decode(
                "utf-8", "replace")
            same(plain, data[pid]["comm"], "comm")
            same(plain, data[pid]["command"], "command")
        text = box.quire("ps", "--csv", "-o", "pid,comm").text
        rows = list(csv.reader(io.StringIO(text, newline="")))
        same(["pid", "comm"], rows[0], "header")
        same(dict(enumerate(ODD_NAMES, 10)),
             {int(pid): name for pid, name in rows[1:]}, "csv")
        raw = box.quire("ps", "--raw", "-o", "pid,comm", "-H").text
        for line in raw.splitlines():
            pid, name = line.split(" ")
            same(ODD_NAMES[int(pid) - 10].encode("utf-8", "surrogateescape"),
                 name.encode().decode("unicode_escape").encode("latin-1"),
                 "raw")
        lines = box.quire("ps", "--shell", "-o", "comm").out
        same(True, b"COMM='it'\\''s'\n" in lines, "shell")
        # Screens are one line a row, in any locale, without controls.
        for env in ({"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8"}):
            screen = box.quire("ps", "--width", "60", env=env)
            lines = screen.text.splitlines()
            same(len(ODD_NAMES) + 1, len(lines), "lines")
            for line in lines:
                same(True, len(line) <= 60 and "\x1b" not in line, line)
        rows = box.quire("ps", "--by", "map", "--json").rows()
        same(len(ODD_NAMES), len(rows), "mappings")


def kinds():
    """32 bits, hugetlbfs, both versions of control groups, circles of
    parents, and a kernel without a rollup."""
    with Machine(409) as box:
        box.process(7, "old", ppid=8, rollup=False, areas=[
            Area(0xbff00000, 2048, "rw-p", "[stack]", Rss=100, Pss=100,
                 Private_Dirty=100),
            Area(0x40000000, 4096, "rw-s", "/dev/hugepages/x", 3,
                 Private_Hugetlb=2048, Shared_Hugetlb=2048)])
        box.process(8, "circle", ppid=7, areas=[Area(0x1000, 4, Rss=4,
                                                     Pss=4)])
        box.put("proc/7/cgroup", "9:cpu:/a\n4:memory,x:/b\n0::/c\n")
        rows = {row["pid"]: row for row in box.quire(
            "ps", "--json", "-O").rows()}
        same((100 * KIB, 100 * KIB, 2 * MIB, 2 * MIB, "/b", 2), tuple(
            rows[7][key] for key in ("rss", "pss", "private_hugetlb",
                                     "shared_hugetlb", "cgroup", "maps")),
             "an old kernel's")
        same("/box", rows[8]["cgroup"], "version 2")
        has(box.quire("ps", "nobody", code=3), "nothing matched")


def options():
    with Machine() as box:
        for pid in range(1, 6):
            box.process(pid, "p%d" % pid, uid=33 * (pid % 2), areas=[
                Area(0x1000, 1024 * pid, Rss=1024 * pid, Pss=1000 * pid,
                     Private_Dirty=900 * pid)])
        pids = lambda *words: [int(x) for x in box.quire(
            "ps", "-H", "--raw", "-o", "pid", *words).text.split()]
        same([5, 4, 3, 2, 1], pids(), "largest first")
        same([1, 2, 3, 4, 5], pids("-s", "-pss"), "reversed")
        same([1, 2, 3, 4, 5], pids("-s", "comm"), "by name")
        same([5, 4], pids("-n2"), "limit")
        same([5, 3, 1], pids("-U", "www"), "user")
        same([2], pids("-P", "p2"), "process")
        same([4], pids("4"), "operand")
        same([3], pids("p3"), "name")
        same([4], pids("-f", "pss>2M and (user=root or comm~^q)"), "filter")
        same([5, 1], pids("-f", "not (pid>=2 and pid<5)"), "filter")
        same([5, 3, 2, 1], pids("-f", "comm != 'p4'"), "filter")
        for bad in ("pss>", "pss>1Q", "(pss>1", "pss", "pss>1 x",
                    "comm~[", "pss~1", "!" * 100 + "pss>1"):
            has(box.quire("ps", "-f", bad, code=2), "bad condition")
        has(box.quire("ps", "-f", "psz>1", code=2), "try: pss")
        has(box.quire("ps", "-o", "pss_ano", code=2), "pss_anon")
        has(box.quire("ps", "-s", "x", code=2), "unknown column")
        has(box.quire("ps", "-P", "(", code=2), "regular expression")
        box.quire("ps", "-f", "pss>1T", code=3)
        box.quire("ps", "--fail-if", "pss>4M", code=10)
        box.quire("ps", "--fail-if", "pss>40M", code=0)
        box.quire("ps", "--fail-if", "pss>10M", code=10)  # the total
        same("pid,rss\r\n5,%d\r\n" % (5 * MIB), box.quire(
            "ps", "-n1", "--csv", "-o", "pid,rss").text, "csv")
        row = box.quire("ps", "-n1", "--json", "-o", "+pte,-rss").rows()[0]
        same((True, False), ("pte" in row, "rss" in row), "plus and minus")
        has(box.quire("ps", "-p", "--ram", "10M", "-o", "rss"), "50.00%")
        has(box.quire("ps", "-b", "-n1"), str(5 * MIB))
        has(box.quire("ps", "-o", "help"), "smaps_rollup")
        same(2, box.quire("ps", "-w0.01", "-c2", "-n1").text.count("PID"),
             "twice")
        quire("ps", "-S", "/nowhere", code=1)


def live():
    """This machine; another user; streams."""
    same(True, any(row["pid"] == os.getpid()
                   for row in quire("ps", "--json").rows()), "live")
    total = quire("ps", "-t", "--json").json["total"]
    free = {row["of"]: row for row in quire("free", "--json").rows()}
    same(True, total["epss"] <= free["ram"]["total"] + free["swap"]["total"],
         "no more than there is")
    if os.path.exists("/dev/full"):
        code = os.system("%s ps >/dev/full 2>/dev/null" %
                         "'%s'" % os.path.abspath(QUIRE))
        same(1, os.waitstatus_to_exitcode(code), "a full disk")


def main():
    rng = random.Random(SEED)
    truth()
    names()
    kinds()
    options()
    for _ in range(6):
        add_up(rng)
    live()


main()
