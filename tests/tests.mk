# tests.mk - the tests: on the host, on an emulated device, on a device, under sanitizers, under faults.

TEST_SOURCES    := $(sort $(wildcard tests/unit/*/*.c))
TEST_SCRIPTS    := tests/rooms/check.sh tests/rooms/planted.sh $(sort $(wildcard tests/program/*.py tests/cuda/*.sh))
FUZZ_SOURCES    := $(sort $(wildcard tests/fuzz/*.c))
# The tests of the CUDA backend run on an emulated device wherever the toolkit's headers are.
EMULATED_TEST_SOURCES := $(sort $(wildcard tests/cuda/*.cpp))
ifeq ($(MM_WITH_CUDA),0)
TEST_SCRIPTS := $(filter-out tests/cuda/spills.sh,$(TEST_SCRIPTS))
endif

C_TEST_PROGRAMS := $(TEST_SOURCES:%.c=$(BUILD)/%)
EMULATED_TESTS  := $(if $(and $(THRUST_PATH),$(call program,$(CXX))),$(EMULATED_TEST_SOURCES:%.cpp=$(BUILD)/emulation/%))
TEST_PROGRAMS   := $(C_TEST_PROGRAMS) $(EMULATED_TESTS)
EMULATED_PROGRAM := $(if $(EMULATED_TESTS),$(BUILD)/emulation/micromaser)
ifeq ($(EMULATED_PROGRAM),)
TEST_SCRIPTS := $(filter-out tests/program/emulated.py tests/cuda/streams.sh,$(TEST_SCRIPTS))
endif
FUZZ_PROGRAMS   := $(FUZZ_SOURCES:%.c=$(BUILD)/%)

TEST_FLAGS = -Itests -DMM_FIXTURES='"$(CURDIR)/tests/fixtures"'
EMULATION_FLAGS = -std=c++17 -DMM_EMULATION -Itests/emulation -Itests -Iinclude -Ihost -Icuda -isystem $(THRUST_PATH) \
                  $(OPENBLAS_CFLAGS) -Wall -Wextra -Wno-unknown-pragmas $(if $(filter-out 0,$(WERROR)),-Werror) \
                  -fopenmp $(CFLAGS)

ifneq ($(BUILDING),)
$(call keep,$(BUILD)/emulation/flags,$(CXX) $(EMULATION_FLAGS))
endif
$(BUILD)/tests/%.o: FILE_FLAGS := $(TEST_FLAGS)

# ----------------------------------------------------------------------------------------------------- building

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

$(BUILD)/emulation/host/solver/solver.o: host/solver/solver.c $(MAKE_FILES) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(QUIET)$(CC) $(ALL_CFLAGS) -UMM_WITH_CUDA -DMM_WITH_CUDA=1 -MMD -MP -c $< -o $@

define EMULATE
@mkdir -p $(@D)
$(call say,CXX,$<)
$(QUIET)$(CXX) -x c++ $(EMULATION_FLAGS) $(FILE_FLAGS) -MMD -MP -c $< -o $@
endef
$(BUILD)/emulation/cuda/%.o: cuda/%.cu $(MAKE_FILES) $(BUILD)/emulation/flags
	$(EMULATE)
$(BUILD)/emulation/%.o: %.cpp $(MAKE_FILES) $(BUILD)/emulation/flags
	$(EMULATE)

$(EMULATED_TESTS): %: %.o $(EMULATION_OBJECTS)
$(EMULATED_PROGRAM): $(PROGRAM_OBJECTS) $(EMULATION_OBJECTS)
$(EMULATED_TESTS) $(EMULATED_PROGRAM):
	$(call say,LINK,$@)
	$(QUIET)$(CXX) $(CFLAGS) -fopenmp $(LDFLAGS) $^ $(LDLIBS) $(if $(filter $@,$(EMULATED_TESTS)),-lcmocka) \
	    $(filter-out $(CUDA_LIBS),$(LIBRARY_LIBS)) -o $@

# The same tests on a device, but those that need an emulated one.
GPU_TESTS := $(addprefix $(BUILD)/gpu/tests/cuda/,kernels backend eigen sweep_ways wigner robustness)
define COMPILE_FOR_DEVICE
@mkdir -p $(@D)
$(call say,NVCC,$<)
$(QUIET)$(NVCC) -x cu $(NVCC_FLAGS) -Itests $(patsubst -isystem,-I,$(OPENBLAS_CFLAGS)) -MMD -MP -MF $(@:.o=.d) -c $< -o $@
endef
$(BUILD)/gpu/%.o: %.cpp $(MAKE_FILES) $(BUILD)/cuda/flags
	$(COMPILE_FOR_DEVICE)
$(BUILD)/gpu/%.o: %.cu $(MAKE_FILES) $(BUILD)/cuda/flags
	$(COMPILE_FOR_DEVICE)
$(GPU_TESTS) $(BENCH_GPU): %: %.o $(EVERYTHING)
	$(call say,LINK,$@)
	$(QUIET)$(CXX) $(CFLAGS) -fopenmp $(LDFLAGS) $^ $(LDLIBS) $(if $(filter $@,$(GPU_TESTS)),-lcmocka) \
	    $(LIBRARY_LIBS) -o $@

$(FUZZ_PROGRAMS): %: %.o $(EVERYTHING)
	$(call say,LINK,$@)
	$(QUIET)$(LINK) -fsanitize=fuzzer $< $(EVERYTHING) $(LDLIBS) $(LIBRARY_LIBS) -o $@

# ------------------------------------------------------------------------------------------------------ running

.PHONY: check check-c check-gpu gpu-programs check-long check-sanitize check-slurm check-threads fuzz run-fuzz \
        same-results
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
THREAD_TESTS   := solver/work_queue search/search search/plan solver/physics solver/adjoint evolve/robustness wigner/wigner \
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

same-results: $(PROGRAM) $(EMULATED_PROGRAM) ## compare all results with those of another build, OLD=PROGRAM, bit by bit
	@'$(PYTHON_TEST)' tests/support/same_results.py '$(OLD)' $(PROGRAM) $(CASES)
