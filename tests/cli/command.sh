#!/bin/sh
# SPDX-License-Identifier: MIT
# command.sh QUIRE [COMPILER]: exit codes, messages and streams of the command,
# from outside. Programs that must be refused are built here.
set -u
quire=$1
compiler=${2:-cc}
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
failed=0
unset QUIRE_SWAP_DIR QUIRE_RUN LD_PRELOAD NO_COLOR COLUMNS
ASAN_OPTIONS=verify_asan_link_order=0
export ASAN_OPTIONS HOME="$folder/home" XDG_STATE_HOME="$folder/state" LC_ALL=C TERM=xterm

# try CODE PATTERN ARGUMENT...: quire ends with CODE, its output, both streams,
# matches PATTERN.
try() {
	wanted=$1
	pattern=$2
	shift 2
	"$quire" "$@" >"$folder/out" 2>"$folder/err" </dev/null
	code=$?
	cat "$folder/out" "$folder/err" >"$folder/both"
	if [ "$code" -ne "$wanted" ] ||
		! grep -q -e "$pattern" "$folder/both"; then
		echo "quire $*: exit $code, wanted $wanted and '$pattern':"
		cat "$folder/both"
		failed=1
	fi
	if grep -q "$(printf '\033')" "$folder/both"; then
		echo "quire $*: escapes in a pipe"
		failed=1
	fi
}

# talks: what went wrong was said on stderr alone.
talks() {
	if [ -s "$folder/out" ] || ! [ -s "$folder/err" ]; then
		echo "the message was not on stderr alone"
		failed=1
	fi
}

# Usage.
try 0 'run -m 256M'
try 0 'run -m 256M' --help
try 0 'run -m 256M' help
try 0 '^quire 0\.' --version
try 0 '^{"schema":"quire.version/1"' version --json
try 0 '^usage: quire run' run --help
try 0 '^usage: quire run' help run
try 0 '^run	memory	m	SIZE|N%	-	' help options
try 2 'quire doctor' dotcor
talks
try 2 '--version\|--width\|quire help' --versoin
try 2 'takes no operands' version x
try 2 'that shell is not known' completion tcsh
try 2 'unknown command' help nothing
for command in run doctor demo last help version completion; do
	try 0 '^examples:' "$command" -h
	[ "$(wc -l <"$folder/out")" -lt 60 ] || {
		echo "$command -h is no screen"
		failed=1
	}
done

# Wrong usage of run: 125, and what to do.
try 125 'try: quire run -m 256M -- ' run
talks
try 125 'no command' run -m 64M
try 125 'no command' run -m 64M --
try 125 "bad value '0'" run -m 0 true
try 125 "bad value '12Q'" run -m 12Q true
try 125 "bad value '-5'" run -m -5 true
try 125 "bad value '1M'" run -m 1M true
try 125 "bad value '101%'" run -m 101% true
try 125 'try: --policy' run --polcy=lru true
try 125 'auto|lz4|zstd' run -m 64M --codec=gzip true
try 125 'pool without --memory' run --pool=inside true
try 125 'cannot hold the swap file' run -m 64M --swap /nowhere true
try 125 'cannot write' run -m 64M --json /nowhere/x true

# Modes that not every kernel, user or version has.
try 125 'can only copy' run -m 64M --mover=move true
if command -v setpriv >/dev/null 2>&1 && [ "$(id -u)" = 0 ] &&
	[ "$(cat /proc/sys/vm/unprivileged_userfaultfd 2>/dev/null)" = 0 ]; then
	root=$quire
	quire=$folder/nobody
	printf '#!/bin/sh\nexec setpriv --reuid=65534 --regid=65534 %s "%s" "$@"\n' \
		"--clear-groups --inh-caps=-all" "$root" >"$quire"
	chmod 0755 "$folder" "$quire"
	try 125 'CAP_SYS_PTRACE' run -m 64M --delivery=handler true
	try 1 'warn *--delivery=handler cannot' doctor -- /nowhere
	quire=$root
fi

