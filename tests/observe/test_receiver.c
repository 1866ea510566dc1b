/* src/observe/receiver behind the real http server: what a sender sees, and what core is handed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/counters.h"
#include "observe/receiver.h"
#include "support/http_client.h"
#include "support/write_body.h"

static const struct series_selector selectors[] = {{.metric = "node_load1"}, {.metric = "node_load5"}};

struct fixture {
    struct selector_table *table;
    struct host_directory *directory;
    struct receiver *receiver;
    struct http_route route;
    struct http_server *server;
    struct observation_batch *delivered; /* the newest */
    enum status answer;                  /* of deliver */
};

static enum status deliver(void *context, struct observation_batch *batch) {
    struct fixture *fixture = context;
    if (fixture->answer != STATUS_OK)
        return fixture->answer;
    free(fixture->delivered);
    fixture->delivered = batch;
    return STATUS_OK;
}

static int open_fixture(void **state) {
    static struct fixture fixture;
    fixture = (struct fixture){0};
    fixture.table = selector_table_create(selectors, 2);
    fixture.directory = host_directory_create(10);
    struct receiver_settings settings = {.limits = {.max_decoded_bytes = 1 << 20,
                                                    .max_labels_per_series = 32,
                                                    .max_label_name_bytes = 64,
                                                    .max_label_value_bytes = 64,
                                                    .max_samples = 100},
                                         .host_label = "instance",
                                         .threads = 1,
                                         .max_series = 100,
                                         .max_arena_bytes = 4 << 20,
                                         .max_future_ms = 600000,
                                         .cluster_label = "cluster",
                                         .replica_label = "__replica__",
                                         .max_clusters = 10,
                                         .failover_ms = 30000};
    fixture.receiver = receiver_create(&settings, fixture.table, fixture.directory, deliver, &fixture);
    fixture.route = (struct http_route){.method = "POST",
                                        .path = "/api/v1/write",
                                        .handler = receiver_handle_write,
                                        .context = fixture.receiver};
    struct http_server_settings server_settings = {.listen_address = "127.0.0.1:0",
                                                   .threads = 1,
                                                   .max_connections = 10,
                                                   .max_body_bytes = 1 << 20,
                                                   .head_and_body_timeout_ms = 2000,
                                                   .event_tick_ms = 1000};
    struct error err;
    assert_int_equal(http_server_create(&server_settings, &fixture.route, 1, &fixture.server, &err),
                     STATUS_OK);
    assert_int_equal(http_server_start(fixture.server, &err), STATUS_OK);
    *state = &fixture;
    return 0;
}

static int close_fixture(void **state) {
    struct fixture *fixture = *state;
    http_server_stop(fixture->server, 1000);
    http_server_destroy(fixture->server);
    receiver_destroy(fixture->receiver);
    host_directory_destroy(fixture->directory);
    selector_table_destroy(fixture->table);
    free(fixture->delivered);
    return 0;
}

static const char PLAIN_HEADERS[] = "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"
                                    "X-Prometheus-Remote-Write-Version: 0.1.0\r\n";

/* Sends the message and releases it. */
static struct http_reply write_with(struct fixture *fixture, const char *headers,
                                    struct write_body *message) {
    struct write_body block = write_body_compress(message);
    struct http_reply reply = http_ask(http_server_address(fixture->server), "POST", "/api/v1/write", headers,
                                       block.bytes, block.length);
    write_body_release(&block);
    write_body_release(message);
    return reply;
}

