#include "observe/remote_write.h"

#include "observe/snappy_block.h"
#include "observe/write_batch.h"

enum status remote_write_decode(enum remote_write_version version, const void *body, size_t body_len,
                                const struct remote_write_limits *limits, struct arena *arena,
                                struct write_batch *batch, struct error *err) {
    const unsigned char *message = NULL;
    size_t message_len = 0;
    enum status status =
        snappy_block_decode(body, body_len, limits->max_decoded_bytes, arena, &message, &message_len, err);
    if (status != STATUS_OK)
        return status;
    switch (version) {
    case REMOTE_WRITE_1_0:
        return remote_write_unpack_v1(message, message_len, limits, arena, batch, err);
    case REMOTE_WRITE_2_0:
        return remote_write_unpack_v2(message, message_len, limits, arena, batch, err);
    }
    return error_set(err, STATUS_INVALID, "this version of remote write is not read here");
}

int remote_write_http_status(enum status status, size_t refused_series) {
    switch (status) {
    case STATUS_OK:
        return refused_series ? 400 : 204;
    case STATUS_INVALID:
    case STATUS_DENIED:
    case STATUS_NOT_FOUND:
        return 400;
    case STATUS_TOO_LARGE:
        return 413;
    case STATUS_BUSY:
    case STATUS_CORRUPT:
    case STATUS_UNAVAILABLE:
    case STATUS_SYSTEM:
        return 503;
    }
    return 503;
}
