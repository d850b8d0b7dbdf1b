/* kernels.cpp - every kernel of cuda/ against the cpu's portable loops: state, window and account
 * collision by collision, gradient, dense copies; in every class, under every schedule. */
#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include <cmocka.h>

#include "solver/band_layout.h"
#include "cpu/run.h"
#include "model/loss.h"
#include "support/projector_checks.h"
}

#include "kernels/adjoint.cuh"
#include "kernels/band_tile.cuh"
#include "kernels/density.cuh"
#include "cuda/device_array.h"
#include "device/check.cuh"
#include "kernels/propagate.cuh"

#ifdef EMULATION_CUDA_RUNTIME_H
#include "emulation/emulation.h"
/* The same operations in the same order; a compiler for a device may fuse them differently from class to class. */
constexpr double CLASS_TOLERANCE = 0.0;
#else
constexpr double CLASS_TOLERANCE = 1e-13;
#endif

namespace
{

/* ------------------------------------------------------------------------------------------------- checks */

void assert_ok(mm_status status, const mm_error &error)
{
    if (status != MM_OK)
        fail_msg("%s", error.message);
}

void assert_near(double found, double expected, double tolerance, const char *what, long place)
{
    if (!(std::fabs(found - expected) <= tolerance))
        fail_msg("%s at %ld is %.17g, not %.17g: they differ by %.3g, more than %.3g", what, place, found, expected,
                 std::fabs(found - expected), tolerance);
}

void assert_all_near(const std::vector<double> &found, const std::vector<double> &expected, double tolerance,
                     const char *what)
{
    assert_int_equal(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); i++)
        assert_near(found[i], expected[i], tolerance, what, (long)i);
}

/* ---------------------------------------------------------------------------------------------- protocols */

/* A problem, with chains of different g, lambda and parameters. Not to be copied: it points into itself. */
struct protocol {
    std::vector<mm_batch> batches;
    std::vector<std::vector<double>> parameters;
    std::vector<mm_point> points;
    mm_problem problem;

    protocol(int levels, const std::vector<int64_t> &qubits, int64_t tail, double band_tolerance)
    {
        for (int64_t count : qubits)
            batches.push_back({count, false, 0.0, 0.0});
        problem = {levels, batches.size(), batches.data(), tail, band_tolerance};
    }
    protocol(const protocol &) = delete;
    protocol &operator=(const protocol &) = delete;

    void add(double g, double lambda, const std::vector<double> &values)
    {
        parameters.push_back(values);
        points.push_back({g, lambda, nullptr, nullptr, 0.0});
        for (size_t i = 0; i < points.size(); i++)
            points[i].parameters = parameters[i].data();
    }

    void add_random(std::mt19937_64 &random)
    {
        std::uniform_real_distribution<double> uniform(0.0, 1.0);
        std::vector<double> values(2 * batches.size());
        const double g = 0.1 + 1.4 * uniform(random), lambda = 5.0 * uniform(random);
        std::generate(values.begin(), values.end(), [&] { return uniform(random); });
        add(g, lambda, values);
    }

    int64_t collisions() const
    {
        return mm_problem_collisions(&problem);
    }
};

/* Coherent qubits, then hardly coherent ones, which make the band fade, then coherent ones again; at the end the
 * first chain has its population on both sides of level 64, where one warp's columns end and the next one's begin.
 */
struct fading_protocol : protocol {
    explicit fading_protocol(double tolerance) : protocol(120, {80, 40, 8}, 20, tolerance)
    {
        add(0.25, 1.0, {1.0, 0.17, 0.003, 0.3, 1.0, 0.17});
        add(0.6, 2.0, {0.5, 0.2, 0.0, 0.9, 0.0, 0.1});
    }
};

/* What the cpu finds of one chain, state by state. */
struct cpu_course {
    std::vector<mm_window> windows; /* of the states 0 .. end */
    std::vector<double> energies;
    std::vector<double> state; /* the last one, [levels][levels] */
    double purity = 0.0;
    double band_error = 0.0;
    double truncation_population = 0.0;
};

cpu_course run_on_cpu(const protocol &given, const mm_point &point, int64_t end, bool derivative)
{
    mm_error error = {};
    mm_cpu_run run = {};
    cpu_course course;
    assert_ok(mm_cpu_run_create(&run, &given.problem, mm_instructions_find("portable"), &error), error);
    assert_ok(mm_cpu_run_start(&run, &point, derivative, nullptr, &error), error);
    for (int64_t k = 0; k <= end; k++) {
        course.windows.push_back(run.window);
        course.energies.push_back(mm_cpu_run_energy(&run));
        if (k == end)
            break;
        assert_ok(mm_cpu_run_advance(&run, &error), error);
    }
    const int levels = run.levels;
    course.state.assign((size_t)levels * (size_t)levels, 0.0);
    for (int d = 0; d < run.window.bands; d++)
        for (int m = 0; m + d < run.window.levels; m++)
            course.state[(size_t)(m * levels + m + d)] = course.state[(size_t)((m + d) * levels + m)] =
                mm_cpu_run_state(&run)[mm_band_index(run.stride, d, m)];
    course.purity = mm_cpu_run_purity(&run);
    course.band_error = run.band_error;
    course.truncation_population = run.truncation_population;
    mm_cpu_run_free(&run);
    return course;
}

/* ------------------------------------------------------------------------------------------------- device */

#define COMMA_AFTER(BANDS) BANDS,
constexpr int TILE_CLASSES[] = {MM_TILE_CLASSES(COMMA_AFTER)};
#undef COMMA_AFTER

/* The shape of a batch. */
struct shape {
    int columns;
    int bands;
};

