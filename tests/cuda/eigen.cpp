/* eigen.cpp - the eigenvalue solvers of the cuda backend against LAPACK: random density matrices of any
 * size, spectra that are hard, those that must be refused, and whole chains. */
#include <algorithm>
#include <climits>

#include <cblas.h>
#include <lapacke.h> /* before cmocka.h, whose macros it does not bear */

#include "cuda/backend_tasks.h"
#include "spectrum/eigen.cuh"
#include "spectrum/tridiagonal.cuh"

namespace
{

typedef std::vector<double> matrix; /* [n][n], symmetric */

void require(cudaError_t outcome)
{
    if (outcome != cudaSuccess)
        fail_msg("%s", cudaGetErrorString(outcome));
}

void require(mm_status status, const mm_error &error)
{
    if (status != MM_OK)
        fail_msg("%s", error.message);
}

/* ---------------------------------------------------------------------------------------- matrices */

/* A symmetric matrix with given eigenvalues: the columns of a random orthogonal one. */
matrix rotated(const std::vector<double> &values, std::mt19937_64 *random)
{
    const int n = static_cast<int>(values.size());
    matrix q(values.size() * values.size()), scaled, result(q.size());
    std::vector<double> scales(values.size());
    std::normal_distribution<double> normal;
    std::generate(q.begin(), q.end(), [&] { return normal(*random); });
    assert_int_equal(LAPACKE_dgeqrf(LAPACK_COL_MAJOR, n, n, q.data(), n, scales.data()), 0);
    assert_int_equal(LAPACKE_dorgqr(LAPACK_COL_MAJOR, n, n, n, q.data(), n, scales.data()), 0);
    scaled = q;
    for (int k = 0; k < n; k++)
        cblas_dscal(n, values[static_cast<size_t>(k)], &scaled[static_cast<size_t>(k * n)], 1);
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, n, n, n, 1.0, scaled.data(), n, q.data(), n, 0.0,
                result.data(), n);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            result[static_cast<size_t>(i * n + j)] = result[static_cast<size_t>(j * n + i)];
    return result;
}

/* Populations that sum up to 1, each so many times the next one. */
std::vector<double> falling(int count, double ratio)
{
    std::vector<double> values(static_cast<size_t>(count));
    double sum = 0.0;
    for (int k = 0; k < count; k++)
        sum += values[static_cast<size_t>(k)] = std::pow(ratio, -k);
    for (double &value : values)
        value /= sum;
    return values;
}

/* Populations without any order. */
std::vector<double> scattered(int count, std::mt19937_64 *random)
{
    std::vector<double> values(static_cast<size_t>(count));
    double sum = 0.0;
    for (double &value : values)
        sum += value = uniform(random, 0.0, 1.0);
    for (double &value : values)
        value /= sum;
    return values;
}

/* What LAPACK says. */
struct spectrum {
    std::vector<double> values; /* ascending */
    matrix vectors;             /* one a column */
    double passive = 0.0;
};

spectrum solve_on_host(const matrix &given, int n)
{
    spectrum found = {std::vector<double>(static_cast<size_t>(n)), given};
    assert_int_equal(LAPACKE_dsyev(LAPACK_COL_MAJOR, 'V', 'L', n, found.vectors.data(), n, found.values.data()), 0);
    for (int k = 0; k < n; k++)
        found.passive += k * found.values[static_cast<size_t>(n - 1 - k)];
    return found;
}

/* Tr(P X) of P = sum_k k v_k v_k^T and of some other matrix. */
double projected(const spectrum &of, int n, const matrix &other)
{
    double sum = 0.0;
    std::vector<double> product(static_cast<size_t>(n));
    for (int k = 0; k < n; k++) {
        const double *vector = &of.vectors[static_cast<size_t>((n - 1 - k) * n)];
        cblas_dgemv(CblasColMajor, CblasNoTrans, n, n, 1.0, other.data(), n, vector, 1, 0.0, product.data(), 1);
        sum += k * cblas_ddot(n, vector, 1, product.data(), 1);
    }
    return sum;
}

/* ------------------------------------------------------------------------------------------ device */

