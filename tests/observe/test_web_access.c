/* src/observe/web_access behind the real http server: passwords, tokens, permissions, TLS, and changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "observe/http_server.h"
#include "observe/web_access.h"
#include "support/http_client.h"
#include "support/temp_dir.h"

/* bcrypt of "secret", at its lowest cost. */
#define HASH "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
#define USERS                                                                                                \
    "basic_auth_users: {prometheus: " HASH ", admin: " HASH "}\n"                                            \
    "bearer_tokens: {reader: token}\n"                                                                       \
    "permissions: {prometheus: [write], reader: [read]}\n"

/* Base64 of the credentials. */
#define PROMETHEUS "Authorization: Basic cHJvbWV0aGV1czpzZWNyZXQ=\r\n"
#define ADMIN "Authorization: basic YWRtaW46c2VjcmV0\r\n"
#define ADMIN_WRONG "Authorization: Basic YWRtaW46d3Jvbmc=\r\n"
#define NOBODY "Authorization: Basic bm9ib2R5OnNlY3JldA==\r\n"
#define READER "Authorization: Bearer a-token-of-enough-bytes\r\n"

static void done(void *context, const struct http_request *request, struct http_response *response) {
    (void)context;
    http_response_text(response, 200, "%.*s", (int)request->body.length,
                       request->body.bytes ? request->body.bytes : "");
}

static const struct http_route routes[] = {
    {.method = "POST", .path = "/write", .handler = done, .needs = WEB_MAY_WRITE},
    {.method = "GET", .path = "/page", .handler = done},
    {.method = "POST", .path = "/verb", .handler = done},
};

struct fixture {
    struct temp_dir dir;
    struct web_access *access;
    struct http_server *server;
    atomic_int changes, refusals;
};
static struct fixture fixture;

static void on_changed(void *context, const struct error *err) {
    (void)context;
    atomic_fetch_add(err ? &fixture.refusals : &fixture.changes, 1);
}

static void write_config(const char *text) {
    char path[TEMP_PATH_SIZE];
    temp_dir_write(&fixture.dir, "web.yml", text, path);
}

