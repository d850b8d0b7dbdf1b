# Makefile - builds, tests, demonstrates, measures and installs micromaser. `make help` lists the targets.
#
# Everything that is made lies under $(BUILD); one folder holds one set of flags, so that the sanitizer, fuzzing
# and clang builds are this same file with another BUILD, CC and CFLAGS.
#
# To be set on the command line:
#   CC, CFLAGS, LDFLAGS, LDLIBS, BUILD, PREFIX, DESTDIR   as everywhere
#   WERROR=0                                              warnings are not errors
#   HDF5_CFLAGS=, HDF5_LIBS=, NVCC=, PYTHON=              where these are, if they are not found by themselves
#   CUDA_HOME=                                            the CUDA toolkit, if nvcc is not on PATH
#   CUDA_ARCHS=                                           compute capabilities (75 80 90 ..), or native
#   WITH_CUDA=0                                           leave the CUDA backend out
#   V=1                                                   show whole commands

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

ifeq ($(origin CC),default)
CC := gcc
endif
AR           ?= ar
CFLAGS       ?= -O3
BUILD        ?= build
PREFIX       ?= /usr/local
DESTDIR      ?=
WERROR       ?= 1
WITH_CUDA    ?= 1
PYTHON       ?= python3
CLANG        ?= clang
CLANG_FORMAT ?= clang-format
FUZZ_SECONDS ?= 20

GOALS := $(or $(MAKECMDGOALS),all)
HASH  := \#
QUIET := $(if $(V),,@)
say    = $(if $(V),@:,@printf '  %-6s %s\n' '$(1)' '$(2)')

# ------------------------------------------------------------------------------------- what is on this machine
# A library is there if the compiler finds its header; nothing else (pkg-config, say) can be relied on before
# `make deps` has run. Debian keeps the serial HDF5 in a folder and under names of its own, apart from the MPI
# build, which must not be taken by mistake (there `pkg-config hdf5` may mean either, `hdf5-serial` does not);
# elsewhere its names are plain.

ifneq ($(wildcard /usr/include/hdf5/serial/hdf5.h),)
HDF5_CFLAGS ?= -isystem /usr/include/hdf5/serial
HDF5_LIBS   ?= -lhdf5_serial_hl -lhdf5_serial
else ifneq ($(shell pkg-config --exists hdf5-serial 2>/dev/null && echo yes),)
HDF5_CFLAGS ?= $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I hdf5-serial))
HDF5_LIBS   ?= $(shell pkg-config --libs-only-L hdf5-serial) -lhdf5_serial_hl -lhdf5_serial
else
HDF5_CFLAGS ?=
HDF5_LIBS   ?= -lhdf5_hl -lhdf5
endif

MACHINE         := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null)))
# OpenBLAS's own cblas.h, where the plain name may be another library's.
OPENBLAS_HEADER := $(firstword $(wildcard /usr/include/$(MACHINE)-linux-gnu*/openblas-*/cblas.h \
                                          /usr/include/openblas/cblas.h))
OPENBLAS_CFLAGS := $(addprefix -isystem ,$(patsubst %/,%,$(dir $(OPENBLAS_HEADER))))
LIBRARY_CFLAGS  := $(HDF5_CFLAGS) $(OPENBLAS_CFLAGS)
NVCC            ?= $(firstword $(shell command -v nvcc 2>/dev/null) \
                               $(wildcard $(CUDA_HOME)/bin/nvcc /usr/local/cuda/bin/nvcc))
# nvcc knows where its toolkit is, also where the nvcc on PATH is a script that calls another.
CUDA_TOP        := $(abspath $(or $(if $(NVCC),$(shell $(NVCC) -dryrun -x cu -c /dev/null 2>&1 \
                                                       | sed -n 's/^.* TOP=//p')),\
                                  $(CUDA_HOME),$(wildcard /usr/local/cuda)))
CUDA_LIBRARY_FOLDER := $(firstword $(wildcard $(CUDA_TOP)/lib64 $(CUDA_TOP)/lib) $(CUDA_TOP)/lib64)
# Thrust for the emulated device, which takes the place of all other headers of the toolkit.
THRUST_PATH     := $(patsubst %/thrust/sort.h,%,$(firstword $(wildcard $(CUDA_TOP)/include/cccl/thrust/sort.h \
                                                                       $(CUDA_TOP)/include/thrust/sort.h)))
CUDA_LIBS       := $(if $(and $(NVCC),$(filter-out 0,$(WITH_CUDA))),-L$(CUDA_LIBRARY_FOLDER) -lcudart_static -ldl \
                                                                    -lrt -lpthread -lstdc++)
LIBRARY_LIBS    := -llapacke -lopenblas -linih $(HDF5_LIBS) -lz $(CUDA_LIBS) -lm

# Machine code for what this nvcc supports, and code that later devices compile for themselves.
CUDA_SUPPORTED  = $(call once,CUDA_SUPPORTED,$(patsubst sm_%,%,$(shell $(NVCC) --list-gpu-code 2>/dev/null)))
CUDA_ARCHS      ?= $(filter $(CUDA_SUPPORTED),70 75 80 86 89 90)
CUDA_NEWEST     = $(lastword $(CUDA_ARCHS))
CUDA_TARGETS    = $(if $(filter native,$(CUDA_ARCHS)),-arch=native,\
                      $(foreach arch,$(CUDA_ARCHS),-gencode arch=compute_$(arch)$(COMMA)code=sm_$(arch)) \
                      -gencode arch=compute_$(CUDA_NEWEST)$(COMMA)code=compute_$(CUDA_NEWEST))

