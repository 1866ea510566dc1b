#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/nearest.h"

static const char *const names[] = {"settle", "max_series", "max_samples", "host_label"};

static const char *nearest(const char *mistyped) {
    return nearest_name(mistyped, names, sizeof names / sizeof names[0]);
}

static void one_slip_of_each_kind_is_understood(void **state) {
    (void)state;
    assert_string_equal(nearest("settlee"), "settle");        /* inserted */
    assert_string_equal(nearest("setle"), "settle");          /* deleted */
    assert_string_equal(nearest("settla"), "settle");         /* replaced */
    assert_string_equal(nearest("ohst_label"), "host_label"); /* swapped */
    assert_string_equal(nearest("max_sereis"), "max_series");
    assert_string_equal(nearest("max_smaples"), "max_samples");
    assert_string_equal(nearest("settle"), "settle");
}

static void another_word_has_no_neighbour(void **state) {
    (void)state;
    assert_null(nearest("retention"));
    assert_null(nearest(""));
    assert_null(nearest_name("settle", names, 0));
}

static void a_very_long_word_is_no_danger(void **state) {
    (void)state;
    char word[1000];
    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    const char *const long_names[] = {word};
    assert_ptr_equal(nearest_name(word, long_names, 1), word);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_slip_of_each_kind_is_understood),
        cmocka_unit_test(another_word_has_no_neighbour),
        cmocka_unit_test(a_very_long_word_is_no_danger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