static void wanted_samples_reach_core_and_the_answer_is_204(void **state) {
    struct fixture *fixture = *state;
    int64_t now = clock_realtime_ms();
    uint64_t received = counter_read(COUNTER_SAMPLES_RECEIVED),
             matched = counter_read(COUNTER_SAMPLES_MATCHED);
    uint64_t answered = counter_read(COUNTER_WRITE_V1_204);
    struct write_body message = {0};
    write_body_add_sample(&message, now, 0.5, "__name__", "node_load1", "instance", "a", NULL);
    write_body_add_sample(&message, now, 1, "__name__", "unwanted", "instance", "a", NULL);
    write_body_add_sample(&message, now + 1, 0.7, "__name__", "node_load5", "instance", "b", NULL);
    struct http_reply reply = write_with(fixture, PLAIN_HEADERS, &message);
    assert_int_equal(reply.status, 204);
    assert_string_equal(http_reply_header(&reply, "x-content-type-options"), "nosniff");
    assert_string_equal(http_reply_header(&reply, "x-prometheus-remote-write-samples-written"), "");
    http_reply_release(&reply);
    assert_non_null(fixture->delivered);
    assert_int_equal(fixture->delivered->count, 2);
    assert_true(fixture->delivered->received_at_ms >= now);
    const struct observation *seen = fixture->delivered->observations;
    assert_int_equal(seen[0].inputs, 1);
    assert_int_equal(seen[1].inputs, 2);
    assert_int_equal(seen[1].timestamp_ms, now + 1);
    assert_true(seen[1].value == 0.7);
    assert_string_equal(host_directory_name(fixture->directory, seen[1].host), "b");
    assert_int_equal(counter_read(COUNTER_SAMPLES_RECEIVED) - received, 3);
    assert_int_equal(counter_read(COUNTER_SAMPLES_MATCHED) - matched, 2);
    assert_int_equal(counter_read(COUNTER_WRITE_V1_204) - answered, 1);
    assert_int_equal(receiver_series_count(fixture->receiver), 3);
}

static void headers_decide_before_the_body_is_looked_at(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *headers;
        int status;
    } cases[] = {
        {"", 400},
        {"Content-Type: application/x-protobuf\r\n", 400},
        {"Content-Type: application/x-protobuf;proto=prometheus.WriteRequest\r\n", 400},
        {"Content-Type: Application/X-Protobuf ; Proto=\"prometheus.WriteRequest\"\r\n", 400},
        {"Content-Encoding: Snappy\r\n", 400},
        {"Content-Type: application/json\r\n", 415},
        {"Content-Type: application/x-protobuf;proto=io.prometheus.write.v3.Request\r\n", 415},
        {"Content-Type: application/x-protobuf;proto\r\n", 415},
        {"Content-Type: application/x-protobuf\r\nContent-Encoding: zstd\r\n", 415},
        {"Content-Type: application/x-protobuf\r\nContent-Encoding: snappy, gzip\r\n", 415},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_reply reply = http_ask(http_server_address(fixture->server), "POST", "/api/v1/write",
                                           cases[i].headers, "not snappy", 10);
        if (reply.status != cases[i].status)
            fail_msg("case %zu: %d", i, reply.status);
        assert_true(reply.body_bytes > 10);
        http_reply_release(&reply);
    }
    assert_null(fixture->delivered);
}

static void a_partly_bad_batch_is_400_and_its_good_series_are_kept(void **state) {
    struct fixture *fixture = *state;
    uint64_t refused = counter_read(COUNTER_SAMPLES_REFUSED),
             received = counter_read(COUNTER_SAMPLES_RECEIVED);
    struct write_body message = {0};
    write_body_add_sample(&message, 1, 1, "instance", "nameless", NULL);
    write_body_add_sample(&message, 1, 1, "__name__", "node_load1", "instance", "a", NULL);
    struct http_reply reply = write_with(fixture, PLAIN_HEADERS, &message);
    assert_int_equal(reply.status, 400);
    assert_string_equal(reply.body, "there is no metric name (label __name__); series 0, without a name\n");
    http_reply_release(&reply);
    assert_int_equal(fixture->delivered->count, 1);
    assert_int_equal(counter_read(COUNTER_SAMPLES_REFUSED) - refused, 1);
    assert_int_equal(counter_read(COUNTER_SAMPLES_RECEIVED) - received, 1);
}