static void open_with(const char *text) {
    char path[TEMP_PATH_SIZE];
    struct error err;
    fixture = (struct fixture){0};
    temp_dir_open(&fixture.dir);
    temp_dir_write(&fixture.dir, "token", "a-token-of-enough-bytes\n", path);
    temp_dir_write_certificate(&fixture.dir, "server", "localhost");
    temp_dir_write_certificate(&fixture.dir, "client", "laptop");
    temp_dir_write_certificate(&fixture.dir, "stranger", "stranger");
    temp_dir_write(&fixture.dir, "web.yml", text, path);
    if (web_access_create(path, on_changed, NULL, &fixture.access, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    struct http_server_settings settings = {.listen_address = "127.0.0.1:0",
                                            .threads = 2,
                                            .max_connections = 100,
                                            .max_body_bytes = 1000,
                                            .head_and_body_timeout_ms = 3000,
                                            .event_tick_ms = 1000,
                                            .access = fixture.access};
    assert_int_equal(http_server_create(&settings, routes, 3, &fixture.server, &err), STATUS_OK);
    assert_int_equal(http_server_start(fixture.server, &err), STATUS_OK);
}

static void close_all(void) {
    http_server_stop(fixture.server, 1000);
    http_server_destroy(fixture.server);
    web_access_destroy(fixture.access);
    temp_dir_close(&fixture.dir);
}

static int ask(const char *method, const char *target, const char *headers) {
    struct http_reply reply = http_ask(http_server_address(fixture.server), method, target, headers, "x", 1);
    int status = reply.status;
    if (status == 401)
        assert_non_null(strstr(http_reply_header(&reply, "www-authenticate"), "Basic realm"));
    http_reply_release(&reply);
    return status;
}

static void everybody_may_do_what_is_permitted_and_nothing_else(void **state) {
    (void)state;
    static const struct {
        const char *headers;
        int write, page, verb, nowhere;
    } cases[] = {
        {"", 401, 401, 401, 401},
        {PROMETHEUS, 200, 403, 403, 403},
        {ADMIN, 200, 200, 200, 404},
        {ADMIN_WRONG, 401, 401, 401, 401},
        {NOBODY, 401, 401, 401, 401},
        {READER, 403, 200, 403, 404},
        {"Authorization: Bearer a-token-of-enough-byte\r\n", 401, 401, 401, 401},
        {"Authorization: Bearer \r\n", 401, 401, 401, 401},
        {"Authorization: Bearer\r\n", 401, 401, 401, 401},
        {"Authorization: Basic\r\n", 401, 401, 401, 401},
        {"Authorization: Basic !!!!\r\n", 401, 401, 401, 401},
        {"Authorization: Basic YWRtaW4=\r\n", 401, 401, 401, 401},             /* admin */
        {"Authorization: Basic YWRtaW46c2VjcmV0AHg=\r\n", 401, 401, 401, 401}, /* admin:secret\0x */
        {"Authorization: Digest YWRtaW46c2VjcmV0\r\n", 401, 401, 401, 401},
    };
    open_with(USERS);
    for (int round = 0; round < 2; round++) /* judged by bcrypt first, then remembered */
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            if (ask("POST", "/write", cases[i].headers) != cases[i].write ||
                ask("GET", "/page", cases[i].headers) != cases[i].page ||
                ask("POST", "/verb", cases[i].headers) != cases[i].verb ||
                ask("GET", "/nowhere", cases[i].headers) != cases[i].nowhere)
                fail_msg("case %zu", i);
        }
    close_all();
}

static void without_users_everybody_is_let_in_and_headers_are_added(void **state) {
    (void)state;
    open_with("http_server_config: {headers: {X-Frame-Options: DENY}}\n");
    struct http_reply reply = http_ask(http_server_address(fixture.server), "GET", "/page", "", NULL, 0);
    assert_int_equal(reply.status, 200);
    assert_string_equal(http_reply_header(&reply, "x-frame-options"), "DENY");
    http_reply_release(&reply);
    close_all();
}

/* A request waits for its password to be judged while others are served, and gets its own body back. */
static void a_waiting_request_keeps_its_body_and_holds_nobody_up(void **state) {
    (void)state;
    open_with("basic_auth_users: {slow: $2b$12$abcdefghijklmnopqrstuuN/5dTQlKPeuQ5jxZmrAfWWjfpNrcuKO}\n"
              "bearer_tokens: {reader: token}\n");
    int slow = http_connect(http_server_address(fixture.server));
    http_send_text(slow, "POST /verb HTTP/1.1\r\nHost: x\r\nAuthorization: Basic c2xvdzp3cm9uZw==\r\n"
                         "Content-Length: 4\r\n\r\nbody");
    int64_t before = clock_monotonic_ms();
    assert_int_equal(ask("GET", "/page", READER), 200);
    int64_t quick = clock_monotonic_ms() - before;
    struct http_reply reply = http_receive(slow, false);
    int64_t waited = clock_monotonic_ms() - before;
    assert_int_equal(reply.status, 401);
    assert_true(quick < waited);
    http_reply_release(&reply);
    close(slow);
    close_all();
}

static void a_peer_that_leaves_while_it_waits_is_forgotten(void **state) {
    (void)state;
    open_with("basic_auth_users: {slow: $2b$10$abcdefghijklmnopqrstuuN/5dTQlKPeuQ5jxZmrAfWWjfpNrcuKO}\n");
    for (int i = 0; i < 10; i++) {
        char request[256];
        static const char *const passwords[] = {"c2xvdzow", "c2xvdzox", "c2xvdzoy", "c2xvdzoz", "c2xvdzo0"};
        int fd = http_connect(http_server_address(fixture.server));
        snprintf(request, sizeof request, "GET /page HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\n\r\n",
                 passwords[i % 5]);
        http_send_text(fd, request);
        close(fd);
    }
    close_all(); /* with some still waiting */
}

/* Waits until the access thread has looked again. */
static void wait_for(const atomic_int *count, int target) {
    for (int i = 0; i < 500 && atomic_load(count) < target; i++) {
        web_access_reload(fixture.access);
        usleep(10000);
    }
    assert_true(atomic_load(count) >= target);
}

static void a_changed_file_takes_effect_and_a_bad_one_does_not(void **state) {
    (void)state;
    open_with(USERS);
    assert_int_equal(ask("GET", "/page", ADMIN), 200);
    write_config("bearer_tokens: {reader: token}\n");
    wait_for(&fixture.changes, 1);
    assert_int_equal(ask("GET", "/page", ADMIN), 401);
    assert_int_equal(ask("POST", "/verb", READER), 200);
    write_config("bearer_token: {}\n");
    wait_for(&fixture.refusals, 1);
    web_access_reload(fixture.access);
    assert_int_equal(ask("POST", "/verb", READER), 200);
    assert_int_equal(ask("POST", "/verb", ""), 401);
    write_config("bearer_tokens: {reader: token, again: token}\n");
    wait_for(&fixture.changes, 2);
    assert_int_equal(atomic_load(&fixture.refusals), 1); /* said once */
    close_all();
}

/* ---- TLS ---------------------------------------------------------------------------------------------- */

/* One request over TLS; "" if the handshake or the request failed. `identity` is the client's certificate,
 * NULL for none. */
static void ask_tls(const char *identity, int max_version, const char *request, char *out, size_t size) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(context, max_version);
    SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\x02h2\x08http/1.1", 12);
    if (identity) {
        char path[TEMP_PATH_SIZE];
        snprintf(path, sizeof path, "%s/%s.crt", fixture.dir.path, identity);
        SSL_CTX_use_certificate_file(context, path, SSL_FILETYPE_PEM);
        snprintf(path, sizeof path, "%s/%s.key", fixture.dir.path, identity);
        SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM);
    }
    int fd = http_connect(http_server_address(fixture.server));
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    size_t used = 0;
    if (SSL_connect(ssl) == 1 && SSL_write(ssl, request, (int)strlen(request)) > 0)
        for (int got = 1; got > 0 && used + 1 < size; used += got > 0 ? (size_t)got : 0)
            got = SSL_read(ssl, out + used, (int)(size - used - 1));
    out[used] = '\0';
    if (used > 0) {
        const unsigned char *protocol;
        unsigned int length;
        SSL_get0_alpn_selected(ssl, &protocol, &length);
        assert_int_equal(length, 8);
        assert_memory_equal(protocol, "http/1.1", 8);
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
}

