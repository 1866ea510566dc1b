#include "sentinelctl/http_get.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/version.h"

enum { TIMEOUT_SECONDS = 10, REPLY_MAX_BYTES = 64 << 20 };

static size_t take_bytes(char *bytes, size_t size, size_t count, void *context) {
    struct http_reply *reply = context;
    size_t length = size * count;
    if (length > REPLY_MAX_BYTES - reply->length)
        return 0;
    reply->body = xrealloc(reply->body, reply->length + length + 1, 1);
    memcpy(reply->body + reply->length, bytes, length);
    reply->length += length;
    reply->body[reply->length] = '\0';
    return length;
}

static char *join(const char *base, const char *path) {
    size_t length = strlen(base), size = length + strlen(path) + 1;
    while (length > 0 && base[length - 1] == '/')
        length--;
    char *url = xcalloc(1, size);
    snprintf(url, size, "%.*s%s", (int)length, base, path);
    return url;
}

enum status http_get(const char *base, const char *path, struct http_reply *out, struct error *err) {
    CURL *curl = curl_easy_init();
    if (!curl)
        return error_set(err, STATUS_UNAVAILABLE, "libcurl cannot be used");
    struct http_reply reply = {.body = xstrdup("")};
    char *url = join(base, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "sentinelctl/" SENTINEL_VERSION);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply);
    CURLcode code = curl_easy_perform(curl);
    enum status status = STATUS_OK;
    if (code == CURLE_OK) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply.code);
        *out = reply;
    } else {
        /* The path only: a URL may carry a password. */
        status = error_set(err, STATUS_UNAVAILABLE, "%s: %s", path, curl_easy_strerror(code));
        http_reply_release(&reply);
    }
    free(url);
    curl_easy_cleanup(curl);
    return status;
}

void http_reply_release(struct http_reply *reply) {
    free(reply->body);
    reply->body = NULL;
}

enum status http_get_data(const char *base, const char *path, json_t **data, struct error *err) {
    struct http_reply reply = {0};
    enum status status = http_get(base, path, &reply, err);
    if (status != STATUS_OK)
        return status;
    json_t *envelope = json_loadb(reply.body, reply.length, 0, NULL);
    const char *outcome = json_string_value(json_object_get(envelope, "status"));
    const char *words = json_string_value(json_object_get(envelope, "error"));
    json_t *found = json_object_get(envelope, "data");
    if (outcome && strcmp(outcome, "success") == 0 && found)
        *data = json_incref(found);
    else if (words)
        status = error_set(err, reply.code == 404 ? STATUS_NOT_FOUND : STATUS_INVALID, "%s", words);
    else
        status = error_set(err, STATUS_INVALID, "%s: HTTP %ld, and not the answer of a sentineld", path,
                           reply.code);
    json_decref(envelope);
    http_reply_release(&reply);
    return status;
}
