# SPDX-License-Identifier: MIT
"""Acceptance: a machine of files on which every field of the kernel has a
number of its own, and a table of what smem, pmap, procrank, free, vmstat and
slabtop show, by option, column and field: each must come out as that number.
A row's name says which line of the specification it stands for."""
import csv
import io
import os
import pty
import re
import shutil
import subprocess
import sys

from bed import KIB, Machine, MIB, QUIRE, fail, has, quire, same

PAGE = 4 * KIB
RAM = 8 << 30

# --- 1.4: the kernel's fields, each with the column that shows it -----------

# smaps: key and column; PID/smaps_rollup has the same.
SMAPS = """Rss:rss Pss:pss Pss_Dirty:pss_dirty Shared_Clean:shared_clean
Shared_Dirty:shared_dirty Private_Clean:private_clean
Private_Dirty:private_dirty Referenced:referenced Anonymous:anonymous KSM:ksm
LazyFree:lazyfree AnonHugePages:anon_huge ShmemPmdMapped:shmem_pmd
FilePmdMapped:file_pmd Shared_Hugetlb:shared_hugetlb
Private_Hugetlb:private_hugetlb Swap:swap SwapPss:swappss Locked:locked"""
SMAPS = [pair.split(":") for pair in SMAPS.split()]
AREA_ONLY = [("KernelPageSize", "kernelpagesize"),
             ("MMUPageSize", "mmupagesize")]
ROLLUP_ONLY = [("Pss_Anon", "pss_anon"), ("Pss_File", "pss_file"),
               ("Pss_Shmem", "pss_shmem")]
# PID/status, sizes: key and column of ps; "": status shows it alone.
STATUS = """VmPeak:vss_peak VmSize:vss VmLck: VmPin:pinned VmHWM:rss_peak
VmRSS:rss RssAnon:rss_anon RssFile:rss_file RssShmem:rss_shmem VmData:data
VmStk:stack VmExe:text VmLib:lib VmPTE:pte VmSwap:swap
HugetlbPages:hugetlb"""
STATUS = [pair.split(":") for pair in STATUS.split()]
STATUS_TEXTS = ["THP_enabled", "Threads", "Uid", "Gid", "NSpid", "Kthread",
                "CoreDumping"]
# PID/stat: the field's place as proc(5) counts, and the column.
STAT = {10: "minflt", 11: "cminflt", 12: "majflt", 13: "cmajflt",
        25: "rss_limit", 28: "start_stack", 47: "start_brk"}
MEMINFO = """MemTotal MemFree MemAvailable Buffers Cached SwapCached Active
Inactive Active(anon) Inactive(anon) Active(file) Inactive(file) Unevictable
Mlocked SwapTotal SwapFree Zswap Zswapped Dirty Writeback WritebackTmp
AnonPages Mapped Shmem KReclaimable Slab SReclaimable SUnreclaim KernelStack
PageTables SecPageTables Percpu CommitLimit Committed_AS VmallocTotal
VmallocUsed VmallocChunk AnonHugePages ShmemHugePages FileHugePages
ShmemPmdMapped FilePmdMapped HugePages_Total HugePages_Free HugePages_Rsvd
HugePages_Surp Hugepagesize Hugetlb Balloon DirectMap4k DirectMap2M
DirectMap1G CmaTotal CmaFree HardwareCorrupted Unaccepted""".split()
VMSTAT = """nr_free_pages nr_zone_inactive_anon nr_mapped nr_shmem numa_hit
numa_miss numa_foreign workingset_refault_anon workingset_refault_file
workingset_activate_anon workingset_activate_file workingset_restore_anon
workingset_restore_file pgalloc_dma pgalloc_normal pgfree pgactivate
pgdeactivate pglazyfree pglazyfreed pgfault pgmajfault pgscan_kswapd
pgscan_direct pgscan_khugepaged pgscan_proactive pgscan_anon pgscan_file
pgsteal_kswapd pgsteal_direct pgsteal_khugepaged pgsteal_proactive
pgsteal_anon pgsteal_file allocstall_dma allocstall_normal pgskip_normal
pswpin pswpout swap_ra swap_ra_hit swpin_zero swpout_zero zswpin zswpout
zswpwb compact_stall compact_fail compact_success thp_fault_alloc
thp_fault_fallback thp_split_page thp_collapse_alloc pgmigrate_success
pgpromote_success pgdemote_kswapd htlb_buddy_alloc_success balloon_inflate
ksm_swpin_copy cow_ksm direct_map_level2_splits direct_map_level3_splits
drop_pagecache drop_slab oom_kill""".split()
SLAB = "active objects objsize perslab pages"
SLUB = ["order", "partial", "cpu_slabs", "aliases", "total_objects"]
ZONE = {"boost": "boost", "min": "min", "low": "low", "high": "high",
        "promo": "promo", "spanned": "spanned", "present": "present",
        "managed": "managed", "cma": "cma"}
GROUP_V2 = {"memory.current": "used", "memory.peak": "peak",
            "memory.min": "min", "memory.low": "low", "memory.high": "high",
            "memory.max": "max", "memory.swap.current": "swap",
            "memory.swap.max": "swap_max", "memory.zswap.current": "zswap"}
GROUP_V2_STAT = {"anon": "anon", "file": "file", "shmem": "shmem",
                 "kernel": "kernel", "slab": "slab", "sock": "sock",
                 "zswapped": "zswapped", "file_mapped": "mapped",
                 "file_dirty": "dirty", "pgmajfault": "majflt",
                 "workingset_refault_file": "refaults"}
GROUP_V2_EVENTS = {"high": "at_high", "max": "at_max",
                   "oom_kill": "oom_kills"}
GROUP_V1 = {"memory.usage_in_bytes": "used",
            "memory.max_usage_in_bytes": "peak",
            "memory.limit_in_bytes": "max",
            "memory.soft_limit_in_bytes": "low",
            "memory.memsw.limit_in_bytes": "swap_max",
            "memory.kmem.usage_in_bytes": "kernel",
            "memory.failcnt": "at_max"}
