#!/bin/sh
# SPDX-License-Identifier: MIT
# limit.sh LIBRARY.so: QUIRE_HEAP_LIMIT holds for a program that knows nothing
# of it: it gets errors of its own kind, and can go on.
set -u
library=${1:?usage: limit.sh LIBRARY.so}
command -v python3 >/dev/null || { echo "skipped: no python3 here"; exit 77; }
found=$(QUIRE_HEAP_LIMIT=64M LD_PRELOAD=$library python3 -c '
try:
    bytearray(200 << 20)
except MemoryError:
    print("one")
texts = []
try:
    while True:
        texts.append("x" * 1000 + str(len(texts)))
except MemoryError:
    count = len(texts)
    texts = None
    print("many", 30000 < count < 64000)
print(len(bytearray(20 << 20)))') || exit 1
[ "$found" = "one
many True
20971520" ] && exit 0
echo "$found"
exit 1
