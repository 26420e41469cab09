#!/bin/sh
# SPDX-License-Identifier: MIT
# completion.sh QUIRE: the completions name every command and option, the bash
# one completes, and those of zsh and fish parse where these shells are.
set -u
quire=$1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
failed=0

for shell in bash zsh fish; do
	"$quire" completion "$shell" >"$folder/$shell" || failed=1
	"$quire" help options | cut -f 2 | sort -u | while read -r name; do
		grep -q -e "--$name\|-l $name " "$folder/$shell" || {
			echo "completion: $shell lacks --$name"
			exit 1
		}
	done || failed=1
done
if command -v zsh >/dev/null; then
	zsh -n "$folder/zsh" || failed=1
fi
if command -v fish >/dev/null; then
	fish -n "$folder/fish" || failed=1
fi

command -v bash >/dev/null || exit $failed
# complete WORDS...: what bash offers after these words, the last one unfinished.
cat >"$folder/try" <<'END'
_command_offset() { COMPREPLY=(a-command); }
compopt() { :; }
. "$1"
shift
COMP_WORDS=(quire "$@")
COMP_CWORD=$#
_quire
echo "${COMPREPLY[*]}"
END

# offers WANTED WORD...
offers() {
	wanted=$1
	shift
	got=$(bash "$folder/try" "$folder/bash" "$@")
	case " $got " in
	*" $wanted "*) ;;
	*)
		echo "completion: quire $*: '$got' lacks '$wanted'"
		failed=1
		;;
	esac
}

bash -n "$folder/bash" || failed=1
offers doctor doc
offers run ''
offers --memory= run --me
offers zstd run --codec = z
offers zstd run --codec z
offers lz4 run -m 64M --codec = ''
offers a-command run -m 64M prog -x
offers a-command run -m 64M -- prog
offers --policy= run -m 64M --po
offers --json doctor --j
offers bash completion b
offers options help o
exit $failed