GROUP_V1_STAT = {"total_rss": "anon", "total_cache": "file",
                 "total_shmem": "shmem", "total_swap": "swap",
                 "total_pgmajfault": "majflt"}
SETTINGS = {"proc/sys/vm/swappiness": "vm.swappiness",
            "proc/sys/vm/overcommit_memory": "vm.overcommit_memory",
            "sys/kernel/mm/ksm/run": "ksm.run",
            "sys/kernel/mm/transparent_hugepage/enabled": "thp.enabled",
            "sys/kernel/mm/transparent_hugepage/khugepaged/defrag":
            "khugepaged.defrag",
            "sys/module/zswap/parameters/enabled": "zswap.enabled",
            "sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds":
            "damon.nr_kdamonds",
            "sys/module/damon_reclaim/parameters/enabled":
            "damon_reclaim.enabled"}


class Numbers:
    """A number of its own for whoever asks."""

    def __init__(self):
        self.last = 100
        self.of = {}

    def __call__(self, name):
        self.last += 4
        self.of[name] = self.last
        return self.last


NEXT = Numbers()
CASES = []


def case(name, words, where, wanted):
    """A row of a view, found by columns, has these cells."""
    CASES.append((name, words, where, wanted))


def lines(pairs, form="%s: %d kB\n"):
    return "".join(form % pair for pair in pairs)


def plant_process(box):
    """Process 7, of which every file tells of every field."""
    base = "proc/7/"
    area = [(key, NEXT("smaps " + key)) for key, _ in AREA_ONLY + SMAPS]
    text = ("10000-90000 r-xp 00001000 08:01 99 %s/usr/lib/a b.so\n" %
            (" " * 24)) + "Size: 512 kB\n" + lines(area)
    text += "THPeligible: 1\nProtectionKey: 5\nVmFlags: rd ex mr gd\n"
    text += "NewFamily: 77 kB\n"
    box.put(base + "smaps", text)
    box.put(base + "maps", text.splitlines()[0] + "\n")
    rollup = [(key, NEXT("rollup " + key))
              for key, _ in SMAPS + ROLLUP_ONLY]
    box.put(base + "smaps_rollup",
            "10000-90000 ---p 00000000 00:00 0 [rollup]\n" + lines(rollup))
    sizes = [(key, NEXT("status " + key)) for key, _ in STATUS]
    box.put(base + "status", "Name:\tseven up\nState:\tS (sleeping)\n"
            "Pid:\t7\nPPid:\t1\nUid:\t33\t33\t33\t33\nGid:\t33\t33\t33\t33\n"
            "NSpid:\t7\t1\nKthread:\t0\n" + lines(sizes, "%s:\t%8d kB\n") +
            "CoreDumping:\t0\nTHP_enabled:\t1\nThreads:\t3\n"
            "VmNever:\t55 kB\n")
    fields = {place: NEXT("stat %d" % place) for place in STAT}
    box.put(base + "stat", "7 (seven up) S " + " ".join(
        str(fields.get(place, 0)) for place in range(4, 53)) + "\n")
    box.put(base + "cmdline", "seven\0up\0")
    box.put(base + "cgroup", "4:memory:/v1box\n0::/box\n")
    box.put(base + "oom_score", "%d\n" % NEXT("oom_score"))
    box.put(base + "oom_score_adj", "-17\n")
    box.put(base + "io", "rchar: 1\nread_bytes: %d\nwrite_bytes: %d\n" % (
        NEXT("read_bytes"), NEXT("write_bytes")))
    box.put(base + "ksm_stat", "ksm_rmap_items 1\nksm_zero_pages %d\n"
            "ksm_merging_pages %d\nksm_process_profit %d\n" % (
                NEXT("ksm_zero"), NEXT("ksm_merging"), NEXT("ksm_profit")))
    box.put(base + "limits", "Limit  Soft  Hard  Units\n" + "".join(
        "Max %s  %d  %d  bytes\n" % (name, NEXT("soft " + name), 1 << 40)
        for name in ("address space", "data size", "stack size",
                     "resident set", "locked memory")))
    box.put(base + "numa_maps",
            "10000 default file=/usr/lib/a\\040b.so mapped=9 mapmax=3 "
            "active=2 N0=4 N1=5 kernelpagesize_kB=4\n"
            "a0000 bind:1 heap anon=6 dirty=6 swapcache=1 writeback=1 N1=6 "
            "kernelpagesize_kB=4\n"
            "b0000 prefer:0 stack anon=2 N0=2 kernelpagesize_kB=4\n"
            "c0000 interleave:0-1 huge anon=1 N0=1 kernelpagesize_kB=2048\n")

    of = NEXT.of
    everything = ["ps", "7", "-O"]
    for key, column in ROLLUP_ONLY + SMAPS:
        case("1.4 smaps_rollup " + key, everything, {"pid": 7},
             {column: of["rollup " + key] * KIB})
    case("1.2 uss", everything, {"pid": 7}, {"uss": KIB * (
        of["rollup Private_Clean"] + of["rollup Private_Dirty"])})
    case("2 epss", everything, {"pid": 7}, {"epss": KIB * (
        of["rollup Pss"] + of["rollup SwapPss"])})
    for key, column in STATUS:
        if column:
            # Without pss, so that rss and swap are those of status.
            case("1.4 status " + key, everything + ["--no-pss"], {"pid": 7},
                 {column: of["status " + key] * KIB})
        case("1.4 status " + key, ["status", "7"], {"field": key},
             {"size": of["status " + key] * KIB})
    for key in STATUS_TEXTS:
        case("1.4 status " + key, ["status", "7"], {"field": key}, {
            "value": {"Threads": "3", "Uid": "33 33 33 33", "NSpid": "7 1",
                      "Gid": "33 33 33 33", "THP_enabled": "1"}.get(
                          key, "0")})
    case("1.4 status, unknown", ["status", "7"], {"field": "VmNever"},
         {"size": 55 * KIB})
    for place, column in STAT.items():
        number = of["stat %d" % place]
        case("1.4 stat " + column, everything, {"pid": 7}, {
            column: "0x%x" % number if column.startswith("start")
                    else number})
    case("1.4 statm shared", everything, {"pid": 7}, {"shared": KIB * (
        of["status RssFile"] + of["status RssShmem"])})
    case("1.4 oom_score(_adj), io, ksm_stat, cgroup", everything,
         {"pid": 7}, {
             "oom_score": of["oom_score"], "oom_adj": -17,
             "read_bytes": of["read_bytes"],
             "write_bytes": of["write_bytes"],
             "ksm_zero": of["ksm_zero"] * PAGE,
             "ksm_merging": of["ksm_merging"] * PAGE,
             "ksm_profit": of["ksm_profit"], "cgroup": "/v1box",
             "threads": 3, "comm": "seven up", "command": "seven up",
             "user": "www", "uid": 33, "ppid": 1, "maps": 1,
             "tree": "seven up (7)", "state": "S"})
    by_address = ["map", "7", "--by", "address", "-O"]
    for key, column in AREA_ONLY + SMAPS:
        case("1.4 smaps " + key, by_address, {"address": "0x10000"},
             {column: of["smaps " + key] * KIB})
    case("1.3 address, KB, mode, mapping and -d, -X, -XX", by_address,
         {"address": "0x10000"}, {
             "end": "0x90000", "perm": "r-xp", "offset": "0x1000",
             "device": "08:01", "inode": 99, "map": "/usr/lib/a b.so",
             "vss": 512 * KIB, "thpeligible": 1, "protectionkey": 5,
             "vmflags": "rd ex mr gd", "newfamily": 77 * KIB,
             "dirty": KIB * (of["smaps Shared_Dirty"] +
                             of["smaps Private_Dirty"])})
    for name, shown in (("address space", "address space"),
                        ("data size", "data"), ("stack size", "stack"),
                        ("resident set", "resident"),
                        ("locked memory", "locked")):
        case("1.4 limits " + name, ["limits", "7"], {"limit": shown},
             {"soft": of["soft " + name], "hard": 1 << 40})
    placed = ["numa", "7"]
    case("1.4 numa_maps policy, mapped, active, N0=", placed,
         {"address": "0x10000"}, {
             "policy": "default", "mapped": 9 * PAGE, "active": 2 * PAGE,
             "nodes": "N0=4 N1=5", "size": 9 * PAGE, "mapmax": 3})
    case("1.4 numa_maps anon, dirty", placed, {"map": "[heap]"}, {
        "policy": "bind:1", "anon": 6 * PAGE, "dirty": 6 * PAGE,
        "swapcache": PAGE, "writeback": PAGE})
    case("1.4 numa_maps huge", placed, {"address": "0xc0000"},
         {"size": 2 * MIB, "kernelpagesize": 2 * MIB})


