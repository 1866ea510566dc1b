#include "observe/web_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <xxhash.h>
#include <yaml.h>

#include "base/alloc.h"
#include "base/nearest.h"

enum { FILE_BYTES_MAX = 1 << 20, TOKEN_BYTES_MIN = 16 };

/* ---- files -------------------------------------------------------------------------------------------- */

void web_digest(const void *bytes, size_t length, uint8_t out[WEB_DIGEST_BYTES]) {
    EVP_Digest(bytes, length, out, NULL, EVP_sha256(), NULL);
}

/* The whole file, NUL-terminated. */
static enum status read_file(const char *path, char **out, size_t *length, struct error *err) {
    FILE *file = fopen(path, "re");
    if (!file)
        return error_set_errno(err, "cannot open %.100s", path);
    char *text = xcalloc(1, FILE_BYTES_MAX + 1);
    *length = fread(text, 1, FILE_BYTES_MAX + 1, file);
    int failed = ferror(file);
    fclose(file);
    if (failed || *length > FILE_BYTES_MAX) {
        free(text);
        return error_set(err, STATUS_INVALID, "%.100s cannot be read, or is longer than %d bytes", path,
                         FILE_BYTES_MAX);
    }
    text[*length] = '\0';
    *out = text;
    return STATUS_OK;
}

static char *path_beside(const char *config_path, const char *name) {
    const char *slash = strrchr(config_path, '/');
    size_t folder = slash && name[0] != '/' ? (size_t)(slash - config_path) + 1 : 0;
    char *path = xcalloc(1, folder + strlen(name) + 1);
    memcpy(path, config_path, folder);
    memcpy(path + folder, name, strlen(name) + 1);
    return path;
}

/* ---- YAML --------------------------------------------------------------------------------------------- */

struct reader {
    const char *path;
    yaml_document_t document;
    struct web_config *config;
    struct error *err;
};

static enum status wrong(struct reader *reader, const yaml_node_t *node, const char *what) {
    return error_set(reader->err, STATUS_INVALID, "%.60s, line %zu: %s", reader->path,
                     node->start_mark.line + 1, what);
}

/* NULL if the node is no plain text. */
static const char *scalar(const yaml_node_t *node) {
    if (node->type != YAML_SCALAR_NODE ||
        strlen((const char *)node->data.scalar.value) != node->data.scalar.length)
        return NULL;
    return (const char *)node->data.scalar.value;
}

typedef enum status take_value(struct reader *reader, const char *key, yaml_node_t *value);

/* Calls `take` for every pair of a mapping; an empty node is an empty mapping. */
static enum status each_pair(struct reader *reader, yaml_node_t *node, take_value *take) {
    if (node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0)
        return STATUS_OK;
    if (node->type != YAML_MAPPING_NODE)
        return wrong(reader, node, "here should be a mapping of names to values");
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
         pair++) {
        yaml_node_t *key = yaml_document_get_node(&reader->document, pair->key);
        const char *name = scalar(key);
        if (!name || !name[0])
            return wrong(reader, key, "this key is not a text");
        enum status status = take(reader, name, yaml_document_get_node(&reader->document, pair->value));
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status each_item(struct reader *reader, const char *key, yaml_node_t *node, take_value *take) {
    if (node->type != YAML_SEQUENCE_NODE)
        return wrong(reader, node, "here should be a list");
    for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top;
         item++) {
        enum status status = take(reader, key, yaml_document_get_node(&reader->document, *item));
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

struct key {
    const char *name;
    take_value *take;
};

static enum status take_key(struct reader *reader, const char *name, yaml_node_t *value,
                            const struct key *keys, size_t count) {
    const char *names[16];
    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].name, name) == 0)
            return keys[i].take(reader, name, value);
        names[i] = keys[i].name;
    }
    char what[128];
    const char *near = nearest_name(name, names, count);
    snprintf(what, sizeof what, "there is no key \"%.32s\" here%s%s%s", name, near ? "; did you mean \"" : "",
             near ? near : "", near ? "\"?" : "");
    return wrong(reader, value, what);
}
#define TAKE_KEY(reader, name, value, keys)                                                                  \
    take_key(reader, name, value, keys, sizeof(keys) / sizeof(keys)[0])

/* Replaces `*out` by the text; `as_path` makes it relative to the configuration's folder. */
static enum status take_text(struct reader *reader, const yaml_node_t *value, bool as_path, char **out) {
    const char *text = scalar(value);
    if (!text)
        return wrong(reader, value, "here should be a text");
    free(*out);
    *out = !text[0] ? NULL : as_path ? path_beside(reader->path, text) : xstrdup(text);
    return STATUS_OK;
}

/* ---- tls_server_config -------------------------------------------------------------------------------- */

