#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sentinelctl/report.h"

static json_t *parse(const char *text) {
    json_t *value = json_loads(text, 0, NULL);
    assert_non_null(value);
    return value;
}

static char *csv_of(const char *rows_text, const char *keys, bool epoch) {
    char *bytes = NULL;
    size_t length;
    FILE *out = open_memstream(&bytes, &length);
    json_t *rows = parse(rows_text);
    report_csv(rows, keys, epoch, out);
    json_decref(rows);
    fclose(out);
    return bytes;
}

static void csv_quotes_what_needs_it_and_leaves_null_empty(void **state) {
    (void)state;
    char *text = csv_of(
        "[{\"a\":\"x,\\\"y\\\"\",\"b\":null,\"c\":1.5,\"d\":true,\"e\":-3},{\"a\":\"plain\"}]", NULL, false);
    assert_string_equal(text, "a,b,c,d,e\n\"x,\"\"y\"\"\",,1.5,true,-3\nplain,,,,\n");
    free(text);
}

static void csv_gives_the_columns_that_were_asked_for_in_that_order(void **state) {
    (void)state;
    char *text = csv_of("[{\"a\":1,\"b\":2,\"c\":3}]", "c,a,absent", false);
    assert_string_equal(text, "c,a,absent\n3,1,\n");
    free(text);
}

static void an_empty_list_still_has_its_header(void **state) {
    (void)state;
    char *text = csv_of("[]", "id,state", false);
    assert_string_equal(text, "id,state\n");
    free(text);
}

static void times_become_epoch_seconds_when_asked(void **state) {
    (void)state;
    static const char rows[] = "[{\"t\":\"2026-08-03T10:00:34.567Z\",\"u\":\"2026-08-03\"}]";
    char *text = csv_of(rows, NULL, true);
    assert_string_equal(text, "t,u\n1785751234.567,2026-08-03\n");
    free(text);
}

static void no_control_character_reaches_the_terminal(void **state) {
    (void)state;
    char *text = csv_of("[{\"comm\":\"a\\u001b[2Jb\\nc\\u007fd\\u009be\\u00e9\"}]", NULL, false);
    assert_string_equal(text, "comm\na?[2Jb?c?d?e\xc3\xa9\n");
    free(text);
}

static void a_table_is_aligned_by_characters_not_bytes(void **state) {
    (void)state;
    static const struct report_column columns[] = {{"a", "NAME"}, {"b", "N"}};
    char *bytes = NULL;
    size_t length;
    FILE *out = open_memstream(&bytes, &length);
    json_t *rows = parse("[{\"a\":\"gr\u00f6\u00dfer\",\"b\":1},{\"a\":null,\"b\":22}]");
    report_table(rows, columns, 2, out);
    json_decref(rows);
    fclose(out);
    assert_string_equal(bytes, "NAME    N\ngr\u00f6\u00dfer  1\n-       22\n");
    free(bytes);
}

static void only_our_own_form_of_time_is_a_time(void **state) {
    (void)state;
    int64_t unix_ms = 0;
    assert_true(report_parse_time("1970-01-01T00:00:01.002Z", &unix_ms));
    assert_int_equal(unix_ms, 1002);
    assert_true(report_parse_time("2024-02-29T23:59:59.999Z", &unix_ms));
    assert_true(unix_ms == 1709251199999);
    static const char *const others[] = {"",
                                         "2026-08-03",
                                         "2026-08-03T10:00:34Z",
                                         "2026-08-03T10:00:34.567",
                                         "2026-08-03T10:00:34.567Zx",
                                         "2026-08-03T10:00:34.5678Z",
                                         "2026-08-03 10:00:34.567Z"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (report_parse_time(others[i], &unix_ms))
            fail_msg("taken for a time: '%s'", others[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_quotes_what_needs_it_and_leaves_null_empty),
        cmocka_unit_test(csv_gives_the_columns_that_were_asked_for_in_that_order),
        cmocka_unit_test(an_empty_list_still_has_its_header),
        cmocka_unit_test(times_become_epoch_seconds_when_asked),
        cmocka_unit_test(no_control_character_reaches_the_terminal),
        cmocka_unit_test(a_table_is_aligned_by_characters_not_bytes),
        cmocka_unit_test(only_our_own_form_of_time_is_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