def plant_machine(box):
    of = NEXT.of
    box.put("proc/meminfo", "".join("%s: %d%s\n" % (
        key, RAM // KIB if key == "MemTotal" else NEXT("meminfo " + key),
        "" if key.startswith("HugePages_") else " kB") for key in MEMINFO) +
            "NewField: 88 kB\n")
    for key in MEMINFO[1:]:
        count = key.startswith("HugePages_")
        number = of["meminfo " + key]
        case("1.4 meminfo " + key, ["meminfo"], {"field": key},
             {"number": number} if count else {"size": number * KIB})
    case("7 open world, meminfo", ["meminfo"], {"field": "NewField"},
         {"size": 88 * KIB})
    box.put("proc/uptime", "100.00 50.00\n")
    box.put("proc/vmstat", "".join("%s %d\n" % (
        key, NEXT("vmstat " + key)) for key in VMSTAT) + "pgbrandnew 5\n")
    for key in VMSTAT:
        case("1.4 vmstat " + key, ["vmstat", "--counters"],
             {"counter": key}, {"number": of["vmstat " + key]})
    case("7 open world, vmstat", ["vmstat", "--counters"],
         {"counter": "pgbrandnew"}, {"number": 5, "per_s": 0.05})
    for column, key in (("in_s", "pswpin"), ("out_s", "pswpout"),
                        ("fault_s", "pgfault"), ("majflt_s", "pgmajfault"),
                        ("pgfree_s", "pgfree"),
                        ("pgscank_s", "pgscan_kswapd"),
                        ("pgscand_s", "pgscan_direct")):
        case("vmstat, sar -B " + column, ["vmstat", "-O"], {},
             {column: of["vmstat " + key] / 100})
    box.put("proc/stat", "cpu  300 100 200 350 30 5 5 10 0 0\ncpu0 1\n"
            "intr 50000 1 2\nctxt 70000\nprocs_running 6\n"
            "procs_blocked 2\n")
    case("vmstat r b in cs us sy id wa st", ["vmstat", "--classic"], {}, {
        "running": 6, "blocked": 2, "irq_s": 500.0, "switch_s": 700.0,
        "user": 40.0, "system": 21.0, "idle": 35.0, "wait": 3.0,
        "steal": 1.0})
    case("vmstat swpd free buff cache; -a inact active",
         ["vmstat", "-O"], {}, {
             "free": of["meminfo MemFree"] * KIB,
             "buffers": of["meminfo Buffers"] * KIB,
             "cache": KIB * (of["meminfo Cached"] +
                             of["meminfo SReclaimable"]),
             "active": of["meminfo Active"] * KIB,
             "inactive": of["meminfo Inactive"] * KIB,
             "swap_used": KIB * (of["meminfo SwapTotal"] -
                                 of["meminfo SwapFree"])})
    case("free total used free shared buff/cache available",
         ["free", "--like", "free"], {"of": "ram"}, {
             "total": RAM, "free": of["meminfo MemFree"] * KIB,
             "used": RAM - of["meminfo MemAvailable"] * KIB,
             "shared": of["meminfo Shmem"] * KIB,
             "buffers": of["meminfo Buffers"] * KIB,
             "cache": KIB * (of["meminfo Cached"] +
                             of["meminfo SReclaimable"]),
             "available": of["meminfo MemAvailable"] * KIB})
    box.put("proc/pressure/memory",
            "some avg10=1.25 avg60=2.50 avg300=3.75 total=4000\n"
            "full avg10=0.25 avg60=0.50 avg300=0.75 total=2000\n")
    case("1.4 pressure some", ["vmstat", "--pressure"],
         {"of": "machine", "kind": "some"},
         {"avg10": 1.25, "avg60": 2.5, "avg300": 3.75, "stalled": 4.0})
    case("1.4 pressure full", ["vmstat", "--pressure"],
         {"of": "machine", "kind": "full"},
         {"avg10": 0.25, "avg60": 0.5, "avg300": 0.75, "stalled": 2.0})


