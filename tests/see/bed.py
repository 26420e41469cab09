# SPDX-License-Identifier: MIT
"""Machines made of files, and the command run on them."""
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile

QUIRE = sys.argv[1] if len(sys.argv) > 1 else "quire"
SEED = int(os.environ.get("QUIRE_SEED") or 1)
print("QUIRE_SEED=%d" % SEED, flush=True)
KIB = 1024
MIB = 1024 * KIB

# Keys of smaps by the first kernel that has them here.
SMAPS_KEYS = [
    ("Rss", 4), ("Pss", 4), ("Pss_Dirty", 600), ("Shared_Clean", 4),
    ("Shared_Dirty", 4), ("Private_Clean", 4), ("Private_Dirty", 4),
    ("Referenced", 4), ("Anonymous", 4), ("KSM", 605), ("LazyFree", 4),
    ("AnonHugePages", 4), ("ShmemPmdMapped", 4), ("FilePmdMapped", 5),
    ("Shared_Hugetlb", 4), ("Private_Hugetlb", 4), ("Swap", 4),
    ("SwapPss", 4), ("Locked", 4),
]


class Area:
    """A mapping; sizes in KiB."""

    def __init__(self, start, size, perms="rw-p", name="", inode=0, **values):
        self.start, self.size = start, size
        self.perms, self.name, self.inode = perms, name, inode
        self.values = values

    def get(self, key):
        return self.values.get(key, 0)


