#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "orient/forest.h"

enum { COLUMNS = 4, ROWS = 600 };
static const struct forest_params PAPER = {.trees = 100, .subsample_size = 256, .seed = 1};

static double gauss(struct rng *rng) {
    double sum = 0;
    for (int i = 0; i < 12; i++) {
        sum += rng_uniform(rng);
    }
    return sum - 6;
}

/* A cloud around the origin, the same one for the same seed. */
static double *cloud(uint64_t seed, size_t rows, size_t columns) {
    struct rng rng;
    rng_seed(&rng, seed);
    double *values = xcalloc(rows * columns, sizeof *values);
    for (size_t i = 0; i < rows * columns; i++) {
        values[i] = gauss(&rng);
    }
    return values;
}

static struct forest *train(const double *values, size_t rows, size_t columns, struct forest_params params) {
    struct forest *forest = NULL;
    struct error err;
    assert_int_equal(forest_train(&(struct feature_matrix){values, rows, columns}, &params, &forest, &err),
                     STATUS_OK);
    return forest;
}

static void average_path_lengths_are_exact(void **state) {
    (void)state;
    assert_true(forest_average_path_length(0) == 0);
    assert_true(forest_average_path_length(1) == 0);
    assert_true(forest_average_path_length(2) == 1);
    assert_true(fabs(forest_average_path_length(3) - 5.0 / 3) < 1e-15); /* 2 (1 + 1/2) - 4/3 */
    assert_true(fabs(forest_average_path_length(256) - 10.2486899256) < 1e-9);
}

static void an_outlier_scores_high_and_the_middle_low(void **state) {
    (void)state;
    double *values = cloud(3, ROWS, COLUMNS);
    struct forest *forest = train(values, ROWS, COLUMNS, PAPER);
    double middle[COLUMNS] = {0};
    double outlier[COLUMNS] = {9, -9, 9, -9};
    assert_true(forest_score(forest, middle) < 0.45);
    assert_true(forest_score(forest, outlier) > 0.7);
    forest_destroy(forest);
    free(values);
}

/* The mean path of a uniformly drawn row is c(psi) by construction, so the mean score is near one half. */
static void ordinary_rows_score_about_one_half(void **state) {
    (void)state;
    double *values = cloud(4, ROWS, COLUMNS);
    struct forest *forest = train(values, ROWS, COLUMNS, PAPER);
    double sum = 0;
    for (size_t r = 0; r < ROWS; r++) {
        double score = forest_score(forest, values + r * COLUMNS);
        assert_true(score > 0 && score <= 1);
        sum += score;
    }
    assert_true(fabs(sum / ROWS - 0.5) < 0.07);
    forest_destroy(forest);
    free(values);
}

static void the_same_seed_gives_the_same_forest_and_another_seed_another(void **state) {
    (void)state;
    double *values = cloud(5, ROWS, COLUMNS);
    struct forest *one = train(values, ROWS, COLUMNS, PAPER);
    struct forest *same = train(values, ROWS, COLUMNS, PAPER);
    struct forest_params other_seed = PAPER;
    other_seed.seed = 2;
    struct forest *other = train(values, ROWS, COLUMNS, other_seed);
    size_t different = 0;
    for (size_t r = 0; r < ROWS; r++) {
        const double *row = values + r * COLUMNS;
        assert_true(forest_score(one, row) == forest_score(same, row));
        different += forest_score(one, row) != forest_score(other, row);
    }
    assert_true(different > ROWS / 2);
    forest_destroy(one);
    forest_destroy(same);
    forest_destroy(other);
    free(values);
}

/* The bits that every machine must arrive at; a change here is a change of every stored decision. */
static void the_forest_of_a_known_seed_is_known(void **state) {
    (void)state;
    double *values = cloud(6, ROWS, COLUMNS);
    struct forest *forest = train(values, ROWS, COLUMNS, PAPER);
    double outlier[COLUMNS] = {4, 0, -1, 2};
    uint64_t bits;
    double score = forest_score(forest, outlier);
    memcpy(&bits, &score, sizeof bits);
    assert_int_equal(bits, 0x3fe2de2b0687a083u);
    forest_destroy(forest);
    free(values);
}

/* Isolation depends on the order of values in a column, not on its unit or its offset. */
static void units_and_offsets_do_not_matter(void **state) {
    (void)state;
    double *values = cloud(7, ROWS, COLUMNS);
    double *other = xcalloc(ROWS * COLUMNS, sizeof *other);
    for (size_t i = 0; i < ROWS * COLUMNS; i++) {
        other[i] = 1.6e10 + 1024 * values[i]; /* bytes of memory: more digits than a float holds */
    }
    struct forest *one = train(values, ROWS, COLUMNS, PAPER);
    struct forest *two = train(other, ROWS, COLUMNS, PAPER);
    for (size_t r = 0; r < ROWS; r++) {
        double difference = forest_score(one, values + r * COLUMNS) - forest_score(two, other + r * COLUMNS);
        assert_true(fabs(difference) < 0.01);
    }
    forest_destroy(one);
    forest_destroy(two);
    free(values);
    free(other);
}

static void constant_and_missing_columns_change_nothing_but_cost_nothing(void **state) {
    (void)state;
    double *values = cloud(8, ROWS, 3);
    for (size_t r = 0; r < ROWS; r++) {
        values[r * 3 + 1] = 42;
        values[r * 3 + 2] = NAN;
    }
    struct forest *forest = train(values, ROWS, 3, PAPER);
    double usual[3] = {0, 42, NAN};
    double moved[3] = {0, -1e9, 7};
    assert_true(forest_score(forest, usual) == forest_score(forest, moved));
    double outlier[3] = {8, 42, NAN};
    assert_true(forest_score(forest, outlier) > forest_score(forest, usual) + 0.2);
    forest_destroy(forest);
    free(values);
}