/* States on the device, all of one size, and a solver for them. */
class device_states
{
  public:
    device_states(const std::vector<matrix> &given, int n, mm_eigen_method method, bool check = false)
        : count_(static_cast<int>(given.size())), n_(n)
    {
        mm_error error = {};
        const char *reason = "";
        batch_.columns = batch_.bands = mm_class_columns(n);
        const size_t size = mm_batch_matrix(batch_);
        std::vector<double> states(given.size() * size);
        std::vector<mm_device_chain> chains(given.size());
        std::vector<int> order(given.size());
        for (size_t i = 0; i < given.size(); i++) {
            order[i] = static_cast<int>(i);
            chains[i].window = {n, n};
            for (int d = 0; d < n; d++)
                for (int m = 0; m + d < n; m++)
                    states[i * size + static_cast<size_t>(d * batch_.columns + m)] =
                        given[i][static_cast<size_t>(m * n + m + d)];
        }
        require(mm_device_copy(&batch_.state, states.data(), states.size(), &error), error);
        require(mm_device_copy(&batch_.chains, chains.data(), chains.size(), &error), error);
        require(mm_device_copy(&order_, order.data(), order.size(), &error), error);
        require(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
        if (!mm_cuda_libraries_find(&libraries_, &reason))
            fail_msg("%s", reason);
        require(mm_eigen_open(&solver_, &libraries_, stream_, &error), error);
        solver_.memory.limit = size_t{1} << 29;
        solver_.method = method;
        solver_.check = check;
    }

    ~device_states()
    {
        mm_eigen_close(&solver_);
        cudaStreamDestroy(stream_);
        cudaFree(batch_.state);
        cudaFree(batch_.chains);
        cudaFree(order_);
    }
    device_states(const device_states &) = delete;
    device_states &operator=(const device_states &) = delete;

    /* @param projectors  out: [count][n][n]; NULL: only values are computed */
    void solve(std::vector<double> *passive, std::vector<int> *info, std::vector<double> *projectors)
    {
        mm_error error = {};
        mm_eigen_group group = {order_, count_, n_, false, projectors != nullptr};
        const double *energies, *products;
        const int *states;
        require(mm_eigen_reserve(&solver_, &group, &error), error);
        assert_int_equal(group.count, count_);
        require(mm_eigen_passive(&solver_, batch_, group, &energies, &states, &error), error);
        passive->assign(energies, energies + count_);
        info->assign(states, states + count_);
        if (projectors == nullptr)
            return;
        require(mm_eigen_projectors(&solver_, group, &products, &error), error);
        require(cudaStreamSynchronize(stream_));
        projectors->resize(static_cast<size_t>(count_ * n_ * n_));
        require(
            cudaMemcpy(projectors->data(), products, projectors->size() * sizeof(double), cudaMemcpyDeviceToHost));
    }

    /* Problems of n rows that the solver would take of very many, if the device had as much memory as one likes.
     */
    int most_of(int n)
    {
        mm_error error = {};
        mm_eigen_group group = {order_, INT_MAX, n, false, true};
        solver_.memory.limit = SIZE_MAX;
        const mm_status status = mm_eigen_reserve(&solver_, &group, &error);
        assert_true(status == MM_OK || status == MM_ERROR_DEVICE); /* as much as the device really has */
        return group.count;
    }

  private:
    int count_, n_;
    mm_chain_batch batch_ = {};
    int *order_ = nullptr;
    cudaStream_t stream_ = nullptr;
    mm_cuda_libraries libraries_ = {};
    mm_eigen_solver solver_ = {};
};

/* Solves states by a method, and compares energies and derivatives with LAPACK's. Where populations are noise or
 * come in pairs the vectors are not unique: what counts is the derivative by the state itself, and by its square.
 */
void assert_solved(const std::vector<matrix> &given, int n, mm_eigen_method method, double tolerance)
{
    device_states device(given, n, method);
    std::vector<double> passive, alone, projectors;
    std::vector<int> info;
    device.solve(&alone, &info, nullptr);
    device.solve(&passive, &info, &projectors);
    const size_t size = static_cast<size_t>(n) * static_cast<size_t>(n);
    for (size_t i = 0; i < given.size(); i++) {
        const spectrum expected = solve_on_host(given[i], n);
        matrix square(size);
        assert_int_equal(info[i], 0);
        assert_near("passive energy", passive[i], expected.passive, 3e-15 * std::max(n, 100));
        assert_near("passive energy", alone[i], passive[i], 1e-12);
        cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1.0, given[i].data(), n, given[i].data(), n,
                    0.0, square.data(), n);
        const double *projector = projectors.data() + i * size;
        for (const matrix *other : {&given[i], static_cast<const matrix *>(&square)})
            assert_near("derivative", cblas_ddot(static_cast<int>(size), projector, 1, other->data(), 1),
                        projected(expected, n, *other), tolerance);
    }
}