# $(call header,NAME): the path of a header, empty if the compiler does not find it.
header = $(shell printf '$(HASH)include <$(1)>\n' | $(CC) $(LIBRARY_CFLAGS) $(2) -M -x c - 2>/dev/null \
                 | tr ' ' '\n' | grep '/$(notdir $(1))$$' | head -n 1)
# $(call program,NAME): the path of a program, empty if there is none.
program = $(shell command -v $(1) 2>/dev/null)
# $(call python_with,MODULES): the first interpreter that imports them all, empty if none does.
python_with = $(shell for python in $(PYTHON) /usr/bin/python3; do \
                          "$$python" -c 'import $(1)' 2>/dev/null && command -v "$$python" && break; done)
# $(call once,NAME,VALUE): a variable that is worked out at most once, and only where it is used.
once = $(eval $(1) := $$(2))$($(1))

# A name, the header or program that shows that it is there, and the Debian package that brings it.
COMPILER_PACKAGE := $(if $(findstring clang,$(CC)),clang,gcc)
OPENMP_PACKAGE   := $(if $(findstring clang,$(CC)),libomp-dev,gcc)
COMPILER_PATH  = $(call once,COMPILER_PATH,$(call program,$(firstword $(CC))))
LIBC_PATH      = $(call once,LIBC_PATH,$(call header,stdio.h))
OPENMP_PATH    = $(call once,OPENMP_PATH,$(call header,omp.h,-fopenmp))
HDF5_PATH      = $(call once,HDF5_PATH,$(and $(call header,hdf5_hl.h),$(call header,hdf5.h)))
LAPACKE_PATH   = $(call once,LAPACKE_PATH,$(call header,lapacke.h))
# Other libraries bring a cblas.h too, so OpenBLAS is there only if that header is OpenBLAS's own.
OPENBLAS_PATH  = $(call once,OPENBLAS_PATH,$(if $(shell printf '$(HASH)include <cblas.h>\nchar *(*own)(void) = \
                     openblas_get_config;\n' | $(CC) $(LIBRARY_CFLAGS) -fsyntax-only -x c - 2>/dev/null && echo yes),\
                     $(call header,cblas.h)))
ZLIB_PATH      = $(call once,ZLIB_PATH,$(call header,zlib.h))
INIH_PATH      = $(call once,INIH_PATH,$(call header,ini.h))
RANDOM123_PATH = $(call once,RANDOM123_PATH,$(call header,Random123/philox.h))
CMOCKA_PATH    = $(call once,CMOCKA_PATH,$(call header,cmocka.h,-include stdarg.h -include setjmp.h))
H5DUMP_PATH    = $(call once,H5DUMP_PATH,$(call program,h5dump))
GNUPLOT_PATH   = $(call once,GNUPLOT_PATH,$(call program,gnuplot))
PYTHON_TEST    = $(call once,PYTHON_TEST,$(call python_with,h5py$(COMMA) numpy))
PYTHON_XARRAY  = $(call once,PYTHON_XARRAY,$(call python_with,h5py$(COMMA) xarray$(COMMA) netCDF4))
PYTHON_BENCH   = $(call once,PYTHON_BENCH,$(call python_with,venv$(COMMA) ensurepip))
LIBFUZZER_PATH = $(call once,LIBFUZZER_PATH,$(shell printf 'int LLVMFuzzerTestOneInput(const unsigned char *data,\
                     unsigned long size) { return data != 0 && size > size; }' \
                     | $(CLANG) -x c -fsanitize=fuzzer$(COMMA)address -o /dev/null - 2>/dev/null && echo $(CLANG)))
CLANG_OMP_PATH = $(call once,CLANG_OMP_PATH,$(shell printf '$(HASH)include <omp.h>\n' \
                     | $(CLANG) -fopenmp -M -x c - 2>/dev/null | grep -o '/[^ ]*/omp\.h' | head -n 1))
COMMA := ,

BUILD_NEEDS := COMPILER:$(COMPILER_PACKAGE) LIBC:libc6-dev OPENMP:$(OPENMP_PACKAGE) HDF5:libhdf5-dev \
               ZLIB:zlib1g-dev LAPACKE:liblapacke-dev OPENBLAS:libopenblas-dev INIH:libinih-dev RANDOM123:librandom123-dev
PICTURE_NEEDS := GNUPLOT:gnuplot-nox
TEST_NEEDS  := CMOCKA:libcmocka-dev H5DUMP:hdf5-tools $(PICTURE_NEEDS)

# $(call missing,NEEDS): the packages of those needs that nothing was found for.
package = $(lastword $(subst :, ,$(1)))
name    = $(firstword $(subst :, ,$(1)))
missing = $(foreach need,$(1),$(if $($(call name,$(need))_PATH),,$(call package,$(need))))

MISSING_BUILD = $(call missing,$(BUILD_NEEDS))
MISSING_TEST  = $(call missing,$(TEST_NEEDS)) $(if $(PYTHON_TEST),,python3-h5py python3-numpy)
MISSING_BENCH = $(if $(PYTHON_BENCH),,python3-venv) $(call missing,$(PICTURE_NEEDS))
MISSING_CI    = $(if $(call program,$(CLANG)),,clang) $(if $(call program,$(CLANG_FORMAT)),,clang-format) \
                $(if $(call program,shellcheck),,shellcheck) $(if $(call program,pkg-config),,pkg-config) \
                $(if $(LIBFUZZER_PATH),,clang libclang-rt-dev) $(if $(CLANG_OMP_PATH),,clang libomp-dev) \
                $(if $(PYTHON_XARRAY),,python3-xarray python3-netcdf4) \
                $(if $(call program,slurmctld),,slurm-wlm) $(if $(call program,munged),,munge) \
                $(if $(call program,mpirun),,openmpi-bin)