static void rows_that_are_all_equal_are_scored_alike(void **state) {
    (void)state;
    double values[30];
    for (size_t i = 0; i < 30; i++) {
        values[i] = 0.1;
    }
    struct forest *forest = train(values, 15, 2, PAPER);
    double row[2] = {0.1, 0.1};
    assert_true(fabs(forest_score(forest, row) - 0.5) < 1e-6);
    double shares[2];
    forest_explain(forest, row, shares);
    assert_true(shares[0] == 0 && shares[1] == 0);
    forest_destroy(forest);
}

/* A row that lacks a value is scored between the best and the worst that value could have made of it. */
static void a_missing_value_follows_both_branches(void **state) {
    (void)state;
    double *values = cloud(9, ROWS, COLUMNS);
    struct forest *forest = train(values, ROWS, COLUMNS, PAPER);
    double usual[COLUMNS] = {0, 0, 0, 0};
    double outlying[COLUMNS] = {20, 0, 0, 0};
    double missing[COLUMNS] = {NAN, 0, 0, 0};
    double score = forest_score(forest, missing);
    assert_true(score > forest_score(forest, usual));
    assert_true(score < forest_score(forest, outlying));
    forest_destroy(forest);
    free(values);
}

static void training_rows_may_lack_values(void **state) {
    (void)state;
    double *values = cloud(10, ROWS, COLUMNS);
    for (size_t r = 0; r < ROWS; r += 3) {
        values[r * COLUMNS + r % COLUMNS] = NAN;
    }
    struct forest *forest = train(values, ROWS, COLUMNS, PAPER);
    double usual[COLUMNS] = {0, 0, 0, 0};
    double outlier[COLUMNS] = {9, -9, 9, -9};
    assert_true(forest_score(forest, usual) < 0.45);
    assert_true(forest_score(forest, outlier) > 0.7);
    forest_destroy(forest);
    free(values);
}

static void the_explanation_names_the_column_that_is_out(void **state) {
    (void)state;
    double *values = cloud(11, ROWS, COLUMNS);
    struct forest *forest = train(values, ROWS, COLUMNS, PAPER);
    for (size_t guilty = 0; guilty < COLUMNS; guilty++) {
        double row[COLUMNS] = {0};
        row[guilty] = 12;
        double shares[COLUMNS];
        double score = forest_explain(forest, row, shares);
        assert_true(score == forest_score(forest, row));
        double sum = 0;
        for (size_t c = 0; c < COLUMNS; c++) {
            assert_true(shares[c] >= 0);
            assert_true(c == guilty || shares[c] < shares[guilty]);
            sum += shares[c];
        }
        assert_true(fabs(sum - 1) < 1e-9);
        assert_true(shares[guilty] > 0.8);
    }
    forest_destroy(forest);
    free(values);
}

/* Putting a column back to its middle takes most away from the score where its share was largest. */
static void shares_agree_with_leaving_a_column_out(void **state) {
    (void)state;
    double *values = cloud(12, ROWS, COLUMNS);
    struct forest *forest = train(values, ROWS, COLUMNS, PAPER);
    double row[COLUMNS] = {6, 2.5, 1, 0};
    double shares[COLUMNS];
    double score = forest_explain(forest, row, shares);
    double drops[COLUMNS];
    for (size_t c = 0; c < COLUMNS; c++) {
        double without[COLUMNS];
        memcpy(without, row, sizeof without);
        without[c] = 0;
        drops[c] = score - forest_score(forest, without);
    }
    for (size_t c = 1; c < COLUMNS; c++) {
        assert_true(drops[c] < drops[c - 1]);
        assert_true(shares[c] <= shares[c - 1]);
    }
    forest_destroy(forest);
    free(values);
}

static void what_cannot_be_trained_is_refused_with_a_reason(void **state) {
    (void)state;
    double values[4] = {1, 2, 3, INFINITY};
    const struct {
        struct feature_matrix x;
        struct forest_params params;
    } cases[] = {
        {{values, 1, 2}, PAPER},
        {{values, 2, 0}, PAPER},
        {{values, 2, 2}, PAPER},
        {{values, 3, 1}, {.trees = 0, .subsample_size = 256}},
        {{values, 3, 1}, {.trees = FOREST_TREES_MAX + 1, .subsample_size = 256}},
        {{values, 3, 1}, {.trees = 10, .subsample_size = 1}},
        {{values, 3, 1}, {.trees = 10, .subsample_size = FOREST_SUBSAMPLE_MAX + 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct forest *forest = NULL;
        struct error err = {0};
        assert_int_equal(forest_train(&cases[i].x, &cases[i].params, &forest, &err), STATUS_INVALID);
        assert_null(forest);
        assert_true(strlen(err.text) > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(average_path_lengths_are_exact),
        cmocka_unit_test(an_outlier_scores_high_and_the_middle_low),
        cmocka_unit_test(ordinary_rows_score_about_one_half),
        cmocka_unit_test(the_same_seed_gives_the_same_forest_and_another_seed_another),
        cmocka_unit_test(the_forest_of_a_known_seed_is_known),
        cmocka_unit_test(units_and_offsets_do_not_matter),
        cmocka_unit_test(constant_and_missing_columns_change_nothing_but_cost_nothing),
        cmocka_unit_test(rows_that_are_all_equal_are_scored_alike),
        cmocka_unit_test(a_missing_value_follows_both_branches),
        cmocka_unit_test(training_rows_may_lack_values),
        cmocka_unit_test(the_explanation_names_the_column_that_is_out),
        cmocka_unit_test(shares_agree_with_leaving_a_column_out),
        cmocka_unit_test(what_cannot_be_trained_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
