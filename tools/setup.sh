#!/bin/sh
# SPDX-License-Identifier: MIT
# setup.sh [--dry-run] build|check|check-all: makes sure that what a build, the
# tests, or the whole matrix need is there. What is missing is installed with
# apt where that is allowed (root, or sudo without a password); where it is
# not, or with --dry-run, the line to type is printed, and the exit code is 1.
# Programs that tests run under Quire are installed where that is allowed; a
# test that lacks one says so and skips.
set -eu

dry_run=no
if [ "${1-}" = --dry-run ]; then
	dry_run=yes
	shift
fi
stage=${1:?usage: setup.sh [--dry-run] build|check|check-all}
missing=
wanted=

has_command() { command -v "$1" >/dev/null 2>&1; }

# Whether the compiler finds a header, or the linker a library.
has_header() { echo "#include <$1>" | cc -E -o /dev/null - 2>/dev/null; }
has_library() {
	# With a path if it is found, without one if not.
	case $(cc -print-file-name="$1" 2>/dev/null) in
	*/*) true ;;
	*) false ;;
	esac
}

# need PACKAGE TEST...: notes the package if the test fails.
need() {
	package=$1
	shift
	"$@" || missing="$missing $package"
}

# want PACKAGE TEST...: notes a package that can be done without.
want() {
	package=$1
	shift
	"$@" || wanted="$wanted $package"
}

need_for_build() {
	need make has_command make
	need cmake has_command cmake
	need ninja-build has_command ninja
	need gcc has_command cc
	need libc6-dev has_header stdio.h
	need liblz4-dev has_library liblz4.a
	need libzstd-dev has_library libzstd.a
	need libncurses-dev has_library libncursesw.so
}

need_for_check() {
	need g++ has_command c++
	need libcmocka-dev has_header cmocka.h
	need clang-format has_command clang-format
	need mandoc has_command mandoc
	need shellcheck has_command shellcheck
	want python3 has_command python3
	want sqlite3 has_command sqlite3
	want redis-server has_command redis-server
	want perl has_command perl
	want tmux has_command tmux
	want valgrind has_command valgrind
	want musl-tools has_command musl-gcc
}

need_for_check_all() {
	need clang has_command clang
	need clang-tidy has_command clang-tidy
	need libclang-rt-dev has_clang_runtime
	want nodejs has_command node
	want default-jre-headless has_command java
}

# clang's sanitizers come in a package of their own.
has_clang_runtime() {
	[ -e "$(clang -print-file-name=libclang_rt.asan-x86_64.a 2>/dev/null)" ] ||
		ls "$(clang -print-resource-dir 2>/dev/null)"/lib/*/libclang_rt.asan* \
			>/dev/null 2>&1
}

case $stage in
build) need_for_build ;;
check)
	need_for_build
	need_for_check
	;;
check-all)
	need_for_build
	need_for_check
	need_for_check_all
	;;
*)
	echo "setup: unknown stage '$stage'" >&2
	exit 2
	;;
esac

if [ -z "$missing$wanted" ]; then
	exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
	as_root=sudo
fi

# Why nothing can be installed now; that matters only if something is missing.
explain() {
	[ -n "$missing" ] || exit 0
	echo "setup: missing:$missing" >&2
	echo "setup: $1; type this${as_root:+ (sudo, or as root)}," \
		"then make again:" >&2
	echo "    ${as_root:+$as_root }apt-get update &&" \
		"${as_root:+$as_root }apt-get install -y$missing" >&2
	exit 1
}

[ "$dry_run" = no ] || explain "nothing is installed by this command"
has_command apt-get || explain "this is no Debian"
if [ -n "$as_root" ] && ! sudo -n true 2>/dev/null; then
	explain "installing needs root"
fi

apt() {
	${as_root:+$as_root -n} env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -y -o Dpkg::Use-Pty=0 "$@"
}

echo "setup: installing$missing$wanted"
apt update || echo "setup: the package lists could not be renewed" >&2
# One word a package.
# shellcheck disable=SC2086
if [ -n "$missing" ]; then
	apt install --no-install-recommends $missing || explain "apt-get failed"
fi
# shellcheck disable=SC2086
if [ -n "$wanted" ]; then
	apt install --no-install-recommends $wanted ||
		echo "setup: without$wanted; tests of these skip" >&2
fi
echo "setup: done"
