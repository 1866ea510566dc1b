/* src/sentinelctl/command_line.h - the flags of one subcommand: parsing them, and saying what they are.
 *
 * A flag is written --name=value or --name value; a switch is --name. Anything else that begins with a dash
 * is refused with the nearest right name. */
#ifndef SENTINEL_SENTINELCTL_COMMAND_LINE_H
#define SENTINEL_SENTINELCTL_COMMAND_LINE_H

#include <stddef.h>

enum flag_kind { FLAG_TEXT, FLAG_COUNT, FLAG_SWITCH };
struct flag {
    const char *name; /* "--server" */
    const char *unit; /* "URL"; for people */
    const char *help; /* one line, with the default */
    enum flag_kind kind;
    void *out; /* const char *, long or bool; holds the default before */
};

enum { WORDS_MAX = 4 };
struct command_line {
    const char *usage; /* "sentinelctl status [flags]" */
    const char *about; /* one paragraph */
    const struct flag *flags;
    size_t flag_count;
    size_t word_count; /* in: how many arguments besides flags are allowed; out: how many there are */
    const char *words[WORDS_MAX];
};

/* What the program should end with (0 after --help, 2 after a mistake), or GO_ON. argv[0] is the subcommand.
 */
enum { GO_ON = -1 };
int command_line_parse(struct command_line *line, int argc, char **argv);

#endif
