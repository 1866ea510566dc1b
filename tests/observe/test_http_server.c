/* src/observe/http_server over real sockets. */
#include <pthread.h>
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

#include "base/alloc.h"
#include "base/clock.h"
#include "observe/http_server.h"
#include "support/http_client.h"

enum { MAX_BODY = 1000, MAX_CONNECTIONS = 8, MAX_SUBSCRIBERS = 2 };

/* Answers with what it was asked. */
static void echo(void *context, const struct http_request *request, struct http_response *response) {
    struct http_text agent = http_request_header(request, "user-agent");
    char name[64] = "none";
    http_query_value(request, "name", name, sizeof name);
    response->status = 200;
    response->content_type = "text/plain";
    FILE *out = open_memstream(&response->body, &response->body_bytes);
    fprintf(out, "%s %s %s agent=%.*s name=%s body=%.*s", (const char *)context, request->method,
            request->path, (int)agent.length, agent.bytes ? agent.bytes : "", name, (int)request->body.length,
            request->body.bytes ? request->body.bytes : "");
    fclose(out);
    http_response_header(response, "x-evil", "%s", "a\r\nx-injected: 1");
}

static void no_content(void *context, const struct http_request *request, struct http_response *response) {
    (void)context;
    (void)request;
    response->status = 204;
}

/* An event source whose newest version is a number that a test moves. */
static atomic_uint_fast64_t newest;

static uint64_t events_version(void *context) {
    (void)context;
    return atomic_load(&newest);
}
static void events_write(void *context, uint64_t since, FILE *out) {
    (void)context;
    fprintf(out, "id: %u\ndata: from %u\n\n", (unsigned)atomic_load(&newest), (unsigned)since);
}
static uint64_t events_parse(void *context, const char *id) {
    (void)context;
    return strtoull(id, NULL, 10);
}
static const struct http_event_source events = {NULL, events_version, events_write, events_parse};

static char exact[] = "exact", rest[] = "rest";
static const struct http_route routes[] = {
    {.method = "GET", .path = "/echo", .handler = echo, .context = exact},
    {.method = "POST", .path = "/echo", .handler = echo, .context = exact},
    {.method = "POST", .path = "/empty", .handler = no_content},
    {.method = "GET", .path = "/tree/*", .handler = echo, .context = rest},
    {.method = "GET", .path = "/events", .events = &events},
};

