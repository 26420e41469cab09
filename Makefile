# SPDX-License-Identifier: MIT
# A thin front of CMake. `make check` and `make demo` set everything up by
# themselves on a bare Debian 12; the others say what is missing.

.PHONY: all check check-all demo install uninstall soak clean format help

all:
	@tools/setup.sh --dry-run build
	@tools/build.sh release

check:
	@tools/setup.sh check
	@tools/check.sh

check-all:
	@tools/setup.sh check-all
	@tools/check-all.sh

demo:
	@tools/setup.sh build
	@tools/build.sh release
	@build/quire demo

# make install [DESTDIR=...] [PREFIX=...]
PREFIX ?= /usr/local
install: all
	@DESTDIR="$(DESTDIR)" cmake --install build --prefix "$(PREFIX)"

uninstall:
	@sed 's|^|$(DESTDIR)|' build/install_manifest.txt | xargs -r rm -f --

# make soak [SECONDS=3600] [SEED=1]
SECONDS ?= 60
soak:
	@tools/build.sh check
	@build-check/tests/soak-program/soak $(CURDIR)/build-check/quire \
		$(CURDIR)/build-check/tests $(SECONDS) $(SEED)

clean:
	rm -rf build build-*

format:
	tools/files.sh '\.[ch]$$' | xargs clang-format -i

help:
	@echo 'make            release build of the libraries and build/quire'
	@echo 'make demo       set up, build, and see a program at half its RAM'
	@echo 'make check      set up, build, and run all tests'
	@echo 'make check-all  gcc and clang, every preset, clang-tidy'
	@echo 'make soak       random programs, budgets and kills [SECONDS=] [SEED=]'
	@echo 'make install    [PREFIX=/usr/local] [DESTDIR=]'
	@echo 'make uninstall, make clean, make format'
