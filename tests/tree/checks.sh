#!/bin/sh
# SPDX-License-Identifier: MIT
# checks.sh [COMPILER]: every check of tools/checks passes on a small sound tree
# and fails on the same tree with one fault planted.
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
compiler=${1:-cc}
tree=$(mktemp -d)
output=$(mktemp)
trap 'rm -rf "$tree" "$output"' EXIT
failed=0

licence='/* SPDX-License-Identifier: MIT */'

sound_tree() {
	rm -rf "${tree:?}"/*
	mkdir -p "$tree/tools" "$tree/core/base" "$tree/core/frame" \
		"$tree/core/slab" "$tree/codec" "$tree/heap" "$tree/cli" \
		"$tree/include/qr" "$tree/man"
	cp -r "$source/tools/checks" "$source/tools/files.sh" "$tree/tools/"
	cp "$source/.clang-format" "$tree/"
	printf '%s\n/* [base.1] Holds. */\nint base_x;\n' "$licence" \
		>"$tree/core/base/base.h"
	printf '%s\n#include "../base/base.h"\n' "$licence" \
		>"$tree/core/frame/frame.h"
	printf '%s\n#include <stddef.h>\nint qr_x(size_t n);\n' "$licence" \
		>"$tree/include/qr/x.h"
	printf '.Dd November 21, 2026\n.Dt X 1\n.Os\n.Sh NAME\n.Nm x\n.Nd y\n' \
		>"$tree/man/x.1"
}

# verdict CHECK WANTED [ARGUMENT]: runs a check; WANTED is good or bad.
verdict() {
	check=$1
	wanted=$2
	shift 2
	if sh "$tree/tools/checks/$check.sh" "$@" >"$output" 2>&1; then
		got=good
	else
		code=$?
		got=bad
		[ "$code" -ne 77 ] || return 0
	fi
	if [ "$got" != "$wanted" ]; then
		echo "checks: $check said $got where $wanted was right:"
		cat "$output"
		failed=1
	fi
}

# plant CHECK FILE LINES: the check fails once the file has these lines, too.
plant() {
	sound_tree
	verdict "$1" good
	# The lines come with \n between them.
	# shellcheck disable=SC2059
	printf "$3" >>"$tree/$2"
	verdict "$1" bad
}

many() { awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) print "\tx();" }'; }

plant format core/base/base.h 'int   y ;\n'
plant includes core/base/base.h '#include "../frame/frame.h"\n'
plant includes core/base/base.h '#include <stdio.h>\n'
plant includes core/base/base.h '#include "../../port/linux/port.h"\n'
plant includes codec/x.c '#include "../core/swap/swap.h"\n'
plant includes heap/x.c '#include "../core/slab/slab.h"\n'
plant includes cli/x.c '#include "port/linux/ledger.h"\n'
plant includes core/slab/x.c '#include "../frame/zone_impl.h"\n'
plant headers include/qr/x.h 'int qr_y(uint32_t n);\n'
plant headers include/qr/x.h 'struct qr_z { int class; };\n'
plant tags core/frame/frame.h 'int f(void); /* keeps [frame.7] */\n'
plant tags core/frame/frame.h 'const char *f = "frame.8: odd";\n'
plant words core/frame/frame.h '/* TO''DO */\n'
plant words core/frame/frame.h '/* see /ho''me/me/x */\n'
plant words core/frame/bare.c 'int y;\n'
plant limits core/frame/x.c "void\nf(void)\n{\n$(many 71)\n}\n"
plant limits core/frame/x.c "$(many 901)\n"
plant limits core/frame/x.c \
	'void\nf(int a, int b, int c,\n    int d, int e, int f)\n{\n}\n'
plant shell tools/x.sh "#!/bin/sh\necho \$1\n"
plant manuals man/x.1 '.Xx\n'

# library FLAG TEXT: an archive of one source, in $tree/x.a, and as x.so.
library() {
	echo "$1" >"$tree/x.c"
	"$compiler" -c -fPIC "$tree/x.c" -o "$tree/x.o"
	rm -f "$tree/x.a"
	ar rc "$tree/x.a" "$tree/x.o"
	"$compiler" -shared "$tree/x.o" -o "$tree/x.so"
}

sound_tree
library 'extern void qr_port_panic(void); void f(void) { qr_port_panic(); }'
verdict core-symbols good "$tree/x.a"
library 'static int n; int f(void); int f(void) { return n++; }'
verdict core-symbols bad "$tree/x.a"
library 'extern void abort(void); void f(void) { abort(); }'
verdict core-symbols bad "$tree/x.a"

sound_tree
echo qr_w >"$tree/tools/interposed.txt"
echo 'QR_PUBLIC const char *qr_y(int a,' >>"$tree/include/qr/x.h"
library 'void qr_w(void) {} void qr_y(void) {}'
verdict exports good "$tree/x.so"
library 'void qr_w(void) {} void qr_z(void) {}'
verdict exports bad "$tree/x.so"
library 'void qr_y(void) {}'
verdict exports bad "$tree/x.so"

exit $failed
