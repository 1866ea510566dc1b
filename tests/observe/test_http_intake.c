/* src/observe/http_intake, http_head and http_connections over real sockets: peers that err, stall or attack.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "observe/http_head.h"
#include "observe/http_server.h"
#include "support/http_client.h"

enum { MAX_BODY = 1000, MAX_CONNECTIONS = 8 };

static void echo_body(void *context, const struct http_request *request, struct http_response *response) {
    (void)context;
    http_response_text(response, 200, "body=%.*s", (int)request->body.length,
                       request->body.bytes ? request->body.bytes : "");
}

static void no_content(void *context, const struct http_request *request, struct http_response *response) {
    (void)context;
    (void)request;
    response->status = 204;
}

static const struct http_route routes[] = {
    {.method = "GET", .path = "/echo", .handler = echo_body},
    {.method = "POST", .path = "/echo", .handler = echo_body},
    {.method = "POST", .path = "/empty", .handler = no_content},
};

static struct http_server *start_with(const struct http_server_settings *settings) {
    struct http_server *server = NULL;
    struct error err;
    if (http_server_create(settings, routes, sizeof routes / sizeof routes[0], &server, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(http_server_start(server, &err), STATUS_OK);
    return server;
}

static int start(void **state) {
    struct http_server_settings settings = {.listen_address = "127.0.0.1:0",
                                            .threads = 2,
                                            .max_connections = MAX_CONNECTIONS,
                                            .max_body_bytes = MAX_BODY,
                                            .head_and_body_timeout_ms = 2000,
                                            .event_tick_ms = 1000};
    *state = start_with(&settings);
    return 0;
}

static int stop(void **state) {
    http_server_stop(*state, 1000);
    http_server_destroy(*state);
    return 0;
}

static void a_body_at_the_limit_is_taken_and_one_byte_more_is_413(void **state) {
    static const char body[MAX_BODY + 2] = {'x'};
    for (size_t more = 0; more <= 2; more++) {
        struct http_reply reply =
            http_ask(http_server_address(*state), "POST", "/empty", "", body, MAX_BODY + more);
        assert_int_equal(reply.status, more ? 413 : 204);
        if (more)
            assert_non_null(strstr(reply.body, "the limit"));
        http_reply_release(&reply);
    }
}

/* A sender that writes its whole body before it looks for an answer must find a 413, not a reset: a reset
 * would be retried for ever. */
static void a_413_can_be_read_by_a_sender_that_is_still_sending(void **state) {
    enum { BODY = 4 << 20 };
    char *body = xcalloc(1, BODY);
    for (int i = 0; i < 5; i++) {
        struct http_reply reply = http_ask(http_server_address(*state), "POST", "/empty", "", body, BODY);
        assert_int_equal(reply.status, 413);
        assert_string_equal(reply.body,
                            "the body has 4194304 bytes, the limit is 1000: send smaller batches\n");
        http_reply_release(&reply);
    }
    free(body);
}

