#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "helper/sandbox.h"

/* <sandbox.h> is not in every SDK; deprecated since 10.8 and still what OpenSSH uses. */
int sandbox_init(const char *profile, uint64_t flags, char **error);

/* The journal is open already; its own path stays writable because ftruncate() is checked like a write. */
static const char profile[] =
    "(version 1)(allow default)(deny network*)(deny process-exec*)(deny process-fork)"
    "(deny file-write*)(allow file-write* (literal \"%s\"))"
    "(allow network* (local unix-socket))";

/* A profile that does not hold is worse than none: it is believed. */
static enum status self_test(struct error *err) {
    int fd = open("/private/tmp/sentinel-helper-sandbox-test", O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0 && (errno == EPERM || errno == EACCES))
        return STATUS_OK;
    if (fd >= 0)
        close(fd);
    return error_set(err, STATUS_SYSTEM, "the sandbox does not keep files from being written");
}

enum status sandbox_enter(const char *journal, struct error *err) {
    static const struct rlimit none = {0, 0};
    char text[2048], *why = NULL;
    if (strpbrk(journal, "\"\\"))
        return error_set(err, STATUS_INVALID, "the journal's path must not hold quotes or backslashes");
    snprintf(text, sizeof text, profile, journal);
    if (setrlimit(RLIMIT_CORE, &none) != 0)
        return error_set_errno(err, "cannot forbid core dumps");
    if (sandbox_init(text, 0, &why) != 0)
        return error_set(err, STATUS_SYSTEM, "sandbox_init: %s", why ? why : "no reason given");
    return self_test(err);
}
