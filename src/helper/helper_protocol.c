#include "helper/helper_protocol.h"

#include <assert.h>
#include <string.h>

enum {
    REPLY_BIT = 0x80, /* set in the operation of every reply */
    FLAG_DRY_RUN = 1, /* of an ACT request */
    FLAG_ALLOWED = 1, /* of a listed process */
};

/* Both cursors remember the first overrun and do nothing after it, so callers check once, at the end. */
struct writer {
    uint8_t *at, *end;
    bool overrun;
};

struct reader {
    const uint8_t *at, *end;
    bool bad;
};

static void put_bytes(struct writer *w, const void *bytes, size_t length) {
    if (w->overrun || (size_t)(w->end - w->at) < length) {
        w->overrun = true;
        return;
    }
    memcpy(w->at, bytes, length);
    w->at += length;
}

static void put_number(struct writer *w, uint64_t value, size_t bytes) {
    uint8_t little_endian[8];
    for (size_t i = 0; i < bytes; i++)
        little_endian[i] = (uint8_t)(value >> (8 * i));
    put_bytes(w, little_endian, bytes);
}

static bool is_printable(uint8_t c) {
    return c >= 0x20 && c < 0x7f;
}

/* One byte of length, then the bytes. `size` is that of the array, its NUL included: at most 256. */
static void put_text(struct writer *w, const char *text, size_t size) {
    size_t length = strnlen(text, size - 1);
    put_number(w, length, 1);
    for (size_t i = 0; i < length; i++)
        put_number(w, is_printable((uint8_t)text[i]) ? (uint8_t)text[i] : '?', 1);
}

static const uint8_t *take_bytes(struct reader *r, size_t length) {
    if (r->bad || (size_t)(r->end - r->at) < length) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *bytes = r->at;
    r->at += length;
    return bytes;
}

static void get_bytes(struct reader *r, void *out, size_t length) {
    const uint8_t *bytes = take_bytes(r, length);
    if (bytes)
        memcpy(out, bytes, length);
}

