/* src/observe/host_directory.h - host names and the small numbers that stand for them.
 *
 * Append-only and bounded: a number, once given, means the same host until the process ends. The lock is
 * taken when a new series is met, never per sample. Thread-safe. */
#ifndef SENTINEL_OBSERVE_HOST_DIRECTORY_H
#define SENTINEL_OBSERVE_HOST_DIRECTORY_H

#include <stdint.h>

#include "base/status.h"

enum { HOST_NAME_SIZE = 256 };

struct host_directory;

struct host_directory *host_directory_create(uint32_t max_hosts);
/* The number of `name`, given out if new. STATUS_TOO_LARGE: the limit on hosts, or a name that does not
 * fit HOST_NAME_SIZE. */
MUST_CHECK enum status host_directory_intern(struct host_directory *directory, const char *name,
                                             uint32_t *host, struct error *err);
/* Lives as long as the directory. NULL if the number was never given out. */
const char *host_directory_name(struct host_directory *directory, uint32_t host);
uint32_t host_directory_count(struct host_directory *directory);
void host_directory_destroy(struct host_directory *directory);

#endif
