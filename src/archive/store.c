#include "archive/store.h"

#include <assert.h>
#include <string.h>

/* How many bytes the UTF-8 character at `text` has; 0 if there is none (RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF). Reads no further than the terminating NUL. */
static size_t utf8_character(const unsigned char *text) {
    if (text[0] < 0x80)
        return 1;
    size_t length = text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : 2;
    if (text[0] < 0xC2 || text[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xF0 && text[1] < 0x90);
    bool beyond = (text[0] == 0xED && text[1] > 0x9F) || (text[0] == 0xF4 && text[1] > 0x8F);
    return overlong || beyond ? 0 : length;
}

static void make_utf8(char *text) {
    for (unsigned char *at = (unsigned char *)text; *at;) {
        size_t length = utf8_character(at);
        if (length == 0)
            *at = '?';
        at += length ? length : 1;
    }
}

static void make_candidate_utf8(struct candidate *candidate) {
    make_utf8(candidate->comm);
    make_utf8(candidate->where);
    make_utf8(candidate->reason);
}

static void make_action_utf8(struct action *action) {
    make_utf8(action->host);
    make_utf8(action->reason);
    make_candidate_utf8(&action->target);
    for (size_t i = 0; i < action->candidate_count; i++)
        make_candidate_utf8(&action->candidates[i]);
}

enum status store_record(struct store *store, const struct incident *incident,
                         const struct transition *transition, const struct action *action,
                         struct error *err) {
    assert(!transition || strcmp(transition->incident_id, incident->id) == 0);
    assert(!action || strcmp(action->incident_id, incident->id) == 0);
    assert(!action || action->candidate_count <= CANDIDATES_MAX);

    struct incident clean_incident = *incident;
    make_utf8(clean_incident.host);
    make_utf8(clean_incident.rule);
    make_utf8(clean_incident.why);
    struct transition clean_transition;
    if (transition) {
        clean_transition = *transition;
        make_utf8(clean_transition.why);
    }
    struct action clean_action;
    if (action) {
        clean_action = *action;
        make_action_utf8(&clean_action);
    }
    return store->ops->record(store, &clean_incident, transition ? &clean_transition : NULL,
                              action ? &clean_action : NULL, err);
}

enum status store_load_open(struct store *store, struct incident *out, size_t capacity, size_t *count,
                            struct error *err) {
    return store->ops->load_open(store, out, capacity, count, err);
}

enum status store_load_last_action(struct store *store, const char *incident_id, struct action *out,
                                   struct error *err) {
    return store->ops->load_last_action(store, incident_id, out, err);
}

enum status store_list(struct store *store, size_t limit, store_visitor *each, void *context,
                       struct error *err) {
    return store->ops->list(store, limit, each, context, err);
}

void store_close(struct store *store) {
    if (store)
        store->ops->close(store);
}