static void a_chunked_body_beyond_the_limit_is_a_readable_413(void **state) {
    int fd = http_connect(http_server_address(*state));
    http_send_text(fd, "POST /empty HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    char chunk[0x400 + 8];
    memset(chunk, 'x', sizeof chunk);
    memcpy(chunk, "400\r\n", 5);
    memcpy(chunk + 5 + 0x400, "\r\n", 2);
    for (int i = 0; i < 200; i++)
        http_send(fd, chunk, 5 + 0x400 + 2);
    struct http_reply reply = http_receive(fd, false);
    assert_int_equal(reply.status, 413);
    assert_true(http_is_at_end(fd));
    http_reply_release(&reply);
    close(fd);
}

static struct http_server *start_impatient(void) {
    struct http_server_settings settings = {.listen_address = "127.0.0.1:0",
                                            .threads = 1,
                                            .max_connections = MAX_CONNECTIONS,
                                            .max_body_bytes = 1 << 20,
                                            .max_head_bytes = 500,
                                            .head_timeout_ms = 150,
                                            .head_and_body_timeout_ms = 300,
                                            .idle_timeout_ms = 200,
                                            .event_tick_ms = 1000};
    return start_with(&settings);
}

static void stop_impatient(struct http_server *server) {
    http_server_stop(server, 1000);
    http_server_destroy(server);
}

/* What comes back for bytes that are sent as they are, and that the connection ends after it. */
static void assert_refused(struct http_server *server, const char *bytes, int status) {
    int fd = http_connect(http_server_address(server));
    http_send_text(fd, bytes);
    struct http_reply reply = http_receive(fd, false);
    if (reply.status != status)
        fail_msg("%d for: %s", reply.status, bytes);
    assert_string_equal(http_reply_header(&reply, "connection"), "close");
    assert_true(http_is_at_end(fd));
    http_reply_release(&reply);
    close(fd);
}

static void every_deadline_is_a_408_or_a_quiet_end(void **state) {
    (void)state;
    struct http_server *server = start_impatient();
    assert_refused(server, "GET /echo HTT", 408);
    assert_refused(server, "POST /empty HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", 408);
    int idle = http_connect(http_server_address(server));
    assert_true(http_is_at_end(idle));
    close(idle);
    int used = http_connect(http_server_address(server));
    http_send_text(used, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    struct http_reply reply = http_receive(used, false);
    assert_int_equal(reply.status, 200);
    assert_true(http_is_at_end(used));
    http_reply_release(&reply);
    close(used);
    stop_impatient(server);
}

static void a_head_beyond_its_limit_is_431(void **state) {
    (void)state;
    struct http_server *server = start_impatient();
    char request[700];
    memset(request, 'x', sizeof request);
    memcpy(request, "GET /echo HTTP/1.1\r\nHost: x\r\nx: ", 32);
    request[sizeof request - 1] = '\0';
    assert_refused(server, request, 431);
    stop_impatient(server);
}

static void too_many_header_fields_are_431(void **state) {
    char request[2048] = "GET /echo HTTP/1.1\r\nHost: x\r\n";
    for (int i = 0; i < 100; i++)
        strncat(request, "a: b\r\n", sizeof request - strlen(request) - 1);
    strncat(request, "\r\n", sizeof request - strlen(request) - 1);
    assert_refused(*state, request, 431);
}

enum { BODY_BYTES = 40000 }; /* fits a socket's buffers at once, and takes 64 KiB of the server's */

/* Sends a request for a body and the first `sent` bytes of it. When this returns the server holds them: it
 * has one thread, which has answered another request since. */
static int begin_body(struct http_server *server, const char *body, size_t sent) {
    int fd = http_connect(http_server_address(server));
    char head[128];
    snprintf(head, sizeof head, "POST /empty HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", BODY_BYTES);
    http_send_text(fd, head);
    http_send(fd, body, sent);
    struct http_reply reply = http_ask(http_server_address(server), "GET", "/echo", "", NULL, 0);
    assert_int_equal(reply.status, 200); /* a small one always gets through */
    http_reply_release(&reply);
    return fd;
}

static void assert_answer(int fd, int status) {
    struct http_reply reply = http_receive(fd, false);
    assert_int_equal(reply.status, status);
    if (status == 503)
        assert_string_equal(http_reply_header(&reply, "retry-after"), "1");
    http_reply_release(&reply);
    close(fd);
}

static struct http_server *start_small(int64_t timeout_ms) {
    struct http_server_settings settings = {.listen_address = "127.0.0.1:0",
                                            .threads = 1,
                                            .max_connections = MAX_CONNECTIONS,
                                            .max_body_bytes = 1 << 20,
                                            .max_bytes_in_flight = 150000,
                                            .head_and_body_timeout_ms = timeout_ms,
                                            .event_tick_ms = 1000};
    return start_with(&settings);
}

static void memory_in_flight_is_bounded_over_all_connections(void **state) {
    (void)state;
    struct http_server *server = start_small(1000000);
    char *body = xcalloc(1, BODY_BYTES);
    int first = begin_body(server, body, BODY_BYTES - 1), second = begin_body(server, body, BODY_BYTES - 1);
    assert_answer(begin_body(server, body, BODY_BYTES - 1), 503);
    http_send(first, body, 1);
    assert_answer(first, 204);
    http_send(second, body, 1);
    assert_answer(second, 204);
    assert_answer(begin_body(server, body, BODY_BYTES), 204);
    free(body);
    stop_impatient(server);
}

/* 200 stalled bodies stop every writer of VictoriaMetrics 1.79. Here they make room. */
static void requests_that_stall_make_room_for_those_that_do_not(void **state) {
    (void)state;
    struct http_server *server = start_small(8000); /* slow after 400 ms */
    char *body = xcalloc(1, BODY_BYTES);
    int stalled = begin_body(server, body, 39000), slower = begin_body(server, body, 35000);
    usleep(500 * 1000);
    assert_answer(begin_body(server, body, BODY_BYTES), 204);
    assert_answer(slower, 503);
    http_send(stalled, body, 1000);
    assert_answer(stalled, 204);
    free(body);
    stop_impatient(server);
}

/* None of these may reach a handler, and nothing behind them may be read as a request of its own. */
static void requests_that_two_parsers_could_read_differently_are_refused(void **state) {
#define SMUGGLED "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"
    static const char *const requests[] = {
        "POST /empty HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 35\r\n\r\n" SMUGGLED,
        "POST /empty HTTP/1.1\r\nHost: x\r\nContent-Length: 35\r\ncontent-length: 35\r\n\r\n" SMUGGLED,
        "POST /empty HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 35\r\n\r\n" SMUGGLED,
        "POST /empty HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n" SMUGGLED,
        "POST /empty HTTP/1.1\r\nHost: x\r\nContent-Length: \r\n\r\n" SMUGGLED,
        "POST /empty HTTP/1.1\r\nHost: x\r\nContent-Length: 35\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n" SMUGGLED,
        "POST /empty HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
        "POST /empty HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /empty HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /empty HTTP/1.1\r\nHost: x\r\nContent-Length : 0\r\n\r\n",
        "POST /empty HTTP/1.1\r\nHost: x\r\nA: b\r\n Content-Length: 5\r\n\r\n",
        "POST /empty HTTP/1.1\r\nHost: x\r\nA: b\rContent-Length: 5\r\n\r\n",
        "GET /echo HTTP/1.1\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: x y\r\n\r\n",
        "GET /echo HTTP/1.1\nHost: x\n\n",
        "GET /echo HTTP/1.1\r\nHost: x\n\r\n",
        "GET /echo HTTP/2.0\r\nHost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET  /echo HTTP/1.1\r\nHost: x\r\n\r\n",
        "G\x01T /echo HTTP/1.1\r\nHost: x\r\n\r\n",
        "\r\n\r\nGET /echo HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
        assert_refused(*state, requests[i], 400);
}

static void a_bad_request_on_a_connection_in_use_is_refused_too(void **state) {
    int fd = http_connect(http_server_address(*state));
    for (int i = 0; i < 3; i++) {
        http_send_text(fd, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
        struct http_reply reply = http_receive(fd, false);
        assert_int_equal(reply.status, 200);
        http_reply_release(&reply);
    }
    http_send_text(fd, "GET /echo HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n");
    struct http_reply reply = http_receive(fd, false);
    assert_int_equal(reply.status, 400);
    assert_true(http_is_at_end(fd));
    http_reply_release(&reply);
    close(fd);
}

static void pipelined_requests_are_answered_one_to_a_connection(void **state) {
    static const char *const first[] = {
        "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        int fd = http_connect(http_server_address(*state));
        char both[256];
        snprintf(both, sizeof both, "%sGET /echo HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", first[i]);
        http_send_text(fd, both);
        struct http_reply reply = http_receive(fd, false);
        assert_int_equal(reply.status, 200);
        assert_string_equal(http_reply_header(&reply, "connection"), "close");
        assert_true(http_is_at_end(fd));
        http_reply_release(&reply);
        close(fd);
    }
}

static void a_request_that_comes_byte_by_byte_is_served(void **state) {
    static const char request[] = "\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab";
    int fd = http_connect(http_server_address(*state));
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof request - 1; i++) {
            http_send(fd, request + i, 1);
            usleep(200);
        }
        struct http_reply reply = http_receive(fd, false);
        assert_int_equal(reply.status, 200);
        assert_non_null(strstr(reply.body, "body=ab"));
        http_reply_release(&reply);
    }
    close(fd);
}

/* The head as one call sees it, without its end being looked for. */
static enum status check(const char *text, struct http_head *head, struct error *err) {
    return http_head_check(text, strlen(text), head, err);
}

static void a_head_says_how_long_its_body_is(void **state) {
    (void)state;
    struct http_head head;
    struct error err;
    assert_int_equal(check("GET / HTTP/1.1\r\nHost: x\r\n\r\n", &head, &err), STATUS_OK);
    assert_true(!head.is_chunked && head.content_length == 0);
    assert_int_equal(
        check("POST / HTTP/1.1\r\nHost: [::1]:80\r\nCONTENT-LENGTH:\t 123 \r\n\r\n", &head, &err), STATUS_OK);
    assert_int_equal(head.content_length, 123);
    assert_int_equal(check("POST / HTTP/1.1\r\nHost:\r\nTransfer-Encoding: Chunked\r\n\r\n", &head, &err),
                     STATUS_OK);
    assert_true(head.is_chunked);
    assert_int_equal(check("GET / HTTP/1.0\r\n\r\n", &head, &err), STATUS_OK);
    assert_int_equal(
        check("P / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999999999\r\n\r\n", &head, &err),
        STATUS_OK);
    assert_int_equal(
        check("P / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551616\r\n\r\n", &head, &err),
        STATUS_INVALID);
}

static void the_end_of_a_head_is_found_wherever_its_bytes_are_cut(void **state) {
    (void)state;
    static const char text[] = "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\nbody\r\n\r\n";
    const size_t end = strlen(text) - strlen("body\r\n\r\n");
    for (size_t cut = 0; cut < sizeof text; cut++) {
        size_t scanned = 0, head_bytes = 0;
        char *tight = xcalloc(1, cut);
        memcpy(tight, text, cut);
        assert_int_equal(http_head_find_end(tight, cut, &scanned, &head_bytes, NULL), STATUS_OK);
        assert_int_equal(head_bytes, cut >= end ? end : 0);
        if (head_bytes == 0)
            assert_int_equal(http_head_find_end(text, sizeof text - 1, &scanned, &head_bytes, NULL),
                             STATUS_OK);
        assert_int_equal(head_bytes, end);
        free(tight);
    }
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVED(a_body_at_the_limit_is_taken_and_one_byte_more_is_413),
        SERVED(a_413_can_be_read_by_a_sender_that_is_still_sending),
        SERVED(a_chunked_body_beyond_the_limit_is_a_readable_413),
        cmocka_unit_test(every_deadline_is_a_408_or_a_quiet_end),
        cmocka_unit_test(a_head_beyond_its_limit_is_431),
        SERVED(too_many_header_fields_are_431),
        cmocka_unit_test(memory_in_flight_is_bounded_over_all_connections),
        cmocka_unit_test(requests_that_stall_make_room_for_those_that_do_not),
        SERVED(requests_that_two_parsers_could_read_differently_are_refused),
        SERVED(a_bad_request_on_a_connection_in_use_is_refused_too),
        SERVED(pipelined_requests_are_answered_one_to_a_connection),
        SERVED(a_request_that_comes_byte_by_byte_is_served),
        cmocka_unit_test(a_head_says_how_long_its_body_is),
        cmocka_unit_test(the_end_of_a_head_is_found_wherever_its_bytes_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