std::vector<int64_t> batch_ends(const protocol &given)
{
    std::vector<int64_t> ends;
    for (const mm_batch &batch : given.batches)
        ends.push_back((ends.empty() ? 0 : ends.back()) + batch.qubits);
    return ends;
}

std::vector<mm_qubit> qubits(const protocol &given)
{
    std::vector<mm_qubit> all;
    for (const mm_point &point : given.points)
        for (size_t b = 0; b < given.batches.size(); b++)
            all.push_back(mm_qubit_from_population(point.parameters[2 * b], point.parameters[2 * b + 1]));
    return all;
}

/* The ways of an adjoint sweep over a protocol, on the device. */
class device_ways
{
  public:
    explicit device_ways(const protocol &given)
    {
        mm_error error = {};
        assert_ok(mm_sweep_ways_create(&ways_, &given.problem, &error), error);
        assert_ok(mm_device_ways_create(&copy_, &ways_, &error), error);
    }

    ~device_ways()
    {
        mm_device_ways_free(&copy_);
        mm_sweep_ways_free(&ways_);
    }
    device_ways(const device_ways &) = delete;
    device_ways &operator=(const device_ways &) = delete;

    const mm_way *table() const
    {
        return copy_.table;
    }

  private:
    mm_sweep_ways ways_ = {};
    mm_device_ways copy_ = {};
};

/* The chains of a protocol on the device, with room to keep `segment_length` states. */
class device_chains
{
  public:
    device_chains(const protocol &given, shape in, int64_t segment_length, bool derivative,
                  mm_sweep_way way = MM_SWEEP_EVERY)
        : count_(given.points.size()), levels_(given.problem.levels), order_(ascending(count_)),
          ends_(batch_ends(given)), qubits_(qubits(given)), chains_(count_), state_(count_ * matrix(in)),
          adjoint_(count_ * matrix(in)), signs_(count_ * (size_t)given.problem.tail),
          derivatives_(count_ * 2 * given.batches.size()), few_(count_), by_instability_(count_), ways_(given),
          segment_(count_ * (size_t)segment_length * matrix(in)), windows_(count_ * (size_t)(segment_length + 1)),
          energies_(count_ * (size_t)segment_length), scratch_(scratch_size(in))
    {
        const int64_t collisions = given.collisions();
        batch = {{levels_,
                  {(int)given.batches.size(), ends_.get()},
                  {collisions - given.problem.tail, collisions},
                  derivative},
                 chains_.get(),
                 qubits_.get(),
                 state_.get(),
                 adjoint_.get(),
                 signs_.get(),
                 derivatives_.get(),
                 few_.get(),
                 by_instability_.get(),
                 ways_.table(),
                 segment_.get(),
                 windows_.get(),
                 segment_length,
                 segment_length,
                 energies_.get(),
                 segment_length,
                 scratch_.get(),
                 in.columns,
                 in.bands};
        std::vector<mm_device_chain> fresh(count_);
        for (size_t i = 0; i < count_; i++) {
            fresh[i].g = given.points[i].g;
            fresh[i].band_tolerance = given.problem.band_tolerance;
            fresh[i].way = way;
        }
        chains_.upload(fresh);
        start();
    }

    void start()
    {
        assert_ok(mm_cuda_start(batch, (int)count_, order_.get(), nullptr, &error_), error_);
    }

    void propagate(int64_t first, int64_t end, bool keep)
    {
        assert_ok(mm_cuda_propagate(batch, (int)count_, order_.get(), first, end, keep, nullptr, &error_), error_);
        assert_int_equal(cudaDeviceSynchronize(), cudaSuccess);
    }

    void sweep(int64_t first, int64_t end)
    {
        assert_ok(mm_cuda_adjoint_sweep(batch, (int)count_, order_.get(), first, end, nullptr, &error_), error_);
        assert_int_equal(cudaDeviceSynchronize(), cudaSuccess);
    }

    std::vector<double> expand(int n, double padding)
    {
        device_array<double> dense(count_ * (size_t)n * (size_t)n);
        assert_ok(mm_cuda_expand(batch, (int)count_, order_.get(), n, padding, dense.get(), nullptr, &error_),
                  error_);
        return dense.download();
    }

    void build_adjoint(int n, const std::vector<double> &projectors, const std::vector<mm_loss> &losses)
    {
        device_array<double> projector(projectors);
        device_array<mm_loss> weights(losses);
        assert_ok(mm_cuda_build_adjoint(batch, (int)count_, order_.get(), n, projector.get(), weights.get(),
                                        nullptr, &error_),
                  error_);
        assert_int_equal(cudaDeviceSynchronize(), cudaSuccess);
    }

    void find_purities()
    {
        assert_ok(mm_cuda_purity(batch, (int)count_, order_.get(), nullptr, &error_), error_);
    }

    /* The order in which blocks take the chains. */
    void set_order(const std::vector<int> &order)
    {
        order_.upload(order);
    }

    std::vector<mm_device_chain> chains() const
    {
        return chains_.download();
    }

    void set_chains(const std::vector<mm_device_chain> &chains)
    {
        chains_.upload(chains);
    }

    std::vector<double> states() const
    {
        return state_.download();
    }

    void set_states(const std::vector<double> &states)
    {
        state_.upload(states);
    }

    std::vector<double> adjoints() const
    {
        return adjoint_.download();
    }

    std::vector<double> derivatives() const
    {
        return derivatives_.download();
    }

    std::vector<mm_few_sums> few() const
    {
        return few_.download();
    }

    std::vector<mm_window> windows() const
    {
        return windows_.download();
    }