static enum status take_cert_file(struct reader *reader, const char *key, yaml_node_t *value) {
    (void)key;
    return take_text(reader, value, true, &reader->config->tls.cert_file);
}

static enum status take_key_file(struct reader *reader, const char *key, yaml_node_t *value) {
    (void)key;
    return take_text(reader, value, true, &reader->config->tls.key_file);
}

static enum status take_client_ca_file(struct reader *reader, const char *key, yaml_node_t *value) {
    (void)key;
    return take_text(reader, value, true, &reader->config->tls.client_ca_file);
}

static enum status take_client_auth(struct reader *reader, const char *key, yaml_node_t *value) {
    static const char *const names[] = {
        [CLIENT_AUTH_NONE] = "NoClientCert",
        [CLIENT_AUTH_REQUEST] = "RequestClientCert",
        [CLIENT_AUTH_REQUIRE_ANY] = "RequireAnyClientCert",
        [CLIENT_AUTH_VERIFY_IF_GIVEN] = "VerifyClientCertIfGiven",
        [CLIENT_AUTH_REQUIRE_AND_VERIFY] = "RequireAndVerifyClientCert",
    };
    (void)key;
    const char *text = scalar(value);
    for (size_t i = 0; text && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], text) == 0) {
            reader->config->tls.client_auth = (enum web_client_auth)i;
            return STATUS_OK;
        }
    return wrong(reader, value,
                 "client_auth_type is NoClientCert, RequestClientCert, RequireAnyClientCert, "
                 "VerifyClientCertIfGiven or RequireAndVerifyClientCert");
}

static enum status take_version(struct reader *reader, const char *key, yaml_node_t *value) {
    static const struct {
        const char *name;
        int version;
    } versions[] = {{"TLS12", TLS1_2_VERSION}, {"TLS13", TLS1_3_VERSION}};
    const char *text = scalar(value);
    for (size_t i = 0; text && i < sizeof versions / sizeof versions[0]; i++)
        if (strcmp(versions[i].name, text) == 0) {
            struct web_tls *tls = &reader->config->tls;
            *(strcmp(key, "min_version") == 0 ? &tls->min_version : &tls->max_version) = versions[i].version;
            return STATUS_OK;
        }
    return wrong(reader, value, "a TLS version is TLS12 or TLS13; older ones are not spoken");
}

static enum status take_san(struct reader *reader, const char *key, yaml_node_t *value) {
    (void)key;
    struct web_tls *tls = &reader->config->tls;
    if (tls->allowed_san_count == WEB_SANS_MAX)
        return wrong(reader, value, "there are more than 16 allowed names");
    return take_text(reader, value, false, &tls->allowed_sans[tls->allowed_san_count++]);
}

static enum status take_sans(struct reader *reader, const char *key, yaml_node_t *value) {
    return each_item(reader, key, value, take_san);
}

/* Go's names are those of the standard; OpenSSL wants its own, joined by colons. */
static enum status take_cipher_suite(struct reader *reader, const char *key, yaml_node_t *value) {
    (void)key;
    const char *name = scalar(value);
    const char *openssl_name = name ? OPENSSL_cipher_name(name) : "(NONE)";
    if (strcmp(openssl_name, "(NONE)") == 0)
        return wrong(reader, value, "this cipher suite is not known to OpenSSL");
    char **suites = &reader->config->tls.cipher_suites;
    size_t used = *suites ? strlen(*suites) : 0;
    *suites = xrealloc(*suites, used + strlen(openssl_name) + 2, 1);
    snprintf(*suites + used, strlen(openssl_name) + 2, "%s%s", used ? ":" : "", openssl_name);
    return STATUS_OK;
}

static enum status take_cipher_suites(struct reader *reader, const char *key, yaml_node_t *value) {
    return each_item(reader, key, value, take_cipher_suite);
}

/* OpenSSL prefers the server's order for what is listed, and chooses curves well by itself. */
static enum status take_nothing(struct reader *reader, const char *key, yaml_node_t *value) {
    (void)reader;
    (void)key;
    (void)value;
    return STATUS_OK;
}

static enum status take_tls_key(struct reader *reader, const char *name, yaml_node_t *value) {
    static const struct key keys[] = {
        {"cert_file", take_cert_file},
        {"key_file", take_key_file},
        {"client_auth_type", take_client_auth},
        {"client_ca_file", take_client_ca_file},
        {"client_allowed_sans", take_sans},
        {"min_version", take_version},
        {"max_version", take_version},
        {"cipher_suites", take_cipher_suites},
        {"prefer_server_cipher_suites", take_nothing},
        {"curve_preferences", take_nothing},
    };
    return TAKE_KEY(reader, name, value, keys);
}