/* ------------------------------------------------------------------------------------------- tests */

constexpr int SIZES[] = {1, 2, 3, 8, 31, 32, 33, 64, 65, 100, 129, 190, 257};

void test_random_spectra_of_any_size(void **)
{
    std::mt19937_64 random(41);
    for (int n : SIZES) {
        const std::vector<matrix> given = {rotated(scattered(n, &random), &random),
                                           rotated(falling(n, 1.3), &random), rotated(falling(n, 4.0), &random)};
        for (mm_eigen_method method : {MM_EIGEN_CUSOLVER, MM_EIGEN_TRIDIAGONAL})
            assert_solved(given, n, method, 1e-11 * n);
    }
}

/* Beyond what our kernels hold, cuSOLVER takes over. */
void test_more_levels_than_ours_can_hold(void **)
{
    std::mt19937_64 random(47);
    const int n = MM_HOUSEHOLDER_LEVELS_MAX + 1;
    assert_solved({rotated(falling(n, 1.1), &random)}, n, MM_EIGEN_TRIDIAGONAL, 1e-9);
}

/* Fewer than 2^31 bytes of matrices. The plan is made before the device says what it has: a small one will do. */
void test_the_library_gets_no_more_than_it_is_known_to_take(void **)
{
    std::mt19937_64 random(48);
    device_states device({rotated(falling(8, 1.3), &random)}, 8, MM_EIGEN_TRIDIAGONAL);
    for (int n : {MM_HOUSEHOLDER_LEVELS_MAX + 1, 1000, 2047, int{MM_LEVELS_MAX}}) {
        const size_t matrix = static_cast<size_t>(n) * static_cast<size_t>(n) * sizeof(double);
        const int count = device.most_of(n);
        assert_in_range(static_cast<size_t>(count) * matrix, 1, INT_MAX);
        assert_true(static_cast<size_t>(count + 1) * matrix > INT_MAX);
    }
}

/* Solves a state alone, and among others: at both ends of a group and within it. */
void assert_same_bits_among_others(int n, mm_eigen_method method, std::mt19937_64 *random)
{
    const matrix one = rotated(falling(n, 1.1), random);
    std::vector<matrix> many(64, rotated(scattered(n, random), random));
    many[0] = many[37] = many[63] = one;
    std::vector<double> alone, among, projector, projectors;
    std::vector<int> info;
    device_states({one}, n, method).solve(&alone, &info, &projector);
    device_states(many, n, method).solve(&among, &info, &projectors);
    for (size_t place : {0, 37, 63}) {
        assert_int_equal(info[place], 0);
        assert_memory_equal(&among[place], &alone[0], sizeof alone[0]);
        assert_memory_equal(&projectors[place * projector.size()], projector.data(),
                            projector.size() * sizeof(double));
    }
}

/* What a library computes for a matrix could depend on how many it is given; the results of a chain must not. */
void test_a_state_has_the_same_bits_among_others(void **)
{
    std::mt19937_64 random(49);
    for (int n : {33, 120, 257})
        assert_same_bits_among_others(n, MM_EIGEN_CUSOLVER, &random);
    assert_same_bits_among_others(33, MM_EIGEN_TRIDIAGONAL, &random);
}