    std::vector<double> energies() const
    {
        return energies_.download();
    }

    std::vector<int8_t> signs() const
    {
        return signs_.download();
    }

    /* One chain's present state as [levels][levels]. */
    std::vector<double> dense_state(size_t chain) const
    {
        const std::vector<double> all = states();
        const double *state = all.data() + chain * matrix({batch.columns, batch.bands});
        std::vector<double> dense((size_t)levels_ * (size_t)levels_);
        for (int d = 0; d < batch.bands; d++)
            for (int m = 0; m < batch.columns; m++) {
                const double element = state[(size_t)(d * batch.columns + m)];
                if (m + d < levels_)
                    dense[(size_t)(m * levels_ + m + d)] = dense[(size_t)((m + d) * levels_ + m)] = element;
                else
                    assert_near(element, 0.0, 0.0, "an element outside the space", m);
            }
        return dense;
    }

    mm_chain_batch batch;

  private:
    static size_t matrix(shape in)
    {
        return (size_t)in.columns * (size_t)in.bands;
    }

    static std::vector<int> ascending(size_t count)
    {
        std::vector<int> numbers(count);
        for (size_t i = 0; i < count; i++)
            numbers[i] = (int)i;
        return numbers;
    }

    size_t scratch_size(shape in) const
    {
        mm_chain_batch empty = {};
        empty.columns = in.columns;
        empty.bands = in.bands;
        return count_ * mm_batch_scratch(empty);
    }

    size_t count_;
    int levels_;
    device_array<int> order_;
    device_array<int64_t> ends_;
    device_array<mm_qubit> qubits_;
    device_array<mm_device_chain> chains_;
    device_array<double> state_, adjoint_;
    device_array<int8_t> signs_;
    device_array<double> derivatives_;
    device_array<mm_few_sums> few_;
    device_array<double> by_instability_;
    device_ways ways_;
    device_array<double> segment_;
    device_array<mm_window> windows_;
    device_array<double> energies_, scratch_;
    mm_error error_ = {};
};

/* A class of global memory that holds the same matrices. */
shape wide(shape tile)
{
    return {tile.columns, std::min((tile.bands + 7) | 1, tile.columns)}; /* no tile class is odd */
}

/* All tile classes that hold a window, and one of global memory. */
std::vector<shape> classes_holding(int levels, int bands)
{
    const int columns = mm_class_columns(levels);
    std::vector<shape> shapes;
    for (int diagonals : TILE_CLASSES)
        if (diagonals >= bands)
            shapes.push_back({columns, diagonals});
    shapes.push_back(wide({columns, bands}));
    return shapes;
}

/* ------------------------------------------------------------------------------------------------ forward */

/* Sum over the tail of |E_k - E_{k-1}|. */
double instability(const protocol &given, const cpu_course &course)
{
    double sum = 0.0;
    for (int64_t k = given.collisions() - given.problem.tail + 1; k <= given.collisions(); k++)
        sum += std::fabs(course.energies[(size_t)k] - course.energies[(size_t)k - 1]);
    return sum;
}

/* Compares one chain, whose states have all been kept, with the cpu's. */
void assert_same_course(const protocol &given, const device_chains &device, size_t chain,
                        const cpu_course &expected)
{
    const mm_device_chain found = device.chains()[chain];
    const std::vector<mm_window> windows = device.windows();
    const std::vector<double> energies = device.energies();
    const std::vector<int8_t> signs = device.signs();
    const size_t end = expected.windows.size() - 1, length = (size_t)device.batch.segment_length;
    const size_t tail = (size_t)given.problem.tail, tail_start = (size_t)given.collisions() - tail;
    assert_int_equal(found.overflow, 0);
    assert_int_equal(found.collision, end);
    int most_bands = 1;
    for (size_t k = 0; k <= end; k++) {
        most_bands = std::max(most_bands, expected.windows[k].bands);
        assert_int_equal(windows[chain * (length + 1) + k].levels, expected.windows[k].levels);
        assert_int_equal(windows[chain * (length + 1) + k].bands, expected.windows[k].bands);
        if (k > 0)
            assert_near(energies[chain * length + k - 1], expected.energies[k], 1e-12, "energy", (long)k);
    }
    for (size_t k = tail_start + 1; k <= tail_start + tail; k++) {
        const double step = expected.energies[k] - expected.energies[k - 1];
        if (std::fabs(step) > 1e-11)
            assert_int_equal(signs[chain * tail + k - 1 - tail_start], step > 0.0 ? 1 : -1);
    }
    assert_int_equal(found.most_bands, most_bands);
    assert_all_near(device.dense_state(chain), expected.state, 1e-13, "state");
    assert_near(found.energy, expected.energies[end], 1e-12, "final energy", (long)end);
    assert_near(found.instability, instability(given, expected), 1e-11, "instability", 0);
    assert_near(found.band_error, expected.band_error, 1e-9 * expected.band_error, "band error", 0);
    assert_near(found.truncation_population, expected.truncation_population, 1e-14, "truncation population", 0);
}

/* Runs a protocol in one class after the other against the cpu. */
void compare_courses(const protocol &given, int64_t end, bool derivative)
{
    std::vector<cpu_course> expected;
    int bands = 1, levels = 1;
    for (const mm_point &point : given.points) {
        expected.push_back(run_on_cpu(given, point, end, derivative));
        for (const mm_window &window : expected.back().windows) {
            bands = std::max(bands, window.bands);
            levels = std::max(levels, window.levels);
        }
    }
    for (const shape in : classes_holding(levels, bands)) {
        device_chains device(given, in, end, derivative);
        device.propagate(0, end, true);
        for (size_t chain = 0; chain < given.points.size(); chain++)
            assert_same_course(given, device, chain, expected[chain]);
    }
}

