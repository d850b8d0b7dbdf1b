# packages.mk - what is on this machine, which packages are missing, and their installation.

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

# Nothing else is read where a fresh machine gets its packages first.
ifeq ($(RESTART),yes)
.PHONY: install-and-restart $(GOALS)
install-and-restart:
	@$(INSTALL_PACKAGES)
	+@$(MAKE) --no-print-directory MM_PACKAGES_INSTALLED=yes $(GOALS)
$(filter-out deps deps-ci,$(GOALS)): install-and-restart
	@:
endif
