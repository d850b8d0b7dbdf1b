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

GOALS_WITHOUT_NEEDS := clean help format format-check uninstall info
# Not empty where something is to be built.
BUILDING := $(filter-out deps deps-ci $(GOALS_WITHOUT_NEEDS),$(GOALS))

# A file that changes only when its text does, so that nothing is rebuilt unless something changed.
# $(call keep,FILE,TEXT); stripped, because GNU make 4.3 does not always leave out the last line end of a file it reads
keep = $(if $(call differ,$(strip $(file <$(1))),$(strip $(2))),$(shell mkdir -p $(dir $(1)))$(file >$(1),$(2)))
differ = $(if $(subst x$(1)x,,x$(2)x)$(subst x$(2)x,,x$(1)x),yes)

# What objects depend on besides their sources.
MAKE_FILES := Makefile .ci/packages.mk cuda/cuda.mk host/host.mk bench/bench.mk tests/tests.mk

include .ci/packages.mk

ifneq ($(RESTART),yes)

# Contraction to fused multiply-adds is wanted (and the same in every build); reordering of sums is not, because
# results are promised bit for bit, so no -ffast-math. No -march=native either: the program runs anywhere.

ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -Iinclude -Ihost $(LIBRARY_CFLAGS) \
             -DMM_X86=$(MM_X86) -DMM_WITH_CUDA=$(MM_WITH_CUDA) \
             -Wall -Wextra -Wpedantic -Wshadow -Wconversion $(if $(filter-out 0,$(WERROR)),-Werror) \
             -fopenmp -ffp-contract=fast -fno-math-errno -fvisibility=hidden -fPIC $(CFLAGS)
LINK       = $(CC) $(CFLAGS) -fopenmp $(LDFLAGS)

include cuda/cuda.mk
include host/host.mk
include bench/bench.mk
include tests/tests.mk

ifneq ($(BUILDING),)
$(call keep,$(BUILD)/flags,$(CC) $(ALL_CFLAGS) $(TEST_FLAGS) $(LDFLAGS) $(LDLIBS))
endif

$(BUILD)/%.o: %.c $(MAKE_FILES) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(QUIET)$(CC) $(ALL_CFLAGS) $(FILE_FLAGS) -MMD -MP -c $< -o $@

# Objects are kept, so that a second make has nothing to do.
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# -------------------------------------------------------------------------------------------------- source text

SHELL_SCRIPTS   := .ci/run $(sort $(wildcard cuda/*.sh data/*.sh data/slurm/*.sbatch tests/*.sh tests/*/*.sh bench/*.sh))
FORMATTED_FILES := $(sort $(wildcard include/*.h host/*/*.[ch] host/*/*/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch] \
                                     tests/*/*.cpp bench/*.[ch] bench/*.cu cuda/*/*.cu cuda/*/*.cuh))

.PHONY: format format-check shellcheck
format: ## lay out the C files
	$(CLANG_FORMAT) -i $(FORMATTED_FILES)

format-check: ## say which C files are not laid out
	$(CLANG_FORMAT) --dry-run -Werror $(FORMATTED_FILES)

shellcheck: ## check the shell scripts
	shellcheck $(SHELL_SCRIPTS)

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
	@sed -n 's/^\([a-z-]*\):.*$(HASH)$(HASH) \(.*\)/\1\t\2/p' .ci/packages.mk host/host.mk \
	    tests/tests.mk bench/bench.mk Makefile | awk -F '\t' '{ printf "make %-15s %s\n", $$1, $$2 }'

endif
