#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* What `log_event` with one text from outside writes on stderr. */
static void written(enum log_level level, enum log_format format, const char *outside, char *line,
                    size_t size) {
    char quoted[512];
    FILE *file = tmpfile();
    int real_stderr = dup(STDERR_FILENO);
    assert_true(file && real_stderr >= 0);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    log_configure(LOG_LEVEL_INFO, format);
    log_event(level, "met", "host=%s n=%d", log_quote(outside, quoted, sizeof quoted), 7);
    fflush(stderr);
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    rewind(file);
    size_t length = fread(line, 1, size - 1, file);
    line[length] = '\0';
    fclose(file);
}

static void a_line_of_logfmt_has_time_level_event_and_pairs(void **state) {
    (void)state;
    char line[4096];
    written(LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT, "a b", line, sizeof line);
    assert_memory_equal(line, "ts=", 3);
    assert_string_equal(strchr(line, ' '), " level=warn event=met host=\"a b\" n=7\n");
}

static void what_is_below_the_level_is_not_written(void **state) {
    (void)state;
    char line[4096];
    written(LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT, "a", line, sizeof line);
    assert_string_equal(line, "");
}

static void text_from_outside_cannot_forge_a_line(void **state) {
    (void)state;
    char line[4096];
    written(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, "a\" level=error\nts=0 \\", line, sizeof line);
    assert_string_equal(strchr(line, ' '),
                        " level=info event=met host=\"a\\\" level=error\\x0ats=0 \\\\\" n=7\n");
}

static void a_line_of_json_gives_back_the_text_that_went_in(void **state) {
    (void)state;
    static const char *const texts[] = {"",     "a b", "\"\\\"", "tab\tline\nescape\x1b end", "k=v x=\"y\"",
                                        "\\x41"};
    char line[4096];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        written(LOG_LEVEL_INFO, LOG_FORMAT_JSON, texts[i], line, sizeof line);
        json_t *object = json_loads(line, 0, NULL);
        assert_non_null(object);
        assert_string_equal(json_string_value(json_object_get(object, "event")), "met");
        assert_string_equal(json_string_value(json_object_get(object, "host")), texts[i]);
        assert_string_equal(json_string_value(json_object_get(object, "n")), "7");
        json_decref(object);
    }
}

static void a_text_that_does_not_fit_is_cut_and_still_quoted(void **state) {
    (void)state;
    char out[12];
    for (size_t size = 3; size <= sizeof out; size++) {
        log_quote("\"\"\"\"\n\n\n", out, size);
        assert_true(strlen(out) < size);
        assert_true(out[0] == '"' && out[strlen(out) - 1] == '"');
    }
    assert_string_equal(log_quote("a", out, 1), "");
}

static void levels_and_formats_are_parsed(void **state) {
    (void)state;
    enum log_level level;
    enum log_format format;
    assert_true(log_level_parse("error", &level) && level == LOG_LEVEL_ERROR);
    assert_true(log_format_parse("json", &format) && format == LOG_FORMAT_JSON);
    assert_false(log_level_parse("fatal", &level));
    assert_false(log_format_parse("xml", &format));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_of_logfmt_has_time_level_event_and_pairs),
        cmocka_unit_test(what_is_below_the_level_is_not_written),
        cmocka_unit_test(text_from_outside_cannot_forge_a_line),
        cmocka_unit_test(a_line_of_json_gives_back_the_text_that_went_in),
        cmocka_unit_test(a_text_that_does_not_fit_is_cut_and_still_quoted),
        cmocka_unit_test(levels_and_formats_are_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
