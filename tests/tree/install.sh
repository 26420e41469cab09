#!/bin/sh
# SPDX-License-Identifier: MIT
# install.sh BUILD COMPILER: an installation has everything where the command,
# compilers, man and shells look for it, and works from there, wherever it is.
set -eu
build=$1
compiler=$2
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT

cmake --install "$build" --prefix "$prefix" >/dev/null
for file in bin/quire lib/libquire-core.a include/qr/machine.h \
	share/man/man1/quire-run.1 share/bash-completion/completions/quire \
	share/zsh/site-functions/_quire \
	share/fish/vendor_completions.d/quire.fish lib/pkgconfig/quire.pc; do
	if ! [ -s "$prefix/$file" ]; then
		echo "install: $file is missing"
		exit 1
	fi
done
# Each library that has been built is there.
for file in libquire.so libquire.a quire/libquire-run.so; do
	if [ -e "$build/${file#quire/}" ] && ! [ -e "$prefix/lib/$file" ]; then
		echo "install: lib/$file is missing"
		exit 1
	fi
done
"$prefix/bin/quire" version >/dev/null
if [ -e "$prefix/lib/libquire.so" ]; then
	"$prefix/bin/quire" run -q -- true
fi
if [ -e "$prefix/lib/quire/libquire-run.so" ]; then
	"$prefix/bin/quire" run -q -m 64M -- true
fi

# A program outside of the tree builds against it.
echo '#include <qr/machine.h>
int main(void) { return sizeof(struct qr_machine_config) == 0; }' \
	>"$prefix/consumer.c"
"$compiler" -std=c11 -I"$prefix/include" "$prefix/consumer.c" \
	-o "$prefix/consumer"
"$prefix/consumer"
