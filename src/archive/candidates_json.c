#include "archive/candidates_json.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

char *candidate_handle_write(const uint8_t handle[16], char out[CANDIDATE_HANDLE_HEX]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 16; i++) {
        out[2 * i] = digits[handle[i] >> 4];
        out[2 * i + 1] = digits[handle[i] & 15];
    }
    out[32] = '\0';
    return out;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool candidate_handle_read(const char *hex, uint8_t handle[16]) {
    if (strlen(hex) != CANDIDATE_HANDLE_HEX - 1)
        return false;
    for (size_t i = 0; i < 16; i++) {
        int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        handle[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static json_t *write_one(const struct candidate *from) {
    char handle[CANDIDATE_HANDLE_HEX];
    /* JSON has no NaN and no infinity. */
    double cpu_ratio = isfinite(from->cpu_ratio) ? from->cpu_ratio : 0;
    return json_pack("{s:s, s:i, s:I, s:f, s:I, s:s, s:s, s:b, s:s}", "handle",
                     candidate_handle_write(from->handle, handle), "pid", (int)from->pid, "uid",
                     (json_int_t)from->uid, "cpu_ratio", cpu_ratio, "age_ms", (json_int_t)from->age_ms,
                     "comm", from->comm, "where", from->where, "allowed", (int)from->allowed, "reason",
                     from->reason);
}

char *candidates_json_write(const struct candidate *candidates, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        int failed = json_array_append_new(array, write_one(&candidates[i]));
        assert(!failed);
    }
    char *text = json_dumps(array, JSON_COMPACT);
    assert(text);
    json_decref(array);
    return text;
}

static bool read_one(json_t *object, struct candidate *out) {
    const char *handle, *comm, *where, *reason;
    json_int_t pid, uid, age_ms;
    int allowed;
    if (json_unpack(object, "{s:s, s:I, s:I, s:F, s:I, s:s, s:s, s:b, s:s}", "handle", &handle, "pid", &pid,
                    "uid", &uid, "cpu_ratio", &out->cpu_ratio, "age_ms", &age_ms, "comm", &comm, "where",
                    &where, "allowed", &allowed, "reason", &reason) != 0)
        return false;
    if (!candidate_handle_read(handle, out->handle))
        return false;
    if (pid < 0 || pid > INT32_MAX || uid < 0 || uid > UINT32_MAX)
        return false;
    out->pid = (int32_t)pid;
    out->uid = (uint32_t)uid;
    out->age_ms = age_ms;
    out->allowed = allowed;
    snprintf(out->comm, sizeof out->comm, "%s", comm);
    snprintf(out->where, sizeof out->where, "%s", where);
    snprintf(out->reason, sizeof out->reason, "%s", reason);
    return true;
}

enum status candidates_json_read(const char *text, struct candidate out[CANDIDATES_MAX], size_t *count,
                                 struct error *err) {
    json_error_t why;
    json_t *array = json_loads(text, 0, &why);
    if (!array)
        return error_set(err, STATUS_CORRUPT, "candidates: %s", why.text);
    enum status status = STATUS_OK;
    size_t rows = json_array_size(array);
    if (!json_is_array(array) || rows > CANDIDATES_MAX) {
        status = error_set(err, STATUS_CORRUPT, "candidates: not an array of at most %d", CANDIDATES_MAX);
        goto out;
    }
    struct candidate read[CANDIDATES_MAX] = {0};
    for (size_t i = 0; i < rows; i++) {
        if (!read_one(json_array_get(array, i), &read[i])) {
            status = error_set(err, STATUS_CORRUPT, "candidate %zu does not read back", i);
            goto out;
        }
    }
    memcpy(out, read, sizeof read);
    *count = rows;
out:
    json_decref(array);
    return status;
}