/* Every element of the projector, where all populations are far above the noise and apart. */
void test_projectors_element_by_element(void **)
{
    std::mt19937_64 random(42);
    const int n = 40;
    const size_t size = static_cast<size_t>(n) * static_cast<size_t>(n);
    const std::vector<matrix> given = {rotated(falling(n, 1.05), &random), rotated(falling(n, 1.1), &random)};
    for (mm_eigen_method method : {MM_EIGEN_CUSOLVER, MM_EIGEN_TRIDIAGONAL}) {
        device_states device(given, n, method);
        std::vector<double> passive, projectors;
        std::vector<int> info;
        device.solve(&passive, &info, &projectors);
        for (size_t i = 0; i < given.size(); i++) {
            const spectrum expected = solve_on_host(given[i], n);
            for (size_t row = 0; row < size; row += static_cast<size_t>(n))
                for (size_t column = 0; column < static_cast<size_t>(n); column++) {
                    double sum = 0.0;
                    for (size_t k = 0; k < static_cast<size_t>(n); k++)
                        sum += static_cast<double>(static_cast<size_t>(n) - 1 - k) *
                               expected.vectors[k * static_cast<size_t>(n) + row / static_cast<size_t>(n)] *
                               expected.vectors[k * static_cast<size_t>(n) + column];
                    assert_near("projector", projectors[i * size + row + column], sum, 1e-10);
                }
        }
    }
}

/* Blocks that do not see each other, pure states, and levels that nothing has reached. */
void test_spectra_in_parts(void **)
{
    const int n = 24;
    const size_t size = static_cast<size_t>(n) * static_cast<size_t>(n), stride = static_cast<size_t>(n);
    std::mt19937_64 random(43);
    const matrix part = rotated(falling(10, 2.0), &random), other = rotated(falling(10, 1.7), &random);
    std::vector<matrix> given(4, matrix(size));
    for (size_t row = 0; row < 10; row++)
        for (size_t column = 0; column < 10; column++) {
            given[0][row * stride + column] = part[row * 10 + column];
            given[1][row * stride + column] = 0.6 * part[row * 10 + column];
            given[1][(row + 12) * stride + column + 12] = 0.4 * other[row * 10 + column];
            given[2][row * stride + column] = 0.1;
        }
    given[3][0] = 1.0;
    for (mm_eigen_method method : {MM_EIGEN_CUSOLVER, MM_EIGEN_TRIDIAGONAL})
        assert_solved(given, n, method, 1e-10);
}

/* Neighbours so close that their vectors are not at right angles to begin with. */
void test_close_populations(void **)
{
    std::mt19937_64 random(44);
    const int n = 50;
    for (double gap : {1e-3, 1e-5, 1e-7, 1e-9, 1e-11, 1e-13}) {
        std::vector<double> values = falling(n, 1.2);
        for (int k : {3, 20})
            values[static_cast<size_t>(k + 1)] = values[static_cast<size_t>(k)] * (1.0 - gap);
        assert_solved({rotated(values, &random)}, n, MM_EIGEN_TRIDIAGONAL, 1e-10);
    }
}

/* Three populations that cannot be told apart, and what is no density matrix, are refused; others beside them are
 * not.
 */
void test_what_cannot_be_solved_is_refused(void **)
{
    std::mt19937_64 random(45);
    const int n = 30;
    std::vector<double> triplets = falling(n, 1.3), negative = triplets;
    triplets[5] = triplets[6] = triplets[4];
    negative[7] = -1e-6;
    const std::vector<matrix> given = {rotated(falling(n, 1.4), &random), rotated(triplets, &random),
                                       rotated(negative, &random), matrix(static_cast<size_t>(n * n), NAN),
                                       rotated(falling(n, 1.3), &random)};
    device_states device(given, n, MM_EIGEN_TRIDIAGONAL);
    std::vector<double> passive, projectors;
    std::vector<int> info;
    device.solve(&passive, &info, nullptr);
    for (size_t i = 0; i < given.size(); i++)
        assert_int_equal(info[i], i == 3 ? MM_EIGEN_REJECTED : 0);
    device.solve(&passive, &info, &projectors);
    for (size_t i = 0; i < given.size(); i++)
        assert_int_equal(info[i], i == 0 || i == 4 ? 0 : MM_EIGEN_REJECTED);
    assert_near("passive energy", passive[0], solve_on_host(given[0], n).passive, 1e-12);
    assert_near("passive energy", passive[4], solve_on_host(given[4], n).passive, 1e-12);
}

/* ------------------------------------------------------------------------------------------ chains */

