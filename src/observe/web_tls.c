/* From struct web_tls to an SSL_CTX. ALPN offers http/1.1 and nothing else. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "observe/web_config.h"

static enum status openssl_failed(struct error *err, const char *what, const char *file) {
    char reason[96];
    ERR_error_string_n(ERR_peek_last_error(), reason, sizeof reason);
    ERR_clear_error();
    return error_set(err, STATUS_INVALID, "%s%.80s: %s", what, file, reason);
}

/* RFC 7301, 3.2. A client that offers only what we do not speak is let in all the same: it may know better.
 */
static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                           const unsigned char *offered, unsigned int offered_length, void *unused) {
    static const unsigned char ours[] = "\x08http/1.1";
    (void)ssl;
    (void)unused;
    unsigned char *selected = NULL;
    if (SSL_select_next_proto(&selected, out_length, ours, sizeof ours - 1, offered, offered_length) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = selected;
    return SSL_TLSEXT_ERR_OK;
}

/* Go's RequireAnyClientCert and RequestClientCert take any certificate, whoever signed it. */
static int accept_any(int verified, X509_STORE_CTX *store) {
    (void)verified;
    (void)store;
    return 1;
}

static int tls_settings_index(void) {
    static int index = -1; /* made before there are threads: web_config_load() of main */
    if (index < 0)
        index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return index;
}

static bool is_allowed(X509 *certificate, const char *name) {
    return X509_check_host(certificate, name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1 ||
           X509_check_ip_asc(certificate, name, 0) == 1 || X509_check_email(certificate, name, 0, 0) == 1;
}

/* client_allowed_sans: one of the certificate's names must be in the list. */
static int check_names(int verified, X509_STORE_CTX *store) {
    if (!verified || X509_STORE_CTX_get_error_depth(store) > 0)
        return verified;
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const struct web_tls *tls = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), tls_settings_index());
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    for (size_t i = 0; i < tls->allowed_san_count; i++)
        if (is_allowed(certificate, tls->allowed_sans[i]))
            return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
    return 0;
}

static enum status set_client_auth(SSL_CTX *context, struct web_tls *tls, struct error *err) {
    static const struct {
        int mode;
        SSL_verify_cb callback;
    } table[] = {
        [CLIENT_AUTH_NONE] = {SSL_VERIFY_NONE, NULL},
        [CLIENT_AUTH_REQUEST] = {SSL_VERIFY_PEER, accept_any},
        [CLIENT_AUTH_REQUIRE_ANY] = {SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any},
        [CLIENT_AUTH_VERIFY_IF_GIVEN] = {SSL_VERIFY_PEER, NULL},
        [CLIENT_AUTH_REQUIRE_AND_VERIFY] = {SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL},
    };
    if (tls->client_ca_file) {
        if (SSL_CTX_load_verify_file(context, tls->client_ca_file) != 1)
            return openssl_failed(err, "client_ca_file ", tls->client_ca_file);
        SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(tls->client_ca_file));
    }
    SSL_CTX_set_ex_data(context, tls_settings_index(), tls);
    SSL_CTX_set_verify(context, table[tls->client_auth].mode,
                       tls->allowed_san_count > 0 ? check_names : table[tls->client_auth].callback);
    return STATUS_OK;
}

static enum status configure(SSL_CTX *context, struct web_tls *tls, struct error *err) {
    SSL_CTX_set_min_proto_version(context, tls->min_version);
    SSL_CTX_set_max_proto_version(context, tls->max_version);
    SSL_CTX_set_options(context,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"sentinel", strlen("sentinel"));
    SSL_CTX_set_alpn_select_cb(context, select_protocol, NULL);
    if (SSL_CTX_use_certificate_chain_file(context, tls->cert_file) != 1)
        return openssl_failed(err, "cert_file ", tls->cert_file);
    if (SSL_CTX_use_PrivateKey_file(context, tls->key_file, SSL_FILETYPE_PEM) != 1)
        return openssl_failed(err, "key_file ", tls->key_file);
    if (SSL_CTX_check_private_key(context) != 1)
        return error_set(err, STATUS_INVALID, "key_file %.60s is not the key of cert_file %.60s",
                         tls->key_file, tls->cert_file);
    if (tls->cipher_suites && SSL_CTX_set_cipher_list(context, tls->cipher_suites) != 1)
        return openssl_failed(err, "cipher_suites", "");
    return set_client_auth(context, tls, err);
}

enum status web_tls_context_create(struct web_tls *tls, struct ssl_ctx_st **out, struct error *err) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context)
        return openssl_failed(err, "TLS", "");
    enum status status = configure(context, tls, err);
    if (status == STATUS_OK)
        *out = context;
    else
        SSL_CTX_free(context);
    return status;
}
