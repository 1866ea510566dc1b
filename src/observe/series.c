#include "observe/series.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY /* XXH3_generateSecret() */
#include <xxhash.h>

#include "base/alloc.h"
#include "base/counters.h"

bool sample_is_stale_marker(double value) {
    static const uint64_t stale_marker = UINT64_C(0x7ff0000000000002);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits == stale_marker;
}

/* ---- selectors ---------------------------------------------------------------------------------------- */

/* `values` of a label_matcher, split: NUL-terminated alternatives, one after the other. */
struct matcher {
    char *name;
    size_t name_len;
    char *alternatives;
    size_t alternative_count;
    bool negate;
};
struct selector {
    char *metric;
    size_t metric_len;
    struct matcher matchers[SELECTOR_MATCHERS_MAX];
    size_t matcher_count;
};
struct selector_table {
    struct selector selectors[SELECTORS_MAX];
    size_t count;
};

static void matcher_compile(struct matcher *matcher, const struct label_matcher *from) {
    matcher->name = xstrdup(from->name);
    matcher->name_len = strlen(from->name);
    matcher->negate = from->negate;
    matcher->alternatives = xstrdup(from->values);
    matcher->alternative_count = 1;
    for (char *at = matcher->alternatives; *at; at++)
        if (*at == '|') {
            *at = '\0';
            matcher->alternative_count++;
        }
}

struct selector_table *selector_table_create(const struct series_selector *selectors, size_t count) {
    assert(count <= SELECTORS_MAX);
    struct selector_table *table = xcalloc(1, sizeof *table);
    table->count = count;
    for (size_t i = 0; i < count; i++) {
        struct selector *selector = &table->selectors[i];
        assert(selectors[i].matcher_count <= SELECTOR_MATCHERS_MAX);
        selector->metric = xstrdup(selectors[i].metric);
        selector->metric_len = strlen(selectors[i].metric);
        selector->matcher_count = selectors[i].matcher_count;
        for (size_t m = 0; m < selector->matcher_count; m++)
            matcher_compile(&selector->matchers[m], &selectors[i].matchers[m]);
    }
    return table;
}

static const struct label *label_find(const struct label_set *labels, const char *name, size_t name_len) {
    for (size_t i = 0; i < labels->count; i++)
        if (labels->labels[i].name_len == name_len && memcmp(labels->labels[i].name, name, name_len) == 0)
            return &labels->labels[i];
    return NULL;
}

static bool matcher_accepts(const struct matcher *matcher, const struct label_set *labels) {
    const struct label *label = label_find(labels, matcher->name, matcher->name_len);
    size_t length = label ? label->value_len : 0;
    bool listed = false;
    const char *alternative = matcher->alternatives;
    for (size_t i = 0; i < matcher->alternative_count && !listed; i++) {
        size_t alternative_len = strlen(alternative);
        listed = alternative_len == length && (length == 0 || memcmp(alternative, label->value, length) == 0);
        alternative += alternative_len + 1;
    }
    return listed != matcher->negate;
}

uint64_t selector_table_match(const struct selector_table *table, const struct label_set *labels) {
    const struct label *metric = label_find(labels, "__name__", strlen("__name__"));
    if (!metric)
        return 0;
    uint64_t inputs = 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct selector *selector = &table->selectors[i];
        if (selector->metric_len != metric->value_len ||
            memcmp(selector->metric, metric->value, metric->value_len) != 0)
            continue;
        bool accepted = true;
        for (size_t m = 0; m < selector->matcher_count && accepted; m++)
            accepted = matcher_accepts(&selector->matchers[m], labels);
        if (accepted)
            inputs |= UINT64_C(1) << i;
    }
    return inputs;
}

void selector_table_destroy(struct selector_table *table) {
    if (!table)
        return;
    for (size_t i = 0; i < table->count; i++) {
        struct selector *selector = &table->selectors[i];
        for (size_t m = 0; m < selector->matcher_count; m++) {
            free(selector->matchers[m].name);
            free(selector->matchers[m].alternatives);
        }
        free(selector->metric);
    }
    free(table);
}

/* ---- the cache ---------------------------------------------------------------------------------------- */

/* Open addressing with linear probing, never more than three quarters full, doubled up to the limit. A slot
 * is known by its hash alone: 64 bits under a secret key, so two of ten million series share one with a
 * probability of 3 in a million, and nobody can construct such a pair. A hash of 0 marks a free slot. */
struct series_cache {
    const struct selector_table *table;
    struct host_directory *directory;
    char *host_label;
    size_t host_label_len;
    unsigned char secret[XXH3_SECRET_DEFAULT_SIZE];
    struct series_verdict *slots;
    size_t slot_count; /* a power of two */
    size_t max_series;
    atomic_size_t count;
    unsigned char *scratch; /* one label set, serialised */
    size_t scratch_size;
};

enum { FIRST_SLOTS = 1024, FIRST_SCRATCH = 1024 };

