# bench.mk - what measures and demonstrates.

COMPARE_OPTIMA := $(BUILD)/tests/support/compare_optima
BENCH_CPU      := $(BUILD)/bench/bench_cpu
BENCH_WIGNER   := $(BUILD)/bench/bench_wigner
BENCH_STORE    := $(BUILD)/bench/bench_store
BENCH_PEERS    := $(BUILD)/bench/peers
BENCH_GPU      := $(BUILD)/gpu/bench/bench_gpu

.PHONY: demo bench bench-gpu bench-store bench-deps figures

$(BENCH_CPU): $(BUILD)/bench/machine_limits.o $(BUILD)/bench/collision_loop.o
$(BENCH_WIGNER): $(BUILD)/bench/machine_limits.o
$(COMPARE_OPTIMA) $(BENCH_CPU) $(BENCH_WIGNER) $(BENCH_STORE): %: %.o $(EVERYTHING)
	$(call say,LINK,$@)
	$(QUIET)$(LINK) $(filter %.o %.a,$^) $(LDLIBS) $(LIBRARY_LIBS) -o $@

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