# Every policy that the core has can be named.
source=$(cd "$(dirname "$0")/../.." && pwd)
# One word a name.
# shellcheck disable=SC2013
for policy in $(sed -n 's/^.*\.name = "\(.*\)",$/\1/p' \
	"$source"/core/reclaim/*.c); do
	try 125 'no command' run -m 64M --policy="$policy"
done

# Programs that are not there, or cannot be executed.
try 127 'no such command' run -m 64M no-such-command
try 127 'no such command' run no-such-command
try 127 'no such command' run -m 64M ./no-such-file
try 127 'no such command' run -m 64M ''
try 126 'Is a directory' run -m 64M /
echo text >"$folder/text"
try 126 'Permission denied' run -m 64M "$folder/text"
printf '#!/no/such/interpreter\n' >"$folder/orphan"
chmod +x "$folder/orphan"
try 127 'interpreter' run -m 64M "$folder/orphan"
printf '#!%s/loop\n' "$folder" >"$folder/loop"
chmod +x "$folder/loop"
try 126 'call each other' run -m 64M "$folder/loop"

# Programs that Quire cannot enter.
echo 'int main(void) { return 0; }' >"$folder/x.c"
if "$compiler" -static "$folder/x.c" -o "$folder/static" 2>/dev/null; then
	if [ -x "${quire%/*}/quire-static" ]; then
		"$quire" run -q -m 64M "$folder/static" || failed=1
	fi
	try 126 'statically linked' run "$folder/static"
	printf '#!%s/static\n' "$folder" >"$folder/script"
	chmod +x "$folder/script"
	try 126 'statically linked' run -m 64M "$folder/script"
	printf '#!/usr/bin/env -S static x\n' >"$folder/script"
	if [ -x "${quire%/*}/quire-static" ]; then
		PATH="$folder:$PATH" "$quire" run -q -m 64M "$folder/script" ||
			failed=1
	fi
fi
"$compiler" "$folder/x.c" -o "$folder/plain" || exit 1
cp "$folder/plain" "$folder/setuid"
chmod u+s "$folder/setuid"
try 126 'is a setuid program' run -m 64M "$folder/setuid"
cp "$folder/plain" "$folder/setgid"
chmod g+sx "$folder/setgid"
try 126 'is a setgid program' run -m 64M "$folder/setgid"
if "$compiler" -fsanitize=address "$folder/x.c" -o "$folder/asan" \
	2>/dev/null; then
	try 126 'built with AddressSanitizer' run -m 64M "$folder/asan"
fi
# Byte 18 of an ELF file is its machine: 183 is AArch64's number.
cp "$folder/plain" "$folder/foreign"
printf '\267\000' | dd of="$folder/foreign" bs=1 seek=18 conv=notrunc 2>/dev/null
case $(uname -m) in
x86_64) try 126 'another machine: 64-bit AArch64' run -m 64M "$folder/foreign" ;;
esac
head -c 70 "$folder/plain" >"$folder/cut"
chmod +x "$folder/cut"
try 126 'damaged' run -m 64M "$folder/cut"

# A command without its libraries says so; with a budget it needs both. The
# copy stands alone, whatever else has been built.
mkdir "$folder/bin"
cp "$quire" "$folder/bin/quire"
whole=$quire
quire=$folder/bin/quire
try 125 'cannot find libquire-run.so' run -m 64M true
try 125 'cannot find libquire.so' run true
try 1 'cannot find libquire-run.so' demo
try 1 'cannot find' doctor

# What the program gets: a library that does nothing stands in for Quire's.
echo '' >"$folder/empty.c"
"$compiler" -shared -fPIC "$folder/empty.c" -o "$folder/bin/libquire-run.so" &&
	cp "$folder/bin/libquire-run.so" "$folder/bin/libquire.so" || exit 1
cat >"$folder/show" <<'END'
#!/bin/sh
echo "preload=$LD_PRELOAD"
echo "run=${QUIRE_RUN-unset}"
echo "pid=$$"
echo "words=$*"
exit 7
END
chmod +x "$folder/show"
try 7 "^preload=.*/libquire-run.so\$" run -m 64M "$folder/show"
try 7 '^run=1:budget=67108864,start=[0-9]*,root=[0-9]*,swapdir=/' \
	run -m 64M "$folder/show"
try 7 '^run=.*swapoff=yes' run -m 64M --swap off "$folder/show"
try 7 '^run=.*codec=zstd' run -m 64M --codec=zstd "$folder/show"
try 7 '^run=.*json=/' run -m 64M --json "$folder/j" "$folder/show"
try 7 '^words=-m 1 --' run -m 64M -- "$folder/show" -m 1 --
try 7 '^run=unset$' run "$folder/show"
try 7 '^preload=.*/libquire.so$' run "$folder/show"
LD_PRELOAD=libm.so.6 try 7 '/libquire.so:libm.so.6$' run "$folder/show"
try 0 'budget 64.0 M' run -v -m 64M true
try 137 '' run -m 64M sh -c 'kill -9 $$' # shell's own words for a signal
sed 1d "$folder/show" >"$folder/bare"
chmod +x "$folder/bare"
try 7 '^words=a b' run -m 64M "$folder/bare" a b
# The same process: root= is the program's own id.
"$quire" run -m 64M "$folder/show" >"$folder/out"
root=$(sed -n 's/.*root=\([0-9]*\).*/\1/p' "$folder/out")
grep -q "^pid=$root\$" "$folder/out" || {
	echo "the program is not the process that quire was"
	failed=1
}
mkdir "$folder/a b" && cp "$folder"/bin/* "$folder/a b/"
quire="$folder/a b/quire" try 125 'blanks and colons' run -m 64M true
quire=$folder/bin/quire

# A stand-in library leaves no summary: as if killed.
try 1 'no summary of' last
"$quire" run -m 64M sh -c true
try 1 "no summary of 'sh -c true'" last
sleep 0.02
echo 'the summary' >"$folder/state/quire/last"
try 0 '^the summary$' last
XDG_STATE_HOME="$folder/none" try 1 'no run to show' last

quire=$whole
# Streams: no escapes but on demand, a full disk is seen, a closed pipe is not.
"$quire" doctor --color=always >"$folder/out" 2>&1
grep -q "$(printf '\033')" "$folder/out" || {
	echo "--color=always gives no colours"
	failed=1
}
if [ -w /dev/full ]; then
	"$quire" help >/dev/full 2>"$folder/err"
	if [ $? -ne 1 ] || ! grep -q 'cannot write' "$folder/err"; then
		echo "a full disk was not noticed"
		failed=1
	fi
fi
(
	trap '' PIPE
	sleep 0.1
	"$quire" completion bash 2>"$folder/err"
) | true
if [ -s "$folder/err" ]; then
	echo "a closed pipe was talked about"
	failed=1
fi
exit $failed
