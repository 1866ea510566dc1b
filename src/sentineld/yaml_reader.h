/* src/sentineld/yaml_reader.h - walking a YAML document with errors that name file, line and key.
 *
 * A thin layer over libyaml's documents for config.c and rules.c. Nodes are borrowed from the document. */
#ifndef SENTINEL_SENTINELD_YAML_READER_H
#define SENTINEL_SENTINELD_YAML_READER_H

#include <stddef.h>
#include <yaml.h>

#include "base/status.h"

struct yaml_reader {
    yaml_document_t *document;
    const char *name; /* of the file, for error texts */
};

/* STATUS_INVALID with "NAME:LINE: ..." in front. */
enum status yaml_error(const struct yaml_reader *reader, const yaml_node_t *node, struct error *err,
                       const char *fmt, ...) PRINTF_LIKE(4, 5);
/* The text of a scalar; NULL if the node is none. NUL-terminated by libyaml. */
const char *yaml_scalar(const yaml_node_t *node);

/* Calls `each` for every pair of a mapping: keys are scalars, and no key comes twice. `what` names the
 * mapping in error texts ("observe"). An empty value (`observe:`) is an empty mapping. */
typedef enum status yaml_pair(void *context, const char *key, const yaml_node_t *key_node,
                              const yaml_node_t *value, struct error *err);
MUST_CHECK enum status yaml_each_pair(const struct yaml_reader *reader, const yaml_node_t *mapping,
                                      const char *what, yaml_pair *each, void *context, struct error *err);
/* Calls `each` for every item of a sequence, with its position. */
typedef enum status yaml_item(void *context, size_t position, const yaml_node_t *item, struct error *err);
MUST_CHECK enum status yaml_each_item(const struct yaml_reader *reader, const yaml_node_t *sequence,
                                      const char *what, yaml_item *each, void *context, struct error *err);
/* "unknown key 'x' in WHAT: did you mean 'y'?" */
enum status yaml_unknown_key(const struct yaml_reader *reader, const yaml_node_t *key_node, const char *what,
                             const char *const *known, size_t known_count, struct error *err);

#endif
