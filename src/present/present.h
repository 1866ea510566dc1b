/* src/present/present.h - this room's own view of itself: the handlers behind the routes of present.c. */
#ifndef SENTINEL_PRESENT_PRESENT_H
#define SENTINEL_PRESENT_PRESENT_H

#include "present/api.h"

enum { PRESENT_ROUTES_MAX = 24 };

struct present {
    struct present_settings settings;
    struct http_event_source events;
    struct http_route routes[PRESENT_ROUTES_MAX];
    size_t route_count;
};

/* The context of every handler is its struct present. */
http_handler api_handle_hosts; /* /api/v1/hosts */
http_handler api_handle_host;  /* /api/v1/hosts/{host} and /api/v1/hosts/{host}/points */
http_handler api_handle_incidents;
http_handler api_handle_incident;
http_handler api_handle_actions;
http_handler api_handle_config;
http_handler api_handle_flags;
http_handler api_handle_runtimeinfo;
http_handler api_handle_buildinfo;
http_handler page_handle_index;
http_handler page_handle_asset;
http_handler metrics_handle;

/* Fills `source` with the event stream over `board`. */
void events_init(struct http_event_source *source, struct board *board);

#endif
