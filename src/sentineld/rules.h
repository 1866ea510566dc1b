/* src/sentineld/rules.h - the lists of sentinel.yml: decide.rules and act.helpers, read and said in plain
 * words. */
#ifndef SENTINEL_SENTINELD_RULES_H
#define SENTINEL_SENTINELD_RULES_H

#include <stdio.h>

#include "sentineld/config.h"
#include "sentineld/yaml_reader.h"

/* Replaces all rules of the policy by those of the list. */
MUST_CHECK enum status rules_read(const struct yaml_reader *reader, const yaml_node_t *list,
                                  const struct feature_set *set, struct policy *policy, struct error *err);
MUST_CHECK enum status helpers_read(const struct yaml_reader *reader, const yaml_node_t *list,
                                    struct config *config, struct error *err);
void rules_explain(const struct policy *policy, const struct feature_set *set, FILE *out);

#endif
