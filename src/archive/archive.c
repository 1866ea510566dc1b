#include "archive/archive.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "base/queue.h"

enum {
    /* A lock is gone in moments, a full disk in minutes: double the pause from one to the other. */
    FIRST_PAUSE_MS = 50,
    LONGEST_PAUSE_MS = 5000,
    /* While stopping there is a deadline, and nobody to be polite to. */
    STOPPING_PAUSE_MS = 20,
};

struct archive {
    struct store *store;
    struct queue *records;
    struct queue *stopping; /* never holds anything: closing it cuts a pause short */
    void (*durable)(void *context, uint64_t ticket);
    void *context;
    pthread_t thread;
    bool started;
    atomic_bool failing;
    atomic_bool stop_asked;
    _Atomic int64_t give_up_at_ms; /* monotonic; means something once stop_asked is set */
};

static void discard_nothing(void *item) {
    (void)item;
}

struct archive *archive_create(struct store *store, size_t capacity,
                               void (*durable)(void *context, uint64_t ticket), void *context) {
    struct archive *archive = xcalloc(1, sizeof *archive);
    archive->store = store;
    archive->records = queue_create(capacity, free);
    archive->stopping = queue_create(1, discard_nothing);
    archive->durable = durable;
    archive->context = context;
    return archive;
}

static bool grace_is_over(struct archive *archive) {
    return atomic_load(&archive->stop_asked) && clock_monotonic_ms() >= atomic_load(&archive->give_up_at_ms);
}

static void pause_before_retry(struct archive *archive, int64_t pause_ms) {
    if (atomic_load(&archive->stop_asked))
        nanosleep(&(struct timespec){.tv_nsec = STOPPING_PAUSE_MS * 1000000L}, NULL);
    else
        (void)queue_pop(archive->stopping, pause_ms);
}

static void note_failure(struct archive *archive, const struct archive_record *record,
                         const struct error *why) {
    counter_add(COUNTER_ARCHIVE_ERRORS, 1);
    if (atomic_exchange(&archive->failing, true))
        return; /* one line when it begins and one when it ends; the counter tells how often */
    char text[2 * sizeof why->text];
    LOG_ERROR("archive_failing", "incident=%s waiting=%zu error=%s", record->incident.id,
              queue_depth(archive->records) + 1, log_quote(why->text, text, sizeof text));
}

static void note_success(struct archive *archive, const struct archive_record *record) {
    counter_add(COUNTER_TRANSITIONS_WRITTEN, record->has_transition);
    counter_add(COUNTER_ACTIONS_WRITTEN, record->has_action);
    if (atomic_exchange(&archive->failing, false))
        LOG_INFO("archive_recovered", "incident=%s waiting=%zu", record->incident.id,
                 queue_depth(archive->records));
}

/* False: the archive is being stopped and its grace is over. */
static bool write_until_durable(struct archive *archive, const struct archive_record *record) {
    struct error why;
    for (int64_t pause_ms = FIRST_PAUSE_MS; !grace_is_over(archive); pause_ms *= 2) {
        if (store_record(archive->store, &record->incident,
                         record->has_transition ? &record->transition : NULL,
                         record->has_action ? &record->action : NULL, &why) == STATUS_OK) {
            note_success(archive, record);
            return true;
        }
        note_failure(archive, record, &why);
        if (pause_ms > LONGEST_PAUSE_MS)
            pause_ms = LONGEST_PAUSE_MS;
        pause_before_retry(archive, pause_ms);
    }
    return false;
}

static void give_up(struct archive *archive, struct archive_record *record) {
    do {
        LOG_ERROR("archive_record_lost", "incident=%s state=%s sequence=%u", record->incident.id,
                  incident_state_name(record->incident.state), record->incident.sequence);
        free(record);
    } while ((record = queue_pop(archive->records, 0)));
}

static void *archive_main(void *context) {
    struct archive *archive = context;
    struct archive_record *record;
    while ((record = queue_pop(archive->records, -1))) {
        if (!write_until_durable(archive, record)) {
            give_up(archive, record);
            break;
        }
        archive->durable(archive->context, record->ticket);
        free(record);
    }
    return NULL;
}

enum status archive_start(struct archive *archive, struct error *err) {
    assert(!archive->started);
    int code = pthread_create(&archive->thread, NULL, archive_main, archive);
    if (code != 0) {
        errno = code;
        return error_set_errno(err, "cannot start the archive thread");
    }
    archive->started = true;
    return STATUS_OK;
}

enum status archive_submit(struct archive *archive, const struct archive_record *record) {
    struct archive_record *copy = xcalloc(1, sizeof *copy);
    *copy = *record;
    enum status status = queue_try_push(archive->records, copy);
    if (status != STATUS_OK)
        free(copy);
    return status;
}

size_t archive_depth(struct archive *archive) {
    return queue_depth(archive->records);
}

size_t archive_capacity(struct archive *archive) {
    return queue_capacity(archive->records);
}

bool archive_is_failing(struct archive *archive) {
    return atomic_load(&archive->failing);
}

void archive_stop(struct archive *archive, int64_t grace_ms) {
    atomic_store(&archive->give_up_at_ms, clock_monotonic_ms() + grace_ms);
    atomic_store(&archive->stop_asked, true);
    queue_close(archive->records);
    queue_close(archive->stopping);
    if (archive->started)
        pthread_join(archive->thread, NULL);
    archive->started = false;
    store_close(archive->store);
    archive->store = NULL;
}

void archive_destroy(struct archive *archive) {
    if (!archive)
        return;
    if (archive->store)
        archive_stop(archive, 0);
    queue_destroy(archive->records);
    queue_destroy(archive->stopping);
    free(archive);
}
