#include <math.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/version.h"
#include "present/present.h"
#include "present/process_usage.h"
#include "present/reply.h"
#include "present/rows.h"

void api_handle_config(void *context, const struct http_request *request, struct http_response *response) {
    const struct present *present = context;
    (void)request;
    json_t *data = reply_object();
    reply_set(data, "yaml", reply_text(present->settings.config_text ? present->settings.config_text : ""));
    reply_success(response, data);
}

void api_handle_flags(void *context, const struct http_request *request, struct http_response *response) {
    const struct present *present = context;
    (void)request;
    const char *text = present->settings.flags_json;
    json_t *flags = text ? json_loads(text, 0, NULL) : NULL;
    reply_success(response, flags ? flags : reply_object());
}

static json_t *whole_number(double value) {
    return isfinite(value) ? reply_count((uint64_t)value) : reply_number(value);
}

static json_t *hosts_by_state(struct board *board) {
    size_t counts[HOST_STATE_COUNT] = {0};
    struct host_row row;
    for (size_t position = 0; board_next_host(board, 0, &position, &row);)
        counts[row.state]++;
    json_t *object = reply_object();
    for (size_t i = 0; i < HOST_STATE_COUNT; i++)
        reply_set(object, host_state_name((enum host_state)i), reply_count(counts[i]));
    return object;
}

void api_handle_runtimeinfo(void *context, const struct http_request *request,
                            struct http_response *response) {
    const struct present *present = context;
    const struct present_settings *settings = &present->settings;
    (void)request;
    struct process_usage usage;
    process_usage_read(&usage);
    int64_t now_ms = clock_realtime_ms();
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';

    json_t *data = status_json(settings->board);
    reply_set(data, "server_time", reply_time(now_ms));
    reply_set(data, "start_time", reply_time(settings->started_at_ms));
    reply_set(data, "uptime_seconds", reply_number((double)(now_ms - settings->started_at_ms) / 1000));
    reply_set(data, "hostname", reply_text(host));
    reply_set(data, "remote_write_url",
              reply_text(settings->remote_write_url ? settings->remote_write_url : ""));
    reply_set(data, "hosts", hosts_by_state(settings->board));
    reply_set(data, "resident_memory_bytes", whole_number(usage.resident_bytes));
    reply_set(data, "cpu_seconds", reply_number(usage.cpu_seconds));
    reply_set(data, "open_fds", whole_number(usage.open_fds));
    reply_success(response, data);
}

void api_handle_buildinfo(void *context, const struct http_request *request, struct http_response *response) {
    (void)context;
    (void)request;
    json_t *data = reply_object();
    reply_set(data, "version", reply_text(SENTINEL_VERSION));
    reply_set(data, "revision", reply_text(SENTINEL_REVISION));
    reply_set(data, "compiler", reply_text(SENTINEL_COMPILER));
    reply_success(response, data);
}