void test_states_windows_and_sums_are_the_cpus(void **)
{
    std::mt19937_64 random(1);
    for (int levels : {2, 3, 9, 17, 63, 64, 65, 129})
        for (const bool derivative : {false, true}) {
            protocol given(levels, {5, 1, 19}, levels == 9 ? 25 : 13, 1e-13);
            given.add_random(random);
            given.add_random(random);
            compare_courses(given, given.collisions(), derivative);
        }
}

void test_bands_shrink_as_on_the_cpu(void **)
{
    const fading_protocol given(1e-5);
    for (const bool derivative : {false, true}) {
        const cpu_course course = run_on_cpu(given, given.points[0], given.collisions(), derivative);
        int fallen = 0;
        for (size_t k = 1; k < course.windows.size(); k++)
            fallen += course.windows[k].bands < course.windows[k - 1].bands - 1 && course.energies[k] > 50.0;
        assert_true(fallen > 0); /* several diagonals at once */
        compare_courses(given, given.collisions(), derivative);
    }
}

void test_the_last_batch_continues_after_the_schedule(void **)
{
    protocol given(20, {7, 6}, 4, 1e-15);
    given.add(0.8, 1.0, {0.3, 0.2, 0.6, 0.1});
    compare_courses(given, given.collisions() + 17, false);
}

void test_levels_grow_where_the_space_is_unbounded(void **)
{
    protocol given(MM_LEVELS_MAX, {30}, 5, 1e-12);
    given.add(1.5, 1.0, {0.0, 0.0});
    const cpu_course course = run_on_cpu(given, given.points[0], 30, false);
    assert_true(course.windows.back().levels < 64);
    for (const shape in : {shape{64, 8}, shape{64, 15}, shape{128, 8}}) {
        device_chains device(given, in, 30, false);
        device.propagate(0, 30, true);
        const mm_device_chain found = device.chains()[0];
        assert_int_equal(found.overflow, 0);
        assert_int_equal(found.window.levels, course.windows.back().levels);
        assert_near(found.energy, course.energies.back(), 1e-12, "energy", 30);
        assert_near(found.truncation_population, 0.0, 0.0, "truncation population", 0);
    }
}

/* ------------------------------------------------------------------------------------------------ classes */

void assert_same_chain(const mm_device_chain &found, const mm_device_chain &expected)
{
    assert_int_equal(found.window.levels, expected.window.levels);
    assert_int_equal(found.window.bands, expected.window.bands);
    assert_near(found.energy, expected.energy, CLASS_TOLERANCE, "energy", 0);
    assert_near(found.purity, expected.purity, CLASS_TOLERANCE, "purity", 0);
    assert_near(found.instability, expected.instability, CLASS_TOLERANCE, "instability", 0);
    assert_near(found.band_error, expected.band_error, CLASS_TOLERANCE, "band error", 0);
    assert_near(found.truncation_population, expected.truncation_population, CLASS_TOLERANCE,
                "truncation population", 0);
}

/* What a protocol ends in, in one class, with its schedule cut at `cuts` and the chains in another order. */
struct end_of_course {
    std::vector<mm_device_chain> chains;
    std::vector<std::vector<double>> states;
};

end_of_course run_in_class(const protocol &given, shape in, const std::vector<int64_t> &cuts)
{
    device_chains device(given, in, 10, true);
    end_of_course end;
    std::vector<int> order(given.points.size());
    for (size_t i = 0; i < order.size(); i++)
        order[i] = (int)(order.size() - 1 - i);
    device.set_order(order);
    device.batch.energies = nullptr;
    for (size_t i = 0; i + 1 < cuts.size(); i++)
        device.propagate(cuts[i], cuts[i + 1], cuts[i + 1] - cuts[i] <= 10);
    device.find_purities();
    end.chains = device.chains();
    for (size_t chain = 0; chain < end.chains.size(); chain++)
        end.states.push_back(device.dense_state(chain));
    return end;
}

/* Compares classes that have more diagonals or columns than needed, tiles and others, with the first one. */
void compare_classes(const protocol &given, const std::vector<shape> &shapes)
{
    const int64_t end = given.collisions();
    const end_of_course expected = run_in_class(given, shapes[0], {0, end});
    for (const shape in : shapes) {
        const end_of_course found = run_in_class(given, in, {0, 20, 29, end});
        for (size_t chain = 0; chain < found.chains.size(); chain++) {
            assert_same_chain(found.chains[chain], expected.chains[chain]);
            assert_all_near(found.states[chain], expected.states[chain], CLASS_TOLERANCE, "state");
        }
    }
}

void test_the_class_does_not_show_in_the_numbers(void **)
{
    std::mt19937_64 random(5);
    protocol given(23, {20, 20}, 30, 1e-12);
    for (int i = 0; i < 3; i++)
        given.add_random(random);
    compare_classes(given, {{64, 24}, {64, 32}, {64, 40}, {128, 48}, {192, 24}, {64, 31}, {192, 23}, {640, 24}});
    compare_classes(fading_protocol(1e-5), {{128, 40}, {192, 48}, {128, 39}, {576, 40}});
}

