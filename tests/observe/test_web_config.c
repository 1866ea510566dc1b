/* src/observe/web_config: the file that says who may talk to us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "observe/web_config.h"
#include "support/temp_dir.h"

#define HASH "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"

static struct temp_dir dir;

static int open_dir(void **state) {
    (void)state;
    char path[TEMP_PATH_SIZE];
    temp_dir_open(&dir);
    temp_dir_write_certificate(&dir, "server", "localhost");
    temp_dir_write_certificate(&dir, "other", "localhost");
    temp_dir_write(&dir, "token", "a-token-of-enough-bytes\nsecond line\n", path);
    temp_dir_write(&dir, "short", "short\n", path);
    return 0;
}

static int close_dir(void **state) {
    (void)state;
    temp_dir_close(&dir);
    return 0;
}

static enum status load(const char *text, struct web_config **out, struct error *err) {
    char path[TEMP_PATH_SIZE];
    temp_dir_write(&dir, "web.yml", text, path);
    return web_config_load(path, out, err);
}

static struct web_config *load_good(const char *text) {
    struct web_config *config = NULL;
    struct error err;
    if (load(text, &config, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return config;
}

static void a_whole_file_is_read(void **state) {
    (void)state;
    struct web_config *config = load_good("permissions: {prometheus: [write], laptop: [read, operate]}\n"
                                          "tls_server_config:\n"
                                          "  cert_file: server.crt\n"
                                          "  key_file: server.key\n"
                                          "  client_auth_type: RequireAndVerifyClientCert\n"
                                          "  client_ca_file: other.crt\n"
                                          "  client_allowed_sans: [localhost]\n"
                                          "  min_version: TLS13\n"
                                          "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n"
                                          "http_server_config:\n"
                                          "  http2: false\n"
                                          "  headers: {Strict-Transport-Security: max-age=60}\n"
                                          "basic_auth_users:\n"
                                          "  prometheus: " HASH "\n"
                                          "  admin: " HASH "\n"
                                          "bearer_tokens: {laptop: token}\n");
    assert_non_null(config->tls_context);
    assert_int_equal(config->tls.client_auth, CLIENT_AUTH_REQUIRE_AND_VERIFY);
    assert_string_equal(config->tls.cipher_suites, "ECDHE-ECDSA-AES128-GCM-SHA256");
    assert_int_equal(config->header_count, 1);
    assert_int_equal(config->user_count, 3);
    assert_int_equal(config->users[0].permissions, WEB_MAY_WRITE);
    assert_int_equal(config->users[1].permissions, WEB_MAY_EVERYTHING);
    assert_int_equal(config->users[2].permissions, WEB_MAY_READ | WEB_MAY_OPERATE);
    assert_null(config->users[2].bcrypt);
    uint8_t digest[WEB_DIGEST_BYTES];
    web_digest("a-token-of-enough-bytes", 23, digest);
    assert_memory_equal(config->users[2].token_digest, digest, sizeof digest);
    web_config_destroy(config);
}

static void an_empty_file_asks_for_nothing(void **state) {
    (void)state;
    static const char *const texts[] = {"", "# nothing\n", "tls_server_config:\nbasic_auth_users:\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct web_config *config = load_good(texts[i]);
        assert_null(config->tls_context);
        assert_int_equal(config->user_count, 0);
        web_config_destroy(config);
    }
}

static void a_mistake_is_named_with_its_line_and_what_to_do(void **state) {
    (void)state;
    static const struct {
        const char *text, *line, *what;
    } cases[] = {
        {"basic_auth_user:\n", "line 1", "did you mean \"basic_auth_users\"?"},
        {"\ntls_server_config:\n  cert_fil: x\n", "line 3", "did you mean \"cert_file\"?"},
        {"basic_auth_users: {a: plain}\n", "line 1", "not a bcrypt hash"},
        {"basic_auth_users: {a: " HASH "}\nbearer_tokens: {a: token}\n", "line 2", "there twice"},
        {"bearer_tokens: {a: short}\n", "line 1", "fewer than 16 bytes"},
        {"bearer_tokens: {a: missing}\n", "", "cannot open"},
        {"permissions: {nobody: [read]}\n", "line 1", "no such user"},
        {"basic_auth_users: {a: " HASH "}\npermissions: {a: [write, red]}\n", "line 2",
         "write, read or operate"},
        {"basic_auth_users: {a: " HASH "}\npermissions: {a: write}\n", "line 2", "should be a list"},
        {"tls_server_config: {cert_file: server.crt}\n", "line 1", "go together"},
        {"tls_server_config: {cert_file: server.crt, key_file: other.key}\n", "", "other.key"},
        {"tls_server_config: {cert_file: missing.crt, key_file: server.key}\n", "", "missing.crt"},
        {"tls_server_config: {client_auth_type: Sometimes}\n", "line 1", "NoClientCert"},
        {"tls_server_config: {client_auth_type: RequireAndVerifyClientCert}\n", "line 1", "client_ca_file"},
        {"tls_server_config: {client_allowed_sans: [a]}\n", "line 1", "RequireAndVerifyClientCert"},
        {"tls_server_config: {min_version: TLS10}\n", "line 1", "TLS12 or TLS13"},
        {"tls_server_config: {cipher_suites: [TLS_FAST]}\n", "line 1", "not known to OpenSSL"},
        {"http_server_config: {http2: true}\n", "line 1", "HTTP/2 is not spoken here"},
        {"http_server_config: {headers: {\"a b\": c}}\n", "line 1", "not a header"},
        {"[]\n", "line 1", "should be a mapping"},
        {"a: b: c\n", "line 1", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct web_config *config = NULL;
        struct error err = {0};
        enum status status = load(cases[i].text, &config, &err);
        if (status == STATUS_OK || !strstr(err.text, cases[i].line) || !strstr(err.text, cases[i].what))
            fail_msg("case %zu: %s", i, err.text);
    }
}

static void a_file_that_is_not_there_is_an_error_of_the_system(void **state) {
    (void)state;
    struct web_config *config = NULL;
    struct error err;
    assert_int_equal(web_config_load("/nowhere/web.yml", &config, &err), STATUS_SYSTEM);
}

static void a_change_anywhere_is_another_version(void **state) {
    (void)state;
    static const char text[] =
        "tls_server_config: {cert_file: server.crt, key_file: server.key}\nbearer_tokens: {a: token}\n";
    char path[TEMP_PATH_SIZE];
    struct web_config *first = load_good(text), *same = load_good(text);
    assert_int_equal(first->version, same->version);
    temp_dir_write(&dir, "token", "another-token-of-enough-bytes\n", path);
    struct web_config *token = load_good(text);
    assert_int_not_equal(first->version, token->version);
    temp_dir_write_certificate(&dir, "server", "localhost");
    struct web_config *certificate = load_good(text);
    assert_int_not_equal(token->version, certificate->version);
    web_config_destroy(first);
    web_config_destroy(same);
    web_config_destroy(token);
    web_config_destroy(certificate);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, open_dir, close_dir)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_DIR(a_whole_file_is_read),
        IN_DIR(an_empty_file_asks_for_nothing),
        IN_DIR(a_mistake_is_named_with_its_line_and_what_to_do),
        IN_DIR(a_file_that_is_not_there_is_an_error_of_the_system),
        IN_DIR(a_change_anywhere_is_another_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
