#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sentinelctl/points_csv.h"

static enum status read_all(const char *text, size_t *rows, int64_t *last_ms, double *last,
                            struct error *err) {
    char copy[512];
    snprintf(copy, sizeof copy, "%s", text);
    FILE *file = fmemopen(copy, strlen(copy), "r");
    assert_non_null(file);
    struct points_csv *csv = NULL;
    *rows = 0;
    enum status status = points_csv_open(file, "in", POINTS_WITH_TIME, &csv, err);
    while (status == STATUS_OK) {
        status = points_csv_next(csv, last_ms, last, err);
        *rows += status == STATUS_OK;
    }
    points_csv_close(csv);
    fclose(file);
    return status;
}

static void rows_values_and_gaps_are_read(void **state) {
    (void)state;
    size_t rows;
    int64_t at_ms;
    double values[2];
    struct error err;
    assert_int_equal(read_all("timestamp,a,b\r\n1,2,3\r\n\r\n10.5,,-4e2\r\n", &rows, &at_ms, values, &err),
                     STATUS_NOT_FOUND);
    assert_int_equal(rows, 2);
    assert_int_equal(at_ms, 10500);
    assert_true(isnan(values[0]) && values[1] == -400);
}

static void times_may_be_written_for_people(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"1970-01-02T00:00:00Z", 86400000},
        {"1970-01-01 00:00:01", 1000},
        {"1970-01-01T01:00:00.25+01:00", 250},
        {"-1", -1000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[80];
        snprintf(text, sizeof text, "t,a\n%s,1\n", cases[i].text);
        size_t rows;
        int64_t at_ms = 0;
        double value;
        assert_int_equal(read_all(text, &rows, &at_ms, &value, NULL), STATUS_NOT_FOUND);
        assert_int_equal(at_ms, cases[i].ms);
    }
}

static void what_is_wrong_is_named_with_its_line(void **state) {
    (void)state;
    static const struct {
        const char *text, *complaint;
    } cases[] = {
        {"", "in: empty; the first line must name the columns"},
        {"timestamp\n", "in: the header names no column of values after the timestamp"},
        {"t,a\nnever,1\n", "in:2: 'never' is no time; write Unix seconds or RFC 3339"},
        {"t,a\n1,2\n2,x\n", "in:3: column 'a': 'x' is no finite number"},
        {"t,a\n1,inf\n", "in:2: column 'a': 'inf' is no finite number"},
        {"t,a,b\n1,2\n", "in:2: 1 values where the header names 2"},
        {"t,a\n1,2,3\n", "in:2: more values than the 1 that the header names"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t rows;
        int64_t at_ms;
        double values[4];
        struct error err = {0};
        assert_int_equal(read_all(cases[i].text[0] ? cases[i].text : "\n", &rows, &at_ms, values, &err),
                         STATUS_INVALID);
        assert_string_equal(err.text, cases[i].complaint);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_values_and_gaps_are_read),
        cmocka_unit_test(times_may_be_written_for_people),
        cmocka_unit_test(what_is_wrong_is_named_with_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