static void requests_over_tls_are_served_and_judged_like_others(void **state) {
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    open_with("tls_server_config: {cert_file: server.crt, key_file: server.key}\n");
    for (size_t i = 0; i < 2; i++) {
        char answer[1024];
        ask_tls(NULL, versions[i],
                "POST /write HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", answer,
                sizeof answer);
        assert_int_equal(strncmp(answer, "HTTP/1.1 200 ", 13), 0);
        assert_non_null(strstr(answer, "\r\n\r\nhi\n"));
        ask_tls(NULL, versions[i], "GET /page HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", answer, sizeof answer);
        assert_int_equal(strncmp(answer, "HTTP/1.1 400 ", 13), 0);
        ask_tls(NULL, versions[i], "POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", answer,
                sizeof answer);
        assert_int_equal(strncmp(answer, "HTTP/1.1 413 ", 13), 0);
    }
    struct http_reply plain = http_ask(http_server_address(fixture.server), "GET", "/page", "", NULL, 0);
    assert_int_equal(plain.status, 0);
    http_reply_release(&plain);
    close_all();
}

static void client_certificates_are_asked_for_and_their_names_checked(void **state) {
    (void)state;
    static const char request[] = "GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    char answer[1024];
    open_with("tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: client.crt,\n"
              "  client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [laptop]}\n");
    ask_tls("client", TLS1_3_VERSION, request, answer, sizeof answer);
    assert_int_equal(strncmp(answer, "HTTP/1.1 200 ", 13), 0);
    ask_tls("stranger", TLS1_3_VERSION, request, answer, sizeof answer);
    assert_string_equal(answer, "");
    ask_tls(NULL, TLS1_3_VERSION, request, answer, sizeof answer);
    assert_string_equal(answer, "");
    write_config(
        "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: client.crt,\n"
        "  client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [desktop]}\n");
    wait_for(&fixture.changes, 1);
    ask_tls("client", TLS1_3_VERSION, request, answer, sizeof answer);
    assert_string_equal(answer, "");
    close_all();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_may_do_what_is_permitted_and_nothing_else),
        cmocka_unit_test(without_users_everybody_is_let_in_and_headers_are_added),
        cmocka_unit_test(a_waiting_request_keeps_its_body_and_holds_nobody_up),
        cmocka_unit_test(a_peer_that_leaves_while_it_waits_is_forgotten),
        cmocka_unit_test(a_changed_file_takes_effect_and_a_bad_one_does_not),
        cmocka_unit_test(requests_over_tls_are_served_and_judged_like_others),
        cmocka_unit_test(client_certificates_are_asked_for_and_their_names_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
