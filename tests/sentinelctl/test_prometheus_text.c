#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sentinelctl/prometheus_text.h"

static const char page[] =
    "# HELP sent_total Samples.\n"
    "# TYPE sent_total counter\n"
    "sent_total_more{url=\"http://a/\"} 1\n"
    "sent_total{remote_name=\"x\",url=\"http://other/\"} 5\n"
    "sent_total{remote_name=\"with } and , and \\\" in it\",url=\"http://a/\"} 1.25e+06\n"
    "sent_total{url=\"http://a/\",remote_name=\"later\"} 7\n"
    "bare 9\n"
    "cut{url=\"http://a/\n";

static void the_series_with_that_label_is_found(void **state) {
    (void)state;
    double value = 0;
    assert_true(prometheus_text_find(page, "sent_total", "url", "http://a/", &value));
    assert_true(value == 1.25e6);
    assert_true(prometheus_text_find(page, "sent_total", "url", "http://other/", &value));
    assert_true(value == 5);
    assert_true(prometheus_text_find(page, "sent_total", "remote_name", "with } and , and \" in it", &value));
    assert_true(value == 1.25e6);
}

static void what_is_not_there_is_not_found(void **state) {
    (void)state;
    double value = -1;
    assert_false(prometheus_text_find(page, "sent_total", "url", "http://", &value));
    assert_false(prometheus_text_find(page, "sent_total", "url", "http://a/b", &value));
    assert_false(prometheus_text_find(page, "sent", "url", "http://a/", &value));
    assert_false(prometheus_text_find(page, "sent_total", "http://a/", "url", &value));
    assert_false(prometheus_text_find(page, "bare", "url", "", &value));
    assert_false(prometheus_text_find(page, "cut", "url", "http://a/", &value));
    assert_false(prometheus_text_find("", "sent_total", "url", "http://a/", &value));
    assert_true(value == -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_series_with_that_label_is_found),
        cmocka_unit_test(what_is_not_there_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