void test_shapes_of_the_classes(void **)
{
    assert_int_equal(mm_class_columns(1), 64);
    assert_int_equal(mm_class_columns(64), 64);
    assert_int_equal(mm_class_columns(65), 128);
    for (int columns : {64, 128, 320, 512, 576, 4096})
        for (int bands = 1; bands <= columns; bands++) {
            mm_chain_batch batch = {};
            batch.columns = columns;
            batch.bands = mm_class_bands(bands, columns);
            assert_in_range(batch.bands, bands, columns);
            assert_int_equal(mm_class_bands(batch.bands, columns), batch.bands);
            if (columns <= 128)
                assert_int_equal(mm_batch_is_tiled(batch), bands <= MM_TILE_BANDS_MAX);
            if (columns > 512 || bands > MM_TILE_BANDS_MAX)
                assert_false(mm_batch_is_tiled(batch));
            if (columns <= 512 && bands <= MM_TILE_FLAT_BANDS)
                assert_true(mm_batch_is_tiled(batch));
            if (mm_batch_is_tiled(batch))
                assert_in_range(mm_tile_shared_bytes(batch), 1, 48 * 1024 - 1024); /* with the static part */
        }
}

/* --------------------------------------------------------------------------------------------- overflow */

/* One chain outgrows the class, its neighbour does not; started again in the class of the window that it asked for,
 * and so on, it ends as on the cpu. */
void test_a_window_that_outgrows_the_class_is_told(void **)
{
    protocol given(60, {60}, 10, 1e-14);
    given.add(0.9, 1.0, {0.9, 0.3});
    given.add(0.9, 1.0, {0.0, 0.3});
    const cpu_course expected = run_on_cpu(given, given.points[0], 60, false);
    const cpu_course narrow = run_on_cpu(given, given.points[1], 60, false);
    for (const int first_class : {8, 13}) {
        shape in = {64, first_class};
        int restarts = 0;
        for (;; restarts++) {
            device_chains device(given, in, 60, false);
            device.propagate(0, 60, true);
            assert_same_course(given, device, 1, narrow);
            const mm_device_chain found = device.chains()[0];
            if (!found.overflow) {
                assert_same_course(given, device, 0, expected);
                break;
            }
            assert_int_equal(found.window.bands, in.bands + 1);
            assert_int_equal(expected.windows[(size_t)found.collision + 1].bands, in.bands + 1);
            device.propagate(0, 60, false); /* passes the chain over */
            assert_int_equal(device.chains()[0].overflow, 1);
            in.bands = mm_class_bands(found.window.bands, in.columns);
        }
        assert_true(restarts >= 2);
    }
}

void test_levels_that_outgrow_the_class_are_told(void **)
{
    protocol given(MM_LEVELS_MAX, {75}, 10, 1e-12);
    given.add(0.25, 1.0, {0.0, 0.0});
    const cpu_course course = run_on_cpu(given, given.points[0], 75, false);
    for (const shape in : {shape{64, 8}, shape{64, 9}}) {
        device_chains device(given, in, 75, false);
        device.propagate(0, 75, false);
        const mm_device_chain found = device.chains()[0];
        if (course.windows.back().levels <= 64)
            fail_msg("the chain is too short for this test");
        assert_int_equal(found.overflow, 1);
        assert_int_equal(found.window.levels, 72);
        assert_int_equal(course.windows[(size_t)found.collision + 1].levels, 72);
    }
}

/* ------------------------------------------------------------------------------------------------ density */

void test_dense_copies_hold_the_state(void **)
{
    std::mt19937_64 random(8);
    protocol given(29, {12}, 2, 1e-8);
    given.add_random(random);
    given.add(0.5, 1.0, {0.0, 0.9});
    for (const shape in : {shape{64, 16}, shape{64, 21}}) {
        device_chains device(given, in, 1, false);
        device.batch.energies = nullptr;
        device.propagate(0, 12, false);
        device.find_purities();
        const int n = 33;
        const std::vector<double> dense = device.expand(n, -1.0);
        for (size_t chain = 0; chain < 2; chain++) {
            const std::vector<double> state = device.dense_state(chain);
            const mm_device_chain found = device.chains()[chain];
            double purity = 0.0;
            for (int row = 0; row < n; row++)
                for (int column = 0; column < n; column++) {
                    const bool live = row < found.window.levels && column < found.window.levels;
                    const double expected = live ? state[(size_t)(row * 29 + column)] : row == column ? -1.0 : 0.0;
                    assert_near(dense[chain * n * n + (size_t)(column * n + row)], expected, 0.0, "element", row);
                    purity += live ? expected * expected : 0.0;
                }
            assert_near(found.purity, purity, 1e-14, "purity", (long)chain);
        }
    }
}

/* ----------------------------------------------------------------------------------------------- gradient */

/* Passive energies and projectors of the present states, by LAPACK: what the backend gets from cuSOLVER. */
void set_adjoint_end(const protocol &given, device_chains &device)
{
    const int n = given.problem.levels;
    const std::vector<double> dense = device.expand(n, -1.0);
    const std::vector<mm_device_chain> chains = device.chains();
    const size_t size = (size_t)n * (size_t)n;
    std::vector<double> projectors(dense.size(), NAN);
    std::vector<mm_loss> losses;
    for (size_t chain = 0; chain < chains.size(); chain++) {
        const int levels = chains[chain].window.levels;
        mm_error error = {};
        mm_eigen eigen = {};
        mm_evaluation evaluation = {};
        assert_ok(mm_eigen_reserve(&eigen, levels, &error), error);
        for (int column = 0; column < levels; column++)
            std::copy_n(&dense[chain * size + (size_t)(column * n)], levels, eigen.matrix + column * levels);
        double passive = 0.0;
        mm_projector projector = {};
        std::vector<double> derivative(levels * levels);
        assert_ok(mm_eigen_passive_derivative(&eigen, levels, false, &passive, &projector, &error), error);
        multiply_out(&projector, derivative.data());
        evaluation.energy = chains[chain].energy;
        evaluation.ergotropy = evaluation.energy - passive;
        evaluation.instability = chains[chain].instability;
        for (int column = 0; column < levels; column++)
            std::copy_n(derivative.data() + column * levels + column, levels - column,
                        &projectors[chain * size + (size_t)(column * n + column)]);
        losses.push_back(mm_loss_finish(&given.problem, &given.points[chain], &evaluation));
        mm_eigen_free(&eigen);
    }
    device.build_adjoint(n, projectors, losses);
}

