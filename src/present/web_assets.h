/* src/present/web_assets.h - the page's files, carried inside the program.
 *
 * Filled at build time from src/present/web (cmake/embed.cmake). Immutable; any thread. */
#ifndef SENTINEL_PRESENT_WEB_ASSETS_H
#define SENTINEL_PRESENT_WEB_ASSETS_H

#include <stddef.h>

struct web_asset {
    const char *name; /* file name without folders: "app.js" */
    const char *hash; /* first 16 hex digits of the SHA-256 of the plain bytes: the ETag */
    const unsigned char *raw;
    size_t raw_bytes;
    const unsigned char *gzip;
    size_t gzip_bytes;
};

extern const struct web_asset web_assets[];
extern const size_t web_asset_count;

#endif