static void a_full_queue_is_503_and_nothing_is_counted_until_the_body_comes_again(void **state) {
    struct fixture *fixture = *state;
    uint64_t received = counter_read(COUNTER_SAMPLES_RECEIVED);
    static const enum status full[] = {STATUS_BUSY, STATUS_UNAVAILABLE};
    for (size_t i = 0; i < 2; i++) {
        fixture->answer = full[i];
        struct write_body message = {0};
        write_body_add_sample(&message, 1, 1, "__name__", "node_load1", "instance", "a", NULL);
        struct http_reply reply = write_with(fixture, PLAIN_HEADERS, &message);
        assert_int_equal(reply.status, 503);
        assert_string_equal(http_reply_header(&reply, "retry-after"), "1");
        http_reply_release(&reply);
    }
    assert_int_equal(counter_read(COUNTER_SAMPLES_RECEIVED), received);
    fixture->answer = STATUS_OK;
    struct write_body message = {0};
    write_body_add_sample(&message, 1, 1, "__name__", "node_load1", "instance", "a", NULL);
    struct http_reply reply = write_with(fixture, PLAIN_HEADERS, &message);
    assert_int_equal(reply.status, 204);
    assert_int_equal(fixture->delivered->count, 1);
    http_reply_release(&reply);
}

static void a_sample_from_the_far_future_is_counted_and_never_used(void **state) {
    struct fixture *fixture = *state;
    uint64_t future = counter_read(COUNTER_SAMPLES_FUTURE), received = counter_read(COUNTER_SAMPLES_RECEIVED);
    struct write_body message = {0};
    static const char *const labels[] = {"__name__", "node_load1", "instance", "a", NULL};
    struct body_sample samples[] = {
        {clock_realtime_ms() + 3600000, 0}, {INT64_MAX, 0}, {clock_realtime_ms(), 0}, {INT64_MIN, 0}};
    write_body_add_series(&message, labels, samples, 4);
    struct http_reply reply = write_with(fixture, PLAIN_HEADERS, &message);
    assert_int_equal(reply.status, 400);
    assert_string_equal(reply.body, "2 samples are dated more than 600 s ahead of this clock\n");
    http_reply_release(&reply);
    assert_int_equal(fixture->delivered->count, 2);
    assert_int_equal(fixture->delivered->observations[0].timestamp_ms, samples[2].timestamp_ms);
    assert_int_equal(counter_read(COUNTER_SAMPLES_FUTURE) - future, 2);
    assert_int_equal(counter_read(COUNTER_SAMPLES_RECEIVED) - received, 2);
}

static void too_many_samples_in_one_request_are_413(void **state) {
    struct fixture *fixture = *state;
    struct write_body message = {0};
    static const char *const labels[] = {"__name__", "node_load1", "instance", "a", NULL};
    struct body_sample samples[101] = {{0}};
    write_body_add_series(&message, labels, samples, 101);
    struct http_reply reply = write_with(fixture, PLAIN_HEADERS, &message);
    assert_int_equal(reply.status, 413);
    http_reply_release(&reply);
    assert_null(fixture->delivered);
}

static void a_request_with_metadata_only_is_204(void **state) {
    struct fixture *fixture = *state;
    struct write_body message = {0};
    write_body_put_field(&message, 3, "\x08\x01", 2);
    struct http_reply reply = write_with(fixture, PLAIN_HEADERS, &message);
    assert_int_equal(reply.status, 204);
    http_reply_release(&reply);
    assert_null(fixture->delivered);
}

static const char V2_HEADERS[] =
    "Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request\r\n"
    "Content-Encoding: snappy\r\n";

static void assert_written(const struct http_reply *reply, const char *samples, const char *histograms,
                           const char *exemplars) {
    assert_string_equal(http_reply_header(reply, "x-prometheus-remote-write-samples-written"), samples);
    assert_string_equal(http_reply_header(reply, "x-prometheus-remote-write-histograms-written"), histograms);
    assert_string_equal(http_reply_header(reply, "x-prometheus-remote-write-exemplars-written"), exemplars);
}

static const char *const v2_symbols[] = {"", "__name__", "node_load1", "instance", "a", NULL};
static const int v2_good[] = {1, 2, 3, 4, -1}, v2_bad[] = {3, 4, -1};