static enum status take_tls(struct reader *reader, const char *key, yaml_node_t *value) {
    (void)key;
    enum status status = each_pair(reader, value, take_tls_key);
    const struct web_tls *tls = &reader->config->tls;
    if (status == STATUS_OK && !tls->cert_file != !tls->key_file)
        return wrong(reader, value, "cert_file and key_file go together");
    if (status == STATUS_OK && tls->client_auth >= CLIENT_AUTH_VERIFY_IF_GIVEN && !tls->client_ca_file)
        return wrong(reader, value, "client certificates cannot be verified without a client_ca_file");
    if (status == STATUS_OK && tls->allowed_san_count > 0 &&
        tls->client_auth != CLIENT_AUTH_REQUIRE_AND_VERIFY)
        return wrong(reader, value, "client_allowed_sans needs client_auth_type RequireAndVerifyClientCert");
    return status;
}

/* ---- http_server_config ------------------------------------------------------------------------------- */

static enum status take_http2(struct reader *reader, const char *key, yaml_node_t *value) {
    (void)key;
    const char *text = scalar(value);
    if (!text || strcmp(text, "false") != 0)
        return wrong(reader, value, "HTTP/2 is not spoken here: write http2: false, or leave it out");
    return STATUS_OK;
}

static enum status take_header(struct reader *reader, const char *key, yaml_node_t *value) {
    struct web_config *config = reader->config;
    if (config->header_count == WEB_HEADERS_MAX)
        return wrong(reader, value, "there are more than 8 headers");
    const char *text = scalar(value);
    if (!text || strpbrk(text, "\r\n") || strpbrk(key, " \t\r\n:"))
        return wrong(reader, value, "this is not a header that could be sent");
    config->headers[config->header_count++] = (struct web_header){xstrdup(key), xstrdup(text)};
    return STATUS_OK;
}

static enum status take_headers(struct reader *reader, const char *key, yaml_node_t *value) {
    (void)key;
    return each_pair(reader, value, take_header);
}

static enum status take_http_key(struct reader *reader, const char *name, yaml_node_t *value) {
    static const struct key keys[] = {{"http2", take_http2}, {"headers", take_headers}};
    return TAKE_KEY(reader, name, value, keys);
}

static enum status take_http(struct reader *reader, const char *key, yaml_node_t *value) {
    (void)key;
    return each_pair(reader, value, take_http_key);
}

/* ---- users, tokens, permissions ----------------------------------------------------------------------- */

static struct web_user *find_user(struct web_config *config, const char *name) {
    for (size_t i = 0; i < config->user_count; i++)
        if (strcmp(config->users[i].name, name) == 0)
            return &config->users[i];
    return NULL;
}

static enum status add_user(struct reader *reader, const char *name, const yaml_node_t *node,
                            struct web_user **out) {
    struct web_config *config = reader->config;
    if (config->user_count == WEB_USERS_MAX)
        return wrong(reader, node, "there are more than 64 users and tokens");
    if (find_user(config, name))
        return wrong(reader, node, "this name is there twice");
    *out = &config->users[config->user_count++];
    **out = (struct web_user){.name = xstrdup(name), .permissions = WEB_MAY_EVERYTHING};
    return STATUS_OK;
}

static bool is_bcrypt(const char *hash) {
    return strlen(hash) == 60 && hash[0] == '$' && hash[1] == '2' && strchr("aby", hash[2]) && hash[3] == '$';
}

static enum status take_user(struct reader *reader, const char *key, yaml_node_t *value) {
    const char *hash = scalar(value);
    if (!hash || !is_bcrypt(hash))
        return wrong(reader, value,
                     "this is not a bcrypt hash; make one with: htpasswd -nBC 10 \"\" | tr -d ':\\n'");
    struct web_user *user = NULL;
    enum status status = add_user(reader, key, value, &user);
    if (user)
        user->bcrypt = xstrdup(hash);
    return status;
}

static enum status take_users(struct reader *reader, const char *key, yaml_node_t *value) {
    (void)key;
    return each_pair(reader, value, take_user);
}

static enum status take_token(struct reader *reader, const char *key, yaml_node_t *value) {
    char *path = NULL, *text = NULL;
    size_t length = 0;
    enum status status = take_text(reader, value, true, &path);
    if (status != STATUS_OK)
        return status;
    status = read_file(path ? path : "", &text, &length, reader->err);
    free(path);
    if (!text)
        return status;
    size_t token_length = strcspn(text, "\r\n");
    struct web_user *user = NULL;
    status = token_length < TOKEN_BYTES_MIN
                 ? wrong(reader, value, "the token in this file has fewer than 16 bytes")
                 : add_user(reader, key, value, &user);
    if (user)
        web_digest(text, token_length, user->token_digest);
    OPENSSL_cleanse(text, length);
    free(text);
    return status;
}

static enum status take_tokens(struct reader *reader, const char *key, yaml_node_t *value) {
    (void)key;
    return each_pair(reader, value, take_token);
}

