/* src/sentinelctl/orient_settings.h - the section `orient` of a sentinel.yml, for a backtest.
 *
 * sentineld checks the whole file; here only the one-line `key: value` pairs of that section are read, and a
 * key that is not about the model is passed over. Values are checked. */
#ifndef SENTINEL_SENTINELCTL_ORIENT_SETTINGS_H
#define SENTINEL_SENTINELCTL_ORIENT_SETTINGS_H

#include "base/status.h"
#include "orient/model.h"

/* Changes the settings that the file names and no other. */
MUST_CHECK enum status orient_settings_load(const char *path, struct model_settings *settings,
                                            struct error *err);

#endif
