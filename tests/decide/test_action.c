#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decide/action.h"

static void every_kind_has_a_name_that_parses_back(void **state) {
    (void)state;
    enum action_kind kind;
    for (int i = ACTION_NONE; i <= ACTION_TERMINATE; i++) {
        assert_true(action_kind_parse(action_kind_name((enum action_kind)i), &kind));
        assert_int_equal(kind, i);
    }
    assert_string_equal(action_kind_name(ACTION_TERMINATE), "terminate");
}

static void every_outcome_has_a_name_that_parses_back(void **state) {
    (void)state;
    enum action_outcome outcome;
    for (int i = OUTCOME_PENDING; i <= OUTCOME_NO_TARGET; i++) {
        assert_true(action_outcome_parse(action_outcome_name((enum action_outcome)i), &outcome));
        assert_int_equal(outcome, i);
    }
    assert_string_equal(action_outcome_name(OUTCOME_NO_TARGET), "no_target");
}

static void an_unknown_word_is_refused_and_nothing_is_written(void **state) {
    (void)state;
    enum action_kind kind = ACTION_FREEZE;
    enum action_outcome outcome = OUTCOME_GONE;
    static const char *const words[] = {"", "TERMINATE", "terminate ", "kill"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        assert_false(action_kind_parse(words[i], &kind));
        assert_false(action_outcome_parse(words[i], &outcome));
    }
    assert_int_equal(kind, ACTION_FREEZE);
    assert_int_equal(outcome, OUTCOME_GONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_name_that_parses_back),
        cmocka_unit_test(every_outcome_has_a_name_that_parses_back),
        cmocka_unit_test(an_unknown_word_is_refused_and_nothing_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
