# A short front of Meson. `make run` and `make test` are all that a newcomer needs; both install what is
# missing (tools/packages.txt) on a Debian 12. BUILD, DATA and PORT may be set.
BUILD ?= build
DATA  ?= data
NICE  ?= nice
SHELL := /bin/sh

.PHONY: all run test build console llama faces install asan tsan fuzz lint format bench deb try-deb cross pictures clean

all: build

install:
	@tools/install build run

# The console is built when its sources are newer than what was built; without npm the binary says so.
CONSOLE_SOURCES := $(shell git ls-files console 2>/dev/null)
console: console/dist/.stamp
console/dist/.stamp: $(CONSOLE_SOURCES)
	@tools/build_console

# The engine's library is slow to build and stays outside the tree, see tools/llama.
llama: install
	@tools/llama

# So does the network that finds faces in pictures, see tools/faces.
faces: install
	@tools/faces

$(BUILD)/build.ninja: | install llama faces
	meson setup $(BUILD)

build: install console llama faces $(BUILD)/build.ninja
	ninja -C $(BUILD)

run: build
	$(BUILD)/yicheng --data $(DATA) --set ops.demo=true $(if $(PORT),--set http.port=$(PORT)) serve --sample sample

test: build
	@tools/install test
	@tools/test $(BUILD)

# The same tests under the sanitizers. UBSan stops at the first finding.
asan: install llama faces
	@[ -f build-asan/build.ninja ] || meson setup build-asan -Db_sanitize=address,undefined -Db_lundef=false
	ninja -C build-asan
	@ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 tools/test build-asan --c-only

tsan: install llama faces
	@[ -f build-tsan/build.ninja ] || meson setup build-tsan -Db_sanitize=thread -Db_lundef=false
	ninja -C build-tsan
	@TSAN_OPTIONS=halt_on_error=1:die_after_fork=0:suppressions=$(CURDIR)/tools/tsan.txt tools/test build-tsan --c-only

# FUZZ_SECONDS for each target; a finding stops and stays in build-fuzz/findings/.
fuzz: install
	@tools/install lint
	@tools/fuzz $(FUZZ)

lint: build
	@tools/install lint
	@BUILD=$(BUILD) tools/lint

format:
	@tools/install lint
	clang-format -i $$(git ls-files 'src/*.c' 'src/*.h' 'tests/*.c' 'tests/*.h' 'fuzz/*.c' 'bench/*.c')

bench: build
	@tools/install bench
	@bench/run $(BUILD)

# The package runs on every processor of its kind, whatever it was built on.
DEB_LLAMA := $(if $(filter x86_64,$(shell uname -m)),x86-64,arm64)
deb: build
	@LLAMA_ARCH=$(DEB_LLAMA) tools/llama
	@[ -f build-deb/build.ninja ] || meson setup build-deb -Dllama_arch=$(DEB_LLAMA)
	ninja -C build-deb yicheng
	@tools/make_deb build-deb

# The package on a bare Debian with a running systemd; root, and a network the first time.
try-deb: deb
	@tools/try_deb build-deb/yicheng_*_$(shell dpkg --print-architecture).deb

# arm64: a whole cross build against Debian's arm64 libraries.
cross:
	@tools/make_cross

pictures: build
	node tools/screenshots.mjs

clean:
	rm -rf build build-deb build-asan build-tsan build-fuzz build-arm64 console/dist
