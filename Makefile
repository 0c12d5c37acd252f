# make run          build everything and start a server on 127.0.0.1:7000
# make build        a virtual environment in .venv with respkv and its C core installed
# make test         all tests: the C programs, then pytest (K=... picks some; SEED=n replays random ones)
# make check        format, lint, types, layers, warnings: nothing runs that takes long
# make asan         the C tests under Address- and UndefinedBehaviorSanitizer, the threaded ones under ThreadSanitizer too
# make fuzz         every fuzz target for FUZZ_SECONDS (60), under Address- and UndefinedBehaviorSanitizer
# make analyze      gcc -fanalyzer over native/src
# make soak         the tests that take long: HOURS (1) of kill -9 under load, memory bounds
# make bench        the tables of ratios: against redis-server, RocksDB and others (needs a quiet machine)
# make clean        remove what was built

PYTHON  ?= $(shell command -v python3.11 || echo python3)
CC       = gcc
HOURS   ?= 1
FUZZ_SECONDS ?= 60
OUT      = build/native

VENV = .venv
BIN  = $(VENV)/bin
export PYTHON CC

.DELETE_ON_ERROR:
.PHONY: run build dev test test-native test-python check check-format check-python asan fuzz analyze soak bench clean prepare native

# ---- the package -----------------------------------------------------------------------------------------------------

NATIVE_HEADERS = $(shell find native/include native/src -name '*.h')
NATIVE_SOURCES = $(shell find native/src -name '*.c')

run: build
	$(BIN)/respkv-server $(ARGS)

build: $(VENV)/.installed

$(VENV)/.created:
	@.ci/prepare build
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip
	$(BIN)/pip install -q 'setuptools>=66' wheel 'cffi>=1.16'
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml setup.py native/build_ffi.py $(NATIVE_SOURCES) $(NATIVE_HEADERS)
	PYTHONWARNINGS=ignore $(BIN)/pip install -q --no-build-isolation -e .
	@touch $@

dev: $(VENV)/.dev
$(VENV)/.dev: $(VENV)/.installed pyproject.toml
	PYTHONWARNINGS=ignore $(BIN)/pip install -q --no-build-isolation -e '.[dev]'
	@touch $@

# ---- the C core: a library, one program a test and a benchmark ---------------------------------------------------------

WARNINGS = -Wall -Wextra -Werror
CFLAGS   = -std=c11 -D_GNU_SOURCE -O2 -g $(WARNINGS) $(LZ4:-llz4=-DRKV_HAVE_LZ4)
LDLIBS   = -lpthread -lm $(LZ4)
LZ4     := $(shell echo 'int main(void) { return !LZ4_versionNumber(); }' | \
                   $(CC) -include lz4.h -x c - -llz4 -o /dev/null 2>/dev/null && echo -llz4)