struct series_cache *series_cache_create(const struct selector_table *table, struct host_directory *directory,
                                         const char *host_label, const uint64_t hash_key[2],
                                         size_t max_series) {
    assert(max_series > 0);
    struct series_cache *cache = xcalloc(1, sizeof *cache);
    cache->table = table;
    cache->directory = directory;
    cache->host_label = xstrdup(host_label);
    cache->host_label_len = strlen(host_label);
    XXH3_generateSecret(cache->secret, sizeof cache->secret, hash_key, 2 * sizeof hash_key[0]);
    cache->slot_count = FIRST_SLOTS;
    cache->slots = xcalloc(cache->slot_count, sizeof *cache->slots);
    cache->max_series = max_series;
    cache->scratch_size = FIRST_SCRATCH;
    cache->scratch = xcalloc(1, cache->scratch_size);
    return cache;
}

static unsigned char *put_text(unsigned char *at, const char *text, size_t length) {
    uint32_t prefix = (uint32_t)length;
    memcpy(at, &prefix, sizeof prefix);
    memcpy(at + sizeof prefix, text, length);
    return at + sizeof prefix + length;
}

/* Lengths go in front of texts, so that {"ab","c"} and {"a","bc"} are not the same bytes. */
static uint64_t hash_labels(struct series_cache *cache, const struct label_set *labels) {
    size_t needed = 0;
    for (size_t i = 0; i < labels->count; i++)
        needed += 2 * sizeof(uint32_t) + labels->labels[i].name_len + labels->labels[i].value_len;
    if (needed > cache->scratch_size) {
        cache->scratch = xrealloc(cache->scratch, needed, 1);
        cache->scratch_size = needed;
    }
    unsigned char *at = cache->scratch;
    for (size_t i = 0; i < labels->count; i++) {
        at = put_text(at, labels->labels[i].name, labels->labels[i].name_len);
        at = put_text(at, labels->labels[i].value, labels->labels[i].value_len);
    }
    uint64_t hash = XXH3_64bits_withSecret(cache->scratch, (size_t)(at - cache->scratch), cache->secret,
                                           sizeof cache->secret);
    return hash ? hash : 1;
}

static struct series_verdict *find_slot(const struct series_cache *cache, uint64_t series) {
    size_t mask = cache->slot_count - 1;
    size_t at = (size_t)series & mask;
    while (cache->slots[at].series && cache->slots[at].series != series)
        at = (at + 1) & mask;
    return &cache->slots[at];
}

static void grow(struct series_cache *cache) {
    struct series_verdict *old = cache->slots;
    size_t old_count = cache->slot_count;
    cache->slot_count *= 2;
    cache->slots = xcalloc(cache->slot_count, sizeof *cache->slots);
    for (size_t i = 0; i < old_count; i++)
        if (old[i].series)
            *find_slot(cache, old[i].series) = old[i];
    free(old);
}

static void make_room(struct series_cache *cache) {
    size_t count = atomic_load_explicit(&cache->count, memory_order_relaxed);
    if (count == cache->max_series) {
        memset(cache->slots, 0, cache->slot_count * sizeof *cache->slots);
        atomic_store_explicit(&cache->count, 0, memory_order_relaxed);
        counter_add(COUNTER_SERIES_FORGOTTEN, 1);
    } else if (count >= cache->slot_count / 4 * 3) {
        grow(cache);
    }
}

static struct series_verdict find_verdict(const struct series_cache *cache, const struct label_set *labels,
                                          uint64_t series) {
    struct series_verdict nobody = {.series = series};
    uint64_t inputs = selector_table_match(cache->table, labels);
    if (inputs == 0)
        return nobody;
    const struct label *label = label_find(labels, cache->host_label, cache->host_label_len);
    /* A NUL is valid UTF-8, but host names are C strings: "a\0b" must not pass for "a". */
    if (!label || label->value_len == 0 || memchr(label->value, '\0', label->value_len))
        return nobody;
    uint32_t host = 0;
    char name[HOST_NAME_SIZE];
    if (label->value_len < sizeof name) {
        memcpy(name, label->value, label->value_len);
        name[label->value_len] = '\0';
        if (host_directory_intern(cache->directory, name, &host, NULL) == STATUS_OK)
            return (struct series_verdict){.series = series, .inputs = inputs, .host = host};
    }
    counter_add(COUNTER_HOSTS_REFUSED, 1);
    return nobody;
}

struct series_verdict series_cache_judge(struct series_cache *cache, const struct label_set *labels) {
    uint64_t series = hash_labels(cache, labels);
    struct series_verdict *slot = find_slot(cache, series);
    if (slot->series)
        return *slot;
    make_room(cache);
    slot = find_slot(cache, series);
    *slot = find_verdict(cache, labels, series);
    atomic_fetch_add_explicit(&cache->count, 1, memory_order_relaxed);
    return *slot;
}

size_t series_cache_count(const struct series_cache *cache) {
    return atomic_load_explicit(&cache->count, memory_order_relaxed);
}

void series_cache_destroy(struct series_cache *cache) {
    if (!cache)
        return;
    free(cache->host_label);
    free(cache->slots);
    free(cache->scratch);
    free(cache);
}
