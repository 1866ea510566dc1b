#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "orient/forest_file.h"

enum { ROWS = 60, COLUMNS = 3 };

static struct forest *small_forest(void) {
    static double values[ROWS * COLUMNS];
    struct rng rng;
    rng_seed(&rng, 2);
    for (size_t i = 0; i < ROWS * COLUMNS; i++) {
        values[i] = i % 17 ? rng_uniform(&rng) : NAN;
    }
    struct forest *forest = NULL;
    struct forest_params params = {.trees = 5, .subsample_size = 32, .seed = 9};
    assert_int_equal(forest_train(&(struct feature_matrix){values, ROWS, COLUMNS}, &params, &forest, NULL),
                     STATUS_OK);
    return forest;
}

static void a_forest_reads_back_as_it_was(void **state) {
    (void)state;
    struct forest *forest = small_forest();
    size_t size;
    uint8_t *bytes = forest_encode(forest, &size);
    struct forest *again = NULL;
    assert_int_equal(forest_decode(bytes, size, &again, NULL), STATUS_OK);
    struct rng rng;
    rng_seed(&rng, 4);
    for (int i = 0; i < 200; i++) {
        double row[COLUMNS] = {rng_uniform(&rng), i % 3 ? rng_uniform(&rng) : NAN, 2 * rng_uniform(&rng)};
        assert_true(forest_score(forest, row) == forest_score(again, row));
    }
    forest_destroy(forest);
    forest_destroy(again);
    free(bytes);
}

static void every_flipped_byte_and_every_cut_is_noticed(void **state) {
    (void)state;
    struct forest *forest = small_forest();
    size_t size;
    uint8_t *bytes = forest_encode(forest, &size);
    struct forest *again = NULL;
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= 0x40;
        assert_int_equal(forest_decode(bytes, size, &again, NULL), STATUS_CORRUPT);
        bytes[i] ^= 0x40;
    }
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(forest_decode(bytes, cut, &again, NULL), STATUS_CORRUPT);
    }
    assert_null(again);
    forest_destroy(forest);
    free(bytes);
}

/* A liar can compute the checksum too. */
static void a_branch_that_leads_back_is_refused_although_the_checksum_is_right(void **state) {
    (void)state;
    struct forest *forest = small_forest();
    size_t size;
    uint8_t *bytes = forest_encode(forest, &size);
    size_t first_node = 40 + COLUMNS * 17 + 6 * 4;
    bytes[first_node + 6] = 0; /* the root's left child becomes the root */
    bytes[first_node + 7] = 0;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size - 8; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    }
    for (size_t i = 0; i < 8; i++) {
        bytes[size - 8 + i] = (uint8_t)(hash >> (8 * i));
    }
    struct forest *again = NULL;
    struct error err;
    assert_int_equal(forest_decode(bytes, size, &again, &err), STATUS_CORRUPT);
    assert_string_equal(err.text, "the forest is damaged: a branch leads nowhere");
    forest_destroy(forest);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forest_reads_back_as_it_was),
        cmocka_unit_test(every_flipped_byte_and_every_cut_is_noticed),
        cmocka_unit_test(a_branch_that_leads_back_is_refused_although_the_checksum_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