class Machine:
    """A tree that -S can read. kernel: 510, 601, 618 and so on."""

    def __init__(self, kernel=618, ram_kib=8 << 20):
        self.root = tempfile.mkdtemp(prefix="see.")
        self.kernel = kernel
        self.processes = []
        self.put("proc/meminfo", "MemTotal: %12d kB\nMemFree: %12d kB\n" % (
            ram_kib, ram_kib // 2))
        self.put("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
                 "www:x:33:33::/:/bin/false\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root, ignore_errors=True)

    def put(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        data = text if isinstance(text, bytes) else text.encode(
            "utf-8", "surrogateescape")
        with open(full, "wb") as file:
            file.write(data)

    def smaps_keys(self, area, rollup=False):
        text = ""
        for key, since in SMAPS_KEYS:
            if since <= self.kernel:
                text += "%-16s%8d kB\n" % (key + ":", area.get(key))
            if rollup and key == "Pss_Dirty" and self.kernel >= 600:
                for part in ("Pss_Anon", "Pss_File", "Pss_Shmem"):
                    text += "%-16s%8d kB\n" % (part + ":", area.get(part))
        for key in area.values:
            if key.startswith("New"):
                text += "%-16s%8d kB\n" % (key + ":", area.get(key))
        return text

    def process(self, pid, comm="x", uid=0, ppid=1, areas=(), cmdline=None,
                rollup=True, status=True, state="S (sleeping)", extra=""):
        base = "proc/%d/" % pid
        self.processes.append(pid)
        rss = sum(a.get("Rss") for a in areas)
        swap = sum(a.get("Swap") for a in areas)
        size = sum(a.size for a in areas)
        escaped = comm.replace("\\", "\\\\").replace("\n", "\\n")
        text = "Name:\t%s\nUmask:\t0022\nState:\t%s\nTgid:\t%d\nPid:\t%d\n" % (
            escaped, state, pid, pid)
        text += "PPid:\t%d\nUid:\t%d\t%d\t%d\t%d\n" % (
            (ppid,) + (uid,) * 4)
        if areas:
            text += ("VmPeak:\t%8d kB\nVmSize:\t%8d kB\nVmHWM:\t%8d kB\n"
                     "VmRSS:\t%8d kB\nVmSwap:\t%8d kB\n" % (
                         size, size, rss, rss, swap))
        text += extra + "Threads:\t1\n"
        if status:
            self.put(base + "status", text)
        self.put(base + "stat", "%d (%s) %s %d 1 1 0 -1 0 %d 0 %d 0 0 0 0 0 "
                 "20 0 1 0 5 %d %d 0 0 0\n" % (
                     pid, comm, state[0], ppid, pid * 3, pid % 7,
                     size * KIB, rss // 4))
        self.put(base + "cmdline", (comm + "\0--arg\0") if cmdline is None
                 else cmdline)
        maps = smaps = ""
        total = {}
        for area in areas:
            head = "%08x-%08x %s %08x 08:01 %d" % (
                area.start, area.start + area.size * KIB, area.perms, 0,
                area.inode)
            name = area.name.replace("\n", "\\012")
            if name:
                head = "%-72s %s" % (head, name)
            maps += head + "\n"
            smaps += head + "\n%-16s%8d kB\n%-16s%8d kB\n%-16s%8d kB\n" % (
                "Size:", area.size, "KernelPageSize:", 4, "MMUPageSize:", 4)
            smaps += self.smaps_keys(area) + "THPeligible:           0\n"
            smaps += "VmFlags: rd wr mr mw me ac \n"
            for key, value in area.values.items():
                total[key] = total.get(key, 0) + value
        self.put(base + "maps", maps)
        self.put(base + "smaps", smaps)
        if rollup and areas:
            whole = Area(areas[0].start, size, **total)
            self.put(base + "smaps_rollup", "%08x-%08x ---p 00000000 00:00 0"
                     "                    [rollup]\n%s" % (
                         areas[0].start, areas[-1].start,
                         self.smaps_keys(whole, rollup=True)))
        self.put(base + "cgroup", "0::/box\n")

    # Captures of others.

    def smemcap(self, owners=True, meminfo="meminfo"):
        """A tar as smemcap writes it: with owners, or busybox's without."""
        out = io.BytesIO()
        tar = tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT)

        def add(name, data, uid=0):
            info = tarfile.TarInfo(name)
            info.size, info.uid = len(data), uid
            tar.addfile(info, io.BytesIO(data))

        for name in (meminfo, "version"):
            path = os.path.join(self.root, "proc", os.path.basename(name))
            data = open(path, "rb").read() if os.path.exists(path) else b"x\n"
            add(name, data)
        for pid in self.processes:
            info = tarfile.TarInfo(str(pid))
            info.type = tarfile.DIRTYPE
            status = open("%s/proc/%d/status" % (self.root, pid),
                          errors="replace").read()
            uid = int(status.split("Uid:\t")[1].split("\t")[0])
            info.uid = uid if owners else 0
            tar.addfile(info)
            for name in ("smaps", "cmdline", "stat"):
                add("%d/%s" % (pid, name), open("%s/proc/%d/%s" % (
                    self.root, pid, name), "rb").read())
        tar.close()
        return out.getvalue()

    def quire(self, *words, **options):
        return quire(*words, "-S", self.root, **options)


class Result:
    def __init__(self, code, out, err, words):
        self.code, self.out, self.err, self.words = code, out, err, words

    @property
    def text(self):
        return self.out.decode("utf-8", "surrogateescape")

    @property
    def json(self):
        return json.loads(self.text)

    def rows(self):
        return self.json["rows"]


def quire(*words, code=0, stdin=b"", env=None):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                   "ASAN_OPTIONS": "verify_asan_link_order=0"}
    environment.update(env or {})
    done = subprocess.run([QUIRE] + list(words), input=stdin,
                          capture_output=True, env=environment, check=False)
    result = Result(done.returncode, done.stdout, done.stderr, words)
    if code is not None and done.returncode != code:
        fail("quire %s: exit %d, wanted %s\n%s%s" % (
            " ".join(words), done.returncode, code, result.text,
            done.stderr.decode("utf-8", "replace")))
    return result


def fail(text):
    print(text)
    sys.exit(1)


def same(wanted, got, what=""):
    if wanted != got:
        fail("%s: wanted %r, got %r" % (what, wanted, got))


def has(text, part):
    if isinstance(text, Result):
        text = text.text + text.err.decode("utf-8", "replace")
    if part not in text:
        fail("%r is not in:\n%s" % (part, text))


ODD_NAMES = ["a b", "x) S 1 (y", "new\nline", "b\udcffd", "quo\"te", "it's",
             "com,ma", "back\\slash", "\u4e16\u754c", "tab\tx", "-n"]


def random_area(rng, start, kernel):
    private = rng.randrange(4096) * 4
    shared = rng.randrange(1024) * 4
    pss = private + shared // rng.randrange(2, 9)
    swap = rng.choice([0, 0, rng.randrange(100) * 4])
    dirty = rng.randrange(private + 1) // 4 * 4
    name = rng.choice(["", "[heap]", "[stack]", "/usr/lib/libc.so.6",
                       "/tmp/a b (deleted)", "/memfd:x (deleted)",
                       "/srv/n\nl"])
    return Area(start, private + shared + swap + rng.randrange(64) * 4,
                name=name, inode=rng.randrange(9), Rss=private + shared,
                Pss=pss, Private_Clean=private - dirty, Private_Dirty=dirty,
                Shared_Clean=shared, Swap=swap, SwapPss=swap // 2,
                Anonymous=dirty, Pss_Anon=dirty, Pss_File=pss - dirty
                if pss > dirty else 0)


def random_machine(rng, kernel=None, count=None):
    kernel = kernel or rng.choice([510, 601, 618])
    machine = Machine(kernel)
    pids = rng.sample(range(1, 32768), count or rng.randrange(1, 40))
    for pid in sorted(pids):
        start = 0x10000
        areas = []
        for _ in range(rng.randrange(0, 6)):
            area = random_area(rng, start, kernel)
            areas.append(area)
            start += area.size * KIB + 0x10000
        machine.process(pid, rng.choice(ODD_NAMES + ["sh", "www"]),
                        uid=rng.choice([0, 33, 1000]),
                        ppid=rng.choice([0, 1] + pids), areas=areas,
                        rollup=kernel >= 414)
    return machine