API     = $(filter native/src/api%,$(NATIVE_SOURCES))
LIBRARY = $(filter-out $(API),$(NATIVE_SOURCES)) $(filter-out native/tests/test_%,$(wildcard native/tests/*.c))
TESTS   = $(patsubst native/tests/%.c,%,$(wildcard native/tests/test_*.c))
BENCHES = $(patsubst native/bench/%.c,%,$(wildcard native/bench/bench_*.c))
FUZZERS = $(patsubst native/fuzz/%.c,%,$(wildcard native/fuzz/fuzz_*.c))
# A test of threads says so by the word in its file comment.
THREADED = $(patsubst native/tests/%.c,%,$(shell grep -l ThreadSanitizer native/tests/test_*.c 2>/dev/null))

# $(call variant,NAME,FLAGS): the rules of one way to compile it all, under build/native/NAME.
define variant
$(OUT)/$(1)/librespkv.a: $(patsubst %.c,$(OUT)/$(1)/%.o,$(LIBRARY))
	@rm -f $$@
	@ar rcs $$@ $$^
$(OUT)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	@echo "cc ($(1)) $$<"
	@$(CC) $(CFLAGS) $(2) -MMD -MP -Inative/src -Inative/include -Inative/tests -c $$< -o $$@
$(OUT)/$(1)/test_%: $(OUT)/$(1)/native/tests/test_%.o $(OUT)/$(1)/librespkv.a
	@$(CC) $(2) $$^ $(LDLIBS) -o $$@
$(OUT)/$(1)/bench_%: $(OUT)/$(1)/native/bench/bench_%.o $(OUT)/$(1)/librespkv.a
	@$(CC) $(2) $$^ $(LDLIBS) -o $$@
$(OUT)/$(1)/fuzz_%: $(OUT)/$(1)/native/fuzz/fuzz_%.o $(OUT)/$(1)/librespkv.a
	@$(CC) $(2) $$^ $(LDLIBS) -o $$@
endef
# Instrumented code makes the compiler see uninitialised reads that are none.
SANITIZE = -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all -Wno-maybe-uninitialized
$(eval $(call variant,plain,))
$(eval $(call variant,asan,$(SANITIZE) -fsanitize=address,undefined))
$(eval $(call variant,tsan,$(SANITIZE) -fsanitize=thread))
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
.PRECIOUS: $(OUT)/plain/%.o $(OUT)/asan/%.o $(OUT)/tsan/%.o

JOBS   = -j$(shell nproc)
RUN    = $(PYTHON) tests/run_native.py

.PHONY: plain-programs asan-programs fuzz-programs
plain-programs: $(TESTS:%=$(OUT)/plain/%) $(BENCHES:%=$(OUT)/plain/%) $(FUZZERS:%=$(OUT)/plain/%) $(API:%.c=$(OUT)/plain/%.o)
asan-programs: $(TESTS:%=$(OUT)/asan/%) $(THREADED:%=$(OUT)/tsan/%)
fuzz-programs: $(FUZZERS:%=$(OUT)/asan/%)

native: prepare
	@$(MAKE) $(JOBS) --no-print-directory plain-programs

asan: prepare
	@$(MAKE) $(JOBS) --no-print-directory asan-programs
	$(RUN) $(TESTS:%=$(OUT)/asan/%)
	$(if $(THREADED),$(RUN) $(THREADED:%=$(OUT)/tsan/%))

fuzz: prepare
	@$(MAKE) $(JOBS) --no-print-directory fuzz-programs
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(RUN) $(FUZZERS:%=$(OUT)/asan/%)

analyze: prepare
	@failed=0; for source in $(NATIVE_SOURCES); do echo "analyze $$source"; \
	  $(CC) $(CFLAGS) -DRKV_VERSION='"0"' -fanalyzer -Inative/src -Inative/include -c $$source -o /dev/null || failed=1; \
	done; exit $$failed

# ---- tests -----------------------------------------------------------------------------------------------------------

prepare:
	@.ci/prepare build

test: test-native test-python

test-native: native
	$(RUN) $(TESTS:%=$(OUT)/plain/%)

test-python: dev
	@.ci/prepare test
	$(BIN)/pytest -m 'not soak' $(if $(K),-k '$(K)')

check: check-format check-python native

C_FILES = $(shell git ls-files -co --exclude-standard 'native/*.c' 'native/*.h')
check-format: dev
	@echo "clang-format: $(words $(C_FILES)) files"
	@$(BIN)/clang-format --dry-run -Werror $(C_FILES)

check-python: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_layers.py

soak: dev native
	@.ci/prepare test
	HOURS=$(HOURS) $(BIN)/pytest -m soak -s $(if $(K),-k '$(K)')

bench: dev native
	@.ci/prepare bench
	PYTHONWARNINGS=ignore $(BIN)/pip install -q --no-build-isolation -e '.[dev,bench]'
	$(BIN)/python tests/bench/run.py $(ARGS)

clean:
	rm -rf build dist $(VENV) *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis respkv/_native*.so
	find respkv tests native -name __pycache__ -type d -exec rm -rf {} +
