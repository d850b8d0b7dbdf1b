/* bench_gpu.cu - how fast the cuda backend is, against the device's own limit and beside the cpu backend.
 *
 * usage: bench_gpu [POINTS [LEVELS [QUBITS]]]
 *
 * The work is that of a search of the paper's identical stream: POINTS points, each with its own g, lambda, c and
 * q; and such a search, of POINTS chains. A collision costs seven multiply-adds for every element of the live band;
 * how many elements are alive is counted on the cpu, whose windows are the same. The limit is a kernel of nothing
 * but independent multiply-adds.
 */
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include <omp.h>

#include "model/collision.h"
#include "micromaser.h"

extern "C" {
#include "cpu/run.h"
}

#include "backend/backend.cuh"
#include "device/check.cuh"
#include "backend/host.cuh"

namespace
{

constexpr int REPETITIONS = 3;
constexpr size_t DISTINCT_POINTS = 64; /* what is counted on the cpu; the others repeat these */
constexpr size_t CPU_POINTS_PER_THREAD = 16;
constexpr size_t CPU_CHAINS_PER_THREAD = 8;
constexpr size_t LAMBDAS = 4; /* of the search */

constexpr int FMA_BLOCK_THREADS = 256;
constexpr int FMA_BLOCKS_PER_MULTIPROCESSOR = 8;
constexpr int FMA_CHAINS = 8; /* independent ones hide the latency */
constexpr int FMA_STEPS = 1 << 14;

[[noreturn]] void stop(const char *what)
{
    fprintf(stderr, "bench_gpu: %s\n", what);
    exit(1);
}

void require(mm_status status, const struct mm_error &error)
{
    if (status != MM_OK)
        stop(error.message);
}

void require(cudaError_t outcome)
{
    if (outcome != cudaSuccess)
        stop(cudaGetErrorString(outcome));
}

double seconds_now()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/* -------------------------------------------------------------------------------------- device's limit */

__global__ void multiply_add(int steps, double factor, double summand, double *result)
{
    double sums[FMA_CHAINS];
    for (int i = 0; i < FMA_CHAINS; i++)
        sums[i] = static_cast<double>(threadIdx.x + i);
    for (int step = 0; step < steps; step++) {
#pragma unroll
        for (int i = 0; i < FMA_CHAINS; i++)
            sums[i] = fma(sums[i], factor, summand);
    }
    double total = 0.0;
    for (int i = 0; i < FMA_CHAINS; i++)
        total += sums[i];
    result[blockIdx.x * blockDim.x + threadIdx.x] = total;
}

/* Multiply-adds a second that the device reaches when it does nothing else. */
double measure_peak(int multiprocessors)
{
    const unsigned int blocks = static_cast<unsigned int>(multiprocessors * FMA_BLOCKS_PER_MULTIPROCESSOR);
    const double operations = static_cast<double>(blocks) * FMA_BLOCK_THREADS * FMA_CHAINS * FMA_STEPS;
    cudaEvent_t before, after;
    double *result, best = 0.0;
    require(cudaEventCreate(&before));
    require(cudaEventCreate(&after));
    require(cudaMalloc(&result, blocks * FMA_BLOCK_THREADS * sizeof(double)));
    for (int repetition = 0; repetition <= REPETITIONS; repetition++) {
        float milliseconds;
        require(cudaEventRecord(before));
        require(MM_LAUNCH(multiply_add, blocks, FMA_BLOCK_THREADS, 0, nullptr, FMA_STEPS, 0.999, 0.001, result));
        require(cudaEventRecord(after));
        require(cudaEventSynchronize(after));
        require(cudaEventElapsedTime(&milliseconds, before, after));
        best = std::max(best, operations / (1e-3 * milliseconds));
    }
    require(cudaFree(result));
    require(cudaEventDestroy(before));
    require(cudaEventDestroy(after));
    return best;
}

/* ------------------------------------------------------------------------------------------------ work */

struct work {
    struct mm_batch batch;
    struct mm_problem problem;
    std::vector<double> parameters;
    std::vector<struct mm_point> points;
};

/* Points spread over the part of the space where optima lie (c, q), at the lambdas of the paper. */
void set_work(struct work *work, size_t count, int levels, int64_t qubits)
{
    work->batch = {qubits, false, 0.0, 0.0};
    work->problem = {levels, 1, &work->batch, std::max<int64_t>(qubits / 5, 1), 1e-16};
    work->parameters.resize(2 * count);
    for (size_t i = 0; i < count; i++) {
        const double place = static_cast<double>(i % DISTINCT_POINTS) / DISTINCT_POINTS;
        work->parameters[2 * i] = 0.05 + 0.65 * place;
        work->parameters[2 * i + 1] = 0.05 + 0.25 * std::fmod(7.0 * place, 1.0);
        work->points.push_back({0.7954 + 0.02 * place, std::pow(10.0, static_cast<double>(i % 4)),
                                &work->parameters[2 * i], nullptr, 0.0});
    }
}

/* Elements of the live band, summed over all collisions of the points. */
double count_elements(const struct work &work, size_t count)
{
    struct mm_cpu_run run = {};
    struct mm_error error = {};
    double distinct[DISTINCT_POINTS] = {}, total = 0.0;
    require(mm_cpu_run_create(&run, &work.problem, mm_instructions_find(nullptr), &error), error);
    for (size_t i = 0; i < std::min(count, DISTINCT_POINTS); i++) {
        require(mm_cpu_run_start(&run, &work.points[i], false, nullptr, &error), error);
        for (int64_t k = 0; k < work.batch.qubits; k++) {
            require(mm_cpu_run_advance(&run, &error), error);
            const double bands = run.window.bands;
            distinct[i] += bands * run.window.levels - 0.5 * bands * (bands - 1.0);
        }
    }
    mm_cpu_run_free(&run);
    for (size_t i = 0; i < count; i++)
        total += distinct[i % DISTINCT_POINTS];
    return total;
}

/* Best time of one call, in seconds; the first call finds memory and classes and does not count. */
double time_backend(const struct mm_backend *backend, void *state, const struct work &work, size_t count,
                    bool gradients)
{
    std::vector<struct mm_evaluation> evaluations(count);
    std::vector<struct mm_channel_gradient> channels(count);
    struct mm_error error = {};
    double best = INFINITY;
    for (int repetition = 0; repetition <= REPETITIONS; repetition++) {
        const double start = seconds_now();
        require(backend->evaluate(state, count, work.points.data(), evaluations.data(),
                                  gradients ? channels.data() : nullptr, &error),
                error);
        if (repetition > 0)
            best = std::min(best, seconds_now() - start);
    }
    return best;
}

void *open_backend(const struct mm_backend *backend, const struct work &work, int threads,
                   enum mm_eigen_method method = MM_EIGEN_CUSOLVER)
{
    struct mm_solver_options options = {};
    options.eigen_method = method;
    struct mm_error error = {};
    void *state = nullptr;
    options.threads = threads;
    require(backend->open(&state, &work.problem, &options, &error), error);
    return state;
}

/* ---------------------------------------------------------------------------------------------- report */

void report_shares(const char *title, const struct mm_cuda_times &times)
{
    static const char *const names[MM_STAGE_COUNT] = {"transfers", "propagation", "eigenvalues", "adjoint", "host"};
    double total = 0.0;
    for (double seconds : times.seconds)
        total += seconds;
    printf("%s, one stream, stage by stage:", title);
    for (int stage = 0; stage < MM_STAGE_COUNT; stage++)
        printf("  %s %.1f %%", names[stage], 100.0 * times.seconds[stage] / total);
    printf("\n");
}

struct eigen_solver {
    enum mm_eigen_method method;
    const char *name;
};

constexpr struct eigen_solver EIGEN_SOLVERS[] = {{MM_EIGEN_CUSOLVER, "cusolver"},
                                                 {MM_EIGEN_TRIDIAGONAL, "tridiagonal"}};

/* Where the time goes, with the classes of the chains known; and the propagation's share of the device's limit. */
void report_stages(const struct work &work, size_t count, const struct eigen_solver &solver, double elements,
                   double peak)
{
    for (bool gradients : {false, true}) {
        void *state = open_backend(&mm_backend_cuda, work, 1, solver.method);
        mm_cuda_measure(state);
        time_backend(&mm_backend_cuda, state, work, count, gradients);
        mm_cuda_measure(state);
        time_backend(&mm_backend_cuda, state, work, count, gradients);
        const struct mm_cuda_times times = mm_cuda_measured(state);
        report_shares(gradients ? "gradients" : "losses", times);
        const double rate = 7.0 * elements * (REPETITIONS + 1) / times.seconds[MM_STAGE_PROPAGATION];
        if (!gradients)
            printf("propagation: %.4g FP64 multiply-adds/s = %.1f %% of the measured limit\n", rate,
                   100.0 * rate / peak);
        mm_backend_cuda.close(state);
    }
}

/* Losses or gradients a second. */
double rate_of(const struct mm_backend *backend, void *state, const struct work &work, size_t count, bool gradients)
{
    return static_cast<double>(count) / time_backend(backend, state, work, count, gradients);
}

/* Chains a second of a search of the same stream, from random starts to optima. */
double chains_a_second(const char *backend, const struct work &work, size_t chains,
                       enum mm_eigen_method method = MM_EIGEN_CUSOLVER)
{
    char text[256];
    struct mm_config config = {};
    struct mm_results results = {};
    struct mm_search_options options = {};
    struct mm_error error = {};
    const int size = snprintf(text, sizeof text,
                              "[cavity]\nlevels = %d\n[coupling]\ng = 0.7954\n[batch.1]\nqubits = %lld\n"
                              "[loss]\nlambda = 1,10,100,1000\n[search]\nstarts = %zu\n",
                              work.problem.levels, static_cast<long long>(work.batch.qubits),
                              std::max<size_t>(chains / LAMBDAS, 1));
    require(mm_config_parse("search", text, static_cast<size_t>(size), 0, nullptr, &config, &error), error);
    require(mm_results_create(&results, &config, &error), error);
    struct mm_solver_options solver = {};
    solver.backend = backend;
    solver.eigen_method = method;
    options.solver = &solver;
    require(mm_search_run(&config, &options, &results, &error), error);
    const double rate = static_cast<double>(mm_config_chains(&config)) / results.seconds;
    mm_results_free(&results);
    mm_config_free(&config);
    return rate;
}

/* What the cpu backend does with all its threads. */
struct cpu_rates {
    double evaluations[2]; /* losses, gradients a second */
    double chains;
};

/* The same work on the host, less of it. */
struct cpu_rates measure_cpu(const struct work &work, size_t count)
{
    const size_t threads = static_cast<size_t>(omp_get_max_threads());
    const size_t cpu_count = std::min(count, CPU_POINTS_PER_THREAD * threads);
    struct cpu_rates rates;
    void *cpu = open_backend(&mm_backend_cpu, work, static_cast<int>(threads));
    for (bool gradients : {false, true})
        rates.evaluations[gradients] = rate_of(&mm_backend_cpu, cpu, work, cpu_count, gradients);
    mm_backend_cpu.close(cpu);
    rates.chains = chains_a_second("cpu", work, std::min(count, CPU_CHAINS_PER_THREAD * threads));
    return rates;
}

void report_rate(const char *what, double on_cuda, double on_cpu)
{
    printf("%-10s cuda %12.1f /s    cpu (%d threads) %10.1f /s    ratio %.1f\n", what, on_cuda,
           omp_get_max_threads(), on_cpu, on_cuda / on_cpu);
}

void report_rates(const struct work &work, size_t count, const struct eigen_solver &solver,
                  const struct cpu_rates &on_cpu)
{
    void *cuda = open_backend(&mm_backend_cuda, work, 1, solver.method);
    for (bool gradients : {false, true})
        report_rate(gradients ? "gradients" : "losses", rate_of(&mm_backend_cuda, cuda, work, count, gradients),
                    on_cpu.evaluations[gradients]);
    printf("gradients summed again by every collision: %.1f %%\n",
           100.0 * static_cast<double>(mm_cuda_gradients_summed_again(cuda)) /
               static_cast<double>(count * (REPETITIONS + 1)));
    printf("chains whose eigenvalues failed: %zu\n", mm_cuda_eigen_failures(cuda));
    mm_backend_cuda.close(cuda);
    report_rate("chains", chains_a_second("cuda", work, count, solver.method), on_cpu.chains);
}

} // namespace

