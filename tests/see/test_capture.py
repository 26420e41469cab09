# SPDX-License-Identifier: MIT
"""Captures: every view of a machine and of its capture give the same rows;
smemcap's of both kinds are read; what is cut, changed or noise fails cleanly;
names are hidden where that is wanted; record keeps to its size; diff finds
what changed."""
import json
import os
import tarfile
import tempfile

from bed import (Area, KIB, Machine, QUIRE, SEED, fail, has, quire, random,
                 random_machine, same)

VIEWS = [["ps"], ["ps", "-a"], ["ps", "--by", "comm"], ["ps", "--by", "user"],
         ["ps", "--by", "map"], ["ps", "--by", "tree"], ["ps", "-M", "lib"],
         ["free"], ["meminfo"], ["vmstat"], ["vmstat", "--counters"],
         ["swap"], ["buddy"], ["buddy", "--types"], ["zones"], ["slab"],
         ["vmalloc"], ["numa"], ["shm"], ["limits"]]


def furnish(box):
    """The files of a whole machine."""
    box.put("proc/version", "Linux version 6.18\n")
    box.put("proc/uptime", "100.00 1.00\n")
    box.put("proc/vmstat", "nr_free_pages 5\npgfault 100\nodd_one 3\n")
    box.put("proc/buddyinfo", "Node 0, zone Normal 1 2 3\n")
    box.put("proc/pagetypeinfo", "Node 0, zone Normal, type Movable 1 2\n")
    box.put("proc/zoneinfo", "Node 0, zone Normal\n  pages free 9\n"
            "        high 3\n        present 10\n        managed 9\n")
    box.put("proc/slabinfo", "a 1 2 8 4 1 : tunables 0 0 0 : slabdata 1 1 0\n")
    box.put("proc/vmallocinfo", "0x1-0x2 8192 f+0x1/0x2 pages=1 vmalloc\n")
    box.put("proc/swaps", "Filename Type Size Used Priority\n"
            "/dev/zram0 partition 4 2 1\n")
    box.put("proc/sysvipc/shm", "key\n1 2 600 4096 1 1 0 33 0 0 0 0 0 0 0 0\n")
    box.put("sys/block/zram0/mm_stat", "4 2 3 0 0 0 0 0\n")
    box.put("sys/block/zram0/disksize", "4096\n")
    box.put("sys/devices/system/node/node0/meminfo",
            "Node 0 MemTotal: 4 kB\n")
    box.put("proc/self/cgroup", "0::/box/in\n")
    box.put("proc/self/mountinfo",
            "1 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    box.put("sys/fs/cgroup/box/memory.max", "104857600\n")
    box.put("sys/fs/cgroup/box/memory.current", "52428800\n")
    for pid in box.processes:
        box.put("proc/%d/oom_score" % pid, "%d\n" % (pid % 1000))
        box.put("proc/%d/limits" % pid, "Max address space 1 2 bytes\n")


def rows(*words):
    result = quire(*words, "--json", "-O", code=None)
    return result.json["rows"] if result.code == 0 else result.code


def agree(rng, folder):
    with random_machine(rng) as box:
        furnish(box)
        plain = os.path.join(folder, "c.tar")
        pressed = os.path.join(folder, "c.tar.zst")
        quire("capture", plain, "-S", box.root)
        quire("capture", "-S", box.root, "-o", pressed)
        same(b"\x28\xb5\x2f\xfd", open(pressed, "rb").read(4), "zstd")
        views = VIEWS + [["map", str(box.processes[0]), "--by", "address"],
                         ["status", str(box.processes[0])]]
        for view in views:
            wanted = rows(*view, "-S", box.root)
            same(wanted, rows(*view, "-S", plain), " ".join(view))
            same(wanted, rows(*view, "-S", pressed), " ".join(view))
        data = open(pressed, "rb").read()
        meta = quire("ps", "--json", "-S", plain, code=None).json["meta"]
        same(("6.18", plain), (meta["kernel"], meta["source"]), "meta")
        same(rows("ps", "-S", plain), json.loads(quire(
            "ps", "--json", "-O", "-S", "-", stdin=data).out)["rows"], "stdin")
        # Python's tar, and one of a capture, agree.
        again = os.path.join(folder, "again.tar")
        quire("capture", again, "-S", plain)
        with tarfile.open(plain) as a, tarfile.open(again) as b:
            for member in a.getmembers():
                if member.isfile() and member.name != "quire/manifest.json":
                    same(a.extractfile(member).read(),
                         b.extractfile(member.name).read(), member.name)


def smemcaps(rng):
    for kernel in (510, 601, 618):
        with random_machine(rng, kernel) as box:
            wanted = {row["pid"]: row for row in (rows("ps", "-S", box.root)
                      if rows("ps", "-S", box.root) != 3 else [])}
            for owners in (True, False):
                result = quire("ps", "--json", "-S", "-", code=None,
                               stdin=box.smemcap(owners))
                if result.code == 3:
                    same({}, wanted, "nothing")
                    continue
                for row in result.rows():
                    other = wanted[row["pid"]]
                    for key in ("comm", "uss", "pss", "rss", "swap", "vss",
                                "command"):
                        same(other[key], row[key], key)
                    if owners:
                        same({"root": "0", "www": "33", "1000": "1000"}[
                            other["user"]], row["user"], "user")
            # A directory entry may come with a slash, and proc/ before it.
            same(True, quire("free", "-S", "-", stdin=box.smemcap(
                meminfo="proc/meminfo")).code == 0, "proc/")


def hostile(rng):
    with random_machine(rng, count=3) as box:
        furnish(box)
        data = box.smemcap()
        for _ in range(30):
            changed = bytearray(data)
            for _ in range(rng.randrange(1, 8)):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            view = rng.choice(VIEWS)
            result = quire(*view, "-S", "-", code=None, stdin=bytes(changed))
            if result.code not in (0, 1, 3) or (
                    result.code == 1 and not result.err):
                fail("%s: exit %d" % (view, result.code))
        for _ in range(10):
            cut = data[:rng.randrange(len(data.rstrip(b"\0")))]
            result = quire("ps", "-S", "-", code=1, stdin=cut)
            has(result, "capture")
        # The kernel's texts may be noise, too.
        for path in ("proc/meminfo", "proc/buddyinfo", "proc/zoneinfo",
                     "proc/slabinfo", "proc/vmallocinfo", "proc/swaps",
                     "proc/vmstat", "proc/sysvipc/shm", "proc/self/mountinfo",
                     "proc/pagetypeinfo"):
            box.put(path, bytes(rng.choice(b"0123456789 :,\n\tNode zone-kB")
                                for _ in range(4000)))
        for pid in box.processes:
            for name in ("status", "stat", "smaps", "smaps_rollup", "limits"):
                box.put("proc/%d/%s" % (pid, name), bytes(
                    rng.choice(b"0123456789abcf-: \nVmRSSPskB()")
                    for _ in range(3000)))
        for view in VIEWS:
            result = box.quire(*view, code=None)
            if result.code not in (0, 1, 3):
                fail("%s: exit %d" % (view, result.code))


def hidden():
    with Machine() as box:
        furnish(box)
        box.process(7, "one", uid=33, cmdline="/srv/secret\0--key=secret\0",
                    areas=[Area(0x1000, 8, "r-xp", "/srv/secret/lib.so", 4,
                                Rss=8, Pss=8),
                           Area(0x9000, 8, "r--p",
                                "/usr/lib/libc.so (deleted)", 5, Rss=4,
                                Pss=4)])
        data = quire("capture", "--anonymise", "-S", box.root).out
        for word in (b"secret", b"www", b"/box"):
            same(False, word in data, "hidden")
        result = quire("ps", "--json", "-S", "-", stdin=data)
        row = result.rows()[0]
        same(("user1", "one", 12 * KIB), (row["user"], row["comm"],
                                          row["pss"]), "anonymous")
        has(quire("map", "7", "--by", "name", "-S", "-", stdin=data),
            "/usr/lib/libc.so (deleted)")


def unreadable():
    with Machine() as box:
        box.process(7, "mine", areas=[Area(0x1000, 8, Rss=8, Pss=8)])
        box.process(8, "other", areas=[Area(0x1000, 8, Rss=8, Pss=8)])
        for name in ("smaps", "smaps_rollup"):
            os.remove("%s/proc/8/%s" % (box.root, name))
        result = box.quire("ps", "--json", "-t")
        same(1, result.json["meta"]["unreadable"], "unreadable")
        same([None, 8 * KIB], sorted((row["pss"] for row in result.rows()),
                                     key=str, reverse=True), "rows")
        box.quire("ps", "--strict", code=4)


def recorded(folder):
    path = os.path.join(folder, "ring")
    with Machine() as box:
        box.process(7, "one", areas=[Area(0x1000, 8, Rss=8, Pss=8)])
        link = os.path.join(folder, "full")
        os.symlink("/dev/full", link)
        quire("capture", link, "-S", box.root, code=1)
        same(True, os.path.lexists(link), "what is no file stays")
        quire("record", path, "--every=0.01", "-c", "6", "-S", box.root)
        names = sorted(os.listdir(path))
        same(6, len(names), "captures")
        same(8 * KIB, rows("ps", "-S", os.path.join(path, names[0]))[0]["pss"],
             "a capture of the ring")
        quire("record", path, "--every=0.01", "-c", "3", "--size-max=1",
              "-S", box.root)
        same(1, len(os.listdir(path)), "the size")


def differences(folder):
    with Machine() as box:
        furnish(box)
        box.process(7, "grows", areas=[Area(0x1000, 8, Rss=8, Pss=8)])
        box.process(8, "goes", areas=[Area(0x1000, 8, Rss=4, Pss=4)])
        box.process(9, "stays", areas=[Area(0x1000, 8, Rss=4, Pss=4)])
        before = os.path.join(folder, "before.tar")
        quire("capture", before, "-S", box.root)
        for name in os.listdir(box.root + "/proc/8"):
            os.remove("%s/proc/8/%s" % (box.root, name))
        box.process(7, "grows", areas=[Area(0x1000, 9000, Rss=9000,
                                            Pss=9000)])
        got = quire("diff", before, box.root, "--json").json
        same([("grows", 8 * KIB, 9000 * KIB), ("goes", 4 * KIB, 0)],
             [(row["of"], row["before"], row["after"])
              for row in got["rows"]], "diff")
        same((9000 - 8 - 4) * KIB, got["total"]["change"], "total")
        quire("diff", before, box.root, "--fail-if", "change>8M", code=10)
        for of in ("process", "user", "map", "meminfo", "slab", "vmalloc",
                   "shm"):
            quire("diff", before, box.root, "--of", of)
        quire("diff", before, code=2)
        quire("diff", before, "/nowhere", code=1)


def many(folder):
    """Hundreds of processes, and what a capture of them takes."""
    with Machine() as box:
        areas = [Area(0x1000 + i * 0x10000, 8, "r--p", "/usr/lib/x%d.so" % i,
                      i, Rss=8, Pss=1) for i in range(10)]
        for pid in range(1, 601):
            box.process(pid, "p%d" % pid, areas=areas)
        path = os.path.join(folder, "many.tar.zst")
        quire("capture", path, "-S", box.root)
        same(600, len(rows("ps", "-S", path)), "rows")
        same(True, os.path.getsize(path) < 600 * 480, "the size")


def main():
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        agree(rng, folder)
        smemcaps(rng)
        hostile(rng)
        hidden()
        unreadable()
        recorded(folder)
        differences(folder)
        if "asan" not in QUIRE:
            many(folder)


main()
