/* Any bytes as an Authorization header: nobody gets in without the password or the token. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "observe/web_access.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char TOKEN[] = "a-token-of-enough-bytes";

static void on_changed(void *context, const struct error *err) {
    (void)context;
    (void)err;
}

static void on_known(void *argument) {
    (void)argument;
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "we");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

static struct web_access *open_access(void) {
    char folder[] = "/tmp/sentinel-fuzz-XXXXXX", path[64], token[64];
    if (!mkdtemp(folder))
        abort();
    snprintf(token, sizeof token, "%s/token", folder);
    snprintf(path, sizeof path, "%s/web.yml", folder);
    write_file(token, TOKEN);
    write_file(path, "basic_auth_users: {u: $2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW}\n"
                     "bearer_tokens: {t: token}\npermissions: {t: [read]}\n");
    struct web_access *access = NULL;
    enum status status = web_access_create(path, on_changed, NULL, &access, NULL);
    assert(status == STATUS_OK);
    return access; /* lives as long as the process */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct web_access *access;
    if (!access)
        access = open_access();
    const char *header = (const char *)data;
    enum web_verdict verdict = web_access_judge(access, WEB_MAY_READ, header, size, on_known, NULL);
    if (verdict == WEB_ALLOWED && strncasecmp(header, "Bearer ", 7) == 0)
        assert(size == 7 + sizeof TOKEN - 1 && memcmp(header + 7, TOKEN, sizeof TOKEN - 1) == 0);
    verdict = web_access_judge(access, WEB_MAY_OPERATE, header, size, on_known, NULL);
    if (size > 7 && strncasecmp(header, "Bearer ", 7) == 0)
        assert(verdict == WEB_UNKNOWN || verdict == WEB_FORBIDDEN);
    return 0;
}
