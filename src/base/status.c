#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum status error_set(struct error *err, enum status status, const char *fmt, ...) {
    if (err) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(err->text, sizeof err->text, fmt, args);
        va_end(args);
        err->status = status;
        err->sys_errno = 0;
    }
    return status;
}

enum status error_set_errno(struct error *err, const char *fmt, ...) {
    int saved = errno;
    if (err) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(err->text, sizeof err->text, fmt, args);
        va_end(args);
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(saved));
        err->status = STATUS_SYSTEM;
        err->sys_errno = saved;
    }
    return STATUS_SYSTEM;
}

const char *status_name(enum status status) {
    switch (status) {
    case STATUS_OK:
        return "ok";
    case STATUS_INVALID:
        return "invalid";
    case STATUS_TOO_LARGE:
        return "too_large";
    case STATUS_BUSY:
        return "busy";
    case STATUS_DENIED:
        return "denied";
    case STATUS_NOT_FOUND:
        return "not_found";
    case STATUS_CORRUPT:
        return "corrupt";
    case STATUS_UNAVAILABLE:
        return "unavailable";
    case STATUS_SYSTEM:
        return "system";
    }
    return "unknown";
}
