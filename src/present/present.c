#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "present/present.h"

static void handle_healthy(void *context, const struct http_request *request,
                           struct http_response *response) {
    (void)context;
    (void)request;
    http_response_text(response, 200, "Sentinel is healthy.");
}

static void handle_ready(void *context, const struct http_request *request, struct http_response *response) {
    const struct present *present = context;
    (void)request;
    if (present->settings.is_ready && !present->settings.is_ready(present->settings.ready_context))
        http_response_text(response, 503, "Sentinel is starting: not ready to take samples yet.");
    else
        http_response_text(response, 200, "Sentinel is ready.");
}

static void add_route(struct present *present, const char *path, http_handler *handler) {
    assert(present->route_count < PRESENT_ROUTES_MAX);
    present->routes[present->route_count++] =
        (struct http_route){.method = "GET", .path = path, .handler = handler, .context = present};
}

struct present *present_create(const struct present_settings *settings) {
    struct present *present = xcalloc(1, sizeof *present);
    present->settings = *settings;
    add_route(present, "/", page_handle_index);
    add_route(present, "/assets/*", page_handle_asset);
    add_route(present, "/api/v1/hosts", api_handle_hosts);
    add_route(present, "/api/v1/hosts/*", api_handle_host);
    add_route(present, "/api/v1/incidents", api_handle_incidents);
    add_route(present, "/api/v1/incidents/*", api_handle_incident);
    add_route(present, "/api/v1/actions", api_handle_actions);
    add_route(present, "/api/v1/status/config", api_handle_config);
    add_route(present, "/api/v1/status/flags", api_handle_flags);
    add_route(present, "/api/v1/status/runtimeinfo", api_handle_runtimeinfo);
    add_route(present, "/api/v1/status/buildinfo", api_handle_buildinfo);
    add_route(present, "/metrics", metrics_handle);
    add_route(present, "/-/healthy", handle_healthy);
    add_route(present, "/-/ready", handle_ready);

    events_init(&present->events, settings->board);
    add_route(present, "/api/v1/events", NULL);
    present->routes[present->route_count - 1].events = &present->events;
    return present;
}

const struct http_route *present_routes(struct present *present, size_t *count) {
    *count = present->route_count;
    return present->routes;
}

void present_destroy(struct present *present) {
    free(present);
}