/* Derivatives by every batch of every chain, as the cpu finds them, [chain][batch][2]. */
std::vector<double> gradients_on_cpu(const protocol &given)
{
    std::vector<double> all;
    mm_error error = {};
    mm_sweep_plans plans = {};
    assert_ok(mm_sweep_plans_create(&plans, &given.problem, &error), error);
    for (const mm_point &point : given.points) {
        mm_cpu_run run = {};
        mm_evaluation evaluation = {};
        std::vector<mm_channel_gradient> gradient(given.batches.size());
        assert_ok(mm_cpu_run_create(&run, &given.problem, mm_instructions_find("portable"), &error), error);
        assert_ok(mm_cpu_evaluate(&run, &plans, &point, &evaluation, gradient.data(), &error), error);
        mm_cpu_run_free(&run);
        for (const mm_channel_gradient &share : gradient)
            all.insert(all.end(), {share.by_q, share.by_x});
    }
    mm_sweep_plans_free(&plans);
    return all;
}

/* Derivatives on the device, with the schedule cut at `cuts` (ascending, from 0 to its end): a first run leaves
 * copies of the states at the cuts, from which the stretches are run again, last one first. */
std::vector<double> gradients_on_device(const protocol &given, device_chains &device,
                                        const std::vector<int64_t> &cuts)
{
    std::vector<std::vector<double>> states;
    std::vector<std::vector<mm_device_chain>> chains;
    device.batch.energies = nullptr;
    for (size_t i = 0; i + 1 < cuts.size(); i++) {
        states.push_back(device.states());
        chains.push_back(device.chains());
        device.propagate(cuts[i], cuts[i + 1], false);
    }
    for (const mm_device_chain &chain : device.chains())
        assert_int_equal(chain.overflow, 0);
    set_adjoint_end(given, device);
    for (size_t i = cuts.size() - 1; i-- > 0;) {
        device.set_states(states[i]);
        device.set_chains(chains[i]);
        device.propagate(cuts[i], cuts[i + 1], true);
        device.sweep(cuts[i], cuts[i + 1]);
    }
    return device.derivatives();
}

void assert_same_gradients(const std::vector<double> &found, const std::vector<double> &expected, size_t variables,
                           double tolerance = 1e-10)
{
    assert_int_equal(found.size(), expected.size());
    for (size_t chain = 0; chain < found.size(); chain += variables) {
        double scale = 1e-3;
        for (size_t i = chain; i < chain + variables; i++)
            scale = std::max(scale, std::fabs(expected[i]));
        for (size_t i = chain; i < chain + variables; i++)
            assert_near(found[i], expected[i], tolerance * scale, "derivative", (long)i);
    }
}

void test_gradients_are_the_cpus(void **)
{
    std::mt19937_64 random(13);
    for (int levels : {2, 3, 9, 17, 33, 63, 65, 129}) {
        protocol given(levels, {25, 1, 18}, 19, 1e-16); /* too few collisions for a band to outgrow the tile */
        given.add_random(random);
        given.add_random(random);
        const std::vector<double> expected = gradients_on_cpu(given);
        const int columns = mm_class_columns(levels);
        const shape tile = {columns, mm_class_bands(std::min(levels, 48), columns)};
        for (const shape in : {tile, wide(tile)}) {
            device_chains whole(given, in, 44, true), pieces(given, in, 27, true);
            assert_same_gradients(gradients_on_device(given, whole, {0, 44}), expected, 6);
            assert_same_gradients(gradients_on_device(given, pieces, {0, 9, 14, 41, 44}), expected, 6);
        }
    }
}

/* Windows change both ways while the adjoint goes back through them. */
/* Whether the band of a chain has shrunk on the way. */
bool band_fades(const protocol &given, const mm_point &point)
{
    const std::vector<mm_window> windows = run_on_cpu(given, point, 128, true).windows;
    for (size_t k = 1; k < windows.size(); k++)
        if (windows[k].bands < windows[k - 1].bands)
            return true;
    return false;
}

/* The cpu has windows of its own for derivatives, so that they agree to what the tolerance drops. */
void test_gradients_through_moving_windows_are_the_cpus(void **)
{
    for (const double tolerance : {1e-5, 1e-9}) {
        const fading_protocol given(tolerance);
        assert_true(band_fades(given, given.points[0]));
        const std::vector<double> expected = gradients_on_cpu(given);
        std::vector<double> in_first_class;
        for (const shape in : {shape{128, 60}, shape{128, 67}}) {
            device_chains device(given, in, 128, true);
            const std::vector<double> found = gradients_on_device(given, device, {0, 128});
            assert_same_gradients(found, expected, 6, 0.1 * tolerance);
            if (in_first_class.empty())
                in_first_class = found;
            assert_same_gradients(found, in_first_class, 6, 1e-13);
        }
    }
}

void test_derivatives_do_not_depend_on_the_cuts(void **)
{
    std::mt19937_64 random(17);
    protocol given(11, {100, 200}, 150, 1e-14);
    given.add_random(random);
    for (const shape in : {shape{64, 16}, shape{64, 11}}) {
        device_chains whole(given, in, 300, true), pieces(given, in, 128, true);
        const std::vector<double> expected = gradients_on_device(given, whole, {0, 300});
        assert_all_near(gradients_on_device(given, pieces, {0, 128, 256, 300}), expected, 0.0, "derivative");
    }
}

