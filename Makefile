# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# A thin front of CMake's presets: see `make help`.
PREFIX ?= /usr/local
BUILD := build
export DESTDIR

.PHONY: all check bench fuzz torture install uninstall clean help

all: ## build the library and the program, optimised, in build/
	@cmake --preset release -DCMAKE_INSTALL_PREFIX="$(PREFIX)" >/dev/null
	@cmake --build $(BUILD) --target product

check: ## build, test in release, check the house rules
	@cmake --preset release -DBASIN_TESTS=ON >/dev/null
	cmake --build $(BUILD)
	cmake --build $(BUILD) --target floors
	ctest --test-dir $(BUILD) --output-on-failure --no-tests=error -j 2

bench: ## compare with the engines that Debian has (installs them); see bench/README.md
	sh tools/deps.sh build
	sh tools/deps.sh bench || echo "going on without the engines that are missing" >&2
	@cmake --preset release -DBASIN_BENCH=ON >/dev/null
	cmake --build $(BUILD) --target bench
	BUILD=$(BUILD) sh bench/run.sh

fuzz: ## fuzz each decoder; SECONDS=600 in sum
	sh tools/deps.sh build test
	@cmake --preset fuzz >/dev/null
	cmake --build build-fuzz --target fuzzers
	sh tools/fuzz.sh build-fuzz $(or $(SECONDS),600)

torture: ## the random tests at SCALE=200 with new seeds, under sanitizers; CRASHES=1000000
	sh tools/torture.sh $(or $(SCALE),200) 1 $(or $(CRASHES),1000000)

install: all ## install under PREFIX (/usr/local) below DESTDIR
	cmake --install $(BUILD) --prefix "$(PREFIX)"

uninstall: ## remove what `make install` installed
	@test -e $(BUILD)/install_manifest.txt || { echo "nothing was installed from here"; exit 1; }
	@while read -r file || [ -n "$$file" ]; do rm -vf "$(DESTDIR)$$file"; done \
		<$(BUILD)/install_manifest.txt

clean: ## remove the build folders
	rm -rf build build-debug build-asan build-clang build-tsan build-fuzz

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 20
