#include "sentineld/yaml_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"

enum status yaml_error(const struct yaml_reader *reader, const yaml_node_t *node, struct error *err,
                       const char *fmt, ...) {
    char text[160];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return error_set(err, STATUS_INVALID, "%s:%zu: %s", reader->name, node ? node->start_mark.line + 1 : 1,
                     text);
}

const char *yaml_scalar(const yaml_node_t *node) {
    return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static const yaml_node_t *node_at(const struct yaml_reader *reader, int index) {
    return yaml_document_get_node(reader->document, index);
}

enum status yaml_each_pair(const struct yaml_reader *reader, const yaml_node_t *mapping, const char *what,
                           yaml_pair *each, void *context, struct error *err) {
    const char *empty = yaml_scalar(mapping);
    if (empty && *empty == '\0')
        return STATUS_OK;
    if (mapping->type != YAML_MAPPING_NODE)
        return yaml_error(reader, mapping, err, "%s must be a mapping of keys to values", what);
    const yaml_node_pair_t *first = mapping->data.mapping.pairs.start, *end = mapping->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = first; pair < end; pair++) {
        const yaml_node_t *key_node = node_at(reader, pair->key);
        const char *key = yaml_scalar(key_node);
        if (!key)
            return yaml_error(reader, key_node, err, "a key in %s must be plain text", what);
        for (const yaml_node_pair_t *earlier = first; earlier < pair; earlier++) {
            if (strcmp(yaml_scalar(node_at(reader, earlier->key)), key) == 0)
                return yaml_error(reader, key_node, err, "key '%.60s' is given twice in %s", key, what);
        }
        enum status status = each(context, key, key_node, node_at(reader, pair->value), err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status yaml_each_item(const struct yaml_reader *reader, const yaml_node_t *sequence, const char *what,
                           yaml_item *each, void *context, struct error *err) {
    if (sequence->type != YAML_SEQUENCE_NODE)
        return yaml_error(reader, sequence, err, "%s must be a list, such as [a, b]", what);
    size_t position = 0;
    for (const yaml_node_item_t *item = sequence->data.sequence.items.start;
         item < sequence->data.sequence.items.top; item++) {
        enum status status = each(context, position++, node_at(reader, *item), err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status yaml_unknown_key(const struct yaml_reader *reader, const yaml_node_t *key_node, const char *what,
                             const char *const *known, size_t known_count, struct error *err) {
    const char *key = yaml_scalar(key_node);
    const char *nearest = nearest_name(key, known, known_count);
    if (nearest)
        return yaml_error(reader, key_node, err, "unknown key '%.60s' in %s: did you mean '%s'?", key, what,
                          nearest);
    return yaml_error(reader, key_node, err, "unknown key '%.60s' in %s: see --print-config for all keys",
                      key, what);
}
