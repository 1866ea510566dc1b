/* Any bytes as a request head and as a request target. A head is found and judged the same however its bytes
 * are cut; one that is accepted has at most one way to be read; a target decodes into C strings that fit. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "observe/http_head.h"
#include "observe/http_routes.h"
#include "observe/media_type.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_fields(const char *head, size_t length, const char *name) {
    size_t found = 0;
    for (size_t i = 0; i + strlen(name) < length; i++)
        if (i > 0 && head[i - 1] == '\n' && strncasecmp(head + i, name, strlen(name)) == 0)
            found++;
    return found;
}

static void check_head(const char *text, size_t size) {
    size_t scanned = 0, head_bytes = 0;
    enum status whole = http_head_find_end(text, size, &scanned, &head_bytes, NULL);
    size_t half_scanned = 0, half_bytes = 0;
    enum status halves = http_head_find_end(text, size / 2, &half_scanned, &half_bytes, NULL);
    if (halves == STATUS_OK && half_bytes == 0)
        halves = http_head_find_end(text, size, &half_scanned, &half_bytes, NULL);
    assert(halves == whole && half_bytes == head_bytes);
    if (whole != STATUS_OK || head_bytes == 0)
        return;
    struct http_head head;
    struct error err = {0};
    if (http_head_check(text, head_bytes, &head, &err) != STATUS_OK) {
        assert(err.text[0]);
        return;
    }
    size_t lengths = count_fields(text, head_bytes, "content-length:");
    size_t codings = count_fields(text, head_bytes, "transfer-encoding:");
    assert(lengths + codings <= 1 && count_fields(text, head_bytes, "host:") <= 1);
    assert(head.is_chunked == (codings == 1));
}

static void check_target(const char *text, size_t size) {
    char *path = xcalloc(1, size + 2), *query = xcalloc(1, size + 2);
    if (http_target_split(text, size, path, query)) {
        assert(path[0] == '/' && strlen(path) <= size + 1 && strlen(query) <= size);
        struct http_request request = {.query = query};
        char value[16];
        if (http_query_value(&request, "host", value, sizeof value))
            assert(strlen(value) < sizeof value);
    }
    free(path);
    free(query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    check_head(text, size);
    check_target(text, size);
    struct media_type type;
    if (media_type_parse(text, size, &type))
        assert(strlen(type.type) < sizeof type.type && strlen(type.proto) < sizeof type.proto);
    return 0;
}