# What the goals of this call need and the machine lacks.
GOALS_WITHOUT_NEEDS := clean help format format-check uninstall info
MISSING := $(sort \
    $(if $(filter-out $(GOALS_WITHOUT_NEEDS),$(GOALS)),$(MISSING_BUILD)) \
    $(if $(filter deps check check-c check-sanitize,$(GOALS)),$(MISSING_TEST)) \
    $(if $(filter deps bench bench-deps,$(GOALS)),$(MISSING_BENCH)) \
    $(if $(filter figures,$(GOALS)),$(call missing,$(PICTURE_NEEDS))) \
    $(if $(filter deps-ci,$(GOALS)),$(MISSING_CI)))

# ------------------------------------------------------------------------------------------ installing packages

# Installs the packages in $(MISSING), or prints them and stops. A package that this release of the system does
# not know (libclang-rt-dev came late) is part of another one there, and is left out.
define INSTALL_PACKAGES
set -e; \
cannot() { printf '%s\n' "micromaser: $$1; install these packages by hand:" '  $(strip $(MISSING))' >&2; exit 1; }; \
command -v apt-get >/dev/null 2>&1 || cannot 'there is no apt-get here'; \
if [ "$$(id -u)" -eq 0 ]; then root=; else \
    command -v sudo >/dev/null 2>&1 || cannot 'packages need root, and there is no sudo here'; root=sudo; fi; \
echo 'Installing: $(strip $(MISSING))'; \
$$root apt-get -q update || cannot 'apt-get update failed'; \
packages=; for package in $(MISSING); do \
    if [ "$$package" != libclang-rt-dev ] || apt-cache show "$$package" >/dev/null 2>&1; then \
        packages="$$packages $$package"; fi; done; \
$$root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $$packages \
    || cannot 'apt-get install failed'
endef

.PHONY: deps deps-ci
deps: ## install what is missing to build, test and measure (apt, through sudo when not root)
deps-ci: ## install what is missing for .ci/run beyond that
deps deps-ci:
ifeq ($(MISSING),)
	@echo 'Nothing is missing.'
else
	@$(INSTALL_PACKAGES)
endif

# What is found decides the flags while this file is read. So where packages are missing, the targets that serve
# a fresh machine install them first and then start make again; all other targets stop with one line.
FRESH_MACHINE_GOALS := demo check check-sanitize bench bench-deps figures
ifneq ($(and $(MISSING),$(filter-out deps deps-ci $(GOALS_WITHOUT_NEEDS),$(GOALS))),)
ifeq ($(or $(MM_PACKAGES_INSTALLED),$(if $(filter $(FRESH_MACHINE_GOALS),$(GOALS)),,not a fresh machine goal)),)
RESTART := yes
else
$(error micromaser: $(if $(COMPILER_PATH),,there is no compiler "$(CC)"; )these packages are missing: $(MISSING); \
        `make deps` installs them)
endif
endif

ifeq ($(RESTART),yes)

.PHONY: install-and-restart $(GOALS)
install-and-restart:
	@$(INSTALL_PACKAGES)
	+@$(MAKE) --no-print-directory MM_PACKAGES_INSTALLED=yes $(GOALS)
$(filter-out deps deps-ci,$(GOALS)): install-and-restart
	@:

else

# ------------------------------------------------------------------------------------------------------ sources
# The program alone has the rooms, and of other rooms the files, that no function of the public header leads to; all
# else is the library's, which cannot be linked if it needs one of them. Tests and benchmarks look into every room:
# they link an archive of everything.

PROGRAM_ROOMS   := cli evolve files files/evolution plot store
PROGRAM_SOURCES := $(sort $(wildcard $(PROGRAM_ROOMS:%=host/%/*.c)) host/base/json.c host/model/noise.c \
                          host/model/steady_state.c)
LIBRARY_SOURCES := $(filter-out $(PROGRAM_SOURCES),$(sort $(wildcard host/*/*.c host/*/*/*.c)))
TEST_SOURCES    := $(sort $(wildcard tests/unit/*/*.c))
TEST_SCRIPTS    := tests/rooms/check.sh tests/rooms/planted.sh $(sort $(wildcard tests/program/*.py tests/cuda/*.sh))
FUZZ_SOURCES    := $(sort $(wildcard tests/fuzz/*.c))
SHELL_SCRIPTS   := .ci/run $(sort $(wildcard cuda/*.sh data/*.sh data/slurm/*.sbatch tests/*.sh tests/*/*.sh bench/*.sh))
FORMATTED_FILES := $(sort $(wildcard include/*.h host/*/*.[ch] host/*/*/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch] \
                                     tests/*/*.cpp bench/*.[ch] bench/*.cu cuda/*/*.cu cuda/*/*.cuh))

# Loops that need an instruction set are compiled for it and chosen at run time; there are none off x86-64.
MM_X86 := $(if $(filter x86_64 amd64,$(MACHINE)),1,0)
ifeq ($(MM_X86),0)
LIBRARY_SOURCES := $(filter-out %_avx2.c %_avx512.c,$(LIBRARY_SOURCES))
endif
$(BUILD)/host/%_avx2.o:   FILE_FLAGS := -mavx2 -mfma
$(BUILD)/host/%_avx512.o: FILE_FLAGS := -mavx512f -mavx512vl -mavx512dq -mfma -mprefer-vector-width=512

# The CUDA backend is built where nvcc is; its tests run on an emulated device wherever the toolkit's headers are.
MM_WITH_CUDA := $(if $(filter-out 0,$(WITH_CUDA)),$(if $(NVCC),1,0),0)
CUDA_SOURCES := $(sort $(wildcard cuda/*/*.cu))
CUDA_OBJECTS := $(if $(filter 1,$(MM_WITH_CUDA)),$(CUDA_SOURCES:%.cu=$(BUILD)/%.o))
CUDA_ABSENT  := not compiled in: $(if $(filter 0,$(WITH_CUDA)),WITH_CUDA was 0,nvcc was not found) when micromaser \
                was built
