#include "observe/web_access.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/queue.h"

enum {
    LOOK_FOR_CHANGES_EVERY_MS = 2000,
    WAITING_MAX = 256,         /* passwords that may wait to be judged */
    REMEMBERED_MAX = 512,      /* verdicts */
    RIGHT_FOR_MS = 600 * 1000, /* a password that was right stays right for so long, or until a reload */
    WRONG_FOR_MS = 60 * 1000,
    CREDENTIALS_BYTES_MAX = 512,
    NOBODY = -1,
};

/* A verdict, known by a keyed digest of the credentials; whoever reads this memory learns no password. */
struct remembered {
    uint8_t digest[WEB_DIGEST_BYTES];
    int user; /* index into the configuration's users, or NOBODY */
    int64_t until_ms;
};

struct credentials {
    char text[CREDENTIALS_BYTES_MAX]; /* "user:password" */
    size_t length;
};

struct job {
    const struct web_config *config;
    struct credentials credentials;
    uint8_t digest[WEB_DIGEST_BYTES];
    void (*known)(void *argument);
    void *argument;
};

/* Configurations that were replaced, newest first. */
struct past {
    struct web_config *config;
    struct past *older;
};

struct web_access {
    char *path;
    void (*changed)(void *context, const struct error *err);
    void *context;
    _Atomic(struct web_config *) config;
    struct past *past;        /* of the access thread */
    struct error refused_for; /* likewise: what is wrong with the file that is there now */
    uint8_t digest_key[WEB_DIGEST_BYTES];
    pthread_mutex_t
        lock; /* of these two. They are apart, so that wrong passwords cannot push out right ones */
    struct remembered right[REMEMBERED_MAX], wrong[REMEMBERED_MAX];
    struct queue *jobs;
    atomic_bool cancelled, reload_asked;
    pthread_t thread;
};

/* ---- verdicts that are known -------------------------------------------------------------------------- */

/* The configuration's version is part of it, so that a reload forgets everything. */
static void digest_credentials(const struct web_access *access, const struct web_config *config,
                               const struct credentials *credentials, uint8_t out[WEB_DIGEST_BYTES]) {
    uint8_t text[sizeof config->version + CREDENTIALS_BYTES_MAX];
    memcpy(text, &config->version, sizeof config->version);
    memcpy(text + sizeof config->version, credentials->text, credentials->length);
    unsigned int length = WEB_DIGEST_BYTES;
    HMAC(EVP_sha256(), access->digest_key, sizeof access->digest_key, text,
         sizeof config->version + credentials->length, out, &length);
    OPENSSL_cleanse(text, sizeof text);
}

static size_t slot_of(const uint8_t digest[WEB_DIGEST_BYTES]) {
    uint64_t where;
    memcpy(&where, digest, sizeof where);
    return where % REMEMBERED_MAX;
}

static bool is_here(const struct remembered *slot, const uint8_t digest[WEB_DIGEST_BYTES]) {
    return CRYPTO_memcmp(slot->digest, digest, WEB_DIGEST_BYTES) == 0 &&
           clock_monotonic_ms() < slot->until_ms;
}

static bool recall(struct web_access *access, const uint8_t digest[WEB_DIGEST_BYTES], int *user) {
    size_t slot = slot_of(digest);
    pthread_mutex_lock(&access->lock);
    bool is_right = is_here(&access->right[slot], digest), is_wrong = is_here(&access->wrong[slot], digest);
    *user = is_right ? access->right[slot].user : NOBODY;
    pthread_mutex_unlock(&access->lock);
    return is_right || is_wrong;
}

static void keep(struct web_access *access, const uint8_t digest[WEB_DIGEST_BYTES], int user) {
    struct remembered *table = user == NOBODY ? access->wrong : access->right;
    struct remembered verdict = {
        .user = user, .until_ms = clock_monotonic_ms() + (user == NOBODY ? WRONG_FOR_MS : RIGHT_FOR_MS)};
    memcpy(verdict.digest, digest, sizeof verdict.digest);
    pthread_mutex_lock(&access->lock);
    table[slot_of(digest)] = verdict;
    pthread_mutex_unlock(&access->lock);
}

/* ---- the access thread -------------------------------------------------------------------------------- */