def plant_kernel(box):
    of = NEXT.of
    orders = [NEXT("order %d" % order) for order in range(11)]
    row = "Node 0, zone   Normal "
    box.put("proc/buddyinfo", row + " ".join(map(str, orders)) + "\n")
    pages = [count << order for order, count in enumerate(orders)]
    wanted = {"o%d" % order: count for order, count in enumerate(orders)}
    wanted.update({"u%d" % order: int(
        sum(pages[:order]) * 10000 / sum(pages)) / 100
                   for order in range(1, 11)})
    wanted.update({"free": sum(pages) * PAGE, "node": 0, "zone": "Normal"})
    case("1.4 buddyinfo, unusable by order", ["buddy", "-O"], {}, wanted)
    box.put("proc/pagetypeinfo", "Page block order: 9\n\n"
            "Node    0, zone   Normal, type    Unmovable " +
            " ".join(map(str, orders)) +
            "\nNode    0, zone   Normal, type      Movable " +
            " ".join("9" for _ in orders) +
            "\n\nNumber of blocks type     Unmovable      Movable\n"
            "Node 0, zone   Normal          12           34\n")
    case("1.4 pagetypeinfo", ["buddy", "--types", "-O"],
         {"type": "Unmovable"}, {"o3": orders[3], "blocks": 12})
    case("1.4 pagetypeinfo", ["buddy", "--types", "-O"],
         {"type": "Movable"}, {"o3": 9, "blocks": 34})
    figures = [NEXT("slab " + name) for name in SLAB.split()]
    box.put("proc/slabinfo", "slabinfo - version: 2.1\n# name ...\n"
            "dentry %d %d %d %d %d : tunables 0 0 0 : slabdata 31 32 0\n" %
            tuple(figures))
    for name in SLUB:
        box.put("sys/kernel/slab/dentry/" + name,
                "%d N0=1\n" % NEXT("slub " + name))
    wanted = dict(zip(SLAB.split(), figures))
    wanted.update({name: of["slub " + name] for name in SLUB})
    wanted.update({"active_slabs": 31, "slabs": 32,
                   "ram": 32 * figures[4] * PAGE,
                   "use": int(figures[0] * 10000 / figures[1]) / 100})
    case("1.4 slabinfo 2.1 + sysfs, slabtop's columns", ["slab", "-O"],
         {"cache": "dentry"}, wanted)
    box.put("proc/zoneinfo", "Node 0, zone   Normal\n  per-node stats\n"
            "      nr_inactive_anon 4711\n  pages free     1000\n" +
            "".join("        %-9s%d\n" % (key, NEXT("zone " + key))
                    for key in ZONE) +
            "        protection: (0, 3018)\n      nr_free_pages 1000\n"
            "  pagesets\n    cpu: 0\n              count:    7\n"
            "              high:     70\n              batch:    17\n"
            "    cpu: 1\n              count:    8\n"
            "              high:     70\n              batch:    17\n")
    wanted = {column: of["zone " + key] * PAGE
              for key, column in ZONE.items()}
    wanted.update({"free": 1000 * PAGE, "protection": "(0, 3018)",
                   "per_cpu": 15 * PAGE, "cpu_high": 70 * PAGE,
                   "cpu_batch": 17 * PAGE, "nr_inactive_anon": 4711})
    case("1.4 zoneinfo", ["zones", "-O"], {"zone": "Normal"}, wanted)
    box.put("proc/vmallocinfo",
            "0x0001-0x0002 20480 load_module+0x1/0x2 pages=4 vmalloc N0=3 "
            "N1=1\n0x0003-0x0004 8192 load_module+0x9/0x9 pages=1 vmalloc\n"
            "0x0005-0x0006 8192 pci_map+0x1/0x2 phys=0xf0 ioremap\n")
    case("1.4 vmallocinfo by caller", ["vmalloc"],
         {"caller": "load_module"}, {"kind": "vmalloc", "n": 2,
                                     "virtual": 28672, "ram": 5 * PAGE})
    case("1.4 vmallocinfo range size caller kind N0=",
         ["vmalloc", "--by", "range"], {"range": "0x0001-0x0002"},
         {"caller": "load_module", "kind": "vmalloc", "virtual": 20480,
          "ram": 4 * PAGE, "nodes": "N0=3 N1=1"})
    box.put("proc/swaps", "Filename Type Size Used Priority\n"
            "/dev/zram0 partition 4096 100 5\n")
    box.put("sys/block/zram0/mm_stat",
            "1000000 250000 300000 777 888 7 0 3 4\n")
    case("1.4 swaps, zram mm_stat", ["swap"], {"device": "/dev/zram0"}, {
        "type": "zram", "size": 4096 * KIB, "used": 100 * KIB,
        "priority": 5, "stored": 1000000, "compressed": 250000,
        "ram": 300000, "limit": 777, "peak": 888, "same": 7,
        "incompressible": 3, "ratio": 4.0})
    case("1.4 zswap", ["swap"], {"device": "zswap"}, {
        "stored": of["meminfo Zswapped"] * KIB,
        "compressed": of["meminfo Zswap"] * KIB})


