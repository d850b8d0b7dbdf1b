/* record.c - records of chains: every bit comes back, every damage is found. */
#include "support/journal_checks.h"

static void every_bit_of_a_chain_comes_back(void **state)
{
    const struct bench *bench = *state;
    for (int64_t i = 0; i < bench->record_count; i++) {
        double written_parameters[4 * BATCHES];
        double read_parameters[4 * BATCHES];
        struct mm_chain written = make_up_chain(&bench->config, i, written_parameters);
        struct mm_chain read;
        const unsigned char *record = bench->records + (size_t)i * bench->record_size;
        assert_int_equal(mm_chain_record_check(bench->fingerprint, &bench->config, record), i);
        mm_chain_record_unpack(BATCHES, record, read_parameters, &read);
        assert_same_chain(&written, &read, BATCHES);
    }
}

static void every_flipped_bit_is_found(void **state)
{
    const struct bench *bench = *state;
    unsigned char *record = bench->records + 5 * bench->record_size;
    for (size_t bit = 0; bit < 8 * bench->record_size; bit++) {
        record[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(mm_chain_record_check(bench->fingerprint, &bench->config, record), -1);
        record[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_int_equal(mm_chain_record_check(bench->fingerprint, &bench->config, record), 5);
}

static void records_of_another_run_are_refused(void **state)
{
    const struct bench *bench = *state;
    struct mm_config other;
    char text[sizeof small_search + 16];
    snprintf(text, sizeof text, "%sseed = 2\n", small_search);
    read_config(text, &other);
    uint64_t fingerprint = mm_run_fingerprint(&other);
    assert_true(fingerprint != bench->fingerprint);
    assert_int_equal(mm_chain_record_check(fingerprint, &other, bench->records), -1);
    mm_config_free(&other);
}

/* Records whose CRC fits, but not their number, place or status. */
static void records_out_of_place_are_refused(void **state)
{
    const struct bench *bench = *state;
    unsigned char *record = malloc(bench->record_size);
    double parameters[4 * BATCHES];
    struct mm_chain chain = make_up_chain(&bench->config, 6, parameters);
    assert_non_null(record);
    const int64_t wrong[] = {-1, 7, bench->record_count, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        mm_chain_record_pack(bench->fingerprint, BATCHES, wrong[i], &chain, record);
        assert_int_equal(mm_chain_record_check(bench->fingerprint, &bench->config, record), -1);
    }
    const enum mm_stop_reason unfinished[] = {MM_RUNNING, (enum mm_stop_reason)6, (enum mm_stop_reason) - 1};
    for (size_t i = 0; i < sizeof unfinished / sizeof unfinished[0]; i++) {
        chain.status = unfinished[i];
        mm_chain_record_pack(bench->fingerprint, BATCHES, 6, &chain, record);
        assert_int_equal(mm_chain_record_check(bench->fingerprint, &bench->config, record), -1);
    }
    free(record);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_bit_of_a_chain_comes_back),
        TEST(every_flipped_bit_is_found),
        TEST(records_of_another_run_are_refused),
        TEST(records_out_of_place_are_refused),
    };
    return cmocka_run_group_tests_name("chain record", tests, NULL, NULL);
}
