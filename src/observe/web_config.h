/* src/observe/web_config.h - who may talk to us, and how: the file named by --web.config.file.
 *
 * The format is that of Prometheus' exporter-toolkit (docs/web-configuration.md), so that one file serves all
 * programs of a site, with two sections more:
 *
 *     tls_server_config: { cert_file: server.crt, key_file: server.key }
 *     basic_auth_users: { prometheus: $2y$10$... }      # htpasswd -nBC 10 "" | tr -d ':\n'
 *     bearer_tokens: { laptop: /etc/sentinel/laptop.token }   # the first line of that file is the token
 *     permissions: { prometheus: [write], laptop: [read, operate] }   # who is not named may do everything
 *
 * Read once and then immutable; web_access.h holds the current one. Names of files are relative to the folder
 * of the configuration. Secrets are kept as digests. */
#ifndef SENTINEL_OBSERVE_WEB_CONFIG_H
#define SENTINEL_OBSERVE_WEB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* What a route needs, and what a user may; a user's are a set of bits. */
enum web_permission { WEB_MAY_WRITE = 1, WEB_MAY_READ = 2, WEB_MAY_OPERATE = 4, WEB_MAY_EVERYTHING = 7 };

enum web_client_auth {
    CLIENT_AUTH_NONE,
    CLIENT_AUTH_REQUEST,
    CLIENT_AUTH_REQUIRE_ANY,
    CLIENT_AUTH_VERIFY_IF_GIVEN,
    CLIENT_AUTH_REQUIRE_AND_VERIFY
};

enum { WEB_USERS_MAX = 64, WEB_HEADERS_MAX = 8, WEB_SANS_MAX = 16, WEB_DIGEST_BYTES = 32 };

struct web_user {
    char *name;
    char *bcrypt; /* NULL: a bearer token */
    uint8_t token_digest[WEB_DIGEST_BYTES];
    unsigned permissions; /* of enum web_permission */
};

struct web_tls {
    char *cert_file, *key_file; /* NULL: no TLS */
    char *client_ca_file;
    enum web_client_auth client_auth;
    char *allowed_sans[WEB_SANS_MAX];
    size_t allowed_san_count;
    int min_version, max_version; /* OpenSSL's TLS1_2_VERSION and the like; max 0: the newest */
    char *cipher_suites;          /* OpenSSL's notation, for TLS 1.2; NULL: its defaults */
};

struct web_header {
    char *name, *value;
};

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

struct web_config {
    struct web_tls tls;
    struct ssl_ctx_st *tls_context; /* NULL: no TLS */
    struct web_user users[WEB_USERS_MAX];
    size_t user_count;
    struct web_header headers[WEB_HEADERS_MAX]; /* added to every response */
    size_t header_count;
    uint64_t
        version; /* a digest of all that was read, certificates and tokens included: another one is news */
};

/* STATUS_NOT_FOUND, STATUS_SYSTEM: no such file. STATUS_INVALID: the text names the line and what to do. */
MUST_CHECK enum status web_config_load(const char *path, struct web_config **out, struct error *err);
void web_config_destroy(struct web_config *config);

/* web_tls.c: certificates are read, and everything is checked that OpenSSL can check. */
MUST_CHECK enum status web_tls_context_create(struct web_tls *tls, struct ssl_ctx_st **out,
                                              struct error *err);

/* SHA-256. */
void web_digest(const void *bytes, size_t length, uint8_t out[WEB_DIGEST_BYTES]);

#endif
