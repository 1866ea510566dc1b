/* Whatever the bytes: no crash; and what is accepted encodes to the same bytes again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "helper/helper_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_the_same(const uint8_t *frame, size_t length, const uint8_t *message, size_t size) {
    if (length != size + HELPER_LENGTH_BYTES || memcmp(frame + HELPER_LENGTH_BYTES, message, size) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t frame[HELPER_FRAME_MAX];
    struct helper_request request;
    struct helper_reply reply;
    struct error err;
    size_t claimed;
    if (size < HELPER_LENGTH_BYTES || size > HELPER_FRAME_MAX)
        return 0;
    if (helper_frame_length(data, &claimed, &err) == STATUS_OK &&
        (claimed == 0 || claimed > HELPER_MESSAGE_MAX))
        abort();
    const uint8_t *message = data + HELPER_LENGTH_BYTES;
    size -= HELPER_LENGTH_BYTES;
    if (helper_decode_request(message, size, &request, &err) == STATUS_OK)
        must_be_the_same(frame, helper_encode_request(&request, frame), message, size);
    if (helper_decode_reply(message, size, &reply, &err) == STATUS_OK)
        must_be_the_same(frame, helper_encode_reply(&reply, frame), message, size);
    return 0;
}
