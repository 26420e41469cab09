#!/bin/sh
# SPDX-License-Identifier: MIT
# A dictionary of records, built, sorted, looked up and partly deleted.
exec /usr/bin/python3 -c '
import random
random.seed(1)
d = {}
for i in range(400000):
    d["key%07d" % i] = [i, str(i * 7919 % 1000003), {"n": i % 97}]
s = 0
keys = sorted(d, key=lambda k: d[k][1])
for k in keys[::3]:
    s += d[k][0] * d[k][2]["n"]
for k in keys[::2]:
    del d[k]
for k in random.sample(sorted(d), 50000):
    s ^= hash(d[k][0])
print(len(d), s)
'
