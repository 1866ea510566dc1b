/* src/sentineld/flags.h - the command line, spelled as Prometheus spells it. One table; --help is made from
 * it. */
#ifndef SENTINEL_SENTINELD_FLAGS_H
#define SENTINEL_SENTINELD_FLAGS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/log.h"

struct flags {
    const char *config_file; /* "": defaults */
    const char *listen_address, *web_config_file, *external_url;
    const char *storage_path;
    enum log_level log_level;
    enum log_format log_format;
    bool enable_lifecycle, insecure_listen;
    bool check_config, print_config, version, help;
};

/* Values are borrowed from argv. False: `stderr` has been told what is wrong; exit 2. */
bool flags_parse(int argc, char **argv, struct flags *out);
void flags_print_help(FILE *out);
/* {"--config.file":"...",...}, from malloc. */
char *flags_to_json(const struct flags *flags);

#endif
