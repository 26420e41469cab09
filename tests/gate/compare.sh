#!/bin/bash
# SPDX-License-Identifier: MIT
# compare.sh LIBRARY MODE COMMAND...: runs the command plain and under the
# gate; output and exit status must be the same. MODE is GATE_TEST's value.
# 77: the command is not here.
library=$1 mode=$2
shift 2
command -v "$1" >/dev/null || exit 77
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
mkdir plain gate

plain() {
	(cd plain && timeout 60 "$@" </dev/null >../plain.out 2>&1)
	echo "status $?" >>plain.out
}
gate() {
	(cd gate && GATE_TEST=$mode LD_PRELOAD=$library timeout 60 "$@" \
		</dev/null >../gate.out 2>&1)
	echo "status $?" >>gate.out
}
plain "$@" 2>/dev/null
if [ "$(tail -n 1 plain.out)" = 'status 77' ]; then
	cat plain.out
	exit 77
fi
gate "$@" 2>/dev/null
diff plain.out gate.out
