#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "decide/target.h"

static struct candidate process(int pid, double cpu_ratio, bool allowed) {
    struct candidate candidate = {.pid = pid, .uid = 1000, .cpu_ratio = cpu_ratio, .allowed = allowed};
    memcpy(candidate.comm, "burn", sizeof "burn");
    if (!allowed)
        memcpy(candidate.reason, "protected", sizeof "protected");
    return candidate;
}

struct choice {
    struct candidate candidates[3];
    size_t count;
    int expected;
    const char *reason; /* a part of it */
};

static void the_hottest_permitted_process_is_chosen_if_it_explains_the_trouble(void **state) {
    (void)state;
    const struct choice choices[] = {
        {{process(1, 0.5, true), process(2, 0.9, true), process(3, 0.7, true)}, 3, 1, "pid 2 (burn)"},
        {{process(1, 0.97, false), process(2, 0.95, true)}, 2, 1, "pid 2 (burn) of uid 1000 at 95 %"},
        /* A runner-up counts from four fifths of the hottest on. */
        {{process(1, 1.0, false), process(2, 0.8, true)}, 2, 1, "pid 2"},
        {{process(1, 1.0, false), process(2, 0.79, true)},
         2,
         -1,
         "does not explain it: pid 1 (burn) uses 100 %: protected"},
        {{process(1, 4.0, false), process(2, 0.9, true)}, 2, -1, "does not explain it"},
        {{process(1, 0.9, false), process(2, 0.8, false)},
         2,
         -1,
         "none of 2 hot processes; hottest: pid 1 (burn): protected"},
        {{process(1, 0.9, true)}, 0, -1, "measured no process as hot"},
    };
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        char reason[160] = "";
        assert_int_equal(target_choose(choices[i].candidates, choices[i].count, reason, sizeof reason),
                         choices[i].expected);
        assert_non_null(strstr(reason, choices[i].reason));
    }
}

static void of_two_equally_hot_the_first_offered_is_chosen(void **state) {
    (void)state;
    const struct candidate candidates[] = {process(5, 0.9, true), process(4, 0.9, true)};
    char reason[160];
    assert_int_equal(target_choose(candidates, 2, reason, sizeof reason), 0);
}

/* Forbidding a process must never make the choice fall on a cooler one that does not explain the trouble. */
static void whatever_is_offered_the_target_is_permitted_and_near_the_hottest(void **state) {
    (void)state;
    static const double loads[] = {0.1, 0.5, 0.79, 0.81, 1.0, 3.0};
    enum { LOADS = sizeof loads / sizeof loads[0], CASES = LOADS * LOADS * LOADS * 8 };
    size_t chosen = 0;
    for (int i = 0; i < CASES; i++) {
        const struct candidate candidates[] = {
            process(1, loads[i % LOADS], i / (LOADS * LOADS * LOADS) & 1),
            process(2, loads[i / LOADS % LOADS], i / (LOADS * LOADS * LOADS) & 2),
            process(3, loads[i / (LOADS * LOADS) % LOADS], i / (LOADS * LOADS * LOADS) & 4),
        };
        char reason[160];
        int target = target_choose(candidates, 3, reason, sizeof reason);
        if (target < 0)
            continue;
        chosen++;
        assert_true(candidates[target].allowed);
        for (int j = 0; j < 3; j++) {
            assert_true(candidates[target].cpu_ratio >= 0.8 * candidates[j].cpu_ratio);
            if (candidates[j].allowed)
                assert_true(candidates[target].cpu_ratio >= candidates[j].cpu_ratio);
        }
    }
    assert_true(chosen > CASES / 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hottest_permitted_process_is_chosen_if_it_explains_the_trouble),
        cmocka_unit_test(of_two_equally_hot_the_first_offered_is_chosen),
        cmocka_unit_test(whatever_is_offered_the_target_is_permitted_and_near_the_hottest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