/* As exporter-toolkit does: a user that does not exist costs as much as one that does. */
static const char NO_SUCH_USER[] = "$2b$10$0123456789012345678901uDbKU9xcuOBfDGKzQyMSWYdBRRAPvBi";

static int find_user(const struct web_config *config, const char *name, size_t length) {
    for (size_t i = 0; i < config->user_count; i++)
        if (config->users[i].bcrypt && strlen(config->users[i].name) == length &&
            memcmp(config->users[i].name, name, length) == 0)
            return (int)i;
    return NOBODY;
}

/* Takes a tenth of a second. */
static int check_password(const struct web_config *config, struct credentials *credentials) {
    char *colon = memchr(credentials->text, ':', credentials->length);
    int user = find_user(config, credentials->text, (size_t)(colon - credentials->text));
    const char *expected = user == NOBODY ? NO_SUCH_USER : config->users[user].bcrypt;
    struct crypt_data *scratch = xcalloc(1, sizeof *scratch);
    const char *hash = crypt_r(colon + 1, expected, scratch);
    bool is_right =
        hash && strlen(hash) == strlen(expected) && CRYPTO_memcmp(hash, expected, strlen(expected)) == 0;
    OPENSSL_cleanse(scratch, sizeof *scratch);
    free(scratch);
    return is_right ? user : NOBODY;
}

static void work_on(struct web_access *access, struct job *job) {
    int user;
    if (!atomic_load(&access->cancelled) && !recall(access, job->digest, &user))
        keep(access, job->digest, check_password(job->config, &job->credentials));
    job->known(job->argument);
    OPENSSL_cleanse(&job->credentials, sizeof job->credentials);
    free(job);
}

static void look_for_changes(struct web_access *access) {
    struct web_config *current = atomic_load(&access->config), *next = NULL;
    struct error err;
    if (web_config_load(access->path, &next, &err) != STATUS_OK) {
        if (strcmp(err.text, access->refused_for.text) != 0) /* said once, not with every look */
            access->changed(access->context, &err);
        access->refused_for = err;
        return;
    }
    access->refused_for.text[0] = '\0';
    if (next->version == current->version) {
        web_config_destroy(next);
        return;
    }
    struct past *past = xcalloc(1, sizeof *past);
    *past = (struct past){current, access->past};
    access->past = past;
    atomic_store(&access->config, next);
    access->changed(access->context, NULL);
}

static void *access_main(void *argument) {
    struct web_access *access = argument;
    int64_t looked_at = clock_monotonic_ms();
    while (true) {
        struct job *job = queue_pop(access->jobs, LOOK_FOR_CHANGES_EVERY_MS / 4);
        if (job) {
            work_on(access, job);
        } else if (atomic_load(&access->cancelled)) {
            /* The queue was closed before: what came in since the pop above is the last. */
            while ((job = queue_pop(access->jobs, 0)))
                work_on(access, job);
            return NULL;
        }
        bool asked = atomic_exchange(&access->reload_asked, false);
        if (asked || clock_monotonic_ms() - looked_at >= LOOK_FOR_CHANGES_EVERY_MS) {
            look_for_changes(access);
            looked_at = clock_monotonic_ms();
        }
    }
}

/* ---- asking ------------------------------------------------------------------------------------------- */

static enum web_verdict verdict_for(const struct web_config *config, int user, enum web_permission needed) {
    if (user == NOBODY)
        return WEB_UNKNOWN;
    return config->users[user].permissions & needed ? WEB_ALLOWED : WEB_FORBIDDEN;
}

/* Every token is looked at, so that the time does not tell which one came near. */
static int find_token(const struct web_config *config, const char *token, size_t length) {
    uint8_t digest[WEB_DIGEST_BYTES];
    int found = NOBODY;
    web_digest(token, length, digest);
    for (size_t i = 0; i < config->user_count; i++)
        if (!config->users[i].bcrypt &&
            CRYPTO_memcmp(config->users[i].token_digest, digest, sizeof digest) == 0)
            found = (int)i;
    return found;
}