static struct http_server *start_with(size_t threads, int64_t timeout_ms) {
    struct http_server_settings settings = {
        .listen_address = "127.0.0.1:0",
        .threads = threads,
        .max_connections = MAX_CONNECTIONS,
        .max_body_bytes = MAX_BODY,
        .max_event_subscribers = MAX_SUBSCRIBERS,
        .head_and_body_timeout_ms = timeout_ms,
        .event_tick_ms = 10,
    };
    struct http_server *server = NULL;
    struct error err;
    if (http_server_create(&settings, routes, sizeof routes / sizeof routes[0], &server, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(http_server_start(server, &err), STATUS_OK);
    return server;
}

static int start(void **state) {
    atomic_store(&newest, 7);
    *state = start_with(2, 2000);
    return 0;
}

static int stop(void **state) {
    http_server_stop(*state, 1000);
    http_server_destroy(*state);
    return 0;
}

static void a_request_reaches_its_handler_with_all_its_parts(void **state) {
    struct http_reply reply = http_ask(http_server_address(*state), "POST", "/echo?x=1&name=a%20b+c",
                                       "User-Agent: test\r\n", "hello", 5);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "exact POST /echo agent=test name=a b c body=hello");
    assert_string_equal(http_reply_header(&reply, "content-type"), "text/plain");
    assert_string_equal(http_reply_header(&reply, "server"), "");
    http_reply_release(&reply);
}

static void a_line_break_in_a_header_value_starts_no_new_header(void **state) {
    struct http_reply reply = http_ask(http_server_address(*state), "GET", "/echo", "", NULL, 0);
    assert_string_equal(http_reply_header(&reply, "x-evil"), "a??x-injected: 1");
    assert_string_equal(http_reply_header(&reply, "x-injected"), "");
    http_reply_release(&reply);
}

static void the_rest_of_a_wildcard_path_is_percent_decoded(void **state) {
    struct http_reply reply = http_ask(http_server_address(*state), "GET", "/tree/a%2Fb/%C3%A9", "", NULL, 0);
    assert_string_equal(reply.body, "rest GET /tree/a/b/\xC3\xA9 agent= name=none body=");
    http_reply_release(&reply);
}

static void what_is_asked_wrongly_is_answered_with_what_would_be_right(void **state) {
    static const struct {
        const char *method, *target;
        int status;
        const char *allow;
    } cases[] = {
        {"GET", "/nothing", 404, ""},
        {"GET", "/tree", 404, ""},
        {"DELETE", "/echo", 405, "GET, HEAD, POST"},
        {"GET", "/empty", 405, "POST"},
        {"GET", "/tree/%zz", 400, ""},
        {"GET", "/tree/%00", 400, ""},
        {"OPTIONS", "*", 400, ""},
        {"GET", "http://example.org/echo?name=x", 200, ""},
        {"GET", "http://example.org", 404, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_reply reply =
            http_ask(http_server_address(*state), cases[i].method, cases[i].target, "", NULL, 0);
        assert_int_equal(reply.status, cases[i].status);
        assert_string_equal(http_reply_header(&reply, "allow"), cases[i].allow);
        http_reply_release(&reply);
    }
}

static void head_is_answered_like_get_without_the_body(void **state) {
    struct http_reply reply = http_ask(http_server_address(*state), "HEAD", "/echo", "", NULL, 0);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body_bytes, 0);
    assert_int_equal(atoi(http_reply_header(&reply, "content-length")),
                     (int)strlen("exact HEAD /echo agent= name=none body="));
    http_reply_release(&reply);
}

static void a_connection_serves_one_request_after_another(void **state) {
    int fd = http_connect(http_server_address(*state));
    for (int i = 0; i < 3; i++) {
        http_send_text(fd, "POST /empty HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
        struct http_reply reply = http_receive(fd, false);
        assert_int_equal(reply.status, 204);
        assert_string_equal(http_reply_header(&reply, "content-length"), "");
        http_reply_release(&reply);
    }
    close(fd);
}

static void a_chunked_body_is_joined(void **state) {
    int fd = http_connect(http_server_address(*state));
    http_send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                       "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    struct http_reply reply = http_receive(fd, false);
    assert_string_equal(reply.body, "exact POST /echo agent= name=none body=abcde");
    http_reply_release(&reply);
    close(fd);
}

static void expect_100_is_answered_before_the_body(void **state) {
    int fd = http_connect(http_server_address(*state));
    http_send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    char interim[64] = "";
    static const char expected[] = "HTTP/1.1 100 Continue\r\n\r\n";
    for (size_t i = 0; i < sizeof expected - 1; i++)
        assert_int_equal(read(fd, &interim[i], 1), 1);
    assert_string_equal(interim, expected);
    http_send_text(fd, "ok");
    struct http_reply reply = http_receive(fd, false);
    assert_int_equal(reply.status, 200);
    http_reply_release(&reply);
    close(fd);
}

static void one_connection_too_many_is_closed_and_the_others_go_on(void **state) {
    int fds[MAX_CONNECTIONS];
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
        fds[i] = http_connect(http_server_address(*state));
        http_send_text(fds[i], "POST /empty HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        struct http_reply reply = http_receive(fds[i], false);
        assert_int_equal(reply.status, 204);
        http_reply_release(&reply);
    }
    int extra = http_connect(http_server_address(*state));
    assert_true(http_is_at_end(extra));
    close(extra);
    close(fds[0]);
    http_send_text(fds[1], "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    struct http_reply reply = http_receive(fds[1], false);
    assert_int_equal(reply.status, 200);
    http_reply_release(&reply);
    for (int i = 1; i < MAX_CONNECTIONS; i++)
        close(fds[i]);
}

/* Reads until `text` has come; the stream stays open. */
static void expect_on_stream(int fd, const char *text) {
    char seen[2048] = "";
    for (size_t used = 0; !strstr(seen, text); used++) {
        assert_true(used + 1 < sizeof seen);
        assert_int_equal(read(fd, &seen[used], 1), 1);
        seen[used + 1] = '\0';
    }
}

static int subscribe(struct http_server *server, const char *headers) {
    int fd = http_connect(http_server_address(server));
    char request[256];
    snprintf(request, sizeof request, "GET /events HTTP/1.1\r\nHost: x\r\n%s\r\n", headers);
    http_send_text(fd, request);
    return fd;
}

static void an_event_stream_begins_with_everything_and_goes_on_with_what_changes(void **state) {
    int fd = subscribe(*state, "");
    expect_on_stream(fd, "text/event-stream");
    expect_on_stream(fd, "retry: ");
    expect_on_stream(fd, "id: 7\ndata: from 0\n\n");
    atomic_store(&newest, 8);
    expect_on_stream(fd, "id: 8\ndata: from 7\n\n");
    close(fd);
}

static void a_returning_subscriber_catches_up_from_its_last_event(void **state) {
    int fd = subscribe(*state, "Last-Event-ID: 5\r\n");
    expect_on_stream(fd, "data: from 5\n\n");
    close(fd);
}

static void one_subscriber_too_many_is_told_not_to_come_back(void **state) {
    int first = subscribe(*state, ""), second = subscribe(*state, "");
    expect_on_stream(first, "data: from 0");
    expect_on_stream(second, "data: from 0");
    int third = subscribe(*state, "");
    struct http_reply reply = http_receive(third, false);
    assert_int_equal(reply.status, 204);
    http_reply_release(&reply);
    close(first);
    close(second);
    close(third);
}

static void stopping_ends_event_streams_properly_and_refuses_new_connections(void **state) {
    (void)state;
    atomic_store(&newest, 7);
    struct http_server *server = start_with(2, 2000);
    char address[64];
    snprintf(address, sizeof address, "%s", http_server_address(server));
    int stream = subscribe(server, ""), idle = http_connect(address);
    expect_on_stream(stream, "data: from 0\n\n");
    int64_t before = clock_monotonic_ms();
    http_server_stop(server, 2000);
    assert_true(clock_monotonic_ms() - before < 1500);
    expect_on_stream(stream, "0\r\n\r\n");
    assert_true(http_is_at_end(stream));
    assert_true(http_is_at_end(idle));
    assert_int_equal(http_try_connect(address), -1);
    close(stream);
    close(idle);
    http_server_destroy(server);
}

static struct http_server *stopping_server;
static void *stop_in_background(void *unused) {
    (void)unused;
    http_server_stop(stopping_server, 3000);
    return NULL;
}

static void a_request_in_flight_is_answered_before_the_server_stops(void **state) {
    (void)state;
    stopping_server = start_with(1, 3000);
    int fd = http_connect(http_server_address(stopping_server));
    http_send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    expect_on_stream(fd, "100 Continue\r\n\r\n"); /* the server has the head: the request is in flight */
    pthread_t stopper;
    assert_int_equal(pthread_create(&stopper, NULL, stop_in_background, NULL), 0);
    while (true) { /* until the listener is gone */
        int probe = http_try_connect(http_server_address(stopping_server));
        if (probe < 0)
            break;
        close(probe);
    }
    http_send_text(fd, "done");
    struct http_reply reply = http_receive(fd, false);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.body, "body=done"));
    assert_true(http_is_at_end(fd));
    http_reply_release(&reply);
    pthread_join(stopper, NULL);
    http_server_destroy(stopping_server);
    close(fd);
}

static void a_port_in_use_is_named_with_what_to_do(void **state) {
    struct http_server_settings settings = {.listen_address = http_server_address(*state),
                                            .threads = 1,
                                            .max_connections = 1,
                                            .head_and_body_timeout_ms = 1000,
                                            .event_tick_ms = 1000};
    struct http_server *server = NULL;
    struct error err;
    assert_int_equal(http_server_create(&settings, routes, 1, &server, &err), STATUS_UNAVAILABLE);
    char expected[256];
    snprintf(expected, sizeof expected,
             "%s is in use by another program: choose another --web.listen-address, or stop that program",
             http_server_address(*state));
    assert_string_equal(err.text, expected);
}

static void an_address_that_is_none_is_refused_with_a_sentence(void **state) {
    (void)state;
    static const char *const addresses[] = {"nonsense", "127.0.0.1:http-alt-no", "256.1.1.1:80",
                                            "203.0.113.1:0"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct http_server_settings settings = {
            .listen_address = addresses[i], .threads = 1, .max_connections = 1, .event_tick_ms = 1000};
        struct http_server *server = NULL;
        struct error err;
        assert_int_equal(http_server_create(&settings, routes, 1, &server, &err), STATUS_INVALID);
        assert_non_null(strstr(err.text, addresses[i]));
    }
}

static void whether_only_this_machine_can_reach_it_is_known(void **state) {
    (void)state;
    static const struct {
        const char *address;
        bool is_loopback;
    } cases[] = {{"127.0.0.1:0", true}, {"127.3.2.1:0", true}, {"[::1]:0", true},
                 {"0.0.0.0:0", false},  {"[::]:0", false},     {":0", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_server_settings settings = {
            .listen_address = cases[i].address, .threads = 1, .max_connections = 1, .event_tick_ms = 1000};
        struct http_server *server = NULL;
        if (http_server_create(&settings, routes, 1, &server, NULL) != STATUS_OK)
            continue; /* a machine without IPv6 */
        assert_int_equal(http_server_is_loopback(server), cases[i].is_loopback);
        http_server_destroy(server);
    }
}

static void ipv6_addresses_are_written_in_brackets(void **state) {
    (void)state;
    struct http_server_settings settings = {.listen_address = "[::1]:0",
                                            .threads = 1,
                                            .max_connections = 4,
                                            .max_body_bytes = 10,
                                            .head_and_body_timeout_ms = 1000,
                                            .event_tick_ms = 1000};
    struct http_server *server = NULL;
    struct error err;
    if (http_server_create(&settings, routes, 1, &server, &err) != STATUS_OK)
        skip(); /* a machine without IPv6 */
    assert_int_equal(strncmp(http_server_address(server), "[::1]:", 6), 0);
    assert_int_equal(http_server_start(server, &err), STATUS_OK);
    struct http_reply reply = http_ask(http_server_address(server), "GET", "/echo", "", NULL, 0);
    assert_int_equal(reply.status, 200);
    http_reply_release(&reply);
    http_server_stop(server, 1000);
    http_server_destroy(server);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVED(a_request_reaches_its_handler_with_all_its_parts),
        SERVED(a_line_break_in_a_header_value_starts_no_new_header),
        SERVED(the_rest_of_a_wildcard_path_is_percent_decoded),
        SERVED(what_is_asked_wrongly_is_answered_with_what_would_be_right),
        SERVED(head_is_answered_like_get_without_the_body),
        SERVED(a_connection_serves_one_request_after_another),
        SERVED(a_chunked_body_is_joined),
        SERVED(expect_100_is_answered_before_the_body),
        SERVED(one_connection_too_many_is_closed_and_the_others_go_on),
        SERVED(an_event_stream_begins_with_everything_and_goes_on_with_what_changes),
        SERVED(a_returning_subscriber_catches_up_from_its_last_event),
        SERVED(one_subscriber_too_many_is_told_not_to_come_back),
        cmocka_unit_test(stopping_ends_event_streams_properly_and_refuses_new_connections),
        cmocka_unit_test(a_request_in_flight_is_answered_before_the_server_stops),
        SERVED(a_port_in_use_is_named_with_what_to_do),
        cmocka_unit_test(an_address_that_is_none_is_refused_with_a_sentence),
        cmocka_unit_test(whether_only_this_machine_can_reach_it_is_known),
        cmocka_unit_test(ipv6_addresses_are_written_in_brackets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
