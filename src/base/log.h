/* src/base/log.h - one line per event, on stderr, as logfmt or JSON.
 *
 *     LOG_INFO("incident_opened", "incident=%s host=%s", id, host);
 *
 * The format gives key=value pairs; a value that came from outside goes through log_quote() so that it
 * cannot forge a line. What can repeat per request is counted in /metrics, not logged. Thread-safe.
 * Functions that return an error do not log it; the thread's main function that handles it does, once. */
#ifndef SENTINEL_BASE_LOG_H
#define SENTINEL_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

/* Called once, before other threads start. */
void log_configure(enum log_level level, enum log_format format);
bool log_level_parse(const char *text, enum log_level *out);   /* "debug", "info", "warn", "error" */
bool log_format_parse(const char *text, enum log_format *out); /* "logfmt", "json" */

void log_event(enum log_level level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Writes `text` as a double-quoted value, control characters and quotes escaped, cut to fit. Returns `out`.
 */
char *log_quote(const char *text, char *out, size_t size);

#define LOG_DEBUG(event, ...) log_event(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define LOG_INFO(event, ...) log_event(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define LOG_WARN(event, ...) log_event(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define LOG_ERROR(event, ...) log_event(LOG_LEVEL_ERROR, event, __VA_ARGS__)

#endif
