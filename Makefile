# genmath: the library, its kernels, the program, the tests. `make help` lists the targets.
#
# CONFIG=release (default), asan (address and undefined-behaviour sanitizers) or tsan (thread
# sanitizer: finds data races between the CUDA threads that the emulator runs) chooses build/<CONFIG>.

CONFIG ?= release
B := build/$(CONFIG)
PREFIX ?= /usr/local
DESTDIR ?=
V ?= 0
Q := $(if $(filter 0,$(V)),@,)
say = $(if $(filter 0,$(V)),@printf '  %-8s %s\n' '$(1)' '$(2)',@:)

.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all

# ---- what this machine has ------------------------------------------------------------------------
NVCC ?= $(firstword $(shell command -v nvcc 2>/dev/null) $(wildcard /usr/local/cuda/bin/nvcc))
HAVE_GPU := $(shell nvidia-smi -L >/dev/null 2>&1 && echo 1)
NEEDED_HEADERS := cmocka.h cjson/cJSON.h png.h cblas.h lapack.h
NEEDED_PACKAGES := libcmocka-dev libcjson-dev libpng-dev libopenblas-dev liblapacke-dev

# What `make gpu-bundle` put together on a machine that has them, brought to one that has not.
BUNDLE := build/gpu-bundle
ifneq ($(wildcard $(BUNDLE)/include),)
BUNDLE_COMPILE := -isystem $(BUNDLE)/include
BUNDLE_LINK := -L$(BUNDLE)/lib -Wl,-rpath,$(abspath $(BUNDLE)/lib)
endif

ifeq ($(filter help clean packages,$(MAKECMDGOALS)),)
MISSING := $(shell for h in $(NEEDED_HEADERS); do \
    printf '\043include <stddef.h>\n\043include <stdarg.h>\n\043include <stdint.h>\n\043include <setjmp.h>\n\043include <%s>\n' $$h | \
    $(CC) $(BUNDLE_COMPILE) -E -x c - >/dev/null 2>&1 || printf '%s ' $$h; done)
ifneq ($(strip $(MISSING)),)
$(info missing headers: $(MISSING)-- packages: $(NEEDED_PACKAGES))
INSTALLED := $(shell .ci/install-packages $(NEEDED_PACKAGES) >&2 && echo yes)
ifneq ($(INSTALLED),yes)
$(error install them and run make again)
endif
endif
$(info nvcc: $(or $(NVCC),not found: the kernels are built for the emulator only)$(if $(NVCC),$(if $(HAVE_GPU),, (no GPU here: kernels run under the emulator only)),))
endif

# ---- flags ----------------------------------------------------------------------------------------
WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow $(if $(CI),-Werror,)
SANITIZE_release :=
SANITIZE_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g
SANITIZE_tsan := -fsanitize=thread -fno-omit-frame-pointer -g
SANITIZE := $(SANITIZE_$(CONFIG))
COMMON = -I. -Iinclude -fPIC -MMD -MP -ffp-contract=off $(SANITIZE)
CFLAGS ?= -O2
CXXFLAGS ?= -O2
C_COMPILE = $(CC) -std=c17 -D_GNU_SOURCE $(COMMON) $(WARNINGS) -Wstrict-prototypes -pthread $(CFLAGS)
CXX_COMPILE = $(CXX) -std=c++17 $(COMMON) $(WARNINGS) -Wno-unknown-pragmas -pthread $(CXXFLAGS)
# What the library itself needs; OpenBLAS has LAPACK in it.
PUBLIC_LIBS := -lpng -lopenblas -lm -ldl -pthread
LIBS := $(BUNDLE_LINK) $(PUBLIC_LIBS)

# The production path is built for speed; results stay those of the source, no fast-math anywhere.
$(B)/host/cpu/%.o: CFLAGS += -O3 -ffp-contract=fast -fno-trapping-math -fno-math-errno

# ---- the library ----------------------------------------------------------------------------------
HOST_SOURCES := $(filter-out host/cli/%,$(wildcard host/*.c host/*/*.c))
HOST_OBJECTS := $(HOST_SOURCES:%.c=$(B)/%.o)
LIB := $(B)/libgenmath.a
SHARED := $(B)/libgenmath.so

