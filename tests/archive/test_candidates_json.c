#include "archive/sample_records.h"

#include <stdlib.h>

#include "archive/candidates_json.h"

static void what_was_written_reads_back(void **state) {
    (void)state;
    struct candidate written[CANDIDATES_MAX], read[CANDIDATES_MAX];
    for (unsigned i = 0; i < CANDIDATES_MAX; i++)
        written[i] = sample_candidate(i);
    for (size_t count = 0; count <= CANDIDATES_MAX; count++) {
        char *text = candidates_json_write(written, count);
        size_t found = 99;
        assert_int_equal(candidates_json_read(text, read, &found, NULL), STATUS_OK);
        assert_int_equal(found, count);
        for (size_t i = 0; i < count; i++)
            assert_same_candidate(&read[i], &written[i]);
        free(text);
    }
}

static void a_share_that_is_no_number_is_written_as_zero(void **state) {
    (void)state;
    struct candidate candidate = sample_candidate(1), read[CANDIDATES_MAX];
    candidate.cpu_ratio = NAN;
    char *text = candidates_json_write(&candidate, 1);
    size_t count;
    assert_int_equal(candidates_json_read(text, read, &count, NULL), STATUS_OK);
    assert_true(read[0].cpu_ratio == 0.0);
    free(text);
}

static void what_is_not_ours_is_refused_and_changes_nothing(void **state) {
    (void)state;
#define HANDLE "\"handle\":\"000102030405060708090a0b0c0d0e0f\","
#define REST "\"cpu_ratio\":1,\"age_ms\":1,\"comm\":\"a\",\"where\":\"b\",\"allowed\":true,\"reason\":\"\"}]"
    static const char *const refused[] = {
        "",
        "[",
        "{}",
        "[1]",
        "[{}]",
        "[{" HANDLE "\"pid\":-1,\"uid\":1," REST,
        "[{" HANDLE "\"pid\":1,\"uid\":4294967296," REST,
        "[{" HANDLE "\"pid\":\"1\",\"uid\":1," REST,
        "[{\"handle\":\"0001\",\"pid\":1,\"uid\":1," REST,
        "[{\"handle\":\"zz0102030405060708090a0b0c0d0e0f\",\"pid\":1,\"uid\":1," REST,
        "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]",
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct candidate out[CANDIDATES_MAX] = {{.pid = 77}};
        size_t count = 99;
        struct error err = {0};
        if (candidates_json_read(refused[i], out, &count, &err) != STATUS_CORRUPT)
            fail_msg("accepted: %s", refused[i]);
        assert_true(err.text[0] != '\0');
        assert_int_equal(count, 99);
        assert_int_equal(out[0].pid, 77);
    }
}

static void a_key_of_a_newer_server_is_ignored(void **state) {
    (void)state;
    struct candidate out[CANDIDATES_MAX];
    size_t count;
    assert_int_equal(
        candidates_json_read("[{" HANDLE "\"pid\":1,\"uid\":1,\"new\":[1]," REST, out, &count, NULL),
        STATUS_OK);
    assert_int_equal(count, 1);
    assert_int_equal(out[0].handle[15], 15);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_reads_back),
        cmocka_unit_test(a_share_that_is_no_number_is_written_as_zero),
        cmocka_unit_test(what_is_not_ours_is_refused_and_changes_nothing),
        cmocka_unit_test(a_key_of_a_newer_server_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