static uint64_t get_number(struct reader *r, size_t length) {
    const uint8_t *bytes = take_bytes(r, length);
    uint64_t value = 0;
    for (size_t i = 0; bytes && i < length; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

/* A number of a closed range: anything else is as bad as a missing byte. */
static uint32_t get_bounded(struct reader *r, size_t length, uint32_t lowest, uint32_t highest) {
    uint64_t value = get_number(r, length);
    if (value < lowest || value > highest) {
        r->bad = true;
        return lowest;
    }
    return (uint32_t)value;
}

static uint32_t get_bits(struct reader *r, size_t length, uint32_t known) {
    uint64_t value = get_number(r, length);
    r->bad |= (value & ~(uint64_t)known) != 0;
    return (uint32_t)value & known;
}

static void get_text(struct reader *r, char *out, size_t size) {
    size_t length = get_bounded(r, 1, 0, (uint32_t)size - 1);
    const uint8_t *bytes = take_bytes(r, length);
    for (size_t i = 0; bytes && i < length; i++) {
        r->bad |= !is_printable(bytes[i]);
        out[i] = (char)bytes[i];
    }
    out[bytes ? length : 0] = '\0';
}

static struct writer begin_message(uint8_t frame[HELPER_FRAME_MAX], unsigned op, uint32_t id) {
    struct writer w = {0};
    w.at = frame + HELPER_LENGTH_BYTES;
    w.end = frame + HELPER_FRAME_MAX;
    put_number(&w, HELPER_PROTOCOL_VERSION, 1);
    put_number(&w, op, 1);
    put_number(&w, 0, 2);
    put_number(&w, id, 4);
    return w;
}

static size_t end_message(const struct writer *w, uint8_t frame[HELPER_FRAME_MAX]) {
    assert(!w->overrun);
    size_t length = (size_t)(w->at - frame);
    struct writer header = *w;
    header.at = frame;
    put_number(&header, length - HELPER_LENGTH_BYTES, HELPER_LENGTH_BYTES);
    return length;
}

/* Reads what every message begins with; `reply` is what its operation must say of its direction. */
static void get_header(struct reader *r, bool reply, enum helper_op *op, uint32_t *id) {
    unsigned direction = reply ? REPLY_BIT : 0;
    get_bounded(r, 1, HELPER_PROTOCOL_VERSION, HELPER_PROTOCOL_VERSION);
    *op = (enum helper_op)(get_bounded(r, 1, HELPER_HELLO | direction, HELPER_PAUSE | direction) - direction);
    get_bits(r, 2, 0);
    *id = (uint32_t)get_number(r, 4);
}

static enum status finish(const struct reader *r, const char *what, struct error *err) {
    if (r->bad)
        return error_set(err, STATUS_INVALID, "%s is cut short or holds a value out of its range", what);
    if (r->at != r->end)
        return error_set(err, STATUS_INVALID, "%s has %zu bytes too many", what, (size_t)(r->end - r->at));
    return STATUS_OK;
}

enum status helper_frame_length(const uint8_t header[HELPER_LENGTH_BYTES], size_t *length,
                                struct error *err) {
    struct reader r = {.at = header, .end = header + HELPER_LENGTH_BYTES};
    uint64_t claimed = get_number(&r, HELPER_LENGTH_BYTES);
    if (claimed == 0 || claimed > HELPER_MESSAGE_MAX)
        return error_set(err, STATUS_INVALID, "a frame of %llu bytes; 1 to %d are possible",
                         (unsigned long long)claimed, HELPER_MESSAGE_MAX);
    *length = (size_t)claimed;
    return STATUS_OK;
}

static void put_act(struct writer *w, const struct helper_act_request *act) {
    put_bytes(w, act->handle.bytes, sizeof act->handle.bytes);
    put_number(w, act->rung, 1);
    put_number(w, act->dry_run ? FLAG_DRY_RUN : 0, 1);
    put_number(w, 0, 2);
    put_bytes(w, act->key, sizeof act->key);
    put_number(w, (uint64_t)act->deadline_ms, 8);
}

static void get_act(struct reader *r, struct helper_act_request *act) {
    get_bytes(r, act->handle.bytes, sizeof act->handle.bytes);
    act->rung = (enum helper_rung)get_bounded(r, 1, RUNG_DEPRIORITIZE, RUNG_RUN_HOOK);
    act->dry_run = get_bits(r, 1, FLAG_DRY_RUN) != 0;
    get_bits(r, 2, 0);
    get_bytes(r, act->key, sizeof act->key);
    act->deadline_ms = (int64_t)get_number(r, 8);
}

size_t helper_encode_request(const struct helper_request *request, uint8_t frame[HELPER_FRAME_MAX]) {
    struct writer w = begin_message(frame, request->op, request->id);
    if (request->op == HELPER_ACT)
        put_act(&w, &request->act);
    if (request->op == HELPER_PAUSE)
        put_number(&w, request->pause, 4);
    return end_message(&w, frame);
}

enum status helper_decode_request(const uint8_t *message, size_t length, struct helper_request *out,
                                  struct error *err) {
    struct reader r = {.at = message, .end = message + length};
    struct helper_request request = {0};
    get_header(&r, false, &request.op, &request.id);
    if (request.op == HELPER_ACT)
        get_act(&r, &request.act);
    if (request.op == HELPER_PAUSE)
        request.pause = get_bounded(&r, 4, 0, 1) == 1;
    enum status status = finish(&r, "the request", err);
    if (status == STATUS_OK)
        *out = request;
    return status;
}

static void put_hello(struct writer *w, const struct helper_hello *hello) {
    put_text(w, hello->host_identity, sizeof hello->host_identity);
    put_text(w, hello->boot_id, sizeof hello->boot_id);
    put_number(w, (uint64_t)hello->monotonic_ms, 8);
    put_number(w, hello->capabilities, 4);
    put_number(w, hello->grace_ms, 4);
}

static void get_hello(struct reader *r, struct helper_hello *hello) {
    get_text(r, hello->host_identity, sizeof hello->host_identity);
    get_text(r, hello->boot_id, sizeof hello->boot_id);
    hello->monotonic_ms = (int64_t)get_number(r, 8);
    hello->capabilities = get_bits(r, 4, HELPER_CAPABILITIES_ALL);
    hello->grace_ms = (uint32_t)get_number(r, 4);
}

static void put_candidate(struct writer *w, const struct helper_candidate *c) {
    put_bytes(w, c->handle.bytes, sizeof c->handle.bytes);
    put_number(w, (uint32_t)c->pid, 4);
    put_number(w, c->uid, 4);
    put_number(w, c->cpu_milli, 4);
    put_number(w, (uint64_t)c->age_ms, 8);
    put_number(w, c->allowed ? FLAG_ALLOWED : 0, 1);
    put_text(w, c->comm, sizeof c->comm);
    put_text(w, c->where, sizeof c->where);
    put_text(w, c->reason, sizeof c->reason);
}

static void put_list(struct writer *w, const struct helper_list *list) {
    uint8_t *count = w->at;
    put_number(w, 0, 1);
    for (size_t i = 0; i < list->count; i++) {
        struct writer row = *w;
        put_candidate(&row, &list->items[i]);
        if (row.overrun)
            break;
        *w = row;
        (*count)++;
    }
}

static void get_candidate(struct reader *r, struct helper_candidate *c) {
    get_bytes(r, c->handle.bytes, sizeof c->handle.bytes);
    c->pid = (int32_t)get_bounded(r, 4, 0, INT32_MAX);
    c->uid = (uint32_t)get_number(r, 4);
    c->cpu_milli = (uint32_t)get_number(r, 4);
    c->age_ms = (int64_t)get_number(r, 8);
    c->allowed = get_bits(r, 1, FLAG_ALLOWED) != 0;
    get_text(r, c->comm, sizeof c->comm);
    get_text(r, c->where, sizeof c->where);
    get_text(r, c->reason, sizeof c->reason);
}

static void get_list(struct reader *r, struct helper_list *list) {
    list->count = get_bounded(r, 1, 0, HELPER_LIST_MAX);
    for (size_t i = 0; i < list->count; i++)
        get_candidate(r, &list->items[i]);
}

/* The numbers of a status, in their order on the wire. */
#define STATUS_NUMBERS(s)                                                                                    \
    {                                                                                                        \
        &(s)->deeds_last_minute, &(s)->deeds_last_hour, &(s)->deeds_last_day, &(s)->budget_per_minute,       \
            &(s)->budget_per_hour, &(s)->budget_per_day, &(s)->frozen                                        \
    }
enum { STATUS_NUMBER_COUNT = 7 };

static void put_status(struct writer *w, const struct helper_status_reply *status) {
    const uint32_t *const numbers[STATUS_NUMBER_COUNT] = STATUS_NUMBERS(status);
    put_number(w, status->flags, 4);
    for (size_t i = 0; i < STATUS_NUMBER_COUNT; i++)
        put_number(w, *numbers[i], 4);
    put_text(w, status->text, sizeof status->text);
}

static void get_status(struct reader *r, struct helper_status_reply *status) {
    uint32_t *const numbers[STATUS_NUMBER_COUNT] = STATUS_NUMBERS(status);
    status->flags = get_bits(r, 4, HELPER_FLAGS_ALL);
    for (size_t i = 0; i < STATUS_NUMBER_COUNT; i++)
        *numbers[i] = (uint32_t)get_number(r, 4);
    get_text(r, status->text, sizeof status->text);
}

size_t helper_encode_reply(const struct helper_reply *reply, uint8_t frame[HELPER_FRAME_MAX]) {
    struct writer w = begin_message(frame, reply->op | REPLY_BIT, reply->id);
    switch (reply->op) {
    case HELPER_HELLO:
        put_hello(&w, &reply->hello);
        break;
    case HELPER_LIST:
        put_list(&w, &reply->list);
        break;
    case HELPER_ACT:
        put_number(&w, reply->act.outcome, 1);
        put_text(&w, reply->act.reason, sizeof reply->act.reason);
        break;
    case HELPER_STATUS:
        put_status(&w, &reply->status);
        break;
    case HELPER_RELEASE:
        put_number(&w, reply->released, 4);
        break;
    case HELPER_PAUSE:
        put_number(&w, reply->paused, 4);
        break;
    }
    return end_message(&w, frame);
}

enum status helper_decode_reply(const uint8_t *message, size_t length, struct helper_reply *out,
                                struct error *err) {
    struct reader r = {.at = message, .end = message + length};
    struct helper_reply reply;
    memset(&reply, 0, sizeof reply);
    get_header(&r, true, &reply.op, &reply.id);
    switch (reply.op) {
    case HELPER_HELLO:
        get_hello(&r, &reply.hello);
        break;
    case HELPER_LIST:
        get_list(&r, &reply.list);
        break;
    case HELPER_ACT:
        reply.act.outcome = (enum helper_outcome)get_bounded(&r, 1, HELPER_TERMINATED, HELPER_FAILED);
        get_text(&r, reply.act.reason, sizeof reply.act.reason);
        break;
    case HELPER_STATUS:
        get_status(&r, &reply.status);
        break;
    case HELPER_RELEASE:
        reply.released = (uint32_t)get_number(&r, 4);
        break;
    case HELPER_PAUSE:
        reply.paused = get_bounded(&r, 4, 0, 1) == 1;
        break;
    }
    enum status status = finish(&r, "the helper's reply", err);
    if (status == STATUS_OK)
        *out = reply;
    return status;
}

const char *helper_rung_name(enum helper_rung rung) {
    switch (rung) {
    case RUNG_DEPRIORITIZE:
        return "deprioritize";
    case RUNG_FREEZE:
        return "freeze";
    case RUNG_TERMINATE:
        return "terminate";
    case RUNG_RESTART_UNIT:
        return "restart_unit";
    case RUNG_RUN_HOOK:
        return "run_hook";
    }
    return "unknown";
}

const char *helper_outcome_name(enum helper_outcome outcome) {
    switch (outcome) {
    case HELPER_TERMINATED:
        return "terminated";
    case HELPER_KILLED:
        return "killed";
    case HELPER_DONE:
        return "done";
    case HELPER_WOULD:
        return "would";
    case HELPER_REFUSED:
        return "refused";
    case HELPER_GONE:
        return "gone";
    case HELPER_FAILED:
        return "failed";
    }
    return "unknown";
}