/* Batches long enough to be summed by few of their collisions, before the tail and in it. */
struct long_protocol : protocol {
    long_protocol() : protocol(16, {300, 160, 30}, 100, 1e-16)
    {
        add(0.8, 1.0, {0.5, 0.2, 0.6, 0.3, 0.4, 0.25});
        add(1.3, 3.0, {0.3, 0.4, 0.0, 0.35, 0.7, 0.1});
    }
};

/* Sums by few collisions stand for those by all, whatever the class and wherever the schedule is cut. */
void test_few_collisions_tell_the_derivatives(void **)
{
    const long_protocol given;
    const shape tile = {64, 16};
    device_chains every(given, tile, 490, true);
    const std::vector<double> expected = gradients_on_device(given, every, {0, 490});
    assert_same_gradients(gradients_on_cpu(given), expected, 6);
    for (const mm_sweep_way way : {MM_SWEEP_EXACT, MM_SWEEP_ROUGH})
        for (const shape in : {tile, wide(tile), shape{192, 24}}) {
            device_chains whole(given, in, 490, true, way), pieces(given, in, 256, true, way);
            const std::vector<double> found = gradients_on_device(given, whole, {0, 490});
            assert_same_gradients(found, expected, 6, way == MM_SWEEP_EXACT ? 1e-10 : 1e-4);
            assert_true(found != expected);
            for (const mm_few_sums &few : whole.few())
                assert_true(few.magnitude > 0.0 && few.failed == 0);
            assert_all_near(gradients_on_device(given, pieces, {0, 128, 384, 490}), found, 0.0, "derivative");
        }
}

/* Whether the energy turns round within the tail. */
bool energy_turns(const protocol &given, const device_chains &device, size_t chain)
{
    const std::vector<int8_t> signs = device.signs();
    const size_t tail = (size_t)given.problem.tail;
    for (size_t k = 1; k < tail; k++)
        if (signs[tail * chain + k] != signs[tail * chain + k - 1])
            return true;
    return false;
}

/* Every collision of the tail counts for the first chain, whose energy turns round there, though not before it.
 * The last one has terms that are not as smooth as sums by few need: that is told, however the schedule is cut. */
void test_sums_by_few_collisions_know_where_they_hold(void **)
{
    protocol given(16, {300}, 100, 1e-16);
    given.add(0.5, 3.0, {0.3, 0.4});
    given.add(0.6, 1.0, {0.5, 0.2});
    given.add(0.6, 1.0, {0.8, 0.15});
    for (const shape in : {shape{64, 16}, shape{64, 17}}) {
        device_chains every(given, in, 300, true), few(given, in, 300, true, MM_SWEEP_EXACT),
            pieces(given, in, 128, true, MM_SWEEP_EXACT);
        const std::vector<double> expected = gradients_on_device(given, every, {0, 300});
        const std::vector<double> found = gradients_on_device(given, few, {0, 300});
        assert_all_near(gradients_on_device(given, pieces, {0, 128, 256, 300}), found, 0.0, "derivative");
        for (size_t chain = 0; chain < 3; chain++) {
            assert_true(energy_turns(given, few, chain) == (chain == 0));
            assert_int_equal(few.few()[chain].failed, chain == 2);
            assert_int_equal(pieces.few()[chain].failed, chain == 2);
        }
        assert_same_gradients({found.begin(), found.begin() + 4}, {expected.begin(), expected.begin() + 4}, 2);
    }
}

void test_classes_agree_on_the_adjoint(void **)
{
    std::mt19937_64 random(19);
    protocol given(21, {15, 15}, 12, 1e-15);
    given.add_random(random);
    given.add_random(random);
    std::vector<double> expected, derivatives;
    for (const shape in : {shape{64, 24}, shape{64, 40}, shape{128, 56}, shape{64, 21}, shape{640, 24}}) {
        device_chains device(given, in, 30, true);
        const std::vector<double> found = gradients_on_device(given, device, {0, 30});
        std::vector<double> element, adjoints = device.adjoints();
        for (int d = 0; d < 21; d++)
            for (int m = 0; m + d < 21; m++)
                element.push_back(adjoints[(size_t)(d * in.columns + m)]);
        if (expected.empty()) {
            expected = element;
            derivatives = found;
        }
        assert_all_near(element, expected, CLASS_TOLERANCE, "adjoint");
        assert_same_gradients(found, derivatives, 4);
    }
}

/* ---------------------------------------------------------------------------------------------- failures */

void test_stretches_that_do_not_fit_are_refused(void **)
{
    protocol given(9, {20}, 5, 1e-15);
    given.add(0.8, 1.0, {0.4, 0.3});
    device_chains device(given, {64, 16}, 10, true);
    device_array<int> order(std::vector<int>{0});
    mm_error error = {};
    assert_int_equal(mm_cuda_propagate(device.batch, 1, order.get(), 0, 11, true, nullptr, &error), MM_ERROR_INPUT);
    assert_non_null(std::strstr(error.message, "10 states"));
    assert_int_equal(mm_cuda_propagate(device.batch, 1, order.get(), 0, 11, false, nullptr, &error),
                     MM_ERROR_INPUT);
    assert_non_null(std::strstr(error.message, "10 energies"));
    assert_int_equal(mm_cuda_adjoint_sweep(device.batch, 1, order.get(), 3, 14, nullptr, &error), MM_ERROR_INPUT);
    assert_int_equal(mm_cuda_propagate(device.batch, 0, order.get(), 0, 10, true, nullptr, &error), MM_OK);
    assert_int_equal(mm_cuda_adjoint_sweep(device.batch, 0, order.get(), 0, 10, nullptr, &error), MM_OK);
}