static enum status take_permission(struct reader *reader, const char *key, yaml_node_t *value) {
    static const struct {
        const char *name;
        enum web_permission permission;
    } permissions[] = {{"write", WEB_MAY_WRITE}, {"read", WEB_MAY_READ}, {"operate", WEB_MAY_OPERATE}};
    const char *text = scalar(value);
    for (size_t i = 0; text && i < sizeof permissions / sizeof permissions[0]; i++)
        if (strcmp(permissions[i].name, text) == 0) {
            find_user(reader->config, key)->permissions |= permissions[i].permission;
            return STATUS_OK;
        }
    return wrong(reader, value, "a permission is write, read or operate");
}

static enum status take_permissions_of(struct reader *reader, const char *key, yaml_node_t *value) {
    struct web_user *user = find_user(reader->config, key);
    if (!user)
        return wrong(reader, value, "there is no such user or token");
    user->permissions = 0;
    return each_item(reader, key, value, take_permission);
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

/* Permissions name users, so they are read in a second round, wherever they stand. */
static enum status take_section(struct reader *reader, const char *name, yaml_node_t *value) {
    static const struct key keys[] = {
        {"tls_server_config", take_tls}, {"http_server_config", take_http}, {"basic_auth_users", take_users},
        {"bearer_tokens", take_tokens},  {"permissions", take_nothing},
    };
    return TAKE_KEY(reader, name, value, keys);
}

static enum status take_permissions(struct reader *reader, const char *name, yaml_node_t *value) {
    return strcmp(name, "permissions") == 0 ? each_pair(reader, value, take_permissions_of) : STATUS_OK;
}

static enum status read_document(struct reader *reader) {
    yaml_node_t *root = yaml_document_get_root_node(&reader->document);
    if (!root) /* an empty file: no TLS, no users */
        return STATUS_OK;
    enum status status = each_pair(reader, root, take_section);
    return status == STATUS_OK ? each_pair(reader, root, take_permissions) : status;
}

static enum status parse(struct reader *reader, const char *text, size_t length) {
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        abort(); /* out of memory */
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    enum status status;
    if (yaml_parser_load(&parser, &reader->document)) {
        status = read_document(reader);
        yaml_document_delete(&reader->document);
    } else {
        status = error_set(reader->err, STATUS_INVALID, "%.60s, line %zu: %.80s", reader->path,
                           parser.problem_mark.line + 1, parser.problem ? parser.problem : "not YAML");
    }
    yaml_parser_delete(&parser);
    return status;
}

static uint64_t add_file_to_digest(const char *path, uint64_t digest) {
    char *text = NULL;
    size_t length = 0;
    if (!path || read_file(path, &text, &length, NULL) != STATUS_OK || !text)
        return digest;
    digest = XXH3_64bits_withSeed(text, length, digest);
    OPENSSL_cleanse(text, length);
    free(text);
    return digest;
}

static uint64_t digest_of_all(const char *text, size_t length, const struct web_config *config) {
    uint64_t digest = XXH3_64bits(text, length);
    digest = add_file_to_digest(config->tls.cert_file, digest);
    digest = add_file_to_digest(config->tls.key_file, digest);
    digest = add_file_to_digest(config->tls.client_ca_file, digest);
    for (size_t i = 0; i < config->user_count; i++)
        digest = XXH3_64bits_withSeed(config->users[i].token_digest, WEB_DIGEST_BYTES, digest);
    return digest;
}

enum status web_config_load(const char *path, struct web_config **out, struct error *err) {
    char *text = NULL;
    size_t length = 0;
    enum status status = read_file(path, &text, &length, err);
    if (status != STATUS_OK)
        return status;
    struct web_config *config = xcalloc(1, sizeof *config);
    config->tls.min_version = TLS1_2_VERSION;
    struct reader reader = {.path = path, .config = config, .err = err};
    status = parse(&reader, text, length);
    if (status == STATUS_OK && config->tls.cert_file)
        status = web_tls_context_create(&config->tls, &config->tls_context, err);
    if (status == STATUS_OK) {
        config->version = digest_of_all(text, length, config);
        *out = config;
    } else {
        web_config_destroy(config);
    }
    free(text);
    return status;
}

void web_config_destroy(struct web_config *config) {
    if (!config)
        return;
    for (size_t i = 0; i < config->user_count; i++) {
        free(config->users[i].name);
        free(config->users[i].bcrypt);
    }
    for (size_t i = 0; i < config->header_count; i++) {
        free(config->headers[i].name);
        free(config->headers[i].value);
    }
    for (size_t i = 0; i < config->tls.allowed_san_count; i++)
        free(config->tls.allowed_sans[i]);
    SSL_CTX_free(config->tls_context);
    free(config->tls.cert_file);
    free(config->tls.key_file);
    free(config->tls.client_ca_file);
    free(config->tls.cipher_suites);
    free(config);
}
