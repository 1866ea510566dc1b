#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "helper/helper_protocol.h"

static const struct helper_request act = {
    .op = HELPER_ACT,
    .id = 0xdeadbeef,
    .act =
        {.handle = {{1, 2, 3}}, .rung = RUNG_TERMINATE, .dry_run = true, .key = {9, 8, 7}, .deadline_ms = -5},
};

/* A frame's message in memory of exactly its size, so that the sanitizer sees a byte too far. */
static uint8_t *exact_copy(const uint8_t *frame, size_t length) {
    uint8_t *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    memcpy(copy, frame + HELPER_LENGTH_BYTES, length);
    return copy;
}

static enum status decode_request(const uint8_t *frame, size_t length) {
    struct helper_request out;
    uint8_t *copy = exact_copy(frame, length);
    enum status status = helper_decode_request(copy, length, &out, NULL);
    free(copy);
    return status;
}

static void an_act_request_comes_out_as_it_went_in(void **state) {
    (void)state;
    uint8_t frame[HELPER_FRAME_MAX];
    struct helper_request out;
    size_t length = helper_encode_request(&act, frame), claimed;
    assert_int_equal(helper_frame_length(frame, &claimed, NULL), STATUS_OK);
    assert_int_equal(claimed, length - HELPER_LENGTH_BYTES);
    assert_int_equal(helper_decode_request(frame + HELPER_LENGTH_BYTES, claimed, &out, NULL), STATUS_OK);
    assert_int_equal(out.op, act.op);
    assert_int_equal(out.id, act.id);
    assert_memory_equal(out.act.handle.bytes, act.act.handle.bytes, 16);
    assert_memory_equal(out.act.key, act.act.key, 16);
    assert_int_equal(out.act.rung, act.act.rung);
    assert_true(out.act.dry_run);
    assert_int_equal(out.act.deadline_ms, -5);
}

static void every_cut_and_a_trailing_byte_are_refused(void **state) {
    (void)state;
    uint8_t frame[HELPER_FRAME_MAX + 1];
    for (int op = HELPER_HELLO; op <= HELPER_PAUSE; op++) {
        struct helper_request request = act;
        request.op = (enum helper_op)op;
        if (op != HELPER_ACT)
            request.pause = true;
        size_t length = helper_encode_request(&request, frame) - HELPER_LENGTH_BYTES;
        assert_int_equal(decode_request(frame, length), STATUS_OK);
        for (size_t cut = 0; cut < length; cut++)
            assert_int_equal(decode_request(frame, cut), STATUS_INVALID);
        frame[HELPER_LENGTH_BYTES + length] = 0;
        assert_int_equal(decode_request(frame, length + 1), STATUS_INVALID);
    }
}

static void a_wrong_version_operation_rung_or_reserved_bit_is_refused(void **state) {
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } faults[] = {{0, 0},    {0, 2},  {1, 0},  {1, 7},  {1, 0x83}, {2, 1},
                  {3, 0x80}, {24, 0}, {24, 6}, {25, 2}, {26, 1},   {27, 1}};
    uint8_t frame[HELPER_FRAME_MAX];
    size_t length = helper_encode_request(&act, frame) - HELPER_LENGTH_BYTES;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        uint8_t *at = frame + HELPER_LENGTH_BYTES + faults[i].at, before = *at;
        *at = faults[i].value;
        assert_int_equal(decode_request(frame, length), STATUS_INVALID);
        *at = before;
    }
    assert_int_equal(decode_request(frame, length), STATUS_OK);
}

static void frames_of_no_bytes_or_too_many_are_refused(void **state) {
    (void)state;
    static const uint8_t bad[][4] = {{0, 0, 0, 0}, {1, 16, 0, 0}, {255, 255, 255, 255}, {0, 0, 0, 1}};
    size_t length = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(helper_frame_length(bad[i], &length, NULL), STATUS_INVALID);
    assert_int_equal(length, 77);
    assert_int_equal(helper_frame_length((const uint8_t[]){0, 16, 0, 0}, &length, NULL), STATUS_OK);
    assert_int_equal(length, HELPER_MESSAGE_MAX);
}

