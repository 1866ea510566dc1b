/* The small readers of text from the network: utf8, percent, media_type, http_routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "observe/http_routes.h"
#include "observe/media_type.h"
#include "observe/percent.h"
#include "observe/utf8.h"

/* A second opinion, written from RFC 3629's ABNF by decoding instead of by ranges of bytes. */
static bool decodes(const unsigned char *text, size_t length) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    for (size_t i = 0; i < length;) {
        size_t step = text[i] < 0x80       ? 1
                      : text[i] >> 5 == 6  ? 2
                      : text[i] >> 4 == 14 ? 3
                      : text[i] >> 3 == 30 ? 4
                                           : 0;
        if (step == 0 || step > length - i)
            return false;
        uint32_t point = step == 1 ? text[i] : text[i] & (0x7Fu >> step);
        for (size_t k = 1; k < step; k++) {
            if (text[i + k] >> 6 != 2)
                return false;
            point = point << 6 | (text[i + k] & 0x3F);
        }
        if (point < smallest[step] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
            return false;
        i += step;
    }
    return true;
}

static void every_pair_and_many_quadruples_of_bytes_are_judged_right(void **state) {
    (void)state;
    unsigned char text[4];
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++)
            for (unsigned c = 0x70; c < 0xD0; c += 0x10)
                for (unsigned length = 1; length <= 4; length++) {
                    text[0] = (unsigned char)a;
                    text[1] = (unsigned char)b;
                    text[2] = text[3] = (unsigned char)c;
                    assert_int_equal(utf8_is_valid((char *)text, length), decodes(text, length));
                }
}

static void a_bad_byte_is_found_wherever_it_stands(void **state) {
    (void)state;
    for (size_t length = 1; length < 40; length++)
        for (size_t bad = 0; bad < length; bad++) {
            char *text = xcalloc(1, length);
            memset(text, 'a', length);
            assert_true(utf8_is_valid(text, length));
            text[bad] = (char)0x80;
            assert_false(utf8_is_valid(text, length));
            free(text);
        }
}

static void text_for_people_is_printable_and_fits(void **state) {
    (void)state;
    char out[16];
    assert_string_equal(utf8_printable("plain", 5, out, sizeof out), "plain");
    assert_string_equal(utf8_printable("a\nb\0c\xff", 6, out, sizeof out), "a?b?c?");
    assert_string_equal(utf8_printable("0123456789abcde", 15, out, sizeof out), "0123456789abcde");
    assert_string_equal(utf8_printable("0123456789abcdef", 16, out, sizeof out), "0123456789ab...");
    assert_string_equal(utf8_printable("0123456789a\xC3\xA9zzzz", 17, out, sizeof out), "0123456789a...");
    for (size_t length = 0; length < 40; length++) {
        char *tight = xcalloc(1, 8);
        static const char text[40] = "\xE2\x82\xAC\xE2\x82\xAC";
        utf8_printable(text, length, tight, 8);
        assert_true(strlen(tight) < 8);
        free(tight);
    }
}

static void percent_escapes_are_decoded_or_refused(void **state) {
    (void)state;
    char out[8];
    assert_true(percent_decode("a%2Fb%c3", 8, out, sizeof out));
    assert_string_equal(out, "a/b\xC3");
    static const char *const bad[] = {"%", "%2", "%zz", "%0g", "%00", "12345678"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(percent_decode(bad[i], strlen(bad[i]), out, sizeof out));
    assert_true(percent_decode("1234567", 7, out, sizeof out));
    assert_false(percent_decode("", 0, out, 0));
}

static void media_types_are_read_as_rfc_9110_writes_them(void **state) {
    (void)state;
    static const struct {
        const char *header, *type, *proto; /* type NULL: refused */
    } cases[] = {
        {"application/x-protobuf", "application/x-protobuf", ""},
        {" Application/X-Protobuf ", "application/x-protobuf", ""},
        {"application/x-protobuf;proto=prometheus.WriteRequest", "application/x-protobuf",
         "prometheus.WriteRequest"},
        {"application/x-protobuf ; PROTO=\"a.b\" ; charset=utf-8", "application/x-protobuf", "a.b"},
        {"application/x-protobuf;proto=\"a\\.b\"", "application/x-protobuf", "a.b"},
        {"application/json;", "application/json", ""},
        {"text/plain;proto=a;proto=b", NULL, NULL},
        {"text/plain;proto=", NULL, NULL},
        {"text/plain;proto=\"a", NULL, NULL},
        {"text/plain;proto=\"a\\", NULL, NULL},
        {"text/plain;proto", NULL, NULL},
        {"text/plain proto=a", NULL, NULL},
        {"", NULL, NULL},
        {";", NULL, NULL},
        {"text/plain;proto=0123456789012345678901234567890123456789012345678901234567890123456789", NULL,
         NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct media_type type;
        bool ok = media_type_parse(cases[i].header, strlen(cases[i].header), &type);
        if (ok != (cases[i].type != NULL))
            fail_msg("case %zu", i);
        if (!ok)
            continue;
        assert_true(media_type_is(&type, cases[i].type));
        assert_string_equal(type.proto, cases[i].proto);
    }
}

static void targets_are_split_into_path_and_query(void **state) {
    (void)state;
    static const struct {
        const char *target, *path, *query; /* path NULL: refused */
    } cases[] = {
        {"/", "/", ""},          {"/a%20b?c=%20", "/a b", "c=%20"},
        {"/a?b?c", "/a", "b?c"}, {"http://h/x", "/x", ""},
        {"HTTPS://h", "/", ""},  {"http://h?q", "/", "q"},
        {"", NULL, NULL},        {"?q", NULL, NULL},
        {"a", NULL, NULL},       {"*", NULL, NULL},
        {"/%", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t length = strlen(cases[i].target);
        char *path = xcalloc(1, length + 2), *query = xcalloc(1, length + 2);
        bool ok = http_target_split(cases[i].target, length, path, query);
        if (ok != (cases[i].path != NULL))
            fail_msg("case %zu", i);
        if (ok) {
            assert_string_equal(path, cases[i].path);
            assert_string_equal(query, cases[i].query);
        }
        free(path);
        free(query);
    }
}

static void query_values_are_found_by_their_whole_name(void **state) {
    (void)state;
    struct http_request request = {.query = "hosts=x&host=a%26b&flag&last="};
    char out[8];
    assert_true(http_query_value(&request, "host", out, sizeof out));
    assert_string_equal(out, "a&b");
    assert_true(http_query_value(&request, "flag", out, sizeof out));
    assert_string_equal(out, "");
    assert_true(http_query_value(&request, "last", out, sizeof out));
    assert_false(http_query_value(&request, "hos", out, sizeof out));
    assert_false(http_query_value(&request, "host", out, 3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_and_many_quadruples_of_bytes_are_judged_right),
        cmocka_unit_test(a_bad_byte_is_found_wherever_it_stands),
        cmocka_unit_test(text_for_people_is_printable_and_fits),
        cmocka_unit_test(percent_escapes_are_decoded_or_refused),
        cmocka_unit_test(media_types_are_read_as_rfc_9110_writes_them),
        cmocka_unit_test(targets_are_split_into_path_and_query),
        cmocka_unit_test(query_values_are_found_by_their_whole_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