EMULATED_TEST_SOURCES := $(sort $(wildcard tests/cuda/*.cpp))
ifeq ($(MM_WITH_CUDA),0)
TEST_SCRIPTS := $(filter-out tests/cuda/spills.sh,$(TEST_SCRIPTS))
endif

LIBRARY_OBJECTS := $(LIBRARY_SOURCES:%.c=$(BUILD)/%.o) $(CUDA_OBJECTS)
PROGRAM_OBJECTS := $(PROGRAM_SOURCES:%.c=$(BUILD)/%.o)
HOST_OBJECTS    := $(filter-out %/cli/main.o $(CUDA_OBJECTS),$(LIBRARY_OBJECTS) $(PROGRAM_OBJECTS))
C_TEST_PROGRAMS := $(TEST_SOURCES:%.c=$(BUILD)/%)
EMULATED_TESTS  := $(if $(and $(THRUST_PATH),$(call program,$(CXX))),$(EMULATED_TEST_SOURCES:%.cpp=$(BUILD)/emulation/%))
TEST_PROGRAMS   := $(C_TEST_PROGRAMS) $(EMULATED_TESTS)
EMULATED_PROGRAM := $(if $(EMULATED_TESTS),$(BUILD)/emulation/micromaser)
ifeq ($(EMULATED_PROGRAM),)
TEST_SCRIPTS := $(filter-out tests/program/emulated.py tests/cuda/streams.sh,$(TEST_SCRIPTS))
endif
FUZZ_PROGRAMS   := $(FUZZ_SOURCES:%.c=$(BUILD)/%)

PROGRAM        := $(BUILD)/micromaser
STATIC_LIBRARY := $(BUILD)/libmicromaser.a
EVERYTHING     := $(BUILD)/everything.a
SONAME         := libmicromaser.so.0
SHARED_LIBRARY := $(BUILD)/$(SONAME)
COMPARE_OPTIMA := $(BUILD)/tests/support/compare_optima
BENCH_CPU      := $(BUILD)/bench/bench_cpu
BENCH_WIGNER   := $(BUILD)/bench/bench_wigner
BENCH_STORE    := $(BUILD)/bench/bench_store
BENCH_PEERS    := $(BUILD)/bench/peers
KERNEL_TABLE   := $(BUILD)/cuda/kernels.txt

# -------------------------------------------------------------------------------------------------------- flags
# Contraction to fused multiply-adds is wanted (and the same in every build); reordering of sums is not, because
# results are promised bit for bit, so no -ffast-math. No -march=native either: the program runs anywhere.

ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -Iinclude -Ihost $(LIBRARY_CFLAGS) \
             -DMM_X86=$(MM_X86) -DMM_WITH_CUDA=$(MM_WITH_CUDA) \
             -Wall -Wextra -Wpedantic -Wshadow -Wconversion $(if $(filter-out 0,$(WERROR)),-Werror) \
             -fopenmp -ffp-contract=fast -fno-math-errno -fvisibility=hidden -fPIC $(CFLAGS)
TEST_FLAGS = -Itests -DMM_FIXTURES='"$(CURDIR)/tests/fixtures"'
LINK       = $(CC) $(CFLAGS) -fopenmp $(LDFLAGS)

$(BUILD)/tests/%.o: FILE_FLAGS := $(TEST_FLAGS)
$(BUILD)/host/solver/solver.o: FILE_FLAGS := -DMM_CUDA_ABSENT='"$(strip $(CUDA_ABSENT))"'

# Sums of products are fused on the device as the compiler likes, in the same way for every chain of a class.
NVCC_FLAGS = -std=c++17 -O3 -lineinfo $(CUDA_TARGETS) -Iinclude -Ihost -Icuda \
             -DMM_CUDA_LIBRARY_FOLDER='"$(CUDA_LIBRARY_FOLDER)"' $(if $(filter-out 0,$(WERROR)),-Werror all-warnings) \
             -Xcompiler -Wall$(COMMA)-Wextra$(COMMA)-fopenmp$(COMMA)-fPIC$(COMMA)-fvisibility=hidden
EMULATION_FLAGS = -std=c++17 -DMM_EMULATION -Itests/emulation -Itests -Iinclude -Ihost -Icuda -isystem $(THRUST_PATH) \
                  $(OPENBLAS_CFLAGS) -Wall -Wextra -Wno-unknown-pragmas $(if $(filter-out 0,$(WERROR)),-Werror) \
                  -fopenmp $(CFLAGS)

# Files that change only when their text does, so that nothing is rebuilt unless something changed.
#   flags         what everything is compiled with
#   sources       what archives are made of: a file that is gone must leave them
#   git_commit.h  the commit, for the two files that report it; kept where git gives no answer
# $(call keep,FILE,TEXT); stripped, because GNU make 4.3 does not always leave out the last line end of a file it reads
keep = $(if $(call differ,$(strip $(file <$(1))),$(strip $(2))),$(shell mkdir -p $(dir $(1)))$(file >$(1),$(2)))
differ = $(if $(subst x$(1)x,,x$(2)x)$(subst x$(2)x,,x$(1)x),yes)

GIT_COMMIT_HEADER := $(BUILD)/git_commit.h
ifneq ($(filter-out deps deps-ci $(GOALS_WITHOUT_NEEDS),$(GOALS)),)
GIT_COMMIT := $(shell git describe --always --dirty --exclude '*' 2>/dev/null)
$(call keep,$(BUILD)/flags,$(CC) $(ALL_CFLAGS) $(TEST_FLAGS) $(LDFLAGS) $(LDLIBS))
$(call keep,$(BUILD)/sources,$(LIBRARY_SOURCES) $(PROGRAM_SOURCES) $(CUDA_OBJECTS))
$(if $(CUDA_OBJECTS),$(call keep,$(BUILD)/cuda/flags,$(NVCC) $(NVCC_FLAGS)))
$(call keep,$(BUILD)/emulation/flags,$(CXX) $(EMULATION_FLAGS))
ifneq ($(or $(GIT_COMMIT),$(if $(wildcard $(GIT_COMMIT_HEADER)),,none)),)
$(call keep,$(GIT_COMMIT_HEADER),$(HASH)define MM_GIT_COMMIT "$(or $(GIT_COMMIT),unknown)")
endif
endif
GIT_COMMIT_OBJECTS := $(BUILD)/host/files/hdf5/root.o $(BUILD)/host/cli/info.o
$(GIT_COMMIT_OBJECTS): FILE_FLAGS := -include $(GIT_COMMIT_HEADER)
$(GIT_COMMIT_OBJECTS): $(GIT_COMMIT_HEADER)

# ----------------------------------------------------------------------------------------------------- building

.PHONY: all
all: $(PROGRAM) $(STATIC_LIBRARY) $(SHARED_LIBRARY) $(BUILD)/libmicromaser.so ## the program and the libraries
all: $(if $(CUDA_OBJECTS),$(KERNEL_TABLE))

$(BUILD)/%.o: %.c Makefile $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(QUIET)$(CC) $(ALL_CFLAGS) $(FILE_FLAGS) -MMD -MP -c $< -o $@

$(STATIC_LIBRARY): $(LIBRARY_OBJECTS)
$(EVERYTHING): $(HOST_OBJECTS) $(CUDA_OBJECTS)
$(STATIC_LIBRARY) $(EVERYTHING): $(BUILD)/sources
	$(call say,AR,$@)
	$(QUIET)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

$(SHARED_LIBRARY): $(LIBRARY_OBJECTS) $(BUILD)/sources
	$(call say,LINK,$@)
	$(QUIET)$(LINK) -shared -Wl,-soname,$(SONAME) -Wl,-z,defs $(LIBRARY_OBJECTS) $(LDLIBS) $(LIBRARY_LIBS) -o $@

$(BUILD)/libmicromaser.so: $(SHARED_LIBRARY)
	$(QUIET)ln -sf $(SONAME) $@

$(PROGRAM): $(PROGRAM_OBJECTS) $(STATIC_LIBRARY)
	$(call say,LINK,$@)
	$(QUIET)$(LINK) $(PROGRAM_OBJECTS) $(STATIC_LIBRARY) $(LDLIBS) $(LIBRARY_LIBS) -o $@

$(BUILD)/cuda/%.o: cuda/%.cu Makefile $(BUILD)/cuda/flags
	@mkdir -p $(@D)
	$(call say,NVCC,$<)
	$(QUIET)code=0; $(NVCC) $(NVCC_FLAGS) -Xptxas -v -MMD -MP -MF $(@:.o=.d) -c $< -o $@ 2>$(@:.o=.log) || code=$$?; \
	    grep -v -e '^ptxas info' -e 'bytes stack frame' $(@:.o=.log) >&2; exit $$code

# Registers, shared memory and spills of every kernel, which decide how fast it is.
$(KERNEL_TABLE): cuda/kernel_table.sh $(CUDA_OBJECTS)
	$(call say,KERNELS,$@)
	$(QUIET)$< $(CUDA_OBJECTS:.o=.log) >$@
	$(QUIET)cat $@

$(C_TEST_PROGRAMS): %: %.o $(EVERYTHING)
	$(call say,LINK,$@)
	$(QUIET)$(LINK) $< $(EVERYTHING) $(LDLIBS) -lcmocka $(LIBRARY_LIBS) -o $@

# The CUDA sources as C++ for a device that is a CPU: the same files but the one that looks for CUDA's libraries.
EMULATION_OBJECTS := $(BUILD)/emulation/host/solver/solver.o $(filter-out $(BUILD)/host/solver/solver.o,$(HOST_OBJECTS)) \
                     $(patsubst %.cu,$(BUILD)/emulation/%.o,$(filter-out cuda/device/libraries.cu,$(CUDA_SOURCES))) \
                     $(patsubst %.cpp,$(BUILD)/emulation/%.o,$(sort $(wildcard tests/emulation/*.cpp)))
# Thrust binds references to nothing and does not use them.
$(BUILD)/emulation/cuda/backend/chain_sort.o $(BUILD)/emulation/tests/cuda/emulation.o: \
    FILE_FLAGS := $(if $(findstring undefined,$(CFLAGS)),-fno-sanitize=null)

$(BUILD)/emulation/host/solver/solver.o: host/solver/solver.c Makefile $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(QUIET)$(CC) $(ALL_CFLAGS) -UMM_WITH_CUDA -DMM_WITH_CUDA=1 -MMD -MP -c $< -o $@

define EMULATE
@mkdir -p $(@D)
$(call say,CXX,$<)
$(QUIET)$(CXX) -x c++ $(EMULATION_FLAGS) $(FILE_FLAGS) -MMD -MP -c $< -o $@
endef
$(BUILD)/emulation/cuda/%.o: cuda/%.cu Makefile $(BUILD)/emulation/flags
	$(EMULATE)
$(BUILD)/emulation/%.o: %.cpp Makefile $(BUILD)/emulation/flags
	$(EMULATE)

$(EMULATED_TESTS): %: %.o $(EMULATION_OBJECTS)
$(EMULATED_PROGRAM): $(PROGRAM_OBJECTS) $(EMULATION_OBJECTS)
$(EMULATED_TESTS) $(EMULATED_PROGRAM):
	$(call say,LINK,$@)
	$(QUIET)$(CXX) $(CFLAGS) -fopenmp $(LDFLAGS) $^ $(LDLIBS) $(if $(filter $@,$(EMULATED_TESTS)),-lcmocka) \
	    $(filter-out $(CUDA_LIBS),$(LIBRARY_LIBS)) -o $@

# The same tests on a device, but those that need an emulated one.
GPU_TESTS := $(addprefix $(BUILD)/gpu/tests/cuda/,kernels backend eigen sweep_ways wigner robustness)
BENCH_GPU := $(BUILD)/gpu/bench/bench_gpu
define COMPILE_FOR_DEVICE
@mkdir -p $(@D)
$(call say,NVCC,$<)
$(QUIET)$(NVCC) -x cu $(NVCC_FLAGS) -Itests $(patsubst -isystem,-I,$(OPENBLAS_CFLAGS)) -MMD -MP -MF $(@:.o=.d) -c $< -o $@
endef
$(BUILD)/gpu/%.o: %.cpp Makefile $(BUILD)/cuda/flags
	$(COMPILE_FOR_DEVICE)
$(BUILD)/gpu/%.o: %.cu Makefile $(BUILD)/cuda/flags
	$(COMPILE_FOR_DEVICE)
$(GPU_TESTS) $(BENCH_GPU): %: %.o $(EVERYTHING)
	$(call say,LINK,$@)
	$(QUIET)$(CXX) $(CFLAGS) -fopenmp $(LDFLAGS) $^ $(LDLIBS) $(if $(filter $@,$(GPU_TESTS)),-lcmocka) \
	    $(LIBRARY_LIBS) -o $@

$(FUZZ_PROGRAMS): %: %.o $(EVERYTHING)
	$(call say,LINK,$@)
	$(QUIET)$(LINK) -fsanitize=fuzzer $< $(EVERYTHING) $(LDLIBS) $(LIBRARY_LIBS) -o $@

$(BENCH_CPU): $(BUILD)/bench/machine_limits.o $(BUILD)/bench/collision_loop.o
$(BENCH_WIGNER): $(BUILD)/bench/machine_limits.o
$(COMPARE_OPTIMA) $(BENCH_CPU) $(BENCH_WIGNER) $(BENCH_STORE): %: %.o $(EVERYTHING)
	$(call say,LINK,$@)
	$(QUIET)$(LINK) $(filter %.o %.a,$^) $(LDLIBS) $(LIBRARY_LIBS) -o $@

# Objects are kept, so that a second make has nothing to do.
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# ------------------------------------------------------------------------------------------- testing, measuring

.PHONY: check check-c check-gpu gpu-programs check-long check-sanitize check-slurm check-threads fuzz run-fuzz demo \
        bench bench-gpu bench-store bench-deps figures
check: $(PROGRAM) $(TEST_PROGRAMS) $(EMULATED_PROGRAM) $(if $(CUDA_OBJECTS),$(KERNEL_TABLE)) ## build and run every test
	@$(if $(EMULATED_TESTS),:,echo 'Left out: the tests of the CUDA backend. They need g++ and the headers of CUDA.')
	@tests/run_tests.sh $(BUILD)/check $(PYTHON_TEST) $(PROGRAM) $(TEST_PROGRAMS) $(TEST_SCRIPTS)

check-c: $(TEST_PROGRAMS)
	@tests/run_tests.sh $(BUILD)/check '' '' $(TEST_PROGRAMS)

SANITIZE_FLAGS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
check-sanitize: ## the C tests under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer
	+@ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 \
	    $(MAKE) --no-print-directory BUILD=$(BUILD)/sanitize CFLAGS='$(SANITIZE_FLAGS)' WERROR=0 WITH_CUDA=0 check-c

# clang and its OpenMP, because of gcc's the sanitizer does not see the synchronisation; archer tells it clang's.
THREAD_FLAGS   := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
THREAD_TESTS   := solver/point_flow search/search search/plan solver/physics solver/adjoint evolve/robustness wigner/wigner \
                  store/store
ARCHER         := $(firstword $(wildcard /usr/lib/llvm-*/lib/libarcher.so))
check-threads: ## the tests that use threads under ThreadSanitizer (clang)
	+@$(MAKE) --no-print-directory BUILD=$(BUILD)/threads CC=$(CLANG) CFLAGS='$(THREAD_FLAGS)' WERROR=0 WITH_CUDA=0 \
	    run-threads
