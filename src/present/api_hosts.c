#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "present/present.h"
#include "present/query.h"
#include "present/reply.h"
#include "present/rows.h"

enum { POINTS_MAX = 7200 }; /* more than a chart has pixels, and 2 MB while it is copied */

void api_handle_hosts(void *context, const struct http_request *request, struct http_response *response) {
    const struct present *present = context;
    (void)request;
    json_t *hosts = json_array();
    struct host_row row;
    for (size_t position = 0; board_next_host(present->settings.board, 0, &position, &row);)
        reply_append(hosts, host_summary_json(present->settings.board, &row));
    reply_success(response, hosts);
}

static void answer_points(struct board *board, uint32_t index, const struct http_request *request,
                          struct http_response *response) {
    int64_t since_ms = 0;
    if (!query_time(request, "since", &since_ms, response))
        return;
    struct board_point *points = xcalloc(POINTS_MAX, sizeof *points);
    size_t count = board_get_points(board, index, since_ms, points, POINTS_MAX);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        reply_append(array, point_json(board, &points[i]));
    free(points);
    reply_success(response, array);
}

/* Cuts "/points" off; false if `rest` does not end in it. */
static bool names_points(const char *rest, char *host, size_t size) {
    static const char suffix[] = "/points";
    size_t length = strlen(rest), end = sizeof suffix - 1;
    if (length <= end || length - end >= size || strcmp(rest + length - end, suffix) != 0)
        return false;
    memcpy(host, rest, length - end);
    host[length - end] = '\0';
    return true;
}

/* A host may be called "a/points": the whole rest of the path is tried as a name first. */
void api_handle_host(void *context, const struct http_request *request, struct http_response *response) {
    struct board *board = ((const struct present *)context)->settings.board;
    const char *rest = request->path + strlen("/api/v1/hosts/");
    uint32_t index = 0;
    struct host_row row;
    char name[sizeof row.host];
    if (board_find_host(board, rest, &index) && board_get_host(board, index, &row)) {
        reply_success(response, host_detail_json(board, &row));
        return;
    }
    bool wants_points = names_points(rest, name, sizeof name);
    if (wants_points && board_find_host(board, name, &index)) {
        answer_points(board, index, request, response);
        return;
    }
    reply_error(
        response, 404, "not_found",
        "no host \"%.255s\" has sent a sample since this server started; /api/v1/hosts lists those that "
        "have",
        wants_points ? name : rest);
}