static void replies_come_out_as_they_went_in(void **state) {
    (void)state;
    uint8_t frame[HELPER_FRAME_MAX];
    struct helper_reply in = {.op = HELPER_HELLO, .id = 7}, out;
    strcpy(in.hello.host_identity, "0123456789abcdef");
    in.hello.monotonic_ms = 123456789012;
    in.hello.capabilities = HELPER_CAN_PIN | HELPER_CAN_TERMINATE;
    size_t length = helper_encode_reply(&in, frame);
    assert_int_equal(helper_decode_reply(frame + 4, length - 4, &out, NULL), STATUS_OK);
    assert_string_equal(out.hello.host_identity, in.hello.host_identity);
    assert_int_equal(out.hello.monotonic_ms, in.hello.monotonic_ms);
    assert_int_equal(out.hello.capabilities, in.hello.capabilities);

    in = (struct helper_reply){
        .op = HELPER_ACT, .id = 8, .act = {.outcome = HELPER_KILLED, .reason = "because"}};
    length = helper_encode_reply(&in, frame);
    assert_int_equal(helper_decode_reply(frame + 4, length - 4, &out, NULL), STATUS_OK);
    assert_int_equal(out.act.outcome, HELPER_KILLED);
    assert_string_equal(out.act.reason, "because");

    in = (struct helper_reply){
        .op = HELPER_STATUS,
        .status = {.flags = HELPER_PAUSED, .budget_per_day = 5, .frozen = 2, .text = "t"}};
    length = helper_encode_reply(&in, frame);
    assert_int_equal(helper_decode_reply(frame + 4, length - 4, &out, NULL), STATUS_OK);
    assert_int_equal(out.status.budget_per_day, 5);
    assert_int_equal(out.status.frozen, 2);
    assert_int_equal(out.status.flags, HELPER_PAUSED);
}

static void a_list_that_is_too_long_loses_its_coolest_rows(void **state) {
    (void)state;
    uint8_t frame[HELPER_FRAME_MAX];
    struct helper_reply in = {.op = HELPER_LIST, .list = {.count = HELPER_LIST_MAX}}, out;
    for (size_t i = 0; i < HELPER_LIST_MAX; i++) {
        struct helper_candidate *row = &in.list.items[i];
        row->cpu_milli = (uint32_t)(1000 - i);
        memset(row->comm, 'c', sizeof row->comm - 1);
        memset(row->where, 'w', sizeof row->where - 1);
        memset(row->reason, 'r', sizeof row->reason - 1);
    }
    size_t length = helper_encode_reply(&in, frame);
    assert_true(length <= HELPER_FRAME_MAX);
    assert_int_equal(helper_decode_reply(frame + 4, length - 4, &out, NULL), STATUS_OK);
    assert_int_equal(out.list.count, 12);
    for (size_t i = 0; i < out.list.count; i++)
        assert_int_equal(out.list.items[i].cpu_milli, 1000 - i);
    assert_string_equal(out.list.items[11].reason, in.list.items[11].reason);
}

static void what_a_process_calls_itself_is_sent_as_printable_text(void **state) {
    (void)state;
    uint8_t frame[HELPER_FRAME_MAX];
    struct helper_reply in = {.op = HELPER_LIST, .list = {.count = 1}}, out;
    strcpy(in.list.items[0].comm, "a\n\x1b[31m\xff\"");
    size_t length = helper_encode_reply(&in, frame);
    assert_int_equal(helper_decode_reply(frame + 4, length - 4, &out, NULL), STATUS_OK);
    assert_string_equal(out.list.items[0].comm, "a??[31m?\"");
    uint8_t *comm = frame + length - 2 - strlen("a??[31m?\"");
    assert_int_equal(*comm, 'a');
    *comm = '\n';
    assert_int_equal(helper_decode_reply(frame + 4, length - 4, &out, NULL), STATUS_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_act_request_comes_out_as_it_went_in),
        cmocka_unit_test(every_cut_and_a_trailing_byte_are_refused),
        cmocka_unit_test(a_wrong_version_operation_rung_or_reserved_bit_is_refused),
        cmocka_unit_test(frames_of_no_bytes_or_too_many_are_refused),
        cmocka_unit_test(replies_come_out_as_they_went_in),
        cmocka_unit_test(a_list_that_is_too_long_loses_its_coolest_rows),
        cmocka_unit_test(what_a_process_calls_itself_is_sent_as_printable_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