#ifdef EMULATION_CUDA_RUNTIME_H

void test_failed_launches_are_reported(void **)
{
    protocol given(9, {20}, 5, 1e-15);
    given.add(0.8, 1.0, {0.4, 0.3});
    for (const shape in : {shape{64, 16}, shape{64, 9}}) {
        device_chains device(given, in, 20, true);
        device_array<int> order(std::vector<int>{0});
        device_array<double> dense(81);
        device_array<mm_loss> weight(std::vector<mm_loss>(1));
        mm_error error = {};
        emulation_fail_after(1, cudaErrorLaunchOutOfResources);
        assert_int_equal(mm_cuda_start(device.batch, 1, order.get(), nullptr, &error), MM_ERROR_DEVICE);
        emulation_fail_after(1, cudaErrorLaunchOutOfResources);
        assert_int_equal(mm_cuda_propagate(device.batch, 1, order.get(), 0, 20, true, nullptr, &error),
                         MM_ERROR_DEVICE);
        assert_non_null(std::strstr(error.message, "mm_propagate"));
        emulation_fail_after(1, cudaErrorLaunchOutOfResources);
        assert_int_equal(mm_cuda_adjoint_sweep(device.batch, 1, order.get(), 0, 20, nullptr, &error),
                         MM_ERROR_DEVICE);
        emulation_fail_after(1, cudaErrorLaunchOutOfResources);
        assert_int_equal(mm_cuda_purity(device.batch, 1, order.get(), nullptr, &error), MM_ERROR_DEVICE);
        emulation_fail_after(1, cudaErrorLaunchOutOfResources);
        assert_int_equal(mm_cuda_expand(device.batch, 1, order.get(), 9, 0.0, dense.get(), nullptr, &error),
                         MM_ERROR_DEVICE);
        emulation_fail_after(1, cudaErrorLaunchOutOfResources);
        assert_int_equal(
            mm_cuda_build_adjoint(device.batch, 1, order.get(), 9, dense.get(), weight.get(), nullptr, &error),
            MM_ERROR_DEVICE);
        emulation_fail_after(0, cudaSuccess);
    }
}

/* Every number of a whole gradient, for one schedule of blocks and threads. */
std::vector<double> all_numbers(const protocol &given, shape in, mm_sweep_way way)
{
    device_chains device(given, in, 128, true, way);
    std::vector<double> numbers = gradients_on_device(given, device, {0, 26, 128});
    device.find_purities();
    for (const mm_device_chain &chain : device.chains())
        numbers.insert(numbers.end(), {chain.energy, chain.purity, chain.instability, chain.band_error,
                                       chain.truncation_population, (double)chain.window.bands});
    for (const std::vector<double> &more : {device.states(), device.adjoints()})
        numbers.insert(numbers.end(), more.begin(), more.end());
    return numbers;
}

/* A missing barrier shows as a dependence on the schedule; windows grow and shrink here, and the first batch is
 * summed by few of its collisions or by all. */
void test_results_do_not_depend_on_the_schedule(void **)
{
    const fading_protocol given(1e-5);
    for (const shape in : {shape{128, 40}, shape{128, 39}})
        for (const mm_sweep_way way : {MM_SWEEP_EVERY, MM_SWEEP_EXACT}) {
            emulation_set_schedule(0);
            const std::vector<double> expected = all_numbers(given, in, way);
            for (uint64_t schedule = 1; schedule < 4; schedule++) {
                emulation_set_schedule(schedule);
                const std::vector<double> found = all_numbers(given, in, way);
                assert_int_equal(found.size(), expected.size());
                assert_memory_equal(found.data(), expected.data(), found.size() * sizeof(double));
            }
            emulation_set_schedule(0);
        }
}

int nothing_is_left(void **)
{
    return emulation_live_allocations() == 0 ? 0 : -1;
}

#else

int nothing_is_left(void **)
{
    return 0;
}

#endif

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(test_states_windows_and_sums_are_the_cpus),
        cmocka_unit_test(test_bands_shrink_as_on_the_cpu),
        cmocka_unit_test(test_the_last_batch_continues_after_the_schedule),
        cmocka_unit_test(test_levels_grow_where_the_space_is_unbounded),
        cmocka_unit_test(test_the_class_does_not_show_in_the_numbers),
        cmocka_unit_test(test_shapes_of_the_classes),
        cmocka_unit_test(test_a_window_that_outgrows_the_class_is_told),
        cmocka_unit_test(test_levels_that_outgrow_the_class_are_told),
        cmocka_unit_test(test_dense_copies_hold_the_state),
        cmocka_unit_test(test_gradients_are_the_cpus),
        cmocka_unit_test(test_gradients_through_moving_windows_are_the_cpus),
        cmocka_unit_test(test_derivatives_do_not_depend_on_the_cuts),
        cmocka_unit_test(test_few_collisions_tell_the_derivatives),
        cmocka_unit_test(test_sums_by_few_collisions_know_where_they_hold),
        cmocka_unit_test(test_classes_agree_on_the_adjoint),
        cmocka_unit_test(test_stretches_that_do_not_fit_are_refused),
#ifdef EMULATION_CUDA_RUNTIME_H
        cmocka_unit_test(test_failed_launches_are_reported),
        cmocka_unit_test(test_results_do_not_depend_on_the_schedule),
#endif
    };
    return cmocka_run_group_tests(tests, nullptr, nothing_is_left);
}