.PHONY: run-threads
run-threads: $(THREAD_TESTS:%=$(BUILD)/tests/unit/%)
	@OMP_NUM_THREADS=4 OMP_TOOL_LIBRARIES='$(ARCHER)' \
	    TSAN_OPTIONS='ignore_noninstrumented_modules=1 halt_on_error=1 exitcode=66' \
	    tests/run_tests.sh $(BUILD)/check '' '' $(THREAD_TESTS:%=$(BUILD)/tests/unit/%)

# Faults, storms and everything else that takes longer than `make check` may; closes with the table of faults survived.
LONG_SCRIPTS := $(sort $(wildcard tests/long/*.py))
check-long: check ## every fault that results must survive: hours of a cluster in some minutes
	@tests/run_tests.sh $(BUILD)/check-long '$(PYTHON_TEST)' $(PROGRAM) $(LONG_SCRIPTS)
	@tests/faults_table.sh $(BUILD)/check-long/*.log

STORM_FAULTS := 20
check-slurm: $(PROGRAM) ## a shorter storm on a real Slurm
	@$(PYTHON_TEST) tests/long/slurm.py $(PROGRAM) $(STORM_FAULTS)

FUZZ_FLAGS := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
fuzz: ## fuzz the configuration parser for FUZZ_SECONDS (clang)
	+@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=$(CLANG) CFLAGS='$(FUZZ_FLAGS)' WITH_CUDA=0 run-fuzz

run-fuzz: $(FUZZ_PROGRAMS)
	@set -e; for program in $(FUZZ_PROGRAMS); do \
	    mkdir -p $$program.corpus; \
	    $$program -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -artifact_prefix=$$program. \
	        $$program.corpus data; \
	done

# Errors of memory and races of shared memory are looked for where the toolkit's checker is.
ifneq ($(filter check-gpu bench-gpu gpu-programs,$(GOALS)),)
ifeq ($(CUDA_OBJECTS),)
$(error micromaser: there is no CUDA backend to run: $(strip $(CUDA_ABSENT)))
endif
endif
COMPUTE_SANITIZER = $(firstword $(wildcard $(CUDA_TOP)/bin/compute-sanitizer) \
                                $(call program,compute-sanitizer))
gpu-programs: $(GPU_TESTS) $(BENCH_GPU) ## what check-gpu and bench-gpu run, built only

check-gpu: $(GPU_TESTS) ## the tests of the CUDA backend on this machine's device
	@tests/run_tests.sh $(BUILD)/check '' '' $(GPU_TESTS)
	$(QUIET)set -e; for tool in memcheck racecheck; do \
	    if [ -z '$(COMPUTE_SANITIZER)' ]; then echo "Left out: $$tool; there is no compute-sanitizer."; continue; fi; \
	    for test in $(GPU_TESTS); do echo "$$tool $$test"; \
	        '$(COMPUTE_SANITIZER)' --tool $$tool --error-exitcode 1 $$test >$$test.$$tool.log 2>&1 \
	            || { cat $$test.$$tool.log; exit 1; }; \
	    done; \
	done

bench-gpu: $(BENCH_GPU) ## speed of the CUDA backend beside the cpu's, kept in bench/results
	@$(BENCH_GPU) >$(BUILD)/gpu/bench.txt && cat $(BUILD)/gpu/bench.txt && mkdir -p bench/results \
	    && device=$$(sed -n '1s/,.*//p' $(BUILD)/gpu/bench.txt | tr -cs 'A-Za-z0-9\n' - | tr A-Z a-z) \
	    && cp $(BUILD)/gpu/bench.txt "bench/results/$$(date -u +%Y-%m-%d)-$$device.txt"

demo: $(PROGRAM) $(COMPARE_OPTIMA) ## find the paper's optima from random starts and compare them
	@data/demo.sh $(PROGRAM) $(COMPARE_OPTIMA) $(BUILD)/demo

figures: $(PROGRAM) ## Fig. 3 and Fig. 4 of the paper, from nothing
	@data/figures.sh $(PROGRAM) $(BUILD)/figures svg pdf

# BENCH_QUICK=1 measures less, to see that everything works; its results stay below $(BUILD).
bench: $(BENCH_CPU) $(BENCH_WIGNER) $(PROGRAM) $(BUILD)/libmicromaser.so $(BENCH_PEERS)/installed ## speed beside NumPy, QuTiP, JAX and Numba, and the machine's limits
	@$(BENCH_PEERS)/bin/python bench/run.py $(if $(filter-out 0,$(BENCH_QUICK)),--quick) $(BUILD) bench/results

bench-deps: $(BENCH_PEERS)/installed ## install what the peers run on into an environment of its own
$(BENCH_PEERS)/installed: bench/peers/requirements.txt
	$(call say,PYTHON,$(BENCH_PEERS))
	$(QUIET)'$(PYTHON_BENCH)' -m venv --clear $(BENCH_PEERS)
	$(QUIET)$(BENCH_PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	$(QUIET)touch $@

bench-store: $(BENCH_STORE) ## what keeping the results of 10^4 to 10^6 chains costs
	@$(BENCH_STORE) $(BUILD)/bench

# -------------------------------------------------------------------------------------------------- source text

.PHONY: format format-check shellcheck
format: ## lay out the C files
	$(CLANG_FORMAT) -i $(FORMATTED_FILES)

format-check: ## say which C files are not laid out
	$(CLANG_FORMAT) --dry-run -Werror $(FORMATTED_FILES)

shellcheck: ## check the shell scripts
	shellcheck $(SHELL_SCRIPTS)

# --------------------------------------------------------------------------------------------------- installing

VERSION          := $(shell sed -n 's/^.define MM_VERSION "\(.*\)"/\1/p' include/micromaser.h)
HEADERS          := include/micromaser.h include/mm_status.h
EXAMPLES         := $(sort $(wildcard data/*.ini data/*.csv data/slurm/*.sbatch)) data/README.md
DOCUMENTS        := README.md LICENSE
BINDIR           := $(DESTDIR)$(PREFIX)/bin
LIBDIR           := $(DESTDIR)$(PREFIX)/lib
INCLUDEDIR       := $(DESTDIR)$(PREFIX)/include
PKGCONFIGDIR     := $(LIBDIR)/pkgconfig
EXAMPLEDIR       := $(DESTDIR)$(PREFIX)/share/micromaser
DOCDIR           := $(DESTDIR)$(PREFIX)/share/doc/micromaser
# A new library is found by programs only once the system's list of libraries knows it.
REFRESH_LIBRARIES = if [ -z '$(DESTDIR)' ] && [ "$$(id -u)" -eq 0 ] && command -v ldconfig >/dev/null 2>&1; then \
                        ldconfig; fi

.PHONY: install uninstall
install: all ## install below PREFIX (/usr/local), or below DESTDIR and PREFIX
	install -d $(BINDIR) $(LIBDIR) $(INCLUDEDIR) $(PKGCONFIGDIR) $(EXAMPLEDIR) $(DOCDIR)
	install -m 755 $(PROGRAM) $(BINDIR)
	install -m 644 $(STATIC_LIBRARY) $(LIBDIR)
	install -m 755 $(SHARED_LIBRARY) $(LIBDIR)
	ln -sf $(SONAME) $(LIBDIR)/libmicromaser.so
	install -m 644 $(HEADERS) $(INCLUDEDIR)
	install -m 644 $(EXAMPLES) $(EXAMPLEDIR)
	install -m 644 $(DOCUMENTS) $(DOCDIR)
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' \
	    'Name: micromaser' 'Description: charging protocols of a micromaser quantum battery' \
	    'Version: $(VERSION)' 'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -lmicromaser' \
	    'Libs.private: -fopenmp $(LIBRARY_LIBS)' > $(PKGCONFIGDIR)/micromaser.pc
	@chmod 644 $(PKGCONFIGDIR)/micromaser.pc
	@$(REFRESH_LIBRARIES)

uninstall: ## remove what install put there
	rm -f $(BINDIR)/micromaser $(addprefix $(LIBDIR)/,libmicromaser.a libmicromaser.so $(SONAME)) \
	    $(addprefix $(INCLUDEDIR)/,$(notdir $(HEADERS))) $(PKGCONFIGDIR)/micromaser.pc
	rm -rf $(EXAMPLEDIR) $(DOCDIR)
	@$(REFRESH_LIBRARIES)

# ------------------------------------------------------------------------------------------------ other targets

# $(call found,NAME,PATH,PACKAGE): one line of `make info`.
found = @path='$(strip $(2))'; if [ -n "$$path" ]; then \
            version=$$(dpkg-query -W -f '$${Version}' $(3) 2>/dev/null || true); \
            printf '%-14s %s%s\n' '$(1)' "$$path" "$${version:+  ($(3) $$version)}"; \
        else printf '%-14s MISSING: package %s\n' '$(1)' '$(3)'; fi

.PHONY: info
info: ## what was found on this machine
	$(call found,compiler,$(COMPILER_PATH),$(COMPILER_PACKAGE))
	@printf '%-14s %s\n' machine '$(MACHINE)$(if $(filter 1,$(MM_X86)),$(COMMA) AVX2 and AVX-512 loops chosen at run time)'
	@printf '%-14s %s\n' nvcc '$(if $(filter 1,$(MM_WITH_CUDA)),$(NVCC)  (for $(CUDA_ARCHS)),CUDA backend $(strip $(CUDA_ABSENT)))'
	@printf '%-14s %s\n' Thrust '$(or $(THRUST_PATH),not found: the tests of the CUDA backend are left out)'
	$(call found,OpenMP,$(OPENMP_PATH),$(OPENMP_PACKAGE))
	$(call found,HDF5,$(HDF5_PATH),libhdf5-dev)
	$(call found,zlib,$(ZLIB_PATH),zlib1g-dev)
	$(call found,LAPACKE,$(LAPACKE_PATH),liblapacke-dev)
	$(call found,OpenBLAS,$(OPENBLAS_PATH),libopenblas-dev)
	$(call found,inih,$(INIH_PATH),libinih-dev)
	$(call found,Random123,$(RANDOM123_PATH),librandom123-dev)
	$(call found,cmocka,$(CMOCKA_PATH),libcmocka-dev)
	$(call found,h5dump,$(H5DUMP_PATH),hdf5-tools)
	$(call found,gnuplot,$(GNUPLOT_PATH),gnuplot-nox)
	$(call found,Python + h5py,$(PYTHON_TEST),python3-h5py)
	$(call found,Python + venv,$(PYTHON_BENCH),python3-venv)

.PHONY: clean help
clean: ## remove everything that was built
	rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*$(HASH)$(HASH) \(.*\)/\1\t\2/p' Makefile | awk -F '\t' '{ printf "make %-15s %s\n", $$1, $$2 }'

endif
