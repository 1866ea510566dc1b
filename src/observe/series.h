/* src/observe/series.h - which series do the features want?
 *
 * A selector names a metric and up to four label matchers. A selector table is compiled once from the
 * feature set and then immutable. Each http thread keeps its own series cache: from a keyed hash of a
 * series' labels to the verdict "nobody wants it" or "host h, inputs m", so that a known series costs one
 * hash and one probe. The cache is bounded: when it is full it is emptied (counted), and verdicts are found
 * again on the next sample. Vocabulary: Prometheus remote write 1.0, "Glossary". */
#ifndef SENTINEL_OBSERVE_SERIES_H
#define SENTINEL_OBSERVE_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "observe/host_directory.h"

struct sample {
    int64_t timestamp_ms; /* since the Unix epoch, by the sender's clock */
    double value;         /* may be a stale marker */
};

/* Text is borrowed and not necessarily NUL-terminated: it points into the request. */
struct label {
    const char *name, *value;
    size_t name_len, value_len;
};

/* Sorted by name, no name twice, valid UTF-8: remote_write_decode() has checked. */
struct label_set {
    const struct label *labels;
    size_t count;
};

/* Remote write 1.0, "Stale Markers". Compares bits: the marker is one NaN of many. */
bool sample_is_stale_marker(double value);

enum { SELECTORS_MAX = 64, SELECTOR_MATCHERS_MAX = 4 };

/* `values` are alternatives separated by '|'; "" matches a missing label, as in PromQL. */
struct label_matcher {
    const char *name, *values;
    bool negate;
};
struct series_selector {
    const char *metric;
    struct label_matcher matchers[SELECTOR_MATCHERS_MAX];
    size_t matcher_count;
};

struct selector_table;
/* Copies what it keeps. At most SELECTORS_MAX selectors. */
struct selector_table *selector_table_create(const struct series_selector *selectors, size_t count);
/* Bit i: selector i matches. */
uint64_t selector_table_match(const struct selector_table *table, const struct label_set *labels);
void selector_table_destroy(struct selector_table *table);

struct series_verdict {
    uint64_t series; /* the keyed hash: the series' name in core */
    uint64_t inputs; /* 0: nobody wants it */
    uint32_t host;   /* meaningless when inputs is 0 */
};

struct series_cache;
/* `table` and `directory` outlive the cache. `host_label` is copied. `hash_key` is the same for all
 * threads of a process and secret, so that crafted labels cannot be made to collide. */
struct series_cache *series_cache_create(const struct selector_table *table, struct host_directory *directory,
                                         const char *host_label, const uint64_t hash_key[2],
                                         size_t max_series);
/* A series without the host label, or of a host beyond the limit, is one that nobody wants. */
struct series_verdict series_cache_judge(struct series_cache *cache, const struct label_set *labels);
size_t series_cache_count(const struct series_cache *cache); /* any thread */
void series_cache_destroy(struct series_cache *cache);

#endif
