/* src/present/rows.h - one host, one incident, one deed as a flat JSON object.
 *
 * The same words in the API, in the event stream and in tables made of either. New references. */
#ifndef SENTINEL_PRESENT_ROWS_H
#define SENTINEL_PRESENT_ROWS_H

#include <jansson.h>

#include "present/board.h"

json_t *host_summary_json(const struct board *board, const struct host_row *row);
/* The summary with `features` (all values) and `leading` (why the score is what it is). */
json_t *host_detail_json(const struct board *board, const struct host_row *row);
json_t *point_json(const struct board *board, const struct board_point *point);

json_t *incident_summary_json(const struct incident_row *row);
/* The summary with `transitions` and `actions`, each action with its `candidates`. */
json_t *incident_detail_json(const struct incident_row *row);
json_t *action_json(const struct action *action);

json_t *status_json(struct board *board);

/* The deed that the summary tells about: the newest; NULL if there is none. */
const struct action *incident_last_action(const struct incident_row *row);

#endif
