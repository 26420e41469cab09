# SPDX-License-Identifier: MIT
"""free, meminfo, vmstat, swap, cache: parts add up, keys that nobody knows are
kept, limits of both kinds of control groups are found, counters become rates."""
import os
import tempfile

from bed import KIB, Machine, MIB, SEED, has, quire, random, same

FIELDS = ["Buffers", "Cached", "SwapCached", "Shmem", "AnonPages", "Slab",
          "SReclaimable", "KReclaimable", "KernelStack", "PageTables",
          "Percpu", "SwapTotal", "SwapFree", "Mapped", "Zswap", "Zswapped"]


def meminfo(box, **values):
    box.put("proc/meminfo", "".join(
        "%s: %d%s\n" % (key, value, "" if key.startswith("HugePages") else
                        " kB") for key, value in values.items()))


def parts(rng):
    with Machine() as box:
        values = {key: rng.randrange(1 << 20) for key in FIELDS}
        values["Shmem"] = rng.randrange(values["Cached"] + 1)
        values.update(MemTotal=64 << 20, MemFree=1 << 20,
                      MemAvailable=2 << 20, Hugetlb=rng.randrange(9) * 2048,
                      HugePages_Total=3, BrandNew=77, HugePages_Odd=5)
        meminfo(box, **values)
        rows = {row["of"]: row for row in box.quire("free", "--json").rows()}
        ram = rows["ram"]
        same(ram["total"], sum(ram[key] for key in (
            "programs", "shared", "files", "huge", "kernel", "unaccounted",
            "free")), "the parts of RAM")
        same(ram["total"] - ram["available"], ram["used"], "used")
        same(rows["swap"]["total"], rows["swap"]["used"] +
             rows["swap"]["free"], "swap")
        same(False, "limit" in rows, "limit")
        result = box.quire("meminfo", "--json")
        rows = {row["field"]: row for row in result.rows()}
        same(77 * KIB, rows["BrandNew"]["size"], "an unknown size")
        same(5, rows["HugePages_Odd"]["number"], "an unknown number")
        same(ram["unaccounted"], result.json["meta"]["unaccounted"], "rest")
        # Older kernels tell of hugetlbfs by pages alone.
        meminfo(box, MemTotal=8 << 20, MemFree=1 << 20, HugePages_Total=3,
                Hugepagesize=2048)
        row = box.quire("free", "--json").rows()[0]
        same(6 * MIB, row["huge"], "huge")
        has(box.quire("free", "--formula"), "htop")
        for width in ("40", "60", "200"):
            for env in ({"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8"}):
                for line in box.quire("free", "--width", width,
                                      env=env).text.splitlines():
                    same(True, len(line) <= max(int(width), 60), line)
        os.remove(box.root + "/proc/meminfo")
        has(box.quire("free", code=1), "meminfo")


def limits():
    for version in (1, 2):
        with Machine() as box:
            box.put("proc/self/cgroup", "4:memory:/box\n0::/box\n")
            box.put("proc/self/mountinfo",
                    "1 1 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup "
                    "rw,memory\n" if version == 1 else
                    "1 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
            if version == 1:
                base = "sys/fs/cgroup/memory/box/memory."
                box.put(base + "limit_in_bytes", "104857600\n")
                box.put(base + "usage_in_bytes", "52428800\n")
                box.put(base + "kmem.usage_in_bytes", "1048576\n")
                box.put(base + "stat", "rss 1\ntotal_rss 20971520\n"
                        "total_cache 10485760\ntotal_shmem 1048576\n")
            else:
                base = "sys/fs/cgroup/box/memory."
                box.put(base + "max", "104857600\n")
                box.put(base + "current", "52428800\n")
                box.put(base + "stat", "anon 20971520\nfile 10485760\n"
                        "shmem 1048576\nkernel 1048576\n")
            row = box.quire("free", "--json").rows()[0]
            same({"of": "limit", "total": 100 * MIB, "used": 50 * MIB,
                  "programs": 20 * MIB, "shared": MIB, "files": 9 * MIB,
                  "kernel": MIB, "unaccounted": 19 * MIB,
                  "free": 50 * MIB, "huge": None, "available": None}, row,
                 "limit")


def rates():
    with Machine() as box:
        meminfo(box, MemTotal=8 << 20, MemFree=1 << 20)
        box.put("proc/uptime", "100.00 50.00\n")
        box.put("proc/vmstat", "nr_free_pages 7\npgfault 5000\npswpin 250\n"
                "pgscan_kswapd 400\npgsteal_kswapd 300\n"
                "pgscan_direct_throttle 9\npgnever_heard_of 12\n")
        box.put("proc/pressure/memory",
                "some avg10=0.00 avg60=0.00 avg300=0.00 total=2000000\n"
                "full avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n")
        row = box.quire("vmstat", "--json").rows()[0]
        same((50.0, 2.5, 75.0, 20.0, 10.0), tuple(row[key] for key in (
            "fault_s", "in_s", "vmeff", "stall_s", "thrash_s")), "rates")
        has(box.quire("vmstat", "--paging"), "PGSCAND_S")
        rows = {row["counter"]: row for row in box.quire(
            "vmstat", "--counters", "--json").rows()}
        same((12, 0.12), (rows["pgnever_heard_of"]["number"],
                          rows["pgnever_heard_of"]["per_s"]), "unknown")
        same(None, rows["nr_free_pages"]["per_s"], "a level has no rate")
        lines = box.quire("vmstat", "-w0.01", "-c3").text.splitlines()
        same((4, 1), (len(lines), len({len(line) for line in lines})),
             "one table")
        has(lines[2], " 0.0")


def swap():
    with Machine() as box:
        meminfo(box, MemTotal=8 << 20, MemFree=1, Zswap=1000, Zswapped=3000)
        box.put("proc/swaps", "Filename Type Size Used Priority\n"
                "/swap\\040file file 2048 1024 -2\n"
                "/dev/zram0 partition 4096 100 5\n")
        box.put("sys/block/zram0/mm_stat",
                "1000000 250000 300000 0 300000 7 0 3 4\n")
        box.put("sys/block/zram1/mm_stat", "8192 4096 8192 0 0 1 0 1\n")
        box.put("sys/block/zram1/disksize", "65536\n")
        rows = {row["device"]: row for row in box.quire(
            "swap", "--json").rows()}
        same({"/swap file", "/dev/zram0", "/dev/zram1", "zswap"}, set(rows),
             "devices")
        same(("zram", 4 * MIB, 4.0, 300000, 7, 3), tuple(
            rows["/dev/zram0"][key] for key in (
                "type", "size", "ratio", "ram", "same", "incompressible")),
             "zram")
        same(3.0, rows["zswap"]["ratio"], "zswap")
        box.put("proc/swaps", "Filename Type Size Used Priority\n")


def cache():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a file")
        with open(path, "wb") as file:
            file.write(b"x" * 100000)
        row = quire("cache", folder, "--json").rows()[0]
        same((path, 100000, 102400, 100.0), tuple(row[key] for key in (
            "file", "size", "resident", "share")), "cache")
        with open(path, "rb"):
            rows = quire("cache", "--json", "-f", "file='%s'" % path).rows()
            same(1, rows[0]["opened"], "opened")
        quire("cache", folder + "/none", code=1)
    with Machine() as box:
        has(box.quire("cache", code=1), "capture")


def main():
    rng = random.Random(SEED)
    for _ in range(5):
        parts(rng)
    limits()
    rates()
    swap()
    cache()


main()