/* RFC 7617, 2: base64 of user:password. */
static bool read_basic(const char *text, size_t length, struct credentials *out) {
    if (length == 0 || length % 4 != 0 || length / 4 * 3 > sizeof out->text - 1)
        return false;
    int decoded = EVP_DecodeBlock((unsigned char *)out->text, (const unsigned char *)text, (int)length);
    if (decoded < 0)
        return false;
    /* EVP_DecodeBlock counts the padding as bytes. */
    out->length = (size_t)decoded - (text[length - 1] == '=') - (length > 1 && text[length - 2] == '=');
    out->text[out->length] = '\0';
    return memchr(out->text, ':', out->length) && !memchr(out->text, '\0', out->length);
}

static enum web_verdict judge_basic(struct web_access *access, const struct web_config *config,
                                    enum web_permission needed, const struct credentials *credentials,
                                    void (*known)(void *argument), void *argument) {
    struct job *job = xcalloc(1, sizeof *job);
    digest_credentials(access, config, credentials, job->digest);
    int user;
    if (recall(access, job->digest, &user)) {
        free(job);
        return verdict_for(config, user, needed);
    }
    job->config = config;
    job->credentials = *credentials;
    job->known = known;
    job->argument = argument;
    if (queue_try_push(access->jobs, job) == STATUS_OK)
        return WEB_PENDING;
    OPENSSL_cleanse(&job->credentials, sizeof job->credentials);
    free(job);
    return WEB_BUSY;
}

static bool has_scheme(const char *header, size_t length, const char *scheme) {
    return length > strlen(scheme) && strncasecmp(header, scheme, strlen(scheme)) == 0 &&
           header[strlen(scheme)] == ' ';
}

enum web_verdict web_access_judge(struct web_access *access, enum web_permission needed,
                                  const char *authorization, size_t length, void (*known)(void *argument),
                                  void *argument) {
    const struct web_config *config = web_access_config(access);
    if (config->user_count == 0)
        return WEB_ALLOWED;
    if (has_scheme(authorization, length, "Bearer")) {
        size_t skip = strlen("Bearer ");
        return verdict_for(config, find_token(config, authorization + skip, length - skip), needed);
    }
    struct credentials credentials;
    enum web_verdict verdict = WEB_UNKNOWN;
    if (has_scheme(authorization, length, "Basic") &&
        read_basic(authorization + strlen("Basic "), length - strlen("Basic "), &credentials))
        verdict = judge_basic(access, config, needed, &credentials, known, argument);
    OPENSSL_cleanse(&credentials, sizeof credentials);
    return verdict;
}

/* ---- life --------------------------------------------------------------------------------------------- */

static void discard_job(void *job) {
    free(job);
}

enum status web_access_create(const char *path, void (*changed)(void *context, const struct error *err),
                              void *context, struct web_access **out, struct error *err) {
    struct web_config *config = NULL;
    enum status status = web_config_load(path, &config, err);
    if (status != STATUS_OK)
        return status;
    struct web_access *access = xcalloc(1, sizeof *access);
    access->path = xstrdup(path);
    access->changed = changed;
    access->context = context;
    atomic_store(&access->config, config);
    if (getentropy(access->digest_key, sizeof access->digest_key) != 0)
        abort(); /* never for 32 bytes (getentropy(3)) */
    pthread_mutex_init(&access->lock, NULL);
    access->jobs = queue_create(WAITING_MAX, discard_job);
    if (pthread_create(&access->thread, NULL, access_main, access) != 0)
        abort(); /* no thread, no server */
    *out = access;
    return STATUS_OK;
}

void web_access_reload(struct web_access *access) {
    atomic_store(&access->reload_asked, true);
}

const struct web_config *web_access_config(const struct web_access *access) {
    return atomic_load(&access->config);
}

void web_access_cancel(struct web_access *access) {
    queue_close(access->jobs);
    atomic_store(&access->cancelled, true);
}

void web_access_destroy(struct web_access *access) {
    if (!access)
        return;
    web_access_cancel(access);
    pthread_join(access->thread, NULL);
    queue_destroy(access->jobs);
    free(access->path);
    web_config_destroy(atomic_load(&access->config));
    while (access->past) {
        struct past *past = access->past;
        access->past = past->older;
        web_config_destroy(past->config);
        free(past);
    }
    pthread_mutex_destroy(&access->lock);
    OPENSSL_cleanse(access, sizeof *access);
    free(access);
}