static void a_2_0_sender_is_told_exactly_what_was_written(void **state) {
    struct fixture *fixture = *state;
    uint64_t whole = counter_read(COUNTER_WRITE_V2_204), partial = counter_read(COUNTER_WRITE_V2_400);
    struct write_body message = {0}, fields = {0};
    write_body_put_v2_sample(&fields, clock_realtime_ms(), 1, 0);
    write_body_put_v2_sample(&fields, clock_realtime_ms() + 1, 2, 0);
    write_body_put_field(&fields, 3, "h", 1);
    write_body_put_field(&fields, 4, "", 0);
    write_body_add_v2_symbols(&message, v2_symbols);
    write_body_add_v2_series(&message, v2_good, &fields);
    struct write_body copy = {0};
    write_body_put(&copy, message.bytes, message.length);
    struct http_reply reply = write_with(fixture, V2_HEADERS, &message);
    assert_int_equal(reply.status, 204);
    assert_written(&reply, "2", "1", "1");
    assert_int_equal(fixture->delivered->count, 2);
    http_reply_release(&reply);

    write_body_add_v2_series(&copy, v2_bad, &fields);
    write_body_put_v2_sample(&fields, clock_realtime_ms() + 3600000, 3, 0);
    write_body_add_v2_series(&copy, v2_good, &fields);
    reply = write_with(fixture, V2_HEADERS, &copy);
    assert_int_equal(reply.status, 400);
    assert_written(&reply, "4", "2", "2");
    assert_int_equal(fixture->delivered->count, 4);
    http_reply_release(&reply);
    assert_int_equal(counter_read(COUNTER_WRITE_V2_204) - whole, 1);
    assert_int_equal(counter_read(COUNTER_WRITE_V2_400) - partial, 1);
    write_body_release(&fields);
}

static void a_2_0_failure_says_that_nothing_was_written(void **state) {
    struct fixture *fixture = *state;
    struct http_reply reply =
        http_ask(http_server_address(fixture->server), "POST", "/api/v1/write", V2_HEADERS, "x", 1);
    assert_int_equal(reply.status, 400);
    assert_written(&reply, "0", "0", "0");
    http_reply_release(&reply);
    fixture->answer = STATUS_BUSY;
    struct write_body message = {0}, fields = {0};
    write_body_put_v2_sample(&fields, 1, 1, 0);
    write_body_add_v2_symbols(&message, v2_symbols);
    write_body_add_v2_series(&message, v2_good, &fields);
    reply = write_with(fixture, V2_HEADERS, &message);
    assert_int_equal(reply.status, 503);
    assert_written(&reply, "0", "0", "0");
    http_reply_release(&reply);
    write_body_release(&fields);
}

static struct http_reply write_as_replica(struct fixture *fixture, const char *replica) {
    struct write_body message = {0};
    write_body_add_sample(&message, 1, 1, "__name__", "node_load1", "__replica__", replica, "cluster", "eu",
                          "instance", "a", NULL);
    return write_with(fixture, PLAIN_HEADERS, &message);
}

static void the_other_half_of_a_pair_is_thanked_and_not_counted(void **state) {
    struct fixture *fixture = *state;
    uint64_t received = counter_read(COUNTER_SAMPLES_RECEIVED),
             dropped = counter_read(COUNTER_SAMPLES_OF_REPLICAS);
    struct http_reply reply = write_as_replica(fixture, "one");
    assert_int_equal(reply.status, 204);
    http_reply_release(&reply);
    struct observation_batch *first = fixture->delivered;
    assert_non_null(first);
    reply = write_as_replica(fixture, "two");
    assert_int_equal(reply.status, 204);
    http_reply_release(&reply);
    assert_ptr_equal(fixture->delivered, first);
    assert_int_equal(counter_read(COUNTER_SAMPLES_RECEIVED) - received, 1);
    assert_int_equal(counter_read(COUNTER_SAMPLES_OF_REPLICAS) - dropped, 1);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVED(wanted_samples_reach_core_and_the_answer_is_204),
        SERVED(headers_decide_before_the_body_is_looked_at),
        SERVED(a_partly_bad_batch_is_400_and_its_good_series_are_kept),
        SERVED(a_full_queue_is_503_and_nothing_is_counted_until_the_body_comes_again),
        SERVED(a_sample_from_the_far_future_is_counted_and_never_used),
        SERVED(too_many_samples_in_one_request_are_413),
        SERVED(a_request_with_metadata_only_is_204),
        SERVED(a_2_0_sender_is_told_exactly_what_was_written),
        SERVED(a_2_0_failure_says_that_nothing_was_written),
        SERVED(the_other_half_of_a_pair_is_thanked_and_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
