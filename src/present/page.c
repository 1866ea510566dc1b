#include <string.h>

#include "present/present.h"
#include "present/reply.h"
#include "present/web_assets.h"

/* Everything that the page needs comes from this server; nothing in it may run that did not come as a file.
 * data: images are the one exception, for icons inside the style sheet. */
static const char content_security_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static const struct {
    const char *suffix, *content_type;
} content_types[] = {
    {".html", "text/html; charset=utf-8"},     {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"}, {".svg", "image/svg+xml"},
    {".txt", "text/plain; charset=utf-8"},
};

static const char *content_type_of(const char *name) {
    const char *suffix = strrchr(name, '.');
    for (size_t i = 0; suffix && i < sizeof content_types / sizeof content_types[0]; i++)
        if (strcmp(content_types[i].suffix, suffix) == 0)
            return content_types[i].content_type;
    return "application/octet-stream";
}

static const struct web_asset *find_asset(const char *name) {
    for (size_t i = 0; i < web_asset_count; i++)
        if (strcmp(web_assets[i].name, name) == 0)
            return &web_assets[i];
    return NULL;
}

static bool contains(struct http_text text, const char *word) {
    return text.length && memmem(text.bytes, text.length, word, strlen(word)) != NULL;
}

/* RFC 9110, 12.5.3: "gzip;q=0" is a no. Browsers never send it, curl users might. */
static bool accepts_gzip(const struct http_request *request) {
    struct http_text accepted = http_request_header(request, "accept-encoding");
    return contains(accepted, "gzip") && !contains(accepted, "gzip;q=0");
}

static void serve(const struct web_asset *asset, const struct http_request *request,
                  struct http_response *response) {
    bool packed = accepts_gzip(request);
    char etag[48]; /* strong, so the two encodings need two tags: RFC 9110, 8.8.3.3 */
    snprintf(etag, sizeof etag, "\"%s%s\"", asset->hash, packed ? "-gzip" : "");
    http_response_header(response, "etag", "%s", etag);
    http_response_header(response, "vary", "Accept-Encoding");
    http_response_header(response, "cache-control", "no-cache"); /* ask each time; the answer is a 304 */
    http_response_header(response, "x-content-type-options", "nosniff");
    http_response_header(response, "referrer-policy", "no-referrer");
    http_response_header(response, "content-security-policy", "%s", content_security_policy);
    if (contains(http_request_header(request, "if-none-match"), etag)) {
        response->status = 304;
        return;
    }
    if (packed)
        http_response_header(response, "content-encoding", "gzip");
    response->status = 200;
    response->content_type = content_type_of(asset->name);
    /* A static body is only ever read. */
    const unsigned char *bytes = packed ? asset->gzip : asset->raw;
    response->body = (char *)(uintptr_t)bytes; // NOLINT(performance-no-int-to-ptr)
    response->body_bytes = packed ? asset->gzip_bytes : asset->raw_bytes;
    response->body_is_static = true;
}

void page_handle_index(void *context, const struct http_request *request, struct http_response *response) {
    (void)context;
    serve(find_asset("index.html"), request, response);
}

void page_handle_asset(void *context, const struct http_request *request, struct http_response *response) {
    (void)context;
    const struct web_asset *asset = find_asset(request->path + strlen("/assets/"));
    if (asset)
        serve(asset, request, response);
    else
        reply_error(response, 404, "not_found", "no such file of the page: %.200s", request->path);
}
