# cuda.mk - the CUDA backend, where nvcc is.

# The CUDA backend is built where nvcc is.
MM_WITH_CUDA := $(if $(filter-out 0,$(WITH_CUDA)),$(if $(NVCC),1,0),0)
CUDA_SOURCES := $(sort $(wildcard cuda/*/*.cu))
CUDA_OBJECTS := $(if $(filter 1,$(MM_WITH_CUDA)),$(CUDA_SOURCES:%.cu=$(BUILD)/%.o))
CUDA_ABSENT  := not compiled in: $(if $(filter 0,$(WITH_CUDA)),WITH_CUDA was 0,nvcc was not found) when micromaser \
                was built
KERNEL_TABLE := $(BUILD)/cuda/kernels.txt

# Sums of products are fused on the device as the compiler likes, in the same way for every chain of a class.
NVCC_FLAGS = -std=c++17 -O3 -lineinfo $(CUDA_TARGETS) -Iinclude -Ihost -Icuda \
             -DMM_CUDA_LIBRARY_FOLDER='"$(CUDA_LIBRARY_FOLDER)"' $(if $(filter-out 0,$(WERROR)),-Werror all-warnings) \
             -Xcompiler -Wall$(COMMA)-Wextra$(COMMA)-fopenmp$(COMMA)-fPIC$(COMMA)-fvisibility=hidden

ifneq ($(BUILDING),)
$(if $(CUDA_OBJECTS),$(call keep,$(BUILD)/cuda/flags,$(NVCC) $(NVCC_FLAGS)))
endif

$(BUILD)/cuda/%.o: cuda/%.cu $(MAKE_FILES) $(BUILD)/cuda/flags
	@mkdir -p $(@D)
	$(call say,NVCC,$<)
	$(QUIET)code=0; $(NVCC) $(NVCC_FLAGS) -Xptxas -v -MMD -MP -MF $(@:.o=.d) -c $< -o $@ 2>$(@:.o=.log) || code=$$?; \
	    grep -v -e '^ptxas info' -e 'bytes stack frame' $(@:.o=.log) >&2; exit $$code

# Registers, shared memory and spills of every kernel, which decide how fast it is.
$(KERNEL_TABLE): cuda/kernel_table.sh $(CUDA_OBJECTS)
	$(call say,KERNELS,$@)
	$(QUIET)$< $(CUDA_OBJECTS:.o=.log) >$@
	$(QUIET)cat $@