int main(int argc, char **argv)
{
    const size_t count = argc > 1 ? static_cast<size_t>(atol(argv[1])) : 8192;
    const int levels = argc > 2 ? atoi(argv[2]) : 120;
    const int64_t qubits = argc > 3 ? atol(argv[3]) : 1000;
    char reason[MM_BACKEND_TEXT];
    struct work work;
    cudaDeviceProp properties;
    char date[32];
    const time_t now = time(nullptr);
    if (!mm_backend_cuda.available(sizeof reason, reason))
        stop(reason);
    set_work(&work, count, levels, qubits);
    struct mm_error error = {};
    require(mm_problem_check(&work.problem, &error), error);
    require(cudaGetDeviceProperties(&properties, 0));
    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&now));
    printf("%s, %d multiprocessors, %s\n", properties.name, properties.multiProcessorCount, date);
    printf("%zu points of %lld qubits on %d levels\n", count, static_cast<long long>(qubits), levels);
    const double peak = measure_peak(properties.multiProcessorCount);
    printf("measured limit: %.4g FP64 multiply-adds/s\n", peak);
    const double elements = count_elements(work, count);
    const struct cpu_rates on_cpu = measure_cpu(work, count);
    for (const struct eigen_solver &solver : EIGEN_SOLVERS) {
        printf("\neigenvalues by %s\n", solver.name);
        report_rates(work, count, solver, on_cpu);
        report_stages(work, count, solver, elements, peak);
    }
    return 0;
}
