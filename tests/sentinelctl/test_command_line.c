#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include "sentinelctl/command_line.h"

static const char *server;
static long limit;
static bool epoch;
static struct command_line line;

static int parse(char **argv) {
    static const struct flag flags[] = {
        {"--server", "URL", "", FLAG_TEXT, &server},
        {"--limit", "N", "", FLAG_COUNT, &limit},
        {"--epoch", "", "", FLAG_SWITCH, &epoch},
    };
    server = "default";
    limit = 20;
    epoch = false;
    line = (struct command_line){
        .usage = "test", .about = "test", .flags = flags, .flag_count = 3, .word_count = 1};
    int argc = 0;
    while (argv[argc])
        argc++;
    return command_line_parse(&line, argc, argv);
}
#define PARSE(...) parse((char *[]){(char[]){"cmd"}, __VA_ARGS__, NULL})

static void flags_may_have_their_value_behind_an_equals_sign_or_a_blank(void **state) {
    (void)state;
    assert_int_equal(PARSE((char[]){"--server=http://h"}, (char[]){"--limit"}, (char[]){"7"}), GO_ON);
    assert_string_equal(server, "http://h");
    assert_int_equal(limit, 7);
    assert_false(epoch);
    assert_int_equal(PARSE((char[]){"--epoch"}, (char[]){"word"}), GO_ON);
    assert_true(epoch);
    assert_string_equal(server, "default");
    assert_int_equal(line.word_count, 1);
    assert_string_equal(line.words[0], "word");
}

static void an_empty_value_is_a_value(void **state) {
    (void)state;
    assert_int_equal(PARSE((char[]){"--server="}), GO_ON);
    assert_string_equal(server, "");
}

static void help_ends_well_and_mistakes_end_with_two(void **state) {
    (void)state;
    assert_int_equal(PARSE((char[]){"--help"}), 0);
    assert_int_equal(PARSE((char[]){"--sever=x"}), 2);
    assert_int_equal(PARSE((char[]){"--server"}), 2);
    assert_int_equal(PARSE((char[]){"--limit=0"}), 2);
    assert_int_equal(PARSE((char[]){"--limit=9x"}), 2);
    assert_int_equal(PARSE((char[]){"--limit="}), 2);
    assert_int_equal(PARSE((char[]){"--epoch=yes"}), 2);
    assert_int_equal(PARSE((char[]){"one"}, (char[]){"two"}), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_may_have_their_value_behind_an_equals_sign_or_a_blank),
        cmocka_unit_test(an_empty_value_is_a_value),
        cmocka_unit_test(help_ends_well_and_mistakes_end_with_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
