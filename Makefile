# `make help` lists the targets.

SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help build dist documents install uninstall demo clean interpreters libclang clang \
	test measure-test abi-table formats-test nuitka-test report-test documents-test install-test portability fuzz bench lint \
	pictures vendor deb apt-repo package-test reproducible rpm rpm-test
# Two targets may both want apt.
.NOTPARALLEL:

# What `make fuzz` runs, and for how many minutes. Empty: all targets, a minute each.
TARGET ?=
MINUTES ?=

# Which profilers `make dist` builds, such as ABIS="3.6 3.11". Empty: all of them.
ABIS ?=
features = $(if $(ABIS),--no-default-features --features "kernel $(foreach abi,$(ABIS),py$(subst .,,$(abi)))")
cargo = scripts/cargo
target = $(or $(CARGO_TARGET_DIR),target)
shell_files = $(shell grep -rlE '^#!.*[/ ](ba)?sh$$' scripts demo .ci packaging tests/formats tests/interpreters tests/nuitka) \
	tests/interpreters/*.sh

# Where `make install` puts things; DESTDIR goes before PREFIX. SUDO=sudo builds as you
# and copies as root.
PREFIX ?= /usr/local
DESTDIR ?=
SUDO ?=

help: ## list the targets
	@sed -n 's/^\([-a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

build: libclang clang ## build the launcher and all profilers, optimised, into target/release
	$(cargo) build --release

dist: libclang clang ## put pyflame, pyflame2.7 ... into target/dist/bin (ABIS="3.6 3.11": only these)
	$(cargo) build --release $(features)
	scripts/dist $(ABIS)

documents: libclang clang ## manual pages and completions into target/dist/share (ABIS as for dist)
	$(cargo) run --quiet --release $(features) --example documents -- $(target)/dist/share $(ABIS)

install: dist documents ## put both into PREFIX=/usr/local (DESTDIR=, ABIS=, SUDO=sudo)
	$(SUDO) scripts/install "$(DESTDIR)$(PREFIX)" $(ABIS)

uninstall: ## remove what `make install` put there (PREFIX=, DESTDIR=, SUDO=)
	$(SUDO) scripts/install --remove "$(DESTDIR)$(PREFIX)"

documents-test: documents ## lint the manual pages, type into real shells
	packaging/tests/documents "$(target)/dist/share" $(ABIS)

install-test: ## install and uninstall in a scratch directory; cargo install
	packaging/tests/install

test: interpreters libclang clang ## all tests but those of measure-test, on every interpreter
	scripts/need tmux tmux
	$(cargo) test --no-fail-fast

measure-test: interpreters libclang clang ## shares of time, and the kernel's engine: one test at a time
	scripts/need tmux tmux
	$(cargo) test --no-fail-fast --test measure

# Where the tests that are declared to show something record what they saw.
records = $(abspath $(target))/abis.tsv

abi-table: interpreters libclang clang ## write docs/ABIS.md: what the tests show of each ABI, in half an hour
	scripts/need tmux tmux
	rm -f $(records)
	-PYFLAME_RECORD=$(records) $(cargo) test --no-fail-fast --test live --test measure
	PYFLAME_RECORDS=$(records) $(cargo) test --test house -- --ignored --exact abi_table::write

formats-test: ## let speedscope, pprof, Chrome's and Firefox's tools read what is written
	tests/formats/run

nuitka-test: interpreters dist ## profile a program that Nuitka has compiled, on each pyenv (ABIS as for dist)
	tests/nuitka/run $(ABIS)

report-test: interpreters libclang clang ## drive the HTML report and the SVGs in a real browser (ABIS as for dist)
	eval "$$(scripts/browser)" && $(cargo) test $(features) --test report -- --ignored

fuzz: libclang ## look for bytes that do harm, with libFuzzer (TARGET=: all, MINUTES=1 each)
	scripts/fuzz "$(TARGET)" "$(MINUTES)"

bench: interpreters dist ## compare with py-spy, Austin and profiling.sampling (BENCH=--quick)
	python3 -B benches/bench.py --pyflame target/dist/bin $(BENCH)

lint: libclang clang ## formatting, clippy, rustdoc, headers of one ABI alone, Rust version, shellcheck if there
	$(cargo) fmt --check
	rustfmt --check --edition 2024 src/cpython/abi/python*.rs # named by a macro: cargo fmt does not see them
	rustfmt --check --edition 2024 fuzz/fuzz_targets/*.rs # of a package of its own
	$(cargo) clippy --all-targets -- -D warnings
	$(cargo) clippy --test measure -- -D warnings
	$(cargo) clippy --all-targets --no-default-features --features py36 -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(cargo) doc --no-deps --lib --document-private-items
	scripts/lint-one-abi 3.6
	scripts/need python3 python3
	scripts/lint-msrv
	scripts/lint-packaging
	@if command -v shellcheck >/dev/null; then shellcheck -x $(shell_files); else echo "no shellcheck here: passed over"; fi

demo: ## profile a bundled program under this machine's python3: flame graph and report
	demo/run

pictures: dist ## draw those of docs/ anew, in a browser (ABIS as for dist)
	scripts/pictures

interpreters: ## fetch CPython 2.7 to 3.15 for the tests (tests/interpreters/README.md)
	tests/interpreters/fetch

libclang: ## find or install libclang, which the build needs
	@dir=$$(scripts/libclang) && echo "libclang: $$dir"

vendor: ## make the two source tarballs of the packages, in target/packages
	scripts/source-tarballs

clang: ## find or install clang, which compiles the program of --engine kernel
	@scripts/need "$${PYFLAME_CLANG:-clang}" clang

deb: ## build the Debian packages into target/packages, without a network (ABIS as above)
	scripts/deb $(ABIS)

apt-repo: ## make a signed APT repository of these packages, in target/apt-repo
	scripts/apt-repo

package-test: ## install, use, upgrade and remove them in a fresh Debian (as root)
	scripts/package-test

portability: ## build with the oldest Rust, and for aarch64, in a Debian 13 (as root)
	scripts/portability

rpm: ## build the RPM packages into target/packages/rpm, without a network (ABIS as above)
	scripts/rpm $(ABIS)

rpm-test: ## install them into a scratch root with rpm, run them, erase them (as root)
	packaging/tests/rpm

reproducible: ## build twice in different surroundings and compare every byte (ABIS as above)
	scripts/reproducible $(ABIS)

clean: ## remove target; the interpreters stay in their cache
	cargo clean
