/* Known answers: splitmix64 and xoshiro256** computed from their published definitions (Steele, Lea, Flood
 * 2014; Blackman, Vigna 2018) with a second implementation, in integers of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/rng.h"

static void splitmix64_gives_the_published_sequence(void **state) {
    (void)state;
    static const uint64_t from_1234567[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                            UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
                                            UINT64_C(16408922859458223821)};
    for (uint64_t i = 0; i < 5; i++)
        assert_true(rng_mix(1234567 + i * UINT64_C(0x9e3779b97f4a7c15)) == from_1234567[i]);
    assert_true(rng_mix(0) == UINT64_C(0xe220a8397b1dcdaf));
}

static void xoshiro256_gives_the_published_sequence(void **state) {
    (void)state;
    static const uint64_t from_1_2_3_4[] = {11520,
                                            0,
                                            1509978240,
                                            UINT64_C(1215971899390074240),
                                            UINT64_C(1216172134540287360),
                                            UINT64_C(607988272756665600),
                                            UINT64_C(16172922978634559625),
                                            UINT64_C(8476171486693032832),
                                            UINT64_C(10595114339597558777),
                                            UINT64_C(2904607092377533576)};
    struct rng rng = {{1, 2, 3, 4}};
    for (size_t i = 0; i < 10; i++)
        assert_true(rng_next(&rng) == from_1_2_3_4[i]);
}

static void a_seed_is_spread_over_the_state_by_splitmix64(void **state) {
    (void)state;
    static const uint64_t from_seed_42[] = {UINT64_C(0x15780b2e0c2ec716), UINT64_C(0x6104d9866d113a7e),
                                            UINT64_C(0xae17533239e499a1), UINT64_C(0xecb8ad4703b360a1)};
    struct rng rng;
    rng_seed(&rng, 42);
    for (size_t i = 0; i < 4; i++)
        assert_true(rng_next(&rng) == from_seed_42[i]);
}

/* 60,000 throws of a die: 10,000 each with a deviation of 91; five are allowed. */
static void every_value_below_the_bound_is_as_likely(void **state) {
    (void)state;
    unsigned counts[6] = {0};
    struct rng rng;
    rng_seed(&rng, 7);
    for (int i = 0; i < 60000; i++)
        counts[rng_below(&rng, 6)]++;
    for (int i = 0; i < 6; i++)
        assert_in_range(counts[i], 10000 - 460, 10000 + 460);
    assert_true(rng_below(&rng, 1) == 0);
}

/* With a bound of 3/4 of 2^64 plain remainders would make the lower third twice as likely: 6,667 of 10,000
 * in the lower half instead of 5,000 with a deviation of 50; five are allowed. */
static void a_huge_bound_is_not_biased(void **state) {
    (void)state;
    const uint64_t bound = UINT64_C(3) << 62;
    unsigned low = 0;
    struct rng rng;
    rng_seed(&rng, 8);
    for (int i = 0; i < 10000; i++) {
        uint64_t value = rng_below(&rng, bound);
        assert_true(value < bound);
        low += value < bound / 2;
    }
    assert_in_range(low, 5000 - 250, 5000 + 250);
}

/* The mean of 10,000 is 0.5 with a deviation of 0.0029; five are allowed. */
static void uniform_numbers_lie_from_zero_to_below_one(void **state) {
    (void)state;
    double sum = 0;
    struct rng rng;
    rng_seed(&rng, 9);
    for (int i = 0; i < 10000; i++) {
        double value = rng_uniform(&rng);
        assert_true(value >= 0 && value < 1);
        sum += value;
    }
    assert_true(fabs(sum / 10000 - 0.5) < 0.0145);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splitmix64_gives_the_published_sequence),
        cmocka_unit_test(xoshiro256_gives_the_published_sequence),
        cmocka_unit_test(a_seed_is_spread_over_the_state_by_splitmix64),
        cmocka_unit_test(every_value_below_the_bound_is_as_likely),
        cmocka_unit_test(a_huge_bound_is_not_biased),
        cmocka_unit_test(uniform_numbers_lie_from_zero_to_below_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