def plant_sysfs(box):
    of = NEXT.of
    node = "sys/devices/system/node/node0/"
    box.put(node + "meminfo", "".join(
        "Node 0 %s: %d kB\n" % (key, NEXT("node " + key)) for key in (
            "MemTotal", "MemFree", "AnonPages", "FilePages", "Slab")))
    box.put(node + "numastat", "numa_hit 11\nnuma_miss 12\n"
            "numa_foreign 13\n")
    box.put(node + "distance", "10 20\n")
    box.put(node + "hugepages/hugepages-2048kB/nr_hugepages", "3\n")
    case("1.4 node sysfs", ["numa"], {"node": 0}, {
        "total": of["node MemTotal"] * KIB, "free": of["node MemFree"] * KIB,
        "programs": of["node AnonPages"] * KIB,
        "files": of["node FilePages"] * KIB, "slab": of["node Slab"] * KIB,
        "huge": 6 * MIB, "hit": 11, "miss": 12, "foreign": 13,
        "distance": "10 20"})
    pool = "sys/kernel/mm/hugepages/hugepages-2048kB/"
    for number, name in enumerate(("nr_hugepages", "free_hugepages",
                                   "resv_hugepages", "surplus_hugepages",
                                   "nr_overcommit_hugepages"), 5):
        box.put(pool + name, "%d\n" % number)
    case("1.4 hugepages", ["huge"], {"kind": "hugetlb"}, {
        "size": 2 * MIB, "total": 10 * MIB, "free": 12 * MIB,
        "reserved": 14 * MIB, "surplus": 16 * MIB, "overcommit": 18 * MIB})
    thp = "sys/kernel/mm/transparent_hugepage/hugepages-64kB/"
    box.put(thp + "enabled", "always inherit [madvise] never\n")
    for name, number in (("nr_anon", 2), ("anon_fault_alloc", 31),
                         ("anon_fault_fallback", 32), ("swpout", 33),
                         ("split", 34), ("shmem_never_seen", 35)):
        box.put(thp + "stats/" + name, "%d\n" % number)
    case("1.4 transparent_hugepage per size", ["huge"], {"kind": "thp"}, {
        "size": 64 * KIB, "mode": "madvise", "total": 128 * KIB,
        "faults": 31, "fallback": 32, "swpout": 33, "split": 34,
        "shmem_never_seen": 35})
    for path, setting in SETTINGS.items():
        value = "value of " + setting
        box.put(path, value + "\n")
        case("1.4 sys/vm, thp, ksm, damon: " + setting, ["settings"],
             {"setting": setting}, {"value": value})
    box.put("proc/iomem", "00100000-%x : System RAM\n"
            "  01000000-010fffff : Kernel code\n" % (
                0x100000 + RAM + 64 * MIB - 1))


def plant_groups(box, version):
    of = NEXT.of
    box.put("proc/self/mountinfo",
            "1 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
            if version == 2 else
            "1 1 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
            "2 1 0:2 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n")
    root = "sys/fs/cgroup" + ("" if version == 2 else "/memory")
    name = "/box" if version == 2 else "/v1box"
    files, stat = (GROUP_V2, GROUP_V2_STAT) if version == 2 else (
        GROUP_V1, GROUP_V1_STAT)
    group = root + name + "/"
    wanted = {}
    for file, column in files.items():
        wanted[column] = NEXT(file)
        box.put(group + file, "%d\n" % wanted[column])
    text = ""
    for key, column in stat.items():
        wanted[column] = NEXT("stat " + key)
        text += "%s %d\n" % (key, wanted[column])
    box.put(group + "memory.stat", text + "brandnew_bytes 66\n")
    box.put(group + "cgroup.procs", "7\n8\n")
    wanted["procs"] = 2
    if version == 2:
        text = "low 0\n"
        for key, column in GROUP_V2_EVENTS.items():
            wanted[column] = NEXT("events " + key)
            text += "%s %d\n" % (key, wanted[column])
        box.put(group + "memory.events", text)
        box.put(group + "memory.pressure",
                "some avg10=4.50 avg60=0.00 avg300=0.00 total=9\n"
                "full avg10=1.50 avg60=0.00 avg300=0.00 total=9\n")
        box.put(group + "memory.numa_stat", "anon N0=123 N1=4\n")
        wanted.update({"some": 4.5, "full": 1.5})
    else:
        box.put(group + "memory.oom_control",
                "oom_kill_disable 0\nunder_oom 0\noom_kill 21\n")
        box.put(group + "memory.numa_stat", "total=9 N0=8 N1=1\n")
        wanted["oom_kills"] = 21
    case("1.4 cgroup v%d" % version, ["cgroups"], {"cgroup": name}, wanted)
    fields = ["cgroups", name]
    for file in files:
        short = file[len("memory."):]
        counts = short.endswith("failcnt")
        case("1.4 cgroup v%d %s" % (version, file), fields,
             {"file": short},
             {"number" if counts else "size": of[file]})
    case("1.4 cgroup v%d, unknown" % version, fields,
         {"file": "stat", "field": "brandnew_bytes"}, {"size": 66})
    case("1.4 cgroup v%d numa_stat" % version, fields,
         {"file": "numa_stat"},
         {"field": "anon" if version == 2 else "total",
          "value": "N0=123 N1=4" if version == 2 else "9 N0=8 N1=1"})
    case("1.4 cgroup of a process", ["cgroups", "7"],
         {"file": "numa_stat"}, {})


