/* src/archive/candidates_json.h - the processes that were considered for a deed, as one JSON text.
 *
 * An array of flat objects, in the helper's order:
 *     [{"handle":"00..ff","pid":4711,"uid":1000,"cpu_ratio":0.98,"age_ms":61000,"comm":"burner",
 *       "where":"/user.slice","allowed":true,"reason":""}]
 * Pure; any thread. */
#ifndef SENTINEL_ARCHIVE_CANDIDATES_JSON_H
#define SENTINEL_ARCHIVE_CANDIDATES_JSON_H

#include "base/status.h"
#include "decide/action.h"

enum { CANDIDATE_HANDLE_HEX = 2 * 16 + 1 };

/* Never NULL; free() it. Text must be UTF-8. */
char *candidates_json_write(const struct candidate *candidates, size_t count);
/* STATUS_CORRUPT: not such an array, or more than CANDIDATES_MAX. An unknown key is ignored, so that a newer
 * server's rows can be read; a missing one is an error. */
MUST_CHECK enum status candidates_json_read(const char *text, struct candidate out[CANDIDATES_MAX],
                                            size_t *count, struct error *err);

char *candidate_handle_write(const uint8_t handle[16], char out[CANDIDATE_HANDLE_HEX]); /* returns `out` */
bool candidate_handle_read(const char *hex, uint8_t handle[16]);

#endif
