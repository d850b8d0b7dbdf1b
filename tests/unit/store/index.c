/* index.c - the index of a store: what it learns, compares, forgets, and what belongs in the result. */
#include "store/index.h"
#include "support/store_checks.h"

/* Two grid points of four starts; two agreeing starts end a grid point. */
static const char agreeing[] = "[cavity]\nlevels = 4\n[coupling]\ng = 0.7,0.8\n[batch.1]\nqubits = 3\n[loss]\n"
                               "lambda = 1\n[search]\nstarts = 4\nagree = 2\n";

struct fixture {
    struct mm_config config;
    struct mm_index index;
    unsigned char *record;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    read_config(agreeing, &fixture->config);
    assert_true(mm_index_create(&fixture->index, &fixture->config));
    fixture->record = malloc(fixture->index.record_size);
    assert_non_null(fixture->record);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    mm_index_free(&fixture->index);
    mm_config_free(&fixture->config);
    free(fixture->record);
    free(fixture);
    return 0;
}

static void pack(struct fixture *fixture, int64_t index, double loss)
{
    double storage[4];
    struct mm_chain chain = made_up_chain(&fixture->config, index, storage);
    chain.evaluation.loss = loss;
    mm_chain_record_pack(fixture->index.fingerprint, 1, index, &chain, fixture->record);
}

/* Learns a chain that lies in a source, in the row of its number. */
static void learn(struct fixture *fixture, int64_t index, double loss, size_t source)
{
    int64_t found = -1;
    pack(fixture, index, loss);
    assert_int_equal(mm_index_learn(&fixture->index, fixture->record, &found), MM_INDEX_NEW);
    assert_int_equal(found, index);
    mm_index_locate(&fixture->index, index, (struct mm_place){source, index});
}

static bool is_source_1(const void *context, size_t source)
{
    (void)context;
    return source == 1;
}

static void records_are_learned_compared_and_refused(void **state)
{
    struct fixture *fixture = *state;
    struct mm_index *index = &fixture->index;
    struct mm_place place;
    int64_t found = -1;
    assert_false(mm_index_place(index, 3, &place));
    assert_true(isnan(index->losses[3]));
    learn(fixture, 3, -0.25, 0);
    assert_true(mm_index_place(index, 3, &place));
    assert_int_equal(place.source, 0);
    assert_int_equal(place.row, 3);
    assert_same_double(index->losses[3], -0.25);
    assert_true(mm_index_is_record_of(index, 3, fixture->record));
    assert_false(mm_index_is_record_of(index, 4, fixture->record));
    assert_int_equal(mm_index_learn(index, fixture->record, &found), MM_INDEX_SAME);
    pack(fixture, 3, -0.5);
    assert_int_equal(mm_index_learn(index, fixture->record, &found), MM_INDEX_DIFFERENT);
    assert_same_double(index->losses[3], -0.25);
    fixture->record[index->record_size / 2] ^= 1;
    assert_int_equal(mm_index_learn(index, fixture->record, &found), MM_INDEX_DAMAGED);
}

static void places_are_kept_whole(void **state)
{
    struct fixture *fixture = *state;
    struct mm_place place;
    const struct mm_place far = {(1 << 24) - 3, (INT64_C(1) << 40) - 1};
    learn(fixture, 0, -1.0, 0);
    mm_index_locate(&fixture->index, 0, far);
    assert_true(mm_index_place(&fixture->index, 0, &place));
    assert_int_equal(place.source, far.source);
    assert_int_equal(place.row, far.row);
}

static void a_chain_without_a_finite_loss_is_finished(void **state)
{
    struct fixture *fixture = *state;
    learn(fixture, 1, (double)NAN, 0);
    assert_true(isinf(fixture->index.losses[1]));
}

/* Starts 0 and 2 agree, so that start 3 is not needed; without start 0 it is. */
static void only_starts_that_are_needed_are_wanted(void **state)
{
    struct fixture *fixture = *state;
    struct mm_index *index = &fixture->index;
    learn(fixture, 0, -0.5, 0);
    learn(fixture, 1, -0.25, 0);
    learn(fixture, 2, -0.5, 0);
    learn(fixture, 3, -0.75, 0);
    assert_true(mm_index_wants(index, 2));
    assert_false(mm_index_wants(index, 3));
    assert_false(mm_index_wants(index, 4));
    assert_int_equal(mm_index_wanted(index), 3);
    mm_index_forget(index, 0);
    assert_true(isnan(index->losses[0]));
    assert_true(mm_index_wants(index, 3));
}

static void what_is_not_needed_survives_its_source(void **state)
{
    struct fixture *fixture = *state;
    struct mm_index *index = &fixture->index;
    struct mm_place place;
    learn(fixture, 0, -0.5, 0);
    learn(fixture, 1, -0.5, 0);
    learn(fixture, 2, -0.75, 1); /* not needed */
    learn(fixture, 4, -0.5, 1);  /* of the other grid point, needed */
    learn(fixture, 5, -0.25, 0);
    mm_index_forget_superseded(index, is_source_1, NULL);
    assert_same_double(index->losses[2], -0.75);
    assert_false(mm_index_place(index, 2, &place));
    assert_true(isnan(index->losses[4]));
    assert_same_double(index->losses[5], -0.25);
    assert_int_equal(mm_index_wanted(index), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_are_learned_compared_and_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(places_are_kept_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_chain_without_a_finite_loss_is_finished, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_starts_that_are_needed_are_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_needed_survives_its_source, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
