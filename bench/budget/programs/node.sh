#!/bin/sh
# SPDX-License-Identifier: MIT
# A tree of objects, walked, pruned and serialised.
exec node -e '
const m = new Map(); let x = 1;
for (let i = 0; i < 500000; i++) {
	x = (Math.imul(x, 1103515245) + 12345) >>> 1;
	m.set("k" + i, { a: x, b: "v" + x, c: [i, x & 255] });
}
let s = 0;
for (const k of [...m.keys()].sort()) s = (s * 31 + m.get(k).c[0]) % 1000003;
for (let i = 0; i < 500000; i += 2) m.delete("k" + i);
console.log(m.size, s, JSON.stringify([...m.values()]).length);'
