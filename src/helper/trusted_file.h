/* src/helper/trusted_file.h - is a file that decides over others safe from those others?
 *
 * Safe: an absolute path without "..", a regular file with one link, not a symbolic link, owned by root (or
 * by `also_owner`), writable by its owner only; and every folder above it likewise, a sticky world-writable
 * one such as /tmp included in the refusal. A folder may be reached through a symbolic link when the link's
 * owner is trusted (macOS: /etc -> /private/etc). */
#ifndef SENTINEL_HELPER_TRUSTED_FILE_H
#define SENTINEL_HELPER_TRUSTED_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Checks the folders above `path` only. */
MUST_CHECK enum status trusted_folders(const char *path, uint32_t also_owner, struct error *err);
/* Reads the whole file into `out`, NUL added. STATUS_TOO_LARGE: `size` or more bytes. STATUS_DENIED: not
 * safe; the text says which path and how to put it right. STATUS_CORRUPT: it changed while it was read. */
MUST_CHECK enum status trusted_file_read(const char *path, uint32_t also_owner, char *out, size_t size,
                                         struct error *err);

#endif