outcome evaluate_on_ours(const task &given, const mm_solver_options &options, size_t *failures)
{
    const size_t count = given.points.size();
    outcome found = {std::vector<mm_evaluation>(count),
                     std::vector<mm_channel_gradient>(count * mm_problem_free_batches(&given.problem))};
    memset(found.evaluations.data(), 0, count * sizeof(mm_evaluation));
    mm_error error = {};
    void *state = open_backend(&given.problem, options);
    require(mm_backend_cuda.evaluate(state, count, given.points.data(), found.evaluations.data(),
                                     found.gradients.data(), &error),
            error);
    *failures = mm_cuda_eigen_failures(state);
    mm_backend_cuda.close(state);
    return found;
}

void test_chains_have_the_cpus_numbers(void **)
{
    std::mt19937_64 random(46);
    for (int levels : {2, 7, 23, 40}) {
        task given;
        size_t failures;
        set_random_task(&given, levels, 4, &random);
        const outcome found = evaluate_on_ours(given, tridiagonal_options(), &failures);
        assert_int_equal(failures, 0);
        assert_close(found, evaluate_on("cpu", given, true), true);
        assert_close(found, evaluate_on("reference", given, true), false);
        assert_same_bits(evaluate_on_ours(given, tridiagonal_options(), &failures), found);
    }
}

/* Vectors of small populations are not as exactly at right angles as a library's: good ones pass nevertheless. */
void test_good_solutions_pass_the_check(void **)
{
    std::mt19937_64 random(48);
    const int n = 40;
    std::vector<matrix> given;
    for (int i = 0; i < 16; i++) { /* three neighbours, not so close as to be brought to right angles */
        std::vector<double> values = falling(n, 1.3);
        values[21] = values[20] * (1.0 - 1e-4);
        values[22] = values[20] * (1.0 - 2e-4);
        given.push_back(rotated(values, &random));
    }
    for (mm_eigen_method method : {MM_EIGEN_CUSOLVER, MM_EIGEN_TRIDIAGONAL}) {
        device_states device(given, n, method, true);
        std::vector<double> passive, projectors;
        std::vector<int> info;
        device.solve(&passive, &info, &projectors);
        for (int refused : info)
            assert_int_equal(refused, 0);
    }
}

void test_chains_pass_the_check(void **)
{
    task given;
    size_t failures, unchecked;
    set_common_task(&given);
    mm_solver_options checked = tridiagonal_options();
    checked.check_eigen = true;
    const outcome found = evaluate_on_ours(given, checked, &failures);
    const outcome expected = evaluate_on_ours(given, tridiagonal_options(), &unchecked);
    assert_int_equal(unchecked, 0);
    assert_int_equal(failures, 0);
    assert_same_bits(found, expected);
}

/* Coherent qubits on two levels drive the cavity into the maximally mixed state: all populations are the same. */
void test_a_chain_that_is_refused_is_the_next_backends(void **)
{
    task given;
    size_t failures;
    set_problem(&given, 2, {400}, 4);
    add_point(&given, 0.9, 1.0, {0.3, 0.5});
    outcome found = evaluate_on_ours(given, tridiagonal_options(), &failures);
    assert_int_equal(failures, 1);
    assert_int_equal(found.evaluations[0].eigen_failures, 1);
    found = evaluate_on(tridiagonal_options(), given, true);
    assert_int_equal(found.evaluations[0].eigen_failures, 1);
    assert_close(found, evaluate_on("cpu", given, true), true);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(test_random_spectra_of_any_size),
        cmocka_unit_test(test_a_state_has_the_same_bits_among_others),
        cmocka_unit_test(test_projectors_element_by_element),
        cmocka_unit_test(test_more_levels_than_ours_can_hold),
        cmocka_unit_test(test_the_library_gets_no_more_than_it_is_known_to_take),
        cmocka_unit_test(test_spectra_in_parts),
        cmocka_unit_test(test_close_populations),
        cmocka_unit_test(test_what_cannot_be_solved_is_refused),
        cmocka_unit_test(test_chains_have_the_cpus_numbers),
        cmocka_unit_test(test_good_solutions_pass_the_check),
        cmocka_unit_test(test_chains_pass_the_check),
        cmocka_unit_test(test_a_chain_that_is_refused_is_the_next_backends),
    };
    return cmocka_run_group_tests_name("cuda eigenvalues", tests, nullptr, nullptr);
}
