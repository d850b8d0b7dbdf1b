# host.mk - the program and the libraries.

# The program alone has the rooms, and of other rooms the files, that no function of the public header leads to; all
# else is the library's, which cannot be linked if it needs one of them. Tests and benchmarks look into every room:
# they link an archive of everything.

PROGRAM_ROOMS   := cli evolve files files/evolution plot store
PROGRAM_SOURCES := $(sort $(wildcard $(PROGRAM_ROOMS:%=host/%/*.c)) host/base/json.c host/model/noise.c \
                          host/model/steady_state.c host/chain/progress.c host/solver/edge_gradient.c)
LIBRARY_SOURCES := $(filter-out $(PROGRAM_SOURCES),$(sort $(wildcard host/*/*.c host/*/*/*.c)))

# Loops that need an instruction set are compiled for it and chosen at run time; there are none off x86-64.
MM_X86 := $(if $(filter x86_64 amd64,$(MACHINE)),1,0)
ifeq ($(MM_X86),0)
LIBRARY_SOURCES := $(filter-out %_avx2.c %_avx512.c,$(LIBRARY_SOURCES))
endif
$(BUILD)/host/%_avx2.o:   FILE_FLAGS := -mavx2 -mfma
$(BUILD)/host/%_avx512.o: FILE_FLAGS := -mavx512f -mavx512vl -mavx512dq -mfma -mprefer-vector-width=512

$(BUILD)/host/solver/solver.o: FILE_FLAGS := -DMM_CUDA_ABSENT='"$(strip $(CUDA_ABSENT))"'

LIBRARY_OBJECTS := $(LIBRARY_SOURCES:%.c=$(BUILD)/%.o) $(CUDA_OBJECTS)
PROGRAM_OBJECTS := $(PROGRAM_SOURCES:%.c=$(BUILD)/%.o)
HOST_OBJECTS    := $(filter-out %/cli/main.o $(CUDA_OBJECTS),$(LIBRARY_OBJECTS) $(PROGRAM_OBJECTS))

PROGRAM        := $(BUILD)/micromaser
STATIC_LIBRARY := $(BUILD)/libmicromaser.a
EVERYTHING     := $(BUILD)/everything.a
SONAME         := libmicromaser.so.0
SHARED_LIBRARY := $(BUILD)/$(SONAME)

# Files that change only when their text does, so that nothing is rebuilt unless something changed.
#   sources       what archives are made of: a file that is gone must leave them
#   git_commit.h  the commit, for the two files that report it; kept where git gives no answer
GIT_COMMIT_HEADER := $(BUILD)/git_commit.h
ifneq ($(BUILDING),)
GIT_COMMIT := $(shell git describe --always --dirty --exclude '*' 2>/dev/null)
$(call keep,$(BUILD)/sources,$(LIBRARY_SOURCES) $(PROGRAM_SOURCES) $(CUDA_OBJECTS))
ifneq ($(or $(GIT_COMMIT),$(if $(wildcard $(GIT_COMMIT_HEADER)),,none)),)
$(call keep,$(GIT_COMMIT_HEADER),$(HASH)define MM_GIT_COMMIT "$(or $(GIT_COMMIT),unknown)")
endif
endif
GIT_COMMIT_OBJECTS := $(BUILD)/host/files/hdf5/root.o $(BUILD)/host/cli/info.o
$(GIT_COMMIT_OBJECTS): FILE_FLAGS := -include $(GIT_COMMIT_HEADER)
$(GIT_COMMIT_OBJECTS): $(GIT_COMMIT_HEADER)

.PHONY: all
all: $(PROGRAM) $(STATIC_LIBRARY) $(SHARED_LIBRARY) $(BUILD)/libmicromaser.so ## the program and the libraries
all: $(if $(CUDA_OBJECTS),$(KERNEL_TABLE))
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