def run_cases(box):
    """Every row of the table; a view is run once for all its rows."""
    seen = {}
    failures = []
    for name, words, where, wanted in CASES:
        key = tuple(words)
        if key not in seen:
            seen[key] = box.quire(*words, "--json").rows()
        rows = [row for row in seen[key] if all(
            row.get(column) == value for column, value in where.items())]
        if not rows:
            failures.append("%s: quire %s has no row %s" % (
                name, " ".join(words), where))
            continue
        for column, value in wanted.items():
            if rows[0].get(column, "no such column") != value:
                failures.append("%s: quire %s: %s is %r, wanted %r" % (
                    name, " ".join(words), column,
                    rows[0].get(column, "no such column"), value))
    print("%d cases, %d views" % (len(CASES), len(seen)))
    CASES.clear()
    if failures:
        fail("\n".join(failures))


# --- 1.2: smem, letter by letter ---------------------------------------------


def smem_box():
    from bed import Area
    box = Machine(ram_kib=RAM // KIB)
    for pid, name, uid in ((5, "first", 0), (6, "second", 33)):
        box.process(pid, name, uid, areas=[
            Area(0x10000, 64, "r-xp", "/lib/libc.so", 3, Rss=32 + pid,
                 Pss=16 + pid, Shared_Clean=32, Private_Clean=pid),
            Area(0x40000, 64, "rw-p", "[heap]", Rss=8, Pss=8, Swap=pid,
                 SwapPss=pid, Private_Dirty=8)])
    return box


# Of the two processes above, in KiB.
SMEM_ROWS = {
    "": ("pid user name command maps swap uss rss pss vss", [
        [5, "root", "first", "first --arg", 2, 5, 13, 45, 29, 128],
        [6, "www", "second", "second --arg", 2, 6, 14, 46, 30, 128]]),
    "-m": ("map count pids swap uss rss pss vss avgpss avguss avgrss", [
        ["/lib/libc.so", 2, 2, 0, 11, 75, 43, 128, 21.5, 5.5, 37.5],
        ["[heap]", 2, 2, 11, 16, 16, 16, 128, 8, 8, 8]]),
    "-u": ("user count swap uss rss pss vss", [
        ["root", 1, 5, 13, 45, 29, 128], ["www", 1, 6, 14, 46, 30, 128]]),
}
COUNTS = {"pid", "count", "pids", "maps"}


def smem(box, *words, code=0):
    return quire("smem", *words, "-S", box.root, code=code)


def smem_tables(box):
    for letter, (columns, rows) in SMEM_ROWS.items():
        words = letter.split()
        got = smem(box, *words, "-c", columns, "-s", columns.split()[0],
                   "-r", "--csv").text
        got = list(csv.reader(io.StringIO(got)))[1:]
        wanted = [[str(int(cell * KIB)) if isinstance(cell, (int, float)) and
                   name not in COUNTS else str(cell)
                   for cell, name in zip(row, columns.split())]
                  for row in rows]
        same(sorted(wanted), sorted(got), "1.2 smem %s -c" % letter)


def smem_letters(box):
    pids = lambda *words: smem(box, "-H", "-c", "pid", "--raw",
                               *words).text.split()
    same(["5"], pids("-P", "^first"), "1.2 -P name")
    same(["6"], pids("--processfilter=second --arg"), "1.2 -P command line")
    same(["6"], pids("-U", "w+"), "1.2 -U")
    same(["5"], pids("--userfilter", "root"), "1.2 --userfilter")
    same(["6", "5"], pids("-M", "libc"), "1.2 -M")
    same(29 - 8, int(smem(box, "-M", "libc", "-P", "first", "-H", "-c",
                          "pss", "--raw").text) // KIB, "1.2 -M counts")
    same(["5", "6"], pids("-s", "rss"), "1.2 -s: largest last")
    same(["6", "5"], pids("--sort", "rss", "-r"), "1.2 -s -r")
    same(["6", "5"], pids("--sort=rss", "--reverse"), "1.2 --reverse")
    has(smem(box, "-t"), "TOTAL")
    has(smem(box, "--totals"), "59.0 K")
    same(False, "PID" in smem(box, "-H").text, "1.2 -H")
    same(False, "PID" in smem(box, "--no-header").text, "1.2 --no-header")
    same(["33", "0"], smem(box, "-n", "-H", "-c", "user", "--raw").text.
         split(), "1.2 -n")
    has(smem(box, "-k", "-c", "pss"), "29.0 K")
    has(smem(box, "--abbreviate", "-a", "--autosize", "-c", "pss"), "29.0 K")
    has(smem(box, "-b", "-c", "pss"), str(29 * KIB))
    same(["0.20%", "0.19%"], smem(
        box, "-p", "-R", "15000K", "-H", "-c", "pss").text.split(),
         "1.2 -p -R")
    same(["0.04%", "0.03%"], smem(
        box, "--percent", "--realmem", "16M", "-H", "-c", "swap").text.
         split(), "1.2 -p shows swap, too")
    for letter in ("--mappings", "--users", "--system"):
        same(smem(box, {"--mappings": "-m", "--users": "-u",
                        "--system": "-w"}[letter]).text,
             smem(box, letter).text, "1.2 " + letter)
    for word in ("--bar", "--pie"):
        rows = smem(box, word, "pss").text.splitlines()
        same((2, True, True), (len(rows), rows[0].startswith("second"),
                               rows[0].count("\u2588") > 20), "1.2 " + word)
    svg = smem(box, "--bar=pss", "--plot=svg").text
    same(2, svg.count("<rect"), "1.2 --plot svg")
    has(svg, ">30.0 K</text>")
    smem(box, "-Z", code=2)
    quire("smem", "-P", code=2)
    quire("smem", "--sort", code=2)
    smem(box, "-P", "nobody has it", code=3)  # smem: 0
    has(smem(box, "-m", "-c", "avguss"), "8.0 K")  # smem: KeyError


def smem_system(box, planted):
    of = NEXT.of
    source = ["-S", planted.root]
    used = of["meminfo AnonPages"] + of["meminfo Mapped"]
    rows = quire("smem", "-w", "-c", "order area used cache noncache",
                 "--csv", *source).text
    got = list(csv.reader(io.StringIO(rows)))[1:]
    free = of["meminfo MemFree"]
    dynamic = RAM // KIB - free - used
    cached = (of["meminfo Buffers"] + of["meminfo SReclaimable"] +
              of["meminfo Cached"] - of["meminfo Mapped"])
    wanted = [["firmware/hardware", 63 * KIB, 0],
              ["kernel image", KIB, 0],
              ["kernel dynamic memory", dynamic, cached],
              ["userspace memory", used, of["meminfo Mapped"]],
              ["free memory", free, free]]
    same([[str(i), name, str(used * KIB), str(cache * KIB),
           str((used - cache) * KIB)]
          for i, (name, used, cache) in enumerate(wanted)], got, "1.2 -w")
    same(RAM + 64 * MIB, sum(int(row[2]) for row in got), "1.2 -w, sum")
    got = quire("smem", "-w", "-R", "9G", "-H", "-c", "used", "--raw",
                *source).text.split()
    same(str((1 << 30) - MIB), got[0], "1.2 -w -R")
    image = planted.root + "/vmlinux"
    with open(image, "wb") as file:
        segment = (1).to_bytes(4, "little") + bytes(36) + (
            5 * MIB).to_bytes(8, "little") + bytes(8)
        file.write(b"\x7fELF\x02\x01\x01" + bytes(25) +
                   (64).to_bytes(8, "little") + bytes(16) +
                   (1).to_bytes(2, "little") + bytes(6) + segment)
    got = quire("smem", "-w", "-K", image, "-H", "-c", "used", "--raw",
                *source).text.split()
    same(str(5 * MIB), got[1], "1.2 -K")
    has(quire("smem", "-w", "-K", "/etc/passwd", *source, code=1), "image")
    same(0, smem(box, "-w", "-p", "-k").code, "1.2 -w -p -k")


# --- 1.3: pmap, mode by mode --------------------------------------------------

PMAP = {
    "": "address vss perm map",
    "-p": "address vss perm map",
    "-x": "address vss rss dirty perm map",
    "--extended": "address vss rss dirty perm map",
    "-d": "address vss perm offset device map",
    "--device": "address vss perm offset device map",
    "-X": "address perm offset device inode vss rss pss pss_dirty referenced "
          "anonymous ksm lazyfree shmem_pmd file_pmd shared_hugetlb "
          "private_hugetlb swap swappss locked thpeligible map",
    "-XX": "address perm offset device inode vss kernelpagesize mmupagesize "
           "rss pss pss_dirty shared_clean shared_dirty private_clean "
           "private_dirty referenced anonymous ksm lazyfree anon_huge "
           "shmem_pmd file_pmd shared_hugetlb private_hugetlb swap swappss "
           "locked thpeligible protectionkey vmflags map",
}


def pmap(box):
    run = lambda *words, **rest: quire("pmap", *words, "-S", box.root, **rest)
    for mode, columns in PMAP.items():
        header = run(*mode.split(), "5", "--raw").text.splitlines()[0]
        same(columns, header, "1.3 " + mode)
    rows = lambda *words: run(*words, "5", "-q", "--raw").text.splitlines()
    same(2, len(rows()), "1.3 -q")
    same(1, len(rows("-A", "40000,")), "1.3 -A low,")
    same(1, len(rows("-A", "0x10000,0x20000")), "1.3 -A low,high")
    same(1, len(rows("--range=40000")), "1.3 --range")
    text = run("-q", "5").text
    same((False, False), ("ADDRESS" in text, "TOTAL" in text),
         "1.3 -q: neither header nor footer")
    has(run("-d", "5"), "128 K mapped: 64.0 K writable and private, 0 shared")
    both = run("5", "6", "--raw").text.splitlines()
    same((5, "pid"), (len(both), both[0].split()[0]), "1.3 PID PID")
    run("999", code=1)
    run(code=2)
    rc = box.root + "/rc"
    quire("pmap", "-N", rc)
    quire("pmap", "--create-rc-to", rc, code=1)  # is there already
    fields = re.findall("^#([A-Z][A-Za-z_]+)$", open(rc).read(), re.M)
    for key in ("Perm", "Size", "Pss_Dirty", "SwapPss", "THPeligible",
                "VmFlags", "Mapping"):
        has(fields, key)
    with open(rc, "w") as file:
        file.write("[Fields Display]\nPerm\n#Rss\nSwapPss\nNothing\n"
                   "Mapping\n[Mapping]\nShowPath\n")
    result = run("-C", rc, "5", "--raw")
    same("address perm swappss map", result.text.splitlines()[0], "1.3 -C")
    has(result, "Nothing")
    home = {"HOME": box.root}
    run("-c", "5", code=1, env=home)
    quire("pmap", "-n", env=home)
    same("address", run("-c", "5", "--raw", env=home).text.splitlines()[0],
         "1.3 -n, -c")


# --- 7: the acceptance list ---------------------------------------------------


def sums(box):
    """Each view's rows add up to its total."""
    for words in (["ps", "-O"], ["ps", "--by", "map", "-O"],
                  ["ps", "--by", "user", "-O"], ["map", "7", "-O"],
                  ["map", "7", "--by", "address", "-O"], ["slab", "-O"],
                  ["zones", "-O"], ["buddy", "-O"], ["numa", "7"],
                  ["vmalloc"], ["swap"], ["free", "--like", "smem"]):
        data = box.quire(*words, "-t", "--json").json
        for key, total in data["total"].items():
            same(total, sum(row.get(key) or 0 for row in data["rows"]),
                 "7 sums: quire %s: %s" % (" ".join(words), key))


def captures(box):
    """A directory, its tar, tar.zst, and stdin give the same rows."""
    whole = box.root + "/whole.tar"
    quire("capture", whole, "-S", box.root)
    quire("capture", whole + ".zst", "-S", box.root)
    for words in (["ps", "-O"], ["map", "7", "-O", "--by", "address"],
                  ["status", "7", "-a"], ["limits", "7"], ["meminfo"],
                  ["vmstat", "-O"], ["vmstat", "--counters"],
                  ["vmstat", "--pressure"], ["free", "-O"],
                  ["free", "--like", "smem"], ["swap", "-O"],
                  ["buddy", "--types"], ["zones", "-O"], ["slab"],
                  ["vmalloc", "--by", "range"], ["numa"], ["huge", "-O"],
                  ["settings"], ["cgroups", "-O"]):
        wanted = box.quire(*words, "--csv").text
        for name in (whole, whole + ".zst"):
            same(wanted, quire(*words, "--csv", "-S", name).text,
                 "7 captures: %s, quire %s" % (name[-3:], " ".join(words)))
    data = open(whole + ".zst", "rb").read()
    same(box.quire("ps", "--csv").text,
         quire("ps", "--csv", "-S", "-", stdin=data).text, "7 stdin")
    for cut in (len(data) // 2, 100, 0):
        quire("ps", "-S", "-", stdin=data[:cut], code=1)


def pipes(box):
    source = ["-S", box.root]
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {}):
        same(False, b"\033" in quire("ps", *source, env=env).out,
             "7 no escapes off a terminal")
    same(True, b"\033" in quire("ps", "--color=always", *source).out,
         "7 --color=always")
    same(True, b"\033" in on_terminal(box, {"TERM": "xterm"}), "7 terminal")
    same(False, b"\033" in on_terminal(box, {"TERM": "xterm",
                                             "NO_COLOR": "1"}), "7 NO_COLOR")
    for words in (["ps"], ["ps", "--json"], ["meminfo"], ["help", "ps"],
                  ["settings"], ["ps", "--plot=svg"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([QUIRE, *words, *(
                [] if words[0] == "help" else source)], stdout=full,
                                  stderr=subprocess.DEVNULL, check=False)
        same(1, done.returncode, "7 full disk: " + " ".join(words))
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([QUIRE, "meminfo", "-q", *source], stdout=write,
                          stderr=subprocess.PIPE, check=False)
    os.close(write)
    same(b"", done.stderr, "7 EPIPE is silent")
    for width in ("60", "80"):
        for words in (["ps"], ["map", "7"], ["slab"], ["meminfo"], ["zones"],
                      ["cgroups"], ["settings"], ["buddy"], ["huge"],
                      ["vmstat", "--classic"]):
            for line in quire(*words, "--width", width,
                              *source).text.splitlines():
                same(True, len(line) <= int(width), "7 %s columns: %s" % (
                    width, line))


def on_terminal(box, env):
    leader, follower = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    environment.update(env)
    subprocess.run([QUIRE, "ps", "-S", box.root], stdout=follower,
                   stderr=follower, env=environment, check=True)
    os.close(follower)
    text = os.read(leader, 65536)
    os.close(leader)
    has(text.decode(), "next: quire")
    return text


def muscle_memory(box):
    """What is typed before one thinks."""
    source = ["-S", box.root]
    same(2, quire("vmstat", "1", "1", *source).text.count("\n"),
         "vmstat DELAY COUNT")
    has(quire("vmstat", "1", code=1), "vmstat -w1")
    rows = quire("free", "--like=free", "-t", "--csv", *source).text
    rows = list(csv.reader(io.StringIO(rows)))
    same(["ram", "swap", "total"], [row[0] for row in rows[1:]], "free -t")
    same(int(rows[3][1]), int(rows[1][1]) + int(rows[2][1]), "free -t")
    same(False, "TOTAL" in quire("meminfo", "-t", *source).text,
         "no total where nothing adds up")
    has(quire("free", "--like=free", "--si", *source), "8.6 GB")


def rights(box):
    """As another user: what could not be read is counted, with the right."""
    os.chmod(box.root, 0o755)
    if os.geteuid() != 0:
        return
    run = lambda *words: subprocess.run(
        [QUIRE, *words], capture_output=True, check=False,
        preexec_fn=lambda: os.setuid(65534))
    try:
        done = run("ps")
    except PermissionError:
        return  # the program lies where nobody may go
    same(0, done.returncode, "7 rights: exit 0")
    has(done.stderr.decode(), "CAP_SYS_PTRACE")
    same(4, run("ps", "--strict").returncode, "7 rights: --strict")
    same(1, run("map", str(os.getpid())).returncode, "7 rights: map")


def calls_of(pids):
    """How many system calls `quire ps` makes for these processes."""
    read, write = os.pipe()
    with subprocess.Popen(
            ["strace", "-o", "/proc/self/fd/%d" % write, QUIRE, "ps", *pids],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=(write,)):
        os.close(write)
        with os.fdopen(read) as text:
            return len(text.read().splitlines())


def system_calls():
    """At most 10 for each further process."""
    if shutil.which("strace") is None:
        print("no strace: calls are not counted")
        return
    children = [subprocess.Popen(["sleep", "60"]) for _ in range(9)]
    try:
        pids = [str(child.pid) for child in children]
        # Other processes that come and go make it more, never less.
        few, many = (min(calls_of(some) for _ in range(3))
                     for some in (pids[:1], pids))
        if few > 0:  # else strace may not trace here
            same(True, many - few <= 8 * 10, "7 calls: %d, %d" % (few, many))
    finally:
        for child in children:
            child.kill()
            child.wait()


def main():
    with Machine(ram_kib=RAM // KIB) as box, smem_box() as two:
        plant_machine(box)
        plant_process(box)
        plant_kernel(box)
        plant_sysfs(box)
        plant_groups(box, 2)
        run_cases(box)
        smem_tables(two)
        smem_letters(two)
        smem_system(two, box)
        pmap(two)
        sums(box)
        captures(box)
        pipes(box)
        muscle_memory(box)
        plant_groups(box, 1)
        run_cases(box)
        rights(box)
    system_calls()


if __name__ == "__main__":
    sys.exit(main())
