#!/bin/sh
# SPDX-License-Identifier: MIT
# A map of small objects under the serial collector.
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cat >"$dir/Work.java" <<'EOF'
import java.util.*;
public class Work {
	public static void main(String[] a) {
		Map<String, long[]> m = new HashMap<>();
		long x = 1;
		for (int i = 0; i < 700000; i++) {
			x = (x * 1103515245L + 12345) & 0x7fffffff;
			m.put("k" + i, new long[] { i, x, x % 97 });
		}
		long s = 0;
		for (String k : new TreeSet<>(m.keySet()))
			s = (s * 31 + m.get(k)[1]) % 1000000007L;
		System.out.println(m.size() + " " + s);
	}
}
EOF
java -XX:+UseSerialGC -Xshare:auto "$dir/Work.java"