$(B)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(C_COMPILE) -c $< -o $@

$(LIB): $(HOST_OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(SHARED): $(HOST_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(SANITIZE) $^ -o $@ $(LIBS)

# ---- the program ----------------------------------------------------------------------------------
CLI_OBJECTS := $(patsubst %.c,$(B)/%.o,$(wildcard host/cli/*.c))
PROGRAM := $(B)/genmath
$(PROGRAM): $(CLI_OBJECTS) $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(SANITIZE) $(CLI_OBJECTS) $(LIB) -o $@ -lcjson $(LIBS)

# ---- the modules: one kernels/ tree, two compilers ---------------------------------------------------
KERNELS := $(wildcard kernels/*.cu)
EMBEDDED := genmath/compiler.h genmath/detail/arithmetic.h genmath/detail/trig.h \
    genmath/math.h genmath/philox.h genmath/detail/chain_noise.h host/step_factor.h \
    kernels/ensemble.cuh kernels/ode_rk4.cuh kernels/ode_erk.cuh kernels/sde_em.cuh \
    kernels/density_rows.cuh kernels/functions.cuh kernels/mcmc_chain.cuh kernels/importance_draw.cuh \
    genmath/detail/gibbs_math.h genmath/detail/gibbs_noise.h kernels/gibbs_chain.cuh
EMBEDDED_FILES := $(foreach h,$(EMBEDDED),$(firstword $(wildcard include/$(h) $(h))))

# The headers that NVRTC needs to compile a user's system, as C++ string literals.
$(B)/embedded_headers.inc: $(EMBEDDED_FILES)
	@mkdir -p $(@D)
	$(Q){ $(foreach h,$(EMBEDDED),printf '{"%s", R"genmath(' '$(h)'; \
	    cat $(firstword $(wildcard include/$(h) $(h))); printf ')genmath"},\n';) } > $@

ARCHITECTURES := sm_80, sm_90a, sm_100, PTX of sm_100
GENCODE := -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90a,code=sm_90a \
    -gencode arch=compute_100,code=[sm_100,compute_100]
# Linear algebra is thousands of kernels, for every type and size class: machine code for Hopper, which
# the driver makes from the PTX for other devices when a kernel is first used.
LINALG_GENCODE := -gencode arch=compute_80,code=[sm_90,compute_80]
$(B)/cuda/kernels/linalg_%.o: GENCODE := $(LINALG_GENCODE)
# The PTX that tests/no_fp64.sh searches stays beside the object; of one architecture nvcc does not say
# in the file's name which.
SEARCHED := .compute_90a
$(B)/cuda/kernels/linalg_%.o: SEARCHED :=
NVCC_FLAGS = -std=c++17 -O3 $(GENCODE) -I. -Iinclude -I$(B) -DGM_KERNEL_SYSTEMS \
    '-DGM_ARCHITECTURES="$(ARCHITECTURES)"' -Xcompiler -fPIC,-Wall,-Wextra $(if $(CI),-Werror all-warnings,)

$(B)/cuda/%.o: %.cu $(B)/embedded_headers.inc
	$(call say,NVCC,$<)
	@mkdir -p $(@D)
	$(Q)rm -rf $(@:.o=.kept) && mkdir $(@:.o=.kept)
	$(Q)$(NVCC) $(NVCC_FLAGS) --keep --keep-dir $(@:.o=.kept) -MD -MF $(@:.o=.d) -MT $@ -c $< -o $@
	$(Q)mv $(@:.o=.kept)/$(basename $(<F))$(SEARCHED).ptx $(@:.o=.ptx) && rm -r $(@:.o=.kept)

CUDA_MODULE := $(B)/libgenmath-cuda.so
$(CUDA_MODULE): $(KERNELS:%.cu=$(B)/cuda/%.o)
	$(call say,LD,$@)
	$(Q)$(NVCC) -shared $(GENCODE) $^ -o $@ -ldl

# The emulator's own files are compiled without a sanitizer in every configuration: they find the sanitizer at
# run time and tell it what the order of threads is. Kernels and tests are instrumented.
EMU_SELF_TESTS := test_block test_warp test_half test_functions test_runtime test_primitives \
    test_loads test_seeded_bugs seeded_bugs
# vendor_*.cpp answer in the emu module what vendor libraries do in the cuda module.
EMU_VENDOR := $(wildcard tests/emu/vendor_*.cpp)
EMU_SOURCES := $(filter-out $(EMU_SELF_TESTS:%=tests/emu/%.cpp) tests/emu/unsupported.cpp $(EMU_VENDOR), \
    $(wildcard tests/emu/*.cpp))
EMU_OBJECTS := $(EMU_SOURCES:%.cpp=$(B)/%.o)
EMU_VENDOR_OBJECTS := $(EMU_VENDOR:%.cpp=$(B)/%.o)
EMU_KERNELS := $(patsubst %.cu,$(B)/emu/%.o,$(filter-out kernels/jit.cu kernels/vendor.cu,$(KERNELS)))
# A local array that is too large must touch the guard page below a thread's stack, not jump over it.
EMU_COMPILE = $(CXX) -Itests/emu $(wordlist 2,99,$(CXX_COMPILE)) -fstack-clash-protection -DGM_KERNEL_SYSTEMS

$(EMU_OBJECTS) $(EMU_VENDOR_OBJECTS): SANITIZE :=
$(B)/tests/emu/%.o: tests/emu/%.cpp
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)$(EMU_COMPILE) -c $< -o $@

$(B)/tests/emu/%.o: tests/emu/%.cu
	$(call say,EMU,$<)
	@mkdir -p $(@D)
	$(Q)$(EMU_COMPILE) -x c++ -c $< -o $@

$(B)/emu/%.o: %.cu
	$(call say,EMU,$<)
	@mkdir -p $(@D)
	$(Q)$(EMU_COMPILE) -x c++ -c $< -o $@

EMU_MODULE := $(B)/libgenmath-emu.so
$(EMU_MODULE): $(EMU_KERNELS) $(EMU_OBJECTS) $(EMU_VENDOR_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(CXX) -shared $(SANITIZE) $^ -o $@ $(BUNDLE_LINK) -lopenblas -pthread

MODULES := $(EMU_MODULE) $(if $(NVCC),$(if $(filter release,$(CONFIG)),$(CUDA_MODULE)))

# ---- samples --------------------------------------------------------------------------------------
SAMPLES := $(patsubst samples/%.c,$(B)/samples/%,$(wildcard samples/*.c))
$(B)/samples/%: $(B)/samples/%.o $(LIB) | $(MODULES)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANITIZE) $< $(LIB) -o $@ $(LIBS)

# ---- tests ----------------------------------------------------------------------------------------
CASE_OBJECTS := $(patsubst %.c,$(B)/%.o,$(wildcard host/cli/cases*.c))
TEST_HELPERS := $(patsubst %.c,$(B)/%.o,$(filter-out $(wildcard tests/test_*.c),$(wildcard tests/*.c)))
TESTS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/test_*.c))
$(B)/tests/test_conformance: $(CASE_OBJECTS)
$(B)/tests/test_%: $(B)/tests/test_%.o $(TEST_HELPERS) $(LIB) | $(MODULES)
	$(call say,LD,$@)
	$(Q)$(CC) $(SANITIZE) $(filter %.o,$^) $(LIB) -o $@ -lcmocka $(LIBS)

EMU_PROGRAMS := $(EMU_SELF_TESTS:%=$(B)/tests/emu/%)
EMU_TESTS := $(filter-out %/seeded_bugs,$(EMU_PROGRAMS))
$(EMU_PROGRAMS): %: %.o $(EMU_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(CXX) $(SANITIZE) $^ -o $@ -lcmocka -ldl -pthread
$(B)/tests/emu/test_seeded_bugs: | $(B)/tests/emu/seeded_bugs

# dieharder.sh takes minutes and belongs to test-full.
SCRIPTS := $(filter-out tests/dieharder.sh,$(wildcard tests/*.sh))
export GENMATH_PROGRAM := $(abspath $(PROGRAM))
export GENMATH_BUILD := $(abspath $(B))

.PHONY: all lib modules samples demo test test-full bench bench-peers gpu-report gpu-bundle install clean help
all: lib modules $(PROGRAM) $(SAMPLES)
lib: $(LIB) $(SHARED)
modules: $(MODULES)
samples: $(SAMPLES)
	$(Q)tests/run -v $(SAMPLES)

demo: $(PROGRAM) $(MODULES)
	$(PROGRAM) sample --data samples/data/digits.npy --steps 500 --count 4096 \
	    --out build/samples.npy --picture build/samples.png

test: $(TESTS) $(EMU_TESTS) $(SAMPLES) $(PROGRAM) $(MODULES)
	$(Q)tests/run $(EMU_TESTS) $(TESTS) $(SAMPLES) $(SCRIPTS)

# Every schedule of the emulator, then the sanitizers, then what takes minutes.
SCHEDULES := reverse warp-ahead random:1 random:2
test-full: test
	$(Q)for schedule in $(SCHEDULES); do \
	    echo "schedule $$schedule"; \
	    GENMATH_EMU_SCHEDULE=$$schedule tests/run $(EMU_TESTS) $(TESTS) || exit 1; done
	$(Q)GENMATH_TEST_FULL=1 GENMATH_TEST_TIMEOUT=3600 tests/run $(TESTS)
	$(Q)tests/mutants/run
	$(Q)$(MAKE) --no-print-directory CONFIG=asan sanitized
	$(Q)$(MAKE) --no-print-directory CONFIG=tsan sanitized
	$(Q)$(if $(shell command -v dieharder),GENMATH_TEST_FULL=1 tests/dieharder.sh,echo skip: dieharder is not installed)

# One error at a time, put into a copy of the tree: a test must find it.
test-mutants: $(TESTS) $(MODULES)
	$(Q)tests/mutants/run

.PHONY: sanitized test-mutants
sanitized: $(TESTS) $(EMU_TESTS) $(MODULES)
	$(Q)echo "sanitizers: $(SANITIZE)"
	$(Q)TSAN_OPTIONS=halt_on_error=1 tests/run $(EMU_TESTS) $(TESTS)

bench: $(PROGRAM) $(MODULES)
	$(PROGRAM) bench

# $(PYTHON) is the interpreter that has the peers.
PYTHON ?= python3
bench-peers: lib
	$(PYTHON) tests/bench/run-peers --build $(B)

gpu-report:
	CC="$(CC)" CXX="$(CXX)" NVCC="$(NVCC)" PYTHON="$(PYTHON)" tests/bench/gpu-report

gpu-bundle:
	CC="$(CC)" tests/bench/gpu-bundle $(BUNDLE)

# ---- install --------------------------------------------------------------------------------------
VERSION := $(shell sed -n 's/.*GM_VERSION_STRING "\(.*\)"/\1/p' include/genmath/context.h)
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig \
	    $(DESTDIR)$(PREFIX)/include/genmath/detail
	install -m 644 include/tapp.h $(DESTDIR)$(PREFIX)/include
	install -m 644 include/genmath/*.h $(DESTDIR)$(PREFIX)/include/genmath
	install -m 644 include/genmath/detail/* $(DESTDIR)$(PREFIX)/include/genmath/detail
	install -m 644 $(LIB) $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(SHARED) $(MODULES) $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: genmath' \
	    'Description: the mathematics of generative AI on NVIDIA GPUs, with a CPU reference' \
	    'Version: $(VERSION)' 'Cflags: -I$${prefix}/include' 'Libs: -L$${prefix}/lib -lgenmath' \
	    'Libs.private: $(PUBLIC_LIBS)' > $(DESTDIR)$(PREFIX)/lib/pkgconfig/genmath.pc

clean:
	rm -rf build

help:
	@printf '%s\n' \
	    'make demo        draw handwritten digits by a reverse diffusion: the main job' \
	    'make test        all tests that take no GPU and under two minutes' \
	    'make test-full   every schedule of the emulator, the sanitizers, mutants, long sweeps' \
    'make test-mutants  errors put into the chains, one at a time: each must be found' \
	    'make all         the library, the modules, the program, the samples' \
	    'make samples     run the worked examples' \
	    'make bench       ceilings of this machine, then every benchmark, verified' \
	    'make gpu-report  everything a GPU is needed for, in one command' \
	    'make install     PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)' \
	    'CONFIG=release|asan|tsan   V=1 shows the commands'

.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
